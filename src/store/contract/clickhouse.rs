//! The suite on ClickHouse: where `ROLLBOOK_TEST_CLICKHOUSE` names its servers (URLs, separated by commas), every
//! store of the suite is also one of those, in a database of its own; `ROLLBOOK_TEST_CLICKHOUSE_CLUSTER` names the
//! cluster whose tables are replicated.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::store::clickhouse::{ClickHouse, ClickHouseOptions};

/// A database that goes with the test.
#[derive(Debug)]
pub(super) struct Database {
    options: ClickHouseOptions,
}

#[expect(clippy::disallowed_methods, reason = "the environment says where the servers are")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

impl Database {
    /// A new one, where there are servers.
    fn new() -> Option<Database> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let urls = variable("ROLLBOOK_TEST_CLICKHOUSE")?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let options = ClickHouseOptions {
            urls: urls.split(',').map(str::to_owned).collect(),
            credentials: None,
            database: format!("rollbook_test_{}_{number}", std::process::id()),
            cluster: variable("ROLLBOOK_TEST_CLICKHOUSE_CLUSTER").unwrap_or_default(),
            pace: Duration::ZERO,
            monotonic: None,
            on_commit: None,
        };
        Some(Database { options })
    }

    /// A store on it.
    pub(super) fn open(&self) -> AnyStore {
        let store = ClickHouse::open(self.options.clone()).unwrap();
        store.verify().unwrap();
        AnyStore::ClickHouse(store)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let store = ClickHouse::open(self.options.clone()).unwrap();
        store.remove().unwrap();
    }
}

impl Subject {
    /// A store on ClickHouse, where there is one.
    pub(super) fn clickhouse() -> Option<Subject> {
        let database = Database::new()?;
        Some(Subject { name: "clickhouse", store: database.open(), dir: None, database: Some(database) })
    }
}

/// Each case makes tables and asks them some hundred times.
fn cases() -> ProptestConfig {
    ProptestConfig { cases: few_cases().cases / 8, ..few_cases() }
}

proptest! {
    #![proptest_config(cases())]

    /// Any order, any batches, repeats and a restart: the answers are those of the reference.
    #[test]
    fn clickhouse_answers_as_the_reference(
        events in prop::collection::vec(any_event(), 1..40).prop_map(Told),
        seed in any::<u64>(),
        batch in 1..20usize,
        reopen_at in 0..8usize,
    ) {
        let Some(mut subject) = Subject::clickhouse() else { return Ok(()) };
        let events = with_records(events.0);
        let reference = Subject::memory();
        for (n, part) in shuffled(&events, seed).chunks(batch).enumerate() {
            reference.append(part);
            subject.append(part);
            subject.append(&part[..1]);
            if n == reopen_at {
                subject = subject.reopened();
            }
        }
        let expected = reference.answers();
        prop_assert_eq!(&subject.answers(), &expected);
        let calls = subject.calls(|_| {});
        prop_assert_eq!(&calls, &reference.calls(|_| {}));
        for call in calls {
            let ask = |subject: &Subject| subject.sessions(&call.comm_id, |_| {});
            prop_assert_eq!(ask(&subject), ask(&reference));
        }
    }
}
