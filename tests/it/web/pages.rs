//! Each page as it is written: its elements, its links, its headers, its weight, in both languages and each zone.

use std::collections::{BTreeMap, BTreeSet};

use rollbook::web::{Access, SECURITY_HEADERS};

use super::html::{self, Page};
use super::site::{BEGAN_S, Got, Site, escaped, hostile, passwords};
use super::{DATA, PAGES};

const BROWSER: &str = "Accept: text/html,application/xhtml+xml,*/*;q=0.8";
const PACKED: &str = "Accept-Encoding: gzip, br";
/// The page of a call of 200 sessions, in packed bytes.
const LARGE_BYTES_MAX: usize = 25_000;
/// Any page with all that it loads, in packed bytes.
const WHOLE_BYTES_MAX: usize = 120_000;
/// Names and signs that are the same in Chinese.
const SAME_IN_CHINESE: &[&str] =
    &["rollbook", "CommId", "English", "API", "{API}", "CSV", "SDK", "IP", "API Explorer"];
/// What the API Explorer names besides that: languages, tools, methods of signing and of HTTP.
const SAME_IN_EXPLORER: &[&str] = &[
    "Python",
    "Node.js",
    "Go",
    "Java",
    "PHP",
    ".NET",
    "C++",
    "Ruby",
    "tccli",
    "curl",
    "HTTP",
    "GET",
    "POST",
    "TC3-HMAC-SHA256",
    "Token",
];

/// Whether a text of the API Explorer begins with a name of the wire (`RoomId string`, `ap-beijing`) or a time.
fn is_of_the_wire(text: &str) -> bool {
    let first = text.split(' ').next().unwrap_or_default();
    let has_hump = first.chars().skip(1).any(char::is_uppercase);
    SAME_IN_EXPLORER.contains(&text)
        || has_hump
        || (first.contains('-') && !first.contains(char::is_uppercase))
}

async fn open() -> Site {
    Site::start(Access::open(), false).await
}

fn read(path: &str, got: &Got) -> Page {
    html::read(&got.text()).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every page, with its address and what is in it.
async fn all(site: &Site, headers: &[&str]) -> Vec<(String, Got)> {
    let mut all = Vec::new();
    for page in PAGES {
        let path = site.path(page);
        let got = site.get(&path, &[&[BROWSER], headers].concat()).await;
        assert_eq!(got.status, 200, "{path}: {}", got.text());
        assert_eq!(got.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        all.push((path, got));
    }
    all
}

#[tokio::test]
async fn pages_are_well_formed_named_and_nothing_in_them_leaves_the_host() {
    let site = open().await;
    let mut faults = Vec::new();
    for (path, got) in all(&site, &[]).await {
        faults.extend(read(&path, &got).faults().into_iter().map(|fault| format!("{path}: {fault}")));
    }
    for path in ["/ui/calls/{nothing}", "/ui/none"].map(|path| site.path(path)) {
        let got = site.get(&path, &[BROWSER]).await;
        assert_eq!(got.status, 404, "{path}");
        faults.extend(read(&path, &got).faults().into_iter().map(|fault| format!("{path}: {fault}")));
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[tokio::test]
async fn every_address_in_a_page_is_answered() {
    let site = open().await;
    // Each address once, with a page that has it.
    let mut addresses: BTreeMap<String, String> = BTreeMap::new();
    for (path, got) in all(&site, &[]).await {
        let here = path.split('?').next().unwrap_or_default();
        for address in read(&path, &got).addresses() {
            let address = address.split('#').next().unwrap_or_default();
            let whole =
                if address.starts_with('?') { format!("{here}{address}") } else { address.to_owned() };
            addresses.insert(whole, path.clone());
        }
    }
    let mut wrong = Vec::new();
    for (address, page) in addresses.iter().filter(|(address, _)| !address.is_empty()) {
        let status = site.get(address, &[BROWSER]).await.status;
        if !matches!(status, 200 | 303) {
            wrong.push(format!("{address} in {page}: {status}"));
        }
    }
    assert!(addresses.len() > 20, "{addresses:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_answer_carries_the_policy() {
    let site = open().await;
    let others = ["/ui", "/ui/", "/ui/none", "/ui/login", "/ui/set?theme=dark", "/ui/a/x/app.css"];
    let data = DATA.iter().map(|(path, _)| *path);
    for path in PAGES.iter().copied().chain(data).chain(others) {
        for method in ["GET", "HEAD", "POST"] {
            let got = site.send(method, &site.path(path), &[BROWSER], "").await;
            for (name, value) in SECURITY_HEADERS {
                assert_eq!(got.header(name), Some(value), "{method} {path}: {name}");
            }
            assert!(got.header("cache-control").is_some() || got.status == 200, "{method} {path}");
            assert!(method != "HEAD" || got.body.is_empty(), "{path}");
        }
    }
    let policy = SECURITY_HEADERS.iter().find(|(name, _)| *name == "content-security-policy").unwrap().1;
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("data:"), "{policy}");
}

#[tokio::test]
async fn data_has_its_type_and_is_kept_by_nobody() {
    let site = open().await;
    for (path, kind) in DATA {
        let got = site.get(&site.path(path), &[]).await;
        assert_eq!((got.status, got.header("content-type")), (200, Some(*kind)), "{path}: {}", got.text());
        if *kind == "application/json" {
            assert_eq!(got.header("cache-control"), Some("no-store"), "{path}");
            serde_json::from_str::<serde_json::Value>(&got.text()).unwrap_or_else(|e| panic!("{path}: {e}"));
        }
    }
}

#[tokio::test]
async fn hostile_names_are_text_and_their_links_lead_to_them() {
    let site = open().await;
    for view in ["", "?view=table"] {
        let path = format!("{}{view}", site.path("/ui/calls/{hostile}"));
        let got = site.get(&path, &[BROWSER]).await;
        let page = read(&path, &got);
        for name in hostile() {
            // The whole name is the text of an element of its own, so no part of it was taken for anything else.
            let is_there = page.all("bdi").any(|one| one.text == name);
            assert!(is_there, "{path}: {name:?} is no text of a <bdi>");
        }
        let text = got.text();
        assert!(!text.contains("<img") && !text.contains("<script>") && !text.contains("<!--"), "{path}");
    }
    let mut listed = 0;
    for room in hostile() {
        let list = format!("/ui/calls?q={}", escaped(&room));
        let got = site.get(&list, &[BROWSER]).await;
        let page = read(&list, &got);
        let link = page.all("a").find(|a| a.text == room).unwrap_or_else(|| panic!("no link to {room:?}"));
        let got = site.get(link.attribute("href").unwrap(), &[BROWSER]).await;
        assert_eq!(got.status, 200, "{room:?}");
        let page = read(&room, &got);
        assert!(page.faults().is_empty(), "{room:?}: {:?}", page.faults());
        let has_room = |name| page.all(name).any(|one| one.text.contains(&room));
        assert!(has_room("h1") && has_room("title"), "{room:?}");
        let search = format!("/ui/search?q={}", escaped(&room));
        let got = site.get(&search, &[BROWSER]).await;
        // Where a room is all there is, the search leads to its calls.
        listed += usize::from(got.status == 200);
        let page = if got.status == 200 { read(&search, &got) } else { page };
        // What was asked for, the room and the user; white space around it is not looked for.
        let told = page.all("bdi").filter(|one| one.text == room).count();
        assert!(
            got.status != 200 || told >= 3 || room.trim() != room,
            "{search}: {told} times the text of a <bdi>"
        );
        assert!(page.faults().is_empty(), "{search}: {:?}", page.faults());
        // Nothing that was asked for breaks out of where it is said again.
        let got =
            site.get(&format!("/ui/calls?q={0}&app={0}&lang={0}&back={0}", escaped(&room)), &[BROWSER]).await;
        assert_eq!(got.status, 404, "{room:?}");
        assert!(read(&list, &got).faults().is_empty());
    }
    assert!(listed > 2, "{listed} names were found as a room and a user");
}

/// A page's files, those that its scripts import too, in packed bytes.
async fn files(site: &Site, page: &Page) -> BTreeMap<String, usize> {
    let assets = page.addresses().into_iter().filter(|address| address.starts_with("/ui/a/"));
    let mut open: BTreeSet<String> = assets.map(str::to_owned).collect();
    let mut files = BTreeMap::new();
    while let Some(address) = open.pop_first() {
        if files.contains_key(&address) {
            continue;
        }
        let got = site.get(&address, &[PACKED]).await;
        assert_eq!(got.status, 200, "{address}");
        assert!(got.header("cache-control").is_some_and(|value| value.contains("immutable")), "{address}");
        let (folder, _) = address.rsplit_once('/').unwrap();
        for import in got.text().split("from \"./").skip(1) {
            open.insert(format!("{folder}/{}", import.split('"').next().unwrap_or_default()));
        }
        files.insert(address, got.body.len());
    }
    files
}

#[tokio::test]
async fn pages_are_light() {
    let site = open().await;
    for (path, got) in all(&site, &[PACKED]).await {
        let files = files(&site, &read(&path, &got)).await;
        assert!(files.len() >= 3, "{path}: {files:?}");
        let whole = got.body.len() + files.values().sum::<usize>();
        assert!(whole <= WHOLE_BYTES_MAX, "{path}: {whole} bytes with {files:?}");
        if path == site.path("/ui/calls/{large}") {
            assert_eq!(got.header("content-encoding"), Some("gzip"));
            assert!(got.body.len() <= LARGE_BYTES_MAX, "{path}: {} bytes", got.body.len());
            let page = read(&path, &got);
            let facts: Vec<&str> = page.all("dd").map(|dd| dd.text.trim()).collect();
            assert!(facts.contains(&"200") && facts.contains(&"199"), "{facts:?}");
        }
    }
}

#[tokio::test]
async fn every_page_is_there_in_both_languages() {
    let site = open().await;
    let mut forgotten = Vec::new();
    for (path, got) in all(&site, &["Cookie: lang=zh"]).await {
        let page = read(&path, &got);
        assert_eq!(page.elements[0].attribute("lang"), Some("zh-CN"), "{path}");
        assert!(page.faults().is_empty(), "{path}: {:?}", page.faults());
        let is_explorer = path.starts_with("/ui/explorer");
        let texts =
            page.latin(SAME_IN_CHINESE).into_iter().filter(|text| !is_explorer || !is_of_the_wire(text));
        forgotten.extend(texts.map(|text| format!("{path}: {text:?}")));
    }
    assert!(forgotten.is_empty(), "not in Chinese:\n{}", forgotten.join("\n"));
    for (headers, expected) in [
        (&["Accept-Language: zh-CN,zh;q=0.9"][..], "zh-CN"),
        (&["Accept-Language: zh-CN", "Cookie: lang=en"], "en"),
        (&["Accept-Language: de"], "en"),
        (&[], "en"),
    ] {
        let got = site.get("/ui/calls", headers).await;
        assert_eq!(read("/ui/calls", &got).elements[0].attribute("lang"), Some(expected), "{headers:?}");
    }
    let got = site.get("/ui/calls?lang=zh", &["Cookie: lang=en"]).await;
    assert_eq!(read("/ui/calls", &got).elements[0].attribute("lang"), Some("zh-CN"));
}

/// Pages of the explorer beside those of [`PAGES`]: every action, as it is opened, wrongly filled in, and without a result.
const IN_THE_EXPLORER: &[&str] = &[
    "/ui/explorer/{}",
    "/ui/explorer/{}?p.SdkAppId=x&p.StartTime=now&p.EndTime=now-40d&p.PageSize=x&p.CommId=&p.DataType=none",
    "/ui/explorer/{}?p.SdkAppId=7&p.StartTime=now-40d&p.EndTime=now&p.CommId=1_2_3&p.UserId=&p.RoomId=",
    "/ui/explorer/{}?p.SdkAppId=1400000001&p.CommId=1400000001_a_1&p.StartTime=now-3d&p.EndTime=now&p.PageSize=101&sign=HmacSHA1&method=GET",
    "/ui/explorer/{}?p.CommId=1400000001_a_1&p.StartTime=now&p.EndTime=now-1h&p.PageSize=0&p.UserId=u&p.RoomId=r&region=nowhere",
];

/// What is English in these pages for who reads Chinese.
async fn left_in_english(site: &Site, paths: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut left = Vec::new();
    for path in paths {
        let got = site.get(&path, &[BROWSER, "Cookie: lang=zh"]).await;
        assert!([200, 404].contains(&got.status), "{path}: {}", got.status);
        let page = read(&path, &got);
        left.extend(page.english(&hostile()).into_iter().map(|text| format!("{path}: {text:?}")));
    }
    left
}

#[tokio::test]
async fn no_english_is_left_in_chinese_pages() {
    let site = open().await;
    let errors = ["/ui/calls/{nothing}", "/ui/none", "/ui/explorer?q=nothing+has+this"];
    let mut paths: Vec<String> = PAGES.iter().chain(&errors).map(|path| site.path(path)).collect();
    for action in rollbook::actions::ACTIONS {
        paths.extend(IN_THE_EXPLORER.iter().map(|path| path.replace("{}", action.name)));
    }
    let mut left = left_in_english(&site, paths).await;
    let closed = Site::start(passwords(), false).await;
    left.extend(left_in_english(&closed, ["/ui/login".to_owned()]).await);
    assert!(left.is_empty(), "{} left in English:\n{}", left.len(), left.join("\n"));
}

#[tokio::test]
async fn times_are_those_of_the_zone() {
    let site = open().await;
    let began = |minutes: i64| {
        let s = (BEGAN_S + minutes * 60).rem_euclid(86_400);
        format!("{:02}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
    };
    for (cookie, name, offset, minutes) in [
        ("Cookie: tz=utc", "utc", "+00:00", 0),
        ("Cookie: tz=cst; tzo=60", "cst", "+08:00", 480),
        ("Cookie: tzo=-210", "browser", "-03:30", -210),
        ("Cookie: tz=browser; tzo=840", "browser", "+14:00", 840),
        ("Cookie: tzo=99999", "browser", "+00:00", 0),
        ("Cookie: tzo=x; tz=mars", "browser", "+00:00", 0),
    ] {
        for (path, got) in all(&site, &[cookie]).await {
            let page = read(&path, &got);
            assert_eq!(page.elements[0].attribute("data-tz"), Some(name), "{path} {cookie}");
            assert!(got.text().contains(&format!("UTC{offset}")), "{path} {cookie}");
            if path == site.path("/ui/calls/{ended}") {
                let time =
                    page.all("time").find(|one| one.attribute("datetime") == Some(&BEGAN_S.to_string()));
                assert_eq!(time.map(|one| one.text.clone()), Some(began(minutes)), "{path} {cookie}");
            }
        }
    }
}

#[tokio::test]
async fn preferences_are_cookies_that_lead_back() {
    let site = open().await;
    let check = |query: &'static str, location: &'static str, cookie: Option<&'static str>| {
        let site = &site;
        async move {
            let got = site.get(&format!("/ui/set?{query}"), &[]).await;
            assert_eq!((got.status, got.header("location")), (303, Some(location)), "{query}");
            let set = got.header("set-cookie").map(|set| set.split(';').next().unwrap_or_default());
            assert_eq!(set, cookie, "{query}");
        }
    };
    check("theme=dark&back=%2Fui%2Fcalls%3Fapp%3D1", "/ui/calls?app=1", Some("theme=dark")).await;
    check("theme=evil&back=%2F%2Fevil.example%2Fui%2F", "/ui/", None).await;
    check("lang=zh&back=https%3A%2F%2Fevil.example", "/ui/", Some("lang=zh")).await;
    check("tz=utc%0d%0aset-cookie:x=y&back=/ui/%0d%0ax:y", "/ui/", None).await;
}
