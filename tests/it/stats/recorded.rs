//! The recorded call: a browser that sends over one connection and receives over another, with loss both ways.

use super::*;
use crate::server::{BEARER, Served, exchange, post, settings, temporary};

const CALL: &str = include_str!("../../payloads/getstats/chromium_call.json");
const DUMP: &[u8] = include_bytes!("../../payloads/getstats/chromium_call.rtcstats_v3.jsonl");
const INTERNALS: &[u8] = include_bytes!("../../payloads/getstats/chromium_call.webrtc_internals.json.gz");
const EXPECTED: &str = include_str!("../../payloads/getstats/chromium_call.expected.ndjson");

/// Each report of the call as a body of its own.
fn bodies() -> Vec<String> {
    let call: Value = serde_json::from_str(CALL).expect("JSON");
    let samples = call["samples"].as_array().expect("samples");
    let body = |sample: &Value| {
        json!({
            "room": call["meta"]["room"], "user": call["meta"]["user"], "peer": call["meta"]["peer"],
            "pc": sample["pc"], "ts": sample["t"], "reports": sample["report"],
        })
        .to_string()
    };
    samples.iter().map(body).collect()
}

/// What is expected: peer, metric and second to the value.
fn expected() -> BTreeMap<(&'static str, Metric, i64), f64> {
    let mut expected = BTreeMap::new();
    for line in EXPECTED.lines() {
        let row: Value = serde_json::from_str(line).expect("JSON");
        let name = row["DataType"].as_str().expect("a name");
        let metric = Metric::ALL.iter().copied().find(|metric| metric.name() == name).expect(name);
        // The connection that sends shows its round trip upstream, the one that receives with the peer.
        let peer = if row["pc"] == "pub" { "" } else { PEER };
        let at = row["Time"].as_i64().expect("a time");
        let value = row["Value"].as_f64().expect("a number");
        assert_eq!(expected.insert((peer, metric, at), value), None, "{line}");
    }
    expected
}

/// The expected points are there, within 1 % or one unit, and no others but before the first of them: the first report
/// alone makes no rate.
fn compare(shown: &BTreeMap<String, BTreeMap<Metric, Points>>, name: &str) {
    let mut expected = expected();
    let mut wrong = String::new();
    assert_eq!(expected.len(), 190);
    for (peer, metrics) in shown {
        for (metric, points) in metrics {
            for (at, value) in points {
                let peer = if peer.is_empty() { "" } else { PEER };
                match expected.remove(&(peer, *metric, at.secs())) {
                    Some(wanted) if (wanted - value).abs() <= (wanted.abs() / 100.0).max(1.0) => {}
                    None if at.secs() < 1_795_380_520 => {}
                    other => {
                        writeln!(wrong, "{peer:?} {metric:?} {at:?}: {value}, expected {other:?}")
                            .expect("text");
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty() && expected.is_empty(), "{name}: {wrong} missing: {expected:?}");
    assert_eq!(shown.keys().map(String::as_str).collect::<Vec<_>>(), ["", PEER], "{name}");
}

async fn check(bodies: Vec<String>, name: &str) {
    let parsed: Vec<Parsed> = bodies.iter().map(|body| good(body)).collect();
    compare(&shown(parsed.into_iter().flat_map(|parsed| parsed.samples).collect()).await, name);
}

#[tokio::test]
async fn reports_give_what_was_worked_out_in_any_order_and_however_often() {
    let bodies = bodies();
    assert_eq!(bodies.len(), 22);
    check(bodies.clone(), "in order").await;
    check(bodies.iter().rev().cloned().collect(), "reversed").await;
    check(bodies.iter().flat_map(|body| [body.clone(), body.clone()]).collect(), "doubled").await;
    for seed in 1..=20 {
        check(shuffled(bodies.clone(), seed), &format!("shuffled by {seed}")).await;
        let twice = [bodies.clone(), bodies.clone()].concat();
        check(shuffled(twice, seed), &format!("doubled and shuffled by {seed}")).await;
    }
    check(vec![bodies.join("\n")], "in one body").await;
    check(vec![CALL.to_owned()], "as it was recorded").await;
    let call: Value = serde_json::from_str(CALL).expect("JSON");
    check(vec![serde_json::to_string_pretty(&call).expect("JSON")], "over many lines").await;
}

#[tokio::test]
async fn the_dump_of_the_call_gives_the_same() {
    let parsed = stats::parse_file(TERMS, TOLD, DUMP, RECEIVED);
    assert_eq!(parsed.refused, []);
    assert_eq!(parsed.events.len(), 1);
    compare(&shown(parsed.samples).await, "dump");
}

/// The mean of a metric, for files whose points are at other moments.
fn mean(shown: &BTreeMap<String, BTreeMap<Metric, Points>>, peer: &str, metric: Metric) -> f64 {
    let points = &shown[peer][&metric];
    // The part of the call that both recordings have.
    let common = points.iter().filter(|(at, _)| (1_795_380_521..1_795_380_538).contains(&at.secs()));
    let values: Vec<f64> = common.map(|(_, value)| *value).collect();
    values.iter().sum::<f64>() / values.len() as f64
}

#[tokio::test]
async fn what_the_browsers_own_page_saved_agrees() {
    let file = ingest::gunzip(INTERNALS, 10_000_000).expect("gzip");
    let parsed = stats::parse_file(TERMS, TOLD, &file, RECEIVED);
    assert_eq!(parsed.refused, []);
    let page = shown(parsed.samples).await;
    let call = shown(good(CALL).samples).await;
    // The page samples every second, our recording every two: the means are compared, not the points.
    let check = |peer: &str, metric: Metric, percent: f64, units: f64| {
        let (found, wanted) = (mean(&page, peer, metric), mean(&call, peer, metric));
        let tolerance = (wanted * percent / 100.0).max(units);
        assert!((found - wanted).abs() <= tolerance, "{peer:?} {metric:?}: {found}, not {wanted}");
    };
    check("", Metric::AudioBitRate, 3.0, 0.0);
    check("", Metric::VideoBitRate, 5.0, 0.0);
    check("", Metric::EncodeRate, 3.0, 0.5);
    check("", Metric::CaptureRate, 3.0, 0.5);
    check("", Metric::Width, 0.0, 0.0);
    check("", Metric::Height, 0.0, 0.0);
    check("", Metric::AudioLoss, 0.0, 1.0);
    check("", Metric::VideoLoss, 0.0, 1.0);
    check("", Metric::RoundTrip, 0.0, 5.0);
    check(PEER, Metric::AudioBitRate, 3.0, 0.0);
    check(PEER, Metric::VideoBitRate, 5.0, 0.0);
    check(PEER, Metric::DecodeRate, 5.0, 1.0);
    check(PEER, Metric::Width, 0.0, 0.0);
    check(PEER, Metric::AudioLoss, 0.0, 1.0);
    check(PEER, Metric::VideoLoss, 0.0, 1.0);
    check(PEER, Metric::RoundTrip, 0.0, 5.0);
    // A freeze is credited when it ends, in an interval of one second or of two.
    let sum = |shown: &BTreeMap<String, BTreeMap<Metric, Points>>, metric: Metric| {
        shown[PEER][&metric].iter().map(|(_, value)| value).sum::<f64>()
    };
    assert!((sum(&page, Metric::VideoBlock) - 6_560.0).abs() < 0.01, "{}", sum(&page, Metric::VideoBlock));
    assert!((sum(&call, Metric::VideoBlock) - 6_560.0).abs() < 0.01, "{}", sum(&call, Metric::VideoBlock));
}

#[test]
fn the_recordings_tell_the_browser() {
    let file = ingest::gunzip(INTERNALS, 10_000_000).expect("gzip");
    for file in [CALL.as_bytes(), DUMP, &file] {
        let [event] = stats::parse_file(TERMS, TOLD, file, RECEIVED).events.try_into().expect("one event");
        let Event { app, room, user, kind, at, attrs, .. } = event;
        assert_eq!((app, room.as_str(), user.as_str(), kind), (APP_ID, ROOM, USER, Kind::Attributes));
        assert!((1_795_380_518..1_795_380_520).contains(&at.secs()), "{at:?}");
        let told: Vec<(Attr, &str)> = attrs.iter().map(|(attr, text)| (*attr, text.as_str())).collect();
        let wanted = [(Attr::Os, "Linux"), (Attr::SdkVersion, "Chrome 156.0.0.0"), (Attr::Device, "Linux")];
        assert_eq!(told, wanted);
    }
}

/// What the API shows of the call, as `shown` has it.
async fn answered(served: &Served) -> BTreeMap<String, BTreeMap<Metric, Points>> {
    const NOW_S: i64 = 1_795_380_600;
    let mut question = json!({
        "SdkAppId": APP_ID.0, "StartTime": NOW_S - 600, "EndTime": NOW_S, "PageNumber": 0, "PageSize": 6,
    });
    let rooms = served.ask("DescribeRoomInfo", &question, NOW_S).await;
    question["CommId"] = rooms["RoomList"][0]["CommId"].clone();
    question["DataType"] = json!(["all"]);
    let answer = served.ask("DescribeCallDetailInfo", &question, NOW_S).await;
    let mut shown: BTreeMap<String, BTreeMap<Metric, Points>> = BTreeMap::new();
    for series in answer["Data"].as_array().unwrap_or_else(|| panic!("series: {answer}")) {
        assert_eq!(series["UserId"], USER);
        let metric = Metric::ALL.iter().copied().find(|metric| series["DataType"] == metric.name());
        let point = |point: &Value| {
            (
                Millis::from_secs(point["Time"].as_i64().expect("a time")),
                point["Value"].as_f64().expect("a number"),
            )
        };
        let points = series["Content"].as_array().expect("points").iter().map(point).collect();
        let peer = series["PeerId"].as_str().expect("a peer").to_owned();
        let replaced = shown.entry(peer).or_default().insert(metric.expect("a metric"), points);
        assert_eq!(replaced, None, "no series comes twice");
    }
    shown
}

#[tokio::test]
async fn the_api_shows_what_was_posted_in_any_order() {
    let dir = temporary();
    let apps = format!("[[account.app]]\nsdk_app_id = {}\ningest_token = \"ingest-token\"\n", APP_ID.0);
    std::fs::write(dir.path().join("s.toml"), settings(&apps)).expect("written");
    let event = |kind: &str, at_ms: i64| {
        json!({ "kind": kind, "room": ROOM, "user": USER, "at_ms": at_ms }).to_string()
    };
    let events = [event("joined", 1_795_380_517_000), event("left", 1_795_380_541_000)].join("\n");
    let bodies = bodies();
    let twice = [bodies.clone(), bodies.clone()].concat();
    for (name, bodies) in [
        ("in order", bodies.clone()),
        ("reversed", bodies.iter().rev().cloned().collect()),
        ("shuffled", shuffled(bodies.clone(), 1)),
        ("doubled", bodies.iter().flat_map(|body| [body.clone(), body.clone()]).collect()),
        ("doubled and shuffled", shuffled(twice, 2)),
    ] {
        let arguments =
            ["serve", "--memory", "--clock", "1795380600", "--config", "s.toml", "--listen", "127.0.0.1:0"];
        let served = Served::start(dir.path(), &arguments);
        let mut stream = served.connect().await;
        let requests = [post("/ingest/events", &[BEARER], events.as_bytes())].into_iter();
        let reports = bodies.iter().map(|body| post("/ingest/stats", &[BEARER], body.as_bytes()));
        for request in requests.chain(reports) {
            let reply = exchange(&mut stream, &request).await;
            assert_eq!((reply.status, &reply.json()["refused"]), (200, &json!(0)), "{reply:?}");
        }
        compare(&answered(&served).await, name);
        served.stop();
    }
}
