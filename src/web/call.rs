//! One call: who was there, how it was, what happened.
//!
//! [`Story`] is what the store tells of the call, [`page`] writes it. Lanes come 40 at a time, so a call of ten thousand
//! opens as fast as one of ten; of a large call only the shown lanes are graded.

use std::collections::BTreeMap;
use std::sync::Arc;

use maud::{Markup, html};

use super::calls::{peak, state};
use super::lanes::{self, Span};
use super::prefs::duration;
use super::query::{Query, segment};
use super::score::{self, Runs};
use super::shell::{self, Nav};
use super::words::Lang;
use super::{Context, Shown, Trouble};
use crate::records::quality::{GAP_MS_MAX, Metric, Points, Series, metrics};
use crate::records::{
    Attr, Call, CommId, Event, JoinSource, Kind, LeaveSource, Millis, Session, Track, device_type,
};
use crate::store::{SampleQuery, SessionQuery, Store, UserQuery};

/// Lanes that are written at a time.
pub(super) const LANES: usize = 40;
/// Users that are graded to find the worst; of a larger call only those that are shown are.
const GRADED_MAX: usize = 200;
/// Sessions of a call that a page reads.
const SESSIONS_MAX: usize = 100_000;
/// Events that are listed beside the lanes.
const EVENTS_MAX: usize = 200;

/// One user of a call.
pub(super) struct Person {
    pub(super) user: String,
    pub(super) sessions: Vec<Arc<Session>>,
    pub(super) runs: Runs,
    pub(super) score: Option<f64>,
}

impl Person {
    fn newest(&self) -> &Session {
        &self.sessions[0]
    }
}

/// What is known of a call.
pub(super) struct Story {
    pub(super) call: Call,
    pub(super) people: Vec<Person>,
    pub(super) sessions: usize,
    pub(super) peak: usize,
    pub(super) span: Span,
    pub(super) now: Millis,
}

/// The call at an address, if the viewer may see it.
pub(super) async fn find<S: Store>(context: &Context<'_, S>, comm_id: &str) -> Result<Call, Trouble> {
    let comm_id = CommId::from_text(comm_id);
    let app = comm_id.app().filter(|app| context.view.apps.contains(app)).ok_or(Trouble::NotFound)?;
    context.store.call(app, &comm_id, context.horizon()).await?.ok_or(Trouble::NotFound)
}

/// Reads a call: everybody, and the grades of those that are few enough.
async fn read<S: Store>(context: &Context<'_, S>, call: Call) -> Result<Story, Trouble> {
    let query = SessionQuery {
        app: call.app,
        comm_id: &call.comm_id,
        from_s: i64::MIN,
        to_s: i64::MAX,
        users: None,
        skip: 0,
        take: SESSIONS_MAX,
        now: context.now,
        horizon: context.horizon(),
    };
    let sessions = context.store.sessions(&query).await?;
    let end = call.ended.unwrap_or(context.now);
    let first = sessions.iter().map(|session| session.joined).min().unwrap_or(call.created).min(call.created);
    let last =
        sessions.iter().map(|session| session.left.unwrap_or(context.now)).max().unwrap_or(end).max(end);
    let spans = sessions.iter().map(|session| (session.joined, session.left.unwrap_or(last)));
    let (peak, count) = (peak(spans), sessions.len());
    let mut by_user: BTreeMap<String, Vec<Arc<Session>>> = BTreeMap::new();
    for session in sessions {
        by_user.entry(session.user.clone()).or_default().push(session);
    }
    let person = |(user, sessions)| Person { user, sessions, runs: Runs::new(), score: None };
    let people = by_user.into_iter().map(person).collect();
    let span = Span { from: first.secs(), to: last.secs().max(first.secs() + 1) };
    Ok(Story { call, people, sessions: count, peak, span, now: context.now })
}

/// Measurements of users over the whole of a call.
pub(super) async fn samples<S: Store>(
    context: &Context<'_, S>,
    call: &Call,
    users: &[String],
    span: Span,
) -> Result<Vec<Series>, Trouble> {
    let query = SampleQuery {
        app: call.app,
        room: &call.room,
        users,
        from: Millis::from_secs(span.from).plus(-GAP_MS_MAX).max(context.horizon()),
        to: Millis::from_secs(span.to).plus(999),
    };
    Ok(context.store.samples(&query).await?)
}

/// The metrics of one user with each peer (`""`: what the user sent).
pub(super) fn by_peer(series: &[Series], user: &str) -> BTreeMap<String, BTreeMap<Metric, Points>> {
    let mut peers: BTreeMap<&str, Vec<&Series>> = BTreeMap::new();
    for one in series.iter().filter(|one| one.flow.user == user) {
        peers.entry(&one.flow.peer).or_default().push(one);
    }
    peers.into_iter().map(|(peer, all)| (peer.to_owned(), metrics(&all))).collect()
}

/// Grades the people of a slice.
async fn grade<S: Store>(
    context: &Context<'_, S>,
    call: &Call,
    span: Span,
    people: &mut [Person],
) -> Result<(), Trouble> {
    let users: Vec<String> = people.iter().map(|person| person.user.clone()).collect();
    let series = samples(context, call, &users, span).await?;
    for person in people {
        let peers = by_peer(&series, &person.user);
        person.runs = score::runs(peers.values().flatten());
        person.score = score::score(&person.runs);
    }
    Ok(())
}

impl Story {
    /// Worst first, then by join; those that nothing is known of last.
    async fn sort<S: Store>(&mut self, context: &Context<'_, S>) -> Result<(), Trouble> {
        if self.people.len() <= GRADED_MAX {
            grade(context, &self.call, self.span, &mut self.people).await?;
        }
        let joined = |person: &Person| person.sessions.iter().map(|session| session.joined).min();
        let by_join = context.query.text("sort") == Some("join");
        self.people.sort_by(|a, b| {
            let score = |person: &Person| person.score.unwrap_or(f64::INFINITY);
            let worst = if by_join { std::cmp::Ordering::Equal } else { score(a).total_cmp(&score(b)) };
            worst.then_with(|| joined(a).cmp(&joined(b))).then_with(|| a.user.cmp(&b.user))
        });
        if let Some(part) = context.query.text("q") {
            self.people.retain(|person| person.user.contains(part));
        }
        Ok(())
    }
}

/// `/ui/calls/{CommId}`
pub(super) async fn page<S: Store>(context: &Context<'_, S>, comm_id: &str) -> Result<Shown, Trouble> {
    let call = find(context, comm_id).await?;
    let mut story = read(context, call).await?;
    let users = story.people.len();
    story.sort(context).await?;
    if users > GRADED_MAX {
        let shown = story.people.len().min(LANES);
        grade(context, &story.call, story.span, &mut story.people[..shown]).await?;
    }
    let words = context.view.prefs.lang;
    let is_table = context.query.text("view") == Some("table");
    let events = events(context, &story).await?;
    let content = html! {
        (head(context, &story, users))
        div.call {
            section.panel.who {
                (bar(context, &story))
                @if is_table { (table(context, &story)) } @else { (lanes_panel(context, &story)) (charts(context, &story)) }
            }
            (events_panel(context, &events))
        }
    };
    let title = format!("{} {}", words.room(), story.call.room);
    Ok(Shown::page(200, shell::frame(&context.view, Nav::Calls, &title, content)))
}

fn href(story: &Story) -> String {
    format!("/ui/calls/{}", segment(story.call.comm_id.as_str()))
}

fn head<S>(context: &Context<'_, S>, story: &Story, users: usize) -> Markup {
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
                p.mono { bdi { (call.comm_id) } }
            }
            dl.facts {
                div { dt { (words.started()) } dd { (time(call.created)) } }
                div { dt { (words.ended()) } dd { @if let Some(end) = call.ended { (time(end)) } @else { "–" } } }
                div { dt { (words.duration()) } dd { (duration(call.ended.unwrap_or(story.now).0 - call.created.0)) } }
                div { dt { (words.users()) } dd { (users) } }
                div { dt { (words.sessions()) } dd { (story.sessions) } }
                div { dt { (words.peak()) } dd { (story.peak) } }
                @if !call.creator.is_empty() { div { dt { (words.creator()) } dd.clip { bdi { (call.creator) } } } }
                div { dt { (words.source()) } dd { (call.source) @if !call.instance.is_empty() { " · " (call.instance) } } }
            }
        }
    }
}

/// The heading of the lanes, with what one may do to them.
fn bar<S>(context: &Context<'_, S>, story: &Story) -> Markup {
    let (words, query, here) = (context.view.prefs.lang, context.query, href(story));
    let view = query.text("view").unwrap_or("lanes");
    let tab = |name: &str, text: &str| {
        let is_on = view == name;
        html! { a.tab href={ (here) (query.with("view", Some(name))) } aria-current=[is_on.then_some("true")] { (text) } }
    };
    html! {
        header {
            h2 { (words.who()) }
            (tab("lanes", words.lanes()))
            (tab("table", words.table()))
            form.inline {
                input type="hidden" name="view" value=(view);
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
                span.key.mark { (words.event()) }
            }
        }
    }
}

fn lanes_panel<S>(context: &Context<'_, S>, story: &Story) -> Markup {
    let (words, zone) = (context.view.prefs.lang, context.view.prefs.zone);
    let spans: Vec<(Millis, Millis)> = story
        .people
        .iter()
        .flat_map(|person| &person.sessions)
        .map(|session| (session.joined, session.left.unwrap_or(story.now)))
        .collect();
    html! {
        div.lanes data-from=(story.span.from) data-to=(story.span.to) {
            table {
                thead {
                    tr.map { th scope="col" { (words.in_room()) } th.number { (words.peak()) " " (story.peak) }
                        td { (lanes::minimap(story.span, &spans, story.peak)) } }
                    tr.axis { th scope="col" { (story.people.len()) " " (words.users()) } th.number scope="col" { (words.score()) }
                        td { (axis(story.span, zone)) } }
                }
                tbody #rows { (rows(context, story, 0)) }
            }
        }
    }
}

/// Where a script draws the charts of the chosen users: those named by `u`, else the first.
fn charts<S>(context: &Context<'_, S>, story: &Story) -> Markup {
    let words = context.view.prefs.lang;
    let chosen = context.query.text("u").or_else(|| story.people.first().map(|person| person.user.as_str()));
    html! {
        @if let Some(chosen) = chosen {
            @let query = Query::default().with("u", Some(chosen));
            @let source = format!("/ui/data/call/{}{query}", segment(story.call.comm_id.as_str()));
            header { h2 { (words.quality_of()) " " bdi { (chosen) } } span #at .mono {} }
            div #charts data-src=(source) { p.state { (words.loading()) } }
        } @else {
            p.state { (words.choose_user()) }
        }
    }
}

/// The time axis: an SVG whose texts a script replaces when it zooms.
fn axis(span: Span, zone: super::prefs::Zone) -> Markup {
    html! {
        svg.ticks aria-hidden="true" {
            @for (at, text) in span.ticks(zone) {
                @let percent = (at - span.from) * 100 / span.width();
                text x={ (percent) "%" } y="13" { (text) }
            }
        }
    }
}

/// Some rows of lanes.
pub(super) fn rows<S>(context: &Context<'_, S>, story: &Story, skip: usize) -> Markup {
    let words = context.view.prefs.lang;
    html! {
        @for person in story.people.iter().skip(skip).take(LANES) {
            (lane_row(context, story, person))
        }
        @if story.people.len() > skip + LANES {
            tr.more { td colspan="3" {
                a.button href={ (href(story)) "/rows" (context.query.with("skip", Some(&(skip + LANES).to_string()))) } {
                    (words.more()) " (" (story.people.len() - skip - LANES) ")"
                }
            } }
        }
    }
}

fn lane_row<S>(context: &Context<'_, S>, story: &Story, person: &Person) -> Markup {
    let (words, zone) = (context.view.prefs.lang, context.view.prefs.zone);
    let chosen = context.query.list("u").contains(&person.user.as_str());
    let newest = person.newest();
    let sessions: Vec<&Session> = person.sessions.iter().map(|session| &**session).collect();
    let marks: Vec<i64> = Vec::new();
    html! {
        tr data-user=(person.user) aria-selected=[chosen.then_some("true")] {
            th scope="row" {
                a.user href={ (href(story)) (context.query.with("u", Some(&person.user))) } { bdi { (person.user) } }
                " " span.dim { (device(newest)) }
                span.sr {
                    @for session in &person.sessions {
                        (zone.time(session.joined)) " – " (left(words, session, zone)) ". "
                    }
                }
            }
            td.number { (score_of(person)) }
            td.strip { (lanes::lane(story.span, &sessions, &person.runs, &marks, story.now)) }
        }
    }
}

fn device(session: &Session) -> String {
    let version = session.attrs.get(&Attr::SdkVersion).map_or("", String::as_str);
    let parts = [device_type(&session.attrs), version];
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" · ")
}

fn score_of(person: &Person) -> Markup {
    match person.score {
        Some(score) => {
            let class = if score >= 4.5 {
                "good"
            } else if score >= 3.0 {
                "fair"
            } else {
                "poor"
            };
            html! { span class=(class) { (format!("{score:.1}")) } }
        }
        None => html! { span.dim { "–" } },
    }
}

/// When a user left and how that is known.
pub(super) fn left(words: Lang, session: &Session, zone: super::prefs::Zone) -> String {
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

pub(super) fn joined(words: Lang, session: &Session, zone: super::prefs::Zone) -> String {
    let time = zone.time(session.joined);
    match session.join_source {
        JoinSource::Seen => time,
        JoinSource::Hinted => format!("{time} ({})", words.joined_hinted()),
        JoinSource::Inferred => format!("{time} ({})", words.joined_inferred()),
    }
}

/// The same as an ordinary table.
fn table<S>(context: &Context<'_, S>, story: &Story) -> Markup {
    let (words, zone) = (context.view.prefs.lang, context.view.prefs.zone);
    html! {
        div.scroll {
            table {
                thead { tr {
                    th { (words.user()) } th { (words.joined()) } th { (words.left()) } th.number { (words.duration()) }
                    th { (words.device()) } th { "SDK" } th { "IP" } th { (words.reason()) } th.number { (words.score()) }
                } }
                tbody {
                    @for person in &story.people { @for session in &person.sessions {
                        tr {
                            td.clip { bdi { (person.user) } }
                            td { (joined(words, session, zone)) }
                            td class=[(session.leave_source != LeaveSource::Seen).then_some("inferred")] { (left(words, session, zone)) }
                            td.number { (duration(session.left.unwrap_or(story.now).0 - session.joined.0)) }
                            td { (device_type(&session.attrs)) }
                            td { (session.attrs.get(&Attr::SdkVersion).map_or("", String::as_str)) }
                            td { (session.attrs.get(&Attr::ClientIp).map_or("", String::as_str)) }
                            td { @if let Some(reason) = &session.leave_reason { (reason.raw) } }
                            td.number { (score_of(person)) }
                        }
                    } }
                }
            }
        }
    }
}

/// The events of those that are shown, in order of time.
async fn events<S: Store>(context: &Context<'_, S>, story: &Story) -> Result<Vec<Event>, Trouble> {
    let mut events = Vec::new();
    for person in story.people.iter().take(LANES) {
        let query = UserQuery {
            app: story.call.app,
            comm_id: &story.call.comm_id,
            user: &person.user,
            horizon: context.horizon(),
        };
        events.extend(context.store.user_events(&query).await?);
    }
    events.sort();
    events.truncate(EVENTS_MAX);
    Ok(events)
}

fn events_panel<S>(context: &Context<'_, S>, events: &[Event]) -> Markup {
    let (words, zone) = (context.view.prefs.lang, context.view.prefs.zone);
    html! {
        section.panel.events {
            header { h2 { (words.events()) } }
            @if events.is_empty() { p.state { (words.no_events()) } }
            ol {
                @for event in events {
                    li data-at=(event.at.secs()) {
                        time datetime=(event.at.secs()) { (zone.time(event.at)) }
                        div { span { (happened(words, event)) } span.dim.clip { bdi { (event.user) } } }
                    }
                }
            }
        }
    }
}

/// What happened, in words.
pub(super) fn happened(words: Lang, event: &Event) -> String {
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
        Kind::EmitterReset | Kind::Attributes | Kind::Unknown { .. } => words.event_other(),
    };
    let raw = event.reason.as_ref().map_or("", |reason| reason.raw.as_str());
    if raw.is_empty() { text.to_owned() } else { format!("{text} · {raw}") }
}
