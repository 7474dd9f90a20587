//! What *t* leaves over, for every *t*: area, number of lesions, the largest one. Prepared once, so that
//! all three follow a slider for the price of a binary search.
//!
//! The pixels of the heatmap's [`mask_raster`] are added from the highest value down. A new pixel is a
//! lesion of its own until it joins its neighbors to the left, right, above and below: the lesions of
//! [`contour::lesions`](crate::contour::lesions), which are connected in the same way.

use crate::coords::PixelSize;
use crate::heatmap::Heatmap;
use crate::mask::{BinaryThreshold, mask_raster, pixel_area_level0_px};

/// The lesions at one *t*.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LesionSummary {
    /// Area of all of them in level-0 pixels; equals that of [`BinaryMask::cut`](crate::mask::BinaryMask::cut).
    pub area_level0_px: f64,
    /// How many there are.
    pub n_lesions: u32,
    /// Area of the largest in level-0 pixels.
    pub largest_level0_px: f64,
}

/// The lesions at every *t*.
#[derive(Clone, Debug)]
pub struct LesionCurve {
    /// By falling value, one for each value of the field above 0.
    steps: Vec<Step>,
    pixel_area_level0_px: f64,
}

/// The lesions once all pixels of at least `value` are in.
#[derive(Clone, Copy, Debug)]
struct Step {
    value: f32,
    n_pixels: u32,
    n_lesions: u32,
    largest_pixels: u32,
}

impl LesionCurve {
    /// Floods the field of `heatmap`; takes up to some seconds, so not for the UI thread.
    pub fn new(heatmap: &Heatmap) -> Self {
        let raster = mask_raster(heatmap.frame());
        let mut flood = Flood::new(raster);
        let mut steps: Vec<Step> = Vec::new();
        for (value, pixel) in falling(&heatmap.resampled(raster)) {
            flood.add(pixel);
            let step = flood.step(value);
            match steps.last_mut() {
                Some(last) if value.total_cmp(&last.value).is_eq() => *last = step,
                _ => steps.push(step),
            }
        }
        Self { steps, pixel_area_level0_px: pixel_area_level0_px(heatmap.frame(), raster) }
    }

    /// The lesions where the field exceeds `threshold`.
    pub fn at(&self, threshold: BinaryThreshold) -> LesionSummary {
        let area = |n_pixels: u32| f64::from(n_pixels) * self.pixel_area_level0_px;
        self.step_at(threshold).map_or_else(LesionSummary::default, |step| LesionSummary {
            area_level0_px: area(step.n_pixels),
            n_lesions: step.n_lesions,
            largest_level0_px: area(step.largest_pixels),
        })
    }

    fn step_at(&self, threshold: BinaryThreshold) -> Option<Step> {
        let n_above = self.steps.partition_point(|step| threshold.is_exceeded_by(step.value));
        self.steps.get(n_above.checked_sub(1)?).copied()
    }

    /// How often the field takes which value: pixels of the raster in `n_bins` equal parts of `0.0..=1.0`,
    /// each without its lower and with its upper end. Pixels of value 0 are not counted.
    #[expect(clippy::cast_possible_truncation, reason = "bin edges lie between 0 and 1")]
    pub fn histogram(&self, n_bins: u16) -> Vec<u64> {
        let n_above = |bin: u16| {
            let edge = BinaryThreshold::clamped((f64::from(bin) / f64::from(n_bins)) as f32);
            self.step_at(edge).map_or(0, |step| step.n_pixels)
        };
        (0..n_bins).map(|bin| u64::from(n_above(bin).saturating_sub(n_above(bin + 1)))).collect()
    }
}

/// Values above 0 with the index of their pixel, the highest first.
fn falling(values: &[f32]) -> Vec<(f32, u32)> {
    let mut order: Vec<(f32, u32)> =
        values.iter().copied().zip(0..).filter(|(value, _)| 0.0 < *value).collect();
    order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    order
}

/// Marks a pixel that is not in yet.
const DRY: u32 = u32::MAX;

/// Pixels that are in, joined to lesions: each points towards the root of its lesion.
struct Flood {
    raster: PixelSize,
    /// By pixel, row-major; [`DRY`] if it is not in.
    parents: Vec<u32>,
    /// By root: pixels of its lesion.
    sizes: Vec<u32>,
    n_pixels: u32,
    n_lesions: u32,
    largest_pixels: u32,
}

impl Flood {
    fn new(raster: PixelSize) -> Self {
        let n = usize::try_from(raster.area()).unwrap_or(0);
        Self {
            raster,
            parents: vec![DRY; n],
            sizes: vec![1; n],
            n_pixels: 0,
            n_lesions: 0,
            largest_pixels: 0,
        }
    }

    fn step(&self, value: f32) -> Step {
        let Self { n_pixels, n_lesions, largest_pixels, .. } = *self;
        Step { value, n_pixels, n_lesions, largest_pixels }
    }

    fn add(&mut self, pixel: u32) {
        self.set_parent(pixel, pixel);
        self.n_pixels += 1;
        self.n_lesions += 1;
        self.largest_pixels = self.largest_pixels.max(1);
        let width = self.raster.width;
        let column = pixel % width;
        let left = (0 < column).then(|| pixel - 1);
        let right = (column + 1 < width).then(|| pixel + 1);
        let neighbors = [left, right, pixel.checked_sub(width), pixel.checked_add(width)];
        for neighbor in neighbors.into_iter().flatten() {
            if self.parent(neighbor) != DRY {
                self.join(pixel, neighbor);
            }
        }
    }

    /// Hangs the smaller lesion under the larger one.
    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        if a == b {
            return;
        }
        let (small, large) = if self.size(a) < self.size(b) { (a, b) } else { (b, a) };
        self.set_parent(small, large);
        let joined = self.size(small) + self.size(large);
        if let Some(size) = self.sizes.get_mut(index(large)) {
            *size = joined;
        }
        self.n_lesions -= 1;
        self.largest_pixels = self.largest_pixels.max(joined);
    }

    /// Shortens the way for whoever asks next.
    fn root(&mut self, pixel: u32) -> u32 {
        let mut at = pixel;
        loop {
            let parent = self.parent(at);
            if parent == at {
                return at;
            }
            let grandparent = self.parent(parent);
            self.set_parent(at, grandparent);
            at = grandparent;
        }
    }

    /// A pixel outside the raster is [`DRY`].
    fn parent(&self, pixel: u32) -> u32 {
        self.parents.get(index(pixel)).copied().unwrap_or(DRY)
    }

    fn set_parent(&mut self, pixel: u32, parent: u32) {
        if let Some(slot) = self.parents.get_mut(index(pixel)) {
            *slot = parent;
        }
    }

    fn size(&self, root: u32) -> u32 {
        self.sizes.get(index(root)).copied().unwrap_or(0)
    }
}

fn index(pixel: u32) -> usize {
    usize::try_from(pixel).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contour::lesions;
    use crate::coords::Level0Rect;
    use crate::mask::BinaryMask;

    /// Hills and valleys without any order.
    fn rough() -> Heatmap {
        let frame = Level0Rect { x: 7.0, y: 0.0, width: 130.0, height: 90.0 };
        let values =
            (0..117_u16).map(|i| f32::from(i * 53 % 101 * (i % 7) % 101) / 100.0).collect();
        Heatmap::new(PixelSize { width: 13, height: 9 }, values, frame).unwrap()
    }

    fn curve(width: u32, values: &[f32]) -> LesionCurve {
        let height = u32::try_from(values.len()).unwrap() / width;
        let frame =
            Level0Rect { x: 0.0, y: 0.0, width: f64::from(width), height: f64::from(height) };
        let size = PixelSize { width, height };
        LesionCurve::new(&Heatmap::new(size, values.to_vec(), frame).unwrap())
    }

    #[test]
    fn every_threshold_gives_the_area_of_the_mask_and_the_lesions_of_the_contour() {
        let heatmap = rough();
        let curve = LesionCurve::new(&heatmap);
        for step in 0..=100_u8 {
            let threshold = BinaryThreshold::clamped(f32::from(step) / 100.0);
            let traced = lesions(&heatmap, threshold, 0.0);
            let largest = traced.iter().map(|it| it.area_level0_px).fold(0.0, f64::max);
            let expected = LesionSummary {
                area_level0_px: BinaryMask::cut(&heatmap, threshold).area_level0_px(),
                n_lesions: u32::try_from(traced.len()).unwrap(),
                largest_level0_px: largest,
            };
            assert_eq!(curve.at(threshold), expected, "at {step} hundredths");
        }
    }

    #[test]
    fn pixels_that_touch_at_a_corner_are_two_lesions() {
        let curve = curve(2, &[1.0, 0.25, 0.25, 1.0]);
        assert_eq!(curve.at(BinaryThreshold::HALF).n_lesions, 2);
        assert_eq!(curve.at(BinaryThreshold::clamped(0.1)).n_lesions, 1);
    }

    #[test]
    fn the_end_of_a_row_does_not_touch_the_start_of_the_next() {
        let curve = curve(3, &[0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
        assert_eq!(curve.at(BinaryThreshold::HALF).n_lesions, 2);
    }

    #[test]
    fn an_empty_heatmap_has_no_lesion_at_any_threshold() {
        let curve = curve(2, &[0.0; 4]);
        assert_eq!(curve.at(BinaryThreshold::clamped(0.0)), LesionSummary::default());
        assert_eq!(curve.histogram(4), [0; 4]);
    }

    #[test]
    fn the_histogram_counts_every_value_above_zero_once() {
        let curve = curve(5, &[0.0, 0.25, 0.25, 0.26, 1.0]);
        assert_eq!(curve.histogram(4), [2, 1, 0, 1]);
    }
}
