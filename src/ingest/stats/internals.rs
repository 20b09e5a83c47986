//! What Chromium's page `chrome://webrtc-internals` saves: for each connection, each member of each object as a series.
//! The series of an object's times says when its values were; they are put together again to the reports that they
//! came from.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::bounds;
use super::super::client::Told;
use super::super::row::{Loose, json_trouble};
use super::super::{Parsed, Terms};
use super::object::{Object, Type};
use super::report::{Measured, Peers, Report};
use super::{agent, keep, whose};
use crate::records::{Attrs, Millis};

/// The member that no other format has.
const MARK: &[u8] = b"\"PeerConnections\"";
/// How many values one series may have; the page keeps a thousand.
const VALUES_MAX: usize = 100_000;

#[derive(Deserialize)]
struct Saved<'a> {
    #[serde(borrow, rename = "PeerConnections")]
    connections: BTreeMap<Cow<'a, str>, Connection<'a>>,
    #[serde(borrow, default, rename = "UserAgent")]
    user_agent: Loose<'a>,
}

#[derive(Deserialize)]
struct Connection<'a> {
    #[serde(borrow, default)]
    stats: BTreeMap<Cow<'a, str>, Saying<'a>>,
}

/// One member of one object, over time.
#[derive(Deserialize)]
struct Saying<'a> {
    #[serde(borrow, default, rename = "statsType")]
    kind: Cow<'a, str>,
    #[serde(borrow, default, rename = "startTime")]
    start: Cow<'a, str>,
    #[serde(borrow, default, rename = "endTime")]
    end: Cow<'a, str>,
    /// A list, written as a text.
    #[serde(borrow, default)]
    values: Cow<'a, str>,
}

/// Whether a file is such a one.
pub(super) fn is_internals(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{") && body.windows(MARK.len()).any(|window| window == MARK)
}

/// Reads what the page saved.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(terms: Terms, told: Told<'_>, body: &[u8], received: Millis) -> Result<Parsed, String> {
    let (whose, _) = whose(terms, told, [&Loose::Absent; 4])?;
    let saved: Saved<'_> = serde_json::from_slice(body).map_err(|error| json_trouble(&error))?;
    let mut attrs = Attrs::new();
    if let Loose::Text(user_agent) = &saved.user_agent {
        attrs = agent::attrs(user_agent);
    }
    let peers = Peers { one: told.peer.map(Into::into), by_track: Vec::new() };
    let mut measured = Measured::new(whose);
    let mut found = 0;
    for (pc, connection) in &saved.connections {
        let objects = objects(&connection.stats).map_err(|what| format!("PeerConnections.{pc}: {what}"))?;
        for (at, report) in reports(objects) {
            found += report.len();
            measured.take(&Report { at, pc, peers: &peers, objects: &report })?;
        }
    }
    let mut parsed = Parsed::default();
    keep(measured, false, attrs, found, received, &mut parsed)?;
    Ok(parsed)
}

/// The values of one object, by time.
#[derive(Default)]
struct History<'a> {
    kind: Option<Type>,
    times: Vec<f64>,
    objects: Vec<Object<'a>>,
}

/// Puts the members of each object together.
fn objects<'a>(stats: &'a BTreeMap<Cow<'a, str>, Saying<'a>>) -> Result<Vec<History<'a>>, String> {
    let mut histories: BTreeMap<&str, History<'a>> = BTreeMap::new();
    // The times come first, since they say where values belong.
    for (key, saying) in stats {
        let Some((id, "timestamp")) = key.rsplit_once('-') else { continue };
        let times = values(key, saying)?;
        let times: Vec<f64> = times.iter().filter_map(Loose::number).collect();
        let kind_name = Some(Cow::Borrowed(saying.kind.as_ref()));
        let object = Object { id: Some(Cow::Borrowed(id)), kind_name, ..Object::default() };
        let kind = object.kind();
        if kind != Type::Other {
            let of = |time: &f64| Object { timestamp: Some(*time), ..object.clone() };
            let objects = times.iter().map(of).collect();
            histories.insert(id, History { kind: Some(kind), times, objects });
        }
    }
    for (key, saying) in stats {
        // Names in brackets are computed by the page.
        let Some((id, name)) = key.rsplit_once('-').filter(|(_, name)| !name.starts_with('[')) else {
            continue;
        };
        let Some(history) = histories.get_mut(id) else { continue };
        if matches!(name, "timestamp" | "type" | "id") || !Object::has(name) {
            continue;
        }
        let mut values = values(key, saying)?;
        let Some(skipped) = history.place(values.len(), saying) else { continue };
        for (object, value) in history.objects[skipped..].iter_mut().zip(values.drain(..)) {
            object.set(name, value);
        }
    }
    Ok(histories.into_values().collect())
}

impl History<'_> {
    /// At which of the times a series of that many values begins. One that was there from the beginning or to the end is
    /// taken for one without gaps; of any other nothing says where its values belong.
    fn place(&self, values: usize, saying: &Saying<'_>) -> Option<usize> {
        let skipped = self.times.len().checked_sub(values)?;
        if skipped == 0 {
            return Some(0);
        }
        let (start, end) = (moment(&saying.start)?, moment(&saying.end)?);
        let near = |time: f64, at: Millis| {
            bounds::fractional_moment(time).is_some_and(|time| (time.0 - at.0).abs() <= 1)
        };
        let first = self.times.get(skipped).is_some_and(|time| near(*time, start));
        let last = self.times.last().is_some_and(|time| near(*time, end));
        (first && last).then_some(skipped)
    }
}

fn moment(text: &str) -> Option<Millis> {
    text.parse::<jiff::Timestamp>().ok().map(|at| Millis(at.as_millisecond()))
}

fn values<'a>(key: &str, saying: &'a Saying<'a>) -> Result<Vec<Loose<'a>>, String> {
    let values: Vec<Loose<'a>> = serde_json::from_str(&saying.values)
        .map_err(|error| format!("stats.{key}.values: {}", json_trouble(&error)))?;
    if values.len() > VALUES_MAX {
        return Err(format!("stats.{key}.values: more than {VALUES_MAX} values"));
    }
    Ok(values)
}

/// The reports that objects came from: one for each time at which this end measured. What the other end told belongs to
/// the first one that is not before it.
fn reports(histories: Vec<History<'_>>) -> BTreeMap<Millis, Vec<Object<'_>>> {
    let mut reports: BTreeMap<Millis, Vec<Object<'_>>> = BTreeMap::new();
    for history in histories.iter().filter(|history| history.kind != Some(Type::RemoteInbound)) {
        for at in history.times.iter().filter_map(|time| bounds::fractional_moment(*time)) {
            reports.entry(at).or_default();
        }
    }
    for object in histories.into_iter().flat_map(|history| history.objects) {
        let Some(at) = object.timestamp.and_then(bounds::fractional_moment) else { continue };
        if let Some((_, report)) = reports.range_mut(at..).next() {
            report.push(object);
        }
    }
    reports
}
