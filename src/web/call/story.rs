//! What the store tells of a call: who was there, how it was for whom.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cast::{self, Cast, Member};
use super::finding::Seen;
use crate::records::quality::{GAP_MS_MAX, Metric, Points, Series, metrics};
use crate::records::{Call, CommId, Event, Millis, ReasonClass, Session};
use crate::store::{SampleQuery, SessionPage, SessionQuery, Store, UserQuery};
use crate::web::lanes::Span;
use crate::web::query::Query;
use crate::web::score::{self, Runs};
use crate::web::{Context, Trouble};

/// Lanes that are written at a time.
pub(super) const LANES: usize = 40;
/// Sessions of a call that a page reads.
const SESSIONS_MAX: usize = 100_000;
/// Users that are read at one time, so that a file of all of them has their measurements in memory by parts only.
const READ_MAX: usize = 200;
/// Users that are compared in the charts at one time.
pub(super) const PINNED_MAX: usize = 6;

/// One user of a call, as far as the page shows it.
pub(super) struct Person {
    pub(super) user: String,
    /// The newest first.
    pub(super) sessions: Vec<Arc<Session>>,
    pub(super) runs: Runs,
    pub(super) score: Option<f64>,
    pub(super) events: Vec<Event>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

/// What a page tells of a call.
pub(super) struct Story {
    pub(super) call: Call,
    /// All there are, in short.
    pub(super) cast: Arc<Cast>,
    /// Those that the page shows, in their order.
    pub(super) people: Vec<Person>,
    /// Of how many that were asked for these are a part.
    pub(super) asked: usize,
    pub(super) now: Millis,
    pub(super) direction: Direction,
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
) -> Result<SessionPage, Trouble> {
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

/// Reads a call: everybody in short, and nobody that is shown yet.
pub(super) async fn read<S: Store>(context: &Context<'_, S>, call: Call) -> Result<Story, Trouble> {
    let direction = Direction::of(context.query);
    let cast = cast::read(context, &call, direction).await?;
    Ok(Story { call, cast, people: Vec::new(), asked: 0, now: context.now, direction })
}

/// How it was for users of a call, in a direction: stretches of time, and what the rules of the finding see.
pub(super) async fn grade<S: Store>(
    context: &Context<'_, S>,
    call: &Call,
    users: &[String],
    span: Span,
    direction: Direction,
) -> Result<BTreeMap<String, (Runs, Seen)>, Trouble> {
    let flows = flows(context, call, users, span).await?;
    let nothing = ByPeer::new();
    let of_user = |user: &String| {
        let own = flows.get(user).unwrap_or(&nothing);
        let received = || own.iter().filter(|(peer, _)| !peer.is_empty()).flat_map(|(_, metrics)| metrics);
        let sent = || {
            let by_others = flows.values().filter_map(|peers| peers.get(user));
            own.get("").into_iter().chain(by_others).flatten()
        };
        let runs = match direction {
            Direction::Both => score::runs(own.values().flatten()),
            Direction::Received => score::runs(received()),
            Direction::Sent => score::runs(sent()),
        };
        (user.clone(), (runs, Seen::of(user, own)))
    };
    Ok(users.iter().map(of_user).collect())
}

impl Story {
    /// Reads a part of those that are asked for, in their order. `everybody`: also those of a large call that were
    /// well off.
    pub(super) async fn arrange<S: Store>(
        &mut self,
        context: &Context<'_, S>,
        (skip, take): (usize, usize),
        everybody: bool,
    ) -> Result<(), Trouble> {
        let wanted = context.query.text("q").map(str::to_lowercase);
        let pinned = pinned(context.query);
        let cast = Arc::clone(&self.cast);
        let is_asked = |member: &&Member| match &wanted {
            Some(part) => member.user.to_lowercase().contains(part),
            None if cast.crowd.is_some() && !everybody => member.is_poor() || pinned.contains(&member.user),
            None => true,
        };
        let mut asked: Vec<&Member> = cast.members.iter().filter(is_asked).collect();
        if context.query.text("sort") == Some("join") {
            asked.sort_by(|a, b| cast::by_join(a, b));
        }
        self.asked = asked.len();
        let shown: Vec<&Member> = asked.into_iter().skip(skip).take(take).collect();
        for part in shown.chunks(READ_MAX) {
            let people = self.people_of(context, part).await?;
            self.people.extend(people);
        }
        Ok(())
    }

    /// Whether all these are in the call.
    pub(super) fn has(&self, users: &[&str]) -> bool {
        let mut all = users.iter();
        all.all(|user| self.cast.members.iter().any(|member| member.user == **user))
    }

    async fn people_of<S: Store>(
        &self,
        context: &Context<'_, S>,
        members: &[&Member],
    ) -> Result<Vec<Person>, Trouble> {
        let names: Vec<String> = members.iter().map(|member| member.user.clone()).collect();
        let mut sessions: BTreeMap<String, Vec<Arc<Session>>> = BTreeMap::new();
        for session in sessions_of(context, &self.call, Some(&names)).await?.iter() {
            sessions.entry(session.user.clone()).or_default().push(Arc::clone(session));
        }
        let rest = members.iter().filter(|member| member.graded.is_none());
        let rest: Vec<String> = rest.map(|member| member.user.clone()).collect();
        let mut graded = grade(context, &self.call, &rest, self.cast.span, self.direction).await?;
        let mut people = Vec::with_capacity(members.len());
        for Member { user, graded: known, .. } in members {
            // Who left the store since the call was read is not shown.
            let Some(sessions) = sessions.remove(user) else { continue };
            let runs = match known {
                Some(runs) => runs.clone(),
                None => graded.remove(user).map(|(runs, _)| runs).unwrap_or_default(),
            };
            people.push(Person {
                user: user.clone(),
                sessions,
                score: score::score(&runs),
                runs,
                events: events_of(context, &self.call, user).await?,
            });
        }
        Ok(people)
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
    for session in sessions.iter() {
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
