//! Who may see pages: over the server's socket with each kind of door, and with the real binary.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use rollbook::actions::Policy;
use rollbook::clock::Clock;
use rollbook::store::Memory;
use rollbook::web::Access;
use serde_json::Value;

use super::site::{FOREIGN_APP, Got, MARK, NOW_S, PASSWORD, Site, passwords, policy, serve};
use super::{DATA, PAGES, html};
use crate::server::{Served, check, rollbook, settings, temporary, text};
use crate::vectors;

const BROWSER: &str = "Accept: text/html,*/*;q=0.8";

/// Signs in as a browser does.
async fn sign_in(site: &Site, account: &str, password: &str, back: &str) -> Got {
    let origin = format!("Origin: http://{}", site.address);
    let headers = [BROWSER, &origin, "Content-Type: application/x-www-form-urlencoded"];
    let body = format!("account={account}&password={}", password.replace(' ', "+"));
    site.send("POST", &format!("/ui/login{back}"), &headers, &body).await
}

/// The session of an account, as a header.
async fn session(site: &Site, account: &str) -> String {
    let got = sign_in(site, account, PASSWORD, "").await;
    assert_eq!(got.status, 303, "{account}: {}", got.text());
    let cookie = got.header("set-cookie").unwrap().split(';').next().unwrap();
    format!("Cookie: {cookie}")
}

#[tokio::test]
async fn signing_in_gives_a_session_and_signing_out_takes_it() {
    let site = Site::start(passwords(), false).await;
    let asked = site.get(&site.path("/ui/calls/{ended}?view=table&q=a%26b"), &[BROWSER]).await;
    let login = asked.header("location").unwrap().to_owned();
    assert_eq!(asked.status, 303);
    let form = site.get(&login, &[BROWSER]).await;
    let page = html::read(&form.text()).unwrap();
    assert_eq!((form.status, page.faults()), (200, Vec::new()));
    let action = page.all("form").next().unwrap().attribute("action").unwrap().to_owned();

    let got = sign_in(&site, "one", PASSWORD, action.strip_prefix("/ui/login").unwrap()).await;
    let back = got.header("location").unwrap().to_owned();
    assert_eq!((got.status, back.as_str()), (303, &*site.path("/ui/calls/{ended}?view=table&q=a%26b")));
    let cookie = got.header("set-cookie").unwrap();
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/ui; Max-Age=43200; HttpOnly; SameSite=Strict");
    let cookie = format!("Cookie: theme=dark; {pair}");
    let got = site.get(&back, &[BROWSER, &cookie]).await;
    assert_eq!(got.status, 200);
    assert!(got.text().contains("/ui/logout"));

    let origin = format!("Origin: http://{}", site.address);
    let kept = site.send("POST", "/ui/logout", &[&cookie, "Origin: http://evil.example"], "").await;
    assert_eq!((kept.status, kept.header("set-cookie")), (303, None), "another site signs nobody out");
    let out = site.send("POST", "/ui/logout", &[&cookie, &origin], "").await;
    let expected = "rollbook_session=; Path=/ui; Max-Age=0; HttpOnly; SameSite=Strict";
    assert_eq!((out.status, out.header("set-cookie")), (303, Some(expected)));
}

#[tokio::test]
async fn cookies_of_an_encrypted_connection_are_for_such_ones_only() {
    let site = Site::start(passwords(), true).await;
    let got = sign_in(&site, "one", PASSWORD, "").await;
    assert!(got.header("set-cookie").unwrap().ends_with("; HttpOnly; SameSite=Strict; Secure"));
    let got = site.get("/ui/set?theme=dark", &[]).await;
    assert!(got.header("set-cookie").unwrap().ends_with("; Secure"));
}

#[tokio::test]
async fn the_session_of_a_browser_that_speaks_tls_to_a_proxy_is_for_tls_only() {
    let site = Site::start(passwords(), false).await;
    let (plain, tls) =
        (format!("Origin: http://{}", site.address), format!("Origin: https://{}", site.address));
    let body = format!("account=one&password={}", PASSWORD.replace(' ', "+"));
    for path in ["/ui/login", "/ui/logout"] {
        for (headers, is_secure) in [
            (vec![&*tls], true),
            (vec![&*tls, "Sec-Fetch-Site: same-origin"], true),
            (vec![&*plain], false),
            // Who speaks plain HTTP would never see such a session again, whatever else the request says.
            (
                vec![&*plain, "X-Forwarded-Proto: https", "Forwarded: proto=https", "X-Forwarded-Ssl: on"],
                false,
            ),
        ] {
            let got = site.send("POST", path, &headers, &body).await;
            let cookie = got.header("set-cookie").unwrap();
            assert_eq!(cookie.ends_with("; Secure"), is_secure, "{path} {headers:?}: {cookie}");
        }
    }
    let got = site.send("POST", "/ui/login", &["Origin: https://evil.example"], &body).await;
    assert_eq!((got.status, got.header("set-cookie")), (403, None));
}

#[tokio::test]
async fn a_wrong_password_says_as_much_as_a_wrong_name() {
    let site = Site::start(passwords(), false).await;
    let wrong = sign_in(&site, "one", "wrong horse", "").await;
    let unknown = sign_in(&site, "nobody", PASSWORD, "").await;
    assert_eq!((wrong.status, unknown.status), (401, 401));
    assert_eq!(wrong.text(), unknown.text());
    assert!(wrong.header("set-cookie").is_none() && wrong.text().contains("role=\"alert\""));
    // The password of the one is none of the other by swapping accounts.
    assert_eq!(sign_in(&site, "", "", "").await.status, 401);
    for back in ["?back=%2F%2Fevil.example", "?back=https://evil.example/ui/", "?back=/ui/%5Cevil.example"] {
        let got = sign_in(&site, "one", PASSWORD, back).await;
        let (expected, got) = if got.status == 429 {
            (None, got.header("location"))
        } else {
            (Some("/ui/"), got.header("location"))
        };
        assert_eq!(got, expected, "{back}");
    }
    let late = sign_in(&site, "one", PASSWORD, "").await;
    assert_eq!((late.status, late.header("set-cookie")), (429, None), "five attempts a minute are the most");
}

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let site = Site::start(passwords(), false).await;
    let body = format!("account=one&password={}", PASSWORD.replace(' ', "+"));
    for header in ["X: y", "Origin: null", "Origin: http://evil.example", "Sec-Fetch-Site: same-site"] {
        for path in ["/ui/login", "/ui/login?back=/ui/calls"] {
            let got = site.send("POST", path, &[BROWSER, header], &body).await;
            assert_eq!((got.status, got.header("set-cookie")), (403, None), "{header}");
        }
    }
    let cookie = session(&site, "one").await;
    for path in PAGES.iter().chain(&["/ui/none"]) {
        let headers = [BROWSER, cookie.as_str(), "Origin: http://evil.example"];
        assert_eq!(site.send("POST", &site.path(path), &headers, "a=b").await.status, 403, "{path}");
    }
}

/// Every route without a session, with one that was made up, and with that of another account.
#[tokio::test]
async fn nobody_sees_what_is_not_theirs() {
    let site = Site::start(passwords(), false).await;
    let one = session(&site, "one").await;
    let (payload, seal) = one.split_once('.').unwrap();
    let forged = [
        format!("{payload}.{}", seal.chars().rev().collect::<String>()),
        format!("{payload}."),
        payload.to_owned(),
        format!("{payload}x.{seal}"),
        "Cookie: rollbook_session=one".to_owned(),
    ];
    let two = session(&site, "two").await;
    let paths: Vec<String> =
        PAGES.iter().copied().chain(DATA.iter().map(|(path, _)| *path)).map(|path| site.path(path)).collect();
    for path in &paths {
        assert_eq!(site.get(path, &[BROWSER, &one]).await.status, 200, "{path}");
        let strangers = forged.iter().map(String::as_str).chain(["X: y"]);
        for cookie in strangers {
            for (accept, status) in [(BROWSER, 303), ("Accept: */*", 401), ("Accept: text/event-stream", 401)]
            {
                for method in ["GET", "HEAD"] {
                    let got = site.send(method, path, &[accept, cookie], "").await;
                    assert_eq!(got.status, status, "{method} {path} {cookie}");
                    assert!(!got.text().contains(MARK), "{method} {path} {cookie}: {}", got.text());
                }
            }
            assert_eq!(site.send("POST", path, &[BROWSER, cookie], "a=b").await.status, 401, "{path}");
        }
        check_foreign(&site, path, &two).await;
    }
}

/// What somebody sees of another's: what they see of something that is not there.
async fn check_foreign(site: &Site, path: &str, cookie: &str) {
    let got = site.get(path, &[BROWSER, cookie]).await;
    // What was asked for is in the page, as a way back; nothing else may be.
    let said = |text: String, own: &str| text.replace(own, "").replace(&super::site::escaped(own), "");
    // A form of the explorer only says again what was asked for.
    let names_app =
        (path.contains("1400000001") && !path.starts_with("/ui/explorer/")) || path.starts_with("/ui/data/");
    if !names_app {
        assert_eq!(got.status, 200, "{path}");
        let rest = got.text().replace("zebra-ended", "");
        assert!(!rest.contains(MARK), "{path}: {rest}");
        return;
    }
    assert_eq!(got.status, 404, "{path}");
    let text = got.text();
    let page = html::read(&text).unwrap();
    let main = page.all("main").next().unwrap().text.clone();
    let nothing = site.path("/ui/calls/{nothing}");
    let absent = site.get(&nothing, &[BROWSER, cookie]).await;
    let expected = html::read(&absent.text()).unwrap().all("main").next().unwrap().text.clone();
    assert_eq!(main, expected, "{path}");
    assert!(!said(main, path).contains(MARK), "{path}");
}

#[tokio::test]
async fn an_account_sees_its_own() {
    let site = Site::start(passwords(), false).await;
    let two = session(&site, "two").await;
    let got = site.get("/ui/calls", &[BROWSER, &two]).await;
    assert!(got.text().contains("mallory-room") && !got.text().contains(MARK));
    let got = site.get(&site.path("/ui/calls/{foreign}"), &[BROWSER, &two]).await;
    assert_eq!(got.status, 200);
    let one = session(&site, "one").await;
    for path in
        ["/ui/calls/{foreign}", &format!("/ui/calls?app={FOREIGN_APP}"), "/ui/data/call/{foreign}?u=mallory"]
    {
        let got = site.get(&site.path(path), &[BROWSER, &one]).await;
        assert_eq!(got.status, 404, "{path}");
        let main = html::read(&got.text()).unwrap().all("main").next().unwrap().text.clone();
        assert!(!main.contains("mallory"), "{path}: {main}");
    }
}

#[tokio::test]
async fn a_link_from_elsewhere_finds_the_session() {
    let site = Site::start(passwords(), false).await;
    let path = site.path("/ui/calls/{ended}?q=a%26%22b");
    let got = site.get(&path, &[BROWSER, "Sec-Fetch-Site: cross-site"]).await;
    let page = html::read(&got.text()).unwrap();
    let refresh = page.all("meta").find(|meta| meta.attribute("http-equiv") == Some("refresh")).unwrap();
    assert_eq!((got.status, refresh.attribute("content")), (200, Some(&*format!("0;url={path}"))));
    assert_eq!(page.faults(), Vec::<String>::new());
    let one = session(&site, "one").await;
    assert_eq!(site.get(&path, &[BROWSER, &one, "Sec-Fetch-Site: same-origin"]).await.status, 200);
    let got = site.get(&path, &[BROWSER, "Sec-Fetch-Site: same-origin"]).await;
    assert_eq!(got.status, 303, "who has no session signs in");
}

#[tokio::test]
async fn the_open_door_is_for_this_machine() {
    let site = Site::start(Access::open(), false).await;
    let port = site.address.port();
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        let got = site.get("/ui/calls", &[BROWSER, &format!("Host: {host}:{port}")]).await;
        assert_eq!(got.status, 200, "{host}");
    }
    for headers in [
        &["Host: evil.example"][..],
        &["Host: 127.0.0.1.evil.example"],
        &["Host: 192.168.0.1:9180"],
        &["Host: 127.0.0.1", "X-Forwarded-For: 10.0.0.1"],
        &["Host: localhost", "Via: 1.1 proxy"],
    ] {
        for path in PAGES.iter().copied().chain(DATA.iter().map(|(path, _)| *path)) {
            let got = site.get(&site.path(path), headers).await;
            assert_eq!(got.status, 401, "{headers:?} {path}");
            assert!(!got.text().contains(MARK), "{headers:?} {path}");
        }
    }
}

#[tokio::test]
async fn a_browser_at_the_root_sees_pages_and_a_question_never_does() {
    let site = Site::start(Access::open(), false).await;
    let got = site.get("/", &[BROWSER]).await;
    assert_eq!((got.status, got.header("location")), (302, Some("/ui/")));
    for (method, path, header) in [
        ("GET", "/", "Accept: */*"),
        ("GET", "/?Action=DescribeRoomInfo", BROWSER),
        ("GET", "/?a=b", BROWSER),
        ("POST", "/", BROWSER),
    ] {
        assert_eq!(site.send(method, path, &[header], "").await.status, 200, "{method} {path}");
    }
}

/// The recorded questions of SDKs, now from a client that would rather have a page: they are answered as before.
#[tokio::test]
async fn no_recorded_question_is_taken_for_a_browser() {
    let (mut questions, mut bare) = (0, 0);
    for vector in vectors::all().iter().filter(|vector| vector["request"]["method"] == "GET") {
        let request = &vector["request"];
        let pairs = request["headers"].as_array().unwrap().iter();
        let mut headers: Vec<String> = pairs
            .map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()))
            .filter(|(name, _)| {
                !name.eq_ignore_ascii_case("accept") && !name.eq_ignore_ascii_case("connection")
            })
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        headers.push(BROWSER.to_owned());
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let target = request["target"].as_str().unwrap();
        let now_s = vector["server_now"].as_i64().unwrap();
        let policy = Policy { accounts: vectors::accounts(), requests_per_second: 0, ..Policy::default() };
        let pages = Some((Access::open(), false));
        let (address, _stop) = serve(Arc::new(Memory::default()), policy, Clock::standing_at(now_s), pages);
        let got = super::site::send(address, "GET", target, &headers, "").await;
        if got.status == 302 {
            // It names no action in any way: nobody means a question by it.
            assert_eq!((target, vector["expect"]["code"].as_str()), ("/", Some("MissingParameter")));
            bare += 1;
            continue;
        }
        let answer: Value = serde_json::from_slice(&got.body).unwrap();
        let code = &answer["Response"]["Error"]["Code"];
        assert_eq!(*code, vector["expect"]["code"], "{}: {answer}", vector["id"]);
        questions += 1;
    }
    assert!(questions >= 160 && bare <= 3, "{questions} questions, {bare} bare");
}

/// Gives `keys ui-password` a password on stdin; its exit code and what it said.
fn set_password(dir: &Path, arguments: &[&str], password: &str) -> (Option<i32>, String) {
    let mut command = rollbook(dir);
    command.args(["keys", "ui-password", "--config", "s.toml"]).args(arguments).stdin(Stdio::piped());
    let mut child = command.spawn().expect("started");
    // It may have refused before it reads.
    let _ = child.stdin.take().expect("piped").write_all(format!("{password}\n").as_bytes());
    let output = child.wait_with_output().expect("ended");
    (output.status.code(), text(&output.stderr))
}

fn write(dir: &Path, name: &str, content: &str) {
    std::fs::write(dir.join(name), content).expect("written");
}

#[test]
fn passwords_are_written_replaced_and_refused_with_the_reason() {
    let dir = temporary();
    let file = dir.path().join("pw");
    write(dir.path(), "s.toml", &settings("").replace("[[account]]\n", "[[account]]\nname = \"main\"\n"));
    let refused = |arguments: &[&str], password: &str, part: &str| {
        let (code, said) = set_password(dir.path(), arguments, password);
        assert!(code == Some(1) && said.contains(part), "{arguments:?}: {said}");
    };
    refused(&["--account", "mian"], PASSWORD, "did you mean `main`?");
    refused(&["--account", "somebody else"], PASSWORD, "there are: main");
    refused(&["--account", "main", "--file", "pw"], "short", "5 characters; 12 are the fewest");
    refused(&["--account", "main", "--file", "pw"], "", "no password was given");
    refused(&["--account", "main", "--file", "none/pw"], PASSWORD, "cannot write the passwords none/pw");
    assert!(!file.exists());

    let set = |password: &str, part: &str| {
        let (code, said) = set_password(dir.path(), &["--account", "main", "--file", "pw"], password);
        assert!(code == Some(0) && said.contains(part) && !said.contains(password), "{said}");
        let mode = std::fs::metadata(&file).expect("written").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        std::fs::read_to_string(&file).expect("text")
    };
    let one = set(PASSWORD, "[ui]\npassword_file = \"");
    write(dir.path(), "pw", &format!("# mine\n{one}"));
    let other = set("another horse", "password_file");
    assert!(other.starts_with("# mine\nmain:$argon2id$") && other.lines().count() == 2, "{other}");
    assert!(!other.contains(&one) && !other.contains("horse"));
    assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 2, "nothing else is left");

    let with_file = |text: &str| format!("{}[ui]\npassword_file = \"pw\"\n", text);
    write(dir.path(), "s.toml", &with_file(&settings("")));
    check(dir.path(), &["check", "--config", "s.toml"], 0, "there is no account `main` in the settings");
    // Where others get as far as to the file.
    crate::server::set_mode(dir.path(), 0o755);
    crate::server::set_mode(&dir.path().join("s.toml"), 0o600);
    crate::server::set_mode(&file, 0o640);
    check(dir.path(), &["check", "--config", "s.toml"], 1, "chmod 600");
    let serve = ["serve", "--config", "s.toml", "--memory", "--listen", "127.0.0.1:0"];
    check(dir.path(), &serve, 1, "(mode 640): chmod 600");
    refused(&["--account", "account 1"], PASSWORD, "chmod 600");
}

#[tokio::test]
async fn pages_that_others_can_reach_need_a_password() {
    let dir = temporary();
    let named = settings("").replace("[[account]]\n", "[[account]]\nname = \"main\"\n");
    let named = format!("plain_http = true\n{named}");
    write(dir.path(), "s.toml", &named);
    let arguments = ["serve", "--config", "s.toml", "--memory", "--listen", "0.0.0.0:0"];
    let get = |served: &Served, path: &str, headers: &[&str]| {
        let port: u16 = served.host().rsplit(':').next().expect("a port").parse().expect("a number");
        let (path, headers) = (path.to_owned(), headers.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>());
        async move {
            let host = format!("Host: 127.0.0.1:{port}");
            let all: Vec<&str> =
                [host.as_str()].into_iter().chain(headers.iter().map(String::as_str)).collect();
            super::site::send(([127, 0, 0, 1], port).into(), "GET", &path, &all, "").await
        }
    };
    let served = Served::start(dir.path(), &arguments);
    assert!(served.said.contains("the pages are closed"), "{}", served.said);
    let got = get(&served, "/ui/calls", &[BROWSER]).await;
    assert_eq!(got.status, 303);
    let got = get(&served, got.header("location").expect("the form"), &[BROWSER]).await;
    assert!(got.status == 401 && got.text().contains("rollbook keys ui-password"), "{}", got.text());
    served.stop();

    // Behind a proxy on this machine, which is what `public_hosts` is for.
    write(dir.path(), "p.toml", &format!("public_hosts = [\"calls.example.com\"]\n{named}"));
    let arguments_of_proxy = ["serve", "--config", "p.toml", "--memory", "--listen", "127.0.0.1:0"];
    let served = Served::start(dir.path(), &arguments_of_proxy);
    assert!(served.said.contains("the pages are closed"), "{}", served.said);
    assert_eq!(get(&served, "/ui/calls", &[]).await.status, 401);
    served.stop();

    write(dir.path(), "s.toml", &format!("{named}[ui]\npassword_file = \"pw\"\n"));
    let (code, said) = set_password(dir.path(), &["--account", "main"], PASSWORD);
    assert!(code == Some(0) && said.contains("reload the server"), "{said}");
    let served = Served::start(dir.path(), &arguments);
    assert!(!served.said.contains("closed"), "{}", served.said);
    let port = served.host().rsplit(':').next().expect("a port").parse().expect("a number");
    let body = format!("account=main&password={}", PASSWORD.replace(' ', "+"));
    let headers = ["Host: calls", "Origin: http://calls"];
    let got = super::site::send(([127, 0, 0, 1], port).into(), "POST", "/ui/login", &headers, &body).await;
    let cookie =
        got.header("set-cookie").expect("a session").split(';').next().unwrap_or_default().to_owned();
    let got = get(&served, "/ui/none", &[BROWSER, &format!("Cookie: {cookie}")]).await;
    assert_eq!(got.status, 404, "who is signed in is told that there is nothing");
    let log = served.stop();
    assert!(!log.contains(PASSWORD) && !log.contains(&cookie), "{log}");
}

#[tokio::test]
async fn a_session_ends_with_its_time() {
    let at = |now_s: i64| {
        let pages = Some((passwords(), false));
        serve(Arc::new(Memory::default()), policy(), Clock::standing_at(now_s), pages)
    };
    let (address, _stop) = at(NOW_S);
    let host = format!("Host: {address}");
    let origin = format!("Origin: http://{address}");
    let body = "account=one&password=correct+horse";
    let got = super::site::send(address, "POST", "/ui/login", &[&host, &origin], body).await;
    let cookie = format!("Cookie: {}", got.header("set-cookie").unwrap().split(';').next().unwrap());
    for (seconds, status) in [(0, 200), (43_199, 200), (43_200, 401), (90_000, 401)] {
        // The same key signs; the next process of a real server has another.
        let (address, _stop) = at(NOW_S + seconds);
        let got = super::site::send(address, "GET", "/ui/calls", &[&host, &cookie], "").await;
        assert_eq!(got.status, status, "after {seconds} s");
    }
}
