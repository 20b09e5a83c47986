//! The body of a callback whose signature holds; what is read is written, and reads again as the same.
#![no_main]

use rollbook::ingest::trtc;
use rollbook_fuzz::written::{APP, RECEIVED, check_events};

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    if let Ok(event) = trtc::decode(APP, body, RECEIVED) {
        check_events(&[event]);
    }
});
