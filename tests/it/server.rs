//! The real binary as a process, and what is said to it or to any server over a socket, as raw bytes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use base64::Engine as _;
use hmac::{KeyInit as _, Mac as _};
use rollbook::wire::sign;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_rollbook");

/// The application of most tests, and what its owner and its senders show.
pub(crate) const APP: u64 = 1_400_000_001;
pub(crate) const SECRET_ID: &str = "AKIDtest";
pub(crate) const SECRET_KEY: &str = "secret";
pub(crate) const INGEST_TOKEN: &str = "ingest-token";
pub(crate) const BEARER: &str = "Authorization: Bearer ingest-token";

/// Settings with this key, and applications as they are given.
pub(crate) fn settings(apps: &str) -> String {
    format!(
        "[limits]\nrequests_per_second = 0\n[[account]]\n[[account.key]]\n\
         secret_id = \"{SECRET_ID}\"\nsecret_key = \"{SECRET_KEY}\"\n{apps}"
    )
}

/// The binary, in a directory and with nothing of the tester's environment that it reads.
pub(crate) fn rollbook(dir: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
        .env_remove("ROLLBOOK_LOG")
        .env_remove("TENCENTCLOUD_SECRET_ID")
        .env_remove("TENCENTCLOUD_SECRET_KEY");
    command
}

pub(crate) fn run(dir: &Path, arguments: &[&str]) -> Output {
    rollbook(dir).args(arguments).output().expect("started")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// Runs to the end, and checks the exit code and a part of what is said on stderr.
pub(crate) fn check(dir: &Path, arguments: &[&str], code: i32, part: &str) -> String {
    let output = run(dir, arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(said.contains(part), "{arguments:?}: {part:?} is not in {said:?}");
    text(&output.stdout)
}

/// A directory that nobody else can look into.
pub(crate) fn temporary() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let ours = std::fs::Permissions::from_mode(0o700);
    tempfile::Builder::new().permissions(ours).tempdir().expect("a directory")
}

/// The private key of the tests' certificate, for nobody else to read.
pub(crate) fn tls_key(dir: &Path) -> std::path::PathBuf {
    let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls/key.pem");
    let copy = dir.join("key.pem");
    std::fs::copy(key, &copy).expect("copied");
    set_mode(&copy, 0o600);
    copy
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("ours");
}

/// A server of its own process, killed at the end at the latest.
pub(crate) struct Served {
    child: Child,
    stderr: BufReader<ChildStderr>,
    /// What it said until it listened.
    pub(crate) said: String,
    pub(crate) address: String,
}

impl Served {
    pub(crate) fn start(dir: &Path, arguments: &[&str]) -> Served {
        Served::start_with(dir, arguments, &[])
    }

    /// The same with something in its environment.
    pub(crate) fn start_with(dir: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Served {
        let mut command = rollbook(dir);
        command.args(arguments).envs(environment.iter().copied());
        let mut child = command.spawn().expect("started");
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        let mut said = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).expect("text") > 0, "it ended: {said}");
            let log: Value = serde_json::from_str(&line).unwrap_or_default();
            if log["message"] == "listening" {
                break log["address"].as_str().expect("an address").to_owned();
            }
            said.push_str(&line);
        };
        Served { child, stderr, said, address }
    }

    /// What stands after these words in what was said.
    pub(crate) fn after(&self, words: &str) -> String {
        let line = self.said.lines().find_map(|line| line.strip_prefix(words));
        line.unwrap_or_else(|| panic!("{words:?} is not in {}", self.said)).trim().to_owned()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Host and port.
    pub(crate) fn host(&self) -> &str {
        self.address.trim_start_matches("http://")
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.host()).await.expect("connected")
    }

    /// Sends a request over a connection of its own.
    pub(crate) async fn send(&self, request: &[u8]) -> Reply {
        exchange(&mut self.connect().await, request).await
    }

    /// Asks a question at this second; what is inside the envelope.
    pub(crate) async fn ask(&self, action: &str, parameters: &Value, now_s: i64) -> Value {
        let reply = self.send(&signed(self.host(), action, &parameters.to_string(), now_s)).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["Response"].take()
    }

    /// Has it read its settings again; the line of the log that says what came of it.
    pub(crate) fn reload(&mut self) -> String {
        kill_process(Pid::from_child(&self.child), Signal::HUP).expect("running");
        loop {
            let mut line = String::new();
            assert!(self.stderr.read_line(&mut line).expect("text") > 0, "it ended");
            self.said.push_str(&line);
            if line.contains("the new settings") {
                return line;
            }
        }
    }

    /// Asks it to stop, as an operator would; what it said after it listened.
    pub(crate) fn stop(mut self) -> String {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).expect("running");
        assert_eq!(self.child.wait().expect("ended").code(), Some(0));
        let lines = std::io::read_to_string(&mut self.stderr).expect("text");
        assert!(lines.contains("\"stopped\""), "{lines}");
        lines
    }

    /// Ends it with SIGKILL, whatever it is doing.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("running");
        self.child.wait().expect("ended");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Where it has ended already, this does nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A reply as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let value = values.next();
        assert!(values.next().is_none(), "{name} comes once");
        value
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of an API error.
    pub(crate) fn code(&self) -> String {
        self.json()["Response"]["Error"]["Code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Reads one reply and leaves the connection as it is; `None` where the connection ends before.
pub(crate) async fn read_reply(stream: &mut (impl AsyncRead + Unpin)) -> Option<Reply> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => bytes.push(byte[0]),
            Ok(_) | Err(_) => return None,
        }
    }
    let head = String::from_utf8(bytes).expect("a head is text");
    let mut reply = Reply { status: head[9..12].parse().expect("a status"), head, body: String::new() };
    let length = match reply.status {
        304 => 0,
        _ => reply.header("content-length").expect("a length").parse().expect("a number"),
    };
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    reply.body = String::from_utf8(body).expect("a body is text");
    Some(reply)
}

pub(crate) async fn exchange(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &[u8]) -> Reply {
    stream.write_all(request).await.expect("written");
    read_reply(stream).await.expect("a reply")
}

pub(crate) fn post(path: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut request = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n", body.len());
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    [request.as_bytes(), body].concat()
}

/// A question, signed with the key of the tests at this second.
pub(crate) fn signed(host: &str, action: &str, body: &str, now_s: i64) -> Vec<u8> {
    let headers = sign::post(&sign::Post {
        secret_id: SECRET_ID,
        secret_key: SECRET_KEY,
        token: "",
        host,
        action,
        region: "ap-guangzhou",
        timestamp_s: now_s.unsigned_abs(),
        body: body.as_bytes(),
    });
    let mut request = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{request}\r\n{body}").into_bytes()
}

/// The header `Sign` of a callback.
pub(crate) fn callback_sign(key: &str, body: &str) -> String {
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).expect("any length");
    mac.update(body.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(body).expect("packed");
    packer.finish().expect("packed")
}
