//! Retention: whole days are dropped, once nothing that is shown needs them.

use std::sync::Arc;

use super::shards::{Shards, rows as answer_rows};
use super::sql::{self, Rows};
use super::tables::{CALLS, ERASED, EVENTS, ORPHANS, RESETS, SAMPLES, SESSIONS, Table};
use crate::records::Millis;
use crate::store::{StoreError, Swept};

/// Drops the days before the horizon that hold nothing with evidence since.
pub(super) async fn sweep(shards: &Arc<Shards>, horizon: Millis) -> Result<Swept, StoreError> {
    let swept = shards.each(|shards, shard| async move { sweep_one(&shards, shard, horizon).await }).await?;
    Ok(Swept { calls: swept.iter().sum() })
}

async fn sweep_one(shards: &Arc<Shards>, shard: usize, horizon: Millis) -> Result<u64, StoreError> {
    // The calls that stay need their own day's rows, and all events since they began.
    let sql = format!(
        "SELECT day, countIf(last_evidence_ms < {horizon}), countIf(last_evidence_ms >= {horizon}), \
         minIf(begin_ms, last_evidence_ms >= {horizon}) \
         FROM (SELECT day, last_evidence_ms, begin_ms, deleted FROM calls \
         WHERE day < {} OR begin_ms < {} ORDER BY version DESC LIMIT 1 BY {}) WHERE deleted = 0 GROUP BY day",
        sql::day(horizon.day()),
        horizon.day().saturating_mul(86_400_000),
        CALLS.identity(),
        horizon = horizon.0,
    );
    let mut needed_since = horizon.day();
    let (mut kept_days, mut calls) = (Vec::new(), 0);
    for (day, old, kept, begin_ms) in answer_rows(&shards.ask(shard, sql).await?)
        .all(|row| Ok((row.day()?, row.u64()?, row.u64()?, row.i64()?)))?
    {
        if kept == 0 {
            calls += if day < horizon.day() { old } else { 0 };
        } else {
            kept_days.push(day);
            needed_since = needed_since.min(Millis(begin_ms).day());
        }
    }
    for table in [&EVENTS, &RESETS, &ORPHANS] {
        drop_days(shards, shard, table, |day| day < needed_since).await?;
    }
    for table in [&SESSIONS, &CALLS] {
        drop_days(shards, shard, table, |day| day < horizon.day() && !kept_days.contains(&day)).await?;
    }
    for table in [&SAMPLES, &ERASED] {
        drop_days(shards, shard, table, |day| day < horizon.day()).await?;
    }
    Ok(calls)
}

/// Whether all replicas have dropped the same days: the one that is told to carries it to the others in its own time.
#[cfg(test)]
pub(super) async fn is_everywhere(shards: &Arc<Shards>) -> Result<bool, StoreError> {
    for table in super::tables::TABLES {
        let sql = format!("SELECT DISTINCT day FROM {} ORDER BY day", table.name);
        for shard in 0..shards.shards.len() {
            let answers = shards.ask_replicas(shard, &sql).await?;
            if answers.iter().any(|answer| *answer != answers[0]) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

async fn drop_days(
    shards: &Arc<Shards>,
    shard: usize,
    table: &Table,
    is_old: impl Fn(i64) -> bool,
) -> Result<(), StoreError> {
    let sql = format!("SELECT DISTINCT day, toString(day) FROM {}", table.name);
    let days = answer_rows(&shards.ask(shard, sql).await?).all(|row| Ok((row.day()?, Rows::text(row)?)))?;
    for (_, name) in days.iter().filter(|(day, _)| is_old(*day)) {
        shards.alter(shard, format!("ALTER TABLE {} DROP PARTITION {}", table.name, sql::text(name))).await?;
    }
    Ok(())
}
