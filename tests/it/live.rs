//! The Live page, its stream over a real socket, and Trends.

use std::sync::Arc;
use std::time::Duration;

use rollbook::actions::{Account, Api, Policy};
use rollbook::clock::Clock;
use rollbook::http::{self, Bounds, Ids, Server, listen};
use rollbook::ingest::{Apps, ClientIpPolicy, Ingest};
use rollbook::limits::Edition;
use rollbook::records::{AppId, Event, Kind, Millis};
use rollbook::store::{Memory, Store as _};
use rollbook::web::{Access, Web};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::server::{Reply, exchange};

const APP: AppId = AppId(1_400_000_001);
const HOSTILE: &str = "\"><img src=x onerror=alert(1)>\u{202e}'&amp;";
/// What a change may take until watchers have it, on a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(5);

struct Running {
    address: std::net::SocketAddr,
    store: Arc<Memory>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

fn start(bounds: Bounds) -> Running {
    let account =
        Account { name: "test".to_owned(), edition: Edition::Advanced, keys: vec![], apps: vec![APP] };
    let policy = Policy { accounts: vec![account], ..Policy::default() };
    let store = Arc::new(Memory::default());
    let server = Server::new(
        Api::new(policy.clone(), Arc::clone(&store)),
        Ingest::new(Apps::new(vec![], ClientIpPolicy::Keep)),
        Arc::clone(&store),
        Clock::system(),
        Ids::new([1; 16]),
        Arc::new(http::metrics()),
        bounds,
    )
    .with_pages(Web::new(policy, Arc::clone(&store), Access::open()), false);
    let listener = listen::bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(listen::serve(Arc::new(server), listener, None, async {
        // Dropping the sender stops too.
        let _ = stopped.await;
    }));
    Running { address, store, stop, served }
}

impl Running {
    async fn ask(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("connected");
        stream.write_all(request(path).as_bytes()).await.expect("written");
        stream
    }

    async fn get(&self, path: &str) -> Reply {
        let mut stream = TcpStream::connect(self.address).await.expect("connected");
        exchange(&mut stream, request(path).replace("Accept-Encoding: gzip\r\n", "").as_bytes()).await
    }

    async fn tell(&self, room: &str, user: &str, kind: Kind) {
        let event = Event::new(APP, "test", room, user, kind, Clock::system().now());
        self.store.append(vec![event]).await.expect("kept");
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        self.served.await.expect("stopped");
    }
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip\r\n\r\n")
}

/// Reads until what came has `part` in it; all that came.
async fn read_until(stream: &mut TcpStream, part: &str) -> String {
    let mut came = Vec::new();
    let reading = async {
        let mut buffer = [0; 4_096];
        loop {
            let text = String::from_utf8_lossy(&came);
            if text.contains(part) {
                return text.into_owned();
            }
            let bytes = stream.read(&mut buffer).await.expect("readable");
            assert!(bytes > 0, "it ended without {part:?}: {text}");
            came.extend_from_slice(&buffer[..bytes]);
        }
    };
    tokio::time::timeout(SOON, reading).await.unwrap_or_else(|_| panic!("no {part:?} in time"))
}

#[tokio::test]
async fn a_watcher_sees_a_call_begin_and_end() {
    let server = start(Bounds::default());
    let mut stream = server.ask("/ui/live/stream").await;
    let head = read_until(&mut stream, "\r\n\r\n").await.to_lowercase();
    for line in [
        "http/1.1 200 ok",
        "content-type: text/event-stream\r\n",
        "cache-control: no-store\r\n",
        "transfer-encoding: chunked\r\n",
        "x-content-type-options: nosniff\r\n",
    ] {
        assert!(head.contains(line), "{line}: {head}");
    }
    assert!(!head.contains("content-encoding") && !head.contains("content-length"), "{head}");
    if !head.contains("\"order\":[]") {
        read_until(&mut stream, "\"order\":[]").await;
    }

    server.tell("standup", "alice", Kind::UserJoined).await;
    let began = Clock::system().stopwatch();
    let change = read_until(&mut stream, "\"rows\":{\"1400000001%5Fstandup%5F").await;
    assert!(change.contains("alice"), "{change}");
    server.tell("standup", "", Kind::RoomDestroyed).await;
    read_until(&mut stream, "\"order\":[]").await;
    assert!(began.elapsed() < SOON);
    server.stop().await;
}

#[tokio::test]
async fn who_watches_a_call_is_told_of_it_alone() {
    let server = start(Bounds::default());
    server.tell("standup", "alice", Kind::UserJoined).await;
    let page = server.get("/ui/live").await.body;
    let begin = page.find("data-key=\"").expect("a row") + "data-key=\"".len();
    let comm_id = page[begin..].split('"').next().expect("its id");
    let mut stream = server.ask(&format!("/ui/live/stream?call={comm_id}")).await;
    read_until(&mut stream, "event: call\ndata: {\"over\":false}").await;
    server.tell("standup", "", Kind::RoomDestroyed).await;
    let told = read_until(&mut stream, "data: {\"over\":true}").await;
    assert!(!told.contains("order"), "{told}");
    assert_eq!(server.get("/ui/live/stream?call=9_standup_1").await.status, 404, "of another application");
    server.stop().await;
}

#[tokio::test]
async fn streams_end_when_the_server_stops() {
    let server = start(Bounds::default());
    let mut stream = server.ask("/ui/live/stream").await;
    read_until(&mut stream, "\"order\"").await;
    let began = Clock::system().stopwatch();
    server.stop().await;
    read_until(&mut stream, "0\r\n\r\n").await;
    assert!(began.elapsed() < SOON, "not at the end of the grace");
}

#[tokio::test]
async fn a_stream_ends_in_time_and_leaves_its_place_to_another() {
    let server = start(Bounds { watchers: 1, watch_timeout: Duration::from_secs(1), ..Bounds::default() });
    let mut stream = server.ask("/ui/live/stream").await;
    read_until(&mut stream, "\"order\"").await;
    let refused = server.get("/ui/live/stream").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    read_until(&mut stream, "0\r\n\r\n").await;
    let mut next = server.ask("/ui/live/stream").await;
    read_until(&mut next, "200 OK").await;
    server.stop().await;
}

#[tokio::test]
async fn a_watcher_who_goes_leaves_its_place() {
    let server = start(Bounds { watchers: 1, ..Bounds::default() });
    let mut stream = server.ask("/ui/live/stream").await;
    read_until(&mut stream, "\"order\"").await;
    drop(stream);
    let gone = async {
        loop {
            let mut stream = server.ask("/ui/live/stream").await;
            if read_until(&mut stream, "\r\n\r\n").await.contains("200 OK") {
                return;
            }
        }
    };
    tokio::time::timeout(SOON, gone).await.expect("a place");
    server.stop().await;
}

/// The page as everybody gets it, and as it is where ids are hostile.
#[tokio::test]
async fn the_page_is_whole_without_a_script_and_hostile_ids_are_text() {
    let server = start(Bounds::default());
    let empty = server.get("/ui/live").await;
    assert_eq!((empty.status, empty.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(empty.body.contains("No call is running."), "{}", empty.body);
    server.tell(HOSTILE, HOSTILE, Kind::UserJoined).await;
    // A page may be a second old; the stream tells when it is not.
    let stream = read_until(&mut server.ask("/ui/live/stream").await, "\"rows\"").await;
    let page = server.get("/ui/live?lang=en&tz=utc").await.body;
    for text in [&page, &stream] {
        assert!(!text.contains("<img"), "{text}");
        assert!(text.contains("&lt;img src=x onerror=alert(1)&gt;"), "{text}");
    }
    for part in [
        "<dl",
        "<dt>Online users</dt><dd>1</dd>",
        "id=\"rooms\"",
        "<details",
        "p.SdkAppId=1400000001",
        ">Refresh<",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains(" style=") && !page.contains("http:"), "{page}");
    let table = server.get("/ui/live?format=csv").await;
    assert_eq!(table.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(table.body.lines().count(), 2, "{}", table.body);
    assert_eq!(server.get("/ui/live?app=1400000002").await.status, 404);
    server.stop().await;
}

#[tokio::test]
async fn trends_show_every_day_and_say_which_is_not_over() {
    let server = start(Bounds::default());
    let nothing = server.get("/ui/trends").await.body;
    assert!(nothing.contains("Nobody entered a room on these days."), "{nothing}");
    let now = Clock::system().now();
    for (days_ago, users) in [(0, 1), (2, 3)] {
        let at = Millis(now.0 - days_ago * 86_400_000);
        let join = |user: usize| Event::new(APP, "test", "r", &format!("u{user}"), Kind::UserJoined, at);
        server.store.append((0..users).map(join).collect()).await.expect("kept");
    }
    let page = server.get("/ui/trends?lang=en").await.body;
    assert_eq!(page.matches("<g").count(), 6 * 7, "six charts of seven days");
    assert_eq!(page.matches("class=\"growing\"").count(), 6);
    assert!(page.contains("so far") && page.contains("/ui/explorer/DescribeScaleInfo?p.SdkAppId"), "{page}");
    assert!(page.contains("being counted"), "nobody waits for what is counted");
    let counted = async || {
        while server.get("/ui/trends").await.body.contains("data-counting") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), counted()).await.expect("it is counted behind the page");
    let table = server.get("/ui/trends?format=csv").await.body;
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 8);
    assert!(rows[0].starts_with("day,start_s,users,entries,rooms,is_complete,calls,peak_users"), "{table}");
    let has = |row: usize, part: &str| assert!(rows[row].contains(part), "{part} in {table}");
    // One call from the day before yesterday on: its users are inside to this day.
    has(5, ",3,3,1,true,1,3,1,");
    has(6, ",0,0,0,true,0,3,1,");
    has(7, ",1,1,1,false,0,3,1,");
    server.stop().await;
}
