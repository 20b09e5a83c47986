//! Signing, step by step, for `rollbook call`, the explorer and the tests.
//!
//! One piece of code makes a signature and what leads to it: [`Canonical::text`], then [`over`] for version 3,
//! [`v1_over`] for version 1. What a client does otherwise is another [`Canonical`], another source.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::keys::{chain, round, signer};
use super::pairs::Pair;
use super::tc3::{self, SERVICE, hex, utc_date};
use super::v1;

/// A request to be signed with version 3.
#[derive(Clone, Copy)]
pub struct Tc3<'a> {
    /// The key's public half.
    pub secret_id: &'a str,
    /// The key's secret half.
    pub secret_key: &'a str,
    /// The product's name in the scope; `trtc`, unless an SDK's habit is imitated.
    pub service: &'a str,
    /// `POST` or `GET`.
    pub method: &'a str,
    /// The header `Host`, as it will be sent.
    pub host: &'a str,
    /// The header `Content-Type`, as it will be sent.
    pub content_type: &'a str,
    /// What follows `?` for GET; empty for POST.
    pub query: &'a str,
    /// The body for POST; empty for GET.
    pub body: &'a [u8],
    /// Sign `UNSIGNED-PAYLOAD` in the body's place.
    pub unsigned_payload: bool,
    /// The header `X-TC-Timestamp`, in UNIX seconds.
    pub timestamp_s: u64,
}

/// What is signed of a request in version 3, in the order in which it is written.
#[derive(Debug, Clone, Copy)]
pub struct Canonical<'a> {
    /// `POST` or `GET`.
    pub method: &'a str,
    /// What follows `?` for GET; empty for POST.
    pub query: &'a str,
    /// Names and values of the signed headers, as they are written.
    pub headers: &'a [(&'a str, &'a str)],
    /// [`sha256`] of the payload.
    pub payload_hash: &'a str,
}

impl Canonical<'_> {
    /// `SignedHeaders`
    pub fn signed_headers(&self) -> String {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        names.join(";")
    }

    /// The canonical request.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n/\n{}\n", self.method, self.query);
        for (name, value) in self.headers {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name}:{value}");
        }
        text + "\n" + &self.signed_headers() + "\n" + self.payload_hash
    }
}

/// The key of a day and a service, with those that lead to it.
#[derive(Clone)]
pub struct DayKey(Zeroizing<[[u8; 32]; 3]>);

impl DayKey {
    /// Derives it.
    pub fn new(secret: &[u8], date: &str, service: &str) -> DayKey {
        DayKey(chain(secret, date.as_bytes(), service.as_bytes()))
    }

    /// The keys of the day, of the service, and of signing, in hexadecimal digits. Who has the last one can sign all
    /// day long.
    pub fn chain(&self) -> [String; 3] {
        self.0.each_ref().map(|key| text(&hex(key)))
    }

    /// The signature of a text, in hexadecimal digits.
    pub fn sign(&self, string_to_sign: &str) -> String {
        text(&hex(&round(signer(&self.0[2]), string_to_sign.as_bytes())))
    }
}

impl std::fmt::Debug for DayKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DayKey(…)")
    }
}

/// A signature of version 3, and everything on the way to it.
#[derive(Debug, Clone)]
pub struct Tc3Steps {
    /// The canonical request.
    pub canonical: String,
    /// Its hash.
    pub canonical_hash: String,
    /// `date/service/tc3_request`
    pub scope: String,
    /// What is signed in the end.
    pub string_to_sign: String,
    /// The keys that sign it.
    pub key: DayKey,
    /// The signature.
    pub signature: String,
}

/// SHA-256 in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    text(&hex(&Sha256::digest(bytes).into()))
}

fn text(digits: &[u8; 64]) -> String {
    String::from_utf8_lossy(digits).into_owned()
}

/// The UTC date of a UNIX second, as scopes have it; the last one there is for seconds beyond it.
pub fn date(second: u64) -> String {
    let date = utc_date(second).unwrap_or(*b"9999-12-31");
    String::from_utf8_lossy(&date).into_owned()
}

/// `date/service/tc3_request`
pub fn scope(date: &str, service: &str) -> String {
    format!("{date}/{service}/tc3_request")
}

/// What is signed in the end.
pub fn string_to_sign(timestamp: &str, scope: &str, canonical_hash: &str) -> String {
    format!("{}\n{timestamp}\n{scope}\n{canonical_hash}", tc3::ALGORITHM)
}

/// Signs a canonical request, however it came to be.
pub fn over(canonical: String, secret: &[u8], date: &str, service: &str, timestamp: &str) -> Tc3Steps {
    let canonical_hash = sha256(canonical.as_bytes());
    let scope = scope(date, service);
    let string_to_sign = string_to_sign(timestamp, &scope, &canonical_hash);
    let key = DayKey::new(secret, date, service);
    let signature = key.sign(&string_to_sign);
    Tc3Steps { canonical, canonical_hash, scope, string_to_sign, key, signature }
}

/// The header `Authorization`.
pub fn authorization(secret_id: &str, scope: &str, signed_headers: &str, signature: &str) -> String {
    format!(
        "{} Credential={secret_id}/{scope}, SignedHeaders={signed_headers}, Signature={signature}",
        tc3::ALGORITHM
    )
}

/// The header `Authorization`, and what led to it. Values are signed in lower case, as the documentation says.
pub fn tc3_steps(request: &Tc3<'_>) -> (String, Tc3Steps) {
    let payload = if request.unsigned_payload { tc3::UNSIGNED_PAYLOAD } else { request.body };
    let (content_type, host) = (request.content_type.to_ascii_lowercase(), request.host.to_ascii_lowercase());
    let canonical = Canonical {
        method: request.method,
        query: request.query,
        headers: &[("content-type", &content_type), ("host", &host)],
        payload_hash: &sha256(payload),
    };
    let (secret, date) = (request.secret_key.as_bytes(), date(request.timestamp_s));
    let steps = over(canonical.text(), secret, &date, request.service, &request.timestamp_s.to_string());
    let signed = canonical.signed_headers();
    (authorization(request.secret_id, &steps.scope, &signed, &steps.signature), steps)
}

/// The header `Authorization`.
pub fn tc3(request: &Tc3<'_>) -> String {
    tc3_steps(request).0
}

/// A JSON call of an action.
#[derive(Clone, Copy)]
pub struct Post<'a> {
    /// The key's public half.
    pub secret_id: &'a str,
    /// The key's secret half.
    pub secret_key: &'a str,
    /// The token of a temporary key, or `""`.
    pub token: &'a str,
    /// The header `Host`, as it will be sent.
    pub host: &'a str,
    /// The action.
    pub action: &'a str,
    /// The region.
    pub region: &'a str,
    /// The server's time, in UNIX seconds.
    pub timestamp_s: u64,
    /// The parameters, as a JSON object.
    pub body: &'a [u8],
}

/// The headers of a call: those of a JSON call, or with a query those of a GET. `Host` and `Authorization` are among
/// them.
pub type Headers = Vec<(&'static str, String)>;

/// The headers of a JSON call, `Host` and `Authorization` included.
pub fn post(call: &Post<'_>) -> Headers {
    call_steps(call, None).0
}

/// The headers of a call, and what led to its signature. With a query it is a GET of that query, else a POST of the body.
pub fn call_steps(call: &Post<'_>, query: Option<&str>) -> (Headers, Tc3Steps) {
    let content_type = match query {
        Some(_) => "application/x-www-form-urlencoded",
        None => "application/json",
    };
    let (authorization, steps) = tc3_steps(&Tc3 {
        secret_id: call.secret_id,
        secret_key: call.secret_key,
        service: SERVICE,
        method: if query.is_some() { "GET" } else { "POST" },
        host: call.host,
        content_type,
        query: query.unwrap_or_default(),
        body: if query.is_some() { b"" } else { call.body },
        unsigned_payload: false,
        timestamp_s: call.timestamp_s,
    });
    let mut headers = vec![
        ("Host", call.host.to_owned()),
        ("Content-Type", content_type.to_owned()),
        ("X-TC-Action", call.action.to_owned()),
        ("X-TC-Version", super::VERSION.to_owned()),
        ("X-TC-Region", call.region.to_owned()),
        ("X-TC-Timestamp", call.timestamp_s.to_string()),
        ("Authorization", authorization),
    ];
    if !call.token.is_empty() {
        headers.push(("X-TC-Token", call.token.to_owned()));
    }
    (headers, steps)
}

/// A signature of version 1, and everything on the way to it.
#[derive(Debug, Clone)]
pub struct V1Steps {
    /// `name=value&…`, by the bytes of the names, decoded.
    pub sorted: String,
    /// What is signed in the end.
    pub source: String,
    /// The signature.
    pub signature: String,
}

/// The parameter `Signature` of version 1 over decoded parameters, and what leads to it.
pub fn v1_steps(
    is_sha256: bool,
    secret_key: &str,
    method: &str,
    host: &str,
    parameters: &[(&str, &str)],
) -> V1Steps {
    let pairs: Vec<Pair<'_>> = parameters.iter().map(|&(name, value)| (name.into(), value.into())).collect();
    let sorted = v1::sorted(&pairs);
    let source = format!("{method}{host}/?{sorted}");
    let signature = v1_over(is_sha256, secret_key.as_bytes(), &source);
    V1Steps { sorted, source, signature }
}

/// Signs a source with version 1, however it came to be.
pub fn v1_over(is_sha256: bool, secret: &[u8], source: &str) -> String {
    v1::signature(is_sha256, secret, &[source.as_bytes()])
}

/// The parameter `Signature` of version 1, over decoded parameters.
pub fn v1(
    is_sha256: bool,
    secret_key: &str,
    method: &str,
    host: &str,
    parameters: &[(&str, &str)],
) -> String {
    v1_steps(is_sha256, secret_key, method, host, parameters).signature
}
