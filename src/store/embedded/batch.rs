//! One batch in the making: what it read and what it will change, laid over the files as they are.
//!
//! Rows are read at most once a batch and written at most once, in the order of their keys.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use super::file::{Changes, DayFile, View};
use super::index::{CallRef, Delta, Emitter, Index};
use super::keys::{self, CallNo, Key, Table, day};
use super::told::{self, StayHead};
use super::values::{self, CallRow};
use crate::records::fold::{EventSet, Life, Timeline};
use crate::records::{AppId, Event, Millis};
use crate::store::{StoreError, packed};

pub(super) type Files = BTreeMap<i64, Arc<DayFile>>;

/// A batch in the making.
pub(super) struct Batch<'s> {
    pub(super) files: &'s Files,
    pub(super) index: &'s Index,
    views: HashMap<i64, Option<Rc<View>>>,
    pub(super) calls: HashMap<CallRef, CallEntry>,
    /// Lives that this batch made or moved, or let reach another day, by room.
    begun: HashMap<AppId, HashMap<String, BTreeSet<CallRef>>>,
    pub(super) users: HashMap<CallRef, BTreeMap<String, UserEntry>>,
    pub(super) singles: BTreeMap<(i64, Table, Vec<u8>), Option<Event>>,
    next_no: BTreeMap<i64, CallNo>,
    turn: Turn,
    /// The life that the event before fell into: mostly, the next one does, too.
    pub(super) latest: Option<CallRef>,
    /// Resets of this batch.
    pub(super) resets: Vec<Event>,
    /// When the orphans that this batch adds happened.
    pub(super) orphans: HashMap<Timeline, BTreeSet<Millis>>,
    pub(super) attribute_days: BTreeSet<i64>,
    /// In which calls users of open files have stays now, or no more.
    pub(super) listed: Vec<Delta>,
}

/// Which call numbers a part of a batch gives out, so that no two parts give out the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// Behind the next free number, less than `parts`.
    pub(super) part: CallNo,
    /// How many parts there are.
    pub(super) parts: CallNo,
}

impl Turn {
    /// That of a batch which has no other parts.
    pub(super) const ALONE: Turn = Turn { part: 0, parts: 1 };
}

/// A call: as the files have it, and as the batch leaves it.
#[derive(Debug)]
pub(super) struct CallEntry {
    pub(super) old: Option<CallRow>,
    pub(super) row: Option<CallRow>,
}

/// A user's part in a call.
#[derive(Debug)]
pub(super) struct UserEntry {
    pub(super) events: EventSet,
    /// The stays that the files have of the user.
    pub(super) old: Vec<StayHead>,
    pub(super) dirty: bool,
}

impl<'s> Batch<'s> {
    pub(super) fn new(files: &'s Files, index: &'s Index, turn: Turn) -> Batch<'s> {
        Batch {
            files,
            index,
            views: HashMap::new(),
            calls: HashMap::new(),
            begun: HashMap::new(),
            users: HashMap::new(),
            singles: BTreeMap::new(),
            next_no: BTreeMap::new(),
            turn,
            latest: None,
            resets: Vec::new(),
            orphans: HashMap::new(),
            attribute_days: BTreeSet::new(),
            listed: Vec::new(),
        }
    }

    /// The file of a day as it was before this batch.
    pub(super) fn view(&mut self, day: i64) -> Result<Option<Rc<View>>, StoreError> {
        if let Some(view) = self.views.get(&day) {
            return Ok(view.clone());
        }
        let view = self.files.get(&day).map(|file| file.view()).transpose()?.map(Rc::new);
        self.views.insert(day, view.clone());
        Ok(view)
    }

    /// A call, unless it is gone.
    pub(super) fn call(&mut self, at: CallRef) -> Result<Option<&CallRow>, StoreError> {
        if !self.calls.contains_key(&at) {
            let old = match self.view(at.day)? {
                Some(view) => view.with(Table::Calls, &Key::call(at.no).bytes(), values::decode_call)?,
                None => None,
            };
            self.calls.insert(at, CallEntry { row: old.clone(), old });
        }
        Ok(self.calls.get(&at).and_then(|entry| entry.row.as_ref()))
    }

    /// A call that is known to be there.
    pub(super) fn life_mut(&mut self, at: CallRef) -> Option<&mut Life> {
        self.calls.get_mut(&at).and_then(|entry| entry.row.as_mut()).map(|row| &mut row.life)
    }

    /// Keeps a life under this place.
    pub(super) fn set_life(
        &mut self,
        at: CallRef,
        timeline: &Timeline,
        life: Life,
    ) -> Result<(), StoreError> {
        self.call(at)?;
        self.move_in(timeline.app, &timeline.room, at);
        let Some(entry) = self.calls.get_mut(&at) else { return Ok(()) };
        match &mut entry.row {
            Some(row) => row.life = life,
            gone => {
                let second = life.claim(timeline.app, &timeline.room).second;
                *gone = Some(CallRow {
                    app: timeline.app.0,
                    room: timeline.room.clone(),
                    source: timeline.source.clone(),
                    instance: timeline.instance.clone(),
                    life,
                    second,
                    stays: 0,
                    open_stays: 0,
                    listed: false,
                });
            }
        }
        Ok(())
    }

    /// Has a call be found by its room's name, wherever the index has it.
    pub(super) fn move_in(&mut self, app: AppId, room: &str, at: CallRef) {
        let rooms = self.begun.entry(app).or_default();
        match rooms.get_mut(room) {
            Some(calls) => calls.insert(at),
            None => rooms.entry(room.to_owned()).or_default().insert(at),
        };
    }

    /// The calls of a room's name that this batch made or moved.
    pub(super) fn begun_in(&self, app: AppId, room: &str) -> Vec<CallRef> {
        self.begun.get(&app).and_then(|rooms| rooms.get(room)).into_iter().flatten().copied().collect()
    }

    /// A new place on the day of a life's begin.
    pub(super) fn allocate(&mut self, begin: Millis) -> CallRef {
        let day = day(begin);
        let (index, turn) = (self.index, self.turn);
        let next = self.next_no.entry(day).or_insert_with(|| index.next_no(day) + turn.part);
        let at = CallRef { day, no: *next };
        *next += turn.parts;
        self.calls.insert(at, CallEntry { old: None, row: None });
        at
    }

    /// One user's part in a call.
    pub(super) fn user(&mut self, at: CallRef, user: &str) -> Result<&mut UserEntry, StoreError> {
        let known = self.users.get(&at).is_some_and(|users| users.contains_key(user));
        if !known {
            self.call(at)?;
            let view = self.view(at.day)?;
            let old = self.calls.get(&at).and_then(|entry| entry.old.as_ref());
            let (old, events) = match (view, old) {
                (Some(view), Some(row)) => {
                    let key = Key::call(at.no).text(user).bytes();
                    let decode = |bytes: &[u8]| told::decode(bytes, Some(row), user, at.day);
                    view.with(Table::Events, &key, decode)?.unwrap_or_default()
                }
                (_, _) => (Vec::new(), Vec::new()),
            };
            let entry = UserEntry { events: EventSet::from_events(events), old, dirty: false };
            self.users.entry(at).or_default().insert(user.to_owned(), entry);
        }
        let missing = || StoreError::Corrupt("a user's row was lost while a batch was made".to_owned());
        self.users.get_mut(&at).and_then(|users| users.get_mut(user)).ok_or_else(missing)
    }

    /// Whether a user has events in a call.
    pub(super) fn knows(&mut self, at: CallRef, user: &str) -> Result<bool, StoreError> {
        Ok(!self.user(at, user)?.events.as_slice().is_empty())
    }

    /// Reads every user of a call.
    pub(super) fn load_users(&mut self, at: CallRef) -> Result<(), StoreError> {
        let Some(view) = self.view(at.day)? else { return Ok(()) };
        let prefix = Key::call(at.no);
        let mut users = Vec::new();
        view.scan(Table::Events, &prefix.clone().bytes(), Some(&prefix.end()), false, &mut |key, _| {
            users.extend(user_of(key));
            ControlFlow::Continue(())
        })?;
        for user in users {
            self.user(at, &user)?;
        }
        Ok(())
    }

    /// The latest life of a timeline that begins at or before `at`: among those of that day, and those that are
    /// long. With `far`, also among those of earlier days.
    pub(super) fn before(
        &mut self,
        timeline: &Timeline,
        at: Millis,
        far: bool,
    ) -> Result<Option<CallRef>, StoreError> {
        let mut best: Option<(LifeOrder, CallRef)> = None;
        let mut candidates: Vec<CallRef> = self.index.long_of(timeline.app, &timeline.room).collect();
        candidates.extend(self.begun_in(timeline.app, &timeline.room));
        for candidate in candidates {
            if let Some(row) = self.call(candidate)?
                && row.life.begin <= at
                && row.is_of(timeline)
            {
                // Lives of a timeline do not overlap: no other can begin between.
                if row.life.covers(at) {
                    return Ok(Some(candidate));
                }
                best = best.max(Some((life_order(&row.life), candidate)));
            }
        }
        let today = day(at);
        let mut days: Vec<i64> = vec![today];
        if far {
            days.extend(self.files.range(..today).rev().map(|(&day, _)| day));
        }
        for day in days {
            if best.as_ref().is_some_and(|((begin, ..), _)| keys::day(*begin) > day) {
                break;
            }
            let found = self.nearest_of_day(timeline, day, at, true)?;
            let is_found = found.is_some();
            best = best.max(found);
            if is_found {
                break;
            }
        }
        Ok(best.map(|(_, call)| call))
    }

    /// The earliest life of a timeline that begins after `at`.
    pub(super) fn after(&mut self, timeline: &Timeline, at: Millis) -> Result<Option<CallRef>, StoreError> {
        let mut best: Option<(Millis, CallRef)> = None;
        for candidate in self.begun_in(timeline.app, &timeline.room) {
            if let Some(row) = self.call(candidate)?
                && row.life.begin > at
                && row.is_of(timeline)
            {
                let found = (row.life.begin, candidate);
                best = Some(best.map_or(found, |best| best.min(found)));
            }
        }
        let days: Vec<i64> = self.files.range(day(at)..).map(|(&day, _)| day).collect();
        for day in days {
            if best.is_some_and(|(begin, _)| keys::day(begin) < day) {
                break;
            }
            if let Some(((begin, ..), call)) = self.nearest_of_day(timeline, day, at, false)? {
                best = Some(best.map_or((begin, call), |best| best.min((begin, call))));
                break;
            }
        }
        Ok(best.map(|(_, call)| call))
    }

    /// The life of a timeline in one day's file that begins nearest to `at`, at or before it or after it. What
    /// this batch moved or took away is passed over.
    fn nearest_of_day(
        &mut self,
        timeline: &Timeline,
        day: i64,
        at: Millis,
        backwards: bool,
    ) -> Result<Option<(LifeOrder, CallRef)>, StoreError> {
        let Some(view) = self.view(day)? else { return Ok(None) };
        let prefix = keys::room(timeline.app, &timeline.room);
        let above = prefix.clone().time(at.0.saturating_add(1)).bytes();
        let (from, to) = if backwards { (prefix.bytes(), above) } else { (above, prefix.end()) };
        let mut found: Option<(LifeOrder, CallRef)> = None;
        let mut outcome = Ok(());
        let index_of_time = 8 + timeline.room.len() + 1;
        view.scan(Table::Rooms, &from, Some(&to), backwards, &mut |key, _| {
            let (Some(begin), Some(no)) = (keys::time_at(key, index_of_time), keys::trailing_number(key))
            else {
                return ControlFlow::Continue(());
            };
            // Lives that begin in the same millisecond are looked at all.
            if found.as_ref().is_some_and(|((nearest, ..), _)| nearest.0 != begin) {
                return ControlFlow::Break(());
            }
            match self.call(CallRef { day, no }) {
                Ok(Some(row)) if row.is_of(timeline) && row.life.begin.0 == begin => {
                    found =
                        std::mem::take(&mut found).max(Some((life_order(&row.life), CallRef { day, no })));
                    ControlFlow::Continue(())
                }
                Ok(_) => ControlFlow::Continue(()),
                Err(error) => {
                    outcome = Err(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        outcome.map(|()| found)
    }

    /// Every life of a timeline that begins at exactly this moment, `one` of which is known.
    pub(super) fn calls_beginning_at(
        &mut self,
        timeline: &Timeline,
        begin: Millis,
        one: CallRef,
    ) -> Result<Vec<CallRef>, StoreError> {
        let mut calls = BTreeSet::from([one]);
        for candidate in self.calls_of_room_on(timeline.app, &timeline.room, day(begin), begin, begin)? {
            if self.call(candidate)?.is_some_and(|row| row.is_of(timeline) && row.life.begin == begin) {
                calls.insert(candidate);
            }
        }
        Ok(calls.into_iter().collect())
    }

    /// The lives of a room's name, by whatever source, that may contain `at`.
    pub(super) fn calls_of_room(
        &mut self,
        app: AppId,
        room: &str,
        at: Millis,
    ) -> Result<BTreeSet<CallRef>, StoreError> {
        let mut near = self.calls_of_room_on(app, room, day(at), Millis(i64::MIN), at)?;
        near.extend(self.index.long_of(app, room));
        let mut calls = BTreeSet::new();
        for candidate in near {
            // A late leave may have lengthened a stay beyond its life.
            let end = |life: &Life| life.closed.map(|closed| closed.at.max(life.last_evidence));
            let covers = |life: &Life| life.begin <= at && end(life).is_none_or(|end| at <= end);
            if self.call(candidate)?.is_some_and(|row| covers(&row.life)) {
                calls.insert(candidate);
            }
        }
        Ok(calls)
    }

    /// The lives of a room's name that begin within these bounds on one day, and all that this batch made.
    pub(super) fn calls_of_room_on(
        &mut self,
        app: AppId,
        room: &str,
        day: i64,
        from: Millis,
        to: Millis,
    ) -> Result<BTreeSet<CallRef>, StoreError> {
        let mut calls: BTreeSet<CallRef> = self.begun_in(app, room).into_iter().collect();
        if let Some(view) = self.view(day)? {
            let prefix = keys::room(app, room);
            let (from, to) =
                (prefix.clone().time(from.0).bytes(), prefix.time(to.0.saturating_add(1)).bytes());
            view.scan(Table::Rooms, &from, Some(&to), false, &mut |key, _| {
                calls.extend(keys::trailing_number(key).map(|no| CallRef { day, no }));
                ControlFlow::Continue(())
            })?;
        }
        Ok(calls)
    }

    /// The timelines of a media server on which a life is open at a moment. Rows that the batch has not read stay so: a
    /// day may have a million.
    pub(super) fn timelines_open_at(
        &mut self,
        (app, source, instance): &Emitter,
        at: Millis,
    ) -> Result<BTreeSet<Timeline>, StoreError> {
        let is_open = |row: &CallRow| {
            (row.app, &row.source, &row.instance) == (app.0, source, instance)
                && row.life.begin <= at
                && row.life.closed.is_none_or(|closed| at <= closed.at)
        };
        let read = self.calls.values().filter_map(|entry| entry.row.as_ref());
        let mut open: BTreeSet<Timeline> = read.filter(|row| is_open(row)).map(CallRow::timeline).collect();
        let mut look = |row: Option<CallRow>| open.extend(row.filter(is_open).map(|row| row.timeline()));
        let long: Vec<CallRef> =
            self.index.long_of_app(*app).filter(|call| !self.calls.contains_key(call)).collect();
        for call in long {
            if let Some(view) = self.view(call.day)? {
                look(view.with(Table::Calls, &Key::call(call.no).bytes(), values::decode_call)?);
            }
        }
        let day = day(at);
        let Some(view) = self.view(day)? else { return Ok(open) };
        view.each(Table::Calls, &[], None, &mut |key, value| {
            let call = keys::trailing_number(key).map(|no| CallRef { day, no });
            if call.is_some_and(|call| !self.calls.contains_key(&call)) {
                look(Some(values::decode_call(value)?));
            }
            Ok(())
        })?;
        Ok(open)
    }

    /// The life that a source's own id names.
    pub(super) fn named(&mut self, event: &Event, life: &str) -> Result<Option<CallRef>, StoreError> {
        let timeline = Timeline::of(event);
        let is_it = |row: &CallRow| row.is_of(&timeline) && row.life.name.as_deref() == Some(life);
        let mut near = self.begun_in(timeline.app, &timeline.room);
        near.extend(self.index.long_of(timeline.app, &timeline.room));
        for candidate in near {
            if self.call(candidate)?.is_some_and(is_it) {
                return Ok(Some(candidate));
            }
        }
        let key = keys::name(event, life);
        let hinted = day(event.create_hint.unwrap_or(event.at));
        let mut days: Vec<i64> = vec![hinted];
        days.extend(self.files.keys().rev().copied().filter(|&day| day != hinted));
        for day in days {
            let Some(view) = self.view(day)? else { continue };
            let no = view.with(Table::Names, &key, |value| Ok(keys::trailing_number(value)))?.flatten();
            let Some(no) = no else { continue };
            let candidate = CallRef { day, no };
            if self.call(candidate)?.is_some_and(is_it) {
                return Ok(Some(candidate));
            }
        }
        Ok(None)
    }

    /// Whether an orphan of a timeline may have happened from `from` on and before `to`.
    pub(super) fn has_orphans(&self, timeline: &Timeline, from: Millis, to: Millis) -> bool {
        let added = || self.orphans.get(timeline).is_some_and(|times| times.range(from..to).next().is_some());
        from < to && (self.index.orphans_of(timeline, from, to).next().is_some() || added())
    }

    /// The restarts of a timeline's media server.
    pub(super) fn resets_of(&self, timeline: &Timeline) -> BTreeSet<Millis> {
        let ours = self.resets.iter().filter(|reset| {
            reset.app == timeline.app
                && reset.source == timeline.source
                && reset.instance == timeline.instance
        });
        self.index.resets_of(timeline).chain(ours.map(|reset| reset.at)).collect()
    }

    /// Keeps, or takes away, an event that is kept by itself. Whether it was there.
    pub(super) fn set_single(&mut self, table: Table, event: Event, there: bool) -> Result<bool, StoreError> {
        let key = keys::single(table, &event, packed::digest(&event)?);
        let place = (day(event.at), table, key);
        let was_there = match self.singles.get(&place) {
            Some(kept) => kept.clone(),
            None => match self.view(place.0)? {
                Some(view) => view.with(table, &place.2, values::decode_single)?,
                None => None,
            },
        };
        match (&was_there, there) {
            (Some(kept), true) if *kept <= event => {}
            (_, true) => {
                self.singles.insert(place, Some(event));
            }
            (Some(_), false) => {
                self.singles.insert(place, None);
            }
            (None, false) => {}
        }
        Ok(was_there.is_some())
    }

    /// The events kept by themselves under a key's beginning, in one day.
    pub(super) fn singles_of(
        &mut self,
        table: Table,
        day: i64,
        prefix: &Key,
    ) -> Result<Vec<Event>, StoreError> {
        let (from, to) = (prefix.clone().bytes(), prefix.clone().end());
        let mut found: BTreeMap<Vec<u8>, Event> = BTreeMap::new();
        let mut outcome = Ok(());
        if let Some(view) = self.view(day)? {
            view.scan(
                table,
                &from,
                Some(&to),
                false,
                &mut |key, value| match values::decode_single(value) {
                    Ok(event) => {
                        found.insert(key.to_vec(), event);
                        ControlFlow::Continue(())
                    }
                    Err(error) => {
                        outcome = Err(error);
                        ControlFlow::Break(())
                    }
                },
            )?;
        }
        outcome?;
        for ((_, _, key), event) in self.singles.range((day, table, from)..(day, table, to)) {
            match event {
                Some(event) => found.insert(key.clone(), event.clone()),
                None => found.remove(key),
            };
        }
        Ok(found.into_values().collect())
    }

    /// The numbers that were given out, for the index.
    pub(super) fn number_deltas(&self) -> impl Iterator<Item = Delta> {
        self.next_no.iter().map(|(&day, &no)| Delta::NextNo { day, no })
    }
}

/// The place of a life among those of its timeline: by begin; in one millisecond those that are named come first,
/// as the walk opens them.
type LifeOrder = (Millis, bool, Option<String>);

fn life_order(life: &Life) -> LifeOrder {
    (life.begin, life.name.is_none(), life.name.clone())
}

/// The user at the end of a key that begins with a call number.
pub(super) fn user_of(key: &[u8]) -> Option<String> {
    String::from_utf8(key.get(4..key.len().checked_sub(1)?)?.to_vec()).ok()
}

/// The changes of a batch by file.
pub(super) type ChangesByDay = BTreeMap<i64, Changes>;
