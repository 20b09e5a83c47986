//! What a power cut may take: of each file, what was written since its last sync; of a directory, what was renamed and
//! removed since its last sync. Only tests ask for it to be remembered, and then lose it.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a disk writes as a whole, in bytes, or not at all.
const SECTOR_BYTES: u64 = 512;

/// What becomes of one write when the power goes off before a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is on the disk.
    Kept,
    /// It is not.
    Lost,
    /// The n-th of its sectors is where bit n is set, counted again from the first bit behind the last.
    Torn(u64),
}

/// What was not synced.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    /// In the order in which they were first written to.
    files: Mutex<Vec<OfFile>>,
    names: Mutex<Vec<Named>>,
}

/// A file that has another name now, or none.
#[derive(Debug)]
struct Named {
    was: PathBuf,
    is: Option<PathBuf>,
    /// Another name of the file that had the new name, or that was removed.
    gone: Option<PathBuf>,
}

#[derive(Debug)]
struct OfFile {
    inode: u64,
    file: File,
    changes: Vec<Change>,
}

#[derive(Debug)]
struct Change {
    /// How long the file was.
    length: u64,
    offset: u64,
    /// What stood there, as far as the file went.
    before: Vec<u8>,
    /// What was written; `None`: the file was made to end there.
    after: Option<Vec<u8>>,
}

impl Unsynced {
    fn files(&self) -> MutexGuard<'_, Vec<OfFile>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn names(&self) -> MutexGuard<'_, Vec<Named>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file is about to be renamed or removed.
    pub(super) fn name(&self, was: &Path, is: Option<&Path>) -> io::Result<()> {
        let (loser, mut names) = (is.unwrap_or(was), self.names());
        let gone = loser.exists().then(|| loser.with_extension(format!("gone{}", names.len())));
        gone.iter().try_for_each(|gone| std::fs::hard_link(loser, gone))?;
        names.push(Named { was: was.to_owned(), is: is.map(Path::to_owned), gone });
        Ok(())
    }

    /// The names in a directory are on the disk.
    pub(super) fn synced(&self, dir: &Path) -> io::Result<()> {
        let mut names = self.names();
        let (synced, others): (Vec<_>, Vec<_>) =
            names.drain(..).partition(|named| named.was.parent() == Some(dir));
        *names = others;
        synced.iter().try_for_each(Named::forget)
    }

    /// Undoes what was not synced, and does what `fate` says of it once more. Names go in order: what came after one
    /// that is lost is lost too.
    pub(super) fn lose(&self, fate: &mut dyn FnMut() -> Fate) -> io::Result<()> {
        let names = std::mem::take(&mut *self.names());
        let kept = names.iter().take_while(|_| fate() == Fate::Kept).count();
        names.iter().skip(kept).rev().try_for_each(Named::undo)?;
        names.iter().take(kept).try_for_each(Named::forget)?;
        for OfFile { file, changes, .. } in std::mem::take(&mut *self.files()) {
            changes.iter().rev().try_for_each(|change| change.undo(&file))?;
            changes.iter().try_for_each(|change| change.redo(&file, fate()))?;
            file.sync_all()?;
        }
        Ok(())
    }
}

impl Named {
    fn forget(&self) -> io::Result<()> {
        self.gone.iter().try_for_each(std::fs::remove_file)
    }

    fn undo(&self) -> io::Result<()> {
        match &self.is {
            Some(is) => {
                std::fs::rename(is, &self.was)?;
                self.gone.iter().try_for_each(|gone| std::fs::rename(gone, is))
            }
            None => self.gone.iter().try_for_each(|gone| std::fs::rename(gone, &self.was)),
        }
    }
}

impl Change {
    fn undo(&self, file: &File) -> io::Result<()> {
        file.write_all_at(&self.before, self.offset)?;
        file.set_len(self.length)
    }

    fn redo(&self, file: &File, fate: Fate) -> io::Result<()> {
        let sectors = match fate {
            Fate::Kept => u64::MAX,
            Fate::Lost => 0,
            Fate::Torn(sectors) => sectors,
        };
        let Some(after) = &self.after else {
            // A length is a number: it is written or not.
            return if sectors & 1 == 1 { file.set_len(self.offset) } else { Ok(()) };
        };
        let (mut offset, mut rest) = (self.offset, after.as_slice());
        let mut bit = 0;
        while !rest.is_empty() {
            let bytes = usize::try_from(SECTOR_BYTES - offset % SECTOR_BYTES).unwrap_or(rest.len());
            let (sector, behind) = rest.split_at(bytes.min(rest.len()));
            if sectors & (1 << bit) != 0 {
                file.write_all_at(sector, offset)?;
            }
            offset += sector.len() as u64;
            (rest, bit) = (behind, (bit + 1) % u64::BITS);
        }
        Ok(())
    }
}

/// Remembers what is written to one file.
pub(super) struct Recorder {
    all: Arc<Unsynced>,
    file: File,
    inode: u64,
}

impl Recorder {
    pub(super) fn open(path: &Path, all: Arc<Unsynced>) -> io::Result<Recorder> {
        let file = File::options().read(true).write(true).open(path)?;
        let inode = file.metadata()?.ino();
        Ok(Recorder { all, file, inode })
    }

    /// Something is about to be written.
    pub(super) fn write(&self, offset: u64, after: &[u8]) -> io::Result<()> {
        self.remember(offset, after.len() as u64, Some(after.to_vec()))
    }

    /// The file is about to be made this long.
    pub(super) fn set_len(&self, offset: u64) -> io::Result<()> {
        self.remember(offset, u64::MAX, None)
    }

    /// All that was written before is on the disk.
    pub(super) fn synced(&self) {
        self.all.files().retain(|of_file| of_file.inode != self.inode);
    }

    fn remember(&self, offset: u64, bytes: u64, after: Option<Vec<u8>>) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let bytes = length.saturating_sub(offset).min(bytes);
        let mut before = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
        self.file.read_exact_at(&mut before, offset)?;
        let change = Change { length, offset, before, after };
        let mut files = self.all.files();
        match files.iter_mut().find(|of_file| of_file.inode == self.inode) {
            Some(of_file) => of_file.changes.push(change),
            None => {
                let file = self.file.try_clone()?;
                files.push(OfFile { inode: self.inode, file, changes: vec![change] });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `old`, syncs, writes each of `written`, loses by `fate`; what is in the file then.
    fn left(old: &[u8], written: &[(u64, &[u8])], length: Option<u64>, fate: Fate) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, old).unwrap();
        let all = Arc::new(Unsynced::default());
        let recorder = Recorder::open(&path, Arc::clone(&all)).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        for (offset, bytes) in written {
            recorder.write(*offset, bytes).unwrap();
            file.write_all_at(bytes, *offset).unwrap();
        }
        if let Some(length) = length {
            recorder.set_len(length).unwrap();
            file.set_len(length).unwrap();
        }
        all.lose(&mut || fate).unwrap();
        all.lose(&mut || Fate::Kept).unwrap();
        std::fs::read(&path).unwrap()
    }

    #[test]
    fn what_is_not_synced_is_kept_or_lost_or_torn() {
        assert_eq!(left(b"abc", &[(1, b"X"), (2, b"YZ")], None, Fate::Kept), b"aXYZ");
        assert_eq!(left(b"abc", &[(1, b"X"), (2, b"YZ")], None, Fate::Lost), b"abc");
        assert_eq!(left(b"abc", &[(1, b"X")], Some(2), Fate::Kept), b"aX");
        assert_eq!(left(b"abc", &[(1, b"X")], Some(2), Fate::Lost), b"abc");
        let torn = left(&[0; 1_500], &[(500, &[1; 1_000])], None, Fate::Torn(0b101));
        let expected = [vec![0; 500], vec![1; 12], vec![0; 512], vec![1; 476]].concat();
        assert_eq!(torn, expected);
    }

    #[test]
    fn names_come_back_unless_their_directory_is_synced() {
        let dir = tempfile::tempdir().unwrap();
        let [new, old] = ["new", "old"].map(|name| dir.path().join(name));
        let all = Unsynced::default();
        let replace = || {
            std::fs::write(&old, b"old").unwrap();
            std::fs::write(&new, b"new").unwrap();
            all.name(&new, Some(&old)).unwrap();
            std::fs::rename(&new, &old).unwrap();
            all.name(&old, None).unwrap();
            std::fs::remove_file(&old).unwrap();
        };
        replace();
        all.lose(&mut || Fate::Lost).unwrap();
        assert_eq!([&new, &old].map(|path| std::fs::read(path).unwrap()), [b"new", b"old"]);
        replace();
        let mut fates = [Fate::Kept, Fate::Lost].into_iter();
        all.lose(&mut || fates.next().unwrap()).unwrap();
        assert_eq!((new.exists(), std::fs::read(&old).unwrap().as_slice()), (false, &b"new"[..]));
        replace();
        all.synced(dir.path()).unwrap();
        all.lose(&mut || Fate::Lost).unwrap();
        assert!(!new.exists() && !old.exists());
    }

    #[test]
    fn what_is_synced_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, b"abc").unwrap();
        let all = Arc::new(Unsynced::default());
        let [one, other] = [(); 2].map(|()| Recorder::open(&path, Arc::clone(&all)).unwrap());
        one.write(0, b"X").unwrap();
        std::fs::write(&path, b"Xbc").unwrap();
        other.synced();
        all.lose(&mut || Fate::Lost).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"Xbc");
    }
}
