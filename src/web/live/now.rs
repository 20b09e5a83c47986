//! What happens now in an application: computed from its open calls, the newest of what their users measured, and the
//! calls of the last hour. Everything is bounded; where a bound was met, [`Now::is_whole`] says so.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::score::{self, Grade};
use super::super::{Trouble, call::ByPeer};
use crate::records::quality::{GAP_MS_MAX, Metric, Points, Series, metrics};
use crate::records::{AppId, Call, CommId, Event, Millis};
use crate::store::{CallQuery, NEWEST_MAX, News, SampleQuery, SessionPage, SessionQuery, Store, UserQuery};

/// Minutes of history.
pub(super) const MINUTES: usize = 60;
const MINUTE_MS: i64 = 60_000;
const HISTORY_MS: i64 = 60 * MINUTE_MS;
/// Calls that are looked at: open ones, and those of the last hour.
const CALLS_MAX: usize = 10_000;
/// Sessions of one call that are looked at.
const SESSIONS_MAX: usize = 2_000;
/// Users whose measurements are looked at in one computation: where there are more, calls take turns.
const MEASURED_MAX: usize = 2_000;
/// The same in the first computation, which has nothing to go on from.
const MEASURED_FIRST_MAX: usize = 20_000;
/// For how long what was measured in a call is taken for what is: until its turn comes again.
const LOOKED_MS: i64 = PROBLEM_MS;
/// Users whose measurements of the last hour are looked at, once, to know how many had problems.
const REBUILT_MAX: usize = 300;
/// Sessions whose events are read, once, to know what happened last.
const TOLD_MAX: usize = 20;
/// How far back the score of "now" reaches.
const SCORED_MS: i64 = 60_000;
/// How far back a poor stretch makes a user one with a problem.
const PROBLEM_MS: i64 = 30_000;
/// Clients whose clocks are fast by no more than this are seen at once.
const AHEAD_MS: i64 = 5_000;
/// For how long the sessions of a call are taken as they were, if its newest evidence is the same.
const KEPT_MS: i64 = MINUTE_MS;

/// What happens now.
#[derive(Debug)]
pub(in crate::web) struct Now {
    pub(super) at: Millis,
    /// Users inside.
    pub(super) users: usize,
    /// Those of them that measured something lately.
    pub(super) measured: usize,
    /// Those of them that had a poor stretch lately.
    pub(super) problems: usize,
    /// The share of time in which audio was made up, in percent.
    pub(super) audio_freeze: Option<f64>,
    /// The share of time in which the picture stood still, in percent.
    pub(super) video_freeze: Option<f64>,
    /// The last hour, oldest first; the last minute is the running one.
    pub(super) minutes: Vec<Minute>,
    /// Open calls, worst first.
    pub(super) rooms: Vec<Room>,
    /// What happened last, newest first.
    pub(super) events: Vec<Event>,
    /// Whether all there is was looked at.
    pub(super) is_whole: bool,
}

/// A minute of the last hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Minute {
    pub(super) start_s: i64,
    pub(super) users: usize,
    pub(super) rooms: usize,
    /// `None`: nobody looked, and too many were there to look later.
    pub(super) problems: Option<usize>,
}

/// An open call.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) call: Call,
    pub(super) users: usize,
    /// Users of each minute of the last hour.
    pub(super) trend: Vec<usize>,
    pub(super) worst: Option<Worst>,
    /// The newest measurement.
    pub(super) measured_at: Option<Millis>,
}

/// The user of a room for whom it is worst.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Worst {
    pub(super) user: String,
    pub(super) score: f64,
    /// The metric that is the reason, its value and its grade; `None`: all is good.
    pub(super) why: Option<(Metric, f64, Grade)>,
    pub(super) has_problem: bool,
}

/// What one computation leaves to the next.
#[derive(Debug, Default)]
pub(super) struct Memory {
    sessions: HashMap<CommId, Kept>,
    /// How those inside have it, and when it was looked at.
    quality: HashMap<CommId, (Millis, Quality)>,
    /// Users with problems, by the first second of the minute.
    problems: BTreeMap<i64, usize>,
    events: BTreeSet<Event>,
    has_looked_back: bool,
    /// How many people had been erased when it began to remember.
    erasures: u64,
}

/// The sessions of a call, as they were read.
#[derive(Debug, Clone)]
struct Kept {
    evidence: (Millis, Option<Millis>),
    read: Millis,
    sessions: SessionPage,
}

/// Where to look.
pub(super) struct Scope<'a, S> {
    pub(super) store: &'a S,
    pub(super) app: AppId,
    pub(super) now: Millis,
    pub(super) horizon: Millis,
}

/// A call with its sessions.
struct Attended {
    call: Call,
    sessions: SessionPage,
    /// Those who are inside, once each and in order; nobody, if it is over.
    inside: Vec<String>,
}

impl Attended {
    fn new(call: Call, sessions: SessionPage) -> Attended {
        let open = sessions.iter().filter(|session| call.ended.is_none() && session.left.is_none());
        let users: BTreeSet<&str> = open.map(|session| session.user.as_str()).collect();
        let inside = users.into_iter().map(str::to_owned).collect();
        Attended { call, sessions, inside }
    }

    fn is_inside(&self, user: &str) -> bool {
        self.inside.binary_search_by(|one| one.as_str().cmp(user)).is_ok()
    }
}

/// How those who are inside have it.
#[derive(Debug, Default)]
struct Quality {
    people: Vec<Worst>,
    measured_at: Option<Millis>,
    audio: Frozen,
    video: Frozen,
}

/// Milliseconds that stood still, of milliseconds in all.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Frozen {
    still: f64,
    all: f64,
}

impl Frozen {
    /// Adds what points tell: each is the growth since the one before.
    #[expect(clippy::cast_precision_loss, reason = "an interval of at most a minute is exact")]
    fn add(&mut self, points: &[(Millis, f64)], from: Millis) {
        for pair in points.windows(2) {
            let [(before, _), (at, still)] = *pair else { continue };
            let ms = at.0 - before.0;
            if at >= from && ms <= GAP_MS_MAX {
                self.still += still.clamp(0.0, ms as f64);
                self.all += ms as f64;
            }
        }
    }

    fn join(&mut self, other: Frozen) {
        self.still += other.still;
        self.all += other.all;
    }

    fn percent(self) -> Option<f64> {
        (self.all > 0.0).then(|| 100.0 * self.still / self.all)
    }
}

impl<S: Store> Scope<'_, S> {
    /// What happens now; `memory` is that of the same application.
    pub(super) async fn look(&self, memory: &mut Memory) -> Result<Now, Trouble> {
        let (all, mut is_whole) = self.attended(memory).await?;
        is_whole &= self.measure(memory, &all).await?;
        if !std::mem::replace(&mut memory.has_looked_back, true) {
            memory.hear(self.last_events(&all).await?);
        }
        let (mut audio, mut video) = (Frozen::default(), Frozen::default());
        let (mut rooms, mut users, mut measured, mut problems) = (Vec::new(), 0, 0, 0);
        let unknown = Quality::default();
        for one in all.iter().filter(|one| one.call.ended.is_none()) {
            let quality = memory.quality.get(&one.call.comm_id).map_or(&unknown, |(_, quality)| quality);
            // Somebody may have left since their call had its turn.
            let people = || quality.people.iter().filter(|person| one.is_inside(&person.user));
            users += one.inside.len();
            measured += people().count();
            problems += people().filter(|person| person.has_problem).count();
            audio.join(quality.audio);
            video.join(quality.video);
            rooms.push(Room {
                users: one.inside.len(),
                trend: trend(self.now, one.sessions.iter().map(|session| (session.joined, session.left))),
                worst: people().min_by(|a, b| order(a, b)).cloned(),
                measured_at: quality.measured_at,
                call: one.call.clone(),
            });
        }
        sort(&mut rooms);
        self.remember(memory, &all, problems).await?;
        let minutes = self.minutes(memory, &all);
        let events = memory.events.iter().rev().cloned().collect();
        let (audio_freeze, video_freeze) = (audio.percent(), video.percent());
        Ok(Now {
            at: self.now,
            users,
            measured,
            problems,
            audio_freeze,
            video_freeze,
            minutes,
            rooms,
            events,
            is_whole,
        })
    }

    /// The open calls and those of the last hour, with their sessions; whether that is all there is.
    async fn attended(&self, memory: &mut Memory) -> Result<(Vec<Attended>, bool), Trouble> {
        let mut calls = self.calls(self.now.plus(-HISTORY_MS)).await?;
        let mut is_whole = calls.len() < CALLS_MAX;
        if !is_whole {
            // Those that are open matter more than those that were created later and are over.
            let open = self.calls(self.now).await?;
            let known: BTreeSet<&CommId> = open.iter().map(|call| &call.comm_id).collect();
            calls.retain(|call| call.ended.is_some() && !known.contains(&call.comm_id));
            calls.splice(..0, open);
            calls.truncate(CALLS_MAX);
        }
        let mut all = Vec::with_capacity(calls.len());
        for call in calls {
            let sessions = self.sessions(memory, &call).await?;
            is_whole &= sessions.len() < SESSIONS_MAX;
            all.push(Attended::new(call, sessions));
        }
        let known: BTreeSet<&CommId> = all.iter().map(|one| &one.call.comm_id).collect();
        memory.sessions.retain(|comm_id, _| known.contains(comm_id));
        Ok((all, is_whole))
    }

    /// Looks at how those inside have it: of all calls, or of as many as may be, first those that have waited longest.
    /// Whether what is known of all is new enough.
    async fn measure(&self, memory: &mut Memory, all: &[Attended]) -> Result<bool, Trouble> {
        let mut turns: Vec<&Attended> = all.iter().filter(|one| !one.inside.is_empty()).collect();
        let known: BTreeSet<&CommId> = turns.iter().map(|one| &one.call.comm_id).collect();
        memory.quality.retain(|comm_id, _| known.contains(comm_id));
        let looked = |one: &Attended| memory.quality.get(&one.call.comm_id).map(|(looked, _)| *looked);
        turns.sort_by_key(|one| looked(one));
        let most = if memory.quality.is_empty() { MEASURED_FIRST_MAX } else { MEASURED_MAX };
        let (mut seen, mut is_whole) = (0, true);
        for one in turns {
            let shown = one.inside.len().min(MEASURED_MAX);
            is_whole &= shown == one.inside.len();
            if seen > 0 && seen + shown > most {
                let known = memory.quality.get(&one.call.comm_id);
                is_whole &= known.is_some_and(|(looked, _)| self.now.0 - looked.0 < LOOKED_MS);
                continue;
            }
            seen += shown;
            let quality = self.quality(&one.call, &one.inside[..shown]).await?;
            memory.quality.insert(one.call.comm_id.clone(), (self.now, quality));
            // Others shall get their turn meanwhile.
            tokio::task::yield_now().await;
        }
        Ok(is_whole)
    }

    /// The calls that were alive at some time from then on.
    async fn calls(&self, from: Millis) -> Result<Vec<Call>, Trouble> {
        let query = CallQuery {
            app: self.app,
            room: None,
            from_s: from.secs(),
            to_s: self.now.secs(),
            skip: 0,
            take: CALLS_MAX,
            now: self.now,
            horizon: self.horizon,
        };
        Ok(self.store.calls(&query).await?)
    }

    /// The sessions of a call, as they were where nothing newer is known of it.
    async fn sessions(&self, memory: &mut Memory, call: &Call) -> Result<SessionPage, Trouble> {
        let evidence = (call.last_evidence, call.ended);
        let is_fresh = |kept: &&Kept| {
            // At the second of the newest evidence more of it may still come.
            let is_settled = call.last_evidence.secs() + 1 < kept.read.secs();
            is_settled && kept.evidence == evidence && self.now.0 - kept.read.0 < KEPT_MS
        };
        if let Some(kept) = memory.sessions.get(&call.comm_id).filter(is_fresh) {
            return Ok(kept.sessions.clone());
        }
        let query = SessionQuery {
            app: self.app,
            comm_id: &call.comm_id,
            from_s: self.now.plus(-HISTORY_MS).secs(),
            to_s: self.now.secs(),
            users: None,
            skip: 0,
            take: SESSIONS_MAX,
            now: self.now,
            horizon: self.horizon,
        };
        let sessions = self.store.sessions(&query).await?;
        let kept = Kept { evidence, read: self.now, sessions: sessions.clone() };
        memory.sessions.insert(call.comm_id.clone(), kept);
        Ok(sessions)
    }

    async fn samples(&self, call: &Call, users: &[String], from: Millis) -> Result<Vec<Series>, Trouble> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let to = self.now.plus(AHEAD_MS);
        let from = from.plus(-GAP_MS_MAX).max(self.horizon);
        Ok(self.store.samples(&SampleQuery { app: self.app, room: &call.room, users, from, to }).await?)
    }

    /// How the users inside a call have it.
    async fn quality(&self, call: &Call, users: &[String]) -> Result<Quality, Trouble> {
        let from = self.now.plus(-SCORED_MS);
        let mut quality = Quality::default();
        for (user, series) in by_user(self.samples(call, users, from).await?) {
            let mut peers = by_peer(&series, &user);
            for (_, metrics) in peers.iter().filter(|(peer, _)| !peer.is_empty()) {
                quality.audio.add(metrics.get(&Metric::AudioBlock).map_or(&[], Vec::as_slice), from);
                quality.video.add(metrics.get(&Metric::VideoBlock).map_or(&[], Vec::as_slice), from);
            }
            for points in peers.values_mut().flat_map(BTreeMap::values_mut) {
                points.retain(|(at, _)| from <= *at);
            }
            let newest = peers.values().flat_map(BTreeMap::values).filter_map(|points| points.last());
            quality.measured_at = newest.map(|(at, _)| *at).max().max(quality.measured_at);
            quality.people.extend(person(user, &peers, self.now.plus(-PROBLEM_MS)));
        }
        Ok(quality)
    }

    /// Keeps the number of users with problems for the history; the first time, also of the minutes before.
    async fn remember(&self, memory: &mut Memory, all: &[Attended], problems: usize) -> Result<(), Trouble> {
        let this = self.now.secs().div_euclid(60) * 60;
        let first = this - HISTORY_MS / 1_000 + 60;
        memory.problems.retain(|minute, _| first <= *minute);
        let is_gone = (first..this).step_by(60).any(|minute| !memory.problems.contains_key(&minute));
        if is_gone && let Some(poor) = self.look_back(all, first).await? {
            for minute in (first..this).step_by(60) {
                memory.problems.entry(minute).or_insert_with(|| poor.get(&minute).map_or(0, BTreeSet::len));
            }
        }
        let of_this = memory.problems.entry(this).or_insert(0);
        *of_this = problems.max(*of_this);
        Ok(())
    }

    /// Who had problems in the minutes of the last hour, if those who were there are few enough to look.
    async fn look_back(
        &self,
        all: &[Attended],
        first_s: i64,
    ) -> Result<Option<BTreeMap<i64, BTreeSet<(CommId, String)>>>, Trouble> {
        let users = |one: &Attended| -> BTreeSet<String> {
            one.sessions.iter().map(|session| session.user.clone()).collect()
        };
        if all.iter().map(|one| users(one).len()).sum::<usize>() > REBUILT_MAX {
            return Ok(None);
        }
        let mut poor: BTreeMap<i64, BTreeSet<(CommId, String)>> = BTreeMap::new();
        for one in all {
            let users: Vec<String> = users(one).into_iter().collect();
            let series = self.samples(&one.call, &users, Millis::from_secs(first_s)).await?;
            for (user, series) in by_user(series) {
                let peers = by_peer(&series, &user);
                let runs = score::runs(peers.values().flatten());
                for (from, to, _) in runs.into_iter().filter(|(_, _, grade)| *grade == Grade::Poor) {
                    for minute in from.div_euclid(60)..=(to - 1).div_euclid(60) {
                        let who = (one.call.comm_id.clone(), user.clone());
                        poor.entry(minute * 60).or_default().insert(who);
                    }
                }
            }
            tokio::task::yield_now().await;
        }
        Ok(Some(poor))
    }

    fn minutes(&self, memory: &Memory, all: &[Attended]) -> Vec<Minute> {
        let stays =
            all.iter().flat_map(|one| one.sessions.iter()).map(|session| (session.joined, session.left));
        let users = trend(self.now, stays);
        let rooms = trend(self.now, all.iter().map(|one| (one.call.created, one.call.ended)));
        let starts = starts(self.now);
        let cells = starts.zip(users).zip(rooms);
        let minute = |((start_s, users), rooms)| Minute {
            start_s,
            users,
            rooms,
            problems: memory.problems.get(&start_s).copied(),
        };
        cells.map(minute).collect()
    }

    /// What happened last, before anybody looked: the events of those who came or went last.
    async fn last_events(&self, all: &[Attended]) -> Result<Vec<Event>, Trouble> {
        let mut touched: Vec<(Millis, &Call, &str)> = Vec::new();
        for one in all {
            let of_call = one.sessions.iter();
            touched.extend(
                of_call.map(|session| {
                    (session.left.unwrap_or(session.joined), &one.call, session.user.as_str())
                }),
            );
        }
        touched.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
        let mut events = Vec::new();
        for (_, call, user) in touched.into_iter().take(TOLD_MAX) {
            let query = UserQuery { app: self.app, comm_id: &call.comm_id, user, horizon: self.horizon };
            events.extend(self.store.user_events(&query).await?);
        }
        Ok(events)
    }
}

impl Memory {
    /// Adds what happened meanwhile. Nothing that may name somebody who was erased since is remembered.
    pub(super) fn follow(&mut self, news: &News, app: AppId) {
        // Asked first: an erasure that comes between is met the next time.
        let erasures = news.erasures(app);
        if self.erasures != erasures {
            *self = Memory { erasures, ..Memory::default() };
        }
        self.hear(news.newest(app));
    }

    fn hear(&mut self, newest: Vec<Event>) {
        self.events.extend(newest);
        while self.events.len() > NEWEST_MAX {
            self.events.pop_first();
        }
    }
}

/// The first seconds of the minutes of history.
fn starts(now: Millis) -> impl Iterator<Item = i64> {
    let this = now.secs().div_euclid(60);
    let first = this - HISTORY_MS / MINUTE_MS + 1;
    (first..=this).map(|minute| minute * 60)
}

/// How many of some spans lasted at the end of each minute of history, and now.
fn trend(now: Millis, spans: impl Iterator<Item = (Millis, Option<Millis>)>) -> Vec<usize> {
    let mut moments: Vec<Millis> = starts(now).map(|start| Millis::from_secs(start + 60)).collect();
    if let Some(last) = moments.last_mut() {
        *last = now;
    }
    let mut steps = vec![0_isize; MINUTES + 1];
    for (from, to) in spans {
        let first = moments.partition_point(|moment| *moment < from);
        let end = to.map_or(MINUTES, |to| moments.partition_point(|moment| *moment < to));
        // What begins a little ahead of our clock has begun.
        let first = if to.is_none() { first.min(MINUTES - 1) } else { first };
        if first < end {
            steps[first] += 1;
            steps[end] -= 1;
        }
    }
    let mut count = 0_isize;
    let counts = steps.into_iter().take(MINUTES).map(|step| {
        count += step;
        count.unsigned_abs()
    });
    counts.collect()
}

/// What a user measured, by peer.
fn by_peer(series: &[Series], user: &str) -> ByPeer {
    let mut peers: BTreeMap<&str, Vec<&Series>> = BTreeMap::new();
    for one in series.iter().filter(|one| one.flow.user == user) {
        peers.entry(&one.flow.peer).or_default().push(one);
    }
    peers.into_iter().map(|(peer, all)| (peer.to_owned(), metrics(&all))).collect()
}

fn by_user(series: Vec<Series>) -> BTreeMap<String, Vec<Series>> {
    let mut users: BTreeMap<String, Vec<Series>> = BTreeMap::new();
    for one in series {
        users.entry(one.flow.user.clone()).or_default().push(one);
    }
    users
}

/// How one user has it; `None` where nothing was measured.
fn person(
    user: String,
    peers: &BTreeMap<String, BTreeMap<Metric, Points>>,
    problem_from: Millis,
) -> Option<Worst> {
    let runs = score::runs(peers.values().flatten());
    let score = score::score(&runs)?;
    let has_problem = runs.iter().any(|(_, to, grade)| *grade == Grade::Poor && *to > problem_from.secs());
    let graded = |metric: &Metric, points: &Points| {
        let values = points.iter().map(|(at, value)| (score::grade(*metric, *value), *at, *value));
        values.filter(|(grade, ..)| *grade > Grade::Good).max_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)))
    };
    let reasons = peers.values().flatten().filter_map(|(metric, points)| {
        graded(metric, points).map(|(grade, at, value)| (grade, at, *metric, value))
    });
    let why = reasons.max_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
    let why = why.map(|(grade, _, metric, value)| (metric, value, grade));
    Some(Worst { user, score, why, has_problem })
}

/// The worse first.
fn order(a: &Worst, b: &Worst) -> std::cmp::Ordering {
    a.score.total_cmp(&b.score).then_with(|| a.user.cmp(&b.user))
}

/// Worst first; those of which nothing is known last, the larger before the smaller.
fn sort(rooms: &mut [Room]) {
    let score = |room: &Room| room.worst.as_ref().map_or(f64::INFINITY, |worst| worst.score);
    rooms.sort_by(|a, b| {
        let by_score = score(a).total_cmp(&score(b)).then_with(|| b.users.cmp(&a.users));
        by_score.then_with(|| a.call.comm_id.cmp(&b.call.comm_id))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Kind;
    use crate::records::quality::{Counter, Flow, Measure};

    const APP: AppId = AppId(1);
    /// 2026-11-25T12:00:30Z.
    const NOW: Millis = Millis(1_795_608_030_000);

    fn event(room: &str, user: &str, kind: Kind, seconds_ago: i64) -> Event {
        Event::new(APP, "test", room, user, kind, NOW.plus(-seconds_ago * 1_000))
    }

    /// What `alice` gets from `bob` every two seconds of the last minute: so many of a hundred packets lost, so many
    /// milliseconds frozen.
    fn measured(room: &str, lost: f64, frozen_ms: f64) -> Series {
        let moments = (0..30_u32).map(|nth| (NOW.plus(i64::from(nth) * 2_000 - 59_000), f64::from(nth)));
        let column = |step: f64| moments.clone().map(|(at, nth)| (at, nth * step)).collect::<Points>();
        let counter = Measure::Counter;
        let text = str::to_owned;
        Series {
            flow: Flow {
                app: APP,
                room: text(room),
                user: text("alice"),
                peer: text("bob"),
                connection: text(""),
            },
            columns: vec![
                (counter(Counter::AudioPackets), column(100.0 - lost)),
                (counter(Counter::AudioLost), column(lost)),
                (counter(Counter::VideoFrozen), column(frozen_ms)),
            ],
        }
    }

    async fn look(store: &crate::store::Memory, memory: &mut Memory) -> Now {
        let scope = Scope { store, app: APP, now: NOW, horizon: Millis(i64::MIN) };
        memory.follow(store.news(), APP);
        scope.look(memory).await.unwrap()
    }

    #[tokio::test]
    async fn it_tells_who_is_inside_how_they_have_it_and_what_happened() {
        let store = crate::store::Memory::default();
        let events = vec![
            event("good", "alice", Kind::UserJoined, 600),
            event("bad", "alice", Kind::UserJoined, 1_200),
            event("bad", "bob", Kind::UserJoined, 1_190),
            event("bad", "carol", Kind::UserJoined, 1_180),
            event("bad", "carol", Kind::UserLeft, 120),
            event("silent", "dave", Kind::UserJoined, 30),
            event("over", "erin", Kind::UserJoined, 3_000),
            event("over", "", Kind::RoomDestroyed, 1_000),
        ];
        store.append(events).await.unwrap();
        store.append_samples(vec![measured("bad", 12.0, 0.0), measured("good", 0.0, 100.0)]).await.unwrap();
        let now = look(&store, &mut Memory::default()).await;
        assert_eq!((now.users, now.measured, now.problems, now.is_whole), (4, 2, 1, true));
        let rooms: Vec<(&str, usize)> = now.rooms.iter().map(|room| (&*room.call.room, room.users)).collect();
        assert_eq!(rooms, [("bad", 2), ("good", 1), ("silent", 1)]);
        let worst = now.rooms[0].worst.as_ref().unwrap();
        assert_eq!((worst.user.as_str(), worst.score, worst.has_problem), ("alice", 1.0, true));
        assert_eq!(worst.why, Some((Metric::AudioLoss, 12.0, Grade::Poor)));
        assert_eq!(now.rooms[1].worst.as_ref().unwrap().why, None);
        assert!(now.rooms[2].worst.is_none());
        // In one of the two rooms 100 of 2,000 ms stand still, in the other none.
        assert_eq!((now.audio_freeze, now.video_freeze), (None, Some(2.5)));
        assert_eq!((now.events.len(), now.events[0].user.as_str()), (8, "dave"));
        let last = now.minutes[MINUTES - 1];
        assert_eq!((last.users, last.rooms, last.problems), (4, 3, Some(1)));
        let before = now.minutes[MINUTES - 2];
        assert_eq!(
            (before.users, before.rooms, before.problems),
            (4, 3, Some(1)),
            "dave came at its very end"
        );
        let long_ago = now.minutes[MINUTES - 41];
        assert_eq!((long_ago.users, long_ago.rooms, long_ago.problems), (1, 1, Some(0)));
        assert_eq!(now.rooms[0].trend[MINUTES - 4..], [3, 2, 2, 2]);
    }

    #[tokio::test]
    async fn who_was_erased_is_in_nothing_that_is_remembered() {
        let store = crate::store::Memory::default();
        let mut memory = Memory::default();
        let events = vec![
            event("r", "alice", Kind::UserJoined, 100),
            event("r", "bob", Kind::UserJoined, 90),
            event("over", "alice", Kind::UserJoined, 80),
            event("over", "alice", Kind::UserLeft, 70),
        ];
        store.append(events).await.unwrap();
        store.append_samples(vec![measured("r", 12.0, 0.0)]).await.unwrap();
        let now = look(&store, &mut memory).await;
        assert_eq!((now.users, now.rooms[0].worst.is_some(), now.events.len()), (2, true, 4));
        let person = crate::store::Person { app: APP, user: "alice".to_owned(), until: NOW };
        store.forget(&person, [7; 32]).await.unwrap();
        let now = look(&store, &mut memory).await;
        assert_eq!((now.users, now.rooms[0].worst.is_some()), (1, false));
        let users: Vec<&str> = now.events.iter().map(|event| event.user.as_str()).collect();
        assert_eq!(users, ["bob"]);
    }

    #[tokio::test]
    async fn what_happens_between_two_looks_is_seen_by_the_second() {
        let store = crate::store::Memory::default();
        let mut memory = Memory::default();
        store.append(vec![event("r", "alice", Kind::UserJoined, 100)]).await.unwrap();
        assert_eq!(look(&store, &mut memory).await.users, 1);
        store.append(vec![event("r", "bob", Kind::UserJoined, 0)]).await.unwrap();
        let now = look(&store, &mut memory).await;
        assert_eq!((now.users, now.events[0].user.as_str()), (2, "bob"));
        store.append(vec![event("r", "", Kind::RoomDestroyed, 0)]).await.unwrap();
        let now = look(&store, &mut memory).await;
        assert_eq!((now.users, now.rooms.len(), now.minutes[MINUTES - 1].users), (0, 0, 0));
        assert_eq!(now.minutes[MINUTES - 2].users, 1, "a minute ago alice was there");
    }

    #[tokio::test]
    async fn where_many_are_inside_calls_take_turns_and_none_waits_for_ever() {
        let store = crate::store::Memory::default();
        let rooms = ["a", "b", "c", "d", "e"];
        for room in rooms {
            let joined = |nth: usize| event(room, &format!("{room}-{nth}"), Kind::UserJoined, 60);
            store.append((0..900).map(joined).collect()).await.unwrap();
        }
        let mut memory = Memory::default();
        let mut looks = Vec::new();
        for later in [0, 10, 20, 30, 70] {
            let scope =
                Scope { store: &store, app: APP, now: NOW.plus(later * 1_000), horizon: Millis(i64::MIN) };
            let now = scope.look(&mut memory).await.unwrap();
            assert_eq!((now.users, now.rooms.len()), (4_500, 5));
            let ages = memory.quality.values().map(|(looked, _)| (scope.now.0 - looked.0) / 1_000);
            looks.push((ages.filter(|age| *age == 0).count(), now.is_whole));
        }
        assert_eq!(
            looks,
            [(5, true), (2, true), (2, true), (2, true), (2, false)],
            "at most 2,000 users a look"
        );
        store.append(vec![event("a", "", Kind::RoomDestroyed, 0)]).await.unwrap();
        look(&store, &mut memory).await;
        assert_eq!(memory.quality.len(), 4, "what is over is forgotten");
    }

    #[test]
    fn a_gap_is_no_time_that_was_watched() {
        let at = |s: i64, value: f64| (Millis(s * 1_000), value);
        let mut frozen = Frozen::default();
        frozen.add(&[at(0, 0.0), at(2, 500.0), at(4, 0.0), at(100, 9e9), at(102, 9e9)], Millis(1_000));
        assert_eq!(frozen, Frozen { still: 2_500.0, all: 6_000.0 }, "never more than the time itself");
        assert_eq!((frozen.percent().map(f64::round), Frozen::default().percent()), (Some(42.0), None));
    }
}
