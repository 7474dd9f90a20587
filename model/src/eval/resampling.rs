//! Bootstrap: how much figures change when other patients of the same kind are measured (Efron and Tibshirani, 1993).

use std::collections::BTreeMap;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Redrawn sets for an interval.
const N_DRAWS: usize = 1000;
/// Share of redrawn figures that lies outside the interval, on both sides together.
const OUTSIDE: f64 = 0.05;

/// Images that are drawn together, since they are of one patient. Every interval draws the same sets, so that
/// differences of two models are paired.
#[derive(Clone, Debug)]
pub(crate) struct Resampling {
    /// Indices of images.
    groups: Vec<Vec<usize>>,
}

impl Resampling {
    /// Every one of `n` images by itself.
    pub(crate) fn of_images(n: usize) -> Self {
        Self { groups: (0..n).map(|i| vec![i]).collect() }
    }

    /// Images of a patient together; ids that differ only in letter case are one.
    pub(crate) fn of_patients<'a>(patients: impl Iterator<Item = &'a str>) -> Self {
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (i, patient) in patients.enumerate() {
            let place = *places.entry(patient.to_lowercase()).or_insert(groups.len());
            if place == groups.len() {
                groups.push(Vec::new());
            }
            groups[place].push(i);
        }
        Self { groups }
    }

    /// The 95 % interval of a figure of images, given by their indices, when groups are drawn again with replacement; the
    /// same for the same groups. Sets without the figure are passed over; `None` if all are.
    pub(crate) fn interval(&self, figure: impl Fn(&[usize]) -> Option<f64>) -> Option<[f64; 2]> {
        if self.groups.is_empty() {
            return None;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mut set = Vec::new();
        let mut drawn = Vec::with_capacity(N_DRAWS);
        for _ in 0..N_DRAWS {
            set.clear();
            for _ in 0..self.groups.len() {
                set.extend_from_slice(&self.groups[rng.random_range(0..self.groups.len())]);
            }
            drawn.extend(figure(&set));
        }
        drawn.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| drawn.get((share * (drawn.len().max(1) - 1) as f64).round() as usize);
        Some([*at(OUTSIDE / 2.0)?, *at(1.0 - OUTSIDE / 2.0)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(values: &[f64]) -> impl Fn(&[usize]) -> Option<f64> {
        move |set| Some(set.iter().map(|i| values[*i]).sum::<f64>() / set.len() as f64)
    }

    fn width([low, high]: [f64; 2]) -> f64 {
        high - low
    }

    #[test]
    fn the_interval_of_a_mean_is_that_of_its_standard_error() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(i % 20)).collect();
        let found = width(Resampling::of_images(400).interval(mean(&values)).unwrap());
        let variance = (0..20).map(|i| (f64::from(i) - 9.5).powi(2)).sum::<f64>() / 20.0;
        let expected = 2.0 * 1.96 * (variance / 400.0).sqrt();
        assert!((found / expected - 1.0).abs() < 0.1, "{found} {expected}");
    }

    #[test]
    fn images_of_one_patient_are_one_draw() {
        let values: Vec<f64> = (0..40).map(|i| f64::from(i / 4 % 2)).collect();
        let patients: Vec<String> = (0..40)
            .map(|i| if i % 2 == 0 { format!("P{}", i / 4) } else { format!("p{}", i / 4) })
            .collect();
        let alone = Resampling::of_images(40).interval(mean(&values)).unwrap();
        let together = Resampling::of_patients(patients.iter().map(String::as_str));
        assert_eq!(together.groups.len(), 10);
        assert!(1.5 * width(alone) < width(together.interval(mean(&values)).unwrap()));
    }

    #[test]
    fn a_figure_that_no_set_has_has_no_interval() {
        assert_eq!(Resampling::of_images(5).interval(|_| None), None);
        assert_eq!(Resampling::of_images(0).interval(|_| Some(1.0)), None);
    }
}
