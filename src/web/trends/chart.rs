//! The charts of days: bars on one axis, a day a place. A bar that still grows is hatched.

use maud::{Markup, html};

use super::{Days, Row, Seconds, date, notes, number, percent};
use crate::web::words::Lang;

/// The height of a bar's place, and the width of a day's, in their own units.
const HEIGHT: u64 = 100;
const WIDTH: usize = 10;
/// The height of the greatest bar.
const TOP: u64 = 94;
/// Days that are named on the axis, at most.
const NAMED_MAX: usize = 8;

/// One chart of numbers.
struct Figure {
    name: fn(Lang) -> &'static str,
    of: fn(&Row) -> Option<u64>,
    /// Days may be summed: peaks may not.
    has_total: bool,
}

const FIGURES: [Figure; 5] = [
    Figure { name: Lang::daily_users, of: |row| Some(row.figures.users), has_total: true },
    Figure { name: Lang::daily_entries, of: |row| Some(row.figures.entries), has_total: true },
    Figure { name: Lang::peak_users, of: |row| row.day().map(|day| day.peak_users), has_total: false },
    Figure { name: Lang::daily_rooms, of: |row| Some(row.figures.rooms), has_total: true },
    Figure { name: Lang::peak_rooms, of: |row| row.day().map(|day| day.peak_rooms), has_total: false },
];

/// All charts. A script shows the day under the pointer in each of them.
pub(super) fn charts(words: Lang, days: &Days) -> Markup {
    html! {
        div #trends .trends tabindex="0" role="group" aria-label=(words.trends()) {
            @for figure in &FIGURES { (bars(words, days, figure)) }
            (quality(words, days))
            (axis(days))
            (notes(words, days))
        }
    }
}

/// The place of one day in a chart: what is drawn in it, and what it says to who points at it.
fn place(words: Lang, days: &Days, at: usize, row: &Row, said: &str, drawn: Markup) -> Markup {
    html! {
        g {
            rect.place x=(at * WIDTH) y="0" width=(WIDTH) height=(HEIGHT) {}
            (drawn)
            @if days.is_running(row) { rect.growing x=(at * WIDTH + 1) y="0" width=(WIDTH - 2) height=(HEIGHT) fill="url(#hatch)" {} }
            title { (date(row.figures.start_s)) " · " (said) @if days.is_running(row) { " (" (words.so_far()) ")" } }
        }
    }
}

fn chart(days: &Days, name: &str, sentence: &str, said: Markup, places: Markup) -> Markup {
    html! {
        div.chart {
            div { h2 { (name) output {} } (said) }
            svg.bars viewBox={ "0 0 " (days.rows.len() * WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(sentence) {
                (places)
            }
        }
    }
}

/// One bar a day.
fn bars(words: Lang, days: &Days, figure: &Figure) -> Markup {
    let name = (figure.name)(words);
    let known = || days.rows.iter().filter_map(|row| Some((row, (figure.of)(row)?)));
    let most = known().max_by_key(|(row, value)| (*value, row.figures.start_s));
    let total: u64 = known().map(|(_, value)| value).sum();
    let top = most.map_or(0, |(_, value)| value).max(1);
    let or_none = |value: Option<u64>| value.map_or_else(|| "–".to_owned(), number);
    let mut parts = Vec::new();
    if figure.has_total {
        parts.push((words.total(), number(total)));
    }
    let most_name = if figure.has_total { words.most_a_day() } else { words.peak() };
    parts.push((most_name, or_none(most.map(|(_, value)| value))));
    parts.push((words.mean_day(), or_none(days.mean(figure.of))));
    let mut sentence = format!("{name}: ");
    sentence += &parts.iter().map(|(what, value)| format!("{what} {value}")).collect::<Vec<_>>().join(", ");
    if let Some((row, _)) = most {
        sentence += &format!(" ({})", date(row.figures.start_s));
    }
    let places = html! { @for (at, row) in days.rows.iter().enumerate() {
        @match (figure.of)(row) {
            Some(value) => (place(words, days, at, row, &number(value), bar(at, 0, value * TOP / top, ""))),
            None => (place(words, days, at, row, row.why(words), unknown(at))),
        }
    } };
    let said = html! { @for (what, value) in &parts { p { (what) b { (value) } } } };
    chart(days, name, &sentence, said, places)
}

/// The share of each grade, stacked to the whole of what was measured; the poor on top.
fn quality(words: Lang, days: &Days) -> Markup {
    let name = words.user_minutes();
    let mut all = Seconds::default();
    days.rows.iter().filter_map(Row::day).for_each(|day| all.add(day.seconds));
    let told = |seconds: Seconds| -> Option<String> {
        let share = |grade: usize| seconds.share(grade).map(percent);
        let (good, fair, poor) = (share(0)?, share(1)?, share(2)?);
        Some(format!("{} {good}, {} {fair}, {} {poor}", words.good(), words.fair(), words.poor()))
    };
    let sentence = format!("{name}: {}", told(all).unwrap_or_else(|| words.not_measured().to_owned()));
    let places = html! { @for (at, row) in days.rows.iter().enumerate() {
        @let seconds = row.day().map(|day| day.seconds).unwrap_or_default();
        @match told(seconds) {
            Some(text) => (place(words, days, at, row, &text, stack(at, seconds))),
            None => (place(words, days, at, row, row.why(words), unknown(at))),
        }
    } };
    let said = html! { @for (grade, (class, word)) in [("good", words.good()), ("fair", words.fair()), ("poor", words.poor())].into_iter().enumerate() {
        p { span class={ "key " (class) } { (word) } b { @if let Some(share) = all.share(grade) { (percent(share)) } @else { "–" } } }
    } };
    chart(days, name, &sentence, said, places)
}

/// A bar in the place of a day, from one height to another; what is not nothing is seen.
fn bar(at: usize, from: u64, height: u64, class: &str) -> Markup {
    html! { rect class={ "bar " (class) } x=(at * WIDTH + 2) width=(WIDTH - 4) y=(HEIGHT - from - height) height=(height) {} }
}

fn stack(at: usize, seconds: Seconds) -> Markup {
    let total = seconds.total().max(1);
    let Seconds([good, fair, _]) = seconds;
    let until = |sum: u64| (sum * TOP + total / 2) / total;
    let (a, b) = (until(good), until(good + fair));
    html! { (bar(at, 0, a, "good")) (bar(at, a, b - a, "fair")) (bar(at, b, TOP - b, "poor")) }
}

/// Nothing is known: no bar, not one of no height.
fn unknown(at: usize) -> Markup {
    html! { path.unknown d={ "M" (at * WIDTH + 2) " 97h" (WIDTH - 4) } {} }
}

/// The days under all charts, and the pattern of the running one.
fn axis(days: &Days) -> Markup {
    let count = days.rows.len().max(1);
    let step = count.div_ceil(NAMED_MAX);
    html! {
        div.chart aria-hidden="true" {
            div {}
            svg.ticks aria-hidden="true" {
                defs { pattern #hatch width=(WIDTH) height="8" patternUnits="userSpaceOnUse" { rect width=(WIDTH) height="4" {} } }
                // From the last one back, so that the running day has its name.
                @for (place, row) in days.rows.iter().enumerate().rev().step_by(step) {
                    text x={ (format!("{}.{}", (place * 2 + 1) * 50 / count, (place * 2 + 1) * 500 / count % 10)) "%" } y="13" {
                        (date(row.figures.start_s).get(5..).unwrap_or_default())
                    }
                }
            }
        }
    }
}
