//! Figures of whole images (MODELS section 9).

use super::Classification;
use super::resampling::Resampling;

/// From this probability on an image counts as positive.
pub(crate) const POSITIVE: f64 = 0.5;

/// Share of right labels at 0.5; 0 without images.
pub(crate) fn accuracy(p: &[f64], is_positive: &[bool]) -> f64 {
    let right = p.iter().zip(is_positive).filter(|(p, truth)| (POSITIVE <= **p) == **truth).count();
    right as f64 / p.len().max(1) as f64
}

/// Share of right labels if all images got the commoner one; 0 without images.
pub(crate) fn chance(is_positive: &[bool]) -> f64 {
    let n_positive = is_positive.iter().filter(|it| **it).count();
    n_positive.max(is_positive.len() - n_positive) as f64 / is_positive.len().max(1) as f64
}

/// Mann-Whitney: the chance that a positive scores above a negative, ties counting half. `None` if a class is
/// missing.
pub(crate) fn auc(scores: &[f64], is_positive: &[bool]) -> Option<f64> {
    let mut ranked: Vec<(f64, bool)> =
        scores.iter().copied().zip(is_positive.iter().copied()).collect();
    ranked.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let n_positive = is_positive.iter().filter(|it| **it).count() as f64;
    let n_negative = is_positive.len() as f64 - n_positive;
    if n_positive == 0.0 || n_negative == 0.0 {
        return None;
    }
    let mut before = 0.0;
    let mut rank_sum = 0.0;
    for ties in ranked.chunk_by(|a, b| a.0 == b.0) {
        let mid_rank = before + 0.5 * (ties.len() as f64 + 1.0);
        rank_sum += mid_rank * ties.iter().filter(|(_, it)| *it).count() as f64;
        before += ties.len() as f64;
    }
    Some((rank_sum - n_positive * (n_positive + 1.0) / 2.0) / (n_positive * n_negative))
}

/// The 95 % interval of the AUC when images are drawn again with replacement; the same for the same images. `None` if
/// a class is missing.
pub(crate) fn auc_interval(scores: &[f64], is_positive: &[bool]) -> Option<[f64; 2]> {
    auc(scores, is_positive)?;
    Resampling::of_images(scores.len()).interval(|images| {
        let scores: Vec<f64> = images.iter().map(|i| scores[*i]).collect();
        let is_positive: Vec<bool> = images.iter().map(|i| is_positive[*i]).collect();
        auc(&scores, &is_positive)
    })
}

/// The cut-off with the largest sensitivity + specificity - 1, positive from it on. `None` if a class is missing.
pub(crate) fn youden(scores: &[f64], is_positive: &[bool]) -> Option<f64> {
    let mut cuts: Vec<f64> = scores.to_vec();
    cuts.sort_unstable_by(f64::total_cmp);
    cuts.dedup();
    let n_positive = is_positive.iter().filter(|it| **it).count() as f64;
    let n_negative = is_positive.len() as f64 - n_positive;
    if n_positive == 0.0 || n_negative == 0.0 {
        return None;
    }
    let gain = |cut: f64| -> f64 {
        scores
            .iter()
            .zip(is_positive)
            .filter(|(score, _)| cut <= **score)
            .map(|(_, truth)| if *truth { 1.0 / n_positive } else { -1.0 / n_negative })
            .sum()
    };
    cuts.into_iter().max_by(|a, b| gain(*a).total_cmp(&gain(*b)))
}

/// All figures at 0.5.
pub(crate) fn classification(p: &[f64], is_positive: &[bool]) -> Classification {
    let count = |called: bool, truth: bool| {
        p.iter()
            .zip(is_positive)
            .filter(|(p, it)| (POSITIVE <= **p) == called && **it == truth)
            .count() as f64
    };
    let (tp, fp, fn_, tn) =
        (count(true, true), count(true, false), count(false, true), count(false, false));
    let ratio = |a: f64, b: f64| if b == 0.0 { 1.0 } else { a / b };
    Classification {
        auc: auc(p, is_positive),
        auc_interval: auc_interval(p, is_positive),
        accuracy: accuracy(p, is_positive),
        f1: ratio(2.0 * tp, 2.0 * tp + fp + fn_),
        sensitivity: ratio(tp, tp + fn_),
        specificity: ratio(tn, tn + fp),
        youden_probability: youden(p, is_positive),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_half() {
        assert_eq!(auc(&[0.5, 0.5], &[true, false]), Some(0.5));
        assert_eq!(auc(&[0.1, 0.4, 0.4, 0.8], &[false, true, false, true]), Some(0.875));
    }

    #[test]
    fn a_missing_class_has_no_auc() {
        assert_eq!(auc(&[0.1, 0.9], &[true, true]), None);
        assert_eq!(youden(&[0.1], &[false]), None);
    }

    #[test]
    fn the_interval_holds_the_auc_and_narrows_with_more_images() {
        let images = |n: usize| -> (Vec<f64>, Vec<bool>) {
            (0..n).map(|i| ((i * 7919 % n) as f64 + 0.6 * (i % 2 * n) as f64, i % 2 == 1)).unzip()
        };
        let width = |n: usize| {
            let (scores, truth) = images(n);
            let [low, high] = auc_interval(&scores, &truth).unwrap();
            let auc = auc(&scores, &truth).unwrap();
            assert!(low <= auc && auc <= high, "{low} {auc} {high}");
            high - low
        };
        assert!(width(400) < width(40));
        assert_eq!(auc_interval(&[0.3, 0.4], &[true, true]), None);
    }

    #[test]
    fn the_youden_cut_separates_best() {
        let scores = [0.1, 0.2, 0.3, 0.7, 0.8];
        assert_eq!(youden(&scores, &[false, false, true, true, true]), Some(0.3));
    }
}
