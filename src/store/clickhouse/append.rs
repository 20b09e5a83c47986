//! A batch of events: kept first, then the rooms that it touches are folded.
//!
//! Several rollbooks may do so at the same time, of the same room. Each reads what is stored before it reads the
//! events, writes what differs, and looks again whether events came meanwhile; if so it folds again. So whoever
//! writes last has seen everything, and until then the row that was made of more events is the one that counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::rows::{self, Digests};
use super::shards::{Shards, rows as answer_rows};
use super::sql::{Row, Rows};
use super::stored;
use super::stored::{RoomName, Stored, Told, rooms_in};
use super::tables::{CALLS, EVENTS, ORPHANS, RESETS, SESSIONS};
use crate::records::{AppId, Event, Kind, Millis};
use crate::store::room::Room;
use crate::store::{Appended, StoreError};

/// Rooms that are folded at a time.
const ROOMS_AT_ONCE: usize = 500;
/// Times that a room is folded again since others wrote meanwhile. Each time somebody made progress.
const ROUNDS_MAX: usize = 1_000;

/// The events of a batch that go to one shard, in order, each once.
type Part = BTreeMap<(AppId, String, Millis, Digests), Event>;

/// Keeps a group of batches; what each sender is told.
pub(super) async fn append(
    shards: &Arc<Shards>,
    batches: Vec<Vec<Event>>,
) -> Result<Vec<Appended>, StoreError> {
    let mut parts: Vec<Part> = vec![Part::new(); shards.shards.len()];
    let mut senders: Vec<Vec<u64>> = Vec::with_capacity(batches.len());
    for batch in batches {
        let mut digests = Vec::with_capacity(batch.len());
        for event in batch {
            let digest = Digests::of(&event)?;
            digests.push(digest.event);
            let key = (event.app, event.room.clone(), event.at, digest);
            if event.kind == Kind::EmitterReset {
                // Every shard has rooms that it may concern.
                parts.iter_mut().for_each(|part| keep_first(part, key.clone(), event.clone()));
            } else {
                let shard = shards.of_room(event.app, &event.room);
                keep_first(&mut parts[shard], key, event);
            }
        }
        senders.push(digests);
    }
    let parts = Arc::new(parts);
    let known = shards
        .each(|shards, shard| {
            let parts = Arc::clone(&parts);
            async move { append_to(&shards, shard, &parts[shard]).await }
        })
        .await?;
    let mut known: BTreeSet<u64> = known.into_iter().flatten().collect();
    let tell = |digests: Vec<u64>| {
        let new = digests.iter().filter(|digest| known.insert(**digest)).count() as u64;
        Appended { new, duplicate: digests.len() as u64 - new }
    };
    Ok(senders.into_iter().map(tell).collect())
}

fn keep_first(part: &mut Part, key: (AppId, String, Millis, Digests), event: Event) {
    let kept = part.entry(key).or_insert_with(|| event.clone());
    kept.received = kept.received.min(event.received);
}

/// Keeps the events of one shard and folds their rooms; which of them were known before.
async fn append_to(shards: &Arc<Shards>, shard: usize, part: &Part) -> Result<BTreeSet<u64>, StoreError> {
    if part.is_empty() {
        return Ok(BTreeSet::new());
    }
    let (mut events, mut resets) = (Row::default(), Row::default());
    let mut rooms: BTreeSet<RoomName> = BTreeSet::new();
    let mut restarted = Vec::new();
    for ((app, room, _, digest), event) in part {
        if event.kind == Kind::EmitterReset {
            rows::write_reset(event, *digest, &mut resets)?;
            restarted.push(event);
        } else {
            rows::write_event(event, *digest, &mut events)?;
            if !matches!(event.kind, Kind::Unknown { .. }) {
                rooms.insert((*app, room.clone()));
            }
        }
    }
    let known = known(shards, shard, part).await?;
    shards.insert(shard, &EVENTS, events.0).await?;
    shards.insert(shard, &RESETS, resets.0).await?;
    for reset in restarted {
        rooms.extend(stored::rooms_open_at(shards, shard, reset).await?);
    }
    fold(shards, shard, rooms).await?;
    Ok(known)
}

/// Which events of a part are kept already.
async fn known(shards: &Arc<Shards>, shard: usize, part: &Part) -> Result<BTreeSet<u64>, StoreError> {
    let mut known = BTreeSet::new();
    let all: Vec<_> = part.iter().collect();
    for some in all.chunks(ROOMS_AT_ONCE) {
        let (resets, events): (Vec<_>, Vec<_>) =
            some.iter().partition(|(_, event)| event.kind == Kind::EmitterReset);
        for (table, of_table) in [(&EVENTS, events), (&RESETS, resets)] {
            if of_table.is_empty() {
                continue;
            }
            let digests: BTreeSet<String> =
                of_table.iter().map(|((_, _, _, digest), _)| digest.event.to_string()).collect();
            let digests = digests.into_iter().collect::<Vec<_>>().join(",");
            let place = if table.name == RESETS.name {
                "1".to_owned()
            } else {
                let rooms = of_table.iter().map(|((app, room, _, _), _)| (*app, room.clone()));
                rooms_in(&rooms.collect())
            };
            let sql =
                format!("SELECT DISTINCT event FROM {} WHERE {place} AND event IN ({digests})", table.name);
            known.extend(answer_rows(&shards.ask(shard, sql).await?).all(Rows::u64)?);
        }
    }
    Ok(known)
}

/// Rows to be written, by table.
#[derive(Debug, Default)]
struct Changes {
    calls: Row,
    sessions: Row,
    orphans: Row,
}

/// Brings the records of rooms up to all events that are kept of them.
async fn fold(shards: &Arc<Shards>, shard: usize, rooms: BTreeSet<RoomName>) -> Result<(), StoreError> {
    let mut waiting: Vec<RoomName> = rooms.into_iter().collect();
    for _ in 0..ROUNDS_MAX {
        let mut changes = Changes::default();
        let mut changed: BTreeMap<RoomName, u64> = BTreeMap::new();
        for some in waiting.chunks(ROOMS_AT_ONCE) {
            let some: BTreeSet<RoomName> = some.iter().cloned().collect();
            // In this order: what is stored was made of events that are read now.
            let stored = Stored::read(shards, shard, &some).await?;
            let told = Told::read(shards, shard, &some).await?;
            for name in &some {
                if fold_one(name, &told, &stored, &mut changes)? {
                    changed.insert(name.clone(), told.count(name));
                }
            }
        }
        // A call is shown once its sessions are there.
        shards.insert(shard, &SESSIONS, changes.sessions.0).await?;
        shards.insert(shard, &CALLS, changes.calls.0).await?;
        shards.insert(shard, &ORPHANS, changes.orphans.0).await?;
        if changed.is_empty() {
            return Ok(());
        }
        let now = stored::counts(shards, shard, &changed.keys().cloned().collect()).await?;
        waiting = changed
            .into_iter()
            .filter(|(name, count)| now.get(name) != Some(count))
            .map(|(name, _)| name)
            .collect();
        if waiting.is_empty() {
            return Ok(());
        }
    }
    Err(StoreError::Unavailable("others write into the same rooms all the time".to_owned()))
}

/// Folds one room; whether anything differs from what is stored.
fn fold_one(
    name: &RoomName,
    told: &Told,
    stored: &Stored,
    changes: &mut Changes,
) -> Result<bool, StoreError> {
    let mut room = Room::default();
    for event in told.events(name) {
        room.admit(event.clone());
    }
    let lives = room.fold(|timeline| told.resets(timeline));
    let (mut calls, mut sessions, mut orphans) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let want = |rows: &mut BTreeMap<Vec<u8>, rows::Wanted>, row: rows::Wanted| {
        rows.insert(row.key.0.clone(), row);
    };
    let mut twins: BTreeMap<&str, u64> = BTreeMap::new();
    for folded in &lives.calls {
        let count = twins.entry(folded.call.comm_id.as_str()).or_default();
        let twin = *count;
        *count += 1;
        want(&mut calls, rows::call(folded, twin)?);
        let mut alike: BTreeMap<(&str, Millis, &str), u64> = BTreeMap::new();
        for session in &folded.sessions {
            let visit = session.visit.as_deref().unwrap_or_default();
            let nth = alike.entry((&session.user, session.joined, visit)).or_default();
            want(&mut sessions, rows::session(&folded.call, twin, session, *nth)?);
            *nth += 1;
        }
    }
    for event in &lives.orphans {
        want(&mut orphans, rows::orphan(event)?);
    }
    let version = told.version(name);
    let sessions = stored.differ(&SESSIONS, name, version, &sessions, &mut changes.sessions);
    let calls = stored.differ(&CALLS, name, version, &calls, &mut changes.calls);
    let orphans = stored.differ(&ORPHANS, name, version, &orphans, &mut changes.orphans);
    Ok(sessions || calls || orphans)
}
