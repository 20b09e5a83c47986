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
        points.retain(|(_, value)| value.is_finite());
        points.sort_by(|a, b| a.0.secs().cmp(&b.0.secs()).then_with(|| b.1.total_cmp(&a.1)));
        points.dedup_by_key(|(at, _)| at.secs());
    }
    metrics.retain(|_, points| !points.is_empty());
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

/// The counts of one connection.
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
        self.points(Measure::Counter(counter)).windows(2).filter_map(move |pair| {
            let [(before, less), (at, more)] = *pair else { return None };
            self.one_stream(stream, before, at).then_some((at, at.0 - before.0, more - less))
        })
    }

    /// Whether counts of two moments are of one stream and near enough to be compared. What was told longer than
    /// [`GAP_MS_MAX`] before the later is not looked at, since a question may not know it: where a stream is told for
    /// the first time, it is another than before.
    fn one_stream(&self, stream: Stream, before: Millis, at: Millis) -> bool {
        let told = self.points(Measure::Stream(stream));
        let oldest = at.plus(-GAP_MS_MAX);
        let stream_at = |moment: Millis| {
            let behind = told.partition_point(|(told, _)| *told <= moment);
            let last = behind.checked_sub(1).map(|place| told[place]);
            last.filter(|(told, _)| oldest <= *told).map(|(_, stream)| stream.to_bits())
        };
        oldest <= before && stream_at(before) == stream_at(at)
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

    /// The share of packets that did not come, in percent, between moments of which both counts are known. A count of
    /// lost packets that falls had late ones in it: that is no loss.
    fn loss(&self, stream: Stream, lost: Counter, came: Counter) -> Points {
        let came = self.points(Measure::Counter(came));
        let both: Vec<(Millis, f64, f64)> = self
            .points(Measure::Counter(lost))
            .iter()
            .filter_map(|(at, lost)| {
                let place = came.binary_search_by_key(at, |(other, _)| *other).ok()?;
                Some((*at, *lost, came[place].1))
            })
            .collect();
        let steps = both.windows(2).filter_map(|pair| {
            let [(before, lost_before, came_before), (at, lost, came)] = *pair else { return None };
            let came = came - came_before;
            if came < 0.0 || !self.one_stream(stream, before, at) {
                return None;
            }
            let lost = (lost - lost_before).max(0.0);
            let all = lost + came;
            Some((at, if all > 0.0 { 100.0 * lost / all } else { 0.0 }))
        });
        steps.collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::records::AppId;
    use crate::records::quality::Flow;

    const START: i64 = 1_795_380_520_000;

    /// Columns by the names of their measures; times in milliseconds from the start.
    fn series(peer: &str, columns: &[(&str, &[(i64, f64)])]) -> Series {
        let text = str::to_owned;
        let flow =
            Flow { app: AppId(1), room: text("r"), user: text("u"), peer: text(peer), connection: text("") };
        let point = |(ms, value): &(i64, f64)| (Millis(START + ms), *value);
        let column = |(name, points): &(&str, &[(i64, f64)])| {
            let measure = Measure::of_name(name).unwrap_or_else(|| panic!("no measure {name}"));
            (measure, points.iter().map(point).collect::<Points>())
        };
        let mut columns: Vec<_> = columns.iter().map(column).collect();
        columns.sort_by_key(|(measure, _)| *measure);
        Series { flow, columns }
    }

    /// What one connection shows of a metric; times as given.
    fn shown(series: &Series, metric: Metric) -> Vec<(i64, f64)> {
        let found = metrics(&[series]);
        found.get(&metric).into_iter().flatten().map(|(at, value)| (at.0 - START, *value)).collect()
    }

    #[test]
    fn rates_are_differences_of_counts() {
        let up = series(
            "",
            &[
                ("audio_bytes", &[(0, 1_000.0), (2_000, 9_000.0), (4_500, 9_000.0)]),
                ("video_frames", &[(0, 0.0), (2_000, 30.0)]),
                ("rtt", &[(0, 39.0)]),
            ],
        );
        assert_eq!(shown(&up, Metric::AudioBitRate), [(2_000, 32_000.0), (4_500, 0.0)]);
        assert_eq!(shown(&up, Metric::EncodeRate), [(2_000, 15.0)]);
        assert_eq!(shown(&up, Metric::DecodeRate), []);
        assert_eq!(shown(&up, Metric::RoundTrip), [(0, 39.0)]);
        let down = series(
            "bob",
            &[
                ("video_frames", &[(0, 0.0), (2_000, 30.0)]),
                ("audio_concealed_ms", &[(0, 5.0), (2_000, 65.0)]),
                ("video_frozen_ms", &[(0, 0.0), (2_000, 3_097.0)]),
            ],
        );
        assert_eq!(shown(&down, Metric::DecodeRate), [(2_000, 15.0)]);
        assert_eq!(shown(&down, Metric::EncodeRate), []);
        assert_eq!(shown(&down, Metric::AudioBlock), [(2_000, 60.0)]);
        assert_eq!(shown(&down, Metric::VideoBlock), [(2_000, 3_097.0)]);
    }

    #[test]
    fn a_counter_that_begins_anew_makes_no_rate_there() {
        let fallen = series("", &[("video_bytes", &[(0, 9e6), (2_000, 1_000.0), (4_000, 2_000.0)])]);
        assert_eq!(shown(&fallen, Metric::VideoBitRate), [(4_000, 4_000.0)]);
        // A new stream may count beyond the old one at once: only its number tells.
        let other = series(
            "",
            &[
                ("video_bytes", &[(0, 10.0), (2_000, 9e6), (4_000, 9e6 + 1_000.0)]),
                ("video_stream", &[(0, 1.0), (2_000, 2.0), (4_000, 2.0)]),
            ],
        );
        assert_eq!(shown(&other, Metric::VideoBitRate), [(4_000, 4_000.0)]);
        // The number of the other medium's stream does not matter.
        let audio = series(
            "",
            &[("video_bytes", &[(0, 0.0), (2_000, 1_000.0)]), ("audio_stream", &[(0, 1.0), (2_000, 2.0)])],
        );
        assert_eq!(shown(&audio, Metric::VideoBitRate), [(2_000, 4_000.0)]);
    }

    #[test]
    fn a_stream_that_is_told_once_is_one_until_another_is() {
        let told = series(
            "",
            &[
                ("audio_bytes", &[(0, 0.0), (2_000, 1_000.0), (4_000, 2_000.0), (6_000, 3_000.0)]),
                ("audio_stream", &[(0, 7.0), (5_000, 8.0)]),
            ],
        );
        assert_eq!(shown(&told, Metric::AudioBitRate), [(2_000, 4_000.0), (4_000, 4_000.0)]);
    }

    #[test]
    fn nothing_is_known_across_a_gap() {
        let points = [(0, 0.0), (GAP_MS_MAX, 1_000.0), (2 * GAP_MS_MAX + 1, 2_000.0)];
        let gap = series("", &[("audio_bytes", &points)]);
        let rates = shown(&gap, Metric::AudioBitRate);
        assert_eq!(rates.iter().map(|(ms, _)| *ms).collect::<Vec<_>>(), [GAP_MS_MAX]);
    }

    #[test]
    fn loss_is_a_share_of_what_was_sent_and_never_negative() {
        let down = series(
            "bob",
            &[
                ("audio_lost", &[(0, 0.0), (2_000, 5.0), (4_000, 3.0), (6_000, 3.0), (8_000, 4.0)]),
                ("audio_packets", &[(0, 0.0), (2_000, 95.0), (4_000, 197.0), (6_000, 197.0), (8_000, 10.0)]),
            ],
        );
        // Late ones came; nothing was sent; the stream began anew.
        assert_eq!(shown(&down, Metric::AudioLoss), [(2_000, 5.0), (4_000, 0.0), (6_000, 0.0)]);
    }

    #[test]
    fn loss_compares_counts_of_the_same_interval() {
        let down = series(
            "bob",
            &[
                ("video_lost", &[(0, 0.0), (4_000, 20.0), (5_000, 21.0)]),
                ("video_packets", &[(0, 0.0), (2_000, 90.0), (4_000, 180.0)]),
            ],
        );
        assert_eq!(shown(&down, Metric::VideoLoss), [(4_000, 10.0)]);
    }

    #[test]
    fn of_several_connections_the_greatest_of_a_second_is_shown() {
        let one = series("", &[("audio_bytes", &[(0, 0.0), (2_000, 1_000.0)]), ("rtt", &[(2_300, 80.0)])]);
        let mut other =
            series("", &[("audio_bytes", &[(100, 5_000.0), (2_100, 7_000.0)]), ("rtt", &[(2_900, 40.0)])]);
        other.flow.connection = "PC_1".to_owned();
        for connections in [[&one, &other], [&other, &one]] {
            let found = metrics(&connections);
            assert_eq!(
                found[&Metric::AudioBitRate],
                [(Millis(START + 2_100), 8_000.0)],
                "never one against the other"
            );
            assert_eq!(found[&Metric::RoundTrip], [(Millis(START + 2_300), 80.0)]);
        }
    }

    #[test]
    fn what_is_no_number_is_not_shown() {
        let odd = series(
            "",
            &[("rtt", &[(0, f64::NAN), (1_000, 5.0)]), ("audio_bytes", &[(0, -1e308), (1_000, 1e308)])],
        );
        assert_eq!(shown(&odd, Metric::RoundTrip), [(1_000, 5.0)]);
        assert_eq!(shown(&odd, Metric::AudioBitRate), []);
    }

    /// A column: gaps short and long, counts that grow and begin anew.
    fn column() -> impl Strategy<Value = Vec<(i64, f64)>> {
        let step = (prop_oneof![9 => 1_500..2_500_i64, 1 => 50_000..70_000_i64], -5..50_i16);
        prop::collection::vec(step, 1..60).prop_map(|steps| {
            let (mut at, mut count) = (0, 0.0);
            let point = |(ms, more): (i64, i16)| {
                at += ms;
                count = f64::max(0.0, count + f64::from(more));
                (at, count)
            };
            steps.into_iter().map(point).collect()
        })
    }

    proptest! {
        /// A question about a part of the time gets that part of the answer about all of it.
        #[test]
        fn the_window_of_a_question_does_not_matter(
            bytes in column(), lost in column(), packets in column(), streams in column(), from_s in 0..200_i64,
        ) {
            let whole = series("bob", &[
                ("audio_bytes", &bytes), ("audio_lost", &lost), ("audio_packets", &packets), ("audio_stream", &streams),
            ]);
            let from = Millis(START + 1_000 * from_s);
            let mut part = whole.clone();
            for (_, points) in &mut part.columns {
                points.retain(|(at, _)| from.plus(-GAP_MS_MAX) <= *at);
            }
            let behind = |series: &Series| {
                let mut found = metrics(&[series]);
                found.values_mut().for_each(|points| points.retain(|(at, _)| from <= *at));
                found.retain(|_, points| !points.is_empty());
                found
            };
            prop_assert_eq!(behind(&part), behind(&whole));
        }
    }
}
