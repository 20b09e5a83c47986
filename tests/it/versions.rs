//! Stores that releases wrote, kept in `tests/stores`: each is opened for ever, and gives what it held then. `make store`
//! writes that of this version.

use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use redb::{Database, ReadableTable as _, TableDefinition};
use rollbook::records::{AppId, Millis};
use rollbook::store::embedded::{Embedded, EmbeddedOptions};
use rollbook::store::{Person, Store as _};

use crate::happenings::{event, series};
use crate::server::{APP, check, temporary};

const DAY_S: i64 = 86_400;
/// A midnight in UTC.
const MIDNIGHT_S: i64 = 1_795_392_000;
/// What is exported of each.
const EXPORTS: [&str; 4] = ["calls", "users", "events", "samples"];
const META: TableDefinition<'static, &'static str, u64> = TableDefinition::new("meta");

fn stores() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores")
}

/// Everything of a directory under another one.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("readable") {
        let (from, to) = entry.map(|entry| (entry.path(), to.join(entry.file_name()))).expect("readable");
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(from, to).expect("copied");
        }
    }
}

fn export(dir: &Path, what: &str) -> String {
    let app = APP.to_string();
    check(dir, &["export", what, "--app", &app, "--data-dir", "data"], 0, "exported: ")
}

/// Writes a store with a packed day, one that was changed since it was packed, and an open one; of somebody who was erased;
/// and what it exports.
fn make(kept: &Path) {
    // In a directory of its owner: the files of a checkout may be read by others.
    let dir = temporary();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).expect("made");
    let store = Embedded::open(&data, EmbeddedOptions::default()).expect("opened");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut random = TestRunner::deterministic();
    for day in 0..3 {
        let from_s = MIDNIGHT_S + DAY_S * day;
        let events = prop::collection::vec(event(from_s, from_s + DAY_S + 600), 150);
        let samples = prop::collection::vec(series(from_s, from_s + 600), 20);
        let (events, samples) = (events, samples).new_tree(&mut random).expect("some").current();
        runtime.block_on(store.append(events)).expect("kept");
        runtime.block_on(store.append_samples(samples)).expect("kept");
    }
    let now = Millis::from_secs(MIDNIGHT_S + 3 * DAY_S);
    runtime.block_on(store.seal(now, Duration::from_secs(2 * 86_400))).expect("packed");
    let erased = Person { app: AppId(APP), user: "7".to_owned(), until: now };
    runtime.block_on(store.forget(&erased, [7; 32])).expect("erased");
    let late = event(MIDNIGHT_S, MIDNIGHT_S + 600).new_tree(&mut random).expect("one").current();
    runtime.block_on(store.append(vec![late])).expect("kept");
    drop(store);
    std::fs::remove_file(data.join("lock")).expect("removed");
    for what in EXPORTS {
        let text = export(dir.path(), what);
        std::fs::write(dir.path().join(format!("{what}.ndjson")), text).expect("written");
    }
    std::fs::remove_file(data.join("lock")).expect("removed");
    let _ = std::fs::remove_dir_all(kept);
    copy(dir.path(), kept);
}

#[expect(clippy::disallowed_methods, reason = "a test has no command line of its own to be told by")]
fn is_told_to_make() -> bool {
    std::env::var_os("MAKE_STORE").is_some_and(|value| value == "1")
}

#[test]
fn a_store_of_each_release_is_opened_and_gives_what_it_held() {
    if is_told_to_make() {
        make(&stores().join(env!("CARGO_PKG_VERSION")));
    }
    let mut opened = 0;
    for entry in std::fs::read_dir(stores()).expect("stores") {
        let kept = entry.expect("readable").path();
        let dir = temporary();
        copy(&kept.join("data"), &dir.path().join("data"));
        check(dir.path(), &["check", "--data-dir", "data"], 0, "is right, ");
        for what in EXPORTS {
            let expected = std::fs::read_to_string(kept.join(format!("{what}.ndjson"))).expect("kept");
            assert!(expected.lines().count() > 5, "{} {what}", kept.display());
            assert!(export(dir.path(), what) == expected, "{} exports other {what}", kept.display());
        }
        // It goes on: what was told is known, what is new is kept, who was erased stays away.
        let app = APP.to_string();
        let again = kept.join("events.ndjson");
        let import = ["import", "events", again.to_str().expect("text"), "--data-dir", "data"];
        check(dir.path(), &import, 0, "events: 0 new, ");
        let line = |user: &str| {
            format!("{{\"kind\":\"joined\",\"room\":\"new\",\"user\":\"{user}\",\"at_s\":{MIDNIGHT_S}}}\n")
        };
        std::fs::write(dir.path().join("new"), line("7") + &line("new")).expect("written");
        check(
            dir.path(),
            &["import", "events", "new", "--app", &app, "--data-dir", "data"],
            0,
            "events: 1 new, 1 known",
        );
        check(dir.path(), &["check", "--data-dir", "data"], 0, "is right, ");
        opened += 1;
    }
    assert!(opened > 0, "no store is kept");
}

#[test]
fn what_a_newer_version_wrote_is_refused_by_name_and_left_alone() {
    let kept = stores().join(env!("CARGO_PKG_VERSION")).join("data");
    for (folder, name) in [("days", "format"), ("samples", "samples")] {
        let files = std::fs::read_dir(kept.join(folder)).expect("readable");
        let names = files.map(|entry| entry.expect("readable").file_name());
        for file in names.filter(|file| file != "list") {
            let dir = temporary();
            copy(&kept, &dir.path().join("data"));
            let path = dir.path().join("data").join(folder).join(&file);
            let newer = change_version(&path, name, |version| version + 1);
            let part = format!(
                "{folder}/{} was written in format {newer}; this rollbook reads format",
                file.display()
            );
            let serve = ["serve", "--data-dir", "data", "--listen", "127.0.0.1:0"];
            let export = ["export", "users", "--app", "1", "--data-dir", "data"];
            for arguments in [&["check", "--data-dir", "data"][..], &export, &serve] {
                check(dir.path(), arguments, 1, &part);
            }
            // What it says is as it was.
            change_version(&path, name, |version| version - 1);
            for what in EXPORTS {
                let expected = std::fs::read_to_string(kept.join(format!("../{what}.ndjson"))).expect("kept");
                assert!(self::export(dir.path(), what) == expected, "{part}");
            }
        }
    }
    let dir = temporary();
    copy(&kept, &dir.path().join("data"));
    std::fs::write(dir.path().join("data/erased"), "rollbook erased 2\n").expect("written");
    check(dir.path(), &["check", "--data-dir", "data"], 1, "erased begins with \"rollbook erased 2\"");
}

/// Gives a file another version; which that is.
fn change_version(path: &Path, name: &str, change: impl Fn(u64) -> u64) -> u64 {
    let db = Database::open(path).expect("opened");
    let mut tx = db.begin_write().expect("writable");
    tx.set_quick_repair(true);
    let changed = {
        let mut meta = tx.open_table(META).expect("a table");
        let version = meta.get(name).expect("readable").expect("a version").value();
        meta.insert(name, change(version)).expect("written");
        change(version)
    };
    tx.commit().expect("written");
    changed
}
