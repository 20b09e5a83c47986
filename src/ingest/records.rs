//! Finished records: a call or a session as another system kept it, as NDJSON or CSV; the same that
//! [`super::export`] writes. They become events of the source [`SOURCE`] that name the life of the room by
//! its CommId, so that they stay exactly as recorded. `docs/events.md` describes the columns.

use std::borrow::Cow;

use super::bounds::{self, TEXT_BYTES_MAX, Unit, nearest, shown};
use super::row::{Column, Row, columns};
use super::words::Worded;
use super::{Parsed, Terms, each_line};
use crate::records::{
    AppId, Attr, CommId, Event, JoinSource, Kind, LeaveSource, Millis, Reason, ReasonClass, Session,
};

/// What [`Event::source`] is for finished records.
pub const SOURCE: &str = "record";

columns! {
    /// The columns of a finished record.
    Key {
        Type = "type",
        SdkAppId = "sdk_app_id",
        CommId = "comm_id",
        Room = "room",
        User = "user",
        Visit = "visit",
        JoinedMs = "joined_ms",
        JoinedS = "joined_s",
        LeftMs = "left_ms",
        LeftS = "left_s",
        JoinSource = "join_source",
        LeaveSource = "leave_source",
        LeaveReason = "leave_reason",
        LeaveReasonRaw = "leave_reason_raw",
        Device = "device",
        SdkVersion = "sdk_version",
        ClientIp = "client_ip",
        Terminal = "terminal",
        UserType = "user_type",
        ClientType = "client_type",
        Os = "os",
        Role = "role",
        Display = "display",
        Kind = "kind",
        CreatedMs = "created_ms",
        CreatedS = "created_s",
        EndedMs = "ended_ms",
        EndedS = "ended_s",
        Creator = "creator",
    }
}

/// The columns that are attributes of a session.
const ATTRS: [(Key, Attr); 10] = [
    (Key::Device, Attr::Device),
    (Key::SdkVersion, Attr::SdkVersion),
    (Key::ClientIp, Attr::ClientIp),
    (Key::Terminal, Attr::Terminal),
    (Key::UserType, Attr::UserType),
    (Key::ClientType, Attr::ClientType),
    (Key::Os, Attr::Os),
    (Key::Role, Attr::Role),
    (Key::Display, Attr::Display),
    (Key::Kind, Attr::Kind),
];

/// The columns that only a session has, beside its attributes.
const OF_SESSIONS: [Key; 10] = [
    Key::User,
    Key::Visit,
    Key::JoinedMs,
    Key::JoinedS,
    Key::LeftMs,
    Key::LeftS,
    Key::JoinSource,
    Key::LeaveSource,
    Key::LeaveReason,
    Key::LeaveReasonRaw,
];

/// The columns that only a call has.
const OF_CALLS: [Key; 5] = [Key::CreatedMs, Key::CreatedS, Key::EndedMs, Key::EndedS, Key::Creator];

type Record<'a> = Row<'a, { Key::COUNT }>;

/// Reads records as NDJSON: one object a line.
pub fn parse_ndjson(terms: Terms, body: &[u8], received: Millis) -> Parsed {
    each_line(body, usize::MAX, |line, parsed| parse_line(terms, line, received, &mut parsed.events))
}

/// Reads one record as a JSON object; adds its events to `events`.
///
/// # Errors
/// What is wrong, where, and what would be right; nothing is added then.
pub fn parse_line(terms: Terms, line: &str, received: Millis, events: &mut Vec<Event>) -> Result<(), String> {
    record(terms, &mut Record::read::<Key>(line)?, received, events)
}

/// Reads records as CSV: the first line names the columns, in any order.
pub fn parse_csv(terms: Terms, body: &[u8], received: Millis) -> Parsed {
    let mut parsed = Parsed::default();
    let mut table = match Table::new(body) {
        Ok(table) => table,
        Err(why) => {
            parsed.refuse(1, why);
            return parsed;
        }
    };
    while let Some((line, outcome)) = table.next(terms, received, &mut parsed.events) {
        if let Err(why) = outcome {
            parsed.refuse(line, why);
        }
    }
    parsed
}

/// Records as CSV, read row by row from whatever holds them.
#[derive(Debug)]
pub struct Table<R> {
    reader: csv::Reader<R>,
    /// For each cell of a row, its column.
    columns: Vec<usize>,
    row: csv::ByteRecord,
    broken: bool,
}

impl<R: std::io::Read> Table<R> {
    /// Reads the line that names the columns.
    ///
    /// # Errors
    /// It cannot be read, or names a column twice or one that there is none of.
    pub fn new(source: R) -> Result<Table<R>, String> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(source);
        let header = reader.byte_headers().map_err(|error| format!("not readable as CSV: {error}"))?;
        let mut columns: Vec<usize> = Vec::new();
        for (place, cell) in header.iter().enumerate() {
            // Spreadsheets begin a file with a byte order mark.
            let cell = if place == 0 { cell.strip_prefix(b"\xef\xbb\xbf").unwrap_or(cell) } else { cell };
            let name = bounds::line(cell.trim_ascii())?;
            let Some(column) = Key::NAMES.iter().position(|known| *known == name) else {
                let near = nearest(name, Key::NAMES.iter().copied());
                return Err(format!(
                    "unknown column {}{near}; the first line names the columns",
                    shown(name)
                ));
            };
            if columns.contains(&column) {
                return Err(format!("column {name}: named twice"));
            }
            columns.push(column);
        }
        Ok(Table { reader, columns, row: csv::ByteRecord::new(), broken: false })
    }

    /// The next row: the number of its first line, and whether its events were added to `events`.
    pub fn next(
        &mut self,
        terms: Terms,
        received: Millis,
        events: &mut Vec<Event>,
    ) -> Option<(u64, Result<(), String>)> {
        if self.broken {
            return None;
        }
        let read = self.reader.read_byte_record(&mut self.row);
        let line = self.row.position().map_or(0, csv::Position::line);
        match read {
            Ok(false) => None,
            Ok(true) => Some((line, self.take(terms, received, events))),
            Err(error) => {
                self.broken = true;
                Some((line, Err(format!("not readable as CSV: {error}"))))
            }
        }
    }

    fn take(&self, terms: Terms, received: Millis, events: &mut Vec<Event>) -> Result<(), String> {
        if self.row.len() != self.columns.len() {
            let (cells, columns) = (self.row.len(), self.columns.len());
            return Err(format!("{cells} cells, expected {columns} as the first line has"));
        }
        let mut record = Record::table::<Key>();
        for (cell, column) in self.row.iter().zip(&self.columns) {
            let cell = bounds::line(cell).map_err(|why| format!("{}: {why}", Key::NAMES[*column]))?;
            record.put(*column, cell);
        }
        self::record(terms, &mut record, received, events)
    }
}

/// What sessions and calls have in common.
struct Common {
    app: AppId,
    comm_id: CommId,
    room: String,
    room_is_number: bool,
    received: Millis,
}

impl Common {
    /// An event of this call. Each imported call is a reporter of its own (`instance`), so that no other life
    /// of the room can end it.
    fn event(&self, user: &str, kind: Kind, (at, in_seconds): (Millis, bool)) -> Event {
        let mut event = Event::new(self.app, SOURCE, &self.room, user, kind, at);
        event.instance = self.comm_id.as_str().to_owned();
        event.life = Some(self.comm_id.as_str().to_owned());
        event.room_is_number = self.room_is_number;
        event.at_in_seconds = in_seconds;
        event.received = self.received;
        event
    }
}

/// One record to events.
fn record(
    terms: Terms,
    row: &mut Record<'_>,
    received: Millis,
    events: &mut Vec<Event>,
) -> Result<(), String> {
    let is_call = match row.text(Key::Type, usize::MAX)?.as_deref() {
        Some("call") => true,
        Some("session") | None => false,
        Some(other) => return Err(format!("type: expected session or call, found {}", shown(other))),
    };
    let app = terms.app(row.unsigned(Key::SdkAppId)?.map(AppId), "sdk_app_id")?;
    let comm_id = row.id(Key::CommId)?.ok_or("comm_id: missing")?;
    let comm_id = CommId::from_text(comm_id);
    if let Some(owner) = comm_id.app().filter(|owner| *owner != app) {
        return Err(format!("comm_id: belongs to the application {owner}, not to {app}"));
    }
    let (room, room_is_number) = row.room(Key::Room)?.ok_or("room: missing")?;
    let common = Common { app, comm_id, room: room.into_owned(), room_is_number, received };
    if is_call {
        refuse_columns(row, OF_SESSIONS.into_iter().chain(ATTRS.map(|(key, _)| key)), "session")?;
        call(row, &common, events)
    } else {
        refuse_columns(row, OF_CALLS.into_iter(), "call")?;
        session(terms, row, &common, events)
    }
}

fn refuse_columns(row: &Record<'_>, keys: impl Iterator<Item = Key>, owner: &str) -> Result<(), String> {
    for key in keys {
        if row.has(key) {
            return Err(row.blame(key, format!("only a {owner} has it")));
        }
    }
    Ok(())
}

/// A call: a creation, and a destruction where it has ended. The end may lie before the creation, since a
/// creation may be told late and sessions may begin before it.
fn call(row: &mut Record<'_>, common: &Common, events: &mut Vec<Event>) -> Result<(), String> {
    let created = row
        .moment_in(Key::CreatedMs, Key::CreatedS)?
        .ok_or("created_ms: missing; a call needs created_ms or created_s")?;
    let ended = row.moment_in(Key::EndedMs, Key::EndedS)?;
    let creator = row.id(Key::Creator)?.unwrap_or_default();
    events.push(common.event(&creator, Kind::RoomCreated, created));
    events.extend(ended.map(|ended| common.event("", Kind::RoomDestroyed, ended)));
    Ok(())
}

/// A session: a join, and a leave where it has ended.
fn session(
    terms: Terms,
    row: &mut Record<'_>,
    common: &Common,
    events: &mut Vec<Event>,
) -> Result<(), String> {
    let user = row.id(Key::User)?.ok_or("user: missing")?;
    let joined = row
        .moment_in(Key::JoinedMs, Key::JoinedS)?
        .ok_or("joined_ms: missing; a session needs joined_ms or joined_s")?;
    let left = row.moment_in(Key::LeftMs, Key::LeftS)?;
    if left.is_some_and(|left| left.0 < joined.0) {
        return Err("left_ms: before the join".to_owned());
    }
    let join_source: JoinSource = row.word(Key::JoinSource)?.unwrap_or(JoinSource::Seen);
    let told: Option<LeaveSource> = row.word(Key::LeaveSource)?;
    let leave_source = match (left, told) {
        (None, None | Some(LeaveSource::Open)) => LeaveSource::Open,
        (None, Some(told)) => return Err(format!("left_ms: missing, while leave_source is {}", told.word())),
        (Some(_), Some(LeaveSource::Open)) => {
            return Err("leave_source: open, while there is a left_ms or left_s".to_owned());
        }
        (Some(_), None) => LeaveSource::Seen,
        (Some(_), Some(told)) => told,
    };
    let visit = row
        .id(Key::Visit)?
        .map_or_else(|| derived_visit(joined.0, left.map(|(left, _)| left)), Cow::into_owned);
    let mut join = common.event(&user, Kind::RecordJoined(join_source), joined);
    join.create_hint = created(&common.comm_id);
    for (key, attr) in ATTRS {
        row.attr(key, attr, &mut join.attrs)?;
    }
    let reason = leave_reason(row)?;
    if left.is_none() && reason.is_some() {
        return Err("leave_reason: given, while the session is open".to_owned());
    }
    terms.client_ip.apply(&mut join);
    join.visit = Some(visit.clone());
    events.push(join);
    if let Some(left) = left {
        let mut leave = common.event(&user, Kind::RecordLeft(leave_source), left);
        leave.create_hint = created(&common.comm_id);
        leave.visit = Some(visit);
        leave.reason = reason;
        events.push(leave);
    }
    Ok(())
}

fn leave_reason(row: &mut Record<'_>) -> Result<Option<Reason>, String> {
    let class: Option<ReasonClass> = row.word(Key::LeaveReason)?;
    let raw = row.text(Key::LeaveReasonRaw, TEXT_BYTES_MAX)?;
    if class.is_none() && raw.is_none() {
        return Ok(None);
    }
    let raw = raw.map_or_else(String::new, Cow::into_owned);
    Ok(Some(Reason { class: class.unwrap_or(ReasonClass::Unknown), raw }))
}

/// The moment the call was created, as its id tells.
fn created(comm_id: &CommId) -> Option<Millis> {
    let (_, _, second) = comm_id.parts()?;
    bounds::moment(u64::try_from(second).ok()?, Unit::Seconds).ok()
}

/// The visit of a session that has none of its own: by its join, so that the sessions of one user stay apart,
/// and one that was open when first imported is closed when it is imported again. A user's sessions without a
/// visit do not overlap, so besides one of no length only one other can begin with it; it sorts behind.
fn derived_visit(joined: Millis, left: Option<Millis>) -> String {
    if left == Some(joined) { format!("#{}", joined.0) } else { format!("#{}+", joined.0) }
}

/// The visit that a session brought along from its source, not the one derived here.
pub(super) fn own_visit(session: &Session) -> Option<&str> {
    session.visit.as_deref().filter(|visit| *visit != derived_visit(session.joined, session.left))
}
