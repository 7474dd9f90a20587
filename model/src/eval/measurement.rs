//! A model measured on labelled images, image by image: what a report shows and a comparison compares.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::score::{Figure, ImageScore, Metric, figures};
use super::{SuggestedThreshold, ThresholdRule, ThresholdScores};

/// Images of a list of the worst.
const N_WORST: usize = 20;
/// Larger files of measurements are not read.
const MAX_BYTES: u64 = 256 << 20;

/// Which model was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasuredModel {
    /// As typed after `--model`.
    pub name: String,
    /// Readable title.
    pub title: String,
    /// Names its weights.
    pub weights_sha256: String,
    /// Whether the map is that of its refiner, stage 2.
    pub is_refined: bool,
}

/// A model on the images of one split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Which model.
    pub model: MeasuredModel,
    /// The labelled folder.
    pub folder: PathBuf,
    /// Which of its images: `train`, `val`, `test` or `all`.
    pub split: String,
    /// What was said about each of them.
    pub images: Vec<ImageScore>,
    /// The *t* that masks were cut at.
    pub threshold: f32,
    /// Figures of all images together, each with its interval.
    pub figures: Vec<Figure>,
    /// Pooled figures of pixels over a ladder of *t*; empty without masks.
    pub thresholds: Vec<ThresholdScores>,
    /// Proposals for *t* from these images.
    pub suggested_thresholds: Vec<SuggestedThreshold>,
    /// Mean probability kept when only the patches under the map keep their features (MODELS section 6.6).
    pub faithfulness: Option<f64>,
    /// What a reader must know, one sentence each.
    pub notes: Vec<String>,
}

/// Rates of right and wrong calls when images count as positive from a probability on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RocPoint {
    /// The lowest probability that counts as positive.
    pub cut: f64,
    /// Share of negatives that are called positive.
    pub false_positives: f64,
    /// Share of positives that are called positive.
    pub sensitivity: f64,
}

impl Measurement {
    /// Reads a measurement from its file; the error is one line.
    ///
    /// # Errors
    /// If the file is missing, too large or damaged.
    pub fn read(path: &Path) -> Result<Self, String> {
        let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
        if MAX_BYTES < size {
            return Err(format!("expected at most {MAX_BYTES} bytes, found {size}"));
        }
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        let found: Self = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        let is_share = |value: f64| (0.0..=1.0).contains(&value);
        match found.images.iter().find(|image| !is_share(image.probability)) {
            Some(image) => Err(format!("the probability of {} lies outside 0 to 1", image.file)),
            None => Ok(found),
        }
    }

    /// One of its figures.
    pub fn figure(&self, metric: Metric) -> Option<Figure> {
        self.figures.iter().copied().find(|it| it.metric == metric)
    }

    /// The *t* that these images recommend: of the largest mIoU, or without masks Otsu's of the maps. Never an end of the
    /// scale: where that is best, the maps part nothing.
    pub fn recommended_threshold(&self) -> Option<SuggestedThreshold> {
        let parts = |it: &&SuggestedThreshold| 0.0 < it.threshold && it.threshold < 1.0;
        let proposals = || self.suggested_thresholds.iter().filter(parts);
        let of = |rule| proposals().find(|it| it.rule == rule).copied();
        of(ThresholdRule::Miou).or_else(|| of(ThresholdRule::Otsu))
    }

    /// The receiver operating characteristic, from no image called positive to all of them; empty if a class is missing.
    pub fn roc(&self) -> Vec<RocPoint> {
        let mut ranked: Vec<&ImageScore> = self.images.iter().collect();
        ranked.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        let n_positive = ranked.iter().filter(|it| it.is_positive).count();
        let n_negative = ranked.len() - n_positive;
        if n_positive == 0 || n_negative == 0 {
            return Vec::new();
        }
        let (mut found, mut wrong) = (0, 0);
        let none = RocPoint { cut: 1.0, false_positives: 0.0, sensitivity: 0.0 };
        let points = ranked.chunk_by(|a, b| a.probability == b.probability).map(|ties| {
            let n = ties.iter().filter(|it| it.is_positive).count();
            found += n;
            wrong += ties.len() - n;
            RocPoint {
                cut: ties[0].probability,
                false_positives: wrong as f64 / n_negative as f64,
                sensitivity: found as f64 / n_positive as f64,
            }
        });
        std::iter::once(none).chain(points).collect()
    }

    /// The images whose probability is farthest from their label, the worst first; none that is called rightly.
    pub fn most_wrong(&self) -> Vec<&ImageScore> {
        let mut wrong: Vec<&ImageScore> =
            self.images.iter().filter(|it| it.is_called_positive() != it.is_positive).collect();
        wrong.sort_by(|a, b| b.wrongness().total_cmp(&a.wrongness()));
        wrong.truncate(N_WORST);
        wrong
    }

    /// The images with a lesion whose masks overlap least with it, the worst first.
    pub fn least_overlap(&self) -> Vec<&ImageScore> {
        let mut known: Vec<(f64, &ImageScore)> =
            self.images.iter().filter_map(|it| Some((it.iou()?, it))).collect();
        known.sort_by(|a, b| a.0.total_cmp(&b.0));
        known.into_iter().take(N_WORST).map(|(_, image)| image).collect()
    }

    /// With the figures that follow from its images.
    pub(crate) fn with_figures(self) -> Self {
        Self { figures: figures(&self.images), ..self }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::score::tests::image;
    use super::*;
    use crate::eval::pixels::Counts;

    pub(crate) fn measurement(images: Vec<ImageScore>) -> Measurement {
        let model = MeasuredModel {
            name: "a".to_owned(),
            title: "A".to_owned(),
            weights_sha256: String::new(),
            is_refined: false,
        };
        Measurement {
            model,
            folder: "/data".into(),
            split: "val".to_owned(),
            images,
            threshold: 0.5,
            figures: Vec::new(),
            thresholds: Vec::new(),
            suggested_thresholds: Vec::new(),
            faithfulness: None,
            notes: Vec::new(),
        }
        .with_figures()
    }

    #[test]
    fn the_area_under_the_roc_is_the_auc() {
        let p = [0.9, 0.8, 0.8, 0.6, 0.4, 0.4, 0.3, 0.1];
        let truth = [true, true, false, true, false, true, false, false];
        let images = p.iter().zip(truth).enumerate().map(|(i, (p, truth))| image(i, truth, *p));
        let measured = measurement(images.collect());
        let roc = measured.roc();
        let area: f64 = roc
            .windows(2)
            .map(|it| {
                (it[1].false_positives - it[0].false_positives)
                    * (it[0].sensitivity + it[1].sensitivity)
                    / 2.0
            })
            .sum();
        assert!((area - measured.figure(Metric::Auc).unwrap().value).abs() < 1e-12);
        let last = roc.last().unwrap();
        assert_eq!((roc.len(), last.false_positives, last.sensitivity), (7, 1.0, 1.0));
        assert!(measurement(vec![image(0, true, 0.4)]).roc().is_empty());
    }

    #[test]
    fn the_worst_come_first_and_what_is_right_is_not_among_them() {
        let images = vec![
            image(0, true, 0.4),
            image(1, true, 0.9),
            image(2, false, 0.95),
            image(3, false, 0.2),
        ];
        let measured = measurement(images);
        let files: Vec<&str> = measured.most_wrong().iter().map(|it| it.file.as_str()).collect();
        assert_eq!(files, ["2.png", "0.png"]);
    }

    #[test]
    fn the_recommended_t_is_never_an_end_of_the_scale() {
        let proposed = |rule, threshold| SuggestedThreshold { rule, threshold, pooled: None };
        let mut measured = measurement(vec![image(0, true, 0.4)]);
        measured.suggested_thresholds =
            vec![proposed(ThresholdRule::Miou, 0.0), proposed(ThresholdRule::Otsu, 0.4)];
        assert_eq!(measured.recommended_threshold().map(|it| it.threshold), Some(0.4));
        measured.suggested_thresholds.truncate(1);
        assert_eq!(measured.recommended_threshold(), None);
    }

    #[test]
    fn least_overlap_is_of_images_with_a_lesion() {
        let with = |i, counts| ImageScore { pixels: Some(counts), ..image(i, true, 0.9) };
        let measured = measurement(vec![
            with(0, Counts { tp: 5, fn_: 5, ..Counts::default() }),
            with(1, Counts { tp: 1, fn_: 9, ..Counts::default() }),
            with(2, Counts { fp: 9, tn: 1, ..Counts::default() }),
        ]);
        let files: Vec<&str> = measured.least_overlap().iter().map(|it| it.file.as_str()).collect();
        assert_eq!(files, ["1.png", "0.png"]);
    }

    #[test]
    fn a_measurement_survives_its_file_and_a_damaged_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("validation.json");
        let measured = measurement(vec![image(0, true, 0.1 + 0.2), image(1, false, 1.0 / 3.0)]);
        std::fs::write(&path, serde_json::to_vec(&measured).unwrap()).unwrap();
        assert_eq!(Measurement::read(&path).unwrap(), measured);
        let outside = measurement(vec![image(0, true, 1.5)]);
        std::fs::write(&path, serde_json::to_vec(&outside).unwrap()).unwrap();
        assert!(Measurement::read(&path).unwrap_err().contains("0.png lies outside"));
        assert!(Measurement::read(&dir.path().join("none.json")).is_err());
    }
}
