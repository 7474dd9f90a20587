//! Varied copies of a training bag of frozen features (MODELS 1.5).
//!
//! A bag is varied by choosing which patch stands where: `order[i]` is the patch of the original bag that stands at
//! place `i` of the varied one, row-major.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution as _};

use crate::fmamil::Grid;
use crate::train::AugmentConfig;

/// Share of a bag that is blanked, and how long the rectangle is (MODELS 1.5).
const ERASED_SHARE: std::ops::Range<f64> = 0.02..0.10;
const ERASED_ASPECT: std::ops::Range<f64> = 0.3..3.3;

/// A rectangle of places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rectangle {
    pub(crate) row: usize,
    pub(crate) column: usize,
    pub(crate) grid: Grid,
}

impl Rectangle {
    fn whole(grid: Grid) -> Self {
        Self { row: 0, column: 0, grid }
    }

    /// Places inside, as indices of `outer`, row-major.
    pub(crate) fn places(self, outer: Grid) -> impl Iterator<Item = usize> {
        (self.row..self.row + self.grid.rows).flat_map(move |row| {
            (self.column..self.column + self.grid.columns)
                .map(move |column| row * outer.columns + column)
        })
    }

    /// A rectangle of that size anywhere in `outer`.
    fn anywhere(grid: Grid, outer: Grid, rng: &mut ChaCha8Rng) -> Self {
        Self {
            row: rng.random_range(0..=outer.rows - grid.rows),
            column: rng.random_range(0..=outer.columns - grid.columns),
            grid,
        }
    }
}

/// The part of the grid that a whole batch keeps: each side at least `crop_min` of its length.
pub(crate) fn crop(grid: Grid, config: &AugmentConfig, rng: &mut ChaCha8Rng) -> Rectangle {
    if 1.0 <= config.crop_min {
        return Rectangle::whole(grid);
    }
    let mut side = |n: usize| {
        let least = ((n as f64 * config.crop_min).ceil() as usize).clamp(1, n);
        rng.random_range(least..=n)
    };
    let kept = Grid { rows: side(grid.rows), columns: side(grid.columns) };
    Rectangle::anywhere(kept, grid, rng)
}

/// Which patch stands where after random flips and, on a square grid, exchange of rows and columns.
pub(crate) fn flips(grid: Grid, config: &AugmentConfig, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let flip_columns = rng.random_bool(config.flip_columns);
    let flip_rows = rng.random_bool(config.flip_rows);
    let transpose = rng.random_bool(config.transpose) && grid.rows == grid.columns;
    let source = |row: usize, column: usize| {
        let (row, column) = if transpose { (column, row) } else { (row, column) };
        let row = if flip_rows { grid.rows - 1 - row } else { row };
        let column = if flip_columns { grid.columns - 1 - column } else { column };
        row * grid.columns + column
    };
    (0..grid.rows)
        .flat_map(|row| (0..grid.columns).map(move |column| (row, column)))
        .map(|(row, column)| source(row, column))
        .collect()
}

/// The rectangle of a bag whose patches are blanked, if any.
pub(crate) fn erase(grid: Grid, config: &AugmentConfig, rng: &mut ChaCha8Rng) -> Option<Rectangle> {
    if !rng.random_bool(config.erase) {
        return None;
    }
    let area = rng.random_range(ERASED_SHARE) * grid.patches() as f64;
    let aspect = rng.random_range(ERASED_ASPECT.start.ln()..ERASED_ASPECT.end.ln()).exp();
    let side = |length: f64, n: usize| (length.round() as usize).clamp(1, n);
    let erased = Grid {
        rows: side((area * aspect).sqrt(), grid.rows),
        columns: side((area / aspect).sqrt(), grid.columns),
    };
    Some(Rectangle::anywhere(erased, grid, rng))
}

/// The share of itself that each bag of a batch keeps when it is blended with another; 1 without mixup.
pub(crate) fn mixup(config: &AugmentConfig, rng: &mut ChaCha8Rng) -> f32 {
    if !rng.random_bool(config.mixup) {
        return 1.0;
    }
    Beta::new(config.mixup_alpha, config.mixup_alpha).map_or(1.0, |beta| beta.sample(rng) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    const NOTHING: AugmentConfig = AugmentConfig {
        crop_min: 1.0,
        flip_columns: 0.0,
        flip_rows: 0.0,
        transpose: 0.0,
        erase: 0.0,
        mixup: 0.0,
        mixup_alpha: 0.8,
        color_copies: 0,
    };
    const GRID: Grid = Grid { rows: 2, columns: 3 };

    fn rng() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(4)
    }

    #[test]
    fn without_variation_every_patch_stays() {
        assert_eq!(flips(GRID, &NOTHING, &mut rng()), [0, 1, 2, 3, 4, 5]);
        assert_eq!(crop(GRID, &NOTHING, &mut rng()), Rectangle::whole(GRID));
        assert_eq!(erase(GRID, &NOTHING, &mut rng()), None);
        assert_eq!(mixup(&NOTHING, &mut rng()), 1.0);
    }

    #[test]
    fn flips_reverse_columns_and_rows() {
        let columns = AugmentConfig { flip_columns: 1.0, ..NOTHING };
        assert_eq!(flips(GRID, &columns, &mut rng()), [2, 1, 0, 5, 4, 3]);
        let rows = AugmentConfig { flip_rows: 1.0, ..NOTHING };
        assert_eq!(flips(GRID, &rows, &mut rng()), [3, 4, 5, 0, 1, 2]);
    }

    #[test]
    fn only_a_square_grid_is_transposed() {
        let transpose = AugmentConfig { transpose: 1.0, ..NOTHING };
        assert_eq!(flips(GRID, &transpose, &mut rng()), [0, 1, 2, 3, 4, 5]);
        let square = Grid { rows: 2, columns: 2 };
        assert_eq!(flips(square, &transpose, &mut rng()), [0, 2, 1, 3]);
    }

    #[test]
    fn crops_and_blanks_stay_inside_and_crops_keep_their_share() {
        let grid = Grid { rows: 11, columns: 7 };
        let config = AugmentConfig { crop_min: 0.8, erase: 1.0, ..NOTHING };
        let mut rng = rng();
        for _ in 0..200 {
            let crop = crop(grid, &config, &mut rng);
            assert!(9 <= crop.grid.rows && 6 <= crop.grid.columns);
            let erased = erase(grid, &config, &mut rng).unwrap();
            for rectangle in [crop, erased] {
                assert!(rectangle.places(grid).all(|place| place < grid.patches()));
                assert!(rectangle.row + rectangle.grid.rows <= grid.rows);
                assert!(rectangle.column + rectangle.grid.columns <= grid.columns);
            }
        }
    }

    #[test]
    fn mixup_shares_lie_between_none_and_all() {
        let config = AugmentConfig { mixup: 1.0, ..NOTHING };
        let mut rng = rng();
        assert!((0..100).all(|_| (0.0..=1.0).contains(&mixup(&config, &mut rng))));
    }
}
