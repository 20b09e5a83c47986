//! `rollbook backup` and `rollbook restore`.
//!
//! A backup is a directory of files and a list of them, which comes into its place when all of them are there. A file's
//! name ends with the digest of its bytes, so that the files of the list before are whole until then; those whose content
//! has not changed since are not written again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::control::{self, Out, Reply};
use super::settings::{FILE_NAME, Found, Where};
use super::{Surroundings, say};
use crate::clock::Clock;
use crate::config::{self, private};
use crate::store::embedded::{Copied, RESTORING, Snapshot};
use crate::store::{StoreError, hex};

/// Copy the store into a directory, also of a server that runs. Into a directory that holds an earlier backup only what has
/// changed since is written.
#[derive(Debug, clap::Args)]
pub(super) struct BackupArguments {
    /// The directory of the backup; made if it is not there.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    place: Where,
}

/// Make a data directory of a backup.
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArguments {
    /// The directory of the backup.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The data directory to make; there must be none yet, or an empty one.
    #[arg(long, value_name = "NEW")]
    data_dir: PathBuf,
}

/// The list of a backup's files.
const MANIFEST: &str = "manifest.json";
/// What tells that a directory is for a backup; locked while one is written.
const MARK: &str = "backup.lock";
/// The form of the list that is written and read.
const FORM: u32 = 1;
const MAKING: &str = "making";
const PIECE_BYTES: usize = 64 << 10;

/// Contents of files that a backup has, by name.
pub(super) type Known = BTreeMap<String, String>;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    rollbook_backup: u32,
    made_at: String,
    files: Vec<Listed>,
}

/// A file of a backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// Its path in the data directory.
    name: String,
    /// Its path in the backup.
    file: String,
    bytes: u64,
    sha256: String,
    /// A digest of what it says, by which a later backup knows it.
    content: String,
}

pub(super) fn run(arguments: &BackupArguments, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let Found { config, .. } = arguments.place.find(surroundings, Vec::new())?;
    if let config::Store::ClickHouse(_) = &config.store {
        bail!(
            "the records are on ClickHouse: use its BACKUP statement or clickhouse-backup there; `rollbook copy --from \
             clickhouse --to embedded` makes a data directory of them, which can be backed up"
        );
    }
    let mut backup = Backup::open(&arguments.dir)?;
    let known = backup.before.values().map(|listed| (listed.name.clone(), listed.content.clone())).collect();
    control::ask(&config, control::Request::Backup(known), &mut backup).with_context(|| {
        format!("what was in {} before is still there, and no more", arguments.dir.display())
    })?;
    let (files, written) = (backup.files.len(), backup.written);
    say(&format!("backup: {files} files in {}, {written} of them written", arguments.dir.display()));
    Ok(ExitCode::SUCCESS)
}

/// Gives what a moment of the store consists of, and the settings in the data directory.
pub(super) fn perform(
    snapshot: Snapshot,
    data_dir: &Path,
    have: &Known,
    out: &mut dyn Out,
) -> anyhow::Result<()> {
    let mut broken = None;
    let given =
        snapshot.each(&|name, content| have.get(name).is_some_and(|known| known == content), &mut |copied| {
            give(copied, out).map_err(|error| {
                broken = Some(error);
                StoreError::Unavailable("the backup cannot be written".to_owned())
            })
        });
    if let Some(error) = broken {
        return Err(error);
    }
    given?;
    let settings = data_dir.join(FILE_NAME);
    if !settings.exists() {
        return Ok(());
    }
    let bytes = std::fs::read(&settings).with_context(|| format!("cannot read {}", settings.display()))?;
    let content = hex(&Sha256::digest(&bytes));
    let copy = (have.get(FILE_NAME) != Some(&content)).then_some(settings.as_path());
    give(Copied { name: FILE_NAME, content: &content, copy }, out)
}

fn give(copied: Copied<'_>, out: &mut dyn Out) -> anyhow::Result<()> {
    let (name, content) = (copied.name.to_owned(), copied.content.to_owned());
    let Some(copy) = copied.copy else {
        return out.say(Reply::Same { name, content }, &mut std::io::empty());
    };
    let cannot = || format!("cannot read {}", copy.display());
    let mut file = File::open(copy).with_context(cannot)?;
    let bytes = file.metadata().with_context(cannot)?.len();
    out.say(Reply::File { name, content, bytes }, &mut file)
}

/// A backup that is being written.
struct Backup {
    dir: PathBuf,
    /// Held until the process ends.
    _lock: File,
    before: BTreeMap<String, Listed>,
    files: Vec<Listed>,
    written: u64,
}

impl Backup {
    /// Opens a directory that holds a backup, or nothing.
    fn open(dir: &Path) -> anyhow::Result<Backup> {
        let place = || format!("cannot use {}", dir.display());
        if dir.exists() {
            let empty = std::fs::read_dir(dir).with_context(place)?.next().is_none();
            ensure!(empty || dir.join(MARK).exists(), "{} holds something else than a backup", dir.display());
        } else {
            make_dir(dir)?;
        }
        let lock = create(&dir.join(MARK), false)?;
        ensure!(lock.try_lock().is_ok(), "another backup is being written into {}", dir.display());
        let before = if dir.join(MANIFEST).exists() { read_manifest(dir)?.files } else { Vec::new() };
        // What is not there as it was listed is written again.
        let whole = |listed: &Listed| {
            std::fs::metadata(dir.join(&listed.file)).is_ok_and(|found| found.len() == listed.bytes)
        };
        let before = before.into_iter().filter(whole).map(|listed| (listed.name.clone(), listed)).collect();
        Ok(Backup { dir: dir.to_owned(), _lock: lock, before, files: Vec::new(), written: 0 })
    }

    /// Writes a file, and lists it under a name with the digest of its bytes.
    fn write(
        &mut self,
        name: String,
        content: String,
        bytes: u64,
        from: &mut dyn Read,
    ) -> anyhow::Result<()> {
        let making = self.dir.join(&name).with_extension(MAKING);
        if let Some(folder) = making.parent().filter(|folder| !folder.exists()) {
            make_dir(folder)?;
        }
        let (copied, sha256) = copy(from, &making)?;
        ensure!(copied == bytes, "{name} ended after {copied} of {bytes} bytes");
        let file = format!("{name}.{}", &sha256[..16]);
        let path = self.dir.join(&file);
        std::fs::rename(&making, &path).with_context(|| format!("cannot write {}", path.display()))?;
        self.files.push(Listed { name, file, bytes, sha256, content });
        self.written += 1;
        Ok(())
    }

    /// Puts the list in place, then removes what it does not name.
    fn finish(&mut self) -> anyhow::Result<()> {
        let made_at = jiff::Timestamp::from_millisecond(Clock::system().now().0)?.to_string();
        let manifest = Manifest { rollbook_backup: FORM, made_at, files: self.files.clone() };
        let mut text = serde_json::to_string_pretty(&manifest)?;
        text.push('\n');
        for folder in self.folders().filter(|folder| folder.exists()) {
            File::open(&folder)?.sync_all().with_context(|| format!("cannot sync {}", folder.display()))?;
        }
        let making = self.dir.join(MANIFEST).with_extension(MAKING);
        copy(&mut text.as_bytes(), &making)?;
        std::fs::rename(&making, self.dir.join(MANIFEST)).context("cannot put the list in place")?;
        File::open(&self.dir)?.sync_all()?;
        let listed: BTreeSet<PathBuf> = self.files.iter().map(|listed| self.dir.join(&listed.file)).collect();
        let kept = [MANIFEST, MARK].map(|name| self.dir.join(name));
        for folder in self.folders().filter(|folder| folder.exists()) {
            for entry in std::fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_file() && !listed.contains(&path) && !kept.contains(&path) {
                    std::fs::remove_file(&path)
                        .with_context(|| format!("cannot remove {}", path.display()))?;
                }
            }
        }
        Ok(())
    }

    fn folders(&self) -> impl Iterator<Item = PathBuf> {
        Snapshot::FOLDERS.into_iter().chain([""]).map(|folder| self.dir.join(folder))
    }
}

impl Out for Backup {
    fn say(&mut self, reply: Reply, bytes: &mut dyn Read) -> anyhow::Result<()> {
        match reply {
            Reply::File { name, content, bytes: length } => {
                check_name(&name)?;
                self.write(name, content, length, bytes)
            }
            Reply::Same { name, content } => {
                let listed = self.before.get(&name).filter(|listed| listed.content == content);
                self.files.push(listed.context("a file is said to be the same that is not there")?.clone());
                Ok(())
            }
            Reply::Done => self.finish(),
            Reply::Forgotten(_) | Reply::Failed(_) => Ok(()),
        }
    }
}

pub(super) fn restore(arguments: &RestoreArguments) -> anyhow::Result<ExitCode> {
    let RestoreArguments { dir, data_dir } = arguments;
    let manifest = read_manifest(dir)?;
    let is_new = !data_dir.exists();
    if is_new {
        make_dir(data_dir)?;
    } else {
        let empty =
            std::fs::read_dir(data_dir).with_context(|| format!("cannot use {}", data_dir.display()))?.next();
        ensure!(
            empty.is_none(),
            "{} is not empty: a backup is restored into a new data directory",
            data_dir.display()
        );
        private::check_directory(data_dir).context("the data directory")?;
    }
    let restoring = data_dir.join(RESTORING);
    let restored = make_dir(&restoring).and_then(|()| restore_files(dir, &manifest, &restoring));
    if let Err(error) = restored {
        // Nothing is left of what is not whole.
        let _ = std::fs::remove_dir_all(&restoring);
        if is_new {
            let _ = std::fs::remove_dir(data_dir);
        }
        return Err(error);
    }
    for entry in std::fs::read_dir(&restoring)? {
        let from = entry?.path();
        let to = data_dir.join(from.file_name().unwrap_or_default());
        std::fs::rename(&from, &to).with_context(|| format!("cannot put {} in place", to.display()))?;
    }
    File::open(data_dir)?.sync_all()?;
    std::fs::remove_dir(&restoring)?;
    File::open(data_dir)?.sync_all()?;
    say(&format!(
        "restored: {} files of {} in {}",
        manifest.files.len(),
        manifest.made_at,
        data_dir.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Copies every file and compares it with the list.
fn restore_files(dir: &Path, manifest: &Manifest, restoring: &Path) -> anyhow::Result<()> {
    let mut folders = BTreeSet::from([restoring.to_owned()]);
    for listed in &manifest.files {
        check_name(&listed.name)?;
        check_name(&listed.file)?;
        let (from, to) = (dir.join(&listed.file), restoring.join(&listed.name));
        if let Some(folder) = to.parent()
            && folders.insert(folder.to_owned())
        {
            make_dir(folder)?;
        }
        let mut file = File::open(&from).with_context(|| format!("the backup lacks {}", from.display()))?;
        let (bytes, sha256) = copy(&mut file, &to)?;
        ensure!(
            (bytes, &sha256) == (listed.bytes, &listed.sha256),
            "{} is damaged: it has {bytes} bytes with SHA-256 {sha256}, the backup was made with {} bytes and {}",
            from.display(),
            listed.bytes,
            listed.sha256
        );
    }
    // What is listed and not there is missed from the first start on.
    for folder in Snapshot::FOLDERS {
        let name = |listed: &Listed| listed.name.strip_prefix(folder)?.strip_prefix('/').map(str::to_owned);
        let lines: String = manifest.files.iter().filter_map(name).map(|name| name + "\n").collect();
        if !lines.is_empty() {
            copy(&mut lines.as_bytes(), &restoring.join(folder).join(Snapshot::LIST))?;
        }
    }
    folders.iter().try_for_each(|folder| Ok(File::open(folder)?.sync_all()?))
}

fn read_manifest(dir: &Path) -> anyhow::Result<Manifest> {
    let path = dir.join(MANIFEST);
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!("cannot read {}: it is no backup, or the first was never finished", path.display())
    })?;
    let any: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
    let form =
        any["rollbook_backup"].as_u64().with_context(|| format!("{} is not of a backup", path.display()))?;
    ensure!(
        form == u64::from(FORM),
        "{} is of form {form}; this rollbook reads form {FORM}: use the version that wrote it",
        path.display()
    );
    serde_json::from_value(any).with_context(|| format!("{} is damaged", path.display()))
}

/// A name leads to a place below the directory it is joined to.
fn check_name(name: &str) -> anyhow::Result<()> {
    let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    ensure!(inside && !name.is_empty(), "{name:?} is not the name of a file of a backup");
    Ok(())
}

/// Makes a directory that others cannot look into.
fn make_dir(dir: &Path) -> anyhow::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot make {}", dir.display()))
}

fn create(path: &Path, truncate: bool) -> anyhow::Result<File> {
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(truncate)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Copies to a file, durably; how many bytes, and their SHA-256. Pieces of zeros become holes, since the engine's files
/// have many.
fn copy(from: &mut dyn Read, to: &Path) -> anyhow::Result<(u64, String)> {
    let cannot = || format!("cannot write {}", to.display());
    let mut file = create(to, true)?;
    let (mut digest, mut bytes) = (Sha256::new(), 0_u64);
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    loop {
        piece.clear();
        Read::take(&mut *from, PIECE_BYTES as u64)
            .read_to_end(&mut piece)
            .context("cannot read what is copied")?;
        if piece.is_empty() {
            break;
        }
        digest.update(&piece);
        bytes += piece.len() as u64;
        if piece.iter().all(|byte| *byte == 0) {
            file.seek(SeekFrom::Start(bytes)).with_context(cannot)?;
        } else {
            file.write_all(&piece).with_context(cannot)?;
        }
    }
    file.set_len(bytes).and_then(|()| file.sync_all()).with_context(cannot)?;
    Ok((bytes, hex(&digest.finalize())))
}
