//! `rollbook call`: signs a request for any action, sends it, prints the reply.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::value::RawValue;

use super::Surroundings;
use crate::clock::Clock;
use crate::wire::sign::{self, Post};

/// Sign a request for any action, send it, print the reply.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The action, such as DescribeRoomInfo.
    action: String,
    /// Its parameters.
    #[arg(value_name = "JSON", default_value = "{}")]
    parameters: String,
    /// The server, such as http://127.0.0.1:9180.
    #[arg(long, value_name = "URL")]
    endpoint: String,
    /// Who asks [default: the environment's TENCENTCLOUD_SECRET_ID].
    #[arg(long, value_name = "ID")]
    secret_id: Option<String>,
    /// What to sign with [default: the environment's TENCENTCLOUD_SECRET_KEY].
    #[arg(long, value_name = "KEY")]
    secret_key: Option<String>,
    /// What accompanies a temporary key.
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Sign as if it were this second, for a server whose clock stands (`serve --clock`).
    #[arg(long, value_name = "UNIX_SECONDS")]
    clock: Option<u32>,
    /// The region.
    #[arg(long, value_name = "REGION", default_value = REGION)]
    region: String,
}

/// The region of the examples.
pub(super) const REGION: &str = "ap-guangzhou";
/// How long to wait for a server.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The largest reply that is read.
const REPLY_BYTES_MAX: u64 = 64 * 1_024 * 1_024;

pub(super) fn run(arguments: &Arguments, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let given = |flag: &Option<String>, name: &str, variable: &str| {
        let value = flag.clone().or_else(|| surroundings.env.get(variable).cloned());
        value.with_context(|| format!("{name} is missing (or {variable} in the environment)"))
    };
    let body =
        serde_json::from_str::<&RawValue>(&arguments.parameters).context("the parameters are no JSON")?;
    let clock = arguments.clock.map_or(Clock::system(), |secs| Clock::standing_at(i64::from(secs)));
    let request = Post {
        host: host(&arguments.endpoint)?,
        secret_id: &given(&arguments.secret_id, "--secret-id", "TENCENTCLOUD_SECRET_ID")?,
        secret_key: &given(&arguments.secret_key, "--secret-key", "TENCENTCLOUD_SECRET_KEY")?,
        token: arguments.token.as_deref().unwrap_or_default(),
        action: &arguments.action,
        region: &arguments.region,
        body: body.get().as_bytes(),
        timestamp_s: u64::try_from(clock.now().secs()).unwrap_or_default(),
    };
    let reply = send(&request)?;
    let mut out = std::io::stdout().lock();
    out.write_all(&reply)?;
    out.write_all(b"\n")?;
    Ok(if is_error(&reply)? { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Whether a reply is an error of the API.
fn is_error(reply: &[u8]) -> anyhow::Result<bool> {
    let reply: serde_json::Value = serde_json::from_slice(reply).context("the reply is no JSON")?;
    Ok(reply
        .get("Response")
        .with_context(|| "the reply is none of the API".to_owned())?
        .get("Error")
        .is_some())
}

/// Host and port of an endpoint.
fn host(endpoint: &str) -> anyhow::Result<&str> {
    let rest = match endpoint.split_once("://") {
        Some(("http", rest)) => rest,
        Some(("https", _)) => bail!("this command speaks plain http only; for https use an SDK or tccli"),
        Some((scheme, _)) => bail!("--endpoint must begin with http://, not {scheme}://"),
        None => endpoint,
    };
    let host = rest.strip_suffix('/').unwrap_or(rest);
    let plain = !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic() && !b"/?#@\"'\\".contains(&b));
    ensure!(plain, "--endpoint must be like http://127.0.0.1:9180, not {endpoint:?}");
    Ok(host)
}

/// The whole request as bytes.
fn bytes(request: &Post<'_>) -> anyhow::Result<Vec<u8>> {
    let mut text = "POST / HTTP/1.1\r\nConnection: close\r\n".to_owned();
    for (name, value) in sign::post(request) {
        ensure!(!value.contains(['\r', '\n', '\0']), "{name} must not contain a line break");
        let _ = write!(text, "{name}: {value}\r\n");
    }
    let _ = write!(text, "Content-Length: {}\r\n\r\n", request.body.len());
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(request.body);
    Ok(bytes)
}

/// Sends a request; the body of the reply.
fn send(request: &Post<'_>) -> anyhow::Result<Vec<u8>> {
    let with_port = !request.host.ends_with(']') && request.host.contains(':');
    let address = if with_port { request.host.to_owned() } else { format!("{}:80", request.host) };
    let unreachable = || format!("cannot reach http://{}", request.host);
    let mut stream = TcpStream::connect(&address).with_context(unreachable)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(&bytes(request)?).with_context(unreachable)?;
    let mut reply = Vec::new();
    stream.take(REPLY_BYTES_MAX).read_to_end(&mut reply).with_context(unreachable)?;
    let (status, body) = unwrap_reply(&reply).context("the reply is no HTTP")?;
    ensure!(status == 200, "HTTP status {status}: {}", String::from_utf8_lossy(&body).trim_end());
    Ok(body)
}

/// Status and body of a reply that ends with its connection.
fn unwrap_reply(reply: &[u8]) -> Option<(u16, Vec<u8>)> {
    let head_end = reply.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&reply[..head_end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let body = &reply[head_end + 4..];
    let chunked = head.lines().any(|line| line.eq_ignore_ascii_case("transfer-encoding: chunked"));
    let body = if chunked { unchunk(body)? } else { body.to_vec() };
    Some((status, body))
}

/// The data of a chunked body.
fn unchunk(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    loop {
        let line_end = body.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&body[..line_end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        body = body.get(line_end + 2..)?;
        if size == 0 {
            return Some(data);
        }
        data.extend_from_slice(body.get(..size)?);
        body = body.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read() {
        let check = |endpoint: &str, expected: Option<&str>| {
            assert_eq!(host(endpoint).ok(), expected, "{endpoint}");
        };
        check("http://127.0.0.1:9180", Some("127.0.0.1:9180"));
        check("http://calls.example.com/", Some("calls.example.com"));
        check("localhost:9180", Some("localhost:9180"));
        check("http://[::1]:9180", Some("[::1]:9180"));
        check("https://calls.example.com", None);
        check("ftp://calls.example.com", None);
        check("http://", None);
        check("http://a/b", None);
        check("http://a b", None);
    }

    #[test]
    fn replies_are_unwrapped() {
        let check = |reply: &[u8], expected: Option<(u16, &[u8])>| {
            let unwrapped = unwrap_reply(reply);
            assert_eq!(unwrapped.as_ref().map(|(status, body)| (*status, body.as_slice())), expected);
        };
        check(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", Some((200, b"{}")));
        check(b"HTTP/1.1 503 Busy\r\n\r\nno", Some((503, b"no")));
        check(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x\r\n}\r\n0\r\n\r\n",
            Some((200, b"{}")),
        );
        check(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{", None);
        check(b"nonsense", None);
    }

    #[test]
    fn an_error_of_the_api_is_told_apart() {
        assert!(is_error(br#"{"Response":{"Error":{},"RequestId":""}}"#).expect("a reply"));
        assert!(!is_error(br#"{"Response":{"RequestId":""}}"#).expect("a reply"));
        assert!(is_error(b"{}").is_err());
    }
}
