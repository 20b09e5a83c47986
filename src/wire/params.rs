//! The parameters of an action: its table, and what a request gave for it (contract section 9).

use std::borrow::Cow;

use super::{ErrorCode, Fault, Text};

/// One line of an action's table of parameters.
#[derive(Debug, Clone, Copy)]
pub struct Param {
    /// The name; case matters.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// What it means, with its default and its bounds, for the documentation.
    pub meaning: Text,
}

/// What a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number from 0 to 2^64−1.
    Number,
    /// The same, as the old action names take it: also as decimal text, and `""` is let through.
    NumberOrText,
    /// A text.
    Text,
    /// A list of texts.
    Texts,
}

impl Kind {
    /// The name in messages and in the documentation.
    pub const fn name(self) -> Text {
        match self {
            Kind::Number => Text::new("uint64", "uint64"),
            Kind::NumberOrText => Text::new("uint64 or string", "uint64 或 string"),
            Kind::Text => Text::new("string", "string"),
            Kind::Texts => Text::new("list of string", "string 列表"),
        }
    }
}

/// The most parameters an action may have.
const SLOTS: usize = 8;

/// A value as it came, before its type is looked at.
#[derive(Debug)]
pub(super) enum Raw<'a> {
    Text(Cow<'a, str>),
    Number(u64),
    /// The entries; one that is no text is `None`.
    List(Vec<Option<Cow<'a, str>>>),
    /// A fraction, a negative number, a truth value, an object.
    Other,
}

/// Where raw values are gathered, in the order of the table.
#[derive(Debug)]
pub(super) struct Slots<'a> {
    table: &'static [Param],
    raw: [Option<Raw<'a>>; SLOTS],
    unknown: Option<String>,
}

impl<'a> Slots<'a> {
    pub(super) fn new(table: &'static [Param]) -> Slots<'a> {
        debug_assert!(table.len() <= SLOTS);
        Slots { table, raw: [const { None }; SLOTS], unknown: None }
    }

    /// The place of a parameter in the table.
    pub(super) fn place(&self, name: &str) -> Option<(usize, Kind)> {
        let place = self.table.iter().take(SLOTS).position(|param| param.name == name)?;
        Some((place, self.table[place].kind))
    }

    /// Fills a place; what was there is given back.
    pub(super) fn fill(&mut self, place: usize, raw: Raw<'a>) -> Option<Raw<'a>> {
        self.raw.get_mut(place).and_then(|slot| slot.replace(raw))
    }

    /// Remembers the first key that the table does not have.
    pub(super) fn unknown(&mut self, name: &str) {
        self.unknown.get_or_insert_with(|| name.to_owned());
    }

    /// Unknown keys, then types, then what is absent, in the order of the table. `is_text`: everything came as
    /// text, so numbers are read from it.
    pub(super) fn finish(mut self, is_text: bool) -> Result<Params<'a>, Fault> {
        if let Some(unknown) = self.unknown {
            return Err(Fault::about(ErrorCode::UnknownParameter, &[&unknown]));
        }
        let mut values = [const { None }; SLOTS];
        for ((param, raw), value) in self.table.iter().zip(&mut self.raw).zip(&mut values) {
            if let Some(raw) = raw.take() {
                *value = typed(param, raw, is_text)?;
            }
        }
        for (param, value) in self.table.iter().zip(&values) {
            if param.required && value.is_none() {
                return Err(Fault::about(ErrorCode::MissingParameter, &[&param.name]));
            }
        }
        Ok(Params { table: self.table, values })
    }
}

/// A value of the right type; an empty list is none.
fn typed<'a>(param: &Param, raw: Raw<'a>, is_text: bool) -> Result<Option<Value<'a>>, Fault> {
    let wrong = || Fault::about(ErrorCode::InvalidParameter, &[&param.name]).and(param.kind.name());
    let number = |text: &str| {
        // `parse` alone would take a leading `+`.
        let plain = text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|_| plain).map(Value::Number).ok_or_else(wrong)
    };
    match (param.kind, raw) {
        (Kind::Number | Kind::NumberOrText, Raw::Number(number)) => Ok(Some(Value::Number(number))),
        (Kind::Number, Raw::Text(text)) if is_text => number(&text).map(Some),
        (Kind::NumberOrText, Raw::Text(text)) if text.is_empty() => Ok(Some(Value::Text(text))),
        (Kind::NumberOrText, Raw::Text(text)) => number(&text).map(Some),
        (Kind::Text, Raw::Text(text)) => Ok(Some(Value::Text(text))),
        (Kind::Texts, Raw::List(list)) if list.is_empty() => Ok(None),
        (Kind::Texts, Raw::List(list)) => {
            let mut texts = Vec::with_capacity(list.len());
            for (at, entry) in list.into_iter().enumerate() {
                let name = format_args!("{}.{at}", param.name);
                let wrong = || Fault::about(ErrorCode::InvalidParameter, &[&name]).and(Kind::Text.name());
                texts.push(entry.ok_or_else(wrong)?);
            }
            Ok(Some(Value::Texts(texts)))
        }
        (Kind::Number | Kind::NumberOrText | Kind::Text | Kind::Texts, _) => Err(wrong()),
    }
}

#[derive(Debug)]
enum Value<'a> {
    Number(u64),
    Text(Cow<'a, str>),
    Texts(Vec<Cow<'a, str>>),
}

/// The parameters of an action, of the types its table says; all required ones are there.
#[derive(Debug)]
pub struct Params<'a> {
    table: &'static [Param],
    values: [Option<Value<'a>>; SLOTS],
}

impl<'a> Params<'a> {
    fn value(&self, name: &str) -> Option<&Value<'a>> {
        let place = self.table.iter().position(|param| param.name == name)?;
        self.values.get(place)?.as_ref()
    }

    /// A number; `None` if absent, or an empty text.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.value(name)? {
            Value::Number(number) => Some(*number),
            Value::Text(_) | Value::Texts(_) => None,
        }
    }

    /// A text; `None` if absent.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.value(name)? {
            Value::Text(text) => Some(text),
            Value::Number(_) | Value::Texts(_) => None,
        }
    }

    /// A list; empty if absent.
    pub fn texts(&self, name: &str) -> &[Cow<'a, str>] {
        match self.value(name) {
            Some(Value::Texts(texts)) => texts,
            Some(Value::Number(_) | Value::Text(_)) | None => &[],
        }
    }
}
