//! Which questions an account's edition allows (contract section 11, design section 3).

use super::BASIC_REACH_DAYS;

/// What an account subscribed to, in the imitated service's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Edition {
    /// No questions about users, rooms and call details at all.
    Free,
    /// Seven days back, or what the server keeps, whichever is less.
    Basic,
    /// As far back as the server allows anybody.
    #[default]
    Advanced,
}

/// How far back a question may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Nothing may be asked.
    Nothing,
    /// This many days.
    Days(u32),
    /// Without bound.
    Everything,
}

impl Edition {
    /// Every edition.
    pub const ALL: [Edition; 3] = [Edition::Free, Edition::Basic, Edition::Advanced];

    /// The name in the settings.
    pub const fn name(self) -> &'static str {
        match self {
            Edition::Free => "free",
            Edition::Basic => "basic",
            Edition::Advanced => "advanced",
        }
    }

    /// The edition of that name.
    pub fn from_name(name: &str) -> Option<Edition> {
        Edition::ALL.into_iter().find(|edition| edition.name() == name)
    }

    /// How far back it reaches on a server that allows `history_days` (0: everything).
    pub const fn reach(self, history_days: u32) -> Reach {
        match (self, history_days) {
            (Edition::Free, _) => Reach::Nothing,
            (Edition::Basic, days) if days != 0 && days < BASIC_REACH_DAYS => Reach::Days(days),
            (Edition::Basic, _) => Reach::Days(BASIC_REACH_DAYS),
            (Edition::Advanced, 0) => Reach::Everything,
            (Edition::Advanced, days) => Reach::Days(days),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Edition, Reach};

    #[test]
    fn reach_is_the_lesser_of_edition_and_history() {
        let check = |edition: Edition, history_days, expected| {
            assert_eq!(edition.reach(history_days), expected, "{edition:?} with {history_days} days");
        };
        check(Edition::Advanced, 14, Reach::Days(14));
        check(Edition::Advanced, 0, Reach::Everything);
        check(Edition::Basic, 14, Reach::Days(7));
        check(Edition::Basic, 3, Reach::Days(3));
        check(Edition::Basic, 0, Reach::Days(7));
        check(Edition::Free, 0, Reach::Nothing);
    }

    #[test]
    fn names_are_found_again() {
        for edition in Edition::ALL {
            assert_eq!(Edition::from_name(edition.name()), Some(edition));
        }
        assert_eq!(Edition::from_name("Basic"), None);
    }
}
