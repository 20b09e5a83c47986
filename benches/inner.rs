//! The loops inside: what is checked, parsed, folded, looked up and written for each request or event. Run with
//! `cargo bench`; whole requests, files and rivals are the business of `benches/run`.

#![expect(clippy::unwrap_used, reason = "a bench that cannot prepare its input has nothing to measure")]

use std::sync::Arc;

use divan::Bencher;
use rollbook::actions::{Account, Api, Key, Policy};
use rollbook::ingest::{ClientIpPolicy, Terms, lines};
use rollbook::limits::{Edition, Secret};
use rollbook::records::fold::{self, EventSet};
use rollbook::records::{AppId, CommId, Event, Millis};
use rollbook::store::embedded::{Embedded, EmbeddedOptions};
use rollbook::store::{SessionQuery, Store as _};
use rollbook::wire::sign::{self, Post};
use rollbook::wire::{self, Body, Bounds, ErrorCode, Request, SigningKeys};
use uuid::Uuid;

const APP: AppId = AppId(1_400_000_001);
const ID: &str = "AKIDbench0000000000000000000000000001";
const SECRET: &str = "benchSecretKey0000000000000000001";
/// When the calls begin, 2026-06-01T00:00:00Z, and when they are asked for.
const BEGIN_S: i64 = 1_780_272_000;
const NOW_S: i64 = BEGIN_S + 7_200;
const BOUNDS: Bounds = Bounds {
    target_bytes: 1 << 12,
    form_bytes: 1 << 20,
    body_bytes: 1 << 20,
    parameters: 1_000,
    trace_id_bytes: 64,
};

fn main() {
    divan::main();
}

/// One call of so many users, as its source tells it.
fn told(room: &str, users: usize) -> String {
    let at = |ms: i64| BEGIN_S * 1_000 + ms;
    let mut lines = format!("{{\"kind\":\"room_created\",\"room\":\"{room}\",\"at_ms\":{}}}\n", at(0));
    for user in 0..users {
        let later = i64::try_from(user).unwrap() * 700;
        lines.push_str(&format!(
            "{{\"kind\":\"joined\",\"room\":\"{room}\",\"user\":\"user_{user:08}_ab\",\"at_ms\":{},\"attrs\":{{\"device\":\"iOS\",\"sdk_version\":\"4.3.14\",\"client_ip\":\"10.1.2.3\"}}}}\n\
             {{\"kind\":\"left\",\"room\":\"{room}\",\"user\":\"user_{user:08}_ab\",\"at_ms\":{},\"reason\":\"normal\"}}\n",
            at(500 + later),
            at(900_000 + later)
        ));
    }
    lines + &format!("{{\"kind\":\"room_destroyed\",\"room\":\"{room}\",\"at_ms\":{}}}\n", at(1_800_000))
}

fn parsed(text: &str) -> Vec<Event> {
    let terms = Terms { app: Some(APP), client_ip: ClientIpPolicy::default() };
    lines::parse(terms, text.as_bytes(), Millis::from_secs(NOW_S)).events
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// A store with a call of 6 users, one of 100 and one of 1,000.
fn store() -> (tempfile::TempDir, Embedded) {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path(), EmbeddedOptions::default()).unwrap();
    for users in [6, 100, 1_000] {
        runtime().block_on(store.append(parsed(&told(&format!("room-{users}"), users)))).unwrap();
    }
    (folder, store)
}

/// A signed question for the users of a call.
struct Asked {
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Asked {
    fn of(users: usize) -> Asked {
        let body = format!(
            "{{\"CommId\":\"{APP}_room-{users}_{BEGIN_S}\",\"StartTime\":{BEGIN_S},\"EndTime\":{NOW_S},\"SdkAppId\":{APP},\"PageNumber\":0,\"PageSize\":100}}"
        );
        let headers = sign::post(&Post {
            secret_id: ID,
            secret_key: SECRET,
            token: "",
            host: "127.0.0.1:9180",
            action: "DescribeUserInfo",
            region: "ap-guangzhou",
            timestamp_s: NOW_S.unsigned_abs(),
            body: body.as_bytes(),
        });
        Asked { headers, body }
    }

    fn headers(&self) -> Vec<(&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect()
    }

    fn request<'a>(&'a self, headers: &'a [(&'a str, &'a [u8])]) -> Request<'a> {
        Request { method: "POST", target: "/", headers, body: Body::Whole(self.body.as_bytes()) }
    }
}

/// Opening a request and checking its signature, the key of the day known.
#[divan::bench]
fn verify(bencher: Bencher<'_, '_>) {
    let (asked, keys) = (Asked::of(6), SigningKeys::new(16));
    let headers = asked.headers();
    let request = asked.request(&headers);
    bencher.bench_local(|| {
        let opened = wire::open(&request, &BOUNDS, &[]);
        opened.call.unwrap().verify(SECRET.as_bytes(), 0, &keys).unwrap();
    });
}

/// Neutral events from JSON, a hundred users.
#[divan::bench]
fn parse(bencher: Bencher<'_, '_>) {
    let text = told("room", 100);
    bencher.counter(divan::counter::ItemsCount::new(text.lines().count())).bench_local(|| parsed(&text));
}

/// A timeline to lives, and each user's events to stays.
#[divan::bench(args = [6, 100, 1_000])]
fn fold(bencher: Bencher<'_, '_>, users: usize) {
    let events = EventSet::from_events(parsed(&told("room", users)));
    bencher.counter(divan::counter::ItemsCount::new(events.as_slice().len())).bench_local(|| {
        let cut = fold::lives(events.as_slice(), &[], None, None);
        cut.lives.iter().map(|(_, events)| fold::stays(events, &[]).len()).sum::<usize>()
    });
}

fn page_of(bencher: Bencher<'_, '_>, users: usize, user_ids: Option<&[String]>) {
    let (_folder, store) = store();
    let comm_id = CommId::new(APP, &format!("room-{users}"), BEGIN_S);
    let query = SessionQuery {
        app: APP,
        comm_id: &comm_id,
        from_s: BEGIN_S,
        to_s: NOW_S,
        users: user_ids,
        skip: 0,
        take: 100,
        now: Millis::from_secs(NOW_S),
        horizon: Millis(i64::MIN),
    };
    let runtime = runtime();
    bencher.bench_local(|| runtime.block_on(store.sessions(&query)).unwrap());
}

/// The first page of a call that was asked for before.
#[divan::bench(args = [6, 100, 1_000])]
fn page(bencher: Bencher<'_, '_>, users: usize) {
    page_of(bencher, users, None);
}

/// Three users of a large call, whose rows are read each time.
#[divan::bench]
fn page_from_the_file(bencher: Bencher<'_, '_>) {
    page_of(bencher, 1_000, Some(&[3, 500, 900].map(|user| format!("user_{user:08}_ab"))));
}

/// Everything between the socket's bytes: the request is opened, checked, answered and written.
#[divan::bench(args = [6, 100])]
fn encode(bencher: Bencher<'_, '_>, users: usize) {
    answer(bencher, &Asked::of(users), None);
}

/// The same where the signature is wrong: it must cost no more.
#[divan::bench]
fn refuse(bencher: Bencher<'_, '_>) {
    let mut asked = Asked::of(6);
    let signed = asked.headers.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let (_, signed) = signed.unwrap();
    let last = if signed.pop() == Some('0') { '1' } else { '0' };
    signed.push(last);
    answer(bencher, &asked, Some(ErrorCode::AuthSignatureFailure));
}

fn answer(bencher: Bencher<'_, '_>, asked: &Asked, expected: Option<ErrorCode>) {
    let (_folder, store) = store();
    let key =
        Key { secret_id: ID.to_owned(), secret_key: Secret::new(SECRET), token: None, expires_at_s: None };
    let account =
        Account { name: "bench".to_owned(), edition: Edition::Advanced, keys: vec![key], apps: vec![APP] };
    let policy = Policy { accounts: vec![account], requests_per_second: 0, ..Policy::default() };
    let api = Api::new(policy, Arc::new(store));
    let headers = asked.headers();
    let runtime = runtime();
    bencher.bench_local(|| {
        let request = asked.request(&headers);
        let reply = runtime.block_on(api.answer(&request, Millis::from_secs(NOW_S), Uuid::nil()));
        assert_eq!(reply.code, expected);
        reply
    });
}
