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
