//! How often one may ask: fixed windows of one second of the server's clock (contract section 8.2).

use std::sync::atomic::{AtomicU64, Ordering};

/// The calls of the current second, for each of a fixed number of slots (an account and an action). The memory
/// is bounded by that number; nothing is ever swept.
#[derive(Debug)]
pub struct Windows {
    limit: u32,
    /// The second in the upper half, the calls in it in the lower.
    slots: Box<[AtomicU64]>,
}

/// One call too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// Calls of this second so far, this one and the refused ones included.
    pub calls: u32,
    /// Calls that are allowed.
    pub limit: u32,
}

impl Windows {
    /// `limit` calls a second for each slot; 0: no limit.
    pub fn new(slots: usize, limit: u32) -> Windows {
        Windows { limit, slots: (0..slots).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Counts a call in the second `now_s`. A refused call counts too. A slot that does not exist is not limited.
    pub fn take(&self, slot: usize, now_s: i64) -> Result<(), Exceeded> {
        let Some(slot) = self.slots.get(slot).filter(|_| self.limit != 0) else { return Ok(()) };
        // Only whether it is the same second matters, so its lower half is enough for 136 years.
        let second = now_s.cast_unsigned() << 32;
        let next = |seen: u64| {
            let calls = if seen & !CALLS == second { (seen & CALLS).saturating_add(1).min(CALLS) } else { 1 };
            second | calls
        };
        let mut seen = slot.load(Ordering::Relaxed);
        while let Err(other) =
            slot.compare_exchange_weak(seen, next(seen), Ordering::Relaxed, Ordering::Relaxed)
        {
            seen = other;
        }
        let calls = u32::try_from(next(seen) & CALLS).unwrap_or(u32::MAX);
        if calls > self.limit { Err(Exceeded { calls, limit: self.limit }) } else { Ok(()) }
    }

    /// How many calls were counted in the second `now_s` so far.
    pub fn seen(&self, slot: usize, now_s: i64) -> u32 {
        let seen = self.slots.get(slot).map_or(0, |slot| slot.load(Ordering::Relaxed));
        let is_now = seen & !CALLS == now_s.cast_unsigned() << 32;
        if is_now { u32::try_from(seen & CALLS).unwrap_or(u32::MAX) } else { 0 }
    }
}

/// The half of a slot that counts.
const CALLS: u64 = 0xffff_ffff;

#[cfg(test)]
mod tests {
    use super::{Exceeded, Windows};

    #[test]
    fn a_second_allows_its_number_and_counts_the_refused() {
        let windows = Windows::new(2, 20);
        for _ in 0..20 {
            assert_eq!(windows.take(0, 7), Ok(()));
        }
        assert_eq!(windows.take(0, 7), Err(Exceeded { calls: 21, limit: 20 }));
        assert_eq!(windows.take(0, 7), Err(Exceeded { calls: 22, limit: 20 }));
        assert_eq!(windows.take(1, 7), Ok(()), "another slot is another count");
        assert_eq!(windows.take(0, 8), Ok(()), "the next second begins anew");
        assert_eq!(windows.take(0, 7), Ok(()), "so does a clock that was set back");
    }

    #[test]
    fn zero_is_no_limit() {
        let windows = Windows::new(1, 0);
        assert!((0..1_000).all(|_| windows.take(0, 7).is_ok()));
    }

    #[test]
    fn times_before_1970_count_too() {
        let windows = Windows::new(1, 1);
        assert_eq!(windows.take(0, -1), Ok(()));
        assert!(windows.take(0, -1).is_err());
    }
}
