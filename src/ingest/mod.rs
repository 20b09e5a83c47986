//! Takes in: what sources send becomes [`Event`]s, or a refusal that says what, where, and what would be
//! right. Nothing here does IO or asks the time: bytes and the time of receipt go in, events come out, and
//! the caller makes them durable before it acknowledges.
//!
//! Each source has one file and one row in [`SOURCES`]; nothing outside knows its payload. [`trtc`] reads the
//! callbacks of Tencent RTC, [`livekit`] the webhooks of LiveKit, [`janus`] the events of Janus, [`stats`] WebRTC
//! statistics; [`lines`] neutral events, one JSON object a line; [`attributes`] facts about users; [`records`] finished
//! records as NDJSON or CSV; [`deliveries`] recorded HTTP deliveries; [`jwt`] signed tokens. [`export`] writes what
//! [`lines`] and [`records`] read.
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
mod rejected;
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
pub use rejected::Rejected;
pub use source::{Acknowledge, Endpoint, Head, Import, Ingest, SOURCES, Size, Source};

use crate::records::quality::Series;
use crate::records::{AppId, Event};

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
