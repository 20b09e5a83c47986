//! Sockets: one task for each connection, as many as allowed, until told to stop.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::Server;
use super::connections::Standing;
use super::patience::Patient;
use super::tls::Tls;
use crate::store::Store;
use crate::telemetry::Metrics;

/// Connections that the kernel holds before they are accepted.
const BACKLOG: u32 = 1_024;
/// The pause after a failure to accept, for example because no more files may be open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How soon after all connections were at work one is looked for that is not.
const ADMIT_PAUSE: Duration = Duration::from_millis(20);

/// Opens the listening socket. An address whose last owner has just stopped can be taken at once.
///
/// # Errors
/// When the address cannot be had.
pub fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `stop` is there; then lets running requests finish, for as long as the bounds allow.
pub async fn serve<S: Store + 'static>(
    server: Arc<Server<S>>,
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    stop: impl Future<Output = ()>,
) {
    let most = u32::try_from(server.bounds.connections).unwrap_or(u32::MAX);
    let room = Arc::new(Semaphore::new(most as usize));
    let live = tokio::spawn(Arc::clone(&server).keep_live());
    let counting = tokio::spawn(Arc::clone(&server).keep_counting());
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let Some(permit) = admit(&server, &room).await else { return };
                    open(&server, stream, peer.ip(), tls.as_deref().map(Tls::acceptor), permit);
                }
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    if server.connections.make_room() {
                        server.metrics.made_room();
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop => {}
    }
    drop(listener);
    live.abort();
    counting.abort();
    server.stopping.send_replace(true);
    let grace = server.bounds.shutdown_grace;
    if tokio::time::timeout(grace, room.acquire_many(most)).await.is_err() {
        tracing::warn!(grace_s = grace.as_secs(), "requests were still running at the end of the grace");
    }
}

/// Room for one more connection: where there is none, who has been silent for longest makes it.
async fn admit<S: Store + 'static>(
    server: &Arc<Server<S>>,
    room: &Arc<Semaphore>,
) -> Option<OwnedSemaphorePermit> {
    if let Ok(permit) = Arc::clone(room).try_acquire_owned() {
        return Some(permit);
    }
    loop {
        if server.connections.make_room() {
            server.metrics.made_room();
        }
        // Where all are at work, one of them may soon be silent.
        let soon = tokio::time::timeout(ADMIT_PAUSE, Arc::clone(room).acquire_owned());
        if let Ok(permit) = soon.await {
            return permit.ok();
        }
    }
}

/// Gives a connection its task.
fn open<S: Store + 'static>(
    server: &Arc<Server<S>>,
    stream: TcpStream,
    peer: IpAddr,
    tls: Option<TlsAcceptor>,
    permit: OwnedSemaphorePermit,
) {
    let (server, stopped) = (Arc::clone(server), server.stopping.subscribe());
    let seat = server.connections.join();
    let (number, connections) = (seat.number, Arc::clone(&server.connections));
    let counted = Counted::new(Arc::clone(&server.metrics));
    // A reply is one write; nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let task = tokio::spawn(async move {
        // Where the task is ended from outside, dropping these is what still happens.
        let (_permit, _counted) = (permit, counted);
        match tls {
            None => connection(&server, stream, peer, &seat.standing, stopped).await,
            Some(tls) => {
                match tokio::time::timeout(server.bounds.handshake_timeout, tls.accept(stream)).await {
                    Ok(Ok(stream)) => connection(&server, stream, peer, &seat.standing, stopped).await,
                    Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                    Err(_) => tracing::debug!("a TLS handshake took too long"),
                }
            }
        }
    });
    connections.set_task(number, task.abort_handle());
}

/// A connection that is counted as long as this is there.
struct Counted(Arc<Metrics>);

impl Counted {
    fn new(metrics: Arc<Metrics>) -> Counted {
        metrics.connected();
        Counted(metrics)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.disconnected();
    }
}

/// Serves one connection until it is closed, or stops it between two requests.
async fn connection<S: Store + 'static>(
    server: &Arc<Server<S>>,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: IpAddr,
    standing: &Arc<Standing>,
    mut stopped: watch::Receiver<bool>,
) {
    let service = service_fn(|request| server.respond(request, peer, standing));
    let stream = Patient::new(stream, server.bounds.write_timeout, Arc::clone(standing));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(server.bounds.head_timeout)
        .max_buf_size(server.bounds.head_bytes)
        // Replies are small: copying one into a single buffer costs less than gathering it in the kernel.
        .writev(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    tokio::select! {
        biased;
        ended = serving.as_mut() => return note(ended),
        // An error means that the one who would say so is gone.
        _ = stopped.wait_for(|stopped| *stopped) => serving.as_mut().graceful_shutdown(),
    }
    note(serving.await);
}

/// Senders break connections all the time; that is worth a line only to those who look for it.
fn note(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
