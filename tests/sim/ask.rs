//! Questions: which are asked, and how they are signed.

use rollbook::actions::{Account, Key, Policy};
use rollbook::limits::{Edition, Secret};
use rollbook::records::{Call, Millis, Session};
use rollbook::wire::{self, sign};
use serde_json::{Value, json};

use crate::op::Draws;
use crate::senders::{APP, OTHER_APP};

const HOST: &str = "127.0.0.1:9180";
/// The largest page.
pub(crate) const PAGE_ROWS: usize = 100;
/// A time behind every room.
const END_S: i64 = 4_000_000_000;

/// A question before it is signed.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) action: &'static str,
    pub(crate) params: Value,
    /// It goes as GET; only where all parameters are numbers.
    pub(crate) by_get: bool,
}

/// A key, as a client has it.
#[derive(Debug, Clone)]
pub(crate) struct ClientKey {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl ClientKey {
    /// The n-th key.
    pub(crate) fn new(number: usize) -> ClientKey {
        ClientKey { id: format!("AKID{number}"), secret: format!("secret {number}") }
    }
}

/// What the API allows while this key is the right one.
pub(crate) fn policy(key: &ClientKey, retention_days: u32) -> Policy {
    let account = |name: &str, id: &str, secret: &str, apps| Account {
        name: name.to_owned(),
        edition: Edition::Advanced,
        keys: vec![Key {
            secret_id: id.to_owned(),
            secret_key: Secret::new(secret),
            token: None,
            expires_at_s: None,
        }],
        apps,
    };
    Policy {
        accounts: vec![
            account("main", &key.id, &key.secret, vec![APP]),
            account("other", "AKIDother", "other", vec![OTHER_APP]),
        ],
        requests_per_second: 0,
        history_days: 0,
        user_window_hours: 0,
        room_window_hours: 0,
        retention_days,
        ..Policy::default()
    }
}

/// A request as it is on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    method: &'static str,
    pub(crate) target: String,
    headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Signed {
    pub(crate) fn new(question: &Question, key: &ClientKey, now: Millis) -> Signed {
        let body = question.params.to_string().into_bytes();
        let post = sign::Post {
            secret_id: &key.id,
            secret_key: &key.secret,
            token: "",
            host: HOST,
            action: question.action,
            region: "ap-guangzhou",
            timestamp_s: now.secs().unsigned_abs(),
            body: &body,
        };
        if !question.by_get {
            let headers = sign::post(&post);
            return Signed { method: "POST", target: "/".to_owned(), headers, body };
        }
        let fields = question.params.as_object().expect("an object");
        let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let query = pairs.join("&");
        let (headers, _) = sign::call_steps(&post, Some(&query));
        Signed { method: "GET", target: format!("/?{query}"), headers, body: Vec::new() }
    }

    pub(crate) fn headers(&self) -> Vec<(&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect()
    }

    pub(crate) fn request<'a>(&'a self, headers: &'a [(&'a str, &'a [u8])]) -> wire::Request<'a> {
        wire::Request {
            method: self.method,
            target: &self.target,
            headers,
            body: wire::Body::Whole(&self.body),
        }
    }
}

/// The question for all rooms.
pub(crate) fn all_rooms() -> Question {
    let params = json!({ "SdkAppId": APP.0, "StartTime": 1, "EndTime": END_S, "PageNumber": 0, "PageSize": PAGE_ROWS });
    Question { action: "DescribeRoomInfo", params, by_get: true }
}

/// Questions about everything, and about some of these calls.
pub(crate) fn questions(calls: &[(Call, Vec<Session>)], draws: &mut Draws) -> Vec<Question> {
    let post = |action, params| Question { action, params, by_get: false };
    let days = json!({ "SdkAppId": APP.0, "StartTime": 1, "EndTime": END_S });
    let mut asked = vec![all_rooms(), post("DescribeScaleInfo", days)];
    asked.extend(questions_about(calls, 3, draws));
    asked
}

/// Questions about some of these calls.
pub(crate) fn questions_about(
    calls: &[(Call, Vec<Session>)],
    count: usize,
    draws: &mut Draws,
) -> Vec<Question> {
    let post = |action, params| Question { action, params, by_get: false };
    let mut asked = Vec::new();
    for _ in 0..if calls.is_empty() { 0 } else { count } {
        let (call, sessions) = draws.pick(calls);
        let comm_id = call.comm_id.as_str();
        let begin_s = call.created.secs() + draws.between(-60, 300);
        let call_at = |from_s: i64, to_s: i64| json!({ "SdkAppId": APP.0, "CommId": comm_id, "StartTime": from_s, "EndTime": to_s });
        let mut page = call_at(1, END_S);
        page["PageNumber"] = json!(draws.below(2));
        page["PageSize"] = json!(1 + draws.below(PAGE_ROWS));
        asked.push(post("DescribeUserInfo", page));
        let mut detail = call_at(begin_s, begin_s + draws.between(0, 3_600));
        detail["DataType"] = json!(["all"]);
        if let Some(user) = (!sessions.is_empty()).then(|| &draws.pick(sessions).user) {
            let mut events = call_at(1, END_S);
            (events["UserId"], events["RoomId"]) = (json!(user), json!(call.room));
            asked.push(post("DescribeUserEvent", events));
            detail["UserIds"] = json!([user]);
            let mut named = call_at(begin_s, begin_s + draws.between(0, 90_000));
            named["UserIds"] = json!([user, "bob"]);
            asked.push(post("DescribeUserInfo", named));
        }
        asked.push(post("DescribeCallDetailInfo", detail));
        let unusual = json!({ "SdkAppId": APP.0, "StartTime": begin_s, "EndTime": begin_s + 3_600 });
        asked.push(post("DescribeUnusualEvent", unusual));
        let rooms = json!({ "SdkAppId": APP.0, "StartTime": begin_s, "EndTime": begin_s + 86_400 });
        asked.push(Question { action: "DescribeRoomInfo", params: rooms, by_get: draws.once_in(2) });
    }
    asked
}
