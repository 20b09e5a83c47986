//! `rollbook demo`: a server in memory that is full of calls.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;

use super::keys::KeyPair;
use super::serve::{Running, bind, runtime, serve};
use super::story::Story;
use super::{hints, say};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::http;
use crate::ingest::{self, ClientIpPolicy, Terms, records};
use crate::limits::Edition;
use crate::records::{AppId, Millis};
use crate::store::{AnyStore, Memory, Store as _};

/// Run a server in memory that is full of calls, and print lines that question it.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where to listen.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9180")]
    listen: String,
}

/// The application of the API page's example. The story happens in it too, so that one key sees everything.
const APP: AppId = AppId(1_400_188_366);

/// The API page's own example, as finished records: two users of one call.
const EXAMPLE: &str = r#"
{"type":"call","comm_id":"1400188366_218695_1590065777","room":"218695","created_s":1590065777,"ended_s":1590067693,"creator":"user1_54816741"}
{"type":"session","comm_id":"1400188366_218695_1590065777","room":"218695","user":"user1_54816741","joined_s":1590065777,"left_s":1590067658,"sdk_version":"4.3.14","client_ip":"10.4.1.13"}
{"type":"session","comm_id":"1400188366_218695_1590065777","room":"218695","user":"user2_2107025","joined_s":1590065700,"left_s":1590067693,"sdk_version":"4.3.14","client_ip":"10.4.1.13"}
"#;

/// What decides the story; each start tells the same one, up to its own present.
const SEED: u64 = 20_190_723;
/// How often something happens in the calls that are running.
const STEP_EVERY: Duration = Duration::from_secs(1);

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let key = KeyPair::fresh()?;
    let config = settings(arguments, &key)?;
    let clock = Clock::system();
    runtime()?.block_on(async {
        let listener = bind(config.listen)?;
        let store = Arc::new(AnyStore::Memory(Memory::default()));
        append_example(&store, clock.now()).await?;
        let (story, past) = Story::begin(SEED, APP, clock.now());
        store.append(past.events).await?;
        store.append_samples(past.samples).await?;
        say(&introduction(&key, &hints::host(listener.local_addr()?), clock.now()));
        tokio::spawn(go_on(story, Arc::clone(&store), clock));
        let metrics = Arc::new(http::metrics());
        super::serve::raise_file_limit();
        serve(config, Running { store, listener, clock, metrics, again: None }).await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Everything may be asked, and nothing is dropped, so that an example of 2020 can be.
fn settings(arguments: &Arguments, key: &KeyPair) -> anyhow::Result<Config> {
    let flags = [
        ("listen", "--listen", arguments.listen.clone()),
        // Its key lives as long as it does, and its records are invented.
        ("plain_http", "demo", "true".to_owned()),
        ("retention_days", "demo", "0".to_owned()),
        ("limits.history_days", "demo", "0".to_owned()),
    ];
    let mut config = config::resolve(None, &BTreeMap::new(), &flags)?;
    let ingest_token = Some(crate::limits::Secret::new(super::keys::secret()?));
    let app = ingest::App { ingest_token, ..ingest::App::new(APP) };
    config.accounts = vec![config::Account {
        name: "demo".to_owned(),
        edition: Edition::Advanced,
        keys: vec![key.as_setting()],
        apps: vec![app],
    }];
    Ok(config)
}

async fn append_example(store: &AnyStore, now: Millis) -> anyhow::Result<()> {
    let terms = Terms { app: Some(APP), client_ip: ClientIpPolicy::Keep };
    let parsed = records::parse_ndjson(terms, EXAMPLE.as_bytes(), now);
    ensure!(parsed.refused.is_empty(), "the example is refused: {:?}", parsed.refused);
    store.append(parsed.events).await?;
    Ok(())
}

/// Lets the calls that are running change for as long as the process lives.
async fn go_on(mut story: Story, store: Arc<AnyStore>, clock: Clock) {
    let mut every = tokio::time::interval(STEP_EVERY);
    let mut measured = clock.now();
    loop {
        every.tick().await;
        let now = clock.now();
        let samples = story.measure(measured, now);
        measured = now;
        let outcome = async {
            store.append_samples(samples).await?;
            store.append(story.step(now)).await
        };
        if let Err(error) = outcome.await {
            tracing::warn!(%error, "the story cannot go on");
        }
    }
}

/// What to do with it.
fn introduction(key: &KeyPair, host: &str, now: Millis) -> String {
    let parameters = [
        ("CommId", "1400188366_218695_1590065777".into()),
        ("StartTime", 1_590_065_777.into()),
        ("EndTime", 1_590_065_877.into()),
        ("SdkAppId", APP.0.into()),
    ];
    let question = hints::Question {
        host,
        key,
        action: "DescribeUserInfo",
        parameters: &parameters,
        now,
        stands: false,
    };
    let parameters = [
        ("SdkAppId", APP.0.into()),
        ("StartTime", (now.secs() - 3_600).into()),
        ("EndTime", now.secs().into()),
    ];
    let recent = hints::Question {
        host,
        key,
        action: "DescribeRoomInfo",
        parameters: &parameters,
        now,
        stands: false,
    };
    format!(
        "A server in memory, with the API page's example, some 200 calls of the last days, and some that are \
         running now and are measured.\nThis key lives as long as the process does:\n\n{}\n\
         The example, asked for as on the API page.\n\n{}\n\
         The calls of the last hour:\n\n{}\n",
        hints::key(key),
        question.lines(),
        recent.call(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_that_somebody_sees_first_go_on_for_a_while() {
        let begin = Millis(1_800_000_000_000);
        let (mut story, _) = Story::begin(SEED, APP, begin);
        let ends = |event: &crate::records::Event| event.kind == crate::records::Kind::RoomDestroyed;
        let first = (0..1_000).find(|second| story.step(begin.plus(second * 1_000)).iter().any(ends));
        assert!(first.is_some_and(|second| second >= 120), "the first ends after {first:?} s");
    }

    #[test]
    fn the_example_is_taken_whole() {
        let terms = Terms { app: Some(APP), client_ip: ClientIpPolicy::Keep };
        let parsed = records::parse_ndjson(terms, EXAMPLE.as_bytes(), Millis(0));
        assert_eq!(parsed.refused, []);
        assert!(parsed.events.len() >= 4);
    }
}
