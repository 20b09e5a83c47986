//! What must hold at every moment of every history.
//!
//! 1.  What was acknowledged is there: after every crash, every power cut and every error, unless retention has
//!     dropped it.
//! 2.  A delivery that is made again changes no answer, in whatever words it comes, if these do not prevail.
//! 3.  Answers are those of a store in memory that was given everything acknowledged at once, in the order of time,
//!     and that never failed.
//! 4.  Nothing whose last evidence is before the horizon is answered, and nothing after it is missing, whether a
//!     sweep ran or not. What a sweep has dropped does not come back.
//! 5.  Every request is answered with an envelope that has its request id, also while the store is broken.
//! 6.  A refused request changed nothing: the store was not given anything.
//! 7.  Who may not is refused: wrong and replaced keys, changed requests, old ones, foreign applications, unsigned
//!     deliveries.
//! 8.  Nothing panics.
//! 9.  After any fault the store opens and takes what is given again, without help.
//! 10. The same seed gives the same history, to the last byte of each answer.
//!
//! What is not a failure:
//!
//! - Of a delivery that was not acknowledged anything may be there: nothing, a part, all of it. So answers are
//!   compared once its sender has repeated it until it was; the first and the fifth are looked at meanwhile.
//! - 503 and `InternalError` while a fault is ordered.
//! - What lies behind the latest horizon of a sweep is gone or not, also where the clock went back since: both sides
//!   are asked for what is after it.
//! - Senders do not tell of a room whose time a sweep has cut in two: what it adds up to depends on which of its
//!   events were dropped before others came.
//! - Days without entries before the first day with one are shown by DescribeScaleInfo until the calls before them
//!   are swept, and not after.

use std::collections::{BTreeMap, BTreeSet};

use rollbook::records::fold::EventSet;
use rollbook::records::quality::{Flow, Measure, Series};
use rollbook::records::{AppId, Call, Event, Millis};
use rollbook::store::{ExportQuery, Exported, Store, What};
use serde_json::Value;

/// An invariant that does not hold, and how that was seen.
#[derive(Debug, Clone)]
pub(crate) struct Broken {
    pub(crate) invariant: u8,
    pub(crate) seen: String,
}

pub(crate) fn broken<T>(invariant: u8, seen: impl Into<String>) -> Result<T, Broken> {
    Err(Broken { invariant, seen: seen.into() })
}

/// Everything of a kind that a store holds.
pub(crate) fn exported(
    store: &impl Store,
    app: AppId,
    what: What,
    sink: &mut dyn FnMut(Exported<'_>),
) -> Result<(), Broken> {
    let query = ExportQuery { app, from: Millis(i64::MIN), to: Millis(i64::MAX), what };
    let outcome = store.export(&query, &mut |exported| {
        sink(exported);
        Ok(())
    });
    outcome.or_else(|error| broken(9, format!("nothing is wrong, but the store cannot export: {error}")))
}

/// 1: every one of these is there, or the wording of it that prevails.
pub(crate) fn all_there(
    store: &impl Store,
    apps: &[AppId],
    events: &[&Event],
    samples: &[&Series],
) -> Result<(), Broken> {
    let (mut found, mut values) = (Vec::new(), BTreeMap::<(Flow, Measure, Millis), f64>::new());
    for &app in apps {
        exported(store, app, What::Events, &mut |exported| {
            if let Exported::Event(event) = exported {
                found.push(event.clone());
            }
        })?;
        exported(store, app, What::Samples, &mut |exported| {
            let Exported::Samples(Series { flow, columns }) = exported else { return };
            for (measure, points) in columns {
                values.extend(points.iter().map(|(at, value)| ((flow.clone(), *measure, *at), *value)));
            }
        })?;
    }
    let found = EventSet::from_events(found);
    if let Some(lost) = events.iter().find(|event| !found.knows(event)) {
        return broken(1, format!("an event that was acknowledged is lost: {lost:?}"));
    }
    for Series { flow, columns } in samples {
        for (measure, points) in columns {
            for (at, value) in points {
                let kept = values.get(&(flow.clone(), *measure, *at));
                if kept.is_none_or(|kept| kept.total_cmp(value).is_lt()) {
                    let seen = format!("of {flow:?} {measure:?} at {at:?} {value} is lost: {kept:?}");
                    return broken(1, seen);
                }
            }
        }
    }
    Ok(())
}

/// 4: the rooms of an answer of all rooms are those of the calls with evidence since the limit.
pub(crate) fn within_horizon(
    response: &Value,
    calls: &[Call],
    limit: Millis,
    shown_max: usize,
) -> Result<(), Broken> {
    let empty = Vec::new();
    let rows = response["Response"]["RoomList"].as_array().unwrap_or(&empty);
    let answered: BTreeSet<&str> = rows.iter().filter_map(|row| row["CommId"].as_str()).collect();
    let young = || calls.iter().filter(|call| call.last_evidence >= limit);
    let expected: BTreeSet<&str> = young().map(|call| call.comm_id.as_str()).collect();
    if let Some(strange) = answered.difference(&expected).next() {
        return broken(4, format!("{strange} is answered, behind the horizon at {limit:?}"));
    }
    let missing = expected.difference(&answered).next();
    match missing.filter(|_| expected.len() <= shown_max) {
        Some(missing) => broken(4, format!("{missing} is not answered, before the horizon at {limit:?}")),
        None => Ok(()),
    }
}

/// 5: an envelope with this id, and what is in it.
pub(crate) fn envelope(body: &[u8], id: uuid::Uuid) -> Result<Value, Broken> {
    let shown = || String::from_utf8_lossy(body).into_owned();
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return broken(5, format!("no JSON: {}", shown()));
    };
    let is_envelope = answer.as_object().is_some_and(|fields| fields.len() == 1)
        && answer["Response"]["RequestId"].as_str() == Some(&id.hyphenated().to_string());
    if is_envelope { Ok(answer) } else { broken(5, format!("no envelope of {id}: {}", shown())) }
}

/// An answer without what need not be alike: days without entries before the first with one.
pub(crate) fn comparable(mut answer: Value) -> Value {
    let Some(days) = answer["Response"]["ScaleList"].as_array_mut() else { return answer };
    while days.last().is_some_and(|day| day["UserCount"] == 0) {
        days.pop();
    }
    answer["Response"]["Total"] = days.len().into();
    answer
}
