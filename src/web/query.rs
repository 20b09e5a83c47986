//! What follows `?` of a page's address, and the fields of a form. What is not known is passed over, so that old
//! addresses live on.

use std::borrow::Cow;

/// Pairs in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(text: &str) -> Query {
        Query(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// These pairs.
    pub(super) fn of(pairs: Vec<(String, String)>) -> Query {
        Query(pairs)
    }

    /// Every value of a name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a name; an empty one counts as none.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|v| !v.is_empty())
    }

    /// A number, where it is one.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    /// The parts of a list with commas.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        self.text(name)
            .map(|list| list.split(',').filter(|part| !part.is_empty()).collect())
            .unwrap_or_default()
    }

    /// Where `back` leads, if that is a page of ours: `//host` would be another's.
    pub(super) fn back(&self) -> &str {
        let is_ours =
            |back: &&str| back.starts_with("/ui/") && !back.contains(|c: char| c == '\\' || c.is_control());
        self.text("back").filter(is_ours).unwrap_or("/ui/")
    }

    /// The end of an address that has only these names.
    pub(super) fn only(&self, names: &[&str]) -> String {
        let pairs: Vec<(&str, &str)> = self.pairs().filter(|(name, _)| names.contains(name)).collect();
        of(&pairs)
    }

    /// All pairs.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The same with one value changed, added, or (by `None`) taken away, as the end of an address.
    pub(super) fn with(&self, name: &str, value: Option<&str>) -> String {
        let mut out = form_urlencoded::Serializer::new(String::new());
        let others = self.0.iter().filter(|(key, _)| key != name);
        out.extend_pairs(others);
        if let Some(value) = value {
            out.append_pair(name, value);
        }
        let text = out.finish();
        if text.is_empty() { text } else { format!("?{text}") }
    }
}

/// The end of an address that these pairs make.
pub(super) fn of(pairs: &[(&str, &str)]) -> String {
    address("", pairs)
}

/// A path and pairs, as an address.
pub(super) fn address(path: &str, pairs: &[(&str, &str)]) -> String {
    if pairs.is_empty() {
        return path.to_owned();
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    format!("{path}?{}", query.finish())
}

/// One segment of a path, as it may stand in an address.
pub(super) fn segment(text: &str) -> Cow<'_, str> {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).into()
}

/// The text of a segment.
pub(super) fn text_of(segment: &str) -> Option<String> {
    percent_encoding::percent_decode_str(segment).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_leads_to_pages_of_ours_only() {
        let check = |back: &str, expected: &str| {
            let query = Query::default().with("back", Some(back));
            assert_eq!(Query::parse(&query[1..]).back(), expected, "{back:?}");
        };
        check("/ui/calls?q=%2F&u=a", "/ui/calls?q=%2F&u=a");
        for foreign in [
            "//evil.example/ui/",
            "https://evil.example/ui/",
            "/ui",
            "ui/calls",
            "/uix/",
            "/metrics",
            "/ui/\\evil.example",
            "/ui/\r\nset-cookie: a=b",
            "/ui/\t/evil.example",
            " /ui/",
            "javascript:alert(1)",
            "",
        ] {
            check(foreign, "/ui/");
        }
    }

    #[test]
    fn addresses_are_read_and_changed() {
        let query = Query::parse("app=1&q=a%20b&empty=&u=x,,y");
        assert_eq!((query.text("q"), query.number("app"), query.text("empty")), (Some("a b"), Some(1), None));
        assert_eq!(query.list("u"), ["x", "y"]);
        assert_eq!(query.with("q", Some("<>&")), "?app=1&empty=&u=x%2C%2Cy&q=%3C%3E%26");
        assert_eq!(Query::default().with("q", None), "");
        assert_eq!(
            (query.only(&["u", "app"]), query.only(&["x"])),
            ("?app=1&u=x%2C%2Cy".to_owned(), String::new())
        );
        assert_eq!(text_of(&segment("a/b<\"李")).as_deref(), Some("a/b<\"李"));
    }
}
