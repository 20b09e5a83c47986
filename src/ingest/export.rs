//! Writes what [`super::lines`] and [`super::records`] read, so that an export that is imported into an empty
//! store and exported again is the same bytes: one order of fields, one spelling of each value, nothing that
//! depends on when it is written.

use std::io::Write as _;

use super::records::own_visit;
use super::words::{self, Worded};
use crate::records::quality::{Points, Series};
use crate::records::{Attr, Call, Event, Kind, Millis, Session};

/// An event as a line of [`super::lines`], its newline included.
pub fn event(out: &mut Vec<u8>, event: &Event) {
    let mut line = Line::begin(out);
    line.number("app", event.app.0);
    line.text("source", &event.source);
    line.filled("instance", &event.instance);
    if event.room_is_number
        && let Some(number) = canonical_number(&event.room)
    {
        line.number("room", number);
    } else {
        line.filled("room", &event.room);
    }
    line.optional("life", event.life.as_deref());
    line.filled("user", &event.user);
    line.optional("visit", event.visit.as_deref());
    kind(&mut line, &event.kind);
    if event.at_in_seconds && event.at.0.rem_euclid(1_000) == 0 {
        line.signed("at_s", event.at.secs());
    } else {
        line.moment("at_ms", event.at);
    }
    if let Some(seq) = event.seq {
        line.number("seq", seq);
    }
    line.filled("id", &event.id);
    if let Some(at) = event.join_hint {
        line.moment("join_hint_ms", at);
    }
    if let Some(at) = event.create_hint {
        line.moment("create_hint_ms", at);
    }
    if let Some(reason) = &event.reason {
        line.text("reason", reason.class.word());
        line.filled("reason_raw", &reason.raw);
    }
    if !event.attrs.is_empty() {
        line.key("attrs");
        let mut attrs = Line::begin(line.out);
        for (attr, value) in &event.attrs {
            attrs.text(attr.word(), value);
        }
        attrs.end();
    }
    line.moment("received_ms", event.received);
    line.end();
    out.push(b'\n');
}

/// Times of one line of measurements: with all measures it stays below [`super::LINE_BYTES_MAX`].
const LINE_TIMES_MAX: usize = 1_000;

/// Measurements as lines of [`super::lines`], by column, as many as are needed, each with its newline. Values that
/// are not finite, which JSON cannot say and no sender can send, are left out.
pub fn samples(out: &mut Vec<u8>, series: &Series) {
    let finite = |points: &Points| points.iter().copied().filter(|(_, value)| value.is_finite()).collect();
    let columns: Vec<(&str, Points)> =
        series.columns.iter().map(|(measure, points)| (measure.name(), finite(points))).collect();
    let mut times: Vec<Millis> = columns.iter().flat_map(|(_, points)| points).map(|(at, _)| *at).collect();
    times.sort_unstable();
    times.dedup();
    let mut rest: Vec<(&str, &[(Millis, f64)])> =
        columns.iter().map(|(name, points)| (*name, points.as_slice())).collect();
    for times in times.chunks(LINE_TIMES_MAX) {
        let last = times[times.len() - 1];
        let mut parts = Vec::new();
        for (name, points) in &mut rest {
            let (part, behind) = points.split_at(points.partition_point(|(at, _)| *at <= last));
            *points = behind;
            if !part.is_empty() {
                parts.push((*name, part));
            }
        }
        samples_line(out, series, times, &parts);
    }
}

fn samples_line(out: &mut Vec<u8>, series: &Series, times: &[Millis], columns: &[(&str, &[(Millis, f64)])]) {
    let flow = &series.flow;
    let mut line = Line::begin(out);
    line.number("app", flow.app.0);
    line.text("room", &flow.room);
    line.text("user", &flow.user);
    line.text("kind", words::SAMPLES);
    line.key("at_ms");
    list(line.out, times.iter(), |out, at| decimal(out, at.0));
    line.filled("peer", &flow.peer);
    line.filled("connection", &flow.connection);
    line.key("values");
    let mut values = Line::begin(line.out);
    for (name, points) in columns {
        values.key(name);
        let mut points = points.iter().peekable();
        list(values.out, times.iter(), |out, at| match points.next_if(|(other, _)| other == at) {
            Some((_, value)) => measured(out, *value),
            None => out.extend_from_slice(b"null"),
        });
    }
    values.end();
    line.end();
    out.push(b'\n');
}

fn list<T>(out: &mut Vec<u8>, values: impl Iterator<Item = T>, mut write: impl FnMut(&mut Vec<u8>, T)) {
    out.push(b'[');
    for (place, value) in values.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write(out, value);
    }
    out.push(b']');
}

/// A finite value, in the shortest way that reads back as the same one.
fn measured(out: &mut Vec<u8>, value: f64) {
    let text = value.to_string();
    // The longest that is written out in full; a sum of atoms would have hundreds of digits.
    if text.len() <= 20 {
        out.extend_from_slice(text.as_bytes());
    } else {
        serde_json::to_writer(out, &value).expect("a finite number can be written into memory");
    }
}

/// The first line of a table of measurements, its newline included.
pub fn sample_header(out: &mut Vec<u8>) {
    header(out, &SAMPLE_COLUMNS);
}

/// Measurements as rows under [`sample_header`], one for each value, each with its newline.
pub fn sample_rows(out: &mut Vec<u8>, series: &Series) {
    sample_cells(series).for_each(|cells| csv_row(out, cells.into_iter()));
}

/// Measurements under [`SAMPLE_COLUMNS`], one row for each value.
pub fn sample_cells(series: &Series) -> impl Iterator<Item = [Cell<'_>; 8]> {
    let flow = &series.flow;
    let values = series.columns.iter().flat_map(|(measure, points)| {
        points.iter().filter(|(_, value)| value.is_finite()).map(move |point| (measure, point))
    });
    values.map(|(measure, (at, value))| {
        [
            Cell::Number(flow.app.0),
            Cell::Text(&flow.room),
            Cell::Text(&flow.user),
            Cell::filled(&flow.peer),
            Cell::filled(&flow.connection),
            Cell::Text(measure.name()),
            Cell::Moment(*at),
            Cell::Value(*value),
        ]
    })
}

/// The kind and what it carries.
fn kind(line: &mut Line<'_>, kind: &Kind) {
    line.text("kind", words::kind_word(kind));
    match kind {
        Kind::Media { track, on } => {
            line.key("media");
            let mut media = Line::begin(line.out);
            media.text("track", track.word());
            media.key("on");
            media.out.extend_from_slice(if *on { b"true" } else { b"false" });
            media.end();
        }
        Kind::Unknown { name, raw } => {
            line.filled("name", name);
            line.filled("raw", raw);
        }
        Kind::RecordJoined(source) => line.text("join_source", source.word()),
        Kind::RecordLeft(source) => line.text("leave_source", source.word()),
        Kind::RoomCreated
        | Kind::RoomDestroyed
        | Kind::UserJoined
        | Kind::UserLeft
        | Kind::UserChanged
        | Kind::EmitterReset
        | Kind::Attributes => {}
    }
}

/// A session as a line of [`super::records::parse_ndjson`], its newline included. `call` is the one it is part
/// of.
pub fn session_line(out: &mut Vec<u8>, call: &Call, session: &Session) {
    cells_line(out, &SESSION_COLUMNS, &session_cells(call, session));
}

/// A call as a line of [`super::records::parse_ndjson`], its newline included.
pub fn call_line(out: &mut Vec<u8>, call: &Call) {
    cells_line(out, &CALL_COLUMNS, &call_cells(call));
}

/// The first line of a table of sessions, its newline included.
pub fn session_header(out: &mut Vec<u8>) {
    header(out, &SESSION_COLUMNS);
}

/// The first line of a table of calls, its newline included.
pub fn call_header(out: &mut Vec<u8>) {
    header(out, &CALL_COLUMNS);
}

/// A session as a row of [`super::records::parse_csv`] under [`session_header`], its newline included.
pub fn session_row(out: &mut Vec<u8>, call: &Call, session: &Session) {
    csv_row(out, session_cells(call, session).into_iter());
}

/// A call as a row of [`super::records::parse_csv`] under [`call_header`], its newline included.
pub fn call_row(out: &mut Vec<u8>, call: &Call) {
    csv_row(out, call_cells(call).into_iter());
}

/// What a session's row holds, in order. How a beginning and an end are known is told with them.
pub const SESSION_COLUMNS: [(&str, Shape); 22] = [
    ("type", Shape::Text),
    ("sdk_app_id", Shape::Number),
    ("comm_id", Shape::Text),
    ("room", Shape::Text),
    ("user", Shape::Text),
    ("visit", Shape::Text),
    ("joined_ms", Shape::Moment),
    ("left_ms", Shape::Moment),
    ("join_source", Shape::Text),
    ("leave_source", Shape::Text),
    ("leave_reason", Shape::Text),
    ("leave_reason_raw", Shape::Text),
    ("device", Shape::Text),
    ("sdk_version", Shape::Text),
    ("client_ip", Shape::Text),
    ("terminal", Shape::Text),
    ("user_type", Shape::Text),
    ("client_type", Shape::Text),
    ("os", Shape::Text),
    ("role", Shape::Text),
    ("display", Shape::Text),
    ("kind", Shape::Text),
];

/// What a call's row holds, in order.
pub const CALL_COLUMNS: [(&str, Shape); 7] = [
    ("type", Shape::Text),
    ("sdk_app_id", Shape::Number),
    ("comm_id", Shape::Text),
    ("room", Shape::Text),
    ("created_ms", Shape::Moment),
    ("ended_ms", Shape::Moment),
    ("creator", Shape::Text),
];

/// What a measurement's row holds, in order.
pub const SAMPLE_COLUMNS: [(&str, Shape); 8] = [
    ("app", Shape::Number),
    ("room", Shape::Text),
    ("user", Shape::Text),
    ("peer", Shape::Text),
    ("connection", Shape::Text),
    ("measure", Shape::Text),
    ("at_ms", Shape::Moment),
    ("value", Shape::Value),
];

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A text.
    Text,
    /// A whole number.
    Number,
    /// Milliseconds since 1970.
    Moment,
    /// A measured number.
    Value,
}

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// There is none: left out of a line, empty in a table.
    Nothing,
    /// Under [`Shape::Text`].
    Text(&'a str),
    /// Under [`Shape::Number`].
    Number(u64),
    /// Under [`Shape::Moment`].
    Moment(Millis),
    /// Under [`Shape::Value`].
    Value(f64),
}

impl<'a> Cell<'a> {
    fn filled(text: &'a str) -> Cell<'a> {
        if text.is_empty() { Cell::Nothing } else { Cell::Text(text) }
    }

    fn moment(at: Option<Millis>) -> Cell<'a> {
        at.map_or(Cell::Nothing, Cell::Moment)
    }
}

/// A session under [`SESSION_COLUMNS`]. `call` is the one it is part of.
pub fn session_cells<'a>(call: &'a Call, session: &'a Session) -> [Cell<'a>; 22] {
    let reason = session.leave_reason.as_ref();
    let attr = |attr: Attr| session.attrs.get(&attr).map_or(Cell::Nothing, |value| Cell::Text(value));
    [
        Cell::Text("session"),
        Cell::Number(call.app.0),
        Cell::Text(call.comm_id.as_str()),
        Cell::filled(&session.room),
        Cell::filled(&session.user),
        own_visit(session).map_or(Cell::Nothing, Cell::filled),
        Cell::Moment(session.joined),
        Cell::moment(session.left),
        Cell::Text(session.join_source.word()),
        Cell::Text(session.leave_source.word()),
        reason.map_or(Cell::Nothing, |reason| Cell::Text(reason.class.word())),
        reason.map_or(Cell::Nothing, |reason| Cell::filled(&reason.raw)),
        attr(Attr::Device),
        attr(Attr::SdkVersion),
        attr(Attr::ClientIp),
        attr(Attr::Terminal),
        attr(Attr::UserType),
        attr(Attr::ClientType),
        attr(Attr::Os),
        attr(Attr::Role),
        attr(Attr::Display),
        attr(Attr::Kind),
    ]
}

/// A call under [`CALL_COLUMNS`].
pub fn call_cells(call: &Call) -> [Cell<'_>; 7] {
    [
        Cell::Text("call"),
        Cell::Number(call.app.0),
        Cell::Text(call.comm_id.as_str()),
        Cell::filled(&call.room),
        Cell::Moment(call.created),
        Cell::moment(call.ended),
        Cell::filled(&call.creator),
    ]
}

fn cells_line(out: &mut Vec<u8>, columns: &[(&str, Shape)], cells: &[Cell<'_>]) {
    let mut line = Line::begin(out);
    for ((key, _), cell) in columns.iter().zip(cells) {
        match cell {
            Cell::Nothing => {}
            Cell::Text(text) => line.text(key, text),
            Cell::Number(number) => line.number(key, *number),
            Cell::Moment(at) => line.moment(key, *at),
            Cell::Value(value) => {
                line.key(key);
                measured(line.out, *value);
            }
        }
    }
    line.end();
    out.push(b'\n');
}

fn header(out: &mut Vec<u8>, columns: &[(&str, Shape)]) {
    csv_row(out, columns.iter().map(|(name, _)| Cell::Text(name)));
}

fn csv_row<'a>(out: &mut Vec<u8>, cells: impl Iterator<Item = Cell<'a>>) {
    for (place, cell) in cells.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        match cell {
            Cell::Nothing => {}
            Cell::Text(text) => csv_text(out, text),
            Cell::Number(number) => decimal(out, number),
            Cell::Moment(at) => decimal(out, at.0),
            Cell::Value(value) => measured(out, value),
        }
    }
    out.push(b'\n');
}

/// A text in quotes where a reader of tables would take it apart otherwise.
fn csv_text(out: &mut Vec<u8>, text: &str) {
    if !text.contains(['"', ',', '\r', '\n']) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

fn decimal(out: &mut Vec<u8>, number: impl std::fmt::Display) {
    write!(out, "{number}").expect("a number can be written into memory");
}

/// The number whose decimal text this is, if it is one that reads back as the same text.
fn canonical_number(text: &str) -> Option<u64> {
    text.parse::<u64>().ok().filter(|number| number.to_string() == text)
}

/// A JSON object while it is written.
struct Line<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Line<'a> {
    fn begin(out: &'a mut Vec<u8>) -> Line<'a> {
        out.push(b'{');
        Line { out, first: true }
    }

    fn end(self) {
        self.out.push(b'}');
    }

    /// A key of ours, which needs no escaping.
    fn key(&mut self, key: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        serde_json::to_writer(&mut *self.out, value).expect("a text can be written into memory");
    }

    /// A text that is left out when empty.
    fn filled(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.text(key, value);
        }
    }

    fn optional(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        decimal(self.out, value);
    }

    fn signed(&mut self, key: &str, value: i64) {
        self.key(key);
        decimal(self.out, value);
    }

    fn moment(&mut self, key: &str, at: Millis) {
        self.signed(key, at.0);
    }
}
