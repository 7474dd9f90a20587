//! `train`: a labelled folder in, a model out.

use std::path::Path;

use domain::progress::PauseToken;
use model::camseg::{CamsegConfig, CamsegJob, train_camseg};
use model::train::{
    Narrator, TrainConfig, TrainControl, TrainError, TrainEvent, TrainJob, TrainReport, train,
};
use serde_json::{Value, json};

use super::find_model;
use crate::Session;
use crate::args::{StageArg, TrainArgs};
use crate::console::{answer_json, say};
use crate::failure::Failure;

pub(crate) fn run(args: &TrainArgs, session: &Session) -> Result<(), Failure> {
    let mut narrator = Narrator::default();
    let mut on_event = |event: &TrainEvent| {
        if let Some(line) = narrator.line(event) {
            session.progress.clear();
            say(&line);
        }
    };
    let report = match args.stage {
        StageArg::Fmamil => fmamil(args, session, &mut on_event),
        StageArg::Camseg => camseg(args, session, &mut on_event),
    }?;
    session.progress.clear();
    if args.json {
        let mut answer = json!(report);
        answer["device"] = json!(args.device.name());
        answer_json(&answer)?;
    }
    say(&format!("best epoch {}; model in {}", report.best_epoch, report.model_dir.display()));
    Ok(())
}

/// Stage 1, from labels to heatmaps.
fn fmamil(
    args: &TrainArgs,
    Session { cancel, progress }: &Session,
    on_event: &mut dyn FnMut(&TrainEvent),
) -> Result<TrainReport, Failure> {
    let job = TrainJob {
        folder: &args.folder,
        run_dir: &args.out,
        config: stage_1_settings(args)?,
        device: args.device.into(),
        resume: args.resume,
    };
    let control = TrainControl { progress, cancel, pause: &PauseToken::default() };
    train(&job, on_event, control).map_err(|error| failure(args, &error))
}

/// Stage 2, from heatmaps to sharper masks.
fn camseg(
    args: &TrainArgs,
    Session { cancel, progress }: &Session,
    on_event: &mut dyn FnMut(&TrainEvent),
) -> Result<TrainReport, Failure> {
    let Some(model) = args.model.as_deref() else {
        return Err(Failure::new(&"--stage camseg needs the --model that draws the heatmaps"));
    };
    let job = CamsegJob {
        folder: &args.folder,
        masks: args.masks.as_deref(),
        model: &find_model(model)?,
        run_dir: &args.out,
        config: stage_2_settings(args)?,
        device: args.device.into(),
        resume: args.resume,
    };
    let control = TrainControl { progress, cancel, pause: &PauseToken::default() };
    train_camseg(&job, on_event, control).map_err(|error| failure(args, &error))
}

/// Each problem of a folder is a cause of its own; a run that is there already may be meant to go on.
fn failure(args: &TrainArgs, error: &TrainError) -> Failure {
    match error {
        TrainError::Folder(problems) => {
            let causes = problems.iter().map(|problem| Failure::at(&args.folder)(problem));
            Failure::of_all(causes.collect()).unwrap_or_else(|| Failure::at(&args.folder)(error))
        }
        TrainError::Resume(_) if !args.resume => {
            Failure::at(&args.out)(&format!("{error} (--resume continues)"))
        }
        TrainError::Resume(_) | TrainError::Write(_) => Failure::at(&args.out)(error),
        _ => Failure::at(&args.folder)(error),
    }
}

/// What was asked for; `None` for the run's own settings or the defaults.
fn stage_1_settings(args: &TrainArgs) -> Result<Option<TrainConfig>, Failure> {
    let patches = patches(args)?;
    if patches.is_empty() && args.preset.is_none() && args.start_from.is_none() {
        return Ok(None);
    }
    let usual = args.preset.map_or_else(TrainConfig::shipped, |it| TrainConfig::of(it.into()));
    let base = match args.start_from.as_deref() {
        Some(name) => usual.starting_from(&find_model(name)?).map_err(|it| Failure::new(&it))?,
        None => usual,
    };
    changed(base, patches, |base, patch| base.changed(patch)).map(Some)
}

/// As [`stage_1_settings`], for stage 2.
fn stage_2_settings(args: &TrainArgs) -> Result<Option<CamsegConfig>, Failure> {
    let patches = patches(args)?;
    if args.start_from.is_some() {
        return Err(Failure::new(&"--start-from is for stage fmamil; stage camseg takes --model"));
    }
    if patches.is_empty() && args.preset.is_none() {
        return Ok(None);
    }
    let base = args.preset.map_or_else(CamsegConfig::paper, |it| CamsegConfig::of(it.into()));
    changed(base, patches, |base, patch| base.changed(patch)).map(Some)
}

/// Changes to the settings in their order, each with the file it is from.
fn patches(args: &TrainArgs) -> Result<Vec<(Option<&Path>, Value)>, Failure> {
    let mut patches = Vec::new();
    if let Some(file) = args.config.as_deref() {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Failure::at(file)(&format!("cannot read the training configuration: {error}"))
        })?;
        let patch =
            serde_json::from_str(&text).map_err(|error| Failure::at(file)(&refusal(&error)))?;
        patches.push((Some(file), patch));
    }
    patches.extend(args.changes.iter().map(|patch| (None, patch.clone())));
    Ok(patches)
}

fn changed<T>(
    base: T,
    patches: Vec<(Option<&Path>, Value)>,
    change: impl Fn(&T, Value) -> Result<T, serde_json::Error>,
) -> Result<T, Failure> {
    patches.into_iter().try_fold(base, |base, (file, patch)| {
        change(&base, patch).map_err(|error| match file {
            Some(file) => Failure::at(file)(&refusal(&error)),
            None => Failure::new(&refusal(&error)),
        })
    })
}

fn refusal(error: &serde_json::Error) -> String {
    format!("the training configuration cannot be used: {error}")
}
