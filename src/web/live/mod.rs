//! Live: what happens now. One computation an application serves everybody who looks: see [`hub`].

mod hub;
mod now;
mod parts;

use std::sync::Arc;

use maud::{Markup, PreEscaped, html};

pub(super) use hub::Hub;
pub use hub::Watching;
use hub::{Picture, Subject};
use parts::Parts;

use super::calls::apps;
use super::prefs::Prefs;
use super::query::Query;
use super::sheet::Sheet;
use super::shell::{self, Nav, api};
use super::{Asked, Context, Shown, Trouble, Web, access, app_of};
use crate::records::{AppId, CommId, Millis};
use crate::store::Store;

/// Where a page's script listens.
pub const STREAM_PATH: &str = "/ui/live/stream";
/// How old a page may be at its begin: what it is missing comes over the stream.
const PAGE_PACE_MS: i64 = 1_000;

impl<S: Store + 'static> Web<S> {
    /// Begins to watch what [`STREAM_PATH`] names: an application, or by `call` one of its calls.
    ///
    /// # Errors
    /// The page for those who may not.
    pub async fn watch(&self, asked: &Asked<'_>) -> Result<Watching, Shown> {
        let (query, prefs) = (Query::parse(asked.query), Prefs::of(asked));
        let rights = self.rights.get();
        let Some(accounts) = rights.access.viewer(asked, &rights.policy) else {
            return Err(access::ask_to_sign_in(asked, &prefs));
        };
        let all: Vec<AppId> = accounts.iter().flat_map(|account| account.apps.iter().copied()).collect();
        let call = query.text("call").map(CommId::from_text);
        let app = match &call {
            Some(call) => call.app().filter(|app| all.contains(app)),
            None => app_of(&query, &all),
        };
        let nothing = |status| Shown::page(status, html! {});
        let app = app.ok_or_else(|| nothing(404))?;
        self.look(app, asked.now, PAGE_PACE_MS).await.map_err(|_| nothing(503))?;
        let subject = call.map_or(Subject::Live(None), |call| Subject::Call(call, None));
        Ok(self.live.watch(app, (prefs.lang, prefs.zone), subject))
    }

    /// Waits until something may have changed for those who watch.
    pub async fn stirred(&self, appended: &mut tokio::sync::watch::Receiver<()>) {
        tokio::select! {
            // The sender lives as long as the store.
            _ = appended.changed() => {}
            () = self.live.newcomer() => {}
        }
    }

    /// Computes anew what somebody watches, as far as it has changed or grown old.
    pub async fn refresh(&self, now: Millis) {
        for app in self.live.watched() {
            // What cannot be had now may be had the next time; the pages say how old they are.
            if let Err(Trouble::Store(error)) = self.look(app, now, 0).await {
                tracing::warn!(%error, "the store cannot tell what happens now");
            }
        }
    }

    async fn look(&self, app: AppId, now: Millis, pace_ms: i64) -> Result<Arc<Picture>, Trouble> {
        self.live.now(&*self.store, app, (now, self.rights.get().policy.horizon(now)), pace_ms).await
    }
}

/// `/ui/live?app=`
pub(super) async fn page<S: Store>(context: &Context<'_, S>, hub: &Hub) -> Result<Shown, Trouble> {
    let app = context.app()?;
    let (words, zone) = (context.view.prefs.lang, context.view.prefs.zone);
    let times = (context.now, context.horizon());
    let picture = hub.now(context.store, app, times, PAGE_PACE_MS).await?;
    if context.query.text("format") == Some("csv") {
        return Ok(csv(&picture));
    }
    let parts = Parts::of(app, &picture.now, words, zone);
    let content = html! {
        section.panel.now data-src={ (STREAM_PATH) (context.query.with("app", Some(&app.to_string()))) }
            data-changes=(words.changes_wait()) data-paused=(words.paused()) data-lost=(words.stream_lost()) {
            header {
                h1 { (words.live()) }
                span.updated { (words.updated()) " " span #at { (parts.at) } }
                button #pause type="button" hidden aria-pressed="false" { (words.pause()) }
                a #refresh.button href={ "/ui/live" (context.query.with("app", Some(&app.to_string()))) } { (words.refresh()) }
                (apps(context, app))
            }
            p #state .trouble role="status" hidden {}
            dl #summary .facts { (written(&parts.summary)) }
            p #said .sr aria-live="polite" { (parts.said) }
            div #history { (written(&parts.history)) }
        }
        div.call {
            (rooms(context, app, &picture, &parts))
            section.panel.events {
                header { h2 { (words.events_newest()) } }
                ol #happened { (written(&parts.events)) }
            }
        }
    };
    Ok(Shown::page(200, shell::frame(&context.view, Nav::Live, words.live(), content)))
}

fn rooms<S>(context: &Context<'_, S>, app: AppId, picture: &Picture, parts: &Parts) -> Markup {
    let words = context.view.prefs.lang;
    let now = picture.now.at.secs();
    let question = [
        ("SdkAppId", app.to_string()),
        ("StartTime", (now - 3_600).to_string()),
        ("EndTime", now.to_string()),
    ];
    html! {
        section.panel.rooms {
            header {
                h2 { (words.rooms_now()) }
                span.dim { (words.sort_worst()) }
                button #changes.chip type="button" hidden { (words.changes_wait()) }
                span.tools {
                    a href={ "/ui/live" (context.query.with("format", Some("csv"))) } { "CSV" }
                    (api("DescribeRoomInfo", &question))
                }
            }
            div.scroll { table {
                thead { tr {
                    th scope="col" { (words.room()) } th.number scope="col" { (words.users()) }
                    th.wide scope="col" { (words.last_hour()) } th.wide scope="col" { (words.since()) }
                    th scope="col" { (words.worst_user()) } th.number scope="col" { (words.score()) } th scope="col" { (words.now()) }
                } }
                tbody #rooms { @for (_, row) in &parts.rows { (written(row)) } }
            } }
            div #note { (written(&parts.note)) }
        }
    }
}

/// A part that was written, and escaped, by `maud`.
fn written(part: &str) -> PreEscaped<&str> {
    PreEscaped(part)
}

/// The open calls as a table.
fn csv(picture: &Picture) -> Shown {
    let columns = ["comm_id", "room", "created_s", "users", "worst_user", "score", "metric", "value"];
    let mut sheet = Sheet::new(&columns);
    for room in &picture.now.rooms {
        let worst = room.worst.as_ref();
        let why = worst.and_then(|worst| worst.why);
        sheet.row([
            room.call.comm_id.to_string(),
            room.call.room.clone(),
            room.call.created.secs().to_string(),
            room.users.to_string(),
            worst.map_or_else(String::new, |worst| worst.user.clone()),
            worst.map_or_else(String::new, |worst| format!("{:.2}", worst.score)),
            why.map_or_else(String::new, |(metric, ..)| metric.name().to_owned()),
            why.map_or_else(String::new, |(_, value, _)| value.to_string()),
        ]);
    }
    sheet.shown("live")
}
