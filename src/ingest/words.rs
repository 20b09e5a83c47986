//! The words of the neutral formats: one table a list, read by the parsers and the writers alike.

use super::bounds::{nearest, shown};
use crate::records::{Attr, JoinSource, Kind, LeaveSource, ReasonClass, Track};

/// What a line of a kind must and may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KindWord {
    /// The value of `kind`.
    pub(super) word: &'static str,
    /// It concerns a room, which must be named; `false`: a room need not be named.
    pub(super) needs_room: bool,
    /// It concerns a user, who must be named.
    pub(super) needs_user: bool,
    /// How the kind is built.
    pub(super) shape: Shape,
}

/// What else a kind carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    RoomCreated,
    RoomDestroyed,
    UserJoined,
    UserLeft,
    UserChanged,
    Media,
    EmitterReset,
    Attributes,
    Unknown,
    RecordJoined,
    RecordLeft,
}

/// One row of [`KINDS`].
const fn row(word: &'static str, needs_room: bool, needs_user: bool, shape: Shape) -> KindWord {
    KindWord { word, needs_room, needs_user, shape }
}

/// All kinds of events.
pub(super) const KINDS: [KindWord; 11] = [
    row("room_created", true, false, Shape::RoomCreated),
    row("room_destroyed", true, false, Shape::RoomDestroyed),
    row("joined", true, true, Shape::UserJoined),
    row("left", true, true, Shape::UserLeft),
    row("changed", true, true, Shape::UserChanged),
    row("media", true, true, Shape::Media),
    row("emitter_reset", false, false, Shape::EmitterReset),
    row("attributes", true, true, Shape::Attributes),
    row("unknown", false, false, Shape::Unknown),
    row("record_joined", true, true, Shape::RecordJoined),
    row("record_left", true, true, Shape::RecordLeft),
];

/// The kind of a line of measurements, which is no event.
pub(super) const SAMPLES: &str = "samples";

/// The word of a kind.
pub(super) fn kind_word(kind: &Kind) -> &'static str {
    match kind {
        Kind::RoomCreated => "room_created",
        Kind::RoomDestroyed => "room_destroyed",
        Kind::UserJoined => "joined",
        Kind::UserLeft => "left",
        Kind::UserChanged => "changed",
        Kind::Media { .. } => "media",
        Kind::EmitterReset => "emitter_reset",
        Kind::Attributes => "attributes",
        Kind::Unknown { .. } => "unknown",
        Kind::RecordJoined(_) => "record_joined",
        Kind::RecordLeft(_) => "record_left",
    }
}

/// The row of a kind's word.
pub(super) fn kind(word: &str) -> Result<KindWord, String> {
    KINDS
        .iter()
        .find(|row| row.word == word)
        .copied()
        .ok_or_else(|| unknown_word(word, KINDS.iter().map(|row| row.word).chain([SAMPLES])))
}

/// A value that has a word.
pub(super) trait Worded: Copy + 'static {
    /// All values and their words.
    const WORDS: &'static [(&'static str, Self)];

    /// The value of a word; else what is wrong and which word is the nearest.
    fn of(word: &str) -> Result<Self, String> {
        Self::WORDS
            .iter()
            .find(|(name, _)| *name == word)
            .map(|(_, value)| *value)
            .ok_or_else(|| unknown_word(word, Self::WORDS.iter().map(|(name, _)| *name)))
    }

    /// The word of the value.
    fn word(self) -> &'static str
    where
        Self: PartialEq,
    {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(name, _)| name)
    }
}

impl Worded for Track {
    const WORDS: &'static [(&'static str, Track)] =
        &[("audio", Track::Audio), ("video", Track::Video), ("screen", Track::Screen)];
}

impl Worded for ReasonClass {
    const WORDS: &'static [(&'static str, ReasonClass)] = &[
        ("normal", ReasonClass::Normal),
        ("timeout", ReasonClass::Timeout),
        ("kicked", ReasonClass::Kicked),
        ("room_closed", ReasonClass::RoomClosed),
        ("relay_ended", ReasonClass::RelayEnded),
        ("killed", ReasonClass::Killed),
        ("duplicate", ReasonClass::Duplicate),
        ("network_switch", ReasonClass::NetworkSwitch),
        ("server_shutdown", ReasonClass::ServerShutdown),
        ("join_failed", ReasonClass::JoinFailed),
        ("unknown", ReasonClass::Unknown),
    ];
}

impl Worded for Attr {
    const WORDS: &'static [(&'static str, Attr)] = &[
        ("role", Attr::Role),
        ("terminal", Attr::Terminal),
        ("user_type", Attr::UserType),
        ("client_type", Attr::ClientType),
        ("os", Attr::Os),
        ("sdk_version", Attr::SdkVersion),
        ("client_ip", Attr::ClientIp),
        ("display", Attr::Display),
        ("kind", Attr::Kind),
        ("device", Attr::Device),
    ];
}

impl Worded for JoinSource {
    const WORDS: &'static [(&'static str, JoinSource)] =
        &[("seen", JoinSource::Seen), ("hinted", JoinSource::Hinted), ("inferred", JoinSource::Inferred)];
}

impl Worded for LeaveSource {
    const WORDS: &'static [(&'static str, LeaveSource)] = &[
        ("seen", LeaveSource::Seen),
        ("room_closed", LeaveSource::RoomClosed),
        ("superseded", LeaveSource::Superseded),
        ("emitter_reset", LeaveSource::EmitterReset),
        ("idle", LeaveSource::Idle),
        ("open", LeaveSource::Open),
    ];
}

/// What to say about a word that is in no row.
fn unknown_word<'a>(word: &str, words: impl Iterator<Item = &'a str> + Clone) -> String {
    let all: Vec<&str> = words.clone().collect();
    format!("unknown value {}{}; expected one of: {}", shown(word), nearest(word, words), all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables hold every value under the name the types themselves give.
    fn check<T: Worded + PartialEq + serde::Serialize + std::fmt::Debug>(count: usize) {
        assert_eq!(T::WORDS.len(), count);
        for (word, value) in T::WORDS {
            assert_eq!(serde_json::to_string(value).ok(), Some(format!("\"{word}\"")));
            assert_eq!(value.word(), *word);
            assert_eq!(T::of(word), Ok(*value));
        }
    }

    #[test]
    fn the_tables_are_complete() {
        check::<Track>(3);
        check::<ReasonClass>(11);
        check::<Attr>(10);
        check::<JoinSource>(3);
        check::<LeaveSource>(6);
    }

    #[test]
    fn a_misspelt_word_is_answered_with_the_nearest() {
        let why = kind("join").err().unwrap_or_default();
        assert!(why.contains("did you mean \"joined\"?"), "{why}");
        assert!(why.contains("expected one of: room_created"), "{why}");
    }
}
