//! What the frequency lens has found of the model: figures for its panel. The maps are layers like any others.

use model::lens::Band;
use model::lens::filter_curve::FilterCurve;
use model::lens::model_bands::Heard;

/// Figures of one look, which belong to the result that is shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BandFigures {
    /// Of the positive class, with every band.
    pub(crate) probability: f64,
    /// The same with bands left out.
    pub(crate) readings: Vec<(Heard, f64)>,
    /// Each band's share of the features' energy, `0.0..=1.0`.
    pub(crate) shares: Vec<(Band, f64)>,
    /// The learned filters, block by block.
    pub(crate) filters: Vec<FilterCurve>,
}

/// A band in a sentence.
pub(crate) fn band_word(band: Band) -> &'static str {
    match band {
        Band::Low => "low",
        Band::Mid => "middle",
        Band::High => "high",
    }
}
