//! New settings for a server that runs.

use serde_json::json;

use super::{NOW_S, raw, serve, signed, status, write};
use crate::server::{APP, Served, temporary};

fn settings(keys: &str, more: &str) -> String {
    format!(
        "[limits]\nrequests_per_second = 0\n{more}\n[[account]]\nname = \"main\"\n{keys}\n[[account.app]]\nsdk_app_id = {APP}\ningest_token = \"token\"\n"
    )
}

fn key(id: &str, more: &str) -> String {
    format!("[[account.key]]\nsecret_id = \"{id}\"\nsecret_key = \"secret of {id}\"\n{more}\n")
}

/// Asks a question with a key; the code of the error, or nothing.
async fn ask(served: &Served, id: &str) -> String {
    let body = json!({ "SdkAppId": APP, "StartTime": NOW_S - 60, "EndTime": NOW_S }).to_string();
    let headers = signed(served.host(), (id, &format!("secret of {id}")), "DescribeRoomInfo", &body);
    let reply = raw(served.host(), "POST", "/", &headers, &body).await;
    reply.split("\"Code\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
}

const UNKNOWN: &str = "AuthFailure.SecretIdNotFound";

#[tokio::test]
async fn keys_come_go_and_end_while_the_server_runs() {
    let dir = temporary();
    let put = |text: &str| write(dir.path(), "s.toml", text);
    put(&settings(&key("one", ""), ""));
    let mut served = serve(dir.path());
    assert_eq!((ask(&served, "one").await, ask(&served, "two").await), (String::new(), UNKNOWN.to_owned()));

    put(&settings(&[key("two", ""), key("one", "")].concat(), ""));
    assert_eq!(ask(&served, "two").await, UNKNOWN, "nothing changes by itself");
    let said = served.reload();
    assert!(said.contains("\"keys\":2"), "{said}");
    assert_eq!((ask(&served, "one").await, ask(&served, "two").await), (String::new(), String::new()));

    // Their places in the settings are the other way round now: what was derived from one is not the other's.
    put(&settings(&[key("one", "enabled = false"), key("two", "")].concat(), ""));
    assert!(served.reload().contains("\"keys\":1"));
    assert_eq!((ask(&served, "one").await, ask(&served, "two").await), (UNKNOWN.to_owned(), String::new()));

    put(&settings(
        &[key("one", &format!("expires_at = {}", NOW_S - 1)), key("two", &format!("expires_at = {NOW_S}"))]
            .concat(),
        "",
    ));
    served.reload();
    assert_eq!((ask(&served, "one").await, ask(&served, "two").await), (UNKNOWN.to_owned(), String::new()));
    served.stop();
}

#[tokio::test]
async fn settings_that_are_wrong_change_nothing() {
    let dir = temporary();
    let put = |text: &str| write(dir.path(), "s.toml", text);
    put(&settings(&key("one", ""), ""));
    let mut served = serve(dir.path());
    for (text, part) in [
        ("[[account".to_owned(), "s.toml:1: "),
        (settings(&key("two", "secret = 1"), ""), "unknown setting `account.key.secret`"),
        (settings(&[key("two", ""), key("two", "")].concat(), ""), "is the same as at"),
        (settings(&key("two", ""), "[ui]\npassword_file = \"none\""), "cannot read the passwords"),
    ] {
        put(&text);
        let said = served.reload();
        assert!(
            said.contains("ERROR") && said.contains("the old ones stay in force") && said.contains(part),
            "{said}"
        );
        assert_eq!(
            (ask(&served, "one").await, ask(&served, "two").await),
            (String::new(), UNKNOWN.to_owned())
        );
    }
    std::fs::remove_file(dir.path().join("s.toml")).expect("there");
    assert!(served.reload().contains("cannot read the settings s.toml"));

    // What needs a restart is told; the rest holds.
    put(&format!("retention_days = 3\n{}", settings(&key("two", ""), "[ui]\nenabled = false")));
    let said = served.reload();
    assert!(said.contains("the new settings hold"), "{said}");
    assert!(served.said.contains("\"setting\":\"ui.enabled\""), "{}", served.said);
    assert_eq!((ask(&served, "one").await, ask(&served, "two").await), (UNKNOWN.to_owned(), String::new()));
    let home = raw(served.host(), "GET", "/ui/live", &["Accept: text/html".to_owned()], "").await;
    assert_eq!(status(&home), 200, "the pages are still there");
    served.stop();
}

#[tokio::test]
async fn tokens_passwords_and_what_applications_there_are_change_too() {
    let dir = temporary();
    let put = |text: &str| write(dir.path(), "s.toml", text);
    let line = |account: &str, password: &[u8], salt| {
        rollbook::web::hash_password(account, password, &[salt; 16]).expect("hashed") + "\n"
    };
    let pages = "[ui]\npassword_file = \"pw\"";
    let other =
        "[[account]]\nname = \"other\"\n[[account.app]]\nsdk_app_id = 7\ningest_token = \"new token\"\n";
    put(&(settings(&key("one", ""), pages) + "[[account]]\nname = \"other\"\n"));
    write(dir.path(), "pw", &(line("main", b"correct horse", 1) + &line("other", b"correct horse", 2)));
    let mut served = serve(dir.path());
    let host = served.host().to_owned();
    let sign_in = async |account: &str, password: &str| {
        let headers = [format!("Origin: http://{host}")];
        let reply =
            raw(&host, "POST", "/ui/login", &headers, &format!("account={account}&password={password}"))
                .await;
        reply
            .split("set-cookie: ")
            .nth(1)
            .map(|rest| format!("Cookie: {}", rest.split(';').next().unwrap_or_default()))
    };
    let post = async |token: &str| {
        let line = json!({ "kind": "joined", "room": "r", "user": "u", "at_s": NOW_S }).to_string();
        status(
            &raw(&host, "POST", "/ingest/events", &[format!("Authorization: Bearer {token}")], &line).await,
        )
    };
    let see = async |cookie: &str| status(&raw(&host, "GET", "/ui/live", &[cookie.to_owned()], "").await);
    let main = sign_in("main", "correct+horse").await.expect("a session");
    let theirs = sign_in("other", "correct+horse").await.expect("a session");
    assert_eq!((post("token").await, post("new token").await), (200, 401));

    let text = settings(&key("one", ""), pages).replace("ingest_token = \"token\"\n", "");
    put(&(text + other));
    write(dir.path(), "pw", &(line("main", b"correct horse", 1) + &line("other", b"another horse", 3)));
    assert!(served.reload().contains("the new settings hold"));
    assert_eq!((post("token").await, post("new token").await), (401, 200));
    assert_eq!(
        (see(&main).await, see(&theirs).await),
        (200, 401),
        "a session ends with its password, others go on"
    );
    assert!(sign_in("other", "correct+horse").await.is_none());
    assert!(sign_in("other", "another+horse").await.is_some());
    served.stop();
}
