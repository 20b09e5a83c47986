//! Integration tests: one binary, a module for each area.
#![expect(clippy::unwrap_used, reason = "tests")]

mod canned;
mod docs;
mod ingest;
mod questions;
mod signing;
mod vectors;
