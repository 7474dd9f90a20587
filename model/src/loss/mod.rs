//! Losses: pure functions of logits and labels.

pub mod mil;
