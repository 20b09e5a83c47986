//! A batch folded in parts, by as many threads: rooms do not know of each other, so each part has some of them.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::batch::{Batch, ChangesByDay, Files, Turn};
use super::figures::SumChanges;
use super::index::{Delta, Index};
use super::keys::CallNo;
use crate::records::fold::Admission;
use crate::records::{AppId, Event, Kind, Millis};
use crate::store::{Appended, StoreError};

/// Fewer events are not worth a thread. Tests reach it with few.
const PART_EVENTS_MIN: usize = if cfg!(test) { 2 } else { 2_000 };
/// More threads would wait for the one that writes.
const PARTS_MAX: usize = 4;

/// What a batch comes to.
#[derive(Debug)]
pub(super) struct Folded {
    /// What each sender is told.
    pub(super) appended: Vec<Appended>,
    /// To be made durable.
    pub(super) changes: ChangesByDay,
    /// To be made in the index then.
    pub(super) deltas: Vec<Delta>,
}

/// Events, each with the number of its sender, until it is taken: events are large, so they stay in their places.
type Sent = Vec<Option<(usize, Event)>>;

/// Folds what several senders sent into what the files have.
pub(super) fn fold(
    files: &Files,
    index: &Index,
    batches: Vec<Vec<Event>>,
    threads: usize,
) -> Result<Folded, StoreError> {
    let senders = batches.len();
    let mut parts = divide(batches, threads);
    let count = parts.len();
    let turn = |part: usize| Turn { part: number(part), parts: number(count) };
    let work = |(part, sent): (usize, Sent)| fold_part(Batch::new(files, index, turn(part)), senders, sent);
    let last = parts.pop();
    let outcomes: Vec<Result<(Folded, SumChanges), StoreError>> = std::thread::scope(|scope| {
        let others: Vec<_> =
            parts.into_iter().enumerate().map(|part| scope.spawn(move || work(part))).collect();
        let own = last.map(|sent| work((count - 1, sent)));
        let others = others.into_iter().map(|thread| match thread.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        others.chain(own).collect()
    });
    let mut folded = Folded {
        appended: vec![Appended::default(); senders],
        changes: ChangesByDay::new(),
        deltas: Vec::new(),
    };
    let mut sums = SumChanges::default();
    for outcome in outcomes {
        let (part, sums_of_part) = outcome?;
        for (all, more) in folded.appended.iter_mut().zip(part.appended) {
            all.new += more.new;
            all.duplicate += more.duplicate;
        }
        for (day, mut changes) in part.changes {
            folded.changes.entry(day).or_default().append(&mut changes);
        }
        folded.deltas.extend(part.deltas);
        sums.merge(sums_of_part);
    }
    sums.write(index, &mut folded.changes, &mut folded.deltas)?;
    Ok(folded)
}

fn number(count: usize) -> CallNo {
    CallNo::try_from(count).unwrap_or(CallNo::MAX)
}

/// Divides events among threads: those of one room's name stay together. A restart concerns all rooms of its server,
/// so it leaves them together, too.
fn divide(batches: Vec<Vec<Event>>, threads: usize) -> Vec<Sent> {
    let events: usize = batches.iter().map(Vec::len).sum();
    let mut count = threads.min(PARTS_MAX).min(events / PART_EVENTS_MIN).max(1);
    if batches.iter().flatten().any(|event| event.kind == Kind::EmitterReset) {
        count = 1;
    }
    let each = events / count + events / (count * 8);
    let mut parts: Vec<Sent> = std::iter::repeat_with(|| Vec::with_capacity(each)).take(count).collect();
    for (sender, events) in batches.into_iter().enumerate() {
        for event in events {
            let part = if count == 1 { 0 } else { part_of(&event, count) };
            parts[part].push(Some((sender, event)));
        }
    }
    parts
}

fn part_of(event: &Event, count: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    (event.app, &event.room).hash(&mut hasher);
    usize::try_from(hasher.finish() % count as u64).unwrap_or(0)
}

/// Takes each sender's events in.
fn fold_part(
    mut batch: Batch<'_>,
    senders: usize,
    mut sent: Sent,
) -> Result<(Folded, SumChanges), StoreError> {
    let mut appended = vec![Appended::default(); senders];
    for place in order(&sent) {
        let Some((sender, event)) = sent[place].take() else { continue };
        match batch.take(event)? {
            Admission::New => appended[sender].new += 1,
            Admission::Known | Admission::Reworded => appended[sender].duplicate += 1,
        }
    }
    drop(sent);
    let (changes, deltas, sums) = batch.finish()?;
    Ok((Folded { appended, changes, deltas }, sums))
}

/// In which order events go in: room by room, since what is known of a room is at hand then; and by time in each, so
/// that most of them are the next step of their timeline.
fn order(sent: &[Option<(usize, Event)>]) -> Vec<usize> {
    let mut rooms: HashMap<(AppId, &str), usize> = HashMap::new();
    let mut order: Vec<(usize, Millis, usize)> = Vec::with_capacity(sent.len());
    for (place, (_, event)) in sent.iter().flatten().enumerate() {
        let next = rooms.len();
        let room = *rooms.entry((event.app, &event.room)).or_insert(next);
        order.push((room, event.at, place));
    }
    let event = |place: usize| sent[place].as_ref().map(|(_, event)| event);
    order.sort_unstable_by(|(room, at, place), (other, bt, elsewhere)| {
        (room, at).cmp(&(other, bt)).then_with(|| event(*place).cmp(&event(*elsewhere)))
    });
    order.into_iter().map(|(.., place)| place).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_events_of_a_room_stay_together() {
        let event = |room: u32, kind: Kind| {
            Event::new(AppId(1), "trtc", &format!("room{room}"), "a", kind, Millis(i64::from(room)))
        };
        let told: Vec<Event> = (0..300).map(|n| event(n % 100, Kind::UserJoined)).collect();
        let divided = |batches: Vec<Vec<Event>>, threads: usize| -> Vec<BTreeSet<String>> {
            let parts = divide(batches, threads);
            parts
                .into_iter()
                .map(|sent| sent.into_iter().flatten().map(|(_, event)| event.room).collect())
                .collect()
        };
        for threads in 1..6 {
            let rooms = divided(vec![told.clone(), told.clone()], threads);
            assert_eq!(rooms.len(), threads.min(PARTS_MAX));
            assert!(rooms.iter().all(|rooms| rooms.len() > 10), "{rooms:?}");
            assert_eq!(rooms.iter().map(BTreeSet::len).sum::<usize>(), 100);
        }
        assert_eq!(divided(vec![vec![event(1, Kind::UserJoined)]], 4).len(), 1);
        let restart = vec![event(1, Kind::EmitterReset)];
        assert_eq!(divided(vec![told, restart], 4).len(), 1);
    }
}
