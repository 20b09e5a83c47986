//! Neutral events: lines in, lines out.

use proptest::collection::btree_map;
use proptest::option;
use proptest::prelude::*;

use rollbook::ingest::{ClientIpPolicy, LINES_MAX, Parsed, Terms, export, lines};
use rollbook::records::{
    AppId, Attr, Event, JoinSource, Kind, LeaveSource, Millis, Reason, ReasonClass, Track,
};

use super::RECEIVED;

const TERMS: Terms = Terms { app: Some(AppId(7)), client_ip: ClientIpPolicy::Keep };

/// The event of a line, or why there is none.
fn parse_line(terms: Terms, line: &str, received: Millis) -> Result<Event, String> {
    let parsed = lines::parse(terms, line.as_bytes(), received);
    parsed.events.into_iter().next().ok_or_else(|| parsed.refused[0].why.clone())
}

fn exported(event: &Event) -> String {
    let mut line = Vec::new();
    export::event(&mut line, event);
    String::from_utf8(line).expect("an export is UTF-8")
}

#[test]
fn a_line_becomes_an_event() {
    let check = |line: &str, expected: &str| {
        let event = parse_line(TERMS, line, RECEIVED).expect(line);
        assert_eq!(exported(&event).trim_end(), expected, "{line}");
    };
    check(
        r#"{"room":"r","user":"u","kind":"joined","at_ms":1700000000000}"#,
        r#"{"app":7,"source":"events","room":"r","user":"u","kind":"joined","at_ms":1700000000000,"received_ms":1795400000000}"#,
    );
    check(
        r#" { "at_s": 1700000000, "kind": "left", "user": "u", "room": 12, "app": 7, "reason": "kicked" } "#,
        r#"{"app":7,"source":"events","room":12,"user":"u","kind":"left","at_s":1700000000,"reason":"kicked","received_ms":1795400000000}"#,
    );
    check(
        r#"{"room":"12","user":"a\"\u0007é🦀_/","kind":"media","media":{"on":false,"track":"screen"},"at_ms":1700000000001,"reason_raw":"x","visit":"","life":null}"#,
        r#"{"app":7,"source":"events","room":"12","user":"a\"\u0007é🦀_/","kind":"media","media":{"track":"screen","on":false},"at_ms":1700000000001,"reason":"unknown","reason_raw":"x","received_ms":1795400000000}"#,
    );
    check(
        r#"{"kind":"emitter_reset","instance":"sfu-1","source":"janus","at_ms":1700000000001,"id":"e1","seq":18446744073709551615,"received_ms":5}"#,
        r#"{"app":7,"source":"janus","instance":"sfu-1","kind":"emitter_reset","at_ms":1700000000001,"seq":18446744073709551615,"id":"e1","received_ms":5}"#,
    );
    check(
        r#"{"kind":"unknown","name":"mood","raw":"{\"x\":1}","at_ms":1700000000001}"#,
        r#"{"app":7,"source":"events","kind":"unknown","name":"mood","raw":"{\"x\":1}","at_ms":1700000000001,"received_ms":1795400000000}"#,
    );
    check(
        r#"{"kind":"record_left","leave_source":"superseded","room":"r","user":"u","life":"7_r_1","visit":"v","at_ms":1700000000001,"join_hint_ms":1700000000000,"create_hint_ms":1600000000000,"attrs":{"client_ip":"10.4.1.13","terminal":3,"os":null}}"#,
        r#"{"app":7,"source":"events","room":"r","life":"7_r_1","user":"u","visit":"v","kind":"record_left","leave_source":"superseded","at_ms":1700000000001,"join_hint_ms":1700000000000,"create_hint_ms":1600000000000,"attrs":{"terminal":"3","client_ip":"10.4.1.13"},"received_ms":1795400000000}"#,
    );
}

/// A sound line with one thing changed.
fn with(from: &str, to: &str) -> String {
    let base = r#"{"room":"r","user":"u","kind":"joined","at_ms":1700000000000}"#;
    assert!(base.contains(from), "{from}");
    base.replace(from, to)
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_bad_line_is_refused_with_the_reason() {
    let check = |line: &str, what: &str| {
        let why = parse_line(TERMS, line, RECEIVED).expect_err(line);
        assert!(why.contains(what), "{why:?} does not say {what:?}");
        assert!(why.len() < 400, "{why:?}");
    };
    check("{", "not valid JSON: EOF while parsing an object at column 1");
    check("nonsense", "not valid JSON: expected ident at column 2");
    check(&with("}", "} x"), "not valid JSON: trailing characters");
    check("[1,2]", "expected a JSON object");
    check("7", "expected a JSON object");
    check(&with("}", ",\"usr\":\"v\"}"), "unknown key \"usr\"; did you mean \"user\"?");
    check(&with("}", ",\"temperature\":1}"), "unknown key \"temperature\"");
    check(&with("}", &format!(",\"{}\":1}}", "k".repeat(100_000))), "unknown key \"kkk");
    check(&with("}", ",\"user\":\"u\"}"), "user: given twice");
    check(&with("}", ",\"user\":null}"), "user: given twice");
    check(&with("\"u\"", "5"), "user: expected a text, found 5");
    check(&with("\"u\"", "[]"), "user: expected a text, found a list");
    check(&with("\"u\"", "\"\""), "user: missing; an event of kind joined concerns a user");
    check(&with("\"r\"", "null"), "room: missing; an event of kind joined concerns a room");
    check(&with("\"r\"", "-1"), "room: expected a text or a whole number from 0 to 2^64-1, found -1");
    check(&with("\"r\"", "1e3"), "room: expected a text or a whole number");
    check(&with("\"r\"", "\"a\\u0000\""), "room: contains the character U+0000");
    check(&with("\"u\"", "\"\\u0000\""), "user: contains the character U+0000");
    check(
        &with("\"r\"", &format!("\"{}\"", "🦀".repeat(500))),
        "room: 2000 bytes long, expected at most 512",
    );
    check(&with("\"joined\"", "\"join\""), "kind: unknown value \"join\"; did you mean \"joined\"?");
    check(
        &with("\"joined\"", "\"media\""),
        "media: expected {\"track\": \"audio\", \"on\": true}, found nothing",
    );
    check(&with("\"joined\"", "\"record_joined\""), "join_source: missing");
    check(&with("\"kind\":\"joined\",", ""), "kind: missing");
    check(
        &with("}", ",\"media\":{\"track\":\"audio\",\"on\":true}}"),
        "media: only a line of kind media has it",
    );
    check(&with("}", ",\"raw\":\"x\"}"), "raw: only a line of kind unknown has it");
    check(&with("1700000000000", "0"), "at_ms: 0 is no plausible time in milliseconds");
    check(
        &with("1700000000000", "1700000000"),
        "at_ms: 1700000000 is no plausible time in milliseconds (it looks like seconds)",
    );
    check(&with("1700000000000", "18446744073709551615"), "at_ms: 18446744073709551615 is no plausible time");
    check(&with("1700000000000", "18446744073709551616"), "at_ms: expected a whole number from 0 to 2^64-1");
    check(&with("1700000000000", "-1"), "at_ms: expected a whole number from 0 to 2^64-1, found -1");
    check(&with("1700000000000", "\"1700000000000\""), "at_ms: expected a whole number");
    check(
        &with("at_ms", "at_s"),
        "at_s: 1700000000000 is no plausible time in seconds (it looks like milliseconds)",
    );
    check(&with("}", ",\"at_s\":1700000000}"), "at_ms and at_s: give one of them");
    check(&with(",\"at_ms\":1700000000000", ""), "at_ms: missing; an event needs at_ms or at_s");
    check(&with("}", ",\"join_hint_ms\":5}"), "join_hint_ms: 5 is no plausible time");
    check(&with("}", ",\"app\":8}"), "app: 8 is not the application 7");
    check(&with("}", ",\"app\":\"7\"}"), "app: expected a whole number");
    check(&with("}", ",\"reason\":\"kickd\"}"), "reason: unknown value \"kickd\"; did you mean \"kicked\"?");
    check(&with("}", ",\"attrs\":[]}"), "attrs: expected an object of texts, found a list");
    check(
        &with("}", ",\"attrs\":{\"sdkversion\":\"1\"}}"),
        "attrs: unknown key \"sdkversion\"; did you mean \"sdk_version\"?",
    );
    check(&with("}", ",\"attrs\":{\"os\":\"a\",\"os\":\"b\"}}"), "attrs.os: given twice");
    check(&with("}", ",\"attrs\":{\"os\":{}}}"), "attrs.os: expected a text, found an object");
    check(&with("}", &format!(",\"reason_raw\":\"{}\"}}", "x".repeat(2_000))), "reason_raw: 2000 bytes long");
    check(&with("}", &format!(",\"attrs\":{}", "{\"os\":".repeat(500))), "recursion limit");
    let media = |media: &str| with("\"joined\"", &format!("\"media\",\"media\":{media}"));
    check(&media("{\"track\":\"audio\"}"), "media: on: missing");
    check(&media("{\"track\":\"sound\",\"on\":true}"), "media: track: unknown value \"sound\"");
    check(&media("{\"track\":\"audio\",\"on\":1}"), "media: on: expected true or false, found 1");
    check(&media("{\"track\":\"audio\",\"no\":true}"), "media: unknown key \"no\"; did you mean \"on\"?");
    check(&media("{\"track\":\"audio\",\"track\":\"audio\",\"on\":true}"), "media: track: given twice");
    check(
        r#"{"kind":"emitter_reset","room":"r","at_ms":1700000000000}"#,
        "room: an emitter_reset concerns all rooms",
    );
    let nobody = Terms { app: None, ..TERMS };
    let why = parse_line(nobody, &with("r", "r"), RECEIVED).expect_err("no application");
    assert!(why.contains("app: missing"), "{why}");
}

#[test]
fn good_lines_are_kept_and_bad_ones_numbered() {
    let good = with("r", "r");
    let body = format!("\n{good}\r\n  \nnonsense\n{}\n{good}", with("joined", "gone"));
    let parsed = lines::parse(TERMS, body.as_bytes(), RECEIVED);
    assert_eq!(parsed.events.len(), 2);
    let refused: Vec<u64> = parsed.refused.iter().map(|refused| refused.line).collect();
    assert_eq!((refused, parsed.refused_count, parsed.status()), (vec![4, 5], 2, 200));
    let reply = String::from_utf8(parsed.reply(1, 1, 0)).expect("a reply is UTF-8");
    let expected = r#"{"new":1,"duplicate":1,"refused":2,"lines":[{"line":4,"why":"not valid JSON: expected ident at column 2"},{"line":5,"why":"kind: unknown value"#;
    assert!(reply.starts_with(expected), "{reply}");
    assert_eq!(lines::parse(TERMS, b"", RECEIVED), Parsed::default());
    assert_eq!(lines::parse(TERMS, b"", RECEIVED).status(), 200);
    assert_eq!(lines::parse(TERMS, b"\xff\n", RECEIVED).status(), 400);
}

#[test]
fn the_reply_counts_values_of_measurements() {
    let body = r#"{"kind":"samples","room":"r","user":"u","at_ms":[1700000000000,1700000002000],"values":{"rtt":[39,null],"aBit":[1,2]}}"#;
    let parsed = lines::parse(TERMS, body.as_bytes(), RECEIVED);
    assert_eq!((parsed.values(), parsed.status()), (3, 200));
    let reply = String::from_utf8(parsed.reply(0, 0, parsed.values())).expect("a reply is UTF-8");
    assert_eq!(reply, r#"{"new":0,"duplicate":0,"refused":0,"samples":3,"lines":[]}"#);
}

#[test]
fn a_body_of_nothing_but_trouble_costs_little() {
    let parsed = lines::parse(TERMS, "x\n".repeat(1_000_000).as_bytes(), RECEIVED);
    assert_eq!((parsed.refused.len(), parsed.refused_count), (100, 1_000_000));
    let parsed = lines::parse(TERMS, &vec![b' '; 3_000_000], RECEIVED);
    assert_eq!(parsed, Parsed::default());
    let parsed = lines::parse(TERMS, &vec![b'['; 3_000_000], RECEIVED);
    assert_eq!(parsed.refused[0].why, "the line is 3000000 bytes long, expected at most 1048576");
    let many = format!("{}\n", with("r", "r")).repeat(LINES_MAX + 2);
    let parsed = lines::parse(TERMS, many.as_bytes(), RECEIVED);
    assert_eq!((parsed.events.len(), parsed.refused_count), (LINES_MAX, 2));
}

#[test]
fn addresses_are_masked_before_anything_else_sees_them() {
    let line = with("}", ",\"attrs\":{\"client_ip\":\"10.4.1.13\"}}");
    let check = |client_ip: ClientIpPolicy, expected: Option<&str>| {
        let event = parse_line(Terms { client_ip, ..TERMS }, &line, RECEIVED).expect("sound");
        assert_eq!(event.attrs.get(&Attr::ClientIp).map(String::as_str), expected);
    };
    check(ClientIpPolicy::Keep, Some("10.4.1.13"));
    check(ClientIpPolicy::Mask, Some("10.4.1.0"));
    check(ClientIpPolicy::Drop, None);
}

/// Ids as hostile as they may be: anything but U+0000, and not empty.
fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_/0-9]{1,8}",
        "\\PC{1,20}",
        proptest::collection::vec(any::<char>(), 1..20)
            .prop_map(|chars| chars.into_iter().collect::<String>().replace('\0', "x")),
        any::<u64>().prop_map(|number| number.to_string()),
    ]
}

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<char>(), 0..20).prop_map(String::from_iter)
}

fn moment() -> impl Strategy<Value = Millis> {
    (946_684_800_000_i64..4_102_444_800_000).prop_map(Millis)
}

fn reason_class() -> impl Strategy<Value = ReasonClass> {
    proptest::sample::select(vec![
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
    ])
}

fn attr() -> impl Strategy<Value = Attr> {
    proptest::sample::select(vec![
        Attr::Role,
        Attr::Terminal,
        Attr::UserType,
        Attr::ClientType,
        Attr::Os,
        Attr::SdkVersion,
        Attr::ClientIp,
        Attr::Display,
        Attr::Kind,
        Attr::Device,
    ])
}

fn kind() -> impl Strategy<Value = Kind> {
    let track = proptest::sample::select(vec![Track::Audio, Track::Video, Track::Screen]);
    let leave = proptest::sample::select(vec![
        LeaveSource::Seen,
        LeaveSource::RoomClosed,
        LeaveSource::Superseded,
        LeaveSource::EmitterReset,
        LeaveSource::Idle,
        LeaveSource::Open,
    ]);
    let join = proptest::sample::select(vec![JoinSource::Seen, JoinSource::Hinted, JoinSource::Inferred]);
    prop_oneof![
        Just(Kind::RoomCreated),
        Just(Kind::RoomDestroyed),
        Just(Kind::UserJoined),
        Just(Kind::UserLeft),
        Just(Kind::UserChanged),
        Just(Kind::EmitterReset),
        Just(Kind::Attributes),
        (track, any::<bool>()).prop_map(|(track, on)| Kind::Media { track, on }),
        (text(), text()).prop_map(|(name, raw)| Kind::Unknown { name, raw }),
        join.prop_map(Kind::RecordJoined),
        leave.prop_map(Kind::RecordLeft),
    ]
}

prop_compose! {
    /// Any event that ingest can give.
    fn event()(
        ids in (id(), id(), id(), option::of(id()), option::of(id()), option::of(id()), option::of(id())),
        kind in kind(),
        at in moment(),
        in_seconds in any::<bool>(),
        received in 0_i64..i64::MAX,
        seq in option::of(any::<u64>()),
        hints in (option::of(moment()), option::of(moment())),
        reason in option::of((reason_class(), text())),
        attrs in btree_map(attr(), text(), 0..5),
        number in option::of(any::<u64>()),
    ) -> Event {
        let (source, room, user, instance, life, visit, id) = ids;
        let mut event = Event::new(AppId(7), &source, &room, &user, kind, at);
        event.instance = instance.unwrap_or_default();
        event.life = life;
        event.visit = visit;
        event.id = id.unwrap_or_default();
        if in_seconds {
            event.at = Millis::from_secs(at.secs());
            event.at_in_seconds = true;
        }
        if let Some(number) = number {
            event.room = number.to_string();
            event.room_is_number = true;
        }
        if event.kind == Kind::EmitterReset {
            event.room = String::new();
            event.room_is_number = false;
        }
        event.received = Millis(received);
        event.seq = seq;
        (event.join_hint, event.create_hint) = hints;
        event.reason = reason.map(|(class, raw)| Reason { class, raw });
        event.attrs = attrs;
        event
    }
}

proptest! {
    #[test]
    fn an_event_survives_export_and_import(event in event()) {
        let line = exported(&event);
        prop_assert_eq!(line.matches('\n').count(), 1);
        let terms = Terms { app: None, client_ip: ClientIpPolicy::Keep };
        let again = parse_line(terms, line.trim_end_matches('\n'), Millis(0)).expect("an export can be read");
        prop_assert_eq!(&again, &event);
        prop_assert_eq!(again.received, event.received);
        prop_assert_eq!(exported(&again), line);
    }

    #[test]
    fn no_body_makes_the_parser_fail(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        lines::parse(TERMS, &body, RECEIVED);
    }

    #[test]
    fn no_damage_makes_the_parser_fail(event in event(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut line = exported(&event).into_bytes();
        let at = at.index(line.len());
        line[at] = byte;
        lines::parse(TERMS, &line, RECEIVED);
    }
}
