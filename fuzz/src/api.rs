//! The API that requests are put to, and what must be true of every reply.

use std::sync::{Arc, LazyLock};

use rollbook::actions::{Account, Action, Api, Key, Policy, Reply};
use rollbook::limits::{Edition, Secret};
use rollbook::records::{AppId, Event, Kind, Millis, Track};
use rollbook::store::{Memory, Store};
use rollbook::wire::{ErrorCode, Request};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::wait;

/// The server's time: that of the recorded requests of `tests/vectors`, within the minutes that clocks may be off.
pub const NOW_S: u64 = 1_795_380_629;
/// The key that requests are signed with here; it is among those of `tests/vectors`.
pub const SECRET_ID: &str = "AKIDFAKEfakeFAKEfakeFAKEfakeFAKE0001";
/// Its secret half.
pub const SECRET_KEY: &str = "FAKEsecretKEYforTESTvectorsONLY1";
/// The hosts that are signed: as a client sends them, and what a proxy is known by.
pub const HOSTS: [&str; 4] =
    ["trtc.tencentcloudapi.com", "127.0.0.1:9180", "http://[::1]:80", "Calls.Example.com"];

const APP: AppId = AppId(1_400_000_001);
const REQUEST_ID: Uuid = Uuid::from_u128(0x1234_5678_9abc_4def_8000_0000_0000_0001);

/// Two servers that know the same and have the same names of keys, but not the same secrets.
static RIGHT: LazyLock<Api<Memory>> = LazyLock::new(|| server("ONLY"));
static WRONG: LazyLock<Api<Memory>> = LazyLock::new(|| server("only"));

fn server(word: &str) -> Api<Memory> {
    let key = |secret_id: &str, number: u8, token: Option<&str>| Key {
        secret_id: secret_id.to_owned(),
        secret_key: Secret::new(format!("FAKEsecretKEYforTESTvectors{word}{number}")),
        token: token.map(Secret::new),
        expires_at_s: None,
    };
    let account = |keys: Vec<Key>, apps: &[u64]| Account {
        name: String::new(),
        edition: Edition::Advanced,
        keys,
        apps: apps.iter().map(|app| AppId(*app)).collect(),
    };
    let token = "FAKE-sts-token/for+test==vectors only_0003";
    let own = vec![key(SECRET_ID, 1, None), key("AKIDFAKEtempFAKEtempFAKEtempFAKE0003", 3, Some(token))];
    let others = vec![key("AKIDFAKEfakeFAKEfakeFAKEfakeFAKE0002", 2, None)];
    let policy = Policy {
        accounts: vec![account(own, &[APP.0, APP.0 + 1]), account(others, &[APP.0 + 2])],
        public_hosts: vec!["calls.example.com:8443".to_owned()],
        requests_per_second: 0,
        ..Policy::default()
    };
    let store = Memory::default();
    wait(store.append(told())).expect("memory takes everything");
    Api::new(policy, Arc::new(store))
}

/// A call that is over, and one that runs; ids and names are those of the examples in `actions::table`.
fn told() -> Vec<Event> {
    let at = |before_s: u64| Millis::from_secs(i64::try_from(NOW_S - before_s).expect("a second"));
    let event =
        |room: &str, user: &str, kind, before_s| Event::new(APP, "trtc", room, user, kind, at(before_s));
    let mut told = vec![
        event("218695", "host\"\u{1}", Kind::RoomCreated, 4_000),
        event("218695", "", Kind::RoomDestroyed, 100),
        event("r_2", "😀", Kind::RoomCreated, 3_000),
    ];
    for (number, user) in ["user1_54816741", "user2_2107025", "😀"].into_iter().enumerate() {
        let later = 100 * number as u64;
        told.extend([
            event("218695", user, Kind::UserJoined, 3_900 - later),
            event("218695", user, Kind::Media { track: Track::Audio, on: true }, 3_800 - later),
            event("218695", user, Kind::UserLeft, 900 - later),
            event("r_2", user, Kind::UserJoined, 2_900 - later),
        ]);
    }
    told
}

fn ask(api: &Api<Memory>, request: &Request<'_>) -> Reply {
    let now = Millis::from_secs(i64::try_from(NOW_S).expect("a second"));
    let reply = wait(api.answer(request, now, REQUEST_ID));
    check(&reply);
    reply
}

/// What the server replies; it is what every reply must be, and the same when it is asked again.
pub fn answer(request: &Request<'_>) -> Reply {
    let reply = ask(&RIGHT, request);
    assert_eq!(reply, ask(&RIGHT, request), "the same request, answered otherwise");
    reply
}

/// What a server replies whose keys have other secrets.
pub fn answer_of_other_secrets(request: &Request<'_>) -> Reply {
    ask(&WRONG, request)
}

/// Whether a code is about who asks.
pub fn is_of_authentication(code: ErrorCode) -> bool {
    code.wire().starts_with("AuthFailure.")
}

/// One object `Response` with the RequestId, and with either an error or what the action's table says.
fn check(reply: &Reply) {
    let answer: Value = serde_json::from_slice(&reply.body).expect("a reply is JSON");
    let outer = answer.as_object().expect("an object");
    assert_eq!(outer.keys().collect::<Vec<_>>(), ["Response"]);
    let mut response = outer["Response"].as_object().expect("Response is an object").clone();
    assert_eq!(response.remove("RequestId"), Some(Value::from(REQUEST_ID.to_string())));
    match reply.code {
        Some(code) => {
            let error = response.remove("Error").expect("a refusal says why");
            let error = error.as_object().expect("Error is an object");
            assert_eq!(error["Code"], code.wire());
            assert!(error["Message"].as_str().is_some_and(|message| !message.is_empty()));
            assert_eq!((error.len(), response.len()), (2, 0));
        }
        None => {
            let action = Action::find(reply.action).expect("only actions that there are answer");
            fields(action, "", &response);
        }
    }
}

/// The fields of `object`, which stands at `path`, are those of the table, each of its type.
fn fields(action: &Action, path: &str, object: &Map<String, Value>) {
    let here = |name: &'static str| name.strip_prefix(path).filter(|rest| !rest.contains('.'));
    // A table may say once for two actions what is in a list.
    let listed: Vec<_> =
        action.reply.iter().filter_map(|field| Some((here(field.name)?, field.kind))).collect();
    if listed.is_empty() {
        return;
    }
    assert_eq!(object.len(), listed.len(), "{}: {path:?} has {:?}", action.name, object.keys());
    for (name, kind) in listed {
        let value = object.get(name).unwrap_or_else(|| panic!("{}: {path:?} lacks {name}", action.name));
        let is_right = match kind {
            "uint64" => value.is_u64(),
            "int64" => value.is_i64(),
            "float" => value.is_f64(),
            "bool" => value.is_boolean(),
            "string" => value.is_string(),
            "list" => value.is_array(),
            other => panic!("a type that the table of actions never had: {other}"),
        };
        assert!(is_right, "{}: {path}{name} is no {kind}: {value}", action.name);
        for entry in value.as_array().into_iter().flatten() {
            let entry = entry.as_object().expect("lists are of objects");
            fields(action, &format!("{path}{name}[]."), entry);
        }
    }
}
