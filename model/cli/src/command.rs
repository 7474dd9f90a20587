//! One file per subcommand.

pub(crate) mod eval;
pub(crate) mod fixture;
pub(crate) mod info;
pub(crate) mod models;
pub(crate) mod predict;
pub(crate) mod region;
pub(crate) mod train;

use std::path::Path;

use model::registry::{self, ModelEntry};
use slide::Slide;

use crate::failure::Failure;

fn open_slide(path: &Path) -> Result<Slide, Failure> {
    Slide::open(path).map_err(|error| Failure::at(path)(&error))
}

fn find_model(name_or_dir: &str) -> Result<ModelEntry, Failure> {
    registry::find(name_or_dir).map_err(|error| {
        let dir = Path::new(name_or_dir);
        if dir.is_dir() { Failure::at(dir)(&error) } else { Failure::new(&error) }
    })
}
