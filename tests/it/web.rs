//! The pages over a real socket: each as it is written, and who may see it. [`PAGES`] and [`DATA`] are all there are: a
//! new page gets a line here, and with it every test of this module.

mod access;
mod html;
mod pages;
mod site;

/// Every page, with its addresses that show something else. `{ended}` and its like are calls of the fixture.
pub(crate) const PAGES: &[&str] = &[
    "/ui/calls",
    "/ui/calls?app=1400000001&q=zebra-ended",
    "/ui/calls?q=no-such-room",
    "/ui/calls?from=1795370000&to=1795377600&page=0",
    "/ui/calls/{ended}",
    "/ui/calls/{ended}?view=table",
    "/ui/calls/{ended}?view=lanes&sort=join&q=alice",
    "/ui/calls/{ended}?u=zebra-alice,zebra-bob",
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
pub(crate) const DATA: &[(&str, &str)] =
    &[("/ui/data/call/{ended}?u=zebra-alice,zebra-bob&px=200", "application/json")];

/// Addresses that pages have already and that are none yet. Each must answer 404: one that is there belongs to [`PAGES`].
pub(crate) const ABSENT: &[&str] =
    &["/ui/live", "/ui/users", "/ui/trends", "/ui/explorer", "/ui/search", "/ui/calls/{large}/rows"];
