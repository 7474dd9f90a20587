//! How much of each spatial frequency a patch holds, whatever its direction.

use domain::bands::{BandEdges, radius};
use domain::pixels::Pixels;
use rustfft::num_complex::Complex;

use super::image_bands::Transform;

/// Rings from 0 to the Nyquist frequency.
const RINGS: usize = 32;

/// Mean power per ring of frequencies. What lies beyond Nyquist, along diagonals, is left out.
#[derive(Clone, Debug, PartialEq)]
pub struct RadialSpectrum {
    /// Middle of each ring, relative to Nyquist.
    pub frequencies: Vec<f32>,
    /// Mean square of the luma's amplitudes in each ring, of luma in `0.0..=1.0`; the mean gray is left out.
    pub power: Vec<f32>,
}

impl RadialSpectrum {
    /// One ring after the other.
    fn of(power: &[f32]) -> Self {
        let middle = |ring: usize| (ring as f32 + 0.5) / RINGS as f32;
        Self { frequencies: (0..power.len()).map(middle).collect(), power: power.to_vec() }
    }

    /// Shares of the contrast in the low, middle and high band, which add up to 1; all 0 where there is no contrast.
    pub fn shares(&self, edges: BandEdges) -> [f64; 3] {
        let mut sums = [0.0; 3];
        for (frequency, power) in self.frequencies.iter().zip(&self.power) {
            let frequency = f64::from(*frequency);
            // Rings hold as many frequencies as they are long.
            let contrast = frequency * f64::from(*power);
            let (low, high) = edges.shares(frequency);
            for (sum, share) in sums.iter_mut().zip([low, 1.0 - low - high, high]) {
                *sum += share * contrast;
            }
        }
        let total: f64 = sums.iter().sum();
        sums.map(|sum| if 0.0 < total { sum / total } else { 0.0 })
    }
}

/// The spectrum of a patch; a window lets it fade towards its edges, so that these do not count as frequencies. Without a pixel all is 0.
pub fn radial_spectrum(pixels: &Pixels) -> RadialSpectrum {
    let (height, width) = (pixels.size().height as usize, pixels.size().width as usize);
    if width == 0 || height == 0 {
        return RadialSpectrum::of(&[0.0; RINGS]);
    }
    let spectrum = Transform::new(height, width).forward(faded(pixels));
    let (mut sums, mut counts) = ([0.0; RINGS], [0usize; RINGS]);
    for (at, value) in spectrum.iter().enumerate() {
        // Transposed: columns are rows.
        let ring = (radius((at % height, height), (at / height, width)) * RINGS as f64) as usize;
        if let (Some(sum), Some(count)) = (sums.get_mut(ring), counts.get_mut(ring)) {
            *sum += f64::from(value.norm_sqr());
            *count += 1;
        }
    }
    let n = spectrum.len().max(1) as f64;
    let mean = |(sum, count): (&f64, &usize)| (sum / (*count).max(1) as f64 / n) as f32;
    let power: Vec<f32> = sums.iter().zip(&counts).map(mean).collect();
    RadialSpectrum::of(&power)
}

/// Luma less its mean, faded.
fn faded(pixels: &Pixels) -> Vec<Complex<f32>> {
    let (height, width) = (pixels.size().height as usize, pixels.size().width as usize);
    let luma = |pixel: &[u8; 4]| {
        let [r, g, b, _] = pixel.map(f32::from);
        (0.299 * r + 0.587 * g + 0.114 * b) / 255.0
    };
    let lumas: Vec<f32> = pixels.rgba().as_chunks::<4>().0.iter().map(luma).collect();
    let mean = lumas.iter().copied().map(f64::from).sum::<f64>() / lumas.len().max(1) as f64;
    let hann = |at: usize, length: usize| {
        let phase = std::f32::consts::TAU * (at as f32 + 0.5) / length as f32;
        0.5 - 0.5 * phase.cos()
    };
    let faded = |(at, luma): (usize, &f32)| {
        let window = hann(at % width, width) * hann(at / width, height);
        Complex::new((luma - mean as f32) * window, 0.0)
    };
    lumas.iter().enumerate().map(faded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::coords::PixelSize;

    /// Stripes of `cycles` over 96 pixels, across or down.
    fn stripes(cycles: f64, is_across: bool) -> Pixels {
        let value = |at: u32| {
            let place = if is_across { at % 96 } else { at / 96 };
            let wave = (std::f64::consts::TAU * cycles * f64::from(place) / 96.0).cos();
            (127.0 + 100.0 * wave) as u8
        };
        let size = PixelSize { width: 96, height: 80 };
        let rgba = (0..96 * 80).flat_map(|at| [value(at), value(at), value(at), 255]);
        Pixels::new(size, rgba.collect()).unwrap()
    }

    #[test]
    fn stripes_peak_at_their_frequency_in_any_direction() {
        for (cycles, is_across) in [(12.0, true), (12.0, false), (36.0, true)] {
            let spectrum = radial_spectrum(&stripes(cycles, is_across));
            let highest =
                (0..RINGS).max_by(|a, b| spectrum.power[*a].total_cmp(&spectrum.power[*b]));
            let found = spectrum.frequencies[highest.unwrap()];
            assert!((f64::from(found) - cycles / 48.0).abs() < 0.05, "{cycles}: {found}");
        }
    }

    #[test]
    fn the_contrast_of_stripes_lies_in_their_band() {
        let edges = BandEdges::default();
        for (cycles, band) in [(4.0, 0), (20.0, 1), (44.0, 2)] {
            let shares = radial_spectrum(&stripes(cycles, true)).shares(edges);
            assert!(0.95 < shares[band], "{cycles}: {shares:?}");
            assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_flat_patch_has_no_power_and_an_empty_one_none_either() {
        let power = |width, height| {
            let patch = Pixels::filled(PixelSize { width, height }, [120, 90, 200, 255]);
            radial_spectrum(&patch).power.iter().fold(0.0f32, |a, b| a.max(*b))
        };
        assert!(power(64, 64) < 1e-9);
        assert_eq!(power(0, 0), 0.0);
    }
}
