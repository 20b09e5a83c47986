//! Under which id an event of ours is shown (contract section 14). `docs/user-events.md` is made from this table.

use crate::records::{Attr, Attrs, Event, Kind, LeaveSource, ReasonClass, Track};

/// What stands for a parameter that an event does not have.
pub(super) const UNUSED: i64 = -1;

/// The sources all of whose users are WebRTC clients.
pub(super) const WEB_SOURCES: &[&str] = &["livekit", "janus"];

/// What in `client_type` says that a client is a browser; case does not matter.
pub(super) const WEB_CLIENTS: &[&str] = &["browser", "web", "chrom", "firefox", "safari", "edge", "opera"];

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// The event, in the words of `docs/events.md`.
    pub(super) what: &'static str,
    /// Id and first parameter, for clients with the native SDK and for those of which nothing is told.
    pub(super) native: (u64, i64),
    /// The same for WebRTC clients.
    pub(super) web: (u64, i64),
    /// The kind of picture: 0 none, 2 main, 7 auxiliary.
    pub(super) picture: u64,
    /// Why this id.
    pub(super) why: &'static str,
}

macro_rules! rows {
    ($($variant:ident $what:literal $native:expr, $web:expr, $picture:literal, $why:literal;)*) => {
        /// What DescribeUserEvent shows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Shown { $($variant,)* }

        impl Shown {
            /// All of it, in the order of the page.
            pub(super) const ALL: &[Shown] = &[$(Shown::$variant,)*];

            pub(super) const fn row(self) -> Row {
                match self {
                    $(Shown::$variant => {
                        Row { what: $what, native: $native, web: $web, picture: $picture, why: $why }
                    })*
                }
            }
        }
    };
}

#[rustfmt::skip]
rows! {
    Entered "`joined`, the first of this user in the call"
        (7000, 0), (7000, 0), 0,
        "The server's own word for an entry, as our sources are servers; it also tells entries from re-entries, which 32788 and 5003 do not.";
    Returned "`joined` for `network_switch` or `timeout`, or after an earlier `joined` of this user in the call"
        (7000, 1), (7000, 1), 0,
        "A re-entry.";
    Left "`left` for `normal`, `relay_ended`, `unknown`, or without a reason"
        (7001, 0), (7001, 0), 0,
        "The server's own word for an exit; it tells how, which 32789 and 5008 do not. What no reason is known for is taken for normal.";
    Lost "`left` for `timeout`, `killed`, `network_switch`, `server_shutdown`"
        (7001, 1), (7001, 1), 0,
        "The client was gone without a word: nobody decided that it should leave.";
    Removed "`left` for `kicked`, `room_closed`, `duplicate`"
        (7001, 2), (7001, 2), 0,
        "Somebody else ended the stay: an administrator, whoever dismissed the room, or the same user elsewhere.";
    Failed "`left` for `join_failed`"
        (5003, 0), (5003, 0), 0,
        "The user never got in: room entry failed.";
    AudioOn "`media` audio on"
        (3001, 0), (32769, UNUSED), 0,
        "Microphone: capture started; WebRTC: audio enabled.";
    AudioOff "`media` audio off"
        (3001, 2), (32771, UNUSED), 0,
        "Microphone: capture stopped; WebRTC: audio disabled. Whether it was muted instead, no source tells.";
    VideoOn "`media` video on"
        (4006, 0), (32768, UNUSED), 2,
        "Video sending, or WebRTC video, enabled. 4001 would tell which camera, which no source does.";
    VideoOff "`media` video off"
        (4006, 1), (32770, UNUSED), 2,
        "The same disabled.";
    ScreenOn "`media` screen on"
        (4006, 0), (32768, UNUSED), 7,
        "As the camera, but the auxiliary picture.";
    ScreenOff "`media` screen off"
        (4006, 1), (32770, UNUSED), 7,
        "As the camera, but the auxiliary picture.";
    Anchor "`changed` to the role `anchor`"
        (4006, 0), (32768, UNUSED), 0,
        "No id is about roles. An anchor may send and an audience may not, so sending enabled and disabled come nearest; type 0, no picture, tells them from a camera's.";
    Audience "`changed` to the role `audience`"
        (4006, 1), (32770, UNUSED), 0,
        "As for `anchor`.";
}

/// What an event of a user is shown as, if it is; `came_before`: an earlier event said that the user came in.
pub(super) fn shown(event: &Event, came_before: bool) -> Option<Shown> {
    let reason = event.reason.as_ref().map(|reason| reason.class);
    match &event.kind {
        Kind::UserJoined | Kind::RecordJoined(_) => {
            let again = matches!(reason, Some(ReasonClass::NetworkSwitch | ReasonClass::Timeout));
            Some(if again || came_before { Shown::Returned } else { Shown::Entered })
        }
        Kind::UserLeft => Some(reason.map_or(Shown::Left, left)),
        Kind::RecordLeft(how) => reason.map(left).or_else(|| recorded(*how)),
        Kind::Media { track, on } => Some(match (track, on) {
            (Track::Audio, true) => Shown::AudioOn,
            (Track::Audio, false) => Shown::AudioOff,
            (Track::Video, true) => Shown::VideoOn,
            (Track::Video, false) => Shown::VideoOff,
            (Track::Screen, true) => Shown::ScreenOn,
            (Track::Screen, false) => Shown::ScreenOff,
        }),
        Kind::UserChanged => match event.attrs.get(&Attr::Role).map(String::as_str) {
            Some("anchor") => Some(Shown::Anchor),
            Some("audience") => Some(Shown::Audience),
            Some(_) | None => None,
        },
        Kind::RoomCreated
        | Kind::RoomDestroyed
        | Kind::EmitterReset
        | Kind::Attributes
        | Kind::Unknown { .. } => None,
    }
}

fn left(reason: ReasonClass) -> Shown {
    match reason {
        ReasonClass::Normal | ReasonClass::RelayEnded | ReasonClass::Unknown => Shown::Left,
        ReasonClass::Timeout
        | ReasonClass::Killed
        | ReasonClass::NetworkSwitch
        | ReasonClass::ServerShutdown => Shown::Lost,
        ReasonClass::Kicked | ReasonClass::RoomClosed | ReasonClass::Duplicate => Shown::Removed,
        ReasonClass::JoinFailed => Shown::Failed,
    }
}

/// The end of a finished record without a reason.
fn recorded(how: LeaveSource) -> Option<Shown> {
    match how {
        LeaveSource::Seen | LeaveSource::Superseded => Some(Shown::Left),
        LeaveSource::RoomClosed => Some(Shown::Removed),
        LeaveSource::EmitterReset | LeaveSource::Idle => Some(Shown::Lost),
        LeaveSource::Open => None,
    }
}

/// Whether a client is a WebRTC one, by what its source is and what is told of it.
pub(super) fn is_web(source: &str, attrs: &Attrs) -> bool {
    let client = attrs.get(&Attr::ClientType).map(|client| client.to_ascii_lowercase());
    WEB_SOURCES.contains(&source)
        || attrs.get(&Attr::UserType).is_some_and(|kind| kind == "1")
        || client.is_some_and(|client| WEB_CLIENTS.iter().any(|word| client.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{AppId, JoinSource, Millis, Reason};

    fn event(kind: Kind, reason: Option<ReasonClass>) -> Event {
        let mut event = Event::new(AppId(1), "events", "r", "u", kind, Millis(0));
        event.reason = reason.map(|class| Reason { class, raw: String::new() });
        event
    }

    const REASONS: [ReasonClass; 11] = [
        ReasonClass::Normal,
        ReasonClass::Timeout,
        ReasonClass::Kicked,
        ReasonClass::RoomClosed,
        ReasonClass::RelayEnded,
        ReasonClass::Killed,
        ReasonClass::Duplicate,
        ReasonClass::NetworkSwitch,
        ReasonClass::ServerShutdown,
        ReasonClass::JoinFailed,
        ReasonClass::Unknown,
    ];

    /// Which reasons a row names is what the code does.
    #[test]
    fn rows_name_the_reasons_that_lead_to_them() {
        for class in REASONS {
            let word = serde_json::to_string(&class).unwrap().replace('"', "`");
            for (kind, begin) in [(Kind::UserLeft, "`left`"), (Kind::UserJoined, "`joined` for")] {
                let is = shown(&event(kind.clone(), Some(class)), false);
                for row in Shown::ALL.iter().filter(|shown| shown.row().what.starts_with(begin)) {
                    let named = row.row().what.contains(&word);
                    assert_eq!(named, is == Some(*row), "{kind:?} {word} {row:?}");
                }
            }
        }
    }

    #[test]
    fn finished_records_are_entries_and_exits() {
        let check = |kind: Kind, reason, expected| assert_eq!(shown(&event(kind, reason), false), expected);
        check(Kind::RecordJoined(JoinSource::Inferred), None, Some(Shown::Entered));
        check(Kind::RecordLeft(LeaveSource::Seen), None, Some(Shown::Left));
        check(Kind::RecordLeft(LeaveSource::Idle), None, Some(Shown::Lost));
        check(Kind::RecordLeft(LeaveSource::RoomClosed), None, Some(Shown::Removed));
        check(Kind::RecordLeft(LeaveSource::RoomClosed), Some(ReasonClass::Timeout), Some(Shown::Lost));
        check(Kind::RecordLeft(LeaveSource::Open), None, None);
        check(Kind::UserLeft, None, Some(Shown::Left));
        check(Kind::Attributes, None, None);
        check(Kind::UserChanged, None, None);
    }

    #[test]
    fn browsers_are_known_by_source_user_type_and_client_type() {
        let attrs = |attr, value: &str| Attrs::from([(attr, value.to_owned())]);
        assert!(is_web("janus", &Attrs::new()));
        assert!(is_web("trtc", &attrs(Attr::UserType, "1")));
        assert!(is_web("events", &attrs(Attr::ClientType, "Google Chrome 141")));
        assert!(!is_web("events", &attrs(Attr::ClientType, "Android SDK")));
        assert!(!is_web("trtc", &attrs(Attr::UserType, "3")));
        assert!(!is_web("trtc", &Attrs::new()));
    }
}
