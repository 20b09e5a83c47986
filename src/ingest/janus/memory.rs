//! What is remembered of each Janus between its events: leaving has no session, statistics name a handle and no
//! user, the address of a client is told before there is a user. All of it is bounded, and nothing in it decides what
//! an event is: it only adds facts to users, and names to measurements, and adds the same ones whenever it is asked.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;

use super::media::Measured;
use super::rooms::Rooms;
use crate::records::{AppId, Event, Millis};

/// Media servers that are remembered; beyond that the one that was first heard of is forgotten.
pub const EMITTERS_MAX: usize = 64;
/// Sessions, handles and participants of one media server that are remembered, of each.
pub const LIVE_MAX: usize = 20_000;
/// Of these, those that are over: their last events may still come.
const OVER_MAX: usize = 1_000;
/// Connections and requests of clients that are remembered until a session names one.
const TRANSPORTS_MAX: usize = 16_384;
/// Joins and leaves of one session that are remembered.
const OF_SESSION_MAX: usize = 64;
/// Measurements of one handle that wait until it is known whose it is.
pub const WAITING_MAX: usize = 32;
/// Handles whose measurements wait.
const WAITING_HANDLES_MAX: usize = 256;

/// The latest entries of a kind, at most a number of them. What is over goes before what is not.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    entries: HashMap<K, Entry<V>>,
    order: VecDeque<K>,
    over: VecDeque<K>,
    max: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    /// When it was told, in microseconds.
    micros: u64,
    is_over: bool,
}

impl<K: Hash + Eq + Clone, V> Recent<K, V> {
    fn new(max: usize) -> Recent<K, V> {
        Recent { entries: HashMap::new(), order: VecDeque::new(), over: VecDeque::new(), max }
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|entry| &mut entry.value)
    }

    /// The entry, new and empty if there was none.
    pub(super) fn entry(&mut self, key: K, micros: u64) -> &mut V
    where
        V: Default,
    {
        if !self.entries.contains_key(&key) {
            self.insert(key.clone(), micros, V::default());
        }
        &mut self.entries.entry(key).or_insert(Entry { value: V::default(), micros, is_over: false }).value
    }

    pub(super) fn insert(&mut self, key: K, micros: u64, value: V) {
        let entry = Entry { value, micros, is_over: false };
        if self.entries.insert(key.clone(), entry).is_none() {
            self.order.push_back(key);
        }
        // A key that was removed and came again is in the order twice, and goes early: that loses memory, no truth.
        while self.order.len() > self.max {
            if let Some(oldest) = self.order.pop_front() {
                self.entries.remove(&oldest);
            }
        }
    }

    /// Says that an entry is over: some more entries that are over, and it goes.
    pub(super) fn retire(&mut self, key: &K) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        if !std::mem::replace(&mut entry.is_over, true) {
            self.over.push_back(key.clone());
        }
        if self.over.len() > OVER_MAX
            && let Some(oldest) = self.over.pop_front()
            && self.entries.get(&oldest).is_some_and(|entry| entry.is_over)
        {
            self.entries.remove(&oldest);
            self.order.retain(|key| *key != oldest);
        }
    }

    /// Forgets what was told before a moment.
    fn forget_before(&mut self, micros: u64) {
        self.entries.retain(|_, entry| entry.micros > micros);
        self.order.retain(|key| self.entries.contains_key(key));
        self.over.retain(|key| self.entries.contains_key(key));
    }
}

/// A user in a room, as a join told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Joined {
    pub(super) room: String,
    pub(super) room_is_number: bool,
    pub(super) user: String,
    pub(super) at: Millis,
    pub(super) handle: u64,
}

/// How a session ended, and when in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The client ended it.
    Destroyed,
    /// The client was not heard of for too long.
    TimedOut(u64),
}

/// One client's session.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// The connection or request that began it.
    pub(super) transport: Option<String>,
    /// The client's address.
    pub(super) address: Option<String>,
    /// Who joined in it.
    pub(super) joined: VecDeque<Joined>,
    /// The leaves of those, as they were told.
    pub(super) left: VecDeque<Event>,
    pub(super) ended: Option<Ended>,
}

/// What goes over a handle.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) enum Carries {
    /// Nothing that is known yet.
    #[default]
    Unknown,
    /// What a user sends.
    Sent { room: String, user: String },
    /// What a user gets of others.
    Got {
        room: String,
        /// Whose it is, as the private id of a join; 0: whoever joined in the same session.
        private_id: u64,
        /// Whom each stream comes from; `""` stands for all streams of old versions, which had one peer a handle.
        feeds: BTreeMap<String, String>,
    },
}

/// One handle: a connection of a client's session to a plugin.
#[derive(Debug, Default)]
pub(super) struct Handle {
    pub(super) carries: Carries,
    /// The client's address on the media connection.
    pub(super) address: Option<String>,
    /// What was measured before it was known whose it is.
    pub(super) waiting: VecDeque<Measured>,
}

/// One user in one room.
#[derive(Debug, Default)]
pub(super) struct Participant {
    pub(super) session: u64,
    pub(super) audio: bool,
    pub(super) video: bool,
    /// When its media ended, in microseconds.
    pub(super) off: Option<u64>,
}

/// One media server.
#[derive(Debug)]
pub(super) struct Emitter {
    pub(super) transports: Recent<String, String>,
    pub(super) sessions: Recent<u64, Session>,
    pub(super) handles: Recent<(u64, u64), Handle>,
    pub(super) participants: Recent<(String, String), Participant>,
    pub(super) privates: Recent<(String, u64), String>,
    pub(super) rooms: Rooms,
    /// Sessions whose address is not known.
    without_address: VecDeque<u64>,
    /// Handles whose measurements wait.
    pub(super) with_waiting: VecDeque<(u64, u64)>,
}

impl Default for Emitter {
    fn default() -> Emitter {
        Emitter {
            transports: Recent::new(TRANSPORTS_MAX),
            sessions: Recent::new(LIVE_MAX),
            handles: Recent::new(LIVE_MAX),
            participants: Recent::new(LIVE_MAX),
            privates: Recent::new(LIVE_MAX),
            rooms: Rooms::default(),
            without_address: VecDeque::new(),
            with_waiting: VecDeque::new(),
        }
    }
}

/// Puts one more into a queue that has a bound.
pub(super) fn push<T>(queue: &mut VecDeque<T>, item: T, max: usize) {
    if queue.len() >= max {
        queue.pop_front();
    }
    queue.push_back(item);
}

impl Emitter {
    /// The media server was restarted, or ends: what it had before is no more. What its new life told in a delivery that
    /// overtook this one stays.
    pub(super) fn restarted(&mut self, micros: u64, is_start: bool) {
        self.rooms.restarted(is_start);
        self.transports.forget_before(micros);
        self.sessions.forget_before(micros);
        self.handles.forget_before(micros);
        self.participants.forget_before(micros);
        self.privates.forget_before(micros);
    }

    /// A client's connection or request, and its address: of the sessions that it began.
    pub(super) fn transport(&mut self, id: &str, address: String, micros: u64) -> Vec<u64> {
        let mut begun = Vec::new();
        let sessions = &mut self.sessions;
        self.without_address.retain(|&key| match sessions.get_mut(&key) {
            Some(session) if session.transport.as_deref() == Some(id) => {
                session.address = Some(address.clone());
                begun.push(key);
                false
            }
            Some(_) => true,
            None => false,
        });
        self.transports.insert(id.to_owned(), micros, address);
        begun
    }

    /// A session began with this connection or request.
    pub(super) fn session(&mut self, key: u64, transport: String, micros: u64) {
        let address = self.transports.get(&transport).cloned();
        if address.is_none() {
            push(&mut self.without_address, key, WAITING_HANDLES_MAX);
        }
        let session = self.sessions.entry(key, micros);
        session.transport = Some(transport);
        session.address = address.or(session.address.take());
    }

    /// Somebody joined.
    pub(super) fn joined(&mut self, session: u64, joined: &Joined, private_id: u64, micros: u64) {
        let (room, user) = (&joined.room, &joined.user);
        if private_id != 0 {
            self.privates.insert((room.clone(), private_id), micros, user.clone());
        }
        let of_session = &mut self.sessions.entry(session, micros).joined;
        if !of_session.contains(joined) {
            push(of_session, joined.clone(), OF_SESSION_MAX);
        }
        self.rooms.moved(room, joined.room_is_number, user, micros, true);
        let participant = Participant { session, ..Participant::default() };
        self.participants.insert((room.clone(), user.clone()), micros, participant);
        self.sends(session, joined.handle, room, user, micros);
    }

    /// A handle carries what a user sends.
    pub(super) fn sends(&mut self, session: u64, handle: u64, room: &str, user: &str, micros: u64) {
        if handle != 0 {
            let carries = Carries::Sent { room: room.to_owned(), user: user.to_owned() };
            self.handles.entry((session, handle), micros).carries = carries;
        }
    }

    /// Somebody left: how the session ended, if it has.
    pub(super) fn left(&mut self, event: &Event, micros: u64) -> Option<Ended> {
        self.rooms.moved(&event.room, event.room_is_number, &event.user, micros, false);
        let key = (event.room.clone(), event.user.clone());
        let session = self.participants.get(&key)?.session;
        self.participants.retire(&key);
        let session = self.sessions.get_mut(&session)?;
        if !session.left.contains(event) {
            push(&mut session.left, event.clone(), OF_SESSION_MAX);
        }
        session.ended
    }

    /// A session ended: the leaves in it.
    pub(super) fn ended(&mut self, key: u64, ended: Ended) -> Vec<Event> {
        let Some(session) = self.sessions.get_mut(&key) else { return Vec::new() };
        session.ended = Some(ended);
        let left = session.left.iter().cloned().collect();
        self.sessions.retire(&key);
        left
    }

    /// Whose side of a handle it is, and whom a stream of it comes from (`""`: from the user's own); `None` where
    /// that is not known yet.
    pub(super) fn flow(&self, (session, handle): (u64, u64), mid: &str) -> Option<(&str, &str, &str)> {
        match &self.handles.get(&(session, handle))?.carries {
            Carries::Unknown => None,
            Carries::Sent { room, user } => Some((room, user, "")),
            Carries::Got { room, private_id, feeds } => {
                let user = if *private_id == 0 {
                    let joined = &self.sessions.get(&session)?.joined;
                    &joined.iter().rev().find(|joined| joined.room == *room)?.user
                } else {
                    self.privates.get(&(room.clone(), *private_id))?
                };
                let peer = feeds.get(mid).or_else(|| feeds.get(""))?;
                Some((room, user, peer))
            }
        }
    }

    /// Keeps what was measured until it is known whose it is.
    pub(super) fn wait(&mut self, key: (u64, u64), measured: Measured) {
        push(&mut self.handles.entry(key, measured.micros).waiting, measured, WAITING_MAX);
        if !self.with_waiting.contains(&key) {
            push(&mut self.with_waiting, key, WAITING_HANDLES_MAX);
        }
    }
}

/// What is remembered of all media servers.
#[derive(Debug, Default)]
pub(super) struct Emitters {
    emitters: BTreeMap<(AppId, String), Emitter>,
    order: VecDeque<(AppId, String)>,
}

impl Emitters {
    /// The media server of that name of an application.
    pub(super) fn of(&mut self, app: AppId, name: &str) -> &mut Emitter {
        let key = (app, name.to_owned());
        if !self.emitters.contains_key(&key) {
            if self.order.len() >= EMITTERS_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.emitters.remove(&oldest);
            }
            self.order.push_back(key.clone());
        }
        self.emitters.entry(key).or_default()
    }
}
