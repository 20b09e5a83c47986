//! How good it was and what happened, from events and measurements in the memory store to the wire (contract
//! sections 9.3, 9.4, 9.6, 13 and 14).

use rollbook::actions::Policy;
use rollbook::records::quality::{Counter, Flow, Measure, Metric, Series, Stream};
use rollbook::records::{AppId, Attr, Event, Kind, Millis, Reason, ReasonClass, Track};
use rollbook::store::{Memory, Store};
use serde_json::{Value, json};

use crate::canned::{APP, Ask, NOW, World, policy};

const HOUR: i64 = 3_600;
/// When the call of most tests began.
const BEGIN: i64 = NOW - 2 * HOUR;

fn event(user: &str, kind: Kind, second: i64) -> Event {
    let at = Millis(second * 1_000 + 160);
    let mut event = Event::new(AppId(APP), "trtc", "42", user, kind, at);
    event.visit = None;
    event
}

fn for_reason(mut event: Event, class: ReasonClass) -> Event {
    event.reason = Some(Reason { class, raw: "7".into() });
    event
}

fn with(mut event: Event, attr: Attr, value: &str) -> Event {
    event.attrs.insert(attr, value.into());
    event
}

fn joined(user: &str, second: i64) -> Event {
    event(user, Kind::UserJoined, second)
}

fn left(user: &str, second: i64) -> Event {
    event(user, Kind::UserLeft, second)
}

fn media(user: &str, track: Track, on: bool, second: i64) -> Event {
    event(user, Kind::Media { track, on }, second)
}

/// Values of one measure, by second.
fn series(user: &str, peer: &str, measure: Measure, points: &[(i64, f64)]) -> Series {
    let flow = Flow {
        app: AppId(APP),
        room: "42".into(),
        user: user.into(),
        peer: peer.into(),
        connection: "PC_0".into(),
    };
    let points = points.iter().map(|(second, value)| (Millis::from_secs(*second), *value)).collect();
    Series { flow, columns: vec![(measure, points)] }
}

fn gauge(user: &str, peer: &str, metric: Metric, points: &[(i64, f64)]) -> Series {
    series(user, peer, Measure::Gauge(metric), points)
}

/// The call `42` from [`BEGIN`], still running, and what else is told of it.
async fn world_with(policy: Policy, events: Vec<Event>, samples: Vec<Series>) -> World<Memory> {
    let store = Memory::default();
    let mut all = vec![event("alice", Kind::RoomCreated, BEGIN)];
    all.extend(events);
    store.append(all).await.unwrap();
    store.append_samples(samples).await.unwrap();
    World::over(policy, store)
}

async fn world(events: Vec<Event>, samples: Vec<Series>) -> World<Memory> {
    world_with(policy(), events, samples).await
}

fn params(changes: Value) -> String {
    let mut params = json!({
        "CommId": format!("{APP}_42_{BEGIN}"), "StartTime": BEGIN, "EndTime": BEGIN + HOUR, "SdkAppId": APP,
    });
    for (name, value) in changes.as_object().unwrap() {
        params[name] = value.clone();
    }
    params.to_string()
}

async fn data<S: Store>(world: &World<S>, changes: Value) -> Value {
    let mut asked = json!({"DataType": ["all"]});
    asked.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let mut answer = world.ask(Ask::of("DescribeCallDetailInfo"), &params(asked)).await;
    assert!(answer["Data"].is_array(), "{answer}");
    answer["Data"].take()
}

/// `user peer metric: second=value …`, seconds since the call began.
fn told(data: &Value) -> Vec<String> {
    let rows = data.as_array().unwrap().iter();
    rows.map(|row| {
        let points: Vec<String> = row["Content"]
            .as_array()
            .unwrap()
            .iter()
            .map(|point| format!("{}={}", point["Time"].as_i64().unwrap() - BEGIN, point["Value"]))
            .collect();
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        format!("{} {:?} {}: {}", text("UserId"), text("PeerId"), text("DataType"), points.join(" "))
    })
    .collect()
}

#[tokio::test]
async fn series_have_the_published_shape_and_order() {
    let events = vec![joined("alice", BEGIN), joined("b\"b", BEGIN + 10), joined("carol", BEGIN + 20)];
    let at = BEGIN + 100;
    let samples = vec![
        gauge("alice", "b\"b", Metric::Width, &[(at, 640.0)]),
        gauge("alice", "?", Metric::ReceiveRate, &[(at, 15.0)]),
        gauge("alice", "", Metric::RoundTrip, &[(at + 2, 0.0), (at, 39.25)]),
        gauge("alice", "", Metric::AppCpu, &[(at, 1e16)]),
        gauge("b\"b", "", Metric::CaptureRate, &[(at, -0.0)]),
    ];
    let world = world(events, samples).await;
    let expected = [
        r#"b"b "" bigvCapFps: 100=0.0"#,
        r#"alice "" appCpu: 100=1e+16"#,
        r#"alice "" rtt: 100=39.25 102=0.0"#,
        r#"alice "?" bigvRecFps: 100=15.0"#,
        r#"alice "b\"b" bigvWidth: 100=640.0"#,
    ];
    assert_eq!(told(&data(&world, json!({})).await), expected);

    // Numbers as they are written, and the order of fields.
    let body = params(json!({"DataType": ["bigvCapFps", "appCpu"], "UserIds": ["b\"b", "alice"]}));
    let reply = world.reply(Ask::of("DescribeCallDetailInfo"), &body, &[]).await;
    let text = String::from_utf8(reply.body).unwrap();
    let wanted = format!(
        "\"Data\":[{{\"Content\":[{{\"Time\":{at},\"Value\":0.0}}],\"PeerId\":\"\",\"UserId\":\"b\\\"b\",\
         \"DataType\":\"bigvCapFps\"}},{{\"Content\":[{{\"Time\":{at},\"Value\":1.0e+16}}],\"PeerId\":\"\",\
         \"UserId\":\"alice\",\"DataType\":\"appCpu\"}}],\"RequestId\""
    );
    assert!(text.contains(&wanted), "{text}");
}

#[tokio::test]
async fn only_what_is_asked_for_is_answered() {
    let events = vec![joined("alice", BEGIN)];
    let samples = Metric::ALL.iter().map(|metric| gauge("alice", "", *metric, &[(BEGIN + 9, 1.0)])).collect();
    let world = world(events, samples).await;
    let check = async |action: &str, names: Value, expected: &[&str]| {
        let body = params(json!({"DataType": names}));
        let answer = world.ask(Ask::of(action), &body).await;
        let rows = answer["Data"].as_array().unwrap();
        let got: Vec<&str> = rows.iter().map(|row| row["DataType"].as_str().unwrap()).collect();
        assert_eq!(got, expected, "{action} {names}");
    };
    let all: Vec<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
    for action in ["DescribeCallDetailInfo", "DescribeCallDetail"] {
        check(action, json!(["all"]), &all).await;
        check(action, json!(["rtt", "all"]), &all).await;
        check(action, json!(["rtt", "aBit", "rtt"]), &["aBit", "rtt"]).await;
        check(action, json!([]), &[]).await;
        check(action, Value::Null, &[]).await;
    }
    let old =
        params(json!({"DataType": ["rtt"], "SdkAppId": APP.to_string(), "PageNumber": "0", "PageSize": "6"}));
    assert_eq!(world.ask(Ask::of("DescribeCallDetail"), &old).await["Data"][0]["DataType"], "rtt");
}

#[tokio::test]
async fn rates_are_made_of_counts_and_reach_back_before_the_window() {
    let at = BEGIN + 100;
    let bytes = [(at, 0.0), (at + 2, 25_000.0), (at + 4, 50_000.0), (at + 6, 60_000.0)];
    let samples = vec![
        series("alice", "", Measure::Counter(Counter::AudioBytes), &bytes),
        series("alice", "", Measure::Stream(Stream::Audio), &[(at, 1.0)]),
    ];
    let world = world(vec![joined("alice", BEGIN)], samples).await;
    let got = data(&world, json!({})).await;
    assert_eq!(told(&got), [r#"alice "" aBit: 102=100000.0 104=100000.0 106=40000.0"#]);
    let window = json!({"StartTime": at + 4, "EndTime": at + 5});
    assert_eq!(told(&data(&world, window).await), [r#"alice "" aBit: 104=100000.0"#]);
}

#[tokio::test]
async fn points_belong_to_the_stays_of_their_user() {
    let events = vec![
        joined("alice", BEGIN + 10),
        left("alice", BEGIN + 20),
        joined("alice", BEGIN + 40),
        left("alice", BEGIN + 50),
        joined("bob", BEGIN + 5),
    ];
    let every = |user: &str| -> Series {
        let points: Vec<(i64, f64)> = (0..12).map(|n| (BEGIN + 5 * n, 1.0)).collect();
        gauge(user, "", Metric::RoundTrip, &points)
    };
    let mut foreign = every("bob");
    foreign.flow.room = "7".into();
    let mut other_app = every("bob");
    other_app.flow.app = AppId(APP + 1);
    other_app.columns[0].0 = Measure::Gauge(Metric::AppCpu);
    let samples = vec![every("alice"), every("bob"), every("nobody"), foreign, other_app];
    let world = world(events, samples).await;
    let check = async |changes: Value, expected: &[&str]| {
        assert_eq!(told(&data(&world, changes.clone()).await), expected, "{changes}");
    };
    let alice = r#"alice "" rtt: 10=1.0 15=1.0 20=1.0 40=1.0 45=1.0 50=1.0"#;
    let bob = r#"bob "" rtt: 5=1.0 10=1.0 15=1.0 20=1.0 25=1.0 30=1.0 35=1.0 40=1.0 45=1.0 50=1.0 55=1.0"#;
    // Alice is on the page twice, and her series is there once.
    check(json!({}), &[alice, bob]).await;
    check(json!({"UserIds": ["alice"]}), &[alice]).await;
    // One stay is on the page; the points of the other are there all the same.
    check(json!({"PageNumber": 0, "PageSize": 1}), &[alice]).await;
    check(json!({"PageNumber": 1, "PageSize": 1}), &[alice]).await;
    check(json!({"PageNumber": 2, "PageSize": 1}), &[bob]).await;
    check(json!({"PageNumber": 9, "PageSize": 1}), &[]).await;
    check(json!({"UserIds": ["nobody", "", "x\u{0}y", "'; --"]}), &[]).await;
    let window = json!({"StartTime": BEGIN + 20, "EndTime": BEGIN + 40});
    check(window, &[r#"alice "" rtt: 20=1.0 40=1.0"#, r#"bob "" rtt: 20=1.0 25=1.0 30=1.0 35=1.0 40=1.0"#])
        .await;
    check(json!({"StartTime": BEGIN + 21, "EndTime": BEGIN + 39, "UserIds": ["alice"]}), &[]).await;
    check(json!({"CommId": format!("{APP}_7_{BEGIN}")}), &[]).await;
}

#[tokio::test]
async fn an_open_stay_reaches_to_now_and_nothing_that_is_no_number_is_shown() {
    let points = [(NOW - 2, f64::NAN), (NOW - 1, f64::INFINITY), (NOW, 3.0), (NOW + 1, 4.0)];
    let samples = vec![gauge("alice", "", Metric::RoundTrip, &points)];
    let world = world(vec![joined("alice", BEGIN)], samples).await;
    let window = json!({"StartTime": NOW - 60, "EndTime": NOW + 60});
    assert_eq!(told(&data(&world, window).await), [format!("alice \"\" rtt: {}=3.0", NOW - BEGIN)]);
}

#[tokio::test]
async fn points_older_than_the_retention_are_not_shown() {
    let start = NOW - 86_400 - 1_800;
    let mut join = joined("alice", start);
    join.at = Millis::from_secs(start);
    let samples = vec![gauge("alice", "", Metric::RoundTrip, &[(NOW - 86_401, 1.0), (NOW - 86_400, 2.0)])];
    for (retention_days, expected) in [(1, 1), (2, 2), (0, 2)] {
        let policy = Policy { retention_days, ..policy() };
        let store = Memory::default();
        // A sign of today keeps the call.
        let sign = media("alice", Track::Audio, true, NOW - 9);
        store.append(vec![join.clone(), sign]).await.unwrap();
        store.append_samples(samples.clone()).await.unwrap();
        let world = World::over(policy, store);
        let changes = json!({
            "CommId": format!("{APP}_42_{start}"), "StartTime": start, "EndTime": start + HOUR, "DataType": ["rtt"],
        });
        let answer = world.ask(Ask::of("DescribeCallDetailInfo"), &params(changes)).await;
        let shown = answer["Data"][0]["Content"].as_array().unwrap().len();
        assert_eq!(shown, expected, "{retention_days} days: {answer}");
    }
}

#[tokio::test]
async fn an_answer_holds_so_many_points_and_no_more() {
    let points: Vec<(i64, f64)> = (0..=HOUR).map(|second| (BEGIN + second, 1.0)).collect();
    let mut samples = Vec::new();
    for peer in 0..33 {
        let columns = Metric::ALL
            .iter()
            .flat_map(|metric| gauge("alice", &format!("p{peer}"), *metric, &points).columns);
        let columns = columns.collect();
        samples.push(Series { columns, ..gauge("alice", &format!("p{peer}"), Metric::Width, &[]) });
    }
    let world = world(vec![joined("alice", BEGIN)], samples).await;
    let code = async |names: Value| {
        world.code(Ask::of("DescribeCallDetailInfo"), &params(json!({"DataType": names}))).await
    };
    assert_eq!(code(json!(["all"])).await, "ResponseSizeLimitExceeded");
    assert_eq!(code(json!(["rtt", "aBit"])).await, "");
}

/// `id(ParamOne)/type@millisecond` of each event of the only sender.
async fn happened(world: &World<Memory>, action: &str, user: &str, changes: Value) -> Vec<String> {
    let mut asked = json!({"UserId": user, "RoomId": "42"});
    asked.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let answer = world.ask(Ask::of(action), &params(asked)).await;
    let senders = answer["Data"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert!(senders.len() < 2, "{answer}");
    let Some(sender) = senders.first() else { return Vec::new() };
    assert_eq!(sender["PeerId"], user);
    let content = sender["Content"].as_array().unwrap();
    assert!(content.iter().all(|line| line["ParamTwo"] == -1), "{answer}");
    content
        .iter()
        .map(|line| {
            let at = line["Time"].as_i64().unwrap() - BEGIN * 1_000;
            format!("{}({})/{}@{at}", line["EventId"], line["ParamOne"], line["Type"])
        })
        .collect()
}

#[tokio::test]
async fn events_have_the_published_shape() {
    let world = world(vec![joined("al\"ice", BEGIN + 1)], Vec::new()).await;
    let body = params(json!({"UserId": "al\"ice", "RoomId": "42"}));
    let reply = world.reply(Ask::of("DescribeUserEvent"), &body, &[]).await;
    let wanted = format!(
        "{{\"Response\":{{\"Data\":[{{\"PeerId\":\"al\\\"ice\",\"Content\":[{{\"Type\":0,\"Time\":{}160,\
         \"EventId\":7000,\"ParamOne\":0,\"ParamTwo\":-1}}]}}],\"RequestId\"",
        BEGIN + 1
    );
    let text = String::from_utf8(reply.body).unwrap();
    assert!(text.starts_with(&wanted), "{text}");
}

#[tokio::test]
async fn events_of_native_clients_have_sdk_ids() {
    let events = vec![
        with(joined("alice", BEGIN + 1), Attr::UserType, "3"),
        media("alice", Track::Audio, true, BEGIN + 2),
        media("alice", Track::Video, true, BEGIN + 3),
        media("alice", Track::Screen, true, BEGIN + 4),
        with(event("alice", Kind::UserChanged, BEGIN + 5), Attr::Role, "audience"),
        with(event("alice", Kind::UserChanged, BEGIN + 6), Attr::Role, "anchor"),
        with(event("alice", Kind::UserChanged, BEGIN + 7), Attr::Role, "33"),
        media("alice", Track::Screen, false, BEGIN + 8),
        media("alice", Track::Video, false, BEGIN + 9),
        media("alice", Track::Audio, false, BEGIN + 10),
        for_reason(left("alice", BEGIN + 11), ReasonClass::Timeout),
        joined("alice", BEGIN + 20),
        for_reason(left("alice", BEGIN + 30), ReasonClass::Kicked),
        joined("bob", BEGIN + 1),
        media("bob", Track::Audio, true, BEGIN + 2),
    ];
    let world = world(events, Vec::new()).await;
    let expected = [
        "7000(0)/0@1160",
        "3001(0)/0@2160",
        "4006(0)/2@3160",
        "4006(0)/7@4160",
        "4006(1)/0@5160",
        "4006(0)/0@6160",
        "4006(1)/7@8160",
        "4006(1)/2@9160",
        "3001(2)/0@10160",
        "7001(1)/0@11160",
        "7000(1)/0@20160",
        "7001(2)/0@30160",
    ];
    for action in ["DescribeUserEvent", "DescribeDetailEvent"] {
        assert_eq!(happened(&world, action, "alice", json!({})).await, expected);
    }
    let old = happened(&world, "DescribeDetailEvent", "bob", json!({"SdkAppId": null})).await;
    assert_eq!(old, ["7000(0)/0@1160", "3001(0)/0@2160"]);
    // The second join is a re-entry, whether the first is in the window or not; bounds are whole seconds.
    let window = json!({"StartTime": BEGIN + 11, "EndTime": BEGIN + 20});
    let got = happened(&world, "DescribeUserEvent", "alice", window).await;
    assert_eq!(got, ["7001(1)/0@11160", "7000(1)/0@20160"]);
}

#[tokio::test]
async fn events_of_webrtc_clients_have_webrtc_ids() {
    let told_in = |source: &str, attr: Option<(Attr, &str)>| {
        let join = joined("alice", BEGIN + 1);
        let join = if let Some((attr, value)) = attr { with(join, attr, value) } else { join };
        let events = vec![
            join,
            media("alice", Track::Audio, true, BEGIN + 2),
            media("alice", Track::Video, true, BEGIN + 3),
            media("alice", Track::Screen, false, BEGIN + 4),
            media("alice", Track::Audio, false, BEGIN + 5),
            with(event("alice", Kind::UserChanged, BEGIN + 6), Attr::Role, "audience"),
        ];
        let source = source.to_owned();
        events.into_iter().map(move |event| Event { source: source.clone(), ..event })
    };
    let web =
        ["32769(-1)/0@2160", "32768(-1)/2@3160", "32770(-1)/7@4160", "32771(-1)/0@5160", "32770(-1)/0@6160"];
    let native = ["3001(0)/0@2160", "4006(0)/2@3160", "4006(1)/7@4160", "3001(2)/0@5160", "4006(1)/0@6160"];
    for (source, attr, expected) in [
        ("livekit", None, web),
        ("janus", None, web),
        ("trtc", Some((Attr::UserType, "1")), web),
        ("events", Some((Attr::ClientType, "Firefox 130")), web),
        ("trtc", Some((Attr::UserType, "2")), native),
        ("events", None, native),
    ] {
        let mut events: Vec<Event> = told_in(source, attr).collect();
        events.push(Event { source: source.into(), ..event("", Kind::RoomCreated, BEGIN) });
        let store = Memory::default();
        store.append(events).await.unwrap();
        let world = World::over(policy(), store);
        let got = happened(&world, "DescribeUserEvent", "alice", json!({})).await;
        assert_eq!(got[0], "7000(0)/0@1160", "{source}");
        assert_eq!(got[1..], expected, "{source} {attr:?}");
    }
    // What was told beside the source counts as well.
    let mut events: Vec<Event> = told_in("events", None).collect();
    events.push(Event { source: "events".into(), ..event("", Kind::RoomCreated, BEGIN) });
    events.push(with(event("alice", Kind::Attributes, BEGIN + 9), Attr::ClientType, "browser"));
    let store = Memory::default();
    store.append(events).await.unwrap();
    let world = World::over(policy(), store);
    assert_eq!(happened(&world, "DescribeUserEvent", "alice", json!({})).await[1..], web);
}

#[tokio::test]
async fn one_happening_told_twice_is_shown_once() {
    let again = for_reason(joined("alice", BEGIN + 30), ReasonClass::NetworkSwitch);
    let twice = for_reason(left("alice", BEGIN + 40), ReasonClass::Normal);
    let events = vec![joined("alice", BEGIN + 1), again, left("alice", BEGIN + 40), twice];
    let world = world(events, Vec::new()).await;
    let got = happened(&world, "DescribeUserEvent", "alice", json!({})).await;
    assert_eq!(got, ["7000(0)/0@1160", "7000(1)/0@30160", "7001(0)/0@40160"]);
}

#[tokio::test]
async fn events_are_of_one_user_in_one_call_of_one_room() {
    let events = vec![
        joined("alice", BEGIN + 1),
        event("", Kind::RoomDestroyed, BEGIN + 100),
        joined("alice", BEGIN + 200),
        for_reason(left("bob", BEGIN + 90), ReasonClass::JoinFailed),
    ];
    let world = world(events, Vec::new()).await;
    let check = async |user: &str, changes: Value, expected: &[&str]| {
        assert_eq!(
            happened(&world, "DescribeUserEvent", user, changes.clone()).await,
            expected,
            "{user} {changes}"
        );
    };
    let far = i64::MAX;
    check("alice", json!({"EndTime": far}), &["7000(0)/0@1160"]).await;
    check("bob", json!({}), &["5003(0)/0@90160"]).await;
    // The second call of that room's name is another one.
    let second = format!("{APP}_42_{}", BEGIN + 200);
    check("alice", json!({"CommId": second}), &["7000(0)/0@200160"]).await;
    check("alice", json!({"RoomId": "43"}), &[]).await;
    check("alice", json!({"RoomId": "42 "}), &[]).await;
    check("nobody", json!({}), &[]).await;
    check("x\u{0}y", json!({}), &[]).await;
    for comm_id in ["nothing", "_", &format!("{APP}_42_"), &format!("{APP}__{BEGIN}"), &"é".repeat(600)] {
        check("alice", json!({"CommId": comm_id}), &[]).await;
    }
}

/// A value every two seconds, `count` times.
fn steadily(from: i64, count: i64, value: f64) -> Vec<(i64, f64)> {
    (0..count).map(|n| (from + 2 * n, value)).collect()
}

async fn unusual(world: &World<Memory>, action: &str, changes: Value) -> Value {
    let mut asked = json!({"SdkAppId": APP, "StartTime": BEGIN, "EndTime": BEGIN + HOUR});
    asked.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    world.ask(Ask::of(action), &asked.to_string()).await
}

/// `user experience@second: id peer, …`
fn experiences(answer: &Value) -> Vec<String> {
    let list = answer["AbnormalExperienceList"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(answer["Total"], list.len());
    list.iter()
        .map(|row| {
            let causes: Vec<String> = row["AbnormalEventList"]
                .as_array()
                .unwrap()
                .iter()
                .map(|cause| format!("{} {}", cause["AbnormalEventId"], cause["PeerId"].as_str().unwrap()))
                .collect();
            let at = row["EventTime"].as_i64().unwrap() - BEGIN;
            format!("{} {}@{at}: {}", row["UserId"].as_str().unwrap(), row["ExperienceId"], causes.join(", "))
        })
        .collect()
}

#[tokio::test]
async fn stutter_is_told_with_what_was_bad_near_it() {
    let at = BEGIN + 600;
    let events = vec![joined("alice", BEGIN + 1), joined("bob", BEGIN + 2)];
    let samples = vec![
        gauge(
            "alice",
            "bob",
            Metric::VideoBlock,
            &[(at, 0.0), (at + 2, 1_500.0), (at + 4, 2_000.0), (at + 6, 0.0)],
        ),
        gauge("alice", "bob", Metric::VideoLoss, &steadily(at - 4, 3, 12.0)),
        gauge("alice", "bob", Metric::AudioLoss, &steadily(at - 4, 3, 12.0)),
        gauge("alice", "", Metric::SysCpu, &steadily(at - 10, 4, 95.0)),
        gauge("alice", "", Metric::AppCpu, &steadily(at + 100, 4, 95.0)),
        gauge("alice", "", Metric::VideoLoss, &steadily(at, 4, 50.0)),
        gauge("bob", "", Metric::RoundTrip, &steadily(at - 6, 5, 900.0)),
        gauge("bob", "", Metric::CaptureRate, &steadily(at - 6, 2, 1.0)),
        gauge("bob", "alice", Metric::AudioBlock, &steadily(at + 300, 2, 500.0)),
        gauge("bob", "alice", Metric::PlayEnergy, &steadily(at + 296, 6, 0.0)),
    ];
    let world = world(events, samples).await;
    let expected = [
        format!("bob 5@{}: 2016 alice, 2023 alice", at + 300 - BEGIN),
        format!("alice 4@{}: 2001 , 2003 bob, 2017 bob, 2024 bob", at + 2 - BEGIN),
    ];
    for action in ["DescribeUnusualEvent", "DescribeAbnormalEvent"] {
        let answer = unusual(&world, action, json!({})).await;
        assert_eq!(experiences(&answer), expected, "{action}");
        assert_eq!(answer["AbnormalExperienceList"][0]["RoomId"], "42");
    }
    let old =
        unusual(&world, "DescribeAbnormalEvent", json!({"SdkAppId": APP.to_string(), "RoomId": "42"})).await;
    assert_eq!(experiences(&old), expected);
    // What began before the window belongs to the window before, and another room has had none.
    let check = async |changes: Value, expected: &[String]| {
        let answer = unusual(&world, "DescribeUnusualEvent", changes.clone()).await;
        assert_eq!(experiences(&answer), expected, "{changes}");
    };
    check(json!({"StartTime": at + 2, "EndTime": at + 2}), &expected[1..]).await;
    check(json!({"StartTime": at + 3, "EndTime": at + 4}), &[]).await;
    check(json!({"EndTime": at + 1}), &[]).await;
    check(json!({"RoomId": "7"}), &[]).await;
    check(json!({"RoomId": ""}), &expected).await;
}

#[tokio::test]
async fn what_users_bore_is_shown_in_the_published_shape_and_order() {
    let world = world(
        vec![joined("alice", BEGIN), left("alice", BEGIN + 100)],
        vec![gauge("alice", "b\"b", Metric::VideoBlock, &[(BEGIN + 100, 1_000.0), (BEGIN + 101, 9_000.0)])],
    )
    .await;
    let body = json!({"SdkAppId": APP, "StartTime": BEGIN, "EndTime": BEGIN + HOUR}).to_string();
    let reply = world.reply(Ask::of("DescribeUnusualEvent"), &body, &[]).await;
    let text = String::from_utf8(reply.body).unwrap();
    let wanted = format!(
        "{{\"Response\":{{\"AbnormalExperienceList\":[{{\"UserId\":\"alice\",\"RoomId\":\"42\",\"EventTime\":{},\
         \"ExperienceId\":4,\"AbnormalEventList\":[{{\"AbnormalEventId\":2024,\"PeerId\":\"b\\\"b\"}}]}}],\
         \"Total\":1,\"RequestId\"",
        BEGIN + 100
    );
    assert!(text.starts_with(&wanted), "{text}");
}

#[tokio::test]
async fn no_more_than_twenty_are_told_and_the_newest_calls_first() {
    let mut events = vec![joined("alice", BEGIN + 1), event("", Kind::RoomDestroyed, BEGIN + 900)];
    events.extend([joined("alice", BEGIN + 1_000), event("", Kind::RoomDestroyed, BEGIN + 1_100)]);
    // Forty seconds apart, with a good point between: each is one of its own.
    let stutters: Vec<(i64, f64)> =
        (0..120).map(|n| (BEGIN + 20 + 20 * n, if n % 2 == 0 { 1_000.0 } else { 0.0 })).collect();
    let world = world(events, vec![gauge("alice", "bob", Metric::VideoBlock, &stutters)]).await;
    let answer = unusual(&world, "DescribeUnusualEvent", json!({})).await;
    let all = experiences(&answer);
    assert_eq!(all.len(), 20);
    assert_eq!(all[..3], ["alice 4@1020: 2024 bob", "alice 4@1060: 2024 bob", "alice 4@1100: 2024 bob"]);
    assert_eq!(all[3], "alice 4@20: 2024 bob");
    assert_eq!(unusual(&world, "DescribeUnusualEvent", json!({})).await, answer, "it is the same each time");
}

#[tokio::test]
async fn a_search_ends_after_so_many_rows() {
    let mut events = vec![joined("alice", BEGIN + 1)];
    // Newer calls, more than one question looks at, in which nothing was bad.
    for n in 0..600 {
        let mut join = joined("bob", BEGIN + 100);
        join.room = format!("quiet {n}");
        events.push(join);
    }
    let stutter = vec![gauge("alice", "bob", Metric::VideoBlock, &[(BEGIN + 200, 1_000.0)])];
    let world = world(events, stutter).await;
    assert_eq!(experiences(&unusual(&world, "DescribeUnusualEvent", json!({})).await), [""; 0]);
    let asked = json!({"RoomId": "42"});
    let found = experiences(&unusual(&world, "DescribeUnusualEvent", asked).await);
    assert_eq!(found, ["alice 4@200: 2024 bob"]);
}
