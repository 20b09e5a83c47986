//! Files as blocks of whole lines.

use std::io::{Error, ErrorKind, Read, Result};

/// Some whole lines of a file; only the last block of a file may end without a line break.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The number of its first line, from 1.
    pub(super) first_line: u64,
    pub(super) bytes: Vec<u8>,
}

/// How much is read at a time.
const BLOCK_BYTES: usize = 1_024 * 1_024;
/// The longest line that is waited for. A line that long is refused in any case.
const LINE_BYTES_MAX: usize = 64 * 1_024 * 1_024;

/// Reads a file block by block.
#[derive(Debug)]
pub(super) struct Blocks<R> {
    source: R,
    block_bytes: usize,
    line_bytes_max: usize,
    line: u64,
    rest: Vec<u8>,
    ended: bool,
}

impl<R: Read> Blocks<R> {
    pub(super) fn new(source: R) -> Blocks<R> {
        Blocks {
            source,
            block_bytes: BLOCK_BYTES,
            line_bytes_max: LINE_BYTES_MAX,
            line: 1,
            rest: Vec::new(),
            ended: false,
        }
    }

    fn read_block(&mut self) -> Result<Option<Block>> {
        let mut bytes = std::mem::take(&mut self.rest);
        loop {
            let wanted = u64::try_from(self.block_bytes).unwrap_or(u64::MAX);
            let read = self.source.by_ref().take(wanted).read_to_end(&mut bytes)?;
            self.ended = read < self.block_bytes;
            let end = if self.ended { Some(bytes.len()) } else { end_of_last_line(&bytes) };
            if let Some(end) = end {
                self.rest = bytes.split_off(end);
                let first_line = self.line;
                self.line += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
                return Ok((!bytes.is_empty()).then_some(Block { first_line, bytes }));
            }
            if bytes.len() > self.line_bytes_max {
                let why = format!("line {} is longer than {} bytes", self.line, self.line_bytes_max);
                return Err(Error::new(ErrorKind::InvalidData, why));
            }
        }
    }
}

/// Where the last whole line ends.
fn end_of_last_line(bytes: &[u8]) -> Option<usize> {
    bytes.iter().rposition(|byte| *byte == b'\n').map(|place| place + 1)
}

impl<R: Read> Iterator for Blocks<R> {
    type Item = Result<Block>;

    fn next(&mut self) -> Option<Result<Block>> {
        if self.ended {
            return None;
        }
        let block = self.read_block();
        self.ended |= block.is_err();
        block.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, block_bytes: usize, expected: &[(u64, &str)]) {
        let blocks = Blocks { block_bytes, ..Blocks::new(text.as_bytes()) };
        let blocks: Vec<_> = blocks.map(|block| block.expect("readable")).collect();
        let blocks: Vec<_> =
            blocks.iter().map(|b| (b.first_line, std::str::from_utf8(&b.bytes).expect("text"))).collect();
        assert_eq!(blocks, expected, "{text:?} in blocks of {block_bytes}");
    }

    #[test]
    fn blocks_are_whole_lines_with_their_numbers() {
        check("", 4, &[]);
        check("a\nb\nc", 100, &[(1, "a\nb\nc")]);
        check("a\nb\nc", 4, &[(1, "a\nb\n"), (3, "c")]);
        check("a\nbbbbbbb\nc\n", 3, &[(1, "a\n"), (2, "bbbbbbb\nc\n")]);
        check("aaaa\n", 5, &[(1, "aaaa\n")]);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut blocks = Blocks { block_bytes: 4, line_bytes_max: 10, ..Blocks::new(std::io::repeat(b'x')) };
        assert!(blocks.next().is_some_and(|block| block.is_err()));
        assert!(blocks.next().is_none());
    }
}
