//! What can happen, as data: a history is a list of these, and any part of one is a history too, so that a failure
//! shrinks by leaving things out.

/// Numbers that only the seed decides (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Draws {
        Draws(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a usize")
    }

    /// From `first` up to but without `end`.
    pub(crate) fn between(&mut self, first: i64, end: i64) -> i64 {
        first + i64::try_from(self.next() % end.abs_diff(first)).expect("below an i64")
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len())]
    }
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Something happens in a room; its sender has something to tell.
    Happen,
    /// A sender tells what it has told longest ago, or what was not acknowledged.
    Deliver,
    /// A delivery is made once more though it was acknowledged.
    Repeat,
    /// A delivery is made in other words, which is the same event.
    Reword,
    /// The next delivery waits behind all others.
    Delay,
    /// Deliveries overtake each other.
    Reorder,
    /// A delivery is kept, but its sender does not hear it.
    LoseAcknowledgement,
    /// The store fails before it has kept anything.
    FailBefore,
    /// The store fails when it has kept a part.
    FailBetween,
    /// The store fails when it has kept everything.
    FailAfter,
    /// The disk fails once in the middle of what is written.
    FailDisk,
    /// A question finds the store broken.
    FailQuestion,
    /// The process is killed, and started again.
    Crash,
    /// The power fails, and comes back.
    PowerOff,
    /// Days that are over for long are packed.
    Seal,
    /// What is older than the retention is dropped.
    Sweep,
    /// The key of the API is replaced.
    Rotate,
    /// Time goes by.
    Pass,
    /// The clock jumps by up to an hour, either way.
    JumpHour,
    /// The clock jumps by days, either way.
    JumpDays,
    /// Senders repeat until everything is acknowledged.
    Settle,
    /// Questions are asked.
    Ask,
    /// Somebody asks or sends who may not.
    Forge,
}

/// How often each happens, of their sum.
#[rustfmt::skip]
const WEIGHTS: [(What, usize); 23] = [
    (What::Happen, 26),
    (What::Deliver, 26),
    (What::Repeat, 5),
    (What::Reword, 4),
    (What::Delay, 3),
    (What::Reorder, 3),
    (What::LoseAcknowledgement, 3),
    (What::FailBefore, 2),
    (What::FailBetween, 2),
    (What::FailAfter, 2),
    (What::FailDisk, 5),
    (What::FailQuestion, 1),
    (What::Crash, 3),
    (What::PowerOff, 4),
    (What::Seal, 2),
    (What::Sweep, 2),
    (What::Rotate, 1),
    (What::Pass, 5),
    (What::JumpHour, 2),
    (What::JumpDays, 2),
    (What::Settle, 3),
    (What::Ask, 5),
    (What::Forge, 2),
];

/// Something that happens. What exactly follows from the number and from what was before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Op {
    pub(crate) what: What,
    pub(crate) number: u64,
}

impl Op {
    pub(crate) fn draws(self) -> Draws {
        Draws::new(self.number)
    }
}

/// The history of a seed.
pub(crate) fn history(seed: u64, steps: usize) -> Vec<Op> {
    let mut draws = Draws::new(seed);
    let sum: usize = WEIGHTS.iter().map(|(_, weight)| weight).sum();
    let mut op = || {
        let mut place = draws.below(sum);
        let what = WEIGHTS.iter().find(|(_, weight)| {
            let is_here = place < *weight;
            place = place.saturating_sub(*weight);
            is_here
        });
        Op { what: what.expect("a place below the sum").0, number: draws.next() }
    };
    (0..steps).map(|_| op()).collect()
}
