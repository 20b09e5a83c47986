//! A set of events in order, each kept once (R1).

use crate::records::Event;

/// Events in order, each happening once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventSet(Vec<Event>);

/// What became of an event that was offered to a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is new.
    New,
    /// It was known; nothing changed.
    Known,
    /// It was known in other words, and these prevail (rule 7 of `docs/records.md`).
    Reworded,
}

impl EventSet {
    /// The set of these events. They may come in any order and repeat.
    pub fn from_events(events: impl IntoIterator<Item = Event>) -> EventSet {
        let mut all: Vec<Event> = events.into_iter().collect();
        all.sort();
        // Equal identities are neighbours, the prevailing wording first.
        all.dedup_by(|later, earlier| later.is_same_as(earlier));
        EventSet(all)
    }

    /// Adds an event, unless it is known.
    pub fn admit(&mut self, event: Event) -> Admission {
        let place = match self.0.last() {
            Some(last) if *last < event => self.0.len(),
            _ => match self.0.binary_search(&event) {
                Ok(_) => return Admission::Known,
                Err(place) => place,
            },
        };
        if place > 0 && self.0[place - 1].is_same_as(&event) {
            return Admission::Known;
        }
        if let Some(next) = self.0.get_mut(place)
            && next.is_same_as(&event)
        {
            *next = event;
            return Admission::Reworded;
        }
        self.0.insert(place, event);
        Admission::New
    }

    /// Whether the event, or a wording that prevails over it, is in the set.
    pub fn knows(&self, event: &Event) -> bool {
        match self.0.binary_search(event) {
            Ok(_) => true,
            Err(place) => place > 0 && self.0[place - 1].is_same_as(event),
        }
    }

    /// The events in order.
    pub fn as_slice(&self) -> &[Event] {
        &self.0
    }

    /// The events in order.
    pub fn into_vec(self) -> Vec<Event> {
        self.0
    }
}
