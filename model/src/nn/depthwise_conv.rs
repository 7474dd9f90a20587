//! Depthwise convolution with a ring of zeros, stride 1: every channel with a filter of its own.
//!
//! Images `[b, h, w, C]`, weights `[C, 1, k, k]` with odd `k` as PyTorch keeps them, bias `[C]`. One tap at a time over a row:
//! neighbouring pixels' channels lie side by side, so that every tap is a multiply-add of long rows.

use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::fused::{Fused, apply};
use super::lanes::{Kernel, add_onto, dispatch};
use super::real::Real;
use super::vectors::Vectors;

/// `x` `[b, h, w, C]`, `weight` `[C, 1, k, k]`, `bias` `[C]` to `[b, h, w, C]`.
///
/// # Errors
/// If shapes disagree, the sides of a filter are even, or the type is neither `f32` nor `f64`.
pub(crate) fn depthwise_conv(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    apply(DepthwiseConv, [x, weight, bias])
}

struct DepthwiseConv;

impl Fused for DepthwiseConv {
    const NAME: &'static str = "depthwise conv";
    type Plan = Size;

    fn plan(&self, dims: [&[usize]; 3]) -> Result<(Size, Shape)> {
        match dims {
            [x @ &[_, rows, columns, channels], &[c, 1, side, k], &[n]]
                if c == channels && n == channels && side == k && k % 2 == 1 =>
            {
                Ok((Size { rows, columns, channels, side }, x.into()))
            }
            [x, weight, bias] => bail!(
                "depthwise conv: expected [b, h, w, C], weight [C, 1, k, k] with odd k and bias [C], found {x:?}, {weight:?} and {bias:?}"
            ),
        }
    }

    fn forward<T: Vectors>(&self, size: &Size, [x, weight, bias]: [&[T]; 3]) -> Vec<T> {
        convolve(x, &by_tap(weight, *size), bias, *size)
    }

    fn backward<T: Vectors>(
        &self,
        size: &Size,
        [x, weight, bias]: [&[T]; 3],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 3] {
        // The adjoint is the convolution with the filters turned by half a turn.
        let mut turned = by_tap(weight, *size);
        turned.reverse();
        turned.chunks_exact_mut(size.channels).for_each(<[T]>::reverse);
        let dx = convolve(dy, &turned, &vec![T::zero(); bias.len()], *size);
        let [dw, db] = filter_gradients(x, dy, *size);
        [dx, dw, db]
    }
}

#[derive(Clone, Copy)]
struct Size {
    rows: usize,
    columns: usize,
    channels: usize,
    /// Of a filter.
    side: usize,
}

impl Size {
    fn row(self) -> usize {
        self.columns * self.channels
    }

    /// The row that a filter's row `tap` sees from row `y`.
    fn seen_row(self, y: usize, tap: usize) -> Option<usize> {
        (y + tap).checked_sub(self.side / 2).filter(|seen| *seen < self.rows)
    }

    /// Where in a row the pixels lie that see something through a filter's column `tap`, and where what they see begins;
    /// both count values. `None` if no pixel does.
    fn seen_columns(self, tap: usize) -> Option<(std::ops::Range<usize>, usize)> {
        let half = self.side / 2;
        let first = half.saturating_sub(tap);
        let last = (self.columns + half).saturating_sub(tap).min(self.columns);
        let values = first * self.channels..last * self.channels;
        (first < last).then(|| (values, (first + tap - half) * self.channels))
    }
}

/// `[C, 1, k, k]` to `[k, k, C]`.
fn by_tap<T: Real>(weight: &[T], size: Size) -> Vec<T> {
    let taps = size.side * size.side;
    (0..taps).flat_map(|tap| weight.iter().skip(tap).step_by(taps).copied()).collect()
}

fn convolve<T: Real>(x: &[T], taps: &[T], bias: &[T], size: Size) -> Vec<T> {
    let (row, image) = (size.row(), size.rows * size.row());
    let mut y = vec![T::zero(); x.len()];
    y.par_chunks_mut(row.max(1)).enumerate().for_each(|(at, to)| {
        let x = &x[at / size.rows * image..][..image];
        dispatch(Row { x, y: at % size.rows, taps, bias, to, size });
    });
    y
}

/// One row of the result.
struct Row<'a, T> {
    /// The whole image.
    x: &'a [T],
    y: usize,
    taps: &'a [T],
    bias: &'a [T],
    to: &'a mut [T],
    size: Size,
}

impl<T: Real> Kernel for Row<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { x, y, taps, bias, to, size } = self;
        let Size { channels, side, .. } = size;
        to.chunks_exact_mut(channels).for_each(|pixel| pixel.copy_from_slice(bias));
        for (tap, filter) in taps.chunks_exact(channels).enumerate() {
            let Some(seen) = size.seen_row(y, tap / side) else { continue };
            let Some((pixels, from)) = size.seen_columns(tap % side) else { continue };
            let seen = &x[seen * size.row() + from..][..pixels.len()];
            let pixels = to[pixels].chunks_exact_mut(channels).zip(seen.chunks_exact(channels));
            for (to, seen) in pixels {
                for ((to, seen), filter) in to.iter_mut().zip(seen).zip(filter) {
                    *to = seen.fma::<FMA>(*filter, *to);
                }
            }
        }
    }
}

/// Gradients in weight `[C, 1, k, k]` and bias, summed row by row: they do not depend on the number of threads.
fn filter_gradients<T: Real>(x: &[T], dy: &[T], size: Size) -> [Vec<T>; 2] {
    /// Rows per task.
    const ROWS: usize = 8;
    let (row, image) = (size.row(), size.rows * size.row());
    let (taps, channels) = (size.side * size.side, size.channels);
    let bands: Vec<(usize, usize)> = (0..dy.len() / image.max(1))
        .flat_map(|image| (0..size.rows).step_by(ROWS).map(move |first| (image, first)))
        .collect();
    let parts: Vec<Vec<T>> = bands
        .into_par_iter()
        .map(|(at, first)| {
            let last = (first + ROWS).min(size.rows);
            let x = &x[at * image..][..image];
            let dy = &dy[at * image + first * row..at * image + last * row];
            dispatch(Sums { x, dy, first, size })
        })
        .collect();
    let mut total = vec![T::zero(); (taps + 1) * channels];
    for part in &parts {
        add_onto(&mut total, part);
    }
    let db = total.split_off(taps * channels);
    let of_channel = |c| total.iter().skip(c).step_by(channels).copied();
    [(0..channels).flat_map(of_channel).collect(), db]
}

/// Of some rows, per tap and channel the gradient times what was seen, then per channel the gradient itself.
struct Sums<'a, T> {
    /// The whole image.
    x: &'a [T],
    /// Rows of the gradient, from `first` on.
    dy: &'a [T],
    first: usize,
    size: Size,
}

impl<T: Real> Kernel for Sums<'_, T> {
    type Output = Vec<T>;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> Vec<T> {
        let Self { x, dy, first, size } = self;
        let Size { channels, side, .. } = size;
        let mut sums = vec![T::zero(); (side * side + 1) * channels];
        for (at, dy) in dy.chunks_exact(size.row()).enumerate() {
            let (filters, bias) = sums.split_at_mut(side * side * channels);
            for pixel in dy.chunks_exact(channels) {
                add_onto(bias, pixel);
            }
            for (tap, sums) in filters.chunks_exact_mut(channels).enumerate() {
                let Some(seen) = size.seen_row(first + at, tap / side) else { continue };
                let Some((pixels, from)) = size.seen_columns(tap % side) else { continue };
                let seen = &x[seen * size.row() + from..][..pixels.len()];
                add_products::<T, FMA>(sums, &dy[pixels], seen);
            }
        }
        sums
    }
}

/// Per channel, adds the products of two rows of pixels.
#[inline(always)]
fn add_products<T: Real, const FMA: bool>(sums: &mut [T], a: &[T], b: &[T]) {
    for (a, b) in a.chunks_exact(sums.len()).zip(b.chunks_exact(sums.len())) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum = a.fma::<FMA>(*b, *sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_gradients, assert_near, normal};

    #[test]
    fn every_size_gives_the_value_of_the_definition() {
        for (b, h, w, c, k) in
            [(1, 1, 1, 1, 1), (1, 1, 1, 2, 5), (2, 3, 7, 5, 3), (1, 9, 2, 4, 5), (2, 12, 11, 3, 7)]
        {
            let (x, weight) = (normal(&[b, h, w, c], 1), normal(&[c, 1, k, k], 2));
            let bias = normal(&[c], 3);
            let first = x.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
            let want = first.conv2d(&weight, k / 2, 1, 1, c).unwrap();
            let want = want.permute((0, 2, 3, 1)).unwrap().broadcast_add(&bias).unwrap();
            let ours = depthwise_conv(&x, &weight, &bias).unwrap();
            assert_near(&ours, &want.contiguous().unwrap(), 1e-12, "conv");
        }
    }

    #[test]
    fn gradients_equal_finite_differences() {
        for (b, h, w, c, k) in [(1, 1, 1, 1, 5), (2, 4, 3, 3, 3), (1, 9, 2, 2, 5)] {
            let inputs = [normal(&[b, h, w, c], 4), normal(&[c, 1, k, k], 5), normal(&[c], 6)];
            assert_gradients(&inputs, |t| depthwise_conv(&t[0], &t[1], &t[2]));
        }
    }

    #[test]
    fn filters_with_even_sides_are_refused() {
        let error =
            depthwise_conv(&normal(&[1, 2, 2, 3], 1), &normal(&[3, 1, 2, 2], 2), &normal(&[3], 3));
        assert!(error.unwrap_err().to_string().contains("odd k"));
    }
}
