//! Measurements to store: an hour of calls of six, each client reporting every two seconds what it sends and what it
//! gets from four of the others. Counters grow as real ones do: rates wander, loss comes in bursts, a picture
//! changes its size now and then, timers are a few milliseconds late.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;

use crate::APP;
use crate::story::{Dice, START_S};

/// People in a call.
const USERS: u64 = 6;
/// How many of the others each of them sees.
const PEERS: u64 = 4;
/// Samples of an hour.
const SAMPLES: u64 = 1_800;
/// Samples in one line, as a client would send them.
const BATCH: u64 = 15;

/// One direction of one client's media, growing.
struct Flow {
    at_ms: i64,
    audio_rate: f64,
    video_rate: f64,
    lost_share: f64,
    size: usize,
    rtt: f64,
    values: Values,
}

/// What is told of it.
#[derive(Default, Clone, Copy)]
struct Values {
    audio_bytes: u64,
    audio_packets: u64,
    audio_lost: u64,
    concealed_ms: f64,
    video_bytes: u64,
    video_packets: u64,
    video_lost: u64,
    frames: u64,
    frozen_ms: u64,
}

const SIZES: [(u64, u64); 3] = [(320, 180), (640, 360), (1_280, 720)];

impl Flow {
    fn new(at_ms: i64) -> Flow {
        let values = Values::default();
        Flow {
            at_ms,
            audio_rate: 6_200.0,
            video_rate: 180_000.0,
            lost_share: 0.01,
            size: 2,
            rtt: 38.0,
            values,
        }
    }

    fn step(&mut self, dice: &mut Dice) {
        let mut wander = |value: &mut f64, by: f64, least: f64, most: f64| {
            *value = (*value + (dice.below(2_001) as f64 - 1_000.0) / 1_000.0 * by).clamp(least, most);
        };
        wander(&mut self.audio_rate, 60.0, 2_000.0, 8_000.0);
        wander(&mut self.video_rate, 6_000.0, 20_000.0, 300_000.0);
        wander(&mut self.lost_share, 0.004, 0.0, 0.08);
        wander(&mut self.rtt, 3.0, 5.0, 250.0);
        if dice.below(120) == 0 {
            self.size = usize::try_from(dice.below(3)).unwrap_or(0);
        }
        self.at_ms += 2_000 + i64::try_from(dice.below(8)).unwrap_or(0);
        let values = &mut self.values;
        values.audio_bytes += self.audio_rate as u64 * 2;
        let lost = |share: f64, dice: &mut Dice| u64::from(dice.below(1_000) < (share * 6_000.0) as u64);
        let gone = lost(self.lost_share, dice);
        values.audio_packets += 100 - gone;
        values.audio_lost += gone;
        values.concealed_ms += gone as f64 * 20.0;
        values.video_bytes += self.video_rate as u64 * 2;
        let gone = lost(self.lost_share, dice) + lost(self.lost_share, dice);
        values.video_packets += self.video_rate as u64 * 2 / 1_100 - gone;
        values.video_lost += gone;
        values.frames += 58 + dice.below(4);
        values.frozen_ms += if dice.below(200) == 0 { 150 + dice.below(900) } else { 0 };
    }
}

/// Writes `joins.ndjson`, `samples.ndjson` and `detail.tsv`; prints how many values the samples are.
pub fn write(calls: u64, folder: &Path) -> Result<()> {
    let mut dice = Dice(20_260_602);
    let mut joins = BufWriter::new(File::create(folder.join("joins.ndjson"))?);
    let mut questions = BufWriter::new(File::create(folder.join("detail.tsv"))?);
    let mut flows = Vec::new();
    for call in 0..calls {
        let room = format!("quality-{call}");
        let begin_ms = (START_S + 3_600) * 1_000 + i64::try_from(dice.below(60_000)).unwrap_or(0);
        writeln!(joins, "{{\"at_ms\":{begin_ms},\"kind\":\"room_created\",\"room\":\"{room}\"}}")?;
        let end_ms = begin_ms + 3_610_000;
        for user in 0..USERS {
            let (join_ms, who) = (begin_ms + 500, format!("\"room\":\"{room}\",\"user\":\"user_{user}\""));
            writeln!(joins, "{{\"at_ms\":{join_ms},\"kind\":\"joined\",{who}}}")?;
            writeln!(joins, "{{\"at_ms\":{end_ms},\"kind\":\"left\",{who}}}")?;
            let start = join_ms + i64::try_from(dice.below(2_000)).unwrap_or(0);
            flows.push((who.clone(), true, Flow::new(start)));
            for peer in 1..=PEERS {
                let peer = format!("{who},\"peer\":\"user_{}\"", (user + peer) % USERS);
                flows.push((peer, false, Flow::new(start)));
            }
        }
        writeln!(joins, "{{\"at_ms\":{end_ms},\"kind\":\"room_destroyed\",\"room\":\"{room}\"}}")?;
        let from = begin_ms / 1_000;
        writeln!(
            questions,
            "DescribeCallDetailInfo\t{{\"CommId\":\"{APP}_{room}_{from}\",\"StartTime\":{from},\"EndTime\":{},\"SdkAppId\":{APP},\"DataType\":[\"all\"],\"PageNumber\":0,\"PageSize\":6}}",
            from + 3_600
        )?;
    }
    joins.flush()?;
    questions.flush()?;
    let mut samples = BufWriter::new(File::create(folder.join("samples.ndjson"))?);
    let mut count = 0;
    for _ in 0..SAMPLES / BATCH {
        for (who, is_up, flow) in &mut flows {
            count += line(&mut samples, who, *is_up, flow, &mut dice)?;
        }
    }
    samples.flush()?;
    println!("{count}");
    Ok(())
}

/// One batch of one flow; how many values it has.
fn line(out: &mut impl Write, who: &str, is_up: bool, flow: &mut Flow, dice: &mut Dice) -> Result<u64> {
    let mut times = String::new();
    let mut columns: Vec<(&str, String)> = Vec::new();
    for turn in 0..BATCH {
        flow.step(dice);
        let comma = if turn == 0 { "" } else { "," };
        write!(times, "{comma}{}", flow.at_ms)?;
        let told = told(flow, is_up);
        if turn == 0 {
            columns = told.iter().map(|(name, _)| (*name, String::new())).collect();
        }
        for ((_, column), (_, value)) in columns.iter_mut().zip(told) {
            write!(column, "{comma}{value}")?;
        }
    }
    let values: Vec<String> = columns.iter().map(|(name, column)| format!("\"{name}\":[{column}]")).collect();
    writeln!(
        out,
        "{{\"kind\":\"samples\",{who},\"connection\":\"PC_0\",\"at_ms\":[{times}],\"values\":{{{}}}}}",
        values.join(",")
    )?;
    Ok(BATCH * columns.len() as u64)
}

/// What a client tells at one moment.
fn told(flow: &Flow, is_up: bool) -> Vec<(&'static str, f64)> {
    let values = &flow.values;
    let (width, height) = SIZES[flow.size];
    let mut told = vec![
        ("bigvWidth", width as f64),
        ("bigvHeight", height as f64),
        ("rtt", flow.rtt.floor()),
        ("audio_bytes", values.audio_bytes as f64),
        ("video_bytes", values.video_bytes as f64),
        ("video_frames", values.frames as f64),
        ("audio_stream", 1_918_826_107.0),
        ("video_stream", 4_044_956_260.0),
    ];
    if is_up {
        let percent = (flow.lost_share * 256.0).floor() * 0.390_625;
        told.extend([("bigvCapFps", 30.0), ("aLoss", percent), ("bigvLoss", percent)]);
    } else {
        told.extend([
            ("audio_packets", values.audio_packets as f64),
            ("audio_lost", values.audio_lost as f64),
            ("audio_concealed_ms", values.concealed_ms),
            ("video_packets", values.video_packets as f64),
            ("video_lost", values.video_lost as f64),
            ("video_frozen_ms", values.frozen_ms as f64),
        ]);
    }
    told
}
