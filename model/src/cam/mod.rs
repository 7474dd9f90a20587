//! Where the evidence lies: class activation per patch, then placed on the slide.

pub(crate) mod faithfulness;
pub(crate) mod grad_cam;
pub(crate) mod map;
pub(crate) mod stitch;

pub use map::MapKind;
