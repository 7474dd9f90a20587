//! What survives a restart.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use review::ReviewStatus;
use serde::{Deserialize, Serialize};

use super::training::plan::Plan;

/// Longer lists are not read.
const RECENT_MAX: usize = 8;

/// Saved as `session.json` in the user's configuration folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Session {
    /// Slides that were opened, the latest first.
    pub(crate) recent: Vec<PathBuf>,
    /// How far the review of those among them is that were begun.
    pub(crate) reviews: BTreeMap<PathBuf, ReviewStatus>,
    pub(crate) key_set: KeySet,
    pub(crate) backdrop: Backdrop,
    /// A training that was begun here and is not finished.
    pub(crate) training: Option<Plan>,
}

/// Which viewer's habits the keys follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum KeySet {
    #[default]
    QuPath,
    ImageScope,
    Asap,
}

impl KeySet {
    pub(crate) const ALL: [Self; 3] = [Self::QuPath, Self::ImageScope, Self::Asap];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::QuPath => "QuPath",
            Self::ImageScope => "ImageScope",
            Self::Asap => "ASAP",
        }
    }
}

/// What lies behind the slide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Backdrop {
    #[default]
    Dark,
    /// As bright as the eye expects of an average picture.
    Gray,
    /// As the glass of a slide.
    White,
}

impl Session {
    /// Puts `path` at the head of the list.
    pub(crate) fn remember(&mut self, path: &Path) {
        self.recent.retain(|known| known != path);
        self.recent.insert(0, path.to_owned());
        self.recent.truncate(RECENT_MAX);
        self.reviews.retain(|path, _| self.recent.contains(path));
    }

    /// Notes how far the review of a slide is.
    pub(crate) fn set_status(&mut self, path: &Path, status: ReviewStatus) {
        self.reviews.insert(path.to_owned(), status);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slide_opened_again_moves_to_the_head_and_old_ones_fall_off() {
        let mut session = Session::default();
        for name in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "c"] {
            session.remember(Path::new(name));
        }
        let names: Vec<_> = session.recent.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(names, ["c", "i", "h", "g", "f", "e", "d", "b"]);
    }
}
