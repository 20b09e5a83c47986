//! How commands reach the server that holds a data directory: a socket in the directory, for its owner alone.
//!
//! One request a connection, a line of JSON; the answer is lines of JSON, each followed by as many bytes as it says, and
//! the last says that all is done or what went wrong. Nothing of it is on the network, and no key opens it: who may write
//! into the directory may also stop the server and change the files.

use std::fs::Permissions;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixListener;

use super::backup::{self, Known};
use super::forget::{self, Receipt};
use super::serve;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::store::AnyStore;
use crate::store::embedded::EmbeddedOptions;

/// The name of the socket, in the data directory.
const SOCKET: &str = "control";
/// The longest request: a backup says what it has.
const REQUEST_BYTES_MAX: usize = 16 << 20;
/// How long a request may take to arrive, and an answer to be taken on.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pause after a failure.
const PAUSE: Duration = Duration::from_millis(50);
const PIECE_BYTES: usize = 64 << 10;

/// What a command asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// Erase somebody.
    Forget(forget::Request),
    /// Give a copy of every file whose content is not among these.
    Backup(Known),
}

/// What it is told, line by line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    /// A file follows.
    File { name: String, content: String, bytes: u64 },
    /// A file is as it was.
    Same { name: String, content: String },
    /// Somebody was erased.
    Forgotten(Receipt),
    /// That is all.
    Done,
    /// It went wrong.
    Failed(String),
}

/// Where replies go.
pub(super) trait Out {
    /// A line, and the bytes that belong to it.
    fn say(&mut self, reply: Reply, bytes: &mut dyn Read) -> anyhow::Result<()>;
}

/// Does what a request asks for, in this process.
pub(super) fn perform(
    store: &AnyStore,
    data_dir: &Path,
    clock: Clock,
    request: Request,
    out: &mut dyn Out,
) -> anyhow::Result<()> {
    let wait = tokio::runtime::Handle::current();
    match request {
        Request::Forget(request) => {
            let receipt = wait.block_on(forget::perform(store, &request, clock))?;
            out.say(Reply::Forgotten(receipt), &mut std::io::empty())?;
        }
        Request::Backup(have) => {
            let AnyStore::Embedded(store) = store else { bail!("this store has no files") };
            let snapshot = wait.block_on(store.snapshot())?;
            backup::perform(snapshot, data_dir, &have, out)?;
        }
    }
    out.say(Reply::Done, &mut std::io::empty())
}

/// Does what a request asks for: through the server that holds the data directory, else in this process.
pub(super) fn ask(config: &Config, request: Request, out: &mut dyn Out) -> anyhow::Result<()> {
    if matches!(config.store, config::Store::Embedded) {
        if !config.data_dir.exists() {
            bail!("there is no data directory {}", config.data_dir.display());
        }
        if let Ok(stream) = UnixStream::connect(config.data_dir.join(SOCKET)) {
            return relay(stream, &request, out).context("the server that holds the data directory");
        }
    }
    let runtime = serve::runtime()?;
    let _inside = runtime.enter();
    let store = match &config.store {
        config::Store::Embedded => serve::open_embedded(&config.data_dir, EmbeddedOptions::default())?,
        config::Store::ClickHouse(_) => serve::open_store(config, serve::Purpose::Read)?,
    };
    perform(&store, &config.data_dir, Clock::system(), request, out)
}

/// Asks a server.
fn relay(mut stream: UnixStream, request: &Request, out: &mut dyn Out) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut replies = BufReader::new(stream);
    loop {
        let mut line = String::new();
        replies.read_line(&mut line)?;
        if line.is_empty() {
            bail!("it closed the connection before all was done");
        }
        match serde_json::from_str(&line).context("it answers in another form: is it of another version?")? {
            Reply::Failed(why) => bail!("{why}"),
            Reply::File { name, content, bytes } => {
                out.say(Reply::File { name, content, bytes }, &mut replies.by_ref().take(bytes))?;
            }
            Reply::Done => return out.say(Reply::Done, &mut std::io::empty()),
            reply @ (Reply::Same { .. } | Reply::Forgotten(_)) => out.say(reply, &mut std::io::empty())?,
        }
    }
}

/// Answers over a connection.
struct Replies(UnixStream);

impl Out for Replies {
    fn say(&mut self, reply: Reply, bytes: &mut dyn Read) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(&reply)?;
        line.push(b'\n');
        self.0.write_all(&line)?;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match bytes.read(&mut piece)? {
                0 => return Ok(()),
                read => self.0.write_all(&piece[..read])?,
            }
        }
    }
}

/// The socket of a server, open; its name goes with it.
pub(super) struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Control {
    /// Opens the socket in a data directory that this process holds. A server runs without it where the file system has no
    /// sockets.
    pub(super) fn open(data_dir: &Path) -> Option<Control> {
        let path = data_dir.join(SOCKET);
        let opened = remove_stale(&path).and_then(|()| UnixListener::bind(&path)).and_then(|listener| {
            std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
            Ok(listener)
        });
        match opened {
            Ok(listener) => Some(Control { listener, path }),
            Err(error) => {
                let path = path.display();
                tracing::warn!(%error, "cannot open {path}: `forget` and `backup` need the server to be stopped");
                None
            }
        }
    }

    /// Answers one request after the other, for as long as it is polled.
    pub(super) async fn serve(self, store: Arc<AnyStore>, data_dir: PathBuf, clock: Clock) {
        loop {
            let answered = match self.listener.accept().await {
                Ok((stream, _)) => answer(stream, &store, &data_dir, clock).await,
                Err(error) => Err(error.into()),
            };
            if let Err(error) = answered {
                tracing::warn!(error = %format!("{error:#}"), "a command was not answered");
                // Where no more files may be open, this would fail again at once.
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn remove_stale(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Answers whoever connected, if it is the owner of this process or root.
async fn answer(
    mut stream: tokio::net::UnixStream,
    store: &Arc<AnyStore>,
    data_dir: &Path,
    clock: Clock,
) -> anyhow::Result<()> {
    let uid = stream.peer_cred()?.uid();
    if uid != 0 && uid != rustix::process::geteuid().as_raw() {
        bail!("user {uid} is not the one that this server runs as");
    }
    let request =
        tokio::time::timeout(PATIENCE, read_line(&mut stream)).await.context("no whole request came")??;
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let (store, data_dir) = (Arc::clone(store), data_dir.to_owned());
    let working = tokio::task::spawn_blocking(move || {
        let mut replies = Replies(stream);
        let done = serde_json::from_slice(&request)
            .context("the request cannot be read: is the command of another version?")
            .and_then(|request| perform(&store, &data_dir, clock, request, &mut replies));
        match done {
            Ok(()) => Ok(()),
            Err(error) => replies.say(Reply::Failed(format!("{error:#}")), &mut std::io::empty()),
        }
    });
    working.await?
}

/// The request, which ends with its line.
async fn read_line(stream: &mut tokio::net::UnixStream) -> anyhow::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut piece = vec![0; PIECE_BYTES];
    while !line.ends_with(b"\n") {
        let read = stream.read(&mut piece).await?;
        if read == 0 {
            bail!("it went away before it had asked");
        }
        line.extend_from_slice(&piece[..read]);
        if line.len() > REQUEST_BYTES_MAX {
            bail!("the request is longer than {REQUEST_BYTES_MAX} bytes");
        }
    }
    Ok(line)
}
