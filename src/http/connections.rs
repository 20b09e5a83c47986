//! Who is connected, and who is waited for: when as many connections are open as may be, the one whose other side has
//! been silent for longest makes room for who comes. So idle and slow ones do not keep others out, however many they are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

use super::body::Budget;

/// A head up to this size costs no reservation: the engine's buffer is that large anyway.
const SMALL_HEAD_BYTES: usize = 8 * 1_024;
/// In the place of a time: it is not the other side that is waited for.
const AT_WORK: u64 = u64::MAX;

/// By number: how each stands, and its task.
type Open = HashMap<u64, (Arc<Standing>, Option<AbortHandle>)>;

/// All connections. Time is counted in connections that came: nothing else matters here, and it costs no clock.
#[derive(Debug)]
pub(super) struct Connections {
    came: Arc<AtomicU64>,
    open: Mutex<Open>,
    budget: Arc<Budget>,
}

impl Connections {
    /// Heads that are not small take from `budget`.
    pub(super) fn new(budget: Arc<Budget>) -> Connections {
        Connections { came: Arc::default(), open: Mutex::default(), budget }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more; its task holds what this gives, until the end.
    pub(super) fn join(self: &Arc<Self>) -> Seat {
        let number = self.came.fetch_add(1, Ordering::Relaxed);
        let standing = Arc::new(Standing {
            came: Arc::clone(&self.came),
            since: AtomicU64::new(number),
            in_head: AtomicBool::new(true),
            head_bytes: AtomicUsize::new(0),
            held_bytes: AtomicUsize::new(0),
            budget: Arc::clone(&self.budget),
        });
        self.open().insert(number, (Arc::clone(&standing), None));
        Seat { number, standing, connections: Arc::clone(self) }
    }

    /// The task to end when it must make room. One that has ended already is not there any more.
    pub(super) fn set_task(&self, number: u64, task: AbortHandle) {
        if let Some((_, place)) = self.open().get_mut(&number) {
            *place = Some(task);
        }
    }

    /// Ends the connection whose other side has been silent for longest; whether there was one.
    pub(super) fn make_room(&self) -> bool {
        let mut open = self.open();
        let silent = open.iter().filter(|(_, (_, task))| task.is_some());
        let longest = silent.min_by_key(|(number, (standing, _))| (standing.since(), **number));
        let Some((&number, (standing, _))) = longest else { return false };
        if standing.since() == AT_WORK {
            return false;
        }
        if let Some((_, Some(task))) = open.remove(&number) {
            task.abort();
        }
        true
    }
}

/// A connection's place among all.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) number: u64,
    pub(super) standing: Arc<Standing>,
    connections: Arc<Connections>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.connections.open().remove(&self.number);
        self.standing.give_back();
    }
}

/// How a connection stands.
#[derive(Debug)]
pub(super) struct Standing {
    came: Arc<AtomicU64>,
    /// Since when its other side is waited for.
    since: AtomicU64,
    /// What is read is a request's head, or the beginning of one.
    in_head: AtomicBool,
    head_bytes: AtomicUsize,
    held_bytes: AtomicUsize,
    budget: Arc<Budget>,
}

impl Standing {
    fn since(&self) -> u64 {
        self.since.load(Ordering::Relaxed)
    }

    /// From now on it is waited for the other side: for its next request, or for the rest of a body.
    pub(super) fn waits(&self) {
        self.since.store(self.came.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// From now on it is the server's turn.
    pub(super) fn works(&self) {
        self.since.store(AT_WORK, Ordering::Relaxed);
    }

    /// A request's head is here; whether it came together with the request before it.
    pub(super) fn begins(&self) -> bool {
        let is_pipelined = self.head_bytes.load(Ordering::Relaxed) == 0;
        self.in_head.store(false, Ordering::Relaxed);
        self.give_back();
        self.works();
        is_pipelined
    }

    /// A request is answered.
    pub(super) fn ends(&self) {
        self.in_head.store(true, Ordering::Relaxed);
        self.waits();
    }

    /// So many bytes have come; whether there is memory for them, if they are of a head.
    pub(super) fn came(&self, bytes: usize) -> bool {
        if !self.in_head.load(Ordering::Relaxed) {
            return true;
        }
        let all = self.head_bytes.load(Ordering::Relaxed) + bytes;
        self.head_bytes.store(all, Ordering::Relaxed);
        if all <= SMALL_HEAD_BYTES {
            return true;
        }
        let more = all - self.held_bytes.load(Ordering::Relaxed);
        let is_room = self.budget.take(more, 0);
        if is_room {
            self.held_bytes.store(all, Ordering::Relaxed);
        }
        is_room
    }

    fn give_back(&self) {
        self.head_bytes.store(0, Ordering::Relaxed);
        self.budget.give(self.held_bytes.swap(0, Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Arc<Connections> {
        Arc::new(Connections::new(Arc::new(Budget::new(100_000))))
    }

    fn seat(connections: &Arc<Connections>) -> (Seat, tokio::task::JoinHandle<()>) {
        let seat = connections.join();
        let task = tokio::spawn(std::future::pending());
        connections.set_task(seat.number, task.abort_handle());
        (seat, task)
    }

    #[tokio::test]
    async fn who_is_silent_for_longest_makes_room() {
        let connections = all();
        let (first, first_task) = seat(&connections);
        let (second, second_task) = seat(&connections);
        let (third, third_task) = seat(&connections);
        second.standing.begins();
        third.standing.begins();
        first.standing.begins();
        third.standing.ends();
        assert!(connections.make_room(), "only the third is waited for");
        assert!(third_task.await.expect_err("ended").is_cancelled());
        assert!(!connections.make_room(), "the others are at work");
        let (_fourth, fourth_task) = seat(&connections);
        second.standing.ends();
        drop(first);
        assert!(!first_task.is_finished(), "who has gone is not ended");
        assert!(connections.make_room());
        assert!(fourth_task.await.expect_err("ended").is_cancelled(), "it came and said nothing");
        assert!(connections.make_room());
        assert!(second_task.await.expect_err("ended").is_cancelled());
        assert!(!connections.make_room());
    }

    #[tokio::test]
    async fn large_heads_take_from_the_budget_and_give_back() {
        let connections = all();
        let (one, other) = (connections.join(), connections.join());
        assert!(one.standing.came(SMALL_HEAD_BYTES));
        assert!(one.standing.came(80_000), "in the budget");
        assert!(!other.standing.came(20_000), "not any more");
        assert!(!one.standing.begins(), "its bytes have just come");
        assert!(one.standing.came(1 << 30), "bodies are counted elsewhere");
        assert!(other.standing.came(20_000));
        drop(other);
        one.standing.ends();
        assert!(one.standing.begins(), "it came with the one before");
        one.standing.ends();
        assert!(one.standing.came(100_000), "all of it is there again");
    }
}
