//! What rollbook is measured against, and the load that measures. `benches/run` is the only caller.
//!
//! ```text
//! rivals story    CALLS BIG MOST [DIRECTORY]  the events of a story, or the first of them, as JSON lines on standard output;
//!                                             into the directory the questions about it
//! rivals live     CALLS                       what goes on in the last evening of the story, likewise
//! rivals quality  CALLS DIRECTORY             writes calls of six with an hour of measurements each, and questions
//! rivals bare     ADDRESS REPLY_FILE          hyper, answering every request with the file's bytes
//! rivals postgres ADDRESS DATABASE            axum and PostgreSQL, answering DescribeUserInfo
//! rivals ask      ADDRESS QUESTIONS REQUESTS CONNECTIONS RATE CLOCK SKIP [SAVE_REPLY]
//! rivals post     ADDRESS EVENTS BATCH CONNECTIONS RATE
//! rivals insert   DATABASE EVENTS BATCH       the events of a file into PostgreSQL, in batches
//! rivals load     ENGINE PLACE CALLS BIG      the sessions of a story into sqlite, postgres or clickhouse
//! rivals engine   ENGINE PLACE QUESTIONS REQUESTS    asks one of these
//! rivals bytes    DIRECTORY                   what the tables of redb files take
//! ```

mod ask;
mod bare;
mod bytes;
mod engines;
mod insert;
mod post;
mod postgres;
mod quality;
mod questions;
mod sign;
mod story;

use std::path::Path;

use anyhow::{Context, Result, bail};
use story::Story;

/// The first application, the key and the beginning of the tokens that `benches/run` writes into the settings.
pub const APP: u64 = 1_400_000_001;
/// The key's name.
pub const SECRET_ID: &str = "AKIDbench0000000000000000000000000001";
/// The key.
pub const SECRET_KEY: &str = "benchSecretKey0000000000000000001";
/// What tokens begin with; the application's number follows.
pub const TOKEN: &str = "bench-token";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["story", calls, big, most, ref folder @ ..] => {
            let (calls, big, most): (u64, u64, u64) = (calls.parse()?, big.parse()?, most.parse()?);
            let mut gather = questions::Gather::new(calls);
            story::tell(Story::new(calls, big), most, &mut std::io::stdout().lock(), |call| {
                gather.see(call)
            })?;
            match folder {
                [folder] => gather.write(&Story::new(calls, big), Path::new(folder)),
                _ => Ok(()),
            }
        }
        ["live", calls] => {
            let story = Story::live(calls.parse()?);
            story::tell(story, u64::MAX, &mut std::io::stdout().lock(), |_| {}).map(drop)
        }
        ["quality", calls, folder] => quality::write(calls.parse()?, folder.as_ref()),
        ["bytes", folder] => bytes::print(folder.as_ref()),
        // The load has one thread, so that it takes as little as it can of what the servers need.
        ["bare" | "postgres", ..] => run(&words, tokio::runtime::Builder::new_multi_thread()),
        _ => run(&words, tokio::runtime::Builder::new_current_thread()),
    }
}

fn run(words: &[&str], mut runtime: tokio::runtime::Builder) -> Result<()> {
    let runtime = runtime.enable_all().build().context("the runtime")?;
    runtime.block_on(async {
        match words {
            ["bare", address, reply] => bare::serve(address, std::fs::read(reply)?).await,
            ["postgres", address, database] => postgres::serve(address, database).await,
            ["ask", address, questions, requests, connections, rate, clock, skip, save @ ..] => {
                let load = ask::Load {
                    requests: requests.parse()?,
                    connections: connections.parse()?,
                    rate: rate.parse()?,
                    clock: clock.parse()?,
                    skip: skip.parse()?,
                };
                ask::run(address, questions, &load, save.first().copied()).await
            }
            ["post", address, events, batch, connections, rate] => {
                post::run(address, events, batch.parse()?, connections.parse()?, rate.parse()?).await
            }
            ["insert", database, events, batch] => insert::run(database, events, batch.parse()?).await,
            ["load", engine, place, calls, big] => {
                engines::load(engine, place, Story::new(calls.parse()?, big.parse()?)).await
            }
            ["engine", engine, place, questions, requests] => {
                engines::ask(engine, place, questions, requests.parse()?).await
            }
            _ => bail!("see the top of benches/rivals/src/main.rs"),
        }
    })
}
