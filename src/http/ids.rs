//! Ids of requests: random UUIDs that cost nanoseconds.

use std::sync::atomic::{AtomicU64, Ordering};

use uuid::{Builder, Uuid};

/// Gives an id to every request. Unpredictable enough to tell requests apart, no secret.
#[derive(Debug)]
pub struct Ids {
    high: u64,
    low: u64,
    counter: AtomicU64,
}

impl Ids {
    /// A sequence that this seed decides.
    pub fn new(seed: [u8; 16]) -> Ids {
        let (high, low) = seed.split_at(8);
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte));
        let (high, low) = (number(high), number(low));
        Ids { high, low, counter: AtomicU64::new(0) }
    }

    /// The next id: a version 4 UUID.
    pub fn next(&self) -> Uuid {
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        let high = mix(self.high.wrapping_add(count.wrapping_mul(STEP)));
        let low = mix(self.low.wrapping_add(high).wrapping_add(count));
        Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes()).into_uuid()
    }
}

/// The step of the SplitMix64 generator, an odd number near 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The mixing function of SplitMix64; one to one, so that no id comes twice.
fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_different_version_4_uuids_decided_by_the_seed() {
        let ids = Ids::new([7; 16]);
        let many: std::collections::BTreeSet<_> = (0..10_000).map(|_| ids.next()).collect();
        assert_eq!(many.len(), 10_000);
        assert!(many.iter().all(|id| id.get_version_num() == 4));
        assert_eq!(Ids::new([7; 16]).next(), Ids::new([7; 16]).next());
        assert_ne!(Ids::new([7; 16]).next(), Ids::new([8; 16]).next());
    }
}
