//! WISE-MAE: an encoder learned from the lab's own slides. A reconstruction from its abstract (MODELS 10): wavelet energy says which
//! patches of a low magnification are worth a look, and a masked autoencoder learns from the high magnification of those.

pub(crate) mod autoencoder;
pub(crate) mod roll;
pub(crate) mod selection;
pub(crate) mod tokens;
pub(crate) mod transformer;
pub(crate) mod wavelet;
