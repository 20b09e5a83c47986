//! Shows: the dashboard and the API Explorer, as HTML that is whole without scripts, and small scripts beside it.
//!
//! Read [`Web::answer`] first: every path is there. A page is a function in a file of its own that asks the store and
//! writes its part of the page; [`shell`] puts the frame around it. Nothing here speaks HTTP: a request comes as
//! [`Asked`], an answer goes as [`Shown`]. What people wrote (rooms, users) is hostile: it is text to `maud`, always.

mod access;
mod assets;
mod call;
mod calls;
mod data;
mod explorer;
mod figures;
mod lanes;
mod live;
mod prefs;
mod query;
mod routes;
mod score;
mod search;
mod sheet;
mod shell;
mod trends;
mod users;
mod words;

use std::net::IpAddr;
use std::sync::Arc;

use maud::{Markup, html};

pub use access::{Access, PasswordError, hash_password};
pub use live::{STREAM_PATH, Watching};
use prefs::Prefs;
use query::Query;
use routes::Page;
pub use routes::paths;
use shell::{Nav, View};

use crate::actions::{Account, Api, Policy};
use crate::limits::Current;
use crate::records::{AppId, Millis};
use crate::store::{Memory, Store, StoreError};

/// What may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET or HEAD.
    Get,
    /// POST.
    Post,
}

/// One request for a page, without HTTP.
pub struct Asked<'a> {
    /// GET (and HEAD), or POST.
    pub method: Method,
    /// The path, beginning with `/ui`.
    pub path: &'a str,
    /// What follows `?`.
    pub query: &'a str,
    /// The value of the first header of a name, where it is text.
    pub header: &'a (dyn Fn(&str) -> Option<&'a str> + Sync),
    /// The body of a POST.
    pub body: &'a [u8],
    /// Who asks.
    pub peer: IpAddr,
    /// The connection is encrypted.
    pub is_tls: bool,
    /// The time.
    pub now: Millis,
}

/// The answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The HTTP status.
    pub status: u16,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// What is shown.
    pub body: Vec<u8>,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
}

/// Headers of every answer. No inline style or script, nothing of another host, no frame around it.
pub const SECURITY_HEADERS: [(&str, &str); 5] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

impl Shown {
    /// A whole page.
    fn page(status: u16, page: Markup) -> Shown {
        let headers = vec![("cache-control", "no-store".to_owned())];
        Shown { status, content_type: HTML, body: page.into_string().into_bytes(), headers }
    }

    /// Data for a script.
    fn json(body: String) -> Shown {
        let headers = vec![("cache-control", "no-store".to_owned())];
        Shown { status: 200, content_type: JSON, body: body.into_bytes(), headers }
    }

    /// Somewhere else. `to` is a path of ours.
    fn see_other(to: &str) -> Shown {
        let headers = vec![("location", to.to_owned()), ("cache-control", "no-store".to_owned())];
        Shown { status: 303, content_type: HTML, body: Vec::new(), headers }
    }

    fn with(mut self, name: &'static str, value: String) -> Shown {
        self.headers.push((name, value));
        self
    }
}

/// Why a page cannot be shown.
#[derive(Debug)]
enum Trouble {
    /// There is no such thing, or the viewer may not see it: these two look alike.
    NotFound,
    /// The store cannot answer.
    Store(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        Trouble::Store(error)
    }
}

/// The dashboard over a store.
#[derive(Debug)]
pub struct Web<S> {
    rights: Current<Rights>,
    store: Arc<S>,
    /// What happens now, for all who look.
    live: live::Hub,
    /// What is counted of days, behind the pages.
    counts: trends::Counts,
    /// What is known of calls that are over.
    casts: call::Casts,
}

/// Who may see what.
#[derive(Debug)]
struct Rights {
    policy: Policy,
    access: Access,
    /// Says what is wrong with a question before it is asked: it knows no records, and does not count.
    rehearsal: Api<Memory>,
}

impl Rights {
    fn new(policy: Policy, access: Access) -> Rights {
        let uncounted = Policy { requests_per_second: 0, ..policy.clone() };
        Rights { policy, access, rehearsal: Api::new(uncounted, Arc::new(Memory::default())) }
    }
}

/// Where forms with passwords go.
pub const LOGIN_PATH: &str = "/ui/login";

/// What every page is given.
struct Context<'a, S> {
    policy: &'a Policy,
    /// Those that the viewer may see.
    accounts: Vec<&'a Account>,
    store: &'a S,
    rehearsal: &'a Api<Memory>,
    casts: &'a call::Casts,
    view: View<'a>,
    query: &'a Query,
    now: Millis,
}

impl<S> Context<'_, S> {
    /// What is older is not shown, even if the sweep is late.
    fn horizon(&self) -> Millis {
        self.policy.horizon(self.now)
    }

    /// The application that the page is about: the one named by `app`, else the viewer's first.
    fn app(&self) -> Result<AppId, Trouble> {
        app_of(self.query, &self.view.apps).ok_or(Trouble::NotFound)
    }
}

fn app_of(query: &Query, apps: &[AppId]) -> Option<AppId> {
    match query.text("app") {
        Some(text) => text.parse().ok().map(AppId).filter(|app| apps.contains(app)),
        None => apps.first().copied(),
    }
}

impl<S: Store + 'static> Web<S> {
    /// Over `store`, for the accounts of `policy`, as `access` allows.
    pub fn new(policy: Policy, store: Arc<S>, access: Access) -> Web<S> {
        Web {
            rights: Current::new(Rights::new(policy, access)),
            store,
            live: live::Hub::default(),
            counts: trends::Counts::default(),
            casts: call::Casts::default(),
        }
    }

    /// Allows something else from now on.
    pub fn allow(&self, policy: Policy, access: Access) {
        let access = access.instead_of(&self.rights.get().access);
        self.rights.set(Rights::new(policy, access));
    }

    /// What somebody is answered whose address has failed too often.
    pub fn refuse(&self, asked: &Asked<'_>) -> Shown {
        Access::too_many(&Prefs::of(asked), asked.query)
    }

    /// Answers one request.
    pub async fn answer(&self, asked: &Asked<'_>) -> Shown {
        let query = Query::parse(asked.query);
        let prefs = Prefs::of(asked);
        if let Some(asset) = assets::find(asked.path) {
            return assets::show(asset, (asked.header)("if-none-match"));
        }
        let rights = self.rights.get();
        let Rights { policy, access, rehearsal } = &*rights;
        let found = routes::find(asked.method, asked.path);
        match found {
            Some((Page::Set, _)) => return prefs::set(asked, &query),
            Some((Page::Login, _)) => return access.login(asked, &prefs, policy).await,
            Some((Page::Logout, _)) => return access.logout(asked, policy),
            _ => {}
        }
        let Some(accounts) = access.viewer(asked, policy) else {
            return access::ask_to_sign_in(asked, &prefs);
        };
        if asked.method == Method::Post && !access::is_same_origin(asked, policy) {
            let text = prefs.lang.foreign_origin();
            return Shown::page(403, shell::bare(&prefs, text, html! {}));
        }
        let apps = accounts.iter().flat_map(|account| account.apps.iter().copied()).collect();
        let view = View { prefs, apps, path: asked.path, query: asked.query, can_sign_out: access.asks() };
        let context = Context {
            policy,
            accounts,
            store: &*self.store,
            rehearsal,
            casts: &self.casts,
            view,
            query: &query,
            now: asked.now,
        };
        match self.show(&context, asked, found).await {
            Ok(shown) => shown,
            Err(trouble) => self.excuse(&context, &trouble),
        }
    }

    /// The page at a path.
    async fn show(
        &self,
        context: &Context<'_, S>,
        asked: &Asked<'_>,
        found: Option<(Page, Vec<&str>)>,
    ) -> Result<Shown, Trouble> {
        let (page, parts) = found.ok_or(Trouble::NotFound)?;
        let decoded = |part: &str| query::text_of(part).ok_or(Trouble::NotFound);
        match (page, parts.as_slice()) {
            (Page::Home, []) => Ok(Shown::see_other("/ui/live")),
            (Page::Live, []) => live::page(context, &self.live).await,
            (Page::Trends, []) => trends::page(context, &self.counts).await,
            (Page::Calls, []) => calls::page(context).await,
            (Page::Call, [comm_id, below @ ..]) => call::show(context, comm_id, below).await,
            (Page::CallData, [comm_id]) => data::call(context, &decoded(comm_id)?).await,
            (Page::Explorer, []) => Ok(explorer::index(context)),
            (Page::Prepare, []) => explorer::prepare(context, asked).await,
            (Page::Action, [action]) => explorer::page(context, asked, action).await,
            (Page::Users, []) => users::page(context).await,
            (Page::UserAsked, [app]) => {
                let user = context.query.text("user").ok_or(Trouble::NotFound)?;
                users::user_page(context, app, user).await
            }
            (Page::User, [app, user]) => users::user_page(context, app, &decoded(user)?).await,
            (Page::Search, []) => search::find(context).await,
            // Those that need no viewer are answered before, and the table of routes gives each its parts.
            (_, _) => Err(Trouble::NotFound),
        }
    }

    /// The page that says what went wrong, and what to do.
    fn excuse(&self, context: &Context<'_, S>, trouble: &Trouble) -> Shown {
        let words = context.view.prefs.lang;
        let (status, title, hint) = match trouble {
            Trouble::NotFound => (404, words.not_found(), words.not_found_hint()),
            Trouble::Store(error) => {
                tracing::error!(%error, "the store cannot answer a page");
                (503, words.store_trouble(), words.store_trouble_hint())
            }
        };
        let content = html! {
            section.panel.state {
                h1 { (title) }
                p { (hint) }
                p { a.button href="/ui/calls" { (words.calls()) } }
            }
        };
        Shown::page(status, shell::frame(&context.view, Nav::None, title, content))
    }
}
