//! The largest of every 2 x 2 pixels. Candle's own has a gradient that is too small by the window's area.

use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::fused::{Fused, apply1};
use super::real::Real;
use super::vectors::Vectors;

/// `[b, h, w, C]` to `[b, h / 2, w / 2, C]`; an odd last row or column is left out. The gradient goes to the
/// first of equal values.
///
/// # Errors
/// If `x` has not four axes or is neither `f32` nor `f64`.
pub(crate) fn max_pool2(x: &Tensor) -> Result<Tensor> {
    apply1(MaxPool2, x)
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolShape {
    rows: usize,
    columns: usize,
    channels: usize,
}

impl PoolShape {
    fn of(dims: &[usize]) -> Result<(usize, Self)> {
        match *dims {
            [images, rows, columns, channels] => Ok((images, Self { rows, columns, channels })),
            _ => bail!("max_pool2: expected [b, h, w, C], found {dims:?}"),
        }
    }

    /// Values per input row and per output row.
    fn row_lens(self) -> (usize, usize) {
        (self.columns * self.channels, self.columns / 2 * self.channels)
    }

    /// Calls `f` with the four windows of neighbouring channels of each output pixel in a pair of input rows.
    #[inline(always)]
    fn corners(self, x: usize) -> [usize; 4] {
        let left = 2 * x * self.channels;
        let (right, row) = (left + self.channels, self.columns * self.channels);
        [left, right, row + left, row + right]
    }
}

/// [`max_pool2`].
pub(crate) struct MaxPool2;

impl Fused<1> for MaxPool2 {
    const NAME: &'static str = "max-pool2";
    type Plan = (usize, PoolShape);

    fn plan(&self, [x]: [&[usize]; 1]) -> Result<(Self::Plan, Shape)> {
        let (images, shape) = PoolShape::of(x)?;
        let output = (images, shape.rows / 2, shape.columns / 2, shape.channels);
        Ok(((images, shape), output.into()))
    }

    fn forward<T: Vectors>(&self, (images, shape): &Self::Plan, [x]: [&[T]; 1]) -> Vec<T> {
        pool(x, *images, *shape)
    }

    fn backward<T: Vectors>(
        &self,
        (images, shape): &Self::Plan,
        [x]: [&[T]; 1],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 1] {
        [gradient(x, dy, *images, *shape)]
    }
}

fn pool<T: Real>(x: &[T], images: usize, shape: PoolShape) -> Vec<T> {
    let (x_row, y_row) = shape.row_lens();
    let rows = shape.rows / 2;
    let mut y = vec![T::zero(); images * rows * y_row];
    y.par_chunks_mut(y_row.max(1)).enumerate().for_each(|(at, y)| {
        let x = &x[(at / rows * shape.rows + at % rows * 2) * x_row..][..2 * x_row];
        for (column, y) in y.chunks_exact_mut(shape.channels).enumerate() {
            let [a, b, c, d] = shape.corners(column).map(|it| &x[it..it + shape.channels]);
            for (i, y) in y.iter_mut().enumerate() {
                *y = larger(larger(a[i], b[i]), larger(c[i], d[i]));
            }
        }
    });
    y
}

/// The larger of both, the first of equals.
#[inline(always)]
fn larger<T: Real>(a: T, b: T) -> T {
    if a < b { b } else { a }
}

fn gradient<T: Real>(x: &[T], dy: &[T], images: usize, shape: PoolShape) -> Vec<T> {
    let (x_row, y_row) = shape.row_lens();
    let rows = shape.rows / 2;
    let pairs = images * rows;
    let starts = (0..pairs).map(|at| (at / rows * shape.rows + at % rows * 2) * x_row);
    let mut dx = vec![T::zero(); x.len()];
    let mut rest = dx.as_mut_slice();
    let mut targets = Vec::with_capacity(pairs);
    let mut taken = 0;
    for start in starts {
        let (target, behind) = std::mem::take(&mut rest)[start - taken..].split_at_mut(2 * x_row);
        (rest, taken) = (behind, start + 2 * x_row);
        targets.push((start, target));
    }
    targets
        .into_par_iter()
        .zip(dy.par_chunks(y_row.max(1)))
        .for_each(|((start, dx), dy)| scatter(&x[start..start + 2 * x_row], dy, dx, shape));
    dx
}

/// Gradients of one output row to where the maxima came from.
fn scatter<T: Real>(x: &[T], dy: &[T], dx: &mut [T], shape: PoolShape) {
    for (column, dy) in dy.chunks_exact(shape.channels).enumerate() {
        let corners = shape.corners(column);
        for (channel, dy) in dy.iter().enumerate() {
            let mut best = corners[0] + channel;
            for corner in &corners[1..] {
                let at = corner + channel;
                best = if x[best] < x[at] { at } else { best };
            }
            dx[best] = *dy;
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::DType;

    use super::*;
    use crate::testing::{assert_gradients, assert_near, normal};

    #[test]
    fn the_largest_of_four_is_kept_and_an_odd_edge_left_out() {
        for (h, w) in [(2, 2), (4, 6), (5, 7)] {
            let x = normal(&[2, h, w, 3], 1);
            let first = x.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
            let want = first.max_pool2d(2).unwrap().permute((0, 2, 3, 1)).unwrap();
            assert_near(&max_pool2(&x).unwrap(), &want.contiguous().unwrap(), 0.0, "pool");
        }
    }

    #[test]
    fn gradients_equal_finite_differences() {
        for (h, w) in [(2, 2), (4, 4), (5, 3)] {
            assert_gradients(&[normal(&[2, h, w, 3], 2)], |t| max_pool2(&t[0]));
        }
    }

    #[test]
    fn the_first_of_equal_values_gets_the_whole_gradient() {
        let x =
            candle_core::Var::ones((1, 2, 2, 1), DType::F64, &candle_core::Device::Cpu).unwrap();
        let grads = max_pool2(&x).unwrap().sum_all().unwrap().backward().unwrap();
        let dx: Vec<f64> = grads.get(&x).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(dx, [1.0, 0.0, 0.0, 0.0]);
    }
}
