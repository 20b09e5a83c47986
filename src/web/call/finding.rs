//! The finding: one sentence that says where to look, made by rules over what was measured, with its numbers. Where no
//! rule fires there is no sentence.

use std::collections::{BTreeMap, BTreeSet};

use super::story::ByPeer;
use crate::records::quality::Metric;
use crate::web::score::{Grade, Runs, STRETCH_S, grade, runs};

/// How one user was off, as the rules see it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Seen {
    pub(super) user: String,
    /// What came from each sender.
    pub(super) from: Vec<(String, Runs)>,
    /// Pictures froze while the network was good and the processor was busy.
    pub(super) strain: Option<Strain>,
}

/// Stretches of a device that could not keep up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Strain {
    pub(super) from: i64,
    pub(super) to: i64,
    /// How long, in seconds.
    pub(super) seconds: i64,
    /// The worst loss meanwhile, in percent.
    pub(super) loss: f64,
    /// The greatest load of the processor meanwhile, in percent.
    pub(super) cpu: f64,
}

/// What is found, and from when to when.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Finding {
    /// One sender is bad for many.
    Sender { user: String, poor: usize, of: usize, from: i64, to: i64 },
    /// Many are badly off at one time.
    Together { poor: usize, of: usize, from: i64, to: i64 },
    /// Freezes without loss on a busy device.
    Device { user: String, strain: Strain },
    /// One receiver is badly off with many senders.
    Receiver { user: String, poor: usize, of: usize, from: i64, to: i64 },
}

impl Finding {
    /// The seconds to look at.
    pub(super) fn when(&self) -> (i64, i64) {
        match self {
            Finding::Sender { from, to, .. }
            | Finding::Together { from, to, .. }
            | Finding::Receiver { from, to, .. } => (*from, *to),
            Finding::Device { strain, .. } => (strain.from, strain.to),
        }
    }

    /// The user to look at.
    pub(super) fn who(&self) -> Option<&str> {
        match self {
            Finding::Sender { user, .. } | Finding::Receiver { user, .. } | Finding::Device { user, .. } => {
                Some(user)
            }
            Finding::Together { .. } => None,
        }
    }
}

/// A pair is bad from so many seconds of poor stretches on.
const POOR_S_MIN: i64 = 20;
/// A device is strained from so many seconds on.
const STRAIN_S_MIN: i64 = 30;
/// So many have to be badly off, and at least half of those that could be.
const MANY: usize = 2;
/// So many have to be badly off at one time, and at least half of those that measured.
const TOGETHER: usize = 3;

impl Seen {
    pub(super) fn of(user: &str, flows: &ByPeer) -> Seen {
        let named = flows.iter().filter(|(peer, _)| !peer.is_empty());
        let from = named.map(|(peer, metrics)| (peer.clone(), runs(metrics.iter()))).collect();
        Seen { user: user.to_owned(), from, strain: strain(flows) }
    }
}

fn strain(flows: &ByPeer) -> Option<Strain> {
    #[derive(Default)]
    struct Stretch {
        loss: f64,
        is_frozen: bool,
        cpu: f64,
    }
    let mut stretches: BTreeMap<i64, Stretch> = BTreeMap::new();
    for (metric, points) in flows.values().flatten() {
        for (at, value) in points {
            let stretch = stretches.entry(at.secs().div_euclid(STRETCH_S)).or_default();
            match metric {
                Metric::AudioLoss | Metric::VideoLoss => stretch.loss = stretch.loss.max(*value),
                Metric::AudioBlock | Metric::VideoBlock => {
                    stretch.is_frozen |= grade(*metric, *value) == Grade::Poor;
                }
                Metric::AppCpu | Metric::SysCpu => stretch.cpu = stretch.cpu.max(*value),
                Metric::AudioBitRate
                | Metric::VideoBitRate
                | Metric::CaptureRate
                | Metric::EncodeRate
                | Metric::DecodeRate
                | Metric::Width
                | Metric::Height
                | Metric::CaptureEnergy
                | Metric::PlayEnergy
                | Metric::RoundTrip
                | Metric::ReceiveRate => {}
            }
        }
    }
    let is_strained = |stretch: &Stretch| {
        stretch.is_frozen
            && grade(Metric::VideoLoss, stretch.loss) == Grade::Good
            && grade(Metric::SysCpu, stretch.cpu) != Grade::Good
    };
    stretches.retain(|_, stretch| is_strained(stretch));
    let (first, last) = (stretches.keys().next()?, stretches.keys().next_back()?);
    let count = i64::try_from(stretches.len()).unwrap_or(i64::MAX);
    let most = |of: fn(&Stretch) -> f64| stretches.values().map(of).fold(0.0, f64::max);
    let strain = Strain {
        from: first * STRETCH_S,
        to: (last + 1) * STRETCH_S,
        seconds: count.saturating_mul(STRETCH_S),
        loss: most(|stretch| stretch.loss),
        cpu: most(|stretch| stretch.cpu),
    };
    (strain.seconds >= STRAIN_S_MIN).then_some(strain)
}

/// The poor stretches of some runs: first second, end.
fn poor(runs: &Runs) -> impl Iterator<Item = (i64, i64)> {
    runs.iter().filter(|(.., grade)| *grade == Grade::Poor).map(|(from, to, _)| (*from, *to))
}

fn is_bad(runs: &Runs) -> bool {
    poor(runs).map(|(from, to)| to - from).sum::<i64>() >= POOR_S_MIN
}

/// From the first to the last of some stretches.
fn around(stretches: impl Iterator<Item = (i64, i64)>) -> Option<(i64, i64)> {
    stretches.reduce(|(a, b), (from, to)| (a.min(from), b.max(to)))
}

/// From the first to the last stretch that is poor for at least half of some: what is bad for fewer at another time has
/// a reason of its own.
fn shared(all: &[&Runs]) -> Option<(i64, i64)> {
    let mut stretches: BTreeMap<i64, usize> = BTreeMap::new();
    for (from, to) in all.iter().flat_map(|runs| poor(runs)) {
        for stretch in from / STRETCH_S..to / STRETCH_S {
            *stretches.entry(stretch).or_insert(0) += 1;
        }
    }
    let many = stretches.into_iter().filter(|(_, count)| count * 2 >= all.len());
    around(many.map(|(stretch, _)| (stretch * STRETCH_S, (stretch + 1) * STRETCH_S)))
}

/// Applies the rules: what explains most comes first.
pub(super) fn find(all: &[&Seen]) -> Option<Finding> {
    let senders = bad_senders(all);
    if let [only] = senders.as_slice() {
        return Some(only.clone());
    }
    together(all).or_else(|| senders.into_iter().next()).or_else(|| device(all)).or_else(|| bad_receiver(all))
}

/// Who is bad for at least half of those that receive from them, the worst first.
fn bad_senders(all: &[&Seen]) -> Vec<Finding> {
    let mut by_sender: BTreeMap<&str, Vec<&Runs>> = BTreeMap::new();
    for (sender, runs) in all.iter().flat_map(|seen| &seen.from) {
        by_sender.entry(sender).or_default().push(runs);
    }
    let mut found: Vec<(usize, Finding)> = Vec::new();
    for (sender, receivers) in by_sender {
        let of = receivers.len();
        let bad: Vec<&Runs> = receivers.into_iter().filter(|runs| is_bad(runs)).collect();
        let when = shared(&bad).or_else(|| around(bad.iter().flat_map(|runs| poor(runs))));
        if let Some((from, to)) = when.filter(|_| bad.len() >= MANY && bad.len() * 2 >= of) {
            let poor = bad.len();
            found.push((poor, Finding::Sender { user: sender.to_owned(), poor, of, from, to }));
        }
    }
    found.sort_by_key(|(poor, _)| std::cmp::Reverse(*poor));
    found.into_iter().map(|(_, finding)| finding).collect()
}

/// The time at which most were badly off, if that was at least half of those that measured anything.
fn together(all: &[&Seen]) -> Option<Finding> {
    let measured = all.iter().filter(|seen| seen.from.iter().any(|(_, runs)| !runs.is_empty())).count();
    let mut stretches: BTreeMap<i64, BTreeSet<&str>> = BTreeMap::new();
    for seen in all {
        for (from, to) in seen.from.iter().flat_map(|(_, runs)| poor(runs)) {
            for stretch in from / STRETCH_S..to / STRETCH_S {
                stretches.entry(stretch).or_default().insert(&seen.user);
            }
        }
    }
    let many = |users: usize| users >= TOGETHER && users * 2 >= measured;
    let (worst, users) = stretches.iter().max_by_key(|(at, users)| (users.len(), std::cmp::Reverse(**at)))?;
    if !many(users.len()) {
        return None;
    }
    let reaches = |step: i64| {
        let next = |at: &i64| Some(at + step);
        std::iter::successors(Some(*worst), next)
            .take_while(|at| stretches.get(at).is_some_and(|users| many(users.len())))
            .last()
            .unwrap_or(*worst)
    };
    let (first, last) = (reaches(-1), reaches(1));
    Some(Finding::Together {
        poor: users.len(),
        of: measured,
        from: first * STRETCH_S,
        to: (last + 1) * STRETCH_S,
    })
}

fn device(all: &[&Seen]) -> Option<Finding> {
    let strained = all.iter().filter_map(|seen| seen.strain.map(|strain| (seen, strain)));
    let (seen, strain) = strained.max_by_key(|(_, strain)| strain.seconds)?;
    Some(Finding::Device { user: seen.user.clone(), strain })
}

/// Who receives badly from at least half of the senders.
fn bad_receiver(all: &[&Seen]) -> Option<Finding> {
    let mut found: Option<(usize, Finding)> = None;
    for seen in all {
        let bad: Vec<&Runs> = seen.from.iter().map(|(_, runs)| runs).filter(|runs| is_bad(runs)).collect();
        let (poor_count, of) = (bad.len(), seen.from.len());
        let when = around(bad.iter().flat_map(|runs| poor(runs)));
        let Some((from, to)) = when.filter(|_| poor_count >= MANY && poor_count * 2 >= of) else { continue };
        if found.as_ref().is_none_or(|(most, _)| poor_count > *most) {
            let user = seen.user.clone();
            found = Some((poor_count, Finding::Receiver { user, poor: poor_count, of, from, to }));
        }
    }
    found.map(|(_, finding)| finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Millis;

    const BAD: [(i64, i64, Grade); 2] = [(100, 140, Grade::Poor), (140, 200, Grade::Good)];
    const FINE: [(i64, i64, Grade); 2] = [(100, 110, Grade::Poor), (110, 200, Grade::Good)];

    type Received<'a> = (&'a str, &'a [(i64, i64, Grade)]);

    fn seen(user: &str, from: &[Received<'_>]) -> Seen {
        let from = from.iter().map(|(peer, runs)| ((*peer).to_owned(), runs.to_vec())).collect();
        Seen { user: user.to_owned(), from, strain: None }
    }

    fn found(all: &[Seen]) -> Option<Finding> {
        find(&all.iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_sender_that_is_bad_for_most_is_named() {
        let all = [
            seen("a", &[("s", &BAD), ("b", &FINE)]),
            seen("b", &[("s", &BAD), ("a", &FINE)]),
            seen("c", &[("s", &FINE), ("a", &FINE)]),
        ];
        let expected = Finding::Sender { user: "s".into(), poor: 2, of: 3, from: 100, to: 140 };
        assert_eq!(found(&all), Some(expected));
    }

    #[test]
    fn what_is_bad_for_one_receiver_at_another_time_is_no_part_of_the_finding() {
        let also_late = [(100, 140, Grade::Poor), (140, 900, Grade::Good), (900, 960, Grade::Poor)];
        let all = [
            seen("a", &[("s", &BAD), ("b", &FINE)]),
            seen("b", &[("s", &also_late), ("a", &FINE)]),
            seen("c", &[("s", &BAD), ("a", &FINE)]),
        ];
        let expected = Finding::Sender { user: "s".into(), poor: 3, of: 3, from: 100, to: 140 };
        assert_eq!(found(&all), Some(expected));
    }

    #[test]
    fn many_at_one_time_are_the_servers() {
        let late = [(300, 330, Grade::Poor)];
        let all = [
            seen("a", &[("b", &BAD), ("c", &FINE)]),
            seen("b", &[("c", &BAD), ("d", &late)]),
            seen("c", &[("a", &BAD), ("b", &FINE)]),
            seen("d", &[("a", &FINE[1..])]),
        ];
        assert_eq!(found(&all), Some(Finding::Together { poor: 3, of: 4, from: 100, to: 140 }));
    }

    #[test]
    fn a_receiver_that_is_badly_off_with_most_is_named() {
        let all =
            [seen("r", &[("a", &BAD), ("b", &BAD), ("c", &FINE)]), seen("x", &[("a", &FINE), ("b", &FINE)])];
        let expected = Finding::Receiver { user: "r".into(), poor: 2, of: 3, from: 100, to: 140 };
        // Each of the senders is bad for one of two, which is not many.
        assert_eq!(found(&all), Some(expected));
    }

    #[test]
    fn a_busy_device_that_freezes_without_loss_is_named() {
        let points = |values: &[f64]| -> Vec<(Millis, f64)> {
            (0..).step_by(10).zip(values).map(|(s, value)| (Millis::from_secs(s), *value)).collect()
        };
        let flows = |loss: f64, cpu: f64| {
            ByPeer::from([
                (String::new(), BTreeMap::from([(Metric::SysCpu, points(&[cpu; 5]))])),
                (
                    "b".to_owned(),
                    BTreeMap::from([
                        (Metric::VideoBlock, points(&[0.0, 900.0, 900.0, 700.0, 0.0])),
                        (Metric::VideoLoss, points(&[loss; 5])),
                    ]),
                ),
            ])
        };
        let strained = Seen::of("d", &flows(0.5, 96.0));
        let strain = Strain { from: 10, to: 40, seconds: 30, loss: 0.5, cpu: 96.0 };
        assert_eq!(strained.strain, Some(strain));
        assert_eq!(found(&[strained]), Some(Finding::Device { user: "d".into(), strain }));
        assert_eq!(Seen::of("d", &flows(7.0, 96.0)).strain, None, "the network explains it");
        assert_eq!(Seen::of("d", &flows(0.5, 20.0)).strain, None, "the processor does not explain it");
    }

    #[test]
    fn nothing_is_said_where_no_rule_fires() {
        assert_eq!(found(&[]), None);
        assert_eq!(found(&[seen("a", &[("b", &BAD)]), seen("b", &[("a", &FINE)])]), None);
    }
}
