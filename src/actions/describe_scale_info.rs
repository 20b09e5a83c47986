//! DescribeScaleInfo: rooms, users and entries of each day (contract section 9.5), and its old name
//! DescribeHistoryScale.
//!
//! Days are those of UTC+8. The store keeps their figures; a question looks them up.

use std::collections::BTreeMap;

use crate::limits;
use crate::store::{DayFigures, Store, figures_day};
use crate::wire::{ErrorCode, Fault, Fields, Json, Params};

use super::question::{self, Window, WindowRules};
use super::{Context, database};

/// The reply's fields.
pub(super) async fn answer<S: Store>(context: &Context<'_, S>, params: &Params<'_>) -> Result<Fields, Fault> {
    question::refuse_empty(params, "SdkAppId", ErrorCode::MissingSdkAppId)?;
    let app = question::app(context, params.number("SdkAppId").unwrap_or_default(), ErrorCode::SdkAppId)?;
    let rules = WindowRules { reversed: ErrorCode::EndTs, by_edition: false, longest_s: None };
    let window = question::window(context, params, rules)?;
    let horizon_s = context.horizon().plus(999).secs();
    let Some((first, last)) = whole_days(window, context.now.secs(), horizon_s) else {
        return Ok(write(&[]));
    };
    let figures = context.store.figures(app, first, last).await.map_err(database)?;
    let Some(known_s) = figures.first_s else { return Ok(write(&[])) };
    let known: BTreeMap<i64, DayFigures> = figures.days.into_iter().map(|day| (day.start_s, day)).collect();
    let mut days = Vec::new();
    let mut start_s = last;
    while start_s >= first.max(known_s) {
        let quiet = DayFigures { start_s, ..DayFigures::default() };
        days.push(known.get(&start_s).copied().unwrap_or(quiet));
        start_s -= limits::DAY_S;
    }
    Ok(write(&days))
}

/// The first second of the first and of the last day that begins at or after the window's start and before its
/// end, is over, and does not begin before the horizon, behind which records may be gone.
fn whole_days(window: Window, now_s: i64, horizon_s: i64) -> Option<(i64, i64)> {
    let first = figures_day(window.from_s.max(horizon_s) + limits::DAY_S - 1);
    let last = figures_day(window.to_s - 1).min(figures_day(now_s) - limits::DAY_S);
    (first <= last).then_some((first, last))
}

fn write(days: &[DayFigures]) -> Fields {
    let mut json = Json::fields(32 + 80 * days.len());
    json.raw(b"\"Total\":");
    json.number(u64::try_from(days.len()).unwrap_or(u64::MAX));
    json.raw(b",\"ScaleList\":[");
    for (at, day) in days.iter().enumerate() {
        json.raw(if at == 0 { b"{\"Time\":" } else { b",{\"Time\":" });
        json.number(u64::try_from(day.start_s).unwrap_or(0));
        json.raw(b",\"RoomNumbers\":");
        json.number(day.rooms);
        json.raw(b",\"UserNumber\":");
        json.number(day.users);
        json.raw(b",\"UserCount\":");
        json.number(day.entries);
        json.raw(b"}");
    }
    json.raw(b"]");
    json.into_fields()
}

#[cfg(test)]
mod tests {
    use super::{Window, whole_days};

    #[test]
    fn days_begin_at_sixteen_utc_must_be_over_and_behind_the_horizon() {
        let day = 1_587_571_200;
        let check = |from_s, to_s, now_s, expected: Option<(i64, i64)>| {
            let asked = whole_days(Window { from_s, to_s }, now_s, i64::MIN / 1_000);
            assert_eq!(asked, expected, "{from_s} to {to_s} at {now_s}");
        };
        let far = day + 10 * 86_400;
        check(day, day + 1, far, Some((day, day)));
        check(day, day, far, None);
        check(day - 200, day + 86_400, far, Some((day, day)));
        check(day - 200, day + 86_401, far, Some((day, day + 86_400)));
        check(day + 1, day + 86_400, far, None);
        check(day, i64::MAX / 1_000 - 1, day + 86_400, Some((day, day)));
        check(day, i64::MAX / 1_000 - 1, day + 86_399, None);
        let window = Window { from_s: day, to_s: day + 2 * 86_400 };
        let kept = |horizon_s| whole_days(window, far, horizon_s);
        assert_eq!(kept(day), Some((day, day + 86_400)));
        assert_eq!(kept(day + 1), Some((day + 86_400, day + 86_400)));
        assert_eq!(kept(day + 86_401), None);
    }
}
