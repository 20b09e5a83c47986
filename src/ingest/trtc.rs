//! Room and media callbacks of Tencent RTC.
//!
//! The signature covers the raw bytes, tabs and newlines included, so a body is never written anew. The time
//! of sending (`CallbackTs`) changes from one retry to the next and influences nothing. New event types,
//! groups, fields and values may appear at any time: they are accepted and kept, and are part of no record
//! (R11).

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::bounds::{self, RAW_BYTES_MAX, Unit};
use super::row::{Loose, attr_text, object};
use super::{App, Apps, Head, Ingest, Parsed, Rejected};
use crate::records::{AppId, Attr, Event, Kind, Millis, Reason, ReasonClass, Track};

/// What [`Event::source`] is for these callbacks.
pub const SOURCE: &str = "trtc";

/// Takes one callback: finds the application, verifies the signature, reads the body.
///
/// `sdk_app_id` and `sign` are the values of those headers, `received` is the time of receipt. The caller
/// makes the event durable, then answers 200.
///
/// # Errors
/// [`Rejected::UnknownApp`]; [`Rejected::NoKey`], [`Rejected::MissingSignature`], [`Rejected::BadSignature`];
/// [`Rejected::Malformed`] for a body that no version of the sender would make.
pub fn accept(
    apps: &Apps,
    sdk_app_id: Option<&str>,
    sign: Option<&str>,
    body: &[u8],
    received: Millis,
) -> Result<Event, Rejected> {
    let id = app_id(sdk_app_id)?;
    let app = apps.by_id(id).ok_or(Rejected::UnknownApp(id))?;
    verify(app, sign, body)?;
    let mut event = decode(id, body, received)?;
    apps.client_ip().apply(&mut event);
    Ok(event)
}

/// Takes one callback, as [`accept`] does; unverified, it may also be of an application that is not configured.
///
/// # Errors
/// As [`accept`].
pub(super) fn take(ingest: &Ingest, head: &Head<'_>, body: &[u8]) -> Result<Parsed, Rejected> {
    let app = head.header("sdkappid").or(head.tail);
    let event = if head.verify {
        accept(&ingest.apps, app, head.header("sign"), body, head.received)?
    } else {
        let mut event = decode(app_id(app)?, body, head.received)?;
        ingest.apps.client_ip().apply(&mut event);
        event
    };
    Ok(Parsed::one(event))
}

/// Who says to send: the application.
pub(super) fn claims<'a>(head: &Head<'a>) -> Cow<'a, str> {
    head.header("sdkappid").or(head.tail).unwrap_or_default().trim().into()
}

/// The number in the header `SdkAppId`.
///
/// # Errors
/// [`Rejected::Malformed`] where it is missing or no number.
pub fn app_id(sdk_app_id: Option<&str>) -> Result<AppId, Rejected> {
    let text = sdk_app_id.ok_or_else(|| Rejected::malformed("header SdkAppId", "missing"))?;
    text.trim().parse().map(AppId).map_err(|_| {
        Rejected::malformed("header SdkAppId", format!("expected a number, found {}", bounds::shown(text)))
    })
}

/// `base64(HMAC-SHA256(key, raw body))` against the header `Sign`, in constant time.
fn verify(app: &App, sign: Option<&str>, body: &[u8]) -> Result<(), Rejected> {
    let Some(key) = &app.trtc_callback_key else {
        return if app.trtc_unsigned { Ok(()) } else { Err(Rejected::NoKey(app.id)) };
    };
    let sign = sign.map(str::trim).filter(|sign| !sign.is_empty()).ok_or(Rejected::MissingSignature)?;
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).map_err(|_| Rejected::BadSignature)?;
    mac.update(body);
    let expected = STANDARD.encode(mac.finalize().into_bytes());
    if bool::from(expected.as_bytes().ct_eq(sign.as_bytes())) { Ok(()) } else { Err(Rejected::BadSignature) }
}

/// The envelope that all groups of callbacks share.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "EventGroupId", borrow, default)]
    group: Loose<'a>,
    #[serde(rename = "EventType", borrow, default)]
    event_type: Loose<'a>,
    #[serde(rename = "CallbackTs", borrow)]
    callback_ts: Option<&'a RawValue>,
    #[serde(rename = "EventInfo", borrow)]
    info: Option<&'a RawValue>,
}

/// What the callbacks of groups 1 and 2 tell; fields that are not named here are passed over.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Info<'a> {
    #[serde(rename = "RoomId", borrow)]
    room: Loose<'a>,
    #[serde(rename = "UserId", borrow)]
    user: Loose<'a>,
    #[serde(rename = "EventTs", borrow)]
    ts: Loose<'a>,
    #[serde(rename = "EventMsTs", borrow)]
    ms_ts: Loose<'a>,
    #[serde(rename = "UniqueId", borrow)]
    unique_id: Loose<'a>,
    #[serde(rename = "Role", borrow)]
    role: Loose<'a>,
    #[serde(rename = "TerminalType", borrow)]
    terminal: Loose<'a>,
    #[serde(rename = "UserType", borrow)]
    user_type: Loose<'a>,
    #[serde(rename = "Reason", borrow)]
    reason: Loose<'a>,
}

/// Reads a body whose sender is known. `import --no-verify` comes here directly.
///
/// # Errors
/// [`Rejected::Malformed`] with the path of the field.
pub fn decode(app: AppId, body: &[u8], received: Millis) -> Result<Event, Rejected> {
    let body = std::str::from_utf8(body)
        .map_err(|error| Rejected::malformed("body", format!("not UTF-8: {error}")))?;
    let envelope: Envelope<'_> = object("body", body)?;
    let group = number("EventGroupId", &envelope.group)?;
    let event_type = number("EventType", &envelope.event_type)?;
    let info = envelope.info.ok_or_else(|| Rejected::malformed("EventInfo", "missing"))?;
    let info: Info<'_> = object("EventInfo", info.get())?;
    match known(group, event_type) {
        Some(kind) => event(app, event_type, kind, info, received),
        None => {
            let raw = without_callback_ts(body, envelope.callback_ts);
            Ok(unknown(app, format!("{group}:{event_type}"), raw, info, received))
        }
    }
}

/// The event types that records are made of, within their groups.
fn known(group: u64, event_type: u64) -> Option<Kind> {
    let media = |track, on| Some(Kind::Media { track, on });
    match (group, event_type) {
        (1, 101) => Some(Kind::RoomCreated),
        (1, 102) => Some(Kind::RoomDestroyed),
        (1, 103) => Some(Kind::UserJoined),
        (1, 104) => Some(Kind::UserLeft),
        (1, 105) => Some(Kind::UserChanged),
        (2, 201) => media(Track::Video, true),
        (2, 202) => media(Track::Video, false),
        (2, 203) => media(Track::Audio, true),
        (2, 204) => media(Track::Audio, false),
        (2, 205) => media(Track::Screen, true),
        (2, 206) => media(Track::Screen, false),
        _ => None,
    }
}

/// The event of a known type. Room, time and (but for the room's own events) user must be there and sound;
/// of the rest, what has an unexpected shape is passed over, as the sender may change it.
fn event(
    app: AppId,
    event_type: u64,
    kind: Kind,
    info: Info<'_>,
    received: Millis,
) -> Result<Event, Rejected> {
    let (room, room_is_number) = id("EventInfo.RoomId", &info.room)?;
    if room.is_empty() {
        return Err(Rejected::malformed("EventInfo.RoomId", "missing or empty"));
    }
    let (user, _) = id("EventInfo.UserId", &info.user)?;
    if user.is_empty() && !matches!(kind, Kind::RoomCreated | Kind::RoomDestroyed) {
        return Err(Rejected::malformed("EventInfo.UserId", "missing or empty"));
    }
    let (at, at_in_seconds) = time(&info)?;
    let mut event = Event::new(app, SOURCE, &room, &user, kind, at);
    event.room_is_number = room_is_number;
    event.at_in_seconds = at_in_seconds;
    event.received = received;
    event.visit = visit(&info.unique_id)?;
    // With the kind this is the type and the reason of the dedupe key; never "", which would let attributes
    // decide.
    event.id = lenient(info.reason.clone()).unwrap_or_else(|| "-".to_owned());
    event.reason = lenient(info.reason).map(|raw| Reason { class: reason_class(event_type, &raw), raw });
    for (attr, value) in
        [(Attr::Role, info.role), (Attr::Terminal, info.terminal), (Attr::UserType, info.user_type)]
    {
        if let Some(text) = lenient(value) {
            event.attrs.insert(attr, if attr == Attr::Role { role(text) } else { text });
        }
    }
    Ok(event)
}

/// An event no rule knows (R11): whatever of it can be read is, and nothing in it is a reason to refuse it.
fn unknown(app: AppId, name: String, raw: String, info: Info<'_>, received: Millis) -> Event {
    let (room, room_is_number) = id("", &info.room).unwrap_or_default();
    let (user, _) = id("", &info.user).unwrap_or_default();
    let (at, at_in_seconds) = time(&info).unwrap_or((received, false));
    let mut event = Event::new(app, SOURCE, &room, &user, Kind::Unknown { name, raw }, at);
    event.room_is_number = room_is_number;
    event.at_in_seconds = at_in_seconds;
    event.received = received;
    event.visit = visit(&info.unique_id).unwrap_or_default();
    event.id = lenient(info.reason).unwrap_or_else(|| "-".to_owned());
    event
}

/// The body with a 0 in place of the time of sending, which would make every retry another event; not more
/// of it than [`RAW_BYTES_MAX`].
fn without_callback_ts(body: &str, callback_ts: Option<&RawValue>) -> String {
    let mut raw = match callback_ts.map(RawValue::get) {
        Some(value) => {
            let start = value.as_ptr() as usize - body.as_ptr() as usize;
            format!("{}0{}", &body[..start], &body[start + value.len()..])
        }
        None => body.to_owned(),
    };
    raw.truncate(raw.floor_char_boundary(RAW_BYTES_MAX));
    raw
}

/// A number of the envelope.
fn number(place: &str, value: &Loose<'_>) -> Result<u64, Rejected> {
    if value.is_absent() {
        return Err(Rejected::malformed(place, "missing"));
    }
    let Loose::Unsigned(number) = value else {
        return Err(Rejected::malformed(place, value.instead_of("a whole number")));
    };
    Ok(*number)
}

/// A number or text as text, and whether it was a number. `""` where there is none.
fn id(place: &str, value: &Loose<'_>) -> Result<(String, bool), Rejected> {
    if value.is_absent() {
        return Ok((String::new(), false));
    }
    if let Loose::Unsigned(number) = value {
        return Ok((number.to_string(), true));
    }
    let Loose::Text(text) = value else {
        let what = value.instead_of("a text or a whole number from 0 to 2^64-1");
        return Err(Rejected::malformed(place, what));
    };
    bounds::id(text).map_err(|what| Rejected::malformed(place, what))?;
    Ok((text.clone().into_owned(), false))
}

/// `UniqueId`, which only old applications send; 0 and `""` name no stay.
fn visit(value: &Loose<'_>) -> Result<Option<String>, Rejected> {
    let (visit, _) = id("EventInfo.UniqueId", value)?;
    Ok(Some(visit).filter(|visit| !visit.is_empty() && visit != "0"))
}

/// `EventMsTs`, else `EventTs`; and whether it is the latter.
fn time(info: &Info<'_>) -> Result<(Millis, bool), Rejected> {
    let (place, value, unit) = if info.ms_ts.is_absent() {
        ("EventInfo.EventTs", &info.ts, Unit::Seconds)
    } else {
        ("EventInfo.EventMsTs", &info.ms_ts, Unit::Milliseconds)
    };
    if value.is_absent() {
        return Err(Rejected::malformed("EventInfo.EventMsTs", "missing, and EventInfo.EventTs too"));
    }
    let Loose::Unsigned(value) = value else {
        let expected = format!("a whole number of {} since 1970", unit.name());
        return Err(Rejected::malformed(place, value.instead_of(&expected)));
    };
    let at = bounds::moment(*value, unit).map_err(|what| Rejected::malformed(place, what))?;
    Ok((at, unit == Unit::Seconds))
}

/// A number or text as text; anything else, and what could not be kept, counts as not told.
fn lenient(value: Loose<'_>) -> Option<String> {
    if let Loose::Negative(number) = value {
        return Some(number.to_string());
    }
    attr_text(value).ok().flatten().filter(|text| bounds::id(text).is_ok())
}

/// The role's name; other numbers stay as they are.
fn role(text: String) -> String {
    match text.as_str() {
        "20" => "anchor".to_owned(),
        "21" => "audience".to_owned(),
        _ => text,
    }
}

/// What the vendor's number means on an entry or an exit. Elsewhere it has no published meaning.
fn reason_class(event_type: u64, raw: &str) -> ReasonClass {
    match (event_type, raw) {
        (103 | 104, "1") => ReasonClass::Normal,
        (103, "2") => ReasonClass::NetworkSwitch,
        (103, "3") | (104, "2") => ReasonClass::Timeout,
        (104, "3") => ReasonClass::Kicked,
        (103 | 104, "4") => ReasonClass::RelayEnded,
        (104, "5") => ReasonClass::Killed,
        _ => ReasonClass::Unknown,
    }
}
