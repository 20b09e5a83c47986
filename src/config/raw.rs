//! Settings as they were given: each value with the place it came from, checked against the table and nothing else.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::private::{self, Openness, Private};
use super::settings::{Kind, LISTS, SETTINGS, Setting, is_below};
use super::{ConfigError, Place};
use crate::limits::Secret;

/// A value that fits its setting's kind.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Secret(Secret),
    Number(u64),
    Switch(bool),
    Texts(Vec<String>),
}

/// What was given in one entry of a list, or at the top: by path of the setting.
#[derive(Clone, Default)]
pub(super) struct Section {
    pub(super) place: Option<Place>,
    values: BTreeMap<&'static str, (Value, Place)>,
    lists: BTreeMap<&'static str, Vec<Section>>,
    /// The tables that were given, also those with nothing in them.
    tables: BTreeMap<String, Place>,
}

impl Section {
    pub(super) fn get(&self, path: &str) -> Option<&(Value, Place)> {
        self.values.get(path)
    }

    pub(super) fn table(&self, path: &str) -> Option<&Place> {
        self.tables.get(path)
    }

    pub(super) fn list(&self, path: &str) -> &[Section] {
        self.lists.get(path).map_or(&[], Vec::as_slice)
    }

    /// Sets or overrides a value by text, as environment and flags give it.
    pub(super) fn set_text(
        &mut self,
        setting: &'static Setting,
        text: &str,
        place: Place,
    ) -> Result<(), ConfigError> {
        let value = from_text(setting.kind, text)
            .ok_or_else(|| ConfigError::wrong(&place, setting.path, setting.kind, &format!("{text:?}")))?;
        self.values.insert(setting.path, (value, place));
        Ok(())
    }
}

/// Reads a text as a value of this kind.
pub(super) fn from_text(kind: Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::Text | Kind::Address | Kind::Path => Some(Value::Text(text.to_owned())),
        Kind::Secret => Some(Value::Secret(Secret::new(text))),
        Kind::Number(least, most) => {
            text.trim().parse().ok().filter(|number| (least..=most).contains(number)).map(Value::Number)
        }
        Kind::Switch => text.trim().parse().ok().map(Value::Switch),
        Kind::OneOf(texts) => texts.contains(&text).then(|| Value::Text(text.to_owned())),
        Kind::Texts => (text == "[]").then(|| Value::Texts(Vec::new())),
    }
}

/// Reads a settings file. Relative paths of secrets are looked up beside it. Where a secret stands in the text itself,
/// `openness` must allow that.
pub(super) fn read(path: &Path, text: &str, openness: Option<&Openness>) -> Result<Section, ConfigError> {
    let reader = Reader { path, text, openness };
    let table = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        ConfigError::Invalid { place: reader.place(&span), what: error.message().to_owned() }
    })?;
    let mut top = Section::default();
    reader.walk(table.get_ref(), "", &mut top)?;
    Ok(top)
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    openness: Option<&'a Openness>,
}

impl Reader<'_> {
    fn place(&self, span: &Range<usize>) -> Place {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        Place::File { path: self.path.to_owned(), line: before.iter().filter(|b| **b == b'\n').count() + 1 }
    }

    fn walk(&self, table: &DeTable<'_>, prefix: &str, section: &mut Section) -> Result<(), ConfigError> {
        let mut entries: Vec<_> = table.iter().collect();
        // The first mistake in the file is the one to tell.
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let name: &str = key.get_ref();
            let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
            self.entry(&path, name, prefix, key.span(), value, section)?;
        }
        Ok(())
    }

    fn entry(
        &self,
        path: &str,
        name: &str,
        prefix: &str,
        key: Range<usize>,
        value: &Spanned<DeValue<'_>>,
        section: &mut Section,
    ) -> Result<(), ConfigError> {
        // A setting may be a text or, in its place, a table of others.
        let is_table = matches!(value.get_ref(), DeValue::Table(table) if !table.is_empty());
        let above = SETTINGS.iter().any(|s| is_below(s.path, path));
        if let Some(setting) = SETTINGS.iter().find(|s| s.path == path && !(is_table && above)) {
            let place = self.place(&value.span());
            let value = self.value(setting, value)?;
            return insert(section, setting, value, place);
        }
        let secret = path.strip_suffix("_file").unwrap_or_default();
        if let Some(setting) = SETTINGS.iter().find(|s| s.kind == Kind::Secret && s.path == secret) {
            let place = self.place(&value.span());
            let DeValue::String(file) = value.get_ref() else {
                return Err(ConfigError::wrong(&place, path, Kind::Path, value.get_ref().type_str()));
            };
            let secret = read_secret(&beside(self.path, Path::new(file.as_ref())), &place)?;
            return insert(section, setting, Value::Secret(secret), place);
        }
        if let Some(list) = LISTS.iter().find(|list| **list == path) {
            return self.list(list, value, section);
        }
        if above {
            let DeValue::Table(table) = value.get_ref() else {
                let found = value.get_ref().type_str();
                return Err(ConfigError::WrongKind {
                    place: self.place(&value.span()),
                    path: path.to_owned(),
                    expected: format!("a table, [{path}]"),
                    found: found.to_owned(),
                });
            };
            section.tables.insert(path.to_owned(), self.place(&value.span()));
            return self.walk(table, path, section);
        }
        let hint = nearest(name, prefix);
        Err(ConfigError::Unknown { place: self.place(&key), path: path.to_owned(), hint })
    }

    /// A secret may not stand in a file that others can read.
    fn refuse_open(&self, place: &Place, is_secret: bool) -> Result<(), ConfigError> {
        match self.openness.filter(|_| is_secret) {
            Some(openness) => openness
                .refuse()
                .map_err(|error| ConfigError::Open { place: place.clone(), error: error.to_string() }),
            None => Ok(()),
        }
    }

    fn list(
        &self,
        list: &'static str,
        value: &Spanned<DeValue<'_>>,
        section: &mut Section,
    ) -> Result<(), ConfigError> {
        let wrong = |value: &Spanned<DeValue<'_>>| ConfigError::WrongKind {
            place: self.place(&value.span()),
            path: list.to_owned(),
            expected: format!("a list of tables, [[{list}]]"),
            found: value.get_ref().type_str().to_owned(),
        };
        let DeValue::Array(items) = value.get_ref() else { return Err(wrong(value)) };
        for item in items.iter() {
            let DeValue::Table(table) = item.get_ref() else { return Err(wrong(item)) };
            let mut entry = Section { place: Some(self.place(&item.span())), ..Section::default() };
            self.walk(table, list, &mut entry)?;
            section.lists.entry(list).or_default().push(entry);
        }
        Ok(())
    }

    fn value(&self, setting: &Setting, value: &Spanned<DeValue<'_>>) -> Result<Value, ConfigError> {
        let place = self.place(&value.span());
        let wrong = |found: &str| ConfigError::wrong(&place, setting.path, setting.kind, found);
        match (setting.kind, value.get_ref()) {
            (Kind::Text | Kind::Address | Kind::Path, DeValue::String(text)) => {
                Ok(Value::Text(text.clone().into_owned()))
            }
            (Kind::Secret, DeValue::String(text)) => {
                self.refuse_open(&place, !text.is_empty())?;
                Ok(Value::Secret(Secret::new(text.as_ref())))
            }
            (kind @ Kind::OneOf(_), DeValue::String(text)) => {
                from_text(kind, text).ok_or_else(|| wrong(&format!("{text:?}")))
            }
            (kind @ Kind::Number(..), DeValue::Integer(number)) => {
                let number_read = u64::from_str_radix(number.as_str(), number.radix()).ok();
                let value = number_read.and_then(|number| from_text(kind, &number.to_string()));
                value.ok_or_else(|| wrong(&number.to_string()))
            }
            (Kind::Switch, DeValue::Boolean(switch)) => Ok(Value::Switch(*switch)),
            (Kind::Texts, DeValue::Array(items)) => {
                let texts = items.iter().map(|item| {
                    let DeValue::String(text) = item.get_ref() else { return None };
                    Some(text.clone().into_owned())
                });
                let texts =
                    texts.collect::<Option<Vec<_>>>().ok_or_else(|| wrong("a list of other things"))?;
                // Addresses of servers with a password in them.
                self.refuse_open(&place, texts.iter().any(|text| text.contains('@')))?;
                Ok(Value::Texts(texts))
            }
            (_, found) => Err(wrong(found.type_str())),
        }
    }
}

fn insert(
    section: &mut Section,
    setting: &'static Setting,
    value: Value,
    place: Place,
) -> Result<(), ConfigError> {
    if section.values.contains_key(setting.path) {
        // TOML refuses a key given twice, so this is a secret given as text and as a file.
        let what = format!("both `{0}` and `{0}_file` are given; leave one out", setting.path);
        return Err(ConfigError::Invalid { place, what });
    }
    section.values.insert(setting.path, (value, place));
    Ok(())
}

/// A path as the settings mean it: relative to the directory of their file.
pub(super) fn beside(settings: &Path, path: &Path) -> PathBuf {
    settings.parent().map_or_else(|| path.to_owned(), |dir| dir.join(path))
}

/// The text of a secret's file, without the line break at its end.
fn read_secret(path: &Path, place: &Place) -> Result<Secret, ConfigError> {
    let text = private::read(path).map_err(|error| match error {
        error @ Private::Unreadable { .. } => {
            ConfigError::Invalid { place: place.clone(), what: format!("cannot read {error}") }
        }
        error @ Private::Open { .. } => ConfigError::Open { place: place.clone(), error: error.to_string() },
    })?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(text.strip_suffix('\r').unwrap_or(text)))
}

/// How alike two names must be for one to be proposed for the other.
const ALIKE: f64 = 0.5;

/// What to say after "unknown setting": the nearest name that is valid there, the same name elsewhere, or all names.
fn nearest(name: &str, prefix: &str) -> String {
    let inside = if prefix.is_empty() { String::new() } else { format!("{prefix}.") };
    let mut valid: Vec<String> = Vec::new();
    for setting in SETTINGS {
        let Some(rest) = setting.path.strip_prefix(&inside) else { continue };
        let first = rest.split('.').next().unwrap_or(rest);
        if !valid.iter().any(|v| v == first) {
            valid.push(first.to_owned());
        }
        if setting.kind == Kind::Secret && rest == first {
            valid.push(format!("{first}_file"));
        }
    }
    let likeness = |candidate: &str| strsim::normalized_damerau_levenshtein(candidate, name);
    let best = valid.iter().map(|v| (likeness(v), v)).max_by(|a, b| a.0.total_cmp(&b.0));
    let elsewhere = SETTINGS.iter().find(|s| s.name() == name);
    match (best, elsewhere) {
        (Some((1.0.., best)), _) => format!("did you mean `{inside}{best}`?"),
        (_, Some(setting)) => format!("did you mean `{}`?", setting.path),
        (Some((likeness, best)), None) if likeness >= ALIKE => format!("did you mean `{inside}{best}`?"),
        (_, None) => format!("valid here: {}", valid.join(", ")),
    }
}
