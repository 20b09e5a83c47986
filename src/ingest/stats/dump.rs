//! Dumps of rtcstats: lines `[method, connection, value, …, time]`. Version 3 begins with the line `RTCStatsDump` and
//! one of facts; its times are differences, and numbers may stand for methods, types and members. Older dumps, among
//! them Jitsi's, have the lines alone. Each report tells only what changed since the one before of its connection.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::bounds;
use super::super::client::Told;
use super::super::row::Loose;
use super::super::{Parsed, Terms};
use super::object::{Object, Objects};
use super::report::{Measured, Peers, Report};
use super::{agent, keep, whose};
use crate::records::{Attrs, Millis};

/// The first line of a dump.
const MAGIC: &[u8] = b"RTCStatsDump";
/// The version from which a missing time is the time of the whole report.
const COMMON_TIME_VERSION: f64 = 3.0;
/// How many connections and how many objects of each are remembered.
const CONNECTIONS_MAX: usize = 256;
const OBJECTS_MAX: usize = 20_000;

/// Whether a body is a dump: it has the first line of one, or its lines are lists.
pub(super) fn is_dump(body: &[u8]) -> bool {
    let body = body.trim_ascii_start();
    body.starts_with(MAGIC) || body.starts_with(b"[")
}

/// The facts of a dump's second line, or of older dumps' `connectionInfo`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Facts<'a> {
    #[serde(borrow, rename = "fileFormat")]
    version: Loose<'a>,
    #[serde(borrow, rename = "userAgent")]
    user_agent: Loose<'a>,
}

/// Reads a dump. Lines that are no statistics are passed over.
///
/// # Errors
/// What is wrong, where it is wrong as a whole.
pub(super) fn parse(terms: Terms, told: Told<'_>, body: &[u8], received: Millis) -> Result<Parsed, String> {
    let (whose, _) = whose(terms, told, [&Loose::Absent; 4])?;
    let mut reader = Reader {
        measured: Measured::new(whose),
        peers: Peers { one: told.peer.map(Into::into), by_track: Vec::new() },
        version: 0.0,
        attrs: Attrs::new(),
        clock_ms: 0.0,
        connections: BTreeMap::new(),
        found: 0,
    };
    let mut parsed = Parsed::default();
    for (number, line) in (1_u64..).zip(body.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() || line == MAGIC {
            continue;
        }
        if let Err(why) = bounds::delivery(line).and_then(|line| reader.take(line)) {
            parsed.refuse(number, why);
        }
    }
    if reader.measured.first().is_none() && parsed.refused_count > 0 {
        return Ok(parsed);
    }
    keep(reader.measured, false, reader.attrs, reader.found, received, &mut parsed)?;
    Ok(parsed)
}

/// What is known of one connection: its objects as they were last.
#[derive(Default)]
struct Connection<'a> {
    objects: BTreeMap<String, Object<'a>>,
    /// The time that most objects of the last report had.
    common: Option<f64>,
}

struct Reader<'a> {
    measured: Measured,
    peers: Peers<'a>,
    version: f64,
    attrs: Attrs,
    /// The time of the last line, in milliseconds since 1970.
    clock_ms: f64,
    connections: BTreeMap<String, Connection<'a>>,
    found: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, line: &'a str) -> Result<(), String> {
        if line.starts_with('{') {
            let facts: Facts<'a> = super::object(line)?;
            self.facts(&facts);
            return Ok(());
        }
        let line: Vec<&'a RawValue> =
            serde_json::from_str(line).map_err(|error| super::json_trouble(&error))?;
        let [method, connection, value, .., time] = line.as_slice() else { return Ok(()) };
        let time: Loose<'a> =
            serde_json::from_str(time.get()).map_err(|error| super::json_trouble(&error))?;
        if let Some(time) = time.number() {
            // What is too small for a time since 1970 is one since the line before.
            let is_absolute = bounds::fractional_moment(time).is_some();
            self.clock_ms = if is_absolute { time } else { self.clock_ms + time };
        }
        match method.get() {
            r#""getStats""# | r#""getstats""# | r#""g""# | "1" | r#""1""# => self.report(connection, value),
            r#""connectionInfo""# => {
                if let Ok(facts) = super::object(value.get()) {
                    self.facts(&facts);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn facts(&mut self, facts: &Facts<'_>) {
        self.version = facts.version.number().unwrap_or(self.version);
        if let Loose::Text(user_agent) = &facts.user_agent {
            self.attrs = agent::attrs(user_agent);
        }
    }

    fn report(&mut self, connection: &'a RawValue, value: &'a RawValue) -> Result<(), String> {
        let at = bounds::fractional_moment(self.clock_ms)
            .ok_or("no time: expected milliseconds since 1970 at the end of the first line")?;
        let pc: Loose<'a> =
            serde_json::from_str(connection.get()).map_err(|error| super::json_trouble(&error))?;
        let pc = super::text("connection", pc)?.unwrap_or_default().into_owned();
        let delta = Objects::read(value.get())?;
        if self.connections.len() >= CONNECTIONS_MAX && !self.connections.contains_key(&pc) {
            return Err(format!("more than {CONNECTIONS_MAX} connections in one dump"));
        }
        let known = self.connections.entry(pc.clone()).or_default();
        known.apply(delta, self.version >= COMMON_TIME_VERSION);
        if known.objects.len() > OBJECTS_MAX {
            return Err(format!("more than {OBJECTS_MAX} stats objects of one connection"));
        }
        let objects: Vec<Object<'a>> = known.objects.values().cloned().collect();
        self.found += objects.len();
        self.measured.take(&Report { at, pc: &pc, peers: &self.peers, objects: &objects })
    }
}

impl<'a> Connection<'a> {
    /// Brings the objects up to date. An object with its type is whole, another one tells what changed of it; `null`
    /// is for one that is gone. A time of 0 is the time of the whole report, and since version 3 so is none.
    fn apply(&mut self, delta: Objects<'a>, missing_is_common: bool) {
        let (common, before) = (delta.common, self.common);
        for id in &delta.gone {
            self.objects.remove(id.as_ref());
        }
        let mut told = std::collections::BTreeSet::new();
        for mut object in delta.list {
            let missing = object.timestamp.is_none() && missing_is_common;
            if missing || object.timestamp == Some(0.0) {
                object.timestamp = common;
            }
            let id = object.id().to_owned();
            match self.objects.get_mut(&id) {
                Some(known) if object.kind_name.is_none() => known.update(object),
                // Without a type it is a difference to something of no interest.
                None if object.kind_name.is_none() => {}
                Some(_) | None => {
                    self.objects.insert(id.clone(), object);
                }
            }
            told.insert(id);
        }
        // Where those that are gone are told, what is not told at all is there as it was, at the new time if it had
        // the time of its report.
        if missing_is_common && let (Some(common), Some(before)) = (common, before) {
            for (id, object) in &mut self.objects {
                if !told.contains(id) && object.timestamp == Some(before) {
                    object.timestamp = Some(common);
                }
            }
        }
        self.common = common.or(before);
    }
}
