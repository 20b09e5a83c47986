//! The id of a call, as questions name it.

use super::AppId;

/// `{SdkAppId}_{room}_{creation second}`, or the text an imported record came with.
///
/// A room's name may contain `_`, so the text is split at the first and the last one (contract section 10).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommId(String);

impl CommId {
    /// The id of the life of `room` that owns this second.
    pub fn new(app: AppId, room: &str, second: i64) -> CommId {
        CommId(format!("{app}_{room}_{second}"))
    }

    /// An id that was given from outside, as it is.
    pub fn from_text(text: impl Into<String>) -> CommId {
        CommId(text.into())
    }

    /// The id as the wire shows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Application, room and second, where the text has that form.
    pub fn parts(&self) -> Option<(AppId, &str, i64)> {
        let (app, rest) = self.0.split_once('_')?;
        let (room, second) = rest.rsplit_once('_')?;
        let plain = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if !plain(app) || !plain(second) {
            return None;
        }
        Some((AppId(app.parse().ok()?), room, second.parse().ok()?))
    }

    /// The application the text begins with, whatever follows.
    pub fn app(&self) -> Option<AppId> {
        let (app, _) = self.0.split_once('_')?;
        app.parse().ok().map(AppId)
    }
}

impl std::fmt::Display for CommId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
