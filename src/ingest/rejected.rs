//! Why a delivery is refused.

use super::{CLIENT_TOKEN_S_MAX, jwt};
use crate::records::AppId;

/// Why a delivery as a whole is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// No such application is configured here, or it has no settings for this source.
    #[error("application {0} is not configured here, or not for this source")]
    UnknownApp(AppId),
    /// The application has a callback key, and the delivery no signature.
    #[error("header Sign is missing: the callback must be signed with the key set for this application")]
    MissingSignature,
    /// The signature is not that of this body under the application's key.
    #[error("header Sign does not match: expected base64(HMAC-SHA256(callback key, raw body))")]
    BadSignature,
    /// The application has no callback key, and unsigned callbacks are not allowed for it.
    #[error("application {0} has no trtc_callback_key: set it, or allow trtc_unsigned")]
    NoKey(AppId),
    /// The request carries no token.
    #[error("header Authorization is missing: expected `Bearer <token>`")]
    MissingToken,
    /// The bearer token belongs to no application.
    #[error("the bearer token belongs to no application")]
    BadToken,
    /// What should be a signed token is none.
    #[error("the token is no JWT: {0}")]
    UnreadableToken(&'static str),
    /// The token is signed in another way, or not at all.
    #[error("the token's algorithm is not HS256")]
    BadAlgorithm,
    /// The token's signature is not made with the secret of whom it names.
    #[error(
        "the token's signature does not match: it must be made with the secret that belongs to what the token names"
    )]
    BadTokenSignature,
    /// The token is not good yet.
    #[error(
        "the token is not good yet: nbf or iat is more than {} s ahead of this server's clock",
        jwt::LEEWAY_S
    )]
    EarlyToken,
    /// The token is not good any more.
    #[error("the token has expired: exp is more than {} s behind this server's clock", jwt::LEEWAY_S)]
    ExpiredToken,
    /// No application has this API key of LiveKit, shown as a refusal shows it.
    #[error("no application has the livekit.api_key {0} of the token")]
    UnknownKey(String),
    /// The token is for another body.
    #[error("the token's sha256 is not that of this body: expected base64(SHA-256(raw body))")]
    BadBodyHash,
    /// The token is good for longer than the token of a client may be.
    #[error("the token is good for too long: exp may be at most {CLIENT_TOKEN_S_MAX} s after iat")]
    LongToken,
    /// The token is for something else.
    #[error(
        "the token is not for this {0}: what a client sends is about the app, room and user of its token"
    )]
    NotGranted(&'static str),
    /// The request carries no user name and password.
    #[error("header Authorization is missing: expected `Basic base64(user:password)`")]
    MissingPassword,
    /// They are not those of the application.
    #[error("user name or password is wrong")]
    BadPassword,
    /// No credentials are set, and the sender is on another machine.
    #[error("no user and password are set for this application, so only this machine may send")]
    NotLocal,
    /// From the sender's address came too many that were refused.
    #[error("too many deliveries from this address were refused; send this again in a minute")]
    TooManyFailures,
    /// The delivery cannot be read.
    #[error("{place}: {what}")]
    Malformed {
        /// Where the trouble is: a header, a field's path, a place in the text.
        place: String,
        /// What is wrong there and what would be right.
        what: String,
    },
    /// More bytes than allowed, as sent or when unpacked.
    #[error("the body is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
}

impl Rejected {
    /// Every value that [`Rejected::name`] has.
    pub const NAMES: [&'static str; 21] = [
        "unknown_app",
        "missing_signature",
        "bad_signature",
        "no_key",
        "missing_token",
        "bad_token",
        "unreadable_token",
        "bad_algorithm",
        "bad_token_signature",
        "early_token",
        "expired_token",
        "unknown_key",
        "bad_body_hash",
        "long_token",
        "not_granted",
        "missing_password",
        "bad_password",
        "not_local",
        "too_many_failures",
        "malformed",
        "too_large",
    ];

    /// The name, and the HTTP status of the reply.
    const fn row(&self) -> (&'static str, u16) {
        match self {
            Rejected::UnknownApp(_) => ("unknown_app", 404),
            Rejected::MissingSignature => ("missing_signature", 401),
            Rejected::BadSignature => ("bad_signature", 401),
            Rejected::NoKey(_) => ("no_key", 401),
            Rejected::MissingToken => ("missing_token", 401),
            Rejected::BadToken => ("bad_token", 401),
            Rejected::UnreadableToken(_) => ("unreadable_token", 401),
            Rejected::BadAlgorithm => ("bad_algorithm", 401),
            Rejected::BadTokenSignature => ("bad_token_signature", 401),
            Rejected::EarlyToken => ("early_token", 401),
            Rejected::ExpiredToken => ("expired_token", 401),
            Rejected::UnknownKey(_) => ("unknown_key", 404),
            Rejected::BadBodyHash => ("bad_body_hash", 401),
            Rejected::LongToken => ("long_token", 401),
            Rejected::NotGranted(_) => ("not_granted", 403),
            Rejected::MissingPassword => ("missing_password", 401),
            Rejected::BadPassword => ("bad_password", 401),
            Rejected::NotLocal => ("not_local", 401),
            Rejected::TooManyFailures => ("too_many_failures", 429),
            Rejected::Malformed { .. } => ("malformed", 400),
            Rejected::TooLarge { .. } => ("too_large", 413),
        }
    }

    /// The HTTP status of the reply.
    pub const fn status(&self) -> u16 {
        self.row().1
    }

    /// The value of the label `reason` in metrics.
    pub const fn name(&self) -> &'static str {
        self.row().0
    }

    /// Whether the sender did not prove who it is, or named somebody who is not known here.
    pub const fn is_of_proof(&self) -> bool {
        match self {
            Rejected::UnknownApp(_)
            | Rejected::BadSignature
            | Rejected::NoKey(_)
            | Rejected::BadToken
            | Rejected::UnreadableToken(_)
            | Rejected::BadAlgorithm
            | Rejected::BadTokenSignature
            | Rejected::EarlyToken
            | Rejected::ExpiredToken
            | Rejected::UnknownKey(_)
            | Rejected::BadBodyHash
            | Rejected::LongToken
            | Rejected::BadPassword
            | Rejected::NotLocal => true,
            // Who shows nothing learns nothing, and who is refused already is counted already.
            Rejected::MissingSignature
            | Rejected::MissingToken
            | Rejected::MissingPassword
            | Rejected::NotGranted(_)
            | Rejected::TooManyFailures
            | Rejected::Malformed { .. }
            | Rejected::TooLarge { .. } => false,
        }
    }

    /// What the sender is told. It learns what it has to send, not how the application is set up here: that is for the
    /// log, and for `import`.
    pub fn told(&self) -> String {
        match self {
            Rejected::MissingSignature | Rejected::BadSignature | Rejected::NoKey(_) => {
                "header Sign: expected base64(HMAC-SHA256(callback key, raw body)), with the key of this application"
                    .to_owned()
            }
            Rejected::MissingPassword | Rejected::BadPassword | Rejected::NotLocal => {
                "header Authorization: expected `Basic base64(user:password)`, with those of this application".to_owned()
            }
            Rejected::UnknownApp(_)
            | Rejected::MissingToken
            | Rejected::BadToken
            | Rejected::UnreadableToken(_)
            | Rejected::BadAlgorithm
            | Rejected::BadTokenSignature
            | Rejected::EarlyToken
            | Rejected::ExpiredToken
            | Rejected::UnknownKey(_)
            | Rejected::BadBodyHash
            | Rejected::LongToken
            | Rejected::NotGranted(_)
            | Rejected::TooManyFailures
            | Rejected::Malformed { .. }
            | Rejected::TooLarge { .. } => self.to_string(),
        }
    }

    /// A delivery that cannot be read at `place`.
    pub(super) fn malformed(place: impl Into<String>, what: impl Into<String>) -> Rejected {
        Rejected::Malformed { place: place.into(), what: what.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rejection_has_its_own_name() {
        let all = [
            Rejected::UnknownApp(AppId(1)),
            Rejected::MissingSignature,
            Rejected::BadSignature,
            Rejected::NoKey(AppId(1)),
            Rejected::MissingToken,
            Rejected::BadToken,
            Rejected::UnreadableToken(""),
            Rejected::BadAlgorithm,
            Rejected::BadTokenSignature,
            Rejected::EarlyToken,
            Rejected::ExpiredToken,
            Rejected::UnknownKey(String::new()),
            Rejected::BadBodyHash,
            Rejected::LongToken,
            Rejected::NotGranted("room"),
            Rejected::MissingPassword,
            Rejected::BadPassword,
            Rejected::NotLocal,
            Rejected::TooManyFailures,
            Rejected::malformed("body", "empty"),
            Rejected::TooLarge { limit_bytes: 1 },
        ];
        assert_eq!(all.each_ref().map(Rejected::name), Rejected::NAMES);
    }
}
