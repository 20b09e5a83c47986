//! A world with a clock, senders, a server and its store, all in one thread and in the hands of the seed. The ways in
//! and out are the real ones: a row of `SOURCES` takes a delivery, `Api` answers a signed question.

use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rollbook::actions::{Api, Reply};
use rollbook::ingest::{Endpoint, Head, Ingest, Parsed, Rejected};
use rollbook::records::quality::Series;
use rollbook::records::{CommId, Event, Millis};
use rollbook::store::embedded::{Embedded, EmbeddedOptions, Fate, Fault};
use rollbook::store::{AnyStore, Memory, Store as _, StoreError};
use serde_json::Value;
use uuid::Uuid;

use crate::ask::{ClientKey, Question, Signed, policy};
use crate::faulty::{Failure, Faulty};
use crate::invariants::{Broken, all_there, broken, comparable, envelope};
use crate::op::{Draws, Op, What};
use crate::senders::{APP, Delivery, OTHER_APP, Posted, Room, apps};

/// 2026-11-20T23:59:00Z.
const START: Millis = Millis(1_795_219_140_000);
const HOUR_MS: i64 = 3_600_000;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;
/// Rooms in which something may still happen.
const ACTIVE_ROOMS: usize = 8;
/// What is told of at one time, at most.
const TOLD_MAX: usize = 8;
/// Deliveries that may be made again.
const HEARD_MAX: usize = 40;
/// A day is packed when it is over for so long.
const LATENESS: Duration = Duration::from_secs(48 * 3_600);

/// What became of a history.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// A line for each thing that happened.
    pub(crate) trace: Vec<String>,
    /// Of the trace and of all answers.
    pub(crate) hash: u64,
    pub(crate) broken: Option<Broken>,
}

/// What is kept of a history while it runs, also if it panics.
#[derive(Debug, Default, Clone)]
struct Trace(Arc<Mutex<(Vec<String>, u64)>>);

impl Trace {
    fn line(&self, line: String) {
        self.bytes(line.as_bytes());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.push(line);
    }

    /// FNV-1a.
    fn bytes(&self, bytes: &[u8]) {
        let hash = &mut self.0.lock().unwrap_or_else(PoisonError::into_inner).1;
        for byte in bytes {
            *hash = (*hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// Lets a history happen. The seed decides which store there is and how long records are kept.
pub(crate) fn run(seed: u64, history: &[Op]) -> Outcome {
    let trace = Trace::default();
    let happened = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(seed, trace.clone());
        for (number, op) in history.iter().enumerate() {
            world.happen(number, *op)?;
        }
        world.happen(history.len(), Op { what: What::Settle, number: seed })
    }));
    let broken = match happened {
        Ok(outcome) => outcome.err(),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
            Some(Broken { invariant: 8, seen: text.unwrap_or_default() })
        }
    };
    let (trace, hash) = std::mem::take(&mut *trace.0.lock().unwrap_or_else(PoisonError::into_inner));
    Outcome { trace, hash, broken }
}

/// What goes wrong while something is written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    None,
    Store(Failure),
    /// So many writes and syncs succeed, then one does not.
    Disk(u32),
    /// So many writes and syncs succeed, and then the power is off.
    Power(u32),
}

/// What a delivery said that was acknowledged, and the time of its rooms.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) begin: Millis,
    pub(crate) end: Millis,
    pub(crate) events: Vec<Event>,
    pub(crate) samples: Vec<Series>,
}

pub(crate) struct World {
    pub(crate) now: Millis,
    pub(crate) retention_days: u32,
    /// The latest horizon of a sweep.
    pub(crate) floor: Millis,
    runtime: tokio::runtime::Runtime,
    /// Of the embedded store.
    dir: Option<tempfile::TempDir>,
    fault: Fault,
    store: Option<Arc<Faulty>>,
    api: Option<Api<Faulty>>,
    pub(crate) ingest: Ingest,
    pub(crate) key: ClientKey,
    pub(crate) old_keys: Vec<ClientKey>,
    rooms: Vec<Room>,
    /// What was not told yet, and what is told again since its sender did not hear.
    waiting: VecDeque<Delivery>,
    /// What was told and not acknowledged: it is there or not.
    doubtful: VecDeque<Delivery>,
    heard: VecDeque<Delivery>,
    /// The numbers of the deliveries that were acknowledged.
    known: BTreeSet<usize>,
    pub(crate) acknowledged: Vec<Told>,
    /// The calls that a sweep has dropped.
    dropped: BTreeSet<CommId>,
    deliveries: usize,
    requests: u128,
    trace: Trace,
}

impl World {
    fn new(seed: u64, trace: Trace) -> World {
        let mut draws = Draws::new(seed);
        let dir = seed.is_multiple_of(2).then(|| tempfile::tempdir().expect("a directory"));
        let mut world = World {
            now: START.plus(draws.between(0, DAY_MS)),
            retention_days: *draws.pick(&[4, 7, 14]),
            floor: Millis(i64::MIN),
            runtime: tokio::runtime::Builder::new_current_thread().build().expect("a runtime"),
            fault: if dir.is_some() { Fault::with_power_cuts() } else { Fault::default() },
            dir,
            store: None,
            api: None,
            ingest: Ingest::new(apps()),
            key: ClientKey::new(0),
            old_keys: Vec::new(),
            rooms: Vec::new(),
            waiting: VecDeque::new(),
            doubtful: VecDeque::new(),
            heard: VecDeque::new(),
            known: BTreeSet::new(),
            acknowledged: Vec::new(),
            dropped: BTreeSet::new(),
            deliveries: 0,
            requests: 0,
            trace,
        };
        let store = world.open().expect("an empty directory is opened");
        world.serve(store);
        world
    }

    fn open(&self) -> Result<Faulty, StoreError> {
        let inner = match &self.dir {
            None => AnyStore::Memory(Memory::default()),
            Some(dir) => {
                let options = EmbeddedOptions { fault: self.fault.clone(), ..EmbeddedOptions::default() };
                AnyStore::Embedded(Embedded::open(dir.path(), options)?)
            }
        };
        Ok(Faulty::new(inner, self.floor))
    }

    fn serve(&mut self, store: Faulty) {
        let store = Arc::new(store);
        self.api = Some(Api::new(policy(&self.key, self.retention_days), Arc::clone(&store)));
        self.store = Some(store);
        self.ingest = Ingest::new(apps());
    }

    pub(crate) fn store(&self) -> &Faulty {
        self.store.as_ref().expect("the server runs")
    }

    pub(crate) fn is_in_memory(&self) -> bool {
        self.dir.is_none()
    }

    pub(crate) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }

    /// What questions do not look behind.
    pub(crate) fn limit(&self) -> Millis {
        self.floor.max(self.now.plus(-self.retention_ms()))
    }

    fn retention_ms(&self) -> i64 {
        i64::from(self.retention_days) * DAY_MS
    }

    fn happen(&mut self, number: usize, op: Op) -> Result<(), Broken> {
        let mut draws = op.draws();
        let outcome = self.apply(op.what, &mut draws);
        // Where the files are differs from one run to the next.
        let outcome = outcome.map_err(|Broken { invariant, seen }| {
            let place = self.dir.as_ref().map(|dir| dir.path().display().to_string());
            let seen = place.map_or(seen.clone(), |place| seen.replace(&place, "…"));
            Broken { invariant, seen }
        });
        let (Ok(said) | Err(Broken { seen: said, .. })) = &outcome;
        self.trace.line(format!("{number:>5} {} {:?}: {said}", self.now.0, op.what));
        outcome.map(|_| ())
    }

    fn apply(&mut self, what: What, draws: &mut Draws) -> Result<String, Broken> {
        match what {
            What::Happen => self.something_happens(draws),
            What::Deliver => {
                let said: Result<Vec<_>, _> =
                    (0..1 + draws.below(8)).map(|_| self.next(Trouble::None, draws)).collect();
                said.map(|said| said.join("; "))
            }
            What::Repeat => self.repeat(draws),
            What::Reword => self.reword(draws),
            What::Delay => {
                let first = self.waiting.pop_front();
                self.waiting.extend(first);
                Ok(self.waiting_text())
            }
            What::Reorder => {
                for place in (1..self.waiting.len()).rev() {
                    self.waiting.swap(place, draws.below(place + 1));
                }
                Ok(self.waiting_text())
            }
            What::LoseAcknowledgement => self.lose_acknowledgement(draws),
            What::FailBefore => self.next(Trouble::Store(Failure::Before), draws),
            What::FailBetween => self.next(Trouble::Store(Failure::Between), draws),
            What::FailAfter => self.next(Trouble::Store(Failure::After), draws),
            What::FailDisk => {
                let trouble = self.disk_fails(draws);
                self.next(trouble, draws)
            }
            What::FailQuestion => self.fail_question(draws),
            What::Crash => self.restart(draws, false),
            What::PowerOff => self.power_off(draws),
            What::Seal => self.seal(draws),
            What::Sweep => self.sweep(draws),
            What::Rotate => self.rotate(),
            What::Pass => self.pass(draws.between(1_000, 3 * HOUR_MS)),
            What::JumpHour => self.pass(draws.between(-HOUR_MS, HOUR_MS)),
            What::JumpDays => {
                let days = if draws.once_in(3) { -draws.between(0, 2) } else { draws.between(1, 6) };
                self.pass(days * DAY_MS + draws.between(0, HOUR_MS))
            }
            What::Settle => {
                self.settle(draws)?;
                self.compare(draws)
            }
            What::Ask => self.ask_around(draws),
            What::Forge => self.forge(draws),
        }
    }

    fn pass(&mut self, ms: i64) -> Result<String, Broken> {
        self.now = self.now.plus(ms);
        Ok(format!("by {ms} ms"))
    }

    fn something_happens(&mut self, draws: &mut Draws) -> Result<String, Broken> {
        for _ in 0..4 {
            let active = self.rooms.iter().rev().take(ACTIVE_ROOMS);
            if active.filter(|room| self.may_tell(room.begin, room.end)).count() < 3 || draws.once_in(16) {
                let number = self.rooms.len();
                self.rooms.push(Room::new(number, self.now, self.retention_ms(), draws));
            }
        }
        let active = self.rooms.iter().rev().take(ACTIVE_ROOMS);
        let active: Vec<&Room> = active.filter(|room| self.may_tell(room.begin, room.end)).collect();
        if active.is_empty() {
            return Ok("nothing".to_owned());
        }
        let first = self.deliveries;
        let told: Vec<Delivery> = (first..first + 1 + draws.below(TOLD_MAX))
            .map(|number| Delivery::new(number, &active, draws))
            .filter(|delivery| self.may_tell(delivery.begin, delivery.end))
            .collect();
        self.deliveries += TOLD_MAX;
        self.waiting.extend(told);
        Ok(self.waiting_text())
    }

    /// Not of what a sweep has cut in two.
    fn may_tell(&self, begin: Millis, end: Millis) -> bool {
        self.floor <= begin || end < self.floor
    }

    /// The next delivery, as far as there is one: what was not acknowledged, or what waits.
    fn next(&mut self, trouble: Trouble, draws: &mut Draws) -> Result<String, Broken> {
        let again = draws.once_in(2).then(|| self.doubtful.pop_front()).flatten();
        match again.or_else(|| self.waiting.pop_front()) {
            Some(delivery) => self.deliver(delivery, trouble),
            None => Ok("nothing".to_owned()),
        }
    }

    /// A disk that fails once: where there is none, what is seen is not durable.
    fn disk_fails(&self, draws: &mut Draws) -> Trouble {
        if self.is_in_memory() {
            Trouble::Store(Failure::NotDurable)
        } else {
            Trouble::Disk(u32::try_from(draws.below(40)).expect("small"))
        }
    }

    /// Makes a delivery; it is doubtful unless it is acknowledged.
    fn deliver(&mut self, delivery: Delivery, trouble: Trouble) -> Result<String, Broken> {
        let parsed = match self.take(&delivery.posted(self.now)) {
            Ok(parsed) if parsed.refused_count == 0 => parsed,
            Ok(parsed) => return broken(9, format!("refused lines of {delivery:?}: {:?}", parsed.refused)),
            Err(why) => return broken(9, format!("refused {delivery:?}: {why}")),
        };
        match trouble {
            Trouble::None => {}
            Trouble::Store(failure) => self.store().fail_next(Some(failure)),
            Trouble::Disk(count) => self.fault.fail_once_after(count),
            Trouble::Power(count) => self.fault.power_off_after(count),
        }
        let (events, samples) = (parsed.events.clone(), parsed.samples.clone());
        let kept = self.keep(parsed);
        self.store().fail_next(None);
        if let Trouble::Disk(_) = trouble {
            self.fault.set(false);
        }
        if delivery.begin < self.floor {
            // Old calls come back as far as they are told of again.
            self.dropped.clear();
        }
        match (kept, trouble) {
            (Ok(said), _) => {
                if self.known.insert(delivery.number) {
                    let Delivery { begin, end, .. } = delivery;
                    self.acknowledged.push(Told { begin, end, events, samples });
                }
                self.heard.push_back(delivery);
                if self.heard.len() > HEARD_MAX {
                    self.heard.pop_front();
                }
                Ok(said)
            }
            (Err(error), Trouble::None) => {
                broken(9, format!("nothing is wrong, but it is not kept: {error}"))
            }
            (Err(_), Trouble::Store(_) | Trouble::Disk(_) | Trouble::Power(_)) => {
                self.doubtful.push_back(delivery);
                Ok("not acknowledged".to_owned())
            }
        }
    }

    /// What `http` does with a request at the path of a source.
    pub(crate) fn take(&self, posted: &Posted) -> Result<Parsed, Rejected> {
        let (endpoint, tail) = Endpoint::at(posted.path).expect("the path of a source");
        let header = |name: &str| {
            let mut values = posted.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
            values.next().map(|(_, value)| value.as_str())
        };
        let received = self.now;
        let head = Head { tail, query: &[], header: &header, is_local: false, received, verify: true };
        (endpoint.admit)(&self.ingest, &head)?;
        (endpoint.take)(&self.ingest, &head, &posted.body)
    }

    /// And with what it was told: it replies when this returns.
    pub(crate) fn keep(&self, parsed: Parsed) -> Result<String, StoreError> {
        self.wait(async {
            let mut said = String::new();
            if !parsed.events.is_empty() {
                let appended = self.store().append(parsed.events).await?;
                said = format!("{} new, {} known", appended.new, appended.duplicate);
            }
            if !parsed.samples.is_empty() {
                self.store().append_samples(parsed.samples).await?;
                said.push_str(" measurements");
            }
            Ok(said)
        })
    }

    fn repeat(&mut self, draws: &mut Draws) -> Result<String, Broken> {
        if self.heard.is_empty() {
            return Ok("nothing".to_owned());
        }
        let delivery = self.heard[draws.below(self.heard.len())].clone();
        let questions = self.known_questions(draws)?;
        let before = self.answers(&questions)?;
        let said = self.deliver(delivery, Trouble::None)?;
        let after = self.answers(&questions)?;
        for ((question, before), after) in questions.iter().zip(before).zip(after) {
            if before != after {
                return broken(2, format!("{question:?}\n  before: {before}\n  after:  {after}"));
            }
        }
        Ok(said)
    }

    fn answers(&mut self, questions: &[Question]) -> Result<Vec<Value>, Broken> {
        let without_id = |mut answer: Value| {
            answer["Response"]["RequestId"].take();
            answer
        };
        questions.iter().map(|question| self.ask(question).map(without_id)).collect()
    }

    fn reword(&mut self, draws: &mut Draws) -> Result<String, Broken> {
        let number = self.deliveries;
        self.deliveries += 1;
        let place = draws.below(HEARD_MAX).min(self.heard.len().saturating_sub(1));
        let reworded = self.heard.get(place).and_then(|heard| heard.reworded(number, draws));
        match reworded {
            Some(reworded) => self.deliver(reworded, Trouble::None),
            None => Ok("nothing".to_owned()),
        }
    }

    fn lose_acknowledgement(&mut self, draws: &mut Draws) -> Result<String, Broken> {
        let Some(delivery) = self.waiting.pop_front() else { return Ok("nothing".to_owned()) };
        let said = self.deliver(delivery.clone(), Trouble::None)?;
        let place = draws.below(self.waiting.len() + 1);
        self.waiting.insert(place, delivery);
        Ok(said)
    }

    /// Repeats until everything is acknowledged that was told; what waits goes on waiting.
    pub(crate) fn settle(&mut self, draws: &mut Draws) -> Result<String, Broken> {
        let mut said = String::new();
        while let Some(delivery) = self.doubtful.pop_front() {
            let trouble = if draws.once_in(4) { self.disk_fails(draws) } else { Trouble::None };
            said = self.deliver(delivery, trouble)?;
        }
        Ok(said)
    }

    fn waiting_text(&self) -> String {
        format!("{} wait", self.waiting.len())
    }

    pub(crate) fn any_delivery(&self, draws: &mut Draws) -> Option<&Delivery> {
        let all = self.heard.len() + self.waiting.len();
        let place = if all == 0 { return None } else { draws.below(all) };
        self.heard.iter().chain(&self.waiting).nth(place)
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.doubtful.is_empty()
    }

    /// Everything acknowledged of rooms that no sweep has reached is there, and nothing that a sweep has dropped.
    pub(crate) fn look(&self) -> Result<(), Broken> {
        if let Some(back) = self.comm_ids()?.intersection(&self.dropped).next() {
            return broken(4, format!("{back} was dropped and is there again"));
        }
        let young = || self.acknowledged.iter().filter(|told| self.floor <= told.begin);
        let events: Vec<&Event> = young().flat_map(|told| &told.events).collect();
        let samples: Vec<&Series> = young().flat_map(|told| &told.samples).collect();
        all_there(self.store(), &[APP, OTHER_APP], &events, &samples)
    }

    fn power_off(&mut self, draws: &mut Draws) -> Result<String, Broken> {
        let count = u32::try_from(draws.below(60)).expect("small");
        if !self.is_in_memory() {
            match draws.below(5) {
                0 => {}
                1 => {
                    self.fault.power_off_after(count);
                    let sealed =
                        self.wait(self.store().embedded().expect("embedded").seal(self.now, LATENESS));
                    self.trace.line(format!("      while days are packed: {}", sealed.is_ok()));
                }
                2 => {
                    self.begin_sweep(draws)?;
                    let swept = self.drop_days(|fault| fault.power_off_after(count))?;
                    self.trace.line(format!("      while days are dropped: {}", swept.is_ok()));
                }
                _ => {
                    let said = self.next(Trouble::Power(count), draws)?;
                    self.trace.line(format!("      while something is told: {said}"));
                }
            }
        }
        self.restart(draws, true)
    }

    /// Ends the process, and starts another. With a power cut, what was not synced is there, or not, or torn.
    fn restart(&mut self, draws: &mut Draws, power_cut: bool) -> Result<String, Broken> {
        drop(self.api.take());
        let store = self.store.take().and_then(Arc::into_inner).expect("nobody else has it");
        if self.is_in_memory() {
            let store = self.wait(store.crashed());
            self.serve(store);
            self.look()?;
            return Ok("reopened".to_owned());
        }
        self.fault.set(true);
        drop(store);
        let mut seed = draws.next();
        self.power_on(power_cut, &mut seed);
        let mut starts = 1;
        while power_cut && draws.once_in(4) {
            starts += 1;
            self.fault.power_off_after(u32::try_from(draws.below(20)).expect("small"));
            let opened = self.open();
            self.fault.set(true);
            drop(opened);
            self.power_on(power_cut, &mut seed);
        }
        match self.open() {
            Ok(store) => self.serve(store),
            Err(error) => return broken(9, format!("it does not open: {error}")),
        }
        self.look()?;
        Ok(format!("reopened after {starts}"))
    }

    fn power_on(&self, power_cut: bool, seed: &mut u64) {
        *seed = seed.wrapping_add(1);
        let mut draws = Draws::new(*seed);
        let fate = || match draws.below(4) {
            _ if !power_cut => Fate::Kept,
            0 | 1 => Fate::Lost,
            2 => Fate::Kept,
            _ => Fate::Torn(draws.next()),
        };
        self.fault.power_on(fate).expect("the disk itself is whole");
    }

    fn seal(&mut self, draws: &mut Draws) -> Result<String, Broken> {
        let fails = draws.once_in(3).then(|| u32::try_from(draws.below(60)).expect("small"));
        let Some(store) = self.store().embedded() else { return Ok("nothing".to_owned()) };
        fails.into_iter().for_each(|count| self.fault.fail_once_after(count));
        let sealed = self.wait(store.seal(self.now, LATENESS));
        self.fault.set(false);
        match (sealed, fails) {
            (Ok(days), _) => Ok(format!("{days} days")),
            (Err(_), Some(_)) => Ok("failed".to_owned()),
            (Err(error), None) => broken(9, format!("nothing is wrong, but no day is packed: {error}")),
        }
    }

    /// All that is doubtful becomes certain, and nobody tells of what will be cut in two.
    fn begin_sweep(&mut self, draws: &mut Draws) -> Result<(), Broken> {
        self.settle(draws)?;
        self.floor = self.limit();
        self.store().raise_floor(self.floor);
        let floor = self.floor;
        let may_tell = |delivery: &Delivery| floor <= delivery.begin || delivery.end < floor;
        self.waiting.retain(may_tell);
        self.heard.retain(may_tell);
        self.acknowledged.retain(|told| floor <= told.end);
        Ok(())
    }

    fn sweep(&mut self, draws: &mut Draws) -> Result<String, Broken> {
        self.begin_sweep(draws)?;
        let fails = (!self.is_in_memory() && draws.once_in(3)).then(|| draws.below(10));
        let swept = self.drop_days(|fault| {
            fails.into_iter().for_each(|count| fault.fail_once_after(u32::try_from(count).expect("small")));
        })?;
        self.fault.set(false);
        match (swept, fails) {
            (Ok(count), _) => Ok(format!("{count} calls, until {}", self.floor.0)),
            (Err(_), Some(_)) => Ok("failed".to_owned()),
            (Err(error), None) => broken(9, format!("nothing is wrong, but nothing is dropped: {error}")),
        }
    }

    /// Drops what is old while something goes wrong; how many calls.
    fn drop_days(&mut self, trouble: impl FnOnce(&Fault)) -> Result<Result<usize, StoreError>, Broken> {
        let before = self.comm_ids()?;
        trouble(&self.fault);
        if let Err(error) = self.wait(self.store().sweep(self.floor)) {
            return Ok(Err(error));
        }
        let after = self.comm_ids()?;
        let known = self.dropped.len();
        self.dropped.extend(before.into_iter().filter(|comm_id| !after.contains(comm_id)));
        Ok(Ok(self.dropped.len() - known))
    }

    /// Of all calls there are, shown or not.
    fn comm_ids(&self) -> Result<BTreeSet<CommId>, Broken> {
        let records = self.records(self.store())?;
        Ok(records.into_iter().map(|(call, _)| call.comm_id).collect())
    }

    fn rotate(&mut self) -> Result<String, Broken> {
        let new = ClientKey::new(self.old_keys.len() + 1);
        self.old_keys.push(std::mem::replace(&mut self.key, new));
        let store = self.store.clone().expect("the server runs");
        self.api = Some(Api::new(policy(&self.key, self.retention_days), store));
        Ok(self.key.id.clone())
    }

    fn fail_question(&mut self, draws: &mut Draws) -> Result<String, Broken> {
        let questions = self.known_questions(draws)?;
        let question = draws.pick(&questions).clone();
        self.store().fail_questions(true);
        let answer = self.ask(&question);
        self.store().fail_questions(false);
        let code = answer?["Response"]["Error"]["Code"].as_str().unwrap_or_default().to_owned();
        if code.starts_with("InternalError") {
            Ok(code)
        } else {
            broken(5, format!("{question:?} of a broken store is answered with {code:?}"))
        }
    }

    pub(crate) fn request_id(&mut self) -> Uuid {
        self.requests += 1;
        Uuid::from_u128(self.requests)
    }

    /// Asks; the envelope, without what need not be alike.
    pub(crate) fn ask(&mut self, question: &Question) -> Result<Value, Broken> {
        let signed = Signed::new(question, &self.key, self.now);
        let (_, answer) = self.send(&signed)?;
        Ok(comparable(answer))
    }

    /// Sends a request of the API.
    pub(crate) fn send(&mut self, signed: &Signed) -> Result<(Reply, Value), Broken> {
        let id = self.request_id();
        let headers = signed.headers();
        let api = self.api.as_ref().expect("the server runs");
        let reply = self.wait(api.answer(&signed.request(&headers), self.now, id));
        self.trace.bytes(&reply.body);
        let answer = envelope(&reply.body, id)?;
        Ok((reply, answer))
    }
}
