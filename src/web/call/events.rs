//! What happened to those that are shown, in order of time.

use maud::{Markup, html};

use super::story::{Story, is_problem};
use super::{api, here};
use crate::records::{Event, Kind, ReasonClass, Track};
use crate::web::Context;
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

/// The events that are chosen, in order of time, and whether there are more.
fn chosen<'a, S>(context: &Context<'_, S>, story: &'a Story) -> (Vec<&'a Event>, bool) {
    let wanted = context.query.list("ev");
    let is_wanted = |event: &&Event| wanted.is_empty() || wanted.contains(&Group::of(event).name());
    let mut events: Vec<&Event> =
        story.people.iter().flat_map(|person| &person.events).filter(is_wanted).collect();
    events.sort();
    let has_more = events.len() > EVENTS_MAX;
    events.truncate(EVENTS_MAX);
    (events, has_more)
}

pub(super) fn panel<S>(context: &Context<'_, S>, story: &Story) -> Markup {
    let (words, zone) = (context.view.prefs.lang, context.view.prefs.zone);
    let (events, has_more) = chosen(context, story);
    let user = story.people.first().map(|person| person.user.clone());
    html! {
        section.panel.events {
            header { h2 { (words.events()) }
                @if let Some(user) = user { (api(context, story, "DescribeUserEvent", &[("UserId", user)])) } }
            (filter(context, story))
            @if events.is_empty() { p.state { (words.no_events()) } }
            ol tabindex="0" aria-label=(words.events()) {
                @for event in &events {
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
            @if has_more { p.state { (words.events_cut()) } }
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
                a.tab href={ (here(&story.call)) (context.query.with("ev", (!list.is_empty()).then_some(&list))) }
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
    let raw = event.reason.as_ref().map_or_else(String::new, |reason| {
        if reason.raw.is_empty() { why(words, reason.class).to_owned() } else { reason.raw.clone() }
    });
    if raw.is_empty() { text.to_owned() } else { format!("{text} · {raw}") }
}

/// A class of reasons in words, or nothing where there is nothing to say.
pub(super) const fn why(words: Lang, class: ReasonClass) -> &'static str {
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
