//! Secrets that can be recognised are put everywhere where secrets can be, everything is made to fail, and whatever anybody
//! can see of it is searched for them.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use rollbook::actions::{Account, Api, Policy};
use rollbook::config::{self, Config};
use rollbook::http;
use rollbook::ingest::{Apps, ClientIpPolicy, Ingest};
use rollbook::limits::Secret;
use rollbook::records::AppId;
use rollbook::store::Memory;
use rollbook::web::{Access, Web, hash_password};
use serde_json::json;

use super::{NOW_S, STRANGER, raw, signed, write};
use crate::server::{Served, check, rollbook, temporary, text, tls_key};

/// In every secret.
const LEAK: &str = "leak7Qx";
const APP: u64 = 1_400_000_001;

fn settings() -> String {
    format!(
        "metrics_token = \"{LEAK}-metrics\"\ntrusted_proxies = [\"127.0.0.1\"]\n\
         [ui]\npassword_file = \"pw\"\n[tls]\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"\n\
         [[account]]\nname = \"main\"\n[[account.key]]\nsecret_id = \"AKIDmain\"\nsecret_key = \"{LEAK}-secret-key\"\n\
         [[account.key]]\nsecret_id = \"AKIDtemporary\"\nsecret_key = \"{LEAK}-temporary\"\ntoken = \"{LEAK}-token\"\n\
         [[account.app]]\nsdk_app_id = {APP}\ntrtc_callback_key = \"{LEAK}-callback\"\ningest_token = \"{LEAK}-ingest\"\n\
         livekit = {{ api_key = \"API\", api_secret = \"{LEAK}-livekit\" }}\n\
         janus = {{ user = \"janus\", password = \"{LEAK}-janus\" }}\n"
    )
}

/// Whatever somebody can see has none of them.
fn clean(seen: &str, what: &str) {
    // The password's hash and the key of the certificate are no texts of ours: their own beginnings.
    for secret in [LEAK, "$argon2id$", "MIGHAgEAMBMG", "PRIVATE KEY"] {
        assert!(!seen.contains(secret), "{what}: {secret:?} is in {seen}");
    }
}

/// Everything that can be said wrongly to a server.
async fn provoke(host: &str) -> String {
    let body = json!({ "SdkAppId": APP, "StartTime": NOW_S - 60, "EndTime": NOW_S }).to_string();
    let secret = format!("{LEAK}-secret-key");
    let mut all: Vec<Vec<String>> = vec![
        signed(host, ("AKIDmain", &secret), "DescribeRoomInfo", &body),
        signed(host, ("AKIDmain", &secret), "DescribeNothing", &body),
        signed(host, ("AKIDmain", "wrong"), "DescribeRoomInfo", &body),
        signed(host, ("AKIDtemporary", &format!("{LEAK}-temporary")), "DescribeRoomInfo", &body),
        signed(host, ("AKIDnobody", "wrong"), "DescribeRoomInfo", &body),
        vec![format!("SdkAppId: {APP}"), "Sign: AAAA".to_owned()],
        Vec::new(),
    ];
    let shown = [
        "Bearer wrong",
        "Bearer e30.eyJhcHAiOjE0MDAwMDAwMDF9.AAAA",
        "e30.eyJpc3MiOiJBUEkifQ.AAAA",
        "Basic amFudXM6d3Jvbmc=",
        "SKIP",
        // What is right at one place is wrong at the others; it is not said again.
        &format!("Bearer {LEAK}-ingest"),
        &format!("Bearer {LEAK}-metrics"),
    ]
    .map(|value| vec![format!("Authorization: {value}")]);
    all.extend(shown);
    let mut replies = String::new();
    for path in http::paths() {
        let path = path.replace("**", "").replace('*', "1400000001");
        for headers in &all {
            for method in ["GET", "POST", "PUT"] {
                let headers = [headers.as_slice(), &[STRANGER.to_owned()]].concat();
                replies += &raw(host, method, &path, &headers, &body).await;
            }
        }
    }
    let origin = [format!("Origin: http://{host}")];
    for password in ["wrong".to_owned(), format!("{LEAK}-password")] {
        replies +=
            &raw(host, "POST", "/ui/login", &origin, &format!("account=main&password={password}")).await;
    }
    replies
}

/// The explorer signs with a stored secret, and shows every step of it.
async fn explore(host: &str) -> String {
    let origin = format!("Origin: http://{host}");
    let login = format!("account=main&password={LEAK}-password");
    let reply = raw(host, "POST", "/ui/login", std::slice::from_ref(&origin), &login).await;
    let cookie =
        reply.split("set-cookie: ").nth(1).and_then(|rest| rest.split(';').next()).expect("a session");
    let headers = [origin, format!("Cookie: {cookie}"), "Accept: text/html".to_owned()];
    let page = raw(host, "GET", "/ui/explorer/DescribeRoomInfo", &headers, "").await;
    assert!(page.contains("AKIDmain"), "{page}");
    let form = "action=DescribeRoomInfo&key=AKIDmain&SdkAppId=1400000001&StartTime=1&EndTime=2&pasted=AAAA";
    page + &raw(host, "POST", "/ui/explorer/prepare", &headers, form).await
}

#[tokio::test]
async fn nothing_that_anybody_can_see_has_a_secret_in_it() {
    let dir = temporary();
    let line = hash_password("main", format!("{LEAK}-password").as_bytes(), &[5; 16]).expect("hashed");
    write(dir.path(), "pw", &line);
    tls_key(dir.path());
    let cert = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls/cert.pem");
    std::fs::copy(cert, dir.path().join("cert.pem")).expect("copied");
    let plain = settings().replace("[tls]\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"\n", "");
    write(dir.path(), "s.toml", &plain);
    let clock = NOW_S.to_string();
    let arguments =
        ["serve", "--config", "s.toml", "--data-dir", "data", "--listen", "127.0.0.1:0", "--clock", &clock];
    let mut served = Served::start_with(dir.path(), &arguments, &[("ROLLBOOK_LOG", "trace")]);
    let host = served.host().to_owned();
    clean(&provoke(&host).await, "replies");
    clean(&explore(&host).await, "the explorer");
    let metrics = raw(&host, "GET", "/metrics", &[], "").await;
    assert!(
        metrics.contains("bad_signature\"} ") && metrics.contains("AuthFailure.SignatureFailure"),
        "{metrics}"
    );
    clean(&metrics, "metrics");
    for (broken, _) in broken() {
        write(dir.path(), "s.toml", &broken);
        assert!(served.reload().contains("stay in force"));
    }
    write(dir.path(), "s.toml", &plain);
    served.reload();
    let said = served.said.clone();
    let log = said + &served.stop();
    assert!(log.contains("refused") && log.contains("could not sign in"), "{log}");
    clean(&log, "the log");

    // The commands that read them.
    write(dir.path(), "s.toml", &settings());
    clean(&check(dir.path(), &["check", "--config", "s.toml"], 0, "certificate and key fit"), "check");
    let output = rollbook(dir.path())
        .args(["check", "--config", "s.toml"])
        .env("ROLLBOOK_STORE_CLICKHOUSE_PASSWORD", format!("{LEAK}-clickhouse"))
        .env("ROLLBOOK_METRICS_TOKEN", format!("{LEAK}-other"))
        .env("ROLLBOOK_LISTEN", "nowhere")
        .output()
        .expect("started");
    clean(&text(&output.stderr), "check");
    let servers =
        format!("[store.clickhouse]\nurls = ['http://u:{LEAK}@127.0.0.1:1']\npassword = '{LEAK}'\n{plain}");
    write(dir.path(), "c.toml", &servers.replace("metrics_token", "#").replace("trusted_proxies", "#"));
    let output = rollbook(dir.path()).args(["check", "--config", "c.toml"]).output().expect("started");
    assert!(text(&output.stderr).contains("127.0.0.1:1"), "{}", text(&output.stderr));
    clean(&text(&output.stderr), "a ClickHouse that is away");
}

/// Settings that are wrong around a secret, each with what is said of it.
fn broken() -> Vec<(String, &'static str)> {
    let key = |rest: &str| format!("[[account]]\n[[account.key]]\nsecret_id = \"a\"\n{rest}");
    let app = |rest: &str| format!("[[account]]\n[[account.app]]\nsdk_app_id = 1\n{rest}");
    vec![
        (key(&format!("secret_key = \"{LEAK}")), "s.toml:4: "),
        (key(&format!("secret_key = {LEAK}")), "s.toml:4: "),
        (key(&format!("secret_key = \"{LEAK}\\q\"")), "s.toml:4: "),
        (key(&format!("secret_key = \"{LEAK}\" {LEAK}")), "s.toml:4: "),
        (key(&format!("secret_key = [\"{LEAK}\"]")), "must be a text, not array"),
        (key(&format!("secret_key = \"{LEAK}\"\nsecret_key = \"{LEAK}\"")), "s.toml:"),
        (key(&format!("secret_key = \"{LEAK}\"\nsecret_key_file = \"x\"")), "s.toml:5: "),
        (key(&format!("secret_kye = \"{LEAK}\"")), "did you mean `account.key.secret_key`?"),
        (
            key(&format!("secret_key = \"{LEAK}\"\nexpires_at = \"{LEAK}\"")),
            "must be a whole number, not string",
        ),
        (app(&format!("livekit = {{ api_secret = \"{LEAK}\" }}")), "needs `account.app.livekit.api_key`"),
        (app(&format!("janus = {{ password = \"{LEAK}\" }}")), "needs `account.app.janus.user`"),
        (
            app(&format!(
                "ingest_token = \"{LEAK}\"\n[[account.app]]\nsdk_app_id = 2\ningest_token = \"{LEAK}\""
            )),
            "is the same as at",
        ),
        (format!("metrics_token = {{ a = \"{LEAK}\" }}"), "s.toml:1: "),
    ]
}

fn read(text: &str) -> Result<Config, config::ConfigError> {
    config::resolve(Some((Path::new("s.toml"), text)), &BTreeMap::new(), &[])
}

#[test]
fn wrong_settings_are_told_without_their_secrets() {
    for (text, part) in broken() {
        let error = read(&text).err().unwrap_or_else(|| panic!("{text} is taken"));
        let said = format!("{error} {error:?}");
        assert!(said.contains(part), "{text}: {said}");
        clean(&said, &text);
    }
}

/// Whatever is built from settings, as a developer would print it.
#[test]
fn debug_output_has_no_secret() {
    let servers = format!("[store.clickhouse]\nurls = [\"http://u:{LEAK}@h\"]\npassword = \"{LEAK}\"\n");
    let config = read(&settings().replace("[ui]\n", &format!("{servers}[ui]\n"))).expect("right");
    let (policy, apps) = rights(&config);
    let line = hash_password("main", LEAK.as_bytes(), &[5; 16]).expect("hashed");
    let access = Access::with_passwords(&line, Secret::key([77; 32])).expect("right");
    let store = Arc::new(Memory::default());
    let request = rollbook::wire::sign::DayKey::new(LEAK.as_bytes(), "2026-11-22", "trtc");
    let all = [
        format!("{config:?}"),
        format!(
            "{:?}",
            rollbook::store::clickhouse::Credentials { user: String::new(), password: Secret::new(LEAK) }
        ),
        format!("{:?}", Ingest::new(apps)),
        format!("{:?}", Api::new(policy.clone(), Arc::clone(&store))),
        format!("{access:?} {request:?}"),
        format!("{:?}", Web::new(policy, store, access)),
    ];
    for debug in all {
        clean(&debug, "Debug");
        assert!(!debug.contains("77, 77"), "the key that seals sessions is in {debug}");
    }
}

fn rights(config: &Config) -> (Policy, Apps) {
    let account = |account: &config::Account| Account {
        name: account.name.clone(),
        edition: account.edition,
        keys: account.keys.clone(),
        apps: account.apps.iter().map(|app| app.id).collect(),
    };
    let accounts: Vec<Account> = config.accounts.iter().map(account).collect();
    assert!(accounts.iter().any(|account| account.apps == [AppId(APP)]));
    let apps = config.accounts.iter().flat_map(|account| account.apps.clone()).collect();
    (Policy { accounts, ..Policy::default() }, Apps::new(apps, ClientIpPolicy::Keep))
}

/// A letter of a text that stands nowhere as a whole but in secrets.
fn letter(place: usize) -> u8 {
    b"qzkvjxwy"[(place * place + 3 * place + place / 7) % 8]
}

/// How often that text is in this process's memory.
fn copies() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("Linux");
    let mut memory = std::fs::File::open("/proc/self/mem").expect("our own");
    let mut found = 0;
    for line in maps.lines().filter(|line| line.contains(" rw-p ") && !line.ends_with("[vvar]")) {
        let (from, to) = line.split(' ').next().and_then(|range| range.split_once('-')).expect("a range");
        let [from, to] = [from, to].map(|text| u64::from_str_radix(text, 16).expect("hexadecimal"));
        memory.seek(SeekFrom::Start(from)).expect("there");
        let mut bytes = Vec::new();
        // What another test has just given back is not there any more.
        let _ = memory.by_ref().take(to - from).read_to_end(&mut bytes);
        found += bytes
            .windows(LENGTH)
            .filter(|bytes| (0..LENGTH).all(|place| bytes[place] == letter(place)))
            .count();
        // The copy just made is no finding for the regions that follow.
        bytes.fill(0);
        std::hint::black_box(&bytes);
    }
    found
}

const LENGTH: usize = 40;

#[tokio::test]
async fn what_is_dropped_is_gone_from_memory() {
    let dir = temporary();
    let path = dir.path().join("s.toml");
    let before = "[[account]]\n[[account.key]]\nsecret_id = \"a\"\nsecret_key = \"";
    let after = format!(
        "\"\n[[account.app]]\nsdk_app_id = {APP}\nlivekit = {{ api_key = \"k\", api_secret_file = \"f\" }}\n"
    );
    {
        let mut file = std::fs::File::create(&path).expect("made");
        let mut secret = std::fs::File::create(dir.path().join("f")).expect("made");
        use std::io::Write as _;
        file.write_all(before.as_bytes()).expect("written");
        // Letter by letter, so that this test has no copy of its own.
        (0..LENGTH).for_each(|place| file.write_all(&[letter(place)]).expect("written"));
        (0..LENGTH).for_each(|place| secret.write_all(&[letter(place)]).expect("written"));
        file.write_all(after.as_bytes()).expect("written");
    }
    assert_eq!(copies(), 0);
    let config = config::load(Some(&path), &BTreeMap::new(), &[]).expect("right");
    assert!(copies() >= 2, "what is in use is there, so it would be found");
    let (policy, apps) = rights(&config);
    let api = Api::new(policy, Arc::new(Memory::default()));
    let ingest = Ingest::new(apps);
    drop(config);
    assert!(copies() >= 2);
    api.allow(Policy::default());
    drop(ingest);
    assert_eq!(copies(), 0, "nothing of it is left");
}
