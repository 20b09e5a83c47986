//! Writes what [`super::lines`] and [`super::records`] read, so that an export that is imported into an empty
//! store and exported again is the same bytes: one order of fields, one spelling of each value, nothing that
//! depends on when it is written.

use std::io::Write as _;

use super::words::{self, Worded};
use crate::records::{Event, Kind, Millis};

/// An event as a line of [`super::lines`], its newline included.
pub fn event(out: &mut Vec<u8>, event: &Event) {
    let mut line = Line::begin(out);
    line.number("app", event.app.0);
    line.text("source", &event.source);
    line.filled("instance", &event.instance);
    if event.room_is_number
        && let Some(number) = canonical_number(&event.room)
    {
        line.number("room", number);
    } else {
        line.filled("room", &event.room);
    }
    line.optional("life", event.life.as_deref());
    line.filled("user", &event.user);
    line.optional("visit", event.visit.as_deref());
    kind(&mut line, &event.kind);
    if event.at_in_seconds && event.at.0.rem_euclid(1_000) == 0 {
        line.signed("at_s", event.at.secs());
    } else {
        line.moment("at_ms", event.at);
    }
    if let Some(seq) = event.seq {
        line.number("seq", seq);
    }
    line.filled("id", &event.id);
    if let Some(at) = event.join_hint {
        line.moment("join_hint_ms", at);
    }
    if let Some(at) = event.create_hint {
        line.moment("create_hint_ms", at);
    }
    if let Some(reason) = &event.reason {
        line.text("reason", reason.class.word());
        line.filled("reason_raw", &reason.raw);
    }
    if !event.attrs.is_empty() {
        line.key("attrs");
        let mut attrs = Line::begin(line.out);
        for (attr, value) in &event.attrs {
            attrs.text(attr.word(), value);
        }
        attrs.end();
    }
    line.moment("received_ms", event.received);
    line.end();
    out.push(b'\n');
}

/// The kind and what it carries.
fn kind(line: &mut Line<'_>, kind: &Kind) {
    line.text("kind", words::kind_word(kind));
    match kind {
        Kind::Media { track, on } => {
            line.key("media");
            let mut media = Line::begin(line.out);
            media.text("track", track.word());
            media.key("on");
            media.out.extend_from_slice(if *on { b"true" } else { b"false" });
            media.end();
        }
        Kind::Unknown { name, raw } => {
            line.filled("name", name);
            line.filled("raw", raw);
        }
        Kind::RecordJoined(source) => line.text("join_source", source.word()),
        Kind::RecordLeft(source) => line.text("leave_source", source.word()),
        Kind::RoomCreated
        | Kind::RoomDestroyed
        | Kind::UserJoined
        | Kind::UserLeft
        | Kind::UserChanged
        | Kind::EmitterReset
        | Kind::Attributes => {}
    }
}

/// The number whose decimal text this is, if it is one that reads back as the same text.
fn canonical_number(text: &str) -> Option<u64> {
    text.parse::<u64>().ok().filter(|number| number.to_string() == text)
}

/// A JSON object while it is written.
struct Line<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Line<'a> {
    fn begin(out: &'a mut Vec<u8>) -> Line<'a> {
        out.push(b'{');
        Line { out, first: true }
    }

    fn end(self) {
        self.out.push(b'}');
    }

    /// A key of ours, which needs no escaping.
    fn key(&mut self, key: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        serde_json::to_writer(&mut *self.out, value).expect("a text can be written into memory");
    }

    /// A text that is left out when empty.
    fn filled(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.text(key, value);
        }
    }

    fn optional(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        write!(self.out, "{value}").expect("a number can be written into memory");
    }

    fn signed(&mut self, key: &str, value: i64) {
        self.key(key);
        write!(self.out, "{value}").expect("a number can be written into memory");
    }

    fn moment(&mut self, key: &str, at: Millis) {
        self.signed(key, at.0);
    }
}
