//! The settings: defaults, overridden by a file, by the environment, by flags; resolved once, then handed down.
//!
//! [`settings::SETTINGS`] is the list of them. `raw` holds what was given against that list, this file turns it
//! into types and refuses what makes no sense together. The environment is an argument.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::actions::Key;
use crate::ingest::{App, ClientIpPolicy, Janus, LiveKit};
use crate::limits::{Edition, Secret};
use crate::records::AppId;

pub mod private;
mod raw;
pub mod settings;

use private::{Openness, Private};
use raw::{Section, Value};
use settings::{Fallback, Kind, SETTINGS, Setting};

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// Others than this machine may speak plain HTTP to it.
    pub plain_http: bool,
    /// Proxies that are believed when they say for whom they speak.
    pub trusted_proxies: Vec<Network>,
    /// What shows that somebody may read the metrics from elsewhere.
    pub metrics_token: Option<Secret>,
    /// Where the records are.
    pub data_dir: PathBuf,
    /// What keeps them.
    pub store: Store,
    /// How many days a call is kept after its last evidence; 0 = for ever.
    pub retention_days: u32,
    /// Further host names that signatures may name.
    pub public_hosts: Vec<String>,
    /// Further regions that requests may name.
    pub regions: Vec<String>,
    /// HTTPS, where set.
    pub tls: Option<Tls>,
    /// What may be asked, and how often.
    pub limits: Limits,
    /// What becomes of clients' addresses.
    pub client_ip: ClientIpPolicy,
    /// The web page.
    pub ui: Ui,
    /// Who may ask about what.
    pub accounts: Vec<Account>,
}

impl Config {
    /// Puts back what a running server cannot change, where it differs from `old`; the names of those settings, all of
    /// which are in [`settings::AT_START`].
    pub fn keep_what_needs_a_restart(&mut self, old: &Config) -> Vec<&'static str> {
        let mut kept = Vec::new();
        let mut keep = |setting: &'static str, differs: bool| {
            if differs {
                kept.push(setting);
            }
        };
        keep("listen", self.listen != old.listen);
        keep("data_dir", self.data_dir != old.data_dir);
        keep("store", self.store != old.store);
        keep("tls", self.tls.is_some() != old.tls.is_some());
        keep("ui.enabled", self.ui.enabled != old.ui.enabled);
        let (new, limits) = (&mut self.limits, &old.limits);
        for (setting, new, old) in [
            ("limits.connections", &mut new.connections, limits.connections),
            ("limits.head_kib", &mut new.head_kib, limits.head_kib),
            ("limits.head_seconds", &mut new.head_seconds, limits.head_seconds),
            ("limits.body_seconds", &mut new.body_seconds, limits.body_seconds),
            ("limits.bodies_mib", &mut new.bodies_mib, limits.bodies_mib),
        ] {
            keep(setting, *new != old);
            *new = old;
        }
        (self.listen, self.data_dir, self.store) = (old.listen, old.data_dir.clone(), old.store.clone());
        self.ui.enabled = old.ui.enabled;
        kept
    }
}

/// What keeps the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// Files in the data directory.
    Embedded,
    /// Servers of ClickHouse.
    ClickHouse(ClickHouse),
}

/// Where records are on ClickHouse.
#[derive(Clone, PartialEq, Eq)]
pub struct ClickHouse {
    /// The servers.
    pub urls: Vec<String>,
    /// The database.
    pub database: String,
    /// The cluster that replicates it; `""`: none.
    pub cluster: String,
    /// Who we are to servers whose URL does not say.
    pub user: String,
    /// And the password.
    pub password: Option<Secret>,
}

impl std::fmt::Debug for ClickHouse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URLs may have passwords in them.
        f.debug_struct("ClickHouse").field("database", &self.database).finish_non_exhaustive()
    }
}

/// Addresses whose first bits are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Reads `10.0.0.1` or `10.0.0.0/8`, and likewise of IPv6.
    pub fn from_text(text: &str) -> Option<Network> {
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(most), |bits| bits.parse().ok()).filter(|bits| *bits <= most)?;
        Some(Network { address, bits })
    }

    /// Whether an address is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let differ = match (self.address, address.to_canonical()) {
            (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
            (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        differ >= self.bits
    }
}

/// The files that HTTPS needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Certificate chain, PEM.
    pub cert_file: PathBuf,
    /// Private key, PEM.
    pub key_file: PathBuf,
}

/// What may be asked, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For each account and action; 0 = any number.
    pub requests_per_second: u32,
    /// Failed proofs from one address; 0 = any number.
    pub failed_attempts_per_minute: u32,
    /// How far back `StartTime` may lie; 0 = any time.
    pub history_days: u32,
    /// The longest window of questions about users.
    pub user_window_hours: u32,
    /// The longest window of questions about rooms.
    pub room_window_hours: u32,
    /// How many connections are open at most.
    pub connections: u32,
    /// The largest head of a request, in KiB.
    pub head_kib: u32,
    /// How long a head may take, in seconds.
    pub head_seconds: u32,
    /// How long a body may take, in seconds.
    pub body_seconds: u32,
    /// All bodies in memory at one time, in MiB.
    pub bodies_mib: u32,
}

/// The web page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ui {
    /// Whether it is served.
    pub enabled: bool,
    /// A file with its password.
    pub password_file: Option<PathBuf>,
}

/// One account: its keys may ask about its applications.
#[derive(Debug, Clone)]
pub struct Account {
    /// What logs call it.
    pub name: String,
    /// How far back it may ask.
    pub edition: Edition,
    /// What its requests are signed with.
    pub keys: Vec<Key>,
    /// What it may ask about.
    pub apps: Vec<App>,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A line of a file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A flag of the command.
    Flag(&'static str),
    /// Nowhere.
    Default,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::File { path, line } => write!(f, "{}:{line}", path.display()),
            Place::Environment(name) => f.write_str(name),
            Place::Flag(name) => f.write_str(name),
            Place::Default => f.write_str("the defaults"),
        }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the settings {path}: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the operating system says.
        why: String,
    },
    /// A name that is no setting.
    #[error("{place}: unknown setting `{path}`; {hint}")]
    Unknown {
        /// Where.
        place: Place,
        /// The name, with its tables.
        path: String,
        /// What may have been meant.
        hint: String,
    },
    /// A value that does not fit its setting.
    #[error("{place}: `{path}` must be {expected}, not {found}")]
    WrongKind {
        /// Where.
        place: Place,
        /// The setting.
        path: String,
        /// What it may hold.
        expected: String,
        /// What it holds.
        found: String,
    },
    /// A secret stands where others can read it.
    #[error("{place}: {error}")]
    Open {
        /// Where it is named, or where it stands.
        place: Place,
        /// Which file, and what mends it.
        error: String,
    },
    /// What fits its setting and still makes no sense, or is no TOML.
    #[error("{place}: {what}")]
    Invalid {
        /// Where.
        place: Place,
        /// What is wrong.
        what: String,
    },
}

impl ConfigError {
    fn wrong(place: &Place, path: &str, kind: Kind, found: &str) -> ConfigError {
        ConfigError::WrongKind {
            place: place.clone(),
            path: path.to_owned(),
            expected: kind.expected(),
            found: found.to_owned(),
        }
    }
}

/// A value given by a flag: path of the setting, the flag's name, its text.
pub type Flag = (&'static str, &'static str, String);

/// Reads a file and resolves it with environment and flags.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn load(
    file: Option<&Path>,
    env: &BTreeMap<String, String>,
    flags: &[Flag],
) -> Result<Config, ConfigError> {
    let Some(path) = file else { return resolve(None, env, flags) };
    let (text, openness) = private::read_any(path).map_err(|error| match error {
        Private::Unreadable { path, why } => ConfigError::Unreadable { path, why: why.to_string() },
        error @ Private::Open { .. } => ConfigError::Open {
            place: Place::File { path: path.to_owned(), line: 1 },
            error: error.to_string(),
        },
    })?;
    resolve_open(Some((path, &text)), Some(&openness), env, flags)
}

/// Resolves the text of a settings file with environment and flags. Of the file system it reads the files of
/// secrets only.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn resolve(
    file: Option<(&Path, &str)>,
    env: &BTreeMap<String, String>,
    flags: &[Flag],
) -> Result<Config, ConfigError> {
    resolve_open(file, None, env, flags)
}

/// The same of a file that others may be able to read.
fn resolve_open(
    file: Option<(&Path, &str)>,
    openness: Option<&Openness>,
    env: &BTreeMap<String, String>,
    flags: &[Flag],
) -> Result<Config, ConfigError> {
    let mut top = match file {
        Some((path, text)) => raw::read(path, text, openness)?,
        None => Section::default(),
    };
    for setting in SETTINGS {
        if let Some((name, text)) = setting.env().and_then(|name| env.get_key_value(&name)) {
            top.set_text(setting, text, Place::Environment(name.clone()))?;
        }
        if let Some((_, flag, text)) = flags.iter().find(|(path, _, _)| *path == setting.path) {
            top.set_text(setting, text, Place::Flag(flag))?;
        }
    }
    Typed { section: &top }.config(file.map(|(path, _)| path))
}

/// Names of environment variables that look like a misspelt setting, each with the name that may be meant. They
/// are not refused, since others too set variables that begin with `ROLLBOOK_`.
pub fn misspelt(env: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let known: Vec<String> = SETTINGS.iter().filter_map(Setting::env).collect();
    let ours =
        |name: &&String| name.starts_with("ROLLBOOK_") && !known.contains(name) && *name != LOG_VARIABLE;
    let near = |name: &String| known.iter().find(|k| strsim::damerau_levenshtein(k, name) <= 2).cloned();
    env.keys().filter(ours).filter_map(|name| Some((name.clone(), near(name)?))).collect()
}

/// The environment variable that sets how much is logged; no setting, since it takes effect before they are read.
pub const LOG_VARIABLE: &str = "ROLLBOOK_LOG";

/// A section read as types. What is asked for by a wrong name or type is a mistake in this file, which the tests
/// of the table find.
struct Typed<'a> {
    section: &'a Section,
}

impl<'a> Typed<'a> {
    fn config(&self, file: Option<&Path>) -> Result<Config, ConfigError> {
        let beside = |path: &str| file.map_or_else(|| path.into(), |file| raw::beside(file, Path::new(path)));
        let password = self.text("ui.password_file")?.filter(|path| !path.is_empty());
        let mut accounts = Vec::new();
        for (index, section) in self.section.list("account").iter().enumerate() {
            accounts.push(Typed { section }.account(index)?);
        }
        let config = Config {
            listen: self.listen()?,
            plain_http: self.switch("plain_http")?,
            trusted_proxies: self.networks()?,
            metrics_token: self.secret("metrics_token")?,
            data_dir: self.text("data_dir")?.unwrap_or_default().into(),
            store: self.store()?,
            retention_days: self.number("retention_days")?,
            public_hosts: self.host_names()?,
            regions: self.texts("regions")?,
            tls: self.tls(&beside)?,
            limits: Limits {
                requests_per_second: self.number("limits.requests_per_second")?,
                failed_attempts_per_minute: self.number("limits.failed_attempts_per_minute")?,
                history_days: self.number("limits.history_days")?,
                user_window_hours: self.number("limits.user_window_hours")?,
                room_window_hours: self.number("limits.room_window_hours")?,
                connections: self.number("limits.connections")?,
                head_kib: self.number("limits.head_kib")?,
                head_seconds: self.number("limits.head_seconds")?,
                body_seconds: self.number("limits.body_seconds")?,
                bodies_mib: self.number("limits.bodies_mib")?,
            },
            client_ip: match self.text("privacy.client_ip")?.unwrap_or_default() {
                "mask" => ClientIpPolicy::Mask,
                "drop" => ClientIpPolicy::Drop,
                _ => ClientIpPolicy::Keep,
            },
            ui: Ui { enabled: self.switch("ui.enabled")?, password_file: password.map(beside) },
            accounts,
        };
        self.refuse_repeats()?;
        Ok(config)
    }

    fn account(&self, index: usize) -> Result<Account, ConfigError> {
        let mut keys = Vec::new();
        for section in self.section.list("account.key") {
            keys.extend(Typed { section }.key()?);
        }
        let mut apps = Vec::new();
        for section in self.section.list("account.app") {
            apps.push(Typed { section }.app()?);
        }
        let name = self.text("account.name")?.map_or_else(|| format!("account {}", index + 1), str::to_owned);
        let edition =
            Edition::from_name(self.text("account.edition")?.unwrap_or_default()).unwrap_or_default();
        Ok(Account { name, edition, keys, apps })
    }

    /// A key that is switched off is as if it were not there, once nothing is wrong with it.
    fn key(&self) -> Result<Option<Key>, ConfigError> {
        const SECRET: &str = "account.key.secret_key";
        let expires_at = i64::try_from(self.wide("account.key.expires_at")?).unwrap_or(i64::MAX);
        let secret_id = self.filled("account.key.secret_id")?.to_owned();
        self.value(SECRET)?;
        let secret_key = self.secret(SECRET)?;
        let key = Key {
            secret_id,
            secret_key: secret_key
                .ok_or_else(|| self.invalid(SECRET, format!("`{SECRET}` must not be empty")))?,
            token: self.secret("account.key.token")?,
            expires_at_s: (expires_at > 0).then_some(expires_at),
        };
        Ok(self.switch("account.key.enabled")?.then_some(key))
    }

    fn app(&self) -> Result<App, ConfigError> {
        Ok(App {
            id: AppId(self.wide("account.app.sdk_app_id")?),
            trtc_callback_key: self.secret("account.app.trtc_callback_key")?,
            trtc_unsigned: self.switch("account.app.trtc_unsigned")?,
            ingest_token: self.secret("account.app.ingest_token")?,
            livekit: self.livekit()?,
            janus: self.janus()?,
        })
    }

    fn livekit(&self) -> Result<Option<LiveKit>, ConfigError> {
        const KEY: &str = "account.app.livekit.api_key";
        const SECRET: &str = "account.app.livekit.api_secret";
        let drop_kinds = self.texts("account.app.livekit.drop_kinds")?;
        let pair = self.pair((KEY, self.given(KEY)?), (SECRET, self.secret(SECRET)?))?;
        match (pair, drop_kinds.is_empty()) {
            (Some((api_key, api_secret)), _) => Ok(Some(LiveKit { api_key, api_secret, drop_kinds })),
            (None, true) => Ok(None),
            (None, false) => {
                Err(self.invalid("account.app.livekit.drop_kinds", format!("`{KEY}` is missing")))
            }
        }
    }

    fn janus(&self) -> Result<Option<Janus>, ConfigError> {
        const USER: &str = "account.app.janus.user";
        const PASSWORD: &str = "account.app.janus.password";
        if self.section.get(USER).is_none() && self.section.get(PASSWORD).is_none() {
            return Ok(None);
        }
        let credentials = self.pair((USER, self.given(USER)?), (PASSWORD, self.secret(PASSWORD)?))?;
        Ok(Some(Janus { credentials }))
    }

    fn store(&self) -> Result<Store, ConfigError> {
        const URLS: &str = "store.clickhouse.urls";
        let urls = self.texts(URLS)?;
        // Environment and flags may go back to the files.
        if self.section.get("store").is_some()
            || (urls.is_empty() && self.section.table("store.clickhouse").is_none())
        {
            return Ok(Store::Embedded);
        }
        let filled = urls.iter().all(|url| !url.is_empty()) && !urls.is_empty();
        if !filled {
            let given = self.section.get(URLS).map(|(_, place)| place);
            let place =
                given.or_else(|| self.section.table("store.clickhouse")).cloned().unwrap_or(Place::Default);
            let what = format!("`{URLS}` must name the servers, such as [\"http://127.0.0.1:8123\"]");
            return Err(ConfigError::Invalid { place, what });
        }
        Ok(Store::ClickHouse(ClickHouse {
            urls,
            database: self.filled("store.clickhouse.database")?.to_owned(),
            cluster: self.text("store.clickhouse.cluster")?.unwrap_or_default().to_owned(),
            user: self.text("store.clickhouse.user")?.unwrap_or_default().to_owned(),
            password: self.secret("store.clickhouse.password")?,
        }))
    }

    fn listen(&self) -> Result<SocketAddr, ConfigError> {
        let text = self.text("listen")?.unwrap_or_default();
        text.parse().map_err(|_| {
            ConfigError::wrong(&self.place("listen"), "listen", Kind::Address, &format!("{text:?}"))
        })
    }

    fn tls(&self, beside: &dyn Fn(&str) -> PathBuf) -> Result<Option<Tls>, ConfigError> {
        const CERT: &str = "tls.cert_file";
        const KEY: &str = "tls.key_file";
        let files = self.pair((CERT, self.given(CERT)?), (KEY, self.given(KEY)?))?;
        Ok(files.map(|(cert, key)| Tls { cert_file: beside(&cert), key_file: beside(&key) }))
    }

    fn host_names(&self) -> Result<Vec<String>, ConfigError> {
        let hosts = self.texts("public_hosts")?;
        match hosts.iter().find(|host| host.is_empty() || host.contains(['/', ' '])) {
            Some(host) => Err(self.invalid(
                "public_hosts",
                format!("`public_hosts` must hold host names, such as \"calls.example.com\", not {host:?}"),
            )),
            None => Ok(hosts),
        }
    }

    /// What names one thing may stand in one place only.
    fn refuse_repeats(&self) -> Result<(), ConfigError> {
        let accounts = self.section.list("account");
        let all = |list: &'static str| accounts.iter().flat_map(move |account| account.list(list));
        let unique = |path: &str, sections: &mut dyn Iterator<Item = &'a Section>| {
            let mut seen: Vec<(&Value, &Place)> = Vec::new();
            for (value, place) in sections.filter_map(|section| section.get(path)) {
                let is_empty = match value {
                    Value::Text(text) => text.is_empty(),
                    Value::Secret(secret) => secret.is_empty(),
                    Value::Number(_) | Value::Switch(_) | Value::Texts(_) => false,
                };
                if is_empty {
                    continue;
                }
                if let Some((_, first)) = seen.iter().find(|(other, _)| *other == value) {
                    let what = format!("`{path}` is the same as at {first}; each must be another");
                    return Err(ConfigError::Invalid { place: place.clone(), what });
                }
                seen.push((value, place));
            }
            Ok(())
        };
        unique("account.name", &mut accounts.iter())?;
        unique("account.key.secret_id", &mut all("account.key"))?;
        unique("account.app.sdk_app_id", &mut all("account.app"))?;
        unique("account.app.ingest_token", &mut all("account.app"))?;
        unique("account.app.livekit.api_key", &mut all("account.app"))
    }

    fn networks(&self) -> Result<Vec<Network>, ConfigError> {
        let read = |text: &String| {
            Network::from_text(text).ok_or_else(|| {
                let what = format!(
                    "`trusted_proxies` must hold addresses or networks, such as \"10.0.0.0/8\", not {text:?}"
                );
                self.invalid("trusted_proxies", what)
            })
        };
        self.texts("trusted_proxies")?.iter().map(read).collect()
    }

    /// Two settings, with their values, of which neither makes sense without the other.
    fn pair<A, B>(
        &self,
        (one, first): (&str, Option<A>),
        (other, second): (&str, Option<B>),
    ) -> Result<Option<(A, B)>, ConfigError> {
        match (first, second) {
            (Some(first), Some(second)) => Ok(Some((first, second))),
            (None, None) => Ok(None),
            (Some(_), None) => Err(self.invalid(one, format!("`{one}` needs `{other}`"))),
            (None, Some(_)) => Err(self.invalid(other, format!("`{other}` needs `{one}`"))),
        }
    }

    /// A text that is not empty, if there is one.
    fn given(&self, path: &str) -> Result<Option<String>, ConfigError> {
        Ok(self.text(path)?.filter(|text| !text.is_empty()).map(str::to_owned))
    }

    fn place(&self, path: &str) -> Place {
        let given = self.section.get(path).map(|(_, place)| place.clone());
        given.or_else(|| self.section.place.clone()).unwrap_or(Place::Default)
    }

    fn invalid(&self, path: &str, what: String) -> ConfigError {
        ConfigError::Invalid { place: self.place(path), what }
    }

    /// The value given, else the default, else `None`; an error where it is required.
    fn value(&self, path: &str) -> Result<Option<Value>, ConfigError> {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.path == path) else {
            return Err(self.invalid(path, format!("`{path}` is not in the table of settings")));
        };
        match (self.section.get(path), setting.default) {
            (Some((value, _)), _) => Ok(Some(value.clone())),
            (None, Fallback::Is(text)) => Ok(raw::from_text(setting.kind, text)),
            (None, Fallback::Absent) => Ok(None),
            (None, Fallback::Required) => {
                let list = setting.list().unwrap_or_default();
                Err(self.invalid(path, format!("this `[[{list}]]` needs a `{}`", setting.name())))
            }
        }
    }

    fn text(&self, path: &str) -> Result<Option<&'a str>, ConfigError> {
        match self.section.get(path) {
            Some((Value::Text(text), _)) => Ok(Some(text)),
            Some((Value::Number(_) | Value::Switch(_) | Value::Texts(_) | Value::Secret(_), _)) => Ok(None),
            None => {
                self.value(path)?;
                Ok(SETTINGS.iter().find(|setting| setting.path == path).and_then(|setting| {
                    match setting.default {
                        Fallback::Is(text) => Some(text),
                        Fallback::Absent | Fallback::Required => None,
                    }
                }))
            }
        }
    }

    /// A text that must be there and not be empty.
    fn filled(&self, path: &str) -> Result<&'a str, ConfigError> {
        match self.text(path)? {
            Some("") | None => Err(self.invalid(path, format!("`{path}` must not be empty"))),
            Some(text) => Ok(text),
        }
    }

    fn secret(&self, path: &str) -> Result<Option<Secret>, ConfigError> {
        match self.section.get(path) {
            Some((Value::Secret(secret), _)) => Ok(Some(secret.clone()).filter(|secret| !secret.is_empty())),
            Some((Value::Text(_) | Value::Number(_) | Value::Switch(_) | Value::Texts(_), _)) | None => {
                Ok(None)
            }
        }
    }

    fn wide(&self, path: &str) -> Result<u64, ConfigError> {
        match self.value(path)? {
            Some(Value::Number(number)) => Ok(number),
            Some(Value::Text(_) | Value::Switch(_) | Value::Texts(_) | Value::Secret(_)) | None => Ok(0),
        }
    }

    fn number(&self, path: &str) -> Result<u32, ConfigError> {
        Ok(u32::try_from(self.wide(path)?).unwrap_or(u32::MAX))
    }

    fn switch(&self, path: &str) -> Result<bool, ConfigError> {
        Ok(self.value(path)? == Some(Value::Switch(true)))
    }

    fn texts(&self, path: &str) -> Result<Vec<String>, ConfigError> {
        match self.value(path)? {
            Some(Value::Texts(texts)) => Ok(texts),
            Some(Value::Text(_) | Value::Switch(_) | Value::Number(_) | Value::Secret(_)) | None => {
                Ok(Vec::new())
            }
        }
    }
}

#[cfg(test)]
mod tests;
