//! An event taken into a batch: where it belongs, and what it moves.
//!
//! Nearly every event falls into a life that is known and moves nothing: it joins its user's events there. One
//! that comes after everything else of its timeline is the next step of the walk along it. Anything else cuts
//! the neighbourhood again from its events, with the same function that folds a whole timeline.

use std::collections::{BTreeMap, BTreeSet};

use super::batch::Batch;
use super::index::CallRef;
use super::keys::{self, Table, day};
use crate::records::fold::{
    self, Admission, EventSet, Life, LifeEvents, Opening, Timeline, Walk, named_by, owner,
};
use crate::records::{AppId, Event, Kind, Millis};
use crate::store::StoreError;

const MIN: Millis = Millis(i64::MIN);
const MAX: Millis = Millis(i64::MAX);

/// Where an event falls on its timeline.
struct Place {
    timeline: Timeline,
    /// The earliest moment that it says anything of.
    sign: Millis,
    /// The latest life that begins at or before the event.
    before: Option<CallRef>,
    /// The life that it names.
    named: Option<CallRef>,
}

impl Batch<'_> {
    /// Takes one event in. What it changes is in the batch afterwards.
    pub(super) fn take(&mut self, event: Event) -> Result<Admission, StoreError> {
        match event.kind {
            Kind::Unknown { .. } => self.take_single(Table::Unknown, event),
            Kind::Attributes => self.take_attributes(event),
            Kind::EmitterReset => self.take_reset(event),
            Kind::RoomCreated
            | Kind::RoomDestroyed
            | Kind::UserJoined
            | Kind::UserLeft
            | Kind::UserChanged
            | Kind::Media { .. }
            | Kind::RecordJoined(_)
            | Kind::RecordLeft(_) => self.take_on_timeline(event),
        }
    }

    fn take_single(&mut self, table: Table, event: Event) -> Result<Admission, StoreError> {
        let known = self.set_single(table, event, true)?;
        Ok(if known { Admission::Known } else { Admission::New })
    }

    /// Attributes are told of a user in a room's name: the user is folded again in each life, of whatever source,
    /// that contains their time.
    fn take_attributes(&mut self, event: Event) -> Result<Admission, StoreError> {
        let (at, app, room, user) = (event.at, event.app, event.room.clone(), event.user.clone());
        self.attribute_days.insert(day(at));
        let admission = self.take_single(Table::Attributes, event)?;
        self.fold_again_at((app, &room), &user, at)?;
        Ok(admission)
    }

    /// Has a user folded again in each life of a room's name that contains a moment.
    pub(super) fn fold_again_at(
        &mut self,
        (app, room): (AppId, &str),
        user: &str,
        at: Millis,
    ) -> Result<(), StoreError> {
        for call in self.calls_of_room(app, room, at)? {
            if self.knows(call, user)? {
                self.user(call, user)?.dirty = true;
            }
        }
        Ok(())
    }

    /// A restart concerns each life of its media server that is open at that moment.
    fn take_reset(&mut self, event: Event) -> Result<Admission, StoreError> {
        let at = event.at;
        let emitter = (event.app, event.source.clone(), event.instance.clone());
        self.resets.push(event.clone());
        let admission = self.take_single(Table::Resets, event)?;
        let timelines = self.timelines_open_at(&emitter, at)?;
        for timeline in timelines {
            // It comes before what begins in its own millisecond, so it may close the life before that.
            self.cut_again(&timeline, at.plus(-1), at, None)?;
        }
        Ok(admission)
    }

    fn take_on_timeline(&mut self, event: Event) -> Result<Admission, StoreError> {
        if let Some(hint) = event.join_hint.filter(|&hint| event.is_leave() && day(hint) < day(event.at)) {
            self.look_behind(&event, hint)?;
        }
        if let Some(latest) = self.latest.filter(|&latest| self.goes_on(latest, &event)) {
            return self.add(latest, event);
        }
        let place = self.place(&event)?;
        if let Some(call) = self.fits(&place, &event)? {
            return self.add(call, event);
        }
        if let Some(latest) = self.is_next_step(&place, &event)? {
            self.step(&place.timeline, latest, event)?;
            return Ok(Admission::New);
        }
        let named = match place.named {
            Some(named) => self.call(named)?.map_or(event.at, |row| row.life.begin),
            None => event.at,
        };
        let (from, until) = (place.sign.min(named), event.at.max(named));
        self.cut_again(&place.timeline, from, until, Some(event))
    }

    /// A leave that tells of its join dates its life back, but not beyond where the life before was closed. When it was
    /// opened, the days before were not looked at.
    fn look_behind(&mut self, leave: &Event, hint: Millis) -> Result<(), StoreError> {
        let timeline = Timeline::of(leave);
        let Some(call) = self.before(&timeline, leave.at, true)? else { return Ok(()) };
        let dated_back = |life: &&Life| life.is_dated_back_by(hint) && day(hint) < day(life.begin);
        let Some(begin) = self.call(call)?.map(|row| &row.life).filter(dated_back).map(|life| life.begin)
        else {
            return Ok(());
        };
        let Some(before) = self.before(&timeline, begin.plus(-1), true)? else { return Ok(()) };
        let closed = self.call(before)?.and_then(|row| row.life.closed).map(|closed| closed.at);
        if let Some(life) = self.life_mut(call) {
            life.after = life.after.max(closed);
        }
        Ok(())
    }

    /// Whether the event falls into a life that is open without moving anything but its user: what `fits` finds where
    /// nothing else has to be looked at.
    fn goes_on(&self, call: CallRef, event: &Event) -> bool {
        let Some(row) = self.calls.get(&call).and_then(|entry| entry.row.as_ref()) else { return false };
        event.life.is_none()
            && !matches!(event.kind, Kind::RoomCreated | Kind::RoomDestroyed)
            && row.life.closed.is_none()
            && row.life.covers(event.at)
            && row.tells_of(event)
            && !redates(&row.life, event)
    }

    fn place(&mut self, event: &Event) -> Result<Place, StoreError> {
        let timeline = Timeline::of(event);
        let named = match &event.life {
            Some(life) => self.named(event, life)?,
            None => None,
        };
        let hints = [event.join_hint, event.create_hint].into_iter().filter(|_| event.life.is_some());
        let sign = hints.flatten().fold(event.at, Millis::min);
        let before = match event.life {
            Some(_) => None,
            None => self.life_before(&timeline, event)?,
        };
        Ok(Place { timeline, sign, before, named })
    }

    /// The latest life that begins before an event. A leave outside of every life may belong to one that ended on
    /// an earlier day (R12); for anything else the day's own and the long ones are enough.
    fn life_before(&mut self, timeline: &Timeline, event: &Event) -> Result<Option<CallRef>, StoreError> {
        let near = self.before(timeline, event.at, false)?;
        let covered = match near {
            Some(near) => self.call(near)?.is_some_and(|row| row.life.covers(event.at)),
            None => false,
        };
        if covered || !event.is_leave() { Ok(near) } else { self.before(timeline, event.at, true) }
    }

    /// The life that the event falls into without moving anything but its user.
    fn fits(&mut self, place: &Place, event: &Event) -> Result<Option<CallRef>, StoreError> {
        if matches!(event.kind, Kind::RoomCreated | Kind::RoomDestroyed) {
            return Ok(None);
        }
        let Some(candidate) = place.named.or(place.before) else { return Ok(None) };
        let Some(life) = self.call(candidate)?.map(|row| row.life.clone()) else { return Ok(None) };
        if place.named.is_some() {
            let adopts = self.may_adopt(&place.timeline, &life)?;
            let fits = life.begin <= place.sign && !adopts && !redates_named(&life, event);
            return Ok(fits.then_some(candidate));
        }
        if event.life.is_some() {
            return Ok(None);
        }
        if redates(&life, event) {
            return Ok(None);
        }
        if life.covers(event.at) && !self.may_adopt(&place.timeline, &life)? {
            return Ok(Some(candidate));
        }
        let late = event.is_leave() && life.closed.is_some_and(|closed| closed.at < event.at);
        if !late {
            return Ok(None);
        }
        let next = self.after(&place.timeline, life.begin)?;
        let next_begin = match next {
            Some(next) => self.call(next)?.map_or(MAX, |row| row.life.begin),
            None => MAX,
        };
        let known = self.knows_before(candidate, &life, event)?;
        let belongs = event.at < next_begin && life.takes_late_leave(event, known);
        Ok((belongs && !self.may_adopt(&place.timeline, &life)?).then_some(candidate))
    }

    /// Whether an event's user is known in a life when the walk comes to the event: by what happened before, or names
    /// the life by its id.
    fn knows_before(&mut self, call: CallRef, life: &Life, event: &Event) -> Result<bool, StoreError> {
        let told = self.user(call, owner(event))?.events.as_slice();
        Ok(told.iter().any(|other| other < event || (other.life.is_some() && other.life == life.name)))
    }

    /// Whether leaves behind a life that is over wait for their user to become known in it (R12): as orphans, or
    /// in a life of their own.
    fn may_adopt(&mut self, timeline: &Timeline, life: &Life) -> Result<bool, StoreError> {
        let Some(closed) = life.closed else { return Ok(false) };
        let next = match self.after(timeline, life.begin)? {
            Some(next) => self.call(next)?.map(|row| (row.life.begin, row.life.by_leave)),
            None => None,
        };
        let limit = next.map_or(MAX, |(begin, _)| begin.plus(1));
        let by_leave = next.is_some_and(|(_, by_leave)| by_leave);
        Ok(by_leave || self.has_orphans(timeline, closed.at, limit))
    }

    fn add(&mut self, call: CallRef, event: Event) -> Result<Admission, StoreError> {
        self.latest = Some(call);
        let at = event.at;
        if let Some(life) = self.life_mut(call) {
            life.note(&event);
            // A late leave on another day makes it long, which the index does not know yet.
            if life.closed.is_some() && day(at) != call.day {
                self.move_in(event.app, &event.room, call);
            }
        }
        let entry = self.user(call, owner(&event))?;
        let admission = entry.events.admit(event);
        entry.dirty |= admission != Admission::Known;
        if admission == Admission::Reworded {
            self.forget_words(call, at)?;
        }
        Ok(admission)
    }

    /// What the words said that an event had before, such as when its life began, may be said by nothing any more.
    fn forget_words(&mut self, call: CallRef, at: Millis) -> Result<(), StoreError> {
        let told = self.call(call)?.map(|row| (row.timeline(), row.life.begin));
        if let Some((timeline, begin)) = told {
            self.cut_again(&timeline, begin.min(at), begin.max(at), None)?;
        }
        Ok(())
    }

    /// Whether the event comes after everything else of its timeline; and then, behind which life.
    fn is_next_step(&mut self, place: &Place, event: &Event) -> Result<Option<Option<CallRef>>, StoreError> {
        let from = place.sign;
        let destroys_its_life = event.kind == Kind::RoomDestroyed && place.named.is_some();
        if place.named.is_some() && !destroys_its_life {
            return Ok(None);
        }
        let timeline = &place.timeline;
        if self.after(timeline, from)?.is_some()
            || self.has_orphans(timeline, from, MAX)
            || self.resets_of(timeline).range(from..).next().is_some()
        {
            return Ok(None);
        }
        // A leave, a name or a hint may reach into a life that ended days ago; only then are those days looked at.
        let far = event.is_leave()
            || place.named.is_some()
            || day(from) < day(event.at)
            || event.create_hint.is_some_and(|hint| day(hint) < day(event.at));
        let Some(latest) = self.before(timeline, from, far)? else { return Ok(Some(None)) };
        let Some(life) = self.call(latest)?.map(|row| &row.life) else { return Ok(None) };
        let moves = life.closed.is_some() || redates_named(life, event);
        if destroys_its_life && (place.named != Some(latest) || moves) {
            return Ok(None);
        }
        let last = life.closed.map_or(life.last_evidence, |closed| closed.at.max(life.last_evidence));
        // A destruction is the last of its millisecond, but a life that it opens by naming it is not.
        let opens = event.life.is_some() && place.named.is_none();
        let ends_moment = event.kind == Kind::RoomDestroyed && !opens;
        let settled = last < from || (ends_moment && last <= from && life.closed.is_none());
        Ok(settled.then_some(Some(latest)))
    }

    /// Goes on from the latest life.
    fn step(&mut self, timeline: &Timeline, latest: Option<CallRef>, event: Event) -> Result<(), StoreError> {
        let life = match latest {
            Some(latest) => self.call(latest)?.map(|row| row.life.clone()),
            None => None,
        };
        let known = match latest {
            Some(latest) if event.is_leave() => self.knows(latest, owner(&event))?,
            _ => false,
        };
        let resumed = usize::from(life.is_some());
        let before = life.clone();
        let mut walk = Walk::resume(life);
        if let Some(name) = event.life.as_deref()
            && before.as_ref().is_none_or(|life| life.name.as_deref() != Some(name))
            && let Some(life) = named_by(&event)
        {
            walk.add(life);
            walk.open_named(name);
        }
        let belongs_to = walk.event(&event, |_| known);
        let mut places: Vec<CallRef> = latest.into_iter().take(resumed).collect();
        for (index, life) in walk.lives.into_iter().enumerate() {
            if index >= places.len() {
                places.push(self.allocate(life.begin));
            } else if before.as_ref() == Some(&life) {
                continue;
            }
            self.set_life(places[index], timeline, life)?;
        }
        match belongs_to {
            Some(index) => {
                self.latest = Some(places[index]);
                let entry = self.user(places[index], owner(&event))?;
                entry.events.admit(event);
                entry.dirty = true;
            }
            None => self.set_orphan(event, true)?,
        }
        Ok(())
    }

    pub(super) fn set_orphan(&mut self, event: Event, there: bool) -> Result<(), StoreError> {
        if there {
            self.orphans.entry(Timeline::of(&event)).or_default().insert(event.at);
        }
        self.set_single(Table::Orphans, event, there)?;
        Ok(())
    }

    /// Cuts the neighbourhood of a moment again: the life before it, what lies in between, and one more beyond
    /// `until`. Further on nothing can change: whatever ended that last life still ends it.
    pub(super) fn cut_again(
        &mut self,
        timeline: &Timeline,
        from: Millis,
        until: Millis,
        event: Option<Event>,
    ) -> Result<Admission, StoreError> {
        let window = self.window(timeline, from, until)?;
        let mut events: Vec<Event> = Vec::new();
        for &call in &window.calls {
            self.load_users(call)?;
            let users = self.users.get(&call).into_iter().flat_map(BTreeMap::values);
            events.extend(users.flat_map(|user| user.events.as_slice()).cloned());
        }
        events.extend(window.orphans.iter().cloned());
        let mut all = EventSet::from_events(events);
        let admission = event.map_or(Admission::Known, |event| all.admit(event));
        let resets: Vec<Millis> =
            self.resets_of(timeline).into_iter().filter(|&at| at <= window.limit).collect();
        let limit = (window.limit < MAX).then_some(window.limit);
        let cut = fold::lives(all.as_slice(), &resets, window.boundary, limit);
        self.replace(timeline, &window, cut)?;
        Ok(admission)
    }

    fn window(&mut self, timeline: &Timeline, from: Millis, until: Millis) -> Result<Window, StoreError> {
        // What shares the millisecond of a life's begin may come before it, and be of the life before.
        let mut cursor = from.plus(-1);
        let first = self.before(timeline, cursor, true)?;
        let mut boundary = None;
        let mut calls = Vec::new();
        if let Some(first) = first {
            (cursor, boundary) =
                self.call(first)?.map_or((MAX, None), |row| (row.life.begin, row.life.after));
            calls = self.calls_beginning_at(timeline, cursor, first)?;
        }
        let mut limit = MAX;
        let mut beyond = false;
        let mut told_until = self.last_evidence_of(&calls)?;
        while let Some(next) = self.after(timeline, cursor)? {
            let Some((begin, may_dissolve)) = self.call(next)?.map(|row| (row.life.begin, row.life.by_leave))
            else {
                break;
            };
            cursor = begin;
            // A life that a leave opened may dissolve into the one before it, and then the next is the one beyond. What
            // the one before was told of in its last millisecond does not come behind the limit.
            if beyond && !may_dissolve && told_until < cursor {
                limit = cursor;
                break;
            }
            let beginning = self.calls_beginning_at(timeline, cursor, next)?;
            told_until = told_until.max(self.last_evidence_of(&beginning)?);
            calls.extend(beginning);
            beyond = cursor > until && !may_dissolve;
        }
        let since = boundary.unwrap_or(MIN);
        let mut orphans = Vec::new();
        for day in self.orphan_days(timeline, since, limit) {
            let prefix =
                keys::room(timeline.app, &timeline.room).text(&timeline.source).text(&timeline.instance);
            let found = self.singles_of(Table::Orphans, day, &prefix)?;
            orphans.extend(found.into_iter().filter(|event| since <= event.at && event.at < limit));
        }
        orphans.sort();
        Ok(Window { calls, orphans, boundary, limit })
    }

    /// Of lives whose events are told apart by time alone.
    fn last_evidence_of(&mut self, calls: &[CallRef]) -> Result<Millis, StoreError> {
        let mut last = MIN;
        for &call in calls {
            let unnamed = self.call(call)?.filter(|row| row.life.name.is_none());
            last = last.max(unnamed.map_or(MIN, |row| row.life.last_evidence));
        }
        Ok(last)
    }

    fn orphan_days(&self, timeline: &Timeline, from: Millis, to: Millis) -> BTreeSet<i64> {
        let ours = self.orphans.get(timeline).into_iter().flat_map(|times| times.range(from..to)).copied();
        self.index.orphans_of(timeline, from, to).chain(ours).map(day).collect()
    }

    /// Puts the lives that were cut in the place of those that the window had.
    fn replace(
        &mut self,
        timeline: &Timeline,
        window: &Window,
        cut: LifeEvents<'_>,
    ) -> Result<(), StoreError> {
        let places = self.places(window, &cut)?;
        let kept: BTreeSet<CallRef> = places.iter().copied().collect();
        for &gone in window.calls.iter().filter(|call| !kept.contains(call)) {
            self.empty(gone, &BTreeMap::new());
            if let Some(entry) = self.calls.get_mut(&gone) {
                entry.row = None;
            }
        }
        for (place, (life, events)) in places.into_iter().zip(cut.lives) {
            let old = self.call(place)?.map(|row| row.life.clone());
            // Attributes reach as far as the life does.
            let moved = old.as_ref().is_some_and(|old| (old.begin, old.closed) != (life.begin, life.closed));
            if old.as_ref() != Some(&life) {
                self.set_life(place, timeline, life)?;
            }
            let mut by_user: BTreeMap<String, Vec<Event>> = BTreeMap::new();
            for event in events {
                by_user.entry(owner(event).to_owned()).or_default().push(event.clone());
            }
            self.empty(place, &by_user);
            for (user, events) in by_user {
                let events = EventSet::from_events(events);
                let entry = self.user(place, &user)?;
                entry.dirty |= moved || entry.events != events;
                entry.events = events;
            }
        }
        let waiting: BTreeSet<&Event> = cut.orphans.into_iter().collect();
        for adopted in window.orphans.iter().filter(|event| !waiting.contains(event)) {
            self.set_orphan(adopted.clone(), false)?;
        }
        for orphan in waiting {
            if window.orphans.binary_search(orphan).is_err() {
                self.set_orphan(orphan.clone(), true)?;
            }
        }
        Ok(())
    }

    /// Takes away the users of a call that are not among `kept`.
    fn empty(&mut self, call: CallRef, kept: &BTreeMap<String, Vec<Event>>) {
        let users = self.users.get_mut(&call).into_iter().flatten();
        for (_, entry) in users.filter(|(user, _)| !kept.contains_key(*user)) {
            if !entry.events.as_slice().is_empty() {
                entry.events = EventSet::default();
                entry.dirty = true;
            }
        }
    }

    /// Which place each life takes: its own where it had one, else another of the window's on the same day, else
    /// a new one.
    fn places(&mut self, window: &Window, cut: &LifeEvents<'_>) -> Result<Vec<CallRef>, StoreError> {
        let mut free: Vec<(CallRef, Millis, Option<String>)> = Vec::new();
        for &call in &window.calls {
            if let Some(row) = self.call(call)? {
                free.push((call, row.life.begin, row.life.name.clone()));
            }
        }
        let mut places: Vec<Option<CallRef>> = Vec::new();
        for (life, _) in &cut.lives {
            let same = free.iter().position(|(call, begin, name)| {
                call.day == day(life.begin) && *name == life.name && (name.is_some() || *begin == life.begin)
            });
            places.push(same.map(|index| free.swap_remove(index).0));
        }
        Ok(places
            .into_iter()
            .zip(&cut.lives)
            .map(|(place, (life, _))| {
                place.unwrap_or_else(|| {
                    let same_day = free.iter().position(|(call, _, _)| call.day == day(life.begin));
                    match same_day {
                        Some(index) => free.swap_remove(index).0,
                        None => self.allocate(life.begin),
                    }
                })
            })
            .collect())
    }
}

/// Whether an event says when a provisional life began, whose place or creation is then another one: its first join,
/// or a leave that tells of a join before all that is known.
fn redates(life: &Life, event: &Event) -> bool {
    let opens = event.is_join() && life.is_provisional() && event.at <= life.begin;
    opens || (event.is_leave() && event.join_hint.is_some_and(|hint| life.is_dated_back_by(hint)))
}

/// Whether an event that names its life dates the life's creation anew.
fn redates_named(life: &Life, event: &Event) -> bool {
    life.opening != Opening::Created && event.create_hint.is_some_and(|hint| hint != life.start)
}

/// A part of a timeline that is cut again.
struct Window {
    calls: Vec<CallRef>,
    /// In order.
    orphans: Vec<Event>,
    /// Where the life before it was closed.
    boundary: Option<Millis>,
    /// Where the life behind it begins.
    limit: Millis,
}
