//! A person erased from the files of a data directory, while others are served.
//!
//! First it is kept that nothing of the person is taken any more, then what is there is looked for, room by room, and
//! taken out in batches between those of senders. In the end every file that has free pages is written anew, since the
//! engine leaves in them what it no longer needs.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::batch::{Batch, Files, Turn, user_of};
use super::compact;
use super::file::{DayFile, View};
use super::index::CallRef;
use super::keys::{self, CallNo, Key, Table};
use super::samples::Samples;
use super::stream::{Stream, Streamed};
use super::writer::{Records, Writer};
use super::{Embedded, samples, told, values};
use crate::records::fold::{EventSet, Timeline, owner};
use crate::records::{AppId, Event, Millis, erase};
use crate::store::{Forgotten, Person, StoreError};

/// Calls of the person that are taken out at once.
const BATCH_CALLS: usize = 64;
/// How often what is there is looked for again. What comes meanwhile is not taken, so that the second finds nothing.
const ROUNDS_MAX: usize = 8;

/// Where rows of events are that are kept by themselves.
const SINGLES: [Table; 4] = [Table::Orphans, Table::Attributes, Table::Resets, Table::Unknown];

/// What one room's name holds of a person.
#[derive(Debug, Default, Clone)]
struct OfRoom {
    calls: BTreeSet<CallRef>,
    singles: Vec<(Table, Event)>,
}

impl Embedded {
    /// Erases a person; what was there.
    pub(super) async fn erase(&self, person: &Person, key: [u8; 32]) -> Result<Forgotten, StoreError> {
        self.erased.add(person, key)?;
        let mut forgotten = Forgotten::default();
        for round in 0.. {
            let mut rooms = find(&self.records.files()?, person)?.into_values().peekable();
            if rooms.peek().is_none() {
                break;
            }
            if round == ROUNDS_MAX {
                return Err(StoreError::Corrupt(
                    "a person is found again after having been erased".to_owned(),
                ));
            }
            while rooms.peek().is_some() {
                let mut batch = OfRoom::default();
                while let Some(room) = rooms.next_if(|_| batch.calls.len() < BATCH_CALLS) {
                    batch.calls.extend(room.calls);
                    batch.singles.extend(room.singles);
                }
                let whom = person.clone();
                forgotten.add(self.records.between(move |writer| writer.erase(&batch, &whom)).await?);
            }
        }
        for (day, flows) in samples::find_person(&self.samples.files()?, person)? {
            let until = person.until;
            forgotten.values += self.samples.between(move |writer| writer.erase(day, &flows, until)).await?;
        }
        forgotten.files = write_anew(&self.records).await? + write_anew(&self.samples).await?;
        self.news.forget(person);
        Ok(forgotten)
    }
}

/// Writes every file anew that was changed since it was written whole; how many.
async fn write_anew<S: Streamed>(stream: &Stream<S>) -> Result<u64, StoreError> {
    let changed: Vec<i64> =
        stream.files()?.values().filter(|file| file.is_changed()).map(|file| file.day).collect();
    let mut files = 0;
    for day in changed {
        files += u64::from(stream.between(move |writer| writer.rewrite(day)).await?);
    }
    Ok(files)
}

impl Forgotten {
    fn add(&mut self, more: Forgotten) {
        self.calls += more.calls;
        self.sessions += more.sessions;
        self.events += more.events;
    }
}

impl Writer<Records> {
    /// Takes a person out of some calls and rows, in one commit a file.
    fn erase(&self, batch: &OfRoom, person: &Person) -> Result<Forgotten, StoreError> {
        let (forgotten, changes, deltas) = self.shared.with_files(|files, index| {
            let mut making = Batch::new(files, index, Turn::ALONE);
            let forgotten = making.erase(batch, person)?;
            let (mut changes, mut deltas, sums) = making.finish()?;
            sums.write(index, &mut changes, &mut deltas)?;
            Ok((forgotten, changes, deltas))
        })?;
        self.keep(&changes, deltas)?;
        Ok(forgotten)
    }
}

impl Writer<Samples> {
    /// Takes out of a day's file what some flows have up to a moment; how many values.
    fn erase(&self, day: i64, flows: &BTreeSet<Vec<u8>>, until: Millis) -> Result<u64, StoreError> {
        let file = self.shared.with_files(|files, ()| Ok(files.get(&day).cloned()))?;
        let Some(file) = file else { return Ok(0) };
        let (changes, values) = samples::without(&file, flows, until)?;
        if !changes.is_empty() {
            file.commit(&changes, None)?;
        }
        Ok(values)
    }
}

impl Batch<'_> {
    /// Takes a person out. Lives are cut again where the person was among what they are made of.
    fn erase(&mut self, batch: &OfRoom, person: &Person) -> Result<Forgotten, StoreError> {
        let mut forgotten = Forgotten::default();
        let mut again: Vec<(Timeline, Millis, Millis)> = Vec::new();
        for &call in &batch.calls {
            again.extend(self.erase_from_call(call, person, &mut forgotten)?);
        }
        for (table, event) in &batch.singles {
            forgotten.events += 1;
            let left = erase::nameless(event.clone());
            if *table == Table::Orphans {
                self.set_orphan(event.clone(), false)?;
                left.into_iter().try_for_each(|event| self.set_orphan(event, true))?;
                continue;
            }
            self.set_single(*table, event.clone(), false)?;
            if let Some(event) = left {
                self.set_single(*table, event, true)?;
            } else if *table == Table::Attributes {
                self.fold_again_at((event.app, &event.room), &event.user, event.at)?;
            }
        }
        for (timeline, from, until) in again {
            self.cut_again(&timeline, from, until, None)?;
        }
        Ok(forgotten)
    }

    /// Takes a person out of one call; what must be cut again for it, if anything.
    fn erase_from_call(
        &mut self,
        call: CallRef,
        person: &Person,
        forgotten: &mut Forgotten,
    ) -> Result<Option<(Timeline, Millis, Millis)>, StoreError> {
        let Some(row) = self.call(call)?.cloned() else { return Ok(None) };
        let own = self.user(call, &person.user)?.events.as_slice().to_vec();
        let of_room =
            self.user(call, "")?.events.as_slice().iter().filter(|event| person.is_in(event)).count();
        let (theirs, kept): (Vec<Event>, Vec<Event>) = own.into_iter().partition(|event| person.is_in(event));
        if theirs.is_empty() && of_room == 0 {
            return Ok(None);
        }
        let stays = &self.user(call, &person.user)?.old;
        forgotten.sessions += stays.iter().filter(|stay| stay.joined <= person.until).count() as u64;
        forgotten.calls += 1;
        forgotten.events += (theirs.len() + of_room) as u64;
        // What stays of the person may have belonged to the life only because of what goes.
        if of_room == 0 && kept.is_empty() && erase::leaves_life_alone(&row.life, theirs.iter()) {
            let entry = self.user(call, &person.user)?;
            entry.events = EventSet::default();
            entry.dirty = true;
            return Ok(None);
        }
        self.load_users(call)?;
        let users = self.users.get(&call).into_iter().flat_map(BTreeMap::values);
        let all: Vec<Event> = users.flat_map(|user| user.events.as_slice()).cloned().collect();
        let latest = all.iter().map(|event| event.at).max();
        let timeline = row.timeline();
        let mut by_user: BTreeMap<String, Vec<Event>> = BTreeMap::new();
        for event in erase::from_life(&row.life, &timeline, all, &|event| person.is_in(event)) {
            by_user.entry(owner(&event).to_owned()).or_default().push(event);
        }
        // An empty room row may be new, that of the person may be gone.
        for user in ["", person.user.as_str()] {
            let entry = self.user(call, user)?;
            entry.events = EventSet::from_events(by_user.remove(user).unwrap_or_default());
            entry.dirty = true;
        }
        // The life before may have been closed by this one.
        let from = row.life.begin.min(row.life.start).plus(-1);
        let until = latest.max(row.life.closed.map(|closed| closed.at)).unwrap_or(row.life.begin);
        Ok(Some((timeline, from, until.max(row.life.last_evidence))))
    }
}

/// Everything that tells of a person, by room.
fn find(files: &Files, person: &Person) -> Result<BTreeMap<String, OfRoom>, StoreError> {
    let mut rooms: BTreeMap<String, OfRoom> = BTreeMap::new();
    for (&day, file) in files {
        let view = file.view()?;
        for no in candidates(&view, &person.user)? {
            let row = view.with(Table::Calls, &Key::call(no).bytes(), values::decode_call)?;
            let Some(row) = row.filter(|row| AppId(row.app) == person.app) else { continue };
            let mut tells = false;
            for user in ["", person.user.as_str()] {
                let key = Key::call(no).text(user).bytes();
                let decode = |bytes: &[u8]| told::decode(bytes, Some(&row), user, day);
                let (_, events) = view.with(Table::Events, &key, decode)?.unwrap_or_default();
                tells |= events.iter().any(|event| person.is_in(event));
            }
            if tells {
                rooms.entry(row.room).or_default().calls.insert(CallRef { day, no });
            }
        }
        find_singles(file, &view, person, &mut rooms)?;
    }
    Ok(rooms)
}

/// The calls in which a user has a row, or a row of the room holds the name.
fn candidates(view: &View, user: &str) -> Result<BTreeSet<CallNo>, StoreError> {
    let mut calls = BTreeSet::new();
    let written = compact::written(user);
    view.scan(Table::Events, &[], None, false, &mut |key, value| {
        let of = user_of(key).unwrap_or_default();
        if of == user || (of.is_empty() && holds(value, &written)) {
            calls.extend(key.first_chunk().map(|no| CallNo::from_be_bytes(*no)));
        }
        ControlFlow::Continue(())
    })?;
    Ok(calls)
}

fn holds(value: &[u8], text: &[u8]) -> bool {
    value.windows(text.len().max(1)).any(|part| part == text)
}

fn find_singles(
    file: &DayFile,
    view: &View,
    person: &Person,
    rooms: &mut BTreeMap<String, OfRoom>,
) -> Result<(), StoreError> {
    for table in SINGLES {
        let app = Key::app(person.app);
        view.each(table, &app.clone().bytes(), Some(&app.end()), &mut |_, value| {
            // A body that no rule knows may hold the name in other bytes.
            if table != Table::Unknown && !holds(value, person.user.as_bytes()) {
                return Ok(());
            }
            let event = values::decode_single(value)?;
            if person.is_in(&event) && keys::day(event.at) == file.day {
                rooms.entry(event.room.clone()).or_default().singles.push((table, event));
            }
            Ok(())
        })?;
    }
    Ok(())
}
