//! The file below the engine, with a seam: a fault can be ordered, as a full or broken disk or a power cut would make
//! it.

use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};

use super::power::{Fate, Recorder, Unsynced};

/// Makes writes, syncs, and changes of names fail while it is ordered. Only tests order it.
#[derive(Debug, Clone)]
pub struct Fault {
    order: Arc<AtomicU64>,
    /// What a power cut may take; remembered only for who means to cut it.
    unsynced: Option<Arc<Unsynced>>,
    /// Nothing is written to the disk: what opening a file writes stays in memory.
    over_memory: bool,
}

/// What is written to see whether the disk can be written again: a page.
const PROBE_BYTES: usize = 4_096;

/// Nothing fails.
const WHOLE: u64 = u64::MAX;
/// Everything fails.
const BROKEN: u64 = u64::MAX - 1;
/// From here on, so many more succeed, and then everything fails. Below it: so many succeed, then one fails.
const THEN_BROKEN: u64 = 1 << 62;

impl Default for Fault {
    fn default() -> Fault {
        Fault { order: Arc::new(AtomicU64::new(WHOLE)), unsynced: None, over_memory: false }
    }
}

impl Fault {
    /// Remembers what is not synced, so that [`power_on`](Fault::power_on) can lose it.
    pub fn with_power_cuts() -> Fault {
        Fault { unsynced: Some(Arc::default()), ..Fault::default() }
    }

    /// From now on the disk is broken, or whole again.
    pub fn set(&self, is_broken: bool) {
        self.order.store(if is_broken { BROKEN } else { WHOLE }, Ordering::SeqCst);
    }

    /// So many writes and syncs succeed, the next one fails, and then the disk is whole again.
    pub fn fail_once_after(&self, count: u32) {
        self.order.store(u64::from(count), Ordering::SeqCst);
    }

    /// So many writes and syncs succeed, and then none does until the power is on again.
    pub fn power_off_after(&self, count: u32) {
        self.order.store(THEN_BROKEN + u64::from(count), Ordering::SeqCst);
    }

    /// The power is on again, after it was off and the store was dropped. What was not synced then is now as `fate`
    /// says of each write, in the order of the writes to each file.
    ///
    /// # Errors
    /// Those of the disk itself.
    pub fn power_on(&self, mut fate: impl FnMut() -> Fate) -> io::Result<()> {
        self.unsynced.iter().try_for_each(|unsynced| unsynced.lose(&mut fate))?;
        self.set(false);
        Ok(())
    }

    /// Gives a file another name, in the place of whichever had it, and makes that durable.
    pub(super) fn rename(&self, was: &Path, is: &Path) -> io::Result<()> {
        self.check()?;
        self.unsynced.iter().try_for_each(|unsynced| unsynced.name(was, Some(is)))?;
        std::fs::rename(was, is)?;
        self.sync_names(is.parent())
    }

    /// Removes a file, and makes that durable.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        self.check()?;
        self.unsynced.iter().try_for_each(|unsynced| unsynced.name(path, None))?;
        std::fs::remove_file(path)?;
        self.sync_names(path.parent())
    }

    /// Makes the names in a directory durable.
    pub(super) fn sync_names(&self, dir: Option<&Path>) -> io::Result<()> {
        let dir = dir.filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if self.over_memory {
            return Ok(());
        }
        self.check()?;
        File::open(dir)?.sync_all()?;
        self.unsynced.iter().try_for_each(|unsynced| unsynced.synced(dir))
    }

    /// The same disk, which is only read: [`Overlay`](super::overlay::Overlay).
    pub(super) fn over_memory(&self) -> Fault {
        Fault { over_memory: true, ..self.clone() }
    }

    /// Whether the disk is only read.
    pub(super) const fn is_over_memory(&self) -> bool {
        self.over_memory
    }

    /// Whether a file of this name can be written and synced; it is removed again.
    pub(super) fn probe(&self, path: &Path) -> io::Result<()> {
        self.check()?;
        let written = File::create(path).and_then(|mut file| {
            file.write_all(&[0; PROBE_BYTES])?;
            file.sync_all()
        });
        // Where it cannot be removed, the next start does it.
        let removed = std::fs::remove_file(path);
        written.and(removed)
    }

    /// Whether nothing will succeed before the power is on again.
    pub(super) fn is_off(&self) -> bool {
        self.unsynced.is_some() && self.order.load(Ordering::Relaxed) == BROKEN
    }

    fn check(&self) -> io::Result<()> {
        let fails = match self.order.load(Ordering::Relaxed) {
            WHOLE => false,
            BROKEN => true,
            0 => {
                self.set(false);
                true
            }
            THEN_BROKEN => {
                self.set(true);
                true
            }
            left => {
                self.order.store(left - 1, Ordering::SeqCst);
                false
            }
        };
        if fails {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the disk was ordered to fail"));
        }
        Ok(())
    }
}

/// A file on disk. Everything goes to the engine's own backend, its locks included.
pub(super) struct Disk {
    file: FileBackend,
    fault: Fault,
    recorder: Option<Recorder>,
}

impl Disk {
    pub(super) fn open(path: &Path, fault: Fault) -> Result<Disk, DatabaseError> {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let recorder = fault.unsynced.clone().map(|all| Recorder::open(path, all)).transpose()?;
        Ok(Disk { file: FileBackend::new(file)?, fault, recorder })
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.fault.check()?;
        self.recorder.iter().try_for_each(|recorder| recorder.set_len(len))?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.fault.check()?;
        self.file.sync_data()?;
        self.recorder.iter().for_each(Recorder::synced);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.fault.check()?;
        self.recorder.iter().try_for_each(|recorder| recorder.write(offset, data))?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
