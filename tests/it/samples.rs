//! Recorded deliveries, given to the real binary in whatever order and however often: the records are those
//! beside the recordings each time.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use rollbook::ingest::deliveries;
use serde_json::{Value, json};

use crate::server::{Served, check, exchange, post, settings, temporary};

/// The recordings of one source: a folder of `tests/payloads`, and all its sets.
struct Recordings {
    /// The folder, the word of `import`, and the path below `/ingest/`.
    source: &'static str,
    sets: &'static [&'static str],
    /// A moment, in seconds, after the last arrival at which each signature is still good.
    now_s: i64,
    /// Why deliveries are refused when each is given once, and how many.
    refused: &'static [(&'static str, u64)],
}

const TRTC: Recordings = Recordings {
    source: "trtc",
    sets: &["normal", "disorder", "uniqueid"],
    now_s: 1_795_377_800,
    refused: &[("bad_signature", 2)],
};

const LIVEKIT: Recordings = Recordings {
    source: "livekit",
    sets: &["deliveries"],
    now_s: 1_795_370_500,
    refused: &[("bad_body_hash", 1), ("bad_token_signature", 1)],
};

/// What is compared, where the expected rows have it.
const FIELDS_OF_ROOMS: [&str; 6] =
    ["CommId", "RoomString", "CreateTime", "DestroyTime", "IsFinished", "UserId"];
const FIELDS_OF_USERS: [&str; 5] = ["RoomStr", "UserId", "JoinTs", "LeaveTs", "Finished"];

impl Recordings {
    fn read(&self, name: &str) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/payloads").join(self.source);
        std::fs::read_to_string(folder.join(name)).expect("readable")
    }

    fn parsed(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).expect("JSON")
    }

    /// The deliveries of all sets, one a line.
    fn deliveries(&self) -> Vec<String> {
        let lines = |set| self.read(&format!("{set}.ndjson")).lines().map(str::to_owned).collect::<Vec<_>>();
        self.sets.iter().flat_map(lines).collect()
    }

    /// The application of a set: the one that all its calls are of.
    fn app(&self, set: &str) -> u64 {
        let expected = self.parsed(&format!("{set}.expected.json"));
        let rooms = expected["rooms"].as_array().expect("rooms").iter();
        let apps: BTreeSet<&str> =
            rooms.filter_map(|room| room["CommId"].as_str()?.split('_').next()).collect();
        assert_eq!(apps.len(), 1, "{set}");
        apps.first().expect("one").parse().expect("a number")
    }

    /// The settings for all sets, from the keys beside them.
    fn settings(&self) -> String {
        let keys = self.parsed("keys.json");
        let mut apps = String::new();
        for (app, key) in keys["apps"].as_object().into_iter().flatten() {
            write!(apps, "[[account.app]]\nsdk_app_id = {app}\ntrtc_callback_key = {key}\n").expect("text");
        }
        if let (key @ Value::String(_), secret) = (&keys["api_key"], &keys["api_secret"]) {
            let app = &keys["sdk_app_id"];
            let livekit = format!("livekit = {{ api_key = {key}, api_secret = {secret} }}");
            write!(apps, "[[account.app]]\nsdk_app_id = {app}\n{livekit}\n").expect("text");
        }
        settings(&apps)
    }

    /// The binary on these settings.
    fn serve(&self, dir: &Path, store: &[&str]) -> Served {
        std::fs::write(dir.join("s.toml"), self.settings()).expect("written");
        let clock = self.now_s.to_string();
        let serve = ["serve", "--config", "s.toml", "--listen", "127.0.0.1:0", "--clock", &clock];
        Served::start(dir, &[&serve, store].concat())
    }
}

/// The same deliveries in another order, which the seed decides.
fn shuffled(mut lines: Vec<String>, seed: u64) -> Vec<String> {
    let mut state = seed;
    for last in (1..lines.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let place = usize::try_from(state >> 33).expect("31 bits") % (last + 1);
        lines.swap(last, place);
    }
    lines
}

/// A way in which the deliveries are given.
struct Order {
    name: String,
    lines: Vec<String>,
    /// How often each is given.
    times: u64,
}

fn orders(recorded: &[String]) -> Vec<Order> {
    let recorded = recorded.to_vec();
    let order = |name: &str, lines, times| Order { name: name.to_owned(), lines, times };
    let mut orders = vec![
        order("as recorded", recorded.clone(), 1),
        order("reversed", recorded.iter().rev().cloned().collect(), 1),
        order("each twice", recorded.iter().flat_map(|line| [line.clone(), line.clone()]).collect(), 2),
    ];
    for seed in 1..=3 {
        orders.push(order(&format!("shuffled by {seed}"), shuffled(recorded.clone(), seed), 1));
        let twice = [recorded.clone(), recorded.clone()].concat();
        orders.push(order(&format!("each twice, shuffled by {seed}"), shuffled(twice, seed), 2));
    }
    orders
}

/// Rows reduced to those of these fields that the expected rows have, in an order of their own.
fn rows(list: &Value, fields: &[&str], expected: &[Value]) -> BTreeSet<String> {
    let rows = list.as_array().unwrap_or_else(|| panic!("a list: {list}"));
    let fields: Vec<_> =
        fields.iter().filter(|&&name| expected.iter().any(|row| row.get(name).is_some())).collect();
    let row = |row: &Value| fields.iter().map(|&&name| format!("{name}={} ", row[name])).collect();
    let set: BTreeSet<String> = rows.iter().map(row).collect();
    assert_eq!(set.len(), rows.len(), "no row comes twice: {list}");
    set
}

#[track_caller]
fn same(found: &Value, expected: &[Value], fields: &[&str], name: &str) {
    let wanted = Value::Array(expected.to_vec());
    assert_eq!(rows(found, fields, expected), rows(&wanted, fields, expected), "{name}");
}

/// Asks for everything and compares it with what is written beside the recordings.
async fn check_answers(recordings: &Recordings, served: &Served, name: &str) {
    for set in recordings.sets {
        let name = format!("{} {set}, {name}", recordings.source);
        let expected = recordings.parsed(&format!("{set}.expected.json"));
        let rooms = expected["rooms"].as_array().expect("rooms");
        let begin = rooms.iter().map(|room| room["CreateTime"].as_i64().expect("a time")).min();
        let end = rooms.iter().map(|room| room["DestroyTime"].as_i64().expect("a time")).max();
        let window = json!({
            "SdkAppId": recordings.app(set), "StartTime": begin.map(|at| at - 600),
            "EndTime": end.map(|at| at + 600), "PageNumber": 0, "PageSize": 100,
        });
        let reply = served.ask("DescribeRoomInfo", &window, recordings.now_s).await;
        same(&reply["RoomList"], rooms, &FIELDS_OF_ROOMS, &name);
        for room in rooms {
            let mut question = window.clone();
            question["CommId"] = room["CommId"].clone();
            let reply = served.ask("DescribeUserInfo", &question, recordings.now_s).await;
            let users = expected["users"].as_array().expect("users").iter();
            let of_room: Vec<Value> =
                users.filter(|user| user["CommId"] == room["CommId"]).cloned().collect();
            same(&reply["UserList"], &of_room, &FIELDS_OF_USERS, &name);
        }
    }
}

/// Sends deliveries as they came; how many were refused for their signature.
async fn send(recordings: &Recordings, served: &Served, lines: &[String], name: &str) -> u64 {
    let path = format!("/ingest/{}", recordings.source);
    let mut stream = served.connect().await;
    let mut refused = 0;
    for line in lines {
        let delivery = deliveries::parse_line(line.as_bytes()).expect("a delivery").expect("not blank");
        let headers: Vec<String> =
            delivery.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let reply = exchange(&mut stream, &post(&path, &headers, &delivery.body)).await;
        match reply.status {
            200 => assert_eq!(reply.body, r#"{"code":0}"#, "{name}"),
            401 => refused += 1,
            _ => panic!("{name}: {reply:?} to {line}"),
        }
    }
    refused
}

async fn check_posted(recordings: &Recordings, store: &[&str]) {
    let told: u64 = recordings
        .sets
        .iter()
        .filter_map(|set| recordings.parsed(&format!("{set}.expected.json"))["refused"].as_u64())
        .sum();
    assert_eq!(recordings.refused.iter().map(|(_, count)| count).sum::<u64>(), told);
    for Order { name, lines, times } in orders(&recordings.deliveries()) {
        let dir = temporary();
        let served = recordings.serve(dir.path(), store);
        let refused = send(recordings, &served, &lines, &name).await;
        assert_eq!(refused, told * times, "{name}");
        check_answers(recordings, &served, &name).await;
        served.stop();
    }
}

async fn check_imported(recordings: &Recordings) {
    for Order { name, lines, times } in orders(&recordings.deliveries()) {
        let dir = temporary();
        std::fs::write(dir.path().join("s.toml"), recordings.settings()).expect("written");
        std::fs::write(dir.path().join("d.ndjson"), lines.join("\n")).expect("written");
        let reasons = recordings.refused.iter().map(|(reason, count)| format!("{reason} {}", count * times));
        let reasons: Vec<String> = reasons.collect();
        let refused = recordings.refused.iter().map(|(_, count)| count * times).sum::<u64>();
        let said = format!("refused: {refused} lines ({})", reasons.join(", "));
        let import = ["import", recordings.source, "d.ndjson", "--config", "s.toml", "--data-dir", "data"];
        check(dir.path(), &import, 0, &said);
        let served = recordings.serve(dir.path(), &["--data-dir", "data"]);
        check_answers(recordings, &served, &name).await;
        served.stop();
    }
}

#[tokio::test]
async fn callbacks_posted_in_any_order_give_the_expected_records_in_memory() {
    check_posted(&TRTC, &["--memory"]).await;
}

#[tokio::test]
async fn callbacks_posted_in_any_order_give_the_expected_records_on_disk() {
    check_posted(&TRTC, &["--data-dir", "data"]).await;
}

#[tokio::test]
async fn callbacks_imported_in_any_order_give_the_expected_records() {
    check_imported(&TRTC).await;
}

#[tokio::test]
async fn webhooks_posted_in_any_order_give_the_expected_records_in_memory() {
    check_posted(&LIVEKIT, &["--memory"]).await;
}

#[tokio::test]
async fn webhooks_posted_in_any_order_give_the_expected_records_on_disk() {
    check_posted(&LIVEKIT, &["--data-dir", "data"]).await;
}

#[tokio::test]
async fn webhooks_imported_in_any_order_give_the_expected_records() {
    check_imported(&LIVEKIT).await;
}
