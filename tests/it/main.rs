//! Integration tests: one binary, a module for each area.
#![expect(clippy::unwrap_used, reason = "tests")]

mod docs;
mod questions;
mod vectors;
