//! WebRTC statistics, as requests and files bring them.
#![no_main]

use rollbook::ingest::{ClientIpPolicy, Terms, Told, stats};
use rollbook::records::{AppId, Millis};

const TERMS: Terms = Terms { app: Some(AppId(1)), client_ip: ClientIpPolicy::Mask };
const TOLD: Told<'static> = Told { room: Some("r"), user: Some("u"), peer: None };

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let _ = stats::parse_file(TERMS, TOLD, body, Millis(1_800_000_000_000));
});
