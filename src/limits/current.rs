//! What may be replaced while it is in use.

use std::sync::{Arc, PoisonError, RwLock};

/// A value that somebody replaces as a whole: who got it before goes on with what it was.
#[derive(Debug)]
pub struct Current<T>(RwLock<Arc<T>>);

impl<T> Current<T> {
    /// This value, until another takes its place.
    pub fn new(value: T) -> Current<T> {
        Current(RwLock::new(Arc::new(value)))
    }

    /// The value as it is now.
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another in its place.
    pub fn set(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Current;

    #[test]
    fn who_has_the_old_one_keeps_it() {
        let current = Current::new(1);
        let old = current.get();
        current.set(2);
        assert_eq!((*old, *current.get()), (1, 2));
        assert_eq!(Arc::strong_count(&old), 1, "nobody else does");
    }
}
