//! Texts in statements, and rows in RowBinary, the format that old and new servers share.

use crate::store::StoreError;

/// A text as a literal: the one place where what others wrote comes into a statement.
pub(super) fn text(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('\'');
    for c in text.chars() {
        match c {
            '\\' => literal.push_str("\\\\"),
            '\'' => literal.push_str("\\'"),
            '\0' => literal.push_str("\\0"),
            c => literal.push(c),
        }
    }
    literal.push('\'');
    literal
}

/// A number as a literal of the type of our columns, which a bare one is not.
pub(super) fn number(number: i64) -> String {
    format!("toInt64('{number}')")
}

/// The whole second that contains a column of milliseconds, also before 1970.
pub(super) fn second(column: &str) -> String {
    format!("intDiv({column} - if({column} < 0, 999, 0), 1000)")
}

/// The last day that the engine's `Date` of two bytes can tell.
const DAY_MAX: i64 = 65_535;

/// A day since 1970 as a literal. Days that a `Date` cannot tell are the nearest that it can.
pub(super) fn day(day: i64) -> String {
    format!("toDate({})", day.clamp(0, DAY_MAX))
}

/// Writes rows.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Row(pub(super) Vec<u8>);

#[expect(clippy::little_endian_bytes, reason = "RowBinary is little-endian")]
impl Row {
    pub(super) fn u8(&mut self, value: u8) -> &mut Row {
        self.0.push(value);
        self
    }

    pub(super) fn u64(&mut self, value: u64) -> &mut Row {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn i64(&mut self, value: i64) -> &mut Row {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn f64(&mut self, value: f64) -> &mut Row {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn maybe_i64(&mut self, value: Option<i64>) -> &mut Row {
        match value {
            Some(value) => self.u8(0).i64(value),
            None => self.u8(1),
        }
    }

    /// A day since 1970, the nearest that a `Date` can tell.
    pub(super) fn day(&mut self, day: i64) -> &mut Row {
        let day = u16::try_from(day.clamp(0, DAY_MAX)).unwrap_or(u16::MAX);
        self.0.extend(day.to_le_bytes());
        self
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Row {
        self.bytes(text.as_bytes())
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Row {
        let mut length = bytes.len();
        loop {
            let [low, ..] = length.to_le_bytes();
            length >>= 7;
            if length == 0 {
                self.0.push(low & 0x7f);
                break;
            }
            self.0.push(low | 0x80);
        }
        self.0.extend(bytes);
        self
    }
}

/// Reads an answer.
#[derive(Debug)]
pub(super) struct Rows<'a>(pub(super) &'a [u8]);

#[expect(clippy::little_endian_bytes, reason = "RowBinary is little-endian")]
impl<'a> Rows<'a> {
    /// Whether everything is read.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each row, as `read` reads one.
    pub(super) fn all<T>(
        mut self,
        mut read: impl FnMut(&mut Rows<'a>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut rows = Vec::new();
        while !self.is_empty() {
            rows.push(read(&mut self)?);
        }
        Ok(rows)
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], StoreError> {
        let Some((taken, rest)) = self.0.split_at_checked(count) else {
            return Err(StoreError::Corrupt(
                "an answer of ClickHouse ends in the middle of a row".to_owned(),
            ));
        };
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, StoreError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u64(&mut self) -> Result<u64, StoreError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn i64(&mut self) -> Result<i64, StoreError> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    pub(super) fn maybe_i64(&mut self) -> Result<Option<i64>, StoreError> {
        Ok(if self.u8()? == 0 { Some(self.i64()?) } else { None })
    }

    pub(super) fn day(&mut self) -> Result<i64, StoreError> {
        Ok(i64::from(u16::from_le_bytes(self.array()?)))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], StoreError> {
        let (mut length, mut shift) = (0usize, 0);
        loop {
            let byte = self.u8()?;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return self.take(length);
            }
            if shift > 56 {
                return Err(StoreError::Corrupt("an answer of ClickHouse has an endless text".to_owned()));
            }
        }
    }

    pub(super) fn text(&mut self) -> Result<String, StoreError> {
        Ok(String::from_utf8_lossy(self.bytes()?).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_leave_their_literal() {
        assert_eq!(text("a'b\\c\0"), r"'a\'b\\c\0'");
        assert_eq!(text("\\"), r"'\\'");
        assert_eq!(text("') OR 1=1 --"), r"'\') OR 1=1 --'");
        assert_eq!(text("李\n\u{1}"), "'李\n\u{1}'");
    }

    #[test]
    fn what_is_written_is_read() {
        let long = "x".repeat(20_000);
        let mut row = Row::default();
        row.u8(7).u64(u64::MAX).i64(-5).maybe_i64(None).maybe_i64(Some(3)).day(20_777).text("").text(&long);
        let mut rows = Rows(&row.0);
        assert_eq!((rows.u8().unwrap(), rows.u64().unwrap(), rows.i64().unwrap()), (7, u64::MAX, -5));
        assert_eq!((rows.maybe_i64().unwrap(), rows.maybe_i64().unwrap()), (None, Some(3)));
        assert_eq!(rows.day().unwrap(), 20_777);
        assert_eq!((rows.text().unwrap(), rows.text().unwrap()), (String::new(), long));
        assert!(rows.is_empty());
        assert!(matches!(rows.u8(), Err(StoreError::Corrupt(_))));
    }

    #[test]
    fn days_that_a_date_cannot_tell_are_the_nearest() {
        let written = |day| {
            let mut row = Row::default();
            row.day(day);
            Rows(&row.0).day().unwrap()
        };
        assert_eq!((written(-1), written(20_777), written(1 << 40)), (0, 20_777, 65_535));
        assert_eq!((day(-9), day(70_000)), ("toDate(0)".to_owned(), "toDate(65535)".to_owned()));
    }

    #[test]
    fn a_cut_answer_is_an_error() {
        let mut row = Row::default();
        row.text("abc");
        assert!(Rows(&row.0[..2]).text().is_err());
        assert!(Rows(&[0xff; 12]).bytes().is_err());
    }
}
