//! What the tables hold, apart from [what was told of users](super::told).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::compact::{In, Out, damaged};
use super::figures::Sums;
use super::file::Changes;
use crate::records::fold::{Closed, Closing, Life, Opening, Timeline};
use crate::records::{Event, Millis};
use crate::store::StoreError;
use crate::store::packed::{decode, encode};

/// A call, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CallRow {
    pub(super) app: u64,
    pub(super) room: String,
    pub(super) source: String,
    pub(super) instance: String,
    pub(super) life: Life,
    /// The second of the room's name that it owns.
    pub(super) second: i64,
    /// How many stays it has.
    pub(super) stays: u32,
    /// How many of them no event has ended.
    pub(super) open_stays: u32,
    /// Whether its stays are listed by join.
    pub(super) listed: bool,
}

impl CallRow {
    /// What it adds to the calls and sessions that are open.
    pub(super) fn running(&self) -> (u64, u64) {
        if self.life.end().is_none() { (1, u64::from(self.open_stays)) } else { (0, 0) }
    }

    /// Whether its place among the lives of its room's name says which second it owns.
    pub(super) fn begins_in_its_second(&self) -> bool {
        self.second == self.life.begin.secs()
    }

    pub(super) fn timeline(&self) -> Timeline {
        Timeline {
            app: crate::records::AppId(self.app),
            room: self.room.clone(),
            source: self.source.clone(),
            instance: self.instance.clone(),
        }
    }

    /// Whether an event is part of its timeline.
    pub(super) fn tells_of(&self, event: &Event) -> bool {
        self.app == event.app.0
            && self.room == event.room
            && self.source == event.source
            && self.instance == event.instance
    }

    pub(super) fn is_of(&self, timeline: &Timeline) -> bool {
        self.app == timeline.app.0
            && self.room == timeline.room
            && self.source == timeline.source
            && self.instance == timeline.instance
    }
}

/// What must be known of a long call when its file is opened.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LongRow {
    pub(super) app: u64,
    pub(super) room: String,
    /// The day that it reaches.
    pub(super) until: i64,
}

/// What a batch changes in several files, by day.
pub(super) fn encode_changes(changes: &BTreeMap<i64, &Changes>) -> Result<Vec<u8>, StoreError> {
    encode(changes)
}

pub(super) fn decode_changes(bytes: &[u8]) -> Result<BTreeMap<i64, Changes>, StoreError> {
    decode(bytes)
}

/// The version of a call's row. Version 1 had all of its fields, whether there is something in them or not.
const CALL_VERSION: u8 = 2;

/// What a call's row begins with; the usual ones are the lowest.
const IS_PROVISIONAL: u64 = 1;
const IS_NAMED: u64 = 1 << 1;
const HAS_FIRST_JOIN: u64 = 1 << 2;
const IS_CLOSED: u64 = 1 << 3;
const IS_LISTED: u64 = 1 << 4;
const HAS_NAME: u64 = 1 << 5;
const HAS_INSTANCE: u64 = 1 << 6;
const HAS_AFTER: u64 = 1 << 7;
const HAS_CREATOR: u64 = 1 << 8;
const IS_SUPERSEDED: u64 = 1 << 9;
const IS_RESET: u64 = 1 << 10;
const IS_DESTROYED: u64 = 1 << 11;
const IS_RECORDED: u64 = 1 << 12;
const IS_BY_LEAVE: u64 = 1 << 13;

/// The row of a call. Times are kept as what they are after each other.
pub(super) fn encode_call(call: &CallRow) -> Vec<u8> {
    let life = &call.life;
    let flag = |flag: u64, is_set: bool| if is_set { flag } else { 0 };
    let how = life.closed.map(|closed| closed.how);
    let mut out = Out::of_version(CALL_VERSION, 48);
    out.number(
        flag(IS_PROVISIONAL, life.opening == Opening::Provisional)
            | flag(IS_NAMED, life.opening == Opening::Named)
            | flag(HAS_FIRST_JOIN, life.first_join.is_some())
            | flag(IS_CLOSED, life.closed.is_some())
            | flag(IS_LISTED, call.listed)
            | flag(HAS_NAME, life.name.is_some())
            | flag(HAS_INSTANCE, !call.instance.is_empty())
            | flag(HAS_AFTER, life.after.is_some())
            | flag(HAS_CREATOR, !life.creator.is_empty())
            | flag(IS_SUPERSEDED, how == Some(Closing::Superseded))
            | flag(IS_RESET, how == Some(Closing::Reset))
            | flag(IS_DESTROYED, life.destroyed.is_some())
            | flag(IS_RECORDED, life.recorded)
            | flag(IS_BY_LEAVE, life.by_leave),
    );
    out.number(call.app);
    out.text(&call.room);
    out.text(&call.source);
    out.signed(life.begin.0);
    out.signed(life.start.0.wrapping_sub(life.begin.0));
    out.signed(call.second.wrapping_sub(life.start.secs()));
    out.signed(life.last_evidence.0.wrapping_sub(life.begin.0));
    out.number(u64::from(call.stays));
    out.number(u64::from(call.open_stays));
    let after_evidence = [life.closed.map(|closed| closed.at), life.destroyed];
    let after_begin = [life.first_join, life.after];
    for time in after_evidence.into_iter().flatten() {
        out.signed(time.0.wrapping_sub(life.last_evidence.0));
    }
    for time in after_begin.into_iter().flatten() {
        out.signed(time.0.wrapping_sub(life.begin.0));
    }
    let told = [&call.instance, &life.creator].into_iter().filter(|text| !text.is_empty());
    life.name.iter().chain(told).for_each(|text| out.text(text));
    out.into_bytes()
}

pub(super) fn decode_call(bytes: &[u8]) -> Result<CallRow, StoreError> {
    let mut input = In::of_version(bytes, CALL_VERSION)?;
    let flags = input.number()?;
    let has = |flag: u64| flags & flag != 0;
    let app = input.number()?;
    let (room, source) = (input.text()?, input.text()?);
    let begin = input.signed()?;
    let start = Millis(begin.wrapping_add(input.signed()?));
    let second = start.secs().wrapping_add(input.signed()?);
    let last_evidence = begin.wrapping_add(input.signed()?);
    let mut count = || u32::try_from(input.number()?).map_err(|_| damaged());
    let (stays, open_stays) = (count()?, count()?);
    let mut time = |flag: u64, since: i64| -> Result<Option<Millis>, StoreError> {
        if !has(flag) {
            return Ok(None);
        }
        Ok(Some(Millis(since.wrapping_add(input.signed()?))))
    };
    let closed_at = time(IS_CLOSED, last_evidence)?;
    let destroyed = time(IS_DESTROYED, last_evidence)?;
    let (first_join, after) = (time(HAS_FIRST_JOIN, begin)?, time(HAS_AFTER, begin)?);
    let mut text = |flag: u64| if has(flag) { input.text().map(Some) } else { Ok(None) };
    let (name, instance, creator) = (text(HAS_NAME)?, text(HAS_INSTANCE)?, text(HAS_CREATOR)?);
    if !input.is_empty() {
        return Err(damaged());
    }
    let how = match (has(IS_SUPERSEDED), has(IS_RESET)) {
        (true, _) => Closing::Superseded,
        (false, true) => Closing::Reset,
        (false, false) => Closing::Destroyed,
    };
    let opening = match (has(IS_PROVISIONAL), has(IS_NAMED)) {
        (true, _) => Opening::Provisional,
        (false, true) => Opening::Named,
        (false, false) => Opening::Created,
    };
    let life = Life {
        name,
        recorded: has(IS_RECORDED),
        opening,
        by_leave: has(IS_BY_LEAVE),
        begin: Millis(begin),
        after,
        start,
        creator: creator.unwrap_or_default(),
        first_join,
        last_evidence: Millis(last_evidence),
        closed: closed_at.map(|at| Closed { at, how }),
        destroyed,
    };
    let (instance, listed) = (instance.unwrap_or_default(), has(IS_LISTED));
    Ok(CallRow { app, room, source, instance, life, second, stays, open_stays, listed })
}

pub(super) fn encode_long(long: &LongRow) -> Result<Vec<u8>, StoreError> {
    encode(long)
}

/// `None` where the row of the call has to be asked: it is open.
pub(super) fn decode_long(bytes: &[u8]) -> Result<Option<LongRow>, StoreError> {
    if bytes.is_empty() { Ok(None) } else { decode(bytes).map(Some) }
}

/// A stay as the listing of a large call's stays tells of it: when it began, and when an event of the user ended it.
pub(super) type Listed = (Millis, Option<Millis>);

/// The version of a row of that listing.
const LISTED_VERSION: u8 = 2;

/// The stays of one user that began in one second. None ends before it begins.
pub(super) fn encode_listed(stays: &[Listed], second: i64) -> Vec<u8> {
    let mut out = Out::of_version(LISTED_VERSION, 8);
    for (joined, left) in stays {
        out.signed(joined.0.wrapping_sub(Millis::from_secs(second).0));
        let since = left.map(|left| left.0.wrapping_sub(joined.0).cast_unsigned());
        out.number(since.map_or(0, |since| since.wrapping_add(1)));
    }
    out.into_bytes()
}

pub(super) fn decode_listed(bytes: &[u8], second: i64) -> Result<Vec<Listed>, StoreError> {
    let mut input = In::of_version(bytes, LISTED_VERSION)?;
    let mut stays = Vec::new();
    while !input.is_empty() {
        let joined = Millis::from_secs(second).0.wrapping_add(input.signed()?);
        let since = input.number()?.checked_sub(1);
        let left = since.map(|since| Millis(joined.wrapping_add(since.cast_signed())));
        stays.push((Millis(joined), left));
    }
    Ok(stays)
}

pub(super) fn encode_sums(sums: Sums) -> Result<Vec<u8>, StoreError> {
    encode(&sums)
}

pub(super) fn decode_sums(bytes: &[u8]) -> Result<Sums, StoreError> {
    decode(bytes)
}

/// An event that is kept by itself.
pub(super) fn encode_single(event: &Event) -> Result<Vec<u8>, StoreError> {
    encode(event)
}

/// An event that is kept by itself.
pub(super) fn decode_single(bytes: &[u8]) -> Result<Event, StoreError> {
    decode(bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        pub(in crate::store::embedded) fn any_call()(
            (app, stays, open_stays, second) in any::<(u64, u32, u32, i64)>(),
            (room, source, instance, creator) in any::<(String, String, String, String)>(),
            name in any::<Option<String>>(),
            (recorded, by_leave, listed) in any::<(bool, bool, bool)>(),
            (begin, start, last_evidence) in any::<(i64, i64, i64)>(),
            (after, first_join, destroyed, closed) in any::<(Option<i64>, Option<i64>, Option<i64>, Option<i64>)>(),
            opening in prop::sample::select(&[Opening::Created, Opening::Provisional, Opening::Named]),
            how in prop::sample::select(&[Closing::Destroyed, Closing::Superseded, Closing::Reset]),
        ) -> CallRow {
            let life = Life {
                name,
                recorded,
                opening,
                by_leave,
                begin: Millis(begin),
                after: after.map(Millis),
                start: Millis(start),
                creator,
                first_join: first_join.map(Millis),
                last_evidence: Millis(last_evidence),
                closed: closed.map(|at| Closed { at: Millis(at), how }),
                destroyed: destroyed.map(Millis),
            };
            CallRow { app, room, source, instance, life, second, stays, open_stays, listed }
        }
    }

    proptest! {
        #[test]
        fn calls_are_read_as_they_were_written(call in any_call()) {
            let row = encode_call(&call);
            prop_assert_eq!(decode_call(&row).unwrap(), call);
            prop_assert!(decode_call(&row[..row.len() - 1]).is_err());
            let mut unknown = row;
            unknown[0] = CALL_VERSION - 1;
            prop_assert!(decode_call(&unknown).is_err());
        }

        #[test]
        fn listed_stays_are_read_as_they_were_written(
            second in -4_000_000_000..4_000_000_000i64,
            stays in prop::collection::vec((0..1_000i64, prop::option::of(0..i64::MAX / 2)), 0..4),
        ) {
            let joined = |ms: i64| Millis::from_secs(second).plus(ms);
            let stays: Vec<Listed> =
                stays.into_iter().map(|(ms, stay)| (joined(ms), stay.map(|stay| joined(ms).plus(stay)))).collect();
            let row = encode_listed(&stays, second);
            prop_assert_eq!(decode_listed(&row, second).unwrap(), stays);
            let mut unknown = row;
            unknown[0] -= 1;
            prop_assert!(decode_listed(&unknown, second).is_err());
        }

        #[test]
        fn damaged_calls_are_refused_or_read_but_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode_call(&[&[CALL_VERSION][..], &bytes].concat());
        }
    }
}
