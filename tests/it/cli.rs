//! The real binary: what it prints, where, and how it ends.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::server::{BINARY, Served, check, rollbook, run, temporary, text};

#[test]
fn wrong_usage_ends_with_2_and_failures_with_1() {
    let dir = temporary();
    let check = |arguments: &[&str], code, part| check(dir.path(), arguments, code, part);
    check(&[], 2, "Usage: rollbook");
    check(&["sing"], 2, "unrecognized subcommand 'sing'");
    check(&["serve", "--lisen", "x"], 2, "--listen");
    check(&["serve", "--listen", "nowhere"], 1, "--listen: `listen` must be an address with a port");
    check(&["serve", "--clock", "x"], 2, "--clock");
    check(&["serve", "--config", "none.toml"], 1, "cannot read the settings none.toml");
    check(&["keys"], 2, "Usage: rollbook keys");
    check(&["import", "events"], 2, "<FILE>");
    check(&["import", "janos", "-"], 2, "a similar value exists: 'janus'");
    check(&["import", "events", "none.ndjson"], 1, "cannot open none.ndjson");
    check(&["export", "users"], 2, "--app");
    check(&["export", "users", "--app", "1", "--from", "then"], 2, "expected a UNIX second");
    check(&["export", "events", "--app", "1", "--format", "parquet"], 1, "ndjson only");
    check(&["export", "events", "--app", "1", "--format", "csv"], 1, "ndjson only");
    check(&["copy"], 2, "--from <STORE>");
    check(&["copy", "--from", "embedded", "--to", "embedded"], 2, "--from and --to name the same store");
    check(&["copy", "--from", "embedded", "--to", "clickhouse"], 1, "there is no data directory");
    check(&["copy", "--from", "clickhouse", "--to", "embedded"], 1, "set `store.clickhouse`");
    check(&["call", "DescribeRoomInfo", "--endpoint", "https://x"], 1, "plain http only");
    check(&["call", "DescribeRoomInfo", "--endpoint", "http://x"], 1, "--secret-id is missing");
    check(&["call", "DescribeRoomInfo", "{", "--endpoint", "http://x"], 1, "the parameters are no JSON");
}

#[test]
fn help_and_version_are_data_without_colours() {
    let dir = temporary();
    for arguments in [&["--help"][..], &["--version"], &["serve", "--help"]] {
        let output = run(dir.path(), arguments);
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}");
        assert!(!output.stdout.contains(&0x1b), "{arguments:?}");
    }
    let help = text(&run(dir.path(), &["--help"]).stdout);
    for command in
        ["serve", "demo", "import", "export", "forget", "backup", "restore", "copy", "call", "keys", "check"]
    {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not in {help}");
    }
}

#[test]
fn new_keys_are_lines_for_the_settings_and_never_the_same() {
    let dir = temporary();
    let key = || check(dir.path(), &["keys", "new"], 0, "");
    let (one, other) = (key(), key());
    assert_ne!(one, other);
    std::fs::write(dir.path().join("s.toml"), format!("[[account]]\n{one}{other}")).expect("written");
    check(dir.path(), &["check", "--config", "s.toml"], 0, "settings: s.toml is right");
}

#[test]
fn check_says_what_is_wrong_and_where() {
    let dir = temporary();
    let checked = |settings: &str, code, part| {
        std::fs::write(dir.path().join("s.toml"), settings).expect("written");
        check(dir.path(), &["check", "--config", "s.toml"], code, part);
    };
    checked("\nlisen = 1", 1, "s.toml:2: unknown setting `lisen`; did you mean `listen`?");
    checked("[limits]\nhistory_days = 'x'", 1, "s.toml:2: `limits.history_days` must be a whole number");
    checked("[tls]\ncert_file = 'c'\nkey_file = 'k'", 1, "c: ");
    checked("[limits]\nhistory_days = 90", 0, "more than retention_days = 14 keeps");
    checked("", 0, "no key is set");
    check(dir.path(), &["check"], 0, "settings: none found");
    assert!(!dir.path().join("rollbook-data").exists(), "checking makes nothing");

    let output = rollbook(dir.path()).arg("check").env("ROLLBOOK_LISTEN", "x").output().expect("started");
    assert!(text(&output.stderr).contains("ROLLBOOK_LISTEN: `listen` must be"));
}

#[test]
fn a_first_start_makes_what_is_needed_and_a_second_finds_it() {
    let dir = temporary();
    let data = dir.path().join("data");
    let arguments = ["serve", "--data-dir", "data", "--listen", "127.0.0.1:0"];
    let served = Served::start(dir.path(), &arguments);
    let (id, key) = (served.after("SecretId:  "), served.after("SecretKey: "));
    assert!(id.starts_with("AKID") && id.len() == 36 && key.len() == 32, "{id} {key}");
    let mode = |path: &Path| std::fs::metadata(path).expect("made").permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("rollbook.toml")), 0o600);

    let ask = |served: &Served, key: &str, code, part: &str| {
        let question = r#"{"SdkAppId":1400000001,"StartTime":1,"EndTime":2}"#;
        let arguments = ["call", "DescribeRoomInfo", question, "--endpoint", &served.address];
        let output = rollbook(dir.path())
            .args(arguments)
            .env("TENCENTCLOUD_SECRET_ID", &id)
            .env("TENCENTCLOUD_SECRET_KEY", key)
            .output()
            .expect("started");
        let reply = text(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{reply} {}", text(&output.stderr));
        assert!(reply.contains(part), "{reply}");
    };
    ask(&served, &key, 1, "InvalidParameter.StartTsOversize");
    ask(&served, "wrong", 1, "AuthFailure.SignatureFailure");

    // The printed lines for a shell work as they are; curl where there is one.
    let call = format!("{BINARY} call ");
    let lines = served.said.lines().filter(|line| line.starts_with(&call) || line.starts_with("curl"));
    let lines: Vec<&str> = lines.collect();
    let answers = ["\"RoomList\":[]", "\"RoomList\":[]", "\"new\":1"];
    assert_eq!(lines.len(), answers.len(), "{}", served.said);
    for (line, answer) in lines.into_iter().zip(answers) {
        let program = line.split(' ').next().unwrap_or_default();
        let shell = format!("command -v {program} > /dev/null || exit 0; {line}");
        let output = Command::new("sh").args(["-c", &shell]).output().expect("started");
        let reply = text(&output.stdout);
        assert!(reply.is_empty() && line.starts_with("curl") || reply.contains(answer), "{line}: {reply}");
    }

    let pid = served.pid().to_string();
    check(dir.path(), &["serve", "--data-dir", "data", "--listen", "127.0.0.1:0"], 1, &pid);
    check(dir.path(), &["import", "events", "-", "--data-dir", "data"], 1, &pid);
    check(dir.path(), &["export", "users", "--app", "1", "--data-dir", "data"], 1, &pid);
    check(dir.path(), &["check", "--data-dir", "data"], 1, &pid);
    let log = served.stop();
    assert!(log.contains("request_id"), "requests are logged with their ids: {log}");
    assert!(!log.contains(&key), "no secret is logged");

    let served = Served::start(dir.path(), &arguments);
    assert!(!served.said.contains("SecretKey"), "{}", served.said);
    ask(&served, &key, 1, "InvalidParameter.StartTsOversize");
    served.stop();
    check(dir.path(), &["check", "--data-dir", "data"], 0, "store: data is right");
}

#[test]
fn nothing_is_on_disk_with_memory_and_the_clock_stands_where_it_is_told() {
    let dir = temporary();
    let served =
        Served::start(dir.path(), &["serve", "--memory", "--clock", "1590065777", "--listen", "127.0.0.1:0"]);
    let (id, key) = (served.after("SecretId:  "), served.after("SecretKey: "));
    let question = r#"{"SdkAppId":1400000001,"StartTime":1590065700,"EndTime":1590065800}"#;
    let arguments = ["call", "DescribeRoomInfo", question, "--endpoint", &served.address];
    let arguments = [&arguments[..], &["--secret-id", &id, "--secret-key", &key]].concat();
    let output = run(dir.path(), &arguments);
    // The time of the request is that of the machine, so the server must think it long over.
    assert!(text(&output.stdout).contains("AuthFailure.SignatureExpire"), "{}", text(&output.stdout));
    // The printed lines know that.
    assert!(served.said.contains("\nfaketime '@1590065777' env TENCENTCLOUD_SECRET_ID="), "{}", served.said);
    let line = served.said.lines().find(|line| line.contains(" call DescribeRoomInfo '")).expect("a line");
    let output = Command::new("sh").args(["-c", line]).output().expect("started");
    assert!(output.status.success() && text(&output.stdout).contains("\"Total\":0"), "{line} {output:?}");
    served.stop();
    assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 0);
}

#[test]
fn what_is_imported_and_will_not_be_kept_is_told() {
    let dir = temporary();
    let line =
        |second: i64| format!("{{\"kind\":\"joined\",\"room\":\"r\",\"user\":\"u\",\"at_s\":{second}}}\n");
    std::fs::write(dir.path().join("old"), line(1_590_065_777)).expect("written");
    std::fs::write(dir.path().join("new"), line(4_000_000_000)).expect("written");
    let import = |file: &str| {
        let output = run(dir.path(), &["import", "events", file, "--app", "1", "--data-dir", "data"]);
        assert!(output.status.success(), "{output:?}");
        text(&output.stderr)
    };
    let said = import("old");
    assert!(said.contains("older than `retention_days`: 1 events, which a server drops"), "{said}");
    assert!(!import("new").contains("older than"));
}

#[test]
fn the_demo_answers_the_example_of_the_api_page() {
    let dir = temporary();
    let served = Served::start(dir.path(), &["demo", "--listen", "127.0.0.1:0"]);
    assert!(served.after("SecretId:  ").starts_with("AKID"));
    let call = format!("{BINARY} call ");
    let lines: Vec<&str> = served.said.lines().filter(|line| line.starts_with(&call)).collect();
    let [example, recent] = lines[..] else { panic!("two lines: {lines:?}") };
    let ask = |line: &str| {
        let output = Command::new("sh").args(["-c", line]).output().expect("started");
        assert!(output.status.success(), "{line}: {}", text(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON")
    };
    let reply = &ask(example)["Response"];
    assert_eq!(reply["Total"], 2, "{reply}");
    let user = |nth: usize| {
        let user = &reply["UserList"][nth];
        let text = |name: &str| user[name].as_str().unwrap_or_default().to_owned();
        (
            text("UserId"),
            user["JoinTs"].as_i64(),
            user["LeaveTs"].as_i64(),
            text("SdkVersion"),
            text("ClientIp"),
        )
    };
    let expected = |name: &str, joined, left| {
        (name.to_owned(), Some(joined), Some(left), "4.3.14".to_owned(), "10.4.1.13".to_owned())
    };
    assert_eq!(user(0), expected("user1_54816741", 1_590_065_777, 1_590_067_658));
    assert_eq!(user(1), expected("user2_2107025", 1_590_065_700, 1_590_067_693));
    let running = ask(recent)["Response"]["Total"].as_i64();
    assert!(running.is_some_and(|calls| calls >= 6), "some calls are running");
    assert!(served.said.contains("tccli trtc DescribeUserInfo --version 2019-07-22"));
    served.stop();
    assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 0);
}

#[test]
fn what_is_imported_is_exported_and_importing_again_changes_nothing() {
    let dir = temporary();
    let payloads = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/payloads/trtc/normal.ndjson");
    let payloads = payloads.to_str().expect("text");
    let check = |arguments: &[&str], code, part| check(dir.path(), arguments, code, part);
    let refused = check(&["import", "trtc", payloads], 1, "unknown_app ");
    assert!(refused.is_empty(), "stdout is for data");
    check(&["import", "trtc", payloads, "--no-verify"], 0, " new, 0 known already");
    check(&["import", "trtc", payloads, "--no-verify", "--jobs", "3"], 0, "events: 0 new, ");

    let export = |what: &str, more: &[&str]| {
        let arguments = [&["export", what, "--app", "1400000123"][..], more].concat();
        check(&arguments, 0, "exported: ")
    };
    let events = export("events", &[]);
    let users = export("users", &[]);
    assert!(events.lines().count() > 5 && users.contains("\"alice\""), "{events}{users}");
    assert!(export("users", &["--format", "csv"]).contains("alice"));
    assert!(export("calls", &[]).contains("1400000123_218695_1795370400"));
    assert!(export("events", &["--from", "2099-01-01"]).is_empty());
    export("events", &["-o", "events.ndjson"]);
    assert_eq!(std::fs::read_to_string(dir.path().join("events.ndjson")).expect("written"), events);

    check(&["import", "events", "events.ndjson", "--data-dir", "other"], 0, " new, 0 known already");
    let again = check(&["export", "events", "--app", "1400000123", "--data-dir", "other"], 0, "exported: ");
    assert_eq!(again, events);
}

#[test]
fn bad_lines_are_told_with_file_and_line_and_good_ones_are_kept() {
    let dir = temporary();
    let good = r#"{"kind":"joined","room":"7","user":"bob","at_s":1795370400}"#;
    std::fs::write(dir.path().join("e.ndjson"), format!("{good}\n\nnonsense\n")).expect("written");
    let arguments = ["import", "events", "e.ndjson", "--app", "5"];
    check(dir.path(), &arguments, 0, "e.ndjson:3: ");
    check(dir.path(), &arguments, 0, "refused: 1 lines (unreadable 1)");
    let table =
        "type,comm_id,room,user,joined_s,left_s\nsession,5_8_1795370400,8,eve,1795370400,1795370500\n";
    std::fs::write(dir.path().join("r.csv"), table).expect("written");
    check(dir.path(), &["import", "records", "r.csv", "--app", "5"], 0, "events: 2 new");
    let users = check(dir.path(), &["export", "users", "--app", "5"], 0, "exported: 2 lines");
    assert!(users.contains("\"bob\"") && users.contains("\"eve\""), "{users}");
}
