//! A batch of events: kept first, then the rooms that it touches are folded.
//!
//! Several rollbooks may do so at the same time, of the same room. Each reads what is stored before it reads the
//! events, writes what differs, and looks again whether others wrote meanwhile, events or calls; if so it folds all of
//! the room again. So whoever writes last has seen everything, and until then the row that was made of more events is
//! the one that counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::part::Part;
use super::rows::{self, Digests, Wanted};
use super::shards::{Shards, rows as answer_rows};
use super::sql::{Row, Rows};
use super::stored;
use super::stored::{RoomName, Seen, Stored, StoredCalls, Told, When, rooms_in};
use super::tables::{CALLS, EVENTS, ORPHANS, RESETS, SESSIONS};
use crate::records::{AppId, Event, Kind, Millis};
use crate::store::room::{Folded, Lives, Room};
use crate::store::{Appended, StoreError};

/// Rooms that are folded at a time.
const ROOMS_AT_ONCE: usize = 500;
/// Times that a room is folded again since others wrote meanwhile. Each time somebody made progress.
const ROUNDS_MAX: usize = 1_000;

/// The events of a batch that go to one shard, in order, each once.
type Share = BTreeMap<(AppId, String, Millis, Digests), Event>;

/// Keeps a group of batches; what each sender is told.
pub(super) async fn append(
    shards: &Arc<Shards>,
    batches: Vec<Vec<Event>>,
) -> Result<Vec<Appended>, StoreError> {
    let mut parts: Vec<Share> = vec![Share::new(); shards.shards.len()];
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

fn keep_first(part: &mut Share, key: (AppId, String, Millis, Digests), event: Event) {
    let kept = part.entry(key).or_insert_with(|| event.clone());
    kept.received = kept.received.min(event.received);
}

/// Keeps the events of one shard and folds their rooms; which of them were known before.
async fn append_to(shards: &Arc<Shards>, shard: usize, part: &Share) -> Result<BTreeSet<u64>, StoreError> {
    if part.is_empty() {
        return Ok(BTreeSet::new());
    }
    let (mut events, mut resets) = (Row::default(), Row::default());
    let mut rooms: BTreeMap<RoomName, Vec<&Event>> = BTreeMap::new();
    let mut restarted = Vec::new();
    for ((app, room, _, digest), event) in part {
        if event.kind == Kind::EmitterReset {
            rows::write_reset(event, *digest, &mut resets)?;
            restarted.push(event);
        } else {
            rows::write_event(event, *digest, &mut events)?;
            if !matches!(event.kind, Kind::Unknown { .. }) {
                rooms.entry((*app, room.clone())).or_default().push(event);
            }
        }
    }
    let known = known(shards, shard, part).await?;
    shards.insert(shard, &EVENTS, events.0).await?;
    shards.insert(shard, &RESETS, resets.0).await?;
    for reset in restarted {
        let all_of_it = |name| (name, Vec::new());
        rooms.extend(stored::rooms_open_at(shards, shard, reset).await?.into_iter().map(all_of_it));
    }
    fold(shards, shard, rooms).await?;
    Ok(known)
}

/// Which events of a part are kept already.
async fn known(shards: &Arc<Shards>, shard: usize, part: &Share) -> Result<BTreeSet<u64>, StoreError> {
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

/// What became of a room's fold.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Everything is stored already.
    Same,
    /// Rows are to be written.
    Changed,
    /// A part is not enough.
    NeedsAll,
}

/// Brings the records of rooms up to all events that are kept of them. Of each the new events are given; none: all of
/// it is folded.
pub(super) async fn fold(
    shards: &Arc<Shards>,
    shard: usize,
    mut waiting: BTreeMap<RoomName, Vec<&Event>>,
) -> Result<(), StoreError> {
    for _ in 0..ROUNDS_MAX {
        let mut changes = Changes::default();
        let mut seen: BTreeMap<RoomName, Seen> = BTreeMap::new();
        let mut next: BTreeMap<RoomName, Vec<&Event>> = BTreeMap::new();
        let all: Vec<(RoomName, Vec<&Event>)> = waiting.into_iter().collect();
        for some in all.chunks(ROOMS_AT_ONCE) {
            let names: BTreeSet<RoomName> = some.iter().map(|(name, _)| name.clone()).collect();
            // In this order: what is stored was made of events that are read now.
            let calls = StoredCalls::read(shards, shard, &names).await?;
            let mut groups: BTreeMap<Option<i64>, Group> = BTreeMap::new();
            for (name, new) in some {
                let part = Part::of(new, calls.kept(name));
                let since = part.as_ref().map(|part| part.day.min(part.from.day()));
                groups.entry(since).or_default().insert(name.clone(), part);
            }
            for (since, group) in groups {
                let names: BTreeSet<RoomName> = group.keys().cloned().collect();
                let stored = Stored::read(shards, shard, &names, since).await?;
                let counts = stored::counts(shards, shard, &names).await?;
                let told = Told::read(shards, shard, &names, since.map_or(When::Ever, When::Since)).await?;
                for (name, part) in group {
                    let count = counts.get(&name).copied().unwrap_or(0);
                    let mut versions = calls.versions(&name);
                    let folding =
                        Folding { name: &name, part, told: &told, calls: &calls, stored: &stored, count };
                    match folding.fold(&mut versions, &mut changes)? {
                        Outcome::Same => {}
                        Outcome::Changed => drop(seen.insert(name, Seen { count, versions })),
                        Outcome::NeedsAll => drop(next.insert(name, Vec::new())),
                    }
                }
            }
        }
        // A call is shown once its sessions are there.
        shards.insert(shard, &SESSIONS, changes.sessions.0).await?;
        shards.insert(shard, &CALLS, changes.calls.0).await?;
        shards.insert(shard, &ORPHANS, changes.orphans.0).await?;
        if !seen.is_empty() {
            let names: BTreeSet<RoomName> = seen.keys().cloned().collect();
            let now = Seen::read(shards, shard, &names).await?;
            next.extend(
                seen.into_iter()
                    .filter(|(name, seen)| now.get(name) != Some(seen))
                    .map(|(name, _)| (name, Vec::new())),
            );
        }
        if next.is_empty() {
            return Ok(());
        }
        waiting = next;
    }
    Err(StoreError::Unavailable("others write into the same rooms all the time".to_owned()))
}

/// Rooms with the part of each that is folded; `None`: all of it.
type Group = BTreeMap<RoomName, Option<Part>>;

/// One room on its way.
struct Folding<'a> {
    name: &'a RoomName,
    part: Option<Part>,
    told: &'a Told,
    calls: &'a StoredCalls,
    stored: &'a Stored,
    /// How many events were kept before they were read.
    count: u64,
}

impl Folding<'_> {
    /// Folds, and writes what differs from what is stored. `versions` are those of the room's calls.
    fn fold(
        &self,
        versions: &mut BTreeMap<Vec<u8>, u64>,
        changes: &mut Changes,
    ) -> Result<Outcome, StoreError> {
        let from = self.part.as_ref().map_or(Millis(i64::MIN), |part| part.from);
        let events = || self.told.events(self.name).filter(|event| from <= event.at);
        if self.part.as_ref().is_some_and(|part| !part.fits(events())) {
            return Ok(Outcome::NeedsAll);
        }
        let room: Room = events().cloned().collect();
        let (before, boundary) =
            self.part.as_ref().map_or((&[][..], None), |part| (&part.before, part.boundary));
        let mut lives = room.fold_behind(before, boundary, |timeline| self.told.resets(timeline));
        let ids = self.part.as_ref().map_or(&[][..], |part| &part.ids);
        let stays = |folded: &Folded| folded.life.begin < from;
        if lives
            .calls
            .iter()
            .any(|folded| stays(folded) != ids.iter().any(|id| id == folded.call.comm_id.as_str()))
        {
            // A second of the name went from one side to the other.
            return Ok(Outcome::NeedsAll);
        }
        lives.calls.retain(|folded| !stays(folded));
        let wanted = Wanteds::of(&lives)?;
        let version = self.count << 24 | self.told.digest(self.name, from) >> 40;
        let is_ours = |id: &str| !ids.iter().any(|other| other == id);
        let sessions = self.stored.differ(
            &SESSIONS,
            self.name,
            version,
            &wanted.sessions,
            &mut changes.sessions,
            |key| stored::comm_id(key).is_ok_and(|id| is_ours(&id)),
        );
        let orphans =
            self.stored.differ(&ORPHANS, self.name, version, &wanted.orphans, &mut changes.orphans, |key| {
                stored::orphan_at(key).is_ok_and(|at| from <= at)
            });
        let mut calls = self.calls.differ(self.name, version, &wanted.calls, &mut changes.calls, is_ours);
        if calls.is_empty() && (sessions || orphans) {
            // Whoever writes anything of a room writes a call of it, which tells others that it did.
            calls.extend(self.calls.touch(self.name, version, &wanted.calls, &mut changes.calls));
        }
        let is_same = calls.is_empty() && !sessions && !orphans;
        versions.extend(calls);
        Ok(if is_same { Outcome::Same } else { Outcome::Changed })
    }
}

/// The rows that a room should have, by what makes each itself.
#[derive(Debug, Default)]
struct Wanteds {
    calls: BTreeMap<Vec<u8>, Wanted>,
    sessions: BTreeMap<Vec<u8>, Wanted>,
    orphans: BTreeMap<Vec<u8>, Wanted>,
}

impl Wanteds {
    fn of(lives: &Lives) -> Result<Wanteds, StoreError> {
        let mut wanted = Wanteds::default();
        let want = |rows: &mut BTreeMap<Vec<u8>, Wanted>, row: Wanted| {
            rows.insert(row.key.0.clone(), row);
        };
        for (folded, twin) in rows::with_twins(&lives.calls) {
            want(&mut wanted.calls, rows::call(folded, twin)?);
            let mut alike: BTreeMap<(&str, Millis, &str), u64> = BTreeMap::new();
            for session in &folded.sessions {
                let visit = session.visit.as_deref().unwrap_or_default();
                let nth = alike.entry((&session.user, session.joined, visit)).or_default();
                want(&mut wanted.sessions, rows::session(&folded.call, twin, session, *nth)?);
                *nth += 1;
            }
        }
        for event in &lives.orphans {
            want(&mut wanted.orphans, rows::orphan(event)?);
        }
        Ok(wanted)
    }
}
