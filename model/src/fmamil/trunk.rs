//! The network before its head as one chain on a tape: features to patch tokens (Eqs 6-16).

use candle_core::{Result, Shape, Tensor, bail};

use super::block::FMambaBlock;
use super::order::ColumnOrder;
use crate::nn::class_token::{Begin, Patches};
use crate::nn::fused::Fused;
use crate::nn::lanes::add_onto;
use crate::nn::layer_norm::LayerNorm;
use crate::nn::linear::Linear;
use crate::nn::tape::{Chain, Slot, Tape, add_all};
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
        let mut y = x.to_vec();
        y.chunks_exact_mut(table.len()).for_each(|bag| add_all(bag, &[table]));
        y
    }

    fn backward<T: Vectors>(&self, (): &(), inputs: [&[T]; 2], _y: &[T], dy: &[T]) -> [Vec<T>; 2] {
        let mut bags = dy.chunks_exact(inputs[1].len());
        let mut table = bags.next().map_or_else(Vec::new, <[T]>::to_vec);
        for bag in bags {
            add_onto(&mut table, bag);
        }
        [dy.to_vec(), table]
    }
}
