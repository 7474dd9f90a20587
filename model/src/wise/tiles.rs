//! Tiles of the high magnification from the places that are worth a look (MODELS 10.3).

use std::collections::BTreeMap;
use std::path::Path;

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use slide::Slide;

use super::config::{Choice, TileConfig};
use super::places::{InformativePatches, PAD_VALUE, judge};
use super::selection::tissue;
use super::sources::{Source, Sources, left_out};
use crate::analysis::AnalyzeError;
use crate::bag::extract::read_block;
use crate::bag::grid::{PatchGrid, Window};
use crate::data::Finding;
use crate::data::folder::Split;
use crate::train::{TrainControl, TrainError};

/// Tiles that are only looked at, at most.
const MOST_VAL: usize = 256;

/// RGB pixels of a square.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tile {
    pub(super) side: usize,
    /// `[side, side, 3]`.
    pub(super) rgb: Vec<u8>,
}

/// Where a tile lies, for a reader of the run folder.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Origin {
    file: String,
    /// Level-0 px.
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    /// Energy of the patch that it lies in.
    energy: f64,
}

/// Everything that is learned from.
#[derive(Debug, Default)]
pub(super) struct Tiles {
    pub(super) train: Vec<Tile>,
    pub(super) val: Vec<Tile>,
    /// Of the training tiles.
    pub(super) origins: Vec<Origin>,
    pub(super) warnings: Vec<String>,
    pub(super) split_by_file: BTreeMap<String, Split>,
    pub(super) fingerprint: String,
}

/// A patch of one of the sources.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Candidate {
    source: usize,
    patch: usize,
    energy: f64,
}

impl Tiles {
    /// Judges every slide and image under `dir` and reads tiles from the chosen places. One seed, one choice.
    ///
    /// # Errors
    /// If nothing can be learned from, or the work was cancelled.
    pub(super) fn gather(
        dir: &Path,
        config: &TileConfig,
        seed: u64,
        control: TrainControl<'_>,
    ) -> Result<Self, TrainError> {
        let work = (control.progress, control.cancel);
        let mut sources = Sources::of(dir, config, seed, work)?;
        let judged = judge_all(&mut sources, config, control)?;
        let names = sources.all.iter().map(|it| (it.file.clone(), it.split));
        let mut tiles = Self {
            split_by_file: names.collect(),
            fingerprint: sources.fingerprint(),
            ..Self::default()
        };
        for (split, stream) in [(Split::Train, 0), (Split::Val, 1)] {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(stream);
            let is_of_split = |it: &Candidate| sources.all[it.source].split == split;
            let candidates = candidates(&judged).into_iter().filter(is_of_split).collect();
            let chosen = choose(candidates, &judged, config, &mut rng);
            let reader = Reader { sources: &sources.all, judged: &judged, config, control };
            if split == Split::Train {
                (tiles.train, tiles.origins) = reader.read(&chosen, config.most, &mut rng)?;
            } else {
                (tiles.val, _) = reader.read(&chosen, MOST_VAL, &mut rng)?;
            }
        }
        tiles.warnings = sources.findings.iter().map(Finding::sentence).collect();
        if tiles.train.is_empty() {
            let problem = "expected tissue to learn from, found none in the chosen places";
            return Err(TrainError::Folder(vec![problem.to_owned()]));
        }
        Ok(tiles)
    }
}

/// The patches of every source; `None` for one that cannot be read, which is said.
fn judge_all(
    sources: &mut Sources,
    config: &TileConfig,
    TrainControl { progress, cancel, pause }: TrainControl<'_>,
) -> Result<Vec<Option<InformativePatches>>, TrainError> {
    progress.stage("Judging patches");
    let mut judged = Vec::new();
    let n = sources.all.len() as u64;
    for Source { file, path, .. } in &sources.all {
        pause.wait(cancel)?;
        progress.report(judged.len() as u64, n);
        let found = Slide::open(path).map_err(AnalyzeError::from);
        match found.and_then(|slide| judge(&slide, &config.places, (&(), cancel))) {
            Ok(patches) => judged.push(Some(patches)),
            Err(AnalyzeError::Cancelled(cancelled)) => return Err(cancelled.into()),
            Err(error) => {
                sources.findings.push(left_out(file, &error));
                judged.push(None);
            }
        }
    }
    Ok(judged)
}

/// Whole patches of tissue of every source.
fn candidates(judged: &[Option<InformativePatches>]) -> Vec<Candidate> {
    let of_source = |(source, patches): (usize, &Option<InformativePatches>)| {
        let patches = patches.iter().flat_map(move |patches| {
            let whole = patches.ranked().iter().filter(|patch| patches.is_whole(**patch));
            whole.map(move |patch| Candidate {
                source,
                patch: *patch,
                energy: patches.energy(*patch),
            })
        });
        patches.collect::<Vec<_>>()
    };
    judged.iter().enumerate().flat_map(of_source).collect()
}

/// The share of each slide with several magnifications, and of all other images together.
fn choose(
    candidates: Vec<Candidate>,
    judged: &[Option<InformativePatches>],
    config: &TileConfig,
    rng: &mut ChaCha8Rng,
) -> Vec<Candidate> {
    let mut pools: BTreeMap<Option<usize>, Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        let patches = judged[candidate.source].as_ref();
        let is_slide = patches.is_some_and(|it| 1 < it.tiles_per_side);
        pools.entry(is_slide.then_some(candidate.source)).or_default().push(candidate);
    }
    let mut chosen = Vec::new();
    for mut pool in pools.into_values() {
        match config.choice {
            Choice::Wavelet => pool.sort_by(|a, b| b.energy.total_cmp(&a.energy)),
            Choice::Random => pool.shuffle(rng),
        }
        pool.truncate((config.share * pool.len() as f64).ceil() as usize);
        chosen.append(&mut pool);
    }
    chosen
}

/// Reads tiles.
struct Reader<'a> {
    sources: &'a [Source],
    judged: &'a [Option<InformativePatches>],
    config: &'a TileConfig,
    control: TrainControl<'a>,
}

impl Reader<'_> {
    /// Tiles of the chosen patches, of all of them if they are few enough, sorted by source and patch.
    fn read(
        &self,
        chosen: &[Candidate],
        most: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<(Vec<Tile>, Vec<Origin>), TrainError> {
        let TrainControl { progress, cancel, pause } = self.control;
        progress.stage("Reading tiles");
        // Where not all fit, every patch is as likely.
        let mut order = chosen.to_vec();
        order.shuffle(rng);
        order.truncate(most);
        order.sort_by_key(|it| (it.source, it.patch));
        let per_patch = (most / order.len().max(1)).clamp(1, self.config.most_per_patch);
        let (mut tiles, mut origins) = (Vec::new(), Vec::new());
        let mut open: Option<(usize, Slide)> = None;
        for (done, candidate) in order.iter().enumerate() {
            cancel.check()?;
            pause.wait(cancel)?;
            progress.report(done as u64, order.len() as u64);
            let file = &self.sources[candidate.source];
            let problem = |error| TrainError::Folder(vec![format!("{}: {error}", file.file)]);
            if open.as_ref().is_none_or(|(source, _)| *source != candidate.source) {
                open = Some((candidate.source, Slide::open(&file.path).map_err(problem)?));
            }
            let Some((_, slide)) = &open else { continue };
            let mut found = self.of_patch(slide, *candidate).map_err(problem)?;
            found.shuffle(rng);
            found.truncate(per_patch);
            for (tile, origin) in found {
                tiles.push(tile);
                origins.push(origin);
            }
        }
        Ok((tiles, origins))
    }

    /// The tiles of a patch that hold enough tissue.
    fn of_patch(
        &self,
        slide: &Slide,
        candidate: Candidate,
    ) -> Result<Vec<(Tile, Origin)>, slide::SlideError> {
        let Some(patches) = &self.judged[candidate.source] else { return Ok(Vec::new()) };
        let (tile_px, n) = (self.config.places.tile_px, patches.tiles_per_side);
        let grid = PatchGrid::of_patches(slide.size(), patches.scale, (tile_px, tile_px));
        let (row, column) = patches.place(candidate.patch);
        let block = Window { row: row * n, column: column * n, rows: n, columns: n, spacing: 1 };
        let (rgb, _) = read_block(slide, &grid, block, PAD_VALUE)?;
        let (side, width) = (tile_px as usize, n * tile_px as usize);
        let mut found = Vec::new();
        for (row, column) in block.patches() {
            let (top, left) = ((row - block.row) * side, (column - block.column) * side);
            let line = |y: usize| &rgb[(y * width + left) * 3..][..side * 3];
            let tile = Tile { side, rgb: (top..top + side).flat_map(line).copied().collect() };
            if tile.tissue() < self.config.min_tissue {
                continue;
            }
            let one = Window { row, column, rows: 1, columns: 1, spacing: 1 };
            let rect = grid.level0_rect(one);
            let origin = Origin {
                file: self.sources[candidate.source].file.clone(),
                x: rect.x,
                y: rect.y,
                width: rect.width,
                height: rect.height,
                energy: candidate.energy,
            };
            found.push((tile, origin));
        }
        Ok(found)
    }
}

impl Tile {
    /// Share of tissue.
    fn tissue(&self) -> f64 {
        let pixel = |rgb: &[u8; 3]| rgb.map(|it| f32::from(it) / 255.0);
        tissue(&self.rgb.as_chunks::<3>().0.iter().map(pixel).collect::<Vec<_>>())
    }
}
