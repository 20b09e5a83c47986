//! A file that cannot be written, opened all the same: what opening it would write stays in memory. So questions are
//! answered while the disk is full or broken.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{DatabaseError, StorageBackend};

/// What is kept in one piece.
const PAGE_BYTES: usize = 4_096;

/// A file, and what was written over it. It takes no locks: whoever has the data directory has its files.
#[derive(Debug)]
pub(super) struct Overlay {
    file: File,
    over: Mutex<Over>,
}

#[derive(Debug)]
struct Over {
    len: u64,
    /// Where the file's own bytes end.
    own_len: u64,
    /// By their places in the file.
    pages: BTreeMap<u64, Box<[u8; PAGE_BYTES]>>,
}

impl Overlay {
    pub(super) fn open(path: &Path) -> Result<Overlay, DatabaseError> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok(Overlay { file, over: Mutex::new(Over { len, own_len: len, pages: BTreeMap::new() }) })
    }

    fn over(&self) -> MutexGuard<'_, Over> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file's own bytes, and zeros behind them.
    fn read_own(&self, own_len: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let own = usize::try_from(own_len.saturating_sub(offset)).unwrap_or(usize::MAX).min(out.len());
        let (own, behind) = out.split_at_mut(own);
        behind.fill(0);
        self.file.read_exact_at(own, offset)
    }
}

/// The pages that a range touches: where each begins, which part of it, and which part of the range.
fn parts(
    offset: u64,
    len: usize,
) -> impl Iterator<Item = (u64, std::ops::Range<usize>, std::ops::Range<usize>)> {
    let page_bytes = PAGE_BYTES as u64;
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset + done as u64;
        let inside = usize::try_from(at % page_bytes).unwrap_or(0);
        let count = (PAGE_BYTES - inside).min(len - done);
        let part = (at - inside as u64, inside..inside + count, done..done + count);
        done += count;
        Some(part)
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.over().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let over = self.over();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > over.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read_own(over.own_len, offset, out)?;
        for (at, inside, of_range) in parts(offset, out.len()) {
            if let Some(page) = over.pages.get(&at) {
                out[of_range].copy_from_slice(&page[inside]);
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut over = self.over();
        over.len = len;
        over.own_len = over.own_len.min(len);
        over.pages.retain(|at, _| *at < len);
        // What lies behind the end is zeros, should the file grow again.
        if let Some((at, page)) = over.pages.iter_mut().next_back() {
            page.iter_mut().skip(usize::try_from(len - at).unwrap_or(PAGE_BYTES)).for_each(|byte| *byte = 0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut over = self.over();
        for (at, inside, of_range) in parts(offset, data.len()) {
            if !over.pages.contains_key(&at) {
                let mut page = Box::new([0; PAGE_BYTES]);
                self.read_own(over.own_len, at, page.as_mut_slice())?;
                over.pages.insert(at, page);
            }
            if let Some(page) = over.pages.get_mut(&at) {
                page[inside].copy_from_slice(&data[of_range]);
            }
        }
        over.len = over.len.max(offset + data.len() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Write(u16, Vec<u8>),
        Length(u16),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0_u16..20_000, prop::collection::vec(any::<u8>(), 1..9_000)).prop_map(|(at, data)| Step::Write(at, data)),
            1 => (0_u16..24_000).prop_map(Step::Length),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read_and_the_file_stays_as_it_is(own in prop::collection::vec(any::<u8>(), 0..12_000), steps in prop::collection::vec(step(), 0..12)) {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &own).unwrap();
            let overlay = Overlay::open(file.path()).unwrap();
            let mut model = own.clone();
            for step in steps {
                match step {
                    Step::Write(at, data) => {
                        let at = usize::from(at);
                        model.resize(model.len().max(at + data.len()), 0);
                        model[at..at + data.len()].copy_from_slice(&data);
                        overlay.write(at as u64, &data).unwrap();
                    }
                    Step::Length(len) => {
                        model.resize(usize::from(len), 0);
                        overlay.set_len(u64::from(len)).unwrap();
                    }
                }
            }
            prop_assert_eq!(overlay.len().unwrap(), model.len() as u64);
            let mut read = vec![1; model.len()];
            overlay.read(0, &mut read).unwrap();
            prop_assert_eq!(read, model);
            prop_assert!(overlay.read(overlay.len().unwrap(), &mut [0]).is_err());
            prop_assert_eq!(std::fs::read(file.path()).unwrap(), own);
        }
    }
}
