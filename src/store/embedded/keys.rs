//! The contract on disk, on one screen: the tables of a day's file, their keys and what they hold.
//!
//! Integers are big-endian, so that byte order is logical order; times have their sign bit flipped for the same
//! reason. Texts end in a zero byte; no id contains one ([`crate::ingest`] refuses it).

use redb::TableDefinition;
use serde::{Deserialize, Serialize};

use crate::records::quality::Flow;
use crate::records::{AppId, Event, Millis};

/// A call's number within its day.
pub(super) type CallNo = u32;

/// One table: bytes to bytes.
pub(super) type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

macro_rules! tables {
    ($($(#[$doc:meta])* $variant:ident = $name:literal / $packed:literal,)*) => {
        /// The tables of a day's file. Each exists as rows while the day is open, and as packed blocks once it
        /// is sealed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub(super) enum Table { $($(#[$doc])* $variant,)* }

        impl Table {
            pub(super) const ALL: &'static [Table] = &[$(Table::$variant,)*];

            /// The table of rows.
            pub(super) const fn rows(self) -> Definition {
                match self { $(Table::$variant => TableDefinition::new($name),)* }
            }

            /// The table of packed blocks, keyed by the first key of each.
            pub(super) const fn blocks(self) -> Definition {
                match self { $(Table::$variant => TableDefinition::new($packed),)* }
            }
        }
    };
}

tables! {
    /// call number → [`CallRow`](super::values::CallRow)
    Calls = "calls" / "calls.packed",
    /// app, room, begin (ms), call number → nothing: the lives of a room's name along time
    Rooms = "rooms" / "rooms.packed",
    /// app, room, second → day, call number: CommIds of calls that did not begin in their second; in the file of the day
    /// of that second
    CommIds = "commids" / "commids.packed",
    /// app, CommId text → call number: imported CommIds of another form
    Texts = "texts" / "texts.packed",
    /// app, source, instance, room, life id → call number
    Names = "names" / "names.packed",
    /// app, creation second (newest first), call number → nothing
    Apps = "apps" / "apps.packed",
    /// call number → [`LongRow`](super::values::LongRow), or nothing where it is open: calls that are open, or reach beyond
    /// their day
    Long = "long" / "long.packed",
    /// call number, join second (newest first), user → [stays](super::values::Listed): only for large calls
    Joins = "joins" / "joins.packed",
    /// app, user, call number → nothing: the calls in which a user has stays; only in sealed files
    Users = "users" / "users.packed",
    /// call number, user (or empty) → [what was told of the user](super::told), in order
    Events = "events" / "events.packed",
    /// app, room, source, instance, time, digest → event outside every life; in the file of its own day
    Orphans = "orphans" / "orphans.packed",
    /// app, room, user, time, digest → attributes; in the file of their own day
    Attributes = "attributes" / "attributes.packed",
    /// app, source, instance, time, digest → restart of a media server; in the file of its own day
    Resets = "resets" / "resets.packed",
    /// app, time, digest → event that no rule knows; in the file of its own day
    Unknown = "unknown" / "unknown.packed",
    /// app, first second of a day of UTC+8 → [`Sums`](super::figures::Sums) of that day's entries in this file
    Figures = "figures" / "figures.packed",
    /// app, room, user, peer, connection, time of the first measurement → [chunk](super::chunk): in files of their own
    Chunks = "chunks" / "chunks.packed",
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Calls and events.
    Records,
    /// Measurements.
    Samples,
}

impl Content {
    /// The tables of such a file.
    pub(super) fn tables(self) -> impl Iterator<Item = Table> {
        Table::ALL
            .iter()
            .copied()
            .filter(move |table| (*table == Table::Chunks) == (self == Content::Samples))
    }

    /// What the version of the file is called in [`META`], so that neither is taken for the other.
    pub(super) const fn format(self) -> &'static str {
        match self {
            Content::Records => "format",
            Content::Samples => "samples",
        }
    }

    /// The version that is read and written. Those of records before it were never part of a release.
    pub(super) const fn version(self) -> u64 {
        match self {
            Content::Records => 4,
            Content::Samples => 1,
        }
    }
}

/// name → value: `format` or `samples` (the version of the file), `sealed`, `joint` (the last batch over several files that
/// it has seen), `swept` (the last day of UTC+8 that has lost entries with a file that was dropped), `changed` (a sealed file
/// was changed since it was written whole)
pub(super) const META: TableDefinition<'static, &'static str, u64> = TableDefinition::new("meta");

/// number of a batch over several files → what it changes in the others; at most one row
pub(super) const BESIDE: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("beside");

/// A key under construction.
#[derive(Debug, Clone, Default)]
pub(super) struct Key(Vec<u8>);

impl Key {
    pub(super) fn app(app: AppId) -> Key {
        Key(app.0.to_be_bytes().to_vec())
    }

    /// What other keys begin with.
    pub(super) fn from_bytes(bytes: &[u8]) -> Key {
        Key(bytes.to_vec())
    }

    pub(super) fn call(no: CallNo) -> Key {
        Key(no.to_be_bytes().to_vec())
    }

    pub(super) fn text(mut self, text: &str) -> Key {
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
        self
    }

    /// A time or second, earliest first.
    pub(super) fn time(mut self, time: i64) -> Key {
        self.0.extend_from_slice(&(time.cast_unsigned() ^ (1 << 63)).to_be_bytes());
        self
    }

    /// A second, newest first.
    pub(super) fn newest_first(mut self, second: i64) -> Key {
        self.0.extend_from_slice(&(!(second.cast_unsigned() ^ (1 << 63))).to_be_bytes());
        self
    }

    pub(super) fn number(mut self, no: CallNo) -> Key {
        self.0.extend_from_slice(&no.to_be_bytes());
        self
    }

    fn digest(mut self, digest: [u8; 8]) -> Key {
        self.0.extend_from_slice(&digest);
        self
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.0
    }

    /// The first key that does not begin with this one.
    pub(super) fn end(mut self) -> Vec<u8> {
        while let Some(last) = self.0.pop() {
            if last < u8::MAX {
                self.0.push(last + 1);
                return self.0;
            }
        }
        vec![u8::MAX; 16]
    }
}

/// The last four bytes: the call number that ends many keys.
pub(super) fn trailing_number(key: &[u8]) -> Option<CallNo> {
    Some(CallNo::from_be_bytes(*key.last_chunk()?))
}

/// The eight bytes before the trailing call number, as a time.
pub(super) fn time_at(key: &[u8], from: usize) -> Option<i64> {
    let bytes: [u8; 8] = key.get(from..from + 8)?.try_into().ok()?;
    Some((u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed())
}

pub(super) fn room(app: AppId, room: &str) -> Key {
    Key::app(app).text(room)
}

/// The application that a key begins with.
pub(super) fn app_of(key: &[u8]) -> Option<AppId> {
    Some(AppId(u64::from_be_bytes(*key.first_chunk()?)))
}

/// What the keys of a user's chunks begin with.
pub(super) fn chunks_of_user(app: AppId, name: &str, user: &str) -> Key {
    room(app, name).text(user)
}

/// What the keys of a flow's chunks begin with.
pub(super) fn flow(flow: &Flow) -> Key {
    chunks_of_user(flow.app, &flow.room, &flow.user).text(&flow.peer).text(&flow.connection)
}

/// The key of a chunk, taken apart: what the keys of its flow begin with, and the time of its first measurement.
pub(super) fn of_chunk(key: &[u8]) -> Option<(&[u8], Millis)> {
    let (flow, _) = key.split_last_chunk::<8>()?;
    Some((flow, Millis(time_at(key, flow.len())?)))
}

/// The flow whose keys begin so.
pub(super) fn flow_of(bytes: &[u8]) -> Option<Flow> {
    let (app, texts) = bytes.split_first_chunk::<8>()?;
    let mut texts = texts.split(|byte| *byte == 0).map(|text| String::from_utf8(text.to_vec()).ok());
    let mut next = || texts.next().flatten();
    Some(Flow {
        app: AppId(u64::from_be_bytes(*app)),
        room: next()?,
        user: next()?,
        peer: next()?,
        connection: next()?,
    })
}

/// The application and the room's name of a key of [`Table::Rooms`].
pub(super) fn name_of_room(key: &[u8]) -> Option<(AppId, String)> {
    let app = u64::from_be_bytes(*key.first_chunk()?);
    let room = key.get(8..key.len().checked_sub(13)?)?;
    Some((AppId(app), String::from_utf8(room.to_vec()).ok()?))
}

/// What the keys of a user's calls begin with.
pub(super) fn calls_of_user(app: AppId, user: &str) -> Key {
    Key::app(app).text(user)
}

/// The user of a key of [`Table::Users`].
pub(super) fn user_of_calls(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.get(8..key.len().checked_sub(5)?)?).ok()
}

pub(super) fn figures(app: AppId, start_s: i64) -> Vec<u8> {
    Key::app(app).time(start_s).bytes()
}

/// The application and the day of a key of [`Table::Figures`].
pub(super) fn day_of_figures(key: &[u8]) -> Option<(AppId, i64)> {
    Some((AppId(u64::from_be_bytes(*key.first_chunk()?)), time_at(key, 8)?))
}

pub(super) fn name(event: &Event, life: &str) -> Vec<u8> {
    Key::app(event.app).text(&event.source).text(&event.instance).text(&event.room).text(life).bytes()
}

/// The key of an event that is kept by itself, in the table of its kind.
pub(super) fn single(table: Table, event: &Event, digest: [u8; 8]) -> Vec<u8> {
    let key = if table == Table::Orphans {
        room(event.app, &event.room).text(&event.source).text(&event.instance)
    } else if table == Table::Attributes {
        room(event.app, &event.room).text(&event.user)
    } else if table == Table::Resets {
        Key::app(event.app).text(&event.source).text(&event.instance)
    } else {
        Key::app(event.app)
    };
    key.time(event.at.0).digest(digest).bytes()
}

/// The day of whose file a moment is part.
pub(super) fn day(at: Millis) -> i64 {
    at.day()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_flow_is_read_back_from_its_key(app in any::<u64>(), texts in any::<[String; 4]>(), at in any::<i64>()) {
            let [room, user, peer, connection] = texts.map(|text| text.replace('\0', ""));
            let whole = Flow { app: AppId(app), room, user, peer, connection };
            let key = flow(&whole).time(at).bytes();
            let (bytes, time) = of_chunk(&key).unwrap();
            prop_assert_eq!((flow_of(bytes), time), (Some(whole), Millis(at)));
        }

        #[test]
        fn byte_order_is_logical_order(a in any::<(u64, String, i64, u32)>(), b in any::<(u64, String, i64, u32)>()) {
            let clean = |text: &str| text.replace('\0', "");
            let (a, b) = ((a.0, clean(&a.1), a.2, a.3), (b.0, clean(&b.1), b.2, b.3));
            let key = |k: &(u64, String, i64, u32)| room(AppId(k.0), &k.1).time(k.2).number(k.3).bytes();
            prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
            let newest = |k: &(u64, String, i64, u32)| Key::call(k.3).newest_first(k.2).text(&k.1).bytes();
            let logical = (a.3, std::cmp::Reverse(a.2), &a.1).cmp(&(b.3, std::cmp::Reverse(b.2), &b.1));
            prop_assert_eq!(newest(&a).cmp(&newest(&b)), logical);
            prop_assert_eq!(trailing_number(&key(&a)), Some(a.3));
            prop_assert_eq!(name_of_room(&key(&a)), Some((AppId(a.0), a.1.clone())));
            let calls = calls_of_user(AppId(a.0), &a.1).number(a.3).bytes();
            prop_assert_eq!((user_of_calls(&calls), trailing_number(&calls)), (Some(a.1.as_str()), Some(a.3)));
            prop_assert_eq!(day_of_figures(&figures(AppId(a.0), a.2)), Some((AppId(a.0), a.2)));
        }
    }
}
