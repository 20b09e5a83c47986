//! `rollbook import`: files into the store.
//!
//! One thread reads blocks of whole lines, `--jobs` threads parse them, this one gives batches to the store. The queues
//! between them are short, so that memory does not depend on the files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{IsTerminal as _, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use clap::builder::{NonEmptyStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use indicatif::{ProgressBar, ProgressStyle};

use super::blocks::{Block, Blocks};
use super::settings::{self, Found, Where};
use super::{Surroundings, say, serve};
use crate::clock::Clock;
use crate::ingest::{
    Head, Import, Ingest, Parsed, Rejected, SOURCES, Source, Terms, Told, deliveries, gunzip, records,
};
use crate::records::quality::Series;
use crate::records::{AppId, Event, Millis};
use crate::store::{AnyStore, Appended, Store as _};

/// Read recorded deliveries, neutral events or finished records into the store.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What the files hold.
    #[arg(value_parser = sources())]
    source: &'static Source,
    /// The files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    place: Where,
    /// The application of lines that name none.
    #[arg(long, value_name = "SDK_APP_ID")]
    app: Option<u64>,
    /// The room of statistics that name none.
    #[arg(long, value_name = "ROOM", value_parser = NonEmptyStringValueParser::new())]
    room: Option<String>,
    /// The user of statistics that name none.
    #[arg(long, value_name = "USER", value_parser = NonEmptyStringValueParser::new())]
    user: Option<String>,
    /// The user at the other end, of statistics that name none.
    #[arg(long, value_name = "USER", value_parser = NonEmptyStringValueParser::new())]
    peer: Option<String>,
    /// How many threads parse.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// Take deliveries whatever their signature is.
    #[arg(long)]
    no_verify: bool,
}

/// The names of the sources that can be imported.
fn sources() -> impl TypedValueParser<Value = &'static Source> {
    let can = SOURCES.iter().filter(|source| !matches!(source.import, Import::None));
    let names = can.map(|source| PossibleValue::new(source.name).help(source.summary));
    PossibleValuesParser::new(names).try_map(|name| Source::named(&name).ok_or("no such source"))
}

/// Events given to the store at a time, at most; of a block that has more, all.
const BATCH_EVENTS: usize = 30_000;
/// Values of measurements given to the store at a time.
const BATCH_VALUES: usize = 1_000_000;
/// Blocks that wait between two threads.
const QUEUE_BLOCKS: usize = 4;
/// The largest file that is read as a whole, as it is and unpacked.
const FILE_BYTES_MAX: usize = 512 * 1_024 * 1_024;
/// What every gzip file begins with.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The exit code of wrong usage.
const WRONG_USAGE: u8 = 2;
/// Refused lines that are shown.
const SHOWN_MAX: usize = 20;

pub(super) fn run(arguments: &Arguments, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let told = Told {
        room: arguments.room.as_deref(),
        user: arguments.user.as_deref(),
        peer: arguments.peer.as_deref(),
    };
    if !matches!(arguments.source.import, Import::Files(_)) && told != Told::default() {
        say(&format!("rollbook: --room, --user and --peer say nothing about {}", arguments.source.name));
        return Ok(ExitCode::from(WRONG_USAGE));
    }
    for file in arguments.files.iter().filter(|file| file.as_os_str() != "-") {
        std::fs::metadata(file).with_context(|| format!("cannot open {}", file.display()))?;
    }
    let Found { config, .. } = arguments.place.find(surroundings, Vec::new())?;
    let apps = settings::apps(&config);
    let terms = Terms { app: arguments.app.map(AppId), client_ip: apps.client_ip() };
    let reading = Reading {
        source: arguments.source,
        terms,
        told,
        ingest: Ingest::new(apps),
        verify: !arguments.no_verify,
        received: Clock::system().now(),
    };
    let store = serve::open_store(&config, serve::Purpose::Import)?;
    let mut sink = Sink {
        runtime: serve::runtime()?,
        store,
        batch: Vec::with_capacity(BATCH_EVENTS),
        samples: Vec::new(),
        values: 0,
        horizon: reading.received.horizon(config.retention_days),
        total: Total::default(),
    };
    // What a source remembers of a delivery must be there when the next one is read.
    let jobs = match arguments.source.import {
        Import::DeliveriesInOrder => 1,
        Import::None | Import::Deliveries | Import::Lines(_) | Import::Files(_) => {
            usize::from(arguments.jobs)
        }
    };
    let progress = progress(&arguments.files);
    for file in &arguments.files {
        import(&reading, file, jobs, &progress, &mut sink)?;
    }
    sink.flush()?;
    progress.finish_and_clear();
    Ok(sink.total.report())
}

/// Shows how far it is, where somebody looks.
fn progress(files: &[PathBuf]) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let sizes = files.iter().map(|file| std::fs::metadata(file).ok().filter(std::fs::Metadata::is_file));
    let total = sizes.map(|size| size.map(|size| size.len())).sum::<Option<u64>>();
    let template = match total {
        Some(_) => "{bar:30} {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left",
        None => "{spinner} {bytes}  {bytes_per_sec}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    bar.with_style(style)
}

/// Reads one file to its end.
fn import(
    reading: &Reading<'_>,
    file: &Path,
    jobs: usize,
    progress: &ProgressBar,
    sink: &mut Sink,
) -> anyhow::Result<()> {
    let name = file.display().to_string();
    let source: Box<dyn Read + Send> = if name == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(file).with_context(|| format!("cannot open {name}"))?)
    };
    let source = progress.wrap_read(source);
    let (parsed_in, parsed_out) = sync_channel(QUEUE_BLOCKS);
    std::thread::scope(|scope| {
        if reading.source.name == "records" && name.ends_with(".csv") {
            scope.spawn(move || reading.table(source, &parsed_in));
        } else if let Import::Files(parse) = reading.source.import {
            scope.spawn(move || parsed_in.send(reading.whole(source, parse)));
        } else {
            let (blocks_in, blocks_out) = sync_channel(QUEUE_BLOCKS);
            let blocks_out = std::sync::Arc::new(Mutex::new(blocks_out));
            for _ in 0..jobs {
                let (blocks, parsed) = (std::sync::Arc::clone(&blocks_out), parsed_in.clone());
                scope.spawn(move || reading.parse_all(&blocks, &parsed));
            }
            scope.spawn(move || {
                for block in Blocks::new(source) {
                    // The receivers are gone when the store has failed; then nobody wants more.
                    if blocks_in.send(block).is_err() {
                        return;
                    }
                }
            });
            drop((parsed_in, blocks_out));
        }
        // The receiver is dropped at the first failure, which ends the threads.
        let parsed_out = parsed_out;
        for outcome in &parsed_out {
            let taken: Taken = outcome.with_context(|| format!("cannot read {name}"))?;
            sink.take(&name, taken)?;
        }
        Ok(())
    })
}

/// How the bytes of a file become events.
struct Reading<'a> {
    source: &'static Source,
    terms: Terms,
    told: Told<'a>,
    ingest: Ingest,
    verify: bool,
    received: Millis,
}

/// What became of some lines.
#[derive(Debug, Default)]
struct Taken {
    events: Vec<Event>,
    samples: Vec<Series>,
    /// Line, kind of reason, the reason.
    refused: Vec<(u64, &'static str, String)>,
    refused_unlisted: u64,
    left_out: u64,
}

/// The kind of reason of lines that are refused for what stands in them.
const UNREADABLE: &str = "unreadable";

/// What reads a file as a whole.
type ParseFile = fn(Terms, Told<'_>, &[u8], Millis) -> Parsed;

impl Reading<'_> {
    fn parse_all(
        &self,
        blocks: &Mutex<Receiver<std::io::Result<Block>>>,
        parsed: &SyncSender<std::io::Result<Taken>>,
    ) {
        loop {
            let next = blocks.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(block) = next else { return };
            if parsed.send(block.map(|block| self.parse(&block))).is_err() {
                return;
            }
        }
    }

    fn parse(&self, block: &Block) -> Taken {
        match self.source.import {
            Import::Lines(parse) => taken(parse(self.terms, &block.bytes, self.received), block.first_line),
            Import::Deliveries | Import::DeliveriesInOrder => self.deliveries(block),
            Import::None | Import::Files(_) => Taken::default(),
        }
    }

    fn deliveries(&self, block: &Block) -> Taken {
        let mut taken = Taken::default();
        for (line, text) in (block.first_line..).zip(block.bytes.split(|byte| *byte == b'\n')) {
            match deliveries::parse_line(text) {
                Ok(None) => {}
                Ok(Some(delivery)) => match self.accept(&delivery) {
                    Ok(parsed) => {
                        taken.events.extend(parsed.events);
                        taken.samples.extend(parsed.samples);
                        taken.left_out += parsed.left_out;
                        let refused = parsed.refused.into_iter();
                        taken.refused.extend(refused.map(|refused| (line, UNREADABLE, refused.why)));
                    }
                    Err(rejected) => taken.refused.push((line, rejected.name(), rejected.to_string())),
                },
                Err(why) => taken.refused.push((line, UNREADABLE, why)),
            }
        }
        taken
    }

    /// Takes a delivery as it would have been taken when it arrived.
    fn accept(&self, delivery: &deliveries::Delivery) -> Result<Parsed, Rejected> {
        let Some(endpoint) = &self.source.endpoint else { return Ok(Parsed::default()) };
        let app = self.terms.app.map(|app| app.to_string());
        let header = |name: &str| delivery.header(name);
        let head = Head {
            tail: app.as_deref(),
            query: &[],
            header: &header,
            is_local: true,
            received: delivery.arrival,
            verify: self.verify,
        };
        if self.verify {
            (endpoint.admit)(&self.ingest, &head)?;
        }
        (endpoint.take)(&self.ingest, &head, &delivery.body)
    }

    /// Reads a file as a whole.
    fn whole(&self, source: impl Read, parse: ParseFile) -> std::io::Result<Taken> {
        let mut bytes = Vec::new();
        source.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > FILE_BYTES_MAX {
            let why = format!("the file is larger than {FILE_BYTES_MAX} bytes");
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, why));
        }
        if bytes.starts_with(&GZIP_MAGIC) {
            let unpacked = gunzip(&bytes, FILE_BYTES_MAX);
            bytes = unpacked.map_err(|why| std::io::Error::new(std::io::ErrorKind::InvalidData, why))?;
        }
        Ok(taken(parse(self.terms, self.told, &bytes, self.received), 1))
    }

    /// Reads records as a table.
    fn table(&self, source: impl Read, parsed: &SyncSender<std::io::Result<Taken>>) {
        let mut table = match records::Table::new(source) {
            Ok(table) => table,
            Err(why) => {
                let refused = vec![(1, UNREADABLE, why)];
                // Nobody wants it when the store has failed.
                let _ = parsed.send(Ok(Taken { refused, ..Taken::default() }));
                return;
            }
        };
        let mut taken = Taken::default();
        while let Some((line, outcome)) = table.next(self.terms, self.received, &mut taken.events) {
            if let Err(why) = outcome {
                taken.refused.push((line, UNREADABLE, why));
            }
            let full = taken.events.len() + taken.refused.len() >= BATCH_EVENTS / 4;
            if full && parsed.send(Ok(std::mem::take(&mut taken))).is_err() {
                return;
            }
        }
        let _ = parsed.send(Ok(taken));
    }
}

fn taken(parsed: Parsed, first_line: u64) -> Taken {
    let refused: Vec<_> = parsed
        .refused
        .into_iter()
        .map(|refused| (refused.line + first_line - 1, UNREADABLE, refused.why))
        .collect();
    let refused_unlisted = parsed.refused_count - refused.len() as u64;
    let Parsed { events, samples, left_out, .. } = parsed;
    Taken { events, samples, refused, refused_unlisted, left_out }
}

/// Where events go.
struct Sink {
    runtime: tokio::runtime::Runtime,
    store: AnyStore,
    batch: Vec<Event>,
    samples: Vec<Series>,
    /// Values in `samples`.
    values: usize,
    /// What is older is not kept for long.
    horizon: Millis,
    total: Total,
}

/// What became of everything.
#[derive(Debug, Default)]
struct Total {
    appended: Appended,
    values: u64,
    refused: BTreeMap<&'static str, u64>,
    left_out: u64,
    /// Events that are older than the retention.
    old: u64,
    shown: usize,
}

impl Sink {
    fn take(&mut self, file: &str, mut taken: Taken) -> anyhow::Result<()> {
        for (line, reason, why) in taken.refused {
            *self.total.refused.entry(reason).or_default() += 1;
            if self.total.shown < SHOWN_MAX {
                self.total.shown += 1;
                say(&format!("{file}:{line}: {why}"));
            }
        }
        if taken.refused_unlisted > 0 {
            *self.total.refused.entry(UNREADABLE).or_default() += taken.refused_unlisted;
        }
        self.total.left_out += taken.left_out;
        let horizon = self.horizon;
        self.total.old += taken.events.iter().filter(|event| event.at < horizon).count() as u64;
        if self.batch.len() + taken.events.len() > BATCH_EVENTS {
            self.append()?;
        }
        self.batch.append(&mut taken.events);
        self.values += taken.samples.iter().map(Series::len).sum::<usize>();
        self.samples.append(&mut taken.samples);
        if self.values >= BATCH_VALUES { self.append_samples() } else { Ok(()) }
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        self.append()?;
        if self.samples.is_empty() { Ok(()) } else { self.append_samples() }
    }

    fn append_samples(&mut self) -> anyhow::Result<()> {
        let samples = std::mem::take(&mut self.samples);
        let appended = self.runtime.block_on(self.store.append_samples(samples));
        appended.context("the store failed; run the same import again to go on")?;
        self.total.values += std::mem::take(&mut self.values) as u64;
        Ok(())
    }

    fn append(&mut self) -> anyhow::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        // Events are large: a list that grows would copy them again and again.
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH_EVENTS));
        let appended = self.runtime.block_on(self.store.append(batch));
        let appended = appended.context("the store failed; run the same import again to go on")?;
        self.total.appended.new += appended.new;
        self.total.appended.duplicate += appended.duplicate;
        Ok(())
    }
}

impl Total {
    /// Says what became of everything. A failure only where nothing was good, since recordings hold bad lines too.
    fn report(&self) -> ExitCode {
        let Appended { new, duplicate } = self.appended;
        say(&format!("events: {new} new, {duplicate} known already"));
        if self.values > 0 {
            say(&format!("samples: {} values", self.values));
        }
        if self.left_out > 0 {
            say(&format!("left out: {} events, as the settings say", self.left_out));
        }
        if self.old > 0 {
            say(&format!(
                "older than `retention_days`: {} events, which a server drops when it has started",
                self.old
            ));
        }
        let refused: u64 = self.refused.values().sum();
        if refused > self.shown as u64 {
            say(&format!("and {} more that are refused", refused - self.shown as u64));
        }
        if refused > 0 {
            let reasons: Vec<_> =
                self.refused.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
            say(&format!("refused: {refused} lines ({})", reasons.join(", ")));
        }
        if refused > 0 && new + duplicate + self.values + self.left_out == 0 {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}
