//! The body of a webhook whose token holds; what is read is written, and reads again as the same.
#![no_main]

use rollbook::ingest::livekit;
use rollbook_fuzz::written::{APP, RECEIVED, check_events};

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    if let Ok(events) = livekit::decode(APP, &[], body, RECEIVED) {
        check_events(&Vec::from_iter(events));
    }
});
