//! `train`: a labelled folder in, a model out.

use std::collections::BTreeMap;
use std::path::Path;

use model::train::{StopReason, TrainConfig, TrainEvent, train_fmamil};
use serde_json::json;

use crate::Session;
use crate::args::{StageArg, TrainArgs};
use crate::console::{answer_json, say};
use crate::failure::Failure;

pub(crate) fn run(args: &TrainArgs, session: &Session) -> Result<(), Failure> {
    if args.stage == StageArg::Camseg {
        return Err(Failure::new(&"this version trains the stage `fmamil` only"));
    }
    let config = config(args.config.as_deref())?;
    let Session { cancel, progress } = session;
    let mut figures = BTreeMap::new();
    let mut on_event = |event: &TrainEvent| {
        if let Some(line) = in_words(event, &mut figures) {
            progress.clear();
            say(&line);
        }
    };
    let device = args.device.into();
    let report =
        train_fmamil(&args.folder, &args.out, &config, device, &mut on_event, progress, cancel)
            .map_err(|error| Failure::at(&args.folder)(&error))?;
    progress.clear();
    if args.json {
        answer_json(&json!(report))?;
    }
    if report.stopped == StopReason::Cancelled {
        return Err(Failure::new(&"cancelled"));
    }
    say(&format!("best epoch {}; model in {}", report.best_epoch, report.model_dir.display()));
    Ok(())
}

fn config(file: Option<&Path>) -> Result<TrainConfig, Failure> {
    let Some(file) = file else { return Ok(TrainConfig::shipped()) };
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::at(file)(&format!("cannot read the training configuration: {error}"))
    })?;
    TrainConfig::from_json(&text).map_err(|error| {
        Failure::at(file)(&format!("the training configuration cannot be used: {error}"))
    })
}

/// One line per epoch, said when its checkpoint is written; `figures` collects it until then.
fn in_words(event: &TrainEvent, figures: &mut BTreeMap<String, f64>) -> Option<String> {
    match event {
        TrainEvent::Started { n_train, n_val, epochs, n_parameters } => Some(format!(
            "training {n_parameters} parameters on {n_train} bags for {epochs} epochs, \
             choosing the best by {n_val} others"
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
