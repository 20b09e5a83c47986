//! Facts about users; what is read is written, and reads again as the same.
#![no_main]

use rollbook::ingest::{ClientIpPolicy, attributes};
use rollbook_fuzz::written::{RECEIVED, check, terms};

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    check(&attributes::parse(terms(ClientIpPolicy::Mask), body, RECEIVED));
});
