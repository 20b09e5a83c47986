//! The file below the engine, with a seam: a fault can be ordered, as a full or broken disk would make it.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};

/// Makes writes and syncs fail while it is ordered. Only tests order it.
#[derive(Debug, Clone)]
pub struct Fault(Arc<AtomicU64>);

/// Nothing fails.
const WHOLE: u64 = u64::MAX;
/// Everything fails. Below it: so many succeed, then one fails.
const BROKEN: u64 = u64::MAX - 1;

impl Default for Fault {
    fn default() -> Fault {
        Fault(Arc::new(AtomicU64::new(WHOLE)))
    }
}

impl Fault {
    /// From now on the disk is broken, or whole again.
    pub fn set(&self, is_broken: bool) {
        self.0.store(if is_broken { BROKEN } else { WHOLE }, Ordering::SeqCst);
    }

    /// So many writes and syncs succeed, the next one fails, and then the disk is whole again.
    pub fn fail_once_after(&self, count: u32) {
        self.0.store(u64::from(count), Ordering::SeqCst);
    }

    fn check(&self) -> io::Result<()> {
        let fails = match self.0.load(Ordering::Relaxed) {
            WHOLE => false,
            BROKEN => true,
            0 => {
                self.set(false);
                true
            }
            left => {
                self.0.store(left - 1, Ordering::SeqCst);
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
}

impl Disk {
    pub(super) fn open(path: &Path, fault: Fault) -> Result<Disk, DatabaseError> {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        Ok(Disk { file: FileBackend::new(file)?, fault })
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
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.fault.check()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.fault.check()?;
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
