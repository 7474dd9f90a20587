//! What happens to tokens between the layers: some are seen, others filled in, places are marked.

use std::sync::Arc;

use candle_core::{Result, Shape, bail};
use rayon::prelude::*;

use crate::nn::class_token::taken_apart;
use crate::nn::fused::Fused;
use crate::nn::lanes::add_onto;
use crate::nn::vectors::Vectors;

/// Colors of a pixel.
const COLORS: usize = 3;

/// Which patches of each image of a batch are seen.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// Patches of an image.
    pub(super) length: usize,
    /// How many of them are seen.
    pub(super) n_seen: usize,
    /// A permutation of the patches for every image, the seen ones first; empty if every image keeps its order.
    places: Arc<[u32]>,
}

impl Order {
    /// Every patch is seen.
    pub(crate) fn whole(length: usize) -> Self {
        Self { length, n_seen: length, places: [].into() }
    }

    /// The first `n_seen` of each image's permutation of `length` patches are seen.
    ///
    /// # Errors
    /// If `places` are no such permutations.
    pub(crate) fn masked(places: Vec<u32>, length: usize, n_seen: usize) -> Result<Self> {
        let mut is_met = vec![false; length];
        for order in places.chunks(length.max(1)) {
            is_met.fill(false);
            for place in order {
                match is_met.get_mut(*place as usize) {
                    Some(met) if !*met => *met = true,
                    _ => bail!("patch {place} of {length} is named twice or not there"),
                }
            }
        }
        if !places.len().is_multiple_of(length.max(1)) || length < n_seen {
            bail!("expected permutations of {length} patches, {n_seen} of them seen")
        }
        Ok(Self { length, n_seen, places: places.into() })
    }

    /// The patches of an image that are seen, in their order.
    pub(super) fn seen(&self, image: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.n_seen).map(move |at| match self.places.get(image * self.length + at) {
            Some(place) => *place as usize,
            None => at,
        })
    }

    /// Whether each patch of an image is hidden.
    pub(crate) fn hidden(&self, image: usize) -> Vec<bool> {
        let mut hidden = vec![true; self.length];
        self.seen(image).for_each(|place| hidden[place] = false);
        hidden
    }
}

/// Patches `[b, L, side * side * 3]`, pixel by pixel, to those that are seen, color by color as convolutions are stored:
/// `[b, n, 3 * side * side]`. Pixels have no gradient.
pub(super) struct See {
    pub(super) order: Order,
}

impl Fused<1> for See {
    const NAME: &'static str = "patches that are seen";
    /// Values per patch.
    type Plan = usize;

    fn plan(&self, [x]: [&[usize]; 1]) -> Result<(usize, Shape)> {
        match *x {
            [b, length, values] if length == self.order.length => {
                Ok((values, (b, self.order.n_seen, values).into()))
            }
            _ => bail!("expected {} patches of each image, found {x:?}", self.order.length),
        }
    }

    fn forward<T: Vectors>(&self, values: &usize, [x]: [&[T]; 1]) -> Vec<T> {
        let Order { length, n_seen, .. } = self.order;
        let images = x.len() / (length * values);
        let mut y = vec![T::zero(); images * n_seen * values];
        let per_image = y.par_chunks_exact_mut((n_seen * values).max(1)).enumerate();
        per_image.for_each(|(image, y)| {
            let seen = self.order.seen(image);
            for (y, place) in y.chunks_exact_mut(*values).zip(seen) {
                let patch = &x[(image * length + place) * values..][..*values];
                for (color, plane) in y.chunks_exact_mut(values / COLORS).enumerate() {
                    let pixels = patch.iter().skip(color).step_by(COLORS);
                    plane.iter_mut().zip(pixels).for_each(|(to, from)| *to = *from);
                }
            }
        });
        y
    }

    fn backward<T: Vectors>(&self, _: &usize, _: [&[T]; 1], _y: &[T], _dy: &[T]) -> [Vec<T>; 1] {
        [Vec::new()]
    }
}

/// Class token `[D]` and tokens `[b, n, D]` to `[b, n + 1, D]`: the class token first, which has no place, then the others with
/// their place's row of `table` `[L, D]` added.
pub(super) struct Begin {
    pub(super) order: Order,
    pub(super) table: Arc<[f64]>,
}

impl Fused<2> for Begin {
    const NAME: &'static str = "class token and places";
    type Plan = usize;

    fn plan(&self, dims: [&[usize]; 2]) -> Result<(usize, Shape)> {
        match dims {
            [&[class], &[b, n, dim]] if class == dim && n == self.order.n_seen => {
                Ok((dim, (b, n + 1, dim).into()))
            }
            [class, x] => bail!("expected a class token and tokens, found {class:?} and {x:?}"),
        }
    }

    fn forward<T: Vectors>(&self, dim: &usize, [class, x]: [&[T]; 2]) -> Vec<T> {
        let n = self.order.n_seen;
        let mut y = Vec::with_capacity(x.len() + x.len() / n.max(1));
        for (image, tokens) in x.chunks_exact(n * dim).enumerate() {
            y.extend_from_slice(class);
            for (token, place) in tokens.chunks_exact(*dim).zip(self.order.seen(image)) {
                let row = &self.table[place * dim..][..*dim];
                y.extend(token.iter().zip(row).map(|(value, place)| *value + T::of(*place)));
            }
        }
        y
    }

    fn backward<T: Vectors>(&self, dim: &usize, _: [&[T]; 2], _y: &[T], dy: &[T]) -> [Vec<T>; 2] {
        taken_apart(*dim, self.order.n_seen * dim, dy)
    }
}

/// Mask token `[D]` and tokens `[b, n + 1, D]` to `[b, L + 1, D]`: every patch at its own place again, the mask token where one
/// is hidden, and its row of `table` `[L, D]` added.
pub(super) struct Fill {
    pub(super) order: Order,
    pub(super) table: Arc<[f64]>,
}

impl Fused<2> for Fill {
    const NAME: &'static str = "tokens of hidden patches";
    type Plan = usize;

    fn plan(&self, dims: [&[usize]; 2]) -> Result<(usize, Shape)> {
        match dims {
            [&[mask], &[b, n, dim]] if mask == dim && n == self.order.n_seen + 1 => {
                Ok((dim, (b, self.order.length + 1, dim).into()))
            }
            [mask, x] => bail!("expected a mask token and tokens, found {mask:?} and {x:?}"),
        }
    }

    fn forward<T: Vectors>(&self, dim: &usize, [mask, x]: [&[T]; 2]) -> Vec<T> {
        let Order { length, n_seen, .. } = self.order;
        let mut y = Vec::with_capacity(x.len() / (n_seen + 1) * (length + 1));
        for (image, tokens) in x.chunks_exact((n_seen + 1) * dim).enumerate() {
            let (class, seen) = tokens.split_at(*dim);
            y.extend_from_slice(class);
            let first = y.len();
            let places = self.table.chunks_exact(*dim);
            y.extend(places.flat_map(|row| mask.iter().zip(row).map(|(a, b)| *a + T::of(*b))));
            for (token, place) in seen.chunks_exact(*dim).zip(self.order.seen(image)) {
                let row = &self.table[place * dim..][..*dim];
                let to = &mut y[first + place * dim..][..*dim];
                let sums = token.iter().zip(row).map(|(a, b)| *a + T::of(*b));
                to.iter_mut().zip(sums).for_each(|(to, sum)| *to = sum);
            }
        }
        y
    }

    fn backward<T: Vectors>(&self, dim: &usize, _: [&[T]; 2], _y: &[T], dy: &[T]) -> [Vec<T>; 2] {
        let Order { length, n_seen, .. } = self.order;
        let mut mask = vec![T::zero(); *dim];
        let mut dx = Vec::with_capacity(dy.len() / (length + 1) * (n_seen + 1));
        for (image, tokens) in dy.chunks_exact((length + 1) * dim).enumerate() {
            let (class, patches) = tokens.split_at(*dim);
            dx.extend_from_slice(class);
            let token = |place: usize| &patches[place * dim..][..*dim];
            self.order.seen(image).for_each(|place| dx.extend_from_slice(token(place)));
            let hidden = self.order.hidden(image);
            for place in (0..length).filter(|place| hidden[*place]) {
                add_onto(&mut mask, token(place));
            }
        }
        [mask, dx]
    }
}

/// Tokens `[b, n + 1, D]` to the mean of all but the first, `[b, D]`.
pub(super) struct MeanOfPatches;

impl Fused<1> for MeanOfPatches {
    const NAME: &'static str = "mean of patches";
    /// Tokens and their values.
    type Plan = (usize, usize);

    fn plan(&self, [x]: [&[usize]; 1]) -> Result<((usize, usize), Shape)> {
        match *x {
            [b, n, dim] if 1 < n => Ok(((n, dim), (b, dim).into())),
            _ => bail!("expected a class token and at least one patch, found {x:?}"),
        }
    }

    fn forward<T: Vectors>(&self, (n, dim): &(usize, usize), [x]: [&[T]; 1]) -> Vec<T> {
        let share = T::one() / T::of((n - 1) as f64);
        let mean = |tokens: &[T]| -> Vec<T> {
            let mut sum = vec![T::zero(); *dim];
            for token in tokens.chunks_exact(*dim).skip(1) {
                add_onto(&mut sum, token);
            }
            sum.iter_mut().for_each(|it| *it *= share);
            sum
        };
        x.chunks_exact(n * dim).flat_map(mean).collect()
    }

    fn backward<T: Vectors>(
        &self,
        (n, dim): &(usize, usize),
        _: [&[T]; 1],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 1] {
        let share = T::one() / T::of((n - 1) as f64);
        let mut dx = Vec::with_capacity(n * dy.len());
        for slope in dy.chunks_exact(*dim) {
            dx.resize(dx.len() + dim, T::zero());
            (1..*n).for_each(|_| dx.extend(slope.iter().map(|it| *it * share)));
        }
        [dx]
    }
}

/// Guesses `[b, L + 1, V]`, the class token's first, against patches `[b, L, V]`: the mean over the hidden patches of the mean
/// squared error of a patch. Only guesses have a gradient.
pub(super) struct HiddenError {
    pub(super) order: Order,
}

impl HiddenError {
    /// Squared differences that the mean is taken over.
    fn count(&self, images: usize, values: usize) -> f64 {
        let n_hidden = self.order.length - self.order.n_seen;
        (images * n_hidden * values) as f64
    }
}

impl Fused<2> for HiddenError {
    const NAME: &'static str = "error of hidden patches";
    /// Values of a patch.
    type Plan = usize;

    fn plan(&self, dims: [&[usize]; 2]) -> Result<(usize, Shape)> {
        let Order { length, n_seen, .. } = self.order;
        match dims {
            [&[b, guessed, v], &[images, n, values]]
                if (b, guessed, v) == (images, length + 1, values) && n == length && n_seen < n =>
            {
                Ok((values, ().into()))
            }
            [guesses, patches] => {
                bail!("expected guesses and hidden patches, found {guesses:?} and {patches:?}")
            }
        }
    }

    fn forward<T: Vectors>(&self, values: &usize, [guesses, patches]: [&[T]; 2]) -> Vec<T> {
        let Order { length, .. } = self.order;
        let images = guesses
            .par_chunks_exact((length + 1) * values)
            .zip(patches.par_chunks_exact(length * values))
            .enumerate();
        let errors: Vec<f64> = images
            .map(|(image, (guesses, patches))| {
                let pairs =
                    guesses[*values..].chunks_exact(*values).zip(patches.chunks_exact(*values));
                let hidden = self.order.hidden(image).into_iter().zip(pairs).filter(|it| it.0);
                let error = |guess: &[T], patch: &[T]| -> f64 {
                    guess.iter().zip(patch).map(|(a, b)| (*a - *b).wide().powi(2)).sum()
                };
                hidden.map(|(_, (guess, patch))| error(guess, patch)).sum()
            })
            .collect();
        let count = self.count(errors.len(), *values);
        vec![T::of(errors.iter().sum::<f64>() / count)]
    }

    fn backward<T: Vectors>(
        &self,
        values: &usize,
        [guesses, patches]: [&[T]; 2],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 2] {
        let Order { length, .. } = self.order;
        let count = self.count(patches.len() / (length * values), *values);
        let scale = dy[0] * T::of(2.0 / count);
        let mut slopes = vec![T::zero(); guesses.len()];
        slopes
            .par_chunks_exact_mut((length + 1) * values)
            .zip(guesses.par_chunks_exact((length + 1) * values))
            .zip(patches.par_chunks_exact(length * values))
            .enumerate()
            .for_each(|(image, ((slopes, guesses), patches))| {
                let hidden = self.order.hidden(image);
                for place in (0..length).filter(|place| hidden[*place]) {
                    let guess = (place + 1) * values..(place + 2) * values;
                    let patch = &patches[place * values..][..*values];
                    let pairs = guesses[guess.clone()].iter().zip(patch);
                    let slopes = slopes[guess].iter_mut().zip(pairs);
                    slopes.for_each(|(slope, (a, b))| *slope = scale * (*a - *b));
                }
            });
        [slopes, Vec::new()]
    }

    fn backward_of<T: Vectors>(
        &self,
        _asked: [bool; 2],
        plan: &usize,
        inputs: [&[T]; 2],
        y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 2] {
        self.backward(plan, inputs, y, dy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::fused::{apply1, apply2};
    use crate::testing::{assert_gradients, normal};
    use candle_core::{Device, Tensor};

    /// Two images of four patches, of which each sees two.
    fn order() -> Order {
        Order::masked(vec![2, 0, 1, 3, 3, 1, 0, 2], 4, 2).unwrap()
    }

    fn table(dim: usize) -> Arc<[f64]> {
        (0..4 * dim).map(|it| it as f64 * 100.0).collect()
    }

    fn values(tensor: &Tensor) -> Vec<f64> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn what_is_no_permutation_is_refused() {
        assert!(Order::masked(vec![0, 1, 1], 3, 1).is_err());
        assert!(Order::masked(vec![0, 1, 3], 3, 1).is_err());
        assert!(Order::masked(vec![0, 1], 3, 1).is_err());
        assert_eq!(order().hidden(1), [true, false, true, false]);
    }

    #[test]
    fn the_first_of_an_order_are_seen_color_by_color() {
        // Patches of 2 pixels: image, patch, pixel, color as digits.
        let digits = |i: usize| (i / 24 * 1000 + i / 6 % 4 * 100 + i / 3 % 2 * 10 + i % 3) as f64;
        let x: Vec<f64> = (0..48).map(digits).collect();
        let x = Tensor::from_vec(x, (2, 4, 6), &Device::Cpu).unwrap();
        let seen = values(&apply1(See { order: order() }, &x).unwrap());
        assert_eq!(seen[..6], [200.0, 210.0, 201.0, 211.0, 202.0, 212.0]);
        assert_eq!(seen[18], 1100.0);
        assert_eq!(values(&apply1(See { order: Order::whole(4) }, &x).unwrap())[6], 100.0);
    }

    #[test]
    fn tokens_know_their_places_and_return_to_them() {
        let class = Tensor::new(&[7f64], &Device::Cpu).unwrap();
        let seen = Tensor::new(&[[[1f64], [2.0]], [[3.0], [4.0]]], &Device::Cpu).unwrap();
        let begun = apply2(Begin { order: order(), table: table(1) }, [&class, &seen]).unwrap();
        assert_eq!(values(&begun), [7.0, 201.0, 2.0, 7.0, 303.0, 104.0]);
        let filled = apply2(Fill { order: order(), table: table(1) }, [&class, &begun]).unwrap();
        assert_eq!(values(&filled), [7.0, 2.0, 107.0, 401.0, 307.0, 7.0, 7.0, 204.0, 207.0, 603.0]);
    }

    #[test]
    fn the_error_is_that_of_hidden_patches_alone() {
        let mut guesses = vec![0f64; 20];
        guesses[2 + 1] = 3.0; // the second value of the first image's first patch, which is seen
        guesses[4] = 2.0; // the first value of its second patch, which is hidden
        let guesses = Tensor::from_vec(guesses, (2, 5, 2), &Device::Cpu).unwrap();
        let patches = Tensor::zeros((2, 4, 2), candle_core::DType::F64, &Device::Cpu).unwrap();
        let error = apply2(HiddenError { order: order() }, [&guesses, &patches]).unwrap();
        assert_eq!(error.to_scalar::<f64>().unwrap(), 4.0 / 8.0);
    }

    #[test]
    fn gradients_equal_finite_differences() {
        let begin = || Begin { order: order(), table: table(3) };
        let inputs = [normal(&[3], 1), normal(&[2, 2, 3], 2)];
        assert_gradients(&inputs, |t| apply2(begin(), [&t[0], &t[1]]));
        let fill = || Fill { order: order(), table: table(3) };
        let inputs = [normal(&[3], 3), normal(&[2, 3, 3], 4)];
        assert_gradients(&inputs, |t| apply2(fill(), [&t[0], &t[1]]));
        assert_gradients(&[normal(&[2, 4, 3], 5)], |t| apply1(MeanOfPatches, &t[0]));
        let patches = normal(&[2, 4, 3], 6);
        assert_gradients(&[normal(&[2, 5, 3], 7)], |t| {
            apply2(HiddenError { order: order() }, [&t[0], &patches])
        });
    }
}
