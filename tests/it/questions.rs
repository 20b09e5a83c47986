//! What the actions refuse and what they answer, rule by rule (contract sections 8 to 12).

use std::sync::atomic::Ordering;

use rollbook::actions::Policy;
use rollbook::limits::Edition;
use rollbook::records::{AppId, Attr, Call, Event, Kind, Millis, Session};
use rollbook::store::{Memory, Store as _};
use serde_json::{Value, json};

use crate::canned::{APP, Ask, Canned, ID, NOW, OTHER_APP, TOKEN, World, call, policy, session};

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
/// When the call of most tests began.
const BEGIN: i64 = NOW - 2 * HOUR;

/// A call of eight users who came in minute by minute; the last is still inside.
fn big_call() -> (Call, Vec<Session>) {
    let sessions = (0..8)
        .map(|n| session("42", &format!("u{n}"), BEGIN + 60 * n, (n < 7).then_some(BEGIN + HOUR)))
        .collect();
    (call(APP, "42", BEGIN, None), sessions)
}

fn world() -> World {
    World::new(policy(), vec![big_call()])
}

/// Parameters of DescribeUserInfo for the big call, changed: `null` takes a key away.
fn user_params(changes: Value) -> String {
    let params = json!({
        "CommId": format!("{APP}_42_{BEGIN}"), "StartTime": BEGIN, "EndTime": BEGIN + HOUR, "SdkAppId": APP,
    });
    changed(params, changes)
}

fn room_params(changes: Value) -> String {
    changed(json!({"SdkAppId": APP, "StartTime": BEGIN, "EndTime": BEGIN + HOUR}), changes)
}

fn event_params(changes: Value) -> String {
    let params = json!({
        "CommId": format!("{APP}_42_{BEGIN}"), "StartTime": BEGIN, "EndTime": BEGIN + HOUR, "SdkAppId": APP,
        "UserId": "u0", "RoomId": "42",
    });
    changed(params, changes)
}

fn changed(mut params: Value, changes: Value) -> String {
    for (name, value) in changes.as_object().unwrap() {
        params[name] = value.clone();
    }
    params.to_string()
}

fn users(response: &Value) -> Vec<&str> {
    let list = response["UserList"].as_array().unwrap_or_else(|| panic!("no list in {response}"));
    assert_eq!(response["Total"], list.len(), "Total is the length of the list");
    list.iter().map(|row| row["UserId"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_reply_has_the_published_fields_in_their_order() {
    let mut sessions =
        vec![session("42", "a\"b", BEGIN, Some(BEGIN + 60)), session("42", "late", BEGIN + 1, None)];
    sessions[1].attrs.clear();
    sessions[1].attrs.insert(Attr::Device, "iPhone 17".into());
    let world = World::new(policy(), vec![(call(APP, "42", BEGIN, None), sessions)]);
    let reply = world.reply(Ask::of("DescribeUserInfo"), &user_params(json!({})), &[]).await;
    let (later, end) = (BEGIN + 1, BEGIN + 60);
    let expected = format!(
        "{{\"Response\":{{\"Total\":2,\"UserList\":[\
         {{\"RoomStr\":\"42\",\"UserId\":\"late\",\"JoinTs\":{later},\"LeaveTs\":{NOW},\"Finished\":false,\
         \"DeviceType\":\"iPhone 17\",\"SdkVersion\":\"\",\"ClientIp\":\"\"}},\
         {{\"RoomStr\":\"42\",\"UserId\":\"a\\\"b\",\"JoinTs\":{BEGIN},\"LeaveTs\":{end},\"Finished\":true,\
         \"DeviceType\":\"iOS\",\"SdkVersion\":\"4.3.14\",\"ClientIp\":\"10.4.1.13\"}}],\
         \"RequestId\":\"{ID}\"}}}}"
    );
    assert_eq!(String::from_utf8(reply.body).unwrap(), expected);
    assert_eq!((reply.action, reply.code), ("DescribeUserInfo", None));

    let reply = world.reply(Ask::of("DescribeRoomInfo"), &room_params(json!({})), &[]).await;
    let expected = format!(
        "{{\"Response\":{{\"Total\":1,\"RoomList\":[{{\"CommId\":\"{APP}_42_{BEGIN}\",\"RoomString\":\"42\",\
         \"CreateTime\":{BEGIN},\"DestroyTime\":{NOW},\"IsFinished\":false,\"UserId\":\"alice\"}}],\
         \"RequestId\":\"{ID}\"}}}}"
    );
    assert_eq!(String::from_utf8(reply.body).unwrap(), expected);
}

#[tokio::test]
async fn sessions_overlap_the_window_and_the_newest_join_is_first() {
    let sessions = vec![
        session("42", "b", BEGIN + 10, Some(BEGIN + 20)),
        session("42", "a", BEGIN + 10, Some(BEGIN + 15)),
        session("42", "a", BEGIN + 10, Some(BEGIN + 20)),
        session("42", "open", BEGIN, None),
        session("42", "before", BEGIN, Some(BEGIN + 9)),
        session("42", "after", BEGIN + 21, None),
    ];
    let world = World::new(policy(), vec![(call(APP, "42", BEGIN, None), sessions)]);
    let check = async |from: i64, to: i64, expected: &[&str]| {
        let params = user_params(json!({"StartTime": from, "EndTime": to}));
        let answer = world.ask(Ask::of("DescribeUserInfo"), &params).await;
        assert_eq!(users(&answer), expected, "{from} to {to}");
    };
    check(BEGIN + 20, BEGIN + 20, &["a", "b", "open"]).await;
    check(BEGIN + 10, BEGIN + 10, &["a", "a", "b", "open"]).await;
    check(BEGIN + 9, BEGIN + 9, &["before", "open"]).await;
    check(NOW, NOW, &["after", "open"]).await;
    check(NOW + 1, NOW + 1, &[]).await;
    check(BEGIN - 9, BEGIN - 1, &[]).await;
}

#[tokio::test]
async fn nobody_leaves_before_joining() {
    let ahead = NOW + 5;
    let sessions = vec![session("42", "a", ahead, None)];
    let world = World::new(policy(), vec![(call(APP, "42", ahead, None), sessions)]);
    let params =
        user_params(json!({"CommId": format!("{APP}_42_{ahead}"), "StartTime": NOW, "EndTime": ahead}));
    let row = world.ask(Ask::of("DescribeUserInfo"), &params).await["UserList"][0].take();
    assert_eq!(
        (&row["JoinTs"], &row["LeaveTs"], &row["Finished"]),
        (&json!(ahead), &json!(ahead), &json!(false))
    );
    let params = room_params(json!({"StartTime": NOW, "EndTime": ahead}));
    let row = world.ask(Ask::of("DescribeRoomInfo"), &params).await["RoomList"][0].take();
    assert_eq!((&row["CreateTime"], &row["DestroyTime"]), (&json!(ahead), &json!(ahead)));
}

#[tokio::test]
async fn pages_have_their_defaults_and_do_not_overflow() {
    let world = world();
    let check = async |changes: Value, expected: &[&str]| {
        let answer = world.ask(Ask::of("DescribeUserInfo"), &user_params(changes.clone())).await;
        assert_eq!(users(&answer), expected, "{changes}");
    };
    let six = ["u7", "u6", "u5", "u4", "u3", "u2"];
    check(json!({}), &six).await;
    check(json!({"PageNumber": 1}), &["u1", "u0"]).await;
    check(json!({"PageSize": 2}), &six).await;
    check(json!({"PageNumber": 0, "PageSize": 2}), &six[..2]).await;
    check(json!({"PageNumber": 3, "PageSize": 2}), &["u1", "u0"]).await;
    check(json!({"PageNumber": 4, "PageSize": 2}), &[]).await;
    check(json!({"PageNumber": u64::MAX, "PageSize": 100}), &[]).await;
    let everybody: Vec<String> = (0..8).map(|n| format!("u{n}")).collect();
    check(json!({"UserIds": everybody}), &six).await;
    let check = async |changes: Value, expected: &str| {
        let code = world.code(Ask::of("DescribeUserInfo"), &user_params(changes.clone())).await;
        assert_eq!(code, expected, "{changes}");
    };
    check(json!({"PageSize": 0}), "InvalidParameter.PageSize").await;
    check(json!({"PageNumber": 0, "PageSize": 0}), "InvalidParameter.PageSize").await;
    check(json!({"PageSize": 101}), "InvalidParameter.PageSizeOversize").await;
    check(json!({"PageSize": u64::MAX}), "InvalidParameter.PageSizeOversize").await;
    check(json!({"PageSize": 100}), "").await;
    check(json!({"PageNumber": -1}), "InvalidParameter").await;
}

#[tokio::test]
async fn named_users_are_looked_up_once_each() {
    let world = world();
    let check = async |named: Value, expected: Result<&[&str], &str>| {
        let params = user_params(json!({"UserIds": named, "PageNumber": 0, "PageSize": 100}));
        let answer = world.ask(Ask::of("DescribeUserInfo"), &params).await;
        match expected {
            Ok(expected) => assert_eq!(users(&answer), expected, "{named}"),
            Err(code) => assert_eq!(answer["Error"]["Code"], code, "{named}"),
        }
    };
    check(json!(["u1", "u3", "u1"]), Ok(&["u3", "u1"])).await;
    check(json!(["", "u1", "nobody"]), Ok(&["u1"])).await;
    check(json!([""]), Ok(&[])).await;
    check(json!([]), Ok(&["u7", "u6", "u5", "u4", "u3", "u2", "u1", "u0"])).await;
    let many = |n: usize| (0..n).map(|n| format!("u{n}")).collect::<Vec<_>>();
    check(json!(many(100)), Ok(&["u7", "u6", "u5", "u4", "u3", "u2", "u1", "u0"])).await;
    check(json!(many(101)), Err("InvalidParameter.UserIdsMorethanSix")).await;
    check(json!(many(5_000)), Err("InvalidParameter.UserIdsMorethanSix")).await;
    check(json!(["a", 1]), Err("InvalidParameter")).await;
    check(json!([null]), Err("InvalidParameter")).await;
    check(json!("u1"), Err("InvalidParameter")).await;
}

#[tokio::test]
async fn windows_are_bounded_and_each_bound_has_its_code() {
    let world = world();
    let check = async |action: &str, start: i64, end: i64, expected: &str| {
        let changes = json!({"StartTime": start, "EndTime": end});
        let params = match action {
            "DescribeRoomInfo" | "DescribeScaleInfo" | "DescribeUnusualEvent" => room_params(changes),
            "DescribeUserEvent" => event_params(changes),
            _ => user_params(changes),
        };
        assert_eq!(world.code(Ask::of(action), &params).await, expected, "{action} {start} to {end}");
    };
    let edge = NOW - 14 * DAY;
    for (action, reversed, longest) in [
        ("DescribeUserInfo", "InvalidParameter.StartTs", Some(4 * HOUR)),
        ("DescribeCallDetailInfo", "InvalidParameter.StartTs", Some(4 * HOUR)),
        ("DescribeRoomInfo", "InvalidParameter.EndTs", Some(24 * HOUR)),
        ("DescribeUnusualEvent", "InvalidParameter.EndTs", Some(HOUR)),
        ("DescribeUserEvent", "InvalidParameter.EndTs", None),
        ("DescribeScaleInfo", "InvalidParameter.EndTs", None),
    ] {
        check(action, 0, 0, "InvalidParameter.StartTs").await;
        check(action, NOW, 0, reversed).await;
        check(action, NOW, NOW - 1, reversed).await;
        check(action, NOW, NOW, "").await;
        check(action, edge, edge, "").await;
        check(action, edge - 1, edge, "InvalidParameter.StartTsOversize").await;
        check(action, 1, 1, "InvalidParameter.StartTsOversize").await;
        check(action, NOW + DAY, NOW + DAY, "").await;
        match longest {
            Some(longest) => {
                check(action, NOW - HOUR, NOW - HOUR + longest, "").await;
                check(action, NOW - HOUR, NOW - HOUR + longest + 1, "InvalidParameter.QueryScaleOversize")
                    .await;
                check(action, NOW, i64::MAX, "InvalidParameter.QueryScaleOversize").await;
            }
            None => check(action, NOW - DAY, i64::MAX, "").await,
        }
    }
    let params = user_params(json!({"StartTime": u64::MAX, "EndTime": u64::MAX}));
    assert_eq!(users(&world.ask(Ask::of("DescribeUserInfo"), &params).await), [""; 0]);
    let params = user_params(json!({"StartTime": u64::MAX, "EndTime": 1}));
    assert_eq!(world.code(Ask::of("DescribeUserInfo"), &params).await, "InvalidParameter.StartTs");
}

#[tokio::test]
async fn editions_and_history_bound_how_far_back_one_may_ask() {
    let check = async |edition, history_days, days_ago: i64, extra_s: i64, expected: &str| {
        let mut policy = Policy { history_days, ..policy() };
        policy.accounts[0].edition = edition;
        let world = World::new(policy, Vec::new());
        let start = NOW - days_ago * DAY - extra_s;
        for action in ["DescribeUserInfo", "DescribeRoomInfo", "DescribeCallDetailInfo"] {
            let changes = json!({"StartTime": start, "EndTime": start});
            let is_room = action == "DescribeRoomInfo";
            let params = if is_room { room_params(changes) } else { user_params(changes) };
            let code = world.code(Ask::of(action), &params).await;
            assert_eq!(code, expected, "{action} {edition:?}, {history_days} days, {days_ago} ago");
        }
        // These three carry no note about editions.
        let expected = if expected == "InvalidParameter.StartTimeOversize" { "" } else { expected };
        let times = json!({"StartTime": start, "EndTime": start});
        assert_eq!(world.code(Ask::of("DescribeScaleInfo"), &room_params(times.clone())).await, expected);
        assert_eq!(world.code(Ask::of("DescribeUnusualEvent"), &room_params(times.clone())).await, expected);
        assert_eq!(world.code(Ask::of("DescribeUserEvent"), &event_params(times)).await, expected);
    };
    let (history, edition) = ("InvalidParameter.StartTsOversize", "InvalidParameter.StartTimeOversize");
    check(Edition::Advanced, 14, 14, 0, "").await;
    check(Edition::Advanced, 14, 14, 1, history).await;
    check(Edition::Advanced, 90, 90, 0, "").await;
    check(Edition::Advanced, 0, 9_000, 0, "").await;
    check(Edition::Basic, 14, 7, 0, "").await;
    check(Edition::Basic, 14, 7, 1, edition).await;
    check(Edition::Basic, 14, 14, 1, history).await;
    check(Edition::Basic, 3, 3, 0, "").await;
    check(Edition::Basic, 3, 3, 1, history).await;
    check(Edition::Basic, 0, 8, 0, edition).await;
    check(Edition::Free, 14, 0, 0, edition).await;
    check(Edition::Free, 14, 14, 1, history).await;
    check(Edition::Free, 0, 900, 0, edition).await;
}

#[tokio::test]
async fn an_application_must_be_the_callers_and_the_calls() {
    let world = world();
    let check = async |action: &str, changes: Value, expected: &str| {
        let is_event = action == "DescribeUserEvent" || action == "DescribeDetailEvent";
        let params = if is_event { event_params(changes.clone()) } else { user_params(changes.clone()) };
        assert_eq!(world.code(Ask::of(action), &params).await, expected, "{action} {changes}");
    };
    for action in ["DescribeUserInfo", "DescribeCallDetailInfo"] {
        check(action, json!({"SdkAppId": 0}), "InvalidParameter.SdkAppId").await;
        check(action, json!({"SdkAppId": OTHER_APP}), "InvalidParameter.SdkAppid").await;
        check(action, json!({"SdkAppId": u64::MAX}), "InvalidParameter.SdkAppid").await;
        check(action, json!({"SdkAppId": APP + 1}), "InvalidParameter.SdkAppId").await;
        check(action, json!({"CommId": ""}), "MissingParameter.CommId").await;
        check(action, json!({"CommId": "", "SdkAppId": 0}), "MissingParameter.CommId").await;
        check(action, json!({"SdkAppId": 0, "StartTime": 0}), "InvalidParameter.SdkAppId").await;
        check(action, json!({"CommId": "99_x_1", "StartTime": 0}), "InvalidParameter.SdkAppId").await;
        check(action, json!({"StartTime": 0, "PageSize": 0}), "InvalidParameter.StartTs").await;
        for unknown in ["x", "_", "x_y_z", "14_", &format!("{APP}_42_1"), &"é".repeat(500)] {
            let expected = if unknown == "14_" { "InvalidParameter.SdkAppId" } else { "" };
            check(action, json!({"CommId": unknown}), expected).await;
        }
    }
    check("DescribeUserEvent", json!({"SdkAppId": 0}), "InvalidParameter.SdkAppid").await;
    check("DescribeUserEvent", json!({"SdkAppId": OTHER_APP}), "InvalidParameter.SdkAppid").await;
    check("DescribeUserEvent", json!({"SdkAppId": APP + 1}), "InvalidParameter.SdkAppid").await;
    check("DescribeUserEvent", json!({"UserId": ""}), "MissingParameter.UserId").await;
    check("DescribeUserEvent", json!({"RoomId": ""}), "MissingParameter.RoomId").await;
    check("DescribeUserEvent", json!({"RoomId": "other"}), "").await;
    check("DescribeUserEvent", json!({"SdkAppId": null}), "MissingParameter").await;
    check("DescribeDetailEvent", json!({"SdkAppId": null}), "").await;
    check("DescribeDetailEvent", json!({"SdkAppId": null, "CommId": "nothing"}), "").await;
    let foreign = format!("{OTHER_APP}_42_1");
    check("DescribeDetailEvent", json!({"SdkAppId": null, "CommId": foreign}), "InvalidParameter.SdkAppid")
        .await;
}

/// The answers to the other account are the same, byte for byte, whether its question hits something or not.
#[tokio::test]
async fn two_accounts_cannot_tell_whether_the_others_call_exists() {
    let with = world();
    let without = World::new(policy(), Vec::new());
    for (action, params) in [
        ("DescribeUserInfo", user_params(json!({"SdkAppId": OTHER_APP}))),
        ("DescribeUserInfo", user_params(json!({}))),
        ("DescribeUserInfo", user_params(json!({"UserIds": ["u1"]}))),
        ("DescribeUserInformation", user_params(json!({"SdkAppId": OTHER_APP.to_string()}))),
        ("DescribeRoomInfo", room_params(json!({"SdkAppId": OTHER_APP}))),
        ("DescribeRoomInfo", room_params(json!({"RoomId": "42"}))),
        ("DescribeCallDetailInfo", user_params(json!({"SdkAppId": OTHER_APP, "DataType": ["all"]}))),
        ("DescribeUserEvent", event_params(json!({"SdkAppId": OTHER_APP}))),
        ("DescribeDetailEvent", event_params(json!({"SdkAppId": null}))),
        ("DescribeScaleInfo", room_params(json!({"SdkAppId": OTHER_APP}))),
        ("DescribeHistoryScale", room_params(json!({}))),
        ("DescribeUnusualEvent", room_params(json!({"SdkAppId": OTHER_APP}))),
        ("DescribeAbnormalEvent", room_params(json!({"RoomId": "42"}))),
    ] {
        let ask = Ask { key: "second", ..Ask::of(action) };
        assert_eq!(with.ask(ask, &params).await, without.ask(ask, &params).await, "{action} {params}");
    }
    assert_eq!(users(&with.ask(Ask::of("DescribeUserInfo"), &user_params(json!({}))).await).len(), 6);
}

#[tokio::test]
async fn rooms_are_listed_by_room_and_window() {
    let calls = vec![
        (call(APP, "42", BEGIN, Some(BEGIN + HOUR)), Vec::new()),
        (call(APP, "42", BEGIN + HOUR + 9, None), Vec::new()),
        (call(APP, "a b", BEGIN - 3 * DAY, None), Vec::new()),
        (call(OTHER_APP, "42", BEGIN, None), Vec::new()),
    ];
    let world = World::new(policy(), calls);
    let check = async |changes: Value, expected: &[i64]| {
        let answer = world.ask(Ask::of("DescribeRoomInfo"), &room_params(changes.clone())).await;
        let rows = answer["RoomList"].as_array().unwrap();
        let created: Vec<i64> = rows.iter().map(|row| row["CreateTime"].as_i64().unwrap()).collect();
        assert_eq!(created, expected, "{changes}");
        assert_eq!(answer["Total"], rows.len());
    };
    check(json!({}), &[BEGIN, BEGIN - 3 * DAY]).await;
    check(json!({"EndTime": NOW}), &[BEGIN + HOUR + 9, BEGIN, BEGIN - 3 * DAY]).await;
    check(json!({"EndTime": NOW, "RoomId": "42"}), &[BEGIN + HOUR + 9, BEGIN]).await;
    check(json!({"EndTime": NOW, "RoomId": ""}), &[BEGIN + HOUR + 9, BEGIN, BEGIN - 3 * DAY]).await;
    check(json!({"RoomId": "4"}), &[]).await;
    check(json!({"PageNumber": 1, "PageSize": 1}), &[BEGIN - 3 * DAY]).await;
    let many = (0..12).map(|n| (call(APP, &n.to_string(), BEGIN + n, None), Vec::new())).collect();
    let world = World::new(policy(), many);
    let rows = world.ask(Ask::of("DescribeRoomInfo"), &room_params(json!({"PageSize": 12}))).await;
    assert_eq!(rows["Total"], 10, "without PageNumber the page has ten");
    let rows = world.ask(Ask::of("DescribeRoomInfo"), &room_params(json!({"PageNumber": 1}))).await;
    assert_eq!(rows["Total"], 2);
    let rows =
        world.ask(Ask::of("DescribeRoomInfo"), &room_params(json!({"PageNumber": 0, "PageSize": 12}))).await;
    assert_eq!(rows["Total"], 12);
}

#[tokio::test]
async fn old_names_take_text_and_fewer_users() {
    let world = world();
    let app = APP.to_string();
    let check = async |action: &str, changes: Value, expected: &str| {
        let params = if action == "DescribeRoomInformation" {
            room_params(changes.clone())
        } else {
            user_params(changes.clone())
        };
        assert_eq!(world.code(Ask::of(action), &params).await, expected, "{action} {changes}");
    };
    for action in ["DescribeUserInformation", "DescribeRoomInformation", "DescribeCallDetail"] {
        check(action, json!({"SdkAppId": app, "PageNumber": "0", "PageSize": "6"}), "").await;
        check(action, json!({"SdkAppId": APP, "PageNumber": 0, "PageSize": 6}), "").await;
        check(action, json!({"SdkAppId": app, "PageNumber": "", "PageSize": ""}), "").await;
        check(action, json!({"SdkAppId": ""}), "MissingParameter.SdkAppId").await;
        check(action, json!({"SdkAppId": "0"}), "InvalidParameter.SdkAppId").await;
        check(action, json!({"SdkAppId": "x"}), "InvalidParameter").await;
        check(action, json!({"SdkAppId": "-1"}), "InvalidParameter").await;
        check(action, json!({"SdkAppId": null}), "MissingParameter").await;
        check(action, json!({"SdkAppId": app, "PageSize": "101"}), "InvalidParameter.PageSizeOversize").await;
        check(action, json!({"StartTime": BEGIN.to_string()}), "InvalidParameter").await;
    }
    let some = |n: usize| vec!["u"; n];
    for action in ["DescribeUserInformation", "DescribeCallDetail"] {
        check(action, json!({"UserIds": some(6)}), "").await;
        check(action, json!({"UserIds": some(7)}), "InvalidParameter.UserIdsMorethanSix").await;
    }
    check("DescribeUserInformation", json!({"UserIds": some(6), "PageSize": 100}), "").await;
    check("DescribeCallDetail", json!({"PageSize": 100}), "").await;
    check("DescribeCallDetail", json!({"UserIds": some(1), "PageSize": 7}), "InvalidParameter.PageSize")
        .await;
    check("DescribeUserInfo", json!({"SdkAppId": app}), "InvalidParameter").await;
    let params = user_params(json!({"SdkAppId": app}));
    let old = world.ask(Ask::of("DescribeUserInformation"), &params).await;
    let new = world.ask(Ask::of("DescribeUserInfo"), &user_params(json!({}))).await;
    assert_eq!(old, new);
    let history = room_params(json!({"SdkAppId": app}));
    assert_eq!(world.code(Ask::of("DescribeHistoryScale"), &history).await, "");
    assert_eq!(world.code(Ask::of("DescribeAbnormalEvent"), &history).await, "");
}

#[tokio::test]
async fn metrics_narrow_the_question() {
    let world = world();
    let check = async |changes: Value, expected: &str| {
        let code = world.code(Ask::of("DescribeCallDetailInfo"), &user_params(changes.clone())).await;
        assert_eq!(code, expected, "{changes}");
    };
    check(json!({"DataType": ["rtt", "all", "rtt"]}), "").await;
    check(json!({"DataType": ["RTT"]}), "InvalidParameter").await;
    check(json!({"DataType": [""]}), "InvalidParameter").await;
    check(json!({"DataType": []}), "").await;
    let long = BEGIN + HOUR + 1;
    check(json!({"DataType": [], "EndTime": long, "PageSize": 100}), "").await;
    check(json!({"DataType": ["all"], "EndTime": long}), "InvalidParameter.QueryScaleOversize").await;
    check(json!({"DataType": ["all"], "PageSize": 6}), "").await;
    check(json!({"DataType": ["all"], "PageSize": 7}), "InvalidParameter.PageSize").await;
    check(json!({"DataType": ["all"], "PageSize": 101}), "InvalidParameter.PageSizeOversize").await;
    check(json!({"DataType": ["all"], "UserIds": vec!["u"; 7]}), "InvalidParameter.UserIdsMorethanSix").await;
    let answer =
        world.ask(Ask::of("DescribeCallDetailInfo"), &user_params(json!({"DataType": ["all"]}))).await;
    assert_eq!(users(&answer).len(), 6);
    assert_eq!(answer["Data"], json!([]));
}

#[tokio::test]
async fn daily_figures_count_each_day_by_the_join() {
    // 2026-11-22T16:00Z: midnight in UTC+8, four hours ago.
    let today = NOW - 4 * HOUR;
    let (yesterday, before) = (today - DAY, today - 2 * DAY);
    let stay = |room: &str, user: &str, joined: i64, left: Option<i64>| {
        let told = |kind, at| Event::new(AppId(APP), "trtc", room, user, kind, Millis::from_secs(at));
        let left = left.map(|left| told(Kind::UserLeft, left));
        std::iter::once(told(Kind::UserJoined, joined)).chain(left).collect::<Vec<Event>>()
    };
    let world = async |policy: Policy, stays: &[Vec<Event>]| {
        let memory = Memory::default();
        memory.append(stays.concat()).await.unwrap();
        World::over(policy, Canned { memory, ..Canned::default() })
    };
    let stays = [
        stay("42", "a", before, Some(before + 60)),
        stay("42", "a", yesterday - 1, Some(yesterday + 60)),
        stay("42", "b", yesterday, Some(today - 9)),
        stay("42", "c", today, None),
        stay("7", "a", yesterday + 9, Some(yesterday + 10)),
        stay("42", "b", today - 1, Some(today)),
    ];
    let all = world(policy(), &stays).await;
    let row = |time: i64, rooms: u64, users: u64, count: u64| json!({"Time": time, "RoomNumbers": rooms, "UserNumber": users, "UserCount": count});
    let check = async |from: i64, to: i64, expected: &[Value]| {
        let params = room_params(json!({"StartTime": from, "EndTime": to}));
        let answer = all.ask(Ask::of("DescribeScaleInfo"), &params).await;
        assert_eq!(answer["ScaleList"], json!(expected), "{from} to {to}");
        assert_eq!(answer["Total"], expected.len());
    };
    let (first, second) = (row(before, 1, 1, 2), row(yesterday, 2, 2, 3));
    check(before, NOW, &[second.clone(), first.clone()]).await;
    check(before - 5 * DAY, NOW, &[second.clone(), first.clone()]).await;
    check(before + 1, NOW, std::slice::from_ref(&second)).await;
    check(before, yesterday, &[first]).await;
    check(yesterday, yesterday, &[]).await;
    check(today, NOW, &[]).await;
    assert_eq!(
        all.store.asked.load(Ordering::Relaxed),
        4,
        "one look-up a question, none where no day is asked for"
    );
    let days = async |policy: Policy, stays: &[Vec<Event>]| {
        let params = room_params(json!({"StartTime": before - 3 * DAY, "EndTime": NOW}));
        world(policy, stays).await.ask(Ask::of("DescribeScaleInfo"), &params).await["ScaleList"].take()
    };
    // Quiet days are rows of zeros, from the first day with an entry on.
    let quiet = [stay("42", "a", before - DAY, Some(before - DAY + 1))];
    let rows = [row(yesterday, 0, 0, 0), row(before, 0, 0, 0), row(before - DAY, 1, 1, 1)];
    assert_eq!(days(policy(), &quiet).await, json!(rows));
    assert_eq!(days(policy(), &[]).await, json!([]));
    let counted = [second, row(before, 1, 1, 2)];
    // A day that begins before the horizon may have lost entries.
    for (retention_days, expected) in [(2, 1), (3, 2), (1, 0)] {
        let policy = Policy { retention_days, history_days: 0, ..policy() };
        assert_eq!(days(policy.clone(), &stays).await, json!(counted[..expected]));
        assert_eq!(days(policy, &quiet).await, json!(rows[..expected]), "{retention_days} days");
    }
}

#[tokio::test]
async fn calls_are_limited_by_account_and_action() {
    let mut policy = policy();
    policy.requests_per_second = 20;
    let world = World::new(policy, vec![big_call()]);
    let ask = Ask::of("DescribeUserInfo");
    let wrong = Ask { key: "temporary", ..ask };
    for _ in 0..30 {
        assert_eq!(world.code(wrong, &user_params(json!({}))).await, "AuthFailure.TokenFailure");
    }
    for n in 1..=20 {
        let body = if n % 2 == 0 { user_params(json!({})) } else { "{".to_owned() };
        assert_ne!(world.code(ask, &body).await, "RequestLimitExceeded", "call {n}");
    }
    for n in 21..=22 {
        let error = world.ask(ask, &user_params(json!({}))).await["Error"].take();
        assert_eq!(error["Code"], "RequestLimitExceeded");
        let expected = format!(
            "Your current request times equals to `{n}` in a second, which exceeds the frequency limit `20` for \
             a second. Please reduce the frequency of calls."
        );
        assert_eq!(error["Message"], expected);
    }
    let temporary = Ask { key: "temporary", token: TOKEN, ..ask };
    assert_eq!(world.code(temporary, &user_params(json!({}))).await, "RequestLimitExceeded", "same account");
    let second = Ask { key: "second", ..ask };
    assert_eq!(
        world.code(second, &user_params(json!({}))).await,
        "InvalidParameter.SdkAppid",
        "other account"
    );
    assert_eq!(world.code(Ask::of("DescribeRoomInfo"), &room_params(json!({}))).await, "", "other action");
    let later = Ask { now: NOW + 1, ..ask };
    assert_eq!(world.code(later, &user_params(json!({}))).await, "", "next second");
}

#[tokio::test]
async fn regions_are_checked_before_the_body() {
    let mut policy = policy();
    policy.extra_regions = vec!["my-cellar".into()];
    let world = World::new(policy, Vec::new());
    let check = async |action: &str, region: &str, expected: &str| {
        assert_eq!(world.code(Ask { region, ..Ask::of(action) }, "{").await, expected, "{action} {region}");
    };
    let accepted = "InvalidParameter.BodyParamsError";
    for region in ["ap-beijing", "ap-guangzhou", "ap-mumbai", "ap-singapore", "my-cellar"] {
        check("DescribeUserInfo", region, accepted).await;
        check("DescribeScaleInfo", region, accepted).await;
    }
    check("DescribeRoomInfo", "na-toronto", accepted).await;
    check("DescribeScaleInfo", "na-toronto", accepted).await;
    for action in [
        "DescribeUserInfo",
        "DescribeCallDetailInfo",
        "DescribeUserEvent",
        "DescribeUnusualEvent",
        "DescribeUserInformation",
    ] {
        check(action, "na-toronto", "UnsupportedRegion").await;
    }
    check("DescribeUserInfo", "eu-frankfurt", "UnsupportedRegion").await;
    check("DescribeUserInfo", "null", "InvalidParameterValue").await;
    check("DescribeUserInfo", "AP-SINGAPORE", "InvalidParameterValue").await;
    check("DescribeUserInfo", "", "MissingParameter").await;
    check("describeUserInfo", "null", "InvalidAction").await;
}

#[tokio::test]
async fn keys_have_tokens_and_ends() {
    let world = world();
    let check = async |key: &str, token: &str, expected: &str| {
        let ask = Ask { key, token, ..Ask::of("DescribeRoomInfo") };
        assert_eq!(world.code(ask, &room_params(json!({}))).await, expected, "{key} {token}");
    };
    check("main", "", "").await;
    check("main", "x", "AuthFailure.TokenFailure").await;
    check("temporary", TOKEN, "").await;
    check("temporary", "x", "AuthFailure.TokenFailure").await;
    check("temporary", "", "AuthFailure.TokenFailure").await;
    check("ended", TOKEN, "AuthFailure.TokenFailure").await;
    check("closed", "", "AuthFailure.SecretIdNotFound").await;
    check("nobody", "", "AuthFailure.SecretIdNotFound").await;
}

#[tokio::test]
async fn checks_come_in_their_order() {
    let world = world();
    let check = async |body: &str, expected: &str| {
        let error = world.ask(Ask::of("DescribeUserInfo"), body).await["Error"].take();
        let got = format!("{} {}", error["Code"].as_str().unwrap(), error["Message"].as_str().unwrap());
        assert!(got.starts_with(expected), "{body}: {got}");
    };
    check(r#"{"Foo":1,"SdkAppId":"x"}"#, "UnknownParameter The parameter `Foo` is not recognized.").await;
    check(
        r#"{"SdkAppId":"x"}"#,
        "InvalidParameter The value type of parameter `SdkAppId` is not valid, input type should be `uint64`.",
    )
    .await;
    check("{}", "MissingParameter The request is missing a required parameter `CommId`.").await;
    check(r#"{"CommId":"x"}"#, "MissingParameter The request is missing a required parameter `StartTime`.")
        .await;
    check(
        &user_params(json!({"UserIds": ["a", 1]})),
        "InvalidParameter The value type of parameter `UserIds.1`",
    )
    .await;
    check(&user_params(json!({})).replacen('{', r#"{"SdkAppId":1,"#, 1), "InvalidParameter.BodyParamsError")
        .await;
}

#[tokio::test]
async fn messages_speak_the_callers_language() {
    let world = world();
    let check = async |language: &str, expected: &str| {
        let ask = Ask { key: "nobody", ..Ask::of("DescribeUserInfo") };
        let reply = world.reply(ask, "{}", &[("X-TC-Language", language)]).await;
        let answer: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(answer["Response"]["Error"]["Message"], expected, "{language}");
    };
    check("zh-CN", "SecretId不存在，请输入正确的密钥。").await;
    for english in ["en-US", "fr-FR", ""] {
        check(english, "The SecretId is not found, please ensure that your SecretId is correct.").await;
    }
}

#[tokio::test]
async fn a_trace_id_goes_back_if_it_is_safe_in_a_header() {
    let world = world();
    for (sent, echoed) in [
        ("964d529d-ce4f-4037-90dd-c205d625cacb", true),
        ("", false),
        ("two words", false),
        ("line\r\nbreak", false),
        (&"x".repeat(129), false),
    ] {
        let reply = world.reply(Ask::of("DescribeUserInfo"), "{}", &[("x-tc-traceid", sent)]).await;
        assert_eq!(reply.trace_id.as_deref(), echoed.then_some(sent));
    }
}

#[tokio::test]
async fn a_store_that_fails_is_said_and_nothing_is_asked_before_the_checks() {
    let world = World::over(policy(), Canned { is_broken: true, ..Canned::default() });
    for bad in [json!({"PageSize": 0}), json!({"SdkAppId": OTHER_APP}), json!({"UserIds": [""]})] {
        assert_ne!(world.code(Ask::of("DescribeUserInfo"), &user_params(bad)).await, "InternalError.DBError");
    }
    assert_eq!(world.store.asked.load(Ordering::Relaxed), 0);
    for (action, params) in [
        ("DescribeUserInfo", user_params(json!({}))),
        ("DescribeRoomInfo", room_params(json!({}))),
        ("DescribeCallDetailInfo", user_params(json!({}))),
        ("DescribeScaleInfo", room_params(json!({"StartTime": NOW - 3 * DAY}))),
        ("DescribeUnusualEvent", room_params(json!({}))),
    ] {
        let error = world.ask(Ask::of(action), &params).await["Error"].take();
        assert_eq!(error["Code"], "InternalError.DBError", "{action}");
        assert!(!error["Message"].as_str().unwrap().contains("disk"), "what failed is for the log");
    }
    let code = world.code(Ask::of("DescribeUserEvent"), &event_params(json!({}))).await;
    assert_eq!(code, "InternalError.EsQueryError", "events know no other code");
    let (call, users) = big_call();
    let broken = Canned { calls: vec![(call, users)], has_no_samples: true, ..Canned::default() };
    let world = World::over(policy(), broken);
    for (action, params, expected) in [
        ("DescribeCallDetailInfo", user_params(json!({})), ""),
        ("DescribeCallDetailInfo", user_params(json!({"DataType": ["rtt"]})), "InternalError.EsQueryError"),
        ("DescribeUnusualEvent", room_params(json!({})), "InternalError.EsQueryError"),
    ] {
        assert_eq!(world.code(Ask::of(action), &params).await, expected, "{action} {params}");
    }
}

#[tokio::test]
async fn what_is_older_than_the_retention_is_not_shown() {
    let old = (
        call(APP, "42", NOW - 15 * DAY, Some(NOW - 15 * DAY + 9)),
        vec![session("42", "a", NOW - 15 * DAY, None)],
    );
    let params = room_params(json!({"StartTime": NOW - 15 * DAY, "EndTime": NOW - 15 * DAY + 9}));
    for (retention_days, expected) in [(14, 0), (16, 1), (0, 1)] {
        let policy = Policy { retention_days, history_days: 0, ..policy() };
        let world = World::new(policy, vec![old.clone()]);
        let answer = world.ask(Ask::of("DescribeRoomInfo"), &params).await;
        assert_eq!(answer["Total"], expected, "{retention_days} days");
    }
}
