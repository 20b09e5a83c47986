//! Questions to the embedded store. None of them writes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::{ControlFlow, RangeInclusive};
use std::sync::Arc;

use super::batch::{Files, user_of};
use super::cache::Cached;
use super::file::{DayFile, View};
use super::finish::decode_ref;
use super::index::{CallRef, Index, reach, singles, singles_between};
use super::keys::{self, Key, Table};
use super::told;
use super::values::{self, CallRow, Listed};
use crate::records::fold;
use crate::records::{AppId, Call, CommId, Event, Millis, Session};
use crate::store::{
    CallQuery, ExportQuery, Exported, SessionPage, SessionQuery, StoreError, UserQuery, What, call_order,
    export_order, export_session_order, overlaps, session_order, sink_event,
};

/// The tables of events that belong to no call's row.
const SINGLES: [Table; 4] = [Table::Orphans, Table::Attributes, Table::Resets, Table::Unknown];

/// How many of a large call's newest sessions are kept: the largest page.
const NEWEST_KEPT_MAX: usize = 100;

/// So many rows of a large call's listing are read before their sessions are.
const LISTED_TOGETHER_MAX: usize = 1_000;

/// The files and the index at one moment, for one question.
pub(super) struct Reader<'s> {
    pub(super) files: &'s Files,
    pub(super) index: &'s Index,
}

impl Reader<'_> {
    fn file(&self, day: i64) -> Option<&Arc<DayFile>> {
        self.files.get(&day)
    }

    pub(super) fn row(&self, at: CallRef) -> Result<Option<CallRow>, StoreError> {
        match self.file(at.day) {
            Some(file) => file.view()?.with(Table::Calls, &Key::call(at.no).bytes(), values::decode_call),
            None => Ok(None),
        }
    }

    /// A call to ask more of, where its file is there.
    pub(super) fn of_call<'r>(
        &self,
        at: CallRef,
        row: &'r CallRow,
    ) -> Result<Option<OfCall<'r>>, StoreError> {
        let Some(file) = self.file(at.day) else { return Ok(None) };
        let (first, last) = (keys::day(row.life.begin), reach(row).unwrap_or(at.day));
        let days = self.index.attribute_days(first).take_while(|day| *day <= last);
        let attributes = days.filter_map(|day| self.file(day)).map(|file| file.view());
        Ok(Some(OfCall { view: file.view()?, attributes: attributes.collect::<Result<_, _>>()?, at, row }))
    }

    pub(super) fn call(&self, row: &CallRow) -> Call {
        row.life.call(&row.timeline(), row.comm_id())
    }

    /// Where a call is, by the id that a question names (rule 4 of `docs/records.md`).
    fn find(&self, app: AppId, comm_id: &CommId) -> Result<Option<(CallRef, CallRow)>, StoreError> {
        if let Some((app_in_text, room, second)) = comm_id.parts()
            && app_in_text == app
        {
            if let Some(found) = self.owner((app, room, second), comm_id)? {
                return Ok(Some(found));
            }
            if let Some(found) = self.containing(app, room, second)? {
                return Ok(Some(found));
            }
        }
        let key = Key::app(app).text(comm_id.as_str()).bytes();
        for (&day, file) in self.files.iter().rev() {
            let no =
                file.view()?.with(Table::Texts, &key, |value| Ok(keys::trailing_number(value)))?.flatten();
            if let Some(no) = no
                && let Some(row) = self.row(CallRef { day, no })?
            {
                return Ok(Some((CallRef { day, no }, row)));
            }
        }
        Ok(None)
    }

    /// The life of a room's name that owns a second and is called so: it began in that second, or is listed.
    fn owner(
        &self,
        (app, room, second): (AppId, &str, i64),
        comm_id: &CommId,
    ) -> Result<Option<(CallRef, CallRow)>, StoreError> {
        let day = Millis::from_secs(second).day();
        let Some(file) = self.file(day) else { return Ok(None) };
        let view = file.view()?;
        let name = keys::room(app, room);
        let bound = |second: i64| name.clone().time(Millis::from_secs(second).0).bytes();
        let (from, to) = (bound(second), bound(second.saturating_add(1)));
        let mut near = Vec::new();
        view.scan(Table::Rooms, &from, Some(&to), false, &mut |key, _| {
            near.extend(keys::trailing_number(key));
            ControlFlow::Continue(())
        })?;
        for no in near {
            let row = view.with(Table::Calls, &Key::call(no).bytes(), values::decode_call)?;
            if let Some(row) = row.filter(|row| row.comm_id() == *comm_id) {
                return Ok(Some((CallRef { day, no }, row)));
            }
        }
        let key = name.time(second).bytes();
        let Some(at) = view.with(Table::CommIds, &key, |value| Ok(decode_ref(value)))?.flatten() else {
            return Ok(None);
        };
        Ok(self.row(at)?.filter(|row| row.comm_id() == *comm_id).map(|row| (at, row)))
    }

    /// The life of a room's name whose first join was in a second, or else that contains it.
    fn containing(
        &self,
        app: AppId,
        room: &str,
        second: i64,
    ) -> Result<Option<(CallRef, CallRow)>, StoreError> {
        let day = Millis::from_secs(second).day();
        let mut near: BTreeSet<CallRef> = self.index.long_of(app, room).collect();
        // A creation may be told a second after the first join, on the next day.
        for day in [day, day + 1] {
            near.extend(self.calls_of_room(app, room, day)?);
        }
        let mut rows = Vec::new();
        for at in near {
            rows.extend(self.row(at)?.map(|row| (at, row)));
        }
        rows.sort_by(|(_, a), (_, b)| {
            (a.life.start, &a.source, &a.instance, a.life.begin, &a.life.name).cmp(&(
                b.life.start,
                &b.source,
                &b.instance,
                b.life.begin,
                &b.life.name,
            ))
        });
        let first_join = |row: &CallRow| row.life.first_join.map(Millis::secs);
        let alias = rows.iter().position(|(_, row)| first_join(row) == Some(second));
        let found = alias.or_else(|| {
            rows.iter().position(|(_, row)| {
                let created = row.life.start.secs();
                let begin = first_join(row).map_or(created, |join| join.min(created));
                begin <= second && row.life.end().is_none_or(|(end, _)| second <= end.secs())
            })
        });
        Ok(found.map(|index| rows.swap_remove(index)))
    }

    fn calls_of_room(&self, app: AppId, room: &str, day: i64) -> Result<Vec<CallRef>, StoreError> {
        let Some(file) = self.file(day) else { return Ok(Vec::new()) };
        let prefix = keys::room(app, room);
        let mut calls = Vec::new();
        let (from, to) = (prefix.clone().bytes(), prefix.end());
        file.view()?.scan(Table::Rooms, &from, Some(&to), false, &mut |key, _| {
            calls.extend(keys::trailing_number(key).map(|no| CallRef { day, no }));
            ControlFlow::Continue(())
        })?;
        Ok(calls)
    }

    pub(super) fn find_call(
        &self,
        app: AppId,
        comm_id: &CommId,
        horizon: Millis,
    ) -> Result<Option<Call>, StoreError> {
        let found = self.find(app, comm_id)?.filter(|(_, row)| row.life.last_evidence >= horizon);
        Ok(found.map(|(_, row)| self.call(&row)))
    }

    pub(super) fn sessions(&self, query: &SessionQuery<'_>) -> Result<SessionPage, StoreError> {
        let cached = self.index.cache.get(query.comm_id).filter(|cached| cached.app == query.app);
        if let Some(page) = cached.and_then(|cached| cached.page(query)) {
            return Ok(page);
        }
        let Some((at, row)) = self.find(query.app, query.comm_id)? else { return Ok(SessionPage::default()) };
        let Some(call) = self.of_call(at, &row)? else { return Ok(SessionPage::default()) };
        if row.listed && row.life.last_evidence < query.horizon {
            return Ok(SessionPage::default());
        }
        if row.listed && query.users.is_none() {
            return self.sessions_of_large(&call, query);
        }
        let mut sessions = match query.users.filter(|_| row.listed) {
            Some(users) => call.of_users(users)?,
            None => call.all()?,
        };
        sessions.sort_unstable_by(session_order);
        let sessions = sessions.into_iter().map(Arc::new).collect();
        let found = Arc::new(Cached::new(&call, query, sessions, true));
        if !row.listed {
            self.keep(&call, query, &found);
        }
        Ok(found.page(query).unwrap_or_default())
    }

    /// A page of a call that is too large to be read whole: from its newest sessions, which are kept, where the
    /// window reaches to the newest of them; else from the listing.
    fn sessions_of_large(
        &self,
        call: &OfCall<'_>,
        query: &SessionQuery<'_>,
    ) -> Result<SessionPage, StoreError> {
        let skip = usize::try_from(query.skip).unwrap_or(usize::MAX);
        let take = skip.saturating_add(query.take);
        if take <= NEWEST_KEPT_MAX && call.newest_join()? <= Some(query.to_s) {
            let newest = SessionQuery { from_s: i64::MIN, to_s: i64::MAX, take, ..*query };
            let sessions = call.listed(&newest, 0)?;
            let found = Arc::new(Cached::new(call, query, sessions, false));
            if let Some(page) = found.page(query) {
                self.keep(call, query, &found);
                return Ok(page);
            }
        }
        Ok(call.listed(query, skip)?.into())
    }

    /// Under the id it goes by now; another may come to mean another call.
    fn keep(&self, call: &OfCall<'_>, query: &SessionQuery<'_>, found: &Arc<Cached>) {
        if call.row.comm_id() == *query.comm_id {
            self.index.cache.keep(call.at, query.comm_id, Arc::clone(found));
        }
    }

    pub(super) fn user_events(&self, query: &UserQuery<'_>) -> Result<Vec<Event>, StoreError> {
        let found = self.find(query.app, query.comm_id)?;
        let Some((at, row)) = found.filter(|(_, row)| row.life.last_evidence >= query.horizon) else {
            return Ok(Vec::new());
        };
        let Some(file) = self.file(at.day).filter(|_| !query.user.is_empty()) else { return Ok(Vec::new()) };
        let key = Key::call(at.no).text(query.user).bytes();
        let decode = |bytes: &[u8]| told::decode(bytes, Some(&row), query.user, at.day);
        Ok(file.view()?.with(Table::Events, &key, decode)?.map(|(_, events)| events).unwrap_or_default())
    }

    /// The calls that were created in the window come first, newest first, so that a page of them is found without
    /// looking at the others.
    pub(super) fn calls(&self, query: &CallQuery<'_>) -> Result<Vec<Call>, StoreError> {
        let skip = usize::try_from(query.skip).unwrap_or(usize::MAX);
        let needed = skip.saturating_add(query.take);
        let mut found = match query.room {
            Some(room) => self.calls_among(&self.near(query, room)?, query)?,
            None => self.created_inside(query, needed)?,
        };
        if query.room.is_none() && found.len() < needed {
            let before = self.calls_among(&self.created_before(query)?, query)?;
            found.extend(before.into_iter().filter(|call| call.created.secs() < query.from_s));
        }
        found.sort_by(call_order);
        Ok(found.into_iter().skip(skip).take(query.take).collect())
    }

    fn calls_among(
        &self,
        places: &BTreeSet<CallRef>,
        query: &CallQuery<'_>,
    ) -> Result<Vec<Call>, StoreError> {
        let mut calls = Vec::new();
        for &at in places {
            calls.extend(self.row(at)?.filter(|row| is_asked(row, query)).map(|row| self.call(&row)));
        }
        Ok(calls)
    }

    /// The calls of a room's name that may reach into a window.
    fn near(&self, query: &CallQuery<'_>, room: &str) -> Result<BTreeSet<CallRef>, StoreError> {
        let mut near: BTreeSet<CallRef> = self.index.long_of(query.app, room).collect();
        for &day in self.files.range(days_of(query)).map(|(day, _)| day) {
            near.extend(self.calls_of_room(query.app, room, day)?);
        }
        Ok(near)
    }

    /// Of each file the newest calls that were created in a window, so that the newest of all are among them. Those of
    /// one second are found together, since their order is another.
    fn created_inside(&self, query: &CallQuery<'_>, needed: usize) -> Result<Vec<Call>, StoreError> {
        let prefix = Key::app(query.app);
        let from = prefix.clone().newest_first(query.to_s).bytes();
        let to = prefix.newest_first(query.from_s.saturating_sub(1)).bytes();
        let mut found = Vec::new();
        for file in self.files.range(days_of(query)).map(|(_, file)| file) {
            let view = file.view()?;
            let (mut of_file, mut second, mut outcome) = (0, None, Ok(()));
            view.scan(Table::Apps, &from, Some(&to), false, &mut |key, _| {
                let created = keys::time_at(key, 8);
                if of_file >= needed && second != created {
                    return ControlFlow::Break(());
                }
                let Some(no) = keys::trailing_number(key) else { return ControlFlow::Continue(()) };
                match view.with(Table::Calls, &Key::call(no).bytes(), values::decode_call) {
                    Ok(row) => {
                        let asked = row.filter(|row| is_asked(row, query));
                        of_file += usize::from(asked.is_some());
                        found.extend(asked.map(|row| self.call(&row)));
                        second = created;
                        ControlFlow::Continue(())
                    }
                    Err(error) => {
                        outcome = Err(error);
                        ControlFlow::Break(())
                    }
                }
            })?;
            outcome?;
        }
        Ok(found)
    }

    /// The calls that were created before a window and may reach into it: the long ones, and of its first days all.
    fn created_before(&self, query: &CallQuery<'_>) -> Result<BTreeSet<CallRef>, StoreError> {
        let first = Millis::from_secs(query.from_s).day();
        let mut before: BTreeSet<CallRef> = self.index.long_of_app_since(query.app, first).collect();
        let prefix = Key::app(query.app);
        let (from, to) = (prefix.clone().newest_first(query.from_s.saturating_sub(1)).bytes(), prefix.end());
        // What is not long ends on the day of its begin, and its creation is told a day after that at most.
        for (&day, file) in self.files.range(first..=first.saturating_add(1)) {
            file.view()?.scan(Table::Apps, &from, Some(&to), false, &mut |key, _| {
                before.extend(keys::trailing_number(key).map(|no| CallRef { day, no }));
                ControlFlow::Continue(())
            })?;
        }
        before.retain(|at| at.day <= Millis::from_secs(query.to_s).day().saturating_add(1));
        Ok(before)
    }

    pub(super) fn export(
        &self,
        query: &ExportQuery,
        sink: &mut dyn FnMut(Exported<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for (_, calls) in self.calls_to_export(query)? {
            for at in calls {
                let Some(row) = self.row(at)? else { continue };
                let Some(of_call) = self.of_call(at, &row)? else { continue };
                if query.what == What::Events {
                    for event in of_call.events()? {
                        sink_event(&event, query, sink)?;
                    }
                } else if query.from <= row.life.start && row.life.start <= query.to {
                    let mut sessions = of_call.all()?;
                    sessions.sort_by(export_session_order);
                    sink(Exported::Call(&self.call(&row), &sessions))?;
                }
            }
        }
        if query.what == What::Events {
            let mut rest = Vec::new();
            for (_, file) in self.files_between(query.from, query.to) {
                let view = file.view()?;
                for table in SINGLES {
                    rest.extend(singles(&view, table)?.into_iter().filter(|event| event.app == query.app));
                }
            }
            rest.sort();
            for event in &rest {
                sink_event(event, query, sink)?;
            }
        }
        Ok(())
    }

    /// The applications and days of what is kept. A call that is not [long](Index::long_of_app) is over on the day
    /// of its file.
    pub(super) fn days(&self) -> Result<BTreeSet<(AppId, i64)>, StoreError> {
        let mut days = BTreeSet::new();
        for (&day, file) in self.files {
            let view = file.view()?;
            for table in SINGLES.into_iter().chain([Table::Apps]) {
                days.extend(view.apps(table)?.into_iter().map(|app| (app, day)));
            }
            for at in self.index.long_of_day(day, i64::MIN) {
                let Some(row) = self.row(at)? else { continue };
                days.extend((day..=row.life.last_evidence.day()).map(|day| (AppId(row.app), day)));
            }
        }
        Ok(days)
    }

    fn files_between(&self, from: Millis, to: Millis) -> impl Iterator<Item = (&i64, &Arc<DayFile>)> {
        // A range that ends before it begins is no range.
        let to = to.max(from);
        self.files.range(from.day()..=to.day())
    }

    /// The calls of an application that an export may need, by the day of the id, in the order of export.
    fn calls_to_export(&self, query: &ExportQuery) -> Result<BTreeMap<i64, Vec<CallRef>>, StoreError> {
        let prefix = Key::app(query.app);
        let mut calls = Vec::new();
        let mut of_file = |day: i64, file: &DayFile, from: &[u8], to: &[u8]| {
            file.view()?.scan(Table::Apps, from, Some(to), false, &mut |key, _| {
                calls.extend(keys::trailing_number(key).map(|no| CallRef { day, no }));
                ControlFlow::Continue(())
            })
        };
        match query.what {
            // Their creation is in the key. It may lie on another day than the begin.
            What::Records => {
                let from = prefix.clone().newest_first(query.to.secs()).bytes();
                let to = prefix.newest_first(query.from.secs().saturating_sub(1)).bytes();
                for (&day, file) in self.files.iter().filter(|_| from < to) {
                    of_file(day, file, &from, &to)?;
                }
            }
            // Those that began before may have events in it if they are long.
            What::Events | What::Samples => {
                let (from, to) = (prefix.clone().bytes(), prefix.end());
                for (&day, file) in self.files_between(query.from, query.to) {
                    of_file(day, file, &from, &to)?;
                }
                let before = query.from.day();
                calls.extend(self.index.long_of_app(query.app).filter(|at| at.day < before));
            }
        }
        let mut days: BTreeMap<i64, Vec<(Call, CallRef)>> = BTreeMap::new();
        for at in calls {
            let Some(row) = self.row(at)? else { continue };
            let second = row.comm_id().parts().map_or(row.life.start.secs(), |(_, _, second)| second);
            let call = self.call(&row);
            days.entry(Millis::from_secs(second).day()).or_default().push((call, at));
        }
        let in_order = |mut calls: Vec<(Call, CallRef)>| {
            calls.sort_by(|(a, _), (b, _)| export_order(a, b));
            calls.into_iter().map(|(_, at)| at).collect()
        };
        Ok(days.into_iter().map(|(day, calls)| (day, in_order(calls))).collect())
    }
}

impl Cached {
    fn new(
        call: &OfCall<'_>,
        query: &SessionQuery<'_>,
        sessions: Vec<Arc<Session>>,
        is_whole: bool,
    ) -> Cached {
        let latest_join = sessions.iter().map(|session| session.joined).max();
        let earliest_leave = sessions.iter().map(|session| session.left).min().flatten();
        Cached {
            app: query.app,
            last_evidence: call.row.life.last_evidence,
            reach: latest_join.zip(earliest_leave),
            sessions: sessions.into(),
            is_whole,
        }
    }

    /// The page that a question asks for; `None` where only the listing knows it.
    fn page(&self, query: &SessionQuery<'_>) -> Option<SessionPage> {
        if self.last_evidence < query.horizon {
            return Some(SessionPage::default());
        }
        let all_meet = query.users.is_none()
            && self.reach.is_some_and(|(latest_join, earliest_leave)| {
                overlaps(latest_join, Some(earliest_leave), query.from_s, query.to_s, query.now)
            });
        let are_all = query.take == self.sessions.len() || self.is_whole && query.take > self.sessions.len();
        if all_meet && are_all && query.skip == 0 {
            return Some(self.sessions.clone());
        }
        let skip = usize::try_from(query.skip).unwrap_or(usize::MAX);
        if !self.is_whole {
            let newest = self.sessions.get(..skip.saturating_add(query.take))?;
            let all_meet = query.users.is_none() && newest.iter().all(|session| meets(session, query));
            return all_meet.then(|| newest[skip..].to_vec().into());
        }
        let asked = |session: &&Arc<Session>| {
            meets(session, query) && query.users.is_none_or(|users| users.contains(&session.user))
        };
        Some(self.sessions.iter().filter(asked).skip(skip).take(query.take).cloned().collect())
    }
}

/// The days in whose files the calls of a window are: a call is kept on the day of its begin, and its creation may lie on
/// a neighbouring one.
fn days_of(query: &CallQuery<'_>) -> RangeInclusive<i64> {
    let day_of = |second: i64| Millis::from_secs(second).day();
    day_of(query.from_s).saturating_sub(1)..=day_of(query.to_s).saturating_add(1)
}

fn is_asked(row: &CallRow, query: &CallQuery<'_>) -> bool {
    let end = row.life.end().map(|(at, _)| at);
    row.life.last_evidence >= query.horizon
        && query.room.is_none_or(|room| row.room == room)
        && overlaps(row.life.start, end, query.from_s, query.to_s, query.now)
}

fn meets(session: &Session, query: &SessionQuery<'_>) -> bool {
    overlaps(session.joined, session.left, query.from_s, query.to_s, query.now)
}

/// What is done with the row of each user.
type EachRow<'s> = &'s mut dyn FnMut(&str, &[u8]) -> Result<(), StoreError>;

/// A row of the listing of a large call's stays: those of one user that began in one second.
struct RowListed {
    second: i64,
    user: String,
    stays: Vec<Listed>,
}

/// One call, in its file.
pub(super) struct OfCall<'r> {
    view: View,
    /// The files that may hold attributes of its users.
    attributes: Vec<View>,
    at: CallRef,
    row: &'r CallRow,
}

impl OfCall<'_> {
    /// Folds what was told of a user.
    fn fold(&self, user: &str, bytes: &[u8], attributes: &[Event]) -> Result<Vec<Session>, StoreError> {
        let (_, events) = told::decode(bytes, None, user, self.at.day)?;
        let (events, told): (Vec<&Event>, Vec<&Event>) =
            (events.iter().collect(), attributes.iter().collect());
        let stays = fold::stays(&events, &told);
        Ok(stays.iter().map(|stay| self.row.life.session(&self.row.room, user, stay)).collect())
    }

    /// The attributes under a key's beginning that were told since the call began.
    fn attributes(&self, prefix: &Key) -> Result<Vec<Event>, StoreError> {
        let mut told = Vec::new();
        for view in &self.attributes {
            told.extend(singles_between(
                view,
                Table::Attributes,
                &prefix.clone().bytes(),
                Some(&prefix.clone().end()),
            )?);
        }
        told.retain(|event| self.row.life.begin <= event.at);
        Ok(told)
    }

    pub(super) fn of_user(&self, user: &str) -> Result<Vec<Session>, StoreError> {
        if user.is_empty() {
            return Ok(Vec::new());
        }
        let told = self.attributes(&self.room().text(user))?;
        let key = Key::call(self.at.no).text(user).bytes();
        Ok(self.view.with(Table::Events, &key, |bytes| self.fold(user, bytes, &told))?.unwrap_or_default())
    }

    fn room(&self) -> Key {
        keys::room(AppId(self.row.app), &self.row.room)
    }

    fn of_users(&self, users: &[String]) -> Result<Vec<Session>, StoreError> {
        let mut sessions = Vec::new();
        for user in users.iter().collect::<BTreeSet<_>>() {
            sessions.extend(self.of_user(user)?);
        }
        Ok(sessions)
    }

    fn all(&self) -> Result<Vec<Session>, StoreError> {
        let mut told: HashMap<String, Vec<Event>> = HashMap::new();
        for event in self.attributes(&self.room())? {
            told.entry(event.user.clone()).or_default().push(event);
        }
        let mut sessions = Vec::new();
        self.each_user(&mut |user, value| {
            if !user.is_empty() {
                sessions.extend(self.fold(user, value, told.get(user).map_or(&[], Vec::as_slice))?);
            }
            Ok(())
        })?;
        Ok(sessions)
    }

    /// Gives the row of each user, and that of the room itself.
    fn each_user(&self, sink: EachRow<'_>) -> Result<(), StoreError> {
        let prefix = Key::call(self.at.no);
        let (from, to) = (prefix.clone().bytes(), prefix.end());
        let mut outcome = Ok(());
        self.view.scan(Table::Events, &from, Some(&to), false, &mut |key, value| {
            outcome = sink(&user_of(key).unwrap_or_default(), value);
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        outcome
    }

    /// One page of a large call: its listing by join, from the newest that the window allows, as far as needed. Of what
    /// is skipped the listing says enough, or nearly always; the sessions of the others are read in the order of
    /// their users, so that those of one block need it unpacked once.
    fn listed(&self, query: &SessionQuery<'_>, skip: usize) -> Result<Vec<Arc<Session>>, StoreError> {
        let prefix = Key::call(self.at.no);
        let (mut from, to) = (prefix.clone().newest_first(query.to_s).bytes(), prefix.end());
        let (mut passed, mut page) = (0, Vec::new());
        while page.len() < query.take {
            let needed = (skip - passed).saturating_add(query.take - page.len());
            let rows = self.rows_listed((&from, &to), needed.min(LISTED_TOGETHER_MAX))?;
            let Some(last) = rows.last() else { break };
            from = Key::call(self.at.no).newest_first(last.second).text(&last.user).end();
            let mut shown = rows.iter();
            for row in shown.clone() {
                match self.counted(row, query) {
                    Some(count) if passed + count <= skip => passed += count,
                    Some(_) | None => break,
                }
                shown.next();
            }
            let users: BTreeSet<&str> = shown.clone().map(|row| row.user.as_str()).collect();
            let mut of_users: HashMap<&str, Vec<Session>> = HashMap::new();
            for user in users {
                of_users.insert(user, self.of_user(user)?);
            }
            for RowListed { second, user, .. } in shown {
                let of_user = of_users.get(user.as_str()).into_iter().flatten();
                let asked = |session: &&Session| session.joined.secs() == *second && meets(session, query);
                let mut same: Vec<&Session> = of_user.filter(asked).collect();
                same.sort_by(|a, b| session_order(a, b));
                let skipped = same.len().min(skip - passed);
                passed += skipped;
                let wanted = same.into_iter().skip(skipped).take(query.take - page.len());
                page.extend(wanted.cloned().map(Arc::new));
            }
        }
        Ok(page)
    }

    /// How many stays of a row of the listing meet a question's window; none where only the events know.
    fn counted(&self, row: &RowListed, query: &SessionQuery<'_>) -> Option<usize> {
        let is_running = self.row.life.end().is_none();
        let is_told = |(_, left): &Listed| left.is_some() || is_running;
        let meets = |(joined, left): &&Listed| overlaps(*joined, *left, query.from_s, query.to_s, query.now);
        row.stays.iter().all(is_told).then(|| row.stays.iter().filter(meets).count())
    }

    /// The first rows of a part of the listing by join.
    fn rows_listed(&self, (from, to): (&[u8], &[u8]), count: usize) -> Result<Vec<RowListed>, StoreError> {
        let mut rows = Vec::new();
        let mut outcome = Ok(());
        self.view.scan(Table::Joins, from, Some(to), false, &mut |key, value| {
            if rows.len() >= count {
                return ControlFlow::Break(());
            }
            let second = keys::time_at(key, 4).map(|time| !time);
            let user = key.get(12..key.len().saturating_sub(1)).map(<[u8]>::to_vec);
            let user = user.and_then(|user| String::from_utf8(user).ok());
            if let (Some(second), Some(user)) = (second, user) {
                match values::decode_listed(value, second) {
                    Ok(stays) => rows.push(RowListed { second, user, stays }),
                    Err(error) => {
                        outcome = Err(error);
                        return ControlFlow::Break(());
                    }
                }
            }
            ControlFlow::Continue(())
        })?;
        outcome.map(|()| rows)
    }

    /// The second of the newest join that is listed.
    fn newest_join(&self) -> Result<Option<i64>, StoreError> {
        let prefix = Key::call(self.at.no);
        let (from, to) = (prefix.clone().bytes(), prefix.end());
        let mut newest = None;
        self.view.scan(Table::Joins, &from, Some(&to), false, &mut |key, _| {
            newest = keys::time_at(key, 4).map(|time| !time);
            ControlFlow::Break(())
        })?;
        Ok(newest)
    }

    /// Every event of the call: by user, then in order.
    fn events(&self) -> Result<Vec<Event>, StoreError> {
        let mut events = Vec::new();
        self.each_user(&mut |user, value| {
            events.extend(told::decode(value, Some(self.row), user, self.at.day)?.1);
            Ok(())
        })?;
        Ok(events)
    }
}
