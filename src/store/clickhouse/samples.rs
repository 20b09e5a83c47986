//! Measurements: one row a value, and of two values of one moment the greater.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ClickHouse;
use super::rows;
use super::shards::{Shards, rows as answer_rows};
use super::sql::{self, Row, Rows, text};
use super::tables::SAMPLES;
use crate::records::quality::{Flow, Measure, Points, Series, normalise};
use crate::records::{AppId, Millis};
use crate::store::{ExportQuery, Exported, SampleQuery, StoreError, sink_samples};

/// Rows that are inserted at a time.
const ROWS_MAX: usize = 200_000;

/// Keeps the measurements of a group of senders.
pub(super) async fn append(shards: &Arc<Shards>, batches: Vec<Vec<Series>>) -> Result<(), StoreError> {
    let mut parts: Vec<(Row, usize)> = vec![(Row::default(), 0); shards.shards.len()];
    for series in batches.into_iter().flatten() {
        let shard = shards.of_room(series.flow.app, &series.flow.room);
        for (measure, points) in &series.columns {
            for (at, value) in points {
                let (part, count) = &mut parts[shard];
                rows::write_sample(&series.flow, measure.name(), *at, *value, part);
                *count += 1;
                if *count >= ROWS_MAX {
                    *count = 0;
                    shards.insert(shard, &SAMPLES, std::mem::take(&mut part.0)).await?;
                }
            }
        }
    }
    for (shard, (part, _)) in parts.into_iter().enumerate() {
        shards.insert(shard, &SAMPLES, part.0).await?;
    }
    Ok(())
}

const COLUMNS: &str = "room, user, peer, connection, measure, at_ms, rank";

type Flows = BTreeMap<Flow, BTreeMap<Measure, Points>>;

/// Adds the rows of an answer.
fn read(app: AppId, mut rows: Rows<'_>, flows: &mut Flows) -> Result<(), StoreError> {
    while !rows.is_empty() {
        let (room, user, peer, connection) = (rows.text()?, rows.text()?, rows.text()?, rows.text()?);
        let (measure, at, rank) = (rows.text()?, Millis(rows.i64()?), rows.u64()?);
        let measure = Measure::of_name(&measure)
            .ok_or_else(|| StoreError::Corrupt(format!("there is no measure {measure:?}")))?;
        let flow = Flow { app, room, user, peer, connection };
        flows.entry(flow).or_default().entry(measure).or_default().push((at, rows::value(rank)));
    }
    Ok(())
}

fn series(flows: Flows) -> impl Iterator<Item = Series> {
    flows.into_iter().map(|(flow, mut measures)| {
        measures.values_mut().for_each(normalise);
        Series { flow, columns: measures.into_iter().collect() }
    })
}

/// The measurements of users in a window.
pub(super) async fn find(shards: &Arc<Shards>, query: &SampleQuery<'_>) -> Result<Vec<Series>, StoreError> {
    if query.from > query.to || query.users.is_empty() {
        return Ok(Vec::new());
    }
    let users: Vec<String> = query.users.iter().map(|user| text(user)).collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM samples WHERE app = {} AND room = {} AND user IN ({}) AND at_ms >= {} AND at_ms <= {} \
         AND day >= {} AND day <= {}",
        query.app,
        text(query.room),
        users.join(","),
        query.from.0,
        query.to.0,
        sql::day(query.from.day()),
        sql::day(query.to.day())
    );
    let answer = shards.ask(shards.of_room(query.app, query.room), sql).await?;
    let mut flows = Flows::new();
    read(query.app, answer_rows(&answer), &mut flows)?;
    Ok(series(flows).collect())
}

/// Gives the measurements of an application by UTC day, then flow.
pub(super) fn export(
    store: &ClickHouse,
    query: &ExportQuery,
    sink: &mut dyn FnMut(Exported<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let query = *query;
    if query.from > query.to {
        return Ok(());
    }
    let place = format!("app = {} AND at_ms >= {} AND at_ms <= {}", query.app, query.from.0, query.to.0);
    let days_sql = format!("SELECT DISTINCT {} FROM samples WHERE {place}", DAY);
    let mut days: Vec<i64> = store.wait(async move |link| {
        let mut days = Vec::new();
        for answer in link.shards().await?.ask_all(&days_sql).await? {
            days.extend(answer_rows(&answer).all(Rows::i64)?);
        }
        Ok(days)
    })?;
    days.sort_unstable();
    days.dedup();
    for day in days {
        let sql = format!("SELECT {COLUMNS} FROM samples WHERE {place} AND {DAY} = {day}");
        let flows = store.wait(async move |link| {
            let mut flows = Flows::new();
            for answer in link.shards().await?.ask_all(&sql).await? {
                read(query.app, answer_rows(&answer), &mut flows)?;
            }
            Ok(flows)
        })?;
        series(flows).try_for_each(|series| sink_samples(series, &query, sink))?;
    }
    Ok(())
}

/// The UTC day of a measurement, also where the partition cannot tell it.
const DAY: &str = "intDiv(at_ms - if(at_ms < 0, 86399999, 0), 86400000)";
