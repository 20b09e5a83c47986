//! Facts about users that their source does not tell: the version of the SDK, the device, the address. One
//! JSON object, or one a line. They belong to the stay of that user in that room, of whatever source, that
//! covers their time; `docs/events.md` describes the fields.

use std::borrow::Cow;

use super::bounds;
use super::client::{Sender, Told};
use super::row::{Row, columns};
use super::{Head, Ingest, Parsed, Rejected, Terms, each_object};
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

/// Takes a body, of a back end or of the client of one user.
pub(super) fn take(ingest: &Ingest, head: &Head<'_>, body: &[u8]) -> Result<Parsed, Rejected> {
    let sender = Sender::of_header(&ingest.apps, head)?;
    let mut told = Told::default();
    if let Some(client) = sender.client() {
        client.check_body(body)?;
        told = client.told();
    }
    let terms = sender.terms(&ingest.apps);
    Ok(each_object(body, |object, parsed| {
        parsed.events.push(parse_line(terms, told, object, head.received)?);
        Ok(())
    }))
}

/// Reads a body: one object over however many lines, or one object a line.
pub fn parse(terms: Terms, body: &[u8], received: Millis) -> Parsed {
    each_object(body, |object, parsed| {
        parsed.events.push(parse_line(terms, Told::default(), object, received)?);
        Ok(())
    })
}

/// Reads one object. `received` is the time of receipt, which stands in where the object has no time; `told` stands in
/// for its room and user.
///
/// # Errors
/// What is wrong, where, and what would be right.
pub fn parse_line(terms: Terms, told: Told<'_>, line: &str, received: Millis) -> Result<Event, String> {
    let mut row = Row::<{ Key::COUNT }>::read::<Key>(line)?;
    let app = terms.app(row.unsigned(Key::App)?.map(AppId), "app")?;
    let told_room = told.room.map(|room| (Cow::Borrowed(room), false));
    let (room, room_is_number) = row.room(Key::Room)?.or(told_room).ok_or("room: missing")?;
    let user = row.id(Key::User)?.or(told.user.map(Cow::Borrowed)).ok_or("user: missing")?;
    for (key, id) in [("room", &room), ("user", &user)] {
        bounds::id(id).map_err(|what| format!("{key}: {what}"))?;
    }
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
