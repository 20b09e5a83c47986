//! Daily figures: a plain count over the exported records is what every store must tell, whatever came late.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use redb::{Database, ReadableTable, TableDefinition, WriteTransaction};
use tempfile::TempDir;

use super::{
    APP, Answers, START_S, Subject, Told, any_event, at, event, few_cases, joined, left, shuffled, wait,
};
use crate::records::{AppId, Event, Kind, Millis};
use crate::store::embedded::{Embedded, EmbeddedOptions};
use crate::store::{AnyStore, DAY_S, DayFigures, Figures, Store, figures_day};

/// From [`START_S`] to the midnight of UTC, and to the one of UTC+8 behind it.
const MIDNIGHT: i64 = 60;
const NEXT_DAY: i64 = MIDNIGHT + 57_600;
/// And the beginning of the day of UTC+8 that [`START_S`] is in.
const DAY: i64 = NEXT_DAY - DAY_S;

/// Counts the sessions of the records, one by one.
fn recount(answers: &Answers) -> Figures {
    let mut rooms: BTreeMap<i64, BTreeSet<&str>> = BTreeMap::new();
    let mut users: BTreeMap<i64, BTreeSet<(&str, &str)>> = BTreeMap::new();
    let mut entries: BTreeMap<i64, u64> = BTreeMap::new();
    for (call, sessions) in &answers.records {
        for session in sessions {
            let day = figures_day(session.joined.secs());
            rooms.entry(day).or_default().insert(&call.room);
            users.entry(day).or_default().insert((&call.room, &session.user));
            *entries.entry(day).or_default() += 1;
        }
    }
    let days = entries.into_iter().map(|(start_s, entries)| DayFigures {
        start_s,
        rooms: rooms[&start_s].len() as u64,
        users: users[&start_s].len() as u64,
        entries,
    });
    let days: Vec<DayFigures> = days.collect();
    Figures { first_s: days.first().map(|day| day.start_s), days }
}

/// A day after [`DAY`], and its rooms, users and entries.
type DayTold = (i64, u64, u64, u64);

fn told(figures: &Figures) -> Vec<DayTold> {
    let day = |day: &DayFigures| ((day.start_s - START_S - DAY) / DAY_S, day.rooms, day.users, day.entries);
    figures.days.iter().map(day).collect()
}

fn hinted(event: Event, second: i64) -> Event {
    Event { join_hint: Some(at(second)), ..event }
}

const FIGURES: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("figures");
const EVENTS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("events");
const USERS_PACKED: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("users.packed");
const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");

/// Changes each file of a store that is closed.
fn each_file(dir: &TempDir, change: impl Fn(&WriteTransaction)) {
    let all = std::fs::read_dir(dir.path().join("days")).unwrap().map(|file| file.unwrap().path());
    for file in all.filter(|file| file.extension().is_some_and(|extension| extension == "redb")) {
        let tx = Database::open(file).unwrap().begin_write().unwrap();
        change(&tx);
        tx.commit().unwrap();
    }
}

/// Each step's events, and the figures after it. Every store tells them, as it goes and opened again; and so does one
/// that packs its days after each step.
fn check(steps: &[(&[Event], &[DayTold])]) {
    let sealing = Subject { name: "sealing", ..Subject::embedded() };
    for mut subject in Subject::all().into_iter().chain([sealing]) {
        for (step, (events, expected)) in steps.iter().enumerate() {
            for _ in 0..2 {
                subject.append(events);
                assert_eq!(told(&subject.figures()), *expected, "{} step {step}", subject.name);
            }
            if subject.name == "sealing" {
                subject.seal();
            }
            subject = subject.reopened();
            let answers = subject.answers();
            assert_eq!(told(&answers.figures), *expected, "{} step {step}", subject.name);
            assert_eq!(answers.figures, recount(&answers), "{} step {step}", subject.name);
        }
        subject.verified();
    }
}

impl Subject {
    /// Closes the store and verifies its files.
    pub(super) fn verified(self) {
        let Subject { store, dir, .. } = self;
        drop(store);
        if let Some(dir) = dir {
            Embedded::verify(dir.path()).unwrap();
        }
    }
}

#[test]
fn a_day_counts_rooms_users_and_entries_by_the_join() {
    let closed = |room: &str, second| event(room, "", Kind::RoomDestroyed, second);
    check(&[
        (&[joined("r", "a", 0), joined("r", "b", 1), joined("s", "a", 2)], &[(0, 2, 3, 3)]),
        // The same user again, and a second life of the room on the same day of UTC: one room, one user.
        (&[left("r", "a", 5), joined("r", "a", 6)], &[(0, 2, 3, 4)]),
        (&[closed("r", 10), joined("r", "a", 20), joined("r", "c", 21)], &[(0, 2, 4, 6)]),
        // And one on the next day of UTC, which is the same of UTC+8.
        (&[closed("r", 30), joined("r", "a", MIDNIGHT + 5), joined("r", "d", MIDNIGHT + 6)], &[(0, 2, 5, 8)]),
        // The next day of UTC+8 begins while the room is open.
        (&[joined("r", "e", NEXT_DAY - 1)], &[(0, 2, 6, 9)]),
        (&[joined("r", "f", NEXT_DAY), joined("r", "a", NEXT_DAY)], &[(0, 2, 6, 9), (1, 1, 2, 2)]),
    ]);
}

#[test]
fn what_comes_late_is_counted_once() {
    let room = |room: &str, second| event(room, "x", Kind::RoomCreated, second);
    check(&[
        // The later of two lives first: what both have is counted in the first of their files from then on.
        (
            &[room("r", MIDNIGHT + 10), joined("r", "a", MIDNIGHT + 11), joined("r", "b", MIDNIGHT + 12)],
            &[(0, 1, 2, 2)],
        ),
        (&[room("r", 0), joined("r", "a", 1), joined("r", "c", 2)], &[(0, 1, 3, 4)]),
        // A leave behind the last life tells of a join on an earlier day.
        (&[hinted(left("s", "a", NEXT_DAY + DAY_S), 3)], &[(0, 2, 4, 5)]),
        (
            &[joined("s", "a", MIDNIGHT + 3), left("s", "b", NEXT_DAY + 2 * DAY_S)],
            &[(0, 2, 4, 5), (3, 1, 1, 1)],
        ),
    ]);
    check(&[
        (&[joined("r", "a", MIDNIGHT + 5), joined("r", "b", MIDNIGHT + 5)], &[(0, 1, 2, 2)]),
        // The creation is told late: the life, and all that is counted of it, moves to another file.
        (&[room("r", 30)], &[(0, 1, 2, 2)]),
        // An end between the two takes it back.
        (&[event("r", "", Kind::RoomDestroyed, 50)], &[(0, 1, 2, 2)]),
        (&[joined("r", "a", 31)], &[(0, 1, 2, 3)]),
    ]);
    check(&[
        (&[hinted(left("r", "a", NEXT_DAY + 5), NEXT_DAY + 2)], &[(1, 1, 1, 1)]),
        // The join itself, a day before.
        (&[joined("r", "a", NEXT_DAY - 5)], &[(0, 1, 1, 1)]),
    ]);
}

#[test]
fn a_long_call_counts_on_each_day_that_somebody_enters_it() {
    let many = |from: i64, users: std::ops::Range<i64>| -> Vec<Event> {
        users.map(|user| joined("r", &format!("u{user}"), from + user)).collect()
    };
    check(&[
        (&many(0, 0..300), &[(0, 1, 300, 300)]),
        (&many(NEXT_DAY, 0..10), &[(0, 1, 300, 300), (1, 1, 10, 10)]),
        (&many(NEXT_DAY + 3 * DAY_S, 290..310), &[(0, 1, 300, 300), (1, 1, 10, 10), (4, 1, 20, 20)]),
        // Another life of the room, in the file of that day.
        (
            &[
                event("r", "", Kind::RoomDestroyed, NEXT_DAY + 3 * DAY_S + 2_000),
                joined("r", "u290", NEXT_DAY + 3 * DAY_S + 3_000),
                joined("r", "new", NEXT_DAY + 3 * DAY_S + 3_001),
            ],
            &[(0, 1, 300, 300), (1, 1, 10, 10), (4, 1, 21, 22)],
        ),
    ]);
}

#[test]
fn figures_are_asked_by_application_and_window() {
    for subject in Subject::all() {
        assert_eq!(subject.figures(), Figures::default(), "{}", subject.name);
        subject.append(&[
            joined("r", "a", 0),
            joined("r", "b", NEXT_DAY),
            joined("r", "c", NEXT_DAY + 2 * DAY_S),
        ]);
        subject.append(&[Event { app: AppId(7), ..joined("r", "a", NEXT_DAY) }]);
        let days = |app, from: i64, to: i64| {
            let figures = wait(subject.store.figures(app, START_S + DAY + from, START_S + DAY + to)).unwrap();
            (figures.first_s.map(|first| first - START_S - DAY), told(&figures))
        };
        let all = [(0, 1, 1, 1), (1, 1, 1, 1), (3, 1, 1, 1)];
        assert_eq!(days(APP, 0, 3 * DAY_S), (Some(0), all.to_vec()), "{}", subject.name);
        assert_eq!(days(APP, 1, 3 * DAY_S - 1), (Some(0), all[1..2].to_vec()), "{}", subject.name);
        assert_eq!(days(APP, DAY_S, 0), (Some(0), Vec::new()), "{}", subject.name);
        assert_eq!(days(AppId(7), 0, 9 * DAY_S), (Some(DAY_S), all[1..2].to_vec()), "{}", subject.name);
        assert_eq!(days(AppId(8), 0, 9 * DAY_S), (None, Vec::new()), "{}", subject.name);
    }
}

#[test]
fn days_behind_the_horizon_stay_exact_when_files_are_dropped() {
    for subject in Subject::all() {
        let closed = |room: &str, second| event(room, "", Kind::RoomDestroyed, second);
        subject.append(&[joined("old", "a", 0), joined("old", "b", 1), closed("old", 2)]);
        subject.append(&[joined("old", "a", MIDNIGHT + 10), closed("old", MIDNIGHT + 11)]);
        subject.append(&[joined("long", "a", MIDNIGHT + 20), joined("long", "b", NEXT_DAY + DAY_S)]);
        subject.append(&[joined("new", "a", NEXT_DAY + 2 * DAY_S)]);
        assert_eq!(told(&subject.figures()), [(0, 2, 3, 4), (2, 1, 1, 1), (3, 1, 1, 1)], "{}", subject.name);
        let behind = |subject: &Subject, from: i64| {
            let figures = wait(subject.store.figures(APP, START_S + DAY + from * DAY_S, i64::MAX)).unwrap();
            told(&figures)
        };
        subject.sweep(at(MIDNIGHT + 100));
        let subject = subject.reopened();
        assert_eq!(behind(&subject, 1), [(2, 1, 1, 1), (3, 1, 1, 1)], "{}", subject.name);
        // What comes late for a day that has lost entries does not make it whole again.
        subject.append(&[left("long", "b", NEXT_DAY + DAY_S + 5), joined("old", "a", MIDNIGHT + 30)]);
        assert_eq!(behind(&subject, 1), [(2, 1, 1, 1), (3, 1, 1, 1)], "{}", subject.name);
        if matches!(subject.store, AnyStore::Embedded(_)) {
            assert_eq!(told(&subject.figures()), [(2, 1, 1, 1), (3, 1, 1, 1)]);
            assert_eq!(subject.figures().first_s, Some(START_S + DAY + 2 * DAY_S));
        }
        subject.seal();
        let subject = subject.reopened();
        subject.sweep(at(NEXT_DAY + 2 * DAY_S));
        assert_eq!(behind(&subject, 3), [(3, 1, 1, 1)], "{}", subject.name);
        subject.verified();
    }
}

#[test]
fn what_is_derived_from_stays_and_is_wrong_is_found() {
    let check = |wrong: fn(&WriteTransaction), sealed: bool, told: &str| {
        let subject = Subject::embedded();
        subject.append(&[joined("r", "a", 0), joined("r", "a", MIDNIGHT + 5)]);
        if sealed {
            subject.seal();
        }
        let Subject { store, dir, .. } = subject;
        drop(store);
        let dir = dir.unwrap();
        Embedded::verify(dir.path()).unwrap();
        each_file(&dir, wrong);
        let error = Embedded::verify(dir.path()).unwrap_err().to_string();
        assert!(error.contains(told) && error.contains("2026-11-20.redb"), "{error}");
        assert!(error.contains("are not those of its"), "{error}");
    };
    let figures = |tx: &WriteTransaction| {
        let mut rows = tx.open_table(FIGURES).unwrap();
        let key = rows.first().unwrap().unwrap().0.value().to_vec();
        rows.insert(key.as_slice(), [1, 1, 9, 1].as_slice()).unwrap();
    };
    check(figures, false, "the figures of application");
    let stays = |tx: &WriteTransaction| {
        let mut rows = tx.open_table(EVENTS).unwrap();
        let (key, mut row) = {
            let (key, row) = rows.first().unwrap().unwrap();
            (key.value().to_vec(), row.value().to_vec())
        };
        // A version, the time of the first event in four bytes, how many stays, and when the first of them began.
        row[6] += 2;
        rows.insert(key.as_slice(), row.as_slice()).unwrap();
    };
    check(stays, false, "the sessions");
    check(|tx| drop(tx.open_table(USERS_PACKED).unwrap().pop_last().unwrap()), true, "the users' calls");
}

#[test]
fn files_of_other_formats_are_refused_by_name() {
    for format in [1, 2, 3, 5] {
        let subject = Subject::embedded();
        subject.append(&[joined("r", "a", 0)]);
        let Subject { store, dir, .. } = subject;
        drop(store);
        let dir = dir.unwrap();
        each_file(&dir, |tx| {
            tx.open_table(META).unwrap().insert("format", format).unwrap();
        });
        let why = Embedded::open(dir.path(), EmbeddedOptions::default()).unwrap_err().to_string();
        assert!(why.contains(&format!("days/2026-11-20.redb was written in format {format}")), "{why}");
        assert!(why.contains("export its events"), "{why}");
    }
}

/// Events around the midnights of UTC and UTC+8, some with hints that reach back for days.
fn any_event_of_days() -> impl Strategy<Value = Event> {
    let days = prop::sample::select(vec![0, NEXT_DAY - 60, DAY_S, NEXT_DAY - 60 + DAY_S]);
    let back = prop_oneof![6 => Just(0), 1 => 0..300_000i64];
    (any_event(), days, back).prop_map(|(event, later, back)| {
        let later = |moment: Millis| moment.plus(later * 1_000);
        Event {
            at: later(event.at),
            received: later(event.received),
            join_hint: event.join_hint.map(|hint| later(hint).plus(-back * 1_000)),
            create_hint: event.create_hint.map(later),
            ..event
        }
    })
}

proptest! {
    #![proptest_config(few_cases())]

    /// A day's figures are those of a plain count over the exported records, after each batch.
    #[test]
    fn figures_are_those_of_the_records(
        events in prop::collection::vec(any_event_of_days(), 1..40).prop_map(Told),
        seed in any::<u64>(),
        batch in 1..20usize,
        seal_at in 0..8usize,
    ) {
        let (reference, embedded) = (Subject::memory(), Subject::embedded());
        for (n, part) in shuffled(&events.0, seed).chunks(batch).enumerate() {
            for subject in [&reference, &embedded] {
                subject.append(part);
            }
            prop_assert_eq!(embedded.figures(), reference.figures());
            if n == seal_at {
                embedded.seal();
            }
        }
        let embedded = embedded.reopened();
        let answers = embedded.answers();
        prop_assert_eq!(&answers, &reference.answers());
        prop_assert_eq!(&answers.figures, &recount(&answers));
        embedded.verified();
    }
}
