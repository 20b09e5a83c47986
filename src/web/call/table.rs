//! The lanes as an ordinary table, and as a file.

use maud::{Markup, html};

use super::events::told;
use super::here;
use super::rows::{joined, left, score_of};
use super::story::{Person, Story};
use crate::records::Millis;
use crate::records::{Attr, LeaveSource, Session, device_type};
use crate::web::prefs::duration;
use crate::web::score;
use crate::web::sheet::Sheet;
use crate::web::words::Lang;
use crate::web::{Context, Shown};

/// Users whose sessions are written at a time.
pub(super) const TABLE_USERS: usize = 500;

fn attr(session: &Session, attr: Attr) -> &str {
    session.attrs.get(&attr).map_or("", String::as_str)
}

pub(super) fn table<S>(context: &Context<'_, S>, story: &Story, skip: usize) -> Markup {
    let words = context.view.prefs.lang;
    let rest = story.asked.saturating_sub(skip + TABLE_USERS);
    html! {
        div.scroll tabindex="0" role="region" aria-label=(words.table()) {
            table {
                thead { tr {
                    th scope="col" { (words.user()) } th scope="col" { (words.joined()) } th scope="col" { (words.left()) }
                    th.number scope="col" { (words.duration()) } th scope="col" { (words.device()) } th scope="col" { "SDK" }
                    th scope="col" { "IP" } th scope="col" { (words.reason()) }
                    th.number scope="col" { (words.score()) } th scope="col" { (words.worst_minute()) }
                } }
                tbody {
                    @for person in &story.people {
                        @for session in &person.sessions { (row(context, story, person, session)) }
                    }
                }
            }
        }
        @if rest > 0 {
            p.state { a.button href={ (here(&story.call)) (context.query.with("skip", Some(&(skip + TABLE_USERS).to_string()))) } {
                (words.more()) " (" (rest) ")"
            } }
        }
    }
}

/// A value, or that there is none.
fn known(text: &str) -> &str {
    if text.is_empty() { "–" } else { text }
}

/// Why a user left.
fn reason(words: Lang, session: &Session) -> &str {
    session.leave_reason.as_ref().map_or("", |reason| told(words, reason))
}

fn row<S>(context: &Context<'_, S>, story: &Story, person: &Person, session: &Session) -> Markup {
    let (words, zone) = (context.view.prefs.lang, context.view.prefs.zone);
    let is_inferred = session.leave_source != LeaveSource::Seen;
    html! {
        tr {
            td.clip { bdi { (person.user) } }
            td { (joined(words, session, zone)) }
            td class=[is_inferred.then_some("inferred")] { (left(words, session, zone)) }
            td.number { (duration(session.left.unwrap_or(story.now).0 - session.joined.0)) }
            td { (known(device_type(&session.attrs))) }
            td { (known(attr(session, Attr::SdkVersion))) }
            td { (known(attr(session, Attr::ClientIp))) }
            td { (known(reason(words, session))) }
            td.number { (score_of(person)) }
            td { @if let Some(minute) = score::worst_minute(&person.runs) { (zone.time(Millis::from_secs(minute))) } @else { "–" } }
        }
    }
}

/// All sessions as a file: moments as epoch seconds, and how they are known.
pub(super) fn csv(story: &Story) -> Shown {
    let second = |at: Option<Millis>| at.map_or_else(String::new, |at| at.secs().to_string());
    let mut sheet = Sheet::new(&[
        "user",
        "joined_s",
        "join_known_by",
        "left_s",
        "leave_known_by",
        "duration_s",
        "device",
        "sdk_version",
        "client_ip",
        "reason",
        "score",
        "worst_minute_s",
    ]);
    for person in &story.people {
        for session in &person.sessions {
            let end = session.left.unwrap_or(story.now);
            sheet.row([
                person.user.as_str(),
                &second(Some(session.joined)),
                session.join_source.name(),
                &second(session.left),
                session.leave_source.name(),
                &(end.secs() - session.joined.secs()).to_string(),
                device_type(&session.attrs),
                attr(session, Attr::SdkVersion),
                attr(session, Attr::ClientIp),
                session.leave_reason.as_ref().map_or("", |reason| reason.raw.as_str()),
                &person.score.map_or_else(String::new, |score| format!("{score:.2}")),
                &score::worst_minute(&person.runs).map_or_else(String::new, |minute| minute.to_string()),
            ]);
        }
    }
    sheet.shown("sessions")
}
