//! How often one address may fail to prove who it is.
//!
//! A failure is counted for the address that it came from, in fixed windows of a minute. Over the limit, what an address
//! sends is refused unread for the rest of the minute, so that guesses, and questions about which names exist, stay few.
//! But behind one address are many: so who has proven from there, within a day, to be who it says it is, is still
//! listened to, under that name. A stranger thus keeps nobody out who was in before, and others for as long as it goes
//! on failing at most.
//!
//! Both memories are tables of a fixed size, filled by a hash that nobody can foresee. Two addresses may share a place:
//! one then suffers like a neighbour behind the same address.

use std::hash::Hasher as _;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::rate::Windows;

/// Addresses, or crowds of them, that are told apart; 8 bytes each.
const ADDRESSES: usize = 1 << 16;
/// Who is remembered to have proven something; 8 bytes each.
const KNOWN: usize = 1 << 16;
/// How long that is remembered, in minutes.
const KNOWN_MINUTES: u64 = 24 * 60;
/// The bits of a remembered proof that say when it was.
const WHEN: u64 = 0xf_ffff;

/// Counts failures, and remembers who succeeded.
#[derive(Debug)]
pub struct Attempts {
    /// Makes places unforeseeable.
    seed: [u8; 16],
    /// Failures of one address in a minute; 0: no limit.
    most: AtomicU32,
    failures: Windows,
    known: Box<[AtomicU64]>,
}

impl Attempts {
    /// Nobody has failed yet. `seed` is random.
    pub fn new(seed: [u8; 16], most_per_minute: u32) -> Attempts {
        Attempts {
            seed,
            most: AtomicU32::new(most_per_minute),
            failures: Windows::new(ADDRESSES, u32::MAX),
            known: (0..KNOWN).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Puts another limit in the place of the one there is; 0: no limit.
    pub fn allow(&self, most_per_minute: u32) {
        self.most.store(most_per_minute, Ordering::Relaxed);
    }

    fn hash(&self, parts: [&[u8]; 3]) -> u64 {
        // Its own key is fixed; what nobody knows goes in first.
        let mut hasher = std::hash::DefaultHasher::new();
        hasher.write(&self.seed);
        for part in parts {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
        hasher.finish()
    }
}

/// Who sends something, as far as is known before it has proven anything.
#[derive(Debug, Clone, Copy)]
pub struct From<'a> {
    /// Where it is counted; `None`: nowhere.
    pub attempts: Option<&'a Attempts>,
    /// Its address.
    pub address: u128,
    /// The minute in which it came.
    pub minute: u64,
}

impl From<'_> {
    /// Somebody whose failures are not counted.
    pub const ANYBODY: From<'static> = From { attempts: None, address: 0, minute: 0 };

    /// Whether it may try to prove that it is `who`, for the door of that name.
    pub fn may_try(&self, door: &str, who: &[u8]) -> bool {
        let Some(attempts) = self.attempts else { return true };
        let most = attempts.most.load(Ordering::Relaxed);
        most == 0
            || attempts.failures.seen(self.place(attempts), self.moment()) < most
            || self.knows(attempts, door, who)
    }

    /// It did not prove it.
    pub fn failed(&self) {
        if let Some(attempts) = self.attempts {
            // What the count says is asked before the next attempt.
            let _ = attempts.failures.take(self.place(attempts), self.moment());
        }
    }

    /// It did.
    pub fn succeeded(&self, door: &str, who: &[u8]) {
        if let Some(attempts) = self.attempts {
            let (place, mark) = self.mark(attempts, door, who);
            let now = mark | (self.minute & WHEN);
            if attempts.known[place].load(Ordering::Relaxed) != now {
                attempts.known[place].store(now, Ordering::Relaxed);
            }
        }
    }

    fn knows(&self, attempts: &Attempts, door: &str, who: &[u8]) -> bool {
        let (place, mark) = self.mark(attempts, door, who);
        let seen = attempts.known[place].load(Ordering::Relaxed);
        seen & !WHEN == mark && (self.minute & WHEN).wrapping_sub(seen & WHEN) <= KNOWN_MINUTES
    }

    /// Where it is remembered, and what of the hash is kept there; never 0, which is nobody.
    fn mark(&self, attempts: &Attempts, door: &str, who: &[u8]) -> (usize, u64) {
        let hash = attempts.hash([&self.address.to_be_bytes(), door.as_bytes(), who]);
        let place = usize::try_from(hash & WHEN).unwrap_or_default() % KNOWN;
        (place, (hash & !WHEN) | (WHEN + 1))
    }

    fn place(&self, attempts: &Attempts) -> usize {
        let hash = attempts.hash([&self.address.to_be_bytes(), b"", b""]);
        usize::try_from(hash & WHEN).unwrap_or_default() % ADDRESSES
    }

    fn moment(&self) -> i64 {
        i64::try_from(self.minute).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempts, From};

    const ALICE: &[u8] = b"AKIDalice";

    fn from(attempts: &Attempts, address: u128, minute: u64) -> From<'_> {
        From { attempts: Some(attempts), address, minute }
    }

    #[test]
    fn an_address_fails_so_often_and_is_heard_again_in_the_next_minute() {
        let attempts = Attempts::new([1; 16], 3);
        let stranger = from(&attempts, 7, 100);
        for _ in 0..3 {
            assert!(stranger.may_try("api", ALICE));
            stranger.failed();
        }
        assert!(!stranger.may_try("api", ALICE));
        assert!(!stranger.may_try("ingest", b"another"));
        assert!(from(&attempts, 8, 100).may_try("api", ALICE), "another address");
        assert!(from(&attempts, 7, 101).may_try("api", ALICE), "another minute");
        attempts.allow(0);
        assert!(stranger.may_try("api", ALICE), "no limit");
    }

    #[test]
    fn who_was_in_before_is_not_kept_out_by_a_stranger_behind_the_same_address() {
        let attempts = Attempts::new([1; 16], 1);
        from(&attempts, 7, 100).succeeded("api", ALICE);
        for minute in 100..100 + 24 * 60 {
            let here = from(&attempts, 7, minute);
            here.failed();
            assert!(here.may_try("api", ALICE), "{minute}");
            assert!(!here.may_try("api", b"AKIDbob"), "{minute}");
            assert!(!here.may_try("ingest", ALICE), "{minute}");
            assert!(minute != 100 || from(&attempts, 8, minute).may_try("api", ALICE));
        }
        let late = from(&attempts, 7, 101 + 24 * 60);
        late.failed();
        assert!(!late.may_try("api", ALICE), "a day is over");
        late.succeeded("api", ALICE);
        assert!(late.may_try("api", ALICE));
    }

    #[test]
    fn many_addresses_take_no_more_memory_than_few() {
        let attempts = Attempts::new([1; 16], 1);
        for address in 0..200_000 {
            let from = from(&attempts, address, 1);
            from.failed();
            from.succeeded("api", &address.to_be_bytes());
        }
        assert_eq!(attempts.known.len(), super::KNOWN);
    }

    #[test]
    fn nobody_counts_anybody() {
        From::ANYBODY.failed();
        From::ANYBODY.succeeded("api", ALICE);
        assert!(From::ANYBODY.may_try("api", ALICE));
    }
}
