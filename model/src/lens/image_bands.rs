//! A picture as the sum of three: its low, middle and high spatial frequencies.
//!
//! Frequencies, edges and the mirrored margin are those of [`domain::bands`]. Where there is a graphics processor, `render` does the
//! same with compute shaders.

use std::sync::{Arc, PoisonError};

use domain::bands::{BandEdges, margin, radius};
use rayon::prelude::*;
use rustfft::Fft;
use rustfft::num_complex::Complex;
use rustfft::num_traits::Zero as _;

use crate::nn::real::Real;

/// A picture of any number of channels, one after the other, each row-major.
#[derive(Clone, Copy, Debug)]
pub struct Planes<'a, T = f32> {
    /// `[channels, height, width]`.
    pub values: &'a [T],
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// The parts of a picture; they sum to it, and each has its shape.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageBands<T = f32> {
    /// Below the low edge: staining and shading, the mean included.
    pub low: Vec<T>,
    /// Between the edges: glands and nuclei.
    pub mid: Vec<T>,
    /// Above the high edge: chromatin texture, noise.
    pub high: Vec<T>,
}

/// Why a picture cannot be taken apart.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LensError {
    /// The values do not fill whole planes.
    #[error("expected planes of {height} x {width} values, found {found} values")]
    Shape {
        /// Rows of a plane.
        height: usize,
        /// Columns of a plane.
        width: usize,
        /// Values there are.
        found: usize,
    },
    /// The edges are not in order.
    #[error("expected 0 <= low <= high and a width of 0 or more, found {0:?}")]
    Edges(BandEdges),
}

/// Takes a picture apart. The middle band is what the others leave, so that the three sum to the picture.
///
/// # Errors
/// If the values do not fill whole planes, or the edges are out of order.
pub fn split(image: Planes<'_>, edges: BandEdges) -> Result<ImageBands, LensError> {
    split_as(image, edges)
}

/// [`split`] in either precision.
pub(crate) fn split_as<T: Real>(
    image: Planes<'_, T>,
    edges: BandEdges,
) -> Result<ImageBands<T>, LensError> {
    let Planes { values, height, width } = image;
    let plane = height * width;
    if plane == 0 || values.len() % plane != 0 {
        return Err(LensError::Shape { height, width, found: values.len() });
    }
    if !edges.is_in_order() {
        return Err(LensError::Edges(edges));
    }
    let frame = Frame::around(height, width);
    let transform = Transform::new(frame.height, frame.width);
    let [of_low, of_high] = transform.gains(edges);
    let (mut low, mut high) = (vec![T::zero(); values.len()], vec![T::zero(); values.len()]);
    let outputs = low.par_chunks_mut(2 * plane).zip(high.par_chunks_mut(2 * plane));
    values.par_chunks(2 * plane).zip(outputs).for_each(|(pair, (low, high))| {
        let (first, second) = pair.split_at(plane);
        let spectrum = transform.forward(frame.mirror(first, second));
        for (gains, to) in [(&of_low, low), (&of_high, high)] {
            let field = transform.inverse(&spectrum, gains);
            let (first, second) = to.split_at_mut(plane);
            frame.crop(&field, first, second);
        }
    });
    let mid = rest(values, &low, &high);
    Ok(ImageBands { low, mid, high })
}

/// What the outer bands leave of a picture.
pub(super) fn rest<T: Real>(values: &[T], low: &[T], high: &[T]) -> Vec<T> {
    let parts = values.iter().zip(low).zip(high);
    parts.map(|((all, low), high)| *all - *low - *high).collect()
}

/// Shares of the low and the high band at every bin of a real transform, `[height, width / 2 + 1]` each.
pub(crate) fn masks(height: usize, width: usize, edges: BandEdges) -> (Vec<f64>, Vec<f64>) {
    let bins = (0..height).flat_map(|y| (0..=width / 2).map(move |x| (y, x)));
    bins.map(|(y, x)| edges.shares(radius((y, height), (x, width)))).unzip()
}

/// A picture within its mirrored margin.
#[derive(Clone, Copy, Debug)]
struct Frame {
    /// Rows with margin.
    height: usize,
    /// Columns with margin.
    width: usize,
    /// Rows above the picture.
    top: usize,
    /// Columns left of the picture.
    left: usize,
}

impl Frame {
    fn around(height: usize, width: usize) -> Self {
        let (top, left) = (margin(height), margin(width));
        Self { height: height + 2 * top, width: width + 2 * left, top, left }
    }

    /// Rows and columns of the picture.
    fn picture(&self) -> (usize, usize) {
        (self.height - 2 * self.top, self.width - 2 * self.left)
    }

    /// Two planes as real and imaginary part; the second may be missing.
    fn mirror<T: Real>(&self, first: &[T], second: &[T]) -> Vec<Complex<T>> {
        let (height, width) = self.picture();
        let mirrored = |at: usize, margin: usize, length: usize| {
            let at = at.abs_diff(margin);
            if at < length { at } else { 2 * (length - 1) - at }
        };
        let mut field = Vec::with_capacity(self.height * self.width);
        for y in 0..self.height {
            let row = mirrored(y, self.top, height) * width;
            field.extend((0..self.width).map(|x| {
                let at = row + mirrored(x, self.left, width);
                Complex::new(first[at], second.get(at).copied().unwrap_or_default())
            }));
        }
        field
    }

    /// Real and imaginary part within the margin.
    fn crop<T: Real>(&self, field: &[Complex<T>], first: &mut [T], second: &mut [T]) {
        let (_, width) = self.picture();
        let rows = field.chunks_exact(self.width).skip(self.top);
        let rows = rows.map(|row| &row[self.left..self.left + width]);
        for (row, to) in rows.clone().zip(first.chunks_exact_mut(width)) {
            row.iter().zip(to).for_each(|(z, to)| *to = z.re);
        }
        for (row, to) in rows.zip(second.chunks_exact_mut(width)) {
            row.iter().zip(to).for_each(|(z, to)| *to = z.im);
        }
    }
}

/// Transforms of a field: rows, then columns. A gain that is real and the same in all directions keeps real and imaginary part apart,
/// so that two channels travel in one field.
pub(super) struct Transform<T> {
    height: usize,
    width: usize,
    /// Along rows, along columns.
    forward: [Arc<dyn Fft<T>>; 2],
    inverse: [Arc<dyn Fft<T>>; 2],
}

impl<T: Real> Transform<T> {
    pub(super) fn new(height: usize, width: usize) -> Self {
        let mut planner = T::fft_planner().lock().unwrap_or_else(PoisonError::into_inner);
        Self {
            height,
            width,
            forward: [width, height].map(|length| planner.plan_fft_forward(length)),
            inverse: [width, height].map(|length| planner.plan_fft_inverse(length)),
        }
    }

    /// The spectrum, transposed: `[width, height]`.
    pub(super) fn forward(&self, mut field: Vec<Complex<T>>) -> Vec<Complex<T>> {
        self.forward[0].process(&mut field);
        let mut columns = transposed(&field, self.width);
        self.forward[1].process(&mut columns);
        columns
    }

    /// Shares of the low and the high band at every bin of a transposed spectrum, with the inverse transform's scale.
    fn gains(&self, edges: BandEdges) -> [Vec<T>; 2] {
        let scale = 1.0 / (self.width * self.height) as f64;
        let bins = (0..self.width).flat_map(|x| (0..self.height).map(move |y| (y, x)));
        let shares = bins.map(|(y, x)| {
            let (low, high) = edges.shares(radius((y, self.height), (x, self.width)));
            (T::of(low * scale), T::of(high * scale))
        });
        let (low, high) = shares.unzip();
        [low, high]
    }

    /// The field of a transposed spectrum times `gains`.
    fn inverse(&self, spectrum: &[Complex<T>], gains: &[T]) -> Vec<Complex<T>> {
        let mut columns: Vec<Complex<T>> =
            spectrum.iter().zip(gains).map(|(value, gain)| *value * *gain).collect();
        self.inverse[1].process(&mut columns);
        let mut field = transposed(&columns, self.height);
        self.inverse[0].process(&mut field);
        field
    }
}

/// Columns as rows.
fn transposed<T: Real>(field: &[Complex<T>], width: usize) -> Vec<Complex<T>> {
    let mut columns = vec![Complex::zero(); field.len()];
    let height = field.len() / width;
    for (y, row) in field.chunks_exact(width).enumerate() {
        for (x, value) in row.iter().enumerate() {
            columns[x * height + y] = *value;
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripes(side: usize, cycles_per_pixel: f64) -> Vec<f32> {
        let wave = |x: usize| (std::f64::consts::TAU * cycles_per_pixel * x as f64).cos();
        (0..side * side).map(|at| wave(at % side) as f32).collect()
    }

    fn energy(band: &[f32]) -> f32 {
        band.iter().map(|it| it * it).sum::<f32>() / band.len() as f32
    }

    #[test]
    fn stripes_land_in_the_band_of_their_frequency() {
        for (frequency, expected) in [(0.05, 0), (0.25, 1), (0.46, 2)] {
            let image = stripes(96, frequency);
            let planes = Planes { values: &image, height: 96, width: 96 };
            let bands = split(planes, BandEdges::default()).unwrap();
            let parts = [&bands.low, &bands.mid, &bands.high].map(|it| energy(it));
            let largest = (0..3).max_by(|a, b| parts[*a].total_cmp(&parts[*b])).unwrap();
            assert_eq!(largest, expected, "{frequency}: {parts:?}");
            assert!(parts[expected] > 0.4, "{frequency}: {parts:?}");
        }
    }

    #[test]
    fn bands_sum_to_the_picture_at_any_edges_and_shape() {
        for (height, width, channels) in [(1, 1, 1), (1, 50, 3), (37, 20, 3), (40, 41, 4)] {
            let image: Vec<f32> =
                (0..channels * height * width).map(|at| (at * 37 % 101) as f32 / 101.0).collect();
            let edges = BandEdges { low: 0.3, high: 0.55, soft: 0.1 };
            let bands = split(Planes { values: &image, height, width }, edges).unwrap();
            for (at, value) in image.iter().enumerate() {
                let sum = bands.low[at] + bands.mid[at] + bands.high[at];
                assert!((sum - value).abs() < 1e-5, "{height} x {width}");
            }
        }
    }

    #[test]
    fn a_flat_picture_is_all_low() {
        let bands =
            split(Planes { values: &[0.7; 600], height: 20, width: 30 }, BandEdges::default());
        let bands = bands.unwrap();
        assert!(bands.low.iter().all(|it| (it - 0.7).abs() < 1e-5));
        assert!(bands.high.iter().chain(&bands.mid).all(|it| it.abs() < 1e-5));
    }

    #[test]
    fn half_a_plane_and_edges_out_of_order_are_refused() {
        let values = [0.0; 7];
        let planes = Planes { values: &values, height: 2, width: 3 };
        assert!(matches!(
            split(planes, BandEdges::default()),
            Err(LensError::Shape { found: 7, .. })
        ));
        let planes = Planes { values: &values[..6], height: 2, width: 3 };
        let edges = BandEdges { low: 0.9, ..BandEdges::default() };
        assert_eq!(split(planes, edges), Err(LensError::Edges(edges)));
    }
}
