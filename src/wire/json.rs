//! Parameters as a JSON object. Decoded straight into the table's places: no tree is built, so depth costs nothing,
//! and text without escapes is borrowed.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::params::{Param, Params, Raw, Slots};
use super::{ErrorCode, Fault, Text};

/// Decodes a body. At most `limit` keys and entries of a list are looked at; an action knows far fewer.
pub(super) fn decode<'a>(body: &'a [u8], table: &'static [Param], limit: usize) -> Result<Params<'a>, Fault> {
    let not_utf8 =
        |_| Fault::from(ErrorCode::BodyParamsError).and(Text::new("it is not UTF-8", "不是 UTF-8"));
    let text = std::str::from_utf8(body).map_err(not_utf8)?;
    let mut slots = Slots::new(table);
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(Object { slots: &mut slots, limit })
        .and_then(|()| json.end())
        .map_err(|error| Fault::about(ErrorCode::BodyParamsError, &[&error]))?;
    slots.finish(false)
}

/// The entries of a list that is one part of a multipart body; `None` if it is no JSON list.
pub(super) fn list(text: &str, limit: usize) -> Option<Raw<'_>> {
    let mut json = serde_json::Deserializer::from_str(text);
    let raw = Value { limit }.deserialize(&mut json).ok()?;
    json.end().ok()?;
    raw
}

struct Object<'s, 'a> {
    slots: &'s mut Slots<'a>,
    limit: usize,
}

impl<'de> Visitor<'de> for Object<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = 0_u32;
        let mut strange: Vec<Cow<'de, str>> = Vec::new();
        while let Some(key) = map.next_key_seed(Key)? {
            if let Some((place, _)) = self.slots.place(&key) {
                let bit = 1 << place;
                if seen & bit != 0 {
                    return Err(repeated(&key));
                }
                seen |= bit;
                if let Some(raw) = map.next_value_seed(Value { limit: self.limit })? {
                    self.slots.fill(place, raw);
                }
            } else {
                if strange.contains(&key) {
                    return Err(repeated(&key));
                }
                self.slots.unknown(&key);
                // Beyond this many the request is refused for the first of them anyway.
                if strange.len() < STRANGE_KEYS_MAX {
                    strange.push(key);
                }
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// Keys outside the table that are compared with each other.
const STRANGE_KEYS_MAX: usize = 32;

fn repeated<E: Error>(key: &str) -> E {
    let key: String = key.chars().take(64).collect();
    E::custom(format_args!("the key `{key}` is there twice"))
}

/// A text, borrowed where it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Cow<'de, str>, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// Any value, as far as a parameter can have it; `None` is `null`, which counts as absent.
struct Value {
    limit: usize,
}

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Option<Raw<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Option<Raw<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Some(Raw::Other))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(Raw::Number(number)))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Some(Raw::Other))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Some(Raw::Other))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Raw::Text(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Raw::Text(Cow::Owned(text.to_owned()))))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Some(Raw::Other))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while list.len() < self.limit {
            match seq.next_element_seed(Entry)? {
                Some(entry) => list.push(entry),
                None => return Ok(Some(Raw::List(list))),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Some(Raw::List(list)))
    }
}

/// An entry of a list: a text, or something else.
struct Entry;

impl<'de> DeserializeSeed<'de> for Entry {
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        // A list in a list is not kept: one entry is enough to know that it is no text.
        Ok(match (Value { limit: 1 }).deserialize(json)? {
            Some(Raw::Text(text)) => Some(text),
            Some(Raw::Number(_) | Raw::List(_) | Raw::Other) | None => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::wire::{ErrorCode, Kind, Param, Text};

    const TABLE: &[Param] = &[
        Param { name: "Name", kind: Kind::Text, required: true, meaning: Text::new("", "") },
        Param { name: "Size", kind: Kind::Number, required: false, meaning: Text::new("", "") },
        Param { name: "Users", kind: Kind::Texts, required: false, meaning: Text::new("", "") },
        Param { name: "Old", kind: Kind::NumberOrText, required: false, meaning: Text::new("", "") },
    ];

    fn check(body: &str, expected: Result<(), ErrorCode>) {
        let answer = super::decode(body.as_bytes(), TABLE, 1_000);
        assert_eq!(answer.map(|_| ()).map_err(|fault| fault.code), expected, "{body}");
    }

    #[test]
    fn types_are_strict() {
        use ErrorCode::{BodyParamsError, InvalidParameter, MissingParameter, UnknownParameter};
        check(r#"{"Name":"a","Size":18446744073709551615,"Users":["b"],"Old":"7"}"#, Ok(()));
        check(r#"{"Name":"a","Size":null,"Users":null,"Old":""}"#, Ok(()));
        check(r#" { "Name" : "\ud83d\ude00" , "Users":[] } "#, Ok(()));
        for size in ["18446744073709551616", "-1", "-0", "1.0", "1e3", "\"1\"", "true", "[]", "{}"] {
            check(&format!(r#"{{"Name":"a","Size":{size}}}"#), Err(InvalidParameter));
        }
        for name in ["1", "[]", "{\"a\":{}}", "false"] {
            check(&format!(r#"{{"Name":{name}}}"#), Err(InvalidParameter));
        }
        for users in ["\"a\"", "{}", "[1]", "[null]", "[[\"a\"]]", "[{}]"] {
            check(&format!(r#"{{"Name":"a","Users":{users}}}"#), Err(InvalidParameter));
        }
        check(r#"{"Name":"a","Old":"+7"}"#, Err(InvalidParameter));
        check(r#"{"Name":null}"#, Err(MissingParameter));
        check(r#"{"Size":1}"#, Err(MissingParameter));
        check(r#"{"name":"a"}"#, Err(UnknownParameter));
        check(r#"{"Other":1,"Size":"x"}"#, Err(UnknownParameter));
        for body in [
            "",
            "[]",
            "null",
            "1",
            "{",
            "{}x",
            "{\"Name\":}",
            "{\"Name\":\"a\",}",
            "{\"Name\":\"\\ud800\"}",
            r#"{"Name":"a","Name":"a"}"#,
            r#"{"Name":null,"Name":"a"}"#,
            r#"{"x":1,"x":2}"#,
            r#"{'Name':"a"}"#,
            "\u{feff}{}",
        ] {
            check(body, Err(BodyParamsError));
        }
        assert!(super::decode(b"{\"Name\":\"\xff\"}", TABLE, 9).is_err_and(|f| f.code == BodyParamsError));
    }

    #[test]
    fn depth_and_length_cost_nothing() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        check(&format!(r#"{{"Name":"a","Users":{}}}"#, deep(100_000)), Err(ErrorCode::BodyParamsError));
        check(&format!(r#"{{"Name":"a","x":{}}}"#, deep(100)), Err(ErrorCode::UnknownParameter));
        let many = format!(r#"{{"Name":"a","Users":[{}"b"]}}"#, "\"a\",".repeat(5_000));
        let params = super::decode(many.as_bytes(), TABLE, 1_000).unwrap();
        assert_eq!(params.texts("Users").len(), 1_000);
    }
}
