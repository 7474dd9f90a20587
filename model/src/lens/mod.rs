//! The frequency lens: what of a picture, and of a model's view of it, lies in which band of frequencies.

pub mod image_bands;
