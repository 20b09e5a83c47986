//! Who was erased: so that a sender that repeats an old delivery does not bring the person back.
//!
//! Nobody's name is kept, only a keyed hash of it and until when events of that person are not taken any more. The file
//! is read at start and written anew with each erasure.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::{Person, StoreError, hex};
use crate::records::quality::Series;
use crate::records::{AppId, Event, Millis, erase};

/// The name of the file, in the data directory.
pub(super) const FILE_NAME: &str = "erased";
/// Its first line: what it is, and in which form.
const HEADING: &str = "rollbook erased 1";

/// A keyed hash, and the key of it.
pub(super) type Hash = [u8; 32];

/// Who was erased, shared by whoever takes events and whoever erases.
#[derive(Debug, Clone, Default)]
pub(super) struct Erased(Arc<RwLock<People>>);

/// Who was erased.
#[derive(Debug, Default)]
pub(super) struct People {
    file: Option<PathBuf>,
    /// What the hashes are keyed with: none before the first erasure, and more than one only where several machines made
    /// their first at the same time.
    keys: BTreeSet<Hash>,
    until: BTreeMap<Hash, Millis>,
    /// The latest of them: what happened later is nobody's who was erased.
    latest: Option<Millis>,
}

impl Erased {
    /// Reads the file of a data directory, if there is one.
    pub(super) fn open(dir: &Path) -> Result<Erased, StoreError> {
        let file = dir.join(FILE_NAME);
        let mut people = match std::fs::read_to_string(&file) {
            Ok(text) => read(&text, &file)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => People::default(),
            Err(error) => {
                return Err(StoreError::Refused(format!("cannot read {}: {error}", file.display())));
            }
        };
        people.file = Some(file);
        Ok(Erased(Arc::new(RwLock::new(people))))
    }

    /// Whoever takes events holds this from when they are looked at until they are queued, so that an erasure that is
    /// queued behind them finds them all.
    pub(super) fn people(&self) -> RwLockReadGuard<'_, People> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nothing is taken of somebody that happened until then. `key` is used if there is none yet.
    pub(super) fn add(&self, person: &Person, key: Hash) -> Result<(), StoreError> {
        self.change(|people| {
            let key = people.key_or(key);
            people.keys.insert(key);
            let until = people.until.entry(hash(&key, person.app, &person.user)).or_insert(person.until);
            *until = person.until.max(*until);
        })
    }

    /// Forgets of whom nothing can come back any more, since it would be older than the horizon.
    pub(super) fn expire(&self, horizon: Millis) -> Result<(), StoreError> {
        if self.people().until.values().all(|until| horizon <= *until) {
            return Ok(());
        }
        self.change(|people| people.until.retain(|_, until| horizon <= *until))
    }

    fn change(&self, change: impl FnOnce(&mut People)) -> Result<(), StoreError> {
        let mut people = self.0.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut people);
        people.set_latest();
        people.write()
    }
}

impl People {
    /// Those of whom rows tell, each a key, the hash with it, and until when.
    pub(super) fn of(rows: impl IntoIterator<Item = (Hash, Hash, Millis)>) -> People {
        let mut people = People::default();
        for (key, hash, until) in rows {
            people.keys.insert(key);
            let known = people.until.entry(hash).or_insert(until);
            *known = until.max(*known);
        }
        people.set_latest();
        people
    }

    /// The key for the next hash: `fresh` if there is none yet.
    pub(super) fn key_or(&self, fresh: Hash) -> Hash {
        self.keys.first().copied().unwrap_or(fresh)
    }

    fn set_latest(&mut self) {
        self.latest = self.until.values().copied().max();
    }

    fn is_erased(&self, app: AppId, name: &str, at: Millis) -> bool {
        let until = |key: &Hash| self.until.get(&hash(key, app, name));
        self.keys.iter().filter_map(until).any(|until| at <= *until)
    }

    /// Takes out of a batch what tells of people who were erased; how many events.
    pub(super) fn filter(&self, events: &mut Vec<Event>) -> u64 {
        let Some(latest) = self.latest else { return 0 };
        let before = events.len();
        let taken = std::mem::take(events).into_iter().filter_map(|event| {
            let is_them = |name: &str| self.is_erased(event.app, name, event.at);
            if event.at <= latest && erase::names(&event, &is_them) {
                erase::nameless(event)
            } else {
                Some(event)
            }
        });
        *events = taken.collect();
        (before - events.len()) as u64
    }

    /// Takes out of measurements what was measured by or of people who were erased.
    pub(super) fn filter_samples(&self, series: &mut Vec<Series>) {
        let Some(latest) = self.latest else { return };
        for Series { flow, columns } in series.iter_mut() {
            let old = columns.iter().flat_map(|(_, points)| points).any(|(at, _)| *at <= latest);
            if !old {
                continue;
            }
            for (_, points) in columns.iter_mut() {
                points.retain(|(at, _)| {
                    *at > latest
                        || !(self.is_erased(flow.app, &flow.user, *at)
                            || self.is_erased(flow.app, &flow.peer, *at))
                });
            }
            columns.retain(|(_, points)| !points.is_empty());
        }
        series.retain(|series| !series.is_empty());
    }

    fn text(&self, key: &Hash) -> String {
        let mut text = format!("{HEADING}\nkey {}\n", hex(key));
        for (hash, until) in &self.until {
            text.push_str(&format!("{} {}\n", hex(hash), until.0));
        }
        text
    }

    /// Writes the file anew, under another name until it is whole.
    fn write(&self) -> Result<(), StoreError> {
        let (Some(file), Some(key)) = (&self.file, self.keys.first()) else { return Ok(()) };
        let text = self.text(key);
        let next = file.with_extension("making");
        let mut options = std::fs::OpenOptions::new();
        let written =
            options.write(true).create(true).truncate(true).mode(0o600).open(&next).and_then(|mut out| {
                out.write_all(text.as_bytes())?;
                out.sync_all()?;
                std::fs::rename(&next, file)?;
                std::fs::File::open(file.parent().unwrap_or(Path::new(".")))?.sync_all()
            });
        written.map_err(|error| StoreError::Unavailable(format!("cannot write {}: {error}", file.display())))
    }
}

/// What stands for a user.
pub(super) fn hash(key: &Hash, app: AppId, name: &str) -> Hash {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Hash::default() };
    mac.update(&app.0.to_be_bytes());
    mac.update(name.as_bytes());
    mac.finalize().into_bytes().into()
}

fn read(text: &str, file: &Path) -> Result<People, StoreError> {
    let (heading, rest) = text.split_once('\n').unwrap_or((text, ""));
    if heading != HEADING {
        return Err(StoreError::Refused(format!(
            "{} begins with {heading:?}, not with {HEADING:?}: use the version of rollbook that wrote it",
            file.display()
        )));
    }
    let broken =
        |number: usize| StoreError::Corrupt(format!("{}:{}: cannot be read", file.display(), number + 2));
    let mut people = People::default();
    for (number, line) in rest.lines().enumerate() {
        let (name, value) = line.split_once(' ').ok_or_else(|| broken(number))?;
        if name == "key" {
            people.keys = BTreeSet::from([unhex(value).ok_or_else(|| broken(number))?]);
        } else {
            let until = value.parse().map_err(|_| broken(number))?;
            people.until.insert(unhex(name).ok_or_else(|| broken(number))?, Millis(until));
        }
    }
    if people.keys.is_empty() && !people.until.is_empty() {
        return Err(StoreError::Corrupt(format!("{} has no key", file.display())));
    }
    people.set_latest();
    Ok(people)
}

/// Reads a file's text; what is read is written, and reads again as the same.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn reads_again(text: &str) -> Result<(), StoreError> {
    let file = Path::new(FILE_NAME);
    let people = read(text, file)?;
    let Some(key) = people.keys.first() else { return Ok(()) };
    let again = read(&people.text(key), file)?;
    assert_eq!((again.keys, again.until, again.latest), (people.keys.clone(), people.until, people.latest));
    Ok(())
}

/// The bytes of hexadecimal digits.
pub(super) fn unhex(text: &str) -> Option<Hash> {
    let mut bytes = Hash::default();
    if text.len() != 2 * bytes.len() || !text.is_ascii() {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Kind;

    fn person(user: &str, until: i64) -> Person {
        Person { app: AppId(1), user: user.to_owned(), until: Millis(until) }
    }

    fn taken(erased: &Erased, app: u64, user: &str, at: i64) -> usize {
        let mut events = vec![Event::new(AppId(app), "trtc", "r", user, Kind::UserJoined, Millis(at))];
        erased.people().filter(&mut events);
        events.len()
    }

    #[test]
    fn it_holds_no_name_outlives_a_restart_and_ends_with_the_horizon() {
        let dir = tempfile::tempdir().unwrap();
        let erased = Erased::open(dir.path()).unwrap();
        erased.add(&person("alice", 50), [7; 32]).unwrap();
        erased.add(&person("bob", 20), [8; 32]).unwrap();
        let text = std::fs::read_to_string(dir.path().join(FILE_NAME)).unwrap();
        assert!(!text.contains("alice") && text.contains(&"07".repeat(32)), "{text}");
        let erased = Erased::open(dir.path()).unwrap();
        let check = |erased: &Erased, expected: [usize; 6]| {
            let asked = [
                (1, "alice", 50),
                (1, "alice", 51),
                (2, "alice", 50),
                (1, "bob", 20),
                (1, "bob", 21),
                (1, "eve", 1),
            ];
            assert_eq!(asked.map(|(app, user, at)| taken(erased, app, user, at)), expected);
        };
        check(&erased, [0, 1, 1, 0, 1, 1]);
        erased.expire(Millis(21)).unwrap();
        check(&erased, [0, 1, 1, 1, 1, 1]);
        check(&Erased::open(dir.path()).unwrap(), [0, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn a_file_of_another_form_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let check = |text: &str, expected: &str| {
            std::fs::write(dir.path().join(FILE_NAME), text).unwrap();
            let error = Erased::open(dir.path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("rollbook erased 2\n", "begins with \"rollbook erased 2\"");
        check("rollbook erased 1\nkey 00\n", "erased:2: cannot be read");
        check(&format!("rollbook erased 1\n{} 1\n", "00".repeat(32)), "has no key");
    }
}
