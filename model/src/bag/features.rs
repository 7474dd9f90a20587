//! Features of a slide's patches, strip by strip, from the store or from pixels and encoder.
//!
//! A *strip* is as many rows of patches as a window has. Windows come row by row, so two strips in memory serve
//! them all, however large the slide.

use std::collections::VecDeque;

use domain::progress::{CancelToken, Cancelled, Progress};
use half::f16;
use slide::{Slide, SlideError};

use super::extract::{Patches, read_patches};
use super::feature_store::{FeatureStore, StoredFeatures, key};
use super::grid::{PatchGrid, Window};
use crate::data::jitter::PixelJitter;
use crate::encoder::{Encoder, EncoderError, PatchBatch};
use crate::stopwatch::Stopwatch;

/// Patches across a block that is read and encoded at once.
const BLOCK_COLUMNS: usize = 16;
/// Features of larger slides are not kept on disk.
const STORE_MAX_BYTES: usize = 2 << 30;

/// Why features could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeatureError {
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    #[error(transparent)]
    Slide(#[from] SlideError),
    #[error("{0}")]
    Encoder(EncoderError),
}

impl From<EncoderError> for FeatureError {
    fn from(error: EncoderError) -> Self {
        match error {
            EncoderError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            other => Self::Encoder(other),
        }
    }
}

/// What decides the features of a slide, besides the slide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeatureRecipe<'a> {
    pub(crate) encoder: &'a dyn Encoder,
    /// Side that patches are resized to.
    pub(crate) input_px: u32,
    /// Gray value past the slide's edge.
    pub(crate) pad_value: u8,
    /// Rows of a strip.
    pub(crate) strip_rows: usize,
    /// A change to the pixels, for training.
    pub(crate) jitter: Option<&'a PixelJitter>,
    pub(crate) store: Option<&'a FeatureStore>,
}

/// Gives the features of windows, which must be asked for row by row.
#[derive(Debug)]
pub(crate) struct FeatureReader<'a> {
    slide: &'a Slide,
    grid: &'a PatchGrid,
    recipe: FeatureRecipe<'a>,
    /// Patches that some window needs, row-major over the grid.
    is_wanted: Vec<bool>,
    strips: VecDeque<Strip>,
    n_done: u64,
    n_wanted: u64,
    /// Stored tiles that could not be read so far.
    pub(crate) damaged_tiles: u32,
}

/// Rows of patches with their features.
#[derive(Debug)]
struct Strip {
    rows: std::ops::Range<usize>,
    /// For each patch of the rows, row-major, which feature is its.
    places: Vec<Option<usize>>,
    /// `[n, dim]`.
    values: Vec<f16>,
}

impl<'a> FeatureReader<'a> {
    pub(crate) fn new(
        slide: &'a Slide,
        grid: &'a PatchGrid,
        windows: &[Window],
        recipe: FeatureRecipe<'a>,
    ) -> Self {
        let mut is_wanted = vec![false; grid.rows * grid.columns];
        for (row, column) in windows.iter().flat_map(|window| window.patches()) {
            is_wanted[row * grid.columns + column] = true;
        }
        let n_wanted = is_wanted.iter().filter(|it| **it).count() as u64;
        let strips = VecDeque::new();
        Self { slide, grid, recipe, is_wanted, strips, n_done: 0, n_wanted, damaged_tiles: 0 }
    }

    /// Features `[patches of window, dim]`, row-major.
    ///
    /// # Errors
    /// If the slide or encoder fails, or the work was cancelled.
    pub(crate) fn window(
        &mut self,
        window: Window,
        watch: &mut Stopwatch,
        progress: &dyn Progress,
        cancel: &CancelToken,
    ) -> Result<Vec<f32>, FeatureError> {
        while self.strips.front().is_some_and(|strip| strip.rows.end <= window.row) {
            self.strips.pop_front();
        }
        let mut next = self
            .strips
            .back()
            .map_or(window.row / self.recipe.strip_rows * self.recipe.strip_rows, |strip| {
                strip.rows.end
            });
        while next < window.end_row() {
            let strip = self.load_strip(next, watch, progress, cancel)?;
            next = strip.rows.end;
            self.strips.push_back(strip);
        }
        Ok(self.gather(window))
    }

    fn gather(&self, window: Window) -> Vec<f32> {
        let dim = self.recipe.encoder.feature_dim();
        let mut features = Vec::with_capacity(window.len() * dim);
        for (row, column) in window.patches() {
            let place = self.strips.iter().find(|it| it.rows.contains(&row)).and_then(|strip| {
                let at = strip.places[(row - strip.rows.start) * self.grid.columns + column]?;
                Some(&strip.values[at * dim..(at + 1) * dim])
            });
            match place {
                Some(values) => features.extend(values.iter().map(|it| it.to_f32())),
                None => features.resize(features.len() + dim, 0.0),
            }
        }
        features
    }

    fn load_strip(
        &mut self,
        start: usize,
        watch: &mut Stopwatch,
        progress: &dyn Progress,
        cancel: &CancelToken,
    ) -> Result<Strip, FeatureError> {
        let rows = start..(start + self.recipe.strip_rows).min(self.grid.rows);
        let wanted = &self.is_wanted[rows.start * self.grid.columns..rows.end * self.grid.columns];
        let places = by_blocks(wanted, self.grid.columns);
        let n = places.iter().flatten().count();
        let dim = self.recipe.encoder.feature_dim();
        let is_small = self.n_wanted as usize * dim * 2 < STORE_MAX_BYTES;
        let store = self.recipe.store.filter(|_| is_small).map(|it| (it, self.strip_key(&rows)));
        let stored = store.as_ref().and_then(|(store, key)| {
            watch.time("Reading cached features", || store.read(key, n, dim))
        });
        let features = match stored {
            Some(features) => features,
            None => {
                let features = self.compute(&rows, watch, progress, cancel)?;
                if let Some((store, key)) = &store {
                    store.write(key, dim, &features);
                }
                features
            }
        };
        self.damaged_tiles += features.damaged_tiles;
        self.n_done += n as u64;
        progress.report(self.n_done, self.n_wanted);
        Ok(Strip { rows, places, values: features.values })
    }

    /// Reads and encodes the wanted patches of a strip, block by block.
    fn compute(
        &self,
        rows: &std::ops::Range<usize>,
        watch: &mut Stopwatch,
        progress: &dyn Progress,
        cancel: &CancelToken,
    ) -> Result<StoredFeatures, FeatureError> {
        let mut features = StoredFeatures { values: Vec::new(), damaged_tiles: 0 };
        let dim = self.recipe.encoder.feature_dim();
        let is_wanted =
            |row: usize, column: usize| self.is_wanted[row * self.grid.columns + column];
        for column in (0..self.grid.columns).step_by(BLOCK_COLUMNS) {
            cancel.check()?;
            let done = self.n_done + (features.values.len() / dim) as u64;
            progress.report(done, self.n_wanted);
            let columns = BLOCK_COLUMNS.min(self.grid.columns - column);
            let block = Window { row: rows.start, column, rows: rows.len(), columns, spacing: 1 };
            if !block.patches().any(|(row, column)| is_wanted(row, column)) {
                continue;
            }
            let pad = self.recipe.pad_value;
            let Patches { mut rgb, damaged_tiles } = watch.time("Reading patches", || {
                read_patches(self.slide, self.grid, block, pad, is_wanted)
            })?;
            if let Some(jitter) = self.recipe.jitter {
                jitter.apply(&mut rgb, self.grid.patch_px as usize);
            }
            let batch = PatchBatch { side_px: self.grid.patch_px, rgb };
            let encoded = watch.time("Computing features", || {
                self.recipe.encoder.encode(&batch, self.recipe.input_px, cancel)
            })?;
            features.values.extend(encoded.into_iter().map(f16::from_f32));
            features.damaged_tiles += damaged_tiles;
        }
        Ok(features)
    }

    /// Everything that decides the features of a strip.
    fn strip_key(&self, rows: &std::ops::Range<usize>) -> String {
        let grid = self.grid;
        let numbers = format!(
            "{:?} {:?} patch {}{} input {} pad {} columns {} jitter {:?}",
            grid.scale,
            rows,
            grid.patch_px,
            if grid.step_px == grid.patch_px {
                String::new()
            } else {
                format!("/{}", grid.step_px)
            },
            self.recipe.input_px,
            self.recipe.pad_value,
            grid.columns,
            self.recipe.jitter,
        );
        let wanted = &self.is_wanted[rows.start * grid.columns..rows.end * grid.columns];
        let wanted: Vec<u8> = wanted.iter().map(|it| u8::from(*it)).collect();
        let encoder = self.recipe.encoder.weights_sha256();
        key(&[self.slide.id().0.as_bytes(), encoder.as_bytes(), numbers.as_bytes(), &wanted])
    }
}

/// Numbers the wanted patches of a strip in the order that [`FeatureReader::compute`] meets them.
fn by_blocks(wanted: &[bool], columns: usize) -> Vec<Option<usize>> {
    let mut places = vec![None; wanted.len()];
    let mut n = 0;
    for left in (0..columns).step_by(BLOCK_COLUMNS) {
        for row in 0..wanted.len() / columns {
            for column in left..(left + BLOCK_COLUMNS).min(columns) {
                if wanted[row * columns + column] {
                    places[row * columns + column] = Some(n);
                    n += 1;
                }
            }
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_numbered_block_by_block() {
        let columns = BLOCK_COLUMNS + 1;
        let mut wanted = vec![true; 2 * columns];
        wanted[1] = false;
        let places = by_blocks(&wanted, columns);
        assert_eq!(places[0], Some(0));
        assert_eq!(places[1], None);
        assert_eq!(places[columns], Some(BLOCK_COLUMNS - 1), "second row of the first block");
        assert_eq!(places[BLOCK_COLUMNS], Some(2 * BLOCK_COLUMNS - 1), "first of the second block");
    }
}
