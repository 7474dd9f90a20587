//! One zoom level: pictures that hold one or several of the camera's views, each where the camera stood.
//!
//! The camera's view is cut into `divisions` x `divisions` pictures at the finest zoom. Zooming out, a picture joins
//! ever more of them side by side, overlaps and all; once it holds several views, each must be laid where its view was.

use std::collections::BTreeMap;

use domain::coords::{LevelRect, PixelSize};

use super::picture::{DataFiles, decode, stored};
use super::{Positions, Record};
use crate::SlideError;
use crate::codec::jpeg::{self, Extent};
use crate::mosaic::Mosaic;
use crate::number::{to_u32, to_usize};
use crate::tile::{Part, Placement, Tile, TileSource};

/// What all levels share.
#[derive(Debug)]
pub(crate) struct Geometry {
    /// Pictures of the finest zoom in a row.
    pub(crate) across: u32,
    /// Pictures of the finest zoom in a column.
    pub(crate) down: u32,
    /// Pictures in a row or column of one camera view.
    pub(crate) divisions: u32,
    /// Size of a picture of the finest zoom.
    pub(crate) picture: PixelSize,
    /// Where the camera stood.
    pub(crate) positions: Positions,
}

/// How a level is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LevelLayout {
    /// Size in pixels.
    pub(crate) size: PixelSize,
    /// Size of a stored picture.
    pub(crate) picture: PixelSize,
    /// Pictures of the finest zoom in a row or column of a stored one: a power of two.
    pub(crate) n_joined: u32,
}

/// A level as tiles: one for each stored picture.
#[derive(Debug)]
pub(crate) struct MiraxLevel {
    layout: LevelLayout,
    files: DataFiles,
    records: Vec<Record>,
    mosaic: Mosaic,
}

impl Geometry {
    fn views_across(&self) -> u32 {
        self.across / self.divisions
    }

    /// The number of camera positions.
    pub(crate) fn n_views(&self) -> u64 {
        u64::from(self.views_across()) * u64::from(self.down / self.divisions)
    }

    /// The number of the camera view that shows picture `(col, row)` of the finest zoom.
    fn view(&self, col: u32, row: u32) -> Option<u32> {
        let (col, row) = (col / self.divisions, row / self.divisions);
        let is_inside = col < self.views_across() && row < self.down / self.divisions;
        is_inside.then(|| row * self.views_across() + col)
    }

    /// Which views hold a picture at the finest zoom; coarser pictures show black where there is none.
    pub(crate) fn seen(&self, finest: &[(u32, Record)]) -> Vec<bool> {
        let mut seen = vec![false; to_usize(self.n_views())];
        for &(number, _) in finest {
            let view = self.view(number % self.across, number / self.across);
            let view = view.filter(|&view| self.positions.get(view).is_some());
            if let Some(slot) = view.and_then(|view| seen.get_mut(to_usize(view))) {
                *slot = true;
            }
        }
        seen
    }

    /// Where picture `(col, row)` of the finest zoom lies in its pixels.
    fn place(&self, col: u32, row: u32, seen: &[bool]) -> Option<(f64, f64)> {
        let view = self.view(col, row)?;
        seen.get(to_usize(view)).filter(|&&seen| seen)?;
        let (x, y) = self.positions.get(view)?;
        let right = f64::from(col % self.divisions) * f64::from(self.picture.width);
        let below = f64::from(row % self.divisions) * f64::from(self.picture.height);
        Some((x + right, y + below))
    }
}

impl MiraxLevel {
    /// Lays out the pictures of the index.
    pub(crate) fn new(
        geometry: &Geometry,
        seen: &[bool],
        layout: LevelLayout,
        pictures: &[(u32, Record)],
        files: DataFiles,
    ) -> Self {
        // By number, which is the order of painting; of two with one number the later counts.
        let pictures: BTreeMap<u32, Record> = pictures.iter().copied().collect();
        let mut pieces = Vec::new();
        let mut records = Vec::new();
        for (number, record) in pictures {
            let (col, row) = (number % geometry.across, number / geometry.across);
            if col % layout.n_joined != 0 || row % layout.n_joined != 0 || geometry.down <= row {
                tracing::warn!("picture {number} of a zoom level lies off its grid");
                continue;
            }
            let tile = to_u32(records.len());
            records.push(record);
            add_pieces(&mut pieces, tile, (col, row), geometry, seen, layout);
        }
        pieces.sort_by_key(|(order, _)| *order);
        let mosaic = Mosaic::new(pieces.into_iter().map(|(_, piece)| piece).collect());
        Self { layout, files, records, mosaic }
    }
}

/// Adds the views that one stored picture holds, with their order of painting.
fn add_pieces(
    pieces: &mut Vec<((u32, u32), Placement)>,
    tile: u32,
    (col, row): (u32, u32),
    geometry: &Geometry,
    seen: &[bool],
    layout: LevelLayout,
) {
    let n_pieces = (layout.n_joined / geometry.divisions).max(1);
    let step = if n_pieces == 1 { layout.n_joined } else { geometry.divisions };
    let in_row = to_u32(u64::from(geometry.across - col).div_ceil(step.into())).min(n_pieces);
    let in_col = to_u32(u64::from(geometry.down - row).div_ceil(step.into())).min(n_pieces);
    for below in 0..in_col {
        for right in 0..in_row {
            let (col, row) = (col + right * step, row + below * step);
            let Some((x, y)) = geometry.place(col, row, seen) else { continue };
            let (left, width) = slice(layout.picture.width, right, n_pieces);
            let (top, height) = slice(layout.picture.height, below, n_pieces);
            let shrink = f64::from(layout.n_joined);
            let part = Part { x: left, y: top, size: PixelSize { width, height } };
            let (x, y) = (rounded(x / shrink), rounded(y / shrink));
            let piece = Placement { col: tile, row: 0, x, y, part };
            pieces.push(((row, col), piece));
        }
    }
}

/// Part number `index` of `n_parts` of a side: first pixel and length.
fn slice(side: u32, index: u32, n_parts: u32) -> (u32, u32) {
    let edge = |index: u32| to_u32(u64::from(side) * u64::from(index) / u64::from(n_parts));
    (edge(index), edge(index + 1) - edge(index))
}

#[expect(clippy::cast_possible_truncation, reason = "casts from floats saturate")]
fn rounded(value: f64) -> i64 {
    value.round() as i64
}

impl TileSource for MiraxLevel {
    fn size(&self) -> PixelSize {
        self.layout.size
    }

    fn tile_size(&self) -> PixelSize {
        self.layout.picture
    }

    fn tiles_under(&self, rect: LevelRect) -> Box<dyn Iterator<Item = Placement> + '_> {
        Box::new(self.mosaic.under(rect).into_iter())
    }

    fn read_part(&self, col: u32, _row: u32, part: Part) -> Option<Tile> {
        let stored = stored(&self.files, *self.records.get(to_usize(col))?).ok()?;
        jpeg::decode_less(&stored, None, false, self.layout.picture, Extent::Part(part))
            .map(Tile::intact)
    }

    fn read(&self, col: u32, _row: u32) -> Result<Tile, SlideError> {
        let Some(&record) = self.records.get(to_usize(col)) else { return Ok(Tile::background()) };
        let tile = stored(&self.files, record).and_then(|it| decode(&it, self.layout.picture));
        tile.or_else(|error| match error {
            SlideError::Io(_) => Err(error),
            damage => {
                tracing::warn!("a picture of a zoom level is lost: {damage}");
                Ok(Tile::lost())
            }
        })
    }
}
