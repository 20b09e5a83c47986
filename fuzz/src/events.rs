//! Events and measurements made of any bytes: few rooms, users and seconds, so that everything meets everything.

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use rollbook::records::quality::{Flow, Measure, Points, Series, normalise};
use rollbook::records::{
    AppId, Attr, CommId, Event, JoinSource, Kind, LeaveSource, Millis, Reason, ReasonClass, Track,
};

/// The application of all events.
pub const APP: AppId = AppId(1_400_000_001);
/// 2026-11-20T23:59:00Z: a minute before midnight, so that calls cross the day.
pub const START_S: i64 = 1_795_219_140;

/// The names that events may have.
pub const ROOMS: [&str; 3] = ["r0", "r1", "17"];
/// The users that events may tell of.
pub const USERS: [&str; 3] = ["u0", "u1", "u2"];

/// A moment: mostly within minutes of the first midnight, sometimes of the one before or of the two after it, each of
/// which is another file of the embedded store.
pub fn moment(u: &mut Unstructured<'_>) -> Result<Millis> {
    let day = match u.int_in_range(0..=15u8)? {
        0 => u.int_in_range(-1..=2i64)?,
        _ => 0,
    };
    let second = START_S + 86_400 * day + i64::from(u.arbitrary::<u8>()?);
    Ok(Millis(second * 1_000 + 400 * u.int_in_range(0..=2i64)?))
}

/// An event; `room_suffix` is part of its room's name.
pub fn event(u: &mut Unstructured<'_>, room_suffix: &str) -> Result<Event> {
    let room = format!("{}{room_suffix}", u.choose(&ROOMS)?);
    let user = *u.choose(&USERS)?;
    let kind = kind(u)?;
    let mut event = Event::new(APP, "trtc", &room, user, kind, moment(u)?);
    // What most events do not have, a bit each, one in four set.
    let has = u.arbitrary::<u16>()? & u.arbitrary::<u16>()?;
    let has = |bit: u32| has >> bit & 1 == 1;
    if has(0) {
        event.life = Some(format!("life{}", u.int_in_range(0..=2u8)?));
    }
    if has(1) {
        event.visit = Some(format!("visit{}", u.int_in_range(0..=2u8)?));
    }
    if has(2) {
        event.join_hint = Some(event.at.plus(-1_000 * i64::from(u.arbitrary::<u8>()?)));
    }
    if has(3) {
        event.create_hint = Some(event.at.plus(-1_000 * i64::from(u.arbitrary::<u8>()?)));
    }
    if has(4) {
        let class = *u.choose(&[ReasonClass::Normal, ReasonClass::NetworkSwitch, ReasonClass::Timeout])?;
        event.reason = Some(Reason { class, raw: String::new() });
    }
    if has(5) || event.kind == Kind::Attributes {
        let name = *u.choose(&[Attr::Device, Attr::SdkVersion, Attr::ClientIp])?;
        event.attrs.insert(name, u.int_in_range(0..=3u8)?.to_string());
    }
    if has(6) {
        event.id = "id".to_owned();
    }
    if has(7) {
        event.seq = Some(u.int_in_range(0..=3)?);
    }
    event.instance = String::from(if has(8) { "sfu1" } else { "" });
    (event.at_in_seconds, event.room_is_number) = (has(9), has(10));
    event.received = event.at.plus(i64::from(has(11)));
    if matches!(event.kind, Kind::RecordJoined(_) | Kind::RecordLeft(_)) {
        let second = START_S + i64::from(u.int_in_range(0..=7u8)?);
        event.source = "record".to_owned();
        event.instance.clear();
        event.life = Some(CommId::new(APP, &room, second).to_string());
        event.create_hint = Some(Millis::from_secs(second));
    }
    if event.kind == Kind::EmitterReset {
        event.room.clear();
    }
    if matches!(event.kind, Kind::EmitterReset | Kind::RoomDestroyed) {
        event.user.clear();
    }
    Ok(event)
}

/// An event, which may be one that was told already, in other words.
pub fn event_after(u: &mut Unstructured<'_>, told: &[Event], room_suffix: &str) -> Result<Event> {
    let known =
        if u.int_in_range(0..=7u8)? == 0 { told.get(usize::from(u.arbitrary::<u8>()?)) } else { None };
    let Some(known) = known else { return event(u, room_suffix) };
    let mut event = known.clone();
    event.attrs.insert(Attr::Device, u.int_in_range(0..=3u8)?.to_string());
    event.join_hint = if u.arbitrary()? { Some(event.at.plus(-7_000)) } else { None };
    event.at_in_seconds = u.arbitrary()?;
    Ok(event)
}

fn kind(u: &mut Unstructured<'_>) -> Result<Kind> {
    Ok(match u.int_in_range(0..=31u8)? {
        0..=7 => Kind::UserJoined,
        8..=15 => Kind::UserLeft,
        16..=18 => Kind::RoomCreated,
        19..=21 => Kind::RoomDestroyed,
        22..=23 => Kind::UserChanged,
        24..=25 => Kind::Media { track: *u.choose(&[Track::Audio, Track::Screen])?, on: u.arbitrary()? },
        26 => Kind::EmitterReset,
        27..=28 => Kind::Attributes,
        29 => Kind::Unknown { name: "x".to_owned(), raw: "{}".to_owned() },
        30 => Kind::RecordJoined(*u.choose(&[JoinSource::Seen, JoinSource::Inferred])?),
        _ => Kind::RecordLeft(*u.choose(&[
            LeaveSource::Seen,
            LeaveSource::RoomClosed,
            LeaveSource::Superseded,
        ])?),
    })
}

/// Measurements of a flow, of one measure.
pub fn series(u: &mut Unstructured<'_>, room_suffix: &str) -> Result<Series> {
    let text = str::to_owned;
    let flow = Flow {
        app: APP,
        room: format!("{}{room_suffix}", u.choose(&ROOMS)?),
        user: text(u.choose(&USERS)?),
        peer: text(u.choose(&["", "u0", "u1"])?),
        connection: text(u.choose(&["", "PC_0"])?),
    };
    let measures: Vec<Measure> = Measure::all().collect();
    let measure = *u.choose(&measures)?;
    let mut points = Points::new();
    for _ in 0..u.int_in_range(1..=6u8)? {
        let value = if u.ratio(1, 8)? { u.arbitrary()? } else { f64::from(u.arbitrary::<u16>()?) };
        points.push((moment(u)?, value));
    }
    normalise(&mut points);
    Ok(Series { flow, columns: vec![(measure, points)] })
}

/// What is left of the bytes decides an order, and how many of them stand together.
pub fn shuffled<T>(u: &mut Unstructured<'_>, items: &mut [T]) -> Result<()> {
    for last in (1..items.len()).rev() {
        items.swap(last, u.int_in_range(0..=last)?);
    }
    Ok(())
}
