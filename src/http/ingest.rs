//! `/ingest/…`: HTTP to and from the sources. A delivery is acknowledged after the store has it, and only then.

use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, HeaderMap};
use hyper::{Request, StatusCode};

use super::body::{self, BodyError, Share};
use super::bounds::LARGE_BODY_BYTES;
use super::{Reply, Server, failure, json, later, without_body};
use crate::ingest::{self, Apps, Parsed, Rejected, attributes, lines, trtc};
use crate::records::{AppId, Event, Millis};
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

/// What the lines of a body are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Format {
    /// Neutral events.
    Events,
    /// Facts about users.
    Attributes,
}

impl<S: Store + 'static> Server<S> {
    /// `POST /ingest/trtc`.
    pub(super) async fn take_trtc(&self, request: Request<Incoming>) -> Reply {
        let (head, body) = request.into_parts();
        let mut share = self.budget.share();
        let cap = self.cap(self.bounds.callback_body_bytes, &head.headers);
        let body = match body::read(body, cap, &mut share).await {
            Ok(body) => body,
            Err(error) => return self.no_body(error),
        };
        let received = self.clock.now();
        let app = text(&head.headers, "sdkappid");
        let event = match trtc::accept(&self.apps, app, text(&head.headers, "sign"), &body, received) {
            Ok(event) => event,
            Err(rejected) => return self.reject(&rejected, app),
        };
        match self.append(vec![event], received).await {
            Ok(_) => json(StatusCode::OK, r#"{"code":0}"#),
            Err(error) => self.not_stored(&error),
        }
    }

    /// `POST /ingest/events` and `POST /ingest/attributes`.
    pub(super) async fn take_lines(self: &Arc<Self>, request: Request<Incoming>, format: Format) -> Reply {
        let (head, body) = request.into_parts();
        // Who may not send is not read.
        let app = match self.apps.by_authorization(text(&head.headers, AUTHORIZATION.as_str())) {
            Ok(app) => app.id,
            Err(rejected) => return self.reject(&rejected, None),
        };
        let gzip =
            match text(&head.headers, CONTENT_ENCODING.as_str()).map(str::to_ascii_lowercase).as_deref() {
                None | Some("" | "identity") => false,
                Some("gzip" | "x-gzip") => true,
                Some(_) => {
                    self.metrics.refused(ENCODING, 1);
                    return failure(
                        StatusCode::UNSUPPORTED_MEDIA_TYPE,
                        "Content-Encoding must be gzip or absent",
                    );
                }
            };
        let mut share = self.budget.share();
        let cap = self.cap(self.bounds.events_body_bytes, &head.headers);
        let body = match body::read(body, cap, &mut share).await {
            Ok(body) => body,
            Err(error) => return self.no_body(error),
        };
        let received = self.clock.now();
        match self.parse(Lines { app, format, gzip, body, received }, &mut share).await {
            Ok(parsed) => self.keep(parsed, received).await,
            Err(Unread::Rejected(rejected)) => self.reject(&rejected, None),
            Err(Unread::NoBody(error)) => self.no_body(error),
        }
    }

    /// Unpacks and parses. For an unpacked body memory is reserved as it says of itself; where it is larger than
    /// that, once more for the largest that is allowed.
    async fn parse(self: &Arc<Self>, lines: Lines, share: &mut Share<'_>) -> Result<Parsed, Unread> {
        let limit_bytes = self.bounds.events_body_bytes;
        let mut unpacked_bytes = if lines.gzip { lines.told_bytes().min(limit_bytes) } else { 0 };
        loop {
            let bytes = lines.body.len() + unpacked_bytes;
            share.hold(bytes).map_err(Unread::NoBody)?;
            let parsed = if bytes < LARGE_BODY_BYTES {
                lines.parse(&self.apps, unpacked_bytes)
            } else {
                let (server, lines) = (Arc::clone(self), lines.clone());
                let parsing = tokio::task::spawn_blocking(move || lines.parse(&server.apps, unpacked_bytes));
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

    /// Stores the good lines, and tells what became of each.
    async fn keep(&self, mut parsed: Parsed, received: Millis) -> Reply {
        let events = std::mem::take(&mut parsed.events);
        let status = if events.is_empty() && parsed.refused_count > 0 {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::OK
        };
        let appended = match self.append(events, received).await {
            Ok(appended) => appended,
            Err(error) => return self.not_stored(&error),
        };
        self.metrics.refused(LINE, parsed.refused_count);
        json(status, parsed.reply(appended.new, appended.duplicate))
    }

    /// Makes events durable.
    async fn append(&self, events: Vec<Event>, received: Millis) -> Result<Appended, StoreError> {
        if events.is_empty() {
            return Ok(Appended::default());
        }
        for event in &events {
            self.metrics.arrived(received.0.saturating_sub(event.at.0));
        }
        let stopwatch = self.clock.stopwatch();
        let appended = self.store.append(events).await?;
        self.metrics.appended(appended.new, appended.duplicate, stopwatch.elapsed_us());
        Ok(appended)
    }

    fn no_body(&self, error: BodyError) -> Reply {
        self.metrics.refused(if error == BodyError::TooLarge { "too_large" } else { BODY }, 1);
        without_body(error)
    }

    fn reject(&self, rejected: &Rejected, app: Option<&str>) -> Reply {
        self.metrics.refused(rejected.name(), 1);
        let app = app.and_then(|app| app.parse::<u64>().ok());
        tracing::info!(reason = rejected.name(), app, "refused a delivery");
        let status = StatusCode::from_u16(rejected.status()).unwrap_or(StatusCode::BAD_REQUEST);
        failure(status, &rejected.to_string())
    }

    fn not_stored(&self, error: &StoreError) -> Reply {
        self.metrics.refused(STORE, 1);
        tracing::warn!(%error, "could not store events");
        later("the events could not be stored; send them again")
    }
}

/// Why there is nothing to keep.
enum Unread {
    Rejected(Rejected),
    NoBody(BodyError),
}

/// A body of many lines.
#[derive(Clone)]
struct Lines {
    app: AppId,
    format: Format,
    gzip: bool,
    body: Bytes,
    received: Millis,
}

impl Lines {
    /// How large the body says it is when unpacked: its last four bytes. A sender may lie, or have put several
    /// packed parts one behind the other.
    fn told_bytes(&self) -> usize {
        let told = self.body.last_chunk::<4>();
        told.map_or(0, |bytes| bytes.iter().rev().fold(0, |number, byte| (number << 8) | usize::from(*byte)))
    }

    fn parse(&self, apps: &Apps, unpacked_bytes_max: usize) -> Result<Parsed, Rejected> {
        let terms = apps.terms(self.app);
        let unpacked;
        let body: &[u8] = if self.gzip {
            unpacked = ingest::gunzip(&self.body, unpacked_bytes_max)?;
            &unpacked
        } else {
            &self.body
        };
        Ok(match self.format {
            Format::Events => lines::parse(terms, body, self.received),
            Format::Attributes => attributes::parse(terms, body, self.received),
        })
    }
}

/// The first value of a header, where it is text.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
