//! The open slide as a network in training sees it, as a small picture.

use std::cell::OnceCell;
use std::sync::Arc;

use domain::coords::{Level0Px, Level0Rect};
use domain::pixels::Pixels;
use model::train::EpochLook;
use render::colormap::colors;
use render::frame::Colormap;
use slide::Slide;

use crate::jobs::part::{Part, read_part};
use crate::state::picture::Picture;
use crate::state::training::looks::Looked;

/// Longest side that is read; half of it on a screen of double density.
const SIDE_PX: f64 = 480.0;
/// How much of the slide the highest values cover.
const OPACITY: f32 = 0.65;

/// Draws what is seen of one part of a slide, which is read once.
pub(super) struct Painter<'a> {
    slide: &'a Slide,
    part: OnceCell<Option<Part>>,
}

impl<'a> Painter<'a> {
    pub(super) fn new(slide: &'a Slide) -> Self {
        Self { slide, part: OnceCell::new() }
    }

    /// The part under the heatmap, with the heatmap over it; without a picture if the slide cannot be read there.
    pub(super) fn looked(&self, look: &EpochLook) -> Looked {
        let part = self.part.get_or_init(|| read(self.slide, look.heatmap.frame()));
        let picture = part.as_ref().and_then(|part| painted(part, look));
        Looked { epoch: look.epoch, probability: look.probability, picture: picture.map(Arc::new) }
    }
}

/// What lies under `frame` and on the slide.
fn read(slide: &Slide, frame: Level0Rect) -> Option<Part> {
    let size = slide.size();
    let width = (f64::from(size.width) - frame.x).min(frame.width);
    let height = (f64::from(size.height) - frame.y).min(frame.height);
    read_part(slide, Level0Rect { width, height, ..frame }, SIDE_PX)
}

fn painted(part: &Part, look: &EpochLook) -> Option<Picture> {
    let palette: Vec<[u8; 3]> = colors(Colormap::Cividis).collect();
    let (size, frame) = (part.pixels.size(), look.heatmap.frame());
    let place = |start: f64, i: u32| start + (f64::from(i) + 0.5) * part.step;
    let mut rgba = Vec::with_capacity(part.pixels.rgba().len());
    for y in 0..size.height {
        for x in 0..size.width {
            let at = Level0Px { x: place(frame.x, x), y: place(frame.y, y) };
            let below = part.pixels.get(x, y).unwrap_or_default();
            rgba.extend(tinted(below, look.heatmap.sample(at), &palette));
        }
    }
    Pixels::new(size, rgba).map(Picture::new)
}

/// A pixel under a value of the map, `0.0..=1.0`: the higher, the more of the color.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shares of 255")]
fn tinted([red, green, blue, alpha]: [u8; 4], value: f32, palette: &[[u8; 3]]) -> [u8; 4] {
    let last = palette.len().saturating_sub(1);
    let color = palette.get((value * 255.0).round() as usize).or(palette.get(last));
    let share = OPACITY * value;
    let mixed = |below: u8, above: u8| {
        (f32::from(below) * (1.0 - share) + f32::from(above) * share).round() as u8
    };
    match color {
        Some([r, g, b]) => [mixed(red, *r), mixed(green, *g), mixed(blue, *b), alpha],
        None => [red, green, blue, alpha],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::coords::PixelSize;
    use domain::heatmap::Heatmap;

    fn look(frame: Level0Rect, values: Vec<f32>) -> EpochLook {
        let heatmap = Heatmap::new(PixelSize { width: 2, height: 1 }, values, frame).unwrap();
        EpochLook { epoch: 3, probability: 0.7, heatmap }
    }

    #[test]
    fn low_values_leave_the_slide_as_it_is_and_high_ones_color_it() {
        let palette: Vec<[u8; 3]> = colors(Colormap::Cividis).collect();
        assert_eq!(tinted([10, 20, 30, 255], 0.0, &palette), [10, 20, 30, 255]);
        let [r, g, b] = palette[255];
        let [red, green, blue, alpha] = tinted([0, 0, 0, 255], 1.0, &palette);
        let nearly = |a: u8, b: u8| (f32::from(a) - OPACITY * f32::from(b)).abs() < 1.0;
        assert!(nearly(red, r) && nearly(green, g) && nearly(blue, b) && alpha == 255);
    }

    #[test]
    fn the_picture_shows_the_part_under_the_heatmap_and_no_more_than_the_slide() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/demo/cmu-1-small-region.svs");
        let slide = Slide::open(std::path::Path::new(path)).unwrap();
        let size = slide.size();
        let frame = Level0Rect { x: 1000.0, y: 500.0, width: 100.0, height: 50.0 };
        let part = read(&slide, frame).unwrap();
        assert_eq!(part.pixels.size(), PixelSize { width: 100, height: 50 });
        let wide = Level0Rect { width: 1e6, height: 1e6, ..frame };
        let part = read(&slide, wide).unwrap();
        assert!(part.pixels.size().width as f64 * part.step < f64::from(size.width) - 990.0);
        let looked = Painter::new(&slide).looked(&look(frame, vec![0.0, 1.0]));
        assert_eq!((looked.epoch, looked.probability), (3, 0.7));
        assert!(looked.picture.is_some());
    }
}
