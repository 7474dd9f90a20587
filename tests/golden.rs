//! Shipped networks against feature vectors computed with PyTorch (`golden/README.md`).
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::PathBuf;

use domain::progress::CancelToken;
use model::encoder::{self, Encoder, PatchBatch};
use safetensors::SafeTensors;

/// Ten times what implementations in f32 differ by for summing in another order.
const TOLERANCE: f32 = 3e-5;

const IMAGES: [&str; 4] = ["chelsea_224", "coffee_224", "ihc_224", "white_224"];

fn golden(file: &str) -> PathBuf {
    tests::repository().join("tests/golden").join(file)
}

/// All golden images as one batch of 224 px patches.
fn golden_patches() -> PatchBatch {
    let rgb = IMAGES
        .iter()
        .flat_map(|name| image::open(golden(&format!("{name}.png"))).unwrap().to_rgb8().into_raw())
        .collect();
    PatchBatch { side_px: 224, rgb }
}

/// Largest difference over largest value, of every image's vector `<image>.<layer>` in `file`.
fn relative_errors(encoder: &dyn Encoder, file: &str, layer: &str) -> Vec<f32> {
    let features = encoder.encode(&golden_patches(), 224, &CancelToken::default()).unwrap();
    let bytes = std::fs::read(golden(file)).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let dim = encoder.feature_dim();
    assert_eq!(features.len(), IMAGES.len() * dim);
    let relative_error = |(name, found): (&&str, &[f32])| {
        let tensor = tensors.tensor(&format!("{name}.{layer}")).unwrap();
        let (words, _) = tensor.data().as_chunks::<4>();
        let expected: Vec<f32> = words.iter().map(|it| f32::from_le_bytes(*it)).collect();
        assert_eq!(expected.len(), dim);
        let scale = expected.iter().fold(0.0_f32, |max, it| max.max(it.abs()));
        let apart = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
        apart.fold(0.0_f32, f32::max) / scale
    };
    IMAGES.iter().zip(features.chunks_exact(dim)).map(relative_error).collect()
}

#[test]
fn resnet50_to_layer3_gives_the_golden_features() {
    let encoder = encoder::load("resnet50-in1k-layer3").unwrap();
    let errors = relative_errors(&*encoder, "resnet50-in1k-layer3.safetensors", "layer3");
    assert!(errors.iter().all(|it| *it < TOLERANCE), "{errors:?}");
}

#[test]
fn efficientnet_lite0_gives_the_golden_features() {
    let encoder = encoder::load("efficientnet-lite0-in1k").unwrap();
    let errors = relative_errors(&*encoder, "efficientnet-lite0-in1k.safetensors", "features");
    assert!(errors.iter().all(|it| *it < TOLERANCE), "{errors:?}");
}
