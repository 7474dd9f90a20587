//! Losses: pure functions of logits and labels.

pub mod camseg;
pub mod mil;
