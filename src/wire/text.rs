//! What is said in more than one language.

use super::Language;

/// The same in each language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// English, as in `docs/`.
    pub en: &'static str,
    /// Simplified Chinese.
    pub zh: &'static str,
}

impl Text {
    /// A text and its translation.
    pub const fn new(en: &'static str, zh: &'static str) -> Text {
        Text { en, zh }
    }

    /// The text in a language.
    pub const fn of(self, language: Language) -> &'static str {
        match language {
            Language::English => self.en,
            Language::Chinese => self.zh,
        }
    }

    /// What a translation changed and must not: names in backticks, in their order where that `is_ordered`; numbers; slots
    /// to fill. Empty: nothing.
    #[cfg(test)]
    pub(crate) fn faults(self, is_ordered: bool) -> Vec<String> {
        let is_cjk = |c: char| ('\u{3400}'..='\u{9fff}').contains(&c);
        let names = |text: &str| {
            let mut names: Vec<String> = text.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            if !is_ordered {
                names.sort();
            }
            names
        };
        let numbers = |text: &str| {
            let bare = text.replace("{0}", "").replace("{1}", "").replace(',', "");
            let mut numbers: Vec<String> = bare
                .split(|c: char| !c.is_ascii_digit())
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect();
            numbers.sort();
            numbers
        };
        let slots = |text: &str| ["{0}", "{1}", "{2}"].map(|slot| text.matches(slot).count());
        let mut faults = Vec::new();
        let mut fault = |is_right: bool, what: &str| {
            if !is_right {
                faults.push(format!("{what}: {:?}, {:?}", self.en, self.zh));
            }
        };
        fault(!self.en.chars().any(is_cjk), "the English is none");
        fault(self.zh.chars().any(is_cjk), "the Chinese is none");
        fault(names(self.en) == names(self.zh), "other names");
        fault(numbers(self.en) == numbers(self.zh), "other numbers");
        fault(slots(self.en) == slots(self.zh), "other slots");
        faults
    }
}
