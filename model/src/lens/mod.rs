//! The frequency lens: what of a picture, and of a model's view of it, lies in which band of frequencies.

pub mod filter_curve;
pub mod image_bands;
pub mod model_bands;
pub mod picture;
pub mod radial_spectrum;

pub use crate::nn::spectrum::Band;
