//! Remembers: events in, calls and sessions out. One trait, one suite that every store must pass.

mod erased;
mod memory;
mod news;
mod packed;
mod session_page;
mod room;
pub mod clickhouse;
pub mod embedded;
#[cfg(test)]
mod contract;

pub use memory::Memory;
pub use news::{NEWEST_MAX, News};
pub use session_page::SessionPage;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::records::quality::{Flow, Series};
use crate::records::{AppId, Call, CommId, Event, Millis, Session, erase};

/// What a store promises. Its answers are those of folding all events it was ever given, minus what
/// retention dropped.
pub trait Store: Send + Sync {
    /// Keeps a batch. When this returns, every event of it is durable and seen by every later question.
    /// Giving an event twice is giving it once. A batch that fails may have been kept in part; giving it
    /// again is harmless.
    fn append(&self, events: Vec<Event>) -> impl Future<Output = Result<Appended, StoreError>> + Send;

    /// The sessions of one call that overlap a window: newest join first (in seconds), then user, then
    /// latest leave first. Empty for a call that is not known.
    fn sessions(
        &self,
        query: &SessionQuery<'_>,
    ) -> impl Future<Output = Result<SessionPage, StoreError>> + Send;

    /// The calls of one application that were alive in a window: newest creation first (in seconds), then
    /// by room (numbers ascending before texts), then by id.
    fn calls(&self, query: &CallQuery<'_>) -> impl Future<Output = Result<Vec<Call>, StoreError>> + Send;

    /// One call by its id: by the exact text; else by its parts, as the life of that room that contains that
    /// second.
    fn call(
        &self,
        app: AppId,
        comm_id: &CommId,
        horizon: Millis,
    ) -> impl Future<Output = Result<Option<Call>, StoreError>> + Send;

    /// The events of one user in one call, in order; without those about the room as a whole. Empty for a call
    /// that is not known.
    fn user_events(
        &self,
        query: &UserQuery<'_>,
    ) -> impl Future<Output = Result<Vec<Event>, StoreError>> + Send;

    /// The users whose id begins with a text and who have a session in a call that is shown: by id, from one on.
    fn users(&self, query: &UsersQuery<'_>)
    -> impl Future<Output = Result<Vec<UserSeen>, StoreError>> + Send;

    /// The calls that were alive in a window and in which a user has sessions, each with those sessions; in the order
    /// of [`calls`](Store::calls), sessions in that of [`sessions`](Store::sessions).
    fn calls_of_user(
        &self,
        query: &UserCallsQuery<'_>,
    ) -> impl Future<Output = Result<Vec<UserCall>, StoreError>> + Send;

    /// The figures of the days of UTC+8 that begin in a window of seconds, both ends inclusive, oldest first;
    /// without days on which nobody entered. A look-up: figures are kept as events come.
    fn figures(
        &self,
        app: AppId,
        from_s: i64,
        to_s: i64,
    ) -> impl Future<Output = Result<Figures, StoreError>> + Send;

    /// Keeps measurements, as [`append`](Store::append) keeps events: durable when it returns, and giving one twice
    /// is giving it once. A stream of its own, so that events never wait for measurements.
    fn append_samples(&self, series: Vec<Series>) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The measurements of users in a room's name during a window: by user, peer and connection.
    fn samples(
        &self,
        query: &SampleQuery<'_>,
    ) -> impl Future<Output = Result<Vec<Series>, StoreError>> + Send;

    /// Drops what has no evidence since `horizon`.
    fn sweep(&self, horizon: Millis) -> impl Future<Output = Result<Swept, StoreError>> + Send;

    /// Erases a person: whatever happened up to a moment is as if the person had not been there, but calls of others
    /// keep their begin, and with it their id ([`erase`]). Nothing of it is on disk when this returns, nor taken again when
    /// a sender repeats it. `key` is random; what says who was erased is keyed with the first that is given.
    fn forget(
        &self,
        person: &Person,
        key: [u8; 32],
    ) -> impl Future<Output = Result<Forgotten, StoreError>> + Send;

    /// What is appended, as it is.
    fn news(&self) -> &News;

    /// How much there is.
    fn counts(&self) -> impl Future<Output = Result<Counts, StoreError>> + Send;

    /// The applications and the UTC days, counted from 1970-01-01, that anything is kept of: all on which an event
    /// happened or something was measured, and no days beside those that a call went on for.
    fn days(&self) -> Result<BTreeSet<(AppId, i64)>, StoreError>;

    /// Gives everything of one application to `sink`, in an order that is a function of the records alone:
    /// calls by the second of their id, then room; sessions by join; events by call, user and time, then those
    /// outside every call; measurements by UTC day, then flow. Stops at the first error.
    fn export(
        &self,
        query: &ExportQuery,
        sink: &mut dyn FnMut(Exported<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;
}

/// Told of each batch that became durable: how long that took, and how many events it held.
pub type OnCommit = Arc<dyn Fn(Duration, u64) + Send + Sync>;

/// What to export.
#[derive(Debug, Clone, Copy)]
pub struct ExportQuery {
    /// The application.
    pub app: AppId,
    /// Calls created, or events that happened, from here on.
    pub from: Millis,
    /// And up to here, inclusive.
    pub to: Millis,
    /// What of it.
    pub what: What,
}

/// What to export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Calls with their sessions.
    Records,
    /// The events that all is made of.
    Events,
    /// Measurements.
    Samples,
}

/// One thing exported.
#[derive(Debug, Clone, Copy)]
pub enum Exported<'a> {
    /// A call with its sessions.
    Call(&'a Call, &'a [Session]),
    /// An event.
    Event(&'a Event),
    /// Measurements of one flow on one day.
    Samples(&'a Series),
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Appended {
    /// Events that were not known before.
    pub new: u64,
    /// Events that were known already.
    pub duplicate: u64,
}

/// What a sweep dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Calls that are gone.
    pub calls: u64,
}

/// Somebody who is to be erased.
#[derive(Debug, Clone)]
pub struct Person {
    /// The application.
    pub app: AppId,
    /// The user's id.
    pub user: String,
    /// What happened up to here, inclusive; what comes later is somebody new.
    pub until: Millis,
}

impl Person {
    /// Whether an event tells of the person, at a time that is to be erased.
    pub fn is_in(&self, event: &Event) -> bool {
        event.app == self.app && event.at <= self.until && erase::names(event, &|name| name == self.user)
    }

    /// Whether measurements were made by the person, or are of what came from the person.
    fn is_of(&self, flow: &Flow) -> bool {
        flow.app == self.app && (flow.user == self.user || flow.peer == self.user)
    }
}

/// What was erased of a person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Calls that told of the person.
    pub calls: u64,
    /// Sessions in them that had begun.
    pub sessions: u64,
    /// Events, those included of which only the name was erased.
    pub events: u64,
    /// Values of measurements.
    pub values: u64,
    /// Files that were written anew.
    pub files: u64,
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls without an end.
    pub open_calls: u64,
    /// Sessions in them without an end.
    pub open_sessions: u64,
    /// Events that wait for a life that contains them.
    pub orphans: u64,
}

/// Which sessions of a call.
#[derive(Debug, Clone, Copy)]
pub struct SessionQuery<'a> {
    /// The application that asks; a call of another one is not found.
    pub app: AppId,
    /// The call.
    pub comm_id: &'a CommId,
    /// First second of the window; inclusive.
    pub from_s: i64,
    /// Last second of the window; inclusive.
    pub to_s: i64,
    /// Only these users; `None`: all.
    pub users: Option<&'a [String]>,
    /// Rows to pass over.
    pub skip: u64,
    /// Rows to give, at most.
    pub take: usize,
    /// The server's clock: the end of an open session, for the overlap.
    pub now: Millis,
    /// Calls whose last evidence is before this are not shown.
    pub horizon: Millis,
}

/// Which calls of an application.
#[derive(Debug, Clone, Copy)]
pub struct CallQuery<'a> {
    /// The application.
    pub app: AppId,
    /// Only the lives of this room.
    pub room: Option<&'a str>,
    /// First second of the window; inclusive.
    pub from_s: i64,
    /// Last second of the window; inclusive.
    pub to_s: i64,
    /// Rows to pass over.
    pub skip: u64,
    /// Rows to give, at most.
    pub take: usize,
    /// The server's clock: the end of a running call, for the overlap.
    pub now: Millis,
    /// Calls whose last evidence is before this are not shown.
    pub horizon: Millis,
}

/// Which user of a call.
#[derive(Debug, Clone, Copy)]
pub struct UserQuery<'a> {
    /// The application that asks; a call of another one is not found.
    pub app: AppId,
    /// The call.
    pub comm_id: &'a CommId,
    /// The user.
    pub user: &'a str,
    /// Calls whose last evidence is before this are not shown.
    pub horizon: Millis,
}

/// Which users of an application.
#[derive(Debug, Clone, Copy)]
pub struct UsersQuery<'a> {
    /// The application.
    pub app: AppId,
    /// What the ids begin with; `""`: all.
    pub prefix: &'a str,
    /// Only the ids behind this one, in order of their bytes: where the page before ended.
    pub after: Option<&'a str>,
    /// Users to give, at most.
    pub take: usize,
    /// Calls whose last evidence is before this are not shown.
    pub horizon: Millis,
}

/// A user of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSeen {
    /// The user.
    pub user: String,
    /// How many calls are shown that the user has a session in.
    pub calls: u64,
}

/// Which calls of a user.
#[derive(Debug, Clone, Copy)]
pub struct UserCallsQuery<'a> {
    /// The application.
    pub app: AppId,
    /// The user.
    pub user: &'a str,
    /// First second of the window; inclusive.
    pub from_s: i64,
    /// Last second of the window; inclusive.
    pub to_s: i64,
    /// Calls to pass over.
    pub skip: u64,
    /// Calls to give, at most.
    pub take: usize,
    /// The server's clock: the end of a running call, for the overlap.
    pub now: Millis,
    /// Calls whose last evidence is before this are not shown.
    pub horizon: Millis,
}

/// A call, as one of its users knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCall {
    /// The call.
    pub call: Call,
    /// The user's sessions in it; at least one.
    pub sessions: Vec<Arc<Session>>,
}

/// Which measurements.
#[derive(Debug, Clone, Copy)]
pub struct SampleQuery<'a> {
    /// The application.
    pub app: AppId,
    /// The room's name.
    pub room: &'a str,
    /// Of these users.
    pub users: &'a [String],
    /// The first moment; inclusive.
    pub from: Millis,
    /// The last moment; inclusive.
    pub to: Millis,
}

/// Daily figures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// The first second of the first day on which anybody entered, of all that is kept.
    pub first_s: Option<i64>,
    /// The days on which somebody did.
    pub days: Vec<DayFigures>,
}

/// What happened on one day of UTC+8. An entry is a session, and belongs to the day of its join.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DayFigures {
    /// The first second of the day.
    pub start_s: i64,
    /// Rooms, by name, that somebody entered.
    pub rooms: u64,
    /// Different users of each room, summed.
    pub users: u64,
    /// Sessions that began.
    pub entries: u64,
}

/// Days of the daily figures begin at 16:00 UTC, which is midnight in UTC+8 (contract section 9.5).
const FIGURES_OFFSET_S: i64 = 8 * 3_600;
const DAY_S: i64 = 86_400;

/// The first second of the day of UTC+8 that contains a second.
pub const fn figures_day(second: i64) -> i64 {
    (second + FIGURES_OFFSET_S).div_euclid(DAY_S) * DAY_S - FIGURES_OFFSET_S
}

/// Why a store cannot answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be used just now; the sender may try again.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The queue before the store is full; the sender may try again.
    #[error("the store is busy")]
    Busy,
    /// What is on disk is not what was written.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// The store was written by another version, or is held by another process.
    #[error("{0}")]
    Refused(String),
}

/// Whether something that lasts from `begin` to `end` (`now`, while it lasts) meets a window of whole seconds,
/// bounds included (contract section 10).
fn overlaps(begin: Millis, end: Option<Millis>, from_s: i64, to_s: i64, now: Millis) -> bool {
    begin.secs() <= to_s && end.unwrap_or(now).secs() >= from_s
}

/// Bytes in hexadecimal digits, as digests are written.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The order of DescribeUserInfo: newest join first, then user, then latest leave first; what is still equal,
/// by visit, so that pages never tear.
fn session_order(a: &Session, b: &Session) -> Ordering {
    let left = |session: &Session| session.left.map_or(i64::MAX, Millis::secs);
    (b.joined.secs().cmp(&a.joined.secs()))
        .then_with(|| a.user.cmp(&b.user))
        .then_with(|| left(b).cmp(&left(a)))
        .then_with(|| (a.joined, a.left, &a.visit).cmp(&(b.joined, b.left, &b.visit)))
}

/// The order of DescribeRoomInfo: newest creation first, then by room, numbers before texts, then by id.
fn call_order(a: &Call, b: &Call) -> Ordering {
    let number = |room: &str| room.parse::<u64>().ok();
    let room = |a: &str, b: &str| match (number(a), number(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    };
    (b.created.secs().cmp(&a.created.secs()))
        .then_with(|| room(&a.room, &b.room))
        .then_with(|| a.comm_id.cmp(&b.comm_id))
}

/// Gives an event to the sink of an export, if its time was asked for.
fn sink_event(
    event: &Event,
    query: &ExportQuery,
    sink: &mut dyn FnMut(Exported<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let inside = query.from <= event.at && event.at <= query.to;
    if inside { sink(Exported::Event(event)) } else { Ok(()) }
}

/// Gives measurements to the sink of an export, as far as their time was asked for.
fn sink_samples(
    mut series: Series,
    query: &ExportQuery,
    sink: &mut dyn FnMut(Exported<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for (_, points) in &mut series.columns {
        points.retain(|(at, _)| query.from <= *at && *at <= query.to);
    }
    series.columns.retain(|(_, points)| !points.is_empty());
    if series.columns.is_empty() { Ok(()) } else { sink(Exported::Samples(&series)) }
}

/// The second by which a call is exported.
fn export_second(call: &Call) -> i64 {
    call.comm_id.parts().map_or(call.created.secs(), |(_, _, second)| second)
}

/// The order of exported calls.
fn export_order(a: &Call, b: &Call) -> Ordering {
    (export_second(a), &a.room, &a.comm_id).cmp(&(export_second(b), &b.room, &b.comm_id))
}

/// The order of exported sessions within a call.
fn export_session_order(a: &Session, b: &Session) -> Ordering {
    (a.joined, &a.user, &a.visit, a.left).cmp(&(b.joined, &b.user, &b.visit, b.left))
}

/// The stores there are.
#[derive(Debug)]
pub enum AnyStore {
    /// Everything in memory; gone with the process.
    Memory(Memory),
    /// One data directory.
    Embedded(embedded::Embedded),
    /// A database of ClickHouse servers.
    ClickHouse(clickhouse::ClickHouse),
}

macro_rules! each_store {
    ($self:ident, $store:ident => $answer:expr) => {
        match $self {
            AnyStore::Memory($store) => $answer,
            AnyStore::Embedded($store) => $answer,
            AnyStore::ClickHouse($store) => $answer,
        }
    };
}

impl Store for AnyStore {
    async fn append(&self, events: Vec<Event>) -> Result<Appended, StoreError> {
        each_store!(self, store => store.append(events).await)
    }

    async fn sessions(&self, query: &SessionQuery<'_>) -> Result<SessionPage, StoreError> {
        each_store!(self, store => store.sessions(query).await)
    }

    async fn calls(&self, query: &CallQuery<'_>) -> Result<Vec<Call>, StoreError> {
        each_store!(self, store => store.calls(query).await)
    }

    async fn call(&self, app: AppId, comm_id: &CommId, horizon: Millis) -> Result<Option<Call>, StoreError> {
        each_store!(self, store => store.call(app, comm_id, horizon).await)
    }

    async fn user_events(&self, query: &UserQuery<'_>) -> Result<Vec<Event>, StoreError> {
        each_store!(self, store => store.user_events(query).await)
    }

    async fn users(&self, query: &UsersQuery<'_>) -> Result<Vec<UserSeen>, StoreError> {
        each_store!(self, store => store.users(query).await)
    }

    async fn calls_of_user(&self, query: &UserCallsQuery<'_>) -> Result<Vec<UserCall>, StoreError> {
        each_store!(self, store => store.calls_of_user(query).await)
    }

    async fn figures(&self, app: AppId, from_s: i64, to_s: i64) -> Result<Figures, StoreError> {
        each_store!(self, store => store.figures(app, from_s, to_s).await)
    }

    async fn append_samples(&self, series: Vec<Series>) -> Result<(), StoreError> {
        each_store!(self, store => store.append_samples(series).await)
    }

    async fn samples(&self, query: &SampleQuery<'_>) -> Result<Vec<Series>, StoreError> {
        each_store!(self, store => store.samples(query).await)
    }

    async fn sweep(&self, horizon: Millis) -> Result<Swept, StoreError> {
        each_store!(self, store => store.sweep(horizon).await)
    }

    async fn forget(&self, person: &Person, key: [u8; 32]) -> Result<Forgotten, StoreError> {
        each_store!(self, store => store.forget(person, key).await)
    }

    fn news(&self) -> &News {
        each_store!(self, store => store.news())
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        each_store!(self, store => store.counts().await)
    }

    fn days(&self) -> Result<BTreeSet<(AppId, i64)>, StoreError> {
        each_store!(self, store => store.days())
    }

    fn export(
        &self,
        query: &ExportQuery,
        sink: &mut dyn FnMut(Exported<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        each_store!(self, store => store.export(query, sink))
    }
}
