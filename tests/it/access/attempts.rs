//! How often one address may fail.

use serde_json::json;

use super::{NOW_S, raw, serve, signed, status, write};
use crate::server::{APP, SECRET_ID, SECRET_KEY, Served, callback_sign, settings, temporary};

const LIMIT: usize = 5;
const BODY: &str = "{}";

fn here(dir: &std::path::Path, more: &str) -> Served {
    let apps = format!(
        "[[account.key]]\nsecret_id = \"AKIDother\"\nsecret_key = \"other\"\n[[account.app]]\nsdk_app_id = {APP}\n\
         trtc_callback_key = \"cb\"\ningest_token = \"right\"\njanus = {{ user = \"u\", password = \"p\" }}\n"
    );
    let limit = format!("[limits]\nfailed_attempts_per_minute = {LIMIT}\n");
    let text = settings(&apps).replace("[limits]\n", &limit);
    write(dir, "s.toml", &format!("trusted_proxies = [\"127.0.0.1\"]\nmetrics_token = \"mt\"\n{text}{more}"));
    serve(dir)
}

fn address(last: u8) -> String {
    format!("X-Forwarded-For: 198.51.100.{last}")
}

/// Asks a question from an address; the code of the error, or nothing.
async fn reply(served: &Served, from: &str, key: (&str, &str)) -> String {
    let body = json!({ "SdkAppId": APP, "StartTime": NOW_S - 60, "EndTime": NOW_S }).to_string();
    let mut headers = signed(served.host(), key, "DescribeRoomInfo", &body);
    headers.push(from.to_owned());
    raw(served.host(), "POST", "/", &headers, &body).await
}

async fn ask(served: &Served, from: &str, key: (&str, &str)) -> String {
    let reply = reply(served, from, key).await;
    reply.split("\"Code\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
}

async fn post(served: &Served, from: &str, path: &str, headers: &[&str]) -> String {
    let headers: Vec<String> =
        headers.iter().map(|header| (*header).to_owned()).chain([from.to_owned()]).collect();
    raw(served.host(), "POST", path, &headers, BODY).await
}

const OWNER: (&str, &str) = (SECRET_ID, SECRET_KEY);
const OTHER: (&str, &str) = ("AKIDother", "other");

#[tokio::test]
async fn who_guesses_is_not_listened_to_and_who_was_in_before_is() {
    let dir = temporary();
    let served = here(dir.path(), "");
    let office = address(1);
    assert_eq!(ask(&served, &office, OWNER).await, "");
    for _ in 0..LIMIT {
        assert_eq!(ask(&served, &office, (SECRET_ID, "guess")).await, "AuthFailure.SignatureFailure");
    }
    // From now on nothing is learned any more: neither by names that are there nor by others.
    for id in ["AKIDnobody", "AKIDother"] {
        assert_eq!(
            ask(&served, &office, (id, "guess")).await,
            "RequestLimitExceeded.IPLimitExceeded",
            "{id}"
        );
    }
    assert_eq!(
        ask(&served, &office, OTHER).await,
        "RequestLimitExceeded.IPLimitExceeded",
        "it was not there before"
    );
    let refused = reply(&served, &office, OTHER).await;
    assert!(refused.contains("Please try again in a minute."), "it says what to do: {refused}");
    assert_eq!(ask(&served, &office, OWNER).await, "", "who was in before is not kept out by a neighbour");
    assert_eq!(ask(&served, &address(2), OTHER).await, "", "another address is another's");
    let log = served.stop();
    assert!(!log.contains("198.51.100"), "addresses are not logged: {log}");
}

#[tokio::test]
async fn every_door_counts() {
    let dir = temporary();
    let served = here(dir.path(), "");
    let wrong = callback_sign("wrong", BODY);
    let (number, sign) = (format!("SdkAppId: {APP}"), format!("Sign: {wrong}"));
    let janus = format!("/ingest/janus/{APP}");
    let doors: [(&str, Vec<&str>); 6] = [
        ("/ingest/events", vec!["Authorization: Bearer wrong"]),
        ("/ingest/attributes", vec!["Authorization: Bearer e30.e30.AAAA"]),
        ("/ingest/trtc", vec![&number, &sign]),
        ("/ingest/livekit", vec!["Authorization: e30.eyJpc3MiOiJ4In0.AAAA"]),
        (&janus, vec!["Authorization: Basic dTp3cm9uZw=="]),
        ("/ingest/janus/9", vec!["Authorization: Basic dTp3cm9uZw=="]),
    ];
    for (number, (path, headers)) in (10..).zip(&doors) {
        let from = address(number);
        for nth in 0..LIMIT {
            let reply = post(&served, &from, path, headers).await;
            assert!(matches!(status(&reply), 401 | 404), "{path} {nth}: {reply}");
        }
        let reply = post(&served, &from, path, headers).await;
        assert!(status(&reply) == 429 && reply.contains("retry-after: 60"), "{path}: {reply}");
        assert_eq!(ask(&served, &from, OWNER).await, "RequestLimitExceeded.IPLimitExceeded", "{path}");
        let reply = post(&served, &from, "/ingest/events", &["Authorization: Bearer right"]).await;
        assert_eq!(status(&reply), 429, "{path}: a token that was not there before: {reply}");
    }
    // Who shows nothing guesses nothing.
    for _ in 0..3 * LIMIT {
        assert_eq!(status(&post(&served, &address(30), "/ingest/events", &[]).await), 401);
    }
    assert_eq!(ask(&served, &address(30), OWNER).await, "");
    let metrics = raw(served.host(), "GET", "/metrics", &[], "").await;
    assert!(metrics.contains("rollbook_events_refused_total{reason=\"too_many_failures\"} "), "{metrics}");
    served.stop();
}

#[tokio::test]
async fn passwords_and_the_metrics_count_too() {
    let dir = temporary();
    let line = rollbook::web::hash_password("account 1", b"correct horse", &[3; 16]).expect("hashed");
    write(dir.path(), "pw", &line);
    let served = here(dir.path(), "[ui]\npassword_file = \"pw\"\n");
    let origin = format!("Origin: http://{}", served.host());
    let sign_in = async |from: &str, password: &str| {
        let headers = [origin.clone(), from.to_owned()];
        status(
            &raw(
                served.host(),
                "POST",
                "/ui/login",
                &headers,
                &format!("account=account+1&password={password}"),
            )
            .await,
        )
    };
    for _ in 0..LIMIT {
        assert_eq!(sign_in(&address(1), "wrong").await, 401);
    }
    assert_eq!(sign_in(&address(1), "correct+horse").await, 429);
    assert_eq!(ask(&served, &address(1), OWNER).await, "RequestLimitExceeded.IPLimitExceeded");
    assert_eq!(sign_in(&address(2), "correct+horse").await, 303, "another address is another's");

    let read = async |headers: &[&str]| {
        let headers: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
        status(&raw(served.host(), "GET", "/metrics", &headers, "").await)
    };
    let from = address(3);
    assert_eq!(read(&[]).await, 200, "this machine");
    assert_eq!(read(&[&from]).await, 401);
    assert_eq!(read(&[&from, "Authorization: Bearer mt"]).await, 200);
    assert_eq!(read(&["Authorization: Bearer wrong"]).await, 401, "a wrong token is wrong here, too");
    for _ in 0..LIMIT {
        assert_eq!(read(&[&from, "Authorization: Bearer wrong"]).await, 401);
    }
    assert_eq!(read(&[&from, "Authorization: Bearer other"]).await, 429);
    assert_eq!(read(&[&from, "Authorization: Bearer mt"]).await, 200, "it was there before");
    served.stop();
}

#[tokio::test]
async fn this_machine_is_not_limited_and_an_unknown_proxy_is_one_address() {
    let dir = temporary();
    let served = here(dir.path(), "");
    for _ in 0..3 * LIMIT {
        assert_eq!(ask(&served, "X-Test: 1", (SECRET_ID, "guess")).await, "AuthFailure.SignatureFailure");
    }
    assert_eq!(ask(&served, "X-Test: 1", OTHER).await, "");
    // A header that is not the trusted proxy's word on addresses makes it that proxy's own.
    for _ in 0..LIMIT {
        assert_eq!(ask(&served, "Via: 1.1 x", (SECRET_ID, "guess")).await, "AuthFailure.SignatureFailure");
    }
    assert_eq!(ask(&served, "Via: 1.1 x", OWNER).await, "RequestLimitExceeded.IPLimitExceeded");
    served.stop();
}
