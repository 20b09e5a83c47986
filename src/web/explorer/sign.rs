//! From a [`Request`] and a key to the bytes that are sent, with the signature step by step.

use super::form::Signer;
use super::request::{Request, Scheme, Verb};
use crate::wire::VERSION;
use crate::wire::sign::{self, Headers, Post, Tc3Steps, V1Steps};

/// A request, ready to be sent.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) method: &'static str,
    /// Path and query.
    pub(super) target: String,
    /// Without `Content-Length`; `Host` is the first.
    pub(super) headers: Headers,
    pub(super) body: String,
    pub(super) timestamp_s: u64,
    pub(super) nonce: u64,
    pub(super) steps: Steps,
}

/// How the signature came to be.
#[derive(Debug)]
pub(super) enum Steps {
    Tc3(Tc3Steps),
    V1(V1Steps),
}

/// One step, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// A word that names it, for scripts.
    pub(super) name: &'static str,
    pub(super) text: String,
    /// The bytes are not to be shown.
    pub(super) is_hidden: bool,
}

/// When it is signed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) timestamp_s: u64,
    /// Only version 1 sends it.
    pub(super) nonce: u64,
}

const FORM: &str = "application/x-www-form-urlencoded";

/// Signs. `language` is that of the messages that are wanted.
pub(super) fn sign(request: &Request, signer: &Signer, at: Moment, language: Option<&str>) -> Signed {
    match request.scheme {
        Scheme::Tc3 => sign_tc3(request, signer, at, language),
        Scheme::Sha1 | Scheme::Sha256 => sign_v1(request, signer, at, language),
    }
}

fn sign_tc3(request: &Request, signer: &Signer, at: Moment, language: Option<&str>) -> Signed {
    let json = request.json();
    let query = match request.verb {
        Verb::Post => None,
        Verb::Get => Some(encode(request.pairs().iter())),
    };
    let call = Post {
        secret_id: &signer.secret_id,
        secret_key: signer.secret_key.expose(),
        token: signer.token.expose(),
        host: &request.endpoint.host,
        action: request.action.name,
        region: &request.region,
        timestamp_s: at.timestamp_s,
        body: json.as_bytes(),
    };
    let (mut headers, steps) = sign::call_steps(&call, query.as_deref());
    headers.extend(language.map(|language| ("X-TC-Language", language.to_owned())));
    Signed {
        method: request.verb.name(),
        target: query.as_ref().map_or_else(|| "/".to_owned(), |query| format!("/?{query}")),
        body: if query.is_some() { String::new() } else { json },
        headers,
        timestamp_s: at.timestamp_s,
        nonce: at.nonce,
        steps: Steps::Tc3(steps),
    }
}

/// The parameters of a version 1 request, all but its signature.
pub(super) fn v1_parameters(
    request: &Request,
    signer: &Signer,
    at: Moment,
    language: Option<&str>,
) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = [
        ("Action", request.action.name.to_owned()),
        ("Version", VERSION.to_owned()),
        ("Region", request.region.clone()),
        ("Timestamp", at.timestamp_s.to_string()),
        ("Nonce", at.nonce.to_string()),
        ("SecretId", signer.secret_id.clone()),
        ("SignatureMethod", request.scheme.name().to_owned()),
        ("Token", signer.token.expose().to_owned()),
        ("Language", language.unwrap_or_default().to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    pairs.retain(|(name, value)| !value.is_empty() || (name != "Token" && name != "Language"));
    pairs.extend(request.pairs());
    pairs
}

fn sign_v1(request: &Request, signer: &Signer, at: Moment, language: Option<&str>) -> Signed {
    let mut pairs = v1_parameters(request, signer, at, language);
    let borrowed: Vec<(&str, &str)> =
        pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (secret, method, host) = (signer.secret_key.expose(), request.verb.name(), &request.endpoint.host);
    let steps = sign::v1_steps(request.scheme == Scheme::Sha256, secret, method, host, &borrowed);
    pairs.push(("Signature".to_owned(), steps.signature.clone()));
    let encoded = encode(pairs.iter());
    let mut headers: Headers = vec![("Host", host.clone())];
    let (target, body) = match request.verb {
        Verb::Get => (format!("/?{encoded}"), String::new()),
        Verb::Post => {
            headers.push(("Content-Type", FORM.to_owned()));
            ("/".to_owned(), encoded)
        }
    };
    Signed {
        method,
        target,
        headers,
        body,
        timestamp_s: at.timestamp_s,
        nonce: at.nonce,
        steps: Steps::V1(steps),
    }
}

/// `name=value&…`. What it writes a browser leaves as it is.
pub(super) fn encode<'a>(pairs: impl Iterator<Item = &'a (String, String)>) -> String {
    let mut out = form_urlencoded::Serializer::new(String::new());
    out.extend_pairs(pairs);
    out.finish()
}

impl Signed {
    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn signature(&self) -> &str {
        match &self.steps {
            Steps::Tc3(steps) => &steps.signature,
            Steps::V1(steps) => &steps.signature,
        }
    }

    /// The steps in their order. The keys that are derived from a stored secret can sign for a day, so they are hidden.
    pub(super) fn shown(&self, is_stored: bool) -> Vec<Step> {
        let step = |name, text: &str| Step { name, text: text.to_owned(), is_hidden: false };
        match &self.steps {
            Steps::Tc3(steps) => {
                let keys = if is_stored { String::new() } else { steps.key.chain().join("\n") };
                vec![
                    step("canonical", &steps.canonical),
                    step("hash", &steps.canonical_hash),
                    step("string", &steps.string_to_sign),
                    Step { name: "keys", text: keys, is_hidden: is_stored },
                    step("header", self.header("Authorization").unwrap_or_default()),
                ]
            }
            Steps::V1(steps) => vec![
                step("sorted", &steps.sorted),
                step("source", &steps.source),
                step("hmac", &steps.signature),
            ],
        }
    }
}
