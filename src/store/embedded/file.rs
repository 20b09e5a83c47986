//! One day's file: rows by table, read in either form, changed in one durable commit.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{
    Database, Durability, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, TableError,
    WriteTransaction,
};

use sha2::{Digest as _, Sha256};

use super::disk::{Disk, Fault};
use super::keys::{self, BESIDE, Content, Key, META, Table};
use super::overlay::Overlay;
use super::pack::{self, Block, Row};
use super::stream::unharmed;
use super::users;
use crate::records::AppId;
use crate::store::{StoreError, hex};

/// The ending of a file that is not whole yet.
pub(super) const MAKING: &str = "making";

/// The cache while a day is packed: it is written once, in order.
const CACHE_PACKING_BYTES: usize = 8 << 20;

/// From so many changes on, a second thread writes the largest table meanwhile.
const APART_CHANGES_MIN: usize = if cfg!(test) { 4 } else { 4_000 };

/// The changes of one batch to one file: by table and key, a new value or none.
pub(super) type Changes = BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>;

/// One day's file, open.
#[derive(Debug)]
pub(super) struct DayFile {
    pub(super) day: i64,
    pub(super) path: PathBuf,
    pub(super) sealed: bool,
    content: Content,
    /// Whether it was changed since it was written whole, so that what it no longer says may be in its free pages.
    changed: AtomicBool,
    db: Database,
}

/// A file's part in a batch that changes several.
#[derive(Debug, Clone, Copy)]
pub(super) struct Joint<'a> {
    /// The batch's number: higher than that of any before it.
    pub(super) number: u64,
    /// What the batch changes in other files, kept by the one that is committed first.
    pub(super) beside: Option<&'a [u8]>,
}

impl DayFile {
    /// Makes the file of a day, after the joint batch of this number. Under another name until it is whole, so
    /// that a crash leaves no file that cannot be opened.
    pub(super) fn make(path: &Path, content: Content, joint: u64, fault: &Fault) -> Result<(), StoreError> {
        let making = path.with_extension(MAKING);
        let db = engine(&making, CACHE_PACKING_BYTES, fault)?;
        let tx = begin_write(&db)?;
        for table in content.tables() {
            tx.open_table(table.rows()).map_err(failed)?;
        }
        {
            let mut meta = tx.open_table(META).map_err(failed)?;
            meta.insert(content.format(), content.version()).map_err(failed)?;
            meta.insert("joint", joint).map_err(failed)?;
        }
        tx.commit().map_err(failed)?;
        drop(db);
        put_in_place(&making, path, fault)
    }

    /// Opens the file of `day`.
    pub(super) fn open(
        path: &Path,
        content: Content,
        day: i64,
        cache_bytes: usize,
        fault: &Fault,
    ) -> Result<DayFile, StoreError> {
        let db = engine(path, cache_bytes, fault)?;
        let (format, sealed, changed) = {
            let tx = db.begin_read().map_err(failed)?;
            let meta = tx.open_table(META).map_err(|error| cannot_open(path, &error.to_string()))?;
            let get = |name| meta.get(name).map(|value| value.map_or(0, |value| value.value()));
            let is = |name| get(name).map(|value| value == 1).map_err(failed);
            (get(content.format()).map_err(failed)?, is("sealed")?, is("changed")?)
        };
        if format != content.version() {
            return Err(StoreError::Refused(format!(
                "{} was written in format {format}; this rollbook reads format {}: use the version that wrote it, or let it export its events and import them into a new data directory",
                path.display(),
                content.version()
            )));
        }
        let changed = AtomicBool::new(changed || !sealed);
        Ok(DayFile { day, path: path.to_owned(), sealed, content, changed, db })
    }

    /// Whether its rows are in packed blocks. Chunks of measurements stay rows, since they are packed already.
    const fn is_packed(&self) -> bool {
        match self.content {
            Content::Records => self.sealed,
            Content::Samples => false,
        }
    }

    /// Whether the engine refuses it since an error of the disk: from one on it does so until the file is opened anew. Only
    /// the writer may ask, since what is in memory can be read all the same.
    pub(super) fn is_refused(&self) -> bool {
        begin_write(&self.db).is_err()
    }

    /// What the file holds now.
    pub(super) fn view(&self) -> Result<View, StoreError> {
        Ok(self.view_at(self.moment()?))
    }

    /// Keeps what the file holds now, to be looked at later.
    pub(super) fn moment(&self) -> Result<Moment, StoreError> {
        Ok(Moment(self.db.begin_read().map_err(failed)?))
    }

    /// What the file held then.
    pub(super) fn view_at(&self, moment: Moment) -> View {
        let tables = Table::ALL.iter().map(|_| Opened::default()).collect();
        View { tx: moment.0, packed: self.is_packed(), tables }
    }

    /// Whether it was changed since it was written whole.
    pub(super) fn is_changed(&self) -> bool {
        self.changed.load(Ordering::Relaxed)
    }

    /// Keeps that it is changed, where that is not known yet.
    fn say_changed(&self, tx: &WriteTransaction) -> Result<(), StoreError> {
        if !self.changed.swap(true, Ordering::Relaxed) {
            tx.open_table(META).map_err(failed)?.insert("changed", 1).map_err(failed)?;
        }
        Ok(())
    }

    /// Applies changes in one durable commit. Quick repair on every commit: opening after a kill takes
    /// milliseconds, and the kinds of commit are never mixed.
    pub(super) fn commit(&self, changes: &Changes, joint: Option<Joint<'_>>) -> Result<(), StoreError> {
        let tx = begin_write(&self.db)?;
        self.say_changed(&tx)?;
        let mut tables: Vec<Table> = changes.keys().map(|(table, _)| *table).collect();
        tables.dedup();
        let write = |table: Table| {
            let behind = changes.range((table, Vec::new())..);
            let of_table = behind.take_while(|((other, _), _)| *other == table);
            if self.is_packed() { repack(&tx, table, of_table) } else { put(&tx, table, of_table) }
        };
        if changes.len() < APART_CHANGES_MIN {
            tables.into_iter().try_for_each(write)?;
        } else {
            let (largest, others): (Vec<Table>, Vec<Table>) =
                tables.into_iter().partition(|table| *table == Table::Events);
            std::thread::scope(|scope| {
                let apart = scope.spawn(|| largest.into_iter().try_for_each(write));
                let here = others.into_iter().try_for_each(write);
                here.and(apart.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            })?;
        }
        if let Some(joint) = joint {
            tx.open_table(META).map_err(failed)?.insert("joint", joint.number).map_err(failed)?;
            if let Some(beside) = joint.beside {
                let mut kept = tx.open_table(BESIDE).map_err(failed)?;
                kept.retain(|_, _| false).map_err(failed)?;
                kept.insert(joint.number, beside).map_err(failed)?;
            }
        }
        tx.commit().map_err(failed)
    }

    /// Keeps that a day has lost entries with a file that is about to be dropped, and all days before it may have.
    pub(super) fn commit_swept(&self, start_s: i64) -> Result<(), StoreError> {
        let tx = begin_write(&self.db)?;
        tx.open_table(META).map_err(failed)?.insert("swept", start_s.cast_unsigned()).map_err(failed)?;
        tx.commit().map_err(failed)
    }

    /// The last day of UTC+8 that has lost entries with a file that was dropped.
    pub(super) fn swept(&self) -> Result<Option<i64>, StoreError> {
        let tx = self.db.begin_read().map_err(failed)?;
        let meta = tx.open_table(META).map_err(failed)?;
        Ok(meta.get("swept").map_err(failed)?.map(|value| value.value().cast_signed()))
    }

    /// The number of the last joint batch that this file is known to have seen.
    pub(super) fn joint(&self) -> Result<u64, StoreError> {
        let tx = self.db.begin_read().map_err(failed)?;
        let meta = tx.open_table(META).map_err(failed)?;
        Ok(meta.get("joint").map_err(failed)?.map_or(0, |value| value.value()))
    }

    /// The last joint batch that was committed here first: its number, and what it changes in other files.
    pub(super) fn beside(&self) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        let tx = self.db.begin_read().map_err(failed)?;
        let kept = match tx.open_table(BESIDE) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            kept => kept.map_err(failed)?,
        };
        let last = kept.last().map_err(failed)?;
        Ok(last.map(|(number, beside)| (number.value(), beside.value().to_vec())))
    }

    /// Writes the sealed form of this file to `path`, to take its place; `fill` writes its rows.
    pub(super) fn write_sealed(
        &self,
        path: &Path,
        fault: &Fault,
        fill: impl FnOnce(&View, &WriteTransaction) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let _ = std::fs::remove_file(path);
        let sealed = engine(path, CACHE_PACKING_BYTES, fault)?;
        let tx = begin_write(&sealed)?;
        {
            let mut meta = tx.open_table(META).map_err(failed)?;
            meta.insert(self.content.format(), self.content.version()).map_err(failed)?;
            meta.insert("sealed", 1).map_err(failed)?;
            meta.insert("joint", self.joint()?).map_err(failed)?;
            if let Some(start_s) = self.swept()? {
                meta.insert("swept", start_s.cast_unsigned()).map_err(failed)?;
            }
        }
        fill(&self.view()?, &tx)?;
        tx.commit().map_err(failed)
    }

    /// Writes what `view` shows of this file to `path`: all rows in the form that they have, and no free page. A batch
    /// over several files must not be under way, since nothing of one is written.
    pub(super) fn write_copy(&self, view: &View, path: &Path, fault: &Fault) -> Result<(), StoreError> {
        let _ = std::fs::remove_file(path);
        let copy = engine(path, CACHE_PACKING_BYTES, fault)?;
        let tx = begin_write(&copy)?;
        {
            let mut to = tx.open_table(META).map_err(failed)?;
            let from = view.tx.open_table(META).map_err(failed)?;
            for row in from.iter().map_err(failed)? {
                let (name, value) = row.map_err(failed)?;
                if name.value() != "changed" {
                    to.insert(name.value(), value.value()).map_err(failed)?;
                }
            }
        }
        for table in self.content.tables() {
            let Some((from, _)) = view.table(table)? else { continue };
            let form = if view.packed { table.blocks() } else { table.rows() };
            let mut to = tx.open_table(form).map_err(failed)?;
            for row in from.iter().map_err(failed)? {
                let (key, value) = row.map_err(failed)?;
                to.insert(key.value(), value.value()).map_err(failed)?;
            }
        }
        tx.commit().map_err(failed)
    }

    /// Verifies every checksum of a file that nobody has open, and changes nothing.
    pub(super) fn verify(path: &Path) -> Result<(), StoreError> {
        let fault = Fault::default().over_memory();
        let whole = unharmed(|| match engine(path, CACHE_PACKING_BYTES, &fault)?.check_integrity() {
            Ok(true) => Ok(()),
            Ok(false) => Err(cannot_open(path, "its checksums are wrong")),
            Err(error) => Err(cannot_open(path, &error.to_string())),
        });
        // Where the engine has given up, it is not known which file it was at; here it is.
        let is_named = |error: &StoreError| error.to_string().contains(&*path.to_string_lossy());
        whole.map_err(|error| {
            if is_named(&error) { error } else { cannot_open(path, "the engine gave up over a damaged page") }
        })
    }
}

/// Writes the packed blocks of all rows of the file of `day`.
pub(super) fn pack_rows(day: i64, view: &View, tx: &WriteTransaction) -> Result<(), StoreError> {
    for table in Content::Records.tables() {
        let mut out = tx.open_table(table.blocks()).map_err(failed)?;
        let mut rows: Vec<Row> = Vec::new();
        let mut write = |rows: &mut Vec<Row>| -> Result<(), StoreError> {
            for (first, block) in pack::pack(rows)? {
                out.insert(first.as_slice(), block.as_slice()).map_err(failed)?;
            }
            rows.clear();
            Ok(())
        };
        let mut outcome = Ok(());
        if table == Table::Users && !view.packed {
            users::each_part((view, day), &mut |keys| {
                rows.extend(keys.into_iter().map(|key| (key, Vec::new())));
                write(&mut rows)
            })?;
        }
        view.scan(table, &[], None, false, &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            // In slices, so that memory stays bounded.
            if rows.len() >= 50_000 {
                outcome = write(&mut rows);
            }
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        outcome?;
        write(&mut rows)?;
    }
    Ok(())
}

/// A new name in a directory is durable once the directory is.
pub(super) fn put_in_place(made: &Path, path: &Path, fault: &Fault) -> Result<(), StoreError> {
    fault
        .rename(made, path)
        .map_err(|error| StoreError::Unavailable(format!("cannot put {} in place: {error}", path.display())))
}

fn engine(path: &Path, cache_bytes: usize, fault: &Fault) -> Result<Database, StoreError> {
    let failed = |error: redb::DatabaseError| cannot_open(path, &error.to_string());
    let mut builder = Database::builder();
    builder.set_cache_size(cache_bytes);
    let opened = if fault.is_over_memory() {
        Overlay::open(path).and_then(|overlay| builder.create_with_backend(overlay))
    } else {
        Disk::open(path, fault.clone()).and_then(|disk| builder.create_with_backend(disk))
    };
    opened.map_err(failed)
}

fn cannot_open(path: &Path, why: &str) -> StoreError {
    StoreError::Corrupt(format!("cannot open {}: {why}", path.display()))
}

fn begin_write(db: &Database) -> Result<WriteTransaction, StoreError> {
    let mut tx = db.begin_write().map_err(failed)?;
    tx.set_durability(Durability::Immediate).map_err(failed)?;
    tx.set_quick_repair(true);
    Ok(tx)
}

/// Any error of the engine: it refuses everything after one until it is opened again.
pub(super) fn failed(error: impl Into<redb::Error>) -> StoreError {
    let error = error.into();
    if let redb::Error::Corrupted(what) = error {
        StoreError::Corrupt(what)
    } else {
        StoreError::Unavailable(error.to_string())
    }
}

type Change<'a> = (&'a (Table, Vec<u8>), &'a Option<Vec<u8>>);

fn put<'a>(
    tx: &WriteTransaction,
    table: Table,
    changes: impl Iterator<Item = Change<'a>>,
) -> Result<(), StoreError> {
    let mut rows = tx.open_table(table.rows()).map_err(failed)?;
    for ((_, key), value) in changes {
        match value {
            Some(value) => rows.insert(key.as_slice(), value.as_slice()).map_err(failed)?,
            None => rows.remove(key.as_slice()).map_err(failed)?,
        };
    }
    Ok(())
}

/// Changes a sealed day: each block that a change falls into is unpacked, changed and packed again.
fn repack<'a>(
    tx: &WriteTransaction,
    table: Table,
    changes: impl Iterator<Item = Change<'a>>,
) -> Result<(), StoreError> {
    let mut blocks = tx.open_table(table.blocks()).map_err(failed)?;
    let mut changes = changes.peekable();
    while let Some(&((_, key), _)) = changes.peek() {
        let (first, mut rows) = {
            let mut at_or_before = blocks.range::<&[u8]>(..=key.as_slice()).map_err(failed)?;
            match at_or_before.next_back().transpose().map_err(failed)? {
                Some((first, block)) => (Some(first.value().to_vec()), unpack_to_map(block.value())?),
                None => (None, BTreeMap::new()),
            }
        };
        let next: Option<Vec<u8>> = {
            let above = (Bound::Excluded(key.as_slice()), Bound::Unbounded);
            let mut after = blocks.range::<&[u8]>(above).map_err(failed)?;
            after.next().transpose().map_err(failed)?.map(|(first, _)| first.value().to_vec())
        };
        while let Some(((_, key), value)) =
            changes.next_if(|((_, key), _)| next.as_ref().is_none_or(|next| key < next))
        {
            match value {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
            };
        }
        if let Some(first) = first {
            blocks.remove(first.as_slice()).map_err(failed)?;
        }
        let rows: Vec<Row> = rows.into_iter().collect();
        for (first, block) in pack::pack(&rows)? {
            blocks.insert(first.as_slice(), block.as_slice()).map_err(failed)?;
        }
    }
    Ok(())
}

fn unpack_to_map(block: &[u8]) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, StoreError> {
    Ok(Block::unpack(block)?.rows()?.into_iter().collect())
}

/// A moment of a day's file.
pub(super) struct Moment(ReadTransaction);

/// A day's file at one moment.
pub(super) struct View {
    tx: ReadTransaction,
    packed: bool,
    /// What was read of before: opening a table costs about as much as reading a row of it.
    tables: Vec<Opened>,
}

#[derive(Default)]
struct Opened {
    rows: OnceCell<Rows>,
    /// The block that was unpacked last, and its first key: neighbours are often asked for one after the other.
    last: RefCell<Option<(Vec<u8>, Rc<Block>)>>,
}

type Rows = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// What a scan does with each row: go on, or stop.
pub(super) type Visit<'v> = &'v mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// What is done with each row where none is left out; it may fail.
type Take<'t> = &'t mut dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError>;

impl Opened {
    fn unpack(&self, first: &[u8], block: &[u8]) -> Result<Rc<Block>, StoreError> {
        let mut last = self.last.borrow_mut();
        if let Some((_, block)) = last.as_ref().filter(|(key, _)| key == first) {
            return Ok(Rc::clone(block));
        }
        let block = Rc::new(Block::unpack(block)?);
        *last = Some((first.to_vec(), Rc::clone(&block)));
        Ok(block)
    }
}

impl View {
    /// A table in the form that the file has; none where the file is older than the table.
    fn table(&self, table: Table) -> Result<Option<(&Rows, &Opened)>, StoreError> {
        let Some(place) = self.tables.get(table as usize) else { return Ok(None) };
        if place.rows.get().is_none() {
            let form = if self.packed { table.blocks() } else { table.rows() };
            let opened = match self.tx.open_table(form) {
                Err(TableError::TableDoesNotExist(_)) => return Ok(None),
                opened => opened.map_err(failed)?,
            };
            return Ok(Some((place.rows.get_or_init(|| opened), place)));
        }
        Ok(place.rows.get().map(|rows| (rows, place)))
    }

    /// The value of `key`, handed to `read`.
    pub(super) fn with<T>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let Some((table, opened)) = self.table(table)? else { return Ok(None) };
        if !self.packed {
            return table.get(key).map_err(failed)?.map(|value| read(value.value())).transpose();
        }
        let mut at_or_before = table.range::<&[u8]>(..=key).map_err(failed)?;
        let Some((first, block)) = at_or_before.next_back().transpose().map_err(failed)? else {
            return Ok(None);
        };
        opened.unpack(first.value(), block.value())?.get(key)?.map(read).transpose()
    }

    /// SHA-256 of all that the file says, in hexadecimal digits, whatever its pages are.
    pub(super) fn digest(&self, file: &DayFile) -> Result<String, StoreError> {
        let mut digest = Sha256::new();
        let mut add = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        };
        let meta = self.tx.open_table(META).map_err(failed)?;
        for row in meta.iter().map_err(failed)? {
            let (name, value) = row.map_err(failed)?;
            if name.value() != "changed" {
                add(name.value().as_bytes());
                add(&value.value().to_be_bytes());
            }
        }
        for table in file.content.tables() {
            let Some((rows, _)) = self.table(table)? else { continue };
            add(&(table as u64).to_be_bytes());
            for row in rows.iter().map_err(failed)? {
                let (key, value) = row.map_err(failed)?;
                add(key.value());
                add(value.value());
            }
        }
        Ok(hex(&digest.finalize()))
    }

    /// The applications that the keys of a table begin with.
    pub(super) fn apps(&self, table: Table) -> Result<Vec<AppId>, StoreError> {
        let (mut apps, mut from) = (Vec::new(), Vec::new());
        loop {
            let mut found = None;
            self.scan(table, &from, None, false, &mut |key, _| {
                found = keys::app_of(key);
                ControlFlow::Break(())
            })?;
            let Some(app) = found else { return Ok(apps) };
            apps.push(app);
            from = Key::app(app).end();
        }
    }

    /// Every row from `from` on, up to but without `to`, as far as the first that fails.
    pub(super) fn each(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        let mut outcome = Ok(());
        self.scan(table, from, to, false, &mut |key, value| {
            outcome = take(key, value);
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        outcome
    }

    /// The rows from `from` on, up to but without `to`; or those before `to` backwards.
    pub(super) fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        backwards: bool,
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        let upper = to.map_or(Bound::Unbounded, Bound::Excluded);
        let Some((table, opened)) = self.table(table)? else { return Ok(()) };
        if !self.packed {
            let mut range = table.range::<&[u8]>((Bound::Included(from), upper)).map_err(failed)?;
            while let Some(row) = if backwards { range.next_back() } else { range.next() } {
                let (key, value) = row.map_err(failed)?;
                if visit(key.value(), value.value()).is_break() {
                    break;
                }
            }
            return Ok(());
        }
        // The first rows may be in a block that begins before them.
        let first = {
            let mut at_or_before = table.range::<&[u8]>(..=from).map_err(failed)?;
            at_or_before.next_back().transpose().map_err(failed)?.map(|(key, _)| key.value().to_vec())
        };
        let lower = first.as_deref().unwrap_or(from);
        let mut range = table.range::<&[u8]>((Bound::Included(lower), upper)).map_err(failed)?;
        while let Some(block) = if backwards { range.next_back() } else { range.next() } {
            let (first, block) = block.map_err(failed)?;
            let block = opened.unpack(first.value(), block.value())?;
            let inside = |key: &[u8]| from <= key && to.is_none_or(|to| key < to);
            let mut flow = ControlFlow::Continue(());
            if backwards {
                for (key, value) in block.rows()?.iter().rev().filter(|(key, _)| inside(key)) {
                    flow = visit(key, value);
                    if flow.is_break() {
                        break;
                    }
                }
            } else {
                block.each(|key, value| {
                    flow = if inside(key) { visit(key, value) } else { ControlFlow::Continue(()) };
                    flow
                })?;
            }
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The last key of a table.
    pub(super) fn last_key(&self, table: Table) -> Result<Option<Vec<u8>>, StoreError> {
        let mut last = None;
        self.scan(table, &[], None, true, &mut |key, _| {
            last = Some(key.to_vec());
            ControlFlow::Break(())
        })?;
        Ok(last)
    }
}
