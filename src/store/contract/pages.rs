//! Pages of a call's sessions.

use std::sync::Arc;

use super::{APP, START_S, Subject, event, joined, left, now};
use crate::records::{CommId, Kind, Session};

#[test]
fn pages_are_in_order_and_together_the_whole() {
    for subject in Subject::all() {
        let mut events = vec![event("big", "host", Kind::RoomCreated, 0)];
        for n in 0..700i64 {
            // Joins in every second are shared by several, and some come back.
            events.push(joined("big", &format!("u{n}"), 1 + n / 3));
            if n % 2 == 0 {
                events.push(left("big", &format!("u{n}"), 300 + n));
            }
            if n % 10 == 0 {
                events.push(joined("big", &format!("u{n}"), 2_000 + n));
            }
        }
        for batch in events.chunks(97) {
            subject.append(batch);
        }
        let comm_id = CommId::new(APP, "big", START_S);
        let whole = subject.sessions(&comm_id, |_| {});
        assert_eq!(whole.len(), 770, "{}", subject.name);
        let order = |s: &Arc<Session>| (std::cmp::Reverse(s.joined.secs()), s.user.clone());
        assert!(whole.is_sorted_by_key(order), "{}", subject.name);
        let mut pages = Vec::new();
        for page in 0.. {
            let rows = subject.sessions(&comm_id, |query| (query.skip, query.take) = (page * 100, 100));
            if rows.is_empty() {
                break;
            }
            pages.extend(rows);
        }
        assert_eq!(pages, whole, "{}", subject.name);
        let users = ["u10".to_owned(), "u11".to_owned(), "nobody".to_owned()];
        let named = subject.sessions(&comm_id, |query| query.users = Some(&users));
        assert_eq!(named.iter().map(|s| s.user.as_str()).collect::<Vec<_>>(), ["u10", "u10", "u11"]);
        let window = subject.sessions(&comm_id, |query| {
            (query.from_s, query.to_s) = (START_S + 310, START_S + 320);
        });
        let expected: Vec<_> = whole
            .iter()
            .filter(|s| {
                s.joined.secs() <= START_S + 320 && s.left.is_none_or(|left| left.secs() >= START_S + 310)
            })
            .cloned()
            .collect();
        assert_eq!(window, expected, "{}", subject.name);
        assert!(subject.sessions(&comm_id, |query| query.skip = u64::MAX).is_empty());
        // What was asked for is not remembered beyond the next event.
        let newest = || subject.sessions(&comm_id, |query| query.take = 3);
        assert_eq!(newest(), whole[..3], "{}", subject.name);
        subject.append(&[joined("big", "newcomer", 5_000)]);
        assert_eq!(newest()[0].user, "newcomer", "{}", subject.name);
        assert_eq!(newest()[1..], whole[..2], "{}", subject.name);
    }
}

#[test]
fn what_was_asked_before_changes_no_page() {
    for subject in Subject::all() {
        let mut events = vec![event("small", "host", Kind::RoomCreated, 0)];
        for (user, join, leave) in [("a", 10, 20), ("b", 15, 40), ("c", 30, 35), ("d", 32, 50)] {
            events.extend([joined("small", user, join), left("small", user, leave)]);
        }
        let comm_id = CommId::new(APP, "small", START_S);
        for is_open in [false, true] {
            if is_open {
                events.push(joined("small", "e", 45));
            }
            subject.append(&events);
            let whole = subject.sessions(&comm_id, |_| {});
            assert_eq!(whole.len(), 4 + usize::from(is_open), "{}", subject.name);
            // What is asked first is everything, so that whatever is kept of it could serve each of the others.
            let seconds = [0, 10, 15, 20, 21, 32, 35, 40, 51].map(|second| START_S + second);
            let windows = seconds.iter().flat_map(|from| seconds.iter().map(move |to| (*from, *to)));
            for (from, to) in windows.filter(|(from, to)| from <= to) {
                let meets =
                    |s: &&Arc<Session>| s.joined.secs() <= to && s.left.unwrap_or(now()).secs() >= from;
                let meeting: Vec<_> = whole.iter().filter(meets).cloned().collect();
                for (skip, take) in [(0, 100), (0, meeting.len()), (1, 2)] {
                    let page = subject.sessions(&comm_id, |query| {
                        (query.from_s, query.to_s, query.skip, query.take) = (from, to, skip as u64, take);
                    });
                    let expected: Vec<_> = meeting.iter().skip(skip).take(take).cloned().collect();
                    assert_eq!(page, expected, "{}: {from}..{to}, {skip}, {take}", subject.name);
                }
            }
        }
    }
}
