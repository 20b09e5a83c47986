//! How "now" reads: the parts of the page that change, for the page itself and for those who watch it.

use maud::{Markup, html};

use super::super::call::happened;
use super::super::figures::{grouped, spark};
use super::super::prefs::Zone;
use super::super::query::{Query, segment};
use super::super::score;
use super::super::words::Lang;
use super::now::{Minute, Now, Room, Worst};
use crate::records::quality::Metric;
use crate::records::{AppId, Event, Millis};

/// Rooms that are listed.
pub(super) const ROOMS_SHOWN: usize = 100;
/// Events that are listed.
const EVENTS_SHOWN: usize = 30;
/// The minutes that one mark of a sparkline leads to.
const STEP: usize = 5;

/// The texts of the parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) at: String,
    pub(super) summary: String,
    /// The summary in one sentence, for who does not see it.
    pub(super) said: String,
    pub(super) history: String,
    pub(super) note: String,
    pub(super) events: String,
    /// The rows of rooms by what they are known by, in order.
    pub(super) rows: Vec<(String, String)>,
}

impl Parts {
    pub(super) fn of(app: AppId, now: &Now, words: Lang, zone: Zone) -> Parts {
        let rows = now.rooms.iter().take(ROOMS_SHOWN);
        Parts {
            at: zone.time(now.at),
            summary: summary(now, words).into_string(),
            said: said(now, words),
            history: history(app, now, words, zone).into_string(),
            note: note(app, now, words).into_string(),
            events: events(app, now, words, zone).into_string(),
            rows: rows.map(|room| (key(room), row(room, words, zone).into_string())).collect(),
        }
    }

    /// The parts that are replaced as a whole, by the id of their place.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("at", &*self.at),
            ("summary", &*self.summary),
            ("said", &*self.said),
            ("history", &*self.history),
            ("note", &*self.note),
            ("happened", &*self.events),
        ]
        .into_iter()
    }
}

#[expect(clippy::cast_precision_loss, reason = "users are fewer than 2^53")]
fn share(part: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| 100.0 * part as f64 / of as f64)
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1} %"))
}

fn summary(now: &Now, words: Lang) -> Markup {
    let freeze = |value: Option<f64>| {
        let class = match value {
            Some(value) if value >= 5.0 => Some("poor"),
            Some(value) if value >= 2.0 => Some("fair"),
            Some(_) | None => None,
        };
        html! { dd class=[class] { (percent(value)) } }
    };
    html! {
        div { dt { (words.online_users()) } dd { (grouped(now.users)) } }
        div { dt { (words.rooms()) } dd { (grouped(now.rooms.len())) } }
        div { dt { (words.problem_users()) }
            dd class=[(now.problems > 0).then_some("poor")] {
                @if now.measured == 0 { "–" } @else {
                    (grouped(now.problems)) " " small { "(" (percent(share(now.problems, now.measured))) ")" }
                }
            } }
        div { dt { (words.audio_freeze()) } (freeze(now.audio_freeze)) }
        div { dt { (words.video_freeze()) } (freeze(now.video_freeze)) }
    }
}

fn said(now: &Now, words: Lang) -> String {
    let parts = [
        (words.online_users(), now.users),
        (words.rooms(), now.rooms.len()),
        (words.problem_users(), now.problems),
    ];
    parts.map(|(name, count)| format!("{name}: {count}")).join(", ")
}

/// What is not known, and why.
fn note(app: AppId, now: &Now, words: Lang) -> Markup {
    html! {
        @if !now.is_whole { p { (words.live_bounded()) } }
        @if now.users > 0 && now.measured == 0 { p { (words.live_unmeasured()) } }
        @if 0 < now.measured && now.measured < now.users {
            p { (words.live_measured()) " " (grouped(now.measured)) " / " (grouped(now.users)) }
        }
        @if now.rooms.len() > ROOMS_SHOWN {
            p { a href={ "/ui/calls?app=" (app) } { (words.live_more()) " " (grouped(now.rooms.len() - ROOMS_SHOWN)) } }
        }
        @if now.rooms.is_empty() {
            div.state { p { (words.live_quiet()) } p.dim { (words.live_quiet_hint()) } }
        }
    }
}

/// Where the calls of some minutes are listed.
fn calls_of(app: AppId, minutes: &[Minute]) -> String {
    let from = minutes.first().map_or(0, |minute| minute.start_s);
    let to = minutes.last().map_or(0, |minute| minute.start_s + 59);
    format!("/ui/calls?app={app}&from={from}&to={to}")
}

fn history(app: AppId, now: &Now, words: Lang, zone: Zone) -> Markup {
    let clock = |second: i64| zone.time(Millis::from_secs(second)).get(..5).unwrap_or_default().to_owned();
    let begin = now.minutes.first().map_or(now.at.secs(), |minute| minute.start_s);
    let column = |name: &'static str, class: &'static str, of: fn(&Minute) -> Option<usize>| {
        let values: Vec<Option<usize>> = now.minutes.iter().map(of).collect();
        let most = values.iter().flatten().max();
        html! {
            figure {
                figcaption { span { (name) } span.dim { @if let Some(most) = most { (words.peak()) " " (grouped(*most)) } } }
                svg class={ "spark " (class) } viewBox={ "0 0 " (values.len()) " 40" } preserveAspectRatio="none" aria-hidden="true" {
                    path d=(spark(&values, 40)) {}
                    @for (place, minutes) in now.minutes.chunks(STEP).enumerate() {
                        a href=(calls_of(app, minutes)) tabindex="-1" {
                            rect x=(place * STEP) y="0" width=(minutes.len()) height="40" {
                                title { (clock(minutes.first().map_or(0, |minute| minute.start_s))) " · "
                                    (grouped(minutes.iter().filter_map(of).max().unwrap_or(0))) }
                            }
                        }
                    }
                }
                p.ends aria-hidden="true" { span { (clock(begin)) } span { (clock(now.at.secs())) } }
            }
        }
    };
    let most = |minutes: &[Minute], of: fn(&Minute) -> Option<usize>| {
        minutes.iter().filter_map(of).max().map_or_else(|| "–".to_owned(), grouped)
    };
    html! {
        div.sparks {
            (column(words.online_users(), "", |minute| Some(minute.users)))
            (column(words.rooms(), "", |minute| Some(minute.rooms)))
            (column(words.problem_users(), "bad", |minute| minute.problems))
        }
        details.twin {
            summary { (words.last_hour_table()) }
            div.scroll { table {
                thead { tr {
                    th scope="col" { (words.time()) } th.number scope="col" { (words.online_users()) }
                    th.number scope="col" { (words.rooms()) } th.number scope="col" { (words.problem_users()) }
                } }
                tbody { @for minutes in now.minutes.chunks(STEP) {
                    tr {
                        th scope="row" { a href=(calls_of(app, minutes)) { (clock(minutes.first().map_or(0, |minute| minute.start_s))) } }
                        td.number { (most(minutes, |minute| Some(minute.users))) }
                        td.number { (most(minutes, |minute| Some(minute.rooms))) }
                        td.number { (most(minutes, |minute| minute.problems)) }
                    }
                } }
            } }
        }
    }
}

fn row(room: &Room, words: Lang, zone: Zone) -> Markup {
    let href = format!("/ui/calls/{}", segment(room.call.comm_id.as_str()));
    let trend: Vec<Option<usize>> = room.trend.iter().copied().map(Some).collect();
    html! {
        tr data-key=(key(room)) {
            th.clip scope="row" { a href=(href) { bdi { (room.call.room) } } }
            td.number { (grouped(room.users)) }
            td.trend.wide { svg.spark viewBox={ "0 0 " (trend.len()) " 20" } preserveAspectRatio="none" aria-hidden="true" { path d=(spark(&trend, 20)) {} } }
            td.wide { time datetime=(room.call.created.secs()) title=(zone.full(room.call.created)) { (zone.time(room.call.created)) } }
            @match &room.worst {
                Some(worst) => {
                    td.clip { a href={ (href) (Query::default().with("u", Some(&worst.user))) } { bdi { (worst.user) } } }
                    td.number { span class=(score::class(worst.score)) { (format!("{:.1}", worst.score)) } }
                    td { (reason(worst, words)) }
                }
                None => { td { span.dim { "–" } } td.number { span.dim { "–" } } td { span.dim { (words.no_quality()) } } }
            }
        }
    }
}

/// What a row is known by: inert wherever it stands.
fn key(room: &Room) -> String {
    segment(room.call.comm_id.as_str()).into_owned()
}

/// Why it is worst there, in words.
pub(super) fn reason(worst: &Worst, words: Lang) -> Markup {
    let Some((metric, value, grade)) = worst.why else {
        return html! { span.key.good { (words.good()) } };
    };
    html! { span class={ "key " (grade.name()) } { (metric_name(metric, words)) " " (metric_value(metric, value)) } }
}

fn metric_name(metric: Metric, words: Lang) -> &'static str {
    match metric {
        Metric::AudioLoss => words.audio_loss(),
        Metric::VideoLoss => words.video_loss(),
        Metric::RoundTrip => words.round_trip(),
        Metric::AudioBlock => words.audio_stutter(),
        Metric::VideoBlock => words.video_frozen(),
        Metric::DecodeRate => words.frames_shown(),
        Metric::AppCpu | Metric::SysCpu => words.cpu(),
        Metric::AudioBitRate
        | Metric::VideoBitRate
        | Metric::CaptureRate
        | Metric::EncodeRate
        | Metric::Width
        | Metric::Height
        | Metric::CaptureEnergy
        | Metric::PlayEnergy
        | Metric::ReceiveRate => metric.name(),
    }
}

fn metric_value(metric: Metric, value: f64) -> String {
    match metric {
        Metric::AudioLoss | Metric::VideoLoss => format!("{value:.1} %"),
        Metric::AppCpu | Metric::SysCpu => format!("{value:.0} %"),
        Metric::RoundTrip | Metric::AudioBlock | Metric::VideoBlock => format!("{value:.0} ms"),
        Metric::DecodeRate | Metric::CaptureRate | Metric::EncodeRate | Metric::ReceiveRate => {
            format!("{value:.0} fps")
        }
        Metric::AudioBitRate
        | Metric::VideoBitRate
        | Metric::Width
        | Metric::Height
        | Metric::CaptureEnergy
        | Metric::PlayEnergy => format!("{value:.0}"),
    }
}

fn events(app: AppId, now: &Now, words: Lang, zone: Zone) -> Markup {
    let href = |event: &Event| match now.rooms.iter().find(|room| room.call.room == event.room) {
        Some(room) => {
            let query = Query::default()
                .with("u", Some(&event.user).filter(|user| !user.is_empty()).map(String::as_str));
            format!("/ui/calls/{}{query}", segment(room.call.comm_id.as_str()))
        }
        None => {
            let query = Query::parse(&format!("app={app}"));
            format!("/ui/calls{}", query.with("q", Some(&event.room)))
        }
    };
    html! {
        @if now.events.is_empty() { li.none { (words.no_news()) } }
        @for event in now.events.iter().take(EVENTS_SHOWN) {
            li {
                time datetime=(event.at.secs()) { (zone.time(event.at)) }
                div {
                    span { (happened(words, event)) }
                    span.dim.clip { @if !event.user.is_empty() { bdi { (event.user) } " · " } a href=(href(event)) { bdi { (event.room) } } }
                }
            }
        }
    }
}
