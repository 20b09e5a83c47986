//! Bad input against the real binary, with its real bounds: a clear error, bounded memory, and the next request is
//! answered.
//!
//! `http.rs` holds with small bounds: bodies that are too large, announced or endless; senders and receivers that are
//! slow; a bomb in the place of events; a budget for all bodies together. `ingest/` holds every reason for which a line or a callback
//! is refused, `questions.rs` every code of a parameter.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::server::{
    APP, BEARER, INGEST_TOKEN, Reply, SECRET_ID, SECRET_KEY, Served, callback_sign, exchange, gzip, post,
    read_reply, settings, signed, temporary,
};

const NOW_S: i64 = 1_795_370_400;
const CALLBACK_KEY: &str = "callbackKey";
/// The code for a body that is no JSON object.
const BROKEN: &str = "InvalidParameter.BodyParamsError";
const MEBIBYTE: usize = 1_024 * 1_024;

/// A server that is about to be wronged.
struct Target {
    served: Served,
    _dir: tempfile::TempDir,
    before_kib: u64,
    good: u32,
}

impl Target {
    async fn start() -> Target {
        let dir = temporary();
        let app = format!(
            "[[account.app]]\nsdk_app_id = {APP}\ningest_token = \"{INGEST_TOKEN}\"\ntrtc_callback_key = \"{CALLBACK_KEY}\"\n"
        );
        std::fs::write(dir.path().join("s.toml"), settings(&app)).expect("written");
        let clock = NOW_S.to_string();
        let served = Served::start(
            dir.path(),
            &["serve", "--memory", "--config", "s.toml", "--listen", "127.0.0.1:0", "--clock", &clock],
        );
        let mut target = Target { served, _dir: dir, before_kib: 0, good: 0 };
        target.is_alive().await;
        target.before_kib = target.peak_kib();
        target
    }

    /// The most memory that the process ever had.
    fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.served.pid())).expect("running");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("told");
        peak.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// A good event and a good question are taken as ever.
    async fn is_alive(&mut self) {
        self.good += 1;
        let line = format!(r#"{{"kind":"room_created","room":"good{}","at_s":{NOW_S}}}"#, self.good);
        let reply = self.events(line.as_bytes(), &[]).await;
        assert_eq!((reply.status, &reply.json()["new"]), (200, &1.into()), "{reply:?}");
        let window = json!({"SdkAppId": APP, "StartTime": NOW_S, "EndTime": NOW_S, "RoomId": format!("good{}", self.good)});
        let answer = self.served.ask("DescribeRoomInfo", &window, NOW_S).await;
        assert_eq!(answer["Total"], 1, "{answer}");
    }

    /// It is alive, and never took more than this beside what it had.
    async fn end(mut self, most: usize) {
        self.is_alive().await;
        let grown_kib = self.peak_kib() - self.before_kib;
        assert!(grown_kib <= most as u64 / 1_024, "{grown_kib} KiB more");
        self.served.stop();
    }

    async fn events(&self, body: &[u8], headers: &[&str]) -> Reply {
        self.served.send(&post("/ingest/events", &[&[BEARER], headers].concat(), body)).await
    }

    /// Nothing of this body is kept, and each part is in what is said of it.
    async fn check_events(&mut self, body: &str, parts: &[&str]) {
        let reply = self.events(body.as_bytes(), &[]).await;
        let json = reply.json();
        assert_eq!(
            (reply.status, &json["new"], &json["lines"][0]["line"]),
            (400, &0.into(), &1.into()),
            "{json}"
        );
        let why = json["lines"][0]["why"].as_str().expect("a reason");
        check_parts(why, parts);
        self.is_alive().await;
    }

    async fn check_callback(&mut self, body: &str, parts: &[&str]) {
        let headers = [format!("SdkAppId: {APP}"), format!("Sign: {}", callback_sign(CALLBACK_KEY, body))];
        let reply =
            self.served.send(&post("/ingest/trtc", &[&headers[0], &headers[1]], body.as_bytes())).await;
        assert_eq!((reply.status, &reply.json()["code"]), (400, &400.into()), "{reply:?}");
        check_parts(reply.json()["message"].as_str().expect("a message"), parts);
        self.is_alive().await;
    }

    async fn check_question(&mut self, body: &str, code: &str, parts: &[&str]) {
        let request = signed(self.served.host(), "DescribeRoomInfo", body, NOW_S);
        let reply = self.served.send(&request).await;
        assert_eq!((reply.status, reply.code().as_str()), (200, code), "{reply:?}");
        check_parts(reply.json()["Response"]["Error"]["Message"].as_str().expect("a message"), parts);
        self.is_alive().await;
    }
}

fn check_parts(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
}

/// A callback with this in the place of its room.
fn callback(room: &str) -> String {
    format!(
        r#"{{"EventGroupId":1,"EventType":103,"CallbackTs":{NOW_S}000,"EventInfo":{{"RoomId":{room},"EventTs":{NOW_S},"EventMsTs":{NOW_S}000,"UserId":"u"}}}}"#
    )
}

/// A question with this beside what it needs.
fn question(more: &str) -> String {
    format!(r#"{{"SdkAppId":{APP},"StartTime":{NOW_S},"EndTime":{NOW_S}{more}}}"#)
}

/// A line with this beside what it needs.
fn line(more: &str) -> String {
    format!(r#"{{"kind":"joined","room":"r","user":"u","at_s":{NOW_S}{more}}}"#)
}

#[tokio::test]
async fn broken_json_is_told_with_its_place() {
    let mut target = Target::start().await;
    target.check_events("{\"kind\":\"joined\",", &["not valid JSON", "column 17"]).await;
    target.check_events("\u{0}", &["not valid JSON"]).await;
    target.check_callback("{\"EventGroupId\":1,", &["body", "not valid JSON"]).await;
    target.check_question("{\"SdkAppId\":", BROKEN, &["EOF", "line 1 column 12"]).await;
    let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    target.check_events(&line(&format!(",\"id\":{deep}")), &["recursion limit"]).await;
    target.check_callback(&callback(&deep), &["EventInfo", "recursion limit"]).await;
    target.check_question(&question(&format!(",\"RoomId\":{deep}")), "InvalidParameter", &["RoomId"]).await;
    target.end(16 * MEBIBYTE).await;
}

#[tokio::test]
async fn wrong_types_are_told_with_their_name() {
    let mut target = Target::start().await;
    target.check_events(&line(",\"visit\":[]"), &["visit", "expected a text, found a list"]).await;
    target.check_events("[1]", &["expected a JSON object"]).await;
    target.check_callback(&callback("{}"), &["EventInfo.RoomId", "found an object"]).await;
    target.check_callback(&callback("1.5"), &["EventInfo.RoomId", "found 1.5"]).await;
    target.check_question(&question(",\"PageSize\":\"x\""), "InvalidParameter", &["PageSize"]).await;
    target.check_question("[]", BROKEN, &["expected an object"]).await;
    target.end(16 * MEBIBYTE).await;
}

#[tokio::test]
async fn unknown_keys_are_told_with_the_nearest_known_one() {
    let mut target = Target::start().await;
    target.check_events(&line(",\"vist\":\"v\""), &["unknown key \"vist\"", "did you mean \"visit\"?"]).await;
    target.check_question(&question(",\"RoomI\":\"r\""), "UnknownParameter", &["RoomI"]).await;
    // A callback may bring new fields at any time.
    let body = callback("7").replace("\"UserId\"", "\"Mood\":\"good\",\"UserId\"");
    let headers = [format!("SdkAppId: {APP}"), format!("Sign: {}", callback_sign(CALLBACK_KEY, &body))];
    let request = post("/ingest/trtc", &[&headers[0], &headers[1]], body.as_bytes());
    assert_eq!(target.served.send(&request).await.status, 200);
    target.end(16 * MEBIBYTE).await;
}

#[tokio::test]
async fn keys_that_come_twice_are_told() {
    let mut target = Target::start().await;
    target.check_events(&line(",\"room\":\"other\""), &["room", "given twice"]).await;
    target.check_callback(&callback("7,\"RoomId\":8"), &["EventInfo", "duplicate field `RoomId`"]).await;
    target.check_question(&question(",\"SdkAppId\":1"), BROKEN, &["the key `SdkAppId` is there twice"]).await;
    target.end(16 * MEBIBYTE).await;
}

#[tokio::test]
async fn a_form_of_2_mb_is_too_large() {
    let mut target = Target::start().await;
    for form in ["x".repeat(2_000_000), "a=b&".repeat(500_000), "%61=%62&".repeat(250_000)] {
        let headers = ["Content-Type: application/x-www-form-urlencoded"];
        let reply = target.served.send(&post("/", &headers, form.as_bytes())).await;
        assert_eq!((reply.status, reply.code().as_str()), (200, "RequestSizeLimitExceeded"), "{reply:?}");
        target.is_alive().await;
    }
    target.end(32 * MEBIBYTE).await;
}

#[tokio::test]
async fn bodies_without_an_end_are_cut_off() {
    let mut target = Target::start().await;
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 65_536], b"\r\n"].concat();
    for (path, status, code) in [
        ("/", 200, "RequestSizeLimitExceeded"),
        ("/ingest/trtc", 413, ""),
        ("/ingest/events", 413, ""),
        ("/ingest/attributes", 413, ""),
    ] {
        let stream = target.served.connect().await;
        let (mut read, mut write) = stream.into_split();
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: x\r\n{BEARER}\r\nTransfer-Encoding: chunked\r\n\r\n");
        write.write_all(head.as_bytes()).await.expect("written");
        let endless = async {
            let mut sent = 0;
            while write.write_all(&chunk).await.is_ok() {
                sent += chunk.len();
                assert!(sent < 64 * MEBIBYTE, "{path}: nobody ends this");
            }
        };
        let (reply, ()) = tokio::join!(read_reply(&mut read), endless);
        let reply = reply.expect("a reply");
        assert_eq!(reply.status, status, "{path}: {reply:?}");
        let json = reply.json();
        assert_eq!(json["Response"]["Error"]["Code"].as_str().unwrap_or_default(), code, "{path}");
        if status == 413 {
            assert_eq!(json["message"], "the body is too large", "{path}");
        }
        target.is_alive().await;
    }
    target.end(64 * MEBIBYTE).await;
}

#[tokio::test]
async fn a_bomb_is_not_unpacked() {
    let target = Target::start().await;
    for content in [0, b'\n', b'['] {
        // Sixty-four parts of 16 MiB each.
        let bomb = gzip(&vec![content; 16 * MEBIBYTE]).repeat(64);
        assert!(bomb.len() < 2 * MEBIBYTE);
        let reply = target.events(&bomb, &["Content-Encoding: gzip"]).await;
        assert_eq!(reply.status, 413, "{reply:?}");
        check_parts(&reply.body, &["the body is larger than 16777216 bytes"]);
    }
    target.end(64 * MEBIBYTE).await;
}

/// Asks by GET, signed with version 1.
async fn ask_by_get(served: &Served, action: &str, parameters: &[(&str, &str)]) -> Value {
    let now = NOW_S.to_string();
    let mut all = vec![
        ("Action", action),
        ("Version", "2019-07-22"),
        ("Region", "ap-guangzhou"),
        ("Timestamp", &now),
        ("Nonce", "4"),
        ("SecretId", SECRET_ID),
        ("SignatureMethod", "HmacSHA256"),
    ];
    all.extend_from_slice(parameters);
    let signature = rollbook::wire::sign::v1(true, SECRET_KEY, "GET", served.host(), &all);
    all.push(("Signature", &signature));
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(all).finish();
    let request = format!("GET /?{query} HTTP/1.1\r\nHost: {}\r\n\r\n", served.host());
    let reply = exchange(&mut served.connect().await, request.as_bytes()).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["Response"].take()
}

#[tokio::test]
async fn a_room_may_have_any_name_of_500_characters() {
    let mut target = Target::start().await;
    let odd = "_a/\"b'&=%3D+ <i>\u{202e}🎉\\\n_7_";
    let long = format!("{odd}{}{odd}", "x".repeat(500 - 2 * odd.chars().count()));
    assert_eq!(long.chars().count(), 500);
    for room in [odd, &long, "_", "/", "🎉", "1400000001_7_1795370400"] {
        let joined = json!({"kind": "joined", "room": room, "user": room, "at_s": NOW_S});
        let reply = target.events(joined.to_string().as_bytes(), &[]).await;
        assert_eq!((reply.status, &reply.json()["new"]), (200, &1.into()), "{reply:?}");
        let comm_id = format!("{APP}_{room}_{NOW_S}");

        let (app, now) = (APP.to_string(), NOW_S.to_string());
        let window = [("SdkAppId", app.as_str()), ("StartTime", &now), ("EndTime", &now)];
        let by_get =
            ask_by_get(&target.served, "DescribeRoomInfo", &[&window[..], &[("RoomId", room)]].concat())
                .await;
        let by_json = json!({"SdkAppId": APP, "StartTime": NOW_S, "EndTime": NOW_S, "RoomId": room});
        let by_json = target.served.ask("DescribeRoomInfo", &by_json, NOW_S).await;
        for answer in [by_get, by_json] {
            let found = &answer["RoomList"][0];
            assert_eq!(answer["Total"], 1, "{answer}");
            assert_eq!((&found["RoomString"], &found["CommId"]), (&room.into(), &comm_id.as_str().into()));
        }

        let users = [("CommId", comm_id.as_str()), ("UserIds.0", room)];
        let by_get = ask_by_get(&target.served, "DescribeUserInfo", &[&window[..], &users].concat()).await;
        let by_json = json!({"SdkAppId": APP, "StartTime": NOW_S, "EndTime": NOW_S, "CommId": comm_id, "UserIds": [room]});
        let by_json = target.served.ask("DescribeUserInfo", &by_json, NOW_S).await;
        for answer in [by_get, by_json] {
            let found = &answer["UserList"][0];
            assert_eq!(answer["Total"], 1, "{answer}");
            assert_eq!((&found["RoomStr"], &found["UserId"]), (&room.into(), &room.into()));
        }
    }
    let emoji = "🎉".repeat(500);
    let parts = ["room", "2000 bytes long, expected at most 512"];
    target.check_events(&line("").replace("\"r\"", &format!("\"{emoji}\"")), &parts).await;
    target.check_callback(&callback(&format!("\"{emoji}\"")), &["EventInfo.RoomId", parts[1]]).await;
    target.end(16 * MEBIBYTE).await;
}

#[tokio::test]
async fn times_without_sense_are_told() {
    let mut target = Target::start().await;
    for time in ["0", "18446744073709551615"] {
        let told = format!("{time} is no plausible time");
        let now = format!("{NOW_S}");
        target.check_events(&line("").replace(&now, time), &["at_s", &told]).await;
        let in_ms = line("").replace("at_s", "at_ms").replace(&now, time);
        target.check_events(&in_ms, &["at_ms", &told]).await;
        target.check_events(&line(&format!(",\"join_hint_ms\":{time}")), &["join_hint_ms", &told]).await;
        let callback =
            callback("7").replace(&format!("\"EventMsTs\":{NOW_S}000"), &format!("\"EventMsTs\":{time}"));
        target.check_callback(&callback, &["EventInfo.EventMsTs", &told]).await;
    }
    target
        .check_events(&line("").replace(&NOW_S.to_string(), "18446744073709551616"), &["at_s", "2^64-1"])
        .await;
    let window =
        |start: &str, end: &str| format!(r#"{{"SdkAppId":{APP},"StartTime":{start},"EndTime":{end}}}"#);
    let most = u64::MAX.to_string();
    target.check_question(&window("0", "0"), "InvalidParameter.StartTs", &["StartTime"]).await;
    target.check_question(&window("1", "1"), "InvalidParameter.StartTsOversize", &["StartTime"]).await;
    target.check_question(&window(&most, "0"), "InvalidParameter.EndTs", &["EndTime"]).await;
    target.check_question(&window("18446744073709551616", "1"), "InvalidParameter", &["StartTime"]).await;
    let reply = target
        .served
        .ask("DescribeRoomInfo", &serde_json::from_str(&window(&most, &most)).expect("JSON"), NOW_S)
        .await;
    assert_eq!(reply["Total"], 0, "{reply}");
    target.end(16 * MEBIBYTE).await;
}
