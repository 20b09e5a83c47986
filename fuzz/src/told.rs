//! Everything that a store tells, so that two of them can be compared.

use std::fmt::Debug;

use rollbook::records::{Call, CommId, Event, Millis, Session};
use rollbook::store::{
    CallQuery, Counts, DayFigures, ExportQuery, Exported, SampleQuery, SessionQuery, Store, UserCall,
    UserCallsQuery, UserQuery, UserSeen, UsersQuery, What, figures_day,
};

use crate::events::{APP, START_S, USERS};
use crate::wait;

/// The clock of all questions: days behind every event.
const NOW: Millis = Millis((START_S + 30 * 86_400) * 1_000);

/// Rows on each page that is asked for.
const PAGE_ROWS: usize = 2;

/// What questions are answered, about what has evidence since a horizon.
#[derive(Debug, PartialEq)]
pub struct Answers {
    calls: Vec<Call>,
    of_calls: Vec<OfCall>,
    users: Vec<UserSeen>,
    of_users: Vec<Vec<UserCall>>,
    figures: Vec<DayFigures>,
    samples: Vec<String>,
}

/// What questions about one call are answered.
#[derive(Debug, PartialEq)]
struct OfCall {
    call: Option<Call>,
    sessions: Vec<Session>,
    of_one: Vec<Session>,
    events: Vec<Vec<Event>>,
}

impl Answers {
    /// Asks every question. Pages are those of the whole answer.
    pub fn of(store: &impl Store, rooms: &[String], horizon: Millis) -> Answers {
        let calls = calls(store, None, horizon);
        for room in rooms {
            let named: Vec<&Call> = calls.iter().filter(|call| call.room == *room).collect();
            assert_eq!(self::calls(store, Some(room), horizon).iter().collect::<Vec<_>>(), named);
        }
        let users = users(store, horizon);
        Answers {
            of_calls: calls.iter().map(|call| OfCall::of(store, &call.comm_id, horizon)).collect(),
            calls,
            of_users: users.iter().map(|seen| calls_of_user(store, &seen.user, horizon)).collect(),
            users,
            figures: figures(store, horizon),
            samples: samples(store, rooms, horizon),
        }
    }

    /// When a call in the middle gave its last sign.
    pub fn last_sign_of_one(&self) -> Option<Millis> {
        self.calls.get(self.calls.len() / 2).map(|call| call.last_evidence)
    }
}

/// All rows, which are those of all pages one behind the other.
fn paged<T: Debug + PartialEq>(mut ask: impl FnMut(u64, usize) -> Vec<T>) -> Vec<T> {
    let whole = ask(0, usize::MAX);
    let mut pages = Vec::new();
    loop {
        let page = ask(pages.len() as u64, PAGE_ROWS);
        assert!(page.len() <= PAGE_ROWS, "a page of {}", page.len());
        if page.is_empty() {
            break;
        }
        pages.extend(page);
    }
    assert_eq!(pages, whole, "pages are not the whole");
    whole
}

/// The calls with evidence since a horizon.
pub fn calls(store: &impl Store, room: Option<&str>, horizon: Millis) -> Vec<Call> {
    paged(|skip, take| {
        let query = CallQuery { app: APP, room, from_s: 0, to_s: i64::MAX, skip, take, now: NOW, horizon };
        wait(store.calls(&query)).expect("a list of calls")
    })
}

fn users(store: &impl Store, horizon: Millis) -> Vec<UserSeen> {
    let ask = |after: Option<&str>, take| {
        wait(store.users(&UsersQuery { app: APP, prefix: "", after, take, horizon }))
            .expect("a list of users")
    };
    let whole = ask(None, usize::MAX);
    let mut pages: Vec<UserSeen> = Vec::new();
    loop {
        let page = ask(pages.last().map(|seen| seen.user.as_str()), PAGE_ROWS);
        if page.is_empty() {
            break;
        }
        pages.extend(page);
    }
    assert_eq!(pages, whole, "pages are not the whole");
    whole
}

fn calls_of_user(store: &impl Store, user: &str, horizon: Millis) -> Vec<UserCall> {
    paged(|skip, take| {
        let (from_s, to_s) = (0, i64::MAX);
        let query = UserCallsQuery { app: APP, user, from_s, to_s, skip, take, now: NOW, horizon };
        wait(store.calls_of_user(&query)).expect("the calls of a user")
    })
}

/// Of days that begin behind the horizon: of others a store may have dropped some.
fn figures(store: &impl Store, horizon: Millis) -> Vec<DayFigures> {
    let from_s = if horizon.0 == 0 { i64::MIN } else { figures_day(horizon.secs()) + 1 };
    let mut days = wait(store.figures(APP, from_s, i64::MAX)).expect("figures").days;
    days.retain(|day| day.entries > 0);
    days
}

/// As texts, since no NaN is equal to itself.
fn samples(store: &impl Store, rooms: &[String], horizon: Millis) -> Vec<String> {
    let users = USERS.map(str::to_owned);
    let ask = |room| {
        let query = SampleQuery { app: APP, room, users: &users, from: horizon, to: Millis(i64::MAX) };
        wait(store.samples(&query)).expect("measurements")
    };
    rooms.iter().flat_map(|room| ask(room)).map(|series| format!("{series:?}")).collect()
}

impl OfCall {
    fn of(store: &impl Store, comm_id: &CommId, horizon: Millis) -> OfCall {
        let sessions = |users: Option<&[String]>, from_s: i64, to_s: i64| {
            paged(|skip, take| {
                let query =
                    SessionQuery { app: APP, comm_id, from_s, to_s, users, skip, take, now: NOW, horizon };
                let rows = wait(store.sessions(&query)).expect("the sessions of a call");
                rows.iter().map(|session| (**session).clone()).collect()
            })
        };
        let of_user = |user: &&str| {
            let query = UserQuery { app: APP, comm_id, user, horizon };
            wait(store.user_events(&query)).expect("the events of a user")
        };
        OfCall {
            call: wait(store.call(APP, comm_id, horizon)).expect("a call"),
            sessions: sessions(None, 0, i64::MAX),
            of_one: sessions(Some(&["u1".to_owned()]), START_S + 30, START_S + 90),
            events: USERS.iter().map(of_user).collect(),
        }
    }
}

/// Everything that is exported and counted.
#[derive(Debug, PartialEq)]
pub struct Whole {
    records: Vec<(Call, Vec<Session>)>,
    events: Vec<Event>,
    samples: Vec<String>,
    counts: Counts,
}

impl Whole {
    /// Exports everything.
    pub fn of(store: &impl Store) -> Whole {
        let (mut records, mut events, mut samples) = (Vec::new(), Vec::new(), Vec::new());
        for what in [What::Records, What::Events, What::Samples] {
            let query = ExportQuery { app: APP, from: Millis(i64::MIN), to: Millis(i64::MAX), what };
            let exported = store.export(&query, &mut |exported| {
                match exported {
                    Exported::Call(call, sessions) => records.push((call.clone(), sessions.to_vec())),
                    Exported::Event(event) => events.push(event.clone()),
                    Exported::Samples(series) => samples.push(format!("{series:?}")),
                }
                Ok(())
            });
            exported.expect("an export");
        }
        Whole { records, events, samples, counts: wait(store.counts()).expect("counts") }
    }
}
