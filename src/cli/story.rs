//! The demo's story: calls of the last days, and some that are running. A seed and a present decide it.

use super::vitals::{self, Member};
use crate::records::quality::Series;
use crate::records::{AppId, Attr, Event, Kind, Millis, Reason, ReasonClass, Track};

/// What [`Event::source`] is.
const SOURCE: &str = "demo";
const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// Calls that are over.
const PAST_CALLS: u64 = 200;
/// Of so many of them there is one that was measured.
const PAST_CALLS_PER_MEASURED: u64 = 40;
/// How far back they reach.
const PAST: i64 = 72 * HOUR;
/// Calls that are running, at any time.
const RUNNING_CALLS: usize = 6;
/// The users of the one large call.
const CROWD: u64 = 2_000;
/// The most users of a running call.
const RUNNING_USERS_MAX: usize = 9;
/// One of so many things that happen in a running call is its end.
const STEPS_OF_A_CALL: u64 = 300;

#[rustfmt::skip]
const NAMES: &[&str] = &[
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "kim", "leo", "mallory", "nina",
    "olivia", "peggy", "quentin", "rupert", "sybil", "trent", "uma", "victor", "wendy", "xavier", "yara", "zoe",
    "李雷", "韩梅梅", "José", "Zoë", "Søren", "Łukasz",
];

#[rustfmt::skip]
const ROOMS: &[&str] = &["standup", "support", "interview", "lesson", "doctor_visit", "sales/eu", "Besprechung Süd", "🎧 lounge"];

/// Terminal, user type, version of the SDK: in the words of TRTC.
#[rustfmt::skip]
const CLIENTS: &[(&str, &str, &str)] = &[
    ("1", "3", "12.4.0.17372"), ("2", "3", "12.4.0.17372"), ("3", "3", "12.4.0.17372"), ("1", "1", "5.10.1"),
    ("2", "1", "5.10.1"), ("4", "1", "5.9.2"), ("100", "2", "2.1.5"),
];

/// SplitMix64: small, and the same everywhere.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }

    fn between(&mut self, from: i64, end: i64) -> i64 {
        from + self.below(u64::try_from(end - from).unwrap_or(1)).cast_signed()
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        // The remainder is below the length, so it fits.
        &from[usize::try_from(self.below(from.len() as u64)).unwrap_or_default()]
    }
}

/// The story so far, able to go on.
#[derive(Debug)]
pub(super) struct Story {
    app: AppId,
    dice: Dice,
    rooms: u64,
    running: Vec<Running>,
}

/// A call that is running.
#[derive(Debug)]
struct Running {
    room: String,
    inside: Vec<Member>,
}

/// What happened and was measured up to now.
#[derive(Debug, Default)]
pub(super) struct Past {
    pub(super) events: Vec<Event>,
    pub(super) samples: Vec<Series>,
}

impl Story {
    /// Everything up to now, and what goes on from there.
    pub(super) fn begin(seed: u64, app: AppId, now: Millis) -> (Story, Past) {
        let mut story = Story { app, dice: Dice(seed), rooms: 0, running: Vec::new() };
        let Past { mut events, mut samples } = Past::default();
        for nth in 0..PAST_CALLS {
            let begin = now.plus(-story.dice.between(2 * HOUR, PAST));
            let (room, members) = story.past_call(begin, &mut events);
            if nth % PAST_CALLS_PER_MEASURED == 0 {
                samples.extend(vitals::measure(app, &room, &members, begin, now));
            }
        }
        story.crowd(now.plus(-26 * HOUR), &mut events);
        while story.running.len() < RUNNING_CALLS {
            let begin = now.plus(-story.dice.between(5 * MINUTE, 40 * MINUTE));
            story.start_call(begin, &mut events);
        }
        samples.extend(story.measure(now.plus(-HOUR), now));
        (story, Past { events, samples })
    }

    /// What those who are inside now measure, from `from` on and before `to`.
    pub(super) fn measure(&self, from: Millis, to: Millis) -> Vec<Series> {
        let measure = |call: &Running| vitals::measure(self.app, &call.room, &call.inside, from, to);
        self.running.iter().flat_map(measure).collect()
    }

    /// What happens now in the calls that are running.
    pub(super) fn step(&mut self, now: Millis) -> Vec<Event> {
        let mut events = Vec::new();
        let turn = usize::try_from(self.dice.below(self.running.len() as u64)).unwrap_or_default();
        let mut call = self.running.swap_remove(turn);
        if self.dice.one_in(STEPS_OF_A_CALL) {
            for member in call.inside.drain(..) {
                events.push(self.left(&call.room, &member.user, now, ReasonClass::RoomClosed));
            }
            events.push(self.event(&call.room, "", Kind::RoomDestroyed, now));
            self.start_call(now, &mut events);
            return events;
        }
        let full = call.inside.len() >= RUNNING_USERS_MAX;
        match self.dice.below(10) {
            0 | 1 if call.inside.len() > 1 => {
                let gone = call.inside.swap_remove(0);
                let why = if self.dice.one_in(4) { ReasonClass::Timeout } else { ReasonClass::Normal };
                events.push(self.left(&call.room, &gone.user, now, why));
            }
            2 | 3 if !full => self.enter(&mut call, now, &mut events),
            _ if !call.inside.is_empty() => {
                let user = self.dice.pick(&call.inside).user.clone();
                let track = *self.dice.pick(&[Track::Audio, Track::Video, Track::Screen]);
                let kind = Kind::Media { track, on: self.dice.one_in(2) };
                events.push(self.event(&call.room, &user, kind, now));
            }
            _ => self.enter(&mut call, now, &mut events),
        }
        self.running.push(call);
        events
    }

    /// One of the users who is not inside comes in.
    fn enter(&mut self, call: &mut Running, at: Millis, events: &mut Vec<Event>) {
        let user = (*self.dice.pick(NAMES)).to_owned();
        if call.inside.iter().all(|member| member.user != user) {
            events.push(self.joined(&call.room, &user, at));
            events.push(self.event(
                &call.room,
                &user,
                Kind::Media { track: Track::Audio, on: true },
                at.plus(300),
            ));
            call.inside.push(Member { user, joined: at, left: Millis(i64::MAX) });
        }
    }

    /// A call that begins and goes on.
    fn start_call(&mut self, begin: Millis, events: &mut Vec<Event>) {
        let mut call = Running { room: self.room(), inside: Vec::new() };
        events.push(self.event(&call.room, NAMES[0], Kind::RoomCreated, begin));
        for nth in 0..self.dice.between(2, 6) {
            self.enter(&mut call, begin.plus(400 + nth * 7 * SECOND), events);
        }
        self.running.push(call);
    }

    /// A call that is over; its room, and who was in it.
    fn past_call(&mut self, begin: Millis, events: &mut Vec<Event>) -> (String, Vec<Member>) {
        let room = self.room();
        let end = begin.plus(self.dice.between(3 * MINUTE, 90 * MINUTE));
        let users = self.dice.between(2, 8);
        let first = self.dice.below(NAMES.len() as u64);
        events.push(self.event(&room, NAMES[0], Kind::RoomCreated, begin));
        let mut members = Vec::new();
        for nth in 0..users.unsigned_abs() {
            let name = usize::try_from((first + nth * 5) % NAMES.len() as u64).unwrap_or_default();
            let joined = begin.plus(500 + self.dice.between(0, 2 * MINUTE));
            let left = self.stay(&room, NAMES[name], joined, end, events);
            members.push(Member { user: NAMES[name].to_owned(), joined, left });
        }
        events.push(self.event(&room, "", Kind::RoomDestroyed, end.plus(2 * SECOND)));
        (room, members)
    }

    /// One user in a call that is over; some lose the connection on the way. When the user left.
    fn stay(
        &mut self,
        room: &str,
        user: &str,
        joined: Millis,
        end: Millis,
        events: &mut Vec<Event>,
    ) -> Millis {
        let left = Millis(self.dice.between((joined.0 + end.0) / 2, end.0.max(joined.0 + 2)));
        events.push(self.joined(room, user, joined));
        for (track, after) in [(Track::Audio, 300), (Track::Video, 900)] {
            events.push(self.event(room, user, Kind::Media { track, on: true }, joined.plus(after)));
        }
        if self.dice.one_in(6) {
            let lost = Millis(self.dice.between(joined.0 + 1_000, (joined.0 + left.0) / 2 + 1_001));
            let back = lost.plus(self.dice.between(2 * SECOND, 40 * SECOND));
            if back < left {
                events.push(self.left(room, user, lost, ReasonClass::Timeout));
                events.push(self.joined(room, user, back));
            }
        }
        let why = if self.dice.one_in(12) { ReasonClass::Kicked } else { ReasonClass::Normal };
        events.push(self.left(room, user, left, why));
        left
    }

    /// The one large call.
    fn crowd(&mut self, begin: Millis, events: &mut Vec<Event>) {
        let room = "all-hands";
        let end = begin.plus(HOUR);
        events.push(self.event(room, NAMES[0], Kind::RoomCreated, begin));
        for nth in 0..CROWD {
            let user = format!("guest-{nth:04}");
            let joined = begin.plus(self.dice.between(1, 6 * MINUTE));
            let left = Millis(self.dice.between(end.0 - 20 * MINUTE, end.0));
            events.push(self.joined(room, &user, joined));
            events.push(self.left(room, &user, left, ReasonClass::Normal));
        }
        events.push(self.event(room, "", Kind::RoomDestroyed, end.plus(5 * SECOND)));
    }

    /// A room's name that was not used yet: a number, or words.
    fn room(&mut self) -> String {
        self.rooms += 1;
        let number = self.rooms;
        if self.dice.one_in(2) {
            (210_000 + number * 37).to_string()
        } else {
            format!("{}_{number}", self.dice.pick(ROOMS))
        }
    }

    fn event(&self, room: &str, user: &str, kind: Kind, at: Millis) -> Event {
        let mut event = Event::new(self.app, SOURCE, room, user, kind, at);
        event.room_is_number = room.parse::<u32>().is_ok();
        event
    }

    fn joined(&mut self, room: &str, user: &str, at: Millis) -> Event {
        let mut event = self.event(room, user, Kind::UserJoined, at);
        let (terminal, user_type, version) = *self.dice.pick(CLIENTS);
        let ip = format!("10.{}.{}.{}", self.dice.below(32), self.dice.below(256), 1 + self.dice.below(254));
        let role = if self.dice.one_in(3) { "audience" } else { "anchor" };
        event.attrs.extend([
            (Attr::Terminal, terminal.to_owned()),
            (Attr::UserType, user_type.to_owned()),
            (Attr::SdkVersion, version.to_owned()),
            (Attr::ClientIp, ip),
            (Attr::Role, role.to_owned()),
        ]);
        event
    }

    fn left(&self, room: &str, user: &str, at: Millis, class: ReasonClass) -> Event {
        let mut event = self.event(room, user, Kind::UserLeft, at);
        event.reason = Some(Reason { class, raw: String::new() });
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_800_000_000_000);

    fn count(events: &[Event], of: impl Fn(&Event) -> bool) -> usize {
        events.iter().filter(|event| of(event)).count()
    }

    #[test]
    fn the_seed_and_the_present_decide_the_story() {
        let tell = || {
            let (mut story, Past { mut events, mut samples }) = Story::begin(1, AppId(1), NOW);
            for step in 0..500 {
                let now = NOW.plus(step * 1_000);
                samples.extend(story.measure(now.plus(-1_000), now));
                events.extend(story.step(now));
            }
            (events, samples)
        };
        assert_eq!(tell(), tell());
    }

    #[test]
    fn it_holds_what_it_promises() {
        let (_, Past { events, samples }) = Story::begin(2, AppId(1), NOW);
        let times = samples.iter().flat_map(|series| &series.columns).flat_map(|(_, points)| points);
        assert!(
            times.clone().count() > 100_000
                && times.clone().all(|(at, _)| NOW.plus(-PAST) <= *at && *at < NOW)
        );
        assert!(events.iter().all(|event| event.at <= NOW && event.at >= NOW.plus(-PAST)));
        assert_eq!(count(&events, |e| e.kind == Kind::RoomCreated), 200 + 1 + RUNNING_CALLS);
        assert_eq!(count(&events, |e| e.kind == Kind::RoomDestroyed), 200 + 1);
        assert_eq!(count(&events, |e| e.room == "all-hands" && e.kind == Kind::UserJoined), 2_000);
        let lost = |e: &Event| e.reason.as_ref().is_some_and(|r| r.class == ReasonClass::Timeout);
        assert!(count(&events, lost) > 50, "some lose the connection");
    }

    #[test]
    fn running_calls_go_on_changing_and_never_run_out() {
        let (mut story, _) = Story::begin(3, AppId(1), NOW);
        let mut ended = 0;
        let mut still = 0;
        for step in 0..8_000 {
            let events = story.step(NOW.plus(step * 1_000));
            still += i32::from(events.is_empty());
            ended += count(&events, |e| e.kind == Kind::RoomDestroyed);
            assert_eq!(story.running.len(), RUNNING_CALLS);
            assert!(story.running.iter().all(|call| call.inside.len() <= RUNNING_USERS_MAX));
        }
        assert!(ended > 10 && still < 800, "{ended} ended, {still} steps without an event");
    }
}
