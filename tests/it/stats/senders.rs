//! Who may send, and what about: tokens of applications and of clients, in the header and in the body.

use rollbook::ingest::{client_token, jwt};

use super::*;
use crate::server::{BEARER, Served, check, post, settings, temporary};

const SECRET: &str = "ingest-token";
const OTHER_APP: AppId = AppId(1_400_000_200);

fn ingest() -> Ingest {
    let app = |id: AppId, token: Option<&str>| App { ingest_token: token.map(Secret::new), ..App::new(id) };
    let apps = vec![app(APP_ID, Some(SECRET)), app(OTHER_APP, Some("of the other")), app(AppId(3), None)];
    Ingest::new(Apps::new(apps, ClientIpPolicy::Keep))
}

/// Sends a body as the server would take it: its outcome.
fn send(
    path: &str,
    headers: &[(&str, &str)],
    query: &[(&str, &str)],
    body: &str,
) -> Result<Parsed, Rejected> {
    let (endpoint, _) = Endpoint::at(path).expect("a source");
    let length = body.len().to_string();
    let header = |name: &str| match name {
        "content-length" => Some(length.as_str()),
        name => headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value),
    };
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let query: Vec<(String, String)> = query.iter().map(pair).collect();
    let head = Head {
        tail: None,
        query: &query,
        header: &header,
        is_local: false,
        received: RECEIVED,
        verify: true,
    };
    let ingest = ingest();
    (endpoint.admit)(&ingest, &head)?;
    (endpoint.take)(&ingest, &head, body.as_bytes())
}

fn token() -> String {
    client_token(APP_ID, &Secret::new(SECRET), (ROOM, USER), RECEIVED, 3_600).expect("made")
}

fn claims() -> Value {
    let now_s = RECEIVED.secs();
    json!({ "app": APP_ID.0, "room": ROOM, "user": USER, "iat": now_s, "exp": now_s + 3_600 })
}

/// A token with some claims replaced; `null` leaves one out.
fn token_with(more: Value) -> String {
    let mut claims = claims();
    for (key, value) in more.as_object().expect("an object") {
        claims[key] = value.clone();
    }
    claims.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    jwt::mint(&claims, &Secret::new(SECRET)).expect("made")
}

fn objects() -> Value {
    json!([{ "type": "outbound-rtp", "kind": "audio", "bytesSent": 9 }])
}

/// The rooms and users of what was taken.
fn about(parsed: &Parsed) -> Vec<(&str, &str)> {
    let of_series =
        parsed.samples.iter().map(|series| (series.flow.room.as_str(), series.flow.user.as_str()));
    of_series.chain(parsed.events.iter().map(|event| (event.room.as_str(), event.user.as_str()))).collect()
}

#[test]
fn a_token_is_taken_in_the_header_and_in_the_body() {
    let bearer = format!("Bearer {}", token());
    let header = [("authorization", bearer.as_str())];
    let with_token = |more: Value| {
        let mut more = more;
        more["token"] = json!(token());
        body_with(0, &objects(), more)
    };
    let good = |outcome: Result<Parsed, Rejected>| {
        let parsed = outcome.expect("taken");
        assert_eq!(parsed.refused, []);
        assert_eq!(about(&parsed), [(ROOM, USER)]);
    };
    let nameless = json!({ "room": null, "user": "" });
    good(send("/ingest/stats", &header, &[], &body(0, &objects())));
    good(send("/ingest/stats", &header, &[], &body_with(0, &objects(), nameless.clone())));
    good(send("/ingest/stats", &header, &[], &body_with(0, &objects(), json!({ "app": APP_ID.0 }))));
    good(send("/ingest/stats", &[], &[], &with_token(json!({}))));
    good(send("/ingest/stats", &[], &[], &with_token(nameless)));
    good(send(
        "/ingest/stats",
        &[("authorization", BEARER.trim_start_matches("Authorization: "))],
        &[],
        &body(0, &objects()),
    ));
    good(send("/ingest/stats", &[], &[], &body_with(0, &objects(), json!({ "token": SECRET }))));
    good(send("/ingest/attributes", &header, &[], &json!({ "os": "x" }).to_string()));
    good(send(
        "/ingest/attributes",
        &header,
        &[],
        &json!({ "room": ROOM, "user": USER, "os": "x" }).to_string(),
    ));
    let dump = format!(
        "RTCStatsDump\n[\"getStats\",\"PC\",{{\"o\":{{\"type\":\"outbound-rtp\",\"kind\":\"audio\",\"bytesSent\":1}}}},{T_MS}]"
    );
    good(send("/ingest/stats", &header, &[], &dump));
    let query = [("room", ROOM), ("user", USER), ("peer", PEER)];
    good(send("/ingest/stats", &header, &query, &dump));
    good(send("/ingest/stats", &[("authorization", "Bearer ingest-token")], &query, &dump));
    // A number names the same room as its digits.
    let numeric = token_with(json!({ "room": 204 }));
    let parsed = send(
        "/ingest/stats",
        &[],
        &[],
        &body_with(0, &objects(), json!({ "room": "204", "token": numeric })),
    );
    assert_eq!(about(&parsed.expect("taken")), [("204", USER)]);
}

#[test]
fn a_client_speaks_of_nobody_else() {
    let bearer = format!("Bearer {}", token());
    let check = |path: &str, query: &[(&str, &str)], body: &str, what: &'static str| {
        let outcome = send(path, &[("authorization", &bearer)], query, body);
        assert_eq!(outcome, Err(Rejected::NotGranted(what)), "{body}");
        assert_eq!(Rejected::NotGranted(what).status(), 403);
    };
    let with = |more: Value| body_with(0, &objects(), more);
    check("/ingest/stats", &[], &with(json!({ "user": "mallory" })), "user");
    check("/ingest/stats", &[], &with(json!({ "room": "another" })), "room");
    check("/ingest/stats", &[], &with(json!({ "room": 7 })), "room");
    check("/ingest/stats", &[], &with(json!({ "room": ["a"] })), "room");
    check("/ingest/stats", &[], &with(json!({ "app": OTHER_APP.0 })), "app");
    check("/ingest/stats", &[], &with(json!({ "user": null, "meta": { "user": "mallory" } })), "user");
    let lines = format!("{}\nnonsense\n{}", with(json!({})), with(json!({ "user": "mallory" })));
    check("/ingest/stats", &[], &lines, "user");
    check("/ingest/stats", &[("user", "mallory")], "RTCStatsDump\n", "user");
    check("/ingest/stats", &[("room", "another")], &with(json!({})), "room");
    check("/ingest/attributes", &[], r#"{"user":"mallory","os":"x"}"#, "user");
    check("/ingest/attributes", &[], "{\"os\":\"x\"}\n{\"room\":\"another\",\"os\":\"x\"}", "room");
    check("/ingest/attributes", &[], r#"{"app":5,"os":"x"}"#, "app");
    // What cannot be told apart is refused where it is read.
    let twice = format!(r#"{{"room":"{ROOM}","room":"another","os":"x"}}"#);
    let parsed = send("/ingest/attributes", &[("authorization", &bearer)], &[], &twice).expect("read");
    assert_eq!((parsed.events.len(), parsed.refused_count), (0, 1));
}

#[test]
fn a_token_that_is_not_good_is_refused() {
    let check = |token: &str, expected: &Rejected| {
        for path in ["/ingest/stats", "/ingest/attributes"] {
            let outcome = send(path, &[("authorization", &format!("Bearer {token}"))], &[], "{}");
            assert_eq!(outcome.as_ref(), Err(expected), "{path} {token}");
            assert_eq!(expected.status(), 401);
        }
        let outcome = send("/ingest/stats", &[], &[], &body_with(0, &objects(), json!({ "token": token })));
        assert_eq!(outcome.as_ref(), Err(expected), "in the body: {token}");
    };
    let now_s = RECEIVED.secs();
    let signed = |secret: &str, claims: &Value| jwt::mint(claims, &Secret::new(secret)).expect("made");
    let (head, rest) =
        token().split_once('.').map(|(head, rest)| (head.to_owned(), rest.to_owned())).expect("dots");
    check("nobody's", &Rejected::BadToken);
    check(&signed("another", &claims()), &Rejected::BadTokenSignature);
    check(&signed("of the other", &claims()), &Rejected::BadTokenSignature);
    check(&token_with(json!({ "app": OTHER_APP.0 })), &Rejected::BadTokenSignature);
    check(&token_with(json!({ "app": 3 })), &Rejected::BadTokenSignature);
    check(&token_with(json!({ "app": 4 })), &Rejected::BadTokenSignature);
    check(&token_with(json!({ "exp": now_s - 61 })), &Rejected::ExpiredToken);
    check(&token_with(json!({ "nbf": now_s + 61 })), &Rejected::EarlyToken);
    check(&token_with(json!({ "iat": now_s + 61 })), &Rejected::EarlyToken);
    check(&token_with(json!({ "exp": now_s + 7 * 86_400 + 1 })), &Rejected::LongToken);
    let strange = Rejected::UnreadableToken("its claims are not those of this kind of token");
    for name in ["exp", "iat", "app", "room", "user"] {
        check(&token_with(json!({ name: null })), &strange);
    }
    check(
        &token_with(json!({ "room": "" })),
        &Rejected::UnreadableToken("its room or its user is missing or no text"),
    );
    check(
        &token_with(json!({ "user": [1] })),
        &Rejected::UnreadableToken("its room or its user is missing or no text"),
    );
    check("eyJhbGciOiJub25lIn0.e30.", &strange);
    let none = format!("eyJhbGciOiJub25lIn0.{}", rest.split_once('.').expect("dots").0);
    check(&format!("{none}."), &Rejected::BadAlgorithm);
    check(&format!("{head}.{rest}A"), &Rejected::BadTokenSignature);
    // The longest that is good, and the last moment.
    for more in [json!({ "exp": now_s + 7 * 86_400 }), json!({ "exp": now_s - 60, "iat": now_s - 70 })] {
        let bearer = format!("Bearer {}", token_with(more));
        send("/ingest/stats", &[("authorization", &bearer)], &[], &body(0, &objects())).expect("taken");
    }
}

#[test]
fn the_token_of_a_client_is_good_for_nothing_else() {
    let bearer = format!("Bearer {}", token());
    let line = format!(r#"{{"kind":"joined","room":"{ROOM}","user":"{USER}","at_ms":{T_MS}}}"#);
    assert_eq!(send("/ingest/events", &[("authorization", &bearer)], &[], &line), Err(Rejected::BadToken));
}

#[test]
fn without_a_token_in_the_header_a_body_is_small_and_plain() {
    let missing = |headers: &[(&str, &str)], body: &str| {
        assert_eq!(send("/ingest/stats", headers, &[], body), Err(Rejected::MissingToken), "{}", body.len());
    };
    missing(&[], &body(0, &objects()));
    missing(&[], "nonsense");
    missing(&[], "");
    missing(&[], "RTCStatsDump\n");
    missing(&[("authorization", "Basic eDp5")], &body_with(0, &objects(), json!({ "token": token() })));
    missing(&[("content-encoding", "gzip")], &body_with(0, &objects(), json!({ "token": token() })));
    let large = body_with(0, &objects(), json!({ "token": token(), "x": "x".repeat(65_536) }));
    missing(&[], &large);
    assert_eq!(
        send("/ingest/attributes", &[], &[], &json!({ "os": "x", "token": token() }).to_string()),
        Err(Rejected::MissingToken)
    );
}

#[test]
fn a_client_sends_no_large_bodies() {
    let bearer = format!("Bearer {}", token());
    let large = body_with(0, &objects(), json!({ "x": "x".repeat(1_048_576) }));
    for path in ["/ingest/stats", "/ingest/attributes"] {
        let outcome = send(path, &[("authorization", &bearer)], &[], &large);
        assert_eq!(outcome, Err(Rejected::TooLarge { limit_bytes: 1_048_576 }));
    }
    send("/ingest/stats", &[("authorization", "Bearer ingest-token")], &[], &large).expect("taken");
}

/// Settings with one application.
fn serve(dir: &std::path::Path) -> Served {
    let apps = format!("[[account.app]]\nsdk_app_id = {}\ningest_token = \"{SECRET}\"\n", APP_ID.0);
    std::fs::write(dir.join("rollbook.toml"), settings(&apps)).expect("written");
    Served::start(dir, &["serve", "--memory", "--listen", "127.0.0.1:0", "--config", "rollbook.toml"])
}

#[tokio::test]
async fn pages_of_any_origin_may_send_statistics_and_attributes_and_nothing_else() {
    let dir = temporary();
    let served = serve(dir.path());
    let origin = "Origin: https://meet.example.org";
    let token = check(
        dir.path(),
        &[
            "keys",
            "client-token",
            "--app",
            "1400000123",
            "--room",
            ROOM,
            "--user",
            USER,
            "--config",
            "rollbook.toml",
        ],
        0,
        "",
    );
    let bearer = format!("Authorization: Bearer {}", token.trim());
    for (path, open) in [
        ("/ingest/stats", true),
        ("/ingest/attributes", true),
        ("/ingest/events", false),
        ("/ingest/trtc", false),
        ("/", false),
        ("/healthz", false),
        ("/metrics", false),
        ("/nothing", false),
    ] {
        let preflight = format!(
            "OPTIONS {path} HTTP/1.1\r\nHost: x\r\n{origin}\r\nAccess-Control-Request-Method: POST\r\n\
             Access-Control-Request-Headers: authorization,content-type\r\nContent-Length: 0\r\n\r\n"
        );
        let reply = served.send(preflight.as_bytes()).await;
        let told = ["origin", "methods", "headers"]
            .map(|what| reply.header(&format!("access-control-allow-{what}")));
        let expected = [Some("*"), Some("POST"), Some("Authorization, Content-Type, Content-Encoding")];
        assert_eq!(told, if open { expected } else { [None; 3] }, "{path}");
        assert_eq!(reply.status == 200, open || path == "/", "{path}: {reply:?}");
        let reply = served.send(&post(path, &[origin, "Authorization: Bearer wrong"], b"{}")).await;
        assert_eq!(reply.header("access-control-allow-origin"), open.then_some("*"), "{path}: {reply:?}");
    }
    // The server's clock is the machine's, since the token was made by it.
    let now = rollbook::clock::Clock::system().now().0;
    let plain =
        body_with(0, &objects(), json!({ "token": token.trim(), "room": null, "user": null, "ts": now }));
    let reply =
        served.send(&post("/ingest/stats", &[origin, "Content-Type: text/plain"], plain.as_bytes())).await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, Some("*")));
    assert_eq!(reply.json(), json!({ "new": 0, "duplicate": 0, "samples": 2, "refused": 0, "lines": [] }));
    let packed = crate::server::gzip(body_with(2, &objects(), json!({ "ts": now })).as_bytes());
    let reply = served.send(&post("/ingest/stats", &[&bearer, "Content-Encoding: gzip"], &packed)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let facts = format!(r#"{{"at_ms":{now},"sdk_version":"9"}}"#);
    let reply = served.send(&post("/ingest/attributes", &[&bearer], facts.as_bytes())).await;
    assert_eq!(reply.json()["new"], 1, "{reply:?}");
    let other = body_with(4, &objects(), json!({ "user": "mallory" }));
    let reply = served.send(&post("/ingest/stats", &[&bearer], other.as_bytes())).await;
    assert_eq!(reply.status, 403, "{reply:?}");
    let dump = format!(
        "RTCStatsDump\n[\"getStats\",\"PC\",{{\"o\":{{\"type\":\"outbound-rtp\",\"kind\":\"audio\",\"bytesSent\":1}}}},{T_MS}]"
    );
    let path = "/ingest/stats?room=a%20room&user=%E6%9D%8E";
    let reply = served.send(&post(path, &["Authorization: Bearer ingest-token"], dump.as_bytes())).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let reply = served.send(&post(path, &[&bearer], dump.as_bytes())).await;
    assert_eq!(reply.status, 403, "{reply:?}");
    let reply = served.send(&post("/ingest/stats", &[&bearer], b"{\"ts\":1}")).await;
    assert_eq!(reply.status, 400, "{reply:?}");
}

#[test]
fn the_command_makes_tokens_for_applications_that_can_have_them() {
    let dir = temporary();
    let apps = "[[account.app]]\nsdk_app_id = 1400000123\ningest_token = \"ingest-token\"\n[[account.app]]\nsdk_app_id = 5\n";
    std::fs::write(dir.path().join("rollbook.toml"), settings(apps)).expect("written");
    let make = |app: &str, more: &[&str], code: i32, part: &str| {
        let arguments = [
            "keys",
            "client-token",
            "--config",
            "rollbook.toml",
            "--room",
            ROOM,
            "--user",
            USER,
            "--app",
            app,
        ];
        check(dir.path(), &[&arguments, more].concat(), code, part)
    };
    let token = make("1400000123", &["--ttl", "60"], 0, "");
    let token = jwt::Token::parse(token.trim()).expect("a token");
    let said: Value = token.claims().expect("claims");
    assert_eq!(
        (&said["app"], &said["room"], &said["user"]),
        (&json!(1_400_000_123), &json!(ROOM), &json!(USER))
    );
    let iat = said["iat"].as_i64().expect("a time");
    assert_eq!(said["exp"], json!(iat + 60));
    token.verify(&Secret::new(SECRET), Millis::from_secs(iat)).expect("good");
    make("7", &[], 1, "application 7 is not in the settings");
    make("5", &[], 1, "application 5 has no ingest_token");
    make("1400000123", &["--ttl", "0"], 2, "--ttl");
    make("1400000123", &["--ttl", "604801"], 2, "--ttl");
    make("1400000123", &["--ttl", "604800"], 0, "");
    check(dir.path(), &["keys", "client-token", "--app", "5"], 2, "--room <ROOM>");
    let long = "r".repeat(513);
    check(
        dir.path(),
        &[
            "keys",
            "client-token",
            "--config",
            "rollbook.toml",
            "--app",
            "1400000123",
            "--room",
            &long,
            "--user",
            "u",
        ],
        1,
        "room: 513 bytes long",
    );
}

#[test]
fn what_the_first_look_cannot_read_is_not_taken_for_another_user() {
    let bearer = format!("Bearer {}", token());
    let deep = format!("{}0{}", "[".repeat(200), "]".repeat(200));
    for odd in ["1e999", &deep] {
        let reports = objects();
        for body in [
            format!(
                r#"{{"meta":{{"room":"board","user":"ceo","x":{odd}}},"attributes":{{"device":"forged"}},"ts":{T_MS},"reports":{reports}}}"#
            ),
            format!(
                r#"{{"room":"board","user":"ceo","meta":{{"x":{odd}}},"ts":{T_MS},"reports":{reports}}}"#
            ),
        ] {
            let outcome = send("/ingest/stats", &[("authorization", &bearer)], &[], &body);
            let taken = outcome.as_ref().map(about).unwrap_or_default();
            assert!(taken.iter().all(|of| *of == (ROOM, USER)), "{body}: {outcome:?}");
            assert_eq!(outcome, Err(Rejected::NotGranted("room")), "{body}");
        }
    }
}

#[test]
fn a_client_tells_of_about_now_and_not_of_its_address() {
    let bearer = format!("Bearer {}", token());
    let send = |path: &str, body: &str| send(path, &[("authorization", &bearer)], &[], body);
    let day_ms = 86_400_000;
    for (ms, is_taken) in
        [(0, true), (day_ms, true), (day_ms + 1, false), (-day_ms, true), (-day_ms - 1, false)]
    {
        let at = RECEIVED.0 + ms;
        let reports = objects();
        let outcome = send("/ingest/stats", &format!(r#"{{"ts":{at},"reports":{reports}}}"#));
        assert_eq!(outcome.is_ok(), is_taken, "{ms}: {outcome:?}");
        let outcome = send("/ingest/attributes", &json!({ "os": "x", "at_ms": at }).to_string());
        assert_eq!(outcome.is_ok(), is_taken, "{ms}: {outcome:?}");
    }
    let outcome = send("/ingest/attributes", &json!({ "os": "x", "client_ip": "192.0.2.1" }).to_string());
    assert_eq!(outcome.map_err(|rejected| rejected.status()), Err(400));
    let many: Vec<Value> =
        (0..1_001).map(|n| json!({ "ts": RECEIVED.0, "pc": n.to_string(), "reports": objects() })).collect();
    let lines: Vec<String> =
        many.chunks(500).map(|samples| json!({ "samples": samples }).to_string()).collect();
    let outcome = send("/ingest/stats", &lines.join("\n"));
    assert_eq!(outcome.map_err(|rejected| rejected.status()), Err(400));
}
