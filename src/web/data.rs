//! Data for the charts: of each line the least and the greatest value of each bucket of time, never an average, which
//! would hide what one looks for.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::call::{by_peer, find, samples};
use super::lanes::Span;
use super::score::THRESHOLDS;
use super::words::Lang;
use super::{Context, Shown, Trouble};
use crate::records::Millis;
use crate::records::quality::{Metric, Points};
use crate::store::Store;

/// How lines of several peers become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Join {
    /// What came from all of them.
    Sum,
    /// The worst, where more is worse.
    Most,
    /// The worst, where less is worse.
    Least,
}

/// What a user sent, or got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
    Both,
}

/// One line of a chart.
struct Line {
    key: &'static str,
    name: fn(Lang) -> &'static str,
    metrics: &'static [Metric],
    way: Way,
    join: Join,
    scale: f64,
}

/// One chart.
struct Chart {
    key: &'static str,
    name: fn(Lang) -> &'static str,
    unit: &'static str,
    lines: &'static [Line],
    /// Whose thresholds are drawn behind the lines.
    bands: Option<Metric>,
}

const fn line(
    key: &'static str,
    name: fn(Lang) -> &'static str,
    metrics: &'static [Metric],
    way: Way,
    join: Join,
    scale: f64,
) -> Line {
    Line { key, name, metrics, way, join, scale }
}

const CHARTS: &[Chart] = &[
    Chart {
        key: "bitrate",
        name: Lang::bitrate,
        unit: "kbps",
        lines: &[
            line("video_up", Lang::video_up, &[Metric::VideoBitRate], Way::Up, Join::Sum, 0.001),
            line("video_down", Lang::video_down, &[Metric::VideoBitRate], Way::Down, Join::Sum, 0.001),
            line("audio_up", Lang::audio_up, &[Metric::AudioBitRate], Way::Up, Join::Sum, 0.001),
            line("audio_down", Lang::audio_down, &[Metric::AudioBitRate], Way::Down, Join::Sum, 0.001),
        ],
        bands: None,
    },
    Chart {
        key: "loss",
        name: Lang::loss,
        unit: "%",
        lines: &[
            line("loss_up", Lang::up, &[Metric::AudioLoss, Metric::VideoLoss], Way::Up, Join::Most, 1.0),
            line(
                "loss_down",
                Lang::down,
                &[Metric::AudioLoss, Metric::VideoLoss],
                Way::Down,
                Join::Most,
                1.0,
            ),
        ],
        bands: Some(Metric::VideoLoss),
    },
    Chart {
        key: "delay",
        name: Lang::delay,
        unit: "ms",
        lines: &[line("rtt", Lang::round_trip, &[Metric::RoundTrip], Way::Both, Join::Most, 1.0)],
        bands: Some(Metric::RoundTrip),
    },
    Chart {
        key: "frames",
        name: Lang::frames,
        unit: "fps",
        lines: &[
            line("captured", Lang::captured, &[Metric::CaptureRate], Way::Up, Join::Least, 1.0),
            line("sent", Lang::sent, &[Metric::EncodeRate], Way::Up, Join::Least, 1.0),
            line("shown", Lang::shown, &[Metric::DecodeRate], Way::Down, Join::Least, 1.0),
        ],
        bands: None,
    },
    Chart {
        key: "freeze",
        name: Lang::freeze,
        unit: "ms",
        lines: &[
            line("frozen", Lang::video_frozen, &[Metric::VideoBlock], Way::Down, Join::Most, 1.0),
            line("stutter", Lang::audio_stutter, &[Metric::AudioBlock], Way::Down, Join::Most, 1.0),
        ],
        bands: Some(Metric::VideoBlock),
    },
];

/// The most buckets that a script may ask for.
const BUCKETS_MAX: i64 = 2_000;
/// The shortest bucket, in seconds: how often clients report.
const BUCKET_S_MIN: i64 = 2;
/// Users that a chart shows at one time.
const USERS_MAX: usize = 6;

/// Least and greatest of each bucket; not a number where there is none.
type Buckets = Vec<Option<(f64, f64)>>;

/// `/ui/data/call/{CommId}?u=a,b&from=&to=&px=`
pub(super) async fn call<S: Store>(context: &Context<'_, S>, comm_id: &str) -> Result<Shown, Trouble> {
    let call = find(context, comm_id).await?;
    let query = context.query;
    let end = call.ended.unwrap_or(context.now).secs();
    let from = query.number("from").unwrap_or(call.created.secs());
    let to = query.number("to").unwrap_or(end).max(from + 1);
    let span = Span { from, to };
    let px = query.number("px").unwrap_or(BUCKETS_MAX / 2).clamp(1, BUCKETS_MAX);
    let step = ((span.width() + px - 1) / px).max(BUCKET_S_MIN);
    let count = (span.width() + step - 1) / step;
    let users: Vec<String> = query.list("u").into_iter().take(USERS_MAX).map(str::to_owned).collect();
    let series = samples(context, &call, &users, span).await?;
    let mut told = Vec::new();
    for user in &users {
        let peers = by_peer(&series, user);
        let mut lines = serde_json::Map::new();
        for line in CHARTS.iter().flat_map(|chart| chart.lines) {
            if let Some(buckets) = buckets(line, &peers, span, step, count) {
                lines.insert(line.key.to_owned(), value(&buckets));
            }
        }
        told.push(json!({ "user": user, "lines": lines }));
    }
    let body = json!({ "t0": from, "step": step, "n": count, "users": told, "charts": charts(context.view.prefs.lang) });
    Ok(Shown::json(body.to_string()))
}

/// What the charts are, for the script.
fn charts(words: Lang) -> Vec<Value> {
    let line = |line: &Line| json!({ "key": line.key, "name": (line.name)(words) });
    let chart = |chart: &Chart| {
        let bands = chart.bands.and_then(|metric| THRESHOLDS.iter().find(|(other, ..)| *other == metric));
        json!({
            "key": chart.key,
            "name": (chart.name)(words),
            "unit": chart.unit,
            "lines": chart.lines.iter().map(line).collect::<Vec<_>>(),
            "bands": bands.map(|(_, fair, poor)| [*fair, *poor]),
        })
    };
    CHARTS.iter().map(chart).collect()
}

fn buckets(
    line: &Line,
    peers: &BTreeMap<String, BTreeMap<Metric, Points>>,
    span: Span,
    step: i64,
    count: i64,
) -> Option<Buckets> {
    let length = usize::try_from(count).ok()?;
    let mut joined: Buckets = vec![None; length];
    let mut any = false;
    for (peer, metrics) in peers {
        let fits = match line.way {
            Way::Up => peer.is_empty(),
            Way::Down => !peer.is_empty(),
            Way::Both => true,
        };
        for points in
            metrics.iter().filter(|(metric, _)| fits && line.metrics.contains(metric)).map(|(_, p)| p)
        {
            any = true;
            for (into, own) in joined.iter_mut().zip(bucketed(points, span, step, length)) {
                *into = join(line.join, *into, own);
            }
        }
    }
    any.then(|| {
        let scaled =
            joined.into_iter().map(|cell| cell.map(|(least, most)| (least * line.scale, most * line.scale)));
        scaled.collect()
    })
}

fn bucketed(points: &[(Millis, f64)], span: Span, step: i64, length: usize) -> Buckets {
    let mut buckets: Buckets = vec![None; length];
    for (at, value) in points.iter().filter(|(_, value)| value.is_finite()) {
        let place = (at.secs() - span.from).div_euclid(step);
        let Some(cell) = usize::try_from(place).ok().and_then(|place| buckets.get_mut(place)) else {
            continue;
        };
        *cell = Some(cell.map_or((*value, *value), |(least, most)| (least.min(*value), most.max(*value))));
    }
    buckets
}

fn join(how: Join, a: Option<(f64, f64)>, b: Option<(f64, f64)>) -> Option<(f64, f64)> {
    let ((a_least, a_most), (b_least, b_most)) = match (a, b) {
        (Some(a), Some(b)) => (a, b),
        (one, None) | (None, one) => return one,
    };
    Some(match how {
        Join::Sum => (a_least + b_least, a_most + b_most),
        Join::Most => (a_least.max(b_least), a_most.max(b_most)),
        Join::Least => (a_least.min(b_least), a_most.min(b_most)),
    })
}

/// Columns, with three digits after the point: more is no information on a screen.
fn value(buckets: &Buckets) -> Value {
    let round = |value: f64| (value * 1_000.0).round() / 1_000.0;
    let least: Vec<Option<f64>> = buckets.iter().map(|cell| cell.map(|(least, _)| round(least))).collect();
    let most: Vec<Option<f64>> = buckets.iter().map(|cell| cell.map(|(_, most)| round(most))).collect();
    json!({ "min": least, "max": most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_keep_the_extremes_and_join_peers_as_their_line_says() {
        let at = |s: i64, value: f64| (Millis::from_secs(s), value);
        let rate = |a: f64, b: f64| {
            BTreeMap::from([(Metric::VideoBitRate, vec![at(100, a), at(102, b), at(107, b)])])
        };
        let peers = BTreeMap::from([
            (String::new(), rate(9e9, 9e9)),
            ("bob".to_owned(), rate(1_000.0, 3_000.0)),
            ("carol".to_owned(), rate(500.0, 100.0)),
        ]);
        let span = Span { from: 100, to: 112 };
        let down = &CHARTS[0].lines[1];
        let found = buckets(down, &peers, span, 4, 3).unwrap();
        assert_eq!(found, [Some((1.1, 3.5)), Some((3.1, 3.1)), None]);
        assert!(buckets(&CHARTS[1].lines[0], &peers, span, 4, 3).is_none(), "nothing was measured");
        assert_eq!(join(Join::Most, Some((1.0, 2.0)), Some((0.0, 5.0))), Some((1.0, 5.0)));
        assert_eq!(join(Join::Least, Some((1.0, 2.0)), None), Some((1.0, 2.0)));
    }
}
