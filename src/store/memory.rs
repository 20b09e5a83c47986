//! The reference store: every room is folded again from all of its events whenever one arrives. Obviously right,
//! and good enough for tests, for `--memory` and for `demo`. The embedded store is tested against it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::records::fold::{self, Admission, EventSet};
use crate::records::quality::{self, Flow, Measure, Points, Series};
use crate::records::{AppId, Call, CommId, Event, Kind, Millis, Session};

use super::erased::Erased;
use super::news::{News, Told};
use super::room::{self, Folded, Lives, Room, take_out};
use super::{
    Appended, CallQuery, Counts, DayFigures, ExportQuery, Exported, Figures, Forgotten, Person, SampleQuery,
    SessionPage, SessionQuery, Store, StoreError, Swept, UserCall, UserCallsQuery, UserQuery, UserSeen,
    UsersQuery, What, call_order, figures_day, overlaps, sink_event, sink_samples,
};

/// Everything in memory.
#[derive(Debug, Default)]
pub struct Memory {
    state: RwLock<State>,
    erased: Erased,
    news: News,
}

type RoomName = (AppId, String);

#[derive(Debug, Default)]
struct State {
    rooms: BTreeMap<RoomName, OfName>,
    /// Restarts of media servers, by application, source and instance.
    resets: BTreeMap<(AppId, String, String), EventSet>,
    /// What no rule knows.
    unknown: EventSet,
    /// Measurements, by UTC day.
    samples: BTreeMap<i64, BTreeMap<Flow, BTreeMap<Measure, Points>>>,
}

#[derive(Debug, Default)]
struct OfName {
    told: Room,
    folded: Lives,
}

impl State {
    /// Adds one event; the room's name that must be folded again, if any.
    fn admit(&mut self, event: Event) -> (Admission, Vec<RoomName>) {
        let name = (event.app, event.room.clone());
        match event.kind {
            Kind::Unknown { .. } => (self.unknown.admit(event), Vec::new()),
            Kind::EmitterReset => {
                let touched = self.rooms.keys().filter(|(app, _)| *app == event.app).cloned().collect();
                let emitter = (event.app, event.source.clone(), event.instance.clone());
                (self.resets.entry(emitter).or_default().admit(event), touched)
            }
            Kind::Attributes
            | Kind::RoomCreated
            | Kind::RoomDestroyed
            | Kind::UserJoined
            | Kind::UserLeft
            | Kind::UserChanged
            | Kind::Media { .. }
            | Kind::RecordJoined(_)
            | Kind::RecordLeft(_) => {
                (self.rooms.entry(name.clone()).or_default().told.admit(event), vec![name])
            }
        }
    }

    fn fold_again(&mut self, name: &RoomName) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        room.folded = room.told.fold(|timeline| {
            let emitter = (timeline.app, timeline.source.clone(), timeline.instance.clone());
            let resets = self.resets.get(&emitter).map_or(&[][..], EventSet::as_slice);
            resets.iter().map(|reset| reset.at).collect()
        });
    }

    /// Takes a person out of everything.
    fn forget(&mut self, person: &Person) -> Forgotten {
        let mut forgotten = Forgotten::default();
        let names: Vec<RoomName> = self.rooms.keys().filter(|(app, _)| *app == person.app).cloned().collect();
        for name in names {
            let Some(room) = self.rooms.get_mut(&name) else { continue };
            let before = forgotten;
            room.told.forget(&room.folded, person, &mut forgotten);
            if forgotten != before {
                self.fold_again(&name);
            }
        }
        forgotten.events += take_out(&mut self.unknown, person);
        for resets in self.resets.values_mut() {
            forgotten.events += take_out(resets, person);
        }
        for flows in self.samples.values_mut() {
            for (_, measures) in flows.iter_mut().filter(|(flow, _)| person.is_of(flow)) {
                for points in measures.values_mut() {
                    let before = points.len();
                    points.retain(|(at, _)| person.until < *at);
                    forgotten.values += (before - points.len()) as u64;
                }
                measures.retain(|_, points| !points.is_empty());
            }
            flows.retain(|_, measures| !measures.is_empty());
        }
        self.samples.retain(|_, flows| !flows.is_empty());
        forgotten
    }

    /// The calls of an application with evidence since `horizon`.
    fn shown_of(&self, app: AppId, horizon: Millis) -> impl Iterator<Item = &Folded> {
        let rooms = self.rooms.iter().filter(move |((owner, _), _)| *owner == app);
        let calls = rooms.flat_map(|(_, room)| &room.folded.calls);
        calls.filter(move |folded| folded.call.last_evidence >= horizon)
    }

    fn find(&self, app: AppId, comm_id: &CommId) -> Option<&Folded> {
        let find = |room: &'_ OfName, second| {
            room::find(room.folded.calls.iter().map(Folded::sought), comm_id, second)
        };
        if let Some((app_in_text, room, second)) = comm_id.parts()
            && app_in_text == app
            && let Some(room) = self.rooms.get(&(app, room.to_owned()))
            && let Some(index) = find(room, Some(second))
        {
            return room.folded.calls.get(index);
        }
        self.rooms
            .iter()
            .filter(|((owner, _), _)| *owner == app)
            .find_map(|(_, room)| find(room, None).and_then(|index| room.folded.calls.get(index)))
    }
}

fn series(flow: &Flow, measures: &BTreeMap<Measure, Points>) -> Series {
    Series { flow: flow.clone(), columns: measures.iter().map(|(m, points)| (*m, points.clone())).collect() }
}

impl Memory {
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Memory {
    async fn append(&self, mut events: Vec<Event>) -> Result<Appended, StoreError> {
        let mut state = self.write();
        let erased = self.erased.people().filter(&mut events);
        let told = Told::of_events(&events);
        let mut appended = Appended { new: 0, duplicate: erased };
        let mut touched = BTreeSet::new();
        for event in events {
            let (admission, rooms) = state.admit(event);
            match admission {
                Admission::New => appended.new += 1,
                Admission::Known => {
                    appended.duplicate += 1;
                    continue;
                }
                Admission::Reworded => appended.duplicate += 1,
            }
            touched.extend(rooms);
        }
        for name in &touched {
            state.fold_again(name);
        }
        drop(state);
        self.news.tell(told);
        Ok(appended)
    }

    async fn sessions(&self, query: &SessionQuery<'_>) -> Result<SessionPage, StoreError> {
        let state = self.read();
        let Some(folded) = state.find(query.app, query.comm_id) else { return Ok(SessionPage::default()) };
        if folded.call.last_evidence < query.horizon {
            return Ok(SessionPage::default());
        }
        let asked = |session: &&Arc<Session>| {
            query.users.is_none_or(|users| users.contains(&session.user))
                && overlaps(session.joined, session.left, query.from_s, query.to_s, query.now)
        };
        let skip = usize::try_from(query.skip).unwrap_or(usize::MAX);
        Ok(folded.sessions.iter().filter(asked).skip(skip).take(query.take).cloned().collect())
    }

    async fn calls(&self, query: &CallQuery<'_>) -> Result<Vec<Call>, StoreError> {
        let state = self.read();
        let mut calls: Vec<&Call> = state
            .rooms
            .iter()
            .filter(|((app, room), _)| *app == query.app && query.room.is_none_or(|asked| asked == room))
            .flat_map(|(_, room)| room.folded.calls.iter().map(|folded| &folded.call))
            .filter(|call| call.last_evidence >= query.horizon)
            .filter(|call| overlaps(call.created, call.ended, query.from_s, query.to_s, query.now))
            .collect();
        calls.sort_by(|a, b| call_order(a, b));
        let skip = usize::try_from(query.skip).unwrap_or(usize::MAX);
        Ok(calls.into_iter().skip(skip).take(query.take).cloned().collect())
    }

    async fn call(&self, app: AppId, comm_id: &CommId, horizon: Millis) -> Result<Option<Call>, StoreError> {
        let call = self.read().find(app, comm_id).map(|folded| folded.call.clone());
        Ok(call.filter(|call| call.last_evidence >= horizon))
    }

    async fn user_events(&self, query: &UserQuery<'_>) -> Result<Vec<Event>, StoreError> {
        let state = self.read();
        let found = state.find(query.app, query.comm_id);
        let found =
            found.filter(|folded| folded.call.last_evidence >= query.horizon && !query.user.is_empty());
        let Some(folded) = found else { return Ok(Vec::new()) };
        Ok(folded.events.iter().filter(|event| fold::owner(event) == query.user).cloned().collect())
    }

    async fn users(&self, query: &UsersQuery<'_>) -> Result<Vec<UserSeen>, StoreError> {
        let state = self.read();
        let mut calls: BTreeMap<&str, u64> = BTreeMap::new();
        for folded in state.shown_of(query.app, query.horizon) {
            let users: BTreeSet<&str> = folded.sessions.iter().map(|session| session.user.as_str()).collect();
            users.into_iter().for_each(|user| *calls.entry(user).or_default() += 1);
        }
        let asked = calls.into_iter().filter(|(user, _)| {
            user.starts_with(query.prefix) && query.after.is_none_or(|after| after < *user)
        });
        let seen = |(user, calls): (&str, u64)| UserSeen { user: user.to_owned(), calls };
        Ok(asked.take(query.take).map(seen).collect())
    }

    async fn calls_of_user(&self, query: &UserCallsQuery<'_>) -> Result<Vec<UserCall>, StoreError> {
        let state = self.read();
        let mut found = Vec::new();
        for folded in state.shown_of(query.app, query.horizon) {
            let of_user = folded.sessions.iter().filter(|session| session.user == query.user);
            let sessions: Vec<Arc<Session>> = of_user.cloned().collect();
            let call = &folded.call;
            if !sessions.is_empty() && overlaps(call.created, call.ended, query.from_s, query.to_s, query.now)
            {
                found.push(UserCall { call: call.clone(), sessions });
            }
        }
        found.sort_by(|a, b| call_order(&a.call, &b.call));
        let skip = usize::try_from(query.skip).unwrap_or(usize::MAX);
        Ok(found.into_iter().skip(skip).take(query.take).collect())
    }

    async fn figures(&self, app: AppId, from_s: i64, to_s: i64) -> Result<Figures, StoreError> {
        let state = self.read();
        let mut days: BTreeMap<i64, DayFigures> = BTreeMap::new();
        for (_, room) in state.rooms.iter().filter(|((owner, _), _)| *owner == app) {
            let mut of_room: BTreeMap<i64, (u64, BTreeSet<&str>)> = BTreeMap::new();
            for session in room.folded.calls.iter().flat_map(|folded| &folded.sessions) {
                let (entries, users) = of_room.entry(figures_day(session.joined.secs())).or_default();
                *entries += 1;
                users.insert(&session.user);
            }
            for (start_s, (entries, users)) in of_room {
                let day = days.entry(start_s).or_insert(DayFigures { start_s, ..DayFigures::default() });
                day.rooms += 1;
                day.users += users.len() as u64;
                day.entries += entries;
            }
        }
        let first_s = days.keys().next().copied();
        let asked = |day: &DayFigures| from_s <= day.start_s && day.start_s <= to_s;
        Ok(Figures { first_s, days: days.into_values().filter(asked).collect() })
    }

    async fn append_samples(&self, mut series: Vec<Series>) -> Result<(), StoreError> {
        let mut state = self.write();
        self.erased.people().filter_samples(&mut series);
        let told = Told::of_samples(&series);
        for Series { flow, columns } in series {
            for (measure, points) in columns {
                for of_day in points.chunk_by(|(a, _), (b, _)| a.day() == b.day()) {
                    let flows = state.samples.entry(of_day[0].0.day()).or_default();
                    let measures = flows.entry(flow.clone()).or_default();
                    quality::merge(measures.entry(measure).or_default(), of_day);
                }
            }
        }
        drop(state);
        self.news.tell(told);
        Ok(())
    }

    async fn samples(&self, query: &SampleQuery<'_>) -> Result<Vec<Series>, StoreError> {
        let state = self.read();
        if query.from > query.to {
            return Ok(Vec::new());
        }
        let mut found: BTreeMap<&Flow, BTreeMap<Measure, Points>> = BTreeMap::new();
        for (_, flows) in state.samples.range(query.from.day()..=query.to.day()) {
            let asked = flows.iter().filter(|(flow, _)| {
                flow.app == query.app && flow.room == query.room && query.users.contains(&flow.user)
            });
            for (flow, measures) in asked {
                for (&measure, points) in measures {
                    let inside = points.iter().filter(|(at, _)| query.from <= *at && *at <= query.to);
                    let inside: Points = inside.copied().collect();
                    if !inside.is_empty() {
                        found.entry(flow).or_default().entry(measure).or_default().extend(inside);
                    }
                }
            }
        }
        Ok(found.into_iter().map(|(flow, measures)| series(flow, &measures)).collect())
    }

    async fn sweep(&self, horizon: Millis) -> Result<Swept, StoreError> {
        self.erased.expire(horizon)?;
        let mut state = self.write();
        state.samples.retain(|day, _| horizon.day() <= *day);
        let mut swept = Swept::default();
        let names: Vec<RoomName> = state.rooms.keys().cloned().collect();
        for name in names {
            let Some(room) = state.rooms.get_mut(&name) else { continue };
            let mut dropped: BTreeSet<Event> =
                room.folded.orphans.iter().filter(|event| event.at < horizon).cloned().collect();
            for old in room.folded.calls.iter().filter(|folded| folded.call.last_evidence < horizon) {
                swept.calls += 1;
                dropped.extend(old.events.iter().cloned());
            }
            if dropped.is_empty() {
                continue;
            }
            for events in room.told.timelines.values_mut() {
                let kept =
                    std::mem::take(events).into_vec().into_iter().filter(|event| !dropped.contains(event));
                *events = EventSet::from_events(kept);
            }
            room.told.timelines.retain(|_, events| !events.as_slice().is_empty());
            state.fold_again(&name);
        }
        Ok(swept)
    }

    async fn forget(&self, person: &Person, key: [u8; 32]) -> Result<Forgotten, StoreError> {
        let mut state = self.write();
        self.erased.add(person, key)?;
        let forgotten = state.forget(person);
        drop(state);
        self.news.forget(person);
        Ok(forgotten)
    }

    fn news(&self) -> &News {
        &self.news
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        let state = self.read();
        let calls = || state.rooms.values().flat_map(|room| &room.folded.calls);
        let open = calls().filter(|folded| folded.call.ended.is_none());
        let sessions = calls().flat_map(|folded| &folded.sessions);
        Ok(Counts {
            open_calls: open.count() as u64,
            open_sessions: sessions.filter(|session| session.left.is_none()).count() as u64,
            orphans: state.rooms.values().map(|room| room.folded.orphans.len() as u64).sum(),
        })
    }

    fn days(&self) -> Result<BTreeSet<(AppId, i64)>, StoreError> {
        let state = self.read();
        let of_rooms =
            state.rooms.values().flat_map(|room| room.told.timelines.values().chain([&room.told.attributes]));
        let events = of_rooms.chain(state.resets.values()).chain([&state.unknown]);
        let mut days: BTreeSet<(AppId, i64)> =
            events.flat_map(EventSet::as_slice).map(|event| (event.app, event.at.day())).collect();
        days.extend(
            state.samples.iter().flat_map(|(&day, flows)| flows.keys().map(move |flow| (flow.app, day))),
        );
        Ok(days)
    }

    fn export(
        &self,
        query: &ExportQuery,
        sink: &mut dyn FnMut(Exported<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let state = self.read();
        if query.what == What::Samples {
            for (flow, measures) in state.samples.values().flatten().filter(|(flow, _)| flow.app == query.app)
            {
                sink_samples(series(flow, measures), query, sink)?;
            }
            return Ok(());
        }
        let mut calls: Vec<&Folded> = state
            .rooms
            .iter()
            .filter(|((app, _), _)| *app == query.app)
            .flat_map(|(_, room)| &room.folded.calls)
            .collect();
        calls.sort_by(|a, b| super::export_order(&a.call, &b.call));
        if query.what == What::Events {
            for event in calls.iter().flat_map(|folded| &folded.events) {
                sink_event(event, query, sink)?;
            }
            let mut rest: Vec<&Event> = state.unknown.as_slice().iter().collect();
            rest.extend(state.resets.values().flat_map(EventSet::as_slice));
            for room in state.rooms.values() {
                rest.extend(room.told.attributes.as_slice().iter().chain(&room.folded.orphans));
            }
            rest.sort();
            for event in rest.into_iter().filter(|event| event.app == query.app) {
                sink_event(event, query, sink)?;
            }
            return Ok(());
        }
        for folded in calls {
            if query.from <= folded.call.created && folded.call.created <= query.to {
                let mut sessions: Vec<Session> =
                    folded.sessions.iter().map(|session| Session::clone(session)).collect();
                sessions.sort_by(super::export_session_order);
                sink(Exported::Call(&folded.call, &sessions))?;
            }
        }
        Ok(())
    }
}
