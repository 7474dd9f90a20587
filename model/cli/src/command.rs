//! One file per subcommand.

pub(crate) mod annotations;
pub(crate) mod eval;
pub(crate) mod fixture;
pub(crate) mod info;
pub(crate) mod models;
pub(crate) mod predict;
pub(crate) mod region;
pub(crate) mod train;

use std::path::Path;

use model::camseg::RefinerDescription;
use model::registry::{self, ModelEntry};
use slide::Slide;

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
