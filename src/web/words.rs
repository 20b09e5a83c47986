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
    user_begins: "UserId begins with", "UserId 前缀";
    user_prefix_hint: "Upper and lower case are different.", "区分大小写。";
    no_users: "Nobody has been in a call yet", "还没有用户进入过通话";
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
    day: "Day", "日期";
    time_in_calls: "In calls", "通话时长";
    no_calls_of_user: "This user was in no call in these 14 days. Look at the days before.", "该用户在这 14 天内没有通话，请查看更早的日期。";
    newest_only: "Only the newest calls are drawn and counted:", "仅绘制并统计最近的通话：";
    used: "Devices, SDKs and addresses", "设备、SDK 与地址";
    nothing_found: "Nothing has this name", "没有找到";
    search_help: "A CommId leads to its call, the name of a room to its calls, the begin of a UserId to users, Desc… to an action of the API.",
        "输入 CommId 打开通话，输入房间名查看其通话，输入 UserId 前缀查找用户，输入 Desc… 打开接口。";
}
