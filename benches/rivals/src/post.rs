//! Posts a file of neutral events in batches of one application each, over several connections, each waiting for its reply.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::net::TcpStream;

use crate::ask::{exchange, spread};
use crate::{APP, TOKEN};

/// Prints the seconds from the first batch to the last reply, the events that were new, and how long a reply took:
/// `SECONDS NEW P50_US P99_US MAX_US`. Of `rate` batches a second, where that is not 0.
pub async fn run(address: &str, events: &str, batch: usize, connections: usize, rate: u64) -> Result<()> {
    let text = std::fs::read_to_string(events)?;
    let batches = Arc::new(batches(address, &text, batch)?);
    let next = Arc::new(AtomicUsize::new(0));
    let pause = (rate > 0).then(|| Duration::from_secs_f64(connections as f64 / rate as f64));
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (batches, next, address) = (Arc::clone(&batches), Arc::clone(&next), address.to_owned());
        tasks.push(tokio::spawn(async move {
            let mut stream = TcpStream::connect(&address).await?;
            stream.set_nodelay(true)?;
            let mut every = pause.map(tokio::time::interval);
            let (mut buffer, mut new, mut times_us) = (Vec::new(), 0, Vec::new());
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Some(every) = &mut every {
                    every.tick().await;
                }
                let sent = Instant::now();
                let reply: serde_json::Value =
                    serde_json::from_slice(exchange(&mut stream, batch, &mut buffer).await?)?;
                times_us.push(u64::try_from(sent.elapsed().as_micros())?);
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
    println!("{:.3} {new} {}", begun.elapsed().as_secs_f64(), spread(&mut times_us));
    Ok(())
}

/// Requests, each with the events of one application that arrived one after the other, since a token is of one application.
fn batches(address: &str, text: &str, batch: usize) -> Result<Vec<Vec<u8>>> {
    let mut waiting: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut batches = Vec::new();
    let first = format!("{APP},");
    let mut request = |app: &str, lines: &[&str]| {
        let body = lines.join("\n");
        batches.push(
            format!(
                "POST /ingest/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}-{app}\r\n\
                 Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        );
    };
    for line in text.lines() {
        let (_, rest) = line.split_once("\"app\":").unwrap_or(("", first.as_str()));
        let app = &rest[..rest.find([',', '}']).context("a line is cut short")?];
        let lines = waiting.entry(app).or_default();
        lines.push(line);
        if lines.len() == batch {
            request(app, lines);
            lines.clear();
        }
    }
    for (app, lines) in waiting.into_iter().filter(|(_, lines)| !lines.is_empty()) {
        request(app, &lines);
    }
    Ok(batches)
}
