//! How long each stage of a run took, summed over its pieces.

use std::time::{Duration, Instant};

/// Stage names with their time, in the order they were first met.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stopwatch(Vec<(&'static str, Duration)>);

impl Stopwatch {
    /// Adds the time that `work` takes to `stage`.
    pub(crate) fn time<T>(&mut self, stage: &'static str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        let elapsed = start.elapsed();
        match self.0.iter_mut().find(|(name, _)| *name == stage) {
            Some((_, total)) => *total += elapsed,
            None => self.0.push((stage, elapsed)),
        }
        result
    }

    /// The stages and their sums.
    pub(crate) fn into_timings(self) -> Vec<(&'static str, Duration)> {
        self.0
    }
}
