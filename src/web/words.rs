//! The texts of the pages: one table, in each language.

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

macro_rules! words {
    ($($name:ident: $en:literal, $zh:literal;)*) => {
        impl Lang {
            $(pub(super) const fn $name(self) -> &'static str {
                match self { Lang::En => $en, Lang::Zh => $zh }
            })*
        }
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
    apply: "Apply", "应用设置";
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
    version: "version", "版本";
    kept: "kept", "保留";
    days: "days", "天";
    for_ever: "for ever", "永久";
    room: "Room", "房间";
    window: "Window", "时间范围";
    show: "Show", "查看";
    last_hour: "Last hour", "最近 1 小时";
    last_day: "Last 24 hours", "最近 24 小时";
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
    still_inside: "still inside", "仍在房间";
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

    ended_at: "Ended", "结束时间";
    matrix: "Matrix", "矩阵";
    quality: "Quality", "质量";
    overview: "Overview", "概览";
    crowd: "{0} users. The quality of {1} is known: of those that lost their connection or came back, and of those that you search for. Lanes are shown of those with poor minutes.",
        "共 {0} 位用户。已知其中 {1} 位的质量：掉线或重新进房的用户，以及您搜索的用户。泳道仅显示有较差时段的用户。";
    no_users: "Nobody to show here. Search for a user, or take the filter away.", "没有可显示的用户。请搜索用户，或清除筛选。";
    compare: "Compare in the charts", "在图表中对比";
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
    events_cut: "Only the first 200 are listed. Choose a kind or filter users to see others.", "仅列出前 200 条。请选择类型或筛选用户查看其他事件。";
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
    time: "Time", "时间";
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
    copy: "Copy", "复制";
    copied: "Copied", "已复制";
    copy_link: "Copy link", "复制链接";
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
}
