//! What a model makes of one image under measurement.

use domain::heatmap::Heatmap;
use domain::progress::CancelToken;

use super::pixels::Counts;
use super::subject::Subject;
use super::{EvalError, N_THRESHOLDS, suggest, threshold};
use crate::analysis::{Analysis, AnalysisSettings, AnalyzeError, analyze_with};
use crate::pipeline::loaded_model::LoadedModel;
use crate::registry::ModelEntry;
use crate::stopwatch::Stopwatch;

/// One image as a model sees it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// 0 where there is no tissue.
    pub(super) probability: f64,
    /// Probability that is kept with the patches under the map alone.
    pub(super) kept: Option<f64>,
    /// Unlike the training images.
    pub(super) is_outside: bool,
    /// Values of the map for each step of the ladder; empty for an empty map.
    pub(super) values: Vec<u64>,
    /// At the *t* that was asked for, where the truth is known.
    pub(super) at_threshold: Option<Counts>,
    /// At every *t* of the ladder, where the truth is known.
    pub(super) ladder: Vec<Counts>,
}

impl Seen {
    /// Runs the model over the subject and cuts its map at `t`.
    ///
    /// # Errors
    /// If the image cannot be analyzed, or the work was cancelled.
    pub(super) fn of(
        subject: &Subject,
        (model, entry): (&LoadedModel, &ModelEntry),
        (settings, t): (&AnalysisSettings, f32),
        cancel: &CancelToken,
    ) -> Result<Self, EvalError> {
        let watch = Stopwatch::default();
        let analysis =
            match analyze_with(&subject.slide, model, entry, settings, watch, (&(), cancel)) {
                Ok(analysis) => Some(analysis),
                Err(AnalyzeError::NoTissue) => None,
                Err(AnalyzeError::Cancelled(cancelled)) => return Err(cancelled.into()),
                Err(error) => return Err(EvalError::Image(format!("{}: {error}", subject.file))),
            };
        let mut seen = Self::default();
        if let Some(analysis) = &analysis {
            seen.probability = analysis.probability;
            seen.kept = analysis.faithfulness;
            seen.is_outside = analysis.training_fit.is_outside;
            let map = measured_map(analysis);
            if 0.0 < map.max() {
                suggest::add_values(&mut seen.values, map.values());
            }
        }
        if let Some(truth) = &subject.truth {
            let field = match &analysis {
                Some(analysis) => measured_map(analysis).resampled(subject.slide.size()),
                None => vec![0.0; truth.len()],
            };
            seen.at_threshold = Some(Counts::of(field.iter().map(|value| t < *value), truth));
            seen.ladder = ladder(&field, truth);
        }
        Ok(seen)
    }
}

/// The map under measurement: that of the last stage which was run.
fn measured_map(analysis: &Analysis) -> &Heatmap {
    analysis.refined.as_ref().unwrap_or(&analysis.heatmap)
}

/// The counts of one field, cut at every *t* of the ladder.
fn ladder(field: &[f32], truth: &[bool]) -> Vec<Counts> {
    let n = usize::from(N_THRESHOLDS) + 1;
    let thresholds: Vec<f32> = (0..n).map(threshold).collect();
    // `exceeded[k]`: background and lesion pixels that exceed exactly the first k thresholds.
    let mut exceeded = vec![[0_u64; 2]; n + 1];
    for (value, truth) in field.iter().zip(truth) {
        exceeded[thresholds.partition_point(|t| t < value)][usize::from(*truth)] += 1;
    }
    let mut below = [0_u64; 2];
    let total = exceeded.iter().fold([0, 0], |sum, it| [sum[0] + it[0], sum[1] + it[1]]);
    let steps = exceeded.iter().take(n).map(|of_step| {
        below = [below[0] + of_step[0], below[1] + of_step[1]];
        let above = [total[0] - below[0], total[1] - below[1]];
        Counts { tp: above[1], fp: above[0], fn_: below[1], tn: below[0] }
    });
    steps.collect()
}

/// Adds what one image counts, step by step.
pub(super) fn add_ladder(sums: &mut Vec<Counts>, ladder: &[Counts]) {
    sums.resize(sums.len().max(ladder.len()), Counts::default());
    sums.iter_mut().zip(ladder).for_each(|(sum, counts)| sum.add(*counts));
}

/// Adds how often one map takes which value.
pub(super) fn add_histogram(sums: &mut Vec<u64>, values: &[u64]) {
    sums.resize(sums.len().max(values.len()), 0);
    sums.iter_mut().zip(values).for_each(|(sum, n)| *sum += n);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::pixels::pooled;

    #[test]
    fn the_ladder_counts_what_cutting_counts() {
        let field = [0.0, 0.005, 0.01, 0.5, 0.505, 0.99, 1.0];
        let truth = [false, true, false, true, false, true, true];
        let found = ladder(&field, &truth);
        assert_eq!(found.len(), 101);
        for (step, counts) in found.iter().enumerate() {
            let cut = Counts::of(field.iter().map(|value| threshold(step) < *value), &truth);
            assert_eq!(*counts, cut, "t = {}", threshold(step));
        }
        let mut sums = Vec::new();
        add_ladder(&mut sums, &found);
        add_ladder(&mut sums, &found);
        assert_eq!(sums[7], pooled(&[found[7], found[7]]));
    }
}
