//! Days of a zone in a row, and how much of each hour was spent in calls.

use maud::{Markup, html};

use super::super::lanes::Span;
use super::super::prefs::{SECOND_MAX, Zone};
use crate::limits::DAY_S;

/// Days that are shown.
pub(super) const DAYS: i64 = 14;
const HOUR_S: i64 = 3_600;
/// The height of a row in its own units, and of the least bar: what lasted for seconds is seen too.
const HEIGHT: i64 = 100;
const BAR_MIN: i64 = 12;

/// Seconds of each hour of a day.
pub(super) type Hours = [i64; 24];

/// [`DAYS`] days of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Days {
    /// The first second of the first day.
    from_s: i64,
}

impl Days {
    /// The days up to the one that contains a second.
    pub(super) fn until(second: i64, zone: Zone) -> Days {
        let shift_s = i64::from(zone.minutes()) * 60;
        let last = (second.clamp(0, SECOND_MAX) + shift_s).div_euclid(DAY_S);
        Days { from_s: (last + 1 - DAYS) * DAY_S - shift_s }
    }

    /// All of their seconds; the end is the first second behind them.
    pub(super) fn span(self) -> Span {
        Span { from: self.from_s, to: self.from_s + DAYS * DAY_S }
    }

    /// The first second of each day.
    pub(super) fn begins(self) -> impl DoubleEndedIterator<Item = i64> {
        (0..DAYS).map(move |day| self.from_s + day * DAY_S)
    }

    /// How many seconds of each hour of each day lie within spans of time; what lies within several counts once.
    pub(super) fn hours(self, spans: &[(i64, i64)]) -> Vec<Hours> {
        let all = self.span();
        let mut days: Vec<Hours> = self.begins().map(|_| [0; 24]).collect();
        let mut sorted = spans.to_vec();
        sorted.sort_unstable();
        let mut done = all.from;
        for (from, to) in sorted {
            // What began and ended in one second lasted for that second.
            let (mut at, to) = (from.max(done), to.max(from.saturating_add(1)).min(all.to));
            while at < to {
                let hour = (at - all.from) / HOUR_S;
                let end = (all.from + (hour + 1) * HOUR_S).min(to);
                let place =
                    usize::try_from(hour).ok().and_then(|hour| days.get_mut(hour / 24)?.get_mut(hour % 24));
                if let Some(seconds) = place {
                    *seconds += end - at;
                }
                at = end;
            }
            done = done.max(to);
        }
        days
    }
}

/// One day as bars, a bar an hour.
pub(super) fn row(hours: &Hours) -> Markup {
    let bars = (0i64..).zip(hours).filter(|(_, seconds)| **seconds > 0);
    html! {
        svg.hours viewBox={ "0 0 " (DAY_S) " " (HEIGHT) } preserveAspectRatio="none" aria-hidden="true" {
            @for hour in [6, 12, 18] { path d={ "M" (hour * HOUR_S) " 0V" (HEIGHT) } vector-effect="non-scaling-stroke" {} }
            @for (hour, seconds) in bars {
                @let height = (seconds * HEIGHT / HOUR_S).max(BAR_MIN);
                rect x=(hour * HOUR_S + 200) y=(HEIGHT - height) width=(HOUR_S - 400) height=(height) {}
            }
        }
    }
}

/// The hours above the rows.
pub(super) fn axis() -> Markup {
    html! {
        svg.ticks aria-hidden="true" {
            @for (percent, text) in [(25, "06:00"), (50, "12:00"), (75, "18:00")] {
                text x={ (percent) "%" } y="13" { (text) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-25T00:00Z.
    const MIDNIGHT: i64 = 1_795_564_800;

    #[test]
    fn days_are_those_of_the_zone() {
        let begins = |second: i64, zone: Zone| {
            let days = Days::until(second, zone);
            let span = days.span();
            assert_eq!(span.to - span.from, DAYS * DAY_S);
            let all: Vec<i64> = days.begins().map(|begin| (begin - MIDNIGHT) / HOUR_S).collect();
            assert!(all.windows(2).all(|pair| pair[1] - pair[0] == 24));
            all[13]
        };
        assert_eq!(begins(MIDNIGHT, Zone::Utc), 0);
        assert_eq!(begins(MIDNIGHT - 1, Zone::Utc), -24);
        assert_eq!(begins(MIDNIGHT + DAY_S - 1, Zone::Utc), 0);
        // Midnight in UTC+8 is at 16:00 of the day before.
        assert_eq!(begins(MIDNIGHT + 16 * HOUR_S - 1, Zone::Cst), -8);
        assert_eq!(begins(MIDNIGHT + 16 * HOUR_S, Zone::Cst), 16);
        // And west of UTC it is later.
        assert_eq!(begins(MIDNIGHT, Zone::Browser(-480)), -16);
        let days = Days::until(MIDNIGHT, Zone::Browser(345));
        assert_eq!(days.span().from, MIDNIGHT - 13 * DAY_S - 345 * 60, "a quarter of an hour");
        // No second that an address may say is too much.
        for second in [i64::MIN, i64::MAX] {
            Days::until(second, Zone::Browser(840)).hours(&[(i64::MIN, i64::MAX)]);
        }
    }

    #[test]
    fn spans_fall_into_hours_across_midnight_and_count_once() {
        let check = |zone: Zone, spans: &[(i64, i64)], expected: &[(usize, usize, i64)]| {
            let spans: Vec<(i64, i64)> =
                spans.iter().map(|(from, to)| (MIDNIGHT + from, MIDNIGHT + to)).collect();
            let hours = Days::until(MIDNIGHT, zone).hours(&spans);
            let mut found = Vec::new();
            for (day, hours) in hours.iter().enumerate() {
                let some = hours.iter().enumerate().filter(|(_, seconds)| **seconds > 0);
                found.extend(some.map(|(hour, seconds)| (day, hour, *seconds)));
            }
            assert_eq!(found, expected, "{zone:?}");
        };
        check(Zone::Utc, &[], &[]);
        check(Zone::Utc, &[(-600, 900)], &[(12, 23, 600), (13, 0, 900)]);
        check(Zone::Cst, &[(-600, 900)], &[(13, 7, 600), (13, 8, 900)]);
        check(Zone::Browser(-210), &[(-600, 900)], &[(13, 20, 1_500)]);
        check(Zone::Browser(30), &[(-2_400, -1_200)], &[(12, 23, 600), (13, 0, 600)]);
        // Two calls at a time, in any order; one within another.
        check(Zone::Utc, &[(3_000, 4_000), (600, 3_300), (700, 800)], &[(13, 0, 3_000), (13, 1, 400)]);
        check(Zone::Utc, &[(5, 5)], &[(13, 0, 1)]);
        // What began before the days, and what goes on behind them.
        check(Zone::Utc, &[(-15 * DAY_S, -13 * DAY_S + 60)], &[(0, 0, 60)]);
        check(Zone::Utc, &[(DAY_S - 60, 9 * DAY_S)], &[(13, 23, 60)]);
        check(Zone::Utc, &[(DAY_S, DAY_S + 5), (-14 * DAY_S, -13 * DAY_S)], &[]);
        let whole = Days::until(MIDNIGHT, Zone::Utc).hours(&[(i64::MIN, i64::MAX)]);
        assert!(whole.iter().flatten().all(|seconds| *seconds == HOUR_S) && whole.len() == 14);
    }

    #[test]
    fn bars_stay_within_their_row() {
        let mut hours = [0; 24];
        (hours[0], hours[23]) = (1, HOUR_S);
        let svg = row(&hours).into_string();
        assert_eq!(svg.matches("<rect").count(), 2, "{svg}");
        assert!(svg.contains(r#"x="200" y="88" width="3200" height="12""#), "{svg}");
        assert!(svg.contains(r#"x="83000" y="0" width="3200" height="100""#), "{svg}");
    }
}
