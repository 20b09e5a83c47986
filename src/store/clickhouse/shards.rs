//! Which server has what: shards and their replicas, and how a statement finds one that answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;

use super::server::{Failure, Server, Statement};
use super::sql::Rows;
use super::tables::Table;
use super::{ClickHouseOptions, schema};
use crate::records::AppId;
use crate::store::StoreError;

/// How long a question may take.
const ASK_TIMEOUT: Duration = Duration::from_secs(20);
/// How long an insertion may take; the quorum must be there a little earlier.
const INSERT_TIMEOUT: Duration = Duration::from_secs(12);
const QUORUM_TIMEOUT_MS: u64 = 10_000;
/// How often an insertion is tried on each replica of its shard, and how long it waits in between.
const INSERT_ROUNDS: u32 = 4;
const INSERT_PAUSE: Duration = Duration::from_millis(50);
/// Another insertion into the same table has not reached its quorum yet (code 286): it will in a moment, so that is
/// worth more tries.
const QUORUM_BUSY: u32 = 286;
const BUSY_ROUNDS: u32 = 200;

/// All servers, in their order, and what they are like.
#[derive(Debug)]
pub(super) struct Shards {
    pub(super) shards: Vec<Shard>,
    database: String,
    /// Beyond what 18.16 knows.
    is_modern: bool,
}

/// One shard: servers that hold the same.
#[derive(Debug)]
pub(super) struct Shard {
    /// As the macros of its servers name it.
    pub(super) name: String,
    pub(super) replicas: Vec<Arc<Server>>,
    /// The one that answered last.
    preferred: AtomicUsize,
    /// How many replicas must have an insertion before it counts; 0 where there are no replicated tables.
    quorum: usize,
    /// Whether a replica may lack what was acknowledged.
    may_lag: bool,
}

/// A room's shard.
pub(super) fn shard_of(app: AppId, room: &str, shards: usize) -> usize {
    let mut hash = Sha256::new();
    hash.update(app.0.to_be_bytes());
    hash.update(room.as_bytes());
    let digest = hash.finalize();
    let number = digest.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    usize::try_from(number % shards.max(1) as u64).unwrap_or(0)
}

fn unavailable(failure: &Failure) -> StoreError {
    StoreError::Unavailable(failure.to_string())
}

impl Shards {
    /// Finds out which servers there are, and sees to it that they have the tables.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] while a shard has no server that answers; [`StoreError::Refused`] where the tables
    /// are of another rollbook, or the settings do not fit the servers.
    pub(super) async fn discover(
        options: &ClickHouseOptions,
        servers: &[Arc<Server>],
    ) -> Result<Shards, StoreError> {
        let schema = schema::prepare(options, servers).await?;
        let is_replicated = !options.cluster.is_empty();
        let mut by_name: BTreeMap<String, Vec<Arc<Server>>> =
            schema.shards.iter().map(|name| (name.clone(), Vec::new())).collect();
        for (server, shard) in schema.servers {
            if let Some(replicas) = by_name.get_mut(&shard) {
                replicas.push(server);
            }
        }
        let shard = |(name, replicas): (String, Vec<Arc<Server>>)| {
            let replica_count = schema.replicas.get(&name).copied().unwrap_or(replicas.len()).max(1);
            // Two replicas must both have it, of more a majority.
            let quorum = if is_replicated { (replica_count / 2 + 1).min(replica_count) } else { 0 };
            let may_lag = is_replicated && quorum < replica_count;
            Shard { name, replicas, preferred: AtomicUsize::new(0), quorum, may_lag }
        };
        Ok(Shards {
            shards: by_name.into_iter().map(shard).collect(),
            database: options.database.clone(),
            is_modern: schema.is_modern,
        })
    }

    /// How many servers are in use.
    pub(super) fn server_count(&self) -> usize {
        self.shards.iter().map(|shard| shard.replicas.len()).sum()
    }

    /// The shard of a room's name.
    pub(super) fn of_room(&self, app: AppId, room: &str) -> usize {
        shard_of(app, room, self.shards.len())
    }

    fn statement(&self, shard: &Shard, sql: String) -> Statement {
        let mut settings = vec![("max_query_size", (64 << 20).to_string())];
        if shard.may_lag {
            settings.push(("select_sequential_consistency", "1".to_owned()));
        }
        if self.is_modern {
            settings.push(("max_ast_elements", "1000000".to_owned()));
            settings.push(("max_expanded_ast_elements", "2000000".to_owned()));
        }
        let sql = format!("{sql} FORMAT RowBinary");
        Statement { database: self.database.clone(), sql, rows: None, settings, timeout: ASK_TIMEOUT }
    }

    /// Asks one shard.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where no replica answers.
    pub(super) async fn ask(&self, shard: usize, sql: String) -> Result<Bytes, StoreError> {
        let shard = &self.shards[shard];
        let statement = self.statement(shard, sql);
        let first = shard.preferred.load(Ordering::Relaxed);
        let mut outcome =
            Err(StoreError::Unavailable(format!("no server of shard {:?} answers", shard.name)));
        for turn in 0..shard.replicas.len() {
            let index = (first + turn) % shard.replicas.len();
            match shard.replicas[index].run(statement.clone()).await {
                Ok(answer) => {
                    shard.preferred.store(index, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(failure) if turn == 0 => outcome = Err(unavailable(&failure)),
                Err(_) => {}
            }
        }
        outcome
    }

    /// Asks whichever shard answers first of all.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where none does.
    pub(super) async fn ask_any(&self, sql: &str) -> Result<Bytes, StoreError> {
        let mut outcome = self.ask(0, sql.to_owned()).await;
        for shard in 1..self.shards.len() {
            if outcome.is_ok() {
                break;
            }
            outcome = self.ask(shard, sql.to_owned()).await;
        }
        outcome
    }

    /// Asks every replica of a shard.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where one does not answer, or is not known yet.
    pub(super) async fn ask_replicas(&self, shard: usize, sql: &str) -> Result<Vec<Bytes>, StoreError> {
        let shard = &self.shards[shard];
        let statement = self.statement(shard, sql.to_owned());
        let mut answers = Vec::with_capacity(shard.replicas.len());
        for server in &shard.replicas {
            answers.push(server.run(statement.clone()).await.map_err(|failure| unavailable(&failure))?);
        }
        Ok(answers)
    }

    /// Asks every shard at the same time; the answers in the order of shards.
    ///
    /// # Errors
    /// That of any shard: half an answer is none.
    pub(super) async fn ask_all(self: &Arc<Shards>, sql: &str) -> Result<Vec<Bytes>, StoreError> {
        self.each(|shards, shard| {
            let sql = sql.to_owned();
            async move { shards.ask(shard, sql).await }
        })
        .await
    }

    /// Does something with every shard at the same time.
    pub(super) async fn each<T, F>(
        self: &Arc<Shards>,
        work: impl Fn(Arc<Shards>, usize) -> F,
    ) -> Result<Vec<T>, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let begin = |shard| self.runtime().spawn(work(Arc::clone(self), shard));
        let tasks: Vec<JoinHandle<_>> = (0..self.shards.len()).map(begin).collect();
        let mut done = Vec::with_capacity(tasks.len());
        for task in tasks {
            let closed = |_| StoreError::Unavailable("the store is being closed".to_owned());
            done.push(task.await.map_err(closed)??);
        }
        Ok(done)
    }

    pub(super) fn runtime(&self) -> &tokio::runtime::Handle {
        self.shards[0].replicas[0].runtime()
    }

    /// Inserts rows into a table of one shard, as one block. Tries again with the same bytes, so that a block that
    /// was kept already is not kept twice.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the quorum cannot be had. Some replica may have the rows all the same.
    pub(super) async fn insert(&self, shard: usize, table: &Table, rows: Vec<u8>) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let shard = &self.shards[shard];
        let mut settings = vec![("max_insert_block_size", "10000000".to_owned())];
        if shard.quorum > 0 {
            settings.push(("insert_quorum", shard.quorum.to_string()));
            settings.push(("insert_quorum_timeout", QUORUM_TIMEOUT_MS.to_string()));
            if self.is_modern {
                // What 18.16 does: a quorum at a time, which sequential reads need.
                settings.push(("insert_quorum_parallel", "0".to_owned()));
            }
        }
        if self.is_modern {
            settings.push(("max_partitions_per_insert_block", "0".to_owned()));
        }
        let statement = Statement {
            database: self.database.clone(),
            sql: table.insert(),
            rows: Some(Bytes::from(rows)),
            settings,
            timeout: INSERT_TIMEOUT,
        };
        let (mut rounds, mut busy) = (0, 0);
        loop {
            let first = shard.preferred.load(Ordering::Relaxed);
            let mut last = Failure::Away(format!("no server of shard {:?} answers", shard.name));
            for turn in 0..shard.replicas.len() {
                let index = (first + turn) % shard.replicas.len();
                match shard.replicas[index].run(statement.clone()).await {
                    Ok(_) => {
                        shard.preferred.store(index, Ordering::Relaxed);
                        return Ok(());
                    }
                    Err(failure) => last = failure,
                }
                if matches!(last, Failure::Refused(QUORUM_BUSY, _)) {
                    break;
                }
            }
            match last {
                Failure::Refused(QUORUM_BUSY, _) => busy += 1,
                Failure::Refused(..) | Failure::Away(_) => rounds += 1,
            }
            if rounds >= INSERT_ROUNDS || busy >= BUSY_ROUNDS {
                return Err(unavailable(&last));
            }
            self.pause(INSERT_PAUSE * (rounds + 1)).await;
        }
    }

    /// Waits.
    pub(super) async fn pause(&self, length: Duration) {
        // The timer is the store's: who asks may have none. A store that is being closed needs no pause.
        let _ = self.runtime().spawn(async move { tokio::time::sleep(length).await }).await;
    }

    /// Changes the table of one shard: on a replicated table, any replica carries it to the others.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where no replica does it.
    pub(super) async fn alter(&self, shard: usize, sql: String) -> Result<(), StoreError> {
        let shard = &self.shards[shard];
        let mut outcome =
            Err(StoreError::Unavailable(format!("no server of shard {:?} answers", shard.name)));
        let settings = Vec::new();
        let statement =
            Statement { database: self.database.clone(), sql, rows: None, settings, timeout: ASK_TIMEOUT };
        for server in &shard.replicas {
            match server.run(statement.clone()).await {
                Ok(_) => return Ok(()),
                Err(failure) => outcome = Err(unavailable(&failure)),
            }
        }
        outcome
    }
}

/// The rows of an answer.
pub(super) fn rows(answer: &Bytes) -> Rows<'_> {
    Rows(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_spread_over_shards_and_stay_there() {
        let mut rooms = [0; 3];
        for room in 0..3_000 {
            rooms[shard_of(AppId(1_400_000_001), &room.to_string(), 3)] += 1;
        }
        assert!(rooms.iter().all(|count| (900..1_100).contains(count)), "{rooms:?}");
        // Where a room is must never change, since its rows are there.
        let of = |app, room| shard_of(AppId(app), room, 1_000);
        assert_eq!((of(1, "r"), of(1, ""), of(u64::MAX, "李")), (71, 730, 768));
        assert_eq!(shard_of(AppId(1), "r", 1), 0);
    }
}
