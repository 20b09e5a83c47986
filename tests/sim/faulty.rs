//! A store that fails on request and, where it is the one in memory, forgets at a crash what was not durable. Around
//! the embedded store it fails in the same ways, and the disk below it in others.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rollbook::records::quality::Series;
use rollbook::records::{AppId, Call, CommId, Event, Millis};
use rollbook::store::{
    AnyStore, Appended, CallQuery, Counts, ExportQuery, Exported, Figures, Forgotten, Memory, News, Person,
    SampleQuery, SessionPage, SessionQuery, Store, StoreError, Swept, UserCall, UserCallsQuery, UserQuery,
    UserSeen, UsersQuery,
};

/// How the next thing that is kept fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing is kept.
    Before,
    /// The first half is kept.
    Between,
    /// Everything is kept.
    After,
    /// Everything is seen, and nothing is durable.
    NotDurable,
}

/// What is durable of a store in memory.
#[derive(Debug, Clone)]
enum Durable {
    Events(Vec<Event>),
    Samples(Vec<Series>),
    Swept(Millis),
}

/// The store that the world asks.
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: AnyStore,
    next: Mutex<Option<Failure>>,
    questions_fail: Mutex<bool>,
    /// Behind the latest horizon of any sweep nothing is promised, also when the clock goes back.
    floor_ms: AtomicI64,
    /// How often something was given to be kept or to be dropped.
    writes: AtomicU64,
    durable: Mutex<Vec<Durable>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn broken() -> StoreError {
    StoreError::Unavailable("ordered to fail".to_owned())
}

impl Faulty {
    pub(crate) fn new(inner: AnyStore, floor: Millis) -> Faulty {
        Faulty {
            inner,
            next: Mutex::default(),
            questions_fail: Mutex::default(),
            floor_ms: AtomicI64::new(floor.0),
            writes: AtomicU64::new(0),
            durable: Mutex::default(),
        }
    }

    /// A store in memory as a crash leaves it: with what was durable.
    pub(crate) async fn crashed(self) -> Faulty {
        let durable = self.durable.into_inner().unwrap_or_else(PoisonError::into_inner);
        let floor = Millis(self.floor_ms.into_inner());
        let memory = Memory::default();
        for kept in durable.clone() {
            match kept {
                Durable::Events(events) => drop(memory.append(events).await),
                Durable::Samples(series) => drop(memory.append_samples(series).await),
                Durable::Swept(horizon) => drop(memory.sweep(horizon).await),
            }
        }
        Faulty { durable: Mutex::new(durable), ..Faulty::new(AnyStore::Memory(memory), floor) }
    }

    pub(crate) fn embedded(&self) -> Option<&rollbook::store::embedded::Embedded> {
        match &self.inner {
            AnyStore::Memory(_) | AnyStore::ClickHouse(_) => None,
            AnyStore::Embedded(store) => Some(store),
        }
    }

    pub(crate) fn fail_next(&self, failure: Option<Failure>) {
        *lock(&self.next) = failure;
    }

    pub(crate) fn fail_questions(&self, fail: bool) {
        *lock(&self.questions_fail) = fail;
    }

    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    pub(crate) fn raise_floor(&self, floor: Millis) {
        self.floor_ms.fetch_max(floor.0, Ordering::SeqCst);
    }

    fn floor(&self) -> Millis {
        Millis(self.floor_ms.load(Ordering::SeqCst))
    }

    fn asked(&self) -> Result<(), StoreError> {
        if *lock(&self.questions_fail) { Err(broken()) } else { Ok(()) }
    }

    fn make_durable(&self, kept: impl FnOnce() -> Durable) {
        if matches!(self.inner, AnyStore::Memory(_)) {
            lock(&self.durable).push(kept());
        }
    }

    /// Keeps a batch, or as much of it as it is ordered to.
    async fn keep<T: Clone, R>(
        &self,
        mut batch: Vec<T>,
        durable: impl FnOnce(Vec<T>) -> Durable,
        append: impl AsyncFnOnce(Vec<T>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        let failure = lock(&self.next).take();
        match failure {
            Some(Failure::Before) => return Err(broken()),
            Some(Failure::Between) => batch.truncate(batch.len() / 2),
            Some(Failure::After | Failure::NotDurable) | None => {}
        }
        let appended = append(batch.clone()).await?;
        if failure != Some(Failure::NotDurable) {
            self.make_durable(|| durable(batch));
        }
        if failure.is_some() { Err(broken()) } else { Ok(appended) }
    }
}

impl Store for Faulty {
    async fn append(&self, events: Vec<Event>) -> Result<Appended, StoreError> {
        self.keep(events, Durable::Events, async |events| self.inner.append(events).await).await
    }

    async fn append_samples(&self, series: Vec<Series>) -> Result<(), StoreError> {
        self.keep(series, Durable::Samples, async |series| self.inner.append_samples(series).await).await
    }

    async fn sweep(&self, horizon: Millis) -> Result<Swept, StoreError> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        let swept = self.inner.sweep(horizon).await?;
        self.make_durable(|| Durable::Swept(horizon));
        Ok(swept)
    }

    async fn forget(&self, person: &Person, key: [u8; 32]) -> Result<Forgotten, StoreError> {
        self.inner.forget(person, key).await
    }

    async fn sessions(&self, query: &SessionQuery<'_>) -> Result<SessionPage, StoreError> {
        self.asked()?;
        let horizon = query.horizon.max(self.floor());
        self.inner.sessions(&SessionQuery { horizon, ..*query }).await
    }

    async fn calls(&self, query: &CallQuery<'_>) -> Result<Vec<Call>, StoreError> {
        self.asked()?;
        let horizon = query.horizon.max(self.floor());
        self.inner.calls(&CallQuery { horizon, ..*query }).await
    }

    async fn call(&self, app: AppId, comm_id: &CommId, horizon: Millis) -> Result<Option<Call>, StoreError> {
        self.asked()?;
        self.inner.call(app, comm_id, horizon.max(self.floor())).await
    }

    async fn user_events(&self, query: &UserQuery<'_>) -> Result<Vec<Event>, StoreError> {
        self.asked()?;
        let horizon = query.horizon.max(self.floor());
        self.inner.user_events(&UserQuery { horizon, ..*query }).await
    }

    async fn users(&self, query: &UsersQuery<'_>) -> Result<Vec<UserSeen>, StoreError> {
        self.asked()?;
        let horizon = query.horizon.max(self.floor());
        self.inner.users(&UsersQuery { horizon, ..*query }).await
    }

    async fn calls_of_user(&self, query: &UserCallsQuery<'_>) -> Result<Vec<UserCall>, StoreError> {
        self.asked()?;
        let horizon = query.horizon.max(self.floor());
        self.inner.calls_of_user(&UserCallsQuery { horizon, ..*query }).await
    }

    async fn figures(&self, app: AppId, from_s: i64, to_s: i64) -> Result<Figures, StoreError> {
        self.asked()?;
        let mut figures = self.inner.figures(app, i64::MIN, i64::MAX).await?;
        figures.days.retain(|day| self.floor() <= Millis::from_secs(day.start_s));
        figures.first_s = figures.days.first().map(|day| day.start_s);
        figures.days.retain(|day| from_s <= day.start_s && day.start_s <= to_s);
        Ok(figures)
    }

    async fn samples(&self, query: &SampleQuery<'_>) -> Result<Vec<Series>, StoreError> {
        self.asked()?;
        let from = query.from.max(self.floor());
        self.inner.samples(&SampleQuery { from, ..*query }).await
    }

    fn news(&self) -> &News {
        self.inner.news()
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.inner.counts().await
    }

    fn days(&self) -> Result<BTreeSet<(AppId, i64)>, StoreError> {
        self.inner.days()
    }

    fn export(
        &self,
        query: &ExportQuery,
        sink: &mut dyn FnMut(Exported<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.inner.export(query, sink)
    }
}
