//! Asks signed questions over connections that stay open, and checks how many rows the answers have. Bounded by the number
//! asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{SECRET_ID, SECRET_KEY, questions, sign};

/// How it is asked.
pub struct Load {
    pub requests: u64,
    pub connections: u64,
    /// Requests a second; as fast as the answers come where 0.
    pub rate: u64,
    /// What the signatures say.
    pub clock: i64,
    /// Questions that are left out at first.
    pub skip: usize,
}

/// A request, ready to be sent, and how many rows its answer has.
type Signed = (Vec<u8>, Option<u64>);

/// Prints how many a second, how long they took, and how many rows came: `A_SECOND P50_US P99_US MAX_US ROWS`. Waits for the
/// server; the first answer on each connection is not counted.
pub async fn run(address: &str, file: &str, load: &Load, save: Option<&str>) -> Result<()> {
    let signed = Arc::new(signed(address, file, load.clock)?);
    if let Some(save) = save {
        let mut stream = TcpStream::connect(address).await?;
        let mut buffer = Vec::new();
        let body = exchange(&mut stream, &signed[0].0, &mut buffer).await?;
        std::fs::write(save, body)?;
    }
    let left = Arc::new(AtomicU64::new(load.requests));
    let pause = (load.rate > 0).then(|| Duration::from_secs_f64(load.connections as f64 / load.rate as f64));
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for connection in 0..load.connections {
        let (all, left, address) = (Arc::clone(&signed), Arc::clone(&left), address.to_owned());
        // Each begins elsewhere, so that together they go through all of them.
        let first = load.skip + all.len() * usize::try_from(connection)? / usize::try_from(load.connections)?;
        tasks.push(tokio::spawn(async move { one_connection(&address, first, &all, &left, pause).await }));
    }
    let (mut times_us, mut rows) = (Vec::new(), 0);
    for task in tasks {
        let (mut times, more) = task.await??;
        times_us.append(&mut times);
        rows += more;
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{:.0} {} {rows}", times_us.len() as f64 / seconds, spread(&mut times_us));
    Ok(())
}

/// `P50 P99 MAX`
pub fn spread(times: &mut [u64]) -> String {
    times.sort_unstable();
    let at =
        |share: f64| times.get((times.len().saturating_sub(1) as f64 * share) as usize).copied().unwrap_or(0);
    format!("{} {} {}", at(0.5), at(0.99), at(1.0))
}

async fn one_connection(
    address: &str,
    first: usize,
    all: &[Signed],
    left: &AtomicU64,
    pause: Option<Duration>,
) -> Result<(Vec<u64>, u64)> {
    let mut every = pause.map(tokio::time::interval);
    let mut stream = connect(address).await?;
    let (mut buffer, mut times_us, mut rows) = (Vec::new(), Vec::new(), 0);
    let mut turn = first;
    exchange(&mut stream, &all[turn % all.len()].0, &mut buffer).await?;
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
        if let Some(every) = &mut every {
            every.tick().await;
        }
        let (request, expected) = &all[turn % all.len()];
        let begun = Instant::now();
        let body = exchange(&mut stream, request, &mut buffer).await?;
        times_us.push(u64::try_from(begun.elapsed().as_micros())?);
        let total = total(body).with_context(|| String::from_utf8_lossy(body).into_owned())?;
        ensure!(
            expected.is_none_or(|expected| expected == total),
            "{expected:?} rows were expected: {} {}",
            String::from_utf8_lossy(request),
            String::from_utf8_lossy(body)
        );
        rows += total;
        turn += 1;
    }
    Ok((times_us, rows))
}

/// Connects, as soon as somebody listens.
async fn connect(address: &str) -> Result<TcpStream> {
    let mut tries = 0;
    loop {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) if tries == 5_000 => return Err(error.into()),
            Err(_) => tries += 1,
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// How many rows an answer says it has; the bytes are searched, not parsed, to spare the machine.
fn total(body: &[u8]) -> Option<u64> {
    let mark = b"\"Total\":";
    let at = body.windows(mark.len()).position(|window| window == mark)? + mark.len();
    let digits = body[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&body[at..at + digits]).ok()?.parse().ok()
}

/// Sends one request; gives the body of the answer.
pub async fn exchange<'a>(
    stream: &mut TcpStream,
    request: &[u8],
    buffer: &'a mut Vec<u8>,
) -> Result<&'a [u8]> {
    stream.write_all(request).await?;
    buffer.clear();
    loop {
        ensure!(stream.read_buf(buffer).await? > 0, "the connection was closed");
        let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&buffer[..head])?.to_ascii_lowercase();
        let start = head + 4;
        if text.contains("\ntransfer-encoding: chunked") {
            while !buffer.ends_with(b"\r\n0\r\n\r\n") && buffer[start..] != *b"0\r\n\r\n" {
                ensure!(stream.read_buf(buffer).await? > 0, "the connection was closed");
            }
            ensure!(
                text.starts_with("http/1.1 200"),
                "answered {text} {}",
                String::from_utf8_lossy(&buffer[start..])
            );
            return Ok(&buffer[start..]);
        }
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
        let end = start + length.context("no content-length")?.trim().parse::<usize>()?;
        while buffer.len() < end {
            ensure!(stream.read_buf(buffer).await? > 0, "the connection was closed");
        }
        ensure!(
            text.starts_with("http/1.1 200"),
            "answered {text} {}",
            String::from_utf8_lossy(&buffer[start..])
        );
        return Ok(&buffer[start..end]);
    }
}

/// One signed request for each question of a file.
fn signed(host: &str, file: &str, clock: i64) -> Result<Vec<Signed>> {
    let date = sign::date(clock);
    let key = sign::signing_key(SECRET_KEY, &date);
    let text = std::fs::read_to_string(file)?;
    let mut requests = Vec::new();
    for line in questions::lines(&text) {
        let (action, body, expected) = line?;
        let signature = sign::signature(&key, host, &clock.to_string(), &date, body.as_bytes());
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: python-requests/2.34.2\r\nAccept-Encoding: gzip, deflate\r\n\
             Accept: */*\r\nConnection: keep-alive\r\nX-TC-TraceId: 9b2f8d66-7d31-4a06-9f11-0f4fd1a7d3a5\r\n\
             Content-Type: application/json\r\nX-TC-Action: {action}\r\n\
             X-TC-RequestClient: SDK_PYTHON_3.1.195\r\nX-TC-Timestamp: {clock}\r\nX-TC-Version: 2019-07-22\r\n\
             X-TC-Region: ap-guangzhou\r\nX-TC-Language: zh-CN\r\nAuthorization: TC3-HMAC-SHA256 \
             Credential={SECRET_ID}/{date}/trtc/tc3_request, SignedHeaders=content-type;host, Signature={signature}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        requests.push((request.into_bytes(), expected));
    }
    ensure!(!requests.is_empty(), "{file} has no question");
    Ok(requests)
}
