//! Facts about users.
#![no_main]

use rollbook::ingest::{ClientIpPolicy, Terms, attributes};
use rollbook::records::{AppId, Millis};

const TERMS: Terms = Terms { app: Some(AppId(1)), client_ip: ClientIpPolicy::Mask };

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let _ = attributes::parse(TERMS, body, Millis(1_800_000_000_000));
});
