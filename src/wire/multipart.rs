//! Parameters as `multipart/form-data`: one part a parameter, everything as text; a list is one part that holds a
//! JSON list (Python, PHP), or parts `Name.0`, `Name.1` ….

use std::borrow::Cow;

use super::json;
use super::pairs::Gather;
use super::params::{Kind, Param, Params, Raw};
use super::{ErrorCode, Fault};

/// The boundary among the parameters of a content type; empty if there is none.
pub(super) fn boundary(parameters: &[u8]) -> &[u8] {
    for parameter in parameters.split(|&b| b == b';') {
        let parameter = parameter.trim_ascii();
        if let Some((name, value)) = parameter.split_at_checked(b"boundary=".len())
            && name.eq_ignore_ascii_case(b"boundary=")
        {
            let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
            return quoted.unwrap_or(value);
        }
    }
    b""
}

/// Decodes a body.
pub(super) fn decode<'a>(
    body: &'a [u8],
    boundary: &[u8],
    table: &'static [Param],
    limit: usize,
) -> Result<Params<'a>, Fault> {
    let malformed = || Fault::from(ErrorCode::InvalidRequest);
    let mut gather = Gather::new(table);
    let mut parts = Parts::begin(body, boundary).ok_or_else(malformed)?;
    let mut count = 0;
    while let Some((name, value)) = parts.next_part().ok_or_else(malformed)? {
        count += 1;
        if count > limit {
            return Err(malformed());
        }
        let raw = match gather.kind(name) {
            Some(Kind::Texts) => json::list(value, limit).unwrap_or(Raw::Other),
            Some(Kind::Number | Kind::NumberOrText | Kind::Text) | None => Raw::Text(Cow::Borrowed(value)),
        };
        gather.add(name, raw)?;
    }
    gather.finish()
}

/// What is left of a body; a boundary line has just been passed.
struct Parts<'a> {
    rest: &'a [u8],
    /// `\r\n--boundary`.
    delimiter: Vec<u8>,
}

impl<'a> Parts<'a> {
    /// Passes the first boundary, which begins the body or a line of it.
    fn begin(body: &'a [u8], boundary: &[u8]) -> Option<Parts<'a>> {
        if boundary.is_empty() {
            return None;
        }
        let delimiter = [b"\r\n--", boundary].concat();
        let rest = match body.strip_prefix(&delimiter[2..]) {
            Some(rest) => rest,
            None => &body[find(body, &delimiter)? + delimiter.len()..],
        };
        Some(Parts { rest, delimiter })
    }

    /// The next name and value; `Some(None)` at the end, `None` if the body is malformed.
    #[expect(clippy::option_option, reason = "the outer one is only for `?`")]
    fn next_part(&mut self) -> Option<Option<(&'a str, &'a str)>> {
        if self.rest.starts_with(b"--") {
            return Some(None);
        }
        let part = self.rest.strip_prefix(b"\r\n")?;
        let length = find(part, &self.delimiter)?;
        self.rest = &part[length + self.delimiter.len()..];
        let part = &part[..length];
        let (head, value) = match part.strip_prefix(b"\r\n") {
            Some(value) => (&b""[..], value),
            None => {
                let end = find(part, b"\r\n\r\n")?;
                (&part[..end], &part[end + 4..])
            }
        };
        Some(Some((part_name(std::str::from_utf8(head).ok()?)?, std::str::from_utf8(value).ok()?)))
    }
}

/// The `name` in a part's `Content-Disposition`.
fn part_name(head: &str) -> Option<&str> {
    let line = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim_ascii().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let mut parameters = line.split(';');
    if !parameters.next()?.trim_ascii().eq_ignore_ascii_case("form-data") {
        return None;
    }
    parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim_ascii();
        let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        name.trim_ascii().eq_ignore_ascii_case("name").then_some(quoted.unwrap_or(value))
    })
}

fn find(text: &[u8], sought: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = text.get(from..)?.iter().position(|b| Some(b) == sought.first()) {
        if text[from + at..].starts_with(sought) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{boundary, decode};
    use crate::wire::{ErrorCode, Kind, Param, Text};

    const TABLE: &[Param] = &[
        Param { name: "Name", kind: Kind::Text, required: true, meaning: Text::new("", "") },
        Param { name: "Size", kind: Kind::Number, required: false, meaning: Text::new("", "") },
        Param { name: "Users", kind: Kind::Texts, required: false, meaning: Text::new("", "") },
    ];

    fn check(body: &str, expected: Result<(&str, Option<u64>, usize), ErrorCode>) {
        let body = body.replace('\n', "\r\n");
        let answer = decode(body.as_bytes(), b"B", TABLE, 5).map(|params| {
            (params.text("Name").unwrap().to_owned(), params.number("Size"), params.texts("Users").len())
        });
        let expected = expected.map(|(name, size, users)| (name.to_owned(), size, users));
        assert_eq!(answer.map_err(|fault| fault.code), expected, "{body}");
    }

    fn part(name: &str, value: &str) -> String {
        format!("--B\nContent-Disposition: form-data; name=\"{name}\"\n\n{value}\n")
    }

    #[test]
    fn parts_become_parameters() {
        let name = part("Name", "a\n--b");
        check(&format!("{name}--B--\n"), Ok(("a\r\n--b", None, 0)));
        check(&format!("preamble\n{name}{}--B--", part("Size", "7")), Ok(("a\r\n--b", Some(7), 0)));
        let list = part("Users", "[\"a\", \"b\"]");
        check(&format!("{name}{list}--B--"), Ok(("a\r\n--b", None, 2)));
        let entries = part("Users.1", "a") + &part("Users.0", "b");
        check(&format!("{name}{entries}--B--"), Ok(("a\r\n--b", None, 2)));
        check(
            "--B\ncontent-disposition:form-data;name=Name;filename=x\nX: y\n\na\n--B--",
            Ok(("a", None, 0)),
        );
    }

    #[test]
    fn what_is_malformed_is_said_to_be() {
        use ErrorCode::{InvalidParameter, InvalidRequest, MissingParameter, UnknownParameter};
        let name = part("Name", "a");
        for body in [
            String::new(),
            "x".into(),
            "--A--".into(),
            "--B".into(),
            name.clone(),
            format!("{name}--B\n"),
            format!("{name}--Bx"),
            "--B\n\na\n--B--".into(),
            "--B\nX: y\n\na\n--B--".into(),
            "--B\nContent-Disposition: form-data; name=\"Name\"\n--B--".into(),
            name.repeat(6) + "--B--",
        ] {
            let expected = if body.starts_with(&name.repeat(2)) { InvalidParameter } else { InvalidRequest };
            check(&body, Err(expected));
        }
        check("--B--", Err(MissingParameter));
        check(&format!("{name}{}--B--", part("Users", "a")), Err(InvalidParameter));
        check(&format!("{name}{}--B--", part("Users", "[1]")), Err(InvalidParameter));
        check(&format!("{name}{}--B--", part("Size", "x")), Err(InvalidParameter));
        check(&format!("{name}{}--B--", part("Foo", "x")), Err(UnknownParameter));
        assert_eq!(decode(b"--B--", b"", TABLE, 5).unwrap_err().code, InvalidRequest);
    }

    #[test]
    fn the_boundary_is_found() {
        assert_eq!(boundary(b" boundary=abc"), b"abc");
        assert_eq!(boundary(b" charset=x; Boundary=\"a b\""), b"a b");
        assert_eq!(boundary(b"bound"), b"");
        assert_eq!(boundary(b""), b"");
    }
}
