//! The rows of a slide that overlapping windows are being blended into.

use std::collections::VecDeque;

use super::unet::ALIGNMENT;
use crate::bag::grid::Window;

/// Pixels at a window's inner edges that count nothing.
const MARGIN_PX: f32 = 64.0;
/// Pixels over which a window's weight then rises to 1: `192 - 2 * 64`.
const RAMP_PX: f32 = 64.0;

/// A window in network px, ending with the slide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) top: usize,
    pub(super) left: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Place {
    /// Of a window of a slide of that height and width in network px.
    pub(super) fn of(window: Window, [height, width]: [usize; 2]) -> Self {
        let (top, left) = (window.row * ALIGNMENT, window.column * ALIGNMENT);
        let rows = (window.rows * ALIGNMENT).min(height - top);
        Self { top, left, rows, columns: (window.columns * ALIGNMENT).min(width - left) }
    }

    /// Its part of RGB rows of `width` px.
    pub(super) fn cut(self, rgb: &[u8], width: usize) -> Vec<u8> {
        let rows = rgb.chunks_exact(3 * width).take(self.rows);
        rows.flat_map(|row| &row[..3 * self.columns]).copied().collect()
    }
}

/// Weights along one axis of a window from `start` on, on a slide of `total` px; the slide's own edges have no ramp.
fn weights(start: usize, len: usize, total: usize) -> Vec<f32> {
    let ramp = |distance: usize| ((distance as f32 + 0.5 - MARGIN_PX) / RAMP_PX).clamp(0.0, 1.0);
    let one = |i: usize| {
        let before = if start == 0 { 1.0 } else { ramp(i) };
        let behind = if start + len == total { 1.0 } else { ramp(len - 1 - i) };
        f32::min(before, behind)
    };
    (0..len).map(one).collect()
}

/// Weighted sums of the rows from `top` on.
#[derive(Debug)]
pub(super) struct Band {
    /// The slide in network px, height and width.
    size: [usize; 2],
    top: usize,
    rows: VecDeque<Row>,
}

#[derive(Clone, Debug)]
struct Row {
    sums: Vec<f32>,
    weights: Vec<f32>,
}

impl Band {
    /// Before the first row of a slide of that height and width.
    pub(super) fn new(size: [usize; 2]) -> Self {
        Self { size, top: 0, rows: VecDeque::new() }
    }

    /// Adds the probabilities of a window, whose rows must not have been released.
    pub(super) fn add(&mut self, place: Place, p: &[f32]) {
        let down = weights(place.top, place.rows, self.size[0]);
        let across = weights(place.left, place.columns, self.size[1]);
        let first = place.top - self.top;
        let columns = place.left..place.left + place.columns;
        if self.rows.len() < first + place.rows {
            let zeros = vec![0.0; self.size[1]];
            self.rows.resize(first + place.rows, Row { sums: zeros.clone(), weights: zeros });
        }
        let rows = self.rows.iter_mut().skip(first).zip(&down);
        for ((row, down), p) in rows.zip(p.chunks_exact(place.columns)) {
            let sums = row.sums[columns.clone()].iter_mut().zip(&mut row.weights[columns.clone()]);
            for ((sum, weight), (p, across)) in sums.zip(p.iter().zip(&across)) {
                *sum += down * across * p;
                *weight += down * across;
            }
        }
    }

    /// Hands out all rows above `end`: the mean where a window counted, 0 elsewhere.
    pub(super) fn release<E>(
        &mut self,
        end: usize,
        keep: &mut impl FnMut(&[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        while self.top < end {
            match self.rows.pop_front() {
                Some(Row { mut sums, weights }) => {
                    sums.iter_mut()
                        .zip(weights)
                        .for_each(|(sum, weight)| *sum = mean(*sum, weight));
                    keep(&sums)?;
                }
                None => keep(&vec![0.0; self.size[1]])?,
            }
            self.top += 1;
        }
        Ok(())
    }
}

fn mean(sum: f32, weight: f32) -> f32 {
    if weight <= 0.0 { 0.0 } else { (sum / weight).clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_of_neighbouring_windows_add_to_one_everywhere() {
        let (window, stride) = (512, 320);
        let total = window + 3 * stride;
        let mut sums = vec![0.0f32; total];
        for start in (0..=3 * stride).step_by(stride) {
            for (i, weight) in weights(start, window, total).iter().enumerate() {
                sums[start + i] += weight;
            }
        }
        assert!(sums.iter().all(|it| (it - 1.0).abs() < 1e-5));
    }

    #[test]
    fn blended_windows_that_agree_leave_no_seam() {
        let mut band = Band::new([40, 832]);
        for left in [0, 320] {
            let place = Place { top: 0, left, rows: 40, columns: 512 };
            let p: Vec<f32> = (0..40 * 512).map(|i| (left + i % 512) as f32 / 832.0).collect();
            band.add(place, &p);
        }
        let mut n_rows = 0;
        let mut look = |row: &[f32]| -> Result<(), ()> {
            n_rows += 1;
            for (x, value) in row.iter().enumerate() {
                assert!((value - x as f32 / 832.0).abs() < 1e-5, "{x}");
            }
            Ok(())
        };
        band.release(40, &mut look).unwrap();
        assert_eq!(n_rows, 40);
    }

    #[test]
    fn rows_leave_once_and_those_that_no_window_reached_are_empty() {
        let mut band = Band::new([700, 20]);
        let mut rows: Vec<f32> = Vec::new();
        let mut keep = |row: &[f32]| -> Result<(), ()> {
            rows.push(row[7]);
            Ok(())
        };
        band.release(100, &mut keep).unwrap();
        let place = Place { top: 188, left: 0, rows: 512, columns: 20 };
        band.release(place.top, &mut keep).unwrap();
        band.add(place, &[0.5; 512 * 20]);
        band.release(400, &mut keep).unwrap();
        assert_eq!(band.rows.len(), 300, "only what is still blended is in memory");
        band.release(700, &mut keep).unwrap();
        assert_eq!(rows.len(), 700);
        assert_eq!((rows[187], rows[188 + 63], rows[188 + 64], rows[699]), (0.0, 0.0, 0.5, 0.5));
    }
}
