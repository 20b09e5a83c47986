//! Which files are refused, what is made for whom, where plain HTTP is spoken, and that no memory is dumped.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::write;
use crate::server::{Served, check, rollbook, set_mode, settings, temporary, text, tls_key};

/// A directory that others can reach, unlike those of the other tests.
fn open_directory() -> tempfile::TempDir {
    let dir = temporary();
    set_mode(dir.path(), 0o755);
    assert!(
        dir.path().ancestors().all(|dir| std::fs::metadata(dir).is_ok_and(|meta| meta.mode() & 0o011 != 0)),
        "tests need a TMPDIR that others can reach"
    );
    dir
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("there").mode() & 0o777
}

#[test]
fn secrets_that_others_can_read_are_refused_with_what_mends_it() {
    let dir = open_directory();
    let checked = |code, part: &str| check(dir.path(), &["check", "--config", "s.toml"], code, part);
    write(dir.path(), "s.toml", &settings(""));
    checked(0, "s.toml is right");
    for (mode, shown) in [(0o644, "644"), (0o640, "640"), (0o602, "602")] {
        set_mode(&dir.path().join("s.toml"), mode);
        // Line 6 has the secret_key.
        checked(
            1,
            &format!(
                "s.toml:6: others on this machine can read or change s.toml (mode {shown}): chmod 600 s.toml"
            ),
        );
    }
    set_mode(dir.path(), 0o700);
    checked(0, "s.toml is right");
    set_mode(dir.path(), 0o755);

    // Settings without secrets may be read by anybody; the files that they name may not.
    write(dir.path(), "key", "secret\n");
    write(dir.path(), "s.toml", "[[account]]\n[[account.key]]\nsecret_id = 'a'\nsecret_key_file = 'key'\n");
    set_mode(&dir.path().join("s.toml"), 0o644);
    checked(0, "s.toml is right");
    set_mode(&dir.path().join("key"), 0o644);
    checked(1, "s.toml:4: others on this machine can read or change key (mode 644): chmod 600 key");
    write(dir.path(), "s.toml", "[store.clickhouse]\nurls = ['http://u:p@h']\n");
    set_mode(&dir.path().join("s.toml"), 0o644);
    checked(1, "s.toml:2: others on this machine");
}

#[test]
fn keys_of_certificates_and_directories_are_refused_too() {
    let dir = open_directory();
    let key = tls_key(dir.path());
    let cert = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls/cert.pem");
    write(dir.path(), "s.toml", &format!("[tls]\ncert_file = {cert:?}\nkey_file = 'key.pem'\n"));
    let checked = |code, part: &str| check(dir.path(), &["check", "--config", "s.toml"], code, part);
    checked(0, "certificate and key fit");
    set_mode(&key, 0o640);
    checked(1, "key.pem (mode 640): chmod 600 key.pem");

    let data: PathBuf = dir.path().join("data");
    std::fs::create_dir(&data).expect("made");
    set_mode(&data, 0o755);
    let serve = ["serve", "--data-dir", "data", "--listen", "127.0.0.1:0"];
    check(
        dir.path(),
        &serve,
        1,
        "the data directory: others on this machine can read or change data (mode 755): chmod 700 data",
    );
    assert_eq!(std::fs::read_dir(&data).expect("readable").count(), 0, "nothing is made in it");
    check(dir.path(), &["check", "--data-dir", "data"], 1, "chmod 700 data");
}

#[test]
fn what_is_written_is_for_its_owner_alone() {
    let dir = open_directory();
    let served = Served::start(dir.path(), &["serve", "--data-dir", "data", "--listen", "127.0.0.1:0"]);
    let pid = served.pid();
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).expect("readable");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    // Of a process that cannot be dumped the files in /proc are root's, whoever runs it.
    assert_eq!(std::fs::metadata(format!("/proc/{pid}/environ")).expect("there").uid(), 0);
    served.stop();
    check(dir.path(), &["export", "events", "--app", "1400000001", "--data-dir", "data", "-o", "out"], 0, "");
    assert_eq!((mode(&dir.path().join("data")), mode(&dir.path().join("out"))), (0o700, 0o600));
    let files: Vec<PathBuf> = std::fs::read_dir(dir.path().join("data"))
        .expect("readable")
        .map(|entry| entry.expect("one").path())
        .collect();
    assert!(files.len() > 1, "{files:?}");
    for file in files.iter().filter(|file| file.is_file()) {
        assert_eq!(mode(file), 0o600, "{file:?}");
    }
}

#[test]
fn what_asks_nobody_and_is_not_encrypted_is_refused_to_others_unless_it_says_so() {
    let dir = temporary();
    let unsigned = settings("[[account.app]]\nsdk_app_id = 7\ntrtc_unsigned = true\n");
    write(dir.path(), "s.toml", &unsigned);
    let serve = ["serve", "--config", "s.toml", "--memory", "--listen", "0.0.0.0:0"];
    let refused = "could write records of application 7, since it has trtc_unsigned = true, and over plain HTTP: give it a \
        trtc_callback_key, or set `[tls]`; or set `plain_http = true`";
    check(dir.path(), &serve, 1, refused);
    write(dir.path(), "s.toml", &format!("listen = \"0.0.0.0:9180\"\n{unsigned}"));
    check(dir.path(), &["check", "--config", "s.toml", "--data-dir", "none"], 1, refused);
    // Where everybody is asked for something it is told.
    write(dir.path(), "s.toml", &settings(""));
    let served = Served::start(dir.path(), &serve);
    assert!(
        served.said.contains("over plain HTTP, so that tokens and passwords can be read"),
        "{}",
        served.said
    );
    served.stop();
    let served = Served::start(dir.path(), &serve[..4]);
    assert!(!served.said.contains("plain HTTP"), "{}", served.said);
    served.stop();

    let output =
        rollbook(dir.path()).args(serve).env("ROLLBOOK_PLAIN_HTTP", "maybe").output().expect("started");
    assert!(text(&output.stderr).contains("ROLLBOOK_PLAIN_HTTP: `plain_http` must be true or false"));
    write(dir.path(), "s.toml", &format!("plain_http = true\n{unsigned}"));
    let served = Served::start(dir.path(), &serve[..4]);
    assert!(!served.said.contains("trtc_unsigned"), "{}", served.said);
    served.stop();
    let served = Served::start(dir.path(), &serve);
    assert!(served.said.contains("can write records of application 7"), "{}", served.said);
    served.stop();
    tls_key(dir.path());
    let cert = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls/cert.pem");
    write(
        dir.path(),
        "s.toml",
        &format!("[tls]\ncert_file = {cert:?}\nkey_file = 'key.pem'\n{}", settings("")),
    );
    assert!(Served::start(dir.path(), &serve).address.starts_with("https://"));
    assert!(Served::start(dir.path(), &["demo", "--listen", "0.0.0.0:0"]).said.contains("SecretKey: "));
}
