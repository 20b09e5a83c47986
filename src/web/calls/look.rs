//! The calls of a page. Whatever is asked for, a page reads a bounded part of what there is, says how much that was, and
//! where the next one goes on.

use super::super::call::{Brief, brief};
use super::super::{Context, Trouble};
use super::wanted::{Place, Wanted};
use crate::records::Call;
use crate::store::{CallQuery, Store, UserCallsQuery};

/// Calls of a window that are counted, and the most that a page passes over.
pub(super) const COUNTED_MAX: usize = 5_000;

/// What one page may take: whichever comes first ends it. It has one call at least.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) rows: usize,
    /// Calls that are read.
    pub(super) looked: usize,
    /// Users of these, all together.
    pub(super) users: usize,
    /// Seconds that they measured.
    pub(super) measured_s: i64,
}

/// A page: a second or two of one core at the most, where nothing is kept yet.
pub(super) const PAGE: Bounds = Bounds { rows: 50, looked: 200, users: 20_000, measured_s: 3_600_000 };
/// A file.
pub(super) const FILE: Bounds = Bounds { rows: 1_000, looked: 1_000, users: 100_000, measured_s: 18_000_000 };

/// Whose calls they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject<'a> {
    All,
    Room(&'a str),
    User(&'a str),
}

impl<'a> Subject<'a> {
    /// A room of exactly this name that has a call in the window; else a user of exactly this id.
    pub(super) async fn of<S: Store>(
        context: &Context<'_, S>,
        wanted: &Wanted<'a>,
    ) -> Result<Subject<'a>, Trouble> {
        let Some(q) = wanted.q else { return Ok(Subject::All) };
        let calls = fetch(context, wanted, Subject::Room(q), None, 1).await?;
        Ok(if calls.is_empty() { Subject::User(q) } else { Subject::Room(q) })
    }
}

/// One row.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) call: Call,
    pub(super) brief: Brief,
}

/// A page of calls.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) rows: Vec<Row>,
    /// Calls of the window that are in question, without looking inside; at most [`COUNTED_MAX`], where there are more.
    pub(super) count: usize,
    pub(super) is_counted_whole: bool,
    /// Calls of which this page says whether they are in the list.
    pub(super) seen: usize,
    /// Where it goes on, if it does.
    pub(super) next: Option<Place>,
    /// The page ended before it was full.
    pub(super) is_cut: bool,
}

/// Calls from a place on, newest first.
async fn fetch<S: Store>(
    context: &Context<'_, S>,
    wanted: &Wanted<'_>,
    subject: Subject<'_>,
    after: Option<Place>,
    take: usize,
) -> Result<Vec<Call>, Trouble> {
    let (app, from_s, now, horizon) = (wanted.app, wanted.from, context.now, context.horizon());
    let after = after.filter(|place| place.second <= wanted.to);
    let (to_s, skip) = after.map_or((wanted.to, 0), |place| (place.second, place.passed));
    let room = match subject {
        Subject::All => None,
        Subject::Room(room) => Some(room),
        Subject::User(user) => {
            let query = UserCallsQuery { app, user, from_s, to_s, skip, take, now, horizon };
            let calls = context.store.calls_of_user(&query).await?;
            return Ok(calls.into_iter().map(|of| of.call).collect());
        }
    };
    let query = CallQuery { app, room, from_s, to_s, skip, take, now, horizon };
    Ok(context.store.calls(&query).await?)
}

/// Reads the page that is asked for.
pub(super) async fn look<S: Store>(
    context: &Context<'_, S>,
    wanted: &Wanted<'_>,
    subject: Subject<'_>,
    bounds: Bounds,
) -> Result<Found, Trouble> {
    let mut calls = fetch(context, wanted, subject, None, COUNTED_MAX + 1).await?;
    let is_counted_whole = calls.len() <= COUNTED_MAX;
    let count = calls.iter().take(COUNTED_MAX).filter(|call| wanted.has(call)).count();
    if wanted.after.is_some() {
        calls = fetch(context, wanted, subject, wanted.after, COUNTED_MAX + 1).await?;
    }
    let mut found = Found { rows: Vec::new(), count, is_counted_whole, seen: 0, next: None, is_cut: false };
    let (mut place, mut looked, mut users, mut measured_s) = (wanted.after, 0, 0, 0);
    for call in calls {
        let is_full = found.rows.len() == bounds.rows;
        let is_spent = looked == bounds.looked || users >= bounds.users || measured_s >= bounds.measured_s;
        if is_full || is_spent || found.seen == COUNTED_MAX {
            (found.next, found.is_cut) = (place, !is_full);
            break;
        }
        place = Some(Place::behind(place, &call));
        found.seen += 1;
        if !wanted.has(&call) {
            continue;
        }
        let brief = brief(context, &call).await?;
        looked += 1;
        users += brief.users;
        measured_s += brief.seconds.iter().sum::<i64>();
        if is_wanted(wanted, &brief) {
            found.rows.push(Row { call, brief });
        }
    }
    Ok(found)
}

/// Whether a call is in the list, as far as what is in it tells that. A call in which nothing was measured has no score.
fn is_wanted(wanted: &Wanted<'_>, brief: &Brief) -> bool {
    wanted.min_users.is_none_or(|least| brief.users >= least)
        && wanted.max_score.is_none_or(|most| brief.score.is_some_and(|score| score <= most))
        && wanted.event.is_none_or(|(_, class)| match class {
            Some(class) => brief.problems.contains(&class),
            None => !brief.problems.is_empty(),
        })
}
