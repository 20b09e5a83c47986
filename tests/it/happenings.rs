//! Generated events of a small world: few rooms, users and seconds, so that everything meets everything.

use proptest::prelude::*;
use proptest::sample::select;
use rollbook::ingest::{ClientIpPolicy, Terms, export, lines, records};
use rollbook::records::quality::{Flow, Measure, Points, Series, normalise};
use rollbook::records::{AppId, Attr, Event, Kind, Millis, Reason, ReasonClass, Track};
use rollbook::store::{ExportQuery, Exported, Store, What};

pub(crate) const APP: AppId = AppId(crate::server::APP);

/// Each line names its application.
pub(crate) const TERMS: Terms = Terms { app: None, client_ip: ClientIpPolicy::Keep };

/// Names that are told apart and read back only by who is careful.
const ROOMS: [&str; 6] = ["42", "lobby_1", "a/b", "say \"hi\", 🎉", "lobby", "_"];
const USERS: [&str; 5] = ["alice", "bob", "名前", "o'neil,\n\"x\"", "7"];

fn kind() -> impl Strategy<Value = Kind> {
    let track = select(vec![Track::Audio, Track::Video, Track::Screen]);
    prop_oneof![
        3 => Just(Kind::RoomCreated),
        3 => Just(Kind::RoomDestroyed),
        9 => Just(Kind::UserJoined),
        9 => Just(Kind::UserLeft),
        2 => Just(Kind::UserChanged),
        3 => (track, any::<bool>()).prop_map(|(track, on)| Kind::Media { track, on }),
        1 => Just(Kind::EmitterReset),
        2 => Just(Kind::Attributes),
        1 => Just(Kind::Unknown { name: "mood".to_owned(), raw: "{\"a\":\"\n\"}".to_owned() }),
    ]
}

fn reason() -> impl Strategy<Value = Reason> {
    let class = select(vec![
        ReasonClass::Normal,
        ReasonClass::NetworkSwitch,
        ReasonClass::Kicked,
        ReasonClass::Unknown,
    ]);
    (class, select(vec!["", "2", "a, \"b\""])).prop_map(|(class, raw)| Reason { class, raw: raw.to_owned() })
}

prop_compose! {
    /// Any event within these seconds.
    pub(crate) fn event(from_s: i64, to_s: i64)(
        kind in kind(),
        at in prop_oneof![4 => 0..240_i64, 1 => 0..to_s - from_s],
        ms in prop_oneof![Just(0), Just(400), Just(800)],
        in_seconds in any::<bool>(),
        room in prop_oneof![3 => 0..2_usize, 1 => 0..ROOMS.len()],
        user in select(USERS.to_vec()),
        (instance, number) in (0..2_u8, any::<bool>()),
        (life, visit) in (prop::option::weighted(0.1, 0..2_u8), prop::option::weighted(0.2, 0..3_u8)),
        hints in (prop::option::weighted(0.1, 0..40_i64), prop::option::weighted(0.1, 0..60_i64)),
        reason in prop::option::weighted(0.3, reason()),
        attr in prop::option::weighted(0.3, (select(vec![Attr::Device, Attr::SdkVersion, Attr::Role]), 0..3_u8)),
        id in prop::option::weighted(0.2, 0..2_u8),
        from_s in Just(from_s),
    ) -> Event {
        let room = ROOMS[room];
        let mut event = Event::new(APP, "sfu", room, user, kind, Millis(Millis::from_secs(from_s + at).0 + ms));
        event.at_in_seconds = in_seconds && ms == 0;
        // The same media server tells of a room each time, but for one room that two servers have.
        event.instance = format!("sfu{}", if room == "lobby" { instance } else { 0 });
        event.room_is_number = number && room == "42";
        event.life = life.map(|life| format!("life{life} of {room}"));
        event.visit = visit.map(|visit| format!("visit, {visit}"));
        let before = |seconds: i64| event.at.plus(-1_000 * seconds);
        (event.join_hint, event.create_hint) = (hints.0.map(before), hints.1.map(before));
        event.reason = reason;
        event.attrs.extend(attr.map(|(attr, value)| (attr, format!("v{value}"))));
        event.id = id.map_or(String::new(), |id| format!("id{id}"));
        match event.kind {
            Kind::EmitterReset => {
                (event.room, event.room_is_number, event.life) = (String::new(), false, None);
                (event.user, event.visit) = (String::new(), None);
            }
            Kind::RoomDestroyed => (event.user, event.visit) = (String::new(), None),
            Kind::Attributes if event.attrs.is_empty() => {
                event.attrs.insert(Attr::ClientIp, "10.4.1.13".to_owned());
            }
            Kind::RoomCreated
            | Kind::UserJoined
            | Kind::UserLeft
            | Kind::UserChanged
            | Kind::Media { .. }
            | Kind::Attributes
            | Kind::Unknown { .. }
            | Kind::RecordJoined(_)
            | Kind::RecordLeft(_) => {}
        }
        event
    }
}

/// What was measured of one of these users within these seconds.
pub(crate) fn series(from_s: i64, to_s: i64) -> impl Strategy<Value = Series> {
    let value = prop_oneof![
        3 => (-50_000..50_000_i32).prop_map(|n| f64::from(n) / 1_000.0),
        1 => any::<f64>().prop_filter("a finite number", |value| value.is_finite()),
        1 => select(vec![0.0, -0.0, 9_007_199_254_740_993.0, 1e300, 5e-324]),
    ];
    let at = prop_oneof![3 => 0..240_000_i64, 1 => 0..(to_s - from_s) * 1_000];
    let measures: Vec<Measure> = Measure::all().collect();
    let columns =
        prop::collection::btree_map(select(measures), prop::collection::vec((at, value), 1..30), 1..4);
    let flow = (
        select(ROOMS.to_vec()),
        select(USERS.to_vec()),
        select(vec!["", "bob", "名前"]),
        select(vec!["", "a, \"b\""]),
    );
    (flow, columns).prop_map(move |((room, user, peer, connection), columns)| {
        let [room, user, peer, connection] = [room, user, peer, connection].map(str::to_owned);
        let column = |(measure, points): (Measure, Vec<(i64, f64)>)| {
            let point = |(ms, value)| (Millis(from_s * 1_000 + ms), value);
            let mut points: Points = points.into_iter().map(point).collect();
            normalise(&mut points);
            (measure, points)
        };
        let flow = Flow { app: APP, room, user, peer, connection };
        Series { flow, columns: columns.into_iter().map(column).collect() }
    })
}

/// The measurements of lines, all of which are good.
pub(crate) fn series_of(body: &[u8]) -> Vec<Series> {
    let parsed = lines::parse(TERMS, body, Millis(0));
    assert_eq!((parsed.refused, parsed.refused_count), (Vec::new(), 0));
    parsed.samples
}

/// Events, shown as their lines.
#[derive(Clone)]
pub(crate) struct Told(pub(crate) Vec<Event>);

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("\n")?;
        f.write_str(&String::from_utf8_lossy(&lines_of(&self.0)))
    }
}

/// Events as lines of a file or a body.
pub(crate) fn lines_of(events: &[Event]) -> Vec<u8> {
    let mut out = Vec::new();
    events.iter().for_each(|event| export::event(&mut out, event));
    out
}

/// The events of lines, all of which are good.
pub(crate) fn events_of(body: &[u8]) -> Vec<Event> {
    let parsed = lines::parse(TERMS, body, Millis(0));
    assert_eq!((parsed.refused, parsed.refused_count), (Vec::new(), 0));
    parsed.events
}

/// A format of the command `export`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Events,
    Calls,
    Users,
    CallTable,
    UserTable,
    Samples,
}

/// What a store holds, as `export` writes it.
pub(crate) fn exported(store: &impl Store, format: Format) -> Vec<u8> {
    let mut out = Vec::new();
    match format {
        Format::CallTable => export::call_header(&mut out),
        Format::UserTable => export::session_header(&mut out),
        Format::Events | Format::Calls | Format::Users | Format::Samples => {}
    }
    let query = ExportQuery {
        app: APP,
        from: Millis(i64::MIN),
        to: Millis(i64::MAX),
        what: match format {
            Format::Events => What::Events,
            Format::Samples => What::Samples,
            Format::Calls | Format::Users | Format::CallTable | Format::UserTable => What::Records,
        },
    };
    store
        .export(&query, &mut |exported| {
            match (format, exported) {
                (Format::Events, Exported::Event(event)) => export::event(&mut out, event),
                (Format::Samples, Exported::Samples(series)) => export::samples(&mut out, series),
                (Format::Calls, Exported::Call(call, _)) => export::call_line(&mut out, call),
                (Format::CallTable, Exported::Call(call, _)) => export::call_row(&mut out, call),
                (Format::Users, Exported::Call(call, sessions)) => {
                    sessions.iter().for_each(|session| export::session_line(&mut out, call, session));
                }
                (Format::UserTable, Exported::Call(call, sessions)) => {
                    sessions.iter().for_each(|session| export::session_row(&mut out, call, session));
                }
                (_, other) => panic!("{format:?} has no {other:?}"),
            }
            Ok(())
        })
        .expect("exported");
    out
}

/// The events of records as `export` wrote them, all of which are good.
pub(crate) fn events_of_records(body: &[u8], format: Format) -> Vec<Event> {
    let received = Millis(1_795_400_000_000);
    let parsed = match format {
        Format::Calls | Format::Users => records::parse_ndjson(TERMS, body, received),
        Format::CallTable | Format::UserTable => records::parse_csv(TERMS, body, received),
        Format::Events | Format::Samples => panic!("{format:?} are no records"),
    };
    assert_eq!((parsed.refused, parsed.refused_count), (Vec::new(), 0));
    parsed.events
}
