//! Any list of events, in any order, in any batches, however often each comes: the same records.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use rollbook::records::fold::EventSet;
use rollbook::records::{Call, Event, LeaveSource, Millis, Session};
use rollbook::store::{Counts, ExportQuery, Exported, Figures, Memory, Store, What};
use rollbook_fuzz::events::{APP, event_after, shuffled};
use rollbook_fuzz::wait;

const EVENTS_MAX: usize = 48;

#[derive(Debug, PartialEq)]
struct Told {
    records: Vec<(Call, Vec<Session>)>,
    events: Vec<Event>,
    counts: Counts,
    figures: Figures,
}

fn told(store: &Memory) -> Told {
    let (mut records, mut events) = (Vec::new(), Vec::new());
    for what in [What::Records, What::Events] {
        let query = ExportQuery { app: APP, from: Millis(i64::MIN), to: Millis(i64::MAX), what };
        let exported = store.export(&query, &mut |exported| {
            match exported {
                Exported::Call(call, sessions) => records.push((call.clone(), sessions.to_vec())),
                Exported::Event(event) => events.push(event.clone()),
                Exported::Samples(_) => {}
            }
            Ok(())
        });
        exported.expect("memory tells everything");
    }
    let counts = wait(store.counts()).expect("memory counts");
    let figures = wait(store.figures(APP, i64::MIN, i64::MAX)).expect("memory sums up");
    Told { records, events, counts, figures }
}

/// What must be true of records, whatever was told.
fn check(told: &Told, events: &[Event]) {
    let all = EventSet::from_events(told.events.iter().cloned());
    assert_eq!(all.as_slice().len(), told.events.len(), "an event is exported once");
    for event in events {
        assert!(all.knows(event), "vanished: {event:?}");
    }
    let ids: BTreeSet<_> = told.records.iter().map(|(call, _)| &call.comm_id).collect();
    assert_eq!(ids.len(), told.records.len(), "two calls have the same id");
    let running = told.records.iter().filter(|(call, _)| call.ended.is_none());
    assert_eq!(told.counts.open_calls, running.count() as u64);
    for (call, sessions) in &told.records {
        assert_eq!(call.ended.is_none(), call.end_source == LeaveSource::Open, "{call:?}");
        for session in sessions {
            assert!(
                session.left.is_none_or(|left| session.joined <= left),
                "left before it joined: {session:?}"
            );
            assert_eq!(session.left.is_none(), session.leave_source == LeaveSource::Open, "{session:?}");
            assert!(session.left.is_some() || call.ended.is_none(), "in a call that is over: {session:?}");
        }
        // R8: without a visit nobody is in a call twice at a time.
        let mut stays: Vec<&Session> = sessions.iter().filter(|session| session.visit.is_none()).collect();
        stays.sort_by_key(|session| (&session.user, session.joined, session.left.is_none(), session.left));
        for pair in stays.windows(2).filter(|pair| pair[0].user == pair[1].user) {
            assert!(pair[0].left.is_some_and(|left| left <= pair[1].joined), "twice at a time: {pair:?}");
        }
    }
    let entries: u64 = told.figures.days.iter().map(|day| day.entries).sum();
    let sessions: usize = told.records.iter().map(|(_, sessions)| sessions.len()).sum();
    assert_eq!(entries, sessions as u64, "each session is an entry of one day");
}

fn run(u: &mut Unstructured<'_>) -> Result<()> {
    let mut events = Vec::new();
    for _ in 0..u.int_in_range(1..=EVENTS_MAX)? {
        if u.is_empty() {
            break;
        }
        events.push(event_after(u, &events, "")?);
    }
    let (once, often) = (Memory::default(), Memory::default());
    let appended = wait(once.append(events.clone())).expect("memory takes everything");
    assert_eq!(appended.new + appended.duplicate, events.len() as u64);
    let expected = told(&once);
    check(&expected, &events);

    let mut again = events.clone();
    shuffled(u, &mut again)?;
    let mut rest = again.as_slice();
    let mut new = 0;
    while !rest.is_empty() {
        let (batch, behind) = rest.split_at(u.int_in_range(1..=rest.len().min(8))?);
        new += wait(often.append(batch.to_vec())).expect("memory takes everything").new;
        let repeated = wait(often.append(batch[..1].to_vec())).expect("memory takes everything");
        assert_eq!((repeated.new, repeated.duplicate), (0, 1), "{:?}", batch[0]);
        rest = behind;
    }
    assert_eq!(new, appended.new, "what is new does not depend on the order");
    assert_eq!(told(&often), expected);
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    let _ = run(&mut Unstructured::new(bytes));
});
