//! What the server would say to a request, before it is sent: the table finds what is absent or of the wrong type, and
//! the API itself, over a store without records, finds the rest. So no rule is written down a second time.

use uuid::Uuid;

use super::request::{Request, Value};
use super::sign::Signed;
use crate::actions::Api;
use crate::records::Millis;
use crate::store::Memory;
use crate::wire::{self, Body, ErrorCode, Fault, Kind, Language};

/// Most characters of a value that a message repeats.
const ECHO_CHARS: usize = 64;

/// Something that would be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// The fields of the form that it is about, the likeliest first.
    pub(super) fields: Vec<String>,
    pub(super) code: String,
    pub(super) message: String,
}

/// Everything that is wrong with the types, or else the first thing that the API says.
pub(super) async fn problems(
    api: &Api<Memory>,
    request: &Request,
    signed: &Signed,
    language: Language,
    now: Millis,
) -> Vec<Problem> {
    let mut problems = of_table(request, language);
    if let Some(said) = rehearse(api, request, signed, now).await
        && problems.iter().all(|known| known.code != said.code || known.fields != said.fields)
    {
        problems.push(said);
    }
    problems
}

/// Parameters that are absent, or not of their type.
fn of_table(request: &Request, language: Language) -> Vec<Problem> {
    let mut problems = Vec::new();
    for param in request.action.params {
        let value = request.values.iter().find(|(given, _)| given.name == param.name).map(|(_, value)| value);
        let fault = match value {
            None if param.required => Fault::about(ErrorCode::MissingParameter, &[&param.name]),
            Some(Value::Text(text)) if is_no_number(param.kind, text) => {
                Fault::about(ErrorCode::InvalidParameter, &[&param.name]).and(param.kind.name())
            }
            Some(_) | None => continue,
        };
        problems.push(Problem {
            fields: vec![param.name.to_owned()],
            code: fault.code.wire().to_owned(),
            message: fault.message(language, ECHO_CHARS),
        });
    }
    problems
}

fn is_no_number(kind: Kind, text: &str) -> bool {
    match kind {
        Kind::Number | Kind::NumberOrText => text.parse::<u64>().is_err(),
        Kind::Text | Kind::Texts => false,
    }
}

/// Sends the very bytes to an API that remembers nothing.
async fn rehearse(api: &Api<Memory>, request: &Request, signed: &Signed, now: Millis) -> Option<Problem> {
    let headers: Vec<(&str, &[u8])> =
        signed.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let sent = wire::Request {
        method: signed.method,
        target: &signed.target,
        headers: &headers,
        body: Body::Whole(signed.body.as_bytes()),
    };
    let reply = api.answer(&sent, now, Uuid::nil()).await;
    let code = reply.code?;
    let answer: serde_json::Value = serde_json::from_slice(&reply.body).ok()?;
    let message = answer["Response"]["Error"]["Message"].as_str().unwrap_or_default();
    Some(Problem {
        fields: fields(request, code, message),
        code: code.wire().to_owned(),
        message: message.to_owned(),
    })
}

/// The fields that a message is about: it names them in backticks.
fn fields(request: &Request, code: ErrorCode, message: &str) -> Vec<String> {
    if code.wire().starts_with("AuthFailure.") {
        let field = if code == ErrorCode::AuthSignatureExpire { "timestamp" } else { "key" };
        return vec![field.to_owned()];
    }
    if code == ErrorCode::UnsupportedRegion {
        return vec!["region".to_owned()];
    }
    let named = message.split('`').skip(1).step_by(2);
    let mut fields: Vec<String> = Vec::new();
    for name in named {
        let name = name.split('.').next().unwrap_or_default();
        let field = match name {
            "X-TC-Region" | "Region" => "region",
            "SecretId" => "key",
            "Timestamp" => "timestamp",
            _ => match request.action.params.iter().find(|param| param.name == name) {
                Some(param) => param.name,
                None => continue,
            },
        };
        if !fields.iter().any(|known| known == field) {
            fields.push(field.to_owned());
        }
    }
    fields
}
