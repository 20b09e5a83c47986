//! Data for the charts: of each line the least and the greatest value of each bucket of time, never an average, which
//! would hide what one looks for.

mod states;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::call::{ByPeer, Direction, Told, events_of, find, flows, pinned, sentence, sessions_of, told};
use super::lanes::Span;
use super::score::THRESHOLDS;
use super::words::Lang;
use super::{Context, Shown, Trouble};
use crate::records::quality::{GAP_MS_MAX, Metric};
use crate::records::{Call, Millis};
use crate::store::Store;
use states::{Of, State, states};

/// How lines of several peers become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Join {
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
pub(super) struct Line {
    key: &'static str,
    pub(super) name: fn(Lang) -> &'static str,
    metrics: &'static [Metric],
    way: Way,
    pub(super) join: Join,
    scale: f64,
}

/// One chart.
pub(super) struct Chart {
    pub(super) key: &'static str,
    pub(super) name: fn(Lang) -> &'static str,
    pub(super) unit: &'static str,
    lines: &'static [Line],
    /// Whose thresholds are drawn behind the lines.
    bands: Option<Metric>,
    /// The states that explain it.
    states: &'static [Of],
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
        states: &[Of::Muted, Of::NoVideo, Of::Lost, Of::Out],
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
        states: &[Of::Lost, Of::Out],
    },
    Chart {
        key: "delay",
        name: Lang::delay,
        unit: "ms",
        lines: &[line("rtt", Lang::round_trip, &[Metric::RoundTrip], Way::Both, Join::Most, 1.0)],
        bands: Some(Metric::RoundTrip),
        states: &[Of::Lost, Of::Out],
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
        states: &[Of::NoVideo, Of::Busy, Of::Lost, Of::Out],
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
        states: &[Of::Busy, Of::Lost, Of::Out],
    },
];

/// The most buckets that a script may ask for.
const BUCKETS_MAX: i64 = 2_000;
/// The shortest bucket, in seconds: how often clients report.
const BUCKET_S_MIN: i64 = 2;

/// Least and greatest of each bucket; not a number where there is none.
pub(super) type Buckets = Vec<Option<(f64, f64)>>;

/// One side of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    /// What the sender's client tells of what it sent.
    Sender,
    /// What the receiver's client tells of what came from the sender.
    Receiver,
}

impl Half {
    /// Its name in addresses.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Half::Sender => "sender",
            Half::Receiver => "receiver",
        }
    }
}

impl Line {
    fn is_of(&self, direction: Direction) -> bool {
        match direction {
            Direction::Both => true,
            Direction::Received => self.way != Way::Up,
            Direction::Sent => self.way != Way::Down,
        }
    }
}

/// One line with its values.
pub(super) struct Drawn {
    pub(super) chart: &'static Chart,
    pub(super) line: &'static Line,
    pub(super) buckets: Buckets,
}

/// Buckets of equal length, so many that `px` of them fill a chart's width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scale {
    pub(super) span: Span,
    pub(super) step: i64,
    count: i64,
}

impl Scale {
    pub(super) fn new(span: Span, px: Option<i64>) -> Scale {
        let px = px.unwrap_or(BUCKETS_MAX / 2).clamp(1, BUCKETS_MAX);
        let step = ((span.width() + px - 1) / px).max(BUCKET_S_MIN);
        Scale { span, step, count: (span.width() + step - 1) / step }
    }
}

/// The lines of one user.
pub(super) fn drawn(peers: &ByPeer, direction: Direction, scale: Scale) -> Vec<Drawn> {
    let lines = CHARTS.iter().flat_map(|chart| chart.lines.iter().map(move |line| (chart, line)));
    let draw = |(chart, line): (&'static Chart, &'static Line)| {
        let buckets = buckets(line, peers, scale.span, scale.step, scale.count)?;
        Some(Drawn { chart, line, buckets })
    };
    lines.filter(|(_, line)| line.is_of(direction)).filter_map(draw).collect()
}

/// One side of a pair, as what a user measured with one peer.
pub(super) fn of_half(half: Half, flows: &BTreeMap<String, ByPeer>, from: &str, to: &str) -> ByPeer {
    let (user, peer) = match half {
        Half::Sender => (from, ""),
        Half::Receiver => (to, from),
    };
    let metrics = flows.get(user).and_then(|peers| peers.get(peer));
    metrics.map(|metrics| ByPeer::from([(peer.to_owned(), metrics.clone())])).unwrap_or_default()
}

/// Whose lines are drawn, and what explains them.
struct Subject {
    user: String,
    peers: ByPeer,
    states: Vec<State>,
}

/// What is drawn, and of which direction.
async fn subjects<S: Store>(
    context: &Context<'_, S>,
    call: &Call,
    span: Span,
) -> Result<(Vec<Subject>, Direction), Trouble> {
    let query = context.query;
    let half = match query.text("half") {
        Some("sender") => Some(Half::Sender),
        Some("receiver") => Some(Half::Receiver),
        _ => None,
    };
    if let (Some(half), Some(from), Some(to)) = (half, query.text("from_user"), query.text("to_user")) {
        let (user, direction) = match half {
            Half::Sender => (from, Direction::Sent),
            Half::Receiver => (to, Direction::Received),
        };
        let flows = flows(context, call, &[user.to_owned()], span).await?;
        let peers = of_half(half, &flows, from, to);
        // Of a pair, both halves are about what the sender sends.
        let subject = subject(context, call, span, (user, from), peers).await?;
        return Ok((vec![subject], direction));
    }
    let users = pinned(query);
    let mut flows = flows(context, call, &users, span).await?;
    let mut subjects = Vec::new();
    for user in users {
        let peers = flows.remove(&user).unwrap_or_default();
        subjects.push(subject(context, call, span, (&user, &user), peers).await?);
    }
    Ok((subjects, Direction::of(query)))
}

/// A user, whose own stays and device explain the lines as well as what the sender had switched off.
async fn subject<S: Store>(
    context: &Context<'_, S>,
    call: &Call,
    span: Span,
    (user, sender): (&str, &str),
    peers: ByPeer,
) -> Result<Subject, Trouble> {
    let media = events_of(context, call, sender).await?;
    let sessions = sessions_of(context, call, Some(&[user.to_owned()])).await?;
    let states = states(context.view.prefs.lang, span, &media, &sessions, &peers);
    Ok(Subject { user: user.to_owned(), peers, states })
}

/// `/ui/data/call/{CommId}?u=a,b&dir=&from=&to=&px=`, or of a pair `?half=&from_user=&to_user=`
pub(super) async fn call<S: Store>(context: &Context<'_, S>, comm_id: &str) -> Result<Shown, Trouble> {
    let call = find(context, comm_id).await?;
    let (query, view) = (context.query, &context.view.prefs);
    let end = call.ended.unwrap_or(context.now).secs();
    let from = query.number("from").unwrap_or(call.created.secs());
    let to = query.number("to").unwrap_or(end).max(from.saturating_add(1));
    let scale = Scale::new(Span { from, to }, query.number("px"));
    let (subjects, direction) = subjects(context, &call, scale.span).await?;
    let mut users = Vec::new();
    for Subject { user, peers, states } in &subjects {
        let drawn = drawn(peers, direction, scale);
        let lines: serde_json::Map<String, Value> =
            drawn.iter().map(|drawn| (drawn.line.key.to_owned(), value(&drawn.buckets))).collect();
        let told: Vec<Told> = drawn.iter().filter_map(|drawn| told(drawn, scale)).collect();
        let said = |chart: &Chart| {
            let concerned = states.iter().filter(|state| chart.states.contains(&state.of));
            sentence(view, user, chart, &told, scale.span) + &states::told(concerned, scale.span)
        };
        let sentences: serde_json::Map<String, Value> =
            CHARTS.iter().map(|chart| (chart.key.to_owned(), said(chart).into())).collect();
        let states: Vec<Value> = states
            .iter()
            .map(|state| json!({ "kind": state.of.name(), "from": state.from, "to": state.to, "name": state.name }))
            .collect();
        users.push(json!({ "user": user, "lines": lines, "told": sentences, "states": states }));
    }
    let charts = charts(view.lang, direction);
    let gap = GAP_MS_MAX / 1_000;
    let body = json!({ "t0": from, "step": scale.step, "n": scale.count, "gap": gap, "users": users, "charts": charts });
    Ok(Shown::json(body.to_string()))
}

/// What the charts are, for the script. The place of a line decides how it looks.
fn charts(words: Lang, direction: Direction) -> Vec<Value> {
    let chart = |chart: &Chart| {
        let lines: Vec<Value> = (chart.lines.iter().enumerate())
            .filter(|(_, line)| line.is_of(direction))
            .map(|(place, line)| json!({ "key": line.key, "name": (line.name)(words), "place": place }))
            .collect();
        let bands = chart.bands.and_then(|metric| THRESHOLDS.iter().find(|(other, ..)| *other == metric));
        json!({
            "key": chart.key,
            "name": (chart.name)(words),
            "unit": chart.unit,
            "lines": lines,
            "kinds": chart.states.iter().map(|of| of.name()).collect::<Vec<_>>(),
            "bands": bands.map(|(_, fair, poor)| json!([[*fair, words.fair()], [*poor, words.poor()]])),
        })
    };
    CHARTS.iter().map(chart).collect()
}

fn buckets(line: &Line, peers: &ByPeer, span: Span, step: i64, count: i64) -> Option<Buckets> {
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
        assert!(
            drawn(&peers, Direction::Sent, Scale::new(span, Some(3)))
                .iter()
                .all(|drawn| drawn.line.key == "video_up")
        );
        assert_eq!(join(Join::Most, Some((1.0, 2.0)), Some((0.0, 5.0))), Some((1.0, 5.0)));
        assert_eq!(join(Join::Least, Some((1.0, 2.0)), None), Some((1.0, 2.0)));
    }
}
