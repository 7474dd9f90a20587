//! Attention of a vision transformer (Vaswani et al. 2017), all heads of an image in one pass; weights of attention are never stored.

use candle_core::{Result, Shape, bail};
use rayon::prelude::*;

use super::fused::Fused;
use super::lanes::{self, Kernel, WIDTH, dispatch};
use super::real::Real;
use super::vectors::Vectors;

/// Queries, keys and values of all heads side by side, `[b, n, 3 D]`, to `[b, n, D]`: scaled by the root of a head's width.
pub(crate) struct Attention {
    pub(crate) heads: usize,
}

/// Sizes of one image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Tokens.
    length: usize,
    /// Values per token.
    dim: usize,
    heads: usize,
}

impl Sizes {
    fn width(self) -> usize {
        self.dim / self.heads
    }

    fn scale<T: Real>(self) -> T {
        T::of((self.width() as f64).powf(-0.5))
    }
}

impl Fused<1> for Attention {
    const NAME: &'static str = "attention";
    type Plan = Sizes;

    fn plan(&self, [dims]: [&[usize]; 1]) -> Result<(Sizes, Shape)> {
        match *dims {
            [b, length, all] if all.is_multiple_of(3 * self.heads) && 0 < length => {
                let sizes = Sizes { length, dim: all / 3, heads: self.heads };
                Ok((sizes, (b, length, all / 3).into()))
            }
            _ => bail!("attention of {} heads: expected [b, n, 3 D], found {dims:?}", self.heads),
        }
    }

    fn forward<T: Vectors>(&self, sizes: &Sizes, [x]: [&[T]; 1]) -> Vec<T> {
        let tokens = sizes.length * sizes.dim;
        let mut y = vec![T::zero(); x.len() / 3];
        y.par_chunks_exact_mut(tokens)
            .zip(x.par_chunks_exact(3 * tokens))
            .for_each(|(y, x)| dispatch(Forward { sizes: *sizes, x, y }));
        y
    }

    fn backward<T: Vectors>(
        &self,
        sizes: &Sizes,
        [x]: [&[T]; 1],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 1] {
        let tokens = sizes.length * sizes.dim;
        let mut dx = vec![T::zero(); x.len()];
        dx.par_chunks_exact_mut(3 * tokens)
            .zip(x.par_chunks_exact(3 * tokens).zip(dy.par_chunks_exact(tokens)))
            .for_each(|(dx, (x, dy))| dispatch(Backward { sizes: *sizes, x, dy, dx }));
        [dx]
    }
}

/// A small matrix whose rows are filled up with zeros to whole lanes.
struct Matrix<T> {
    columns: usize,
    /// Values from row to row.
    step: usize,
    values: Vec<T>,
}

impl<T: Real> Matrix<T> {
    #[inline(always)]
    fn zeros(rows: usize, columns: usize) -> Self {
        let step = columns.next_multiple_of(WIDTH);
        Self { columns, step, values: vec![T::zero(); rows * step] }
    }

    /// `columns` values of every row of `from`, whose rows are `step` values long, from column `first` on.
    #[inline(always)]
    fn cut(from: &[T], step: usize, first: usize, columns: usize) -> Self {
        let rows = from.len() / step;
        let mut cut = Self::zeros(rows, columns);
        for (to, from) in cut.values.chunks_exact_mut(cut.step).zip(from.chunks_exact(step)) {
            to[..columns].copy_from_slice(&from[first..first + columns]);
        }
        cut
    }

    #[inline(always)]
    fn rows(&self) -> impl Iterator<Item = &[T]> {
        self.values.chunks_exact(self.step)
    }

    #[inline(always)]
    fn transposed(&self) -> Self {
        let rows = self.values.len() / self.step;
        let mut turned = Self::zeros(self.columns, rows);
        for (at, row) in self.rows().enumerate() {
            for (column, value) in row[..self.columns].iter().enumerate() {
                turned.values[column * turned.step + at] = *value;
            }
        }
        turned
    }

    /// `self` times `other`.
    #[inline(always)]
    fn times<const FMA: bool>(&self, other: &Self) -> Self {
        let rows = self.values.len() / self.step;
        let mut product = Self::zeros(rows, other.columns);
        for (to, row) in product.values.chunks_exact_mut(product.step).zip(self.rows()) {
            for (block, to) in to.as_chunks_mut::<WIDTH>().0.iter_mut().enumerate() {
                let mut sums = lanes::splat(T::zero());
                for (value, other) in row[..self.columns].iter().zip(other.rows()) {
                    let other = lanes::load(&other[block * WIDTH..][..WIDTH]);
                    sums = lanes::fma::<T, FMA>(other, &lanes::splat(*value), &sums);
                }
                *to = *sums;
            }
        }
        product
    }

    /// Writes `scale` times every row into the columns from `first` on of rows of `step` values.
    #[inline(always)]
    fn put(&self, scale: T, to: &mut [T], step: usize, first: usize) {
        for (to, row) in to.chunks_exact_mut(step).zip(self.rows()) {
            for (to, value) in to[first..first + self.columns].iter_mut().zip(row) {
                *to = scale * *value;
            }
        }
    }

    /// Every row as shares that sum to 1, by the exponential of `scale` times its values.
    #[inline(always)]
    fn shares<const FMA: bool>(&mut self, scale: T) {
        for row in self.values.chunks_exact_mut(self.step) {
            let (row, beyond) = row.split_at_mut(self.columns);
            let most =
                row.iter().copied().fold(T::neg_infinity(), |a, b| if a < b { b } else { a });
            for value in row.iter_mut() {
                *value = ((*value - most) * scale).exp_fast::<FMA>();
            }
            let whole = T::one() / lanes::sum_zip(row, row, |value, _| value);
            row.iter_mut().for_each(|value| *value *= whole);
            beyond.fill(T::zero());
        }
    }

    /// The gradient before [`Self::shares`] from `self`, the one behind it, but for the scale.
    #[inline(always)]
    fn before_shares(&mut self, shares: &Self) {
        for (slope, shares) in self.values.chunks_exact_mut(self.step).zip(shares.rows()) {
            let mean = lanes::sum_zip(slope, shares, |slope, share| slope * share);
            slope
                .iter_mut()
                .zip(shares)
                .for_each(|(slope, share)| *slope = *share * (*slope - mean));
        }
    }
}

/// Queries, keys and values of one head, `[n, width]` each.
#[inline(always)]
fn head<T: Real>(x: &[T], sizes: Sizes, head: usize) -> [Matrix<T>; 3] {
    let (dim, width) = (sizes.dim, sizes.width());
    [0, 1, 2].map(|part| Matrix::cut(x, 3 * dim, part * dim + head * width, width))
}

struct Forward<'a, T> {
    sizes: Sizes,
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Real> Kernel for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (dim, width) = (self.sizes.dim, self.sizes.width());
        for at in 0..self.sizes.heads {
            let [queries, keys, values] = head(self.x, self.sizes, at);
            let mut shares = queries.times::<FMA>(&keys.transposed());
            shares.shares::<FMA>(self.sizes.scale());
            shares.times::<FMA>(&values).put(T::one(), self.y, dim, at * width);
        }
    }
}

struct Backward<'a, T> {
    sizes: Sizes,
    x: &'a [T],
    dy: &'a [T],
    dx: &'a mut [T],
}

impl<T: Real> Kernel for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (dim, width) = (self.sizes.dim, self.sizes.width());
        let scale = self.sizes.scale();
        for at in 0..self.sizes.heads {
            let [queries, keys, values] = head(self.x, self.sizes, at);
            let mut shares = queries.times::<FMA>(&keys.transposed());
            shares.shares::<FMA>(scale);
            let dy = Matrix::cut(self.dy, dim, at * width, width);
            let mut slopes = dy.times::<FMA>(&values.transposed());
            slopes.before_shares(&shares);
            let parts = [
                (slopes.times::<FMA>(&keys), scale),
                (slopes.transposed().times::<FMA>(&queries), scale),
                (shares.transposed().times::<FMA>(&dy), T::one()),
            ];
            for (part, (gradient, scale)) in parts.iter().enumerate() {
                gradient.put(*scale, self.dx, 3 * dim, part * dim + at * width);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fused::apply1;
    use super::*;
    use crate::testing::{assert_gradients, assert_near, normal};
    use candle_core::{D, Tensor};

    /// The library's own operations.
    fn composed(x: &Tensor, heads: usize) -> Tensor {
        let (b, n, all) = x.dims3().unwrap();
        let width = all / 3 / heads;
        let x = x.reshape((b, n, 3, heads, width)).unwrap();
        let part = |at: usize| {
            let part = x.narrow(2, at, 1).unwrap().squeeze(2).unwrap();
            part.transpose(1, 2).unwrap().contiguous().unwrap()
        };
        let likeness = part(0).matmul(&part(1).t().unwrap()).unwrap();
        let likeness = likeness.affine((width as f64).powf(-0.5), 0.0).unwrap();
        let shares = candle_nn::ops::softmax(&likeness, D::Minus1).unwrap();
        let y = shares.matmul(&part(2)).unwrap().transpose(1, 2).unwrap();
        y.contiguous().unwrap().reshape((b, n, all / 3)).unwrap()
    }

    #[test]
    fn all_heads_at_once_agree_with_the_librarys_operations() {
        for (b, n, heads, width) in [(1, 1, 1, 1), (2, 10, 3, 4), (1, 37, 2, 20)] {
            let x = normal(&[b, n, 3 * heads * width], 1);
            let ours = apply1(Attention { heads }, &x).unwrap();
            assert_near(&ours, &composed(&x, heads), 1e-12, "attention");
        }
    }

    #[test]
    fn gradients_equal_finite_differences() {
        for (b, n, heads, width) in [(1, 1, 1, 1), (2, 5, 2, 3), (1, 17, 1, 2)] {
            let x = normal(&[b, n, 3 * heads * width], 2);
            assert_gradients(&[x], |t| apply1(Attention { heads }, &t[0]));
        }
    }

    #[test]
    fn tokens_that_do_not_divide_into_heads_are_refused() {
        let error = apply1(Attention { heads: 2 }, &normal(&[1, 2, 9], 3)).unwrap_err();
        assert!(error.to_string().contains("found [1, 2, 9]"));
    }
}
