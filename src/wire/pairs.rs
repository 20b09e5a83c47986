//! Parameters as `name=value&…`, in a query or a form.

use std::borrow::Cow;

use super::params::{Kind, Param, Params, Raw, Slots};
use super::{ErrorCode, Fault, Text};

/// A decoded name and value.
pub(super) type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Decodes a query or a form: `+` is a blank, `%` begins two digits, all of it UTF-8.
pub(super) fn decode(encoded: &[u8], limit: usize) -> Result<Vec<Pair<'_>>, Fault> {
    let refused = |why: Text| Fault::from(ErrorCode::UrlParamsError).and(why);
    let mut pairs = Vec::new();
    for part in encoded.split(|&b| b == b'&').filter(|part| !part.is_empty()) {
        if pairs.len() == limit {
            return Err(refused(Text::new("there are too many parameters", "参数过多")));
        }
        let at = part.iter().position(|&b| b == b'=');
        let (name, value) = at.map_or((part, &b""[..]), |at| (&part[..at], &part[at + 1..]));
        let wrong = || {
            refused(Text::new(
                "a `%` without two digits, or not UTF-8",
                "`%` 之后不是两位十六进制数，或不是 UTF-8",
            ))
        };
        pairs.push((unescape(name).ok_or_else(wrong)?, unescape(value).ok_or_else(wrong)?));
    }
    Ok(pairs)
}

fn unescape(text: &[u8]) -> Option<Cow<'_, str>> {
    if !text.iter().any(|b| matches!(b, b'%' | b'+')) {
        return std::str::from_utf8(text).ok().map(Cow::Borrowed);
    }
    let digit = |b: Option<&u8>| char::from(*b?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => digit(rest.next())? << 4 | digit(rest.next())?,
            _ => byte,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// A parameter given twice could be signed in two orders, so it is refused before anything is verified.
pub(super) fn refuse_repeats(pairs: &[Pair<'_>]) -> Result<(), Fault> {
    let mut names: Vec<&str> = pairs.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(repeated(&pair[0])),
        None => Ok(()),
    }
}

pub(super) fn repeated(name: &dyn std::fmt::Display) -> Fault {
    let message = Text::new("The parameter `{0}` is given more than once.", "参数 `{0}` 重复。");
    Fault::own(ErrorCode::InvalidParameter, message, &[name])
}

/// The parameters of an action. A list is `Name.0`, `Name.1` …, in any order, gaps allowed.
pub(super) fn parameters<'a>(
    pairs: impl Iterator<Item = Pair<'a>>,
    table: &'static [Param],
) -> Result<Params<'a>, Fault> {
    let mut gather = Gather::new(table);
    for (name, value) in pairs {
        gather.add(&name, Raw::Text(value))?;
    }
    gather.finish()
}

/// An entry of a list: the place of the list in the table, its number, its text.
type Entry<'a> = (usize, u64, Option<Cow<'a, str>>);

/// Gathers named values, lists entry by entry.
pub(super) struct Gather<'a> {
    slots: Slots<'a>,
    entries: Vec<Entry<'a>>,
}

impl<'a> Gather<'a> {
    pub(super) fn new(table: &'static [Param]) -> Gather<'a> {
        Gather { slots: Slots::new(table), entries: Vec::new() }
    }

    /// The kind of a parameter, if the table has it.
    pub(super) fn kind(&self, name: &str) -> Option<Kind> {
        self.slots.place(name).map(|(_, kind)| kind)
    }

    pub(super) fn add(&mut self, name: &str, raw: Raw<'a>) -> Result<(), Fault> {
        if let Some((place, _)) = self.slots.place(name) {
            return self.slots.fill(place, raw).map_or(Ok(()), |_| Err(repeated(&name)));
        }
        let entry = name.rsplit_once('.').and_then(|(list, number)| {
            let (place, kind) = self.slots.place(list)?;
            let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
            Some((place, number.parse().ok().filter(|_| plain && kind == Kind::Texts)?))
        });
        match (entry, raw) {
            (Some((place, number)), Raw::Text(text)) => self.entries.push((place, number, Some(text))),
            (Some((place, number)), Raw::Number(_) | Raw::List(_) | Raw::Other) => {
                self.entries.push((place, number, None));
            }
            (None, _) => self.slots.unknown(name),
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Params<'a>, Fault> {
        self.entries.sort_by_key(|(place, number, _)| (*place, *number));
        let mut entries = self.entries.into_iter().peekable();
        while let Some((place, mut last, text)) = entries.next() {
            let mut list = vec![text];
            while let Some((_, number, text)) = entries.next_if(|(other, ..)| *other == place) {
                if number == last {
                    return Err(repeated(&format_args!("an entry of a list, number {number}")));
                }
                last = number;
                list.push(text);
            }
            if self.slots.fill(place, Raw::List(list)).is_some() {
                return Err(repeated(&"a list, whole and by entries"));
            }
        }
        self.slots.finish(true)
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, parameters, refuse_repeats};
    use crate::wire::{ErrorCode, Kind, Param, Text};

    const TABLE: &[Param] = &[
        Param { name: "Name", kind: Kind::Text, required: true, meaning: Text::new("", "") },
        Param { name: "Size", kind: Kind::Number, required: false, meaning: Text::new("", "") },
        Param { name: "Users", kind: Kind::Texts, required: false, meaning: Text::new("", "") },
    ];

    fn check(query: &str, expected: Result<(&str, Option<u64>, &[&str]), ErrorCode>) {
        let answer = decode(query.as_bytes(), 12).and_then(|pairs| {
            parameters(pairs.into_iter(), TABLE).map(|params| {
                let users: Vec<String> = params.texts("Users").iter().map(ToString::to_string).collect();
                (params.text("Name").unwrap().to_owned(), params.number("Size"), users)
            })
        });
        let expected = expected.map(|(name, size, users)| {
            (name.to_owned(), size, users.iter().map(ToString::to_string).collect::<Vec<_>>())
        });
        assert_eq!(answer.map_err(|fault| fault.code), expected, "{query}");
    }

    #[test]
    fn lists_are_ordered_by_number_and_may_have_gaps() {
        check("Name=a&Users.10=z&Users.2=y&Users.0=x&Size=7", Ok(("a", Some(7), &["x", "y", "z"])));
        check("Name=%7Ea*%20b+c&", Ok(("~a* b c", None, &[])));
        check("Name", Ok(("", None, &[])));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        use ErrorCode::{InvalidParameter, MissingParameter, UnknownParameter, UrlParamsError};
        check("Name=a&Name=a", Err(InvalidParameter));
        check("Name=a&Users.0=a&Users.00=b", Err(InvalidParameter));
        check("Name=a&Users=b", Err(InvalidParameter));
        check("Name=a&Users=b&Users.0=b", Err(InvalidParameter));
        for size in ["", "-1", "1.0", "x", "+1", " 1", "18446744073709551616"] {
            check(
                &format!("Name=a&Size={}", size.replace('+', "%2B").replace(' ', "+")),
                Err(InvalidParameter),
            );
        }
        check("Name=a&Users.x=b", Err(UnknownParameter));
        check("Name=a&Users.=b", Err(UnknownParameter));
        check("Name=a&Size.0=1", Err(UnknownParameter));
        check("Size=1", Err(MissingParameter));
        check("", Err(MissingParameter));
        for bad in ["Name=%", "Name=%4", "Name=%zz", "Name=%ff", "%ff=1"] {
            check(bad, Err(UrlParamsError));
        }
        check(&"Name=a&".repeat(13), Err(UrlParamsError));
        assert!(refuse_repeats(&decode(b"a=1&b=2&%61=3", 9).unwrap()).is_err());
        assert!(refuse_repeats(&decode(b"a=1&b=2&A=3", 9).unwrap()).is_ok());
    }
}
