//! The table of sources. Each is a row: where it posts, who may send, what becomes of a body, what is
//! imported.
//! Nothing outside of this module knows one source from another.

use std::borrow::Cow;
use std::sync::Arc;

use super::client::{self, Sender, Told};
use super::{Apps, Parsed, Rejected, Terms, attributes, janus, lines, livekit, records, stats, trtc};
use crate::records::Millis;

/// What sources need to know, and to remember, to read what is sent.
#[derive(Debug)]
pub struct Ingest {
    /// Who may send.
    pub apps: Apps,
    /// What Janus told before.
    pub janus: Arc<janus::Memory>,
}

impl Ingest {
    /// For these applications, with nothing remembered.
    pub fn new(apps: Apps) -> Ingest {
        Ingest { apps, janus: Arc::default() }
    }

    /// For other applications, with the same memory.
    #[must_use]
    pub fn with(&self, apps: Apps) -> Ingest {
        Ingest { apps, janus: Arc::clone(&self.janus) }
    }
}

/// A delivery without its body.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    /// What follows the source's own path, where something does.
    pub tail: Option<&'a str>,
    /// The pairs of the query string, decoded.
    pub query: &'a [(String, String)],
    /// The value of the first header of a name, in whatever case, where it is text.
    pub header: &'a (dyn Fn(&str) -> Option<&'a str> + Sync),
    /// Whether the sender is on this machine.
    pub is_local: bool,
    /// When it came.
    pub received: Millis,
    /// Whether signatures and tokens are looked at. `import --no-verify` does not.
    pub verify: bool,
}

impl<'a> Head<'a> {
    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        (self.header)(name)
    }

    /// The first value of this name in the query string; an empty one is none.
    pub fn query(&self, name: &str) -> Option<&'a str> {
        let value = self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }
}

/// How large a body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// One event, or few.
    Callback,
    /// Many lines.
    Batch,
}

/// How a sender hears what became of its delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledge {
    /// `{"code":0}` once it is durable; a refusal to try again with 503.
    Code,
    /// What became of each line; 503 likewise.
    Lines,
    /// `{"code":0}` once it is durable. What cannot be made durable gets no reply at all and the connection is closed,
    /// for a sender that takes any status for success.
    CodeOrNothing,
}

/// What `rollbook import` reads of a source.
#[derive(Debug, Clone, Copy)]
pub enum Import {
    /// Nothing.
    None,
    /// Recorded HTTP deliveries, one a line ([`super::deliveries`]).
    Deliveries,
    /// Recorded HTTP deliveries of a source that remembers: one by one, in the order of the file.
    DeliveriesInOrder,
    /// Lines of the source's own.
    Lines(fn(Terms, &[u8], Millis) -> Parsed),
    /// Files that are read as a whole, packed with gzip or not; the command tells what they do not.
    Files(fn(Terms, Told<'_>, &[u8], Millis) -> Parsed),
}

/// One source.
#[derive(Debug)]
pub struct Source {
    /// Its name: the word of `rollbook import`, and the label of metrics.
    pub name: &'static str,
    /// What `rollbook import` says of it.
    pub summary: &'static str,
    /// Where and how it posts; `None`: it comes as files only.
    pub endpoint: Option<Endpoint>,
    /// What `rollbook import` reads.
    pub import: Import,
}

impl Source {
    /// The source of that name.
    pub fn named(name: &str) -> Option<&'static Source> {
        SOURCES.iter().find(|source| source.name == name)
    }
}

/// Where and how a source posts.
pub struct Endpoint {
    /// The path; one that ends with `/` is followed by something that the source reads.
    pub path: &'static str,
    /// How large a body may be.
    pub size: Size,
    /// A body may be gzip.
    pub gzip: bool,
    /// Pages of any origin may post.
    pub cross_origin: bool,
    /// How the sender hears what became of it.
    pub acknowledge: Acknowledge,
    /// Who the sender says it is, before it has proven anything: what failures are told apart by.
    pub claims: for<'a> fn(&Head<'a>) -> Cow<'a, str>,
    /// Whether the sender may send: asked before the body is read, since who may not send is not read. A source whose
    /// proof covers the body says yes here.
    pub admit: fn(&Ingest, &Head<'_>) -> Result<(), Rejected>,
    /// The body to what it tells.
    pub take: fn(&Ingest, &Head<'_>, &[u8]) -> Result<Parsed, Rejected>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// The endpoint at a path, and what follows its own part of it.
    pub fn at(path: &str) -> Option<(&'static Endpoint, Option<&str>)> {
        SOURCES.iter().filter_map(|source| source.endpoint.as_ref()).find_map(|endpoint| {
            let rest = path.strip_prefix(endpoint.path)?;
            match (endpoint.path.ends_with('/'), rest) {
                (false, "") => Some((endpoint, None)),
                (true, tail) if !tail.is_empty() && !tail.contains('/') => Some((endpoint, Some(tail))),
                (_, _) => None,
            }
        })
    }
}

/// Anybody may send: the proof is with the body.
fn anybody(_: &Ingest, _: &Head<'_>) -> Result<(), Rejected> {
    Ok(())
}

/// Who has the token of an application may send.
fn bearer(ingest: &Ingest, head: &Head<'_>) -> Result<(), Rejected> {
    terms(ingest, head).map(|_| ())
}

/// The terms of the application whose token this is.
fn terms(ingest: &Ingest, head: &Head<'_>) -> Result<Terms, Rejected> {
    ingest.apps.by_authorization(head.header("authorization")).map(|app| ingest.apps.terms(app.id))
}

/// The text of a bearer token, or what one that says something says it is of.
fn of_token<'a>(head: &Head<'a>) -> Cow<'a, str> {
    client::claimed(head.header("authorization").unwrap_or_default())
}

/// Every source.
pub static SOURCES: &[Source] = &[
    Source {
        name: "trtc",
        summary: "Recorded callbacks of TRTC, one JSON object a line",
        endpoint: Some(Endpoint {
            path: "/ingest/trtc",
            size: Size::Callback,
            gzip: false,
            cross_origin: false,
            acknowledge: Acknowledge::Code,
            claims: trtc::claims,
            admit: anybody,
            take: trtc::take,
        }),
        import: Import::Deliveries,
    },
    Source {
        name: "livekit",
        summary: "Recorded webhooks of LiveKit, one JSON object a line",
        endpoint: Some(Endpoint {
            path: "/ingest/livekit",
            size: Size::Callback,
            gzip: false,
            cross_origin: false,
            acknowledge: Acknowledge::Code,
            claims: livekit::claims,
            admit: livekit::admit,
            take: livekit::take,
        }),
        import: Import::Deliveries,
    },
    Source {
        name: "janus",
        summary: "Recorded events of Janus, one delivery a line; --app says whose",
        endpoint: Some(Endpoint {
            path: "/ingest/janus/",
            size: Size::Batch,
            gzip: true,
            cross_origin: false,
            acknowledge: Acknowledge::CodeOrNothing,
            claims: janus::claims,
            admit: janus::admit,
            take: janus::take,
        }),
        import: Import::DeliveriesInOrder,
    },
    Source {
        name: "events",
        summary: "Neutral events, one JSON object a line",
        endpoint: Some(Endpoint {
            path: "/ingest/events",
            size: Size::Batch,
            gzip: true,
            cross_origin: false,
            acknowledge: Acknowledge::Lines,
            claims: of_token,
            admit: bearer,
            take: |ingest, head, body| Ok(lines::parse(terms(ingest, head)?, body, head.received)),
        }),
        import: Import::Lines(lines::parse),
    },
    Source {
        name: "attributes",
        summary: "Facts about users, one JSON object a line",
        endpoint: Some(Endpoint {
            path: "/ingest/attributes",
            size: Size::Batch,
            gzip: true,
            cross_origin: true,
            acknowledge: Acknowledge::Lines,
            claims: of_token,
            admit: |ingest, head| Sender::of_header(&ingest.apps, head).map(|_| ()),
            take: attributes::take,
        }),
        import: Import::Lines(attributes::parse),
    },
    Source {
        name: "stats",
        summary: "WebRTC statistics: reports as JSON, dumps of rtcstats and of chrome://webrtc-internals",
        endpoint: Some(Endpoint {
            path: "/ingest/stats",
            size: Size::Batch,
            gzip: true,
            cross_origin: true,
            acknowledge: Acknowledge::Lines,
            claims: of_token,
            admit: stats::admit,
            take: stats::take,
        }),
        import: Import::Files(stats::parse_file),
    },
    Source {
        name: "records",
        summary: "Finished records, one JSON object a line, or CSV",
        endpoint: None,
        import: Import::Lines(records::parse_ndjson),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_its_source() {
        let check = |path: &str, expected: Option<(&str, Option<&str>)>| {
            assert_eq!(Endpoint::at(path).map(|(endpoint, tail)| (endpoint.path, tail)), expected, "{path}");
        };
        check("/ingest/trtc", Some(("/ingest/trtc", None)));
        check("/ingest/events", Some(("/ingest/events", None)));
        check("/ingest/events/", None);
        check("/ingest/trtc/1", None);
        check("/ingest/janus/1400000001", Some(("/ingest/janus/", Some("1400000001"))));
        check("/ingest/janus/", None);
        check("/ingest/janus/1/2", None);
        check("/ingest/records", None);
        check("/ingest/", None);
    }

    #[test]
    fn every_source_has_a_name_and_a_way_in() {
        for (place, source) in SOURCES.iter().enumerate() {
            assert_eq!(SOURCES.iter().position(|other| other.name == source.name), Some(place));
            assert!(source.endpoint.is_some() || !matches!(source.import, Import::None), "{}", source.name);
        }
    }
}
