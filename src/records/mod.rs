//! What a call, a session and an event are. Pure: no clock, no IO, nothing that can fail.
//!
//! Read [`Event`] first (what sources tell), then [`fold`] (how a set of events becomes lives of a room
//! and stays of its users), then [`Call`] and [`Session`] (what is shown). [`quality`] has what is measured
//! meanwhile. The rules R1–R12 are written
//! down with an example each in `docs/records.md`.

mod event;
pub mod erase;
pub mod fold;
pub mod quality;
mod device;
mod id;

pub use device::device_type;
pub use event::{Attr, Attrs, Event, Kind, Reason, ReasonClass, Track};
pub use id::CommId;

use serde::{Deserialize, Serialize};

/// An application's number (`SdkAppId`). Its values have no bound below 2^64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AppId(pub u64);

impl std::fmt::Display for AppId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A moment: milliseconds since 1970-01-01T00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Millis(pub i64);

impl Millis {
    /// The first millisecond of a UNIX second.
    pub const fn from_secs(secs: i64) -> Millis {
        Millis(secs.saturating_mul(1_000))
    }

    /// The UNIX second that contains this moment, rounded down as TRTC's `EventTs` and `EventMsTs` show (R3).
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// The UTC day that contains this moment, counted from 1970-01-01.
    pub const fn day(self) -> i64 {
        self.0.div_euclid(86_400_000)
    }

    /// This moment moved by `ms` milliseconds, stopping at the ends of the range.
    pub const fn plus(self, ms: i64) -> Millis {
        Millis(self.0.saturating_add(ms))
    }

    /// Where records begin that are kept for `days` days until now; 0: for ever.
    pub const fn horizon(self, days: u32) -> Millis {
        match days as i64 {
            0 => Millis(i64::MIN),
            days => self.plus(-days * 86_400_000),
        }
    }
}

/// How the beginning of a session is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinSource {
    /// A join event told it.
    Seen,
    /// A later event carried the time of the join.
    Hinted,
    /// Nothing told it; the first sign of the user stands in (R7).
    Inferred,
}

/// How the end of a session is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaveSource {
    /// A leave event told it.
    Seen,
    /// The room was closed around the user (R6).
    RoomClosed,
    /// A newer join of the same user, or a newer life of the room, took its place (R6, R8).
    Superseded,
    /// The media server was restarted (R10).
    EmitterReset,
    /// No sign for so long that the session counts as over (the optional idle rule).
    Idle,
    /// The user is still inside.
    Open,
}

impl JoinSource {
    /// The name in exports and pages.
    pub const fn name(self) -> &'static str {
        match self {
            JoinSource::Seen => "seen",
            JoinSource::Hinted => "hinted",
            JoinSource::Inferred => "inferred",
        }
    }
}

impl LeaveSource {
    /// The name in exports and pages.
    pub const fn name(self) -> &'static str {
        match self {
            LeaveSource::Seen => "seen",
            LeaveSource::RoomClosed => "room_closed",
            LeaveSource::Superseded => "superseded",
            LeaveSource::EmitterReset => "emitter_reset",
            LeaveSource::Idle => "idle",
            LeaveSource::Open => "open",
        }
    }
}

/// One life of a room, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The application.
    pub app: AppId,
    /// The id that questions name.
    pub comm_id: CommId,
    /// The room's name; a number is its decimal text.
    pub room: String,
    /// Who reports it: `trtc`, `livekit`, `janus`, `record`, or a name of the sender's own.
    pub source: String,
    /// The media server that reports it, or `""`.
    pub instance: String,
    /// Who created the room, or `""` where no event told it.
    pub creator: String,
    /// When the room was created, or the best that is known (R5).
    pub created: Millis,
    /// When the room ended; `None` while it runs.
    pub ended: Option<Millis>,
    /// How the end is known.
    pub end_source: LeaveSource,
    /// The latest event of a known kind.
    pub last_evidence: Millis,
}

/// One stay of one user in one call, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The room's name.
    pub room: String,
    /// The user.
    pub user: String,
    /// The vendor's own id of this stay, where it has one.
    pub visit: Option<String>,
    /// When the user came in.
    pub joined: Millis,
    /// How that is known.
    pub join_source: JoinSource,
    /// When the user left; `None` while inside. Never before `joined`.
    pub left: Option<Millis>,
    /// How that is known.
    pub leave_source: LeaveSource,
    /// Why the user left, where the source says.
    pub leave_reason: Option<Reason>,
    /// Terminal, versions and addresses: the latest value of each.
    pub attrs: Attrs,
}
