//! The same request as a program: one small renderer for each language, over one [`Sample`].
//!
//! Every value of a caller stands in a literal of its language, written by [`literal`] or [`shell`]; nothing else of a
//! caller gets into a sample.

mod cpp;
mod curl;
mod dotnet;
mod go;
mod http;
mod java;
mod node;
mod php;
mod python;
mod ruby;
mod tccli;

use std::fmt::Write as _;

use maud::{Markup, html};

use super::super::words::Lang;
use super::request::{Request, Value};
use super::sign::Signed;
use crate::wire::Param;

/// Stands for the public half of a key.
const SECRET_ID: &str = "YOUR_SECRET_ID";
/// Stands for the secret half of a key.
const SECRET_KEY: &str = "YOUR_SECRET_KEY";

/// What a sample is made of.
pub(super) struct Sample<'a> {
    /// The language of comments.
    pub(super) lang: Lang,
    /// The request as SDKs know it.
    pub(super) request: &'a Request,
    /// The action that was asked for, where SDKs no longer have it.
    pub(super) old_name: Option<&'static str>,
    /// The request with its signature, for what does not sign by itself.
    pub(super) signed: &'a Signed,
    /// Until when that holds.
    pub(super) holds_until: &'a str,
}

/// A language.
pub(super) struct Language {
    /// Its name in addresses and scripts.
    pub(super) id: &'static str,
    /// Its name.
    pub(super) name: &'static str,
    /// What a comment begins with; `""`: there are none.
    comment: &'static str,
    keywords: &'static [&'static str],
    render: fn(&Sample<'_>) -> String,
}

impl Language {
    pub(super) fn render(&self, sample: &Sample<'_>) -> String {
        (self.render)(sample)
    }
}

/// Every language, in the order of their tabs.
pub(super) static LANGUAGES: &[Language] = &[
    Language {
        id: "python",
        name: "Python",
        comment: "#",
        keywords: &["from", "import", "try", "except", "as"],
        render: python::render,
    },
    Language {
        id: "node",
        name: "Node.js",
        comment: "//",
        keywords: &["const", "require", "new"],
        render: node::render,
    },
    Language {
        id: "go",
        name: "Go",
        comment: "//",
        keywords: &["package", "import", "func", "if", "nil", "string"],
        render: go::render,
    },
    Language {
        id: "java",
        name: "Java",
        comment: "//",
        keywords: &["import", "public", "class", "static", "void", "throws", "new"],
        render: java::render,
    },
    Language {
        id: "php",
        name: "PHP",
        comment: "//",
        keywords: &["require_once", "use", "new", "try", "catch", "echo"],
        render: php::render,
    },
    Language {
        id: "dotnet",
        name: ".NET",
        comment: "//",
        keywords: &["using", "class", "static", "void", "new"],
        render: dotnet::render,
    },
    Language {
        id: "cpp",
        name: "C++",
        comment: "//",
        keywords: &["using", "namespace", "int", "auto", "if", "return", "include"],
        render: cpp::render,
    },
    Language {
        id: "ruby",
        name: "Ruby",
        comment: "#",
        keywords: &["require", "include", "begin", "rescue", "end", "puts"],
        render: ruby::render,
    },
    Language { id: "tccli", name: "tccli", comment: "#", keywords: &["export"], render: tccli::render },
    Language { id: "curl", name: "curl", comment: "#", keywords: &["curl"], render: curl::render },
    Language { id: "http", name: "HTTP", comment: "#", keywords: &["GET", "POST"], render: http::render },
];

/// How a language writes what must not stand as it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    /// `\n`, `\u202e`, pairs of surrogates: JSON's own, which Python, JavaScript and C# read too.
    Unicode,
    /// Go: `\u202e`, no pairs.
    Go,
    /// Java reads `\u000a` as the line end itself, so small ones are octal.
    Java,
    /// C++: bytes in octal, and `?` never twice in a row.
    Bytes,
}

/// What must not stand in a program as it is: it cannot be seen, or it changes how the rest is read.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A literal in double quotes.
fn literal(text: &str, escapes: Escapes) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '?' if escapes == Escapes::Bytes => out.push_str("\\?"),
            c if is_unseen(c) => escape(c, escapes, &mut out),
            c => out.push(c),
        }
    }
    out + "\""
}

fn escape(c: char, escapes: Escapes, out: &mut String) {
    let code = u32::from(c);
    // Writing to a string cannot fail.
    let _ = match escapes {
        Escapes::Java if code < 0x80 => write!(out, "\\{code:03o}"),
        Escapes::Bytes => {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().try_for_each(|byte| write!(out, "\\{byte:03o}"))
        }
        // All that are unseen have four digits.
        Escapes::Unicode | Escapes::Go | Escapes::Java => write!(out, "\\u{code:04x}"),
    };
}

/// A literal in single quotes, in which only quote and backslash mean something: PHP, Ruby.
fn single(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A word for a shell.
fn shell(text: &str) -> String {
    // No shell can pass a NUL.
    format!("'{}'", text.replace('\0', "").replace('\'', "'\\''"))
}

/// Lines of comment, where there is something to say.
fn comment(mark: &str, sample: &Sample<'_>) -> String {
    sample.old_name.map_or_else(String::new, |old| {
        let said = sample.lang.sample_old_name().replace("{0}", old);
        format!("{mark} {}\n", said.replace("{1}", sample.request.action.name))
    })
}

/// A line of comment for a value that the type of its parameter cannot hold.
fn unfit(mark: &str, lang: Lang, param: &Param, value: &Value) -> String {
    // A backslash in a comment still means something: to Java before an `u`, to C++ at the end of the line.
    let plain = |c: char| if is_unseen(c) || c == '\\' { '·' } else { c };
    let shown: String = value.json().chars().map(plain).take(60).collect();
    let said = lang.sample_unfit().replace("{0}", param.name);
    // What a caller wrote comes last: nothing in it is replaced.
    let said = said.replace("{1}", param.kind.name().of(lang.spoken())).replace("{2}", &shown);
    format!("{mark} {said}")
}

/// How a language with typed requests writes their values.
struct Typed<'a> {
    /// What a comment begins with.
    mark: &'a str,
    /// A value of another type cannot be sent.
    is_strict: bool,
    indent: &'a str,
    number: fn(u64) -> String,
    text: fn(&str) -> String,
    texts: fn(&[String]) -> String,
    /// Name and value to a statement.
    statement: fn(&str, &str) -> String,
}

impl Typed<'_> {
    /// A line for each parameter.
    fn lines(&self, lang: Lang, request: &Request) -> String {
        let line = |(param, value): &(&Param, Value)| {
            if self.is_strict && !value.fits(param.kind) {
                return format!("{}{}\n", self.indent, unfit(self.mark, lang, param, value));
            }
            let value = match value {
                Value::Number(number) => (self.number)(*number),
                Value::Text(text) => (self.text)(text),
                Value::Texts(texts) => (self.texts)(texts),
            };
            format!("{}{}\n", self.indent, (self.statement)(param.name, &value))
        };
        request.values.iter().map(line).collect()
    }
}

/// Literals, one after the other.
fn list(texts: &[String], literal: impl Fn(&str) -> String) -> String {
    let literals: Vec<String> = texts.iter().map(|text| literal(text)).collect();
    literals.join(", ")
}

/// A sample with its parts marked, so that it can be coloured: comments, texts, numbers, keywords.
pub(super) fn colour(language: &Language, code: &str) -> Markup {
    let mut rest = code;
    let mut parts: Vec<(&str, &str)> = Vec::new();
    while let Some(c) = rest.chars().next() {
        let is_comment = !language.comment.is_empty()
            && rest.starts_with(language.comment)
            && (parts.last().is_none_or(|(_, text)| text.ends_with(char::is_whitespace)));
        let (class, end) = if is_comment {
            ("c", rest.find('\n').unwrap_or(rest.len()))
        } else if c == '"' || c == '\'' {
            ("t", text_end(rest, c, matches!(language.id, "curl" | "tccli")))
        } else if c.is_ascii_digit() {
            ("n", rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len()))
        } else if c.is_alphabetic() || c == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            (if language.keywords.contains(&&rest[..end]) { "k" } else { "" }, end)
        } else {
            ("", c.len_utf8())
        };
        parts.push((class, &rest[..end]));
        rest = &rest[end..];
    }
    html! {
        @for (class, text) in parts { @if class.is_empty() { (text) } @else { span class=(class) { (text) } } }
    }
}

/// Where a literal ends. In a shell a backslash within single quotes is only itself.
fn text_end(rest: &str, quote: char, is_shell: bool) -> usize {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if !is_shell => is_escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests;
