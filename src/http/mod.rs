//! The only module that knows HTTP: bytes of a socket to requests of the parts behind, and their replies back.
//!
//! [`Server::respond`] has every path on one screen, [`listen`] the sockets. `body` reads what is sent within its
//! bounds, `api` and `ingest` translate. The way of a question is short on purpose: no router, no middleware, no
//! copy of the body.

mod api;
mod body;
mod bounds;
mod client;
mod connections;
mod gate;
mod ids;
mod ingest;
pub mod listen;
mod pages;
mod patience;
mod stream;
pub mod tls;

pub use bounds::Bounds;
pub use gate::Gate;
pub use ids::Ids;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, EXPECT, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::{Semaphore, watch};

use crate::actions::{ACTIONS, Api, Policy};
use crate::clock::Clock;
use crate::ingest::{Apps, Endpoint, Ingest, Rejected, SOURCES};
use crate::limits::Current;
use crate::records::{AppId, CommId};
use crate::store::{Store, StoreError};
use crate::telemetry::{Gauges, Metrics};
use crate::web::{Access, Web};
use crate::wire::ErrorCode;
use body::{BodyError, Budget, Cap};
use bounds::RETRY_AFTER_S;
use connections::{Connections, Standing};
use gate::Watch;
use stream::Reel;

/// A reply: whole, apart from those that go on.
type Reply = Response<Reel>;

/// The connection is closed without a reply, for a sender that takes any reply for success.
#[derive(Debug, thiserror::Error)]
#[error("a delivery that could not be kept gets no reply")]
struct HangUp;

/// Counters for all that can be counted here, at zero.
pub fn metrics() -> Metrics {
    Metrics::new(
        ACTIONS.iter().map(|action| action.name),
        ErrorCode::ALL.iter().map(|code| code.wire()),
        Rejected::NAMES.into_iter().chain(ingest::REASONS),
    )
}

/// What a running server may be told anew.
pub struct Rights {
    /// Who may ask what.
    pub policy: Policy,
    /// Who may send.
    pub apps: Apps,
    /// Who may see the pages, where there are pages.
    pub access: Option<Access>,
    /// Who may come at all.
    pub gate: Gate,
}

/// A path that is no source's and no page's.
#[derive(Clone, Copy)]
enum Fixed {
    Api,
    Health,
    Ready,
    Metrics,
    Script,
}

/// Those paths.
const FIXED: [(&str, Fixed); 5] = [
    ("/", Fixed::Api),
    ("/healthz", Fixed::Health),
    ("/readyz", Fixed::Ready),
    ("/metrics", Fixed::Metrics),
    (client::PATH, Fixed::Script),
];

/// What is at a path.
enum Place<'a> {
    Fixed(Fixed),
    Source(&'static Endpoint, Option<&'a str>),
    Page,
}

impl<'a> Place<'a> {
    fn at(path: &'a str) -> Option<Place<'a>> {
        if let Some((_, fixed)) = FIXED.iter().find(|(fixed, _)| *fixed == path) {
            return Some(Place::Fixed(*fixed));
        }
        let source = Endpoint::at(path).map(|(endpoint, tail)| Place::Source(endpoint, tail));
        source.or_else(|| (path == "/ui" || path.starts_with("/ui/")).then_some(Place::Page))
    }
}

/// Every path that is answered; `*` stands for a part of the asker's choice, `**` for any number of them.
pub fn paths() -> Vec<String> {
    let mut paths: Vec<String> = FIXED.iter().map(|(path, _)| (*path).to_owned()).collect();
    for endpoint in SOURCES.iter().filter_map(|source| source.endpoint.as_ref()) {
        paths.push(format!("{}{}", endpoint.path, if endpoint.path.ends_with('/') { "*" } else { "" }));
    }
    paths.extend(crate::web::paths());
    paths
}

/// Everything that a request may need.
pub struct Server<S> {
    api: Api<S>,
    /// The dashboard, unless it is switched off.
    pages: Option<Web<S>>,
    /// Connections are encrypted.
    is_tls: bool,
    ingest: Current<Ingest>,
    /// Who comes in, and how often one may fail to.
    watch: Watch,
    store: Arc<S>,
    clock: Clock,
    ids: Ids,
    metrics: Arc<Metrics>,
    bounds: Bounds,
    budget: Arc<Budget>,
    connections: Arc<Connections>,
    /// Large bodies that may be parsed at one time: questions need the other cores.
    parsing: Semaphore,
    /// Replies that go on, as many as may be at one time.
    watchers: Arc<Semaphore>,
    /// Set once the server stops.
    stopping: watch::Sender<bool>,
}

impl<S: Store + 'static> Server<S> {
    /// `api` answers questions, `ingest` reads what sources send, which goes to `store`.
    pub fn new(
        api: Api<S>,
        ingest: Ingest,
        store: Arc<S>,
        clock: Clock,
        ids: Ids,
        metrics: Arc<Metrics>,
        bounds: Bounds,
    ) -> Server<S> {
        let budget = Arc::new(Budget::new(bounds.bodies_bytes));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Server {
            api,
            pages: None,
            is_tls: false,
            ingest: Current::new(ingest),
            watch: Watch::new(Gate::default(), *ids.next().as_bytes()),
            store,
            clock,
            ids,
            metrics,
            bounds,
            connections: Arc::new(Connections::new(Arc::clone(&budget))),
            budget,
            parsing: Semaphore::new(cores.saturating_sub(1).max(1)),
            watchers: Arc::new(Semaphore::new(bounds.watchers)),
            stopping: watch::Sender::new(false),
        }
    }

    /// The same, with a dashboard.
    #[must_use]
    pub fn with_pages(mut self, pages: Web<S>, is_tls: bool) -> Server<S> {
        (self.pages, self.is_tls) = (Some(pages), is_tls);
        self
    }

    /// The same, with a gate.
    #[must_use]
    pub fn with_gate(self, gate: Gate) -> Server<S> {
        self.watch.set(gate);
        self
    }

    /// Allows something else from now on; what is being answered goes on as it began.
    pub fn allow(&self, rights: Rights) {
        let Rights { policy, apps, access, gate } = rights;
        if let (Some(pages), Some(access)) = (&self.pages, access) {
            pages.allow(policy.clone(), access);
        }
        self.api.allow(policy);
        self.ingest.set(self.ingest.get().with(apps));
        self.watch.set(gate);
    }

    /// Answers one request.
    async fn respond(
        self: &Arc<Self>,
        request: Request<Incoming>,
        peer: IpAddr,
        standing: &Standing,
    ) -> Result<Reply, HangUp> {
        if standing.begins() {
            // Who sends a thousand requests at once waits for its turn with each of them, as everybody does.
            tokio::task::yield_now().await;
        }
        let reply = self.reply(request, peer, standing).await;
        standing.ends();
        reply
    }

    /// Every path.
    async fn reply(
        self: &Arc<Self>,
        request: Request<Incoming>,
        peer: IpAddr,
        standing: &Standing,
    ) -> Result<Reply, HangUp> {
        let probe = matches!(*request.method(), Method::GET | Method::HEAD);
        Ok(match Place::at(request.uri().path()) {
            Some(Place::Fixed(Fixed::Api)) if self.pages.is_some() && pages::is_browser(&request) => {
                pages::redirect()
            }
            Some(Place::Fixed(Fixed::Api)) => self.answer(request, peer, standing).await,
            Some(Place::Fixed(Fixed::Script)) => client::script(request.method(), request.headers()),
            Some(Place::Fixed(Fixed::Health | Fixed::Ready | Fixed::Metrics)) if !probe => {
                not_allowed("GET, HEAD")
            }
            Some(Place::Fixed(Fixed::Health)) => plain(StatusCode::OK, "ok\n"),
            Some(Place::Fixed(Fixed::Ready)) => self.ready().await,
            Some(Place::Fixed(Fixed::Metrics)) => match self.refuse_metrics(peer, &request) {
                Some(refused) => refused,
                None => self.show_metrics().await,
            },
            Some(Place::Source(endpoint, tail)) => {
                let tail = tail.map(str::to_owned);
                self.ingest(endpoint, tail.as_deref(), peer, request, standing).await?
            }
            Some(Place::Page) if let Some(pages) = &self.pages => {
                self.page(pages, peer, request, standing).await
            }
            Some(Place::Page) | None => failure(StatusCode::NOT_FOUND, "there is nothing at this path"),
        })
    }

    /// Whether the store answers.
    async fn ready(&self) -> Reply {
        let anything = CommId::from_text("readyz");
        match in_time(self.store.call(AppId(0), &anything, self.clock.now())).await {
            Ok(_) => plain(StatusCode::OK, "ready\n"),
            Err(error) => {
                // Why is for the log: whoever asks may be anybody.
                tracing::warn!(%error, "not ready");
                plain(StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
            }
        }
    }

    async fn show_metrics(&self) -> Reply {
        // While the store is away, what is asked of it is left out: that is how a scraper says "unknown".
        let counts = in_time(self.store.counts()).await.ok();
        let gauges = counts.map(|counts| Gauges {
            open_calls: counts.open_calls,
            open_sessions: counts.open_sessions,
            orphans: counts.orphans,
        });
        let mut reply = plain(StatusCode::OK, self.metrics.render(gauges));
        reply
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
        reply
    }

    /// What the body of a request may be, up to `bytes`.
    fn cap<'a>(&self, bytes: usize, headers: &HeaderMap, standing: &'a Standing) -> Cap<'a> {
        // Who asks first whether to send need not be read out.
        let discarded_bytes = if headers.contains_key(EXPECT) { 0 } else { self.bounds.discarded_bytes };
        Cap { bytes, discarded_bytes, timeout: self.bounds.body_timeout, standing }
    }
}

/// How long a probe waits for the store. A balancer asks again in a moment.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// What the store says, unless it takes longer than a probe waits.
async fn in_time<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = |_| StoreError::Unavailable(format!("no answer within {} s", PROBE_TIMEOUT.as_secs()));
    tokio::time::timeout(PROBE_TIMEOUT, answer).await.map_err(late)?
}

/// A reply of plain text.
fn plain(status: StatusCode, text: impl Into<Bytes>) -> Reply {
    with_type(status, "text/plain; charset=utf-8", text)
}

/// A reply of JSON. The type has no parameter: some SDKs compare it byte by byte (contract section 1, fact 1).
fn json(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    with_type(status, "application/json", body)
}

fn with_type(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Reel::whole(body));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

/// A refusal outside the API: its code is the status.
fn failure(status: StatusCode, message: &str) -> Reply {
    let body = serde_json::json!({ "code": status.as_u16(), "message": message });
    json(status, body.to_string())
}

fn not_allowed(methods: &'static str) -> Reply {
    let mut reply = failure(StatusCode::METHOD_NOT_ALLOWED, "this path takes other methods");
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    reply
}

/// The sender may try again soon.
fn later(message: &str) -> Reply {
    let mut reply = failure(StatusCode::SERVICE_UNAVAILABLE, message);
    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
    reply
}

/// The reply to a body that is not there. The connection is of no use after it.
fn without_body(error: BodyError) -> Reply {
    let mut reply = match error {
        BodyError::TooLarge => failure(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"),
        BodyError::TooSlow => failure(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
        BodyError::Broken => failure(StatusCode::BAD_REQUEST, "the body ends too early or is framed wrongly"),
        BodyError::NoRoom => later("too many large bodies at one time"),
    };
    reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    reply
}
