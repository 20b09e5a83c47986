//! One flat JSON object, or one row of a table, by the names of its fields. The neutral formats are strict,
//! so that a slip of the sender is told and not swallowed: an unknown or doubled key and a wrong type are
//! refused by name. Texts are borrowed from the line.

use std::borrow::Cow;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::Rejected;
use super::bounds::{self, Unit, nearest, shown};
use super::words::Worded;
use crate::records::{Attr, Attrs, Millis};

/// A JSON value as it stands, before anybody asked for a type.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Loose<'a> {
    /// Not there.
    #[default]
    Absent,
    /// `null`, which counts as not there.
    Null,
    Bool(bool),
    Unsigned(u64),
    Negative(i64),
    /// A fraction, an exponent, or beyond 64 bits.
    Fraction(f64),
    Text(Cow<'a, str>),
    /// A list; of a longer one than [`bounds::VALUES_MAX`] only the beginning and one more.
    List(Vec<Loose<'a>>),
    Object(Vec<(Cow<'a, str>, Loose<'a>)>),
}

impl Loose<'_> {
    /// Whether there is no value.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Loose::Absent | Loose::Null)
    }

    /// The value as a refusal shows it.
    pub(super) fn shown(&self) -> String {
        match self {
            Loose::Absent => "nothing".to_owned(),
            Loose::Null => "null".to_owned(),
            Loose::Bool(value) => value.to_string(),
            Loose::Unsigned(value) => value.to_string(),
            Loose::Negative(value) => value.to_string(),
            Loose::Fraction(value) if value.abs() < 1e15 => value.to_string(),
            Loose::Fraction(value) => format!("{value:e}"),
            Loose::Text(text) => format!("the text {}", shown(text)),
            Loose::List(_) => "a list".to_owned(),
            Loose::Object(_) => "an object".to_owned(),
        }
    }

    /// A number, which is finite as JSON knows no other.
    #[expect(clippy::cast_precision_loss, reason = "a sender of whole numbers beyond 2^53 gets the nearest")]
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Loose::Unsigned(number) => Some(*number as f64),
            Loose::Negative(number) => Some(*number as f64),
            Loose::Fraction(number) => Some(*number),
            Loose::Absent
            | Loose::Null
            | Loose::Bool(_)
            | Loose::Text(_)
            | Loose::List(_)
            | Loose::Object(_) => None,
        }
    }

    /// "expected …, found …".
    pub(super) fn instead_of(&self, expected: &str) -> String {
        format!("expected {expected}, found {}", self.shown())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Loose<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Loose::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Loose::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Loose::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(u64::try_from(value).map_or(Loose::Negative(value), Loose::Unsigned))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Loose::Fraction(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Loose::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Loose::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while values.len() <= bounds::VALUES_MAX {
            let Some(value) = list.next_element()? else { return Ok(Loose::List(values)) };
            values.push(value);
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            fields.push((key, map.next_value()?));
        }
        Ok(Loose::Object(fields))
    }
}

/// A key, borrowed where nothing in it is escaped.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(value)))
            }

            fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(value.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// The fields of one format: an enum whose values count from 0, in the order of `NAMES`.
pub(super) trait Column: Copy {
    /// The names, as they are written.
    const NAMES: &'static [&'static str];

    /// The place in `NAMES`.
    fn index(self) -> usize;
}

/// Writes down the fields of a format once: an enum and its names.
macro_rules! columns {
    ($(#[$meta:meta])* $vis:vis $name:ident { $($variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $name { $($variant),* }

        impl $name {
            $vis const COUNT: usize = [$($word),*].len();
        }

        impl $crate::ingest::row::Column for $name {
            const NAMES: &'static [&'static str] = &[$($word),*];

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}
pub(super) use columns;

/// The values of one object or table row, by column. `N` is the number of columns.
#[derive(Debug)]
pub(super) struct Row<'a, const N: usize> {
    names: &'static [&'static str],
    values: [Loose<'a>; N],
    /// The values come from a table, where a number is written as a text.
    from_table: bool,
}

impl<'a, const N: usize> Row<'a, N> {
    /// Reads one JSON object and nothing behind it.
    pub(super) fn read<C: Column>(json: &'a str) -> Result<Self, String> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let row = ObjectSeed::<N> { names: C::NAMES }.deserialize(&mut deserializer);
        row.and_then(|row| deserializer.end().map(|()| row)).map_err(|error| json_trouble(&error))
    }

    /// A row of a table; the caller puts its cells in with [`Row::put`].
    pub(super) fn table<C: Column>() -> Self {
        Row { names: C::NAMES, values: std::array::from_fn(|_| Loose::Absent), from_table: true }
    }

    /// Puts a cell in; an empty one is no value.
    pub(super) fn put(&mut self, column: usize, cell: &'a str) {
        if !cell.is_empty() {
            self.values[column] = Loose::Text(Cow::Borrowed(cell));
        }
    }

    /// The value of a column, which is gone afterwards.
    pub(super) fn take(&mut self, column: impl Column) -> Loose<'a> {
        let value = std::mem::take(&mut self.values[column.index()]);
        if value == Loose::Null { Loose::Absent } else { value }
    }

    /// Whether a column has a value that was not taken.
    pub(super) fn has(&self, column: impl Column) -> bool {
        !self.values[column.index()].is_absent()
    }

    /// The first column that has a value that was not taken.
    pub(super) fn rest(&self) -> Option<&'static str> {
        self.values.iter().position(|value| !value.is_absent()).map(|place| self.names[place])
    }

    /// "column: what".
    pub(super) fn blame(&self, column: impl Column, what: impl fmt::Display) -> String {
        format!("{}: {what}", self.names[column.index()])
    }

    /// A text of at most `bytes_max` bytes.
    pub(super) fn text(
        &mut self,
        column: impl Column,
        bytes_max: usize,
    ) -> Result<Option<Cow<'a, str>>, String> {
        let value = self.take(column);
        if value.is_absent() {
            return Ok(None);
        }
        let Loose::Text(text) = value else { return Err(self.blame(column, value.instead_of("a text"))) };
        bounds::text(&text, bytes_max).map_err(|what| self.blame(column, what))?;
        Ok(Some(text))
    }

    /// An id: a text that can be stored as part of a key. An empty one counts as none.
    pub(super) fn id(&mut self, column: impl Column) -> Result<Option<Cow<'a, str>>, String> {
        let Some(text) = self.text(column, usize::MAX)? else { return Ok(None) };
        bounds::id(&text).map_err(|what| self.blame(column, what))?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// A room's name: a text, or a number as its decimal text and `true`.
    pub(super) fn room(&mut self, column: impl Column) -> Result<Option<(Cow<'a, str>, bool)>, String> {
        let value = &self.values[column.index()];
        if let Loose::Unsigned(number) = *value {
            self.take(column);
            return Ok(Some((Cow::Owned(number.to_string()), true)));
        }
        if !value.is_absent() && !matches!(value, Loose::Text(_)) {
            return Err(self.blame(column, value.instead_of("a text or a whole number from 0 to 2^64-1")));
        }
        Ok(self.id(column)?.map(|text| (text, false)))
    }

    /// A whole number from 0 to 2^64-1.
    pub(super) fn unsigned(&mut self, column: impl Column) -> Result<Option<u64>, String> {
        let value = self.take(column);
        if value.is_absent() {
            return Ok(None);
        }
        if let Loose::Unsigned(number) = value {
            return Ok(Some(number));
        }
        if let Loose::Text(digits) = &value
            && self.from_table
            && digits.bytes().all(|byte| byte.is_ascii_digit())
        {
            let number = digits.parse().map_err(|_| format!("{} is above 2^64-1", shown(digits)));
            return number.map(Some).map_err(|what| self.blame(column, what));
        }
        Err(self.blame(column, value.instead_of("a whole number from 0 to 2^64-1")))
    }

    /// A plausible moment in one unit.
    pub(super) fn moment(&mut self, column: impl Column, unit: Unit) -> Result<Option<Millis>, String> {
        let Some(value) = self.unsigned(column)? else { return Ok(None) };
        bounds::moment(value, unit).map(Some).map_err(|what| self.blame(column, what))
    }

    /// A moment that has a column for milliseconds and one for seconds, and whether it came in seconds.
    pub(super) fn moment_in(
        &mut self,
        in_ms: impl Column,
        in_s: impl Column,
    ) -> Result<Option<(Millis, bool)>, String> {
        if self.has(in_ms) && self.has(in_s) {
            let names = (self.names[in_ms.index()], self.names[in_s.index()]);
            return Err(format!("{} and {}: give one of them", names.0, names.1));
        }
        if let Some(at) = self.moment(in_s, Unit::Seconds)? {
            return Ok(Some((at, true)));
        }
        Ok(self.moment(in_ms, Unit::Milliseconds)?.map(|at| (at, false)))
    }

    /// One of the words of `T`.
    pub(super) fn word<T: Worded>(&mut self, column: impl Column) -> Result<Option<T>, String> {
        let Some(word) = self.text(column, usize::MAX)? else { return Ok(None) };
        T::of(&word).map(Some).map_err(|what| self.blame(column, what))
    }

    /// A number or text as an attribute's value, put under its name.
    pub(super) fn attr(&mut self, column: impl Column, attr: Attr, attrs: &mut Attrs) -> Result<(), String> {
        let value = self.take(column);
        if let Some(text) = attr_text(value).map_err(|what| self.blame(column, what))? {
            attrs.insert(attr, text);
        }
        Ok(())
    }
}

/// The value of an attribute; a number is its decimal text.
pub(super) fn attr_text(value: Loose<'_>) -> Result<Option<String>, String> {
    if value.is_absent() {
        return Ok(None);
    }
    if let Loose::Unsigned(number) = value {
        return Ok(Some(number.to_string()));
    }
    let Loose::Text(text) = value else { return Err(value.instead_of("a text")) };
    bounds::text(&text, bounds::TEXT_BYTES_MAX)?;
    Ok(Some(text.into_owned()))
}

struct ObjectSeed<const N: usize> {
    names: &'static [&'static str],
}

impl<'de, const N: usize> DeserializeSeed<'de> for ObjectSeed<N> {
    type Value = Row<'de, N>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for ObjectSeed<N> {
    type Value = Row<'de, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut row =
            Row { names: self.names, values: std::array::from_fn(|_| Loose::Absent), from_table: false };
        // Keys mostly come in the order of the table, so the search begins behind the last one found.
        let mut start = 0;
        while let Some(Key(key)) = map.next_key()? {
            let place = (start..N).chain(0..start).find(|place| self.names[*place] == key);
            let Some(place) = place else {
                let near = nearest(&key, self.names.iter().copied());
                return Err(A::Error::custom(format!("unknown key {}{near}", shown(&key))));
            };
            if row.values[place] != Loose::Absent {
                return Err(A::Error::custom(format!("{}: given twice", self.names[place])));
            }
            row.values[place] = map.next_value()?;
            start = place + 1;
        }
        Ok(row)
    }
}

/// Reads a vendor's JSON object, at `place` in its message; a list, which serde would take by position, is none.
pub(super) fn object<'a, T: Deserialize<'a>>(place: &str, json: &'a str) -> Result<T, Rejected> {
    match json.trim_ascii_start().bytes().next() {
        Some(b'{') => {
            serde_json::from_str(json).map_err(|error| Rejected::malformed(place, json_trouble(&error)))
        }
        Some(_) => Err(Rejected::malformed(place, "expected a JSON object")),
        None => Err(Rejected::malformed(place, "empty, expected a JSON object")),
    }
}

/// What is wrong with a text that is no JSON object of ours. The place is told only where it helps.
pub(super) fn json_trouble(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.rfind(" at line ").map_or(text.as_str(), |end| &text[..end]);
    if error.is_data() {
        return what.to_owned();
    }
    match error.line() {
        0 | 1 => format!("not valid JSON: {what} at column {}", error.column()),
        line => format!("not valid JSON: {what} at line {line}, column {}", error.column()),
    }
}
