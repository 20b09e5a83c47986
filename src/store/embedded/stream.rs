//! One of the store's two streams: its files in a directory of their own, its queue, its writer.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Debug;
use std::fs::File;
use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::{mpsc, oneshot};

use super::batch::Files;
use super::disk::Fault;
use super::file::{DayFile, Joint, MAKING};
use super::index::Index;
use super::keys::Content;
use super::reader::Reader;
use super::values;
use super::writer::{Job, Records, Work, Writer};
use super::{CACHE_OLD_BYTES, EmbeddedOptions, NEW_FILES_MAX};
use crate::records::Millis;
use crate::store::{StoreError, Swept};

/// The file that names those of a stream.
pub(super) const LIST: &str = "list";

/// So much of a store is verified when it is opened, the newest days first. The rest would take too long;
/// `rollbook check` verifies all of it, and packed blocks have checksums of their own.
const VERIFIED_BYTES: u64 = 128 << 20;

/// Jobs that may wait for a writer; more is told to the sender.
const QUEUE_JOBS_MAX: usize = 1_024;

/// What a stream is of, and what its writer does with it.
pub(super) trait Streamed: Sized + Debug + 'static {
    /// What is known of the files in memory.
    type Index: Default + Debug + Send + Sync;
    /// One thing of a batch.
    type Item: Debug + Send;
    /// What a sender is told of its batch.
    type Kept: Debug + Send;

    /// What its files hold.
    const CONTENT: Content;
    /// Where they are, below the data directory.
    const FOLDER: &'static str;
    /// Of what waits, one commit takes about so much, by [`Streamed::size`].
    const COMMIT_SIZE_MAX: usize;

    /// How much a batch is.
    fn size(batch: &[Self::Item]) -> usize;

    /// The index of files that were opened.
    fn index(files: &Files) -> Result<Self::Index, StoreError>;

    /// Compares what the files hold with what it was made of.
    fn verify(files: &Files, index: &Self::Index) -> Result<(), StoreError>;

    /// Makes a group of batches durable; what each sender is told, and how many events were new.
    fn commit(
        writer: &Writer<Self>,
        batches: Vec<Vec<Self::Item>>,
    ) -> Result<(Vec<Self::Kept>, u64), StoreError>;

    /// Drops the days that hold nothing since `horizon`.
    fn sweep(writer: &Writer<Self>, horizon: Millis) -> Result<Swept, StoreError>;

    /// Writes the sealed form of a file.
    fn write_sealed(file: &DayFile, path: &Path, fault: &Fault) -> Result<(), StoreError>;
}

/// A stream, open.
#[derive(Debug)]
pub(super) struct Stream<S: Streamed> {
    pub(super) shared: Arc<Shared<S>>,
    jobs: Option<mpsc::Sender<Job<S>>>,
    writer: Option<std::thread::JoinHandle<()>>,
}

/// What questions and the writer share.
#[derive(Debug)]
pub(super) struct Shared<S: Streamed> {
    pub(super) dir: PathBuf,
    pub(super) state: RwLock<State<S>>,
    /// The writer's queue, which this does not keep open.
    jobs: OnceLock<mpsc::WeakSender<Job<S>>>,
    /// The writer is asked to [heal](Job::Heal) already.
    pub(super) healing: AtomicBool,
}

/// The open files, and what is known of them. `None` of files: they are being opened again after an error.
#[derive(Debug)]
pub(super) struct State<S: Streamed> {
    pub(super) files: Option<Files>,
    /// They can be asked and not be written, since the disk cannot.
    pub(super) over_memory: bool,
    pub(super) index: S::Index,
    /// The days whose files have a large cache; the one that was made last is the last.
    pub(super) new: VecDeque<i64>,
    /// The number of the last batch that changed several files.
    pub(super) joint: u64,
}

impl<S: Streamed> Default for State<S> {
    fn default() -> State<S> {
        let (index, new) = (S::Index::default(), VecDeque::new());
        State { files: None, over_memory: false, index, new, joint: 0 }
    }
}

impl<S: Streamed> Shared<S> {
    fn new(data_dir: &Path) -> Shared<S> {
        Shared {
            dir: data_dir.join(S::FOLDER),
            state: RwLock::default(),
            jobs: OnceLock::new(),
            healing: AtomicBool::new(false),
        }
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, State<S>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn with_files<T>(
        &self,
        question: impl FnOnce(&Files, &S::Index) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let state = self.read();
        let Some(files) = &state.files else {
            // Where they could not even be read, nobody else may come who has them tried again.
            self.heal();
            return Err(StoreError::Unavailable("the files are being opened again".to_owned()));
        };
        let answer = unharmed(|| question(files, &state.index));
        if matches!(answer, Err(StoreError::Unavailable(_))) {
            self.heal();
        }
        answer
    }

    /// Has the writer open anew what the engine refuses since an error. Where its queue is full, the next question that fails does.
    fn heal(&self) {
        if self.healing.swap(true, Ordering::Relaxed) {
            return;
        }
        let jobs = self.jobs.get().and_then(mpsc::WeakSender::upgrade);
        if jobs.is_none_or(|jobs| jobs.try_send(Job::Heal).is_err()) {
            self.healing.store(false, Ordering::Relaxed);
        }
    }

    pub(super) fn path(&self, day: i64) -> PathBuf {
        self.dir.join(file_name(day))
    }

    /// Verifies every checksum of so much of the newest files, before anything of them is believed.
    fn verify(&self, most_bytes: u64) -> Result<(), StoreError> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.dir).map_err(|error| refused(&self.dir, &error))? {
            let path = entry.map_err(|error| refused(&self.dir, &error))?.path();
            if path.extension().is_some_and(|extension| extension == "redb") {
                let bytes = path.metadata().map_err(|error| refused(&path, &error))?.len();
                files.push((path, bytes));
            }
        }
        files.sort_unstable();
        let mut left = most_bytes;
        for (path, bytes) in files.iter().rev() {
            let Some(rest) = left.checked_sub(*bytes) else { break };
            left = rest;
            DayFile::verify(path)?;
        }
        Ok(())
    }

    /// Compares the files that there are with those that there should be: a day that is gone would be answered as one on which nothing
    /// happened. One that is not listed was put in place just before a crash.
    fn none_missing(&self, days: &[i64], fault: &Fault) -> Result<(), StoreError> {
        let path = self.dir.join(LIST);
        let listed = match std::fs::read_to_string(&path) {
            Ok(listed) => listed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(refused(&path, &error)),
        };
        let there: Vec<String> = days.iter().map(|&day| file_name(day)).collect();
        if let Some(gone) = listed.lines().find(|name| !there.iter().any(|there| there == name)) {
            return Err(StoreError::Corrupt(format!(
                "{} is missing; put it back, or remove its line from {} to go on without that day",
                self.dir.join(gone).display(),
                path.display()
            )));
        }
        if listed.lines().count() == there.len() || fault.is_over_memory() {
            return Ok(());
        }
        self.list(days.iter().copied(), fault)
    }

    /// Writes down which days' files there are.
    pub(super) fn list(&self, days: impl Iterator<Item = i64>, fault: &Fault) -> Result<(), StoreError> {
        let path = self.dir.join(LIST);
        let making = path.with_extension(MAKING);
        let lines: String = days.map(|day| file_name(day) + "\n").collect();
        let written = File::create(&making).and_then(|mut file| {
            file.write_all(lines.as_bytes())?;
            file.sync_all()
        });
        written
            .and_then(|()| fault.rename(&making, &path))
            .map_err(|error| StoreError::Unavailable(format!("cannot write {}: {error}", path.display())))
    }

    /// Opens one file.
    pub(super) fn open_file(
        &self,
        day: i64,
        cache_bytes: usize,
        fault: &Fault,
    ) -> Result<DayFile, StoreError> {
        DayFile::open(&self.path(day), S::CONTENT, day, cache_bytes, fault)
    }

    /// Opens every file, from nothing.
    pub(super) fn open_files(&self, options: &EmbeddedOptions) -> Result<State<S>, StoreError> {
        let fault = &options.fault;
        // Whoever put a file in its place may not have come to make its name durable.
        fault.sync_names(Some(&self.dir)).map_err(|error| {
            StoreError::Unavailable(format!(
                "cannot make the names in {} durable: {error}",
                self.dir.display()
            ))
        })?;
        let mut days: Vec<i64> = Vec::new();
        let entries = std::fs::read_dir(&self.dir).map_err(|error| refused(&self.dir, &error))?;
        for entry in entries {
            let path = entry.map_err(|error| refused(&self.dir, &error))?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                // What was not finished is of no use: a day's own file is whole, or not there yet.
                Some(MAKING) if fault.is_over_memory() => {}
                Some(MAKING) => std::fs::remove_file(&path).map_err(|error| refused(&path, &error))?,
                Some("redb") => days.push(day_of_file(&path)?),
                _ => {}
            }
        }
        days.sort_unstable();
        self.none_missing(&days, fault)?;
        let mut files = Files::new();
        let new = days.split_off(days.len().saturating_sub(NEW_FILES_MAX));
        let old = days.iter().map(|&day| (day, CACHE_OLD_BYTES));
        for (day, cache) in old.chain(new.iter().map(|&day| (day, options.cache_new_bytes()))) {
            files.insert(day, Arc::new(self.open_file(day, cache, fault)?));
        }
        let joint = finish_joint(&files)?;
        let index = S::index(&files)?;
        let over_memory = fault.is_over_memory();
        Ok(State { files: Some(files), over_memory, index, new: new.into(), joint })
    }
}

impl Shared<Records> {
    pub(super) fn ask<T>(
        &self,
        question: impl FnOnce(Reader<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.with_files(|files, index: &Index| question(Reader { files, index }))
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

/// What `work` gives. The engine gives up by a panic where a file is damaged in a way that it did not expect: that is an error
/// of the file, and no reason to end a thread that others need.
pub(super) fn unharmed<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(StoreError::Corrupt(
            "the engine gave up over a damaged page; `rollbook check` names the file".to_owned(),
        ))
    })
}

pub(super) fn refused(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Refused(format!("cannot use {}: {error}", path.display()))
}

/// `2026-11-22.redb`
pub(super) fn file_name(day: i64) -> String {
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

impl<S: Streamed> Stream<S> {
    /// Opens the files below a data directory, and starts the writer.
    pub(super) fn open(data_dir: &Path, options: EmbeddedOptions) -> Result<Stream<S>, StoreError> {
        let shared = Arc::new(Shared::<S>::new(data_dir));
        let made =
            std::fs::create_dir_all(&shared.dir).and_then(|()| options.fault.sync_names(Some(data_dir)));
        made.map_err(|error| refused(&shared.dir, &error))?;
        shared.verify(VERIFIED_BYTES)?;
        *shared.state.write().unwrap_or_else(PoisonError::into_inner) = shared.open_files(&options)?;
        let (jobs, queue) = mpsc::channel(QUEUE_JOBS_MAX);
        let _ = shared.jobs.set(jobs.downgrade());
        let writer = Writer::new(Arc::clone(&shared), options);
        let writer = std::thread::Builder::new()
            .name(format!("store {}", S::FOLDER))
            .spawn(move || writer.run(queue))
            .map_err(|error| StoreError::Unavailable(format!("cannot start the writer: {error}")))?;
        Ok(Stream { shared, jobs: Some(jobs), writer: Some(writer) })
    }

    /// Queues a batch; the answer comes when it is durable.
    pub(super) fn append(&self, batch: Vec<S::Item>) -> Result<Answer<S::Kept>, StoreError> {
        self.queue(|reply| Job::Append { batch, reply })
    }

    /// Has the writer do something between two commits; waits until the queue has room.
    pub(super) async fn between<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Writer<S>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        let work = Work(Box::new(move |writer: &Writer<S>| {
            let _ = reply.send(writer.recovering(work));
        }));
        jobs.send(Job::Between(work)).await.map_err(|_| gone())?;
        answered(answer).await
    }

    /// The files as they are now. Whoever reads them keeps them open, and nobody from writing.
    pub(super) fn files(&self) -> Result<Files, StoreError> {
        self.shared.with_files(|files, _| Ok(files.clone()))
    }

    /// Drops the days that hold nothing since `horizon`.
    pub(super) async fn sweep(&self, horizon: Millis) -> Result<Swept, StoreError> {
        self.send(|reply| Job::Sweep { horizon, reply }).await
    }

    /// Seals the days before one; how many.
    pub(super) async fn seal(&self, before: i64) -> Result<u64, StoreError> {
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

    async fn send<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job<S>,
    ) -> Result<T, StoreError> {
        answered(self.queue(job)?).await
    }

    fn queue<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job<S>,
    ) -> Result<Answer<T>, StoreError> {
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.try_send(job(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => gone(),
        })?;
        Ok(answer)
    }
}

/// What the writer will say.
pub(super) type Answer<T> = oneshot::Receiver<Result<T, StoreError>>;

/// Waits for the writer.
pub(super) async fn answered<T>(answer: Answer<T>) -> Result<T, StoreError> {
    answer.await.map_err(|_| gone())?
}

fn gone() -> StoreError {
    StoreError::Unavailable("the writer has stopped".to_owned())
}

impl<S: Streamed> Drop for Stream<S> {
    fn drop(&mut self) {
        // Closing the queue ends the writer once it has answered what waits.
        self.jobs = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// Verifies every checksum of every file of a stream, and what is counted in them; its days.
pub(super) fn verify<S: Streamed>(data_dir: &Path) -> Result<BTreeSet<i64>, StoreError> {
    let shared = Shared::<S>::new(data_dir);
    if !shared.dir.exists() {
        return Ok(BTreeSet::new());
    }
    shared.verify(u64::MAX)?;
    let State { files, index, .. } = shared.open_files(&EmbeddedOptions::default())?;
    let files = files.unwrap_or_default();
    S::verify(&files, &index)?;
    Ok(files.into_keys().collect())
}
