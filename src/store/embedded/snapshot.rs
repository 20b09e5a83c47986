//! All files as they are between two commits, to be copied while the writers go on.
//!
//! What is copied are rows, not bytes: a copy is whole whatever happens to the file meanwhile, and holds nothing that is
//! no longer said. The digest of a file's rows tells whether a copy made before is still right.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::Embedded;
use super::disk::Fault;
use super::file::{DayFile, Moment};
use super::samples::Samples;
use super::stream::{LIST, Stream, Streamed, file_name};
use super::writer::Records;
use crate::store::{StoreError, erased, hex};

/// Where a copy is put together, in the data directory.
pub(super) const MAKING: &str = "backup.making";

/// A moment of a store. While it is there, its files cannot be opened again after an error of the disk.
pub struct Snapshot {
    dir: PathBuf,
    parts: Vec<Part>,
    fault: Fault,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("dir", &self.dir).field("parts", &self.parts.len()).finish()
    }
}

/// One file at that moment.
struct Part {
    name: String,
    file: Arc<DayFile>,
    moment: Moment,
}

/// What is told of each file.
#[derive(Debug, Clone, Copy)]
pub struct Copied<'a> {
    /// Its path in the data directory, like `days/2026-11-20.redb`.
    pub name: &'a str,
    /// Of what it says, in hexadecimal digits.
    pub content: &'a str,
    /// A whole copy, which is gone afterwards; `None` where what it says was known.
    pub copy: Option<&'a Path>,
}

impl Embedded {
    /// The store as it is now: of events, and of measurements, everything that was acknowledged.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let mut files = parts(&self.records).await?;
        files.extend(parts(&self.samples).await?);
        Ok(Snapshot { dir: self.dir.clone(), parts: files, fault: Fault::default() })
    }
}

/// The files of a stream between two commits.
async fn parts<S: Streamed>(stream: &Stream<S>) -> Result<Vec<Part>, StoreError> {
    stream
        .between(|writer| {
            writer.shared.with_files(|files, _| {
                let part = |file: &Arc<DayFile>| {
                    let name = format!("{}/{}", S::FOLDER, file_name(file.day));
                    Ok(Part { name, file: Arc::clone(file), moment: file.moment()? })
                };
                files.values().map(part).collect()
            })
        })
        .await
}

impl Snapshot {
    /// The directories that its files are in.
    pub const FOLDERS: [&'static str; 2] = [<Records as Streamed>::FOLDER, <Samples as Streamed>::FOLDER];
    /// The file in each of them that names the others, a line each: one that is named and not there is missed when the
    /// store is opened.
    pub const LIST: &'static str = LIST;

    /// Gives a copy of each file whose content `is_known` does not know, one after the other; the bytes of the
    /// oldest first.
    ///
    /// # Errors
    /// Where a file cannot be read or copied, and those of `sink`.
    pub fn each(
        self,
        is_known: &dyn Fn(&str, &str) -> bool,
        sink: &mut dyn FnMut(Copied<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let making = self.dir.join(MAKING);
        for Part { name, file, moment } in self.parts {
            let view = file.view_at(moment);
            let content = view.digest(&file)?;
            if is_known(&name, &content) {
                sink(Copied { name: &name, content: &content, copy: None })?;
                continue;
            }
            let given = file
                .write_copy(&view, &making, &self.fault)
                .and_then(|()| sink(Copied { name: &name, content: &content, copy: Some(&making) }));
            let removed = std::fs::remove_file(&making);
            given?;
            removed.map_err(|error| {
                StoreError::Unavailable(format!("cannot remove {}: {error}", making.display()))
            })?;
        }
        // The list is short and is told in full each time.
        let erased = self.dir.join(erased::FILE_NAME);
        match std::fs::read(&erased) {
            Ok(bytes) => {
                let content = hex(&Sha256::digest(&bytes));
                let copy = (!is_known(erased::FILE_NAME, &content)).then_some(erased.as_path());
                sink(Copied { name: erased::FILE_NAME, content: &content, copy })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(StoreError::Unavailable(format!("cannot read {}: {error}", erased.display()))),
        }
    }
}
