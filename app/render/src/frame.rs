//! Everything one picture needs, as plain data.

use std::sync::Arc;

use domain::color::ColorTable;
use domain::coords::{Camera, Level0Rect, PixelSize};
use domain::heatmap::Heatmap;
use domain::id::TileKey;
use domain::mask::BinaryThreshold;
use domain::pixels::Pixels;

use crate::band_pass;

/// One display tile and where it lies.
#[derive(Clone, Debug)]
pub struct TileQuad {
    /// Its identity.
    pub key: TileKey,
    /// What it covers.
    pub area: Level0Rect,
    /// Its pixels; uploaded once, then found in the atlas by `key`.
    pub pixels: Arc<Pixels>,
    /// Another number uploads them again; until then the atlas shows what it has.
    pub revision: u64,
}

/// Colour scale of a layer. Scales are perceptually ordered, single colours from Okabe and Ito's eight; colour-blind eyes
/// tell all of them apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Colormap {
    /// Blue to yellow; the default, distinct from eosin.
    #[default]
    Cividis,
    /// Violet over green to yellow.
    Viridis,
    /// Black over purple to cream.
    Magma,
    /// Black over red to yellow.
    Inferno,
    /// One orange for every value, for masks.
    Orange,
    /// One sky blue.
    Blue,
    /// One green.
    Green,
}

/// How foreground is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OverlayStyle {
    /// Coloured area.
    Fill,
    /// Dark and light double line at *t*.
    Contour,
    /// Both.
    #[default]
    FillAndContour,
}

/// One layer of values over the slide: a heatmap or a mask.
#[derive(Clone, Debug)]
pub struct OverlayFrame {
    /// The values; uploaded when the pointer changes.
    pub heatmap: Arc<Heatmap>,
    /// Below or at it the overlay is fully clear.
    pub threshold: BinaryThreshold,
    /// `0.0..=1.0`.
    pub opacity: f32,
    /// Colour scale.
    pub colormap: Colormap,
    /// Fill, contour or both.
    pub style: OverlayStyle,
    /// Where it begins and ends across the canvas, each a share of `0.0..=1.0`; `(0.0, 1.0)` is all of it.
    pub columns: (f32, f32),
}

/// Color values of any sign over a part of the slide: one band of the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct BandPicture {
    size: PixelSize,
    area: Level0Rect,
    /// Half floats, as bits, of red, green, blue and 1.
    texels: Vec<[u16; 4]>,
}

impl BandPicture {
    /// Planes red, green and blue, each row-major, that fill `area`; `None` if there are not as many values as `size` asks for,
    /// or none at all.
    pub fn new(size: PixelSize, area: Level0Rect, planes: &[f32]) -> Option<Self> {
        let n_pixels = usize::try_from(size.area()).ok()?;
        let is_whole = n_pixels != 0 && planes.len() == 3 * n_pixels;
        let has_area = 0.0 < area.width && 0.0 < area.height;
        (is_whole && has_area).then(|| Self {
            size,
            area,
            texels: band_pass::interleaved(planes, n_pixels),
        })
    }

    /// Columns and rows.
    pub fn size(&self) -> PixelSize {
        self.size
    }

    /// What it covers.
    pub fn area(&self) -> Level0Rect {
        self.area
    }

    pub(crate) fn texels(&self) -> &[[u16; 4]] {
        &self.texels
    }
}

/// A band in place of the picture.
#[derive(Clone, Debug)]
pub struct BandFrame {
    /// The values; uploaded when the pointer changes.
    pub picture: Arc<BandPicture>,
    /// A value is drawn as `offset + gain * value`, clipped to `0.0..=1.0`.
    pub gain: f32,
    /// What 0 is drawn as.
    pub offset: f32,
}

/// Where a canvas lies in the target of a pass, in device pixels; wholly inside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CanvasPlace {
    /// Of its left edge.
    pub left: u32,
    /// Of its top edge.
    pub top: u32,
    /// Of the canvas.
    pub size: PixelSize,
}

/// One picture.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What part of the slide is seen.
    pub camera: Camera,
    /// Device pixels per window point.
    pub pixels_per_pt: f32,
    /// Grows by one with every slide that is opened: tiles of an older slide leave the atlas.
    pub slide_generation: u64,
    /// In drawing order: coarse parents first, sharp tiles last; each key at most once.
    pub tiles: Vec<TileQuad>,
    /// What the scanner's colors look like; `None` shows them as they were scanned.
    pub color_table: Option<Arc<ColorTable>>,
    /// A band of the picture over the tiles.
    pub band: Option<BandFrame>,
    /// Layers over the slide, the lowest first.
    pub overlays: Vec<OverlayFrame>,
    /// Layers over the same part of the slide on a second canvas, as large as the first; `None` where there is one canvas.
    pub beside: Option<Vec<OverlayFrame>>,
}
