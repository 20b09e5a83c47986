//! What an address of the list asks for, and how it is written.

use super::super::call::why;
use super::super::prefs::{SECOND_MAX, Zone};
use super::super::query::Query;
use super::super::words::Lang;
use super::super::{Context, Trouble};
use crate::limits::DAY_S;
use crate::records::{AppId, Call, ReasonClass};

const PATH: &str = "/ui/calls";
/// What goes along from form to form, beside what the form has fields for.
pub(super) const KEPT: [&str; 4] = ["app", "lang", "tz", "theme"];
/// The fields of the form that say the window in words of a zone; in addresses it is in seconds.
const TOLD: [&str; 3] = ["since", "until", "minutes"];

/// Whether a call goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Live,
    Ended,
}

impl State {
    pub(super) const ALL: [State; 2] = [State::Live, State::Ended];

    /// Its name in addresses.
    pub(super) const fn name(self) -> &'static str {
        match self {
            State::Live => "live",
            State::Ended => "ended",
        }
    }

    pub(super) const fn told(self, words: Lang) -> &'static str {
        match self {
            State::Live => words.in_progress(),
            State::Ended => words.ended(),
        }
    }

    fn has(self, call: &Call) -> bool {
        match self {
            State::Live => call.ended.is_none(),
            State::Ended => call.ended.is_some(),
        }
    }
}

/// What went wrong: its name in addresses, and the class of leaves that tell it; `None`: any of them.
pub(super) const PROBLEMS: [(&str, Option<ReasonClass>); 6] = [
    ("problem", None),
    ("lost", Some(ReasonClass::Timeout)),
    ("kicked", Some(ReasonClass::Kicked)),
    ("killed", Some(ReasonClass::Killed)),
    ("shutdown", Some(ReasonClass::ServerShutdown)),
    ("failed", Some(ReasonClass::JoinFailed)),
];

/// A problem in words.
pub(super) fn problem(words: Lang, class: Option<ReasonClass>) -> &'static str {
    class.map_or(words.any_problem(), |class| why(words, class))
}

/// Where a page ended: in the second of its last call's creation, behind so many that were created in it. Calls are
/// in order of that, so what comes after is the same window up to this second, without those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) second: i64,
    pub(super) passed: u64,
}

impl Place {
    /// `1795377607-3`
    fn read(text: &str) -> Option<Place> {
        let (second, passed) = text.rsplit_once('-')?;
        Some(Place { second: second.parse().ok()?, passed: passed.parse().ok()? })
    }

    fn written(self) -> String {
        format!("{}-{}", self.second, self.passed)
    }

    /// Behind a call.
    pub(super) fn behind(before: Option<Place>, call: &Call) -> Place {
        let second = call.created.secs();
        let passed = before.filter(|place| place.second == second).map_or(0, |place| place.passed);
        Place { second, passed: passed.saturating_add(1) }
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wanted<'a> {
    pub(super) app: AppId,
    pub(super) from: i64,
    pub(super) to: i64,
    /// A room, or else a user.
    pub(super) q: Option<&'a str>,
    pub(super) state: Option<State>,
    pub(super) min_users: Option<usize>,
    pub(super) max_score: Option<f64>,
    /// A row of [`PROBLEMS`].
    pub(super) event: Option<(&'static str, Option<ReasonClass>)>,
    pub(super) after: Option<Place>,
    query: &'a Query,
}

impl<'a> Wanted<'a> {
    pub(super) fn of<S>(context: &'a Context<'_, S>) -> Result<Wanted<'a>, Trouble> {
        let query = context.query;
        let second = |name: &str| query.number(name).map(|second| second.clamp(0, SECOND_MAX));
        let to = second("to").unwrap_or(context.now.secs());
        let event = query.text("event");
        let score = query.text("maxscore").and_then(|text| text.parse().ok());
        Ok(Wanted {
            app: context.app()?,
            from: second("from").unwrap_or(to - DAY_S),
            to,
            q: query.text("q"),
            state: State::ALL.into_iter().find(|state| query.text("state") == Some(state.name())),
            min_users: query.text("minusers").and_then(|text| text.parse().ok()).filter(|least| *least > 0),
            max_score: score.filter(|score: &f64| score.is_finite()),
            event: PROBLEMS.into_iter().find(|(name, _)| event == Some(*name)),
            after: query.text("after").and_then(Place::read),
            query,
        })
    }

    /// Whether a call may be in the list, as far as it tells that itself.
    pub(super) fn has(&self, call: &Call) -> bool {
        self.state.is_none_or(|state| state.has(call))
    }

    /// Whether calls have to be read to know which are in the list.
    pub(super) fn looks_inside(&self) -> bool {
        self.min_users.is_some() || self.max_score.is_some() || self.event.is_some()
    }

    /// The address of the same with another window, or from a place on; the window is in it whatever it was asked by.
    pub(super) fn address(
        &self,
        (from, to): (i64, i64),
        after: Option<Place>,
        more: &[(&str, &str)],
    ) -> String {
        const OWN: [&str; 5] = ["from", "to", "after", "format", "page"];
        let others = self.query.pairs().filter(|(name, value)| {
            !OWN.contains(name) && !TOLD.contains(name) && *name != "app" && !value.is_empty()
        });
        let mut out = form_urlencoded::Serializer::new(String::new());
        out.append_pair("app", &self.app.to_string()).extend_pairs(others);
        out.append_pair("from", &from.to_string()).append_pair("to", &to.to_string());
        out.extend_pairs(after.map(|place| ("after", place.written()))).extend_pairs(more);
        format!("{PATH}?{}", out.finish())
    }

    /// The same address for what comes after a place.
    pub(super) fn next(&self, after: Option<Place>) -> String {
        self.address((self.from, self.to), after, &[])
    }

    /// Where a form leads that told the window in words of a zone: to the address that has it in seconds. `Err`: what
    /// is no time.
    pub(super) fn told(&self, zone: Zone) -> Result<Option<String>, &'a str> {
        if !TOLD.iter().any(|name| self.query.text(name).is_some()) {
            return Ok(None);
        }
        // The zone in which the fields were written may not be that of now.
        let zone = self.query.number("minutes").and_then(Zone::of_minutes).unwrap_or(zone);
        let second = |name: &'static str, other: i64| match self.query.text(name) {
            None => Ok(other),
            Some(text) => zone.second(text).map(|second| second.clamp(0, SECOND_MAX)).ok_or(text),
        };
        let to = second("until", self.to)?;
        let from = second("since", if self.query.text("from").is_some() { self.from } else { to - DAY_S })?;
        Ok(Some(self.address((from, to), None, &[])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_it_is_read() {
        let place = Place { second: 1_795_377_607, passed: 3 };
        assert_eq!(
            (place.written(), Place::read(&place.written())),
            ("1795377607-3".to_owned(), Some(place))
        );
        assert_eq!(Place::read("-5-1"), Some(Place { second: -5, passed: 1 }));
        for wrong in ["", "1", "1-", "-1", "1--1", "a-b", "1795377607-18446744073709551616"] {
            assert_eq!(Place::read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn every_problem_that_is_offered_is_one_and_has_a_name() {
        for (name, class) in PROBLEMS {
            assert!(!problem(Lang::En, class).is_empty() && !problem(Lang::Zh, class).is_empty(), "{name}");
        }
    }
}
