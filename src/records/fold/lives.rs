//! A room's timeline to lives (R4, R5, R6, R10, R12, and rules 2 to 4 of `docs/records.md`).

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::records::{Event, Kind, Millis};

use super::{RECORD_SOURCE, owner};

/// How late a leave may be and still belong to a life that is over, whoever the user is (R12).
const LATE_LEAVE_MS: i64 = 60_000;

/// How long after a life's first join its creation may be told, in whole seconds (rule 4).
const LATE_CREATION_S: i64 = 1;

/// One life of a room on one timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// The vendor's own id of it, where it has one.
    pub name: Option<String>,
    /// Imported as finished records.
    pub recorded: bool,
    /// What opened it.
    pub opening: Opening,
    /// A leave that told of its join opened it (rule 3). Should its user become known in the life before, the leave
    /// is that life's (R12), and this one begins later or not at all.
    pub by_leave: bool,
    /// Its place on the timeline: events without a life id that happen from here on are its own.
    pub begin: Millis,
    /// Where the life before it was closed: no hint dates it back beyond.
    pub after: Option<Millis>,
    /// Its creation, as shown.
    pub start: Millis,
    /// Who created the room, or `""`.
    pub creator: String,
    /// The earliest join that is known.
    pub first_join: Option<Millis>,
    /// The latest event of a known kind.
    pub last_evidence: Millis,
    /// What closed it.
    pub closed: Option<Closed>,
    /// When it was destroyed, told by its id after something else had closed it.
    pub destroyed: Option<Millis>,
}

/// What opened a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opening {
    /// A creation.
    Created,
    /// A join, while no life was open (R5).
    Provisional,
    /// Any event that names the life by its id.
    Named,
}

/// What closed a life, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Its place on the timeline: events without a life id that happen later are not its own (but see R12).
    pub at: Millis,
    /// What.
    pub how: Closing,
}

/// What closed a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Closing {
    /// The room was destroyed.
    Destroyed,
    /// A newer life began (R6).
    Superseded,
    /// The media server was restarted (R10).
    Reset,
}

impl Life {
    fn new(name: Option<String>, opening: Opening, begin: Millis, start: Millis) -> Life {
        Life {
            name,
            recorded: false,
            opening,
            by_leave: false,
            begin,
            after: None,
            start,
            creator: String::new(),
            first_join: None,
            last_evidence: begin,
            closed: None,
            destroyed: None,
        }
    }

    /// Whether events without a life id at `at` are this life's own, whatever their kind.
    pub fn covers(&self, at: Millis) -> bool {
        // A leave is among the last of its millisecond; what came before it in that one is outside.
        let has_begun = if self.by_leave { self.begin < at } else { self.begin <= at };
        has_begun
            && match self.closed {
                None => true,
                Some(Closed { at: end, how: Closing::Destroyed }) => at <= end,
                Some(Closed { at: end, .. }) => at < end,
            }
    }

    /// Whether a leave at `at`, after this life's end and before the next one's begin, still belongs to it
    /// (R12).
    pub fn takes_late_leave(&self, leave: &Event, user_is_known: bool) -> bool {
        let hinted_inside = leave.join_hint.is_some_and(|hint| self.covers(hint));
        self.closed
            .is_some_and(|closed| leave.at <= closed.at.plus(LATE_LEAVE_MS) || user_is_known || hinted_inside)
    }

    /// Counts an event of this life.
    pub fn note(&mut self, event: &Event) {
        self.last_evidence = self.last_evidence.max(event.at);
        let hinted = event.join_hint.filter(|_| event.is_leave()).map(|hint| hint.min(event.at));
        if let Some(at) = hinted.or_else(|| event.is_join().then_some(event.at)) {
            self.first_join = Some(self.first_join.map_or(at, |first| first.min(at)));
        }
        if self.name.is_none()
            && let Some(hint) = hinted.filter(|&hint| self.is_dated_back_by(hint))
        {
            self.start = hint;
        }
    }

    /// Whether a join that a leave tells of is older than all that is known of this life's creation (rule 3).
    pub fn is_dated_back_by(&self, hint: Millis) -> bool {
        let reaches = self.after.is_none_or(|after| after < hint);
        self.is_provisional() && hint < self.start && reaches
    }

    /// Whether nothing has told of its creation yet.
    pub fn is_provisional(&self) -> bool {
        self.opening == Opening::Provisional
    }

    /// Whether a creation at `at` is that of this life: told a moment after its first join (rule 4), or told
    /// twice for one millisecond.
    fn takes_creation(&self, at: Millis) -> bool {
        let late = self.is_provisional()
            && self.first_join.is_some_and(|join| at.secs() - join.secs() <= LATE_CREATION_S);
        self.name.is_none() && (late || self.begin == at)
    }
}

/// The lives of one timeline and what belongs to each.
#[derive(Debug, Default)]
pub struct LifeEvents<'a> {
    /// The lives in the order of their begin, each with its events in order.
    pub lives: Vec<(Life, Vec<&'a Event>)>,
    /// Events outside every life: they wait until one is known that contains them (rule 3).
    pub orphans: Vec<&'a Event>,
}

/// Cuts one timeline into lives. `events` are those of an [`EventSet`](super::EventSet); `resets` are the restarts of its media server. Attributes and unknown events
/// are no part of a timeline and must not be among `events`. If these are but a part of the timeline, `boundary`
/// is where the last life before them was closed, and `limit` where the first life behind them begins.
pub fn lives<'a>(
    events: &'a [Event],
    resets: &[Millis],
    boundary: Option<Millis>,
    limit: Option<Millis>,
) -> LifeEvents<'a> {
    let mut marks: Vec<(Millis, u8, Mark<'a>)> = resets.iter().map(|&at| (at, 0, Mark::Reset)).collect();
    marks.extend(limit.map(|at| (at, 1, Mark::Limit)));
    let named = named_lives(events);
    marks.extend(named.iter().map(|(&name, life)| (life.begin, 1, Mark::Opens(name))));
    for event in events {
        marks.push((event.at, event.rank(), Mark::Event(event)));
    }
    // Stable: what shares time and rank keeps the order of the set.
    marks.sort_by_key(|&(at, rank, _)| (at, rank));

    let mut known: HashSet<(usize, &str)> = HashSet::new();
    let mut walk = Walk { boundary, ..Walk::default() };
    for (&name, life) in &named {
        let index = walk.add(life.clone());
        let users = events.iter().filter(|event| event.life.as_deref() == Some(name));
        known.extend(users.map(|event| (index, owner(event))));
    }
    let mut owners: Vec<Vec<&'a Event>> = vec![Vec::new(); walk.lives.len()];
    let mut orphans = Vec::new();
    for (at, _, mark) in marks {
        let (event, life) = match mark {
            Mark::Reset => {
                walk.reset(at);
                continue;
            }
            Mark::Limit => {
                walk.supersede(at);
                continue;
            }
            Mark::Opens(name) => {
                walk.open_named(name);
                continue;
            }
            Mark::Event(event) => (event, walk.event(event, |life| known.contains(&(life, owner(event))))),
        };
        owners.resize(walk.lives.len(), Vec::new());
        if let Some(life) = life {
            known.insert((life, owner(event)));
            owners[life].push(event);
        } else {
            orphans.push(event);
        }
    }
    let mut lives: Vec<_> = walk.lives.into_iter().zip(owners).collect();
    lives.sort_by(|(a, _), (b, _)| (a.begin, &a.name).cmp(&(b.begin, &b.name)));
    LifeEvents { lives, orphans }
}

/// One step of the walk along a timeline.
#[derive(Debug, Clone, Copy)]
enum Mark<'a> {
    Reset,
    Limit,
    Opens(&'a str),
    Event(&'a Event),
}

/// What the events that name a life by its id say about its beginning.
#[derive(Debug, Default, Clone, Copy)]
struct Named {
    created: Option<Millis>,
    create_hint: Option<Millis>,
    sign: Option<Millis>,
    recorded: bool,
}

impl Named {
    fn note(&mut self, event: &Event) {
        let earliest =
            |slot: &mut Option<Millis>, at: Millis| *slot = Some(slot.map_or(at, |old| old.min(at)));
        if matches!(event.kind, Kind::RoomCreated) {
            earliest(&mut self.created, event.at);
        }
        if let Some(hint) = event.create_hint {
            earliest(&mut self.create_hint, hint);
        }
        earliest(&mut self.sign, event.join_hint.map_or(event.at, |hint| hint.min(event.at)));
        self.recorded |= event.source == RECORD_SOURCE;
    }

    /// The life, before any event is counted: created when a creation says, else when any event says it was,
    /// else with its first sign; its place begins with the earliest of them.
    fn life(&self, name: &str) -> Life {
        let first = self.created.or(self.create_hint).or(self.sign);
        let begin = [self.created, self.create_hint, self.sign].into_iter().flatten().min();
        let (begin, start) = begin.zip(first).unwrap_or((Millis(0), Millis(0)));
        let mut life = Life::new(Some(name.to_owned()), Opening::Named, begin, start);
        life.recorded = self.recorded;
        life
    }
}

/// The life that a single event opens by naming it.
pub fn named_by(event: &Event) -> Option<Life> {
    let name = event.life.as_deref()?;
    let mut named = Named::default();
    named.note(event);
    Some(named.life(name))
}

fn named_lives(events: &[Event]) -> BTreeMap<&str, Life> {
    let mut named: BTreeMap<&str, Named> = BTreeMap::new();
    for event in events {
        if let Some(name) = event.life.as_deref() {
            named.entry(name).or_default().note(event);
        }
    }
    named.into_iter().map(|(name, first)| (name, first.life(name))).collect()
}

/// The state while walking along a timeline in order. A store that knows the latest life can go on from it.
#[derive(Debug, Default)]
pub struct Walk {
    /// The lives met so far.
    pub lives: Vec<Life>,
    /// The one that is open.
    open: Option<usize>,
    /// The one that was closed last, until the next opens.
    ended: Option<usize>,
    /// The latest place at which a life was closed.
    boundary: Option<Millis>,
}

impl Walk {
    /// Goes on from the latest life of a timeline.
    pub fn resume(latest: Option<Life>) -> Walk {
        let mut walk = Walk::default();
        if let Some(life) = latest {
            match life.closed {
                None => (walk.open, walk.boundary) = (Some(0), life.after),
                Some(closed) => {
                    walk.ended = Some(0);
                    walk.boundary = Some(closed.at);
                }
            }
            walk.lives.push(life);
        }
        walk
    }

    /// Makes a named life known, before the walk reaches its begin.
    pub fn add(&mut self, life: Life) -> usize {
        self.lives.push(life);
        self.lives.len() - 1
    }

    fn named(&self, name: &str) -> Option<usize> {
        self.lives.iter().position(|life| life.name.as_deref() == Some(name))
    }

    fn close(&mut self, index: usize, at: Millis, how: Closing) {
        self.lives[index].closed = Some(Closed { at, how });
        self.boundary = Some(self.boundary.map_or(at, |boundary| boundary.max(at)));
        self.open = None;
        self.ended = Some(index);
    }

    fn open(&mut self, index: usize) {
        if self.open != Some(index) {
            self.supersede(self.lives[index].begin);
        }
        self.open = Some(index);
    }

    /// A newer life begins at `at` (R6).
    fn supersede(&mut self, at: Millis) {
        if let Some(open) = self.open {
            self.close(open, at, Closing::Superseded);
        }
        self.ended = None;
    }

    /// The walk reaches the begin of a named life.
    pub fn open_named(&mut self, name: &str) {
        if let Some(index) = self.named(name)
            && self.lives[index].closed.is_none()
        {
            self.open(index);
        }
    }

    /// The media server was restarted at `at`.
    pub fn reset(&mut self, at: Millis) {
        if let Some(open) = self.open {
            self.close(open, at, Closing::Reset);
        }
    }

    /// The next event in order: the life it belongs to, if any. `user_is_known` says whether its user has an
    /// event in that life.
    pub fn event(&mut self, event: &Event, user_is_known: impl Fn(usize) -> bool) -> Option<usize> {
        let owner = match event.life.as_deref().map(|name| self.named(name)) {
            Some(named) => named,
            None => self.owner_by_time(event, user_is_known),
        }?;
        let life = &mut self.lives[owner];
        life.note(event);
        match event.kind {
            Kind::RoomCreated => {
                if life.creator.is_empty() || life.opening != Opening::Created {
                    life.creator.clone_from(&event.user);
                }
                if life.opening != Opening::Created {
                    life.opening = Opening::Created;
                    life.start = event.at;
                }
            }
            Kind::RoomDestroyed if self.open == Some(owner) => {
                self.close(owner, event.at, Closing::Destroyed);
            }
            Kind::RoomDestroyed => {
                let again = matches!(life.closed, Some(Closed { how: Closing::Destroyed, .. }));
                if !again {
                    life.destroyed.get_or_insert(event.at);
                }
            }
            Kind::UserJoined
            | Kind::RecordJoined(_)
            | Kind::UserLeft
            | Kind::RecordLeft(_)
            | Kind::UserChanged
            | Kind::Media { .. }
            | Kind::EmitterReset
            | Kind::Attributes
            | Kind::Unknown { .. } => {}
        }
        Some(owner)
    }

    fn owner_by_time(&mut self, event: &Event, user_is_known: impl Fn(usize) -> bool) -> Option<usize> {
        match event.kind {
            Kind::RoomCreated => {
                if let Some(open) = self.open.filter(|&open| self.lives[open].takes_creation(event.at)) {
                    return Some(open);
                }
                Some(self.push(event.at, event.at))
            }
            Kind::UserJoined | Kind::RecordJoined(_) => {
                Some(self.open.unwrap_or_else(|| self.open_provisionally(event)))
            }
            Kind::UserLeft | Kind::RecordLeft(_) => {
                let late = self
                    .ended
                    .filter(|&ended| self.lives[ended].takes_late_leave(event, user_is_known(ended)));
                // A leave that says when its user joined stands for that join too.
                let owner = self.open.or(late);
                owner.or_else(|| event.join_hint.map(|_| self.open_provisionally(event)))
            }
            Kind::RoomDestroyed
            | Kind::UserChanged
            | Kind::Media { .. }
            | Kind::EmitterReset
            | Kind::Attributes
            | Kind::Unknown { .. } => self.open,
        }
    }

    fn push(&mut self, begin: Millis, start: Millis) -> usize {
        let after = self.boundary;
        self.lives.push(Life { after, ..Life::new(None, Opening::Provisional, begin, start) });
        let index = self.lives.len() - 1;
        self.open(index);
        index
    }

    /// R5: no life is open and a join comes: it opens one, created when the join's source says the room was,
    /// unless that lies in an earlier life.
    fn open_provisionally(&mut self, event: &Event) -> usize {
        let boundary = self.boundary;
        let start = event
            .create_hint
            .filter(|&hint| hint <= event.at && boundary.is_none_or(|boundary| boundary < hint));
        let index = self.push(event.at, start.unwrap_or(event.at));
        self.lives[index].by_leave = event.is_leave();
        index
    }
}
