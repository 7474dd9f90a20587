//! `FMaMIL` as one of the networks.

use candle_core::{Result, Tensor};
use rand_chacha::ChaCha8Rng;

use super::{Bags, Judgement, MilNetwork};
use crate::cam::map::{MapKind, raw_map};
use crate::fmamil::Fmamil;
use crate::loss::mil::{LossConfig, MilLoss, mil_loss};

impl MilNetwork for Fmamil {
    fn loss(
        &self,
        bags: Bags<'_>,
        target: &Tensor,
        config: &LossConfig,
        _rng: &mut ChaCha8Rng,
    ) -> Result<MilLoss> {
        let tokens = self.tokens(bags.features, bags.grid)?; // [b, P, D]
        mil_loss(&self.head(&tokens, bags.mask)?, target, bags.mask, config)
    }

    fn probabilities(&self, bags: Bags<'_>) -> Result<Tensor> {
        self.head(&self.tokens(bags.features, bags.grid)?, bags.mask)?.probabilities()
    }

    fn judge(&self, bags: Bags<'_>) -> Result<Judgement> {
        let tokens = self.tokens(bags.features, bags.grid)?;
        let probabilities = self.head(&tokens, bags.mask)?.probabilities()?;
        Ok(Judgement { probabilities, map: self.map(&tokens, bags.mask)? })
    }

    fn further_maps(&self, bags: Bags<'_>, kinds: &[MapKind]) -> Result<Vec<(MapKind, Tensor)>> {
        let further: Vec<_> = kinds.iter().filter(|kind| **kind != self.map_kind()).collect();
        if further.is_empty() {
            return Ok(Vec::new());
        }
        let tokens = self.tokens(bags.features, bags.grid)?;
        let map = |&&kind: &&MapKind| Ok((kind, raw_map(kind, self, &tokens, bags.mask)?));
        further.iter().map(map).collect()
    }

    fn as_fmamil(&self) -> Option<&Fmamil> {
        Some(self)
    }
}
