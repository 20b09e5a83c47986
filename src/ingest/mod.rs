//! Takes in: what sources send becomes [`Event`]s, or a refusal that says what, where, and what would be
//! right. Nothing here does IO or asks the time: bytes and the time of receipt go in, events come out, and
//! the caller makes them durable before it acknowledges.
//!
//! Each source has one file and one row in [`SOURCES`]; nothing outside knows its payload. [`trtc`] reads the
//! callbacks of Tencent RTC, [`livekit`] the webhooks of LiveKit, [`janus`] the events of Janus, [`stats`] WebRTC statistics; [`lines`] neutral events,
//! one JSON object a line; [`attributes`] facts about users; [`records`] finished records as NDJSON or CSV;
//! [`deliveries`] recorded HTTP deliveries; [`jwt`] signed tokens. [`export`] writes what [`lines`] and [`records`] read.
//! `docs/events.md` describes the formats with examples.

pub mod trtc;
pub mod livekit;
pub mod janus;
pub mod lines;
pub mod attributes;
pub mod records;
pub mod stats;
pub mod export;
pub mod deliveries;
pub mod jwt;
mod samples;
mod apps;
mod bounds;
mod client;
mod gzip;
mod privacy;
mod row;
mod source;
mod words;

pub use apps::{App, Apps, Janus, LiveKit};
pub use bounds::{
    DELIVERY_BYTES_MAX, ID_BYTES_MAX, LINE_BYTES_MAX, LINES_MAX, MOMENT_END_MS, MOMENT_MIN_MS, RAW_BYTES_MAX,
    REFUSED_LINES_SHOWN_MAX, TEXT_BYTES_MAX, VALUES_MAX,
};
pub use client::{CLIENT_TOKEN_S_MAX, Told, client_token};
pub use gzip::gunzip;
pub use privacy::ClientIpPolicy;
pub use source::{Acknowledge, Endpoint, Head, Import, Ingest, SOURCES, Size, Source};

use crate::records::quality::Series;
use crate::records::{AppId, Event};

/// Why a delivery as a whole is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// No such application is configured here.
    #[error("application {0} is not configured here")]
    UnknownApp(AppId),
    /// The application has a callback key, and the delivery no signature.
    #[error("header Sign is missing: the callback must be signed with the key set for this application")]
    MissingSignature,
    /// The signature is not that of this body under the application's key.
    #[error("header Sign does not match: expected base64(HMAC-SHA256(callback key, raw body))")]
    BadSignature,
    /// The application has no callback key, and unsigned callbacks are not allowed for it.
    #[error("application {0} has no trtc_callback_key: set it, or allow trtc_unsigned")]
    NoKey(AppId),
    /// The request carries no token.
    #[error("header Authorization is missing: expected `Bearer <token>`")]
    MissingToken,
    /// The bearer token belongs to no application.
    #[error("the bearer token belongs to no application")]
    BadToken,
    /// What should be a signed token is none.
    #[error("the token is no JWT: {0}")]
    UnreadableToken(&'static str),
    /// The token is signed in another way, or not at all.
    #[error("the token's algorithm is not HS256")]
    BadAlgorithm,
    /// The token's signature is not made with the secret of whom it names.
    #[error(
        "the token's signature does not match: it must be made with the secret that belongs to what the token names"
    )]
    BadTokenSignature,
    /// The token is not good yet.
    #[error(
        "the token is not good yet: nbf or iat is more than {} s ahead of this server's clock",
        jwt::LEEWAY_S
    )]
    EarlyToken,
    /// The token is not good any more.
    #[error("the token has expired: exp is more than {} s behind this server's clock", jwt::LEEWAY_S)]
    ExpiredToken,
    /// No application has this API key of LiveKit, shown as a refusal shows it.
    #[error("no application has the livekit.api_key {0} of the token")]
    UnknownKey(String),
    /// The token is for another body.
    #[error("the token's sha256 is not that of this body: expected base64(SHA-256(raw body))")]
    BadBodyHash,
    /// The token is good for longer than the token of a client may be.
    #[error("the token is good for too long: exp may be at most {CLIENT_TOKEN_S_MAX} s after iat")]
    LongToken,
    /// The token is for something else.
    #[error(
        "the token is not for this {0}: what a client sends is about the app, room and user of its token"
    )]
    NotGranted(&'static str),
    /// The request carries no user name and password.
    #[error("header Authorization is missing: expected `Basic base64(user:password)`")]
    MissingPassword,
    /// They are not those of the application.
    #[error("user name or password is wrong")]
    BadPassword,
    /// No credentials are set, and the sender is on another machine.
    #[error("no user and password are set for this application, so only this machine may send")]
    NotLocal,
    /// The delivery cannot be read.
    #[error("{place}: {what}")]
    Malformed {
        /// Where the trouble is: a header, a field's path, a place in the text.
        place: String,
        /// What is wrong there and what would be right.
        what: String,
    },
    /// More bytes than allowed, as sent or when unpacked.
    #[error("the body is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
}

impl Rejected {
    /// Every value that [`Rejected::name`] has.
    pub const NAMES: [&'static str; 20] = [
        "unknown_app",
        "missing_signature",
        "bad_signature",
        "no_key",
        "missing_token",
        "bad_token",
        "unreadable_token",
        "bad_algorithm",
        "bad_token_signature",
        "early_token",
        "expired_token",
        "unknown_key",
        "bad_body_hash",
        "long_token",
        "not_granted",
        "missing_password",
        "bad_password",
        "not_local",
        "malformed",
        "too_large",
    ];

    /// The HTTP status of the reply.
    pub const fn status(&self) -> u16 {
        match self {
            Rejected::UnknownApp(_) | Rejected::UnknownKey(_) => 404,
            Rejected::MissingSignature
            | Rejected::BadSignature
            | Rejected::NoKey(_)
            | Rejected::MissingToken
            | Rejected::BadToken
            | Rejected::UnreadableToken(_)
            | Rejected::BadAlgorithm
            | Rejected::BadTokenSignature
            | Rejected::EarlyToken
            | Rejected::ExpiredToken
            | Rejected::BadBodyHash
            | Rejected::LongToken
            | Rejected::MissingPassword
            | Rejected::BadPassword
            | Rejected::NotLocal => 401,
            Rejected::NotGranted(_) => 403,
            Rejected::Malformed { .. } => 400,
            Rejected::TooLarge { .. } => 413,
        }
    }

    /// The value of the label `reason` in metrics.
    pub const fn name(&self) -> &'static str {
        let place = match self {
            Rejected::UnknownApp(_) => 0,
            Rejected::MissingSignature => 1,
            Rejected::BadSignature => 2,
            Rejected::NoKey(_) => 3,
            Rejected::MissingToken => 4,
            Rejected::BadToken => 5,
            Rejected::UnreadableToken(_) => 6,
            Rejected::BadAlgorithm => 7,
            Rejected::BadTokenSignature => 8,
            Rejected::EarlyToken => 9,
            Rejected::ExpiredToken => 10,
            Rejected::UnknownKey(_) => 11,
            Rejected::BadBodyHash => 12,
            Rejected::LongToken => 13,
            Rejected::NotGranted(_) => 14,
            Rejected::MissingPassword => 15,
            Rejected::BadPassword => 16,
            Rejected::NotLocal => 17,
            Rejected::Malformed { .. } => 18,
            Rejected::TooLarge { .. } => 19,
        };
        Rejected::NAMES[place]
    }

    /// A delivery that cannot be read at `place`.
    fn malformed(place: impl Into<String>, what: impl Into<String>) -> Rejected {
        Rejected::Malformed { place: place.into(), what: what.into() }
    }
}

/// Whose the lines of a body are, and what of them is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The application that all lines belong to; a line that names another one is refused. `None`: each
    /// line must name its own.
    pub app: Option<AppId>,
    /// What happens to addresses.
    pub client_ip: ClientIpPolicy,
}

impl Terms {
    /// The application of a line that names `named` under `key`, or none.
    fn app(&self, named: Option<AppId>, key: &str) -> Result<AppId, String> {
        match (named, self.app) {
            (Some(named), Some(sender)) if named != sender => Err(format!(
                "{key}: {named} is not the application {sender} that this belongs to; leave it out or correct it"
            )),
            (Some(app), _) | (None, Some(app)) => Ok(app),
            (None, None) => Err(format!("{key}: missing; nothing else says whose this is")),
        }
    }
}

/// What came out of a body of many lines: good lines are kept, whatever the others are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parsed {
    /// The events of the good lines, in the order of the lines.
    pub events: Vec<Event>,
    /// Measurements.
    pub samples: Vec<Series>,
    /// The first refused lines, at most [`REFUSED_LINES_SHOWN_MAX`].
    pub refused: Vec<RefusedLine>,
    /// How many lines were refused, the unlisted ones included.
    pub refused_count: u64,
    /// Events that are left out because a setting says so.
    pub left_out: u64,
}

/// A line that was refused.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RefusedLine {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it and what would be right.
    pub why: String,
}

/// The reply to a body of many lines.
#[derive(serde::Serialize)]
struct Reply<'a> {
    new: u64,
    duplicate: u64,
    refused: u64,
    /// Values of measurements.
    #[serde(skip_serializing_if = "Option::is_none")]
    samples: Option<u64>,
    lines: &'a [RefusedLine],
}

impl Parsed {
    /// One good event.
    fn one(event: Event) -> Parsed {
        Parsed { events: vec![event], ..Parsed::default() }
    }

    /// Takes down a refused line.
    fn refuse(&mut self, line: u64, why: String) {
        self.refused_count += 1;
        if self.refused.len() < REFUSED_LINES_SHOWN_MAX {
            self.refused.push(RefusedLine { line, why });
        }
    }

    /// The HTTP status of the reply: 400 where no line was good, else 200, since to send the good ones
    /// again would change nothing.
    pub fn status(&self) -> u16 {
        let nothing = self.events.is_empty() && self.samples.is_empty();
        if nothing && self.refused_count > 0 { 400 } else { 200 }
    }

    /// How many values of measurements there are.
    pub fn values(&self) -> u64 {
        self.samples.iter().map(|series| series.len() as u64).sum()
    }

    /// The reply, once all is durable: JSON, as `docs/events.md` shows it. `new` and `duplicate` are what the store
    /// counted, `samples` the values of measurements it was given; where there were none they are not spoken of.
    pub fn reply(&self, new: u64, duplicate: u64, samples: u64) -> Vec<u8> {
        let samples = (samples > 0).then_some(samples);
        let reply = Reply { new, duplicate, refused: self.refused_count, samples, lines: &self.refused };
        serde_json::to_vec(&reply).expect("texts and numbers are JSON")
    }
}

/// Runs `take` over a body that is one JSON object, over however many lines, or one object a line.
fn each_object(body: &[u8], mut take: impl FnMut(&str, &mut Parsed) -> Result<(), String>) -> Parsed {
    let one = body.trim_ascii();
    let first = one.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let goes_on =
        || serde_json::from_slice::<serde::de::IgnoredAny>(first).is_err_and(|error| error.is_eof());
    if one.is_empty() || (first.len() < one.len() && !goes_on()) {
        return each_line(body, LINES_MAX, take);
    }
    let mut parsed = Parsed::default();
    let outcome = bounds::delivery(one).and_then(|object| take(object, &mut parsed));
    if let Err(why) = outcome {
        parsed.refuse(1, why);
    }
    parsed
}

/// Runs `take` over the lines of `body`, passing over blank ones, and collects what it gives. Lines beyond
/// `lines_max` are refused unread.
fn each_line(
    body: &[u8],
    lines_max: usize,
    mut take: impl FnMut(&str, &mut Parsed) -> Result<(), String>,
) -> Parsed {
    let mut parsed = Parsed::default();
    let mut taken = 0_usize;
    for (number, line) in (1_u64..).zip(body.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        taken += 1;
        let outcome = if taken > lines_max {
            Err(format!("more than {lines_max} lines in one body: send the rest in another one"))
        } else {
            bounds::line(line).and_then(|line| take(line, &mut parsed))
        };
        if let Err(why) = outcome {
            parsed.refuse(number, why);
        }
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rejection_has_its_own_name() {
        let all = [
            Rejected::UnknownApp(AppId(1)),
            Rejected::MissingSignature,
            Rejected::BadSignature,
            Rejected::NoKey(AppId(1)),
            Rejected::MissingToken,
            Rejected::BadToken,
            Rejected::UnreadableToken(""),
            Rejected::BadAlgorithm,
            Rejected::BadTokenSignature,
            Rejected::EarlyToken,
            Rejected::ExpiredToken,
            Rejected::UnknownKey(String::new()),
            Rejected::BadBodyHash,
            Rejected::LongToken,
            Rejected::NotGranted("room"),
            Rejected::MissingPassword,
            Rejected::BadPassword,
            Rejected::NotLocal,
            Rejected::malformed("body", "empty"),
            Rejected::TooLarge { limit_bytes: 1 },
        ];
        assert_eq!(all.each_ref().map(Rejected::name), Rejected::NAMES);
    }
}
