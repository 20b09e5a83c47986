//! Finished records, as lines and as a table.
#![no_main]

use rollbook::ingest::{ClientIpPolicy, Terms, records};
use rollbook::records::{AppId, Millis};

const TERMS: Terms = Terms { app: Some(AppId(1)), client_ip: ClientIpPolicy::Drop };

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let received = Millis(1_800_000_000_000);
    let _ = records::parse_ndjson(TERMS, body, received);
    let _ = records::parse_csv(TERMS, body, received);
});
