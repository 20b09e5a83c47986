//! A server with pages and a small world behind it: calls that ended, that run, that were inferred, of many, and of
//! people with hostile names; and calls of another account.

use std::collections::HashMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;

use rollbook::actions::{Account, Api, Policy};
use rollbook::clock::Clock;
use rollbook::http::{self, Bounds, Ids, Server, listen};
use rollbook::ingest::{Apps, ClientIpPolicy, Ingest};
use rollbook::limits::{Edition, Secret};
use rollbook::records::quality::{Flow, Measure, Metric, Series};
use rollbook::records::{AppId, CommId, Event, Kind, Millis, Track};
use rollbook::store::{CallQuery, Memory, Store as _};
use rollbook::web::{Access, Web, hash_password};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

pub(crate) const NOW_S: i64 = 1_795_377_600;
/// When the calls that ended began: 13:00:07 UTC.
pub(crate) const BEGAN_S: i64 = NOW_S - 2 * 3_600 + 7;
/// The application of account `one`, and that of account `two`.
pub(crate) const APP: u64 = 1_400_000_001;
pub(crate) const FOREIGN_APP: u64 = 1_400_000_002;
/// In every name of account `one` and in none of `two`.
pub(crate) const MARK: &str = "zebra";
pub(crate) const PASSWORD: &str = "correct horse";

/// Names that somebody chose in order to break a page; each also names a room.
pub(crate) fn hostile() -> Vec<String> {
    let long = format!("zebra-{}", "x".repeat(494));
    let names = [
        "zebra<img src=x onerror=alert(1)>",
        "zebra\"'><script>alert(1)</script>",
        "zebra' onmouseover='alert(1)",
        "zebra\u{202e}gnp.exe\u{2066}",
        "zebra😀👩‍👩‍👧 李",
        "../../zebra/..%2f?a=b&c#d",
        "zebra\nnew\tline\r\n",
        "</title></textarea><!--zebra",
        "zebra,comma + plus %00 %",
        &long,
    ];
    names.map(str::to_owned).to_vec()
}

fn event(app: u64, room: &str, user: &str, kind: Kind, second: i64) -> Event {
    Event::new(AppId(app), "trtc", room, user, kind, Millis::from_secs(second))
}

/// A call: each user's seconds of joining and leaving.
fn call(
    app: u64,
    room: &str,
    created: i64,
    ended: Option<i64>,
    stays: &[(&str, i64, Option<i64>)],
) -> Vec<Event> {
    let mut events = vec![event(app, room, stays[0].0, Kind::RoomCreated, created)];
    for (user, joined, left) in stays {
        events.push(event(app, room, user, Kind::UserJoined, *joined));
        events.push(event(app, room, user, Kind::Media { track: Track::Audio, on: true }, *joined + 5));
        events.extend(left.map(|left| event(app, room, user, Kind::UserLeft, left)));
    }
    events.extend(ended.map(|ended| event(app, room, "", Kind::RoomDestroyed, ended)));
    events
}

/// What a user measured every 10 seconds, up and from one peer.
fn measured(room: &str, user: &str, peer: &str, from: i64, to: i64, loss: f64) -> Vec<Series> {
    let series = |peer: &str, metrics: &[(Metric, f64)]| {
        let flow = Flow {
            app: AppId(APP),
            room: room.to_owned(),
            user: user.to_owned(),
            peer: peer.to_owned(),
            connection: "PC_0".to_owned(),
        };
        let points = |value: f64| (from..to).step_by(10).map(|at| (Millis::from_secs(at), value)).collect();
        let columns = metrics.iter().map(|(metric, value)| (Measure::Gauge(*metric), points(*value)));
        Series { flow, columns: columns.collect() }
    };
    let up = [(Metric::VideoBitRate, 1_200_000.0), (Metric::RoundTrip, 60.0), (Metric::AppCpu, 30.0)];
    let down = [(Metric::AudioLoss, loss), (Metric::VideoBlock, loss * 50.0), (Metric::DecodeRate, 24.0)];
    vec![series("", &up), series(peer, &down)]
}

/// Room names of what there is, each with the word that stands for its CommId in addresses.
const CALLS: [(&str, &str); 5] = [
    ("ended", "zebra-ended"),
    ("running", "zebra-running"),
    ("inferred", "zebra-inferred"),
    ("large", "zebra-large"),
    ("hostile", "zebra-hostile"),
];

/// Users of the large call; one of them comes twice.
const LARGE_USERS: i64 = 199;

fn events() -> Vec<Event> {
    let (began, ended) = (BEGAN_S, BEGAN_S + 3_600);
    let mut events = call(
        APP,
        "zebra-ended",
        began,
        Some(ended),
        &[("zebra-alice", began, Some(ended)), ("zebra-bob", began + 60, Some(ended - 60))],
    );
    let running = [("zebra-carol", NOW_S - 600, None), ("zebra-dave", NOW_S - 500, Some(NOW_S - 100))];
    events.extend(call(APP, "zebra-running", NOW_S - 600, None, &running));
    // Nobody told that these left: the room was closed around one, the other came again.
    let stays =
        [("zebra-erin", began, None), ("zebra-frank", began, None), ("zebra-frank", began + 900, None)];
    events.extend(call(APP, "zebra-inferred", began, Some(ended), &stays));
    let names: Vec<String> = (0..LARGE_USERS).map(|n| format!("zebra-user-{n:03}")).collect();
    let mut stays: Vec<(&str, i64, Option<i64>)> =
        (0..).zip(&names).map(|(n, name)| (name.as_str(), began + n * 7, Some(ended - n * 3 - 10))).collect();
    stays.push(("zebra-user-000", ended - 8, Some(ended - 2)));
    events.extend(call(APP, "zebra-large", began, Some(ended), &stays));
    let names = hostile();
    let stays: Vec<(&str, i64, Option<i64>)> =
        (0..).zip(&names).map(|(n, name)| (name.as_str(), began + n, Some(ended))).collect();
    events.extend(call(APP, "zebra-hostile", began, Some(ended), &stays));
    for room in &names {
        events.extend(call(APP, room, began, Some(ended), &[("zebra-alice", began, Some(ended))]));
    }
    let foreign = [("mallory", began, Some(ended))];
    events.extend(call(FOREIGN_APP, "mallory-room", began, Some(ended), &foreign));
    events
}

fn samples() -> Vec<Series> {
    let (began, ended) = (BEGAN_S, BEGAN_S + 3_600);
    let mut all = measured("zebra-ended", "zebra-alice", "zebra-bob", began, ended, 0.2);
    all.extend(measured("zebra-ended", "zebra-bob", "zebra-alice", began + 60, ended - 60, 7.0));
    all.extend(measured("zebra-running", "zebra-carol", "zebra-dave", NOW_S - 600, NOW_S, 3.0));
    for name in hostile() {
        all.extend(measured("zebra-hostile", &name, "zebra-alice", began, ended, 3.0));
    }
    for (n, loss) in (0..LARGE_USERS).zip([0.0, 0.5, 3.0, 8.0, 1.0].into_iter().cycle()) {
        let (from, to) = (began + n * 7, ended - n * 3 - 10);
        all.extend(measured("zebra-large", &format!("zebra-user-{n:03}"), "zebra-user-000", from, to, loss));
    }
    all
}

pub(crate) fn policy() -> Policy {
    let account = |name: &str, app: u64| Account {
        name: name.to_owned(),
        edition: Edition::Advanced,
        keys: Vec::new(),
        apps: vec![AppId(app)],
    };
    Policy {
        accounts: vec![account("one", APP), account("two", FOREIGN_APP)],
        requests_per_second: 0,
        ..Policy::default()
    }
}

/// Passwords of both accounts.
pub(crate) fn passwords() -> Access {
    let line = |account: &str, salt: u8| hash_password(account, PASSWORD.as_bytes(), &[salt; 16]).unwrap();
    Access::with_passwords(&format!("{}\n{}\n", line("one", 1), line("two", 2)), Secret::key([9; 32]))
        .unwrap()
}

/// A server that runs until it is dropped.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    /// The words of [`CALLS`] and what stands for them.
    words: HashMap<String, String>,
    _stop: oneshot::Sender<()>,
}

impl Site {
    pub(crate) async fn start(access: Access, is_tls: bool) -> Site {
        let store = Arc::new(Memory::default());
        store.append(events()).await.unwrap();
        store.append_samples(samples()).await.unwrap();
        let words = words(&store).await;
        let (address, stop) = serve(store, policy(), Clock::standing_at(NOW_S), Some((access, is_tls)));
        Site { address, words, _stop: stop }
    }

    /// An address with its words replaced: `{ended}` by the CommId of that call, as a part of a path.
    pub(crate) fn path(&self, path: &str) -> String {
        self.words
            .iter()
            .fold(path.to_owned(), |path, (word, meant)| path.replace(&format!("{{{word}}}"), meant))
    }

    /// Sends one request; `headers` are lines.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Got {
        let host = format!("Host: {}", self.address);
        let all: Vec<&str> = match headers.iter().any(|header| header.starts_with("Host:")) {
            true => headers.to_vec(),
            false => [&[host.as_str()], headers].concat(),
        };
        send(self.address, method, path, &all, body).await
    }

    pub(crate) async fn get(&self, path: &str, headers: &[&str]) -> Got {
        self.send("GET", path, headers, "").await
    }
}

/// The CommIds of the calls, as they stand in addresses.
async fn words(store: &Memory) -> HashMap<String, String> {
    let mut words = HashMap::new();
    let all = CALLS.into_iter().map(|(word, room)| (word, room, APP));
    for (word, room, app) in all.chain([("foreign", "mallory-room", FOREIGN_APP)]) {
        let query = CallQuery {
            app: AppId(app),
            room: Some(room),
            from_s: 0,
            to_s: NOW_S,
            skip: 0,
            take: 2,
            now: Millis::from_secs(NOW_S),
            horizon: Millis(0),
        };
        let calls = store.calls(&query).await.unwrap();
        assert_eq!(calls.len(), 1, "{room}");
        words.insert(word.to_owned(), escaped(calls[0].comm_id.as_str()));
    }
    words.insert("nothing".to_owned(), escaped(CommId::new(AppId(APP), "no-room", BEGAN_S).as_str()));
    words
}

/// A text as a part of an address.
pub(crate) fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Serves a store, with pages or without.
pub(crate) fn serve(
    store: Arc<Memory>,
    policy: Policy,
    clock: Clock,
    pages: Option<(Access, bool)>,
) -> (SocketAddr, oneshot::Sender<()>) {
    let mut server = Server::new(
        Api::new(policy.clone(), Arc::clone(&store)),
        Ingest::new(Apps::new(Vec::new(), ClientIpPolicy::Keep)),
        Arc::clone(&store),
        clock,
        Ids::new([1; 16]),
        Arc::new(http::metrics()),
        Bounds::default(),
    );
    if let Some((access, is_tls)) = pages {
        server = server.with_pages(Web::new(policy, store, access), is_tls);
    }
    let listener = listen::bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(listen::serve(Arc::new(server), listener, None, async {
        // Dropping the sender stops too.
        let _ = stopped.await;
    }));
    (address, stop)
}

/// A reply as it came.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The body, unpacked.
    pub(crate) fn text(&self) -> String {
        if self.header("content-encoding") == Some("gzip") {
            let mut text = String::new();
            flate2::read::GzDecoder::new(&*self.body).read_to_string(&mut text).expect("packed text");
            return text;
        }
        String::from_utf8(self.body.clone()).expect("text")
    }
}

/// One request over a connection of its own, which the server closes.
pub(crate) async fn send(address: SocketAddr, method: &str, path: &str, headers: &[&str], body: &str) -> Got {
    let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    for header in headers {
        request.push_str(&format!("{header}\r\n"));
    }
    if !body.is_empty() {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    request.push_str(&format!("\r\n{body}"));
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.expect("a reply");
    let end = all.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(all[..end].to_vec()).expect("a head is text");
    let headers = head.lines().skip(1).map(|line| line.split_once(": ").expect("a header"));
    Got {
        status: head[9..12].parse().expect("a status"),
        headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect(),
        body: all[end + 4..].to_vec(),
    }
}
