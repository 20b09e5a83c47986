//! The common part of a request: which scheme signed it, which action it names, who says to have sent it
//! (contract sections 2, 3 and steps 1 to 5 of section 8.1).

use std::borrow::Cow;

use super::pairs::{self, Pair};
use super::params::{Param, Params};
use super::{Body, Bounds, ErrorCode, Fault, Language, Request, SigningKeys, Text, json, multipart, tc3, v1};

/// What could be read of a request, refused or not.
#[derive(Debug)]
pub struct Opened<'a> {
    /// The language of messages.
    pub language: Language,
    /// The caller's trace id, to be sent back in the header `x-tc-traceid`.
    pub trace_id: Option<&'a str>,
    /// The request, or why it is refused.
    pub call: Result<Call<'a>, Fault>,
}

/// A request whose common parameters are all there. Its signature has not been checked.
#[derive(Debug)]
pub struct Call<'a> {
    /// The action.
    pub action: Cow<'a, str>,
    /// The version of the API.
    pub version: Cow<'a, str>,
    /// The region, or `""`.
    pub region: Cow<'a, str>,
    /// What messages call the region: the header's name, or the parameter's.
    pub region_name: &'static str,
    /// Who says to have sent it.
    pub secret_id: Cow<'a, str>,
    /// The token of a temporary key, or `""`.
    pub token: Cow<'a, str>,
    /// When it was signed, in UNIX seconds.
    pub timestamp_s: u64,
    proof: Proof<'a>,
    payload: Payload<'a>,
    bounds: &'a Bounds,
    public_hosts: &'a [String],
}

/// How it was signed.
#[derive(Debug)]
enum Proof<'a> {
    Tc3(tc3::Claim<'a>),
    V1(v1::Claim<'a>),
}

/// Where the parameters of the action are.
#[derive(Debug)]
enum Payload<'a> {
    Query(&'a str),
    Pairs(Vec<Pair<'a>>),
    Json(&'a [u8]),
    Multipart { body: &'a [u8], boundary: &'a [u8] },
}

/// The headers that matter, each as it came first; an empty one counts as absent.
#[derive(Debug, Default)]
struct Headers<'a> {
    authorization: Option<&'a [u8]>,
    content_type: &'a [u8],
    host: &'a [u8],
    content_sha256: &'a [u8],
    action: &'a str,
    version: &'a str,
    region: &'a str,
    timestamp: &'a str,
    token: &'a str,
    language: &'a str,
    trace_id: &'a str,
}

impl<'a> Headers<'a> {
    fn read(headers: &'a [(&'a str, &'a [u8])]) -> Headers<'a> {
        let mut read = Headers::default();
        for &(name, value) in headers {
            let value = value.trim_ascii();
            let bytes = |slot: &mut &'a [u8]| {
                if slot.is_empty() {
                    *slot = value;
                }
            };
            let text = |slot: &mut &'a str| {
                if slot.is_empty() {
                    *slot = std::str::from_utf8(value).unwrap_or_default();
                }
            };
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            // The lengths of the names differ enough that most comparisons are of two numbers.
            match name.len() {
                4 if is("host") => bytes(&mut read.host),
                10 if is("x-tc-token") => text(&mut read.token),
                11 if is("x-tc-action") => text(&mut read.action),
                11 if is("x-tc-region") => text(&mut read.region),
                12 if is("content-type") => bytes(&mut read.content_type),
                12 if is("x-tc-version") => text(&mut read.version),
                12 if is("x-tc-traceid") => text(&mut read.trace_id),
                13 if is("authorization") => read.authorization = read.authorization.or(Some(value)),
                13 if is("x-tc-language") => text(&mut read.language),
                14 if is("x-tc-timestamp") => text(&mut read.timestamp),
                19 if is("x-tc-content-sha256") => bytes(&mut read.content_sha256),
                _ => {}
            }
        }
        read
    }
}

/// Reads the common part of a request. `public_hosts` are further host names that a signature may name.
pub fn open<'a>(request: &'a Request<'a>, bounds: &'a Bounds, public_hosts: &'a [String]) -> Opened<'a> {
    let headers = Headers::read(request.headers);
    let mut opened = Opened {
        language: Language::from_name(headers.language),
        trace_id: Some(headers.trace_id).filter(|id| is_trace_id(id, bounds.trace_id_bytes)),
        call: Err(ErrorCode::UnsupportedProtocol.into()),
    };
    opened.call = Reader { request, bounds, public_hosts }.read(&headers, &mut opened.language);
    opened
}

/// A trace id goes back in a header, so only what is safe there is taken.
fn is_trace_id(id: &str, bytes_max: usize) -> bool {
    !id.is_empty() && id.len() <= bytes_max && id.bytes().all(|b| b.is_ascii_graphic())
}

/// What every step of reading needs.
#[derive(Clone, Copy)]
struct Reader<'a> {
    request: &'a Request<'a>,
    bounds: &'a Bounds,
    public_hosts: &'a [String],
}

impl<'a> Reader<'a> {
    fn read(self, headers: &Headers<'a>, language: &mut Language) -> Result<Call<'a>, Fault> {
        let Reader { request, bounds, .. } = self;
        let is_get = match request.method {
            "GET" => true,
            "POST" => false,
            _ => return Err(ErrorCode::UnsupportedProtocol.into()),
        };
        let Body::Whole(body) = request.body else { return Err(ErrorCode::RequestSizeLimitExceeded.into()) };
        let is_signed = headers.authorization.is_some();
        let body_bytes_max = if is_signed { bounds.body_bytes } else { bounds.form_bytes };
        if request.target.len() > bounds.target_bytes || body.len() > body_bytes_max {
            return Err(ErrorCode::RequestSizeLimitExceeded.into());
        }
        let query = request.target.split_once('?').map_or("", |(_, query)| query);
        let (media_type, parameters) = split_media_type(headers.content_type);
        let is = |other: &[u8]| media_type.eq_ignore_ascii_case(other);
        match headers.authorization {
            None if is_get => self.read_v1(headers, query.as_bytes(), language),
            None if is(b"application/x-www-form-urlencoded") => self.read_v1(headers, body, language),
            None => Err(Fault::own(
                ErrorCode::InvalidParameter,
                Text::new(
                    "A POST that is not a form needs the header `Authorization`.",
                    "非表单的 POST 请求必须带请求头 `Authorization`。",
                ),
                &[],
            )),
            Some(authorization) => {
                let payload = if is_get {
                    Payload::Query(query)
                } else if is(b"application/json") {
                    Payload::Json(body)
                } else if is(b"multipart/form-data") {
                    Payload::Multipart { body, boundary: multipart::boundary(parameters) }
                } else {
                    return Err(ErrorCode::UnsupportedProtocol.into());
                };
                self.read_v3(headers, authorization, payload)
            }
        }
    }

    fn read_v3(
        self,
        headers: &Headers<'a>,
        authorization: &'a [u8],
        payload: Payload<'a>,
    ) -> Result<Call<'a>, Fault> {
        require(&[
            ("Timestamp", headers.timestamp),
            ("Action", headers.action),
            ("Version", headers.version),
        ])?;
        let timestamp_s = seconds(headers.timestamp)?;
        let signed = match payload {
            _ if headers.content_sha256 == tc3::UNSIGNED_PAYLOAD => tc3::UNSIGNED_PAYLOAD,
            Payload::Json(body) | Payload::Multipart { body, .. } => body,
            Payload::Query(_) | Payload::Pairs(_) => b"",
        };
        let signed = tc3::Signed {
            method: self.request.method,
            query: if let Payload::Query(query) = payload { query } else { "" },
            headers: self.request.headers,
            host: headers.host,
            timestamp: headers.timestamp,
            payload: signed,
        };
        let claim = tc3::Claim::read(authorization, timestamp_s, signed, self.public_hosts)?;
        Ok(Call {
            action: headers.action.into(),
            version: headers.version.into(),
            region: headers.region.into(),
            region_name: "X-TC-Region",
            secret_id: claim.secret_id.into(),
            token: headers.token.into(),
            timestamp_s,
            proof: Proof::Tc3(claim),
            payload,
            bounds: self.bounds,
            public_hosts: self.public_hosts,
        })
    }

    fn read_v1(
        self,
        headers: &Headers<'a>,
        encoded: &'a [u8],
        language: &mut Language,
    ) -> Result<Call<'a>, Fault> {
        let pairs = pairs::decode(encoded, self.bounds.parameters)?;
        let common = v1::Common::read(&pairs);
        *language = Language::from_name(common.language);
        require(&[
            ("Timestamp", common.timestamp),
            ("Nonce", common.nonce),
            ("SecretId", common.secret_id),
            ("Signature", common.signature),
            ("Action", common.action),
            ("Version", common.version),
        ])?;
        pairs::refuse_repeats(&pairs)?;
        let timestamp_s = seconds(common.timestamp)?;
        if common.nonce.parse::<u64>().is_err() {
            return Err(Fault::about(ErrorCode::InvalidParameter, &[&"Nonce", &"uint64"]));
        }
        let own = |text: &str| Cow::Owned(text.to_owned());
        Ok(Call {
            action: own(common.action),
            version: own(common.version),
            region: own(common.region),
            region_name: "Region",
            secret_id: own(common.secret_id),
            token: own(common.token),
            timestamp_s,
            proof: Proof::V1(v1::Claim::new(self.request.method, headers.host, &common)),
            payload: Payload::Pairs(pairs),
            bounds: self.bounds,
            public_hosts: self.public_hosts,
        })
    }
}

/// The media type, and what follows its first `;`.
fn split_media_type(content_type: &[u8]) -> (&[u8], &[u8]) {
    match content_type.iter().position(|&b| b == b';') {
        Some(at) => (content_type[..at].trim_ascii(), &content_type[at + 1..]),
        None => (content_type.trim_ascii(), b""),
    }
}

/// The first of the named texts that is empty is missing.
fn require(named: &[(&'static str, &str)]) -> Result<(), Fault> {
    match named.iter().find(|(_, value)| value.is_empty()) {
        Some((name, _)) => Err(Fault::about(ErrorCode::MissingParameter, &[name])),
        None => Ok(()),
    }
}

fn seconds(text: &str) -> Result<u64, Fault> {
    let plain = text.bytes().all(|b| b.is_ascii_digit());
    let wrong = || Fault::about(ErrorCode::InvalidParameter, &[&"Timestamp", &"uint64"]);
    text.parse().ok().filter(|_| plain).ok_or_else(wrong)
}

impl Call<'_> {
    /// Whether the request was signed within `skew_s` of `now_s`, inclusive.
    pub fn check_clock(&self, now_s: i64, skew_s: u64) -> Result<(), Fault> {
        let now = u64::try_from(now_s).unwrap_or(0);
        if self.timestamp_s.abs_diff(now) > skew_s {
            return Err(Fault::about(ErrorCode::AuthSignatureExpire, &[&self.timestamp_s, &now]));
        }
        Ok(())
    }

    /// Checks that the signature was made with this secret. `slot` tells keys apart in the cache.
    pub fn verify(&self, secret: &[u8], slot: usize, keys: &SigningKeys) -> Result<(), Fault> {
        match (&self.proof, &self.payload) {
            (Proof::Tc3(claim), _) => claim.verify(secret, slot, self.public_hosts, keys),
            (Proof::V1(claim), Payload::Pairs(pairs)) => claim.verify(pairs, secret, self.public_hosts),
            (Proof::V1(_), Payload::Query(_) | Payload::Json(_) | Payload::Multipart { .. }) => {
                Err(ErrorCode::AuthSignatureFailure.into())
            }
        }
    }

    /// The parameters of the action, as its table says (steps 14 and 15 of section 8.1).
    pub fn decode(&self, table: &'static [Param]) -> Result<Params<'_>, Fault> {
        let limit = self.bounds.parameters;
        match &self.payload {
            Payload::Json(body) => json::decode(body, table, limit),
            Payload::Multipart { body, boundary } => multipart::decode(body, boundary, table, limit),
            Payload::Query(query) => {
                let pairs = pairs::decode(query.as_bytes(), limit)?;
                pairs::parameters(pairs.into_iter(), table)
            }
            Payload::Pairs(pairs) => {
                let own = pairs.iter().filter(|(name, _)| !v1::is_common(name));
                pairs::parameters(
                    own.map(|(name, value)| (Cow::Borrowed(&**name), Cow::Borrowed(&**value))),
                    table,
                )
            }
        }
    }
}
