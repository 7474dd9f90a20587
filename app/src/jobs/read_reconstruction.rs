//! A picture of what an encoder in training makes of hidden patches, from its run folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::coords::Level0Rect;
use model::wise::picture_path;
use slide::Slide;

use super::TrainingOutcome;
use super::part::read_part;
use super::runner::Runner;
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::picture::Picture;

/// Longest side that is read in full.
const SIDE_PX: f64 = 4096.0;

/// Reads the picture of an epoch.
pub(super) fn start(run_dir: PathBuf, epoch: usize, state: &mut State, runner: &mut Runner) {
    let name = "read-reconstruction";
    runner.start(state, JobKind::Silent, name, String::new(), move |_progress, _cancel| {
        let picture = read(&picture_path(&run_dir, epoch)).map(Arc::new);
        Ok(TrainingOutcome::ReconstructionRead { run_dir, epoch, picture }.into())
    });
}

fn read(path: &Path) -> Result<Picture, String> {
    let slide = Slide::open(path).map_err(|error| error.to_string())?;
    let part = read_part(&slide, Level0Rect::of_size(slide.size()), SIDE_PX);
    part.map(|part| Picture::new(part.pixels)).ok_or_else(|| "its pixels are damaged".to_owned())
}
