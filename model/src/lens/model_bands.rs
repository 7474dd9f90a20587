//! Which band of frequencies a model listens to: the energy of its features per band, and what it says with a band taken out of its
//! learned frequency encoding, or with one alone left in (Alg. 1, Table 5).
//!
//! Frequencies are those of the sequence of patches, row by row, not of the picture. All of it explains the model, not the tissue.
//! Features come from the store that the run before has filled, so that no patch is encoded again.

use candle_core::{Result, Tensor};
use domain::coords::PixelSize;
use domain::heatmap::Heatmap;
use domain::progress::{CancelToken, Progress};
use slide::Slide;

use super::Band;
use super::filter_curve::{FilterCurve, filter_curves};
use crate::analysis::{AnalysisSettings, AnalyzeError, open_model};
use crate::bag::feature_store::FeatureStore;
use crate::cam::stitch::stitched;
use crate::fmamil::Fmamil;
use crate::nn::spectrum::band_pass;
use crate::pipeline::loaded_model::{BagBatch, BagOutput, NetworkReader};
use crate::pipeline::slide_run::{Views, each_batch};
use crate::pipeline::survey::Survey;
use crate::registry::ModelEntry;
use crate::registry::weights::one_line;
use crate::stopwatch::Stopwatch;

/// Share of the patches whose energy a map of energy still tells apart.
const FULL_SCALE_SHARE: f64 = 0.99;

/// Which bands the learned frequency encoding is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// All but this one: it is muted.
    Without(Band),
    /// This one alone: it is soloed.
    Only(Band),
}

impl Heard {
    /// Every choice, muted ones first.
    pub const ALL: [Self; 6] = [
        Self::Without(Band::Low),
        Self::Without(Band::Mid),
        Self::Without(Band::High),
        Self::Only(Band::Low),
        Self::Only(Band::Mid),
        Self::Only(Band::High),
    ];

    /// Bands that are left out: `freq_without` of a network's configuration.
    pub fn removed(self) -> Vec<Band> {
        let is_removed = |band: &Band| match self {
            Self::Without(muted) => *band == muted,
            Self::Only(soloed) => *band != soloed,
        };
        Band::ALL.into_iter().filter(is_removed).collect()
    }
}

/// What the model says of the slide with bands left out.
#[derive(Clone, Debug)]
pub struct BandReading {
    /// Which bands it was given.
    pub heard: Heard,
    /// Of the positive class, for the whole slide.
    pub probability: f64,
    /// The CAM, gated and placed as that of a run.
    pub heatmap: Heatmap,
}

/// How much of the features lies in a band.
#[derive(Clone, Debug)]
pub struct BandEnergy {
    /// Which band.
    pub band: Band,
    /// Its share of the energy of the three, `0.0..=1.0`.
    pub share: f64,
    /// Root mean square over a patch's channels, 1 at [`Self::full_scale`] and above.
    pub heatmap: Heatmap,
    /// The 99th percentile of the patches.
    pub full_scale: f32,
}

/// A model's view of a slide, band by band.
#[derive(Clone, Debug)]
pub struct ModelBands {
    /// With every band: that of the run.
    pub probability: f64,
    /// Low, middle, high: of what the first block's frequency branch is given.
    pub energies: Vec<BandEnergy>,
    /// In the order of [`Heard::ALL`].
    pub readings: Vec<BandReading>,
    /// The learned filters, block by block.
    pub filters: Vec<FilterCurve>,
}

/// Looks at a slide through a model band by band, with the settings that it was run with.
///
/// # Errors
/// If device, model or slide cannot be used, the model has no frequency branch, or the work was cancelled.
pub fn look(
    slide: &Slide,
    entry: &ModelEntry,
    settings: &AnalysisSettings,
    progress: &dyn Progress,
    cancel: &CancelToken,
) -> std::result::Result<ModelBands, AnalyzeError> {
    progress.stage("Loading the model");
    let model = open_model(entry, settings)?;
    let Some(network) = model.network.as_fmamil().filter(|it| it.hears_frequencies()) else {
        let problem = "it has no frequency branch, so there are no bands to look at".to_owned();
        return Err(AnalyzeError::Model(problem));
    };
    let (mut watch, work) = (Stopwatch::default(), (progress, cancel));
    let Survey { grid, windows, .. } = Survey::of(slide, &model, settings, &mut watch, work)?;
    progress.stage("Looking at bands");
    let store = settings.feature_cache.as_deref().map(FeatureStore::new);
    let views = Views {
        slide,
        grid: &grid,
        windows: &windows,
        describer: model.describer(),
        store: store.as_ref(),
    };
    let mut look = Look::through(model.reader(), network);
    each_batch(views, &mut watch, work, |batch, _| look.add(&batch, cancel))?;
    let on_slide = |maps: &[(&[f32], f32)]| {
        let size: PixelSize = slide.size();
        stitched(&grid, &windows, maps.iter().copied(), size)
            .map_err(|error| AnalyzeError::Compute(error.to_string()))
    };
    let total = look.energies.iter().map(Energies::sum).sum();
    let energies = look.energies.iter().map(|it| it.finish(total, &on_slide));
    Ok(ModelBands {
        probability: highest(&look.whole),
        energies: energies.collect::<Outcome<_>>()?,
        readings: look.readings.iter().map(|it| it.finish(&on_slide)).collect::<Outcome<_>>()?,
        filters: filter_curves(network).map_err(failed)?,
    })
}

type Outcome<T> = std::result::Result<T, AnalyzeError>;

/// Places windows' maps, each with its window's probability.
type Place<'a> = &'a dyn Fn(&[(&[f32], f32)]) -> Outcome<Heatmap>;

fn failed(error: candle_core::Error) -> AnalyzeError {
    AnalyzeError::Compute(one_line(&error))
}

/// Of the slide: that of its likeliest window.
fn highest(outputs: &[BagOutput]) -> f64 {
    outputs.iter().map(|it| f64::from(it.probability)).fold(0.0, f64::max)
}

/// What was seen so far, window by window.
struct Look<'a> {
    reader: NetworkReader<'a>,
    network: &'a Fmamil,
    whole: Vec<BagOutput>,
    energies: Vec<Energies>,
    readings: Vec<Reading>,
}

/// Energy of one band.
struct Energies {
    band: Band,
    /// Of every window, 0 where there is no patch.
    windows: Vec<Vec<f32>>,
    /// Of real patches.
    all: Vec<f32>,
}

/// A network with bands left out, and what it says.
struct Reading {
    heard: Heard,
    network: Fmamil,
    outputs: Vec<BagOutput>,
}

impl<'a> Look<'a> {
    fn through(reader: NetworkReader<'a>, network: &'a Fmamil) -> Self {
        let energies = |band| Energies { band, windows: vec![], all: vec![] };
        let reading = |heard: Heard| {
            let network = network.without(&heard.removed());
            Reading { heard, network, outputs: Vec::new() }
        };
        Self {
            reader,
            network,
            whole: Vec::new(),
            energies: Band::ALL.map(energies).into(),
            readings: Heard::ALL.map(reading).into(),
        }
    }

    fn add(&mut self, batch: &BagBatch, cancel: &CancelToken) -> Outcome<()> {
        self.whole.extend(self.reader.outputs(self.network, batch).map_err(failed)?);
        self.add_energies(batch).map_err(failed)?;
        for reading in &mut self.readings {
            cancel.check()?;
            reading.outputs.extend(self.reader.outputs(&reading.network, batch).map_err(failed)?);
        }
        Ok(())
    }

    fn add_energies(&mut self, batch: &BagBatch) -> Result<()> {
        let (features, _) = batch.tensors(self.reader.device)?;
        let Some(x) = self.network.heard(&features, batch.grid)? else { return Ok(()) };
        for energies in &mut self.energies {
            let bands = patch_rms(&band_pass(&x, energies.band)?)?;
            let masks = batch.is_real.chunks_exact(batch.grid.patches());
            for (rms, mask) in bands.into_iter().zip(masks) {
                energies.add(rms, mask);
            }
        }
        Ok(())
    }
}

/// Root mean square over the channels of every patch, the class token left out: `[b, P + 1, E]` to `[b, P]`.
fn patch_rms(x: &Tensor) -> Result<Vec<Vec<f32>>> {
    let patches = x.narrow(1, 1, x.dim(1)? - 1)?;
    patches.sqr()?.mean(2)?.sqrt()?.to_vec2()
}

impl Energies {
    /// Takes a window.
    fn add(&mut self, mut rms: Vec<f32>, is_real: &[bool]) {
        for (rms, is_real) in rms.iter_mut().zip(is_real) {
            if *is_real {
                self.all.push(*rms);
            } else {
                *rms = 0.0;
            }
        }
        self.windows.push(rms);
    }

    /// Sum of the mean squares of all patches.
    fn sum(&self) -> f64 {
        self.all.iter().map(|it| f64::from(*it).powi(2)).sum()
    }

    fn finish(&self, total: f64, on_slide: Place<'_>) -> Outcome<BandEnergy> {
        let full_scale = percentile(self.all.clone());
        let scaled = |rms: &Vec<f32>| -> Vec<f32> {
            rms.iter().map(|it| (it / full_scale).min(1.0)).collect()
        };
        let scaled: Vec<Vec<f32>> = self.windows.iter().map(scaled).collect();
        // What the model predicts for a window says nothing about the energy of its features.
        let maps: Vec<(&[f32], f32)> = scaled.iter().map(|it| (it.as_slice(), 1.0)).collect();
        let share = self.sum() / total.max(f64::MIN_POSITIVE);
        Ok(BandEnergy { band: self.band, share, heatmap: on_slide(&maps)?, full_scale })
    }
}

/// The value that [`FULL_SCALE_SHARE`] of the values do not exceed; positive.
fn percentile(mut values: Vec<f32>) -> f32 {
    values.sort_unstable_by(f32::total_cmp);
    let at = (values.len() as f64 * FULL_SCALE_SHARE) as usize;
    let value = values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or(0.0);
    value.max(f32::MIN_POSITIVE)
}

impl Reading {
    fn finish(&self, on_slide: Place<'_>) -> Outcome<BandReading> {
        let maps: Vec<(&[f32], f32)> =
            self.outputs.iter().map(|it| (it.cam.as_slice(), it.probability)).collect();
        let heatmap = on_slide(&maps)?;
        Ok(BandReading { heard: self.heard, probability: highest(&self.outputs), heatmap })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fmamil::Grid;
    use crate::fmamil::config::{FmamilConfig, FreqBand};
    use crate::mil::{NetworkConfig, build, initial_weights};
    use crate::nn::storage::to_vec;
    use crate::registry::weights::Tensors;
    use crate::testing::normal;
    use candle_core::{DType, Device};

    const GRID: Grid = Grid { rows: 3, columns: 4 };

    fn config(freq_band: FreqBand, freq_without: Vec<Band>) -> NetworkConfig {
        NetworkConfig::Fmamil(FmamilConfig {
            dim: 8,
            dt_rank: 1,
            head_dim: 8,
            attention_dim: 4,
            freq_band,
            freq_without,
            ..FmamilConfig::small(4)
        })
    }

    /// First weights whose filters are large enough to matter.
    fn weights() -> Tensors {
        let mut weights = initial_weights(&config(FreqBand::Learned, vec![]), 3).unwrap();
        for (name, tensor) in &mut weights {
            if name.contains("lfde") {
                *tensor = (&*tensor * 20.0).unwrap();
            }
        }
        weights
    }

    const READER: NetworkReader<'_> = NetworkReader { device: &Device::Cpu, calibration: None };

    fn batch() -> BagBatch {
        let mut batch = BagBatch::empty(GRID);
        let features = normal(&[2, GRID.patches(), 4], 7).to_dtype(DType::F32).unwrap();
        let mut is_real = vec![true; GRID.patches()];
        is_real[3] = false;
        for bag in to_vec::<f32>(&features).unwrap().chunks_exact(4 * GRID.patches()) {
            batch.push(bag, &is_real);
        }
        batch
    }

    fn say(config: &NetworkConfig, weights: Tensors) -> Vec<BagOutput> {
        let network = build(config, weights, &Device::Cpu).unwrap();
        READER.outputs(network.as_ref(), &batch()).unwrap()
    }

    #[test]
    fn a_band_taken_out_is_what_the_model_says_with_that_configuration() {
        let network = build(&config(FreqBand::Learned, vec![]), weights(), &Device::Cpu).unwrap();
        let mut look = Look::through(READER, network.as_fmamil().unwrap());
        look.add(&batch(), &CancelToken::default()).unwrap();
        assert_eq!(look.whole, say(&config(FreqBand::Learned, vec![]), weights()));
        for reading in &look.readings {
            let removed = reading.heard.removed();
            assert_eq!(reading.outputs, say(&config(FreqBand::Learned, removed), weights()));
            assert_ne!(reading.outputs, look.whole, "{:?}", reading.heard);
        }
    }

    #[test]
    fn a_filter_that_passes_all_is_with_one_band_that_of_table_5() {
        let mut all_pass = weights();
        for (name, tensor) in &mut all_pass {
            if name.contains("weight_re") && name.contains("lfde") {
                *tensor = tensor.ones_like().unwrap();
            } else if name.contains("lfde") {
                *tensor = tensor.zeros_like().unwrap();
            }
        }
        let bands =
            [(Band::Low, FreqBand::Low), (Band::Mid, FreqBand::Mid), (Band::High, FreqBand::High)];
        for (band, fixed) in bands {
            let ours =
                say(&config(FreqBand::Learned, Heard::Only(band).removed()), all_pass.clone());
            let without_filter = |(name, _): &(&String, &Tensor)| !name.contains("lfde");
            let rest = all_pass.iter().filter(without_filter);
            let rest: Tensors = rest.map(|(name, it)| (name.clone(), it.clone())).collect();
            let theirs = say(&config(fixed, vec![]), rest);
            for (ours, theirs) in ours.iter().zip(&theirs) {
                assert!((ours.probability - theirs.probability).abs() < 1e-5, "{band:?}");
            }
        }
    }

    #[test]
    fn every_weight_still_learns_with_a_band_taken_out() {
        use candle_core::Var;
        let vars: Vec<(String, Var)> = weights()
            .iter()
            .map(|(name, it)| (name.clone(), Var::from_tensor(it).unwrap()))
            .collect();
        let tensors = vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone()));
        let config = config(FreqBand::Learned, vec![Band::Low]);
        let network = build(&config, tensors.collect(), &Device::Cpu).unwrap();
        let (features, mask) = batch().tensors(&Device::Cpu).unwrap();
        let bags = crate::mil::Bags { features: &features, mask: &mask, grid: GRID };
        let grads = network.probabilities(bags).unwrap().sqr().unwrap().backward().unwrap();
        let filter = vars.iter().find(|(name, _)| name.ends_with("lfde.weight_re")).unwrap();
        let gradient: Vec<Vec<f32>> = grads.get(&filter.1).unwrap().to_vec2().unwrap();
        let at = |node: usize| gradient.iter().map(|it| it[node].abs()).sum::<f32>();
        assert!(at(0) < 1e-9, "the mean is in the low band: {}", at(0));
        assert!(0.0 < (15..62).map(at).sum::<f32>());
    }

    #[test]
    fn padding_has_no_energy() {
        let network = build(&config(FreqBand::Learned, vec![]), weights(), &Device::Cpu).unwrap();
        let mut look = Look::through(READER, network.as_fmamil().unwrap());
        look.add_energies(&batch()).unwrap();
        assert!(look.energies.iter().all(|it| it.windows[0][3] == 0.0 && it.windows[0][4] > 0.0));
        assert_eq!(look.energies[0].all.len(), 22);
    }

    #[test]
    fn energy_of_a_sequence_lies_in_the_band_of_its_frequency() {
        let wave =
            |step: f64| -> Vec<f64> { (0..20).map(|at| (step * f64::from(at)).cos()).collect() };
        for (step, expected) in [(0.0, 0), (1.5, 1), (3.1, 2)] {
            let x = Tensor::from_vec(wave(step), (1, 20, 1), &Device::Cpu).unwrap();
            let energy = |band| -> f64 {
                let part = to_vec::<f64>(&band_pass(&x, band).unwrap()).unwrap();
                part.iter().map(|it| it * it).sum()
            };
            let of_bands = Band::ALL.map(energy);
            let largest = (0..3).max_by(|a, b| of_bands[*a].total_cmp(&of_bands[*b])).unwrap();
            assert_eq!(largest, expected, "{of_bands:?}");
        }
    }

    #[test]
    fn a_muted_and_a_soloed_band_name_what_is_left_out() {
        assert_eq!(Heard::Without(Band::Mid).removed(), [Band::Mid]);
        assert_eq!(Heard::Only(Band::Mid).removed(), [Band::Low, Band::High]);
    }

    #[test]
    fn full_scale_is_the_99th_percentile() {
        assert_eq!(percentile((0..100).map(|it| it as f32).collect()), 99.0);
        assert_eq!(percentile((0..1000).map(|it| it as f32).collect()), 990.0);
        assert!(0.0 < percentile(Vec::new()));
    }
}
