//! Which tiles the camera needs: the coarsest first so that something is there, then what is visible
//! from the middle outwards, then one ring around it, then the level above for zooming out.

use domain::coords::{Camera, Level0Px, Level0Rect, LevelRect, PixelSize};
use domain::id::{LevelIndex, TILE_PX, TileKey};
use slide::Level;

/// The coarsest level whose pixels are not larger than the screen's.
pub(crate) fn target_level(levels: &[Level], level0_per_device_px: f64) -> LevelIndex {
    // A hair of tolerance: at exactly 1:4 a level of 4.0001 is meant.
    let limit = level0_per_device_px.max(1.0) * 1.01;
    let n_fine_enough = levels.iter().take_while(|level| level.downsample.get() <= limit).count();
    index(n_fine_enough.saturating_sub(1))
}

/// The level with the fewest pixels.
pub(crate) fn coarsest(levels: &[Level]) -> LevelIndex {
    index(levels.len().saturating_sub(1))
}

fn index(level: usize) -> LevelIndex {
    LevelIndex(u16::try_from(level).unwrap_or(u16::MAX))
}

/// All tiles the camera needs, the most urgent first.
pub(crate) fn wanted(levels: &[Level], camera: &Camera, level0_per_device_px: f64) -> Vec<TileKey> {
    let target = target_level(levels, level0_per_device_px);
    let visible = camera.visible();
    let base = covering(
        levels,
        coarsest(levels),
        Level0Rect { x: 0.0, y: 0.0, width: f64::MAX, height: f64::MAX },
    );
    let ring = levels
        .get(usize::from(target.0))
        .map_or(0.0, |level| f64::from(TILE_PX) * level.downsample.get());
    let coarser = LevelIndex((target.0 + 1).min(coarsest(levels).0));
    let parts = [
        base,
        outwards(levels, camera.center, covering(levels, target, visible)),
        outwards(levels, camera.center, covering(levels, target, grown(visible, ring))),
        outwards(levels, camera.center, covering(levels, coarser, grown(visible, ring))),
    ];
    let mut seen = std::collections::BTreeSet::new();
    parts.into_iter().flatten().filter(|key| seen.insert(*key)).collect()
}

/// The tiles of a level that share pixels with `area`, row by row.
pub(crate) fn covering(levels: &[Level], level: LevelIndex, area: Level0Rect) -> Vec<TileKey> {
    let Some(shape) = levels.get(usize::from(level.0)) else { return Vec::new() };
    let side = f64::from(TILE_PX) * shape.downsample.get();
    let cols = span(area.x, area.width, side, shape.size.width);
    let rows = span(area.y, area.height, side, shape.size.height);
    rows.flat_map(|row| cols.clone().map(move |col| TileKey { level, col, row })).collect()
}

/// Tile indices along one axis; `side` in level-0 pixels, `length_px` in pixels of the level.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the number of tiles just before"
)]
fn span(start: f64, length: f64, side: f64, length_px: u32) -> std::ops::Range<u32> {
    let n_tiles = length_px.div_ceil(TILE_PX);
    let clamped = |tile: f64| tile.clamp(0.0, f64::from(n_tiles)) as u32;
    clamped((start / side).floor())..clamped(((start + length) / side).ceil())
}

/// What a tile covers; the last ones of a row or column are smaller.
pub(crate) fn tile_area(levels: &[Level], key: TileKey) -> Option<Level0Rect> {
    let level = levels.get(usize::from(key.level.0))?;
    let (x, y) = (key.col.checked_mul(TILE_PX)?, key.row.checked_mul(TILE_PX)?);
    let width = level.size.width.checked_sub(x)?.min(TILE_PX);
    let height = level.size.height.checked_sub(y)?.min(TILE_PX);
    let rect = LevelRect { x: i64::from(x), y: i64::from(y), size: PixelSize { width, height } };
    Some(level.downsample.level0_from_level_rect(rect))
}

fn grown(area: Level0Rect, by: f64) -> Level0Rect {
    Level0Rect {
        x: area.x - by,
        y: area.y - by,
        width: area.width + 2.0 * by,
        height: area.height + 2.0 * by,
    }
}

/// Sorted by distance from the middle of the canvas.
fn outwards(levels: &[Level], center: Level0Px, mut keys: Vec<TileKey>) -> Vec<TileKey> {
    let distance = |key: &TileKey| {
        let middle = tile_area(levels, *key).map_or(center, Level0Rect::center);
        (middle.x - center.x).hypot(middle.y - center.y)
    };
    keys.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::samples;
    use domain::coords::{ScreenPt, Turn};

    fn key(level: u16, col: u32, row: u32) -> TileKey {
        TileKey { level: LevelIndex(level), col, row }
    }

    #[test]
    fn the_level_is_never_coarser_than_the_screen_and_never_finer_than_needed() {
        let levels = samples::facts().levels;
        let target = |zoom: f64| target_level(&levels, zoom).0;
        assert_eq!([0.1, 1.0, 3.9, 4.0, 7.9, 8.0, 99.0].map(target), [0, 0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn tiles_cover_an_area_and_no_more() {
        let levels = samples::facts().levels;
        let area = Level0Rect { x: 511.0, y: 600.0, width: 2.0, height: 10.0 };
        assert_eq!(covering(&levels, LevelIndex(0), area), [key(0, 0, 1), key(0, 1, 1)]);
        let outside = Level0Rect { x: -900.0, y: 0.0, width: 800.0, height: 10.0 };
        assert_eq!(covering(&levels, LevelIndex(0), outside), []);
    }

    #[test]
    fn the_last_tile_of_a_row_ends_at_the_edge_of_the_slide() {
        let levels = samples::facts().levels;
        let area = tile_area(&levels, key(0, 7, 3)).unwrap();
        assert_eq!((area.x + area.width, area.y + area.height), (4000.0, 2000.0));
        assert_eq!(tile_area(&levels, key(0, 8, 0)), None);
    }

    #[test]
    fn the_coarsest_tile_comes_first_then_the_middle_of_the_canvas() {
        let levels = samples::facts().levels;
        let camera = Camera {
            center: Level0Px { x: 1800.0, y: 800.0 },
            level0_per_pt: 1.0,
            canvas: ScreenPt { x: 1000.0, y: 800.0 },
            turn: Turn::NONE,
        };
        let wanted = wanted(&levels, &camera, 1.0);
        assert_eq!(wanted[..2], [key(2, 0, 0), key(0, 3, 1)]);
        let n_visible = covering(&levels, LevelIndex(0), camera.visible()).len();
        let is_visible =
            |key: &TileKey| tile_area(&levels, *key).unwrap().overlaps(camera.visible());
        assert!(wanted[1..=n_visible].iter().all(is_visible));
        assert!(
            wanted[n_visible + 1..].iter().filter(|key| key.level.0 == 0).all(|it| !is_visible(it))
        );
        assert_eq!(wanted.last().unwrap().level, LevelIndex(1));
    }

    #[test]
    fn no_tile_is_wanted_twice() {
        let levels = samples::facts().levels;
        let canvas = ScreenPt { x: 100.0, y: 100.0 };
        let camera = Camera::fit(Level0Rect::of_size(levels[0].size), canvas, Turn::NONE);
        let wanted = wanted(&levels, &camera, camera.level0_per_pt);
        assert_eq!(wanted, [key(2, 0, 0)]);
    }
}
