//! The tables on the servers: made where there are none or fewer, refused where they are of a newer rollbook.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::ClickHouseOptions;
use super::server::{Failure, Server, Statement};
use super::sql::{self, Rows};
use super::tables::{Place, TABLES, name};
use crate::store::StoreError;

/// The version of the tables that this rollbook makes and reads. 2: `erased`.
const VERSION: u64 = 2;

/// How long it may take to make a table on all servers of a cluster.
const CREATE_TIMEOUT: Duration = Duration::from_secs(60);
const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// What was found out of the servers.
#[derive(Debug)]
pub(super) struct Schema {
    /// The servers that answer, each with the name of its shard.
    pub(super) servers: Vec<(Arc<Server>, String)>,
    /// All shards, also those without a server that answers.
    pub(super) shards: BTreeSet<String>,
    /// How many replicas the cluster has of each shard.
    pub(super) replicas: BTreeMap<String, usize>,
    /// Every server is newer than 18.16.
    pub(super) is_modern: bool,
}

/// What one server says of itself.
#[derive(Debug)]
struct About {
    server: Arc<Server>,
    shard: String,
    is_modern: bool,
    /// Version of its tables and the shards they were made for, if there are any.
    tables: Option<(u64, BTreeSet<String>)>,
}

impl About {
    /// It lacks tables: it has none, or those of an older rollbook.
    fn is_behind(&self) -> bool {
        self.tables.as_ref().is_none_or(|(version, _)| *version < VERSION)
    }
}

/// Asks every server what it is, and makes the tables that are missing.
pub(super) async fn prepare(
    options: &ClickHouseOptions,
    servers: &[Arc<Server>],
) -> Result<Schema, StoreError> {
    let mut abouts = Vec::new();
    let mut away = None;
    for server in servers {
        match about(options, server).await {
            Ok(about) => abouts.push(about),
            Err(StoreError::Unavailable(why)) => away = Some(why),
            Err(error) => return Err(error),
        }
    }
    let made_for = shards_of(&abouts)?;
    if let (None, Some(why)) = (&made_for, &away) {
        // Nobody knows yet how many shards there are, and a room must never change its shard.
        return Err(StoreError::Unavailable(why.clone()));
    }
    let found: BTreeSet<String> = abouts.iter().map(|about| about.shard.clone()).collect();
    let shards = made_for.unwrap_or_else(|| found.clone());
    if let Some(other) = found.difference(&shards).next() {
        return Err(StoreError::Refused(format!(
            "the database {:?} was made for the shards {shards:?}, and one of the servers is of {other:?}; a room cannot \
             change its shard: copy the records into a new database",
            options.database
        )));
    }
    let replicas = replicas(options, &abouts).await?;
    if let Some(missing) = shards.iter().find(|shard| !found.contains(*shard)) {
        let why = away.unwrap_or_else(|| "no URL of it is given".to_owned());
        return Err(StoreError::Unavailable(format!("shard {missing:?}: {why}")));
    }
    if !options.cluster.is_empty() && replicas.len() != shards.len() {
        return Err(StoreError::Refused(format!(
            "the cluster {:?} has {} shards, but the URLs are of {}; `urls` must name a server of each",
            options.cluster,
            replicas.len(),
            shards.len()
        )));
    }
    if abouts.iter().any(About::is_behind) {
        create(options, &abouts, &shards).await?;
    }
    let is_modern = abouts.iter().all(|about| about.is_modern);
    let servers = abouts.into_iter().map(|about| (about.server, about.shard)).collect();
    let replicas = replicas.into_iter().collect();
    Ok(Schema { servers, shards, replicas, is_modern })
}

/// The shards that the tables were made for.
fn shards_of(abouts: &[About]) -> Result<Option<BTreeSet<String>>, StoreError> {
    let mut made_for: Option<BTreeSet<String>> = None;
    for about in abouts {
        let Some((version, shards)) = &about.tables else { continue };
        if *version > VERSION {
            return Err(StoreError::Refused(format!(
                "the tables at {} have version {version}, and this rollbook knows {VERSION}: a newer one made them",
                about.server.address()
            )));
        }
        if made_for.as_ref().is_some_and(|others| others != shards) {
            return Err(StoreError::Refused(format!(
                "the tables at {} were made for other shards than those of the other servers",
                about.server.address()
            )));
        }
        made_for = Some(shards.clone());
    }
    Ok(made_for)
}

async fn ask(server: &Arc<Server>, sql: String) -> Result<bytes::Bytes, StoreError> {
    run(server, sql, ASK_TIMEOUT).await
}

async fn run(server: &Arc<Server>, sql: String, timeout: Duration) -> Result<bytes::Bytes, StoreError> {
    let statement = Statement { database: String::new(), sql, rows: None, settings: Vec::new(), timeout };
    server.run(statement).await.map_err(|failure| match failure {
        // Wrong credentials, and what they may not do.
        Failure::Refused(192..=195 | 497 | 516, why) => StoreError::Refused(why),
        Failure::Refused(..) | Failure::Away(_) => StoreError::Unavailable(failure.to_string()),
    })
}

async fn about(options: &ClickHouseOptions, server: &Arc<Server>) -> Result<About, StoreError> {
    let answer = ask(
        server,
        "SELECT version(), max(substitution) FROM system.macros WHERE macro = 'shard' FORMAT RowBinary"
            .to_owned(),
    )
    .await?;
    let mut rows = Rows(&answer);
    let version = rows.text()?;
    let shard = rows.text()?;
    let has_tables = format!(
        "SELECT count() FROM system.tables WHERE database = {} AND name = 'meta' FORMAT RowBinary",
        sql::text(&options.database)
    );
    let tables = if Rows(&ask(server, has_tables).await?).u64()? == 0 {
        None
    } else {
        let sql = format!(
            "SELECT version, shards FROM {}.meta ORDER BY version DESC LIMIT 1 FORMAT RowBinary",
            name(&options.database)
        );
        let answer = ask(server, sql).await?;
        let mut rows = Rows(&answer);
        if rows.is_empty() {
            None
        } else {
            let version = rows.u64()?;
            Some((version, rows.text()?.split('\n').map(str::to_owned).collect()))
        }
    };
    let year = version.split('.').next().and_then(|year| year.parse::<u32>().ok());
    Ok(About { server: Arc::clone(server), shard, is_modern: year.is_some_and(|year| year >= 22), tables })
}

/// How many replicas the cluster has of each shard, by the name that a server of it has in its macros.
async fn replicas(options: &ClickHouseOptions, abouts: &[About]) -> Result<Vec<(String, usize)>, StoreError> {
    let Some(first) = abouts.first().filter(|_| !options.cluster.is_empty()) else { return Ok(Vec::new()) };
    let mut counts = BTreeMap::new();
    let mut numbers = BTreeSet::new();
    for about in abouts {
        let sql = format!(
            "SELECT toUInt64(shard_num), count(), max(toUInt64(is_local)) FROM system.clusters WHERE cluster = {} \
             GROUP BY shard_num FORMAT RowBinary",
            sql::text(&options.cluster)
        );
        for (number, count, is_local) in
            Rows(&ask(&about.server, sql).await?).all(|row| Ok((row.u64()?, row.u64()?, row.u64()?)))?
        {
            numbers.insert(number);
            if is_local == 1 {
                counts.insert(about.shard.clone(), usize::try_from(count).unwrap_or(usize::MAX));
            }
        }
    }
    if numbers.is_empty() {
        return Err(StoreError::Refused(format!(
            "the server at {} knows no cluster {:?}",
            first.server.address(),
            options.cluster
        )));
    }
    if counts.len() < numbers.len() && abouts.iter().all(|about| counts.contains_key(&about.shard)) {
        return Err(StoreError::Refused(format!(
            "the cluster {:?} has {} shards, but the servers that answer are of {}; `urls` must name a server of each",
            options.cluster,
            numbers.len(),
            counts.len()
        )));
    }
    Ok(counts.into_iter().collect())
}

/// Makes what is missing. Several may do so at the same time.
async fn create(
    options: &ClickHouseOptions,
    abouts: &[About],
    shards: &BTreeSet<String>,
) -> Result<(), StoreError> {
    let place = Place { database: &options.database, cluster: &options.cluster };
    let shards: Vec<&str> = shards.iter().map(String::as_str).collect();
    let behind: Vec<&About> = abouts.iter().filter(|about| about.is_behind()).collect();
    // Where there is a cluster, one server carries everything to all.
    let makers = if options.cluster.is_empty() { behind.len() } else { 1 };
    for about in behind.iter().take(makers) {
        run(&about.server, place.create_database(), CREATE_TIMEOUT).await?;
        let statements = TABLES.iter().flat_map(|table| table.create(&place));
        let mut running: JoinSet<_> = statements
            .map(|statement| {
                let server = Arc::clone(&about.server);
                async move { run(&server, statement, CREATE_TIMEOUT).await }
            })
            .collect();
        while let Some(made) = running.join_next().await {
            made.map_err(|_| StoreError::Unavailable("the store is being closed".to_owned()))??;
        }
        // The last one, so that what has it has everything.
        run(&about.server, place.create_meta(), CREATE_TIMEOUT).await?;
    }
    for about in behind {
        let insert = format!(
            "INSERT INTO {}.meta (version, shards) VALUES ({VERSION}, {})",
            name(&options.database),
            sql::text(&shards.join("\n"))
        );
        run(&about.server, insert, CREATE_TIMEOUT).await?;
    }
    Ok(())
}

/// Takes the database away.
#[cfg(test)]
pub(super) async fn remove(options: &ClickHouseOptions, servers: &[Arc<Server>]) -> Result<(), StoreError> {
    let place = Place { database: &options.database, cluster: &options.cluster };
    let droppers = if options.cluster.is_empty() { servers.len() } else { 1 };
    for server in servers.iter().take(droppers) {
        run(server, place.drop_database(), CREATE_TIMEOUT).await?;
    }
    Ok(())
}
