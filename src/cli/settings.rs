//! From settings to what the parts need; and the settings that a first start writes.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::keys::{self, KeyPair};
use super::{Surroundings, say};
use crate::actions::{self, Policy};
use crate::config::settings::{Fallback, Kind, LISTS, SETTINGS, Setting, is_below};
use crate::config::{self, Config, Flag, private};
use crate::http::Gate;
use crate::ingest::{self, Apps};
use crate::limits::Secret;
use crate::records::AppId;

/// Which settings, and which records.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Where {
    /// The settings file [default: rollbook.toml in the data directory].
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The data directory [default: rollbook-data].
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
}

/// The name of the settings file in the data directory.
pub(super) const FILE_NAME: &str = "rollbook.toml";
/// The number of the application that a first start makes up; the operator puts another.
const FIRST_APP: u64 = 1_400_000_001;

/// What settings there are.
#[derive(Debug)]
pub(super) struct Found {
    /// The file they came from, if any.
    pub(super) file: Option<PathBuf>,
    pub(super) config: Config,
}

impl Where {
    /// Reads the settings: of the file that was named, else of the one in the data directory, else none.
    pub(super) fn find(&self, surroundings: &Surroundings, more: Vec<Flag>) -> anyhow::Result<Found> {
        let file =
            self.config.clone().or_else(|| Some(self.file_in_data_dir(surroundings)).filter(|f| f.exists()));
        let config = self.load(file.as_deref(), surroundings, more)?;
        for (name, near) in config::misspelt(&surroundings.env) {
            tracing::warn!("{name} is no setting; is {near} meant?");
        }
        Ok(Found { file, config })
    }

    /// Reads the settings of a file.
    pub(super) fn load(
        &self,
        file: Option<&Path>,
        surroundings: &Surroundings,
        more: Vec<Flag>,
    ) -> anyhow::Result<Config> {
        let mut flags = more;
        if let Some(dir) = &self.data_dir {
            flags.push(("data_dir", "--data-dir", dir.to_string_lossy().into_owned()));
        }
        Ok(config::load(file, &surroundings.env, &flags)?)
    }

    fn file_in_data_dir(&self, surroundings: &Surroundings) -> PathBuf {
        let env = || surroundings.env.get("ROLLBOOK_DATA_DIR").map(PathBuf::from);
        self.data_dir.clone().or_else(env).unwrap_or_else(|| "rollbook-data".into()).join(FILE_NAME)
    }
}

/// What a first start makes up.
pub(super) struct First {
    pub(super) app: u64,
    pub(super) key: KeyPair,
    pub(super) callback_key: String,
    pub(super) ingest_token: String,
}

impl First {
    pub(super) fn fresh() -> anyhow::Result<First> {
        let key = KeyPair::fresh()?;
        Ok(First { app: FIRST_APP, key, callback_key: keys::secret()?, ingest_token: keys::secret()? })
    }

    /// The accounts that these are.
    pub(super) fn accounts(&self) -> Vec<config::Account> {
        let app = ingest::App {
            trtc_callback_key: Some(Secret::new(self.callback_key.as_str())),
            ingest_token: Some(Secret::new(self.ingest_token.as_str())),
            ..ingest::App::new(AppId(self.app))
        };
        vec![config::Account {
            name: "main".to_owned(),
            edition: crate::limits::Edition::Advanced,
            keys: vec![self.key.as_setting()],
            apps: vec![app],
        }]
    }

    /// Makes the data directory and writes the settings into it; their path. Neither is readable for others.
    pub(super) fn write(&self, data_dir: &Path) -> anyhow::Result<PathBuf> {
        make_data_dir(data_dir)?;
        let path = data_dir.join(FILE_NAME);
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot write the settings {}", path.display()))?;
        file.write_all(self.text().as_bytes())?;
        file.sync_all()?;
        Ok(path)
    }

    /// The settings file of a first start: every setting with its default as a comment, then the account.
    fn text(&self) -> String {
        let mut text =
            "# The settings of rollbook. Lines with # are comments; those with a setting show its default.\n"
                .to_owned();
        let mut table = "";
        for setting in SETTINGS.iter().filter(|setting| is_shown(setting)) {
            let here = setting.path.rsplit_once('.').map_or("", |(table, _)| table);
            if here != table {
                table = here;
                let _ = write!(text, "\n# [{table}]\n");
            }
            let default = match (setting.kind, setting.default) {
                (Kind::Number(..) | Kind::Switch | Kind::Texts, Fallback::Is(default)) => default.to_owned(),
                (_, Fallback::Is(default)) => format!("\"{default}\""),
                (_, Fallback::Absent | Fallback::Required) => "\"\"".to_owned(),
            };
            let _ = writeln!(text, "# {:<20} = {default:<18} # {}", setting.name(), setting.meaning);
        }
        let First { app, key: KeyPair { secret_id, secret_key }, callback_key, ingest_token } = self;
        let _ = write!(
            text,
            "
[[account]]
name    = \"main\"
edition = \"advanced\"            # free | basic | advanced

  # What requests are signed with. `rollbook keys new` prints more of these.
  [[account.key]]
  secret_id  = \"{secret_id}\"
  secret_key = \"{secret_key}\"

  # An application whose calls are recorded, and which the keys above may ask about.
  [[account.app]]
  sdk_app_id        = {app}    # put the SdkAppId of your own application here
  trtc_callback_key = \"{callback_key}\"   # set the same in the console of TRTC
  ingest_token      = \"{ingest_token}\"   # for /ingest/events and its siblings

  # Other media servers that report to this application.
  # livekit = {{ api_key = \"…\", api_secret = \"…\" }}
  # janus   = {{ user = \"…\", password = \"…\" }}
"
        );
        text
    }
}

/// Whether a first start writes down a setting: what stands in lists is made up instead, and what stands in the place
/// of another setting would not go with it.
fn is_shown(setting: &Setting) -> bool {
    let in_list = LISTS.iter().any(|list| is_below(setting.path, list));
    !in_list && !SETTINGS.iter().any(|other| is_below(setting.path, other.path))
}

impl KeyPair {
    /// A permanent key.
    pub(super) fn as_setting(&self) -> actions::Key {
        actions::Key {
            secret_id: self.secret_id.clone(),
            secret_key: Secret::new(self.secret_key.as_str()),
            token: None,
            expires_at_s: None,
        }
    }
}

/// Makes the data directory where there is none, for nobody else to look into. Its name is durable before anything is
/// kept in it.
pub(super) fn make_data_dir(data_dir: &Path) -> anyhow::Result<()> {
    if data_dir.is_dir() {
        return private::check_directory(data_dir).context("the data directory");
    }
    let cannot = || format!("cannot make {}", data_dir.display());
    let whole = std::path::absolute(data_dir).with_context(cannot)?;
    let new = whole.ancestors().take_while(|dir| !dir.is_dir()).count();
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&whole).with_context(cannot)?;
    for parent in whole.ancestors().skip(1).take(new) {
        match std::fs::File::open(parent).and_then(|parent| parent.sync_all()) {
            // Who may write there but not read cannot sync it either; that is no reason not to start.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {}
            synced => synced.with_context(cannot)?,
        }
    }
    Ok(())
}

/// What questions need of the settings.
pub(super) fn policy(config: &Config) -> Policy {
    let account = |account: &config::Account| actions::Account {
        name: account.name.clone(),
        edition: account.edition,
        keys: account.keys.clone(),
        apps: account.apps.iter().map(|app| app.id).collect(),
    };
    Policy {
        accounts: config.accounts.iter().map(account).collect(),
        public_hosts: config.public_hosts.clone(),
        extra_regions: config.regions.clone(),
        requests_per_second: config.limits.requests_per_second,
        history_days: config.limits.history_days,
        user_window_hours: config.limits.user_window_hours,
        room_window_hours: config.limits.room_window_hours,
        retention_days: config.retention_days,
    }
}

/// What sources need of the settings.
pub(super) fn apps(config: &Config) -> Apps {
    let apps = config.accounts.iter().flat_map(|account| account.apps.iter().cloned());
    Apps::new(apps.collect(), config.client_ip)
}

/// What settings say about who may come at all.
pub(super) fn gate(config: &Config) -> Gate {
    Gate {
        trusted_proxies: config.trusted_proxies.clone(),
        metrics_token: config.metrics_token.clone(),
        failed_attempts_per_minute: config.limits.failed_attempts_per_minute,
    }
}

/// Whether others than this machine speak plain HTTP to an address, and the settings do not say that this is meant.
fn is_plain(config: &Config, listening: SocketAddr) -> bool {
    !listening.ip().to_canonical().is_loopback() && config.tls.is_none() && !config.plain_http
}

/// Refuses to listen where others can reach what asks nobody for anything and encrypts nothing, unless the settings say so.
pub(super) fn refuse_open(config: &Config, listening: SocketAddr) -> anyhow::Result<()> {
    if let Some(app) = open_apps(config).next().filter(|_| is_plain(config, listening)) {
        bail!(
            "whoever reaches {listening} could write records of application {}, since it has trtc_unsigned = true, and over plain \
             HTTP: give it a trtc_callback_key, or set `[tls]`; or set `plain_http = true` (ROLLBOOK_PLAIN_HTTP), if a proxy \
             before it ends TLS or the network is trusted",
            app.id
        );
    }
    Ok(())
}

/// Applications whose callbacks need no signature.
fn open_apps(config: &Config) -> impl Iterator<Item = &ingest::App> {
    let apps = config.accounts.iter().flat_map(|account| &account.apps);
    apps.filter(|app| app.trtc_unsigned && app.trtc_callback_key.is_none())
}

/// Says what fits every setting and is still most likely not meant.
pub(super) fn doubts(config: &Config) -> Vec<String> {
    let mut doubts = Vec::new();
    if config.accounts.iter().all(|account| account.keys.is_empty()) {
        doubts.push("no key is set, so every question will be refused".to_owned());
    }
    if config.accounts.iter().all(|account| account.apps.is_empty()) {
        doubts.push("no application is set, so nothing can be recorded or asked about".to_owned());
    }
    if is_plain(config, config.listen) {
        doubts.push(format!(
            "others can reach {} over plain HTTP, so that tokens and passwords can be read on the way: set `[tls]`, or \
             `plain_http = true` if a proxy before it ends TLS or the network is trusted",
            config.listen
        ));
    }
    for app in open_apps(config).filter(|_| !config.listen.ip().to_canonical().is_loopback()) {
        doubts.push(format!(
            "whoever reaches {} can write records of application {}, since it has trtc_unsigned = true",
            config.listen, app.id
        ));
    }
    let (kept, asked) = (config.retention_days, config.limits.history_days);
    if kept != 0 && (asked == 0 || asked > kept) {
        doubts.push(format!(
            "limits.history_days = {asked} allows questions about more than retention_days = {kept} keeps"
        ));
    }
    doubts
}

/// Says the doubts there are.
pub(super) fn say_doubts(config: &Config) {
    for doubt in doubts(config) {
        say(&format!("rollbook: note: {doubt}"));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_settings_of_a_first_start_are_right_also_without_their_comment_marks() {
        let first = First::fresh().expect("random numbers");
        let text = first.text();
        let config = config::resolve(Some((Path::new("x"), &text)), &BTreeMap::new(), &[]).expect("right");
        assert_eq!(config.accounts[0].apps[0].id, AppId(FIRST_APP));
        assert_eq!(config.accounts[0].keys[0].secret_id, first.key.secret_id);
        assert!(doubts(&config).is_empty());

        let (head, account) = text.split_once("\n[[account]]").expect("an account");
        let settings: Vec<&str> = head.lines().skip(1).filter_map(|line| line.strip_prefix("# ")).collect();
        let all = format!("{}\n[[account]]{account}", settings.join("\n"));
        config::resolve(Some((Path::new("x"), &all)), &BTreeMap::new(), &[]).expect("right");
    }
}
