//! Integration tests: one binary, a module for each area.
#![expect(clippy::unwrap_used, reason = "tests")]

mod access;
mod backup;
mod canned;
mod cli;
mod crash;
mod docs;
mod happenings;
mod hostile;
mod http;
mod ingest;
mod janus;
mod live;
mod privacy;
mod quality;
mod questions;
mod replay;
mod roundtrip;
mod samples;
mod scale;
mod server;
mod signing;
mod stats;
mod vectors;
mod versions;
mod web;
