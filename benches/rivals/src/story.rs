//! The load, the same on every machine: fourteen days of calls in the order of their creation, of 50 applications by
//! zipf, in rooms that are used again and again. A call has as many sessions as a truncated Pareto law says (6 in the mean,
//! 10,000 at most), and one has a great many. Who takes part is skewed; people come a while after the creation, stay for
//! minutes or hours, and what they do is told up to a minute late and out of order.
//!
//! Nothing is held but the calls of the last hours, so that the story may have any length.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::io::Write;

use anyhow::Result;

use crate::APP;

/// The first second of the story.
pub const START_S: i64 = 1_780_272_000;
/// How long it lasts.
pub const DAYS: i64 = 14;
/// How many applications there are: [`APP`] and the numbers behind it.
pub const APPS: usize = 50;
/// People, of all applications.
const USERS: u64 = 1_000_000;
/// The fewest people of an application: more than its largest call has.
const USERS_MIN: u64 = 20_000;
/// The first number of the people of the one large call.
const ASSEMBLY_USERS: u64 = 90_000_000;
/// The most sessions of a call, but for the one that has more.
const SIZE_MAX: f64 = 10_000.0;
/// How often a room is used in fourteen days.
const LIVES_OF_A_ROOM: u64 = 42;
const ROOMS_MIN: u64 = 50;
/// How late something is told at most.
const LATE_MS: u64 = 60_000;
/// How long somebody stays at most.
const STAY_MS_MAX: f64 = 4.0 * 3_600_000.0;

/// SplitMix64: enough for a story.
#[derive(Clone)]
pub struct Dice(pub u64);

impl Dice {
    /// Any number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    /// Above 0, and 1 at most.
    fn unit(&mut self) -> f64 {
        ((self.roll() >> 11) as f64 + 1.0) / (1u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.unit().ln()
    }

    fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        let normal = (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos();
        median * (sigma * normal).exp()
    }
}

fn mix(number: u64) -> u64 {
    let z = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// One stay of one user.
#[derive(Clone, Copy)]
pub struct Session {
    pub user: u64,
    pub join_ms: i64,
    pub leave_ms: i64,
    /// Where from: the last three octets of an address.
    place: u32,
}

impl Session {
    pub fn device(&self) -> &'static str {
        ["Android", "iOS", "Windows", "WebRTC"][(mix(self.user) & 3) as usize]
    }

    pub fn version(&self) -> &'static str {
        ["4.3.14", "11.9.0", "5.0.2"][(mix(self.user) >> 8) as usize % 3]
    }

    pub fn ip(&self) -> String {
        let [_, a, b, c] = self.place.to_be_bytes();
        format!("10.{a}.{b}.{c}")
    }

    pub fn name(&self) -> String {
        user_name(self.user)
    }
}

/// Sixteen bytes.
pub fn user_name(user: u64) -> String {
    format!("user_{user:08}_ab")
}

/// One life of a room.
pub struct Call {
    pub number: u64,
    pub app: u64,
    pub room: String,
    pub create_ms: i64,
    pub end_ms: i64,
    pub sessions: Vec<Session>,
}

impl Call {
    pub fn create_s(&self) -> i64 {
        self.create_ms / 1_000
    }

    pub fn comm_id(&self) -> String {
        format!("{}_{}_{}", self.app, self.room, self.create_s())
    }
}

/// The calls of a story, in the order of their creation.
pub struct Story {
    dice: Dice,
    calls: u64,
    /// Sessions of the one large call; none where 0.
    big: u64,
    next: u64,
    start_ms: i64,
    length_ms: u64,
    /// What rooms' names begin with.
    rooms: &'static str,
    /// How often each is used; 0: there are as many as calls.
    lives: u64,
    /// Up to which share of all calls an application and those before it go.
    shares: Vec<f64>,
    free_at_ms: HashMap<(usize, u64), i64>,
}

impl Story {
    /// `calls` calls in fourteen days, and one of `big` sessions in their middle.
    pub fn new(calls: u64, big: u64) -> Story {
        Story::between(calls, big, (START_S, DAYS * 86_400), "room", LIVES_OF_A_ROOM)
    }

    /// What goes on in the evening of the last day, in rooms of its own.
    pub fn live(calls: u64) -> Story {
        Story::between(calls, 0, (START_S + DAYS * 86_400 - 4 * 3_600, 3_600), "live", 0)
    }

    fn between(
        calls: u64,
        big: u64,
        (start_s, length_s): (i64, i64),
        rooms: &'static str,
        lives: u64,
    ) -> Story {
        let mut shares: Vec<f64> = Vec::new();
        for app in 1..=APPS {
            shares.push(shares.last().copied().unwrap_or(0.0) + 1.0 / app as f64);
        }
        let all = shares.last().copied().unwrap_or(1.0);
        shares.iter_mut().for_each(|share| *share /= all);
        Story {
            dice: Dice(20_260_601 ^ mix(calls ^ start_s.unsigned_abs())),
            calls,
            big,
            next: 0,
            start_ms: start_s * 1_000,
            length_ms: length_s.unsigned_abs() * 1_000,
            rooms,
            lives,
            shares,
            free_at_ms: HashMap::new(),
        }
    }

    /// Any application, as likely as it has calls.
    pub fn any_app(&self, dice: &mut Dice) -> usize {
        let at = dice.unit();
        self.shares.iter().position(|share| at <= *share).unwrap_or(APPS - 1)
    }

    fn share(&self, app: usize) -> f64 {
        self.shares[app] - app.checked_sub(1).map_or(0.0, |before| self.shares[before])
    }

    fn call(&mut self, number: u64) -> Call {
        let step = (self.length_ms / self.calls).max(1);
        let since = number * self.length_ms / self.calls + self.dice.below(step);
        let create_ms = self.start_ms + since as i64;
        let mut dice = self.dice.clone();
        let app = self.any_app(&mut dice);
        let used = (self.calls as f64 * self.share(app)) as u64;
        let rooms = used.checked_div(self.lives).map_or(self.calls, |rooms| rooms.max(ROOMS_MIN));
        let mut room = dice.below(rooms);
        // A room that is in use, or was a moment ago, is left to those who are there.
        while self.free_at_ms.get(&(app, room)).is_some_and(|free_ms| *free_ms > create_ms) {
            room = (room + 1) % rooms;
        }
        let users = ((USERS as f64 * self.share(app)) as u64).max(USERS_MIN);
        let size = (2.0 / dice.unit().powf(1.0 / 1.44)).min(SIZE_MAX) as usize;
        let mut present = HashSet::with_capacity(size);
        let mut sessions = Vec::with_capacity(size);
        while sessions.len() < size {
            // Few are in many calls, and most in few.
            let user = (users as f64 * dice.unit().powi(3)) as u64;
            let user = if present.contains(&user) { dice.below(users) } else { user };
            if present.insert(user) {
                let wait = if sessions.is_empty() { 0.0 } else { dice.exponential(120_000.0) };
                sessions.push(session(&mut dice, app as u64 * 1_000_000 + user, create_ms + wait as i64));
            }
        }
        self.dice = dice;
        let end_ms = sessions.iter().map(|session| session.leave_ms).max().unwrap_or(create_ms) + 500;
        self.free_at_ms.insert((app, room), end_ms + 60_000);
        let room = format!("{}-{room}", self.rooms);
        Call { number, app: APP + app as u64, room, create_ms, end_ms, sessions }
    }

    /// One call of very many people, within an hour.
    fn assembly(&mut self) -> Call {
        let create_ms = self.start_ms + self.length_ms as i64 / 2;
        let (dice, big) = (&mut self.dice, self.big);
        let mut sessions: Vec<Session> = (0..big)
            .map(|n| {
                let join_ms = create_ms + 500 + dice.below(3_600_000) as i64;
                session(dice, ASSEMBLY_USERS + mix(n) % 8_000_000, join_ms)
            })
            .collect();
        let mut present = HashSet::new();
        sessions.retain(|session| present.insert(session.user));
        for n in 0..big as usize - sessions.len() {
            let mut more = sessions[n];
            more.user = ASSEMBLY_USERS + 9_000_000 + n as u64;
            sessions.push(more);
        }
        let end_ms = sessions.iter().map(|session| session.leave_ms).max().unwrap_or(create_ms) + 500;
        Call { number: self.calls, app: APP, room: "assembly".to_owned(), create_ms, end_ms, sessions }
    }
}

fn session(dice: &mut Dice, user: u64, since_ms: i64) -> Session {
    let join_ms = since_ms + 400 + dice.below(300) as i64;
    let stay = dice.log_normal(480_000.0, 1.1).clamp(2_000.0, STAY_MS_MAX);
    // Three of four times from where one always is.
    let place = if dice.below(4) == 0 { dice.roll() } else { mix(user ^ 0x10) };
    Session { user, join_ms, leave_ms: join_ms + stay as i64, place: (place >> 40) as u32 }
}

impl Iterator for Story {
    type Item = Call;

    fn next(&mut self) -> Option<Call> {
        if self.next == self.calls / 2 && self.big > 0 {
            let assembly = self.assembly();
            self.big = 0;
            return Some(assembly);
        }
        let number = self.next;
        self.next += 1;
        (number < self.calls).then(|| self.call(number))
    }
}

/// What is told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Created,
    Joined,
    Left,
    Destroyed,
}

/// Something that happened and is not told yet.
struct Telling {
    arrival_ms: i64,
    turn: u64,
    at_ms: i64,
    what: What,
    app: u64,
    room: std::rc::Rc<str>,
    session: Session,
}

impl Telling {
    fn write(&self, out: &mut Vec<u8>) -> std::io::Result<()> {
        let Telling { arrival_ms, at_ms, app, room, session, .. } = self;
        write!(out, "{{\"at_ms\":{at_ms},\"received_ms\":{arrival_ms},\"app\":{app},\"room\":\"{room}\",")?;
        match self.what {
            What::Created => out.extend_from_slice(b"\"kind\":\"room_created\""),
            What::Destroyed => out.extend_from_slice(b"\"kind\":\"room_destroyed\""),
            What::Joined => write!(
                out,
                "\"kind\":\"joined\",\"user\":\"{}\",\"attrs\":{{\"device\":\"{}\",\"sdk_version\":\"{}\",\"client_ip\":\"{}\"}}",
                session.name(),
                session.device(),
                session.version(),
                session.ip()
            )?,
            What::Left => {
                let reason =
                    if mix(session.user ^ at_ms.unsigned_abs()) % 10 == 0 { "timeout" } else { "normal" };
                write!(out, "\"kind\":\"left\",\"user\":\"{}\",\"reason\":\"{reason}\"", session.name())?;
            }
        }
        out.extend_from_slice(b"}\n");
        Ok(())
    }
}

impl PartialEq for Telling {
    fn eq(&self, other: &Telling) -> bool {
        (self.arrival_ms, self.turn) == (other.arrival_ms, other.turn)
    }
}

impl Eq for Telling {}

impl PartialOrd for Telling {
    fn partial_cmp(&self, other: &Telling) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Telling {
    fn cmp(&self, other: &Telling) -> std::cmp::Ordering {
        (self.arrival_ms, self.turn).cmp(&(other.arrival_ms, other.turn))
    }
}

/// Writes what is told of calls, one JSON line an event, in the order of arrival; `see` is shown each call. Ends after
/// `most` events. How many there were.
pub fn tell(story: Story, most: u64, out: &mut impl Write, mut see: impl FnMut(&Call)) -> Result<u64> {
    let mut dice = Dice(20_260_603);
    let mut waiting: BinaryHeap<Reverse<Telling>> = BinaryHeap::new();
    let (mut turn, mut told) = (0, 0);
    let mut lines = Vec::with_capacity(1 << 20);
    let mut give =
        |waiting: &mut BinaryHeap<Reverse<Telling>>, until_ms: i64, told: &mut u64| -> Result<()> {
            while *told < most && waiting.peek().is_some_and(|Reverse(next)| next.arrival_ms <= until_ms) {
                let Some(Reverse(next)) = waiting.pop() else { break };
                next.write(&mut lines)?;
                *told += 1;
                if lines.len() > (1 << 20) - 1_024 {
                    out.write_all(&lines)?;
                    lines.clear();
                }
            }
            if until_ms == i64::MAX {
                out.write_all(&lines)?;
                out.flush()?;
            }
            Ok(())
        };
    for call in story {
        // Nothing that is still to come can be told before its call is created.
        give(&mut waiting, call.create_ms, &mut told)?;
        if told >= most {
            break;
        }
        see(&call);
        let room: std::rc::Rc<str> = call.room.as_str().into();
        let mut happened = |at_ms: i64, what: What, session: Session| {
            turn += 1;
            let arrival_ms = at_ms + dice.below(LATE_MS) as i64;
            let room = std::rc::Rc::clone(&room);
            waiting.push(Reverse(Telling { arrival_ms, turn, at_ms, what, app: call.app, room, session }));
        };
        happened(call.create_ms, What::Created, call.sessions[0]);
        for session in &call.sessions {
            happened(session.join_ms, What::Joined, *session);
            happened(session.leave_ms, What::Left, *session);
        }
        happened(call.end_ms, What::Destroyed, call.sessions[0]);
    }
    give(&mut waiting, i64::MAX, &mut told)?;
    Ok(told)
}
