//! Text that must not be seen.

use subtle::ConstantTimeEq;

/// A key or a token. It shows itself nowhere by accident, and is compared in constant time.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes the text as it is.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the one place that computes with it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is this text; the time taken tells nothing but the length.
    pub fn matches(&self, other: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(other).into()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.matches(other.0.as_bytes())
    }
}

impl Eq for Secret {}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn shows_nothing_and_compares_whole() {
        let secret = Secret::new("hidden");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert!(secret.matches(b"hidden"));
        assert!(!secret.matches(b"hidde"));
        assert!(!secret.matches(b"hiddem"));
        assert_ne!(secret, Secret::new(""));
    }
}
