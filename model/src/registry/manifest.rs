//! What a model folder says about itself.

use std::collections::BTreeMap;

use domain::moment::Moment;
use serde::{Deserialize, Serialize};

use super::RegistryError;
use crate::data::check::CheckedFolder;
use crate::data::folder::Split;
use crate::encoder::Encoder;
use crate::mil::{Calibration, NetworkConfig};

/// The architecture words that this program runs.
pub const ARCHITECTURES: [&str; 6] = NetworkConfig::ARCHITECTURES;

/// The newest manifest layout that this program reads.
pub const MANIFEST_SCHEMA: u32 = 1;

/// What a model folder says about itself; shown to the user before a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Layout of this file, [`MANIFEST_SCHEMA`] or older.
    pub schema: u32,
    /// Short name, as typed after `--model`.
    pub name: String,
    /// Readable title.
    pub title: String,
    /// Architecture word, one of [`ARCHITECTURES`].
    pub architecture: String,
    /// What it was trained on, for a pathologist: organ, stain, magnification, source.
    pub trained_on: String,
    /// Licence and attribution of the training data and weights.
    pub licence: String,
    /// The *t* that was best on the validation split.
    pub recommended_threshold: f32,
    /// How the recommended *t* was chosen.
    pub threshold_note: String,
    /// How the network's probabilities are to be read; as they are in older models and where the validation images did not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Micrometres per pixel that patches are resampled to.
    pub mpp: f64,
    /// The patch encoder and the size of its input, for a reader.
    pub encoder: String,
    /// SHA-256 of the encoder's weights, lower-case hex: another one of the same name gives features that the network does not know. Older
    /// models do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder_sha256: Option<String>,
    /// SHA-256 of `weights.safetensors`, lower-case hex; a folder whose weights differ is refused.
    pub weights_sha256: String,
    /// Measured figures by name, as in its report.
    pub metrics: BTreeMap<String, f64>,
    /// What its owner wants to remember.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// What it was trained from; older models do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// What a model was trained from, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// When the training ended, as [`domain::moment::Moment`] writes it.
    pub date: String,
    /// Program and version that trained it.
    pub software: String,
    /// Changes with the images, labels, patients and splits of the labelled folder, lower-case hex.
    pub data: String,
    /// Images that were learned from, and those that chose the best epoch: positive and negative ones each.
    pub images: ImageCounts,
    /// The model that training went on from, or that stage 2 refines.
    pub start_from: Option<String>,
    /// Every setting of the run.
    pub settings: serde_json::Value,
}

/// Images of both labels in two splits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageCounts {
    /// Learned from, positive and negative.
    pub train: [usize; 2],
    /// Chose the best epoch, positive and negative.
    pub val: [usize; 2],
}

impl Provenance {
    /// Of a training on that folder which ends now.
    pub(crate) fn now(
        folder: &CheckedFolder,
        start_from: Option<String>,
        settings: &impl Serialize,
    ) -> Self {
        let counts = |split| [true, false].map(|label| folder.count(split, label));
        Self {
            date: Moment::now().to_string(),
            software: concat!("Slidelight ", env!("CARGO_PKG_VERSION")).to_owned(),
            data: folder.fingerprint.clone(),
            images: ImageCounts { train: counts(Split::Train), val: counts(Split::Val) },
            start_from,
            settings: serde_json::to_value(settings).unwrap_or_default(),
        }
    }
}

/// The entry of [`Manifest::metrics`] with Youden's *t*.
pub(crate) const YOUDEN: &str = "youden_threshold";

/// The two words that decide whether the rest can be understood.
#[derive(Deserialize)]
struct Head {
    schema: u32,
    architecture: String,
}

impl Manifest {
    /// The *t* of the largest sensitivity plus specificity on the validation split's masks (Youden), where it was measured.
    pub fn youden_threshold(&self) -> Option<f64> {
        self.metrics.get(YOUDEN).copied().filter(|t| (0.0..=1.0).contains(t))
    }

    /// Fails, in one line, unless the network learned from features of this very encoder, as far as the manifest says.
    pub(crate) fn check_encoder(&self, encoder: &dyn Encoder) -> Result<(), String> {
        let found = encoder.weights_sha256();
        match &self.encoder_sha256 {
            Some(expected) if expected != found => Err(format!(
                "it was trained with other weights of the encoder {}: expected SHA-256 {expected}, found {found}",
                encoder.name()
            )),
            _ => Ok(()),
        }
    }

    /// Reads a manifest; layout and architecture are looked at before anything else.
    pub(super) fn parse(text: &str) -> Result<Self, RegistryError> {
        let damaged = |error: serde_json::Error| RegistryError::File {
            file: "manifest.json",
            problem: error.to_string(),
        };
        let head: Head = serde_json::from_str(text).map_err(damaged)?;
        if head.schema == 0 || MANIFEST_SCHEMA < head.schema {
            return Err(RegistryError::Unsupported(format!(
                "its manifest has schema {}, this program reads schema {MANIFEST_SCHEMA}; a newer version may run it",
                head.schema
            )));
        }
        if !ARCHITECTURES.contains(&head.architecture.as_str()) {
            return Err(RegistryError::Unsupported(format!(
                "it is a model of architecture `{}`, this program runs {}",
                head.architecture,
                ARCHITECTURES.join(", ")
            )));
        }
        let manifest: Self = serde_json::from_str(text).map_err(damaged)?;
        match manifest.problem() {
            Some(problem) => Err(RegistryError::Unsupported(problem)),
            None => Ok(manifest),
        }
    }

    fn problem(&self) -> Option<String> {
        if self.name.is_empty() || self.name.contains(['/', '\\']) {
            return Some(format!("`{}` is no name for a model", self.name));
        }
        if !(0.0..=1.0).contains(&self.recommended_threshold) {
            let found = self.recommended_threshold;
            return Some(format!("recommended_threshold must lie in 0 to 1, found {found}"));
        }
        if let Some(problem) = self.calibration.as_ref().and_then(Calibration::problem) {
            return Some(problem);
        }
        let is_hash = self.weights_sha256.len() == 64
            && self.weights_sha256.bytes().all(|it| it.is_ascii_hexdigit());
        (!is_hash).then(|| "weights_sha256 must be 64 hexadecimal digits".to_owned())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn example() -> Manifest {
        Manifest {
            schema: MANIFEST_SCHEMA,
            name: "example".to_owned(),
            title: "An example".to_owned(),
            architecture: "fmamil".to_owned(),
            trained_on: "nothing".to_owned(),
            licence: "CC0".to_owned(),
            recommended_threshold: 0.5,
            threshold_note: "the middle".to_owned(),
            calibration: None,
            mpp: 0.25,
            encoder: "resnet50-in1k-layer3 at 64 px".to_owned(),
            encoder_sha256: None,
            weights_sha256: "ab".repeat(32),
            metrics: BTreeMap::new(),
            note: String::new(),
            provenance: None,
        }
    }

    fn refusal(change: impl Fn(&mut serde_json::Value)) -> String {
        let mut json = serde_json::to_value(example()).unwrap();
        change(&mut json);
        Manifest::parse(&json.to_string()).unwrap_err().to_string()
    }

    #[test]
    fn youdens_t_is_one_of_the_figures_if_it_is_a_t_at_all() {
        let with = |t| Manifest { metrics: [(YOUDEN.to_owned(), t)].into(), ..example() };
        assert_eq!(example().youden_threshold(), None);
        assert_eq!(with(0.3).youden_threshold(), Some(0.3));
        assert_eq!(with(f64::NAN).youden_threshold(), None);
    }

    #[test]
    fn a_manifest_survives_its_file() {
        let text = serde_json::to_string(&example()).unwrap();
        assert_eq!(Manifest::parse(&text).unwrap(), example());
    }

    #[test]
    fn another_architecture_is_refused_before_its_fields_are_looked_at() {
        let error = refusal(|json| {
            *json = serde_json::json!({ "schema": 1, "architecture": "capsule", "heads": 8 });
        });
        assert!(error.contains("`capsule`, this program runs fmamil, "), "{error}");
    }

    #[test]
    fn a_newer_layout_is_refused() {
        let error = refusal(|json| json["schema"] = 2.into());
        assert!(error.contains("schema 2"), "{error}");
    }

    #[test]
    fn a_missing_field_is_named() {
        let error = refusal(|json| {
            json.as_object_mut().unwrap().remove("licence");
        });
        assert!(error.contains("licence"), "{error}");
    }

    #[test]
    fn values_out_of_range_are_refused() {
        assert!(refusal(|json| json["recommended_threshold"] = 1.5.into()).contains("found 1.5"));
        let flat = serde_json::json!({ "slope": 0.0, "offset": 1.0, "n_images": 9 });
        assert!(refusal(|json| json["calibration"] = flat.clone()).contains("a slope above 0"));
        assert!(refusal(|json| json["weights_sha256"] = "zz".into()).contains("hexadecimal"));
        assert!(refusal(|json| json["name"] = "../evil".into()).contains("no name"));
    }
}
