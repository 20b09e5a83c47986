//! One call: who was there, how it was, what happened.
//!
//! [`story`] reads what the store tells of it; lanes, table, matrix, events, figures and finding each write one part of
//! the page, on one axis of time. Lanes come 40 at a time, so a call of ten thousand opens like one of ten.

mod brief;
mod cast;
mod e2e;
mod events;
mod figures;
mod finding;
mod matrix;
mod rows;
mod story;
mod table;
#[cfg(test)]
mod tests;

use maud::{Markup, html};

pub(super) use brief::{Brief, brief};
pub(super) use cast::Casts;
pub(super) use events::{happened, why};
pub(super) use figures::{Told, sentence, told};
use finding::Finding;
pub(super) use rows::{joined, left};
pub(super) use story::{ByPeer, Direction, events_of, find, flows, pinned, sessions_of};
use story::{LANES, Story};

use super::calls::state;
use super::lanes::Span;
use super::prefs::duration;
use super::query::{self, Query, segment};
use super::shell::{self, Nav};
use super::words::Lang;
use super::{Context, Shown, Trouble};
use crate::limits;
use crate::records::{Call, Millis};
use crate::store::Store;

/// A call's page, and what lies below it.
pub(super) async fn show<S: Store>(
    context: &Context<'_, S>,
    comm_id: &str,
    below: &[&str],
) -> Result<Shown, Trouble> {
    let text = |segment: &str| query::text_of(segment).ok_or(Trouble::NotFound);
    let call = find(context, &text(comm_id)?).await?;
    match below {
        [] => page(context, call).await,
        ["rows"] => {
            let skip = skip(context.query);
            let mut story = story::read(context, call).await?;
            story.arrange(context, (skip, LANES), false).await?;
            Ok(Shown::page(200, rows::rows(context, &story, skip)))
        }
        ["events"] => {
            let mut story = story::read(context, call).await?;
            story.arrange(context, (skip(context.query), LANES), false).await?;
            Ok(Shown::page(200, events::content(context, &story)))
        }
        ["e2e", from, to] => e2e::page(context, call, (&text(from)?, &text(to)?)).await,
        _ => Err(Trouble::NotFound),
    }
}

/// What a page shows of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Face {
    Lanes,
    Matrix,
    Table,
    Quality,
}

impl Face {
    const ALL: [Face; 4] = [Face::Lanes, Face::Matrix, Face::Table, Face::Quality];

    fn of(query: &Query) -> Face {
        let named = |face: &Face| query.text("view") == Some(face.name());
        Face::ALL.into_iter().find(named).unwrap_or(Face::Lanes)
    }

    /// Its name in addresses.
    const fn name(self) -> &'static str {
        match self {
            Face::Lanes => "lanes",
            Face::Matrix => "matrix",
            Face::Table => "table",
            Face::Quality => "quality",
        }
    }

    /// Which of those that are asked for are read: from where on, and how many.
    const fn part(self, skip: usize, is_file: bool) -> (usize, usize) {
        match self {
            Face::Table if is_file => (0, usize::MAX),
            Face::Table => (skip, table::TABLE_USERS),
            Face::Matrix => (skip, matrix::USERS),
            Face::Lanes | Face::Quality => (skip, LANES),
        }
    }

    const fn told(self, words: Lang) -> &'static str {
        match self {
            Face::Lanes => words.lanes(),
            Face::Matrix => words.matrix(),
            Face::Table => words.table(),
            Face::Quality => words.quality(),
        }
    }
}

fn skip(query: &Query) -> usize {
    query.number("skip").and_then(|skip| usize::try_from(skip).ok()).unwrap_or(0)
}

/// `/ui/calls/{CommId}`
async fn page<S: Store>(context: &Context<'_, S>, call: Call) -> Result<Shown, Trouble> {
    let (words, query) = (context.view.prefs.lang, context.query);
    let (face, skip, is_file) = (Face::of(query), skip(query), query.text("format") == Some("csv"));
    let mut story = story::read(context, call).await?;
    story.arrange(context, face.part(skip, is_file), face == Face::Table).await?;
    let mut question = api(context, &story, "DescribeUserInfo", &[]);
    let body = match face {
        Face::Lanes => html! { (rows::panel(context, &story, skip)) (charts(context, &story)) },
        Face::Table if is_file => return Ok(table::csv(&story)),
        Face::Table => table::table(context, &story, skip),
        Face::Matrix => {
            let matrix = matrix::read(context, &story).await?;
            if is_file {
                return Ok(matrix::csv(&matrix));
            }
            question = matrix::question(context, &story, &matrix);
            matrix::panel(context, &story, &matrix)
        }
        Face::Quality => {
            let told = quality(context, &story).await?;
            if is_file {
                return Ok(figures::csv(&context.view.prefs, &told));
            }
            let users = list(&chosen(context, &story));
            question = api(context, &story, "DescribeCallDetailInfo", &[("UserIds", users)]);
            figures::table(context, &told)
        }
    };
    let content = html! {
        (head(context, &story))
        @if let Some(finding) = &story.cast.finding { (found(context, &story, finding)) }
        div.call {
            section.panel.who {
                (bar(context, &story, face, &question))
                (rows::overview(context, &story))
                (body)
            }
            (events::panel(context, &story))
        }
    };
    let title = format!("{} {}", words.room(), story.call.room);
    Ok(Shown::page(200, shell::frame(&context.view, Nav::Calls, &title, content)))
}

/// The address of a call's page.
fn here(call: &Call) -> String {
    format!("/ui/calls/{}", segment(call.comm_id.as_str()))
}

/// The part of a call that an address asks for.
fn part(query: &Query, whole: Span) -> Span {
    let from = query.number("from").unwrap_or(whole.from).clamp(whole.from, whole.to - 1);
    let to = query.number("to").unwrap_or(whole.to).clamp(from + 1, whole.to);
    Span { from, to }
}

/// A text with its parts, the first of which stands for `{0}`.
pub(super) fn fill(template: &str, parts: &[&str]) -> String {
    let mut text = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let (place, after) = after.split_once('}').unwrap_or((after, ""));
        text.push_str(place.parse::<usize>().ok().and_then(|place| parts.get(place)).copied().unwrap_or(""));
        rest = after;
    }
    text + rest
}

/// The question behind a panel: about this call, as much of what is shown as one question may ask for.
fn api<S>(context: &Context<'_, S>, story: &Story, action: &str, more: &[(&str, String)]) -> Markup {
    let span = part(context.query, story.cast.span);
    let longest = if action == "DescribeCallDetailInfo" {
        i64::try_from(limits::METRIC_WINDOW_S).unwrap_or(i64::MAX)
    } else {
        match i64::from(context.policy.user_window_hours) {
            0 => i64::MAX,
            hours => hours * 3_600,
        }
    };
    let end = span.to.min(span.from.saturating_add(longest));
    let mut parameters = vec![
        ("CommId", story.call.comm_id.as_str().to_owned()),
        ("SdkAppId", story.call.app.to_string()),
        ("StartTime", span.from.to_string()),
        ("EndTime", end.to_string()),
    ];
    if action == "DescribeUserEvent" {
        parameters.extend([("RoomId", story.call.room.clone())]);
    }
    parameters.extend(more.iter().cloned());
    shell::api(action, &parameters)
}

/// Users as the API Explorer takes a list.
fn list<T: AsRef<str>>(users: &[T]) -> String {
    let users: Vec<&str> = users.iter().map(AsRef::as_ref).collect();
    serde_json::Value::from(users).to_string()
}

/// A button that copies a text, or else the address of the page as it stands.
fn copy(words: Lang, name: &str, text: Option<&str>) -> Markup {
    html! { button.copy type="button" data-clip=(text.unwrap_or_default()) data-done=(words.copied()) hidden { (name) } }
}

/// The finding, and where its evidence is.
fn found<S>(context: &Context<'_, S>, story: &Story, finding: &Finding) -> Markup {
    /// Seconds before and behind the evidence that are shown with it.
    const AROUND_S: i64 = 60;
    let (words, zone) = (context.view.prefs.lang, context.view.prefs.zone);
    let (from, to) = finding.when();
    let time = |second: i64| zone.time(Millis::from_secs(second)).get(..5).unwrap_or_default().to_owned();
    let when = [time(from), time(to)];
    let counted = |template: &str, user: &str, poor: usize, of: usize| {
        fill(template, &[user, &poor.to_string(), &of.to_string(), &when[0], &when[1]])
    };
    let sentence = match finding {
        Finding::Sender { user, poor, of, .. } => counted(words.found_sender(), user, *poor, *of),
        Finding::Receiver { user, poor, of, .. } => counted(words.found_receiver(), user, *poor, *of),
        Finding::Together { poor, of, .. } => counted(words.found_together(), "", *poor, *of),
        Finding::Device { user, strain } => {
            let (loss, cpu) = (figures::number(strain.loss), figures::number(strain.cpu));
            let seconds = strain.seconds.to_string();
            fill(words.found_device(), &[user, &seconds, &loss, &cpu, &when[0], &when[1]])
        }
    };
    let from = (from - AROUND_S).max(story.cast.span.from).to_string();
    let to = (to + AROUND_S).min(story.cast.span.to).to_string();
    let user = finding.who().map(|user| story::pins(&[user]));
    let mut pairs = vec![("from", from.as_str()), ("to", to.as_str())];
    pairs.extend(user.as_deref().map(|user| ("u", user)));
    html! {
        section.panel.finding aria-label=(words.finding()) {
            strong { (words.finding()) } p { bdi { (sentence) } }
            a data-own href={ (here(&story.call)) (query::of(&pairs)) } { (words.look_there()) " →" }
        }
    }
}

/// Whose lines are drawn: those named by `u`, else the first.
fn chosen<S>(context: &Context<'_, S>, story: &Story) -> Vec<String> {
    let users = pinned(context.query);
    let first = story.people.iter().take(usize::from(users.is_empty())).map(|person| person.user.clone());
    users.iter().cloned().chain(first).collect()
}

async fn quality<S: Store>(
    context: &Context<'_, S>,
    story: &Story,
) -> Result<Vec<(String, Vec<Told>)>, Trouble> {
    let (users, span) = (chosen(context, story), part(context.query, story.cast.span));
    let mut flows = flows(context, &story.call, &users, span).await?;
    let told = |user: String| {
        let own = flows.remove(&user).unwrap_or_default();
        (user, figures::lines(&own, story.direction, span))
    };
    Ok(users.into_iter().map(told).collect())
}

fn head<S>(context: &Context<'_, S>, story: &Story) -> Markup {
    let (words, zone, call) = (context.view.prefs.lang, context.view.prefs.zone, &story.call);
    let time = |at: Millis| html! { time datetime=(at.secs()) title=(zone.full(at)) { (zone.time(at)) } };
    html! {
        div.title {
            div {
                p.crumbs {
                    a href={ "/ui/calls?app=" (call.app) } { (words.app()) " " (call.app) } " / "
                    a href={ "/ui/calls?app=" (call.app) } { (words.calls()) } " / " (zone.date(call.created))
                }
                h1 { (words.room()) " " bdi { (call.room) } " " (state(words, call)) }
                p.mono { bdi { (call.comm_id) } " " (copy(words, words.copy(), Some(call.comm_id.as_str()))) }
                @if call.ended.is_none() {
                    button #pause type="button" hidden aria-pressed="false" data-call=(call.comm_id) { (words.pause()) }
                }
            }
            dl.facts {
                div { dt { (words.started()) } dd { (time(call.created)) } }
                div { dt { (words.ended_at()) } dd { @if let Some(end) = call.ended { (time(end)) } @else { "–" } } }
                div { dt { (words.duration()) } dd { (duration(call.ended.unwrap_or(story.now).0 - call.created.0)) } }
                div { dt { (words.users()) } dd { (story.cast.members.len()) } }
                div { dt { (words.sessions()) } dd { (story.cast.sessions) } }
                div { dt { (words.peak()) } dd { (story.cast.peak) } }
                @if !call.creator.is_empty() { div { dt { (words.creator()) } dd.clip { bdi { (call.creator) } } } }
                div { dt { (words.source()) } dd { (call.source) @if !call.instance.is_empty() { " · " (call.instance) } } }
            }
        }
    }
}

/// The heading of the panel, with what one may do to it.
fn bar<S>(context: &Context<'_, S>, story: &Story, face: Face, question: &Markup) -> Markup {
    let (words, query, here) = (context.view.prefs.lang, context.query, here(&story.call));
    let kept = query.pairs().filter(|(name, _)| !["q", "sort", "skip"].contains(name));
    html! {
        header {
            h2 { (words.who()) }
            span.tabs { @for other in Face::ALL {
                a.tab href={ (here) (query.with("view", Some(other.name()))) }
                    aria-current=[(face == other).then_some("true")] { (other.told(words)) }
            } }
            (rows::directions(context, story))
            form.inline #filter {
                @for (name, value) in kept { input type="hidden" name=(name) value=(value); }
                label { span.sr { (words.filter()) }
                    input type="search" name="q" value=(query.text("q").unwrap_or_default()) placeholder=(words.filter()); }
                label { span.sr { (words.sort()) } select name="sort" {
                    option value="worst" { (words.sort_worst()) }
                    option value="join" selected[query.text("sort") == Some("join")] { (words.sort_join()) }
                } }
                button type="submit" { (words.show()) }
            }
            p.legend {
                span.key.good { (words.good()) } span.key.fair { (words.fair()) } span.key.poor { (words.poor()) }
                @if face == Face::Lanes {
                    span.key.mark { (words.event()) } span.key.mark.problem { (words.ev_problem()) }
                    span.key.gap title=(words.key_inferred()) { (words.inferred()) }
                    span.key.ring title=(words.key_ring()) { (words.end_not_seen()) }
                    span.key.open { (words.still_inside()) }
                }
            }
            span.tools {
                (question)
                @if face != Face::Lanes { a href={ (here) (query.with("format", Some("csv"))) } { "CSV" } }
                @else { a href={ (here) (Query::parse("view=table").with("format", Some("csv"))) } { "CSV" } }
                (copy(words, words.copy_link(), None))
            }
        }
    }
}

/// Where a script draws the charts of the chosen users.
fn charts<S>(context: &Context<'_, S>, story: &Story) -> Markup {
    let words = context.view.prefs.lang;
    let users = chosen(context, story);
    let asked = [("UserIds", list(&users))];
    let twin = format!("{}{}", here(&story.call), context.query.with("view", Some("quality")));
    let pins = story::pins(&users);
    let mut pairs = vec![("u", pins.as_str())];
    pairs.extend(story.direction.name().map(|name| ("dir", name)));
    html! {
        @if users.is_empty() {
            p.state { (words.choose_user()) }
        } @else {
            @let source = format!("/ui/data/call/{}{}", segment(story.call.comm_id.as_str()), query::of(&pairs));
            header {
                h2 { (words.quality_of()) " "
                    @for (place, user) in users.iter().enumerate() {
                        @if place > 0 { ", " }
                        bdi { (user) }
                        @if users.len() > 1 { svg.dash viewBox="0 0 24 6" aria-hidden="true" { path class={ "u" (place + 1) } d="M0 3h24" {} } }
                    }
                }
                span.tools {
                    a href=(twin) { (words.as_table()) }
                    (api(context, story, "DescribeCallDetailInfo", &asked))
                }
                span #at .mono {}
            }
            div #charts .charts data-src=(source) data-failed=(words.store_trouble()) {
                p.state.wait { (words.loading()) }
                noscript { p.state { a href=(twin) { (words.as_table()) } } }
            }
        }
    }
}

#[cfg(test)]
mod fill_tests {
    use super::*;

    #[test]
    fn parts_are_filled_in_and_what_people_wrote_is_no_template() {
        assert_eq!(fill("{1} of {0}{2}", &["{1}", "x"]), "x of {1}");
        assert_eq!(fill("none", &[]), "none");
    }

    #[test]
    fn the_part_of_a_call_stays_inside_it() {
        let whole = Span { from: 100, to: 200 };
        let check = |query: &str, from: i64, to: i64| {
            assert_eq!(part(&Query::parse(query), whole), Span { from, to }, "{query}");
        };
        check("", 100, 200);
        check("from=120&to=150", 120, 150);
        check("from=-9&to=999", 100, 200);
        check("from=500&to=1", 199, 200);
        check("from=9223372036854775807&to=-9223372036854775808", 199, 200);
    }
}
