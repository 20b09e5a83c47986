//! Signatures and bodies: what a right one may look like, that a changed byte is refused, that no bytes at all
//! make the server panic (contract sections 2 to 5).

use std::fmt::Write;

use proptest::prelude::*;
use rollbook::actions::Policy;
use rollbook::limits;
use rollbook::records::Millis;
use rollbook::wire::sign::{self, Tc3};
use rollbook::wire::{Body, Request};

use crate::canned::{APP, ID, NOW, World, policy};

/// A request that can be changed before it is sent.
#[derive(Debug, Clone)]
struct Sent {
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Sent {
    fn header(&mut self, name: &str, value: &str) {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
    }

    fn without(mut self, name: &str) -> Sent {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    /// The code of the answer, or `""`.
    async fn code(&self, world: &World) -> &'static str {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let request = Request {
            method: &self.method,
            target: &self.target,
            headers: &headers,
            body: Body::Whole(&self.body),
        };
        let reply = world.api.answer(&request, Millis::from_secs(NOW), ID).await;
        assert!(serde_json::from_slice::<serde_json::Value>(&reply.body).is_ok(), "an envelope is JSON");
        reply.code.map_or("", |code| code.wire())
    }
}

/// What a client may vary.
#[derive(Debug, Clone)]
struct Client<'a> {
    method: &'a str,
    /// The header `Host` as it is sent.
    host: &'a str,
    /// The host that is signed.
    signed_host: &'a str,
    service: &'a str,
    content_type: &'a str,
    query: &'a str,
    body: &'a [u8],
    unsigned_payload: bool,
    timestamp_s: i64,
}

const BODY: &str = r#"{"SdkAppId":1400000001,"StartTime":1795377000,"EndTime":1795377600}"#;
const QUERY: &str = "SdkAppId=1400000001&StartTime=1795377000&EndTime=1795377600&RoomId=a+b%7E*%27";

impl Client<'_> {
    fn post() -> Client<'static> {
        Client {
            method: "POST",
            host: "127.0.0.1:9180",
            signed_host: "127.0.0.1:9180",
            service: "trtc",
            content_type: "application/json",
            query: "",
            body: BODY.as_bytes(),
            unsigned_payload: false,
            timestamp_s: NOW,
        }
    }

    fn get() -> Client<'static> {
        let content_type = "application/x-www-form-urlencoded";
        Client { method: "GET", query: QUERY, body: b"", content_type, ..Client::post() }
    }

    fn sent(&self) -> Sent {
        let authorization = sign::tc3(&Tc3 {
            secret_id: "main",
            secret_key: "secret of main",
            service: self.service,
            method: self.method,
            host: self.signed_host,
            content_type: self.content_type,
            query: self.query,
            body: self.body,
            unsigned_payload: self.unsigned_payload,
            timestamp_s: u64::try_from(self.timestamp_s).unwrap(),
        });
        let target = if self.query.is_empty() { "/".into() } else { format!("/?{}", self.query) };
        let mut sent =
            Sent { method: self.method.into(), target, headers: Vec::new(), body: self.body.to_vec() };
        for (name, value) in [
            ("Host", self.host),
            ("Content-Type", self.content_type),
            ("X-TC-Action", "DescribeRoomInfo"),
            ("X-TC-Version", "2019-07-22"),
            ("X-TC-Region", "ap-singapore"),
            ("X-TC-Timestamp", &self.timestamp_s.to_string()),
            ("Authorization", &authorization),
        ] {
            sent.header(name, value);
        }
        if self.unsigned_payload {
            sent.header("X-TC-Content-SHA256", "UNSIGNED-PAYLOAD");
        }
        sent
    }
}

fn world() -> World {
    World::new(policy(), Vec::new())
}

/// A version 1 request, signed with this host.
fn v1(is_sha256: bool, method: &str, signed_host: &str) -> Sent {
    let mut parameters: Vec<(&str, &str)> = [
        ("Action", "DescribeRoomInfo"),
        ("Version", "2019-07-22"),
        ("Region", "ap-singapore"),
        ("Timestamp", "1795377600"),
        ("Nonce", "9223372036854775807"),
        ("SecretId", "main"),
        ("SdkAppId", "1400000001"),
        ("StartTime", "1795377000"),
        ("EndTime", "1795377600"),
        ("RoomId", "a b~*'=&你"),
    ]
    .into();
    if is_sha256 {
        parameters.push(("SignatureMethod", "HmacSHA256"));
    }
    let signature = sign::v1(is_sha256, "secret of main", method, signed_host, &parameters);
    parameters.push(("Signature", &signature));
    let encoded = parameters.iter().fold(String::new(), |mut text, (name, value)| {
        write!(text, "{name}=").unwrap();
        for byte in value.bytes() {
            write!(text, "%{byte:02X}").unwrap();
        }
        text + "&"
    });
    let is_get = method == "GET";
    let mut sent = Sent {
        method: method.into(),
        target: if is_get { format!("/?{encoded}") } else { "/".into() },
        headers: Vec::new(),
        body: if is_get { Vec::new() } else { encoded.into_bytes() },
    };
    sent.header("Host", "127.0.0.1:9180");
    if !is_get {
        sent.header("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
    }
    sent
}

#[tokio::test]
async fn every_host_and_service_that_clients_sign_is_accepted() {
    let public_hosts = vec!["calls.example.com".to_owned()];
    let world = World::new(Policy { public_hosts, ..policy() }, Vec::new());
    let check = async |host, signed_host, service, expected: &str| {
        for client in [Client::post(), Client::get()] {
            let client = Client { host, signed_host, service, ..client };
            assert_eq!(client.sent().code(&world).await, expected, "{client:?}");
        }
    };
    let (foreign, mismatch) = ("AuthFailure.InvalidAuthorization", "AuthFailure.SignatureFailure");
    check("127.0.0.1:9180", "127.0.0.1:9180", "trtc", "").await;
    check("127.0.0.1:9180", "127.0.0.1", "127", "").await;
    check("http://127.0.0.1:9180", "http://127.0.0.1:9180", "trtc", "").await;
    check("http://127.0.0.1:9180", "127.0.0.1:9180", "trtc", "").await;
    check("http://127.0.0.1:9180", "127.0.0.1", "trtc", "").await;
    check("localhost:9180", "localhost:9180", "localhost:9180", "").await;
    check("127.0.0.1:9180", "calls.example.com", "calls", "").await;
    check("CALLS.example.com", "calls.example.com", "calls", "").await;
    check("127.0.0.1:9180", "127.0.0.1:9181", "trtc", mismatch).await;
    check("127.0.0.1:9180", "other.example.com", "trtc", mismatch).await;
    check("127.0.0.1:9180", "127.0.0.1:9180", "cvm", foreign).await;
    check("other.example.com", "127.0.0.1", "127", mismatch).await;
    check("127.0.0.1:9180", "127.0.0.1", "10", foreign).await;
    check("127.0.0.1:9180", "127.0.0.1", "", foreign).await;
}

#[tokio::test]
async fn the_clock_may_be_off_by_five_minutes() {
    let world = world();
    for (off_s, expected) in [(0, ""), (300, ""), (-300, ""), (301, "x"), (-301, "x"), (NOW, "x")] {
        let expected = if expected.is_empty() { "" } else { "AuthFailure.SignatureExpire" };
        let client = Client { timestamp_s: NOW - off_s, ..Client::post() };
        assert_eq!(client.sent().code(&world).await, expected, "{off_s}");
    }
}

#[tokio::test]
async fn an_unsigned_payload_may_be_any() {
    let world = world();
    let client = Client { unsigned_payload: true, ..Client::post() };
    let mut sent = client.sent();
    assert_eq!(sent.code(&world).await, "");
    sent.body.push(b' ');
    assert_eq!(sent.code(&world).await, "");
    sent.header("X-TC-Content-SHA256", "unsigned-payload");
    assert_eq!(sent.code(&world).await, "AuthFailure.SignatureFailure");
    assert_eq!(Client { unsigned_payload: true, ..Client::get() }.sent().code(&world).await, "");
}

#[tokio::test]
async fn version_1_signs_all_parameters() {
    let world = world();
    for is_sha256 in [false, true] {
        for method in ["GET", "POST"] {
            for host in ["127.0.0.1:9180", "127.0.0.1"] {
                assert_eq!(v1(is_sha256, method, host).code(&world).await, "", "{method} {host}");
            }
            let other = v1(is_sha256, method, "127.0.0.2").code(&world).await;
            assert_eq!(other, "AuthFailure.SignatureFailure");
            let mut longer = v1(is_sha256, method, "127.0.0.1");
            if method == "GET" {
                longer.target.push_str("X=1")
            } else {
                longer.body.extend(b"X=1")
            }
            assert_eq!(longer.code(&world).await, "AuthFailure.SignatureFailure");
            let mut twice = v1(is_sha256, method, "127.0.0.1");
            if method == "GET" {
                twice.target.push_str("Nonce=1")
            } else {
                twice.body.extend(b"Nonce=1")
            }
            assert_eq!(twice.code(&world).await, "InvalidParameter");
        }
    }
}

#[tokio::test]
async fn what_is_missing_is_named_in_order() {
    let world = world();
    let check = async |sent: &Sent, expected: &str| assert_eq!(sent.code(&world).await, expected, "{sent:?}");
    let bare = |method: &str, target: &str| Sent {
        method: method.into(),
        target: target.into(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    check(&bare("GET", "/"), "MissingParameter").await;
    check(&bare("GET", "/?Timestamp=x"), "MissingParameter").await;
    check(&bare("GET", "/?%"), "InvalidParameter.UrlParamsError").await;
    check(&bare("POST", "/"), "InvalidParameter").await;
    check(&bare("PUT", "/"), "UnsupportedProtocol").await;
    check(&bare("get", "/"), "UnsupportedProtocol").await;
    let mut form = bare("POST", "/");
    form.header("content-type", "Application/X-WWW-Form-Urlencoded; charset=utf-8");
    check(&form, "MissingParameter").await;
    let whole = "Timestamp=1&Nonce=1&SecretId=a&Signature=b&Action=c&Version=d";
    check(&bare("GET", &format!("/?{whole}")), "AuthFailure.SecretIdNotFound").await;
    check(&bare("GET", &format!("/?{whole}&Nonce=2")), "InvalidParameter").await;
    check(&bare("GET", &format!("/?{}", whole.replace("Nonce=1", "Nonce=-1"))), "InvalidParameter").await;
    let huge = whole.replace("Timestamp=1", "Timestamp=99999999999999999999");
    check(&bare("GET", &format!("/?{huge}")), "InvalidParameter").await;
    for name in ["X-TC-Timestamp", "X-TC-Action", "X-TC-Version", "X-TC-Region"] {
        check(&Client::post().sent().without(name), "MissingParameter").await;
    }
    check(&Client::post().sent().without("Authorization"), "InvalidParameter").await;
    check(&Client::post().sent().without("Host"), "AuthFailure.SignatureFailure").await;
    check(&Client { content_type: "text/plain", ..Client::post() }.sent(), "UnsupportedProtocol").await;
    let form = Client { content_type: "application/x-www-form-urlencoded", ..Client::post() };
    check(&form.sent(), "UnsupportedProtocol").await;
}

#[tokio::test]
async fn a_malformed_authorization_is_said_to_be() {
    let world = world();
    let whole = Client::post().sent();
    let text = String::from_utf8(whole.headers.last().unwrap().1.clone()).unwrap();
    let check = async |authorization: &str, expected: &str| {
        let mut sent = whole.clone();
        sent.header("Authorization", authorization);
        assert_eq!(sent.code(&world).await, expected, "{authorization}");
    };
    check(&text, "").await;
    check(&text.replace(", ", ","), "").await;
    check(&text.replace("main/", "nobody/"), "AuthFailure.SecretIdNotFound").await;
    for wrong in [
        String::new(),
        "SKIP".into(),
        text.replace("TC3-HMAC-SHA256", "TC3-HMAC-SHA1"),
        text.replace(", Signature=", ", Other="),
        text.replace("/tc3_request", ""),
        text.replace("main/", "/"),
        text.replace("/trtc", ""),
        text.replace("2026-11-22", "2026-11-23"),
        text.replace("content-type;", ""),
        text.replace(";host", ""),
        text.replace("content-type;host", ""),
        format!("{text}, Signature={}", "0".repeat(64)),
        text.clone() + "0",
        text[..text.len() - 1].to_owned(),
    ] {
        check(&wrong, "AuthFailure.InvalidAuthorization").await;
    }
    let absent = text.replace("content-type;host", "content-type;host;x-absent");
    check(&absent, "AuthFailure.SignatureFailure").await;
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_read() {
    let world = world();
    let too_large = "RequestSizeLimitExceeded";
    let mut form = v1(false, "POST", "127.0.0.1");
    form.body.resize(2 * limits::FORM_BYTES_MAX, b'x');
    assert_eq!(form.code(&world).await, too_large);
    let mut get = Client::get().sent();
    get.target.push_str(&"x".repeat(limits::TARGET_BYTES_MAX));
    assert_eq!(get.code(&world).await, too_large);
    let spaces = [BODY.as_bytes(), &vec![b' '; limits::BODY_BYTES_MAX - BODY.len()]].concat();
    let mut post = Client { body: &spaces, ..Client::post() }.sent();
    assert_eq!(post.code(&world).await, "");
    post.body.push(b' ');
    assert_eq!(post.code(&world).await, too_large);
    let request = Request { method: "POST", target: "/", headers: &[], body: Body::TooLarge };
    let reply = world.api.answer(&request, Millis::from_secs(NOW), ID).await;
    assert_eq!(reply.code.map(|code| code.wire()), Some(too_large));
    assert_eq!(reply.action, "unknown");
}

#[tokio::test]
async fn a_room_may_have_any_name() {
    let world = world();
    for room in ["a_b/c\"d\\", "😀", "<script>", "\u{202e}x", &"é".repeat(500), "a\u{0}b"] {
        let body = serde_json::json!({
            "SdkAppId": APP, "StartTime": NOW, "EndTime": NOW, "RoomId": room,
        });
        let body = body.to_string();
        let client = Client { body: body.as_bytes(), ..Client::post() };
        assert_eq!(client.sent().code(&world).await, "", "{room}");
    }
}

/// One answer, outside of an async test.
fn ask(sent: &Sent) -> &'static str {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { sent.code(&world()).await })
}

/// Whether an answer tells that the request was not taken for genuine.
fn is_refused(code: &str) -> bool {
    code.starts_with("AuthFailure.") || code == "UnsupportedProtocol"
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn what_is_signed_is_verified(room in "\\PC{0,40}", host in "[a-zA-Z0-9.:-]{1,30}", off_s in -300_i64..=300) {
        let body = serde_json::json!({"SdkAppId": APP, "StartTime": NOW, "EndTime": NOW, "RoomId": room});
        let body = body.to_string();
        let timestamp_s = NOW + off_s;
        let client = Client { body: body.as_bytes(), host: &host, signed_host: &host, timestamp_s, ..Client::post() };
        prop_assert_eq!(ask(&client.sent()), "");
    }

    #[test]
    fn a_changed_byte_is_refused(which in 0_usize..6, at in any::<prop::sample::Index>(), by in 1_u8..=127) {
        let is_query = which == 1;
        let client = if is_query { Client::get() } else { Client::post() };
        let mut sent = client.sent();
        let name = ["", "", "Host", "Content-Type", "Authorization", "X-TC-Timestamp"][which];
        let mut bytes = match which {
            0 => sent.body.clone(),
            1 => sent.target.as_bytes()[2..].to_vec(),
            _ => sent.headers.iter().find(|(other, _)| other == name).unwrap().1.clone(),
        };
        let at = at.index(bytes.len());
        let before = bytes[at];
        bytes[at] ^= by;
        // The case of signed header values is not signed, nor is the case of the names of signed headers.
        let is_header = which >= 2;
        prop_assume!(!is_header || !before.eq_ignore_ascii_case(&bytes[at]));
        // Nor are the blanks between the fields of Authorization.
        prop_assume!(!(is_header && before.is_ascii_whitespace() && bytes[at].is_ascii_whitespace()));
        // The target is text.
        prop_assume!(!is_query || bytes[at].is_ascii());
        match which {
            0 => sent.body = bytes,
            1 => sent.target = format!("/?{}", String::from_utf8(bytes).unwrap()),
            _ => sent.headers.iter_mut().find(|(other, _)| other == name).unwrap().1 = bytes,
        }
        let code = ask(&sent);
        // A timestamp that is no number is refused as such.
        prop_assert!(is_refused(code) || (which == 5 && code == "InvalidParameter"), "{} in {:?}", code, sent);
    }

    #[test]
    fn a_changed_parameter_of_version_1_is_refused(
        is_sha256: bool,
        is_get: bool,
        at in any::<prop::sample::Index>(),
        digit in 0_usize..16,
    ) {
        let mut sent = v1(is_sha256, if is_get { "GET" } else { "POST" }, "127.0.0.1:9180");
        let mut bytes = if is_get { sent.target.clone().into_bytes() } else { sent.body.clone() };
        let escapes: Vec<usize> =
            bytes.iter().enumerate().filter(|(_, b)| **b == b'%').map(|(at, _)| at + 2).collect();
        let at = escapes[at.index(escapes.len())];
        let digit = b"0123456789ABCDEF"[digit];
        prop_assume!(bytes[at] != digit);
        bytes[at] = digit;
        if is_get { sent.target = String::from_utf8(bytes).unwrap() } else { sent.body = bytes }
        let code = ask(&sent);
        let other = ["InvalidParameter", "InvalidParameter.UrlParamsError"];
        prop_assert!(is_refused(code) || other.contains(&code), "{}", code);
    }

    #[test]
    fn no_bytes_make_it_panic(
        method in prop::sample::select(vec!["GET", "POST", "PUT", ""]),
        target in "/?\\??\\PC{0,80}",
        content_type in prop::sample::select(vec![
            "application/json", "multipart/form-data; boundary=B", "application/x-www-form-urlencoded", ";", "",
        ]),
        authorization in prop::option::of("(TC3-HMAC-SHA256 )?(Credential=[a/]{0,9})?[ -~]{0,60}"),
        timestamp in "[0-9]{0,25}|\\PC{0,9}",
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut sent = Sent { method: method.into(), target, headers: Vec::new(), body };
        for (name, value) in [("Host", "x"), ("Content-Type", content_type), ("X-TC-Timestamp", &timestamp),
            ("X-TC-Action", "DescribeUserInfo"), ("X-TC-Version", "2019-07-22")] {
            sent.header(name, value);
        }
        if let Some(authorization) = authorization {
            sent.header("Authorization", &authorization);
        }
        prop_assert_ne!(ask(&sent), "");
    }

    #[test]
    fn no_signed_body_makes_it_panic(
        body in prop::collection::vec(any::<u8>(), 0..200),
        text in r#"(--B|\r\n|Content-Disposition: form-data; name="UserIds\.?[0-9]?"|[\[\]{}",:a]){0,20}(--B--)?"#,
        is_text: bool,
        content_type in prop::sample::select(vec!["application/json", "multipart/form-data; boundary=B"]),
    ) {
        let body = if is_text { text.into_bytes() } else { body };
        let client = Client { body: &body, content_type, ..Client::post() };
        let code = ask(&client.sent());
        prop_assert!(!code.starts_with("AuthFailure"), "{}", code);
    }

    #[test]
    fn no_query_makes_it_panic(query in "((UserIds|RoomId|StartTime)(\\.[0-9]{0,22})?=?(%[0-9a-fA-F]{0,2}|[a+&]){0,3}&){0,6}") {
        let client = Client { query: &query, ..Client::get() };
        let code = ask(&client.sent());
        prop_assert!(code.starts_with("InvalidParameter") || code == "UnknownParameter" || code == "MissingParameter");
    }
}
