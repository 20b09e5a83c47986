//! What the store tells of a call: who was there, how it was for whom.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::finding::{self, Seen};
use crate::records::quality::{GAP_MS_MAX, Metric, Points, Series, metrics};
use crate::records::{Call, CommId, Event, Millis, ReasonClass, Session};
use crate::store::{SampleQuery, SessionQuery, Store, UserQuery};
use crate::web::calls::peak;
use crate::web::lanes::Span;
use crate::web::query::Query;
use crate::web::score::{self, Runs};
use crate::web::{Context, Trouble};

/// Lanes that are written at a time.
pub(super) const LANES: usize = 40;
/// Users that are graded to find the worst. Of a larger call they are those that look most like trouble.
const GRADED_MAX: usize = 200;
/// From more users on, a call opens with an overview, and has lanes only for those that were poorly off.
const CROWD_MIN: usize = 2_001;
/// Sessions of a call that a page reads.
const SESSIONS_MAX: usize = 100_000;
/// Users that are compared in the charts at one time.
pub(super) const PINNED_MAX: usize = 6;

/// One user of a call.
pub(super) struct Person {
    pub(super) user: String,
    /// The newest first.
    pub(super) sessions: Vec<Arc<Session>>,
    pub(super) runs: Runs,
    pub(super) score: Option<f64>,
    is_graded: bool,
    pub(super) seen: Option<Seen>,
    pub(super) events: Vec<Event>,
}

impl Person {
    pub(super) fn newest(&self) -> &Session {
        &self.sessions[0]
    }

    pub(super) fn joined(&self) -> Millis {
        self.sessions.iter().map(|session| session.joined).min().unwrap_or(Millis(0))
    }

    /// How much records alone speak of trouble: connections that were lost, then returns.
    fn suspicion(&self) -> (usize, usize) {
        let is_lost = |session: &&Arc<Session>| {
            session.leave_reason.as_ref().is_some_and(|reason| is_problem(reason.class))
        };
        (self.sessions.iter().filter(is_lost).count(), self.sessions.len())
    }
}

/// Whether something went wrong that a viewer should notice.
pub(super) fn is_problem(class: ReasonClass) -> bool {
    match class {
        ReasonClass::Timeout
        | ReasonClass::Kicked
        | ReasonClass::Killed
        | ReasonClass::NetworkSwitch
        | ReasonClass::ServerShutdown
        | ReasonClass::JoinFailed => true,
        ReasonClass::Normal
        | ReasonClass::RoomClosed
        | ReasonClass::RelayEnded
        | ReasonClass::Duplicate
        | ReasonClass::Unknown => false,
    }
}

/// What lanes and charts are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Direction {
    /// All that a user measured.
    Both,
    /// What came to a user.
    Received,
    /// What a user sent, as that user and those who got it measured it.
    Sent,
}

impl Direction {
    pub(in crate::web) fn of(query: &Query) -> Direction {
        match query.text("dir") {
            Some("recv") => Direction::Received,
            Some("send") => Direction::Sent,
            _ => Direction::Both,
        }
    }

    /// Its name in addresses.
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Direction::Both => None,
            Direction::Received => Some("recv"),
            Direction::Sent => Some("send"),
        }
    }
}

/// What is known of a call.
pub(super) struct Story {
    pub(super) call: Call,
    /// Those that are shown, in their order.
    pub(super) people: Vec<Person>,
    /// All there are.
    pub(super) users: usize,
    pub(super) sessions: usize,
    /// When everybody came and went, for the line of how many were there.
    pub(super) stays: Vec<(Millis, Millis)>,
    pub(super) peak: usize,
    pub(super) span: Span,
    pub(super) now: Millis,
    pub(super) direction: Direction,
    /// How many were graded to find the worst.
    pub(super) graded: usize,
    /// What a large call is made of; it has lanes only for those that were poorly off.
    pub(super) crowd: Option<Crowd>,
    pub(super) finding: Option<finding::Finding>,
}

/// A large call in numbers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Crowd {
    /// Good, fair, poor, unknown.
    pub(super) by_score: [usize; 4],
    pub(super) by_sdk: Vec<(String, usize)>,
    pub(super) by_device: Vec<(String, usize)>,
}

/// The call at an address, if the viewer may see it.
pub(in crate::web) async fn find<S: Store>(context: &Context<'_, S>, comm_id: &str) -> Result<Call, Trouble> {
    let comm_id = CommId::from_text(comm_id);
    let app = comm_id.app().filter(|app| context.view.apps.contains(app)).ok_or(Trouble::NotFound)?;
    context.store.call(app, &comm_id, context.horizon()).await?.ok_or(Trouble::NotFound)
}

/// The users that `u` names. A comma parts them, so one within a name is written `%2C` before the address is encoded.
pub(in crate::web) fn pinned(query: &Query) -> Vec<String> {
    let plain = |part: &str| part.replace("%2C", ",").replace("%25", "%");
    let mut users: Vec<String> = Vec::new();
    for user in query.list("u").into_iter().map(plain) {
        if !users.contains(&user) && users.len() < PINNED_MAX {
            users.push(user);
        }
    }
    users
}

/// What `u` is for these users.
pub(super) fn pins<T: AsRef<str>>(users: &[T]) -> String {
    let parts = users.iter().map(|user| user.as_ref().replace('%', "%25").replace(',', "%2C"));
    parts.collect::<Vec<_>>().join(",")
}

pub(in crate::web) async fn sessions_of<S: Store>(
    context: &Context<'_, S>,
    call: &Call,
    users: Option<&[String]>,
) -> Result<Vec<Arc<Session>>, Trouble> {
    let query = SessionQuery {
        app: call.app,
        comm_id: &call.comm_id,
        from_s: i64::MIN,
        to_s: i64::MAX,
        users,
        skip: 0,
        take: SESSIONS_MAX,
        now: context.now,
        horizon: context.horizon(),
    };
    Ok(context.store.sessions(&query).await?)
}

/// The seconds of a call, as far as anybody was there.
pub(super) fn whole(call: &Call, sessions: &[Arc<Session>], now: Millis) -> Span {
    let end = call.ended.unwrap_or(now);
    let first = sessions.iter().map(|session| session.joined).min().unwrap_or(call.created).min(call.created);
    let last = sessions.iter().map(|session| session.left.unwrap_or(now)).max().unwrap_or(end).max(end);
    Span { from: first.secs(), to: last.secs().max(first.secs() + 1) }
}

/// Reads a call: everybody in order, and how it was for those that are few enough, or look most like trouble.
pub(super) async fn read<S: Store>(context: &Context<'_, S>, call: Call) -> Result<Story, Trouble> {
    let sessions = sessions_of(context, &call, None).await?;
    let span = whole(&call, &sessions, context.now);
    let last = Millis::from_secs(span.to);
    let stays: Vec<(Millis, Millis)> =
        sessions.iter().map(|session| (session.joined, session.left.unwrap_or(last))).collect();
    let count = sessions.len();
    let mut by_user: BTreeMap<String, Vec<Arc<Session>>> = BTreeMap::new();
    for session in sessions {
        by_user.entry(session.user.clone()).or_default().push(session);
    }
    let person = |(user, sessions)| Person {
        user,
        sessions,
        runs: Runs::new(),
        score: None,
        is_graded: false,
        seen: None,
        events: Vec::new(),
    };
    let people: Vec<Person> = by_user.into_iter().map(person).collect();
    let mut story = Story {
        users: people.len(),
        sessions: count,
        peak: peak(stays.iter().copied()),
        call,
        people,
        stays,
        span,
        now: context.now,
        direction: Direction::of(context.query),
        graded: 0,
        crowd: None,
        finding: None,
    };
    story.grade_suspects(context).await?;
    let seen: Vec<&Seen> = story.people.iter().filter_map(|person| person.seen.as_ref()).collect();
    story.finding = finding::find(&seen);
    if story.users >= CROWD_MIN {
        story.crowd = Some(crowd(&story.people));
    }
    Ok(story)
}

impl Story {
    async fn grade_suspects<S: Store>(&mut self, context: &Context<'_, S>) -> Result<(), Trouble> {
        self.people
            .sort_by_cached_key(|person| (Reverse(person.suspicion()), person.joined(), person.user.clone()));
        let some = self.people.len().min(GRADED_MAX);
        self.grade(context, 0, some).await?;
        self.graded = self.people.iter().filter(|person| person.score.is_some()).count();
        Ok(())
    }

    /// Grades the people of a slice.
    async fn grade<S: Store>(
        &mut self,
        context: &Context<'_, S>,
        from: usize,
        to: usize,
    ) -> Result<(), Trouble> {
        let asked: Vec<String> = (self.people[from..to].iter())
            .filter(|person| !person.is_graded)
            .map(|person| person.user.clone())
            .collect();
        let flows = flows(context, &self.call, &asked, self.span).await?;
        let nothing = ByPeer::new();
        for person in self.people[from..to].iter_mut().filter(|person| !person.is_graded) {
            let own = flows.get(&person.user).unwrap_or(&nothing);
            let received =
                || own.iter().filter(|(peer, _)| !peer.is_empty()).flat_map(|(_, metrics)| metrics);
            let sent = || {
                let by_others = flows.values().filter_map(|peers| peers.get(&person.user));
                own.get("").into_iter().chain(by_others).flatten()
            };
            person.runs = match self.direction {
                Direction::Both => score::runs(own.values().flatten()),
                Direction::Received => score::runs(received()),
                Direction::Sent => score::runs(sent()),
            };
            person.score = score::score(&person.runs);
            person.is_graded = true;
            person.seen = Some(Seen::of(&person.user, own));
        }
        Ok(())
    }

    /// Keeps those that are asked for, puts them into order, and reads all that is shown of a part of them.
    pub(super) async fn arrange<S: Store>(
        &mut self,
        context: &Context<'_, S>,
        skip: usize,
        take: usize,
    ) -> Result<(), Trouble> {
        let wanted = context.query.text("q").map(str::to_lowercase);
        let pinned = pinned(context.query);
        if let Some(part) = wanted {
            self.people.retain(|person| person.user.to_lowercase().contains(&part));
        } else if self.crowd.is_some() {
            let is_poor =
                |person: &Person| person.runs.iter().any(|(.., grade)| *grade == score::Grade::Poor);
            self.people.retain(|person| is_poor(person) || pinned.contains(&person.user));
        }
        let by_join = context.query.text("sort") == Some("join");
        self.people.sort_by(|a, b| {
            let score = |person: &Person| person.score.unwrap_or(f64::INFINITY);
            let worst = if by_join { Ordering::Equal } else { score(a).total_cmp(&score(b)) };
            worst.then_with(|| a.joined().cmp(&b.joined())).then_with(|| a.user.cmp(&b.user))
        });
        let from = skip.min(self.people.len());
        let to = skip.saturating_add(take).min(self.people.len());
        self.grade(context, from, to).await?;
        for person in &mut self.people[from..to] {
            person.events = events_of(context, &self.call, &person.user).await?;
        }
        Ok(())
    }
}

/// The events of one user in a call, in order of time.
pub(in crate::web) async fn events_of<S: Store>(
    context: &Context<'_, S>,
    call: &Call,
    user: &str,
) -> Result<Vec<Event>, Trouble> {
    let query = UserQuery { app: call.app, comm_id: &call.comm_id, user, horizon: context.horizon() };
    Ok(context.store.user_events(&query).await?)
}

fn crowd(people: &[Person]) -> Crowd {
    use crate::records::{Attr, device_type};
    let mut found = Crowd::default();
    let (mut sdks, mut devices) = (BTreeMap::new(), BTreeMap::new());
    for person in people {
        found.by_score[match person.score {
            Some(score) if score >= score::GOOD_MIN => 0,
            Some(score) if score >= score::FAIR_MIN => 1,
            Some(_) => 2,
            None => 3,
        }] += 1;
        let attrs = &person.newest().attrs;
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

/// The metrics of one user, by peer (`""`: what the user sent).
pub(in crate::web) type ByPeer = BTreeMap<String, BTreeMap<Metric, Points>>;

/// What users measured in a part of a call, as far as they were inside (rule 10 of `docs/records.md`).
pub(in crate::web) async fn flows<S: Store>(
    context: &Context<'_, S>,
    call: &Call,
    users: &[String],
    span: Span,
) -> Result<BTreeMap<String, ByPeer>, Trouble> {
    if users.is_empty() {
        return Ok(BTreeMap::new());
    }
    let query = SampleQuery {
        app: call.app,
        room: &call.room,
        users,
        from: Millis::from_secs(span.from).plus(-GAP_MS_MAX).max(context.horizon()),
        to: Millis::from_secs(span.to).plus(999),
    };
    let series = context.store.samples(&query).await?;
    if series.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sessions = sessions_of(context, call, Some(users)).await?;
    let mut stays: BTreeMap<&str, Vec<(i64, i64)>> = BTreeMap::new();
    for session in &sessions {
        let left = session.left.unwrap_or(context.now.max(session.joined));
        stays.entry(&session.user).or_default().push((session.joined.secs(), left.secs()));
    }
    let mut parts: BTreeMap<(&str, &str), Vec<&Series>> = BTreeMap::new();
    for one in &series {
        parts.entry((&one.flow.user, &one.flow.peer)).or_default().push(one);
    }
    let mut flows: BTreeMap<String, ByPeer> = BTreeMap::new();
    for ((user, peer), all) in parts {
        let inside = stays.get(user).map_or(&[][..], Vec::as_slice);
        let is_shown = |second: i64| {
            span.from <= second
                && second <= span.to
                && inside.iter().any(|(from, to)| (*from..=*to).contains(&second))
        };
        let mut found = metrics(&all);
        for points in found.values_mut() {
            points.retain(|(at, value)| value.is_finite() && is_shown(at.secs()));
        }
        found.retain(|_, points| !points.is_empty());
        flows.entry(user.to_owned()).or_default().insert(peer.to_owned(), found);
    }
    Ok(flows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinned_users_survive_the_address() {
        let users = ["a,b", "50%", "%2C", "李 & \"x\""];
        let query = Query::parse(Query::default().with("u", Some(&pins(&users))).trim_start_matches('?'));
        assert_eq!(pinned(&query), users);
        assert_eq!(pinned(&Query::parse("u=a,a,b,,c,d,e,f,g")), ["a", "b", "c", "d", "e", "f"]);
    }
}
