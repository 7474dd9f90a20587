//! Two models beside each other on the same labelled images.

use std::path::PathBuf;
use std::sync::Arc;

use model::eval::{Comparison, RocPoint};

use crate::state::image_queue::ImageList;

/// A model that can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rival {
    /// One of the list, by name.
    Listed(String),
    /// That of the finished run in the training panel, by its folder.
    Run(PathBuf),
}

/// A comparison that was made, ready to be shown.
#[derive(Clone, Debug)]
pub(crate) struct Compared {
    pub(crate) comparison: Comparison,
    /// Of the first model and of the second.
    pub(crate) rocs: [Vec<RocPoint>; 2],
    /// The images that they disagree about.
    pub(crate) list: Arc<ImageList>,
}

/// The window that compares.
#[derive(Clone, Debug, Default)]
pub(crate) struct ComparingState {
    pub(crate) is_open: bool,
    /// The labelled folder, as typed.
    pub(crate) folder_text: String,
    /// The first model and the second.
    pub(crate) rivals: [Option<Rival>; 2],
    pub(crate) found: Option<Arc<Compared>>,
}

impl ComparingState {
    /// The labelled folder, if one is typed.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        let typed = self.folder_text.trim();
        (!typed.is_empty()).then(|| PathBuf::from(typed))
    }
}
