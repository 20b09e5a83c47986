//! Every recorded and made request in `tests/vectors` gets the verdict and code written beside it, at the time it
//! was recorded, from a server that remembers nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rollbook::actions::{Account, Api, Key, Policy};
use rollbook::limits::{Edition, Secret};
use rollbook::records::{AppId, Millis};
use rollbook::store::Memory;
use rollbook::wire::sign::{self, Canonical, Tc3};
use rollbook::wire::{Body, Request};
use serde_json::Value;
use uuid::Uuid;

/// How many there are. A file that is lost must not go unnoticed.
const VECTORS: usize = 497;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

/// All vectors, file by file.
pub(crate) fn all() -> Vec<Value> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut all = Vec::new();
    for file in files.iter().filter(|file| !file.ends_with("00-config.json")) {
        let set = read(file);
        let vectors = set["vectors"].as_array().unwrap();
        assert_eq!(set["count"].as_u64().unwrap(), u64::try_from(vectors.len()).unwrap(), "{file:?}");
        all.extend(vectors.iter().cloned());
    }
    all
}

/// The accounts that all vectors assume.
pub(crate) fn accounts() -> Vec<Account> {
    let config = read(&folder().join("00-config.json"));
    let account = |account: &Value| Account {
        name: text(account, "name").into(),
        edition: Edition::Advanced,
        keys: account["keys"].as_array().unwrap().iter().map(key).collect(),
        apps: account["app_ids"].as_array().unwrap().iter().map(|app| AppId(app.as_u64().unwrap())).collect(),
    };
    config["accounts"].as_array().unwrap().iter().map(account).collect()
}

fn key(key: &Value) -> Key {
    Key {
        secret_id: text(key, "SecretId").into(),
        secret_key: Secret::new(text(key, "SecretKey")),
        token: key["Token"].as_str().map(Secret::new),
        expires_at_s: None,
    }
}

/// What is wrong with the answer to a vector, if anything.
async fn replay(api: &Api<Memory>, vector: &Value) -> Option<String> {
    let request = &vector["request"];
    let headers: Vec<(&str, &[u8])> = request["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap().as_bytes()))
        .collect();
    let body = STANDARD.decode(text(request, "body_base64")).unwrap();
    let request = Request {
        method: text(request, "method"),
        target: text(request, "target"),
        headers: &headers,
        body: Body::Whole(&body),
    };
    let now = Millis::from_secs(vector["server_now"].as_i64().unwrap());
    let id = Uuid::from_u128(0x1234_5678_9abc_4def_8000_0000_0000_0001);
    let reply = api.answer(&request, now, id).await;
    let answer: Value = serde_json::from_slice(&reply.body).unwrap();
    let response = &answer["Response"];
    let expected = vector["expect"]["code"].as_str();
    let code = response.get("Error").map(|error| text(error, "Code"));
    let is_right = code == expected
        && code == reply.code.map(|code| code.wire())
        && (text(&vector["expect"], "verdict") == "ok") == code.is_none()
        && response["RequestId"] == id.to_string()
        && response.get("Error").is_none_or(|error| !text(error, "Message").is_empty())
        && (code.is_some() || is_empty_list(response));
    (!is_right).then(|| format!("{}: expected {expected:?}, got {response}", text(vector, "id")))
}

fn is_empty_list(response: &Value) -> bool {
    let lists = ["UserList", "RoomList", "Data", "ScaleList"].iter().filter_map(|name| response.get(name));
    let lists: Vec<_> = lists.collect();
    let is_empty = |list: &&Value| list.as_array().is_some_and(Vec::is_empty);
    !lists.is_empty() && lists.iter().all(is_empty) && response.get("Total").is_none_or(|total| total == 0)
}

#[tokio::test]
async fn every_vector_gets_its_verdict() {
    let policy = Policy { accounts: accounts(), requests_per_second: 0, ..Policy::default() };
    let api = Api::new(policy, Arc::new(Memory::default()));
    let all = all();
    let mut wrong = Vec::new();
    for vector in &all {
        wrong.extend(replay(&api, vector).await);
    }
    assert!(wrong.is_empty(), "{} of {} vectors:\n{}", wrong.len(), all.len(), wrong.join("\n"));
    assert_eq!(all.len(), VECTORS);
}

/// The hosts that a client may have signed: the header as it was sent, without a port, without a scheme.
fn hosts(sent: &str) -> Vec<String> {
    let bare = sent.split_once("://").map_or(sent, |(_, bare)| bare);
    let without_port =
        |host: &str| host.rsplit_once(':').map_or(host.to_owned(), |(host, _)| host.to_owned());
    let mut hosts = vec![sent.to_owned(), without_port(sent), bare.to_owned(), without_port(bare)];
    hosts.dedup();
    hosts
}

/// Whether signing what a client sent, step by step, gives what it sent: with version 3.
fn signs_like_tc3(vector: &Value, header: &dyn Fn(&str) -> String, body: &[u8]) -> bool {
    let authorization = header("authorization");
    let part = |name: &str| {
        let at = authorization.find(name).unwrap() + name.len();
        authorization[at..].split(',').next().unwrap().to_owned()
    };
    let (credential, signed) = (part("Credential="), part("SignedHeaders="));
    let [secret_id, date, service, _] = credential.splitn(4, '/').collect::<Vec<_>>()[..] else { panic!() };
    let secret_key = text(&vector["credentials"], "SecretKey");
    let (method, target) = (text(&vector["request"], "method"), text(&vector["request"], "target"));
    let query = if method == "GET" { target.split_once('?').map_or("", |(_, query)| query) } else { "" };
    let unsigned_payload = header("x-tc-content-sha256") == "UNSIGNED-PAYLOAD";
    let timestamp = header("x-tc-timestamp");
    let timestamp_s: u64 = timestamp.parse().unwrap();
    assert_eq!(date, sign::date(timestamp_s));
    let content_type = header("content-type");
    hosts(&header("host")).iter().any(|host| {
        let body = if method == "GET" { b"" } else { body };
        let tc3 = Tc3 {
            secret_id,
            secret_key,
            service,
            method,
            host,
            content_type: &content_type,
            query,
            body,
            unsigned_payload,
            timestamp_s,
        };
        if sign::tc3(&tc3) == authorization.replace(",", ", ").replace(",  ", ", ") {
            return true;
        }
        // What more may be signed, and as it was sent.
        let payload_hash = &sign::sha256(if unsigned_payload { b"UNSIGNED-PAYLOAD" } else { body });
        let value = |name: &str| if name == "host" { host.clone() } else { header(name) };
        [false, true].iter().any(|is_lower| {
            let values: Vec<(&str, String)> = signed
                .split(';')
                .map(|name| (name, if *is_lower { value(name).to_lowercase() } else { value(name) }))
                .collect();
            let headers: Vec<(&str, &str)> =
                values.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let canonical = Canonical { method, query, headers: &headers, payload_hash };
            let steps = sign::over(canonical.text(), secret_key.as_bytes(), date, service, &timestamp);
            steps.signature == part("Signature=")
        })
    })
}

/// The same with version 1.
fn signs_like_v1(vector: &Value, header: &dyn Fn(&str) -> String, body: &[u8]) -> bool {
    let (method, target) = (text(&vector["request"], "method"), text(&vector["request"], "target"));
    let encoded = if method == "GET" { target.split_once('?').unwrap().1.as_bytes() } else { body };
    let pairs: Vec<(String, String)> = form_urlencoded::parse(encoded).into_owned().collect();
    let value = |name: &str| pairs.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value);
    let borrowed: Vec<(&str, &str)> =
        pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (is_sha256, secret_key) =
        (value("SignatureMethod") == "HmacSHA256", text(&vector["credentials"], "SecretKey"));
    hosts(&header("host")).iter().any(|host| {
        sign::v1_steps(is_sha256, secret_key, method, host, &borrowed).signature == value("Signature")
    })
}

/// The steps that are shown lead to the signature that the server takes for right, for every vector that has one.
#[test]
fn the_signature_step_by_step_is_that_of_every_right_vector() {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let (mut tc3, mut v1, mut wrong) = (0, 0, Vec::new());
    for file in files.iter().filter(|file| !file.ends_with("00-config.json")) {
        for vector in read(file)["vectors"].as_array().unwrap() {
            if vector["expect"]["auth"] != "ok" {
                continue;
            }
            let headers = vector["request"]["headers"].as_array().unwrap();
            let header = |name: &str| {
                let pair = headers.iter().find(|pair| pair[0].as_str().unwrap().eq_ignore_ascii_case(name));
                pair.map_or_else(String::new, |pair| pair[1].as_str().unwrap().trim().to_owned())
            };
            let body = STANDARD.decode(text(&vector["request"], "body_base64")).unwrap();
            let is_right = if header("authorization").is_empty() {
                v1 += 1;
                signs_like_v1(vector, &header, &body)
            } else {
                tc3 += 1;
                signs_like_tc3(vector, &header, &body)
            };
            if !is_right {
                wrong.push(text(vector, "id").to_owned());
            }
        }
    }
    assert!(wrong.is_empty(), "{} vectors are signed otherwise: {}", wrong.len(), wrong.join(", "));
    assert_eq!((tc3, v1), (193, 176));
}
