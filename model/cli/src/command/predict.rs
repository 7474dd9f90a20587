//! `predict`: a model over slides. One slide that fails does not stop the others.

use std::path::{Path, PathBuf};

use domain::heatmap::Heatmap;
use domain::mask::BinaryThreshold;
use domain::pixels::Pixels;
use model::analysis::{Analysis, AnalysisSettings, AnalyzeError, analyze, default_feature_cache};
use model::registry::ModelEntry;
use serde_json::{Value, json};
use slide::Slide;
use slide::export::{self, Caution, ExportFormat, ExportRequest, FrameChoice, Names, SlideFacts};

use super::{find_model, open_slide, recommended_threshold};
use crate::Session;
use crate::args::{FormatArg, PredictArgs};
use crate::console::{answer_json, say};
use crate::failure::Failure;

pub(crate) fn run(args: &PredictArgs, session: &Session) -> Result<(), Failure> {
    let formats = FormatArg::to_export_with_record(&args.format);
    let entry = find_model(&args.model)?;
    let recommended = |refine: bool| recommended_threshold(&entry, refine);
    let cut = |asked: Option<f32>, refine: bool| -> Result<BinaryThreshold, Failure> {
        Ok(BinaryThreshold::clamped(asked.map_or_else(|| recommended(refine), Ok)?))
    };
    let refined_threshold = args.refine.then(|| cut(args.refined_threshold, true)).transpose()?;
    let run = Run {
        threshold: cut(args.threshold, false)?,
        refined_threshold,
        settings: AnalysisSettings {
            device: args.device.into(),
            feature_cache: default_feature_cache(),
            refine: args.refine,
            refined_pyramid: None,
            map: args.map.map(Into::into),
            further_maps: Vec::new(),
            fineness: args.fineness.into(),
            preselect: args.preselect.map(|percent| percent / 100.0),
        },
        entry,
        out: &args.out,
        formats: &formats,
        frame: args.frame.into(),
        session,
    };
    prepare(&args.out)?;
    let names = Names::new(&args.out, &formats);
    let mut names = if args.refine { names.with_refined() } else { names };
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
    /// Of the refined map, where that is asked for.
    refined_threshold: Option<BinaryThreshold>,
    out: &'a Path,
    formats: &'a [ExportFormat],
    frame: FrameChoice,
    session: &'a Session,
}

impl Run<'_> {
    /// Analyzes and exports one slide; returns its entry of the summary.
    fn one(&self, path: &Path, names: &mut Names<'_>) -> Result<Value, Failure> {
        let slide = open_slide(path)?;
        let Session { cancel, progress } = self.session;
        let stem = names.stem_for(path, slide.id());
        let refined_stem = export::refined_stem(&stem);
        let settings = AnalysisSettings {
            refined_pyramid: self.pyramid(&refined_stem),
            ..self.settings.clone()
        };
        let analysis = analyze(&slide, &self.entry, &settings, progress, cancel).map_err(
            |error| match error {
                AnalyzeError::Export(error) => Failure::at(self.out)(&error),
                error => Failure::at(path)(&error),
            },
        )?;
        progress.clear();
        let write = |request: &ExportRequest<'_>, stem: &str| {
            let files =
                export::write_bundle(request, self.out, stem, self.formats, (progress, cancel))
                    .map_err(|error| Failure::at(self.out)(&error))?;
            let record = export::record(request);
            say(&in_words(path, &record));
            Ok(with_files(record, path, &files))
        };
        let thumbnail = self.thumbnail(&slide, path)?;
        let thumbnail = thumbnail.as_ref();
        let request =
            self.request(&slide, &analysis, (&analysis.heatmap, self.threshold), thumbnail);
        let mut result = write(&request, &stem)?;
        if let Some(refined) = analysis.refined.as_ref().zip(self.refined_threshold) {
            say("refined:");
            let request = self.request(&slide, &analysis, refined, thumbnail);
            let mut refined = write(&request, &refined_stem)?;
            if let (Some(file), Some(files)) =
                (settings.refined_pyramid, refined["files"].as_array_mut())
            {
                files.push(Value::from(file.display().to_string()));
            }
            result["refined"] = refined;
        }
        Ok(result)
    }

    /// Where the pyramid of the refined map goes, if TIFF files are wanted.
    fn pyramid(&self, refined_stem: &str) -> Option<PathBuf> {
        let is_wanted = self.settings.refine && self.formats.contains(&ExportFormat::HeatmapTiff);
        is_wanted.then(|| self.out.join(format!("{refined_stem}.tif")))
    }

    /// The slide for a report, if one is wanted.
    fn thumbnail(&self, slide: &Slide, path: &Path) -> Result<Option<Pixels>, Failure> {
        let is_wanted = self.formats.iter().any(|format| format.needs_thumbnail());
        let read = is_wanted.then(|| export::thumbnail(slide)).transpose();
        read.map_err(|error| Failure::at(path)(&error))
    }

    fn request<'a>(
        &'a self,
        slide: &Slide,
        analysis: &'a Analysis,
        (heatmap, threshold): (&'a Heatmap, BinaryThreshold),
        thumbnail: Option<&'a Pixels>,
    ) -> ExportRequest<'a> {
        ExportRequest {
            slide: SlideFacts::of(slide),
            heatmap,
            annotations: None,
            thumbnail,
            frame: self.frame,
            tissue: Some(&analysis.tissue),
            threshold,
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
