//! When a room of the configuration file is over. Nothing tells: it was there before anybody came, and it stays. So a
//! call in it ends with the last leave, once nobody has come back for a while. By the time of the events, so that it is the same
//! whenever they come; and only where Janus was listened to since its start, since then a room without a `created` is
//! one of the file and everybody inside is known.

use std::collections::{BTreeMap, HashMap};

/// How long nobody must be inside, in microseconds. Longer than deliveries may be out of order.
pub const EMPTY_MICROS: u64 = 30_000_000;
/// Rooms of one media server that are watched; beyond that none is.
pub const ROOMS_MAX: usize = 10_000;
/// Users of one room that are remembered; a room with more is not watched any longer.
const USERS_MAX: usize = 2_000;

/// The rooms of one media server since its start.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    /// `None`: the start was not heard, or there are too many.
    rooms: Option<HashMap<String, Room>>,
    /// Rooms where nobody is, and the last leave.
    empty: BTreeMap<String, Empty>,
    /// The latest time that was told.
    clock: u64,
}

#[derive(Debug)]
struct Room {
    /// The API created it, and will destroy it.
    is_created: bool,
    is_number: bool,
    /// The latest join and leave of each user.
    users: BTreeMap<String, (u64, u64)>,
}

#[derive(Debug)]
struct Empty {
    since: u64,
    is_number: bool,
    /// The time of the event by which the end was told. If the store fails, that event comes again.
    told_by: Option<u64>,
}

/// A room's end, in microseconds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Over {
    pub(super) room: String,
    pub(super) is_number: bool,
    pub(super) micros: u64,
}

impl Rooms {
    /// The media server began anew; `is_start`: it says so itself, and not that it ends.
    pub(super) fn restarted(&mut self, is_start: bool) {
        *self = Rooms { rooms: is_start.then(HashMap::new), ..Rooms::default() };
    }

    /// The time of an event: rooms that are over by now.
    pub(super) fn over(&mut self, micros: u64) -> Vec<Over> {
        self.clock = self.clock.max(micros);
        let mut over = Vec::new();
        let clock = self.clock;
        self.empty.retain(|room, empty| {
            if clock < empty.since + EMPTY_MICROS {
                return true;
            }
            if *empty.told_by.get_or_insert(micros) == micros {
                over.push(Over { room: room.clone(), is_number: empty.is_number, micros: empty.since });
            }
            clock < empty.since + 2 * EMPTY_MICROS
        });
        over
    }

    /// The API created a room.
    pub(super) fn created(&mut self, name: &str) {
        if let Some(room) = room(&mut self.rooms, name, false) {
            room.is_created = true;
        }
        self.empty.remove(name);
    }

    /// The API destroyed a room.
    pub(super) fn destroyed(&mut self, name: &str) {
        self.rooms.as_mut().and_then(|rooms| rooms.remove(name));
        self.empty.remove(name);
    }

    /// Somebody joined or left.
    pub(super) fn moved(&mut self, name: &str, is_number: bool, user: &str, micros: u64, is_join: bool) {
        let Some(room) = room(&mut self.rooms, name, is_number) else { return };
        if room.is_created {
            return;
        }
        if room.users.len() >= USERS_MAX {
            room.users.retain(|_, (joined, left)| *left <= *joined || micros < *left + EMPTY_MICROS);
        }
        if room.users.len() >= USERS_MAX {
            // Watched no longer, as if the API had created it.
            (room.is_created, room.users) = (true, BTreeMap::new());
            self.empty.remove(name);
            return;
        }
        let (joined, left) = room.users.entry(user.to_owned()).or_default();
        let moved = if is_join { joined } else { left };
        *moved = micros.max(*moved);
        let is_empty = room.users.values().all(|(joined, left)| joined < left);
        let since = room.users.values().map(|(_, left)| *left).max();
        match since.filter(|_| is_empty) {
            Some(since) if self.empty.get(name).is_none_or(|empty| empty.since != since) => {
                self.empty.insert(name.to_owned(), Empty { since, is_number: room.is_number, told_by: None });
                // Who left is known until the room is over, in case the deliveries of both are swapped.
                room.users.retain(|_, (_, left)| *left + EMPTY_MICROS > since);
            }
            Some(_) => {}
            None => {
                // An end that was told stays told: somebody who comes later opens the next call.
                if self.empty.get(name).is_some_and(|empty| empty.told_by.is_none()) {
                    self.empty.remove(name);
                }
            }
        }
    }
}

/// The room of that name; `None` where rooms are not watched.
fn room<'r>(
    rooms: &'r mut Option<HashMap<String, Room>>,
    name: &str,
    is_number: bool,
) -> Option<&'r mut Room> {
    let is_full = |known: &HashMap<String, Room>| known.len() >= ROOMS_MAX && !known.contains_key(name);
    if rooms.as_ref().is_some_and(is_full) {
        *rooms = None;
    }
    let new = || Room { is_created: false, is_number, users: BTreeMap::new() };
    Some(rooms.as_mut()?.entry(name.to_owned()).or_insert_with(new))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: u64 = 100 + EMPTY_MICROS;

    fn rooms() -> Rooms {
        let mut rooms = Rooms::default();
        rooms.restarted(true);
        rooms
    }

    fn ends(over: &[Over]) -> Vec<(&str, u64)> {
        over.iter().map(|over| (over.room.as_str(), over.micros)).collect()
    }

    #[test]
    fn a_room_is_over_when_nobody_came_back() {
        let mut rooms = rooms();
        for (user, micros, is_join) in [("a", 10, true), ("b", 60, true), ("a", 50, false), ("b", 100, false)]
        {
            rooms.moved("r", true, user, micros, is_join);
        }
        assert!(rooms.over(LATER - 1).is_empty());
        assert_eq!(ends(&rooms.over(LATER)), [("r", 100)]);
        assert!(rooms.over(LATER + 1).is_empty());
        assert_eq!(ends(&rooms.over(LATER)), [("r", 100)], "the event that told it comes again");
        rooms.moved("r", true, "a", LATER + 5, true);
        assert!(rooms.over(LATER * 9).is_empty(), "a is inside");
        rooms.moved("r", true, "a", LATER * 9, false);
        assert_eq!(ends(&rooms.over(LATER * 11)), [("r", LATER * 9)]);
    }

    #[test]
    fn neighbours_may_be_swapped() {
        let moves = [("a", 10, true), ("a", 50, false), ("b", 60, true), ("b", 100, false)];
        for place in 1..moves.len() {
            let mut rooms = rooms();
            let mut swapped = moves;
            swapped.swap(place - 1, place);
            for (user, micros, is_join) in swapped {
                assert!(rooms.over(micros).is_empty());
                rooms.moved("r", false, user, micros, is_join);
            }
            assert_eq!(ends(&rooms.over(LATER)), [("r", 100)], "{swapped:?}");
        }
    }

    #[test]
    fn what_the_api_creates_it_destroys_and_what_was_not_heard_from_the_start_is_left() {
        let mut created = rooms();
        created.created("r");
        let mut unheard = Rooms::default();
        for rooms in [&mut created, &mut unheard] {
            rooms.moved("r", false, "a", 10, true);
            rooms.moved("r", false, "a", 100, false);
            assert!(rooms.over(LATER * 9).is_empty());
        }
    }
}
