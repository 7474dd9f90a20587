//! One file per subcommand.

pub(crate) mod annotations;
pub(crate) mod encoders;
pub(crate) mod eval;
pub(crate) mod fixture;
pub(crate) mod info;
pub(crate) mod models;
pub(crate) mod predict;
pub(crate) mod preselect;
pub(crate) mod pretrain;
pub(crate) mod region;
mod settings;
pub(crate) mod train;

use std::path::Path;

use model::camseg::RefinerDescription;
use model::registry::{self, ModelEntry};
use model::train::{Narrator, TrainError, TrainEvent};
use slide::Slide;

use crate::Session;
use crate::console::say;
use crate::failure::Failure;

fn open_slide(path: &Path) -> Result<Slide, Failure> {
    Slide::open(path).map_err(|error| Failure::at(path)(&error))
}

/// The *t* that a model, or its refiner, recommends.
fn recommended_threshold(entry: &ModelEntry, refine: bool) -> Result<f32, Failure> {
    if !refine {
        return Ok(entry.manifest.recommended_threshold);
    }
    match RefinerDescription::read(&entry.dir) {
        Ok(Some(refiner)) => Ok(refiner.recommended_threshold),
        Ok(None) => Err(Failure::at(&entry.dir)(
            &"the model has no refiner; train one with `train --stage camseg`",
        )),
        Err(problem) => Err(Failure::at(&entry.dir)(&problem)),
    }
}

fn find_model(name_or_dir: &str) -> Result<ModelEntry, Failure> {
    registry::find(name_or_dir).map_err(|error| {
        let dir = Path::new(name_or_dir);
        if dir.is_dir() { Failure::at(dir)(&error) } else { Failure::new(&error) }
    })
}

/// Says what a training says, a line for each epoch.
fn narrate(session: &Session) -> impl FnMut(&TrainEvent) + '_ {
    let mut narrator = Narrator::default();
    move |event| {
        if let Some(line) = narrator.line(event) {
            session.progress.clear();
            say(&line);
        }
    }
}

/// Each problem of a folder is a cause of its own; a run that is there already may be meant to go on.
fn training_failure(folder: &Path, run: &Path, resume: bool, error: &TrainError) -> Failure {
    match error {
        TrainError::Folder(problems) => {
            let causes = problems.iter().map(|problem| Failure::at(folder)(problem));
            Failure::of_all(causes.collect()).unwrap_or_else(|| Failure::at(folder)(error))
        }
        TrainError::Resume(_) if !resume => {
            Failure::at(run)(&format!("{error} (--resume continues)"))
        }
        TrainError::Resume(_) | TrainError::Write(_) => Failure::at(run)(error),
        _ => Failure::at(folder)(error),
    }
}
