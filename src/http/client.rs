//! `/client/rollbook.js`: the script that pages watch their connections with.

use std::sync::LazyLock;

use hyper::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, StatusCode};
use sha2::{Digest as _, Sha256};

use super::{Reply, not_allowed, with_type};

/// The path.
pub(super) const PATH: &str = "/client/rollbook.js";

/// The script as it is served: as it was written.
const SCRIPT: &[u8] = include_bytes!("client.js");

/// Names this content, so that a page that has it need not load it again.
static TAG: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::digest(SCRIPT);
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
});

/// Any method at the path.
pub(super) fn script(method: &Method, headers: &HeaderMap) -> Reply {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return not_allowed("GET, HEAD");
    }
    let mut reply = if is_known(headers) {
        let mut reply = Reply::default();
        *reply.status_mut() = StatusCode::NOT_MODIFIED;
        reply
    } else {
        with_type(StatusCode::OK, "text/javascript; charset=utf-8", SCRIPT)
    };
    let headers = reply.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&TAG) {
        headers.insert(ETAG, tag);
    }
    // A new version of the server is the page's at its next load.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // It is public, and made for pages of other origins, those that isolate themselves included.
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let policy = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(policy, HeaderValue::from_static("cross-origin"));
    reply
}

/// Whether the browser says that it has this content.
fn is_known(headers: &HeaderMap) -> bool {
    let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|tags| tags.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag == *TAG)
}
