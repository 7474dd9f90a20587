//! Labelled folders: what is in them, how they are split, and how training bags are varied.

pub(crate) mod augment;
pub mod check;
pub mod corrected;
mod finding;
pub mod folder;
pub(crate) mod jitter;
mod look;
pub mod split;

pub use finding::{Finding, Remedy};
