//! The embedded store: one redb file for each UTC day, one writer thread, group commit. Twice: records and
//! measurements are two streams, each with files, a queue and a writer of its own, so that records never wait for
//! measurements ([`stream`]).
//!
//! A call lives in the file of the day of its begin, whole: its row, its users' events, its listings.
//! What reaches beyond that day (calls that run past midnight, orphans, restarts) is found through an index in
//! memory that is read from the files when they are opened. `docs/storage.md` has the layout and the promises.

mod batch;
mod cache;
mod chunk;
mod compact;
mod disk;
mod erase;
mod figures;
mod file;
mod finish;
mod index;
mod keys;
mod overlay;
mod pack;
mod parts;
mod power;
mod reader;
mod samples;
mod snapshot;
mod stream;
mod take;
mod told;
mod users;
mod values;
mod writer;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use self::disk::Fault;
pub use self::power::Fate;
use self::samples::Samples;
pub use self::snapshot::{Copied, Snapshot};
use self::stream::{Stream, answered, refused};
use self::writer::Records;
use super::erased::Erased;
use super::news::{News, Told};
use super::{
    Appended, CallQuery, Counts, ExportQuery, Exported, Figures, Forgotten, OnCommit, Person, SampleQuery,
    SessionPage, SessionQuery, Store, StoreError, Swept, UserCall, UserCallsQuery, UserQuery, UserSeen,
    UsersQuery, What,
};
use crate::records::quality::Series;
use crate::records::{AppId, Call, CommId, Event, Millis};

/// How the store runs.
#[derive(Clone, Default)]
pub struct EmbeddedOptions {
    /// A monotonic clock, to tell how long commits take.
    pub monotonic: Option<fn() -> Duration>,
    /// Much is written at a time, and little asked: caches may be larger, and what is new is told to nobody.
    pub bulk: bool,
    /// Lets tests break the disk.
    pub fault: Fault,
    /// Told of each durable commit.
    pub on_commit: Option<OnCommit>,
}

impl EmbeddedOptions {
    const fn cache_new_bytes(&self) -> usize {
        if self.bulk { CACHE_BULK_BYTES } else { CACHE_NEW_BYTES }
    }
}

impl std::fmt::Debug for EmbeddedOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedOptions").finish_non_exhaustive()
    }
}

/// The cache of the files that most is written to; each of the others has [`CACHE_OLD_BYTES`].
const CACHE_NEW_BYTES: usize = 16 << 20;
/// The same while an import runs: up to half of it holds the pages of a batch until its commit, and a batch of 30,000
/// events changes some 20 MB of them.
const CACHE_BULK_BYTES: usize = 64 << 20;
/// Of how many files that is true: of the newest two, or of those that were made last.
const NEW_FILES_MAX: usize = 2;
const CACHE_OLD_BYTES: usize = 2 << 20;

/// A data directory, open. One process at a time may hold it.
#[derive(Debug)]
pub struct Embedded {
    dir: PathBuf,
    records: Stream<Records>,
    samples: Stream<Samples>,
    erased: Erased,
    news: News,
    /// Nobody looks on, see [`EmbeddedOptions::bulk`].
    is_bulk: bool,
    /// Held until the process ends, so that no second one opens the directory.
    _lock: File,
}

impl Embedded {
    /// Opens the store in `dir`, which must exist; makes it if there is none.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where another process holds it (its process id is named) or another version wrote
    /// it; [`StoreError::Corrupt`] where a file is damaged.
    pub fn open(dir: &Path, options: EmbeddedOptions) -> Result<Embedded, StoreError> {
        let lock = lock(dir)?;
        whole(dir)?;
        let is_bulk = options.bulk;
        let erased = Erased::open(dir)?;
        let records = Stream::open(dir, options.clone())?;
        let samples = Stream::open(dir, options)?;
        let news = News::default();
        Ok(Embedded { dir: dir.to_owned(), records, samples, erased, news, is_bulk, _lock: lock })
    }

    /// Packs the days that are over for so long that little more is expected of them: those before
    /// `lateness` ago. How many files were.
    ///
    /// # Errors
    /// Those of writing; the open form stays in use then.
    pub async fn seal(&self, now: Millis, lateness: Duration) -> Result<u64, StoreError> {
        let lateness_ms = i64::try_from(lateness.as_millis()).unwrap_or(i64::MAX);
        let before = now.plus(-lateness_ms).day();
        Ok(self.records.seal(before).await? + self.samples.seal(before).await?)
    }

    /// Verifies every checksum of every file, folds all users' events and counts all daily figures anew; how many days
    /// there are.
    ///
    /// # Errors
    /// The first file that is damaged, or whose figures are not those of its sessions.
    pub fn verify(dir: &Path) -> Result<u64, StoreError> {
        let _lock = lock(dir)?;
        whole(dir)?;
        Erased::open(dir)?;
        let mut days = stream::verify::<Records>(dir)?;
        days.extend(stream::verify::<Samples>(dir)?);
        Ok(days.len() as u64)
    }
}

/// The folder in a data directory that a backup is restored into, before everything takes its place.
pub const RESTORING: &str = "restore.making";

/// Refuses a data directory that is restored in part; removes a copy that nobody came to take.
fn whole(dir: &Path) -> Result<(), StoreError> {
    if dir.join(RESTORING).exists() {
        return Err(StoreError::Refused(format!(
            "{} was not restored to the end: remove it and restore again",
            dir.display()
        )));
    }
    match std::fs::remove_file(dir.join(snapshot::MAKING)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(refused(&dir.join(snapshot::MAKING), &error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Takes the data directory for this process.
fn lock(dir: &Path) -> Result<File, StoreError> {
    use std::io::{Read, Seek, Write};
    let path = dir.join("lock");
    let open = File::options().create(true).truncate(false).read(true).write(true).open(&path);
    let mut file = open.map_err(|error| refused(&path, &error))?;
    if file.try_lock().is_err() {
        let mut holder = String::new();
        let _ = file.read_to_string(&mut holder);
        return Err(StoreError::Refused(format!(
            "{} is in use by process {}",
            dir.display(),
            if holder.trim().is_empty() { "unknown" } else { holder.trim() }
        )));
    }
    let written =
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
    written.map_err(|error| refused(&path, &error))?;
    Ok(file)
}

impl Store for Embedded {
    async fn append(&self, mut events: Vec<Event>) -> Result<Appended, StoreError> {
        if events.is_empty() {
            return Ok(Appended::default());
        }
        let (answer, told, erased) = {
            let people = self.erased.people();
            let erased = people.filter(&mut events);
            if events.is_empty() {
                return Ok(Appended { new: 0, duplicate: erased });
            }
            let told = if self.is_bulk { Told::default() } else { Told::of_events(&events) };
            (self.records.append(events)?, told, erased)
        };
        let mut appended = answered(answer).await?;
        appended.duplicate += erased;
        self.news.tell(told);
        Ok(appended)
    }

    async fn sessions(&self, query: &SessionQuery<'_>) -> Result<SessionPage, StoreError> {
        self.records.shared.ask(|reader| reader.sessions(query))
    }

    async fn calls(&self, query: &CallQuery<'_>) -> Result<Vec<Call>, StoreError> {
        self.records.shared.ask(|reader| reader.calls(query))
    }

    async fn call(&self, app: AppId, comm_id: &CommId, horizon: Millis) -> Result<Option<Call>, StoreError> {
        self.records.shared.ask(|reader| reader.find_call(app, comm_id, horizon))
    }

    async fn user_events(&self, query: &UserQuery<'_>) -> Result<Vec<Event>, StoreError> {
        self.records.shared.ask(|reader| reader.user_events(query))
    }

    async fn users(&self, query: &UsersQuery<'_>) -> Result<Vec<UserSeen>, StoreError> {
        self.records.shared.ask(|reader| reader.users(query))
    }

    async fn calls_of_user(&self, query: &UserCallsQuery<'_>) -> Result<Vec<UserCall>, StoreError> {
        self.records.shared.ask(|reader| reader.calls_of_user(query))
    }

    async fn figures(&self, app: AppId, from_s: i64, to_s: i64) -> Result<Figures, StoreError> {
        self.records
            .shared
            .ask(|reader| Ok(reader.index.sums.figures(app, reader.index.swept_s, from_s, to_s)))
    }

    async fn append_samples(&self, mut series: Vec<Series>) -> Result<(), StoreError> {
        if series.iter().all(Series::is_empty) {
            return Ok(());
        }
        let (answer, told) = {
            let people = self.erased.people();
            people.filter_samples(&mut series);
            if series.is_empty() {
                return Ok(());
            }
            let told = Told::of_samples(&series);
            (self.samples.append(series)?, told)
        };
        answered(answer).await?;
        self.news.tell(told);
        Ok(())
    }

    async fn samples(&self, query: &SampleQuery<'_>) -> Result<Vec<Series>, StoreError> {
        self.samples.shared.with_files(|files, ()| samples::find(files, query))
    }

    async fn sweep(&self, horizon: Millis) -> Result<Swept, StoreError> {
        let samples = self.samples.sweep(horizon).await;
        let swept = self.records.sweep(horizon).await?;
        self.erased.expire(horizon)?;
        samples.map(|_| swept)
    }

    async fn forget(&self, person: &Person, key: [u8; 32]) -> Result<Forgotten, StoreError> {
        self.erase(person, key).await
    }

    fn news(&self) -> &News {
        &self.news
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        Ok(self.records.shared.read().index.counts())
    }

    fn days(&self) -> Result<BTreeSet<(AppId, i64)>, StoreError> {
        let mut days = self.records.shared.ask(|reader| reader.days())?;
        days.extend(self.samples.shared.with_files(|files, ()| samples::days(files))?);
        Ok(days)
    }

    fn export(
        &self,
        query: &ExportQuery,
        sink: &mut dyn FnMut(Exported<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if query.what == What::Samples {
            return self.samples.shared.with_files(|files, ()| samples::export(files, query, sink));
        }
        self.records.shared.ask(|reader| reader.export(query, sink))
    }
}
