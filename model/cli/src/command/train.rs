//! `train`: a labelled folder in, a model out.

use std::collections::BTreeMap;
use std::path::Path;

use domain::progress::PauseToken;
use model::train::{
    StopReason, TrainConfig, TrainControl, TrainError, TrainEvent, TrainJob, train,
};
use serde_json::json;

use crate::Session;
use crate::args::{StageArg, TrainArgs};
use crate::console::{answer_json, say};
use crate::failure::Failure;

pub(crate) fn run(args: &TrainArgs, session: &Session) -> Result<(), Failure> {
    if args.stage == StageArg::Camseg {
        return Err(Failure::new(&"this version trains the stage `fmamil` only"));
    }
    let Session { cancel, progress } = session;
    let mut figures = BTreeMap::new();
    let mut on_event = |event: &TrainEvent| {
        if let Some(line) = in_words(event, &mut figures) {
            progress.clear();
            say(&line);
        }
    };
    let job = TrainJob {
        folder: &args.folder,
        run_dir: &args.out,
        config: config(args.config.as_deref())?,
        device: args.device.into(),
        resume: args.resume,
    };
    let control = TrainControl { progress, cancel, pause: &PauseToken::default() };
    let report = train(&job, &mut on_event, control).map_err(|error| failure(args, &error))?;
    progress.clear();
    if args.json {
        answer_json(&json!(report))?;
    }
    say(&format!("best epoch {}; model in {}", report.best_epoch, report.model_dir.display()));
    Ok(())
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

/// The settings of a file; without one the run's own or the defaults.
fn config(file: Option<&Path>) -> Result<Option<TrainConfig>, Failure> {
    let Some(file) = file else { return Ok(None) };
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::at(file)(&format!("cannot read the training configuration: {error}"))
    })?;
    let config = TrainConfig::from_json(&text).map_err(|error| {
        Failure::at(file)(&format!("the training configuration cannot be used: {error}"))
    })?;
    Ok(Some(config))
}

/// One line per epoch, said when its checkpoint is written; `figures` collects it until then.
fn in_words(event: &TrainEvent, figures: &mut BTreeMap<String, f64>) -> Option<String> {
    match event {
        TrainEvent::Started { n_train, n_val, epochs, n_parameters } => Some(format!(
            "training {n_parameters} parameters on {n_train} bags for {epochs} epochs, \
             choosing the best by {n_val} others"
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
