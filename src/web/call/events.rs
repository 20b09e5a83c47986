//! What happened to those that are shown, in order of time.

use maud::{Markup, html};

use super::story::{Story, is_problem};
use super::{api, fill, here, part};
use crate::records::{Event, Kind, Millis, Reason, ReasonClass, Track};
use crate::web::Context;
use crate::web::lanes::Span;
use crate::web::query::{self, Query};
use crate::web::words::Lang;

/// Events that are listed beside the lanes.
const EVENTS_MAX: usize = 200;

/// Kinds of events that are chosen together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Problem,
    Stay,
    Media,
    Other,
}

impl Group {
    const ALL: [Group; 4] = [Group::Problem, Group::Stay, Group::Media, Group::Other];

    /// Its name in addresses.
    const fn name(self) -> &'static str {
        match self {
            Group::Problem => "problem",
            Group::Stay => "stay",
            Group::Media => "media",
            Group::Other => "other",
        }
    }

    const fn told(self, words: Lang) -> &'static str {
        match self {
            Group::Problem => words.ev_problem(),
            Group::Stay => words.ev_stay(),
            Group::Media => words.ev_media(),
            Group::Other => words.event_other(),
        }
    }

    fn of(event: &Event) -> Group {
        if event.reason.as_ref().is_some_and(|reason| is_problem(reason.class)) {
            return Group::Problem;
        }
        match event.kind {
            Kind::UserJoined | Kind::UserLeft | Kind::RecordJoined(_) | Kind::RecordLeft(_) => Group::Stay,
            Kind::Media { .. } => Group::Media,
            Kind::UserChanged
            | Kind::RoomCreated
            | Kind::RoomDestroyed
            | Kind::EmitterReset
            | Kind::Attributes
            | Kind::Unknown { .. } => Group::Other,
        }
    }
}

/// The events of one page of the list.
struct Listed<'a> {
    /// In order of time.
    events: Vec<&'a Event>,
    /// How many came before, and how many there are.
    skip: usize,
    of: usize,
    /// The part of the call that they are from, where that is not all of it.
    part: Option<Span>,
}

/// The events that are chosen: of some kinds, in the part that is shown.
fn chosen<'a, S>(context: &Context<'_, S>, story: &'a Story) -> Listed<'a> {
    let (wanted, span) = (context.query.list("ev"), part(context.query, story.cast.span));
    let is_wanted = |event: &&Event| {
        (span.from..=span.to).contains(&event.at.secs())
            && (wanted.is_empty() || wanted.contains(&Group::of(event).name()))
    };
    let mut events: Vec<&Event> =
        story.people.iter().flat_map(|person| &person.events).filter(is_wanted).collect();
    events.sort();
    let of = events.len();
    let skip = context.query.number("evskip").and_then(|skip| usize::try_from(skip).ok()).unwrap_or(0);
    let skip = if skip < of { skip } else { 0 };
    let events = events.into_iter().skip(skip).take(EVENTS_MAX).collect();
    Listed { events, skip, of, part: (span != story.cast.span).then_some(span) }
}

pub(super) fn panel<S>(context: &Context<'_, S>, story: &Story) -> Markup {
    html! { section.panel.events { (content(context, story)) } }
}

/// What is in the panel; a script asks for it anew when another part of the call is shown.
pub(super) fn content<S>(context: &Context<'_, S>, story: &Story) -> Markup {
    let (words, zone) = (context.view.prefs.lang, context.view.prefs.zone);
    let listed = chosen(context, story);
    let user = story.people.first().map(|person| person.user.clone());
    html! {
        header { h2 { (words.events()) }
            @if let Some(user) = user { (api(context, story, "DescribeUserEvent", &[("UserId", user)])) } }
        (filter(context, story))
        @if let Some(span) = listed.part { (narrowed(context, story, span)) }
        @if listed.events.is_empty() {
            p.state { (if listed.part.is_some() { words.no_events_here() } else { words.no_events() }) }
        }
        ol tabindex="0" aria-label=(words.events()) {
            @for event in &listed.events {
                @let is_problem = Group::of(event) == Group::Problem;
                li data-at=(event.at.secs()) data-problem=[is_problem.then_some("1")] {
                    time datetime=(event.at.secs()) title=(zone.full(event.at)) { (zone.time(event.at)) }
                    div {
                        @if is_problem { span.poor { "⚠ " (happened(words, event)) } }
                        @else { span { (happened(words, event)) } }
                        span.dim.clip { bdi { (event.user) } }
                    }
                }
            }
        }
        (pages(context, story, &listed))
    }
}

/// Says that the list is of a part of the call, and leads to all of it.
fn narrowed<S>(context: &Context<'_, S>, story: &Story, span: Span) -> Markup {
    let (words, zone) = (context.view.prefs.lang, context.view.prefs.zone);
    let time = |second: i64| zone.time(Millis::from_secs(second));
    let kept = context.query.pairs().filter(|(name, _)| !["from", "to", "evskip"].contains(name));
    let all = query::address(&here(&story.call), &kept.collect::<Vec<_>>());
    html! {
        p.note.narrowed { (fill(words.events_of_part(), &[&time(span.from), &time(span.to)])) " "
            a data-own href=(all) { (words.show_all()) } }
    }
}

/// Which events of how many these are, and the way to the others.
fn pages<S>(context: &Context<'_, S>, story: &Story, listed: &Listed<'_>) -> Markup {
    let words = context.view.prefs.lang;
    let Listed { events, skip, of, .. } = listed;
    let to = |skip: usize| {
        let skip = (skip > 0).then(|| skip.to_string());
        format!("{}{}", here(&story.call), context.query.with("evskip", skip.as_deref()))
    };
    let some = [skip + 1, skip + events.len(), *of].map(|number| number.to_string());
    html! {
        @if *of > EVENTS_MAX {
            nav.pages.note aria-label=(words.pages()) {
                @if *skip > 0 { a.button href=(to(skip.saturating_sub(EVENTS_MAX))) { (words.earlier()) } }
                span { (some[0]) "–" (some[1]) " / " (some[2]) }
                @if skip + events.len() < *of { a.button href=(to(skip + EVENTS_MAX)) { (words.later()) } }
            }
        }
    }
}

/// One link a kind, each of which adds it to or takes it from what is shown.
fn filter<S>(context: &Context<'_, S>, story: &Story) -> Markup {
    let words = context.view.prefs.lang;
    let wanted = context.query.list("ev");
    html! {
        nav.kinds aria-label=(words.ev_kinds()) {
            @for group in Group::ALL {
                @let is_on = wanted.contains(&group.name());
                @let others = wanted.iter().copied().filter(|name| *name != group.name());
                @let next: Vec<&str> = if is_on { others.collect() } else { others.chain([group.name()]).collect() };
                @let list = next.join(",");
                @let first = Query::parse(context.query.with("evskip", None).trim_start_matches('?'));
                a.tab href={ (here(&story.call)) (first.with("ev", (!list.is_empty()).then_some(&list))) }
                    aria-current=[is_on.then_some("true")] { (group.told(words)) }
            }
        }
    }
}

/// What happened, in words.
pub(in crate::web) fn happened(words: Lang, event: &Event) -> String {
    let text = match &event.kind {
        Kind::UserJoined | Kind::RecordJoined(_) => words.event_joined(),
        Kind::UserLeft | Kind::RecordLeft(_) => words.event_left(),
        Kind::UserChanged => words.event_changed(),
        Kind::Media { track, on } => match (track, on) {
            (Track::Audio, true) => words.audio_on(),
            (Track::Audio, false) => words.audio_off(),
            (Track::Video, true) => words.video_on(),
            (Track::Video, false) => words.video_off(),
            (Track::Screen, true) => words.screen_on(),
            (Track::Screen, false) => words.screen_off(),
        },
        Kind::RoomCreated => words.room_created(),
        Kind::RoomDestroyed => words.room_destroyed(),
        Kind::Unknown { name, .. } if !name.is_empty() => return format!("{} · {name}", words.event_other()),
        Kind::EmitterReset | Kind::Attributes | Kind::Unknown { .. } => words.event_other(),
    };
    let reason = event.reason.as_ref().map_or("", |reason| told(words, reason));
    if reason.is_empty() { text.to_owned() } else { format!("{text} · {reason}") }
}

/// A reason: the source's own word, else its class in ours. A number says nothing to who reads it, unless it is all that
/// is known.
pub(in crate::web) fn told(words: Lang, reason: &Reason) -> &str {
    let is_word = reason.raw.bytes().any(|byte| !byte.is_ascii_digit());
    if is_word || reason.class == ReasonClass::Unknown { &reason.raw } else { why(words, reason.class) }
}

/// A class of reasons in words, or nothing where there is nothing to say.
pub(in crate::web) const fn why(words: Lang, class: ReasonClass) -> &'static str {
    match class {
        ReasonClass::Timeout => words.why_timeout(),
        ReasonClass::Kicked => words.why_kicked(),
        ReasonClass::RoomClosed => words.room_destroyed(),
        ReasonClass::Killed => words.why_killed(),
        ReasonClass::Duplicate => words.why_duplicate(),
        ReasonClass::NetworkSwitch => words.why_network(),
        ReasonClass::ServerShutdown => words.why_shutdown(),
        ReasonClass::JoinFailed => words.why_join_failed(),
        ReasonClass::Normal | ReasonClass::RelayEnded | ReasonClass::Unknown => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_told_in_words_unless_it_is_all_that_is_known() {
        let lang = Lang::En;
        let told = |class, raw: &str| told(lang, &Reason { class, raw: raw.to_owned() }).to_owned();
        assert_eq!(told(ReasonClass::Timeout, "2"), lang.why_timeout());
        assert_eq!(told(ReasonClass::Timeout, "ICE failed"), "ICE failed");
        assert_eq!(told(ReasonClass::Kicked, ""), lang.why_kicked());
        assert_eq!(told(ReasonClass::Normal, "1"), "");
        assert_eq!(told(ReasonClass::Unknown, "9"), "9");
    }
}
