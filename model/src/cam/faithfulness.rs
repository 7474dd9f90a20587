//! A check of a map that needs no label (MODELS 6.6): does the bag keep its probability when only the
//! patches that the map points at are kept?

use candle_core::{Result, Tensor};

use crate::mil::{Bags, MilNetwork};

/// Probabilities of class 1, one per bag.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Faithfulness {
    /// Of the bag as it is.
    pub(crate) whole: Vec<f32>,
    /// With every patch of `cam <= threshold` replaced. Near [`Self::whole`]: the evidence is where the map
    /// points. Low: do not trust the map.
    pub(crate) kept: Vec<f32>,
    /// With every patch of `cam > threshold` replaced; falls for good and bad maps alike.
    pub(crate) removed: Vec<f32>,
}

/// Measures normalized maps `cam` `[b, P]`; dropped patches become `fill` `[F]`, the mean patch of negative
/// bags.
///
/// # Errors
/// If shapes disagree.
pub(crate) fn faithfulness(
    network: &dyn MilNetwork,
    bags: Bags<'_>,
    cam: &Tensor,
    fill: &Tensor,
    threshold: f64,
) -> Result<Faithfulness> {
    let features = bags.features;
    let probability = |features: &Tensor| -> Result<Vec<f32>> {
        let positive =
            network.probabilities(Bags { features, ..bags })?.narrow(1, 1, 1)?.squeeze(1)?;
        positive.to_dtype(candle_core::DType::F32)?.to_vec1()
    };
    let hit = cam.gt(threshold)?.unsqueeze(2)?.broadcast_as(features.shape())?;
    let fill = fill.broadcast_as(features.shape())?;
    Ok(Faithfulness {
        whole: probability(features)?,
        kept: probability(&hit.where_cond(features, &fill)?)?,
        removed: probability(&hit.where_cond(&fill, features)?)?,
    })
}
