//! Prepares what is known of a run's model on single images: curves once, and where the images lie now.

use std::path::Path;
use std::sync::Arc;

use model::data::folder::image_path;
use model::eval::ImageScore;
use model::registry::ModelEntry;
use model::train::WrittenRun;

use crate::state::image_queue::{ImageList, Stop};
use crate::state::training::examined::Examined;

/// What the run's `validation.json` tells; `None` for runs of earlier versions.
pub(super) fn examined(run: &WrittenRun) -> Option<Arc<Examined>> {
    let measured = run.validation.clone()?;
    let model = ModelEntry::open(&run.report.as_ref()?.model_dir).ok();
    let stops = |images: Vec<&ImageScore>| -> Vec<Stop> {
        images.into_iter().map(|image| stop(&measured.folder, image)).collect()
    };
    let wrong = stops(measured.most_wrong());
    let overlap = stops(measured.least_overlap());
    let lists = [("Most wrong labels", wrong), ("Least overlap with the masks", overlap)]
        .into_iter()
        .filter(|(_, stops)| !stops.is_empty())
        .map(|(title, stops)| {
            Arc::new(ImageList { title, stops, models: model.iter().cloned().collect() })
        });
    Some(Arc::new(Examined {
        proposal: run.proposal(),
        roc: measured.roc(),
        lists: lists.collect(),
        measured: measured.clone(),
    }))
}

/// `b/03.png: labelled positive, probability 0.12, IoU 0.40`.
fn stop(folder: &Path, image: &ImageScore) -> Stop {
    let label = if image.is_positive { "positive" } else { "negative" };
    let iou = image.iou().map_or(String::new(), |iou| format!(", IoU {iou:.2}"));
    let (file, p) = (&image.file, image.probability);
    Stop {
        path: image_path(folder, file),
        words: format!("{file}: labelled {label}, probability {p:.2}{iou}"),
    }
}
