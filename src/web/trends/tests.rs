//! Trends as whoever asks sees them: over a store in memory, without HTTP.

use std::net::IpAddr;

use super::*;
use crate::actions::{Account, Policy};
use crate::limits::Edition;
use crate::records::quality::{Flow, Measure, Metric, Series};
use crate::records::{Attr, Event, Kind};
use crate::store::Memory;
use crate::web::{Access, Asked, Method, Web};

const APP: AppId = AppId(1_400_000_001);
/// 2026-11-25T00:00+08:00, and what is now: ten hours later.
const TODAY_S: i64 = 1_795_536_000;
const NOW: Millis = Millis((TODAY_S + 36_000) * 1_000);
const HOUR_S: i64 = 3_600;

/// A moment so many days before today.
fn at(days_ago: i64, second: i64) -> Millis {
    Millis::from_secs(TODAY_S - days_ago * DAY_S + second)
}

/// Somebody's stay in a room, with an SDK.
fn stay(room: &str, user: &str, sdk: &str, from: Millis, to: Millis) -> Vec<Event> {
    let mut joined = Event::new(APP, "test", room, user, Kind::UserJoined, from);
    joined.attrs.insert(Attr::SdkVersion, sdk.to_owned());
    vec![joined, Event::new(APP, "test", room, user, Kind::UserLeft, to)]
}

fn closed(room: &str, when: Millis) -> Event {
    Event::new(APP, "test", room, "", Kind::RoomDestroyed, when)
}

/// So much loss, measured every 10 seconds.
fn loss(room: &str, user: &str, from: Millis, to: Millis, percent: f64) -> Series {
    let [room, user, peer] = [room, user, "peer"].map(str::to_owned);
    let points = (from.secs()..to.secs()).step_by(10).map(|s| (Millis::from_secs(s), percent)).collect();
    let columns = vec![(Measure::Gauge(Metric::VideoLoss), points)];
    Series { flow: Flow { app: APP, room, user, peer, connection: String::new() }, columns }
}

async fn pages(events: Vec<Event>, samples: Vec<Series>, retention_days: u32) -> Web<Memory> {
    let store = Memory::default();
    store.append(events).await.unwrap();
    store.append_samples(samples).await.unwrap();
    let account =
        Account { name: "main".into(), edition: Edition::Advanced, keys: Vec::new(), apps: vec![APP] };
    let policy = Policy { accounts: vec![account], retention_days, ..Policy::default() };
    Web::new(policy, Arc::new(store), Access::open())
}

async fn get(pages: &Web<Memory>, query: &str, now: Millis) -> String {
    let header = |name: &str| (name == "host").then_some("localhost:9180");
    let (method, peer) = (Method::Get, IpAddr::from([127, 0, 0, 1]));
    let path = "/ui/trends";
    let asked = Asked { method, path, query, header: &header, body: b"", peer, is_tls: false, now };
    let shown = pages.answer(&asked).await;
    assert_eq!(shown.status, 200);
    String::from_utf8(shown.body).unwrap()
}

/// The page when all is counted.
async fn counted(pages: &Web<Memory>, query: &str) -> String {
    for _ in 0..100 * 24 {
        let page = get(pages, query, NOW).await;
        if !page.contains("data-counting") {
            return page;
        }
        pages.wanted().await;
        pages.count(NOW).await;
    }
    panic!("it is never counted");
}

/// The rows of a file, without its head.
async fn rows(pages: &Web<Memory>, query: &str) -> Vec<String> {
    get(pages, query, NOW).await.lines().skip(1).map(str::to_owned).collect()
}

/// Yesterday: a call of three, one of whom came twice, and one that runs past midnight. Eight days ago: one of one.
fn world() -> (Vec<Event>, Vec<Series>) {
    let mut events = stay("a", "alice", "1.0", at(1, 0), at(1, 2 * HOUR_S));
    events.extend(stay("a", "bob", "2.0", at(1, HOUR_S), at(1, 2 * HOUR_S)));
    events.extend(stay("a", "carol", "2.0", at(1, 10), at(1, 600)));
    events.extend(stay("a", "carol", "2.0", at(1, 600), at(1, 1_200)));
    events.push(closed("a", at(1, 2 * HOUR_S)));
    events.extend(stay("late", "dave", "2.0", at(1, DAY_S - 60), at(0, 120)));
    events.push(closed("late", at(0, 120)));
    events.extend(stay("old", "alice", "1.0", at(8, 0), at(8, 600)));
    events.push(closed("old", at(8, 600)));
    let samples = vec![
        loss("a", "alice", at(1, 0), at(1, 300), 0.0),
        loss("a", "bob", at(1, HOUR_S), at(1, HOUR_S + 100), 9.0),
        loss("late", "dave", at(1, DAY_S - 60), at(0, 120), 3.0),
        loss("old", "alice", at(8, 0), at(8, 100), 0.0),
    ];
    (events, samples)
}

#[tokio::test]
async fn a_page_never_waits_for_what_is_being_counted_and_says_so() {
    let (events, samples) = world();
    let pages = pages(events, samples, 0).await;
    let first = get(&pages, "", NOW).await;
    // Only days since anybody entered are counted: today and the eight before.
    assert!(
        first.contains("data-counting=\"9\"") && first.contains("9 of 28 days are being counted"),
        "{first}"
    );
    assert!(first.contains("<td class=\"number dim\" colspan=\"7\">being counted</td>"));
    assert!(first.contains("class=\"unknown\"") && first.contains(" · being counted</title>"));
    let csv = rows(&pages, "format=csv").await;
    assert_eq!(csv.len(), 14);
    assert_eq!(csv[12], format!("2026-11-24,{},4,5,2,true,,,,,,,,", TODAY_S - DAY_S));
    let whole = counted(&pages, "").await;
    assert!(!whole.contains("being counted") && whole.contains("hatch"), "{whole}");
}

#[tokio::test]
async fn calls_peaks_and_grades_are_those_of_the_day() {
    let (events, samples) = world();
    let pages = pages(events, samples, 0).await;
    let page = counted(&pages, "").await;
    let csv = rows(&pages, "format=csv").await;
    // Carol left and came in one second; who is inside past midnight is so on both days, but a call begins once.
    let yesterday = format!("2026-11-24,{},4,5,2,true,2,2,1,300,60,100,3,4", TODAY_S - DAY_S);
    assert_eq!(csv[12], yesterday);
    let today = format!("2026-11-25,{TODAY_S},0,0,0,false,0,1,1,0,120,0,1,1");
    assert_eq!(csv[13], today);
    assert!(csv[4].starts_with("2026-11-16,") && csv[4].ends_with(",0,0,0,true,0,0,0,0,0,0,0,0"), "{csv:?}");
    assert!(
        page.contains("65.2 %") && page.contains("13.0 %") && page.contains("21.7 %"),
        "shares of yesterday"
    );
    assert!(page.contains("5 of 6 users of calls"), "{page}");
}

#[tokio::test]
async fn a_split_is_ranked_and_compared_with_the_days_before() {
    let (events, samples) = world();
    let pages = pages(events, samples, 0).await;
    let week = format!("from={}", NOW.secs() - 6 * DAY_S);
    let page = counted(&pages, &week).await;
    let split = &page[page.find("id=\"split\"").unwrap()..];
    let place = |text: &str| split.find(text).unwrap_or_else(|| panic!("{text:?} in {split}"));
    assert!(place("<bdi>2.0</bdi>") < place("<bdi>1.0</bdi>"), "most entries first");
    assert!(split.contains(">new</span>") && split.contains("−80.0") && split.contains("+80.0"), "{split}");
    assert!(split.contains("2026-11-19 to 2026-11-25, against 2026-11-12 to 2026-11-18"));
    let csv = rows(&pages, &format!("{week}&format=csv&of=split&split=sdk")).await;
    assert_eq!(csv, ["2.0,4,0,180,100,0,0,0,0,true", "1.0,1,300,0,0,1,100,0,0,true"]);
    let devices = rows(&pages, &format!("{week}&format=csv&of=split&split=device")).await;
    assert_eq!(devices, [",5,300,180,100,1,100,0,0,true"], "no source told a device");
    let none =
        get(&pages, &format!("from={}&to={}", NOW.secs() - 10 * DAY_S, NOW.secs() - 8 * DAY_S), NOW).await;
    assert!(none.contains("nobody entered in the days before"), "{none}");
}

#[tokio::test]
async fn days_that_are_not_kept_in_whole_are_not_counted() {
    let (events, samples) = world();
    let pages = pages(events, samples, 8).await;
    let page = counted(&pages, &format!("from={}", NOW.secs() - 8 * DAY_S)).await;
    assert!(page.contains("<td class=\"number dim\" colspan=\"7\">no longer kept in whole</td>"), "{page}");
    assert!(page.contains("No changes: the days before are no longer kept in whole."));
    assert_eq!((usual(0), usual(8), usual(28), usual(29)), (14, 7, 7, 14));
}

#[tokio::test]
async fn what_comes_later_is_counted_again() {
    let (events, samples) = world();
    let pages = pages(events, samples, 0).await;
    counted(&pages, "").await;
    let (from, to) = (at(8, 1_000), at(8, 1_060));
    let mut more = stay("new", "erin", "3.0", from, to);
    more.push(closed("new", to));
    pages.store.append(more).await.unwrap();
    let calls = |csv: Vec<String>| csv[5].split(',').nth(6).map(str::to_owned);
    assert_eq!(calls(rows(&pages, "format=csv").await).as_deref(), Some("1"), "as it was");
    let later = NOW.plus(11_000);
    get(&pages, "", later).await;
    for _ in 0..100 {
        pages.count(later).await;
    }
    assert_eq!(calls(rows(&pages, "format=csv").await).as_deref(), Some("2"));
}

#[tokio::test]
async fn of_many_users_a_sample_is_graded_and_the_page_says_so() {
    let users = GRADED_MAX * 2;
    let mut events = Vec::new();
    for n in 0..users {
        events.extend(stay(&format!("room-{}", n % 40), &format!("user-{n}"), "1.0", at(1, 0), at(1, 60)));
    }
    events.extend((0..40).map(|n| closed(&format!("room-{n}"), at(1, 60))));
    let pages = pages(events, Vec::new(), 0).await;
    let page = counted(&pages, "").await;
    assert!(page.contains("Days with more users than are looked at: 1."), "{page}");
    let csv = rows(&pages, "format=csv").await;
    let fields: Vec<u64> = csv[12].split(',').skip(6).map(|field| field.parse().unwrap()).collect();
    assert_eq!(fields[..3], [40, users, 40], "calls and peaks are of all");
    assert!(fields[7].abs_diff(GRADED_MAX) < GRADED_MAX / 10, "{fields:?}");
}

#[test]
fn a_mean_is_of_days_that_are_over_since_anybody_entered() {
    let row = |days_ago: i64, users: u64| {
        let figures = DayFigures { start_s: TODAY_S - days_ago * DAY_S, users, ..DayFigures::default() };
        Row { figures, counted: Counted::Waits }
    };
    let days = Days {
        rows: vec![row(4, 0), row(3, 10), row(2, 0), row(1, 5), row(0, 99)],
        before: Vec::new(),
        first_s: TODAY_S - 3 * DAY_S,
        today_s: TODAY_S,
    };
    assert_eq!(days.mean(|row| Some(row.figures.users)), Some(5));
    assert_eq!(days.mean(|row| row.day().map(|day| day.calls)), None, "nothing is counted yet");
    assert_eq!((percent(1_000), percent(7)), ("100.0 %".to_owned(), "0.7 %".to_owned()));
}
