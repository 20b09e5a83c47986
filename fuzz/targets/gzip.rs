//! A packed body never unpacks beyond its limit; and any body, packed, unpacks to itself where the limit allows it.
#![no_main]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use rollbook::ingest::{Rejected, gunzip};

const BYTES_MAX: usize = 100_000;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    if let Ok(unpacked) = gunzip(body, BYTES_MAX) {
        assert!(unpacked.len() <= BYTES_MAX);
    }
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = packer.write_all(body).and_then(|()| packer.finish()).expect("memory can be written");
    assert!(gunzip(&packed, body.len()).is_ok_and(|unpacked| unpacked == body));
    if let Some(limit_bytes) = body.len().checked_sub(1) {
        assert!(matches!(gunzip(&packed, limit_bytes), Err(Rejected::TooLarge { .. })));
    }
});
