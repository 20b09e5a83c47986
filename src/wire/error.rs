//! The error codes: one table, from which `docs/errors.md` is generated, and the messages that go with them.

use super::{Language, Text};

/// Whether the server ever says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// The caller is at fault; the same request fails again.
    Raised,
    /// The same request may succeed later.
    Retryable,
    /// The imitated service lists it; this server never says it.
    Never,
}

macro_rules! codes {
    ($($variant:ident $wire:literal $used:ident $meaning:literal $($more:literal)*;)*) => {
        /// A code of the imitated API (contract section 8). Clients match on its text, never on a message.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ErrorCode {
            $(#[doc = concat!("`", $wire, "`: ", $meaning)] $variant,)*
        }

        impl ErrorCode {
            /// Every code, in the order of the documentation.
            pub const ALL: &[ErrorCode] = &[$(ErrorCode::$variant,)*];

            const fn row(self) -> Row {
                match self {
                    $(ErrorCode::$variant => row($wire, Use::$used, $meaning, &[$($more),*]),)*
                }
            }
        }
    };
}

/// One line of the table: code, use, meaning, the meaning in Chinese, message, the message in Chinese. `{0}` and `{1}` in a
/// message are what the fault is about. A code that is never said has its meaning alone, for `docs/errors.md`.
struct Row {
    wire: &'static str,
    used: Use,
    meaning: Text,
    message: Option<Text>,
}

const fn row(wire: &'static str, used: Use, meaning: &'static str, more: &[&'static str]) -> Row {
    match more {
        [meaning_zh, en, zh] => {
            Row { wire, used, meaning: Text::new(meaning, meaning_zh), message: Some(Text::new(en, zh)) }
        }
        _ => Row { wire, used, meaning: Text::new(meaning, meaning), message: None },
    }
}

#[rustfmt::skip]
codes! {
    AuthSignatureFailure "AuthFailure.SignatureFailure" Raised
        "the signature is not the one computed"
        "签名与服务器计算的结果不一致"
        "The provided credentials could not be validated. Please check your signature is correct."
        "请求签名验证失败，请检查您的签名计算是否正确。";
    AuthSignatureExpire "AuthFailure.SignatureExpire" Raised
        "the time of the request differs from the server's clock by more than 300 s"
        "请求时间与服务器时钟相差超过 300 秒"
        "The request lifetime is exceeded: its timestamp is `{0}`, the time of the server is `{1}`, they may differ by at most 300 seconds."
        "请求已过期：请求时间戳为 `{0}`，服务器时间为 `{1}`，两者相差不得超过 300 秒。";
    AuthSecretIdNotFound "AuthFailure.SecretIdNotFound" Raised
        "no such key, or it has expired"
        "密钥不存在，或已过期"
        "The SecretId is not found, please ensure that your SecretId is correct."
        "SecretId不存在，请输入正确的密钥。";
    AuthInvalidAuthorization "AuthFailure.InvalidAuthorization" Raised
        "`Authorization` is malformed, or its date, service or list of signed headers is wrong"
        "`Authorization` 格式错误，或其中的日期、服务名或签名头列表有误"
        "The request `Authorization` header does not conform to tencentcloud standards: {0}."
        "请求头部的 `Authorization` 不符合腾讯云标准：{0}。";
    AuthTokenFailure "AuthFailure.TokenFailure" Raised
        "the token is wrong, expired, absent for a temporary key, or given for a key that has none"
        "Token 错误或已过期，临时密钥未带 Token，或没有 Token 的密钥带了 Token"
        "Token verification failed, please check if your Token is correct."
        "Token 验证失败，请检查您的 Token 是否正确。";
    AuthInvalidSecretId "AuthFailure.InvalidSecretId" Never
        "keys of other kinds do not exist here";
    AuthUnauthorizedOperation "AuthFailure.UnauthorizedOperation" Never
        "every key may ask everything its account may";
    AuthMfaFailure "AuthFailure.MFAFailure" Never
        "there is no second factor";
    AuthFailure "AuthFailure" Never
        "a more exact code exists for every case";
    AuthUnRealName "AuthFailure.UnRealNameAuthenticated" Never
        "accounts have no real-name check";
    AuthUnsupportedOperation "AuthFailure.UnsupportedOperation" Never
        "every action is open to every key";
    MissingParameter "MissingParameter" Raised
        "a common or a required parameter is absent, or `null`"
        "缺少公共参数或必填参数，或其值为 `null`"
        "The request is missing a required parameter `{0}`."
        "请求缺少必需的参数 `{0}`。";
    InvalidParameter "InvalidParameter" Raised
        "a value of the wrong type, a parameter given twice, an unknown metric name, or a JSON or multipart POST without `Authorization`"
        "参数类型错误、参数重复、指标名称不存在，或 JSON、multipart 格式的 POST 请求没有 `Authorization`"
        "The value type of parameter `{0}` is not valid, input type should be `{1}`."
        "参数 `{0}` 取值类型错误。参数类型应为 `{1}`";
    UnknownParameter "UnknownParameter" Raised
        "a key that the action does not define"
        "接口没有该参数"
        "The parameter `{0}` is not recognized."
        "未知参数 `{0}`。";
    InvalidParameterValue "InvalidParameterValue" Raised
        "a region that is no region"
        "地域不存在"
        "A value specified in `{0}` is not valid, is unsupported, or cannot be used."
        "参数 `{0}` 的取值无效、不支持或不可用。";
    UnsupportedRegion "UnsupportedRegion" Raised
        "a region that the action is not offered in"
        "接口不支持该地域"
        "The action not support this region."
        "接口不支持所传地域。";
    InvalidAction "InvalidAction" Raised
        "no such action; names are case-sensitive"
        "接口不存在；接口名区分大小写"
        "The request action=`{0}` is invalid or not found in service=`trtc` and version=`2019-07-22`."
        "请求的接口 `{0}` 在服务 `trtc` 的版本 `2019-07-22` 中不存在。";
    NoSuchVersion "NoSuchVersion" Raised
        "a version other than `2019-07-22`"
        "版本不是 `2019-07-22`"
        "The specified api version=`{0}` does not exist in service=`trtc`."
        "接口版本 `{0}` 在服务 `trtc` 中不存在。";
    RequestLimitExceeded "RequestLimitExceeded" Retryable
        "more calls in one second than an account may make of one action; refused calls count"
        "同一账号每秒对同一接口的请求次数超过上限；被拒绝的请求也计入"
        "Your current request times equals to `{0}` in a second, which exceeds the frequency limit `{1}` for a second. Please reduce the frequency of calls."
        "您当前每秒请求 `{0}` 次，超过了每秒频率上限 `{1}`，请稍后重试。";
    RequestLimitUin "RequestLimitExceeded.UinLimitExceeded" Never
        "the limit is for each action, not for all of an account";
    RequestLimitIp "RequestLimitExceeded.IPLimitExceeded" Retryable
        "the address has failed to show who it is more often than `limits.failed_attempts_per_minute`; it may try again in a minute"
        "该地址的认证失败次数超过 `limits.failed_attempts_per_minute`；一分钟后可重试"
        "Too many requests from this address failed authentication. Please try again in a minute."
        "来自该地址的请求认证失败次数过多，请一分钟后重试。";
    RequestLimitGlobalRegionUin "RequestLimitExceeded.GlobalRegionUinLimitExceeded" Never
        "regions are not limited";
    UnsupportedProtocol "UnsupportedProtocol" Raised
        "a method other than GET and POST, or a signed POST that is neither JSON nor multipart"
        "请求方法不是 GET 或 POST，或已签名的 POST 请求既不是 JSON 也不是 multipart"
        "The protocol is not supported: use GET, or POST with `application/json` or `multipart/form-data`."
        "不支持的请求协议：请使用 GET，或使用 `application/json`、`multipart/form-data` 的 POST 请求。";
    RequestSizeLimitExceeded "RequestSizeLimitExceeded" Raised
        "more than 32 KB of target, 1 MB of version 1 form, or 10 MB of version 3 body"
        "请求地址超过 32 KB、签名方法 v1 的表单超过 1 MB，或签名方法 v3 的请求体超过 10 MB"
        "The request exceeds the size limit."
        "请求包大小超过限制。";
    InvalidRequest "InvalidRequest" Raised
        "a multipart body that is malformed"
        "multipart 请求体格式错误"
        "The multipart body of the request is malformed."
        "请求的 multipart 格式错误。";
    ActionOffline "ActionOffline" Never
        "the old action names are always served";
    InternalError "InternalError" Never
        "a more exact code exists; region breakers of SDKs count this one";
    InternalDbError "InternalError.DBError" Retryable
        "the store cannot answer"
        "存储无法响应"
        "The records cannot be read just now."
        "暂时无法读取记录。";
    InternalEsQueryError "InternalError.EsQueryError" Retryable
        "the store cannot answer a question about metrics or events"
        "查询指标或事件时，存储无法响应"
        "The metrics or events cannot be read just now."
        "暂时无法读取指标或事件。";
    InternalHttpParaseFalied "InternalError.HttpParaseFalied" Never
        "spelt so by the imitated service; parameters have codes of their own";
    InternalInterfaceErr "InternalError.InterfaceErr" Never
        "there are no inner interfaces";
    InternalMethodErr "InternalError.MethodErr" Never
        "there are no inner methods";
    ServiceUnavailable "ServiceUnavailable" Never
        "a server that cannot answer says why";
    ResponseSizeLimitExceeded "ResponseSizeLimitExceeded" Raised
        "more points of metrics than one answer may hold"
        "指标数据点超过单次响应的上限"
        "The answer would hold more points than one answer may; ask for a shorter window."
        "数据点超过单次响应的上限，请缩短时间范围。";
    BodyParamsError "InvalidParameter.BodyParamsError" Raised
        "the JSON body is not UTF-8, not JSON, not an object, or has a key twice"
        "JSON 请求体不是 UTF-8、不是 JSON、不是对象，或有重复的键"
        "The request body cannot be read: {0}."
        "请求体无法解析：{0}。";
    UrlParamsError "InvalidParameter.UrlParamsError" Raised
        "the query or form cannot be decoded"
        "查询串或表单无法解码"
        "The query or form cannot be decoded: {0}."
        "请求参数无法解码：{0}。";
    EncodeParams "InvalidParameter.EncodeParams" Never
        "see `InvalidParameter.UrlParamsError`";
    SdkAppId "InvalidParameter.SdkAppId" Raised
        "`SdkAppId` is 0, or `CommId` begins with another one (DescribeUserEvent says `InvalidParameter.SdkAppid`)"
        "`SdkAppId` 为 0，或与 `CommId` 开头的不同（DescribeUserEvent 返回 `InvalidParameter.SdkAppid`）"
        "`SdkAppId` is incorrect: it is 0 or not the one that `CommId` begins with."
        "`SdkAppId` 错误：为 0，或与 `CommId` 开头的不同。";
    SdkAppid "InvalidParameter.SdkAppid" Raised
        "`SdkAppId` does not belong to the caller's account"
        "`SdkAppId` 不属于调用者的账号"
        "`SdkAppId` does not match the account."
        "`SdkAppId` 与账号不匹配。";
    StartTs "InvalidParameter.StartTs" Raised
        "`StartTime` is 0; for users and call details also `EndTime` before `StartTime`"
        "`StartTime` 为 0；查询用户列表和通话详情时，还包括 `EndTime` 早于 `StartTime`"
        "`StartTime` is incorrect: it is 0 or after `EndTime`."
        "`StartTime` 错误：为 0 或晚于 `EndTime`。";
    EndTs "InvalidParameter.EndTs" Raised
        "`EndTime` is 0 or before `StartTime`, for rooms, events, unusual events and daily figures"
        "`EndTime` 为 0 或早于 `StartTime`，适用于房间列表、用户事件、异常体验和每日统计"
        "`EndTime` is incorrect: it is 0 or before `StartTime`."
        "`EndTime` 错误：为 0 或早于 `StartTime`。";
    StartTsOversize "InvalidParameter.StartTsOversize" Raised
        "`StartTime` is longer ago than `limits.history_days`"
        "`StartTime` 距今的天数超过 `limits.history_days`"
        "`StartTime` is more than {0} days ago."
        "`StartTime` 距今超过 {0} 天。";
    StartTimeOversize "InvalidParameter.StartTimeOversize" Raised
        "`StartTime` is longer ago than the account's edition allows; with the free edition always"
        "`StartTime` 早于账号版本允许的范围；免费版一律不允许"
        "`StartTime` is earlier than the edition `{0}` of the account allows."
        "`StartTime` 早于账号版本 `{0}` 允许的范围。";
    QueryScaleOversize "InvalidParameter.QueryScaleOversize" Raised
        "the window is too long"
        "时间范围过长"
        "The window from `StartTime` to `EndTime` is longer than {0} seconds."
        "`StartTime` 至 `EndTime` 的时间范围超过 {0} 秒。";
    PageNumber "InvalidParameter.PageNumber" Never
        "a negative page is a type error; a page beyond the end is empty";
    PageSize "InvalidParameter.PageSize" Raised
        "`PageSize` is 0, or more than 6 where metrics are asked"
        "`PageSize` 为 0，或查询指标时超过 6"
        "`PageSize` is incorrect: it must be from 1 to {0}."
        "`PageSize` 错误：取值范围为 1 至 {0}。";
    PageSizeOversize "InvalidParameter.PageSizeOversize" Raised
        "`PageSize` is more than 100"
        "`PageSize` 超过 100"
        "`PageSize` exceeds 100."
        "`PageSize` 超过 100。";
    UserIdsMorethanSix "InvalidParameter.UserIdsMorethanSix" Raised
        "more than 100 `UserIds`; more than 6 where metrics are asked, and for the old action names"
        "`UserIds` 超过 100 个；查询指标或使用旧接口名时超过 6 个"
        "There are more than {0} `UserIds`."
        "`UserIds` 超过 {0} 个。";
    UserId "InvalidParameter.UserId" Never
        "a user that is not known has no events";
    MissingCommId "MissingParameter.CommId" Raised
        "`CommId` is empty"
        "`CommId` 为空"
        "`CommId` is empty."
        "`CommId` 为空。";
    MissingCommIdOrSdkAppId "MissingParameter.CommIdOrSdkAppId" Never
        "the first absent parameter is reported by `MissingParameter`";
    MissingSdkAppId "MissingParameter.SdkAppId" Raised
        "`SdkAppId` is an empty text, which the old action names allow"
        "`SdkAppId` 为空字符串；仅旧接口名接受字符串"
        "`SdkAppId` is empty."
        "`SdkAppId` 为空。";
    MissingStartTs "MissingParameter.StartTs" Never
        "reported by `MissingParameter`";
    MissingEndTs "MissingParameter.EndTs" Never
        "reported by `MissingParameter`";
    MissingRoomId "MissingParameter.RoomId" Raised
        "`RoomId` is empty, for DescribeUserEvent"
        "`RoomId` 为空，适用于 DescribeUserEvent"
        "`RoomId` is empty."
        "`RoomId` 为空。";
    MissingUserId "MissingParameter.UserId" Raised
        "`UserId` is empty, for DescribeUserEvent"
        "`UserId` 为空，适用于 DescribeUserEvent"
        "`UserId` is empty."
        "`UserId` 为空。";
    MissingRoomNum "MissingParameter.RoomNum" Never
        "no action has that parameter";
    MissingAppId "MissingParameter.AppId" Never
        "no action has that parameter";
    StartTimeExpire "InvalidParameter.StartTimeExpire" Never
        "in no list of these actions; see `InvalidParameter.StartTsOversize`";
    UserIds "InvalidParameter.UserIds" Never
        "in no list of these actions";
    UnauthorizedSdkAppId "UnauthorizedOperation.SdkAppId" Never
        "in no list of these actions; see `InvalidParameter.SdkAppid`";
    FailedSdkAppIdNotExist "FailedOperation.SdkAppIdNotExist" Never
        "in no list of these actions; see `InvalidParameter.SdkAppid`";
    FailedSdkAppIdNotUnderAppId "FailedOperation.SdkAppIdNotUnderAppId" Never
        "in no list of these actions; see `InvalidParameter.SdkAppid`";
    FailedNotAbility "FailedOperation.NotAbility" Never
        "in no list of these actions; see `InvalidParameter.StartTimeOversize`";
    DryRunOperation "DryRunOperation" Never "there is no dry run";
    FailedOperation "FailedOperation" Never "nothing is operated";
    IpInBlacklist "IpInBlacklist" Never "there is no list of addresses";
    IpNotInWhitelist "IpNotInWhitelist" Never "there is no list of addresses";
    LimitExceeded "LimitExceeded" Never "there are no quotas";
    NoSuchProduct "NoSuchProduct" Never "there is one product";
    ResourceInUse "ResourceInUse" Never "nothing is reserved";
    ResourceInsufficient "ResourceInsufficient" Never "nothing is reserved";
    ResourceNotFound "ResourceNotFound" Never "what is not known is an empty list";
    ResourceUnavailable "ResourceUnavailable" Never "nothing is reserved";
    UnauthorizedOperation "UnauthorizedOperation" Never "every key may ask everything its account may";
    UnsupportedOperation "UnsupportedOperation" Never "every action is always possible";
}

impl ErrorCode {
    /// The text on the wire.
    pub const fn wire(self) -> &'static str {
        self.row().wire
    }

    /// When it is said, or why never.
    pub const fn meaning(self) -> Text {
        self.row().meaning
    }

    /// Whether it is ever said.
    pub const fn used(self) -> Use {
        self.row().used
    }

    /// Whether the same request may succeed later.
    pub const fn is_retryable(self) -> bool {
        matches!(self.row().used, Use::Retryable)
    }

    /// The code of that text.
    pub fn from_wire(text: &str) -> Option<ErrorCode> {
        ErrorCode::ALL.iter().copied().find(|code| code.wire() == text)
    }
}

/// Why a request is refused: a code and what its message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The code.
    pub code: ErrorCode,
    about: Vec<About>,
    own: Option<Text>,
}

/// What a fault is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum About {
    /// A name or a value: the same in each language.
    Value(String),
    /// Something of ours.
    Text(Text),
}

impl From<ErrorCode> for Fault {
    fn from(code: ErrorCode) -> Fault {
        debug_assert!(code.used() != Use::Never, "{} is said, and its row has no message", code.wire());
        Fault { code, about: Vec::new(), own: None }
    }
}

impl Fault {
    /// A fault whose message names what it is about, in the order of the table's `{0}` and `{1}`.
    pub fn about(code: ErrorCode, about: &[&dyn std::fmt::Display]) -> Fault {
        Fault { code, about: about.iter().map(|value| About::Value(value.to_string())).collect(), own: None }
    }

    /// A fault with a message of its own, for codes that cover several cases. `{0}` in it is replaced.
    pub fn own(code: ErrorCode, message: Text, about: &[&dyn std::fmt::Display]) -> Fault {
        Fault { own: Some(message), ..Fault::about(code, about) }
    }

    /// What it is about besides: a text that speaks the language of the message.
    pub fn and(mut self, text: Text) -> Fault {
        self.about.push(About::Text(text));
        self
    }

    /// The message. What the caller wrote is repeated up to `echo_chars`.
    pub fn message(&self, language: Language, echo_chars: usize) -> String {
        let row = self.code.row();
        let template = self.own.or(row.message).unwrap_or(row.meaning).of(language);
        let mut text = String::with_capacity(template.len() + 64);
        let mut rest = template;
        while let Some(open) = rest.find('{') {
            let (before, tail) = rest.split_at(open);
            text.push_str(before);
            let (slot, after) = if tail.starts_with("{1}") { (1, tail.get(3..)) } else { (0, tail.get(3..)) };
            match self.about.get(slot) {
                Some(About::Value(value)) => {
                    text.extend(value.chars().take(echo_chars));
                    if value.chars().nth(echo_chars).is_some() {
                        text.push('…');
                    }
                }
                Some(About::Text(ours)) => text.push_str(ours.of(language)),
                None => {}
            }
            rest = after.unwrap_or_default();
        }
        text.push_str(rest);
        text
    }
}

/// `docs/errors.md`.
pub fn docs() -> String {
    let mut page = String::from(
        "# Error codes\n\n\
         Generated from the table in `src/wire/error.rs`; `UPDATE=1 cargo test docs` writes it anew.\n\n\
         Every answer has HTTP status 200, errors included. Match on the code, never on the message: messages may \
         change, and `X-TC-Language: zh-CN` gives them in Chinese.\n\n\
         ## Said\n\n| code | when | try again |\n| --- | --- | --- |\n",
    );
    for code in ErrorCode::ALL.iter().filter(|code| code.used() != Use::Never) {
        let again = if code.is_retryable() { "yes" } else { "no" };
        page.push_str(&format!("| `{}` | {} | {again} |\n", code.wire(), code.meaning().en));
    }
    page.push_str(
        "\n## Never said\n\nThe imitated service lists these too; code that handles them does no harm.\n\n\
         | code | why not |\n| --- | --- |\n",
    );
    for code in ErrorCode::ALL.iter().filter(|code| code.used() == Use::Never) {
        page.push_str(&format!("| `{}` | {} |\n", code.wire(), code.meaning().en));
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{ErrorCode, Fault, Use};
    use crate::wire::Language;

    #[test]
    fn every_code_has_a_text_of_its_own() {
        let texts: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.wire()).collect();
        assert_eq!(texts.len(), ErrorCode::ALL.len());
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_wire(code.wire()), Some(*code));
            assert_eq!(code.used() == Use::Never, code.row().message.is_none(), "{code:?}");
            assert!(!code.meaning().en.ends_with('.') && !code.meaning().zh.ends_with('。'), "{code:?}");
        }
    }

    #[test]
    fn placeholders_are_only_those_that_are_replaced() {
        for code in ErrorCode::ALL {
            for text in code.row().message.iter().flat_map(|message| [message.en, message.zh]) {
                let bare = text.replace("{0}", "").replace("{1}", "");
                assert!(!bare.contains(['{', '}']), "{code:?}: {text}");
            }
        }
    }

    #[test]
    fn what_is_said_is_said_in_both_languages() {
        for code in ErrorCode::ALL.iter().filter(|code| code.used() != Use::Never) {
            let row = code.row();
            assert_eq!(row.meaning.faults(false), Vec::<String>::new(), "{code:?}");
            // The explorer takes the fields that a message is about from its names, in their order.
            assert_eq!(row.message.unwrap().faults(true), Vec::<String>::new(), "{code:?}");
        }
    }

    #[test]
    fn messages_name_what_they_are_about() {
        let fault = Fault::about(ErrorCode::InvalidParameter, &[&"UserIds.0", &"string"]);
        assert_eq!(
            fault.message(Language::English, 20),
            "The value type of parameter `UserIds.0` is not valid, input type should be `string`."
        );
        assert_eq!(
            fault.message(Language::Chinese, 20),
            "参数 `UserIds.0` 取值类型错误。参数类型应为 `string`"
        );
        let long = Fault::about(ErrorCode::UnknownParameter, &[&"éééé{0}"]);
        assert_eq!(long.message(Language::English, 3), "The parameter `ééé…` is not recognized.");
        let whole = long.message(Language::English, 9);
        assert_eq!(whole, "The parameter `éééé{0}` is not recognized.", "a caller's braces are text");
    }
}
