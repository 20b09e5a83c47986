//! Events to records. The unit is one user in one life of a room: [`lives`] cuts a room's timeline into lives
//! and says which event belongs to which, [`stays`] folds one user's events of one life. Both are functions of
//! the *set* of events: the order in which they came, and how often, cannot matter. A store may fold a whole
//! timeline again, or only the user that an event names; the results are equal.

mod lives;
mod numbering;
mod set;
mod stays;

pub use lives::{Closed, Closing, Life, LifeEvents, Opening, Walk, lives, named_by};
pub use numbering::{Claim, seconds};
pub use set::{Admission, EventSet};
pub use stays::{Stay, Told, stays};

use super::{AppId, Call, CommId, Event, Kind, LeaveSource, Millis, Session};

/// One room as one reporter sees it. Two servers that use the same room number in one application do not close
/// each other's calls.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timeline {
    /// The application.
    pub app: AppId,
    /// The room's name.
    pub room: String,
    /// Who reports it.
    pub source: String,
    /// The media server, or `""`.
    pub instance: String,
}

/// The source of imported finished records; their life ids are their CommIds (rule 9 of `docs/records.md`).
pub const RECORD_SOURCE: &str = "record";

impl Timeline {
    /// The timeline that an event is part of.
    pub fn of(event: &Event) -> Timeline {
        Timeline {
            app: event.app,
            room: event.room.clone(),
            source: event.source.clone(),
            instance: event.instance.clone(),
        }
    }
}

/// Whose fold an event is part of: its user's, or `""` for what concerns the room as a whole (the user of a
/// creation made the room; it says nothing of a stay).
pub fn owner(event: &Event) -> &str {
    match event.kind {
        Kind::RoomCreated | Kind::RoomDestroyed => "",
        Kind::UserJoined
        | Kind::UserLeft
        | Kind::UserChanged
        | Kind::Media { .. }
        | Kind::EmitterReset
        | Kind::Attributes
        | Kind::Unknown { .. }
        | Kind::RecordJoined(_)
        | Kind::RecordLeft(_) => &event.user,
    }
}

impl Life {
    /// The second of its room's name that this life asks for.
    pub fn claim(&self, app: AppId, room: &str) -> Claim {
        let imported = self.name.as_ref().filter(|_| self.recorded).map(CommId::from_text);
        let fixed = imported
            .as_ref()
            .and_then(CommId::parts)
            .filter(|&(named_app, named_room, _)| named_app == app && named_room == room);
        Claim { second: fixed.map_or(self.start.secs(), |(_, _, second)| second), fixed: fixed.is_some() }
    }

    /// When the life ended and how that is known; `None` while it runs.
    pub fn end(&self) -> Option<(Millis, LeaveSource)> {
        let begin = self.start.min(self.begin);
        if let Some(at) = self.destroyed {
            return Some((at, LeaveSource::RoomClosed));
        }
        match self.closed {
            Some(Closed { at, how: Closing::Destroyed }) => Some((at.max(begin), LeaveSource::RoomClosed)),
            Some(Closed { how: Closing::Superseded, .. }) => {
                Some((self.last_evidence, LeaveSource::Superseded))
            }
            Some(Closed { how: Closing::Reset, .. }) => Some((self.last_evidence, LeaveSource::EmitterReset)),
            // Sessions that were imported without their call: nothing more can be told of it.
            None if self.recorded && self.opening != Opening::Created => {
                Some((self.last_evidence, LeaveSource::Seen))
            }
            None => None,
        }
    }

    /// The call as it is shown, under the second that it owns among the lives of its room's name.
    pub fn call(&self, timeline: &Timeline, comm_id: CommId) -> Call {
        let end = self.end();
        Call {
            app: timeline.app,
            comm_id,
            room: timeline.room.clone(),
            source: timeline.source.clone(),
            instance: timeline.instance.clone(),
            creator: self.creator.clone(),
            created: self.start,
            ended: end.map(|(at, _)| at),
            end_source: end.map_or(LeaveSource::Open, |(_, how)| how),
            last_evidence: self.last_evidence,
        }
    }

    /// The CommId of this life on `timeline`, when `second` is the one it owns.
    pub fn comm_id(&self, timeline: &Timeline, second: i64) -> CommId {
        match &self.name {
            Some(name) if self.recorded => CommId::from_text(name.clone()),
            Some(_) | None => CommId::new(timeline.app, &timeline.room, second),
        }
    }

    /// One stay in this life as it is shown: what the life's end says about a stay that is still open is
    /// applied here, so that closing a room touches the room alone.
    pub fn session(&self, room: &str, user: &str, stay: &Stay) -> Session {
        let (left, leave_source) = match (stay.left, self.end()) {
            (Some(left), _) => (Some(left), stay.leave_source),
            (None, None) => (None, LeaveSource::Open),
            // R10: the stay ends with its own last sign, not at the restart.
            (None, Some((_, LeaveSource::EmitterReset))) => {
                (Some(stay.last_event), LeaveSource::EmitterReset)
            }
            (None, Some((at, how))) => (Some(at), how),
        };
        Session {
            room: room.to_owned(),
            user: user.to_owned(),
            visit: stay.visit.clone(),
            joined: stay.joined,
            join_source: stay.join_source,
            left: left.map(|at| at.max(stay.joined)),
            leave_source,
            leave_reason: stay.leave_reason.clone(),
            attrs: stay.attrs.until(self.closed.map(|closed| closed.at)),
        }
    }
}
