//! Whole requests as they come over a socket. Who does not know the secret gets nothing but a refusal that would have
//! come whatever the secret is.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use rollbook::wire::{Body, ErrorCode, Request};
use rollbook_fuzz::api::{answer, answer_of_other_secrets, is_of_authentication};

/// What may be said before anybody has shown who asks.
const BEFORE_ANYBODY: [ErrorCode; 6] = [
    ErrorCode::UnsupportedProtocol,
    ErrorCode::RequestSizeLimitExceeded,
    ErrorCode::UrlParamsError,
    ErrorCode::InvalidParameter,
    ErrorCode::MissingParameter,
    ErrorCode::InvalidRequest,
];

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut headers);
    let Ok(httparse::Status::Complete(body)) = head.parse(bytes) else { return Corpus::Reject };
    let headers: Vec<(&str, &[u8])> = head.headers.iter().map(|header| (header.name, header.value)).collect();
    let request = Request {
        method: head.method.unwrap_or_default(),
        target: head.path.unwrap_or_default(),
        headers: &headers,
        body: Body::Whole(&bytes[body..]),
    };
    let reply = answer(&request);
    let other = answer_of_other_secrets(&request);
    let code = other.code.expect("an answer for who does not know the secret");
    assert!(is_of_authentication(code) || BEFORE_ANYBODY.contains(&code), "said to anybody: {code:?}");
    if reply != other {
        assert_eq!(
            code,
            ErrorCode::AuthSignatureFailure,
            "the secret mattered, and {:?} was said",
            reply.code
        );
    }
    Corpus::Keep
});
