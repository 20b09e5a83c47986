//! Lanes: one SVG a user, whose x axis is seconds, so that the server does no pixel maths and a script zooms by setting
//! one `viewBox`. Bars are SVG, since a strict policy allows no inline style.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};

use super::prefs::Zone;
use super::score::{Grade, Runs};
use crate::records::{JoinSource, LeaveSource, Millis, Session};

/// The seconds that are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Span {
    pub(super) fn width(self) -> i64 {
        (self.to - self.from).max(1)
    }

    /// `viewBox`: seconds from the begin of the span on.
    pub(super) fn view_box(self, height: u32) -> String {
        format!("0 0 {} {height}", self.width())
    }

    /// Round moments of a zone to mark on the axis, some six of them.
    pub(super) fn ticks(self, zone: Zone) -> Vec<(i64, String)> {
        const STEPS: [i64; 14] =
            [1, 5, 10, 30, 60, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400];
        let step = STEPS.into_iter().find(|step| self.width() / step <= 8).unwrap_or(86_400 * 7);
        let shift = i64::from(zone.minutes()) * 60;
        let mut at = (self.from + shift).div_euclid(step) * step - shift;
        let mut ticks = Vec::new();
        while at <= self.to {
            if at >= self.from {
                let time = zone.time(Millis::from_secs(at));
                let text = if step < 60 { time } else { time.get(..5).unwrap_or_default().to_owned() };
                ticks.push((at, text));
            }
            at += step;
        }
        ticks
    }
}

/// The height of a lane in its own units.
const HEIGHT: u32 = 100;
/// Marks nearer to each other than a part of so many of the span are one.
const MARKS_APART: i64 = 160;

/// Where a user was inside.
#[derive(Debug)]
pub(super) struct Stay<'a> {
    pub(super) session: &'a Session,
    /// When the user came and left, and how that is known.
    pub(super) told: String,
}

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) at: i64,
    pub(super) is_problem: bool,
}

/// Marks that would lie upon each other as one: when, how many, whether one is a problem.
fn grouped(marks: &[Mark], span: Span) -> Vec<(Mark, usize)> {
    let mut groups: Vec<(Mark, usize)> = Vec::new();
    for mark in marks.iter().filter(|mark| span.from <= mark.at && mark.at <= span.to) {
        match groups.last_mut() {
            Some((group, count)) if (mark.at - group.at) * MARKS_APART < span.width() => {
                group.is_problem |= mark.is_problem;
                *count += 1;
            }
            _ => groups.push((*mark, 1)),
        }
    }
    groups
}

/// One user's lane: where the user was inside, how it was, and what happened.
pub(super) fn lane(span: Span, stays: &[Stay<'_>], runs: &Runs, marks: &[Mark], now: Millis) -> Markup {
    let x = |second: i64| (second - span.from).clamp(0, span.width());
    let mut svg = String::new();
    for Stay { session, told } in stays {
        let (from, to) = (x(session.joined.secs()), x(session.left.unwrap_or(now).secs()));
        let class = match session.leave_source {
            LeaveSource::Open => "in open",
            LeaveSource::Seen => "in",
            LeaveSource::RoomClosed
            | LeaveSource::Superseded
            | LeaveSource::EmitterReset
            | LeaveSource::Idle => "in inferred",
        };
        let title = html! { title { (told) } }.into_string();
        bar(&mut svg, class, from, to, (34, 32), &title);
        let known = |is_seen: bool| if is_seen { "end" } else { "end hollow" };
        dot(&mut svg, known(session.join_source == JoinSource::Seen), from);
        if session.left.is_some() {
            dot(&mut svg, known(session.leave_source == LeaveSource::Seen), to);
        }
    }
    for (from, to, grade) in runs.iter().filter(|(from, to, _)| *to > span.from && *from < span.to) {
        // Height says it as well as colour: 28, 42 and 60 % of the row.
        let (class, place) = match grade {
            Grade::Good => ("good", (36, 28)),
            Grade::Fair => ("fair", (29, 42)),
            Grade::Poor => ("poor", (20, 60)),
        };
        bar(&mut svg, class, x(*from), x(*to), place, "");
    }
    for (mark, count) in grouped(marks, span) {
        let class = match (mark.is_problem, count) {
            (false, 1) => "mark",
            (false, _) => "mark many",
            (true, 1) => "mark problem",
            (true, _) => "mark many problem",
        };
        dot(&mut svg, class, x(mark.at));
    }
    html! {
        svg.lane viewBox=(span.view_box(HEIGHT)) preserveAspectRatio="none" aria-hidden="true" { (PreEscaped(svg)) }
    }
}

/// A bar at a top and of a height; `inner` is markup.
fn bar(svg: &mut String, class: &str, from: i64, to: i64, (top, height): (u32, u32), inner: &str) {
    let width = (to - from).max(1);
    // Writing to a string cannot fail.
    let _ = write!(svg, r#"<rect class="{class}" x="{from}" y="{top}" width="{width}" height="{height}""#);
    let _ = if inner.is_empty() { write!(svg, "/>") } else { write!(svg, ">{inner}</rect>") };
}

/// A point that stays round whatever the zoom: a line of no length with round ends.
fn dot(svg: &mut String, class: &str, x: i64) {
    let _ = write!(svg, r#"<path class="{class}" d="M{x} 50h0" vector-effect="non-scaling-stroke"/>"#);
}

/// How many were there, at moments that are equally far from each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outline(Vec<usize>);

impl Outline {
    const CELLS: i64 = 240;

    fn at(span: Span, cell: i64) -> i64 {
        span.width() * cell / Outline::CELLS
    }

    /// Of everybody's stays.
    pub(super) fn of(span: Span, stays: impl Iterator<Item = (Millis, Millis)>) -> Outline {
        let mut steps: Vec<(i64, isize)> =
            stays.flat_map(|(from, to)| [(from.secs(), 1), (to.secs(), -1)]).collect();
        steps.sort_unstable();
        let (mut next, mut inside) = (0, 0_isize);
        let count = |cell: i64| {
            let at = span.from + Outline::at(span, cell);
            while let Some((_, step)) = steps.get(next).filter(|(second, _)| *second <= at) {
                inside += step;
                next += 1;
            }
            usize::try_from(inside).unwrap_or(0)
        };
        Outline((0..=Outline::CELLS).map(count).collect())
    }
}

/// How many were there over time, as an area.
pub(super) fn minimap(span: Span, outline: &Outline, most: usize) -> Markup {
    let mut path = format!("M0 {HEIGHT}");
    for (cell, inside) in (0..).zip(&outline.0) {
        let top = inside * 90 / most.max(1);
        let _ = write!(path, "L{} {}", Outline::at(span, cell), HEIGHT as usize - top);
    }
    let _ = write!(path, "L{} {HEIGHT}Z", span.width());
    html! {
        svg.minimap viewBox=(span.view_box(HEIGHT)) preserveAspectRatio="none" aria-hidden="true" {
            path d=(path) vector-effect="non-scaling-stroke" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_that_would_lie_upon_each_other_are_one() {
        let mark = |at: i64, is_problem: bool| Mark { at, is_problem };
        let span = Span { from: 1_000, to: 2_600 };
        let marks =
            [mark(999, true), mark(1_000, false), mark(1_009, true), mark(1_010, false), mark(2_600, true)];
        let expected = [(mark(1_000, true), 2), (mark(1_010, false), 1), (mark(2_600, true), 1)];
        assert_eq!(grouped(&marks, span), expected);
    }

    #[test]
    fn ticks_are_round_moments_of_the_zone() {
        let check = |from: i64, to: i64, zone: Zone, expected: &[&str]| {
            let ticks: Vec<String> =
                Span { from, to }.ticks(zone).into_iter().map(|(_, text)| text).collect();
            assert_eq!(ticks, expected);
        };
        check(
            1_763_800_200,
            1_763_807_400,
            Zone::Utc,
            &["08:30", "08:45", "09:00", "09:15", "09:30", "09:45", "10:00", "10:15", "10:30"],
        );
        check(
            1_763_800_207,
            1_763_800_237,
            Zone::Cst,
            &["16:30:10", "16:30:15", "16:30:20", "16:30:25", "16:30:30", "16:30:35"],
        );
    }
}
