//! Recorded events of Janus: in their order, repeated, and with neighbours swapped they give the records beside the
//! recordings, and measurements that agree with what the browser of the same call measured itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rollbook::ingest::deliveries::{self, Delivery};
use rollbook::ingest::{
    App, Apps, ClientIpPolicy, Endpoint, Head, Import, Ingest, Janus, Parsed, Rejected, Source,
};
use rollbook::limits::Secret;
use rollbook::records::quality::{Flow, Measure, Metric, Points, Series, metrics};
use rollbook::records::{AppId, Event, Kind, Millis};
use rollbook::store::{ExportQuery, Exported, Memory, Store as _, What};
use serde_json::{Value, json};

use crate::server::{Served, check, exchange, gzip, post, settings, temporary};

/// The application of the expected records.
const APP: AppId = AppId(1_400_000_123);
const CREDENTIALS: &str = "Basic ZXZ1c2VyOmV2cGFzcw==";
const SETS: [&str; 2] = ["videoroom_browser_call", "videoroom_numeric_grouped"];
/// After the last event of both.
const NOW_S: i64 = 1_795_381_000;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/payloads/janus").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(file(name)).expect("readable")
}

fn recorded(set: &str) -> Vec<Delivery> {
    let parse = |line: &str| deliveries::parse_line(line.as_bytes()).expect("a delivery").expect("not blank");
    read(&format!("{set}.ndjson")).lines().map(parse).collect()
}

fn endpoint() -> &'static Endpoint {
    let source = Source::named("janus").expect("a source");
    assert!(matches!(source.import, Import::DeliveriesInOrder));
    source.endpoint.as_ref().expect("it posts")
}

fn ingest(policy: ClientIpPolicy) -> Ingest {
    let credentials = Some(("evuser".to_owned(), Secret::new("evpass")));
    let open = App { janus: Some(Janus { credentials: None }), ..App::new(AppId(2)) };
    let app = App { janus: Some(Janus { credentials }), ..App::new(APP) };
    Ingest::new(Apps::new(vec![app, open, App::new(AppId(3))], policy))
}

fn take(ingest: &Ingest, body: &[u8]) -> Result<Parsed, Rejected> {
    let head = Head {
        tail: Some("1400000123"),
        query: &[],
        header: &|_| None,
        is_local: true,
        received: Millis(5),
        verify: true,
    };
    (endpoint().take)(ingest, &head, body)
}

/// What was told by deliveries.
#[derive(Debug, Default)]
struct Told {
    events: Vec<Event>,
    points: BTreeMap<(Flow, Measure), BTreeMap<Millis, u64>>,
}

impl Told {
    fn by(deliveries: &[&Delivery]) -> Told {
        let (ingest, mut told) = (ingest(ClientIpPolicy::Keep), Told::default());
        for delivery in deliveries {
            told.add(take(&ingest, &delivery.body).expect("readable"));
        }
        told
    }

    fn add(&mut self, parsed: Parsed) {
        assert_eq!(parsed.refused, Vec::new());
        self.events.extend(parsed.events);
        for Series { flow, columns } in parsed.samples {
            for (measure, points) in columns {
                let known = self.points.entry((flow.clone(), measure)).or_default();
                for (at, value) in points {
                    assert_eq!(known.insert(at, value.to_bits()).unwrap_or(value.to_bits()), value.to_bits());
                }
            }
        }
    }

    /// The records, as a store folds them: calls and sessions with how and why they ended.
    fn records(&self) -> Vec<Value> {
        let store = Memory::default();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(store.append(self.events.clone())).expect("appended");
        let everything = ExportQuery { app: APP, from: Millis(0), to: Millis(i64::MAX), what: What::Records };
        let mut records = Vec::new();
        store
            .export(&everything, &mut |exported| {
                let Exported::Call(call, sessions) = exported else { panic!("{exported:?}") };
                let reason = |session: &rollbook::records::Session| {
                    session.leave_reason.as_ref().map(|reason| format!("{:?} {}", reason.class, reason.raw))
                };
                records.extend(sessions.iter().map(|session| {
                    json!({
                        "CommId": call.comm_id.as_str(), "CreateTime": call.created.secs(),
                        "DestroyTime": call.ended.map(Millis::secs), "UserId": session.user,
                        "JoinTs": session.joined.secs(), "LeaveTs": session.left.map(Millis::secs),
                        "attrs": session.attrs, "how": session.leave_source.name(), "why": reason(session),
                    })
                }));
                Ok(())
            })
            .expect("exported");
        records
    }

    fn series(&self, user: &str, peer: &str) -> BTreeMap<Metric, Points> {
        let mut flows: BTreeMap<&Flow, Series> = BTreeMap::new();
        for ((flow, measure), points) in &self.points {
            let points = points.iter().map(|(at, value)| (*at, f64::from_bits(*value))).collect();
            let series =
                flows.entry(flow).or_insert_with(|| Series { flow: flow.clone(), columns: Vec::new() });
            series.columns.push((*measure, points));
        }
        let of_both = flows.values().filter(|series| series.flow.user == user && series.flow.peer == peer);
        metrics(&of_both.collect::<Vec<_>>())
    }
}

/// The records beside a recording, one a session, in the form of [`Told::records`] as far as they tell.
fn expected(set: &str) -> Vec<Value> {
    let expected: Value = serde_json::from_str(&read(&format!("{set}.expected.json"))).expect("JSON");
    let room = &expected["rooms"][0];
    let row = |user: &Value| {
        let why = match (user["ended_by"].as_str(), user["UserId"].as_str()) {
            // Of Carol the session ran out.
            (_, Some("1003")) => "Timeout leaving",
            (Some("kicked"), _) => "Kicked kicked",
            _ => "Normal leaving",
        };
        json!({
            "CommId": user["CommId"], "CreateTime": room["CreateTime"], "DestroyTime": room["DestroyTime"],
            "UserId": user["UserId"], "JoinTs": user["JoinTs"], "LeaveTs": user["LeaveTs"],
            "attrs": {"client_ip": user["ClientIp"], "display": user["Display"]}, "how": "seen", "why": why,
        })
    };
    expected["users"].as_array().expect("users").iter().map(row).collect()
}

fn sorted(mut records: Vec<Value>) -> Vec<Value> {
    records.sort_by_key(Value::to_string);
    records
}

#[test]
fn recordings_give_their_records_in_order_repeated_and_with_neighbours_swapped() {
    for set in SETS {
        let recorded = recorded(set);
        let all: Vec<&Delivery> = recorded.iter().collect();
        let in_order = Told::by(&all);
        let expected = sorted(expected(set));
        assert_eq!(sorted(in_order.records()), expected, "{set}");
        let same = |deliveries: &[&Delivery], how: &str| {
            let told = Told::by(deliveries);
            assert_eq!(sorted(told.records()), expected, "{set}, {how}");
            assert!(told.points == in_order.points, "{set}, {how}: other measurements");
        };
        same(&[all.clone(), all.clone()].concat(), "all of it again");
        same(&all.iter().flat_map(|delivery| [*delivery, *delivery]).collect::<Vec<_>>(), "each twice");
        for place in 1..all.len() {
            let mut swapped = all.clone();
            swapped.swap(place - 1, place);
            same(&swapped, &format!("{place} before the one before it"));
        }
    }
}

#[test]
fn a_body_may_be_one_event_or_many_and_laid_out_in_any_way() {
    for set in SETS {
        let recorded = recorded(set);
        let in_order = Told::by(&recorded.iter().collect::<Vec<_>>());
        let [one, other] = [ClientIpPolicy::Keep; 2].map(ingest);
        let (mut single, mut indented) = (Told::default(), Told::default());
        for delivery in &recorded {
            let body: Value = serde_json::from_slice(&delivery.body).expect("JSON");
            let laid_out = serde_json::to_vec_pretty(&body).expect("JSON");
            indented.add(take(&one, &laid_out).expect("readable"));
            for event in body.as_array().expect("grouped") {
                single.add(take(&other, event.to_string().as_bytes()).expect("readable"));
            }
        }
        for told in [single, indented] {
            assert_eq!(sorted(told.records()), sorted(expected(set)), "{set}");
            assert!(told.points == in_order.points, "{set}: other measurements");
            let ids = |told: &Told| told.events.iter().map(|event| event.id.clone()).collect::<Vec<_>>();
            assert_eq!(ids(&told), ids(&in_order), "{set}");
        }
    }
}

/// The mean of a metric over the seconds of the browser's samples.
fn mean(points: impl Iterator<Item = (i64, f64)>) -> f64 {
    let values: Vec<f64> =
        points.filter(|(at, _)| (1_795_380_522..=1_795_380_539).contains(at)).map(|(_, v)| v).collect();
    assert!(values.len() >= 3, "{values:?}");
    values.iter().sum::<f64>() / f64::from(u32::try_from(values.len()).expect("few"))
}

#[test]
fn measurements_agree_with_those_of_the_browser() {
    let recorded = recorded("videoroom_browser_call");
    let told = Told::by(&recorded.iter().collect::<Vec<_>>());
    let own: Vec<Value> = read("videoroom_browser_call.getstats.ndjson")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let check = |direction: &str, peer: &str, metric: Metric, off_max: f64| {
        let browser =
            own.iter().filter(|point| point["DataType"] == metric.name() && point["Direction"] == direction);
        let browser =
            mean(browser.map(|point| {
                (point["Time"].as_i64().expect("s"), point["Value"].as_f64().expect("a value"))
            }));
        let metrics = told.series("dora@example.org", peer);
        let janus = mean(metrics[&metric].iter().map(|(at, value)| (at.secs(), *value)));
        assert!(
            (janus - browser).abs() <= off_max,
            "{direction} {metric:?}: {janus} here, {browser} in the browser"
        );
    };
    // Bits a second: a few percent, since the intervals are not the same. Loss: in points of percent.
    check("up", "", Metric::AudioBitRate, 500.0);
    check("up", "", Metric::VideoBitRate, 6_000.0);
    check("up", "", Metric::AudioLoss, 1.0);
    check("down", "erik@example.org", Metric::AudioBitRate, 60.0);
    check("down", "erik@example.org", Metric::VideoBitRate, 30_000.0);
    check("down", "erik@example.org", Metric::AudioLoss, 1.5);
    check("down", "erik@example.org", Metric::VideoLoss, 1.5);
    assert!(!told.series("dora@example.org", "").contains_key(&Metric::RoundTrip), "it cannot be measured");
    assert!(told.series("dora@example.org", "erik@example.org").contains_key(&Metric::RoundTrip));
}

/// An event of VideoRoom, as one of a session and a handle.
fn videoroom(micros: u64, data: &str) -> String {
    let plugin = format!(r#""event":{{"plugin":"janus.plugin.videoroom","data":{{{data}}}}}"#);
    format!(
        r#"{{"emitter":"j","type":64,"timestamp":{micros},"session_id":11,"handle_id":12,"opaque_id":"x",{plugin}}}"#
    )
}

const AT: u64 = 1_795_380_000_000_000;

#[track_caller]
fn good(ingest: &Ingest, body: &str) -> Parsed {
    let parsed = take(ingest, body.as_bytes()).expect("readable");
    assert_eq!(parsed.refused, Vec::new(), "{body}");
    parsed
}

#[test]
fn a_bad_event_in_a_group_loses_no_other() {
    let good = videoroom(AT, r#""event":"joined","room":7,"id":1"#);
    let bad = [
        (r#"{"type":64,"event":{}}"#.to_owned(), "event 2 of the delivery: timestamp: expected microseconds"),
        (
            r#"{"timestamp":1795380000000000,"event":{}}"#.to_owned(),
            "event 2 of the delivery: type: expected a whole",
        ),
        (r#"{"type":64,"timestamp":1795380000,"event":{}}"#.to_owned(), "is no plausible time"),
        (videoroom(AT, r#""event":"joined","id":1"#), "event 2 of the delivery: event.data.room: missing"),
        (videoroom(AT, r#""event":"leaving","room":7"#), "event 2 of the delivery: event.data.id: missing"),
        (videoroom(AT, r#""event":"joined","room":7,"id":{}"#), "event.data.id: expected a text or a whole"),
        (
            videoroom(AT, r#""event":"joined","room":"a\u0000","id":1"#),
            "event.data.room: contains the character",
        ),
        ("[]".to_owned(), "event 2 of the delivery: expected a JSON object"),
        ("5".to_owned(), "event 2 of the delivery: expected a JSON object"),
    ];
    for (bad, why) in bad {
        let parsed =
            take(&ingest(ClientIpPolicy::Keep), format!("[{good},{bad},{good}]").as_bytes()).expect("a list");
        assert_eq!((parsed.events.len(), parsed.refused_count), (2, 1), "{bad}");
        assert_eq!(parsed.refused[0].line, 2);
        assert!(parsed.refused[0].why.contains(why), "{bad}: {}", parsed.refused[0].why);
    }
    for (body, why) in [
        ("", "body: empty"),
        ("\"text\"", "body: expected a JSON object, or a list"),
        ("[{},", "body: not valid JSON"),
        ("[1,2] 3", "body: not valid JSON"),
    ] {
        let refused = take(&ingest(ClientIpPolicy::Keep), body.as_bytes()).expect_err(body).to_string();
        assert!(refused.starts_with(why), "{refused}");
    }
}

#[test]
fn a_call_in_a_room_of_the_configuration_file_ends_with_the_last_leave() {
    let ingest = ingest(ClientIpPolicy::Keep);
    let started = format!(
        r#"{{"emitter":"j","type":256,"subtype":1,"timestamp":{AT},"event":{{"status":"started"}}}}"#
    );
    let minute = 60_000_000;
    let mut told = Told::default();
    for body in [
        started,
        videoroom(AT + 1_000, r#""event":"joined","room":1234,"id":1"#),
        videoroom(AT + 2_000, r#""event":"leaving","room":1234,"id":1"#),
        videoroom(AT + minute, r#""event":"joined","room":1234,"id":1"#),
        videoroom(AT + 2 * minute, r#""event":"leaving","room":1234,"id":1"#),
        videoroom(AT + 3 * minute, r#""event":"talking","room":1234,"id":9"#),
    ] {
        told.add(good(&ingest, &body));
    }
    let lives: Vec<_> = told
        .records()
        .iter()
        .map(|row| [&row["CreateTime"], &row["DestroyTime"]].map(Value::as_i64))
        .collect();
    let at = 1_795_380_000;
    assert_eq!(lives, [[Some(at), Some(at)], [Some(at + 60), Some(at + 120)]]);
}

#[test]
fn who_may_send() {
    let check = |tail: Option<&str>, header: Option<&str>, is_local: bool, expected: Result<(), &str>| {
        let read = |_: &str| header;
        let head = Head { tail, query: &[], header: &read, is_local, received: Millis(5), verify: true };
        let admitted = (endpoint().admit)(&ingest(ClientIpPolicy::Keep), &head);
        assert_eq!(admitted.map_err(|rejected| rejected.name()), expected);
    };
    check(Some("1400000123"), Some(CREDENTIALS), false, Ok(()));
    check(Some("1400000123"), Some("basic  ZXZ1c2VyOmV2cGFzcw== "), false, Ok(()));
    check(Some("1400000123"), Some("Basic ZXZ1c2VyOmV2cGFzcQ=="), true, Err("bad_password"));
    check(Some("1400000123"), Some("Basic !"), true, Err("missing_password"));
    check(Some("1400000123"), Some("Bearer ZXZ1c2VyOmV2cGFzcw=="), true, Err("missing_password"));
    check(Some("1400000123"), None, true, Err("missing_password"));
    check(Some("2"), None, true, Ok(()));
    check(Some("2"), None, false, Err("not_local"));
    check(Some("3"), Some(CREDENTIALS), true, Err("unknown_app"));
    check(Some("4"), Some(CREDENTIALS), true, Err("unknown_app"));
    check(Some("four"), Some(CREDENTIALS), true, Err("malformed"));
    check(None, Some(CREDENTIALS), true, Err("malformed"));
}

#[test]
fn what_is_known_of_a_user_is_told_whatever_comes_first() {
    let join = videoroom(AT, r#""event":"joined","room":"r","id":"u""#);
    let event = |kind: u64, micros: u64, event: &str| {
        format!(
            r#"{{"emitter":"j","type":{kind},"timestamp":{micros},"session_id":11,"handle_id":12,"event":{event}}}"#
        )
    };
    let session = event(1, AT - 9, r#"{"name":"created","transport":{"transport":"t","id":"77"}}"#);
    let transport = event(128, AT - 10, r#"{"transport":"t","id":"77","data":{"ip":"::ffff:198.51.100.7"}}"#);
    let pair =
        event(16, AT + 9_000, r#"{"selected-pair":"192.0.2.1:9 [host,udp] <-> 203.0.113.5:8 [prflx,udp]"}"#);
    let check = |policy: ClientIpPolicy, told: [&String; 4], expected: &str| {
        let ingest = ingest(policy);
        let mut events: Vec<Event> = told.iter().flat_map(|body| good(&ingest, body).events).collect();
        events.retain(|event| event.kind == Kind::Attributes);
        events.sort();
        let latest = events.last().expect("told").attrs.values().next().cloned().unwrap_or_default();
        assert_eq!(latest, expected, "{told:?}");
    };
    let all = [&transport, &session, &join, &pair];
    for order in [[0, 1, 2, 3], [1, 0, 2, 3], [1, 2, 0, 3], [2, 1, 0, 3], [3, 2, 1, 0], [0, 2, 1, 3]] {
        check(ClientIpPolicy::Keep, order.map(|place| all[place]), "198.51.100.7");
        check(ClientIpPolicy::Mask, order.map(|place| all[place]), "198.51.100.0");
    }
    // Without the transports' events the address of the media stands in.
    check(ClientIpPolicy::Keep, [&session, &session, &join, &pair], "203.0.113.5");
    check(ClientIpPolicy::Keep, [&pair, &pair, &pair, &join], "203.0.113.5");
}

/// Statistics of one stream.
fn stat(kind: &str, micros: u64, handle: u64, fields: &str) -> String {
    format!(
        r#"{{"type":32,{kind}"timestamp":{micros},"session_id":11,"handle_id":{handle},"event":{fields}}}"#
    )
}

#[test]
fn statistics_of_all_versions_are_measurements() {
    let old = r#"{"media":"audio","base":48000,"rtt":0,"lost":2,"lost-by-remote":0,"packets-received":100,"packets-sent":0,"bytes-received":10000,"bytes-sent":0,"bytes-received-lastsec":1}"#;
    let new = old.replace("{\"media\"", "{\"mid\":\"a\",\"mindex\":0,\"rtt-values\":{\"ntp\":1},\"media\"");
    let combined = format!("[{new},{{\"mid\":\"d\",\"media\":\"data\"}}]");
    let join = videoroom(AT, r#""event":"joined","room":"r","id":"u""#).replace("\"emitter\":\"j\",", "");
    for (kind, fields) in
        [("", old), (r#""subtype":3,"#, new.as_str()), (r#""subtype":3,"#, combined.as_str())]
    {
        let ingest = ingest(ClientIpPolicy::Keep);
        // Before it is known whose it is, it waits.
        assert_eq!(good(&ingest, &stat(kind, AT + 5_000_999, 12, fields)).samples, Vec::new());
        let samples = good(&ingest, &join).samples;
        let [series] = samples.as_slice() else { panic!("{samples:?}") };
        assert_eq!(
            (series.flow.room.as_str(), series.flow.user.as_str(), series.flow.peer.as_str()),
            ("r", "u", "")
        );
        let columns: Vec<_> =
            series.columns.iter().map(|(measure, points)| (measure.name(), points.as_slice())).collect();
        let at = Millis(1_795_380_005_000);
        assert_eq!(
            columns,
            [
                ("audio_bytes", &[(at, 8_000.0)][..]),
                ("audio_packets", &[(at, 100.0)][..]),
                ("audio_lost", &[(at, 2.0)][..])
            ]
        );
    }
}

#[test]
fn what_a_handle_gets_is_from_whom_it_subscribed_to() {
    let sent = r#"{"mid":"1","media":"video","rtt":7,"lost":0,"lost-by-remote":4,"packets-received":0,"packets-sent":50,"bytes-received":0,"bytes-sent":51000}"#;
    let join = videoroom(AT, r#""event":"joined","room":5,"id":1,"private_id":99"#);
    let by_private = r#""event":"subscribing","room":5,"private_id":99,"streams":[{"mid":"0","feed_id":3},{"mid":"1","feed_id":2}]"#;
    let by_session = by_private.replace("99", "0");
    let of_old = r#""event":"subscribing","room":5,"feed":2,"private_id":99"#;
    let another = by_private.replace("99", "98");
    for (subscribing, is_known) in
        [(by_private, true), (by_session.as_str(), true), (of_old, true), (another.as_str(), false)]
    {
        let ingest = ingest(ClientIpPolicy::Keep);
        good(&ingest, &join);
        good(&ingest, &videoroom(AT, subscribing).replace("\"handle_id\":12", "\"handle_id\":13"));
        let told = stat(r#""subtype":3,"emitter":"j","#, AT + 1_000, 13, sent);
        let samples = good(&ingest, &told).samples;
        assert_eq!(samples.len(), usize::from(is_known), "{subscribing}");
        for series in samples {
            let flow = &series.flow;
            assert_eq!((flow.room.as_str(), flow.user.as_str(), flow.peer.as_str()), ("5", "1", "2"));
            let values: Vec<_> =
                series.columns.iter().map(|(measure, points)| (measure.name(), points[0].1)).collect();
            assert_eq!(
                values,
                [("rtt", 7.0), ("video_bytes", 50_000.0), ("video_packets", 46.0), ("video_lost", 4.0)]
            );
        }
    }
}

#[test]
fn media_end_with_the_first_of_two_tellings_and_what_is_unknown_is_kept() {
    let ingest = ingest(ClientIpPolicy::Keep);
    let tell = |micros: u64, data: &str| {
        let events = good(&ingest, &videoroom(micros, data)).events;
        events.iter().map(|event| format!("{:?}", event.kind)).collect::<Vec<_>>()
    };
    let published = r#""event":"published","room":5,"id":1,"streams":[{"type":"audio","mid":"0"},{"type":"data"},{"type":"video","disabled":true}]"#;
    tell(AT, r#""event":"joined","room":5,"id":1"#);
    assert_eq!(tell(AT + 1, published), ["Media { track: Audio, on: true }"]);
    assert_eq!(
        tell(AT + 2, r#""event":"unpublished","room":5,"id":1"#),
        ["Media { track: Audio, on: false }"]
    );
    assert_eq!(tell(AT + 3, r#""event":"unpublished","room":5,"id":1"#), [""; 0]);
    // The same again, after the store could not keep it.
    assert_eq!(
        tell(AT + 2, r#""event":"unpublished","room":5,"id":1"#),
        ["Media { track: Audio, on: false }"]
    );
    assert_eq!(tell(AT + 4, r#""event":"talking","room":5,"id":1"#), [""; 0]);
    let unknown = tell(AT + 5, r#""event":"moderated","room":5,"id":1"#);
    assert!(unknown[0].starts_with("Unknown { name: \"64:janus.plugin.videoroom:moderated\""), "{unknown:?}");
    for (kind, kept) in [(4, 1), (8, 0), (16, 0), (2, 0), (512, 1)] {
        let body = format!(r#"{{"type":{kind},"subtype":9,"timestamp":{AT},"event":{{"new":[1]}}}}"#);
        assert_eq!(good(&ingest, &body).events.len(), kept, "{kind}");
    }
}

/// The settings of the application of the recordings.
fn recorded_settings() -> String {
    settings(
        "[[account.app]]\nsdk_app_id = 1400000123\njanus = { user = \"evuser\", password = \"evpass\" }\n",
    )
}

/// Asks for everything of one recording.
async fn check_answers(served: &Served, set: &str, how: &str) {
    let expected: Value = serde_json::from_str(&read(&format!("{set}.expected.json"))).expect("JSON");
    let room = &expected["rooms"][0];
    let begin = room["CreateTime"].as_i64().expect("a time");
    let window = json!({"SdkAppId": APP.0, "StartTime": begin - 60, "EndTime": begin + 600, "PageNumber": 0, "PageSize": 100});
    let mut question = window.clone();
    question["RoomId"] = room["RoomString"].clone();
    let rooms = served.ask("DescribeRoomInfo", &question, NOW_S).await;
    assert_eq!(rooms["Total"], 1, "{set}, {how}: {rooms}");
    for field in ["CommId", "RoomString", "CreateTime", "DestroyTime"] {
        assert_eq!(rooms["RoomList"][0][field], room[field], "{set}, {how}: {field}");
    }
    question = window;
    question["CommId"] = room["CommId"].clone();
    let users = served.ask("DescribeUserInfo", &question, NOW_S).await;
    let fields = ["RoomStr", "UserId", "JoinTs", "LeaveTs", "Finished", "ClientIp"];
    let rows = |list: &Value| {
        let row = |user: &Value| fields.map(|field| user[field].clone());
        let mut rows: Vec<_> = list.as_array().expect("a list").iter().map(row).collect();
        rows.sort_by_key(|row| row[1].to_string());
        rows
    };
    assert_eq!(rows(&users["UserList"]), rows(&expected["users"]), "{set}, {how}");
}

#[tokio::test]
async fn deliveries_posted_packed_and_twice_give_the_expected_answers() {
    for times in [1, 2] {
        let dir = temporary();
        std::fs::write(dir.path().join("s.toml"), recorded_settings()).expect("written");
        let clock = NOW_S.to_string();
        let served = Served::start(
            dir.path(),
            &["serve", "--config", "s.toml", "--listen", "127.0.0.1:0", "--clock", &clock, "--memory"],
        );
        let mut stream = served.connect().await;
        let authorization = format!("Authorization: {CREDENTIALS}");
        for delivery in SETS.iter().flat_map(|set| recorded(set)) {
            for _ in 0..times {
                let headers = [authorization.as_str(), "Content-Encoding: gzip"];
                let request = post("/ingest/janus/1400000123", &headers, &gzip(&delivery.body));
                let reply = exchange(&mut stream, &request).await;
                assert_eq!((reply.status, reply.body.as_str()), (200, r#"{"code":0}"#));
            }
        }
        let request = post("/ingest/janus/1400000123", &[], b"{}");
        assert_eq!(exchange(&mut stream, &request).await.status, 401);
        for set in SETS {
            check_answers(&served, set, &format!("{times} times")).await;
        }
        served.stop();
    }
}

#[tokio::test]
async fn recorded_deliveries_are_imported() {
    let dir = temporary();
    std::fs::write(dir.path().join("s.toml"), recorded_settings()).expect("written");
    let files = SETS.map(|set| file(&format!("{set}.ndjson")).display().to_string());
    let [first, second] = files.each_ref().map(String::as_str);
    let place = ["--config", "s.toml", "--data-dir", "data"];
    let import = ["import", "janus", first, second, "--app", "1400000123", "--no-verify"];
    check(dir.path(), &[&import[..], &place].concat(), 0, "samples: ");
    check(dir.path(), &[&import[..], &place].concat(), 0, "events: 0 new");
    check(dir.path(), &[&["import", "janus", first], &place[..]].concat(), 1, "an import has it as --app");
    let clock = NOW_S.to_string();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--clock", &clock];
    let served = Served::start(dir.path(), &[&serve[..], &place].concat());
    for set in SETS {
        check_answers(&served, set, "imported").await;
    }
    served.stop();
}
