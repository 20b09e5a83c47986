//! All that is known of one room's name, folded as a whole: what the stores share that do not fold in part.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Forgotten, Person, session_order};
use crate::records::fold::{self, Admission, Claim, EventSet, Life, Timeline};
use crate::records::{Call, CommId, Event, Kind, Millis, Session, erase};

/// The events of one room's name: all its timelines, since they share its seconds and its attributes.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) timelines: BTreeMap<Timeline, EventSet>,
    pub(super) attributes: EventSet,
}

/// What they fold to.
#[derive(Debug, Default)]
pub(super) struct Lives {
    /// In the order in which they own their seconds.
    pub(super) calls: Vec<Folded>,
    /// Events outside every life.
    pub(super) orphans: Vec<Event>,
}

/// One life of the room.
#[derive(Debug)]
pub(super) struct Folded {
    pub(super) call: Call,
    pub(super) life: Life,
    /// In the order of questions.
    pub(super) sessions: Vec<Arc<Session>>,
    /// By user, then in order.
    pub(super) events: Vec<Event>,
}

/// What is needed to find a call by the second that its id names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sought<'a> {
    pub(super) call: &'a Call,
    pub(super) first_join_s: Option<i64>,
}

impl FromIterator<Event> for Room {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Room {
        let mut room = Room::default();
        for event in events {
            room.admit(event);
        }
        room
    }
}

impl Room {
    /// Adds an event that is told of this room's name: neither a restart nor an unknown one.
    pub(super) fn admit(&mut self, event: Event) -> Admission {
        if event.kind == Kind::Attributes {
            return self.attributes.admit(event);
        }
        self.timelines.entry(Timeline::of(&event)).or_default().admit(event)
    }

    /// Folds everything; `resets` are the restarts of a timeline's media server.
    pub(super) fn fold(&self, resets: impl Fn(&Timeline) -> Vec<Millis>) -> Lives {
        self.fold_behind(&[], None, resets)
    }

    /// Folds what is known behind some lives that stay as they are: those `before`, of which the last was closed at
    /// `boundary`. They are among the calls, without events and sessions, since all share the seconds of the name.
    pub(super) fn fold_behind(
        &self,
        before: &[(Timeline, Life)],
        boundary: Option<Millis>,
        resets: impl Fn(&Timeline) -> Vec<Millis>,
    ) -> Lives {
        let mut lives: Vec<(&Timeline, Life, Vec<&Event>)> =
            before.iter().map(|(timeline, life)| (timeline, life.clone(), Vec::new())).collect();
        let mut orphans = Vec::new();
        for (timeline, events) in &self.timelines {
            let cut = fold::lives(events.as_slice(), &resets(timeline), boundary, None);
            orphans.extend(cut.orphans.into_iter().cloned());
            lives.extend(cut.lives.into_iter().map(|(life, events)| (timeline, life, events)));
        }
        lives.sort_by(|(at, a, _), (bt, b, _)| {
            (a.start, &at.source, &at.instance, a.begin, &a.name).cmp(&(
                b.start,
                &bt.source,
                &bt.instance,
                b.begin,
                &b.name,
            ))
        });
        let claim =
            |(timeline, life, _): &(&Timeline, Life, Vec<&Event>)| life.claim(timeline.app, &timeline.room);
        let claims: Vec<Claim> = lives.iter().map(claim).collect();
        let seconds = fold::seconds(&claims);
        let folded = |((timeline, life, events), second): ((&Timeline, Life, Vec<&Event>), i64)| {
            let comm_id = life.comm_id(timeline, second);
            let call = life.call(timeline, comm_id);
            let mut sessions = sessions(&life, timeline, &events, self.attributes.as_slice());
            sessions.sort_by(|a, b| session_order(a, b));
            let mut events: Vec<Event> = events.into_iter().cloned().collect();
            events.sort_by(event_order);
            Folded { call, life, sessions, events }
        };
        Lives { calls: lives.into_iter().zip(seconds).map(folded).collect(), orphans }
    }
}

impl Room {
    /// The events, those of one timeline together.
    pub(super) fn events(&self) -> impl Iterator<Item = &Event> {
        self.timelines.values().chain([&self.attributes]).flat_map(EventSet::as_slice)
    }

    /// Takes a person out of what was told, life by life. `lives` are what it folds to.
    pub(super) fn forget(&mut self, lives: &Lives, person: &Person, forgotten: &mut Forgotten) {
        let mut timelines: BTreeMap<Timeline, Vec<Event>> = BTreeMap::new();
        for Folded { life, sessions, events, .. } in &lives.calls {
            let Some(timeline) = events.first().map(Timeline::of) else { continue };
            let theirs = events.iter().filter(|event| person.is_in(event)).count();
            let mut kept = events.clone();
            if theirs > 0 {
                forgotten.calls += 1;
                forgotten.events += theirs as u64;
                let begun =
                    |session: &&Arc<Session>| session.user == person.user && session.joined <= person.until;
                forgotten.sessions += sessions.iter().filter(begun).count() as u64;
                kept = erase::from_life(life, &timeline, kept, &|event| person.is_in(event));
            }
            timelines.entry(timeline).or_default().extend(kept);
        }
        for orphan in &lives.orphans {
            let is_theirs = person.is_in(orphan);
            forgotten.events += u64::from(is_theirs);
            let kept = if is_theirs { erase::nameless(orphan.clone()) } else { Some(orphan.clone()) };
            timelines.entry(Timeline::of(orphan)).or_default().extend(kept);
        }
        timelines.retain(|_, events| !events.is_empty());
        let sets = timelines.into_iter().map(|(timeline, events)| (timeline, EventSet::from_events(events)));
        self.timelines = sets.collect();
        forgotten.events += take_out(&mut self.attributes, person);
    }
}

/// Takes a person's events out of a set; how many.
pub(super) fn take_out(events: &mut EventSet, person: &Person) -> u64 {
    let mut theirs = 0;
    let left = std::mem::take(events).into_vec().into_iter().filter_map(|event| {
        if person.is_in(&event) {
            theirs += 1;
            return erase::nameless(event);
        }
        Some(event)
    });
    *events = EventSet::from_events(left);
    theirs
}

/// The order of a call's events: by user, then in order.
pub(super) fn event_order(a: &Event, b: &Event) -> std::cmp::Ordering {
    (fold::owner(a), a).cmp(&(fold::owner(b), b))
}

impl Folded {
    pub(super) fn sought(&self) -> Sought<'_> {
        Sought { call: &self.call, first_join_s: self.life.first_join.map(Millis::secs) }
    }
}

impl Sought<'_> {
    fn contains(&self, second: i64) -> bool {
        let created = self.call.created.secs();
        let begin = self.first_join_s.map_or(created, |join| join.min(created));
        begin <= second && self.call.ended.is_none_or(|end| second <= end.secs())
    }
}

/// Which of the calls of a room's name an id means: by the exact text; else the one whose first join was in the
/// second that it names, else one that contains that second (rule 4 of `docs/records.md`).
/// `second` is what the id names, if it names this room.
pub(super) fn find<'a>(
    calls: impl Iterator<Item = Sought<'a>> + Clone,
    comm_id: &CommId,
    second: Option<i64>,
) -> Option<usize> {
    let exact = calls.clone().position(|sought| sought.call.comm_id == *comm_id);
    exact.or_else(|| {
        let second = second?;
        let alias = calls.clone().position(|sought| sought.first_join_s == Some(second));
        alias.or_else(|| calls.clone().position(|sought| sought.contains(second)))
    })
}

fn sessions(life: &Life, timeline: &Timeline, events: &[&Event], attributes: &[Event]) -> Vec<Arc<Session>> {
    let mut users: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in events {
        users.entry(fold::owner(event)).or_default().push(event);
    }
    let mut sessions = Vec::new();
    for (user, events) in users.iter().filter(|(user, _)| !user.is_empty()) {
        let told = attributes.iter().filter(|event| event.user == **user && life.begin <= event.at);
        let told: Vec<&Event> = told.collect();
        let stays = fold::stays(events, &told);
        sessions.extend(stays.iter().map(|stay| Arc::new(life.session(&timeline.room, user, stay))));
    }
    sessions
}
