//! The frame around every page.

use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::prefs::{Prefs, Theme, Zone};
use super::query::Query;
use super::words::Lang;
use crate::records::AppId;

/// What the frame needs to know of a request.
#[derive(Debug, Clone)]
pub(super) struct View<'a> {
    pub(super) prefs: Prefs,
    /// What the viewer may see.
    pub(super) apps: Vec<AppId>,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    /// The viewer signed in by a password.
    pub(super) can_sign_out: bool,
}

/// The part of the site that a page is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nav {
    /// In none.
    None,
    /// What happens now.
    Live,
    /// Calls.
    Calls,
    /// Users.
    Users,
    /// Daily figures.
    Trends,
    /// The API Explorer.
    Explorer,
}

const NAV: [(Nav, &str, fn(Lang) -> &'static str); 5] = [
    (Nav::Live, "/ui/live", Lang::live),
    (Nav::Calls, "/ui/calls", Lang::calls),
    (Nav::Users, "/ui/users", Lang::users),
    (Nav::Trends, "/ui/trends", Lang::trends),
    (Nav::Explorer, "/ui/explorer", Lang::explorer),
];

/// A whole page with navigation.
pub(super) fn frame(view: &View<'_>, nav: Nav, title: &str, content: Markup) -> Markup {
    let words = view.prefs.lang;
    let body = html! {
        a.skip href="#content" { (words.skip()) }
        header.top {
            a.brand href="/ui/" { "rollbook" }
            nav aria-label="rollbook" {
                @for (place, href, name) in NAV {
                    a href=(href) aria-current=[(place == nav).then_some("page")] { (name(words)) }
                }
            }
            form.search role="search" action="/ui/search" {
                input type="search" name="q" aria-label=(words.search()) placeholder=(words.search_hint()) autocomplete="off";
                kbd aria-hidden="true" { "/" }
            }
            (settings(view))
        }
        main #content tabindex="-1" { (content) }
    };
    document(&view.prefs, title, body)
}

/// A page without navigation, for who is not inside.
pub(super) fn bare(prefs: &Prefs, title: &str, content: Markup) -> Markup {
    let body = html! {
        main.bare #content { section.panel { h1 { "rollbook" } h2 { (title) } (content) } }
    };
    document(prefs, title, body)
}

/// The question behind a panel, in the API Explorer.
pub(super) fn api(action: &str, parameters: &[(&str, String)]) -> Markup {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters.iter().map(|(name, value)| (format!("p.{name}"), value)));
    html! { a.api href={ "/ui/explorer/" (action) "?" (query.finish()) } { "{API}" } }
}

fn document(prefs: &Prefs, title: &str, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(prefs.lang.tag()) data-theme=(prefs.theme.name()) data-tz=(prefs.zone.name())
            data-minutes=(prefs.zone.minutes()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · rollbook" }
                link rel="icon" href=(assets::href("icon.svg")) type="image/svg+xml";
                link rel="stylesheet" href=(assets::href("app.css"));
                script type="module" src=(assets::href("app.js")) {}
                script type="module" src=(assets::href("call.js")) {}
            }
            body { (body) }
        }
    }
}

/// Language, time zone, theme, signing out: a menu that opens without a script.
fn settings(view: &View<'_>) -> Markup {
    let (prefs, words) = (view.prefs, view.prefs.lang);
    let back = format!("{}{}{}", view.path, if view.query.is_empty() { "" } else { "?" }, view.query);
    let link = |name: &str, value: &str, text: &str, is_on: bool| {
        let query = Query::default().with("back", Some(&back));
        let href = format!("/ui/set{query}&{name}={value}");
        html! { a href=(href) aria-current=[is_on.then_some("true")] { (text) } }
    };
    html! {
        details.menu {
            summary { (words.settings()) span.offset { "UTC" (prefs.zone.offset()) } }
            div.panel {
                p { (words.zone()) }
                (link("tz", "browser", words.zone_browser(), matches!(prefs.zone, Zone::Browser(_))))
                (link("tz", "utc", "UTC", prefs.zone == Zone::Utc))
                (link("tz", "cst", "UTC+08:00", prefs.zone == Zone::Cst))
                p { (words.theme()) }
                (link("theme", "auto", words.theme_auto(), prefs.theme == Theme::Auto))
                (link("theme", "light", words.theme_light(), prefs.theme == Theme::Light))
                (link("theme", "dark", words.theme_dark(), prefs.theme == Theme::Dark))
                p { (words.language()) }
                (link("lang", "en", "English", words == Lang::En))
                (link("lang", "zh", "简体中文", words == Lang::Zh))
                @if view.can_sign_out {
                    form method="post" action="/ui/logout" { button type="submit" { (words.sign_out()) } }
                }
            }
        }
    }
}
