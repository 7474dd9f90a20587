//! Class activation maps: per patch from the network's gradient, then placed on the slide.

mod grad_cam;
pub(crate) mod stitch;

pub(crate) use grad_cam::{grad_cam, normalize_cam};
