//! The table of actions: names, parameters, replies, errors. `docs/api.md` and the explorer are made from it.

use crate::wire::{ErrorCode, Kind, Param, Text};

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
    pub summary: Text,
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
    pub meaning: Text,
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

const fn required(name: &'static str, kind: Kind, en: &'static str, zh: &'static str) -> Param {
    Param { name, kind, required: true, meaning: Text::new(en, zh) }
}

const fn optional(name: &'static str, kind: Kind, en: &'static str, zh: &'static str) -> Param {
    Param { name, kind, required: false, meaning: Text::new(en, zh) }
}

const fn field(name: &'static str, kind: &'static str, en: &'static str, zh: &'static str) -> Field {
    Field { name, kind, meaning: Text::new(en, zh) }
}

const COMM_ID: Param = required(
    "CommId",
    Kind::Text,
    "The call, as DescribeRoomInfo names it; looked up by its exact text.",
    "通话 ID，由 DescribeRoomInfo 返回；须完全一致。",
);
const START: Param = required(
    "StartTime",
    Kind::Number,
    "First UNIX second of the window, inclusive; at most `limits.history_days` (14) ago.",
    "起始时间，UNIX 时间戳（秒），包含该秒；距今最多 `limits.history_days`（14）天。",
);
const END_USER: Param = required(
    "EndTime",
    Kind::Number,
    "Last UNIX second of the window, inclusive; at most `limits.user_window_hours` (4) after `StartTime`.",
    "结束时间，UNIX 时间戳（秒），包含该秒；最多比 `StartTime` 晚 `limits.user_window_hours`（4）小时。",
);
const END_ROOM: Param = required(
    "EndTime",
    Kind::Number,
    "Last UNIX second of the window, inclusive; at most `limits.room_window_hours` (24) after `StartTime`.",
    "结束时间，UNIX 时间戳（秒），包含该秒；最多比 `StartTime` 晚 `limits.room_window_hours`（24）小时。",
);
const END_DETAIL: Param = required(
    "EndTime",
    Kind::Number,
    "Last UNIX second of the window, inclusive; at most `limits.user_window_hours` (4) after `StartTime`, with `DataType` 3,600 s.",
    "结束时间，UNIX 时间戳（秒），包含该秒；最多比 `StartTime` 晚 `limits.user_window_hours`（4）小时，带 `DataType` 时最多 3600 秒。",
);
const END: Param = required(
    "EndTime",
    Kind::Number,
    "Last UNIX second of the window; no limit.",
    "结束时间，UNIX 时间戳（秒），不限。",
);
const END_UNUSUAL: Param = required(
    "EndTime",
    Kind::Number,
    "Last UNIX second of the window, inclusive; at most 3,600 s after `StartTime`.",
    "结束时间，UNIX 时间戳（秒），包含该秒；最多比 `StartTime` 晚 3600 秒。",
);
const APP: Param = required(
    "SdkAppId",
    Kind::Number,
    "The application; one of the caller's account.",
    "应用的 SdkAppId，须属于调用者的账号。",
);
const APP_OLD: Param = required(
    "SdkAppId",
    Kind::NumberOrText,
    "The application; one of the caller's account.",
    "应用的 SdkAppId，须属于调用者的账号。",
);
const USER_IDS: Param = optional(
    "UserIds",
    Kind::Texts,
    "Only these users, at most 100; repeats count once.",
    "只查询这些用户，最多 100 个；重复的只计一次。",
);
const USER_IDS_OLD: Param = optional(
    "UserIds",
    Kind::Texts,
    "Only these users, at most 6; repeats count once.",
    "只查询这些用户，最多 6 个；重复的只计一次。",
);
const USER_IDS_DETAIL: Param = optional(
    "UserIds",
    Kind::Texts,
    "Only these users, at most 100, with `DataType` 6; repeats count once.",
    "只查询这些用户，最多 100 个，带 `DataType` 时最多 6 个；重复的只计一次。",
);
const DATA_TYPE: Param =
    optional("DataType", Kind::Texts, "Names of metrics, or `all`.", "指标名称，或 `all`（全部指标）。");
const PAGE: Param = optional(
    "PageNumber",
    Kind::Number,
    "The page, from 0; absent: the first page, of 6 records.",
    "页码，从 0 开始；不填则返回首页，每页 6 条。",
);
const PAGE_OLD: Param = optional(
    "PageNumber",
    Kind::NumberOrText,
    "The page, from 0; absent: the first page, of 6 records.",
    "页码，从 0 开始；不填则返回首页，每页 6 条。",
);
const SIZE: Param = optional(
    "PageSize",
    Kind::Number,
    "Records on a page, 1 to 100; absent: 6.",
    "每页条数，取值范围 1 至 100；不填则为 6。",
);
const SIZE_OLD: Param = optional(
    "PageSize",
    Kind::NumberOrText,
    "Records on a page, 1 to 100; absent: 6.",
    "每页条数，取值范围 1 至 100；不填则为 6。",
);
const SIZE_DETAIL: Param = optional(
    "PageSize",
    Kind::Number,
    "Records on a page, 1 to 100, with `DataType` 1 to 6; absent: 6.",
    "每页条数，取值范围 1 至 100，带 `DataType` 时为 1 至 6；不填则为 6。",
);
const SIZE_DETAIL_OLD: Param = optional(
    "PageSize",
    Kind::NumberOrText,
    "Records on a page, 1 to 100, with `DataType` or `UserIds` 1 to 6; absent: 6.",
    "每页条数，取值范围 1 至 100，带 `DataType` 或 `UserIds` 时为 1 至 6；不填则为 6。",
);
const ROOM_PAGE: Param = optional(
    "PageNumber",
    Kind::Number,
    "The page, from 0; absent: the first page, of 10 records.",
    "页码，从 0 开始；不填则返回首页，每页 10 条。",
);
const ROOM_PAGE_OLD: Param = optional(
    "PageNumber",
    Kind::NumberOrText,
    "The page, from 0; absent: the first page, of 10 records.",
    "页码，从 0 开始；不填则返回首页，每页 10 条。",
);
const ROOM_SIZE: Param = optional(
    "PageSize",
    Kind::Number,
    "Records on a page, 1 to 100; absent: 10.",
    "每页条数，取值范围 1 至 100；不填则为 10。",
);
const ROOM_SIZE_OLD: Param = optional(
    "PageSize",
    Kind::NumberOrText,
    "Records on a page, 1 to 100; absent: 10.",
    "每页条数，取值范围 1 至 100；不填则为 10。",
);
const ROOM: Param = optional(
    "RoomId",
    Kind::Text,
    "Only the lives of this room; empty: all rooms.",
    "只查询该房间号的通话；为空则查询全部房间。",
);
const UNUSUAL_ROOM: Param = optional(
    "RoomId",
    Kind::Text,
    "Only this room; empty: all rooms.",
    "只查询该房间号；为空则查询全部房间。",
);
const EVENT_USER: Param = required("UserId", Kind::Text, "The user.", "用户 ID。");
const EVENT_ROOM: Param =
    required("RoomId", Kind::Text, "The room; that of the call.", "房间号，须为该通话的房间号。");
const EVENT_APP_OLD: Param = optional(
    "SdkAppId",
    Kind::NumberOrText,
    "The application; absent: the one that `CommId` begins with.",
    "应用的 SdkAppId；不填则取 `CommId` 开头的值。",
);

const USER_FIELDS: &[Field] = &[
    field("Total", "uint64", "The number of records in this reply.", "本次返回的记录数。"),
    field(
        "UserList",
        "list",
        "Sessions, newest join first; one for each stay of a user.",
        "会话列表，最近进房的在前；用户每次进出房间为一条。",
    ),
    field("UserList[].RoomStr", "string", "The room.", "房间号。"),
    field("UserList[].UserId", "string", "The user.", "用户 ID。"),
    field("UserList[].JoinTs", "uint64", "UNIX second of entering.", "进房时间，UNIX 时间戳（秒）。"),
    field(
        "UserList[].LeaveTs",
        "uint64",
        "UNIX second of leaving; of now, while the user is inside.",
        "退房时间，UNIX 时间戳（秒）；用户仍在房间内时为当前时间。",
    ),
    field("UserList[].Finished", "bool", "Whether the user has left.", "用户是否已退房。"),
    field("UserList[].DeviceType", "string", "The device, or `\"\"`.", "终端类型；没有时为 `\"\"`。"),
    field(
        "UserList[].SdkVersion",
        "string",
        "The version of the SDK, or `\"\"`.",
        "SDK 版本号；没有时为 `\"\"`。",
    ),
    field(
        "UserList[].ClientIp",
        "string",
        "The address of the client, or `\"\"`.",
        "客户端 IP 地址；没有时为 `\"\"`。",
    ),
];

const DETAIL_FIELDS: &[Field] = &[
    field("Total", "uint64", "The number of records in `UserList`.", "`UserList` 中的记录数。"),
    field("UserList", "list", "As in DescribeUserInfo.", "与 DescribeUserInfo 相同。"),
    field(
        "Data",
        "list",
        "Series of metrics of these users, by user, peer and metric; `[]` without `DataType`. One without points is not listed.",
        "这些用户的质量指标，依次按用户、对端、指标列出；未带 `DataType` 时为 `[]`。没有数据点的指标不返回。",
    ),
    field(
        "Data[].Content",
        "list",
        "Points in order of time, at most one a second.",
        "数据点，按时间先后排列，每秒最多一个。",
    ),
    field("Data[].Content[].Time", "uint64", "UNIX second.", "UNIX 时间戳（秒）。"),
    field(
        "Data[].Content[].Value",
        "float",
        "The value, always with a fraction.",
        "指标值，始终带小数部分。",
    ),
    field(
        "Data[].PeerId",
        "string",
        "Whom it came from; `\"\"`: it is what the user sent; `?`: from somebody whom no source named.",
        "对端，即音视频来自哪个用户；`\"\"` 表示用户自己发送的上行；`?` 表示数据源没有指明的对端。",
    ),
    field("Data[].UserId", "string", "The user.", "用户 ID。"),
    field("Data[].DataType", "string", "The metric.", "指标名称。"),
];

const ROOM_FIELDS: &[Field] = &[
    field("Total", "int64", "The number of records in this reply.", "本次返回的记录数。"),
    field("RoomList", "list", "Calls, newest first.", "通话列表，最近的在前。"),
    field("RoomList[].CommId", "string", "The id of the call.", "通话 ID。"),
    field("RoomList[].RoomString", "string", "The room.", "房间号。"),
    field(
        "RoomList[].CreateTime",
        "uint64",
        "UNIX second of its beginning.",
        "通话开始时间，UNIX 时间戳（秒）。",
    ),
    field(
        "RoomList[].DestroyTime",
        "uint64",
        "UNIX second of its end; of now, while it runs.",
        "通话结束时间，UNIX 时间戳（秒）；通话进行中时为当前时间。",
    ),
    field("RoomList[].IsFinished", "bool", "Whether it has ended.", "通话是否已结束。"),
    field(
        "RoomList[].UserId",
        "string",
        "Who created the room, or `\"\"`.",
        "房间的创建者；没有时为 `\"\"`。",
    ),
];

const EVENT_FIELDS: &[Field] = &[
    field(
        "Data",
        "list",
        "What happened, by sender; `[]` where nothing did. `user-events.md` has the ids.",
        "事件，按发送方列出；没有事件时为 `[]`。事件 ID 见 `user-events.md`。",
    ),
    field("Data[].PeerId", "string", "The sender: the user's own id.", "发送方，即该用户自己的 ID。"),
    field("Data[].Content", "list", "Events in order of time.", "事件，按时间先后排列。"),
    field(
        "Data[].Content[].Type",
        "uint64",
        "0 not about a picture, 2 main picture, 7 auxiliary picture.",
        "0 与画面无关，2 主路画面，7 辅路画面。",
    ),
    field("Data[].Content[].Time", "uint64", "UNIX milliseconds.", "UNIX 时间戳（毫秒）。"),
    field("Data[].Content[].EventId", "uint64", "What happened.", "事件 ID。"),
    field(
        "Data[].Content[].ParamOne",
        "int64",
        "First parameter; -1: none.",
        "事件的第一个参数；-1 表示没有。",
    ),
    field(
        "Data[].Content[].ParamTwo",
        "int64",
        "Second parameter; -1: none.",
        "事件的第二个参数；-1 表示没有。",
    ),
];

const UNUSUAL_FIELDS: &[Field] = &[
    field(
        "AbnormalExperienceList",
        "list",
        "What users had to bear, at most 20. `user-events.md` has the ids and bounds.",
        "用户的异常体验，最多 20 条。ID 与阈值见 `user-events.md`。",
    ),
    field("AbnormalExperienceList[].UserId", "string", "The user.", "用户 ID。"),
    field("AbnormalExperienceList[].RoomId", "string", "The room.", "房间号。"),
    field(
        "AbnormalExperienceList[].EventTime",
        "uint64",
        "UNIX second in which it began.",
        "异常体验开始的时间，UNIX 时间戳（秒）。",
    ),
    field(
        "AbnormalExperienceList[].ExperienceId",
        "uint64",
        "4 stutter of video, 5 stutter of audio.",
        "4 视频卡顿，5 音频卡顿。",
    ),
    field(
        "AbnormalExperienceList[].AbnormalEventList",
        "list",
        "What was bad then, by id and peer.",
        "当时的异常事件，按 ID 和对端列出。",
    ),
    field(
        "AbnormalExperienceList[].AbnormalEventList[].AbnormalEventId",
        "uint64",
        "What was bad.",
        "异常事件 ID。",
    ),
    field(
        "AbnormalExperienceList[].AbnormalEventList[].PeerId",
        "string",
        "Whose stream it concerns; `\"\"`: no remote user's.",
        "涉及哪个远端用户的流；`\"\"` 表示与远端用户无关。",
    ),
    field("Total", "uint64", "The number of records in this reply.", "本次返回的记录数。"),
];

const SCALE_FIELDS: &[Field] = &[
    field("Total", "uint64", "The number of days in this reply.", "本次返回的天数。"),
    field(
        "ScaleList",
        "list",
        "Days of UTC+8 that begin in the window and are over, newest first, from the first with an entry on.",
        "在时间范围内开始且已结束的每一天（UTC+8），最近的在前；从首个有人进房的日期算起。",
    ),
    field(
        "ScaleList[].Time",
        "uint64",
        "UNIX second of the day's beginning.",
        "当天零点，UNIX 时间戳（秒）。",
    ),
    field("ScaleList[].RoomNumbers", "uint64", "Rooms that somebody entered.", "有人进入的房间数。"),
    field(
        "ScaleList[].UserNumber",
        "uint64",
        "Different users of each room, summed.",
        "各房间去重用户数之和。",
    ),
    field("ScaleList[].UserCount", "uint64", "Times somebody entered.", "进房次数。"),
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
    summary: Text::new(
        "The sessions of a call that overlap a window.",
        "查询一次通话中与时间范围有重叠的用户会话。",
    ),
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
    summary: Text::new(
        "The calls of an application that were alive in a window.",
        "查询应用在时间范围内存在过的通话。",
    ),
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
    summary: Text::new(
        "The sessions of a call that overlap a window, and the metrics of their users.",
        "查询一次通话中与时间范围有重叠的用户会话，以及这些用户的质量指标。",
    ),
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
    summary: Text::new(
        "What happened to one user in one call: entries, exits, media, roles.",
        "查询一位用户在一次通话中的事件：进房、退房、音视频、角色。",
    ),
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
    summary: Text::new("Rooms, users and entries of each day.", "查询每天的房间数、用户数和进房次数。"),
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
    summary: Text::new(
        "What users of an application had to bear in a window, and what may have caused it.",
        "查询应用的用户在时间范围内的异常体验，以及可能的原因。",
    ),
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

    #[test]
    fn both_languages_say_the_same_names_and_numbers() {
        for action in ACTIONS {
            let params = action.params.iter().map(|param| (param.name, param.meaning));
            let fields = action.reply.iter().map(|field| (field.name, field.meaning));
            for (name, text) in [("", action.summary)].into_iter().chain(params).chain(fields) {
                assert_eq!(text.faults(false), Vec::<String>::new(), "{} {name}", action.name);
                assert!(text.en.ends_with('.') && text.zh.ends_with('。'), "{} {name}", action.name);
            }
        }
    }
}
