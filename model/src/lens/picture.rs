//! The visible field as 8-bit pixels, taken apart into bands for the screen.

use domain::bands::BandEdges;
use domain::coords::PixelSize;
use domain::pixels::Pixels;

use super::Band;
use super::image_bands::{ImageBands, LensError, Planes, rest, split};

/// Share of the values that a band is drawn without clipping.
const DRAWN_SHARE: f64 = 0.995;

/// A picture's bands. Red, green, blue planes, each row-major; they sum to the picture in `0.0..=1.0`.
#[derive(Clone, Debug, PartialEq)]
pub struct PictureBands {
    bands: ImageBands,
}

impl PictureBands {
    /// Takes a picture apart; transparent pixels have the color they hide.
    ///
    /// # Errors
    /// If the picture is empty or the edges are out of order.
    pub fn of(pixels: &Pixels, edges: BandEdges) -> Result<Self, LensError> {
        let values = planes_of(pixels);
        let PixelSize { width, height } = pixels.size();
        let planes = Planes { values: &values, height: height as usize, width: width as usize };
        Ok(Self { bands: split(planes, edges)? })
    }

    /// From the low and the high band of a picture, each as [`Self::planes`] has it; the middle one is what they leave.
    ///
    /// # Errors
    /// If they are not of the picture's shape.
    pub fn of_outer(pixels: &Pixels, low: Vec<f32>, high: Vec<f32>) -> Result<Self, LensError> {
        let values = planes_of(pixels);
        let PixelSize { width, height } = pixels.size();
        let other = [low.len(), high.len()].into_iter().find(|it| *it != values.len());
        if let Some(found) = other {
            let (height, width) = (height as usize, width as usize);
            return Err(LensError::Shape { height, width, found });
        }
        let mid = rest(&values, &low, &high);
        Ok(Self { bands: ImageBands { low, mid, high } })
    }

    /// The planes of one band.
    pub fn planes(&self, band: Band) -> &[f32] {
        match band {
            Band::Low => &self.bands.low,
            Band::Mid => &self.bands.mid,
            Band::High => &self.bands.high,
        }
    }

    /// What nearly all values of a band, which lie around 0, do not exceed in size; positive.
    pub fn amplitude(&self, band: Band) -> f32 {
        let mut sizes: Vec<f32> = self.planes(band).iter().map(|it| it.abs()).collect();
        let at = ((sizes.len() as f64 * DRAWN_SHARE) as usize).min(sizes.len().saturating_sub(1));
        let size = match sizes.get_mut(at) {
            Some(_) => *sizes.select_nth_unstable_by(at, f32::total_cmp).1,
            None => 0.0,
        };
        // A flat picture has rounding errors for bands: they are not to be blown up.
        size.max(1.0 / 255.0)
    }
}

/// Red, green and blue as planes of `0.0..=1.0`.
fn planes_of(pixels: &Pixels) -> Vec<f32> {
    let rgba = pixels.rgba().as_chunks::<4>().0;
    let plane = |channel: usize| rgba.iter().map(move |it| f32::from(it[channel]) / 255.0);
    (0..3).flat_map(plane).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Pixels {
        let size = PixelSize { width: 61, height: 40 };
        let value = |at: u32| ((at.wrapping_mul(2_654_435_761) >> 13) % 256) as u8;
        let rgba = (0..61 * 40).flat_map(|at| [value(at), value(at + 9), (at % 61) as u8, 255]);
        Pixels::new(size, rgba.collect()).unwrap()
    }

    #[test]
    fn bands_sum_to_the_very_pixels() {
        let pixels = picture();
        for edges in [BandEdges::default(), BandEdges { low: 0.05, high: 1.1, soft: 0.1 }] {
            let bands = PictureBands::of(&pixels, edges).unwrap();
            let parts = [Band::Low, Band::Mid, Band::High].map(|band| bands.planes(band));
            for (at, pixel) in pixels.rgba().as_chunks::<4>().0.iter().enumerate() {
                for (channel, value) in pixel[..3].iter().enumerate() {
                    let at = channel * 61 * 40 + at;
                    let sum = parts.iter().map(|it| it[at]).sum::<f32>() * 255.0;
                    assert!((sum - f32::from(*value)).abs() < 0.01, "{sum}");
                }
            }
        }
    }

    #[test]
    fn outer_bands_of_another_source_bring_the_same_middle_one_or_are_refused() {
        let pixels = picture();
        let bands = PictureBands::of(&pixels, BandEdges::default()).unwrap();
        let outer = |n: usize| {
            let [low, high] = [Band::Low, Band::High].map(|band| bands.planes(band).to_vec());
            PictureBands::of_outer(&pixels, low, high[..n].to_vec())
        };
        assert_eq!(outer(3 * 61 * 40).unwrap(), bands);
        assert!(matches!(outer(61), Err(LensError::Shape { found: 61, .. })));
    }

    #[test]
    fn the_amplitude_leaves_the_largest_values_out() {
        let bands = PictureBands::of(&picture(), BandEdges::default()).unwrap();
        let values = bands.planes(Band::High);
        let amplitude = bands.amplitude(Band::High);
        let beyond = values.iter().filter(|it| amplitude < it.abs()).count();
        assert_eq!(beyond, values.len() - (values.len() as f64 * DRAWN_SHARE) as usize - 1);
        let flat = Pixels::filled(PixelSize { width: 8, height: 8 }, [90; 4]);
        let flat = PictureBands::of(&flat, BandEdges::default()).unwrap();
        assert_eq!(flat.amplitude(Band::High), 1.0 / 255.0);
    }
}
