//! Writing the chosen layer at its *t* as files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::progress::{CancelToken, Progress};
use slide::Slide;
use slide::export::{
    Caution, ExportError, ExportFormat, ExportRequest, FrameChoice, Names, SlideFacts, thumbnail,
    write_bundle,
};

use super::runner::Runner;
use super::{JobError, Outcome};
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::layer::Layer;
use crate::state::overlay::SlideResult;

pub(super) fn start(
    folder: PathBuf,
    (formats, frame): (BTreeSet<ExportFormat>, FrameChoice),
    state: &mut State,
    runner: &mut Runner,
) {
    let overlay = &state.overlay;
    let (Some(slide), Some(facts), Some(result), Some(layer)) = (
        state.slide.clone(),
        state.view.facts.clone(),
        overlay.result.clone(),
        overlay.layer().cloned(),
    ) else {
        return;
    };
    let title = format!("Exporting {}", facts.name());
    runner.start(state, JobKind::Export, "export", title, move |progress, cancel| {
        progress.stage("Writing files");
        cancel.check()?;
        let formats: Vec<_> = formats.into_iter().collect();
        let named = named(&facts.path, &layer);
        let stem = Names::new(&folder, &formats).stem_for(&named, slide.id());
        let paths =
            write(&slide, &result, &layer, &folder, (&stem, &formats, frame), (progress, cancel))?;
        Ok(Outcome::Exported(paths))
    });
}

/// The name that files are called after: the slide's, and that of a layer other than the CAM.
fn named(slide: &Path, layer: &Layer) -> PathBuf {
    let Some(word) = layer.kind.file_word() else { return slide.to_owned() };
    let stem = slide.file_stem().unwrap_or(slide.as_os_str()).to_string_lossy();
    PathBuf::from(format!("{stem}.{word}.layer"))
}

fn write(
    slide: &Arc<Slide>,
    result: &SlideResult,
    layer: &Layer,
    folder: &Path,
    (stem, formats, frame): (&str, &[ExportFormat], FrameChoice),
    watch: (&dyn Progress, &CancelToken),
) -> Result<Vec<PathBuf>, JobError> {
    let fit = &result.training_fit;
    let mut provenance = result.provenance.clone();
    if layer.kind.file_word().is_some() {
        provenance.insert("layer".to_owned(), layer.kind.title().to_owned());
    }
    let needs_thumbnail = formats.iter().any(|format| format.needs_thumbnail());
    let thumbnail = needs_thumbnail.then(|| thumbnail(slide)).transpose();
    let thumbnail = thumbnail.map_err(|error| {
        JobError::Failed(format!("Nothing was exported: the slide cannot be read: {error}"))
    })?;
    let request = ExportRequest {
        slide: SlideFacts::of(slide),
        heatmap: &layer.heatmap,
        annotations: None,
        thumbnail: thumbnail.as_ref(),
        frame,
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
    let failed = |error: &dyn std::fmt::Display| {
        JobError::Failed(format!("Nothing was exported: {error}: {}", folder.display()))
    };
    std::fs::create_dir_all(folder)
        .map_err(|error| failed(&format!("the folder cannot be made: {error}")))?;
    write_bundle(&request, folder, stem, formats, watch).map_err(|error| match error {
        ExportError::Cancelled(cancelled) => cancelled.into(),
        error => failed(&error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::samples;

    #[test]
    fn files_of_a_layer_bear_its_name_and_those_of_the_cam_the_slides_alone() {
        let slide = Path::new("/slides/case 7.2.svs");
        let names = samples::overlay(false)
            .layers
            .into_iter()
            .map(|layer| named(slide, &layer).file_stem().unwrap().to_string_lossy().into_owned());
        let expected = ["case 7.2.tissue", "case 7.2", "case 7.2.refined"];
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }
}
