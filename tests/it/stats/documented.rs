//! The examples of `docs/stats.md` are taken as they stand there.

use super::*;
use crate::ingest::documented::examples;

const PAGE: &str = include_str!("../../../docs/stats.md");

#[tokio::test]
async fn each_example_is_accepted_and_shows_something() {
    for (info, count) in [("json stats", 1), ("ndjson stats", 1), ("text stats dump", 1)] {
        let examples = examples(PAGE, info);
        assert_eq!(examples.len(), count, "{info}");
        for example in examples {
            let told = if info == "text stats dump" { TOLD } else { Told::default() };
            let parsed = stats::parse(TERMS, told, example.as_bytes(), RECEIVED);
            assert_eq!(parsed.refused, [], "{example}");
            let shown = shown(parsed.samples).await;
            assert!(shown.values().any(|metrics| !metrics.is_empty()), "{example}");
        }
    }
}

#[test]
fn what_is_measured_is_documented() {
    // All but those that no browser tells.
    let others = ["appCpu", "sysCpu", "aCapEnergy", "aPlayEnergy", "bigvRecFps"];
    let (_, rest) = PAGE.split_once("\n## What is measured\n").expect("a chapter");
    let (chapter, _) = rest.split_once("\n## ").expect("an end");
    let rows: String = chapter.lines().filter(|line| line.starts_with('|')).collect();
    for metric in Metric::ALL.iter().filter(|metric| !others.contains(&metric.name())) {
        assert!(rows.contains(&format!("`{}`", metric.name())), "{}", metric.name());
    }
}
