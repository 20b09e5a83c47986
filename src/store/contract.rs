//! The suite that every store must pass, and the proof that a store that folds in part answers as one that folds
//! everything: any list of events, in any order and split into any batches, against the reference.

mod clickhouse;
mod days;
mod forget;
mod pages;
mod samples;
mod figures;
mod users;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::embedded::{Embedded, EmbeddedOptions, Fault};
use super::{
    AnyStore, CallQuery, Counts, ExportQuery, Exported, Figures, Memory, SessionQuery, Store, StoreError,
    UserCall, UserSeen, What,
};
use crate::records::{
    AppId, Attr, Call, CommId, Event, JoinSource, Kind, LeaveSource, Millis, Reason, ReasonClass, Session,
    Track,
};

const APP: AppId = AppId(1_400_000_001);
/// 2026-11-20T23:59:00Z: a minute before midnight, so that calls cross the day.
const START_S: i64 = 1_795_219_140;

/// A store under test, and what keeps its files.
struct Subject {
    name: &'static str,
    store: AnyStore,
    dir: Option<tempfile::TempDir>,
    database: Option<clickhouse::Database>,
}

impl Subject {
    fn all() -> Vec<Subject> {
        [Subject::memory(), Subject::embedded()].into_iter().chain(Subject::clickhouse()).collect()
    }

    fn memory() -> Subject {
        Subject { name: "memory", store: AnyStore::Memory(Memory::default()), dir: None, database: None }
    }

    fn embedded() -> Subject {
        let dir = tempfile::tempdir().unwrap();
        let store = Embedded::open(dir.path(), EmbeddedOptions::default()).unwrap();
        Subject { name: "embedded", store: AnyStore::Embedded(store), dir: Some(dir), database: None }
    }

    /// The same store after a restart.
    fn reopened(self) -> Subject {
        let Subject { name, store, dir, database } = self;
        let store = match (&dir, &database) {
            (Some(dir), _) => {
                drop(store);
                AnyStore::Embedded(Embedded::open(dir.path(), EmbeddedOptions::default()).unwrap())
            }
            (None, Some(database)) => {
                drop(store);
                database.open()
            }
            (None, None) => store,
        };
        Subject { name, store, dir, database }
    }

    fn append(&self, events: &[Event]) -> super::Appended {
        wait(self.store.append(events.to_vec())).unwrap()
    }

    fn seal(&self) {
        if let AnyStore::Embedded(store) = &self.store {
            wait(store.seal(Millis::from_secs(START_S + 30 * 86_400), Duration::from_secs(172_800))).unwrap();
        }
    }

    /// Everything the store knows, as questions and exports show it.
    fn answers(&self) -> Answers {
        let mut records = Vec::new();
        self.store
            .export(&everything(What::Records), &mut |exported| {
                if let Exported::Call(call, sessions) = exported {
                    records.push((call.clone(), sessions.to_vec()));
                }
                Ok(())
            })
            .unwrap();
        let mut events = Vec::new();
        self.store
            .export(&everything(What::Events), &mut |exported| {
                if let Exported::Event(event) = exported {
                    events.push(event.clone());
                }
                Ok(())
            })
            .unwrap();
        let (counts, figures, users) = (self.counts(), self.figures(), self.everybody());
        Answers { records, events, counts, figures, users }
    }

    /// Sweeps, and waits until no replica has what was dropped: until then one may still answer with it.
    fn sweep(&self, horizon: Millis) {
        wait(self.store.sweep(horizon)).unwrap();
        if let AnyStore::ClickHouse(store) = &self.store {
            // Each look asks every replica for every table, which takes its time.
            let is_done = (0..1_000).any(|_| store.is_swept_everywhere().unwrap());
            assert!(is_done, "a replica still has what was dropped");
        }
    }

    fn counts(&self) -> Counts {
        wait(self.store.counts()).unwrap()
    }

    /// The figures of all days.
    fn figures(&self) -> Figures {
        wait(self.store.figures(APP, i64::MIN, i64::MAX)).unwrap()
    }

    fn sessions<'a>(
        &self,
        comm_id: &'a CommId,
        change: impl FnOnce(&mut SessionQuery<'a>),
    ) -> Vec<Arc<Session>> {
        let mut query = SessionQuery {
            app: APP,
            comm_id,
            from_s: 0,
            to_s: i64::MAX,
            users: None,
            skip: 0,
            take: usize::MAX,
            now: now(),
            horizon: Millis(0),
        };
        change(&mut query);
        wait(self.store.sessions(&query)).unwrap().to_vec()
    }

    fn calls<'a>(&self, change: impl FnOnce(&mut CallQuery<'a>)) -> Vec<Call> {
        let mut query = CallQuery {
            app: APP,
            room: None,
            from_s: 0,
            to_s: START_S * 2,
            skip: 0,
            take: usize::MAX,
            now: now(),
            horizon: Millis(0),
        };
        change(&mut query);
        wait(self.store.calls(&query)).unwrap()
    }
}

#[derive(PartialEq)]
struct Answers {
    records: Vec<(Call, Vec<Session>)>,
    events: Vec<Event>,
    counts: Counts,
    figures: Figures,
    users: Vec<(UserSeen, Vec<UserCall>)>,
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |at: Millis| at.0 - START_S * 1_000;
        for (call, sessions) in &self.records {
            let end = call.ended.map(ms);
            let (id, by) = (&call.comm_id, &call.creator);
            writeln!(
                f,
                "\n  {id} {} by {by} {}..{end:?} {:?} last {}",
                call.instance,
                ms(call.created),
                call.end_source,
                ms(call.last_evidence)
            )?;
            for s in sessions {
                let (from, to) = (ms(s.joined), s.left.map(ms));
                let (user, visit) = (&s.user, &s.visit);
                writeln!(
                    f,
                    "    {user} {visit:?} {from} {:?} .. {to:?} {:?} {:?}",
                    s.join_source, s.leave_source, s.attrs
                )?;
            }
        }
        writeln!(f, "  {:?}\n  {:?}", self.counts, self.figures)?;
        for (seen, calls) in &self.users {
            let calls: Vec<&CommId> = calls.iter().map(|of| &of.call.comm_id).collect();
            writeln!(f, "  {seen:?} {calls:?}")?;
        }
        self.events.iter().try_for_each(|event| writeln!(f, "  : {}", line(event)))
    }
}

fn everything(what: What) -> ExportQuery {
    ExportQuery { app: APP, from: Millis(i64::MIN), to: Millis(i64::MAX), what }
}

fn now() -> Millis {
    Millis::from_secs(START_S + 10 * 86_400)
}

fn wait<T>(answer: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(answer)
}

fn at(second: i64) -> Millis {
    Millis::from_secs(START_S + second)
}

fn event(room: &str, user: &str, kind: Kind, second: i64) -> Event {
    Event::new(APP, "trtc", room, user, kind, at(second))
}

fn joined(room: &str, user: &str, second: i64) -> Event {
    event(room, user, Kind::UserJoined, second)
}

fn left(room: &str, user: &str, second: i64) -> Event {
    event(room, user, Kind::UserLeft, second)
}

fn closed(room: &str, second: i64) -> Event {
    event(room, "", Kind::RoomDestroyed, second)
}

#[test]
fn twice_is_once_and_a_restart_forgets_nothing() {
    for subject in Subject::all() {
        let events = [
            event("r", "alice", Kind::RoomCreated, 0),
            joined("r", "alice", 1),
            joined("r", "bob", 2),
            left("r", "bob", 100),
            event("r", "", Kind::RoomDestroyed, 200),
        ];
        assert_eq!((subject.append(&events).new, subject.append(&events).new), (5, 0), "{}", subject.name);
        let before = subject.answers();
        assert_eq!(before.records.len(), 1);
        let ends: Vec<_> =
            before.records[0].1.iter().map(|s| (s.user.as_str(), s.left, s.leave_source)).collect();
        assert_eq!(
            ends,
            [("alice", Some(at(200)), LeaveSource::RoomClosed), ("bob", Some(at(100)), LeaveSource::Seen),]
        );
        let subject = subject.reopened();
        assert_eq!(subject.answers(), before, "{}", subject.name);
        assert_eq!(subject.append(&events).duplicate, 5, "{}", subject.name);
    }
}

#[test]
fn a_call_that_runs_for_days_is_found_on_each_of_them() {
    const DAY_S: i64 = 86_400;
    for subject in Subject::all() {
        subject.append(&[event("long", "a", Kind::RoomCreated, 0), joined("long", "a", 1)]);
        subject.append(&[joined("other", "a", 5 * DAY_S)]);
        let alive = |day: i64| {
            let from_s = START_S + day * DAY_S;
            let calls = subject.calls(|query| (query.from_s, query.to_s) = (from_s, from_s + 60));
            calls.into_iter().map(|call| call.room).collect::<Vec<_>>()
        };
        assert_eq!(alive(3), ["long"], "{}", subject.name);
        assert_eq!(alive(5), ["other", "long"], "{}", subject.name);
        subject.append(&[event("long", "", Kind::RoomDestroyed, 4 * DAY_S)]);
        assert_eq!(alive(3), ["long"], "{}", subject.name);
        assert_eq!(alive(5), ["other"], "{}", subject.name);
        assert_eq!(alive(-1), Vec::<String>::new(), "{}", subject.name);
    }
}

#[test]
fn rooms_are_listed_newest_first_numbers_before_texts() {
    for subject in Subject::all() {
        for room in ["3015068783", "3501", "b", "a_1"] {
            subject.append(&[event(room, "x", Kind::RoomCreated, 10)]);
        }
        subject.append(&[event("late", "x", Kind::RoomCreated, 11)]);
        let rooms: Vec<String> = subject.calls(|_| {}).into_iter().map(|call| call.room).collect();
        assert_eq!(rooms, ["late", "3501", "3015068783", "a_1", "b"], "{}", subject.name);
        let second = subject.calls(|query| (query.skip, query.take) = (2, 2));
        assert_eq!(second.iter().map(|call| call.room.as_str()).collect::<Vec<_>>(), ["3015068783", "a_1"]);
        assert_eq!(subject.calls(|query| query.room = Some("a_1")).len(), 1, "{}", subject.name);
        assert!(subject.calls(|query| query.app = AppId(7)).is_empty(), "{}", subject.name);
    }
}

#[test]
fn retention_drops_what_is_old_and_hides_it_before() {
    for subject in Subject::all() {
        subject.append(&[
            joined("old", "a", 0),
            left("old", "a", 10),
            event("old", "", Kind::RoomDestroyed, 11),
        ]);
        subject.append(&[joined("abandoned", "a", 20)]);
        subject.append(&[joined("running", "a", 30), left("running", "a", 8 * 86_400)]);
        subject.append(&[left("bare", "a", 40)]);
        let horizon = at(7 * 86_400);
        let visible: Vec<String> =
            subject.calls(|query| query.horizon = horizon).into_iter().map(|call| call.room).collect();
        assert_eq!(visible, ["running"], "{}", subject.name);
        let old = CommId::new(APP, "old", START_S);
        assert!(subject.sessions(&old, |query| query.horizon = horizon).is_empty(), "{}", subject.name);
        assert_eq!(subject.sessions(&old, |_| {}).len(), 1, "{}", subject.name);
        subject.sweep(horizon);
        let subject = subject.reopened();
        assert_eq!(subject.calls(|query| query.room = Some("running")).len(), 1, "{}", subject.name);
        // A day is dropped whole, once nothing of it reaches behind the horizon.
        subject.sweep(at(9 * 86_400));
        assert_eq!(subject.calls(|_| {}), [], "{}", subject.name);
        assert_eq!(subject.counts(), Counts::default(), "{}", subject.name);
    }
}

#[test]
fn an_id_that_was_once_given_out_still_finds_its_call() {
    for subject in Subject::all() {
        subject.append(&[joined("r", "a", 5)]);
        subject.append(&[event("r", "a", Kind::RoomCreated, 0)]);
        subject.append(&[event("r", "", Kind::RoomDestroyed, 100)]);
        for second in [0, 5, 50, 100] {
            let found =
                wait(subject.store.call(APP, &CommId::new(APP, "r", START_S + second), Millis(0))).unwrap();
            assert_eq!(found.unwrap().comm_id, CommId::new(APP, "r", START_S), "{} {second}", subject.name);
        }
        for second in [-1, 101] {
            let found =
                wait(subject.store.call(APP, &CommId::new(APP, "r", START_S + second), Millis(0))).unwrap();
            assert_eq!(found, None, "{} {second}", subject.name);
        }
    }
}

#[test]
fn two_lives_of_one_second_get_two_ids() {
    for subject in Subject::all() {
        let mut here = event("r", "a", Kind::RoomCreated, 0);
        let mut there = here.clone();
        (here.instance, there.instance) = ("sfu-2".to_owned(), "sfu-1".to_owned());
        subject.append(&[here]);
        subject.append(&[there]);
        let calls = subject.calls(|_| {});
        let ids: BTreeSet<(String, String)> =
            calls.into_iter().map(|call| (call.instance, call.comm_id.to_string())).collect();
        let expect = |second| CommId::new(APP, "r", START_S + second).to_string();
        let expected = BTreeSet::from([("sfu-1".to_owned(), expect(0)), ("sfu-2".to_owned(), expect(1))]);
        assert_eq!(ids, expected, "{}", subject.name);
    }
}

#[test]
fn a_join_or_leave_told_in_other_words_is_one() {
    let because = |mut event: Event, class: ReasonClass| {
        event.reason = Some(Reason { class, raw: String::new() });
        event
    };
    for subject in Subject::all() {
        for class in [ReasonClass::Normal, ReasonClass::Timeout] {
            subject.append(&[because(joined("r", "a", 1), class), because(left("r", "a", 9), class)]);
            subject.append(&[because(left("r", "bare", 5), class)]);
        }
        let comm_id = CommId::new(APP, "r", START_S + 1);
        let stays: Vec<_> = subject
            .sessions(&comm_id, |_| {})
            .into_iter()
            .map(|s| (s.user.clone(), s.joined, s.left))
            .collect();
        let expected =
            [("bare", 5, 5), ("a", 1, 9)].map(|(user, from, to)| (user.to_owned(), at(from), Some(at(to))));
        assert_eq!(stays, expected, "{}", subject.name);
    }
}

#[test]
fn a_life_that_only_its_end_names_takes_what_shares_its_moment() {
    for subject in Subject::all() {
        subject.append(&[event("r", "a", Kind::RoomCreated, 0), joined("r", "a", 201)]);
        let mut end = event("r", "", Kind::RoomDestroyed, 201);
        end.life = Some("life".to_owned());
        subject.append(&[end]);
        let users = |second| subject.sessions(&CommId::new(APP, "r", START_S + second), |_| {}).len();
        assert_eq!((users(0), users(201)), (0, 1), "{}", subject.name);
    }
}

#[test]
fn a_broken_disk_is_told_and_outlived() {
    let dir = tempfile::tempdir().unwrap();
    let fault = Fault::default();
    let options = EmbeddedOptions { fault: fault.clone(), ..EmbeddedOptions::default() };
    let store = Embedded::open(dir.path(), options).unwrap();
    let subject =
        Subject { name: "embedded", store: AnyStore::Embedded(store), dir: Some(dir), database: None };
    subject.append(&[joined("r", "kept", 1)]);
    for round in 0..3 {
        fault.set(true);
        // The second day has no file yet: making one fails too.
        for second in [2, 90_000] {
            let lost = joined("r", &format!("lost{round}"), second + round);
            let refused = wait(subject.store.append(vec![lost])).unwrap_err();
            assert!(matches!(refused, StoreError::Unavailable(_) | StoreError::Corrupt(_)), "{refused}");
            let known = subject.sessions(&CommId::new(APP, "r", START_S + 1), |_| {});
            assert!(known.iter().any(|session| session.user == "kept"), "questions are answered meanwhile");
        }
        fault.set(false);
        subject.append(&[joined("r", &format!("after{round}"), 10 + round)]);
    }
    let subject = subject.reopened();
    let users: Vec<String> = subject
        .sessions(&CommId::new(APP, "r", START_S + 1), |_| {})
        .into_iter()
        .map(|s| s.user.clone())
        .collect();
    assert_eq!(users, ["after2", "after1", "after0", "kept"]);
}

#[test]
fn a_batch_over_two_days_is_kept_whole_or_not_at_all() {
    let midnight = 86_400 - START_S % 86_400;
    let before = [
        event("r", "a", Kind::RoomCreated, midnight - 60),
        joined("r", "a", midnight - 30),
        joined("r", "a", midnight + 90),
        joined("r", "b", midnight + 95),
        joined("other", "a", midnight + 95),
    ];
    // What came after this creation moves to the next day's file, also a part of one user's row.
    let split = event("r", "a", Kind::RoomCreated, midnight + 60);
    let reference = Subject::memory();
    reference.append(&before);
    let without = reference.answers();
    reference.append(std::slice::from_ref(&split));
    let with = reference.answers();
    let mut kept = BTreeSet::new();
    for count in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let fault = Fault::default();
        let options = EmbeddedOptions { fault: fault.clone(), ..EmbeddedOptions::default() };
        let store = Embedded::open(dir.path(), options).unwrap();
        let subject =
            Subject { name: "embedded", store: AnyStore::Embedded(store), dir: Some(dir), database: None };
        subject.append(&before);
        fault.fail_once_after(count);
        let appended = wait(subject.store.append(vec![split.clone()]));
        fault.set(false);
        let subject = subject.reopened();
        let found = subject.answers();
        assert!(found == with || (appended.is_err() && found == without), "after {count}: {found:?}");
        kept.insert(found == with);
        if appended.is_ok() {
            break;
        }
        // Given again, it is there once.
        subject.append(std::slice::from_ref(&split));
        assert!(subject.answers() == with, "after {count}");
    }
    assert_eq!(kept.len(), 2, "the disk failed before and after the first of the two commits");
}

#[test]
fn a_life_that_is_cut_again_still_ends_where_the_next_begins() {
    let at_ms = |event: Event, ms: i64| Event { at: at(0).plus(ms), received: at(0).plus(ms), ..event };
    let created = |ms| at_ms(event("r", "a", Kind::RoomCreated, 0), ms);
    let named = |event: Event, life: &str| Event { life: Some(life.to_owned()), ..event };
    let told = [
        created(21_000),
        named(at_ms(event("r", "", Kind::RoomDestroyed, 0), 60_000), "life1"),
        at_ms(joined("r", "a", 0), 20_000),
        Event { join_hint: Some(at(20)), ..named(created(36_000), "life1") },
        named(created(20_000), "life0"),
        created(20_400),
        created(0),
        at_ms(joined("r", "a", 0), 21_000),
    ];
    let (reference, embedded) = (Subject::memory(), Subject::embedded());
    for event in told {
        reference.append(std::slice::from_ref(&event));
        embedded.append(&[event]);
        assert_eq!(embedded.answers(), reference.answers());
    }
}

#[test]
fn other_words_that_prevail_take_back_what_the_first_said_of_a_life() {
    let of_life = |life: &str, kind: Kind, created: i64, second: i64| Event {
        life: Some(life.to_owned()),
        create_hint: Some(at(created)),
        id: "id".to_owned(),
        ..event("r", "a", kind, second)
    };
    let left = of_life("life1", Kind::UserLeft, 7, 255);
    // First a place before that of the other life; then none but its creation, which is behind it.
    let named =
        [Event { join_hint: Some(at(0)), ..left.clone() }, of_life("life0", Kind::UserLeft, 4, 67), left];
    // First a creation before the join; then none.
    let dated = |event: Event| Event { id: "id".to_owned(), ..event };
    let unnamed = [
        joined("r", "a", 20),
        dated(Event { join_hint: Some(at(5)), ..event("r", "b", Kind::UserLeft, 30) }),
        dated(event("r", "b", Kind::UserLeft, 30)),
    ];
    check_one_by_one(&named);
    check_one_by_one(&unnamed);
}

/// Told one event after the other, every store answers as the reference does that is told all at once.
fn check_one_by_one(told: &[Event]) {
    let reference = Subject::memory();
    reference.append(told);
    for subject in Subject::all() {
        for event in told {
            subject.append(std::slice::from_ref(event));
        }
        assert_eq!(subject.answers(), reference.answers(), "{} {told:?}", subject.name);
    }
}

/// A leave after midnight of a life that ended before it: what the same batch tells next knows of it.
#[test]
fn a_late_leave_on_the_next_day_goes_to_the_life_that_is_told_of_behind_it() {
    let of_life = |life: &str, event: Event| Event { life: Some(life.to_owned()), ..event };
    let ended = Event { join_hint: Some(at(-150)), ..of_life("before", closed("r", 50)) };
    let leave = Event { join_hint: Some(at(-100)), ..left("r", "u", 98) };
    let next = Event { create_hint: Some(at(78)), ..of_life("behind", joined("r", "v", 170)) };
    let reference = Subject::memory();
    reference.append(&[ended.clone(), leave.clone(), next.clone()]);
    for subject in Subject::all() {
        subject.append(std::slice::from_ref(&ended));
        subject.append(&[leave.clone(), next.clone()]);
        assert_eq!(subject.answers(), reference.answers(), "{}", subject.name);
    }
}

/// Of two creations of one moment the first may tell of a life that is there already (rule 4), and the other one not.
#[test]
fn of_two_creations_of_one_moment_each_finds_its_life() {
    let created = |user: &str| Event { at: at(6).plus(800), ..event("r", user, Kind::RoomCreated, 6) };
    let told = [
        created("b"),
        joined("r", "u", 6),
        created("c"),
        left("r", "u", -50),
        closed("r", -70),
        created("a"),
    ];
    for order in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [1, 0, 2, 5, 3, 4], [1, 2, 0, 3, 4, 5]] {
        let told = order.map(|nth: usize| told[nth].clone());
        for subject in Subject::all() {
            for until in 1..=told.len() {
                subject.append(&told[until - 1..until]);
                let reference = Subject::memory();
                reference.append(&told[..until]);
                assert_eq!(subject.answers(), reference.answers(), "{} {order:?} {until}", subject.name);
            }
        }
    }
}

/// A late leave without a time of joining is its user's only if that one was known before it (R12).
#[test]
fn who_becomes_known_by_a_later_leave_was_not_known_at_an_earlier_one() {
    let destroyed = Event { life: Some("life".to_owned()), ..closed("r", -150) };
    check_one_by_one(&[
        Event { join_hint: Some(at(-200)), ..destroyed },
        Event { join_hint: Some(at(-155)), ..left("r", "u", -20) },
        left("r", "u", -40),
        left("r", "u", -10),
    ]);
}

/// Days before that of a life are looked at when a leave tells of a join that was on one of them.
#[test]
fn a_join_before_midnight_dates_a_life_back_no_further_than_the_life_before() {
    let ended = [vec![joined("r", "a", 0), closed("r", 20)], vec![closed("r", 20)]];
    for (mut told, hint) in ended.into_iter().flat_map(|ended| [(ended.clone(), 10), (ended, 30)]) {
        if let [destroyed] = told.as_mut_slice() {
            destroyed.life = Some("life".to_owned());
        }
        told.push(joined("r", "b", 70));
        told.push(Event { join_hint: Some(at(hint)), ..left("r", "c", 90) });
        let reference = Subject::memory();
        reference.append(&told);
        for reversed in [false, true] {
            for mut subject in Subject::all() {
                for event in &told {
                    subject.append(std::slice::from_ref(event));
                    subject = subject.reopened();
                }
                assert_eq!(subject.answers(), reference.answers(), "{} {hint} {reversed}", subject.name);
            }
            told.reverse();
        }
    }
}

#[test]
fn many_rooms_in_one_batch_are_as_if_each_had_come_alone() {
    const DAY_S: i64 = 86_400;
    let told = |room: i64, second: i64| {
        let name = format!("room{room}");
        let second = second + room;
        [
            event(&name, "a", Kind::RoomCreated, second),
            joined(&name, "a", second + 1),
            joined(&name, &format!("user{room}"), second + 2),
            left(&name, "a", second + 90),
            event(&name, "", Kind::RoomDestroyed, second + 100),
        ]
    };
    // Each day has a file of its own, and more of them are new than may have large caches.
    let told_of_days: Vec<Vec<Event>> =
        (0..5).map(|day| (0..40).flat_map(|room| told(room, day * DAY_S)).collect()).collect();
    let mut restart = event("", "", Kind::EmitterReset, 2 * DAY_S + 50);
    restart.user.clear();
    for subject in Subject::all() {
        let reference = Subject::memory();
        for (day, events) in told_of_days.iter().enumerate() {
            for room in events.chunks(5) {
                reference.append(room);
            }
            let events = shuffled(events, day as u64);
            let (first, second) = events.split_at(120);
            assert_eq!(
                (subject.append(first).new, subject.append(second).new),
                (120, 80),
                "{}",
                subject.name
            );
        }
        reference.append(std::slice::from_ref(&restart));
        // What is known already comes again with what is new.
        let again: Vec<Event> = told_of_days[2].iter().chain([&restart]).cloned().collect();
        assert_eq!(subject.append(&again).new, 1, "{}", subject.name);
        let expected = reference.answers();
        assert_eq!(subject.answers(), expected, "{}", subject.name);
        let subject = subject.reopened();
        assert_eq!(subject.answers(), expected, "{}", subject.name);
        assert_eq!(days::check(&subject), Ok(()), "{}", subject.name);
    }
}

/// Events that print on a line each.
#[derive(Clone)]
pub(super) struct Told(pub(super) Vec<Event>);

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|event| writeln!(f, "\n  {}", line(event)))
    }
}

fn line(event: &Event) -> String {
    let ms = |at: Millis| at.0 - START_S * 1_000;
    let mut line =
        format!("{} {}/{} {} {:?}", ms(event.at), event.instance, event.room, event.user, event.kind);
    let mut say = |name: &str, value: Option<String>| {
        line.extend(value.map(|value| format!(" {name}={value}")));
    };
    say("life", event.life.clone());
    say("visit", event.visit.clone());
    say("joined", event.join_hint.map(|at| ms(at).to_string()));
    say("created", event.create_hint.map(|at| ms(at).to_string()));
    say("reason", event.reason.as_ref().map(|reason| format!("{:?}", reason.class)));
    say("id", Some(event.id.clone()).filter(|id| !id.is_empty()));
    say("attrs", Some(format!("{:?}", event.attrs)).filter(|_| !event.attrs.is_empty()));
    line
}

/// Few rooms, users and seconds, so that everything meets everything.
pub(super) fn any_event() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![
        3 => Just(Kind::RoomCreated),
        3 => Just(Kind::RoomDestroyed),
        9 => Just(Kind::UserJoined),
        9 => Just(Kind::UserLeft),
        2 => Just(Kind::UserChanged),
        3 => any::<bool>().prop_map(|on| Kind::Media { track: Track::Audio, on }),
        1 => Just(Kind::EmitterReset),
        2 => Just(Kind::Attributes),
        1 => Just(Kind::Unknown { name: "x".to_owned(), raw: String::new() }),
    ];
    let time = prop_oneof![8 => 0..150i64, 1 => 0..200_000i64];
    let reason =
        prop_oneof![Just(ReasonClass::Normal), Just(ReasonClass::NetworkSwitch), Just(ReasonClass::Kicked)];
    let names =
        (0..2u8, 0..3u8, 0..2u8, prop::option::weighted(0.2, 0..2u8), prop::option::weighted(0.2, 0..3u8));
    let hints = (prop::option::weighted(0.15, 0..40i64), prop::option::weighted(0.15, 0..60i64));
    (kind, time, 0..3i64, names, hints, prop::option::weighted(0.3, reason), 0..8u8).prop_map(
        |(kind, second, ms, (room, user, instance, life, visit), (join_hint, create_hint), reason, words)| {
            let mut event = event(&format!("r{room}"), &format!("u{user}"), kind, second);
            event.at = event.at.plus(ms * 400);
            event.received = event.at;
            event.instance = format!("sfu{}", instance.min(room));
            event.life = life.map(|life| format!("life{life}"));
            event.visit = visit.map(|visit| format!("visit{visit}"));
            event.join_hint = join_hint.map(|seconds| event.at.plus(-seconds * 1_000));
            event.create_hint = create_hint.map(|seconds| event.at.plus(-seconds * 1_000));
            event.reason = reason.map(|class| Reason { class, raw: String::new() });
            if words < 2 {
                event.id = "id".to_owned();
                event.attrs.insert(Attr::SdkVersion, format!("{words}"));
            }
            if event.kind == Kind::EmitterReset {
                event.room.clear();
            }
            if matches!(event.kind, Kind::EmitterReset | Kind::RoomDestroyed) {
                event.user.clear();
            }
            if event.kind == Kind::Attributes {
                event.attrs.insert(Attr::Device, format!("{words}"));
            }
            event
        },
    )
}

fn with_records(mut events: Vec<Event>) -> Vec<Event> {
    let life = CommId::new(APP, "r0", START_S + 3).to_string();
    for (kind, second) in
        [(Kind::RecordJoined(JoinSource::Hinted), -2), (Kind::RecordLeft(LeaveSource::RoomClosed), 60)]
    {
        let mut record = event("r0", "rec", kind, second);
        record.source = "record".to_owned();
        record.life = Some(life.clone());
        record.create_hint = Some(at(3));
        record.visit = Some("v".to_owned());
        events.push(record);
    }
    events
}

/// A deterministic shuffle, so that a failure shrinks.
fn shuffled(events: &[Event], seed: u64) -> Vec<Event> {
    let mut state = seed | 1;
    let mut keyed: Vec<(u64, &Event)> = events
        .iter()
        .map(|event| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33, event)
        })
        .collect();
    keyed.sort_by_key(|&(key, _)| key);
    keyed.into_iter().map(|(_, event)| event.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    /// The order, the batches and the repeats cannot matter; nothing vanishes.
    #[test]
    fn any_order_gives_the_same_records(
        events in prop::collection::vec(any_event(), 1..40).prop_map(Told),
        seed in any::<u64>(),
        batch in 1..20usize,
    ) {
        let Told(events) = events;
        let reference = Subject::memory();
        reference.append(&events);
        let expected = reference.answers();
        let kinds = expected.events.iter().collect::<BTreeSet<_>>();
        prop_assert_eq!(kinds.len(), expected.events.len());
        for given in &events {
            prop_assert!(expected.events.iter().any(|kept| kept.is_same_as(given)), "vanished: {:?}", given);
        }
        let again = Subject::memory();
        for part in shuffled(&events, seed).chunks(batch) {
            again.append(part);
            again.append(&part[..1]);
        }
        prop_assert_eq!(&again.answers(), &expected);
    }

    /// A user's stays without a visit never overlap, and none ends before it begins.
    #[test]
    fn stays_without_a_visit_never_overlap(events in prop::collection::vec(any_event(), 1..40).prop_map(Told)) {
        let reference = Subject::memory();
        reference.append(&events.0);
        for (call, sessions) in reference.answers().records {
            for session in &sessions {
                prop_assert!(session.left.is_none_or(|left| session.joined <= left));
            }
            let users: BTreeSet<&str> = sessions.iter().map(|s| s.user.as_str()).collect();
            for user in users {
                let stays: Vec<&Session> =
                    sessions.iter().filter(|s| s.user == user && s.visit.is_none()).collect();
                for pair in stays.windows(2) {
                    prop_assert!(pair[0].left.is_some_and(|left| left <= pair[1].joined), "{:?} {:?}", call, pair);
                }
            }
        }
    }
}

/// Each case opens files and commits to them, so that there are fewer. The same ones each time, so that a change is
/// judged by itself: `PROPTEST_CASES=5000 PROPTEST_RNG_SEED=…` hunts for others.
fn few_cases() -> ProptestConfig {
    let default = ProptestConfig::default();
    let rng_seed = match default.rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    ProptestConfig { cases: default.cases / 2, rng_seed, ..default }
}

proptest! {
    #![proptest_config(few_cases())]

    /// The embedded store folds in part; the reference folds everything: they answer alike, sealed or not.
    #[test]
    fn folding_in_part_is_folding_everything(
        events in prop::collection::vec(any_event(), 1..40).prop_map(Told),
        seed in any::<u64>(),
        batch in 1..20usize,
        seal_at in 0..8usize,
    ) {
        let events = with_records(events.0);
        let reference = Subject::memory();
        reference.append(&events);
        let expected = reference.answers();
        let embedded = Subject::embedded();
        for (n, part) in shuffled(&events, seed).chunks(batch).enumerate() {
            embedded.append(part);
            embedded.append(&part[..1]);
            if n == seal_at {
                embedded.seal();
            }
        }
        let embedded = embedded.reopened();
        prop_assert_eq!(&embedded.answers(), &expected);
        prop_assert_eq!(days::check(&embedded), Ok(()));
        let calls = embedded.calls(|_| {});
        prop_assert_eq!(&calls, &reference.calls(|_| {}));
        for call in calls {
            let ask = |subject: &Subject| subject.sessions(&call.comm_id, |_| {});
            prop_assert_eq!(ask(&embedded), ask(&reference));
        }
    }
}
