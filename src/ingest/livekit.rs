//! Webhooks of LiveKit.
//!
//! Each carries a token whose issuer is an API key, signed with the secret of that key, with the hash of the raw body
//! in it. The body is a message in the JSON of Protocol Buffers: whole numbers of 64 bits are texts, values of
//! enumerations are names, what has its default value is left out, and any of it may come the other way round. Other
//! events, fields and names may appear at any time: they are accepted, and what no rule knows is kept and part of no
//! record (R11).

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::bounds::{self, RAW_BYTES_MAX, Unit};
use super::jwt::Token;
use super::row::{Loose, attr_text, object};
use super::{Head, Ingest, LiveKit, Parsed, Rejected};
use crate::records::{AppId, Attr, Event, Kind, Millis, Reason, ReasonClass, Track};

/// What [`Event::source`] is for these webhooks.
pub const SOURCE: &str = "livekit";

/// Kinds of participants, by their numbers.
const KINDS: [&str; 9] = ["STANDARD", "INGRESS", "EGRESS", "SIP", "AGENT", "", "", "CONNECTOR", "BRIDGE"];
/// Why a participant left, by number.
#[rustfmt::skip]
const REASONS: [&str; 17] = [
    "UNKNOWN_REASON", "CLIENT_INITIATED", "DUPLICATE_IDENTITY", "SERVER_SHUTDOWN", "PARTICIPANT_REMOVED",
    "ROOM_DELETED", "STATE_MISMATCH", "JOIN_FAILURE", "MIGRATION", "SIGNAL_CLOSE", "ROOM_CLOSED",
    "USER_UNAVAILABLE", "USER_REJECTED", "SIP_TRUNK_FAILURE", "CONNECTION_TIMEOUT", "MEDIA_FAILURE", "AGENT_ERROR",
];
/// Why a room was closed, by number.
#[rustfmt::skip]
const ROOM_REASONS: [&str; 6] = [
    "ROOM_END_UNKNOWN", "ROOM_END_API_DELETE", "ROOM_END_IDLE_TIMEOUT", "ROOM_END_SERVER_SHUTDOWN",
    "ROOM_END_SUPERSEDED", "ROOM_END_OPEN_FAILED",
];
/// Types of tracks, by number.
const TRACK_TYPES: [&str; 3] = ["AUDIO", "VIDEO", "DATA"];
/// What a track shows or sounds, by number.
const TRACK_SOURCES: [&str; 5] = ["UNKNOWN", "CAMERA", "MICROPHONE", "SCREEN_SHARE", "SCREEN_SHARE_AUDIO"];

/// What a token says.
#[derive(Deserialize)]
struct Claims<'a> {
    #[serde(borrow)]
    iss: Cow<'a, str>,
    #[serde(borrow, default)]
    sha256: Cow<'a, str>,
}

/// Whether the token is good: asked before the body is read, which its hash is compared with later.
///
/// # Errors
/// As [`verify`].
pub(super) fn admit(ingest: &Ingest, head: &Head<'_>) -> Result<(), Rejected> {
    verify(ingest, head, None).map(|_| ())
}

/// Who says to send: the API key.
pub(super) fn claims<'a>(head: &Head<'a>) -> Cow<'a, str> {
    let token = Token::from_authorization(head.header("authorization"));
    let issuer = token.and_then(|token| token.claims::<Claims<'_>>().map(|claims| claims.iss.into_owned()));
    issuer.unwrap_or_default().into()
}

/// Takes one webhook: verifies its token, finds the application, reads the body. Unverified, a token still names the
/// application, and may also be missing where the application is named otherwise.
///
/// # Errors
/// As [`verify`] and [`decode`].
pub(super) fn take(ingest: &Ingest, head: &Head<'_>, body: &[u8]) -> Result<Parsed, Rejected> {
    let (app, livekit) = if head.verify {
        let (app, livekit) = verify(ingest, head, Some(body))?;
        (app, Some(livekit))
    } else {
        named(ingest, head)?
    };
    let unwanted = livekit.map_or(&[][..], |livekit| &livekit.drop_kinds);
    let Some(mut event) = decode(app, unwanted, body, head.received)? else {
        return Ok(Parsed { left_out: 1, ..Parsed::default() });
    };
    ingest.apps.client_ip().apply(&mut event);
    Ok(Parsed::one(event))
}

/// The application whose secret signed the token, and, where the body is there, that the token is for it.
///
/// # Errors
/// [`Rejected::UnknownKey`] for the key of no application; [`Rejected::BadBodyHash`]; those of [`Token`].
fn verify<'a>(
    ingest: &'a Ingest,
    head: &Head<'_>,
    body: Option<&[u8]>,
) -> Result<(AppId, &'a LiveKit), Rejected> {
    let token = Token::from_authorization(head.header("authorization"))?;
    let claims: Claims<'_> = token.claims()?;
    let unknown = || Rejected::UnknownKey(bounds::shown(&claims.iss));
    let (app, livekit) = ingest.apps.by_livekit_key(&claims.iss).ok_or_else(unknown)?;
    token.verify(&livekit.api_secret, head.received)?;
    if let Some(body) = body {
        let expected = STANDARD.encode(Sha256::digest(body));
        if !bool::from(expected.as_bytes().ct_eq(claims.sha256.as_bytes())) {
            return Err(Rejected::BadBodyHash);
        }
    }
    Ok((app, livekit))
}

/// The application that an unverified webhook is of: its token names it, else whoever imports it does.
fn named<'a>(ingest: &'a Ingest, head: &Head<'_>) -> Result<(AppId, Option<&'a LiveKit>), Rejected> {
    let token = Token::from_authorization(head.header("authorization"));
    let issuer = token.as_ref().map_err(Clone::clone).and_then(Token::claims::<Claims<'_>>);
    let by_key = issuer.and_then(|claims| {
        let unknown = || Rejected::UnknownKey(bounds::shown(&claims.iss));
        ingest.apps.by_livekit_key(&claims.iss).ok_or_else(unknown)
    });
    match (by_key, head.tail.and_then(|tail| tail.parse().ok()).map(AppId)) {
        (Ok((app, livekit)), _) => Ok((app, Some(livekit))),
        (Err(_), Some(app)) => Ok((app, ingest.apps.by_id(app).and_then(|app| app.livekit.as_ref()))),
        (Err(rejected), None) => Err(rejected),
    }
}

/// One message. Fields that are not named here are passed over.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    event: Loose<'a>,
    #[serde(borrow, default)]
    id: Loose<'a>,
    #[serde(rename = "createdAt", alias = "created_at", borrow, default)]
    created_at: Loose<'a>,
    #[serde(rename = "roomEndReason", alias = "room_end_reason", borrow, default)]
    room_end_reason: Loose<'a>,
    #[serde(borrow)]
    room: Option<&'a RawValue>,
    #[serde(borrow)]
    participant: Option<&'a RawValue>,
    #[serde(borrow)]
    track: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Room<'a> {
    #[serde(borrow)]
    sid: Loose<'a>,
    #[serde(borrow)]
    name: Loose<'a>,
    #[serde(rename = "creationTime", alias = "creation_time", borrow)]
    creation_time: Loose<'a>,
    #[serde(rename = "creationTimeMs", alias = "creation_time_ms", borrow)]
    creation_time_ms: Loose<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Participant<'a> {
    #[serde(borrow)]
    sid: Loose<'a>,
    #[serde(borrow)]
    identity: Loose<'a>,
    #[serde(borrow)]
    name: Loose<'a>,
    #[serde(borrow)]
    kind: Loose<'a>,
    #[serde(rename = "joinedAt", alias = "joined_at", borrow)]
    joined_at: Loose<'a>,
    #[serde(rename = "joinedAtMs", alias = "joined_at_ms", borrow)]
    joined_at_ms: Loose<'a>,
    #[serde(rename = "disconnectReason", alias = "disconnect_reason", borrow)]
    disconnect_reason: Loose<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TrackInfo<'a> {
    #[serde(rename = "type", borrow)]
    track_type: Loose<'a>,
    #[serde(borrow)]
    source: Loose<'a>,
}

/// Reads a body whose sender is known; `None` for an event of a participant of an unwanted kind.
///
/// # Errors
/// [`Rejected::Malformed`] with the path of the field, for a body that no version of the sender would make.
pub fn decode(
    app: AppId,
    unwanted_kinds: &[String],
    body: &[u8],
    received: Millis,
) -> Result<Option<Event>, Rejected> {
    let body = std::str::from_utf8(body)
        .map_err(|error| Rejected::malformed("body", format!("not UTF-8: {error}")))?;
    let message: Message<'_> = object("body", body)?;
    let name = id("event", &message.event)?;
    if name.is_empty() {
        return Err(Rejected::malformed("event", "missing or empty"));
    }
    let room: Room<'_> = part("room", message.room)?;
    let participant: Participant<'_> = part("participant", message.participant)?;
    if unwanted_kinds.iter().any(|unwanted| is_of_kind(name, &participant, unwanted)) {
        return Ok(None);
    }
    let mut event = match known(name, &message, &participant)? {
        Some(kind) => known_event(app, kind, &message, &room, &participant)?,
        None => {
            let mut raw = body.to_owned();
            raw.truncate(raw.floor_char_boundary(RAW_BYTES_MAX));
            unknown_event(
                app,
                Kind::Unknown { name: name.to_owned(), raw },
                &message,
                &room,
                &participant,
                received,
            )
        }
    };
    event.received = received;
    Ok(Some(event))
}

/// A part of a message; one that is left out has the default in each field.
fn part<'a, T: Deserialize<'a> + Default>(place: &str, json: Option<&'a RawValue>) -> Result<T, Rejected> {
    match json.map(RawValue::get) {
        None | Some("null") => Ok(T::default()),
        Some(json) => object(place, json),
    }
}

/// Whether an event is of a participant of this kind. Events of tracks do not tell the kind.
fn is_of_kind(name: &str, participant: &Participant<'_>, kind: &str) -> bool {
    let told = enumeration(&participant.kind, &KINDS);
    let is_told = name.starts_with("participant_") || !participant.kind.is_absent();
    is_told && told.is_some_and(|told| told.eq_ignore_ascii_case(kind))
}

/// The events that records are made of.
fn known(name: &str, message: &Message<'_>, participant: &Participant<'_>) -> Result<Option<Kind>, Rejected> {
    let track = |on| {
        let track =
            message.track.map(|json| part("track", Some(json)).map(|info| track_of(&info))).transpose()?;
        Ok(track.flatten().map(|track| Kind::Media { track, on }))
    };
    match name {
        "room_started" => Ok(Some(Kind::RoomCreated)),
        "room_finished" => Ok(Some(Kind::RoomDestroyed)),
        "participant_joined" => Ok(Some(Kind::UserJoined)),
        // Who goes on at another node of the cluster is still inside, and will not be told to join again.
        "participant_left" => {
            let migrates =
                enumeration(&participant.disconnect_reason, &REASONS).is_some_and(|word| word == "MIGRATION");
            Ok(Some(Kind::UserLeft).filter(|_| !migrates))
        }
        "track_published" => track(true),
        "track_unpublished" => track(false),
        _ => Ok(None),
    }
}

/// What a track is of. The sound of a shared screen is no microphone, and data is no medium.
fn track_of(info: &TrackInfo<'_>) -> Option<Track> {
    let source = enumeration(&info.source, &TRACK_SOURCES);
    let track_type = enumeration(&info.track_type, &TRACK_TYPES);
    match (source.as_deref(), track_type.as_deref()) {
        (Some("SCREEN_SHARE"), _) => Some(Track::Screen),
        (Some("SCREEN_SHARE_AUDIO"), _) | (_, Some("DATA")) => None,
        (Some("CAMERA"), _) | (_, Some("VIDEO")) => Some(Track::Video),
        (Some("MICROPHONE"), _) | (_, Some("AUDIO")) => Some(Track::Audio),
        (_, _) => None,
    }
}

/// An event of a known name. Room, time and (but for the room's own events) identity must be there and sound.
fn known_event(
    app: AppId,
    kind: Kind,
    message: &Message<'_>,
    room: &Room<'_>,
    participant: &Participant<'_>,
) -> Result<Event, Rejected> {
    let is_of_room = matches!(kind, Kind::RoomCreated | Kind::RoomDestroyed);
    let room_name = needed("room.name", &room.name)?;
    let user = if is_of_room { "" } else { needed("participant.identity", &participant.identity)? };
    let told = time("createdAt", &Loose::Absent, &message.created_at)?;
    let room_created = time("room.creationTime", &room.creation_time_ms, &room.creation_time)?;
    let joined = time("participant.joinedAt", &participant.joined_at_ms, &participant.joined_at)?;
    let (is_join, is_leave) = (kind == Kind::UserJoined, kind == Kind::UserLeft);
    // What a room and a join tell of themselves is finer than when they were told: a join is, once media flow.
    let own = if is_join { joined } else { room_created.filter(|_| kind == Kind::RoomCreated) };
    let (at, at_in_seconds) = own.or(told).ok_or_else(|| Rejected::malformed("createdAt", "missing"))?;
    let mut event = Event::new(app, SOURCE, room_name, user, kind, at);
    event.at_in_seconds = at_in_seconds;
    event.id = id("id", &message.id)?.to_owned();
    event.life = filled(id("room.sid", &room.sid)?);
    event.create_hint = room_created.map(|(at, _)| at);
    if is_of_room {
        event.reason = reason(&message.room_end_reason, &ROOM_REASONS);
        return Ok(event);
    }
    event.visit = filled(id("participant.sid", &participant.sid)?);
    if is_leave {
        event.join_hint = joined.map(|(at, _)| at);
        event.reason = reason(&participant.disconnect_reason, &REASONS);
    }
    if is_join || is_leave {
        let kind = enumeration(&participant.kind, &KINDS).map(Cow::into_owned);
        let display = attr_text(participant.name.clone()).ok().flatten().filter(|name| !name.is_empty());
        event.attrs.extend(kind.map(|kind| (Attr::Kind, kind)));
        event.attrs.extend(display.map(|display| (Attr::Display, display)));
    }
    Ok(event)
}

/// An event no rule knows (R11): whatever of it can be read is, and nothing in it is a reason to refuse it.
fn unknown_event(
    app: AppId,
    kind: Kind,
    message: &Message<'_>,
    room: &Room<'_>,
    participant: &Participant<'_>,
    received: Millis,
) -> Event {
    let text = |value| id("", value).unwrap_or_default();
    let told = time("", &Loose::Absent, &message.created_at).ok().flatten();
    let (at, at_in_seconds) = told.unwrap_or((received, false));
    let mut event = Event::new(app, SOURCE, text(&room.name), text(&participant.identity), kind, at);
    event.at_in_seconds = at_in_seconds;
    event.id = text(&message.id).to_owned();
    event.life = filled(text(&room.sid));
    event.visit = filled(text(&participant.sid));
    event
}

/// A text that can be stored as part of a key; `""` where it is left out.
fn id<'v>(place: &str, value: &'v Loose<'_>) -> Result<&'v str, Rejected> {
    if value.is_absent() {
        return Ok("");
    }
    let Loose::Text(text) = value else {
        return Err(Rejected::malformed(place, value.instead_of("a text")));
    };
    bounds::id(text).map_err(|what| Rejected::malformed(place, what))?;
    Ok(text)
}

/// The same, where it must not be left out.
fn needed<'v>(place: &str, value: &'v Loose<'_>) -> Result<&'v str, Rejected> {
    let text = id(place, value)?;
    if text.is_empty() { Err(Rejected::malformed(place, "missing or empty")) } else { Ok(text) }
}

fn filled(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// A moment that has a field for milliseconds and one, of the name given, for seconds; and whether it is the latter. 0
/// is what a field that is left out stands for.
fn time(place: &str, in_ms: &Loose<'_>, in_s: &Loose<'_>) -> Result<Option<(Millis, bool)>, Rejected> {
    for (value, unit) in [(in_ms, Unit::Milliseconds), (in_s, Unit::Seconds)] {
        let place = || if unit == Unit::Seconds { place.to_owned() } else { format!("{place}Ms") };
        let expected = || format!("a whole number of {} since 1970", unit.name());
        let number = match value {
            Loose::Absent | Loose::Null => 0,
            Loose::Unsigned(number) => *number,
            Loose::Text(digits) => {
                digits.parse().map_err(|_| Rejected::malformed(place(), value.instead_of(&expected())))?
            }
            Loose::Bool(_) | Loose::Negative(_) | Loose::Fraction(_) | Loose::List(_) | Loose::Object(_) => {
                return Err(Rejected::malformed(place(), value.instead_of(&expected())));
            }
        };
        if number > 0 {
            let at = bounds::moment(number, unit).map_err(|what| Rejected::malformed(place(), what))?;
            return Ok(Some((at, unit == Unit::Seconds)));
        }
    }
    Ok(None)
}

/// The name of an enumeration's value, which may be told by its number, and is the first where it is left out. New ones
/// are taken as they are. `None` where it is no such value at all.
fn enumeration<'v>(value: &'v Loose<'_>, names: &[&'static str]) -> Option<Cow<'v, str>> {
    match value {
        Loose::Absent | Loose::Null => names.first().map(|name| Cow::Borrowed(*name)),
        Loose::Text(name) => Some(Cow::Borrowed(name.as_ref())).filter(|name| bounds::id(name).is_ok()),
        Loose::Unsigned(number) => {
            let name = usize::try_from(*number).ok().and_then(|place| names.get(place));
            let name = name.filter(|name| !name.is_empty());
            Some(name.map_or_else(|| Cow::Owned(number.to_string()), |name| Cow::Borrowed(*name)))
        }
        Loose::Negative(number) => Some(Cow::Owned(number.to_string())),
        Loose::Bool(_) | Loose::Fraction(_) | Loose::List(_) | Loose::Object(_) => None,
    }
}

/// Why, where it is told: servers of before leave it out, and later ones where they do not know.
fn reason(value: &Loose<'_>, names: &[&'static str]) -> Option<Reason> {
    let raw = enumeration(value, names).filter(|_| !value.is_absent())?;
    Some(Reason { class: reason_class(&raw), raw: raw.into_owned() })
}

/// What the vendor's name means.
fn reason_class(raw: &str) -> ReasonClass {
    match raw {
        "CLIENT_INITIATED" => ReasonClass::Normal,
        "CONNECTION_TIMEOUT" | "SIGNAL_CLOSE" | "MEDIA_FAILURE" => ReasonClass::Timeout,
        "PARTICIPANT_REMOVED" => ReasonClass::Kicked,
        "ROOM_DELETED" | "ROOM_CLOSED" => ReasonClass::RoomClosed,
        "DUPLICATE_IDENTITY" => ReasonClass::Duplicate,
        "SERVER_SHUTDOWN" | "ROOM_END_SERVER_SHUTDOWN" => ReasonClass::ServerShutdown,
        "JOIN_FAILURE" | "STATE_MISMATCH" | "USER_UNAVAILABLE" | "USER_REJECTED" => ReasonClass::JoinFailed,
        _ => ReasonClass::Unknown,
    }
}
