//! DescribeCallDetailInfo: the users of a call and their metrics (contract section 9.3), and its old name
//! DescribeCallDetail. No samples are kept yet, so `Data` is truthfully empty.

use crate::limits;
use crate::store::Store;
use crate::wire::{ErrorCode, Fault, Fields, Json, Params};

use super::Context;
use super::describe_user_info::{Bounds, sessions, write_sessions};
use super::question;
use super::table::METRICS;

/// Selects every metric.
const ALL: &str = "all";

/// The reply's fields.
pub(super) async fn answer<S: Store>(context: &Context<'_, S>, params: &Params<'_>) -> Result<Fields, Fault> {
    let metrics = params.texts("DataType");
    if let Some(strange) = metrics.iter().find(|name| !METRICS.contains(&&***name) && **name != ALL) {
        return Err(Fault::own(
            ErrorCode::InvalidParameter,
            "`DataType` names a metric that does not exist: `{0}`.",
            &[strange],
        ));
    }
    let asks_metrics = !metrics.is_empty();
    let is_old = context.action.is_old();
    let has_users = !params.texts("UserIds").is_empty();
    let bounds = Bounds {
        window_s: if asks_metrics {
            Some(limits::METRIC_WINDOW_S)
        } else {
            question::hours(context.policy.user_window_hours)
        },
        users: if asks_metrics || is_old { limits::USER_IDS_FEW_MAX } else { limits::USER_IDS_MAX },
        page_size: if asks_metrics || (is_old && has_users) {
            limits::PAGE_SIZE_FEW_MAX
        } else {
            limits::PAGE_SIZE_MAX
        },
    };
    let sessions = sessions(context, params, bounds).await?;
    let mut json = Json::fields(48 + 192 * sessions.len());
    write_sessions(&mut json, &sessions, context.now);
    json.raw(b",\"Data\":[]");
    Ok(json.into_fields())
}
