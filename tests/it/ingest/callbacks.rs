//! Callbacks of Tencent RTC.

use rollbook::ingest::{App, Apps, ClientIpPolicy, Rejected, trtc};
use rollbook::limits::Secret;
use rollbook::records::{AppId, Event, Kind, Millis};

use super::{KEYS, RECEIVED, accept, apps, delivered, told};

#[test]
fn the_published_signature_verifies() {
    let keys: serde_json::Value = serde_json::from_str(KEYS).expect("keys.json is JSON");
    let vector =
        |name: &str| keys["published_vector"][name].as_str().expect("the vector is complete").to_owned();
    let app = App { trtc_callback_key: Some(Secret::new(vector("key"))), ..App::new(AppId(1)) };
    let apps = Apps::new(vec![app], ClientIpPolicy::Keep);
    let event = trtc::accept(&apps, Some("1"), Some(&vector("sign")), vector("body").as_bytes(), RECEIVED)
        .expect("the published vector is accepted");
    assert_eq!(
        told(&event),
        "room:8489,user:user_85034614,kind:media,media:{track:audio,on:false},at_ms:1664209748180,id:0,reason:unknown,reason_raw:0"
    );
}

/// Each line of the table is what one delivery of the file must become.
#[track_caller]
fn check_file(file: &str, expected: &str) {
    let found: Vec<String> = delivered(file)
        .iter()
        .map(|delivery| {
            accept(delivery).map_or_else(|why| format!("refused {}", why.status()), |event| told(&event))
        })
        .collect();
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(found, expected);
}

#[test]
fn an_ordinary_call_is_decoded() {
    check_file(
        include_str!("../../payloads/trtc/normal.ndjson"),
        "
        room:218695,user:alice,kind:room_created,at_ms:1795370400160,id:-
        room:218695,user:alice,kind:joined,at_ms:1795370401831,id:1,reason:normal,reason_raw:1,attrs:{role:anchor,terminal:3,user_type:3}
        room:218695,user:alice,kind:media,media:{track:audio,on:true},at_ms:1795370402410,id:-
        room:218695,user:alice,kind:media,media:{track:video,on:true},at_ms:1795370402655,id:-
        room:218695,user:bob,kind:joined,at_ms:1795370431020,id:1,reason:normal,reason_raw:1,attrs:{role:audience,terminal:2,user_type:3}
        room:218695,user:bob,kind:changed,at_ms:1795370460500,id:-,attrs:{role:anchor}
        room:218695,user:bob,kind:media,media:{track:audio,on:true},at_ms:1795370461002,id:-
        room:218695,user:bob,kind:media,media:{track:audio,on:false},at_ms:1795370521440,id:0,reason:unknown,reason_raw:0
        room:218695,user:bob,kind:left,at_ms:1795370530898,id:1,reason:normal,reason_raw:1,attrs:{role:anchor}
        room:218695,user:bob,kind:joined,at_ms:1795370571300,id:1,reason:normal,reason_raw:1,attrs:{role:audience,terminal:1,user_type:1}
        room:218695,user:alice,kind:media,media:{track:screen,on:true},at_ms:1795370600000,id:-
        room:218695,user:alice,kind:media,media:{track:screen,on:false},at_ms:1795370690032,id:0,reason:unknown,reason_raw:0
        room:218695,user:alice,kind:left,at_ms:1795370800777,id:2,reason:timeout,reason_raw:2,attrs:{role:anchor}
        room:218695,user:bob,kind:left,at_ms:1795370801120,id:3,reason:kicked,reason_raw:3,attrs:{role:audience}
        room:218695,kind:room_destroyed,at_ms:1795370801457,id:-
        ",
    );
}

#[test]
fn forged_callbacks_of_a_disorderly_call_are_refused() {
    check_file(
        include_str!("../../payloads/trtc/disorder.ndjson"),
        "
        room:lobby-42,user:u-7,kind:joined,at_ms:1795374000900,id:1,reason:normal,reason_raw:1,attrs:{role:anchor,terminal:100,user_type:1}
        room:lobby-42,user:u-7,kind:room_created,at_ms:1795374000010,id:-
        room:lobby-42,user:u-8,kind:joined,at_ms:1795374020000,id:1,reason:normal,reason_raw:1,attrs:{role:audience,terminal:1,user_type:1}
        room:lobby-42,user:u-8,kind:joined,at_ms:1795374020000,id:1,reason:normal,reason_raw:1,attrs:{role:audience,terminal:1,user_type:1}
        room:lobby-42,user:u-8,kind:joined,at_ms:1795374020000,id:1,reason:normal,reason_raw:1,attrs:{role:audience,terminal:1,user_type:1}
        room:lobby-42,user:u-8,kind:joined,at_ms:1795374062000,id:1,reason:normal,reason_raw:1,attrs:{role:audience,terminal:1,user_type:1}
        room:lobby-42,user:u-8,kind:left,at_ms:1795374060000,id:1,reason:normal,reason_raw:1,attrs:{role:audience}
        refused 401
        refused 401
        room:lobby-42,kind:room_destroyed,at_ms:1795374120000,id:-
        room:lobby-42,user:u-8,kind:left,at_ms:1795374119500,id:1,reason:normal,reason_raw:1,attrs:{role:audience}
        room:lobby-42,user:u-7,kind:left,at_ms:1795374119800,id:1,reason:normal,reason_raw:1,attrs:{role:anchor}
        ",
    );
}

#[test]
fn the_unique_id_of_old_applications_is_the_visit() {
    check_file(
        include_str!("../../payloads/trtc/uniqueid.ndjson"),
        "
        room:99,user:kim,kind:room_created,at_ms:1795377600000,id:-
        room:99,user:kim,visit:1795377600500,kind:joined,at_ms:1795377600500,id:1,reason:normal,reason_raw:1,attrs:{role:anchor,terminal:2,user_type:3}
        room:99,user:kim,visit:1795377630000,kind:joined,at_ms:1795377630000,id:2,reason:network_switch,reason_raw:2,attrs:{role:anchor,terminal:2,user_type:3}
        room:99,user:kim,visit:1795377600500,kind:left,at_ms:1795377645000,id:2,reason:timeout,reason_raw:2,attrs:{role:anchor}
        room:99,user:kim,visit:1795377630000,kind:left,at_ms:1795377690000,id:1,reason:normal,reason_raw:1,attrs:{role:anchor}
        room:99,kind:room_destroyed,at_ms:1795377690400,id:-
        ",
    );
}

#[test]
fn each_sample_body_decodes() {
    let check = |body: &str, expected: &str| {
        let event = trtc::decode(AppId(1), body.as_bytes(), RECEIVED).expect("a sample body");
        assert!(told(&event).contains(expected), "{} has no {expected}", told(&event));
        assert_eq!(event.received, RECEIVED);
        assert!(event.room_is_number && !event.at_in_seconds);
    };
    check(include_str!("../../payloads/trtc/101.json"), "user:alice,kind:room_created,at_ms:1795370400160");
    check(include_str!("../../payloads/trtc/102.json"), "kind:room_destroyed,at_ms:1795370801457");
    check(include_str!("../../payloads/trtc/103.json"), "user:alice,kind:joined,at_ms:1795370401831");
    check(include_str!("../../payloads/trtc/104.json"), "user:bob,kind:left,at_ms:1795370530898");
    check(include_str!("../../payloads/trtc/105.json"), "user:bob,kind:changed,at_ms:1795370460500");
    check(include_str!("../../payloads/trtc/201.json"), "user:alice,kind:media,media:{track:video,on:true}");
    check(include_str!("../../payloads/trtc/203.json"), "user:alice,kind:media,media:{track:audio,on:true}");
    check(include_str!("../../payloads/trtc/204.json"), "user:bob,kind:media,media:{track:audio,on:false}");
    check(include_str!("../../payloads/trtc/205.json"), "user:alice,kind:media,media:{track:screen,on:true}");
    check(
        include_str!("../../payloads/trtc/206.json"),
        "user:alice,kind:media,media:{track:screen,on:false}",
    );
}

/// A body of group 1 with these fields in `EventInfo`.
fn body(event_type: u64, info: &str) -> String {
    format!(
        r#"{{"EventGroupId":1,"EventType":{event_type},"CallbackTs":1700000000999,"EventInfo":{{{info}}}}}"#
    )
}

fn decode(body: &str) -> Result<Event, Rejected> {
    trtc::decode(AppId(1), body.as_bytes(), RECEIVED)
}

#[test]
fn the_time_of_sending_influences_nothing() {
    let known = body(103, r#""RoomId":1,"UserId":"u","EventMsTs":1700000000000,"Reason":1"#);
    let unknown = body(199, r#""RoomId":1,"UserId":"u","EventMsTs":1700000000000,"New":[{"a":1}]"#);
    for body in [known, unknown] {
        let first = decode(&body).expect("sound");
        let again = decode(&body.replace("1700000000999", "1700000010999")).expect("sound");
        let never = decode(&body.replace("\"CallbackTs\":1700000000999,", "")).expect("sound");
        assert!(first.is_same_as(&again));
        assert_eq!(first, again);
        if matches!(first.kind, Kind::UserJoined) {
            assert_eq!(first, never);
        }
    }
}

#[test]
fn the_dedupe_key_is_that_of_the_source() {
    let base = r#""RoomId":1,"UserId":"u","EventMsTs":1700000000000,"UniqueId":7,"Reason":1,"Role":20"#;
    let first = decode(&body(103, base)).expect("sound");
    let check = |from: &str, to: &str, same: bool| {
        let other = decode(&body(103, &base.replace(from, to))).expect("sound");
        assert_eq!(first.is_same_as(&other), same, "{from} to {to}");
    };
    check("\"RoomId\":1", "\"RoomId\":\"1\"", true);
    check("\"Role\":20", "\"Role\":21", true);
    check("\"Role\":20", "\"Role\":20,\"NewField\":{}", true);
    check("\"RoomId\":1", "\"RoomId\":2", false);
    check("\"UserId\":\"u\"", "\"UserId\":\"v\"", false);
    check("1700000000000", "1700000000001", false);
    check("\"UniqueId\":7", "\"UniqueId\":8", false);
    check("\"Reason\":1", "\"Reason\":3", false);
    check(",\"Reason\":1", "", false);
    let left = decode(&body(104, base)).expect("sound");
    assert!(!first.is_same_as(&left));
}

#[test]
fn what_is_new_is_accepted() {
    let check = |body: &str, expected: &str| {
        let event = decode(body).expect(body);
        assert_eq!(told(&event).replace('\\', ""), expected, "{body}");
    };
    check(
        r#"{"EventGroupId":1,"EventType":199,"CallbackTs":5,"EventInfo":{"RoomId":9,"EventTs":1700000000}}"#,
        "room:9,kind:unknown,name:1:199,raw:{EventGroupId:1,EventType:199,CallbackTs:0,EventInfo:{RoomId:9,EventTs:1700000000}},at_s:1700000000,id:-",
    );
    check(
        r#"{"EventGroupId":3,"EventType":311,"EventInfo":{}}"#,
        "kind:unknown,name:3:311,raw:{EventGroupId:3,EventType:311,EventInfo:{}},at_ms:1795400000000,id:-",
    );
    check(
        r#"{"EventGroupId":9,"EventType":901,"EventInfo":{"RoomId":[1],"UserId":{},"EventMsTs":"soon"}}"#,
        "kind:unknown,name:9:901,raw:{EventGroupId:9,EventType:901,EventInfo:{RoomId:[1],UserId:{},EventMsTs:soon}},at_ms:1795400000000,id:-",
    );
    check(
        &body(
            103,
            r#""RoomId":9,"UserId":"u","EventTs":1700000000,"Role":"guest","TerminalType":7,"UserType":null,"Reason":9,"Extra":1"#,
        ),
        "room:9,user:u,kind:joined,at_s:1700000000,id:9,reason:unknown,reason_raw:9,attrs:{role:guest,terminal:7}",
    );
    check(
        &body(
            104,
            r#""RoomId":"9","UserId":"u","EventMsTs":null,"EventTs":1700000000,"Role":22,"Reason":[],"UniqueId":0"#,
        ),
        "room:9,user:u,kind:left,at_s:1700000000,id:-,attrs:{role:22}",
    );
}

#[test]
fn a_reason_has_its_class() {
    let check = |event_type: u64, reason: u64, class: &str| {
        let info = format!(r#""RoomId":1,"UserId":"u","EventMsTs":1700000000000,"Reason":{reason}"#);
        let event = decode(&body(event_type, &info)).expect("sound");
        let expected = format!("reason:{class},reason_raw:{reason}");
        assert!(told(&event).contains(&expected), "{} has no {expected}", told(&event));
    };
    check(103, 1, "normal");
    check(103, 2, "network_switch");
    check(103, 3, "timeout");
    check(103, 4, "relay_ended");
    check(103, 5, "unknown");
    check(104, 1, "normal");
    check(104, 2, "timeout");
    check(104, 3, "kicked");
    check(104, 4, "relay_ended");
    check(104, 5, "killed");
    check(104, 6, "unknown");
    check(105, 1, "unknown");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_broken_body_is_refused_with_its_place() {
    let check = |body: &str, place: &str, what: &str| match decode(body) {
        Err(why @ Rejected::Malformed { .. }) => {
            let why_text = why.to_string();
            assert_eq!((why.status(), why.name()), (400, "malformed"));
            assert!(why_text.starts_with(&format!("{place}: ")), "{why_text} is not about {place}");
            assert!(why_text.contains(what), "{why_text} does not say: {what}");
            assert!(why_text.len() < 300, "{why_text}");
        }
        other => panic!("{body} gave {other:?}"),
    };
    check("", "body", "empty");
    check("{", "body", "EOF while parsing");
    check("[1,101,2,{}]", "body", "expected a JSON object");
    check("\"text\"", "body", "expected a JSON object");
    check("{} {}", "body", "trailing characters");
    check(&"{\"a\":".repeat(100_000), "body", "EOF while parsing");
    let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    check(&body(103, &format!("\"RoomId\":{deep}")), "EventInfo", "recursion limit");
    check(&body(103, &format!("\"New\":{deep}")), "EventInfo.RoomId", "missing");
    check(r#"{"EventGroupId":1,"EventGroupId":1}"#, "body", "duplicate field `EventGroupId`");
    check(r#"{"EventType":101,"EventInfo":{}}"#, "EventGroupId", "missing");
    check(r#"{"EventGroupId":1,"EventType":"101","EventInfo":{}}"#, "EventType", "found the text \"101\"");
    check(r#"{"EventGroupId":-1,"EventType":101,"EventInfo":{}}"#, "EventGroupId", "found -1");
    check(r#"{"EventGroupId":1,"EventType":1e300,"EventInfo":{}}"#, "EventType", "expected a whole number");
    check(r#"{"EventGroupId":1,"EventType":101}"#, "EventInfo", "missing");
    check(r#"{"EventGroupId":1,"EventType":101,"EventInfo":null}"#, "EventInfo", "missing");
    check(
        r#"{"EventGroupId":1,"EventType":101,"EventInfo":[1,"u",3]}"#,
        "EventInfo",
        "expected a JSON object",
    );
    check(r#"{"EventGroupId":3,"EventType":301,"EventInfo":7}"#, "EventInfo", "expected a JSON object");
    let info = |info: &str, place: &str, what: &str| check(&body(103, info), place, what);
    info(r#""UserId":"u","EventMsTs":1700000000000"#, "EventInfo.RoomId", "missing");
    info(r#""RoomId":"","UserId":"u","EventMsTs":1700000000000"#, "EventInfo.RoomId", "empty");
    info(r#""RoomId":{},"UserId":"u","EventMsTs":1700000000000"#, "EventInfo.RoomId", "found an object");
    info(r#""RoomId":-5,"UserId":"u","EventMsTs":1700000000000"#, "EventInfo.RoomId", "found -5");
    info(r#""RoomId":1.5,"UserId":"u","EventMsTs":1700000000000"#, "EventInfo.RoomId", "found 1.5");
    info(
        r#""RoomId":18446744073709551616,"UserId":"u","EventMsTs":1"#,
        "EventInfo.RoomId",
        "from 0 to 2^64-1",
    );
    info(r#""RoomId":1,"RoomId":1,"UserId":"u","EventMsTs":1"#, "EventInfo", "duplicate field `RoomId`");
    info(r#""RoomId":1,"EventMsTs":1700000000000"#, "EventInfo.UserId", "missing");
    info(r#""RoomId":1,"UserId":true,"EventMsTs":1700000000000"#, "EventInfo.UserId", "found true");
    info(r#""RoomId":1,"UserId":"a\u0000b","EventMsTs":1700000000000"#, "EventInfo.UserId", "U+0000");
    info(r#""RoomId":1,"UserId":"u""#, "EventInfo.EventMsTs", "missing");
    info(r#""RoomId":1,"UserId":"u","EventMsTs":0"#, "EventInfo.EventMsTs", "0 is no plausible time");
    info(r#""RoomId":1,"UserId":"u","EventTs":0"#, "EventInfo.EventTs", "0 is no plausible time");
    info(
        r#""RoomId":1,"UserId":"u","EventMsTs":18446744073709551615"#,
        "EventInfo.EventMsTs",
        "no plausible time",
    );
    info(
        r#""RoomId":1,"UserId":"u","EventTs":18446744073709551615"#,
        "EventInfo.EventTs",
        "no plausible time",
    );
    info(
        r#""RoomId":1,"UserId":"u","EventMsTs":18446744073709551616"#,
        "EventInfo.EventMsTs",
        "whole number",
    );
    info(
        r#""RoomId":1,"UserId":"u","EventMsTs":-1700000000000"#,
        "EventInfo.EventMsTs",
        "found -1700000000000",
    );
    info(r#""RoomId":1,"UserId":"u","EventMsTs":"1700000000000""#, "EventInfo.EventMsTs", "found the text");
    info(r#""RoomId":1,"UserId":"u","EventMsTs":1700000000"#, "EventInfo.EventMsTs", "looks like seconds");
    let long = format!(r#""RoomId":"{}","UserId":"u","EventMsTs":1700000000000"#, "🦀".repeat(500));
    info(&long, "EventInfo.RoomId", "2000 bytes long, expected at most 512");
    assert!(trtc::decode(AppId(1), b"{\"EventGroupId\":\xff}", RECEIVED).is_err());
}

#[test]
fn ids_are_taken_as_they_are() {
    for id in
        ["a_b", "a/b", "<b>&amp;", "\\\"q\\\"", "\\u202egnp.exe", "\\t\\n\\u0001", "🦀🦀", &"x".repeat(500)]
    {
        let info = format!(r#""RoomId":"{id}","UserId":"{id}","EventMsTs":1700000000000"#);
        let event = decode(&body(103, &info)).expect(id);
        let expected: String = serde_json::from_str(&format!("\"{id}\"")).expect("JSON");
        assert_eq!((event.room.as_str(), event.user.as_str()), (expected.as_str(), expected.as_str()));
    }
}

#[test]
fn only_a_signed_callback_of_a_known_application_is_taken() {
    let apps = apps();
    let text = body(101, r#""RoomId":1,"EventMsTs":1700000000000"#);
    let check = |app: Option<&str>, sign: Option<&str>, status: u16, name: &str| {
        let outcome = trtc::accept(&apps, app, sign, text.as_bytes(), RECEIVED);
        let found = outcome.as_ref().map_or_else(|why| (why.status(), why.name()), |_| (200, ""));
        assert_eq!(found, (status, name), "{app:?} {sign:?}");
    };
    check(None, None, 400, "malformed");
    check(Some("abc"), None, 400, "malformed");
    check(Some("-1"), None, 400, "malformed");
    check(Some("18446744073709551616"), None, 400, "malformed");
    check(Some("999"), Some("x"), 404, "unknown_app");
    check(Some("1400000123"), None, 401, "missing_signature");
    check(Some("1400000123"), Some(""), 401, "missing_signature");
    check(Some("1400000123"), Some("x"), 401, "bad_signature");
    check(Some("1400000123"), Some(&"A".repeat(100_000)), 401, "bad_signature");
    check(Some("3"), None, 401, "no_key");
    check(Some("3"), Some("x"), 401, "no_key");
    check(Some("4"), None, 200, "");
    check(Some(" 4 "), Some("whatever"), 200, "");
}

#[test]
fn no_body_makes_the_decoder_fail_otherwise() {
    let sound = include_bytes!("../../payloads/trtc/103.json");
    for at in 0..sound.len() {
        let _ = trtc::decode(AppId(1), &sound[..at], RECEIVED);
        for byte in [0, b'"', b'}', b'9', 0xff] {
            let mut body = sound.to_vec();
            body[at] = byte;
            let _ = trtc::decode(AppId(1), &body, Millis(0));
        }
    }
}
