//! Which part of a room's history has to be folded again. Always right: all of it. A name that is used for weeks has
//! many lives, though, and what happens now changes the last one.
//!
//! The walk along a timeline goes forward in time, as long as no event names its life by an id: what happened before
//! a life began decides nothing behind its begin but where the life before was closed, which the life knows. So the
//! part from the begin of the life before the first new event is folded by itself to the same as with all the rest.

use std::collections::BTreeMap;

use super::rows::Kept;
use crate::records::fold::{Life, Timeline};
use crate::records::{Event, Kind, Millis};

/// The part of a room's timeline from the begin of a life on.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// The begin of its first life.
    pub(super) from: Millis,
    /// Where the life before was closed.
    pub(super) boundary: Option<Millis>,
    /// The lives before it, which stay.
    pub(super) before: Vec<(Timeline, Life)>,
    /// The same, by their ids.
    pub(super) ids: Vec<String>,
    /// The first day on which a call of the part was created.
    pub(super) day: i64,
}

impl Part {
    /// The part that new events of a room may change; `None`: all of it. `calls` are the room's as they are kept.
    pub(super) fn of(new: &[&Event], calls: &[Kept]) -> Option<Part> {
        let first = new.iter().map(|event| event.at).min()?;
        let mut timelines: BTreeMap<(&str, &str), ()> = BTreeMap::new();
        for event in new {
            if event.life.is_some() || event.kind == Kind::EmitterReset {
                return None;
            }
            if event.kind != Kind::Attributes {
                timelines.insert((&event.source, &event.instance), ());
            }
        }
        for kept in calls {
            if kept.life.name.is_some() || kept.life.by_leave {
                return None;
            }
            timelines.insert((&kept.call.source, &kept.call.instance), ());
        }
        if timelines.len() != 1 {
            return None;
        }
        let life =
            calls.iter().map(|kept| &kept.life).filter(|life| life.begin < first).max_by_key(|l| l.begin)?;
        let (behind, before): (Vec<&Kept>, Vec<&Kept>) =
            calls.iter().partition(|kept| life.begin <= kept.life.begin);
        let of_life = |kept: &&Kept| (kept.timeline(), kept.life.clone());
        Some(Part {
            from: life.begin,
            boundary: life.after,
            before: before.iter().map(of_life).collect(),
            ids: before.iter().map(|kept| kept.call.comm_id.to_string()).collect(),
            day: behind.iter().map(|kept| kept.day).min()?,
        })
    }

    /// Whether what was read since fits the part: one timeline, whose events name no life.
    pub(super) fn fits<'a>(&self, mut events: impl Iterator<Item = &'a Event>) -> bool {
        let mut timelines = self.before.iter().map(|(timeline, _)| timeline.clone()).next();
        events.all(|event| {
            if event.kind == Kind::Attributes {
                return true;
            }
            let timeline = Timeline::of(event);
            let is_same = timelines.as_ref().is_none_or(|other| *other == timeline);
            timelines = Some(timeline);
            event.life.is_none() && is_same
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::AppId;
    use crate::store::room::Room;

    fn event(kind: Kind, user: &str, second: i64) -> Event {
        Event::new(AppId(1), "trtc", "r", user, kind, Millis::from_secs(second))
    }

    /// Three lives, the last one open.
    fn told() -> Vec<Event> {
        let mut events = Vec::new();
        for begin in [100, 200, 300] {
            events.push(event(Kind::RoomCreated, "a", begin));
            events.push(event(Kind::UserJoined, "a", begin + 1));
            if begin < 300 {
                events.push(event(Kind::RoomDestroyed, "", begin + 50));
            }
        }
        events
    }

    fn kept(events: &[Event]) -> Vec<Kept> {
        let room: Room = events.iter().cloned().collect();
        let folded = room.fold(|_| Vec::new()).calls.into_iter();
        folded.map(|f| Kept { day: f.call.created.day(), call: f.call, life: f.life, twin: 0 }).collect()
    }

    #[test]
    fn a_part_begins_with_the_life_before_the_first_new_event() {
        let calls = kept(&told());
        let check = |second: i64, expected: Option<(i64, Option<i64>, usize)>| {
            let new = event(Kind::UserLeft, "a", second);
            let part = Part::of(&[&new], &calls);
            let found = part.map(|p| (p.from.secs(), p.boundary.map(Millis::secs), p.before.len()));
            assert_eq!(found, expected, "{second}");
        };
        check(400, Some((300, Some(250), 2)));
        check(301, Some((300, Some(250), 2)));
        // What shares the millisecond of a begin may come before it.
        check(300, Some((200, Some(150), 1)));
        check(220, Some((200, Some(150), 1)));
        check(150, Some((100, None, 0)));
        check(100, None);
    }

    #[test]
    fn what_a_part_cannot_tell_needs_all() {
        let (calls, left) = (kept(&told()), event(Kind::UserLeft, "a", 400));
        let named = Event { life: Some("x".to_owned()), ..left.clone() };
        let elsewhere = Event { instance: "sfu-2".to_owned(), ..left.clone() };
        for new in [&named, &elsewhere, &event(Kind::EmitterReset, "", 400)] {
            assert!(Part::of(&[new], &calls).is_none(), "{new:?}");
        }
        assert!(Part::of(&[], &calls).is_none());
        assert!(Part::of(&[&left], &[]).is_none());
        let part = Part::of(&[&left], &calls).unwrap();
        assert!(part.fits([&left, &event(Kind::Attributes, "a", 400)].into_iter()));
        assert!(!part.fits([&left, &named].into_iter()) && !part.fits([&left, &elsewhere].into_iter()));
        let by_leave = Event { join_hint: Some(Millis::from_secs(1)), ..event(Kind::UserLeft, "b", 5) };
        let mut told = told();
        told.push(by_leave);
        assert!(Part::of(&[&left], &kept(&told)).is_none());
    }
}
