//! How good it was, in one word a stretch of time and one number a user. `docs/dashboard.md` says it to
//! whoever looks.

use std::collections::BTreeMap;

use crate::records::quality::{Metric, Points};

/// How a stretch of time was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grade {
    /// Nothing to notice.
    Good,
    /// Noticed.
    Fair,
    /// In the way.
    Poor,
}

impl Grade {
    /// Its class in styles, and its name in files.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Grade::Good => "good",
            Grade::Fair => "fair",
            Grade::Poor => "poor",
        }
    }
}

/// A metric, from what value on a stretch is fair, and from what on it is poor. Where less is worse, fair is more than
/// poor.
pub(super) const THRESHOLDS: &[(Metric, f64, f64)] = &[
    (Metric::AudioLoss, 2.0, 5.0),
    (Metric::VideoLoss, 2.0, 5.0),
    (Metric::RoundTrip, 200.0, 400.0),
    (Metric::AudioBlock, 100.0, 400.0),
    (Metric::VideoBlock, 200.0, 600.0),
    (Metric::DecodeRate, 10.0, 5.0),
    (Metric::AppCpu, 80.0, 95.0),
    (Metric::SysCpu, 80.0, 95.0),
];

/// How long a stretch is that is graded by its worst value, in seconds.
pub(super) const STRETCH_S: i64 = 10;

/// The grade of one value.
pub(super) fn grade(metric: Metric, value: f64) -> Grade {
    let Some((_, fair, poor)) = THRESHOLDS.iter().find(|(other, ..)| *other == metric) else {
        return Grade::Good;
    };
    let is_beyond = |bound: f64| if fair < poor { value >= bound } else { value <= bound };
    if is_beyond(*poor) {
        Grade::Poor
    } else if is_beyond(*fair) {
        Grade::Fair
    } else {
        Grade::Good
    }
}

/// Stretches of time of one grade: first second, end, grade. Neighbours of one grade are one.
pub(super) type Runs = Vec<(i64, i64, Grade)>;

/// A user's grades: the worst of all metrics of each stretch.
pub(super) fn runs<'m>(metrics: impl Iterator<Item = (&'m Metric, &'m Points)>) -> Runs {
    let mut stretches: BTreeMap<i64, Grade> = BTreeMap::new();
    for (metric, points) in metrics {
        for (at, value) in points {
            let grade = grade(*metric, *value);
            let worst = stretches.entry(at.secs().div_euclid(STRETCH_S)).or_insert(grade);
            *worst = (*worst).max(grade);
        }
    }
    let mut runs: Runs = Vec::new();
    for (stretch, grade) in stretches {
        let (from, to) = (stretch * STRETCH_S, (stretch + 1) * STRETCH_S);
        match runs.last_mut() {
            Some((_, end, same)) if *end == from && *same == grade => *end = to,
            _ => runs.push((from, to, grade)),
        }
    }
    runs
}

/// One number from 1 (poor throughout) to 5 (good throughout), as people know it from other products; `None` where
/// nothing was measured.
#[expect(clippy::cast_precision_loss, reason = "seconds of a call are exact")]
pub(super) fn score(runs: &Runs) -> Option<f64> {
    let mut seconds = [0.0; 3];
    for (from, to, grade) in runs {
        seconds[match grade {
            Grade::Good => 0,
            Grade::Fair => 1,
            Grade::Poor => 2,
        }] += (to - from) as f64;
    }
    let all: f64 = seconds.iter().sum();
    (all > 0.0).then(|| (5.0 * seconds[0] + 3.0 * seconds[1] + seconds[2]) / all)
}

/// A user with at least this score was well off.
pub(super) const GOOD_MIN: f64 = 4.5;
/// A user with less was badly off.
pub(super) const FAIR_MIN: f64 = 3.0;

/// The class of a score, in styles.
pub(super) fn class(score: f64) -> &'static str {
    if score >= GOOD_MIN {
        "good"
    } else if score >= FAIR_MIN {
        "fair"
    } else {
        "poor"
    }
}

/// The first second of the worst minute, where one was not good throughout: most poor, then most fair, then first.
pub(super) fn worst_minute(runs: &Runs) -> Option<i64> {
    let mut minutes: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for (from, to, grade) in runs.iter().filter(|(.., grade)| *grade != Grade::Good) {
        for stretch in from / STRETCH_S..to / STRETCH_S {
            let (poor, fair) = minutes.entry((stretch * STRETCH_S).div_euclid(60)).or_default();
            *(if *grade == Grade::Poor { poor } else { fair }) += 1;
        }
    }
    let worst = minutes.iter().max_by_key(|(minute, worst)| (**worst, std::cmp::Reverse(**minute)));
    worst.map(|(minute, _)| minute * 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Millis;

    #[test]
    fn stretches_take_their_worst_value_and_neighbours_are_one() {
        let at = |s: i64, value: f64| (Millis::from_secs(s), value);
        let loss: Points =
            vec![at(100, 0.0), at(102, 3.0), at(110, 0.5), at(120, 0.0), at(130, 9.0), at(150, 9.0)];
        let rtt: Points = vec![at(121, 250.0)];
        let metrics = BTreeMap::from([(Metric::AudioLoss, loss), (Metric::RoundTrip, rtt)]);
        let runs = runs(metrics.iter());
        let expected = [
            (100, 110, Grade::Fair),
            (110, 120, Grade::Good),
            (120, 130, Grade::Fair),
            (130, 140, Grade::Poor),
            (150, 160, Grade::Poor),
        ];
        assert_eq!(runs, expected);
        assert_eq!(score(&runs), Some((5.0 + 3.0 + 3.0 + 1.0 + 1.0) / 5.0));
        assert_eq!(worst_minute(&runs), Some(120));
        assert_eq!(worst_minute(&vec![(0, 60, Grade::Good)]), None);
        assert_eq!(score(&Runs::new()), None);
    }

    #[test]
    fn the_page_has_the_table() {
        let page = include_str!("../../docs/dashboard.md");
        let (_, rest) = page.split_once("<!-- thresholds -->\n").unwrap();
        let (table, _) = rest.split_once("<!-- /thresholds -->").unwrap();
        let row = |(metric, fair, poor): &(Metric, f64, f64)| {
            let less = if fair < poor { "" } else { " or less" };
            format!("| `{}` | {fair}{less} | {poor}{less} |\n", metric.name())
        };
        let rows: String = THRESHOLDS.iter().map(row).collect();
        assert_eq!(table, format!("| measured | fair from | poor from |\n| --- | --- | --- |\n{rows}"));
    }

    #[test]
    fn less_is_worse_for_rates() {
        let grades = [30.0, 10.0, 5.0, 0.0].map(|fps| grade(Metric::DecodeRate, fps));
        assert_eq!(grades, [Grade::Good, Grade::Fair, Grade::Poor, Grade::Poor]);
        assert_eq!(grade(Metric::VideoBitRate, 0.0), Grade::Good, "no threshold");
    }
}
