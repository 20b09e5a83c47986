//! DescribeScaleInfo: rooms, users and entries of each day (contract section 9.5), and its old name
//! DescribeHistoryScale.
//!
//! The figures are counted from the sessions themselves, so they are exact; how many rows one question may cost
//! is bounded. Days are those of UTC+8. A session belongs to the day of its join.

use std::collections::{BTreeMap, HashSet};

use crate::limits;
use crate::records::{AppId, Call};
use crate::store::{CallQuery, SessionQuery, Store};
use crate::wire::{ErrorCode, Fault, Fields, Json, Params};

use super::question::{self, Window, WindowRules};
use super::{Context, database};

/// Days begin at 16:00 UTC.
const OFFSET_S: i64 = 8 * 3_600;

/// What was counted of one day.
#[derive(Debug, Default)]
struct Day {
    rooms: HashSet<String>,
    users: HashSet<(String, String)>,
    entries: u64,
}

/// The reply's fields.
pub(super) async fn answer<S: Store>(context: &Context<'_, S>, params: &Params<'_>) -> Result<Fields, Fault> {
    question::refuse_empty(params, "SdkAppId", ErrorCode::MissingSdkAppId)?;
    let app = question::app(context, params.number("SdkAppId").unwrap_or_default(), ErrorCode::SdkAppId)?;
    let rules = WindowRules { reversed: ErrorCode::EndTs, by_edition: false, longest_s: None };
    let window = question::window(context, params, rules)?;
    let days = match whole_days(window, context.now.secs()) {
        Some(asked) => count(context, app, asked).await?,
        None => BTreeMap::new(),
    };
    Ok(write(&days))
}

/// The first and the last second of the days that begin at or after the window's start and before its end, and
/// are over.
fn whole_days(window: Window, now_s: i64) -> Option<Window> {
    let from_s = day_start(window.from_s + limits::DAY_S - 1);
    let last = day_start(window.to_s - 1).min(day_start(now_s) - limits::DAY_S);
    (from_s <= last).then_some(Window { from_s, to_s: last + limits::DAY_S - 1 })
}

/// The first second of the day that contains a second.
fn day_start(second: i64) -> i64 {
    (second + OFFSET_S).div_euclid(limits::DAY_S) * limits::DAY_S - OFFSET_S
}

/// Counts the days of `asked`, from the first on which, or before which, a call of the application is known.
async fn count<S: Store>(
    context: &Context<'_, S>,
    app: AppId,
    asked: Window,
) -> Result<BTreeMap<i64, Day>, Fault> {
    let mut rows = 0;
    let mut days: BTreeMap<i64, Day> = BTreeMap::new();
    let mut first = None;
    let mut query = CallQuery {
        app,
        room: None,
        from_s: asked.from_s,
        to_s: asked.to_s,
        skip: 0,
        take: limits::SCALE_BATCH_ROWS,
        now: context.now,
        horizon: context.horizon(),
    };
    loop {
        let calls = context.store.calls(&query).await.map_err(database)?;
        spend(&mut rows, calls.len())?;
        for call in &calls {
            count_call(context, call, asked, &mut rows, &mut days).await?;
            first = Some(first.map_or(call.created, |first| call.created.min(first)));
        }
        if calls.len() < query.take {
            break;
        }
        query.skip += u64::try_from(calls.len()).unwrap_or(u64::MAX);
    }
    // Newest first, so one call that began earlier is enough to know that the first day asked for is not before
    // the first that is known.
    let earlier = CallQuery { from_s: 0, to_s: asked.from_s, skip: 0, take: 1, ..query };
    if !context.store.calls(&earlier).await.map_err(database)?.is_empty() {
        first = Some(crate::records::Millis::from_secs(asked.from_s));
    }
    if let Some(first) = first {
        let mut day = day_start(first.secs()).max(asked.from_s);
        while day <= asked.to_s {
            days.entry(day).or_default();
            day += limits::DAY_S;
        }
    }
    Ok(days)
}

/// Counts the sessions of one call that began on the days of `asked`.
async fn count_call<S: Store>(
    context: &Context<'_, S>,
    call: &Call,
    asked: Window,
    rows: &mut usize,
    days: &mut BTreeMap<i64, Day>,
) -> Result<(), Fault> {
    let mut query = SessionQuery {
        app: call.app,
        comm_id: &call.comm_id,
        from_s: asked.from_s,
        to_s: asked.to_s,
        users: None,
        skip: 0,
        take: limits::SCALE_BATCH_ROWS,
        now: context.now,
        horizon: context.horizon(),
    };
    loop {
        let sessions = context.store.sessions(&query).await.map_err(database)?;
        spend(rows, sessions.len())?;
        let count = sessions.len();
        for session in sessions {
            let joined = session.joined.secs();
            if joined < asked.from_s || joined > asked.to_s {
                continue;
            }
            let day = days.entry(day_start(joined)).or_default();
            day.entries += 1;
            if !day.rooms.contains(&session.room) {
                day.rooms.insert(session.room.clone());
            }
            day.users.insert((session.room.clone(), session.user.clone()));
        }
        if count < query.take {
            return Ok(());
        }
        query.skip += u64::try_from(count).unwrap_or(u64::MAX);
    }
}

/// Refuses to count more than is allowed; a figure that leaves rows out would be a lie.
fn spend(rows: &mut usize, count: usize) -> Result<(), Fault> {
    *rows += count;
    if *rows > limits::SCALE_ROWS_MAX { Err(ErrorCode::ResponseSizeLimitExceeded.into()) } else { Ok(()) }
}

fn write(days: &BTreeMap<i64, Day>) -> Fields {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let mut json = Json::fields(32 + 80 * days.len());
    json.raw(b"\"Total\":");
    json.number(number(days.len()));
    json.raw(b",\"ScaleList\":[");
    for (at, (start, day)) in days.iter().rev().enumerate() {
        json.raw(if at == 0 { b"{\"Time\":" } else { b",{\"Time\":" });
        json.number(u64::try_from(*start).unwrap_or(0));
        json.raw(b",\"RoomNumbers\":");
        json.number(number(day.rooms.len()));
        json.raw(b",\"UserNumber\":");
        json.number(number(day.users.len()));
        json.raw(b",\"UserCount\":");
        json.number(day.entries);
        json.raw(b"}");
    }
    json.raw(b"]");
    json.into_fields()
}

#[cfg(test)]
mod tests {
    use super::{Window, day_start, whole_days};

    #[test]
    fn days_begin_at_sixteen_utc_and_must_be_over() {
        assert_eq!(day_start(1_587_571_200), 1_587_571_200);
        assert_eq!(day_start(1_587_571_199), 1_587_571_200 - 86_400);
        let day = 1_587_571_200;
        let check = |from_s, to_s, now_s, expected: Option<(i64, i64)>| {
            let asked = whole_days(Window { from_s, to_s }, now_s).map(|days| (days.from_s, days.to_s));
            assert_eq!(asked, expected, "{from_s} to {to_s} at {now_s}");
        };
        let far = day + 10 * 86_400;
        check(day, day + 1, far, Some((day, day + 86_399)));
        check(day, day, far, None);
        check(day - 200, day + 86_400, far, Some((day, day + 86_399)));
        check(day + 1, day + 86_400, far, None);
        check(day, i64::MAX / 1_000 - 1, day + 86_400, Some((day, day + 86_399)));
        check(day, i64::MAX / 1_000 - 1, day + 86_399, None);
    }
}
