//! The lines of an RTCStats dump, behind a head that is sound.
#![no_main]

use rollbook::ingest::{ClientIpPolicy, Terms, Told, stats};
use rollbook::records::{AppId, Millis};

const TERMS: Terms = Terms { app: Some(AppId(1)), client_ip: ClientIpPolicy::Mask };
const TOLD: Told<'static> = Told { room: Some("r"), user: Some("u"), peer: None };
const HEAD: &[u8] = b"RTCStatsDump\n{\"fileFormat\":3}\n[\"create\",\"0\",{},1795380516780]\n";

libfuzzer_sys::fuzz_target!(|lines: &[u8]| {
    let _ = stats::parse(TERMS, TOLD, &[HEAD, lines].concat(), Millis(1_800_000_000_000));
});
