//! All integration tests: one binary, a module for each area.

mod cli;
mod http;
mod ingest;
mod replay;
