//! A stranger with a port scanner and the documentation: every path of the router's own table, with every method, without
//! credentials, with wrong ones, and with those of somebody else.

use rollbook::actions::ACTIONS;
use rollbook::http;
use rollbook::limits::Secret;
use rollbook::web::hash_password;
use serde_json::json;

use super::{NOW_S, STRANGER, raw, serve, signed, status, write};
use crate::server::{Served, callback_sign, temporary};

/// In every name that the server knows: rooms, users, accounts, keys. Nothing that a stranger is told has it.
const MARK: &str = "zebra";
const APP: u64 = 1_400_000_001;
const FOREIGN_APP: u64 = 1_400_000_002;
const OWNER: (&str, &str) = ("AKIDzebraowner", "secret-of-zebra-owner");
const FOREIGN: (&str, &str) = ("AKIDforeign", "secret-of-foreign");
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"];

fn settings() -> String {
    let account = |name: &str, key: (&str, &str), app: u64| {
        format!(
            "[[account]]\nname = \"{name}\"\n[[account.key]]\nsecret_id = \"{}\"\nsecret_key = \"{}\"\n[[account.app]]\n\
             sdk_app_id = {app}\ntrtc_callback_key = \"callback-{name}\"\ningest_token = \"token-{name}\"\n\
             livekit = {{ api_key = \"API{name}\", api_secret = \"livekit-{name}\" }}\n\
             janus = {{ user = \"janus\", password = \"janus-{name}\" }}\n",
            key.0, key.1
        )
    };
    format!(
        "trusted_proxies = [\"127.0.0.1\"]\nmetrics_token = \"zebra-metrics\"\n[limits]\nrequests_per_second = 0\n\
         failed_attempts_per_minute = 0\n[ui]\npassword_file = \"pw\"\n{}{}",
        account("zebra", OWNER, APP),
        account("foreign", FOREIGN, FOREIGN_APP)
    )
}

/// A server that knows things, and the CommId of one of its calls.
async fn world(dir: &std::path::Path) -> (Served, String) {
    let password = |account: &str| hash_password(account, b"correct horse", &[7; 16]).expect("hashed");
    write(dir, "pw", &format!("{}\n{}\n", password("zebra"), password("foreign")));
    write(dir, "s.toml", &settings());
    let served = serve(dir);
    let line = |kind: &str, user: &str, at: i64| {
        json!({ "kind": kind, "room": "zebra-room", "user": user, "at_s": NOW_S - at }).to_string()
    };
    let lines =
        [line("joined", "zebra-alice", 60), line("joined", "zebra-bob", 50), line("left", "zebra-bob", 40)];
    let bearer = ["Authorization: Bearer token-zebra".to_owned()];
    let reply = raw(served.host(), "POST", "/ingest/events", &bearer, &lines.join("\n")).await;
    assert!(reply.contains("\"new\":3"), "{reply}");
    let body = json!({ "SdkAppId": APP, "StartTime": NOW_S - 3_600, "EndTime": NOW_S }).to_string();
    let headers = signed(served.host(), OWNER, "DescribeRoomInfo", &body);
    let reply = raw(served.host(), "POST", "/", &headers, &body).await;
    let (_, json) = reply.split_once("\r\n\r\n").expect("a body");
    let json: serde_json::Value = serde_json::from_str(json).expect("JSON");
    let call = json["Response"]["RoomList"][0]["CommId"].as_str().expect("the owner sees it").to_owned();
    (served, call)
}

/// The session of the account `foreign`.
async fn foreign_session(host: &str) -> String {
    let headers = [format!("Origin: http://{host}")];
    let reply = raw(host, "POST", "/ui/login", &headers, "account=foreign&password=correct+horse").await;
    let cookie =
        reply.split("set-cookie: ").nth(1).and_then(|rest| rest.split(';').next()).expect("a session");
    format!("Cookie: {cookie}")
}

/// What is the same for everybody, and has nothing in it: probes, scripts, how pages look, the way to sign in.
fn is_for_everybody(method: &str, path: &str, status: u16) -> bool {
    let reads = matches!(method, "GET" | "HEAD");
    match path {
        "/healthz" | "/readyz" | "/client/rollbook.js" => reads && status == 200,
        "/ui/set" => reads || method == "POST",
        "/ui/login" => reads && status == 200,
        "/ui/logout" => status == 303,
        // A browser is sent to the pages; a page of any origin may ask whether it may send statistics.
        "/" => reads && status == 302,
        "/ingest/attributes" | "/ingest/stats" => method == "OPTIONS" && status == 200,
        path if path.starts_with("/ui/a/") => (reads || method == "POST") && status == 200,
        path if path.starts_with("/ui") => reads && status == 303,
        _ => false,
    }
}

/// Headers that prove nothing, each set with a name.
fn strangers(host: &str, body: &str) -> Vec<(&'static str, Vec<String>)> {
    let header = |text: &str| vec![text.to_owned()];
    let callback = |app: u64, sign: &str| vec![format!("SdkAppId: {app}"), format!("Sign: {sign}")];
    let mut unknown_key = signed(host, ("AKIDnobody", "x"), "DescribeUserInfo", body);
    unknown_key.push("Accept: text/html".to_owned());
    vec![
        ("nothing", Vec::new()),
        ("a browser", header("Accept: text/html")),
        ("an unknown key", unknown_key),
        ("a known key's name", signed(host, (OWNER.0, "wrong"), "DescribeUserInfo", body)),
        ("a wrong bearer token", header("Authorization: Bearer token-zebr")),
        ("a token that says something", header("Authorization: Bearer e30.eyJhcHAiOjE0MDAwMDAwMDF9.AAAA")),
        ("an empty bearer token", header("Authorization: Bearer ")),
        ("a wrong password", header("Authorization: Basic amFudXM6d3Jvbmc=")),
        ("a wrong signature", callback(APP, "d3Jvbmc=")),
        ("the signature of another", callback(APP, &callback_sign("callback-foreign", body))),
        ("a session made up", header("Cookie: rollbook_session=MTc5NTQyMDgwMCB6ZWJyYQ.AAAA")),
    ]
}

/// The same of somebody who is known here, and asks about what is not theirs.
fn others(host: &str, session: &str, body: &str) -> Vec<(&'static str, Vec<String>)> {
    let header = |text: &str| vec![text.to_owned()];
    let mut all = vec![
        ("another's bearer token", header("Authorization: Bearer token-foreign")),
        ("another's password", header("Authorization: Basic amFudXM6amFudXMtZm9yZWlnbg==")),
        ("another's session", vec![session.to_owned(), "Accept: text/html".to_owned()]),
    ];
    for action in ACTIONS {
        all.push((action.name, signed(host, FOREIGN, action.name, body)));
    }
    all
}

/// Paths of the table, with the parts that stand for something taken by what there is, and by what there is not.
fn addresses(call: &str) -> Vec<String> {
    let mut all = Vec::new();
    for path in http::paths() {
        for part in [call, "1400000001", "none"] {
            let path = path.replace("**", "").replace('*', part);
            let path = if path.len() > 4 { path.trim_end_matches('/').to_owned() } else { path };
            if !all.contains(&path) {
                all.push(path);
            }
        }
        // Pages below a call, which the table does not tell apart.
        for below in ["matrix", "pair", "users", "events", "sessions.csv"] {
            all.extend(path.contains("**").then(|| path.replace("**", below).replace('*', call)));
        }
    }
    all.push(format!("/ui/users/{APP}/zebra-alice"));
    all.push(format!("/ui/calls?app={APP}&q=zebra"));
    all.push(format!("/ui/live/stream?app={APP}"));
    all
}

/// Nothing that the server knows is in a reply, apart from what was asked for by its name.
fn tells_nothing(reply: &str, asked: &str, who: &str) {
    let mut told = reply.to_owned();
    for own in asked.split(['/', '?', '=', '&', '"', ' ', ',']).filter(|own| own.contains(MARK)) {
        told = told.replace(own, "").replace(&own.replace("%2F", "/"), "");
    }
    for secret in [MARK, env!("CARGO_PKG_VERSION"), "callback-foreign", "secret-of"] {
        assert!(!told.contains(secret), "{who}: {asked}: {secret:?} is in {reply}");
    }
}

#[tokio::test]
async fn a_stranger_gets_nothing_but_errors() {
    let dir = temporary();
    let (served, call) = world(dir.path()).await;
    let host = served.host();
    let body =
        json!({ "SdkAppId": APP, "CommId": call, "StartTime": NOW_S - 3_600, "EndTime": NOW_S }).to_string();
    let mut asked = 0;
    for path in addresses(&call) {
        for (who, headers) in strangers(host, &body) {
            for method in METHODS {
                let headers = [headers.clone(), vec![STRANGER.to_owned()]].concat();
                let reply = raw(host, method, &path, &headers, &body).await;
                let place = path.split('?').next().unwrap_or_default();
                let is_error = status(&reply) >= 400 || reply.contains("\"Error\":{");
                let is_head = method == "HEAD" && place == "/" && reply.ends_with("\r\n\r\n");
                assert!(
                    is_error || is_head || is_for_everybody(method, place, status(&reply)),
                    "{who}: {method} {path}: {reply}"
                );
                tells_nothing(&reply, &format!("{path} {body}"), who);
                asked += 1;
            }
        }
    }
    assert!(asked > 2_000, "{asked} requests");
    served.stop();
}

#[tokio::test]
async fn who_is_known_learns_nothing_of_others() {
    let dir = temporary();
    let (served, call) = world(dir.path()).await;
    let host = served.host();
    let body =
        json!({ "SdkAppId": APP, "CommId": call, "StartTime": NOW_S - 3_600, "EndTime": NOW_S }).to_string();
    let session = foreign_session(host).await;
    for path in addresses(&call) {
        // Without an application it is the asker's own, and it goes on.
        if path == rollbook::web::STREAM_PATH {
            continue;
        }
        for (who, headers) in others(host, &session, &body) {
            for method in ["GET", "POST"] {
                let mut headers = [headers.clone(), vec![STRANGER.to_owned()]].concat();
                if who == "another's session" && method == "POST" {
                    headers.push(format!("Origin: http://{host}"));
                }
                let reply = raw(host, method, &path, &headers, &body).await;
                tells_nothing(&reply, &format!("{path} {body}"), who);
                let is_refused = status(&reply) >= 300 || reply.contains("\"Error\":{");
                assert!(
                    path != "/" || is_refused,
                    "{who}: {method} {path}: what is another's is answered: {reply}"
                );
            }
        }
    }
    // Each action about a call of another account is answered as one about a call that does not exist.
    for action in ACTIONS {
        let about = |call: &str| {
            json!({ "SdkAppId": FOREIGN_APP, "CommId": call, "StartTime": NOW_S - 3_600, "EndTime": NOW_S, "UserId": "zebra-alice",
                    "RoomId": "zebra-room", "UserIds": ["zebra-alice"] })
        };
        let mut replies = Vec::new();
        for call in [call.clone(), call.replace("zebra-room", "other-room")] {
            let mut about = about(&call);
            let known: Vec<&str> = action.params.iter().map(|param| param.name).collect();
            about.as_object_mut().expect("an object").retain(|name, _| known.contains(&name.as_str()));
            let body = about.to_string();
            let headers = signed(host, FOREIGN, action.name, &body);
            let reply = raw(host, "POST", "/", &headers, &body).await;
            tells_nothing(&reply, &body, action.name);
            let (_, json) = reply.split_once("\r\n\r\n").expect("a body");
            let mut json: serde_json::Value = serde_json::from_str(json).expect("JSON");
            json["Response"]["RequestId"].take();
            replies.push(json.to_string().replace(&call, "CALL"));
        }
        assert_eq!(replies[0], replies[1], "{}", action.name);
    }
    served.stop();
}

/// What a delivery is told is the same whatever the application has set, apart from whether it is here at all, which the
/// statuses tell, since senders need it.
#[tokio::test]
async fn a_refused_delivery_does_not_tell_how_an_application_is_set_up() {
    let dir = temporary();
    let app = |id: u64, rest: &str| format!("[[account.app]]\nsdk_app_id = {id}\n{rest}");
    let apps = app(
        1,
        "trtc_callback_key = \"k\"\ningest_token = \"t\"\njanus = { user = \"u\", password = \"p\" }\n",
    ) + &app(2, "janus = { user = \"\", password = \"\" }\n");
    write(dir.path(), "s.toml", &format!("trusted_proxies = [\"127.0.0.1\"]\n[[account]]\n{apps}"));
    let served = serve(dir.path());
    let token = |app: u64| {
        // A token as a back end makes it, signed with another secret.
        let secret = Secret::new("another");
        rollbook::ingest::client_token(
            rollbook::records::AppId(app),
            &secret,
            ("r", "u"),
            rollbook::records::Millis::from_secs(NOW_S),
            60,
        )
        .expect("made")
    };
    let requests = |app: u64| {
        let path = format!("/ingest/janus/{app}");
        let number = format!("SdkAppId: {app}");
        vec![
            ("/ingest/trtc".to_owned(), vec![number.clone()]),
            ("/ingest/trtc".to_owned(), vec![number, "Sign: AAAA".to_owned()]),
            (path.clone(), Vec::new()),
            (path, vec!["Authorization: Basic dTp3cm9uZw==".to_owned()]),
            ("/ingest/stats".to_owned(), vec![format!("Authorization: Bearer {}", token(app))]),
            ("/ingest/attributes".to_owned(), vec![format!("Authorization: Bearer {}", token(app))]),
        ]
    };
    for (one, two) in requests(1).into_iter().zip(requests(2)) {
        let mut told = Vec::new();
        for (path, mut headers) in [one, two] {
            headers.push(STRANGER.to_owned());
            let reply = raw(served.host(), "POST", &path, &headers, "{}").await;
            assert_eq!(status(&reply), 401, "{path} {headers:?}: {reply}");
            told.push(reply.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned());
        }
        assert_eq!(told[0], told[1]);
    }
    // Nor does a client's token tell whether its application is here.
    let headers = [format!("Authorization: Bearer {}", token(9)), STRANGER.to_owned()];
    let reply = raw(served.host(), "POST", "/ingest/stats", &headers, "{}").await;
    assert!(status(&reply) == 401 && reply.contains("signature does not match"), "{reply}");
    served.stop();
}
