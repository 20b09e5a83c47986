//! What sources tell: one neutral event for all of them, and what makes two of them the same event.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AppId, JoinSource, LeaveSource, Millis};

/// Something that happened in a room, in the words all sources share.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// The application it belongs to.
    pub app: AppId,
    /// Who tells it: `trtc`, `livekit`, `janus`, `record`, or a name of the sender's own.
    pub source: String,
    /// The media server that tells it, or `""`.
    pub instance: String,
    /// The room's name, numbers as decimal text; `""` for [`Kind::EmitterReset`].
    pub room: String,
    /// The sender wrote the room's name as a number.
    pub room_is_number: bool,
    /// The vendor's own id of one life of the room (LiveKit's `room.sid`, an imported CommId).
    pub life: Option<String>,
    /// The user, or `""` where the event has none.
    pub user: String,
    /// The vendor's own id of one stay (LiveKit's `participant.sid`, TRTC's `UniqueId`).
    pub visit: Option<String>,
    /// What happened.
    pub kind: Kind,
    /// When it happened.
    pub at: Millis,
    /// The sender gave `at` in whole seconds.
    pub at_in_seconds: bool,
    /// When it reached us first. Never used for order; two events that differ only here are one.
    pub received: Millis,
    /// The vendor's own order of one user's events, where it promises one; breaks ties of `at`.
    pub seq: Option<u64>,
    /// What else makes two events of this kind, time and user different, in the source's own words:
    /// TRTC's type and reason, a neutral event's `id`. `""`: the whole content decides.
    pub id: String,
    /// When this user joined, told by a later event (LiveKit's `joinedAt`).
    pub join_hint: Option<Millis>,
    /// When the room was created, told by a later event (LiveKit's `creationTime`).
    pub create_hint: Option<Millis>,
    /// Why.
    pub reason: Option<Reason>,
    /// Terminal, versions, addresses.
    pub attrs: Attrs,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A room began to exist; `user` is its creator, where told.
    RoomCreated,
    /// A room ceased to exist.
    RoomDestroyed,
    /// A user came in.
    UserJoined,
    /// A user went out.
    UserLeft,
    /// A role or an attribute of a user inside changed.
    UserChanged,
    /// A user's track went on or off.
    Media {
        /// Which track.
        track: Track,
        /// On or off.
        on: bool,
    },
    /// A media server was restarted: what was open on it is over (R10).
    EmitterReset,
    /// Attributes of a user, told beside the source (R7 of `docs/records.md` has the rules).
    Attributes,
    /// Something no rule knows (R11): kept as it came, never part of a record.
    Unknown {
        /// The vendor's own name or number for it.
        name: String,
        /// The body as it came, where there is one.
        raw: String,
    },
    /// A finished record's beginning, with how it was known where it came from.
    RecordJoined(JoinSource),
    /// A finished record's end, with how it was known where it came from.
    RecordLeft(LeaveSource),
}

/// A kind of media that a user sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Track {
    /// The microphone.
    Audio,
    /// The camera.
    Video,
    /// The screen, or any other auxiliary picture.
    Screen,
}

/// Why something happened: a class that all sources share, and the vendor's own word.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Reason {
    /// The class.
    pub class: ReasonClass,
    /// The vendor's own word or number, or `""`.
    pub raw: String,
}

/// The classes of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonClass {
    /// As the user wished.
    Normal,
    /// The connection was lost; on a join: entered again after it was lost.
    Timeout,
    /// Removed by somebody.
    Kicked,
    /// The room was closed around the user.
    RoomClosed,
    /// A relay to another room ended, or began.
    RelayEnded,
    /// The process was killed.
    Killed,
    /// The same user came in elsewhere.
    Duplicate,
    /// The network changed; the stay goes on.
    NetworkSwitch,
    /// The media server was shut down.
    ServerShutdown,
    /// The user never got in.
    JoinFailed,
    /// The vendor gave a reason that has no class here.
    Unknown,
}

/// Facts about a user, beside coming and going.
pub type Attrs = BTreeMap<Attr, String>;

/// The names of those facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attr {
    /// The role in the room: `anchor`, `audience`, or the vendor's word.
    Role,
    /// The kind of terminal, in TRTC's numbers: 1 Windows, 2 Android, 3 iOS, 4 Linux, 100 other.
    Terminal,
    /// The kind of client, in TRTC's numbers: 1 WebRTC, 2 mini program, 3 native SDK.
    UserType,
    /// What runs the client: a browser, an SDK.
    ClientType,
    /// The operating system.
    Os,
    /// The version of the SDK or browser.
    SdkVersion,
    /// The client's address.
    ClientIp,
    /// The name shown to others.
    Display,
    /// The kind of participant, in the vendor's word.
    Kind,
    /// The device, as `DeviceType` shall show it.
    Device,
}

impl Event {
    /// An event with nothing but what every event has.
    pub fn new(app: AppId, source: &str, room: &str, user: &str, kind: Kind, at: Millis) -> Event {
        Event {
            app,
            source: source.to_owned(),
            instance: String::new(),
            room: room.to_owned(),
            room_is_number: false,
            life: None,
            user: user.to_owned(),
            visit: None,
            kind,
            at,
            at_in_seconds: false,
            received: at,
            seq: None,
            id: String::new(),
            join_hint: None,
            create_hint: None,
            reason: None,
            attrs: Attrs::new(),
        }
    }

    /// The place among events of the same millisecond (R2): a creation is first, a destruction last, and a
    /// leave comes after a join (the fold lets it come before, where the user has a stay open).
    pub(super) fn rank(&self) -> u8 {
        match self.kind {
            Kind::EmitterReset => 0,
            Kind::RoomCreated => 1,
            Kind::UserJoined | Kind::RecordJoined(_) => 2,
            Kind::UserChanged | Kind::Media { .. } | Kind::Attributes | Kind::Unknown { .. } => 3,
            Kind::UserLeft | Kind::RecordLeft(_) => 4,
            Kind::RoomDestroyed => 5,
        }
    }

    /// Whether the event says that a user came in.
    pub fn is_join(&self) -> bool {
        matches!(self.kind, Kind::UserJoined | Kind::RecordJoined(_))
    }

    /// Whether the event says that a user went out.
    pub fn is_leave(&self) -> bool {
        matches!(self.kind, Kind::UserLeft | Kind::RecordLeft(_))
    }

    /// What makes it the same event as another (R1), and the order of events of one millisecond.
    fn identity(&self) -> impl Ord + '_ {
        (
            (self.at, self.rank(), self.seq),
            (&self.app, &self.source, &self.instance, &self.room),
            (&self.user, &self.visit, &self.life, &self.kind, &self.id),
        )
    }

    /// Everything an event says, apart from when it reached us.
    fn content(&self) -> impl Ord + '_ {
        (&self.reason, &self.attrs, self.join_hint, self.create_hint, self.room_is_number, self.at_in_seconds)
    }

    /// Whether `self` and `other` are the same happening, told twice (R1). A source that names its events
    /// by an `id` may tell it in different words; of those the least in the order of contents is kept, so that
    /// the order of arrival cannot matter.
    pub fn is_same_as(&self, other: &Event) -> bool {
        self.identity().cmp(&other.identity()) == Ordering::Equal
            && (!self.id.is_empty() || self.content().cmp(&other.content()) == Ordering::Equal)
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Event) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Event) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By time, then R2, then what makes events the same, then their content. When it reached us is no part.
impl Ord for Event {
    fn cmp(&self, other: &Event) -> Ordering {
        self.identity().cmp(&other.identity()).then_with(|| self.content().cmp(&other.content()))
    }
}
