//! Events of Janus, as its HTTP event handler (`sampleevh`) posts them: one JSON object, or a list of them.
//!
//! VideoRoom's events are neutral ones almost word for word. What one of them lacks is remembered from others
//! ([`memory`]): the address of a client, why somebody left, whose connection was measured ([`media`]). A stay is told by room and
//! user and never by its handle: leaving names no handle, VideoRoom has a user in a room once at a time, and
//! a handle may be used for one stay after the other.
//!
//! Janus takes any status for success and does not send again. So the endpoint closes the connection instead of
//! saying that something could not be kept. `docs/janus.md` has the set-up, the tables and the limits.

mod media;
mod memory;
mod payload;
mod rooms;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use self::media::Measured;
use self::memory::{Carries, Emitter, Emitters, Ended, Joined};
use self::payload::{Data, Plain, Stat, Told, member, name, number, text};
use super::bounds::{self, RAW_BYTES_MAX};
use super::row::{Loose, attr_text};
use super::{ClientIpPolicy, Head, Ingest, Parsed, Rejected};
use crate::limits::Secret;
use crate::records::{AppId, Attr, Event, Kind, Millis, Reason, ReasonClass, Track};

pub use media::HEADER_BYTES;
pub use memory::{EMITTERS_MAX, LIVE_MAX, WAITING_MAX};
pub use rooms::{EMPTY_MICROS, ROOMS_MAX};

/// What [`Event::source`] is for these events.
pub const SOURCE: &str = "janus";

/// The plugin whose rooms are rooms here.
const VIDEO_ROOM: &str = "janus.plugin.videoroom";

/// What VideoRoom tells that is part of no record, by the names of its events.
const PASSED_OVER: [&str; 10] = [
    "configured",
    "subscribed",
    "unsubscribed",
    "switched",
    "started",
    "paused",
    "resumed",
    "talking",
    "stopped-talking",
    "edited",
];

/// What is remembered of all media servers that post here.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Emitters>);

/// Whether the sender may send for the application in the path: basic authentication, or, where no
/// credentials are set, a sender on this machine.
///
/// # Errors
/// [`Rejected::UnknownApp`], [`Rejected::MissingPassword`], [`Rejected::BadPassword`], [`Rejected::NotLocal`].
pub(super) fn admit(ingest: &Ingest, head: &Head<'_>) -> Result<(), Rejected> {
    let id = app_id(head)?;
    let app = ingest.apps.by_id(id).ok_or(Rejected::UnknownApp(id))?;
    let janus = app.janus.as_ref().ok_or(Rejected::UnknownApp(id))?;
    let Some((user, password)) = &janus.credentials else {
        return if head.is_local { Ok(()) } else { Err(Rejected::NotLocal) };
    };
    let shown = head
        .header("authorization")
        .and_then(|value| value.trim().split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, shown)| STANDARD.decode(shown.trim()).ok())
        .ok_or(Rejected::MissingPassword)?;
    let expected = Secret::new(format!("{user}:{}", password.expose()));
    if expected.matches(&shown) { Ok(()) } else { Err(Rejected::BadPassword) }
}

/// Who says to send: the application, and its user with the password.
pub(super) fn claims<'a>(head: &Head<'a>) -> Cow<'a, str> {
    let proof = head.header("authorization").unwrap_or_default();
    format!("{} {proof}", head.tail.unwrap_or_default()).into()
}

/// The application's number behind the path, or of an import.
fn app_id(head: &Head<'_>) -> Result<AppId, Rejected> {
    const PLACE: &str = "/ingest/janus/{sdk_app_id}";
    let told = head.tail.ok_or_else(|| {
        Rejected::malformed(PLACE, "the application's number is missing; an import has it as --app")
    })?;
    told.parse().map(AppId).map_err(|_| {
        Rejected::malformed(
            PLACE,
            format!("expected the application's number, found {}", bounds::shown(told)),
        )
    })
}

/// Takes one delivery.
///
/// # Errors
/// [`Rejected::Malformed`] where nothing of it can be read.
pub(super) fn take(ingest: &Ingest, head: &Head<'_>, body: &[u8]) -> Result<Parsed, Rejected> {
    read(&ingest.janus, app_id(head)?, ingest.apps.client_ip(), body, head)
}

/// Reads a delivery whose sender is known. A bad event in a group is refused with its place in the group, and the others are
/// kept.
///
/// # Errors
/// [`Rejected::Malformed`] where nothing of it can be read.
pub fn read(
    memory: &Memory,
    app: AppId,
    client_ip: ClientIpPolicy,
    body: &[u8],
    head: &Head<'_>,
) -> Result<Parsed, Rejected> {
    let body = std::str::from_utf8(body)
        .map_err(|error| Rejected::malformed("body", format!("not UTF-8: {error}")))?;
    let events = payload::events(body).map_err(|what| Rejected::malformed("body", what))?;
    let mut emitters = memory.0.lock().unwrap_or_else(PoisonError::into_inner);
    let mut parsed = Parsed::default();
    for (place, event) in (1_u64..).zip(events) {
        let outcome = Told::read(event.get()).and_then(|told| {
            let emitter = emitters.of(app, &told.emitter);
            Reading { app, told: &told, emitter, parsed: &mut parsed }.take()
        });
        if let Err(why) = outcome {
            parsed.refuse(place, format!("event {place} of the delivery: {why}"));
        }
    }
    for event in &mut parsed.events {
        event.received = head.received;
        client_ip.apply(event);
    }
    Ok(parsed)
}

/// One event, what is remembered of its sender, and where goes what it tells.
struct Reading<'r, 'a> {
    app: AppId,
    told: &'r Told<'a>,
    emitter: &'r mut Emitter,
    parsed: &'r mut Parsed,
}

impl Reading<'_, '_> {
    fn take(mut self) -> Result<(), String> {
        self.rooms_over();
        match self.told.kind {
            1 => self.session(),
            2 => self.handle(),
            // Descriptions of sessions: many bytes, and credentials in them.
            8 => {}
            16 => self.connection(),
            32 => self.media(),
            64 => return self.plugin(),
            128 => self.transport(),
            256 => self.core(),
            _ => self.unknown(&self.told.kind.to_string()),
        }
        Ok(())
    }

    /// An event of this sender at this time.
    fn event(&self, room: &str, user: &str, kind: Kind) -> Event {
        let mut event = Event::new(self.app, SOURCE, room, user, kind, self.told.at);
        event.instance.clone_from(&self.told.emitter);
        event.seq = Some(self.told.micros);
        event.id = self.id();
        event
    }

    /// What makes the event itself: what it says, however it is laid out.
    fn id(&self) -> String {
        let value: serde_json::Value = serde_json::from_str(self.told.raw).unwrap_or_default();
        let digest = Sha256::digest(value.to_string().as_bytes());
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Rooms of the configuration file that turn out to be over.
    fn rooms_over(&mut self) {
        for over in self.emitter.rooms.over(self.told.micros) {
            let at = i64::try_from(over.micros / 1_000).map_or(self.told.at, Millis);
            let mut event = Event::new(self.app, SOURCE, &over.room, "", Kind::RoomDestroyed, at);
            event.instance.clone_from(&self.told.emitter);
            event.room_is_number = over.is_number;
            event.id = "empty".to_owned();
            self.parsed.events.push(event);
        }
    }

    fn session(&mut self) {
        let plain: Plain<'_> = self.told.event();
        let ended = match text(&plain.name) {
            Some("created") => {
                if let Some(id) = member(&plain.transport, "id").and_then(text) {
                    self.emitter.session(self.told.session, id.to_owned(), self.told.micros);
                    self.addresses_of(self.told.session);
                }
                return;
            }
            Some("destroyed") => Ended::Destroyed,
            Some("timeout") => Ended::TimedOut(self.told.micros),
            Some(_) | None => return,
        };
        for leave in self.emitter.ended(self.told.session, ended) {
            self.parsed.events.push(because(leave, ended));
        }
    }

    fn handle(&mut self) {
        let plain: Plain<'_> = self.told.event();
        if text(&plain.name) == Some("detached") {
            self.emitter.handles.retire(&(self.told.session, self.told.handle));
        }
    }

    /// The pair of addresses that media go between; the rest of a connection's making is passed over.
    fn connection(&mut self) {
        let plain: Plain<'_> = self.told.event();
        let Some(remote) = text(&plain.selected_pair).and_then(|pair| pair.split_once(" <-> ")) else {
            return;
        };
        let remote = remote.1.split(' ').next().and_then(|place| place.rsplit_once(':'));
        let Some(address) = remote.and_then(|(address, _)| canonical(address)) else { return };
        let key = (self.told.session, self.told.handle);
        let known = &mut self.emitter.handles.entry(key, self.told.micros).address;
        // Of several the greater, so that their order does not matter.
        *known = known.take().max(Some(address));
        self.addresses_of(self.told.session);
    }

    fn transport(&mut self) {
        let plain: Plain<'_> = self.told.event();
        let address = member(&plain.data, "ip").and_then(text).and_then(canonical);
        if let Some((id, address)) = text(&plain.id).zip(address) {
            for session in self.emitter.transport(id, address, self.told.micros) {
                self.addresses_of(session);
            }
        }
    }

    /// Says of everybody who joined in a session what is known of the address. Where the client spoke from goes
    /// before where its media come from: it is told a millisecond later, so that it prevails (rule 10 of `docs/records.md`).
    fn addresses_of(&mut self, key: u64) {
        let Some(session) = self.emitter.sessions.get(&key) else { return };
        let mut told = Vec::new();
        for joined in &session.joined {
            let handle = self.emitter.handles.get(&(key, joined.handle));
            let media = handle.and_then(|handle| handle.address.as_ref());
            for (address, later_ms) in [(media, 0), (session.address.as_ref(), 1)] {
                let Some(address) = address else { continue };
                let mut event = Event::new(
                    self.app,
                    SOURCE,
                    &joined.room,
                    &joined.user,
                    Kind::Attributes,
                    joined.at.plus(later_ms),
                );
                event.instance.clone_from(&self.told.emitter);
                event.room_is_number = joined.room_is_number;
                event.attrs.insert(Attr::ClientIp, address.clone());
                told.push(event);
            }
        }
        self.parsed.events.append(&mut told);
    }

    fn core(&mut self) {
        let plain: Plain<'_> = self.told.event();
        let class = match text(&plain.status) {
            Some("started") => ReasonClass::Unknown,
            Some("shutdown") => ReasonClass::ServerShutdown,
            Some(_) | None => return self.unknown("256"),
        };
        self.emitter.restarted(self.told.micros, class == ReasonClass::Unknown);
        let mut event = self.event("", "", Kind::EmitterReset);
        let raw = text(&plain.status).unwrap_or_default().to_owned();
        event.reason = Some(Reason { class, raw });
        self.parsed.events.push(event);
    }

    /// Something no rule knows (R11).
    fn unknown(&mut self, name: &str) {
        let raw = &self.told.raw[..self.told.raw.floor_char_boundary(RAW_BYTES_MAX)];
        let name = name[..name.floor_char_boundary(bounds::ID_BYTES_MAX)].to_owned();
        let event = self.event("", "", Kind::Unknown { name, raw: raw.to_owned() });
        self.parsed.events.push(event);
    }

    /// What was measured, as soon as it is known whose it is.
    fn media(&mut self) {
        let key = (self.told.session, self.told.handle);
        for stat in self.told.each::<Stat<'_>>() {
            // What comes and goes, and slow links, count nothing.
            if number(&stat.packets_received).is_none() && number(&stat.packets_sent).is_none() {
                continue;
            }
            let Some(measured) = Measured::read(&stat, self.told.micros, self.told.at) else { continue };
            if !self.measured(key, &measured) {
                self.emitter.wait(key, measured);
            }
        }
    }

    fn measured(&mut self, key: (u64, u64), measured: &Measured) -> bool {
        let Some(flow) = self.emitter.flow(key, &measured.mid) else { return false };
        let series = measured.series(self.app, key, flow);
        if !series.is_empty() {
            self.parsed.samples.push(series);
        }
        true
    }

    /// Something was learnt: what waited for it waits no more.
    fn attribute(&mut self) {
        for key in std::mem::take(&mut self.emitter.with_waiting) {
            let Some(handle) = self.emitter.handles.get_mut(&key) else { continue };
            for measured in std::mem::take(&mut handle.waiting) {
                if !self.measured(key, &measured) {
                    self.emitter.wait(key, measured);
                }
            }
        }
    }

    fn plugin(&mut self) -> Result<(), String> {
        let (plugin, data) = self.told.plugin();
        let event = text(&data.event).unwrap_or_default().to_owned();
        if plugin != VIDEO_ROOM {
            self.unknown(&format!("64:{plugin}:{event}"));
            return Ok(());
        }
        match event.as_str() {
            "created" => self.room(&data, Kind::RoomCreated),
            "destroyed" => self.room(&data, Kind::RoomDestroyed),
            "joined" => self.joined(&data),
            "leaving" => self.left(&data, ReasonClass::Unknown, "leaving"),
            "kicked" => self.left(&data, ReasonClass::Kicked, "kicked"),
            "published" => self.published(&data),
            "unpublished" => self.unpublished(&data),
            "subscribing" | "updated" => self.subscribing(&data, &event),
            passed if PASSED_OVER.contains(&passed) => self.sender(&data),
            _ => {
                self.unknown(&format!("64:{plugin}:{event}"));
                Ok(())
            }
        }
    }

    /// An event of a room that `data` names, and of its user where it must have one.
    fn in_room(&self, data: &Data<'_>, kind: Kind) -> Result<Event, String> {
        let (room, room_is_number) = name("event.data.room", &data.room)?;
        let user = match kind {
            Kind::RoomCreated | Kind::RoomDestroyed => String::new(),
            Kind::UserJoined
            | Kind::UserLeft
            | Kind::UserChanged
            | Kind::Media { .. }
            | Kind::EmitterReset
            | Kind::Attributes
            | Kind::Unknown { .. }
            | Kind::RecordJoined(_)
            | Kind::RecordLeft(_) => name("event.data.id", &data.id)?.0,
        };
        let mut event = self.event(&room, &user, kind);
        event.room_is_number = room_is_number;
        Ok(event)
    }

    fn room(&mut self, data: &Data<'_>, kind: Kind) -> Result<(), String> {
        let event = self.in_room(data, kind)?;
        if event.kind == Kind::RoomCreated {
            self.emitter.rooms.created(&event.room);
        } else {
            self.emitter.rooms.destroyed(&event.room);
        }
        self.parsed.events.push(event);
        Ok(())
    }

    fn joined(&mut self, data: &Data<'_>) -> Result<(), String> {
        let mut event = self.in_room(data, Kind::UserJoined)?;
        if let Ok(Some(display)) = attr_text(data.display.clone())
            && !display.is_empty()
        {
            event.attrs.insert(Attr::Display, display);
        }
        let joined = Joined {
            room: event.room.clone(),
            room_is_number: event.room_is_number,
            user: event.user.clone(),
            at: event.at,
            handle: self.told.handle,
        };
        self.parsed.events.push(event);
        let private_id = number(&data.private_id).unwrap_or_default();
        self.emitter.joined(self.told.session, &joined, private_id, self.told.micros);
        self.addresses_of(self.told.session);
        self.attribute();
        Ok(())
    }

    /// Why somebody left is told by what ended the session, beside it. Of two tellings of one leave the fold keeps the lesser
    /// (rule 7 of `docs/records.md`), and an unknown reason is the greatest of all.
    fn left(&mut self, data: &Data<'_>, class: ReasonClass, raw: &str) -> Result<(), String> {
        let mut event = self.in_room(data, Kind::UserLeft)?;
        event.reason = Some(Reason { class, raw: raw.to_owned() });
        let ended = self.emitter.left(&event, self.told.micros);
        self.parsed.events.push(match ended {
            Some(ended) => because(event, ended),
            None => event,
        });
        Ok(())
    }

    fn published(&mut self, data: &Data<'_>) -> Result<(), String> {
        let event = self.in_room(data, Kind::Media { track: Track::Audio, on: true })?;
        let streams = data.streams();
        let sends = |kind: &str| {
            let mut live = streams.iter().filter(|stream| stream.disabled != Loose::Bool(true));
            live.any(|stream| text(&stream.kind) == Some(kind))
        };
        let key = (event.room.clone(), event.user.clone());
        let participant = self.emitter.participants.entry(key, self.told.micros);
        (participant.session, participant.off) = (self.told.session, None);
        (participant.audio, participant.video) = (sends("audio"), sends("video"));
        let on = [(Track::Audio, participant.audio), (Track::Video, participant.video)];
        for (track, _) in on.into_iter().filter(|(_, is_on)| *is_on) {
            self.parsed.events.push(Event { kind: Kind::Media { track, on: true }, ..event.clone() });
        }
        self.sender(data)
    }

    /// Comes twice when somebody leaves; the first says when media ended. Which media, it does not say.
    fn unpublished(&mut self, data: &Data<'_>) -> Result<(), String> {
        let event = self.in_room(data, Kind::Media { track: Track::Audio, on: false })?;
        let key = (event.room.clone(), event.user.clone());
        let Some(participant) = self.emitter.participants.get_mut(&key) else { return Ok(()) };
        if participant.off.is_some_and(|off| off < self.told.micros) {
            return Ok(());
        }
        participant.off = Some(self.told.micros);
        let off = [(Track::Audio, participant.audio), (Track::Video, participant.video)];
        for (track, _) in off.into_iter().filter(|(_, was_on)| *was_on) {
            self.parsed.events.push(Event { kind: Kind::Media { track, on: false }, ..event.clone() });
        }
        Ok(())
    }

    /// Learns whose handle it is from an event that names both; what was joined before this server listened is known again
    /// from then on.
    fn sender(&mut self, data: &Data<'_>) -> Result<(), String> {
        if self.told.handle != 0
            && let (Ok((room, _)), Ok((user, _))) = (name("", &data.room), name("", &data.id))
        {
            self.emitter.sends(self.told.session, self.told.handle, &room, &user, self.told.micros);
            self.attribute();
        }
        Ok(())
    }

    /// Learns whom the streams of a handle come from. An update is also told on the handle of whoever stopped
    /// sending, so it only counts on one that is known to get something.
    fn subscribing(&mut self, data: &Data<'_>, event: &str) -> Result<(), String> {
        let (room, _) = name("event.data.room", &data.room)?;
        let handle = self.emitter.handles.entry((self.told.session, self.told.handle), self.told.micros);
        let (mut feeds, known_id) = match (&handle.carries, event) {
            (Carries::Got { feeds, private_id, .. }, _) => (feeds.clone(), *private_id),
            (Carries::Unknown | Carries::Sent { .. }, "subscribing") => Default::default(),
            (Carries::Unknown | Carries::Sent { .. }, _) => return Ok(()),
        };
        for stream in data.streams() {
            if let (Some(mid), Ok((feed, _))) = (text(&stream.mid), name("", &stream.feed_id))
                && bounds::id(mid).is_ok()
            {
                feeds.insert(mid.to_owned(), feed);
            }
        }
        if let Ok((feed, _)) = name("", &data.feed) {
            feeds.insert(String::new(), feed);
        }
        while feeds.len() > FEEDS_MAX {
            feeds.pop_first();
        }
        let private_id = number(&data.private_id).filter(|id| *id != 0).unwrap_or(known_id);
        handle.carries = Carries::Got { room, private_id, feeds };
        self.attribute();
        Ok(())
    }
}

/// Streams of one handle whose senders are remembered.
const FEEDS_MAX: usize = 256;

/// A leave, with what ended its session as the reason.
fn because(mut leave: Event, ended: Ended) -> Event {
    let told = leave.reason.as_ref().is_some_and(|reason| reason.class == ReasonClass::Unknown);
    if told {
        let by_timeout = matches!(ended, Ended::TimedOut(at) if leave.seq.is_none_or(|left| at <= left));
        let class = if by_timeout { ReasonClass::Timeout } else { ReasonClass::Normal };
        leave.reason = Some(Reason { class, raw: "leaving".to_owned() });
    }
    leave
}

/// An address without the prefix that IPv4 has on an IPv6 socket.
fn canonical(address: &str) -> Option<String> {
    let address: IpAddr = address.trim_matches(['[', ']']).parse().ok()?;
    Some(address.to_canonical().to_string())
}
