//! Daily figures, kept in step with the stays they are counted from.
//!
//! Each file holds sums for the days of UTC+8 that its own stays began on. What has entries in several files is
//! counted in the first of them, so that the sums of all files add up, an event nearly always changes those of its
//! own file alone, and the sums are a function of the records. Whether somebody was counted already is asked of
//! the stays themselves: nothing more is kept on disk for each user or room.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::batch::{Batch, ChangesByDay, Files, user_of};
use super::file::View;
use super::index::{CallRef, Delta, Index};
use super::keys::{self, Key, Table};
use super::told::{self, StayHead};
use super::{users, values};
use crate::records::AppId;
use crate::store::{DayFigures, Figures, StoreError, figures_day};

/// What one file counts of one day of an application.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sums {
    /// Rooms that nobody entered on that day in an earlier file.
    pub(super) rooms: u64,
    /// Users, by room, who did not enter it on that day in an earlier file.
    pub(super) users: u64,
    /// Stays that began.
    pub(super) entries: u64,
}

/// The sums of every file: by application, first second of the day, and UTC day of the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct AllSums(BTreeMap<AppId, BTreeMap<i64, BTreeMap<i64, Sums>>>);

impl AllSums {
    pub(super) fn get(&self, app: AppId, start_s: i64, file: i64) -> Sums {
        let of_day = self.0.get(&app).and_then(|days| days.get(&start_s));
        of_day.and_then(|files| files.get(&file)).copied().unwrap_or_default()
    }

    pub(super) fn set(&mut self, app: AppId, start_s: i64, file: i64, sums: Sums) {
        let days = self.0.entry(app).or_default();
        let files = days.entry(start_s).or_default();
        if sums != Sums::default() {
            files.insert(file, sums);
            return;
        }
        files.remove(&file);
        if files.is_empty() {
            days.remove(&start_s);
        }
    }

    pub(super) fn forget_file(&mut self, gone: i64) {
        for days in self.0.values_mut() {
            days.retain(|_, files| {
                files.remove(&gone);
                !files.is_empty()
            });
        }
    }

    /// The first day after `swept_s` of which a file does not count what `right` says.
    pub(super) fn differs(&self, right: &AllSums, file: i64, swept_s: Option<i64>) -> Option<(AppId, i64)> {
        let both = self.0.iter().chain(&right.0);
        let mut days = both.flat_map(|(&app, days)| days.keys().map(move |&start_s| (app, start_s)));
        days.find(|&(app, start_s)| {
            Some(start_s) > swept_s && self.get(app, start_s, file) != right.get(app, start_s, file)
        })
    }

    /// The files that have entries of a day, earliest first.
    fn files_of(&self, app: AppId, start_s: i64) -> impl Iterator<Item = i64> {
        self.0.get(&app).and_then(|days| days.get(&start_s)).into_iter().flat_map(BTreeMap::keys).copied()
    }

    /// The latest day of which a file has entries, and the other files that have entries of any of its days: they
    /// are no longer exact once it is gone.
    pub(super) fn shared_with(&self, file: i64) -> BTreeMap<i64, i64> {
        let mut others = BTreeMap::new();
        for (&start_s, files) in self.0.values().flatten().filter(|(_, files)| files.contains_key(&file)) {
            for &other in files.keys().filter(|other| **other != file) {
                let latest = others.entry(other).or_insert(start_s);
                *latest = start_s.max(*latest);
            }
        }
        others
    }

    /// The figures of the days after `swept_s` that begin in a window.
    pub(super) fn figures(&self, app: AppId, swept_s: Option<i64>, from_s: i64, to_s: i64) -> Figures {
        let days = self.0.get(&app).into_iter().flatten();
        let mut whole = days.filter(|(start_s, _)| Some(**start_s) > swept_s).peekable();
        let first_s = whole.peek().map(|(start_s, _)| **start_s);
        let asked = whole.filter(|(start_s, _)| from_s <= **start_s && **start_s <= to_s);
        let sum = |(&start_s, files): (&i64, &BTreeMap<i64, Sums>)| {
            files.values().fold(DayFigures { start_s, ..DayFigures::default() }, |day, sums| DayFigures {
                start_s,
                rooms: day.rooms + sums.rooms,
                users: day.users + sums.users,
                entries: day.entries + sums.entries,
            })
        };
        Figures { first_s, days: asked.map(sum).collect() }
    }
}

/// A user in a call, the days of whose entries changed.
pub(super) struct Moved {
    at: CallRef,
    user: String,
    /// The day of each stay.
    old: Vec<i64>,
    new: Vec<i64>,
}

impl Moved {
    pub(super) fn between(at: CallRef, user: &str, old: &[StayHead], new: &[StayHead]) -> Option<Moved> {
        if days_of(old).eq(days_of(new)) {
            return None;
        }
        Some(Moved { at, user: user.to_owned(), old: days_of(old).collect(), new: days_of(new).collect() })
    }

    /// Whether there were entries of a day before, and whether there are now.
    fn enters(&self, start_s: i64) -> (bool, bool) {
        (self.old.contains(&start_s), self.new.contains(&start_s))
    }
}

fn days_of(stays: &[StayHead]) -> impl Iterator<Item = i64> {
    stays.iter().map(|stay| figures_day(stay.joined.secs()))
}

/// What a batch changes of the sums of a file.
#[derive(Debug, Default, Clone, Copy)]
struct Change {
    rooms: i64,
    users: i64,
    entries: i64,
}

/// By file, application and day.
#[derive(Debug, Default)]
pub(super) struct SumChanges(BTreeMap<(i64, AppId, i64), Change>);

impl SumChanges {
    fn of(&mut self, file: i64, app: AppId, start_s: i64) -> &mut Change {
        self.0.entry((file, app, start_s)).or_default()
    }

    /// Adds what another part of the same batch changes.
    pub(super) fn merge(&mut self, other: SumChanges) {
        for ((file, app, start_s), by) in other.0 {
            let change = self.of(file, app, start_s);
            change.rooms += by.rooms;
            change.users += by.users;
            change.entries += by.entries;
        }
    }

    /// The sums that a batch leaves, as changes of files and of the index.
    pub(super) fn write(
        self,
        index: &Index,
        changes: &mut ChangesByDay,
        deltas: &mut Vec<Delta>,
    ) -> Result<(), StoreError> {
        for ((file, app, start_s), change) in self.0 {
            let old = index.sums.get(app, start_s, file);
            let new = Sums {
                rooms: old.rooms.saturating_add_signed(change.rooms),
                users: old.users.saturating_add_signed(change.users),
                entries: old.entries.saturating_add_signed(change.entries),
            };
            if new != old {
                let value = (new != Sums::default()).then(|| values::encode_sums(new)).transpose()?;
                let key = keys::figures(app, start_s);
                changes.entry(file).or_default().insert((Table::Figures, key), value);
                deltas.push(Delta::Sums { app, start_s, file, sums: new });
            }
        }
        Ok(())
    }
}

/// Whoever entered a room's name on a day: how many calls of each file have entries of each user, and how many such
/// users and calls each file has. Or by how much that changes.
#[derive(Debug, Default)]
pub(super) struct Entrants {
    users: BTreeMap<(String, i64), i64>,
    files: BTreeMap<i64, i64>,
    /// Calls and users that were read to know it.
    rows: usize,
}

impl Entrants {
    fn add(&mut self, user: &str, file: i64, by: i64) {
        add(&mut self.users, (user.to_owned(), file), by);
        add(&mut self.files, file, by);
    }

    fn merge(&mut self, changes: Entrants) {
        changes.users.into_iter().for_each(|(place, by)| add(&mut self.users, place, by));
        changes.files.into_iter().for_each(|(file, by)| add(&mut self.files, file, by));
    }

    fn files_of(&self, user: &str) -> impl Iterator<Item = (i64, i64)> {
        let places = (user.to_owned(), i64::MIN)..=(user.to_owned(), i64::MAX);
        self.users.range(places).map(|((_, file), &count)| (*file, count))
    }

    /// In which file a user is counted, and in which after these changes.
    fn user_counted(&self, user: &str, changes: &Entrants) -> (Option<i64>, Option<i64>) {
        first_files(self.files_of(user), changes.files_of(user))
    }

    /// In which file the room is counted, and in which after these changes.
    fn room_counted(&self, changes: &Entrants) -> (Option<i64>, Option<i64>) {
        let pairs = |entrants: &Entrants| entrants.files.clone().into_iter();
        first_files(pairs(self), pairs(changes))
    }
}

fn add<K: Ord>(counts: &mut BTreeMap<K, i64>, key: K, by: i64) {
    let mut entry = match counts.entry(key) {
        Entry::Vacant(entry) => {
            entry.insert(by);
            return;
        }
        Entry::Occupied(entry) => entry,
    };
    *entry.get_mut() += by;
    if *entry.get() == 0 {
        entry.remove();
    }
}

/// The first file that has any, before changes and after them.
fn first_files(
    counts: impl Iterator<Item = (i64, i64)>,
    changes: impl Iterator<Item = (i64, i64)>,
) -> (Option<i64>, Option<i64>) {
    let mut counts: BTreeMap<i64, i64> = counts.collect();
    let first = |counts: &BTreeMap<i64, i64>| counts.keys().next().copied();
    let before = first(&counts);
    changes.for_each(|(file, by)| add(&mut counts, file, by));
    (before, first(&counts))
}

/// Calls `change` with each file whose count differs, and by how much.
fn move_count((before, after): (Option<i64>, Option<i64>), mut change: impl FnMut(i64, i64)) {
    if before != after {
        before.into_iter().for_each(|file| change(file, -1));
        after.into_iter().for_each(|file| change(file, 1));
    }
}

/// A room's name on a day.
pub(super) type RoomDay = (AppId, String, i64);

/// Users of rooms of which the entrants are remembered, at most; twice that for a moment.
const REMEMBERED_USERS_MAX: usize = if cfg!(test) { 4 } else { 100_000 };

/// What was read of fewer calls and users is read again when it is needed: for the usual room, that costs less than
/// keeping it. Tests reach both with few events.
const REMEMBERED_ROWS_MIN: usize = if cfg!(test) { 2 } else { 32 };

/// The entrants of rooms that somebody entered lately, so that a room whose name has many lives on a day is not read
/// again for each join.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    new: HashMap<RoomDay, Entrants>,
    old: HashMap<RoomDay, Entrants>,
    /// In `new`.
    users: usize,
}

impl Remembered {
    fn get(&self, room: &RoomDay) -> Option<&Entrants> {
        self.new.get(room).or_else(|| self.old.get(room))
    }

    /// Keeps what has become of a room: of what was read of it, or else of what is remembered.
    pub(super) fn change(&mut self, room: RoomDay, read: Option<Entrants>, changes: Entrants) {
        if self.users > REMEMBERED_USERS_MAX {
            self.old = std::mem::take(&mut self.new);
            self.users = 0;
        }
        let kept = match self.new.remove(&room) {
            Some(kept) => {
                self.users -= kept.users.len() + 1;
                Some(kept)
            }
            None => self.old.remove(&room),
        };
        let Some(mut entrants) = kept.or(read) else { return };
        entrants.merge(changes);
        self.users += entrants.users.len() + 1;
        self.new.insert(room, entrants);
    }
}

impl Batch<'_> {
    /// Counts what moved.
    pub(super) fn count(
        &mut self,
        moved: Vec<Moved>,
        deltas: &mut Vec<Delta>,
    ) -> Result<SumChanges, StoreError> {
        let mut rooms: HashMap<(AppId, String), Vec<Moved>> = HashMap::new();
        for moved in moved {
            let entry = self.calls.get(&moved.at);
            let Some(row) = entry.and_then(|entry| entry.row.as_ref().or(entry.old.as_ref())) else {
                continue;
            };
            rooms.entry((AppId(row.app), row.room.clone())).or_default().push(moved);
        }
        let mut sums = SumChanges::default();
        for ((app, room), moved) in rooms {
            self.count_room(app, &room, &moved, &mut sums, deltas)?;
        }
        Ok(sums)
    }

    /// Counts what moved in one room's name.
    fn count_room(
        &mut self,
        app: AppId,
        room: &str,
        moved: &[Moved],
        sums: &mut SumChanges,
        deltas: &mut Vec<Delta>,
    ) -> Result<(), StoreError> {
        for moved in moved {
            for (days, by) in [(&moved.old, -1), (&moved.new, 1)] {
                for &start_s in days {
                    sums.of(moved.at.day, app, start_s).entries += by;
                }
            }
        }
        let days: BTreeSet<i64> =
            moved.iter().flat_map(|moved| moved.old.iter().chain(&moved.new)).copied().collect();
        for start_s in days {
            let mut changes = Entrants::default();
            for moved in moved {
                match moved.enters(start_s) {
                    (false, true) => changes.add(&moved.user, moved.at.day, 1),
                    (true, false) => changes.add(&moved.user, moved.at.day, -1),
                    (true, true) | (false, false) => {}
                }
            }
            if changes.users.is_empty() {
                continue;
            }
            let index = self.index;
            let room_day = (app, room.to_owned(), start_s);
            let mut read = None;
            let entrants = match index.entrants.get(&room_day) {
                Some(entrants) => entrants,
                None => {
                    let files = index.sums.files_of(app, start_s);
                    &*read.insert(entrants(|file| self.view(file), files, &room_day)?)
                }
            };
            let users: BTreeSet<&str> = changes.users.keys().map(|(user, _)| user.as_str()).collect();
            for user in users {
                move_count(entrants.user_counted(user, &changes), |file, by| {
                    sums.of(file, app, start_s).users += by;
                });
            }
            move_count(entrants.room_counted(&changes), |file, by| {
                sums.of(file, app, start_s).rooms += by;
            });
            let read = read.filter(|entrants| entrants.rows >= REMEMBERED_ROWS_MIN);
            deltas.push(Delta::Entrants { room: room_day, read, changes });
        }
        Ok(())
    }
}

/// Reads who entered a room's name on a day, from these files.
fn entrants(
    mut view: impl FnMut(i64) -> Result<Option<Rc<View>>, StoreError>,
    files: impl Iterator<Item = i64>,
    (app, room, start_s): &RoomDay,
) -> Result<Entrants, StoreError> {
    let mut entrants = Entrants::default();
    for file in files {
        let Some(view) = view(file)? else { continue };
        for call in calls_of_room(&view, file, *app, room)? {
            entrants.rows += 1;
            each_user(&view, call, &mut |user, stays| {
                entrants.rows += 1;
                if days_of(stays).any(|day| day == *start_s) {
                    entrants.add(user, file, 1);
                }
            })?;
        }
    }
    Ok(entrants)
}

/// The calls of a room's name in one file.
fn calls_of_room(view: &View, file: i64, app: AppId, room: &str) -> Result<Vec<CallRef>, StoreError> {
    let prefix = keys::room(app, room);
    let mut calls = Vec::new();
    view.scan(Table::Rooms, &prefix.clone().bytes(), Some(&prefix.end()), false, &mut |key, _| {
        calls.extend(keys::trailing_number(key).map(|no| CallRef { day: file, no }));
        ControlFlow::Continue(())
    })?;
    Ok(calls)
}

/// Compares the stays of every file with what its events say, and the figures and the users' calls with the stays.
pub(super) fn verify(files: &Files, index: &Index) -> Result<(), StoreError> {
    let mut counted = AllSums::default();
    for (&day, file) in files {
        if !are_folded(&file.view()?, day)? {
            return Err(StoreError::Corrupt(format!(
                "the sessions in {} are not those of its events",
                file.path.display()
            )));
        }
        recount(files, day, &mut counted)?;
        if let Some((app, start_s)) = index.sums.differs(&counted, day, index.swept_s) {
            return Err(StoreError::Corrupt(format!(
                "the figures of application {app} for the day that begins at {start_s} in {} are not those of its sessions",
                file.path.display()
            )));
        }
        if file.sealed && !users::are_listed(&file.view()?, day)? {
            return Err(StoreError::Corrupt(format!(
                "the users' calls in {} are not those of its sessions",
                file.path.display()
            )));
        }
    }
    Ok(())
}

/// Whether each row of what was told says of its user's stays what its events do.
fn are_folded(view: &View, day: i64) -> Result<bool, StoreError> {
    let (mut same, mut outcome) = (true, Ok(()));
    view.scan(Table::Events, &[], None, false, &mut |key, value| {
        let user = user_of(key).unwrap_or_default();
        match told::decode(value, None, &user, day) {
            Ok((stays, _)) if user.is_empty() => same &= stays.is_empty(),
            Ok((stays, events)) => same &= stays == StayHead::of(&told::stays(&events)),
            Err(error) => outcome = Err(error),
        }
        if same && outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome.map(|()| same)
}

/// Counts what a file holds from its stays, and adds it to `counted`, which has that of all earlier files.
fn recount(files: &Files, file: i64, counted: &mut AllSums) -> Result<(), StoreError> {
    let Some(view) = files.get(&file).map(|file| file.view()).transpose()? else { return Ok(()) };
    let mut rooms: BTreeMap<(AppId, String), Vec<CallRef>> = BTreeMap::new();
    view.scan(Table::Rooms, &[], None, false, &mut |key, _| {
        if let (Some(name), Some(no)) = (keys::name_of_room(key), keys::trailing_number(key)) {
            rooms.entry(name).or_default().push(CallRef { day: file, no });
        }
        ControlFlow::Continue(())
    })?;
    let mut sums: BTreeMap<(AppId, i64), Sums> = BTreeMap::new();
    for ((app, room), calls) in rooms {
        let mut days: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
        for call in calls {
            each_user(&view, call, &mut |user, stays| {
                for day in days_of(stays) {
                    sums.entry((app, day)).or_default().entries += 1;
                    days.entry(day).or_default().insert(user.to_owned());
                }
            })?;
        }
        for (start_s, mut users) in days {
            let view = |file: i64| files.get(&file).map(|file| file.view().map(Rc::new)).transpose();
            let earlier = counted.files_of(app, start_s).take_while(|earlier| *earlier < file);
            let earlier = entrants(view, earlier, &(app, room.clone(), start_s))?;
            users.retain(|user| earlier.files_of(user).next().is_none());
            let sums = sums.entry((app, start_s)).or_default();
            sums.rooms += u64::from(earlier.files.is_empty());
            sums.users += users.len() as u64;
        }
    }
    sums.into_iter().for_each(|((app, start_s), sums)| counted.set(app, start_s, file, sums));
    Ok(())
}

/// Gives the stays of each user of a call.
fn each_user(view: &View, call: CallRef, sink: &mut dyn FnMut(&str, &[StayHead])) -> Result<(), StoreError> {
    let prefix = Key::call(call.no);
    view.each(Table::Events, &prefix.clone().bytes(), Some(&prefix.end()), &mut |key, value| {
        let stays = told::decode_heads(value, call.day)?;
        if let Some(user) = user_of(key) {
            sink(&user, &stays);
        }
        Ok(())
    })
}
