//! What files of the embedded store hold: the first byte says which kind of key or value, the rest is it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rollbook::store::embedded::fuzz::read(bytes));
