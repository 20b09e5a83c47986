//! Trends: days beside each other. Users, entries and rooms are the store's figures; what else is told of a day is
//! counted behind the page, see [`counts`], and where it is not there yet the page says so.

mod chart;
mod counts;
mod day;
mod split;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use maud::{Markup, html};

pub(super) use counts::Counts;
use day::{Day, GRADED_MAX, Seconds};

use super::calls::apps;
use super::figures::grouped;
use super::sheet::Sheet;
use super::shell::{self, Nav, api};
use super::words::Lang;
use super::{Context, Shown, Trouble};
use crate::limits::DAY_S;
use crate::records::{AppId, Millis};
use crate::store::{DayFigures, Store, figures_day};

/// The days that may be chosen.
const CHOICES: [i64; 4] = [7, 14, 30, 90];
/// The most days of one page.
const DAYS_MAX: i64 = 366;

/// One day of a page.
#[derive(Debug)]
struct Row {
    figures: DayFigures,
    counted: Counted,
}

/// What is known of a day beside its figures.
#[derive(Debug)]
enum Counted {
    /// All there is.
    Yes(Arc<Day>),
    /// It is being counted.
    Waits,
    /// Some of its calls may be gone.
    Gone,
}

impl Row {
    fn day(&self) -> Option<&Day> {
        match &self.counted {
            Counted::Yes(day) => Some(day),
            Counted::Waits | Counted::Gone => None,
        }
    }

    /// Why nothing is known beside the figures.
    fn why(&self, words: Lang) -> &'static str {
        match self.counted {
            Counted::Yes(_) => words.not_measured(),
            Counted::Waits => words.being_counted(),
            Counted::Gone => words.day_gone(),
        }
    }
}

/// The days of a page, oldest first, and as many before them.
#[derive(Debug)]
struct Days {
    rows: Vec<Row>,
    before: Vec<Row>,
    /// The first second of the first day of all that is kept.
    first_s: i64,
    /// The first second of the running one.
    today_s: i64,
}

impl Days {
    /// Every day from the first to the last, whether somebody entered or not.
    async fn read<S: Store>(
        context: &Context<'_, S>,
        counts: &Counts,
        app: AppId,
        (from, to): (i64, i64),
    ) -> Result<Days, Trouble> {
        let today_s = figures_day(context.now.secs());
        let (first, last) = (figures_day(from), figures_day(to).min(today_s));
        let before = first - (last - first + DAY_S);
        let known = context.store.figures(app, before, to).await?;
        // Where nobody ever entered there is no day to count.
        let first_s = known.first_s.unwrap_or(i64::MAX);
        let mut known_days = known.days.into_iter().peekable();
        let starts = (before..=last).step_by(usize::try_from(DAY_S).unwrap_or(86_400));
        let all: Vec<DayFigures> = starts
            .map(|start_s| {
                let found = known_days.next_if(|day| day.start_s == start_s);
                found.unwrap_or(DayFigures { start_s, ..DayFigures::default() })
            })
            .collect();
        let kept_s = context.horizon().plus(999).secs();
        let may_count = |day: &&DayFigures| day.start_s >= first_s.max(kept_s);
        // The newest first, for they are looked at first.
        let asked: Vec<DayFigures> = all.iter().rev().filter(may_count).copied().collect();
        let version = context.store.news().version(app);
        let mut found = counts.look(app, &asked, context.now, version).into_iter().rev();
        let row = |figures: DayFigures| {
            let counted = if figures.start_s < kept_s {
                Counted::Gone
            } else if figures.start_s < first_s {
                // Nothing that is kept is of this day.
                Counted::Yes(Arc::new(Day { is_whole: true, ..Day::default() }))
            } else {
                found.next().flatten().map_or(Counted::Waits, Counted::Yes)
            };
            Row { figures, counted }
        };
        let mut before_rows: Vec<Row> = all.into_iter().map(row).collect();
        let rows = before_rows.split_off(before_rows.len().div_ceil(2));
        Ok(Days { rows, before: before_rows, first_s, today_s })
    }

    fn is_running(&self, row: &Row) -> bool {
        row.figures.start_s == self.today_s
    }

    /// The mean of the days that are over, since anybody entered at all.
    fn mean(&self, of: impl Fn(&Row) -> Option<u64>) -> Option<u64> {
        let is_over = |row: &&Row| (self.first_s..self.today_s).contains(&row.figures.start_s);
        let over: Vec<u64> = self.rows.iter().filter(is_over).filter_map(of).collect();
        let count = u64::try_from(over.len()).ok().filter(|count| *count > 0)?;
        Some((over.iter().sum::<u64>() + count / 2) / count)
    }

    /// How many of all days are being counted.
    fn waiting(&self) -> usize {
        let all = self.rows.iter().chain(&self.before);
        all.filter(|row| matches!(row.counted, Counted::Waits)).count()
    }
}

/// `2026-11-25`, as the figures count days.
fn date(start_s: i64) -> String {
    super::prefs::Zone::Cst.date(Millis::from_secs(start_s))
}

fn number(value: u64) -> String {
    grouped(usize::try_from(value).unwrap_or(usize::MAX))
}

/// Thousandths as percent.
fn percent(thousandths: u64) -> String {
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

/// `/ui/trends?app=&from=&to=&split=`
pub(super) async fn page<S: Store>(context: &Context<'_, S>, counts: &Counts) -> Result<Shown, Trouble> {
    let app = context.app()?;
    let (words, query, now) = (context.view.prefs.lang, context.query, context.now.secs());
    let to = query.number("to").unwrap_or(now).min(now);
    let from = query.number("from").unwrap_or(to - (usual(context.policy.retention_days) - 1) * DAY_S);
    let from = from.clamp(to - (DAYS_MAX - 1) * DAY_S, to);
    let days = Days::read(context, counts, app, (from, to)).await?;
    let by = split::By::of(query);
    if query.text("format") == Some("csv") {
        return Ok(if query.text("of").is_some() { split::csv(&days, by) } else { csv(&days) });
    }
    let is_quiet = days.rows.iter().all(|row| row.figures.entries == 0);
    let content = html! {
        section.panel {
            header { h1 { (words.trends()) } (apps(context, app)) }
            (window(context, app, (from, to)))
            @if is_quiet {
                div.state { p { (words.no_days()) } p.dim { (words.no_days_hint()) } }
            } @else {
                (chart::charts(words, &days))
            }
        }
        @if !is_quiet {
            (table(context, app, &days, (from, to)))
            (split::panel(context, &days, by))
        }
    };
    Ok(Shown::page(200, shell::frame(&context.view, Nav::Trends, words.trends(), content)))
}

/// How many days are shown where none are asked for: two weeks, or one where no two others are kept before them.
const fn usual(retention_days: u32) -> i64 {
    if retention_days == 0 || retention_days > 28 { 14 } else { 7 }
}

/// Which days are shown.
fn window<S>(context: &Context<'_, S>, app: AppId, (from, to): (i64, i64)) -> Markup {
    let (words, query) = (context.view.prefs.lang, context.query);
    html! {
        form.filters {
            input type="hidden" name="app" value=(app);
            @for name in ["to", "split"] {
                @if let Some(value) = query.text(name) { input type="hidden" name=(name) value=(value); }
            }
            label { (words.window()) select name="from" {
                @for count in CHOICES {
                    @let value = to - (count - 1) * DAY_S;
                    option value=(value) selected[figures_day(value) == figures_day(from)] { (count) " " (words.days()) }
                }
            } }
            button type="submit" { (words.show()) }
        }
    }
}

/// What is missing, and what the numbers are of.
fn notes(words: Lang, days: &Days) -> Markup {
    let waiting = days.waiting();
    let all = (days.rows.len() + days.before.len()).to_string();
    let counted = || days.rows.iter().filter_map(Row::day);
    let (looked, measured) =
        counted().fold((0, 0), |(looked, measured), day| (looked + day.looked, measured + day.measured));
    let sampled: Vec<u64> = counted().filter_map(|day| day.sample_of).collect();
    let fill = super::call::fill;
    html! {
        div #counted .note role="status" data-counting=[(waiting > 0).then_some(waiting)] {
            @if waiting > 0 { p { (fill(words.days_counting(), &[&waiting.to_string(), &all])) } }
            @if looked > 0 { p { (fill(words.users_measured(), &[&number(measured), &number(looked)])) } }
            @if !sampled.is_empty() {
                p { (fill(words.users_sampled(), &[&sampled.len().to_string(), &number(GRADED_MAX)])) }
            }
            @if counted().any(|day| !day.is_whole) {
                p { (fill(words.day_bounded(), &[&grouped(day::CALLS_MAX), &grouped(day::SESSIONS_MAX)])) }
            }
        }
    }
}

fn table<S>(context: &Context<'_, S>, app: AppId, days: &Days, (from, to): (i64, i64)) -> Markup {
    let (words, query) = (context.view.prefs.lang, context.query);
    let question = [
        ("SdkAppId", app.to_string()),
        ("StartTime", figures_day(from).to_string()),
        ("EndTime", to.to_string()),
    ];
    let numbers = [
        words.daily_users(),
        words.daily_entries(),
        words.daily_rooms(),
        words.calls(),
        words.peak_users(),
        words.peak_rooms(),
        words.good(),
        words.fair(),
        words.poor(),
        words.measured_users(),
    ];
    html! {
        section #daily .panel {
            header {
                h2 { (words.daily()) }
                span.dim { (words.daily_note()) }
                span.tools {
                    a href={ "/ui/trends" (query.with("format", Some("csv"))) } { "CSV" }
                    (api("DescribeScaleInfo", &question))
                }
            }
            div.scroll { table {
                thead { tr { th scope="col" { (words.day()) } @for name in numbers { th.number scope="col" { (name) } } } }
                tbody { @for row in days.rows.iter().rev() {
                    @let DayFigures { start_s, users, entries, rooms } = row.figures;
                    tr {
                        th scope="row" {
                            a href={ "/ui/calls?app=" (app) "&from=" (start_s) "&to=" (start_s + DAY_S - 1) } { (date(start_s)) }
                            @if days.is_running(row) { " " span.badge.inferred { (words.so_far()) } }
                        }
                        @for value in [users, entries, rooms] { td.number { (number(value)) } }
                        @match row.day() {
                            Some(day) => (counted(words, day)),
                            None => td.number.dim colspan="7" { (row.why(words)) },
                        }
                    }
                } }
            } }
        }
    }
}

fn counted(words: Lang, day: &Day) -> Markup {
    html! {
        @for value in [day.calls, day.peak_users, day.peak_rooms] { td.number { (number(value)) } }
        @for (grade, class) in ["good", "fair", "poor"].into_iter().enumerate() {
            @match day.seconds.share(grade) {
                Some(share) => td.number { span class=[(share > 0).then_some(class)] { (percent(share)) } },
                None => td.number { span.dim title=(words.not_measured()) { "–" } },
            }
        }
        td.number { (number(day.measured)) " / " (number(day.looked)) }
    }
}

fn csv(days: &Days) -> Shown {
    let mut sheet = Sheet::new(&[
        "day",
        "start_s",
        "users",
        "entries",
        "rooms",
        "is_complete",
        "calls",
        "peak_users",
        "peak_rooms",
        "good_s",
        "fair_s",
        "poor_s",
        "measured_users",
        "looked_at_users",
    ]);
    for row in &days.rows {
        let DayFigures { start_s, users, entries, rooms } = row.figures;
        let text = |value: u64| value.to_string();
        let mut record = vec![date(start_s), start_s.to_string(), text(users), text(entries), text(rooms)];
        record.push((start_s < days.today_s).to_string());
        match row.day() {
            Some(day) => {
                let Seconds([good, fair, poor]) = day.seconds;
                let counted = [day.calls, day.peak_users, day.peak_rooms, good, fair, poor];
                record.extend(counted.into_iter().chain([day.measured, day.looked]).map(text));
            }
            None => record.extend(std::iter::repeat_n(String::new(), 8)),
        }
        sheet.row(record);
    }
    sheet.shown("trends")
}
