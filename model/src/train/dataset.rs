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
use crate::bag::grid::PatchGrid;
use crate::bag::scale::ModelScale;
use crate::data::folder::{LabelledImage, Split};
use crate::data::jitter::PixelJitter;
use crate::encoder::Encoder;
use crate::fmamil::Grid;
use crate::pipeline::slide_run::windows_side_by_side;
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
        let bag = &self.config.model.bag;
        let (scale, _) = ModelScale::of(slide.mpp(), bag.mpp);
        let grid = PatchGrid::cover(slide.size(), scale, bag);
        let mut windows = windows_side_by_side(&slide, &grid, bag, cancel)?;
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
