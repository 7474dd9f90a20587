//! The refiner over a slide of any size: overlapping windows, blended so that no seam shows, on tissue only.
//!
//! A window's outer pixels lack context and count nothing; further in their weight rises to 1 and falls again
//! where the neighbour takes over. Windows begin at multiples of 16 px, so every pixel is pooled with the same
//! neighbours in each of them. Rows that no further window reaches leave at once, to the map and, where asked for, to
//! a pyramid on disk: memory is that of one row of windows and of the map, whose cells grow with the slide.

use std::collections::BTreeMap;
use std::path::Path;

use domain::coords::{Level0Rect, PixelSize};
use domain::heatmap::Heatmap;
use domain::mask::BinaryMask;
use domain::progress::{CancelToken, Progress};
use slide::Slide;
use slide::export::{ProbabilityPyramid, PyramidFacts, SlideFacts};

use super::band::{Band, Place};
use super::dataset::{PAD_VALUE, network_grid};
use super::network::SideScale;
use super::overview::Overview;
use super::refiner::{Probabilities, Refiner, Side};
use super::unet::ALIGNMENT;
use crate::analysis::AnalyzeError;
use crate::bag::extract::read_block;
use crate::bag::grid::{PatchGrid, Window};
use crate::bag::scale::ModelScale;
use crate::bag::tissue::TissueShare;
use crate::registry::weights::one_line;

/// Side of a window, in units of 16 px: 512 px.
const WINDOW_UNITS: u32 = 32;
/// From one window to the next: 320 px, so that two share 192.
const STRIDE_UNITS: u32 = 20;
/// What a refiner is to look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) slide: &'a Slide,
    /// Of stage 1.
    pub(crate) scale: ModelScale,
    pub(crate) tissue: &'a BinaryMask,
    /// Windows where it does not respond stay 0.
    pub(crate) gate: Option<&'a Heatmap>,
}

/// What stage 2 says of a slide.
#[derive(Debug)]
pub(crate) struct Refined {
    /// Lesion probabilities.
    pub(crate) map: Heatmap,
    /// The same by the network's side masks, the coarsest first.
    pub(crate) sides: Vec<SideMask>,
}

/// What a side mask of the network of stage 2 says of a slide.
#[derive(Clone, Debug)]
pub struct SideMask {
    /// The resolution that it is decided at.
    pub scale: SideScale,
    /// What it counts, `0.0..=1.0`: the mean over the windows that were looked at.
    pub weight: f64,
    /// Lesion probabilities.
    pub map: Heatmap,
}

/// Lesion probabilities over a slide; with a path and a model's name, the whole of them as a pyramid in that file too.
///
/// # Errors
/// If the slide, the device or the disk fails, or the work was cancelled.
pub(crate) fn refined(
    refiner: &Refiner,
    subject: Subject<'_>,
    pyramid: Option<(&Path, &str)>,
    (progress, cancel): (&dyn Progress, &CancelToken),
) -> Result<Refined, AnalyzeError> {
    let slide = subject.slide;
    let grid = network_grid(slide, subject.scale, refiner.description.pixel_ratio);
    let size = network_size(slide, &grid);
    let share = TissueShare::new(subject.tissue);
    let is_wanted = |window: &Window| {
        let rect = grid.level0_rect(*window);
        0.0 < share.of(rect) && subject.gate.is_none_or(|it| responds(it, rect))
    };
    let windows: Vec<Window> =
        grid.windows(WINDOW_UNITS, STRIDE_UNITS).into_iter().filter(is_wanted).collect();
    let frame = Level0Rect {
        x: 0.0,
        y: 0.0,
        width: size[1] as f64 * grid.scale.x,
        height: size[0] as f64 * grid.scale.y,
    };
    let mut pyramid = pyramid
        .map(|(path, model)| {
            let size = PixelSize { width: size[1] as u32, height: size[0] as u32 };
            let facts = PyramidFacts { slide: SlideFacts::of(slide), model, size, frame };
            ProbabilityPyramid::begin(path, &facts)
        })
        .transpose()?;
    let mut keep = |row: &[f32]| -> Result<(), AnalyzeError> {
        Ok(pyramid.as_mut().map_or(Ok(()), |it| it.add_row(row))?)
    };
    let mut field = Field::new(size);
    let mut sides: BTreeMap<SideScale, (Field, f64)> = BTreeMap::new();
    for (i, window) in windows.iter().enumerate() {
        cancel.check()?;
        progress.report(i as u64, windows.len() as u64);
        let place = Place::of(*window, size);
        let (rgb, _) = read_block(slide, &grid, *window, PAD_VALUE)?;
        let rgb = place.cut(&rgb, window.columns * ALIGNMENT);
        let found = refiner
            .probabilities(&rgb, place.rows, place.columns)
            .map_err(|error| AnalyzeError::Compute(one_line(&error)))?;
        let Probabilities { mask, sides: on_sides } = found;
        field.add(place, &mask, &mut keep)?;
        for Side { scale, weight, probabilities } in on_sides {
            let (field, weights) = sides.entry(scale).or_insert_with(|| (Field::new(size), 0.0));
            field.add(place, &probabilities, &mut forget)?;
            *weights += weight;
        }
    }
    let extent = (frame, slide.size());
    let map = field.finish(extent, &mut keep)?;
    pyramid.map(|it| it.finish()?.publish()).transpose()?;
    let side = |(scale, (field, weights)): (SideScale, (Field, f64))| {
        let weight = weights / windows.len() as f64;
        Ok(SideMask { scale, weight, map: field.finish(extent, &mut forget)? })
    };
    let sides = sides.into_iter().map(side).collect::<Result<_, AnalyzeError>>()?;
    Ok(Refined { map, sides })
}

/// A map on its way down the slide.
#[derive(Debug)]
struct Field {
    size: [usize; 2],
    band: Band,
    overview: Overview,
}

impl Field {
    /// Of a slide of that height and width in network px.
    fn new(size: [usize; 2]) -> Self {
        Self { size, band: Band::new(size), overview: Overview::new(size) }
    }

    /// Blends a window in; rows above it are done, and `keep` has them too.
    fn add(&mut self, place: Place, p: &[f32], keep: &mut Keep<'_>) -> Result<(), AnalyzeError> {
        self.release(place.top, keep)?;
        self.band.add(place, p);
        Ok(())
    }

    fn release(&mut self, end: usize, keep: &mut Keep<'_>) -> Result<(), AnalyzeError> {
        let overview = &mut self.overview;
        self.band.release(end, &mut |row: &[f32]| {
            overview.add_row(row);
            keep(row)
        })
    }

    /// The map, on the frame under its network px.
    fn finish(
        mut self,
        (frame, slide): (Level0Rect, PixelSize),
        keep: &mut Keep<'_>,
    ) -> Result<Heatmap, AnalyzeError> {
        self.release(self.size[0], keep)?;
        let map = self.overview.finish(frame, slide);
        map.map_err(|error| AnalyzeError::Compute(error.to_string()))
    }
}

/// Takes a row that is done.
type Keep<'a> = dyn FnMut(&[f32]) -> Result<(), AnalyzeError> + 'a;

/// Of maps that are wanted as an overview alone.
fn forget(_row: &[f32]) -> Result<(), AnalyzeError> {
    Ok(())
}

/// The slide in network px, rounded up.
fn network_size(slide: &Slide, grid: &PatchGrid) -> [usize; 2] {
    let side =
        |level0: u32, scale: f64| (f64::from(level0) / scale - 1e-3).ceil().max(1.0) as usize;
    [side(slide.size().height, grid.scale.y), side(slide.size().width, grid.scale.x)]
}

/// Whether a heatmap is above 0 somewhere in a rectangle or a cell beside it.
fn responds(heatmap: &Heatmap, rect: Level0Rect) -> bool {
    let (size, frame) = (heatmap.size(), heatmap.frame());
    let cells = |start: f64, length: f64, frame: f64, n: u32| {
        let cell = frame / f64::from(n);
        let first = (start / cell - 1.0).floor().max(0.0) as u32;
        first..(((start + length) / cell + 1.0).ceil().max(0.0) as u32).min(n)
    };
    let columns = cells(rect.x - frame.x, rect.width, frame.width, size.width);
    cells(rect.y - frame.y, rect.height, frame.height, size.height).any(|row| {
        columns.clone().any(|column| {
            let at = row as usize * size.width as usize + column as usize;
            heatmap.values().get(at).is_some_and(|it| 0.0 < *it)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stage_1_responds_in_cells_under_and_beside_a_rectangle() {
        let mut values = vec![0.0; 16];
        values[5] = 0.3;
        let frame = Level0Rect { x: 0.0, y: 0.0, width: 400.0, height: 400.0 };
        let map = Heatmap::new(PixelSize { width: 4, height: 4 }, values, frame).unwrap();
        let square = |x: f64, y: f64| Level0Rect { x, y, width: 50.0, height: 50.0 };
        assert!(responds(&map, square(110.0, 110.0)) && responds(&map, square(220.0, 120.0)));
        assert!(!responds(&map, square(340.0, 340.0)));
    }
}
