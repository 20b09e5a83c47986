//! DescribeUserEvent: what happened to a user in a call (contract section 9.4), and its old name
//! DescribeDetailEvent.

use std::sync::Arc;

use crate::limits;
use crate::records::{AppId, CommId, Event, Millis, Session};
use crate::store::{SessionQuery, Store, UserQuery};
use crate::wire::{ErrorCode, Fault, Fields, Json, Params};

use super::Context;
use super::event_ids::{Row, Shown, UNUSED, is_web, shown};
use super::quality::unreadable;
use super::question::{self, Window, WindowRules};

/// The reply's fields.
pub(super) async fn answer<S: Store>(context: &Context<'_, S>, params: &Params<'_>) -> Result<Fields, Fault> {
    question::refuse_empty(params, "CommId", ErrorCode::MissingCommId)?;
    question::refuse_empty(params, "UserId", ErrorCode::MissingUserId)?;
    question::refuse_empty(params, "RoomId", ErrorCode::MissingRoomId)?;
    // The old name had no application; the call's own stands in. A call that names none is nobody's.
    let named = || CommId::from_text(params.text("CommId").unwrap_or_default()).app().map(|app| app.0);
    let call = match params.number("SdkAppId").or_else(named) {
        Some(number) => {
            let app = question::app(context, number, ErrorCode::SdkAppid)?;
            Some((app, question::comm_id(params, app, ErrorCode::SdkAppid)?))
        }
        None => None,
    };
    let rules = WindowRules { reversed: ErrorCode::EndTs, by_edition: false, longest_s: None };
    let window = question::window(context, params, rules)?;
    let user = params.text("UserId").unwrap_or_default();
    let room = params.text("RoomId").unwrap_or_default();
    let lines = match &call {
        Some((app, comm_id)) => lines(context, (*app, comm_id), room, user, window).await?,
        None => Vec::new(),
    };
    let mut json = Json::fields(64 + 96 * lines.len());
    write_lines(&mut json, user, &lines);
    Ok(json.into_fields())
}

/// One event as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line {
    picture: u64,
    at: Millis,
    id: u64,
    first: i64,
}

/// What happened to a user in a window of a call, if that call is of that room.
async fn lines<S: Store>(
    context: &Context<'_, S>,
    (app, comm_id): (AppId, &CommId),
    room: &str,
    user: &str,
    window: Window,
) -> Result<Vec<Line>, Fault> {
    let horizon = context.horizon();
    let call = context.store.call(app, comm_id, horizon).await.map_err(unreadable)?;
    if call.is_none_or(|call| call.room != room) {
        return Ok(Vec::new());
    }
    let query = UserQuery { app, comm_id, user, horizon };
    let events = context.store.user_events(&query).await.map_err(unreadable)?;
    let users = [user.to_owned()];
    let query = SessionQuery {
        app,
        comm_id,
        from_s: 0,
        to_s: limits::SECOND_MAX,
        users: Some(&users),
        skip: 0,
        take: limits::STAYS_MAX,
        now: context.now,
        horizon,
    };
    let sessions = context.store.sessions(&query).await.map_err(unreadable)?;
    Ok(shown_lines(&events, &sessions, window))
}

/// Events that show alike are one: some sources tell one happening in two ways.
fn shown_lines(events: &[Event], sessions: &[Arc<Session>], window: Window) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut first_join = None;
    for event in events {
        let came_before = first_join.is_some_and(|first| first < event.at);
        if event.is_join() {
            first_join.get_or_insert(event.at);
        }
        let inside = (window.from_s..=window.to_s).contains(&event.at.secs());
        if let Some(shown) = shown(event, came_before).filter(|_| inside) {
            lines.push(line(event, shown, sessions));
        }
    }
    lines.dedup();
    lines
}

/// The stay that had begun last says what kind of client it was.
fn line(event: &Event, shown: Shown, sessions: &[Arc<Session>]) -> Line {
    let stay = sessions.iter().find(|session| session.joined <= event.at);
    let is_web = is_web(&event.source, &event.attrs)
        || stay.is_some_and(|session| is_web(&event.source, &session.attrs));
    let Row { native, web, picture, .. } = shown.row();
    let (id, first) = if is_web { web } else { native };
    Line { picture, at: event.at, id, first }
}

/// Writes `Data`. All that is known happened to the user's own streams, so there is one sender at most.
fn write_lines(json: &mut Json, user: &str, lines: &[Line]) {
    json.raw(b"\"Data\":[");
    if !lines.is_empty() {
        json.raw(b"{\"PeerId\":");
        json.text(user);
        json.raw(b",\"Content\":[");
        for (place, line) in lines.iter().enumerate() {
            json.raw(if place == 0 { b"{\"Type\":" } else { b",{\"Type\":" });
            json.number(line.picture);
            json.raw(b",\"Time\":");
            json.number(u64::try_from(line.at.0).unwrap_or(0));
            json.raw(b",\"EventId\":");
            json.number(line.id);
            json.raw(b",\"ParamOne\":");
            json.signed(line.first);
            json.raw(b",\"ParamTwo\":");
            json.signed(UNUSED);
            json.raw(b"}");
        }
        json.raw(b"]}");
    }
    json.raw(b"]");
}
