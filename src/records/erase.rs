//! What is left of events when a person is erased: a function of the set, like the fold.
//!
//! The person's own events go. What others were told of a room stays, without the person's name, and a call in which
//! others were keeps the begin that the person gave it, and so its id.

use serde_json::Value;

use super::fold::{self, Life, Timeline};
use super::{Event, Kind, Millis};

/// Whether an event tells of somebody: as its user, or anywhere in a body that no rule knows. `is_them` is asked of
/// each name that the event holds.
pub fn names(event: &Event, is_them: &dyn Fn(&str) -> bool) -> bool {
    if !event.user.is_empty() && is_them(&event.user) {
        return true;
    }
    match &event.kind {
        Kind::Unknown { raw, .. } => serde_json::from_str(raw).is_ok_and(|body| says(&body, is_them)),
        Kind::RoomCreated
        | Kind::RoomDestroyed
        | Kind::UserJoined
        | Kind::UserLeft
        | Kind::UserChanged
        | Kind::Media { .. }
        | Kind::EmitterReset
        | Kind::Attributes
        | Kind::RecordJoined(_)
        | Kind::RecordLeft(_) => false,
    }
}

fn says(body: &Value, is_them: &dyn Fn(&str) -> bool) -> bool {
    match body {
        Value::String(text) => is_them(text),
        Value::Array(items) => items.iter().any(|item| says(item, is_them)),
        Value::Object(fields) => fields.iter().any(|(name, value)| is_them(name) || says(value, is_them)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What is left of an event that [names](names) somebody: nothing, or what it says of the room as a whole.
pub fn nameless(event: Event) -> Option<Event> {
    match event.kind {
        Kind::RoomCreated | Kind::RoomDestroyed | Kind::EmitterReset => {
            Some(Event { user: String::new(), ..event })
        }
        Kind::UserJoined
        | Kind::UserLeft
        | Kind::UserChanged
        | Kind::Media { .. }
        | Kind::Attributes
        | Kind::Unknown { .. }
        | Kind::RecordJoined(_)
        | Kind::RecordLeft(_) => None,
    }
}

/// What is left of the events of one life. If others tell of it too, and it would begin otherwise without the person,
/// a creation without a name stands where it began.
pub fn from_life(
    life: &Life,
    timeline: &Timeline,
    events: Vec<Event>,
    is_theirs: &dyn Fn(&Event) -> bool,
) -> Vec<Event> {
    let left = |event: Event| if is_theirs(&event) { nameless(event) } else { Some(event) };
    let mut kept: Vec<Event> = events.into_iter().filter_map(left).collect();
    let has_others = kept.iter().any(|event| !fold::owner(event).is_empty());
    if !has_others || life.recorded {
        return kept;
    }
    kept.sort();
    let again = fold::lives(&kept, &[], life.after, None);
    let begins = |other: &Life| (other.begin, other.start) == (life.begin, life.start);
    if !again.lives.first().is_some_and(|(other, _)| begins(other)) {
        let user = "";
        let mut created =
            Event::new(timeline.app, &timeline.source, &timeline.room, user, Kind::RoomCreated, life.start);
        created.instance.clone_from(&timeline.instance);
        created.life.clone_from(&life.name);
        kept.push(created);
        kept.sort();
    }
    kept
}

/// Whether a life is the same to all others without these events of one person: it neither begins nor ends with any of
/// them, so that nobody else need be looked at.
pub fn leaves_life_alone<'a>(life: &Life, mut theirs: impl Iterator<Item = &'a Event>) -> bool {
    let settled = life.name.is_none() || life.opening == fold::Opening::Created;
    let first = life.begin.max(life.start).max(life.first_join.unwrap_or(Millis(i64::MIN)));
    settled
        && theirs.all(|event| {
            let hints = [event.join_hint, event.create_hint];
            let sign = hints.into_iter().flatten().fold(event.at, Millis::min);
            first < sign && event.at < life.last_evidence && life.covers(event.at)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::AppId;

    const APP: AppId = AppId(1);

    fn event(user: &str, kind: Kind, at: i64) -> Event {
        Event::new(APP, "trtc", "r", user, kind, Millis(at))
    }

    fn left_of(events: Vec<Event>) -> Vec<Event> {
        let is_alice = |event: &Event| names(event, &|name| name == "alice");
        let set = fold::EventSet::from_events(events);
        let (life, events) = fold::lives(set.as_slice(), &[], None, None).lives.remove(0);
        let events: Vec<Event> = events.into_iter().cloned().collect();
        from_life(&life, &Timeline::of(&events[0]), events, &is_alice)
    }

    #[test]
    fn a_name_is_found_in_a_body_that_no_rule_knows() {
        let body = |raw: &str| event("", Kind::Unknown { name: "x".to_owned(), raw: raw.to_owned() }, 0);
        let check = |raw: &str, expected: bool| {
            assert_eq!(names(&body(raw), &|name| name == "zoë"), expected, "{raw}");
        };
        check(r#"{"a":[{"who":"zo\u00eb"}]}"#, true);
        check(r#"{"zoë":1}"#, true);
        check(r#"{"who":"zoë2"}"#, false);
        check("zoë", false);
    }

    #[test]
    fn a_call_of_others_keeps_its_begin() {
        let bob = event("bob", Kind::UserJoined, 9_000);
        let kept = left_of(vec![event("alice", Kind::UserJoined, 5_000), bob.clone()]);
        assert_eq!(kept, [event("", Kind::RoomCreated, 5_000), bob.clone()]);
        // Where another opened it, nothing is put in the place.
        let first = event("eve", Kind::UserJoined, 4_000);
        let kept = left_of(vec![first.clone(), event("alice", Kind::UserJoined, 5_000), bob.clone()]);
        assert_eq!(kept, [first, bob]);
    }

    #[test]
    fn nothing_is_left_of_a_call_of_one_and_a_room_loses_its_creator() {
        assert_eq!(
            left_of(vec![event("alice", Kind::UserJoined, 5_000), event("alice", Kind::UserLeft, 6_000)]),
            []
        );
        let kept = left_of(vec![event("alice", Kind::RoomCreated, 1), event("bob", Kind::UserJoined, 2)]);
        assert_eq!(kept, [event("", Kind::RoomCreated, 1), event("bob", Kind::UserJoined, 2)]);
    }
}
