//! Data for the charts: of each line the least and the greatest value of each bucket of time, never an average, which
//! would hide what one looks for.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::call::{ByPeer, Direction, Told, events_of, find, flows, pinned, sentence, told};
use super::lanes::Span;
use super::score::THRESHOLDS;
use super::words::Lang;
use super::{Context, Shown, Trouble};
use crate::records::quality::Metric;
use crate::records::{Call, Event, Kind, Millis, Track};
use crate::store::Store;

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

/// What is drawn.
struct Subjects {
    /// Of whom.
    users: Vec<(String, ByPeer)>,
    direction: Direction,
    /// Whose microphone and camera are off where that is shown: who sends what the first chart is about.
    sender: Option<String>,
}

async fn subjects<S: Store>(context: &Context<'_, S>, call: &Call, span: Span) -> Result<Subjects, Trouble> {
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
        let users = vec![(user.to_owned(), of_half(half, &flows, from, to))];
        return Ok(Subjects { users, direction, sender: Some(from.to_owned()) });
    }
    let users = pinned(query);
    let mut flows = flows(context, call, &users, span).await?;
    let own = |user: String| {
        let peers = flows.remove(&user).unwrap_or_default();
        (user, peers)
    };
    let sender = users.first().cloned();
    Ok(Subjects { users: users.into_iter().map(own).collect(), direction: Direction::of(query), sender })
}

/// `/ui/data/call/{CommId}?u=a,b&dir=&from=&to=&px=`, or of a pair `?half=&from_user=&to_user=`
pub(super) async fn call<S: Store>(context: &Context<'_, S>, comm_id: &str) -> Result<Shown, Trouble> {
    let call = find(context, comm_id).await?;
    let (query, view) = (context.query, &context.view.prefs);
    let end = call.ended.unwrap_or(context.now).secs();
    let from = query.number("from").unwrap_or(call.created.secs());
    let to = query.number("to").unwrap_or(end).max(from.saturating_add(1));
    let scale = Scale::new(Span { from, to }, query.number("px"));
    let Subjects { users: subjects, direction, sender } = subjects(context, &call, scale.span).await?;
    let mut users = Vec::new();
    for (user, peers) in &subjects {
        let drawn = drawn(peers, direction, scale);
        let lines: serde_json::Map<String, Value> =
            drawn.iter().map(|drawn| (drawn.line.key.to_owned(), value(&drawn.buckets))).collect();
        let told: Vec<Told> = drawn.iter().filter_map(|drawn| told(drawn, scale)).collect();
        let sentences: serde_json::Map<String, Value> = CHARTS
            .iter()
            .map(|chart| (chart.key.to_owned(), sentence(view, user, chart, &told, scale.span).into()))
            .collect();
        users.push(json!({ "user": user, "lines": lines, "told": sentences }));
    }
    let states = match sender {
        Some(sender) => states(view.lang, &events_of(context, &call, &sender).await?, scale.span),
        None => Vec::new(),
    };
    let charts = charts(view.lang, direction);
    let body = json!({ "t0": from, "step": scale.step, "n": scale.count, "users": users, "states": states, "charts": charts });
    Ok(Shown::json(body.to_string()))
}

/// When a user's microphone or camera was off: from the event that says so to the next that does not, or the leave.
fn states(words: Lang, events: &[Event], span: Span) -> Vec<Value> {
    let mut found = Vec::new();
    for (track, name) in [(Track::Audio, words.muted()), (Track::Video, words.no_video())] {
        let mut since = None;
        let mut close = |since: &mut Option<i64>, at: i64| {
            if let Some(from) = since.take().filter(|from| *from < span.to && at > span.from) {
                found.push(json!({ "from": from, "to": at, "name": name }));
            }
        };
        for event in events {
            let at = event.at.secs();
            match &event.kind {
                Kind::Media { track: of, on } if *of == track => {
                    if *on {
                        close(&mut since, at);
                    } else {
                        since = since.or(Some(at));
                    }
                }
                Kind::UserLeft | Kind::RecordLeft(_) => close(&mut since, at),
                Kind::RoomCreated
                | Kind::RoomDestroyed
                | Kind::UserJoined
                | Kind::UserChanged
                | Kind::Media { .. }
                | Kind::EmitterReset
                | Kind::Attributes
                | Kind::Unknown { .. }
                | Kind::RecordJoined(_) => {}
            }
        }
        close(&mut since, span.to);
    }
    found
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

    #[test]
    fn what_was_off_is_told_until_it_is_on_again_or_the_user_is_gone() {
        let event = |kind: Kind, s: i64| {
            Event::new(crate::records::AppId(1), "t", "r", "u", kind, Millis::from_secs(s))
        };
        let media = |track: Track, on: bool, s: i64| event(Kind::Media { track, on }, s);
        let events = [
            media(Track::Audio, true, 10),
            media(Track::Audio, false, 20),
            media(Track::Video, false, 22),
            media(Track::Audio, false, 25),
            media(Track::Audio, true, 30),
            event(Kind::UserLeft, 40),
            media(Track::Audio, false, 50),
        ];
        let found = states(Lang::En, &events, Span { from: 0, to: 60 });
        let expected = [
            json!({ "from": 20, "to": 30, "name": "muted" }),
            json!({ "from": 50, "to": 60, "name": "muted" }),
            json!({ "from": 22, "to": 40, "name": "no video" }),
        ];
        assert_eq!(found, expected);
    }
}
