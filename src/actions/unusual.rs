//! When an experience counts as bad, and what counts as a cause of it (contract sections 14.3 to 14.5). The bounds
//! are ours; `docs/user-events.md` is made from this table.

use crate::records::Millis;
use crate::records::quality::Metric;

use super::quality::Flow;

/// Points further apart than this are not in a row.
pub(super) const ROW_GAP_S: i64 = 60;
/// Bad times closer than this are one.
pub(super) const SPELL_GAP_S: i64 = 30;
/// How far from a bad time a cause may lie.
pub(super) const NEAR_S: i64 = 10;
/// How far outside a window points decide what belongs to it.
pub(super) const REACH_S: i64 = ROW_GAP_S + SPELL_GAP_S;

/// What is bad.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// Where a measurement was taken, seen from the user whose experience it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// At the user's own client, of no peer.
    Own,
    /// At the user's own client, of what came from the peer.
    Received,
    /// At the peer's client, of what it sent.
    Sender,
}

/// Which experience something can be a cause of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Medium {
    Audio,
    Video,
    Both,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// `AbnormalEventId`.
    pub(super) id: u64,
    /// What it says.
    pub(super) what: &'static str,
    pub(super) metric: Metric,
    pub(super) bound: Bound,
    /// Points in a row.
    pub(super) points: usize,
    pub(super) places: &'static [Place],
    pub(super) medium: Medium,
    /// `ExperienceId`, for what the user sees or hears.
    pub(super) experience: Option<u64>,
}

const fn rule(
    id: u64,
    what: &'static str,
    (metric, bound, points): (Metric, Bound, usize),
    places: &'static [Place],
    medium: Medium,
) -> Rule {
    Rule { id, what, metric, bound, points, places, medium, experience: None }
}

use Bound::{AtLeast, AtMost};
use Medium::{Audio, Both, Video};
use Place::{Own, Received, Sender};

/// All that can be known from measurements, in the order of ids.
#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    rule(2001, "system CPU high", (Metric::SysCpu, AtLeast(90.0), 3), &[Own, Sender], Both),
    rule(2002, "CPU of the application high", (Metric::AppCpu, AtLeast(80.0), 3), &[Own, Sender], Both),
    rule(2003, "upstream latency", (Metric::RoundTrip, AtLeast(400.0), 3), &[Sender], Both),
    rule(2005, "upstream audio loss", (Metric::AudioLoss, AtLeast(10.0), 3), &[Sender], Audio),
    rule(2006, "captured volume 0", (Metric::CaptureEnergy, AtMost(0.0), 5), &[Sender], Audio),
    rule(2007, "upstream loss, main picture", (Metric::VideoLoss, AtLeast(10.0), 3), &[Sender], Video),
    rule(2010, "capture rate of the main picture abnormal", (Metric::CaptureRate, AtMost(5.0), 3), &[Sender], Video),
    rule(2013, "downstream latency", (Metric::RoundTrip, AtLeast(400.0), 3), &[Own, Received], Both),
    rule(2015, "downstream audio loss", (Metric::AudioLoss, AtLeast(10.0), 3), &[Received], Audio),
    rule(2016, "playback volume 0", (Metric::PlayEnergy, AtMost(0.0), 5), &[Received], Audio),
    rule(2017, "downstream loss, main picture", (Metric::VideoLoss, AtLeast(10.0), 3), &[Received], Video),
    rule(2020, "rendering rate of the main picture abnormal", (Metric::DecodeRate, AtMost(5.0), 3), &[Received], Video),
    Rule { experience: Some(5), ..rule(2023, "audio stutter", (Metric::AudioBlock, AtLeast(400.0), 2), &[Received], Audio) },
    Rule { experience: Some(4), ..rule(2024, "stutter of the main picture", (Metric::VideoBlock, AtLeast(1_000.0), 1), &[Received], Video) },
];

/// Ids that are never raised, and why.
pub(super) const NEVER: &[(&str, &str)] = &[
    (
        "experience 1, slow room entry",
        "sources tell when a user was inside, not when the user began to knock",
    ),
    (
        "experiences 2 and 3, no video, no audio",
        "whether a peer meant to send anything cannot be seen at the receiver",
    ),
    ("1001 to 1032", "failures inside a client, which it reports to nobody but its own vendor"),
    ("2004, 2014", "there is no metric of jitter"),
    (
        "2008, 2009, 2011, 2012, 2018, 2019, 2021, 2022, 2025, 2026",
        "metrics are of the main picture, not of the small and the auxiliary one",
    ),
];

/// A bad time, in whole seconds, both ends inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spell {
    pub(super) from_s: i64,
    pub(super) to_s: i64,
}

impl Spell {
    fn is_near(self, other: Spell) -> bool {
        self.from_s - NEAR_S <= other.to_s && other.from_s <= self.to_s + NEAR_S
    }
}

impl Rule {
    fn is_bad(&self, value: f64) -> bool {
        match self.bound {
            AtLeast(bound) => value >= bound,
            AtMost(bound) => value <= bound,
        }
    }

    /// The bad times of a flow.
    pub(super) fn spells(&self, flow: &Flow) -> Vec<Spell> {
        let in_a_row = |a: &(Millis, f64), b: &(Millis, f64)| {
            self.is_bad(a.1) == self.is_bad(b.1) && b.0.secs() - a.0.secs() <= ROW_GAP_S
        };
        let mut spells: Vec<Spell> = Vec::new();
        for row in flow.points(self.metric).chunk_by(in_a_row) {
            if !self.is_bad(row[0].1) || row.len() < self.points {
                continue;
            }
            let spell = Spell { from_s: row[0].0.secs(), to_s: row[row.len() - 1].0.secs() };
            match spells.last_mut() {
                Some(last) if spell.from_s - last.to_s <= SPELL_GAP_S => last.to_s = spell.to_s,
                Some(_) | None => spells.push(spell),
            }
        }
        spells
    }

    /// Whether it may be a cause of what another rule says that a user saw or heard.
    fn concerns(&self, raised_by: &Rule) -> bool {
        self.medium == Both || self.medium == raised_by.medium
    }
}

/// The ids of what was bad at one place near a bad time.
pub(super) fn causes(raised_by: &Rule, spell: Spell, place: Place, flow: &Flow) -> Vec<u64> {
    RULES
        .iter()
        .filter(|rule| rule.places.contains(&place) && rule.concerns(raised_by))
        .filter(|rule| rule.spells(flow).iter().any(|other| spell.is_near(*other)))
        .map(|rule| rule.id)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn check(id: u64, points: &[(i64, f64)], expected: &[(i64, i64)]) {
        let rule = RULES.iter().find(|rule| rule.id == id).unwrap();
        let points = points.iter().map(|(second, value)| (Millis::from_secs(*second), *value)).collect();
        let flow = Flow { peer: "p".into(), metrics: BTreeMap::from([(rule.metric, points)]) };
        let spells: Vec<(i64, i64)> =
            rule.spells(&flow).iter().map(|spell| (spell.from_s, spell.to_s)).collect();
        assert_eq!(spells, expected, "{id}");
    }

    #[test]
    fn a_bad_time_has_points_in_a_row_and_ends_after_a_while() {
        check(2024, &[], &[]);
        check(2024, &[(0, 999.0), (2, 1_000.0), (4, 0.0)], &[(2, 2)]);
        check(2024, &[(2, 1_000.0), (4, 0.0), (32, 2_000.0), (40, 0.0), (63, 2_000.0)], &[(2, 32), (63, 63)]);
        check(2023, &[(0, 400.0), (2, 399.0), (4, 400.0)], &[]);
        check(2023, &[(0, 400.0), (2, 400.0), (4, 0.0)], &[(0, 2)]);
        check(2023, &[(0, 400.0), (61, 400.0)], &[]);
        check(2023, &[(0, 400.0), (60, 400.0)], &[(0, 60)]);
        check(2006, &[(0, 0.0), (2, 0.0), (4, 0.0), (6, 0.0), (8, 0.0)], &[(0, 8)]);
        check(2006, &[(0, 0.0), (2, 0.0), (4, 0.1), (6, 0.0), (8, 0.0)], &[]);
    }

    #[test]
    fn the_table_holds_together() {
        let ids: BTreeSet<u64> = RULES.iter().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), RULES.len());
        assert!(RULES.is_sorted_by_key(|rule| rule.id));
        for rule in RULES.iter().filter(|rule| rule.experience.is_some()) {
            assert_eq!(rule.places, [Received], "{}", rule.id);
            assert_ne!(rule.medium, Both, "{}", rule.id);
        }
    }
}
