//! A batch to changes of files: users' rows written, calls numbered, listings kept in step.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, RangeInclusive};

use super::batch::{Batch, CallEntry, ChangesByDay, UserEntry, user_of};
use super::figures::{Moved, SumChanges};
use super::file::Changes;
use super::index::{CallRef, Delta, OPEN, reach};
use super::keys::{self, Key, Table, day};
use super::told::{self, StayHead};
use super::values::{self, CallRow, Listed, LongRow};
use crate::records::fold::{self, Claim, Life, Stay, Timeline};
use crate::records::{AppId, CommId, Event, Millis};
use crate::store::StoreError;

/// From how many stays on a call's stays are also listed by join, so that its first pages need not read all.
pub(super) const LISTED_STAYS_MIN: u32 = 256;

type RoomName = (AppId, String);

impl Batch<'_> {
    /// What this batch changes in each file, and in the index once that is durable; and by how much in the daily figures.
    pub(super) fn finish(mut self) -> Result<(ChangesByDay, Vec<Delta>, SumChanges), StoreError> {
        let mut changes = ChangesByDay::new();
        let mut deltas: Vec<Delta> = self.number_deltas().collect();
        let dirty = self.users.iter().filter(|(_, users)| users.values().any(|user| user.dirty));
        deltas.extend(dirty.map(|(&call, _)| Delta::Changed(call)));
        let moved = self.write_users(&mut changes)?;
        self.number()?;
        let sums = self.count(moved, &mut deltas)?;
        deltas.append(&mut self.listed);
        for (&at, entry) in &self.calls {
            write_call(at, entry, &mut changes, &mut deltas)?;
        }
        for ((day, table, key), event) in &self.singles {
            let value = event.as_ref().map(values::encode_single).transpose()?;
            changes.entry(*day).or_default().insert((*table, key.clone()), value);
        }
        self.single_deltas(&mut deltas)?;
        Ok((changes, deltas, sums))
    }

    /// Writes every user whose events changed; whose entries moved from one day to another.
    fn write_users(&mut self, changes: &mut ChangesByDay) -> Result<Vec<Moved>, StoreError> {
        let mut calls: Vec<(CallRef, BTreeMap<String, UserEntry>)> =
            std::mem::take(&mut self.users).into_iter().collect();
        calls.sort_unstable_by_key(|(at, _)| *at);
        let mut moved = Vec::new();
        for (at, users) in calls {
            let is_there = self.call(at)?.is_some();
            let mut listings = Vec::new();
            for (user, entry) in users.into_iter().filter(|(_, entry)| entry.dirty) {
                let events = entry.events.into_vec();
                let stays = if is_there && !user.is_empty() { told::stays(&events) } else { Vec::new() };
                let listing = Listing { user, old: entry.old, new: StayHead::of(&stays), stays };
                self.write_user(at, &listing, &events, changes);
                moved.extend(Moved::between(at, &listing.user, &listing.old, &listing.new));
                listings.push(listing);
            }
            if listings.is_empty() {
                continue;
            }
            self.list(at, listings, changes)?;
        }
        Ok(moved)
    }

    /// Writes what was told of a user. The stays of an event's user are in the row of that user alone.
    fn write_user(&mut self, at: CallRef, listing: &Listing, events: &[Event], changes: &mut ChangesByDay) {
        let Listing { user, old, new, .. } = listing;
        let written = (!events.is_empty()).then(|| told::encode(events, new, user, at.day));
        let key = Key::call(at.no).text(user).bytes();
        changes.entry(at.day).or_default().insert((Table::Events, key), written);
        if old.is_empty() != new.is_empty() {
            self.list_call(at, user, !new.is_empty(), changes);
        }
    }

    /// Keeps in which calls a user has stays: in a sealed file, or in memory.
    fn list_call(&mut self, at: CallRef, user: &str, there: bool, changes: &mut ChangesByDay) {
        let entry = self.calls.get(&at);
        let Some(row) = entry.and_then(|entry| entry.row.as_ref().or(entry.old.as_ref())) else { return };
        let key = keys::calls_of_user(AppId(row.app), user).number(at.no).bytes();
        if self.files.get(&at.day).is_some_and(|file| file.sealed) {
            let value = there.then(Vec::new);
            changes.entry(at.day).or_default().insert((Table::Users, key), value);
        } else {
            self.listed.push(Delta::User { day: at.day, key, there });
        }
    }

    /// Keeps the number of a call's stays and, for large calls, their listing by join.
    fn list(
        &mut self,
        at: CallRef,
        listings: Vec<Listing>,
        changes: &mut ChangesByDay,
    ) -> Result<(), StoreError> {
        self.call(at)?;
        let old_view = self.view(at.day)?;
        let Some(entry) = self.calls.get_mut(&at) else { return Ok(()) };
        let was_listed = entry.old.as_ref().is_some_and(|row| row.listed);
        let count = |stays: fn(&Listing) -> &[StayHead], counted: fn(&&StayHead) -> bool| {
            listings.iter().map(|listing| stays(listing).iter().filter(counted).count()).sum::<usize>()
        };
        let changed = |before: u32, counted: fn(&&StayHead) -> bool| {
            let after = before as usize + count(|listing| &listing.new, counted);
            u32::try_from(after.saturating_sub(count(|listing| &listing.old, counted))).unwrap_or(u32::MAX)
        };
        let mut listed = false;
        if let Some(row) = &mut entry.row {
            row.stays = changed(row.stays, |_| true);
            row.open_stays = changed(row.open_stays, |stay| stay.is_open);
            // Once listed, always listed: the listing is right, and a call rarely shrinks.
            row.listed |= row.stays >= LISTED_STAYS_MIN;
            listed = row.listed;
        }
        let file = changes.entry(at.day).or_default();
        if listed && !was_listed && entry.old.is_some() {
            let prefix = Key::call(at.no);
            let (from, to) = (prefix.clone().bytes(), prefix.end());
            let mut outcome = Ok(());
            if let Some(view) = old_view {
                view.scan(Table::Events, &from, Some(&to), false, &mut |key, value| {
                    let user = user_of(key).unwrap_or_default();
                    let told = told::decode(value, None, &user, at.day);
                    outcome =
                        told.map(|(_, events)| file.extend(listing_rows(at, &user, &told::stays(&events))));
                    if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                })?;
            }
            outcome?;
        }
        if listed || was_listed {
            for Listing { user, old, stays, .. } in listings {
                let gone = old.iter().map(|stay| listing_key(at, stay.joined.secs(), &user));
                file.extend(gone.map(|key| ((Table::Joins, key), None)));
                if listed {
                    file.extend(listing_rows(at, &user, &stays));
                }
            }
        }
        Ok(())
    }

    /// Gives every life of a touched room's name the second that it owns (rule 8).
    fn number(&mut self) -> Result<(), StoreError> {
        let mut touched: BTreeMap<RoomName, BTreeSet<i64>> = BTreeMap::new();
        for entry in self.calls.values() {
            let wanted = |row: &CallRow| row.claim().second;
            let order = |row: &CallRow| (row.life.start, row.life.begin, row.second);
            if entry.old.as_ref().map(order) == entry.row.as_ref().map(order) && entry.old.is_some() {
                continue;
            }
            for row in entry.old.iter().chain(&entry.row) {
                let seconds = touched.entry((AppId(row.app), row.room.clone())).or_default();
                seconds.extend([wanted(row), row.second]);
            }
        }
        for (name, mut seconds) in touched {
            let mut met = BTreeSet::new();
            while let Some(second) = seconds.pop_first() {
                let numbered = self.number_around(&name, second)?;
                seconds.retain(|second| !numbered.seconds.contains(second));
                // Each is numbered around its own second once; it is then among the lives that this batch moved.
                for (call, timeline, life) in numbered.elsewhere {
                    if met.insert(call) {
                        seconds.insert(life.claim(timeline.app, &timeline.room).second);
                        self.set_life(call, &timeline, life)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Numbers the lives of a room's name whose seconds are neighbours of `second`.
    fn number_around(&mut self, name: &RoomName, second: i64) -> Result<Numbered, StoreError> {
        let mut first = second;
        while !self.owners_of(name, first - 1)?.is_empty() {
            first -= 1;
        }
        let mut last = second;
        loop {
            let mut members: BTreeSet<CallRef> = BTreeSet::new();
            for second in first..=last {
                members.extend(self.owners_of(name, second)?);
            }
            let mut rows: Vec<(CallRef, CallRow, Timeline)> = Vec::new();
            for member in members {
                if let Some(row) = self.call(member)? {
                    rows.push((member, row.clone(), row.timeline()));
                }
            }
            let asks_here =
                |(_, row, _): &(CallRef, CallRow, Timeline)| (first..=last).contains(&row.claim().second);
            let (mut rows, elsewhere): (Vec<_>, Vec<_>) = rows.into_iter().partition(asks_here);
            rows.sort_by(|(_, a, at), (_, b, bt)| {
                let order = |life: &Life, timeline: &Timeline| {
                    (
                        life.start,
                        timeline.source.clone(),
                        timeline.instance.clone(),
                        life.begin,
                        life.name.clone(),
                    )
                };
                order(&a.life, at).cmp(&order(&b.life, bt))
            });
            let claims: Vec<Claim> = rows.iter().map(|(_, row, _)| row.claim()).collect();
            let given = fold::seconds(&claims);
            let reached = given.iter().copied().max().unwrap_or(last).max(last);
            if reached > last || !self.owners_of(name, last + 1)?.is_empty() {
                last = reached.max(last + 1);
                continue;
            }
            for ((member, row, timeline), second) in rows.into_iter().zip(given) {
                if row.second != second {
                    self.set_life(member, &timeline, row.life)?;
                }
                if let Some(row) = self.calls.get_mut(&member).and_then(|entry| entry.row.as_mut()) {
                    row.second = second;
                }
            }
            let elsewhere = elsewhere.into_iter().map(|(call, row, timeline)| (call, timeline, row.life));
            return Ok(Numbered { seconds: first..=last, elsewhere: elsewhere.collect() });
        }
    }

    /// The lives of a room's name that own or ask for a second.
    fn owners_of(&mut self, (app, room): &RoomName, second: i64) -> Result<BTreeSet<CallRef>, StoreError> {
        let is_owner = |row: &CallRow| {
            row.app == app.0 && row.room == *room && (row.second == second || row.claim().second == second)
        };
        let from = Millis::from_secs(second);
        let mut near = self.calls_of_room_on(*app, room, day(from), from, from.plus(999))?;
        let key = keys::room(*app, room).time(second).bytes();
        if let Some(view) = self.view(day(from))? {
            near.extend(view.with(Table::CommIds, &key, |value| Ok(decode_ref(value)))?.flatten());
        }
        let mut owners: BTreeSet<CallRef> = BTreeSet::new();
        for call in near {
            if self.call(call)?.is_some_and(is_owner) {
                owners.insert(call);
            }
        }
        Ok(owners)
    }

    fn single_deltas(&mut self, deltas: &mut Vec<Delta>) -> Result<(), StoreError> {
        for ((day, table, key), event) in std::mem::take(&mut self.singles) {
            let old = match self.view(day)? {
                Some(view) => view.with(table, &key, values::decode_single)?,
                None => None,
            };
            let there = event.is_some();
            match (table, old, event) {
                (Table::Orphans, None, Some(event)) | (Table::Orphans, Some(event), None) => {
                    deltas.push(Delta::Orphan { timeline: Timeline::of(&event), at: event.at, there });
                }
                (Table::Resets, None, Some(event)) => deltas
                    .push(Delta::Reset { emitter: (event.app, event.source, event.instance), at: event.at }),
                (Table::Attributes, _, Some(_)) => deltas.push(Delta::AttributeDay(day)),
                (_, _, _) => {}
            }
        }
        Ok(())
    }
}

/// What was numbered.
struct Numbered {
    seconds: RangeInclusive<i64>,
    /// Lives that still own one of these seconds but ask for another.
    elsewhere: Vec<(CallRef, Timeline, Life)>,
}

/// A user's stays before and after a batch.
struct Listing {
    user: String,
    old: Vec<StayHead>,
    new: Vec<StayHead>,
    /// The new ones whole, but for attributes.
    stays: Vec<Stay>,
}

fn listing_key(at: CallRef, second: i64, user: &str) -> Vec<u8> {
    Key::call(at.no).newest_first(second).text(user).bytes()
}

/// The rows of a user in the listing of a large call's stays, one for each second that a stay began in.
fn listing_rows(at: CallRef, user: &str, stays: &[Stay]) -> Changes {
    // In the order of their joins, as the fold gives them.
    let seconds = stays.chunk_by(|a, b| a.joined.secs() == b.joined.secs());
    let row = |stays: &[Stay]| {
        let second = stays[0].joined.secs();
        let listed: Vec<Listed> = stays.iter().map(|stay| (stay.joined, stay.left)).collect();
        let value = values::encode_listed(&listed, second);
        ((Table::Joins, listing_key(at, second, user)), Some(value))
    };
    seconds.map(row).collect()
}

/// Where a call is kept, as the CommIds table says it.
pub(super) fn encode_ref(call: CallRef) -> Vec<u8> {
    let mut bytes = call.day.to_be_bytes().to_vec();
    bytes.extend_from_slice(&call.no.to_be_bytes());
    bytes
}

/// Where a call is kept, as the CommIds table says it.
pub(super) fn decode_ref(bytes: &[u8]) -> Option<CallRef> {
    let day = i64::from_be_bytes(*bytes.first_chunk()?);
    Some(CallRef { day, no: keys::trailing_number(bytes)? })
}

/// A row of a table: its file, table, key and value.
type Placed = (i64, Table, Vec<u8>, Vec<u8>);

/// A call's rows in every table that lists it.
fn places(at: CallRef, row: &CallRow) -> Result<Vec<Placed>, StoreError> {
    let app = AppId(row.app);
    let room = || keys::room(app, &row.room);
    let mut places = vec![
        (at.day, Table::Rooms, room().time(row.life.begin.0).number(at.no).bytes(), Vec::new()),
        (
            at.day,
            Table::Apps,
            Key::app(app).newest_first(row.life.start.secs()).number(at.no).bytes(),
            Vec::new(),
        ),
    ];
    let own_form = !row.life.recorded || row.claim().fixed;
    if own_form {
        // One that begins in its second is found by `rooms`.
        if !row.begins_in_its_second() {
            let day_of_id = Millis::from_secs(row.second).day();
            let key = room().time(row.second).bytes();
            places.push((day_of_id, Table::CommIds, key, encode_ref(at)));
        }
    } else if let Some(text) = &row.life.name {
        let key = Key::app(app).text(text).bytes();
        places.push((at.day, Table::Texts, key, at.no.to_be_bytes().to_vec()));
    }
    if let Some(name) = &row.life.name {
        let key = Key::app(app).text(&row.source).text(&row.instance).text(&row.room).text(name).bytes();
        places.push((at.day, Table::Names, key, at.no.to_be_bytes().to_vec()));
    }
    if let Some(until) = reach(row) {
        // Of an open call more must be known than this, so that its row has to be read in any case.
        let told = LongRow { app: row.app, room: row.room.clone(), until };
        let value = if until == OPEN { Vec::new() } else { values::encode_long(&told)? };
        places.push((at.day, Table::Long, Key::call(at.no).bytes(), value));
    }
    Ok(places)
}

fn all_places(at: CallRef, row: Option<&CallRow>) -> Result<BTreeSet<Placed>, StoreError> {
    Ok(row.map(|row| places(at, row)).transpose()?.into_iter().flatten().collect())
}

fn write_call(
    at: CallRef,
    entry: &CallEntry,
    changes: &mut ChangesByDay,
    deltas: &mut Vec<Delta>,
) -> Result<(), StoreError> {
    if entry.old == entry.row {
        return Ok(());
    }
    deltas.push(Delta::Changed(at));
    let value = entry.row.as_ref().map(values::encode_call);
    changes.entry(at.day).or_default().insert((Table::Calls, Key::call(at.no).bytes()), value);
    if let (Some(old), Some(new)) = (&entry.old, &entry.row)
        && old.is_listed_as(new)
    {
        deltas.push(Delta::Running { before: old.running(), after: new.running() });
        return Ok(());
    }
    let (old, new) = (all_places(at, entry.old.as_ref())?, all_places(at, entry.row.as_ref())?);
    for (day, table, key, _) in old.difference(&new) {
        // Another call may have taken the second meanwhile; its row stands.
        changes.entry(*day).or_default().entry((*table, key.clone())).or_insert(None);
    }
    for (day, table, key, value) in new.difference(&old) {
        changes.entry(*day).or_default().insert((*table, key.clone()), Some(value.clone()));
    }
    let (reached, until) = (entry.old.as_ref().and_then(reach), entry.row.as_ref().and_then(reach));
    if reached != until
        && let Some(row) = entry.row.as_ref().or(entry.old.as_ref())
    {
        deltas.push(Delta::Long { app: AppId(row.app), room: row.room.clone(), call: at, until });
    }
    let running = |row: &Option<CallRow>| row.as_ref().map_or((0, 0), CallRow::running);
    deltas.push(Delta::Running { before: running(&entry.old), after: running(&entry.row) });
    Ok(())
}

impl CallRow {
    fn claim(&self) -> Claim {
        self.life.claim(AppId(self.app), &self.room)
    }

    /// Whether all tables list it in the [same places](places) as another version of it.
    fn is_listed_as(&self, other: &CallRow) -> bool {
        let listing =
            |row: &CallRow| (row.life.begin, row.life.start, row.second, row.life.recorded, reach(row));
        listing(self) == listing(other) && self.life.name == other.life.name
    }

    /// The id that questions name.
    pub(super) fn comm_id(&self) -> CommId {
        self.life.comm_id(&self.timeline(), self.second)
    }
}
