//! What is asked: one model, from which the bytes, the signature and the code of every language are made.

use std::fmt::Write as _;

use crate::actions::Action;
use crate::wire::{Kind, Param};

/// How it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Version 3.
    Tc3,
    /// Version 1 with SHA-1.
    Sha1,
    /// Version 1 with SHA-256.
    Sha256,
}

impl Scheme {
    pub(super) const ALL: [Scheme; 3] = [Scheme::Tc3, Scheme::Sha1, Scheme::Sha256];

    /// As SDKs call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Scheme::Tc3 => "TC3-HMAC-SHA256",
            Scheme::Sha1 => "HmacSHA1",
            Scheme::Sha256 => "HmacSHA256",
        }
    }

    pub(super) fn from_name(name: &str) -> Scheme {
        Scheme::ALL.into_iter().find(|scheme| scheme.name() == name).unwrap_or(Scheme::Tc3)
    }
}

/// How it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// In a body: JSON, or with version 1 a form.
    Post,
    /// In the query.
    Get,
}

impl Verb {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Verb::Post => "POST",
            Verb::Get => "GET",
        }
    }
}

/// Where it goes: to this server, as whoever asks reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) is_tls: bool,
    pub(super) host: String,
}

impl Endpoint {
    pub(super) const fn scheme(&self) -> &'static str {
        if self.is_tls { "https" } else { "http" }
    }
}

/// A value that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Number(u64),
    /// Also what should be a number and is none: to see what the server says to it is a use of the explorer.
    Text(String),
    Texts(Vec<String>),
}

#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) action: &'static Action,
    /// Those that are given, in the order of the table.
    pub(super) values: Vec<(&'static Param, Value)>,
    pub(super) region: String,
    pub(super) scheme: Scheme,
    pub(super) verb: Verb,
    pub(super) endpoint: Endpoint,
}

impl Request {
    /// The parameters as a JSON object.
    pub(super) fn json(&self) -> String {
        let mut json = String::from("{");
        for (at, (param, value)) in self.values.iter().enumerate() {
            // Writing to a string cannot fail.
            let _ = write!(json, "{}{}:{}", if at > 0 { "," } else { "" }, quote(param.name), value.json());
        }
        json + "}"
    }

    /// The parameters as names and texts; a list is `Name.0`, `Name.1` ….
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        for (param, value) in &self.values {
            match value {
                Value::Number(number) => pairs.push((param.name.to_owned(), number.to_string())),
                Value::Text(text) => pairs.push((param.name.to_owned(), text.clone())),
                Value::Texts(texts) => {
                    let entry = |(at, text): (usize, &String)| (format!("{}.{at}", param.name), text.clone());
                    pairs.extend(texts.iter().enumerate().map(entry));
                }
            }
        }
        pairs
    }

    /// The same as SDKs know it: they have no old names, and the types of the new ones.
    pub(super) fn modern(&self) -> Request {
        let Some(action) = self.action.replaced_by.and_then(Action::find) else { return self.clone() };
        let mut modern = Request { action, values: Vec::new(), ..self.clone() };
        for (param, value) in &self.values {
            let Some(param) = action.params.iter().find(|newer| newer.name == param.name) else { continue };
            let value = match value {
                Value::Text(text) if param.kind == Kind::Number => {
                    text.parse().map_or_else(|_| value.clone(), Value::Number)
                }
                Value::Number(_) | Value::Text(_) | Value::Texts(_) => value.clone(),
            };
            modern.values.push((param, value));
        }
        modern
    }
}

impl Value {
    pub(super) fn json(&self) -> String {
        match self {
            Value::Number(number) => number.to_string(),
            Value::Text(text) => quote(text),
            Value::Texts(texts) => {
                let texts: Vec<String> = texts.iter().map(|text| quote(text)).collect();
                format!("[{}]", texts.join(","))
            }
        }
    }

    /// Whether an SDK with types can hold it.
    pub(super) fn fits(&self, kind: Kind) -> bool {
        match (self, kind) {
            (Value::Number(_), Kind::Number | Kind::NumberOrText)
            | (Value::Text(_), Kind::Text | Kind::NumberOrText)
            | (Value::Texts(_), Kind::Texts) => true,
            (Value::Number(_) | Value::Text(_) | Value::Texts(_), _) => false,
        }
    }
}

/// A text as JSON has it.
pub(super) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
