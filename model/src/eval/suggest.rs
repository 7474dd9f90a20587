//! Proposals for *t*: where overlap is best, where sensitivity and specificity are, where the maps' values part, where 90 % is found.

use domain::otsu::otsu;

use super::{N_THRESHOLDS, SuggestedThreshold, ThresholdRule, ThresholdScores, threshold};

/// Share of the lesion pixels that the third rule finds.
const SENSITIVITY: f64 = 0.9;

/// Counts values of a map, `0.0..=1.0`, by the ladder's steps.
pub(super) fn add_values(counts: &mut Vec<u64>, values: &[f32]) {
    counts.resize(usize::from(N_THRESHOLDS) + 1, 0);
    for value in values {
        let step = (value * f32::from(N_THRESHOLDS)) as usize;
        counts[step.min(usize::from(N_THRESHOLDS))] += 1;
    }
}

/// What the rules propose; those that need masks are silent where `ladder` is empty.
pub(super) fn suggestions(ladder: &[ThresholdScores], values: &[u64]) -> Vec<SuggestedThreshold> {
    let at = |rule, found: &ThresholdScores| SuggestedThreshold {
        rule,
        threshold: found.threshold,
        pooled: Some(found.pooled),
    };
    let youden = |it: &ThresholdScores| it.pooled.recall + it.pooled.specificity;
    let overlap = ladder.iter().max_by(|a, b| a.pooled.miou.total_cmp(&b.pooled.miou));
    let best = ladder.iter().max_by(|a, b| youden(a).total_cmp(&youden(b)));
    let sensitive = ladder.iter().rfind(|it| SENSITIVITY <= it.pooled.recall);
    let parted = first_high_step(values).map(|step| SuggestedThreshold {
        rule: ThresholdRule::Otsu,
        threshold: threshold(step),
        pooled: ladder.get(step).map(|it| it.pooled),
    });
    [
        overlap.map(|it| at(ThresholdRule::Miou, it)),
        best.map(|it| at(ThresholdRule::Youden, it)),
        parted,
        sensitive.map(|it| at(ThresholdRule::Sensitivity90, it)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The lowest step that Otsu's rule calls high.
fn first_high_step(values: &[u64]) -> Option<usize> {
    otsu(values).map(|last_low| last_low + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::pixels::Counts;

    #[test]
    fn two_groups_of_values_are_parted_between_them() {
        let mut counts = Vec::new();
        add_values(&mut counts, &[0.1, 0.12, 0.1, 0.8, 0.85, 1.0]);
        let step = first_high_step(&counts).unwrap();
        assert!((13..=80).contains(&step), "{step}");
    }

    #[test]
    fn each_rule_keeps_its_word() {
        let scores = |threshold: f32, tp: u64, fp: u64| ThresholdScores {
            threshold,
            pooled: Counts { tp, fp, fn_: 100 - tp, tn: 100 - fp }.scores(),
        };
        let ladder = [scores(0.0, 100, 100), scores(0.3, 95, 60), scores(0.6, 80, 10)];
        let found = suggestions(&ladder, &[]);
        let of = |rule| found.iter().find(|it| it.rule == rule).map(|it| it.threshold);
        assert_eq!(of(ThresholdRule::Miou), Some(0.6));
        assert_eq!(of(ThresholdRule::Youden), Some(0.6));
        assert_eq!(of(ThresholdRule::Sensitivity90), Some(0.3));
        assert_eq!(of(ThresholdRule::Otsu), None);
        assert!(suggestions(&[], &[]).is_empty());
    }
}
