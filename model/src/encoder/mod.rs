//! Frozen networks that turn a patch into a feature vector (MODELS: bag of instances).
//!
//! Those that ship were trained on ImageNet photographs, not on pathology: see [`ShippedEncoder::trained_on`]. A pre-training
//! ([`crate::wise`]) makes others, which lie in the user's folder of encoders ([`own`]).
//! An engine of its own runs them on the CPU in f32, several times faster than a general tensor
//! library. Patches are spread over all cores in small groups; each core takes its group through the
//! whole network, so that the activations of a group stay in the cache and memory stays bounded.

mod affine;
mod conv;
mod depthwise;
mod efficientnet;
mod error;
mod feature_map;
pub mod own;
mod preprocess;
mod resnet;
mod shipped;
pub(crate) mod vision;
mod weights;

#[cfg(test)]
mod tests;

use std::fmt::{Debug, Write as _};
use std::path::Path;
use std::sync::Arc;

use domain::progress::CancelToken;
use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::{ParallelSlice as _, ParallelSliceMut as _};
use sha2::{Digest as _, Sha256};

pub use error::EncoderError;
pub use shipped::{SHIPPED, ShippedEncoder};

use crate::bag::BagConfig;
use efficientnet::EfficientNetLite0;
use feature_map::{FeatureMap, Scratch};
use preprocess::{Normalization, preprocess};
use resnet::ResNet50;
use vision::VisionTransformer;
use weights::Weights;

/// The largest input side in pixels.
pub const MAX_INPUT_PX: u32 = 2048;

/// How large the largest activation of one core's group may be.
const GROUP_BYTES: usize = 4 << 20;

/// Square RGB patches of one side, 8 bit, row-major, channel last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchBatch {
    /// Side of every patch in pixels.
    pub side_px: u32,
    /// `[count, side_px, side_px, 3]`.
    pub rgb: Vec<u8>,
}

impl PatchBatch {
    /// Number of patches.
    ///
    /// # Errors
    /// If the pixels do not fill a whole number of patches.
    pub fn count(&self) -> Result<usize, EncoderError> {
        let len = self.side_px as usize * self.side_px as usize * 3;
        if len == 0 || !self.rgb.len().is_multiple_of(len) {
            return Err(EncoderError::Batch { side_px: self.side_px, found: self.rgb.len() });
        }
        Ok(self.rgb.len() / len)
    }
}

/// A frozen network from patch to feature vector.
pub trait Encoder: Send + Sync + Debug {
    /// Short name, as in a model's manifest: `resnet50-in1k-layer3`.
    fn name(&self) -> &str;

    /// SHA-256 of the weights file in hexadecimal: names the features kept on disk.
    fn weights_sha256(&self) -> &str;

    /// Values per patch.
    fn feature_dim(&self) -> usize;

    /// Resizes patches to `input_px` (bilinear, half-pixel centers, no antialiasing), normalizes them
    /// as the weights file says, runs the network and averages over all places.
    /// Gives `[count, feature_dim]`, row-major. Same input, same features, in any batch.
    ///
    /// # Errors
    /// If the patches do not fill the batch, `input_px` is not in `1..=`[`MAX_INPUT_PX`], or the run
    /// was cancelled.
    fn encode(
        &self,
        patches: &PatchBatch,
        input_px: u32,
        cancel: &CancelToken,
    ) -> Result<Vec<f32>, EncoderError>;
}

/// The shipped encoder of that name, one of the user's, or one that was laid beside the shipped ones as `<name>.safetensors`.
///
/// # Errors
/// If there is none, or its file is not a whole and fitting set of weights.
pub fn load(name: &str) -> Result<Arc<dyn Encoder>, EncoderError> {
    if let Some(own) = own::find(name) {
        return own.load();
    }
    let folder = crate::assets::assets_dir().ok_or(EncoderError::NoAssets)?.join("encoders");
    let path = match SHIPPED.iter().find(|it| it.name == name) {
        Some(shipped) => folder.join(shipped.file),
        None => folder.join(format!("{name}.safetensors")),
    };
    let is_plain = name.chars().all(|it| it.is_ascii_alphanumeric() || "-_.".contains(it));
    if !is_plain || !path.is_file() {
        return Err(EncoderError::Unknown { name: name.to_owned(), known: known() });
    }
    load_file(name, &path)
}

/// One encoder of the list, shipped or the user's.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderEntry {
    /// Short name, as in a model's manifest.
    pub name: String,
    /// Readable title.
    pub title: String,
    /// What it was trained on, and what that means here.
    pub trained_on: String,
    /// Origin and licence of the weights.
    pub licence: String,
    /// Values per patch.
    pub feature_dim: usize,
    /// The only side of an input that it takes, px; `None` if it takes any.
    pub input_px: Option<u32>,
    /// Side of the smallest and of the largest piece of tissue that it was shown, µm, if that is known.
    pub seen_um: Option<[f64; 2]>,
    /// Whether it came with the program.
    pub is_shipped: bool,
}

impl EncoderEntry {
    /// Why it may say little about the patches of such bags, if it may: tissue looks different at another scale.
    pub fn doubt(&self, bag: &BagConfig) -> Option<String> {
        let patch_um = f64::from(bag.patch_px) * bag.mpp;
        let [least, most] =
            self.seen_um.filter(|[least, most]| !(*least..=*most).contains(&patch_um))?;
        let name = &self.name;
        Some(format!(
            "{name} was shown tissue {least:.0} to {most:.0} µm across, patches are {patch_um:.0} µm: it may say little \
             about them. Learn the encoder from tiles of about twice a patch, or cut other patches"
        ))
    }
}

/// Every encoder that can be asked for by name: those that ship, the default first, then the user's.
pub fn list() -> Vec<EncoderEntry> {
    let shipped = SHIPPED.iter().map(|it| EncoderEntry {
        name: it.name.to_owned(),
        title: it.title.to_owned(),
        trained_on: it.trained_on.to_owned(),
        licence: it.licence.to_owned(),
        feature_dim: it.feature_dim,
        input_px: None,
        seen_um: None,
        is_shipped: true,
    });
    let entry = |it: own::OwnEncoder, is_shipped| EncoderEntry {
        name: it.manifest.name,
        title: it.manifest.title,
        trained_on: it.manifest.trained_on,
        licence: it.manifest.licence,
        feature_dim: it.manifest.feature_dim,
        input_px: Some(it.manifest.input_px),
        seen_um: it.manifest.seen_um,
        is_shipped,
    };
    let learned = own::shipped().into_iter().map(|it| entry(it, true));
    let own = own::survey().into_iter().map(|it| entry(it, false));
    shipped.chain(learned).chain(own).collect()
}

/// The encoder of that name in the [`list`].
///
/// # Errors
/// If there is none.
pub fn named(name: &str) -> Result<EncoderEntry, EncoderError> {
    let found = list().into_iter().find(|it| it.name == name);
    found.ok_or_else(|| EncoderError::Unknown { name: name.to_owned(), known: known() })
}

/// Names of all encoders, for an error's text.
fn known() -> String {
    list().into_iter().map(|it| it.name).collect::<Vec<_>>().join(", ")
}

/// An encoder from any SafeTensors file with torchvision's names for a ResNet50, or one that says it
/// holds an EfficientNet-Lite0 under timm's names or the encoder of a masked autoencoder.
///
/// # Errors
/// If the file cannot be read or does not hold exactly the tensors of its network.
pub fn load_file(name: &str, path: &Path) -> Result<Arc<dyn Encoder>, EncoderError> {
    Ok(Arc::new(FrozenEncoder::parse(name, &std::fs::read(path)?)?))
}

/// A network without its classifier.
trait Backbone: Send + Sync + Debug {
    /// Values per image.
    fn feature_dim(&self) -> usize;

    /// Values of the largest activation per image of `input_px`.
    fn largest_map(&self, input_px: usize) -> usize;

    /// The only side of an input that it takes, if there is one.
    fn only_px(&self) -> Option<u32> {
        None
    }

    /// `images` `[n, px, px, 3]`, normalized, to `features` `[n, feature_dim]`.
    fn features(
        &self,
        images: &FeatureMap,
        scratch: &mut Scratch,
        features: &mut [f32],
    ) -> Result<(), EncoderError>;
}

/// A backbone with what its file says about itself.
#[derive(Debug)]
struct FrozenEncoder {
    name: String,
    weights_sha256: String,
    normalization: Normalization,
    backbone: Box<dyn Backbone>,
}

impl FrozenEncoder {
    fn parse(name: &str, file: &[u8]) -> Result<Self, EncoderError> {
        let weights = Weights::parse(file)?;
        let triple = "a list of three numbers";
        let mean = weights.described("mean", triple, [0.485, 0.456, 0.406])?;
        let std = weights.described("std", triple, [0.229, 0.224, 0.225])?;
        let backbone: Box<dyn Backbone> = match weights.describes("arch") {
            None | Some("resnet50") => Box::new(ResNet50::load(weights)?),
            Some("tf_efficientnet_lite0") => Box::new(EfficientNetLite0::load(weights)?),
            Some(vision::ARCHITECTURE) => Box::new(VisionTransformer::load(weights)?),
            Some(other) => return Err(EncoderError::Architecture(other.to_owned())),
        };
        Ok(Self {
            name: name.to_owned(),
            weights_sha256: hexadecimal(&Sha256::digest(file)),
            normalization: Normalization::new(mean, std),
            backbone,
        })
    }

    /// As many as the group's memory allows, but no fewer groups than cores.
    fn patches_per_group(&self, count: usize, input_px: usize) -> usize {
        let bytes = self.backbone.largest_map(input_px) * size_of::<f32>();
        let fitting = (GROUP_BYTES / bytes).max(1);
        fitting.min(count.div_ceil(rayon::current_num_threads())).max(1)
    }
}

impl Encoder for FrozenEncoder {
    fn name(&self) -> &str {
        &self.name
    }

    fn weights_sha256(&self) -> &str {
        &self.weights_sha256
    }

    fn feature_dim(&self) -> usize {
        self.backbone.feature_dim()
    }

    fn encode(
        &self,
        patches: &PatchBatch,
        input_px: u32,
        cancel: &CancelToken,
    ) -> Result<Vec<f32>, EncoderError> {
        if !(1..=MAX_INPUT_PX).contains(&input_px) {
            return Err(EncoderError::InputSize { max: MAX_INPUT_PX, found: input_px });
        }
        if let Some(expected) = self.backbone.only_px().filter(|it| *it != input_px) {
            return Err(EncoderError::TrainedSize { expected, found: input_px });
        }
        let (count, dim) = (patches.count()?, self.feature_dim());
        let (side, input_px) = (patches.side_px as usize, input_px as usize);
        let group = self.patches_per_group(count, input_px);
        let mut features = vec![0.0; count * dim];
        features
            .par_chunks_mut(group * dim)
            .zip(patches.rgb.par_chunks(group * side * side * 3))
            .try_for_each_init(<(FeatureMap, Scratch)>::default, |buffers, (features, rgb)| {
                cancel.check()?;
                let (images, scratch) = buffers;
                preprocess(rgb, side, input_px, self.normalization, images);
                self.backbone.features(images, scratch, features)
            })
            .map(|()| features)
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a string cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
