//! What several targets share: an API with invented keys over a small store, and events made of any bytes.

pub mod api;
pub mod events;
pub mod told;
pub mod written;

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

/// Waits for an answer.
pub fn wait<T>(answer: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime"));
    RUNTIME.block_on(answer)
}
