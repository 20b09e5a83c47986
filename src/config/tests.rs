//! Tables of settings files, right and wrong.

use super::*;

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A directory that nobody else can look into.
fn temporary() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let ours = std::fs::Permissions::from_mode(0o700);
    tempfile::Builder::new().permissions(ours).tempdir().expect("a directory")
}

fn read(text: &str) -> Result<Config, ConfigError> {
    resolve(Some((Path::new("rollbook.toml"), text)), &BTreeMap::new(), &[])
}

/// Every row: a settings file, and the beginning of what is said about it.
fn check_refused(rows: &[(&str, &str)]) {
    for (text, message) in rows {
        let said = read(text).expect_err(text).to_string();
        assert!(said.starts_with(message), "{text}\n  said:     {said}\n  expected: {message}");
    }
}

const KEY: &str = "[[account.key]]\nsecret_id = \"AKIDone\"\nsecret_key = \"one\"\n";

#[test]
fn nothing_given_is_the_defaults() {
    let config = read("").expect("an empty file is right");
    assert_eq!(config.listen.to_string(), "127.0.0.1:9180");
    assert_eq!(config.data_dir, Path::new("rollbook-data"));
    assert_eq!(config.retention_days, 14);
    let limits = Limits {
        requests_per_second: 20,
        failed_attempts_per_minute: 60,
        history_days: 14,
        user_window_hours: 4,
        room_window_hours: 24,
        connections: 16_384,
        head_kib: 64,
        head_seconds: 30,
        body_seconds: 30,
        bodies_mib: 256,
    };
    assert_eq!(config.limits, limits);
    assert_eq!(config.client_ip, ClientIpPolicy::Keep);
    assert_eq!(config.ui, Ui { enabled: true, password_file: None });
    assert!(config.accounts.is_empty() && config.tls.is_none());
    assert!(config.public_hosts.is_empty() && config.regions.is_empty());
}

#[test]
fn everything_given_is_taken() {
    let config = read(include_str!("tests/everything.toml")).expect("the whole file is right");
    assert_eq!(config.listen.to_string(), "[::1]:1");
    assert_eq!(config.data_dir, Path::new("/data"));
    assert_eq!(config.retention_days, 0);
    assert_eq!(config.public_hosts, ["calls.example.com"]);
    assert_eq!(config.regions, ["xx-here"]);
    assert!(config.plain_http);
    let proxies = ["10.0.0.0/8", "::1"].map(|text| Network::from_text(text).expect("a network"));
    assert_eq!(config.trusted_proxies, proxies);
    assert_eq!(config.metrics_token, Some(Secret::new("mt")));
    assert_eq!(config.tls, Some(Tls { cert_file: "cert.pem".into(), key_file: "/etc/key.pem".into() }));
    let limits = Limits {
        requests_per_second: 0,
        failed_attempts_per_minute: 7,
        history_days: 90,
        user_window_hours: 5,
        room_window_hours: 25,
        connections: 100,
        head_kib: 16,
        head_seconds: 7,
        body_seconds: 8,
        bodies_mib: 128,
    };
    assert_eq!(config.limits, limits);
    assert_eq!(config.client_ip, ClientIpPolicy::Mask);
    assert_eq!(config.ui, Ui { enabled: false, password_file: Some("pw".into()) });
    let account = &config.accounts[0];
    assert_eq!((account.name.as_str(), account.edition), ("main", Edition::Basic));
    let key = &account.keys[0];
    assert_eq!((key.secret_id.as_str(), key.secret_key.expose()), ("AKIDone", "one"));
    assert_eq!(key.token.as_ref().map(Secret::expose), Some("tok"));
    assert_eq!(key.expires_at_s, Some(1_900_000_000));
    let app = &account.apps[0];
    assert_eq!(app.id.0, u64::MAX);
    assert_eq!(app.trtc_callback_key.as_ref().map(Secret::expose), Some("cb"));
    assert!(app.trtc_unsigned);
    assert_eq!(app.ingest_token.as_ref().map(Secret::expose), Some("in"));
    let livekit = app.livekit.as_ref().expect("given");
    assert_eq!((livekit.api_key.as_str(), livekit.api_secret.expose()), ("API", "lk"));
    assert_eq!(livekit.drop_kinds, ["EGRESS"]);
    assert!(app.janus.as_ref().is_some_and(|janus| janus.credentials.is_none()));
    assert_eq!(config.accounts[1].name, "account 2");
}

#[test]
fn unknown_names_are_refused_with_line_and_nearest_name() {
    check_refused(&[
        ("lisen = 1", "rollbook.toml:1: unknown setting `lisen`; did you mean `listen`?"),
        (
            "\n\nretentiondays = 1",
            "rollbook.toml:3: unknown setting `retentiondays`; did you mean `retention_days`?",
        ),
        (
            "history_days = 1",
            "rollbook.toml:1: unknown setting `history_days`; did you mean `limits.history_days`?",
        ),
        (
            "[limits]\nhistory_day = 3",
            "rollbook.toml:2: unknown setting `limits.history_day`; did you mean `limits.history_days`?",
        ),
        (
            "[[account]]\n[[account.key]]\nsecret_key_fil = ''",
            "rollbook.toml:3: unknown setting `account.key.secret_key_fil`; did you mean `account.key.secret_key_file`?",
        ),
        (
            "[[account]]\n[[account.app]]\nlivekit = { apikey = '' }",
            "rollbook.toml:3: unknown setting `account.app.livekit.apikey`; did you mean `account.app.livekit.api_key`?",
        ),
        ("[[acount]]", "rollbook.toml:1: unknown setting `acount`; did you mean `account`?"),
        (
            "[privacy]\nzzzzzzzz = 1",
            "rollbook.toml:2: unknown setting `privacy.zzzzzzzz`; valid here: client_ip",
        ),
        ("z = 1\nlisen = 2", "rollbook.toml:1: unknown setting `z`"),
    ]);
}

#[test]
fn wrong_values_are_refused_with_their_line() {
    check_refused(&[
        (
            "listen = 9180",
            "rollbook.toml:1: `listen` must be an address with a port, such as \"127.0.0.1:9180\", not integer",
        ),
        ("listen = 'localhost'", "rollbook.toml:1: `listen` must be an address with a port"),
        (
            "\nretention_days = '14'",
            "rollbook.toml:2: `retention_days` must be a whole number from 0 to 36500, not string",
        ),
        (
            "retention_days = -1",
            "rollbook.toml:1: `retention_days` must be a whole number from 0 to 36500, not -1",
        ),
        (
            "retention_days = 1.5",
            "rollbook.toml:1: `retention_days` must be a whole number from 0 to 36500, not float",
        ),
        ("[limits]\nuser_window_hours = 0", "rollbook.toml:2: `limits.user_window_hours` must be"),
        ("public_hosts = 'a'", "rollbook.toml:1: `public_hosts` must be a list of texts, not string"),
        ("public_hosts = ['a', 1]", "rollbook.toml:1: `public_hosts` must be a list of texts"),
        ("public_hosts = ['http://a']", "rollbook.toml:1: `public_hosts` must hold host names"),
        (
            "[privacy]\nclient_ip = 'hide'",
            "rollbook.toml:2: `privacy.client_ip` must be one of \"keep\", \"mask\", \"drop\", not \"hide\"",
        ),
        ("[ui]\nenabled = 'yes'", "rollbook.toml:2: `ui.enabled` must be true or false, not string"),
        ("store = 'sqlite'", "rollbook.toml:1: `store` must be one of \"embedded\", not \"sqlite\""),
        ("store = {}", "rollbook.toml:1: `store` must be one of \"embedded\", not table"),
        ("store = { clickhouse = {} }", "rollbook.toml:1: `store.clickhouse.urls` must name the servers"),
        ("[store.clickhouse]\nurls = []", "rollbook.toml:2: `store.clickhouse.urls` must name the servers"),
        ("[store.clickhouse]\nurls = ['']", "rollbook.toml:2: `store.clickhouse.urls` must name the servers"),
        (
            "[store.clickhouse]\nurls = ['http://h']\ndatabase = ''",
            "rollbook.toml:3: `store.clickhouse.database` must not be empty",
        ),
        (
            "[store.clickhouse]\nurl = ''",
            "rollbook.toml:2: unknown setting `store.clickhouse.url`; did you mean `store.clickhouse.urls`?",
        ),
        ("[store.postgres]\nurl = ''", "rollbook.toml:1: unknown setting `store.postgres`"),
        ("limits = 3", "rollbook.toml:1: `limits` must be a table, [limits], not integer"),
        (
            "[account]\nname = 'x'",
            "rollbook.toml:1: `account` must be a list of tables, [[account]], not table",
        ),
        ("listen = ", "rollbook.toml:1: "),
        ("a = 1\na = 2", "rollbook.toml:2: "),
    ]);
}

#[test]
fn what_makes_no_sense_together_is_refused() {
    let account = format!("[[account]]\n{KEY}");
    let app = "[[account]]\n[[account.app]]\nsdk_app_id = 1\n";
    check_refused(&[
        (
            "[[account]]\n[[account.key]]\nsecret_id = 'x'",
            "rollbook.toml:2: this `[[account.key]]` needs a `secret_key`",
        ),
        ("[[account]]\n[[account.app]]", "rollbook.toml:2: this `[[account.app]]` needs a `sdk_app_id`"),
        ("[[account]]\n[[account.app]]\nsdk_app_id = 0", "rollbook.toml:3: `account.app.sdk_app_id` must be"),
        (
            "[[account]]\n[[account.key]]\nsecret_id = ''\nsecret_key = 'x'",
            "rollbook.toml:3: `account.key.secret_id` must not be empty",
        ),
        (
            &format!("{account}{account}"),
            "rollbook.toml:7: `account.key.secret_id` is the same as at rollbook.toml:3; each must be another",
        ),
        (
            &format!("{app}{app}"),
            "rollbook.toml:6: `account.app.sdk_app_id` is the same as at rollbook.toml:3",
        ),
        (
            &format!("{app}ingest_token = 'x'\n[[account.app]]\nsdk_app_id = 2\ningest_token = 'x'"),
            "rollbook.toml:7: `account.app.ingest_token` is the same as at rollbook.toml:4",
        ),
        ("[[account]]\nname = 'x'\n[[account]]\nname = 'x'", "rollbook.toml:4: `account.name` is the same"),
        (
            "[[account]]\nedition = 'gold'",
            "rollbook.toml:2: `account.edition` must be one of \"free\", \"basic\", \"advanced\", not \"gold\"",
        ),
        ("[tls]\ncert_file = 'c'", "rollbook.toml:2: `tls.cert_file` needs `tls.key_file`"),
        (
            &format!("{app}livekit = {{ api_key = 'k' }}"),
            "rollbook.toml:4: `account.app.livekit.api_key` needs",
        ),
        (&format!("{app}janus = {{ user = 'k' }}"), "rollbook.toml:4: `account.app.janus.user` needs"),
    ]);
}

#[test]
fn environment_overrides_the_file_and_flags_override_both() {
    let file = Some((Path::new("f"), "listen = '127.0.0.1:1'\nretention_days = 1\ndata_dir = 'f'"));
    let env = env(&[
        ("ROLLBOOK_LISTEN", "127.0.0.1:2"),
        ("ROLLBOOK_RETENTION_DAYS", "2"),
        ("ROLLBOOK_LIMITS_HISTORY_DAYS", "0"),
    ]);
    let config = resolve(file, &env, &[("listen", "--listen", "127.0.0.1:3".to_owned())]).expect("right");
    assert_eq!(config.listen.port(), 3);
    assert_eq!(config.retention_days, 2);
    assert_eq!(config.limits.history_days, 0);
    assert_eq!(config.data_dir, Path::new("f"));
}

#[test]
fn a_table_names_the_servers_of_the_store() {
    let text = "[store.clickhouse]\nurls = ['http://a', 'http://b:1']\npassword = 'hidden'\n";
    let config = resolve(Some((Path::new("f"), text)), &env(&[]), &[]).expect("right");
    assert!(!format!("{config:?}").contains("hidden"));
    let Store::ClickHouse(store) = config.store else { panic!("{:?}", config.store) };
    assert_eq!(store.urls, ["http://a", "http://b:1"]);
    assert_eq!(
        (store.database.as_str(), store.cluster.as_str(), store.user.as_str()),
        ("rollbook", "", "default")
    );
    assert_eq!(store.password.as_ref().map(Secret::expose), Some("hidden"));
    let env = env(&[("ROLLBOOK_STORE", "embedded"), ("ROLLBOOK_STORE_CLICKHOUSE_DATABASE", "x")]);
    let config = resolve(Some((Path::new("f"), text)), &env, &[]).expect("right");
    assert!(matches!(config.store, Store::Embedded));
    let inline = "store = { clickhouse = { urls = ['http://a'], cluster = 'c' } }";
    let config = resolve(Some((Path::new("f"), inline)), &BTreeMap::new(), &[]).expect("right");
    assert!(matches!(config.store, Store::ClickHouse(store) if store.cluster == "c"));
}

#[test]
fn mistakes_in_environment_and_flags_are_named_there() {
    let said = resolve(None, &env(&[("ROLLBOOK_RETENTION_DAYS", "x")]), &[]).expect_err("no number");
    assert_eq!(
        said.to_string(),
        "ROLLBOOK_RETENTION_DAYS: `retention_days` must be a whole number from 0 to 36500, not \"x\""
    );
    let said =
        resolve(None, &env(&[]), &[("listen", "--listen", "9180".to_owned())]).expect_err("no address");
    assert!(said.to_string().starts_with("--listen: `listen` must be an address with a port"), "{said}");
}

#[test]
fn misspelt_variables_are_noticed_and_foreign_ones_are_not() {
    let env = env(&[
        ("ROLLBOOK_LISTN", ""),
        ("ROLLBOOK_SERVICE_HOST", ""),
        ("ROLLBOOK_LOG", ""),
        ("ROLLBOOK_DATA_DIR", ""),
    ]);
    assert_eq!(misspelt(&env), [("ROLLBOOK_LISTN".to_owned(), "ROLLBOOK_LISTEN".to_owned())]);
}

#[test]
fn secrets_come_from_files_beside_the_settings_too() {
    let dir = temporary();
    let settings = dir.path().join("rollbook.toml");
    let check = |content: &str, expected: &str| {
        std::fs::write(dir.path().join("key"), content).expect("written");
        let text = "[[account]]\n[[account.key]]\nsecret_id = 'x'\nsecret_key_file = 'key'\n";
        let config = resolve(Some((&settings, text)), &BTreeMap::new(), &[]).expect("right");
        assert_eq!(config.accounts[0].keys[0].secret_key.expose(), expected);
    };
    check("secret\n", "secret");
    check("secret\r\n", "secret");
    check(" secret\n\n", " secret\n");

    let said =
        |text: &str| resolve(Some((&settings, text)), &BTreeMap::new(), &[]).expect_err(text).to_string();
    let both = "[[account]]\n[[account.key]]\nsecret_id = 'x'\nsecret_key = 'a'\nsecret_key_file = 'key'\n";
    assert!(said(both).ends_with(
        ":5: both `account.key.secret_key` and `account.key.secret_key_file` are given; leave one out"
    ));
    let absent = "[[account]]\n[[account.key]]\nsecret_id = 'x'\nsecret_key_file = 'none'\n";
    assert!(said(absent).contains("cannot read") && said(absent).contains(":4: "));
}

#[test]
fn no_secret_is_shown_by_debug() {
    let config = read(include_str!("tests/everything.toml")).expect("right");
    let shown = format!("{config:?}");
    for secret in ["\"one\"", "\"tok\"", "\"cb\"", "\"in\"", "\"lk\""] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn every_default_fits_its_setting() {
    for setting in SETTINGS {
        if let Fallback::Is(text) = setting.default {
            assert!(raw::from_text(setting.kind, text).is_some(), "{}", setting.path);
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "UPDATE=1 asks for the page to be rewritten")]
fn the_documentation_is_printed_from_the_table() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/config.md");
    if std::env::var("UPDATE").is_ok() {
        std::fs::write(&file, settings::documentation()).expect("written");
    }
    let page = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        page == settings::documentation(),
        "docs/config.md is not up to date; run the tests with UPDATE=1"
    );
}

#[test]
fn the_documented_example_is_right() {
    let page = settings::documentation();
    let example =
        page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let dir = temporary();
    std::fs::write(dir.path().join("secret-key"), "x\n").expect("written");
    resolve(Some((&dir.path().join("rollbook.toml"), example)), &BTreeMap::new(), &[]).expect("right");
}

#[test]
fn a_network_is_an_address_or_its_first_bits() {
    let check = |network: &str, address: &str, expected: bool| {
        let read = Network::from_text(network).unwrap_or_else(|| panic!("{network}"));
        assert_eq!(read.contains(address.parse().expect("an address")), expected, "{network} {address}");
    };
    check("10.0.0.1", "10.0.0.1", true);
    check("10.0.0.1", "10.0.0.2", false);
    check("10.0.0.0/8", "10.255.0.1", true);
    check("10.0.0.0/8", "11.0.0.1", false);
    check("10.0.0.0/8", "::ffff:10.1.2.3", true);
    check("0.0.0.0/0", "203.0.113.1", true);
    check("0.0.0.0/0", "2001:db8::1", false);
    check("2001:db8::/32", "2001:db8:1::1", true);
    check("2001:db8::/32", "2001:db9::1", false);
    for text in ["", "a", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "::1/129", "10.0.0.1:80"] {
        assert_eq!(Network::from_text(text), None, "{text}");
    }
    check_refused(&[("trusted_proxies = ['x']", "rollbook.toml:1: `trusted_proxies` must hold addresses")]);
}

#[test]
fn a_key_that_is_switched_off_is_not_there_but_must_be_right() {
    let off = "[[account]]\n[[account.key]]\nsecret_id = 'a'\nsecret_key = 'b'\nenabled = false\n";
    assert!(read(off).expect("right").accounts[0].keys.is_empty());
    check_refused(&[(
        "[[account]]\n[[account.key]]\nsecret_id = 'a'\nenabled = false",
        "rollbook.toml:2: this `[[account.key]]` needs a `secret_key`",
    )]);
}

#[test]
fn what_a_running_server_keeps_is_told_and_the_rest_is_taken() {
    let old = read("listen = '127.0.0.1:1'\ndata_dir = 'a'\n").expect("right");
    let text = "listen = '127.0.0.1:2'\ndata_dir = 'b'\nretention_days = 3\n[tls]\ncert_file = 'c'\nkey_file = 'k'\n\
                [ui]\nenabled = false\n[store.clickhouse]\nurls = ['http://h']\n\
                [limits]\nhistory_days = 3\nconnections = 17\nhead_kib = 17\nhead_seconds = 17\n\
                body_seconds = 17\nbodies_mib = 70\n";
    let mut new = read(text).expect("right");
    assert_eq!(new.keep_what_needs_a_restart(&old), settings::AT_START);
    assert_eq!((new.listen, &new.data_dir, &new.store), (old.listen, &old.data_dir, &old.store));
    assert!(new.ui.enabled && new.retention_days == 3);
    assert_eq!(new.limits, Limits { history_days: 3, ..old.limits });
    assert_eq!(new.keep_what_needs_a_restart(&new.clone()), [""; 0]);
}
