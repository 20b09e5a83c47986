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
    fn addresses_are_read_and_changed() {
        let query = Query::parse("app=1&q=a%20b&empty=&u=x,,y");
        assert_eq!((query.text("q"), query.number("app"), query.text("empty")), (Some("a b"), Some(1), None));
        assert_eq!(query.list("u"), ["x", "y"]);
        assert_eq!(query.with("q", Some("<>&")), "?app=1&empty=&u=x%2C%2Cy&q=%3C%3E%26");
        assert_eq!(Query::default().with("q", None), "");
        assert_eq!(text_of(&segment("a/b<\"李")).as_deref(), Some("a/b<\"李"));
    }
}
