//! A model at work on one slide: features of windows, FMaMIL, CAM, and one heatmap (MODELS sections 1 to 6).

pub(crate) mod familiarity;
pub(crate) mod feature_space;
pub(crate) mod loaded_model;
pub(crate) mod slide_run;
pub(crate) mod survey;
