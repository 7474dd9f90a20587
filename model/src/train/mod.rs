//! Learning: optimizer and averaged weights.

pub(crate) mod adamw;
pub(crate) mod ema;
