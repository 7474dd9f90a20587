//! From what a network says about bags to how often images are positive: Platt scaling.
//!
//! A network learns from windows, an image is as positive as its most positive window, and the largest of many numbers is large: on
//! images of many windows nearly all come out above one half. A line through the log-odds of whole images mends that and leaves their
//! order as it is (J. Platt, *Probabilistic outputs for support vector machines*, 1999).

use serde::{Deserialize, Serialize};

/// Fewer images of a label do not tell where the line lies.
const LEAST_OF_A_LABEL: usize = 4;
/// Probabilities are kept this far from 0 and 1, where log-odds end.
const NEAREST: f64 = 1e-7;
/// Newton's method on two numbers is done long before.
const MOST_STEPS: usize = 100;

/// A line through log-odds: `p' = sigmoid(slope * ln(p / (1 - p)) + offset)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Above 0: the order of images stays.
    pub slope: f64,
    /// Log-odds of an image about which the network is of two minds.
    pub offset: f64,
    /// Images that the line was fitted to.
    pub n_images: usize,
}

impl Calibration {
    /// Fits the line to probabilities of whole images. `None` with fewer than four images of a label, or if more positive images are no
    /// likelier to be called so.
    pub(crate) fn fitted(probabilities: &[f64], is_positive: &[bool]) -> Option<Self> {
        let n_positive = is_positive.iter().filter(|it| **it).count();
        let n_negative = is_positive.len() - n_positive;
        if n_positive.min(n_negative) < LEAST_OF_A_LABEL {
            return None;
        }
        // Platt's targets: as if one more image of each label had been seen.
        let targets = [1.0 / (n_negative as f64 + 2.0), 1.0 - 1.0 / (n_positive as f64 + 2.0)];
        let points: Vec<[f64; 2]> = probabilities
            .iter()
            .zip(is_positive)
            .map(|(p, is_positive)| [log_odds(*p), targets[usize::from(*is_positive)]])
            .collect();
        let start = [0.0, (n_positive as f64 / n_negative as f64).ln()];
        let [slope, offset] = likeliest_line(&points, start);
        let is_usable = slope.is_finite() && offset.is_finite() && 0.0 < slope;
        is_usable.then_some(Self { slope, offset, n_images: is_positive.len() })
    }

    /// The probability that is meant by one that the network gives; both `0.0..=1.0`.
    pub(crate) fn apply(&self, probability: f32) -> f32 {
        let p = sigmoid(self.slope * log_odds(f64::from(probability)) + self.offset);
        #[expect(clippy::cast_possible_truncation, reason = "a share of 1")]
        let p = p as f32;
        p
    }

    /// Says what is out of range, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        let Self { slope, offset, .. } = self;
        let is_line = slope.is_finite() && 0.0 < *slope && offset.is_finite();
        (!is_line).then(|| {
            format!("a calibration needs a slope above 0 and an offset, found {slope} and {offset}")
        })
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn log_odds(p: f64) -> f64 {
    let p = p.clamp(NEAREST, 1.0 - NEAREST);
    (p / (1.0 - p)).ln()
}

/// Slope and offset under which targets are likeliest, by Newton's method with steps that are halved until they help (H.-T. Lin, C.-J. Lin
/// and R. C. Weng, *A note on Platt's probabilistic outputs*, 2007).
fn likeliest_line(points: &[[f64; 2]], start: [f64; 2]) -> [f64; 2] {
    let mut line = start;
    let mut surprise = surprise_of(points, line);
    for _ in 0..MOST_STEPS {
        let [slope, offset] = newton_step(points, line);
        let shares = std::iter::successors(Some(1.0), |share: &f64| Some(0.5 * share)).take(30);
        let tries = shares.map(|share| [line[0] - share * slope, line[1] - share * offset]);
        let better = tries
            .map(|line| (line, surprise_of(points, line)))
            .find(|(_, found)| *found < surprise);
        let Some((found, less)) = better else { break };
        (line, surprise) = (found, less);
    }
    line
}

/// Cross-entropy of targets under a line, summed.
fn surprise_of(points: &[[f64; 2]], [slope, offset]: [f64; 2]) -> f64 {
    let one = |[x, target]: &[f64; 2]| {
        let z = slope * x + offset;
        // ln(1 + e^z) - target z, without overflow.
        z.max(0.0) + (-z.abs()).exp().ln_1p() - target * z
    };
    points.iter().map(one).sum()
}

/// Inverse Hessian times gradient.
fn newton_step(points: &[[f64; 2]], [slope, offset]: [f64; 2]) -> [f64; 2] {
    // A little of the identity keeps the Hessian invertible where all images say the same.
    let (mut g, mut h) = ([0.0; 2], [1e-9, 0.0, 1e-9]);
    for [x, target] in points {
        let p = sigmoid(slope * x + offset);
        let (miss, weight) = (p - target, p * (1.0 - p));
        g = [g[0] + miss * x, g[1] + miss];
        h = [h[0] + weight * x * x, h[1] + weight * x, h[2] + weight];
    }
    let determinant = h[0] * h[2] - h[1] * h[1];
    [(h[2] * g[0] - h[1] * g[1]) / determinant, (h[0] * g[1] - h[1] * g[0]) / determinant]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Images whose log-odds are drawn evenly and that are positive as often as a line says.
    fn images(slope: f64, offset: f64) -> (Vec<f64>, Vec<bool>) {
        let mut images = (Vec::new(), Vec::new());
        for i in 0..200 {
            let x = f64::from(i) / 20.0 - 2.0;
            let share = sigmoid(slope * x + offset);
            for k in 0..100 {
                images.0.push(sigmoid(x));
                images.1.push(f64::from(k) + 0.5 < 100.0 * share);
            }
        }
        images
    }

    #[test]
    fn the_line_that_made_the_labels_is_found() {
        let (p, labels) = images(0.7, -1.5);
        let found = Calibration::fitted(&p, &labels).unwrap();
        assert!((found.slope - 0.7).abs() < 0.01 && (found.offset + 1.5).abs() < 0.02, "{found:?}");
        assert_eq!(found.n_images, 20_000);
    }

    #[test]
    fn images_that_are_all_called_positive_are_told_apart_again() {
        let p = [0.97, 0.98, 0.985, 0.96, 0.992, 0.999, 0.9995, 0.9999, 0.998, 0.9992];
        let labels = [false, false, false, false, false, true, true, true, true, true];
        let found = Calibration::fitted(&p, &labels).unwrap();
        for (p, label) in p.iter().zip(labels) {
            assert_eq!(0.5 <= found.apply(*p as f32), label, "{p} {found:?}");
        }
    }

    #[test]
    fn certain_probabilities_have_an_answer_and_the_order_stays() {
        let line = Calibration { slope: 0.3, offset: -2.0, n_images: 9 };
        let values = [0.0, 1e-5, 0.3, 0.7, 0.9999, 1.0].map(|p| line.apply(p));
        assert!(values.iter().all(|it| (0.0..=1.0).contains(it)), "{values:?}");
        assert!(values.windows(2).all(|it| it[0] < it[1]), "{values:?}");
    }

    #[test]
    fn without_images_of_both_labels_or_with_a_wrong_order_there_is_no_line() {
        assert_eq!(Calibration::fitted(&[0.1; 12], &[true; 12]), None);
        let few = [true, true, true, false, false, false];
        assert_eq!(Calibration::fitted(&[0.9, 0.9, 0.9, 0.1, 0.1, 0.1], &few), None);
        let labels: Vec<bool> = (0..20).map(|i| i < 10).collect();
        let p: Vec<f64> = (0..20).map(|i| f64::from(i) / 20.0).collect();
        assert_eq!(Calibration::fitted(&p, &labels), None);
        let same = Calibration::fitted(&[0.9; 20], &labels);
        assert!(same.is_none_or(|it| it.problem().is_none()), "{same:?}");
    }
}
