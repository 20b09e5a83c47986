//! The events of calls, without all that was ever told of their rooms' names.
//!
//! A call's events happen between its begin and its last evidence, and so do those of the calls that overlap it. What
//! was told of the timeline between is cut into lives by itself, and they are the same as with all the rest: the walk
//! goes forward, and of what was before it needs only where the life before was closed, which the first one knows.
//! That they are the same is checked against what is kept; a room of which they are not is folded as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ask::{calls_among, newest};
use super::rows::{self, CallKey, Kept};
use super::shards::{Shards, rows as answer_rows};
use super::stored::{RoomName, Told, When, rooms_in};
use super::tables::CALLS;
use crate::records::fold::{self, Closing, EventSet, Life, Timeline};
use crate::records::{AppId, Event, Millis};
use crate::store::StoreError;
use crate::store::room::{Room, event_order};

/// The events of some calls of an application, those of each by user, then in order. All rooms' events are in memory
/// together.
pub(super) async fn events_of(
    shards: &Arc<Shards>,
    app: AppId,
    calls: &[Kept],
) -> Result<BTreeMap<CallKey, Vec<Event>>, StoreError> {
    let mut by_shard: BTreeMap<usize, Vec<&Kept>> = BTreeMap::new();
    for kept in calls {
        by_shard.entry(shards.of_room(app, &kept.call.room)).or_default().push(kept);
    }
    let mut found = BTreeMap::new();
    for (shard, calls) in by_shard {
        let names: BTreeSet<RoomName> = calls.iter().map(|kept| (app, kept.call.room.clone())).collect();
        let stretches = read_stretches(shards, shard, &names, &calls).await?;
        let Some(Span { from, to }) = Span::around(stretches.values().map(|stretch| stretch.span)) else {
            continue;
        };
        let told = Told::read(shards, shard, &names, When::Between(from, to)).await?;
        let rooms: BTreeMap<&RoomName, Room> =
            names.iter().map(|name| (name, told.events(name).cloned().collect())).collect();
        let mut whole: BTreeSet<RoomName> = BTreeSet::new();
        for (timeline, stretch) in &stretches {
            let name = (timeline.app, timeline.room.clone());
            let events = rooms.get(&name).and_then(|room| room.timelines.get(timeline));
            match events.and_then(|events| stretch.cut(events, &told.resets(timeline))) {
                Some(of_calls) => found.extend(of_calls),
                None => drop(whole.insert(name)),
            }
        }
        found.extend(of_whole_rooms(shards, shard, &whole).await?);
    }
    Ok(found)
}

/// The events of every call of some rooms.
async fn of_whole_rooms(
    shards: &Arc<Shards>,
    shard: usize,
    names: &BTreeSet<RoomName>,
) -> Result<BTreeMap<CallKey, Vec<Event>>, StoreError> {
    let mut found = BTreeMap::new();
    let told = Told::read(shards, shard, names, When::Ever).await?;
    for name in names {
        let room: Room = told.events(name).cloned().collect();
        for (folded, twin) in rows::with_twins(room.fold(|timeline| told.resets(timeline)).calls) {
            found.insert((name.1.clone(), folded.call.comm_id.to_string(), twin), folded.events);
        }
    }
    Ok(found)
}

/// From one moment to another, themselves included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from: Millis,
    to: Millis,
}

impl Span {
    /// Where a call's events are.
    fn of(kept: &Kept) -> Span {
        Span { from: kept.life.begin, to: kept.life.last_evidence }
    }

    fn around(spans: impl IntoIterator<Item = Span>) -> Option<Span> {
        spans.into_iter().reduce(Span::with)
    }

    fn with(self, other: Span) -> Span {
        Span { from: self.from.min(other.from), to: self.to.max(other.to) }
    }

    fn overlaps(self, other: Span) -> bool {
        self.from <= other.to && other.from <= self.to
    }

    fn holds(self, other: Span) -> bool {
        self.with(other) == self
    }
}

/// A part of a timeline in which no call lies but whole.
#[derive(Debug)]
struct Stretch {
    span: Span,
    /// In the order of their begins.
    calls: Vec<Kept>,
}

impl Stretch {
    /// The events of each of its calls; `None` where the calls that are kept are others than these events come to, for
    /// instance since more was told meanwhile. `events` are of the timeline, and `resets` the restarts of its media
    /// server.
    fn cut(&self, events: &EventSet, resets: &[Millis]) -> Option<Vec<(CallKey, Vec<Event>)>> {
        // Lives with a name of their own do not say it, nor do they need it.
        let boundary =
            self.calls.iter().find(|kept| kept.life.name.is_none()).and_then(|kept| kept.life.after);
        let superseded = self.calls.iter().filter_map(|kept| kept.life.closed);
        let superseded =
            superseded.filter(|closed| closed.how == Closing::Superseded).map(|closed| closed.at);
        let limit = superseded.max().filter(|at| self.span.to < *at);
        let events = events.as_slice();
        let begin = events.partition_point(|event| event.at < self.span.from);
        let end = events.partition_point(|event| event.at <= self.span.to);
        let cut = fold::lives(events.get(begin..end)?, resets, boundary, limit);
        // Where the life before was closed is a later matter to one that superseded it; it decides nothing there.
        let told = |life: &Life| Life { after: None, ..life.clone() };
        let lives = cut.lives.iter().map(|(life, _)| told(life));
        if !lives.eq(self.calls.iter().map(|kept| told(&kept.life))) {
            return None;
        }
        let of_call = |(kept, (_, events)): (&Kept, (Life, Vec<&Event>))| {
            let mut events: Vec<Event> = events.into_iter().cloned().collect();
            events.sort_by(event_order);
            (kept.key(), events)
        };
        Some(self.calls.iter().zip(cut.lives).map(of_call).collect())
    }
}

/// The stretches in which some calls are, of the calls around them.
fn stretches(calls: &[&Kept], around: Vec<Kept>) -> BTreeMap<Timeline, Stretch> {
    let mut stretches: BTreeMap<Timeline, Stretch> = BTreeMap::new();
    for kept in calls {
        let span = Span::of(kept);
        let empty = || Stretch { span, calls: Vec::new() };
        let stretch = stretches.entry(kept.timeline()).or_insert_with(empty);
        stretch.span = stretch.span.with(span);
    }
    for kept in around {
        if let Some(stretch) = stretches.get_mut(&kept.timeline()) {
            stretch.calls.push(kept);
        }
    }
    for stretch in stretches.values_mut() {
        let spans: Vec<Span> = stretch.calls.iter().map(Span::of).collect();
        loop {
            let overlapping = spans.iter().filter(|span| span.overlaps(stretch.span));
            let wider = overlapping.fold(stretch.span, |all, span| all.with(*span));
            if wider == stretch.span {
                break;
            }
            stretch.span = wider;
        }
        let span = stretch.span;
        stretch.calls.retain(|kept| Span::of(kept).overlaps(span));
        stretch.calls.sort_by(|a, b| (a.life.begin, &a.life.name).cmp(&(b.life.begin, &b.life.name)));
    }
    stretches
}

/// Reads the stretches in which some calls of a shard are.
async fn read_stretches(
    shards: &Arc<Shards>,
    shard: usize,
    names: &BTreeSet<RoomName>,
    calls: &[&Kept],
) -> Result<BTreeMap<Timeline, Stretch>, StoreError> {
    let Some(mut read) = Span::around(calls.iter().map(|kept| Span::of(kept))) else {
        return Ok(BTreeMap::new());
    };
    let columns = format!("{}, begin_ms, last_evidence_ms", rows::CALL_COLUMNS);
    loop {
        let around = format!("begin_ms <= {} AND last_evidence_ms >= {}", read.to.0, read.from.0);
        let sql = format!(
            "SELECT {} FROM ({}) WHERE deleted = 0 AND {around}",
            rows::CALL_COLUMNS,
            newest(&CALLS, &columns, &calls_among(&rooms_in(names), &around))
        );
        let found = answer_rows(&shards.ask(shard, sql).await?).all(rows::read_call)?;
        let stretches = stretches(calls, found);
        let needed = Span::around(stretches.values().map(|stretch| stretch.span));
        match needed.filter(|needed| !read.holds(*needed)) {
            // Further calls overlap those that were found, and may reach beyond what was read.
            Some(needed) => read = read.with(needed),
            None => return Ok(stretches),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::records::Kind;
    use crate::store::contract;

    /// What is kept of a room's calls, and the events of each.
    fn kept(room: &Room, resets: &[(String, Millis)]) -> Vec<(Kept, Vec<Event>)> {
        let calls = rows::with_twins(room.fold(|timeline| of_timeline(resets, timeline)).calls);
        let kept = calls.map(|(folded, twin)| {
            let day = folded.call.created.day();
            (Kept { day, call: folded.call, life: folded.life, twin }, folded.events)
        });
        kept.collect()
    }

    fn of_timeline(resets: &[(String, Millis)], timeline: &Timeline) -> Vec<Millis> {
        resets.iter().filter(|(instance, _)| *instance == timeline.instance).map(|(_, at)| *at).collect()
    }

    proptest! {
        /// Any call, and any two calls, by themselves: what is read of the room is enough, and no event is missed.
        #[test]
        fn the_events_of_a_call_need_no_more_than_what_overlaps_it(
            told in prop::collection::vec(contract::any_event(), 1..60),
            other in 0..8usize,
        ) {
            let mut rooms: BTreeMap<String, Room> = BTreeMap::new();
            let mut resets: Vec<(String, Millis)> = Vec::new();
            for event in told {
                if event.kind == Kind::EmitterReset {
                    resets.push((event.instance, event.at));
                } else if !matches!(event.kind, Kind::Unknown { .. }) {
                    rooms.entry(event.room.clone()).or_default().admit(event);
                }
            }
            resets.sort();
            for room in rooms.values() {
                let all = kept(room, &resets);
                let around: Vec<Kept> = all.iter().map(|(kept, _)| kept.clone()).collect();
                for nth in 0..all.len() {
                    let asked = [&around[nth], &around[(nth + other) % all.len()]];
                    let mut found = BTreeMap::new();
                    for (timeline, stretch) in stretches(&asked, around.clone()) {
                        let cut = stretch.cut(&room.timelines[&timeline], &of_timeline(&resets, &timeline));
                        prop_assert!(cut.is_some(), "{timeline:?} {stretch:#?}");
                        found.extend(cut.unwrap_or_default());
                    }
                    for asked in asked {
                        let expected = all.iter().find(|(kept, _)| kept.key() == asked.key()).map(|(_, events)| events);
                        prop_assert_eq!(found.get(&asked.key()), expected);
                    }
                }
            }
        }
    }
}
