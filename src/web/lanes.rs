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

/// One user's lane: where the user was inside, how it was, and what happened.
pub(super) fn lane(span: Span, sessions: &[&Session], runs: &Runs, marks: &[i64], now: Millis) -> Markup {
    let x = |second: i64| (second - span.from).clamp(0, span.width());
    let mut svg = String::new();
    for session in sessions {
        let (from, to) = (x(session.joined.secs()), x(session.left.unwrap_or(now).secs()));
        let class = match session.leave_source {
            LeaveSource::Open => "in open",
            LeaveSource::Seen => "in",
            LeaveSource::RoomClosed
            | LeaveSource::Superseded
            | LeaveSource::EmitterReset
            | LeaveSource::Idle => "in inferred",
        };
        bar(&mut svg, class, from, to, 34, 32);
        let known = |is_seen: bool| if is_seen { "end" } else { "end hollow" };
        dot(&mut svg, known(session.join_source == JoinSource::Seen), from);
        if session.left.is_some() {
            dot(&mut svg, known(session.leave_source == LeaveSource::Seen), to);
        }
    }
    for (from, to, grade) in runs.iter().filter(|(from, to, _)| *to > span.from && *from < span.to) {
        // Height says it as well as colour: 28, 42 and 60 % of the row.
        let (class, top, height) = match grade {
            Grade::Good => ("good", 36, 28),
            Grade::Fair => ("fair", 29, 42),
            Grade::Poor => ("poor", 20, 60),
        };
        bar(&mut svg, class, x(*from), x(*to), top, height);
    }
    for at in marks.iter().filter(|at| span.from <= **at && **at <= span.to) {
        dot(&mut svg, "mark", x(*at));
    }
    html! {
        svg.lane viewBox=(span.view_box(HEIGHT)) preserveAspectRatio="none" aria-hidden="true" { (PreEscaped(svg)) }
    }
}

fn bar(svg: &mut String, class: &str, from: i64, to: i64, top: u32, height: u32) {
    let width = (to - from).max(1);
    // Writing to a string cannot fail.
    let _ = write!(svg, r#"<rect class="{class}" x="{from}" y="{top}" width="{width}" height="{height}"/>"#);
}

/// A point that stays round whatever the zoom: a line of no length with round ends.
fn dot(svg: &mut String, class: &str, x: i64) {
    let _ = write!(svg, r#"<path class="{class}" d="M{x} 50h0" vector-effect="non-scaling-stroke"/>"#);
}

/// How many were there over time, as an area.
pub(super) fn minimap(span: Span, spans: &[(Millis, Millis)], most: usize) -> Markup {
    const CELLS: i64 = 240;
    let most = i64::try_from(most.max(1)).unwrap_or(i64::MAX);
    let mut steps: Vec<(i64, i64)> =
        spans.iter().flat_map(|(from, to)| [(from.secs(), 1), (to.secs(), -1)]).collect();
    steps.sort_unstable();
    let mut path = format!("M0 {HEIGHT}");
    let (mut next, mut inside) = (0, 0);
    for cell in 0..=CELLS {
        let at = span.from + span.width() * cell / CELLS;
        while let Some((_, step)) = steps.get(next).filter(|(second, _)| *second <= at) {
            inside += step;
            next += 1;
        }
        let _ = write!(path, "L{} {}", at - span.from, i64::from(HEIGHT) - inside * 90 / most);
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
