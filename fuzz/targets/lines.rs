//! Neutral events: what is read is written, and reads again as the same.
#![no_main]

use rollbook::ingest::{ClientIpPolicy, Terms, export, lines};
use rollbook::records::{AppId, Millis};

const TERMS: Terms = Terms { app: Some(AppId(1)), client_ip: ClientIpPolicy::Keep };

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let received = Millis(1_800_000_000_000);
    let read = lines::parse(TERMS, body, received);
    let mut written = Vec::new();
    for event in &read.events {
        export::event(&mut written, event);
    }
    let again = lines::parse(TERMS, &written, received);
    assert_eq!(again.refused, []);
    assert_eq!(again.events, read.events);
});
