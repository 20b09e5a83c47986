//! What each table of a folder of redb files takes.

use std::path::Path;

use anyhow::Result;
use redb::{Database, ReadableDatabase, TableHandle};

/// Prints a line for each table of each file: `FILE TABLE ROWS STORED OVERHEAD UNUSED`, the last three in bytes: keys and
/// values, what the pages need beside them, and what is left free in those pages.
pub fn print(folder: &Path) -> Result<()> {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "redb"));
    paths.sort();
    for path in paths {
        let database = Database::open(&path)?;
        let read = database.begin_read()?;
        for table in read.list_tables()? {
            let name = table.name().to_owned();
            let opened = read.open_untyped_table(table)?;
            let stats = redb::ReadableTableMetadata::stats(&opened)?;
            println!(
                "{} {name} {} {} {} {}",
                path.file_stem().unwrap_or_default().to_string_lossy(),
                redb::ReadableTableMetadata::len(&opened)?,
                stats.stored_bytes(),
                stats.metadata_bytes(),
                stats.fragmented_bytes()
            );
        }
    }
    Ok(())
}
