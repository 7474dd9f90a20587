//! What lies over the window: dialogs, the welcome card, and what was typed into them.

use std::collections::BTreeSet;

use slide::export::{ExportFormat, FrameChoice};
use slide::import::OriginChoice;

use crate::state::sending::Sending;

/// A dialog; one at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Dialog {
    #[default]
    None,
    /// Type the path of a slide.
    OpenPath,
    /// Read annotations from a file.
    Import,
    Export,
    /// Send decided lesions into a labelled folder.
    Send,
    /// Find a command by its name.
    Palette,
    Shortcuts,
    About,
    /// The window is about to be closed while it trains.
    QuitWhileTraining,
}

/// Dialogs and their text.
#[derive(Clone, Debug)]
pub(crate) struct Dialogs {
    pub(crate) open: Dialog,
    /// The card with the first words is shown over the canvas.
    pub(crate) is_welcome_shown: bool,
    /// Path of a slide, as typed.
    pub(crate) path_text: String,
    /// What is typed into the list of commands.
    pub(crate) palette_text: String,
    /// File of annotations, as typed.
    pub(crate) import_text: String,
    /// Where its coordinates are counted from.
    pub(crate) import_origin: OriginChoice,
    /// Folder for exports, as typed.
    pub(crate) export_folder: String,
    /// Which files an export writes.
    pub(crate) export_formats: BTreeSet<ExportFormat>,
    /// Where its outlines are counted from.
    pub(crate) export_frame: FrameChoice,
    pub(crate) sending: Sending,
}

impl Default for Dialogs {
    fn default() -> Self {
        Self {
            open: Dialog::None,
            is_welcome_shown: false,
            path_text: String::new(),
            palette_text: String::new(),
            import_text: String::new(),
            import_origin: OriginChoice::default(),
            export_folder: String::new(),
            export_formats: BTreeSet::from(ExportFormat::USUAL),
            export_frame: FrameChoice::default(),
            sending: Sending::default(),
        }
    }
}
