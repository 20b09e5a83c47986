//! Erasing a person. ClickHouse changes no row where it stands, so: what is left of each room without the person is told
//! first, the person's events are deleted, the rooms are folded again as after any batch, and what the folds before have
//! left behind is deleted. Each step may be done twice, so whatever cuts it off, the same command finishes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::append;
use super::ask::{calls_among, newest};
use super::rows::{self, Digests};
use super::shards::{Shards, rows as answer_rows};
use super::sql::{Row, Rows, number, text};
use super::stored::{RoomName, Told, When};
use super::tables::{CALLS, ERASED, EVENTS, ORPHANS, RESETS, SAMPLES, SESSIONS, Table};
use crate::records::{Event, Millis, erase};
use crate::store::erased::{Hash, People, hash, unhex};
use crate::store::room::Room;
use crate::store::{Forgotten, Person, StoreError, hex};

/// Rooms that are looked at together.
const ROOMS_AT_ONCE: usize = 500;
/// Events that one statement names.
const EVENTS_AT_ONCE: usize = 1_000;
/// How often the servers are asked whether they have deleted, how many times, and with which of them they are pushed.
const ASK_AGAIN: Duration = Duration::from_millis(100);
const ASKED_MAX: u64 = 36_000;
const PUSHED_EVERY: u64 = 8;

/// Writes down, on every shard, that nothing of somebody that happened until then is taken any more. `fresh` is the key
/// of the hashes if there is none yet.
pub(super) async fn remember(shards: &Arc<Shards>, person: &Person, fresh: Hash) -> Result<(), StoreError> {
    let key = remembered(shards).await?.key_or(fresh);
    let mut row = Row::default();
    row.day(person.until.day()).text(&hex(&hash(&key, person.app, &person.user)));
    row.i64(person.until.0).text(&hex(&key));
    for shard in 0..shards.shards.len() {
        shards.insert(shard, &ERASED, row.0.clone()).await?;
    }
    Ok(())
}

/// Who was erased, by whichever rollbook.
pub(super) async fn remembered(shards: &Arc<Shards>) -> Result<People, StoreError> {
    let sql = format!("SELECT key, person, until_ms FROM {}", ERASED.name);
    let answer = shards.ask_any(&sql).await?;
    let digest = |text: String| {
        unhex(&text).ok_or_else(|| {
            StoreError::Corrupt(format!("a row of {} holds {text:?}, which is no digest", ERASED.name))
        })
    };
    let rows = answer_rows(&answer)
        .all(|row| Ok((digest(row.text()?)?, digest(row.text()?)?, Millis(row.i64()?))))?;
    Ok(People::of(rows))
}

/// Erases somebody from all shards; what there was. `unique` is a number that no other erasure has.
pub(super) async fn forget(
    shards: &Arc<Shards>,
    person: &Person,
    unique: u64,
) -> Result<Forgotten, StoreError> {
    let parts = shards
        .each(|shards, shard| {
            let person = person.clone();
            async move { Erasing { shards: &shards, shard, person: &person, unique }.run().await }
        })
        .await?;
    let mut all = Forgotten::default();
    for part in parts {
        all.calls += part.calls;
        all.sessions += part.sessions;
        all.events += part.events;
        all.values += part.values;
    }
    Ok(all)
}

/// A person on one shard.
struct Erasing<'a> {
    shards: &'a Arc<Shards>,
    shard: usize,
    person: &'a Person,
    /// Blocks that are the same as one before are not inserted.
    unique: u64,
}

/// Events that no room is made of.
#[derive(Debug, Default)]
struct Loose {
    /// What no rule knows.
    unknown: Vec<(Digests, Event)>,
    /// Restarts of media servers.
    resets: Vec<(Digests, Event)>,
}

impl Erasing<'_> {
    async fn run(&self) -> Result<Forgotten, StoreError> {
        let rooms = self.rooms().await?;
        let loose = self.loose().await?;
        let mut forgotten = Forgotten { values: self.values().await?, ..Forgotten::default() };
        forgotten.events = loose.unknown.len() as u64;
        if self.shard == 0 {
            // They are on every shard.
            forgotten.events += loose.resets.len() as u64;
        }
        let names: Vec<&RoomName> = rooms.iter().collect();
        let mut nameless = Row::default();
        for some in names.chunks(ROOMS_AT_ONCE) {
            let some = some.iter().map(|name| (*name).clone()).collect();
            self.take_out(&some, &mut forgotten, &mut nameless).await?;
        }
        let mut resets = Row::default();
        for event in loose.resets.iter().filter_map(|(_, event)| erase::nameless(event.clone())) {
            rows::write_reset(&event, Digests::of(&event)?, &mut resets)?;
        }
        self.shards.insert(self.shard, &EVENTS, nameless.0).await?;
        self.shards.insert(self.shard, &RESETS, resets.0).await?;
        let mut told = vec![(&EVENTS, format!("{} AND {}", self.named("user"), self.until("at_ms")))];
        told.extend(self.events_in(&loose.unknown).map(|theirs| (&EVENTS, theirs)));
        told.extend(self.events_in(&loose.resets).map(|theirs| (&RESETS, theirs)));
        self.delete(&told).await?;

        let all_of_it = |name: RoomName| (name, Vec::new());
        append::fold(self.shards, self.shard, rooms.into_iter().map(all_of_it).collect()).await?;
        let left_behind = self.left_behind().await?;
        self.delete(&left_behind).await?;
        Ok(forgotten)
    }

    /// A condition: a column holds the person's name.
    fn named(&self, column: &str) -> String {
        format!("app = {} AND {column} = {}", self.person.app, text(&self.person.user))
    }

    /// A condition: a column's time is to be erased.
    fn until(&self, column: &str) -> String {
        format!("{column} <= {}", number(self.person.until.0))
    }

    /// The condition of the person's measurements.
    fn measured(&self) -> String {
        let (user, until) = (text(&self.person.user), self.until("at_ms"));
        format!("app = {} AND (user = {user} OR peer = {user}) AND {until}", self.person.app)
    }

    /// The rooms in which something is kept of the person.
    async fn rooms(&self) -> Result<BTreeSet<RoomName>, StoreError> {
        let mut rooms = BTreeSet::new();
        for (table, column) in
            [(&EVENTS, "user"), (&SESSIONS, "user"), (&ORPHANS, "user"), (&CALLS, "creator")]
        {
            let sql = format!("SELECT DISTINCT room FROM {} WHERE {}", table.name, self.named(column));
            let found = answer_rows(&self.shards.ask(self.shard, sql).await?).all(Rows::text)?;
            rooms.extend(found.into_iter().map(|room| (self.person.app, room)));
        }
        Ok(rooms)
    }

    /// The person's events of which no room is made. Their bodies may hold a name in any spelling, so each is looked at,
    /// day by day.
    async fn loose(&self) -> Result<Loose, StoreError> {
        let place = format!("app = {} AND {}", self.person.app, self.until("at_ms"));
        let is_theirs = |(_, event): &(Digests, Event)| self.person.is_in(event);
        let sql = format!("SELECT {} FROM {} WHERE {place}", rows::RESET_COLUMNS, RESETS.name);
        let mut resets = answer_rows(&self.shards.ask(self.shard, sql).await?).all(rows::read_reset)?;
        resets.retain(is_theirs);
        let unknown = format!("{place} AND kind = {}", text(rows::UNKNOWN));
        let days = format!("SELECT DISTINCT toString(day) FROM {} WHERE {unknown}", EVENTS.name);
        let days = answer_rows(&self.shards.ask(self.shard, days).await?).all(Rows::text)?;
        let mut found = BTreeMap::new();
        for day in days {
            let columns = rows::EVENT_COLUMNS;
            let sql =
                format!("SELECT {columns} FROM {} WHERE {unknown} AND day = {}", EVENTS.name, text(&day));
            let of_day = answer_rows(&self.shards.ask(self.shard, sql).await?).all(rows::read_event)?;
            found.extend(of_day.into_iter().filter(is_theirs));
        }
        Ok(Loose { unknown: found.into_iter().collect(), resets })
    }

    /// How many values there are of the person.
    async fn values(&self) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT count() FROM (SELECT DISTINCT {} FROM {} WHERE {})",
            SAMPLES.identity(),
            SAMPLES.name,
            self.measured()
        );
        answer_rows(&self.shards.ask(self.shard, sql).await?).u64()
    }

    /// Counts what there is of the person in some rooms, and writes the events that take the place of the person's.
    async fn take_out(
        &self,
        names: &BTreeSet<RoomName>,
        forgotten: &mut Forgotten,
        nameless: &mut Row,
    ) -> Result<(), StoreError> {
        let told = Told::read(self.shards, self.shard, names, When::Ever).await?;
        for name in names {
            let mut room: Room = told.events(name).cloned().collect();
            let lives = room.fold(|timeline| told.resets(timeline));
            room.forget(&lives, self.person, forgotten);
            for event in room.events() {
                let digests = Digests::of(event)?;
                if !told.has(name, digests) {
                    rows::write_event(event, digests, nameless)?;
                }
            }
        }
        Ok(())
    }

    /// What older folds said of the person. Where the person came back later, the newest rows are true.
    async fn left_behind(&self) -> Result<Vec<(&'static Table, String)>, StoreError> {
        let stays = format!("{} AND {}", self.named("user"), self.until("joined_ms"));
        let columns = "room, comm_id, twin, joined_ms";
        let sql = format!("SELECT {columns} FROM ({}) WHERE deleted = 0", newest(&SESSIONS, columns, &stays));
        let read = |row: &mut Rows<'_>| Ok(format!("({},{})", call(row)?, number(row.i64()?)));
        let kept = answer_rows(&self.shards.ask(self.shard, sql).await?).all(read)?;
        let stays = format!("{stays}{}", but(columns, &kept));

        let (created, columns) = (self.named("creator"), "room, comm_id, twin");
        let place = calls_among(&format!("app = {}", self.person.app), &created);
        let sql = format!(
            "SELECT {columns} FROM ({}) WHERE deleted = 0 AND creator = {}",
            newest(&CALLS, &format!("{columns}, creator"), &place),
            text(&self.person.user)
        );
        let read = |row: &mut Rows<'_>| Ok(format!("({})", call(row)?));
        let kept = answer_rows(&self.shards.ask(self.shard, sql).await?).all(read)?;
        let created = format!("{created}{}", but(columns, &kept));

        let waiting = format!("{} AND {}", self.named("user"), self.until("at_ms"));
        Ok(vec![(&SESSIONS, stays), (&CALLS, created), (&ORPHANS, waiting), (&SAMPLES, self.measured())])
    }

    /// Conditions that pick these events.
    fn events_in(&self, events: &[(Digests, Event)]) -> impl Iterator<Item = String> {
        events.chunks(EVENTS_AT_ONCE).map(|some| {
            let pairs = some.iter().map(|(digests, _)| format!("({},{})", digests.event, digests.wording));
            let pairs: Vec<String> = pairs.collect();
            format!("app = {} AND (event, wording) IN ({})", self.person.app, pairs.join(","))
        })
    }

    /// Deletes rows, and waits until no replica has any of them.
    async fn delete(&self, theirs: &[(&Table, String)]) -> Result<(), StoreError> {
        for (table, condition) in theirs {
            self.begin_to_delete(table, condition).await?;
        }
        for (table, condition) in theirs {
            self.wait_until_gone(table, condition).await?;
        }
        Ok(())
    }

    async fn begin_to_delete(&self, table: &Table, condition: &str) -> Result<(), StoreError> {
        self.shards.alter(self.shard, format!("ALTER TABLE {} DELETE WHERE {condition}", table.name)).await
    }

    async fn wait_until_gone(&self, table: &Table, condition: &str) -> Result<(), StoreError> {
        let sql = format!("SELECT DISTINCT day FROM {} WHERE {condition}", table.name);
        for turn in 1..=ASKED_MAX {
            let mut days = BTreeSet::new();
            for answer in self.shards.ask_replicas(self.shard, &sql).await? {
                days.extend(answer_rows(&answer).all(Rows::day)?);
            }
            if days.is_empty() {
                return Ok(());
            }
            if turn % PUSHED_EVERY == 0 {
                // Whatever came in a batch that was on its way is deleted, too.
                self.begin_to_delete(table, condition).await?;
                self.push(table, &days, turn).await?;
            }
            self.shards.pause(ASK_AGAIN).await;
        }
        Err(StoreError::Unavailable(format!(
            "shard {:?} has not deleted everything from `{}` within an hour: system.mutations says what it waits for",
            self.shards.shards[self.shard].name, table.name
        )))
    }

    /// A replicated table leaves the part that was inserted last into a partition as it is, since a quorum answers for it
    /// (18.16): a row that tells nothing makes another part the last one.
    async fn push(&self, table: &Table, days: &BTreeSet<i64>, turn: u64) -> Result<(), StoreError> {
        let mut rows = Row::default();
        for day in days {
            table.write_nothing(&mut rows, *day, self.unique.wrapping_add(turn));
        }
        self.shards.insert(self.shard, table, rows.0).await
    }
}

/// What makes a call itself, as it stands in a list.
fn call(row: &mut Rows<'_>) -> Result<String, StoreError> {
    let (room, comm_id, twin) = (row.text()?, row.text()?, row.u64()?);
    Ok(format!("{},{},{twin}", text(&room), text(&comm_id)))
}

/// The rest of a condition: but for these rows.
fn but(columns: &str, rows: &[String]) -> String {
    if rows.is_empty() { String::new() } else { format!(" AND ({columns}) NOT IN ({})", rows.join(",")) }
}

/// The tables that hold a text anywhere, on any replica.
#[cfg(test)]
pub(super) async fn tables_that_hold(
    shards: &Arc<Shards>,
    needle: &str,
) -> Result<Vec<&'static str>, StoreError> {
    let mut found = Vec::new();
    for table in super::tables::TABLES {
        let sql = format!("SELECT count() FROM {} WHERE {}", table.name, table.holds(needle));
        for shard in 0..shards.shards.len() {
            for answer in shards.ask_replicas(shard, &sql).await? {
                found.extend((answer_rows(&answer).u64()? > 0).then_some(table.name));
            }
        }
    }
    Ok(found)
}
