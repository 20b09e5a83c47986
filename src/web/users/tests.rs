//! The pages of users and the search as whoever asks sees them: over a store in memory, without HTTP.

use std::net::IpAddr;
use std::sync::Arc;

use super::super::{Access, Asked, Method, Shown, Web};
use crate::actions::{Account, Key, Policy};
use crate::limits::{DAY_S, Edition, Secret};
use crate::records::quality::{Flow, Measure, Metric, Series};
use crate::records::{AppId, Attr, Event, Kind, Millis, Reason, ReasonClass};
use crate::store::{Memory, Store as _};

const APP: AppId = AppId(1_400_000_001);
const ALIEN: AppId = AppId(1_400_000_009);
/// 2026-11-25T23:30:00Z: of UTC+8 it is the day after.
const NOW_S: i64 = 1_795_649_400;

/// What a user may be called. None of it may become a part of the page, a step in its path, or another user.
const HOSTILE: [&str; 14] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'&amp;<!--",
    "\u{202e}gnp.ecila\u{2066}",
    "😀👩‍👩‍👧",
    "a/b/../../calls",
    "..",
    ".",
    "%2e%2e",
    "a,b",
    "?q=1#top&x",
    "back\\slash",
    "=HYPERLINK(\"http://x\")",
    " spaces and\ttabs ",
];

struct Pages(Web<Memory>);

impl Pages {
    async fn with(events: Vec<Event>, samples: Vec<Series>) -> Pages {
        let account = |name: &str, apps: Vec<AppId>| Account {
            name: name.into(),
            edition: Edition::Advanced,
            keys: vec![Key {
                secret_id: name.into(),
                secret_key: Secret::new("secret"),
                token: None,
                expires_at_s: None,
            }],
            apps,
        };
        let policy =
            Policy { accounts: vec![account("main", vec![APP])], retention_days: 0, ..Policy::default() };
        let store = Memory::default();
        store.append(events).await.unwrap();
        store.append_samples(samples).await.unwrap();
        Pages(Web::new(policy, Arc::new(store), Access::open()))
    }

    async fn ask(&self, target: &str) -> Shown {
        let header = |name: &str| (name == "host").then_some("127.0.0.1:9180");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let asked = Asked {
            method: Method::Get,
            path,
            query,
            header: &header,
            body: b"",
            peer: IpAddr::from([127, 0, 0, 1]),
            is_tls: false,
            now: Millis::from_secs(NOW_S),
        };
        self.0.answer(&asked).await
    }

    async fn get(&self, target: &str) -> (u16, String) {
        let shown = self.ask(target).await;
        (shown.status, String::from_utf8(shown.body).unwrap())
    }

    async fn led_to(&self, target: &str) -> String {
        let shown = self.ask(target).await;
        assert_eq!(shown.status, 303, "{target}");
        shown.headers.into_iter().find(|(name, _)| *name == "location").unwrap().1
    }
}

fn event(room: &str, user: &str, kind: Kind, second: i64) -> Event {
    Event::new(APP, "trtc", room, user, kind, Millis::from_secs(NOW_S + second))
}

fn joined(room: &str, user: &str, second: i64) -> Event {
    event(room, user, Kind::UserJoined, second)
}

fn left(room: &str, user: &str, second: i64) -> Event {
    event(room, user, Kind::UserLeft, second)
}

/// The addresses of our pages that a page leads to, as a browser reads them.
fn links(page: &str) -> Vec<String> {
    let parts = page.split(" href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let ours = parts.filter(|href| href.starts_with("/ui/") && !href.starts_with("/ui/a/"));
    ours.map(|href| href.replace("&amp;", "&")).collect()
}

/// A browser takes these segments for steps, before it asks.
fn is_stepping(href: &str) -> bool {
    let path = href.split('?').next().unwrap_or_default();
    path.split('/').any(|part| matches!(part.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | ".."))
}

async fn check_links(pages: &Pages, page: &str) {
    // Other parts of the site are tested where they are.
    const ELSEWHERE: [&str; 5] = ["/ui/set", "/ui/live", "/ui/trends", "/ui/explorer", "/ui/"];
    for href in links(page) {
        assert!(!is_stepping(&href), "{href}");
        if ELSEWHERE.iter().any(|other| href == *other || (other.len() > 4 && href.starts_with(other))) {
            continue;
        }
        let (status, body) = pages.get(&href).await;
        assert_eq!(status, 200, "{href}: {body}");
    }
}

fn is_clean(page: &str) -> bool {
    !page.contains("<script>alert") && !page.contains("<img src=x") && !page.contains("<!--")
}

#[tokio::test]
async fn hostile_users_stay_text_and_every_link_leads_to_their_pages() {
    let long = "x".repeat(500);
    let users: Vec<&str> = HOSTILE.into_iter().chain([long.as_str()]).collect();
    let rooms = "<b>room</b>";
    let events = users.iter().map(|user| joined(rooms, user, -600)).collect();
    let pages = Pages::with(events, Vec::new()).await;
    let (status, list) = pages.get("/ui/users").await;
    assert!(status == 200 && is_clean(&list), "{list}");
    check_links(&pages, &list).await;
    for user in users {
        let href = super::href(APP, user, &[]);
        assert!(!is_stepping(&href), "{href}");
        assert!(links(&list).contains(&href), "{href}");
        let (status, page) = pages.get(&href).await;
        assert!(status == 200 && is_clean(&page) && !page.contains("<b>room"), "{user}: {page}");
        let shown = maud::html! { bdi { (user) } }.into_string();
        assert!(page.contains(&format!("<h1>User {shown}</h1>")), "{user}: {page}");
        check_links(&pages, &page).await;
        // The address of the list names exactly this user, and finds it again.
        let search = super::address("/ui/users", &[("q", user)]);
        assert!(links(&pages.get(&search).await.1).contains(&href), "{user}");
        let table = pages.get(&super::href(APP, user, &[("format", "csv")])).await.1;
        let row = csv::Reader::from_reader(table.as_bytes()).records().next().unwrap().unwrap();
        assert!(row[2] == *user || row[2] == format!("'{user}"), "{table}");
        assert!(!row[2].starts_with('='), "{table}");
    }
}

#[tokio::test]
async fn a_page_shows_only_what_the_viewer_may_see() {
    let mut alien = joined("r", "spy", -60);
    alien.app = ALIEN;
    let pages = Pages::with(vec![joined("r", "alice", -60), alien], Vec::new()).await;
    for (target, expected) in [
        ("/ui/users/1400000001/alice", 200),
        ("/ui/users/1400000001/spy", 404),
        ("/ui/users/1400000009/spy", 404),
        ("/ui/users?app=1400000009", 404),
        ("/ui/users/x/alice", 404),
        ("/ui/users/1400000001/%ff", 404),
        ("/ui/users/1400000001", 404),
        ("/ui/users/1400000001/", 404),
        ("/ui/users/1400000001/a/b", 404),
    ] {
        assert_eq!(pages.get(target).await.0, expected, "{target}");
    }
    let (_, found) = pages.get("/ui/search?q=spy").await;
    assert!(found.contains("Nothing has this name"), "{found}");
}

#[tokio::test]
async fn users_are_searched_by_prefix_a_page_at_a_time() {
    let mut events: Vec<Event> = (0..120).map(|n| joined("r", &format!("user{n:03}"), -600)).collect();
    events.push(left("r", "user000", -300));
    events.push(joined("s", "user000", -200));
    let pages = Pages::with(events, Vec::new()).await;
    let (_, first) = pages.get("/ui/users?q=user").await;
    assert_eq!(first.matches("<th class=\"clip\" scope=\"row\">").count(), 50);
    let next =
        |page: &str| links(page).into_iter().find(|href| href.contains("after=") && !href.contains("csv"));
    let (_, second) = pages.get(&next(&first).unwrap()).await;
    assert!(second.contains(">user050<") && !second.contains(">user049<"), "{second}");
    let (_, third) = pages.get(&next(&second).unwrap()).await;
    assert_eq!(third.matches("scope=\"row\"").count(), 20);
    assert_eq!(next(&third), None);
    let (_, one) = pages.get("/ui/users?q=user000").await;
    assert!(one.contains("<td class=\"number\">2</td>") && one.contains("still in call"), "{one}");
    let (_, none) = pages.get("/ui/users?q=User0").await;
    assert!(none.contains("No user's id begins with"), "{none}");
    let empty = Pages::with(Vec::new(), Vec::new()).await;
    assert!(empty.get("/ui/users").await.1.contains("Nobody has been in a call yet"));
}

#[tokio::test]
async fn the_room_of_a_row_is_the_one_in_which_the_user_was_last() {
    let events = vec![
        joined("long", "zoe", -500),
        joined("short", "zoe", -400),
        left("short", "zoe", -300),
        joined("long", "yan", -500),
        joined("short", "yan", -400),
        left("short", "yan", -300),
        left("long", "yan", -200),
    ];
    let pages = Pages::with(events, Vec::new()).await;
    let (_, page) = pages.get("/ui/users").await;
    assert_eq!(page.matches("<bdi>long</bdi>").count(), 2, "{page}");
    assert!(!page.contains("<bdi>short</bdi>"), "{page}");
}

#[tokio::test]
async fn a_user_page_tells_how_each_leave_is_known_and_how_good_it_was() {
    let because = |event: Event, raw: &str| Event {
        reason: Some(Reason { class: ReasonClass::Timeout, raw: raw.to_owned() }),
        ..event
    };
    let with = |event: Event, device: &str| {
        let mut event = event;
        event.attrs.insert(Attr::Device, device.to_owned());
        event
    };
    let events = vec![
        with(joined("seen", "alice", -7_200), "Old phone"),
        because(left("seen", "alice", -3_600), "3"),
        with(joined("closed", "alice", -DAY_S), "New phone"),
        event("closed", "", Kind::RoomDestroyed, -DAY_S + 60),
        with(joined("open", "alice", -60), "New phone"),
        // Fifteen days ago.
        joined("old", "alice", -15 * DAY_S),
        event("old", "", Kind::RoomDestroyed, -15 * DAY_S + 60),
    ];
    let flow = Flow {
        app: APP,
        room: "seen".to_owned(),
        user: "alice".to_owned(),
        peer: String::new(),
        connection: String::new(),
    };
    let points = (0..10).map(|n| (Millis::from_secs(NOW_S - 7_000 + n * 2), 30.0)).collect();
    let series = Series { flow, columns: vec![(Measure::Gauge(Metric::AudioLoss), points)] };
    let pages = Pages::with(events, vec![series]).await;
    let (_, page) = pages.get("/ui/users/1400000001/alice").await;
    let row = |room: &str| {
        let rows = page.split("<tr>").find(|row| row.contains(&format!("<bdi>{room}</bdi>")));
        rows.unwrap_or_else(|| panic!("{room}: {page}")).to_owned()
    };
    assert!(
        row("seen").contains("<td class=\"wide\">22:30:00</td>") && row("seen").contains("<bdi>3</bdi>"),
        "{}",
        row("seen")
    );
    assert!(row("seen").contains("<span class=\"poor\">1.0</span>"), "{}", row("seen"));
    let inferred = "<td class=\"wide inferred\">23:31:00 (inferred: the room was closed)</td>";
    assert!(row("closed").contains(inferred), "{}", row("closed"));
    assert!(
        row("open").contains("<td class=\"wide\">still in call</td>") && row("open").contains(">–<"),
        "{}",
        row("open")
    );
    assert!(!page.contains("<bdi>old</bdi>"), "{page}");
    let (from, to) = (NOW_S - 7_230, NOW_S - 3_570);
    let zoomed = format!("/ui/calls/1400000001_seen_{}?u=alice&from={from}&to={to}", NOW_S - 7_200);
    assert!(links(&page).iter().any(|href| text(href) == zoomed), "{zoomed} {:?}", links(&page));
    let question = links(&page).into_iter().find(|href| href.starts_with("/ui/explorer/")).unwrap();
    for part in ["DescribeUserInfo?", "p.UserIds=alice", "p.CommId=1400000001_open_", "p.SdkAppId=1400000001"]
    {
        assert!(question.contains(part), "{question}");
    }
    // 14 rows, newest first; an hour of yesterday's zone is one of today's in another.
    assert_eq!(page.matches("<svg class=\"hours\"").count(), 14);
    let (_, cst) = pages.get("/ui/users/1400000001/alice?tz=cst").await;
    assert!(cst.find("2026-11-26") < cst.find("2026-11-25") && cst.contains("2026-11-13"), "{cst}");
    assert!(!cst.contains("2026-11-12"), "{cst}");
    // The days before have the other call, and a way back.
    let older = links(&page).into_iter().find(|href| href.contains("?to=")).unwrap();
    let (_, before) = pages.get(&older).await;
    assert!(before.contains("<bdi>old</bdi>") && !before.contains("<bdi>seen</bdi>"), "{before}");
    let ancient = pages.get("/ui/users/1400000001/alice?to=1000000000").await.1;
    assert!(ancient.contains("in no call in these 14 days"), "{ancient}");
    for to in ["9223372036854775807", "-9223372036854775808", "x", ""] {
        assert_eq!(pages.get(&format!("/ui/users/1400000001/alice?to={to}&page=-1")).await.0, 200, "{to}");
    }
    let table = pages.get("/ui/users/1400000001/alice?format=csv").await.1;
    assert!(table.starts_with("comm_id,room,user,joined_s,join_source,left_s,leave_source,"), "{table}");
    assert!(table.contains(",room_closed,") && table.contains("Old phone"), "{table}");
}

fn text(href: &str) -> String {
    super::super::query::text_of(href).unwrap()
}

#[tokio::test]
async fn a_long_list_has_pages() {
    let mut events = Vec::new();
    for n in 0..60 {
        let room = format!("room{n:02}");
        events.push(joined(&room, "alice", -10_000 + n * 100));
        events.push(event(&room, "", Kind::RoomDestroyed, -10_000 + n * 100 + 50));
    }
    let pages = Pages::with(events, Vec::new()).await;
    let mut rooms = Vec::new();
    for page in 0..3 {
        let (_, body) = pages.get(&format!("/ui/users/1400000001/alice?page={page}")).await;
        rooms.extend((0..60).rev().filter(|n| body.contains(&format!("<bdi>room{n:02}</bdi>"))));
        check_links(&pages, &body).await;
    }
    assert_eq!(rooms, (0..60).rev().collect::<Vec<i64>>());
}

#[tokio::test]
async fn the_search_leads_to_what_has_the_name() {
    let events = vec![
        joined("kitchen", "alice", -600),
        joined("kitchen", "alan", -600),
        joined("alice", "bob", -600),
        joined("12345", "carol", -600),
    ];
    let pages = Pages::with(events, Vec::new()).await;
    let id = format!("1400000001_kitchen_{}", NOW_S - 600);
    let to = pages.led_to(&format!("/ui/search?q=+{id}+")).await;
    assert_eq!(text(&to), format!("/ui/calls/{id}"));
    assert_eq!(pages.get(&to).await.0, 200);
    for (q, expected) in [
        ("describeuserinfo", "/ui/explorer/DescribeUserInfo"),
        ("Describe", "/ui/explorer?q=Describe"),
        ("kitchen", "/ui/calls?app=1400000001&q=kitchen"),
        ("12345", "/ui/calls?app=1400000001&q=12345"),
        ("al", "/ui/users?app=1400000001&q=al"),
        ("bo", "/ui/users/1400000001/bob"),
    ] {
        assert_eq!(pages.led_to(&format!("/ui/search?q={q}")).await, expected, "{q}");
    }
    // A room and a user.
    let (status, both) = pages.get("/ui/search?q=alice").await;
    assert!(status == 200 && both.contains("Room <bdi>alice</bdi>"), "{both}");
    assert!(links(&both).contains(&"/ui/users/1400000001/alice".to_owned()), "{both}");
    check_links(&pages, &both).await;
    for q in ["nobody", "1400000001_kitchen_1", "1400000009_kitchen_1", "%3Cb%3E", "", "desc%20nothing"] {
        let (status, none) = pages.get(&format!("/ui/search?q={q}")).await;
        assert!(
            status == 200 && none.contains("Nothing has this name") && !none.contains("<b>"),
            "{q}: {none}"
        );
    }
}
