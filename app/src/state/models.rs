//! Which models and encoders there are, which model is chosen, and what is being done about them.

use std::collections::BTreeMap;

use model::encoder::EncoderEntry;
use model::registry::{Kept, ModelEntry, Survey};

/// The list of models.
#[derive(Clone, Debug, Default)]
pub(crate) struct ModelsState {
    /// `None` until the folders were read.
    pub(crate) entries: Option<Vec<ModelEntry>>,
    /// Folders that hold no usable model, one sentence each.
    pub(crate) problems: Vec<String>,
    /// What can describe patches, shipped encoders first; empty until the folders were read.
    pub(crate) encoders: Vec<EncoderEntry>,
    /// What can be done about those of the user, by name.
    pub(crate) kept: BTreeMap<String, Kept>,
    /// Name of the chosen model.
    pub(crate) selected: Option<String>,
    /// The window with all of them is open.
    pub(crate) is_list_open: bool,
    /// The model that is deleted if the user says so once more.
    pub(crate) asked_to_delete: Option<String>,
    pub(crate) transfer: Transfer,
}

/// Where models come from and go to, as typed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transfer {
    /// A model folder.
    pub(crate) import: String,
    /// How the list is to call it; its own name if empty.
    pub(crate) import_name: String,
    /// Folder that exported model folders are put into.
    pub(crate) export: String,
}

/// One of the texts of [`Transfer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransferField {
    Import,
    ImportName,
    Export,
}

impl Transfer {
    pub(crate) fn text(&self, which: TransferField) -> &str {
        match which {
            TransferField::Import => &self.import,
            TransferField::ImportName => &self.import_name,
            TransferField::Export => &self.export,
        }
    }

    pub(crate) fn set(&mut self, which: TransferField, text: String) {
        *match which {
            TransferField::Import => &mut self.import,
            TransferField::ImportName => &mut self.import_name,
            TransferField::Export => &mut self.export,
        } = text;
    }
}

impl ModelsState {
    /// The chosen model.
    pub(crate) fn chosen(&self) -> Option<&ModelEntry> {
        self.named(self.selected.as_deref()?)
    }

    /// The model of that name.
    pub(crate) fn named(&self, name: &str) -> Option<&ModelEntry> {
        self.entries.as_deref()?.iter().find(|entry| entry.manifest.name == name)
    }

    /// The encoder of that name.
    pub(crate) fn encoder(&self, name: &str) -> Option<&EncoderEntry> {
        self.encoders.iter().find(|encoder| encoder.name == name)
    }

    /// Takes what a look into the model folders found.
    pub(crate) fn take(&mut self, found: Survey) {
        self.set_entries(found.entries);
        self.problems = found.problems;
        self.kept = found.kept;
    }

    /// Replaces the list; keeps the choice if it is still there, else takes the first.
    pub(crate) fn set_entries(&mut self, entries: Vec<ModelEntry>) {
        self.entries = Some(entries);
        if self.chosen().is_none() {
            let first = self.entries.as_ref().and_then(|entries| entries.first());
            self.selected = first.map(|entry| entry.manifest.name.clone());
        }
    }
}
