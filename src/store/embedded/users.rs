//! The calls of users: listed by user in each sealed file, in step with the stays.
//!
//! An open file has no such listing, since rows in the order of users would cost each session a page of its own to
//! write. What was told of its users is read when somebody first asks, and the keys of its listing are in memory from then on.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::batch::user_of;
use super::file::{DayFile, View};
use super::index::CallRef;
use super::keys::{self, CallNo, Key, Table};
use super::reader::Reader;
use super::told;
use super::values::{self, CallRow};
use crate::records::{AppId, Call, Millis};
use crate::store::{
    DAY_S, StoreError, UserCall, UserCallsQuery, UserSeen, UsersQuery, call_order, overlaps, session_order,
};

/// What is done with each call of each user: go on, or stop.
type Sink<'s> = &'s mut dyn FnMut(&str, CallNo) -> Result<ControlFlow<()>, StoreError>;

/// The keys of [`Table::Users`] that open files would have: by day.
#[derive(Debug, Default)]
pub(super) struct OpenUsers(Mutex<BTreeMap<i64, BTreeSet<Vec<u8>>>>);

impl OpenUsers {
    fn days(&self) -> MutexGuard<'_, BTreeMap<i64, BTreeSet<Vec<u8>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps in step what is there.
    pub(super) fn apply(&self, day: i64, key: Vec<u8>, there: bool) {
        if let Some(keys) = self.days().get_mut(&day) {
            if there {
                keys.insert(key)
            } else {
                keys.remove(&key)
            };
        }
    }

    pub(super) fn forget(&self, day: i64) {
        self.days().remove(&day);
    }
}

impl Reader<'_> {
    /// The keys of a file's listing, from one on and before another.
    fn scan_users(
        &self,
        file: &DayFile,
        view: &View,
        (from, to): (&[u8], Vec<u8>),
        visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        if file.sealed {
            self.index.users.forget(file.day);
            return view.scan(Table::Users, from, Some(&to), false, &mut |key, _| visit(key));
        }
        let mut days = self.index.users.days();
        let keys = match days.entry(file.day) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(keys_of(view, file.day)?),
        };
        for key in keys.range(from.to_vec()..).take_while(|key| **key < to) {
            if visit(key).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Of each file the first users, so that the first of all are among them; each with all its calls in that file.
    pub(in crate::store) fn users(&self, query: &UsersQuery<'_>) -> Result<Vec<UserSeen>, StoreError> {
        let mut calls: BTreeMap<String, u64> = BTreeMap::new();
        for (&day, file) in self.files {
            let view = file.view()?;
            // A call's last evidence is not before its begin.
            let all_shown = query.horizon < Millis::from_secs(day.saturating_mul(DAY_S));
            let mut first: BTreeMap<String, u64> = BTreeMap::new();
            self.each_call((file, &view), query, &mut |user, no| {
                let known = first.contains_key(user);
                if !known && first.len() >= query.take {
                    return Ok(ControlFlow::Break(()));
                }
                if !all_shown && !is_shown(&view, no, query.horizon)? {
                    return Ok(ControlFlow::Continue(()));
                }
                match first.get_mut(user) {
                    Some(count) => *count += 1,
                    None => drop(first.insert(user.to_owned(), 1)),
                }
                Ok(ControlFlow::Continue(()))
            })?;
            first.into_iter().for_each(|(user, count)| *calls.entry(user).or_default() += count);
        }
        let seen = calls.into_iter().map(|(user, calls)| UserSeen { user, calls });
        Ok(seen.take(query.take).collect())
    }

    /// From the newest file back, until no earlier one can hold a call of the page.
    pub(in crate::store) fn calls_of_user(
        &self,
        query: &UserCallsQuery<'_>,
    ) -> Result<Vec<UserCall>, StoreError> {
        let skip = usize::try_from(query.skip).unwrap_or(usize::MAX);
        let needed = skip.saturating_add(query.take);
        let day_of = |second: i64| Millis::from_secs(second).day();
        // A call is kept on the day of its begin; its creation lies there or on a neighbouring day, but for a call
        // that is told of by its id days before it is created, which is long.
        let (first, last) = (day_of(query.from_s).saturating_sub(1), day_of(query.to_s).saturating_add(1));
        let long =
            |since: i64| -> BTreeSet<CallRef> { self.index.long_of_app_since(query.app, since).collect() };
        let (reaching, mut newer) = (long(i64::MIN), None);
        let mut found: Vec<(Call, CallRef, CallRow)> = Vec::new();
        for (&day, file) in self.files.range(..=last).rev() {
            let begin_of_newer = (day + 2).saturating_mul(DAY_S);
            if newer.is_none()
                && found.iter().filter(|(call, ..)| call.created.secs() >= begin_of_newer).count() >= needed
            {
                newer = Some(long(day + 2));
            }
            let only = newer.as_ref().or((day < first).then_some(&reaching));
            let is_of_day = |only: &BTreeSet<CallRef>| {
                only.range(CallRef { day, no: 0 }..).next().is_some_and(|at| at.day == day)
            };
            if only.is_some_and(|only| !is_of_day(only)) {
                continue;
            }
            let view = file.view()?;
            for no in self.numbers(file, &view, query)? {
                let at = CallRef { day, no };
                if only.is_some_and(|only| !only.contains(&at)) {
                    continue;
                }
                let row = view.with(Table::Calls, &Key::call(no).bytes(), values::decode_call)?;
                if let Some(row) = row.filter(|row| is_asked(row, query)) {
                    found.push((self.call(&row), at, row));
                }
            }
        }
        found.sort_by(|(a, ..), (b, ..)| call_order(a, b));
        let mut page = Vec::new();
        for (call, at, row) in found.into_iter().skip(skip).take(query.take) {
            let Some(of_call) = self.of_call(at, &row)? else { continue };
            let mut sessions = of_call.of_user(query.user)?;
            sessions.sort_by(session_order);
            page.push(UserCall { call, sessions: sessions.into_iter().map(Arc::new).collect() });
        }
        Ok(page)
    }
}

fn is_asked(row: &CallRow, query: &UserCallsQuery<'_>) -> bool {
    let end = row.life.end().map(|(at, _)| at);
    row.life.last_evidence >= query.horizon
        && overlaps(row.life.start, end, query.from_s, query.to_s, query.now)
}

fn is_shown(view: &View, no: CallNo, horizon: Millis) -> Result<bool, StoreError> {
    let evidence = view.with(Table::Calls, &Key::call(no).bytes(), |bytes| {
        Ok(values::decode_call(bytes)?.life.last_evidence)
    })?;
    Ok(evidence.is_some_and(|evidence| evidence >= horizon))
}

impl Reader<'_> {
    /// Gives each user that is asked for with each call, in order of users, until told to stop.
    fn each_call(
        &self,
        (file, view): (&DayFile, &View),
        query: &UsersQuery<'_>,
        sink: Sink<'_>,
    ) -> Result<(), StoreError> {
        // A prefix ends within a text, without the byte that ends it.
        let begin = |text: &str| {
            let mut bytes = Key::app(query.app).bytes();
            bytes.extend_from_slice(text.as_bytes());
            bytes
        };
        let first = begin(query.prefix);
        let end = Key::from_bytes(&first).end();
        let behind = query.after.map(|after| keys::calls_of_user(query.app, after).end());
        let from = behind.map_or_else(|| first.clone(), |behind| behind.max(first.clone()));
        let mut outcome = Ok(());
        self.scan_users(file, view, (&from, end), &mut |key| {
            let (Some(user), Some(no)) = (keys::user_of_calls(key), keys::trailing_number(key)) else {
                return ControlFlow::Continue(());
            };
            sink(user, no).unwrap_or_else(|error| {
                outcome = Err(error);
                ControlFlow::Break(())
            })
        })?;
        outcome
    }

    /// The numbers of a user's calls in a file.
    fn numbers(
        &self,
        file: &DayFile,
        view: &View,
        query: &UserCallsQuery<'_>,
    ) -> Result<Vec<CallNo>, StoreError> {
        let prefix = keys::calls_of_user(query.app, query.user);
        let mut numbers = Vec::new();
        self.scan_users(file, view, (&prefix.clone().bytes(), prefix.end()), &mut |key| {
            numbers.extend(keys::trailing_number(key));
            ControlFlow::Continue(())
        })?;
        Ok(numbers)
    }
}

/// Of so many keys one is looked at, to divide them into parts.
const SAMPLED: usize = 64;
/// How many keys a part has, about.
const PART_KEYS: usize = 128 * 1_024;

/// The keys that a file's calls and stays make, handed over in parts and in order: of a large day they would need much
/// memory together.
pub(super) fn each_part(
    (view, day): (&View, i64),
    visit: &mut dyn FnMut(BTreeSet<Vec<u8>>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let apps = apps(view)?;
    let (mut sample, mut turn) = (Vec::new(), 0);
    each_key((view, day), &apps, &mut |key| {
        if turn % SAMPLED == 0 {
            sample.push(key);
        }
        turn += 1;
    })?;
    sample.sort_unstable();
    let bounds: Vec<Vec<u8>> = sample.into_iter().step_by(PART_KEYS / SAMPLED).skip(1).collect();
    for part in 0..=bounds.len() {
        let from = part.checked_sub(1).and_then(|before| bounds.get(before));
        let to = bounds.get(part);
        let mut keys = BTreeSet::new();
        each_key((view, day), &apps, &mut |key| {
            if from.is_none_or(|from| *from <= key) && to.is_none_or(|to| key < *to) {
                keys.insert(key);
            }
        })?;
        visit(keys)?;
    }
    Ok(())
}

/// All of them.
fn keys_of(view: &View, day: i64) -> Result<BTreeSet<Vec<u8>>, StoreError> {
    let mut keys = BTreeSet::new();
    each_key((view, day), &apps(view)?, &mut |key| {
        keys.insert(key);
    })?;
    Ok(keys)
}

/// The application of each call.
fn apps(view: &View) -> Result<HashMap<CallNo, AppId>, StoreError> {
    let mut apps = HashMap::new();
    view.scan(Table::Apps, &[], None, false, &mut |key, _| {
        let app = key.first_chunk().map(|bytes| AppId(u64::from_be_bytes(*bytes)));
        apps.extend(keys::trailing_number(key).zip(app));
        ControlFlow::Continue(())
    })?;
    Ok(apps)
}

/// The key of each stay's user and call, in the order of calls.
fn each_key(
    (view, day): (&View, i64),
    apps: &HashMap<CallNo, AppId>,
    visit: &mut dyn FnMut(Vec<u8>),
) -> Result<(), StoreError> {
    view.each(Table::Events, &[], None, &mut |key, value| {
        if told::decode_heads(value, day)?.is_empty() {
            return Ok(());
        }
        let no = key.first_chunk().map(|bytes| CallNo::from_be_bytes(*bytes));
        let app = no.and_then(|no| apps.get(&no));
        if let (Some(no), Some(&app), Some(user)) = (no, app, user_of(key)) {
            visit(keys::calls_of_user(app, &user).number(no).bytes());
        }
        Ok(())
    })
}

/// Whether a sealed file lists the calls of its users, and no others.
pub(super) fn are_listed(view: &View, day: i64) -> Result<bool, StoreError> {
    let mut same = true;
    // Behind which key the listing is still to be compared.
    let mut from: Vec<u8> = Vec::new();
    each_part((view, day), &mut |expected| {
        let mut expected = expected.iter().map(Vec::as_slice).peekable();
        view.scan(Table::Users, &from.clone(), None, false, &mut |key, _| {
            if expected.peek().is_none() {
                return ControlFlow::Break(());
            }
            same &= expected.next() == Some(key);
            from = [key, &[0]].concat();
            if same { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        same &= expected.next().is_none();
        Ok(())
    })?;
    view.scan(Table::Users, &from, None, false, &mut |_, _| {
        same = false;
        ControlFlow::Break(())
    })?;
    Ok(same)
}
