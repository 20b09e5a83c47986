//! DescribeRoomInfo: the calls of an application that were alive in a window (contract section 9.2), and its old
//! name DescribeRoomInformation.

use crate::limits;
use crate::records::{Call, Millis};
use crate::store::{CallQuery, Store};
use crate::wire::{ErrorCode, Fault, Fields, Json, Params};

use super::describe_user_info::second;
use super::question::{self, WindowRules};
use super::{Context, database};

/// The reply's fields.
pub(super) async fn answer<S: Store>(context: &Context<'_, S>, params: &Params<'_>) -> Result<Fields, Fault> {
    question::refuse_empty(params, "SdkAppId", ErrorCode::MissingSdkAppId)?;
    let app = question::app(context, params.number("SdkAppId").unwrap_or_default(), ErrorCode::SdkAppId)?;
    let rules = WindowRules {
        reversed: ErrorCode::EndTs,
        by_edition: true,
        longest_s: question::hours(context.policy.room_window_hours),
    };
    let window = question::window(context, params, rules)?;
    let page = question::page(params, limits::ROOM_PAGE_SIZE, limits::PAGE_SIZE_MAX)?;
    let query = CallQuery {
        app,
        room: params.text("RoomId").filter(|room| !room.is_empty()),
        from_s: window.from_s,
        to_s: window.to_s,
        skip: page.skip,
        take: page.take,
        now: context.now,
        horizon: context.horizon(),
    };
    let calls = context.store.calls(&query).await.map_err(database)?;
    let mut json = Json::fields(32 + 192 * calls.len());
    write_calls(&mut json, &calls, context.now);
    Ok(json.into_fields())
}

/// Writes `Total` and `RoomList`.
fn write_calls(json: &mut Json, calls: &[Call], now: Millis) {
    json.raw(b"\"Total\":");
    json.number(u64::try_from(calls.len()).unwrap_or(u64::MAX));
    json.raw(b",\"RoomList\":[");
    for (at, call) in calls.iter().enumerate() {
        json.raw(if at == 0 { b"{\"CommId\":" } else { b",{\"CommId\":" });
        json.text(call.comm_id.as_str());
        json.raw(b",\"RoomString\":");
        json.text(&call.room);
        json.raw(b",\"CreateTime\":");
        json.number(second(call.created));
        json.raw(b",\"DestroyTime\":");
        json.number(second(call.ended.unwrap_or(now.max(call.created))));
        json.raw(b",\"IsFinished\":");
        json.truth(call.ended.is_some());
        json.raw(b",\"UserId\":");
        json.text(&call.creator);
        json.raw(b"}");
    }
    json.raw(b"]");
}
