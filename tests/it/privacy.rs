//! What is kept of people: addresses as the settings say, and nothing of who is erased, also on disk.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::server::{APP, BEARER, INGEST_TOKEN, Served, check, post, run, settings, temporary, text};

/// The files of a directory and of those in it.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.is_file() {
            files.push(path);
        }
    }
    files
}

/// Which files hold a text, or the four bytes of the address that it is; packed blocks are looked into wherever they stand.
fn holding(dir: &Path, word: &str) -> Vec<String> {
    let octets = word.parse::<std::net::Ipv4Addr>().map(|address| address.octets().to_vec());
    let forms = [Some(word.as_bytes().to_vec()), octets.ok()];
    let says = |bytes: &[u8]| {
        forms.iter().flatten().any(|form| bytes.windows(form.len()).any(|part| part == form.as_slice()))
    };
    let packed = |bytes: &[u8]| {
        let magic = [0x28, 0xb5, 0x2f, 0xfd];
        let begins = bytes.windows(magic.len()).enumerate().filter(|(_, part)| *part == magic);
        begins.map(|(at, _)| &bytes[at..]).any(|frame| {
            let mut text = Vec::new();
            if let Ok(decoder) = zstd::stream::read::Decoder::new(frame) {
                let _ = std::io::Read::read_to_end(&mut decoder.single_frame(), &mut text);
            }
            says(&text)
        })
    };
    let all = contents(dir);
    assert!(!all.is_empty());
    let holding = all.into_iter().filter(|(_, bytes)| says(bytes) || packed(bytes));
    holding.map(|(path, _)| path.display().to_string()).collect()
}

/// All files and what is in them. A server that runs may put one in the place of another meanwhile: then all are read again.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let read = |path: PathBuf| std::fs::read(&path).map(|bytes| (path, bytes));
    loop {
        match files(dir).into_iter().map(read).collect() {
            Ok(all) => return all,
            Err(error) if std::io::Error::kind(&error) == std::io::ErrorKind::NotFound => {}
            Err(error) => panic!("readable: {error}"),
        }
    }
}

const ADDRESS: &str = "203.0.113.77";
const MASKED: &str = "203.0.113.0";

/// What each source tells of an address, wherever it may stand: the word of `import`, the file, and whether the address
/// is kept at all.
fn telling() -> Vec<(&'static str, String, bool)> {
    let payload = |path: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/payloads");
        std::fs::read_to_string(folder.join(path)).expect("readable")
    };
    let delivery = |headers: Value, body: &Value| {
        json!({"arrival_ms": 1_795_370_400_230_i64, "headers": headers, "body": body.to_string()}).to_string()
    };
    // Bodies that no rule knows are kept as they came.
    let trtc = json!({"EventGroupId": 1, "EventType": 199, "CallbackTs": 1_795_370_400_250_i64,
        "EventInfo": {"RoomId": 7, "EventTs": 1_795_370_400, "UserId": "alice", "ClientIp": ADDRESS}});
    let livekit = json!({"event": "participant_moved", "room": {"sid": "RM_1", "name": "r"}, "id": "EV_1",
        "createdAt": "1795370400", "participant": {"identity": "alice", "address": ADDRESS}});
    let recorded = payload("livekit/deliveries.ndjson");
    let first: Value = serde_json::from_str(recorded.lines().next().expect("a line")).expect("JSON");
    let attrs = json!({"client_ip": ADDRESS});
    let event =
        json!({"app": APP, "kind": "joined", "room": "r", "user": "alice", "at_s": NOW_S, "attrs": attrs});
    let attributes = json!({"app": APP, "kind": "attributes", "room": "r", "user": "alice", "at_s": NOW_S, "attrs": attrs});
    let record = json!({"type": "session", "comm_id": format!("{APP}_r_1795370400"), "room": "r", "user": "alice",
        "joined_s": 1_795_370_400, "left_s": 1_795_370_500, "client_ip": ADDRESS});
    let of_app = |line: String| line.replace("192.0.2.2", ADDRESS);
    vec![
        ("trtc", delivery(json!({"SdkAppId": APP.to_string()}), &trtc), true),
        ("livekit", delivery(first["headers"].clone(), &livekit), true),
        ("janus", of_app(payload("janus/videoroom_browser_call.ndjson")), true),
        (
            "stats",
            payload("getstats/chromium_call.json")
                .replace("1400000123", &APP.to_string())
                .replace("\"id\":", &format!("\"ip\": \"{ADDRESS}\", \"id\":")),
            false,
        ),
        ("events", format!("{event}\n{attributes}\n"), true),
        ("records", record.to_string(), true),
    ]
}

#[test]
fn an_address_is_on_disk_as_the_settings_say_whatever_told_it() {
    for (source, told, is_kept) in telling() {
        for policy in ["keep", "mask", "drop"] {
            let dir = temporary();
            let key = "livekit = { api_key = \"APIdevsampleKey\", api_secret = \"s\" }";
            let apps = format!("[[account.app]]\nsdk_app_id = {APP}\n{key}\n");
            let text = format!("[privacy]\nclient_ip = \"{policy}\"\n{}", settings(&apps));
            std::fs::write(dir.path().join("s.toml"), text).expect("written");
            std::fs::write(dir.path().join("told"), &told).expect("written");
            let app = APP.to_string();
            let mut arguments =
                vec!["import", source, "told", "--config", "s.toml", "--data-dir", "data", "--no-verify"];
            if source != "livekit" && source != "trtc" {
                arguments.extend(["--app", &app]);
            }
            check(dir.path(), &arguments, 0, " new, ");
            let data = dir.path().join("data");
            let (whole, masked) = (holding(&data, ADDRESS), holding(&data, MASKED));
            assert_eq!(whole.is_empty(), policy != "keep" || !is_kept, "{source} {policy}: {whole:?}");
            let in_part = policy == "mask" && ["janus", "events", "records"].contains(&source);
            assert_eq!(!masked.is_empty(), in_part, "{source} {policy}: {masked:?}");
        }
    }
}

#[tokio::test]
async fn an_address_that_is_posted_is_on_disk_as_the_settings_say() {
    for policy in ["keep", "mask", "drop"] {
        let dir = temporary();
        let app = format!("[[account.app]]\nsdk_app_id = {APP}\ningest_token = \"{INGEST_TOKEN}\"\n");
        let text = format!("[privacy]\nclient_ip = \"{policy}\"\n{}", settings(&app));
        std::fs::write(dir.path().join("s.toml"), text).expect("written");
        let served = serve(dir.path());
        let line = |more: &str| format!("{{\"room\":\"r\",\"user\":\"alice\",\"at_s\":{NOW_S},{more}}}");
        let address = format!("\"client_ip\":\"{ADDRESS}\"");
        for (path, more) in [
            ("/ingest/events", format!("\"kind\":\"joined\",\"attrs\":{{{address}}}")),
            ("/ingest/attributes", address),
        ] {
            let reply = served.send(&post(path, &[BEARER], line(&more).as_bytes())).await;
            assert_eq!(reply.status, 200, "{reply:?}");
        }
        served.stop();
        let data = dir.path().join("data");
        assert_eq!(holding(&data, ADDRESS).is_empty(), policy != "keep", "{policy}");
        assert_eq!(holding(&data, MASKED).is_empty(), policy != "mask", "{policy}");
    }
}

const NOW_S: i64 = 1_795_370_400;
const DAY_S: i64 = 86_400;

fn serve(dir: &Path) -> Served {
    let now = (NOW_S + 3_600).to_string();
    let arguments =
        ["serve", "--config", "s.toml", "--data-dir", "data", "--listen", "127.0.0.1:0", "--clock", &now];
    Served::start(dir, &arguments)
}

/// What two people did, four days ago and today.
fn lines() -> String {
    let mut lines = String::new();
    for at_s in [NOW_S - 4 * DAY_S, NOW_S] {
        for (kind, user, after) in
            [("joined", "zacharias", 0), ("joined", "bob", 5), ("left", "zacharias", 60), ("left", "bob", 90)]
        {
            let attrs = json!({"client_ip": "10.4.1.13"});
            let line = json!({"kind": kind, "room": "r", "user": user, "at_s": at_s + after, "attrs": attrs});
            lines.push_str(&format!("{line}\n"));
        }
        let line = json!({"kind": "room_destroyed", "room": "r", "at_s": at_s + 120});
        lines.push_str(&format!("{line}\n"));
        for (user, peer) in [("zacharias", ""), ("bob", "zacharias"), ("bob", "")] {
            let at_ms = [at_s + 10, at_s + 12].map(|at_s| at_s * 1_000);
            let line = json!({"kind": "samples", "room": "r", "user": user, "peer": peer, "at_ms": at_ms,
                "values": {"rtt": [30, 31]}});
            lines.push_str(&format!("{line}\n"));
        }
    }
    lines
}

fn forget(dir: &Path, user: &str) -> Value {
    let app = APP.to_string();
    let arguments = ["forget", "--app", &app, "--user", user, "--config", "s.toml", "--data-dir", "data"];
    let output = run(dir, &arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(!text(&output.stdout).contains(user), "a receipt holds no name");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[tokio::test]
async fn a_person_is_erased_while_the_server_serves_and_when_it_does_not() {
    let dir = temporary();
    let app = format!("[[account.app]]\nsdk_app_id = {APP}\ningest_token = \"{INGEST_TOKEN}\"\n");
    std::fs::write(dir.path().join("s.toml"), settings(&app)).expect("written");
    let data = dir.path().join("data");
    let served = serve(dir.path());
    let tell = || post("/ingest/events", &[BEARER], lines().as_bytes());
    let told = served.send(&tell()).await;
    assert_eq!((told.status, &told.json()["refused"]), (200, &json!(0)), "{told:?}");
    assert!(holding(&data, "zacharias").len() >= 4, "events and measurements of two days");

    let receipt = forget(dir.path(), "zacharias");
    let request = json!({"app": APP, "user": "zacharias"}).to_string();
    let hash: String = Sha256::digest(request).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(receipt["request_sha256"], hash, "{receipt}");
    assert_eq!(receipt["erased_at"], "2026-11-22T19:00:00Z", "{receipt}");
    let counts = ["calls", "sessions", "events", "values"].map(|name| receipt[name].as_u64());
    assert_eq!(counts, [Some(2), Some(2), Some(4), Some(8)], "{receipt}");
    assert_eq!(holding(&data, "zacharias"), [""; 0]);

    // The sender repeats it, to no avail.
    assert_eq!(served.send(&tell()).await.json()["new"], json!(0));
    assert_eq!(holding(&data, "zacharias"), [""; 0]);
    let question = json!({"SdkAppId": APP, "CommId": format!("{APP}_r_{NOW_S}"), "StartTime": NOW_S, "EndTime": NOW_S + 100});
    let reply = served.ask("DescribeUserInfo", &question, NOW_S + 3_600).await;
    assert_eq!(reply["Total"], 1, "the call has kept its id: {reply}");
    assert_eq!(reply["UserList"][0]["UserId"], "bob");
    let log = served.stop();
    assert!(!log.contains("zacharias") && !log.contains("bob"), "{log}");
    assert!(!data.join("control").exists());

    // The same without a server, and after a start.
    check(dir.path(), &["check", "--config", "s.toml", "--data-dir", "data"], 0, "store: data is right");
    std::fs::write(dir.path().join("told"), lines()).expect("written");
    let app = APP.to_string();
    let import = ["import", "events", "told", "--app", &app, "--config", "s.toml", "--data-dir", "data"];
    check(dir.path(), &import, 0, "events: 0 new, ");
    assert_eq!(holding(&data, "zacharias"), [""; 0]);
    let nobody = ["forget", "--app", "7", "--user", "nobody", "--until", "2100-01-01", "--data-dir", "data"];
    for part in [
        "application 7 is not in the settings",
        "nothing was known of this user",
        "nothing that happens until then will be taken",
    ] {
        check(dir.path(), &nobody, 0, part);
    }
    let receipt = forget(dir.path(), "bob");
    assert_eq!((&receipt["calls"], &receipt["values"]), (&json!(2), &json!(4)), "{receipt}");
    assert_eq!(holding(&data, "bob"), [""; 0]);
    let export = ["export", "users", "--app", &app, "--data-dir", "data"];
    assert_eq!(check(dir.path(), &export, 0, "exported: 0 lines"), "");
    check(dir.path(), &["check", "--config", "s.toml", "--data-dir", "data"], 0, "store: data is right");
}

#[test]
fn what_cannot_be_erased_is_said() {
    let dir = temporary();
    let forget = |more: &[&str], code, part| {
        check(dir.path(), &[&["forget", "--app", "1"], more].concat(), code, part);
    };
    forget(&[], 2, "--user");
    forget(&["--user", ""], 2, "--user");
    forget(&["--user", "a", "--until", "then"], 2, "expected a UNIX second");
    forget(&["--user", "a"], 1, "there is no data directory");
    let clickhouse = "[store.clickhouse]\nurls = [\"http://127.0.0.1:9\"]\ndatabase = \"r\"\n";
    std::fs::write(dir.path().join("s.toml"), clickhouse).expect("written");
    forget(&["--user", "a", "--config", "s.toml"], 1, "not all is erased; run the same command again");
}

#[test]
fn a_person_is_given_all_that_is_kept_of_them() {
    let dir = temporary();
    std::fs::write(dir.path().join("told"), lines()).expect("written");
    let app = APP.to_string();
    check(dir.path(), &["import", "events", "told", "--app", &app, "--data-dir", "data"], 0, " new, ");
    let export = |arguments: &[&str], part: &str| {
        let all =
            [&["export", "--app", &app, "--data-dir", "data", "--user", "zacharias"], arguments].concat();
        check(dir.path(), &all, 0, part)
    };
    let everything = export(&[], "exported: ");
    let kinds: Vec<String> = everything
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let kind = if line["type"].is_null() { &line["kind"] } else { &line["type"] };
            kind.as_str().expect("a word").to_owned()
        })
        .collect();
    let count = |kind: &str| kinds.iter().filter(|other| *other == kind).count();
    let counts = ["call", "session", "joined", "left", "samples"].map(count);
    assert_eq!(counts, [2, 2, 2, 2, 4], "{everything}");
    assert_eq!(kinds.len(), 12, "{everything}");
    // Of others only what was measured of this person is among it.
    let of_bob: Vec<&str> = everything.lines().filter(|line| line.contains("bob")).collect();
    assert!(
        of_bob.len() == 2 && of_bob.iter().all(|line| line.contains("\"peer\":\"zacharias\"")),
        "{of_bob:?}"
    );
    assert_eq!(export(&["users", "--format", "csv"], "exported: 2 lines").lines().count(), 3);
    assert_eq!(export(&["calls"], "exported: 2 lines").lines().count(), 2);
    assert_eq!(export(&["events"], "exported: 4 lines").lines().count(), 4);
    let export = |more: &[&str], code, part| {
        check(dir.path(), &[&["export", "--app", &app, "--data-dir", "data"], more].concat(), code, part);
    };
    export(&[], 2, "<WHAT>");
    export(&["--user", "zacharias", "--format", "csv"], 1, "ndjson only");
}
