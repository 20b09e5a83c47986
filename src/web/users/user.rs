//! One user: two weeks of calls by the hour, what the user had in hand, and each call with how it was.

use std::sync::Arc;

use maud::{Markup, html};

use super::super::call::{flows, joined, left};
use super::super::lanes::Span;
use super::super::prefs::duration;
use super::super::query::{address, segment};
use super::super::score;
use super::super::sheet::Sheet;
use super::super::shell::{self, Nav, api};
use super::super::{Context, Shown, Trouble};
use super::strip::{self, DAYS, Days, Hours};
use crate::records::{AppId, Attr, Call, LeaveSource, Millis, Session, device_type};
use crate::store::{Store, UserCall, UserCallsQuery};

/// Calls on a page of the list.
const PAGE_CALLS: usize = 25;
/// Calls that the strip and the history look at: the newest of these days.
const CALLS_MAX: usize = 500;
/// Sets of device, SDK and address that are listed.
const HISTORY_MAX: usize = 20;
/// The longest window that DescribeUserInfo takes, in seconds.
const QUESTION_S_MAX: i64 = 14_400;
/// How long before the join and after the leave a linked call is shown, in seconds.
const MARGIN_S: i64 = 30;

/// What is known of a user in these days.
struct Told<'a> {
    app: AppId,
    user: &'a str,
    days: Days,
    /// Newest first.
    calls: Vec<UserCall>,
}

impl Told<'_> {
    fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.calls.iter().flat_map(|of| &of.sessions).map(|session| &**session)
    }

    /// Where the user was inside, in seconds.
    fn spans(&self, now: Millis) -> Vec<(i64, i64)> {
        self.sessions().map(|session| (session.joined.secs(), session.left.unwrap_or(now).secs())).collect()
    }
}

/// `/ui/users/{SdkAppId}/{UserId}`
pub(in super::super) async fn page<S: Store>(
    context: &Context<'_, S>,
    app: &str,
    user: &str,
) -> Result<Shown, Trouble> {
    let app = app.parse().ok().map(AppId).filter(|app| context.view.apps.contains(app));
    let app = app.ok_or(Trouble::NotFound)?;
    let (words, query) = (context.view.prefs.lang, context.query);
    let days = Days::until(query.number("to").unwrap_or(context.now.secs()), context.view.prefs.zone);
    let calls = ask(context, app, user, days.span(), 0, CALLS_MAX).await?;
    let ever = Span { from: i64::MIN, to: i64::MAX };
    if calls.is_empty() && ask(context, app, user, ever, 0, 1).await?.is_empty() {
        return Err(Trouble::NotFound);
    }
    let told = Told { app, user, days, calls };
    if query.text("format") == Some("csv") {
        return Ok(csv(&told));
    }
    let page = query.number("page").and_then(|page| u64::try_from(page).ok()).unwrap_or(0);
    let skip = page.saturating_mul(PAGE_CALLS as u64);
    let mut shown = ask(context, app, user, days.span(), skip, PAGE_CALLS + 1).await?;
    let has_more = shown.len() > PAGE_CALLS;
    shown.truncate(PAGE_CALLS);
    let content = html! {
        (head(context, &told))
        (strip_panel(context, &told))
        @if !told.calls.is_empty() {
            (history(context, &told))
            section.panel {
                header {
                    h2 { (words.calls()) }
                    div.tools {
                        (question(context, &told))
                        a href={ (context.view.path) (query.with("format", Some("csv"))) } { "CSV" }
                    }
                }
                div.scroll { (table(context, &told, &shown).await?) }
            }
            (pages(context, page, has_more))
        }
    };
    Ok(Shown::page(200, shell::frame(&context.view, Nav::Users, user, content)))
}

async fn ask<S: Store>(
    context: &Context<'_, S>,
    app: AppId,
    user: &str,
    span: Span,
    skip: u64,
    take: usize,
) -> Result<Vec<UserCall>, Trouble> {
    let query = UserCallsQuery {
        app,
        user,
        from_s: span.from,
        to_s: span.to.saturating_sub(1),
        skip,
        take,
        now: context.now,
        horizon: context.horizon(),
    };
    Ok(context.store.calls_of_user(&query).await?)
}

fn head<S>(context: &Context<'_, S>, told: &Told<'_>) -> Markup {
    let (words, zone) = (context.view.prefs.lang, context.view.prefs.zone);
    let inside = told.sessions().any(|session| session.left.is_none());
    let last = told.sessions().filter_map(|session| session.left).max();
    let seconds: i64 = told.days.hours(&told.spans(context.now)).iter().flatten().sum();
    let more = if told.calls.len() == CALLS_MAX { "+" } else { "" };
    html! {
        div.title {
            div {
                p.crumbs {
                    a href={ "/ui/users?app=" (told.app) } { (words.app()) " " (told.app) " / " (words.users()) }
                }
                h1 { (words.user()) " " bdi { (told.user) } }
            }
            dl.facts {
                div { dt { (words.last_seen()) } dd {
                    @if inside { (words.still_inside()) }
                    @else if let Some(at) = last { time datetime=(at.secs()) { (zone.full(at)) } }
                    @else { "–" }
                } }
                div { dt { (words.calls()) } dd { (told.calls.len()) (more) } }
                div { dt { (words.sessions()) } dd { (told.sessions().count()) (more) } }
                div { dt { (words.time_in_calls()) } dd { (duration(seconds * 1_000)) } }
            }
        }
    }
}

/// Two weeks, a row a day, newest first.
fn strip_panel<S>(context: &Context<'_, S>, told: &Told<'_>) -> Markup {
    let (words, zone, span) = (context.view.prefs.lang, context.view.prefs.zone, told.days.span());
    let hours = told.days.hours(&told.spans(context.now));
    let days: Vec<(i64, &Hours)> = told.days.begins().rev().zip(hours.iter().rev()).collect();
    let step = |to: i64| format!("{}{}", context.view.path, context.query.with("to", Some(&to.to_string())));
    html! {
        section.panel {
            header {
                h2 { (words.two_weeks()) }
                span.dim { "UTC" (zone.offset()) }
                div.tools {
                    a href=(step(span.from - 1)) { (words.older()) }
                    @if span.to <= context.now.secs() { a href=(step(span.to - 1 + DAYS * crate::limits::DAY_S)) { (words.newer()) } }
                }
            }
            @if told.calls.is_empty() {
                div.state { p { (words.no_calls()) } p.dim { (words.no_calls_of_user()) } }
            } @else {
                @if told.calls.len() == CALLS_MAX { p.note { (words.newest_only()) " " (CALLS_MAX) } }
                div.days { table {
                    thead { tr { th scope="col" { (words.day()) } td { (strip::axis()) } th.number scope="col" { (words.time_in_calls()) } } }
                    tbody { @for (begin, hours) in days {
                        @let seconds: i64 = hours.iter().sum();
                        tr {
                            th scope="row" { (zone.date(Millis::from_secs(begin))) }
                            td.strip { (strip::row(hours)) }
                            td.number { @if seconds > 0 { (duration(seconds * 1_000)) } @else { span.dim { "–" } } }
                        }
                    } }
                } }
            }
        }
    }
}

/// What a user had in hand, and from where it came.
struct Used<'a> {
    device: &'a str,
    sdk: &'a str,
    address: &'a str,
    first: Millis,
    last: Millis,
    sessions: usize,
}

/// Each set of device, SDK and address, the one seen last first.
fn used<'a>(sessions: impl Iterator<Item = &'a Session>, now: Millis) -> Vec<Used<'a>> {
    let mut all: Vec<Used<'a>> = Vec::new();
    for session in sessions {
        let attr = |attr| session.attrs.get(&attr).map_or("", String::as_str);
        let (device, sdk, address) =
            (device_type(&session.attrs), attr(Attr::SdkVersion), attr(Attr::ClientIp));
        let last = session.left.unwrap_or(now);
        let same = |used: &&mut Used<'a>| (used.device, used.sdk, used.address) == (device, sdk, address);
        match all.iter_mut().find(same) {
            Some(used) => {
                (used.first, used.last) = (used.first.min(session.joined), used.last.max(last));
                used.sessions += 1;
            }
            None => all.push(Used { device, sdk, address, first: session.joined, last, sessions: 1 }),
        }
    }
    all.sort_by_key(|used| std::cmp::Reverse(used.last));
    all
}

fn history<S>(context: &Context<'_, S>, told: &Told<'_>) -> Markup {
    let (words, zone) = (context.view.prefs.lang, context.view.prefs.zone);
    let all = used(told.sessions(), context.now);
    let or_none = |text: &str| html! { @if text.is_empty() { span.dim { "–" } } @else { bdi { (text) } } };
    html! {
        section.panel {
            header { h2 { (words.used()) } @if all.len() > HISTORY_MAX { span.dim { (HISTORY_MAX) " / " (all.len()) } } }
            div.scroll { table {
                thead { tr {
                    th scope="col" { (words.device()) } th scope="col" { "SDK" } th scope="col" { "IP" }
                    th.wide scope="col" { (words.first_seen()) } th scope="col" { (words.last_seen()) } th.number scope="col" { (words.sessions()) }
                } }
                tbody { @for one in all.iter().take(HISTORY_MAX) {
                    tr {
                        td.clip { (or_none(one.device)) } td.clip { (or_none(one.sdk)) } td.clip.mono { (or_none(one.address)) }
                        td.wide { (zone.full(one.first)) } td.when { (zone.full(one.last)) } td.number { (one.sessions) }
                    }
                } }
            } }
        }
    }
}

/// The calls of a page, a row for each session; the score is that of the user's whole call.
async fn table<S: Store>(
    context: &Context<'_, S>,
    told: &Told<'_>,
    shown: &[UserCall],
) -> Result<Markup, Trouble> {
    let words = context.view.prefs.lang;
    let mut rows = Vec::new();
    for of in shown {
        let score = score_in(context, &of.call, told.user, &of.sessions).await?;
        for (n, session) in of.sessions.iter().enumerate() {
            rows.push(row(context, told, &of.call, session, score.filter(|_| n == 0)));
        }
    }
    Ok(html! {
        table {
            thead { tr {
                th scope="col" { (words.day()) } th scope="col" { (words.room()) } th scope="col" { (words.joined()) } th.wide scope="col" { (words.left()) }
                th.number scope="col" { (words.duration()) } th.wide scope="col" { (words.device()) } th.wide scope="col" { (words.reason()) }
                th.number scope="col" { (words.score()) }
            } }
            tbody { @for row in rows { (row) } }
        }
    })
}

fn row<S>(
    context: &Context<'_, S>,
    told: &Told<'_>,
    call: &Call,
    session: &Session,
    score: Option<f64>,
) -> Markup {
    let (words, zone) = (context.view.prefs.lang, context.view.prefs.zone);
    let end = session.left.unwrap_or(context.now);
    let (from, to) = (session.joined.secs() - MARGIN_S, end.secs() + MARGIN_S);
    // The page of a call takes several users: a comma parts them.
    let user = told.user.replace('%', "%25").replace(',', "%2C");
    let pairs = [("u", user.as_str()), ("from", &from.to_string()), ("to", &to.to_string())];
    let call_href = address(&format!("/ui/calls/{}", segment(call.comm_id.as_str())), &pairs);
    let inferred = !matches!(session.leave_source, LeaveSource::Seen | LeaveSource::Open);
    html! {
        tr {
            td { (zone.date(session.joined)) }
            td.clip { a href=(call_href) { bdi { (call.room) } } }
            td class=[(session.join_source != crate::records::JoinSource::Seen).then_some("inferred")] { (joined(words, session, zone)) }
            td.wide.inferred[inferred] { (left(words, session, zone)) }
            td.number { (duration(end.0 - session.joined.0)) }
            td.clip.wide { bdi { (device_type(&session.attrs)) } }
            td.clip.wide { @if let Some(reason) = &session.leave_reason { bdi { (reason.raw) } } }
            td.number { @if let Some(score) = score { span class=(score::class(score)) { (format!("{score:.1}")) } } @else { span.dim { "–" } } }
        }
    }
}

/// A user's score in a call.
async fn score_in<S: Store>(
    context: &Context<'_, S>,
    call: &Call,
    user: &str,
    sessions: &[Arc<Session>],
) -> Result<Option<f64>, Trouble> {
    let from = sessions.iter().map(|session| session.joined.secs()).min().unwrap_or_default();
    let to = sessions.iter().map(|session| session.left.unwrap_or(context.now).secs()).max();
    let span = Span { from, to: to.unwrap_or(from) };
    let own = flows(context, call, &[user.to_owned()], span).await?.remove(user).unwrap_or_default();
    Ok(score::score(&score::runs(own.values().flatten())))
}

/// The same in the API Explorer: the newest session, as DescribeUserInfo tells it.
fn question<S>(context: &Context<'_, S>, told: &Told<'_>) -> Markup {
    let newest = told.calls.first().and_then(|of| Some((of, of.sessions.first()?)));
    let Some((of, session)) = newest else { return html! {} };
    let from = session.joined.secs();
    let to = session.left.unwrap_or(context.now).secs().min(from + QUESTION_S_MAX);
    api(
        "DescribeUserInfo",
        &[
            ("SdkAppId", told.app.to_string()),
            ("CommId", of.call.comm_id.to_string()),
            ("StartTime", from.to_string()),
            ("EndTime", to.to_string()),
            ("UserIds", told.user.to_owned()),
        ],
    )
}

fn pages<S>(context: &Context<'_, S>, page: u64, has_more: bool) -> Markup {
    let words = context.view.prefs.lang;
    let to =
        |page: u64| format!("{}{}", context.view.path, context.query.with("page", Some(&page.to_string())));
    html! {
        @if page > 0 || has_more {
            nav.pages aria-label=(words.pages()) {
                @if page > 0 { a.button href=(to(page - 1)) { (words.newer()) } }
                @if has_more { a.button href=(to(page + 1)) { (words.older()) } }
            }
        }
    }
}

/// Every session of these days, as far as they are looked at.
fn csv(told: &Told<'_>) -> Shown {
    let mut sheet = Sheet::new(&[
        "comm_id",
        "room",
        "user",
        "joined_s",
        "join_source",
        "left_s",
        "leave_source",
        "device",
        "sdk_version",
        "client_ip",
        "reason",
    ]);
    for of in &told.calls {
        for session in &of.sessions {
            let attr = |attr| session.attrs.get(&attr).map_or("", String::as_str);
            sheet.row([
                of.call.comm_id.as_str(),
                &of.call.room,
                told.user,
                &session.joined.secs().to_string(),
                session.join_source.name(),
                &session.left.map_or_else(String::new, |at| at.secs().to_string()),
                session.leave_source.name(),
                device_type(&session.attrs),
                attr(Attr::SdkVersion),
                attr(Attr::ClientIp),
                session.leave_reason.as_ref().map_or("", |reason| &reason.raw),
            ]);
        }
    }
    sheet.shown("user")
}
