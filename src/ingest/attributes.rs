//! Facts about users that their source does not tell: the version of the SDK, the device, the address. One
//! JSON object, or one a line. They belong to the stay of that user in that room, of whatever source, that
//! covers their time; `docs/events.md` describes the fields.

use super::bounds::{self, LINES_MAX};
use super::row::{Row, columns};
use super::{Parsed, Terms, each_line};
use crate::records::{AppId, Attr, Event, Kind, Millis};

/// What [`Event::source`] is for attributes.
pub const SOURCE: &str = "attributes";

columns! {
    /// The keys of an attributes object.
    Key {
        App = "app",
        Room = "room",
        User = "user",
        Visit = "visit",
        AtMs = "at_ms",
        AtS = "at_s",
        SdkVersion = "sdk_version",
        Device = "device",
        ClientIp = "client_ip",
        Os = "os",
        ClientType = "client_type",
        Display = "display",
    }
}

/// The keys that are attributes.
const ATTRS: [(Key, Attr); 6] = [
    (Key::SdkVersion, Attr::SdkVersion),
    (Key::Device, Attr::Device),
    (Key::ClientIp, Attr::ClientIp),
    (Key::Os, Attr::Os),
    (Key::ClientType, Attr::ClientType),
    (Key::Display, Attr::Display),
];

/// Reads a body: one object over however many lines, or one object a line.
pub fn parse(terms: Terms, body: &[u8], received: Millis) -> Parsed {
    if is_one_object(body) {
        let mut parsed = Parsed::default();
        match bounds::line(body.trim_ascii()).and_then(|object| parse_line(terms, object, received)) {
            Ok(event) => parsed.events.push(event),
            Err(why) => parsed.refuse(1, why),
        }
        return parsed;
    }
    each_line(body, LINES_MAX, |line, parsed| {
        parsed.events.push(parse_line(terms, line, received)?);
        Ok(())
    })
}

/// Whether a first line is only the beginning of an object.
fn is_one_object(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    let first = body.split(|byte| *byte == b'\n').next().unwrap_or_default();
    first.len() < body.len()
        && serde_json::from_slice::<serde::de::IgnoredAny>(first).is_err_and(|error| error.is_eof())
}

/// Reads one object. `received` is the time of receipt, which stands in where the object has no time.
///
/// # Errors
/// What is wrong, where, and what would be right.
pub fn parse_line(terms: Terms, line: &str, received: Millis) -> Result<Event, String> {
    let mut row = Row::<{ Key::COUNT }>::read::<Key>(line)?;
    let app = terms.app(row.unsigned(Key::App)?.map(AppId), "app")?;
    let (room, room_is_number) = row.room(Key::Room)?.ok_or("room: missing")?;
    let user = row.id(Key::User)?.ok_or("user: missing")?;
    let (at, at_in_seconds) = row.moment_in(Key::AtMs, Key::AtS)?.unwrap_or((received, false));
    let mut event = Event::new(app, SOURCE, &room, &user, Kind::Attributes, at);
    event.room_is_number = room_is_number;
    event.at_in_seconds = at_in_seconds;
    event.received = received;
    event.visit = row.id(Key::Visit)?.map(|visit| visit.into_owned());
    for (key, attr) in ATTRS {
        row.attr(key, attr, &mut event.attrs)?;
    }
    if event.attrs.is_empty() {
        return Err(
            "no attribute: expected at least one of sdk_version, device, client_ip, os, client_type, display"
                .to_owned(),
        );
    }
    terms.client_ip.apply(&mut event);
    Ok(event)
}
