//! What is kept in memory beside the files: the few things that a question or an event must find without knowing
//! the day. All of it is read from the files when they are opened.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;

use super::cache::Cache;
use super::figures::{AllSums, Entrants, Remembered, RoomDay, Sums};
use super::file::{DayFile, View};
use super::keys::{CallNo, Table, day, day_of_figures, trailing_number};
use super::users::OpenUsers;
use super::values::{CallRow, LongRow, decode_call, decode_long, decode_single, decode_sums};
use crate::records::fold::Timeline;
use crate::records::{AppId, Event, Millis};
use crate::store::{Counts, StoreError};

/// Where a call is kept: the day of its begin, and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CallRef {
    pub(super) day: i64,
    pub(super) no: CallNo,
}

/// A media server of an application: source and instance.
pub(super) type Emitter = (AppId, String, String);

#[derive(Debug, Default)]
pub(super) struct Index {
    /// Calls that are open or reach beyond their day, by application and room; and until which day they reach.
    long: BTreeMap<AppId, HashMap<String, BTreeMap<CallRef, i64>>>,
    /// When the orphans of each timeline happened.
    orphans: HashMap<Timeline, BTreeMap<Millis, u32>>,
    /// Restarts of media servers.
    resets: BTreeMap<Emitter, BTreeSet<Millis>>,
    /// Days whose files hold attributes.
    attribute_days: BTreeSet<i64>,
    /// The next free call number of each day.
    next_no: BTreeMap<i64, CallNo>,
    open_calls: u64,
    open_sessions: u64,
    /// Daily figures.
    pub(super) sums: AllSums,
    /// Who was counted in them lately.
    pub(super) entrants: Remembered,
    /// The last day of UTC+8 of whose entries some were dropped.
    pub(super) swept_s: Option<i64>,
    /// The calls of the users of open files, once somebody has asked for them.
    pub(super) users: OpenUsers,
    /// What was asked for lately.
    pub(super) cache: Cache,
}

/// One change of the index, made once what it mirrors is durable.
#[derive(Debug)]
pub(super) enum Delta {
    Changed(CallRef),
    Long {
        app: AppId,
        room: String,
        call: CallRef,
        /// Until which day it reaches, where it is long.
        until: Option<i64>,
    },
    /// Open calls and sessions.
    Running {
        before: (u64, u64),
        after: (u64, u64),
    },
    Orphan {
        timeline: Timeline,
        at: Millis,
        there: bool,
    },
    Reset {
        emitter: Emitter,
        at: Millis,
    },
    AttributeDay(i64),
    NextNo {
        day: i64,
        no: CallNo,
    },
    /// What a file counts of a day.
    Sums {
        app: AppId,
        start_s: i64,
        file: i64,
        sums: Sums,
    },
    /// A user of an open file has stays in a call now, or no more.
    User {
        day: i64,
        key: Vec<u8>,
        there: bool,
    },
    /// Who entered a room on a day: what was read of it, and what became of that.
    Entrants {
        room: RoomDay,
        read: Option<Entrants>,
        changes: Entrants,
    },
}

/// The day that a call reaches which has not ended.
pub(super) const OPEN: i64 = i64::MAX;

/// Until which day a call reaches that must be found without knowing its day; `None` where it lies within one.
pub(super) fn reach(call: &CallRow) -> Option<i64> {
    let home = day(call.life.begin);
    let (Some((end, _)), Some(closed)) = (call.life.end(), call.life.closed) else { return Some(OPEN) };
    let days = [day(end), day(closed.at), day(call.life.last_evidence)];
    days.iter().any(|day| *day != home).then(|| days.into_iter().max().unwrap_or(OPEN))
}

impl Index {
    /// Reads what one day's file says.
    pub(super) fn read(&mut self, file: &DayFile) -> Result<(), StoreError> {
        let view = file.view()?;
        let last = view.last_key(Table::Calls)?.and_then(|key| trailing_number(&key));
        self.next_no.insert(file.day, last.map_or(0, |no| no + 1));
        let mut long = Vec::new();
        view.scan(Table::Long, &[], None, false, &mut |key, value| {
            long.extend(trailing_number(key).map(|no| (no, value.to_vec())));
            ControlFlow::Continue(())
        })?;
        for (no, value) in long {
            let key = super::keys::Key::call(no).bytes();
            let at = CallRef { day: file.day, no };
            if let Some(LongRow { app, room, until }) = decode_long(&value)? {
                self.set_long(AppId(app), room, at, until);
            } else if let Some(call) = view.with(Table::Calls, &key, decode_call)? {
                self.run((0, 0), call.running());
                self.set_long(AppId(call.app), call.room.clone(), at, reach(&call).unwrap_or(OPEN));
            }
        }
        for event in singles(&view, Table::Orphans)? {
            *self.orphans.entry(Timeline::of(&event)).or_default().entry(event.at).or_default() += 1;
        }
        for event in singles(&view, Table::Resets)? {
            self.resets.entry((event.app, event.source, event.instance)).or_default().insert(event.at);
        }
        if view.last_key(Table::Attributes)?.is_some() {
            self.attribute_days.insert(file.day);
        }
        self.swept_s = self.swept_s.max(file.swept()?);
        self.read_sums(&view, file.day)
    }

    fn read_sums(&mut self, view: &View, file: i64) -> Result<(), StoreError> {
        view.each(Table::Figures, &[], None, &mut |key, value| {
            let sums = decode_sums(value)?;
            if let Some((app, start_s)) = day_of_figures(key) {
                self.sums.set(app, start_s, file, sums);
            }
            Ok(())
        })
    }

    fn set_long(&mut self, app: AppId, room: String, call: CallRef, until: i64) {
        self.long.entry(app).or_default().entry(room).or_default().insert(call, until);
    }

    fn run(&mut self, before: (u64, u64), after: (u64, u64)) {
        self.open_calls = (self.open_calls + after.0).saturating_sub(before.0);
        self.open_sessions = (self.open_sessions + after.1).saturating_sub(before.1);
    }

    /// Forgets a day whose file is gone. `running` is how many of its calls and sessions were open.
    pub(super) fn forget_day(&mut self, gone: i64, running: (u64, u64)) {
        self.cache.forget_all();
        for rooms in self.long.values_mut() {
            rooms.retain(|_, calls| {
                calls.retain(|call, _| call.day != gone);
                !calls.is_empty()
            });
        }
        self.orphans.retain(|_, times| {
            times.retain(|&at, _| day(at) != gone);
            !times.is_empty()
        });
        for times in self.resets.values_mut() {
            times.retain(|&at| day(at) != gone);
        }
        self.attribute_days.remove(&gone);
        self.next_no.remove(&gone);
        self.sums.forget_file(gone);
        self.entrants = Remembered::default();
        self.users.forget(gone);
        self.run(running, (0, 0));
    }

    pub(super) fn apply(&mut self, delta: Delta) {
        match delta {
            Delta::Changed(call) => self.cache.forget(call),
            Delta::Long { app, room, call, until: Some(until) } => self.set_long(app, room, call, until),
            Delta::Long { app, room, call, until: None } => {
                if let Some(calls) = self.long.entry(app).or_default().get_mut(&room) {
                    calls.remove(&call);
                    if calls.is_empty() {
                        self.long.entry(app).or_default().remove(&room);
                    }
                }
            }
            Delta::Running { before, after } => self.run(before, after),
            Delta::Orphan { timeline, at, there: true } => {
                *self.orphans.entry(timeline).or_default().entry(at).or_default() += 1;
            }
            Delta::Orphan { timeline, at, there: false } => {
                let Some(times) = self.orphans.get_mut(&timeline) else { return };
                if let Some(count) = times.get_mut(&at) {
                    *count -= 1;
                    if *count == 0 {
                        times.remove(&at);
                    }
                }
                if times.is_empty() {
                    self.orphans.remove(&timeline);
                }
            }
            Delta::Reset { emitter, at } => {
                self.resets.entry(emitter).or_default().insert(at);
            }
            Delta::AttributeDay(day) => {
                self.attribute_days.insert(day);
            }
            Delta::NextNo { day, no } => {
                let next = self.next_no.entry(day).or_default();
                *next = no.max(*next);
            }
            Delta::Sums { app, start_s, file, sums } => self.sums.set(app, start_s, file, sums),
            Delta::User { day, key, there } => self.users.apply(day, key, there),
            Delta::Entrants { room, read, changes } => self.entrants.change(room, read, changes),
        }
    }

    /// The long calls of one room's name.
    pub(super) fn long_of(&self, app: AppId, room: &str) -> impl Iterator<Item = CallRef> {
        self.long.get(&app).and_then(|rooms| rooms.get(room)).into_iter().flat_map(BTreeMap::keys).copied()
    }

    /// The long calls of one application.
    pub(super) fn long_of_app(&self, app: AppId) -> impl Iterator<Item = CallRef> {
        self.long_of_app_since(app, i64::MIN)
    }

    /// The long calls of one application that reach a day.
    pub(super) fn long_of_app_since(&self, app: AppId, day: i64) -> impl Iterator<Item = CallRef> {
        let calls = self.long.get(&app).into_iter().flat_map(|rooms| rooms.values().flatten());
        calls.filter(move |(_, until)| **until >= day).map(|(&call, _)| call)
    }

    /// The long calls of one day that reach another.
    pub(super) fn long_of_day(&self, day: i64, since: i64) -> impl Iterator<Item = CallRef> {
        let all = self.long.values().flat_map(|rooms| rooms.values().flatten());
        all.filter(move |(call, until)| call.day == day && **until >= since).map(|(&call, _)| call)
    }

    /// Whether a day's attributes are told of calls of earlier days: some reach it.
    pub(super) fn tells_of_earlier_calls(&self, day: i64) -> bool {
        let mut all = self.long.values().flat_map(|rooms| rooms.values().flatten());
        self.attribute_days.contains(&day) && all.any(|(call, until)| call.day < day && *until >= day)
    }

    /// When the orphans of a timeline happened, from `from` on and before `to`.
    pub(super) fn orphans_of(
        &self,
        timeline: &Timeline,
        from: Millis,
        to: Millis,
    ) -> impl Iterator<Item = Millis> {
        let times = self.orphans.get(timeline).filter(|_| from < to);
        times.into_iter().flat_map(move |times| times.range(from..to).map(|(&at, _)| at))
    }

    pub(super) fn resets_of(&self, timeline: &Timeline) -> impl Iterator<Item = Millis> {
        let emitter = (timeline.app, timeline.source.clone(), timeline.instance.clone());
        self.resets.get(&emitter).into_iter().flatten().copied()
    }

    pub(super) fn attribute_days(&self, from: i64) -> impl Iterator<Item = i64> {
        self.attribute_days.range(from..).copied()
    }

    pub(super) fn next_no(&self, day: i64) -> CallNo {
        self.next_no.get(&day).copied().unwrap_or(0)
    }

    pub(super) fn counts(&self) -> Counts {
        let orphans = self.orphans.values().flat_map(BTreeMap::values).map(|&count| u64::from(count)).sum();
        Counts { open_calls: self.open_calls, open_sessions: self.open_sessions, orphans }
    }
}

/// The events of a table of single events.
pub(super) fn singles(view: &View, table: Table) -> Result<Vec<Event>, StoreError> {
    singles_between(view, table, &[], None)
}

/// The events of such a table from one key on, up to but without another.
pub(super) fn singles_between(
    view: &View,
    table: Table,
    from: &[u8],
    to: Option<&[u8]>,
) -> Result<Vec<Event>, StoreError> {
    let mut events = Vec::new();
    view.each(table, from, to, &mut |_, value| {
        events.push(decode_single(value)?);
        Ok(())
    })?;
    Ok(events)
}
