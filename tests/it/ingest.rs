//! What sources send, decoded: recorded deliveries, published vectors, hostile bodies.

use rollbook::ingest::deliveries::{self, Delivery};
use rollbook::ingest::{self, App, Apps, ClientIpPolicy, Rejected, trtc};
use rollbook::limits::Secret;
use rollbook::records::{AppId, Event, Millis};

const KEYS: &str = include_str!("../payloads/trtc/keys.json");
const RECEIVED: Millis = Millis(1_795_400_000_000);

/// The applications of the samples, with their callback keys; 3 has none, 4 has none and needs none.
fn apps() -> Apps {
    let keys: serde_json::Value = serde_json::from_str(KEYS).expect("keys.json is JSON");
    let app = |id: u64, key: Option<&str>, trtc_unsigned: bool| App {
        trtc_callback_key: key.map(Secret::new),
        trtc_unsigned,
        ..App::new(AppId(id))
    };
    let mut apps = vec![app(3, None, false), app(4, None, true)];
    for (id, key) in keys["apps"].as_object().expect("keys.json has apps") {
        apps.push(app(id.parse().expect("an application is a number"), key.as_str(), false));
    }
    Apps::new(apps, ClientIpPolicy::Keep)
}

fn delivered(file: &str) -> Vec<Delivery> {
    let parse = |line: &str| deliveries::parse_line(line.as_bytes()).expect("a recorded delivery");
    file.lines().filter_map(parse).collect()
}

fn accept(delivery: &Delivery) -> Result<Event, Rejected> {
    let (app, sign) = (delivery.header("sdkappid"), delivery.header("SIGN"));
    trtc::accept(&apps(), app, sign, &delivery.body, delivery.arrival)
}

/// An event on one line, for tables: everything but the application, the source and the receipt.
fn told(event: &Event) -> String {
    let mut line = Vec::new();
    ingest::export::event(&mut line, event);
    let line = String::from_utf8(line).expect("an export is UTF-8");
    let (_, line) = line.split_once(&format!("\"{}\",", event.source)).expect("its source");
    let (line, _) = line.split_once(",\"received_ms\"").expect("an event has a receipt");
    line.replace('"', "")
}

mod callbacks;
pub(crate) mod documented;
mod finished;
mod livekit;
mod neutral;
