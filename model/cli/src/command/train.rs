//! `train`: a labelled folder in, a model out.

use std::collections::BTreeMap;
use std::path::Path;

use domain::progress::PauseToken;
use model::camseg::{CamsegConfig, CamsegSources, train_camseg};
use model::train::{
    StopReason, TrainConfig, TrainControl, TrainError, TrainEvent, TrainJob, TrainReport, train,
};
use serde_json::json;

use super::find_model;
use crate::Session;
use crate::args::{StageArg, TrainArgs};
use crate::console::{answer_json, say};
use crate::failure::Failure;

pub(crate) fn run(args: &TrainArgs, session: &Session) -> Result<(), Failure> {
    let mut figures = BTreeMap::new();
    let mut on_event = |event: &TrainEvent| {
        if let Some(line) = in_words(event, &mut figures) {
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
        config: config(args.config.as_deref(), TrainConfig::from_json)?,
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
    if args.resume {
        return Err(Failure::new(&"a training of --stage camseg cannot be continued"));
    }
    let config = config(args.config.as_deref(), CamsegConfig::from_json)?;
    let config = config.unwrap_or_else(CamsegConfig::paper);
    let Some(model) = args.model.as_deref() else {
        return Err(Failure::new(&"--stage camseg needs the --model that draws the heatmaps"));
    };
    let model = find_model(model)?;
    let sources =
        CamsegSources { folder: &args.folder, masks: args.masks.as_deref(), model: &model };
    let control = TrainControl { progress, cancel, pause: &PauseToken::default() };
    train_camseg(sources, &args.out, &config, args.device.into(), on_event, control)
        .map_err(|error| failure(args, &error))
}

/// Each problem of a folder is a cause of its own; a run that is there already may be meant to go on.
fn failure(args: &TrainArgs, error: &TrainError) -> Failure {
    match error {
        TrainError::Folder(problems) => {
            let causes = problems.iter().map(|problem| Failure::at(&args.folder)(problem));
            Failure::of_all(causes.collect()).unwrap_or_else(|| Failure::at(&args.folder)(error))
        }
        TrainError::Resume(_) if !args.resume && args.stage == StageArg::Fmamil => {
            Failure::at(&args.out)(&format!("{error} (--resume continues)"))
        }
        TrainError::Resume(_) | TrainError::Write(_) => Failure::at(&args.out)(error),
        _ => Failure::at(&args.folder)(error),
    }
}

/// The settings of a file; without one the run's own or the defaults.
fn config<T>(
    file: Option<&Path>,
    parse: impl Fn(&str) -> Result<T, serde_json::Error>,
) -> Result<Option<T>, Failure> {
    let Some(file) = file else { return Ok(None) };
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::at(file)(&format!("cannot read the training configuration: {error}"))
    })?;
    let config = parse(&text).map_err(|error| {
        Failure::at(file)(&format!("the training configuration cannot be used: {error}"))
    })?;
    Ok(Some(config))
}

/// One line per epoch, said when its checkpoint is written; `figures` collects it until then.
fn in_words(event: &TrainEvent, figures: &mut BTreeMap<String, f64>) -> Option<String> {
    match event {
        TrainEvent::Started { n_train, n_val, epochs, n_parameters } => Some(format!(
            "training {n_parameters} parameters on {n_train} images or windows for {epochs} epochs, \
             with a look at {n_val} others"
        )),
        TrainEvent::Warning { text } => Some(format!("warning: {text}")),
        TrainEvent::Resumed { epoch, .. } => Some(format!("going on with epoch {epoch}")),
        TrainEvent::Restarted { attempt, seed } => Some(format!(
            "no map is faithful yet: attempt {attempt} from other first weights (seed {seed})"
        )),
        TrainEvent::Step { .. } => None,
        TrainEvent::Epoch { loss, .. } => {
            figures.clear();
            figures.insert("loss".to_owned(), *loss);
            None
        }
        TrainEvent::SegmentationEpoch { loss, changed_share, .. } => {
            figures.clear();
            figures.insert("loss".to_owned(), *loss);
            figures.insert("relabelled".to_owned(), *changed_share);
            None
        }
        TrainEvent::Metric { name, value, .. } => {
            figures.insert(name.clone(), *value);
            None
        }
        TrainEvent::Checkpoint { epoch, is_best } => {
            let figures: Vec<String> =
                figures.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
            let best = if *is_best { " (best so far)" } else { "" };
            Some(format!("epoch {epoch}: {}{best}", figures.join(", ")))
        }
        TrainEvent::Stopped { reason } => Some(match reason {
            StopReason::Finished => "all epochs are done".to_owned(),
            StopReason::EarlyStop => "stopped early: no further gain".to_owned(),
            StopReason::Cancelled => "stopped on request".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_one_line_with_its_figures() {
        let mut figures = BTreeMap::new();
        let metric = |value| TrainEvent::Metric { epoch: 2, name: "val_auc".to_owned(), value };
        let epoch = TrainEvent::Epoch { epoch: 2, loss: 0.5, bag_loss: 0.3, instance_loss: 0.2 };
        assert_eq!(in_words(&metric(0.1), &mut figures), None);
        assert_eq!(in_words(&epoch, &mut figures), None);
        assert_eq!(in_words(&metric(0.9), &mut figures), None);
        let checkpoint = TrainEvent::Checkpoint { epoch: 2, is_best: true };
        let line = in_words(&checkpoint, &mut figures).unwrap();
        assert_eq!(line, "epoch 2: loss 0.5000, val_auc 0.9000 (best so far)");
    }
}
