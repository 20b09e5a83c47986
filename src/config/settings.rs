//! Every setting there is, as one table: the reader refuses what is not in it, `docs/config.md` is printed from it.

use std::fmt::Write as _;

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Where it stands in the file: `limits.history_days`, `account.key.secret_id`.
    pub path: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// What holds when it is not given.
    pub default: Fallback,
    /// What it is for, for a reader of `docs/config.md`.
    pub meaning: &'static str,
}

/// What a setting may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// `address:port`.
    Address,
    /// A file or directory.
    Path,
    /// A text that nobody may see; it may also come from the file that `<name>_file` names.
    Secret,
    /// A whole number from the first to the second.
    Number(u64, u64),
    /// `true` or `false`.
    Switch,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// Several texts.
    Texts,
}

/// What holds when a setting is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// Its list entry is refused without it.
    Required,
    /// Nothing.
    Absent,
    /// This, as it would be written in the environment.
    Is(&'static str),
}

/// The settings that stand in lists of tables.
pub const LISTS: &[&str] = &["account", "account.key", "account.app"];

/// The settings, or tables of them, that a running server does not take anew: with `tls` it is whether there is any.
pub const AT_START: &[&str] = &[
    "listen",
    "data_dir",
    "store",
    "tls",
    "ui.enabled",
    "limits.connections",
    "limits.head_kib",
    "limits.head_seconds",
    "limits.body_seconds",
    "limits.bodies_mib",
];

/// The longest time a setting in days may name: a hundred years.
const DAYS_MAX: u64 = 36_500;
/// The longest window a setting in hours may allow: the same.
const HOURS_MAX: u64 = DAYS_MAX * 24;
/// The greatest number of requests a second that is still a limit.
const RATE_MAX: u64 = 1_000_000;

/// The greatest number of connections: more files no process may open by default.
const CONNECTIONS_MAX: u64 = 1_000_000;
/// The longest time a sender may be waited for, in seconds.
const WAIT_S_MAX: u64 = 600;
/// The most memory for bodies: a tebibyte.
const BODIES_MIB_MAX: u64 = 1 << 20;

const fn setting(path: &'static str, kind: Kind, default: Fallback, meaning: &'static str) -> Setting {
    Setting { path, kind, default, meaning }
}

use Fallback::{Absent, Is, Required};
use Kind::{Address, Number, OneOf, Path, Secret, Switch, Text, Texts};

/// All of them, in the order of the documentation.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    setting("listen", Address, Is("127.0.0.1:9180"),
        "Where the server listens."),
    setting("plain_http", Switch, Is("false"),
        "That others than this machine may speak plain HTTP to the server, since a proxy before it ends TLS or the network is trusted. Without it, and without `[tls]`, the start says what can be read on the way, and an address that others can reach is refused where an application has `trtc_unsigned`."),
    setting("data_dir", Path, Is("rollbook-data"),
        "Where the records are kept; relative to the working directory."),
    setting("store", OneOf(&["embedded"]), Is("embedded"),
        "Which store keeps them: a data directory, or a table `[store.clickhouse]` in its place."),
    setting("retention_days", Number(0, DAYS_MAX), Is("14"),
        "How many days a call is kept after the last sign of it; 0 = for ever."),
    setting("public_hosts", Texts, Is("[]"),
        "Further host names that signatures may name, for a proxy that rewrites `Host`."),
    setting("regions", Texts, Is("[]"),
        "Further regions that requests may name."),
    setting("trusted_proxies", Texts, Is("[]"),
        "Addresses or networks, such as `\"10.0.0.0/8\"`, of proxies: from them the last address of `X-Forwarded-For` is taken for the client's, which failed attempts are counted by."),
    setting("metrics_token", Secret, Absent,
        "The bearer token of `/metrics`. Not given: only this machine may read them, and not by way of a proxy."),
    setting("store.clickhouse.urls", Texts, Is("[]"),
        "The servers, such as `\"http://ch-1:8123\"`: one of each shard at least, better all. `user:password@` before the host goes before the two below."),
    setting("store.clickhouse.database", Text, Is("rollbook"),
        "The database; made where there is none."),
    setting("store.clickhouse.cluster", Text, Is(""),
        "The cluster (of `remote_servers`) whose servers replicate the tables. Not given: plain tables, one copy of each row."),
    setting("store.clickhouse.user", Text, Is("default"),
        "The user of the database."),
    setting("store.clickhouse.password", Secret, Absent,
        "Its password."),
    setting("tls.cert_file", Path, Absent,
        "Certificate chain, PEM. With `key_file`: the server speaks HTTPS."),
    setting("tls.key_file", Path, Absent,
        "Its private key, PEM."),
    setting("limits.requests_per_second", Number(0, RATE_MAX), Is("20"),
        "How many requests a second each account may make of each action; 0 = any number."),
    setting("limits.failed_attempts_per_minute", Number(0, RATE_MAX), Is("60"),
        "How many signatures, tokens and passwords from one address (IPv6: /64) may be wrong in a minute; 0 = any number. Of this machine itself none are counted."),
    setting("limits.history_days", Number(0, DAYS_MAX), Is("14"),
        "How far back `StartTime` may lie; 0 = any time. Raise it together with `retention_days`."),
    setting("limits.user_window_hours", Number(1, HOURS_MAX), Is("4"),
        "How long a window DescribeUserInfo and the other questions about users may ask for."),
    setting("limits.room_window_hours", Number(1, HOURS_MAX), Is("24"),
        "How long a window DescribeRoomInfo may ask for."),
    setting("limits.connections", Number(16, CONNECTIONS_MAX), Is("16384"),
        "How many connections are open at most, as far as the process may open so many files. For who comes then, the one that has been silent for longest is closed."),
    setting("limits.head_kib", Number(8, 1_024), Is("64"),
        "How large the head of a request may be."),
    setting("limits.head_seconds", Number(1, WAIT_S_MAX), Is("30"),
        "How long it may take until a request's head is here. This also ends idle connections."),
    setting("limits.body_seconds", Number(1, WAIT_S_MAX), Is("30"),
        "How long a request's body may take."),
    setting("limits.bodies_mib", Number(64, BODIES_MIB_MAX), Is("256"),
        "How much memory the bodies of requests take together. Deliveries may take seven eighths of it; those that find no room are told to come again."),
    setting("privacy.client_ip", OneOf(&["keep", "mask", "drop"]), Is("keep"),
        "What becomes of clients' addresses before anything is stored: kept, the last octet (IPv6: all after /48) zeroed, or dropped."),
    setting("ui.enabled", Switch, Is("true"),
        "Whether the pages under `/ui/` are served."),
    setting("ui.password_file", Path, Is(""),
        "The file of the passwords of the pages, which `rollbook keys ui-password` writes. Needed where others than this machine can reach them."),
    setting("account.name", Text, Absent,
        "What logs call the account. Not given: `account 1`, `account 2`, …"),
    setting("account.edition", OneOf(&["free", "basic", "advanced"]), Is("advanced"),
        "How far back the account may ask: not at all, 7 days, or as far as `history_days`."),
    setting("account.key.secret_id", Text, Required,
        "The name of a key; `rollbook keys new` makes one."),
    setting("account.key.secret_key", Secret, Required,
        "The key that requests are signed with."),
    setting("account.key.enabled", Switch, Is("true"),
        "Whether the key may be used; a key that is switched off is one that does not exist."),
    setting("account.key.token", Secret, Absent,
        "Set for a temporary key: requests must carry it."),
    setting("account.key.expires_at", Number(0, i64::MAX as u64), Is("0"),
        "The UNIX second at which the key ends; 0 = never."),
    setting("account.app.sdk_app_id", Number(1, u64::MAX), Required,
        "The application's number."),
    setting("account.app.trtc_callback_key", Secret, Absent,
        "The key that TRTC signs its callbacks with, as set in the console. Not given: callbacks are refused."),
    setting("account.app.trtc_unsigned", Switch, Is("false"),
        "Take callbacks of this application without a signature."),
    setting("account.app.ingest_token", Secret, Absent,
        "The bearer token of `/ingest/events` and its siblings; it names the application. Not given: they are refused."),
    setting("account.app.livekit.api_key", Text, Absent,
        "The API key of LiveKit's `webhook.api_key`: the issuer of its tokens. It names the application."),
    setting("account.app.livekit.api_secret", Secret, Absent,
        "Its secret, under which the tokens are signed."),
    setting("account.app.livekit.drop_kinds", Texts, Is("[]"),
        "Kinds of participants whose events are not kept but counted, such as `EGRESS`."),
    setting("account.app.janus.user", Text, Absent,
        "The user name of the Janus event handler."),
    setting("account.app.janus.password", Secret, Absent,
        "Its password. Both empty: no credentials are asked, from loopback addresses only."),
];

impl Setting {
    /// The list of tables it stands in, if any.
    pub fn list(&self) -> Option<&'static str> {
        LISTS.iter().rev().find(|list| is_below(self.path, list)).copied()
    }

    /// The environment variable that sets it; none for what stands in lists, and for several texts.
    pub fn env(&self) -> Option<String> {
        let scalar = self.kind != Texts;
        (scalar && self.list().is_none())
            .then(|| format!("ROLLBOOK_{}", self.path.replace('.', "_").to_uppercase()))
    }

    /// Its name without the table it stands in.
    pub fn name(&self) -> &'static str {
        self.path.rsplit_once('.').map_or(self.path, |(_, name)| name)
    }
}

/// Whether a path lies below a table.
pub fn is_below(path: &str, table: &str) -> bool {
    path.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'))
}

impl Kind {
    /// What a value must be, to complete "must be …".
    pub fn expected(&self) -> String {
        match self {
            Text | Secret => "a text".to_owned(),
            Address => "an address with a port, such as \"127.0.0.1:9180\"".to_owned(),
            Path => "a path, as a text".to_owned(),
            Number(0, most) if *most >= i64::MAX as u64 => "a whole number".to_owned(),
            Number(least, most) => format!("a whole number from {least} to {most}"),
            Switch => "true or false".to_owned(),
            OneOf(texts) => {
                format!("one of {}", texts.iter().map(|t| format!("{t:?}")).collect::<Vec<_>>().join(", "))
            }
            Texts => "a list of texts".to_owned(),
        }
    }

    /// Its name in the documentation.
    fn name(&self) -> String {
        match self {
            Text => "text".to_owned(),
            Address => "address:port".to_owned(),
            Path => "path".to_owned(),
            Secret => "secret".to_owned(),
            Number(..) => "number".to_owned(),
            Switch => "true, false".to_owned(),
            OneOf(texts) => texts.iter().map(|t| format!("`{t:?}`")).collect::<Vec<_>>().join(", "),
            Texts => "texts".to_owned(),
        }
    }
}

const INTRODUCTION: &str = "\
# Settings

One TOML file: the one named by `--config`, else `rollbook.toml` in the data directory. Without any, the first
`rollbook serve` writes one. Everything is optional but `secret_id`, `secret_key` and `sdk_app_id` where an account, key
or application is named. What is not in this list is refused, with the line and the nearest name that is.

Defaults are overridden by the file, the file by environment variables, those by flags of the command. A secret may
also be given as `<name>_file`, the path of a file that holds it (one line break at its end is dropped); giving both
is refused. Paths of such files, of certificates and of keys are relative to the directory of the settings.

`rollbook check` says whether a file is right.

(This page is printed from the table in `src/config/settings.rs`; `UPDATE=1 make test` rewrites it.)
";

const EXAMPLE: &str = "\
## An example

```toml
listen         = \"127.0.0.1:9180\"
retention_days = 14

[limits]
history_days = 14

[[account]]
name    = \"main\"
edition = \"advanced\"

  [[account.key]]
  secret_id       = \"AKIDexampleexampleexampleexample\"
  secret_key_file = \"secret-key\"

  [[account.app]]
  sdk_app_id        = 1400000001
  trtc_callback_key = \"key-as-set-in-the-console\"
  ingest_token      = \"any-long-random-text\"
```
";

/// `docs/config.md`.
pub fn documentation() -> String {
    let mut page = INTRODUCTION.to_owned();
    let names: Vec<String> = AT_START.iter().map(|name| format!("`{name}`")).collect();
    let _ = writeln!(
        page,
        "\n## While the server runs\n\n\
         SIGHUP (`systemctl reload rollbook`) has the settings read again, with all files that they name: keys, tokens, \
         passwords, certificates, limits and\nwhat else there is hold anew. Where anything is wrong, one line of the log \
         says what, and nothing changes. Only these are for the next start: {} (with\n`tls`: whether there is any; new \
         certificates need no restart). Environment variables and flags are those of the start.",
        names.join(", ")
    );
    let mut table = None;
    for setting in SETTINGS {
        let here = setting.path.rsplit_once('.').map_or("", |(table, _)| table);
        if table != Some(here) {
            table = Some(here);
            heading(&mut page, here);
        }
        let kind = setting.kind.name();
        let default = match setting.default {
            Required => "required".to_owned(),
            Absent | Is("") => "none".to_owned(),
            Is(text) => format!("`{text}`"),
        };
        let env = setting.env().map_or("–".to_owned(), |env| format!("`{env}`"));
        let name = setting.name();
        let _ = writeln!(page, "| `{name}` | {kind} | {default} | {env} | {} |", setting.meaning);
    }
    page.push('\n');
    page.push_str(EXAMPLE);
    page
}

fn heading(page: &mut String, table: &str) {
    let title = match table {
        "" => "At the top".to_owned(),
        list if LISTS.contains(&list) => format!("`[[{list}]]`"),
        table => format!("`[{table}]`"),
    };
    let _ = write!(page, "\n## {title}\n\n| setting | what | default | environment | meaning |\n");
    page.push_str("| --- | --- | --- | --- | --- |\n");
}
