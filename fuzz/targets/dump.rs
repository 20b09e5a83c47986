//! The lines of an RTCStats dump, behind a head that is sound; what is read is written, and reads again as the same.
#![no_main]

use rollbook::ingest::{ClientIpPolicy, Told, stats};
use rollbook_fuzz::written::{RECEIVED, check, terms};

const TOLD: Told<'static> = Told { room: Some("r"), user: Some("u"), peer: None };
const HEAD: &[u8] = b"RTCStatsDump\n{\"fileFormat\":3}\n[\"create\",\"0\",{},1795380516780]\n";

libfuzzer_sys::fuzz_target!(|lines: &[u8]| {
    check(&stats::parse(terms(ClientIpPolicy::Mask), TOLD, &[HEAD, lines].concat(), RECEIVED));
});
