//! What a model must beat: painting everything, painting dark pixels, and asking the mean color.

use domain::otsu::otsu;
use domain::pixels::Pixels;
use domain::progress::{CancelToken, Progress};
use slide::Slide;

use super::labels::classification;
use super::pixels::{Counts, segmentation};
use super::subject::{Subject, colors};
use super::{Baseline, EvalError};
use crate::data::folder::LabelledImage;

/// Newton steps of the logistic regression; it settles in fewer than ten.
const N_STEPS: usize = 25;
/// Strength of its ridge, as the inverse of scikit-learn's `C = 1`.
const RIDGE: f64 = 1.0;

/// Baselines in the making.
#[derive(Debug)]
pub(super) struct Baselines {
    color: Option<ColorModel>,
    is_positive: Vec<bool>,
    p_color: Vec<f64>,
    everything: Vec<Counts>,
    everything_of_positives: Vec<Counts>,
    dark: Vec<Counts>,
    dark_of_positives: Vec<Counts>,
    everything_by_color: Vec<Counts>,
}

impl Baselines {
    /// Fits the color model to the training images, if there are any.
    pub(super) fn new(
        train: &[&LabelledImage],
        (progress, cancel): (&dyn Progress, &CancelToken),
    ) -> Result<Self, EvalError> {
        progress.stage("Fitting the color baseline");
        let (mut means, mut labels) = (Vec::new(), Vec::new());
        for (i, image) in train.iter().enumerate() {
            cancel.check()?;
            progress.report(i as u64, train.len() as u64);
            let pixels = Slide::open(&image.path)
                .and_then(|slide| colors(&slide))
                .map_err(|error| EvalError::Image(format!("{}: {error}", image.file)))?;
            means.push(mean_color(&pixels));
            labels.push(image.is_positive);
        }
        Ok(Self {
            color: ColorModel::fit(&means, &labels),
            is_positive: Vec::new(),
            p_color: Vec::new(),
            everything: Vec::new(),
            everything_of_positives: Vec::new(),
            dark: Vec::new(),
            dark_of_positives: Vec::new(),
            everything_by_color: Vec::new(),
        })
    }

    /// Measures every baseline on one image.
    pub(super) fn add(&mut self, subject: &Subject) {
        let Some(pixels) = &subject.pixels else { return };
        let p = self.color.as_ref().map(|it| it.probability(mean_color(pixels)));
        self.is_positive.push(subject.is_positive);
        self.p_color.extend(p);
        let Some(truth) = &subject.truth else { return };
        let all = |is_marked: bool| Counts::of(truth.iter().map(|_| is_marked), truth);
        self.everything.push(all(true));
        self.everything_of_positives.push(all(subject.is_positive));
        self.everything_by_color.extend(p.map(|p| all(0.5 <= p)));
        let gray = grays(pixels);
        let cut = last_dark(&gray);
        let dark = Counts::of(gray.iter().map(|gray| *gray <= cut), truth);
        self.dark.push(dark);
        self.dark_of_positives.push(if subject.is_positive { dark } else { all(false) });
    }

    /// What the reader must know about missing baselines.
    pub(super) fn note(&self) -> Option<String> {
        self.color.is_none().then(|| {
            "The mean-color baseline needs training rows of both labels in the folder; it is left out.".to_owned()
        })
    }

    /// Their figures.
    pub(super) fn finish(self) -> Vec<Baseline> {
        let painted = |name: &str, counts: &[Counts]| {
            (!counts.is_empty()).then(|| Baseline {
                name: name.to_owned(),
                classification: None,
                segmentation: Some(segmentation(counts)),
            })
        };
        let color = self.color.map(|_| Baseline {
            name: "logistic regression on the mean color; every pixel of images it calls positive"
                .to_owned(),
            classification: Some(classification(&self.p_color, &self.is_positive)),
            segmentation: (!self.everything_by_color.is_empty())
                .then(|| segmentation(&self.everything_by_color)),
        });
        [
            painted("every pixel of every image", &self.everything),
            painted(
                "every pixel of images labelled positive (knows the labels)",
                &self.everything_of_positives,
            ),
            painted("Otsu's dark pixels of every image", &self.dark),
            painted(
                "Otsu's dark pixels of images labelled positive (knows the labels)",
                &self.dark_of_positives,
            ),
            color,
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn mean_color(pixels: &Pixels) -> [f64; 3] {
    let mut sum = [0_u64; 3];
    for [r, g, b, _] in pixels.rgba().as_chunks::<4>().0 {
        sum = [sum[0] + u64::from(*r), sum[1] + u64::from(*g), sum[2] + u64::from(*b)];
    }
    let n = pixels.size().area().max(1) as f64;
    sum.map(|it| it as f64 / n)
}

/// Luma, rounded.
fn grays(pixels: &Pixels) -> Vec<u8> {
    let luma = |[r, g, b, _]: &[u8; 4]| {
        let thousandths = 299 * u32::from(*r) + 587 * u32::from(*g) + 114 * u32::from(*b);
        ((thousandths + 500) / 1000) as u8
    };
    pixels.rgba().as_chunks::<4>().0.iter().map(luma).collect()
}

/// The gray value up to which pixels are dark, by Otsu's rule; 0 where all are alike.
fn last_dark(gray: &[u8]) -> u8 {
    let mut counts = [0_u64; 256];
    gray.iter().for_each(|value| counts[usize::from(*value)] += 1);
    otsu(&counts).unwrap_or(0) as u8
}

/// Logistic regression on standardized red, green and blue.
#[derive(Clone, Debug)]
struct ColorModel {
    mean: [f64; 3],
    scale: [f64; 3],
    /// Red, green, blue, constant.
    weights: [f64; 4],
}

impl ColorModel {
    fn fit(colors: &[[f64; 3]], labels: &[bool]) -> Option<Self> {
        if !(labels.contains(&true) && labels.contains(&false)) {
            return None;
        }
        let n = colors.len() as f64;
        let mean = [0, 1, 2].map(|c| colors.iter().map(|it| it[c]).sum::<f64>() / n);
        let scale = [0, 1, 2].map(|c| {
            let variance = colors.iter().map(|it| (it[c] - mean[c]).powi(2)).sum::<f64>() / n;
            variance.sqrt().max(1e-9)
        });
        let mut model = Self { mean, scale, weights: [0.0; 4] };
        for _ in 0..N_STEPS {
            model.newton_step(colors, labels);
        }
        Some(model)
    }

    fn inputs(&self, color: [f64; 3]) -> [f64; 4] {
        let z = |c: usize| (color[c] - self.mean[c]) / self.scale[c];
        [z(0), z(1), z(2), 1.0]
    }

    fn probability(&self, color: [f64; 3]) -> f64 {
        let logit: f64 = self.inputs(color).iter().zip(self.weights).map(|(x, w)| x * w).sum();
        1.0 / (1.0 + (-logit).exp())
    }

    fn newton_step(&mut self, colors: &[[f64; 3]], labels: &[bool]) {
        let (mut hessian, mut gradient) = ([[0.0; 4]; 4], [0.0; 4]);
        for (color, label) in colors.iter().zip(labels) {
            let (x, p) = (self.inputs(*color), self.probability(*color));
            let error = p - f64::from(u8::from(*label));
            for i in 0..4 {
                gradient[i] += error * x[i];
                for j in 0..4 {
                    hessian[i][j] += p * (1.0 - p) * x[i] * x[j];
                }
            }
        }
        for i in 0..3 {
            gradient[i] += RIDGE * self.weights[i];
            hessian[i][i] += RIDGE;
        }
        let step = solve(hessian, gradient);
        self.weights.iter_mut().zip(step).for_each(|(weight, step)| *weight -= step);
    }
}

/// Gauss elimination with pivoting; a singular direction is left alone.
fn solve(mut a: [[f64; 4]; 4], mut b: [f64; 4]) -> [f64; 4] {
    for column in 0..4 {
        let pivot = (column..4).max_by(|i, j| a[*i][column].abs().total_cmp(&a[*j][column].abs()));
        let pivot = pivot.unwrap_or(column);
        a.swap(column, pivot);
        b.swap(column, pivot);
        if a[column][column].abs() < 1e-12 {
            continue;
        }
        for row in (0..4).filter(|row| *row != column) {
            let factor = a[row][column] / a[column][column];
            let source = a[column];
            a[row].iter_mut().zip(source).for_each(|(value, source)| *value -= factor * source);
            b[row] -= factor * b[column];
        }
    }
    [0, 1, 2, 3].map(|i| if a[i][i].abs() < 1e-12 { 0.0 } else { b[i] / a[i][i] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn otsu_cuts_between_two_gray_values() {
        let gray: Vec<u8> = [40; 30].into_iter().chain([200; 70]).collect();
        let cut = last_dark(&gray);
        assert!((40..200).contains(&cut), "{cut}");
        assert_eq!(last_dark(&[7; 5]), 0, "one gray value has no two sides");
    }

    #[test]
    fn color_separates_what_color_can_separate() {
        let colors: Vec<[f64; 3]> =
            (0..40).map(|i| [100.0 + f64::from(i), 50.0, 200.0 - f64::from(i % 7)]).collect();
        let labels: Vec<bool> = (0..40).map(|i| 20 <= i).collect();
        let model = ColorModel::fit(&colors, &labels).unwrap();
        assert!(model.probability(colors[0]) < 0.2 && 0.8 < model.probability(colors[39]));
        assert!(ColorModel::fit(&colors, &[true; 40]).is_none());
    }

    #[test]
    fn elimination_solves_a_system_that_needs_pivoting() {
        let a = [
            [0.0, 2.0, 0.0, 0.0],
            [1.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 4.0, 1.0],
            [0.0, 0.0, 1.0, 1.0],
        ];
        assert_eq!(solve(a, [4.0, 3.0, 6.0, 3.0]), [3.0, 2.0, 1.0, 2.0]);
    }
}
