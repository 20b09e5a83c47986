//! `rollbook import stats`.

use crate::server::{check, settings, temporary};

/// A file of the recordings.
fn file(name: &str) -> String {
    format!("{}/tests/payloads/getstats/{name}", env!("CARGO_MANIFEST_DIR"))
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
