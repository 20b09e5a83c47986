//! Packed blocks: runs of rows in order of their keys, compressed, each filled to a third of a page.
//!
//! A block is one version byte, then zstd over the rows; a row is the number of leading bytes that its key shares
//! with the key before, the rest of the key, and the value. A leaf page of the B-tree has 4 KiB; filling a block
//! by its compressed size instead of by a number of rows is what keeps pages full.

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
    let mut raw = Vec::with_capacity(rows.len() * 64);
    let mut before: &[u8] = &[];
    for (key, value) in rows {
        let shared = before.iter().zip(key).take_while(|(a, b)| a == b).count();
        write_number(&mut raw, shared);
        write_number(&mut raw, key.len() - shared);
        write_number(&mut raw, value.len());
        raw.extend_from_slice(&key[shared..]);
        raw.extend_from_slice(value);
        before = key;
    }
    let mut block = vec![VERSION];
    // With its checksum: a bit that the disk has changed is an error, and no other value.
    let packed = zstd::bulk::Compressor::new(ZSTD_LEVEL)
        .and_then(|mut packer| packer.include_checksum(true).and_then(|()| packer.compress(&raw)))
        .map_err(|error| StoreError::Unavailable(format!("cannot pack a block: {error}")))?;
    block.extend_from_slice(&packed);
    Ok(block)
}

/// The rows of a block.
pub(super) fn unpack(block: &[u8]) -> Result<Vec<Row>, StoreError> {
    let damaged = |what: &str| StoreError::Corrupt(format!("a packed block {what}"));
    let Some((&VERSION, packed)) = block.split_first() else {
        return Err(damaged("has an unknown version"));
    };
    let raw = zstd::bulk::decompress(packed, UNPACKED_BYTES_MAX).map_err(|_| damaged("does not unpack"))?;
    let mut rest = raw.as_slice();
    let mut rows: Vec<Row> = Vec::new();
    while !rest.is_empty() {
        let mut number = || read_number(&mut rest).ok_or_else(|| damaged("is cut short"));
        let (shared, key_len, value_len) = (number()?, number()?, number()?);
        let before = rows.last().map_or(&[][..], |(key, _)| key.as_slice());
        let (Some(prefix), Some(end)) = (before.get(..shared), key_len.checked_add(value_len)) else {
            return Err(damaged("is cut short"));
        };
        let mut key = prefix.to_vec();
        let Some(bytes) = rest.get(..end) else { return Err(damaged("is cut short")) };
        key.extend_from_slice(&bytes[..key_len]);
        rows.push((key, bytes[key_len..].to_vec()));
        rest = &rest[end..];
    }
    Ok(rows)
}

fn write_number(out: &mut Vec<u8>, mut number: usize) {
    let low_bits = |number: usize| number.to_be_bytes()[size_of::<usize>() - 1] & 0x7f;
    while number >= 0x80 {
        out.push(low_bits(number) | 0x80);
        number >>= 7;
    }
    out.push(low_bits(number));
}

fn read_number(bytes: &mut &[u8]) -> Option<usize> {
    let mut number = 0usize;
    for shift in (0..usize::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
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
                let part = unpack(block).unwrap();
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
            let _ = unpack(&bytes);
        }
    }
}
