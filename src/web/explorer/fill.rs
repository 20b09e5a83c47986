//! What stands in the form before anybody has written in it: the newest call that can be seen, so that the first Send
//! shows something.

use super::super::query::Query;
use super::super::{Context, Trouble};
use super::form::{PREFIX, is_moment};
use crate::actions::Action;
use crate::records::{Call, Millis};
use crate::store::{CallQuery, SessionQuery, Store};
use crate::wire::{Kind, Param};

/// Calls that are offered to choose from.
const RECENT_MAX: usize = 20;
/// How far back they are looked for where records are kept for ever, in days.
const RECENT_DAYS: i64 = 14;
/// The window where there is no call, in seconds.
const WINDOW_S: i64 = 3_600;

/// The newest calls of the application that the form is about, newest first.
pub(super) async fn recent<S: Store>(context: &Context<'_, S>) -> Result<Vec<Call>, Trouble> {
    let Some(app) = context.view.apps.first().copied() else { return Ok(Vec::new()) };
    let now_s = context.now.secs();
    let query = CallQuery {
        app,
        room: None,
        from_s: now_s - RECENT_DAYS * crate::limits::DAY_S,
        to_s: now_s,
        skip: 0,
        take: RECENT_MAX,
        now: context.now,
        horizon: context.horizon(),
    };
    Ok(context.store.calls(&query).await?)
}

/// The fields of a form that nothing is given for.
pub(super) async fn defaults<S: Store>(
    context: &Context<'_, S>,
    action: &Action,
    recent: &[Call],
) -> Result<Query, Trouble> {
    let call = recent.first();
    let mut pairs = Vec::new();
    for param in action.params.iter().filter(|param| param.required) {
        let value = match param.name {
            "SdkAppId" => context.view.apps.first().map(ToString::to_string),
            "CommId" => call.map(|call| call.comm_id.to_string()),
            "RoomId" => call.map(|call| call.room.clone()),
            "UserId" => match call {
                Some(call) => somebody(context, call).await?,
                None => None,
            },
            _ if is_moment(param) => Some(moment(context, param, action, call)),
            _ => None,
        };
        pairs.extend(value.map(|value| (format!("{PREFIX}{}", param.name), value)));
    }
    Ok(Query::of(pairs))
}

/// A window that holds the call, or where the action is about none, the last hour.
fn moment<S>(context: &Context<'_, S>, param: &Param, action: &Action, call: Option<&Call>) -> String {
    let is_start = param.name.starts_with("Start");
    let names_call = action.params.iter().any(|param| param.name == "CommId");
    match call.filter(|_| names_call) {
        Some(call) => {
            let end = call.ended.unwrap_or(context.now);
            let longest = i64::from(context.policy.user_window_hours) * 3_600;
            let last = if longest == 0 { end } else { end.min(call.created.plus(longest * 1_000)) };
            let at: Millis = if is_start { call.created } else { last };
            at.secs().to_string()
        }
        // Days are counted whole, so an hour would show none.
        None if action.reply.iter().any(|field| field.name == "ScaleList") => {
            if is_start { "now-7d" } else { "now" }.to_owned()
        }
        None if is_start => (context.now.secs() - WINDOW_S).to_string(),
        None => context.now.secs().to_string(),
    }
}

async fn somebody<S: Store>(context: &Context<'_, S>, call: &Call) -> Result<Option<String>, Trouble> {
    let query = SessionQuery {
        app: call.app,
        comm_id: &call.comm_id,
        from_s: i64::MIN,
        to_s: i64::MAX,
        users: None,
        skip: 0,
        take: 1,
        now: context.now,
        horizon: context.horizon(),
    };
    let sessions = context.store.sessions(&query).await?;
    Ok(sessions.first().map(|session| session.user.clone()))
}

/// The example of the table, as the end of an address.
pub(super) fn example(action: &Action) -> String {
    let example: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(action.example).unwrap_or_default();
    let mut pairs = Vec::new();
    for param in action.params {
        let name = format!("{PREFIX}{}", param.name);
        match (param.kind, example.get(param.name)) {
            (Kind::Texts, Some(serde_json::Value::Array(list))) => {
                pairs.extend(list.iter().filter_map(|one| Some((name.clone(), one.as_str()?.to_owned()))));
            }
            (_, Some(serde_json::Value::String(text))) => pairs.push((name, text.clone())),
            (_, Some(value)) => pairs.push((name, value.to_string())),
            (_, None) => {}
        }
    }
    Query::of(pairs).with("", None)
}
