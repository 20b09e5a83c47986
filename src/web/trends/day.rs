//! What is counted of one day beside the store's figures: calls, how many were there at one time, how good it was, and
//! what the entries were made with. Read from the day's calls, an hour of them at a time, so that nobody waits for it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::limits::DAY_S;
use crate::records::{AppId, Attr, Call, Session, device_type};
use crate::store::{CallQuery, DayFigures, SessionQuery, Store};
use crate::web::call::flows;
use crate::web::lanes::Span;
use crate::web::score::{Grade, Runs, runs};
use crate::web::{Context, Trouble};

/// Calls that began in one hour and are looked at.
pub(super) const CALLS_MAX: usize = 20_000;
/// Sessions of one call that are looked at.
pub(super) const SESSIONS_MAX: usize = 100_000;
/// Users whose measurements of one day are looked at. Of a day with more it is a sample, spread over all of it.
pub(super) const GRADED_MAX: u64 = 2_000;
/// Users whose measurements are read at a time.
const READ_AT_ONCE: usize = 50;
/// Versions or devices of one day that are kept apart; the others are counted together.
pub(super) const KINDS_MAX: usize = 50;
/// As many are told apart while a day is counted.
const KINDS_COUNTED_MAX: usize = 5_000;
const HOUR_S: i64 = 3_600;

/// Seconds that were good, fair, poor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seconds(pub(super) [u64; 3]);

impl Seconds {
    pub(super) fn add(&mut self, other: Seconds) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
    }

    pub(super) fn total(self) -> u64 {
        self.0.iter().sum()
    }

    /// The share of one grade in thousandths; `None` where nothing was measured.
    pub(super) fn share(self, grade: usize) -> Option<u64> {
        let total = self.total();
        (total > 0).then(|| (self.0[grade] * 1_000 + total / 2) / total)
    }

    /// Of grades, as far as they are in a span.
    fn of(runs: &Runs, span: Span) -> Seconds {
        let mut seconds = Seconds::default();
        for (from, to, grade) in runs {
            let inside = (*to).min(span.to) - (*from).max(span.from);
            let place = match grade {
                Grade::Good => 0,
                Grade::Fair => 1,
                Grade::Poor => 2,
            };
            seconds.0[place] += u64::try_from(inside).unwrap_or(0);
        }
        seconds
    }
}

/// The entries of one kind, and how good it was for those who made them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) entries: u64,
    pub(super) seconds: Seconds,
}

impl Part {
    pub(super) fn add(&mut self, other: Part) {
        self.entries += other.entries;
        self.seconds.add(other.seconds);
    }
}

/// Entries by kind; `""`: not told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kinds {
    pub(super) parts: BTreeMap<String, Part>,
    /// All that are not told apart.
    pub(super) others: Part,
}

impl Kinds {
    fn add(&mut self, name: &str, part: Part) {
        if let Some(known) = self.parts.get_mut(name) {
            known.add(part);
        } else if self.parts.len() < KINDS_COUNTED_MAX {
            self.parts.insert(name.to_owned(), part);
        } else {
            self.others.add(part);
        }
    }

    /// Keeps those with the most entries.
    fn shrink(&mut self) {
        let mut all: Vec<(String, Part)> = std::mem::take(&mut self.parts).into_iter().collect();
        all.sort_by(|a, b| b.1.entries.cmp(&a.1.entries).then_with(|| a.0.cmp(&b.0)));
        for (_, part) in all.drain(KINDS_MAX.min(all.len())..) {
            self.others.add(part);
        }
        self.parts = all.into_iter().collect();
    }
}

/// What is counted of one day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Day {
    /// Calls that began.
    pub(super) calls: u64,
    /// The most users that were inside in one second.
    pub(super) peak_users: u64,
    /// The most calls that ran in one second.
    pub(super) peak_rooms: u64,
    pub(super) seconds: Seconds,
    /// Users of calls whose measurements were looked for, and those that had any.
    pub(super) looked: u64,
    pub(super) measured: u64,
    /// All users of calls, where only some were looked at.
    pub(super) sample_of: Option<u64>,
    pub(super) sdks: Kinds,
    pub(super) devices: Kinds,
    /// Everything was looked at: no bound was met.
    pub(super) is_whole: bool,
}

/// How many are there in each second of a day.
#[derive(Debug)]
struct Crowd {
    from: i64,
    steps: Vec<i32>,
}

impl Crowd {
    fn new(from: i64) -> Crowd {
        let seconds = usize::try_from(DAY_S + 1).unwrap_or(0);
        Crowd { from, steps: vec![0; seconds] }
    }

    /// Somebody is there from a second until before another, for a second at least.
    fn add(&mut self, from: i64, to: i64) {
        let from = (from - self.from).max(0);
        let to = (to - self.from).max(from + 1).min(DAY_S);
        for (at, step) in [(from, 1), (to, -1)] {
            if let (true, Some(cell)) =
                (from < DAY_S, usize::try_from(at).ok().and_then(|at| self.steps.get_mut(at)))
            {
                *cell += step;
            }
        }
    }

    fn peak(&self) -> u64 {
        let mut inside = 0;
        let most = self.steps.iter().map(|step| {
            inside += i64::from(*step);
            inside
        });
        most.max().and_then(|most| u64::try_from(most).ok()).unwrap_or(0)
    }
}

/// A day that is being counted.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) app: AppId,
    pub(super) figures: DayFigures,
    span: Span,
    hour: i64,
    users: Crowd,
    rooms: Crowd,
    day: Day,
}

/// A user's sessions of one call, the newest first.
type Attendance<'s> = BTreeMap<&'s str, Vec<&'s Session>>;

impl Tally {
    pub(super) fn new(app: AppId, figures: DayFigures) -> Tally {
        let from = figures.start_s;
        let sample_of = (figures.users > GRADED_MAX).then_some(figures.users);
        Tally {
            app,
            figures,
            span: Span { from, to: from + DAY_S },
            hour: 0,
            users: Crowd::new(from),
            rooms: Crowd::new(from),
            day: Day { sample_of, is_whole: true, ..Day::default() },
        }
    }

    /// Counts the calls that began in the next hour, in the first one also those that ran already. The day, when all
    /// hours are counted.
    pub(super) async fn step<S: Store>(&mut self, context: &Context<'_, S>) -> Result<Option<Day>, Trouble> {
        let from = self.span.from + self.hour * HOUR_S;
        let query = CallQuery {
            app: self.app,
            room: None,
            from_s: from,
            to_s: from + HOUR_S - 1,
            skip: 0,
            take: CALLS_MAX,
            now: context.now,
            horizon: context.horizon(),
        };
        let calls = context.store.calls(&query).await?;
        self.day.is_whole &= calls.len() < CALLS_MAX;
        let is_new = |call: &Call| self.hour == 0 || call.created.secs() >= from;
        for call in calls.iter().filter(|call| is_new(call)).cloned().collect::<Vec<_>>() {
            self.call(context, &call).await?;
            // Others shall get their turn meanwhile.
            tokio::task::yield_now().await;
        }
        self.hour += 1;
        if self.hour * HOUR_S < DAY_S && from + HOUR_S <= context.now.secs() {
            return Ok(None);
        }
        let mut day = std::mem::take(&mut self.day);
        (day.peak_users, day.peak_rooms) = (self.users.peak(), self.rooms.peak());
        day.sdks.shrink();
        day.devices.shrink();
        Ok(Some(day))
    }

    fn has(&self, second: i64) -> bool {
        (self.span.from..self.span.to).contains(&second)
    }

    async fn call<S: Store>(&mut self, context: &Context<'_, S>, call: &Call) -> Result<(), Trouble> {
        let now = context.now;
        self.day.calls += u64::from(self.has(call.created.secs()));
        self.rooms.add(call.created.secs(), call.ended.unwrap_or(now).secs());
        let query = SessionQuery {
            app: self.app,
            comm_id: &call.comm_id,
            from_s: self.span.from,
            to_s: self.span.to - 1,
            users: None,
            skip: 0,
            take: SESSIONS_MAX,
            now,
            horizon: context.horizon(),
        };
        let sessions = context.store.sessions(&query).await?;
        self.day.is_whole &= sessions.len() < SESSIONS_MAX;
        let mut all = Attendance::new();
        for session in sessions.iter() {
            all.entry(&session.user).or_default().push(session);
            if self.has(session.joined.secs()) {
                let entry = Part { entries: 1, ..Part::default() };
                self.day.sdks.add(sdk(session), entry);
                self.day.devices.add(device_type(&session.attrs), entry);
            }
        }
        for stays in all.values() {
            let ends = stays.iter().map(|stay| (stay.joined.secs(), stay.left.unwrap_or(now).secs()));
            for (from, to) in merged(ends.collect()) {
                self.users.add(from, to);
            }
        }
        self.grade(context, call, &all).await
    }

    /// Whether a user is in the sample, which is a matter of the names alone.
    fn is_looked_at(&self, call: &Call, user: &str) -> bool {
        let Some(of) = self.day.sample_of else { return true };
        let mut hasher = DefaultHasher::new();
        (call.comm_id.as_str(), user).hash(&mut hasher);
        hasher.finish() % of < GRADED_MAX
    }

    async fn grade<S: Store>(
        &mut self,
        context: &Context<'_, S>,
        call: &Call,
        all: &Attendance<'_>,
    ) -> Result<(), Trouble> {
        let users: Vec<String> =
            all.keys().filter(|user| self.is_looked_at(call, user)).map(|user| (*user).to_owned()).collect();
        self.day.looked += users.len() as u64;
        let shown = Span { from: self.span.from, to: self.span.to - 1 };
        for some in users.chunks(READ_AT_ONCE) {
            for (user, flows) in flows(context, call, some, shown).await? {
                let seconds = Seconds::of(&runs(flows.values().flatten()), self.span);
                let Some(newest) = all.get(user.as_str()).and_then(|stays| stays.first()) else { continue };
                if seconds.total() == 0 {
                    continue;
                }
                self.day.measured += 1;
                self.day.seconds.add(seconds);
                let part = Part { entries: 0, seconds };
                self.day.sdks.add(sdk(newest), part);
                self.day.devices.add(device_type(&newest.attrs), part);
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

fn sdk(session: &Session) -> &str {
    session.attrs.get(&Attr::SdkVersion).map_or("", String::as_str)
}

/// Stretches of time without their overlaps: a user on two devices is inside once.
fn merged(mut stretches: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    stretches.sort_unstable();
    let mut all: Vec<(i64, i64)> = Vec::with_capacity(stretches.len());
    for (from, to) in stretches {
        match all.last_mut() {
            Some((_, end)) if from <= *end => *end = to.max(*end),
            _ => all.push((from, to)),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_counted_by_the_second_and_a_user_once() {
        let mut crowd = Crowd::new(1_000);
        for (from, to) in [(900, 1_010), (1_010, 1_020), (1_015, 1_016), (1_015, 1_015), (2_000, 999_999)] {
            crowd.add(from, to);
        }
        assert_eq!(crowd.peak(), 3, "who leaves in a second makes room for who comes in it");
        let mut last = Crowd::new(0);
        last.add(DAY_S - 1, DAY_S + 5);
        last.add(DAY_S, DAY_S + 5);
        last.add(-9, 0);
        assert_eq!((last.peak(), last.steps[0]), (1, 1));
        assert_eq!(merged(vec![(5, 9), (1, 3), (2, 4), (9, 12)]), [(1, 4), (5, 12)]);
    }

    #[test]
    fn the_most_frequent_kinds_are_kept_apart_and_none_is_lost() {
        let mut kinds = Kinds::default();
        for n in 0..u64::try_from(KINDS_MAX).unwrap() + 2 {
            kinds.add(&format!("{n:03}"), Part { entries: n + 1, seconds: Seconds([n, 0, 1]) });
        }
        kinds.shrink();
        assert_eq!((kinds.parts.len(), kinds.others.entries), (KINDS_MAX, 3));
        assert_eq!(kinds.others.seconds, Seconds([1, 0, 2]));
        assert!(!kinds.parts.contains_key("001") && kinds.parts.contains_key("002"));
    }

    #[test]
    fn seconds_are_of_the_day_and_shares_are_of_what_was_measured() {
        let runs = vec![(90, 120, Grade::Good), (120, 130, Grade::Fair), (190, 230, Grade::Poor)];
        let seconds = Seconds::of(&runs, Span { from: 100, to: 200 });
        assert_eq!(seconds, Seconds([20, 10, 10]));
        assert_eq!([0, 1, 2].map(|grade| seconds.share(grade)), [Some(500), Some(250), Some(250)]);
        assert_eq!(Seconds::default().share(0), None);
    }
}
