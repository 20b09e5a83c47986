//! Finished records, attributes, recorded deliveries, packed bodies.

use proptest::prelude::*;

use rollbook::ingest::{
    ClientIpPolicy, Parsed, Rejected, Terms, attributes, deliveries, export, gunzip, lines, records,
};
use rollbook::records::{
    AppId, Attr, Attrs, Call, CommId, Event, JoinSource, Kind, LeaveSource, Millis, Reason, ReasonClass,
    Session,
};

use super::RECEIVED;
use crate::server::gzip;

const TERMS: Terms = Terms { app: Some(AppId(1_400_188_366)), client_ip: ClientIpPolicy::Keep };

/// Events as lines, without what is the same in all of them.
fn told(events: &[Event]) -> Vec<String> {
    let mut told = Vec::new();
    for event in events {
        let mut line = Vec::new();
        export::event(&mut line, event);
        let line = String::from_utf8(line).expect("an export is UTF-8");
        let line = line.replace("\"app\":1400188366,", "").replace(",\"received_ms\":1795400000000", "");
        told.push(line.trim_end().replace('"', ""));
    }
    told
}

#[track_caller]
fn sound(parsed: Parsed) -> Vec<Event> {
    assert_eq!((&parsed.refused, parsed.refused_count), (&Vec::new(), 0));
    parsed.events
}

#[test]
fn the_published_example_can_be_imported() {
    let ndjson = r#"
        {"type":"call","comm_id":"1400188366_218695_1590065777","room":"218695","created_s":1590065777,"ended_s":1590067693}
        {"comm_id":"1400188366_218695_1590065777","room":218695,"user":"user1_54816741","joined_s":1590065777,"left_s":1590067658,"sdk_version":"4.3.14","client_ip":"10.4.1.13"}
    "#;
    let csv = "\u{feff}comm_id,user,room,joined_s,left_s,sdk_version,client_ip\r\n\r\n1400188366_218695_1590065777,user2_2107025,218695,1590065700,1590067693,4.3.14,10.4.1.13\r\n";
    let mut events = sound(records::parse_ndjson(TERMS, ndjson.as_bytes(), RECEIVED));
    events.extend(sound(records::parse_csv(TERMS, csv.as_bytes(), RECEIVED)));
    let life =
        "source:record,instance:1400188366_218695_1590065777,room:218695,life:1400188366_218695_1590065777";
    let expected = [
        format!("{{{life},kind:room_created,at_s:1590065777}}"),
        format!("{{{life},kind:room_destroyed,at_s:1590067693}}"),
        format!(
            "{{{life},user:user1_54816741,visit:#1590065777000+,kind:record_joined,join_source:seen,at_s:1590065777,create_hint_ms:1590065777000,attrs:{{sdk_version:4.3.14,client_ip:10.4.1.13}}}}"
        ),
        format!(
            "{{{life},user:user1_54816741,visit:#1590065777000+,kind:record_left,leave_source:seen,at_s:1590067658,create_hint_ms:1590065777000}}"
        ),
        format!(
            "{{{life},user:user2_2107025,visit:#1590065700000+,kind:record_joined,join_source:seen,at_s:1590065700,create_hint_ms:1590065777000,attrs:{{sdk_version:4.3.14,client_ip:10.4.1.13}}}}"
        ),
        format!(
            "{{{life},user:user2_2107025,visit:#1590065700000+,kind:record_left,leave_source:seen,at_s:1590067693,create_hint_ms:1590065777000}}"
        ),
    ];
    assert_eq!(told(&events), expected);
    assert!(events[2].room_is_number && !events[0].room_is_number);
}

#[test]
fn a_bad_record_is_refused_with_the_reason() {
    let base = r#"{"comm_id":"1400188366_r_1590065777","room":"r","user":"u","joined_s":1590065777}"#;
    let check = |from: &str, to: &str, what: &str| {
        assert!(base.contains(from), "{from}");
        let line = base.replace(from, to);
        let mut events = Vec::new();
        let why = records::parse_line(TERMS, &line, RECEIVED, &mut events).expect_err(&line);
        assert!(why.contains(what), "{why:?} does not say {what:?}");
        assert_eq!(events, []);
    };
    check("}", "", "not valid JSON");
    check("}", ",\"joined\":1}", "unknown key \"joined\"; did you mean \"joined_s\"?");
    check("}", ",\"room\":\"r\"}", "room: given twice");
    check("}", ",\"type\":\"user\"}", "type: expected session or call");
    check("}", ",\"type\":\"call\"}", "user: only a session has it");
    check("}", ",\"created_s\":1590065777}", "created_s: only a call has it");
    check("}", ",\"left_s\":1590065776}", "left_ms: before the join");
    check("}", ",\"left_s\":0}", "left_s: 0 is no plausible time");
    check("}", ",\"left_ms\":18446744073709551615}", "left_ms: 18446744073709551615 is no plausible time");
    check("}", ",\"joined_ms\":1590065777000}", "joined_ms and joined_s: give one of them");
    check("}", ",\"leave_source\":\"idle\"}", "left_ms: missing, while leave_source is idle");
    check("}", ",\"left_s\":1590065778,\"leave_source\":\"open\"}", "leave_source: open, while");
    check("}", ",\"leave_reason\":\"kicked\"}", "leave_reason: given, while the session is open");
    check("}", ",\"join_source\":\"sean\"}", "join_source: unknown value \"sean\"; did you mean \"seen\"?");
    check("}", ",\"sdk_app_id\":5}", "sdk_app_id: 5 is not the application 1400188366");
    check("1400188366_", "1400188367_", "comm_id: belongs to the application 1400188367");
    check("\"comm_id\":\"1400188366_r_1590065777\",", "", "comm_id: missing");
    check("\"room\":\"r\",", "", "room: missing");
    check("\"u\"", "\"\"", "user: missing");
    check("\"u\"", "\"a\\u0000b\"", "user: contains the character U+0000");
    check(",\"joined_s\":1590065777", "", "joined_ms: missing");
    let call = r#"{"type":"call","comm_id":"c","room":"r","ended_s":1590065776}"#;
    let why = records::parse_line(TERMS, call, RECEIVED, &mut Vec::new()).expect_err(call);
    assert!(why.contains("created_ms: missing"), "{why}");
}

#[test]
fn a_bad_table_is_refused_with_the_reason() {
    let check = |csv: &[u8], line: u64, what: &str| {
        let parsed = records::parse_csv(TERMS, csv, RECEIVED);
        assert_eq!(parsed.refused_count, 1, "{parsed:?}");
        let refused = &parsed.refused[0];
        assert!(refused.why.contains(what), "{refused:?} does not say {what:?}");
        assert_eq!(refused.line, line, "{refused:?}");
    };
    check(b"user,rooom\na,b\n", 1, "unknown column \"rooom\"; did you mean \"room\"?");
    check(b"user,user\na,b\n", 1, "column user: named twice");
    check(b"\xff\xfe\na\n", 1, "not UTF-8");
    check(b"comm_id,room,user,joined_s\nc,r,u\n", 2, "3 cells, expected 4");
    check(
        b"comm_id,room,user,joined_s\nc,r,u,1590065777\nc,r,\xff,1590065777\n",
        3,
        "user: the line is not UTF-8",
    );
    check(b"comm_id,room,user,joined_s\nc,r,u,soon\n", 2, "joined_s: expected a whole number");
    check(b"comm_id,room,user,joined_s\nc,r,u,-5\n", 2, "joined_s: expected a whole number");
    check(b"comm_id,room,user,joined_s\nc,r,u,99999999999999999999\n", 2, "is above 2^64-1");
    check(b"comm_id,room,user,joined_s\nc,r,\"u,1590065777\n", 2, "cells, expected 4");
    assert_eq!(records::parse_csv(TERMS, b"", RECEIVED), Parsed::default());
}

#[test]
fn attributes_come_as_one_object_or_as_lines() {
    let check = |body: &str, expected: &[&str]| {
        assert_eq!(told(&sound(attributes::parse(TERMS, body.as_bytes(), RECEIVED))), expected, "{body}");
    };
    let first =
        "{source:attributes,room:r,user:u,kind:attributes,at_ms:1795400000000,attrs:{sdk_version:4.3.14}}";
    let second = "{source:attributes,room:7,user:u,visit:v,kind:attributes,at_s:1590065777,attrs:{client_type:Chrome,os:Linux,client_ip:10.4.1.13,display:U,device:Phone}}";
    check(r#"{"room":"r","user":"u","sdk_version":"4.3.14"}"#, &[first]);
    check("{\n \"room\": \"r\",\n \"user\": \"u\",\n \"sdk_version\": \"4.3.14\"\n}\n", &[first]);
    let long = r#"{"app":1400188366,"room":7,"user":"u","visit":"v","at_s":1590065777,"device":"Phone","client_ip":"10.4.1.13","os":"Linux","client_type":"Chrome","display":"U"}"#;
    check(
        &format!("{{\"room\":\"r\",\"user\":\"u\",\"sdk_version\":\"4.3.14\"}}\n\n{long}"),
        &[first, second],
    );
    check("", &[]);
    let refused = |body: &str, lines: &[u64], what: &str| {
        let parsed = attributes::parse(TERMS, body.as_bytes(), RECEIVED);
        let found: Vec<u64> = parsed.refused.iter().map(|refused| refused.line).collect();
        assert_eq!(found, lines, "{parsed:?}");
        assert!(parsed.refused[0].why.contains(what), "{parsed:?}");
    };
    refused("{\n\"room\":\n", &[1], "not valid JSON");
    refused(r#"{"room":"r","user":"u"}"#, &[1], "no attribute");
    refused(r#"{"room":"r","sdk_version":"1"}"#, &[1], "user: missing");
    refused(r#"{"user":"u","sdk_version":"1"}"#, &[1], "room: missing");
    refused(r#"{"room":"r","user":"u","sdk":"1"}"#, &[1], "unknown key \"sdk\"");
    refused(r#"{"room":"r","user":"u","sdk_version":1.5}"#, &[1], "sdk_version: expected a text, found 1.5");
    refused("{\"room\":\"r\",\"user\":\"u\",\"os\":\"x\"}\n[]\nx", &[2, 3], "expected a JSON object");
    let masked = Terms { client_ip: ClientIpPolicy::Drop, ..TERMS };
    let events = sound(attributes::parse(masked, long.as_bytes(), RECEIVED));
    assert_eq!(events[0].attrs.get(&Attr::ClientIp), None);
}

#[test]
fn a_delivery_is_read_as_recorded() {
    let line = br#"{"arrival_ms":1795370400230,"headers":{"Content-Type":"a/b","X":"1"},"body_base64":"AP8=","note":"n","status_returned":503}"#;
    let delivery = deliveries::parse_line(line).expect("sound").expect("not blank");
    assert_eq!(delivery.arrival, Millis(1_795_370_400_230));
    assert_eq!(delivery.body, [0, 255]);
    assert_eq!((delivery.header("content-TYPE"), delivery.header("y")), (Some("a/b"), None));
    assert_eq!((delivery.note.as_deref(), delivery.status_returned), (Some("n"), Some(503)));
    assert_eq!(deliveries::parse_line(b"  \r"), Ok(None));
    let check = |line: &str, what: &str| {
        let why = deliveries::parse_line(line.as_bytes()).expect_err(line);
        assert!(why.contains(what), "{why:?} does not say {what:?}");
    };
    check(r#"{"body":"x"}"#, "arrival_ms: missing");
    check(r#"{"arrival_ms":1795370400230}"#, "body: missing");
    check(r#"{"arrival_ms":1795370400230,"body":"","body_base64":""}"#, "give one of them");
    check(r#"{"arrival_ms":1795370400230,"body_base64":"?"}"#, "body_base64: not base64");
    check(
        r#"{"arrival_ms":1795370400230,"body":"","headers":{"a":1}}"#,
        "headers.\"a\": expected a text, found 1",
    );
    check(r#"{"arrival_ms":1795370400230,"body":"","headers":[]}"#, "headers: expected an object");
    check(r#"{"arrival":1795370400230,"body":""}"#, "unknown key \"arrival\"");
}

#[test]
fn a_packed_body_is_unpacked_within_its_bound() {
    assert_eq!(gunzip(&gzip(b"hello"), 5), Ok(b"hello".to_vec()));
    assert_eq!(gunzip(&gzip(b"hello"), 4), Err(Rejected::TooLarge { limit_bytes: 4 }));
    let two = [gzip(b"hel"), gzip(b"lo")].concat();
    assert_eq!(gunzip(&two, 5), Ok(b"hello".to_vec()));
    let bomb = gzip(&vec![b' '; 100_000_000]);
    assert!(bomb.len() < 200_000);
    let refused = gunzip(&bomb, 1_000_000);
    assert_eq!(refused.as_ref().map_err(Rejected::status), Err(413));
    for broken in
        [&b""[..], b"plain text", &gzip(b"hello")[..12], &[gzip(b"hello"), b"rest".to_vec()].concat()]
    {
        let refused = gunzip(broken, 100);
        assert_eq!(refused.as_ref().map_err(Rejected::status), Err(400), "{broken:?}");
    }
    assert_eq!(sound(lines::parse(TERMS, &gunzip(&gzip(b"\n\n"), 10).expect("sound"), RECEIVED)), []);
}

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            any::<char>(),
            proptest::sample::select(vec![',', '"', '\n', '\r', ' ', '\0', '=', '\'', '{'])
        ],
        0..12,
    )
    .prop_map(String::from_iter)
}

fn id() -> impl Strategy<Value = String> {
    text().prop_map(|text| format!("x{}", text.replace('\0', "0")))
}

prop_compose! {
    fn call_and_session()(
        ids in (id(), id(), id(), proptest::option::of(id())),
        joined in 946_684_800_000_i64..4_000_000_000_000,
        stays in proptest::option::of(0_i64..100_000_000),
        runs in proptest::option::of(0_i64..100_000_000),
        join_source in proptest::sample::select(vec![JoinSource::Seen, JoinSource::Hinted, JoinSource::Inferred]),
        leave_source in proptest::sample::select(vec![LeaveSource::Seen, LeaveSource::RoomClosed, LeaveSource::Idle]),
        reason in proptest::option::of(text()),
        attrs in proptest::collection::btree_map(
            proptest::sample::select(vec![Attr::Device, Attr::SdkVersion, Attr::Role, Attr::Display, Attr::Kind]), id(), 0..4),
    ) -> (Call, Session) {
        let (room, user, creator, visit) = ids;
        let call = Call {
            app: AppId(7),
            comm_id: CommId::new(AppId(7), &room, Millis(joined).secs()),
            room: room.clone(),
            source: "trtc".to_owned(),
            instance: String::new(),
            creator,
            created: Millis(joined),
            ended: runs.map(|ms| Millis(joined + ms)),
            end_source: LeaveSource::Seen,
            last_evidence: Millis(joined),
        };
        let session = Session {
            room,
            user,
            visit,
            joined: Millis(joined),
            join_source,
            left: stays.map(|ms| Millis(joined + ms)),
            leave_source: if stays.is_some() { leave_source } else { LeaveSource::Open },
            leave_reason: reason.filter(|_| stays.is_some()).map(|raw| Reason { class: ReasonClass::Normal, raw }),
            attrs,
        };
        (call, session)
    }
}

/// What a store shows of the events of one call row and one session row.
fn shown(events: &[Event]) -> (Call, Session) {
    let find = |wanted: fn(&Kind) -> bool| events.iter().find(|event| wanted(&event.kind));
    let created = find(|kind| matches!(kind, Kind::RoomCreated)).expect("a creation");
    let ended = find(|kind| matches!(kind, Kind::RoomDestroyed));
    let join = find(|kind| matches!(kind, Kind::RecordJoined(_))).expect("a join");
    let leave = find(|kind| matches!(kind, Kind::RecordLeft(_)));
    let call = Call {
        app: created.app,
        comm_id: CommId::from_text(created.life.clone().expect("a record names its life")),
        room: created.room.clone(),
        source: created.source.clone(),
        instance: created.instance.clone(),
        creator: created.user.clone(),
        created: created.at,
        ended: ended.map(|event| event.at),
        end_source: LeaveSource::Seen,
        last_evidence: created.at,
    };
    let session = Session {
        room: join.room.clone(),
        user: join.user.clone(),
        visit: join.visit.clone(),
        joined: join.at,
        join_source: if let Kind::RecordJoined(source) = join.kind { source } else { JoinSource::Seen },
        left: leave.map(|event| event.at),
        leave_source: match leave.map(|event| &event.kind) {
            Some(Kind::RecordLeft(source)) => *source,
            _ => LeaveSource::Open,
        },
        leave_reason: leave.and_then(|event| event.reason.clone()),
        attrs: Attrs::clone(&join.attrs),
    };
    (call, session)
}

proptest! {
    #[test]
    fn records_survive_export_and_import((call, session) in call_and_session()) {
        let terms = Terms { app: None, client_ip: ClientIpPolicy::Keep };
        let ndjson = |call: &Call, session: &Session| {
            let mut out = Vec::new();
            export::call_line(&mut out, call);
            export::session_line(&mut out, call, session);
            out
        };
        let csv = |call: &Call, session: &Session| {
            let (mut calls, mut sessions) = (Vec::new(), Vec::new());
            export::call_header(&mut calls);
            export::call_row(&mut calls, call);
            export::session_header(&mut sessions);
            export::session_row(&mut sessions, call, session);
            (calls, sessions)
        };
        let first = ndjson(&call, &session);
        let (again_call, again_session) = shown(&sound(records::parse_ndjson(terms, &first, RECEIVED)));
        prop_assert_eq!(ndjson(&again_call, &again_session), first);
        let first = csv(&call, &session);
        let mut events = sound(records::parse_csv(terms, &first.0, RECEIVED));
        events.extend(sound(records::parse_csv(terms, &first.1, RECEIVED)));
        let (again_call, again_session) = shown(&events);
        prop_assert_eq!(csv(&again_call, &again_session), first);
    }

    #[test]
    fn no_table_makes_the_parser_fail(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        records::parse_csv(TERMS, &body, RECEIVED);
        records::parse_ndjson(TERMS, &body, RECEIVED);
        attributes::parse(TERMS, &body, RECEIVED);
        let rows = [b"comm_id,room,user,joined_s\n".as_slice(), &body].concat();
        records::parse_csv(TERMS, &rows, RECEIVED);
    }
}
