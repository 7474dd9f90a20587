//! How long work reports what it has done, and learns that it should stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The work was asked to stop. Not a failure: nobody should see a red message for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

/// One flag, shared by the button that sets it and the loop that reads it.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// Asks the work to stop at its next [`Self::check`].
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`Self::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Call once per item of work: a tile, a batch, a row of tiles.
    ///
    /// # Errors
    /// [`Cancelled`] once [`Self::cancel`] was called.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }
}

/// Where work says how far it is. The app shows a bar, the CLI a line, a test nothing.
pub trait Progress: Send + Sync {
    /// A new stage begins, named for the user: "Finding tissue", "Reading patches".
    fn stage(&self, name: &'static str);

    /// `done` of `total` items of the current stage; `total` may grow while work goes on.
    fn report(&self, done: u64, total: u64);
}

/// Ignores every report.
impl Progress for () {
    fn stage(&self, _name: &'static str) {}
    fn report(&self, _done: u64, _total: u64) {}
}
