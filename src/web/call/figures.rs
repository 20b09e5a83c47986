//! The charts in words and as a table, for who does not see them.

use maud::{Markup, html};

use super::fill;
use super::story::{ByPeer, Direction};
use crate::records::Millis;
use crate::web::data::{Chart, Drawn, Join, Line, Scale, drawn};
use crate::web::lanes::Span;
use crate::web::prefs::Prefs;
use crate::web::sheet::Sheet;
use crate::web::{Context, Shown};

/// What one line comes to.
pub(in crate::web) struct Told {
    chart: &'static Chart,
    line: &'static Line,
    median: f64,
    worst: f64,
    at: Millis,
}

/// The median of a line, and its worst value with its moment.
pub(in crate::web) fn told(drawn: &Drawn, scale: Scale) -> Option<Told> {
    // Of rates, and of sums of rates, the least is the worst.
    let is_less_worse = drawn.line.join != Join::Most;
    let mut values: Vec<(f64, i64)> = (drawn.buckets.iter())
        .zip((0..).map(|place| scale.span.from + place * scale.step))
        .filter_map(|(cell, at)| cell.map(|(least, most)| (if is_less_worse { least } else { most }, at)))
        .collect();
    values.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(&a.1)));
    let median = values.get(values.len() / 2)?.0;
    let (worst, at) = if is_less_worse { *values.first()? } else { *values.last()? };
    Some(Told { chart: drawn.chart, line: drawn.line, median, worst, at: Millis::from_secs(at) })
}

/// All lines of one user, in words.
pub(super) fn lines(peers: &ByPeer, direction: Direction, span: Span) -> Vec<Told> {
    let scale = Scale::new(span, None);
    drawn(peers, direction, scale).iter().filter_map(|drawn| told(drawn, scale)).collect()
}

/// One digit after the point where there is something behind it.
pub(in crate::web) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// What a chart shows, in one sentence.
pub(in crate::web) fn sentence(
    prefs: &Prefs,
    user: &str,
    chart: &Chart,
    told: &[Told],
    span: Span,
) -> String {
    let (words, zone) = (prefs.lang, prefs.zone);
    let time = |second: i64| zone.time(Millis::from_secs(second)).get(..5).unwrap_or_default().to_owned();
    let name = (chart.name)(words);
    let head = fill(words.chart_of(), &[name, user, &time(span.from), &time(span.to)]);
    let mut parts = Vec::new();
    for one in told.iter().filter(|one| one.chart.key == chart.key) {
        let (median, worst, at) = (number(one.median), number(one.worst), zone.time(one.at));
        let line = (one.line.name)(words);
        parts.push(fill(words.chart_line(), &[line, &median, chart.unit, &worst, chart.unit, &at]));
    }
    if parts.is_empty() {
        parts.push(words.not_measured().to_owned());
    }
    format!("{head}: {}", parts.join("; "))
}

/// The same as a table.
pub(super) fn table<S>(context: &Context<'_, S>, users: &[(String, Vec<Told>)]) -> Markup {
    let (words, zone) = (context.view.prefs.lang, context.view.prefs.zone);
    html! {
        div.scroll tabindex="0" role="region" aria-label=(words.quality()) {
            table {
                thead { tr {
                    th scope="col" { (words.user()) } th scope="col" { (words.what()) } th scope="col" { (words.line()) }
                    th.number scope="col" { (words.median()) } th.number scope="col" { (words.worst()) } th scope="col" { (words.at_time()) }
                } }
                tbody { @for (user, told) in users {
                    @for one in told { tr {
                        th.clip scope="row" { bdi { (user) } }
                        td { ((one.chart.name)(words)) } td { ((one.line.name)(words)) }
                        td.number { (number(one.median)) " " small { (one.chart.unit) } }
                        td.number { (number(one.worst)) " " small { (one.chart.unit) } }
                        td { time datetime=(one.at.secs()) { (zone.time(one.at)) } }
                    } }
                    @if told.is_empty() { tr { th.clip scope="row" { bdi { (user) } } td colspan="5" { (words.not_measured()) } } }
                } }
            }
        }
    }
}

pub(super) fn csv(prefs: &Prefs, users: &[(String, Vec<Told>)]) -> Shown {
    let words = prefs.lang;
    let mut sheet = Sheet::new(&["user", "chart", "line", "unit", "median", "worst", "at_s"]);
    for (user, told) in users {
        for one in told {
            let (chart, line) = ((one.chart.name)(words), (one.line.name)(words));
            let (median, worst, at) = (number(one.median), number(one.worst), one.at.secs().to_string());
            sheet.row([user, chart, line, one.chart.unit, &median, &worst, &at]);
        }
    }
    sheet.shown("quality")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::records::quality::Metric;
    use crate::web::prefs::{Theme, Zone};
    use crate::web::words::Lang;

    #[test]
    fn a_chart_is_told_in_one_sentence() {
        let at = |s: i64, value: f64| (Millis::from_secs(s), value);
        let loss = vec![at(1_763_800_210, 0.2), at(1_763_800_230, 12.9), at(1_763_800_240, 0.0)];
        let rate = vec![at(1_763_800_210, 30.0), at(1_763_800_230, 4.0), at(1_763_800_250, 25.0)];
        let peers = ByPeer::from([(
            "bob".to_owned(),
            BTreeMap::from([(Metric::VideoLoss, loss), (Metric::DecodeRate, rate)]),
        )]);
        let span = Span { from: 1_763_800_200, to: 1_763_800_800 };
        let all = lines(&peers, Direction::Both, span);
        let prefs = Prefs { lang: Lang::En, zone: Zone::Utc, theme: Theme::Auto };
        let told: Vec<String> =
            all.iter().map(|one| sentence(&prefs, "chen", one.chart, &all, span)).collect();
        let expected = [
            "Packet loss of chen, 08:30 to 08:40: Down median 0.2 %, worst 12.9 % at 08:30:30",
            "Frames of chen, 08:30 to 08:40: Shown median 25 fps, worst 4 fps at 08:30:30",
        ];
        assert_eq!(told, expected);
        let none = sentence(&prefs, "chen", all[0].chart, &[], span);
        assert_eq!(none, "Packet loss of chen, 08:30 to 08:40: not measured");
    }
}
