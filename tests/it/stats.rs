//! WebRTC statistics: the recorded call in all formats and orders, the traps of browsers, and who may send.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rollbook::ingest::{
    self, App, Apps, ClientIpPolicy, Endpoint, Head, Ingest, Parsed, Rejected, Terms, Told, stats,
};
use rollbook::limits::Secret;
use rollbook::records::quality::{self, Metric, Points, Series};
use rollbook::records::{AppId, Attr, Event, Kind, Millis};
use rollbook::store::{Memory, SampleQuery, Store as _};
use serde_json::{Value, json};

mod documented;
mod dumps;
mod imported;
mod recorded;
mod senders;
mod traps;

const RECEIVED: Millis = Millis(1_795_400_000_000);
const APP_ID: AppId = AppId(1_400_000_123);
const ROOM: &str = "clinic-204";
const USER: &str = "dora@example.org";
const PEER: &str = "erik@example.org";
const TERMS: Terms = Terms { app: Some(APP_ID), client_ip: ClientIpPolicy::Keep };
const TOLD: Told<'static> = Told { room: Some(ROOM), user: Some(USER), peer: Some(PEER) };

/// A moment that reports of these tests are near to.
const T_MS: i64 = 1_795_380_500_000;

fn take(body: &str) -> Parsed {
    stats::parse(TERMS, Told::default(), body.as_bytes(), RECEIVED)
}

/// Takes a body that is good.
#[track_caller]
fn good(body: &str) -> Parsed {
    let parsed = take(body);
    assert_eq!(parsed.refused, [], "{body}");
    parsed
}

/// What the store shows of one user and peer, after it was given these measurements.
async fn shown(given: Vec<Series>) -> BTreeMap<String, BTreeMap<Metric, Points>> {
    let store = Memory::default();
    let owner = given.first().map(|series| series.flow.clone()).expect("something was measured");
    store.append_samples(given).await.expect("kept");
    let users = [owner.user];
    let window = (Millis(0), Millis(4_000_000_000_000));
    let query =
        SampleQuery { app: owner.app, room: &owner.room, users: &users, from: window.0, to: window.1 };
    let mut by_peer: BTreeMap<String, Vec<Series>> = BTreeMap::new();
    for series in store.samples(&query).await.expect("given") {
        by_peer.entry(series.flow.peer.clone()).or_default().push(series);
    }
    let metrics = |series: Vec<Series>| quality::metrics(&series.iter().collect::<Vec<_>>());
    by_peer.into_iter().map(|(peer, series)| (peer, metrics(series))).collect()
}

/// One metric of one peer, in seconds since `T_MS`.
fn points(shown: &BTreeMap<String, BTreeMap<Metric, Points>>, peer: &str, metric: Metric) -> Vec<(i64, f64)> {
    let points = shown.get(peer).and_then(|metrics| metrics.get(&metric));
    let since = |at: Millis| (at.0 - T_MS).div_euclid(1_000);
    points.into_iter().flatten().map(|(at, value)| (since(*at), *value)).collect()
}

/// A body with one report.
fn body(after_s: i64, objects: &Value) -> String {
    body_with(after_s, objects, json!({}))
}

/// A body with one report, and members that are added or replaced.
fn body_with(after_s: i64, objects: &Value, more: Value) -> String {
    let ts = T_MS + 1_000 * after_s;
    let mut body =
        json!({ "room": ROOM, "user": USER, "peer": PEER, "pc": "pc", "ts": ts, "reports": objects });
    if let Value::Object(more) = more {
        body.as_object_mut().expect("an object").extend(more);
    }
    body.to_string()
}

/// The same in another order, which the seed decides.
fn shuffled<T>(mut list: Vec<T>, seed: u64) -> Vec<T> {
    let mut state = seed;
    for last in (1..list.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let place = usize::try_from(state >> 33).expect("31 bits") % (last + 1);
        list.swap(last, place);
    }
    list
}
