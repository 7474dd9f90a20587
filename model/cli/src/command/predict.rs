//! `predict`: a model over slides. One slide that fails does not stop the others.

use std::path::{Path, PathBuf};

use domain::mask::BinaryThreshold;
use model::analysis::{Analysis, AnalysisSettings, analyze, default_feature_cache};
use model::registry::ModelEntry;
use serde_json::{Value, json};
use slide::Slide;
use slide::export::{self, Caution, ExportFormat, ExportRequest, Names, SlideFacts};

use super::{find_model, open_slide, recommended_threshold};
use crate::Session;
use crate::args::{FormatArg, PredictArgs};
use crate::console::{answer_json, say};
use crate::failure::Failure;

pub(crate) fn run(args: &PredictArgs, session: &Session) -> Result<(), Failure> {
    let formats = FormatArg::to_export(&args.format);
    let entry = find_model(&args.model)?;
    let recommended = recommended_threshold(&entry, args.refine)?;
    let run = Run {
        threshold: BinaryThreshold::clamped(args.threshold.unwrap_or(recommended)),
        settings: AnalysisSettings {
            device: args.device.into(),
            feature_cache: default_feature_cache(),
            refine: args.refine,
            map: args.map.map(Into::into),
            further_maps: Vec::new(),
            fineness: args.fineness.into(),
        },
        entry,
        out: &args.out,
        formats: &formats,
        session,
    };
    prepare(&args.out)?;
    let mut names = Names::new(&args.out, &formats);
    let (mut results, mut failures) = (Vec::new(), Vec::new());
    for path in &args.slides {
        match run.one(path, &mut names) {
            Ok(result) => results.push(result),
            Err(_) if session.cancel.is_cancelled() => break,
            Err(failure) => failures.push((path, failure)),
        }
    }
    session.progress.clear();
    if args.json {
        answer_json(&summary(&results, &failures))?;
    }
    let failures = Failure::of_all(failures.into_iter().map(|(_, failure)| failure).collect());
    match failures {
        Some(failure) => Err(failure),
        None if session.cancel.is_cancelled() => Err(Failure::new(&"cancelled")),
        None => Ok(()),
    }
}

/// Makes the folder and tries to write into it, so that nobody waits for a result that cannot be kept.
fn prepare(out: &Path) -> Result<(), Failure> {
    let at_out = Failure::at(out);
    if out.exists() && !out.is_dir() {
        return Err(at_out(&"the output folder is not a folder but a file"));
    }
    std::fs::create_dir_all(out)
        .map_err(|error| at_out(&format!("cannot make the output folder: {error}")))?;
    export::stage(&out.join("results"), "results", b"results").map_err(|error| at_out(&error))?;
    Ok(())
}

/// What all slides of a run share.
struct Run<'a> {
    entry: ModelEntry,
    settings: AnalysisSettings,
    threshold: BinaryThreshold,
    out: &'a Path,
    formats: &'a [ExportFormat],
    session: &'a Session,
}

impl Run<'_> {
    /// Analyzes and exports one slide; returns its entry of the summary.
    fn one(&self, path: &Path, names: &mut Names<'_>) -> Result<Value, Failure> {
        let slide = open_slide(path)?;
        let Session { cancel, progress } = self.session;
        let analysis = analyze(&slide, &self.entry, &self.settings, progress, cancel)
            .map_err(|error| Failure::at(path)(&error))?;
        progress.clear();
        let request = self.request(&slide, &analysis);
        let stem = names.stem_for(path, slide.id());
        let files = export::write_bundle(&request, self.out, &stem, self.formats)
            .map_err(|error| Failure::at(self.out)(&error))?;
        let record = export::record(&request);
        say(&in_words(path, &record));
        Ok(with_files(record, path, &files))
    }

    fn request<'a>(&'a self, slide: &Slide, analysis: &'a Analysis) -> ExportRequest<'a> {
        ExportRequest {
            slide: SlideFacts::of(slide),
            heatmap: analysis.refined.as_ref().unwrap_or(&analysis.heatmap),
            tissue: Some(&analysis.tissue),
            threshold: self.threshold,
            probability: analysis.probability,
            model: &self.entry.manifest.name,
            caution: Caution {
                is_outside_training_data: analysis.training_fit.is_outside,
                outside_share: analysis.training_fit.outside_share,
                faithfulness: analysis.faithfulness,
                notes: &analysis.training_fit.notes,
            },
            timings: &analysis.timings,
            provenance: &analysis.provenance,
        }
    }
}

/// The record with the paths that only this run knows.
fn with_files(mut record: Value, path: &Path, files: &[PathBuf]) -> Value {
    if let Value::Object(fields) = &mut record {
        let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        fields.insert("path".to_owned(), Value::from(path.display().to_string()));
        fields.insert("files".to_owned(), Value::from(files));
    }
    record
}

fn summary(results: &[Value], failures: &[(&PathBuf, Failure)]) -> Value {
    let errors = failures.iter().map(|(path, failure)| {
        json!({ "path": path.display().to_string(), "error": failure.causes().join("; ") })
    });
    json!({ "results": results, "errors": errors.collect::<Vec<_>>() })
}

fn in_words(path: &Path, record: &Value) -> String {
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    let mut lines = vec![format!(
        "{}: probability {:.3} ({}), lesion area {:.0} px, lesions {}",
        path.display(),
        number(&record["probability"]),
        record["prediction"].as_str().unwrap_or_default(),
        number(&record["area"]["px"]),
        record["lesions"],
    )];
    let notes = record["notes"].as_array().into_iter().flatten();
    lines.extend(notes.filter_map(Value::as_str).map(|note| format!("  note: {note}")));
    lines.join("\n")
}
