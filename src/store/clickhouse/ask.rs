//! Questions. Of the rows of one identity the newest counts: every statement picks it first and filters then.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::belonging::events_of;
use super::rows::{self, CallKey, Kept};
use super::shards::{Shards, rows as answer_rows};
use super::sql::{self, Rows, number, second, text};
use super::tables::{CALLS, ORPHANS, SESSIONS, Table};
use crate::records::fold;
use crate::records::{AppId, Call, CommId, Event, Millis, Session};
use crate::store::room::{self, Sought};
use crate::store::{
    CallQuery, Counts, DAY_S, DayFigures, Figures, SessionPage, SessionQuery, StoreError, UserCall,
    UserCallsQuery, UserQuery, UserSeen, UsersQuery, call_order, figures_day, overlaps, session_order,
};

/// Rows beyond which no page reaches.
const ROWS_MAX: u64 = 1 << 40;

/// The most rows of sessions that are read whole for a page; in tests so few that the other way is gone as well.
const FEW_ROWS: usize = if cfg!(test) { 8 } else { 1_000 };

/// Asks for one question.
pub(super) struct Asker {
    pub(super) shards: Arc<Shards>,
}

/// The newest row of each identity, of those that a condition on their identity picks.
pub(super) fn newest(table: &Table, columns: &str, place: &str) -> String {
    format!(
        "SELECT {columns}, deleted FROM {} WHERE {place} ORDER BY version DESC LIMIT 1 BY {}",
        table.name,
        table.identity()
    )
}

/// The condition that a row is of a call of which some row, though it may not be the newest, fulfils a condition: so
/// that only of those the newest is looked for.
pub(super) fn calls_among(place: &str, condition: &str) -> String {
    format!(
        "{place} AND (room, comm_id, twin) IN (SELECT room, comm_id, twin FROM calls WHERE {place} AND {condition})"
    )
}

fn limit(skip: u64, take: usize) -> String {
    let take = u64::try_from(take).unwrap_or(u64::MAX).min(ROWS_MAX);
    format!("LIMIT {}, {take}", skip.min(ROWS_MAX))
}

/// The condition that a call is alive in a window.
fn alive(from_s: i64, to_s: i64, now: Millis) -> String {
    let ended = second(&format!("ifNull(ended_ms, {})", number(now.0)));
    format!("{} <= {to_s} AND {ended} >= {from_s}", second("created_ms"))
}

/// The page that is asked for, of all sessions that are.
fn on_page(mut sessions: Vec<Session>, query: &SessionQuery<'_>) -> SessionPage {
    sessions.sort_by(session_order);
    let skip = usize::try_from(query.skip).unwrap_or(usize::MAX);
    sessions.into_iter().skip(skip).take(query.take).map(Arc::new).collect()
}

/// The order of [`call_order`].
fn calls_in_order() -> String {
    format!(
        "ORDER BY {} DESC, room_is_number DESC, room_number, if(room_is_number = 1, '', room), comm_id, twin",
        second("created_ms")
    )
}

const CALL_ORDER_COLUMNS: &str = "created_ms, ended_ms, last_evidence_ms, room_is_number, room_number";

/// Calls that are in a list; `room` and `comm_id` and `twin`.
fn calls_in(calls: &[&Kept]) -> String {
    let triples: Vec<String> = calls
        .iter()
        .map(|kept| format!("({},{},{})", text(&kept.call.room), text(kept.call.comm_id.as_str()), kept.twin))
        .collect();
    format!("(room, comm_id, twin) IN ({})", triples.join(","))
}

impl Asker {
    pub(super) async fn sessions(&self, query: &SessionQuery<'_>) -> Result<SessionPage, StoreError> {
        if query.from_s > query.to_s || query.users.is_some_and(<[String]>::is_empty) {
            return Ok(SessionPage::default());
        }
        // Nearly always the id is right as it is and its second is that of the creation, whose day is known by it.
        if let Some((app, room, second)) = query.comm_id.parts().filter(|(app, _, _)| *app == query.app) {
            let day = Millis::from_secs(second).day();
            let found = self.page(query, app, room, query.comm_id, day).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        match self.find(query.app, query.comm_id).await? {
            Some(kept) if kept.call.last_evidence >= query.horizon => {
                self.page(query, query.app, &kept.call.room, &kept.call.comm_id, kept.day).await
            }
            Some(_) | None => Ok(SessionPage::default()),
        }
    }

    /// A page of the sessions of a call whose creation is on a day.
    async fn page(
        &self,
        query: &SessionQuery<'_>,
        app: AppId,
        room: &str,
        comm_id: &CommId,
        day: i64,
    ) -> Result<SessionPage, StoreError> {
        let call = format!(
            "day = {} AND app = {app} AND room = {} AND comm_id = {} AND twin = 0",
            sql::day(day),
            text(room),
            text(comm_id.as_str())
        );
        let mut place = format!("{call} AND {} <= {}", second("joined_ms"), query.to_s);
        if let Some(users) = query.users {
            let users: Vec<String> = users.iter().map(|user| text(user)).collect();
            place.push_str(&format!(" AND user IN ({})", users.join(",")));
        }
        let shard = self.shards.of_room(app, room);
        match self.few(query, shard, &place).await? {
            Some(few) if few.is_empty() => Ok(SessionPage::default()),
            // Evidence of a session is evidence of its call.
            Some(few)
                if few
                    .iter()
                    .any(|session| session.left.max(Some(session.joined)) >= Some(query.horizon)) =>
            {
                Ok(on_page(few, query))
            }
            Some(few) => {
                let calls = self.kept(shard, &call).await?;
                let is_shown = calls.iter().any(|kept| kept.call.last_evidence >= query.horizon);
                Ok(if is_shown { on_page(few, query) } else { SessionPage::default() })
            }
            None => self.page_of_many(query, shard, &call, &place).await,
        }
    }

    /// The sessions of a place, if it has not many rows: to read them all and to leave out what is outdated costs ClickHouse a
    /// third of what sorting them costs.
    async fn few(
        &self,
        query: &SessionQuery<'_>,
        shard: usize,
        place: &str,
    ) -> Result<Option<Vec<Session>>, StoreError> {
        let sql = format!(
            "SELECT user, joined_ms, visit, nth, version, deleted, {} FROM {} WHERE {place} LIMIT {}",
            rows::SESSION_COLUMNS,
            SESSIONS.name,
            FEW_ROWS + 1
        );
        let answer = self.shards.ask(shard, sql).await?;
        let found = answer_rows(&answer).all(|row| {
            let identity = (row.text()?, row.i64()?, row.text()?, row.u64()?);
            let (version, is_deleted) = (row.u64()?, row.u8()? == 1);
            // What is gone has nothing to say.
            let session = if is_deleted {
                rows::skip_session(row).map(|()| None)
            } else {
                rows::read_session(row).map(Some)
            };
            Ok((identity, version, session?))
        })?;
        if found.len() > FEW_ROWS {
            return Ok(None);
        }
        let mut newest: BTreeMap<_, (u64, Option<Session>)> = BTreeMap::new();
        for (identity, version, session) in found {
            let known = newest.entry(identity).or_default();
            if known.0 <= version {
                *known = (version, session);
            }
        }
        let kept = newest.into_values().filter_map(|(_, session)| session);
        let is_asked =
            |session: &Session| overlaps(session.joined, session.left, query.from_s, query.to_s, query.now);
        Ok(Some(kept.filter(is_asked).collect()))
    }

    /// The same page where the call has many rows, cut by ClickHouse.
    async fn page_of_many(
        &self,
        query: &SessionQuery<'_>,
        shard: usize,
        call: &str,
        place: &str,
    ) -> Result<SessionPage, StoreError> {
        let shown = format!(
            "(SELECT count() FROM ({}) WHERE deleted = 0 AND last_evidence_ms >= {}) > 0",
            newest(&CALLS, "last_evidence_ms", call),
            query.horizon.0
        );
        let (joined, left) =
            (second("joined_ms"), second(&format!("ifNull(left_ms, {})", number(query.now.0))));
        let sql = format!(
            "SELECT {columns} FROM ({}) WHERE deleted = 0 AND {left} >= {} AND {shown} \
             ORDER BY {joined} DESC, user, ifNull({}, {}) DESC, joined_ms, ifNull(left_ms, {}), \
             visit, nth {}",
            newest(&SESSIONS, &format!("{}, visit, nth", rows::SESSION_COLUMNS), place),
            query.from_s,
            second("left_ms"),
            number(i64::MAX),
            number(i64::MIN),
            limit(query.skip, query.take),
            columns = rows::SESSION_COLUMNS,
        );
        let answer = self.shards.ask(shard, sql).await?;
        Ok(answer_rows(&answer).all(|row| rows::read_session(row).map(Arc::new))?.into())
    }

    /// The calls that a condition on their identity picks.
    async fn kept(&self, shard: usize, place: &str) -> Result<Vec<Kept>, StoreError> {
        let sql = format!(
            "SELECT {} FROM ({}) WHERE deleted = 0",
            rows::CALL_COLUMNS,
            newest(&CALLS, rows::CALL_COLUMNS, place)
        );
        let mut calls = answer_rows(&self.shards.ask(shard, sql).await?).all(rows::read_call)?;
        calls.sort_by(|a, b| {
            let key =
                |kept: &'_ Kept| (kept.life.start, kept.call.source.clone(), kept.call.instance.clone());
            (key(a), a.life.begin, &a.life.name).cmp(&(key(b), b.life.begin, &b.life.name))
        });
        Ok(calls)
    }

    /// The call that an id means, whatever its age.
    async fn find(&self, app: AppId, comm_id: &CommId) -> Result<Option<Kept>, StoreError> {
        let sought = |kept: &'_ Kept| kept.life.first_join.map(Millis::secs);
        if let Some((_, room, second)) = comm_id.parts().filter(|(of, _, _)| *of == app) {
            let place = format!("app = {app} AND room = {}", text(room));
            let mut calls = self.kept(self.shards.of_room(app, room), &place).await?;
            let all = calls.iter().map(|kept| Sought { call: &kept.call, first_join_s: sought(kept) });
            if let Some(index) = room::find(all, comm_id, Some(second)) {
                return Ok(Some(calls.swap_remove(index)));
            }
        }
        let place = format!("app = {app} AND comm_id = {}", text(comm_id.as_str()));
        let mut found: Option<Kept> = None;
        let sql = format!(
            "SELECT {} FROM ({}) WHERE deleted = 0 ORDER BY room, twin LIMIT 1",
            rows::CALL_COLUMNS,
            newest(&CALLS, rows::CALL_COLUMNS, &place)
        );
        for answer in self.shards.ask_all(&sql).await? {
            for kept in answer_rows(&answer).all(rows::read_call)? {
                if found.as_ref().is_none_or(|other| kept.call.room < other.call.room) {
                    found = Some(kept);
                }
            }
        }
        Ok(found)
    }

    pub(super) async fn call(
        &self,
        app: AppId,
        comm_id: &CommId,
        horizon: Millis,
    ) -> Result<Option<Call>, StoreError> {
        let found = self.find(app, comm_id).await?;
        Ok(found.map(|kept| kept.call).filter(|call| call.last_evidence >= horizon))
    }

    pub(super) async fn calls(&self, query: &CallQuery<'_>) -> Result<Vec<Call>, StoreError> {
        if query.from_s > query.to_s {
            return Ok(Vec::new());
        }
        let room = query.room.map_or_else(String::new, |room| format!(" AND room = {}", text(room)));
        let place =
            format!("app = {}{room} AND day <= {}", query.app, sql::day(Millis::from_secs(query.to_s).day()));
        let alive = alive(query.from_s, query.to_s, query.now);
        let columns = format!("{}, {CALL_ORDER_COLUMNS}", rows::CALL_COLUMNS);
        let sql = format!(
            "SELECT {} FROM ({}) WHERE deleted = 0 AND last_evidence_ms >= {} AND {alive} {} {}",
            rows::CALL_COLUMNS,
            newest(&CALLS, &columns, &calls_among(&place, &alive)),
            query.horizon.0,
            calls_in_order(),
            limit(0, usize::try_from(query.skip).unwrap_or(usize::MAX).saturating_add(query.take))
        );
        let answers = match query.room {
            Some(room) => vec![self.shards.ask(self.shards.of_room(query.app, room), sql).await?],
            None => self.shards.ask_all(&sql).await?,
        };
        let mut calls: Vec<Call> = Vec::new();
        for answer in &answers {
            calls.extend(answer_rows(answer).all(rows::read_call)?.into_iter().map(|kept| kept.call));
        }
        calls.sort_by(call_order);
        let skip = usize::try_from(query.skip).unwrap_or(usize::MAX);
        Ok(calls.into_iter().skip(skip).take(query.take).collect())
    }

    pub(super) async fn user_events(&self, query: &UserQuery<'_>) -> Result<Vec<Event>, StoreError> {
        let found = self.find(query.app, query.comm_id).await?;
        let found = found.filter(|kept| kept.call.last_evidence >= query.horizon && !query.user.is_empty());
        let Some(kept) = found else { return Ok(Vec::new()) };
        let key = kept.key();
        let mut of_calls = events_of(&self.shards, query.app, &[kept]).await?;
        let events = of_calls.remove(&key).unwrap_or_default();
        Ok(events.into_iter().filter(|event| fold::owner(event) == query.user).collect())
    }

    pub(super) async fn users(&self, query: &UsersQuery<'_>) -> Result<Vec<UserSeen>, StoreError> {
        let mut place = format!("app = {}", query.app);
        if !query.prefix.is_empty() {
            place.push_str(&format!(" AND startsWith(user, {})", text(query.prefix)));
        }
        if let Some(after) = query.after {
            place.push_str(&format!(" AND user > {}", text(after)));
        }
        let sql = format!(
            "SELECT user, uniqExact(room, comm_id, twin) FROM ({}) \
             WHERE deleted = 0 AND (room, comm_id, twin) IN ({}) GROUP BY user ORDER BY user {}",
            newest(&SESSIONS, "room, comm_id, twin, user", &place),
            shown_calls(query.app, query.horizon),
            limit(0, query.take)
        );
        let mut users: BTreeMap<String, u64> = BTreeMap::new();
        for answer in self.shards.ask_all(&sql).await? {
            for (user, calls) in answer_rows(&answer).all(|row| Ok((row.text()?, row.u64()?)))? {
                *users.entry(user).or_default() += calls;
            }
        }
        let seen = |(user, calls)| UserSeen { user, calls };
        Ok(users.into_iter().map(seen).take(query.take).collect())
    }

    pub(super) async fn calls_of_user(
        &self,
        query: &UserCallsQuery<'_>,
    ) -> Result<Vec<UserCall>, StoreError> {
        let place = format!("app = {} AND user = {}", query.app, text(query.user));
        let with_user = format!(
            "SELECT room, comm_id, twin FROM ({}) WHERE deleted = 0",
            newest(&SESSIONS, "room, comm_id, twin", &place)
        );
        let reach = usize::try_from(query.skip).unwrap_or(usize::MAX).saturating_add(query.take);
        let among = format!("app = {} AND (room, comm_id, twin) IN ({with_user})", query.app);
        let sql = format!(
            "SELECT {} FROM ({}) WHERE deleted = 0 AND last_evidence_ms >= {} AND {} {} {}",
            rows::CALL_COLUMNS,
            newest(&CALLS, &format!("{}, {CALL_ORDER_COLUMNS}", rows::CALL_COLUMNS), &among),
            query.horizon.0,
            alive(query.from_s, query.to_s, query.now),
            calls_in_order(),
            limit(0, reach)
        );
        let mut calls: Vec<Kept> = Vec::new();
        for answer in self.shards.ask_all(&sql).await? {
            calls.extend(answer_rows(&answer).all(rows::read_call)?);
        }
        calls.sort_by(|a, b| call_order(&a.call, &b.call));
        let skip = usize::try_from(query.skip).unwrap_or(usize::MAX);
        let page: Vec<Kept> = calls.into_iter().skip(skip).take(query.take).collect();
        let mut sessions = self.sessions_of(&page, &place).await?;
        let with_sessions = |kept: Kept| {
            let key = (kept.call.room.clone(), kept.call.comm_id.to_string(), kept.twin);
            let mut of_call = sessions.remove(&key).unwrap_or_default();
            of_call.sort_by(session_order);
            UserCall { call: kept.call, sessions: of_call.into_iter().map(Arc::new).collect() }
        };
        // One that has lost its sessions between the two statements is not the user's any more.
        Ok(page.into_iter().map(with_sessions).filter(|of| !of.sessions.is_empty()).collect())
    }

    /// The sessions of some calls that a condition on their identity picks, by call.
    pub(super) async fn sessions_of(
        &self,
        calls: &[Kept],
        place: &str,
    ) -> Result<BTreeMap<CallKey, Vec<Session>>, StoreError> {
        let mut found: BTreeMap<CallKey, Vec<Session>> = BTreeMap::new();
        let mut by_shard: BTreeMap<usize, Vec<&Kept>> = BTreeMap::new();
        for kept in calls {
            by_shard.entry(self.shards.of_room(kept.call.app, &kept.call.room)).or_default().push(kept);
        }
        for (shard, calls) in by_shard {
            for some in calls.chunks(1_000) {
                let place = format!("{place} AND {}", calls_in(some));
                let columns = format!("comm_id, twin, {}", rows::SESSION_COLUMNS);
                let sql = format!(
                    "SELECT {columns} FROM ({}) WHERE deleted = 0",
                    newest(&SESSIONS, &columns, &place)
                );
                let answer: Bytes = self.shards.ask(shard, sql).await?;
                for (comm_id, twin, session) in answer_rows(&answer)
                    .all(|row| Ok((row.text()?, Rows::u64(row)?, rows::read_session(row)?)))?
                {
                    found.entry((session.room.clone(), comm_id, twin)).or_default().push(session);
                }
            }
        }
        Ok(found)
    }

    pub(super) async fn figures(&self, app: AppId, from_s: i64, to_s: i64) -> Result<Figures, StoreError> {
        // Midnight of UTC+8 is 16:00 of UTC.
        let second = second("joined_ms");
        let day = format!("intDiv({second} + 28800 - if({second} + 28800 < 0, 86399, 0), 86400)");
        let sql = format!(
            "SELECT {day} AS entered, uniqExact(room), uniqExact(room, user), count() FROM ({}) WHERE deleted = 0 \
             GROUP BY entered",
            newest(&SESSIONS, "room, user, joined_ms", &format!("app = {app}"))
        );
        let mut days: BTreeMap<i64, DayFigures> = BTreeMap::new();
        for answer in self.shards.ask_all(&sql).await? {
            for (day, rooms, users, entries) in
                answer_rows(&answer).all(|row| Ok((row.i64()?, row.u64()?, row.u64()?, row.u64()?)))?
            {
                let start_s = figures_day(day.saturating_mul(DAY_S));
                let sums = days.entry(start_s).or_insert(DayFigures { start_s, ..DayFigures::default() });
                sums.rooms += rooms;
                sums.users += users;
                sums.entries += entries;
            }
        }
        let first_s = days.keys().next().copied();
        let asked = |day: &DayFigures| from_s <= day.start_s && day.start_s <= to_s;
        Ok(Figures { first_s, days: days.into_values().filter(asked).collect() })
    }

    pub(super) async fn counts(&self) -> Result<Counts, StoreError> {
        let count = |table: &Table, column: &str, condition: &str| {
            // Newer servers call what a statement within another gives nullable, and would write it down so.
            format!(
                "ifNull((SELECT count() FROM ({}) WHERE deleted = 0 AND {condition}), 0)",
                newest(table, column, "1")
            )
        };
        let sql = format!(
            "SELECT {}, {}, {}",
            count(&CALLS, "ended_ms", "ended_ms IS NULL"),
            count(&SESSIONS, "left_ms", "left_ms IS NULL"),
            count(&ORPHANS, "at_ms", "1")
        );
        let mut counts = Counts::default();
        for answer in self.shards.ask_all(&sql).await? {
            let mut row = answer_rows(&answer);
            counts.open_calls += row.u64()?;
            counts.open_sessions += row.u64()?;
            counts.orphans += row.u64()?;
        }
        Ok(counts)
    }
}

/// The calls of an application that have evidence since a horizon.
fn shown_calls(app: AppId, horizon: Millis) -> String {
    format!(
        "SELECT room, comm_id, twin FROM ({}) WHERE deleted = 0 AND last_evidence_ms >= {}",
        newest(&CALLS, "room, comm_id, twin, last_evidence_ms", &format!("app = {app}")),
        horizon.0
    )
}
