//! Training tiles: pixels of an image and the heatmap of stage 1 over them.
//!
//! An image labelled negative has an empty map, whatever stage 1 says; one labelled positive has its map whether or
//! not stage 1 calls it positive (MODELS 6.4, 7.1). A corrected mask takes the map's place.

use std::path::{Path, PathBuf};

use domain::coords::Level0Px;
use domain::heatmap::Heatmap;
use domain::progress::CancelToken;
use half::f16;
use slide::Slide;

use super::unet::ALIGNMENT;
use super::{CamsegConfig, stage_1};
use crate::analysis::AnalyzeError;
use crate::bag::extract::read_block;
use crate::bag::feature_store::{FeatureStore, key};
use crate::bag::grid::{PatchGrid, Window};
use crate::bag::scale::ModelScale;
use crate::bag::tissue::{self, TissueShare};
use crate::data::check::CheckedFolder;
use crate::data::corrected;
use crate::data::folder::{LabelledImage, Split};
use crate::pipeline::loaded_model::LoadedModel;
use crate::registry::ModelEntry;
use crate::train::{TrainControl, TrainError};

/// From this gray value on a pixel of a corrected mask is lesion.
const LESION: u8 = 128;
/// Background behind the edge of a slide, where a tile reaches past it.
pub(super) const PAD_VALUE: u8 = 255;

/// A part of an image with its soft label.
#[derive(Clone, Debug)]
pub(super) struct Tile {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// `[rows, columns, 3]`.
    pub(super) rgb: Vec<u8>,
    /// `[rows, columns]`, `0.0..=1.0`.
    pub(super) label: Vec<f16>,
}

/// Tiles to learn from and to look at.
#[derive(Debug, Default)]
pub(super) struct Dataset {
    pub(super) train: Vec<Tile>,
    pub(super) val: Vec<Tile>,
}

/// Where tiles come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) model: &'a LoadedModel,
    pub(super) entry: &'a ModelEntry,
    pub(super) store: Option<&'a FeatureStore>,
    pub(super) masks: Option<&'a Path>,
    pub(super) config: &'a CamsegConfig,
}

/// What the label of a pixel is taken from.
enum Label {
    Nothing,
    Map(Heatmap),
    Mask(Box<Slide>),
}

impl Source<'_> {
    /// Reads every training and validation image and runs stage 1 over the positive ones.
    pub(super) fn load(
        &self,
        images: &[LabelledImage],
        splits: &[Split],
        TrainControl { progress, cancel, pause }: TrainControl<'_>,
    ) -> Result<Dataset, TrainError> {
        let mut dataset = Dataset::default();
        let mut problems = Vec::new();
        progress.stage("Drawing the heatmaps");
        for (i, (image, split)) in images.iter().zip(splits).enumerate() {
            cancel.check()?;
            pause.wait(cancel)?;
            progress.report(i as u64, images.len() as u64);
            let tiles = match split {
                Split::Train => &mut dataset.train,
                Split::Val => &mut dataset.val,
                Split::Test => continue,
            };
            match self.tiles(image, cancel) {
                Ok(found) => tiles.extend(found),
                Err(AnalyzeError::Cancelled(cancelled)) => return Err(cancelled.into()),
                Err(error) => problems.push(format!("{}: {error}", image.file)),
            }
        }
        if problems.is_empty() { Ok(dataset) } else { Err(TrainError::Folder(problems)) }
    }

    fn tiles(
        &self,
        image: &LabelledImage,
        cancel: &CancelToken,
    ) -> Result<Vec<Tile>, AnalyzeError> {
        let slide = Slide::open(&image.path)?;
        let tissue = tissue::find(&slide, &(), cancel)?;
        let label = match (self.corrected(image), image.is_positive) {
            (Some(mask), _) => Label::Mask(Box::new(same_size(Slide::open(&mask)?, &slide)?)),
            (None, true) => {
                let at = stage_1::Place { slide: &slide, tissue: &tissue };
                let map = stage_1::map_of_positive(self.model, self.entry, self.store, at, cancel)?;
                Label::Map(map)
            }
            (None, false) => Label::Nothing,
        };
        let bag = &self.model.config.bag;
        let (scale, _) = ModelScale::of(slide.mpp(), bag.mpp);
        let grid = network_grid(&slide, scale, self.config.ratio(bag));
        let side = (self.config.tile_px / ALIGNMENT) as u32;
        let windows = grid.windows(side, side);
        let share = TissueShare::new(&tissue);
        let is_single = windows.len() == 1;
        let kept = windows
            .into_iter()
            .filter(|window| is_single || bag.tissue_min <= share.of(grid.level0_rect(*window)));
        let even = self.config.pseudo_threshold;
        kept.map(|window| tile(&slide, &grid, window, &label, even)).collect()
    }

    /// The corrected mask of an image, if the user gave one.
    fn corrected(&self, image: &LabelledImage) -> Option<PathBuf> {
        corrected::mask_in(self.masks?, &image.file)
    }

    /// Names what is learned from: images, labels and splits, corrected masks, and stage 1.
    pub(super) fn fingerprint(&self, folder: &CheckedFolder) -> String {
        let masks = folder.images.iter().filter_map(|image| {
            let bytes = std::fs::read(self.corrected(image)?).unwrap_or_default();
            Some(key(&[image.file.as_bytes(), &bytes]))
        });
        let masks: String = masks.collect();
        let stage_1 = stage_1::name(self.model, self.entry);
        key(&[folder.fingerprint.as_bytes(), masks.as_bytes(), stage_1.as_bytes()])
    }
}

/// Squares of [`ALIGNMENT`] network px over a slide.
pub(super) fn network_grid(slide: &Slide, scale: ModelScale, ratio: f64) -> PatchGrid {
    let scale = ModelScale { x: scale.x * ratio, y: scale.y * ratio };
    PatchGrid::of_patches(slide.size(), scale, (ALIGNMENT as u32, ALIGNMENT as u32))
}

fn same_size(mask: Slide, slide: &Slide) -> Result<Slide, AnalyzeError> {
    let (expected, found) = (slide.size(), mask.size());
    if found == expected {
        return Ok(mask);
    }
    Err(AnalyzeError::Compute(format!(
        "the corrected mask has {} x {} px, expected {} x {}",
        found.width, found.height, expected.width, expected.height
    )))
}

fn tile(
    slide: &Slide,
    grid: &PatchGrid,
    window: Window,
    label: &Label,
    pseudo_threshold: f32,
) -> Result<Tile, AnalyzeError> {
    let (rows, columns) = (window.rows * ALIGNMENT, window.columns * ALIGNMENT);
    let (rgb, _) = read_block(slide, grid, window, PAD_VALUE)?;
    let label = match label {
        Label::Nothing => vec![f16::ZERO; rows * columns],
        Label::Mask(mask) => {
            let (mask, _) = read_block(mask, grid, window, 0)?;
            let is_lesion = |[gray, ..]: &[u8; 3]| f16::from(u8::from(LESION <= *gray));
            mask.as_chunks::<3>().0.iter().map(is_lesion).collect()
        }
        Label::Map(map) => {
            let center =
                |start: usize, i: usize, scale: f64| ((start * ALIGNMENT + i) as f64 + 0.5) * scale;
            let mut values = Vec::with_capacity(rows * columns);
            for row in 0..rows {
                let y = center(window.row, row, grid.scale.y);
                values.extend((0..columns).map(|column| {
                    let x = center(window.column, column, grid.scale.x);
                    let value = map.sample(Level0Px { x, y });
                    f16::from_f32(stretched(value, pseudo_threshold))
                }));
            }
            values
        }
    };
    Ok(Tile { rows, columns, rgb, label })
}

/// A map's value with `even` moved to one half, below and above it a straight line each.
fn stretched(value: f32, even: f32) -> f32 {
    if value <= even { 0.5 * value / even } else { 0.5 + 0.5 * (value - even) / (1.0 - even) }
}

impl Tile {
    /// The tile in one of its eight orientations, the label moved with the pixels. Odd numbers mirror; a tile that is
    /// not square keeps its axes.
    pub(super) fn oriented(&self, orientation: u8) -> Self {
        let swaps = orientation & 4 != 0 && self.rows == self.columns;
        let mut turned = Self {
            rows: self.rows,
            columns: self.columns,
            rgb: Vec::with_capacity(self.rgb.len()),
            label: Vec::with_capacity(self.label.len()),
        };
        for row in 0..self.rows {
            for column in 0..self.columns {
                let (mut y, mut x) = if swaps { (column, row) } else { (row, column) };
                if orientation & 1 != 0 {
                    x = self.columns - 1 - x;
                }
                if orientation & 2 != 0 {
                    y = self.rows - 1 - y;
                }
                let at = y * self.columns + x;
                turned.rgb.extend_from_slice(&self.rgb[3 * at..3 * at + 3]);
                turned.label.push(self.label[at]);
            }
        }
        turned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_and_label_turn_together_into_eight_different_tiles() {
        let values: Vec<u8> = (0..9).collect();
        let tile = Tile {
            rows: 3,
            columns: 3,
            rgb: values.iter().flat_map(|it| [*it; 3]).collect(),
            label: values.iter().map(|it| f16::from(*it)).collect(),
        };
        let mut seen = std::collections::BTreeSet::new();
        for orientation in 0..8 {
            let turned = tile.oriented(orientation);
            let reds: Vec<u8> = turned.rgb.iter().step_by(3).copied().collect();
            let labels: Vec<u8> = turned.label.iter().map(|it| it.to_f32() as u8).collect();
            assert_eq!(reds, labels);
            seen.insert(reds);
        }
        assert_eq!(seen.len(), 8);
    }

    #[test]
    fn the_pseudo_threshold_becomes_one_half_and_the_ends_stay() {
        for (value, expected) in [(0.0, 0.0), (0.1, 0.25), (0.2, 0.5), (0.6, 0.75), (1.0, 1.0)] {
            assert!((stretched(value, 0.2) - expected).abs() < 1e-6, "{value}");
            assert_eq!(stretched(value, 0.5), value);
        }
    }

    #[test]
    fn a_tile_that_is_not_square_keeps_its_axes() {
        let tile = Tile {
            rows: 1,
            columns: 2,
            rgb: vec![1, 1, 1, 2, 2, 2],
            label: vec![f16::ZERO, f16::ONE],
        };
        assert_eq!(tile.oriented(4).rgb, tile.rgb);
        assert_eq!(tile.oriented(5).label, [f16::ONE, f16::ZERO]);
    }
}
