//! A packed body never unpacks beyond its limit.
#![no_main]

use rollbook::ingest::gunzip;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    if let Ok(unpacked) = gunzip(body, 100_000) {
        assert!(unpacked.len() <= 100_000);
    }
});
