//! The pages over a real socket: each as it is written, and who may see it. [`PAGES`] and [`DATA`] are all there are: a
//! new page gets a line here, and with it every test of this module.

mod access;
mod html;
mod pages;
mod site;

/// Every page, with its addresses that show something else. `{ended}` and its like are calls of the fixture.
pub(crate) const PAGES: &[&str] = &[
    "/ui/live",
    "/ui/trends",
    "/ui/trends?app=1400000001&split=device",
    "/ui/users",
    "/ui/users?app=1400000001&q=zebra-al",
    "/ui/users/1400000001/zebra-alice",
    "/ui/search?q=no-such-name",
    "/ui/explorer",
    "/ui/explorer?q=room",
    "/ui/explorer/DescribeRoomInfo",
    "/ui/explorer/DescribeCallDetailInfo?p.CommId=x&p.SdkAppId=1400000001",
    "/ui/calls",
    "/ui/calls?app=1400000001&q=zebra-ended",
    "/ui/calls?q=no-such-room",
    "/ui/calls?app=1400000001&q=zebra-alice",
    "/ui/calls?from=1795370000&to=1795377600&after=1795370407-3",
    "/ui/calls?state=ended&minusers=2&maxscore=4.5",
    "/ui/calls?event=problem&state=live",
    "/ui/calls?since=yesterday",
    "/ui/calls?from=1795377600&to=1795370000",
    "/ui/calls/{ended}",
    "/ui/calls/{ended}?view=table",
    "/ui/calls/{ended}?view=matrix",
    "/ui/calls/{ended}?view=quality",
    "/ui/calls/{ended}/e2e/zebra-alice/zebra-bob",
    "/ui/calls/{ended}?view=lanes&sort=join&q=alice",
    "/ui/calls/{ended}?u=zebra-alice,zebra-bob",
    "/ui/calls/{ended}?from=1795372000&to=1795372600&ev=stay",
    "/ui/calls/{running}",
    "/ui/calls/{running}?view=table",
    "/ui/calls/{inferred}",
    "/ui/calls/{inferred}?view=table",
    "/ui/calls/{large}",
    "/ui/calls/{large}?view=table",
    "/ui/calls/{hostile}",
    "/ui/calls/{hostile}?view=table",
];

/// What scripts and people fetch that is no page: address, type.
pub(crate) const DATA: &[(&str, &str)] = &[
    ("/ui/data/call/{ended}?u=zebra-alice,zebra-bob&px=200", "application/json"),
    ("/ui/calls/{large}/rows?skip=40", "text/html; charset=utf-8"),
    ("/ui/calls/{large}/events?evskip=40", "text/html; charset=utf-8"),
    ("/ui/calls?format=csv", "text/csv; charset=utf-8"),
    ("/ui/calls?q=zebra-alice&minusers=2&format=csv", "text/csv; charset=utf-8"),
    ("/ui/calls/{ended}?view=table&format=csv", "text/csv; charset=utf-8"),
    ("/ui/trends?format=csv", "text/csv; charset=utf-8"),
    ("/ui/trends?format=csv&of=split&split=device", "text/csv; charset=utf-8"),
];
