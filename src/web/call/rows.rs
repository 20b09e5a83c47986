//! Lanes: one row a user, with all of that user's sessions, on the time axis that the charts share.

use maud::{Markup, html};

use super::story::{self, Direction, LANES, Person, Story, is_problem};
use super::{fill, here};
use crate::records::{Attr, Event, JoinSource, LeaveSource, Millis, Session, device_type};
use crate::web::Context;
use crate::web::lanes::{self, Mark, Span, Stay};
use crate::web::prefs::Zone;
use crate::web::score::{self, Grade};
use crate::web::words::Lang;

/// The lanes with the axis above them.
pub(super) fn panel<S>(context: &Context<'_, S>, story: &Story, skip: usize) -> Markup {
    let (words, zone) = (context.view.prefs.lang, context.view.prefs.zone);
    html! {
        div.lanes data-from=(story.cast.span.from) data-to=(story.cast.span.to) tabindex="0" role="region" aria-label=(words.lanes()) {
            (lanes::definitions())
            table {
                (columns())
                thead {
                    (map(words, story))
                    tr.axis { th scope="col" {
                        (story.asked) " " (words.users())
                        @if story.cast.graded < story.cast.members.len() { " · " (fill(words.measured(), &[&story.cast.graded.to_string()])) }
                    } th.number scope="col" { (words.score()) }
                        td { (axis(story.cast.span, zone)) } }
                }
                tbody #rows { (rows(context, story, skip)) }
            }
        }
    }
}

/// The widths of the columns, which the charts have too.
pub(super) fn columns() -> Markup {
    html! { colgroup { col.c1; col.c2; col; } }
}

/// How many were there over time.
pub(super) fn map(words: Lang, story: &Story) -> Markup {
    html! {
        tr.map {
            th scope="col" colspan="2" { (words.in_room()) span.peak { (words.peak()) " " (story.cast.peak) } }
            td { (lanes::minimap(story.cast.span, &story.cast.outline, story.cast.peak)) }
        }
    }
}

/// The time axis: an SVG whose texts a script replaces when it zooms.
pub(super) fn axis(span: Span, zone: Zone) -> Markup {
    html! {
        svg.ticks aria-hidden="true" {
            @for (at, text) in span.ticks(zone) {
                @let percent = (at - span.from) * 100 / span.width();
                @let anchor = if percent < 3 { Some("start") } else if percent > 97 { Some("end") } else { None };
                text x={ (percent) "%" } y="13" text-anchor=[anchor] { (text) }
            }
        }
    }
}

/// Some rows of lanes. The last one leads on: a page of its own, of which a script takes the rows only.
pub(super) fn rows<S>(context: &Context<'_, S>, story: &Story, skip: usize) -> Markup {
    let words = context.view.prefs.lang;
    let pinned = story::pinned(context.query);
    let rest = story.asked.saturating_sub(skip + LANES);
    html! {
        @for person in &story.people {
            (row(context, story, person, &pinned))
        }
        @if story.people.is_empty() {
            tr.none { td colspan="3" { p.state { (words.no_users()) } } }
        }
        @if rest > 0 {
            tr.more { td colspan="3" {
                a.button href={ (here(&story.call)) (context.query.with("skip", Some(&(skip + LANES).to_string()))) } {
                    (words.more()) " (" (rest) ")"
                }
            } }
        }
    }
}

fn row<S>(context: &Context<'_, S>, story: &Story, person: &Person, pinned: &[String]) -> Markup {
    let (words, zone, query) = (context.view.prefs.lang, context.view.prefs.zone, context.query);
    let place = pinned.iter().position(|user| *user == person.user);
    let others: Vec<&str> = pinned.iter().filter(|user| **user != person.user).map(String::as_str).collect();
    let with: Vec<&str> =
        if place.is_some() { others } else { others.into_iter().chain([person.user.as_str()]).collect() };
    let stay = |session| {
        let sign = last_sign(person, session, story.now);
        Stay { session, told: stayed(words, session, sign, zone), sign }
    };
    let stays: Vec<Stay<'_>> = person.sessions.iter().map(|session| stay(&**session)).collect();
    let marks: Vec<Mark> = person.events.iter().map(mark).collect();
    let link = |users: &[&str]| {
        let users = (!users.is_empty()).then(|| story::pins(users));
        format!("{}{}", here(&story.call), query.with("u", users.as_deref()))
    };
    html! {
        tr data-user=(person.user) aria-selected=[place.map(|_| "true")] {
            th scope="row" {
                a.user href=(link(&[person.user.as_str()])) { bdi { (person.user) } }
                " " span.dim { (device(person)) }
                @if with.len() <= story::PINNED_MAX {
                    a.pin href=(link(&with)) title=(words.compare_charts()) {
                        (if place.is_some() { "−" } else { "+" }) span.sr { (words.compare_charts()) " " (person.user) }
                    }
                }
                span.sr { (told(words, person, &stays)) }
            }
            td.number { (score_of(person)) }
            td.strip { (lanes::lane(story.cast.span, &stays, &person.runs, &marks, story.now)) }
        }
    }
}

/// What a row says to who cannot see its lane.
fn told(words: Lang, person: &Person, stays: &[Stay<'_>]) -> String {
    let mut text: String = stays.iter().map(|stay| format!("{}. ", stay.told)).collect();
    let poor = person.runs.iter().filter(|(.., grade)| *grade == Grade::Poor).count();
    if person.score.is_some() {
        text += &fill(words.poor_times(), &[&poor.to_string()]);
    }
    text
}

/// When a user came and left; where the leave is inferred, also when there was the last sign.
fn stayed(words: Lang, session: &Session, sign: i64, zone: Zone) -> String {
    let known = format!("{} – {}", joined(words, session, zone), left(words, session, zone));
    match session.leave_source {
        LeaveSource::Open | LeaveSource::Seen => known,
        LeaveSource::RoomClosed | LeaveSource::Superseded | LeaveSource::EmitterReset | LeaveSource::Idle => {
            let last = fill(words.last_sign(), &[&zone.time(Millis::from_secs(sign))]);
            format!("{known}, {last}")
        }
    }
}

/// The last second of a stay at which there was a sign of the user: something happened, or was measured.
fn last_sign(person: &Person, session: &Session, now: Millis) -> i64 {
    let (from, to) = (session.joined.secs(), session.left.unwrap_or(now).secs());
    let events = person.events.iter().map(|event| event.at.secs()).filter(|at| from <= *at && *at < to);
    let measured = person.runs.iter().filter(|(begin, end, _)| *begin < to && *end > from);
    events.chain(measured.map(|(_, end, _)| *end.min(&to))).max().unwrap_or(from)
}

fn mark(event: &Event) -> Mark {
    let is_problem = event.reason.as_ref().is_some_and(|reason| is_problem(reason.class));
    Mark { at: event.at.secs(), is_problem }
}

/// The latest that is known of a user's device.
fn device(person: &Person) -> String {
    let known = person.sessions.iter().map(|session| {
        let version = session.attrs.get(&Attr::SdkVersion).map_or("", String::as_str);
        let parts = [device_type(&session.attrs), version];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
    });
    known.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

pub(super) fn score_of(person: &Person) -> Markup {
    match person.score {
        Some(score) => html! { span class=(score::class(score)) { (format!("{score:.1}")) } },
        None => html! { span.dim { "–" } },
    }
}

/// When a user left and how that is known.
pub(in crate::web) fn left(words: Lang, session: &Session, zone: Zone) -> String {
    let why = match session.leave_source {
        LeaveSource::Open => return words.still_inside().to_owned(),
        LeaveSource::Seen => None,
        LeaveSource::RoomClosed => Some(words.left_room_closed()),
        LeaveSource::Superseded => Some(words.left_superseded()),
        LeaveSource::EmitterReset => Some(words.left_reset()),
        LeaveSource::Idle => Some(words.left_idle()),
    };
    let time = session.left.map_or_else(String::new, |at| zone.time(at));
    why.map_or_else(|| time.clone(), |why| format!("{time} ({why})"))
}

/// When a user came and how that is known.
pub(in crate::web) fn joined(words: Lang, session: &Session, zone: Zone) -> String {
    let time = zone.time(session.joined);
    match session.join_source {
        JoinSource::Seen => time,
        JoinSource::Hinted => format!("{time} ({})", words.joined_hinted()),
        JoinSource::Inferred => format!("{time} ({})", words.joined_inferred()),
    }
}

/// The most frequent of some names.
fn ranked(all: &[(String, usize)]) -> Vec<(&str, usize)> {
    const RANKED: usize = 6;
    all.iter().take(RANKED).map(|(name, count)| (name.as_str(), *count)).collect()
}

/// A large call in numbers, before the lanes of those that were poorly off.
pub(super) fn overview<S>(context: &Context<'_, S>, story: &Story) -> Markup {
    let words = context.view.prefs.lang;
    let Some(crowd) = &story.cast.crowd else { return html! {} };
    let [good, fair, poor, unknown] = crowd.by_score;
    let list = |title: &str, counts: Vec<(&str, usize)>| {
        html! {
            table {
                thead { tr { th scope="col" { (title) } th.number scope="col" { (words.users()) } } }
                tbody { @for (name, count) in counts {
                    tr { th scope="row" { @if name.is_empty() { "–" } @else { bdi { (name) } } } td.number { (count) } }
                } }
            }
        }
    };
    let scores = vec![
        (words.good(), good),
        (words.fair(), fair),
        (words.poor(), poor),
        (words.not_measured(), unknown),
    ];
    let count = |number: usize| number.to_string();
    html! {
        section.overview aria-label=(words.overview()) {
            p { (fill(words.crowd(), &[&count(story.cast.members.len()), &count(story.cast.graded)])) }
            div {
                (list(words.score(), scores))
                (list("SDK", ranked(&crowd.by_sdk)))
                (list(words.device(), ranked(&crowd.by_device)))
            }
        }
    }
}

/// Which direction the lanes show.
pub(super) fn directions<S>(context: &Context<'_, S>, story: &Story) -> Markup {
    let words = context.view.prefs.lang;
    let all = [
        (Direction::Both, words.both()),
        (Direction::Received, words.received()),
        (Direction::Sent, words.sent_way()),
    ];
    html! {
        span.tabs role="group" aria-label=(words.direction()) {
            @for (direction, name) in all {
                a.tab.dir href={ (here(&story.call)) (context.query.with("dir", direction.name())) }
                    aria-current=[(direction == story.direction).then_some("true")] { (name) }
            }
        }
    }
}
