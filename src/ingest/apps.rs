//! The applications that may send, and what proves that it is they who do.

use std::collections::BTreeMap;

use subtle::ConstantTimeEq;

use super::{ClientIpPolicy, Rejected, Terms};
use crate::limits::Secret;
use crate::records::AppId;

/// One application and its credentials.
#[derive(Debug, Clone)]
pub struct App {
    /// Its number.
    pub id: AppId,
    /// The key under which TRTC signs its callbacks.
    pub trtc_callback_key: Option<Secret>,
    /// Callbacks are accepted without a signature while there is no key.
    pub trtc_unsigned: bool,
    /// The bearer token of `/ingest/events`, `/ingest/attributes` and `/ingest/stats`.
    pub ingest_token: Option<Secret>,
    /// LiveKit's webhooks.
    pub livekit: Option<LiveKit>,
    /// Janus' event handler.
    pub janus: Option<Janus>,
}

/// How LiveKit proves itself.
#[derive(Debug, Clone)]
pub struct LiveKit {
    /// Names the application: the issuer of the webhooks' tokens.
    pub api_key: String,
    /// Signs the webhooks.
    pub api_secret: Secret,
    /// Kinds of participants that are not wanted.
    pub drop_kinds: Vec<String>,
}

/// How Janus proves itself.
#[derive(Debug, Clone)]
pub struct Janus {
    /// User name and password; `None`: no credentials, from loopback addresses only.
    pub credentials: Option<(String, Secret)>,
}

impl App {
    /// An application that nobody may send for yet.
    pub fn new(id: AppId) -> App {
        App {
            id,
            trtc_callback_key: None,
            trtc_unsigned: false,
            ingest_token: None,
            livekit: None,
            janus: None,
        }
    }
}

/// All applications, and what is kept of the addresses they report.
#[derive(Debug, Clone)]
pub struct Apps {
    by_id: BTreeMap<AppId, App>,
    client_ip: ClientIpPolicy,
}

impl Apps {
    /// Of two applications with one number the later is kept; settings refuse that before.
    pub fn new(apps: Vec<App>, client_ip: ClientIpPolicy) -> Apps {
        Apps { by_id: apps.into_iter().map(|app| (app.id, app)).collect(), client_ip }
    }

    /// The application with this number.
    pub fn by_id(&self, id: AppId) -> Option<&App> {
        self.by_id.get(&id)
    }

    /// The application of the value of an `Authorization` header, `Bearer <ingest_token>`.
    ///
    /// # Errors
    /// [`Rejected::MissingToken`] without such a value, [`Rejected::BadToken`] for a token of nobody.
    pub fn by_authorization(&self, authorization: Option<&str>) -> Result<&App, Rejected> {
        let token = authorization
            .and_then(|value| value.trim().split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or(Rejected::MissingToken)?;
        self.by_token(token).ok_or(Rejected::BadToken)
    }

    /// The application with this ingest token. Looks at every application, so that the time tells nothing.
    pub fn by_token(&self, token: &str) -> Option<&App> {
        let mut found = None;
        for app in self.by_id.values() {
            if app.ingest_token.as_ref().is_some_and(|secret| secret.matches(token.as_bytes())) {
                found = Some(app);
            }
        }
        found.filter(|_| !token.is_empty())
    }

    /// The application whose webhooks this key of LiveKit signs. Looks at every application, so that the time tells
    /// nothing.
    pub fn by_livekit_key(&self, key: &str) -> Option<(AppId, &LiveKit)> {
        let mut found = None;
        for app in self.by_id.values() {
            if let Some(livekit) = &app.livekit
                && bool::from(livekit.api_key.as_bytes().ct_eq(key.as_bytes()))
            {
                found = Some((app.id, livekit));
            }
        }
        found.filter(|_| !key.is_empty())
    }

    /// The terms for a body that `app` sends.
    pub fn terms(&self, app: AppId) -> Terms {
        Terms { app: Some(app), client_ip: self.client_ip }
    }

    /// What happens to addresses.
    pub fn client_ip(&self) -> ClientIpPolicy {
        self.client_ip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(id: u64, token: Option<&str>) -> App {
        App { ingest_token: token.map(Secret::new), ..App::new(AppId(id)) }
    }

    #[test]
    fn a_token_names_its_application() {
        let apps = Apps::new(
            vec![app(1, Some("one")), app(2, Some("two")), app(3, None), app(4, Some(""))],
            ClientIpPolicy::Keep,
        );
        let check = |header: Option<&str>, expected: Result<u64, Rejected>| {
            assert_eq!(apps.by_authorization(header).map(|app| app.id.0), expected, "{header:?}");
        };
        check(Some("Bearer one"), Ok(1));
        check(Some("bearer  two "), Ok(2));
        check(Some("Bearer three"), Err(Rejected::BadToken));
        check(Some("Bearer "), Err(Rejected::MissingToken));
        check(Some("one"), Err(Rejected::MissingToken));
        check(Some("Basic one"), Err(Rejected::MissingToken));
        check(None, Err(Rejected::MissingToken));
    }
}
