//! What jobs bring, into the state. With [`crate::command`] the only place that writes it.

mod training;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use slide::Slide;

use super::journal::Kept;
use super::pick::Picked;
use super::{JobEvent, Outcome, send};
use crate::command::{Effect, FileCommand, TrainingCommand, lesion, review};
use crate::state::State;
use crate::state::comparing::Compared;
use crate::state::comparison::{Comparison, ComparisonWay};
use crate::state::dialogs::{Dialog, Dialogs};
use crate::state::informative::Ranked;
use crate::state::jobs::{JobId, JobKind, RunningJob};
use crate::state::layer::{Layer, LayerKind};
use crate::state::lens::BandFigures;
use crate::state::overlay::SlideResult;
use crate::state::review::Keeping;
use crate::state::view::{Associated, SlideFacts};

const NO_FILE_DIALOG: &str = "This system offers no file dialog: type the file's path";
const NO_FOLDER_DIALOG: &str = "This system offers no folder dialog: type the folder's path";
const NO_RUN_DIALOG: &str = "This system offers no folder dialog: type the run folder's path";

/// Takes in one event; answers with what has to follow.
pub(crate) fn receive(state: &mut State, event: JobEvent) -> Vec<Effect> {
    match event {
        JobEvent::Stage(id, stage) => begin_stage(state, id, stage),
        JobEvent::Progress(id, done, total) => {
            if let Some(job) = state.jobs.get_mut(id) {
                job.report(done, total);
            }
        }
        JobEvent::Memory(memory) => state.training.memory = Some(memory),
        JobEvent::Training(news) => return training::news(state, *news),
        JobEvent::Cancelled(id) => {
            ended_early(state, id);
        }
        JobEvent::Failed(id, message) => {
            let was_stopped = ended_early(state, id).is_some_and(|job| job.is_stopping);
            if !was_stopped {
                state.notices.error(message);
            }
        }
        JobEvent::Done(id, outcome) => {
            state.jobs.remove(id);
            return finish(state, *outcome);
        }
    }
    Vec::new()
}

/// A training that is named again at every epoch goes on counting.
fn begin_stage(state: &mut State, id: JobId, stage: &'static str) {
    if let Some(job) = state.jobs.get_mut(id).filter(|job| job.stage != stage) {
        job.begin_stage(stage, Instant::now());
    }
}

/// Takes a job that was stopped or failed off the tray.
fn ended_early(state: &mut State, id: JobId) -> Option<RunningJob> {
    let job = state.jobs.remove(id)?;
    if job.kind == JobKind::Train {
        state.training.stopped();
    }
    Some(job)
}

fn finish(state: &mut State, outcome: Outcome) -> Vec<Effect> {
    match outcome {
        Outcome::SlideOpened { slide, facts } => return slide_opened(state, Some(slide), facts),
        Outcome::Analyzed { generation, result, layers } => {
            return analyzed(state, generation, result, layers);
        }
        Outcome::PatchesJudged { generation, ranked } => patches_judged(state, generation, ranked),
        Outcome::BandsSeen { result, figures, layers } => {
            return bands_seen(state, &result, figures, layers);
        }
        Outcome::JournalOpened { generation, kept } => {
            return journal_opened(state, generation, *kept);
        }
        Outcome::Reshaped { generation, .. } if generation != state.view.generation => {}
        Outcome::Reshaped { edits, is_commit: true, .. } => return review::committed(state, edits),
        Outcome::Reshaped { edits, .. } => return review::reshaped(state, edits),
        Outcome::FieldSplit(seen) => state.picture_lens.seen = Some(seen),
        Outcome::SpectrumRead(spectrum) => {
            state.picture_lens.spectrum = Some(Arc::new(spectrum));
        }
        Outcome::LesionsFound(tour) => lesion::begin(state, tour),
        Outcome::LayersRead(readouts) => {
            readouts.iter().for_each(|(heatmap, it)| state.overlay.take_readout(heatmap, it));
        }
        Outcome::ThumbnailsSeen { generation, seen } if generation == state.view.generation => {
            state.review.take_thumbnails(seen);
        }
        Outcome::AssociatedRead { generation, name, picture }
            if generation == state.view.generation =>
        {
            let seen = picture.map_or_else(Associated::Failed, Associated::Read);
            state.view.associated.insert(name, seen);
        }
        Outcome::ThumbnailsSeen { .. } | Outcome::AssociatedRead { .. } => {}
        Outcome::Imported { generation, imported } if generation == state.view.generation => {
            return review::imported(state, imported.edits, &imported.notes);
        }
        Outcome::Imported { .. } => {}
        Outcome::Exported(paths) => {
            let listed: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
            state.notices.done(format!("Exported:\n{}", listed.join("\n")));
        }
        Outcome::ModelsListed { models, encoders } => {
            state.models.take(models);
            state.models.encoders = encoders;
        }
        Outcome::ModelsChanged { words, chosen } => return models_changed(state, words, chosen),
        Outcome::Compared(found) => compared(state, found),
        Outcome::ComparedFolderPicked(picked) => compared_folder_picked(state, picked),
        Outcome::ModelFolderPicked(which, picked) => {
            let path = path_of(state, picked, NO_FOLDER_DIALOG);
            path.into_iter().for_each(|it| state.models.transfer.set(which, text(&it)));
        }
        Outcome::SlidePicked(picked) => return slide_picked(state, picked),
        Outcome::FolderPicked(picked) => {
            fill_in(state, picked, NO_FOLDER_DIALOG, |dialogs| &mut dialogs.export_folder);
        }
        Outcome::AnnotationsPicked(picked) => {
            fill_in(state, picked, NO_FILE_DIALOG, |dialogs| &mut dialogs.import_text);
        }
        Outcome::Sent(sent) => state.notices.done(send::said(&sent)),
        Outcome::FolderToSendToPicked(picked) => {
            fill_in(state, picked, NO_FOLDER_DIALOG, |dialogs| &mut dialogs.sending.folder);
        }
        Outcome::TrainingFolderPicked(picked) => return training_folder_picked(state, picked),
        Outcome::DroppedSeen { path, is_labelled_folder } => {
            return dropped(state, path, is_labelled_folder);
        }
        Outcome::RunPicked(picked) => return run_picked(state, picked),
        Outcome::Training(outcome) => return training::finish(state, *outcome),
        Outcome::SessionSaved => {}
    }
    Vec::new()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn compared(state: &mut State, found: Arc<Compared>) {
    state.comparing.found = Some(found);
    state.comparing.is_open = true;
}

fn compared_folder_picked(state: &mut State, picked: Picked) {
    if let Some(path) = path_of(state, picked, NO_FOLDER_DIALOG) {
        state.comparing.folder_text = text(&path);
    }
}

/// Says what was done about the models and reads their list again.
fn models_changed(state: &mut State, words: String, chosen: Option<String>) -> Vec<Effect> {
    state.notices.done(words);
    state.models.selected = chosen.or(state.models.selected.take());
    vec![Effect::ListModels]
}

/// The labelled folder of a plan, or else something to open.
fn dropped(state: &mut State, path: PathBuf, is_labelled_folder: bool) -> Vec<Effect> {
    let command = match is_labelled_folder {
        true => TrainingCommand::TakeFolder(path).into(),
        false => FileCommand::Drop(path).into(),
    };
    crate::command::apply(state, command)
}

/// Shows the slide; a run on the slide before it is stopped, its heatmap leaves with it.
fn slide_opened(state: &mut State, slide: Option<Arc<Slide>>, facts: SlideFacts) -> Vec<Effect> {
    let is_of_list = state.image_queue.as_ref().is_some_and(|it| it.is_at(&facts.path));
    if !is_of_list {
        state.session.remember(&facts.path);
        state.image_queue = None;
    }
    state.slide = slide;
    state.view.open(facts);
    state.overlay.clear();
    state.informative.ranked = None;
    state.review.clear();
    state.notices.dismiss_errors();
    state.dialogs.export_folder.clear();
    state.dialogs.path_text.clear();
    let kinds = [JobKind::Analyze, JobKind::JudgePatches];
    let runs = kinds.into_iter().filter_map(|kind| state.jobs.of_kind(kind));
    let stops: Vec<Effect> = runs.map(|job| Effect::CancelJob(job.id)).collect();
    let stops = stops.into_iter().chain([Effect::OpenJournal, Effect::SaveSession]);
    stops.chain(next_of_list(state)).collect()
}

fn analyzed(
    state: &mut State,
    generation: u64,
    result: Arc<SlideResult>,
    layers: Vec<Layer>,
) -> Vec<Effect> {
    if generation != state.view.generation {
        return Vec::new();
    }
    state.overlay.open(result, layers);
    state.overlay.restore_thresholds(state.review.review.thresholds());
    count_run(state);
    std::iter::once(Effect::ReadLayers).chain(next_of_list(state)).collect()
}

/// The next model of a list of images is run on the one in sight.
fn next_of_list(state: &State) -> Option<Effect> {
    let queue = state.image_queue.as_ref()?;
    let path = &state.view.facts.as_ref()?.path;
    let model = queue.next_model().filter(|_| queue.is_at(path))?;
    Some(Effect::Analyze(Box::new(model.clone())))
}

/// Notes that a model of the list has been run, if it is the one whose result is shown.
fn count_run(state: &mut State) {
    let sha256 = state.overlay.result.as_ref().and_then(|it| it.provenance.get("weights_sha256"));
    if let Some(queue) = &mut state.image_queue
        && queue.next_model().map(|it| &it.manifest.weights_sha256) == sha256
    {
        queue.n_run += 1;
        if 1 < queue.n_run {
            let comparison = Comparison::new(LayerKind::Earlier, ComparisonWay::SideBySide);
            state.overlay.comparison = Some(comparison);
        }
    }
}

fn patches_judged(state: &mut State, generation: u64, ranked: Ranked) {
    if generation == state.view.generation {
        state.informative.ranked = Some(ranked);
    }
}

/// Takes in what was seen if its result is still there.
fn bands_seen(
    state: &mut State,
    result: &Arc<SlideResult>,
    figures: BandFigures,
    layers: Vec<Layer>,
) -> Vec<Effect> {
    if state.overlay.result.as_ref().is_none_or(|shown| !Arc::ptr_eq(shown, result)) {
        return Vec::new();
    }
    state.overlay.take_bands(figures, layers);
    vec![Effect::ReadLayers]
}

/// Shows what was kept of the slide, and says so if its last session ended badly.
fn journal_opened(state: &mut State, generation: u64, kept: Kept) -> Vec<Effect> {
    if generation != state.view.generation {
        return Vec::new();
    }
    let Kept { review, keeper, keeping, has_crashed } = kept;
    let n = review.annotations().len();
    if let Keeping::Off(reason) = &keeping {
        state.notices.error(format!("Annotations can only be looked at: {reason}"));
    } else if has_crashed {
        let text = "The last session on this slide ended unexpectedly; nothing of it is lost";
        state.notices.done(format!("{text}: {n} annotations are back"));
    }
    state.overlay.restore_thresholds(review.thresholds());
    let status = review.status();
    state.review.open(review, keeper, keeping);
    let Some(facts) = &state.view.facts else { return Vec::new() };
    let known = state.session.reviews.get(&facts.path).copied().unwrap_or_default();
    if known == status {
        return Vec::new();
    }
    state.session.set_status(&facts.path, status);
    vec![Effect::SaveSession]
}

/// Without a file dialog on this system the answer is an immediate "nothing": offer the path field.
fn slide_picked(state: &mut State, picked: Picked) -> Vec<Effect> {
    match picked {
        Picked::Path(path) => vec![Effect::OpenSlide(path)],
        Picked::Nothing => Vec::new(),
        Picked::NoDialog => {
            state.dialogs.open = Dialog::OpenPath;
            Vec::new()
        }
    }
}

/// Writes what was picked into a field of a dialog.
fn fill_in(
    state: &mut State,
    picked: Picked,
    without_dialog: &str,
    field: fn(&mut Dialogs) -> &mut String,
) {
    if let Some(path) = path_of(state, picked, without_dialog) {
        *field(&mut state.dialogs) = text(&path);
    }
}

fn training_folder_picked(state: &mut State, picked: Picked) -> Vec<Effect> {
    let Some(path) = path_of(state, picked, NO_FOLDER_DIALOG) else { return Vec::new() };
    crate::command::apply(state, TrainingCommand::TakeFolder(path).into())
}

fn run_picked(state: &mut State, picked: Picked) -> Vec<Effect> {
    let Some(path) = path_of(state, picked, NO_RUN_DIALOG) else { return Vec::new() };
    state.training.open_text = path.display().to_string();
    crate::command::apply(state, TrainingCommand::OpenRun.into())
}

/// What was picked, unless nothing was; without a dialog it is said what to do instead.
fn path_of(state: &mut State, picked: Picked, without_dialog: &str) -> Option<PathBuf> {
    match picked {
        Picked::Path(path) => Some(path),
        Picked::Nothing => None,
        Picked::NoDialog => {
            state.notices.error(without_dialog);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{QueueCommand, samples};
    use crate::state::image_queue::{ImageList, ImageQueue, Origin, Stop};
    use crate::state::layer::Readout;
    use crate::state::training::run_view::Standing;
    use crate::state::training::samples as samples_of_training;

    fn running(kind: JobKind) -> RunningJob {
        RunningJob::new(JobId(5), kind, String::new(), Instant::now())
    }

    #[test]
    fn a_result_for_a_slide_that_is_gone_is_dropped() {
        let mut state = samples::state();
        let stale = state.view.generation - 1;
        let overlay = samples::overlay(false);
        let (result, layers) = (overlay.result.unwrap(), overlay.layers);
        assert!(analyzed(&mut state, stale, Arc::clone(&result), layers.clone()).is_empty());
        assert!(state.overlay.result.is_none());
        let current = state.view.generation;
        let effects = analyzed(&mut state, current, result, layers);
        assert!(matches!(effects[..], [Effect::ReadLayers]));
        assert_eq!(state.overlay.layer().unwrap().threshold.get(), 0.4);
    }

    #[test]
    fn a_second_slide_stops_the_run_and_takes_the_heatmap_away() {
        let mut state = samples::state();
        state.overlay = samples::overlay(false);
        state.jobs.running.push(running(JobKind::Analyze));
        let effects = slide_opened(&mut state, None, samples::facts());
        assert!(matches!(
            effects[..],
            [Effect::CancelJob(JobId(5)), Effect::OpenJournal, Effect::SaveSession]
        ));
        assert!(state.overlay.result.is_none());
        assert_eq!(state.session.recent, [PathBuf::from("/slides/sample.svs")]);
    }

    #[test]
    fn figures_reach_the_layers_that_they_are_of() {
        let mut state = samples::state();
        state.overlay = samples::overlay(false);
        let refined = |state: &State| {
            let mut layers = state.overlay.layers.iter();
            layers.find(|layer| layer.kind == LayerKind::Refined).unwrap().clone()
        };
        assert!(refined(&state).readout.is_none());
        let heatmap = refined(&state).heatmap;
        let readout = Arc::new(Readout::of(&heatmap, &samples::tissue()));
        let read = Box::new(Outcome::LayersRead(vec![(heatmap, readout)]));
        receive(&mut state, JobEvent::Done(JobId(1), read));
        assert!(refined(&state).readout.is_some());
    }

    #[test]
    fn bands_of_a_result_that_is_gone_are_dropped() {
        let mut state = samples::state();
        state.overlay = samples::overlay(false);
        let with_bands = samples::overlay_with_bands();
        let (figures, layers) = (with_bands.bands.unwrap(), with_bands.layers[1..7].to_vec());
        let before = state.overlay.layers.len();
        let another = with_bands.result.unwrap();
        assert!(bands_seen(&mut state, &another, figures.clone(), layers.clone()).is_empty());
        assert_eq!((state.overlay.layers.len(), state.overlay.bands.is_some()), (before, false));
        let shown = state.overlay.result.clone().unwrap();
        let effects = bands_seen(&mut state, &shown, figures, layers);
        assert!(matches!(effects[..], [Effect::ReadLayers]));
        assert!(state.overlay.bands.is_some() && before < state.overlay.layers.len());
    }

    #[test]
    fn a_failure_is_told_once_and_leaves_the_slide_open() {
        let mut state = samples::state();
        state.jobs.running.push(running(JobKind::OpenSlide));
        receive(&mut state, JobEvent::Failed(JobId(5), "damaged file".to_owned()));
        assert!(state.jobs.running.is_empty() && state.view.facts.is_some());
        assert_eq!(state.notices.shown.len(), 1);
    }

    #[test]
    fn a_stopped_job_leaves_without_a_message() {
        let mut state = samples::state();
        state.jobs.running.push(running(JobKind::Analyze));
        receive(&mut state, JobEvent::Cancelled(JobId(5)));
        assert!(state.jobs.running.is_empty() && state.notices.shown.is_empty());
    }

    #[test]
    fn no_file_dialog_leads_to_the_path_field() {
        let mut state = State::default();
        let picked = Box::new(Outcome::SlidePicked(Picked::NoDialog));
        receive(&mut state, JobEvent::Done(JobId(1), picked));
        assert_eq!(state.dialogs.open, Dialog::OpenPath);
    }

    #[test]
    fn what_is_dropped_on_a_plan_is_its_folder_or_is_opened() {
        let mut state = State { training: samples_of_training::training(), ..samples::state() };
        let dropped = |is_labelled_folder| Outcome::DroppedSeen {
            path: "/data/set.2".into(),
            is_labelled_folder,
        };
        let effects = finish(&mut state, dropped(true));
        assert!(
            matches!(&effects[..], [Effect::CheckFolder(plan)] if plan.folder == Path::new("/data/set.2"))
        );
        let effects = finish(&mut state, dropped(false));
        assert!(matches!(&effects[..], [Effect::OpenSlide(_)]));
    }

    #[test]
    fn an_image_of_a_list_is_analyzed_by_its_model_and_not_kept_among_recent_slides() {
        let mut state = State { training: samples_of_training::training(), ..samples::state() };
        state.training.run = Some(samples_of_training::examined_run());
        let open = QueueCommand::Open { origin: Origin::Report, list: 0, at: 0 };
        crate::command::apply(&mut state, open.into());
        let facts = SlideFacts { path: "/data/1.png".into(), ..samples::facts() };
        let effects = slide_opened(&mut state, None, facts);
        let [Effect::OpenJournal, Effect::SaveSession, Effect::Analyze(model)] = &effects[..]
        else {
            panic!("{effects:?}")
        };
        assert_eq!(model.manifest.name, "a");
        assert!(state.session.recent.is_empty());
        slide_opened(&mut state, None, samples::facts());
        assert!(state.image_queue.is_none(), "another slide was opened");
    }

    #[test]
    fn both_models_of_a_comparison_are_run_and_shown_side_by_side() {
        let mut state = samples::state();
        let models = ["1", "2"].map(|weights| {
            let mut model = samples::model("same");
            model.manifest.weights_sha256 = weights.to_owned();
            model
        });
        let path = Some(state.view.facts.as_ref().unwrap().path.clone());
        let stops = vec![Stop { path, words: String::new() }];
        let list = ImageList { title: "", stops, models: models.to_vec() };
        state.image_queue = Some(ImageQueue::new(Arc::new(list), Origin::Comparison, 0));
        let generation = state.view.generation;
        let mut shown = |weights: &str| {
            let overlay = samples::overlay(false);
            let mut result = SlideResult::clone(overlay.result.as_ref().unwrap());
            result.provenance.insert("weights_sha256".to_owned(), weights.to_owned());
            analyzed(&mut state, generation, Arc::new(result), overlay.layers)
        };
        let effects = shown("1");
        let [Effect::ReadLayers, Effect::Analyze(next)] = &effects[..] else {
            panic!("{effects:?}")
        };
        assert_eq!(next.manifest.weights_sha256, "2");
        assert!(matches!(shown("2")[..], [Effect::ReadLayers]));
        let (_, other, comparison) = state.overlay.compared().unwrap();
        assert_eq!((other.kind, comparison.way), (LayerKind::Earlier, ComparisonWay::SideBySide));
    }

    #[test]
    fn a_training_that_was_stopped_stays_remembered() {
        let mut state = State { training: samples_of_training::training(), ..samples::state() };
        state.training.run = Some(samples_of_training::run(Standing::Running));
        state.session.training = Some(state.training.plan.clone());
        state.jobs.running.push(running(JobKind::Train));
        receive(&mut state, JobEvent::Cancelled(JobId(5)));
        assert_eq!(state.training.run.unwrap().standing, Standing::Stopped);
        assert!(state.session.training.is_some());
    }
}
