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

/// A page, its address, and its name in the reader's language.
type Place = (Nav, &'static str, fn(Lang) -> &'static str);

const NAV: [Place; 5] = [
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
        (help(words))
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

/// A page that asks for itself again, as a page of ours.
pub(super) fn again(prefs: &Prefs, here: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(prefs.lang.tag()) {
            head {
                meta charset="utf-8";
                meta http-equiv="refresh" content={ "0;url=" (here) };
                title { "rollbook" }
            }
            body { main { h1 { a href=(here) { "rollbook" } } } }
        }
    }
}

/// The question behind a panel, in the API Explorer.
pub(super) fn api(action: &str, parameters: &[(&str, String)]) -> Markup {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters.iter().map(|(name, value)| (format!("p.{name}"), value)));
    html! { a.api href={ "/ui/explorer/" (action) "?" (query.finish()) } { "{API}" } }
}

/// The keys of all pages, which `?` shows.
fn help(words: Lang) -> Markup {
    let keys: [(&str, &str); 12] = [
        ("/", words.search()),
        ("g l · g c · g u · g t · g e", words.key_places()),
        ("j k", words.key_rows()),
        ("Enter", words.key_enter()),
        ("← →", words.key_cursor()),
        ("[ ]", words.key_events()),
        ("n", words.key_problem()),
        ("+ − 0", words.key_zoom()),
        ("d", words.key_direction()),
        ("z", words.key_zone()),
        ("Esc", words.key_escape()),
        ("?", words.key_help()),
    ];
    html! {
        dialog #help aria-label=(words.keys()) {
            header { h2 { (words.keys()) } form method="dialog" { button { (words.close()) } } }
            dl { @for (key, meaning) in keys { dt { kbd { (key) } } dd { (meaning) } } }
            label.check { input #keys-on type="checkbox" checked; (words.keys_on()) }
        }
    }
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
                script type="module" src=(assets::href("live.js")) {}
                script type="module" src=(assets::href("trends.js")) {}
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
                button type="button" data-help hidden { (words.keys()) }
                @if view.can_sign_out {
                    form method="post" action="/ui/logout" { button type="submit" { (words.sign_out()) } }
                }
            }
        }
    }
}
