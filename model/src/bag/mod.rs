//! From a slide to bags of features: tissue, windows of patches at the model's resolution, pixels, features.
//!
//! Spaces: *level-0 px* of the slide and *model px*, the slide resampled to the model's own mpp (MODELS 1.1, 1.2).

pub(crate) mod extract;
pub(crate) mod feature_store;
pub(crate) mod features;
pub(crate) mod grid;
pub mod layout;
pub(crate) mod resample;
pub(crate) mod scale;
pub mod tissue;

use serde::{Deserialize, Serialize};

/// How bags are cut; part of a model's `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BagConfig {
    /// Micrometers per model px.
    pub mpp: f64,
    /// Side of a patch in model px.
    pub patch_px: u32,
    /// From one patch to the next in model px; smaller than the patch overlaps (long sequences, finer maps). The patch's
    /// side if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch_step_px: Option<u32>,
    /// Side of a window in patches.
    pub window_patches: u32,
    /// From one window of a large slide to the next, in patches; smaller than the window overlaps.
    pub stride_patches: u32,
    /// Gray value, 0 to 255, right of and below the slide.
    pub pad_value: u8,
    /// Windows of a large slide with a smaller share of tissue are skipped.
    pub tissue_min: f64,
}

impl BagConfig {
    /// From one patch to the next in model px.
    pub(crate) fn step_px(&self) -> u32 {
        self.patch_step_px.unwrap_or(self.patch_px)
    }

    /// Says what is out of range, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        let step = self.step_px();
        if !(1..=self.patch_px).contains(&step) {
            return Some(format!("patch_step_px must lie in 1 to {}, found {step}", self.patch_px));
        }
        let Self { mpp, patch_px, window_patches, stride_patches, tissue_min, .. } = self;
        if !(0.01..=100.0).contains(mpp) {
            return Some(format!("mpp must lie in 0.01 to 100 um/px, found {mpp}"));
        }
        if !(4..=1024).contains(patch_px) {
            return Some(format!("patch_px must lie in 4 to 1024, found {patch_px}"));
        }
        if !(1..=64).contains(window_patches) {
            return Some(format!("window_patches must lie in 1 to 64, found {window_patches}"));
        }
        if !(1..=*window_patches).contains(stride_patches) {
            return Some(format!(
                "stride_patches must lie in 1 to {window_patches}, found {stride_patches}"
            ));
        }
        (!(0.0..=1.0).contains(tissue_min))
            .then(|| format!("tissue_min must lie in 0 to 1, found {tissue_min}"))
    }
}

#[cfg(test)]
impl BagConfig {
    /// Patches of that side, one beside the other.
    pub(crate) fn of(patch_px: u32) -> Self {
        Self {
            mpp: 0.25,
            patch_px,
            patch_step_px: None,
            window_patches: 7,
            stride_patches: 4,
            pad_value: 0,
            tissue_min: 0.25,
        }
    }
}
