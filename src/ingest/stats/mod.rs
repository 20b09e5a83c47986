//! WebRTC statistics: what `getStats` of a browser or of a native client tells, as JSON, and dumps of it.
//!
//! [`report`] makes measurements of one report, whatever format it came in: [`object`] reads what reports consist of,
//! [`dump`] the dumps of rtcstats, [`internals`] those of Chromium's `chrome://webrtc-internals`. Here are the endpoint
//! and its own format, an object with some reports, or one a line. `docs/stats.md` describes all of them.

mod agent;
mod dump;
mod internals;
mod object;
mod report;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use self::object::Objects;
use self::report::{ByTrack, Measured, Peers, Report, Whose};
use super::bounds::{self, Unit};
use super::client::{Sender, Told};
use super::row::{Loose, attr_text, json_trouble};
use super::{Head, Ingest, Parsed, Rejected, Terms, attributes, each_object};
use crate::records::{AppId, Attr, Attrs, Event, Kind, Millis};

pub use report::NOBODY;

/// How many reports one object may hold: at one every two seconds, those of two hours.
const REPORTS_MAX: usize = 4_000;
/// The largest body whose token stands in itself, and is looked for before it is known whether the sender may send. A
/// page that is being closed may send no more than this.
const UNPROVEN_BYTES_MAX: usize = 64 * 1_024;
/// What reports need to be of use.
const USEFUL: &str = "expected RTCStats objects of the types outbound-rtp or inbound-rtp, with kind";

/// Who may send is told by the header, or by the body, which then is small and not packed.
pub(super) fn admit(ingest: &Ingest, head: &Head<'_>) -> Result<(), Rejected> {
    if head.header("authorization").is_some() {
        return Sender::of_header(&ingest.apps, head).map(|_| ());
    }
    if head.header("content-encoding").is_some() {
        return Err(Rejected::MissingToken);
    }
    let length = head.header("content-length").and_then(|length| length.trim().parse::<usize>().ok());
    match length {
        Some(length) if length <= UNPROVEN_BYTES_MAX => Ok(()),
        Some(_) | None => Err(Rejected::MissingToken),
    }
}

/// Takes a body of whatever format.
pub(super) fn take(ingest: &Ingest, head: &Head<'_>, body: &[u8]) -> Result<Parsed, Rejected> {
    let token = match head.header("authorization") {
        Some(_) => None,
        None => Some(token(body).ok_or(Rejected::MissingToken)?),
    };
    let sender = match &token {
        Some(token) => Sender::of_token(&ingest.apps, token, head.received)?,
        None => Sender::of_header(&ingest.apps, head)?,
    };
    let mut told = Told { room: head.query("room"), user: head.query("user"), peer: head.query("peer") };
    if let Some(client) = sender.client() {
        client.check(told.room, told.user)?;
        client.check_body(body)?;
        told = Told { peer: told.peer, ..client.told() };
    }
    Ok(parse(sender.terms(&ingest.apps), told, body, head.received))
}

/// The token of the first object of a body.
fn token(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Proof {
        token: String,
    }
    let mut objects = serde_json::Deserializer::from_slice(body).into_iter::<Proof>();
    objects.next()?.ok().map(|proof| proof.token)
}

/// Reads a body: reports as JSON, or a dump of rtcstats.
pub fn parse(terms: Terms, told: Told<'_>, body: &[u8], received: Millis) -> Parsed {
    if dump::is_dump(body) {
        return whole(dump::parse(terms, told, body, received));
    }
    each_object(body, |json, parsed| envelope(terms, told, json, received, parsed))
}

/// Reads a file: reports as JSON, a dump of rtcstats, or one of `chrome://webrtc-internals`.
pub fn parse_file(terms: Terms, told: Told<'_>, body: &[u8], received: Millis) -> Parsed {
    if internals::is_internals(body) {
        return whole(internals::parse(terms, told, body, received));
    }
    parse(terms, told, body, received)
}

/// A body that is of use as a whole or not at all.
fn whole(outcome: Result<Parsed, String>) -> Parsed {
    outcome.unwrap_or_else(|why| {
        let mut parsed = Parsed::default();
        parsed.refuse(1, why);
        parsed
    })
}

/// Some reports of one user. Members that are not named here are passed over.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope<'a> {
    #[serde(borrow)]
    app: Loose<'a>,
    #[serde(borrow)]
    room: Loose<'a>,
    #[serde(borrow)]
    user: Loose<'a>,
    #[serde(borrow)]
    visit: Loose<'a>,
    #[serde(borrow)]
    peer: Loose<'a>,
    #[serde(borrow)]
    peers: Loose<'a>,
    #[serde(borrow)]
    meta: Option<&'a RawValue>,
    #[serde(borrow)]
    attributes: Loose<'a>,
    #[serde(borrow, rename = "userAgent")]
    user_agent: Loose<'a>,
    #[serde(borrow)]
    samples: Option<&'a RawValue>,
    #[serde(borrow)]
    pc: Loose<'a>,
    #[serde(borrow)]
    ts: Loose<'a>,
    #[serde(borrow)]
    reports: Option<&'a RawValue>,
}

/// What may stand in an object of its own, as recordings have it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta<'a> {
    #[serde(borrow)]
    app: Loose<'a>,
    #[serde(borrow)]
    room: Loose<'a>,
    #[serde(borrow)]
    user: Loose<'a>,
    #[serde(borrow)]
    visit: Loose<'a>,
    #[serde(borrow)]
    peer: Loose<'a>,
}

/// One report among several. `t` and `report` are what recordings say for `ts` and `reports`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Sample<'a> {
    #[serde(borrow, alias = "t")]
    ts: Loose<'a>,
    #[serde(borrow)]
    pc: Loose<'a>,
    #[serde(borrow)]
    peer: Loose<'a>,
    #[serde(borrow)]
    peers: Loose<'a>,
    #[serde(borrow, alias = "report")]
    reports: Option<&'a RawValue>,
}

/// Reads one JSON object; a list, which would be taken by position, is none.
fn object<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, String> {
    if !json.trim_ascii_start().starts_with('{') {
        return Err("expected a JSON object with room, user, ts and reports".to_owned());
    }
    serde_json::from_str(json).map_err(|error| json_trouble(&error))
}

/// Reads one object with its reports.
fn envelope(
    terms: Terms,
    told: Told<'_>,
    json: &str,
    received: Millis,
    parsed: &mut Parsed,
) -> Result<(), String> {
    let mut envelope: Envelope<'_> = object(json)?;
    if let Some(meta) = envelope.meta {
        let meta: Meta<'_> = object(meta.get()).map_err(|what| format!("meta: {what}"))?;
        for (own, other) in [
            (&mut envelope.app, meta.app),
            (&mut envelope.room, meta.room),
            (&mut envelope.user, meta.user),
            (&mut envelope.visit, meta.visit),
            (&mut envelope.peer, meta.peer),
        ] {
            if own.is_absent() {
                *own = other;
            }
        }
    }
    let Envelope {
        app,
        room,
        user,
        visit,
        peer,
        peers,
        attributes,
        user_agent,
        samples,
        pc,
        ts,
        reports,
        ..
    } = envelope;
    let (whose, room_is_number) = whose(terms, told, [&app, &room, &user, &visit])?;
    let attributes = attrs(attributes, &user_agent)?;
    let whole = Peers { one: self::peer(peer)?.or(told.peer.map(Cow::Borrowed)), by_track: by_track(peers)? };
    let mut measured = Measured::new(whose);
    let mut found = 0;
    match samples {
        Some(samples) => {
            let samples: Vec<&RawValue> = serde_json::from_str(samples.get())
                .map_err(|_| "samples: expected a list of objects with ts and reports".to_owned())?;
            if samples.len() > REPORTS_MAX {
                return Err(format!(
                    "samples: more than {REPORTS_MAX} reports: send the rest in another body"
                ));
            }
            for (place, json) in samples.iter().enumerate() {
                let outcome =
                    object(json.get()).and_then(|sample| take_sample(sample, &whole, &mut measured));
                found += outcome.map_err(|what| format!("samples[{place}].{what}"))?;
            }
        }
        None => {
            let sample = Sample { ts, pc, reports, ..Sample::default() };
            found += take_sample(sample, &whole, &mut measured)?;
        }
    }
    keep(measured, room_is_number, attributes, found, received, parsed)
}

/// Takes down what was measured, and what the client tells of itself.
fn keep(
    measured: Measured,
    room_is_number: bool,
    attributes: Attrs,
    found: usize,
    received: Millis,
    parsed: &mut Parsed,
) -> Result<(), String> {
    let event = measured.first().filter(|_| !attributes.is_empty()).map(|at| {
        let Whose { app, room, user, visit } = measured.whose();
        let mut event = Event::new(*app, attributes::SOURCE, room, user, Kind::Attributes, at);
        event.room_is_number = room_is_number;
        event.received = received;
        event.visit.clone_from(visit);
        event.attrs = attributes;
        event
    });
    let series = measured.series();
    if series.is_empty() && event.is_none() {
        return Err(format!("reports: nothing to measure in {found} objects; {USEFUL}"));
    }
    parsed.events.extend(event);
    parsed.samples.extend(series);
    Ok(())
}

/// Takes one report; how many objects of use it has.
fn take_sample(sample: Sample<'_>, whole: &Peers<'_>, measured: &mut Measured) -> Result<usize, String> {
    let at = moment(&sample.ts)?;
    let pc = text("pc", sample.pc)?.unwrap_or_default();
    let json = sample.reports.ok_or_else(|| format!("reports: missing; {USEFUL}"))?;
    let objects = Objects::read(json.get()).map_err(|what| format!("reports: {what}"))?;
    let own;
    let peers = if sample.peer.is_absent() && sample.peers.is_absent() {
        whole
    } else {
        let mut by_track = by_track(sample.peers)?;
        by_track.extend(whole.by_track.iter().cloned());
        own = Peers { one: peer(sample.peer)?.or_else(|| whole.one.clone()), by_track };
        &own
    };
    measured.take(&Report { at, pc: &pc, peers, objects: &objects.list })?;
    Ok(objects.list.len())
}

/// Whose reports they are, by themselves or by what else tells it; and whether the room's name is a number.
fn whose(terms: Terms, told: Told<'_>, own: [&Loose<'_>; 4]) -> Result<(Whose, bool), String> {
    let [app, room, user, visit] = own;
    let named = if let Loose::Unsigned(app) = app { Some(AppId(*app)) } else { None };
    if named.is_none() && !app.is_absent() {
        return Err(format!("app: {}", app.instead_of("a whole number")));
    }
    let app = terms.app(named, "app")?;
    let room_is_number = matches!(room, Loose::Unsigned(_));
    let room = needed("room", room, told.room)?;
    let user = needed("user", user, told.user)?;
    let visit = text("visit", visit.clone())?.filter(|visit| !visit.is_empty());
    Ok((Whose { app, room, user, visit: visit.map(Cow::into_owned) }, room_is_number))
}

/// An id that must be there, as it stands or as something else tells it.
fn needed(key: &str, own: &Loose<'_>, told: Option<&str>) -> Result<String, String> {
    let own = text(key, own.clone())?.filter(|id| !id.is_empty());
    let id = own.or(told.map(Cow::Borrowed)).ok_or_else(|| {
        format!("{key}: missing; a request can tell it as `?{key}=`, an import as `--{key}`")
    })?;
    bounds::id(&id).map_err(|what| format!("{key}: {what}"))?;
    Ok(id.into_owned())
}

/// A text, or a number as its decimal text.
fn text<'a>(key: &str, value: Loose<'a>) -> Result<Option<Cow<'a, str>>, String> {
    if value.is_absent() {
        return Ok(None);
    }
    if let Loose::Unsigned(number) = value {
        return Ok(Some(Cow::Owned(number.to_string())));
    }
    let Loose::Text(text) = value else { return Err(format!("{key}: {}", value.instead_of("a text"))) };
    bounds::id(&text).map_err(|what| format!("{key}: {what}"))?;
    Ok(Some(text))
}

/// Who is at the other end of a whole connection.
fn peer(value: Loose<'_>) -> Result<Option<Cow<'_, str>>, String> {
    text("peer", value)
}

/// Who is at the other end, by `mid` or `trackIdentifier`.
fn by_track(value: Loose<'_>) -> Result<ByTrack<'_>, String> {
    if value.is_absent() {
        return Ok(Vec::new());
    }
    let Loose::Object(peers) = value else {
        return Err(format!("peers: {}", value.instead_of("an object of users by mid or trackIdentifier")));
    };
    let mut by_track = Vec::with_capacity(peers.len());
    for (track, user) in peers {
        let user = text(&track, user).map_err(|what| format!("peers.{what}"))?;
        by_track.extend(user.filter(|user| !user.is_empty()).map(|user| (track, user)));
    }
    Ok(by_track)
}

/// When a report was made, in milliseconds since 1970.
fn moment(value: &Loose<'_>) -> Result<Millis, String> {
    if let Loose::Unsigned(ms) = value {
        return bounds::moment(*ms, Unit::Milliseconds).map_err(|what| format!("ts: {what}"));
    }
    match value.number().map(bounds::fractional_moment) {
        Some(Some(at)) => Ok(at),
        Some(None) | None => {
            Err(format!("ts: {}", value.instead_of("the time of the report in milliseconds since 1970")))
        }
    }
}

/// What the client tells of itself; a user agent stands in for what is not told.
fn attrs(attributes: Loose<'_>, user_agent: &Loose<'_>) -> Result<Attrs, String> {
    let mut attrs = Attrs::new();
    if let Loose::Text(text) = user_agent {
        attrs = agent::attrs(text);
    }
    if attributes.is_absent() {
        return Ok(attrs);
    }
    let Loose::Object(fields) = attributes else {
        return Err(format!("attributes: {}", attributes.instead_of("an object of texts")));
    };
    for (key, value) in fields {
        let attr = match key.as_ref() {
            "sdk_version" => Attr::SdkVersion,
            "device" => Attr::Device,
            "os" => Attr::Os,
            "client_type" => Attr::ClientType,
            "display" => Attr::Display,
            _ => continue,
        };
        if let Some(text) = attr_text(value).map_err(|what| format!("attributes.{key}: {what}"))? {
            attrs.insert(attr, text);
        }
    }
    Ok(attrs)
}
