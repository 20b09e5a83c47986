//! What time it is. Nothing else asks the operating system; everything below takes the time as an argument.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::records::Millis;

/// Tells the time: that of the machine, or one that stands still for tests and emulation.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    standing: Option<Millis>,
}

impl Clock {
    /// The clock of the machine.
    pub const fn system() -> Clock {
        Clock { standing: None }
    }

    /// A clock that stands at this UNIX second for ever.
    pub const fn standing_at(secs: i64) -> Clock {
        Clock { standing: Some(Millis::from_secs(secs)) }
    }

    /// Whether it stands still.
    pub const fn stands(self) -> bool {
        self.standing.is_some()
    }

    /// Now. Before 1970 the machine's clock counts as 1970.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
    pub fn now(self) -> Millis {
        self.standing.unwrap_or_else(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
        })
    }

    /// Begins to measure how long something takes. This runs also where the clock stands.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
    pub fn stopwatch(self) -> Stopwatch {
        Stopwatch(Instant::now())
    }
}

/// Time since the first question for it in this process; never goes back.
#[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
pub fn monotonic() -> Duration {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGIN.elapsed()
}

/// Measures a duration.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// How long it has run.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// How long it has run, in microseconds.
    pub fn elapsed_us(self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_clock_stands() {
        let clock = Clock::standing_at(1_590_065_777);
        assert_eq!(clock.now(), Millis(1_590_065_777_000));
        assert_eq!(clock.now(), clock.now());
        assert_eq!((clock.stands(), Clock::system().stands()), (true, false));
    }

    #[test]
    fn the_system_clock_is_past_the_day_this_was_written() {
        assert!(Clock::system().now() > Millis::from_secs(1_700_000_000));
    }
}
