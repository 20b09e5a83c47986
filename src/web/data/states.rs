//! States of a user that explain what the lines of a chart do: what was off, a busy processor, a line that was lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::records::quality::Metric;
use crate::records::{Event, Kind, LeaveSource, Millis, ReasonClass, Session, Track};
use crate::web::call::ByPeer;
use crate::web::lanes::Span;
use crate::web::prefs::duration;
use crate::web::score::{Grade, STRETCH_S, THRESHOLDS, runs};
use crate::web::words::Lang;

/// What kind of state it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Of {
    /// The microphone was off.
    Muted,
    /// The camera was off.
    NoVideo,
    /// The processor was as busy as is poor.
    Busy,
    /// Nothing was measured any more, until the end.
    Lost,
    /// The user was out, between two stays.
    Out,
}

impl Of {
    /// As scripts know it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Of::Muted => "muted",
            Of::NoVideo => "no_video",
            Of::Busy => "busy",
            Of::Lost => "lost",
            Of::Out => "out",
        }
    }
}

/// A state, from second to second.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::web) struct State {
    pub(super) of: Of,
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) name: String,
}

/// The states of a user that meet a span.
pub(super) fn states(
    words: Lang,
    span: Span,
    media: &[Event],
    sessions: &[Arc<Session>],
    peers: &ByPeer,
) -> Vec<State> {
    let mut all = switched_off(words, media, span);
    all.extend(busy(peers));
    let mut stays: Vec<&Session> = sessions.iter().map(|session| &**session).collect();
    stays.sort_by_key(|session| session.joined);
    all.extend(stays.windows(2).filter_map(|pair| out(words, pair[0], pair[1])));
    all.extend(stays.iter().filter_map(|session| lost(words, session, peers)));
    all.retain(|state| state.from < span.to && state.to > span.from);
    all
}

/// When the microphone or camera was off: from the event that says so to the next that does not, or the leave.
fn switched_off(words: Lang, events: &[Event], span: Span) -> Vec<State> {
    let mut found = Vec::new();
    for (track, of, name) in
        [(Track::Audio, Of::Muted, words.muted()), (Track::Video, Of::NoVideo, words.no_video())]
    {
        let mut since = None;
        let mut close = |since: &mut Option<i64>, to: i64| {
            if let Some(from) = since.take().filter(|from| *from < to) {
                found.push(State { of, from, to, name: name.to_owned() });
            }
        };
        for event in events {
            let at = event.at.secs();
            match &event.kind {
                Kind::Media { track: of, on } if *of == track => {
                    if *on {
                        close(&mut since, at);
                    } else {
                        since = since.or(Some(at));
                    }
                }
                Kind::UserLeft | Kind::RecordLeft(_) => close(&mut since, at),
                Kind::RoomCreated
                | Kind::RoomDestroyed
                | Kind::UserJoined
                | Kind::UserChanged
                | Kind::Media { .. }
                | Kind::EmitterReset
                | Kind::Attributes
                | Kind::Unknown { .. }
                | Kind::RecordJoined(_) => {}
            }
        }
        close(&mut since, span.to);
    }
    found
}

/// When the processor was as busy as is poor.
fn busy(peers: &ByPeer) -> Vec<State> {
    let is_load = |metric: &Metric| matches!(metric, Metric::AppCpu | Metric::SysCpu);
    let poor = THRESHOLDS.iter().find(|(metric, ..)| *metric == Metric::SysCpu).map_or(100.0, |row| row.2);
    let loads = runs(peers.values().flatten().filter(|(metric, _)| is_load(metric)));
    let state = |(from, to, _)| State { of: Of::Busy, from, to, name: format!("CPU ≥ {poor} %") };
    loads.into_iter().filter(|(.., grade)| *grade == Grade::Poor).map(state).collect()
}

/// Between two stays: the user comes again after the line was lost, or was out for another reason.
fn out(words: Lang, before: &Session, after: &Session) -> Option<State> {
    let (from, to) = (before.left?.secs(), after.joined.secs());
    let is_lost = before.leave_source != LeaveSource::Seen
        || before.leave_reason.as_ref().is_some_and(|reason| {
            matches!(reason.class, ReasonClass::Timeout | ReasonClass::NetworkSwitch | ReasonClass::Killed)
        });
    let name = if is_lost { words.reconnecting() } else { words.not_inside() };
    (from < to).then(|| State { of: Of::Out, from, to, name: name.to_owned() })
}

/// Before a leave that nobody chose: nothing is measured any more.
fn lost(words: Lang, session: &Session, peers: &ByPeer) -> Option<State> {
    let is_timeout = session.leave_reason.as_ref().is_some_and(|reason| reason.class == ReasonClass::Timeout);
    let (joined, left) = (session.joined, session.left?);
    if session.leave_source == LeaveSource::Seen && !is_timeout {
        return None;
    }
    let inside = |at: &Millis| joined <= *at && *at <= left;
    let points = peers.values().flat_map(BTreeMap::values).flatten();
    let from = points.map(|(at, _)| *at).filter(inside).max()?.secs();
    let name = words.line_lost().to_owned();
    (left.secs() - from >= STRETCH_S).then(|| State { of: Of::Lost, from, to: left.secs(), name })
}

/// For how long each of the states lasted within a span, in words.
pub(super) fn told<'s>(states: impl Iterator<Item = &'s State>, span: Span) -> String {
    let mut seconds: BTreeMap<&str, i64> = BTreeMap::new();
    for state in states {
        *seconds.entry(&state.name).or_insert(0) += state.to.min(span.to) - state.from.max(span.from);
    }
    seconds.iter().map(|(name, seconds)| format!("; {name} {}", duration(seconds * 1_000))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{AppId, JoinSource, Reason};

    fn is(found: &[State], expected: &[(Of, i64, i64, &str)]) {
        let found: Vec<_> =
            found.iter().map(|state| (state.of, state.from, state.to, &*state.name)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_was_off_is_told_until_it_is_on_again_or_the_user_is_gone() {
        let event = |kind: Kind, s: i64| Event::new(AppId(1), "t", "r", "u", kind, Millis::from_secs(s));
        let media = |track: Track, on: bool, s: i64| event(Kind::Media { track, on }, s);
        let events = [
            media(Track::Audio, true, 10),
            media(Track::Audio, false, 20),
            media(Track::Video, false, 22),
            media(Track::Audio, false, 25),
            media(Track::Audio, true, 30),
            event(Kind::UserLeft, 40),
            media(Track::Audio, false, 50),
        ];
        let span = Span { from: 0, to: 60 };
        let found = states(Lang::En, span, &events, &[], &ByPeer::new());
        let expected =
            [(Of::Muted, 20, 30, "muted"), (Of::Muted, 50, 60, "muted"), (Of::NoVideo, 22, 40, "no video")];
        is(&found, &expected);
        let part = states(Lang::En, Span { from: 30, to: 45 }, &events, &[], &ByPeer::new());
        is(&part, &expected[2..]);
        assert_eq!(told(found.iter(), Span { from: 0, to: 55 }), "; muted 15 s; no video 18 s");
    }

    #[test]
    fn lost_lines_returns_and_busy_processors_are_told() {
        let stay = |joined: i64, left: i64, source: LeaveSource, class: ReasonClass| {
            Arc::new(Session {
                room: "r".into(),
                user: "u".into(),
                visit: None,
                joined: Millis::from_secs(joined),
                join_source: JoinSource::Seen,
                left: Some(Millis::from_secs(left)),
                leave_source: source,
                leave_reason: Some(Reason { class, raw: String::new() }),
                attrs: Default::default(),
            })
        };
        let sessions = [
            stay(500, 600, LeaveSource::Seen, ReasonClass::Normal),
            stay(300, 400, LeaveSource::Superseded, ReasonClass::Unknown),
            stay(100, 200, LeaveSource::Seen, ReasonClass::Timeout),
        ];
        let points = |load: f64| [100, 110, 120, 310, 395].map(|s| (Millis::from_secs(s), load)).to_vec();
        let peers = ByPeer::from([(String::new(), BTreeMap::from([(Metric::SysCpu, points(97.0))]))]);
        let found = states(Lang::En, Span { from: 0, to: 900 }, &[], &sessions, &peers);
        let expected = [
            (Of::Busy, 100, 130, "CPU ≥ 95 %"),
            (Of::Busy, 310, 320, "CPU ≥ 95 %"),
            (Of::Busy, 390, 400, "CPU ≥ 95 %"),
            (Of::Out, 200, 300, "reconnecting"),
            (Of::Out, 400, 500, "reconnecting"),
            (Of::Lost, 120, 200, "no sign"),
        ];
        is(&found, &expected);
    }
}
