//! The embedded store: one redb file for each UTC day, one writer thread, group commit.
//!
//! A call lives in the file of the day of its begin, whole: its row, its users' events and stays, its listings.
//! What reaches beyond that day (calls that run past midnight, orphans, restarts) is found through an index in
//! memory that is read from the files when they are opened. `docs/storage.md` has the layout and the promises.

mod batch;
mod cache;
mod disk;
mod figures;
mod file;
mod finish;
mod index;
mod keys;
mod pack;
mod reader;
mod take;
mod values;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use self::batch::Files;
pub use self::disk::Fault;
use self::figures::AllSums;
use self::file::{DayFile, Joint, MAKING};
use self::index::Index;
use self::reader::Reader;
use self::writer::{Job, Writer};
use super::{
    Appended, CallQuery, Counts, ExportQuery, Exported, Figures, SampleQuery, SessionQuery, Store,
    StoreError, Swept, UserQuery,
};
use crate::records::quality::Series;
use crate::records::{AppId, Call, CommId, Event, Millis, Session};

/// How the store runs.
#[derive(Clone, Default)]
pub struct EmbeddedOptions {
    /// A monotonic clock, to tell how long commits take.
    pub monotonic: Option<fn() -> Duration>,
    /// Lets tests break the disk.
    pub fault: Fault,
    /// Told of each durable commit: how long it took, and how many events it held.
    pub on_commit: Option<Arc<dyn Fn(Duration, u64) + Send + Sync>>,
}

impl std::fmt::Debug for EmbeddedOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedOptions").finish_non_exhaustive()
    }
}

/// The cache of the newest two days' files; each of the others has [`CACHE_OLD_BYTES`].
const CACHE_NEW_BYTES: usize = 24 << 20;
const CACHE_OLD_BYTES: usize = 2 << 20;

/// Jobs that may wait for the writer; more is told to the sender.
const QUEUE_JOBS_MAX: usize = 1_024;

/// A data directory, open. One process at a time may hold it.
#[derive(Debug)]
pub struct Embedded {
    shared: Arc<Shared>,
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<std::thread::JoinHandle<()>>,
    /// Held until the process ends, so that no second one opens the directory.
    _lock: File,
}

/// What questions and the writer share.
#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    state: RwLock<State>,
}

/// The open files, and what is known of them. `None` of files: they are being opened again after an error.
#[derive(Debug, Default)]
struct State {
    files: Option<Files>,
    index: Index,
    /// The number of the last batch that changed several files.
    joint: u64,
}

impl State {
    /// Compares the figures of every file with what its stays say; the days of the files.
    fn verify_figures(self, shared: &Shared) -> Result<Vec<i64>, StoreError> {
        let files = self.files.unwrap_or_default();
        let mut counted = AllSums::default();
        for &day in files.keys() {
            figures::recount(&files, day, &mut counted)?;
            if let Some((app, start_s)) = self.index.sums.differs(&counted, day, self.index.swept_s) {
                return Err(StoreError::Corrupt(format!(
                    "the figures of application {app} for the day that begins at {start_s} in {} are not those of its sessions",
                    shared.path(day).display()
                )));
            }
        }
        Ok(files.into_keys().collect())
    }
}

impl Shared {
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask<T>(&self, question: impl FnOnce(Reader<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let state = self.read();
        match &state.files {
            Some(files) => question(Reader { files, index: &state.index }),
            None => Err(StoreError::Unavailable("the files are being opened again".to_owned())),
        }
    }

    fn path(&self, day: i64) -> PathBuf {
        self.dir.join(file_name(day))
    }

    /// Opens every file, from nothing.
    fn open_files(&self, fault: &Fault) -> Result<State, StoreError> {
        let mut days: Vec<i64> = Vec::new();
        let entries = std::fs::read_dir(&self.dir).map_err(|error| refused(&self.dir, &error))?;
        for entry in entries {
            let path = entry.map_err(|error| refused(&self.dir, &error))?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                // What was not finished is of no use: a day's own file is whole, or not there yet.
                Some(MAKING) => std::fs::remove_file(&path).map_err(|error| refused(&path, &error))?,
                Some("redb") => days.push(day_of_file(&path)?),
                _ => {}
            }
        }
        days.sort_unstable();
        let mut files = Files::new();
        for (newer, &day) in days.iter().rev().enumerate() {
            let cache = if newer < 2 { CACHE_NEW_BYTES } else { CACHE_OLD_BYTES };
            let file = DayFile::open(&self.path(day), day, cache, fault)?;
            files.insert(day, Arc::new(file));
        }
        let joint = finish_joint(&files)?;
        let mut index = Index::default();
        files.values().rev().try_for_each(|file| index.read(file))?;
        count_old(&files, &mut index)?;
        Ok(State { files: Some(files), index, joint })
    }
}

/// Finishes a batch over several files that was cut off between two of its commits; the number of the last such
/// batch. What it changes is kept for longer than needed: a file that has seen that batch, or one after it, is left
/// as it is, and one that is gone was dropped.
fn finish_joint(files: &Files) -> Result<u64, StoreError> {
    let mut last = 0;
    for file in files.values() {
        if let Some((number, beside)) = file.beside()? {
            for (day, changes) in values::decode_changes(&beside)? {
                if let Some(other) = files.get(&day)
                    && other.joint()? < number
                {
                    other.commit(&changes, Some(Joint { number, beside: None }))?;
                }
            }
        }
        last = last.max(file.joint()?);
    }
    Ok(last)
}

/// Counts the figures of files from before there were any, and of those behind them, since what two files have in
/// common is counted in the first.
fn count_old(files: &Files, index: &mut Index) -> Result<(), StoreError> {
    for (&day, file) in files.iter().skip_while(|(_, file)| file.counted) {
        index.sums.forget_file(day);
        figures::recount(files, day, &mut index.sums)?;
        file.commit_counted(&index.sums.rows(day)?)?;
    }
    Ok(())
}

fn refused(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Refused(format!("cannot use {}: {error}", path.display()))
}

/// `2026-11-22.redb`
fn file_name(day: i64) -> String {
    let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(day));
    date.map_or_else(|_| format!("day{day}.redb"), |date| format!("{date}.redb"))
}

fn day_of_file(path: &Path) -> Result<i64, StoreError> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let date: Result<jiff::civil::Date, _> = stem.parse();
    let since = date.and_then(|date| jiff::civil::date(1970, 1, 1).until(date));
    match since {
        Ok(span) => Ok(i64::from(span.get_days())),
        Err(_) => Err(StoreError::Refused(format!(
            "{} is not the name of a day's file, which is like 2026-11-22.redb",
            path.display()
        ))),
    }
}

impl Embedded {
    /// Opens the store in `dir`, which must exist; makes it if there is none.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where another process holds it (its process id is named) or another version wrote
    /// it; [`StoreError::Corrupt`] where a file is damaged.
    pub fn open(dir: &Path, options: EmbeddedOptions) -> Result<Embedded, StoreError> {
        let lock = lock(dir)?;
        let days = dir.join("days");
        std::fs::create_dir_all(&days).map_err(|error| refused(&days, &error))?;
        let shared = Arc::new(Shared { dir: days, state: RwLock::new(State::default()) });
        *shared.state.write().unwrap_or_else(PoisonError::into_inner) = shared.open_files(&options.fault)?;
        let (jobs, queue) = mpsc::channel(QUEUE_JOBS_MAX);
        let writer = Writer::new(Arc::clone(&shared), options);
        let writer = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.run(queue))
            .map_err(|error| StoreError::Unavailable(format!("cannot start the writer: {error}")))?;
        Ok(Embedded { shared, jobs: Some(jobs), writer: Some(writer), _lock: lock })
    }

    async fn send<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let gone = || StoreError::Unavailable("the writer has stopped".to_owned());
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.try_send(job(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => gone(),
        })?;
        answer.await.map_err(|_| gone())?
    }

    /// Packs the days that are over for so long that little more is expected of them: those before
    /// `lateness` ago.
    ///
    /// # Errors
    /// Those of writing; the open form stays in use then.
    pub async fn seal(&self, now: Millis, lateness: Duration) -> Result<u64, StoreError> {
        let lateness_ms = i64::try_from(lateness.as_millis()).unwrap_or(i64::MAX);
        let before = now.plus(-lateness_ms).day();
        let open: Vec<i64> = {
            let state = self.shared.read();
            let files = state.files.iter().flatten();
            files.filter(|(day, file)| **day < before && !file.sealed).map(|(&day, _)| day).collect()
        };
        let mut sealed = 0;
        for day in open {
            sealed += u64::from(self.send(|reply| Job::Seal { day, reply }).await?);
        }
        Ok(sealed)
    }

    /// Verifies every checksum of every file, and counts all daily figures anew.
    ///
    /// # Errors
    /// The first file that is damaged, or whose figures are not those of its sessions.
    pub fn verify(dir: &Path) -> Result<u64, StoreError> {
        let _lock = lock(dir)?;
        let shared = Shared { dir: dir.join("days"), state: RwLock::default() };
        if !shared.dir.exists() {
            return Ok(0);
        }
        let days = shared.open_files(&Fault::default())?.verify_figures(&shared)?;
        for &day in &days {
            DayFile::open(&shared.path(day), day, CACHE_NEW_BYTES, &Fault::default())?.verify()?;
        }
        Ok(days.len() as u64)
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

impl Drop for Embedded {
    fn drop(&mut self) {
        // Closing the queue ends the writer once it has answered what waits.
        self.jobs = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Store for Embedded {
    async fn append(&self, events: Vec<Event>) -> Result<Appended, StoreError> {
        if events.is_empty() {
            return Ok(Appended::default());
        }
        self.send(|reply| Job::Append { events, reply }).await
    }

    async fn sessions(&self, query: &SessionQuery<'_>) -> Result<Vec<Arc<Session>>, StoreError> {
        self.shared.ask(|reader| reader.sessions(query))
    }

    async fn calls(&self, query: &CallQuery<'_>) -> Result<Vec<Call>, StoreError> {
        self.shared.ask(|reader| reader.calls(query))
    }

    async fn call(&self, app: AppId, comm_id: &CommId, horizon: Millis) -> Result<Option<Call>, StoreError> {
        self.shared.ask(|reader| reader.find_call(app, comm_id, horizon))
    }

    async fn user_events(&self, query: &UserQuery<'_>) -> Result<Vec<Event>, StoreError> {
        self.shared.ask(|reader| reader.user_events(query))
    }

    async fn figures(&self, app: AppId, from_s: i64, to_s: i64) -> Result<Figures, StoreError> {
        self.shared.ask(|reader| Ok(reader.index.sums.figures(app, reader.index.swept_s, from_s, to_s)))
    }

    async fn append_samples(&self, _series: Vec<Series>) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("STUB".to_owned()))
    }

    async fn samples(&self, _query: &SampleQuery<'_>) -> Result<Vec<Series>, StoreError> {
        Err(StoreError::Unavailable("STUB".to_owned()))
    }

    async fn sweep(&self, horizon: Millis) -> Result<Swept, StoreError> {
        self.send(|reply| Job::Sweep { horizon, reply }).await
    }

    fn counts(&self) -> Counts {
        self.shared.read().index.counts()
    }

    fn export(
        &self,
        query: &ExportQuery,
        sink: &mut dyn FnMut(Exported<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.shared.ask(|reader| reader.export(query, sink))
    }
}
