//! The one box that looks for everything: actions, calls, rooms, users.

use maud::{Markup, html};

use super::query::{address, segment};
use super::shell::{self, Nav};
use super::{Context, Shown, Trouble, users};
use crate::actions::ACTIONS;
use crate::records::{AppId, Call, CommId};
use crate::store::{CallQuery, Store, UserSeen, UsersQuery};

/// Calls and users of each application that are listed.
const FOUND_MAX: usize = 10;

/// What one application has of what was looked for.
struct Found {
    app: AppId,
    calls: Vec<Call>,
    users: Vec<UserSeen>,
}

/// `/ui/search?q=`: to the page that has what was looked for, or the list of those that may.
pub(super) async fn find<S: Store>(context: &Context<'_, S>) -> Result<Shown, Trouble> {
    let q = context.query.text("q").unwrap_or_default().trim();
    if q.to_ascii_lowercase().starts_with("desc")
        && let Some(to) = action(q)
    {
        return Ok(Shown::see_other(&to));
    }
    if let Some(call) = call(context, q).await? {
        return Ok(Shown::see_other(&format!("/ui/calls/{}", segment(call.comm_id.as_str()))));
    }
    let mut found = Vec::new();
    for &app in context.view.apps.iter().filter(|_| !q.is_empty()) {
        found.push(look(context, app, q).await?);
    }
    found.retain(|found| !found.calls.is_empty() || !found.users.is_empty());
    Ok(match found.as_slice() {
        // One thing alone: its page.
        [only] if only.users.is_empty() => {
            Shown::see_other(&address("/ui/calls", &[("app", &only.app.to_string()), ("q", q)]))
        }
        [only] if only.calls.is_empty() && only.users.len() == 1 => {
            Shown::see_other(&users::href(only.app, &only.users[0].user, &[]))
        }
        [only] if only.calls.is_empty() => {
            Shown::see_other(&address("/ui/users", &[("app", &only.app.to_string()), ("q", q)]))
        }
        several => list(context, q, several),
    })
}

/// The explorer at an action whose name begins so; or its list of those that have the word.
fn action(q: &str) -> Option<String> {
    let begins = |name: &str| name.to_ascii_lowercase().starts_with(&q.to_ascii_lowercase());
    let exact = ACTIONS.iter().find(|action| action.name.eq_ignore_ascii_case(q));
    let mut begun = ACTIONS.iter().filter(|action| begins(action.name));
    let first = exact.or(begun.next())?;
    let is_only = exact.is_some() || begun.next().is_none();
    Some(if is_only { format!("/ui/explorer/{}", first.name) } else { address("/ui/explorer", &[("q", q)]) })
}

/// A call's id has three parts, the first of them an application.
async fn call<S: Store>(context: &Context<'_, S>, q: &str) -> Result<Option<Call>, Trouble> {
    let comm_id = CommId::from_text(q);
    let app = comm_id.app().filter(|app| q.contains('_') && context.view.apps.contains(app));
    let Some(app) = app else { return Ok(None) };
    Ok(context.store.call(app, &comm_id, context.horizon()).await?)
}

/// The newest calls of a room of this name, and the users whose id begins so.
async fn look<S: Store>(context: &Context<'_, S>, app: AppId, q: &str) -> Result<Found, Trouble> {
    let horizon = context.horizon();
    let calls = CallQuery {
        app,
        room: Some(q),
        from_s: i64::MIN,
        to_s: i64::MAX,
        skip: 0,
        take: FOUND_MAX,
        now: context.now,
        horizon,
    };
    let users = UsersQuery { app, prefix: q, after: None, take: FOUND_MAX, horizon };
    Ok(Found { app, calls: context.store.calls(&calls).await?, users: context.store.users(&users).await? })
}

fn list<S>(context: &Context<'_, S>, q: &str, found: &[Found]) -> Shown {
    let words = context.view.prefs.lang;
    let content = html! {
        section.panel {
            header { h1 { (words.search()) } @if !q.is_empty() { bdi.mono.clip { (q) } } }
            @if found.is_empty() {
                div.state { p { (words.no_such_name()) } p.dim { (words.search_help()) } }
            }
            @for one in found { (of_app(context, q, one)) }
        }
    };
    Shown::page(200, shell::frame(&context.view, Nav::None, words.search(), content))
}

fn of_app<S>(context: &Context<'_, S>, q: &str, found: &Found) -> Markup {
    let (words, zone, app) = (context.view.prefs.lang, context.view.prefs.zone, found.app.to_string());
    let all = |path: &str| address(path, &[("app", &app), ("q", q)]);
    html! {
        div.matches {
            @if !found.calls.is_empty() {
                h2 { (words.calls()) " " span.dim { (words.app()) " " (app) } }
                ul { @for call in &found.calls {
                    li { a href={ "/ui/calls/" (segment(call.comm_id.as_str())) } { (words.room()) " " bdi { (call.room) } } " "
                        time.dim datetime=(call.created.secs()) { (zone.full(call.created)) } }
                } }
                p { a href=(all("/ui/calls")) { (words.more()) } }
            }
            @if !found.users.is_empty() {
                h2 { (words.users()) " " span.dim { (words.app()) " " (app) } }
                ul { @for seen in &found.users {
                    li { a href=(users::href(found.app, &seen.user, &[])) { bdi { (seen.user) } } " "
                        span.dim { (seen.calls) " " (words.calls()) } }
                } }
                @if found.users.len() == FOUND_MAX { p { a href=(all("/ui/users")) { (words.more()) } } }
            }
        }
    }
}
