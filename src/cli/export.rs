//! `rollbook export`: what the store holds, as lines.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::ValueEnum;

use super::parquet::Table;
use super::settings::{Found, Where};
use super::{Surroundings, say, serve};
use crate::config;
use crate::ingest::export::{self, Cell, Shape};
use crate::records::{AppId, Millis};
use crate::store::{self, ExportQuery, Exported, Store as _, StoreError};

/// Write users, calls, events or measurements of the store.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What to write.
    what: What,
    /// The application.
    #[arg(long, value_name = "SDK_APP_ID")]
    app: u64,
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
    if arguments.what == What::Events && arguments.format != Format::Ndjson {
        bail!("events are written as ndjson only");
    }
    let Found { config, .. } = arguments.place.find(surroundings, Vec::new())?;
    if matches!(config.store, config::Store::Embedded) && !config.data_dir.exists() {
        bail!("there is no data directory {}", config.data_dir.display());
    }
    let store = serve::open_store(&config, serve::Purpose::Read)?;
    let query = ExportQuery {
        app: AppId(arguments.app),
        from: arguments.from.unwrap_or(Millis(i64::MIN)),
        to: arguments.to.unwrap_or(Millis(i64::MAX)),
        what: match arguments.what {
            What::Events => store::What::Events,
            What::Samples => store::What::Samples,
            What::Users | What::Calls => store::What::Records,
        },
    };
    let out: Box<dyn Write + Send> = match &arguments.output {
        Some(path) => {
            Box::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?)
        }
        None => Box::new(std::io::stdout()),
    };
    let mut rows = Rows::new(arguments.what, arguments.format, out).context("cannot write the output")?;
    let mut broken = None;
    let outcome = store.export(&query, &mut |exported| {
        rows.write(arguments.what, exported).map_err(|error| {
            broken = Some(error);
            StoreError::Unavailable("the output cannot be written".to_owned())
        })
    });
    if let Some(error) = broken {
        return Err(error).context("cannot write the output");
    }
    outcome?;
    let count = rows.finish().context("cannot write the output")?;
    say(&format!("exported: {count} {}", if arguments.format == Format::Parquet { "rows" } else { "lines" }));
    Ok(ExitCode::SUCCESS)
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
            (What::Events, Format::Ndjson | Format::Csv) => event,
            (What::Samples, Format::Ndjson) => samples,
            (What::Calls, Format::Ndjson) => call,
            (What::Users, Format::Ndjson) => sessions,
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
fn moment(text: &str) -> Result<Millis, String> {
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
