//! Neutral events and measurements: one JSON object a line, the same that [`super::export::event`] and
//! [`super::export::samples`] write. `docs/events.md` describes the fields.

use super::bounds::{LINES_MAX, RAW_BYTES_MAX, TEXT_BYTES_MAX, Unit, nearest, shown};
use super::row::{Loose, Row, attr_text, columns};
use super::words::{self, KindWord, Shape, Worded};
use super::{Parsed, Terms, each_line, samples};
use crate::records::{AppId, Attr, Attrs, Event, Kind, Millis, Reason, ReasonClass, Track};

/// What [`Event::source`] is where the sender names none.
pub const SOURCE: &str = "events";

columns! {
    /// The keys of a line.
    pub(super) Key {
        App = "app",
        Source = "source",
        Instance = "instance",
        Room = "room",
        Life = "life",
        User = "user",
        Visit = "visit",
        Kind = "kind",
        Media = "media",
        JoinSource = "join_source",
        LeaveSource = "leave_source",
        Name = "name",
        Raw = "raw",
        AtMs = "at_ms",
        AtS = "at_s",
        Seq = "seq",
        Id = "id",
        JoinHintMs = "join_hint_ms",
        CreateHintMs = "create_hint_ms",
        Reason = "reason",
        ReasonRaw = "reason_raw",
        Attrs = "attrs",
        ReceivedMs = "received_ms",
        Peer = "peer",
        Connection = "connection",
        Values = "values",
    }
}

pub(super) type Line<'a> = Row<'a, { Key::COUNT }>;

/// Reads a whole body. Blank lines are passed over, good lines kept, each refused line told.
pub fn parse(terms: Terms, body: &[u8], received: Millis) -> Parsed {
    each_line(body, LINES_MAX, |line, parsed| {
        let mut row = Line::read::<Key>(line)?;
        let app = terms.app(row.unsigned(Key::App)?.map(AppId), "app")?;
        let word = row.text(Key::Kind, usize::MAX)?.ok_or("kind: missing")?;
        if word == words::SAMPLES {
            parsed.samples.push(samples::series(&mut row, app)?);
        } else {
            let word = words::kind(&word).map_err(|what| row.blame(Key::Kind, what))?;
            parsed.events.push(event(row, terms, app, word, received)?);
        }
        Ok(())
    })
}

/// An event. `received` is the time of receipt, where the line brings none of its own (`received_ms`).
fn event(
    mut row: Line<'_>,
    terms: Terms,
    app: AppId,
    word: KindWord,
    received: Millis,
) -> Result<Event, String> {
    let kind = kind(&mut row, word.shape)?;
    let (room, room_is_number) = room(&mut row, word)?;
    let user = row.id(Key::User)?.unwrap_or_default();
    if word.needs_user && user.is_empty() {
        return Err(format!("user: missing; an event of kind {} concerns a user", word.word));
    }
    let (at, at_in_seconds) =
        row.moment_in(Key::AtMs, Key::AtS)?.ok_or("at_ms: missing; an event needs at_ms or at_s")?;
    let received = row.unsigned(Key::ReceivedMs)?.map_or(Ok(received), |ms| {
        i64::try_from(ms).map(Millis).map_err(|_| format!("received_ms: {ms} is above 2^63-1"))
    })?;
    let source = row.id(Key::Source)?;
    let mut event = Event {
        app,
        source: source.map_or_else(|| SOURCE.to_owned(), |source| source.into_owned()),
        instance: row.id(Key::Instance)?.unwrap_or_default().into_owned(),
        room,
        room_is_number,
        life: row.id(Key::Life)?.map(|life| life.into_owned()),
        user: user.into_owned(),
        visit: row.id(Key::Visit)?.map(|visit| visit.into_owned()),
        kind,
        at,
        at_in_seconds,
        received,
        seq: row.unsigned(Key::Seq)?,
        id: row.id(Key::Id)?.unwrap_or_default().into_owned(),
        join_hint: row.moment(Key::JoinHintMs, Unit::Milliseconds)?,
        create_hint: row.moment(Key::CreateHintMs, Unit::Milliseconds)?,
        reason: reason(&mut row)?,
        attrs: attrs(&mut row)?,
    };
    terms.client_ip.apply(&mut event);
    Ok(event)
}

/// The kind with what it carries; what belongs to another kind is refused.
fn kind(row: &mut Line<'_>, shape: Shape) -> Result<Kind, String> {
    let kind = match shape {
        Shape::RoomCreated => Kind::RoomCreated,
        Shape::RoomDestroyed => Kind::RoomDestroyed,
        Shape::UserJoined => Kind::UserJoined,
        Shape::UserLeft => Kind::UserLeft,
        Shape::UserChanged => Kind::UserChanged,
        Shape::Media => media(row.take(Key::Media)).map_err(|what| row.blame(Key::Media, what))?,
        Shape::EmitterReset => Kind::EmitterReset,
        Shape::Attributes => Kind::Attributes,
        Shape::Unknown => Kind::Unknown {
            name: row.text(Key::Name, TEXT_BYTES_MAX)?.unwrap_or_default().into_owned(),
            raw: row.text(Key::Raw, RAW_BYTES_MAX)?.unwrap_or_default().into_owned(),
        },
        Shape::RecordJoined => Kind::RecordJoined(row.word(Key::JoinSource)?.ok_or("join_source: missing")?),
        Shape::RecordLeft => Kind::RecordLeft(row.word(Key::LeaveSource)?.ok_or("leave_source: missing")?),
    };
    for (key, owner) in [
        (Key::Media, "media"),
        (Key::JoinSource, "record_joined"),
        (Key::LeaveSource, "record_left"),
        (Key::Name, "unknown"),
        (Key::Raw, "unknown"),
        (Key::Peer, words::SAMPLES),
        (Key::Connection, words::SAMPLES),
        (Key::Values, words::SAMPLES),
    ] {
        if row.has(key) {
            return Err(row.blame(key, format!("only a line of kind {owner} has it")));
        }
    }
    Ok(kind)
}

/// `{"track": "audio", "on": true}`.
fn media(value: Loose<'_>) -> Result<Kind, String> {
    const EXPECTED: &str = "{\"track\": \"audio\", \"on\": true}";
    let Loose::Object(fields) = value else { return Err(value.instead_of(EXPECTED)) };
    let mut track: Option<Track> = None;
    let mut on = None;
    for (key, value) in fields {
        match (key.as_ref(), value) {
            ("track", _) if track.is_some() => return Err("track: given twice".to_owned()),
            ("on", _) if on.is_some() => return Err("on: given twice".to_owned()),
            ("track", Loose::Text(word)) => {
                track = Some(Track::of(&word).map_err(|what| format!("track: {what}"))?)
            }
            ("on", Loose::Bool(value)) => on = Some(value),
            ("track", other) => return Err(format!("track: {}", other.instead_of("a text"))),
            ("on", other) => return Err(format!("on: {}", other.instead_of("true or false"))),
            (key, _) => {
                let near = nearest(key, ["track", "on"].into_iter());
                return Err(format!("unknown key {}{near}", shown(key)));
            }
        }
    }
    match (track, on) {
        (Some(track), Some(on)) => Ok(Kind::Media { track, on }),
        (None, _) => Err(format!("track: missing; expected {EXPECTED}")),
        (_, None) => Err(format!("on: missing; expected {EXPECTED}")),
    }
}

/// The room's name, and whether it was written as a number.
fn room(row: &mut Line<'_>, word: KindWord) -> Result<(String, bool), String> {
    let room = row.room(Key::Room)?;
    match room {
        Some(_) if word.shape == Shape::EmitterReset => {
            Err("room: an emitter_reset concerns all rooms of its instance; leave room out".to_owned())
        }
        Some((room, is_number)) => Ok((room.into_owned(), is_number)),
        None if word.needs_room => {
            Err(format!("room: missing; an event of kind {} concerns a room", word.word))
        }
        None => Ok((String::new(), false)),
    }
}

fn reason(row: &mut Line<'_>) -> Result<Option<Reason>, String> {
    let class: Option<ReasonClass> = row.word(Key::Reason)?;
    let raw = row.text(Key::ReasonRaw, TEXT_BYTES_MAX)?;
    if class.is_none() && raw.is_none() {
        return Ok(None);
    }
    Ok(Some(Reason {
        class: class.unwrap_or(ReasonClass::Unknown),
        raw: raw.map_or_else(String::new, |raw| raw.into_owned()),
    }))
}

fn attrs(row: &mut Line<'_>) -> Result<Attrs, String> {
    let value = row.take(Key::Attrs);
    if value.is_absent() {
        return Ok(Attrs::new());
    }
    let Loose::Object(fields) = value else {
        return Err(row.blame(Key::Attrs, value.instead_of("an object of texts")));
    };
    let mut attrs = Attrs::new();
    for (key, value) in fields {
        let Ok(attr) = Attr::of(&key) else {
            let near = nearest(&key, Attr::WORDS.iter().map(|(word, _)| *word));
            return Err(format!("attrs: unknown key {}{near}", shown(&key)));
        };
        let value = attr_text(value).map_err(|what| format!("attrs.{key}: {what}"))?;
        if let Some(text) = value
            && attrs.insert(attr, text).is_some()
        {
            return Err(format!("attrs.{key}: given twice"));
        }
    }
    Ok(attrs)
}
