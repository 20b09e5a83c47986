//! `rollbook copy`: everything of one store into another, day by day.
//!
//! One thread reads the one store, this one gives batches to the other. What is kept twice is kept once, so that a copy
//! that was cut off is simply run again; a small file in the data directory says which days need not be read again. At
//! the end both stores are read and compared.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use anyhow::Context as _;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest as _, Sha256};

use super::settings::{Found, Where};
use super::{Surroundings, say, serve};
use crate::config::{self, Config};
use crate::ingest::export;
use crate::records::quality::Series;
use crate::records::{AppId, Event, Millis};
use crate::store::embedded::EmbeddedOptions;
use crate::store::{AnyStore, ExportQuery, Exported, Store as _, StoreError, What, hex};

/// Copy everything of one store into the other: events and measurements of all applications, day by day. The embedded
/// store is that of the data directory, and ClickHouse the one that `store.clickhouse` of the settings names, whichever
/// of them the server uses. Interrupted, run it again. At the end both are compared, and the exit code is 1 if any day
/// differs.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The store to read. No server may use it if it is the embedded one.
    #[arg(long, value_name = "STORE")]
    from: Side,
    /// The store to fill.
    #[arg(long, value_name = "STORE")]
    to: Side,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Side {
    /// The data directory.
    Embedded,
    /// What `store.clickhouse` names.
    Clickhouse,
}

/// Events given to the store at a time.
const BATCH_EVENTS: usize = 30_000;
/// Values of measurements given to the store at a time.
const BATCH_VALUES: usize = 1_000_000;
/// Events that go from one thread to the other at a time.
const PIECE_EVENTS: usize = 5_000;
/// Pieces that wait between the threads.
const QUEUE_PIECES: usize = 8;
const DAY_MS: i64 = 86_400_000;
/// The exit code of wrong usage.
const WRONG_USAGE: u8 = 2;

pub(super) fn run(arguments: &Arguments, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    if arguments.from == arguments.to {
        say("rollbook: --from and --to name the same store");
        return Ok(ExitCode::from(WRONG_USAGE));
    }
    let Found { config, .. } = arguments.place.find(surroundings, Vec::new())?;
    if arguments.from == Side::Embedded && !config.data_dir.exists() {
        anyhow::bail!("there is no data directory {}", config.data_dir.display());
    }
    let runtime = serve::runtime()?;
    let _inside = runtime.enter();
    let from = arguments.from.open(&config)?;
    let to = arguments.to.open(&config)?;
    let way = format!("{}-{}", arguments.from.name(), arguments.to.name());
    let memo =
        Memo { file: config.data_dir.join(format!("copy-{way}")), stores: digest_of_stores(&config, &way) };
    let mut copy = Copy {
        runtime: &runtime,
        from: &from,
        to: &to,
        memo,
        batch: Vec::new(),
        samples: Vec::new(),
        total: Total::default(),
    };
    copy.everything()?;
    let Total { events, new, values, .. } = copy.total;
    say(&format!("copied: {events} events, {new} of them new, and {values} values of measurements"));
    let compared = compare(&runtime, &from, &to)?;
    print(&compared, [arguments.from.name(), arguments.to.name()])?;
    // What differs must be read again from the first day.
    copy.memo.forget()?;
    let different = compared.iter().filter(|day| !day.is_equal()).count();
    if different == 0 {
        say(&format!("equal: {} days", compared.len()));
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!(
        "rollbook: {different} of {} days differ; what the stores were told meanwhile is the likely cause: run the same copy again",
        compared.len()
    ));
    Ok(ExitCode::FAILURE)
}

impl Side {
    const fn name(self) -> &'static str {
        match self {
            Side::Embedded => "embedded",
            Side::Clickhouse => "clickhouse",
        }
    }

    fn open(self, config: &Config) -> anyhow::Result<AnyStore> {
        match self {
            Side::Embedded => serve::open_embedded(&config.data_dir, EmbeddedOptions::default()),
            Side::Clickhouse => {
                anyhow::ensure!(
                    matches!(config.store, config::Store::ClickHouse(_)),
                    "the settings name no ClickHouse: set `store.clickhouse`"
                );
                serve::open_store(config, serve::Purpose::Read)
            }
        }
    }
}

/// Tells a copy between other stores apart, without saying where they are.
fn digest_of_stores(config: &Config, way: &str) -> String {
    hex(&Sha256::digest(format!("{way} {:?}", config.store)))
}

/// An application on a day: what is read at once. Ordered by day.
type Unit = (i64, AppId);

/// The file that says how far a copy is: everything up to a unit has been kept.
struct Memo {
    file: PathBuf,
    /// Between which stores.
    stores: String,
}

impl Memo {
    /// The last unit that is done. A file that says nothing of use is none.
    fn last(&self) -> Option<Unit> {
        let text = std::fs::read_to_string(&self.file).ok()?;
        let mut words = text.split_whitespace();
        let (stores, day, app) = (words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        (stores == self.stores).then_some((day, AppId(app)))
    }

    fn write(&self, (day, AppId(app)): Unit) -> anyhow::Result<()> {
        let next = self.file.with_extension("next");
        let written = std::fs::write(&next, format!("{} {day} {app}\n", self.stores));
        let placed = written.and_then(|()| std::fs::rename(&next, &self.file));
        placed.with_context(|| format!("cannot write {}", self.file.display()))
    }

    fn forget(&self) -> anyhow::Result<()> {
        match std::fs::remove_file(&self.file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.file.display()))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// What goes from the thread that reads to the one that writes.
enum Piece {
    Events(Vec<Event>),
    Samples(Series),
    /// The end of a unit.
    End(Unit),
}

/// What was copied.
#[derive(Debug, Default)]
struct Total {
    events: u64,
    new: u64,
    values: u64,
}

struct Copy<'a> {
    runtime: &'a tokio::runtime::Runtime,
    from: &'a AnyStore,
    to: &'a AnyStore,
    memo: Memo,
    batch: Vec<Event>,
    samples: Vec<Series>,
    total: Total,
}

impl Copy<'_> {
    /// Copies what the file does not say to be there.
    fn everything(&mut self) -> anyhow::Result<()> {
        let days = self.from.days().context("cannot read the store to copy from")?;
        let mut units: Vec<Unit> = days.into_iter().map(|(app, day)| (day, app)).collect();
        units.sort_unstable();
        let last = self.memo.last();
        let done = units.partition_point(|unit| Some(*unit) <= last);
        if done > 0 {
            say(&format!("going on behind {done} of {} applications' days", units.len()));
        }
        let progress = progress(units.len(), done);
        let (from, units) = (self.from, &units[done..]);
        let (pieces_in, pieces_out) = sync_channel(QUEUE_PIECES);
        let runtime = self.runtime;
        std::thread::scope(|scope| {
            let reading = scope.spawn(move || {
                let _inside = runtime.enter();
                units.iter().try_for_each(|unit| read(from, *unit, &pieces_in))
            });
            let written = self.take(pieces_out, &progress);
            let read = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            // A reader whose pieces nobody takes fails, too.
            written?;
            read.context("cannot read the store to copy from")
        })?;
        progress.finish_and_clear();
        Ok(())
    }

    /// Keeps what comes. The receiver is gone at the first failure, which ends the reader.
    fn take(&mut self, pieces: Receiver<Piece>, progress: &ProgressBar) -> anyhow::Result<()> {
        let (mut values, mut ended) = (0, None);
        for piece in pieces {
            match piece {
                Piece::Events(events) => self.batch.extend(events),
                Piece::Samples(series) => {
                    values += series.len();
                    self.samples.push(series);
                }
                Piece::End(unit) => {
                    ended = Some(unit);
                    progress.inc(1);
                    progress.set_message(format!("{}, {} events", date(unit.0), self.total.events));
                }
            }
            if self.batch.len() >= BATCH_EVENTS || values >= BATCH_VALUES {
                self.flush(ended)?;
                values = 0;
            }
        }
        self.flush(ended)
    }

    /// Makes all that came durable; then everything up to the unit that ended last is.
    fn flush(&mut self, ended: Option<Unit>) -> anyhow::Result<()> {
        const FAILED: &str = "the store failed; run the same copy again to go on";
        if !self.batch.is_empty() {
            self.total.events += self.batch.len() as u64;
            let appended = self.runtime.block_on(self.to.append(std::mem::take(&mut self.batch)));
            self.total.new += appended.context(FAILED)?.new;
        }
        if !self.samples.is_empty() {
            self.total.values += self.samples.iter().map(Series::len).sum::<usize>() as u64;
            self.runtime
                .block_on(self.to.append_samples(std::mem::take(&mut self.samples)))
                .context(FAILED)?;
        }
        ended.map_or(Ok(()), |unit| self.memo.write(unit))
    }
}

/// Shows how far it is, where somebody looks.
fn progress(units: usize, done: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len}  {msg}  {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(units as u64).with_position(done as u64).with_style(style)
}

/// Reads an application's day.
fn read(from: &AnyStore, (day, app): Unit, pieces: &SyncSender<Piece>) -> Result<(), StoreError> {
    // The thread that writes has failed, and says why.
    let gone = |_| StoreError::Unavailable("the copy has ended".to_owned());
    let of_day =
        |what| ExportQuery { app, from: Millis(day * DAY_MS), to: Millis((day + 1) * DAY_MS - 1), what };
    let mut events = Vec::new();
    from.export(&of_day(What::Events), &mut |exported| {
        if let Exported::Event(event) = exported {
            events.push(event.clone());
        }
        if events.len() < PIECE_EVENTS {
            return Ok(());
        }
        pieces.send(Piece::Events(std::mem::take(&mut events))).map_err(gone)
    })?;
    pieces.send(Piece::Events(events)).map_err(gone)?;
    from.export(&of_day(What::Samples), &mut |exported| match exported {
        Exported::Samples(series) => pieces.send(Piece::Samples(series.clone())).map_err(gone),
        Exported::Call(..) | Exported::Event(_) => Ok(()),
    })?;
    pieces.send(Piece::End((day, app))).map_err(gone)
}

/// What one store holds of a day, of all applications.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Held {
    calls: u64,
    sessions: u64,
    events: u64,
    values: u64,
    /// Of the lines that `rollbook export` writes of all of these.
    digest: String,
}

/// What both hold of a day.
#[derive(Debug)]
struct Compared {
    day: i64,
    held: [Held; 2],
}

impl Compared {
    fn is_equal(&self) -> bool {
        self.held[0] == self.held[1]
    }
}

/// Reads both stores, at the same time.
fn compare(
    runtime: &tokio::runtime::Runtime,
    from: &AnyStore,
    to: &AnyStore,
) -> anyhow::Result<Vec<Compared>> {
    let mut both = from.days()?;
    both.append(&mut to.days()?);
    let apps: BTreeSet<AppId> = both.iter().map(|(app, _)| *app).collect();
    let days: BTreeSet<i64> = both.iter().map(|(_, day)| *day).collect();
    let progress = progress(days.len(), 0);
    let last = days.last().copied();
    let mut begin = Millis(i64::MIN);
    let mut compared = Vec::new();
    for day in days {
        progress.set_message(format!("{}, compared", date(day)));
        // A call may be created on a day of which there is nothing else: the spans leave no time out.
        let end = if Some(day) == last { Millis(i64::MAX) } else { Millis((day + 1) * DAY_MS - 1) };
        let held = std::thread::scope(|scope| {
            let apps = &apps;
            let other = scope.spawn(move || {
                let _inside = runtime.enter();
                held(to, apps, begin, end)
            });
            let one = held(from, apps, begin, end);
            let other = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok::<_, StoreError>([one?, other?])
        });
        compared.push(Compared { day, held: held.context("cannot compare the stores")? });
        begin = end.plus(1);
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(compared)
}

/// Counts what a store holds of a span of time.
fn held(store: &AnyStore, apps: &BTreeSet<AppId>, from: Millis, to: Millis) -> Result<Held, StoreError> {
    let (mut held, mut digest, mut lines) = (Held::default(), Sha256::new(), Vec::new());
    for &app in apps {
        for what in [What::Events, What::Samples, What::Records] {
            store.export(&ExportQuery { app, from, to, what }, &mut |exported| {
                lines.clear();
                match exported {
                    Exported::Event(event) => {
                        held.events += 1;
                        export::event(&mut lines, event);
                    }
                    Exported::Samples(series) => {
                        held.values += series.len() as u64;
                        export::samples(&mut lines, series);
                    }
                    Exported::Call(call, sessions) => {
                        held.calls += 1;
                        held.sessions += sessions.len() as u64;
                        export::call_line(&mut lines, call);
                        sessions.iter().for_each(|session| export::session_line(&mut lines, call, session));
                    }
                }
                digest.update(&lines);
                Ok(())
            })?;
        }
    }
    held.digest = hex(&digest.finalize());
    Ok(held)
}

/// Prints a line for each day, and two for one that differs.
fn print(compared: &[Compared], names: [&str; 2]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let written = (|| -> std::io::Result<()> {
        writeln!(
            out,
            "{:10}  {:>9}  {:>10}  {:>11}  {:>13}  {:64}",
            "day", "calls", "sessions", "events", "values", "sha-256"
        )?;
        for day in compared {
            for (held, name) in day.held.iter().zip(names).take(if day.is_equal() { 1 } else { 2 }) {
                let Held { calls, sessions, events, values, digest } = held;
                let verdict = if day.is_equal() { "equal".to_owned() } else { format!("DIFFERENT: {name}") };
                writeln!(
                    out,
                    "{:10}  {calls:>9}  {sessions:>10}  {events:>11}  {values:>13}  {digest}  {verdict}",
                    date(day.day)
                )?;
            }
        }
        out.flush()
    })();
    written.context("cannot write the output")
}

/// A UTC day as text.
fn date(day: i64) -> String {
    let second = day.saturating_mul(DAY_MS / 1_000);
    jiff::Timestamp::from_second(second).map_or_else(|_| day.to_string(), |at| at.strftime("%F").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Kind;
    use crate::records::quality::{Flow, Measure};
    use crate::store::Memory;
    use crate::store::embedded::{Embedded, EmbeddedOptions};

    /// 2026-11-20T23:00:00Z.
    const START_MS: i64 = 1_795_215_600_000;

    /// Calls of two applications on three days, one of which crosses midnight, one orphan, and measurements.
    fn story(runtime: &tokio::runtime::Runtime, store: &AnyStore) {
        let event = |app: u64, room: &str, user: &str, kind: Kind, minute: i64| {
            Event::new(AppId(app), "trtc", room, user, kind, Millis(START_MS + minute * 60_000))
        };
        let mut events = vec![event(2, "orphan", "eve", Kind::UserLeft, 3_000)];
        for (app, room, minute) in
            [(1, "evening", 0), (2, "evening", 1), (1, "morning", 600), (1, "next", 2_000)]
        {
            events.push(event(app, room, "alice", Kind::UserJoined, minute));
            events.push(event(app, room, "bob", Kind::UserJoined, minute + 1));
            events.push(event(app, room, "bob", Kind::UserLeft, minute + 90));
            events.push(event(app, room, "", Kind::RoomDestroyed, minute + 91));
        }
        runtime.block_on(store.append(events)).unwrap();
        let text = str::to_owned;
        let flow = Flow {
            app: AppId(1),
            room: text("evening"),
            user: text("bob"),
            peer: String::new(),
            connection: text("PC_0"),
        };
        let points = (0..90).map(|minute| (Millis(START_MS + minute * 60_000), 40.5)).collect();
        let series = Series { flow, columns: vec![(Measure::of_name("rtt").unwrap(), points)] };
        runtime.block_on(store.append_samples(vec![series])).unwrap();
    }

    struct Copied {
        total: Total,
        compared: Vec<Compared>,
    }

    fn copied(runtime: &tokio::runtime::Runtime, from: &AnyStore, to: &AnyStore, memo: Memo) -> Copied {
        let (batch, samples, total) = (Vec::new(), Vec::new(), Total::default());
        let mut copy = Copy { runtime, from, to, memo, batch, samples, total };
        copy.everything().unwrap();
        Copied { total: copy.total, compared: compare(runtime, from, to).unwrap() }
    }

    #[test]
    fn a_copy_is_equal_day_by_day_and_twice_is_once() {
        let runtime = serve::runtime().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let memo = |stores: &str| Memo { file: dir.path().join("copy"), stores: stores.to_owned() };
        let from = AnyStore::Memory(Memory::default());
        story(&runtime, &from);
        let to = AnyStore::Embedded(Embedded::open(dir.path(), EmbeddedOptions::default()).unwrap());

        let Copied { total, compared } = copied(&runtime, &from, &to, memo("a"));
        assert_eq!((total.events, total.new, total.values), (17, 17, 90));
        assert!(compared.iter().all(Compared::is_equal), "{compared:#?}");
        let sums =
            |count: fn(&Held) -> u64| compared.iter().map(|day| count(&day.held[0])).collect::<Vec<_>>();
        assert_eq!(
            compared.iter().map(|day| date(day.day)).collect::<Vec<_>>(),
            ["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"]
        );
        assert_eq!((sums(|held| held.calls), sums(|held| held.events)), (vec![2, 1, 1, 0], vec![4, 8, 4, 1]));
        assert_eq!(
            (sums(|held| held.sessions), sums(|held| held.values)),
            (vec![4, 2, 2, 0], vec![60, 30, 0, 0])
        );

        // The file says that all is there, for these two stores.
        assert_eq!(copied(&runtime, &from, &to, memo("a")).total.events, 0);
        let again = copied(&runtime, &from, &to, memo("b"));
        assert_eq!((again.total.events, again.total.new), (17, 0));
        assert!(again.compared.iter().all(Compared::is_equal));
    }

    #[test]
    fn one_that_was_cut_off_goes_on_and_what_differs_is_found() {
        let runtime = serve::runtime().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let memo = || Memo { file: dir.path().join("copy"), stores: "a".to_owned() };
        let (from, to) = (AnyStore::Memory(Memory::default()), AnyStore::Memory(Memory::default()));
        story(&runtime, &from);
        let second = Millis(START_MS).day() + 1;
        memo().write((second, AppId(1))).unwrap();

        let Copied { total, compared } = copied(&runtime, &from, &to, memo());
        assert_eq!(total.events, 2 + 4 + 1, "those of the second day's second application, and later ones");
        let equal: Vec<bool> = compared.iter().map(Compared::is_equal).collect();
        assert_eq!(equal, [false, false, true, true]);

        memo().forget().unwrap();
        assert!(copied(&runtime, &from, &to, memo()).compared.iter().all(Compared::is_equal));
        let more = Event::new(AppId(3), "trtc", "r", "carol", Kind::UserJoined, Millis(START_MS));
        runtime.block_on(to.append(vec![more])).unwrap();
        let Copied { compared, .. } = copied(&runtime, &from, &to, memo());
        assert_eq!(compared.iter().filter(|day| !day.is_equal()).count(), 1);
    }

    #[test]
    fn a_file_of_another_kind_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let memo = Memo { file: dir.path().join("copy"), stores: "a".to_owned() };
        for (text, last) in
            [("a 3 7\n", Some((3, AppId(7)))), ("b 3 7\n", None), ("a 3", None), ("", None), ("a x 7", None)]
        {
            std::fs::write(&memo.file, text).unwrap();
            assert_eq!(memo.last(), last, "{text:?}");
        }
        memo.forget().unwrap();
        memo.forget().unwrap();
        assert_eq!(memo.last(), None);
    }
}
