//! What the event handler sends, as it is written. All versions since 0.15 are read; fields and values that are not
//! known are passed over, and of a field that is known but has another shape only the field.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ingest::bounds::{self, Unit};
use crate::ingest::row::{Loose, json_trouble};
use crate::records::Millis;

/// Streams of one event that are looked at.
const STREAMS_MAX: usize = 256;

/// The bodies of the events in a delivery: one object, or a list of them where the handler groups.
///
/// # Errors
/// What is wrong with the whole, so that there is nothing to take from it.
pub(super) fn events(body: &str) -> Result<Vec<&RawValue>, String> {
    let body = body.trim_ascii();
    let read = match body.bytes().next() {
        Some(b'[') => serde_json::from_str(body),
        Some(b'{') => serde_json::from_str(body).map(|event| vec![event]),
        Some(_) => return Err("expected a JSON object, or a list of them".to_owned()),
        None => return Err("empty, expected a JSON object, or a list of them".to_owned()),
    };
    read.map_err(|error| json_trouble(&error))
}

/// Reads an object; a list, which serde would take by position, is none.
fn object<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, String> {
    if !json.trim_ascii_start().starts_with('{') {
        return Err("expected a JSON object".to_owned());
    }
    serde_json::from_str(json).map_err(|error| json_trouble(&error))
}

/// The envelope that all events share.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    emitter: Loose<'a>,
    #[serde(rename = "type", borrow, default)]
    kind: Loose<'a>,
    #[serde(borrow, default)]
    timestamp: Loose<'a>,
    #[serde(borrow, default)]
    session_id: Loose<'a>,
    #[serde(borrow, default)]
    handle_id: Loose<'a>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
}

/// One event behind its envelope.
pub(super) struct Told<'a> {
    /// `server_name` of the sender, or `""`.
    pub(super) emitter: String,
    /// The number of its kind.
    pub(super) kind: u64,
    /// When it happened, in microseconds since 1970.
    pub(super) micros: u64,
    /// The millisecond that contains it.
    pub(super) at: Millis,
    /// The session, 0 where there is none.
    pub(super) session: u64,
    /// The handle, 0 where there is none.
    pub(super) handle: u64,
    /// What is told.
    event: &'a str,
    /// The whole of it.
    pub(super) raw: &'a str,
}

impl<'a> Told<'a> {
    /// Reads one event.
    ///
    /// # Errors
    /// What is wrong with it, where, and what would be right.
    pub(super) fn read(raw: &'a str) -> Result<Told<'a>, String> {
        let envelope: Envelope<'a> = object(raw)?;
        let kind = number(&envelope.kind).ok_or_else(|| wanted("type", &envelope.kind, "a whole number"))?;
        let micros = number(&envelope.timestamp)
            .ok_or_else(|| wanted("timestamp", &envelope.timestamp, "microseconds since 1970"))?;
        let at = bounds::moment(micros / 1_000, Unit::Milliseconds)
            .map_err(|what| format!("timestamp, in microseconds: divided by 1,000 {what}"))?;
        let emitter = text(&envelope.emitter).unwrap_or_default().to_owned();
        if emitter.is_empty() && !envelope.emitter.is_absent() {
            return Err(wanted("emitter", &envelope.emitter, "a text"));
        }
        bounds::id(&emitter).map_err(|what| format!("emitter: {what}"))?;
        Ok(Told {
            emitter,
            kind,
            micros,
            at,
            session: number(&envelope.session_id).unwrap_or_default(),
            handle: number(&envelope.handle_id).unwrap_or_default(),
            event: envelope.event.map_or("{}", RawValue::get),
            raw,
        })
    }

    /// What is told, as a structure of its kind; one without values where it has another shape.
    pub(super) fn event<T: Deserialize<'a> + Default>(&self) -> T {
        object(self.event).unwrap_or_default()
    }

    /// What is told, as a list of objects; a single one is a list of one (`combine_media_stats`).
    pub(super) fn each<T: Deserialize<'a>>(&self) -> Vec<T> {
        if self.event.starts_with('[') { list(self.event) } else { object(self.event).into_iter().collect() }
    }
}

/// The objects of a list that have the shape that is wanted.
fn list<'a, T: Deserialize<'a>>(json: &'a str) -> Vec<T> {
    let items: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
    items.into_iter().take(STREAMS_MAX).filter_map(|item| object(item.get()).ok()).collect()
}

/// What a session, a handle, a connection, a transport or the core tells.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Plain<'a> {
    /// `created`, `destroyed`, `timeout`, `attached`, `detached`.
    #[serde(borrow)]
    pub(super) name: Loose<'a>,
    /// `{"id": …}` of a session, a name of a transport's event.
    #[serde(borrow)]
    pub(super) transport: Loose<'a>,
    /// The id of a transport's connection or request.
    #[serde(borrow)]
    pub(super) id: Loose<'a>,
    /// `{"ip": …}` of a transport.
    #[serde(borrow)]
    pub(super) data: Loose<'a>,
    /// `192.0.2.1:4 [host,udp] <-> 192.0.2.2:5 [host,udp]`, ours and theirs.
    #[serde(rename = "selected-pair", borrow)]
    pub(super) selected_pair: Loose<'a>,
    /// `started` or `shutdown`.
    #[serde(borrow)]
    pub(super) status: Loose<'a>,
}

/// What a plugin tells.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Plugin<'a> {
    #[serde(borrow)]
    plugin: Loose<'a>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl<'a> Told<'a> {
    /// The plugin that tells it and what it tells.
    pub(super) fn plugin(&self) -> (String, Data<'a>) {
        let told: Plugin<'a> = self.event();
        let data = told.data.map(|data| object(data.get()).unwrap_or_default()).unwrap_or_default();
        (text(&told.plugin).unwrap_or_default().to_owned(), data)
    }
}

/// What VideoRoom tells.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Data<'a> {
    #[serde(borrow)]
    pub(super) event: Loose<'a>,
    #[serde(borrow)]
    pub(super) room: Loose<'a>,
    #[serde(borrow)]
    pub(super) id: Loose<'a>,
    #[serde(borrow)]
    pub(super) private_id: Loose<'a>,
    #[serde(borrow)]
    pub(super) display: Loose<'a>,
    /// Whose media this handle gets, before there were several.
    #[serde(borrow)]
    pub(super) feed: Loose<'a>,
    #[serde(borrow)]
    streams: Option<&'a RawValue>,
}

impl<'a> Data<'a> {
    /// The streams that it lists.
    pub(super) fn streams(&self) -> Vec<Stream<'a>> {
        self.streams.map(|streams| list(streams.get())).unwrap_or_default()
    }
}

/// One stream of a participant, or to one.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Stream<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Loose<'a>,
    #[serde(borrow)]
    pub(super) mid: Loose<'a>,
    #[serde(borrow)]
    pub(super) feed_id: Loose<'a>,
    #[serde(borrow)]
    pub(super) disabled: Loose<'a>,
}

/// What is measured of one stream. Counts are of the whole connection so far.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Stat<'a> {
    #[serde(borrow)]
    pub(super) mid: Loose<'a>,
    #[serde(borrow)]
    pub(super) media: Loose<'a>,
    #[serde(borrow)]
    pub(super) rtt: Loose<'a>,
    #[serde(borrow)]
    pub(super) lost: Loose<'a>,
    #[serde(rename = "lost-by-remote", borrow)]
    pub(super) lost_by_remote: Loose<'a>,
    #[serde(rename = "packets-received", borrow)]
    pub(super) packets_received: Loose<'a>,
    #[serde(rename = "packets-sent", borrow)]
    pub(super) packets_sent: Loose<'a>,
    #[serde(rename = "bytes-received", borrow)]
    pub(super) bytes_received: Loose<'a>,
    #[serde(rename = "bytes-sent", borrow)]
    pub(super) bytes_sent: Loose<'a>,
}

/// "place: expected …, found …".
fn wanted(place: &str, value: &Loose<'_>, expected: &str) -> String {
    format!("{place}: {}", value.instead_of(expected))
}

/// A whole number.
pub(super) fn number(value: &Loose<'_>) -> Option<u64> {
    if let Loose::Unsigned(number) = value { Some(*number) } else { None }
}

/// A text.
pub(super) fn text<'v>(value: &'v Loose<'_>) -> Option<&'v str> {
    if let Loose::Text(text) = value { Some(text) } else { None }
}

/// A member of an object.
pub(super) fn member<'v, 'a>(value: &'v Loose<'a>, key: &str) -> Option<&'v Loose<'a>> {
    let Loose::Object(fields) = value else { return None };
    fields.iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

/// A name of a room or a user, and whether it was a number: VideoRoom has either, as it was set up.
///
/// # Errors
/// Where it is missing, or cannot be kept.
pub(super) fn name(place: &str, value: &Loose<'_>) -> Result<(String, bool), String> {
    if let Loose::Unsigned(number) = value {
        return Ok((number.to_string(), true));
    }
    let Some(text) = text(value) else {
        return Err(match value.is_absent() {
            true => format!("{place}: missing"),
            false => wanted(place, value, "a text or a whole number from 0 to 2^64-1"),
        });
    };
    bounds::id(text).map_err(|what| format!("{place}: {what}"))?;
    if text.is_empty() { Err(format!("{place}: empty")) } else { Ok((text.to_owned(), false)) }
}
