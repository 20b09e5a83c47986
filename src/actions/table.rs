//! The table of actions: names, parameters, replies, errors. `docs/api.md` and the explorer are made from it.

use crate::wire::{ErrorCode, Kind, Param};

/// One action of the API.
#[derive(Debug)]
pub struct Action {
    /// The name; case matters.
    pub name: &'static str,
    /// Who answers it.
    pub handler: Handler,
    /// The name that replaced it, for the old names.
    pub replaced_by: Option<&'static str>,
    /// What it answers, in one sentence.
    pub summary: &'static str,
    /// What it takes, in the order in which absent parameters are reported.
    pub params: &'static [Param],
    /// What it answers, in the order of the reply.
    pub reply: &'static [Field],
    /// The codes of its own, beside the common ones.
    pub errors: &'static [ErrorCode],
    /// Where it is offered.
    pub regions: &'static [&'static str],
    /// An example of its parameters, as JSON.
    pub example: &'static str,
    /// What an answer to it looks like.
    pub example_reply: &'static str,
}

/// Who answers an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handler {
    /// The users of a call.
    UserInfo,
    /// The calls of an application.
    RoomInfo,
    /// The users of a call, and how good it was.
    CallDetailInfo,
    /// What happened to a user in a call.
    UserEvent,
    /// Daily figures.
    ScaleInfo,
    /// What users had to bear.
    UnusualEvent,
}

/// A field of a reply.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name; `List[].Name` for a field of a list's entries.
    pub name: &'static str,
    /// Its type on the wire.
    pub kind: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

impl Action {
    /// The action of that name.
    pub fn find(name: &str) -> Option<&'static Action> {
        ACTIONS.iter().find(|action| action.name == name)
    }

    /// Whether it is one of the names that were replaced.
    pub const fn is_old(&self) -> bool {
        self.replaced_by.is_some()
    }

    /// Where it stands in the table.
    pub(super) fn place(&self) -> usize {
        ACTIONS.iter().position(|action| action.name == self.name).unwrap_or_default()
    }
}

const USER_REGIONS: &[&str] = &["ap-beijing", "ap-guangzhou", "ap-mumbai", "ap-singapore"];
const ROOM_REGIONS: &[&str] = &["ap-beijing", "ap-guangzhou", "ap-mumbai", "ap-singapore", "na-toronto"];

/// Regions of the imitated service that no action is offered in, beside those that some are.
pub(super) const KNOWN_REGIONS: &[&str] = &[
    "ap-beijing",
    "ap-guangzhou",
    "ap-mumbai",
    "ap-singapore",
    "na-toronto",
    "ap-shanghai",
    "ap-nanjing",
    "ap-chengdu",
    "ap-chongqing",
    "ap-hongkong",
    "ap-jakarta",
    "ap-bangkok",
    "ap-seoul",
    "ap-tokyo",
    "na-ashburn",
    "na-siliconvalley",
    "sa-saopaulo",
    "eu-frankfurt",
    "eu-moscow",
    "ap-shanghai-fsi",
    "ap-shenzhen-fsi",
    "ap-guangzhou-open",
];

const fn required(name: &'static str, kind: Kind, meaning: &'static str) -> Param {
    Param { name, kind, required: true, meaning }
}

const fn optional(name: &'static str, kind: Kind, meaning: &'static str) -> Param {
    Param { name, kind, required: false, meaning }
}

const fn field(name: &'static str, kind: &'static str, meaning: &'static str) -> Field {
    Field { name, kind, meaning }
}

const COMM_ID: Param =
    required("CommId", Kind::Text, "The call, as DescribeRoomInfo names it; looked up by its exact text.");
const START: Param = required(
    "StartTime",
    Kind::Number,
    "First UNIX second of the window, inclusive; at most `limits.history_days` (14) ago.",
);
const END_USER: Param = required(
    "EndTime",
    Kind::Number,
    "Last UNIX second of the window, inclusive; at most `limits.user_window_hours` (4) after `StartTime`.",
);
const END_ROOM: Param = required(
    "EndTime",
    Kind::Number,
    "Last UNIX second of the window, inclusive; at most `limits.room_window_hours` (24) after `StartTime`.",
);
const END_DETAIL: Param = required(
    "EndTime",
    Kind::Number,
    "Last UNIX second of the window, inclusive; at most `limits.user_window_hours` (4) after `StartTime`, with `DataType` 3,600 s.",
);
const END: Param = required("EndTime", Kind::Number, "Last UNIX second of the window; no limit.");
const END_UNUSUAL: Param = required(
    "EndTime",
    Kind::Number,
    "Last UNIX second of the window, inclusive; at most 3,600 s after `StartTime`.",
);
const APP: Param = required("SdkAppId", Kind::Number, "The application; one of the caller's account.");
const APP_OLD: Param =
    required("SdkAppId", Kind::NumberOrText, "The application; one of the caller's account.");
const USER_IDS: Param =
    optional("UserIds", Kind::Texts, "Only these users, at most 100; repeats count once.");
const USER_IDS_OLD: Param =
    optional("UserIds", Kind::Texts, "Only these users, at most 6; repeats count once.");
const USER_IDS_DETAIL: Param =
    optional("UserIds", Kind::Texts, "Only these users, at most 100, with `DataType` 6; repeats count once.");
const DATA_TYPE: Param = optional("DataType", Kind::Texts, "Names of metrics, or `all`.");
const PAGE: Param =
    optional("PageNumber", Kind::Number, "The page, from 0; absent: the first page, of 6 records.");
const PAGE_OLD: Param =
    optional("PageNumber", Kind::NumberOrText, "The page, from 0; absent: the first page, of 6 records.");
const SIZE: Param = optional("PageSize", Kind::Number, "Records on a page, 1 to 100; absent: 6.");
const SIZE_OLD: Param = optional("PageSize", Kind::NumberOrText, "Records on a page, 1 to 100; absent: 6.");
const SIZE_DETAIL: Param =
    optional("PageSize", Kind::Number, "Records on a page, 1 to 100, with `DataType` 1 to 6; absent: 6.");
const SIZE_DETAIL_OLD: Param = optional(
    "PageSize",
    Kind::NumberOrText,
    "Records on a page, 1 to 100, with `DataType` or `UserIds` 1 to 6; absent: 6.",
);
const ROOM_PAGE: Param =
    optional("PageNumber", Kind::Number, "The page, from 0; absent: the first page, of 10 records.");
const ROOM_PAGE_OLD: Param =
    optional("PageNumber", Kind::NumberOrText, "The page, from 0; absent: the first page, of 10 records.");
const ROOM_SIZE: Param = optional("PageSize", Kind::Number, "Records on a page, 1 to 100; absent: 10.");
const ROOM_SIZE_OLD: Param =
    optional("PageSize", Kind::NumberOrText, "Records on a page, 1 to 100; absent: 10.");
const ROOM: Param = optional("RoomId", Kind::Text, "Only the lives of this room; empty: all rooms.");
const UNUSUAL_ROOM: Param = optional("RoomId", Kind::Text, "Only this room; empty: all rooms.");
const EVENT_USER: Param = required("UserId", Kind::Text, "The user.");
const EVENT_ROOM: Param = required("RoomId", Kind::Text, "The room; that of the call.");
const EVENT_APP_OLD: Param =
    optional("SdkAppId", Kind::NumberOrText, "The application; absent: the one that `CommId` begins with.");

const USER_FIELDS: &[Field] = &[
    field("Total", "uint64", "The number of records in this reply."),
    field("UserList", "list", "Sessions, newest join first; one for each stay of a user."),
    field("UserList[].RoomStr", "string", "The room."),
    field("UserList[].UserId", "string", "The user."),
    field("UserList[].JoinTs", "uint64", "UNIX second of entering."),
    field("UserList[].LeaveTs", "uint64", "UNIX second of leaving; of now, while the user is inside."),
    field("UserList[].Finished", "bool", "Whether the user has left."),
    field("UserList[].DeviceType", "string", "The device, or `\"\"`."),
    field("UserList[].SdkVersion", "string", "The version of the SDK, or `\"\"`."),
    field("UserList[].ClientIp", "string", "The address of the client, or `\"\"`."),
];

const DETAIL_FIELDS: &[Field] = &[
    field("Total", "uint64", "The number of records in `UserList`."),
    field("UserList", "list", "As in DescribeUserInfo."),
    field(
        "Data",
        "list",
        "Series of metrics of these users, by user, peer and metric; `[]` without `DataType`. One without points is not listed.",
    ),
    field("Data[].Content", "list", "Points in order of time, at most one a second."),
    field("Data[].Content[].Time", "uint64", "UNIX second."),
    field("Data[].Content[].Value", "float", "The value, always with a fraction."),
    field(
        "Data[].PeerId",
        "string",
        "Whom it came from; `\"\"`: it is what the user sent; `?`: from somebody whom no source named.",
    ),
    field("Data[].UserId", "string", "The user."),
    field("Data[].DataType", "string", "The metric."),
];

const ROOM_FIELDS: &[Field] = &[
    field("Total", "int64", "The number of records in this reply."),
    field("RoomList", "list", "Calls, newest first."),
    field("RoomList[].CommId", "string", "The id of the call."),
    field("RoomList[].RoomString", "string", "The room."),
    field("RoomList[].CreateTime", "uint64", "UNIX second of its beginning."),
    field("RoomList[].DestroyTime", "uint64", "UNIX second of its end; of now, while it runs."),
    field("RoomList[].IsFinished", "bool", "Whether it has ended."),
    field("RoomList[].UserId", "string", "Who created the room, or `\"\"`."),
];

const EVENT_FIELDS: &[Field] = &[
    field("Data", "list", "What happened, by sender; `[]` where nothing did. `user-events.md` has the ids."),
    field("Data[].PeerId", "string", "The sender: the user's own id."),
    field("Data[].Content", "list", "Events in order of time."),
    field("Data[].Content[].Type", "uint64", "0 not about a picture, 2 main picture, 7 auxiliary picture."),
    field("Data[].Content[].Time", "uint64", "UNIX milliseconds."),
    field("Data[].Content[].EventId", "uint64", "What happened."),
    field("Data[].Content[].ParamOne", "int64", "First parameter; -1: none."),
    field("Data[].Content[].ParamTwo", "int64", "Second parameter; -1: none."),
];

const UNUSUAL_FIELDS: &[Field] = &[
    field(
        "AbnormalExperienceList",
        "list",
        "What users had to bear, at most 20. `user-events.md` has the ids and bounds.",
    ),
    field("AbnormalExperienceList[].UserId", "string", "The user."),
    field("AbnormalExperienceList[].RoomId", "string", "The room."),
    field("AbnormalExperienceList[].EventTime", "uint64", "UNIX second in which it began."),
    field("AbnormalExperienceList[].ExperienceId", "uint64", "4 stutter of video, 5 stutter of audio."),
    field("AbnormalExperienceList[].AbnormalEventList", "list", "What was bad then, by id and peer."),
    field("AbnormalExperienceList[].AbnormalEventList[].AbnormalEventId", "uint64", "What was bad."),
    field(
        "AbnormalExperienceList[].AbnormalEventList[].PeerId",
        "string",
        "Whose stream it concerns; `\"\"`: no remote user's.",
    ),
    field("Total", "uint64", "The number of records in this reply."),
];

const SCALE_FIELDS: &[Field] = &[
    field("Total", "uint64", "The number of days in this reply."),
    field(
        "ScaleList",
        "list",
        "Days of UTC+8 that begin in the window and are over, newest first, from the first with an entry on.",
    ),
    field("ScaleList[].Time", "uint64", "UNIX second of the day's beginning."),
    field("ScaleList[].RoomNumbers", "uint64", "Rooms that somebody entered."),
    field("ScaleList[].UserNumber", "uint64", "Different users of each room, summed."),
    field("ScaleList[].UserCount", "uint64", "Times somebody entered."),
];

/// Codes of DescribeCallDetailInfo: those of its users, and of its metrics.
const DETAIL_ERRORS: &[ErrorCode] = &[
    ErrorCode::MissingCommId,
    ErrorCode::MissingSdkAppId,
    ErrorCode::SdkAppId,
    ErrorCode::SdkAppid,
    ErrorCode::StartTs,
    ErrorCode::StartTsOversize,
    ErrorCode::StartTimeOversize,
    ErrorCode::QueryScaleOversize,
    ErrorCode::UserIdsMorethanSix,
    ErrorCode::PageSize,
    ErrorCode::PageSizeOversize,
    ErrorCode::InternalDbError,
    ErrorCode::InternalEsQueryError,
    ErrorCode::ResponseSizeLimitExceeded,
];
const UNUSUAL_ERRORS: &[ErrorCode] = &[
    ErrorCode::MissingSdkAppId,
    ErrorCode::SdkAppId,
    ErrorCode::SdkAppid,
    ErrorCode::StartTs,
    ErrorCode::EndTs,
    ErrorCode::StartTsOversize,
    ErrorCode::QueryScaleOversize,
    ErrorCode::InternalDbError,
    ErrorCode::InternalEsQueryError,
];

/// Codes of DescribeUserInfo.
const USER_ERRORS: &[ErrorCode] = &[
    ErrorCode::MissingCommId,
    ErrorCode::SdkAppId,
    ErrorCode::SdkAppid,
    ErrorCode::StartTs,
    ErrorCode::StartTsOversize,
    ErrorCode::StartTimeOversize,
    ErrorCode::QueryScaleOversize,
    ErrorCode::UserIdsMorethanSix,
    ErrorCode::PageSize,
    ErrorCode::PageSizeOversize,
    ErrorCode::InternalDbError,
];
const ROOM_ERRORS: &[ErrorCode] = &[
    ErrorCode::SdkAppId,
    ErrorCode::SdkAppid,
    ErrorCode::StartTs,
    ErrorCode::EndTs,
    ErrorCode::StartTsOversize,
    ErrorCode::StartTimeOversize,
    ErrorCode::QueryScaleOversize,
    ErrorCode::PageSize,
    ErrorCode::PageSizeOversize,
    ErrorCode::InternalDbError,
];
const EVENT_ERRORS: &[ErrorCode] = &[
    ErrorCode::MissingCommId,
    ErrorCode::MissingUserId,
    ErrorCode::MissingRoomId,
    ErrorCode::SdkAppid,
    ErrorCode::StartTs,
    ErrorCode::EndTs,
    ErrorCode::StartTsOversize,
    ErrorCode::InternalEsQueryError,
];
const SCALE_ERRORS: &[ErrorCode] = &[
    ErrorCode::SdkAppId,
    ErrorCode::SdkAppid,
    ErrorCode::StartTs,
    ErrorCode::EndTs,
    ErrorCode::StartTsOversize,
    ErrorCode::InternalDbError,
];

const USER_EXAMPLE: &str = r#"{"CommId": "1400188366_218695_1590065777", "StartTime": 1590065777, "EndTime": 1590065877, "SdkAppId": 1400188366, "UserIds": ["user1_54816741", "user2_2107025"], "PageNumber": 0, "PageSize": 6}"#;
const USER_EXAMPLE_OLD: &str = r#"{"CommId": "1400188366_218695_1590065777", "StartTime": 1590065777, "EndTime": 1590065877, "SdkAppId": "1400188366", "PageNumber": "0", "PageSize": "6"}"#;
const USER_REPLY: &str = r#"{"Response":{"Total":2,"UserList":[{"RoomStr":"218695","UserId":"user1_54816741","JoinTs":1590065777,"LeaveTs":1590067658,"Finished":true,"DeviceType":"","SdkVersion":"4.3.14","ClientIp":"10.4.1.13"},{"RoomStr":"218695","UserId":"user2_2107025","JoinTs":1590065700,"LeaveTs":1590067693,"Finished":true,"DeviceType":"","SdkVersion":"4.3.14","ClientIp":"10.4.1.13"}],"RequestId":"f2a0a2a5-1c1a-4c9e-9a53-3f9f5f0d1c11"}}"#;
const DETAIL_EXAMPLE: &str = r#"{"CommId": "1400188366_218695_1590065777", "StartTime": 1590065777, "EndTime": 1590065877, "SdkAppId": 1400188366, "UserIds": ["user1_54816741"], "DataType": ["bigvCapFps", "rtt"]}"#;
const DETAIL_EXAMPLE_OLD: &str = r#"{"CommId": "1400188366_218695_1590065777", "StartTime": 1590065777, "EndTime": 1590065877, "SdkAppId": "1400188366", "UserIds": ["user1_54816741"], "DataType": ["all"]}"#;
const DETAIL_REPLY: &str = r#"{"Response":{"Total":1,"UserList":[{"RoomStr":"218695","UserId":"user1_54816741","JoinTs":1590065777,"LeaveTs":1590067658,"Finished":true,"DeviceType":"","SdkVersion":"4.3.14","ClientIp":"10.4.1.13"}],"Data":[{"Content":[{"Time":1590065779,"Value":0.0},{"Time":1590065781,"Value":15.0}],"PeerId":"","UserId":"user1_54816741","DataType":"bigvCapFps"},{"Content":[{"Time":1590065779,"Value":39.0}],"PeerId":"","UserId":"user1_54816741","DataType":"rtt"}],"RequestId":"f2a0a2a5-1c1a-4c9e-9a53-3f9f5f0d1c11"}}"#;
const ROOM_EXAMPLE: &str = r#"{"SdkAppId": 1400188366, "StartTime": 1590065777, "EndTime": 1590065877, "PageNumber": 0, "PageSize": 10}"#;
const ROOM_EXAMPLE_OLD: &str = r#"{"SdkAppId": "1400188366", "StartTime": 1590065777, "EndTime": 1590065877, "PageNumber": "0", "PageSize": "10"}"#;
const ROOM_REPLY: &str = r#"{"Response":{"Total":1,"RoomList":[{"CommId":"1400188366_218695_1590065777","RoomString":"218695","CreateTime":1590065777,"DestroyTime":1590067693,"IsFinished":true,"UserId":""}],"RequestId":"f2a0a2a5-1c1a-4c9e-9a53-3f9f5f0d1c11"}}"#;
const EVENT_EXAMPLE: &str = r#"{"CommId": "1400188366_218695_1590065777", "StartTime": 1590065777, "EndTime": 1590067693, "UserId": "user1_54816741", "RoomId": "218695", "SdkAppId": 1400188366}"#;
const EVENT_EXAMPLE_OLD: &str = r#"{"CommId": "1400188366_218695_1590065777", "StartTime": 1590065777, "EndTime": 1590067693, "UserId": "user1_54816741", "RoomId": "218695"}"#;
const EVENT_REPLY: &str = r#"{"Response":{"Data":[{"PeerId":"user1_54816741","Content":[{"Type":0,"Time":1590065777160,"EventId":7000,"ParamOne":0,"ParamTwo":-1},{"Type":2,"Time":1590065778410,"EventId":4006,"ParamOne":0,"ParamTwo":-1},{"Type":0,"Time":1590067658777,"EventId":7001,"ParamOne":0,"ParamTwo":-1}]}],"RequestId":"f2a0a2a5-1c1a-4c9e-9a53-3f9f5f0d1c11"}}"#;
const UNUSUAL_EXAMPLE: &str =
    r#"{"SdkAppId": 1400188366, "StartTime": 1590065777, "EndTime": 1590065877, "RoomId": "218695"}"#;
const UNUSUAL_EXAMPLE_OLD: &str =
    r#"{"SdkAppId": "1400188366", "StartTime": 1590065777, "EndTime": 1590065877, "RoomId": "218695"}"#;
const UNUSUAL_REPLY: &str = r#"{"Response":{"AbnormalExperienceList":[{"UserId":"user1_54816741","RoomId":"218695","EventTime":1590065801,"ExperienceId":4,"AbnormalEventList":[{"AbnormalEventId":2001,"PeerId":""},{"AbnormalEventId":2024,"PeerId":"user2_2107025"}]}],"Total":1,"RequestId":"f2a0a2a5-1c1a-4c9e-9a53-3f9f5f0d1c11"}}"#;
const SCALE_EXAMPLE: &str = r#"{"SdkAppId": 1400188366, "StartTime": 1590076800, "EndTime": 1590163200}"#;
const SCALE_EXAMPLE_OLD: &str =
    r#"{"SdkAppId": "1400188366", "StartTime": 1590076800, "EndTime": 1590163200}"#;
const SCALE_REPLY: &str = r#"{"Response":{"Total":1,"ScaleList":[{"Time":1590076800,"RoomNumbers":1,"UserNumber":2,"UserCount":2}],"RequestId":"f2a0a2a5-1c1a-4c9e-9a53-3f9f5f0d1c11"}}"#;

const USER_INFO: Action = Action {
    name: "DescribeUserInfo",
    handler: Handler::UserInfo,
    replaced_by: None,
    summary: "The sessions of a call that overlap a window.",
    params: &[COMM_ID, START, END_USER, APP, USER_IDS, PAGE, SIZE],
    reply: USER_FIELDS,
    errors: USER_ERRORS,
    regions: USER_REGIONS,
    example: USER_EXAMPLE,
    example_reply: USER_REPLY,
};
const ROOM_INFO: Action = Action {
    name: "DescribeRoomInfo",
    handler: Handler::RoomInfo,
    replaced_by: None,
    summary: "The calls of an application that were alive in a window.",
    params: &[APP, START, END_ROOM, ROOM, ROOM_PAGE, ROOM_SIZE],
    reply: ROOM_FIELDS,
    errors: ROOM_ERRORS,
    regions: ROOM_REGIONS,
    example: ROOM_EXAMPLE,
    example_reply: ROOM_REPLY,
};
const CALL_DETAIL_INFO: Action = Action {
    name: "DescribeCallDetailInfo",
    handler: Handler::CallDetailInfo,
    replaced_by: None,
    summary: "The sessions of a call that overlap a window, and the metrics of their users.",
    params: &[COMM_ID, START, END_DETAIL, APP, USER_IDS_DETAIL, DATA_TYPE, PAGE, SIZE_DETAIL],
    reply: DETAIL_FIELDS,
    errors: DETAIL_ERRORS,
    regions: USER_REGIONS,
    example: DETAIL_EXAMPLE,
    example_reply: DETAIL_REPLY,
};
const USER_EVENT: Action = Action {
    name: "DescribeUserEvent",
    handler: Handler::UserEvent,
    replaced_by: None,
    summary: "What happened to one user in one call: entries, exits, media, roles.",
    params: &[COMM_ID, START, END, EVENT_USER, EVENT_ROOM, APP],
    reply: EVENT_FIELDS,
    errors: EVENT_ERRORS,
    regions: USER_REGIONS,
    example: EVENT_EXAMPLE,
    example_reply: EVENT_REPLY,
};
const SCALE_INFO: Action = Action {
    name: "DescribeScaleInfo",
    handler: Handler::ScaleInfo,
    replaced_by: None,
    summary: "Rooms, users and entries of each day.",
    params: &[APP, START, END],
    reply: SCALE_FIELDS,
    errors: SCALE_ERRORS,
    regions: ROOM_REGIONS,
    example: SCALE_EXAMPLE,
    example_reply: SCALE_REPLY,
};

const UNUSUAL_EVENT: Action = Action {
    name: "DescribeUnusualEvent",
    handler: Handler::UnusualEvent,
    replaced_by: None,
    summary: "What users of an application had to bear in a window, and what may have caused it.",
    params: &[APP, START, END_UNUSUAL, UNUSUAL_ROOM],
    reply: UNUSUAL_FIELDS,
    errors: UNUSUAL_ERRORS,
    regions: USER_REGIONS,
    example: UNUSUAL_EXAMPLE,
    example_reply: UNUSUAL_REPLY,
};

/// Every action, the old names after those that replaced them (contract section 9.7).
pub static ACTIONS: &[Action] = &[
    USER_INFO,
    ROOM_INFO,
    CALL_DETAIL_INFO,
    USER_EVENT,
    SCALE_INFO,
    UNUSUAL_EVENT,
    Action {
        name: "DescribeUserInformation",
        replaced_by: Some("DescribeUserInfo"),
        params: &[COMM_ID, START, END_USER, APP_OLD, USER_IDS_OLD, PAGE_OLD, SIZE_OLD],
        errors: &[
            ErrorCode::MissingCommId,
            ErrorCode::MissingSdkAppId,
            ErrorCode::SdkAppId,
            ErrorCode::SdkAppid,
            ErrorCode::StartTs,
            ErrorCode::StartTsOversize,
            ErrorCode::StartTimeOversize,
            ErrorCode::QueryScaleOversize,
            ErrorCode::UserIdsMorethanSix,
            ErrorCode::PageSize,
            ErrorCode::PageSizeOversize,
            ErrorCode::InternalDbError,
        ],
        example: USER_EXAMPLE_OLD,
        ..USER_INFO
    },
    Action {
        name: "DescribeRoomInformation",
        replaced_by: Some("DescribeRoomInfo"),
        params: &[APP_OLD, START, END_ROOM, ROOM, ROOM_PAGE_OLD, ROOM_SIZE_OLD],
        example: ROOM_EXAMPLE_OLD,
        ..ROOM_INFO
    },
    Action {
        name: "DescribeCallDetail",
        replaced_by: Some("DescribeCallDetailInfo"),
        params: &[COMM_ID, START, END_DETAIL, APP_OLD, USER_IDS_OLD, DATA_TYPE, PAGE_OLD, SIZE_DETAIL_OLD],
        example: DETAIL_EXAMPLE_OLD,
        ..CALL_DETAIL_INFO
    },
    Action {
        name: "DescribeDetailEvent",
        replaced_by: Some("DescribeUserEvent"),
        params: &[COMM_ID, START, END, EVENT_USER, EVENT_ROOM, EVENT_APP_OLD],
        example: EVENT_EXAMPLE_OLD,
        ..USER_EVENT
    },
    Action {
        name: "DescribeHistoryScale",
        replaced_by: Some("DescribeScaleInfo"),
        params: &[APP_OLD, START, END],
        example: SCALE_EXAMPLE_OLD,
        ..SCALE_INFO
    },
    Action {
        name: "DescribeAbnormalEvent",
        replaced_by: Some("DescribeUnusualEvent"),
        params: &[APP_OLD, START, END_UNUSUAL, UNUSUAL_ROOM],
        example: UNUSUAL_EXAMPLE_OLD,
        ..UNUSUAL_EVENT
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{ACTIONS, Action, KNOWN_REGIONS};
    use crate::wire::Use;

    #[test]
    fn the_table_holds_together() {
        let names: BTreeSet<_> = ACTIONS.iter().map(|action| action.name).collect();
        assert_eq!(names.len(), ACTIONS.len());
        for (place, action) in ACTIONS.iter().enumerate() {
            assert_eq!(action.place(), place);
            let name = action.name;
            assert!(action.regions.iter().all(|region| KNOWN_REGIONS.contains(region)), "{name}");
            assert!(action.errors.iter().all(|code| code.used() != Use::Never), "{name}");
            let newer = action.replaced_by.map(|newer| Action::find(newer).unwrap());
            assert!(newer.is_none_or(|newer| newer.handler == action.handler && !newer.is_old()), "{name}");
            let example: serde_json::Value = serde_json::from_str(action.example).unwrap();
            for param in action.params {
                assert!(!param.required || example.get(param.name).is_some(), "{name} {}", param.name);
            }
            assert!(serde_json::from_str::<serde_json::Value>(action.example_reply).is_ok(), "{name}");
        }
    }
}
