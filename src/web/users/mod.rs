//! Users: who was in calls lately, found by the begin of an id; and [one of them](user).

mod strip;
mod user;
#[cfg(test)]
mod tests;

use maud::{Markup, html};

pub(super) use user::page as user_page;

use super::calls::apps;
use super::query::{address, segment};
use super::sheet::Sheet;
use super::shell::{self, Nav};
use super::{Context, Shown, Trouble};
use crate::records::{AppId, Call, Millis, Session, device_type};
use crate::store::{Store, UserCall, UserCallsQuery, UserSeen, UsersQuery};

/// Users on a page.
const PAGE_ROWS: usize = 50;
/// The newest calls of each that say when a user was seen last, and with what.
const RECENT_CALLS: usize = 20;

/// One row.
struct Row {
    seen: UserSeen,
    recent: Vec<UserCall>,
}

impl Row {
    fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.recent.iter().flat_map(|of| &of.sessions).map(|session| &**session)
    }

    /// The call in which the user was last, and until when; `None` there while the user is inside.
    fn last_seen(&self) -> Option<(&Call, Option<Millis>)> {
        let stays = self.recent.iter().flat_map(|of| of.sessions.iter().map(|session| (&of.call, session)));
        let last = stays.max_by_key(|(_, session)| (session.left.is_none(), session.left, session.joined));
        last.map(|(call, session)| (call, session.left))
    }

    /// The newest first, each once.
    fn devices(&self) -> Vec<&str> {
        let mut devices = Vec::new();
        for device in self.sessions().map(|session| device_type(&session.attrs)) {
            if !device.is_empty() && !devices.contains(&device) {
                devices.push(device);
            }
        }
        devices
    }
}

/// The address of a user's page. A browser takes `.` and `..` for steps in the path, however they are written: these
/// two names go behind it.
pub(super) fn href(app: AppId, user: &str, pairs: &[(&str, &str)]) -> String {
    if matches!(user, "." | "..") {
        let pairs: Vec<(&str, &str)> = [("user", user)].into_iter().chain(pairs.iter().copied()).collect();
        return address(&format!("/ui/users/{app}"), &pairs);
    }
    address(&format!("/ui/users/{app}/{}", segment(user)), pairs)
}

/// `/ui/users`
pub(super) async fn page<S: Store>(context: &Context<'_, S>) -> Result<Shown, Trouble> {
    let app = context.app()?;
    let (view, words, query) = (&context.view, context.view.prefs.lang, context.query);
    let (prefix, after) = (query.text("q").unwrap_or_default(), query.text("after"));
    let mut rows = find(context, app, prefix, after, PAGE_ROWS + 1).await?;
    let next = rows.get(PAGE_ROWS).map(|_| rows[PAGE_ROWS - 1].seen.user.clone());
    rows.truncate(PAGE_ROWS);
    if query.text("format") == Some("csv") {
        return Ok(csv(&rows));
    }
    let content = html! {
        section.panel {
            header {
                h1 { (words.users()) }
                (apps(context, app))
                @if !rows.is_empty() { a href={ "/ui/users" (query.with("format", Some("csv"))) } { "CSV" } }
            }
            form.filters action="/ui/users" {
                input type="hidden" name="app" value=(app);
                label { (words.user_begins()) input type="search" name="q" value=(prefix) autocomplete="off"; }
                button type="submit" { (words.show()) }
                p.dim { (words.user_prefix_hint()) }
            }
            @if rows.is_empty() { (nobody(context, app, prefix)) } @else { div.scroll { (table(context, app, &rows)) } }
        }
        @if after.is_some() || next.is_some() {
            nav.pages aria-label=(words.pages()) {
                @if after.is_some() { a.button href={ "/ui/users" (query.with("after", None)) } { (words.first_page()) } }
                @if let Some(next) = &next { a.button href={ "/ui/users" (query.with("after", Some(next))) } { (words.next_page()) } }
            }
        }
    };
    Ok(Shown::page(200, shell::frame(view, Nav::Users, words.users(), content)))
}

async fn find<S: Store>(
    context: &Context<'_, S>,
    app: AppId,
    prefix: &str,
    after: Option<&str>,
    take: usize,
) -> Result<Vec<Row>, Trouble> {
    let asked = UsersQuery { app, prefix, after, take, horizon: context.horizon() };
    let mut rows = Vec::new();
    for seen in context.store.users(&asked).await? {
        let asked = UserCallsQuery {
            app,
            user: &seen.user,
            from_s: i64::MIN,
            to_s: i64::MAX,
            skip: 0,
            take: RECENT_CALLS,
            now: context.now,
            horizon: context.horizon(),
        };
        let recent = context.store.calls_of_user(&asked).await?;
        rows.push(Row { seen, recent });
    }
    Ok(rows)
}

/// Nothing was found: how this search works.
fn nobody<S>(context: &Context<'_, S>, app: AppId, prefix: &str) -> Markup {
    let words = context.view.prefs.lang;
    html! {
        div.state {
            @if prefix.is_empty() {
                p { (words.no_users_yet()) } p.dim { (words.no_calls_hint()) }
            } @else {
                p { (words.no_user_begins()) " " bdi.mono { (prefix) } }
                p.dim { (words.no_user_hint()) }
                p { a.button href={ "/ui/users?app=" (app) } { (words.all_users()) } }
            }
        }
    }
}

fn table<S>(context: &Context<'_, S>, app: AppId, rows: &[Row]) -> Markup {
    let (words, zone) = (context.view.prefs.lang, context.view.prefs.zone);
    html! {
        table.users {
            thead { tr {
                th scope="col" { (words.user()) } th scope="col" { (words.last_seen()) } th.number scope="col" { (words.calls()) }
                th scope="col" { (words.room()) } th.wide scope="col" { (words.devices()) }
            } }
            tbody {
                @for row in rows {
                    tr {
                        th.clip scope="row" { a href=(href(app, &row.seen.user, &[])) { bdi { (row.seen.user) } } }
                        td.when { @match row.last_seen() {
                            Some((_, Some(at))) => { time datetime=(at.secs()) { (zone.full(at)) } }
                            Some((_, None)) => { span class="badge running" { (words.still_inside()) } }
                            None => {}
                        } }
                        td.number { (row.seen.calls) }
                        td.clip { @if let Some((call, _)) = row.last_seen() {
                            a href={ "/ui/calls/" (segment(call.comm_id.as_str())) } { bdi { (call.room) } }
                        } }
                        td.clip.wide { bdi { (row.devices().join(", ")) } @if row.devices().is_empty() { span.dim { "–" } } }
                    }
                }
            }
        }
    }
}

fn csv(rows: &[Row]) -> Shown {
    let mut sheet = Sheet::new(&["user", "calls", "last_seen_s", "newest_comm_id", "devices"]);
    for row in rows {
        let last = row.last_seen();
        let newest = last.map_or("", |(call, _)| call.comm_id.as_str());
        let last = last.and_then(|(_, left)| left).map_or_else(String::new, |at| at.secs().to_string());
        let (calls, devices) = (row.seen.calls.to_string(), row.devices().join(", "));
        sheet.row([&row.seen.user, &calls, &last, newest, &devices]);
    }
    sheet.shown("users")
}
