//! `rollbook serve`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::control::Control;
use super::reload::{Again, Live};
use super::settings::{self, First, Found, Where};
use super::{Surroundings, hints, password, random, say};
use crate::actions::Api;
use crate::clock::{self, Clock};
use crate::config::{self, Config};
use crate::http::tls::{self, Tls};
use crate::http::{self, Bounds, Ids, Server, listen};
use crate::ingest::Ingest;
use crate::limits::Secret;
use crate::store::clickhouse::{ClickHouse, ClickHouseOptions, Credentials, PACE};
use crate::store::embedded::{Embedded, EmbeddedOptions};
use crate::store::{AnyStore, Memory, OnCommit, Store as _};
use crate::telemetry::Metrics;
use crate::web::{Access, Web};

/// Run the server.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Where,
    /// Where to listen [default: 127.0.0.1:9180].
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Keep nothing on disk.
    #[arg(long)]
    memory: bool,
    /// Let the server's clock stand at this second (for tests and emulation).
    #[arg(long, value_name = "UNIX_SECONDS")]
    clock: Option<u32>,
}

pub(super) fn run(arguments: &Arguments, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let listen = arguments.listen.iter().map(|address| ("listen", "--listen", address.clone()));
    let listen: Vec<config::Flag> = listen.collect();
    let Found { file, mut config } = arguments.place.find(surroundings, listen.clone())?;
    let first = match file {
        Some(_) => None,
        None => Some(First::fresh()?),
    };
    if let Some(first) = &first {
        config.accounts = first.accounts();
    }
    let clock = arguments.clock.map_or(Clock::system(), |secs| Clock::standing_at(i64::from(secs)));
    raise_file_limit();
    runtime()?.block_on(async {
        let listener = bind(config.listen)?;
        settings::refuse_open(&config, listener.local_addr()?)?;
        if let Some(first) = &first {
            begin(first, arguments.memory, &config, &listener, clock)?;
        }
        settings::say_doubts(&config);
        let metrics = Arc::new(http::metrics());
        let store = open(&config, arguments.memory, &metrics)?;
        let (place, surroundings) = (arguments.place.clone(), surroundings.clone());
        let again: Again = Box::new(move || {
            let Found { file, config } = place.find(&surroundings, listen.clone())?;
            file.context("there is no settings file to read again")?;
            Ok(config)
        });
        let running = Running { store: Arc::new(store), listener, clock, metrics, again: Some(again) };
        serve(config, running).await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The runtime that everything waits in.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}

/// Takes the address to listen on.
pub(super) fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    listen::bind(address)
        .with_context(|| format!("cannot listen on {address}; `--listen ADDR` takes another address"))
}

/// A first start: writes the settings, and says how to call the API and how to be told about calls.
fn begin(
    first: &First,
    memory: bool,
    config: &Config,
    listener: &TcpListener,
    clock: Clock,
) -> anyhow::Result<()> {
    if memory {
        say("rollbook: no settings found; this key lives as long as the process does\n");
    } else {
        let path = first.write(&config.data_dir)?;
        say(&format!("rollbook: no settings found; new ones are in {}\n", path.display()));
    }
    say(&hints::first_start(first, &hints::host(listener.local_addr()?), clock));
    Ok(())
}

/// Opens the store.
fn open(config: &Config, memory: bool, metrics: &Arc<Metrics>) -> anyhow::Result<AnyStore> {
    if memory {
        return Ok(AnyStore::Memory(Memory::default()));
    }
    let metrics = Arc::clone(metrics);
    let on_commit: OnCommit = Arc::new(move |took, _| metrics.committed(took));
    let store = open_store(config, Purpose::Serve(on_commit))?;
    if let AnyStore::ClickHouse(store) = &store
        && let Err(error) = store.verify()
    {
        tracing::warn!(%error, "nothing can be kept or asked until ClickHouse answers");
    }
    Ok(store)
}

/// What a store is opened for.
pub(super) enum Purpose {
    /// A server, which counts what is committed.
    Serve(OnCommit),
    /// To write much and ask little.
    Import,
    /// To read it, or to see whether it opens.
    Read,
}

/// Opens the store that the settings name.
pub(super) fn open_store(config: &Config, purpose: Purpose) -> anyhow::Result<AnyStore> {
    let bulk = matches!(purpose, Purpose::Import);
    let (pace, on_commit) = match purpose {
        Purpose::Serve(on_commit) => (PACE, Some(on_commit)),
        Purpose::Import | Purpose::Read => (Duration::ZERO, None),
    };
    match &config.store {
        config::Store::Embedded => {
            let monotonic = Some(clock::monotonic as fn() -> Duration);
            let options = EmbeddedOptions { monotonic, bulk, on_commit, ..EmbeddedOptions::default() };
            open_embedded(&config.data_dir, options)
        }
        config::Store::ClickHouse(servers) => {
            let store = ClickHouse::open(ClickHouseOptions {
                urls: servers.urls.clone(),
                credentials: Some(Credentials {
                    user: servers.user.clone(),
                    password: servers.password.clone().unwrap_or_else(|| Secret::new("")),
                }),
                database: servers.database.clone(),
                cluster: servers.cluster.clone(),
                pace,
                monotonic: Some(clock::monotonic),
                on_commit,
            });
            Ok(AnyStore::ClickHouse(store.context("cannot open the store on ClickHouse")?))
        }
    }
}

/// Opens the embedded store of a data directory; makes both where there are none.
pub(super) fn open_embedded(data_dir: &Path, options: EmbeddedOptions) -> anyhow::Result<AnyStore> {
    settings::make_data_dir(data_dir)?;
    let place = || format!("cannot open the store in {}", data_dir.display());
    Ok(AnyStore::Embedded(Embedded::open(data_dir, options).with_context(place)?))
}

/// What a running server consists of, beside its settings.
pub(super) struct Running {
    pub(super) store: Arc<AnyStore>,
    pub(super) listener: TcpListener,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    /// Reads the settings again, where there are any.
    pub(super) again: Option<Again>,
}

/// Serves until the process is told to stop.
pub(super) async fn serve(config: Config, running: Running) -> anyhow::Result<()> {
    let Running { store, listener, clock, metrics, again } = running;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let tls = match &config.tls {
        Some(files) => Some(Arc::new(Tls::new(tls::acceptor(&files.cert_file, &files.key_file)?))),
        None => None,
    };
    let listening = listener.local_addr()?;
    let key = Secret::key(random()?);
    let access = if config.ui.enabled { Some(access(&config, listening, key.clone())?) } else { None };
    let bounds = bounds(&config.limits, files_left());
    let server = Arc::new(server(&config, (access, tls.is_some()), &store, clock, metrics, bounds)?);
    let retention_days = Arc::new(AtomicU32::new(config.retention_days));
    let commands = match &*store {
        AnyStore::Embedded(_) => Control::open(&config.data_dir),
        AnyStore::Memory(_) | AnyStore::ClickHouse(_) => None,
    };
    let commands = commands
        .map(|control| tokio::spawn(control.serve(Arc::clone(&store), config.data_dir.clone(), clock)));
    let housekeeping = tokio::spawn(keep_house(store, Arc::clone(&retention_days), clock));
    let scheme = if tls.is_some() { "https" } else { "http" };
    let keeping_up = match again {
        Some(again) => {
            // Caught before anybody can know that the server is there: until then it would end the process.
            let hangup = signal(SignalKind::hangup())?;
            let (server, tls) = (Arc::clone(&server), tls.clone());
            Some(Live { again, config, server, listening, tls, key, retention_days }.keep_up(hangup))
        }
        None => None,
    };
    tracing::info!(address = %format!("{scheme}://{listening}"), "listening");
    listen::serve(server, listener, tls, async {
        let keeping_up = async {
            match keeping_up {
                Some(keeping_up) => keeping_up.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = keeping_up => {}
        }
        tracing::info!("stopping");
    })
    .await;
    housekeeping.abort();
    commands.iter().for_each(tokio::task::JoinHandle::abort);
    tracing::info!("stopped");
    Ok(())
}

/// What senders can make the server hold or wait for, as the settings say and the system lets it.
fn bounds(limits: &config::Limits, files: usize) -> Bounds {
    let (seconds, count) = (|seconds: u32| Duration::from_secs(seconds.into()), |count: u32| count as usize);
    let default = Bounds::default();
    let connections = count(limits.connections).min(files);
    Bounds {
        connections,
        watchers: default.watchers.min(connections / 4),
        head_bytes: count(limits.head_kib) << 10,
        head_timeout: seconds(limits.head_seconds),
        body_timeout: seconds(limits.body_seconds),
        bodies_bytes: count(limits.bodies_mib) << 20,
        ..default
    }
}

/// A server as the settings say, with pages where somebody may see them.
fn server(
    config: &Config,
    (access, is_tls): (Option<Access>, bool),
    store: &Arc<AnyStore>,
    clock: Clock,
    metrics: Arc<Metrics>,
    bounds: Bounds,
) -> anyhow::Result<Server<AnyStore>> {
    let api = Api::new(settings::policy(config), Arc::clone(store));
    let ingest = Ingest::new(settings::apps(config));
    let ids = Ids::new(random()?);
    let server = Server::new(api, ingest, Arc::clone(store), clock, ids, metrics, bounds);
    let server = server.with_gate(settings::gate(config));
    Ok(match access {
        Some(access) => {
            server.with_pages(Web::new(settings::policy(config), Arc::clone(store), access), is_tls)
        }
        None => server,
    })
}

/// Who may see the pages.
pub(super) fn access(
    config: &Config,
    listening: SocketAddr,
    key: Secret<[u8; 32]>,
) -> anyhow::Result<Access> {
    if let Some(file) = &config.ui.password_file {
        return password::access(config, file, key);
    }
    // A proxy on this machine, which `public_hosts` is set for, brings others to the loopback address.
    if listening.ip().to_canonical().is_loopback() && config.public_hosts.is_empty() {
        return Ok(Access::open());
    }
    tracing::warn!(
        "the pages are closed, since others can reach them and no password is set: \
         `rollbook keys ui-password` sets one, `ui.enabled = false` switches them off"
    );
    Ok(Access::closed())
}

/// How often old calls are dropped and finished days packed. What is too old is not shown in any case.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(600);
/// How long after its end a day is packed: until then late events are expected.
const LATENESS: Duration = Duration::from_secs(48 * 3_600);

/// Drops what is older than the retention and packs the days that are over, again and again.
async fn keep_house(store: Arc<AnyStore>, retention_days: Arc<AtomicU32>, clock: Clock) {
    let mut every = tokio::time::interval(HOUSEKEEPING_EVERY);
    loop {
        every.tick().await;
        let now = clock.now();
        let retention_days = retention_days.load(Ordering::Relaxed);
        if retention_days > 0 {
            let stopwatch = clock.stopwatch();
            match store.sweep(now.horizon(retention_days)).await {
                Ok(swept) if swept.calls == 0 => {}
                Ok(swept) => {
                    let duration_ms = stopwatch.elapsed_us() / 1_000;
                    tracing::info!(
                        calls = swept.calls,
                        duration_ms,
                        "dropped what is older than the retention"
                    );
                }
                Err(error) => tracing::warn!(%error, "could not drop what is older than the retention"),
            }
        }
        if let AnyStore::Embedded(store) = &*store {
            let stopwatch = clock.stopwatch();
            match store.seal(now, LATENESS).await {
                Ok(0) => {}
                Ok(days) => {
                    tracing::info!(days, duration_ms = stopwatch.elapsed_us() / 1_000, "packed finished days")
                }
                Err(error) => tracing::warn!(%error, "could not pack finished days"),
            }
        }
    }
}

/// Files that are left for other things than connections: new days, and the moment in which one is packed.
const OTHER_FILES: usize = 128;

/// Lets the process open as many files as it may. Where that fails, the present limit stays, which is enough to serve.
pub(super) fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// How many connections the process may open beside the files that it has open, of which a store has some for each day.
fn files_left() -> usize {
    use rustix::process::{Resource, getrlimit};
    let Some(most) = getrlimit(Resource::Nofile).current else { return usize::MAX };
    // Where the system does not tell what is open, that is taken to be little.
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let left = usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(open);
    // Of few files, half.
    (left - OTHER_FILES.min(left / 2)).max(1)
}
