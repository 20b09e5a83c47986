//! Signature version 3, over any query or body of any action: what is signed is let in and answered as the table of
//! actions says, and nothing that was changed since is.
//!
//! The first byte says how it is sent, the second which action; the rest is the query or the body.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use rollbook::actions::{ACTIONS, Reply};
use rollbook::wire::sign::{self, Tc3};
use rollbook::wire::{Body, ErrorCode, Request, VERSION};
use rollbook_fuzz::api::{
    HOSTS, NOW_S, SECRET_ID, SECRET_KEY, answer, answer_of_other_secrets, is_of_authentication,
};

/// What a client chose, and what it sends.
#[derive(Clone, Copy)]
struct Sent<'a> {
    is_get: bool,
    is_unsigned: bool,
    content_type: &'a str,
    host: &'a str,
    action: &'a str,
    region: &'a str,
    language: &'a str,
    timestamp_s: u64,
    payload: &'a [u8],
}

impl<'a> Sent<'a> {
    fn read(bytes: &'a [u8]) -> Option<Sent<'a>> {
        let (&[how, action], payload) = bytes.split_first_chunk()?;
        let is = |bit: u32| how >> bit & 1 == 1;
        let action = &ACTIONS[usize::from(action) % ACTIONS.len()];
        let is_get = is(0);
        let content_type = match (is_get, is(1)) {
            (true, false) => "application/x-www-form-urlencoded",
            (true, true) => "Application/JSON; charset=utf-8",
            (false, false) => "application/json; charset=utf-8",
            (false, true) => "multipart/form-data; boundary=b",
        };
        Some(Sent {
            is_get,
            is_unsigned: is(2),
            content_type,
            host: HOSTS[usize::from(how >> 4 & 3)],
            action: action.name,
            region: action.regions[0],
            language: if is(3) { "zh-CN" } else { "en-US" },
            timestamp_s: if is(6) { NOW_S + 300 } else { NOW_S - 300 },
            payload,
        })
    }

    fn query(&self) -> Option<&'a str> {
        std::str::from_utf8(if self.is_get { self.payload } else { b"" }).ok()
    }

    fn authorization(&self) -> Option<String> {
        Some(sign::tc3(&Tc3 {
            secret_id: SECRET_ID,
            secret_key: SECRET_KEY,
            service: "trtc",
            method: if self.is_get { "GET" } else { "POST" },
            host: self.host,
            content_type: self.content_type,
            query: self.query()?,
            body: if self.is_get { b"" } else { self.payload },
            unsigned_payload: self.is_unsigned,
            timestamp_s: self.timestamp_s,
        }))
    }

    /// Asks with what was signed, or something else.
    fn ask(&self, authorization: &str, ask: impl Fn(&Request<'_>) -> Reply) -> Option<Reply> {
        let timestamp = self.timestamp_s.to_string();
        let mut headers: Vec<(&str, &[u8])> = vec![
            ("host", self.host.as_bytes()),
            ("content-type", self.content_type.as_bytes()),
            ("x-tc-action", self.action.as_bytes()),
            ("x-tc-version", VERSION.as_bytes()),
            ("x-tc-region", self.region.as_bytes()),
            ("x-tc-language", self.language.as_bytes()),
            ("x-tc-timestamp", timestamp.as_bytes()),
            ("authorization", authorization.as_bytes()),
        ];
        if self.is_unsigned {
            headers.push(("x-tc-content-sha256", b"UNSIGNED-PAYLOAD"));
        }
        let target = format!("/?{}", self.query()?);
        Some(ask(&Request {
            method: if self.is_get { "GET" } else { "POST" },
            target: if self.is_get { &target } else { "/" },
            headers: &headers,
            body: Body::Whole(if self.is_get { b"" } else { self.payload }),
        }))
    }
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some(sent) = Sent::read(bytes) else { return Corpus::Reject };
    let Some(authorization) = sent.authorization() else { return Corpus::Reject };
    let refused = |sent: &Sent<'_>, authorization: &str, expected: ErrorCode| {
        if let Some(reply) = sent.ask(authorization, answer) {
            assert_eq!(reply.code, Some(expected));
        }
    };
    let Some(reply) = sent.ask(&authorization, answer) else { return Corpus::Reject };
    if reply.code == Some(ErrorCode::RequestSizeLimitExceeded) {
        return Corpus::Reject;
    }
    assert!(!reply.code.is_some_and(is_of_authentication), "signed, and not let in: {:?}", reply.code);

    let other = sent.ask(&authorization, answer_of_other_secrets).and_then(|reply| reply.code);
    assert_eq!(other, Some(ErrorCode::AuthSignatureFailure));
    // Which byte is changed follows from the bytes themselves.
    let sum = bytes.iter().fold(0, |sum: usize, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    let digits = authorization.len() - 64;
    let mut forged = authorization.clone().into_bytes();
    let digit = &mut forged[digits + sum % 64];
    *digit = if *digit == b'0' { b'1' } else { b'0' };
    refused(&sent, &String::from_utf8_lossy(&forged), ErrorCode::AuthSignatureFailure);
    if !sent.payload.is_empty() && (sent.is_get || !sent.is_unsigned) {
        let mut payload = sent.payload.to_vec();
        payload[sum % sent.payload.len()] ^= 1;
        refused(&Sent { payload: &payload, ..sent }, &authorization, ErrorCode::AuthSignatureFailure);
    }
    // A name that the server is known by may be signed whatever the proxy in front sends.
    if sent.host != HOSTS[3] {
        let host = format!("{}x", sent.host);
        refused(&Sent { host: &host, ..sent }, &authorization, ErrorCode::AuthSignatureFailure);
    }
    let timestamp_s = if sum.is_multiple_of(2) { NOW_S - 301 } else { NOW_S + 301 };
    let late = Sent { timestamp_s, ..sent };
    refused(&late, &late.authorization().unwrap_or_default(), ErrorCode::AuthSignatureExpire);
    Corpus::Keep
});
