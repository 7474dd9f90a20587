//! Where the evidence lies: class activation per patch.

pub(crate) mod faithfulness;
pub(crate) mod grad_cam;
