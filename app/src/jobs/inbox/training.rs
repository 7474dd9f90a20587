//! What jobs around a training bring, into the state.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::data::check::FolderSurvey;
use model::encoder::own::EncoderNote;
use model::registry::{InstallNote, ModelEntry};
use model::train::{TrainReport, WrittenRun};
use model::wise::SourceSurvey;

use crate::command::{Effect, measure_pace, missing_picture, preview};
use crate::jobs::TrainingOutcome;
use crate::state::State;
use crate::state::training::TrainingNews;
use crate::state::training::examined::Examined;
use crate::state::training::run_view::{RunView, Standing};

/// Takes in the last word of a job; answers with what has to follow.
pub(super) fn finish(state: &mut State, outcome: TrainingOutcome) -> Vec<Effect> {
    match outcome {
        TrainingOutcome::FolderChecked { folder, survey, run_dir } => {
            return folder_checked(state, &folder, survey, run_dir);
        }
        TrainingOutcome::SourcesChecked { folder, sources, run_dir } => {
            sources_checked(state, &folder, sources, run_dir);
        }
        TrainingOutcome::PreviewRead { survey, page, seen } => {
            state.training.take_preview(&survey, page, seen);
        }
        TrainingOutcome::PaceMeasured { survey, encoder, pace } => {
            state.training.take_pace(&survey, encoder.as_deref(), pace);
        }
        TrainingOutcome::Trained { report, examined, encoder } => {
            return trained(state, report, examined, encoder);
        }
        TrainingOutcome::ReconstructionRead { run_dir, epoch, picture } => {
            let view = state.training.run.as_mut().filter(|view| view.dir == run_dir);
            view.into_iter().for_each(|view| view.reconstructions.take(epoch, picture.clone()));
        }
        TrainingOutcome::RunOpened { dir, run, examined } => {
            return run_opened(state, dir, run, examined);
        }
        TrainingOutcome::Promoted(entry) => return promoted(state, &entry),
        TrainingOutcome::EncoderKept(name) => return encoder_kept(state, name),
    }
    Vec::new()
}

/// A training that never began is not offered as an unfinished one; what another has drawn is read.
pub(super) fn news(state: &mut State, news: TrainingNews) -> Vec<Effect> {
    let is_refused = matches!(news, TrainingNews::Refused);
    state.training.take(news);
    if !is_refused {
        return missing_picture(state).into_iter().collect();
    }
    state.session.training = None;
    vec![Effect::SaveSession]
}

/// What was found in a folder that is no longer meant is dropped.
fn folder_checked(
    state: &mut State,
    folder: &Path,
    survey: FolderSurvey,
    run_dir: Option<PathBuf>,
) -> Vec<Effect> {
    if !takes_folder(state, folder, run_dir) {
        return Vec::new();
    }
    state.training.survey = Some(Arc::new(survey));
    let mut effects = preview(state);
    effects.extend(measure_pace(state));
    effects
}

/// As [`folder_checked`]; an encoder of which nothing was said is named after the folder.
fn sources_checked(
    state: &mut State,
    folder: &Path,
    sources: SourceSurvey,
    run_dir: Option<PathBuf>,
) {
    if !takes_folder(state, folder, run_dir) {
        return;
    }
    let note = proposed_encoder(state, folder, sources.n_files());
    let own = &mut state.training.plan.own_encoder;
    if *own == EncoderNote::default() {
        *own = note;
    }
    state.training.sources = Some(Arc::new(sources));
}

/// Whether a folder that was checked is still the one that is meant; its run folder is taken then if none was named.
fn takes_folder(state: &mut State, folder: &Path, run_dir: Option<PathBuf>) -> bool {
    let training = &mut state.training;
    if training.plan.folder != folder || training.folder_text.trim() != folder.to_string_lossy() {
        return false;
    }
    if let Some(run_dir) = run_dir.filter(|_| training.run_text.trim().is_empty()) {
        training.run_text = run_dir.display().to_string();
    }
    true
}

/// What an encoder learned from a folder can say about itself, under a name that is free.
fn proposed_encoder(state: &State, folder: &Path, n_files: usize) -> EncoderNote {
    let folder = folder.file_name().unwrap_or_default().to_string_lossy();
    let plain = |it: char| if it.is_ascii_alphanumeric() { it } else { '-' };
    let name = folder.chars().map(plain).collect::<String>() + "-encoder";
    let numbered = (2..).map(|i| format!("{name}-{i}"));
    let mut names = std::iter::once(name.clone()).chain(numbered);
    EncoderNote {
        name: names.find(|it| state.models.encoder(it).is_none()).unwrap_or_default(),
        title: format!("Encoder of {folder}"),
        trained_on: format!("{n_files} slides and images of {folder}"),
        ..EncoderNote::default()
    }
}

fn trained(
    state: &mut State,
    report: TrainReport,
    examined: Option<Arc<Examined>>,
    encoder: Option<EncoderNote>,
) -> Vec<Effect> {
    let training = &mut state.training;
    let n = training.survey.as_ref().map(|survey| survey.images.len());
    let trained_on = n.map_or(String::new(), |n| {
        let folder = training.plan.folder.file_name().unwrap_or_default();
        format!("{n} labelled images of {}", folder.to_string_lossy())
    });
    if let Some(view) = &mut training.run {
        view.standing = Standing::Finished(Box::new(report));
        view.examined = examined;
        training.note = InstallNote { trained_on, ..proposed_note(view) };
        training.encoder_note = encoder.unwrap_or_default();
    }
    training.is_open = true;
    state.session.training = None;
    vec![Effect::SaveSession]
}

fn run_opened(
    state: &mut State,
    dir: PathBuf,
    run: WrittenRun,
    examined: Option<Arc<Examined>>,
) -> Vec<Effect> {
    if state.training.is_under_way() {
        return Vec::new();
    }
    let standing = run.report.map_or(Standing::Stopped, |it| Standing::Finished(Box::new(it)));
    let mut view = RunView::new(dir, run.stage, run.epochs, standing);
    view.examined = examined;
    run.events.iter().for_each(|event| view.take(event));
    state.training.promoted = None;
    state.training.note = proposed_note(&view);
    state.training.encoder_note = run.encoder.unwrap_or_default();
    state.training.run = Some(view);
    missing_picture(state).into_iter().collect()
}

/// A kept model is called after its run until someone says otherwise.
fn proposed_note(view: &RunView) -> InstallNote {
    let name = view.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let proposal = view.examined.as_ref().map(|it| it.proposal.clone());
    InstallNote { name, ..proposal.unwrap_or_default() }
}

/// The model that a run became is in the list and chosen.
fn promoted(state: &mut State, entry: &ModelEntry) -> Vec<Effect> {
    let name = entry.manifest.name.clone();
    state.models.selected = Some(name.clone());
    state.training.promoted = Some(name);
    vec![Effect::ListModels]
}

/// The encoder that a run became is in the list and chosen for the next fresh start.
fn encoder_kept(state: &mut State, name: String) -> Vec<Effect> {
    state.training.plan.encoder = Some(name.clone());
    state.training.promoted = Some(name);
    vec![Effect::ListModels]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::samples;
    use crate::jobs::JobEvent;
    use crate::jobs::inbox::receive;
    use crate::state::training::samples as samples_of_training;
    use model::train::{Stage, TrainEvent};

    fn checked(state: &mut State, folder: &str) -> Vec<Effect> {
        let survey = FolderSurvey::clone(samples_of_training::training().survey.as_ref().unwrap());
        let folder = PathBuf::from(folder);
        finish(
            state,
            TrainingOutcome::FolderChecked { folder, survey, run_dir: Some("/runs/a-1".into()) },
        )
    }

    #[test]
    fn a_check_of_a_folder_that_is_no_longer_meant_is_dropped() {
        let mut state = samples::state();
        state.training.plan.folder = "/new".into();
        state.training.folder_text = "/new".to_owned();
        assert!(checked(&mut state, "/old").is_empty());
        assert!(state.training.survey.is_none());
        let effects = checked(&mut state, "/new");
        assert!(matches!(effects[..], [Effect::PreviewBags(_), Effect::MeasurePace(_)]));
        assert_eq!(state.training.run_text, "/runs/a-1");
    }

    #[test]
    fn a_finished_training_is_no_longer_remembered_and_its_model_is_chosen() {
        let mut state = State { training: samples_of_training::training(), ..samples::state() };
        state.training.run = Some(samples_of_training::run(Standing::Running));
        state.session.training = Some(state.training.plan.clone());
        let report = samples_of_training::report();
        let effects =
            finish(&mut state, TrainingOutcome::Trained { report, examined: None, encoder: None });
        assert!(matches!(effects[..], [Effect::SaveSession]));
        assert_eq!(state.session.training, None);
        assert_eq!(state.training.note.name, "data-1");
        let effects = finish(&mut state, TrainingOutcome::Promoted(samples::model("mine")));
        assert!(matches!(effects[..], [Effect::ListModels]));
        assert_eq!(state.models.selected.as_deref(), Some("mine"));
    }

    #[test]
    fn an_encoder_of_which_nothing_was_said_is_named_after_its_folder() {
        let mut state = samples::state();
        state.models.encoders = vec![samples_of_training::encoder("my-slides-encoder")];
        state.training.plan.folder = "/my slides".into();
        state.training.folder_text = "/my slides".to_owned();
        let checked = |state: &mut State| {
            let sources = SourceSurvey::clone(&samples_of_training::sources());
            let (folder, run_dir) = ("/my slides".into(), Some("/runs/a-1".into()));
            finish(state, TrainingOutcome::SourcesChecked { folder, sources, run_dir })
        };
        assert!(checked(&mut state).is_empty());
        let note = state.training.plan.own_encoder.clone();
        assert_eq!(note.name, "my-slides-encoder-2", "the first name is taken");
        assert_eq!(note.trained_on, "9 slides and images of my slides");
        assert_eq!(note.problem(), None);
        state.training.plan.own_encoder.name = "mine".to_owned();
        checked(&mut state);
        assert_eq!(state.training.plan.own_encoder.name, "mine", "what was typed stays");
    }

    #[test]
    fn pictures_are_read_as_they_come_and_those_of_another_run_are_dropped() {
        let mut state = State { training: samples_of_training::training(), ..samples::state() };
        state.training.run = Some(samples_of_training::pretraining(Standing::Running));
        let said = TrainingNews::Said(TrainEvent::Pictured { epoch: 60 });
        let effects = receive(&mut state, JobEvent::Training(Box::new(said)));
        assert!(matches!(&effects[..], [Effect::ReadReconstruction { epoch: 60, .. }]));
        let mut read = |run_dir: &str| {
            let picture = Err("gone".to_owned());
            let run_dir = PathBuf::from(run_dir);
            finish(&mut state, TrainingOutcome::ReconstructionRead { run_dir, epoch: 60, picture });
            state.training.run.as_ref().unwrap().reconstructions.seen.as_ref().unwrap().0
        };
        assert_eq!(read("/runs/other"), 40);
        assert_eq!(read("/runs/slides-1"), 60);
    }

    #[test]
    fn a_pre_training_that_is_opened_shows_its_last_picture_and_what_it_says_of_itself() {
        let mut state = samples::state();
        let note = EncoderNote { name: "mine".to_owned(), ..EncoderNote::default() };
        let run = WrittenRun {
            stage: Stage::Pretraining,
            encoder: Some(note.clone()),
            epochs: 60,
            events: vec![TrainEvent::Pictured { epoch: 20 }, TrainEvent::Pictured { epoch: 40 }],
            report: None,
            validation: None,
        };
        let dir = PathBuf::from("/runs/x");
        let effects = finish(&mut state, TrainingOutcome::RunOpened { dir, run, examined: None });
        assert!(matches!(&effects[..], [Effect::ReadReconstruction { epoch: 40, .. }]));
        assert_eq!(state.training.encoder_note, note);
        let effects = finish(&mut state, TrainingOutcome::EncoderKept("mine".to_owned()));
        assert!(matches!(effects[..], [Effect::ListModels]));
        assert_eq!(state.training.plan.chosen_encoder(), Some("mine"));
    }

    #[test]
    fn a_training_that_was_refused_is_not_remembered() {
        let mut state = State { training: samples_of_training::training(), ..samples::state() };
        state.training.run = Some(samples_of_training::run(Standing::Running));
        state.session.training = Some(state.training.plan.clone());
        let effects = receive(&mut state, JobEvent::Training(Box::new(TrainingNews::Refused)));
        assert!(matches!(effects[..], [Effect::SaveSession]));
        assert!(state.session.training.is_none() && state.training.run.is_none());
    }
}
