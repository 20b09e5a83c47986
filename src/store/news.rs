//! That something was appended, and what happened last: for who looks on, so that nobody has to ask again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Person;
use crate::records::quality::Series;
use crate::records::{AppId, Event, Kind};

/// Events that are kept of each application: as many as somebody who looks on is shown.
pub const NEWEST_MAX: usize = 50;

/// Rooms share so many counters of changes; a room that shares one only seems to change more often.
const COUNTERS: usize = 4_096;

/// What a store tells of itself. It lives in memory: after a start nothing has happened yet.
#[derive(Debug)]
pub struct News {
    apps: Mutex<BTreeMap<AppId, OfApp>>,
    rooms: Box<[AtomicU64]>,
    changed: watch::Sender<()>,
}

impl Default for News {
    fn default() -> News {
        News {
            apps: Mutex::default(),
            rooms: (0..COUNTERS).map(|_| AtomicU64::new(0)).collect(),
            changed: watch::Sender::default(),
        }
    }
}

#[derive(Debug, Default)]
struct OfApp {
    version: u64,
    erasures: u64,
    newest: BTreeSet<Event>,
}

/// What a batch will be told to be, once it is kept.
#[derive(Debug, Default)]
pub(super) struct Told {
    apps: BTreeMap<AppId, Vec<Event>>,
    /// The counters of its rooms.
    rooms: BTreeSet<usize>,
}

/// The counter of a room's name.
fn counter(app: AppId, room: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    (app, room).hash(&mut hasher);
    usize::try_from(hasher.finish() % COUNTERS as u64).unwrap_or(0)
}

impl Told {
    /// The newest events of a batch that is about to be kept.
    pub(super) fn of_events(batch: &[Event]) -> Told {
        let mut apps: BTreeMap<AppId, Vec<&Event>> = BTreeMap::new();
        let mut rooms = BTreeSet::new();
        for event in batch {
            let of_app = apps.entry(event.app).or_default();
            if is_shown(event) {
                of_app.push(event);
            }
            match event.kind {
                // The restart of a media server concerns rooms that it does not name.
                Kind::EmitterReset => rooms.extend(0..COUNTERS),
                Kind::RoomCreated
                | Kind::RoomDestroyed
                | Kind::UserJoined
                | Kind::UserLeft
                | Kind::UserChanged
                | Kind::Media { .. }
                | Kind::RecordJoined(_)
                | Kind::RecordLeft(_)
                | Kind::Attributes
                | Kind::Unknown { .. } => _ = rooms.insert(counter(event.app, &event.room)),
            }
        }
        let newest = |mut events: Vec<&Event>| {
            if events.len() > NEWEST_MAX {
                events.select_nth_unstable_by(NEWEST_MAX, |a, b| b.cmp(a));
                events.truncate(NEWEST_MAX);
            }
            events.into_iter().cloned().collect()
        };
        Told { apps: apps.into_iter().map(|(app, events)| (app, newest(events))).collect(), rooms }
    }

    /// Whose measurements are about to be kept.
    pub(super) fn of_samples(batch: &[Series]) -> Told {
        let flows = || batch.iter().map(|series| &series.flow);
        Told {
            apps: flows().map(|flow| (flow.app, Vec::new())).collect(),
            rooms: flows().map(|flow| counter(flow.app, &flow.room)).collect(),
        }
    }
}

/// What is of interest to people: somebody or something came, went, or changed.
fn is_shown(event: &Event) -> bool {
    match event.kind {
        Kind::RoomCreated
        | Kind::RoomDestroyed
        | Kind::UserJoined
        | Kind::UserLeft
        | Kind::UserChanged
        | Kind::Media { .. }
        | Kind::RecordJoined(_)
        | Kind::RecordLeft(_) => true,
        Kind::EmitterReset | Kind::Attributes | Kind::Unknown { .. } => false,
    }
}

impl News {
    fn apps(&self) -> MutexGuard<'_, BTreeMap<AppId, OfApp>> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A batch was kept.
    pub(super) fn tell(&self, told: Told) {
        for room in told.rooms {
            self.rooms[room].fetch_add(1, Ordering::Release);
        }
        let mut apps = self.apps();
        for (app, events) in told.apps {
            let of_app = apps.entry(app).or_default();
            of_app.version += 1;
            of_app.newest.extend(events);
            while of_app.newest.len() > NEWEST_MAX {
                of_app.newest.pop_first();
            }
        }
        drop(apps);
        self.changed.send_replace(());
    }

    /// A person was erased: who looks on sees everything anew.
    pub(super) fn forget(&self, person: &Person) {
        for room in &self.rooms {
            room.fetch_add(1, Ordering::Release);
        }
        let mut apps = self.apps();
        let of_app = apps.entry(person.app).or_default();
        of_app.version += 1;
        of_app.erasures += 1;
        of_app.newest.retain(|event| !person.is_in(event));
        drop(apps);
        self.changed.send_replace(());
    }

    /// A number that grows with every batch of an application.
    pub fn version(&self, app: AppId) -> u64 {
        self.apps().get(&app).map_or(0, |of_app| of_app.version)
    }

    /// A number that grows when a person of an application is erased: what was remembered until then may name them.
    pub fn erasures(&self, app: AppId) -> u64 {
        self.apps().get(&app).map_or(0, |of_app| of_app.erasures)
    }

    /// A number that grows with every batch that says anything of a room's name, and now and then with others.
    pub fn version_of_room(&self, app: AppId, room: &str) -> u64 {
        self.rooms[counter(app, room)].load(Ordering::Acquire)
    }

    /// The events of an application that happened last since the start, in order, [`NEWEST_MAX`] at most.
    pub fn newest(&self, app: AppId) -> Vec<Event> {
        self.apps().get(&app).map(|of_app| of_app.newest.iter().cloned().collect()).unwrap_or_default()
    }

    /// Wakes whoever waits for any batch of any application.
    pub fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Millis;
    use crate::records::quality::Flow;

    fn event(app: u64, user: &str, s: i64) -> Event {
        Event::new(AppId(app), "demo", "r", user, Kind::UserJoined, Millis::from_secs(s))
    }

    #[test]
    fn the_newest_are_kept_once_each_by_when_they_happened() {
        let news = News::default();
        let batch: Vec<Event> = (0..120).map(|s| event(1, "u", s)).collect();
        news.tell(Told::of_events(&batch));
        news.tell(Told::of_events(&[event(1, "u", 119), event(1, "late", 3), event(2, "other", 1)]));
        let newest = news.newest(AppId(1));
        assert_eq!(newest.len(), NEWEST_MAX);
        assert_eq!((&newest[0], &newest[49]), (&event(1, "u", 70), &event(1, "u", 119)));
        assert_eq!((news.version(AppId(1)), news.version(AppId(2)), news.version(AppId(3))), (2, 1, 0));
    }

    #[test]
    fn a_room_changes_with_what_is_said_of_it_and_with_a_restart() {
        let news = News::default();
        let versions = || ["r", "other"].map(|room| news.version_of_room(AppId(1), room));
        let other = Event { room: "other".to_owned(), ..event(1, "u", 1) };
        news.tell(Told::of_events(&[other]));
        assert_eq!(versions(), [0, 1]);
        let flow = Flow {
            app: AppId(1),
            room: "r".to_owned(),
            user: "u".to_owned(),
            peer: String::new(),
            connection: String::new(),
        };
        news.tell(Told::of_samples(&[Series { flow, columns: Vec::new() }]));
        assert_eq!(versions(), [1, 1]);
        news.tell(Told::of_events(&[Event { kind: Kind::EmitterReset, ..event(1, "", 1) }]));
        assert_eq!(versions(), [2, 2]);
    }

    #[test]
    fn what_nobody_is_shown_counts_as_a_change_only() {
        let news = News::default();
        let changed = news.changed();
        let raw = Kind::Unknown { name: "x".to_owned(), raw: "{}".to_owned() };
        news.tell(Told::of_events(&[Event { kind: raw, ..event(1, "u", 1) }]));
        assert!(news.newest(AppId(1)).is_empty() && changed.has_changed().unwrap());
        assert_eq!(news.version(AppId(1)), 1);
    }
}
