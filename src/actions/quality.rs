//! How good it was, as questions see it: the metrics of one user, as far as that user was in the call (rule 10 of
//! `docs/records.md`).

use std::collections::BTreeMap;

use crate::records::quality::{self, GAP_MS_MAX, Metric, Points, Series};
use crate::records::{AppId, Millis, Session};
use crate::store::{SampleQuery, Store, StoreError};
use crate::wire::{ErrorCode, Fault};

use super::Context;
use super::question::Window;

/// What a user's own client tells of what came from one peer, or, where the peer is `""`, of what the user sent.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) peer: String,
    pub(super) metrics: BTreeMap<Metric, Points>,
}

impl Flow {
    /// The points of one metric.
    pub(super) fn points(&self, metric: Metric) -> &[(Millis, f64)] {
        self.metrics.get(&metric).map_or(&[], Vec::as_slice)
    }

    /// How many points there are.
    pub(super) fn len(&self) -> usize {
        self.metrics.values().map(Vec::len).sum()
    }
}

/// Seconds in which somebody was inside, both ends inclusive: in order, none meeting another.
#[derive(Debug)]
pub(super) struct Stays(Vec<(i64, i64)>);

impl Stays {
    /// The stays of some sessions within a window. Who is still inside is so until `now`.
    pub(super) fn of<'a>(sessions: impl Iterator<Item = &'a Session>, window: Window, now: Millis) -> Stays {
        let mut stays: Vec<(i64, i64)> = sessions
            .map(|session| {
                let left = session.left.unwrap_or(now.max(session.joined));
                (session.joined.secs().max(window.from_s), left.secs().min(window.to_s))
            })
            .filter(|(from_s, to_s)| from_s <= to_s)
            .collect();
        stays.sort_unstable();
        stays.dedup_by(|later, earlier| {
            let meets = later.0 <= earlier.1;
            earlier.1 = if meets { earlier.1.max(later.1) } else { earlier.1 };
            meets
        });
        Stays(stays)
    }

    fn cover(&self, second: i64) -> bool {
        let place = self.0.partition_point(|(_, to_s)| *to_s < second);
        self.0.get(place).is_some_and(|(from_s, _)| *from_s <= second)
    }

    /// From the first to the last second.
    fn span(&self) -> Option<Window> {
        let (first, last) = (self.0.first()?, self.0.last()?);
        Some(Window { from_s: first.0, to_s: last.1 })
    }
}

/// The metrics of one user in the room of that name, by peer, during these stays. What is older than the
/// retention is left out, and so is what is no number.
pub(super) async fn flows<S: Store>(
    context: &Context<'_, S>,
    (app, room): (AppId, &str),
    user: &String,
    stays: &Stays,
) -> Result<Vec<Flow>, Fault> {
    let Some(span) = stays.span() else { return Ok(Vec::new()) };
    // The first second all of which is inside the horizon.
    let horizon_s = context.horizon().plus(999).secs();
    let from_s = span.from_s.max(horizon_s);
    if from_s > span.to_s {
        return Ok(Vec::new());
    }
    let query = SampleQuery {
        app,
        room,
        users: std::slice::from_ref(user),
        from: Millis::from_secs(from_s).plus(-GAP_MS_MAX),
        to: Millis::from_secs(span.to_s).plus(999),
    };
    let series = context.store.samples(&query).await.map_err(unreadable)?;
    let is_shown = |at: Millis| from_s <= at.secs() && stays.cover(at.secs());
    let flow = |series: &[Series]| {
        let mut metrics = quality::metrics(&series.iter().collect::<Vec<_>>());
        for points in metrics.values_mut() {
            points.retain(|(at, value)| value.is_finite() && is_shown(*at));
        }
        metrics.retain(|_, points| !points.is_empty());
        Flow { peer: series[0].flow.peer.clone(), metrics }
    };
    Ok(series.chunk_by(|a, b| a.flow.peer == b.flow.peer).map(flow).collect())
}

/// What a question about metrics or events says when the store cannot answer.
pub(super) fn unreadable(error: StoreError) -> Fault {
    tracing::error!(%error, "the store cannot answer");
    ErrorCode::InternalEsQueryError.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_that_meet_are_one() {
        let check = |stays: &[(i64, Option<i64>)], expected: &[(i64, i64)]| {
            let sessions: Vec<Session> = stays.iter().map(|&(joined, left)| session(joined, left)).collect();
            let window = Window { from_s: 10, to_s: 90 };
            let stays = Stays::of(sessions.iter(), window, Millis::from_secs(50));
            assert_eq!(stays.0, expected);
            for second in 0..100 {
                let inside = expected.iter().any(|(from_s, to_s)| (*from_s..=*to_s).contains(&second));
                assert_eq!(stays.cover(second), inside, "{second}");
            }
        };
        check(&[], &[]);
        check(&[(0, Some(9)), (91, Some(99))], &[]);
        check(&[(0, Some(10)), (90, Some(99))], &[(10, 10), (90, 90)]);
        check(&[(40, None), (20, Some(30)), (25, Some(28)), (30, Some(35))], &[(20, 35), (40, 50)]);
        check(&[(60, None)], &[(60, 60)]);
    }

    fn session(joined: i64, left: Option<i64>) -> Session {
        use crate::records::{Attrs, JoinSource, LeaveSource};
        Session {
            room: "r".into(),
            user: "u".into(),
            visit: None,
            joined: Millis::from_secs(joined),
            join_source: JoinSource::Seen,
            left: left.map(Millis::from_secs),
            leave_source: LeaveSource::Seen,
            leave_reason: None,
            attrs: Attrs::new(),
        }
    }
}
