//! rollbook is the call-record server you own. RTC servers report who entered and left which room; it answers
//! "who was in that call, when, from what, how good was it?" through an API that is wire-compatible with Tencent
//! RTC's call-quality monitoring API. Events are the ground truth, records are a fold over a set of events, and
//! an event is acknowledged only after it is durable. `ARCHITECTURE.md` has the map.

pub mod records;
pub mod wire;
pub mod limits;
pub mod store;
pub mod ingest;
pub mod actions;
pub mod web;
pub mod http;
pub mod cli;
pub mod config;
pub mod clock;
pub mod telemetry;
