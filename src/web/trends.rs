//! Trends: the figures of each day.

use maud::{Markup, html};

use super::calls::apps;
use super::figures::grouped;
use super::sheet::Sheet;
use super::shell::{self, Nav, api};
use super::words::Lang;
use super::{Context, Shown, Trouble};
use crate::limits::DAY_S;
use crate::records::{AppId, Millis};
use crate::store::{DayFigures, Figures, Store, figures_day};

/// The days that are shown where none are asked for, and those that may be chosen.
const DAYS: i64 = 14;
const CHOICES: [i64; 4] = [7, 14, 30, 90];
/// The most days of one page.
const DAYS_MAX: i64 = 366;
/// The height of a bar's place, and the width of a day's, in their own units.
const HEIGHT: usize = 100;
const WIDTH: usize = 10;
/// Days that are named on the axis, at most.
const NAMED_MAX: usize = 8;

/// What it is called.
type Name = fn(Lang) -> &'static str;
/// Which figure.
type Of = fn(&DayFigures) -> u64;
const FIGURES: [(Name, Of); 3] = [
    (Lang::daily_users, |day| day.users),
    (Lang::daily_entries, |day| day.entries),
    (Lang::daily_rooms, |day| day.rooms),
];

/// The days of a page.
struct Days {
    days: Vec<DayFigures>,
    /// The first second of the first day of all that is kept.
    first_s: i64,
    /// The first second of the running one.
    today_s: i64,
}

impl Days {
    /// Every day from the first to the last, whether somebody entered or not.
    fn fill(known: &Figures, from_s: i64, to_s: i64, today_s: i64) -> Days {
        let starts = (figures_day(from_s)..=figures_day(to_s).min(today_s)).step_by(86_400);
        let day = |start_s: i64| {
            let found = known.days.iter().find(|day| day.start_s == start_s);
            found.copied().unwrap_or(DayFigures { start_s, ..DayFigures::default() })
        };
        Days { days: starts.map(day).collect(), first_s: known.first_s.unwrap_or(today_s), today_s }
    }

    fn most(&self, of: Of) -> Option<&DayFigures> {
        self.days.iter().max_by_key(|day| (of(day), day.start_s))
    }

    fn total(&self, of: Of) -> u64 {
        self.days.iter().map(of).sum()
    }

    /// The mean of the days that are over, since anybody entered at all.
    fn mean(&self, of: Of) -> Option<u64> {
        let is_over = |day: &&DayFigures| (self.first_s..self.today_s).contains(&day.start_s);
        let over: Vec<u64> = self.days.iter().filter(is_over).map(of).collect();
        let count = u64::try_from(over.len()).ok().filter(|count| *count > 0)?;
        Some((over.iter().sum::<u64>() + count / 2) / count)
    }
}

/// `2026-11-25`, as the figures count days.
fn date(start_s: i64) -> String {
    super::prefs::Zone::Cst.date(Millis::from_secs(start_s))
}

fn number(value: u64) -> String {
    grouped(usize::try_from(value).unwrap_or(usize::MAX))
}

/// `/ui/trends?app=&from=&to=`
pub(super) async fn page<S: Store>(context: &Context<'_, S>) -> Result<Shown, Trouble> {
    let app = context.app()?;
    let (words, query, now) = (context.view.prefs.lang, context.query, context.now.secs());
    let to = query.number("to").unwrap_or(now).min(now);
    let from = query.number("from").unwrap_or(to - (DAYS - 1) * DAY_S).clamp(to - (DAYS_MAX - 1) * DAY_S, to);
    let known = context.store.figures(app, figures_day(from), to).await?;
    let days = Days::fill(&known, from, to, figures_day(now));
    if query.text("format") == Some("csv") {
        return Ok(csv(&days));
    }
    let content = html! {
        section.panel {
            header { h1 { (words.trends()) } (apps(context, app)) }
            form.filters {
                input type="hidden" name="app" value=(app);
                @if query.number("to").is_some() { input type="hidden" name="to" value=(to); }
                label { (words.window()) select name="from" {
                    @for count in CHOICES {
                        @let value = to - (count - 1) * DAY_S;
                        option value=(value) selected[figures_day(value) == figures_day(from)] { (count) " " (words.days()) }
                    }
                } }
                button type="submit" { (words.show()) }
            }
            @if known.days.is_empty() {
                div.state { p { (words.no_days()) } p.dim { (words.no_days_hint()) } }
            } @else {
                div.trends { @for (name, of) in FIGURES { (chart(words, &days, name(words), of)) } (axis(&days)) }
            }
        }
        @if !known.days.is_empty() { (table(context, app, &days, (from, to))) }
    };
    Ok(Shown::page(200, shell::frame(&context.view, Nav::Trends, words.trends(), content)))
}

/// One bar a day; that of the running day is hatched, for it still grows.
fn chart(words: Lang, days: &Days, name: &str, of: Of) -> Markup {
    let most = days.most(of);
    let top = most.map_or(0, of).max(1);
    let sentence = match most {
        Some(most) => format!(
            "{name}: {} {}, {} {} ({})",
            words.total(),
            number(days.total(of)),
            words.peak(),
            number(of(most)),
            date(most.start_s)
        ),
        None => name.to_owned(),
    };
    html! {
        div.chart {
            div {
                h2 { (name) }
                p { (words.total()) b { (number(days.total(of))) } }
                p { (words.peak()) b { (number(most.map_or(0, of))) } }
                p { (words.mean_day()) b { @if let Some(mean) = days.mean(of) { (number(mean)) } @else { "–" } } }
            }
            svg.bars viewBox={ "0 0 " (days.days.len() * WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(sentence) {
                @for (place, day) in days.days.iter().enumerate() {
                    @let height = usize::try_from(of(day) * 92 / top).unwrap_or(0);
                    g.today[day.start_s == days.today_s] {
                        rect.place x=(place * WIDTH) y="0" width=(WIDTH) height=(HEIGHT) {}
                        @if day.start_s == days.today_s {
                            path d=(bar(place, height)) fill="url(#hatch)" {}
                        } @else {
                            path d=(bar(place, height)) {}
                        }
                        title { (date(day.start_s)) " · " (number(of(day)))
                            @if day.start_s == days.today_s { " (" (words.so_far()) ")" } }
                    }
                }
            }
        }
    }
}

/// A bar of a height in the place of a day.
fn bar(place: usize, height: usize) -> String {
    format!("M{} {HEIGHT}V{}h{}V{HEIGHT}Z", place * WIDTH + 2, HEIGHT - height, WIDTH - 4)
}

/// The days under all charts, and the pattern of the running one.
fn axis(days: &Days) -> Markup {
    let count = days.days.len().max(1);
    let step = count.div_ceil(NAMED_MAX);
    html! {
        div.chart aria-hidden="true" {
            div {}
            svg.ticks aria-hidden="true" {
                defs { pattern #hatch width=(WIDTH) height="6" patternUnits="userSpaceOnUse" { rect width=(WIDTH) height="3" {} } }
                // From the last one back, so that the running day has its name.
                @for (place, day) in days.days.iter().enumerate().rev().step_by(step) {
                    text x={ (format!("{}.{}", (place * 2 + 1) * 50 / count, (place * 2 + 1) * 500 / count % 10)) "%" } y="13" {
                        (date(day.start_s).get(5..).unwrap_or_default())
                    }
                }
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
    html! {
        section.panel {
            header {
                h2 { (words.daily()) }
                span.dim { (words.daily_note()) }
                span.tools {
                    a href={ "/ui/trends" (query.with("format", Some("csv"))) } { "CSV" }
                    (api("DescribeScaleInfo", &question))
                }
            }
            div.scroll { table {
                thead { tr {
                    th scope="col" { (words.day()) }
                    @for (name, _) in FIGURES { th.number scope="col" { (name(words)) } }
                } }
                tbody { @for day in days.days.iter().rev() {
                    tr {
                        th scope="row" {
                            a href={ "/ui/calls?app=" (app) "&from=" (day.start_s) "&to=" (day.start_s + DAY_S - 1) } { (date(day.start_s)) }
                            @if day.start_s == days.today_s { " " span.badge.inferred { (words.so_far()) } }
                        }
                        @for (_, of) in FIGURES { td.number { (number(of(day))) } }
                    }
                } }
            } }
        }
    }
}

fn csv(days: &Days) -> Shown {
    let mut sheet = Sheet::new(&["day", "start_s", "users", "entries", "rooms", "is_complete"]);
    for day in &days.days {
        let is_complete = day.start_s < days.today_s;
        let numbers = [day.users, day.entries, day.rooms].map(|value| value.to_string());
        let [users, entries, rooms] = numbers;
        let (start_s, is_complete) = (day.start_s.to_string(), is_complete.to_string());
        sheet.row([date(day.start_s), start_s, users, entries, rooms, is_complete]);
    }
    sheet.shown("trends")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-25T00:00+08:00.
    const TODAY_S: i64 = 1_795_536_000;

    fn day(days_ago: i64, users: u64) -> DayFigures {
        DayFigures { start_s: TODAY_S - days_ago * DAY_S, users, ..DayFigures::default() }
    }

    #[test]
    fn days_without_anybody_are_shown_and_the_running_one_is_no_part_of_the_mean() {
        assert_eq!(figures_day(TODAY_S), TODAY_S);
        let known = [day(3, 10), day(1, 5), day(0, 99)].to_vec();
        let known = Figures { first_s: Some(known[0].start_s), days: known };
        let days = Days::fill(&known, TODAY_S - 4 * DAY_S + 7, TODAY_S + 50_000, TODAY_S);
        let users: Vec<u64> = days.days.iter().map(|day| day.users).collect();
        assert_eq!(users, [0, 10, 0, 5, 99]);
        let of: Of = |day| day.users;
        assert_eq!((days.total(of), days.mean(of)), (114, Some(5)));
        assert_eq!(days.most(of).map(|day| day.start_s), Some(TODAY_S));
        let only_today = Days::fill(&known, TODAY_S, TODAY_S + DAY_S * 9, TODAY_S);
        assert_eq!((only_today.days.len(), only_today.mean(of)), (1, None), "the future has no days");
    }
}
