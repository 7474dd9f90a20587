//! `eval`: a model against labels and masks.

use model::analysis::{AnalysisSettings, default_feature_cache};
use model::eval::{EvalReport, EvalSettings, evaluate};
use serde_json::json;
use slide::export;

use super::{find_model, recommended_threshold};
use crate::Session;
use crate::args::EvalArgs;
use crate::console::{answer_json, say};
use crate::failure::Failure;

pub(crate) fn run(args: &EvalArgs, session: &Session) -> Result<(), Failure> {
    let entry = find_model(&args.model)?;
    // Tried first: nobody should wait for a report that cannot be kept.
    export::stage(&args.out, "report", b"{}").map_err(|error| Failure::at(&args.out)(&error))?;
    recommended_threshold(&entry, args.refine)?;
    let analysis = AnalysisSettings {
        device: args.device.into(),
        feature_cache: default_feature_cache(),
        refine: args.refine,
        refined_pyramid: None,
        map: args.map.map(Into::into),
        further_maps: Vec::new(),
        fineness: args.fineness.into(),
        preselect: None,
    };
    let settings = EvalSettings {
        analysis,
        split: args.split.map(Into::into),
        threshold: args.threshold,
        without_baselines: args.no_baselines,
    };
    let Session { cancel, progress } = session;
    let masks = args.masks.as_deref();
    let report = evaluate(&args.folder, masks, &entry, &settings, progress, cancel)
        .map_err(|error| Failure::at(&args.folder)(&error))?;
    progress.clear();
    let mut bytes = serde_json::to_vec_pretty(&report).map_err(|error| Failure::new(&error))?;
    bytes.push(b'\n');
    export::save(&args.out, "report", &bytes).map_err(|error| Failure::at(&args.out)(&error))?;
    say(&in_words(&report));
    if args.json { answer_json(&json!(report)) } else { Ok(()) }
}

fn in_words(report: &EvalReport) -> String {
    let labels = &report.classification;
    let auc = match (labels.auc, labels.auc_interval) {
        (Some(auc), Some([low, high])) => format!("{auc:.3} ({low:.3} to {high:.3})"),
        _ => "not defined".to_owned(),
    };
    let mut lines = vec![format!(
        "{} images ({} positive) of split {}: AUC {auc}, accuracy {:.3}",
        report.n_images, report.n_positive, report.split, labels.accuracy
    )];
    if let Some(pixels) = report.segmentation.map(|it| it.pooled) {
        lines.push(format!(
            "at t = {}: mIoU {:.3}, Dice {:.3}, specificity {:.3}",
            report.threshold, pixels.miou, pixels.dice, pixels.specificity
        ));
    }
    lines.extend(report.notes.iter().map(|note| format!("note: {note}")));
    lines.join("\n")
}
