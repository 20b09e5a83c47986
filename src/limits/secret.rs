//! What must not be seen.

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// A key, a token or a password. It shows itself nowhere by accident, is compared in constant time, and is overwritten
/// when it is dropped.
pub struct Secret<T: Zeroize = String>(Zeroizing<T>);

impl Secret {
    /// Takes the text as it is.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(text.into()))
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

impl<const N: usize> Secret<[u8; N]> {
    /// A key of random bytes.
    pub fn key(bytes: [u8; N]) -> Secret<[u8; N]> {
        Secret(Zeroizing::new(bytes))
    }

    /// The bytes themselves, for the one place that computes with them.
    pub fn bytes(&self) -> &[u8; N] {
        &self.0
    }
}

impl<T: Zeroize + Clone> Clone for Secret<T> {
    fn clone(&self) -> Secret<T> {
        Secret(self.0.clone())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.matches(other.0.as_bytes())
    }
}

impl Eq for Secret {}

impl<T: Zeroize> std::fmt::Debug for Secret<T> {
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
        assert_eq!(format!("{:?}", Secret::key([7; 4])), "Secret(…)");
        assert!(secret.matches(b"hidden"));
        assert!(!secret.matches(b"hidde"));
        assert!(!secret.matches(b"hiddem"));
        assert_ne!(secret, Secret::new(""));
    }
}
