//! The texts of the pages: one table, in each language.

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
}
