//! A call in one row, for lists of calls.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::cast::{self, Cast};
use super::fill;
use super::story::Direction;
use crate::records::{Call, ReasonClass};
use crate::store::Store;
use crate::web::lanes::Span;
use crate::web::score::{self, Grade, Runs};
use crate::web::words::Lang;
use crate::web::{Context, Trouble};

/// Cells of a strip.
const CELLS: usize = 20;
/// The height of a strip in its own units, and of the least part of a cell: what was short is seen too.
const HEIGHT: i64 = 100;
const PART_MIN: i64 = 10;

/// Seconds of users that were good, fair and poor.
type Seconds = [i64; 3];

/// What a list tells of a call.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::web) struct Brief {
    pub(in crate::web) users: usize,
    pub(in crate::web) peak: usize,
    pub(in crate::web) sessions: usize,
    /// How many were graded to find the worst, and of how many of them anything was measured.
    pub(in crate::web) looked: usize,
    pub(in crate::web) measured: usize,
    /// The mean over all stretches of those who were graded.
    pub(in crate::web) score: Option<f64>,
    /// What went wrong for anybody, as far as leaves tell it.
    pub(in crate::web) problems: BTreeSet<ReasonClass>,
    cells: [Seconds; CELLS],
    /// Of the whole call.
    pub(in crate::web) seconds: Seconds,
}

/// Reads a call, or takes what is kept of it.
pub(in crate::web) async fn brief<S: Store>(context: &Context<'_, S>, call: &Call) -> Result<Brief, Trouble> {
    Ok(Brief::of(&*cast::read(context, call, Direction::Both).await?))
}

impl Brief {
    fn of(cast: &Cast) -> Brief {
        let graded = || cast.members.iter().filter_map(|member| member.graded.as_ref());
        let runs: Runs = graded().flatten().copied().collect();
        let mut seconds = [0; 3];
        runs.iter().for_each(|(from, to, grade)| seconds[place(*grade)] += to - from);
        Brief {
            users: cast.members.len(),
            peak: cast.peak,
            sessions: cast.sessions,
            looked: graded().count(),
            measured: cast.graded,
            score: score::score(&runs),
            problems: cast.problems.clone(),
            cells: cells(cast.span, &runs),
            seconds,
        }
    }

    /// How it was over time: a cell for each twentieth of the call, with the shares of good, fair and poor time of users.
    pub(in crate::web) fn strip(&self, words: Lang) -> Markup {
        let all: i64 = self.seconds.iter().sum();
        if all == 0 {
            return html! { span.dim title=(words.not_measured()) { "–" } };
        }
        let [good, fair, poor] = self.seconds.map(|part| ((part * 100 + all / 2) / all).to_string());
        let told = fill(words.shares(), &[&good, &fair, &poor]);
        html! {
            svg.lane viewBox={ "0 0 " (CELLS * 10) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(told) {
                title { (told) }
                @for (cell, seconds) in self.cells.iter().enumerate() {
                    @for (class, top, height) in parts(*seconds) {
                        rect class=(class) x=(cell * 10) y=(top) width="8" height=(height) {}
                    }
                }
            }
        }
    }
}

const fn place(grade: Grade) -> usize {
    match grade {
        Grade::Good => 0,
        Grade::Fair => 1,
        Grade::Poor => 2,
    }
}

/// How long users were good, fair and poor in each part of a span.
fn cells(span: Span, runs: &Runs) -> [Seconds; CELLS] {
    let mut cells = [[0; 3]; CELLS];
    let count = i64::try_from(CELLS).unwrap_or(1);
    let bound = |cell: i64| span.from + span.width() * cell / count;
    for (nth, cell) in (0..).zip(&mut cells) {
        let (begin, end) = (bound(nth), bound(nth + 1));
        for (from, to, grade) in runs {
            cell[place(*grade)] += (end.min(*to) - begin.max(*from)).max(0);
        }
    }
    cells
}

/// The parts of a cell from the top down: class, top and height. Nothing where nothing was measured.
fn parts([good, fair, poor]: Seconds) -> impl Iterator<Item = (&'static str, i64, i64)> {
    let all = good + fair + poor;
    let least = |seconds: i64| if seconds == 0 { 0 } else { (seconds * HEIGHT / all).max(PART_MIN) };
    // Good gives what the others need to be seen, then fair.
    let poor = least(poor);
    let fair = least(fair).min(HEIGHT - poor);
    let good = if all == 0 { 0 } else { HEIGHT - poor - fair };
    let (bad, fairly, well) = (Grade::Poor.name(), Grade::Fair.name(), Grade::Good.name());
    [(bad, 0, poor), (fairly, poor, fair), (well, poor + fair, good)].into_iter().filter(|part| part.2 > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_the_time_of_all_users() {
        let span = Span { from: 1_000, to: 1_200 };
        // Two users: one measures from before the call on, the other only in its last cell, and beyond it.
        let runs = vec![(990, 1_020, Grade::Good), (1_020, 1_025, Grade::Fair), (1_190, 1_210, Grade::Poor)];
        let found = cells(span, &runs);
        let expected = |cell: usize| match cell {
            0 | 1 => [10, 0, 0],
            2 => [0, 5, 0],
            19 => [0, 0, 10],
            _ => [0, 0, 0],
        };
        for (cell, seconds) in found.into_iter().enumerate() {
            assert_eq!(seconds, expected(cell), "{cell}");
        }
        assert_eq!(
            cells(Span { from: 0, to: 7 }, &vec![(0, 7, Grade::Good)])
                .map(|cell| cell[0])
                .iter()
                .sum::<i64>(),
            7
        );
    }

    #[test]
    fn the_least_part_of_a_cell_is_seen_and_a_cell_is_filled_or_empty() {
        let check = |seconds: Seconds, expected: &[(&str, i64, i64)]| {
            assert_eq!(parts(seconds).collect::<Vec<_>>(), expected, "{seconds:?}");
        };
        check([0, 0, 0], &[]);
        check([10, 0, 0], &[("good", 0, 100)]);
        check([50, 25, 25], &[("poor", 0, 25), ("fair", 25, 25), ("good", 50, 50)]);
        check([998, 1, 1], &[("poor", 0, 10), ("fair", 10, 10), ("good", 20, 80)]);
        check([0, 1, 999], &[("poor", 0, 99), ("fair", 99, 1)]);
    }
}
