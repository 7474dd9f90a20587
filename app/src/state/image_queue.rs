//! Images to look at one after the other, each with what models make of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::registry::ModelEntry;

/// One image of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    /// Where it lies; `None` if it is no longer there.
    pub(crate) path: Option<PathBuf>,
    /// Its name and why it is worth a look.
    pub(crate) words: String,
}

/// Images, and the models that are run on each of them.
#[derive(Clone, Debug)]
pub(crate) struct ImageList {
    pub(crate) title: &'static str,
    pub(crate) stops: Vec<Stop>,
    pub(crate) models: Vec<ModelEntry>,
}

/// The panel that a list is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The report of a training.
    Report,
    /// The comparison of two models.
    Comparison,
}

/// A list that is being gone through.
#[derive(Clone, Debug)]
pub(crate) struct ImageQueue {
    pub(crate) list: Arc<ImageList>,
    pub(crate) origin: Origin,
    /// Index of the image in sight.
    pub(crate) at: usize,
    /// Models that have been run on it.
    pub(crate) n_run: usize,
}

impl ImageQueue {
    pub(crate) fn new(list: Arc<ImageList>, origin: Origin, at: usize) -> Self {
        Self { list, origin, at, n_run: 0 }
    }

    /// The image in sight.
    pub(crate) fn stop(&self) -> Option<&Stop> {
        self.list.stops.get(self.at)
    }

    /// Whether the image in sight lies there.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        self.stop().and_then(|stop| stop.path.as_deref()) == Some(path)
    }

    /// The model that is to be run next on the image in sight.
    pub(crate) fn next_model(&self) -> Option<&ModelEntry> {
        self.list.models.get(self.n_run)
    }

    /// Goes to the next image that is there, or the one before; whether there is one.
    pub(crate) fn step(&mut self, is_forward: bool) -> bool {
        let is_there = |at: &usize| self.list.stops[*at].path.is_some();
        let found = match is_forward {
            true => (self.at + 1..self.list.stops.len()).find(is_there),
            false => (0..self.at).rev().find(is_there),
        };
        if let Some(at) = found {
            (self.at, self.n_run) = (at, 0);
        }
        found.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_pass_over_images_that_are_gone_and_stop_at_the_ends() {
        let stop =
            |path: Option<&str>| Stop { path: path.map(PathBuf::from), words: String::new() };
        let stops = vec![stop(Some("/a")), stop(None), stop(Some("/c"))];
        let list = ImageList { title: "", stops, models: Vec::new() };
        let mut queue = ImageQueue::new(Arc::new(list), Origin::Report, 0);
        assert!(queue.step(true) && queue.is_at(Path::new("/c")));
        assert!(!queue.step(true) && queue.at == 2);
        assert!(queue.step(false) && queue.is_at(Path::new("/a")));
        assert!(!queue.step(false));
    }
}
