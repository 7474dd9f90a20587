//! The nouns every other crate shares: coordinates, units, pixels, colors, heatmaps, masks, progress.
//!
//! Nothing here reads files, draws pixels or multiplies tensors.
#![cfg_attr(
    not(test),
    warn(
        clippy::indexing_slicing,
        clippy::cast_lossless,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        clippy::float_cmp
    )
)]

pub mod annotation;
pub mod bands;
pub mod color;
pub mod contour;
pub mod coords;
pub mod heatmap;
pub mod id;
pub mod lesion_curve;
pub mod mask;
pub mod moment;
pub mod otsu;
pub mod pixels;
pub mod progress;
pub mod scale;
pub mod tissue_share;

/// Stands on every surface a person may read a result from: start page, About, reports, exports.
pub const RESEARCH_USE_ONLY: &str = "For research use only. Not for use in diagnostic procedures.";
