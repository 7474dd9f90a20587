//! The learned filter (Alg. 1, Eqs 10-12): gains at equally spaced nodes, interpolated between them.

use std::ops::Range;

use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;
use rustfft::num_complex::Complex;
use rustfft::num_traits::Zero as _;

use super::super::lanes::WIDTH;
use super::super::real::Real;
use super::super::tape::{Back, Chain, Slot, Step, Tape, chained};
use super::super::vectors::Vectors;
use super::transform::{Gain, Transform, amplify, edges, inner};
use super::{Group, Passage, Spectra, filter};

/// `irfft(W rfft(x))` per channel: `x` `[b, L, E]`; real and imaginary part of `W` at `G` nodes, each `[E, G]`.
///
/// # Errors
/// If shapes disagree or the type is neither `f32` nor `f64`.
pub(crate) fn learned_filter(x: &Tensor, re: &Tensor, im: &Tensor) -> Result<Tensor> {
    chained(Alone(Passage::default()), x, &[re, im])
}

/// The same on a tape, with what passes beside it: `x`, real and imaginary part.
///
/// # Errors
/// If shapes disagree.
pub(crate) fn learned_filter_on<T: Vectors>(
    tape: &mut Tape<'_, T>,
    passage: &Passage,
    slots: [Slot; 3],
) -> Result<Slot> {
    let shape = tape.shape(slots[0]).clone();
    let size = Size::of(slots.map(|slot| tape.shape(slot).dims()))?;
    let [x, re, im] = slots.map(|slot| tape.values(slot));
    let weights = Weights::new(size, passage, [re, im]);
    let gains = |first| weights.gains(first);
    let (y, spectra) = filter(x, (size.length, size.channels), gains, tape.is_recorded());
    Ok(tape.push(y, shape, Filtered { slots, size, passage: passage.clone(), spectra }))
}

/// One filter by itself.
struct Alone(Passage);

impl Chain for Alone {
    const NAME: &'static str = "learned filter";

    fn run<T: Vectors>(&self, tape: &mut Tape<'_, T>) -> Result<Slot> {
        learned_filter_on(tape, &self.0, [Slot::INPUT, Slot::parameter(0), Slot::parameter(1)])
    }
}

#[derive(Clone, Copy)]
struct Size {
    /// Tokens per bag.
    length: usize,
    /// *E*.
    channels: usize,
    /// *G*.
    nodes: usize,
}

impl Size {
    fn of(dims: [&[usize]; 3]) -> Result<Self> {
        match dims {
            [&[_, length, channels], re @ &[filters, nodes], im]
                if filters == channels && 2 <= nodes && re == im =>
            {
                Ok(Self { length, channels, nodes })
            }
            [x, re, im] => bail!(
                "learned filter of {x:?}: expected two of a row of at least 2 nodes per channel, found {re:?} and {im:?}"
            ),
        }
    }
}

/// Where a bin lies between two nodes.
struct Node<T> {
    first: usize,
    /// Weight of the node after `first`.
    weight: T,
}

impl<T: Real> Node<T> {
    /// That of every bin of a transform of length `length` among `count >= 2` equally spaced nodes.
    fn of_bins(length: usize, count: usize) -> impl Iterator<Item = Self> {
        (0..=length / 2).map(move |bin| {
            let position = 2.0 * bin as f64 / length as f64 * (count - 1) as f64;
            let first = (position.floor() as usize).min(count - 2);
            Self { first, weight: T::of(position - first as f64) }
        })
    }
}

/// The weights of the nodes at every bin of a transform of length `length`: `[length / 2 + 1, count]`.
pub(super) fn mix(length: usize, count: usize) -> Vec<f64> {
    let mut mix = vec![0.0; (length / 2 + 1) * count];
    for (row, node) in mix.chunks_exact_mut(count).zip(Node::<f64>::of_bins(length, count)) {
        row[node.first] = 1.0 - node.weight;
        row[node.first + 1] = node.weight;
    }
    mix
}

/// A bin and how much of it reaches the filter.
struct Bin<T> {
    node: Node<T>,
    reach: T,
}

/// A learned filter and what passes beside it.
struct Weights<'a, T> {
    size: Size,
    /// At the nodes, `[E, G]`.
    re: &'a [T],
    im: &'a [T],
    bins: Vec<Bin<T>>,
    /// Gain beside the filter.
    beside: T,
}

impl<'a, T: Real> Weights<'a, T> {
    fn new(size: Size, passage: &Passage, [re, im]: [&'a [T]; 2]) -> Self {
        let bins = Node::of_bins(size.length, size.nodes).enumerate();
        let bins = bins.map(|(bin, node)| Bin { node, reach: passage.reaches(bin, size.length) });
        Self { size, re, im, bins: bins.collect(), beside: passage.beside() }
    }

    /// All that becomes of every bin of a channel and of the one after it, if there is one.
    fn gains(&self, first: usize) -> Vec<Gain<T>> {
        let half = T::of(0.5);
        let nodes: Vec<Gain<T>> = (0..self.size.nodes)
            .map(|node| {
                let [a, b] = [self.at(first, node), self.at(first + 1, node)];
                Gain { mean: (a + b) * half, apart: (a - b) * half }
            })
            .collect();
        let gain = |Bin { node, reach }: &Bin<T>| {
            let [from, to] = [nodes[node.first], nodes[node.first + 1]];
            let between =
                |from: Complex<T>, to: Complex<T>| (from + (to - from) * node.weight) * *reach;
            let mean = between(from.mean, to.mean) + self.beside;
            Gain { mean, apart: between(from.apart, to.apart) }
        };
        self.bins.iter().map(gain).collect()
    }

    /// A node of a channel; 0 for a channel that does not exist.
    fn at(&self, channel: usize, node: usize) -> Complex<T> {
        let at = channel * self.size.nodes + node;
        match (self.re.get(at), self.im.get(at)) {
            (Some(re), Some(im)) => Complex::new(*re, *im),
            _ => Complex::zero(),
        }
    }

    /// With `Y = W X`, `dX = conj(W) dY`: to the rows `dx`, from one of their channels on, from the spectra of `x` `[b, pairs, L]` and from `dy`,
    /// for some channels. Returns the gradients at their nodes.
    fn back(
        &self,
        transform: &Transform<T>,
        channels: Range<usize>,
        (spectra, dy): (&[Complex<T>], &[T]),
        (dx, first): (&mut [&mut [T]], usize),
    ) -> Vec<Complex<T>> {
        let Size { length, channels: columns, nodes } = self.size;
        let gains = channels.clone().step_by(2).map(|first| self.gains(first));
        let gains: Vec<Vec<Gain<T>>> = gains.map(conjugates).collect();
        let mut room = transform.room();
        let mut dy_spectra = transform.spectra(channels.len());
        let mut dx_spectra = dy_spectra.clone();
        let mut gradients = vec![Complex::zero(); 2 * gains.len() * nodes];
        let bags = dy.chunks_exact(length * columns).zip(dx.chunks_exact_mut(length));
        for (spectra, (dy, dx)) in spectra.chunks_exact(dy_spectra.len()).zip(bags) {
            transform.forward(&mut room, dy, channels.clone(), &mut dy_spectra);
            let pairs = spectra.chunks_exact(length).zip(dy_spectra.chunks_exact(length));
            let to = dx_spectra.chunks_exact_mut(length).zip(gradients.chunks_exact_mut(2 * nodes));
            for (((x, dy), gains), (dx, gradients)) in pairs.zip(&gains).zip(to) {
                self.learn([x, dy], gradients.split_at_mut(nodes).into());
                amplify(dy, gains, dx);
            }
            transform.inverse(&mut room, &mut dx_spectra, dx, first);
        }
        // Beside the last of an odd number of channels stands none.
        gradients.truncate(channels.len() * nodes);
        gradients
    }

    /// Adds, for a bin of multiplicity `c`, `dW = c / L conj(X) dY` to the gradients at the nodes, from the spectra of a pair of channels.
    fn learn(&self, [x, dy]: [&[Complex<T>]; 2], gradients: [&mut [Complex<T>]; 2]) {
        let length = self.size.length;
        // Both spectra of a channel are half the sum or the difference below.
        let once = T::of(0.25 / length as f64);
        let [a, b] = gradients;
        let mut add = |bin: usize, [x, dy]: [[Complex<T>; 2]; 2], share: T| {
            let Bin { node, reach } = &self.bins[bin];
            let share = share * *reach;
            let [da, db] = [
                (x[0] + x[1]).conj() * (dy[0] + dy[1]) * share,
                (x[0] - x[1]).conj() * (dy[0] - dy[1]) * share,
            ];
            for (gradient, of_bin) in [(&mut *a, da), (&mut *b, db)] {
                gradient[node.first] += of_bin * (T::one() - node.weight);
                gradient[node.first + 1] += of_bin * node.weight;
            }
        };
        for bin in edges(length) {
            add(bin, [x, dy].map(|it| [it[bin], it[bin].conj()]), once);
        }
        let (low, high) = inner(length);
        for (bin, mirrored) in low.zip(high.rev()) {
            add(bin, [x, dy].map(|it| [it[bin], it[mirrored].conj()]), once + once);
        }
    }
}

fn conjugates<T: Real>(gains: Vec<Gain<T>>) -> Vec<Gain<T>> {
    gains.into_iter().map(Gain::conj).collect()
}

/// A learned filter that was applied.
struct Filtered<T> {
    slots: [Slot; 3],
    size: Size,
    passage: Passage,
    spectra: Vec<Spectra<T>>,
}

impl<T: Vectors> Step<T> for Filtered<T> {
    fn back(self: Box<Self>, of: &Back<'_, T>) -> Vec<(Slot, Vec<T>)> {
        let Size { length, channels, .. } = self.size;
        let [_, re, im] = self.slots;
        let weights = Weights::new(self.size, &self.passage, [re, im].map(|slot| of.values(slot)));
        let transform = Transform::new(length);
        let mut dx = vec![T::zero(); of.dy.len()];
        let groups = Group::all(&mut dx, (length, channels)).into_par_iter();
        let dw = groups.map(|mut group| {
            let mut dw = Vec::new();
            for window in group.windows() {
                let spectra = &self.spectra[window.start / WIDTH];
                let first = window.start - group.first;
                let to = (group.rows.as_mut_slice(), first);
                dw.append(&mut weights.back(&transform, window, (spectra, of.dy), to));
            }
            [dw.iter().map(|w| w.re).collect::<Vec<T>>(), dw.iter().map(|w| w.im).collect()]
        });
        let dw: Vec<[Vec<T>; 2]> = dw.collect();
        let (re, im): (Vec<_>, Vec<_>) = dw.into_iter().map(<(_, _)>::from).unzip();
        let gradients = [dx, re.concat(), im.concat()];
        let gradients = self.slots.into_iter().zip(gradients);
        gradients.filter(|(slot, _)| of.asks(*slot)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fused::apply1;
    use super::super::{Band, BandPass, band_pass};
    use super::*;
    use crate::testing::{assert_gradients, assert_near, normal};

    #[test]
    fn gradients_equal_finite_differences_at_even_and_odd_lengths() {
        for length in [1, 2, 7, 12] {
            let inputs = [normal(&[2, length, 3], 1), normal(&[3, 4], 2), normal(&[3, 4], 3)];
            assert_gradients(&inputs, |t| learned_filter(&t[0], &t[1], &t[2]));
        }
    }

    #[test]
    fn a_signal_passes_beside_its_filter_and_mutes_reach_the_filter_alone() {
        let without = vec![Band::Low, Band::High];
        for length in [1, 2, 9, 12] {
            let inputs = [normal(&[2, length, 3], 1), normal(&[3, 4], 2), normal(&[3, 4], 3)];
            let [x, re, im] = &inputs;
            let passage = || Passage { adds_signal: true, without: without.clone() };
            let heard = band_pass(x, Band::Mid).unwrap();
            let learned = |t: &[Tensor]| chained(Alone(passage()), &t[0], &[&t[1], &t[2]]);
            let want = (x + learned_filter(&heard, re, im).unwrap()).unwrap();
            assert_near(&learned(&inputs).unwrap(), &want, 1e-12, "learned");
            assert_gradients(&inputs, learned);
            for (band, heard) in [(Band::Mid, heard), (Band::Low, x.zeros_like().unwrap())] {
                let fixed = |t: &[Tensor]| apply1(BandPass { band, passage: passage() }, &t[0]);
                let want = (x + heard).unwrap();
                assert_near(&fixed(&inputs).unwrap(), &want, 1e-12, "fixed");
                assert_gradients(&inputs[..1], fixed);
            }
        }
    }
}
