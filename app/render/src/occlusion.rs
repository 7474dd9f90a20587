//! Leaves out tiles that nobody would see: a parent under a complete layer of sharper tiles.
//!
//! All edges are multiples of 1/256 pixel, so areas are exact sums and no tolerance is needed.

use domain::id::LevelIndex;

use crate::canvas::CanvasRect;

/// A tile of `level` that shows in `visible`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(crate) level: LevelIndex,
    pub(crate) visible: CanvasRect,
}

/// Whether the tiles of one level among `later`, which are drawn after it, cover all of `tile`.
/// Tiles of one level do not overlap each other.
pub(crate) fn is_covered(tile: Shown, later: &[Shown]) -> bool {
    later.iter().enumerate().any(|(index, first)| {
        let is_first = !later[..index].iter().any(|before| before.level == first.level);
        is_first && tile.visible.area() <= covered_area(tile, first.level, later)
    })
}

fn covered_area(tile: Shown, level: LevelIndex, later: &[Shown]) -> f64 {
    later
        .iter()
        .filter(|other| other.level == level)
        .filter_map(|other| tile.visible.intersection(other.visible))
        .map(CanvasRect::area)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(level: u16, left: f64, top: f64, right: f64, bottom: f64) -> Shown {
        let visible = CanvasRect { left, top, right, bottom };
        Shown { level: LevelIndex(level), visible }
    }

    #[test]
    fn a_parent_is_covered_only_by_all_of_its_children() {
        let parent = shown(1, 0.0, 0.0, 100.5, 100.0);
        let left = shown(0, -50.0, 0.0, 50.25, 100.0);
        let right = shown(0, 50.25, -7.0, 200.0, 100.0);
        assert!(is_covered(parent, &[left, right]));
        assert!(!is_covered(parent, &[left]));
        assert!(!is_covered(parent, &[]));
    }

    #[test]
    fn halves_of_two_levels_cover_nothing() {
        let tile = shown(2, 0.0, 0.0, 100.0, 100.0);
        let half = |level| shown(level, 0.0, 0.0, 50.0, 100.0);
        assert!(!is_covered(tile, &[half(1), half(0)]));
    }
}
