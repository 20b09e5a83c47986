//! Answers: a signed question in, an envelope out. The order of checks is that of contract section 8.1.
//!
//! Read [`Api::answer`] first, then [`describe_user_info`]; the other actions have its shape. What an action is
//! called, takes and answers stands in [`ACTIONS`], from which `docs/api.md` is generated.

mod table;
mod question;
mod quality;
mod event_ids;
mod unusual;
mod describe_user_info;
mod describe_room_info;
mod describe_call_detail_info;
mod describe_user_event;
mod describe_scale_info;
mod describe_unusual_event;
mod docs;

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::limits::{self, Current, Edition, From, Secret, rate};
use crate::records::{AppId, Millis};
use crate::store::{Store, StoreError};
use crate::wire::{self, Bounds, Call, ErrorCode, Fault, Fields, Request, SigningKeys};

pub use docs::{docs, event_docs};
pub use table::{ACTIONS, Action, Field, Handler};

/// What the API allows, and to whom.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Who may ask.
    pub accounts: Vec<Account>,
    /// Further host names that signatures may name.
    pub public_hosts: Vec<String>,
    /// Further regions to accept.
    pub extra_regions: Vec<String>,
    /// Calls a second for each account and action; 0: no limit.
    pub requests_per_second: u32,
    /// How far back `StartTime` may lie, in days; 0: no limit.
    pub history_days: u32,
    /// The longest window of users of a call, in hours.
    pub user_window_hours: u32,
    /// The longest window of rooms, in hours.
    pub room_window_hours: u32,
    /// How long records are kept, in days; 0: for ever.
    pub retention_days: u32,
}

impl Default for Policy {
    /// The published limits, and nobody who may ask.
    fn default() -> Policy {
        Policy {
            accounts: Vec::new(),
            public_hosts: Vec::new(),
            extra_regions: Vec::new(),
            requests_per_second: 20,
            history_days: 14,
            user_window_hours: 4,
            room_window_hours: 24,
            retention_days: 14,
        }
    }
}

impl Policy {
    /// What is older is not shown, even if the sweep is late.
    pub fn horizon(&self, now: Millis) -> Millis {
        now.horizon(self.retention_days)
    }
}

/// Keys and applications that belong together.
#[derive(Debug, Clone)]
pub struct Account {
    /// The name in logs.
    pub name: String,
    /// What it may ask.
    pub edition: Edition,
    /// Who may ask for it.
    pub keys: Vec<Key>,
    /// What it may ask about.
    pub apps: Vec<AppId>,
}

/// A key of an account.
#[derive(Debug, Clone)]
pub struct Key {
    /// The public half.
    pub secret_id: String,
    /// The secret half.
    pub secret_key: Secret,
    /// The token that goes with a temporary key.
    pub token: Option<Secret>,
    /// When it ends, in UNIX seconds; the last second is still good.
    pub expires_at_s: Option<i64>,
}

/// An answer. Its HTTP status is 200 and its `Content-Type` exactly `application/json`, whatever it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The envelope.
    pub body: Vec<u8>,
    /// The action as the table spells it, or `unknown`; for logs and metrics.
    pub action: &'static str,
    /// The code, if it is a refusal.
    pub code: Option<ErrorCode>,
    /// Goes back in the header `x-tc-traceid`.
    pub trace_id: Option<String>,
}

/// What stands for the action in a reply to a request that names none of them.
pub const UNKNOWN_ACTION: &str = "unknown";

const BOUNDS: Bounds = Bounds {
    target_bytes: limits::TARGET_BYTES_MAX,
    form_bytes: limits::FORM_BYTES_MAX,
    body_bytes: limits::BODY_BYTES_MAX,
    parameters: limits::PARAMETERS_MAX,
    trace_id_bytes: limits::TRACE_ID_BYTES_MAX,
};

/// Answers questions about what a store remembers.
#[derive(Debug)]
pub struct Api<S> {
    rights: Current<Rights>,
    store: Arc<S>,
}

/// A policy, and what is kept for it: all of it goes when another takes its place, so that nothing that was derived
/// from a key outlives it.
#[derive(Debug)]
struct Rights {
    policy: Policy,
    /// Where a `SecretId` stands in the policy: account, key, and a number of its own.
    keys: HashMap<String, Place>,
    signing_keys: SigningKeys,
    calls: rate::Windows,
}

/// The door of questions, for [`From`].
const DOOR: &str = "api";

#[derive(Debug, Clone, Copy)]
struct Place {
    account: usize,
    key: usize,
    slot: usize,
}

/// What every action is given beside its parameters.
pub(crate) struct Context<'a, S> {
    pub(crate) policy: &'a Policy,
    pub(crate) account: &'a Account,
    pub(crate) action: &'static Action,
    pub(crate) store: &'a S,
    pub(crate) now: Millis,
}

impl<S> Context<'_, S> {
    /// What is older is not shown, even if the sweep is late.
    pub(crate) fn horizon(&self) -> Millis {
        self.policy.horizon(self.now)
    }
}

impl<S: Store> Api<S> {
    /// An API over `store`. Of two keys with the same `SecretId` the first counts.
    pub fn new(policy: Policy, store: Arc<S>) -> Api<S> {
        Api { rights: Current::new(Rights::new(policy)), store }
    }

    /// Allows something else from now on. Requests that are being answered are answered as they began.
    pub fn allow(&self, policy: Policy) {
        self.rights.set(Rights::new(policy));
    }

    /// Answers one request. Every request ends here with an envelope and its RequestId.
    pub async fn answer(&self, request: &Request<'_>, now: Millis, request_id: Uuid) -> Reply {
        self.answer_from(&From::ANYBODY, request, now, request_id).await
    }

    /// The same, of somebody who may have failed too often to be listened to.
    pub async fn answer_from(
        &self,
        from: &From<'_>,
        request: &Request<'_>,
        now: Millis,
        request_id: Uuid,
    ) -> Reply {
        let rights = self.rights.get();
        let opened = wire::open(request, &BOUNDS, &rights.policy.public_hosts);
        let action = opened.call.as_ref().ok().and_then(|call| Action::find(&call.action));
        let answer = match &opened.call {
            Ok(call) => self.answer_call(&rights, from, call, action, now).await,
            Err(fault) => Err(fault.clone()),
        };
        let code = answer.as_ref().err().map(|fault| fault.code);
        Reply {
            body: wire::envelope(answer, opened.language, request_id),
            action: action.map_or(UNKNOWN_ACTION, |action| action.name),
            code,
            trace_id: opened.trace_id.map(str::to_owned),
        }
    }

    /// Steps 6 to 17 of contract section 8.1; the reply's fields.
    async fn answer_call(
        &self,
        rights: &Rights,
        from: &From<'_>,
        call: &Call<'_>,
        action: Option<&'static Action>,
        now: Millis,
    ) -> Result<Fields, Fault> {
        let place = rights.admit(from, call, now)?;
        if call.version != wire::VERSION {
            return Err(Fault::about(ErrorCode::NoSuchVersion, &[&call.version]));
        }
        let action = action.ok_or_else(|| Fault::about(ErrorCode::InvalidAction, &[&call.action]))?;
        rights.check_region(call, action)?;
        // Step 12 is absent: every key may ask everything its account may.
        let slot = place.account * ACTIONS.len() + action.place();
        if let Err(exceeded) = rights.calls.take(slot, now.secs()) {
            let about: [&dyn std::fmt::Display; 2] = [&exceeded.calls, &exceeded.limit];
            return Err(Fault::about(ErrorCode::RequestLimitExceeded, &about));
        }
        let params = call.decode(action.params)?;
        let account = &rights.policy.accounts[place.account];
        let context = Context { policy: &rights.policy, account, action, store: &*self.store, now };
        match action.handler {
            Handler::UserInfo => describe_user_info::answer(&context, &params).await,
            Handler::RoomInfo => describe_room_info::answer(&context, &params).await,
            Handler::CallDetailInfo => describe_call_detail_info::answer(&context, &params).await,
            Handler::UserEvent => describe_user_event::answer(&context, &params).await,
            Handler::ScaleInfo => describe_scale_info::answer(&context, &params).await,
            Handler::UnusualEvent => describe_unusual_event::answer(&context, &params).await,
        }
    }
}

impl Rights {
    fn new(policy: Policy) -> Rights {
        let mut keys = HashMap::new();
        for (account, of_account) in policy.accounts.iter().enumerate() {
            for (key, of_key) in of_account.keys.iter().enumerate() {
                let slot = keys.len();
                keys.entry(of_key.secret_id.clone()).or_insert(Place { account, key, slot });
            }
        }
        Rights {
            calls: rate::Windows::new(policy.accounts.len() * ACTIONS.len(), policy.requests_per_second),
            signing_keys: SigningKeys::new(limits::SIGNING_KEYS_MAX),
            policy,
            keys,
        }
    }

    /// Who asks, unless it has failed to show that too often.
    fn admit(&self, from: &From<'_>, call: &Call<'_>, now: Millis) -> Result<Place, Fault> {
        if !from.may_try(DOOR, call.secret_id.as_bytes()) {
            return Err(ErrorCode::RequestLimitIp.into());
        }
        let outcome = self.authenticate(call, now);
        match &outcome {
            Ok(_) => from.succeeded(DOOR, call.secret_id.as_bytes()),
            Err(_) => from.failed(),
        }
        outcome
    }

    /// Steps 6 to 9: the key is known, the time is near, the signature holds, the token is the key's.
    fn authenticate(&self, call: &Call<'_>, now: Millis) -> Result<Place, Fault> {
        let place = *self.keys.get(&*call.secret_id).ok_or(ErrorCode::AuthSecretIdNotFound)?;
        let key = &self.policy.accounts[place.account].keys[place.key];
        let is_expired = key.expires_at_s.is_some_and(|end_s| end_s < now.secs());
        if is_expired && key.token.is_none() {
            return Err(ErrorCode::AuthSecretIdNotFound.into());
        }
        call.check_clock(now.secs(), limits::CLOCK_SKEW_S)?;
        call.verify(key.secret_key.expose().as_bytes(), place.slot, &self.signing_keys)?;
        let is_right = match &key.token {
            Some(token) => token.matches(call.token.as_bytes()) && !is_expired,
            None => call.token.is_empty(),
        };
        if is_right { Ok(place) } else { Err(ErrorCode::AuthTokenFailure.into()) }
    }

    /// Step 11: the region is there, is one, and is one of the action's.
    fn check_region(&self, call: &Call<'_>, action: &Action) -> Result<(), Fault> {
        let region = &*call.region;
        let is_offered =
            action.regions.contains(&region) || self.policy.extra_regions.iter().any(|extra| extra == region);
        if region.is_empty() {
            Err(Fault::about(ErrorCode::MissingParameter, &[&"Region"]))
        } else if is_offered {
            Ok(())
        } else if table::KNOWN_REGIONS.contains(&region) {
            Err(ErrorCode::UnsupportedRegion.into())
        } else {
            Err(Fault::about(ErrorCode::InvalidParameterValue, &[&call.region_name]))
        }
    }
}

/// What a question about records says when the store cannot answer. Which store it is and why is the log's
/// business.
fn database(error: StoreError) -> Fault {
    tracing::error!(%error, "the store cannot answer");
    ErrorCode::InternalDbError.into()
}
