//! The model of a finished run on its validation images, ready to be shown.

use std::sync::Arc;

use model::eval::{Measurement, RocPoint};
use model::registry::InstallNote;

use crate::state::image_queue::ImageList;

/// Figures, curve, and images worth a look.
#[derive(Clone, Debug)]
pub(crate) struct Examined {
    pub(crate) measured: Measurement,
    pub(crate) roc: Vec<RocPoint>,
    /// *t* and figures for the list of models.
    pub(crate) proposal: InstallNote,
    /// The images that the model is most wrong about, then those whose masks fit least; without empty lists.
    pub(crate) lists: Vec<Arc<ImageList>>,
}
