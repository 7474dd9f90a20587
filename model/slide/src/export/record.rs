//! The record of a result: what was found, by what, how fast, and with which cautions.

use std::time::Duration;

use domain::RESEARCH_USE_ONLY;
use domain::contour;
use domain::mask::BinaryMask;
use domain::scale::Mpp;
use domain::tissue_share::TissueShare;
use serde_json::{Value, json};

use super::{ExportError, ExportRequest, SOFTWARE, frame};

pub(super) fn encode(
    request: &ExportRequest<'_>,
    mask: &BinaryMask,
    n_lesions: usize,
) -> Result<Vec<u8>, ExportError> {
    frame::pretty(&record(request, mask, n_lesions), "record")
}

/// Lesions of the map at its *t*, whatever a person made of them.
pub(super) fn n_lesions(request: &ExportRequest<'_>) -> usize {
    contour::lesions(request.heatmap, request.threshold, 0.0).len()
}

pub(super) fn record(request: &ExportRequest<'_>, mask: &BinaryMask, n_lesions: usize) -> Value {
    let area_level0_px = mask.area_level0_px();
    let tissue = request.tissue.map(|tissue| TissueShare::new(request.heatmap, tissue));
    let share = tissue.and_then(|tissue| tissue.at(request.threshold));
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
        "percent_of_tissue": share.map(|it| 100.0 * it),
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

/// Seconds by stage; a stage that ran more than once is added up.
fn timings(timings: &[(&'static str, Duration)]) -> Value {
    let mut seconds = std::collections::BTreeMap::<&str, f64>::new();
    for (stage, duration) in timings {
        *seconds.entry(stage).or_default() += duration.as_secs_f64();
    }
    json!(seconds)
}
