//! How long work reports what it has done, and learns that it should stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How soon work that waits learns that it should stop instead.
const CANCEL_LATENCY: Duration = Duration::from_millis(50);

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

/// A gate that long work passes between its items: closed while the user wants it to wait.
#[derive(Clone, Debug, Default)]
pub struct PauseToken(Arc<(Mutex<bool>, Condvar)>);

impl PauseToken {
    /// Closes or opens the gate.
    pub fn set_paused(&self, is_paused: bool) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = is_paused;
        self.0.1.notify_all();
    }

    /// Whether the gate is closed.
    pub fn is_paused(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns at once, or when the gate opens.
    ///
    /// # Errors
    /// [`Cancelled`] if the work should stop while it waits.
    pub fn wait(&self, cancel: &CancelToken) -> Result<(), Cancelled> {
        let (gate, opened) = &*self.0;
        let mut is_paused = gate.lock().unwrap_or_else(PoisonError::into_inner);
        while *is_paused {
            cancel.check()?;
            let waited = opened.wait_timeout(is_paused, CANCEL_LATENCY);
            is_paused = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paused_work_waits_until_it_is_let_go() {
        let (pause, cancel) = (PauseToken::default(), CancelToken::default());
        pause.set_paused(true);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| pause.wait(&cancel));
            std::thread::sleep(Duration::from_millis(20));
            assert!(pause.is_paused() && !waiting.is_finished());
            pause.set_paused(false);
            assert_eq!(waiting.join().ok(), Some(Ok(())));
        });
    }

    #[test]
    fn paused_work_can_be_cancelled() {
        let (pause, cancel) = (PauseToken::default(), CancelToken::default());
        pause.set_paused(true);
        cancel.cancel();
        assert_eq!(pause.wait(&cancel), Err(Cancelled));
    }
}
