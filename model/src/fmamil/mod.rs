//! FMaMIL, stage 1: a bag of patch features to a bag label, and by its gradient to a heatmap.
//!
//! A file per section of the paper: [`config`] every choice it leaves open, `positions` and `order`
//! Eqs 7-9, `frequency` and `gate` Alg. 1 and Eqs 14-15, `ssm` and `block` Alg. 2, `head` Eqs 16-21, `model` the whole, `trunk`
//! all of it before the head as one chain.
//! Tokens are `[b, L, D]` with the class token first; patches `[b, P, ..]` row by row, `L = P + 1`.

pub(crate) mod block;
pub mod config;
pub(crate) mod frequency;
mod gate;
pub(crate) mod head;
pub(crate) mod init;
pub(crate) mod model;
pub(crate) mod order;
pub(crate) mod positions;
pub(crate) mod ssm;
#[cfg(test)]
pub(crate) mod tests;
mod trunk;

pub use config::FmamilConfig;
pub(crate) use head::HeadOutput;
pub(crate) use model::Fmamil;
pub use order::Grid;
