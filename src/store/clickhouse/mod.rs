//! The store on ClickHouse, for when one machine is not enough: any number of rollbooks over one database.
//!
//! What sources tell is kept as it came ([`tables::EVENTS`]); calls and sessions are folded of it by the same pure
//! functions as everywhere ([`append`]) and kept as rows whose versions decide which counts. A room's name is at home
//! on one shard, with all that is known of it, so that a question about one call asks one shard ([`shards`]).
//! `docs/clickhouse.md` has the tables and the promises.

mod append;
mod ask;
mod belonging;
mod export;
mod forget;
mod line;
mod part;
mod rows;
mod samples;
mod schema;
mod server;
mod shards;
mod sql;
mod stored;
mod sweep;
mod tables;

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};

use self::ask::Asker;
use self::line::Line;
use self::server::Server;
use self::shards::Shards;
use super::news::{News, Told};
use super::{
    Appended, CallQuery, Counts, ExportQuery, Exported, Figures, Forgotten, OnCommit, Person, SampleQuery,
    SessionPage, SessionQuery, Store, StoreError, Swept, UserCall, UserCallsQuery, UserQuery, UserSeen,
    UsersQuery,
};
use crate::limits::Secret;
use crate::records::quality::Series;
use crate::records::{AppId, Call, CommId, Event, Millis};

/// Where the servers are, and how they are used.
#[derive(Clone)]
pub struct ClickHouseOptions {
    /// `http://[user[:password]@]host[:port]`, at least one server of each shard, better all.
    pub urls: Vec<String>,
    /// Who we are to servers whose URL does not say.
    pub credentials: Option<Credentials>,
    /// The database; made where there is none.
    pub database: String,
    /// The cluster whose servers replicate the tables; `""`: the tables are plain ones.
    pub cluster: String,
    /// Batches begin at least so far apart, so that the servers are not given more parts than they can merge. Who
    /// comes after a longer pause waits for nothing; a full batch neither.
    pub pace: Duration,
    /// A monotonic clock, to tell how long batches take.
    pub monotonic: Option<fn() -> Duration>,
    /// Told of each batch of events that is kept and folded.
    pub on_commit: Option<OnCommit>,
}

impl std::fmt::Debug for ClickHouseOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // URLs may have passwords in them.
        f.debug_struct("ClickHouseOptions").field("database", &self.database).finish_non_exhaustive()
    }
}

/// Who we are.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

/// How far batches of a serving rollbook are apart.
pub const PACE: Duration = Duration::from_secs(1);
/// How often servers that have not answered since the start are asked again.
const DISCOVER_AGAIN: Duration = Duration::from_secs(5);
/// Of the events that wait, one batch takes about so many; a single sender's are never split.
const BATCH_EVENTS: usize = 10_000;
/// And of the values of measurements.
const BATCH_VALUES: usize = 200_000;

/// Records on ClickHouse.
#[derive(Debug)]
pub struct ClickHouse {
    link: Arc<Link>,
    events: Line<Event, (Appended, Told)>,
    samples: Line<Series, Told>,
    news: News,
    /// Where everything happens that waits for servers. Gone first when the store is dropped.
    runtime: Option<Runtime>,
}

/// What is known of the servers.
#[derive(Debug)]
struct Link {
    options: ClickHouseOptions,
    servers: Vec<Arc<Server>>,
    shards: RwLock<Option<Arc<Shards>>>,
}

impl Link {
    /// Keeps a group of batches; of each what the sender is told, and what others are.
    async fn append(
        self: &Arc<Link>,
        mut batches: Vec<Vec<Event>>,
    ) -> Result<Vec<(Appended, Told)>, StoreError> {
        let started = self.options.monotonic.map(|clock| clock());
        let shards = self.shards().await?;
        let people = forget::remembered(&shards).await?;
        let erased: Vec<u64> = batches.iter_mut().map(|batch| people.filter(batch)).collect();
        let told: Vec<Told> = batches.iter().map(|batch| Told::of_events(batch)).collect();
        let mut appended = append::append(&shards, batches).await?;
        if let (Some(on_commit), Some(clock), Some(started)) =
            (&self.options.on_commit, self.options.monotonic, started)
        {
            on_commit(clock().saturating_sub(started), appended.iter().map(|part| part.new).sum());
        }
        for (appended, erased) in appended.iter_mut().zip(erased) {
            appended.duplicate += erased;
        }
        Ok(appended.into_iter().zip(told).collect())
    }

    /// Keeps the measurements of a group of senders; what others are told of each.
    async fn append_samples(
        self: &Arc<Link>,
        mut batches: Vec<Vec<Series>>,
    ) -> Result<Vec<Told>, StoreError> {
        let shards = self.shards().await?;
        let people = forget::remembered(&shards).await?;
        batches.iter_mut().for_each(|batch| people.filter_samples(batch));
        let told = batches.iter().map(|batch| Told::of_samples(batch)).collect();
        samples::append(&shards, batches).await?;
        Ok(told)
    }

    /// The servers by their shards. Found out when it is first needed; servers that did not answer then are asked
    /// again and again beside what goes on.
    async fn shards(self: &Arc<Link>) -> Result<Arc<Shards>, StoreError> {
        if let Some(shards) = &*self.shards.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(Arc::clone(shards));
        }
        let shards = self.discover().await?;
        if shards.server_count() < self.servers.len() {
            let link = Arc::downgrade(self);
            shards.runtime().spawn(async move {
                loop {
                    tokio::time::sleep(DISCOVER_AGAIN).await;
                    let Some(link) = link.upgrade() else { return };
                    if link.discover().await.is_ok_and(|found| found.server_count() == link.servers.len()) {
                        return;
                    }
                }
            });
        }
        Ok(shards)
    }

    async fn discover(&self) -> Result<Arc<Shards>, StoreError> {
        let shards = Arc::new(Shards::discover(&self.options, &self.servers).await?);
        *self.shards.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&shards));
        Ok(shards)
    }
}

impl ClickHouse {
    /// A store on these servers. They need not answer yet: until they do, everything is refused as unavailable.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where a URL is wrong, or a server that answers has tables of a newer rollbook or fewer
    /// shards than its cluster.
    pub fn open(options: ClickHouseOptions) -> Result<ClickHouse, StoreError> {
        let started = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("clickhouse")
            .enable_all()
            .build();
        let runtime = started.map_err(|error| {
            StoreError::Refused(format!("cannot start the threads of the ClickHouse store: {error}"))
        })?;
        if options.urls.is_empty() {
            return Err(StoreError::Refused("no URL of a ClickHouse server is given".to_owned()));
        }
        let server =
            |url: &String| Server::new(url, options.credentials.as_ref(), runtime.handle()).map(Arc::new);
        let servers = options.urls.iter().map(server).collect::<Result<_, _>>()?;
        let pace = options.pace;
        let link = Arc::new(Link { options, servers, shards: RwLock::default() });
        let (events, samples) = (Arc::clone(&link), Arc::clone(&link));
        let events = Line::begin(
            runtime.handle(),
            pace,
            BATCH_EVENTS,
            |_| 1,
            move |batches| {
                let link = Arc::clone(&events);
                async move { link.append(batches).await }
            },
        );
        let samples = Line::begin(runtime.handle(), pace, BATCH_VALUES, Series::len, move |batches| {
            let link = Arc::clone(&samples);
            async move { link.append_samples(batches).await }
        });
        let store = ClickHouse { link, events, samples, news: News::default(), runtime: Some(runtime) };
        match store.wait(async |link: Arc<Link>| link.shards().await.map(drop)) {
            Err(StoreError::Refused(why)) => Err(StoreError::Refused(why)),
            Ok(()) | Err(StoreError::Unavailable(_) | StoreError::Busy | StoreError::Corrupt(_)) => Ok(store),
        }
    }

    /// Whether every shard has a server that answers.
    ///
    /// # Errors
    /// Why not.
    pub fn verify(&self) -> Result<(), StoreError> {
        self.wait(async |link: Arc<Link>| {
            let shards = link.shards().await?;
            shards.ask_all("SELECT 1").await.map(drop)
        })
    }

    /// Takes the database away, with all that is in it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where a shard does not answer.
    #[cfg(test)]
    pub(super) fn remove(&self) -> Result<(), StoreError> {
        self.wait(async |link: Arc<Link>| schema::remove(&link.options, &link.servers).await)
    }

    /// The tables that hold a text anywhere.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where a server does not answer.
    #[cfg(test)]
    pub(super) fn tables_that_hold(&self, needle: &str) -> Result<Vec<&'static str>, StoreError> {
        let needle = needle.to_owned();
        self.wait(async move |link: Arc<Link>| forget::tables_that_hold(&link.shards().await?, &needle).await)
    }

    /// Whether what a sweep dropped is gone on every replica.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where a server does not answer.
    #[cfg(test)]
    pub(super) fn is_swept_everywhere(&self) -> Result<bool, StoreError> {
        self.wait(async move |link: Arc<Link>| sweep::is_everywhere(&link.shards().await?).await)
    }

    async fn asker(&self) -> Result<Asker, StoreError> {
        Ok(Asker { shards: self.link.shards().await? })
    }

    fn handle(&self) -> Option<&Handle> {
        self.runtime.as_ref().map(Runtime::handle)
    }

    /// Waits for servers where there is no runtime to do it in.
    fn wait<T, F>(&self, work: impl FnOnce(Arc<Link>) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let closed = || StoreError::Unavailable("the store is being closed".to_owned());
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        let work = work(Arc::clone(&self.link));
        self.handle().ok_or_else(closed)?.spawn(async move {
            // Who asked has gone only if the process ends.
            let _ = answer.send(work.await);
        });
        answered.recv().map_err(|_| closed())?
    }
}

impl Drop for ClickHouse {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Dropping it would wait, which is not allowed where others run.
            runtime.shutdown_background();
        }
    }
}

impl Store for ClickHouse {
    async fn append(&self, events: Vec<Event>) -> Result<Appended, StoreError> {
        if events.is_empty() {
            return Ok(Appended::default());
        }
        let (appended, told) = self.events.give(events).await?;
        self.news.tell(told);
        Ok(appended)
    }

    async fn sessions(&self, query: &SessionQuery<'_>) -> Result<SessionPage, StoreError> {
        self.asker().await?.sessions(query).await
    }

    async fn calls(&self, query: &CallQuery<'_>) -> Result<Vec<Call>, StoreError> {
        self.asker().await?.calls(query).await
    }

    async fn call(&self, app: AppId, comm_id: &CommId, horizon: Millis) -> Result<Option<Call>, StoreError> {
        self.asker().await?.call(app, comm_id, horizon).await
    }

    async fn user_events(&self, query: &UserQuery<'_>) -> Result<Vec<Event>, StoreError> {
        self.asker().await?.user_events(query).await
    }

    async fn users(&self, query: &UsersQuery<'_>) -> Result<Vec<UserSeen>, StoreError> {
        self.asker().await?.users(query).await
    }

    async fn calls_of_user(&self, query: &UserCallsQuery<'_>) -> Result<Vec<UserCall>, StoreError> {
        self.asker().await?.calls_of_user(query).await
    }

    async fn figures(&self, app: AppId, from_s: i64, to_s: i64) -> Result<Figures, StoreError> {
        self.asker().await?.figures(app, from_s, to_s).await
    }

    async fn append_samples(&self, series: Vec<Series>) -> Result<(), StoreError> {
        if series.iter().all(Series::is_empty) {
            return Ok(());
        }
        let told = self.samples.give(series).await?;
        self.news.tell(told);
        Ok(())
    }

    async fn samples(&self, query: &SampleQuery<'_>) -> Result<Vec<Series>, StoreError> {
        samples::find(&self.link.shards().await?, query).await
    }

    async fn sweep(&self, horizon: Millis) -> Result<Swept, StoreError> {
        sweep::sweep(&self.link.shards().await?, horizon).await
    }

    async fn forget(&self, person: &Person, key: [u8; 32]) -> Result<Forgotten, StoreError> {
        let shards = self.link.shards().await?;
        forget::remember(&shards, person, key).await?;
        let unique = u64::from_be_bytes(*key.first_chunk().unwrap_or(&[0; 8]));
        let forgotten = forget::forget(&shards, person, unique).await?;
        self.news.forget(person);
        Ok(forgotten)
    }

    fn news(&self) -> &News {
        &self.news
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.asker().await?.counts().await
    }

    fn days(&self) -> Result<BTreeSet<(AppId, i64)>, StoreError> {
        export::days(self)
    }

    fn export(
        &self,
        query: &ExportQuery,
        sink: &mut dyn FnMut(Exported<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        export::export(self, query, sink)
    }
}
