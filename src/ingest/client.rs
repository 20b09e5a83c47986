//! Who sends: a back end with the token of its application, or the client of one user with a token that a back end
//! made for it, good for one room and user and for some hours.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::jwt::{self, Token};
use super::row::Loose;
use super::{Apps, Head, Parsed, Rejected, Terms, each_object};
use crate::limits::Secret;
use crate::records::{AppId, Attr, Millis};

/// How long the token of a client may be good, in seconds: a call that lasts longer has no business with one token.
pub const CLIENT_TOKEN_S_MAX: u32 = 7 * 86_400;

/// The largest body that the client of a user may send, unpacked. Anybody who is in a call has such a token.
const CLIENT_BODY_BYTES_MAX: usize = 1_048_576;
/// How many connections and peers one body of a client may tell of.
const CLIENT_FLOWS_MAX: usize = 1_000;
/// How far from the server's clock the times of a client may be. A clock that is wrong by more is a clock that somebody
/// turned: each day that is told of has a file of its own.
const CLIENT_CLOCK_MS_MAX: i64 = 86_400_000;

/// What else than a body tells whose it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told<'a> {
    /// The room's name.
    pub room: Option<&'a str>,
    /// The user.
    pub user: Option<&'a str>,
    /// The user at the other end, where there is only one.
    pub peer: Option<&'a str>,
}

/// What a client's token says.
#[derive(Serialize)]
struct Made<'a> {
    app: u64,
    room: &'a str,
    user: &'a str,
    iat: i64,
    exp: i64,
}

/// The same, from whoever made it.
#[derive(Deserialize)]
struct Claims<'a> {
    app: u64,
    #[serde(borrow)]
    room: Loose<'a>,
    #[serde(borrow)]
    user: Loose<'a>,
    iat: f64,
    exp: f64,
}

/// Makes a token for the client of one user, good from `now` on for `ttl_s` seconds.
///
/// # Errors
/// What is wrong with the room, the user or the time.
pub fn client_token(
    app: AppId,
    ingest_token: &Secret,
    told: (&str, &str),
    now: Millis,
    ttl_s: u32,
) -> Result<String, String> {
    let (room, user) = told;
    for (key, id) in [("room", room), ("user", user)] {
        if id.is_empty() {
            return Err(format!("{key}: empty"));
        }
        super::bounds::id(id).map_err(|what| format!("{key}: {what}"))?;
    }
    if ingest_token.is_empty() {
        return Err("the ingest_token is empty".to_owned());
    }
    if !(1..=CLIENT_TOKEN_S_MAX).contains(&ttl_s) {
        return Err(format!("expected 1 to {CLIENT_TOKEN_S_MAX} seconds, found {ttl_s}"));
    }
    let made = Made { app: app.0, room, user, iat: now.secs(), exp: now.secs() + i64::from(ttl_s) };
    jwt::mint(&made, ingest_token).map_err(|error| error.to_string())
}

/// Whose a token says it is: itself, where it says nothing.
pub(super) fn claimed(authorization: &str) -> Cow<'_, str> {
    #[derive(Deserialize)]
    struct App {
        app: u64,
    }
    let token = Token::from_authorization(Some(authorization));
    let app = token.and_then(|token| token.claims::<App>());
    app.map_or(Cow::Borrowed(authorization), |App { app }| app.to_string().into())
}

/// The client of one user.
#[derive(Debug)]
pub(super) struct Client {
    app: AppId,
    room: String,
    user: String,
}

/// Who sends.
#[derive(Debug)]
pub(super) enum Sender {
    /// Somebody with the token of an application.
    App(AppId),
    /// The client of one of its users.
    Client(Client),
}

impl Sender {
    /// The sender whose token is in the header `Authorization`.
    pub(super) fn of_header(apps: &Apps, head: &Head<'_>) -> Result<Sender, Rejected> {
        let value = head.header("authorization").map(str::trim).and_then(|value| value.split_once(' '));
        let token = value.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token);
        Sender::of_token(apps, token.ok_or(Rejected::MissingToken)?.trim(), head.received)
    }

    /// The sender whose token this is at `at`.
    pub(super) fn of_token(apps: &Apps, token: &str, at: Millis) -> Result<Sender, Rejected> {
        if let Some(app) = apps.by_token(token) {
            return Ok(Sender::App(app.id));
        }
        if token.is_empty() {
            return Err(Rejected::MissingToken);
        }
        // What has no dots was meant for the token of an application.
        if !token.contains('.') {
            return Err(Rejected::BadToken);
        }
        let token = Token::parse(token)?;
        let claims: Claims<'_> = token.claims()?;
        let app = apps.by_id(AppId(claims.app));
        // For an application that is not here, or takes no tokens, nothing is right; it costs and says the same.
        let nobody = Secret::new("");
        token.verify(app.and_then(|app| app.ingest_token.as_ref()).unwrap_or(&nobody), at)?;
        if claims.exp - claims.iat > f64::from(CLIENT_TOKEN_S_MAX) {
            return Err(Rejected::LongToken);
        }
        let name = |claim: &Loose<'_>| text(claim).filter(|name| !name.is_empty());
        let (Some(room), Some(user)) = (name(&claims.room), name(&claims.user)) else {
            return Err(Rejected::UnreadableToken("its room or its user is missing or no text"));
        };
        Ok(Sender::Client(Client { app: AppId(claims.app), room, user }))
    }

    pub(super) fn terms(&self, apps: &Apps) -> Terms {
        match self {
            Sender::App(app) | Sender::Client(Client { app, .. }) => apps.terms(*app),
        }
    }

    pub(super) fn client(&self) -> Option<&Client> {
        match self {
            Sender::App(_) => None,
            Sender::Client(client) => Some(client),
        }
    }
}

/// An id as a text; a number is its decimal text.
fn text(value: &Loose<'_>) -> Option<String> {
    if let Loose::Unsigned(number) = value {
        return Some(number.to_string());
    }
    if let Loose::Text(text) = value { Some(text.clone().into_owned()) } else { None }
}

/// Whom an object says that it is about.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Named<'a> {
    #[serde(borrow)]
    app: Loose<'a>,
    #[serde(borrow)]
    room: Loose<'a>,
    #[serde(borrow)]
    user: Loose<'a>,
    #[serde(borrow)]
    meta: Loose<'a>,
}

impl Client {
    /// What it need not say.
    pub(super) fn told(&self) -> Told<'_> {
        Told { room: Some(&self.room), user: Some(&self.user), peer: None }
    }

    /// Whether it may send about this room and user.
    pub(super) fn check(&self, room: Option<&str>, user: Option<&str>) -> Result<(), Rejected> {
        for (key, named, own) in [("room", room, &self.room), ("user", user, &self.user)] {
            if named.is_some_and(|named| named != own) {
                return Err(Rejected::NotGranted(key));
            }
        }
        Ok(())
    }

    /// Whether a body may be read: it is not large, and says of nothing in it that it is about anybody else. What
    /// cannot be read here is left to whoever takes it, and to [`Client::vouch`].
    pub(super) fn check_body(&self, body: &[u8]) -> Result<(), Rejected> {
        if body.len() > CLIENT_BODY_BYTES_MAX {
            return Err(Rejected::TooLarge { limit_bytes: CLIENT_BODY_BYTES_MAX });
        }
        let mut outcome = Ok(());
        each_object(body, |json, _: &mut Parsed| {
            if json.trim_ascii_start().starts_with('{')
                && let Ok(named) = serde_json::from_str::<Named<'_>>(json)
                && outcome.is_ok()
            {
                outcome = self.check_named(&named);
            }
            Ok(())
        });
        outcome
    }

    /// What was read of its body, if all of it is about its own user and of about now. This is what counts, whatever
    /// the body looked like.
    pub(super) fn vouch(&self, parsed: Parsed, received: Millis) -> Result<Parsed, Rejected> {
        if parsed.samples.len() > CLIENT_FLOWS_MAX {
            let what =
                format!("more than {CLIENT_FLOWS_MAX} connections and peers: send the rest in another body");
            return Err(Rejected::malformed("reports", what));
        }
        let events = parsed.events.iter().map(|event| (event.app, &event.room, &event.user));
        let flows =
            parsed.samples.iter().map(|series| (series.flow.app, &series.flow.room, &series.flow.user));
        for (app, room, user) in events.chain(flows) {
            if app != self.app {
                return Err(Rejected::NotGranted("app"));
            }
            self.check(Some(room), Some(user))?;
        }
        if parsed.events.iter().any(|event| event.attrs.contains_key(&Attr::ClientIp)) {
            return Err(Rejected::malformed(
                "client_ip",
                "a client cannot tell its own address: leave it out",
            ));
        }
        let points = parsed.samples.iter().flat_map(|series| &series.columns).flat_map(|(_, points)| points);
        let mut times = parsed.events.iter().map(|event| event.at).chain(points.map(|(at, _)| *at));
        if times.any(|at| received.0.abs_diff(at.0) > CLIENT_CLOCK_MS_MAX.unsigned_abs()) {
            let what = format!("more than a day from this server's clock, {}", received.0);
            return Err(Rejected::malformed("ts", what));
        }
        Ok(parsed)
    }

    fn check_named(&self, named: &Named<'_>) -> Result<(), Rejected> {
        self.check_value("app", &named.app)?;
        self.check_value("room", &named.room)?;
        self.check_value("user", &named.user)?;
        if let Loose::Object(meta) = &named.meta {
            for (key, value) in meta {
                self.check_value(key, value)?;
            }
        }
        Ok(())
    }

    /// Whether a member says nothing, or what the token says.
    fn check_value(&self, key: &str, value: &Loose<'_>) -> Result<(), Rejected> {
        if value.is_absent() {
            return Ok(());
        }
        let (key, own) = match key {
            "app" => ("app", self.app.to_string()),
            "room" => ("room", self.room.clone()),
            "user" => ("user", self.user.clone()),
            _ => return Ok(()),
        };
        let says_nothing = key != "app" && *value == Loose::Text("".into());
        if says_nothing || text(value) == Some(own) { Ok(()) } else { Err(Rejected::NotGranted(key)) }
    }
}
