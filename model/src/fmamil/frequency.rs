//! The frequency branch of a block: learnable frequency-domain encoding (Alg. 1, Eqs 10-12), gated (Eq. 14).

use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;

use super::config::{FmamilConfig, FreqBand, FreqGate, FreqNorm, FreqPool};
use super::gate::SpectralGate;
use crate::nn::activation::silu;
use crate::nn::layer_norm::{LayerNorm, standardize};
use crate::nn::spectrum::{Band, BandPass, Passage, band_pass, learned_filter, learned_filter_on};
use crate::nn::tape::{Slot, Tape};
use crate::nn::vectors::Vectors;

/// As the layer norms of the network.
const EPS: f64 = 1e-5;

#[derive(Clone, Debug)]
enum Filter {
    /// Real and imaginary part at the nodes, each `[E, G]`.
    Learned(Tensor, Tensor),
    Fixed(Band),
}

#[derive(Clone, Debug)]
enum Gate {
    /// Eq. 14, normalized over channels.
    Eq14Channel(LayerNorm),
    /// Eq. 14, normalized over tokens.
    Eq14Sequence,
    /// Alg. 2, line 27.
    Alg2,
}

/// Filter, gate and pooling of the branch.
#[derive(Clone, Debug)]
pub(crate) struct FrequencyBranch {
    filter: Filter,
    /// Bands that the filter leaves out.
    without: Vec<Band>,
    gate: Gate,
    pool: FreqPool,
}

impl FrequencyBranch {
    /// `None` if the config has no such branch.
    pub(crate) fn new(config: &FmamilConfig, vb: &VarBuilder<'_>) -> Result<Option<Self>> {
        let inner = config.inner_dim();
        let filter = match config.freq_band {
            FreqBand::Off => return Ok(None),
            FreqBand::Learned => {
                let part = |name| vb.pp("lfde").get((inner, config.freq_nodes), name);
                Filter::Learned(part("weight_re")?, part("weight_im")?)
            }
            FreqBand::Low => Filter::Fixed(Band::Low),
            FreqBand::Mid => Filter::Fixed(Band::Mid),
            FreqBand::High => Filter::Fixed(Band::High),
        };
        let gate = match (config.freq_gate, config.freq_norm) {
            (FreqGate::Alg2, _) => Gate::Alg2,
            (FreqGate::Eq14, FreqNorm::Sequence) => Gate::Eq14Sequence,
            (FreqGate::Eq14, FreqNorm::Channel) => {
                Gate::Eq14Channel(LayerNorm::new(inner, EPS, vb.pp("freq_norm"))?)
            }
        };
        let without = config.freq_without.clone();
        Ok(Some(Self { filter, without, gate, pool: config.freq_pool }))
    }

    /// `x` and `z` `[b, L, E]`, `open = silu(z)`, to the branch's share of the block's sum `[b, L, E]`.
    pub(crate) fn forward(&self, x: &Tensor, z: &Tensor, open: &Tensor) -> Result<Tensor> {
        let y = self.encode(x)?;
        let gated = y.broadcast_mul(&self.pooled_gate(z, open)?)?;
        match &self.gate {
            Gate::Eq14Channel(norm) => norm.forward(&gated.abs()?),
            Gate::Eq14Sequence => {
                let by_channel = gated.abs()?.transpose(1, 2)?.contiguous()?; // [b, E, L]
                standardize(&by_channel, EPS)?.transpose(1, 2)?.contiguous()
            }
            Gate::Alg2 => Ok(gated),
        }
    }

    /// Whether [`Self::on_tape`] computes this branch: that of the paper, whatever its filter.
    pub(super) fn fits_a_tape(&self) -> bool {
        matches!(self.gate, Gate::Eq14Channel(_)) && self.pool == FreqPool::Global
    }

    /// All that it has learned.
    pub(super) fn parameters(&self) -> Vec<&Tensor> {
        let mut parameters = Vec::new();
        if let Filter::Learned(re, im) = &self.filter {
            parameters.extend([re, im]);
        }
        if let Gate::Eq14Channel(norm) = &self.gate {
            parameters.extend(norm.parameters());
        }
        parameters
    }

    /// The block's sum `[b, L, E]` of the branch and of what was scanned, on a tape that was given [`Self::parameters`].
    pub(super) fn on_tape<T: Vectors>(
        &self,
        tape: &mut Tape<'_, T>,
        scanned: Slot,
        [x, z]: [Slot; 2],
    ) -> Result<Slot> {
        let Gate::Eq14Channel(norm) = &self.gate else {
            bail!("only Eq. 14 over channels runs on a tape, found {:?}", self.gate)
        };
        let passage = Passage { adds_signal: true, without: self.without.clone() };
        let encoded = match &self.filter {
            Filter::Learned(re, im) => {
                let parts = [x, tape.parameter(re)?, tape.parameter(im)?];
                learned_filter_on(tape, &passage, parts)?
            }
            Filter::Fixed(band) => tape.apply(BandPass { band: *band, passage }, [x])?,
        };
        let [scale, shift] = norm.parameters();
        let affine = [tape.parameter(scale)?, tape.parameter(shift)?];
        tape.apply(SpectralGate { eps: EPS }, [scanned, z, encoded, affine[0], affine[1]])
    }

    /// `x + irfft(W rfft(x))` along the tokens, class token included (Eqs 10-12).
    pub(crate) fn encode(&self, x: &Tensor) -> Result<Tensor> {
        let heard = self.heard(x)?;
        match &self.filter {
            Filter::Learned(re, im) => x + learned_filter(&heard, re, im)?,
            Filter::Fixed(band) => x + band_pass(&heard, *band)?,
        }
    }

    /// `x` less the bands that the filter leaves out: a filter is linear, so this mutes them.
    fn heard(&self, x: &Tensor) -> Result<Tensor> {
        let mut heard = x.clone();
        for band in &self.without {
            heard = (&heard - band_pass(&heard, *band)?)?;
        }
        Ok(heard)
    }

    /// The same branch whose filter leaves out `bands`, and no others.
    pub(crate) fn without(&self, bands: &[Band]) -> Self {
        Self { without: bands.to_vec(), ..self.clone() }
    }

    /// Real and imaginary part of the learned filter at its nodes, each `[E, G]`; `None` if none is learned.
    pub(crate) fn learned(&self) -> Option<(&Tensor, &Tensor)> {
        match &self.filter {
            Filter::Learned(re, im) => Some((re, im)),
            Filter::Fixed(_) => None,
        }
    }

    /// `max(silu(z))` or, in Alg. 2, `silu(max(z))`; `[b, 1, E]` if pooled globally.
    pub(crate) fn pooled_gate(&self, z: &Tensor, open: &Tensor) -> Result<Tensor> {
        match self.gate {
            Gate::Alg2 => silu(&self.pooled(z)?),
            _ => self.pooled(open),
        }
    }

    fn pooled(&self, values: &Tensor) -> Result<Tensor> {
        match self.pool {
            FreqPool::Global => values.max_keepdim(1),
            FreqPool::Local => {
                let length = values.dim(1)?;
                let earlier = [values.narrow(1, 0, 1)?, values.narrow(1, 0, length - 1)?];
                let later = [values.narrow(1, 1, length - 1)?, values.narrow(1, length - 1, 1)?];
                values.maximum(&Tensor::cat(&earlier, 1)?)?.maximum(&Tensor::cat(&later, 1)?)
            }
        }
    }
}
