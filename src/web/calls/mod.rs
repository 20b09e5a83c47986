//! Calls: the list of an application's calls in a window, of a room or a user, newest first.
//!
//! [`wanted`] reads and writes addresses, [`look`] reads the calls, and here is how they are shown.

mod look;
#[cfg(test)]
mod tests;
mod wanted;

use maud::{Markup, html};

use super::call::fill;
use super::figures::grouped;
use super::prefs::duration;
use super::query::segment;
use super::score;
use super::sheet::Sheet;
use super::shell::{self, Nav, api};
use super::users;
use super::words::Lang;
use super::{Context, Shown, Trouble};
use crate::limits::DAY_S;
use crate::records::{AppId, Call, LeaveSource, Millis};
use crate::store::Store;
use look::{FILE, Found, PAGE, Row, Subject};
use wanted::{KEPT, PROBLEMS, State, Wanted, problem};

/// `/ui/calls?app=&q=&from=&to=&state=&minusers=&maxscore=&event=&after=`
pub(super) async fn page<S: Store>(context: &Context<'_, S>) -> Result<Shown, Trouble> {
    let (view, words) = (&context.view, context.view.prefs.lang);
    let wanted = Wanted::of(context)?;
    let wrong = match wanted.told(view.prefs.zone) {
        Ok(Some(address)) => return Ok(Shown::see_other(&address)),
        Ok(None) => (wanted.from > wanted.to).then(|| words.window_backwards().to_owned()),
        Err(text) => Some(fill(words.no_time(), &[text])),
    };
    let (subject, is_file) =
        (Subject::of(context, &wanted).await?, context.query.text("format") == Some("csv"));
    let found = look::look(context, &wanted, subject, if is_file { FILE } else { PAGE }).await?;
    if is_file {
        return Ok(csv(context.now, &found.rows));
    }
    let content = html! {
        section.panel {
            header {
                h1 { (words.calls()) }
                (apps(context, wanted.app))
                (windows(context, &wanted))
                span.dim { (counted(words, &wanted, &found)) }
                span.tools {
                    @if !found.rows.is_empty() {
                        a href=(wanted.address((wanted.from, wanted.to), wanted.after, &[("format", "csv")]))
                            title=(fill(words.file_bound(), &[&grouped(FILE.rows)])) { "CSV" }
                    }
                    (question(context, &wanted, subject))
                }
            }
            (form(context, &wanted))
            @if let (Subject::User(user), false) = (subject, found.count == 0) {
                p.note { (words.calls_of_user()) " " a href=(users::href(wanted.app, user, &[])) { bdi { (user) } } }
            }
            @if let Some(wrong) = wrong { div.state { p.trouble role="alert" { bdi { (wrong) } } } }
            @else if !found.rows.is_empty() { div.scroll { (table(context, &found.rows)) } }
            @else { (nothing(words, &wanted, &found)) }
            @if found.is_cut { (cut(context, &wanted, &found)) }
        }
        @let older = found.next.filter(|_| !found.is_cut);
        @if wanted.after.is_some() || older.is_some() {
            nav.pages aria-label=(words.pages()) {
                @if wanted.after.is_some() { a.button href=(wanted.next(None)) { (words.first_page()) } }
                @if older.is_some() { a.button href=(wanted.next(older)) { (words.older()) } }
            }
        }
    };
    Ok(Shown::page(200, shell::frame(view, Nav::Calls, words.calls(), content)))
}

/// Links to the usual windows, which end now.
fn windows<S>(context: &Context<'_, S>, wanted: &Wanted<'_>) -> Markup {
    let (words, now) = (context.view.prefs.lang, context.now.secs());
    let today = context.view.prefs.zone.midnight(now);
    let days = |days: i64| (now - days * DAY_S, format!("{days} {}", words.days()));
    let all =
        [(today, words.today().to_owned()), (now - DAY_S, words.day_long().to_owned()), days(7), days(14)];
    // One that was chosen some time ago is still as long.
    let is_on = |from: i64| match from == today {
        true => wanted.from == today && wanted.to > today,
        false => wanted.to - wanted.from == now - from && wanted.from != today,
    };
    html! {
        nav.tabs aria-label=(words.window()) { @for (from, name) in all {
            a.tab href=(wanted.address((from, now), None, &[])) aria-current=[is_on(from).then_some("true")] { (name) }
        } }
    }
}

/// How many there are, and of how many of them that is known.
fn counted(words: Lang, wanted: &Wanted<'_>, found: &Found) -> String {
    let count = format!("{}{}", grouped(found.count), if found.is_counted_whole { "" } else { "+" });
    if wanted.looks_inside() {
        let (seen, rows) = (grouped(found.seen), grouped(found.rows.len()));
        fill(words.calls_looked(), &[&count, &seen, &rows])
    } else {
        fill(words.calls_counted(), &[&count])
    }
}

/// The question behind the list, as much of the window as it may be about.
fn question<S>(context: &Context<'_, S>, wanted: &Wanted<'_>, subject: Subject<'_>) -> Markup {
    let from = match i64::from(context.policy.room_window_hours) {
        0 => wanted.from,
        hours => wanted.from.max(wanted.to - hours * 3_600),
    };
    let mut behind = vec![
        ("SdkAppId", wanted.app.to_string()),
        ("StartTime", from.to_string()),
        ("EndTime", wanted.to.to_string()),
    ];
    if let Subject::Room(room) = subject {
        behind.push(("RoomId", room.to_owned()));
    }
    api("DescribeRoomInfo", &behind)
}

fn form<S>(context: &Context<'_, S>, wanted: &Wanted<'_>) -> Markup {
    let (words, zone, query) = (context.view.prefs.lang, context.view.prefs.zone, context.query);
    let typed = |name: &str| query.text(name).unwrap_or_default().to_owned();
    let time = |name: &str, second: i64| {
        let second = query.text(name).and_then(|text| zone.second(text)).unwrap_or(second);
        html! { input type="datetime-local" name=(name) step="1" value=(zone.field(second)); }
    };
    html! {
        form.filters action="/ui/calls" {
            @for name in KEPT { @if let Some(value) = query.text(name) { input type="hidden" name=(name) value=(value); } }
            input type="hidden" name="minutes" value=(zone.minutes());
            label { (words.room_or_user()) input type="search" name="q" value=(wanted.q.unwrap_or_default()); }
            label { (words.since_time()) (time("since", wanted.from)) }
            label { (words.until_time()) (time("until", wanted.to)) }
            label { (words.state()) select name="state" {
                option value="" { (words.any()) }
                @for state in State::ALL {
                    option value=(state.name()) selected[wanted.state == Some(state)] { (state.told(words)) }
                }
            } }
            label { (words.users_least()) input type="number" name="minusers" min="1" max="99999" step="1" value=(typed("minusers")); }
            label { (words.score_most()) input type="number" name="maxscore" min="1" max="5" step="0.1" value=(typed("maxscore")); }
            label { (words.went_wrong()) select name="event" {
                option value="" { (words.any()) }
                @for (name, class) in PROBLEMS {
                    option value=(name) selected[wanted.event == Some((name, class))] { (problem(words, class)) }
                }
            } }
            button type="submit" { (words.show()) }
        }
    }
}

/// That there is nothing to show, and why.
fn nothing(words: Lang, wanted: &Wanted<'_>, found: &Found) -> Markup {
    let (text, hint) = match wanted.q {
        _ if found.seen > 0 && (wanted.looks_inside() || wanted.state.is_some()) => {
            (words.no_calls_match(), words.no_calls_match_hint())
        }
        Some(_) => (words.no_calls(), words.no_calls_named()),
        None => (words.no_calls(), words.no_calls_hint()),
    };
    html! { div.state { p { (text) } p.dim { (hint) } } }
}

/// That not all of the window was looked at, and the way on.
fn cut<S>(context: &Context<'_, S>, wanted: &Wanted<'_>, found: &Found) -> Markup {
    let (words, zone) = (context.view.prefs.lang, context.view.prefs.zone);
    let back = found.next.map_or(wanted.from, |place| place.second);
    let (seen, back) = (grouped(found.seen), zone.full(Millis::from_secs(back)));
    html! {
        p.note role="status" { (fill(words.looked_at(), &[&seen, &back])) " " a href=(wanted.next(found.next)) { (words.go_on()) } }
    }
}

/// The calls as a file.
fn csv(now: Millis, rows: &[Row]) -> Shown {
    let mut sheet = Sheet::new(&[
        "comm_id",
        "room",
        "created_s",
        "ended_s",
        "end_known_by",
        "duration_s",
        "users",
        "peak",
        "sessions",
        "score",
        "good_s",
        "fair_s",
        "poor_s",
        "looked_at_users",
        "measured_users",
        "problems",
    ]);
    for Row { call, brief } in rows {
        let [good, fair, poor] = brief.seconds.map(|seconds| seconds.to_string());
        let class = |wanted| PROBLEMS.iter().find(|(_, class)| *class == Some(wanted)).map(|(name, _)| *name);
        let problems: Vec<&str> = brief.problems.iter().filter_map(|problem| class(*problem)).collect();
        sheet.row([
            call.comm_id.as_str(),
            &call.room,
            &call.created.secs().to_string(),
            &call.ended.map_or_else(String::new, |at| at.secs().to_string()),
            call.end_source.name(),
            &(call.ended.unwrap_or(now).secs() - call.created.secs()).to_string(),
            &brief.users.to_string(),
            &brief.peak.to_string(),
            &brief.sessions.to_string(),
            &brief.score.map_or_else(String::new, |score| format!("{score:.2}")),
            &good,
            &fair,
            &poor,
            &brief.looked.to_string(),
            &brief.measured.to_string(),
            &problems.join(" "),
        ]);
    }
    sheet.shown("calls")
}

fn table<S>(context: &Context<'_, S>, rows: &[Row]) -> Markup {
    let words = context.view.prefs.lang;
    html! {
        table.calls {
            thead { tr {
                th scope="col" aria-sort="descending" { (words.started()) } th scope="col" { (words.room()) } th.wide scope="col" { "CommId" }
                th.number.wide scope="col" { (words.duration()) } th.number scope="col" { (words.users()) }
                th.number.wide scope="col" { (words.peak()) } th.number.wide scope="col" { (words.sessions()) }
                th.wide scope="col" { (words.quality()) } th.number scope="col" { (words.score()) } th.wide scope="col" { (words.state()) }
            } }
            tbody { @for row in rows { (line(context, row)) } }
        }
    }
}

fn line<S>(context: &Context<'_, S>, Row { call, brief }: &Row) -> Markup {
    let (words, zone) = (context.view.prefs.lang, context.view.prefs.zone);
    let of = fill(words.users_graded(), &[&grouped(brief.measured), &grouped(brief.users)]);
    html! {
        tr {
            td.when { time datetime=(call.created.secs()) { (zone.full(call.created)) } }
            td.clip { a href={ "/ui/calls/" (segment(call.comm_id.as_str())) } { bdi { (call.room) } } }
            td.clip.mono.wide { bdi { (call.comm_id) } }
            td.number.wide { (duration(call.ended.unwrap_or(context.now).0 - call.created.0)) }
            td.number { (grouped(brief.users)) }
            td.number.wide { (grouped(brief.peak)) }
            td.number.wide { (grouped(brief.sessions)) }
            td.trend.wide { (brief.strip(words)) }
            td.number title=(of) { @match brief.score {
                Some(score) => span class=(score::class(score)) { (format!("{score:.1}")) },
                None => span.dim { "–" },
            }
            // Of a large call those are graded that look most like trouble: its score is no more than that.
            @if brief.looked < brief.users && brief.score.is_some() { "*" } }
            td.wide { (state(words, call)) }
        }
    }
}

/// A menu of the viewer's applications.
pub(super) fn apps<S>(context: &Context<'_, S>, app: AppId) -> Markup {
    let words = context.view.prefs.lang;
    html! {
        @if context.view.apps.len() > 1 {
            form.apps action=(context.view.path) {
                label { span.sr { (words.app()) } select name="app" {
                    @for one in &context.view.apps { option value=(one) selected[*one == app] { (one) } }
                } }
                button type="submit" { (words.show()) }
            }
        } @else { span.dim { (words.app()) " " (app) } }
    }
}

/// Whether a call runs, and how its end is known.
pub(super) fn state(words: Lang, call: &Call) -> Markup {
    let (class, text) = match (call.ended, call.end_source) {
        (None, _) => ("badge running", words.in_progress()),
        (Some(_), LeaveSource::Seen | LeaveSource::RoomClosed) => ("badge", words.ended()),
        (Some(_), LeaveSource::Superseded) => ("badge inferred", words.ended_superseded()),
        (Some(_), LeaveSource::EmitterReset) => ("badge inferred", words.ended_reset()),
        (Some(_), LeaveSource::Idle | LeaveSource::Open) => ("badge inferred", words.ended_idle()),
    };
    html! { span class=(class) { (text) } }
}

/// The most that were there at one time.
pub(super) fn peak(spans: impl Iterator<Item = (Millis, Millis)>) -> usize {
    let mut steps: Vec<(Millis, i32)> = spans.flat_map(|(from, to)| [(from, 1), (to, -1)]).collect();
    // Who leaves at the moment in which another comes was there too.
    steps.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(&a.1)));
    let (mut now, mut most) = (0, 0);
    for (_, step) in steps {
        now += step;
        most = most.max(now);
    }
    usize::try_from(most).unwrap_or(0)
}

#[cfg(test)]
mod peaks {
    use super::*;

    #[test]
    fn the_peak_counts_who_was_there_together() {
        let check = |spans: &[(i64, i64)], expected: usize| {
            assert_eq!(
                peak(spans.iter().map(|&(from, to)| (Millis(from), Millis(to)))),
                expected,
                "{spans:?}"
            );
        };
        check(&[], 0);
        check(&[(0, 5), (6, 9)], 1);
        check(&[(0, 5), (5, 9)], 2);
        check(&[(0, 9), (1, 3), (2, 4), (8, 9)], 3);
    }
}
