//! How values are kept: a version byte, then the fields in postcard's format. A version that is not known is an error,
//! never a guess.

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::StoreError;
use crate::records::Event;

/// The version of every value that this rollbook writes.
const VERSION: u8 = 1;

pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    postcard::to_extend(value, vec![VERSION])
        .map_err(|error| StoreError::Unavailable(format!("cannot encode a value: {error}")))
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => postcard::from_bytes(rest)
            .map_err(|error| StoreError::Corrupt(format!("a value cannot be read: {error}"))),
        Some((version, _)) => Err(StoreError::Corrupt(format!("a value has the unknown version {version}"))),
        None => Err(StoreError::Corrupt("a value is empty".to_owned())),
    }
}

/// What tells an event that is kept by itself from others of the same time: equal for two tellings of the same
/// event, whatever their words.
pub(super) fn digest(event: &Event) -> Result<[u8; 8], StoreError> {
    let mut event = Event { received: event.at, ..event.clone() };
    if !event.id.is_empty() {
        event.reason = None;
        event.attrs.clear();
        event.join_hint = None;
        event.create_hint = None;
        event.room_is_number = false;
        event.at_in_seconds = false;
    }
    let hash = Sha256::digest(encode(&event)?);
    let mut short = [0; 8];
    short.copy_from_slice(&hash[..8]);
    Ok(short)
}
