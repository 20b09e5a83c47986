//! How many bytes a value takes at rest: on series as real connections make them, and on a recorded call.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use super::*;
use crate::records::AppId;
use crate::records::quality::Flow;
use crate::store::Store as _;
use crate::store::embedded::{Embedded, EmbeddedOptions};

const START: i64 = 1_795_305_600_000;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    /// From 0 to 1.
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((word ^ (word >> 31)) >> 32).unwrap()) / f64::from(u32::MAX)
    }

    /// About normal, of deviation 1.
    fn noise(&mut self) -> f64 {
        (0..12).map(|_| self.roll()).sum::<f64>() - 6.0
    }

    fn one_in(&mut self, many: f64) -> bool {
        self.roll() * many < 1.0
    }

    fn pick(&mut self, of: &[f64]) -> f64 {
        of[usize::try_from(self.whole(of.len())).unwrap_or_default().min(of.len() - 1)]
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "small numbers")]
    fn whole(&mut self, below: usize) -> i64 {
        (self.roll() * below as f64) as i64
    }
}

/// Values by the names of their measures, all of the same times.
#[derive(Default)]
struct Table {
    times: Vec<i64>,
    columns: BTreeMap<&'static str, Vec<f64>>,
}

impl Table {
    fn row(&mut self, at: i64, values: &[(&'static str, f64)]) {
        self.times.push(at);
        values.iter().for_each(|(name, value)| self.columns.entry(name).or_default().push(*value));
    }

    fn series(&self, user: &str, peer: &str) -> Series {
        let [room, user, peer, connection] = ["room", user, peer, "PC_0"].map(str::to_owned);
        let column = |(name, values): (&&'static str, &Vec<f64>)| {
            let points = self.times.iter().map(|at| Millis(*at)).zip(values.iter().copied()).collect();
            (Measure::of_name(name).unwrap(), points)
        };
        let mut columns: Columns = self.columns.iter().map(column).collect();
        columns.sort_by_key(|(measure, _)| *measure);
        Series { flow: Flow { app: AppId(1), room, user, peer, connection }, columns }
    }
}

/// One connection: a row each 2 s but for some milliseconds, bit rates that wander, losses in bursts, freezes, steps
/// of the resolution, levels of sound that are all but noise.
fn connection(dice: &mut Dice, is_up: bool, rows: usize) -> Table {
    let mut table = Table::default();
    let (mut at, mut audio, mut video) = (START + dice.whole(2_000), 30_000.0, 300_000.0 + 1e6 * dice.roll());
    let (mut rtt, mut cpu, mut loss, mut level) = (10.0 + 70.0 * dice.roll(), 20.0, 0.0, 3_000.0);
    let (fps, mut height, mut count) = (dice.pick(&[15.0, 30.0]), 720.0, [0.0; 9]);
    for _ in 0..rows {
        let ms = 2_000.0 + (3.0 * dice.noise()).floor();
        at += dice_whole(ms);
        audio = f64::clamp(audio * (1.0 + 0.05 * dice.noise()), 16_000.0, 48_000.0);
        video = f64::clamp(video * (1.0 + 0.04 * dice.noise()), 100_000.0, 2.5e6);
        if dice.one_in(100.0) {
            loss = dice.pick(&[0.0, 0.0, 0.001, 0.01, 0.03]);
        }
        if dice.one_in(500.0) {
            height = dice.pick(&[720.0, 540.0, 360.0]);
        }
        let lost =
            |dice: &mut Dice, packets: f64| (packets * loss + loss.min(0.01) * 100.0 * dice.roll()).floor();
        let video_bytes = (video / 8_000.0 * ms * (1.0 + 0.06 * dice.noise())).floor();
        let (audio_packets, video_packets) =
            ((ms / 20.0).floor(), (video_bytes / 1_100.0 + 4.0 * dice.roll()).floor());
        let (audio_lost, video_lost) = (lost(dice, audio_packets), lost(dice, video_packets));
        let frozen = if dice.one_in(300.0) { (2_000.0 * dice.roll()).floor() } else { 0.0 };
        let frames = (fps * ms / 1_000.0).floor() + dice.pick(&[0.0, 0.0, 0.0, 0.0, 1.0, -1.0]);
        let more = [
            (audio / 8_000.0 * ms).floor(),
            audio_packets - audio_lost,
            audio_lost,
            20.0 * audio_lost,
            video_bytes,
            video_packets - video_lost,
            video_lost,
            frames,
            frozen,
        ];
        count.iter_mut().zip(more).for_each(|(count, more)| *count += more);
        level = f64::clamp(
            (level * (1.0 + 0.5 * dice.noise())).floor() + 40.0 * dice.roll().floor(),
            3.0,
            32_767.0,
        );
        rtt = f64::clamp(rtt + 1.5 * dice.noise(), 5.0, 300.0);
        cpu = f64::clamp(cpu + 2.0 * dice.noise(), 1.0, 90.0);
        let shown = fps + dice.pick(&[0.0, 0.0, 0.0, 0.0, -1.0]);
        let values = named(is_up, count, [height, shown, rtt, cpu, level, loss]);
        table.row(at, &values);
    }
    table
}

/// The values of a row by their names.
fn named(is_up: bool, count: [f64; 9], gauges: [f64; 6]) -> Vec<(&'static str, f64)> {
    let [height, shown, rtt, cpu, level, loss] = gauges;
    let [a_bytes, a_packets, a_lost, concealed, v_bytes, v_packets, v_lost, v_frames, v_frozen] = count;
    let mut values = vec![
        ("audio_bytes", a_bytes),
        ("audio_packets", a_packets),
        ("audio_lost", a_lost),
        ("video_bytes", v_bytes),
        ("video_packets", v_packets),
        ("video_lost", v_lost),
        ("video_frames", v_frames),
        ("audio_stream", 1.0),
        ("video_stream", 2.0),
        ("bigvWidth", height / 9.0 * 16.0),
        ("bigvHeight", height),
    ];
    values.extend(if is_up {
        let share = (loss * 256.0).round() / 256.0 * 100.0;
        vec![
            ("bigvCapFps", shown),
            ("rtt", rtt.round()),
            ("appCpu", cpu.round()),
            ("sysCpu", (1.5 * cpu).round()),
            ("aCapEnergy", level),
            ("aLoss", share),
            ("bigvLoss", share),
        ]
    } else {
        vec![
            ("audio_concealed_ms", concealed),
            ("video_frozen_ms", v_frozen),
            ("aPlayEnergy", level),
            ("bigvRecFps", shown),
        ]
    });
    values
}

#[expect(clippy::cast_possible_truncation, reason = "some milliseconds")]
fn dice_whole(ms: f64) -> i64 {
    ms as i64
}

/// A store that was given series as clients send them: a minute of all at a time.
fn kept(all: &[Series], rows_at_a_time: usize) -> (tempfile::TempDir, Embedded) {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path(), EmbeddedOptions::default()).unwrap();
    let rows = all.iter().flat_map(|series| &series.columns).map(|(_, points)| points.len()).max().unwrap();
    for from in (0..rows).step_by(rows_at_a_time) {
        let part = all.iter().map(|series| {
            let mut part = series.clone();
            for (_, points) in &mut part.columns {
                let to = (from + rows_at_a_time).min(points.len());
                *points = points[from.min(to)..to].to_vec();
            }
            part.columns.retain(|(_, points)| !points.is_empty());
            part
        });
        wait(store.append_samples(part.collect())).unwrap();
    }
    (dir, store)
}

fn wait<T>(answer: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(answer)
}

fn seal(store: &Embedded) {
    assert_eq!(wait(store.seal(Millis(START + 10 * 86_400_000), Duration::ZERO)).unwrap(), 1);
}

/// Bytes of keys and chunks; bytes on disk; bytes of the file's length.
fn sizes(store: &Embedded) -> [f64; 3] {
    let ask = store.samples.shared.with_files(|files, ()| {
        let file = files.values().next().unwrap();
        let mut bytes = 0;
        file.view()?.scan(super::Table::Chunks, &[], None, false, &mut |key, value| {
            bytes += u32::try_from(key.len() + value.len()).unwrap();
            ControlFlow::Continue(())
        })?;
        let of_file = std::fs::metadata(&file.path).unwrap();
        Ok([bytes, u32::try_from(of_file.blocks() * 512).unwrap(), u32::try_from(of_file.len()).unwrap()])
    });
    ask.unwrap().map(f64::from)
}

#[test]
fn a_value_takes_less_than_a_byte_at_rest() {
    let mut dice = Dice(7);
    let users = ["a", "b", "c", "d", "e", "f"];
    let mut all = Vec::new();
    for user in users {
        all.push(connection(&mut dice, true, 1_800).series(user, ""));
        for peer in users.iter().filter(|peer| **peer != user).take(4) {
            all.push(connection(&mut dice, false, 1_800).series(user, peer));
        }
    }
    let values = f64::from(u32::try_from(all.iter().map(Series::len).sum::<usize>()).unwrap());
    let (_dir, store) = kept(&all, 30);
    let open = sizes(&store).map(|bytes| bytes / values);
    seal(&store);
    let sealed = sizes(&store).map(|bytes| bytes / values);
    let figures = format!("{values} values; chunks, on disk, length: open {open:.3?}, sealed {sealed:.3?}");
    assert!(open[0] < 0.8 && open[1] < 1.3, "{figures}");
    assert!(sealed[0] < 0.7 && sealed[1] < 1.0 && sealed[2] < 1.0, "{figures}");
    let found = wait(store.samples(&SampleQuery {
        app: AppId(1),
        room: "room",
        users: &users.map(str::to_owned),
        from: Millis(START),
        to: Millis(START + 86_400_000),
    }));
    all.sort_by(|a, b| a.flow.cmp(&b.flow));
    assert!(found.unwrap() == all, "nothing is lost");
}

/// The counts and gauges of a recorded call in Chromium, as they stand in its reports.
fn recorded() -> Vec<Series> {
    #[rustfmt::skip]
    const FIELDS: &[(&str, &str, &str, &str, f64)] = &[
        ("outbound-rtp", "audio", "bytesSent", "audio_bytes", 1.0), ("outbound-rtp", "audio", "packetsSent", "audio_packets", 1.0),
        ("outbound-rtp", "video", "bytesSent", "video_bytes", 1.0), ("outbound-rtp", "video", "framesEncoded", "video_frames", 1.0),
        ("outbound-rtp", "video", "packetsSent", "video_packets", 1.0), ("outbound-rtp", "video", "frameWidth", "bigvWidth", 1.0),
        ("outbound-rtp", "video", "frameHeight", "bigvHeight", 1.0), ("media-source", "audio", "audioLevel", "aCapEnergy", 1.0),
        ("media-source", "video", "framesPerSecond", "bigvCapFps", 1.0), ("candidate-pair", "", "currentRoundTripTime", "rtt", 1_000.0),
        ("inbound-rtp", "audio", "bytesReceived", "audio_bytes", 1.0), ("inbound-rtp", "audio", "packetsReceived", "audio_packets", 1.0),
        ("inbound-rtp", "audio", "packetsLost", "audio_lost", 1.0), ("inbound-rtp", "audio", "audioLevel", "aPlayEnergy", 1.0),
        ("inbound-rtp", "audio", "concealedSamples", "audio_concealed_ms", 1.0 / 48.0),
        ("inbound-rtp", "video", "bytesReceived", "video_bytes", 1.0), ("inbound-rtp", "video", "packetsReceived", "video_packets", 1.0),
        ("inbound-rtp", "video", "packetsLost", "video_lost", 1.0), ("inbound-rtp", "video", "framesDecoded", "video_frames", 1.0),
        ("inbound-rtp", "video", "framesPerSecond", "bigvRecFps", 1.0), ("inbound-rtp", "video", "frameWidth", "bigvWidth", 1.0),
        ("inbound-rtp", "video", "frameHeight", "bigvHeight", 1.0), ("inbound-rtp", "video", "totalFreezesDuration", "video_frozen_ms", 1_000.0),
    ];
    let call = include_str!("../../../../tests/payloads/getstats/chromium_call.json");
    let call: serde_json::Value = serde_json::from_str(call).unwrap();
    let mut found: BTreeMap<&str, BTreeMap<Measure, Points>> = BTreeMap::new();
    for sample in call["samples"].as_array().unwrap() {
        let at = Millis(sample["t"].as_i64().unwrap());
        let columns = found.entry(if sample["pc"] == "pub" { "" } else { "erik" }).or_default();
        for report in sample["report"].as_array().unwrap() {
            for (of, kind, field, name, factor) in FIELDS {
                if report["type"] == *of
                    && (kind.is_empty() || report["kind"] == *kind)
                    && let Some(value) = report[field].as_f64()
                {
                    columns.entry(Measure::of_name(name).unwrap()).or_default().push((at, value * factor));
                }
            }
        }
    }
    let series = |(peer, columns): (&str, BTreeMap<Measure, Points>)| {
        let flow = Table::default().series("dora", peer).flow;
        let mut columns: Columns = columns.into_iter().collect();
        columns.iter_mut().for_each(|(_, points)| quality::normalise(points));
        Series { flow, columns }
    };
    found.into_iter().map(series).collect()
}

/// The recording is short: an hour is made of it, in which the counts go on.
fn hour_of(call: &[Series]) -> Vec<Series> {
    let (first, last) = call
        .iter()
        .filter_map(|series| ends(&series.columns))
        .fold((Millis(i64::MAX), Millis(i64::MIN)), |(first, last), (begin, end)| {
            (first.min(begin), last.max(end))
        });
    let round_ms = last.0 - first.0 + 2_000;
    let again = |(measure, points): &(Measure, Points)| {
        let counted = if matches!(measure, Measure::Counter(_)) { points[points.len() - 1].1 } else { 0.0 };
        let mut all = Points::new();
        for round in 0..i32::try_from(3_600_000 / round_ms).unwrap() {
            let (ms, more) = (i64::from(round) * round_ms, f64::from(round) * counted);
            all.extend(points.iter().map(|(at, value)| (at.plus(ms), value + more)));
        }
        (*measure, all)
    };
    let long = |series: &Series| Series {
        flow: series.flow.clone(),
        columns: series.columns.iter().map(again).collect(),
    };
    call.iter().map(long).collect()
}

#[test]
fn a_recorded_call_takes_less_than_a_byte_too() {
    let call = hour_of(&recorded());
    let values = f64::from(u32::try_from(call.iter().map(Series::len).sum::<usize>()).unwrap());
    let (_dir, store) = kept(&call, 5);
    let open = sizes(&store)[0] / values;
    seal(&store);
    let sealed = sizes(&store)[0] / values;
    let figures = format!("{values} values: open {open:.3}, sealed {sealed:.3}");
    assert!(values > 20_000.0 && open < 1.0 && sealed < 1.0, "{figures}");
}
