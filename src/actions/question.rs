//! What the actions check alike: empty values, the application, the call, the window, the users, the page
//! (step 16 of contract section 8.1, in this order).

use crate::limits::{self, Reach};
use crate::records::{AppId, CommId};
use crate::wire::{ErrorCode, Fault, Params};

use super::Context;

/// Seconds, both inclusive, `from_s` not after `to_s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) from_s: i64,
    pub(super) to_s: i64,
}

/// What a window may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct WindowRules {
    /// What is said when it ends before it begins, and when it ends at 0.
    pub(super) reversed: ErrorCode,
    /// Whether the edition bounds it.
    pub(super) by_edition: bool,
    /// The longest one, in seconds.
    pub(super) longest_s: Option<u64>,
}

/// Rows to pass over, and rows to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) skip: u64,
    pub(super) take: usize,
}

/// An empty text where there must be one.
pub(super) fn refuse_empty(params: &Params<'_>, name: &str, code: ErrorCode) -> Result<(), Fault> {
    if params.text(name) == Some("") { Err(code.into()) } else { Ok(()) }
}

/// The application: not 0, and the caller's own. Whether others have it, or anybody, is not told.
pub(super) fn app<S>(context: &Context<'_, S>, number: u64, zero: ErrorCode) -> Result<AppId, Fault> {
    let app = AppId(number);
    if number == 0 {
        Err(zero.into())
    } else if context.account.apps.contains(&app) {
        Ok(app)
    } else {
        Err(ErrorCode::SdkAppid.into())
    }
}

/// The call. One that names another application is refused before anything is looked up, so the answer tells
/// nothing about whether it exists.
pub(super) fn comm_id(params: &Params<'_>, app: AppId, foreign: ErrorCode) -> Result<CommId, Fault> {
    let comm_id = CommId::from_text(params.text("CommId").unwrap_or_default());
    match comm_id.app() {
        Some(other) if other != app => Err(foreign.into()),
        Some(_) | None => Ok(comm_id),
    }
}

/// The window from `StartTime` to `EndTime`.
pub(super) fn window<S>(
    context: &Context<'_, S>,
    params: &Params<'_>,
    rules: WindowRules,
) -> Result<Window, Fault> {
    let start = params.number("StartTime").unwrap_or_default();
    let end = params.number("EndTime").unwrap_or_default();
    if start == 0 {
        return Err(ErrorCode::StartTs.into());
    }
    if end == 0 || end < start {
        return Err(rules.reversed.into());
    }
    let second = |second: u64| i64::try_from(second).unwrap_or(i64::MAX).min(limits::SECOND_MAX);
    let window = Window { from_s: second(start), to_s: second(end) };
    let days_ago = |days: u32| context.now.secs() - i64::from(days) * limits::DAY_S;
    let history_days = context.policy.history_days;
    if history_days != 0 && window.from_s < days_ago(history_days) {
        return Err(Fault::about(ErrorCode::StartTsOversize, &[&history_days]));
    }
    let edition = context.account.edition;
    let is_within_edition = match edition.reach(history_days) {
        Reach::Everything => true,
        Reach::Days(days) => window.from_s >= days_ago(days),
        Reach::Nothing => false,
    };
    if rules.by_edition && !is_within_edition {
        return Err(Fault::about(ErrorCode::StartTimeOversize, &[&edition.name()]));
    }
    match rules.longest_s {
        Some(longest_s) if end - start > longest_s => {
            Err(Fault::about(ErrorCode::QueryScaleOversize, &[&longest_s]))
        }
        Some(_) | None => Ok(window),
    }
}

/// A setting in hours as seconds; 0 is no limit.
pub(super) fn hours(hours: u32) -> Option<u64> {
    (hours != 0).then(|| u64::from(hours) * 3_600)
}

/// The users that are asked for, each once: `None` for all of them, nobody if only empty names were given.
pub(super) fn users(params: &Params<'_>, most: usize) -> Result<Option<Vec<String>>, Fault> {
    let given = params.texts("UserIds");
    if given.len() > most {
        return Err(Fault::about(ErrorCode::UserIdsMorethanSix, &[&most]));
    }
    if given.is_empty() {
        return Ok(None);
    }
    let mut users: Vec<String> =
        given.iter().filter(|user| !user.is_empty()).map(ToString::to_string).collect();
    users.sort_unstable();
    users.dedup();
    Ok(Some(users))
}

/// The page. Without `PageNumber` it is the first one, of the usual size, whatever `PageSize` says; without
/// `PageSize` it is of the usual size. `most` is what `PageSize` may be at most here.
pub(super) fn page(params: &Params<'_>, usual: u64, most: u64) -> Result<Page, Fault> {
    let number = params.number("PageNumber");
    let size = params.number("PageSize");
    if size.is_some_and(|size| size > limits::PAGE_SIZE_MAX) {
        return Err(ErrorCode::PageSizeOversize.into());
    }
    if size.is_some_and(|size| size == 0 || size > most) {
        return Err(Fault::about(ErrorCode::PageSize, &[&most]));
    }
    let size = if number.is_some() { size.unwrap_or(usual) } else { usual };
    let skip = number.unwrap_or(0).saturating_mul(size);
    Ok(Page { skip, take: usize::try_from(size).unwrap_or(usize::MAX) })
}
