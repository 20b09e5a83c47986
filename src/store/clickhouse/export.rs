//! Exports, a part at a time, so that memory does not depend on how much there is.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ask::{Asker, calls_among, newest};
use super::belonging::events_of;
use super::rows::{self, Kept};
use super::shards::rows as answer_rows;
use super::sql::{self, Rows};
use super::tables::{CALLS, EVENTS, ORPHANS, RESETS, SAMPLES};
use super::{ClickHouse, samples};
use crate::records::{AppId, Call, Session};
use crate::store::{ExportQuery, Exported, StoreError, What, export_order, export_session_order, sink_event};

type Sink<'a> = &'a mut dyn FnMut(Exported<'_>) -> Result<(), StoreError>;

/// Gives everything of one application.
pub(super) fn export(store: &ClickHouse, query: &ExportQuery, sink: Sink<'_>) -> Result<(), StoreError> {
    match query.what {
        What::Samples => samples::export(store, query, sink),
        What::Records => records(store, query, sink),
        What::Events => {
            events_of_calls(store, query, sink)?;
            other_events(store, query, sink)
        }
    }
}

/// The applications, and the days on which anything is kept of them.
pub(super) fn days(store: &ClickHouse) -> Result<BTreeSet<(AppId, i64)>, StoreError> {
    store.wait(async move |link| {
        let shards = link.shards().await?;
        let mut days = BTreeSet::new();
        for table in [&EVENTS, &RESETS, &SAMPLES] {
            // Application 0 is nobody: its rows tell nothing.
            let sql = format!("SELECT DISTINCT app, day FROM {} WHERE app != 0", table.name);
            for answer in shards.ask_all(&sql).await? {
                days.extend(answer_rows(&answer).all(|row| Ok((AppId(row.u64()?), row.day()?)))?);
            }
        }
        Ok(days)
    })
}

/// Seconds of an hour: calls are read so long a part at a time.
const PART_S: i64 = 3_600;

/// In which hours there are calls, by the second that orders exports.
fn parts(store: &ClickHouse, app: AppId, place: &str) -> Result<BTreeSet<i64>, StoreError> {
    let sql = format!(
        "SELECT DISTINCT intDiv(order_s - if(order_s < 0, {}, 0), {PART_S}) FROM calls WHERE app = {app} AND {place} \
         AND deleted = 0",
        PART_S - 1
    );
    store.wait(async move |link| {
        let mut parts = BTreeSet::new();
        for answer in link.shards().await?.ask_all(&sql).await? {
            parts.extend(answer_rows(&answer).all(Rows::i64)?);
        }
        Ok(parts)
    })
}

/// The calls of one part, in order.
async fn calls_of(asker: &Asker, app: AppId, part: i64, place: &str) -> Result<Vec<Kept>, StoreError> {
    let (from, to) = (part.saturating_mul(PART_S), part.saturating_add(1).saturating_mul(PART_S));
    let part = format!("order_s >= {from} AND order_s < {to}");
    let columns = format!("{}, order_s, created_ms, begin_ms, last_evidence_ms", rows::CALL_COLUMNS);
    let sql = format!(
        "SELECT {} FROM ({}) WHERE deleted = 0 AND {part} AND {place}",
        rows::CALL_COLUMNS,
        newest(&CALLS, &columns, &calls_among(&format!("app = {app}"), &part))
    );
    let mut calls: Vec<Kept> = Vec::new();
    for answer in asker.shards.ask_all(&sql).await? {
        calls.extend(answer_rows(&answer).all(rows::read_call)?);
    }
    calls.sort_by(|a, b| export_order(&a.call, &b.call).then_with(|| a.twin.cmp(&b.twin)));
    Ok(calls)
}

fn records(store: &ClickHouse, query: &ExportQuery, sink: Sink<'_>) -> Result<(), StoreError> {
    let ExportQuery { app, from, to, .. } = *query;
    let place = format!("created_ms >= {} AND created_ms <= {}", from.0, to.0);
    for part in parts(store, app, &place)? {
        let place = place.clone();
        let found: Vec<(Call, Vec<Session>)> = store.wait(async move |link| {
            let asker = Asker { shards: link.shards().await? };
            let mut calls = calls_of(&asker, app, part, &place).await?;
            calls.retain(|kept| from <= kept.call.created && kept.call.created <= to);
            let mut sessions = asker.sessions_of(&calls, &format!("app = {app}")).await?;
            let with_sessions = |kept: Kept| {
                let mut of_call = sessions.remove(&kept.key()).unwrap_or_default();
                of_call.sort_by(export_session_order);
                (kept.call, of_call)
            };
            Ok(calls.into_iter().map(with_sessions).collect())
        })?;
        for (call, sessions) in &found {
            sink(Exported::Call(call, sessions))?;
        }
    }
    Ok(())
}

/// Calls whose events are in memory at a time.
const CALLS_AT_ONCE: usize = 500;

fn events_of_calls(store: &ClickHouse, query: &ExportQuery, sink: Sink<'_>) -> Result<(), StoreError> {
    let app = query.app;
    // All events of a call happen between its begin and its last evidence.
    let place = format!("begin_ms <= {} AND last_evidence_ms >= {}", query.to.0, query.from.0);
    for part in parts(store, app, &place)? {
        let place = place.clone();
        let calls = store.wait(async move |link| {
            calls_of(&Asker { shards: link.shards().await? }, app, part, &place).await
        })?;
        for some in calls.chunks(CALLS_AT_ONCE) {
            let some: Arc<[Kept]> = some.into();
            let asked = some.clone();
            let of_calls =
                store.wait(async move |link| events_of(&link.shards().await?, app, &asked).await)?;
            for kept in some.iter() {
                for event in of_calls.get(&kept.key()).into_iter().flatten() {
                    sink_event(event, query, sink)?;
                }
            }
        }
    }
    Ok(())
}

/// Restarts, attributes, what no rule knows, and what is outside of every call.
fn other_events(store: &ClickHouse, query: &ExportQuery, sink: Sink<'_>) -> Result<(), StoreError> {
    let app = query.app;
    let others = format!("app = {app} AND kind IN ('{}','{}')", rows::UNKNOWN, rows::ATTRIBUTES);
    let orphans = newest(&ORPHANS, "room, at_ms, event, wording", &format!("app = {app}"));
    let days_sql = [
        format!("SELECT DISTINCT day FROM events WHERE {others}"),
        format!("SELECT DISTINCT day FROM orphans WHERE app = {app}"),
        format!("SELECT DISTINCT day FROM resets WHERE app = {app}"),
    ];
    let days = store.wait(async move |link| {
        let shards = link.shards().await?;
        let mut days = BTreeSet::new();
        for sql in &days_sql {
            for answer in shards.ask_all(sql).await? {
                days.extend(answer_rows(&answer).all(Rows::day)?);
            }
        }
        Ok(days)
    })?;
    for day in days {
        let day = sql::day(day);
        let events_sql = format!(
            "SELECT {} FROM events WHERE day = {day} AND app = {app} AND ({others} OR (room, at_ms, event, wording) IN \
             (SELECT room, at_ms, event, wording FROM ({orphans}) WHERE deleted = 0))",
            rows::EVENT_COLUMNS
        );
        let resets_sql =
            format!("SELECT {} FROM resets WHERE day = {day} AND app = {app}", rows::RESET_COLUMNS);
        let events = store.wait(async move |link| {
            let shards = link.shards().await?;
            let mut events = Vec::new();
            for answer in shards.ask_all(&events_sql).await? {
                events.extend(answer_rows(&answer).all(rows::read_event)?);
            }
            for answer in shards.ask_all(&resets_sql).await? {
                events.extend(answer_rows(&answer).all(rows::read_reset)?);
            }
            Ok(crate::records::fold::EventSet::from_events(events.into_iter().map(|(_, event)| event)))
        })?;
        for event in events.as_slice() {
            sink_event(event, query, sink)?;
        }
    }
    Ok(())
}
