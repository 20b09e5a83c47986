//! The error codes: one table, from which `docs/errors.md` is generated, and the messages that go with them.

use super::Language;

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
    ($($variant:ident $wire:literal $used:ident $meaning:literal $en:literal $zh:literal;)*) => {
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
                    $(ErrorCode::$variant => {
                        Row { wire: $wire, used: Use::$used, meaning: $meaning, en: $en, zh: $zh }
                    })*
                }
            }
        }
    };
}

/// One line of the table. `{0}` and `{1}` in a message are what the fault is about. No English message: the
/// meaning. No Chinese message: the English one.
struct Row {
    wire: &'static str,
    used: Use,
    meaning: &'static str,
    en: &'static str,
    zh: &'static str,
}

#[rustfmt::skip]
codes! {
    AuthSignatureFailure "AuthFailure.SignatureFailure" Raised
        "the signature is not the one computed"
        "The provided credentials could not be validated. Please check your signature is correct."
        "请求签名验证失败，请检查您的签名计算是否正确。";
    AuthSignatureExpire "AuthFailure.SignatureExpire" Raised
        "the time of the request differs from the server's clock by more than 300 s"
        "The request lifetime is exceeded: its timestamp is `{0}`, the time of the server is `{1}`, they may differ by at most 300 seconds."
        "请求已过期：请求时间戳为 `{0}`，服务器时间为 `{1}`，两者相差不得超过 300 秒。";
    AuthSecretIdNotFound "AuthFailure.SecretIdNotFound" Raised
        "no such key, or it has expired"
        "The SecretId is not found, please ensure that your SecretId is correct."
        "SecretId不存在，请输入正确的密钥。";
    AuthInvalidAuthorization "AuthFailure.InvalidAuthorization" Raised
        "`Authorization` is malformed, or its date, service or list of signed headers is wrong"
        "The request `Authorization` header does not conform to tencentcloud standards: {0}."
        "请求头部的 `Authorization` 不符合腾讯云标准：{0}。";
    AuthTokenFailure "AuthFailure.TokenFailure" Raised
        "the token is wrong, expired, absent for a temporary key, or given for a key that has none"
        "Token verification failed, please check if your Token is correct."
        "Token 验证失败，请检查您的 Token 是否正确。";
    AuthInvalidSecretId "AuthFailure.InvalidSecretId" Never
        "keys of other kinds do not exist here" "" "";
    AuthUnauthorizedOperation "AuthFailure.UnauthorizedOperation" Never
        "every key may ask everything its account may" "" "";
    AuthMfaFailure "AuthFailure.MFAFailure" Never
        "there is no second factor" "" "";
    AuthFailure "AuthFailure" Never
        "a more exact code exists for every case" "" "";
    AuthUnRealName "AuthFailure.UnRealNameAuthenticated" Never
        "accounts have no real-name check" "" "";
    AuthUnsupportedOperation "AuthFailure.UnsupportedOperation" Never
        "every action is open to every key" "" "";
    MissingParameter "MissingParameter" Raised
        "a common or a required parameter is absent, or `null`"
        "The request is missing a required parameter `{0}`."
        "请求缺少必需的参数 `{0}`。";
    InvalidParameter "InvalidParameter" Raised
        "a value of the wrong type, a parameter given twice, an unknown metric name, or a JSON or multipart POST without `Authorization`"
        "The value type of parameter `{0}` is not valid, input type should be `{1}`."
        "参数 `{0}` 取值类型错误。参数类型应为 `{1}`";
    UnknownParameter "UnknownParameter" Raised
        "a key that the action does not define"
        "The parameter `{0}` is not recognized."
        "未知参数 `{0}`。";
    InvalidParameterValue "InvalidParameterValue" Raised
        "a region that is no region"
        "A value specified in `{0}` is not valid, is unsupported, or cannot be used."
        "参数 `{0}` 的取值无效、不支持或不可用。";
    UnsupportedRegion "UnsupportedRegion" Raised
        "a region that the action is not offered in"
        "The action not support this region."
        "接口不支持所传地域。";
    InvalidAction "InvalidAction" Raised
        "no such action; names are case-sensitive"
        "The request action=`{0}` is invalid or not found in service=`trtc` and version=`2019-07-22`."
        "请求的接口 `{0}` 在服务 `trtc` 的版本 `2019-07-22` 中不存在。";
    NoSuchVersion "NoSuchVersion" Raised
        "a version other than `2019-07-22`"
        "The specified api version=`{0}` does not exist in service=`trtc`."
        "服务 `trtc` 不存在接口版本 `{0}`。";
    RequestLimitExceeded "RequestLimitExceeded" Retryable
        "more calls in one second than an account may make of one action; refused calls count"
        "Your current request times equals to `{0}` in a second, which exceeds the frequency limit `{1}` for a second. Please reduce the frequency of calls."
        "您当前每秒请求 `{0}` 次，超过了每秒频率上限 `{1}`，请稍后重试。";
    RequestLimitUin "RequestLimitExceeded.UinLimitExceeded" Never
        "the limit is for each action, not for all of an account" "" "";
    RequestLimitIp "RequestLimitExceeded.IPLimitExceeded" Never
        "addresses are not limited" "" "";
    RequestLimitGlobalRegionUin "RequestLimitExceeded.GlobalRegionUinLimitExceeded" Never
        "regions are not limited" "" "";
    UnsupportedProtocol "UnsupportedProtocol" Raised
        "a method other than GET and POST, or a signed POST that is neither JSON nor multipart"
        "The protocol is not supported: use GET, or POST with `application/json` or `multipart/form-data`."
        "不支持的请求协议：请使用 GET，或使用 `application/json`、`multipart/form-data` 的 POST 请求。";
    RequestSizeLimitExceeded "RequestSizeLimitExceeded" Raised
        "more than 32 KB of target, 1 MB of version 1 form, or 10 MB of version 3 body"
        "The request exceeds the size limit."
        "请求包大小超过限制。";
    InvalidRequest "InvalidRequest" Raised
        "a multipart body that is malformed"
        "The multipart body of the request is malformed."
        "请求的 multipart 格式错误。";
    ActionOffline "ActionOffline" Never
        "the old action names are always served" "" "";
    InternalError "InternalError" Never
        "a more exact code exists; region breakers of SDKs count this one" "" "";
    InternalDbError "InternalError.DBError" Retryable
        "the store cannot answer"
        "The records cannot be read just now."
        "暂时无法读取记录。";
    InternalEsQueryError "InternalError.EsQueryError" Retryable
        "the store cannot answer a question about metrics or events"
        "The metrics or events cannot be read just now."
        "暂时无法读取指标或事件。";
    InternalHttpParaseFalied "InternalError.HttpParaseFalied" Never
        "spelt so by the imitated service; parameters have codes of their own" "" "";
    InternalInterfaceErr "InternalError.InterfaceErr" Never
        "there are no inner interfaces" "" "";
    InternalMethodErr "InternalError.MethodErr" Never
        "there are no inner methods" "" "";
    ServiceUnavailable "ServiceUnavailable" Never
        "a server that cannot answer says why" "" "";
    ResponseSizeLimitExceeded "ResponseSizeLimitExceeded" Raised
        "more points of metrics than one answer may hold"
        "The answer would hold more points than one answer may; ask for a shorter window."
        "数据点超过单次响应的上限，请缩短时间范围。";
    BodyParamsError "InvalidParameter.BodyParamsError" Raised
        "the JSON body is not UTF-8, not JSON, not an object, or has a key twice"
        "The request body cannot be read: {0}."
        "请求体无法解析：{0}。";
    UrlParamsError "InvalidParameter.UrlParamsError" Raised
        "the query or form cannot be decoded"
        "The query or form cannot be decoded: {0}."
        "请求参数无法解码：{0}。";
    EncodeParams "InvalidParameter.EncodeParams" Never
        "see `InvalidParameter.UrlParamsError`" "" "";
    SdkAppId "InvalidParameter.SdkAppId" Raised
        "`SdkAppId` is 0, or `CommId` begins with another one (DescribeUserEvent says `InvalidParameter.SdkAppid`)"
        "`SdkAppId` is incorrect: it is 0 or not the one that `CommId` begins with." "";
    SdkAppid "InvalidParameter.SdkAppid" Raised
        "`SdkAppId` does not belong to the caller's account"
        "`SdkAppId` does not match the account." "";
    StartTs "InvalidParameter.StartTs" Raised
        "`StartTime` is 0; for users and call details also `EndTime` before `StartTime`"
        "`StartTime` is incorrect: it is 0 or after `EndTime`." "";
    EndTs "InvalidParameter.EndTs" Raised
        "`EndTime` is 0 or before `StartTime`, for rooms, events, unusual events and daily figures"
        "`EndTime` is incorrect: it is 0 or before `StartTime`." "";
    StartTsOversize "InvalidParameter.StartTsOversize" Raised
        "`StartTime` is longer ago than `limits.history_days`"
        "`StartTime` is more than {0} days ago." "";
    StartTimeOversize "InvalidParameter.StartTimeOversize" Raised
        "`StartTime` is longer ago than the account's edition allows; with the free edition always"
        "`StartTime` is earlier than the edition `{0}` of the account allows." "";
    QueryScaleOversize "InvalidParameter.QueryScaleOversize" Raised
        "the window is too long"
        "The window from `StartTime` to `EndTime` is longer than {0} seconds." "";
    PageNumber "InvalidParameter.PageNumber" Never
        "a negative page is a type error; a page beyond the end is empty" "" "";
    PageSize "InvalidParameter.PageSize" Raised
        "`PageSize` is 0, or more than 6 where metrics are asked"
        "`PageSize` is incorrect: it must be from 1 to {0}." "";
    PageSizeOversize "InvalidParameter.PageSizeOversize" Raised
        "`PageSize` is more than 100"
        "`PageSize` exceeds 100." "";
    UserIdsMorethanSix "InvalidParameter.UserIdsMorethanSix" Raised
        "more than 100 `UserIds`; more than 6 where metrics are asked, and for the old action names"
        "There are more than {0} `UserIds`." "";
    UserId "InvalidParameter.UserId" Never
        "a user that is not known has no events" "" "";
    MissingCommId "MissingParameter.CommId" Raised
        "`CommId` is empty"
        "`CommId` is empty." "";
    MissingCommIdOrSdkAppId "MissingParameter.CommIdOrSdkAppId" Never
        "the first absent parameter is reported by `MissingParameter`" "" "";
    MissingSdkAppId "MissingParameter.SdkAppId" Raised
        "`SdkAppId` is an empty text, which the old action names allow"
        "`SdkAppId` is empty." "";
    MissingStartTs "MissingParameter.StartTs" Never
        "reported by `MissingParameter`" "" "";
    MissingEndTs "MissingParameter.EndTs" Never
        "reported by `MissingParameter`" "" "";
    MissingRoomId "MissingParameter.RoomId" Raised
        "`RoomId` is empty, for DescribeUserEvent"
        "`RoomId` is empty." "";
    MissingUserId "MissingParameter.UserId" Raised
        "`UserId` is empty, for DescribeUserEvent"
        "`UserId` is empty." "";
    MissingRoomNum "MissingParameter.RoomNum" Never
        "no action has that parameter" "" "";
    MissingAppId "MissingParameter.AppId" Never
        "no action has that parameter" "" "";
    StartTimeExpire "InvalidParameter.StartTimeExpire" Never
        "in no list of these actions; see `InvalidParameter.StartTsOversize`" "" "";
    UserIds "InvalidParameter.UserIds" Never
        "in no list of these actions" "" "";
    UnauthorizedSdkAppId "UnauthorizedOperation.SdkAppId" Never
        "in no list of these actions; see `InvalidParameter.SdkAppid`" "" "";
    FailedSdkAppIdNotExist "FailedOperation.SdkAppIdNotExist" Never
        "in no list of these actions; see `InvalidParameter.SdkAppid`" "" "";
    FailedSdkAppIdNotUnderAppId "FailedOperation.SdkAppIdNotUnderAppId" Never
        "in no list of these actions; see `InvalidParameter.SdkAppid`" "" "";
    FailedNotAbility "FailedOperation.NotAbility" Never
        "in no list of these actions; see `InvalidParameter.StartTimeOversize`" "" "";
    DryRunOperation "DryRunOperation" Never "there is no dry run" "" "";
    FailedOperation "FailedOperation" Never "nothing is operated" "" "";
    IpInBlacklist "IpInBlacklist" Never "there is no list of addresses" "" "";
    IpNotInWhitelist "IpNotInWhitelist" Never "there is no list of addresses" "" "";
    LimitExceeded "LimitExceeded" Never "there are no quotas" "" "";
    NoSuchProduct "NoSuchProduct" Never "there is one product" "" "";
    ResourceInUse "ResourceInUse" Never "nothing is reserved" "" "";
    ResourceInsufficient "ResourceInsufficient" Never "nothing is reserved" "" "";
    ResourceNotFound "ResourceNotFound" Never "what is not known is an empty list" "" "";
    ResourceUnavailable "ResourceUnavailable" Never "nothing is reserved" "" "";
    UnauthorizedOperation "UnauthorizedOperation" Never "every key may ask everything its account may" "" "";
    UnsupportedOperation "UnsupportedOperation" Never "every action is always possible" "" "";
}

impl ErrorCode {
    /// The text on the wire.
    pub const fn wire(self) -> &'static str {
        self.row().wire
    }

    /// When it is said, or why never.
    pub const fn meaning(self) -> &'static str {
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
    about: Vec<String>,
    own: Option<&'static str>,
}

impl From<ErrorCode> for Fault {
    fn from(code: ErrorCode) -> Fault {
        Fault { code, about: Vec::new(), own: None }
    }
}

impl Fault {
    /// A fault whose message names what it is about, in the order of the table's `{0}` and `{1}`.
    pub fn about(code: ErrorCode, about: &[&dyn std::fmt::Display]) -> Fault {
        Fault { code, about: about.iter().map(ToString::to_string).collect(), own: None }
    }

    /// A fault with a message of its own, for codes that cover several cases. `{0}` in it is replaced.
    pub fn own(code: ErrorCode, message: &'static str, about: &[&dyn std::fmt::Display]) -> Fault {
        Fault { own: Some(message), ..Fault::about(code, about) }
    }

    /// The message. What the caller wrote is repeated up to `echo_chars`.
    pub fn message(&self, language: Language, echo_chars: usize) -> String {
        let row = self.code.row();
        let template = match (self.own, language) {
            (Some(own), _) => own,
            (None, Language::Chinese) if !row.zh.is_empty() => row.zh,
            (None, _) if !row.en.is_empty() => row.en,
            (None, _) => row.meaning,
        };
        let mut text = String::with_capacity(template.len() + 64);
        let mut rest = template;
        while let Some(open) = rest.find('{') {
            let (before, tail) = rest.split_at(open);
            text.push_str(before);
            let (slot, after) = if tail.starts_with("{1}") { (1, tail.get(3..)) } else { (0, tail.get(3..)) };
            if let Some(about) = self.about.get(slot) {
                text.extend(about.chars().take(echo_chars));
                if about.chars().nth(echo_chars).is_some() {
                    text.push('…');
                }
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
         change, and `X-TC-Language: zh-CN` gives the common ones in Chinese.\n\n\
         ## Said\n\n| code | when | try again |\n| --- | --- | --- |\n",
    );
    for code in ErrorCode::ALL.iter().filter(|code| code.used() != Use::Never) {
        let again = if code.is_retryable() { "yes" } else { "no" };
        page.push_str(&format!("| `{}` | {} | {again} |\n", code.wire(), code.meaning()));
    }
    page.push_str(
        "\n## Never said\n\nThe imitated service lists these too; code that handles them does no harm.\n\n\
         | code | why not |\n| --- | --- |\n",
    );
    for code in ErrorCode::ALL.iter().filter(|code| code.used() == Use::Never) {
        page.push_str(&format!("| `{}` | {} |\n", code.wire(), code.meaning()));
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
            assert_eq!(code.used() == Use::Never, code.row().en.is_empty(), "{code:?}");
            assert!(!code.meaning().ends_with('.'), "{code:?}");
        }
    }

    #[test]
    fn placeholders_are_only_those_that_are_replaced() {
        for code in ErrorCode::ALL {
            for text in [code.row().en, code.row().zh] {
                let bare = text.replace("{0}", "").replace("{1}", "");
                assert!(!bare.contains(['{', '}']), "{code:?}: {text}");
            }
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
