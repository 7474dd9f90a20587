//! Small panels for tests.

use std::path::PathBuf;
use std::sync::Arc;

use model::data::check::FolderSurvey;
use model::data::folder::{LabelledImage, Split};
use model::data::{Finding, Remedy};
use model::train::{Stage, StopReason, TrainEvent, TrainReport};

use super::TrainingState;
use super::run_view::{RunView, Standing};

/// A checked folder of eight images of which one has to be left out, and a run folder.
pub(crate) fn training() -> TrainingState {
    let image = |i: usize| LabelledImage {
        path: PathBuf::from(format!("/data/{i}.png")),
        file: format!("{i}.png"),
        is_positive: i.is_multiple_of(2),
        patient: format!("P{i}"),
        split: None,
    };
    let finding = |what: &str, done: &str, remedy| Finding {
        what: what.to_owned(),
        done: done.to_owned(),
        remedy,
    };
    let survey = FolderSurvey {
        findings: vec![
            finding("8.png: no picture", "the image is left out", Remedy::LeaveOut),
            finding("Few images validate", "figures are rough", Remedy::Note),
        ],
        images: (0..8).map(image).collect(),
        splits: [[Split::Train; 4], [Split::Val; 4]].concat(),
        n_corrected: 0,
        fingerprint: String::new(),
    };
    TrainingState {
        is_open: true,
        folder_text: "/data".to_owned(),
        run_text: "/runs/data-1".to_owned(),
        survey: Some(Arc::new(survey)),
        ..TrainingState::default()
    }
}

/// A run of three epochs of which two are done.
pub(crate) fn run(standing: Standing) -> RunView {
    let mut view = RunView::new(PathBuf::from("/runs/data-1"), Stage::Fmamil, 3, standing);
    view.device = Some("CPU");
    for epoch in 1..=2 {
        let loss = 1.0 / epoch as f64;
        view.take(&TrainEvent::Epoch { epoch, loss, bag_loss: 0.2, instance_loss: 0.3 });
        for (name, value) in [("val_auc", 0.7), ("val_auc_low", 0.6), ("val_auc_high", 0.8)] {
            view.take(&TrainEvent::Metric { epoch, name: name.to_owned(), value });
        }
        view.take(&TrainEvent::Checkpoint { epoch, is_best: true });
    }
    view
}

pub(crate) fn report() -> TrainReport {
    let metrics =
        [("val_accuracy", 0.8), ("val_auc", 0.9), ("val_auc_low", 0.7), ("val_auc_high", 1.0)];
    TrainReport {
        best_attempt: 1,
        best_epoch: 2,
        n_epochs: 3,
        stopped: StopReason::Finished,
        metrics: metrics.map(|(name, value)| (name.to_owned(), value)).into(),
        model_dir: PathBuf::from("/runs/data-1/model"),
    }
}
