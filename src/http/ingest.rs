//! `/ingest/…`: HTTP to and from the sources. A delivery is acknowledged after the store has it, and only then.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, CONNECTION, CONTENT_ENCODING, HeaderMap, HeaderValue, RETRY_AFTER,
};
use hyper::{Method, Request, StatusCode};

use super::body::{self, BodyError, Share};
use super::bounds::{LARGE_BODY_BYTES, SPARED_SHARE};
use super::connections::Standing;
use super::{HangUp, Reply, Server, failure, json, later, not_allowed, plain, without_body};
use crate::ingest::{self, Acknowledge, Endpoint, Head, Ingest, Parsed, Rejected, Size};
use crate::limits::From;
use crate::records::{Event, Millis};
use crate::store::{Appended, Store, StoreError};

/// The values of the label `reason`, beside those of [`Rejected::NAMES`]: what is refused before or after it.
pub(super) const REASONS: [&str; 4] = [LINE, ENCODING, BODY, STORE];
/// One line of many.
const LINE: &str = "line";
/// A body that is packed in a way that is not understood here.
const ENCODING: &str = "encoding";
/// A body that did not come.
const BODY: &str = "body";
/// The store could not take it.
const STORE: &str = "store";

/// What a sender is told to wait whose address has failed too often: until the minute is over.
const FAILURES_RETRY_AFTER_S: &str = "60";

/// What an event takes in memory, its texts included; and a value of a measurement with its time.
const EVENT_BYTES: usize = size_of::<Event>() + 160;
const VALUE_BYTES: usize = 16;

/// How long, in seconds, a browser may remember that it may post here.
const PREFLIGHT_AGE_S: &str = "7200";

impl<S: Store + 'static> Server<S> {
    /// Any method at the path of a source.
    pub(super) async fn ingest(
        self: &Arc<Self>,
        endpoint: &'static Endpoint,
        tail: Option<&str>,
        peer: IpAddr,
        request: Request<Incoming>,
        standing: &Standing,
    ) -> Result<Reply, HangUp> {
        let mut reply = match *request.method() {
            Method::POST => self.take(endpoint, tail, peer, request, standing).await?,
            Method::OPTIONS if endpoint.cross_origin => preflight(),
            _ if endpoint.cross_origin => not_allowed("POST, OPTIONS"),
            _ => not_allowed("POST"),
        };
        if endpoint.cross_origin {
            // The token in the request is the proof, and no cookie is looked at, so any page may send one.
            reply.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        Ok(reply)
    }

    async fn take(
        self: &Arc<Self>,
        endpoint: &'static Endpoint,
        tail: Option<&str>,
        peer: IpAddr,
        request: Request<Incoming>,
        standing: &Standing,
    ) -> Result<Reply, HangUp> {
        let (head, body) = request.into_parts();
        let query = head.uri.query().unwrap_or_default().as_bytes();
        let query = form_urlencoded::parse(query).map(|(key, value)| (key.into_owned(), value.into_owned()));
        let (tail, query) = (tail.map(str::to_owned), query.collect());
        let client = self.watch.client(peer, &head.headers);
        let from = self.watch.from(client);
        let arrival = Arrival { tail, query, headers: head.headers, is_local: client.is_local };
        let ingest = self.ingest.get();
        let admitted = arrival.head(self.clock.now(), |head| {
            let claimed = (endpoint.claims)(head);
            if !from.may_try(endpoint.path, claimed.as_bytes()) {
                return Err(Rejected::TooManyFailures);
            }
            (endpoint.admit)(&ingest, head).map(|()| claimed.into_owned())
        });
        let claimed = match admitted {
            Ok(claimed) => claimed,
            Err(rejected) => return Ok(self.reject(&rejected, endpoint, &from)),
        };
        let gzip = match arrival.packing() {
            Packing::None => false,
            Packing::Gzip if endpoint.gzip => true,
            Packing::Gzip | Packing::Other => {
                self.metrics.refused(ENCODING, 1);
                let message = if endpoint.gzip {
                    "Content-Encoding must be gzip or absent"
                } else {
                    "Content-Encoding must be absent"
                };
                return Ok(failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
            }
        };
        let limit_bytes = match endpoint.size {
            Size::Callback => self.bounds.callback_body_bytes,
            Size::Batch => self.bounds.events_body_bytes,
        };
        let mut share = self.budget.share(self.bounds.bodies_bytes / SPARED_SHARE);
        let cap = self.cap(limit_bytes, &arrival.headers, standing);
        let body = match body::read(body, cap, &mut share).await {
            Ok(body) => body,
            Err(error) => return self.no_body(error, endpoint),
        };
        let received = self.clock.now();
        let arrival = Arc::new(arrival);
        let delivery = Delivery { endpoint, ingest, arrival, gzip, body, received, limit_bytes };
        match self.parse(delivery, &mut share).await {
            Ok(parsed) => {
                from.succeeded(endpoint.path, claimed.as_bytes());
                // The body is gone; what it told takes more than it did, until the store has it.
                match share.fit(bytes_of(&parsed)) {
                    Ok(()) => self.keep(parsed, received, endpoint).await,
                    Err(error) => self.no_body(error, endpoint),
                }
            }
            Err(Unread::Rejected(rejected)) => Ok(self.reject(&rejected, endpoint, &from)),
            Err(Unread::NoBody(error)) => self.no_body(error, endpoint),
        }
    }

    /// Unpacks and parses. For an unpacked body memory is reserved as it says of itself; where it is larger than
    /// that, once more for the largest that is allowed.
    async fn parse(&self, delivery: Delivery, share: &mut Share<'_>) -> Result<Parsed, Unread> {
        let limit_bytes = delivery.limit_bytes;
        let mut turn = None;
        let mut unpacked_bytes = if delivery.gzip { delivery.told_bytes().min(limit_bytes) } else { 0 };
        loop {
            let bytes = delivery.body.len() + unpacked_bytes;
            share.hold(bytes).map_err(Unread::NoBody)?;
            let parsed = if bytes < LARGE_BODY_BYTES {
                delivery.parse(unpacked_bytes)
            } else {
                if turn.is_none() {
                    // Only closed when the server is gone.
                    turn = self.parsing.acquire().await.ok();
                }
                let delivery = delivery.clone();
                let parsing = tokio::task::spawn_blocking(move || delivery.parse(unpacked_bytes));
                parsing.await.map_err(|_| Unread::NoBody(BodyError::Broken))?
            };
            match parsed {
                Err(Rejected::TooLarge { .. }) if unpacked_bytes < limit_bytes => {
                    unpacked_bytes = limit_bytes
                }
                parsed => return parsed.map_err(Unread::Rejected),
            }
        }
    }

    /// Stores what is good, and tells what became of it.
    async fn keep(&self, mut parsed: Parsed, received: Millis, endpoint: &Endpoint) -> Result<Reply, HangUp> {
        let status = StatusCode::from_u16(parsed.status()).unwrap_or(StatusCode::OK);
        let values = parsed.values();
        let appended = match self.append(&mut parsed, received).await {
            Ok(appended) => appended,
            Err(error) => return self.not_stored(&error, endpoint),
        };
        self.metrics.refused(LINE, parsed.refused_count);
        self.metrics.left_out(parsed.left_out);
        Ok(match endpoint.acknowledge {
            Acknowledge::Code | Acknowledge::CodeOrNothing => json(StatusCode::OK, r#"{"code":0}"#),
            Acknowledge::Lines => json(status, parsed.reply(appended.new, appended.duplicate, values)),
        })
    }

    /// Makes events and measurements durable.
    async fn append(&self, parsed: &mut Parsed, received: Millis) -> Result<Appended, StoreError> {
        let (events, samples) = (std::mem::take(&mut parsed.events), std::mem::take(&mut parsed.samples));
        for event in &events {
            self.metrics.arrived(received.0.saturating_sub(event.at.0));
        }
        let mut appended = Appended::default();
        if !events.is_empty() {
            let stopwatch = self.clock.stopwatch();
            appended = self.store.append(events).await?;
            self.metrics.appended(appended.new, appended.duplicate, stopwatch.elapsed_us());
        }
        if !samples.is_empty() {
            let values = samples.iter().map(|series| series.len() as u64).sum();
            self.store.append_samples(samples).await?;
            self.metrics.sampled(values);
        }
        Ok(appended)
    }

    /// What may be better next time must be sent again: some senders take a 408 for the end of it, and Janus any status.
    fn no_body(&self, error: BodyError, endpoint: &Endpoint) -> Result<Reply, HangUp> {
        self.metrics.refused(if error == BodyError::TooLarge { "too_large" } else { BODY }, 1);
        let is_final = match error {
            BodyError::TooLarge | BodyError::Broken => true,
            BodyError::TooSlow | BodyError::NoRoom => false,
        };
        match endpoint.acknowledge {
            Acknowledge::CodeOrNothing if !is_final => Err(HangUp),
            Acknowledge::Code | Acknowledge::Lines if !is_final => {
                let mut reply = later("the body could not be taken; send it again");
                reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                Ok(reply)
            }
            Acknowledge::Code | Acknowledge::Lines | Acknowledge::CodeOrNothing => Ok(without_body(error)),
        }
    }

    fn reject(&self, rejected: &Rejected, endpoint: &Endpoint, from: &From<'_>) -> Reply {
        if rejected.is_of_proof() {
            from.failed();
        }
        self.metrics.refused(rejected.name(), 1);
        tracing::info!(reason = rejected.name(), path = endpoint.path, "refused a delivery");
        let status = StatusCode::from_u16(rejected.status()).unwrap_or(StatusCode::BAD_REQUEST);
        let mut reply = failure(status, &rejected.told());
        if status == StatusCode::TOO_MANY_REQUESTS {
            reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(FAILURES_RETRY_AFTER_S));
        }
        reply
    }

    fn not_stored(&self, error: &StoreError, endpoint: &Endpoint) -> Result<Reply, HangUp> {
        self.metrics.refused(STORE, 1);
        tracing::warn!(%error, path = endpoint.path, "could not store what was sent");
        match endpoint.acknowledge {
            Acknowledge::CodeOrNothing => Err(HangUp),
            Acknowledge::Code | Acknowledge::Lines => {
                Ok(later("the events could not be stored; send them again"))
            }
        }
    }
}

/// About how much memory it takes.
fn bytes_of(parsed: &Parsed) -> usize {
    let values = usize::try_from(parsed.values()).unwrap_or(usize::MAX / VALUE_BYTES);
    parsed.events.len() * EVENT_BYTES + values.saturating_mul(VALUE_BYTES)
}

/// What a browser is told that asks whether a page may post here.
fn preflight() -> Reply {
    let mut reply = plain(StatusCode::OK, "");
    let headers = reply.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    let allowed = HeaderValue::from_static("Authorization, Content-Type, Content-Encoding");
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_AGE_S));
    reply
}

/// Why there is nothing to keep.
enum Unread {
    Rejected(Rejected),
    NoBody(BodyError),
}

/// How a body is packed.
enum Packing {
    None,
    Gzip,
    Other,
}

/// What is known of a delivery before its body.
struct Arrival {
    tail: Option<String>,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    is_local: bool,
}

impl Arrival {
    /// Shows it as sources see it.
    fn head<T>(&self, received: Millis, read: impl FnOnce(&Head<'_>) -> T) -> T {
        let header = |name: &str| self.headers.get(name).and_then(|value| value.to_str().ok());
        let (tail, query) = (self.tail.as_deref(), self.query.as_slice());
        read(&Head { tail, query, header: &header, is_local: self.is_local, received, verify: true })
    }

    fn packing(&self) -> Packing {
        let Some(packing) = self.headers.get(CONTENT_ENCODING) else { return Packing::None };
        match packing.as_bytes().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => Packing::None,
            b"gzip" | b"x-gzip" => Packing::Gzip,
            _ => Packing::Other,
        }
    }
}

/// A delivery that is here.
#[derive(Clone)]
struct Delivery {
    endpoint: &'static Endpoint,
    ingest: Arc<Ingest>,
    arrival: Arc<Arrival>,
    gzip: bool,
    body: Bytes,
    received: Millis,
    limit_bytes: usize,
}

impl Delivery {
    /// How large the body says it is when unpacked: its last four bytes. A sender may lie, or have put several
    /// packed parts one behind the other.
    fn told_bytes(&self) -> usize {
        let told = self.body.last_chunk::<4>();
        told.map_or(0, |bytes| bytes.iter().rev().fold(0, |number, byte| (number << 8) | usize::from(*byte)))
    }

    fn parse(&self, unpacked_bytes_max: usize) -> Result<Parsed, Rejected> {
        let unpacked;
        let body: &[u8] = if self.gzip {
            unpacked = ingest::gunzip(&self.body, unpacked_bytes_max)?;
            &unpacked
        } else {
            &self.body
        };
        self.arrival.head(self.received, |head| (self.endpoint.take)(&self.ingest, head, body))
    }
}
