//! `train`: a labelled folder in, a model out.

use domain::progress::PauseToken;
use model::camseg::{CamsegConfig, CamsegJob, train_camseg};
use model::encoder::named;
use model::threads::on_the_pool;
use model::train::{
    TrainConfig, TrainControl, TrainError, TrainEvent, TrainJob, TrainReport, train,
};
use serde_json::json;

use super::settings::{changed, changes};
use super::{find_model, narrate, training_failure};
use crate::Session;
use crate::args::{StageArg, TrainArgs};
use crate::console::{answer_json, say};
use crate::failure::Failure;

pub(crate) fn run(args: &TrainArgs, session: &Session) -> Result<(), Failure> {
    let report = on_the_pool(|| match args.stage {
        StageArg::Fmamil => fmamil(args, session, &mut narrate(session)),
        StageArg::Camseg => camseg(args, session, &mut narrate(session)),
    })?;
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
        watched: None,
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

fn failure(args: &TrainArgs, error: &TrainError) -> Failure {
    training_failure(&args.folder, &args.out, args.resume, error)
}

/// What was asked for; `None` for the run's own settings or the defaults.
fn stage_1_settings(args: &TrainArgs) -> Result<Option<TrainConfig>, Failure> {
    let patches = changes(args.config.as_deref(), &args.changes)?;
    let is_usual = args.preset.is_none() && args.start_from.is_none() && args.encoder.is_none();
    if patches.is_empty() && is_usual {
        return Ok(None);
    }
    let usual = args.preset.map_or_else(TrainConfig::shipped, |it| TrainConfig::of(it.into()));
    let base = match args.start_from.as_deref() {
        Some(name) => usual.starting_from(&find_model(name)?).map_err(|it| Failure::new(&it))?,
        None => usual,
    };
    let base = match args.encoder.as_deref() {
        Some(name) => base.described_by(&named(name).map_err(|it| Failure::new(&it))?),
        None => base,
    };
    changed(base, patches, |base, patch| base.changed(patch)).map(Some)
}

/// As [`stage_1_settings`], for stage 2.
fn stage_2_settings(args: &TrainArgs) -> Result<Option<CamsegConfig>, Failure> {
    let patches = changes(args.config.as_deref(), &args.changes)?;
    if args.start_from.is_some() || args.encoder.is_some() {
        let problem = "--start-from and --encoder are for stage fmamil; stage camseg takes --model";
        return Err(Failure::new(&problem));
    }
    if patches.is_empty() && args.preset.is_none() {
        return Ok(None);
    }
    let base = args.preset.map_or_else(CamsegConfig::paper, |it| CamsegConfig::of(it.into()));
    changed(base, patches, |base, patch| base.changed(patch)).map(Some)
}
