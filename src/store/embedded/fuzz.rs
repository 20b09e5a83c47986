//! Any bytes as each of the keys and values that a file may hold. They are read or refused, and nothing else happens;
//! what is read is written, and reads again as the same. For `fuzz/`; a test beside runs the same over a few.

use std::collections::BTreeMap;

use super::chunk;
use super::compact::{In, written};
use super::figures::Sums;
use super::file::Changes;
use super::finish::{decode_ref, encode_ref};
use super::keys::{self, Key};
use super::pack::{self, Block};
use super::told;
use super::values;
use crate::records::{AppId, Event, Millis};
use crate::store::StoreError;
use crate::store::erased;

/// A kind of what a file holds: what reads it, and panics where it does not read again as the same.
type Kind = (&'static str, fn(&[u8]) -> Result<(), StoreError>);

/// All of them; the place is the first byte of an input of `fuzz/`, so new ones go to the end.
const KINDS: [Kind; 12] = [
    ("call", call),
    ("long call", long),
    ("listed stays", listed),
    ("told of a user", told_of_user),
    ("event", single),
    ("figures", sums),
    ("batch over several files", changes),
    ("block", block),
    ("chunk", a_chunk),
    ("key", key),
    ("text", text),
    ("erased", people),
];

/// Reads the bytes behind the first as what the first says.
///
/// # Panics
/// Where what was read is written otherwise than it was read.
pub fn read(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    if let Some((_, read)) = KINDS.get(usize::from(*kind)) {
        // That it is refused is as good.
        drop(read(rest));
    }
}

/// The first eight bytes as a number, and those behind.
fn number(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((i64::from_be_bytes(*number), rest))
}

fn call(bytes: &[u8]) -> Result<(), StoreError> {
    let call = values::decode_call(bytes)?;
    assert_eq!(values::decode_call(&values::encode_call(&call))?, call);
    // Whatever is in it can be asked.
    let timeline = call.timeline();
    let shown = call.life.call(&timeline, call.life.comm_id(&timeline, call.second));
    assert_eq!((shown.app, call.is_of(&timeline)), (AppId(call.app), true));
    let _ = (call.running(), call.begins_in_its_second(), call.life.claim(shown.app, &call.room));
    Ok(())
}

fn long(bytes: &[u8]) -> Result<(), StoreError> {
    if let Some(long) = values::decode_long(bytes)? {
        let again = values::decode_long(&values::encode_long(&long)?)?;
        assert_eq!(format!("{again:?}"), format!("{:?}", Some(long)));
    }
    Ok(())
}

fn listed(bytes: &[u8]) -> Result<(), StoreError> {
    let Some((second, bytes)) = number(bytes) else { return Ok(()) };
    let stays = values::decode_listed(bytes, second)?;
    assert_eq!(values::decode_listed(&values::encode_listed(&stays, second), second)?, stays);
    Ok(())
}

fn told_of_user(bytes: &[u8]) -> Result<(), StoreError> {
    let Some((day, bytes)) = number(bytes) else { return Ok(()) };
    let heads = told::decode_heads(bytes, day)?;
    let (stays, events) = told::decode(bytes, None, "user", day)?;
    assert_eq!(heads, stays);
    let again = told::decode(&told::encode(&events, &stays, "user", day), None, "user", day)?;
    assert_eq!(again.0, stays);
    same_events(&again.1, &events);
    // Folding what is damaged ends, too.
    drop(told::stays(&events));
    Ok(())
}

fn single(bytes: &[u8]) -> Result<(), StoreError> {
    let event = values::decode_single(bytes)?;
    let again = values::decode_single(&values::encode_single(&event)?)?;
    same_events(&[again], &[event]);
    Ok(())
}

/// Equal in everything, also in when they were received.
fn same_events(a: &[Event], b: &[Event]) {
    assert_eq!(format!("{a:?}"), format!("{b:?}"));
}

fn sums(bytes: &[u8]) -> Result<(), StoreError> {
    let sums: Sums = values::decode_sums(bytes)?;
    assert_eq!(values::decode_sums(&values::encode_sums(sums)?)?, sums);
    Ok(())
}

fn changes(bytes: &[u8]) -> Result<(), StoreError> {
    let changes = values::decode_changes(bytes)?;
    let by_day: BTreeMap<i64, &Changes> = changes.iter().map(|(day, changes)| (*day, changes)).collect();
    assert_eq!(values::decode_changes(&values::encode_changes(&by_day)?)?, changes);
    Ok(())
}

fn block(bytes: &[u8]) -> Result<(), StoreError> {
    let rows = Block::unpack(bytes)?.rows()?;
    if !rows.is_sorted_by(|a, b| a.0 < b.0) {
        return Ok(());
    }
    let mut again = Vec::new();
    for (first, packed) in pack::pack(&rows)? {
        let block = Block::unpack(&packed)?;
        assert!(block.get(&first)?.is_some());
        again.extend(block.rows()?);
    }
    assert_eq!(again, rows);
    Ok(())
}

fn a_chunk(bytes: &[u8]) -> Result<(), StoreError> {
    let columns = chunk::decode(bytes)?;
    // What is never written need not be read again: a column of nothing, times out of order.
    let in_order = |points: &[(Millis, f64)]| points.is_sorted_by(|a, b| a.0 < b.0);
    if columns.is_empty() || columns.iter().any(|(_, points)| points.is_empty() || !in_order(points)) {
        return Ok(());
    }
    let given: Vec<chunk::Column<'_>> =
        columns.iter().map(|(measure, points)| (*measure, &points[..])).collect();
    let again = chunk::decode(&chunk::encode(&given))?;
    let bits = |columns: &[(_, Vec<(Millis, f64)>)]| {
        let points =
            |points: &[(Millis, f64)]| points.iter().map(|(at, v)| (*at, v.to_bits())).collect::<Vec<_>>();
        columns.iter().map(|(measure, of)| (*measure, points(of))).collect::<Vec<_>>()
    };
    assert_eq!(bits(&again), bits(&columns));
    Ok(())
}

fn key(bytes: &[u8]) -> Result<(), StoreError> {
    if let Some((flow, at)) = keys::of_chunk(bytes) {
        let again = Key::from_bytes(flow).time(at.0).bytes();
        assert_eq!(again, bytes);
        if let Some(flow) = keys::flow_of(flow) {
            assert_eq!(keys::flow_of(&keys::flow(&flow).bytes()), Some(flow));
        }
    }
    if let Some((app, start_s)) = keys::day_of_figures(bytes) {
        assert!(bytes.starts_with(&keys::figures(app, start_s)));
    }
    if let (Some(app), Some(user)) = (keys::app_of(bytes), keys::user_of_calls(bytes))
        && let Some(no) = keys::trailing_number(bytes)
    {
        let key = keys::calls_of_user(app, user).number(no).bytes();
        assert_eq!(keys::user_of_calls(&key), Some(user));
    }
    if let Some((app, room)) = keys::name_of_room(bytes) {
        assert_eq!(keys::name_of_room(&keys::room(app, &room).time(0).number(0).bytes()), Some((app, room)));
    }
    if let Some(call) = decode_ref(bytes) {
        assert_eq!(decode_ref(&encode_ref(call)), Some(call));
    }
    assert!(Key::from_bytes(bytes).end().as_slice() > bytes || bytes.iter().all(|byte| *byte == u8::MAX));
    Ok(())
}

fn text(bytes: &[u8]) -> Result<(), StoreError> {
    let mut input = In::new(bytes);
    while !input.is_empty() {
        let text = input.text()?;
        assert_eq!(In::new(&written(&text)).text()?, text);
    }
    Ok(())
}

fn people(bytes: &[u8]) -> Result<(), StoreError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => erased::reads_again(text),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_are_reached_and_refuse_what_is_damaged() {
        let refused = |(name, read): &Kind| read(&[0xff; 30]).is_err().then_some(*name);
        let refusing: Vec<&str> = KINDS.iter().filter_map(refused).collect();
        assert_eq!(refusing.len(), KINDS.len() - 2, "any bytes may be a key, or no text: {refusing:?}");
        for kind in 0..=u8::MAX {
            read(&[kind]);
            read(&[&[kind][..], &[0; 40]].concat());
        }
    }
}
