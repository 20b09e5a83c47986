//! Who gets in, what they learn, and what nobody may ever see.

mod attempts;
mod files;
mod reload;
mod routes;
mod secrets;

use std::net::SocketAddr;
use std::path::Path;

use rollbook::wire::sign;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server::{Served, set_mode};

/// What the clock of these servers shows.
const NOW_S: i64 = 1_795_377_600;
/// An address far away, which a trusted proxy speaks for.
const STRANGER: &str = "X-Forwarded-For: 203.0.113.9";

/// Writes a file that nobody else can read.
fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("written");
    set_mode(&path, 0o600);
}

fn serve(dir: &Path) -> Served {
    let clock = NOW_S.to_string();
    let arguments = ["serve", "--config", "s.toml", "--memory", "--listen", "127.0.0.1:0", "--clock", &clock];
    Served::start(dir, &arguments)
}

/// Sends a request over a connection of its own and gives all that comes back, head and body.
async fn raw(host: &str, method: &str, path: &str, headers: &[String], body: &str) -> String {
    let address: SocketAddr = host.parse().expect("an address");
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|header| header.starts_with("Host:")) {
        request.push_str(&format!("Host: {host}\r\n"));
    }
    headers.iter().for_each(|header| request.push_str(&format!("{header}\r\n")));
    stream.write_all(format!("{request}\r\n{body}").as_bytes()).await.expect("written");
    let mut reply = Vec::new();
    // A server that closes before it has read everything may reset the connection after its reply.
    let _ = stream.read_to_end(&mut reply).await;
    String::from_utf8_lossy(&reply).into_owned()
}

fn status(reply: &str) -> u16 {
    reply.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no reply: {reply:?}"))
}

/// The headers of a question, signed with a key.
fn signed(host: &str, key: (&str, &str), action: &str, body: &str) -> Vec<String> {
    let headers = sign::post(&sign::Post {
        secret_id: key.0,
        secret_key: key.1,
        token: "",
        host,
        action,
        region: "ap-guangzhou",
        timestamp_s: NOW_S.unsigned_abs(),
        body: body.as_bytes(),
    });
    headers.iter().map(|(name, value)| format!("{name}: {value}")).collect()
}
