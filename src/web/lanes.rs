//! Lanes: one SVG a user, whose x axis is seconds, so that the server does no pixel maths and a script zooms by setting
//! one `viewBox`. Bars are SVG, since a strict policy allows no inline style.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};

use super::prefs::Zone;
use super::score::{Grade, Runs};
use crate::records::{JoinSource, LeaveSource, Millis, ReasonClass, Session};

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
    /// The last second at which there was a sign of the user.
    pub(super) sign: i64,
}

impl Stay<'_> {
    /// Nobody told of the leave: where it was and when is inferred.
    fn is_inferred(&self) -> bool {
        match self.session.leave_source {
            LeaveSource::Open | LeaveSource::Seen => false,
            LeaveSource::RoomClosed
            | LeaveSource::Superseded
            | LeaveSource::EmitterReset
            | LeaveSource::Idle => true,
        }
    }

    /// The user did not say goodbye, as far as is known: the line was lost.
    fn is_timeout(&self) -> bool {
        self.session.leave_reason.as_ref().is_some_and(|reason| reason.class == ReasonClass::Timeout)
    }
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
    let open = stays.iter().find(|stay| stay.session.left.is_none());
    for stay in stays.iter().filter(|stay| stay.session.left.is_some()) {
        inside(&mut svg, stay, x, now);
    }
    let since = open.map_or(i64::MAX, |stay| stay.session.joined.secs());
    let shown = || runs.iter().filter(|(from, to, _)| *to > span.from && *from < span.to);
    shown().filter(|(_, to, _)| *to <= since).for_each(|run| graded(&mut svg, run, x));
    if let Some(stay) = open {
        // Who is still inside has no end yet: all that is drawn of it fades.
        svg.push_str(r#"<g mask="url(#fade)">"#);
        inside(&mut svg, stay, x, now);
        shown().filter(|(_, to, _)| *to > since).for_each(|run| graded(&mut svg, run, x));
        svg.push_str("</g>");
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
    // Behind the marks, which would cover them.
    stays.iter().for_each(|stay| rings(&mut svg, stay, x));
    html! {
        svg.lane viewBox=(span.view_box(HEIGHT)) preserveAspectRatio="none" aria-hidden="true" { (PreEscaped(svg)) }
    }
}

/// What lanes refer to, once a page: how an open end fades.
pub(super) fn definitions() -> Markup {
    html! {
        svg.sr aria-hidden="true" {
            linearGradient #fading { stop offset=".86" stop-color="#fff" {} stop offset="1" stop-color="#fff" stop-opacity="0" {} }
            mask #fade maskContentUnits="objectBoundingBox" { rect x="-.1" y="-.5" width="1.1" height="2" fill="url(#fading)" {} }
        }
    }
}

/// Where a user was inside: as far as there were signs of it a bar, then, where the leave is inferred, hatching.
fn inside(svg: &mut String, stay: &Stay<'_>, x: impl Fn(i64) -> i64, now: Millis) {
    let Stay { session, told, sign } = stay;
    let (from, to) = (x(session.joined.secs()), x(session.left.unwrap_or(now).secs()));
    let title = html! { title { (told) } }.into_string();
    let seen = if stay.is_inferred() { x(*sign).clamp(from, to) } else { to };
    bar(svg, "in", from, seen, (34, 32), &title);
    if seen < to {
        bar(svg, "gap", seen, to, (22, 56), &title);
        // Writing to a string cannot fail.
        let _ =
            write!(svg, r#"<path class="hatch" d="M{seen} 50H{to}" vector-effect="non-scaling-stroke"/>"#);
    }
    if session.join_source == JoinSource::Seen {
        dot(svg, "end", from);
    }
    if session.leave_source == LeaveSource::Seen && !stay.is_timeout() {
        dot(svg, "end", to);
    }
}

/// The hollow ends of a stay: what was inferred, and a leave that nobody chose.
fn rings(svg: &mut String, stay: &Stay<'_>, x: impl Fn(i64) -> i64) {
    let mut ring = |class: &str, at: i64| {
        dot(svg, class, at);
        dot(svg, "hole", at);
    };
    if stay.session.join_source != JoinSource::Seen {
        ring("ring", x(stay.session.joined.secs()));
    }
    if let Some(left) = stay.session.left.filter(|_| stay.is_inferred() || stay.is_timeout()) {
        ring(if stay.is_timeout() { "ring problem" } else { "ring" }, x(left.secs()));
    }
}

/// A stretch of one grade. Height says it as well as colour: 28, 42 and 60 % of the row.
fn graded(svg: &mut String, (from, to, grade): &(i64, i64, Grade), x: impl Fn(i64) -> i64) {
    let place = match grade {
        Grade::Good => (36, 28),
        Grade::Fair => (29, 42),
        Grade::Poor => (20, 60),
    };
    bar(svg, grade.name(), x(*from), x(*to), place, "");
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
    use crate::records::Reason;

    #[test]
    fn marks_that_would_lie_upon_each_other_are_one() {
        let mark = |at: i64, is_problem: bool| Mark { at, is_problem };
        let span = Span { from: 1_000, to: 2_600 };
        let marks =
            [mark(999, true), mark(1_000, false), mark(1_009, true), mark(1_010, false), mark(2_600, true)];
        let expected = [(mark(1_000, true), 2), (mark(1_010, false), 1), (mark(2_600, true), 1)];
        assert_eq!(grouped(&marks, span), expected);
    }

    /// A stay from second 1,000 on, whose last sign was at 1,300.
    fn drawn(left: Option<i64>, leave_source: LeaveSource, reason: Option<ReasonClass>) -> String {
        let session = Session {
            room: "r".into(),
            user: "u".into(),
            visit: None,
            joined: Millis::from_secs(1_000),
            join_source: JoinSource::Seen,
            left: left.map(Millis::from_secs),
            leave_source,
            leave_reason: reason.map(|class| Reason { class, raw: String::new() }),
            attrs: Default::default(),
        };
        let stay = Stay { session: &session, told: "why <b>".into(), sign: 1_300 };
        let span = Span { from: 1_000, to: 2_000 };
        let runs = vec![(1_000, 1_300, Grade::Good)];
        lane(span, &[stay], &runs, &[], Millis::from_secs(2_000)).into_string()
    }

    #[test]
    fn an_inferred_leave_a_timeout_and_an_open_stay_look_different_from_a_seen_leave() {
        let seen = drawn(Some(1_600), LeaveSource::Seen, None);
        assert!(
            seen.contains(r#"class="end" d="M600 "#)
                && seen.contains(r#"class="in" x="0" y="34" width="600""#)
        );
        assert!(!seen.contains("gap") && !seen.contains("ring") && !seen.contains("mask"), "{seen}");
        for source in
            [LeaveSource::Idle, LeaveSource::Superseded, LeaveSource::EmitterReset, LeaveSource::RoomClosed]
        {
            let inferred = drawn(Some(1_600), source, None);
            let has = |part: &str| inferred.contains(part);
            assert!(has(r#"class="in" x="0" y="34" width="300""#), "as far as there were signs: {inferred}");
            assert!(has(r#"class="gap" x="300" y="22" width="300""#) && has("<title>why &lt;b&gt;</title>"));
            assert!(has(r#"class="hatch" d="M300 50H600""#) && has(r#"class="ring" d="M600 "#));
            assert!(!has(r#"class="end" d="M600 "#), "{inferred}");
        }
        let lost = drawn(Some(1_600), LeaveSource::Seen, Some(ReasonClass::Timeout));
        assert!(lost.contains(r#"class="ring problem" d="M600 "#) && !lost.contains("gap"), "{lost}");
        let open = drawn(None, LeaveSource::Open, None);
        let (before, fading) = open.split_once(r#"<g mask="url(#fade)">"#).unwrap();
        assert!(!before.contains("rect") && fading.contains(r#"class="good""#), "{open}");
        assert!(!open.contains("ring") && !open.contains("gap"), "{open}");
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
