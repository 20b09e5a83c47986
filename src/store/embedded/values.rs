//! What the tables hold.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::figures::Sums;
use super::file::Changes;
use crate::records::fold::{Life, Stay, Timeline};
use crate::records::{Attrs, Event, Kind, Millis, Reason};
use crate::store::StoreError;
use crate::store::packed::{decode, encode};

/// A call, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CallRow {
    pub(super) app: u64,
    pub(super) room: String,
    pub(super) source: String,
    pub(super) instance: String,
    pub(super) life: Life,
    /// The second of the room's name that it owns.
    pub(super) second: i64,
    /// How many stays it has.
    pub(super) stays: u32,
    /// How many of them no event has ended.
    pub(super) open_stays: u32,
    /// Whether its stays are listed by join.
    pub(super) listed: bool,
}

impl CallRow {
    /// What it adds to the calls and sessions that are open.
    pub(super) fn running(&self) -> (u64, u64) {
        if self.life.end().is_none() { (1, u64::from(self.open_stays)) } else { (0, 0) }
    }

    pub(super) fn timeline(&self) -> Timeline {
        Timeline {
            app: crate::records::AppId(self.app),
            room: self.room.clone(),
            source: self.source.clone(),
            instance: self.instance.clone(),
        }
    }

    /// Whether an event is part of its timeline.
    pub(super) fn tells_of(&self, event: &Event) -> bool {
        self.app == event.app.0
            && self.room == event.room
            && self.source == event.source
            && self.instance == event.instance
    }

    pub(super) fn is_of(&self, timeline: &Timeline) -> bool {
        self.app == timeline.app.0
            && self.room == timeline.room
            && self.source == timeline.source
            && self.instance == timeline.instance
    }
}

/// What must be known of a long call when its file is opened.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LongRow {
    pub(super) app: u64,
    pub(super) room: String,
    /// The day that it reaches.
    pub(super) until: i64,
}

/// An event without what its place says: the call's timeline, and the user of the row.
#[derive(Debug, Serialize, Deserialize)]
struct EventRow {
    kind: Kind,
    /// Since the event before in the row, milliseconds.
    since_ms: i64,
    /// After it happened, milliseconds.
    received_after_ms: i64,
    /// Bit 0: names its life; 1: times in seconds; 2: room as a number.
    flags: u8,
    /// Only where it is not the row's.
    user: Option<String>,
    visit: Option<String>,
    seq: Option<u64>,
    id: String,
    join_hint: Option<Millis>,
    create_hint: Option<Millis>,
    reason: Option<Reason>,
    attrs: Attrs,
}

/// What a batch changes in several files, by day.
pub(super) fn encode_changes(changes: &BTreeMap<i64, &Changes>) -> Result<Vec<u8>, StoreError> {
    encode(changes)
}

pub(super) fn decode_changes(bytes: &[u8]) -> Result<BTreeMap<i64, Changes>, StoreError> {
    decode(bytes)
}

pub(super) fn encode_call(call: &CallRow) -> Result<Vec<u8>, StoreError> {
    encode(call)
}

pub(super) fn decode_call(bytes: &[u8]) -> Result<CallRow, StoreError> {
    decode(bytes)
}

pub(super) fn encode_long(long: &LongRow) -> Result<Vec<u8>, StoreError> {
    encode(long)
}

/// `None` where the row of the call has to be asked: it is open, or an earlier version wrote it.
pub(super) fn decode_long(bytes: &[u8]) -> Result<Option<LongRow>, StoreError> {
    if bytes.is_empty() { Ok(None) } else { decode(bytes).map(Some) }
}

pub(super) fn encode_stays(stays: &[Stay]) -> Result<Vec<u8>, StoreError> {
    encode(&stays)
}

pub(super) fn decode_stays(bytes: &[u8]) -> Result<Vec<Stay>, StoreError> {
    decode(bytes)
}

pub(super) fn encode_sums(sums: Sums) -> Result<Vec<u8>, StoreError> {
    encode(&sums)
}

pub(super) fn decode_sums(bytes: &[u8]) -> Result<Sums, StoreError> {
    decode(bytes)
}

/// An event that is kept by itself.
pub(super) fn encode_single(event: &Event) -> Result<Vec<u8>, StoreError> {
    encode(event)
}

/// An event that is kept by itself.
pub(super) fn decode_single(bytes: &[u8]) -> Result<Event, StoreError> {
    decode(bytes)
}

/// The events of one user (or of the room itself, `""`) in one life.
pub(super) fn encode_events(events: &[Event], user: &str) -> Result<Vec<u8>, StoreError> {
    let mut before = 0;
    let rows: Vec<EventRow> = events
        .iter()
        .map(|event| {
            let since_ms = event.at.0.wrapping_sub(before);
            before = event.at.0;
            EventRow {
                kind: event.kind.clone(),
                since_ms,
                received_after_ms: event.received.0.wrapping_sub(event.at.0),
                flags: u8::from(event.life.is_some())
                    | u8::from(event.at_in_seconds) << 1
                    | u8::from(event.room_is_number) << 2,
                user: (event.user != user).then(|| event.user.clone()),
                visit: event.visit.clone(),
                seq: event.seq,
                id: event.id.clone(),
                join_hint: event.join_hint,
                create_hint: event.create_hint,
                reason: event.reason.clone(),
                attrs: event.attrs.clone(),
            }
        })
        .collect();
    encode(&rows)
}

/// The events of one user (or of the room itself, `""`) in one life.
pub(super) fn decode_events(bytes: &[u8], call: &CallRow, user: &str) -> Result<Vec<Event>, StoreError> {
    let rows: Vec<EventRow> = decode(bytes)?;
    let mut at = 0i64;
    Ok(rows
        .into_iter()
        .map(|row| {
            at = at.wrapping_add(row.since_ms);
            Event {
                app: crate::records::AppId(call.app),
                source: call.source.clone(),
                instance: call.instance.clone(),
                room: call.room.clone(),
                room_is_number: row.flags & 4 != 0,
                life: if row.flags & 1 != 0 { call.life.name.clone() } else { None },
                user: row.user.unwrap_or_else(|| user.to_owned()),
                visit: row.visit,
                kind: row.kind,
                at: Millis(at),
                at_in_seconds: row.flags & 2 != 0,
                received: Millis(at.wrapping_add(row.received_after_ms)),
                seq: row.seq,
                id: row.id,
                join_hint: row.join_hint,
                create_hint: row.create_hint,
                reason: row.reason,
                attrs: row.attrs,
            }
        })
        .collect())
}
