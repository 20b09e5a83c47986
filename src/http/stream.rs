//! Replies that go on: what happens, told to those who watch a page, as Server-Sent Events.
//!
//! A watcher has a task of its own that waits for the next message and hands it to the connection, one at a time: who
//! reads slowly skips what came meanwhile, and who reads nothing is dropped by [`Patient`](super::patience::Patient).

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use tokio::sync::mpsc;

use super::pages::with_headers;
use super::{Reply, Server, later};
use crate::store::Store;
use crate::web::Watching;

/// The body of a reply.
#[derive(Debug)]
pub(super) enum Reel {
    /// There at once.
    Whole(Full<Bytes>),
    /// Comes in parts.
    Parts(mpsc::Receiver<Bytes>),
}

impl Reel {
    pub(super) fn whole(body: impl Into<Bytes>) -> Reel {
        Reel::Whole(Full::new(body.into()))
    }
}

impl Default for Reel {
    fn default() -> Reel {
        Reel::Whole(Full::default())
    }
}

impl Body for Reel {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Reel::Whole(body) => Pin::new(body).poll_frame(context),
            Reel::Parts(parts) => parts.poll_recv(context).map(|part| part.map(|part| Ok(Frame::data(part)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Reel::Whole(body) => body.is_end_stream(),
            Reel::Parts(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Reel::Whole(body) => body.size_hint(),
            Reel::Parts(_) => SizeHint::default(),
        }
    }
}

const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");
/// How often what is watched is computed where nothing changes: numbers of "now" grow old by themselves.
const REFRESH_EVERY: Duration = Duration::from_secs(10);
/// How soon after one computation the next may follow.
const REFRESH_PAUSE: Duration = Duration::from_secs(1);
/// The pause is at least so many times what the computation took, so that watching, and counting,
/// takes a tenth of one core at most.
const REFRESH_SHARE: u32 = 9;
/// How often a silent watcher is written to, so that proxies keep the connection and a dead one is noticed.
const PING_EVERY: Duration = Duration::from_secs(15);
/// How soon a browser comes again, and that it does.
const RETRY: &[u8] = b"retry: 2000\n\n";
/// A comment.
const PING: &[u8] = b":\n\n";

impl<S: Store + 'static> Server<S> {
    /// Computes what is watched whenever something was appended, for as long as the server lives.
    pub(super) async fn keep_live(self: Arc<Self>) {
        let Some(pages) = &self.pages else { return };
        let mut changed = self.store.news().changed();
        loop {
            // Whether something stirs or the time is up: both are a reason.
            let _ = tokio::time::timeout(REFRESH_EVERY, pages.stirred(&mut changed)).await;
            changed.mark_unchanged();
            let stopwatch = self.clock.stopwatch();
            pages.refresh(self.clock.now()).await;
            let pause = stopwatch.elapsed().saturating_mul(REFRESH_SHARE);
            tokio::time::sleep(pause.max(REFRESH_PAUSE)).await;
        }
    }

    /// Counts the days that pages ask for, a part at a time, for as long as the server lives.
    pub(super) async fn keep_counting(self: Arc<Self>) {
        let Some(pages) = &self.pages else { return };
        loop {
            pages.wanted().await;
            let stopwatch = self.clock.stopwatch();
            pages.count(self.clock.now()).await;
            tokio::time::sleep(stopwatch.elapsed().saturating_mul(REFRESH_SHARE)).await;
        }
    }

    /// A reply that goes on until the server stops, the time is up or the watcher goes.
    pub(super) fn stream(&self, mut watching: Watching) -> Reply {
        let Ok(permit) = Arc::clone(&self.watchers).try_acquire_owned() else {
            return later("too many watch already");
        };
        let (parts, reel) = mpsc::channel(1);
        let mut stopped = self.stopping.subscribe();
        // Those who came together shall not come again together.
        let spread = self.bounds.watch_timeout.mul_f64(f64::from(self.ids.next().as_bytes()[0]) / 1_024.0);
        let end = tokio::time::sleep(self.bounds.watch_timeout + spread);
        tokio::spawn(async move {
            let telling = async {
                let mut part = Some(Bytes::from_static(RETRY));
                while let Some(told) = part {
                    if parts.send(told).await.is_err() {
                        return;
                    }
                    part = match tokio::time::timeout(PING_EVERY, watching.next()).await {
                        Ok(next) => next,
                        Err(_) => Some(Bytes::from_static(PING)),
                    };
                }
            };
            tokio::select! {
                () = telling => {}
                () = end => {}
                () = parts.closed() => {}
                _ = stopped.wait_for(|stopped| *stopped) => {}
            }
            drop(permit);
        });
        let mut reply = with_headers(Reel::Parts(reel), "text/event-stream");
        let headers = reply.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // A proxy that collects a reply before it passes it on would never pass on this one.
        headers.insert(UNBUFFERED, HeaderValue::from_static("no"));
        reply
    }
}
