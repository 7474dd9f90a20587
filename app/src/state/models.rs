//! Which models there are and which one is chosen.

use model::registry::ModelEntry;

/// The list of models.
#[derive(Clone, Debug, Default)]
pub(crate) struct ModelsState {
    /// `None` until the folders were read.
    pub(crate) entries: Option<Vec<ModelEntry>>,
    /// Folders that hold no usable model, one sentence each.
    pub(crate) problems: Vec<String>,
    /// Name of the chosen model.
    pub(crate) selected: Option<String>,
}

impl ModelsState {
    /// The chosen model.
    pub(crate) fn chosen(&self) -> Option<&ModelEntry> {
        let name = self.selected.as_deref()?;
        self.entries.as_deref()?.iter().find(|entry| entry.manifest.name == name)
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
