//! `rollbook import stats`: the same call in four files.

use super::*;
use crate::server::{check, settings, temporary};

/// A file of the recordings.
fn file(name: &str) -> String {
    format!("{}/tests/payloads/getstats/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn files_are_read_whatever_their_format_is() {
    let dir = temporary();
    let apps = format!("[[account.app]]\nsdk_app_id = {}\ningest_token = \"ingest-token\"\n", APP_ID.0);
    std::fs::write(dir.path().join("s.toml"), settings(&apps)).expect("written");
    let call = file("chromium_call.json");
    let packed = dir.path().join("call.json.gz");
    std::fs::write(&packed, crate::server::gzip(&std::fs::read(&call).expect("readable"))).expect("written");
    let packed = packed.to_str().expect("text").to_owned();
    let dump = file("chromium_call.rtcstats_v3.jsonl");
    let page = file("chromium_call.webrtc_internals.json.gz");
    let told = ["--room", ROOM, "--user", USER, "--peer", PEER, "--app", "1400000123"];
    let import = |data: &str, file: &str, told: &[&str]| {
        let arguments = ["import", "stats", file, "--config", "s.toml", "--data-dir", data];
        check(dir.path(), &[&arguments, told].concat(), 0, "events: 1 new, 0 known already\nsamples: ");
        let arguments =
            ["export", "samples", "--app", "1400000123", "--config", "s.toml", "--data-dir", data];
        check(dir.path(), &arguments, 0, "")
    };
    // What the file says goes before what the command does.
    let of_call = import("call", &call, &["--user", "somebody else"]);
    assert_eq!(of_call.matches(USER).count(), of_call.lines().count());
    assert!(!of_call.is_empty());
    assert_eq!(import("packed", &packed, &[]), of_call);
    assert_eq!(import("call-again", &call, &told), of_call);
    // Connections have other names in a dump, and everything else is the same.
    let connections = [("PC_0", "pub"), ("PC_1", "sub")];
    let of_dump = import("dump", &dump, &told);
    let renamed = connections.iter().fold(of_dump, |text, (from, to)| text.replace(from, to));
    assert_eq!(renamed, of_call);
    let of_page = import("page", &page, &told);
    let measures = |text: &str| {
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let names = lines.flat_map(|line| {
            let peer = line["peer"].to_string();
            let names: Vec<String> = line["values"].as_object().expect("values").keys().cloned().collect();
            names.into_iter().map(move |name| format!("{peer} {name}"))
        });
        names.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(measures(&of_page), measures(&of_call));
}

#[test]
fn what_a_file_does_not_tell_is_asked_for() {
    let dir = temporary();
    std::fs::write(dir.path().join("s.toml"), settings("")).expect("written");
    std::fs::write(dir.path().join("other"), "hello").expect("written");
    std::fs::write(dir.path().join("broken.gz"), [0x1f, 0x8b, 8, 0]).expect("written");
    let dump = file("chromium_call.rtcstats_v3.jsonl");
    let page = file("chromium_call.webrtc_internals.json.gz");
    let call = file("chromium_call.json");
    let import = |file: &str, more: &[&str], code: i32, part: &str| {
        let arguments = ["import", "stats", file, "--config", "s.toml"];
        check(dir.path(), &[&arguments, more].concat(), code, part);
    };
    let missing = |what: &str| {
        format!(":1: {what}: missing; a request can tell it as `?{what}=`, an import as `--{what}`")
    };
    for file in [&dump, &page] {
        import(file, &["--app", "5", "--user", "u"], 1, &missing("room"));
        import(file, &["--app", "5", "--room", "r"], 1, &missing("user"));
        import(file, &["--room", "r", "--user", "u"], 1, ":1: app: missing; nothing else says whose this is");
    }
    import(&call, &["--app", "5"], 1, "app: 1400000123 is not the application 5");
    import("other", &["--app", "5"], 1, "expected a JSON object with room, user, ts and reports");
    import("broken.gz", &["--app", "5"], 1, "cannot read broken.gz");
    import("none", &["--app", "5"], 1, "cannot open none");
    import(&dump, &["--room", ""], 2, "--room");
    check(dir.path(), &["import", "stats"], 2, "<FILE>");
    let wrong = ["import", "events", "other", "--room", "r", "--config", "s.toml"];
    check(dir.path(), &wrong, 2, "--room, --user and --peer say nothing about events");
}
