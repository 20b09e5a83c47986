//! What was told of one user in one life, as a row: when the user's stays began, then the events themselves, in order.
//!
//! A row says of each event only what neither its place nor the event before it says. The stays are no part of it: they
//! are the fold of the events, made when somebody asks. That they began is in the row, since figures, listings and
//! counts need no more of them.

use super::compact::{In, Out, damaged};
use super::values::CallRow;
use crate::records::fold::{self, Stay};
use crate::records::{
    AppId, Attr, Attrs, Event, JoinSource, Kind, LeaveSource, Millis, Reason, ReasonClass, Track,
};
use crate::store::{DAY_S, StoreError};

/// The version of such a row. Version 1 had the fields of each event one by one.
const VERSION: u8 = 2;

/// A stay, as far as a row tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StayHead {
    pub(super) joined: Millis,
    /// No event of the user has ended it.
    pub(super) is_open: bool,
}

impl StayHead {
    pub(super) fn of(stays: &[Stay]) -> Vec<StayHead> {
        stays.iter().map(|stay| StayHead { joined: stay.joined, is_open: stay.left.is_none() }).collect()
    }
}

/// The stays that a user's events make, without what attributes say of them: those change neither when they began nor
/// when they ended.
pub(super) fn stays(events: &[Event]) -> Vec<Stay> {
    let events: Vec<&Event> = events.iter().collect();
    fold::stays(&events, &[])
}

/// The lowest bits of what an event begins with are its kind.
const KIND_BITS: u32 = 5;
const KIND_MASK: u64 = (1 << KIND_BITS) - 1;

/// The others say which fields follow; the usual ones are the lowest.
const ATTRS: u64 = 1 << KIND_BITS;
const REASON: u64 = ATTRS << 1;
const ID: u64 = ATTRS << 2;
const IN_SECONDS: u64 = ATTRS << 3;
const ROOM_IS_NUMBER: u64 = ATTRS << 4;
const VISIT: u64 = ATTRS << 5;
/// The visit is the one that the row named last.
const SAME_VISIT: u64 = ATTRS << 6;
const SEQ: u64 = ATTRS << 7;
const NAMES_LIFE: u64 = ATTRS << 8;
/// The user is not that of the row.
const USER: u64 = ATTRS << 9;
const JOIN_HINT: u64 = ATTRS << 10;
const CREATE_HINT: u64 = ATTRS << 11;

/// A kind that is followed by two texts.
const UNKNOWN: u64 = 13;

const TRACKS: [Track; 3] = [Track::Audio, Track::Video, Track::Screen];
const JOIN_SOURCES: [JoinSource; 3] = [JoinSource::Seen, JoinSource::Hinted, JoinSource::Inferred];
const LEAVE_SOURCES: [LeaveSource; 6] = [
    LeaveSource::Seen,
    LeaveSource::RoomClosed,
    LeaveSource::Superseded,
    LeaveSource::EmitterReset,
    LeaveSource::Idle,
    LeaveSource::Open,
];
const CLASSES: [ReasonClass; 11] = [
    ReasonClass::Normal,
    ReasonClass::Timeout,
    ReasonClass::Kicked,
    ReasonClass::RoomClosed,
    ReasonClass::RelayEnded,
    ReasonClass::Killed,
    ReasonClass::Duplicate,
    ReasonClass::NetworkSwitch,
    ReasonClass::ServerShutdown,
    ReasonClass::JoinFailed,
    ReasonClass::Unknown,
];
/// In the order of their bits; the usual ones are the lowest.
const ATTR_NAMES: [Attr; 10] = [
    Attr::Device,
    Attr::SdkVersion,
    Attr::ClientIp,
    Attr::Terminal,
    Attr::UserType,
    Attr::ClientType,
    Attr::Role,
    Attr::Os,
    Attr::Display,
    Attr::Kind,
];
/// In the byte of a reason: its raw word follows.
const RAW: u8 = 0x10;

/// The place of a value in its list. What no list has is refused by the test below.
fn place<T: PartialEq>(list: &[T], value: &T) -> u64 {
    list.iter().position(|listed| listed == value).unwrap_or(list.len()) as u64
}

fn kind_number(kind: &Kind) -> u64 {
    match kind {
        Kind::RoomCreated => 0,
        Kind::RoomDestroyed => 1,
        Kind::UserJoined => 2,
        Kind::UserLeft => 3,
        Kind::UserChanged => 4,
        Kind::Media { track, on } => 5 + 2 * place(&TRACKS, track) + u64::from(*on),
        Kind::EmitterReset => 11,
        Kind::Attributes => 12,
        Kind::Unknown { .. } => UNKNOWN,
        Kind::RecordJoined(source) => 14 + place(&JOIN_SOURCES, source),
        Kind::RecordLeft(source) => 17 + place(&LEAVE_SOURCES, source),
    }
}

fn kind(number: u64, input: &mut In<'_>) -> Result<Kind, StoreError> {
    let at = |first: u64| usize::try_from(number - first).unwrap_or(usize::MAX);
    Ok(match number {
        0 => Kind::RoomCreated,
        1 => Kind::RoomDestroyed,
        2 => Kind::UserJoined,
        3 => Kind::UserLeft,
        4 => Kind::UserChanged,
        5..=10 => Kind::Media { track: TRACKS[at(5) / 2], on: number.is_multiple_of(2) },
        11 => Kind::EmitterReset,
        12 => Kind::Attributes,
        UNKNOWN => Kind::Unknown { name: input.text()?, raw: input.text()? },
        14..=16 => Kind::RecordJoined(JOIN_SOURCES[at(14)]),
        17..=22 => Kind::RecordLeft(LEAVE_SOURCES[at(17)]),
        _ => return Err(damaged()),
    })
}

fn day_start(day: i64) -> i64 {
    day.wrapping_mul(DAY_S * 1_000)
}

/// The row of one user (or of the room itself, `""`) in one life, in the file of `day`.
pub(super) fn encode(events: &[Event], stays: &[StayHead], user: &str, day: i64) -> Vec<u8> {
    let mut out = Out::of_version(VERSION, 8 + events.len() * 40);
    let mut before = events.first().map_or(0, |event| event.at.0);
    out.signed(before.wrapping_sub(day_start(day)));
    let any_open = stays.iter().any(|stay| stay.is_open);
    out.number((stays.len() as u64) << 1 | u64::from(any_open));
    let mut joined = before;
    for stay in stays {
        out.signed(stay.joined.0.wrapping_sub(joined));
        joined = stay.joined.0;
        if any_open {
            out.byte(u8::from(stay.is_open));
        }
    }
    let mut visit = None;
    for event in events {
        encode_event(&mut out, event, user, before, visit);
        before = event.at.0;
        visit = event.visit.as_deref().or(visit);
    }
    out.into_bytes()
}

fn encode_event(out: &mut Out, event: &Event, user: &str, before: i64, last_visit: Option<&str>) {
    let is_same_visit = event.visit.is_some() && event.visit.as_deref() == last_visit;
    let flag = |flag: u64, is_set: bool| if is_set { flag } else { 0 };
    out.number(
        kind_number(&event.kind)
            | flag(ATTRS, !event.attrs.is_empty())
            | flag(REASON, event.reason.is_some())
            | flag(ID, !event.id.is_empty())
            | flag(IN_SECONDS, event.at_in_seconds)
            | flag(ROOM_IS_NUMBER, event.room_is_number)
            | flag(VISIT, event.visit.is_some() && !is_same_visit)
            | flag(SAME_VISIT, is_same_visit)
            | flag(SEQ, event.seq.is_some())
            | flag(NAMES_LIFE, event.life.is_some())
            | flag(USER, event.user != user)
            | flag(JOIN_HINT, event.join_hint.is_some())
            | flag(CREATE_HINT, event.create_hint.is_some()),
    );
    if let Kind::Unknown { name, raw } = &event.kind {
        out.text(name);
        out.text(raw);
    }
    out.signed(event.at.0.wrapping_sub(before));
    out.signed(event.received.0.wrapping_sub(event.at.0));
    if let Some(reason) = &event.reason {
        let [.., class] = place(&CLASSES, &reason.class).to_be_bytes();
        out.byte(class | if reason.raw.is_empty() { 0 } else { RAW });
        if !reason.raw.is_empty() {
            out.text(&reason.raw);
        }
    }
    if !event.attrs.is_empty() {
        let told =
            || ATTR_NAMES.iter().enumerate().filter_map(|(bit, name)| Some((bit, event.attrs.get(name)?)));
        out.number(told().fold(0, |mask, (bit, _)| mask | 1 << bit));
        told().for_each(|(_, value)| out.text(value));
    }
    if !event.id.is_empty() {
        out.text(&event.id);
    }
    if let Some(visit) = event.visit.as_deref().filter(|_| !is_same_visit) {
        out.text(visit);
    }
    if let Some(seq) = event.seq {
        out.number(seq);
    }
    if event.user != user {
        out.text(&event.user);
    }
    for hint in [event.join_hint, event.create_hint].into_iter().flatten() {
        out.signed(hint.0.wrapping_sub(event.at.0));
    }
}

/// What a row says before its events: the time of the first, and the stays.
fn head(bytes: &[u8], day: i64) -> Result<(In<'_>, i64, Vec<StayHead>), StoreError> {
    let mut input = In::of_version(bytes, VERSION)?;
    let first = input.signed()?.wrapping_add(day_start(day));
    let head = input.number()?;
    let mut joined = first;
    let mut stays = Vec::new();
    for _ in 0..head >> 1 {
        joined = joined.wrapping_add(input.signed()?);
        let is_open = head & 1 == 1 && input.byte()? == 1;
        stays.push(StayHead { joined: Millis(joined), is_open });
    }
    Ok((input, first, stays))
}

/// The stays that a row in the file of `day` tells of, in the order of their joins.
pub(super) fn decode_heads(bytes: &[u8], day: i64) -> Result<Vec<StayHead>, StoreError> {
    head(bytes, day).map(|(_, _, stays)| stays)
}

/// The stays and the events of a row in the file of `day`. The fold asks nothing of an event's call: without one, the
/// events are of none.
pub(super) fn decode(
    bytes: &[u8],
    call: Option<&CallRow>,
    user: &str,
    day: i64,
) -> Result<(Vec<StayHead>, Vec<Event>), StoreError> {
    let (mut input, mut at, stays) = head(bytes, day)?;
    let mut events: Vec<Event> = Vec::new();
    let mut last_visit: Option<usize> = None;
    while !input.is_empty() {
        let visit = last_visit.and_then(|index| events[index].visit.as_deref());
        let event = decode_event(&mut input, call, user, at, visit)?;
        at = event.at.0;
        last_visit = event.visit.as_ref().map(|_| events.len()).or(last_visit);
        events.push(event);
    }
    Ok((stays, events))
}

fn decode_event(
    input: &mut In<'_>,
    call: Option<&CallRow>,
    user: &str,
    before: i64,
    last_visit: Option<&str>,
) -> Result<Event, StoreError> {
    let what = input.number()?;
    let has = |flag: u64| what & flag != 0;
    let kind = kind(what & KIND_MASK, input)?;
    let at = before.wrapping_add(input.signed()?);
    let received = Millis(at.wrapping_add(input.signed()?));
    let reason = if has(REASON) { Some(decode_reason(input)?) } else { None };
    let attrs = if has(ATTRS) { decode_attrs(input)? } else { Attrs::new() };
    let id = if has(ID) { input.text()? } else { String::new() };
    let visit = match (has(VISIT), has(SAME_VISIT)) {
        (true, _) => Some(input.text()?),
        (false, true) => Some(last_visit.ok_or_else(damaged)?.to_owned()),
        (false, false) => None,
    };
    let seq = if has(SEQ) { Some(input.number()?) } else { None };
    let user = if has(USER) { input.text()? } else { user.to_owned() };
    let mut hint = |flag: u64| -> Result<Option<Millis>, StoreError> {
        if !has(flag) {
            return Ok(None);
        }
        Ok(Some(Millis(at.wrapping_add(input.signed()?))))
    };
    Ok(Event {
        app: call.map_or(AppId(0), |call| AppId(call.app)),
        source: call.map_or_else(String::new, |call| call.source.clone()),
        instance: call.map_or_else(String::new, |call| call.instance.clone()),
        room: call.map_or_else(String::new, |call| call.room.clone()),
        room_is_number: has(ROOM_IS_NUMBER),
        life: call.and_then(|call| call.life.name.clone()).filter(|_| has(NAMES_LIFE)),
        user,
        visit,
        kind,
        at: Millis(at),
        at_in_seconds: has(IN_SECONDS),
        received,
        seq,
        id,
        join_hint: hint(JOIN_HINT)?,
        create_hint: hint(CREATE_HINT)?,
        reason,
        attrs,
    })
}

fn decode_reason(input: &mut In<'_>) -> Result<Reason, StoreError> {
    let byte = input.byte()?;
    let class = CLASSES.get(usize::from(byte & !RAW)).copied().ok_or_else(damaged)?;
    Ok(Reason { class, raw: if byte & RAW == 0 { String::new() } else { input.text()? } })
}

fn decode_attrs(input: &mut In<'_>) -> Result<Attrs, StoreError> {
    let mask = input.number()?;
    if mask >> ATTR_NAMES.len() != 0 {
        return Err(damaged());
    }
    let mut attrs = Attrs::new();
    for (bit, &name) in ATTR_NAMES.iter().enumerate() {
        if mask >> bit & 1 == 1 {
            attrs.insert(name, input.text()?);
        }
    }
    Ok(attrs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::embedded::values::tests::any_call;

    fn any_kind() -> impl Strategy<Value = Kind> {
        prop_oneof![
            Just(Kind::RoomCreated),
            Just(Kind::RoomDestroyed),
            Just(Kind::UserJoined),
            Just(Kind::UserLeft),
            Just(Kind::UserChanged),
            (prop::sample::select(&TRACKS), any::<bool>()).prop_map(|(track, on)| Kind::Media { track, on }),
            Just(Kind::EmitterReset),
            Just(Kind::Attributes),
            any::<(String, String)>().prop_map(|(name, raw)| Kind::Unknown { name, raw }),
            prop::sample::select(&JOIN_SOURCES).prop_map(Kind::RecordJoined),
            prop::sample::select(&LEAVE_SOURCES).prop_map(Kind::RecordLeft),
        ]
    }

    fn any_word() -> impl Strategy<Value = String> {
        prop_oneof![Just(String::new()), Just("word".to_owned()), any::<String>()]
    }

    prop_compose! {
        fn any_told()(
            kind in any_kind(),
            at in prop_oneof![1_763_000_000_000..1_763_100_000_000i64, any::<i64>()],
            (received, join_hint, create_hint) in any::<(i64, Option<i64>, Option<i64>)>(),
            (seconds, number, named, seq) in any::<(bool, bool, bool, Option<u64>)>(),
            user in any_word(),
            visit in prop::option::of(any_word()),
            id in any_word(),
            reason in prop::option::of((prop::sample::select(&CLASSES), any_word())),
            attrs in prop::collection::btree_map(prop::sample::select(&ATTR_NAMES), any_word(), 0..10),
        ) -> Event {
            Event {
                at_in_seconds: seconds,
                room_is_number: number,
                life: named.then(String::new),
                visit,
                received: Millis(received),
                seq,
                id,
                join_hint: join_hint.map(Millis),
                create_hint: create_hint.map(Millis),
                reason: reason.map(|(class, raw)| Reason { class, raw }),
                attrs,
                ..Event::new(AppId(0), "", "", &user, kind, Millis(at))
            }
        }
    }

    proptest! {
        #[test]
        fn rows_are_read_as_they_were_written(
            events in prop::collection::vec(any_told(), 0..6),
            stays in prop::collection::vec(any::<(i64, bool)>(), 0..4),
            user in any_word(),
            day in any::<i64>(),
            mut call in any_call(),
        ) {
            call.life.name.get_or_insert_default();
            let mut events = events;
            for event in &mut events {
                event.app = AppId(call.app);
                event.room.clone_from(&call.room);
                event.source.clone_from(&call.source);
                event.instance.clone_from(&call.instance);
                event.life = event.life.take().and(call.life.name.clone());
            }
            let stays: Vec<StayHead> =
                stays.into_iter().map(|(joined, is_open)| StayHead { joined: Millis(joined), is_open }).collect();
            let row = encode(&events, &stays, &user, day);
            prop_assert_eq!(decode_heads(&row, day).unwrap(), stays.clone());
            let (again_stays, again) = decode(&row, Some(&call), &user, day).unwrap();
            prop_assert_eq!(again_stays, stays);
            prop_assert_eq!(&again, &events);
            // When an event was received is no part of what makes two the same.
            let received = |events: &[Event]| events.iter().map(|event| event.received).collect::<Vec<_>>();
            prop_assert_eq!(received(&again), received(&events));
            let mut unknown = row;
            unknown[0] = VERSION - 1;
            prop_assert!(decode(&unknown, Some(&call), &user, day).is_err());
        }

        #[test]
        fn damaged_rows_are_refused_or_read_but_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode(&[&[VERSION][..], &bytes].concat(), None, "", 0);
        }
    }

    #[test]
    fn a_usual_session_is_small() {
        let day = 20_000;
        let at = |ms: i64| Millis(day_start(day) + 40_000_000 + ms);
        let mut join = Event::new(AppId(1), "trtc", "room", "user", Kind::UserJoined, at(0));
        join.received = at(900);
        join.attrs = [(Attr::Device, "Android"), (Attr::SdkVersion, "4.3.14"), (Attr::ClientIp, "10.1.2.3")]
            .map(|(name, value)| (name, value.to_owned()))
            .into();
        let mut leave = Event::new(AppId(1), "trtc", "room", "user", Kind::UserLeft, at(600_000));
        leave.received = at(600_900);
        leave.reason = Some(Reason { class: ReasonClass::Normal, raw: String::new() });
        let events = [join, leave];
        assert_eq!(encode(&events, &StayHead::of(&stays(&events)), "user", day).len(), 39);
    }
}
