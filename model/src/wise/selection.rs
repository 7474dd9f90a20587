//! Which patches of a low magnification are worth a look: those of tissue with the most energy in their edges (MODELS 10.1 to 10.3).

use super::wavelet::{Field, Wavelet, bands};
use crate::bag::tissue::{SATURATION, VALUE};
use crate::nn::real::Real;

/// Shares of red, green and blue in brightness.
const LUMA: [f64; 3] = [0.299, 0.587, 0.114];

/// How patches are judged and how many are taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SelectionConfig {
    /// Side of a patch, pixels of the low magnification.
    pub(crate) patch_px: usize,
    pub(crate) wavelet: Wavelet,
    /// Steps of the transform.
    pub(crate) levels: usize,
    /// Share of the candidates that is taken, `0.0..=1.0`.
    pub(crate) share: f64,
    /// Share of its pixels that must be tissue for a patch to be a candidate.
    pub(crate) min_tissue: f64,
}

/// Scores of all whole patches of a picture, row by row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scores {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Energy of the edges per pixel.
    pub(crate) energy: Vec<f64>,
    /// Share of the pixels that are tissue.
    pub(crate) tissue: Vec<f64>,
}

/// A picture in planes of red, green, blue, each `[height, width]`, values `0.0..=1.0`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picture<'a, T> {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) planes: &'a [T],
}

/// Judges every whole patch.
pub(crate) fn scores<T: Real>(picture: Picture<'_, T>, config: &SelectionConfig) -> Scores {
    let side = config.patch_px;
    let (rows, columns) = (picture.height / side, picture.width / side);
    let patches = (0..rows * columns).map(|at| picture.patch(at / columns, at % columns, side));
    let judged = patches.map(|pixels| {
        let edges = edges(&pixels, side, (config.wavelet, config.levels));
        (edges, tissue(&pixels))
    });
    let (energy, tissue) = judged.unzip();
    Scores { rows, columns, energy, tissue }
}

impl<T: Real> Picture<'_, T> {
    /// The pixels of a patch, row by row.
    fn patch(&self, row: usize, column: usize, side: usize) -> Vec<[T; 3]> {
        let area = self.height * self.width;
        let pixel = |y: usize, x: usize| {
            let at = (row * side + y) * self.width + column * side + x;
            [self.planes[at], self.planes[area + at], self.planes[2 * area + at]]
        };
        (0..side * side).map(|at| pixel(at / side, at % side)).collect()
    }
}

/// Energy of the edges of a patch of `width` pixels a row.
pub(crate) fn edges<T: Real>(pixels: &[[T; 3]], width: usize, how: (Wavelet, usize)) -> f64 {
    let values = pixels.iter().map(luma).collect();
    energy(Field { height: pixels.len() / width, width, values }, how.0, how.1)
}

fn luma<T: Real>(rgb: &[T; 3]) -> T {
    rgb.iter().zip(LUMA).map(|(value, share)| *value * T::of(share)).sum()
}

/// Mean over the pixels of the squares of all coefficients but the approximation's, which measures brightness.
pub(crate) fn energy<T: Real>(mut field: Field<T>, wavelet: Wavelet, levels: usize) -> f64 {
    let n_pixels = field.values.len() as f64;
    let mut sum = 0.0;
    for _ in 0..levels {
        let found = bands(&field, wavelet);
        let edges = [&found.horizontal, &found.vertical, &found.diagonal];
        sum += edges.iter().flat_map(|it| &it.values).map(|it| it.wide().powi(2)).sum::<f64>();
        field = found.approximation;
    }
    sum / n_pixels
}

/// Share of the pixels with color and light enough.
pub(crate) fn tissue<T: Real>(pixels: &[[T; 3]]) -> f64 {
    let is_tissue = |rgb: &&[T; 3]| {
        let values = rgb.map(Real::wide);
        let (least, most) = (
            values.iter().copied().fold(1.0, f64::min),
            values.iter().copied().fold(0.0, f64::max),
        );
        VALUE < most && SATURATION < (most - least) / most
    };
    pixels.iter().filter(is_tissue).count() as f64 / pixels.len() as f64
}

impl Scores {
    /// Indices of the chosen patches by falling energy; of equal ones the first.
    pub(crate) fn selected(&self, config: &SelectionConfig) -> Vec<usize> {
        let is_candidate = |at: &usize| config.min_tissue <= self.tissue[*at];
        let mut candidates: Vec<usize> = (0..self.energy.len()).filter(is_candidate).collect();
        candidates.sort_by(|a, b| self.energy[*b].total_cmp(&self.energy[*a]));
        candidates.truncate((config.share * candidates.len() as f64).ceil() as usize);
        candidates
    }

    /// Left and top of the tiles of `tile_px` that lie in a patch at `factor` times its magnification, row by row.
    pub(crate) fn tiles(
        &self,
        patch: usize,
        patch_px: usize,
        factor: usize,
        tile_px: usize,
    ) -> Vec<[usize; 2]> {
        let side = patch_px * factor;
        let (top, left) = (patch / self.columns * side, patch % self.columns * side);
        let per_side = side / tile_px;
        let corner = |at: usize| [left + at % per_side * tile_px, top + at / per_side * tile_px];
        (0..per_side * per_side).map(corner).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: SelectionConfig = SelectionConfig {
        patch_px: 4,
        wavelet: Wavelet::Haar,
        levels: 1,
        share: 0.5,
        min_tissue: 0.25,
    };

    /// Two patches side by side: plain pink, and stripes of pink and white.
    fn picture() -> Vec<f64> {
        let pixel = |at: usize| {
            let is_white = at % 8 >= 4 && at.is_multiple_of(2);
            if is_white { [1.0, 1.0, 1.0] } else { [0.9, 0.4, 0.6] }
        };
        (0..3).flat_map(|plane| (0..32).map(move |at| pixel(at)[plane])).collect()
    }

    #[test]
    fn stripes_have_more_energy_than_a_plain_patch() {
        let planes = picture();
        let found = scores(Picture { height: 4, width: 8, planes: &planes }, &CONFIG);
        assert_eq!((found.rows, found.columns), (1, 2));
        assert!(found.energy[0] < 1e-12 && 0.01 < found.energy[1]);
        assert_eq!(found.tissue, [1.0, 0.5]);
        assert_eq!(found.selected(&CONFIG), [1]);
    }

    #[test]
    fn patches_without_tissue_are_no_candidates_and_equal_ones_keep_their_order() {
        let found = Scores {
            rows: 1,
            columns: 4,
            energy: vec![2.0, 9.0, 2.0, 1.0],
            tissue: vec![0.5, 0.1, 0.5, 0.5],
        };
        assert_eq!(found.selected(&CONFIG), [0, 2]);
        assert_eq!(found.selected(&SelectionConfig { share: 0.1, ..CONFIG }), [0]);
    }

    #[test]
    fn tiles_lie_in_their_patch() {
        let found = Scores { rows: 2, columns: 3, energy: Vec::new(), tissue: Vec::new() };
        assert_eq!(found.tiles(4, 4, 2, 4), [[8, 8], [12, 8], [8, 12], [12, 12]]);
    }
}
