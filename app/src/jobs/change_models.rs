//! What is done about the user's models: deleting, going back, taking out, bringing in.

use std::path::PathBuf;

use model::registry::{InstallNote, ModelEntry, RegistryError, Shelf, export};

use super::runner::Runner;
use super::{JobError, Outcome};
use crate::state::State;
use crate::state::jobs::JobKind;

/// One change of the list of models.
#[derive(Clone, Debug)]
pub(crate) enum ModelChange {
    /// By name.
    Delete(String),
    /// By name, to the version before.
    RollBack(String),
    /// Into that folder.
    Export(Box<ModelEntry>, PathBuf),
    /// From that folder.
    Import(PathBuf, Box<InstallNote>),
}

/// Changes the list and says what was done.
pub(super) fn start(change: ModelChange, state: &mut State, runner: &mut Runner) {
    let title = "Changing the models".to_owned();
    runner.start(state, JobKind::Models, "change-models", title, move |_progress, _cancel| {
        let done = done(&change);
        done.map_err(|error| {
            JobError::Failed(format!("{}: {error}{}", failed(&change), at(&change)))
        })
    });
}

fn done(change: &ModelChange) -> Result<Outcome, RegistryError> {
    let changed = |words: String, chosen: Option<String>| Outcome::ModelsChanged { words, chosen };
    Ok(match change {
        ModelChange::Delete(name) => {
            Shelf::own()?.delete(name)?;
            changed(format!("{name} is deleted"), None)
        }
        ModelChange::RollBack(name) => {
            Shelf::own()?.roll_back(name)?;
            changed(format!("{name} is back at the version before"), None)
        }
        ModelChange::Export(entry, into) => {
            let dir = export(entry, into)?;
            changed(format!("Exported:\n{}", dir.display()), None)
        }
        ModelChange::Import(dir, note) => {
            let name = Shelf::own()?.import(dir, note)?.manifest.name;
            changed(format!("{name} is in the list of models"), Some(name))
        }
    })
}

fn failed(change: &ModelChange) -> &'static str {
    match change {
        ModelChange::Delete(_) => "The model cannot be deleted",
        ModelChange::RollBack(_) => "The version before cannot come back",
        ModelChange::Export(..) => "The model cannot be exported",
        ModelChange::Import(..) => "The model cannot be imported",
    }
}

/// The place that the libraries leave out.
fn at(change: &ModelChange) -> String {
    match change {
        ModelChange::Export(_, place) | ModelChange::Import(place, _) => {
            format!(": {}", place.display())
        }
        ModelChange::Delete(_) | ModelChange::RollBack(_) => String::new(),
    }
}
