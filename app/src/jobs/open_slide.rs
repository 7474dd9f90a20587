//! Opening a slide: its directory is read, no pixels.

use std::path::PathBuf;
use std::sync::Arc;

use domain::progress::{CancelToken, Progress};
use slide::Slide;

use super::runner::Runner;
use super::{JobError, Outcome};
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::view::SlideFacts;

/// The shipped slide, inside the assets folder.
const DEMO_SLIDE: &str = "demo/cmu-1-small-region.svs";

pub(super) fn start(path: PathBuf, state: &mut State, runner: &mut Runner) {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let title = format!("Opening {name}");
    runner.start(state, JobKind::OpenSlide, "open-slide", title, move |progress, cancel| {
        open(path, progress, cancel)
    });
}

pub(super) fn start_demo(state: &mut State, runner: &mut Runner) {
    let title = "Opening the demo slide".to_owned();
    runner.start(state, JobKind::OpenSlide, "open-slide", title, |progress, cancel| {
        let assets = model::assets::assets_dir()
            .ok_or_else(|| JobError::Failed("The folder `assets` was not found".to_owned()))?;
        open(assets.join(DEMO_SLIDE), progress, cancel)
    });
}

fn open(path: PathBuf, progress: &dyn Progress, cancel: &CancelToken) -> Result<Outcome, JobError> {
    progress.stage("Reading the directory");
    // An absolute path still leads to the slide when the program is started elsewhere.
    let path = std::path::absolute(&path).unwrap_or(path);
    let slide = Slide::open(&path).map_err(|error| {
        JobError::Failed(format!("Cannot open the slide: {error}: {}", path.display()))
    })?;
    cancel.check()?;
    let facts = SlideFacts::read(&slide, &path);
    Ok(Outcome::SlideOpened { slide: Arc::new(slide), facts })
}
