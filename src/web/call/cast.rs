//! Who was in a call and how it was for them, in short: all that a page needs to know of those that it does not show.
//! Reading it takes as long as the call is large, so that of a call which is over is kept until something about its
//! room is appended; and that of a large one, running or not, for some moments, so that reading it again and again
//! takes a small part of the time only.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::finding::{self, Finding, Seen};
use super::story::{self, Direction, sessions_of};
use crate::records::{Attr, Call, CommId, Millis, ReasonClass, Session, device_type};
use crate::store::Store;
use crate::web::calls::peak;
use crate::web::lanes::{Outline, Span};
use crate::web::score::{self, Grade, Runs};
use crate::web::{Context, Trouble};

/// Users that are graded to find the worst. Of a larger call they are those that look most like trouble.
const GRADED_MAX: usize = 200;
/// From more users on, a call opens with an overview, and has lanes only for those that were poorly off.
const CROWD_MIN: usize = 2_001;
/// Users of all calls that are kept, some 100 bytes each.
const KEPT_USERS_MAX: usize = 200_000;
/// How long a call is kept, in milliseconds: what is past the horizon, or came through another server over the same
/// store, shows after that.
const KEPT_MS: i64 = 60_000;

/// Everybody in a call.
#[derive(Debug)]
pub(super) struct Cast {
    /// The worst score first, then by join.
    pub(super) members: Vec<Member>,
    pub(super) sessions: usize,
    /// How many were there over time, and the most at one time.
    pub(super) outline: Outline,
    pub(super) peak: usize,
    pub(super) span: Span,
    /// How many were graded to find the worst.
    pub(super) graded: usize,
    /// What a large call is made of; it has lanes only for those that were poorly off.
    pub(super) crowd: Option<Crowd>,
    pub(super) finding: Option<Finding>,
    /// What went wrong for anybody, as far as leaves tell it.
    pub(super) problems: BTreeSet<ReasonClass>,
}

/// One user of a call, in short.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) user: String,
    pub(super) joined: Millis,
    /// `None`: was not graded yet.
    pub(super) graded: Option<Runs>,
    pub(super) score: Option<f64>,
}

impl Member {
    pub(super) fn is_poor(&self) -> bool {
        self.graded.iter().flatten().any(|(.., grade)| *grade == Grade::Poor)
    }
}

/// A large call in numbers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Crowd {
    /// Good, fair, poor, unknown.
    pub(super) by_score: [usize; 4],
    pub(super) by_sdk: Vec<(String, usize)>,
    pub(super) by_device: Vec<(String, usize)>,
}

/// A large call is read again after so many milliseconds for each thousand of its users: fifty times what that takes.
const PATIENCE_MS: usize = 100;

/// What is kept of calls.
#[derive(Debug, Default)]
pub(in crate::web) struct Casts(Mutex<BTreeMap<(CommId, Direction), Kept>>);

#[derive(Debug)]
struct Kept {
    cast: Arc<Cast>,
    /// The version of the call's room before it was read.
    version: u64,
    is_over: bool,
    read: Millis,
}

impl Kept {
    fn is_good(&self, version: u64, now: Millis) -> bool {
        let age_ms = now.0 - self.read.0;
        let users = if self.cast.crowd.is_some() { self.cast.members.len() } else { 0 };
        let patience_ms = i64::try_from(users * PATIENCE_MS / 1_000).unwrap_or(KEPT_MS);
        // A running call grows by itself.
        let is_same = self.version == version && (self.is_over || age_ms == 0);
        (is_same && is_fresh(self.read, now)) || (0 < age_ms && age_ms < patience_ms)
    }
}

impl Casts {
    fn find(&self, key: &(CommId, Direction), version: u64, now: Millis) -> Option<Arc<Cast>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(key).filter(|kept| kept.is_good(version, now));
        found.map(|kept| Arc::clone(&kept.cast))
    }

    /// Keeps one more; the oldest make room for it.
    fn keep(&self, key: (CommId, Direction), kept: Kept) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = kept.read;
        all.retain(|_, other| is_fresh(other.read, now));
        all.insert(key, kept);
        let users = |kept: &Kept| kept.cast.members.len().max(100);
        let mut sum: usize = all.values().map(users).sum();
        while sum > KEPT_USERS_MAX {
            let Some(oldest) = all.iter().min_by_key(|(_, kept)| kept.read).map(|(key, _)| key.clone())
            else {
                return;
            };
            sum -= all.remove(&oldest).as_ref().map_or(0, users);
        }
    }
}

/// Whether what was read at one moment is still good at another. A clock that was set back makes nothing fresh.
fn is_fresh(read: Millis, now: Millis) -> bool {
    (0..KEPT_MS).contains(&(now.0 - read.0))
}

/// Everybody in a call, as it is kept or else as the store tells it.
pub(super) async fn read<S: Store>(
    context: &Context<'_, S>,
    call: &Call,
    direction: Direction,
) -> Result<Arc<Cast>, Trouble> {
    let key = (call.comm_id.clone(), direction);
    // Asked before the store is: what comes in between makes what is kept look older than it is, not newer.
    let version = context.store.news().version_of_room(call.app, &call.room);
    if let Some(cast) = context.casts.find(&key, version, context.now) {
        return Ok(cast);
    }
    let cast = Arc::new(ask(context, call, direction).await?);
    if call.ended.is_some() || cast.crowd.is_some() {
        let is_over = call.ended.is_some();
        context.casts.keep(key, Kept { cast: Arc::clone(&cast), version, is_over, read: context.now });
    }
    Ok(cast)
}

/// What is needed of a user only until all are known.
struct Candidate {
    member: Member,
    /// How much records alone speak of trouble: connections that were lost, then returns.
    suspicion: (usize, usize),
    /// The newest.
    session: Arc<Session>,
}

async fn ask<S: Store>(context: &Context<'_, S>, call: &Call, direction: Direction) -> Result<Cast, Trouble> {
    let sessions = sessions_of(context, call, None).await?;
    let span = whole(call, &sessions, context.now);
    let last = Millis::from_secs(span.to);
    let stays = || sessions.iter().map(|session| (session.joined, session.left.unwrap_or(last)));
    let mut all = candidates(&sessions);
    let some = all.len().min(GRADED_MAX);
    if some < all.len() {
        all.select_nth_unstable_by(some, |a, b| a.order_of_suspicion().cmp(&b.order_of_suspicion()));
    }
    let names: Vec<String> = all[..some].iter().map(|one| one.member.user.clone()).collect();
    let mut graded = story::grade(context, call, &names, span, direction).await?;
    let mut seen: Vec<Seen> = Vec::new();
    for Candidate { member, .. } in &mut all[..some] {
        if let Some((runs, of_user)) = graded.remove(&member.user) {
            member.score = score::score(&runs);
            member.graded = Some(runs);
            seen.push(of_user);
        }
    }
    all.sort_by(|a, b| worst_first(&a.member, &b.member));
    Ok(Cast {
        sessions: sessions.len(),
        outline: Outline::of(span, stays()),
        peak: peak(stays()),
        span,
        graded: all.iter().filter(|one| one.member.score.is_some()).count(),
        crowd: (all.len() >= CROWD_MIN).then(|| crowd(&all)),
        finding: finding::find(&seen.iter().collect::<Vec<_>>()),
        problems: sessions.iter().filter_map(|session| problem(session)).collect(),
        members: all.into_iter().map(|one| one.member).collect(),
    })
}

impl Candidate {
    fn order_of_suspicion(&self) -> (Reverse<(usize, usize)>, Millis, &str) {
        (Reverse(self.suspicion), self.member.joined, &self.member.user)
    }
}

/// The order of lanes.
pub(super) fn worst_first(a: &Member, b: &Member) -> std::cmp::Ordering {
    let score = |member: &Member| member.score.unwrap_or(f64::INFINITY);
    score(a).total_cmp(&score(b)).then_with(|| by_join(a, b))
}

pub(super) fn by_join(a: &Member, b: &Member) -> std::cmp::Ordering {
    (a.joined, &a.user).cmp(&(b.joined, &b.user))
}

/// Why a stay ended, where that is a problem.
fn problem(session: &Session) -> Option<ReasonClass> {
    session.leave_reason.as_ref().map(|reason| reason.class).filter(|class| story::is_problem(*class))
}

/// One for each user; `sessions` are the newest first.
fn candidates(sessions: &[Arc<Session>]) -> Vec<Candidate> {
    let mut by_user: Vec<&Arc<Session>> = sessions.iter().collect();
    by_user.sort_by(|a, b| a.user.cmp(&b.user));
    let is_lost = |session: &&&Arc<Session>| problem(session).is_some();
    let candidate = |of_user: &[&Arc<Session>]| Candidate {
        member: Member {
            user: of_user[0].user.clone(),
            joined: of_user.iter().map(|session| session.joined).min().unwrap_or(Millis(0)),
            graded: None,
            score: None,
        },
        suspicion: (of_user.iter().filter(is_lost).count(), of_user.len()),
        session: Arc::clone(of_user[0]),
    };
    by_user.chunk_by(|a, b| a.user == b.user).map(candidate).collect()
}

/// The seconds of a call, as far as anybody was there.
pub(super) fn whole(call: &Call, sessions: &[Arc<Session>], now: Millis) -> Span {
    let end = call.ended.unwrap_or(now);
    let first = sessions.iter().map(|session| session.joined).min().unwrap_or(call.created).min(call.created);
    let last = sessions.iter().map(|session| session.left.unwrap_or(now)).max().unwrap_or(end).max(end);
    Span { from: first.secs(), to: last.secs().max(first.secs() + 1) }
}

fn crowd(all: &[Candidate]) -> Crowd {
    let mut found = Crowd::default();
    let (mut sdks, mut devices) = (BTreeMap::new(), BTreeMap::new());
    for Candidate { member, session, .. } in all {
        found.by_score[match member.score {
            Some(score) if score >= score::GOOD_MIN => 0,
            Some(score) if score >= score::FAIR_MIN => 1,
            Some(_) => 2,
            None => 3,
        }] += 1;
        let attrs = &session.attrs;
        *sdks.entry(attrs.get(&Attr::SdkVersion).map_or("", String::as_str)).or_insert(0) += 1;
        *devices.entry(device_type(attrs)).or_insert(0) += 1;
    }
    let ranked = |counts: BTreeMap<&str, usize>| {
        let mut all: Vec<(String, usize)> =
            counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all
    };
    (found.by_sdk, found.by_device) = (ranked(sdks), ranked(devices));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::AppId;

    fn kept(users: usize, read: i64) -> Kept {
        let member = |n: usize| Member { user: n.to_string(), joined: Millis(0), graded: None, score: None };
        let span = Span { from: 0, to: 1 };
        let cast = Cast {
            members: (0..users).map(member).collect(),
            sessions: users,
            outline: Outline::of(span, std::iter::empty()),
            peak: 0,
            span,
            graded: 0,
            crowd: None,
            finding: None,
            problems: BTreeSet::new(),
        };
        Kept { cast: Arc::new(cast), version: 7, is_over: true, read: Millis(read) }
    }

    #[test]
    fn what_runs_is_read_again_and_a_large_call_not_at_once() {
        let is_good = |kept: &Kept, version: u64, age_ms: i64| kept.is_good(version, Millis(1_000 + age_ms));
        let over = kept(9, 1_000);
        assert!(is_good(&over, 7, 500) && !is_good(&over, 8, 500));
        let running = Kept { is_over: false, ..over };
        assert!(is_good(&running, 7, 0) && !is_good(&running, 7, 1) && !is_good(&running, 8, 0));
        let mut cast = Arc::into_inner(kept(10_000, 1_000).cast).unwrap();
        cast.crowd = Some(Crowd::default());
        let large = Kept { cast: Arc::new(cast), ..running };
        assert!(is_good(&large, 8, 999) && !is_good(&large, 8, 1_000) && !is_good(&large, 8, -1));
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_oldest_goes_first() {
        let casts = Casts::default();
        let key = |second: i64| (CommId::new(AppId(1), "r", second), Direction::Both);
        let is_kept = |second: i64, now: i64| casts.find(&key(second), 7, Millis(now)).is_some();
        casts.keep(key(1), kept(KEPT_USERS_MAX / 2, 1_000));
        casts.keep(key(2), kept(KEPT_USERS_MAX / 2, 2_000));
        assert!(is_kept(1, 2_000) && is_kept(2, 2_000) && !is_kept(3, 2_000));
        assert!(casts.find(&key(1), 8, Millis(2_000)).is_none(), "its room has changed");
        assert!(casts.find(&(key(1).0, Direction::Sent), 7, Millis(2_000)).is_none());
        casts.keep(key(3), kept(1, 3_000));
        assert!(!is_kept(1, 3_000) && is_kept(2, 3_000) && is_kept(3, 3_000));
        assert!(!is_kept(2, 2_000 + KEPT_MS) && !is_kept(2, 1_999), "neither old nor of a clock set back");
        casts.keep(key(4), kept(KEPT_USERS_MAX + 1, 4_000));
        assert!(!is_kept(4, 4_000), "too large to be kept");
    }
}
