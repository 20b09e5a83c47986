//! What rollbook is measured against, and the load that measures. `benches/run` is the only caller.
//!
//! ```text
//! rivals story    CALLS BIG DIRECTORY        writes events, sessions and questions, the same each time
//! rivals quality  CALLS DIRECTORY            writes calls of six with an hour of measurements each, and questions
//! rivals bare     ADDRESS REPLY_FILE         hyper, answering every request with the file's bytes
//! rivals postgres ADDRESS DATABASE           axum and PostgreSQL, answering DescribeUserInfo
//! rivals ask      ADDRESS QUESTIONS REQUESTS CONNECTIONS RATE CLOCK [SAVE_REPLY]
//! rivals post     ADDRESS EVENTS BATCH CONNECTIONS TOKEN
//! rivals insert   DATABASE EVENTS BATCH      the events of a file into PostgreSQL, in batches
//! ```

mod ask;
mod bare;
mod insert;
mod post;
mod postgres;
mod quality;
mod sign;
mod story;

use anyhow::{Context, Result, bail};

/// The application, key and token that `benches/run` writes into the settings.
pub const APP: u64 = 1_400_000_001;
/// The key's name.
pub const SECRET_ID: &str = "AKIDbench0000000000000000000000000001";
/// The key.
pub const SECRET_KEY: &str = "benchSecretKey0000000000000000001";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["story", calls, big, folder] = words[..] {
        return story::write(calls.parse()?, big.parse()?, folder.as_ref());
    }
    if let ["quality", calls, folder] = words[..] {
        return quality::write(calls.parse()?, folder.as_ref());
    }
    // The load has one thread, so that it takes as little as it can of what the servers need.
    let mut runtime = match words.first() {
        Some(&("bare" | "postgres")) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.enable_all().build().context("the runtime")?;
    runtime.block_on(async {
        match words[..] {
            ["bare", address, reply] => bare::serve(address, std::fs::read(reply)?).await,
            ["postgres", address, database] => postgres::serve(address, database).await,
            ["ask", address, questions, requests, connections, rate, clock, ref save @ ..] => {
                let (requests, connections, rate) = (requests.parse()?, connections.parse()?, rate.parse()?);
                ask::run(
                    address,
                    questions,
                    requests,
                    connections,
                    rate,
                    clock.parse()?,
                    save.first().copied(),
                )
                .await
            }
            ["post", address, events, batch, connections, token] => {
                post::run(address, events, batch.parse()?, connections.parse()?, token).await
            }
            ["insert", database, events, batch] => insert::run(database, events, batch.parse()?).await,
            _ => bail!("see the top of benches/rivals/src/main.rs"),
        }
    })
}
