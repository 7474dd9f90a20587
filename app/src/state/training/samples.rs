//! Small panels for tests.

use std::path::PathBuf;
use std::sync::Arc;

use domain::coords::{Level0Rect, PixelSize};
use domain::pixels::Pixels;
use model::data::check::FolderSurvey;
use model::data::folder::{LabelledImage, Split};
use model::data::{Finding, Remedy};
use model::encoder::EncoderEntry;
use model::eval::{
    Figure, ImageScore, MeasuredModel, Measurement, Metric, SuggestedThreshold, ThresholdRule,
};
use model::registry::InstallNote;
use model::train::{Stage, StopReason, TrainEvent, TrainReport};
use model::wise::SourceSurvey;

use super::TrainingState;
use super::examined::Examined;
use super::preview::{BagPreview, SeenBags, SeenImage};
use super::run_view::{RunView, Standing};
use crate::state::image_queue::{ImageList, Stop};
use crate::state::picture::Picture;

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

/// [`training`] before its check.
pub(crate) fn unchecked() -> TrainingState {
    TrainingState { survey: None, ..training() }
}

/// Nine slides of which one validates, with an image that is left out.
pub(crate) fn sources() -> Arc<SourceSurvey> {
    let finding = Finding {
        what: "b.png: no picture".to_owned(),
        done: "it is left out".to_owned(),
        remedy: Remedy::Note,
    };
    Arc::new(SourceSurvey { findings: vec![finding], n_train: 8, n_val: 1, n_slides: 6 })
}

/// An encoder that exists only by name; 192 values of patches of 96 px.
pub(crate) fn encoder(name: &str) -> EncoderEntry {
    EncoderEntry {
        name: name.to_owned(),
        title: format!("Encoder {name}"),
        trained_on: "colorectal biopsies, H&E".to_owned(),
        licence: "not stated".to_owned(),
        feature_dim: 192,
        input_px: Some(96),
        seen_um: Some([8.0, 16.0]),
        is_shipped: false,
    }
}

/// A pre-training of 60 epochs of which 40 are done; the newer of its two pictures is in sight.
pub(crate) fn pretraining(standing: Standing) -> RunView {
    let mut view = RunView::new(PathBuf::from("/runs/slides-1"), Stage::Pretraining, 60, standing);
    for epoch in 1..=40 {
        view.take(&TrainEvent::PretrainingEpoch { epoch, loss: 1.0 / epoch as f64 });
        if epoch % 20 == 0 {
            view.take(&TrainEvent::Metric { epoch, name: "val_loss".to_owned(), value: 0.5 });
            view.take(&TrainEvent::Pictured { epoch });
        }
        view.take(&TrainEvent::Checkpoint { epoch, is_best: false });
    }
    let sheet = Pixels::filled(PixelSize { width: 56, height: 36 }, [200, 80, 160, 255]);
    view.reconstructions.take(40, Ok(Arc::new(Picture::new(sheet))));
    view
}

/// The first image of [`training`] in six patches, of which the lower ones lie behind its edge, and one that cannot be read.
pub(crate) fn preview() -> BagPreview {
    let rect = |width: f64, height: f64| Level0Rect { x: 0.0, y: 0.0, width, height };
    let size = PixelSize { width: 25, height: 13 };
    let bags = SeenBags {
        picture: Picture::new(Pixels::filled(size, [200, 80, 160, 255])),
        frame: rect(250.0, 130.0),
        extent: rect(300.0, 200.0),
        columns: vec![0.0, 100.0, 200.0, 300.0],
        rows: vec![0.0, 100.0, 200.0],
        windows: Vec::new(),
        dimmed: vec![Level0Rect { y: 100.0, ..rect(300.0, 100.0) }],
        words: "3 x 2 patches of 100 px, 1 window".to_owned(),
        problem: None,
        notes: Vec::new(),
    };
    let broken = Err("the slide cannot be read: no picture".to_owned());
    let seen = vec![
        SeenImage { image: 0, bags: Ok(Arc::new(bags)) },
        SeenImage { image: 1, bags: broken },
    ];
    BagPreview { page: 0, seen }
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

/// A finished run with a report on four images, two of which it is wrong about.
pub(crate) fn examined_run() -> RunView {
    let probabilities = [0.9, 0.9, 0.4, 0.1];
    let image = |(i, probability): (usize, f64)| ImageScore {
        file: format!("{i}.png"),
        patient: format!("P{i}"),
        is_positive: i.is_multiple_of(2),
        probability,
        pixels: None,
    };
    let measured = Measurement {
        model: MeasuredModel {
            name: "my-model".to_owned(),
            title: "My model".to_owned(),
            weights_sha256: String::new(),
            is_refined: false,
        },
        folder: PathBuf::from("/data"),
        split: "val".to_owned(),
        images: probabilities.into_iter().enumerate().map(image).collect(),
        threshold: 0.5,
        figures: vec![Figure { metric: Metric::Auc, value: 0.75, interval: Some([0.5, 1.0]) }],
        thresholds: Vec::new(),
        suggested_thresholds: vec![SuggestedThreshold {
            rule: ThresholdRule::Otsu,
            threshold: 0.35,
            pooled: None,
        }],
        faithfulness: Some(0.8),
        notes: Vec::new(),
    };
    let stop = |image: &ImageScore| Stop {
        path: Some(PathBuf::from("/data").join(&image.file)),
        words: format!(
            "{}: labelled {}, probability {:.2}",
            image.file,
            if image.is_positive { "positive" } else { "negative" },
            image.probability
        ),
    };
    let stops = measured.most_wrong().into_iter().map(stop).collect();
    let models = vec![crate::command::samples::model("a")];
    let list = ImageList { title: "Most wrong labels", stops, models };
    let proposal = InstallNote {
        threshold: Some((0.35, "Otsu's t of the maps".to_owned())),
        ..InstallNote::default()
    };
    let examined =
        Examined { roc: measured.roc(), proposal, lists: vec![Arc::new(list)], measured };
    let standing = Standing::Finished(Box::new(report()));
    let mut view = run(standing);
    view.examined = Some(Arc::new(examined));
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
