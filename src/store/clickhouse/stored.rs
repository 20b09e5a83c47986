//! What is kept of rooms: the events that were told, and the rows that were made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ask::newest;
use super::rows::{self, Digests, Wanted};
use super::shards::{Shards, rows as answer_rows};
use super::sql::{self, Row, Rows, text};
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

/// Which events of rooms are read.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    Ever,
    /// On this day or later.
    Since(i64),
    /// Between these moments, themselves included.
    Between(Millis, Millis),
}

impl When {
    /// A further condition.
    fn condition(self) -> String {
        match self {
            When::Ever => String::new(),
            When::Since(day) => from_day(Some(day)),
            // The day is the partition: others are not opened.
            When::Between(from, to) => format!(
                " AND day >= {} AND day <= {} AND at_ms >= {} AND at_ms <= {}",
                sql::day(from.day()),
                sql::day(to.day()),
                from.0,
                to.0
            ),
        }
    }
}

impl Told {
    /// Reads what is kept now: some of the events, and all restarts.
    pub(super) async fn read(
        shards: &Arc<Shards>,
        shard: usize,
        rooms: &BTreeSet<RoomName>,
        when: When,
    ) -> Result<Told, StoreError> {
        let mut told = Told::default();
        if rooms.is_empty() {
            return Ok(told);
        }
        let sql = format!(
            "SELECT {} FROM events WHERE {}{} AND kind != '{}'",
            rows::EVENT_COLUMNS,
            rooms_in(rooms),
            when.condition(),
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

    /// Whether an event is among them in these words.
    pub(super) fn has(&self, name: &RoomName, digests: Digests) -> bool {
        self.rooms.get(name).is_some_and(|events| events.contains_key(&digests))
    }

    /// The restarts of a timeline's media server.
    pub(super) fn resets(&self, timeline: &Timeline) -> Vec<Millis> {
        let of_app = self.resets.get(&timeline.app).into_iter().flat_map(BTreeMap::values);
        let ours = of_app.filter(|e| e.source == timeline.source && e.instance == timeline.instance);
        let times: BTreeSet<Millis> = ours.map(|event| event.at).collect();
        times.into_iter().collect()
    }

    /// A digest of the events from a moment on, and of the restarts. It is a part of the version of rows that are made
    /// of them, so that rows made of different ones never mix.
    pub(super) fn digest(&self, name: &RoomName, from: Millis) -> u64 {
        let mut all = Row::default();
        let events = self.rooms.get(name).into_iter().flatten().filter(|(_, event)| from <= event.at);
        for (digests, _) in events.chain(self.resets.get(&name.0).into_iter().flatten()) {
            all.u64(digests.event).u64(digests.wording);
        }
        rows::digest(&all.0)
    }
}

/// A further condition: rows of the days from one on.
fn from_day(since: Option<i64>) -> String {
    since.map_or_else(String::new, |day| format!(" AND day >= {}", sql::day(day)))
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

type Rowset = BTreeMap<Vec<u8>, Kept>;

/// The sessions and orphans of some rooms, by table and room, then by what makes each row itself.
#[derive(Debug, Default)]
pub(super) struct Stored(BTreeMap<(&'static str, RoomName), Rowset>);

impl Stored {
    /// Reads what is stored now, of the days from one on.
    pub(super) async fn read(
        shards: &Arc<Shards>,
        shard: usize,
        rooms: &BTreeSet<RoomName>,
        since: Option<i64>,
    ) -> Result<Stored, StoreError> {
        let mut stored = Stored::default();
        for table in [&SESSIONS, &ORPHANS] {
            let place = format!("{}{}", rooms_in(rooms), from_day(since));
            let answer = shards.ask(shard, stored_sql(table, &place)).await?;
            for (name, rows) in read_table(table, &answer)? {
                stored.0.insert((table.name, name), rows);
            }
        }
        Ok(stored)
    }

    /// Writes the rows in which what should be differs from what is, of those that are `ours`; whether there is any.
    pub(super) fn differ(
        &self,
        table: &'static Table,
        name: &RoomName,
        version: u64,
        wanted: &BTreeMap<Vec<u8>, Wanted>,
        changes: &mut Row,
        ours: impl Fn(&[u8]) -> bool,
    ) -> bool {
        let nothing = Rowset::new();
        let stored = self.0.get(&(table.name, name.clone())).unwrap_or(&nothing);
        !differ(table, stored, version, wanted, changes, ours).is_empty()
    }
}

/// Writes the rows in which what should be differs from what is, of those that are `ours`; their versions. A row that
/// is replaced gets a greater version in any case: it was made of events that were read since, though retention may
/// have dropped so many that they are fewer.
fn differ(
    table: &Table,
    stored: &Rowset,
    version: u64,
    wanted: &BTreeMap<Vec<u8>, Wanted>,
    changes: &mut Row,
    ours: impl Fn(&[u8]) -> bool,
) -> Vec<(Vec<u8>, u64)> {
    let mut written = Vec::new();
    for (key, row) in wanted {
        let kept = stored.get(key);
        if kept.is_none_or(|kept| kept.is_gone || kept.content != row.content()) {
            let version = kept.map_or(version, |kept| version.max(kept.version + 1));
            row.write(version, changes);
            written.push((key.clone(), version));
        }
    }
    for (key, kept) in stored {
        if !kept.is_gone && !wanted.contains_key(key) && ours(key) {
            let version = version.max(kept.version + 1);
            changes.0.extend(key);
            table.write_gone(changes, version);
            written.push((key.clone(), version));
        }
    }
    written
}

/// The calls of some rooms.
#[derive(Debug, Default)]
pub(super) struct StoredCalls {
    rows: BTreeMap<RoomName, Rowset>,
    kept: BTreeMap<RoomName, Vec<rows::Kept>>,
}

impl StoredCalls {
    /// Reads what is stored now.
    pub(super) async fn read(
        shards: &Arc<Shards>,
        shard: usize,
        rooms: &BTreeSet<RoomName>,
    ) -> Result<StoredCalls, StoreError> {
        let place = rooms_in(rooms);
        let rows = read_table(&CALLS, &shards.ask(shard, stored_sql(&CALLS, &place)).await?)?;
        let sql = format!(
            "SELECT {} FROM ({}) WHERE deleted = 0",
            rows::CALL_COLUMNS,
            newest(&CALLS, rows::CALL_COLUMNS, &place)
        );
        let mut kept: BTreeMap<RoomName, Vec<rows::Kept>> = BTreeMap::new();
        for call in answer_rows(&shards.ask(shard, sql).await?).all(rows::read_call)? {
            kept.entry((call.call.app, call.call.room.clone())).or_default().push(call);
        }
        Ok(StoredCalls { rows, kept })
    }

    /// Those of a room.
    pub(super) fn kept(&self, name: &RoomName) -> &[rows::Kept] {
        self.kept.get(name).map_or(&[], Vec::as_slice)
    }

    /// The versions of the rows of a room.
    pub(super) fn versions(&self, name: &RoomName) -> BTreeMap<Vec<u8>, u64> {
        versions(self.rows.get(name))
    }

    /// As [`Stored::differ`], of those whose ids are `ours`; the versions of what is written.
    pub(super) fn differ(
        &self,
        name: &RoomName,
        version: u64,
        wanted: &BTreeMap<Vec<u8>, Wanted>,
        changes: &mut Row,
        ours: impl Fn(&str) -> bool,
    ) -> Vec<(Vec<u8>, u64)> {
        let nothing = Rowset::new();
        let stored = self.rows.get(name).unwrap_or(&nothing);
        differ(&CALLS, stored, version, wanted, changes, |key| comm_id(key).is_ok_and(|id| ours(&id)))
    }

    /// Writes one row once more with a greater version, if there is any.
    pub(super) fn touch(
        &self,
        name: &RoomName,
        version: u64,
        wanted: &BTreeMap<Vec<u8>, Wanted>,
        changes: &mut Row,
    ) -> Option<(Vec<u8>, u64)> {
        let (key, row) = wanted.first_key_value()?;
        let kept = self.rows.get(name).and_then(|rows| rows.get(key));
        let version = kept.map_or(version, |kept| version.max(kept.version + 1));
        row.write(version, changes);
        Some((key.clone(), version))
    }
}

fn versions(rows: Option<&Rowset>) -> BTreeMap<Vec<u8>, u64> {
    rows.into_iter().flatten().map(|(key, kept)| (key.clone(), kept.version)).collect()
}

/// What others would have changed of a room.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) count: u64,
    pub(super) versions: BTreeMap<Vec<u8>, u64>,
}

impl Seen {
    /// How it is now.
    pub(super) async fn read(
        shards: &Arc<Shards>,
        shard: usize,
        rooms: &BTreeSet<RoomName>,
    ) -> Result<BTreeMap<RoomName, Seen>, StoreError> {
        let counts = counts(shards, shard, rooms).await?;
        let mut stored = BTreeMap::new();
        let names: Vec<&RoomName> = rooms.iter().collect();
        for some in names.chunks(1_000) {
            let some: BTreeSet<RoomName> = some.iter().map(|name| (*name).clone()).collect();
            let answer = shards.ask(shard, stored_sql(&CALLS, &rooms_in(&some))).await?;
            stored.extend(read_table(&CALLS, &answer)?);
        }
        let seen = |(name, count)| {
            let versions = versions(stored.get(&name));
            (name, Seen { count, versions })
        };
        Ok(counts.into_iter().map(seen).collect())
    }
}

fn read_table(table: &Table, answer: &[u8]) -> Result<BTreeMap<RoomName, Rowset>, StoreError> {
    let mut found: BTreeMap<RoomName, Rowset> = BTreeMap::new();
    let mut rows = Rows(answer);
    while !rows.is_empty() {
        let identity = table.read_identity(&mut rows)?;
        let mut key = Rows(identity);
        key.day()?;
        let name = (AppId(key.u64()?), key.text()?);
        let kept = Kept { version: rows.u64()?, content: rows.u64()?, is_gone: rows.u8()? == 1 };
        found.entry(name).or_default().insert(identity.to_vec(), kept);
    }
    Ok(found)
}

/// The id of the call that a row of `calls` or `sessions` is of, by what makes the row itself.
pub(super) fn comm_id(key: &[u8]) -> Result<String, StoreError> {
    let mut key = Rows(key);
    key.day()?;
    key.u64()?;
    key.bytes()?;
    key.text()
}

/// When the event of a row of `orphans` happened, by what makes the row itself.
pub(super) fn orphan_at(key: &[u8]) -> Result<Millis, StoreError> {
    let mut key = Rows(key);
    key.day()?;
    key.u64()?;
    key.bytes()?;
    Ok(Millis(key.i64()?))
}

fn stored_sql(table: &Table, place: &str) -> String {
    format!(
        "SELECT {identity}, max(version), argMax((content, deleted), version) FROM {} WHERE {place} \
         GROUP BY {identity}",
        table.name,
        identity = table.identity()
    )
}
