//! Recorded HTTP deliveries, one JSON object a line: what a receiver wrote down, to be replayed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::bounds::{self, TEXT_BYTES_MAX};
use super::row::{Loose, Row, columns};
use crate::records::Millis;

columns! {
    /// The keys of a recorded delivery.
    Key {
        ArrivalMs = "arrival_ms",
        Headers = "headers",
        Body = "body",
        BodyBase64 = "body_base64",
        Note = "note",
        StatusReturned = "status_returned",
    }
}

/// One delivery as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// When it came; signatures and token times are verified as of then.
    pub arrival: Millis,
    /// The headers, in the order and spelling of the file.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: Vec<u8>,
    /// What the recorder found special about it.
    pub note: Option<String>,
    /// What the receiver answered.
    pub status_returned: Option<u64>,
}

impl Delivery {
    /// The value of the first header of this name, in whatever case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Reads one line; `None` for a blank one.
///
/// # Errors
/// What is wrong, where, and what would be right.
pub fn parse_line(line: &[u8]) -> Result<Option<Delivery>, String> {
    let line = bounds::delivery(line.trim_ascii())?;
    if line.is_empty() {
        return Ok(None);
    }
    let mut row = Row::<{ Key::COUNT }>::read::<Key>(line)?;
    let arrival = row
        .moment(Key::ArrivalMs, bounds::Unit::Milliseconds)?
        .ok_or("arrival_ms: missing; signatures are verified as of then")?;
    Ok(Some(Delivery {
        arrival,
        headers: headers(&mut row)?,
        body: body(&mut row)?,
        note: row.text(Key::Note, TEXT_BYTES_MAX)?.map(|note| note.into_owned()),
        status_returned: row.unsigned(Key::StatusReturned)?,
    }))
}

fn headers(row: &mut Row<'_, { Key::COUNT }>) -> Result<Vec<(String, String)>, String> {
    let value = row.take(Key::Headers);
    if value.is_absent() {
        return Ok(Vec::new());
    }
    let Loose::Object(fields) = value else {
        return Err(row.blame(Key::Headers, value.instead_of("an object of texts")));
    };
    let mut headers = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        let Loose::Text(value) = value else {
            return Err(format!("headers.{}: {}", bounds::shown(&name), value.instead_of("a text")));
        };
        headers.push((name.into_owned(), value.into_owned()));
    }
    Ok(headers)
}

/// The body from whichever of its two keys is there.
fn body(row: &mut Row<'_, { Key::COUNT }>) -> Result<Vec<u8>, String> {
    let text = row.text(Key::Body, usize::MAX)?;
    let encoded = row.text(Key::BodyBase64, usize::MAX)?;
    match (text, encoded) {
        (Some(_), Some(_)) => Err("body and body_base64: give one of them".to_owned()),
        (Some(text), None) => Ok(text.into_owned().into_bytes()),
        (None, Some(encoded)) => STANDARD
            .decode(encoded.as_bytes())
            .map_err(|error| row.blame(Key::BodyBase64, format!("not base64: {error}"))),
        (None, None) => Err("body: missing; a delivery needs body or body_base64".to_owned()),
    }
}
