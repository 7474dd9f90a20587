//! The settings that are worth a person's thought, with the paper's values and a sentence each.

use serde_json::{Value, json};

/// What a setting may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OptionKind {
    /// A whole number.
    Count {
        /// Smallest.
        least: u64,
        /// Largest.
        most: u64,
    },
    /// Any number.
    Number {
        /// Smallest.
        least: f64,
        /// Largest.
        most: f64,
    },
    /// Yes or no.
    Switch,
    /// One of these words, each with how it is read in the window. Another word changes which options there are beside it.
    Choice(&'static [(&'static str, &'static str)]),
}

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainOption {
    /// Its place in the configuration, names with dots between.
    pub path: &'static str,
    /// As read in the window.
    pub title: &'static str,
    /// What it does, one sentence.
    pub says: &'static str,
    /// What the paper uses; `None` if it does not say, or has nothing like it.
    pub paper: Option<&'static str>,
    /// What it may be.
    pub kind: OptionKind,
}

const fn count(least: u64, most: u64) -> OptionKind {
    OptionKind::Count { least, most }
}

const fn number(least: f64, most: f64) -> OptionKind {
    OptionKind::Number { least, most }
}

const fn option(
    (path, title): (&'static str, &'static str),
    kind: OptionKind,
    paper: Option<&'static str>,
    says: &'static str,
) -> TrainOption {
    TrainOption { path, title, says, paper, kind }
}

/// Those of stage 1, FMaMIL.
pub const STAGE_1: [TrainOption; 14] = [
    option(
        ("epochs", "Epochs"),
        count(1, 1000),
        Some("300"),
        "How often every training image is learned from, at most.",
    ),
    option(
        ("patience_epochs", "Patience"),
        count(1, 1000),
        None,
        "Epochs without a better validation before training ends.",
    ),
    option(
        ("batch", "Batch"),
        count(1, 256),
        Some("12"),
        "Bags that are learned from at once; fewer need less memory.",
    ),
    option(
        ("accumulate", "Batches in a step"),
        count(1, 64),
        None,
        "Batches whose gradients are added up before the weights move.",
    ),
    option(
        ("learning_rate.peak", "Learning rate"),
        number(1e-6, 0.1),
        Some("0.001"),
        "How far a step moves the weights; too large a rate never settles.",
    ),
    option(
        ("learning_rate.last", "Last learning rate"),
        number(1e-8, 0.1),
        Some("0.00001"),
        "What the rate has fallen to in the last epoch.",
    ),
    option(
        ("learning_rate.warmup_epochs", "Warm-up epochs"),
        count(0, 100),
        None,
        "Epochs in which the rate rises from nearly nothing.",
    ),
    option(
        ("loss.lambda", "Weight of the bag loss"),
        number(0.0, 1.0),
        Some("0.2"),
        "Share of the loss that is about whole bags; the rest is about patches.",
    ),
    option(
        ("loss.label_smoothing", "Label smoothing"),
        number(0.0, 0.5),
        Some("0"),
        "Doubt in the labels, which keeps the network from being too sure.",
    ),
    option(
        ("augment.color_copies", "Changed colorings"),
        count(0, 16),
        None,
        "Copies of each image with changed colors, against the stain of one laboratory.",
    ),
    option(
        ("augment.mixup", "Mixup"),
        number(0.0, 1.0),
        None,
        "How often two bags are blended into one.",
    ),
    option(
        ("restart.most", "Further attempts"),
        count(0, 5),
        None,
        "Trainings from other first weights, while no map is faithful.",
    ),
    option(
        ("average_weights", "Average weights"),
        OptionKind::Switch,
        Some("on"),
        "Measure and keep a running average of the weights.",
    ),
    option(
        ("calibrate", "Calibrate probabilities"),
        OptionKind::Switch,
        None,
        "Learn from the validation images from which probability on an image is positive.",
    ),
];

/// Those of stage 2, Cam-seg.
pub const STAGE_2: [TrainOption; 9] = [
    option(
        ("epochs", "Epochs"),
        count(1, 1000),
        Some("150"),
        "How often every tile is learned from.",
    ),
    option(
        ("early_epochs", "Early epochs"),
        count(0, 1000),
        Some("20"),
        "Epochs on the heatmaps as they are, before labels are refined.",
    ),
    option(
        ("batch", "Batch"),
        count(1, 256),
        None,
        "Tiles that are learned from at once; fewer need less memory.",
    ),
    option(
        ("pseudo_threshold", "t of pseudo-masks"),
        number(0.01, 0.99),
        Some("0.5"),
        "Where heatmaps are cut to become labels.",
    ),
    option(
        ("loss.alpha", "Weight of the soft label"),
        number(0.0, 1.0),
        Some("0.3"),
        "Share of the loss against the heatmap; the rest is against the cut mask.",
    ),
    option(
        ("network.kind", "Network"),
        OptionKind::Choice(&[("unet", "U-Net"), ("vmaml", "VMAML-UNet")]),
        Some("U-Net"),
        "VMAML-UNet sees the whole tile at once and takes several times as long.",
    ),
    option(
        ("network.base", "Width of the U-Net"),
        count(4, 64),
        None,
        "Channels of the first layer; time grows with the square.",
    ),
    option(
        ("network.dim", "Width of VMAML-UNet"),
        count(4, 128),
        Some("96"),
        "Channels of the first stage; time grows with the square.",
    ),
    option(
        ("is_gated", "Only where stage 1 responds"),
        OptionKind::Switch,
        None,
        "Whether the finished network may find lesions that the heatmap does not show.",
    ),
];

/// Those of a pre-training, WISE-MAE; where its abstract is silent, the paper is He et al. 2022.
pub const PRETRAINING: [TrainOption; 17] = [
    option(
        ("tiles.choice", "Patches"),
        OptionKind::Choice(&[("wavelet", "by wavelet energy"), ("random", "at random")]),
        Some("by wavelet energy"),
        "Those with the most fine structure, or as many drawn at random, to compare with.",
    ),
    option(
        ("tiles.share", "Share of the patches"),
        number(0.01, 1.0),
        None,
        "Of the patches with tissue of each slide; of plain images, all of them together.",
    ),
    option(
        ("tiles.most", "Tiles at most"),
        count(1, 65_536),
        None,
        "Tiles that are learned from; they lie in memory, 150 KB each.",
    ),
    option(
        ("tiles.places.tile_px", "Side of a tile, px"),
        count(32, 1024),
        Some("224"),
        "About twice the side of the patches that FMaMIL will cut: an encoder knows tissue as large as it was shown.",
    ),
    option(("epochs", "Epochs"), count(1, 1600), None, "How often every tile is learned from."),
    option(
        ("warmup_epochs", "Warm-up epochs"),
        count(0, 100),
        Some("40"),
        "Epochs in which the rate rises from nearly nothing.",
    ),
    option(
        ("batch", "Batch"),
        count(1, 1024),
        Some("4096"),
        "Tiles that are learned from at once; fewer need less memory.",
    ),
    option(
        ("base_rate", "Learning rate of 256 tiles"),
        number(1e-6, 0.1),
        Some("0.00015"),
        "How far a step moves the weights; a batch of another size has its share of it.",
    ),
    option(
        ("tiles.most_per_patch", "Tiles of a patch"),
        count(1, 64),
        None,
        "At most, of a slide with several magnifications.",
    ),
    option(
        ("tiles.val_share", "Share of the files that validate"),
        number(0.0, 0.5),
        None,
        "Only looked at, where the folder has no splits of its own.",
    ),
    option(
        ("tiles.places.wavelet", "Wavelet"),
        OptionKind::Choice(&[("db4", "Daubechies 4"), ("haar", "Haar")]),
        None,
        "The filters whose energy says how much fine structure a patch has.",
    ),
    option(
        ("network.mask_ratio", "Share that is hidden"),
        number(0.1, 0.95),
        Some("0.75"),
        "Of a tile's patches: what the network has to guess.",
    ),
    option(
        ("network.dim", "Width of the encoder"),
        count(24, 1024),
        None,
        "Values per patch, a multiple of 12.",
    ),
    option(
        ("network.depth", "Depth of the encoder"),
        count(1, 24),
        None,
        "Blocks; time grows with it.",
    ),
    option(
        ("crop_min", "Least crop"),
        number(0.05, 1.0),
        Some("0.2"),
        "Least share of a tile's area that is looked at in a step.",
    ),
    option(
        ("validate_every", "Epochs between validations"),
        count(1, 400),
        None,
        "How often the loss on files that are only looked at is measured.",
    ),
    option(
        ("picture_every", "Epochs between pictures"),
        count(1, 400),
        None,
        "How often a picture of what the network makes of hidden patches is kept.",
    ),
];

/// The value at `path`, names with dots between.
pub fn value_at<'a>(settings: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(settings, |inner, name| inner.get(name))
}

/// Settings that name nothing but `path`.
pub fn only(path: &str, value: Value) -> Value {
    path.rsplit('.').fold(value, |inner, name| json!({ name: inner }))
}

/// As typed on a command line: `epochs=20`, `average_weights=false`. Words that are no JSON are text.
///
/// # Errors
/// If there is no name or no `=`, in one line.
pub fn parse(typed: &str) -> Result<Value, String> {
    match typed.split_once('=') {
        Some((path, value)) if !path.trim().is_empty() => {
            let text = || Value::String(value.to_owned());
            Ok(only(path.trim(), serde_json::from_str(value).unwrap_or_else(|_| text())))
        }
        _ => Err(format!("expected NAME=VALUE, found `{typed}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camseg::CamsegConfig;
    use crate::train::TrainConfig;
    use crate::wise::PretrainConfig;

    fn fits(option: &TrainOption, value: &Value) -> bool {
        match option.kind {
            OptionKind::Count { least, most } => {
                value.as_u64().is_some_and(|it| (least..=most).contains(&it))
            }
            OptionKind::Number { least, most } => {
                // A shortest decimal of f32 is a little off as f64.
                value.as_f64().is_some_and(|it| (least - 1e-6..=most + 1e-6).contains(&it))
            }
            OptionKind::Switch => value.is_boolean(),
            OptionKind::Choice(words) => words.iter().any(|(word, _)| value == word),
        }
    }

    #[test]
    fn every_option_names_a_setting_whose_usual_value_it_allows() {
        let one = serde_json::to_value(TrainConfig::shipped()).unwrap();
        let two = serde_json::to_value(CamsegConfig::paper()).unwrap();
        let other = only("network.kind", json!("vmaml"));
        let three = serde_json::to_value(CamsegConfig::paper().changed(other).unwrap()).unwrap();
        let four = serde_json::to_value(PretrainConfig::small()).unwrap();
        let stages = [
            (&STAGE_1[..], vec![one]),
            (&STAGE_2[..], vec![two, three]),
            (&PRETRAINING[..], vec![four]),
        ];
        for (options, settings) in stages {
            for option in options {
                let values: Vec<_> =
                    settings.iter().filter_map(|it| value_at(it, option.path)).collect();
                let is_there = !values.is_empty() && values.iter().all(|it| fits(option, it));
                assert!(is_there, "{}: {values:?}", option.path);
            }
        }
    }

    #[test]
    fn a_typed_setting_is_a_tree_of_names() {
        assert_eq!(parse("a.b=3").unwrap(), json!({ "a": { "b": 3 } }));
        assert_eq!(parse("on=true").unwrap(), json!({ "on": true }));
        assert_eq!(parse("name=my model").unwrap(), json!({ "name": "my model" }));
        assert_eq!(parse("=3").unwrap_err(), "expected NAME=VALUE, found `=3`");
        assert!(parse("epochs").is_err());
    }
}
