//! Backups of a server that goes on writing, and what is made of them.

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use rollbook::ingest::export;
use rollbook::records::quality::Series;
use rollbook::records::{Event, Kind};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::happenings::{event, events_of, lines_of, series, series_of};
use crate::server::{
    APP, BEARER, INGEST_TOKEN, Served, check, post, read_reply, rollbook, run, settings, temporary, text,
};

const DAY_S: i64 = 86_400;
/// A midnight in UTC.
const MIDNIGHT_S: i64 = 1_795_392_000;
/// Old enough for the first of three days to be packed, while others are open.
const CLOCK_S: i64 = MIDNIGHT_S + 3 * DAY_S + 7_200;

struct World(tempfile::TempDir);

impl World {
    fn new() -> World {
        let dir = temporary();
        let app = format!("[[account.app]]\nsdk_app_id = {APP}\ningest_token = \"{INGEST_TOKEN}\"\n");
        std::fs::create_dir(dir.path().join("data")).expect("made");
        let file = dir.path().join("data/rollbook.toml");
        std::fs::write(&file, settings(&app)).expect("written");
        for path in [dir.path().join("data"), file] {
            let mode = if path.is_dir() { 0o700 } else { 0o600 };
            std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("set");
        }
        World(dir)
    }

    fn dir(&self) -> &Path {
        self.0.path()
    }

    fn serve(&self, data: &str) -> Served {
        let clock = CLOCK_S.to_string();
        Served::start(
            self.dir(),
            &["serve", "--data-dir", data, "--listen", "127.0.0.1:0", "--clock", &clock],
        )
    }

    /// Runs a command to its end; what it said.
    fn run(&self, arguments: &[&str], code: i32) -> String {
        let output = run(self.dir(), arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        said
    }

    /// How many files a backup wrote.
    fn backup(&self, dir: &str) -> (u64, u64) {
        let said = self.run(&["backup", dir, "--data-dir", "data"], 0);
        let numbers: Vec<u64> = said.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
        let [files, written] = numbers[..] else { panic!("{said}") };
        (files, written)
    }

    fn export(&self, data: &str, what: &str) -> String {
        let app = APP.to_string();
        check(self.dir(), &["export", what, "--app", &app, "--data-dir", data], 0, "exported: ")
    }

    fn import(&self, data: &str, lines: &[u8]) {
        std::fs::write(self.dir().join("told"), lines).expect("written");
        let app = APP.to_string();
        check(self.dir(), &["import", "events", "told", "--app", &app, "--data-dir", data], 0, " new, ");
    }

    fn manifest(&self, dir: &str) -> Value {
        let bytes = std::fs::read(self.dir().join(dir).join("manifest.json")).expect("a list");
        serde_json::from_slice(&bytes).expect("JSON")
    }
}

/// What was sent, in order, and how much of it was acknowledged.
#[derive(Default)]
struct Sent {
    events: Vec<Event>,
    samples: Vec<Series>,
}

fn batch(random: &mut TestRunner, number: i64) -> Sent {
    // Around midnights, so that batches are written to two files.
    let from_s = MIDNIGHT_S + DAY_S * (number % 3) - 120;
    let mut events =
        prop::collection::vec(event(from_s, from_s + 600), 15).new_tree(random).expect("a batch").current();
    events.retain(|event| event.kind != Kind::EmitterReset);
    let samples =
        prop::collection::vec(series(from_s, from_s + 600), 0..3).new_tree(random).expect("some").current();
    Sent { events, samples }
}

fn lines(sent: &Sent) -> Vec<u8> {
    let mut lines = lines_of(&sent.events);
    sent.samples.iter().for_each(|series| export::samples(&mut lines, series));
    lines
}

/// Sends batches until told to stop; each is known to be acknowledged once it is.
async fn send(host: String, acknowledged: Arc<Mutex<Sent>>, mut stop: tokio::sync::oneshot::Receiver<()>) {
    let mut random = TestRunner::deterministic();
    let mut stream = tokio::net::TcpStream::connect(host).await.expect("connected");
    for number in 0.. {
        if stop.try_recv().is_ok() {
            return;
        }
        let batch = batch(&mut random, number);
        stream.write_all(&post("/ingest/events", &[BEARER], &lines(&batch))).await.expect("written");
        let reply = read_reply(&mut stream).await.expect("a reply");
        assert_eq!((reply.status, &reply.json()["refused"]), (200, &json!(0)), "{reply:?}");
        let mut acknowledged = acknowledged.lock().expect("whole");
        acknowledged.events.extend(batch.events);
        acknowledged.samples.extend(batch.samples);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_server_that_writes_holds_what_was_acknowledged_before() {
    let world = World::new();
    let served = world.serve("data");
    let acknowledged = Arc::new(Mutex::new(Sent::default()));
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let sending = tokio::spawn(send(served.host().to_owned(), Arc::clone(&acknowledged), stopped));
    let count = || acknowledged.lock().expect("whole").events.len();
    let mut before = Vec::new();
    for round in 0..4_usize {
        while count() < 300 * (round + 1) {
            tokio::task::yield_now().await;
        }
        let now = acknowledged.lock().expect("whole").events.clone();
        let dir = format!("b{round}");
        let backing =
            rollbook(world.dir()).args(["backup", &dir, "--data-dir", "data"]).output().expect("started");
        assert!(backing.status.success(), "{}", text(&backing.stderr));
        before.push((dir, now));
    }
    let meanwhile = count() - before[3].1.len();
    let _ = stop.send(());
    sending.await.expect("sent");
    served.stop();
    assert!(meanwhile > 0, "it went on writing while it was backed up");
    let all = lines(&acknowledged.lock().expect("whole"));
    let (events, samples) = (world.export("data", "events"), world.export("data", "samples"));
    for (dir, acknowledged) in before {
        let restored = format!("r{dir}");
        world.run(&["restore", &dir, "--data-dir", &restored], 0);
        let said = world.run(&["check", "--data-dir", &restored], 0);
        assert!(said.contains("is right, 3 days") || said.contains("is right, 4 days"), "{said}");
        let there = events_of(world.export(&restored, "events").as_bytes());
        let there: BTreeSet<&Event> = there.iter().collect();
        let missing = acknowledged.iter().find(|event| !there.iter().any(|kept| kept.is_same_as(event)));
        assert_eq!(missing, None, "{dir}");
        assert!(!series_of(world.export(&restored, "samples").as_bytes()).is_empty());
        // Sent again, all is as it is where it was never lost.
        world.import(&restored, &all);
        assert!(
            world.export(&restored, "events") == events && world.export(&restored, "samples") == samples,
            "{dir}"
        );
        assert!(world.export(&restored, "users") == world.export("data", "users"), "{dir}");
        let mode = |path: &str| {
            let meta = std::fs::metadata(world.dir().join(&restored).join(path)).expect("there");
            meta.permissions().mode() & 0o777
        };
        assert_eq!((mode(""), mode("days"), mode("rollbook.toml")), (0o700, 0o700, 0o600));
    }
    // A day that is lost before the first start is missed.
    let path = world.dir().join("rb2/days");
    let days = std::fs::read_to_string(path.join("list")).expect("a list");
    let lost = days.lines().next().expect("a day");
    std::fs::remove_file(path.join(lost)).expect("removed");
    let said = world.run(&["check", "--data-dir", "rb2"], 1);
    assert!(said.contains(&format!("rb2/days/{lost} is missing")), "{said}");
    // A server takes it as it is.
    world.serve("rb3").stop();
}

#[test]
fn only_what_has_changed_is_written_again() {
    let world = World::new();
    let mut random = TestRunner::deterministic();
    let told: Vec<Sent> = (0..3).map(|number| batch(&mut random, number)).collect();
    told.iter().for_each(|batch| world.import("data", &lines(batch)));
    let (files, written) = world.backup("b");
    assert!(files == written && files > 6, "{files} {written}");
    assert_eq!(world.backup("b"), (files, 0));
    // Files are opened by a server, and one of the days is packed.
    let live = world.serve("data");
    while world.backup("b").1 > 0 {}
    assert_eq!(world.backup("b"), (files, 0));
    live.stop();
    let names = |manifest: &Value| -> BTreeSet<String> {
        let files = manifest["files"].as_array().expect("a list").iter();
        files.map(|file| file["file"].as_str().expect("a path").to_owned()).collect()
    };
    let before = names(&world.manifest("b"));
    let late = json!({"kind": "joined", "room": "r", "user": "late", "at_s": MIDNIGHT_S + 60}).to_string();
    world.import("data", late.as_bytes());
    assert_eq!(world.backup("b").1, 1);
    let after = names(&world.manifest("b"));
    assert_eq!((before.difference(&after).count(), after.difference(&before).count()), (1, 1));
    for gone in before.difference(&after) {
        assert!(!world.dir().join("b").join(gone).exists(), "{gone}");
    }
    // Erased is erased there, too.
    let app = APP.to_string();
    world.run(&["forget", "--app", &app, "--user", "late", "--until", "2030-01-01", "--data-dir", "data"], 0);
    world.backup("b");
    world.run(&["restore", "b", "--data-dir", "again"], 0);
    world.import("again", late.as_bytes());
    assert!(!world.export("again", "events").contains("\"late\""), "who was erased is known there, too");
    assert_eq!(world.export("again", "events"), world.export("data", "events"));
}

#[test]
fn what_is_not_whole_is_refused_by_name() {
    let world = World::new();
    world.import("data", &lines(&batch(&mut TestRunner::deterministic(), 1)));
    world.backup("b");
    let refused = |arguments: &[&str], part: &str| {
        let said = world.run(arguments, 1);
        assert!(said.contains(part), "{part:?} is not in {said:?}");
        assert!(!world.dir().join("new").exists(), "{said}");
    };
    // What others can look into is no place for records.
    std::fs::DirBuilder::new().mode(0o755).create(world.dir().join("open")).expect("made");
    let reachable = |mode| std::fs::set_permissions(world.dir(), Permissions::from_mode(mode)).expect("set");
    reachable(0o755);
    let said = world.run(&["restore", "b", "--data-dir", "open"], 1);
    reachable(0o700);
    assert!(said.contains("others on this machine can read or change open (mode 755)"), "{said}");
    assert_eq!(std::fs::read_dir(world.dir().join("open")).expect("there").count(), 0);
    let manifest = world.manifest("b");
    let listed = |nth: usize| manifest["files"][nth]["file"].as_str().expect("a path").to_owned();
    let path = |name: &str| world.dir().join("b").join(name);
    let restore = ["restore", "b", "--data-dir", "new"];

    let whole = std::fs::read(path(&listed(0))).expect("readable");
    let mut flipped = whole.clone();
    flipped[whole.len() / 3] ^= 1;
    std::fs::write(path(&listed(0)), flipped).expect("written");
    refused(&restore, &format!("{} is damaged", listed(0)));
    std::fs::write(path(&listed(0)), &whole[..whole.len() - 4_096]).expect("written");
    refused(&restore, &format!("{} is damaged", listed(0)));
    std::fs::remove_file(path(&listed(0))).expect("removed");
    refused(&restore, &format!("the backup lacks b/{}", listed(0)));
    // The next backup writes what is not there.
    assert_eq!(world.backup("b").1, 1);
    refused(&["restore", "b", "--data-dir", "data"], "data is not empty");
    refused(&["restore", "none", "--data-dir", "new"], "cannot read none/manifest.json");
    refused(&["backup", "data", "--data-dir", "data"], "data holds something else than a backup");
    refused(&["backup", "b2", "--data-dir", "none"], "there is no data directory none");

    let written = |change: &dyn Fn(&mut Value)| {
        let mut changed = world.manifest("b");
        change(&mut changed);
        std::fs::write(path("manifest.json"), changed.to_string()).expect("written");
    };
    written(&|manifest| manifest["files"][0]["name"] = json!("../outside"));
    refused(&restore, "\"../outside\" is not the name of a file of a backup");
    written(&|manifest| manifest["rollbook_backup"] = json!(2));
    refused(&restore, "manifest.json is of form 2; this rollbook reads form 1");
    // A data directory that was restored in part is not served.
    std::fs::create_dir_all(world.dir().join("part/restore.making")).expect("made");
    refused(&["check", "--data-dir", "part"], "part was not restored to the end");
    let clickhouse = "[store.clickhouse]\nurls = [\"http://127.0.0.1:9\"]\ndatabase = \"r\"\n";
    std::fs::write(world.dir().join("s.toml"), clickhouse).expect("written");
    refused(&["backup", "b3", "--config", "s.toml"], "use its BACKUP statement or clickhouse-backup");
}
