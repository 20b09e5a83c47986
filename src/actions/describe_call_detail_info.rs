//! DescribeCallDetailInfo: the users of a call and their metrics (contract section 9.3), and its old name
//! DescribeCallDetail.

use std::sync::Arc;

use crate::limits;
use crate::records::Session;
use crate::records::quality::{Metric, Points};
use crate::store::{SessionQuery, Store};
use crate::wire::{ErrorCode, Fault, Fields, Json, Params, Text};

use super::describe_user_info::{Asked, Bounds, asked, room_for, second, sessions, write_sessions};
use super::quality::{self, Stays};
use super::{Context, database, question};

/// Selects every metric.
const ALL: &str = "all";

/// The reply's fields.
pub(super) async fn answer<S: Store>(context: &Context<'_, S>, params: &Params<'_>) -> Result<Fields, Fault> {
    let metrics = metrics(params)?;
    let is_old = context.action.is_old();
    let has_users = !params.texts("UserIds").is_empty();
    let bounds = Bounds {
        window_s: if metrics.is_some() {
            Some(limits::METRIC_WINDOW_S)
        } else {
            question::hours(context.policy.user_window_hours)
        },
        users: if metrics.is_some() || is_old { limits::USER_IDS_FEW_MAX } else { limits::USER_IDS_MAX },
        page_size: if metrics.is_some() || (is_old && has_users) {
            limits::PAGE_SIZE_FEW_MAX
        } else {
            limits::PAGE_SIZE_MAX
        },
    };
    let asked = asked(context, params, bounds)?;
    let sessions = sessions(context, &asked).await?;
    let mut json = Json::fields(16 + room_for(&sessions));
    write_sessions(&mut json, &sessions, context.now);
    json.raw(b",\"Data\":[");
    if let Some(metrics) = metrics {
        write_series(&mut json, context, &asked, &sessions, &metrics).await?;
    }
    json.raw(b"]");
    Ok(json.into_fields())
}

/// The metrics that are asked for; `None`: the question is for users alone.
fn metrics(params: &Params<'_>) -> Result<Option<Vec<Metric>>, Fault> {
    let names = params.texts("DataType");
    let is_known = |name: &str| name == ALL || Metric::ALL.iter().any(|metric| metric.name() == name);
    if let Some(strange) = names.iter().find(|name| !is_known(name)) {
        return Err(Fault::own(
            ErrorCode::InvalidParameter,
            Text::new(
                "`DataType` names a metric that does not exist: `{0}`.",
                "`DataType` 中的指标不存在：`{0}`。",
            ),
            &[strange],
        ));
    }
    let is_asked = |metric: &Metric| names.iter().any(|name| name == ALL || *name == metric.name());
    let asked: Vec<Metric> = Metric::ALL.iter().copied().filter(is_asked).collect();
    Ok((!names.is_empty()).then_some(asked))
}

/// Writes the series of the users of a page: users in the order of the page, each once, then peers, then metrics.
async fn write_series<S: Store>(
    json: &mut Json,
    context: &Context<'_, S>,
    asked: &Asked,
    page: &[Arc<Session>],
    metrics: &[Metric],
) -> Result<(), Fault> {
    let Some(room) = page.first().map(|session| &*session.room) else { return Ok(()) };
    let mut users: Vec<String> = Vec::new();
    for session in page {
        if !users.contains(&session.user) {
            users.push(session.user.clone());
        }
    }
    // Those of other pages too: a point belongs to whichever stay of its user contains it.
    let query = SessionQuery {
        app: asked.app,
        comm_id: &asked.comm_id,
        from_s: asked.window.from_s,
        to_s: asked.window.to_s,
        users: Some(&users),
        skip: 0,
        take: limits::STAYS_MAX,
        now: context.now,
        horizon: context.horizon(),
    };
    let sessions = context.store.sessions(&query).await.map_err(database)?;
    let (mut points, mut is_first) = (0, true);
    for user in &users {
        let own = sessions.iter().filter(|session| session.user == *user).map(|session| &**session);
        let stays = Stays::of(own, asked.window, context.now);
        for flow in quality::flows(context, (asked.app, room), user, &stays).await? {
            let asked = metrics.iter().filter_map(|metric| Some((*metric, flow.metrics.get(metric)?)));
            for (metric, series) in asked {
                points += series.len();
                if points > limits::METRIC_POINTS_MAX {
                    return Err(Fault::own(
                        ErrorCode::ResponseSizeLimitExceeded,
                        Text::new(
                            "There are more than {0} points; ask for fewer users or metrics, or a shorter window.",
                            "数据点超过 {0} 个；请减少用户或指标，或缩短时间范围。",
                        ),
                        &[&limits::METRIC_POINTS_MAX],
                    ));
                }
                json.raw(if is_first { b"{\"Content\":[" } else { b",{\"Content\":[" });
                is_first = false;
                write_points(json, series);
                json.raw(b"],\"PeerId\":");
                json.text(&flow.peer);
                json.raw(b",\"UserId\":");
                json.text(user);
                json.raw(b",\"DataType\":");
                json.text(metric.name());
                json.raw(b"}");
            }
        }
    }
    Ok(())
}

fn write_points(json: &mut Json, points: &Points) {
    for (place, (at, value)) in points.iter().enumerate() {
        json.raw(if place == 0 { b"{\"Time\":" } else { b",{\"Time\":" });
        json.number(second(*at));
        json.raw(b",\"Value\":");
        json.float(*value);
        json.raw(b"}");
    }
}
