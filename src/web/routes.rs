//! The table of pages: what is not in it is not there.

use super::{Method, STREAM_PATH, assets};

/// A page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    Home,
    Live,
    Trends,
    Calls,
    Call,
    CallData,
    Explorer,
    Prepare,
    Action,
    Users,
    UserAsked,
    User,
    Search,
    /// How pages look, for whoever asks.
    Set,
    Login,
    Logout,
}

use Page::*;

/// How it is asked for, `None` for either way; its path below `/ui/`, where `*` stands for one part and `**` for any
/// number.
const ROUTES: &[(Option<Method>, &str, Page)] = &[
    (Some(Method::Get), "", Home),
    (Some(Method::Get), "live", Live),
    (Some(Method::Get), "trends", Trends),
    (Some(Method::Get), "calls", Calls),
    (Some(Method::Get), "calls/*/**", Call),
    (Some(Method::Get), "data/call/*", CallData),
    (Some(Method::Get), "explorer", Explorer),
    (Some(Method::Post), "explorer/prepare", Prepare),
    (Some(Method::Get), "explorer/*", Action),
    (Some(Method::Get), "users", Users),
    (Some(Method::Get), "users/*", UserAsked),
    (Some(Method::Get), "users/*/*", User),
    (Some(Method::Get), "search", Search),
    (None, "set", Set),
    (None, "login", Login),
    (Some(Method::Post), "logout", Logout),
];

/// The page at a path, and the parts of the path that stand for something.
pub(super) fn find(method: Method, path: &str) -> Option<(Page, Vec<&str>)> {
    let parts: Vec<&str> = path.strip_prefix("/ui")?.trim_matches('/').split('/').collect();
    let rows = ROUTES.iter().filter(|(asked, _, _)| asked.is_none_or(|asked| asked == method));
    rows.filter_map(|(_, pattern, page)| Some((*page, variable(pattern, &parts)?))).next()
}

/// The parts that stand at the `*` of a pattern, if it is one of this path.
fn variable<'p>(pattern: &str, parts: &[&'p str]) -> Option<Vec<&'p str>> {
    let mut found = Vec::new();
    let mut rest = parts.iter();
    for wanted in pattern.split('/') {
        match wanted {
            "**" => {
                found.extend(rest.by_ref());
                break;
            }
            "*" => found.push(*rest.next()?),
            wanted => {
                rest.next().filter(|part| **part == wanted)?;
            }
        }
    }
    rest.next().is_none().then_some(found)
}

/// Every path of a page, with `*` and `**` as in the table.
pub fn paths() -> Vec<String> {
    let pages = ROUTES.iter().map(|(_, pattern, _)| format!("/ui/{pattern}"));
    pages.chain(assets::paths()).chain([STREAM_PATH.to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::{Method, Page, find};

    #[test]
    fn a_path_leads_to_its_page() {
        let check = |path: &str, expected: Option<(Page, &[&str])>| {
            let found = find(Method::Get, path);
            let found = found.as_ref().map(|(page, parts)| (*page, parts.as_slice()));
            assert_eq!(found, expected, "{path}");
        };
        check("/ui", Some((Page::Home, &[])));
        check("/ui/", Some((Page::Home, &[])));
        check("/ui/calls", Some((Page::Calls, &[])));
        check("/ui/calls/a", Some((Page::Call, &["a"])));
        check("/ui/calls/a/pair/b", Some((Page::Call, &["a", "pair", "b"])));
        check("/ui/users/1/a%2Fb", Some((Page::User, &["1", "a%2Fb"])));
        check("/ui/users/1/2/3", None);
        check("/ui/explorer/DescribeUserInfo", Some((Page::Action, &["DescribeUserInfo"])));
        check("/ui/logout", None);
        check("/ui/none", None);
        assert_eq!(find(Method::Post, "/ui/explorer/prepare").map(|found| found.0), Some(Page::Prepare));
        assert_eq!(find(Method::Post, "/ui/calls"), None);
    }
}
