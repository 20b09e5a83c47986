//! What a sender can make the server hold or wait for.

use std::time::Duration;

/// Sizes and times of the HTTP layer. Tests pass smaller ones.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The largest body of an API request; of a larger one the API is told that it is too large.
    pub api_body_bytes: usize,
    /// The largest body of a single callback.
    pub callback_body_bytes: usize,
    /// The largest body of many events, as sent and unpacked.
    pub events_body_bytes: usize,
    /// What is read and thrown away of a body that is too large, so that its sender gets to read the reply.
    pub discarded_bytes: usize,
    /// All bodies in memory at one time.
    pub bodies_bytes: usize,
    /// The largest head of a request.
    pub head_bytes: usize,
    /// How long a request's head may take, and how long a connection may idle.
    pub head_timeout: Duration,
    /// How long a request's body may take.
    pub body_timeout: Duration,
    /// How long the receiver of a reply may take nothing of it.
    pub write_timeout: Duration,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How many connections are open at most. For who comes then, the one that has been silent for longest is closed; where
    /// none is, more wait in the kernel.
    pub connections: usize,
    /// How many connections may watch pages at one time: a share, so that senders and questions always get through.
    pub watchers: usize,
    /// How long one reply to a watcher goes on before the watcher must ask again.
    pub watch_timeout: Duration,
    /// How long running requests may take after the signal to stop.
    pub shutdown_grace: Duration,
}

/// A body up to this size costs no reservation: it is no larger than what a connection holds anyway.
pub(super) const SMALL_BODY_BYTES: usize = 16 * 1_024;
/// What deliveries leave of the memory for bodies, as a part of it, so that questions get through when they come in crowds.
pub(super) const SPARED_SHARE: usize = 8;
/// A body from this size on is parsed beside the threads that serve.
pub(super) const LARGE_BODY_BYTES: usize = 256 * 1_024;
/// What a sender is told to wait when the store or the memory is full.
pub(super) const RETRY_AFTER_S: &str = "1";

const MEBIBYTE: usize = 1_024 * 1_024;

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            api_body_bytes: 10 * MEBIBYTE,
            callback_body_bytes: MEBIBYTE,
            events_body_bytes: 16 * MEBIBYTE,
            discarded_bytes: 16 * MEBIBYTE,
            bodies_bytes: 256 * MEBIBYTE,
            head_bytes: 64 * 1_024,
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(10),
            connections: 16_384,
            watchers: 4_096,
            watch_timeout: Duration::from_secs(600),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}
