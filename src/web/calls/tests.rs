//! The list of calls as whoever asks sees it: over a store in memory, without HTTP.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::look::{COUNTED_MAX, PAGE};
use crate::actions::{Account, Policy};
use crate::limits::Edition;
use crate::records::quality::{Flow, Measure, Metric, Series};
use crate::records::{AppId, Event, Kind, Millis, Reason, ReasonClass};
use crate::store::{Memory, Store as _};
use crate::web::query::segment;
use crate::web::{Access, Asked, Method, Shown, Web};

const APP: AppId = AppId(1_400_000_001);
/// 2026-11-25T12:00:00Z.
const NOW_S: i64 = 1_795_608_000;

struct Pages(Web<Memory>);

impl Pages {
    async fn with(events: Vec<Event>, samples: Vec<Series>) -> Pages {
        let account =
            Account { name: "main".into(), edition: Edition::Advanced, keys: Vec::new(), apps: vec![APP] };
        let policy = Policy { accounts: vec![account], retention_days: 0, ..Policy::default() };
        let store = Memory::default();
        store.append(events).await.unwrap();
        store.append_samples(samples).await.unwrap();
        Pages(Web::new(policy, Arc::new(store), Access::open()))
    }

    async fn ask(&self, target: &str) -> Shown {
        let header = |name: &str| (name == "host").then_some("127.0.0.1:9180");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let peer = IpAddr::from([127, 0, 0, 1]);
        let now = Millis::from_secs(NOW_S);
        let asked =
            Asked { method: Method::Get, path, query, header: &header, body: b"", peer, is_tls: false, now };
        self.0.answer(&asked).await
    }

    async fn get(&self, target: &str) -> String {
        let shown = self.ask(target).await;
        let text = String::from_utf8(shown.body).unwrap();
        assert_eq!(shown.status, 200, "{target}: {text}");
        text
    }

    /// The rooms of a page, and the address of the page after it.
    async fn rooms(&self, target: &str) -> (Vec<String>, Option<String>) {
        let text = self.get(target).await;
        let row = |part: &str| {
            let (_, rest) = part.split_once("<bdi>")?;
            Some(rest.split_once("</bdi>")?.0.to_owned())
        };
        let rooms = text.split("<td class=\"clip\"><a href=\"/ui/calls/").skip(1).filter_map(row);
        let next = ["Older", "Go on from here"].into_iter().find_map(|name| {
            let (before, _) = text.split_once(&format!("\">{name}</a>"))?;
            Some(before.rsplit_once("href=\"")?.1.replace("&amp;", "&"))
        });
        (rooms.collect(), next)
    }

    /// The rooms of all pages, and how many pages there were.
    async fn all(&self, target: &str) -> (Vec<String>, usize) {
        let (mut all, mut next, mut pages) = (Vec::new(), Some(target.to_owned()), 0);
        while let Some(target) = next {
            let (rooms, after) = self.rooms(&target).await;
            all.extend(rooms);
            (next, pages) = (after, pages + 1);
            assert!(pages < 100, "{target}");
        }
        (all, pages)
    }

    async fn led_to(&self, target: &str) -> String {
        let shown = self.ask(target).await;
        assert_eq!(shown.status, 303, "{target}");
        shown.headers.into_iter().find(|(name, _)| *name == "location").unwrap().1
    }
}

/// A call: who was in it, each with how the stay ended.
fn call(room: &str, begin: i64, length: i64, users: &[(&str, ReasonClass)]) -> Vec<Event> {
    let at = |second: i64| Millis::from_secs(begin + second);
    let event = |user: &str, kind: Kind, second: i64| Event::new(APP, "test", room, user, kind, at(second));
    let mut events = vec![event("", Kind::RoomCreated, 0), event("", Kind::RoomDestroyed, length)];
    for (user, class) in users {
        events.push(event(user, Kind::UserJoined, 0));
        let mut left = event(user, Kind::UserLeft, length - 1);
        left.reason = Some(Reason { class: *class, raw: String::new() });
        events.push(left);
    }
    events
}

fn loss(room: &str, user: &str, from: i64, seconds: i64, loss: f64) -> Series {
    let points = (from..from + seconds).step_by(10).map(|at| (Millis::from_secs(at), loss)).collect();
    let [room, user] = [room, user].map(str::to_owned);
    let flow = Flow { app: APP, room, user, peer: "peer".into(), connection: String::new() };
    Series { flow, columns: vec![(Measure::Gauge(Metric::AudioLoss), points)] }
}

/// The newest first: `poor` (three users, one lost, poor throughout), `good` (two users, one removed), `silent` (one
/// user, nothing measured), `goes-on`, which began first; and yesterday's `alice`.
async fn some() -> Pages {
    use ReasonClass::{Kicked, Normal, Timeout};
    let begin = NOW_S - 3_600;
    let mut events = call("poor", begin, 600, &[("alice", Timeout), ("bob", Normal), ("chen", Normal)]);
    events.extend(call("good", begin - 60, 600, &[("alice", Normal), ("dara", Kicked)]));
    events.extend(call("silent", begin - 120, 600, &[("erin", Normal)]));
    events.extend(call("alice", begin - 2 * 86_400, 600, &[("bob", Normal)]));
    let at = Millis::from_secs(begin - 180);
    events.push(Event::new(APP, "test", "goes-on", "frank", Kind::UserJoined, at));
    let mut samples =
        vec![loss("good", "alice", begin - 50, 500, 0.0), loss("good", "dara", begin - 50, 500, 0.0)];
    samples.extend(["alice", "bob", "chen"].map(|user| loss("poor", user, begin + 10, 500, 9.0)));
    Pages::with(events, samples).await
}

#[tokio::test]
async fn filters_leave_what_is_like_that() {
    let pages = some().await;
    let check = async |query: &str, expected: &[&str]| {
        let (rooms, next) = pages.rooms(&format!("/ui/calls?{query}")).await;
        assert_eq!((rooms.as_slice(), next), (expected.map_to_owned().as_slice(), None), "{query}");
    };
    check("", &["poor", "good", "silent", "goes-on"]).await;
    check("state=live", &["goes-on"]).await;
    check("state=ended", &["poor", "good", "silent"]).await;
    check("minusers=2", &["poor", "good"]).await;
    check("minusers=3", &["poor"]).await;
    check("maxscore=5", &["poor", "good"]).await;
    check("maxscore=4.9", &["poor"]).await;
    check("maxscore=0.9", &[]).await;
    check("event=problem", &["poor", "good"]).await;
    check("event=lost", &["poor"]).await;
    check("event=kicked", &["good"]).await;
    check("event=killed", &[]).await;
    check("event=problem&minusers=3&state=ended", &["poor"]).await;
    // What is no value of a filter is none.
    check("state=x&minusers=-1&maxscore=nan&event=x&after=x", &["poor", "good", "silent", "goes-on"]).await;
    // A room's name before a user's id, in the window that is asked for.
    check("q=good", &["good"]).await;
    check("q=alice", &["poor", "good"]).await;
    check("q=alice&event=lost", &["poor"]).await;
    check(&format!("q=alice&from={}", NOW_S - 7 * 86_400), &["alice"]).await;
    check("q=ali", &[]).await;
    check(&format!("from={}&to={}", NOW_S - 1_000, NOW_S), &["goes-on"]).await;
    check(&format!("from={}&to={}", i64::MIN, i64::MIN), &[]).await;
    check(&format!("from={}&to={}", i64::MIN, i64::MAX), &["poor", "good", "silent", "goes-on", "alice"])
        .await;
}

trait MapToOwned {
    fn map_to_owned(&self) -> Vec<String>;
}

impl MapToOwned for [&str] {
    fn map_to_owned(&self) -> Vec<String> {
        self.iter().map(|text| (*text).to_owned()).collect()
    }
}

#[tokio::test]
async fn rows_and_files_tell_how_it_was() {
    let pages = some().await;
    let text = pages.get("/ui/calls").await;
    let rows: Vec<&str> = text.split("<tr>").skip(2).collect();
    let has = |row: usize, parts: &[&str]| {
        parts.iter().for_each(|part| assert!(rows[row].contains(part), "{part} in {}", rows[row]));
    };
    has(0, &["good 0 %, fair 0 %, poor 100 %", "<span class=\"poor\">1.0</span>", "3 of 3 users measured"]);
    has(1, &["good 100 %, fair 0 %, poor 0 %", "<span class=\"good\">5.0</span>"]);
    has(2, &["<span class=\"dim\" title=\"not measured\">–</span>", "<span class=\"dim\">–</span>"]);
    has(3, &["badge running"]);
    // 500 s of 600 were measured, from 10 s on: no cell before the first 30 s lacks them, none of the last three has any.
    assert_eq!(rows[0].matches("<rect class=\"poor\"").count(), 17, "{}", rows[0]);
    assert!(text.contains("4 calls") && text.contains("p.StartTime="), "{text}");
    let file = pages.get("/ui/calls?format=csv&event=problem").await;
    let mut lines = csv::Reader::from_reader(file.as_bytes());
    let rows: Vec<BTreeMap<String, String>> = lines.deserialize().map(Result::unwrap).collect();
    let value = |row: usize, name: &str| rows[row][name].clone();
    assert_eq!((rows.len(), value(0, "room"), value(1, "room")), (2, "poor".to_owned(), "good".to_owned()));
    assert_eq!([value(0, "score"), value(0, "poor_s"), value(0, "good_s")], ["1.00", "1500", "0"]);
    assert_eq!([value(0, "problems"), value(1, "problems")], ["lost", "kicked"]);
    assert_eq!([value(0, "users"), value(0, "peak"), value(0, "looked_at_users")], ["3"; 3]);
}

#[tokio::test]
async fn pages_neither_lose_nor_repeat_a_call_whatever_is_created_in_one_second() {
    use ReasonClass::Normal;
    let mut events = Vec::new();
    let names: Vec<String> = (0..170).map(|nth| format!("room-{nth:03}")).collect();
    // 60 in one second, more than a page; then 20 each.
    for (nth, room) in names.iter().enumerate() {
        let begin = NOW_S - 3_600 - i64::try_from(nth.saturating_sub(40) / 20).unwrap() * 10;
        events.extend(call(room, begin, 60, &[("alice", Normal)]));
    }
    let pages = Pages::with(events, Vec::new()).await;
    for subject in ["", "q=alice"] {
        let (all, count) = pages.all(&format!("/ui/calls?{subject}")).await;
        assert_eq!((all.as_slice(), count), (names.as_slice(), 4), "{subject}");
    }
    // The next page is of the same window, though that was not in the address of the first.
    let next = pages.rooms("/ui/calls?state=ended").await.1.unwrap();
    assert!(
        next.contains(&format!("from={}&to={NOW_S}", NOW_S - 86_400)) && next.contains("state=ended"),
        "{next}"
    );
    let second = pages.get(&next).await;
    assert!(second.contains("170 calls") && second.contains(">First page</a>"), "{second}");
}

#[tokio::test]
async fn a_page_is_bounded_says_so_and_goes_on() {
    use ReasonClass::{Normal, Timeout};
    let mut events = Vec::new();
    for nth in 0..450 {
        let class = if nth == 440 { Timeout } else { Normal };
        let begin = NOW_S - 3_600 - i64::from(nth);
        events.extend(call(&format!("room-{nth:03}"), begin, 60, &[("alice", class)]));
    }
    // Of two thousand users each, so that their number is what ends the page.
    let names: Vec<String> = (0..PAGE.users / 10).map(|nth| format!("user-{nth}")).collect();
    for nth in 0..12 {
        let users: Vec<(&str, ReasonClass)> = names.iter().map(|name| (name.as_str(), Normal)).collect();
        events.extend(call(&format!("large-{nth:02}"), NOW_S - 10 * 86_400 - nth, 60, &users));
    }
    let pages = Pages::with(events, Vec::new()).await;
    let first = pages.get("/ui/calls?event=lost").await;
    let text = first.replace('\u{2009}', "");
    assert!(text.contains("Looked at 200 calls, back to 2026-11-25 10:56:41."), "{text}");
    assert!(text.contains("450 calls: 200 looked at, 0 shown") && !text.contains(">Older</a>"), "{text}");
    assert_eq!(pages.all("/ui/calls?event=lost").await, (vec!["room-440".to_owned()], 3));
    let (from, to) = (NOW_S - 11 * 86_400, NOW_S - 9 * 86_400);
    let (rooms, next) = pages.rooms(&format!("/ui/calls?from={from}&to={to}")).await;
    assert_eq!((rooms.len(), next.is_some()), (10, true));
    let (rooms, count) = pages.all(&format!("/ui/calls?from={from}&to={to}")).await;
    assert_eq!((rooms.len(), count), (12, 2));
    const { assert!(COUNTED_MAX > PAGE.looked, "what needs no look may be passed over faster") };
}

#[tokio::test]
async fn a_form_leads_to_the_address_with_seconds() {
    let pages = some().await;
    let form = "/ui/calls?app=1400000001&tz=cst&minutes=480&q=a%26b&since=2026-11-25T08:00&until=2026-11-25T09:30:07\
                &state=&minusers=2&maxscore=&event=&after=5-1";
    let expected = "/ui/calls?app=1400000001&tz=cst&q=a%26b&minusers=2&from=1795564800&to=1795570207";
    assert_eq!(pages.led_to(form).await, expected);
    // Written in the zone of the form, not in that of now.
    let moved = pages.led_to(&form.replace("tz=cst", "tz=utc")).await;
    assert!(moved.ends_with("from=1795564800&to=1795570207"), "{moved}");
    let only = pages.led_to("/ui/calls?until=2026-11-25&minutes=0").await;
    assert_eq!(only, "/ui/calls?app=1400000001&from=1795478400&to=1795564800");
    let text = pages.get("/ui/calls?since=%3Cyesterday%3E&tz=utc").await;
    assert!(text.contains("“&lt;yesterday&gt;” is no time."), "{text}");
    // A browser takes no field with what is no time.
    assert!(text.contains("name=\"since\" step=\"1\" value=\"2026-11-24T12:00:00\""), "{text}");
    let text = pages.get("/ui/calls?from=20&to=10").await;
    assert!(text.contains("The window ends before it begins."), "{text}");
    let text = pages.get("/ui/calls?tz=cst").await;
    assert!(text.contains("name=\"until\" step=\"1\" value=\"2026-11-25T20:00:00\""), "{text}");
    let on = text.split("aria-current=\"true\">24 h</a>").count();
    assert_eq!(on, 2, "the window that is shown is marked: {text}");
}

#[tokio::test]
async fn what_people_wrote_is_text() {
    let user = "<b>\"&'x";
    let pages = Pages::with(call("r", NOW_S - 60, 30, &[(user, ReasonClass::Normal)]), Vec::new()).await;
    let text = pages.get(&format!("/ui/calls?q={}", segment(user))).await;
    assert!(text.contains("<bdi>&lt;b&gt;&quot;&amp;'x</bdi>") && !text.contains("<b>\""), "{text}");
}
