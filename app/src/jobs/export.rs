//! Writing the result at its *t* as files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::mask::BinaryThreshold;
use slide::Slide;
use slide::export::{Caution, ExportFormat, ExportRequest, Names, SlideFacts, write_bundle};

use super::runner::Runner;
use super::{JobError, Outcome};
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::overlay::SlideResult;

pub(super) fn start(
    folder: PathBuf,
    formats: BTreeSet<ExportFormat>,
    state: &mut State,
    runner: &mut Runner,
) {
    let (Some(slide), Some(facts), Some(result)) =
        (state.slide.clone(), state.view.facts.clone(), state.overlay.result.clone())
    else {
        return;
    };
    let threshold = state.overlay.threshold;
    let title = format!("Exporting {}", facts.name());
    runner.start(state, JobKind::Export, "export", title, move |progress, cancel| {
        progress.stage("Writing files");
        cancel.check()?;
        let formats: Vec<_> = formats.into_iter().collect();
        let stem = Names::new(&folder, &formats).stem_for(&facts.path, slide.id());
        let paths = write(&slide, &result, threshold, &folder, &stem, &formats)?;
        Ok(Outcome::Exported(paths))
    });
}

fn write(
    slide: &Arc<Slide>,
    result: &SlideResult,
    threshold: BinaryThreshold,
    folder: &Path,
    stem: &str,
    formats: &[ExportFormat],
) -> Result<Vec<PathBuf>, JobError> {
    let fit = &result.training_fit;
    let request = ExportRequest {
        slide: SlideFacts::of(slide),
        heatmap: &result.heatmap,
        tissue: Some(&result.tissue),
        threshold,
        probability: result.probability,
        model: &result.model_name,
        caution: Caution {
            is_outside_training_data: fit.is_outside,
            outside_share: fit.outside_share,
            faithfulness: result.faithfulness,
            notes: &fit.notes,
        },
        timings: &result.timings,
        provenance: &result.provenance,
    };
    let failed = |error: &dyn std::fmt::Display| {
        JobError::Failed(format!("Nothing was exported: {error}: {}", folder.display()))
    };
    std::fs::create_dir_all(folder)
        .map_err(|error| failed(&format!("the folder cannot be made: {error}")))?;
    write_bundle(&request, folder, stem, formats).map_err(|error| failed(&error))
}
