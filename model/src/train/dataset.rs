//! The images of a labelled folder as bags of features in memory.

use domain::progress::CancelToken;
use half::f16;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use slide::Slide;

use super::{TrainConfig, TrainControl, TrainError};
use crate::analysis::AnalyzeError;
use crate::bag::feature_store::FeatureStore;
use crate::bag::features::{FeatureReader, FeatureRecipe};
use crate::bag::layout::BagLayout;
use crate::data::folder::{LabelledImage, Split};
use crate::data::jitter::PixelJitter;
use crate::encoder::Encoder;
use crate::fmamil::Grid;
use crate::stopwatch::Stopwatch;

/// One window with the label of its image.
#[derive(Clone, Debug)]
pub(crate) struct Bag {
    pub(crate) grid: Grid,
    pub(crate) is_real: Vec<bool>,
    pub(crate) is_positive: bool,
    /// Which image it was cut from.
    pub(crate) image: usize,
    /// Features `[P, F]` of the plain image, then of its varied copies.
    pub(crate) copies: Vec<Vec<f16>>,
}

impl Bag {
    /// Features `[P, F]` of the plain image.
    pub(crate) fn plain(&self) -> Vec<f32> {
        self.copies.first().into_iter().flatten().map(|it| it.to_f32()).collect()
    }
}

/// Bags to learn from and bags to choose by.
#[derive(Debug, Default)]
pub(crate) struct Dataset {
    pub(crate) train: Vec<Bag>,
    pub(crate) val: Vec<Bag>,
}

/// Reads every training and validation image.
///
/// # Errors
/// If the work was cancelled, or with everything that cannot be read.
pub(crate) fn load(
    images: &[LabelledImage],
    splits: &[Split],
    encoder: &dyn Encoder,
    config: &TrainConfig,
    store: Option<&FeatureStore>,
    TrainControl { progress, cancel, pause }: TrainControl<'_>,
) -> Result<Dataset, TrainError> {
    let mut dataset = Dataset::default();
    let mut problems = Vec::new();
    progress.stage("Computing features");
    for (i, (image, split)) in images.iter().zip(splits).enumerate() {
        cancel.check()?;
        pause.wait(cancel)?;
        progress.report(i as u64, images.len() as u64);
        let n_copies = if *split == Split::Train { config.augment.color_copies } else { 0 };
        let source = Source { encoder, config, store, image: i, n_copies };
        let bags = match split {
            Split::Test => continue,
            Split::Train | Split::Val => source.bags(image, cancel),
        };
        match (bags, split) {
            (Ok(bags), Split::Train) => dataset.train.extend(bags),
            (Ok(bags), _) => dataset.val.extend(bags),
            (Err(AnalyzeError::Cancelled(cancelled)), _) => return Err(cancelled.into()),
            (Err(error), _) => problems.push(format!("{}: {error}", image.file)),
        }
    }
    if problems.is_empty() { Ok(dataset) } else { Err(TrainError::Folder(problems)) }
}

/// How one image becomes bags.
pub(super) struct Source<'a> {
    pub(super) encoder: &'a dyn Encoder,
    pub(super) config: &'a TrainConfig,
    pub(super) store: Option<&'a FeatureStore>,
    pub(super) image: usize,
    pub(super) n_copies: u32,
}

impl Source<'_> {
    fn bags(&self, image: &LabelledImage, cancel: &CancelToken) -> Result<Vec<Bag>, AnalyzeError> {
        self.first_bags(image, usize::MAX, cancel).map(|(bags, _)| bags)
    }

    /// At most so many bags of an image, and how many it has.
    pub(super) fn first_bags(
        &self,
        image: &LabelledImage,
        most: usize,
        cancel: &CancelToken,
    ) -> Result<(Vec<Bag>, usize), AnalyzeError> {
        let slide = Slide::open(&image.path)?;
        let layout = BagLayout::of_training(&slide, &self.config.model.bag, cancel)?;
        let BagLayout { grid, mut windows, .. } = layout;
        let n_windows = windows.len();
        windows.truncate(most);
        let mut bags: Vec<Bag> = windows
            .iter()
            .map(|window| Bag {
                grid: Grid { rows: window.rows, columns: window.columns },
                is_real: window.patches().map(|(row, column)| grid.is_real(row, column)).collect(),
                is_positive: image.is_positive,
                image: self.image,
                copies: Vec::new(),
            })
            .collect();
        for copy in 0..=self.n_copies {
            let jitter = (0 < copy).then(|| self.jitter(copy));
            let mut reader =
                FeatureReader::new(&slide, &grid, &windows, self.recipe(jitter.as_ref()));
            for (bag, window) in bags.iter_mut().zip(&windows) {
                let features = reader.window(*window, &mut Stopwatch::default(), &(), cancel)?;
                bag.copies.push(features.into_iter().map(f16::from_f32).collect());
            }
        }
        Ok((bags, n_windows))
    }

    fn recipe<'a>(&'a self, jitter: Option<&'a PixelJitter>) -> FeatureRecipe<'a> {
        FeatureRecipe {
            encoder: self.encoder,
            input_px: self.config.model.encoder.input_px,
            pad_value: self.config.model.bag.pad_value,
            strip_rows: self.config.model.bag.window_patches as usize,
            jitter,
            store: self.store,
        }
    }

    /// The change of one copy: fixed by seed, image and copy, so that its features can be cached.
    fn jitter(&self, copy: u32) -> PixelJitter {
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed);
        rng.set_stream((self.image as u64) << 32 | u64::from(copy));
        PixelJitter::draw(&mut rng)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bag::layout::{PatchPlace, PatchUse};
    use crate::encoder::{EncoderError, PatchBatch};
    use crate::train::Preset;
    use image::RgbImage;
    use std::path::Path;
    use std::sync::Mutex;

    /// Keeps the pixels that it is asked to describe.
    #[derive(Debug, Default)]
    struct Witness(Mutex<Vec<u8>>);

    impl Encoder for Witness {
        fn name(&self) -> &str {
            "witness"
        }

        fn weights_sha256(&self) -> &str {
            ""
        }

        fn feature_dim(&self) -> usize {
            1
        }

        fn encode(
            &self,
            patches: &PatchBatch,
            _input_px: u32,
            _cancel: &CancelToken,
        ) -> Result<Vec<f32>, EncoderError> {
            self.0.lock().unwrap().extend(&patches.rgb);
            Ok(vec![0.0; patches.count()?])
        }
    }

    /// Of another color at every pixel, all of them stained.
    fn speckled(path: &Path, width: u32, height: u32) -> RgbImage {
        let speckle = |x: u32, y: u32| image::Rgb([200, (x * 7 % 120) as u8, (y * 11 % 120) as u8]);
        let picture = RgbImage::from_fn(width, height, speckle);
        picture.save(path).unwrap();
        picture
    }

    fn pixels(picture: &RgbImage, place: &PatchPlace, pad: u8) -> Vec<u8> {
        let rect = place.rect;
        let (left, top) = (rect.x as u32, rect.y as u32);
        let (right, bottom) = (left + rect.width as u32, top + rect.height as u32);
        let at = |x, y| picture.get_pixel_checked(x, y).map_or([pad; 3], |pixel| pixel.0);
        (top..bottom).flat_map(|y| (left..right).flat_map(move |x| at(x, y))).collect()
    }

    #[test]
    fn the_patches_of_the_layout_are_the_pixels_that_training_learns_from() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        let picture = speckled(&path, 250, 130);
        let mut config = TrainConfig::of(Preset::Quick);
        config.model.bag.patch_px = 100;
        let image = LabelledImage {
            path: path.clone(),
            file: "a.png".to_owned(),
            is_positive: true,
            patient: "P".to_owned(),
            split: None,
        };
        let (witness, cancel) = (Witness::default(), CancelToken::default());
        let source =
            Source { encoder: &witness, config: &config, store: None, image: 0, n_copies: 0 };
        let bags = source.bags(&image, &cancel).unwrap();

        let bag = &config.model.bag;
        let layout = BagLayout::of_training(&Slide::open(&path).unwrap(), bag, &cancel).unwrap();
        let patches = layout.patches();
        assert_eq!((layout.size().width, layout.size().height, layout.bags().len()), (3, 2, 1));
        let is_real: Vec<bool> = patches.iter().map(|it| it.used == PatchUse::Seen).collect();
        assert_eq!(is_real, [true, true, true, false, false, false], "a third of a row is left");
        assert_eq!(bags[0].is_real, is_real);
        let shown: Vec<u8> =
            patches.iter().flat_map(|it| pixels(&picture, it, bag.pad_value)).collect();
        assert!(*witness.0.lock().unwrap() == shown, "other pixels are shown than learned from");
    }

    #[test]
    fn patches_of_windows_without_tissue_are_in_no_bag() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("half.png");
        let mut picture = speckled(&path, 640, 320);
        for pixel in picture.enumerate_pixels_mut().filter(|(x, ..)| 320 <= *x) {
            *pixel.2 = image::Rgb([245; 3]);
        }
        picture.save(&path).unwrap();
        let config = TrainConfig::of(Preset::Quick);
        let bag = crate::bag::BagConfig { window_patches: 5, ..config.model.bag };
        let slide = Slide::open(&path).unwrap();
        let layout = BagLayout::of_training(&slide, &bag, &CancelToken::default()).unwrap();
        let patches = layout.patches();
        assert_eq!((patches.len(), layout.bags().len()), (20 * 10, 4));
        let is_seen = |it: &PatchPlace| it.used == PatchUse::Seen;
        assert!(patches.iter().all(|it| is_seen(it) == (it.rect.x < 320.0)));
    }
}
