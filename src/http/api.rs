//! `/`: HTTP to and from the API. Whatever is sent is answered there with status 200; only a body that never comes,
//! or one that there is no memory for, is answered here.

use std::net::IpAddr;

use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, StatusCode};

use super::body::{self, BodyError};
use super::connections::Standing;
use super::{Reply, Server, json, without_body};
use crate::store::Store;
use crate::wire;

/// Sent by clients, read back by some of them from the reply (contract section 3).
const TRACE_ID: HeaderName = HeaderName::from_static("x-tc-traceid");

impl<S: Store + 'static> Server<S> {
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        peer: IpAddr,
        standing: &Standing,
    ) -> Reply {
        let stopwatch = self.clock.stopwatch();
        let (head, body) = request.into_parts();
        let mut share = self.budget.share(0);
        let cap = self.cap(self.bounds.api_body_bytes, &head.headers, standing);
        let whole = body::read(body, cap, &mut share).await;
        let body = match &whole {
            Ok(bytes) => wire::Body::Whole(bytes),
            Err(BodyError::TooLarge) => wire::Body::TooLarge,
            Err(error) => return without_body(*error),
        };
        let mut headers = Vec::with_capacity(head.headers.len());
        headers.extend(head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
        let request = wire::Request {
            method: head.method.as_str(),
            target: head.uri.path_and_query().map_or("/", |target| target.as_str()),
            headers: &headers,
            body,
        };
        let id = self.ids.next();
        let from = self.watch.from(self.watch.client(peer, &head.headers));
        let reply = self.api.answer_from(&from, &request, self.clock.now(), id).await;

        let took_us = stopwatch.elapsed_us();
        let code = reply.code.map(wire::ErrorCode::wire);
        self.metrics.answered(reply.action, code, took_us);
        log(reply.action, code, id, took_us);

        let mut response = json(StatusCode::OK, reply.body);
        if let Some(trace_id) = reply.trace_id.and_then(|id| HeaderValue::try_from(id).ok()) {
            response.headers_mut().insert(TRACE_ID, trace_id);
        }
        response
    }
}

/// The one line of a request; a level for each kind of outcome, so that what went well costs nothing by default.
fn log(action: &str, code: Option<&str>, request_id: uuid::Uuid, took_us: u64) {
    let duration_ms = took_us / 1_000;
    match code {
        None => tracing::debug!(action, %request_id, duration_ms, "answered"),
        Some(code) if code.starts_with("InternalError") => {
            tracing::warn!(action, code, %request_id, duration_ms, "could not answer");
        }
        Some(code) => tracing::info!(action, code, %request_id, duration_ms, "refused"),
    }
}
