//! `rollbook forget`: erases a person, and prints a receipt.

use std::io::{Read, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::builder::NonEmptyStringValueParser;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::control::{self, Out, Reply};
use super::export::moment;
use super::settings::{Found, Where};
use super::{Surroundings, random, say};
use crate::clock::Clock;
use crate::records::{AppId, Millis};
use crate::store::{AnyStore, Forgotten, Person, Store as _};

/// Erase a person: sessions, events and measurements, from every file, so that nothing brings them back. A server that
/// uses the data directory does it itself and goes on serving. Prints a receipt without the name.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The application.
    #[arg(long, value_name = "SDK_APP_ID")]
    app: u64,
    /// The id of the user.
    #[arg(long, value_name = "USER", value_parser = NonEmptyStringValueParser::new())]
    user: String,
    /// What happened up to here [default: now]: a UNIX second, a date, or an RFC 3339 time. Nothing that happened until
    /// then is taken of that user any more.
    #[arg(long, value_name = "T", value_parser = moment)]
    until: Option<Millis>,
    #[command(flatten)]
    place: Where,
}

/// Whom to erase. Its JSON is what the receipt has the hash of.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    app: u64,
    user: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until_ms: Option<i64>,
}

/// What was erased. It holds no name.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Receipt {
    request_sha256: String,
    erased_at: String,
    until: String,
    calls: u64,
    sessions: u64,
    events: u64,
    values: u64,
    files: u64,
}

pub(super) fn run(arguments: &Arguments, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let Found { config, .. } = arguments.place.find(surroundings, Vec::new())?;
    let until_ms = arguments.until.map(|until| until.0);
    let request = Request { app: arguments.app, user: arguments.user.clone(), until_ms };
    if !config.accounts.iter().flat_map(|account| &account.apps).any(|app| app.id.0 == arguments.app) {
        say(&format!("rollbook: note: application {} is not in the settings", arguments.app));
    }
    if arguments.until.is_some_and(|until| until > Clock::system().now()) {
        say("rollbook: note: --until lies ahead; nothing that happens until then will be taken of this user");
    }
    control::ask(&config, control::Request::Forget(request), &mut Printer)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the receipt.
struct Printer;

impl Out for Printer {
    fn say(&mut self, reply: Reply, _: &mut dyn Read) -> anyhow::Result<()> {
        if let Reply::Forgotten(receipt) = reply {
            let Receipt { calls, sessions, events, values, files, .. } = &receipt;
            writeln!(std::io::stdout(), "{}", serde_json::to_string(&receipt)?)?;
            if (*sessions, *events, *values) == (0, 0, 0) {
                say("rollbook: note: nothing was known of this user of this application");
            }
            say(&format!(
                "erased: {sessions} sessions in {calls} calls, {events} events, {values} values of measurements; {files} files written anew"
            ));
        }
        Ok(())
    }
}

/// Erases somebody from a store.
pub(super) async fn perform(store: &AnyStore, request: &Request, clock: Clock) -> anyhow::Result<Receipt> {
    let now = clock.now();
    let until = request.until_ms.map_or(now, Millis);
    let person = Person { app: AppId(request.app), user: request.user.clone(), until };
    let Forgotten { calls, sessions, events, values, files } =
        store.forget(&person, random()?).await.context("not all is erased; run the same command again")?;
    tracing::info!(calls, sessions, events, values, files, "erased a person");
    let hash = Sha256::digest(serde_json::to_vec(request)?);
    Ok(Receipt {
        request_sha256: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        erased_at: written(now),
        until: written(until),
        calls,
        sessions,
        events,
        values,
        files,
    })
}

/// A time as RFC 3339 has it; one beyond the calendar as milliseconds.
fn written(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |time| time.to_string())
}
