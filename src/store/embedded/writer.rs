//! The one thread that writes a stream: what arrived while the last commit ran goes into the next one, and each sender is
//! answered once its part is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::batch::{ChangesByDay, Files};
use super::disk::Fault;
use super::file::{Changes, DayFile, Joint, MAKING, pack_rows, put_in_place};
use super::index::{Delta, Index};
use super::keys::{Content, Key, Table};
use super::parts::{self, Folded};
use super::stream::{Shared, State, Streamed, unharmed};
use super::{CACHE_OLD_BYTES, EmbeddedOptions, NEW_FILES_MAX, figures, values};
use crate::records::{Event, Millis};
use crate::store::{Appended, StoreError, Swept};

/// Free space that must remain: the engine's files are sparse, so running out strikes in the middle of a commit.
const FREE_BYTES_MIN: u64 = 64 << 20;

/// The file that is written to see whether the disk can be written again; the next start removes one that is left.
const PROBE: &str = "probe.making";

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// Batches that are committed together, with their senders.
type Group<S> = Vec<(Vec<<S as Streamed>::Item>, Reply<<S as Streamed>::Kept>)>;

/// Something for the writer to do.
#[derive(Debug)]
pub(super) enum Job<S: Streamed> {
    /// Keep a batch.
    Append { batch: Vec<S::Item>, reply: Reply<S::Kept> },
    /// Drop what has no evidence since a moment.
    Sweep { horizon: Millis, reply: Reply<Swept> },
    /// Pack a day.
    Seal { day: i64, reply: Reply<bool> },
    /// Open anew the files that the engine refuses since an error that a question has met.
    Heal,
    /// Something else that needs nobody to write meanwhile.
    Between(Work<S>),
}

/// What is done between two commits.
pub(super) struct Work<S: Streamed>(pub(super) Box<Deed<S>>);

type Deed<S> = dyn FnOnce(&Writer<S>) + Send;

impl<S: Streamed> std::fmt::Debug for Work<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work").finish_non_exhaustive()
    }
}

pub(super) struct Writer<S: Streamed> {
    pub(super) shared: Arc<Shared<S>>,
    options: EmbeddedOptions,
    /// How many may fold one batch.
    threads: usize,
}

impl<S: Streamed> Writer<S> {
    pub(super) fn new(shared: Arc<Shared<S>>, options: EmbeddedOptions) -> Writer<S> {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        Writer { shared, options, threads }
    }

    /// Works until every sender is gone.
    pub(super) fn run(self, mut queue: mpsc::Receiver<Job<S>>) {
        let mut next = None;
        while let Some(job) = next.take().or_else(|| queue.blocking_recv()) {
            match job {
                Job::Append { batch, reply } => {
                    // A single sender's batch is never split.
                    let mut waiting = S::size(&batch);
                    let mut group = vec![(batch, reply)];
                    while waiting < S::COMMIT_SIZE_MAX {
                        match queue.try_recv() {
                            Ok(Job::Append { batch, reply }) => {
                                waiting += S::size(&batch);
                                group.push((batch, reply));
                            }
                            Ok(other) => {
                                next = Some(other);
                                break;
                            }
                            Err(_) => break,
                        }
                    }
                    self.append(group);
                }
                Job::Sweep { horizon, reply } => {
                    let swept = self.recovering(|writer| S::sweep(writer, horizon));
                    let _ = reply.send(swept);
                }
                Job::Seal { day, reply } => {
                    let sealed = self.recovering(|writer| writer.seal(day));
                    let _ = reply.send(sealed);
                }
                Job::Heal => self.heal(),
                Job::Between(Work(work)) => work(&self),
            }
        }
    }

    fn append(&self, group: Group<S>) {
        let (batches, replies): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        match self.recovering(|writer| writer.commit(batches)) {
            Ok(kept) => {
                for (reply, kept) in replies.into_iter().zip(kept) {
                    // A sender that has gone away misses nothing but the answer.
                    let _ = reply.send(Ok(kept));
                }
            }
            Err(error) => {
                for reply in replies {
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }

    /// After an error the engine refuses everything until its files are opened again, and what is in memory may
    /// be ahead of them: both are begun anew.
    pub(super) fn recovering<T>(
        &self,
        work: impl FnOnce(&Writer<S>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.has_room()?;
        let is_closed = {
            let state = self.shared.read();
            state.files.is_none() || state.over_memory
        };
        if is_closed {
            // Questions are answered meanwhile, so nothing is closed before it is known to be worth it.
            self.options.fault.probe(&self.shared.dir.join(PROBE)).map_err(|error| {
                StoreError::Unavailable(format!("{} cannot be written: {error}", self.shared.dir.display()))
            })?;
            self.reopen()?;
        }
        let outcome = unharmed(|| work(self));
        if matches!(outcome, Err(StoreError::Unavailable(_) | StoreError::Corrupt(_))) {
            let _ = self.reopen();
        }
        outcome
    }

    /// Opens all files anew. Where the disk cannot be written they can only be asked from then on, until the next
    /// thing to do finds that it can.
    fn reopen(&self) -> Result<(), StoreError> {
        let set = |state| *self.shared.state.write().unwrap_or_else(PoisonError::into_inner) = state;
        // This closes them, and gives up their locks.
        set(State::default());
        let fault = &self.options.fault;
        match self.shared.open_files(&self.options) {
            Ok(opened) => {
                set(opened);
                Ok(())
            }
            Err(error) => {
                let over_memory = EmbeddedOptions { fault: fault.over_memory(), ..self.options.clone() };
                if !fault.is_off()
                    && let Ok(opened) = self.shared.open_files(&over_memory)
                {
                    set(opened);
                }
                Err(error)
            }
        }
    }

    /// Opens anew the files that the engine refuses; all others, and what is in memory, are as good as before. Where
    /// none could be opened, all of them.
    fn heal(&self) {
        if !self.open_refused() {
            let _ = self.reopen();
        }
        self.shared.healing.store(false, Ordering::Relaxed);
    }

    /// Opens anew the files that the engine refuses; whether all are open then.
    fn open_refused(&self) -> bool {
        let mut state = self.shared.state.write().unwrap_or_else(PoisonError::into_inner);
        let Some(files) = &state.files else { return false };
        let refused: Vec<i64> =
            files.iter().filter(|(_, file)| file.is_refused()).map(|(&day, _)| day).collect();
        let fault = self.options.fault.clone();
        let fault = if state.over_memory { fault.over_memory() } else { fault };
        let outcome = refused.into_iter().try_for_each(|day| {
            let is_new = state.new.contains(&day);
            let cache = if is_new { self.options.cache_new_bytes() } else { CACHE_OLD_BYTES };
            self.open_anew(&mut state, day, cache, &fault)
        });
        outcome.is_ok()
    }

    /// Opens a day's file anew. Where that fails, none is open: without a day, questions about it would be answered as if
    /// nothing had happened then.
    fn open_anew(
        &self,
        state: &mut State<S>,
        day: i64,
        cache_bytes: usize,
        fault: &Fault,
    ) -> Result<(), StoreError> {
        let Some(files) = &mut state.files else { return Ok(()) };
        // Closed first, since it holds its lock.
        drop(files.remove(&day));
        match self.shared.open_file(day, cache_bytes, fault) {
            Ok(file) => {
                files.insert(day, Arc::new(file));
                Ok(())
            }
            Err(error) => {
                *state = State::default();
                Err(error)
            }
        }
    }

    fn has_room(&self) -> Result<(), StoreError> {
        let stat = rustix::fs::statvfs(&self.shared.dir)
            .map_err(|error| StoreError::Refused(format!("cannot ask for free space: {error}")))?;
        if stat.f_bavail.saturating_mul(stat.f_frsize) < FREE_BYTES_MIN {
            return Err(StoreError::Refused(format!(
                "less than {} MiB are free below {}",
                FREE_BYTES_MIN >> 20,
                self.shared.dir.display()
            )));
        }
        Ok(())
    }

    /// Makes a group of batches durable; what each sender is told.
    fn commit(&self, batches: Vec<Vec<S::Item>>) -> Result<Vec<S::Kept>, StoreError> {
        self.settle()?;
        let started = self.options.monotonic.map(|clock| clock());
        let (kept, new) = S::commit(self, batches)?;
        if let (Some(on_commit), Some(clock), Some(started)) =
            (&self.options.on_commit, self.options.monotonic, started)
        {
            on_commit(clock().saturating_sub(started), new);
        }
        Ok(kept)
    }

    /// The file of a day, made if it is the first of its day.
    pub(super) fn file(&self, day: i64) -> Result<Arc<DayFile>, StoreError> {
        if let Some(file) = self.shared.read().files.as_ref().and_then(|files| files.get(&day)) {
            return Ok(Arc::clone(file));
        }
        let path = self.shared.path(day);
        if !path.exists() {
            DayFile::make(&path, S::CONTENT, self.shared.read().joint, &self.options.fault)?;
            let mut days = self.days();
            days.insert(day);
            self.shared.list(days.into_iter(), &self.options.fault)?;
        }
        let cache = self.options.cache_new_bytes();
        let file = Arc::new(self.shared.open_file(day, cache, &self.options.fault)?);
        let mut state = self.shared.state.write().unwrap_or_else(PoisonError::into_inner);
        state.files.get_or_insert_default().insert(day, Arc::clone(&file));
        state.new.push_back(day);
        Ok(file)
    }

    /// The days that there are files of.
    fn days(&self) -> BTreeSet<i64> {
        self.shared.read().files.iter().flat_map(Files::keys).copied().collect()
    }

    /// Gives files a small cache that were new before others were made, unless somebody holds one of them: the engine opens
    /// a file only once.
    fn settle(&self) -> Result<(), StoreError> {
        if self.shared.read().new.len() <= NEW_FILES_MAX {
            return Ok(());
        }
        let mut state = self.shared.state.write().unwrap_or_else(PoisonError::into_inner);
        while state.new.len() > NEW_FILES_MAX {
            let Some(day) = state.new.pop_front() else { break };
            let file = state.files.as_ref().and_then(|files| files.get(&day));
            let Some(file) = file.filter(|file| !file.sealed) else { continue };
            if Arc::strong_count(file) > 1 {
                // Whoever copies or exports it has it open; the next batch tries again.
                state.new.push_front(day);
                break;
            }
            self.open_anew(&mut state, day, CACHE_OLD_BYTES, &self.options.fault)?;
        }
        Ok(())
    }

    /// The files of the days before one.
    pub(super) fn files_before(&self, day: i64) -> Vec<Arc<DayFile>> {
        let state = self.shared.read();
        state.files.iter().flat_map(Files::values).filter(|file| file.day < day).cloned().collect()
    }

    /// Removes a day's file, after `forget` has forgotten it.
    pub(super) fn drop_file(
        &self,
        file: &DayFile,
        forget: impl FnOnce(&mut S::Index),
    ) -> Result<(), StoreError> {
        let mut state = self.shared.state.write().unwrap_or_else(PoisonError::into_inner);
        forget(&mut state.index);
        state.files.get_or_insert_default().remove(&file.day);
        drop(state);
        self.shared.list(self.days().into_iter(), &self.options.fault)?;
        let path = &file.path;
        self.options
            .fault
            .remove(path)
            .map_err(|error| StoreError::Unavailable(format!("cannot remove {}: {error}", path.display())))
    }

    /// Replaces a day's file by its sealed form.
    fn seal(&self, day: i64) -> Result<bool, StoreError> {
        let open = self.shared.read().files.as_ref().and_then(|files| files.get(&day)).cloned();
        let Some(open) = open.filter(|file| !file.sealed) else { return Ok(false) };
        self.replace(&open, CACHE_OLD_BYTES, |path, fault| S::write_sealed(&open, path, fault))?;
        Ok(true)
    }

    /// Replaces a day's file by one of the same form that holds what it says and nothing else: no free page. Whether
    /// there is a file.
    pub(super) fn rewrite(&self, day: i64) -> Result<bool, StoreError> {
        let file = self.shared.read().files.as_ref().and_then(|files| files.get(&day)).cloned();
        let Some(file) = file else { return Ok(false) };
        if file.sealed {
            self.replace(&file, CACHE_OLD_BYTES, |path, fault| S::write_sealed(&file, path, fault))?;
        } else {
            let cache_bytes = self.options.cache_new_bytes();
            self.replace(&file, cache_bytes, |path, fault| file.write_copy(&file.view()?, path, fault))?;
        }
        Ok(true)
    }

    /// Puts another file in the place of a day's.
    fn replace(
        &self,
        old: &DayFile,
        cache_bytes: usize,
        write: impl FnOnce(&Path, &Fault) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let fault = &self.options.fault;
        let made = old.path.with_extension(MAKING);
        write(&made, fault)?;
        put_in_place(&made, &old.path, fault)?;
        let new = Arc::new(DayFile::open(&old.path, S::CONTENT, old.day, cache_bytes, fault)?);
        let mut state = self.shared.state.write().unwrap_or_else(PoisonError::into_inner);
        state.files.get_or_insert_default().insert(old.day, new);
        Ok(())
    }
}

/// The stream of calls and events.
#[derive(Debug)]
pub(super) struct Records;

impl Streamed for Records {
    type Index = Index;
    type Item = Event;
    type Kept = Appended;

    const CONTENT: Content = Content::Records;
    const FOLDER: &'static str = "days";
    const COMMIT_SIZE_MAX: usize = 4_000;

    fn size(batch: &[Event]) -> usize {
        batch.len()
    }

    fn index(files: &Files) -> Result<Index, StoreError> {
        let mut index = Index::default();
        files.values().rev().try_for_each(|file| index.read(file))?;
        Ok(index)
    }

    fn verify(files: &Files, index: &Index) -> Result<(), StoreError> {
        figures::verify(files, index)
    }

    /// Folds a group of batches in and makes them durable, all in one commit a file.
    fn commit(
        writer: &Writer<Records>,
        batches: Vec<Vec<Event>>,
    ) -> Result<(Vec<Appended>, u64), StoreError> {
        let Folded { appended, changes, deltas } =
            writer.shared.with_files(|files, index| parts::fold(files, index, batches, writer.threads))?;
        writer.keep(&changes, deltas)?;
        let new = appended.iter().map(|part| part.new).sum();
        Ok((appended, new))
    }

    /// Drops the days that hold nothing with evidence since `horizon`.
    fn sweep(writer: &Writer<Records>, horizon: Millis) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        for file in writer.files_before(horizon.day()) {
            let (all_old, running) = writer.all_before(&file, horizon)?;
            if !all_old || writer.shared.read().index.tells_of_earlier_calls(file.day) {
                continue;
            }
            let mut calls = 0;
            // The smallest of the tables that have a row for each call.
            file.view()?.scan(Table::Apps, &[], None, false, &mut |_, _| {
                calls += 1;
                ControlFlow::Continue(())
            })?;
            writer.say_swept(file.day)?;
            writer.drop_file(&file, |index| index.forget_day(file.day, running))?;
            swept.calls += calls;
        }
        Ok(swept)
    }

    fn write_sealed(file: &DayFile, path: &Path, fault: &Fault) -> Result<(), StoreError> {
        file.write_sealed(path, fault, |view, tx| pack_rows(file.day, view, tx))
    }
}

impl Writer<Records> {
    /// Makes what a batch changes durable, and then known in the index.
    pub(super) fn keep(&self, changes: &ChangesByDay, deltas: Vec<Delta>) -> Result<(), StoreError> {
        self.make_durable(changes)?;
        let mut state = self.shared.state.write().unwrap_or_else(PoisonError::into_inner);
        deltas.into_iter().for_each(|delta| state.index.apply(delta));
        Ok(())
    }

    /// One commit a file. Of a batch that changes several files, the first commit holds also what it changes in
    /// the others, so that opening the files after a crash in between finishes it ([`finish_joint`](super::stream::finish_joint)).
    fn make_durable(&self, changes: &ChangesByDay) -> Result<(), StoreError> {
        let touched = || changes.iter().filter(|(_, changes)| !changes.is_empty());
        // The file with the most changes is the first, so that little is written twice.
        let Some((&first, most)) = touched().max_by_key(|(_, changes)| changes.len()) else { return Ok(()) };
        let others: BTreeMap<i64, &Changes> =
            touched().filter(|(day, _)| **day != first).map(|(&day, changes)| (day, changes)).collect();
        if others.is_empty() {
            return self.file(first)?.commit(most, None);
        }
        // Each is there before it is named: one that is not there later was dropped since.
        let files: Vec<Arc<DayFile>> = others.keys().map(|&day| self.file(day)).collect::<Result<_, _>>()?;
        let number = self.shared.read().joint + 1;
        let beside = values::encode_changes(&others)?;
        self.file(first)?.commit(most, Some(Joint { number, beside: Some(&beside) }))?;
        for (file, changes) in files.iter().zip(others.into_values()) {
            file.commit(changes, Some(Joint { number, beside: None }))?;
        }
        self.shared.state.write().unwrap_or_else(PoisonError::into_inner).joint = number;
        Ok(())
    }

    /// Keeps which days' figures will be missing entries once a file is gone.
    fn say_swept(&self, gone: i64) -> Result<(), StoreError> {
        let others = self.shared.read().index.sums.shared_with(gone);
        for (other, start_s) in others {
            let swept_s = self.shared.read().index.swept_s.max(Some(start_s));
            self.file(other)?.commit_swept(swept_s.unwrap_or(start_s))?;
            self.shared.state.write().unwrap_or_else(PoisonError::into_inner).index.swept_s = swept_s;
        }
        Ok(())
    }

    /// Whether no call of a file from before the horizon's day reaches behind the horizon; and how many of its
    /// calls and sessions are open. Only long calls can reach out of their day, and only those that reach the
    /// horizon's are read.
    fn all_before(&self, file: &DayFile, horizon: Millis) -> Result<(bool, (u64, u64)), StoreError> {
        let long: Vec<_> = self.shared.read().index.long_of_day(file.day, horizon.day()).collect();
        let view = file.view()?;
        let (mut all_before, mut running) = (true, (0, 0));
        for at in long {
            if let Some(row) = view.with(Table::Calls, &Key::call(at.no).bytes(), values::decode_call)? {
                all_before &= row.life.last_evidence < horizon;
                let (calls, sessions) = row.running();
                running = (running.0 + calls, running.1 + sessions);
            }
        }
        Ok((all_before, running))
    }
}
