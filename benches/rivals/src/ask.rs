//! Asks signed questions over connections that stay open, and counts the answers. Bounded by the number asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{SECRET_ID, SECRET_KEY, sign};

/// Asks `requests` questions, `rate` a second or, where that is 0, as fast as the answers come, and prints how many a second, and how long they took: `REQUESTS_A_SECOND P50_US P99_US`.
pub async fn run(
    address: &str,
    questions: &str,
    requests: u64,
    connections: u64,
    rate: u64,
    clock: i64,
    save: Option<&str>,
) -> Result<()> {
    let requests_bytes = Arc::new(signed(address, questions, clock)?);
    if let Some(save) = save {
        let mut stream = TcpStream::connect(address).await?;
        let mut buffer = Vec::new();
        let body = exchange(&mut stream, &requests_bytes[0], &mut buffer).await?;
        std::fs::write(save, body)?;
    }
    let left = Arc::new(AtomicU64::new(requests));
    let pause = (rate > 0).then(|| Duration::from_secs_f64(connections as f64 / rate as f64));
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for connection in 0..connections {
        let (all, left, address) = (Arc::clone(&requests_bytes), Arc::clone(&left), address.to_owned());
        tasks.push(tokio::spawn(
            async move { one_connection(&address, connection, &all, &left, pause).await },
        ));
    }
    let mut times_us = Vec::new();
    for task in tasks {
        times_us.append(&mut task.await??);
    }
    let seconds = begun.elapsed().as_secs_f64();
    times_us.sort_unstable();
    let at = |share: f64| times_us[((times_us.len() - 1) as f64 * share) as usize];
    println!("{:.0} {} {}", times_us.len() as f64 / seconds, at(0.5), at(0.99));
    Ok(())
}

async fn one_connection(
    address: &str,
    connection: u64,
    all: &[Vec<u8>],
    left: &AtomicU64,
    pause: Option<Duration>,
) -> Result<Vec<u64>> {
    let mut every = pause.map(tokio::time::interval);
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    let mut times_us = Vec::new();
    let mut turn = usize::try_from(connection)? * 7_919;
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
        if let Some(every) = &mut every {
            every.tick().await;
        }
        let begun = Instant::now();
        let body = exchange(&mut stream, &all[turn % all.len()], &mut buffer).await?;
        times_us.push(u64::try_from(begun.elapsed().as_micros())?);
        ensure!(six_rows(body), "not six rows: {}", String::from_utf8_lossy(body));
        turn += 1;
    }
    Ok(times_us)
}

/// Whether the answer has its six rows; the bytes are searched, not parsed, to spare the machine.
fn six_rows(body: &[u8]) -> bool {
    body.windows(9).any(|window| window == b"\"Total\":6")
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
        let text = std::str::from_utf8(&buffer[..head])?;
        ensure!(text.starts_with("HTTP/1.1 200"), "answered {text}");
        let length = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .context("no content-length")?;
        let end = head + 4 + length.1.trim().parse::<usize>()?;
        while buffer.len() < end {
            ensure!(stream.read_buf(buffer).await? > 0, "the connection was closed");
        }
        return Ok(&buffer[head + 4..end]);
    }
}

/// One signed request for each question: a line of action, tab, parameters.
fn signed(host: &str, questions: &str, clock: i64) -> Result<Vec<Vec<u8>>> {
    let date = sign::date(clock);
    let key = sign::signing_key(SECRET_KEY, &date);
    let mut requests = Vec::new();
    for line in std::fs::read_to_string(questions)?.lines() {
        let (action, body) = line.split_once('\t').with_context(|| format!("question {line:?}"))?;
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
        requests.push(request.into_bytes());
    }
    ensure!(!requests.is_empty(), "{questions} has no question");
    Ok(requests)
}
