//! Calls to store and questions to ask, the same on every machine: sizes as real ones (many small, few large), rooms
//! that are used again, leaves and joins that arrive late and out of order.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;

use crate::APP;

/// The first second of the story. `benches/run` sets the server's clock four days later.
pub const START_S: i64 = 1_780_272_000;
/// How long the story lasts: two days.
const LENGTH_S: u64 = 2 * 86_400;
/// Names of rooms that are used again and again.
const ROOMS: u64 = 4_000;
/// People.
const USERS: u64 = 50_000;

/// SplitMix64: enough for a story.
pub struct Dice(pub u64);

impl Dice {
    /// Any number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }
}

struct Session {
    user: String,
    join_ms: i64,
    leave_ms: i64,
    device: &'static str,
    version: &'static str,
    ip: String,
}

struct Call {
    room: String,
    create_ms: i64,
    end_ms: i64,
    sessions: Vec<Session>,
}

/// Writes `events.ndjson`, `big.ndjson` (one call of `big` sessions), `sessions.tsv`, and the questions
/// `six.tsv` (calls of six sessions) and `big.tsv`.
pub fn write(calls: u64, big: u64, folder: &Path) -> Result<()> {
    let mut dice = Dice(20_260_601);
    let mut free_at = BTreeMap::new();
    let mut story: Vec<Call> =
        (0..calls).map(|number| call(&mut dice, number, calls, &mut free_at)).collect();
    write_events(&mut dice, &story, &folder.join("events.ndjson"))?;
    let assembly = assembly(&mut dice, big);
    write_events(&mut dice, std::slice::from_ref(&assembly), &folder.join("big.ndjson"))?;

    let six: Vec<&Call> = story.iter().filter(|call| call.sessions.len() == 6).take(2_000).collect();
    anyhow::ensure!(six.len() >= 100, "too few calls of six sessions: ask for more calls");
    write_questions(&six, &folder.join("six.tsv"))?;
    write_questions(&[&assembly], &folder.join("big.tsv"))?;
    story.push(assembly);
    write_sessions(&story, &folder.join("sessions.tsv"))
}

fn call(dice: &mut Dice, number: u64, calls: u64, free_at: &mut BTreeMap<u64, i64>) -> Call {
    let mut create_s = START_S + i64::try_from(number * LENGTH_S / calls).unwrap_or(0);
    let room = dice.below(ROOMS);
    // A room that is still in use, or was a moment ago, is taken later.
    create_s = create_s.max(free_at.get(&room).copied().unwrap_or(0));
    let create_ms = create_s * 1_000 + i64::try_from(dice.below(900)).unwrap_or(0);
    // Pareto with exponent 1.2 from 2, cut at 2,000: a mean near six.
    let unit = (dice.below(1 << 30) as f64 + 1.0) / f64::from(1 << 30);
    let size = (2.0 / unit.powf(1.0 / 1.2)).min(2_000.0) as u64;
    let first = dice.below(USERS);
    // Prime, so that no user comes twice.
    let step = [1, 3, 7, 11, 13, 17, 19, 23][usize::try_from(dice.below(8)).unwrap_or(0)];
    let mut end_ms = create_ms + 1_000;
    let sessions = (0..size)
        .map(|n| {
            let session = session(dice, (first + n * step) % USERS, create_ms);
            end_ms = end_ms.max(session.leave_ms + 500);
            session
        })
        .collect();
    free_at.insert(room, end_ms / 1_000 + 60);
    Call { room: format!("room-{room}"), create_ms, end_ms, sessions }
}

fn session(dice: &mut Dice, user: u64, create_ms: i64) -> Session {
    let wait = i64::try_from(dice.below(300_000) * dice.below(1_000) / 1_000).unwrap_or(0);
    let stay = i64::try_from(5_000 + dice.below(3_000_000) * dice.below(1_000) / 1_000).unwrap_or(0);
    let join_ms = create_ms + 500 + wait;
    Session {
        user: format!("user_{user:08}_ab"),
        join_ms,
        leave_ms: join_ms + stay,
        device: ["Android", "iOS", "Windows", "WebRTC"][usize::try_from(dice.below(4)).unwrap_or(0)],
        version: ["4.3.14", "11.9.0", "5.0.2"][usize::try_from(dice.below(3)).unwrap_or(0)],
        ip: format!("10.{}.{}.{}", dice.below(256), dice.below(256), dice.below(256)),
    }
}

/// One call with very many different people, within two hours.
fn assembly(dice: &mut Dice, size: u64) -> Call {
    let create_ms = (START_S + 3 * 3_600) * 1_000;
    let sessions: Vec<Session> = (0..size)
        .map(|n| {
            let mut session = session(dice, 1_000_000 + n, create_ms);
            session.join_ms = create_ms + 500 + i64::try_from(dice.below(3_600_000)).unwrap_or(0);
            session.leave_ms = session.join_ms + 5_000 + i64::try_from(dice.below(3_500_000)).unwrap_or(0);
            session
        })
        .collect();
    Call { room: "assembly".to_owned(), create_ms, end_ms: create_ms + 2 * 3_600_000, sessions }
}

/// One JSON line an event, in the order of arrival: each up to 20 s late.
fn write_events(dice: &mut Dice, story: &[Call], path: &Path) -> Result<()> {
    let mut lines = Vec::new();
    let mut tell = |at_ms: i64, rest: String| {
        let arrival = at_ms + i64::try_from(dice.below(20_000)).unwrap_or(0);
        lines.push((arrival, format!("{{\"at_ms\":{at_ms},{rest}}}\n")));
    };
    for call in story {
        let room = &call.room;
        tell(call.create_ms, format!("\"kind\":\"room_created\",\"room\":\"{room}\""));
        for Session { user, join_ms, leave_ms, device, version, ip } in &call.sessions {
            let attrs =
                format!("{{\"device\":\"{device}\",\"sdk_version\":\"{version}\",\"client_ip\":\"{ip}\"}}");
            tell(
                *join_ms,
                format!("\"kind\":\"joined\",\"room\":\"{room}\",\"user\":\"{user}\",\"attrs\":{attrs}"),
            );
            tell(
                *leave_ms,
                format!("\"kind\":\"left\",\"room\":\"{room}\",\"user\":\"{user}\",\"reason\":\"normal\""),
            );
        }
        tell(call.end_ms, format!("\"kind\":\"room_destroyed\",\"room\":\"{room}\""));
    }
    lines.sort();
    let mut file = BufWriter::new(File::create(path)?);
    for (_, line) in lines {
        file.write_all(line.as_bytes())?;
    }
    Ok(file.flush()?)
}

fn comm_id(call: &Call) -> String {
    format!("{APP}_{}_{}", call.room, call.create_ms / 1_000)
}

/// The rows that PostgreSQL is given to answer from.
fn write_sessions(story: &[Call], path: &Path) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for call in story {
        for s in &call.sessions {
            writeln!(
                file,
                "{}\t{}\t{}\t{}\t{}\tt\t{}\t{}\t{}",
                comm_id(call),
                call.room,
                s.user,
                s.join_ms / 1_000,
                s.leave_ms / 1_000,
                s.device,
                s.version,
                s.ip
            )?;
        }
    }
    Ok(file.flush()?)
}

fn write_questions(calls: &[&Call], path: &Path) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for call in calls {
        let from = call.create_ms / 1_000;
        let (comm_id, to) = (comm_id(call), from + 14_400);
        writeln!(
            file,
            "DescribeUserInfo\t{{\"CommId\":\"{comm_id}\",\"StartTime\":{from},\"EndTime\":{to},\"SdkAppId\":{APP}}}"
        )?;
    }
    Ok(file.flush()?)
}
