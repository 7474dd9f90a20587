//! Bilinear resampling of a grid as two small matrices: half-pixel centers, edge clamp, no antialias
//! (the convention of PyTorch's `align_corners = false`).

use candle_core::{DType, Device, Result, Tensor};

/// Two neighbours and the weight of the second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Blend {
    /// The lower neighbour.
    pub(crate) first: usize,
    /// The upper neighbour; the same at the edge.
    pub(crate) second: usize,
    /// Weight of `second`, `0.0..1.0`.
    pub(crate) weight: f64,
}

/// Where each of `outputs` samples lies among `inputs`.
pub(crate) fn blends(outputs: usize, inputs: usize) -> impl Iterator<Item = Blend> {
    let ratio = inputs as f64 / outputs as f64;
    (0..outputs).map(move |i| {
        let at = ((i as f64 + 0.5) * ratio - 0.5).max(0.0);
        let first = (at.floor() as usize).min(inputs - 1);
        Blend { first, second: (first + 1).min(inputs - 1), weight: at - first as f64 }
    })
}

/// `[outputs, inputs]`: resampling along one axis as a product from the left.
pub(crate) fn matrix(
    outputs: usize,
    inputs: usize,
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    let mut m = vec![0.0; outputs * inputs];
    for (row, blend) in m.chunks_exact_mut(inputs).zip(blends(outputs, inputs)) {
        row[blend.first] += 1.0 - blend.weight;
        row[blend.second] += blend.weight;
    }
    Tensor::from_vec(m, (outputs, inputs), device)?.to_dtype(dtype)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_a_mean_of_its_neighbours() {
        for (outputs, inputs) in [(7, 11), (22, 11), (1, 11), (11, 11), (5, 1)] {
            let m = matrix(outputs, inputs, DType::F64, &Device::Cpu).unwrap();
            let sums: Vec<f64> = m.sum(1).unwrap().to_vec1().unwrap();
            assert!(sums.iter().all(|s| (s - 1.0).abs() < 1e-12), "{outputs} from {inputs}");
        }
    }

    #[test]
    fn twice_as_many_samples_lie_a_quarter_off_the_centers() {
        let found: Vec<Blend> = blends(4, 2).collect();
        let want = [(0, 1, 0.0), (0, 1, 0.25), (0, 1, 0.75), (1, 1, 0.25)];
        let want = want.map(|(first, second, weight)| Blend { first, second, weight });
        assert_eq!(found, want);
    }
}
