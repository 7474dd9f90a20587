//! Reducing by area and enlarging by bilinear interpolation, one axis after the other (MODELS 1.2).

/// For each output pixel of one axis, the input pixels it is made of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AxisTaps {
    /// First input pixel and weights, which sum to 1; `None` right of or below the slide.
    taps: Vec<Option<(usize, Vec<f32>)>>,
}

impl AxisTaps {
    /// Output pixel `i` of `n` covers `[start + i, start + i + 1) * ratio` of the input axis. Input pixels outside
    /// `0..length` are not used; an output pixel whose center lies there has none. The input buffer begins at
    /// pixel `origin` of the axis.
    pub(crate) fn new(n: usize, start: f64, ratio: f64, length: usize, origin: usize) -> Self {
        let taps = (0..n)
            .map(|i| {
                let low = (start + i as f64) * ratio;
                let center = low + 0.5 * ratio;
                if length as f64 <= center || center < 0.0 {
                    return None;
                }
                let (first, weights) = if 1.0 <= ratio {
                    area_taps(low, low + ratio, length)
                } else {
                    bilinear_taps(center, length)
                };
                Some((first - origin.min(first), weights))
            })
            .collect();
        Self { taps }
    }

    /// Input pixels `first..end` that [`Self::new`] will ask for.
    pub(crate) fn extent(n: usize, start: f64, ratio: f64, length: usize) -> (usize, usize) {
        let margin = if ratio < 1.0 { 1.0 } else { 0.0 };
        let low = ((start * ratio).floor() - margin).clamp(0.0, length as f64);
        let high = (((start + n as f64) * ratio).ceil() + margin).clamp(low, length as f64);
        (low as usize, high as usize)
    }
}

/// Weights by how much of each input pixel the interval covers.
fn area_taps(low: f64, high: f64, length: usize) -> (usize, Vec<f32>) {
    let high = high.min(length as f64);
    let low = low.max(0.0);
    let first = (low + 1e-9).floor() as usize;
    let end = ((high - 1e-9).ceil() as usize).clamp(first + 1, length.max(first + 1));
    let covered = |i: usize| ((i + 1) as f64).min(high) - (i as f64).max(low);
    let total: f64 = (first..end).map(covered).sum();
    (first, (first..end).map(|i| (covered(i) / total) as f32).collect())
}

/// The two neighbors of a position, half-pixel centers, held at the edge.
fn bilinear_taps(center: f64, length: usize) -> (usize, Vec<f32>) {
    let s = (center - 0.5).clamp(0.0, (length - 1) as f64);
    let first = s.floor() as usize;
    let fraction = (s - s.floor()) as f32;
    if first + 1 < length { (first, vec![1.0 - fraction, fraction]) } else { (first, vec![1.0]) }
}

/// Resamples rows of `width` pixels, of whose `BYTES` bytes the first three are RGB, to RGB; `pad` where an axis has no input.
pub(crate) fn resample<const BYTES: usize>(
    pixels: &[u8],
    width: usize,
    columns: &AxisTaps,
    rows: &AxisTaps,
    pad: u8,
) -> Vec<u8> {
    let height = if width == 0 { 0 } else { pixels.len() / (BYTES * width) };
    let n_columns = columns.taps.len();
    let mut narrowed = vec![0.0_f32; height * n_columns * 3];
    for (source, target) in
        pixels.chunks_exact(BYTES * width.max(1)).zip(narrowed.chunks_exact_mut(3 * n_columns))
    {
        for (taps, pixel) in columns.taps.iter().zip(target.as_chunks_mut::<3>().0) {
            let Some((first, weights)) = taps else { continue };
            for (i, weight) in weights.iter().enumerate() {
                let at = BYTES * (first + i);
                for channel in 0..3 {
                    pixel[channel] += weight * f32::from(source[at + channel]);
                }
            }
        }
    }
    let mut rgb = Vec::with_capacity(rows.taps.len() * n_columns * 3);
    let mut sum = vec![0.0_f32; n_columns * 3];
    for taps in &rows.taps {
        let Some((first, weights)) = taps else {
            rgb.resize(rgb.len() + n_columns * 3, pad);
            continue;
        };
        sum.fill(0.0);
        for (i, weight) in weights.iter().enumerate() {
            let row = &narrowed[(first + i) * n_columns * 3..][..n_columns * 3];
            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
        }
        for (column, pixel) in columns.taps.iter().zip(sum.as_chunks::<3>().0) {
            match column {
                Some(_) => rgb.extend(pixel.map(|value| (value + 0.5) as u8)),
                None => rgb.extend([pad; 3]),
            }
        }
    }
    rgb
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row of gray pixels through one axis.
    fn along(values: &[u8], n: usize, start: f64, ratio: f64) -> Vec<u8> {
        let rgba: Vec<u8> = values.iter().flat_map(|&it| [it, it, it, 255]).collect();
        let columns = AxisTaps::new(n, start, ratio, values.len(), 0);
        let rows = AxisTaps::new(1, 0.0, 1.0, 1, 0);
        resample::<4>(&rgba, values.len(), &columns, &rows, 7).into_iter().step_by(3).collect()
    }

    #[test]
    fn the_same_resolution_copies_every_pixel() {
        assert_eq!(along(&[1, 200, 3, 90], 3, 1.0, 1.0), [200, 3, 90]);
    }

    #[test]
    fn reducing_averages_by_area() {
        assert_eq!(along(&[0, 100, 200, 40], 2, 0.0, 2.0), [50, 120]);
        assert_eq!(along(&[0, 90, 30], 2, 0.0, 1.5), [30, 50]);
    }

    #[test]
    fn enlarging_interpolates_between_pixel_centers_and_holds_the_edge() {
        assert_eq!(along(&[0, 100], 4, 0.0, 0.5), [0, 25, 75, 100]);
    }

    #[test]
    fn past_the_slide_lies_the_padding() {
        assert_eq!(along(&[50, 60], 4, 0.0, 1.0), [50, 60, 7, 7]);
    }

    #[test]
    fn the_extent_covers_every_tap() {
        for (n, start, ratio, length) in [(5, 3.0, 1.7, 40), (9, 2.0, 0.31, 8), (4, 0.0, 1.0, 3)] {
            let (first, end) = AxisTaps::extent(n, start, ratio, length);
            for (tap, weights) in
                AxisTaps::new(n, start, ratio, length, 0).taps.into_iter().flatten()
            {
                assert!(first <= tap && tap + weights.len() <= end);
                assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            }
        }
    }
}
