//! `rollbook check`.

use std::process::ExitCode;

use anyhow::Context as _;

use super::settings::{self, Found, Where};
use super::{Surroundings, password, say, serve};
use crate::config::{self, private};
use crate::http::tls;
use crate::limits::Secret;
use crate::store::AnyStore;
use crate::store::embedded::Embedded;

/// Validate the settings and the store.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Where,
}

pub(super) fn run(arguments: &Arguments, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let Found { file, config } = arguments.place.find(surroundings, Vec::new())?;
    settings::refuse_open(&config, config.listen)?;
    match &file {
        Some(file) => say(&format!("settings: {} is right", file.display())),
        None => say("settings: none found, the defaults hold; `rollbook serve` writes some"),
    }
    settings::say_doubts(&config);
    if let Some(files) = &config.tls {
        tls::acceptor(&files.cert_file, &files.key_file).context("[tls]")?;
        say("tls: certificate and key fit");
    }
    if let Some(file) = config.ui.password_file.as_ref().filter(|_| config.ui.enabled) {
        let accounts = password::access(&config, file, Secret::key([0; 32]))?.accounts().count();
        say(&format!("pages: {} has passwords of {accounts} accounts", file.display()));
    }
    if let config::Store::ClickHouse(servers) = &config.store {
        if let AnyStore::ClickHouse(store) = serve::open_store(&config, serve::Purpose::Read)? {
            store.verify()?;
        }
        say(&format!("store: ClickHouse answers, the database is {}", servers.database));
        return Ok(ExitCode::SUCCESS);
    }
    if !config.data_dir.exists() {
        say(&format!("store: {} does not exist yet", config.data_dir.display()));
        return Ok(ExitCode::SUCCESS);
    }
    private::check_directory(&config.data_dir).context("the data directory")?;
    let days = Embedded::verify(&config.data_dir)?;
    say(&format!("store: {} is right, {days} days", config.data_dir.display()));
    Ok(ExitCode::SUCCESS)
}
