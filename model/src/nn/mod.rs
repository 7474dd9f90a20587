//! Numeric building blocks shared by the encoders and the trained networks.

pub(crate) mod gemm;
