//! The body of a webhook whose token holds.
#![no_main]

use rollbook::ingest::livekit;
use rollbook::records::{AppId, Millis};

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let _ = livekit::decode(AppId(1), &[], body, Millis(1_800_000_000_000));
});
