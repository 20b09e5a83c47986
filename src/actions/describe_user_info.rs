//! DescribeUserInfo: the sessions of a call that overlap a window (contract section 9.1), and its old name
//! DescribeUserInformation.

use crate::limits;
use crate::records::{AppId, Attr, CommId, Millis, Session, device_type};
use crate::store::{SessionPage, SessionQuery, Store};
use crate::wire::{ErrorCode, Fault, Fields, Json, Params};

use super::question::{self, Page, Window, WindowRules};
use super::{Context, database};

/// The reply's fields.
pub(super) async fn answer<S: Store>(context: &Context<'_, S>, params: &Params<'_>) -> Result<Fields, Fault> {
    let most_users = if context.action.is_old() { limits::USER_IDS_FEW_MAX } else { limits::USER_IDS_MAX };
    let bounds = Bounds {
        window_s: question::hours(context.policy.user_window_hours),
        users: most_users,
        page_size: limits::PAGE_SIZE_MAX,
    };
    let page = sessions(context, &asked(context, params, bounds)?).await?;
    let mut json = Json::fields(room_for(&page));
    write_sessions(&mut json, &page, context.now);
    Ok(json.into_fields())
}

/// What bounds a question for the users of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// The longest window, in seconds.
    pub(super) window_s: Option<u64>,
    /// The most users.
    pub(super) users: usize,
    /// The largest page.
    pub(super) page_size: u64,
}

/// A question for the users of a call that passed every check.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) app: AppId,
    pub(super) comm_id: CommId,
    pub(super) window: Window,
    /// `None`: all of them.
    users: Option<Vec<String>>,
    page: Page,
}

/// Checks everything.
pub(super) fn asked<S>(
    context: &Context<'_, S>,
    params: &Params<'_>,
    bounds: Bounds,
) -> Result<Asked, Fault> {
    question::refuse_empty(params, "CommId", ErrorCode::MissingCommId)?;
    question::refuse_empty(params, "SdkAppId", ErrorCode::MissingSdkAppId)?;
    let app = question::app(context, params.number("SdkAppId").unwrap_or_default(), ErrorCode::SdkAppId)?;
    let comm_id = question::comm_id(params, app, ErrorCode::SdkAppId)?;
    let rules = WindowRules { reversed: ErrorCode::StartTs, by_edition: true, longest_s: bounds.window_s };
    let window = question::window(context, params, rules)?;
    let users = question::users(params, bounds.users)?;
    let page = question::page(params, limits::USER_PAGE_SIZE, bounds.page_size)?;
    Ok(Asked { app, comm_id, window, users, page })
}

/// Asks the store.
pub(super) async fn sessions<S: Store>(
    context: &Context<'_, S>,
    asked: &Asked,
) -> Result<SessionPage, Fault> {
    if asked.users.as_ref().is_some_and(Vec::is_empty) {
        return Ok(SessionPage::default());
    }
    let query = SessionQuery {
        app: asked.app,
        comm_id: &asked.comm_id,
        from_s: asked.window.from_s,
        to_s: asked.window.to_s,
        users: asked.users.as_deref(),
        skip: asked.page.skip,
        take: asked.page.take,
        now: context.now,
        horizon: context.horizon(),
    };
    context.store.sessions(&query).await.map_err(database)
}

/// Writes `Total` and `UserList`.
pub(super) fn write_sessions(json: &mut Json, page: &SessionPage, now: Millis) {
    if let Some(rendering) = page.rendering() {
        return json.raw(rendering);
    }
    let begin = json.written();
    json.raw(b"\"Total\":");
    json.number(u64::try_from(page.len()).unwrap_or(u64::MAX));
    json.raw(b",\"UserList\":[");
    for (at, session) in page.iter().enumerate() {
        if at > 0 {
            json.raw(b",");
        }
        // The user may have entered by a clock that is ahead of ours.
        write_session(json, session, session.left.unwrap_or_else(|| now.max(session.joined)));
    }
    json.raw(b"]");
    if page.iter().all(|session| session.left.is_some()) {
        page.leave_rendering(json.since(begin));
    }
}

/// The room for what is written of a page, in bytes.
pub(super) fn room_for(page: &SessionPage) -> usize {
    page.rendering().map_or_else(|| 48 + 192 * page.len(), <[u8]>::len)
}

fn write_session(json: &mut Json, session: &Session, left: Millis) {
    json.raw(b"{\"RoomStr\":");
    json.text(&session.room);
    json.raw(b",\"UserId\":");
    json.text(&session.user);
    json.raw(b",\"JoinTs\":");
    json.number(second(session.joined));
    json.raw(b",\"LeaveTs\":");
    json.number(second(left));
    json.raw(b",\"Finished\":");
    json.truth(session.left.is_some());
    json.raw(b",\"DeviceType\":");
    json.text(device_type(&session.attrs));
    json.raw(b",\"SdkVersion\":");
    json.text(session.attrs.get(&Attr::SdkVersion).map_or("", String::as_str));
    json.raw(b",\"ClientIp\":");
    json.text(session.attrs.get(&Attr::ClientIp).map_or("", String::as_str));
    json.raw(b"}");
}

/// A second as the wire has it: unsigned.
pub(super) fn second(at: Millis) -> u64 {
    u64::try_from(at.secs()).unwrap_or(0)
}
