//! Settings files: read, or refused with the line; no secret is in what is said, nor in what is shown of settings; and
//! the same settings written otherwise are read as the same.
#![no_main]

use std::collections::BTreeMap;
use std::path::Path;

use libfuzzer_sys::{Corpus, fuzz_target};
use rollbook::config::settings::{Kind, SETTINGS};
use rollbook::config::{Config, ConfigError, misspelt, resolve};
use toml::{Table, Value};

/// Shorter ones are part of any text.
const SECRET_BYTES_MIN: usize = 8;

const PATH: &str = "rollbook.toml";

fn read(text: &str) -> Result<Config, ConfigError> {
    resolve(Some((Path::new(PATH), text)), &BTreeMap::new(), &[])
}

/// All texts that stand where a secret does, and those that name files.
#[derive(Default)]
struct Found {
    secrets: Vec<String>,
    files: bool,
}

impl Found {
    fn look(&mut self, path: &str, value: &Value) {
        match value {
            Value::Table(table) => {
                for (name, value) in table {
                    self.files |= name.ends_with("_file");
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    self.look(&path, value);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.look(path, item)),
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_) => {
                let is_secret = SETTINGS.iter().any(|s| s.path == path && s.kind == Kind::Secret);
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                if is_secret && text.len() >= SECRET_BYTES_MIN {
                    self.secrets.push(text);
                }
            }
        }
    }
}

/// The secrets of settings, in their order.
fn secrets(config: &Config) -> Vec<&str> {
    let keys = config.accounts.iter().flat_map(|account| &account.keys);
    let of_keys = keys.flat_map(|key| [Some(&key.secret_key), key.token.as_ref()]);
    let apps = config.accounts.iter().flat_map(|account| &account.apps);
    let of_apps = apps.flat_map(|app| [app.trtc_callback_key.as_ref(), app.ingest_token.as_ref()]);
    let all = of_keys.chain(of_apps).chain([config.metrics_token.as_ref()]);
    all.flatten().map(|secret| secret.expose()).collect()
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(bytes) else { return Corpus::Reject };
    let table: Option<Table> = text.parse().ok();
    let mut found = Found::default();
    if let Some(table) = &table {
        found.look("", &Value::Table(table.clone()));
    }
    // Files would be looked for, and read; also those that only escapes name, where numbers are too large for this reader.
    if found.files || table.is_none() && (text.contains("_file") || text.contains('\\')) {
        return Corpus::Reject;
    }
    // The same text in another place is nobody's secret.
    found.secrets.retain(|secret| text.matches(secret.as_str()).count() == 1);
    let outcome = read(text);
    let said = match &outcome {
        Ok(config) => format!("{config:?}"),
        Err(error) => error.to_string(),
    };
    assert!(!found.secrets.iter().any(|secret| said.contains(secret.as_str())), "told: {said}");
    match outcome {
        Err(_) => {
            let line = said.strip_prefix(&format!("{PATH}:")).and_then(|rest| rest.split_once(':'));
            let line: Option<usize> = line.and_then(|(line, _)| line.parse().ok());
            let lines = text.matches('\n').count() + 1;
            let is_place = line.is_some_and(|line| (1..=lines).contains(&line));
            assert!(is_place || said.starts_with("the defaults: "), "no place: {said}");
        }
        Ok(config) => {
            if let Some(table) = &table {
                let again = read(&table.to_string()).expect("the same settings");
                assert_eq!((format!("{again:?}"), secrets(&again)), (said, secrets(&config)));
            }
        }
    }
    let variables =
        table.into_iter().flatten().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())));
    let variables: BTreeMap<String, String> = variables.collect();
    assert!(misspelt(&variables).iter().all(|(name, _)| variables.contains_key(name)));
    Corpus::Keep
});
