//! The recorded callbacks of TRTC, given to the real binary in whatever order and however often: the records are
//! those beside the recordings each time.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rollbook::ingest::deliveries;
use serde_json::{Value, json};

use crate::server::{Served, check, exchange, post, settings, temporary};

const SETS: [&str; 3] = ["normal", "disorder", "uniqueid"];
/// A few seconds after the last arrival of all sets.
const NOW_S: i64 = 1_795_377_800;
const FIELDS_OF_ROOMS: [&str; 6] =
    ["CommId", "RoomString", "CreateTime", "DestroyTime", "IsFinished", "UserId"];
const FIELDS_OF_USERS: [&str; 5] = ["RoomStr", "UserId", "JoinTs", "LeaveTs", "Finished"];

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/payloads/trtc").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(file(name)).expect("readable")
}

fn parsed(name: &str) -> Value {
    serde_json::from_str(&read(name)).expect("JSON")
}

/// The deliveries of all sets, one a line.
fn deliveries() -> Vec<String> {
    SETS.iter()
        .flat_map(|set| read(&format!("{set}.ndjson")).lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// The application that all deliveries of a set name.
fn app(set: &str) -> u64 {
    let apps: BTreeSet<u64> = read(&format!("{set}.ndjson"))
        .lines()
        .map(|line| {
            let delivery = deliveries::parse_line(line.as_bytes()).expect("a delivery").expect("not blank");
            delivery.header("SdkAppId").expect("told").parse().expect("a number")
        })
        .collect();
    assert_eq!(apps.len(), 1, "{set}");
    *apps.first().expect("one")
}

fn sample_settings() -> String {
    let keys = parsed("keys.json");
    let mut apps = String::new();
    for (app, key) in keys["apps"].as_object().expect("applications") {
        write!(apps, "[[account.app]]\nsdk_app_id = {app}\ntrtc_callback_key = {key}\n").expect("text");
    }
    settings(&apps)
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

fn orders() -> Vec<Order> {
    let recorded = deliveries();
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

/// How many deliveries are refused when each is given once.
fn refused_once() -> u64 {
    SETS.iter().filter_map(|set| parsed(&format!("{set}.expected.json"))["refused"].as_u64()).sum()
}

/// Rows reduced to these fields, in an order of their own.
fn rows(list: &Value, fields: &[&str]) -> BTreeSet<String> {
    let rows = list.as_array().unwrap_or_else(|| panic!("a list: {list}"));
    let row = |row: &Value| fields.iter().map(|name| format!("{name}={} ", row[name])).collect();
    let set: BTreeSet<String> = rows.iter().map(row).collect();
    assert_eq!(set.len(), rows.len(), "no row comes twice: {list}");
    set
}

/// Asks for everything and compares it with what is written beside the recordings.
async fn check_answers(served: &Served, name: &str) {
    for set in SETS {
        let (app, expected) = (app(set), parsed(&format!("{set}.expected.json")));
        let rooms = expected["rooms"].as_array().expect("rooms");
        let begin = rooms.iter().map(|room| room["CreateTime"].as_i64().expect("a time")).min();
        let end = rooms.iter().map(|room| room["DestroyTime"].as_i64().expect("a time")).max();
        let window = json!({
            "SdkAppId": app, "StartTime": begin.map(|at| at - 600), "EndTime": end.map(|at| at + 600),
            "PageNumber": 0, "PageSize": 100,
        });
        let reply = served.ask("DescribeRoomInfo", &window, NOW_S).await;
        let (found, wanted) =
            (rows(&reply["RoomList"], &FIELDS_OF_ROOMS), rows(&expected["rooms"], &FIELDS_OF_ROOMS));
        assert_eq!(found, wanted, "{set}, {name}");
        for room in rooms {
            let mut question = window.clone();
            question["CommId"] = room["CommId"].clone();
            let reply = served.ask("DescribeUserInfo", &question, NOW_S).await;
            let users = expected["users"].as_array().expect("users").iter();
            let of_room = users.filter(|user| user["CommId"] == room["CommId"]).cloned().collect();
            let (found, wanted) =
                (rows(&reply["UserList"], &FIELDS_OF_USERS), rows(&of_room, &FIELDS_OF_USERS));
            assert_eq!(found, wanted, "{set}, {name}");
        }
    }
}

/// Sends deliveries as they came; how many were refused for their signature.
async fn send(served: &Served, lines: &[String], name: &str) -> u64 {
    let mut stream = served.connect().await;
    let mut refused = 0;
    for line in lines {
        let delivery = deliveries::parse_line(line.as_bytes()).expect("a delivery").expect("not blank");
        let headers: Vec<String> =
            delivery.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let reply = exchange(&mut stream, &post("/ingest/trtc", &headers, &delivery.body)).await;
        match reply.status {
            200 => assert_eq!(reply.body, r#"{"code":0}"#, "{name}"),
            401 => refused += 1,
            _ => panic!("{name}: {reply:?} to {line}"),
        }
    }
    refused
}

async fn check_posted(store: &[&str]) {
    for Order { name, lines, times } in orders() {
        let dir = temporary();
        std::fs::write(dir.path().join("s.toml"), sample_settings()).expect("written");
        let clock = NOW_S.to_string();
        let serve = ["serve", "--config", "s.toml", "--listen", "127.0.0.1:0", "--clock", &clock];
        let served = Served::start(dir.path(), &[&serve, store].concat());
        let refused = send(&served, &lines, &name).await;
        assert_eq!(refused, refused_once() * times, "{name}");
        check_answers(&served, &name).await;
        served.stop();
    }
}

#[tokio::test]
async fn callbacks_posted_in_any_order_give_the_expected_records_in_memory() {
    check_posted(&["--memory"]).await;
}

#[tokio::test]
async fn callbacks_posted_in_any_order_give_the_expected_records_on_disk() {
    check_posted(&["--data-dir", "data"]).await;
}

#[tokio::test]
async fn callbacks_imported_in_any_order_give_the_expected_records() {
    for Order { name, lines, times } in orders() {
        let dir = temporary();
        std::fs::write(dir.path().join("s.toml"), sample_settings()).expect("written");
        std::fs::write(dir.path().join("d.ndjson"), lines.join("\n")).expect("written");
        let refused = refused_once() * times;
        let said = format!("refused: {refused} lines (bad_signature {refused})");
        let import = ["import", "trtc", "d.ndjson", "--config", "s.toml", "--data-dir", "data"];
        check(dir.path(), &import, 0, &said);
        let clock = NOW_S.to_string();
        let serve = ["serve", "--config", "s.toml", "--listen", "127.0.0.1:0", "--clock", &clock];
        let served = Served::start(dir.path(), &[&serve[..], &["--data-dir", "data"]].concat());
        check_answers(&served, &name).await;
        served.stop();
    }
}
