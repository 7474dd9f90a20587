pub(crate) mod label;
pub(crate) mod network;
pub(crate) mod sgd;
pub(crate) mod unet;
