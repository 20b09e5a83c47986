//! The one box that looks for everything: actions, calls, rooms.

use super::query::{Query, segment};
use super::{Context, Shown};
use crate::actions::ACTIONS;
use crate::records::CommId;

/// `/ui/search?q=`: to the page that has what was looked for.
pub(super) fn find<S>(context: &Context<'_, S>) -> Shown {
    let q = context.query.text("q").unwrap_or_default().trim();
    let is_own = |comm_id: &CommId| comm_id.app().is_some_and(|app| context.view.apps.contains(&app));
    if q.to_ascii_lowercase().starts_with("desc") {
        let found = ACTIONS.iter().find(|action| action.name.eq_ignore_ascii_case(q));
        let begin = |name: &str| name.to_ascii_lowercase().starts_with(&q.to_ascii_lowercase());
        let mut begun = ACTIONS.iter().filter(|action| begin(action.name));
        let only = begun.next().filter(|_| begun.next().is_none());
        return match found.or(only) {
            Some(action) => Shown::see_other(&format!("/ui/explorer/{}", action.name)),
            None => to("/ui/explorer", q),
        };
    }
    // A call's id has three parts, the first of them an application.
    if q.split('_').count() >= 3 && is_own(&CommId::from_text(q)) {
        return Shown::see_other(&format!("/ui/calls/{}", segment(q)));
    }
    to("/ui/calls", q)
}

fn to(path: &str, q: &str) -> Shown {
    Shown::see_other(&format!("{path}{}", Query::default().with("q", Some(q).filter(|q| !q.is_empty()))))
}
