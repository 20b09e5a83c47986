//! Webhooks of LiveKit.

use rollbook::ingest::{
    App, Apps, ClientIpPolicy, Head, Ingest, LiveKit, Parsed, Rejected, Source, jwt, livekit,
};
use rollbook::limits::Secret;
use rollbook::records::{AppId, Event, Kind, Millis};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{RECEIVED, delivered, told};
use crate::server::{APP, Reply, Served, check, post, settings, temporary};

const APP_OF_SAMPLES: AppId = AppId(1_400_000_123);
const NOW_S: i64 = 1_795_370_500;

/// The application of the samples, and another one.
fn apps() -> Apps {
    let keys: Value =
        serde_json::from_str(include_str!("../../payloads/livekit/keys.json")).expect("keys.json is JSON");
    let app = |id, key: &str, secret: &str| App {
        livekit: Some(LiveKit {
            api_key: key.to_owned(),
            api_secret: Secret::new(secret),
            drop_kinds: Vec::new(),
        }),
        ..App::new(id)
    };
    let text = |name: &str| keys[name].as_str().expect("a text").to_owned();
    let of_samples = app(APP_OF_SAMPLES, &text("api_key"), &text("api_secret"));
    Apps::new(vec![of_samples, app(AppId(2), "APIother", "other-secret")], ClientIpPolicy::Keep)
}

/// What becomes of a delivery, as whoever posts or imports it asks.
fn deliver(
    authorization: Option<&str>,
    body: &[u8],
    at: Millis,
    verify: bool,
    tail: Option<&str>,
) -> Result<Parsed, Rejected> {
    let endpoint = Source::named("livekit").and_then(|source| source.endpoint.as_ref()).expect("a source");
    let header = |name: &str| authorization.filter(|_| name == "authorization");
    let head = Head { tail, query: &[], header: &header, is_local: false, received: at, verify };
    let ingest = Ingest::new(apps());
    if verify {
        (endpoint.admit)(&ingest, &head)?;
    }
    (endpoint.take)(&ingest, &head, body)
}

fn decode(body: &str) -> Result<Option<Event>, Rejected> {
    livekit::decode(AppId(1), &[], body.as_bytes(), RECEIVED)
}

/// The event of a body, without what is the same in all of the samples.
fn decoded(body: &str) -> String {
    let event = decode(body).expect("accepted").expect("wanted");
    brief(&event)
}

fn brief(event: &Event) -> String {
    if let Kind::Unknown { name, .. } = &event.kind {
        return format!("room:{},user:{},unknown:{name},at_s:{}", event.room, event.user, event.at.secs());
    }
    let line = told(event).replace("room:standup,life:RM_NBTj56vc8Rf5,", "");
    line.replace(",create_hint_ms:1795370399980", "").replace(&format!(",id:{}", event.id), "")
}

#[test]
fn the_recorded_webhooks_are_decoded() {
    let found: Vec<String> = delivered(include_str!("../../payloads/livekit/deliveries.ndjson"))
        .iter()
        .map(|delivery| {
            let token = delivery.header("authorization");
            match deliver(token, &delivery.body, delivery.arrival, true, None) {
                Ok(parsed) => brief(&parsed.events[0]),
                Err(why) => format!("refused {} {}", why.status(), why.name()),
            }
        })
        .collect();
    let expected = "
        kind:room_created,at_ms:1795370399980
        user:alice,visit:PA_aF47VU6H7dV5,kind:joined,at_ms:1795370400310,attrs:{display:Alice,kind:STANDARD}
        user:alice,visit:PA_aF47VU6H7dV5,kind:media,media:{track:audio,on:true},at_s:1795370401
        user:alice,visit:PA_aF47VU6H7dV5,kind:media,media:{track:video,on:true},at_s:1795370401
        user:bob,visit:PA_ve9Giif5efT5,kind:joined,at_ms:1795370429800,attrs:{kind:STANDARD}
        user:bob,visit:PA_ve9Giif5efT5,kind:joined,at_ms:1795370429800,attrs:{kind:STANDARD}
        user:bob,visit:PA_ve9Giif5efT5,kind:joined,at_ms:1795370429800,attrs:{kind:STANDARD}
        room:standup,user:carol,unknown:participant_connection_aborted,at_s:1795370440
        user:agent-AJ_1,visit:PA_G4dxALUBc9eM,kind:joined,at_ms:1795370440600,attrs:{kind:AGENT}
        user:EG_recorder,visit:PA_dvmD8feiER8d,kind:joined,at_ms:1795370441700,attrs:{kind:EGRESS}
        user:alice,visit:PA_aF47VU6H7dV5,kind:media,media:{track:video,on:false},at_s:1795370450
        user:bob,visit:PA_ve9Giif5efT5,kind:left,at_s:1795370460,join_hint_ms:1795370429800,reason:normal,reason_raw:CLIENT_INITIATED,attrs:{kind:STANDARD}
        user:alice,visit:PA_aF47VU6H7dV5,kind:left,at_s:1795370470,join_hint_ms:1795370400310,reason:timeout,reason_raw:CONNECTION_TIMEOUT,attrs:{display:Alice,kind:STANDARD}
        user:agent-AJ_1,visit:PA_G4dxALUBc9eM,kind:left,at_s:1795370471,join_hint_ms:1795370440600,reason:room_closed,reason_raw:ROOM_CLOSED,attrs:{kind:AGENT}
        user:EG_recorder,visit:PA_dvmD8feiER8d,kind:left,at_s:1795370471,join_hint_ms:1795370441700,reason:room_closed,reason_raw:ROOM_CLOSED,attrs:{kind:EGRESS}
        kind:room_destroyed,at_s:1795370492,reason:unknown,reason_raw:ROOM_END_IDLE_TIMEOUT
        refused 401 bad_body_hash
        refused 401 bad_token_signature
        ";
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(found, expected);
}

/// The sample of one name, as JSON.
macro_rules! sample {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../../payloads/livekit/", $name, ".json")))
            .expect("a sample is JSON")
    };
}

/// The message with its keys in the other spelling.
fn in_snake_case(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let in_snake_case = |(key, value): (String, Value)| {
        let key = key.chars().fold(String::new(), |mut key, letter| {
            if letter.is_ascii_uppercase() {
                key.push('_');
            }
            key.push(letter.to_ascii_lowercase());
            key
        });
        (key, in_snake_case(value))
    };
    fields.into_iter().map(in_snake_case).collect()
}

/// The message with numbers for texts of digits and for the names of enumerations.
fn in_numbers(value: Value) -> Value {
    const NUMBERS: [(&str, u64); 7] = [
        ("STANDARD", 0),
        ("EGRESS", 2),
        ("CLIENT_INITIATED", 1),
        ("ROOM_END_IDLE_TIMEOUT", 2),
        ("VIDEO", 1),
        ("CAMERA", 1),
        ("MICROPHONE", 2),
    ];
    if let Value::Object(fields) = value {
        return fields.into_iter().map(|(key, value)| (key, in_numbers(value))).collect();
    }
    let Value::String(text) = value else { return value };
    let number = NUMBERS.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
    number.or_else(|| text.parse().ok()).map_or(Value::String(text), Value::from)
}

#[test]
fn every_spelling_of_a_message_says_the_same() {
    for message in [
        sample!("room_started"),
        sample!("room_finished"),
        sample!("participant_joined"),
        sample!("participant_left"),
        sample!("track_published"),
        sample!("track_unpublished"),
    ] {
        let expected = decoded(&message.to_string());
        assert_eq!(decoded(&in_snake_case(message.clone()).to_string()), expected);
        assert_eq!(decoded(&in_numbers(message.clone()).to_string()), expected);
        assert_eq!(decoded(&in_snake_case(in_numbers(message.clone())).to_string()), expected);
        assert_eq!(decoded(&format!(" {message:#}\n")), expected);
        let mut newer = message.clone();
        newer["someNewField"] = json!({ "deep": [1, "two", null] });
        newer["room"]["someNewField"] = json!("x");
        newer["participant"]["state"] = json!("HIBERNATING");
        assert_eq!(decoded(&newer.to_string()), expected);
    }
}

#[test]
fn what_is_left_out_or_new_is_no_trouble() {
    let check = |change: &dyn Fn(&mut Value), expected: &str| {
        let mut message = sample!("participant_left");
        change(&mut message);
        assert_eq!(decoded(&message.to_string()), expected, "{message}");
    };
    let left = "user:bob,visit:PA_ve9Giif5efT5,kind:left,at_s:1795370460,join_hint_ms:1795370429";
    check(
        &|message| message["participant"]["disconnectReason"] = json!("ABDUCTED"),
        &format!("{left}800,reason:unknown,reason_raw:ABDUCTED,attrs:{{kind:STANDARD}}"),
    );
    check(
        &|message| message["participant"]["disconnectReason"] = json!(99),
        &format!("{left}800,reason:unknown,reason_raw:99,attrs:{{kind:STANDARD}}"),
    );
    check(
        &|message| message["participant"]["disconnectReason"] = Value::Null,
        &format!("{left}800,attrs:{{kind:STANDARD}}"),
    );
    // Servers of before tell the join in seconds only.
    check(
        &|message| {
            let participant = message["participant"].as_object_mut().expect("an object");
            participant.remove("joinedAtMs");
            participant.remove("disconnectReason");
            participant.insert("kind".to_owned(), json!("HOLOGRAM"));
        },
        &format!("{left}000,attrs:{{kind:HOLOGRAM}}"),
    );
    check(
        &|message| message["participant"]["disconnectReason"] = json!("MIGRATION"),
        "room:standup,user:bob,unknown:participant_left,at_s:1795370460",
    );
    check(
        &|message| message["event"] = json!("participant_teleported"),
        "room:standup,user:bob,unknown:participant_teleported,at_s:1795370460",
    );
    assert_eq!(
        decoded(
            r#"{"event":"egress_started","egressInfo":{"egressId":"EG_1","roomName":"r"},"id":"EV_1","createdAt":"1795370400"}"#
        ),
        "room:,user:,unknown:egress_started,at_s:1795370400"
    );
    // Nothing in an event that no rule knows is a reason to refuse it.
    let odd = r#"{"event":"agent_job_assigned","createdAt":"soon","room":{"name":7},"participant":null}"#;
    assert_eq!(decoded(odd), format!("room:,user:,unknown:agent_job_assigned,at_s:{}", RECEIVED.secs()));
    let event = decode(odd).expect("accepted").expect("wanted");
    assert_eq!(event.kind, Kind::Unknown { name: "agent_job_assigned".to_owned(), raw: odd.to_owned() });
}

#[test]
fn every_reason_has_its_class() {
    let check = |raw: &str, number: u64, class: &str| {
        for told in [json!(raw), json!(number)] {
            let mut message = sample!("participant_left");
            message["participant"]["disconnectReason"] = told;
            let found = decoded(&message.to_string());
            assert!(found.contains(&format!("reason:{class},reason_raw:{raw},")), "{raw}: {found}");
        }
    };
    check("UNKNOWN_REASON", 0, "unknown");
    check("CLIENT_INITIATED", 1, "normal");
    check("DUPLICATE_IDENTITY", 2, "duplicate");
    check("SERVER_SHUTDOWN", 3, "server_shutdown");
    check("PARTICIPANT_REMOVED", 4, "kicked");
    check("ROOM_DELETED", 5, "room_closed");
    check("STATE_MISMATCH", 6, "join_failed");
    check("JOIN_FAILURE", 7, "join_failed");
    check("SIGNAL_CLOSE", 9, "timeout");
    check("ROOM_CLOSED", 10, "room_closed");
    check("USER_UNAVAILABLE", 11, "join_failed");
    check("USER_REJECTED", 12, "join_failed");
    check("SIP_TRUNK_FAILURE", 13, "unknown");
    check("CONNECTION_TIMEOUT", 14, "timeout");
    check("MEDIA_FAILURE", 15, "timeout");
    check("AGENT_ERROR", 16, "unknown");
}

#[test]
fn a_track_is_what_its_source_says_else_its_type() {
    let check = |track: Value, expected: Option<&str>| {
        let mut message = sample!("track_published");
        message["track"] = track.clone();
        let found = decoded(&message.to_string());
        let part =
            expected.map_or("unknown:track_published".to_owned(), |track| format!("track:{track},on:true"));
        assert!(found.contains(&part), "{track}: {found}");
    };
    check(json!({ "source": "CAMERA", "type": "VIDEO" }), Some("video"));
    check(json!({ "source": "MICROPHONE" }), Some("audio"));
    check(json!({ "source": "SCREEN_SHARE", "type": "VIDEO" }), Some("screen"));
    check(json!({ "source": 3, "type": 1 }), Some("screen"));
    check(json!({ "source": "SCREEN_SHARE_AUDIO" }), None);
    check(json!({ "source": 4 }), None);
    check(json!({}), Some("audio"));
    check(json!({ "type": "VIDEO" }), Some("video"));
    check(json!({ "type": "VIDEO", "source": "DRONE" }), Some("video"));
    check(json!({ "type": "DATA" }), None);
    check(json!({ "type": "SMELL" }), None);
    check(Value::Null, None);
}

#[test]
fn what_no_version_of_the_sender_would_make_is_refused_by_its_place() {
    let check = |change: &dyn Fn(&mut Value), expected: &str| {
        let mut message = sample!("participant_left");
        change(&mut message);
        let why = decode(&message.to_string()).err().unwrap_or_else(|| panic!("accepted: {message}"));
        assert_eq!(why.status(), 400);
        assert!(why.to_string().starts_with(expected), "{why}");
    };
    check(&|message| message["event"] = json!(""), "event: missing or empty");
    check(&|message| message["event"] = json!(7), "event: expected a text, found 7");
    check(&|message| message["room"] = Value::Null, "room.name: missing or empty");
    check(&|message| message["room"] = json!([]), "room: expected a JSON object");
    check(&|message| message["room"]["name"] = json!("a\0b"), "room.name: contains the character U+0000");
    check(&|message| message["participant"] = Value::Null, "participant.identity: missing or empty");
    check(&|message| message["participant"]["sid"] = json!({}), "participant.sid: expected a text");
    check(
        &|message| message["participant"]["joinedAtMs"] = json!("soon"),
        "participant.joinedAtMs: expected a whole",
    );
    check(&|message| message["createdAt"] = json!("0"), "createdAt: missing");
    check(&|message| message["createdAt"] = json!(-5), "createdAt: expected a whole number of seconds");
    check(
        &|message| message["createdAt"] = json!("1795370460000"),
        "createdAt: 1795370460000 is no plausible time in seconds",
    );
    for body in ["", "[]", "{", "null", "\"x\""] {
        assert!(matches!(decode(body), Err(Rejected::Malformed { .. })), "{body}");
    }
    assert!(livekit::decode(AppId(1), &[], b"{\"event\":\"\xff\"}", RECEIVED).is_err());
}

/// A token as the server makes it, with changes.
fn token(change: impl FnOnce(&mut Value), secret: &str, body: &str) -> String {
    use base64::Engine as _;
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(body));
    let mut claims =
        json!({ "iss": "APIdevsampleKey", "iat": NOW_S, "nbf": NOW_S, "exp": NOW_S + 300, "sha256": hash });
    change(&mut claims);
    jwt::mint(&claims, &Secret::new(secret)).expect("JSON")
}

const SECRET: &str = "devsecret-0123456789abcdef0123456789";
const BODY: &str = include_str!("../../payloads/livekit/participant_joined.json");

/// The token whose header names no algorithm, with no signature.
fn unsigned() -> String {
    let token = token(|_| (), SECRET, BODY);
    let claims = token.split('.').nth(1).expect("three parts");
    // {"alg":"none","typ":"JWT"}
    format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.")
}

/// Each refusal of a token: what is wrong, the header, the status, the reason.
fn refusals() -> Vec<(&'static str, Option<String>, u16, &'static str)> {
    let good = |claims: &mut Value| claims["iss"] = json!("APIdevsampleKey");
    vec![
        ("missing", None, 401, "missing_token"),
        ("empty", Some("Bearer ".to_owned()), 401, "missing_token"),
        ("no token", Some("Bearer devsecret".to_owned()), 401, "unreadable_token"),
        ("wrong secret", Some(token(good, "wrong", BODY)), 401, "bad_token_signature"),
        ("another body", Some(token(good, SECRET, "{}")), 401, "bad_body_hash"),
        ("no hash", Some(token(|claims| claims["sha256"] = json!(""), SECRET, BODY)), 401, "bad_body_hash"),
        (
            "expired",
            Some(token(|claims| claims["exp"] = json!(NOW_S - 61), SECRET, BODY)),
            401,
            "expired_token",
        ),
        ("no end", Some(token(|claims| claims["exp"] = Value::Null, SECRET, BODY)), 401, "unreadable_token"),
        (
            "not yet",
            Some(token(|claims| claims["nbf"] = json!(NOW_S + 61), SECRET, BODY)),
            401,
            "early_token",
        ),
        (
            "made later",
            Some(token(|claims| claims["iat"] = json!(NOW_S + 61), SECRET, BODY)),
            401,
            "early_token",
        ),
        ("alg none", Some(unsigned()), 401, "bad_algorithm"),
        (
            "another app's key",
            Some(token(|claims| claims["iss"] = json!("APIother"), SECRET, BODY)),
            401,
            "bad_token_signature",
        ),
        (
            "nobody's key",
            Some(token(|claims| claims["iss"] = json!("APInobody"), SECRET, BODY)),
            404,
            "unknown_key",
        ),
        ("no key", Some(token(|claims| claims["iss"] = Value::Null, SECRET, BODY)), 401, "unreadable_token"),
        ("empty key", Some(token(|claims| claims["iss"] = json!(""), "", BODY)), 404, "unknown_key"),
    ]
}

#[test]
fn only_the_servers_own_token_for_this_body_is_taken() {
    let at = Millis::from_secs(NOW_S);
    for (what, header, status, reason) in refusals() {
        let refused = deliver(header.as_deref(), BODY.as_bytes(), at, true, None);
        let refused = refused.err().unwrap_or_else(|| panic!("{what} is accepted"));
        assert_eq!((refused.status(), refused.name()), (status, reason), "{what}: {refused}");
    }
    let good = token(|_| (), SECRET, BODY);
    for header in [good.clone(), format!("Bearer {good}"), format!("bearer {good}")] {
        let parsed = deliver(Some(&header), BODY.as_bytes(), at, true, None).expect("accepted");
        assert_eq!(parsed.events[0].app, APP_OF_SAMPLES);
    }
    // The clock of a replay is that of the arrival; a minute of leeway on both ends.
    for (seconds, good_then) in [(-61, false), (-60, true), (360, true), (361, false)] {
        let then = Millis::from_secs(NOW_S + seconds);
        assert_eq!(deliver(Some(&good), BODY.as_bytes(), then, true, None).is_ok(), good_then, "{seconds}");
    }
    let other = token(|claims| claims["iss"] = json!("APIother"), "other-secret", BODY);
    let parsed = deliver(Some(&other), BODY.as_bytes(), at, true, None).expect("accepted");
    assert_eq!(parsed.events[0].app, AppId(2));
}

#[test]
fn unverified_a_webhook_is_of_whom_its_token_names_else_of_whom_the_import_names() {
    let check = |header: Option<String>, tail: Option<&str>, expected: Result<u64, &str>| {
        let taken = deliver(header.as_deref(), BODY.as_bytes(), Millis(0), false, tail);
        let found = taken.as_ref().map(|parsed| parsed.events[0].app.0).map_err(Rejected::name);
        assert_eq!(found, expected, "{header:?} {tail:?}");
    };
    check(Some(token(|_| (), "wrong", "{}")), None, Ok(APP_OF_SAMPLES.0));
    check(Some(unsigned()), Some("7"), Ok(APP_OF_SAMPLES.0));
    check(Some(token(|claims| claims["iss"] = json!("APInobody"), SECRET, BODY)), Some("7"), Ok(7));
    check(Some(token(|claims| claims["iss"] = json!("APInobody"), SECRET, BODY)), None, Err("unknown_key"));
    check(Some("rubbish".to_owned()), Some("7"), Ok(7));
    check(None, Some("7"), Ok(7));
    check(None, None, Err("missing_token"));
}

/// A server whose application is that of the key of the samples, and does not want one kind.
fn serve(dir: &std::path::Path, clock: i64) -> Served {
    let livekit = format!(
        "livekit = {{ api_key = \"APIdevsampleKey\", api_secret = \"{SECRET}\", drop_kinds = [\"egress\"] }}"
    );
    let apps = format!("[[account.app]]\nsdk_app_id = {APP}\n{livekit}\n");
    std::fs::write(dir.join("s.toml"), settings(&apps)).expect("written");
    let clock = clock.to_string();
    Served::start(
        dir,
        &["serve", "--config", "s.toml", "--listen", "127.0.0.1:0", "--clock", &clock, "--memory"],
    )
}

async fn say(served: &Served, message: &Value) -> Reply {
    let body = message.to_string();
    let authorization = format!("Authorization: {}", token(|_| (), SECRET, &body));
    served.send(&post("/ingest/livekit", &[&authorization], body.as_bytes())).await
}

#[tokio::test]
async fn a_refusal_has_its_status_and_says_why() {
    let dir = temporary();
    let served = serve(dir.path(), NOW_S);
    for (what, header, status, reason) in refusals() {
        let header = header.map(|token| format!("Authorization: {token}"));
        let headers: Vec<&str> = header.iter().map(String::as_str).collect();
        let reply = served.send(&post("/ingest/livekit", &headers, BODY.as_bytes())).await;
        // Here nobody has the other application's key.
        let status = if what == "another app's key" { 404 } else { status };
        assert_eq!(reply.status, status, "{what} ({reason}): {reply:?}");
    }
    let body = r#"{"event":"room_started","id":"EV_1"}"#;
    let headers = format!("Authorization: {}", token(|_| (), SECRET, body));
    let reply = served.send(&post("/ingest/livekit", &[&headers], body.as_bytes())).await;
    assert_eq!(reply.status, 400);
    assert!(reply.body.contains("room.name: missing or empty"), "{reply:?}");
    served.stop();
}

/// A message about a participant.
fn about(event: &str, id: &str, at_s: i64, participant: Value) -> Value {
    let room = json!({ "sid": "RM_1", "name": "r", "creationTime": (NOW_S - 400).to_string() });
    json!({ "event": event, "id": id, "createdAt": at_s.to_string(), "room": room, "participant": participant })
}

/// The users of the one call, as the API shows them.
async fn users(served: &Served) -> Vec<String> {
    let window = json!({ "SdkAppId": APP, "StartTime": NOW_S - 3_600, "EndTime": NOW_S, "PageNumber": 0, "PageSize": 100 });
    let rooms = served.ask("DescribeRoomInfo", &window, NOW_S).await;
    assert_eq!(rooms["Total"], 1, "{rooms}");
    let mut question = window;
    question["CommId"] = rooms["RoomList"][0]["CommId"].clone();
    assert_eq!(question["CommId"], format!("{APP}_r_{}", NOW_S - 400));
    let users = served.ask("DescribeUserInfo", &question, NOW_S).await;
    let mut users: Vec<String> = users["UserList"]
        .as_array()
        .expect("users")
        .iter()
        .map(|user| {
            let since = |name: &str| user[name].as_i64().expect("a time") - (NOW_S - 400);
            format!("{} {}-{} {}", user["UserId"], since("JoinTs"), since("LeaveTs"), user["Finished"])
        })
        .collect();
    users.sort();
    users
}

#[tokio::test]
async fn stays_are_told_apart_by_their_ids_and_a_leave_alone_is_enough() {
    let dir = temporary();
    let served = serve(dir.path(), NOW_S);
    let at = |second: i64| NOW_S - 400 + second;
    let inside = |sid: &str, user: &str, joined: i64| json!({ "sid": sid, "identity": user, "joinedAt": joined.to_string(), "joinedAtMs": (joined * 1_000 + 400).to_string() });
    let outside = |sid: &str, user: &str, joined: i64, reason: &str| {
        let mut participant = inside(sid, user, joined);
        participant["disconnectReason"] = json!(reason);
        participant
    };
    let story = [
        // alice again, elsewhere: the older stay ends after the newer began.
        about("participant_joined", "EV_1", at(10), inside("PA_1", "alice", at(10))),
        about("participant_joined", "EV_2", at(60), inside("PA_2", "alice", at(60))),
        about("participant_left", "EV_3", at(61), outside("PA_1", "alice", at(10), "DUPLICATE_IDENTITY")),
        // bob is moved to another node, where he is not told to join again.
        about("participant_joined", "EV_4", at(20), inside("PA_3", "bob", at(20))),
        about("participant_left", "EV_5", at(90), outside("PA_3", "bob", at(20), "MIGRATION")),
        // Nothing but her leave came of carol; she left within the second in which she came.
        about("participant_left", "EV_6", at(30), outside("PA_4", "carol", at(30), "CLIENT_INITIATED")),
        // dave never got in.
        about(
            "participant_connection_aborted",
            "EV_7",
            at(40),
            outside("PA_5", "dave", at(35), "JOIN_FAILURE"),
        ),
    ];
    for message in &story {
        assert_eq!(say(&served, message).await.status, 200, "{message}");
    }
    let expected =
        ["\"alice\" 10-61 true", "\"alice\" 60-400 false", "\"bob\" 20-400 false", "\"carol\" 30-30 true"];
    assert_eq!(users(&served).await, expected);
    let left = about("participant_left", "EV_8", at(120), outside("PA_3", "bob", at(20), "CLIENT_INITIATED"));
    assert_eq!(say(&served, &left).await.status, 200);
    assert_eq!(users(&served).await[2], "\"bob\" 20-120 true");
    served.stop();
}

#[tokio::test]
async fn kinds_that_are_not_wanted_are_acknowledged_and_counted() {
    let dir = temporary();
    let served = serve(dir.path(), NOW_S);
    let joined = |id: &str, user: &str, kind: Value| {
        let participant = json!({ "sid": format!("PA_{user}"), "identity": user, "kind": kind });
        about("participant_joined", id, NOW_S - 390, participant)
    };
    let told = [
        joined("EV_1", "alice", json!("STANDARD")),
        joined("EV_2", "recorder", json!("EGRESS")),
        joined("EV_3", "recorder", json!(2)),
        joined("EV_4", "agent", json!("AGENT")),
    ];
    for message in &told {
        let reply = say(&served, message).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, r#"{"code":0}"#));
    }
    assert_eq!(users(&served).await, ["\"agent\" 10-400 false", "\"alice\" 10-400 false"]);
    let metrics = served.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.body;
    for line in ["rollbook_events_left_out_total 2", "rollbook_events_accepted_total 2"] {
        assert!(metrics.lines().any(|found| found == line), "{line}: {metrics}");
    }
    served.stop();

    let lines = told.map(|message| {
        let body = message.to_string();
        let headers = json!({ "Authorization": token(|_| (), SECRET, &body) });
        json!({ "arrival_ms": NOW_S * 1_000, "headers": headers, "body": body }).to_string()
    });
    std::fs::write(dir.path().join("d.ndjson"), lines.join("\n")).expect("written");
    let import = ["import", "livekit", "d.ndjson", "--config", "s.toml", "--data-dir", "data"];
    check(dir.path(), &import, 0, "events: 2 new, 0 known already\nleft out: 2 events, as the settings say");
}
