//! Deliveries of the event handler of Janus, one behind the other at each newline: what one leaves behind the next finds.
#![no_main]

use rollbook::ingest::{ClientIpPolicy, Head, janus};
use rollbook::records::{AppId, Millis};

libfuzzer_sys::fuzz_target!(|bodies: &[u8]| {
    let memory = janus::Memory::default();
    let received = Millis(1_800_000_000_000);
    let head = Head { tail: None, query: &[], header: &|_| None, is_local: true, received, verify: false };
    for body in bodies.split(|byte| *byte == b'\n') {
        let _ = janus::read(&memory, AppId(1), ClientIpPolicy::Mask, body, &head);
    }
});
