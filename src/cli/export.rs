//! `rollbook export`: what the store holds, as lines.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::ValueEnum;

use super::settings::{Found, Where};
use super::{Surroundings, say, serve};
use crate::config;
use crate::ingest::export;
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
    /// Not in this version.
    Parquet,
}

pub(super) fn run(arguments: &Arguments, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let write: fn(&mut Vec<u8>, Exported<'_>) = match (arguments.what, arguments.format) {
        (_, Format::Parquet) => bail!("this version cannot write parquet yet; it can write ndjson and csv"),
        (What::Events, Format::Csv) => bail!("events are written as ndjson only"),
        (What::Events, Format::Ndjson) => event,
        (What::Samples, Format::Ndjson) => samples,
        (What::Samples, Format::Csv) => sample_rows,
        (What::Calls, Format::Ndjson) => call,
        (What::Calls, Format::Csv) => call_row,
        (What::Users, Format::Ndjson) => sessions,
        (What::Users, Format::Csv) => session_rows,
    };
    let Found { config, .. } = arguments.place.find(surroundings, Vec::new())?;
    if matches!(config.store, config::Store::Embedded) && !config.data_dir.exists() {
        bail!("there is no data directory {}", config.data_dir.display());
    }
    let store = serve::open_store(&config, Duration::ZERO, None)?;
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
    let mut out: Box<dyn Write> = match &arguments.output {
        Some(path) => {
            Box::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?)
        }
        None => Box::new(std::io::stdout().lock()),
    };
    let mut buffer = Vec::new();
    match (arguments.what, arguments.format) {
        (What::Users, Format::Csv) => export::session_header(&mut buffer),
        (What::Calls, Format::Csv) => export::call_header(&mut buffer),
        (What::Samples, Format::Csv) => export::sample_header(&mut buffer),
        (_, Format::Ndjson | Format::Csv | Format::Parquet) => {}
    }
    let mut out = BufWriter::new(&mut out);
    let mut broken = out.write_all(&buffer).err();
    let mut lines: u64 = 0;
    let outcome = store.export(&query, &mut |exported| {
        buffer.clear();
        write(&mut buffer, exported);
        lines += buffer.iter().filter(|byte| **byte == b'\n').count() as u64;
        out.write_all(&buffer).map_err(|error| {
            broken = Some(error);
            StoreError::Unavailable("the output cannot be written".to_owned())
        })
    });
    if let Some(error) = broken {
        return Err(error).context("cannot write the output");
    }
    outcome?;
    out.flush().context("cannot write the output")?;
    say(&format!("exported: {lines} lines"));
    Ok(ExitCode::SUCCESS)
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
