//! The suite on ClickHouse: where `ROLLBOOK_TEST_CLICKHOUSE` names its servers (URLs, separated by commas), every
//! store of the suite is also one of those, in a database of its own; `ROLLBOOK_TEST_CLICKHOUSE_CLUSTER` names the
//! cluster whose tables are replicated.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::store::clickhouse::{ClickHouse, ClickHouseOptions};

/// A database that goes with the test.
#[derive(Debug)]
pub(super) struct Database {
    options: ClickHouseOptions,
}

#[expect(clippy::disallowed_methods, reason = "the environment says where the servers are")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

impl Database {
    /// A new one, where there are servers.
    fn new() -> Option<Database> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let urls = variable("ROLLBOOK_TEST_CLICKHOUSE")?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let options = ClickHouseOptions {
            urls: urls.split(',').map(str::to_owned).collect(),
            credentials: None,
            database: format!("rollbook_test_{}_{number}", std::process::id()),
            cluster: variable("ROLLBOOK_TEST_CLICKHOUSE_CLUSTER").unwrap_or_default(),
            pace: Duration::ZERO,
            monotonic: None,
            on_commit: None,
        };
        Some(Database { options })
    }

    /// A store on it.
    pub(super) fn open(&self) -> AnyStore {
        let store = ClickHouse::open(self.options.clone()).unwrap();
        store.verify().unwrap();
        AnyStore::ClickHouse(store)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let store = ClickHouse::open(self.options.clone()).unwrap();
        store.remove().unwrap();
    }
}

impl Subject {
    /// A store on ClickHouse, where there is one.
    pub(super) fn clickhouse() -> Option<Subject> {
        let database = Database::new()?;
        Some(Subject { name: "clickhouse", store: database.open(), dir: None, database: Some(database) })
    }
}

/// Each case makes tables and asks them some hundred times, which takes seconds.
fn cases() -> ProptestConfig {
    ProptestConfig { cases: few_cases().cases / 8, ..few_cases() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases().cases.div_ceil(2), ..cases() })]

    /// Erasing on tables is folding everything without the person, and nobody brings the person back.
    #[test]
    fn clickhouse_erases_as_the_reference(
        events in prop::collection::vec(any_event(), 1..40).prop_map(Told),
        seed in any::<u64>(),
        batch in 4..20usize,
        until in prop_oneof![3 => Just(None), 1 => (0..150i64).prop_map(Some)],
    ) {
        let Some(subject) = Subject::clickhouse() else { return Ok(()) };
        let events = with_records(events.0);
        let until = until.map_or(Millis(i64::MAX), at);
        let reference = Subject::memory();
        reference.append(&events);
        for part in shuffled(&events, seed).chunks(batch) {
            subject.append(part);
        }
        for user in ["u0", "rec"] {
            prop_assert_eq!(subject.forget(user, until), reference.forget(user, until));
            prop_assert_eq!(&subject.answers(), &reference.answers());
        }
        let after = reference.answers();
        for part in shuffled(&events, !seed).chunks(batch) {
            subject.append(part);
        }
        prop_assert_eq!(&subject.answers(), &after);
    }
}

proptest! {
    #![proptest_config(cases())]

    /// Any order, any batches, repeats and a restart: the answers are those of the reference.
    #[test]
    fn clickhouse_answers_as_the_reference(
        events in prop::collection::vec(any_event(), 1..40).prop_map(Told),
        seed in any::<u64>(),
        batch in 4..20usize,
        reopen_at in 0..8usize,
    ) {
        answers_as_the_reference(&with_records(events.0), seed, batch, reopen_at)?;
    }

    /// The same of rooms that one server tells of without ids of their lives: only a part of those is folded again.
    #[test]
    fn folding_the_last_lives_is_folding_everything(
        events in prop::collection::vec(any_event(), 1..60).prop_map(Told),
        seed in any::<u64>(),
        batch in 3..9usize,
    ) {
        let plain = |event: Event| Event { life: None, instance: String::new(), ..event };
        let mut events: Vec<Event> = events.0.into_iter().map(plain).collect();
        // Mostly as time goes, so that most batches are of what happened last.
        events.sort_by_key(|event| event.at);
        let late = usize::try_from(seed % 8).unwrap().min(events.len());
        events.rotate_left(late);
        answers_as_the_reference(&events, 0, batch, 3)?;
    }
}

/// `seed` shuffles; 0: the order stays.
fn answers_as_the_reference(
    events: &[Event],
    seed: u64,
    batch: usize,
    reopen_at: usize,
) -> Result<(), TestCaseError> {
    let Some(mut subject) = Subject::clickhouse() else { return Ok(()) };
    let reference = Subject::memory();
    let order = if seed == 0 { events.to_vec() } else { shuffled(events, seed) };
    for (n, part) in order.chunks(batch).enumerate() {
        reference.append(part);
        subject.append(part);
        if n == reopen_at {
            subject.append(&part[..1]);
            subject = subject.reopened();
        }
    }
    let expected = reference.answers();
    prop_assert_eq!(&subject.answers(), &expected);
    let calls = subject.calls(|_| {});
    prop_assert_eq!(&calls, &reference.calls(|_| {}));
    for call in calls {
        let ask = |subject: &Subject| subject.sessions(&call.comm_id, |_| {});
        prop_assert_eq!(ask(&subject), ask(&reference));
    }
    Ok(())
}

/// What a thousand users do in some rooms that live several times, as media servers would tell it.
fn many_users() -> Vec<Event> {
    let mut events = Vec::new();
    for room in 0..20i64 {
        let name = format!("room{room}");
        for life in 0..2i64 {
            let begin = life * 4_000 + room;
            events.push(event(&name, "host", Kind::RoomCreated, begin));
            for n in 0..50i64 {
                let user = format!("user{}", room * 50 + n);
                events.push(joined(&name, &user, begin + 1 + n));
                events.push(event(
                    &name,
                    &user,
                    Kind::Media { track: Track::Audio, on: true },
                    begin + 5 + n,
                ));
                if n % 7 != 0 {
                    events.push(left(&name, &user, begin + 100 + 13 * n));
                }
                if n % 5 == 0 {
                    events.push(joined(&name, &user, begin + 1_000 + n));
                }
            }
            if life == 0 {
                events.push(event(&name, "", Kind::RoomDestroyed, begin + 3_000));
            }
        }
        // It comes late for a life that was closed, and for none.
        events.push(left(&name, "stranger", 3_020 + room));
        events.push(left(&name, "nobody", 3_900));
    }
    events.push(event("", "", Kind::EmitterReset, 2_500));
    events
}

#[test]
fn two_that_write_at_the_same_time_come_to_the_same_records() {
    let events = many_users();
    let reference = Subject::memory();
    reference.append(&events);
    let expected = reference.answers();
    for seed in 1..=2 {
        let Some(subject) = Subject::clickhouse() else { return };
        let other = subject.database.as_ref().unwrap().open();
        let order = shuffled(&events, seed);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for (n, event) in order.into_iter().enumerate() {
            // At random, by the order that is random itself.
            let mine = event.user.len() + n * usize::try_from(seed).unwrap() % 7 > 7;
            if mine { ours.push(event) } else { theirs.push(event) }
        }
        assert!(ours.len() > 1_000 && theirs.len() > 1_000, "{} {}", ours.len(), theirs.len());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for part in ours.chunks(1_000) {
                    subject.append(part);
                }
            });
            scope.spawn(|| {
                for part in theirs.chunks(600) {
                    wait(other.append(part.to_vec())).unwrap();
                }
            });
        });
        assert!(subject.answers() == expected, "seed {seed}: the records are not those of the fold");
        drop(other);
    }
}

#[test]
fn ids_cannot_leave_their_place_in_a_statement() {
    let Some(subject) = Subject::clickhouse() else { return };
    let reference = Subject::memory();
    let names = [
        "'",
        "\\",
        "\\'",
        "''",
        "') OR 1=1 --",
        "'; DROP TABLE events; --",
        "a\tb\nc\r",
        "\u{1}\u{7f}",
        "%_*?",
        "{x:String}",
        "?",
        "@",
        "`",
        "\"",
        "李雷 🦀",
        "-- ",
        "/* */",
        "NULL",
        "\\x41",
        "\\0",
        "a\0b",
        "e\u{301}",
    ];
    for room in names {
        for user in names {
            let batch = [joined(room, user, 1), left(room, user, 90), joined(room, user, 100)];
            reference.append(&batch);
        }
        let batch: Vec<Event> = names
            .iter()
            .flat_map(|user| [joined(room, user, 1), left(room, user, 90), joined(room, user, 100)])
            .collect();
        subject.append(&batch);
    }
    assert!(subject.answers() == reference.answers());
    for room in names {
        let comm_id = CommId::new(APP, room, START_S + 1);
        for user in names {
            let users = [user.to_owned()];
            let ask = |subject: &Subject| subject.sessions(&comm_id, |query| query.users = Some(&users));
            assert_eq!(ask(&subject), ask(&reference), "{room:?} {user:?}");
            assert_eq!(ask(&subject).len(), 2, "{room:?} {user:?}");
        }
        let prefix = subject.users(|query| query.prefix = room);
        assert_eq!(prefix, reference.users(|query| query.prefix = room), "{room:?}");
        assert_eq!(subject.calls(|query| query.room = Some(room)).len(), 1, "{room:?}");
    }
}
