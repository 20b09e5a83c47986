//! An answer to a question for sessions.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use crate::records::Session;

/// Sessions in the order of questions. A store may give the same page to many, who share it and what one of them
/// rendered of it: then a page that is asked for often costs neither a look at its sessions nor their text anew.
#[derive(Debug, Clone, Default)]
pub struct SessionPage(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    sessions: Vec<Arc<Session>>,
    rendering: OnceLock<Box<[u8]>>,
}

impl SessionPage {
    /// What somebody rendered of this page.
    pub fn rendering(&self) -> Option<&[u8]> {
        self.0.rendering.get().map(|rendering| &**rendering)
    }

    /// Leaves a rendering for who is given the page next, if the store has kept it for others. Only what depends on nothing
    /// but the sessions may be left, and only one kind of rendering: whatever is here already stays.
    pub fn leave_rendering(&self, rendering: &[u8]) {
        if Arc::strong_count(&self.0) > 1 {
            let _ = self.0.rendering.set(rendering.into());
        }
    }
}

impl From<Vec<Arc<Session>>> for SessionPage {
    fn from(sessions: Vec<Arc<Session>>) -> SessionPage {
        SessionPage(Arc::new(Shared { sessions, rendering: OnceLock::new() }))
    }
}

impl FromIterator<Arc<Session>> for SessionPage {
    fn from_iter<I: IntoIterator<Item = Arc<Session>>>(sessions: I) -> SessionPage {
        SessionPage::from(Vec::from_iter(sessions))
    }
}

impl Deref for SessionPage {
    type Target = [Arc<Session>];

    fn deref(&self) -> &[Arc<Session>] {
        &self.0.sessions
    }
}

impl PartialEq for SessionPage {
    fn eq(&self, other: &SessionPage) -> bool {
        self[..] == other[..]
    }
}

impl Eq for SessionPage {}
