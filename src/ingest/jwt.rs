//! Signed tokens (JWT, RFC 7519) of the one kind that is taken here: HS256, a shared secret. LiveKit signs its webhooks
//! with them, and a back end the browsers of its users.
//!
//! The signature covers the text of the token as it came, so nothing of it is written anew. What a token says names
//! the secret that must have signed it; [`Token::claims`] is therefore there before [`Token::verify`], and means
//! nothing until that has said yes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::Rejected;
use crate::limits::Secret;
use crate::records::Millis;

/// How far the clock of whoever made a token may be from ours, in seconds, either way, inclusive.
pub const LEEWAY_S: u32 = 60;

/// The only algorithm, as the header names it.
const ALGORITHM: &str = "HS256";

/// A token in its three parts.
#[derive(Debug)]
pub struct Token<'a> {
    /// Header and claims as they came, with the dot between them: what is signed.
    signed: &'a str,
    header: Vec<u8>,
    claims: Vec<u8>,
    signature: Vec<u8>,
}

/// The part of a header that matters.
#[derive(Deserialize)]
struct Header {
    alg: String,
    /// Extensions that must be understood; none is.
    crit: Option<serde::de::IgnoredAny>,
}

/// The claims that say when a token is good, in seconds since 1970; they may have fractions.
#[derive(Deserialize)]
struct Times {
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
}

impl<'a> Token<'a> {
    /// Takes a token apart, as it stands in `Authorization`: with `Bearer ` before it or without.
    ///
    /// # Errors
    /// [`Rejected::MissingToken`] where there is none, [`Rejected::UnreadableToken`] for another text.
    pub fn from_authorization(authorization: Option<&'a str>) -> Result<Token<'a>, Rejected> {
        let value = authorization.unwrap_or_default().trim();
        let token = match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_start(),
            Some(_) | None => value,
        };
        if token.is_empty() || token.eq_ignore_ascii_case("bearer") {
            return Err(Rejected::MissingToken);
        }
        Token::parse(token)
    }

    /// Takes a token apart.
    ///
    /// # Errors
    /// [`Rejected::UnreadableToken`] for what is no token.
    pub fn parse(text: &'a str) -> Result<Token<'a>, Rejected> {
        let parts = text.rsplit_once('.').and_then(|(signed, signature)| {
            signed.split_once('.').map(|(header, claims)| (signed, header, claims, signature))
        });
        let (signed, header, claims, signature) =
            parts.ok_or(Rejected::UnreadableToken("expected three parts with dots between them"))?;
        let decode = |part: &str| {
            URL_SAFE_NO_PAD
                .decode(part)
                .map_err(|_| Rejected::UnreadableToken("expected base64url without padding in each part"))
        };
        let (header, claims) = (decode(header)?, decode(claims)?);
        Ok(Token { signed, header, claims, signature: decode(signature)? })
    }

    /// What the token says, whoever made it.
    ///
    /// # Errors
    /// [`Rejected::UnreadableToken`] where it says something else.
    pub fn claims<'t, T: Deserialize<'t>>(&'t self) -> Result<T, Rejected> {
        serde_json::from_slice(&self.claims)
            .map_err(|_| Rejected::UnreadableToken("its claims are not those of this kind of token"))
    }

    /// Whether somebody who has `secret` made it, and whether it is good at `at`.
    ///
    /// # Errors
    /// [`Rejected::BadAlgorithm`] for any but HS256, "none" above all; [`Rejected::BadTokenSignature`];
    /// [`Rejected::EarlyToken`] and [`Rejected::ExpiredToken`] beyond [`LEEWAY_S`];
    /// [`Rejected::UnreadableToken`] without an end of its validity.
    pub fn verify(&self, secret: &Secret, at: Millis) -> Result<(), Rejected> {
        let header: Header = serde_json::from_slice(&self.header)
            .map_err(|_| Rejected::UnreadableToken("its header is no JSON object with an `alg`"))?;
        if header.alg != ALGORITHM || header.crit.is_some() {
            return Err(Rejected::BadAlgorithm);
        }
        let holds = bool::from(mac(secret, self.signed).ct_eq(&self.signature));
        // An empty secret is known to everybody.
        if secret.is_empty() || !holds {
            return Err(Rejected::BadTokenSignature);
        }
        let times: Times = serde_json::from_slice(&self.claims).map_err(|_| {
            Rejected::UnreadableToken("its times `exp`, `nbf`, `iat` are not seconds, or `exp` is missing")
        })?;
        let (now, leeway) = (at.0 as f64 / 1_000.0, f64::from(LEEWAY_S));
        if [times.nbf, times.iat].into_iter().flatten().any(|from| now + leeway < from) {
            return Err(Rejected::EarlyToken);
        }
        if now - leeway > times.exp { Err(Rejected::ExpiredToken) } else { Ok(()) }
    }
}

/// Makes a token that says `claims`, which have an `exp`.
///
/// # Errors
/// Where the claims cannot be written as JSON.
pub fn mint(claims: &impl Serialize, secret: &Secret) -> Result<String, serde_json::Error> {
    let claims = serde_json::to_vec(claims)?;
    let header = format!(r#"{{"alg":"{ALGORITHM}","typ":"JWT"}}"#);
    let mut token = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(mac(secret, &token));
    token.push('.');
    token.push_str(&signature);
    Ok(token)
}

/// HMAC-SHA256 under the secret.
fn mac(secret: &Secret, text: &str) -> Vec<u8> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("a key of any length will do");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW_S: i64 = 1_795_370_400;

    fn check(token: &str, secret: &str, expected: Result<(), Rejected>) {
        let verdict = Token::parse(token)
            .and_then(|token| token.verify(&Secret::new(secret), Millis::from_secs(NOW_S)));
        assert_eq!(verdict, expected, "{token}");
    }

    fn minted(claims: &Value) -> String {
        mint(claims, &Secret::new("secret")).expect("JSON")
    }

    /// A token of these parts, signed under "secret" whatever they are.
    fn signed(header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = mac(&Secret::new("secret"), &signed);
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    #[test]
    fn what_is_minted_is_taken_and_says_what_was_said() {
        let token = minted(&json!({ "room": "r", "exp": NOW_S }));
        check(&token, "secret", Ok(()));
        let claims: Value = Token::parse(&token).and_then(|token| token.claims()).expect("claims");
        assert_eq!(claims["room"], "r");
        check(&token, "another", Err(Rejected::BadTokenSignature));
        check(
            &mint(&json!({ "exp": NOW_S }), &Secret::new("")).expect("JSON"),
            "",
            Err(Rejected::BadTokenSignature),
        );
        // Made by other software.
        let foreign = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjE3OTUzNzA3MDAsImlhdCI6MTc5NTM3MDQwMCwiaXNzIjoi\
            QVBJZGV2c2FtcGxlS2V5IiwibmJmIjoxNzk1MzcwNDAwLCJzaGEyNTYiOiJuZE1HZGUyc3lOVE91eGF2L0NCYUJXVWxmTXI5SEpWbEJI\
            MHp4STVlbDBvPSJ9.xjyOPPL51mmiSuu2bau7AFIJiGd7np9NxDJHdh_YciM";
        check(foreign, "devsecret-0123456789abcdef0123456789", Ok(()));
    }

    #[test]
    fn times_have_a_minute_of_leeway_either_way() {
        let early = || Err(Rejected::EarlyToken);
        let good = NOW_S + 300;
        check(&minted(&json!({ "exp": NOW_S - 60 })), "secret", Ok(()));
        check(&minted(&json!({ "exp": NOW_S - 61 })), "secret", Err(Rejected::ExpiredToken));
        check(&minted(&json!({ "exp": good, "nbf": NOW_S + 60, "iat": NOW_S + 60 })), "secret", Ok(()));
        check(&minted(&json!({ "exp": good, "nbf": NOW_S + 61 })), "secret", early());
        check(&minted(&json!({ "exp": good, "iat": NOW_S + 61 })), "secret", early());
        check(&minted(&json!({ "exp": 1_795_370_339.5 })), "secret", Err(Rejected::ExpiredToken));
    }

    #[test]
    fn nothing_else_is_a_token() {
        let claims = format!(r#"{{"exp":{}}}"#, NOW_S + 300);
        let unreadable = |token: &str| {
            let verdict = Token::parse(token)
                .and_then(|token| token.verify(&Secret::new("secret"), Millis::from_secs(NOW_S)));
            assert!(matches!(verdict, Err(Rejected::UnreadableToken(_))), "{token}: {verdict:?}");
        };
        check(&signed(r#"{"alg":"HS256"}"#, &claims), "secret", Ok(()));
        let bad = |header: &str| check(&signed(header, &claims), "secret", Err(Rejected::BadAlgorithm));
        for alg in ["none", "None", "hs256", "HS384", "RS256", ""] {
            bad(&format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#));
        }
        bad(r#"{"alg":"HS256","crit":["exp"],"exp":1}"#);
        let token = signed(r#"{"alg":"none"}"#, &claims);
        let (unsigned, _) = token.rsplit_once('.').expect("three parts");
        check(&format!("{unsigned}."), "secret", Err(Rejected::BadAlgorithm));
        for text in
            ["", "a", "a.b", "..", "é.é.é", &format!("{token}="), &format!("{token}.AA"), "e30.e30.e30"]
        {
            unreadable(text);
        }
        unreadable(&signed("[]", &claims));
        unreadable(&signed(r#"{"typ":"JWT"}"#, &claims));
        for claims in ["{}", "[]", "", r#"{"exp":"soon"}"#, r#"{"exp":null}"#, r#"{"exp":1e999}"#] {
            unreadable(&signed(r#"{"alg":"HS256"}"#, claims));
        }
    }

    #[test]
    fn an_authorization_holds_it_with_a_scheme_or_without() {
        let token = minted(&json!({ "exp": NOW_S }));
        for value in [token.clone(), format!("Bearer {token}"), format!(" bearer   {token} ")] {
            assert!(Token::from_authorization(Some(&value)).is_ok(), "{value}");
        }
        for value in [None, Some(""), Some("Bearer"), Some("bearer ")] {
            assert_eq!(Token::from_authorization(value).err(), Some(Rejected::MissingToken), "{value:?}");
        }
        let basic = format!("Basic {token}");
        assert!(matches!(Token::from_authorization(Some(&basic)), Err(Rejected::UnreadableToken(_))));
    }
}
