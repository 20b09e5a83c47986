//! `/ui/…`: HTTP to and from the pages. What is large is packed for who understands it.

use std::io::Write as _;
use std::net::IpAddr;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue,
    LOCATION, VARY,
};
use hyper::{Method, Request, Response, StatusCode};

use super::connections::Standing;
use super::stream::Reel;
use super::{Reply, Server, body, not_allowed, plain, without_body};
use crate::store::Store;
use crate::web::{self, Asked, SECURITY_HEADERS, Shown, Web};

/// The largest form that a page sends, in bytes.
const FORM_BYTES_MAX: usize = 256 * 1_024;
/// A body from this size on is packed, in bytes.
const PACKED_BYTES_MIN: usize = 1_024;

impl<S: Store + 'static> Server<S> {
    /// Any request below `/ui`.
    pub(super) async fn page(
        &self,
        pages: &Web<S>,
        peer: IpAddr,
        request: Request<Incoming>,
        standing: &Standing,
    ) -> Reply {
        let (head, body) = request.into_parts();
        let method = match head.method {
            Method::GET | Method::HEAD => web::Method::Get,
            Method::POST => web::Method::Post,
            _ => return not_allowed("GET, HEAD, POST"),
        };
        let mut share = self.budget.share(0);
        let cap = self.cap(FORM_BYTES_MAX, &head.headers, standing);
        let body = match body::read(body, cap, &mut share).await {
            Ok(body) => body,
            Err(error) => return without_body(error),
        };
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let client = self.watch.client(peer, &head.headers);
        let asked = Asked {
            method,
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            header: &header,
            body: &body,
            peer: client.address,
            is_tls: self.is_tls,
            now: self.clock.now(),
        };
        if method == web::Method::Get && asked.path == web::STREAM_PATH {
            return match pages.watch(&asked).await {
                Ok(watching) => self.stream(watching),
                Err(shown) => reply(shown, false),
            };
        }
        let from = self.watch.from(client);
        let is_attempt = method == web::Method::Post && asked.path == web::LOGIN_PATH;
        if is_attempt && !from.may_try(asked.path, b"") {
            return reply(pages.refuse(&asked), false);
        }
        let shown = pages.answer(&asked).await;
        match shown.status {
            401 if is_attempt => from.failed(),
            303 if is_attempt => from.succeeded(asked.path, b""),
            _ => {}
        }
        let may_pack = header(ACCEPT_ENCODING.as_str()).is_some_and(|all| all.contains("gzip"));
        reply(shown, may_pack)
    }
}

/// Whether a GET of `/` is somebody with a browser, and no question: those name what they ask.
pub(super) fn is_browser(request: &Request<Incoming>) -> bool {
    let headers = request.headers();
    let accepts = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let asks = |name: &HeaderName| *name == AUTHORIZATION || name.as_str().starts_with("x-tc-");
    request.method() == Method::GET
        && accepts.is_some_and(|accept| accept.contains("text/html"))
        && request.uri().query().is_none_or(str::is_empty)
        && !headers.keys().any(asks)
}

/// To the pages.
pub(super) fn redirect() -> Reply {
    let mut reply = plain(StatusCode::FOUND, "");
    reply.headers_mut().insert(LOCATION, HeaderValue::from_static("/ui/"));
    reply
}

fn reply(shown: Shown, may_pack: bool) -> Reply {
    let Shown { status, content_type, mut body, headers } = shown;
    let packed = (may_pack && body.len() >= PACKED_BYTES_MIN).then(|| pack(&body)).flatten();
    let is_packed = packed.is_some();
    if let Some(packed) = packed {
        body = packed;
    }
    let mut reply = with_headers(Reel::whole(body), content_type);
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let out = reply.headers_mut();
    if is_packed {
        out.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    for (name, value) in headers {
        // A value that cannot be a header was made of something that a viewer wrote; the page is right without it.
        if let Ok(value) = HeaderValue::try_from(value) {
            out.append(HeaderName::from_static(name), value);
        }
    }
    reply
}

/// With the headers of every answer.
pub(super) fn with_headers(body: Reel, content_type: &'static str) -> Reply {
    let mut reply = Response::new(body);
    let out = reply.headers_mut();
    out.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    out.insert(VARY, HeaderValue::from_static("accept-encoding, cookie"));
    for (name, value) in SECURITY_HEADERS {
        out.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    reply
}

fn pack(body: &[u8]) -> Option<Vec<u8>> {
    let mut packer = GzEncoder::new(Vec::with_capacity(body.len() / 3), Compression::new(5));
    packer.write_all(body).ok()?;
    packer.finish().ok()
}
