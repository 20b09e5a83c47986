//! The pages of a call as whoever asks sees them: over a store in memory, without HTTP.

use std::io::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use crate::actions::{Account, Policy};
use crate::limits::Edition;
use crate::records::quality::{Flow, Measure, Metric, Points, Series};
use crate::records::{AppId, Event, Kind, Millis, Reason, ReasonClass, Track};
use crate::store::{Memory, Store as _};
use crate::web::query::{segment, text_of};
use crate::web::{Access, Asked, Method, Shown, Web};

const APP: AppId = AppId(1_400_000_001);
/// 22 November 2025, 08:30:00 UTC.
const BEGIN_S: i64 = 1_763_800_200;
const NOW: Millis = Millis((BEGIN_S + 7_200) * 1_000);
const ROOM: &str = "<b>room</b>";

const HOSTILE: [&str; 7] = [
    "<img src=x onerror=alert(1)>",
    "\"><script>alert(2)</script>",
    "' style='color:red",
    "\u{202e}gnp.exe",
    "a,b%2C&u=x#y?z",
    "👩‍👩‍👧 李雷",
    "javascript:alert(3)//",
];

fn at(second: i64) -> Millis {
    Millis::from_secs(BEGIN_S + second)
}

fn event(room: &str, user: &str, kind: Kind, second: i64) -> Event {
    Event::new(APP, "test", room, user, kind, at(second))
}

fn left(room: &str, user: &str, second: i64, class: ReasonClass) -> Event {
    let mut event = event(room, user, Kind::UserLeft, second);
    event.reason = Some(Reason { class, raw: String::new() });
    event
}

fn series(room: &str, user: &str, peer: &str, columns: Vec<(Metric, Points)>) -> Series {
    let [room, user, peer] = [room, user, peer].map(str::to_owned);
    let columns = columns.into_iter().map(|(metric, points)| (Measure::Gauge(metric), points)).collect();
    Series { flow: Flow { app: APP, room, user, peer, connection: String::new() }, columns }
}

/// A call of hostile names, of which the first is bad for all others between 600 and 700 s.
fn hostile_call() -> (Vec<Event>, Vec<Series>) {
    let long = "x".repeat(500);
    let users: Vec<&str> = HOSTILE.into_iter().chain([long.as_str()]).collect();
    let mut events = vec![event(ROOM, users[0], Kind::RoomCreated, 0)];
    let mut samples = Vec::new();
    for (place, user) in (0..).zip(&users) {
        events.push(event(ROOM, user, Kind::UserJoined, place));
        events.push(event(ROOM, user, Kind::Media { track: Track::Video, on: false }, 30 + place));
        events.push(left(ROOM, user, 900, ReasonClass::Timeout));
        events.push(event(ROOM, user, Kind::UserJoined, 950 + place));
        let moments = || (10..880).step_by(10).map(at);
        let steady = |value: f64| -> Points { moments().map(|at| (at, value)).collect() };
        samples.push(series(
            ROOM,
            user,
            "",
            vec![(Metric::CaptureRate, steady(30.0)), (Metric::RoundTrip, steady(40.0))],
        ));
        for peer in users.iter().filter(|peer| *peer != user) {
            let loss = |at: Millis| {
                if *peer == users[0] && (600..700).contains(&(at.secs() - BEGIN_S)) { 9.0 } else { 0.1 }
            };
            let points = moments().map(|at| (at, loss(at))).collect();
            samples.push(series(ROOM, user, peer, vec![(Metric::AudioLoss, points)]));
        }
    }
    events.push(event(ROOM, "", Kind::RoomDestroyed, 3_600));
    (events, samples)
}

/// A call of so many users with so many sessions each.
fn plain_call(room: &str, users: i64, sessions: i64) -> Vec<Event> {
    let mut events = vec![event(room, "host", Kind::RoomCreated, 0)];
    for user in 0..users {
        let name = format!("user-{user:05}");
        for nth in 0..sessions {
            let begin = nth * 1_000 + user % 600;
            events.push(event(room, &name, Kind::UserJoined, begin));
            let class = if user % 50 == 0 { ReasonClass::Timeout } else { ReasonClass::Normal };
            events.push(left(room, &name, begin + 300 + user % 400, class));
        }
    }
    events.push(event(room, "", Kind::RoomDestroyed, 6_000));
    events
}

async fn pages(events: Vec<Event>, samples: Vec<Series>) -> Web<Memory> {
    let store = Memory::default();
    store.append(events).await.unwrap();
    store.append_samples(samples).await.unwrap();
    let account = |name: &str, app: AppId| Account {
        name: name.to_owned(),
        edition: Edition::Advanced,
        keys: Vec::new(),
        apps: vec![app],
    };
    let policy = Policy { accounts: vec![account("main", APP)], ..Policy::default() };
    Web::new(policy, Arc::new(store), Access::open())
}

async fn ask(pages: &Web<Memory>, target: &str) -> Shown {
    let header = |name: &str| (name == "host").then_some("localhost:9180");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let peer = IpAddr::from([127, 0, 0, 1]);
    let asked =
        Asked { method: Method::Get, path, query, header: &header, body: b"", peer, is_tls: false, now: NOW };
    pages.answer(&asked).await
}

async fn get(pages: &Web<Memory>, target: &str) -> String {
    let shown = ask(pages, target).await;
    let text = String::from_utf8(shown.body).unwrap();
    assert_eq!(shown.status, 200, "{target}: {text}");
    text
}

fn address(room: &str) -> String {
    format!("/ui/calls/{}", segment(&format!("{}_{room}_{BEGIN_S}", APP.0)))
}

/// The values of an attribute, unescaped.
fn values(page: &str, name: &str) -> Vec<String> {
    let begin = format!(" {name}=\"");
    let rest = page.split(&begin).skip(1);
    let text = |rest: &str| rest.split_once('"').map(|(value, _)| value.to_owned()).unwrap_or_default();
    let plain = |value: String| {
        value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
    };
    rest.map(|rest| plain(text(rest))).collect()
}

/// The tags of a page: name, and names of attributes. Values are quoted, so that `>` within one ends nothing.
fn tags(page: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once('<') {
        let mut is_quoted = false;
        let end = after.find(|c: char| {
            is_quoted ^= c == '"';
            c == '>' && !is_quoted
        });
        let (tag, after) = after.split_at(end.unwrap());
        let names = tag.split('"').step_by(2).flat_map(str::split_whitespace);
        let mut names = names.map(|name| name.trim_end_matches(['=', '/']).to_owned());
        found.push((names.next().unwrap(), names.collect()));
        rest = after;
    }
    found
}

/// That nothing of what people wrote became markup, and nothing comes from elsewhere.
fn is_inert(page: &str, target: &str) {
    for (tag, attributes) in tags(page) {
        assert!(!["img", "iframe", "style", "object", "base"].contains(&tag.as_str()), "{target}: {tag}");
        let is_wrong = |name: &&String| *name == "style" || name.starts_with("on");
        assert_eq!(attributes.iter().find(is_wrong), None, "{target}: {tag}");
        assert!(tag != "script" || attributes.iter().any(|name| name == "src"), "{target}: an inline script");
    }
    for href in values(page, "href").into_iter().chain(values(page, "src")) {
        assert!(href.starts_with("/ui/") || href == "#content", "{target}: {href}");
    }
}

#[tokio::test]
async fn hostile_names_are_inert_and_every_link_leads_somewhere() {
    let (events, samples) = hostile_call();
    let pages = pages(events, samples).await;
    let here = address(ROOM);
    let mut links = Vec::new();
    for query in [
        "",
        "?view=table",
        "?view=matrix",
        "?view=quality",
        "?dir=send&sort=join",
        "?ev=problem",
        "?q=%3Cimg",
        "?lang=zh",
    ] {
        let target = format!("{here}{query}");
        let page = get(&pages, &target).await;
        is_inert(&page, &target);
        links.extend(values(&page, "href"));
        links.extend(values(&page, "data-src"));
    }
    let pair = format!("{here}/e2e/{}/{}", segment(HOSTILE[0]), segment(HOSTILE[1]));
    let page = get(&pages, &pair).await;
    is_inert(&page, &pair);
    links.extend(values(&page, "data-src"));
    links.retain(|link| {
        link.starts_with("/ui/calls") || link.starts_with("/ui/data") || link.starts_with("/ui/a/")
    });
    links.sort();
    links.dedup();
    assert!(links.len() > 60, "{}", links.len());
    for link in &links {
        assert_eq!(ask(&pages, link).await.status, 200, "{link}");
    }
}

#[tokio::test]
async fn every_user_can_be_chosen_and_is_named_in_the_charts() {
    let (events, samples) = hostile_call();
    let pages = pages(events, samples).await;
    let page = get(&pages, &address(ROOM)).await;
    let users = values(&page, "data-user");
    for user in HOSTILE {
        let place = users.iter().position(|other| other == user).unwrap();
        let row = page.split("<tr data-user=").nth(place + 1).unwrap();
        let link = values(row, "href").remove(0);
        let chosen = get(&pages, &link).await;
        let source = values(&chosen, "data-src").remove(0);
        let data: serde_json::Value = serde_json::from_str(&get(&pages, &source).await).unwrap();
        assert_eq!(data["users"][0]["user"], user);
        let told = data["users"][0]["told"]["loss"].as_str().unwrap();
        assert!(
            told.starts_with(&format!("Packet loss of {user}, 08:30 to 09:30: Down median 0.1 %")),
            "{told}"
        );
    }
}

#[tokio::test]
async fn the_page_says_what_was_found_and_how_leaves_are_known() {
    let (events, samples) = hostile_call();
    let pages = pages(events, samples).await;
    let page = get(&pages, &address(ROOM)).await;
    let name = "&lt;img src=x onerror=alert(1)&gt;";
    let found = format!(
        "7 of 7 who receive from {name} had poor minutes with it, 08:40–08:41: look at the uplink of {name}."
    );
    assert!(page.contains(&found), "{page}");
    assert!(page.contains(&format!("?from={}&amp;to={}&amp;u=", BEGIN_S + 540, BEGIN_S + 760)));
    assert!(page.contains("inferred: the room was closed") && page.contains("class=\"ring\""));
    assert!(page.contains("class=\"ring problem\""), "a leave by timeout has a hollow end");
    assert!(page.contains("(inferred: the room was closed), last sign 08:45:"), "{page}");
    assert!(page.contains("mark problem") && page.contains("connection lost"));
    let action = |name: &str| format!("/ui/explorer/{name}?p.CommId=");
    for name in ["DescribeUserInfo", "DescribeUserEvent", "DescribeCallDetailInfo"] {
        assert!(page.contains(&action(name)), "{name}");
    }
}

#[tokio::test]
async fn filters_order_and_files_do_what_their_address_says() {
    let pages = pages(plain_call("r", 100, 2), Vec::new()).await;
    let here = address("r");
    let rows = |page: &str| values(page, "data-user");
    let first = get(&pages, &here).await;
    assert_eq!(rows(&first).len(), 40);
    assert_eq!(rows(&get(&pages, &format!("{here}?skip=80")).await).len(), 20);
    let next = get(&pages, &format!("{here}/rows?skip=40")).await;
    assert!(next.starts_with("<tr") && rows(&next).len() == 40 && next.contains("?skip=80"));
    assert_eq!(rows(&get(&pages, &format!("{here}/rows?q=-00042")).await), ["user-00042"]);
    assert!(get(&pages, &format!("{here}?q=nobody")).await.contains("Nobody to show here"));
    let by_join = rows(&get(&pages, &format!("{here}?sort=join")).await);
    assert_eq!(by_join[..3], ["user-00000", "user-00001", "user-00002"]);
    let file = ask(&pages, &format!("{here}?view=table&format=csv")).await;
    let text = String::from_utf8(file.body).unwrap();
    assert_eq!((file.content_type, text.lines().count()), ("text/csv; charset=utf-8", 201));
    assert!(text.starts_with("user,joined_s,join_known_by,left_s,leave_known_by"));
    let stays: Vec<String> =
        get(&pages, &format!("{here}?ev=problem")).await.split("<li data-at").map(str::to_owned).collect();
    assert!(stays.len() > 1 && stays[1..].iter().all(|item| item.contains("data-problem")));
    for missing in ["/e2e/user-00001/nobody", "/rows/x", "/e2e/a"] {
        assert_eq!(ask(&pages, &format!("{here}{missing}")).await.status, 404, "{missing}");
    }
}

#[tokio::test]
async fn the_list_of_events_is_of_the_part_that_is_shown_and_has_pages() {
    let pages = pages(plain_call("r", 100, 3), Vec::new()).await;
    let here = address("r");
    let all = get(&pages, &here).await;
    assert_eq!(values(&all, "data-at").len(), 200);
    assert!(all.contains("1–200 / 240") && all.contains("?evskip=200") && !all.contains("Show all"));
    let rest = get(&pages, &format!("{here}?evskip=200")).await;
    assert_eq!(values(&rest, "data-at").len(), 40);
    assert!(rest.contains("201–240 / 240") && rest.contains("Earlier") && !rest.contains("Later"));
    assert!(!rest.contains("evskip=200&amp;ev"), "another kind begins with its first");
    let (from, to) = (BEGIN_S + 1_000, BEGIN_S + 1_100);
    let part = get(&pages, &format!("{here}?from={from}&to={to}")).await;
    let seconds: Vec<i64> = values(&part, "data-at").iter().map(|at| at.parse().unwrap()).collect();
    assert!(!seconds.is_empty() && seconds.iter().all(|at| (from..=to).contains(at)), "{seconds:?}");
    assert!(part.contains("Only 08:46:40 to 08:48:20, the part") && part.contains("Show all"));
    let fragment = get(&pages, &format!("{here}/events?from={from}&to={to}")).await;
    assert!(fragment.starts_with("<header>") && part.contains(&fragment), "{fragment}");
    let quiet = get(&pages, &format!("{here}?from={}&to={}", BEGIN_S + 4_900, BEGIN_S + 5_000)).await;
    assert!(quiet.contains("Nothing was told in this part of the call."), "{quiet}");
}

#[tokio::test]
async fn a_call_that_is_over_still_shows_what_comes_late() {
    let pages = pages(plain_call("r", 10, 1), Vec::new()).await;
    let here = address("r");
    let rows = || async { values(&get(&pages, &here).await, "data-user") };
    assert_eq!((rows().await.len(), rows().await.len()), (10, 10));
    pages.store.append(vec![event("r", "late", Kind::UserJoined, 50)]).await.unwrap();
    assert!(rows().await.contains(&"late".to_owned()));
    let loss = vec![(Metric::AudioLoss, (60..90).map(|s| (at(s), 9.0)).collect())];
    pages.store.append_samples(vec![series("r", "late", "user-00001", loss)]).await.unwrap();
    assert_eq!(rows().await[0], "late", "the worst is first");
    pages.store.append(vec![event("r", "", Kind::EmitterReset, 40)]).await.unwrap();
    assert_ne!(rows().await[0], "late", "the restart parted the call");
}

#[tokio::test]
async fn the_matrix_leads_to_the_pair_and_the_pair_says_where_it_broke() {
    let (events, samples) = hostile_call();
    let pages = pages(events, samples).await;
    let matrix = get(&pages, &format!("{}?view=matrix", address(ROOM))).await;
    let pair = values(&matrix, "href").into_iter().find(|href| href.contains("/e2e/")).unwrap();
    let names: Vec<String> = pair.split('/').skip(5).filter_map(text_of).collect();
    assert_eq!(names[0], HOSTILE[0], "the worst sender is first");
    let page = get(&pages, &pair).await;
    assert_eq!(page.matches("class=\"broken\"").count(), 1);
    let broken = page.split("class=\"broken\"").nth(1).unwrap();
    assert!(broken.split("</li>").next().unwrap().contains("worst 9 % at 08:40:00"), "{broken}");
    let outside =
        get(&pages, &format!("{}?view=matrix&from={}&to={}", address(ROOM), BEGIN_S, BEGIN_S + 300)).await;
    assert_eq!(matrix.matches("/DescribeCallDetailInfo?").count(), 1, "one question behind one panel");
    assert!(matrix.contains("9.0 %") && !outside.contains("9.0 %"), "the cells are of what is shown");
}

#[tokio::test]
async fn other_peoples_calls_are_not_there() {
    let pages = pages(plain_call("r", 3, 1), Vec::new()).await;
    let other = format!("/ui/calls/{}", segment(&format!("1400000002_r_{BEGIN_S}")));
    for below in ["", "/rows", "/e2e/user-00000/user-00001"] {
        assert_eq!(ask(&pages, &format!("{other}{below}")).await.status, 404);
    }
    assert_eq!(ask(&pages, &other.replace("/calls/", "/data/call/")).await.status, 404);
}

fn packed(page: &str) -> usize {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(5));
    packer.write_all(page.as_bytes()).unwrap();
    packer.finish().unwrap().len()
}

#[tokio::test]
async fn pages_are_small_however_large_the_call() {
    let mut events = plain_call("middle", 100, 2);
    events.extend(plain_call("crowd", 10_000, 1));
    let pages = pages(events, Vec::new()).await;
    let check = |page: &str, bytes: usize| {
        assert!(packed(page) <= bytes, "{} B packed, {} B", packed(page), page.len());
    };
    check(&get(&pages, &address("middle")).await, 25_000);
    let crowd = get(&pages, &address("crowd")).await;
    check(&crowd, 25_000);
    assert!(crowd.contains("10000 users.") && values(&crowd, "data-user").is_empty());
    let searched = get(&pages, &format!("{}?q=user-09", address("crowd"))).await;
    assert_eq!(values(&searched, "data-user").len(), 40);
    check(&searched, 25_000);
    let table = get(&pages, &format!("{}?view=table&skip=500", address("crowd"))).await;
    assert_eq!(
        table.matches("<td class=\"clip\">").count(),
        500,
        "the table has those that were well off, too"
    );
    check(&table, 120_000);
    let file = ask(&pages, &format!("{}?view=table&format=csv", address("crowd"))).await;
    assert_eq!(file.body.split(|byte| *byte == b'\n').count(), 10_002);
}
