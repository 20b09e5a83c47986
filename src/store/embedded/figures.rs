//! Daily figures, kept in step with the stays they are counted from.
//!
//! Each file holds sums for the days of UTC+8 that its own stays began on. What has entries in several files is
//! counted in the first of them, so that the sums of all files add up, an event nearly always changes those of its
//! own file alone, and the sums are a function of the records. Whether somebody was counted already is asked of
//! the stays themselves: nothing more is kept for each user or room.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::batch::{Batch, ChangesByDay, Files, user_of};
use super::file::{Changes, View};
use super::index::{CallRef, Delta};
use super::keys::{self, Key, Table};
use super::values;
use crate::records::AppId;
use crate::records::fold::Stay;
use crate::store::{DAY_S, DayFigures, Figures, StoreError, figures_day};

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

    /// The sums of one file as rows of it.
    pub(super) fn rows(&self, file: i64) -> Result<Changes, StoreError> {
        let mut rows = Changes::new();
        for (&app, days) in &self.0 {
            for (&start_s, files) in days {
                if let Some(&sums) = files.get(&file) {
                    rows.insert(
                        (Table::Figures, keys::figures(app, start_s)),
                        Some(values::encode_sums(sums)?),
                    );
                }
            }
        }
        Ok(rows)
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
    pub(super) fn between(at: CallRef, user: &str, old: &[Stay], new: &[Stay]) -> Option<Moved> {
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

fn days_of(stays: &[Stay]) -> impl Iterator<Item = i64> {
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
type SumChanges = BTreeMap<(i64, AppId, i64), Change>;

/// The files in which something is counted: the first that has it, before a batch and after it.
#[derive(Debug, Default)]
struct Counted {
    before: Option<i64>,
    after: Option<i64>,
}

impl Counted {
    /// Files come in order.
    fn meet(&mut self, file: i64, (old, new): (bool, bool)) {
        self.before = self.before.or(old.then_some(file));
        self.after = self.after.or(new.then_some(file));
    }

    fn is_known(&self) -> bool {
        self.before.is_some() && self.after.is_some()
    }

    /// Calls `change` with each file whose count differs, and by how much.
    fn changes(self, mut change: impl FnMut(i64, i64)) {
        if self.before != self.after {
            self.before.into_iter().for_each(|file| change(file, -1));
            self.after.into_iter().for_each(|file| change(file, 1));
        }
    }
}

impl Batch<'_> {
    /// Counts what moved.
    pub(super) fn count(
        &mut self,
        moved: Vec<Moved>,
        changes: &mut ChangesByDay,
        deltas: &mut Vec<Delta>,
    ) -> Result<(), StoreError> {
        let mut rooms: HashMap<(AppId, String), Vec<Moved>> = HashMap::new();
        for moved in moved {
            let entry = self.calls.get(&moved.at);
            let Some(row) = entry.and_then(|entry| entry.row.as_ref().or(entry.old.as_ref())) else {
                continue;
            };
            rooms.entry((AppId(row.app), row.room.clone())).or_default().push(moved);
        }
        let mut sums = SumChanges::new();
        for ((app, room), moved) in rooms {
            self.count_room(app, &room, &moved, &mut sums)?;
        }
        for ((file, app, start_s), change) in sums {
            let old = self.index.sums.get(app, start_s, file);
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

    /// Counts what moved in one room's name. `moved` is in the order of calls, then users.
    fn count_room(
        &mut self,
        app: AppId,
        room: &str,
        moved: &[Moved],
        sums: &mut SumChanges,
    ) -> Result<(), StoreError> {
        let mut by_file: BTreeMap<i64, BTreeSet<CallRef>> = BTreeMap::new();
        for moved in moved {
            by_file.entry(moved.at.day).or_default().insert(moved.at);
        }
        for moved in moved {
            for (days, by) in [(&moved.old, -1), (&moved.new, 1)] {
                for &start_s in days {
                    sums.entry((moved.at.day, app, start_s)).or_default().entries += by;
                }
            }
        }
        let mut read = BTreeSet::new();
        let days: BTreeSet<i64> =
            moved.iter().flat_map(|moved| moved.old.iter().chain(&moved.new)).copied().collect();
        for start_s in days {
            let here = || moved.iter().filter(|moved| moved.enters(start_s) != (false, false));
            let mut files: BTreeSet<i64> = self.index.sums.files_of(app, start_s).collect();
            files.extend(here().map(|moved| moved.at.day));
            let mut calls: Vec<CallRef> = Vec::new();
            for file in files {
                if read.insert(file)
                    && let Some(view) = self.view(file)?
                {
                    by_file.entry(file).or_default().extend(calls_of_room(&view, file, app, room)?);
                }
                calls.extend(by_file.get(&file).into_iter().flatten());
            }
            let toggles = |moved: &&Moved| {
                let (old, new) = moved.enters(start_s);
                old != new
            };
            let users: BTreeSet<&str> = here().filter(toggles).map(|moved| moved.user.as_str()).collect();
            if users.is_empty() {
                continue;
            }
            for user in users {
                let mut counted = Counted::default();
                for &call in calls.iter() {
                    counted.meet(call.day, self.user_enters(call, user, start_s, moved)?);
                    if counted.is_known() {
                        break;
                    }
                }
                counted.changes(|file, by| sums.entry((file, app, start_s)).or_default().users += by);
            }
            let mut counted = Counted::default();
            for &call in &calls {
                counted.meet(call.day, self.anybody_enters(call, start_s, moved)?);
                if counted.is_known() {
                    break;
                }
            }
            counted.changes(|file, by| sums.entry((file, app, start_s)).or_default().rooms += by);
        }
        Ok(())
    }

    /// Whether a user has entries of a day in a call, before this batch and after it.
    fn user_enters(
        &mut self,
        call: CallRef,
        user: &str,
        start_s: i64,
        moved: &[Moved],
    ) -> Result<(bool, bool), StoreError> {
        if let Some(moved) = find(moved, call, user) {
            return Ok(moved.enters(start_s));
        }
        let there = days_of(&self.old_stays(call, user)?).any(|day| day == start_s);
        Ok((there, there))
    }

    /// Whether anybody has entries of a day in a call, before this batch and after it.
    fn anybody_enters(
        &mut self,
        call: CallRef,
        start_s: i64,
        moved: &[Moved],
    ) -> Result<(bool, bool), StoreError> {
        let first = moved.partition_point(|moved| moved.at < call);
        let of_call = moved[first..].iter().take_while(|moved| moved.at == call);
        let (old, new) = of_call.fold((false, false), |(old, new), moved| {
            let enters = moved.enters(start_s);
            (old || enters.0, new || enters.1)
        });
        if old && new {
            return Ok((true, true));
        }
        self.call(call)?;
        let entry = self.calls.get(&call).and_then(|entry| entry.old.as_ref());
        let Some(listed) = entry.map(|row| row.listed) else { return Ok((old, new)) };
        let Some(view) = self.view(call.day)? else { return Ok((old, new)) };
        // Whoever did not move is there before and after.
        let stands = entrant(&view, call, listed, start_s, |user| find(moved, call, user).is_none())?;
        Ok((old || stands, new || stands))
    }
}

fn find<'m>(moved: &'m [Moved], call: CallRef, user: &str) -> Option<&'m Moved> {
    let found = moved.binary_search_by(|moved| (moved.at, moved.user.as_str()).cmp(&(call, user)));
    found.ok().map(|index| &moved[index])
}

/// Whether a call in a file has an entry of a day by a user who is `asked` for.
fn entrant(
    view: &View,
    call: CallRef,
    listed: bool,
    start_s: i64,
    asked: impl Fn(&str) -> bool,
) -> Result<bool, StoreError> {
    let prefix = Key::call(call.no);
    let mut found = false;
    if listed {
        let from = prefix.clone().newest_first(start_s + DAY_S - 1).bytes();
        let to = prefix.newest_first(start_s - 1).bytes();
        view.scan(Table::Joins, &from, Some(&to), false, &mut |key, _| {
            found = keys::user_of_join(key).is_some_and(&asked);
            if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        return Ok(found);
    }
    let mut outcome = Ok(());
    view.scan(Table::Stays, &prefix.clone().bytes(), Some(&prefix.end()), false, &mut |key, value| {
        if !user_of(key).is_some_and(|user| asked(&user)) {
            return ControlFlow::Continue(());
        }
        match values::decode_stays(value) {
            Ok(stays) => found = days_of(&stays).any(|day| day == start_s),
            Err(error) => outcome = Err(error),
        }
        if found || outcome.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    outcome.map(|()| found)
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

/// Counts what a file holds from its stays, and adds it to `counted`, which has that of all earlier files.
pub(super) fn recount(files: &Files, file: i64, counted: &mut AllSums) -> Result<(), StoreError> {
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
            let mut is_first = true;
            for earlier in counted.files_of(app, start_s).take_while(|earlier| *earlier < file) {
                let Some(view) = files.get(&earlier).map(|file| file.view()).transpose()? else { continue };
                for call in calls_of_room(&view, earlier, app, &room)? {
                    each_user(&view, call, &mut |user, stays| {
                        if days_of(stays).any(|day| day == start_s) {
                            is_first = false;
                            users.remove(user);
                        }
                    })?;
                }
            }
            let sums = sums.entry((app, start_s)).or_default();
            sums.rooms += u64::from(is_first);
            sums.users += users.len() as u64;
        }
    }
    sums.into_iter().for_each(|((app, start_s), sums)| counted.set(app, start_s, file, sums));
    Ok(())
}

/// Gives the stays of each user of a call.
fn each_user(view: &View, call: CallRef, sink: &mut dyn FnMut(&str, &[Stay])) -> Result<(), StoreError> {
    let prefix = Key::call(call.no);
    let mut outcome = Ok(());
    view.scan(Table::Stays, &prefix.clone().bytes(), Some(&prefix.end()), false, &mut |key, value| {
        match (user_of(key), values::decode_stays(value)) {
            (Some(user), Ok(stays)) => sink(&user, &stays),
            (None, Ok(_)) => {}
            (_, Err(error)) => {
                outcome = Err(error);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })?;
    outcome
}
