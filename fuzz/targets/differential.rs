//! Any list of things done to the embedded store, and to the one in memory, which folds everything anew: they hold the
//! same after each, answer every question alike, and the files are sound at the end.
#![no_main]

use std::collections::BTreeSet;
use std::time::Duration;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use rollbook::records::quality::Series;
use rollbook::records::{Call, Event, Kind, Millis};
use rollbook::store::embedded::{Embedded, EmbeddedOptions};
use rollbook::store::{Memory, Person, Store};
use rollbook_fuzz::events::{APP, ROOMS, START_S, USERS, event_after, moment, series, shuffled};
use rollbook_fuzz::told::{Answers, Whole, calls};
use rollbook_fuzz::wait;
use tempfile::TempDir;

const STEPS_MAX: usize = 12;
const DAY_S: i64 = 86_400;

/// Both stores, and what they were given.
struct Both {
    dir: TempDir,
    memory: Memory,
    /// None while it is closed: a directory is held by one store at a time.
    embedded: Option<Embedded>,
    events: Vec<Event>,
    series: Vec<Series>,
    /// What is before is gone, or not: stores drop it in their own time.
    horizon: Millis,
    /// Rooms get other names with each sweep: nothing is promised of one that a sweep has cut in two.
    sweeps: usize,
    /// The past of a room is not only its own where media servers are restarted.
    may_sweep: bool,
}

fn open(dir: &TempDir) -> Embedded {
    Embedded::open(dir.path(), EmbeddedOptions::default()).expect("the store opens")
}

impl Both {
    fn new(may_sweep: bool) -> Both {
        let dir = tempfile::tempdir().expect("a directory");
        Both {
            memory: Memory::default(),
            embedded: Some(open(&dir)),
            dir,
            events: Vec::new(),
            series: Vec::new(),
            horizon: Millis(0),
            sweeps: 0,
            may_sweep,
        }
    }

    fn embedded(&self) -> &Embedded {
        self.embedded.as_ref().expect("the store is open")
    }

    fn suffix(&self) -> String {
        if self.sweeps == 0 { String::new() } else { format!("_{}", self.sweeps) }
    }

    fn step(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let step = u.int_in_range(0..=15u8)?;
        match step {
            0..=6 => self.deliver(u)?,
            7 => self.repeat(u)?,
            8..=9 => self.measure(u)?,
            10..=11 => self.seal(u)?,
            12 => self.forget(u)?,
            13 if self.may_sweep => self.sweep(u)?,
            _ => self.reopen(),
        }
        self.compare();
        // All questions take most of the time, and who asks them seldom finds as much.
        if step > 9 {
            self.ask();
        }
        Ok(())
    }

    fn append(&self, events: &[Event]) {
        let expected = wait(self.memory.append(events.to_vec())).expect("memory takes everything");
        let appended = wait(self.embedded().append(events.to_vec())).expect("the store takes everything");
        // What a sweep has dropped is new again, in the one that has dropped it.
        if self.sweeps == 0 {
            assert_eq!(appended, expected, "{events:?}");
        }
    }

    fn deliver(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let mut events: Vec<Event> = Vec::new();
        for _ in 0..u.int_in_range(1..=8u8)? {
            let event = event_after(u, &self.events, &self.suffix())?;
            if !self.may_sweep || !matches!(event.kind, Kind::EmitterReset) {
                events.push(event);
            }
        }
        self.append(&events);
        self.events.extend(events);
        Ok(())
    }

    fn repeat(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let mut again = self.events.clone();
        shuffled(u, &mut again)?;
        again.truncate(6);
        self.append(&again);
        Ok(())
    }

    fn measure(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let mut all = vec![series(u, &self.suffix())?, series(u, &self.suffix())?];
        // Some come again.
        if let Some(known) = self.series.first().filter(|_| all[0].len() > 2) {
            all.push(known.clone());
        }
        wait(self.memory.append_samples(all.clone())).expect("memory takes everything");
        wait(self.embedded().append_samples(all.clone())).expect("the store takes everything");
        self.series.append(&mut all);
        Ok(())
    }

    fn seal(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let now = Millis::from_secs(START_S + DAY_S * u.int_in_range(-3..=6i64)?);
        wait(self.embedded().seal(now, Duration::ZERO)).expect("days are packed");
        Ok(())
    }

    fn forget(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let user = (*u.choose(&USERS)?).to_owned();
        let until = if u.arbitrary()? { Millis(i64::MAX) } else { Millis::from_secs(START_S + 60) };
        let person = Person { app: APP, user, until };
        let expected = wait(self.memory.forget(&person, [7; 32])).expect("memory forgets");
        let mut forgotten = wait(self.embedded().forget(&person, [7; 32])).expect("the store forgets");
        forgotten.files = 0;
        if self.sweeps == 0 {
            assert_eq!(forgotten, expected, "{person:?}");
        }
        Ok(())
    }

    fn sweep(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let horizon = moment(u)?.plus(DAY_S * 1_000 * u.int_in_range(0..=2i64)?);
        if self.would_cut_a_room(horizon) {
            return Ok(());
        }
        wait(self.memory.sweep(horizon)).expect("memory sweeps");
        wait(self.embedded().sweep(horizon)).expect("the store sweeps");
        self.horizon = self.horizon.max(horizon);
        self.sweeps += 1;
        self.events.clear();
        self.series.clear();
        Ok(())
    }

    /// Nothing is promised of a room of which a sweep drops some calls and not others: what ended one of these may be gone.
    fn would_cut_a_room(&self, horizon: Millis) -> bool {
        let sides = |call: &Call| (call.room.clone(), call.last_evidence < horizon);
        let sides: BTreeSet<(String, bool)> =
            calls(&self.memory, None, Millis(0)).iter().map(sides).collect();
        sides
            .iter()
            .any(|(room, _)| sides.contains(&(room.clone(), true)) && sides.contains(&(room.clone(), false)))
    }

    fn reopen(&mut self) {
        self.embedded = None;
        self.embedded = Some(open(&self.dir));
    }

    /// What they hold; a sweep drops some of it from the one and not from the other.
    fn compare(&self) {
        if self.sweeps == 0 {
            assert_eq!(Whole::of(self.embedded()), Whole::of(&self.memory));
        }
    }

    /// What they answer.
    fn ask(&self) {
        let suffixes =
            (0..=self.sweeps).map(|sweep| if sweep == 0 { String::new() } else { format!("_{sweep}") });
        let rooms: Vec<String> =
            suffixes.flat_map(|suffix| ROOMS.map(|room| format!("{room}{suffix}"))).collect();
        let alike = |horizon| {
            let expected = Answers::of(&self.memory, &rooms, horizon);
            assert_eq!(Answers::of(self.embedded(), &rooms, horizon), expected);
            expected
        };
        // Again from the very moment of a call's last sign.
        if let Some(later) = alike(self.horizon).last_sign_of_one() {
            alike(later);
        }
    }
}

fn run(u: &mut Unstructured<'_>) -> Result<()> {
    let mut both = Both::new(u.arbitrary()?);
    for _ in 0..STEPS_MAX {
        if u.is_empty() {
            break;
        }
        both.step(u)?;
    }
    both.ask();
    both.reopen();
    both.compare();
    both.ask();
    let Both { dir, embedded, .. } = both;
    drop(embedded);
    Embedded::verify(dir.path()).expect("every file is sound");
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    let _ = run(&mut Unstructured::new(bytes));
});
