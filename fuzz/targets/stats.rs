//! WebRTC statistics, as requests and files bring them; what is read is written, and reads again as the same.
#![no_main]

use rollbook::ingest::{ClientIpPolicy, Told, stats};
use rollbook_fuzz::written::{RECEIVED, check, terms};

const TOLD: Told<'static> = Told { room: Some("r"), user: Some("u"), peer: None };

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    check(&stats::parse_file(terms(ClientIpPolicy::Mask), TOLD, body, RECEIVED));
});
