//! The users of an application and the calls of each: a plain look through the exported records is what every store
//! must tell, whatever came late.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    APP, Answers, START_S, Subject, Told, any_event, at, closed, event, few_cases, joined, left, now,
    shuffled, wait,
};
use crate::records::{AppId, CommId, Event, Kind, Millis};
use crate::store::{DAY_S, Store, UserCall, UserCallsQuery, UserSeen, UsersQuery, overlaps};

/// From [`START_S`] to the midnight of UTC.
const MIDNIGHT: i64 = 60;

impl Subject {
    pub(super) fn users<'a>(&self, change: impl FnOnce(&mut UsersQuery<'a>)) -> Vec<UserSeen> {
        let mut query =
            UsersQuery { app: APP, prefix: "", after: None, take: usize::MAX, horizon: Millis(i64::MIN) };
        change(&mut query);
        wait(self.store.users(&query)).unwrap()
    }

    pub(super) fn calls_of<'a>(
        &self,
        user: &'a str,
        change: impl FnOnce(&mut UserCallsQuery<'a>),
    ) -> Vec<UserCall> {
        let mut query = UserCallsQuery {
            app: APP,
            user,
            from_s: 0,
            to_s: START_S * 2,
            skip: 0,
            take: usize::MAX,
            now: now(),
            horizon: Millis(i64::MIN),
        };
        change(&mut query);
        wait(self.store.calls_of_user(&query)).unwrap()
    }

    /// Everybody, with all calls.
    pub(super) fn everybody(&self) -> Vec<(UserSeen, Vec<UserCall>)> {
        let users = self.users(|_| {}).into_iter();
        let with_calls = |seen: UserSeen| {
            let calls = self.calls_of(&seen.user, |_| {});
            (seen, calls)
        };
        users.map(with_calls).collect()
    }
}

/// Looks through the records, one by one.
fn look_through(answers: &Answers) -> Vec<(String, BTreeSet<CommId>)> {
    let mut users: BTreeMap<&str, BTreeSet<CommId>> = BTreeMap::new();
    for (call, sessions) in &answers.records {
        for session in sessions {
            users.entry(&session.user).or_default().insert(call.comm_id.clone());
        }
    }
    users.into_iter().map(|(user, calls)| (user.to_owned(), calls)).collect()
}

/// What a store told of everybody, in the same form.
fn ids(answers: &Answers) -> Vec<(String, BTreeSet<CommId>)> {
    let ids = |calls: &[UserCall]| calls.iter().map(|of| of.call.comm_id.clone()).collect();
    answers.users.iter().map(|(seen, calls)| (seen.user.clone(), ids(calls))).collect()
}

fn names(users: Vec<UserSeen>) -> Vec<(String, u64)> {
    users.into_iter().map(|seen| (seen.user, seen.calls)).collect()
}

fn rooms(calls: &[UserCall]) -> Vec<&str> {
    calls.iter().map(|of| of.call.room.as_str()).collect()
}

/// Events, and who is in how many calls after them.
type Step<'s> = (&'s [Event], &'s [(&'s str, u64)]);

/// Each step's events, and who is in how many calls after it, in every store, opened again and packed.
fn check(steps: &[Step<'_>]) {
    let sealing = Subject { name: "sealing", ..Subject::embedded() };
    for mut subject in Subject::all().into_iter().chain([sealing]) {
        for (step, (events, expected)) in steps.iter().enumerate() {
            for _ in 0..2 {
                subject.append(events);
                let expected: Vec<(String, u64)> =
                    expected.iter().map(|(user, calls)| ((*user).to_owned(), *calls)).collect();
                assert_eq!(names(subject.users(|_| {})), expected, "{} step {step}", subject.name);
            }
            if subject.name == "sealing" {
                subject.seal();
            }
            subject = subject.reopened();
            let answers = subject.answers();
            assert_eq!(ids(&answers), look_through(&answers), "{} step {step}", subject.name);
        }
        subject.verified();
    }
}

#[test]
fn calls_of_users_follow_their_stays() {
    let created = |room: &str, second| event(room, "x", Kind::RoomCreated, second);
    check(&[
        (&[joined("r", "a", 0), joined("r", "b", 1), joined("s", "a", 2)], &[("a", 2), ("b", 1)]),
        // Again in the same call, and in a second life of the room, on the next day.
        (&[left("r", "a", 5), joined("r", "a", 6)], &[("a", 2), ("b", 1)]),
        (&[closed("r", 10), joined("r", "a", MIDNIGHT + 5)], &[("a", 3), ("b", 1)]),
        // A leave of somebody who was never seen.
        (&[left("r", "late", MIDNIGHT + 9)], &[("a", 3), ("b", 1), ("late", 1)]),
    ]);
    check(&[
        (&[joined("r", "a", MIDNIGHT + 5), joined("r", "b", MIDNIGHT + 6)], &[("a", 1), ("b", 1)]),
        // The creation is told late: the life moves to another file; an end between takes it back.
        (&[created("r", 30)], &[("a", 1), ("b", 1)]),
        (&[closed("r", 50)], &[("a", 1), ("b", 1)]),
        (&[joined("r", "a", 31)], &[("a", 2), ("b", 1)]),
    ]);
}

/// A call that is told of by its id is kept on the day of its first sign, however much later it was created.
#[test]
fn a_call_that_was_created_days_after_its_first_sign_is_among_the_newest() {
    let of_life = |kind, second| Event { life: Some("RM_1".to_owned()), ..event("r", "u", kind, second) };
    for mut subject in Subject::all() {
        subject.append(&[of_life(Kind::UserJoined, -3 * DAY_S), of_life(Kind::RoomCreated, 0)]);
        subject.append(&[joined("s", "u", -DAY_S), joined("t", "u", -2 * DAY_S)]);
        for _ in 0..2 {
            let rooms = |calls: Vec<UserCall>| calls.into_iter().map(|of| of.call.room).collect::<Vec<_>>();
            assert_eq!(rooms(subject.calls_of("u", |_| {})), ["r", "s", "t"], "{}", subject.name);
            for (skip, room) in [(0, "r"), (1, "s"), (2, "t")] {
                let page = subject.calls_of("u", |query| (query.skip, query.take) = (skip, 1));
                assert_eq!(rooms(page), [room], "{} {skip}", subject.name);
            }
            let of_day = subject.calls_of("u", |query| query.from_s = START_S);
            assert_eq!(rooms(of_day)[0], "r", "{}", subject.name);
            subject = subject.reopened();
        }
    }
}

#[test]
fn users_are_found_by_the_begin_of_their_id_a_page_at_a_time() {
    for subject in Subject::all() {
        let users = ["", "a", "a_", "ab", "ab/..", "b", "李", "李雷", "\u{10ffff}"];
        let events: Vec<Event> = users[1..].iter().map(|user| joined("r", user, 0)).collect();
        subject.append(&events);
        subject.append(&[
            joined("r2", "ab", DAY_S),
            joined("r3", "aa", 2 * DAY_S),
            joined("r3", "ab", 2 * DAY_S),
        ]);
        subject.append(&[Event { app: AppId(APP.0 + 1), ..joined("r", "alien", 0) }]);
        let of = |prefix| names(subject.users(|query| query.prefix = prefix));
        let one = |user: &str| (user.to_owned(), 1);
        let a = [one("a"), one("a_"), one("aa"), ("ab".to_owned(), 3), one("ab/..")];
        assert_eq!(of("a"), a, "{}", subject.name);
        assert_eq!(of("ab"), a[3..], "{}", subject.name);
        assert_eq!(of("李"), [one("李"), one("李雷")], "{}", subject.name);
        assert_eq!(of("\u{10ffff}"), [one("\u{10ffff}")], "{}", subject.name);
        assert_eq!(of("c"), [], "{}", subject.name);
        assert_eq!(of("").len(), 9, "{}", subject.name);
        let page = |after, take| {
            names(subject.users(|query| (query.prefix, query.after, query.take) = ("a", after, take)))
        };
        assert_eq!(page(None, 2), a[..2], "{}", subject.name);
        assert_eq!(page(Some("a_"), 2), a[2..4], "{}", subject.name);
        assert_eq!(page(Some("ab"), 2), a[4..], "{}", subject.name);
        assert_eq!(page(Some("0"), 1), a[..1], "{}", subject.name);
        assert_eq!(page(Some("zz"), 9), [], "{}", subject.name);
    }
}

#[test]
fn calls_of_a_user_come_newest_first_in_windows_and_pages() {
    for subject in Subject::all() {
        // A call that runs through all days, and one on each of them.
        subject.append(&[joined("long", "a", 0), joined("long", "b", 1)]);
        for day in 1..6 {
            let (room, second) = (format!("r{day}"), day * DAY_S);
            subject.append(&[joined(&room, "a", second), joined(&room, "b", second)]);
            subject.append(&[
                left(&room, "a", second + 9),
                joined(&room, "a", second + 20),
                closed(&room, second + 60),
            ]);
        }
        let subject = subject.reopened();
        let all = subject.calls_of("a", |_| {});
        assert_eq!(rooms(&all), ["r5", "r4", "r3", "r2", "r1", "long"], "{}", subject.name);
        assert!(all.iter().all(|of| of.sessions.iter().all(|session| session.user == "a")));
        let joins: Vec<Millis> = all[0].sessions.iter().map(|session| session.joined).collect();
        assert_eq!(joins, [at(5 * DAY_S + 20), at(5 * DAY_S)], "{}", subject.name);
        for skip in 0..7 {
            let page = subject.calls_of("a", |query| (query.skip, query.take) = (skip as u64, 2));
            assert_eq!(page, all[skip.min(6)..(skip + 2).min(6)], "{} {skip}", subject.name);
        }
        let window = |from: i64, to: i64| {
            let calls = subject.calls_of("a", |query| {
                (query.from_s, query.to_s) = (START_S + from, START_S + to);
            });
            rooms(&calls).join(" ")
        };
        assert_eq!(window(3 * DAY_S + 61, 4 * DAY_S), "r4 long", "{}", subject.name);
        assert_eq!(window(3 * DAY_S + 60, 4 * DAY_S - 1), "r3 long", "{}", subject.name);
        assert_eq!(window(-9, -1), "", "{}", subject.name);
        assert!(subject.calls_of("nobody", |_| {}).is_empty(), "{}", subject.name);
        assert!(subject.calls_of("a", |query| query.app = AppId(7)).is_empty(), "{}", subject.name);
    }
}

#[test]
fn retention_hides_and_drops_the_calls_of_users() {
    for subject in Subject::all() {
        subject.append(&[joined("old", "a", 0), joined("old", "gone", 1), closed("old", 2)]);
        subject.append(&[joined("kept", "a", 10), left("kept", "a", 3 * DAY_S)]);
        subject.append(&[joined("new", "a", 4 * DAY_S), joined("new", "b", 4 * DAY_S)]);
        assert_eq!(names(subject.users(|_| {})).len(), 3, "{}", subject.name);
        let shown = |subject: &Subject| {
            let horizon = at(2 * DAY_S);
            let calls = subject.calls_of("a", |query| query.horizon = horizon);
            let calls: Vec<String> = calls.into_iter().map(|of| of.call.room).collect();
            (names(subject.users(|query| query.horizon = horizon)), calls)
        };
        let expected =
            (vec![("a".to_owned(), 2), ("b".to_owned(), 1)], vec!["new".to_owned(), "kept".to_owned()]);
        assert_eq!(shown(&subject), expected, "{}", subject.name);
        subject.sweep(at(2 * DAY_S));
        assert_eq!(shown(&subject), expected, "{}", subject.name);
        subject.sweep(at(5 * DAY_S));
        let subject = subject.reopened();
        assert_eq!(names(subject.users(|_| {})), [], "{}", subject.name);
        subject.verified();
    }
}

proptest! {
    #![proptest_config(few_cases())]

    /// The two questions are those of a plain look through the exported records, in any window and any page.
    #[test]
    fn users_are_those_of_the_records(
        events in prop::collection::vec(any_event(), 1..40).prop_map(Told),
        seed in any::<u64>(),
        batch in 1..20usize,
        seal_at in 0..8usize,
        window in (0..2 * DAY_S, 0..2 * DAY_S),
        (skip, take) in (0..3u64, 0..3usize),
        horizon in 0..200_000i64,
    ) {
        let (reference, embedded) = (Subject::memory(), Subject::embedded());
        for (n, part) in shuffled(&events.0, seed).chunks(batch).enumerate() {
            reference.append(part);
            embedded.append(part);
            prop_assert_eq!(embedded.everybody(), reference.everybody());
            if n == seal_at {
                embedded.seal();
            }
        }
        let embedded = embedded.reopened();
        let answers = embedded.answers();
        prop_assert_eq!(&answers, &reference.answers());
        prop_assert_eq!(ids(&answers), look_through(&answers));
        let (from_s, to_s) = (START_S + window.0.min(window.1), START_S + window.0.max(window.1));
        for (seen, calls) in &answers.users {
            prop_assert_eq!(seen.calls, calls.len() as u64);
            let asked = calls.iter().filter(|of| {
                of.call.last_evidence >= at(horizon)
                    && overlaps(of.call.created, of.call.ended, from_s, to_s, now())
            });
            let expected: Vec<UserCall> = asked.skip(skip.try_into().unwrap()).take(take).cloned().collect();
            let page = embedded.calls_of(&seen.user, |query| {
                (query.from_s, query.to_s) = (from_s, to_s);
                (query.skip, query.take, query.horizon) = (skip, take, at(horizon));
            });
            prop_assert_eq!(page, expected);
        }
        let ask = |subject: &Subject| subject.users(|query| (query.take, query.horizon) = (take, at(horizon)));
        prop_assert_eq!(ask(&embedded), ask(&reference));
        embedded.verified();
    }
}
