//! Every vector as raw bytes over a socket, against the real binary with its clock at the time of the recording.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use base64::Engine as _;
use serde_json::Value;

use crate::server::Served;

/// How many there are. A file that is lost must not go unnoticed.
const VECTORS: usize = 497;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("readable")).expect("JSON")
}

/// The settings that all vectors assume.
fn settings() -> String {
    let config = read(&folder().join("00-config.json"));
    let mut settings = "[limits]\nrequests_per_second = 0\n".to_owned();
    let mut apps = std::collections::BTreeSet::new();
    for account in config["accounts"].as_array().expect("accounts") {
        // Temporary keys are listed as an account of their own, with the applications of the first.
        let owned: Vec<&Value> = account["app_ids"].as_array().expect("applications").iter().collect();
        if owned.iter().all(|app| apps.insert(app.to_string())) {
            settings.push_str("[[account]]\n");
            owned
                .iter()
                .for_each(|app| writeln!(settings, "[[account.app]]\nsdk_app_id = {app}").expect("text"));
        }
        for key in account["keys"].as_array().expect("keys") {
            let lines = [
                ("secret_id", &key["SecretId"]),
                ("secret_key", &key["SecretKey"]),
                ("token", &key["Token"]),
            ];
            let keys = lines.iter().filter(|(_, value)| value.is_string());
            let table = format!(
                "[[account.key]]\n{}",
                keys.map(|(name, value)| format!("{name} = {value}\n")).collect::<String>()
            );
            settings = place_key(&settings, &table, apps.len() > owned.len() && account["name"] != "second");
        }
    }
    settings
}

/// Adds a key to the last account, or to the first.
fn place_key(settings: &str, key: &str, first: bool) -> String {
    let place = if first { settings.find("[[account]]\n") } else { settings.rfind("[[account]]\n") };
    let place = place.expect("an account") + "[[account]]\n".len();
    format!("{}{key}{}", &settings[..place], &settings[place..])
}

/// The request as it was recorded, byte by byte.
fn bytes(request: &Value) -> Vec<u8> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let [method, target, version] = ["method", "target", "http_version"].map(|name| text(&request[name]));
    let mut head = format!("{method} {target} {version}\r\n");
    for header in request["headers"].as_array().expect("headers") {
        let (name, value) = (text(&header[0]), text(&header[1]));
        // The connection ends with the reply, whatever the client wanted with it.
        if !name.eq_ignore_ascii_case("connection") {
            write!(head, "{name}: {value}\r\n").expect("text");
        }
    }
    head.push_str("Connection: close\r\n\r\n");
    let body =
        base64::engine::general_purpose::STANDARD.decode(text(&request["body_base64"])).expect("base64");
    [head.as_bytes(), &body].concat()
}

/// What is wrong with the reply to a vector, if anything.
fn replay(address: &str, vector: &Value) -> Option<String> {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.write_all(&bytes(&vector["request"])).expect("written");
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).expect("read");
    let reply = String::from_utf8(reply).expect("text");
    let (head, body) = reply.split_once("\r\n\r\n").expect("a head");
    let answer: Value = serde_json::from_str(body).unwrap_or_default();
    let code = answer["Response"]["Error"]["Code"].as_str();
    let is_right = head.starts_with("HTTP/1.1 200 OK\r\n")
        && head.lines().any(|line| line == "content-type: application/json")
        && answer["Response"]["RequestId"].is_string()
        && code == vector["expect"]["code"].as_str()
        && code.is_none() == (vector["expect"]["verdict"] == "ok");
    (!is_right).then(|| format!("{}: expected {}, got {reply}", vector["id"], vector["expect"]["code"]))
}

#[test]
fn every_vector_gets_its_verdict_from_the_real_server() {
    let dir = crate::server::temporary();
    std::fs::write(dir.path().join("s.toml"), settings()).expect("written");
    let mut by_clock: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
    for file in std::fs::read_dir(folder()).expect("readable") {
        let mut set = read(&file.expect("a file").path());
        for vector in set["vectors"].as_array_mut().into_iter().flatten() {
            by_clock.entry(vector["server_now"].as_u64().expect("a time")).or_default().push(vector.take());
        }
    }
    assert_eq!(by_clock.values().map(Vec::len).sum::<usize>(), VECTORS);
    let mut wrong = Vec::new();
    for (clock, vectors) in by_clock {
        let clock = clock.to_string();
        let arguments =
            ["serve", "--memory", "--clock", &clock, "--config", "s.toml", "--listen", "127.0.0.1:0"];
        let served = Served::start(dir.path(), &arguments);
        let address = served.address.trim_start_matches("http://");
        wrong.extend(vectors.iter().filter_map(|vector| replay(address, vector)));
        served.stop();
    }
    assert!(wrong.is_empty(), "{} vectors:\n{}", wrong.len(), wrong.join("\n"));
}
