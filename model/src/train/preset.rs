//! Three choices for people who want no others: how long a training is, as changes to the usual settings.

use serde::{Deserialize, Serialize};

use super::{AugmentConfig, RestartConfig, ScheduleConfig, TrainConfig};
use crate::camseg::CamsegConfig;

/// How much time a training is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Whether it works at all.
    #[default]
    Quick,
    /// The settings that the shipped model was trained with.
    Balanced,
    /// Many epochs, more varied images, and further attempts where maps cannot be trusted.
    Thorough,
}

impl Preset {
    /// The quickest first.
    pub const ALL: [Self; 3] = [Self::Quick, Self::Balanced, Self::Thorough];

    /// As typed after `--preset`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Balanced => "balanced",
            Self::Thorough => "thorough",
        }
    }

    /// As read in the window.
    pub fn title(self) -> &'static str {
        match self {
            Self::Quick => "Quick look",
            Self::Balanced => "Balanced",
            Self::Thorough => "Thorough",
        }
    }

    /// What it is for where a model learns from labels, one sentence.
    pub fn says(self) -> &'static str {
        match self {
            Self::Quick => {
                "Few epochs on the images as they are: shows whether the labels can be learned at all."
            }
            Self::Balanced => {
                "The settings of the shipped model: each image in three colorings, stops when nothing improves."
            }
            Self::Thorough => {
                "Many epochs, five colorings, and up to two further attempts if the maps are not faithful."
            }
        }
    }

    /// What it is for where an encoder learns without labels, one sentence.
    pub fn says_of_pretraining(self) -> &'static str {
        match self {
            Self::Quick => "20 epochs on 512 tiles: shows whether anything is learned at all.",
            Self::Balanced => {
                "100 epochs on up to 4096 tiles; an encoder that may still learn much more."
            }
            Self::Thorough => "400 epochs, the schedule of He et al., on up to 4096 tiles.",
        }
    }
}

impl TrainConfig {
    /// The settings of a preset.
    pub fn of(preset: Preset) -> Self {
        let usual = Self::shipped();
        match preset {
            Preset::Quick => Self {
                epochs: 6,
                learning_rate: ScheduleConfig { warmup_epochs: 1, ..usual.learning_rate },
                augment: AugmentConfig { color_copies: 0, ..usual.augment },
                ..usual
            },
            Preset::Balanced => usual,
            Preset::Thorough => Self {
                epochs: 60,
                patience_epochs: 15,
                learning_rate: ScheduleConfig { warmup_epochs: 5, ..usual.learning_rate },
                augment: AugmentConfig { color_copies: 4, ..usual.augment },
                restart: RestartConfig { most: 2, ..usual.restart },
                ..usual
            },
        }
    }
}

impl CamsegConfig {
    /// The settings of a preset; the paper's are the thorough ones.
    pub fn of(preset: Preset) -> Self {
        let paper = Self::paper();
        match preset {
            Preset::Quick => Self { epochs: 10, early_epochs: 4, validate_every: 2, ..paper },
            Preset::Balanced => Self { epochs: 50, early_epochs: 10, validate_every: 5, ..paper },
            Preset::Thorough => paper,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_makes_settings_in_range_and_thorough_takes_longest() {
        let mut epochs = Vec::new();
        for preset in Preset::ALL {
            let (one, two) = (TrainConfig::of(preset), CamsegConfig::of(preset));
            assert_eq!((one.problem(), two.problem()), (None, None), "{preset:?}");
            epochs.push((one.epochs, two.epochs));
        }
        assert!(epochs.is_sorted(), "{epochs:?}");
    }
}
