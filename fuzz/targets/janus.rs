//! Deliveries of the event handler of Janus, one behind the other at each newline: what one leaves behind the next finds.
//! What is read is written, and reads again as the same.
#![no_main]

use rollbook::ingest::{ClientIpPolicy, Head, janus};
use rollbook_fuzz::written::{APP, RECEIVED, check};

libfuzzer_sys::fuzz_target!(|bodies: &[u8]| {
    let memory = janus::Memory::default();
    let head =
        Head { tail: None, query: &[], header: &|_| None, is_local: true, received: RECEIVED, verify: false };
    for body in bodies.split(|byte| *byte == b'\n') {
        if let Ok(parsed) = janus::read(&memory, APP, ClientIpPolicy::Mask, body, &head) {
            check(&parsed);
        }
    }
});
