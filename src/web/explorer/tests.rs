//! The explorer as whoever asks sees it: over a store in memory, without HTTP.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;

use super::super::{Access, Asked, Method, Shown, Web};
use crate::actions::{ACTIONS, Account, Api, Key, Policy};
use crate::limits::{Edition, Secret};
use crate::records::{AppId, Millis};
use crate::store::Memory;
use crate::wire::{Body, ErrorCode, Request};

/// 25 November 2026, 23:30:00 UTC: of UTC+8 it is the day after.
const NOW: Millis = Millis(1_795_649_400_000);
const HOST: &str = "127.0.0.1:9180";
const SECRET: &str = "secret of main";

fn policy() -> Policy {
    let key = |id: &str, secret: &str, token: Option<&str>| Key {
        secret_id: id.into(),
        secret_key: Secret::new(secret),
        token: token.map(Secret::new),
        expires_at_s: None,
    };
    let account = |name: &str, app: u64, keys: Vec<Key>| Account {
        name: name.into(),
        edition: Edition::Advanced,
        keys,
        apps: vec![AppId(app)],
    };
    let main = vec![key("AKIDmain", SECRET, None), key("AKIDtemporary", "hidden too", Some("a token"))];
    let other = vec![key("AKIDother", "secret of other", None)];
    Policy {
        accounts: vec![account("main", 1_400_000_001, main), account("other", 1_400_000_002, other)],
        ..Policy::default()
    }
}

/// A page or a post, from this machine.
async fn ask(method: Method, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Shown {
    let pages = Web::new(policy(), Arc::new(Memory::default()), Access::open());
    let usual = [("host", HOST), ("origin", "http://127.0.0.1:9180")];
    let header = |name: &str| {
        let all = headers.iter().chain(&usual);
        all.clone().find(|(other, _)| *other == name).map(|(_, value)| *value)
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let peer = IpAddr::from([127, 0, 0, 1]);
    let asked = Asked { method, path, query, header: &header, body, peer, is_tls: false, now: NOW };
    pages.answer(&asked).await
}

async fn get(target: &str) -> (u16, String) {
    let shown = ask(Method::Get, target, &[], b"").await;
    (shown.status, String::from_utf8(shown.body).unwrap())
}

/// What a script is told of these fields.
async fn prepare(fields: Value) -> Value {
    prepare_at(HOST, fields).await
}

/// The same, where the server is reached by this name.
async fn prepare_at(host: &str, fields: Value) -> Value {
    let origin = format!("http://{host}");
    let headers = [
        ("accept", "application/json"),
        ("content-type", "application/json"),
        ("host", host),
        ("origin", &origin),
    ];
    let shown = ask(Method::Post, "/ui/explorer/prepare", &headers, fields.to_string().as_bytes()).await;
    assert_eq!(shown.status, 200);
    serde_json::from_slice(&shown.body).unwrap()
}

fn rooms(more: Value) -> Value {
    let now = NOW.secs();
    let params = serde_json::json!({"SdkAppId": 1_400_000_001, "StartTime": now - 60, "EndTime": now, "RoomId": "a b&=+'李"});
    let mut fields = serde_json::json!({"action": "DescribeRoomInfo", "params": params});
    for (name, value) in more.as_object().unwrap() {
        fields[name] = value.clone();
    }
    fields
}

/// The code of the API's answer to what was prepared, or `""`.
async fn send(prepared: &Value) -> &'static str {
    let api = Api::new(policy(), Arc::new(Memory::default()));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let headers: Vec<(String, String)> =
        prepared["headers"].as_array().unwrap().iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
    let headers: Vec<(&str, &[u8])> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let (method, target, body) =
        (text(&prepared["method"]), text(&prepared["target"]), text(&prepared["body"]));
    let request =
        Request { method: &method, target: &target, headers: &headers, body: Body::Whole(body.as_bytes()) };
    api.answer(&request, NOW, uuid::Uuid::nil()).await.code.map_or("", ErrorCode::wire)
}

#[tokio::test]
async fn every_transport_is_signed_as_the_server_verifies() {
    for sign in ["TC3-HMAC-SHA256", "HmacSHA1", "HmacSHA256"] {
        for method in ["POST", "GET"] {
            let prepared = prepare(rooms(serde_json::json!({"sign": sign, "method": method}))).await;
            assert_eq!(send(&prepared).await, "", "{sign} {method}");
            assert_eq!(prepared["problems"], serde_json::json!([]), "{sign} {method}");
            let count = if sign.starts_with("TC3") { 5 } else { 3 };
            assert_eq!(prepared["steps"].as_array().unwrap().len(), count);
        }
    }
}

#[tokio::test]
async fn no_stored_secret_is_shown() {
    let hidden = [SECRET, "hidden too", "a token", "secret of other"];
    for action in ACTIONS {
        let (status, page) = get(&format!("/ui/explorer/{}", action.name)).await;
        assert_eq!(status, 200);
        assert!(hidden.iter().all(|secret| !page.contains(secret)), "{}", action.name);
        assert!(page.contains("AKIDmain") && !page.contains("AKIDtemporary"));
    }
    let prepared = prepare(rooms(serde_json::json!({}))).await;
    assert!(hidden.iter().all(|secret| !prepared.to_string().contains(secret)));
    // Who has the last of the derived keys can sign all day.
    let date = crate::wire::sign::date(NOW.secs().unsigned_abs());
    for key in crate::wire::sign::DayKey::new(SECRET.as_bytes(), &date, "trtc").chain() {
        assert!(!prepared.to_string().contains(&key));
    }
    let typed = serde_json::json!({"key": "typed", "secret_id": "AKIDmain", "secret_key": SECRET});
    let typed = prepare(rooms(typed)).await;
    assert_eq!(typed["steps"][3]["hidden"], false);
    assert_eq!(send(&typed).await, "");
    let code = typed["code"].to_string();
    assert!(!code.contains(SECRET), "samples stand for keys by words");
    let (_, page) =
        get(&format!("/ui/explorer/DescribeRoomInfo?key=typed&secret_id=AKIDx&secret_key={SECRET}")).await;
    assert!(
        !page.contains("value=\"AKIDx\"") && !page.contains("Credential=AKIDx"),
        "no address fills in a key"
    );
}

#[tokio::test]
async fn problems_are_those_that_the_server_finds() {
    let check = async |params: Value, expected: &[(&str, &str)]| {
        let fields = serde_json::json!({"action": "DescribeUserInfo", "params": params});
        let prepared = prepare(fields).await;
        let found: Vec<(&str, &str)> = prepared["problems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                (
                    one["fields"].as_array().unwrap().last().map_or("", |f| f.as_str().unwrap()),
                    one["code"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(found, expected, "{params}");
        assert_eq!(send(&prepared).await.is_empty(), expected.is_empty());
    };
    let now = NOW.secs();
    let with = |name: &str, value: Value| {
        let mut params = serde_json::json!({"CommId": "1400000001_1_2", "SdkAppId": 1_400_000_001, "StartTime": now - 60, "EndTime": now});
        params[name] = value;
        params
    };
    check(with("PageSize", 6.into()), &[]).await;
    check(with("StartTime", "now-4h".into()), &[]).await;
    check(with("StartTime", "now-5h".into()), &[("EndTime", "InvalidParameter.QueryScaleOversize")]).await;
    check(with("StartTime", "soon".into()), &[("StartTime", "InvalidParameter")]).await;
    check(with("StartTime", "now-20d".into()), &[("StartTime", "InvalidParameter.StartTsOversize")]).await;
    check(with("PageSize", 101.into()), &[("PageSize", "InvalidParameter.PageSizeOversize")]).await;
    check(with("PageSize", 0.into()), &[("PageSize", "InvalidParameter.PageSize")]).await;
    check(with("SdkAppId", 7.into()), &[("SdkAppId", "InvalidParameter.SdkAppid")]).await;
    let many: Vec<String> = (0..101).map(|n| format!("u{n}")).collect();
    check(with("UserIds", many.into()), &[("UserIds", "InvalidParameter.UserIdsMorethanSix")]).await;
    let absent = [
        ("CommId", "MissingParameter"),
        ("StartTime", "MissingParameter"),
        ("EndTime", "MissingParameter"),
        ("SdkAppId", "MissingParameter"),
    ];
    check(serde_json::json!({}), &absent).await;
}

#[tokio::test]
async fn a_link_fills_the_form_and_hostile_values_are_inert() {
    let hostile = "<img src=x onerror=alert(1)>\"'`${7*7}#{7}\u{202e}";
    let query: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("p.RoomId", hostile)
        .append_pair("p.SdkAppId", "1400000001")
        .append_pair("p.StartTime", "now-1h")
        .append_pair("p.Unknown", "x")
        .append_pair("anything", "x")
        .append_pair("method", "GET")
        .finish();
    let (status, page) = get(&format!("/ui/explorer/DescribeRoomInfo?{query}")).await;
    assert_eq!(status, 200);
    assert!(!page.contains("<img"), "what a caller writes is text");
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;"));
    assert!(page.contains("value=\"now-1h\""));
    assert!(page.contains("<option value=\"GET\" selected>"));
    assert!(!page.contains(" style=") && !page.contains(" onclick="));
    for (path, status) in [("/ui/explorer/DescribeNothing", 404), ("/ui/explorer?q=pagesize", 200)] {
        assert_eq!(get(path).await.0, status, "{path}");
    }
    let (_, found) = get("/ui/explorer?q=pagesize").await;
    assert!(
        found.contains("/ui/explorer/DescribeRoomInfo") && !found.contains("/ui/explorer/DescribeScaleInfo")
    );
}

#[tokio::test]
async fn without_a_script_a_post_gives_the_whole_page() {
    let body = b"action=DescribeRoomInfo&p.SdkAppId=1400000001&p.StartTime=now-1h&p.EndTime=now&secret_key=typedSecret";
    let shown = ask(
        Method::Post,
        "/ui/explorer/prepare",
        &[("content-type", "application/x-www-form-urlencoded")],
        body,
    )
    .await;
    let page = String::from_utf8(shown.body).unwrap();
    for part in [
        "TC3-HMAC-SHA256 Credential=AKIDmain/2026-11-25/trtc/tc3_request",
        "DescribeRoomInfoRequest",
        "class=\"eol\"",
        "error-InvalidParameter.EndTs",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("typedSecret"));
}

#[tokio::test]
async fn a_language_in_the_address_is_that_of_what_is_posted_too() {
    let (_, page) = get("/ui/explorer/DescribeUserInfo?lang=zh&tz=utc&p.CommId=x").await;
    let target = "/ui/explorer/prepare?lang=zh&amp;tz=utc";
    assert!(page.contains(&format!("action=\"{target}\"")), "the form keeps both");
    let headers = [("accept", "application/json"), ("content-type", "application/json")];
    let fields = br#"{"action":"DescribeUserInfo","params":{"PageSize":"x"},"mine":"?!","compare":1}"#;
    let shown = ask(Method::Post, &target.replace("&amp;", "&"), &headers, fields).await;
    let prepared: Value = serde_json::from_slice(&shown.body).unwrap();
    let is_cjk = |c: char| ('\u{3400}'..='\u{9fff}').contains(&c);
    let problems = prepared["problems"].as_array().unwrap();
    assert!(
        problems.len() > 3 && problems.iter().all(|one| one["message"].as_str().unwrap().contains(is_cjk))
    );
    assert!(prepared["verdict"]["words"].as_str().unwrap().contains(is_cjk), "{prepared}");
}

#[tokio::test]
async fn the_search_box_leads_to_actions() {
    for (q, to) in [
        ("DescribeRoomInfo", "/ui/explorer/DescribeRoomInfo"),
        ("describescale", "/ui/explorer/DescribeScaleInfo"),
        ("Desc", "/ui/explorer?q=Desc"),
    ] {
        let shown = ask(Method::Get, &format!("/ui/search?q={q}"), &[], b"").await;
        let location = shown.headers.iter().find(|(name, _)| *name == "location").map(|(_, to)| to.as_str());
        assert_eq!(location, Some(to), "{q}");
    }
}

mod comparing {
    //! With a wrong signature pasted, the cause is named.

    use super::*;
    use crate::wire::sign::{self, Canonical, Tc3, sha256};

    const NOW_S: u64 = 1_795_649_400;

    /// What a client signs, right unless a test changes something.
    struct Client {
        secret: String,
        secret_id: &'static str,
        host: &'static str,
        headers: Vec<(&'static str, String)>,
        body: String,
        date: String,
        second: u64,
    }

    impl Client {
        async fn right() -> Client {
            let prepared = prepare(fields(serde_json::json!({}))).await;
            Client {
                secret: SECRET.to_owned(),
                secret_id: "AKIDmain",
                host: HOST,
                headers: vec![("content-type", "application/json".into()), ("host", HOST.into())],
                body: prepared["body"].as_str().unwrap().to_owned(),
                date: "2026-11-25".to_owned(),
                second: NOW_S,
            }
        }

        fn canonical(&self) -> String {
            let headers: Vec<(&str, &str)> =
                self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let payload_hash = &sha256(self.body.as_bytes());
            Canonical { method: "POST", query: "", headers: &headers, payload_hash }.text()
        }

        fn steps(&self, canonical: String) -> sign::Tc3Steps {
            sign::over(canonical, self.secret.as_bytes(), &self.date, "trtc", &self.second.to_string())
        }

        /// Canonical request, string to sign, signature, header: what somebody may paste.
        fn texts(&self) -> [String; 4] {
            self.texts_of(self.canonical())
        }

        fn texts_of(&self, canonical: String) -> [String; 4] {
            let steps = self.steps(canonical);
            let names: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
            let header =
                sign::authorization(self.secret_id, &steps.scope, &names.join(";"), &steps.signature);
            [steps.canonical, steps.string_to_sign, steps.signature, header]
        }
    }

    fn fields(more: Value) -> Value {
        let params = serde_json::json!({
            "CommId": "1400000001_lobby_1795640000", "SdkAppId": 1_400_000_001, "StartTime": 1_795_640_000, "EndTime": 1_795_641_000,
            "UserIds": ["al", "李"],
        });
        let mut fields =
            serde_json::json!({"action": "DescribeUserInfo", "params": params, "compare": 1, "at": NOW_S});
        for (name, value) in more.as_object().unwrap() {
            fields[name] = value.clone();
        }
        fields
    }

    async fn cause(pasted: &str, more: Value) -> Value {
        let mut fields = fields(more);
        fields["mine"] = pasted.into();
        prepare(fields).await["verdict"].clone()
    }

    async fn check(pasted: &str, expected: &str) -> Value {
        let verdict = cause(pasted, serde_json::json!({})).await;
        assert_eq!(verdict["cause"], expected, "{pasted}\n{verdict}");
        verdict
    }

    #[tokio::test]
    async fn a_right_one_is_the_same() {
        let client = Client::right().await;
        for pasted in client.texts() {
            check(&pasted, "same").await;
        }
        let right = sign::tc3(&Tc3 {
            secret_id: "AKIDmain",
            secret_key: SECRET,
            service: "trtc",
            method: "POST",
            host: client.host,
            content_type: "application/json",
            query: "",
            body: client.body.as_bytes(),
            unsigned_payload: false,
            timestamp_s: NOW_S,
        });
        check(&format!("Authorization: {right}\nX-TC-Timestamp: {NOW_S}"), "same").await;
        check("what is this", "unreadable").await;
        check(&"0".repeat(64), "unknown").await;
    }

    #[tokio::test]
    async fn every_transport_is_the_same_as_itself() {
        for sign in ["TC3-HMAC-SHA256", "HmacSHA1", "HmacSHA256"] {
            for method in ["POST", "GET"] {
                let more = serde_json::json!({"sign": sign, "method": method, "nonce": 7});
                let prepared = prepare(fields(more.clone())).await;
                let signature = prepared["signature"].as_str().unwrap();
                for text in [prepared["steps"][0]["text"].as_str().unwrap(), signature] {
                    // The sorted parameters of version 1 are no text that is signed.
                    let is_sorted = text.starts_with("Action=");
                    let expected = if is_sorted { "unreadable" } else { "same" };
                    assert_eq!(cause(text, more.clone()).await["cause"], expected, "{sign} {method} {text}");
                }
            }
        }
    }

    #[tokio::test]
    async fn wrong_date() {
        // In UTC+8 it is the next day already.
        for date in ["2026-11-26", "2026-11-24"] {
            let client = Client { date: date.into(), ..Client::right().await };
            let [_, string, signature, header] = client.texts();
            for pasted in [string, signature, header] {
                let verdict = check(&pasted, "date").await;
                let words = verdict["words"].as_str().unwrap();
                assert!(words.contains(date) && words.contains("2026-11-25"), "{words}");
            }
        }
    }

    #[tokio::test]
    async fn host_without_port() {
        let mut client = Client::right().await;
        client.headers[1].1 = "127.0.0.1".into();
        for pasted in client.texts() {
            check(&pasted, "host-port").await;
        }
    }

    #[tokio::test]
    async fn host_with_port() {
        let mut client = Client::right().await;
        client.headers[1].1 = "localhost:443".into();
        for pasted in client.texts() {
            let mut fields = fields(serde_json::json!({}));
            fields["mine"] = pasted.as_str().into();
            let verdict = prepare_at("localhost", fields).await["verdict"].clone();
            assert_eq!(verdict["cause"], "host-port", "{pasted}\n{verdict}");
            assert!(verdict["words"].as_str().unwrap().contains("`localhost:443`"));
        }
    }

    #[tokio::test]
    async fn another_host() {
        let mut client = Client::right().await;
        client.headers[1].1 = "trtc.tencentcloudapi.com".into();
        for pasted in client.texts() {
            check(&pasted, "host").await;
        }
    }

    #[tokio::test]
    async fn header_order() {
        let mut client = Client::right().await;
        client.headers.reverse();
        for pasted in client.texts() {
            check(&pasted, "header-order").await;
        }
        let canonical = Client::right().await.canonical().replace("content-type;host", "host;content-type");
        for pasted in Client::right().await.texts_of(canonical) {
            check(&pasted, "header-order").await;
        }
    }

    #[tokio::test]
    async fn other_signed_headers() {
        let mut client = Client::right().await;
        client.headers.push(("x-tc-action", "describeuserinfo".into()));
        for pasted in client.texts() {
            check(&pasted, "signed-headers").await;
        }
    }

    #[tokio::test]
    async fn missing_trailing_newline() {
        let client = Client::right().await;
        let canonical = client.canonical().replace("9180\n\ncontent", "9180\ncontent");
        for pasted in client.texts_of(canonical) {
            let verdict = check(&pasted, "newline").await;
            assert!(!verdict["line"].is_null(), "the place is marked");
        }
    }

    #[tokio::test]
    async fn body_changed() {
        let right = Client::right().await.body;
        let value: Value = serde_json::from_str(&right).unwrap();
        let spaced = right.replace("\":", "\": ").replace(",\"", ", \"");
        let bodies = [
            serde_json::to_string_pretty(&value).unwrap(),
            value.to_string(),
            spaced.replace("李", "\\u674e"),
            spaced,
            right.clone() + "\n",
            String::new(),
        ];
        for (at, body) in bodies.into_iter().enumerate() {
            // The pretty one is in another order as well, which is one mistake too many for a signature.
            let client = Client { body: body.clone(), ..Client::right().await };
            let [canonical, _, signature, header] = client.texts();
            check(&canonical, "body").await;
            if at > 0 {
                check(&signature, "body").await;
                check(&header, "body").await;
            }
        }
    }

    #[tokio::test]
    async fn clock_off() {
        for off_s in [-3_000_i64, 400, 7] {
            let second = NOW_S.checked_add_signed(off_s).unwrap();
            let client = Client { second, date: sign::date(second), ..Client::right().await };
            let [_, string, signature, header] = client.texts();
            for pasted in [string, signature, header.clone(), format!("{header}\nx-tc-timestamp: {second}")] {
                let verdict = check(&pasted, "clock").await;
                assert_eq!(verdict["clock_off_s"], off_s, "{verdict}");
            }
        }
    }

    #[tokio::test]
    async fn clock_off_and_something_else() {
        let mut client = Client { second: NOW_S + 20, ..Client::right().await };
        client.headers.reverse();
        let [_, _, signature, _] = client.texts();
        let verdict = check(&signature, "header-order").await;
        assert_eq!(verdict["clock_off_s"], 20);
    }

    #[tokio::test]
    async fn wrong_key() {
        let client = Client { secret: "secret of other".into(), ..Client::right().await };
        let [_, _, signature, header] = client.texts();
        for pasted in [signature, header] {
            let verdict = check(&pasted, "key").await;
            assert!(verdict["words"].as_str().unwrap().contains("AKIDother"));
        }
        let client = Client { secret_id: "AKIDunknown", secret: "x".into(), ..Client::right().await };
        check(&client.texts()[3], "key").await;
    }

    #[tokio::test]
    async fn secret_with_a_blank() {
        for secret in
            [format!("{SECRET} "), format!(" {SECRET}"), format!("{SECRET}\n"), "AKIDmain".to_owned()]
        {
            let client = Client { secret, ..Client::right().await };
            check(&client.texts()[2], "secret").await;
        }
    }

    #[tokio::test]
    async fn capitals() {
        let client = Client::right().await;
        let [_, _, signature, _] = client.texts();
        check(&signature.to_uppercase(), "capitals").await;
        let canonical =
            client.canonical().replace("content-type:", "Content-Type:").replace("\nhost:", "\nHost:");
        check(&client.texts_of(canonical)[0], "capitals").await;
    }

    #[tokio::test]
    async fn another_scheme() {
        let more = serde_json::json!({"sign": "HmacSHA1", "nonce": 7});
        let prepared = prepare(fields(more.clone())).await;
        check(prepared["signature"].as_str().unwrap(), "scheme").await;
        let verdict = cause(&Client::right().await.texts()[2], more.clone()).await;
        assert_eq!(verdict["cause"], "scheme");
        let same = cause(prepared["signature"].as_str().unwrap(), more.clone()).await;
        assert_eq!(same["cause"], "same");
        let source = prepared["steps"][1]["text"].as_str().unwrap();
        let sha256 = sign::v1_over(true, SECRET.as_bytes(), source);
        assert_eq!(cause(&sha256, more.clone()).await["cause"], "scheme");
        let host = source.replace(":9180", "");
        for pasted in [host.clone(), sign::v1_over(false, SECRET.as_bytes(), &host)] {
            assert_eq!(cause(&pasted, more.clone()).await["cause"], "host-port");
        }
        for (text, expected) in [
            (source.replace("Region=ap-guangzhou", "Region=ap-beijing"), "query"),
            (source.replace("127.0.0.1:9180", "example.com"), "host"),
            (source.replace("POST", "GET"), "method"),
            (Client::right().await.canonical(), "scheme"),
        ] {
            assert_eq!(cause(&text, more.clone()).await["cause"], expected, "{text}");
        }
        check(source, "scheme").await;
        let other = sign::v1_over(false, b"secret of other", source);
        assert_eq!(cause(&other, more.clone()).await["cause"], "key");
        let later = source.replace(&NOW_S.to_string(), &(NOW_S + 30).to_string());
        let later = cause(&sign::v1_over(false, SECRET.as_bytes(), &later), more).await;
        assert_eq!((&later["cause"], &later["clock_off_s"]), (&"clock".into(), &30.into()));
    }
}
