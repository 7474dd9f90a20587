//! The frequency lens: what it has found of the model, whose maps are layers like any others, and the bands of the visible
//! field.

use std::sync::Arc;

use domain::bands::BandEdges;
use domain::coords::{Level0Rect, LevelRect};
use domain::id::{LevelIndex, TileKey};
use model::lens::Band;
use model::lens::filter_curve::FilterCurve;
use model::lens::model_bands::Heard;
use model::lens::radial_spectrum::RadialSpectrum;
use render::frame::{BandFrame, BandPicture};
use slide::Channel;

/// Width of the transitions on screen, relative to Nyquist: hard ones ring.
const SOFT: f64 = 0.1;

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

/// A part of the slide that is taken apart, and how.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    /// Of the slide.
    pub(crate) generation: u64,
    /// How its channels are shown, and the number of that look.
    pub(crate) channels: Arc<[Channel]>,
    pub(crate) look: u64,
    pub(crate) is_color_corrected: bool,
    /// In pixels of its level.
    pub(crate) rect: LevelRect,
    pub(crate) area: Level0Rect,
    /// What covers it.
    pub(crate) tiles: Vec<TileKey>,
    pub(crate) edges: BandEdges,
}

/// A field's bands.
#[derive(Clone, Debug)]
pub(crate) struct SeenBands {
    pub(crate) field: Field,
    /// Each with its amplitude.
    pub(crate) bands: Vec<(Band, Arc<BandPicture>, f32)>,
}

/// The bands of the picture.
#[derive(Clone, Debug)]
pub(crate) struct PictureLens {
    /// Which one is shown; `None` shows the picture.
    pub(crate) band: Option<Band>,
    pub(crate) edges: BandEdges,
    /// What was asked for last.
    pub(crate) asked: Option<Field>,
    pub(crate) seen: Option<SeenBands>,
    /// The spectrum of the patch under the pointer is shown.
    pub(crate) is_spectrum_shown: bool,
    /// The patch whose spectrum was asked for last.
    pub(crate) patch_asked: Option<Patch>,
    pub(crate) spectrum: Option<Arc<RadialSpectrum>>,
}

/// A square of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patch {
    /// Of the slide.
    pub(crate) generation: u64,
    pub(crate) level: LevelIndex,
    pub(crate) rect: LevelRect,
}

impl Default for PictureLens {
    fn default() -> Self {
        let edges = BandEdges { soft: SOFT, ..BandEdges::default() };
        Self {
            band: None,
            edges,
            asked: None,
            seen: None,
            is_spectrum_shown: false,
            patch_asked: None,
            spectrum: None,
        }
    }
}

impl PictureLens {
    /// What to draw over the tiles of the slide of that generation. The low band is drawn as it is; the others, which lie around 0,
    /// around gray and up to their amplitude.
    pub(crate) fn frame(&self, generation: u64) -> Option<BandFrame> {
        let shown = self.band?;
        let seen = self.seen.as_ref().filter(|seen| seen.field.generation == generation)?;
        let (_, picture, amplitude) = seen.bands.iter().find(|(band, ..)| *band == shown)?;
        let picture = Arc::clone(picture);
        Some(match shown {
            Band::Low => BandFrame { picture, gain: 1.0, offset: 0.0 },
            Band::Mid | Band::High => BandFrame { picture, gain: 0.5 / amplitude, offset: 0.5 },
        })
    }
}
