//! Signature version 1, over any parameters of any action: what is signed is let in and answered as the table of
//! actions says, and nothing that was changed since is.
//!
//! The first byte says how it is sent, the second which action; the rest are the action's own parameters, encoded.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::{Corpus, fuzz_target};
use rollbook::actions::{ACTIONS, Reply};
use rollbook::wire::sign;
use rollbook::wire::{Body, ErrorCode, Request, VERSION};
use rollbook_fuzz::api::{
    HOSTS, NOW_S, SECRET_ID, SECRET_KEY, answer, answer_of_other_secrets, is_of_authentication,
};

/// More parameters than this are refused, the common ones included.
const PARAMETERS_MAX: usize = 1_000;

struct Sent<'a> {
    is_get: bool,
    is_sha256: bool,
    is_dotted: bool,
    host: &'a str,
    /// The common parameters, encoded, each behind an `&`.
    common: String,
}

impl Sent<'_> {
    fn read(how: u8, action: u8) -> Sent<'static> {
        let is = |bit: u32| how >> bit & 1 == 1;
        let action = &ACTIONS[usize::from(action) % ACTIONS.len()];
        let method =
            ["", "&SignatureMethod=HmacSHA1", "&SignatureMethod=HmacSHA256"][usize::from(how & 3).min(2)];
        let language = if is(6) { "&Language=zh-CN" } else { "" };
        let (name, region) = (action.name, action.regions[0]);
        let timestamp_s = if is(7) { NOW_S + 300 } else { NOW_S - 300 };
        Sent {
            is_get: is(2),
            is_sha256: how & 3 >= 2,
            is_dotted: is(3),
            host: HOSTS[usize::from(how >> 4 & 3)],
            common: format!(
                "&Action={name}&Version={VERSION}&Region={region}&Timestamp={timestamp_s}&Nonce=7\
                 &SecretId={SECRET_ID}{method}{language}"
            ),
        }
    }

    fn method(&self) -> &'static str {
        if self.is_get { "GET" } else { "POST" }
    }

    /// Both texts that a client may sign of these parameters: names as they are, and with `.` for `_`.
    fn sources(&self, own: &[u8]) -> [String; 2] {
        let encoded = [own, self.common.as_bytes()].concat();
        let pairs: Vec<(String, String)> = form_urlencoded::parse(&encoded).into_owned().collect();
        let mut sorted = pairs.iter().filter(|(name, _)| name != "Signature").collect::<Vec<_>>();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        let text = |dotted: bool| {
            let name = |name: &str| if dotted { name.replace('_', ".") } else { name.to_owned() };
            sorted.iter().map(|(n, value)| format!("{}={value}", name(n))).collect::<Vec<_>>().join("&")
        };
        let source = |text: String| format!("{}{}/?{text}", self.method(), self.host);
        [source(text(false)), source(text(true))]
    }

    fn signature(&self, own: &[u8]) -> String {
        let [plain, dotted] = self.sources(own);
        let source = if self.is_dotted { dotted } else { plain };
        sign::v1_over(self.is_sha256, SECRET_KEY.as_bytes(), &source)
    }

    fn ask(&self, own: &[u8], signature: &str, ask: impl Fn(&Request<'_>) -> Reply) -> Option<Reply> {
        let signature: String = form_urlencoded::byte_serialize(signature.as_bytes()).collect();
        let encoded = [own, self.common.as_bytes(), b"&Signature=", signature.as_bytes()].concat();
        let target =
            if self.is_get { format!("/?{}", std::str::from_utf8(&encoded).ok()?) } else { "/".to_owned() };
        let content_type: &[u8] = b"application/x-www-form-urlencoded";
        Some(ask(&Request {
            method: self.method(),
            target: &target,
            headers: &[("Host", self.host.as_bytes()), ("Content-Type", content_type)],
            body: Body::Whole(if self.is_get { b"" } else { &encoded }),
        }))
    }

    /// What has to be refused whoever signs it.
    fn is_wrong(&self, own: &[u8]) -> Option<ErrorCode> {
        let is_escaped = |part: &[u8]| {
            let mut escapes = part.split(|byte| *byte == b'%').skip(1);
            escapes.all(|rest| rest.len() >= 2 && rest[..2].iter().all(u8::is_ascii_hexdigit))
        };
        let is_text =
            |part: &[u8]| String::from_utf8(percent_encoding::percent_decode(part).collect()).is_ok();
        let mut parts = own.split(|byte| *byte == b'&');
        if !parts.all(|part| part.split(|byte| *byte == b'=').all(is_escaped) && is_text(part)) {
            return Some(ErrorCode::UrlParamsError);
        }
        let encoded = [own, self.common.as_bytes(), b"&Signature="].concat();
        let names: Vec<_> = form_urlencoded::parse(&encoded).map(|(name, _)| name).collect();
        if names.len() > PARAMETERS_MAX {
            return Some(ErrorCode::UrlParamsError);
        }
        let different: BTreeSet<_> = names.iter().collect();
        (different.len() < names.len()).then_some(ErrorCode::InvalidParameter)
    }
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((&[how, action], own)) = bytes.split_first_chunk() else { return Corpus::Reject };
    let sent = Sent::read(how, action);
    let signature = sent.signature(own);
    let Some(reply) = sent.ask(own, &signature, answer) else { return Corpus::Reject };
    if reply.code == Some(ErrorCode::RequestSizeLimitExceeded) {
        return Corpus::Reject;
    }
    if let Some(code) = sent.is_wrong(own) {
        // A common parameter that comes twice may also be wrong in itself, which is said first.
        let is_said = reply.code.is_some_and(|said| said == code || !is_of_authentication(said));
        assert!(is_said, "wrong, and told as {:?}", reply.code);
        return Corpus::Keep;
    }
    assert!(!reply.code.is_some_and(is_of_authentication), "signed, and not let in: {:?}", reply.code);

    let other = sent.ask(own, &signature, answer_of_other_secrets).and_then(|reply| reply.code);
    assert_eq!(other, Some(ErrorCode::AuthSignatureFailure));
    let sum = bytes.iter().fold(0, |sum: usize, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    let mut forged = signature.clone().into_bytes();
    let place = sum % (forged.len() - 2);
    forged[place] = if forged[place] == b'0' { b'1' } else { b'0' };
    let reply = sent.ask(own, &String::from_utf8_lossy(&forged), answer);
    assert_eq!(reply.and_then(|reply| reply.code), Some(ErrorCode::AuthSignatureFailure));
    if own.is_empty() {
        return Corpus::Keep;
    }
    let mut changed = own.to_vec();
    changed[sum % own.len()] ^= 1;
    // Two lists of parameters may be one text when they are put together: that is how this version signs.
    let (before, after) = (sent.sources(own), sent.sources(&changed));
    if sent.is_wrong(&changed).is_none()
        && !after.contains(&before[usize::from(sent.is_dotted)])
        && let Some(reply) = sent.ask(&changed, &signature, answer)
    {
        assert_eq!(reply.code, Some(ErrorCode::AuthSignatureFailure));
    }
    Corpus::Keep
});
