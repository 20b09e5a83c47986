//! What the demo's users measure: series that look like those of real connections. Everything follows from who
//! measures and when, so that any part of a stay can be told at any time, and twice is the same.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use crate::records::quality::{Counter, Flow, Measure, Metric, Points, Series, Stream};
use crate::records::{AppId, Millis};

/// How far apart measurements are.
const EVERY_MS: i64 = 4_000;
/// In one of some stretches of so many measurements a line is bad for a while.
const STRETCH: i64 = 45;
/// The share of packets that a bad line loses.
const BAD_LOSS: f64 = 0.09;

/// Somebody in a room.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) user: String,
    pub(super) joined: Millis,
    /// The end of time where that is not known yet.
    pub(super) left: Millis,
}

/// What the members of a room measure of their own media and of those of each other, from `from` on and before `to`.
pub(super) fn measure(app: AppId, room: &str, members: &[Member], from: Millis, to: Millis) -> Vec<Series> {
    let mut all = Vec::new();
    for member in members {
        let (from, to) = (from.max(member.joined), to.min(member.left));
        let way = Way { app, room, member };
        all.push(way.series("", from, to));
        for peer in members.iter().filter(|peer| peer.user != member.user) {
            all.push(way.series(&peer.user, from.max(peer.joined), to.min(peer.left)));
        }
    }
    all.retain(|series| !series.is_empty());
    all
}

/// What one member measures.
struct Way<'a> {
    app: AppId,
    room: &'a str,
    member: &'a Member,
}

impl Way<'_> {
    fn series(&self, peer: &str, from: Millis, to: Millis) -> Series {
        let Member { user, joined, .. } = self.member;
        // What is sent is seen by all: the picture is that of who sends it, the losses are the way's own.
        let sender = if peer.is_empty() { user } else { peer };
        let picture = Noise::of(&[self.room, sender]);
        let way = Noise::of(&[self.room, user, peer]);
        let lines = if peer.is_empty() { vec![user.as_str()] } else { vec![user, peer] };
        let lines: Vec<Noise> = lines.into_iter().map(|end| Noise::of(&[self.room, end, "line"])).collect();
        // Timers are a little late.
        let moment = |nth: i64| joined.plus(nth * EVERY_MS + whole(40.0 * way.at(1, nth)));
        let first = (from.0 - joined.0).div_euclid(EVERY_MS);
        let mut columns: BTreeMap<Measure, Points> = BTreeMap::new();
        let moments = (first..).map(|nth| (nth, moment(nth)));
        for (nth, at) in moments.skip_while(|(_, at)| *at < from).take_while(|(_, at)| *at < to) {
            for (measure, value) in values(&picture, &way, &lines, nth) {
                columns.entry(measure).or_default().push((at, value));
            }
        }
        let connection = if peer.is_empty() { "publish" } else { "subscribe" };
        let [room, user, peer, connection] = [self.room, user, peer, connection].map(str::to_owned);
        Series {
            flow: Flow { app: self.app, room, user, peer, connection },
            columns: columns.into_iter().collect(),
        }
    }
}

/// The values of one moment. Counts are sums of what went before in closed form: a steady part, a swing, and the bad times
/// of the lines that it comes over: one where somebody sends, two where somebody receives.
fn values(picture: &Noise, way: &Noise, lines: &[Noise], nth: i64) -> Vec<(Measure, f64)> {
    let is_up = lines.len() == 1;
    let is_bad = lines.iter().any(|line| line.bad(nth).1);
    let bad_seconds = count(lines.iter().map(|line| line.bad(nth).0).sum::<i64>() * EVERY_MS / 1_000);
    let seconds = count(nth * EVERY_MS / 1_000);
    let rate = |noise: &Noise, steady: f64, swing: f64| {
        let period = 90.0 + 60.0 * noise.of_all(7);
        let swung = swing * period / TAU * (1.0 - (TAU * seconds / period).cos());
        (steady * seconds + swung).floor()
    };
    let is_small = picture.at(2, nth.div_euclid(150)) < 0.15;
    let fps = if picture.of_all(3) < 0.5 { 15.0 } else { 30.0 };
    let shown_fps = if way.at(4, nth) < 0.1 { fps - 1.0 } else { fps };
    let lossy = if way.of_all(5) < 0.3 { 0.01 } else { 0.001 };
    let audio = 4_000.0 + 1_000.0 * picture.of_all(8);
    let video = 90_000.0 + 80_000.0 * picture.of_all(9);
    let lost = |sent: f64, a_second: f64| (sent * lossy + BAD_LOSS * a_second * bad_seconds).floor();
    let (audio_sent, video_sent) = (50.0 * seconds, rate(picture, video / 1_100.0, video / 8_000.0));
    let (audio_lost, video_lost) = (lost(audio_sent, 50.0), lost(video_sent, video / 1_100.0));
    let gauge = Measure::Gauge;
    let counter = Measure::Counter;
    let mut values = vec![
        (gauge(Metric::Width), if is_small { 640.0 } else { 1_280.0 }),
        (gauge(Metric::Height), if is_small { 360.0 } else { 720.0 }),
        (counter(Counter::AudioBytes), rate(picture, audio, audio / 6.0)),
        (counter(Counter::VideoBytes), rate(picture, video, video / 8.0)),
        (counter(Counter::VideoFrames), (fps * seconds).floor()),
        (Measure::Stream(Stream::Audio), 1.0),
        (Measure::Stream(Stream::Video), 2.0),
    ];
    let level = (6_000.0 * picture.at(10, nth) * picture.at(11, nth.div_euclid(5))).floor();
    if is_up {
        let percent = |steady: f64, channel: u64| (steady + 6.0 * way.at(channel, nth)).floor();
        let rtt = 18.0 + 60.0 * way.of_all(12) + 9.0 * way.at(13, nth) + if is_bad { 190.0 } else { 0.0 };
        let loss = |channel: u64, step: f64| match is_bad {
            true => 100.0 * BAD_LOSS + step,
            false if way.at(channel, nth) < 10.0 * lossy => step,
            false => 0.0,
        };
        values.extend([
            (gauge(Metric::CaptureRate), shown_fps),
            (gauge(Metric::CaptureEnergy), level),
            (gauge(Metric::RoundTrip), rtt.floor()),
            (gauge(Metric::AppCpu), percent(12.0, 14)),
            (gauge(Metric::SysCpu), percent(30.0, 15)),
            (gauge(Metric::AudioLoss), loss(16, 1.5625)),
            (gauge(Metric::VideoLoss), loss(17, 0.78125)),
        ]);
    } else {
        values.extend([
            (gauge(Metric::PlayEnergy), level),
            (gauge(Metric::ReceiveRate), shown_fps),
            (counter(Counter::AudioLost), audio_lost),
            (counter(Counter::AudioPackets), audio_sent - audio_lost),
            (counter(Counter::AudioConcealed), 20.0 * audio_lost),
            (counter(Counter::VideoLost), video_lost),
            (counter(Counter::VideoPackets), video_sent - video_lost),
            (counter(Counter::VideoFrozen), 320.0 * (video_lost / 40.0).floor()),
        ]);
    }
    values
}

/// Numbers from 0 to 1 that look like chance and are decided by names.
struct Noise(u64);

impl Noise {
    fn of(names: &[&str]) -> Noise {
        let mut state = 0xcbf2_9ce4_8422_2325_u64;
        for byte in names.iter().flat_map(|name| name.bytes().chain([0])) {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Noise(state)
    }

    /// One that never changes.
    fn of_all(&self, channel: u64) -> f64 {
        self.at(channel, -1)
    }

    /// How many measurements before one were taken while the line was bad, and whether it is bad at that one.
    fn bad(&self, nth: i64) -> (i64, bool) {
        let stretch = |number: i64| {
            let length = if self.at(20, number) < 0.12 { 5 + whole(10.0 * self.at(21, number)) } else { 0 };
            (whole(25.0 * self.at(22, number)), length)
        };
        let (this, place) = (nth.div_euclid(STRETCH), nth.rem_euclid(STRETCH));
        let before: i64 = (0..this).map(|number| stretch(number).1).sum();
        let (begin, length) = stretch(this);
        (before + (place - begin).clamp(0, length), begin <= place && place < begin + length)
    }

    /// One of a moment.
    fn at(&self, channel: u64, nth: i64) -> f64 {
        let mut word = self.0
            ^ channel.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ nth.cast_unsigned().wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        f64::from(u32::try_from(word >> 32).unwrap_or_default()) / f64::from(u32::MAX)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a stay has far fewer measurements than 2^53")]
fn count(nth: i64) -> f64 {
    nth as f64
}

#[expect(clippy::cast_possible_truncation, reason = "some milliseconds")]
fn whole(value: f64) -> i64 {
    value as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::quality::metrics;

    const JOINED: Millis = Millis(1_800_000_000_123);

    /// Alice measures herself and Bob, who is there all the time.
    fn alice(from: Millis, to: Millis) -> Vec<Series> {
        let member = |user: &str| Member { user: user.to_owned(), joined: JOINED, left: Millis(i64::MAX) };
        let all = measure(AppId(1), "r", &[member("alice"), member("bob")], from, to);
        all.into_iter().filter(|series| series.flow.user == "alice").collect()
    }

    #[test]
    fn parts_of_a_stay_are_the_whole() {
        let end = JOINED.plus(600_000);
        let whole = alice(JOINED, end);
        let mut parts: Vec<Series> = Vec::new();
        for nth in 0..200 {
            let from = JOINED.plus(nth * 3_001);
            for part in alice(from, from.plus(3_001).min(end)) {
                match parts.iter_mut().find(|series| series.flow == part.flow) {
                    None => parts.push(part),
                    Some(series) => {
                        for ((_, points), (_, more)) in series.columns.iter_mut().zip(part.columns) {
                            points.extend(more);
                        }
                    }
                }
            }
        }
        assert_eq!(parts, whole);
        assert!(whole.iter().all(|series| series.columns.iter().all(|(_, points)| points.len() == 150)));
    }

    #[test]
    fn a_line_is_bad_for_a_while_now_and_then() {
        let line = Noise::of(&["r", "alice", "line"]);
        let mut before = 0;
        for nth in 0..10_000 {
            let (found, is_bad) = line.bad(nth);
            assert_eq!(found, before, "{nth}");
            before += i64::from(is_bad);
        }
        assert!((100..600).contains(&before), "{before} of 10,000");
    }

    #[test]
    fn it_shows_every_metric_with_values_one_believes() {
        let series = alice(JOINED, JOINED.plus(600_000));
        let check = |series: &Series, expected: &[(Metric, f64, f64)]| {
            let found = metrics(&[series]);
            for (metric, least, most) in expected {
                let points = found.get(metric).unwrap_or_else(|| panic!("no {metric:?}"));
                let outside = points.iter().find(|(_, value)| value < least || most < value);
                assert!(points.len() > 140 && outside.is_none(), "{metric:?}: {outside:?}");
            }
        };
        let both = [
            (Metric::AudioBitRate, 20_000.0, 60_000.0),
            (Metric::VideoBitRate, 500_000.0, 2_000_000.0),
            (Metric::AudioLoss, 0.0, 20.0),
            (Metric::VideoLoss, 0.0, 20.0),
            (Metric::Width, 640.0, 1_280.0),
            (Metric::Height, 360.0, 720.0),
        ];
        check(&series[0], &both);
        check(&series[1], &both);
        check(
            &series[0],
            &[
                (Metric::AppCpu, 5.0, 60.0),
                (Metric::SysCpu, 5.0, 90.0),
                (Metric::CaptureRate, 14.0, 30.0),
                (Metric::EncodeRate, 14.0, 31.0),
                (Metric::CaptureEnergy, 0.0, 32_767.0),
                (Metric::RoundTrip, 5.0, 300.0),
            ],
        );
        check(
            &series[1],
            &[
                (Metric::DecodeRate, 14.0, 31.0),
                (Metric::ReceiveRate, 14.0, 30.0),
                (Metric::AudioBlock, 0.0, 800.0),
                (Metric::VideoBlock, 0.0, 2_000.0),
                (Metric::PlayEnergy, 0.0, 32_767.0),
            ],
        );
    }
}
