//! Prepared signing keys: deriving one takes four rounds of HMAC, and it is good for a day.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// HMAC-SHA256, ready to sign.
pub(super) type Signer = Hmac<Sha256>;

/// Keys that once made a right signature, by key, day and service. Only those are kept, so that a stranger
/// cannot fill it.
#[derive(Debug)]
pub struct SigningKeys {
    most: usize,
    kept: Mutex<Kept>,
}

/// The services one key signed for on one day; rarely more than one.
type Services = Vec<(Box<str>, Signer)>;

#[derive(Default)]
struct Kept {
    count: usize,
    by_key_and_day: HashMap<(usize, u64), Services>,
}

impl SigningKeys {
    /// A cache for at most `most` keys. When it is full, it starts anew.
    pub fn new(most: usize) -> SigningKeys {
        SigningKeys { most, kept: Mutex::default() }
    }

    pub(super) fn get(&self, slot: usize, day: u64, service: &str) -> Option<Signer> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let services = kept.by_key_and_day.get(&(slot, day))?;
        services.iter().find(|(name, _)| **name == *service).map(|(_, signer)| signer.clone())
    }

    pub(super) fn keep(&self, slot: usize, day: u64, service: &str, signer: Signer) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.count >= self.most {
            *kept = Kept::default();
        }
        let services = kept.by_key_and_day.entry((slot, day)).or_default();
        if services.iter().all(|(name, _)| **name != *service) {
            services.push((service.into(), signer));
            kept.count += 1;
        }
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} keys", self.count)
    }
}

/// The key for one day and service.
pub(super) fn derive(secret: &[u8], date: &[u8], service: &[u8]) -> Signer {
    signer(&chain(secret, date, service)[2])
}

/// The keys of a day, of a service, and of signing: `HMAC(HMAC(HMAC("TC3" + secret, date), service), "tc3_request")`.
/// Each of them is as good as the secret for a day.
pub(super) fn chain(secret: &[u8], date: &[u8], service: &[u8]) -> Zeroizing<[[u8; 32]; 3]> {
    let mut keys = Zeroizing::new([[0; 32]; 3]);
    let prefixed = Zeroizing::new([b"TC3", secret].concat());
    keys[0] = round(signer(&prefixed), date);
    keys[1] = round(signer(&keys[0]), service);
    keys[2] = round(signer(&keys[1]), b"tc3_request");
    keys
}

pub(super) fn round(mut signer: Signer, message: &[u8]) -> [u8; 32] {
    signer.update(message);
    signer.finalize().into_bytes().into()
}

pub(super) fn signer(key: &[u8]) -> Signer {
    // HMAC takes keys of every length; the empty one stands in for a failure that cannot be.
    Signer::new_from_slice(key).unwrap_or_else(|_| Signer::new(&hmac::digest::Key::<Signer>::default()))
}

#[cfg(test)]
mod tests {
    use super::{SigningKeys, derive, round};

    #[test]
    fn keeps_a_bounded_number() {
        let keys = SigningKeys::new(2);
        for day in 0..5 {
            keys.keep(0, day, "trtc", derive(b"secret", b"2026-11-22", b"trtc"));
            assert!(keys.get(0, day, "trtc").is_some());
        }
        assert!(keys.get(0, 0, "trtc").is_none());
        assert!(keys.get(0, 4, "cvm").is_none());
        assert!(keys.get(1, 4, "trtc").is_none());
    }

    #[test]
    fn keeps_services_apart() {
        let keys = SigningKeys::new(9);
        for service in ["trtc", "127"] {
            keys.keep(0, 7, service, derive(b"secret", b"2026-11-22", service.as_bytes()));
        }
        for service in ["trtc", "127"] {
            let kept = keys.get(0, 7, service).map(|signer| round(signer, b"x"));
            assert_eq!(kept, Some(round(derive(b"secret", b"2026-11-22", service.as_bytes()), b"x")));
        }
    }

    #[test]
    fn each_part_makes_another_key() {
        let sign = |secret: &str, date: &str, service: &str| {
            round(derive(secret.as_bytes(), date.as_bytes(), service.as_bytes()), b"message")
        };
        let one = sign("a", "2026-11-22", "trtc");
        assert_eq!(one, sign("a", "2026-11-22", "trtc"));
        assert_ne!(one, sign("b", "2026-11-22", "trtc"));
        assert_ne!(one, sign("a", "2026-11-23", "trtc"));
        assert_ne!(one, sign("a", "2026-11-22", "cvm"));
    }
}
