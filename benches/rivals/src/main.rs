//! What rollbook is measured against, and the load that measures. `benches/run` is the only caller.
//!
//! ```text
//! rivals story    CALLS BIG DIRECTORY        writes events, sessions and questions, the same each time
//! rivals bare     ADDRESS REPLY_FILE         hyper, answering every request with the file's bytes
//! rivals postgres ADDRESS DATABASE           axum and PostgreSQL, answering DescribeUserInfo
//! rivals ask      ADDRESS QUESTIONS REQUESTS CONNECTIONS CLOCK [SAVE_REPLY]
//! rivals post     ADDRESS EVENTS BATCH CONNECTIONS TOKEN
//! rivals insert   DATABASE EVENTS BATCH      the events of a file into PostgreSQL, in batches
//! ```

mod ask;
mod bare;
mod insert;
mod post;
mod postgres;
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
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime")?;
    runtime.block_on(async {
        match words[..] {
            ["bare", address, reply] => bare::serve(address, std::fs::read(reply)?).await,
            ["postgres", address, database] => postgres::serve(address, database).await,
            ["ask", address, questions, requests, connections, clock] => {
                ask::run(address, questions, requests.parse()?, connections.parse()?, clock.parse()?, None)
                    .await
            }
            ["ask", address, questions, requests, connections, clock, save] => {
                ask::run(
                    address,
                    questions,
                    requests.parse()?,
                    connections.parse()?,
                    clock.parse()?,
                    Some(save),
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
