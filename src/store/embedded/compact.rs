//! Values made of small numbers and short texts: a number takes as many bytes as it needs, seven bits in each, and an
//! address or a UUID takes those of its own.

use std::net::Ipv4Addr;

use crate::store::StoreError;

/// What a text begins with: one of these, or else its length and the number of these.
const ADDRESS: u64 = 0;
const UUID: u64 = 1;
const FORMS: u64 = 2;

const UUID_BYTES: usize = 16;
/// Where a UUID has its hyphens.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
const UUID_CHARS: usize = 36;

/// A value in the making.
#[derive(Debug, Default)]
pub(super) struct Out(Vec<u8>);

impl Out {
    /// A value that begins with its version.
    pub(super) fn of_version(version: u8, capacity: usize) -> Out {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.push(version);
        Out(bytes)
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(low_bits(number) | 0x80);
            number >>= 7;
        }
        self.0.push(low_bits(number));
    }

    /// Small where the number is near zero.
    pub(super) fn signed(&mut self, number: i64) {
        self.number((number << 1 ^ number >> 63).cast_unsigned());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        if let Some(address) = address(text) {
            self.number(ADDRESS);
            self.bytes(&address.octets());
        } else if let Some(uuid) = uuid(text) {
            self.number(UUID);
            self.bytes(&uuid);
        } else {
            self.number(text.len() as u64 + FORMS);
            self.bytes(text.as_bytes());
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// A value that is being read.
#[derive(Debug, Clone, Copy)]
pub(super) struct In<'b>(&'b [u8]);

impl<'b> In<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> In<'b> {
        In(bytes)
    }

    /// A value of this version, and no other.
    pub(super) fn of_version(bytes: &'b [u8], version: u8) -> Result<In<'b>, StoreError> {
        match bytes.split_first() {
            Some((&first, rest)) if first == version => Ok(In(rest)),
            Some((first, _)) => Err(StoreError::Corrupt(format!("a value has the unknown version {first}"))),
            None => Err(StoreError::Corrupt("a value is empty".to_owned())),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> Result<u8, StoreError> {
        let (&byte, rest) = self.0.split_first().ok_or_else(damaged)?;
        self.0 = rest;
        Ok(byte)
    }

    pub(super) fn number(&mut self) -> Result<u64, StoreError> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(damaged())
    }

    /// A number that is counted in memory.
    pub(super) fn size(&mut self) -> Result<usize, StoreError> {
        usize::try_from(self.number()?).map_err(|_| damaged())
    }

    pub(super) fn signed(&mut self) -> Result<i64, StoreError> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'b [u8], StoreError> {
        let (bytes, rest) = self.0.split_at_checked(count).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(super) fn text(&mut self) -> Result<String, StoreError> {
        match self.number()? {
            ADDRESS => {
                let octets: [u8; 4] = self.bytes(4)?.try_into().map_err(|_| damaged())?;
                Ok(Ipv4Addr::from(octets).to_string())
            }
            UUID => Ok(uuid_text(self.bytes(UUID_BYTES)?)),
            long => {
                let length = usize::try_from(long - FORMS).map_err(|_| damaged())?;
                std::str::from_utf8(self.bytes(length)?).map(str::to_owned).map_err(|_| damaged())
            }
        }
    }
}

/// A text as it is within a value.
pub(super) fn written(text: &str) -> Vec<u8> {
    let mut out = Out(Vec::new());
    out.text(text);
    out.into_bytes()
}

pub(super) fn damaged() -> StoreError {
    StoreError::Corrupt("a value cannot be read".to_owned())
}

fn low_bits(number: u64) -> u8 {
    let [.., low] = number.to_be_bytes();
    low & 0x7f
}

/// The address whose only text this is.
fn address(text: &str) -> Option<Ipv4Addr> {
    let may_be = (7..=15).contains(&text.len()) && text.as_bytes()[0].is_ascii_digit();
    if may_be { text.parse().ok() } else { None }
}

/// The UUID that is written so, in small letters.
fn uuid(text: &str) -> Option<[u8; UUID_BYTES]> {
    if text.len() != UUID_CHARS || HYPHENS.iter().any(|&place| text.as_bytes()[place] != b'-') {
        return None;
    }
    let mut uuid = [0; UUID_BYTES];
    let mut digits = text.bytes().enumerate().filter(|(place, _)| !HYPHENS.contains(place));
    for byte in &mut uuid {
        let mut digit = || match digits.next() {
            Some((_, digit @ b'0'..=b'9')) => Some(digit - b'0'),
            Some((_, digit @ b'a'..=b'f')) => Some(digit - b'a' + 10),
            Some(_) | None => None,
        };
        *byte = digit()? << 4 | digit()?;
    }
    Some(uuid)
}

fn uuid_text(uuid: &[u8]) -> String {
    let mut text = String::with_capacity(UUID_CHARS);
    for nibble in uuid.iter().flat_map(|byte| [byte >> 4, byte & 0xf]) {
        if HYPHENS.contains(&text.len()) {
            text.push('-');
        }
        text.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_written_is_read_again(
            number in any::<u64>(),
            signed in any::<i64>(),
            bits in 0..64u32,
            text in prop_oneof![
                any::<String>(),
                "[0-9]{1,3}(\\.[0-9]{1,3}){3}",
                "[0-9a-fA-F]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
                "[0-9a-g-]{36}",
            ],
        ) {
            let mut out = Out::of_version(7, 0);
            out.number(number >> bits);
            out.signed(signed >> bits);
            out.text(&text);
            let bytes = out.into_bytes();
            let mut input = In::of_version(&bytes, 7).unwrap();
            prop_assert_eq!(input.number().unwrap(), number >> bits);
            prop_assert_eq!(input.signed().unwrap(), signed >> bits);
            prop_assert_eq!(input.text().unwrap(), text);
            prop_assert!(input.is_empty());
            prop_assert!(In::of_version(&bytes, 8).is_err());
        }
    }

    #[test]
    fn addresses_and_uuids_are_short() {
        let check = |text: &str, length: usize| {
            let mut out = Out::default();
            out.text(text);
            let bytes = out.into_bytes();
            assert_eq!((bytes.len(), In::new(&bytes).text().unwrap().as_str()), (length, text));
        };
        check("", 1);
        check("1.2.3.4", 5);
        check("255.255.255.255", 5);
        check("1.2.3.256", 10);
        check("01.2.3.4", 9);
        check("00000000-0000-4000-8000-0000000000ff", 17);
        check("00000000-0000-4000-8000-0000000000FF", 37);
    }
}
