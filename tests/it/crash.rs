//! The real server is killed at random moments while senders send: what it acknowledged, events and measurements, is
//! there afterwards, and it opens without help.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use rollbook::ingest::export;
use rollbook::records::quality::Series;
use rollbook::records::{Event, Kind};
use rollbook::store::{Memory, Store as _};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::happenings::{Format, event, events_of, exported, lines_of, series, series_of};
use crate::server::{
    APP, BEARER, INGEST_TOKEN, Served, check, post, read_reply, rollbook, settings, temporary,
};

/// Data directories, each with a life of its own.
const WORLDS: u8 = 4;
/// Kills while events come in, in each world.
const KILLS: usize = 25;
/// Each so many kills the server is killed once more, while it opens.
const KILLS_PER_OPENING: usize = 4;
/// Each so many kills everything that was acknowledged so far is looked for.
const KILLS_PER_LOOK: usize = 9;
const SENDERS: usize = 4;
const BATCH_EVENTS: usize = 15;
/// The latest moment of a kill. Several commits take place until then.
const MOMENT_MAX_US: u64 = 160_000;
/// The latest moment of a kill after the process has begun.
const OPENING_MAX_US: u64 = 15_000;

const DAY_S: i64 = 86_400;
/// A midnight in UTC.
const MIDNIGHT_S: i64 = 1_795_392_000;
/// Days in which calls begin.
const DAYS: i64 = 3;
/// What the clock says while the days are young, and when they are old enough to be packed.
const CLOCKS: [i64; 2] = [MIDNIGHT_S + DAY_S, MIDNIGHT_S + (DAYS + 5) * DAY_S];

/// What is sent at once.
#[derive(Debug, Clone, Default)]
struct Batch {
    events: Vec<Event>,
    samples: Vec<Series>,
}

impl Batch {
    fn lines(&self) -> Vec<u8> {
        let mut lines = lines_of(&self.events);
        self.samples.iter().for_each(|series| export::samples(&mut lines, series));
        lines
    }
}

/// What the senders have to tell, and what they know of it.
struct Outbox {
    random: TestRunner,
    /// Not acknowledged: given again.
    waiting: VecDeque<Batch>,
    acknowledged: Batch,
    /// Nothing happens any more.
    is_over: bool,
}

impl Outbox {
    /// The next batch: one that was not acknowledged, or what has just happened. A third crosses midnight, so that
    /// it is written to two files.
    fn next(&mut self) -> Option<Batch> {
        let again = self.number(4) > 0 || self.is_over;
        if again && let Some(batch) = self.waiting.pop_front() {
            return Some(batch);
        }
        if self.is_over {
            return None;
        }
        let from_s = match self.number(3) {
            0 => MIDNIGHT_S + DAY_S * i64::from(self.number(3)) - 120,
            _ => MIDNIGHT_S + 600 * i64::from(self.number(432)),
        };
        let events = prop::collection::vec(event(from_s, from_s + 600), BATCH_EVENTS);
        let mut events = events.new_tree(&mut self.random).expect("a batch").current();
        events.retain(|event| event.kind != Kind::EmitterReset);
        let samples = prop::collection::vec(series(from_s, from_s + 600), 0..4);
        let samples = samples.new_tree(&mut self.random).expect("measurements").current();
        Some(Batch { events, samples })
    }

    fn number(&mut self, below: u32) -> u32 {
        self.random.rng().random_range(0..below)
    }

    fn moment(&mut self, most_us: u64) -> Duration {
        Duration::from_micros(self.random.rng().random_range(0..most_us))
    }
}

/// The senders' common memory, which outlives every server.
#[derive(Clone)]
struct Senders(Arc<Mutex<Outbox>>);

impl Senders {
    fn new(seed: u8) -> Senders {
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
        let random = TestRunner::new_with_rng(ProptestConfig::default(), rng);
        let outbox =
            Outbox { random, waiting: VecDeque::new(), acknowledged: Batch::default(), is_over: false };
        Senders(Arc::new(Mutex::new(outbox)))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Outbox) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends over one connection until it breaks, or nothing is left.
    async fn send(self, host: String) {
        let Ok(mut stream) = TcpStream::connect(host).await else { return };
        while let Some(batch) = self.with(Outbox::next) {
            let request = post("/ingest/events", &[BEARER], &batch.lines());
            let reply = match stream.write_all(&request).await {
                Ok(()) => read_reply(&mut stream).await,
                Err(_) => None,
            };
            let Some(reply) = reply else {
                self.with(|outbox| outbox.waiting.push_back(batch));
                return;
            };
            assert_eq!((reply.status, &reply.json()["refused"]), (200, &0.into()), "{reply:?}");
            self.with(|outbox| {
                outbox.acknowledged.events.extend(batch.events);
                outbox.acknowledged.samples.extend(batch.samples);
            });
        }
    }
}

/// One data directory.
struct World {
    dir: tempfile::TempDir,
    senders: Senders,
}

impl World {
    fn new(seed: u8) -> World {
        let dir = temporary();
        let app = format!("[[account.app]]\nsdk_app_id = {APP}\ningest_token = \"{INGEST_TOKEN}\"\n");
        std::fs::write(dir.path().join("s.toml"), settings(&app)).expect("written");
        World { dir, senders: Senders::new(seed) }
    }

    /// How the server is started: every third time late enough to pack the days, while late events come in.
    fn arguments(&self) -> Vec<String> {
        let clock = CLOCKS[usize::from(self.senders.with(|outbox| outbox.number(3)) == 0)];
        let arguments = "serve --config s.toml --data-dir data --listen 127.0.0.1:0 --clock";
        arguments.split(' ').map(str::to_owned).chain([clock.to_string()]).collect()
    }

    fn serve(&self) -> Served {
        let arguments = self.arguments();
        Served::start(self.dir.path(), &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn start_sending(&self, served: &Served) -> JoinSet<()> {
        (0..SENDERS).map(|_| self.senders.clone().send(served.host().to_owned())).collect()
    }

    /// Lets a server take events until a moment that is drawn: nothing is waited for.
    async fn kill_while_events_come_in(&self) {
        let served = self.serve();
        let mut sending = self.start_sending(&served);
        let moment = self.senders.with(|outbox| outbox.moment(MOMENT_MAX_US));
        let ended = tokio::time::timeout(moment, sending.join_next()).await;
        assert!(ended.is_err(), "a connection broke before the server was killed: {ended:?}");
        served.kill();
        while let Some(sent) = sending.join_next().await {
            sent.expect("sent");
        }
    }

    /// Kills a server that may not listen yet.
    async fn kill_while_it_opens(&self) {
        let mut child = rollbook(self.dir.path()).args(self.arguments()).spawn().expect("started");
        tokio::time::sleep(self.senders.with(|outbox| outbox.moment(OPENING_MAX_US))).await;
        child.kill().expect("killed");
        child.wait().expect("ended");
    }

    /// Lets the senders give again what is not acknowledged.
    async fn settle(&self) {
        self.senders.with(|outbox| outbox.is_over = true);
        let served = self.serve();
        let mut sending = self.start_sending(&served);
        while let Some(sent) = sending.join_next().await {
            sent.expect("sent");
        }
        self.senders.with(|outbox| assert!(outbox.waiting.is_empty(), "all is acknowledged"));
        served.kill();
    }

    fn export(&self, what: &str) -> String {
        let app = APP.to_string();
        check(self.dir.path(), &["export", what, "--app", &app, "--data-dir", "data"], 0, "exported: ")
    }

    /// Every event that was acknowledged is there; where a source told it twice, in the words that are kept.
    async fn look(&self) {
        let samples = self.senders.with(|outbox| outbox.acknowledged.samples.clone());
        self.look_for_samples(samples).await;
        let text = self.export("events");
        let lines: BTreeSet<&str> = text.lines().collect();
        let acknowledged = self.senders.with(|outbox| outbox.acknowledged.events.clone());
        let told = String::from_utf8(lines_of(&acknowledged)).expect("text");
        let missing = told.lines().zip(&acknowledged).filter(|(line, _)| !lines.contains(line));
        let mut missing = missing.peekable();
        if missing.peek().is_some() {
            let kept = events_of(text.as_bytes());
            let lost: Vec<_> = missing
                .filter(|(_, event)| !kept.iter().any(|kept| kept.is_same_as(event)))
                .map(|(line, _)| line)
                .collect();
            assert!(
                lost.is_empty(),
                "{} of {} are lost:\n{}",
                lost.len(),
                acknowledged.len(),
                lost.join("\n")
            );
        }
    }

    /// Every measurement that was acknowledged is there, or a greater one of its moment.
    async fn look_for_samples(&self, acknowledged: Vec<Series>) {
        let found = Memory::default();
        found.append_samples(series_of(self.export("samples").as_bytes())).await.expect("appended");
        let before = exported(&found, Format::Samples);
        found.append_samples(acknowledged).await.expect("appended");
        assert!(before == exported(&found, Format::Samples), "measurements are lost");
    }

    /// Events, records and measurements are those of a store that was never killed.
    async fn compare(&self) {
        let acknowledged = self.senders.with(|outbox| outbox.acknowledged.clone());
        let memory = Memory::default();
        memory.append(acknowledged.events).await.expect("appended");
        memory.append_samples(acknowledged.samples).await.expect("appended");
        let all = [
            ("events", Format::Events),
            ("calls", Format::Calls),
            ("users", Format::Users),
            ("samples", Format::Samples),
        ];
        for (what, format) in all {
            let expected = String::from_utf8(exported(&memory, format)).expect("text");
            let found = self.export(what);
            let (expected, found): (Vec<_>, Vec<_>) = (expected.lines().collect(), found.lines().collect());
            let first = expected.iter().zip(&found).position(|(expected, found)| expected != found);
            assert!(
                first.is_none() && expected.len() == found.len(),
                "{what}: {} lines instead of {}; the first that differ: {:?}",
                found.len(),
                expected.len(),
                first.map(|first| (found[first], expected[first])),
            );
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_every_kill() {
    for seed in 0..WORLDS {
        let world = World::new(seed);
        for kill in 1..=KILLS {
            world.kill_while_events_come_in().await;
            if kill % KILLS_PER_OPENING == 0 {
                world.kill_while_it_opens().await;
            }
            if kill % KILLS_PER_LOOK == 0 {
                world.look().await;
            }
        }
        world.settle().await;
        world.compare().await;
    }
}
