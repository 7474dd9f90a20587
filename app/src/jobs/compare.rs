//! Measuring two models on the same labelled images, on threads that yield to the window.

use std::path::Path;
use std::sync::Arc;

use domain::progress::{CancelToken, Progress};
use model::analysis::default_feature_cache;
use model::data::folder::image_path;
use model::device::DeviceChoice;
use model::eval::{CompareJob, Comparison, EvalError, ImageScore, Rows, compare};
use model::registry::ModelEntry;
use model::threads::yielding;
use model::train::validation_files;

use super::runner::Runner;
use super::{JobError, Outcome};
use crate::command::Match;
use crate::state::State;
use crate::state::comparing::Compared;
use crate::state::image_queue::{ImageList, Stop};
use crate::state::jobs::JobKind;

pub(super) fn start(wanted: Match, state: &mut State, runner: &mut Runner) {
    let title = format!("Comparing two models on {}", wanted.folder.display());
    runner.start(state, JobKind::Compare, "compare", title, move |progress, cancel| {
        yielding(|| run(&wanted, progress, cancel))
    });
}

fn run(wanted: &Match, progress: &dyn Progress, cancel: &CancelToken) -> Result<Outcome, JobError> {
    let failed = |error: &dyn std::fmt::Display, place: &Path| {
        JobError::Failed(format!("The models cannot be compared: {error}: {}", place.display()))
    };
    let open = |dir: &Path| ModelEntry::open(dir).map_err(|error| failed(&error, dir));
    let [first, second] = &wanted.models;
    let models = [open(first)?, open(second)?];
    let rows = match &wanted.run {
        Some(run) => Rows::Files(validation_files(run).map_err(|error| failed(&error, run))?),
        None => Rows::Split(None),
    };
    let job = CompareJob {
        folder: &wanted.folder,
        masks: None,
        models: models.each_ref(),
        rows,
        device: DeviceChoice::Auto,
        feature_cache: default_feature_cache(),
    };
    let comparison = compare(&job, progress, cancel).map_err(|error| match error {
        EvalError::Cancelled(_) => JobError::Cancelled,
        other => failed(&other, &wanted.folder),
    })?;
    Ok(Outcome::Compared(Arc::new(compared(comparison, models))))
}

/// Curves once, and where the images lie that the models disagree about.
fn compared(comparison: Comparison, models: [ModelEntry; 2]) -> Compared {
    let folder = &comparison.first.folder;
    let stop = |(a, b): (&ImageScore, &ImageScore)| {
        let label = if a.is_positive { "positive" } else { "negative" };
        let (file, p, q) = (&a.file, a.probability, b.probability);
        Stop {
            path: image_path(folder, file),
            words: format!("{file}: labelled {label}, probability {p:.2} and {q:.2}"),
        }
    };
    let stops = comparison.disagreements().into_iter().map(stop).collect();
    let list = ImageList { title: "Disagreements", stops, models: models.to_vec() };
    let rocs = [comparison.first.roc(), comparison.second.roc()];
    Compared { rocs, list: Arc::new(list), comparison }
}
