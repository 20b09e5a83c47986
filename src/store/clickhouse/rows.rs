//! Records to rows, and rows to records.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::sql::{Row, Rows};
use crate::records::fold::{Life, Timeline};
use crate::records::quality::Flow;
use crate::records::{
    AppId, Attr, Attrs, Call, CommId, Event, JoinSource, Kind, LeaveSource, Millis, Reason, Session,
    device_type,
};
use crate::store::packed::{self, decode, encode};
use crate::store::room::Folded;
use crate::store::{StoreError, export_second};

/// What tells an event from others of its room and time, and its wording from other wordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Digests {
    pub(super) event: u64,
    pub(super) wording: u64,
}

/// The first eight bytes of a digest of bytes.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    Sha256::digest(bytes).iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl Digests {
    pub(super) fn of(event: &Event) -> Result<Digests, StoreError> {
        let same = u64::from_be_bytes(packed::digest(event)?);
        let wording = digest(&encode(&Event { received: event.at, ..event.clone() })?);
        Ok(Digests { event: same, wording })
    }
}

/// What happened, in the words of the column `kind`.
fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::RoomCreated => "room_created",
        Kind::RoomDestroyed => "room_destroyed",
        Kind::UserJoined => "user_joined",
        Kind::UserLeft => "user_left",
        Kind::UserChanged => "user_changed",
        Kind::Media { .. } => "media",
        Kind::EmitterReset => "emitter_reset",
        Kind::Attributes => "attributes",
        Kind::Unknown { .. } => "unknown",
        Kind::RecordJoined(_) => "record_joined",
        Kind::RecordLeft(_) => "record_left",
    }
}

/// What is told of a room's name but is no part of its lives.
pub(super) const UNKNOWN: &str = "unknown";
pub(super) const ATTRIBUTES: &str = "attributes";

/// An event without what has columns of its own.
fn body(event: &Event) -> Result<Vec<u8>, StoreError> {
    encode(&Event {
        app: AppId(0),
        source: String::new(),
        instance: String::new(),
        room: String::new(),
        user: String::new(),
        at: Millis(0),
        received: Millis(0),
        ..event.clone()
    })
}

/// Greater for what was received earlier.
fn earliness(received: Millis) -> u64 {
    u64::MAX - (received.0 as u64 ^ 1 << 63)
}

/// A row of `events`.
pub(super) fn write_event(event: &Event, digest: Digests, row: &mut Row) -> Result<(), StoreError> {
    row.day(event.at.day()).u64(event.app.0).text(&event.room).i64(event.at.0);
    row.u64(digest.event).u64(digest.wording);
    row.text(&event.source).text(&event.instance).text(&event.user).text(kind_name(&event.kind));
    row.i64(event.received.0).u64(earliness(event.received)).bytes(&body(event)?);
    Ok(())
}

/// What is asked of `events` for [`read_event`].
pub(super) const EVENT_COLUMNS: &str =
    "app, room, at_ms, event, wording, source, instance, user, received_ms, body";

pub(super) fn read_event(rows: &mut Rows<'_>) -> Result<(Digests, Event), StoreError> {
    let (app, room, at) = (AppId(rows.u64()?), rows.text()?, Millis(rows.i64()?));
    let digest = Digests { event: rows.u64()?, wording: rows.u64()? };
    let (source, instance, user) = (rows.text()?, rows.text()?, rows.text()?);
    let received = Millis(rows.i64()?);
    let event: Event = decode(rows.bytes()?)?;
    Ok((digest, Event { app, room, at, source, instance, user, received, ..event }))
}

/// A row of `resets`.
pub(super) fn write_reset(event: &Event, digest: Digests, row: &mut Row) -> Result<(), StoreError> {
    row.day(event.at.day()).u64(event.app.0).text(&event.source).text(&event.instance).i64(event.at.0);
    row.u64(digest.event).u64(digest.wording);
    row.i64(event.received.0).u64(earliness(event.received)).bytes(&encode(event)?);
    Ok(())
}

/// What is asked of `resets` for [`read_reset`].
pub(super) const RESET_COLUMNS: &str = "event, wording, received_ms, body";

pub(super) fn read_reset(rows: &mut Rows<'_>) -> Result<(Digests, Event), StoreError> {
    let digest = Digests { event: rows.u64()?, wording: rows.u64()? };
    let received = Millis(rows.i64()?);
    let event: Event = decode(rows.bytes()?)?;
    Ok((digest, Event { received, ..event }))
}

/// A row as it should be: what makes it itself, and the values before `version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) key: Row,
    pub(super) values: Row,
}

impl Wanted {
    /// Digest of what the row says.
    pub(super) fn content(&self) -> u64 {
        digest(&self.values.0)
    }

    /// The whole row.
    pub(super) fn write(&self, version: u64, row: &mut Row) {
        row.0.extend(&self.key.0);
        row.0.extend(&self.values.0);
        row.u64(version).u8(0).u64(self.content());
    }
}

/// The number that a room's name is.
fn room_number(room: &str) -> Option<u64> {
    room.parse().ok()
}

/// A row of `calls`.
pub(super) fn call(folded: &Folded, twin: u64) -> Result<Wanted, StoreError> {
    let Folded { call, life, sessions, .. } = folded;
    let (mut key, mut values) = (Row::default(), Row::default());
    key.day(call.created.day()).u64(call.app.0).text(&call.room).text(call.comm_id.as_str()).u64(twin);
    values.text(&call.source).text(&call.instance).text(&call.creator);
    values.i64(call.created.0).maybe_i64(call.ended.map(|at| at.0)).text(call.end_source.name());
    values.i64(call.last_evidence.0).u64(sessions.len() as u64).i64(export_second(call));
    values.i64(life.begin.0.min(call.created.0)).maybe_i64(life.closed.map(|closed| closed.at.0));
    let number = room_number(&call.room);
    values.u8(u8::from(number.is_some())).u64(number.unwrap_or(0)).bytes(&encode(life)?);
    Ok(Wanted { key, values })
}

/// A call of an application: its room, its id, and which of those with that id.
pub(super) type CallKey = (String, String, u64);

/// Calls of one room's name, each with which of those with its id it is.
pub(super) fn with_twins<F: Borrow<Folded>>(
    calls: impl IntoIterator<Item = F>,
) -> impl Iterator<Item = (F, u64)> {
    let mut twins: BTreeMap<String, u64> = BTreeMap::new();
    calls.into_iter().map(move |folded| {
        let count = twins.entry(folded.borrow().call.comm_id.to_string()).or_default();
        *count += 1;
        (folded, *count - 1)
    })
}

/// A call as it is kept.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) call: Call,
    pub(super) life: Life,
    pub(super) day: i64,
    pub(super) twin: u64,
}

impl Kept {
    pub(super) fn key(&self) -> CallKey {
        (self.call.room.clone(), self.call.comm_id.to_string(), self.twin)
    }

    pub(super) fn timeline(&self) -> Timeline {
        let Call { app, room, source, instance, .. } = &self.call;
        Timeline { app: *app, room: room.clone(), source: source.clone(), instance: instance.clone() }
    }
}

/// What is asked of `calls` for [`read_call`].
pub(super) const CALL_COLUMNS: &str = "day, app, room, comm_id, twin, source, instance, body";

pub(super) fn read_call(rows: &mut Rows<'_>) -> Result<Kept, StoreError> {
    let (day, app, room) = (rows.day()?, AppId(rows.u64()?), rows.text()?);
    let (comm_id, twin) = (CommId::from_text(rows.text()?), rows.u64()?);
    let (source, instance) = (rows.text()?, rows.text()?);
    let life: Life = decode(rows.bytes()?)?;
    let call = life.call(&Timeline { app, room, source, instance }, comm_id);
    Ok(Kept { call, life, day, twin })
}

/// What of a session has no column that is read back.
#[derive(Debug, Serialize, Deserialize)]
struct SessionBody {
    visit: Option<String>,
    join_source: JoinSource,
    leave_source: LeaveSource,
    leave_reason: Option<Reason>,
    attrs: Attrs,
}

/// A row of `sessions`.
pub(super) fn session(call: &Call, twin: u64, session: &Session, nth: u64) -> Result<Wanted, StoreError> {
    let (mut key, mut values) = (Row::default(), Row::default());
    key.day(call.created.day()).u64(call.app.0).text(&call.room).text(call.comm_id.as_str()).u64(twin);
    key.text(&session.user).i64(session.joined.0).text(session.visit.as_deref().unwrap_or_default()).u64(nth);
    let told = |attr| session.attrs.get(&attr).map_or("", String::as_str);
    values.maybe_i64(session.left.map(|at| at.0));
    values.text(session.join_source.name()).text(session.leave_source.name());
    values.text(device_type(&session.attrs)).text(told(Attr::SdkVersion)).text(told(Attr::ClientIp));
    values.bytes(&encode(&SessionBody {
        visit: session.visit.clone(),
        join_source: session.join_source,
        leave_source: session.leave_source,
        leave_reason: session.leave_reason.clone(),
        attrs: session.attrs.clone(),
    })?);
    Ok(Wanted { key, values })
}

/// What is asked of `sessions` for [`read_session`].
pub(super) const SESSION_COLUMNS: &str = "room, user, joined_ms, left_ms, body";

pub(super) fn read_session(rows: &mut Rows<'_>) -> Result<Session, StoreError> {
    let (room, user) = (rows.text()?, rows.text()?);
    let (joined, left) = (Millis(rows.i64()?), rows.maybe_i64()?.map(Millis));
    let SessionBody { visit, join_source, leave_source, leave_reason, attrs } = decode(rows.bytes()?)?;
    Ok(Session { room, user, visit, joined, join_source, left, leave_source, leave_reason, attrs })
}

/// Passes over [`SESSION_COLUMNS`].
pub(super) fn skip_session(rows: &mut Rows<'_>) -> Result<(), StoreError> {
    let (_room, _user, _joined) = (rows.bytes()?, rows.bytes()?, rows.i64()?);
    let (_left, _body) = (rows.maybe_i64()?, rows.bytes()?);
    Ok(())
}

/// A row of `orphans`.
pub(super) fn orphan(event: &Event) -> Result<Wanted, StoreError> {
    let digest = Digests::of(event)?;
    let (mut key, mut values) = (Row::default(), Row::default());
    key.day(event.at.day()).u64(event.app.0).text(&event.room).i64(event.at.0);
    key.u64(digest.event).u64(digest.wording);
    values.text(&event.user);
    Ok(Wanted { key, values })
}

/// The bits of a value in the total order of values, so that the greater one prevails.
pub(super) fn rank(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// The value of a rank.
pub(super) fn value(rank: u64) -> f64 {
    f64::from_bits(if rank >> 63 == 1 { rank & !(1 << 63) } else { !rank })
}

/// A row of `samples`.
pub(super) fn write_sample(flow: &Flow, measure: &str, at: Millis, value: f64, row: &mut Row) {
    row.day(at.day()).u64(flow.app.0).text(&flow.room).text(&flow.user).text(&flow.peer);
    row.text(&flow.connection).text(measure).i64(at.0).f64(value).u64(rank(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_bits_and_their_order() {
        let values = [f64::NEG_INFINITY, -1e300, -0.5, -0.0, 0.0, 1e-300, 3.5, f64::INFINITY, f64::NAN];
        assert!(values.map(rank).is_sorted());
        for given in values.into_iter().chain([-f64::NAN]) {
            assert_eq!(value(rank(given)).to_bits(), given.to_bits());
        }
    }

    #[test]
    fn an_event_is_read_as_it_was_written() {
        let hostile = "'; DROP TABLE events --\\\0李\n";
        let kind = Kind::Unknown { name: hostile.to_owned(), raw: hostile.to_owned() };
        let mut event = Event::new(AppId(u64::MAX), hostile, hostile, hostile, kind, Millis(-5));
        event.life = Some(hostile.to_owned());
        event.received = Millis(i64::MIN);
        event.attrs.insert(Attr::Display, hostile.to_owned());
        let digest = Digests::of(&event).unwrap();
        let mut row = Row::default();
        write_event(&event, digest, &mut row).unwrap();
        // What is asked for leaves out the day, the kind and the earliness.
        let mut rows = Rows(&row.0);
        rows.day().unwrap();
        let (app, room, at) = (rows.u64().unwrap(), rows.text().unwrap(), rows.i64().unwrap());
        let read = (rows.u64().unwrap(), rows.u64().unwrap());
        let (source, instance, user) = (rows.text().unwrap(), rows.text().unwrap(), rows.text().unwrap());
        assert_eq!(rows.text().unwrap(), "unknown");
        let received = rows.i64().unwrap();
        rows.u64().unwrap();
        let mut asked = Row::default();
        asked.u64(app).text(&room).i64(at).u64(read.0).u64(read.1).text(&source).text(&instance).text(&user);
        asked.i64(received).bytes(rows.bytes().unwrap());
        let (found, again) = read_event(&mut Rows(&asked.0)).unwrap();
        assert_eq!((found, &again), (digest, &event));
        assert_eq!(again.received, event.received);
    }

    #[test]
    fn what_came_earlier_prevails() {
        assert!(earliness(Millis(-1)) > earliness(Millis(0)));
        assert!(earliness(Millis(i64::MIN)) > earliness(Millis(i64::MAX)));
    }
}
