//! Reading a request's body: never more than allowed, never for longer than allowed.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Incoming};
use tokio::time::Sleep;

use super::bounds::{LARGE_BODY_BYTES, SMALL_BODY_BYTES};
use super::connections::Standing;

/// Why a body is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is larger than allowed.
    TooLarge,
    /// It did not come in time.
    TooSlow,
    /// The connection broke, or the body's framing is wrong.
    Broken,
    /// There is no memory for it just now.
    NoRoom,
}

/// How much memory all bodies together may take.
#[derive(Debug)]
pub(super) struct Budget {
    free_bytes: AtomicUsize,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Budget {
        Budget { free_bytes: AtomicUsize::new(bytes) }
    }

    /// A share that grows as it is asked to, as long as `spared_bytes` are left for others, and is given back when dropped.
    pub(super) fn share(&self, spared_bytes: usize) -> Share<'_> {
        Share { budget: self, held_bytes: 0, spared_bytes }
    }

    /// Takes so much, if then `spared_bytes` are left.
    pub(super) fn take(&self, bytes: usize, spared_bytes: usize) -> bool {
        let left = |free: usize| free.checked_sub(bytes).filter(|left| *left >= spared_bytes);
        self.free_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_ok()
    }

    /// Gives so much back.
    pub(super) fn give(&self, bytes: usize) {
        if bytes > 0 {
            self.free_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

/// A part of the budget.
#[derive(Debug)]
pub(super) struct Share<'a> {
    budget: &'a Budget,
    held_bytes: usize,
    spared_bytes: usize,
}

impl Share<'_> {
    /// Makes the share so large, or says that there is no room.
    pub(super) fn hold(&mut self, bytes: usize) -> Result<(), BodyError> {
        let more = bytes.saturating_sub(self.held_bytes);
        if more == 0 || bytes <= SMALL_BODY_BYTES {
            return Ok(());
        }
        if !self.budget.take(more, self.spared_bytes) {
            return Err(BodyError::NoRoom);
        }
        self.held_bytes += more;
        Ok(())
    }

    /// Makes the share as large as this, also where it was larger.
    pub(super) fn fit(&mut self, bytes: usize) -> Result<(), BodyError> {
        if bytes >= self.held_bytes {
            return self.hold(bytes);
        }
        self.budget.give(self.held_bytes - bytes);
        self.held_bytes = bytes;
        Ok(())
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.budget.give(self.held_bytes);
    }
}

/// What a body may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cap<'a> {
    /// The largest body that is read.
    pub(super) bytes: usize,
    /// What is read and thrown away of a larger one.
    pub(super) discarded_bytes: usize,
    /// How long all of it may take.
    pub(super) timeout: Duration,
    /// The connection that it comes over.
    pub(super) standing: &'a Standing,
}

/// Reads a whole body. Most come with the head in one packet: for those no timer is made and nothing is copied.
pub(super) async fn read(body: Incoming, cap: Cap<'_>, share: &mut Share<'_>) -> Result<Bytes, BodyError> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let whole = read_whole(body, cap, share).await;
    cap.standing.works();
    whole
}

async fn read_whole(mut body: Incoming, cap: Cap<'_>, share: &mut Share<'_>) -> Result<Bytes, BodyError> {
    let mut timer = Timer { timeout: cap.timeout, sleep: None, standing: cap.standing };
    let told_bytes = body.size_hint().exact();
    let cap_bytes = cap.bytes as u64;
    if told_bytes.is_some_and(|told| told > cap_bytes) {
        if told_bytes.is_some_and(|told| told <= cap_bytes + cap.discarded_bytes as u64) {
            discard(&mut body, &mut timer, cap.discarded_bytes + cap.bytes).await?;
        }
        return Err(BodyError::TooLarge);
    }
    let first = timer.next(&mut body).await?.unwrap_or_default();
    let mut whole = BytesMut::new();
    let mut last = first;
    loop {
        let bytes = whole.len() + last.len();
        if bytes > cap.bytes {
            discard(&mut body, &mut timer, cap.discarded_bytes).await?;
            return Err(BodyError::TooLarge);
        }
        share.hold(bytes)?;
        if whole.is_empty() && body.is_end_stream() {
            return Ok(last);
        }
        if whole.capacity() < bytes {
            // The length told is no more than the cap, and believed once a good part has come: telling costs nothing.
            let told = told_bytes.map_or(bytes, |told| usize::try_from(told).unwrap_or(bytes)).min(cap.bytes);
            let believed = if bytes < LARGE_BODY_BYTES { told.min(LARGE_BODY_BYTES) } else { told };
            whole.reserve(believed.max(bytes) - whole.len());
        }
        whole.extend_from_slice(&last);
        match timer.next(&mut body).await? {
            Some(next) => last = next,
            None => return Ok(whole.freeze()),
        }
    }
}

/// Reads on and throws away, so that a sender that only reads after it has written gets the reply.
async fn discard(body: &mut Incoming, timer: &mut Timer<'_>, most_bytes: usize) -> Result<(), BodyError> {
    let mut discarded = 0;
    while let Some(data) = timer.next(body).await? {
        discarded += data.len();
        if discarded > most_bytes {
            break;
        }
    }
    Ok(())
}

/// Runs from the first moment in which the body was not there.
struct Timer<'a> {
    timeout: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    standing: &'a Standing,
}

impl Timer<'_> {
    /// The next piece of data; `None` at the end. Trailers are passed over.
    async fn next(&mut self, body: &mut Incoming) -> Result<Option<Bytes>, BodyError> {
        poll_fn(|context| {
            loop {
                match Pin::new(&mut *body).poll_frame(context) {
                    Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                        Ok(data) => return Poll::Ready(Ok(Some(data))),
                        Err(_) => continue,
                    },
                    Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(BodyError::Broken)),
                    Poll::Ready(None) => return Poll::Ready(Ok(None)),
                    Poll::Pending => {}
                }
                let (timeout, standing) = (self.timeout, self.standing);
                let sleep = self.sleep.get_or_insert_with(|| {
                    standing.waits();
                    Box::pin(tokio::time::sleep(timeout))
                });
                return sleep.as_mut().poll(context).map(|()| Err(BodyError::TooSlow));
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_limited_together_and_given_back() {
        let budget = Budget::new(200_000);
        let mut one = budget.share(0);
        assert_eq!(one.hold(100_000), Ok(()));
        assert_eq!(one.hold(150_000), Ok(()));
        assert_eq!(one.hold(120_000), Ok(()), "it never shrinks");
        let mut other = budget.share(0);
        assert_eq!(other.hold(SMALL_BODY_BYTES), Ok(()), "small ones are not counted");
        assert_eq!(other.hold(65_537), Err(BodyError::NoRoom));
        drop(one);
        assert_eq!(other.hold(200_000), Ok(()));
        drop(other);
        let mut modest = budget.share(50_000);
        assert_eq!(modest.hold(160_000), Err(BodyError::NoRoom), "so much is left for others");
        assert_eq!(modest.hold(150_000), Ok(()));
        assert_eq!(modest.fit(20_000), Ok(()), "it shrinks where it is told to");
        assert_eq!(budget.free_bytes.load(Ordering::Relaxed), 180_000);
        drop(modest);
        assert_eq!(budget.free_bytes.load(Ordering::Relaxed), 200_000);
    }
}
