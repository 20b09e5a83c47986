//! The body of a callback whose signature holds.
#![no_main]

use rollbook::ingest::trtc;
use rollbook::records::{AppId, Millis};

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let _ = trtc::decode(AppId(1), body, Millis(1_800_000_000_000));
});
