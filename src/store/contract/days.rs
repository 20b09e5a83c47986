//! Files of days: what is copied day by day is everything (the days that a store names, and exports of one after the
//! other), and what is dropped with a day is nothing that somebody can still ask for.

use super::*;
use crate::records::quality::{Flow, Measure, Series};
use crate::store::DAY_S;

/// The export of a window, a line each, in order of the lines: what follows what depends on the window.
fn lines(subject: &Subject, query: &ExportQuery) -> Vec<String> {
    let mut lines = Vec::new();
    let keep = &mut |exported: Exported<'_>| {
        lines.push(match exported {
            Exported::Call(call, sessions) => format!("{call:?} {sessions:?}"),
            Exported::Event(event) => format!("{event:?}"),
            Exported::Samples(series) => format!("{series:?}"),
        });
        Ok(())
    };
    subject.store.export(query, keep).unwrap();
    lines.sort();
    lines
}

/// Whether the days of a store are those of its events and measurements, and their exports the whole one.
pub(super) fn check(subject: &Subject) -> Result<(), String> {
    let days = subject.store.days().unwrap();
    let apps: BTreeSet<AppId> = days.iter().map(|(app, _)| *app).collect();
    for app in apps {
        let mut bounds: Vec<Millis> = days.iter().filter(|day| day.0 == app).map(|day| end(day.1)).collect();
        let last = bounds.pop();
        for what in [What::Records, What::Events, What::Samples] {
            let part = |from: Millis, to: Millis| ExportQuery { app, from, to, what };
            let (mut parts, mut from) = (Vec::new(), Millis(i64::MIN));
            for to in bounds.iter().copied().chain([Millis(i64::MAX)]) {
                parts.extend(lines(subject, &part(from, to)));
                from = to.plus(1);
            }
            parts.sort();
            let whole = lines(subject, &part(Millis(i64::MIN), Millis(i64::MAX)));
            if parts != whole {
                return Err(format!("{}: {what:?} by day {parts:#?}, at once {whole:#?}", subject.name));
            }
            let behind = last.map(|last| lines(subject, &part(last.plus(1), Millis(i64::MAX))));
            if what != What::Records && behind.is_some_and(|behind| !behind.is_empty()) {
                return Err(format!("{}: {what:?} behind the last day", subject.name));
            }
        }
    }
    Ok(())
}

fn end(day: i64) -> Millis {
    Millis((day + 1) * 86_400_000 - 1)
}

#[test]
fn every_day_is_named_and_no_application_is_forgotten() {
    let of = |app: u64, event: Event| Event { app: AppId(app), ..event };
    let flow = |app: u64| Flow {
        app: AppId(app),
        room: "r".to_owned(),
        user: "a".to_owned(),
        peer: String::new(),
        connection: String::new(),
    };
    for subject in Subject::all() {
        assert_eq!(subject.store.days().unwrap(), BTreeSet::new(), "{}", subject.name);
        subject.append(&[
            of(1, joined("crosses", "a", 0)),
            of(1, left("crosses", "a", 120)),
            of(1, event("crosses", "", Kind::RoomDestroyed, 120)),
            of(2, left("orphan", "a", 3 * DAY_S)),
            of(3, event("", "", Kind::EmitterReset, 4 * DAY_S)),
            of(4, event("r", "a", Kind::Unknown { name: "x".to_owned(), raw: String::new() }, 5 * DAY_S)),
            of(5, event("r", "a", Kind::Attributes, 6 * DAY_S)),
            of(u64::MAX, joined("last", "a", 7 * DAY_S)),
        ]);
        let measured = Measure::of_name("rtt").unwrap();
        let columns = vec![(measured, vec![(at(8 * DAY_S), 1.0), (at(9 * DAY_S), 2.0)])];
        wait(subject.store.append_samples(vec![Series { flow: flow(6), columns }])).unwrap();
        let subject = subject.reopened();
        let first = at(0).day();
        let expected = [(1, 0), (1, 1), (2, 3), (3, 4), (4, 5), (5, 6), (6, 8), (6, 9), (u64::MAX, 7)]
            .map(|(app, day)| (AppId(app), first + day));
        let days = subject.store.days().unwrap();
        assert_eq!(days, BTreeSet::from(expected), "{}", subject.name);
        check(&subject).unwrap();
    }
}

/// Files are dropped by day; what was told of a user on a day that is over belongs to a call that goes on.
#[test]
fn attributes_stay_with_a_call_that_outlives_their_day() {
    for subject in [Subject::memory(), Subject::embedded()] {
        let attributes = |second: i64, device: &str| {
            let mut told = event("long", "a", Kind::Attributes, second);
            told.attrs.insert(Attr::Device, device.to_owned());
            told
        };
        subject.append(&[joined("long", "a", 0), joined("short", "b", DAY_S), attributes(DAY_S, "phone")]);
        subject.append(&[event("short", "", Kind::RoomDestroyed, DAY_S + 10)]);
        subject.append(&[joined("long", "c", 9 * DAY_S)]);
        let devices = |subject: &Subject| {
            let answers = subject.answers();
            let sessions = answers.records.iter().flat_map(|(_, sessions)| sessions);
            let of_a = sessions.filter(|session| session.user == "a");
            of_a.map(|session| session.attrs.get(&Attr::Device).cloned()).collect::<Vec<_>>()
        };
        let phone = vec![Some("phone".to_owned())];
        assert_eq!(devices(&subject), phone, "{}", subject.name);
        subject.sweep(at(5 * DAY_S));
        assert_eq!(devices(&subject), phone, "{}", subject.name);
        subject.seal();
        let subject = subject.reopened();
        assert_eq!(devices(&subject), phone, "{}", subject.name);
        subject.append(&[
            left("long", "a", 9 * DAY_S + 5),
            event("long", "", Kind::RoomDestroyed, 9 * DAY_S + 9),
        ]);
        assert_eq!(devices(&subject), phone, "{}", subject.name);
        // With the call goes what was told of its users.
        subject.sweep(at(30 * DAY_S));
        assert_eq!(devices(&subject), Vec::new(), "{}", subject.name);
        if let Some(dir) = &subject.dir {
            let names =
                std::fs::read_dir(dir.path().join("days")).unwrap().map(|file| file.unwrap().file_name());
            assert_eq!(names.collect::<Vec<_>>(), ["list"], "no day is left");
        }
    }
}
