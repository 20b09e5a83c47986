//! The commands. Each has a file with its arguments and what it does; here they are told apart.
//!
//! stdout is data, stderr is talk. Exit codes: 0 success, 1 failure, 2 wrong usage. The environment and the random
//! numbers of the operating system are read here and handed on.

mod backup;
mod blocks;
mod call;
mod check;
mod control;
mod copy;
mod demo;
mod export;
mod forget;
mod hints;
mod import;
mod keys;
mod parquet;
mod password;
mod reload;
mod serve;
mod settings;
mod story;
mod vitals;

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};

use crate::config::LOG_VARIABLE;
use crate::telemetry::{self, LogFormat};

/// The call-record server you own: RTC servers report who entered and left which room, rollbook answers who was in
/// that call.
#[derive(Debug, Parser)]
#[command(name = "rollbook", version, arg_required_else_help = true)]
struct Arguments {
    /// How log lines look [default: text on a terminal, JSON otherwise].
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<Format>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server. Without settings, the first start makes a data directory, a key and a settings file.
    Serve(serve::Arguments),
    /// Run a server in memory that is full of calls, and print lines that question it.
    Demo(demo::Arguments),
    /// Read recorded deliveries, neutral events or finished records into the store.
    Import(import::Arguments),
    /// Write users, calls, events or measurements of the store.
    Export(export::Arguments),
    /// Erase a person, and print a receipt.
    Forget(forget::Arguments),
    /// Copy the store into a directory, also of a server that runs.
    Backup(backup::BackupArguments),
    /// Make a data directory of a backup.
    Restore(backup::RestoreArguments),
    /// Copy everything of one store into the other.
    Copy(copy::Arguments),
    /// Sign a request for any action, send it, print the reply.
    Call(call::Arguments),
    /// Make keys.
    Keys(keys::Arguments),
    /// Validate the settings and the store.
    Check(check::Arguments),
}

/// What the process was started with, apart from its arguments.
#[derive(Clone)]
struct Surroundings {
    env: BTreeMap<String, String>,
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    // Wrong usage is told here, with exit code 2.
    let arguments = Arguments::parse();
    close_up();
    let surroundings = Surroundings { env: environment() };
    let outcome = start_log(arguments.log_format, &surroundings).and_then(|()| match arguments.command {
        Command::Serve(arguments) => serve::run(&arguments, &surroundings),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Import(arguments) => import::run(&arguments, &surroundings),
        Command::Export(arguments) => export::run(&arguments, &surroundings),
        Command::Forget(arguments) => forget::run(&arguments, &surroundings),
        Command::Backup(arguments) => backup::run(&arguments, &surroundings),
        Command::Restore(arguments) => backup::restore(&arguments),
        Command::Copy(arguments) => copy::run(&arguments, &surroundings),
        Command::Call(arguments) => call::run(&arguments, &surroundings),
        Command::Keys(arguments) => keys::run(&arguments, &surroundings),
        Command::Check(arguments) => check::run(&arguments, &surroundings),
    });
    match outcome {
        Ok(code) => code,
        Err(error) => {
            say(&format!("rollbook: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Keeps to itself what the process holds: no core dump has its memory in it, nobody but root may look into it, and what
/// it writes is for its user alone. Where the system does not allow one of these, it has been stricter itself.
fn close_up() {
    use rustix::process::{Resource, Rlimit, setrlimit, umask};
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

/// The variables that are text; others are none of ours.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn start_log(format: Option<Format>, surroundings: &Surroundings) -> anyhow::Result<()> {
    let terminal = std::io::stderr().is_terminal();
    let colour = terminal && surroundings.env.get("NO_COLOR").is_none_or(String::is_empty);
    let format = match (format, terminal) {
        (Some(Format::Text), _) | (None, true) => LogFormat::Text { colour },
        (Some(Format::Json), _) | (None, false) => LogFormat::Json,
    };
    let filter = surroundings.env.get(LOG_VARIABLE).map_or("info", String::as_str);
    telemetry::init(format, filter).with_context(|| format!("{LOG_VARIABLE}={filter:?} is no log filter"))
}

/// Talks to whoever started the command. Nobody listening is no failure.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// How this program was called, for lines to paste: `target/release/rollbook` under cargo.
fn program() -> String {
    let name = std::env::args().next().unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte);
    if !name.is_empty() && name.bytes().all(plain) { name } else { "rollbook".to_owned() }
}

/// Random bytes of the operating system.
fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("the system has no random numbers: {error}"))?;
    Ok(bytes)
}
