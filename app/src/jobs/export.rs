//! Writing the chosen layer at its *t*, and what was kept on the slide, as files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::annotation::Annotation;
use domain::progress::{CancelToken, Progress};
use slide::Slide;
use slide::export::{
    AnnotationSheet, Caution, ExportError, ExportFormat, ExportRequest, FrameChoice, Names,
    SlideFacts, thumbnail, write_annotations, write_bundle,
};

use super::runner::Runner;
use super::{JobError, Outcome};
use crate::command::can_export;
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::layer::Layer;
use crate::state::overlay::SlideResult;

/// What is written of the open slide.
struct Export {
    slide: Arc<Slide>,
    path: PathBuf,
    /// A result and the layer that was chosen, if that is one of lesions.
    mapped: Option<(Arc<SlideResult>, Layer)>,
    /// What a person kept; `None` if nothing was ever kept.
    kept: Option<Vec<Annotation>>,
    formats: Vec<ExportFormat>,
    frame: FrameChoice,
}

pub(super) fn start(
    folder: PathBuf,
    (formats, frame): (BTreeSet<ExportFormat>, FrameChoice),
    state: &mut State,
    runner: &mut Runner,
) {
    let (Some(slide), Some(facts)) = (state.slide.clone(), state.view.facts.clone()) else {
        return;
    };
    let layer = state.overlay.layer().filter(|layer| layer.kind.is_of_lesions());
    let review = &state.review.review;
    let export = Export {
        slide,
        path: facts.path.clone(),
        mapped: state.overlay.result.clone().zip(layer.cloned()),
        kept: (!review.annotations().is_empty()).then(|| review.exported()),
        formats: formats.into_iter().filter(|format| can_export(state, *format)).collect(),
        frame,
    };
    let title = format!("Exporting {}", facts.name());
    runner.start(state, JobKind::Export, "export", title, move |progress, cancel| {
        progress.stage("Writing files");
        cancel.check()?;
        export.write(&folder, (progress, cancel)).map(Outcome::Exported)
    });
}

impl Export {
    fn write(
        &self,
        folder: &Path,
        watch: (&dyn Progress, &CancelToken),
    ) -> Result<Vec<PathBuf>, JobError> {
        let failed = |error: &dyn std::fmt::Display| {
            JobError::Failed(format!("Nothing was exported: {error}: {}", folder.display()))
        };
        std::fs::create_dir_all(folder)
            .map_err(|error| failed(&format!("the folder cannot be made: {error}")))?;
        let word = self.mapped.as_ref().and_then(|(_, layer)| layer.kind.file_word());
        let mut names = Names::new(folder, &self.formats);
        let stem = names.stem_for(&named(&self.path, word), self.slide.id());
        let written = match &self.mapped {
            Some(mapped) => self.write_mapped(mapped, (folder, &stem), watch)?,
            None => {
                let kept = self.kept.as_deref().unwrap_or_default();
                let mut sheet = AnnotationSheet::new(SlideFacts::of(&self.slide), kept);
                sheet.frame = self.frame;
                write_annotations(&sheet, folder, &stem, &self.formats, watch)
            }
        };
        written.map_err(|error| match error {
            ExportError::Cancelled(cancelled) => cancelled.into(),
            error => failed(&error),
        })
    }

    fn write_mapped(
        &self,
        (result, layer): &(Arc<SlideResult>, Layer),
        (folder, stem): (&Path, &str),
        watch: (&dyn Progress, &CancelToken),
    ) -> Result<Result<Vec<PathBuf>, ExportError>, JobError> {
        let fit = &result.training_fit;
        let mut provenance = result.provenance.clone();
        if layer.kind.file_word().is_some() {
            provenance.insert("layer".to_owned(), layer.kind.title().to_owned());
        }
        let needs_thumbnail = self.formats.iter().any(|format| format.needs_thumbnail());
        let thumbnail = needs_thumbnail.then(|| thumbnail(&self.slide)).transpose();
        let thumbnail = thumbnail.map_err(|error| {
            JobError::Failed(format!("Nothing was exported: the slide cannot be read: {error}"))
        })?;
        let request = ExportRequest {
            slide: SlideFacts::of(&self.slide),
            heatmap: &layer.heatmap,
            annotations: self.kept.as_deref(),
            thumbnail: thumbnail.as_ref(),
            frame: self.frame,
            tissue: Some(&result.tissue),
            threshold: layer.threshold,
            probability: result.probability,
            model: &result.model_name,
            caution: Caution {
                is_outside_training_data: fit.is_outside,
                outside_share: fit.outside_share,
                faithfulness: result.faithfulness,
                notes: &fit.notes,
            },
            timings: &result.timings,
            provenance: &provenance,
        };
        Ok(write_bundle(&request, folder, stem, &self.formats, watch))
    }
}

/// The name that files are called after: the slide's, and that of a layer other than the CAM.
fn named(slide: &Path, word: Option<&str>) -> PathBuf {
    let Some(word) = word else { return slide.to_owned() };
    let stem = slide.file_stem().unwrap_or(slide.as_os_str()).to_string_lossy();
    PathBuf::from(format!("{stem}.{word}.layer"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::samples;

    #[test]
    fn files_of_a_layer_bear_its_name_and_those_of_the_cam_the_slides_alone() {
        let slide = Path::new("/slides/case 7.2.svs");
        let names = samples::overlay(false).layers.into_iter().map(|layer| {
            named(slide, layer.kind.file_word()).file_stem().unwrap().to_string_lossy().into_owned()
        });
        let expected = ["case 7.2.tissue", "case 7.2", "case 7.2.refined"];
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }
}
