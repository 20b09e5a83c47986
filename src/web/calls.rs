//! Calls: the list of an application's calls in a window.

use maud::{Markup, html};

use super::figures::grouped;
use super::prefs::duration;
use super::query::segment;
use super::sheet::Sheet;
use super::shell::{self, Nav, api};
use super::{Context, Shown, Trouble};
use crate::records::{AppId, Call, LeaveSource, Millis};
use crate::store::{CallQuery, SessionQuery, Store};

/// Calls on a page.
const PAGE_ROWS: usize = 50;
/// Sessions of one call that are counted for a row; of a larger call it is said that there are more.
const COUNTED_MAX: usize = 1_000;
/// The window that is shown where none is asked for, in hours.
const WINDOW_HOURS: i64 = 24;

/// One row.
struct Row {
    call: Call,
    users: usize,
    sessions: usize,
    peak: usize,
    is_counted_whole: bool,
}

/// `/ui/calls`
pub(super) async fn page<S: Store>(context: &Context<'_, S>) -> Result<Shown, Trouble> {
    let app = context.app()?;
    let (view, words, query) = (&context.view, context.view.prefs.lang, context.query);
    let to = query.number("to").unwrap_or(context.now.secs());
    let from = query.number("from").unwrap_or(to - WINDOW_HOURS * 3_600);
    let page = query.number("page").and_then(|page| u64::try_from(page).ok()).unwrap_or(0);
    let room = query.text("q");
    let asked = CallQuery {
        app,
        room,
        from_s: from,
        to_s: to,
        skip: page.saturating_mul(PAGE_ROWS as u64),
        take: PAGE_ROWS + 1,
        now: context.now,
        horizon: context.horizon(),
    };
    let mut calls = context.store.calls(&asked).await?;
    let has_more = calls.len() > PAGE_ROWS;
    calls.truncate(PAGE_ROWS);
    let mut rows = Vec::with_capacity(calls.len());
    for call in calls {
        rows.push(count(context, call).await?);
    }
    if query.text("format") == Some("csv") {
        return Ok(csv(context.now, &rows));
    }
    let behind =
        [("SdkAppId", app.to_string()), ("StartTime", from.to_string()), ("EndTime", to.to_string())];
    let content = html! {
        section.panel {
            header {
                h1 { (words.calls()) }
                (apps(context, app))
                span.tools {
                    @if !rows.is_empty() { a href={ "/ui/calls" (query.with("format", Some("csv"))) } { "CSV" } }
                    (api("DescribeRoomInfo", &behind))
                }
            }
            form.filters {
                input type="hidden" name="app" value=(app);
                label { (words.room()) input type="search" name="q" value=(room.unwrap_or_default()); }
                label { (words.window()) select name="from" {
                    @for hours in [1, 24, 168, 336] {
                        option value=(to - hours * 3_600) selected[from == to - hours * 3_600] { (last(words, hours)) }
                    }
                } }
                button type="submit" { (words.show()) }
            }
            @if rows.is_empty() {
                div.state { p { (words.no_calls()) } p.dim { (words.no_calls_hint()) } }
            } @else {
                div.scroll { (table(context, &rows)) }
            }
        }
        @if page > 0 || has_more {
            nav.pages aria-label=(words.pages()) {
                @if page > 0 { a.button href={ "/ui/calls" (query.with("page", Some(&(page - 1).to_string()))) } { (words.newer()) } }
                @if has_more { a.button href={ "/ui/calls" (query.with("page", Some(&(page + 1).to_string()))) } { (words.older()) } }
            }
        }
    };
    Ok(Shown::page(200, shell::frame(view, Nav::Calls, words.calls(), content)))
}

/// The calls of a page as a file.
fn csv(now: Millis, rows: &[Row]) -> Shown {
    let mut sheet = Sheet::new(&[
        "comm_id",
        "room",
        "created_s",
        "ended_s",
        "end_known_by",
        "duration_s",
        "users",
        "peak",
        "sessions",
        "is_counted_whole",
    ]);
    for row in rows {
        let call = &row.call;
        sheet.row([
            call.comm_id.as_str(),
            &call.room,
            &call.created.secs().to_string(),
            &call.ended.map_or_else(String::new, |at| at.secs().to_string()),
            call.end_source.name(),
            &(call.ended.unwrap_or(now).secs() - call.created.secs()).to_string(),
            &row.users.to_string(),
            &row.peak.to_string(),
            &row.sessions.to_string(),
            &row.is_counted_whole.to_string(),
        ]);
    }
    sheet.shown("calls")
}

fn last(words: super::words::Lang, hours: i64) -> String {
    match hours {
        1 => words.last_hour().to_owned(),
        24 => words.last_day().to_owned(),
        _ => format!("{} {}", hours / 24, words.days()),
    }
}

/// A menu of the viewer's applications.
pub(super) fn apps<S>(context: &Context<'_, S>, app: AppId) -> Markup {
    let words = context.view.prefs.lang;
    html! {
        @if context.view.apps.len() > 1 {
            form.apps action=(context.view.path) {
                label { span.sr { (words.app()) } select name="app" {
                    @for one in &context.view.apps { option value=(one) selected[*one == app] { (one) } }
                } }
                button type="submit" { (words.show()) }
            }
        } @else { span.dim { (words.app()) " " (app) } }
    }
}

fn table<S>(context: &Context<'_, S>, rows: &[Row]) -> Markup {
    let (words, zone) = (context.view.prefs.lang, context.view.prefs.zone);
    html! {
        table.calls {
            thead { tr {
                th { (words.started()) } th { (words.room()) } th.wide { "CommId" } th.number.wide { (words.duration()) }
                th.number { (words.users()) } th.number.wide { (words.peak()) } th.number.wide { (words.sessions()) } th { (words.state()) }
            } }
            tbody {
                @for row in rows {
                    @let call = &row.call;
                    @let href = format!("/ui/calls/{}", segment(call.comm_id.as_str()));
                    tr {
                        td.when { time datetime=(call.created.secs()) { (zone.full(call.created)) } }
                        td.clip { a href=(href) { bdi { (call.room) } } }
                        td.clip.mono.wide { bdi { (call.comm_id) } }
                        td.number.wide { (duration(call.ended.unwrap_or(context.now).0 - call.created.0)) }
                        td.number { (grouped(row.users)) @if !row.is_counted_whole { "+" } }
                        td.number.wide { (grouped(row.peak)) @if !row.is_counted_whole { "+" } }
                        td.number.wide { (grouped(row.sessions)) @if !row.is_counted_whole { "+" } }
                        td { (state(words, call)) }
                    }
                }
            }
        }
    }
}

/// Whether a call runs, and how its end is known.
pub(super) fn state(words: super::words::Lang, call: &Call) -> Markup {
    let (class, text) = match (call.ended, call.end_source) {
        (None, _) => ("badge running", words.in_progress()),
        (Some(_), LeaveSource::Seen | LeaveSource::RoomClosed) => ("badge", words.ended()),
        (Some(_), LeaveSource::Superseded) => ("badge inferred", words.ended_superseded()),
        (Some(_), LeaveSource::EmitterReset) => ("badge inferred", words.ended_reset()),
        (Some(_), LeaveSource::Idle | LeaveSource::Open) => ("badge inferred", words.ended_idle()),
    };
    html! { span class=(class) { (text) } }
}

/// Counts a call's users, as far as they are counted.
async fn count<S: Store>(context: &Context<'_, S>, call: Call) -> Result<Row, Trouble> {
    let query = SessionQuery {
        app: call.app,
        comm_id: &call.comm_id,
        from_s: i64::MIN,
        to_s: i64::MAX,
        users: None,
        skip: 0,
        take: COUNTED_MAX,
        now: context.now,
        horizon: context.horizon(),
    };
    let sessions = context.store.sessions(&query).await?;
    let mut users: Vec<&str> = sessions.iter().map(|session| session.user.as_str()).collect();
    users.sort_unstable();
    users.dedup();
    let spans = sessions.iter().map(|session| (session.joined, session.left.unwrap_or(Millis(i64::MAX))));
    let (users, peak, count) = (users.len(), peak(spans), sessions.len());
    Ok(Row { call, users, sessions: count, peak, is_counted_whole: count < COUNTED_MAX })
}

/// The most that were there at one time.
pub(super) fn peak(spans: impl Iterator<Item = (Millis, Millis)>) -> usize {
    let mut steps: Vec<(Millis, i32)> = spans.flat_map(|(from, to)| [(from, 1), (to, -1)]).collect();
    // Who leaves at the moment in which another comes was there too.
    steps.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(&a.1)));
    let (mut now, mut most) = (0, 0);
    for (_, step) in steps {
        now += step;
        most = most.max(now);
    }
    usize::try_from(most).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_counts_who_was_there_together() {
        let check = |spans: &[(i64, i64)], expected: usize| {
            assert_eq!(
                peak(spans.iter().map(|&(from, to)| (Millis(from), Millis(to)))),
                expected,
                "{spans:?}"
            );
        };
        check(&[], 0);
        check(&[(0, 5), (6, 9)], 1);
        check(&[(0, 5), (5, 9)], 2);
        check(&[(0, 9), (1, 3), (2, 4), (8, 9)], 3);
    }
}
