//! Neutral events and measurements: what is read is written, and reads again as the same.
#![no_main]

use rollbook::ingest::{ClientIpPolicy, lines};
use rollbook_fuzz::written::{RECEIVED, check, terms};

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    check(&lines::parse(terms(ClientIpPolicy::Keep), body, RECEIVED));
});
