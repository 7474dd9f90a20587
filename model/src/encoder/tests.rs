//! Loading and running whole encoders: the shipped files, and broken copies of one.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use safetensors::{Dtype, SafeTensors, View};

use super::*;

/// A file that can be changed.
struct Copy {
    tensors: BTreeMap<String, Owned>,
    metadata: HashMap<String, String>,
}

#[derive(Clone)]
struct Owned {
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl View for &Owned {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.data)
    }

    fn data_len(&self) -> usize {
        self.data.len()
    }
}

impl Copy {
    /// The shipped ResNet50.
    fn of_shipped() -> Self {
        let bytes = shipped_bytes();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
        let owned = tensors.into_iter().map(|(name, it)| {
            let (dtype, shape) = (it.dtype(), it.shape().to_vec());
            (name, Owned { dtype, shape, data: it.data().to_vec() })
        });
        Self { tensors: owned.collect(), metadata: header.metadata().clone().unwrap() }
    }

    fn add(&mut self, name: &str, shape: &[usize], value: f32) {
        let count = shape.iter().product();
        let data = half::f16::from_f32(value).to_le_bytes().repeat(count);
        self.tensors
            .insert(name.to_owned(), Owned { dtype: Dtype::F16, shape: shape.to_vec(), data });
    }

    fn parse(&self) -> Result<FrozenEncoder, EncoderError> {
        let file = safetensors::serialize(&self.tensors, Some(self.metadata.clone())).unwrap();
        FrozenEncoder::parse("copy", &file)
    }

    /// What is said about the file.
    fn complaint(&self) -> String {
        self.parse().unwrap_err().to_string()
    }
}

fn shipped_bytes() -> Vec<u8> {
    let folder = crate::assets::assets_dir().unwrap().join("encoders");
    std::fs::read(folder.join(SHIPPED[0].file)).unwrap()
}

fn patches(count: usize, side_px: u32) -> PatchBatch {
    let len = count * side_px.pow(2) as usize * 3;
    let rgb = (0..len as u64).map(|it| (it.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8);
    PatchBatch { side_px, rgb: rgb.collect() }
}

fn run(encoder: &dyn Encoder, patches: &PatchBatch, input_px: u32) -> Vec<f32> {
    encoder.encode(patches, input_px, &CancelToken::default()).unwrap()
}

#[test]
fn every_shipped_encoder_is_what_its_entry_says() {
    for shipped in SHIPPED {
        let encoder = load(shipped.name).unwrap();
        assert_eq!(encoder.name(), shipped.name);
        assert_eq!(encoder.feature_dim(), shipped.feature_dim);
        assert_eq!(encoder.weights_sha256().len(), 64);
    }
    let learned: Vec<EncoderEntry> =
        list().into_iter().filter(|it| it.is_shipped && it.seen_um.is_some()).collect();
    assert!(!learned.is_empty());
    for entry in learned {
        let encoder = load(&entry.name).unwrap();
        assert_eq!((encoder.name(), encoder.feature_dim()), (&*entry.name, entry.feature_dim));
    }
}

#[test]
fn features_do_not_depend_on_the_batch() {
    for shipped in SHIPPED {
        let encoder = load(shipped.name).unwrap();
        let batch = patches(21, 40);
        let together = run(&*encoder, &batch, 40);
        for (index, rgb) in batch.rgb.chunks_exact(40 * 40 * 3).enumerate().step_by(5) {
            let alone = run(&*encoder, &PatchBatch { side_px: 40, rgb: rgb.to_vec() }, 40);
            let dim = encoder.feature_dim();
            assert_eq!(alone, together[index * dim..][..dim], "{} {index}", shipped.name);
        }
    }
}

#[test]
fn any_input_size_gives_finite_features() {
    for shipped in SHIPPED {
        let encoder = load(shipped.name).unwrap();
        for input_px in [1, 2, 31, 33] {
            let features = run(&*encoder, &patches(1, 20), input_px);
            assert!(features.iter().all(|it| it.is_finite()), "{} {input_px}", shipped.name);
        }
    }
}

#[test]
fn an_even_patch_gives_the_same_features_from_any_resolution() {
    let encoder = load(SHIPPED[0].name).unwrap();
    let even =
        |side_px: u32| PatchBatch { side_px, rgb: [200, 150, 190].repeat(side_px.pow(2) as usize) };
    assert_eq!(run(&*encoder, &even(17), 48), run(&*encoder, &even(48), 48));
}

#[test]
fn an_empty_batch_gives_no_features() {
    let encoder = load(SHIPPED[0].name).unwrap();
    assert!(run(&*encoder, &PatchBatch { side_px: 64, rgb: Vec::new() }, 64).is_empty());
}

#[test]
fn a_cancelled_run_stops() {
    let cancel = CancelToken::default();
    cancel.cancel();
    let stopped = load(SHIPPED[0].name).unwrap().encode(&patches(2, 32), 32, &cancel);
    assert!(matches!(stopped, Err(EncoderError::Cancelled(_))));
}

#[test]
fn pixels_that_are_no_whole_patches_are_refused() {
    let encoder = load(SHIPPED[0].name).unwrap();
    for (side_px, len) in [(8, 8 * 8 * 3 + 1), (8, 8 * 8), (0, 0)] {
        let batch = PatchBatch { side_px, rgb: vec![0; len] };
        let refused = encoder.encode(&batch, 32, &CancelToken::default());
        assert!(matches!(refused, Err(EncoderError::Batch { .. })), "{side_px} {len}");
    }
    for input_px in [0, MAX_INPUT_PX + 1] {
        let refused = encoder.encode(&patches(1, 8), input_px, &CancelToken::default());
        assert!(matches!(refused, Err(EncoderError::InputSize { .. })), "{input_px}");
    }
}

#[test]
fn an_encoder_of_another_scale_is_doubted() {
    let encoder = |seen_um| {
        let first = list().into_iter().next().unwrap();
        EncoderEntry { name: "mine".to_owned(), seen_um, ..first }
    };
    let bag = |patch_px| BagConfig { mpp: 0.5, ..BagConfig::of(patch_px) };
    assert_eq!(encoder(None).doubt(&bag(32)), None);
    assert_eq!(encoder(Some([8.0, 16.0])).doubt(&bag(32)), None);
    let doubt = encoder(Some([8.0, 16.0])).doubt(&bag(100)).unwrap();
    assert!(
        doubt.starts_with("mine was shown tissue 8 to 16 µm across, patches are 50 µm"),
        "{doubt}"
    );
}

#[test]
fn an_unknown_name_is_answered_with_those_known() {
    for name in ["vgg16", "../encoders/resnet50_in1k_layer3_f16", ""] {
        let complaint = load(name).unwrap_err().to_string();
        assert!(complaint.contains(SHIPPED[0].name), "{complaint}");
    }
}

#[test]
fn a_tensor_that_is_missing_misshapen_or_left_over_is_named() {
    let shipped = Copy::of_shipped();
    let with = |change: fn(&mut Copy)| {
        let mut copy =
            Copy { tensors: shipped.tensors.clone(), metadata: shipped.metadata.clone() };
        change(&mut copy);
        copy.complaint()
    };
    let missing = with(|it| drop(it.tensors.remove("layer2.3.bn1.running_var")));
    assert!(missing.contains("`layer2.3.bn1.running_var`"), "{missing}");
    let misshapen = with(|it| it.add("layer1.0.conv2.weight", &[64, 64, 1, 1], 0.0));
    assert!(misshapen.contains("[64, 64, 3, 3], found [64, 64, 1, 1]"), "{misshapen}");
    let left_over = with(|it| it.add("layer3.6.conv1.weight", &[1], 0.0));
    assert!(
        left_over.contains("1 tensors too many (first: `layer3.6.conv1.weight`)"),
        "{left_over}"
    );
    let infinite = with(|it| it.add("bn1.bias", &[64], f32::INFINITY));
    assert!(infinite.contains("`bn1.bias`"), "{infinite}");
    let negative = with(|it| it.add("bn1.running_var", &[64], -1.0));
    assert!(negative.contains("`bn1.running_var`"), "{negative}");
}

#[test]
fn another_architecture_or_description_is_refused() {
    let mut copy = Copy::of_shipped();
    copy.metadata.insert("arch".to_owned(), "vit_small".to_owned());
    assert!(copy.complaint().ends_with("found vit_small"));
    copy.metadata.insert("arch".to_owned(), "resnet50".to_owned());
    copy.metadata.insert("mean".to_owned(), "[0.5]".to_owned());
    assert!(copy.complaint().contains("`mean` is `[0.5]`"));
}

#[test]
fn a_truncated_file_is_refused() {
    let bytes = shipped_bytes();
    for len in [0, 7, 4000, bytes.len() - 1] {
        let refused = FrozenEncoder::parse("cut", &bytes[..len]);
        assert!(matches!(refused, Err(EncoderError::Format(_))), "{len}");
    }
}

#[test]
fn classifier_and_counters_are_ignored_and_a_fourth_stage_doubles_the_features() {
    let mut copy = Copy::of_shipped();
    copy.add("fc.weight", &[10, 2048], 0.0);
    copy.add("bn1.num_batches_tracked", &[], 0.0);
    assert_eq!(copy.parse().unwrap().feature_dim(), 1024);
    for block in 0..3 {
        let inputs = if block == 0 { 1024 } else { 2048 };
        let mut layer = |conv: &str, norm: &str, inputs: usize, outputs: usize, kernel: usize| {
            copy.add(
                &format!("layer4.{block}.{conv}.weight"),
                &[outputs, inputs, kernel, kernel],
                0.0,
            );
            for part in ["weight", "bias", "running_mean", "running_var"] {
                copy.add(&format!("layer4.{block}.{norm}.{part}"), &[outputs], 1.0);
            }
        };
        layer("conv1", "bn1", inputs, 512, 1);
        layer("conv2", "bn2", 512, 512, 3);
        layer("conv3", "bn3", 512, 2048, 1);
        if block == 0 {
            layer("downsample.0", "downsample.1", inputs, 2048, 1);
        }
    }
    assert_eq!(copy.parse().unwrap().feature_dim(), 2048);
}

#[test]
fn the_file_decides_where_the_stride_sits() {
    let mut copy = Copy::of_shipped();
    let original = run(&copy.parse().unwrap(), &patches(1, 64), 64);
    copy.metadata.remove("stride_in_1x1");
    let torchvision = run(&copy.parse().unwrap(), &patches(1, 64), 64);
    let apart = original.iter().zip(&torchvision).any(|(a, b)| 0.01 < (a - b).abs());
    assert!(apart, "both placements gave the same features");
}
