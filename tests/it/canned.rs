//! A store with canned records, and a signed way to ask about them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rollbook::actions::{Account, Api, Key, Policy, Reply};
use rollbook::limits::{Edition, Secret};
use rollbook::records::quality::Series;
use rollbook::records::{AppId, Attr, Attrs, Call, CommId, Event, JoinSource, LeaveSource, Millis, Session};
use rollbook::store::{
    Appended, CallQuery, Counts, ExportQuery, Exported, Figures, Forgotten, Memory, News, Person,
    SampleQuery, SessionPage, SessionQuery, Store, StoreError, Swept, UserCall, UserCallsQuery, UserQuery,
    UserSeen, UsersQuery,
};
use rollbook::wire::sign::{self, Post};
use rollbook::wire::{Body, Request};
use serde_json::Value;
use uuid::Uuid;

/// The server's clock: 2026-11-22T20:00:00Z.
pub(crate) const NOW: i64 = 1_795_377_600;
/// The application of the account `main`.
pub(crate) const APP: u64 = 1_400_000_001;
/// The application of the account `second`.
pub(crate) const OTHER_APP: u64 = 1_400_000_003;
/// The token of the temporary key.
pub(crate) const TOKEN: &str = "token/+= 1";

/// Answers from a list, by the rules of the trait.
#[derive(Default)]
pub(crate) struct Canned {
    pub(crate) calls: Vec<(Call, Vec<Session>)>,
    /// Answers about events, days and measurements.
    pub(crate) memory: Memory,
    /// Every question fails.
    pub(crate) is_broken: bool,
    /// Questions about measurements fail.
    pub(crate) has_no_samples: bool,
    /// Questions asked so far.
    pub(crate) asked: AtomicU64,
}

impl Canned {
    fn ask(&self) -> Result<(), StoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.is_broken { Err(StoreError::Unavailable("the disk is gone".into())) } else { Ok(()) }
    }
}

fn is_within(from: Millis, to: Option<Millis>, window: (i64, i64), now: Millis) -> bool {
    from.secs() <= window.1 && to.unwrap_or(now.max(from)).secs() >= window.0
}

fn page<T>(rows: Vec<T>, skip: u64, take: usize) -> Vec<T> {
    rows.into_iter().skip(usize::try_from(skip).unwrap_or(usize::MAX)).take(take).collect()
}

impl Store for Canned {
    async fn append(&self, _: Vec<Event>) -> Result<Appended, StoreError> {
        Err(StoreError::Refused("canned".into()))
    }

    async fn sessions(&self, query: &SessionQuery<'_>) -> Result<SessionPage, StoreError> {
        self.ask()?;
        let is_it = |call: &&(Call, Vec<Session>)| {
            let call = &call.0;
            call.app == query.app && call.comm_id == *query.comm_id && call.last_evidence >= query.horizon
        };
        let sessions = self.calls.iter().find(is_it).map(|(_, sessions)| sessions.clone());
        let mut rows = sessions.unwrap_or_default();
        rows.retain(|row| {
            is_within(row.joined, row.left, (query.from_s, query.to_s), query.now)
                && query.users.is_none_or(|users| users.contains(&row.user))
        });
        rows.sort_by(|a, b| {
            let left = |row: &Session| row.left.unwrap_or(query.now);
            (b.joined.secs().cmp(&a.joined.secs()))
                .then_with(|| a.user.cmp(&b.user))
                .then_with(|| left(b).cmp(&left(a)))
        });
        Ok(page(rows.into_iter().map(Arc::new).collect(), query.skip, query.take).into())
    }

    async fn calls(&self, query: &CallQuery<'_>) -> Result<Vec<Call>, StoreError> {
        self.ask()?;
        let mut rows: Vec<Call> = self.calls.iter().map(|(call, _)| call.clone()).collect();
        rows.retain(|row| {
            row.app == query.app
                && row.last_evidence >= query.horizon
                && query.room.is_none_or(|room| row.room == room)
                && is_within(row.created, row.ended, (query.from_s, query.to_s), query.now)
        });
        rows.sort_by(|a, b| b.created.secs().cmp(&a.created.secs()).then_with(|| a.room.cmp(&b.room)));
        Ok(page(rows, query.skip, query.take))
    }

    async fn call(&self, app: AppId, comm_id: &CommId, _: Millis) -> Result<Option<Call>, StoreError> {
        self.ask()?;
        let found = self.calls.iter().find(|(call, _)| call.app == app && call.comm_id == *comm_id);
        Ok(found.map(|(call, _)| call.clone()))
    }

    async fn user_events(&self, query: &UserQuery<'_>) -> Result<Vec<Event>, StoreError> {
        self.ask()?;
        self.memory.user_events(query).await
    }

    async fn users(&self, query: &UsersQuery<'_>) -> Result<Vec<UserSeen>, StoreError> {
        self.ask()?;
        self.memory.users(query).await
    }

    async fn calls_of_user(&self, query: &UserCallsQuery<'_>) -> Result<Vec<UserCall>, StoreError> {
        self.ask()?;
        self.memory.calls_of_user(query).await
    }

    async fn figures(&self, app: AppId, from_s: i64, to_s: i64) -> Result<Figures, StoreError> {
        self.ask()?;
        self.memory.figures(app, from_s, to_s).await
    }

    async fn append_samples(&self, series: Vec<Series>) -> Result<(), StoreError> {
        self.memory.append_samples(series).await
    }

    async fn samples(&self, query: &SampleQuery<'_>) -> Result<Vec<Series>, StoreError> {
        self.ask()?;
        if self.has_no_samples {
            return Err(StoreError::Corrupt("a block is damaged".into()));
        }
        self.memory.samples(query).await
    }

    async fn sweep(&self, _: Millis) -> Result<Swept, StoreError> {
        Ok(Swept::default())
    }

    async fn forget(&self, _: &Person, _: [u8; 32]) -> Result<Forgotten, StoreError> {
        Err(StoreError::Refused("canned".into()))
    }

    fn news(&self) -> &News {
        self.memory.news()
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        Ok(Counts::default())
    }

    fn days(&self) -> Result<BTreeSet<(AppId, i64)>, StoreError> {
        Ok(BTreeSet::new())
    }

    fn export(
        &self,
        _: &ExportQuery,
        _: &mut dyn FnMut(Exported<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        Err(StoreError::Refused("canned".into()))
    }
}

/// A call that began at `created`, and ended if `ended` says so.
pub(crate) fn call(app: u64, room: &str, created: i64, ended: Option<i64>) -> Call {
    Call {
        app: AppId(app),
        comm_id: CommId::new(AppId(app), room, created),
        room: room.into(),
        source: "trtc".into(),
        instance: String::new(),
        creator: "alice".into(),
        created: Millis::from_secs(created),
        ended: ended.map(Millis::from_secs),
        end_source: if ended.is_some() { LeaveSource::Seen } else { LeaveSource::Open },
        last_evidence: Millis::from_secs(ended.unwrap_or(created)),
    }
}

/// A session of `user`, in seconds.
pub(crate) fn session(room: &str, user: &str, joined: i64, left: Option<i64>) -> Session {
    Session {
        room: room.into(),
        user: user.into(),
        visit: None,
        joined: Millis::from_secs(joined),
        join_source: JoinSource::Seen,
        left: left.map(Millis::from_secs),
        leave_source: if left.is_some() { LeaveSource::Seen } else { LeaveSource::Open },
        leave_reason: None,
        attrs: Attrs::from([
            (Attr::SdkVersion, "4.3.14".to_owned()),
            (Attr::ClientIp, "10.4.1.13".to_owned()),
            (Attr::Terminal, "3".to_owned()),
            (Attr::UserType, "3".to_owned()),
        ]),
    }
}

fn key(id: &str, token: Option<&str>, expires_at_s: Option<i64>) -> Key {
    let secret_key = Secret::new(format!("secret of {id}"));
    Key { secret_id: id.into(), secret_key, token: token.map(Secret::new), expires_at_s }
}

/// Two accounts; the first has a lasting, a temporary and two ended keys.
pub(crate) fn policy() -> Policy {
    let main = Account {
        name: "main".into(),
        edition: Edition::Advanced,
        keys: vec![
            key("main", None, None),
            key("temporary", Some(TOKEN), Some(NOW)),
            key("ended", Some(TOKEN), Some(NOW - 1)),
            key("closed", None, Some(NOW - 1)),
        ],
        apps: vec![AppId(APP), AppId(APP + 1)],
    };
    let second = Account {
        name: "second".into(),
        edition: Edition::Advanced,
        keys: vec![key("second", None, None)],
        apps: vec![AppId(OTHER_APP)],
    };
    Policy { accounts: vec![main, second], requests_per_second: 0, ..Policy::default() }
}

/// An API over canned records or another store, and how to ask it.
pub(crate) struct World<S = Canned> {
    pub(crate) api: Api<S>,
    pub(crate) store: Arc<S>,
}

/// A question, apart from its parameters.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) action: &'a str,
    pub(crate) key: &'a str,
    pub(crate) token: &'a str,
    pub(crate) region: &'a str,
    pub(crate) now: i64,
}

impl Ask<'_> {
    pub(crate) fn of(action: &str) -> Ask<'_> {
        Ask { action, key: "main", token: "", region: "ap-singapore", now: NOW }
    }
}

/// The server answers on several threads, so this must compile.
fn sendable<F: Future + Send>(future: F) -> F {
    future
}

/// The RequestId of every answer here.
pub(crate) const ID: Uuid = Uuid::from_u128(0x1234_5678_9abc_4def_8000_0000_0000_0001);

impl World {
    pub(crate) fn new(policy: Policy, calls: Vec<(Call, Vec<Session>)>) -> World {
        World::over(policy, Canned { calls, ..Canned::default() })
    }
}

impl<S: Store> World<S> {
    pub(crate) fn over(policy: Policy, store: S) -> World<S> {
        let store = Arc::new(store);
        World { api: Api::new(policy, Arc::clone(&store)), store }
    }

    /// Signs and asks; further headers may be given.
    pub(crate) async fn reply(&self, ask: Ask<'_>, body: &str, more: &[(&str, &str)]) -> Reply {
        let signed = sign::post(&Post {
            secret_id: ask.key,
            secret_key: &format!("secret of {}", ask.key),
            token: ask.token,
            host: "127.0.0.1:9180",
            action: ask.action,
            region: ask.region,
            timestamp_s: u64::try_from(NOW).unwrap(),
            body: body.as_bytes(),
        });
        let mut headers: Vec<(&str, &[u8])> =
            signed.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        headers.extend(more.iter().map(|(name, value)| (*name, value.as_bytes())));
        let body = Body::Whole(body.as_bytes());
        let request = Request { method: "POST", target: "/", headers: &headers, body };
        sendable(self.api.answer(&request, Millis::from_secs(ask.now), ID)).await
    }

    /// The object `Response` of the answer.
    pub(crate) async fn ask(&self, ask: Ask<'_>, body: &str) -> Value {
        let reply = self.reply(ask, body, &[]).await;
        let mut answer: Value = serde_json::from_slice(&reply.body).unwrap();
        let response = answer["Response"].take();
        let code = response.get("Error").map(|error| error["Code"].as_str().unwrap().to_owned());
        assert_eq!(code.as_deref(), reply.code.map(|code| code.wire()), "envelope and reply agree");
        response
    }

    /// The code of the answer, or `""`.
    pub(crate) async fn code(&self, ask: Ask<'_>, body: &str) -> String {
        self.ask(ask, body).await["Error"]["Code"].as_str().unwrap_or_default().to_owned()
    }
}
