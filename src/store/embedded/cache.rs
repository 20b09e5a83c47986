//! The sessions of calls that were asked for lately, ready to be shown.
//!
//! Entries are made while a question holds the store's state for reading, and forgotten while the writer holds it
//! for writing, so that no question after an acknowledgement sees what was before it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::index::CallRef;
use crate::records::{AppId, CommId, Millis};
use crate::store::SessionPage;

/// Sessions that are kept, some 900 bytes each with what was rendered of them. When there are more, the cache begins anew.
const SESSIONS_MAX: usize = 25_000;

/// A call's sessions, in the order of questions.
#[derive(Debug)]
pub(super) struct Cached {
    pub(super) app: AppId,
    pub(super) last_evidence: Millis,
    /// The latest join and the earliest leave, where all have left: a window that reaches both meets all of them.
    pub(super) reach: Option<(Millis, Millis)>,
    pub(super) sessions: SessionPage,
    /// All of them; else only the newest.
    pub(super) is_whole: bool,
}

#[derive(Debug, Default)]
pub(super) struct Cache(RwLock<Entries>);

#[derive(Debug, Default)]
struct Entries {
    calls: HashMap<CommId, Arc<Cached>>,
    ids: HashMap<CallRef, CommId>,
    sessions: usize,
}

impl Cache {
    pub(super) fn get(&self, comm_id: &CommId) -> Option<Arc<Cached>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).calls.get(comm_id).cloned()
    }

    pub(super) fn keep(&self, call: CallRef, comm_id: &CommId, cached: Arc<Cached>) {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // An empty call counts too.
        entries.sessions += cached.sessions.len() + 1;
        if entries.sessions > SESSIONS_MAX {
            *entries = Entries { sessions: cached.sessions.len() + 1, ..Entries::default() };
        }
        if let Some(replaced) = entries.calls.insert(comm_id.clone(), cached) {
            entries.sessions = entries.sessions.saturating_sub(replaced.sessions.len() + 1);
        }
        entries.ids.insert(call, comm_id.clone());
    }

    pub(super) fn forget(&self, call: CallRef) {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(comm_id) = entries.ids.remove(&call)
            && let Some(cached) = entries.calls.remove(&comm_id)
        {
            entries.sessions = entries.sessions.saturating_sub(cached.sessions.len() + 1);
        }
    }

    pub(super) fn forget_all(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Entries::default();
    }
}
