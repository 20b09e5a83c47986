//! Posts a file of neutral events in batches, over several connections, each waiting for its reply.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Result, ensure};
use tokio::net::TcpStream;

use crate::ask::exchange;

/// Prints the seconds from the first batch to the last reply, the events accepted, and how long a reply took:
/// `SECONDS NEW P50_US P99_US`.
pub async fn run(address: &str, events: &str, batch: usize, connections: usize, token: &str) -> Result<()> {
    let text = std::fs::read_to_string(events)?;
    let lines: Vec<&str> = text.lines().collect();
    let batches: Vec<Vec<u8>> = lines
        .chunks(batch)
        .map(|lines| {
            let body = lines.join("\n");
            format!(
                "POST /ingest/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
                 Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes()
        })
        .collect();
    let (batches, next) = (Arc::new(batches), Arc::new(AtomicUsize::new(0)));
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (batches, next, address) = (Arc::clone(&batches), Arc::clone(&next), address.to_owned());
        tasks.push(tokio::spawn(async move {
            let mut stream = TcpStream::connect(&address).await?;
            stream.set_nodelay(true)?;
            let (mut buffer, mut new, mut times_us) = (Vec::new(), 0, Vec::new());
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                let sent = Instant::now();
                let reply: serde_json::Value =
                    serde_json::from_slice(exchange(&mut stream, batch, &mut buffer).await?)?;
                times_us.push(sent.elapsed().as_micros());
                ensure!(reply["refused"] == 0, "refused lines: {reply}");
                new += reply["new"].as_u64().unwrap_or(0);
            }
            anyhow::Ok((new, times_us))
        }));
    }
    let (mut new, mut times_us) = (0, Vec::new());
    for task in tasks {
        let (accepted, mut times) = task.await??;
        new += accepted;
        times_us.append(&mut times);
    }
    let seconds = begun.elapsed().as_secs_f64();
    times_us.sort_unstable();
    let at = |share: f64| times_us[((times_us.len() - 1) as f64 * share) as usize];
    println!("{seconds:.3} {new} {} {}", at(0.5), at(0.99));
    Ok(())
}
