//! Measurements: every store keeps the set of what it was given, whatever the order, the batches and the repeats.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::records::quality::{Flow, Measure, Points, Series, normalise};
use crate::store::SampleQuery;

const DAY_MS: i64 = 86_400_000;
/// As of the suite: a minute before midnight.
const START_MS: i64 = START_S * 1_000;

fn flow(app: AppId, room: &str, user: &str, peer: &str, connection: &str) -> Flow {
    let text = str::to_owned;
    Flow { app, room: text(room), user: text(user), peer: text(peer), connection: text(connection) }
}

/// One column; times in milliseconds from the start.
fn series(flow: &Flow, name: &str, points: &[(i64, f64)]) -> Series {
    let measure = Measure::of_name(name).unwrap_or_else(|| panic!("no measure {name}"));
    let mut points: Points = points.iter().map(|(ms, value)| (Millis(START_MS + ms), *value)).collect();
    normalise(&mut points);
    Series { flow: flow.clone(), columns: vec![(measure, points)] }
}

/// Series as bits, since no NaN is equal to itself.
type Bits = Vec<(Flow, Vec<(&'static str, Vec<(i64, u64)>)>)>;

fn bits(series: &[Series]) -> Bits {
    let points = |points: &Points| points.iter().map(|(at, v)| (at.0 - START_MS, v.to_bits())).collect();
    let columns =
        |series: &Series| series.columns.iter().map(|(m, column)| (m.name(), points(column))).collect();
    series.iter().map(|series| (series.flow.clone(), columns(series))).collect()
}

impl Subject {
    pub(super) fn measure(&self, series: &[Series]) {
        wait(self.store.append_samples(series.to_vec())).unwrap();
    }

    pub(super) fn measured(&self, room: &str, users: &[&str], from: i64, to: i64) -> Vec<Series> {
        let users: Vec<String> = users.iter().map(|user| (*user).to_owned()).collect();
        let (from, to) = (Millis(START_MS.saturating_add(from)), Millis(START_MS.saturating_add(to)));
        wait(self.store.samples(&SampleQuery { app: APP, room, users: &users, from, to })).unwrap()
    }

    pub(super) fn measurements(&self, query: &ExportQuery) -> Vec<Series> {
        let mut all = Vec::new();
        let mut keep = |exported: Exported<'_>| {
            let Exported::Samples(series) = exported else { panic!("no measurements: {exported:?}") };
            all.push(series.clone());
            Ok(())
        };
        self.store.export(query, &mut keep).unwrap();
        all
    }
}

#[test]
fn a_window_includes_its_bounds_and_nothing_of_others() {
    for subject in Subject::all() {
        let mine = flow(APP, "r", "alice", "bob", "PC_0");
        let points = [(-1, 1.0), (0, 2.0), (2_000, 3.0), (100_000, 4.0), (100_001, 5.0)];
        let others = [
            flow(AppId(7), "r", "alice", "bob", "PC_0"),
            flow(APP, "r2", "alice", "bob", "PC_0"),
            flow(APP, "r", "alice2", "bob", "PC_0"),
            flow(APP, "r", "bob", "", ""),
        ];
        subject.measure(&[series(&mine, "rtt", &points)]);
        subject.measure(&others.clone().map(|other| series(&other, "rtt", &points)));
        let subject = subject.reopened();
        let name = subject.name;
        // From before midnight to behind it.
        let found = subject.measured("r", &["alice", "nobody", "alice"], 0, 100_000);
        assert_eq!(bits(&found), bits(&[series(&mine, "rtt", &points[1..4])]), "{name}");
        assert_eq!(subject.measured("r", &["alice"], 2_001, 99_999), [], "{name}");
        assert_eq!(subject.measured("r", &["alice"], 5, 4), [], "{name}");
        assert_eq!(subject.measured("r", &[], i64::MIN / 2, i64::MAX / 2), [], "{name}");
        let both = subject.measured("r", &["bob", "alice"], -10, 10);
        assert_eq!(both.iter().map(|s| s.flow.user.as_str()).collect::<Vec<_>>(), ["alice", "bob"], "{name}");
    }
}

#[test]
fn measurements_alone_make_no_call_and_wait_for_none() {
    for subject in Subject::all() {
        subject.measure(&[series(&flow(APP, "r", "a", "", ""), "rtt", &[(0, 1.0)])]);
        subject.measure(&[]);
        subject.measure(&[Series { flow: flow(APP, "r", "b", "", ""), columns: Vec::new() }]);
        assert_eq!(subject.calls(|_| {}), [], "{}", subject.name);
        assert_eq!(subject.counts(), Counts::default(), "{}", subject.name);
        assert_eq!(subject.measured("r", &["a", "b"], 0, 0).len(), 1, "{}", subject.name);
    }
}

#[test]
fn days_before_the_horizon_are_dropped_and_never_a_later_one() {
    for subject in Subject::all() {
        let flow = flow(APP, "r", "a", "", "");
        let points: Vec<(i64, f64)> = (0..4).map(|day| (day * DAY_MS, 1.0)).collect();
        subject.measure(&[series(&flow, "rtt", &points)]);
        subject.seal();
        // The horizon is in the third day.
        subject.sweep(Millis(START_MS + 2 * DAY_MS + 30_000));
        let subject = subject.reopened();
        let found = subject.measured("r", &["a"], 0, 10 * DAY_MS);
        assert_eq!(bits(&found), bits(&[series(&flow, "rtt", &points[2..])]), "{}", subject.name);
        // What comes later for a day that was dropped is kept again, until the next sweep.
        subject.measure(&[series(&flow, "rtt", &points[..1])]);
        assert_eq!(subject.measured("r", &["a"], 0, 0).len(), 1, "{}", subject.name);
    }
}

#[test]
fn an_export_gives_a_part_of_the_time() {
    for subject in Subject::all() {
        let (one, other) = (flow(APP, "r", "a", "", "x"), flow(APP, "r", "a", "", ""));
        subject.measure(&[series(&one, "rtt", &[(0, 1.0), (60_000, 2.0), (90_000, 3.0)])]);
        subject.measure(&[
            series(&other, "aBit", &[(1, 1.0)]),
            series(&flow(AppId(7), "r", "a", "", ""), "rtt", &[(1, 1.0)]),
        ]);
        let all = subject.measurements(&everything(What::Samples));
        // By day, then flow: the first two are of before midnight.
        let expected = [
            series(&other, "aBit", &[(1, 1.0)]),
            series(&one, "rtt", &[(0, 1.0)]),
            series(&one, "rtt", &[(60_000, 2.0), (90_000, 3.0)]),
        ];
        assert_eq!(bits(&all), bits(&expected), "{}", subject.name);
        let query = ExportQuery {
            from: Millis(START_MS + 60_000),
            to: Millis(START_MS + 89_999),
            ..everything(What::Samples)
        };
        assert_eq!(bits(&subject.measurements(&query)), bits(&[series(&one, "rtt", &[(60_000, 2.0)])]));
        let nothing = ExportQuery { from: Millis(START_MS), to: Millis(START_MS - 1), ..query };
        assert_eq!(subject.measurements(&nothing), [], "{}", subject.name);
    }
}

#[test]
fn what_is_known_already_is_not_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let fault = Fault::default();
    let options = EmbeddedOptions { fault: fault.clone(), ..EmbeddedOptions::default() };
    let store = Embedded::open(dir.path(), options).unwrap();
    let flow = flow(APP, "r", "a", "", "");
    let points: Vec<(i64, f64)> =
        (0..2_000).map(|n| (n * 100, f64::from(i32::try_from(n % 7).unwrap()))).collect();
    let known = vec![series(&flow, "rtt", &points)];
    wait(store.append_samples(known.clone())).unwrap();
    fault.set(true);
    wait(store.append_samples(known)).unwrap();
    wait(store.append_samples(vec![series(&flow, "rtt", &[(0, -1.0)])])).unwrap();
    let fresh = vec![series(&flow, "rtt", &[(50, 9.0)])];
    assert!(wait(store.append_samples(fresh.clone())).is_err(), "the disk is broken");
    fault.set(false);
    wait(store.append_samples(fresh)).unwrap();
}

#[test]
fn events_are_taken_while_measurements_cannot_be() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path(), EmbeddedOptions::default()).unwrap();
    std::fs::remove_dir_all(dir.path().join("samples")).unwrap();
    let flow = flow(APP, "r", "a", "", "");
    assert!(wait(store.append_samples(vec![series(&flow, "rtt", &[(0, 1.0)])])).is_err());
    assert_eq!(wait(store.append(vec![joined("r", "a", 1)])).unwrap().new, 1);
}

#[test]
fn a_file_of_another_kind_or_format_is_refused_by_name() {
    let made = || {
        let subject = Subject::embedded();
        subject.append(&[joined("r", "a", 1)]);
        subject.measure(&[series(&flow(APP, "r", "a", "", ""), "rtt", &[(0, 1.0)])]);
        let Subject { store, dir, .. } = subject;
        drop(store);
        dir.unwrap()
    };
    let file = "2026-11-20.redb";
    let dir = made();
    assert_eq!(Embedded::verify(dir.path()).unwrap(), 1);
    std::fs::copy(dir.path().join("days").join(file), dir.path().join("samples").join(file)).unwrap();
    for outcome in
        [Embedded::verify(dir.path()).err(), Embedded::open(dir.path(), EmbeddedOptions::default()).err()]
    {
        let why = outcome.unwrap().to_string();
        assert!(why.contains("samples/2026-11-20.redb was written in format 0"), "{why}");
    }
    let dir = made();
    let path = dir.path().join("samples").join(file);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[0] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let why = Embedded::verify(dir.path()).err().unwrap().to_string();
    assert!(why.contains("samples/2026-11-20.redb"), "{why}");
}

/// What a small world measures, so that much meets: few flows and measures, times on both sides of midnight.
fn any_series() -> impl Strategy<Value = Series> {
    let names = (
        select(vec![APP, AppId(7)]),
        select(vec!["r", "r2"]),
        select(vec!["a", "ab"]),
        select(vec!["", "p"]),
    );
    let value = prop_oneof![
        4 => (0..40_u8).prop_map(f64::from),
        1 => select(vec![-0.0, 0.1, 1e300, f64::NAN, f64::INFINITY]),
    ];
    let point = (0..90_i64, 0..3_i64).prop_map(|(n, ms)| n * 2_000 + ms);
    let column =
        (select(vec!["rtt", "audio_bytes", "video_stream"]), prop::collection::vec((point, value), 1..60));
    (names, select(vec!["", "c"]), prop::collection::vec(column, 1..3)).prop_map(
        |((app, room, user, peer), c, columns)| {
            let flow = flow(app, room, user, peer, c);
            let mut all: Vec<(Measure, Points)> =
                columns.iter().flat_map(|(name, points)| series(&flow, name, points).columns).collect();
            all.sort_by_key(|(measure, _)| *measure);
            all.dedup_by_key(|(measure, _)| *measure);
            Series { flow, columns: all }
        },
    )
}

proptest! {
    // Each case makes several commits in each of two files.
    #![proptest_config(ProptestConfig { cases: few_cases().cases / 4, ..few_cases() })]

    /// Any order, any batches, repeats, a restart and sealing in between: the series are those of the reference.
    #[test]
    fn any_order_of_measurements_gives_the_same_series(
        given in prop::collection::vec(any_series(), 1..25),
        order in any::<prop::sample::Index>(),
        batch in 1..6_usize,
        (seal_at, reopen_at) in (0..8_usize, 0..8_usize),
        window in (0..180_000_i64, 0..180_000_i64),
    ) {
        let reference = Subject::memory();
        reference.measure(&given);
        let mut order_of = given.clone();
        order_of.rotate_left(order.index(given.len()));
        order_of.reverse();
        let mut embedded = Subject::embedded();
        for (n, part) in order_of.chunks(batch).enumerate() {
            embedded.measure(part);
            embedded.measure(&part[..1]);
            if n == seal_at {
                embedded.seal();
            }
            if n == reopen_at {
                embedded = embedded.reopened();
            }
        }
        let embedded = embedded.reopened();
        let everything = everything(What::Samples);
        prop_assert_eq!(bits(&embedded.measurements(&everything)), bits(&reference.measurements(&everything)));
        let ask = |subject: &Subject| bits(&subject.measured("r", &["a", "ab"], window.0, window.1));
        prop_assert_eq!(ask(&embedded), ask(&reference));
    }
}
