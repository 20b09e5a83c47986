//! The texts of the pages: one table, in each language.

use crate::wire::Language;

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Lang {
    /// English.
    En,
    /// Simplified Chinese.
    Zh,
}

impl Lang {
    /// As `lang` attributes have it.
    pub(super) const fn tag(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::Zh => "zh-CN",
        }
    }

    /// The language of messages and of the table of actions.
    pub(super) const fn spoken(self) -> Language {
        match self {
            Lang::En => Language::English,
            Lang::Zh => Language::Chinese,
        }
    }
}

macro_rules! words {
    ($($name:ident: $en:literal, $zh:literal;)*) => {
        impl Lang {
            $(pub(super) const fn $name(self) -> &'static str {
                match self { Lang::En => $en, Lang::Zh => $zh }
            })*
        }

        #[cfg(test)]
        const ALL: &[(&str, &str, &str)] = &[$((stringify!($name), $en, $zh)),*];
    };
}

words! {
    live: "Live", "实时";
    calls: "Calls", "通话";
    users: "Users", "用户";
    trends: "Trends", "趋势";
    explorer: "API Explorer", "API Explorer";
    skip: "Skip to content", "跳到正文";
    search: "Search", "搜索";
    search_hint: "Room, user, CommId, action", "房间、用户、CommId、接口";
    app: "App", "应用";
    zone: "Time zone", "时区";
    zone_browser: "Browser", "浏览器时区";
    theme: "Theme", "主题";
    theme_auto: "System", "跟随系统";
    theme_light: "Light", "浅色";
    theme_dark: "Dark", "深色";
    language: "Language", "语言";
    settings: "Display", "显示";
    sign_in: "Sign in", "登录";
    sign_out: "Sign out", "退出登录";
    account: "Account", "账号";
    password: "Password", "密码";
    sign_in_wrong: "The account or the password is wrong.", "账号或密码错误。";
    sign_in_slow: "Too many attempts. Try again in a minute.", "尝试次数过多，请一分钟后再试。";
    sign_in_off: "The pages are closed: no password is set. Run `rollbook keys ui-password`.",
        "页面未开放：尚未设置密码。请运行 `rollbook keys ui-password`。";
    not_found: "There is nothing here", "这里什么也没有";
    not_found_hint: "The address is wrong, the call is older than what is kept, or it belongs to another account.",
        "地址有误、通话已超过保留期限，或属于其他账号。";
    store_trouble: "The store cannot answer just now", "存储暂时无法响应";
    store_trouble_hint: "Nothing is lost. Try again in a moment; the log says why.", "数据没有丢失。请稍后重试；日志中有原因。";
    days: "days", "天";
    room: "Room", "房间";
    window: "Window", "时间范围";
    show: "Show", "查看";
    last_hour: "Last hour", "最近 1 小时";
    no_calls: "No calls in this window", "该时间范围内没有通话";
    no_calls_hint: "Choose a longer window, or see docs/events.md for how a media server reports here.",
        "请选择更长的时间范围，或参阅 docs/events.md 了解媒体服务器如何上报。";
    pages: "Pages", "分页";
    newer: "Newer", "较新";
    older: "Older", "较早";
    started: "Started", "开始时间";
    duration: "Duration", "时长";
    peak: "Peak", "峰值";
    sessions: "Sessions", "会话";
    state: "State", "状态";
    in_progress: "in progress", "进行中";
    ended: "ended", "已结束";
    ended_superseded: "ended: the room was opened anew", "已结束：房间被重新创建";
    ended_reset: "ended: the media server restarted", "已结束：媒体服务器重启";
    ended_idle: "ended: no sign for long", "已结束：长时间无活动";
    who: "Who was in the call", "通话成员";
    lanes: "Lanes", "泳道";
    table: "Table", "表格";
    filter: "Filter users", "筛选用户";
    sort: "Order", "排序";
    sort_worst: "Worst first", "最差优先";
    sort_join: "By join", "按进房时间";
    good: "good", "良好";
    fair: "fair", "一般";
    poor: "poor", "较差";
    event: "event", "事件";
    events: "Events", "事件";
    no_events: "Nothing was told of this call's users.", "没有该通话用户的事件。";
    in_room: "Users in the room", "房间内用户";
    score: "score", "评分";
    more: "More", "更多";
    creator: "Creator", "创建者";
    source: "Source", "来源";
    user: "User", "用户";
    joined: "Joined", "进房";
    left: "Left", "退房";
    device: "Device", "设备";
    reason: "Reason", "原因";
    still_inside: "still in call", "仍在通话中";
    left_room_closed: "inferred: the room was closed", "推断：房间已关闭";
    left_superseded: "inferred: a newer join took its place", "推断：被新的进房取代";
    left_reset: "inferred: the media server restarted", "推断：媒体服务器重启";
    left_idle: "inferred: no sign for long", "推断：长时间无活动";
    joined_hinted: "told by a later event", "由后续事件告知";
    joined_inferred: "inferred: nobody told it", "推断：无进房事件";
    event_joined: "Entered the room", "进入房间";
    event_left: "Left the room", "离开房间";
    event_changed: "Changed role or attributes", "角色或属性变更";
    event_other: "Other", "其他";
    audio_on: "Microphone on", "麦克风开启";
    audio_off: "Microphone off", "麦克风关闭";
    video_on: "Camera on", "摄像头开启";
    video_off: "Camera off", "摄像头关闭";
    screen_on: "Screen sharing on", "屏幕分享开启";
    screen_off: "Screen sharing off", "屏幕分享关闭";
    room_created: "Room created", "房间创建";
    room_destroyed: "Room closed", "房间关闭";
    quality_of: "Quality of", "通话质量：";
    choose_user: "Choose a user to see bit rate, loss, delay and frames.", "选择一位用户以查看码率、丢包、时延和帧率。";
    loading: "Loading …", "加载中…";
    bitrate: "Bit rate", "码率";
    video_up: "Video up", "视频上行";
    video_down: "Video down", "视频下行";
    audio_up: "Audio up", "音频上行";
    audio_down: "Audio down", "音频下行";
    loss: "Packet loss", "丢包率";
    up: "Up", "上行";
    down: "Down", "下行";
    delay: "Delay", "时延";
    round_trip: "Round trip", "往返时延";
    frames: "Frames", "帧率";
    captured: "Captured", "采集";
    sent: "Sent", "发送";
    shown: "Shown", "渲染";
    freeze: "Freezes", "卡顿";
    video_frozen: "Video frozen", "视频卡顿";
    audio_stutter: "Audio stutter", "音频卡顿";
    actions: "Actions", "接口列表";
    actions_found: "actions", "个接口";
    quick_search: "Action or parameter", "接口或参数";
    call_quality: "Call quality", "通话质量";
    old_names: "Old names", "旧接口名";
    old_name_of: "The old name of", "旧接口名，现为";
    nothing_found: "No action, parameter or field has these words.", "没有接口、参数或字段包含这些词。";
    required: "required", "必填";
    required_only: "Required only", "仅必填参数";
    parameters: "Parameters", "参数";
    sign_as: "Sign as", "签名方式";
    key: "Key", "密钥";
    typed_key: "a key typed in below", "在下方输入密钥";
    typed_hint: "A key that is typed in is used for this page only and is kept nowhere.", "输入的密钥仅用于当前页面，不会保存。";
    region: "Region", "地域";
    method: "Method", "签名方法";
    transport: "Transport", "请求方式";
    another_key: "Another key, another time", "其他密钥、其他时间";
    timestamp: "Timestamp (empty: now)", "时间戳（留空为当前时间）";
    list_hint: "One a line.", "每行一个。";
    send: "Send request", "发送请求";
    prepare: "Sign", "生成签名";
    copy_link: "Copy link", "复制链接";
    reset: "Reset to example", "恢复示例";
    results: "Results", "结果";
    response: "Response", "响应";
    request: "Request", "请求";
    signature: "Signature", "签名";
    code_tab: "Code", "代码";
    reference: "Reference", "参考";
    history: "History", "历史";
    not_sent: "Nothing has been sent yet.", "尚未发送请求。";
    no_history: "What is sent in this tab is listed here: parameters only, never a key.", "此标签页中发送的请求会列在这里：仅含参数，不含密钥。";
    not_reached: "The server could not be reached", "无法连接服务器";
    sending: "Sending …", "发送中…";
    records: "records", "条记录";
    tree: "Tree", "树状";
    raw: "Raw", "原文";
    copy: "Copy", "复制";
    copied: "Copied", "已复制";
    name: "Name", "名称";
    kind: "Type", "类型";
    meaning: "Meaning", "含义";
    reply: "Reply", "返回";
    error_codes: "Error codes", "错误码";
    code: "Code", "错误码";
    example: "Example", "示例";
    may_retry: "Trying again may help.", "可重试。";
    step_canonical: "Canonical request", "规范请求串";
    step_hash: "Its hash", "规范请求串的哈希";
    step_string: "String to sign", "待签名字符串";
    step_keys: "Keys", "派生密钥";
    step_header: "Header Authorization", "请求头 Authorization";
    step_sorted: "Sorted parameters", "排序后的参数";
    step_hmac: "Signature", "签名";
    about_canonical: "Method, path, query, signed headers, a blank line, their names, SHA-256 of the body.",
        "请求方法、路径、查询串、参与签名的请求头、空行、请求头名称、请求体的 SHA-256。";
    about_hash: "SHA-256 of the canonical request, in lower-case hexadecimal digits.", "规范请求串的 SHA-256，小写十六进制。";
    about_string: "Algorithm, timestamp, scope with the UTC date of the timestamp, hash of the canonical request.",
        "算法、时间戳、含时间戳 UTC 日期的凭证范围、规范请求串的哈希。";
    about_keys: "HMAC of the date with TC3 + SecretKey; of the service with that; of tc3_request with that. The last key signs.",
        "以 TC3+SecretKey 对日期做 HMAC，其结果对服务名做 HMAC，再对 tc3_request 做 HMAC；最后的密钥用于签名。";
    about_header: "HMAC-SHA256 of the string to sign with the last key, in hexadecimal digits, is its Signature.",
        "用最后的密钥对待签名字符串做 HMAC-SHA256，十六进制结果即 Signature。";
    about_sorted: "All parameters but Signature, by the bytes of their names, values not encoded.",
        "除 Signature 外的全部参数，按名称字节排序，值不编码。";
    about_source: "Method, host, path, ? and the sorted parameters.", "请求方法、主机、路径、? 及排序后的参数。";
    about_hmac: "HMAC of it with the SecretKey, in base64; it is encoded like every value when it is sent.",
        "用 SecretKey 做 HMAC 并以 Base64 表示；发送时与其他值一样需要编码。";
    keys_hidden: "Not shown: whoever has these can sign all day, and the key is the server's.",
        "不予显示：持有派生密钥即可在当日签名，而该密钥由服务器保管。";
    compare: "Compare with mine", "与我的签名比较";
    compare_hint: "Paste your signature, your header Authorization, your canonical request, or your string to sign.",
        "粘贴您的签名、Authorization 请求头、规范请求串或待签名字符串。";
    compare_do: "Compare", "比较";
    first_difference: "First difference, line and character", "首个差异（行:字符）";
    difference_legend: "− yours, + right", "− 您的，+ 正确的";
    cause_same: "It is the same: the signature is right.", "一致：签名正确。";
    cause_date: "Wrong date: the scope has `{0}`, but the UTC date of the timestamp is `{1}`. It is the date in UTC, not the local one.",
        "日期错误：凭证范围为 `{0}`，而时间戳的 UTC 日期为 `{1}`。应使用 UTC 日期而非本地日期。";
    cause_host_without_port: "The host was signed without its port. This server takes that too; sign what the header `Host` says.",
        "签名时主机未带端口。本服务器同样接受；应按 `Host` 请求头签名。";
    cause_host_with_port: "The host was signed with a port that the header `Host` does not have: `{0}`.",
        "签名时主机带了 `Host` 请求头中没有的端口：`{0}`。";
    cause_host: "Another host was signed: `{0}`.", "签名时使用了其他主机：`{0}`。";
    cause_header_order: "The headers are in another order: `content-type` comes before `host`, in the lines and in `SignedHeaders`.",
        "请求头顺序不同：无论在各行还是 `SignedHeaders` 中，`content-type` 都应在 `host` 之前。";
    cause_signed_headers: "Other headers were signed: `{0}`. That is right only if the request says so in `SignedHeaders` and sends them.",
        "参与签名的请求头不同：`{0}`。仅当请求在 `SignedHeaders` 中如此声明并发送时才正确。";
    cause_newline: "The blank line behind the signed headers is missing: each header ends with a line end, then comes one more.",
        "参与签名的请求头之后缺少空行：每个请求头以换行结尾，其后还有一个换行。";
    cause_line_ends: "The line ends differ: one `\n` between lines, none at the end.", "换行不同：各行之间为一个 `\n`，末尾没有换行。";
    cause_body_blanks: "Another body was signed: the same values with other blanks or line breaks. Sign the very bytes that are sent.",
        "签名的请求体不同：值相同但空白或换行不同。应对实际发送的字节签名。";
    cause_body_order: "Another body was signed: its keys are in another order. Sign the very bytes that are sent.",
        "签名的请求体不同：键的顺序不同。应对实际发送的字节签名。";
    cause_body_escapes: "Another body was signed: letters are written as `\\u…`. Sign the very bytes that are sent.",
        "签名的请求体不同：字符被写成 `\\u…`。应对实际发送的字节签名。";
    cause_body_empty: "An empty body was signed.", "签名时使用了空请求体。";
    cause_body_unsigned: "`UNSIGNED-PAYLOAD` was signed in the body's place; then the header `X-TC-Content-SHA256` must say so.",
        "以 `UNSIGNED-PAYLOAD` 代替请求体签名；此时必须发送 `X-TC-Content-SHA256` 请求头。";
    cause_body_other: "Another body was signed: its hash differs.", "签名的请求体不同：哈希不一致。";
    cause_content_type: "Another `Content-Type` was signed: `{0}`.", "签名时使用了其他 `Content-Type`：`{0}`。";
    cause_capitals: "Capitals: names and values of signed headers and the signature are in lower case.",
        "大小写：参与签名的请求头名称和值以及签名均应为小写。";
    cause_clock: "The clock is off: it was signed {0} s from this time. More than 300 s are refused.",
        "时钟偏差：签名时间相差 {0} 秒，超过 300 秒将被拒绝。";
    cause_key: "Another key signed: that of `{0}`.", "使用了其他密钥：`{0}`。";
    cause_secret_blanks: "The SecretKey has a blank or a line break before or behind it.", "SecretKey 前后多出空白或换行。";
    cause_secret_is_id: "The SecretId was used where the SecretKey belongs.", "误将 SecretId 当作 SecretKey 使用。";
    cause_service: "Another service in the scope: `{0}`, not `trtc`.", "凭证范围中的服务名为 `{0}`，而不是 `trtc`。";
    cause_method: "Another method was signed: `{0}`.", "签名时使用了其他请求方法：`{0}`。";
    cause_query: "The parameters were written in another way, or one is missing. Sign the very bytes that are sent.",
        "参数的写法不同，或缺少某个参数。应对实际发送的字节签名。";
    cause_encoded: "Encoded values were signed; version 1 signs them as they are, and encodes them afterwards.",
        "签名时使用了编码后的值；签名方法 v1 应先对原值签名，再编码。";
    cause_not_sorted: "The parameters were not sorted by their names.", "参数未按名称排序。";
    cause_scheme: "It is made by another scheme, `{0}`, than the one that is chosen.", "它使用了另一种签名方法 `{0}`，与所选不同。";
    cause_canonical: "The hash of the canonical request differs. Paste that, to see where.", "规范请求串的哈希不同。请粘贴规范请求串以定位差异。";
    cause_unknown: "None of the usual mistakes gives this signature. Paste your canonical request or string to sign, to see where they part. Is the SecretKey the right one?",
        "常见错误都无法得到该签名。请粘贴您的规范请求串或待签名字符串以查看差异，并确认 SecretKey 是否正确。";
    cause_unreadable: "That is no signature, no header `Authorization`, no canonical request, and no string to sign.",
        "这不是签名、`Authorization` 请求头、规范请求串或待签名字符串。";

    foreign_origin: "The form was not sent by a page of this server. Behind a proxy that changes Host, set public_hosts.",
        "该表单并非由本服务器的页面发送。若代理改写了 Host，请设置 public_hosts。";
    online_users: "Online users", "在线用户";
    rooms: "Rooms", "房间";
    problem_users: "Problem users", "问题用户";
    audio_freeze: "Audio freeze", "音频卡顿率";
    video_freeze: "Video freeze", "视频卡顿率";
    updated: "updated", "更新于";
    pause: "Pause", "暂停";
    paused: "Paused: the page stands still.", "已暂停：页面不再更新。";
    stream_lost: "Not connected: the page shows what it knew last, and tries again.", "连接已断开：页面显示最后的数据，正在重试。";
    changes_wait: "changes wait", "项变更待显示";
    refresh: "Refresh", "刷新";
    rooms_now: "Rooms now", "当前房间";
    since: "Since", "开始于";
    worst_user: "Worst user", "最差用户";
    now: "Now", "当前";
    time: "Time", "时间";
    events_newest: "Events, newest first", "事件（最新在前）";
    no_news: "Nothing has happened since the start.", "启动以来没有事件。";
    no_quality: "not measured", "无质量数据";
    last_hour_table: "The last hour as a table", "最近一小时（表格）";
    audio_loss: "Audio loss", "音频丢包";
    video_loss: "Video loss", "视频丢包";
    frames_shown: "Frames shown", "渲染帧率";
    cpu: "CPU", "CPU";
    live_bounded: "There is more than this page looks at: numbers are at least what is shown.", "数据量超出本页范围：数字为下限。";
    live_unmeasured: "Nobody inside reports quality.", "房间内没有用户上报质量数据。";
    live_measured: "Users that report quality:", "上报质量数据的用户：";
    live_more: "More rooms:", "更多房间：";
    live_quiet: "No call is running.", "当前没有进行中的通话。";
    live_quiet_hint: "It appears here within a second of the first event.", "首个事件到达后一秒内即会显示。";
    daily: "Daily figures", "每日统计";
    daily_note: "Days of UTC+08:00. A user counts once for each room and day; an entry belongs to the day of its join.", "按 UTC+08:00 的自然日统计。同一用户在每个房间每天计一次；进房归属于进房当日。";
    daily_users: "Users", "用户";
    daily_entries: "Entries", "进房次数";
    daily_rooms: "Rooms", "房间";
    day: "Day", "日期";
    so_far: "so far", "截至目前";
    no_days: "Nobody entered a room on these days.", "所选日期内没有用户进房。";
    no_days_hint: "Choose other days, or tell rollbook of calls: docs/sources.md says how.", "请选择其他日期，或按 docs/sources.md 接入数据源。";
    mean_day: "Mean a day", "日均";
    total: "Total", "合计";

    ended_at: "Ended", "结束时间";
    matrix: "Matrix", "矩阵";
    quality: "Quality", "质量";
    overview: "Overview", "概览";
    crowd: "{0} users. The quality of {1} is known: of those that lost their connection or came back, and of those that you search for. Lanes are shown of those with poor minutes.",
        "共 {0} 位用户。已知其中 {1} 位的质量：掉线或重新进房的用户，以及您搜索的用户。泳道仅显示有较差时段的用户。";
    no_users: "Nobody to show here. Search for a user, or take the filter away.", "没有可显示的用户。请搜索用户，或清除筛选。";
    compare_charts: "Compare in the charts", "在图表中对比";
    poor_times: "Poor {0} times.", "较差 {0} 次。";
    measured: "{0} measured", "{0} 位有测量数据";
    not_measured: "not measured", "无测量数据";
    direction: "Direction", "方向";
    both: "All", "全部";
    received: "Receiver", "接收方";
    sent_way: "Sender", "发送方";
    worst_minute: "Worst minute", "最差分钟";
    ev_kinds: "Kinds of events", "事件类型";
    ev_problem: "Problems", "异常";
    ev_stay: "In and out", "进退房";
    ev_media: "Media", "音视频";
    events_of_part: "Only {0} to {1}, the part that is looked at.", "仅显示 {0} 至 {1} 的事件，即当前查看的时段。";
    no_events_here: "Nothing was told in this part of the call.", "该时段内没有事件。";
    show_all: "Show all", "显示全部";
    earlier: "Earlier", "更早";
    later: "Later", "更晚";
    inferred: "inferred", "推断";
    why_timeout: "connection lost", "连接丢失";
    why_kicked: "removed", "被移出";
    why_killed: "process killed", "进程被终止";
    why_duplicate: "entered elsewhere", "在其他端进房";
    why_network: "network changed", "网络切换";
    why_shutdown: "server shut down", "服务器关闭";
    why_join_failed: "could not enter", "进房失败";
    receiver: "Receiver", "接收方";
    sender: "Sender", "发送方";
    matrix_hint: "Rows receive, columns send. A bad column is a sender's uplink, a bad row is a receiver.", "行为接收方，列为发送方。整列较差说明发送方上行有问题，整行较差说明接收方有问题。";
    no_pairs: "Nobody measured whom it came from, in this part of the call.", "该时段内没有指明对端的测量数据。";
    other_way: "The other way", "反方向";
    as_table: "As a table", "查看表格";
    loss_up: "Loss up", "上行丢包";
    loss_down: "Loss down", "下行丢包";
    worst_at: "worst {0} {1} at {2}", "最差 {0} {1}（{2}）";
    broke_here: "broke here", "问题始于此";
    what: "Chart", "图表";
    line: "Line", "曲线";
    median: "Median", "中位数";
    worst: "Worst", "最差";
    at_time: "At", "时间";
    chart_of: "{0} of {1}, {2} to {3}", "{1} 的{0}，{2} 至 {3}";
    chart_line: "{0} median {1} {2}, worst {3} {4} at {5}", "{0}中位数 {1} {2}，最差 {3} {4}（{5}）";
    muted: "muted", "静音";
    no_video: "no video", "无视频";
    reconnecting: "reconnecting", "重连中";
    not_inside: "not in call", "不在通话中";
    line_lost: "no sign", "无信号";
    finding: "Finding", "诊断";
    look_there: "Look there", "查看该时段";
    found_sender: "{1} of {2} who receive from {0} had poor minutes with it, {3}–{4}: look at the uplink of {0}.",
        "接收 {0} 的 {2} 位用户中有 {1} 位在 {3}–{4} 质量较差：请检查 {0} 的上行网络。";
    found_receiver: "{0} received badly from {1} of {2} senders, {3}–{4}: look at the downlink or the processor of {0}.",
        "{0} 在 {3}–{4} 接收 {2} 位发送方中的 {1} 位质量较差：请检查 {0} 的下行网络或处理器。";
    found_together: "{1} of {2} users were badly off at one time, {3}–{4}: look at the server or the region they share.",
        "{2} 位用户中有 {1} 位在 {3}–{4} 同时质量较差：请检查服务器或其所在区域。";
    found_device: "{0} saw frozen pictures for {1} s, {4}–{5}, while at most {2} % were lost and the processor was {3} % busy: look at the device.",
        "{0} 在 {4}–{5} 卡顿 {1} 秒，期间丢包不超过 {2} %，处理器占用 {3} %：请检查设备性能。";
    keys: "Keys", "快捷键";
    keys_on: "Single keys do what is listed here", "启用单键快捷键";
    close: "Close", "关闭";
    key_places: "Go to Live, Calls, Users, Trends, API Explorer", "前往实时、通话、用户、趋势、API Explorer";
    key_rows: "Next or previous row", "下一行或上一行";
    key_enter: "Choose the row", "选择该行";
    key_cursor: "Move the cursor by one sample; with Shift by one minute", "移动光标一个采样；按住 Shift 移动一分钟";
    key_events: "Previous or next event", "上一个或下一个事件";
    key_problem: "Next problem", "下一个异常";
    key_zoom: "Zoom in, out, back to all", "放大、缩小、显示全部";
    key_direction: "Change the direction", "切换方向";
    key_zone: "Change the time zone", "切换时区";
    key_escape: "Close; take the cursor away", "关闭；移除光标";
    key_help: "This list", "显示本列表";
    user_begins: "UserId begins with", "UserId 前缀";
    user_prefix_hint: "Upper and lower case are different.", "区分大小写。";
    no_users_yet: "Nobody has been in a call yet", "还没有用户进入过通话";
    no_user_begins: "No user's id begins with", "没有以此开头的 UserId：";
    no_user_hint: "The search compares the begin of the id, letter by letter: “ali” finds “alice”, “lice” and “Ali” do not. Users whose calls are older than what is kept are gone.",
        "按 UserId 前缀逐字匹配：“ali”可以找到“alice”，而“lice”和“Ali”不能。超过保留期限的用户不再显示。";
    all_users: "All users", "全部用户";
    first_page: "First page", "第一页";
    next_page: "Next page", "下一页";
    last_seen: "Last seen", "最近出现";
    first_seen: "First seen", "首次出现";
    devices: "Devices", "设备";
    two_weeks: "14 days, hour by hour", "14 天，逐小时";
    time_in_calls: "In calls", "通话时长";
    no_calls_of_user: "This user was in no call in these 14 days. Look at the days before.", "该用户在这 14 天内没有通话，请查看更早的日期。";
    newest_only: "Only the newest calls are drawn and counted:", "仅绘制并统计最近的通话：";
    used: "Devices, SDKs and addresses", "设备、SDK 与地址";
    no_such_name: "Nothing has this name", "没有找到";
    search_help: "A CommId leads to its call, the name of a room to its calls, the begin of a UserId to users, Desc… to an action of the API.",
        "输入 CommId 打开通话，输入房间名查看其通话，输入 UserId 前缀查找用户，输入 Desc… 打开接口。";
    peak_users: "Peak users", "同时在线峰值";
    peak_rooms: "Peak rooms", "同时房间峰值";
    user_minutes: "User-minutes", "用户时长质量";
    measured_users: "Measured", "有测量的用户";
    being_counted: "being counted", "统计中";
    day_gone: "no longer kept in whole", "数据已部分过期";
    days_counting: "{0} of {1} days are being counted, those before included. They appear as they are known; without scripts, reload the page.",
        "{1} 天（含对比期）中有 {0} 天正在统计，完成后自动显示；未启用脚本时请刷新页面。";
    users_measured: "User-minutes are those of {0} of {1} users of calls: the others measured nothing.",
        "用户时长质量来自 {1} 位通话用户中的 {0} 位，其余用户没有测量数据。";
    users_sampled: "Days with more users than are looked at: {0}. Of each, some {1} were: a sample, spread over the whole day.",
        "用户数超出统计上限的天数：{0}。这些日期每天抽取约 {1} 位用户作为样本，覆盖全天。";
    most_a_day: "Most a day", "单日最高";
    day_bounded: "Some days have more than {0} calls in an hour or {1} sessions in a call: what is counted of them is at least what is shown.",
        "部分日期单小时通话超过 {0} 个或单次通话会话超过 {1} 个：统计值为下限。";
    split_by: "Split by", "拆分维度";
    split_against: "{0} to {1}, against {2} to {3}", "{0} 至 {1}，对比 {2} 至 {3}";
    split_kinds: "Of each day the {0} most frequent are told apart.", "每天区分最常见的 {0} 种。";
    no_networks: "No source tells networks or regions, so there is no split by these.", "没有数据源上报网络或地域，因此不提供这两种拆分。";
    before_gone: "No changes: the days before are no longer kept in whole.", "无变化数据：对比期的数据已部分过期。";
    before_waits: "No changes yet: the days before are being counted.", "暂无变化数据：对比期正在统计。";
    before_empty: "No changes: nobody entered in the days before.", "无变化数据：对比期内没有用户进房。";
    share: "Share", "占比";
    change_points: "Change, points", "变化（百分点）";
    not_told: "not told", "未上报";
    all_others: "all others", "其他";
    new_kind: "new", "新增";
    last_sign: "last sign {0}", "最后信号 {0}";
    end_not_seen: "end not seen, or timeout", "退房未上报或超时";
    key_inferred: "No sign of the user, until the leave that is inferred: the room was closed, a newer join took its place, the media server restarted, or nothing was heard for long. The row and the table say which.",
        "此段没有该用户的任何信号，退房时间为推断：房间已关闭、被新的进房取代、媒体服务器重启，或长时间无活动。具体原因见该行及表格。";
    key_ring: "A hollow end: nobody told of the join or leave, or the connection timed out.", "空心端点：进退房未上报，或连接超时。";

    today: "Today", "今天";
    day_long: "24 h", "24 小时";
    any: "Any", "不限";
    any_problem: "any problem", "任意异常";
    room_or_user: "Room or user", "房间或用户";
    since_time: "From", "开始";
    until_time: "To", "结束";
    users_least: "Users ≥", "用户 ≥";
    score_most: "Score ≤", "评分 ≤";
    went_wrong: "Problem", "异常";
    calls_counted: "{0} calls", "{0} 个通话";
    calls_looked: "{0} calls: {1} looked at, {2} shown", "{0} 个通话：已查看 {1} 个，显示 {2} 个";
    calls_of_user: "No room of this name has a call here. These are the calls of the user", "此处没有该名称的房间的通话。以下为该用户的通话：";
    no_calls_named: "The search takes a whole name: no room of this name has a call here, and no user of this id was in one. Choose a longer window, or search above for the begin of a name.",
        "需输入完整名称：此处没有该房间的通话，也没有该 UserId 参与的通话。请选择更长的时间范围，或在页面顶部按前缀搜索。";
    no_calls_match: "No call that was looked at is like that", "已查看的通话均不符合条件";
    no_calls_match_hint: "Take a filter away, or choose a longer window.", "请减少筛选条件，或选择更长的时间范围。";
    looked_at: "Looked at {0} calls, back to {1}.", "已查看 {0} 个通话，最早至 {1}。";
    go_on: "Go on from here", "从此处继续";
    file_bound: "At most {0} calls, from this page on", "自本页起最多 {0} 个通话";
    users_graded: "{0} of {1} users measured", "{1} 位用户中 {0} 位有测量数据";
    shares: "good {0} %, fair {1} %, poor {2} %", "良好 {0} %，一般 {1} %，较差 {2} %";
    no_time: "“{0}” is no time. Write it like 2026-11-25T13:00.", "“{0}”不是有效时间，请按 2026-11-25T13:00 的格式填写。";
    window_backwards: "The window ends before it begins.", "结束时间早于开始时间。";
    stop: ".", "。";
    list: "list", "列表";
    sample_old_name: "SDKs no longer have {0}: this asks {1}, whose reply is the same.", "SDK 已不提供 {0}：此处调用 {1}，返回内容相同。";
    sample_unfit: "{0} is of type {1}, so this SDK cannot send {2}", "{0} 的类型为 {1}，该 SDK 无法发送 {2}";
    sample_holds: "The signature in it holds until {0}.", "其中的签名有效期至 {0}。";
    sample_expires: "The signature in it holds until {0}; afterwards the server says AuthFailure.SignatureExpire.",
        "其中的签名有效期至 {0}，此后服务器返回 AuthFailure.SignatureExpire。";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn both_languages_have_the_same_names_and_slots() {
        let names = |text: &'static str| {
            let mut names: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
            names.extend(text.match_indices('{').filter_map(|(at, _)| text.get(at..at + 3)));
            names.sort_unstable();
            names.dedup();
            names
        };
        for (name, en, zh) in ALL {
            assert_eq!(names(en), names(zh), "{name}: {en:?}, {zh:?}");
            assert!(!zh.is_empty() && en.matches('`').count() % 2 == 0, "{name}");
        }
    }
}
