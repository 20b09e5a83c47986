//! A person erased: what is left, that it is nowhere on disk, and that nobody brings the person back.

use proptest::prelude::*;

use super::*;
use crate::records::quality::{Flow, Measure, Series};
use crate::store::{Forgotten, Person};

const KEY: [u8; 32] = [5; 32];

fn person(user: &str, until: Millis) -> Person {
    Person { app: APP, user: user.to_owned(), until }
}

impl Subject {
    pub(super) fn forget(&self, user: &str, until: Millis) -> Forgotten {
        wait(self.store.forget(&person(user, until), KEY)).unwrap()
    }

    /// Every file of the store holds these bytes nowhere, as they are or packed, and no column of a table.
    fn is_free_of(&self, name: &str) {
        if let AnyStore::ClickHouse(store) = &self.store {
            assert_eq!(store.tables_that_hold(name).unwrap(), [""; 0], "{name}");
        }
        let Some(dir) = &self.dir else { return };
        let mut folders = vec![dir.path().to_owned()];
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let bytes = std::fs::read(&path).unwrap();
                files += 1;
                let found = bytes.windows(name.len()).any(|part| part == name.as_bytes());
                assert!(!found, "{name} is in {}", path.display());
                // Packed blocks stand in pages anywhere, free ones too.
                let frames = (0..bytes.len().saturating_sub(4))
                    .filter(|at| bytes[*at..].starts_with(&[0x28, 0xb5, 0x2f, 0xfd]));
                for at in frames {
                    let text = unpacked(&bytes[at..]);
                    let found = text.windows(name.len()).any(|part| part == name.as_bytes());
                    assert!(!found, "{name} is packed in {}", path.display());
                }
            }
        }
        assert!(files > 1);
    }
}

/// As much of a frame as can be unpacked.
fn unpacked(frame: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    if let Ok(decoder) = zstd::stream::read::Decoder::new(frame) {
        let _ =
            std::io::Read::read_to_end(&mut std::io::Read::take(decoder.single_frame(), 1 << 20), &mut text);
    }
    text
}

fn series(user: &str, peer: &str, second: i64) -> Series {
    let text = str::to_owned;
    let flow =
        Flow { app: APP, room: text("r"), user: text(user), peer: text(peer), connection: String::new() };
    let points = (0..100).map(|n| (at(second + 2 * n), f64::from(u32::try_from(n).unwrap()))).collect();
    Series { flow, columns: vec![(Measure::of_name("rtt").unwrap(), points)] }
}

fn told() -> Vec<Event> {
    let mut events = vec![
        event("r", "zacharias", Kind::RoomCreated, 0),
        joined("r", "zacharias", 1),
        joined("r", "bob", 2),
        left("r", "zacharias", 50),
        left("r", "bob", 100),
        event("r", "zacharias", Kind::RoomDestroyed, 200),
        joined("alone", "zacharias", 3),
        joined("opened", "zacharias", 5),
        joined("opened", "bob", 65),
        left("nowhere", "zacharias", 7),
        event("r", "zacharias", Kind::Attributes, 10),
        // The next day.
        joined("late", "zacharias", 90_000),
        joined("late", "bob", 90_001),
    ];
    let raw = r#"{"who":["zacharias"]}"#.to_owned();
    events.push(event("r", "", Kind::Unknown { name: "x".to_owned(), raw }, 20));
    for event in &mut events {
        event.attrs.insert(Attr::Device, "phone".to_owned());
    }
    events
}

#[test]
fn a_person_is_gone_others_stay_and_nobody_brings_the_person_back() {
    for seals in [false, true] {
        for subject in Subject::all() {
            let name = subject.name;
            subject.append(&told());
            let measured = [series("zacharias", "", 0), series("bob", "zacharias", 0), series("bob", "", 0)];
            subject.measure(&measured);
            if seals {
                subject.seal();
                // Blocks that are packed again leave others behind.
                subject.append(&[left("late", "zacharias", 90_050)]);
            }
            let figures = subject.figures();
            assert_eq!(figures.days.iter().map(|day| day.entries).sum::<u64>(), 7, "{name}");
            let gone = subject.forget("zacharias", now());
            let events = 10 + u64::from(seals);
            let expected = Forgotten { calls: 4, sessions: 4, events, values: 200, files: gone.files };
            assert_eq!(gone, expected, "{name}");
            let after = subject.answers();
            let shown = format!("{after:?}");
            assert!(!shown.contains("zacharias") && shown.contains("bob"), "{name}: {shown}");
            // Calls of others keep their ids; there is no call of nobody.
            let ids: Vec<String> = after.records.iter().map(|(call, _)| call.comm_id.to_string()).collect();
            let id = |room: &str, second: i64| CommId::new(APP, room, START_S + second).to_string();
            assert_eq!(ids, [id("r", 0), id("opened", 5), id("late", 90_000)], "{name}");
            assert_eq!(after.figures.days.iter().map(|day| day.entries).sum::<u64>(), 3, "{name}");
            assert_eq!(
                subject.measured("r", &["zacharias", "bob"], 0, 1_000_000),
                [series("bob", "", 0)],
                "{name}"
            );
            assert!(subject.store.news().newest(APP).iter().all(|event| event.user != "zacharias"), "{name}");
            subject.is_free_of("zacharias");

            // The sender repeats everything, and the store is opened again.
            subject.append(&told());
            subject.measure(&measured);
            assert_eq!(subject.answers(), after, "{name}");
            let subject = subject.reopened();
            if name != "memory" {
                subject.append(&told());
                subject.measure(&measured);
                subject.is_free_of("zacharias");
            }
            assert_eq!(subject.answers(), after, "{name}");
            let left = subject.measurements(&everything(What::Samples));
            assert!(
                !left.is_empty() && left.iter().all(|left| left.flow == series("bob", "", 0).flow),
                "{name}"
            );
            // What happens later is somebody new.
            subject.append(&[joined("new", "zacharias", 11 * 86_400)]);
            assert_eq!(subject.calls(|query| query.room = Some("new")).len(), 1, "{name}");
        }
    }
}

#[test]
fn who_is_named_only_by_the_room_in_other_bytes_is_gone_too() {
    // Rows hold such a name as its sixteen bytes.
    let name = "6f1c2a34-9b7d-4e55-8a10-c3d2e1f00b42";
    for subject in Subject::all() {
        subject.append(&[
            event("r", name, Kind::RoomCreated, 0),
            joined("r", "bob", 2),
            left("r", "bob", 100),
        ]);
        assert!(format!("{:?}", subject.answers()).contains(name), "{}", subject.name);
        assert_eq!(subject.forget(name, at(3_600)).events, 1, "{}", subject.name);
        assert!(!format!("{:?}", subject.answers()).contains(name), "{}", subject.name);
        assert_eq!(subject.calls(|_| {}).len(), 1, "{}: bob's call stays", subject.name);
    }
}

#[test]
fn a_leave_that_only_an_erased_join_kept_in_its_call_waits() {
    for subject in Subject::all() {
        subject.append(&[
            joined("r", "bob", 0),
            joined("r", "zacharias", 141),
            event("r", "", Kind::RoomDestroyed, 141),
            left("r", "zacharias", 205),
        ]);
        assert_eq!(subject.forget("zacharias", at(141)).events, 1, "{}", subject.name);
        let users: Vec<String> = subject.everybody().into_iter().map(|(seen, _)| seen.user).collect();
        assert_eq!((users, subject.counts().orphans), (vec!["bob".to_owned()], 1), "{}", subject.name);
    }
}

#[test]
fn who_is_not_there_is_forgotten_too() {
    for subject in Subject::all() {
        subject.append(&[joined("r", "bob", 1)]);
        let before = subject.answers();
        let gone = subject.forget("nobody", now());
        assert_eq!((gone.calls, gone.events, gone.values), (0, 0, 0), "{}", subject.name);
        assert_eq!(subject.answers(), before, "{}", subject.name);
        subject.append(&[joined("r", "nobody", 5)]);
        assert_eq!(subject.answers(), before, "{}", subject.name);
    }
}

#[test]
fn a_name_cannot_leave_its_statement() {
    for subject in Subject::all() {
        let name = r"o'neill\";
        subject.append(&[joined("r", name, 1), joined("r", "o", 2), joined("r", r"neill\", 2)]);
        let gone = subject.forget(name, now());
        assert_eq!((gone.calls, gone.sessions, gone.events), (1, 1, 1), "{}", subject.name);
        let users: Vec<String> = subject.everybody().into_iter().map(|(seen, _)| seen.user).collect();
        assert_eq!(users, [r"neill\", "o"], "{}", subject.name);
    }
}

#[test]
fn who_came_back_later_stays() {
    for subject in Subject::all() {
        subject.append(&[
            event("r", "zacharias", Kind::RoomCreated, 0),
            joined("r", "zacharias", 1),
            left("r", "zacharias", 10),
            joined("r", "bob", 20),
            joined("r", "zacharias", 100),
            left("r", "zacharias", 110),
        ]);
        let gone = subject.forget("zacharias", at(50));
        assert_eq!((gone.calls, gone.sessions, gone.events), (1, 1, 3), "{}", subject.name);
        let answers = subject.answers();
        let stays = answers.records.iter().flat_map(|(_, sessions)| sessions);
        let stays: Vec<_> = stays.map(|s| (s.user.as_str(), s.joined.secs() - START_S)).collect();
        assert_eq!(stays, [("bob", 20), ("zacharias", 100)], "{}", subject.name);
        // Once more, later: what is left is as clean as the first time.
        subject.forget("zacharias", now());
        assert!(!format!("{:?}", subject.answers()).contains("zacharias"), "{}", subject.name);
        subject.is_free_of("zacharias");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: few_cases().cases / 2, ..few_cases() })]

    /// The embedded store takes a person out in part; the reference folds everything without: they answer alike,
    /// sealed or not, and the same again when everything is repeated.
    #[test]
    fn erasing_in_part_is_folding_everything_without(
        events in prop::collection::vec(any_event(), 1..40).prop_map(Told),
        seed in any::<u64>(),
        batch in 1..20usize,
        seal_at in 0..8usize,
        until in prop_oneof![3 => Just(i64::MAX), 1 => 0..150i64],
    ) {
        let events = with_records(events.0);
        let until = if until == i64::MAX { Millis(until) } else { at(until) };
        let reference = Subject::memory();
        reference.append(&events);
        let embedded = Subject::embedded();
        for (n, part) in shuffled(&events, seed).chunks(batch).enumerate() {
            embedded.append(part);
            if n == seal_at {
                embedded.seal();
            }
        }
        for user in ["u0", "rec"] {
            let (expected, mut found) = (reference.forget(user, until), embedded.forget(user, until));
            found.files = 0;
            prop_assert_eq!(found, expected);
            prop_assert_eq!(&embedded.answers(), &reference.answers());
        }
        let after = reference.answers();
        let embedded = embedded.reopened();
        prop_assert_eq!(&embedded.answers(), &after);
        for part in shuffled(&events, !seed).chunks(batch) {
            reference.append(part);
            embedded.append(part);
        }
        prop_assert_eq!(&reference.answers(), &after);
        prop_assert_eq!(&embedded.answers(), &after);
        let Subject { store, dir, .. } = embedded;
        drop(store);
        prop_assert!(Embedded::verify(dir.unwrap().path()).is_ok());
    }
}

#[test]
fn an_erasure_that_a_broken_disk_cut_off_is_finished_by_the_next() {
    let reference = Subject::memory();
    reference.append(&told());
    reference.forget("zacharias", now());
    let expected = reference.answers();
    let mut cut_off = 0;
    for count in (0..).step_by(7) {
        let dir = tempfile::tempdir().unwrap();
        let fault = Fault::default();
        let options = EmbeddedOptions { fault: fault.clone(), ..EmbeddedOptions::default() };
        let store = Embedded::open(dir.path(), options).unwrap();
        let subject =
            Subject { name: "embedded", store: AnyStore::Embedded(store), dir: Some(dir), database: None };
        subject.append(&told());
        subject.measure(&[series("zacharias", "", 0), series("bob", "zacharias", 0)]);
        if count % 2 == 0 {
            subject.seal();
        }
        fault.fail_once_after(count);
        let outcome = wait(subject.store.forget(&person("zacharias", now()), KEY));
        fault.set(false);
        let subject = subject.reopened();
        if outcome.is_err() {
            cut_off += 1;
            // What is taken meanwhile is not the person's.
            subject.append(&told());
            subject.forget("zacharias", now());
        }
        assert_eq!(subject.answers(), expected, "after {count}");
        subject.is_free_of("zacharias");
        if outcome.is_ok() {
            break;
        }
    }
    assert!(cut_off > 3, "{cut_off}");
}
