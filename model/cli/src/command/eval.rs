//! `eval`: a model against labels and masks.

use model::analysis::{AnalysisSettings, default_feature_cache};
use model::eval::{CompareJob, Comparison, EvalReport, EvalSettings, Rows, evaluate};
use model::registry::ModelEntry;
use model::train::validation_files;
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
    if let Some(against) = &args.against {
        return compare(args, &entry, &find_model(against)?, session);
    }
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
    finish(args, &json!(report), &in_words(&report))
}

/// Writes the report, says it in words and prints it if asked to.
fn finish(args: &EvalArgs, report: &serde_json::Value, words: &str) -> Result<(), Failure> {
    let mut bytes = serde_json::to_vec_pretty(report).map_err(|error| Failure::new(&error))?;
    bytes.push(b'\n');
    export::save(&args.out, "report", &bytes).map_err(|error| Failure::at(&args.out)(&error))?;
    say(words);
    if args.json { answer_json(report) } else { Ok(()) }
}

/// Both models on the same images.
fn compare(
    args: &EvalArgs,
    first: &ModelEntry,
    second: &ModelEntry,
    Session { cancel, progress }: &Session,
) -> Result<(), Failure> {
    let rows = match &args.run {
        Some(run) => Rows::Files(validation_files(run).map_err(|error| Failure::at(run)(&error))?),
        None => Rows::Split(args.split.map(Into::into)),
    };
    let job = CompareJob {
        folder: &args.folder,
        masks: args.masks.as_deref(),
        models: [first, second],
        rows,
        device: args.device.into(),
        feature_cache: default_feature_cache(),
    };
    let found = model::eval::compare(&job, progress, cancel)
        .map_err(|error| Failure::at(&args.folder)(&error))?;
    progress.clear();
    finish(args, &json!(found), &compared_in_words(&found))
}

fn compared_in_words(found: &Comparison) -> String {
    let (first, second) = (&found.first, &found.second);
    let (n, split) = (first.images.len(), &first.split);
    let (a, b) = (&first.model.name, &second.model.name);
    let mut lines = vec![format!("{n} images of split {split}: {a}, {b}, and what {b} gains")];
    for it in &found.differences {
        let interval =
            it.interval.map_or(String::new(), |[low, high]| format!(" ({low:+.3} to {high:+.3})"));
        let (title, first, second) = (it.first.metric.title(), it.first.value, it.second.value);
        lines.push(format!("{title}: {first:.3}, {second:.3}, {:+.3}{interval}", it.difference));
    }
    let notes = first.notes.iter().chain(&second.notes);
    lines.extend(notes.map(|note| format!("note: {note}")));
    lines.join("\n")
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
