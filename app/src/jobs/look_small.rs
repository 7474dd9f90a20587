//! Small pictures: of single annotations, and the label and macro that lie beside a slide.

use std::sync::Arc;

use domain::annotation::AnnotationId;
use domain::coords::{Level0Px, Level0Rect, PixelSize};
use domain::pixels::Pixels;
use slide::Slide;

use super::Outcome;
use super::part::read_part;
use super::runner::Runner;
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::picture::Picture;

/// Shortest side of a thumbnail that is read; half of it on a screen of double density.
const THUMBNAIL_PX: f64 = 64.0;

/// Of the surroundings on each side, in sides of what is shown.
const MARGIN: f64 = 0.15;

/// Longest side of a label or macro that is shown.
const ASSOCIATED_PX: u32 = 640;

/// Looks at these places of the open slide.
pub(super) fn start_thumbnails(
    wanted: Vec<(AnnotationId, Level0Rect)>,
    state: &mut State,
    runner: &mut Runner,
) {
    let Some(slide) = state.slide.clone() else { return };
    let generation = state.view.generation;
    let (kind, name) = (JobKind::Thumbnails, "thumbnails");
    runner.start(state, kind, name, String::new(), move |_progress, cancel| {
        let mut seen = Vec::new();
        for (id, bounds) in wanted {
            cancel.check()?;
            // What cannot be read is shown as nothing; the canvas marks damaged tiles.
            let picture = thumbnail(&slide, bounds).map(|pixels| Arc::new(Picture::new(pixels)));
            seen.push((id, bounds, picture));
        }
        Ok(Outcome::ThumbnailsSeen { generation, seen })
    });
}

/// A square around `bounds`, from the level that has just enough pixels.
fn thumbnail(slide: &Slide, bounds: Level0Rect) -> Option<Pixels> {
    let side = bounds.width.max(bounds.height).max(1.0) * (1.0 + 2.0 * MARGIN);
    let Level0Px { x, y } = bounds.center();
    let square = Level0Rect { x: x - side / 2.0, y: y - side / 2.0, width: side, height: side };
    read_part(slide, square, THUMBNAIL_PX).map(|part| part.pixels)
}

/// Reads a picture that lies beside the slide.
pub(super) fn start_associated(name: String, state: &mut State, runner: &mut Runner) {
    let Some(slide) = state.slide.clone() else { return };
    let generation = state.view.generation;
    let kind = JobKind::Silent;
    runner.start(state, kind, "associated", String::new(), move |_progress, _cancel| {
        let read = slide.read_associated(&name).map_err(|error| error.to_string());
        let picture = read.map(|pixels| Arc::new(Picture::new(reduced(&pixels))));
        Ok(Outcome::AssociatedRead { generation, name, picture })
    });
}

/// Every nth pixel, so that the longest side is short enough for a panel.
fn reduced(pixels: &Pixels) -> Pixels {
    let PixelSize { width, height } = pixels.size();
    let step = width.max(height).div_ceil(ASSOCIATED_PX).max(1);
    let size = PixelSize { width: width.div_ceil(step), height: height.div_ceil(step) };
    let at = |x, y| pixels.get(x, y).unwrap_or_default();
    let rows = (0..height).step_by(usize::try_from(step).unwrap_or(1));
    let columns = || (0..width).step_by(usize::try_from(step).unwrap_or(1));
    let rgba = rows.flat_map(|y| columns().flat_map(move |x| at(x, y))).collect();
    Pixels::new(size, rgba).unwrap_or_else(|| pixels.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_label_is_made_as_small_as_a_panel() {
        let large = Pixels::filled(PixelSize { width: 1300, height: 700 }, [9, 8, 7, 255]);
        let small = reduced(&large);
        assert_eq!(small.size(), PixelSize { width: 434, height: 234 });
        assert_eq!(small.get(433, 233), Some([9, 8, 7, 255]));
        let exact = Pixels::filled(PixelSize { width: 3, height: 5 }, [1; 4]);
        assert_eq!(reduced(&exact), exact);
    }

    #[test]
    fn a_thumbnail_shows_a_place_and_some_of_its_surroundings() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/demo/cmu-1-small-region.svs");
        let slide = Slide::open(std::path::Path::new(path)).unwrap();
        let place = Level0Rect { x: 100.0, y: 200.0, width: 100.0, height: 40.0 };
        for bounds in [place, Level0Rect::of_size(slide.size())] {
            let PixelSize { width, height } = thumbnail(&slide, bounds).unwrap().size();
            // The coarsest level fills one display tile.
            assert!((64..700).contains(&width) && width == height, "{width} x {height}");
        }
        let speck = Level0Rect { width: 4.0, height: 3.0, ..place };
        assert_eq!(thumbnail(&slide, speck).unwrap().size().width, 6);
    }
}
