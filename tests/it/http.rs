//! The server over a real socket: routing, sizes, times, memory, stopping. What is sent is written as raw bytes.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rollbook::actions::{Account, Api, Key, Policy};
use rollbook::clock::Clock;
use rollbook::http::{self, Bounds, Ids, Server, listen, tls};
use rollbook::ingest::{App, Apps, ClientIpPolicy, Ingest, Janus};
use rollbook::limits::{Edition, Secret};
use rollbook::records::quality::Series;
use rollbook::records::{AppId, Call, CommId, Event, Millis};
use rollbook::store::{
    Appended, CallQuery, Counts, ExportQuery, Exported, Figures, Forgotten, Memory, News, Person,
    SampleQuery, SessionPage, SessionQuery, Store, StoreError, Swept, UserCall, UserCallsQuery, UserQuery,
    UserSeen, UsersQuery,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

use crate::server::{
    self, APP, BEARER, INGEST_TOKEN, Reply, SECRET_ID, SECRET_KEY, exchange, gzip, post, read_reply,
};

const NOW_S: i64 = 1_795_370_400;
const CALLBACK_KEY: &str = "callbackKey";

/// A store that does as it is told: nothing works, or appending waits.
struct Moody {
    memory: Memory,
    broken: bool,
    /// Each batch takes one of these.
    leave: Semaphore,
    /// And adds one of these before.
    asked: Semaphore,
}

impl Moody {
    fn good() -> Moody {
        let leave = Semaphore::new(Semaphore::MAX_PERMITS);
        Moody { memory: Memory::default(), broken: false, leave, asked: Semaphore::new(0) }
    }

    fn broken() -> Moody {
        Moody { broken: true, ..Moody::good() }
    }

    fn waiting() -> Moody {
        Moody { leave: Semaphore::new(0), ..Moody::good() }
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.broken { Err(StoreError::Unavailable("no disk".to_owned())) } else { Ok(()) }
    }
}

impl Store for Moody {
    async fn append(&self, events: Vec<Event>) -> Result<Appended, StoreError> {
        self.check()?;
        self.asked.add_permits(1);
        self.leave.acquire().await.expect("never closed").forget();
        self.memory.append(events).await
    }

    async fn sessions(&self, query: &SessionQuery<'_>) -> Result<SessionPage, StoreError> {
        self.check()?;
        self.memory.sessions(query).await
    }

    async fn calls(&self, query: &CallQuery<'_>) -> Result<Vec<Call>, StoreError> {
        self.check()?;
        self.memory.calls(query).await
    }

    async fn call(&self, app: AppId, comm_id: &CommId, horizon: Millis) -> Result<Option<Call>, StoreError> {
        self.check()?;
        self.memory.call(app, comm_id, horizon).await
    }

    async fn user_events(&self, query: &UserQuery<'_>) -> Result<Vec<Event>, StoreError> {
        self.check()?;
        self.memory.user_events(query).await
    }

    async fn users(&self, query: &UsersQuery<'_>) -> Result<Vec<UserSeen>, StoreError> {
        self.check()?;
        self.memory.users(query).await
    }

    async fn calls_of_user(&self, query: &UserCallsQuery<'_>) -> Result<Vec<UserCall>, StoreError> {
        self.check()?;
        self.memory.calls_of_user(query).await
    }

    async fn figures(&self, app: AppId, from_s: i64, to_s: i64) -> Result<Figures, StoreError> {
        self.check()?;
        self.memory.figures(app, from_s, to_s).await
    }

    async fn append_samples(&self, series: Vec<Series>) -> Result<(), StoreError> {
        self.check()?;
        self.memory.append_samples(series).await
    }

    async fn samples(&self, query: &SampleQuery<'_>) -> Result<Vec<Series>, StoreError> {
        self.check()?;
        self.memory.samples(query).await
    }

    async fn sweep(&self, horizon: Millis) -> Result<Swept, StoreError> {
        self.memory.sweep(horizon).await
    }

    async fn forget(&self, person: &Person, key: [u8; 32]) -> Result<Forgotten, StoreError> {
        self.memory.forget(person, key).await
    }

    fn news(&self) -> &News {
        self.memory.news()
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.check()?;
        self.memory.counts().await
    }

    fn days(&self) -> Result<BTreeSet<(AppId, i64)>, StoreError> {
        self.memory.days()
    }

    fn export(
        &self,
        query: &ExportQuery,
        sink: &mut dyn FnMut(Exported<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.memory.export(query, sink)
    }
}

/// A server that is running, until it is dropped or stopped.
struct Running {
    address: SocketAddr,
    store: Arc<Moody>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

/// Small bounds, so that tests need neither time nor memory.
fn small() -> Bounds {
    Bounds {
        api_body_bytes: 10_000,
        callback_body_bytes: 2_000,
        events_body_bytes: 20_000,
        discarded_bytes: 5_000,
        ..Bounds::default()
    }
}

fn start(bounds: Bounds, store: Moody) -> Running {
    start_with(bounds, store, None)
}

fn start_with(bounds: Bounds, store: Moody, tls: Option<Arc<tls::Tls>>) -> Running {
    let key = Key {
        secret_id: SECRET_ID.to_owned(),
        secret_key: Secret::new(SECRET_KEY),
        token: None,
        expires_at_s: None,
    };
    let account = Account {
        name: "test".to_owned(),
        edition: Edition::Advanced,
        keys: vec![key],
        apps: vec![AppId(APP)],
    };
    let policy = Policy { accounts: vec![account], requests_per_second: 0, ..Policy::default() };
    let app = App {
        trtc_callback_key: Some(Secret::new(CALLBACK_KEY)),
        ingest_token: Some(Secret::new(INGEST_TOKEN)),
        janus: Some(Janus { credentials: None }),
        ..App::new(AppId(APP))
    };
    let apps = Apps::new(vec![app], ClientIpPolicy::Keep);
    let store = Arc::new(store);
    let server = Server::new(
        Api::new(policy, Arc::clone(&store)),
        Ingest::new(apps),
        Arc::clone(&store),
        Clock::standing_at(NOW_S),
        Ids::new([1; 16]),
        Arc::new(http::metrics()),
        bounds,
    );
    let listener = listen::bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(listen::serve(Arc::new(server), listener, tls, async {
        // Dropping the sender stops too.
        let _ = stopped.await;
    }));
    Running { address, store, stop, served }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connected")
    }

    async fn send(&self, request: &[u8]) -> Reply {
        exchange(&mut self.connect().await, request).await
    }

    async fn post(&self, path: &str, headers: &[&str], body: &[u8]) -> Reply {
        self.send(&post(path, headers, body)).await
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        self.served.await.expect("stopped");
    }
}

fn callback(user: &str) -> String {
    format!(
        r#"{{"EventGroupId":1,"EventType":103,"CallbackTs":{NOW_S}000,"EventInfo":{{"RoomId":7,"EventTs":{NOW_S},"EventMsTs":{NOW_S}000,"UserId":"{user}","Role":20,"TerminalType":1,"UserType":1,"Reason":1}}}}"#
    )
}

fn callback_sign(body: &str) -> String {
    server::callback_sign(CALLBACK_KEY, body)
}

fn signed(host: &str, action: &str, body: &str) -> Vec<u8> {
    server::signed(host, action, body, NOW_S)
}

const QUESTION: &str = r#"{"CommId":"1400000001_7_1795370400","StartTime":1795370400,"EndTime":1795370500,"SdkAppId":1400000001}"#;

#[tokio::test]
async fn every_path_takes_its_methods_and_no_other() {
    let server = start(small(), Moody::good());
    let check = async |method: &str, path: &str, status: u16, allow: Option<&str>| {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        let reply = server.send(request.as_bytes()).await;
        assert_eq!((reply.status, reply.header("allow")), (status, allow), "{method} {path}");
    };
    check("GET", "/", 200, None).await;
    check("POST", "/", 200, None).await;
    check("PUT", "/", 200, None).await;
    check("GET", "/?", 200, None).await;
    check("get", "/", 200, None).await;
    check("GET", "/healthz", 200, None).await;
    check("GET", "/readyz", 200, None).await;
    check("GET", "/metrics", 200, None).await;
    check("GET", "/client/rollbook.js", 200, None).await;
    check("POST", "/healthz", 405, Some("GET, HEAD")).await;
    check("POST", "/client/rollbook.js", 405, Some("GET, HEAD")).await;
    check("GET", "/ingest/trtc", 405, Some("POST")).await;
    check("PUT", "/ingest/events", 405, Some("POST")).await;
    check("DELETE", "/ingest/attributes", 405, Some("POST, OPTIONS")).await;
    check("OPTIONS", "/ingest/attributes", 200, None).await;
    check("GET", "/ingest", 404, None).await;
    check("GET", "/ui/", 404, None).await;
    check("GET", "/healthz/", 404, None).await;
    check("GET", "/client/", 404, None).await;
    check("GET", "//", 404, None).await;
    server.stop().await;
}

#[tokio::test]
async fn the_script_for_pages_is_served_to_all_of_them() {
    let server = start(small(), Moody::good());
    let get = async |headers: &str| {
        let request = format!("GET /client/rollbook.js HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        server.send(request.as_bytes()).await
    };
    let reply = get("Origin: https://app.example\r\n").await;
    assert_eq!(reply.body.as_bytes(), include_bytes!("../../src/http/client.js"));
    assert!(reply.body.len() < 6_000, "{} bytes", reply.body.len());
    let tag = reply.header("etag").expect("a tag").to_owned();
    let check = |reply: &Reply, status: u16| {
        assert_eq!(reply.status, status, "{reply:?}");
        assert_eq!(reply.header("etag"), Some(tag.as_str()));
        assert_eq!(reply.header("cache-control"), Some("no-cache"));
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        assert_eq!(reply.header("cross-origin-resource-policy"), Some("cross-origin"));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    };
    check(&reply, 200);
    assert_eq!(reply.header("content-type"), Some("text/javascript; charset=utf-8"));
    check(&get("If-None-Match: \"another\"\r\n").await, 200);
    check(&get(&format!("If-None-Match: \"another\", W/{tag}\r\n")).await, 304);
    server.stop().await;
}

#[tokio::test]
async fn api_replies_have_status_200_and_exactly_one_plain_json_type() {
    let server = start(small(), Moody::good());
    let check = async |request: &[u8], code: &str| {
        let reply = server.send(request).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
        assert_eq!(reply.code(), code, "{}", String::from_utf8_lossy(request));
        let id = reply.json()["Response"]["RequestId"].as_str().map(str::len);
        assert_eq!(id, Some(36));
    };
    check(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "MissingParameter").await;
    check(b"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", "UnsupportedProtocol").await;
    check(&post("/", &["Content-Type: application/json"], b"{}"), "InvalidParameter").await;
    check(b"GET /?Action=%ff%zz HTTP/1.0\r\n\r\n".as_slice(), "InvalidParameter.UrlParamsError").await;
    check(&signed("x", "DescribeUserInfo", QUESTION), "").await;
    server.stop().await;
}

#[tokio::test]
async fn odd_headers_do_not_matter() {
    let server = start(small(), Moody::good());
    // tccli sends its endpoint, scheme and all.
    let reply = server.send(&signed("http://127.0.0.1:9180", "DescribeUserInfo", QUESTION)).await;
    assert_eq!((reply.status, reply.code().as_str()), (200, ""));

    let odd = signed("x", "DescribeUserInfo", QUESTION);
    let odd = [
        b"POST / HTTP/1.1\r\nX-Odd: \xff\xfe\r\nX-Odd: again\r\nX-Odd:\r\nx-tc-TraceId: abc-1\r\nAccept: text/html\r\n",
        &odd["POST / HTTP/1.1\r\n".len()..],
    ]
    .concat();
    let reply = server.send(&odd).await;
    assert_eq!((reply.status, reply.code().as_str()), (200, ""));
    assert_eq!(reply.header("x-tc-traceid"), Some("abc-1"));
    server.stop().await;
}

#[tokio::test]
async fn connections_are_kept() {
    let server = start(small(), Moody::good());
    let mut stream = server.connect().await;
    for _ in 0..3 {
        let reply = exchange(&mut stream, &signed("x", "DescribeUserInfo", QUESTION)).await;
        assert_eq!(reply.code(), "");
    }
    server.stop().await;
}

#[tokio::test]
async fn too_large_api_bodies_are_answered_by_the_api() {
    let server = start(small(), Moody::good());
    let check = async |name: &str, request: &[u8]| {
        let reply = server.send(request).await;
        let got = (reply.status, reply.code());
        assert_eq!(got, (200, "RequestSizeLimitExceeded".to_owned()), "{name}");
    };
    check("a little too large, sent whole", &post("/", &[], &[b'x'; 12_000])).await;
    check(
        "far too large, only announced",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\nabc",
    )
    .await;
    let mut endless = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..20 {
        endless.extend_from_slice(b"400\r\n");
        endless.extend_from_slice(&[b'x'; 1_024]);
        endless.extend_from_slice(b"\r\n");
    }
    check("chunked without an end", &endless).await;
    server.stop().await;
}

#[tokio::test]
async fn slow_senders_are_not_waited_for() {
    let bounds = Bounds {
        body_timeout: Duration::from_millis(20),
        head_timeout: Duration::from_millis(20),
        ..small()
    };
    let server = start(bounds, Moody::good());
    let check = async |path: &str, status: u16| {
        let begun = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nSdkAppId: 1\r\n{BEARER}\r\nContent-Length: 10\r\n\r\nabc"
        );
        let mut stream = server.connect().await;
        let reply = exchange(&mut stream, begun.as_bytes()).await;
        assert_eq!((reply.status, reply.header("connection")), (status, Some("close")), "{path}");
        assert!(read_reply(&mut stream).await.is_none(), "the connection is closed");
    };
    check("/", 408).await;
    // Some senders take a 408 for the end of it.
    check("/ingest/trtc", 503).await;
    check("/ingest/events", 503).await;

    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nHo").await.expect("written");
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"), "a head that never ends is closed");
    server.stop().await;
}

#[tokio::test]
async fn receivers_who_do_not_receive_are_not_waited_for() {
    let server = start(Bounds { write_timeout: Duration::from_millis(20), ..small() }, Moody::good());
    let mut stream = server.connect().await;
    // Ends when the server has closed the connection, and only then.
    while stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.is_ok() {}
    server.stop().await;
}

#[tokio::test]
async fn callbacks_are_acknowledged_refused_or_asked_for_again() {
    let server = start(small(), Moody::good());
    let app = format!("SdkAppId: {APP}");
    let check = async |name: &str, headers: &[&str], body: &str, status: u16| {
        let reply = server.post("/ingest/trtc", headers, body.as_bytes()).await;
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (status, Some("application/json")),
            "{name}"
        );
        let json = reply.json();
        if status == 200 {
            assert_eq!(reply.body, r#"{"code":0}"#, "{name}");
        } else {
            assert_eq!(json["code"], status, "{name}");
            assert!(json["message"].as_str().is_some_and(|message| !message.is_empty()), "{name}");
        }
    };
    let body = callback("alice");
    let sign = format!("Sign: {}", callback_sign(&body));
    check("good", &[&app, &sign], &body, 200).await;
    check("again", &[&app, &sign], &body, 200).await;
    check("no signature", &[&app], &body, 401).await;
    check("another body", &[&app, &sign], &callback("mallory"), 401).await;
    check("unknown application", &["SdkAppId: 5", &sign], &body, 404).await;
    check("no application", &[&sign], &body, 400).await;
    let broken = format!("Sign: {}", callback_sign("{"));
    check("no JSON", &[&app, &broken], "{", 400).await;
    check("too large", &[&app, &sign], &"x".repeat(3_000), 413).await;

    let reply = server.send(&signed("x", "DescribeUserInfo", QUESTION)).await;
    assert_eq!(reply.json()["Response"]["Total"], 1, "{}", reply.body);
    let metrics = server.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.body;
    for line in [
        "rollbook_events_accepted_total 1",
        "rollbook_events_duplicate_total 1",
        "rollbook_events_refused_total{reason=\"bad_signature\"} 1",
        "rollbook_events_refused_total{reason=\"too_large\"} 1",
        "rollbook_events_refused_total{reason=\"other\"} 0",
        "rollbook_requests_total{action=\"DescribeUserInfo\",code=\"OK\"} 1",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line} is not in\n{metrics}");
    }
    server.stop().await;
}

#[tokio::test]
async fn lines_are_kept_or_refused_one_by_one() {
    let server = start(small(), Moody::good());
    let good = format!(r#"{{"kind":"joined","room":"7","user":"bob","at_s":{NOW_S}}}"#);
    let body = format!("{good}\nnonsense\n{good}\n");
    let check = async |name: &str, headers: &[&str], body: &[u8], status: u16| {
        let reply = server.post("/ingest/events", headers, body).await;
        assert_eq!(reply.status, status, "{name}: {}", reply.body);
        reply
    };
    let reply = check("good and bad", &[BEARER], body.as_bytes(), 200).await;
    assert!(reply.body.contains("\"line\":2"), "{}", reply.body);
    check("packed", &[BEARER, "Content-Encoding: gzip"], &gzip(body.as_bytes()), 200).await;
    check("nothing good", &[BEARER], b"nonsense\n", 400).await;
    check("nothing", &[BEARER], b"", 200).await;
    check("no token", &[], body.as_bytes(), 401).await;
    check("another's token", &["Authorization: Bearer other"], body.as_bytes(), 401).await;
    check("no gzip", &[BEARER, "Content-Encoding: gzip"], body.as_bytes(), 400).await;
    check("packed otherwise", &[BEARER, "Content-Encoding: br"], body.as_bytes(), 415).await;
    check("too large", &[BEARER], &[b'\n'; 22_000], 413).await;
    let twice = [gzip(good.as_bytes()), gzip(b"\n")].concat();
    check("packed in two parts", &[BEARER, "Content-Encoding: gzip"], &twice, 200).await;
    let bomb = gzip(&vec![b'\n'; 5_000_000]);
    assert!(bomb.len() < 20_000, "the bomb itself is small");
    check("a bomb", &[BEARER, "Content-Encoding: gzip"], &bomb, 413).await;
    server.stop().await;
}

#[tokio::test]
async fn a_broken_store_is_told_and_nothing_is_acknowledged() {
    let server = start(small(), Moody::broken());
    let body = callback("alice");
    let headers = [format!("SdkAppId: {APP}"), format!("Sign: {}", callback_sign(&body))];
    let reply = server.post("/ingest/trtc", &[&headers[0], &headers[1]], body.as_bytes()).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
    let line = format!(r#"{{"kind":"joined","room":"7","user":"bob","at_s":{NOW_S}}}"#);
    let reply = server.post("/ingest/events", &[BEARER], line.as_bytes()).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
    assert_eq!(server.send(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await.status, 503);
    assert_eq!(server.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.status, 200);
    let reply = server.send(&signed("x", "DescribeUserInfo", QUESTION)).await;
    assert_eq!((reply.status, reply.code().as_str()), (200, "InternalError.DBError"));
    server.stop().await;
}

#[tokio::test]
async fn a_sender_that_takes_any_status_for_success_gets_none_when_nothing_was_kept() {
    let joined =
        r#""event":{"plugin":"janus.plugin.videoroom","data":{"event":"joined","room":7,"id":"bob"}}"#;
    let joined = format!(r#"{{"type":64,"timestamp":{NOW_S}000000,"session_id":1,"handle_id":2,{joined}}}"#);
    let statistics =
        r#""event":{"mid":"0","media":"audio","lost":0,"packets-received":9,"bytes-received":900}"#;
    let statistics =
        format!(r#"{{"type":32,"timestamp":{NOW_S}000001,"session_id":1,"handle_id":2,{statistics}}}"#);
    let path = format!("/ingest/janus/{APP}");
    for store in [Moody::broken(), Moody::good()] {
        let broken = store.broken;
        let server = start(small(), store);
        for body in [&joined, &statistics] {
            let mut stream = server.connect().await;
            stream.write_all(&post(&path, &[], body.as_bytes())).await.expect("written");
            let status = read_reply(&mut stream).await.map(|reply| reply.status);
            assert_eq!(status, if broken { None } else { Some(200) }, "{body}");
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn large_bodies_share_a_budget() {
    let bounds = Bounds { bodies_bytes: 100_000, api_body_bytes: 1_000_000, ..small() };
    let server = start(bounds, Moody::good());
    let reply = server.post("/", &["Content-Type: application/json"], &[b' '; 90_000]).await;
    assert_eq!(reply.status, 200);
    let reply = server.post("/", &["Content-Type: application/json"], &[b' '; 110_000]).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
    let reply = server.post("/", &["Content-Type: application/json"], &[b' '; 90_000]).await;
    assert_eq!(reply.status, 200, "what was reserved is given back");
    server.stop().await;
}

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn more_connections_than_allowed_wait_while_all_are_at_work() {
    let server = start(Bounds { connections: 1, ..small() }, Moody::waiting());
    let body = callback("alice");
    let headers = [format!("SdkAppId: {APP}"), format!("Sign: {}", callback_sign(&body))];
    let mut first = server.connect().await;
    first
        .write_all(&post("/ingest/trtc", &[&headers[0], &headers[1]], body.as_bytes()))
        .await
        .expect("written");
    server.store.asked.acquire().await.expect("the store has been given the event").forget();
    let mut second = server.connect().await;
    second.write_all(HEALTH).await.expect("written");
    let early = tokio::time::timeout(Duration::from_millis(60), second.readable()).await;
    assert!(early.is_err(), "the second is not served beside the first");
    server.store.leave.add_permits(1);
    assert_eq!(read_reply(&mut first).await.map(|reply| reply.status), Some(200));
    assert_eq!(read_reply(&mut second).await.map(|reply| reply.status), Some(200), "the first is idle now");
    server.stop().await;
}

#[tokio::test]
async fn silent_connections_make_room_the_longest_silent_first() {
    let server = start(Bounds { connections: 3, ..small() }, Moody::good());
    let mut half_head = server.connect().await;
    half_head.write_all(&HEALTH[..20]).await.expect("written");
    let mut half_body = server.connect().await;
    let request = post("/ingest/events", &[BEARER], &[b' '; 1_000]);
    half_body.write_all(&request[..request.len() - 500]).await.expect("written");
    let mut lively = server.connect().await;
    let mut others = Vec::new();
    for _ in 0..2 {
        let mut another = server.connect().await;
        assert_eq!(exchange(&mut another, HEALTH).await.status, 200);
        assert_eq!(exchange(&mut lively, HEALTH).await.status, 200, "it has just spoken");
        others.push(another);
    }
    for silent in [&mut half_head, &mut half_body] {
        assert!(read_reply(silent).await.is_none(), "closed without a word");
    }
    let metrics = exchange(&mut lively, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let counted = "rollbook_connections_closed_for_others_total 2";
    assert!(metrics.body.contains(counted), "{metrics:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_head_may_be_so_large() {
    let server = start(Bounds { head_bytes: 16_384, ..small() }, Moody::good());
    let head =
        |bytes: usize| format!("GET /healthz HTTP/1.1\r\nHost: x\r\nFiller: {}\r\n\r\n", "x".repeat(bytes));
    assert_eq!(server.send(head(15_000).as_bytes()).await.status, 200);
    assert_eq!(server.send(head(20_000).as_bytes()).await.status, 431);
    server.stop().await;
}

#[tokio::test]
async fn a_delivery_that_does_not_come_in_time_is_asked_for_again() {
    let bounds = Bounds { body_timeout: Duration::from_millis(30), ..small() };
    let server = start(bounds, Moody::good());
    for (path, status) in [
        ("/ingest/trtc", Some(503)),
        ("/ingest/events", Some(503)),
        ("/ingest/janus/1400000001", None),
        ("/", Some(408)),
    ] {
        let request = post(path, &[BEARER], &[b' '; 100]);
        let mut stream = server.connect().await;
        stream.write_all(&request[..request.len() - 1]).await.expect("written");
        let reply = read_reply(&mut stream).await;
        assert_eq!(reply.map(|reply| reply.status), status, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn stopping_lets_running_requests_finish_and_takes_no_new_ones() {
    let server = start(small(), Moody::waiting());
    let (address, store) = (server.address, Arc::clone(&server.store));
    let mut idle = server.connect().await;
    assert_eq!(exchange(&mut idle, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.status, 200);
    let body = callback("alice");
    let headers = [format!("SdkAppId: {APP}"), format!("Sign: {}", callback_sign(&body))];
    let mut busy = server.connect().await;
    busy.write_all(&post("/ingest/trtc", &[&headers[0], &headers[1]], body.as_bytes()))
        .await
        .expect("written");
    store.asked.acquire().await.expect("the store has been given the event").forget();
    let stopping = tokio::spawn(server.stop());
    assert!(read_reply(&mut idle).await.is_none(), "idle connections are closed");
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    store.leave.add_permits(1);
    let reply = read_reply(&mut busy).await.expect("the running request is answered");
    assert_eq!((reply.status, reply.header("connection")), (200, Some("close")));
    stopping.await.expect("stopped");
}

#[tokio::test]
async fn requests_that_never_end_do_not_hold_up_the_stop() {
    let server = start(Bounds { shutdown_grace: Duration::from_millis(20), ..small() }, Moody::waiting());
    let body = callback("alice");
    let headers = [format!("SdkAppId: {APP}"), format!("Sign: {}", callback_sign(&body))];
    let mut stream = server.connect().await;
    stream
        .write_all(&post("/ingest/trtc", &[&headers[0], &headers[1]], body.as_bytes()))
        .await
        .expect("written");
    server.store.asked.acquire().await.expect("the store has been given the event").forget();
    server.stop().await;
}

#[tokio::test]
async fn https_is_spoken_with_a_certificate() {
    let file = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls").join(name);
    let dir = server::temporary();
    let acceptor = tls::acceptor(&file("cert.pem"), &server::tls_key(dir.path())).expect("they fit");
    let server = start_with(small(), Moody::good(), Some(Arc::new(tls::Tls::new(acceptor))));

    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file("cert.pem")).expect("a certificate")).expect("a root");
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let name = ServerName::try_from("localhost").expect("a name");
    let mut stream = connector.connect(name, server.connect().await).await.expect("a handshake");
    let reply = exchange(&mut stream, &signed("localhost", "DescribeUserInfo", QUESTION)).await;
    assert_eq!((reply.status, reply.code().as_str()), (200, ""));
    drop(stream);
    server.stop().await;
}

#[test]
fn certificate_and_key_that_cannot_be_used_are_told() {
    let file = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls").join(name);
    let check = |cert: &str, key: &str, part: &str| {
        let error = tls::acceptor(&file(cert), Path::new(key)).err().expect("refused").to_string();
        assert!(error.contains(part), "{error}");
    };
    let dir = server::temporary();
    let key = server::tls_key(dir.path());
    let key = key.to_str().expect("text");
    check("none.pem", key, "none.pem");
    check("key.pem", key, "no certificate");
    std::fs::write(key, "nothing").expect("written");
    check("cert.pem", key, "key.pem: ");
    check("cert.pem", "none", "none: ");
}
