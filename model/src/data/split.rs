//! Who is learned from and who is measured: by patient, seeded.

use std::collections::BTreeMap;

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use super::folder::{LabelledImage, Split};

/// The split of each image: the folder's own where it has one, else `val_share` of the patients of each label is `Val`
/// and the rest `Train`. A patient with images of both labels counts as positive; ids that differ only in letter case
/// are taken for one patient.
pub fn assign(images: &[LabelledImage], val_share: f64, seed: u64) -> Vec<Split> {
    if images.iter().all(|it| it.split.is_some()) {
        return images.iter().filter_map(|it| it.split).collect();
    }
    let mut patients: BTreeMap<String, bool> = BTreeMap::new();
    for image in images {
        *patients.entry(image.patient.to_lowercase()).or_default() |= image.is_positive;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut splits: BTreeMap<&str, Split> = BTreeMap::new();
    for label in [true, false] {
        let mut group: Vec<&str> = patients
            .iter()
            .filter(|(_, it)| **it == label)
            .map(|(patient, _)| patient.as_str())
            .collect();
        group.shuffle(&mut rng);
        let n_val = ((group.len() as f64 * val_share).round() as usize).max(1);
        for (i, patient) in group.into_iter().enumerate() {
            splits.insert(patient, if i < n_val { Split::Val } else { Split::Train });
        }
    }
    images.iter().map(|it| splits[it.patient.to_lowercase().as_str()]).collect()
}

/// What is missing for a training, one line each: both labels in both `Train` and `Val`.
pub fn problems(images: &[LabelledImage], splits: &[Split]) -> Vec<String> {
    let mut problems = Vec::new();
    for (split, split_name) in [(Split::Train, "train"), (Split::Val, "val")] {
        for (is_positive, label) in [(true, "positive"), (false, "negative")] {
            let has = images
                .iter()
                .zip(splits)
                .any(|(image, it)| *it == split && image.is_positive == is_positive);
            if !has {
                problems.push(format!("the {split_name} split has no {label} image"));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(n: usize) -> Vec<LabelledImage> {
        (0..n)
            .map(|i| LabelledImage {
                path: format!("{i}").into(),
                file: format!("{i}"),
                is_positive: i % 3 == 0,
                patient: format!("P{}", i / 4),
                split: None,
            })
            .collect()
    }

    #[test]
    fn no_patient_is_in_two_splits() {
        let images = images(80);
        let splits = assign(&images, 0.25, 5);
        for (a, left) in images.iter().zip(&splits) {
            for (b, right) in images.iter().zip(&splits) {
                assert!(a.patient != b.patient || left == right);
            }
        }
        assert!(problems(&images, &splits).is_empty());
    }

    #[test]
    fn ids_that_differ_in_letter_case_stay_together() {
        let mut images = images(80);
        for image in images.iter_mut().step_by(2) {
            image.patient = image.patient.to_lowercase();
        }
        let splits = assign(&images, 0.25, 5);
        for (i, split) in splits.iter().enumerate() {
            assert_eq!(*split, splits[i / 4 * 4]);
        }
    }

    #[test]
    fn a_seed_fixes_the_split_and_seeds_differ() {
        let images = images(80);
        assert_eq!(assign(&images, 0.25, 5), assign(&images, 0.25, 5));
        assert_ne!(assign(&images, 0.25, 5), assign(&images, 0.25, 6));
    }

    #[test]
    fn a_larger_share_validates_more_patients() {
        let images = images(80);
        let n_val =
            |share| assign(&images, share, 5).into_iter().filter(|it| *it == Split::Val).count();
        assert!(n_val(0.25) < n_val(0.5));
    }

    #[test]
    fn the_folders_own_split_is_kept() {
        let mut images = images(3);
        for (image, split) in images.iter_mut().zip([Split::Val, Split::Test, Split::Train]) {
            image.split = Some(split);
        }
        assert_eq!(assign(&images, 0.25, 0), [Split::Val, Split::Test, Split::Train]);
    }

    #[test]
    fn a_split_without_a_label_is_named() {
        let problems = problems(&images(1), &[Split::Train]);
        assert_eq!(
            problems,
            [
                "the train split has no negative image",
                "the val split has no positive image",
                "the val split has no negative image"
            ]
        );
    }
}
