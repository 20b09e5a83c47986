//! What arrives while a batch is on its way goes into the next one.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use crate::store::StoreError;

/// Senders that may wait; more is told to the sender.
const WAITING_MAX: usize = 1_024;

type Reply<K> = oneshot::Sender<Result<K, StoreError>>;
type Given<T, K> = (Vec<T>, Reply<K>);

/// Senders in line, each with things of `T`, each told a `K`.
#[derive(Debug)]
pub(super) struct Line<T, K> {
    waiting: mpsc::Sender<Given<T, K>>,
}

impl<T: Send + 'static, K: Send + 'static> Line<T, K> {
    /// Begins to take batches: of what waits as much as `full` (by `size`), at least `pace` after the begin of the one
    /// before, unless a full one waits. `keep` gets the senders' things and tells each its part.
    pub(super) fn begin<F>(
        runtime: &Handle,
        pace: Duration,
        full: usize,
        size: fn(&T) -> usize,
        keep: impl Fn(Vec<Vec<T>>) -> F + Send + 'static,
    ) -> Line<T, K>
    where
        F: Future<Output = Result<Vec<K>, StoreError>> + Send + 'static,
    {
        let (waiting, mut queue) = mpsc::channel::<Given<T, K>>(WAITING_MAX);
        let _enter = runtime.enter();
        runtime.spawn(async move {
            let mut ticks = (!pace.is_zero()).then(|| tokio::time::interval(pace));
            if let Some(ticks) = &mut ticks {
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            }
            while let Some((things, reply)) = queue.recv().await {
                let mut count: usize = things.iter().map(size).sum();
                let mut group = vec![(things, reply)];
                let mut may_begin = ticks.is_none();
                while count < full {
                    let next = match &mut ticks {
                        Some(ticks) if !may_begin => tokio::select! {
                            biased;
                            next = queue.recv() => next,
                            _ = ticks.tick() => { may_begin = true; continue }
                        },
                        Some(_) | None => queue.try_recv().ok(),
                    };
                    let Some((things, reply)) = next else { break };
                    count += things.iter().map(size).sum::<usize>();
                    group.push((things, reply));
                }
                let (batches, replies): (Vec<_>, Vec<_>) = group.into_iter().unzip();
                tell(replies, keep(batches).await);
            }
        });
        Line { waiting }
    }

    /// Gives a batch; waits until it is kept.
    ///
    /// # Errors
    /// [`StoreError::Busy`] where too many wait; else what keeping it says.
    pub(super) async fn give(&self, things: Vec<T>) -> Result<K, StoreError> {
        let (reply, kept) = oneshot::channel();
        self.waiting.try_send((things, reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => closed(),
        })?;
        kept.await.map_err(|_| closed())?
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is being closed".to_owned())
}

/// A sender that has gone away misses nothing but the answer.
fn tell<K>(replies: Vec<Reply<K>>, outcome: Result<Vec<K>, StoreError>) {
    match outcome {
        Ok(kept) => {
            for (reply, kept) in replies.into_iter().zip(kept) {
                let _ = reply.send(Ok(kept));
            }
        }
        Err(error) => {
            for reply in replies {
                let _ = reply.send(Err(error.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn who_comes_alone_waits_for_nothing_and_others_share_a_batch() {
        const PACE: Duration = Duration::from_millis(200);
        let batches = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&batches);
        let line = Arc::new(Line::begin(
            &Handle::current(),
            PACE,
            10,
            |_: &u8| 1,
            move |parts| {
                seen.lock().unwrap().push((tokio::time::Instant::now(), parts.len()));
                async move { Ok(parts.iter().map(Vec::len).collect()) }
            },
        ));
        let give = |count: u8| {
            let line = Arc::clone(&line);
            tokio::spawn(async move { line.give((0..count).collect()).await.unwrap() })
        };
        assert_eq!(give(1).await.unwrap(), 1);
        // What comes meanwhile goes together, when the pace allows; a full batch goes at once.
        let (a, b) = (give(2), give(3));
        assert_eq!((a.await.unwrap(), b.await.unwrap()), (2, 3));
        assert_eq!(give(10).await.unwrap(), 10);
        let batches = batches.lock().unwrap();
        let sizes: Vec<usize> = batches.iter().map(|(_, size)| *size).collect();
        assert_eq!(sizes, [1, 2, 1]);
        let pauses: Vec<Duration> = batches.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        assert!(pauses[0] >= PACE / 2 && pauses[1] < PACE / 2, "{pauses:?}");
    }

    #[tokio::test]
    async fn a_failure_is_told_to_each_and_the_next_is_tried_again() {
        let fails = Arc::new(Mutex::new(true));
        let failing = Arc::clone(&fails);
        let line = Line::begin(
            &Handle::current(),
            Duration::ZERO,
            10,
            |_: &u8| 1,
            move |parts: Vec<Vec<u8>>| {
                let fails = *failing.lock().unwrap();
                async move { if fails { Err(closed()) } else { Ok(vec![(); parts.len()]) } }
            },
        );
        assert!(line.give(vec![1]).await.is_err());
        *fails.lock().unwrap() = false;
        assert!(line.give(vec![1]).await.is_ok());
    }
}
