//! DescribeUserEvent: what a user's client reported in a call (contract section 9.4), and its old name
//! DescribeDetailEvent. No source reports such events yet, so `Data` is truthfully empty.

use crate::records::CommId;
use crate::store::Store;
use crate::wire::{ErrorCode, Fault, Fields, Json, Params};

use super::Context;
use super::question::{self, WindowRules};

/// The reply's fields.
pub(super) async fn answer<S: Store>(context: &Context<'_, S>, params: &Params<'_>) -> Result<Fields, Fault> {
    question::refuse_empty(params, "CommId", ErrorCode::MissingCommId)?;
    question::refuse_empty(params, "UserId", ErrorCode::MissingUserId)?;
    question::refuse_empty(params, "RoomId", ErrorCode::MissingRoomId)?;
    // The old name had no application; the call's own stands in. A call that names none is nobody's.
    let named = || CommId::from_text(params.text("CommId").unwrap_or_default()).app().map(|app| app.0);
    if let Some(number) = params.number("SdkAppId").or_else(named) {
        let app = question::app(context, number, ErrorCode::SdkAppid)?;
        question::comm_id(params, app, ErrorCode::SdkAppid)?;
    }
    let rules = WindowRules { reversed: ErrorCode::EndTs, by_edition: false, longest_s: None };
    question::window(context, params, rules)?;
    let mut json = Json::fields(16);
    json.raw(b"\"Data\":[]");
    Ok(json.into_fields())
}
