//! The examples of `docs/events.md` are taken as they stand there.

use rollbook::ingest::{ClientIpPolicy, Parsed, Terms, attributes, lines, records};
use rollbook::records::AppId;

use super::RECEIVED;

const PAGE: &str = include_str!("../../../docs/events.md");
const TERMS: Terms = Terms { app: Some(AppId(1_400_188_366)), client_ip: ClientIpPolicy::Keep };

/// The fenced examples of a page under one info string.
pub(crate) fn examples<'a>(page: &'a str, info: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    for part in page.split("\n```").skip(1).step_by(2) {
        let (first, rest) = part.split_once('\n').expect("an example has an end");
        if first == info {
            found.push(rest);
        }
    }
    found
}

#[track_caller]
fn check(info: &str, parse: impl Fn(&[u8]) -> Parsed) {
    let examples = examples(PAGE, info);
    assert!(!examples.is_empty(), "no example of {info}");
    for example in examples {
        let parsed = parse(example.as_bytes());
        assert_eq!(parsed.refused, [], "{example}");
        assert!(!parsed.events.is_empty() || !parsed.samples.is_empty(), "{example}");
    }
}

#[test]
fn each_example_is_accepted() {
    check("ndjson events", |body| lines::parse(TERMS, body, RECEIVED));
    check("json attributes", |body| attributes::parse(TERMS, body, RECEIVED));
    check("ndjson records", |body| records::parse_ndjson(TERMS, body, RECEIVED));
    check("csv records", |body| records::parse_csv(TERMS, body, RECEIVED));
}

#[test]
fn every_kind_is_documented() {
    let refused = lines::parse(TERMS, br#"{"kind":"no such kind","at_s":1}"#, RECEIVED).refused;
    let (_, kinds) = refused[0].why.split_once("expected one of: ").expect("the words are listed");
    for kind in kinds.split(", ") {
        assert!(PAGE.contains(&format!("\n| `{kind}` | ")), "kind {kind} is not in the table");
    }
}
