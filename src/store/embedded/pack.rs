//! Packed blocks: runs of rows in order of their keys, compressed, each filled to a third of a page.
//!
//! A block is one version byte, then zstd over the rows; a row is the number of leading bytes that its key shares
//! with the key before, the rest of the key, and the value. A leaf page of the B-tree has 4 KiB; filling a block
//! by its compressed size instead of by a number of rows is what keeps pages full.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::ops::ControlFlow;

use zstd::bulk::Decompressor;

use super::compact::{In, Out};
use crate::store::StoreError;

/// The version of this layout.
const VERSION: u8 = 1;

/// The size to which blocks are filled, compressed: three to a page of 4 KiB.
const BLOCK_BYTES_MAX: usize = 1_290;

/// Where filling starts: about this many rows fit.
const ROWS_GUESS: usize = 48;

/// How often the number of rows of one block is corrected.
const TRIES_MAX: usize = 4;

/// The most that a block may hold when unpacked, so that a damaged one cannot ask for all memory.
const UNPACKED_BYTES_MAX: usize = 64 << 20;

const ZSTD_LEVEL: i32 = 3;

/// A key and its value.
pub(super) type Row = (Vec<u8>, Vec<u8>);

/// The blocks of these rows, which are in order: the first key of each, and its bytes.
pub(super) fn pack(rows: &[Row]) -> Result<Vec<Row>, StoreError> {
    let mut blocks = Vec::new();
    let mut rest = rows;
    let mut guess = ROWS_GUESS;
    while !rest.is_empty() {
        let (taken, block) = fill(rest, guess)?;
        blocks.push((rest[0].0.clone(), block));
        rest = &rest[taken..];
        guess = taken;
    }
    Ok(blocks)
}

/// One block of as many rows as fit, at least one.
fn fill(rows: &[Row], guess: usize) -> Result<(usize, Vec<u8>), StoreError> {
    let mut count = guess.clamp(1, rows.len());
    let mut best: Option<(usize, Vec<u8>)> = None;
    for _ in 0..TRIES_MAX {
        let block = encode(&rows[..count])?;
        let fits = block.len() <= BLOCK_BYTES_MAX;
        let next = (count * BLOCK_BYTES_MAX / block.len()).clamp(1, rows.len());
        if fits && best.as_ref().is_none_or(|(kept, _)| *kept < count) {
            best = Some((count, block));
        }
        let next = if fits { next } else { next.min(count - 1).max(1) };
        if next == count || (fits && next < count + count / 16 + 1) {
            break;
        }
        count = next;
    }
    match best {
        Some(best) => Ok(best),
        None => Ok((1, encode(&rows[..1])?)),
    }
}

fn encode(rows: &[Row]) -> Result<Vec<u8>, StoreError> {
    let mut raw = Out::default();
    let mut before: &[u8] = &[];
    for (key, value) in rows {
        let shared = before.iter().zip(key).take_while(|(a, b)| a == b).count();
        raw.number(shared as u64);
        raw.number((key.len() - shared) as u64);
        raw.number(value.len() as u64);
        raw.bytes(&key[shared..]);
        raw.bytes(value);
        before = key;
    }
    let mut block = vec![VERSION];
    // With its checksum: a bit that the disk has changed is an error, and no other value.
    let packed = zstd::bulk::Compressor::new(ZSTD_LEVEL)
        .and_then(|mut packer| {
            packer.include_checksum(true).and_then(|()| packer.compress(&raw.into_bytes()))
        })
        .map_err(|error| StoreError::Unavailable(format!("cannot pack a block: {error}")))?;
    block.extend_from_slice(&packed);
    Ok(block)
}

thread_local! {
    /// Making one costs more than unpacking a block.
    static UNPACKER: RefCell<Decompressor<'static>> = RefCell::default();
}

/// A block, unpacked.
#[derive(Debug)]
pub(super) struct Block(Vec<u8>);

impl Block {
    pub(super) fn unpack(block: &[u8]) -> Result<Block, StoreError> {
        let Some((&VERSION, packed)) = block.split_first() else {
            return Err(damaged("has an unknown version"));
        };
        let size = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten();
        let size =
            size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size <= UNPACKED_BYTES_MAX);
        let size = size.ok_or_else(|| damaged("does not say its size"))?;
        let raw = UNPACKER.with_borrow_mut(|unpacker| unpacker.decompress(packed, size));
        raw.map(Block).map_err(|_| damaged("does not unpack"))
    }

    /// Gives its rows in order, until told to stop.
    pub(super) fn each<'b>(
        &'b self,
        mut visit: impl FnMut(&[u8], &'b [u8]) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let mut rest = In::new(&self.0);
        let mut key: Vec<u8> = Vec::new();
        while !rest.is_empty() {
            let (shared, key_len, value_len) = (rest.size()?, rest.size()?, rest.size()?);
            if shared > key.len() {
                return Err(damaged("is cut short"));
            }
            key.truncate(shared);
            key.extend_from_slice(rest.bytes(key_len)?);
            if visit(&key, rest.bytes(value_len)?).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<&[u8]>, StoreError> {
        let mut found = None;
        self.each(|other, value| match other.cmp(key) {
            Ordering::Less => ControlFlow::Continue(()),
            Ordering::Equal => {
                found = Some(value);
                ControlFlow::Break(())
            }
            Ordering::Greater => ControlFlow::Break(()),
        })?;
        Ok(found)
    }

    /// Its rows.
    pub(super) fn rows(&self) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        self.each(|key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })?;
        Ok(rows)
    }
}

fn damaged(what: &str) -> StoreError {
    StoreError::Corrupt(format!("a packed block {what}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn unpacking_gives_the_rows_back(rows in prop::collection::btree_map(prop::collection::vec(any::<u8>(), 0..20), prop::collection::vec(any::<u8>(), 0..300), 1..200)) {
            let rows: Vec<Row> = rows.into_iter().collect();
            let blocks = pack(&rows).unwrap();
            let mut again = Vec::new();
            for (first, block) in &blocks {
                let block_read = Block::unpack(block).unwrap();
                let part = block_read.rows().unwrap();
                for (key, value) in &part {
                    prop_assert_eq!(block_read.get(key).unwrap(), Some(value.as_slice()));
                    prop_assert_eq!(block_read.get(&[key.as_slice(), &[0]].concat()).unwrap().is_some(), part.iter().any(|(other, _)| *other == [key.as_slice(), &[0]].concat()));
                }
                prop_assert_eq!(&part[0].0, first);
                prop_assert!(block.len() <= BLOCK_BYTES_MAX || part.len() == 1);
                again.extend(part);
            }
            prop_assert_eq!(again, rows);
        }

        #[test]
        fn damaged_blocks_are_refused_or_read_but_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(first) = bytes.first_mut() {
                *first = VERSION;
            }
            if let Ok(block) = Block::unpack(&bytes) {
                let _ = block.rows();
            }
            let _ = Block(bytes).rows();
        }
    }
}
