//! Sixteen neighbouring channels worked on together, so that the compiler keeps them in vector registers.

use std::ops::{Deref, DerefMut};

use pulp::{Arch, Simd, WithSimd};

use super::real::Real;

/// Channels per [`Lanes`]: one AVX-512 or two AVX2 registers of `f32`.
pub(crate) const WIDTH: usize = 16;

/// [`WIDTH`] neighbouring channels, aligned with the lines of the cache: a register that lies across two of them is read twice.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Lanes<T>([T; WIDTH]);

impl<T> Deref for Lanes<T> {
    type Target = [T; WIDTH];

    #[inline(always)]
    fn deref(&self) -> &[T; WIDTH] {
        &self.0
    }
}

impl<T> DerefMut for Lanes<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T; WIDTH] {
        &mut self.0
    }
}

/// A computation to be compiled once per instruction set; `run` and all it calls must be `#[inline(always)]`.
pub(crate) trait Kernel {
    /// What it returns.
    type Output;

    /// Computes; `FMA` says whether fused multiply-add is an instruction here rather than a slow call.
    fn run<const FMA: bool>(self) -> Self::Output;
}

struct Vectorized<K>(K);

impl<K: Kernel> WithSimd for Vectorized<K> {
    type Output = K::Output;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> K::Output {
        if S::IS_SCALAR { self.0.run::<false>() } else { self.0.run::<true>() }
    }
}

/// Runs `kernel` with the widest instructions of this processor.
pub(crate) fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    Arch::new().dispatch(Vectorized(kernel))
}

/// `x` in every lane.
#[inline(always)]
pub(crate) fn splat<T: Real>(x: T) -> Lanes<T> {
    Lanes([x; WIDTH])
}

/// The first lanes from `from`, which may be shorter than [`WIDTH`]; the rest 0.
#[inline(always)]
pub(crate) fn load<T: Real>(from: &[T]) -> Lanes<T> {
    if let Ok(full) = <[T; WIDTH]>::try_from(from) {
        return Lanes(full);
    }
    let mut lanes = splat(T::zero());
    for (lane, x) in lanes.iter_mut().zip(from) {
        *lane = *x;
    }
    lanes
}

/// Writes as many lanes as `to` holds.
#[inline(always)]
pub(crate) fn store<T: Real>(lanes: &Lanes<T>, to: &mut [T]) {
    if let Ok(full) = <&mut [T; WIDTH]>::try_from(&mut *to) {
        *full = lanes.0;
        return;
    }
    for (x, lane) in to.iter_mut().zip(lanes.iter()) {
        *x = *lane;
    }
}

/// `f` of every lane.
#[inline(always)]
pub(crate) fn map<T: Real>(mut a: Lanes<T>, f: impl Fn(T) -> T) -> Lanes<T> {
    for x in a.iter_mut() {
        *x = f(*x);
    }
    a
}

/// `a + b`.
#[inline(always)]
pub(crate) fn add<T: Real>(mut a: Lanes<T>, b: &Lanes<T>) -> Lanes<T> {
    for (x, y) in a.iter_mut().zip(b.iter()) {
        *x += *y;
    }
    a
}

/// `a - b`.
#[inline(always)]
pub(crate) fn sub<T: Real>(mut a: Lanes<T>, b: &Lanes<T>) -> Lanes<T> {
    for (x, y) in a.iter_mut().zip(b.iter()) {
        *x -= *y;
    }
    a
}

/// `a * b`.
#[inline(always)]
pub(crate) fn mul<T: Real>(mut a: Lanes<T>, b: &Lanes<T>) -> Lanes<T> {
    for (x, y) in a.iter_mut().zip(b.iter()) {
        *x *= *y;
    }
    a
}

/// `a * b + c`.
#[inline(always)]
pub(crate) fn fma<T: Real, const FMA: bool>(
    mut a: Lanes<T>,
    b: &Lanes<T>,
    c: &Lanes<T>,
) -> Lanes<T> {
    for (x, (y, z)) in a.iter_mut().zip(b.iter().zip(c.iter())) {
        *x = x.fma::<FMA>(*y, *z);
    }
    a
}

/// Sum over the lanes.
#[inline(always)]
pub(crate) fn sum<T: Real>(a: &Lanes<T>) -> T {
    let mut half = a.0;
    let mut n = WIDTH;
    while n > 1 {
        n /= 2;
        for i in 0..n {
            half[i] += half[i + n];
        }
    }
    half[0]
}

/// Sum of `f` over two slices of one length, in lanes.
#[inline(always)]
pub(crate) fn sum_zip<T: Real>(a: &[T], b: &[T], f: impl Fn(T, T) -> T) -> T {
    let (a_full, a_rest) = a.as_chunks::<WIDTH>();
    let (b_full, b_rest) = b.as_chunks::<WIDTH>();
    let mut total = splat(T::zero());
    for (x, y) in a_full.iter().zip(b_full) {
        for (t, (x, y)) in total.iter_mut().zip(x.iter().zip(y)) {
            *t += f(*x, *y);
        }
    }
    a_rest.iter().zip(b_rest).fold(sum(&total), |total, (x, y)| total + f(*x, *y))
}

/// Adds `from` to `to`, number by number, as far as the shorter goes.
#[inline(always)]
pub(crate) fn add_onto<T: Real>(to: &mut [T], from: &[T]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += *from);
}

/// Windows of `width` columns (the last may be narrower) of a row-major matrix with `columns` columns:
/// outer index the window, inner index the row. Lets threads write disjoint columns.
pub(crate) fn column_windows<T>(
    data: &mut [T],
    columns: usize,
    width: usize,
) -> Vec<Vec<&mut [T]>> {
    let rows = data.len() / columns;
    let mut windows: Vec<Vec<&mut [T]>> =
        (0..columns.div_ceil(width)).map(|_| Vec::with_capacity(rows)).collect();
    for row in data.chunks_exact_mut(columns) {
        for (window, part) in windows.iter_mut().zip(row.chunks_mut(width)) {
            window.push(part);
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_do_not_lose_the_remainder() {
        let a: Vec<f64> = (0..37).map(f64::from).collect();
        assert_eq!(sum_zip(&a, &a, |x, _| x), 666.0);
        assert_eq!(sum(&load::<f64>(&a[..16])), 120.0);
    }

    #[test]
    fn short_loads_and_stores_touch_only_what_is_there() {
        let lanes = load(&[1.0f32, 2.0]);
        assert_eq!(lanes[..3], [1.0, 2.0, 0.0]);
        let mut to = [9.0f32; 3];
        store(&lanes, &mut to[..2]);
        assert_eq!(to, [1.0, 2.0, 9.0]);
    }

    #[test]
    fn column_windows_cover_a_matrix_once() {
        let mut data = vec![0; 3 * 5];
        for (w, rows) in column_windows(&mut data, 5, 2).iter_mut().enumerate() {
            for (r, row) in rows.iter_mut().enumerate() {
                row.fill(10 * r + w);
            }
        }
        assert_eq!(data, [0, 0, 1, 1, 2, 10, 10, 11, 11, 12, 20, 20, 21, 21, 22]);
    }
}
