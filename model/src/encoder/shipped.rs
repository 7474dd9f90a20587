//! The encoders in `assets/encoders` that learned from photographs, and what a user must know when choosing one. Those that
//! learned from slides lie beside them as folders that describe themselves ([`super::own`]).

/// One encoder that ships with the program as a single file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShippedEncoder {
    /// Short name, as in a model's manifest.
    pub name: &'static str,
    /// Readable title.
    pub title: &'static str,
    /// What it was trained on, and what that means here.
    pub trained_on: &'static str,
    /// Origin and licence of the weights.
    pub licence: &'static str,
    /// Values per patch.
    pub feature_dim: usize,
    /// The input side in pixels that it was trained with.
    pub trained_px: u32,
    /// File in `assets/encoders`.
    pub(super) file: &'static str,
}

/// What they have seen, and have not.
const PHOTOGRAPHS: &str =
    "ImageNet photographs of everyday objects. It has never seen a microscope slide.";

/// Every one, the default first.
pub const SHIPPED: &[ShippedEncoder] = &[
    ShippedEncoder {
        name: "resnet50-in1k-layer3",
        title: "ResNet50 up to layer 3",
        trained_on: PHOTOGRAPHS,
        licence: "MIT; weights by Kaiming He et al., ported by Keras, packaged by Paul Spende",
        feature_dim: 1024,
        trained_px: 224,
        file: "resnet50_in1k_layer3_f16.safetensors",
    },
    ShippedEncoder {
        name: "efficientnet-lite0-in1k",
        title: "EfficientNet-Lite0",
        trained_on: PHOTOGRAPHS,
        licence: "Apache-2.0; weights by The TensorFlow Authors, packaged by ML Illustrated",
        feature_dim: 1280,
        trained_px: 224,
        file: "efficientnet_lite0_in1k_f16.safetensors",
    },
];
