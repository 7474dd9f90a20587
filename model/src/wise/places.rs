//! Where a slide is worth a look: patches of a low magnification, ranked by the energy of their edges (MODELS 10.1 to 10.3).
//!
//! *Model px* are pixels of the high magnification, *low px* those of the low one.

use domain::coords::{Level0Px, Level0Rect, PixelSize};
use domain::heatmap::{Heatmap, HeatmapError};
use domain::progress::{CancelToken, Progress};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use slide::{Slide, SlideError};

use super::selection::{edges, tissue};
use super::wavelet::Wavelet;
use crate::analysis::AnalyzeError;
use crate::bag::extract::read_block;
use crate::bag::grid::{PatchGrid, Window};
use crate::bag::scale::ModelScale;

/// Background behind the edge of a slide.
pub(super) const PAD_VALUE: u8 = 255;
/// Cells along a side of a patch in an overlay, so that patches have edges.
const CELLS: u32 = 8;

/// How patches are judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceConfig {
    /// Micrometers per model px.
    pub mpp: f64,
    /// Side of a tile of the high magnification, model px.
    pub tile_px: u32,
    /// Model px per low px of slides that hold several magnifications.
    pub factor: u32,
    /// Side of a patch of such slides, low px.
    pub patch_px: u32,
    /// Model px per low px of images of one magnification, whose patches are single tiles.
    pub flat_factor: u32,
    /// The filters.
    pub wavelet: Wavelet,
    /// Steps of the transform.
    pub levels: usize,
    /// Least share of a patch, `0.0..=1.0`, that must be tissue.
    pub min_tissue: f64,
}

impl Default for PlaceConfig {
    /// Patches of 224 px at a fifth of 40x, tiles of 224 px.
    fn default() -> Self {
        Self {
            mpp: 0.25,
            tile_px: 224,
            factor: 8,
            patch_px: 224,
            flat_factor: 4,
            wavelet: Wavelet::Db4,
            levels: 1,
            min_tissue: 0.25,
        }
    }
}

impl PlaceConfig {
    /// Says what is out of range, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        let Self { mpp, tile_px, factor, patch_px, flat_factor, levels, min_tissue, .. } = *self;
        if !(0.01..=100.0).contains(&mpp) {
            return Some(format!("mpp must lie in 0.01 to 100 um/px, found {mpp}"));
        }
        let factors = [("factor", factor), ("flat_factor", flat_factor)];
        if let Some((name, found)) = factors.into_iter().find(|(_, it)| !(1..=64).contains(it)) {
            return Some(format!("{name} must lie in 1 to 64, found {found}"));
        }
        if !(16..=1024).contains(&tile_px) || !tile_px.is_multiple_of(flat_factor) {
            return Some(format!(
                "tile_px must be a multiple of {flat_factor} in 16 to 1024, found {tile_px}"
            ));
        }
        if !(16..=1024).contains(&patch_px) || !(patch_px * factor).is_multiple_of(tile_px) {
            return Some(format!(
                "a patch must hold whole tiles, found {patch_px} px times {factor} and tiles of {tile_px} px"
            ));
        }
        if !(1..=4).contains(&levels) {
            return Some(format!("levels must lie in 1 to 4, found {levels}"));
        }
        (!(0.0..=1.0).contains(&min_tissue))
            .then(|| format!("min_tissue must lie in 0 to 1, found {min_tissue}"))
    }
}

/// A slide's patches, ranked.
#[derive(Clone, Debug, PartialEq)]
pub struct InformativePatches {
    rows: usize,
    columns: usize,
    /// Sides of a patch, level-0 px.
    patch: (f64, f64),
    slide: PixelSize,
    /// Tiles along a side of a patch.
    pub(super) tiles_per_side: usize,
    pub(super) scale: ModelScale,
    /// Energy of the edges per low px of each patch, row by row; 0 for glass.
    energy: Vec<f64>,
    /// Patches of tissue by falling energy; of equal ones the first.
    ranked: Vec<usize>,
}

/// Judges every patch of a slide, those cut by its edge by what lies on it.
///
/// # Errors
/// If the slide cannot be read or the work was cancelled.
pub fn judge(
    slide: &Slide,
    config: &PlaceConfig,
    (progress, cancel): (&dyn Progress, &CancelToken),
) -> Result<InformativePatches, AnalyzeError> {
    progress.stage("Judging patches");
    let (scale, _) = ModelScale::of(slide.mpp(), config.mpp);
    let (factor, patch_px) = geometry(slide, scale, config);
    let low = ModelScale { x: scale.x * f64::from(factor), y: scale.y * f64::from(factor) };
    let grid = PatchGrid::of_patches(slide.size(), low, (patch_px, patch_px));
    let mut energy = Vec::with_capacity(grid.rows * grid.columns);
    let mut is_tissue = Vec::with_capacity(energy.capacity());
    for row in 0..grid.rows {
        cancel.check()?;
        progress.report(row as u64, grid.rows as u64);
        for (edges, is_candidate) in judge_row(slide, &grid, row, config)? {
            energy.push(edges);
            is_tissue.push(is_candidate);
        }
    }
    let mut ranked: Vec<usize> = (0..energy.len()).filter(|at| is_tissue[*at]).collect();
    ranked.sort_by(|a, b| energy[*b].total_cmp(&energy[*a]));
    let side = f64::from(patch_px);
    Ok(InformativePatches {
        rows: grid.rows,
        columns: grid.columns,
        patch: (side * low.x, side * low.y),
        slide: slide.size(),
        tiles_per_side: (patch_px * factor / config.tile_px) as usize,
        scale,
        energy,
        ranked,
    })
}

/// What an image holds to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// Whether it holds several magnifications, so that patches of it are chosen among themselves.
    pub(super) is_slide: bool,
    /// Whole patches, tissue or not.
    pub(super) n_patches: usize,
}

/// What a slide holds to choose from, without a look at its pixels.
pub(super) fn room(slide: &Slide, config: &PlaceConfig) -> Room {
    let (scale, _) = ModelScale::of(slide.mpp(), config.mpp);
    let (factor, patch_px) = geometry(slide, scale, config);
    let side = f64::from(patch_px * factor);
    let size = slide.size();
    // A thousandth of a pixel is rounding.
    let fit = |length: u32, scale: f64| ((f64::from(length) + 1e-3) / (side * scale)) as usize;
    Room {
        is_slide: config.tile_px < patch_px * factor,
        n_patches: fit(size.width, scale.x) * fit(size.height, scale.y),
    }
}

/// Model px per low px and the side of a patch: images that hold one magnification, or no whole patch, are taken tile by tile.
fn geometry(slide: &Slide, scale: ModelScale, config: &PlaceConfig) -> (u32, u32) {
    let side = f64::from(config.patch_px * config.factor);
    let holds = |length: u32, scale: f64| side <= f64::from(length) / scale;
    let size = slide.size();
    let is_pyramid = 1 < slide.levels().len();
    if is_pyramid && holds(size.width, scale.x) && holds(size.height, scale.y) {
        (config.factor, config.patch_px)
    } else {
        (config.flat_factor, config.tile_px / config.flat_factor)
    }
}

/// Energy of the patches of a row, and whether they are tissue.
fn judge_row(
    slide: &Slide,
    grid: &PatchGrid,
    row: usize,
    config: &PlaceConfig,
) -> Result<Vec<(f64, bool)>, SlideError> {
    let window = Window { row, column: 0, rows: 1, columns: grid.columns, spacing: 1 };
    let (rgb, _) = read_block(slide, grid, window, PAD_VALUE)?;
    let (side, width) = (grid.patch_px as usize, grid.extent_px(grid.columns));
    let pixels = rgb.as_chunks::<3>().0;
    let size = slide.size();
    let inside = |index: usize, length: u32, scale: f64| {
        let left = f64::from(length) / scale - (index * side) as f64;
        (left.round().max(1.0) as usize).min(side)
    };
    let height = inside(row, size.height, grid.scale.y);
    let judged = (0..grid.columns).into_par_iter().map(|column| {
        let columns = inside(column, size.width, grid.scale.x);
        let line = |y: usize| &pixels[y * width + column * side..][..columns];
        let patch: Vec<[f32; 3]> =
            (0..height).flat_map(line).map(|pixel| pixel.map(|it| f32::from(it) / 255.0)).collect();
        if tissue(&patch) < config.min_tissue {
            return (0.0, false);
        }
        (edges(&patch, columns, (config.wavelet, config.levels)), true)
    });
    Ok(judged.collect())
}

impl InformativePatches {
    /// Patches of tissue.
    pub fn n_candidates(&self) -> usize {
        self.ranked.len()
    }

    /// How many patches a share, `0.0..=1.0`, of the candidates is.
    pub fn n_chosen(&self, share: f64) -> usize {
        ((share.clamp(0.0, 1.0) * self.ranked.len() as f64).ceil() as usize).min(self.ranked.len())
    }

    /// Candidates by falling energy, row-major indices.
    pub(super) fn ranked(&self) -> &[usize] {
        &self.ranked
    }

    pub(super) fn energy(&self, patch: usize) -> f64 {
        self.energy[patch]
    }

    /// Row and column of a patch.
    pub(super) fn place(&self, patch: usize) -> (usize, usize) {
        (patch / self.columns, patch % self.columns)
    }

    /// Whether the slide holds all of a patch.
    pub(super) fn is_whole(&self, patch: usize) -> bool {
        let (row, column) = self.place(patch);
        // A thousandth of a pixel is rounding.
        let fits = |index: usize, side: f64, length: u32| {
            (index + 1) as f64 * side <= f64::from(length) + 1e-3
        };
        fits(row, self.patch.1, self.slide.height) && fits(column, self.patch.0, self.slide.width)
    }

    /// Where the chosen patches lie, the most informative first.
    pub fn chosen(&self, share: f64) -> Vec<Level0Rect> {
        let (width, height) = self.patch;
        let rect = |patch: &usize| {
            let (row, column) = self.place(*patch);
            Level0Rect { x: column as f64 * width, y: row as f64 * height, width, height }
        };
        self.ranked.iter().take(self.n_chosen(share)).map(rect).collect()
    }

    /// Answers whether a place lies in a chosen patch.
    pub(crate) fn chooses(&self, share: f64) -> impl Fn(Level0Px) -> bool {
        let mut is_chosen = vec![false; self.energy.len()];
        let chosen = self.ranked.iter().take(self.n_chosen(share));
        chosen.for_each(|patch| is_chosen[*patch] = true);
        let (rows, columns, (width, height)) = (self.rows, self.columns, self.patch);
        move |at| {
            let row = ((at.y / height).max(0.0) as usize).min(rows - 1);
            let column = ((at.x / width).max(0.0) as usize).min(columns - 1);
            is_chosen[row * columns + column]
        }
    }

    /// The ranks as an overlay: a patch with the share `s` of the candidates before it is `1 - s`, glass is 0. Cut at
    /// [`Self::cut`], it shows the chosen patches.
    ///
    /// # Errors
    /// If the slide is larger than an overlay can be.
    pub fn overlay(&self) -> Result<Heatmap, HeatmapError> {
        let n = self.ranked.len().max(1) as f64;
        let mut values = vec![0.0; self.energy.len()];
        for (rank, patch) in self.ranked.iter().enumerate() {
            // Half a rank above the cut, so that rounding moves no patch across it.
            values[*patch] = (1.0 - (rank as f64 + 0.5) / n) as f32;
        }
        let line = |row: &[f32]| -> Vec<f32> {
            row.iter().flat_map(|value| [*value; CELLS as usize]).collect()
        };
        let rows = values.chunks_exact(self.columns).map(line);
        let cells = rows.flat_map(|row| std::iter::repeat_n(row, CELLS as usize)).flatten();
        let size =
            PixelSize { width: self.columns as u32 * CELLS, height: self.rows as u32 * CELLS };
        let (width, height) = self.patch;
        let frame = Level0Rect {
            x: 0.0,
            y: 0.0,
            width: self.columns as f64 * width,
            height: self.rows as f64 * height,
        };
        Heatmap::new(size, cells.collect(), frame)
    }

    /// Where the overlay is cut for a share, `0.0..=1.0`, of the candidates.
    pub fn cut(&self, share: f64) -> f32 {
        let n = self.ranked.len().max(1) as f64;
        (1.0 - self.n_chosen(share) as f64 / n) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2 x 3 patches of 10 px; the last column is cut, the fourth patch is glass.
    fn patches() -> InformativePatches {
        InformativePatches {
            rows: 2,
            columns: 3,
            patch: (10.0, 10.0),
            slide: PixelSize { width: 25, height: 20 },
            tiles_per_side: 1,
            scale: ModelScale { x: 1.0, y: 1.0 },
            energy: vec![0.1, 0.5, 0.3, 0.0, 0.4, 0.2],
            ranked: vec![1, 4, 2, 5, 0],
        }
    }

    #[test]
    fn a_share_is_rounded_up_and_lies_where_the_patches_are() {
        let patches = patches();
        let rects = patches.chosen(0.3);
        assert_eq!((patches.n_chosen(0.3), rects.len()), (2, 2));
        assert_eq!((rects[1].x, rects[1].y, rects[1].width), (10.0, 10.0, 10.0));
        let chooses = patches.chooses(0.3);
        assert!(chooses(Level0Px { x: 11.0, y: 5.0 }) && chooses(Level0Px { x: 19.0, y: 19.0 }));
        assert!(!chooses(Level0Px { x: 24.0, y: 5.0 }) && !chooses(Level0Px { x: 5.0, y: 15.0 }));
        assert!(patches.is_whole(4) && !patches.is_whole(5));
    }

    #[test]
    fn the_cut_overlay_shows_exactly_the_chosen_patches() {
        let patches = patches();
        let overlay = patches.overlay().unwrap();
        assert_eq!((overlay.size().width, overlay.frame().width), (24, 30.0));
        for tenth in 0..=10 {
            let share = f64::from(tenth) / 10.0;
            let (cut, chooses) = (patches.cut(share), patches.chooses(share));
            for patch in 0..6 {
                let (row, column) = patches.place(patch);
                let center = Level0Px { x: column as f64 * 10.0 + 5.0, y: row as f64 * 10.0 + 5.0 };
                assert_eq!(cut < overlay.sample(center), chooses(center), "{share} {patch}");
            }
        }
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let usual = PlaceConfig::default();
        assert_eq!(usual.problem(), None);
        let problem = |config: PlaceConfig| config.problem().unwrap();
        assert!(problem(PlaceConfig { tile_px: 100, ..usual.clone() }).contains("whole tiles"));
        assert!(problem(PlaceConfig { tile_px: 30, ..usual.clone() }).contains("multiple of 4"));
        assert!(problem(PlaceConfig { levels: 0, ..usual }).contains("levels"));
    }
}
