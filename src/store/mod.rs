//! Remembers: events in, calls and sessions out. One trait, one suite that every store must pass.

use std::future::Future;

use crate::records::{AppId, Call, CommId, Event, Millis, Session};

/// What a store promises. Its answers are those of folding all events it was ever given, minus what
/// retention dropped.
pub trait Store: Send + Sync {
    /// Keeps a batch. When this returns, every event of it is durable and seen by every later question.
    /// Giving an event twice is giving it once. A batch that fails may have been kept in part; giving it
    /// again is harmless.
    fn append(&self, events: Vec<Event>) -> impl Future<Output = Result<Appended, StoreError>> + Send;

    /// The sessions of one call that overlap a window: newest join first (in seconds), then user, then
    /// latest leave first. Empty for a call that is not known.
    fn sessions(&self, query: &SessionQuery<'_>) -> impl Future<Output = Result<Vec<Session>, StoreError>> + Send;

    /// The calls of one application that were alive in a window: newest creation first (in seconds), then
    /// by room (numbers ascending before texts), then by id.
    fn calls(&self, query: &CallQuery<'_>) -> impl Future<Output = Result<Vec<Call>, StoreError>> + Send;

    /// One call by its id: by the exact text; else by its parts, as the life of that room that contains that
    /// second.
    fn call(&self, app: AppId, comm_id: &CommId, horizon: Millis)
    -> impl Future<Output = Result<Option<Call>, StoreError>> + Send;

    /// Drops what has no evidence since `horizon`.
    fn sweep(&self, horizon: Millis) -> impl Future<Output = Result<Swept, StoreError>> + Send;

    /// How much there is.
    fn counts(&self) -> Counts;
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

/// How much a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls without an end.
    pub open_calls: u64,
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
