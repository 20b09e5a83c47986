//! What the entries were made with, ranked, against the same number of days before. A table, for differences are read
//! from numbers.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::day::{Day, KINDS_MAX, Kinds, Part, Seconds};
use super::{Counted, Days, Row, date, number, percent};
use crate::web::call::fill;
use crate::web::query::Query;
use crate::web::sheet::Sheet;
use crate::web::words::Lang;
use crate::web::{Context, Shown};

/// Kinds that are listed; the others are counted together.
const LISTED_MAX: usize = 20;

/// By what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Sdk,
    Device,
}

impl By {
    const ALL: [By; 2] = [By::Sdk, By::Device];

    pub(super) fn of(query: &Query) -> By {
        let named = |by: &By| query.text("split") == Some(by.name());
        By::ALL.into_iter().find(named).unwrap_or(By::Sdk)
    }

    /// Its name in addresses.
    const fn name(self) -> &'static str {
        match self {
            By::Sdk => "sdk",
            By::Device => "device",
        }
    }

    const fn told(self, words: Lang) -> &'static str {
        match self {
            By::Sdk => "SDK",
            By::Device => words.device(),
        }
    }

    const fn kinds(self, day: &Day) -> &Kinds {
        match self {
            By::Sdk => &day.sdks,
            By::Device => &day.devices,
        }
    }
}

/// The kinds of some days, summed.
#[derive(Debug, Default)]
struct Sum<'d> {
    parts: BTreeMap<&'d str, Part>,
    others: Part,
    all: Part,
    /// Every day was counted, and none is gone.
    is_whole: bool,
}

impl<'d> Sum<'d> {
    fn of(rows: &'d [Row], by: By) -> Sum<'d> {
        let mut sum = Sum { is_whole: rows.iter().all(|row| row.day().is_some()), ..Sum::default() };
        for kinds in rows.iter().filter_map(Row::day).map(|day| by.kinds(day)) {
            for (name, part) in &kinds.parts {
                sum.parts.entry(name).or_default().add(*part);
                sum.all.add(*part);
            }
            sum.others.add(kinds.others);
            sum.all.add(kinds.others);
        }
        sum
    }

    /// The most frequent first.
    fn ranked(&self) -> Vec<(&'d str, Part)> {
        let mut all: Vec<(&str, Part)> = self.parts.iter().map(|(name, part)| (*name, *part)).collect();
        all.sort_by(|a, b| b.1.entries.cmp(&a.1.entries).then_with(|| a.0.cmp(b.0)));
        all
    }

    /// The share of all entries in thousandths.
    fn share(&self, part: Part) -> Option<u64> {
        let of = self.all.entries;
        (of > 0).then(|| (part.entries * 1_000 + of / 2) / of)
    }

    fn get(&self, name: Option<&str>) -> Part {
        name.map_or(self.others, |name| self.parts.get(name).copied().unwrap_or_default())
    }
}

/// A difference of shares in percentage points, where both are known.
fn change(now: Option<u64>, before: Option<u64>) -> Option<i64> {
    let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    Some(signed(now?) - signed(before?))
}

/// `+1.2`
fn points(change: i64) -> String {
    let sign = match change {
        0 => "±",
        1.. => "+",
        _ => "−",
    };
    format!("{sign}{}.{}", change.abs() / 10, change.abs() % 10)
}

pub(super) fn panel<S>(context: &Context<'_, S>, days: &Days, by: By) -> Markup {
    let (words, query) = (context.view.prefs.lang, context.query);
    let (now, before) = (Sum::of(&days.rows, by), Sum::of(&days.before, by));
    let ranked = now.ranked();
    let mut rest = now.others;
    ranked.iter().skip(LISTED_MAX).for_each(|(_, part)| rest.add(*part));
    let file = Query::parse(query.with("format", Some("csv")).trim_start_matches('?'));
    html! {
        section #split .panel {
            header {
                h2 { (words.split_by()) }
                span.tabs { @for other in By::ALL {
                    a.tab href={ "/ui/trends" (query.with("split", Some(other.name()))) }
                        aria-current=[(by == other).then_some("true")] { (other.told(words)) }
                } }
                span.dim { (against(words, days)) }
                span.tools { a href={ "/ui/trends" (file.with("of", Some("split"))) } { "CSV" } }
            }
            div.scroll { table {
                thead { tr {
                    th scope="col" { (by.told(words)) } th.number scope="col" { (words.daily_entries()) }
                    th.number scope="col" { (words.share()) } th.number scope="col" { (words.change_points()) }
                    th scope="col" { (words.user_minutes()) }
                    th.number scope="col" { (words.poor()) } th.number scope="col" { (words.change_points()) }
                } }
                tbody {
                    @for (name, part) in ranked.iter().take(LISTED_MAX) { (line(words, (&now, &before), Some(name), *part)) }
                    @if rest.entries > 0 || rest.seconds.total() > 0 { (line(words, (&now, &before), None, rest)) }
                }
            } }
            p.note { (notes(words, days, &before)) }
        }
    }
}

/// What is compared with what.
fn against(words: Lang, days: &Days) -> String {
    let day = |row: Option<&Row>| row.map_or_else(String::new, |row| date(row.figures.start_s));
    let ends =
        [day(days.rows.first()), day(days.rows.last()), day(days.before.first()), day(days.before.last())];
    fill(words.split_against(), &ends.each_ref().map(String::as_str))
}

/// Why there may be no changes, and what nobody tells.
fn notes(words: Lang, days: &Days, before: &Sum<'_>) -> String {
    let has = |which: fn(&Row) -> bool| days.before.iter().any(which);
    let mut text = String::new();
    if has(|row| matches!(row.counted, Counted::Gone)) {
        text += words.before_gone();
    } else if has(|row| matches!(row.counted, Counted::Waits)) {
        text += words.before_waits();
    } else if before.all.entries == 0 {
        text += words.before_empty();
    }
    let most = KINDS_MAX.to_string();
    [text.as_str(), &fill(words.split_kinds(), &[&most]), words.no_networks()]
        .join(" ")
        .trim_start()
        .to_owned()
}

/// One kind; `None`: all that are not listed.
fn line(words: Lang, (now, before): (&Sum<'_>, &Sum<'_>), name: Option<&str>, part: Part) -> Markup {
    let was = before.get(name);
    let is_known = before.is_whole && now.is_whole && name.is_some();
    let share = now.share(part);
    let changed = change(share, before.share(was)).filter(|_| is_known);
    let (poor, poor_was) = (part.seconds.share(2), was.seconds.share(2));
    let worse = change(poor, poor_was).filter(|_| is_known);
    let is_new = is_known && was.entries == 0 && before.all.entries > 0;
    let none = || html! { span.dim { "–" } };
    html! {
        tr {
            th.clip scope="row" {
                @match name { Some("") => span.dim { (words.not_told()) }, Some(name) => bdi { (name) }, None => span.dim { (words.all_others()) } }
                @if is_new { " " span.badge { (words.new_kind()) } }
            }
            td.number { (number(part.entries)) }
            td.number { @if let Some(share) = share { (percent(share)) } @else { (none()) } }
            td.number { @if let Some(changed) = changed { (points(changed)) } @else { (none()) } }
            td { (stack(words, part.seconds)) }
            td.number { @if let Some(poor) = poor { (percent(poor)) } @else { span.dim title=(words.not_measured()) { "–" } } }
            td.number { @if let Some(worse) = worse { span class=[(worse > 0).then_some("poor")] { (points(worse)) } } @else { (none()) } }
        }
    }
}

/// The shares of good, fair and poor as a bar.
fn stack(words: Lang, seconds: Seconds) -> Markup {
    let share = |grade: usize| seconds.share(grade);
    let (Some(good), Some(fair), Some(poor)) = (share(0), share(1), share(2)) else {
        return html! { span.dim { (words.not_measured()) } };
    };
    html! {
        svg.bars.share viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" {
            rect.bar.good width=(good) height="10" {}
            rect.bar.fair x=(good) width=(fair) height="10" {}
            rect.bar.poor x=(good + fair) width=(poor) height="10" {}
        }
    }
}

/// Every kind that is told apart, of both periods.
pub(super) fn csv(days: &Days, by: By) -> Shown {
    let (now, before) = (Sum::of(&days.rows, by), Sum::of(&days.before, by));
    let mut sheet = Sheet::new(&[
        by.name(),
        "entries",
        "good_s",
        "fair_s",
        "poor_s",
        "entries_before",
        "good_s_before",
        "fair_s_before",
        "poor_s_before",
        "is_complete",
    ]);
    let is_complete = now.is_whole && before.is_whole;
    let others = (now.others != Part::default()).then_some((None, now.others));
    let named = now.ranked().into_iter().map(|(name, part)| (Some(name), part));
    for (name, part) in named.chain(others) {
        let was = before.get(name);
        let numbers = [part, was].map(|Part { entries, seconds: Seconds([good, fair, poor]) }| {
            [entries, good, fair, poor].map(|value| value.to_string())
        });
        let row = std::iter::once(name.unwrap_or("(others)").to_owned()).chain(numbers.into_iter().flatten());
        sheet.row(row.chain([is_complete.to_string()]));
    }
    sheet.shown(by.name())
}
