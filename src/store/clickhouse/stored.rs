//! What is kept of rooms: the events that were told, and the rows that were made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::rows::{self, Digests, Wanted};
use super::shards::{Shards, rows as answer_rows};
use super::sql::{Row, Rows, text};
use super::tables::{CALLS, ORPHANS, SESSIONS, Table};
use crate::records::fold::Timeline;
use crate::records::{AppId, Event, Millis};
use crate::store::StoreError;

/// A room's name in an application.
pub(super) type RoomName = (AppId, String);

/// A condition: rows of these rooms.
pub(super) fn rooms_in(rooms: &BTreeSet<RoomName>) -> String {
    let pairs: Vec<String> = rooms.iter().map(|(app, room)| format!("({app},{})", text(room))).collect();
    format!("(app, room) IN ({})", pairs.join(","))
}

/// The events of some rooms, and the restarts of their applications.
#[derive(Debug, Default)]
pub(super) struct Told {
    rooms: BTreeMap<RoomName, BTreeMap<Digests, Event>>,
    resets: BTreeMap<AppId, BTreeMap<Digests, Event>>,
}

impl Told {
    /// Reads what is kept now.
    pub(super) async fn read(
        shards: &Arc<Shards>,
        shard: usize,
        rooms: &BTreeSet<RoomName>,
    ) -> Result<Told, StoreError> {
        let mut told = Told::default();
        if rooms.is_empty() {
            return Ok(told);
        }
        let sql = format!(
            "SELECT {} FROM events WHERE {} AND kind != '{}'",
            rows::EVENT_COLUMNS,
            rooms_in(rooms),
            rows::UNKNOWN
        );
        let resets = format!("SELECT {} FROM resets WHERE {}", rows::RESET_COLUMNS, apps_in(rooms));
        for (digests, event) in answer_rows(&shards.ask(shard, resets).await?).all(rows::read_reset)? {
            keep_first(told.resets.entry(event.app).or_default(), digests, event);
        }
        for (digests, event) in answer_rows(&shards.ask(shard, sql).await?).all(rows::read_event)? {
            let of_room = told.rooms.entry((event.app, event.room.clone())).or_default();
            keep_first(of_room, digests, event);
        }
        Ok(told)
    }

    /// The events of a room.
    pub(super) fn events(&self, name: &RoomName) -> impl Iterator<Item = &Event> {
        self.rooms.get(name).into_iter().flat_map(BTreeMap::values)
    }

    /// The restarts of a timeline's media server.
    pub(super) fn resets(&self, timeline: &Timeline) -> Vec<Millis> {
        let of_app = self.resets.get(&timeline.app).into_iter().flat_map(BTreeMap::values);
        let ours = of_app.filter(|e| e.source == timeline.source && e.instance == timeline.instance);
        let times: BTreeSet<Millis> = ours.map(|event| event.at).collect();
        times.into_iter().collect()
    }

    /// How many events a room's records are made of, restarts included.
    pub(super) fn count(&self, name: &RoomName) -> u64 {
        let count = |map: Option<&BTreeMap<Digests, Event>>| map.map_or(0, BTreeMap::len) as u64;
        count(self.rooms.get(name)) + count(self.resets.get(&name.0))
    }

    /// The version of rows that are made of these events: their number, then a digest of them. So of two rows the one
    /// that was made of more events counts, and rows made of different ones never mix.
    pub(super) fn version(&self, name: &RoomName) -> u64 {
        let mut all = Row::default();
        let maps = self.rooms.get(name).into_iter().chain(self.resets.get(&name.0));
        for digests in maps.flat_map(BTreeMap::keys) {
            all.u64(digests.event).u64(digests.wording);
        }
        self.count(name) << 24 | rows::digest(&all.0) >> 40
    }
}

fn keep_first(events: &mut BTreeMap<Digests, Event>, digests: Digests, event: Event) {
    let received = event.received;
    let kept = events.entry(digests).or_insert(event);
    kept.received = kept.received.min(received);
}

fn apps_in(rooms: &BTreeSet<RoomName>) -> String {
    let apps: BTreeSet<String> = rooms.iter().map(|(app, _)| app.to_string()).collect();
    format!("app IN ({})", apps.into_iter().collect::<Vec<_>>().join(","))
}

/// How many events are kept of rooms, restarts included.
pub(super) async fn counts(
    shards: &Arc<Shards>,
    shard: usize,
    rooms: &BTreeSet<RoomName>,
) -> Result<BTreeMap<RoomName, u64>, StoreError> {
    let sql = format!(
        "SELECT app, uniqExact(source, instance, at_ms, event, wording) FROM resets WHERE {} GROUP BY app",
        apps_in(rooms)
    );
    let resets =
        answer_rows(&shards.ask(shard, sql).await?).all(|row| Ok((AppId(row.u64()?), row.u64()?)))?;
    let resets: BTreeMap<AppId, u64> = resets.into_iter().collect();
    let names: Vec<&RoomName> = rooms.iter().collect();
    let mut counts = BTreeMap::new();
    for some in names.chunks(1_000) {
        let some: BTreeSet<RoomName> = some.iter().map(|name| (*name).clone()).collect();
        let sql = format!(
            "SELECT app, room, uniqExact(at_ms, event, wording) FROM events WHERE {} AND kind != '{}' \
             GROUP BY app, room",
            rooms_in(&some),
            rows::UNKNOWN
        );
        let answer = shards.ask(shard, sql).await?;
        for (app, room, count) in
            answer_rows(&answer).all(|row| Ok((AppId(row.u64()?), row.text()?, row.u64()?)))?
        {
            counts.insert((app, room), count + resets.get(&app).copied().unwrap_or(0));
        }
    }
    // A room whose events were dropped meanwhile has none.
    for name in rooms {
        counts.entry(name.clone()).or_insert_with(|| resets.get(&name.0).copied().unwrap_or(0));
    }
    Ok(counts)
}

/// The rooms that have a life on the media server of a restart which may have been open then.
pub(super) async fn rooms_open_at(
    shards: &Arc<Shards>,
    shard: usize,
    reset: &Event,
) -> Result<BTreeSet<RoomName>, StoreError> {
    // Any row that ever said so is enough.
    let sql = format!(
        "SELECT DISTINCT app, room FROM calls WHERE app = {} AND source = {} AND instance = {} \
         AND begin_ms <= {at} AND (closed_ms IS NULL OR closed_ms >= {at})",
        reset.app,
        text(&reset.source),
        text(&reset.instance),
        at = reset.at.0
    );
    let answer = shards.ask(shard, sql).await?;
    Ok(answer_rows(&answer).all(|row| Ok((AppId(row.u64()?), row.text()?)))?.into_iter().collect())
}

/// What is stored of one row.
#[derive(Debug, Clone, Copy)]
struct Kept {
    version: u64,
    content: u64,
    is_gone: bool,
}

/// The rows of some rooms, by table and room, then by what makes each itself.
#[derive(Debug, Default)]
pub(super) struct Stored(BTreeMap<(&'static str, RoomName), BTreeMap<Vec<u8>, Kept>>);

impl Stored {
    /// Reads what is stored now.
    pub(super) async fn read(
        shards: &Arc<Shards>,
        shard: usize,
        rooms: &BTreeSet<RoomName>,
    ) -> Result<Stored, StoreError> {
        let mut stored = Stored::default();
        if rooms.is_empty() {
            return Ok(stored);
        }
        for table in [&CALLS, &SESSIONS, &ORPHANS] {
            stored.read_table(table, &shards.ask(shard, stored_sql(table, &rooms_in(rooms))).await?)?;
        }
        Ok(stored)
    }

    fn read_table(&mut self, table: &Table, answer: &[u8]) -> Result<(), StoreError> {
        let mut rows = Rows(answer);
        while !rows.is_empty() {
            let identity = table.read_identity(&mut rows)?;
            let mut key = Rows(identity);
            key.day()?;
            let name = (AppId(key.u64()?), key.text()?);
            let kept = Kept { version: rows.u64()?, content: rows.u64()?, is_gone: rows.u8()? == 1 };
            self.0.entry((table.name, name)).or_default().insert(identity.to_vec(), kept);
        }
        Ok(())
    }

    /// Writes the rows in which what should be differs from what is; whether there is any. A row that is replaced
    /// gets a greater version in any case: it was made of events that were read since, though retention may have
    /// dropped so many that they are fewer.
    pub(super) fn differ(
        &self,
        table: &'static Table,
        name: &RoomName,
        version: u64,
        wanted: &BTreeMap<Vec<u8>, Wanted>,
        changes: &mut Row,
    ) -> bool {
        let nothing = BTreeMap::new();
        let stored = self.0.get(&(table.name, name.clone())).unwrap_or(&nothing);
        let before = changes.0.len();
        for (key, row) in wanted {
            match stored.get(key) {
                Some(kept) if !kept.is_gone && kept.content == row.content() => {}
                Some(kept) => row.write(version.max(kept.version + 1), changes),
                None => row.write(version, changes),
            }
        }
        for (key, kept) in stored.iter().filter(|(key, kept)| !kept.is_gone && !wanted.contains_key(*key)) {
            changes.0.extend(key);
            table.write_gone(changes, version.max(kept.version + 1));
        }
        changes.0.len() > before
    }
}

fn stored_sql(table: &Table, place: &str) -> String {
    format!(
        "SELECT {identity}, max(version), argMax((content, deleted), version) FROM {} WHERE {place} \
         GROUP BY {identity}",
        table.name,
        identity = table.identity()
    )
}
