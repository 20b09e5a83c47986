//! `rollbook export`: what the store holds, as lines.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use clap::builder::NonEmptyStringValueParser;

use super::parquet::Table;
use super::settings::{Found, Where};
use super::{Surroundings, say, serve};
use crate::config;
use crate::ingest::export::{self, Cell, Shape};
use crate::records::{AppId, Millis, erase};
use crate::store::{self, AnyStore, ExportQuery, Exported, Store as _, StoreError};

/// Write users, calls, events or measurements of the store.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What to write; of one user alone everything, unless it is said.
    #[arg(required_unless_present = "user")]
    what: Option<What>,
    /// The application.
    #[arg(long, value_name = "SDK_APP_ID")]
    app: u64,
    /// Only what tells of this user: calls and sessions, events, measurements by and of the user.
    #[arg(long, value_name = "USER", value_parser = NonEmptyStringValueParser::new())]
    user: Option<String>,
    /// Calls created, or events and measurements of a time, from here on: a UNIX second, a date, or an RFC 3339 time.
    #[arg(long, value_name = "T", value_parser = moment)]
    from: Option<Millis>,
    /// And up to here, inclusive.
    #[arg(long, value_name = "T", value_parser = moment)]
    to: Option<Millis>,
    #[arg(long, value_name = "FORMAT", default_value = "ndjson")]
    format: Format,
    /// The file to write [default: standard output].
    #[arg(short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Sessions: who was in which call.
    Users,
    /// Calls.
    Calls,
    /// The events that all is made of; `import events` reads them.
    Events,
    /// Measurements; `import events` reads them.
    Samples,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Ndjson,
    Csv,
    /// Columns, packed; not for events.
    Parquet,
}

pub(super) fn run(arguments: &Arguments, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    if arguments.what.is_none_or(|what| what == What::Events) && arguments.format != Format::Ndjson {
        bail!("events are written as ndjson only");
    }
    let Found { config, .. } = arguments.place.find(surroundings, Vec::new())?;
    if matches!(config.store, config::Store::Embedded) && !config.data_dir.exists() {
        bail!("there is no data directory {}", config.data_dir.display());
    }
    let store = serve::open_store(&config, serve::Purpose::Read)?;
    let out: Box<dyn Write + Send> = match &arguments.output {
        Some(path) => {
            Box::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?)
        }
        None => Box::new(std::io::stdout()),
    };
    let kinds = arguments.what.map_or(EVERYTHING.to_vec(), |what| vec![what]);
    let mut rows = Rows::new(kinds[0], arguments.format, out).context("cannot write the output")?;
    for kind in kinds {
        write(&store, arguments, kind, &mut rows)?;
    }
    let count = rows.finish().context("cannot write the output")?;
    say(&format!("exported: {count} {}", if arguments.format == Format::Parquet { "rows" } else { "lines" }));
    Ok(ExitCode::SUCCESS)
}

/// All that there is of a person.
const EVERYTHING: [What; 4] = [What::Calls, What::Users, What::Events, What::Samples];

/// Writes all of one kind that was asked for.
fn write(store: &AnyStore, arguments: &Arguments, what: What, rows: &mut Rows) -> anyhow::Result<()> {
    let query = ExportQuery {
        app: AppId(arguments.app),
        from: arguments.from.unwrap_or(Millis(i64::MIN)),
        to: arguments.to.unwrap_or(Millis(i64::MAX)),
        what: match what {
            What::Events => store::What::Events,
            What::Samples => store::What::Samples,
            What::Users | What::Calls => store::What::Records,
        },
    };
    rows.turn_to(what, arguments.format);
    let mut broken = None;
    let mut row = |exported: Exported<'_>| {
        rows.write(what, exported).map_err(|error| {
            broken = Some(error);
            StoreError::Unavailable("the output cannot be written".to_owned())
        })
    };
    let outcome = store.export(&query, &mut |exported| match &arguments.user {
        Some(user) => of_user(exported, user, &mut row),
        None => row(exported),
    });
    match broken {
        Some(error) => Err(error).context("cannot write the output"),
        None => Ok(outcome?),
    }
}

/// Gives on what tells of a user.
fn of_user(
    exported: Exported<'_>,
    user: &str,
    sink: &mut dyn FnMut(Exported<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    match exported {
        Exported::Call(call, sessions) => {
            let theirs: Vec<_> = sessions.iter().filter(|session| session.user == user).cloned().collect();
            if theirs.is_empty() && call.creator != user {
                Ok(())
            } else {
                sink(Exported::Call(call, &theirs))
            }
        }
        Exported::Event(event) if !erase::names(event, &|name| name == user) => Ok(()),
        Exported::Samples(series) if series.flow.user != user && series.flow.peer != user => Ok(()),
        Exported::Event(_) | Exported::Samples(_) => sink(exported),
    }
}

impl What {
    /// The columns of a table of it.
    fn columns(self) -> &'static [(&'static str, Shape)] {
        match self {
            What::Users => &export::SESSION_COLUMNS,
            What::Calls => &export::CALL_COLUMNS,
            What::Samples => &export::SAMPLE_COLUMNS,
            What::Events => &[],
        }
    }
}

/// Where rows go.
enum Rows {
    Lines {
        out: BufWriter<Box<dyn Write + Send>>,
        write: fn(&mut Vec<u8>, Exported<'_>),
        buffer: Vec<u8>,
        count: u64,
    },
    Table {
        table: Table<Box<dyn Write + Send>>,
        count: u64,
    },
}

impl Rows {
    fn new(what: What, format: Format, out: Box<dyn Write + Send>) -> anyhow::Result<Rows> {
        let mut buffer = Vec::new();
        let write: fn(&mut Vec<u8>, Exported<'_>) = match (what, format) {
            (_, Format::Parquet) => {
                return Ok(Rows::Table { table: Table::new(out, what.columns())?, count: 0 });
            }
            (_, Format::Ndjson) | (What::Events, Format::Csv) => lines_of(what),
            (What::Samples, Format::Csv) => {
                export::sample_header(&mut buffer);
                sample_rows
            }
            (What::Calls, Format::Csv) => {
                export::call_header(&mut buffer);
                call_row
            }
            (What::Users, Format::Csv) => {
                export::session_header(&mut buffer);
                session_rows
            }
        };
        let mut out = BufWriter::new(out);
        out.write_all(&buffer)?;
        Ok(Rows::Lines { out, write, buffer, count: 0 })
    }

    /// Lines of another kind follow.
    fn turn_to(&mut self, what: What, format: Format) {
        if let (Rows::Lines { write, .. }, Format::Ndjson) = (self, format) {
            *write = lines_of(what);
        }
    }

    fn write(&mut self, what: What, exported: Exported<'_>) -> anyhow::Result<()> {
        let (table, count) = match self {
            Rows::Lines { out, write, buffer, count } => {
                buffer.clear();
                write(buffer, exported);
                *count += buffer.iter().filter(|byte| **byte == b'\n').count() as u64;
                return Ok(out.write_all(buffer)?);
            }
            Rows::Table { table, count } => (table, count),
        };
        let mut row = |cells: &[Cell<'_>]| {
            *count += 1;
            table.row(cells)
        };
        match exported {
            Exported::Call(call, _) if what == What::Calls => row(&export::call_cells(call))?,
            Exported::Call(call, sessions) => {
                sessions.iter().try_for_each(|session| row(&export::session_cells(call, session)))?;
            }
            Exported::Samples(series) => export::sample_cells(series).try_for_each(|cells| row(&cells))?,
            Exported::Event(_) => {}
        }
        Ok(())
    }

    /// How many there were, once all are written.
    fn finish(self) -> anyhow::Result<u64> {
        match self {
            Rows::Lines { mut out, count, .. } => {
                out.flush()?;
                Ok(count)
            }
            Rows::Table { table, count } => {
                table.finish()?;
                Ok(count)
            }
        }
    }
}

/// What writes lines of a kind.
fn lines_of(what: What) -> fn(&mut Vec<u8>, Exported<'_>) {
    match what {
        What::Events => event,
        What::Samples => samples,
        What::Calls => call,
        What::Users => sessions,
    }
}

fn event(out: &mut Vec<u8>, exported: Exported<'_>) {
    if let Exported::Event(event) = exported {
        export::event(out, event);
    }
}

fn samples(out: &mut Vec<u8>, exported: Exported<'_>) {
    if let Exported::Samples(series) = exported {
        export::samples(out, series);
    }
}

fn sample_rows(out: &mut Vec<u8>, exported: Exported<'_>) {
    if let Exported::Samples(series) = exported {
        export::sample_rows(out, series);
    }
}

fn call(out: &mut Vec<u8>, exported: Exported<'_>) {
    if let Exported::Call(call, _) = exported {
        export::call_line(out, call);
    }
}

fn call_row(out: &mut Vec<u8>, exported: Exported<'_>) {
    if let Exported::Call(call, _) = exported {
        export::call_row(out, call);
    }
}

fn sessions(out: &mut Vec<u8>, exported: Exported<'_>) {
    if let Exported::Call(call, sessions) = exported {
        sessions.iter().for_each(|session| export::session_line(out, call, session));
    }
}

fn session_rows(out: &mut Vec<u8>, exported: Exported<'_>) {
    if let Exported::Call(call, sessions) = exported {
        sessions.iter().for_each(|session| export::session_row(out, call, session));
    }
}

/// A time as people write it.
pub(super) fn moment(text: &str) -> Result<Millis, String> {
    if let Ok(secs) = text.parse() {
        return Ok(Millis::from_secs(secs));
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(Millis(time.as_millisecond()));
    }
    let midnight = text.parse::<jiff::civil::Date>().ok().and_then(|date| {
        date.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|time| time.timestamp().as_millisecond())
    });
    midnight.map(Millis).ok_or_else(|| {
        "expected a UNIX second (1590065777), a date (2020-05-21, its begin in UTC) or a time (2020-05-21T12:56:17Z)"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(moment(text).ok().map(|at| at.0), expected, "{text}");
        };
        check("1590065777", Some(1_590_065_777_000));
        check("2020-05-21T12:56:17Z", Some(1_590_065_777_000));
        check("2020-05-21T20:56:17.5+08:00", Some(1_590_065_777_500));
        check("2020-05-21", Some(1_590_019_200_000));
        check("yesterday", None);
        check("2020-13-01", None);
    }
}
