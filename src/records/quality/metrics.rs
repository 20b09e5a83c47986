//! Measurements to metrics.

use std::collections::BTreeMap;

use super::{Counter, Measure, Metric, Points, Series, Stream};
use crate::records::Millis;

/// The longest interval between two counts that a rate is made of. Behind a longer gap nothing is known of how the
/// difference came about, and a question must not need to look back without end.
pub const GAP_MS_MAX: i64 = 60_000;

/// What one user and one peer show: the metrics of all connections between them, from measurements that reach
/// [`GAP_MS_MAX`] before what is asked for. Of several values of one second, of one connection or more, the
/// greatest is shown: of simulcast and of parallel connections that is the one that matters.
pub fn metrics(connections: &[&Series]) -> BTreeMap<Metric, Points> {
    let mut metrics: BTreeMap<Metric, Points> = BTreeMap::new();
    for series in connections {
        of_connection(series, &mut metrics);
    }
    for points in metrics.values_mut() {
        points.sort_by(|a, b| a.0.secs().cmp(&b.0.secs()).then_with(|| b.1.total_cmp(&a.1)));
        points.dedup_by_key(|(at, _)| at.secs());
    }
    metrics
}

fn of_connection(series: &Series, metrics: &mut BTreeMap<Metric, Points>) {
    let is_up = series.flow.peer.is_empty();
    let counts = Counts { series };
    for (measure, points) in &series.columns {
        if let Measure::Gauge(metric) = measure {
            metrics.entry(*metric).or_default().extend_from_slice(points);
        }
    }
    let frames = if is_up { Metric::EncodeRate } else { Metric::DecodeRate };
    let mut add = |metric: Metric, points: Points| {
        if !points.is_empty() {
            metrics.entry(metric).or_default().extend(points);
        }
    };
    // Bytes a millisecond are 8,000 bits a second.
    add(Metric::AudioBitRate, counts.rates(Stream::Audio, Counter::AudioBytes, 8_000.0));
    add(Metric::VideoBitRate, counts.rates(Stream::Video, Counter::VideoBytes, 8_000.0));
    add(frames, counts.rates(Stream::Video, Counter::VideoFrames, 1_000.0));
    add(Metric::AudioBlock, counts.growth(Stream::Audio, Counter::AudioConcealed));
    add(Metric::VideoBlock, counts.growth(Stream::Video, Counter::VideoFrozen));
    add(Metric::AudioLoss, counts.loss(Stream::Audio, Counter::AudioLost, Counter::AudioPackets));
    add(Metric::VideoLoss, counts.loss(Stream::Video, Counter::VideoLost, Counter::VideoPackets));
}

/// The counters of one connection.
struct Counts<'s> {
    series: &'s Series,
}

impl<'s> Counts<'s> {
    fn points(&self, measure: Measure) -> &'s [(Millis, f64)] {
        let column = self.series.columns.iter().find(|(other, _)| *other == measure);
        column.map_or(&[], |(_, points)| points)
    }

    /// Neighbouring counts of one stream: when the later was taken, how long after the earlier (ms), how much more
    /// it is.
    fn steps(&self, stream: Stream, counter: Counter) -> impl Iterator<Item = (Millis, i64, f64)> {
        let streams = self.points(Measure::Stream(stream));
        // The stream that was the latest told at a moment.
        let stream_at = move |at: Millis| {
            let behind = streams.partition_point(|(told, _)| *told <= at);
            behind.checked_sub(1).map(|place| streams[place].1.to_bits())
        };
        self.points(Measure::Counter(counter)).windows(2).filter_map(move |pair| {
            let [(before, less), (at, more)] = *pair else { return None };
            let ms = at.0 - before.0;
            let same = stream_at(before) == stream_at(at);
            (same && ms <= GAP_MS_MAX).then_some((at, ms, more - less))
        })
    }

    /// How much a counter grows in a millisecond, times `factor`. One that falls was begun anew.
    #[expect(clippy::cast_precision_loss, reason = "an interval of at most a minute is exact")]
    fn rates(&self, stream: Stream, counter: Counter, factor: f64) -> Points {
        let grown = self.steps(stream, counter).filter(|(_, _, more)| *more >= 0.0);
        grown.map(|(at, ms, more)| (at, more * factor / ms as f64)).collect()
    }

    /// How much a counter grew.
    fn growth(&self, stream: Stream, counter: Counter) -> Points {
        let grown = self.steps(stream, counter).filter(|(_, _, more)| *more >= 0.0);
        grown.map(|(at, _, more)| (at, more)).collect()
    }

    /// The share of packets that did not come, in percent. A count of lost packets that falls had late ones in it:
    /// that is no loss.
    fn loss(&self, stream: Stream, lost: Counter, came: Counter) -> Points {
        let came: BTreeMap<Millis, f64> = self
            .steps(stream, came)
            .filter(|(_, _, more)| *more >= 0.0)
            .map(|(at, _, more)| (at, more))
            .collect();
        let lost = self.steps(stream, lost).map(|(at, _, more)| (at, more.max(0.0)));
        lost.filter_map(|(at, lost)| {
            let all = lost + came.get(&at)?;
            Some((at, if all > 0.0 { 100.0 * lost / all } else { 0.0 }))
        })
        .collect()
    }
}
