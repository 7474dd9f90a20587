//! The record of a result: what was found, by what, how fast, and with which cautions.

use std::time::Duration;

use domain::RESEARCH_USE_ONLY;
use domain::mask::BinaryMask;
use domain::scale::Mpp;
use serde_json::{Value, json};

use super::{ExportError, ExportRequest, SOFTWARE, frame};

pub(super) fn encode(
    request: &ExportRequest<'_>,
    mask: &BinaryMask,
    n_lesions: usize,
) -> Result<Vec<u8>, ExportError> {
    frame::pretty(&record(request, mask, n_lesions), "record")
}

pub(super) fn record(request: &ExportRequest<'_>, mask: &BinaryMask, n_lesions: usize) -> Value {
    let area_level0_px = mask.area_level0_px();
    json!({
        "slide": frame::slide(&request.slide),
        "model": request.model,
        "probability": request.probability,
        "prediction": if request.probability < 0.5 { "negative" } else { "positive" },
        "threshold": frame::plain_number(request.threshold.get()),
        "area": {
            "px": area_level0_px,
            "um2": request.slide.mpp.map(Mpp::pixel_area_um2).map(|it| it * area_level0_px),
        },
        "percent_of_tissue": request.tissue.and_then(|it| percent_of_tissue(area_level0_px, it)),
        "lesions": n_lesions,
        "outside_training_data": {
            "is_outside": request.caution.is_outside_training_data,
            "share": request.caution.outside_share,
        },
        "faithfulness": request.caution.faithfulness,
        "notes": request.caution.notes,
        "timings_s": timings(request.timings),
        "provenance": request.provenance,
        "software": SOFTWARE,
        "research_use": RESEARCH_USE_ONLY,
    })
}

/// Lesion area in percent of the tissue's, at most 100: a heatmap is smooth and may reach a little past
/// the tissue. `None` without tissue.
pub fn percent_of_tissue(lesion_level0_px: f64, tissue: &BinaryMask) -> Option<f64> {
    let tissue_level0_px = tissue.area_level0_px();
    (0.0 < tissue_level0_px).then(|| (lesion_level0_px / tissue_level0_px * 100.0).min(100.0))
}

/// Seconds by stage; a stage that ran more than once is added up.
fn timings(timings: &[(&'static str, Duration)]) -> Value {
    let mut seconds = std::collections::BTreeMap::<&str, f64>::new();
    for (stage, duration) in timings {
        *seconds.entry(stage).or_default() += duration.as_secs_f64();
    }
    json!(seconds)
}
