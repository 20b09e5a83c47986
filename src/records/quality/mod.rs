//! How good it was: what sources measure, and the metrics that questions show.
//!
//! The same idea as for events: what was *measured* is the ground truth, a metric is computed from the set of
//! measurements. Sources count bytes, packets and frames; a rate is the difference of two counts, so a count that
//! comes late changes the rates beside it and nothing else, and a repeated one changes nothing. [`metrics`] is
//! that computation. `docs/quality.md` has the formulas.

mod metrics;

pub use metrics::{GAP_MS_MAX, metrics};

use super::{AppId, Millis};

macro_rules! numbered {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal, $word:literal;)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The name on the wire, in exports and in neutral samples.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            /// The number that stands for it on disk; never given to another.
            const fn code(self) -> u8 {
                match self { $($name::$variant => $code,)* }
            }
        }
    };
}

numbered! {
    /// A metric that questions show (contract section 13), in its order there.
    Metric {
        /// Processor time of the application, percent.
        AppCpu = 0, "appCpu";
        /// Processor time of the whole system, percent.
        SysCpu = 1, "sysCpu";
        /// Audio bit rate, bits a second.
        AudioBitRate = 2, "aBit";
        /// Audio that was made up since none came, milliseconds an interval.
        AudioBlock = 3, "aBlock";
        /// Video bit rate, bits a second.
        VideoBitRate = 4, "bigvBit";
        /// Frames captured a second.
        CaptureRate = 5, "bigvCapFps";
        /// Frames encoded a second.
        EncodeRate = 6, "bigvEncFps";
        /// Frames decoded a second.
        DecodeRate = 7, "bigvDecFps";
        /// Frozen video, milliseconds an interval.
        VideoBlock = 8, "bigvBlock";
        /// Audio packets lost, percent.
        AudioLoss = 9, "aLoss";
        /// Video packets lost, percent.
        VideoLoss = 10, "bigvLoss";
        /// Width of the picture, pixels.
        Width = 11, "bigvWidth";
        /// Height of the picture, pixels.
        Height = 12, "bigvHeight";
        /// Energy of the captured sound, no unit.
        CaptureEnergy = 13, "aCapEnergy";
        /// Energy of the played sound, no unit.
        PlayEnergy = 14, "aPlayEnergy";
        /// Round-trip time, milliseconds.
        RoundTrip = 15, "rtt";
        /// Frames received a second.
        ReceiveRate = 16, "bigvRecFps";
    }
}

numbered! {
    /// Something that only grows while its stream lasts. It begins anew with another stream.
    Counter {
        /// Bytes of audio payload.
        AudioBytes = 32, "audio_bytes";
        /// Audio packets that came.
        AudioPackets = 33, "audio_packets";
        /// Audio packets that did not come. Falls where a late one came after all.
        AudioLost = 34, "audio_lost";
        /// Milliseconds of audio that were made up and could be heard.
        AudioConcealed = 35, "audio_concealed_ms";
        /// Bytes of video payload.
        VideoBytes = 36, "video_bytes";
        /// Video packets that came.
        VideoPackets = 37, "video_packets";
        /// Video packets that did not come. Falls where a late one came after all.
        VideoLost = 38, "video_lost";
        /// Frames encoded (upstream) or decoded (downstream).
        VideoFrames = 39, "video_frames";
        /// Milliseconds of frozen video.
        VideoFrozen = 40, "video_frozen_ms";
    }
}

numbered! {
    /// Which stream the counters of a medium are of: a number that changes when the stream does.
    Stream {
        /// Of the audio counters.
        Audio = 64, "audio_stream";
        /// Of the video counters.
        Video = 65, "video_stream";
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// A metric as it is.
    Gauge(Metric),
    /// A count, whose differences make metrics.
    Counter(Counter),
    /// The stream that counts are of.
    Stream(Stream),
}

impl Measure {
    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Measure> {
        let gauges = Metric::ALL.iter().copied().map(Measure::Gauge);
        let counters = Counter::ALL.iter().copied().map(Measure::Counter);
        gauges.chain(counters).chain(Stream::ALL.iter().copied().map(Measure::Stream))
    }

    /// Its name in exports and neutral samples.
    pub const fn name(self) -> &'static str {
        match self {
            Measure::Gauge(metric) => metric.name(),
            Measure::Counter(counter) => counter.name(),
            Measure::Stream(stream) => stream.name(),
        }
    }

    /// The number that stands for it on disk.
    pub const fn code(self) -> u8 {
        match self {
            Measure::Gauge(metric) => metric.code(),
            Measure::Counter(counter) => counter.code(),
            Measure::Stream(stream) => stream.code(),
        }
    }

    /// The measure that a number stands for.
    pub fn of_code(code: u8) -> Option<Measure> {
        Measure::all().find(|measure| measure.code() == code)
    }

    /// The measure of that name; case matters.
    pub fn of_name(name: &str) -> Option<Measure> {
        Measure::all().find(|measure| measure.name() == name)
    }
}

/// Whose measurements they are: one user's, of what went over one connection to or from one peer. They belong to
/// the stays of that user in that room's name, of whatever source, that cover their time (rule 10 of
/// `docs/records.md`); which those are is found out when somebody asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// The application.
    pub app: AppId,
    /// The room's name, numbers as decimal text.
    pub room: String,
    /// Whose client, or whose side of the media server, measured.
    pub user: String,
    /// Whom it came from; `""`: it is what the user sent.
    pub peer: String,
    /// The connection, in the sender's own words, or `""`. Counts of two connections are never compared.
    pub connection: String,
}

/// The values of one measure, in order of time, one a millisecond.
pub type Points = Vec<(Millis, f64)>;

/// Measurements of one flow.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Whose.
    pub flow: Flow,
    /// By measure, in the order of measures; none twice and none without points.
    pub columns: Vec<(Measure, Points)>,
}

impl Series {
    /// How many values there are.
    pub fn len(&self) -> usize {
        self.columns.iter().map(|(_, points)| points.len()).sum()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.columns.iter().all(|(_, points)| points.is_empty())
    }
}

/// Brings points into order, one a millisecond. Of two values of one millisecond the greater is kept, in the total
/// order of floats, so that the order of arrival cannot matter.
pub fn normalise(points: &mut Points) {
    let order = |a: &(Millis, f64), b: &(Millis, f64)| a.0.cmp(&b.0).then_with(|| b.1.total_cmp(&a.1));
    if !points.is_sorted_by(|a, b| a.0 < b.0) {
        points.sort_by(order);
        points.dedup_by_key(|(at, _)| *at);
    }
}

/// Adds points to others of the same measure of the same flow.
pub fn merge(into: &mut Points, more: &[(Millis, f64)]) {
    into.extend_from_slice(more);
    normalise(into);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn measures_have_numbers_and_names_of_their_own() {
        let codes: BTreeSet<u8> = Measure::all().map(Measure::code).collect();
        let names: BTreeSet<&str> = Measure::all().map(Measure::name).collect();
        assert_eq!((codes.len(), names.len()), (28, 28));
        for measure in Measure::all() {
            assert_eq!(Measure::of_code(measure.code()), Some(measure));
            assert_eq!(Measure::of_name(measure.name()), Some(measure));
        }
    }

    #[test]
    fn of_two_values_of_one_moment_the_greater_is_kept() {
        let mut points = vec![(Millis(2), 1.0), (Millis(1), 5.0), (Millis(2), 3.0)];
        normalise(&mut points);
        assert_eq!(points, [(Millis(1), 5.0), (Millis(2), 3.0)]);
        merge(&mut points, &[(Millis(1), 5.0), (Millis(0), -1.0)]);
        assert_eq!(points, [(Millis(0), -1.0), (Millis(1), 5.0), (Millis(2), 3.0)]);
    }
}
