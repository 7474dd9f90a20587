//! The network before its head as one chain on a tape: features to patch tokens (Eqs 6-16).

use candle_core::{Result, Shape, Tensor, bail};

use super::block::FMambaBlock;
use super::order::ColumnOrder;
use crate::nn::fused::Fused;
use crate::nn::layer_norm::LayerNorm;
use crate::nn::linear::Linear;
use crate::nn::tape::{Chain, Slot, Tape};
use crate::nn::vectors::Vectors;

/// What features `[b, P, F]` pass through on their way to `[b, P, D]`.
pub(super) struct Trunk {
    pub(super) project: Linear,
    /// `[D]`.
    pub(super) class_token: Tensor,
    /// Position encodings of the patches, `[P, D]`, if there are any.
    pub(super) places: Option<Tensor>,
    pub(super) blocks: Vec<FMambaBlock>,
    pub(super) norm: LayerNorm,
    pub(super) order: ColumnOrder,
}

impl Trunk {
    /// All that it is given beside features.
    pub(super) fn parameters(&self) -> Vec<&Tensor> {
        let mut parameters: Vec<&Tensor> = self.project.parameters().collect();
        parameters.push(&self.class_token);
        parameters.extend(&self.places);
        parameters.extend(self.blocks.iter().flat_map(FMambaBlock::parameters));
        parameters.extend(self.norm.parameters());
        parameters
    }
}

impl Chain for Trunk {
    const NAME: &'static str = "FMaMIL";

    fn run<T: Vectors>(&self, tape: &mut Tape<'_, T>) -> Result<Slot> {
        let mut patches = self.project.on_tape(tape, Slot::INPUT)?;
        if let Some(places) = &self.places {
            let places = tape.parameter(places)?;
            patches = tape.apply(Places, [patches, places])?;
        }
        let class_token = tape.parameter(&self.class_token)?;
        let mut tokens = tape.apply(Begin, [class_token, patches])?;
        tape.keep_last(0);
        for block in &self.blocks {
            tokens = block.on_tape(tape, tokens, &self.order)?;
        }
        let patches = tape.apply(Patches, [tokens])?;
        self.norm.on_tape(tape, patches)
    }
}

/// Patches `[b, P, D]` and one table `[P, D]` for all bags to their sum (Eq. 8).
struct Places;

impl Fused<2> for Places {
    const NAME: &'static str = "places";
    type Plan = ();

    fn plan(&self, dims: [&[usize]; 2]) -> Result<((), Shape)> {
        match dims {
            [x @ &[_, patches, dim], &[places, width]] if places == patches && width == dim => {
                Ok(((), x.into()))
            }
            [x, table] => bail!("places: expected [b, P, D] and [P, D], found {x:?} and {table:?}"),
        }
    }

    fn forward<T: Vectors>(&self, (): &(), [x, table]: [&[T]; 2]) -> Vec<T> {
        let bags = x.chunks_exact(table.len());
        bags.flat_map(|bag| bag.iter().zip(table).map(|(x, place)| *x + *place)).collect()
    }

    fn backward<T: Vectors>(&self, (): &(), inputs: [&[T]; 2], _y: &[T], dy: &[T]) -> [Vec<T>; 2] {
        let mut bags = dy.chunks_exact(inputs[1].len());
        let mut table = bags.next().map_or_else(Vec::new, <[T]>::to_vec);
        for bag in bags {
            table.iter_mut().zip(bag).for_each(|(sum, value)| *sum += *value);
        }
        [dy.to_vec(), table]
    }
}

/// Class token `[D]` and patches `[b, P, D]` to tokens `[b, P + 1, D]`, the class token first (Eq. 7).
struct Begin;

impl Fused<2> for Begin {
    const NAME: &'static str = "class token";
    /// Values of all patches of a bag.
    type Plan = usize;

    fn plan(&self, dims: [&[usize]; 2]) -> Result<(usize, Shape)> {
        match dims {
            [&[class], &[b, patches, dim]] if class == dim => {
                Ok((patches * dim, (b, patches + 1, dim).into()))
            }
            [class, x] => bail!("expected a class token and patches, found {class:?} and {x:?}"),
        }
    }

    fn forward<T: Vectors>(&self, bag: &usize, [class, x]: [&[T]; 2]) -> Vec<T> {
        x.chunks_exact(*bag).flat_map(|bag| class.iter().chain(bag).copied()).collect()
    }

    fn backward<T: Vectors>(
        &self,
        bag: &usize,
        inputs: [&[T]; 2],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 2] {
        let dim = inputs[0].len();
        let mut class = vec![T::zero(); dim];
        let mut dx = Vec::with_capacity(inputs[1].len());
        for tokens in dy.chunks_exact(bag + dim) {
            let (first, others) = tokens.split_at(dim);
            class.iter_mut().zip(first).for_each(|(sum, value)| *sum += *value);
            dx.extend_from_slice(others);
        }
        [class, dx]
    }
}

/// Tokens `[b, P + 1, D]` without their class token, `[b, P, D]` (Eq. 16).
struct Patches;

impl Fused<1> for Patches {
    const NAME: &'static str = "patches";
    /// Values of all tokens of a bag, and of one.
    type Plan = (usize, usize);

    fn plan(&self, [x]: [&[usize]; 1]) -> Result<((usize, usize), Shape)> {
        match *x {
            [b, n, dim] if 1 < n => Ok(((n * dim, dim), (b, n - 1, dim).into())),
            _ => bail!("expected a class token and at least one patch, found {x:?}"),
        }
    }

    fn forward<T: Vectors>(&self, (bag, dim): &(usize, usize), [x]: [&[T]; 1]) -> Vec<T> {
        let mut patches = Vec::with_capacity(x.len());
        x.chunks_exact(*bag).for_each(|bag| patches.extend_from_slice(&bag[*dim..]));
        patches
    }

    fn backward<T: Vectors>(
        &self,
        (bag, dim): &(usize, usize),
        [x]: [&[T]; 1],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 1] {
        let mut dx = Vec::with_capacity(x.len());
        for patches in dy.chunks_exact(bag - dim) {
            dx.resize(dx.len() + dim, T::zero());
            dx.extend_from_slice(patches);
        }
        [dx]
    }
}
