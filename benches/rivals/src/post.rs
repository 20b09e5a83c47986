//! Posts a file of neutral events in batches, over several connections, each waiting for its reply.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Result, ensure};
use tokio::net::TcpStream;

use crate::ask::exchange;

/// Prints the seconds from the first batch to the last reply, and the events accepted.
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
            let (mut buffer, mut new) = (Vec::new(), 0);
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                let reply: serde_json::Value =
                    serde_json::from_slice(exchange(&mut stream, batch, &mut buffer).await?)?;
                ensure!(reply["refused"] == 0, "refused lines: {reply}");
                new += reply["new"].as_u64().unwrap_or(0);
            }
            anyhow::Ok(new)
        }));
    }
    let mut new = 0;
    for task in tasks {
        new += task.await??;
    }
    println!("{:.3} {new}", begun.elapsed().as_secs_f64());
    Ok(())
}
