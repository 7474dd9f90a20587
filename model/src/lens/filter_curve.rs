//! How strongly a block's learned filter passes each frequency (Alg. 1, Eq. 11).
//!
//! Frequencies run along the sequence of patches, relative to its Nyquist: 1 changes its sign from patch to patch. What the filter
//! gives is added to what it was given, so 0 leaves a frequency as it is.

use candle_core::{Result, Tensor};

use crate::fmamil::Fmamil;

/// The learned filter of one block over frequency.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterCurve {
    /// `0.0..=1.0` of Nyquist, evenly spaced.
    pub frequencies: Vec<f32>,
    /// Magnitude at each frequency, mean of the channels.
    pub mean: Vec<f32>,
    /// Magnitude that a tenth of the channels exceeds.
    pub upper: Vec<f32>,
}

/// The curves of a network's blocks, the first first; none where nothing is learned.
///
/// # Errors
/// If the device fails.
pub(crate) fn filter_curves(network: &Fmamil) -> Result<Vec<FilterCurve>> {
    let learned = network.blocks().iter().filter_map(|block| block.frequency()?.learned());
    learned.map(|(re, im)| curve(re, im)).collect()
}

/// Real and imaginary part `[E, G]` at the nodes.
fn curve(re: &Tensor, im: &Tensor) -> Result<FilterCurve> {
    let magnitude = (re.sqr()? + im.sqr()?)?.sqrt()?.t()?.contiguous()?; // [G, E]
    let mut nodes: Vec<Vec<f32>> = magnitude.to_dtype(candle_core::DType::F32)?.to_vec2()?;
    let last = (nodes.len().max(2) - 1) as f32;
    let mean = |node: &Vec<f32>| node.iter().sum::<f32>() / node.len().max(1) as f32;
    let frequencies = (0..nodes.len()).map(|at| at as f32 / last).collect();
    let means = nodes.iter().map(mean).collect();
    let upper = nodes.iter_mut().map(|node| upper_tenth(node)).collect();
    Ok(FilterCurve { frequencies, mean: means, upper })
}

fn upper_tenth(values: &mut [f32]) -> f32 {
    values.sort_unstable_by(f32::total_cmp);
    values.get(values.len() * 9 / 10).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_curve_is_the_magnitude_at_its_nodes() {
        let part = |values: [[f32; 3]; 2]| Tensor::new(&values, &Device::Cpu).unwrap();
        let re = part([[3.0, 0.0, 1.0], [0.0, 0.0, 1.0]]);
        let im = part([[4.0, 0.0, 0.0], [1.0, 0.0, 0.0]]);
        let found = curve(&re, &im).unwrap();
        assert_eq!(found.frequencies, [0.0, 0.5, 1.0]);
        assert_eq!(found.mean, [3.0, 0.0, 1.0]);
        assert_eq!(found.upper, [5.0, 0.0, 1.0]);
    }
}
