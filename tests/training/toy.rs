//! A folder of pictures with a lesion anybody would find, and a model trained on it.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use domain::progress::{CancelToken, PauseToken};
use image::{GrayImage, Luma, Rgb, RgbImage};
use model::analysis::{Analysis, AnalysisSettings, analyze};
use model::device::DeviceChoice;
use model::registry::{ModelEntry, find};
use model::train::{TrainConfig, TrainControl, TrainError, TrainEvent, TrainJob, TrainReport};
use slide::Slide;
use tempfile::TempDir;

/// 3 x 3 patches of 16 px, a network of a few thousand numbers, three epochs.
pub(crate) const TINY: &str = r#"{
    "description": { "name": "tiny", "title": "A toy", "recommended_threshold": 0.3 },
    "model": {
        "bag": { "patch_px": 16, "window_patches": 3, "stride_patches": 2 },
        "encoder": { "input_px": 32 },
        "network": { "dim": 8, "dt_rank": 1, "state": 4, "head_dim": 8, "attention_dim": 8 }
    },
    "epochs": 3,
    "batch": 4,
    "augment": { "color_copies": 1, "crop_min": 0.6, "erase": 0.3, "mixup": 0.3 },
    "cache_features": false
}"#;

pub(crate) const SIDE: u32 = 48;
pub(crate) const N_IMAGES: u32 = 24;

/// Pink tissue with a little texture; a positive image has a dark blue patch in a corner.
pub(crate) fn picture(index: u32) -> (RgbImage, GrayImage) {
    let is_lesion = |x: u32, y: u32| index.is_multiple_of(2) && x < 16 + index % 16 && y < 20;
    let noise =
        |x: u32, y: u32| ((x * 31 + y * 17 + index * 101).wrapping_mul(2_654_435_761) >> 27) as u8;
    let image = RgbImage::from_fn(SIDE, SIDE, |x, y| {
        let n = noise(x / 3, y / 3);
        if is_lesion(x, y) { Rgb([60 + n, 30 + n, 120]) } else { Rgb([200 + n, 120 + n, 170]) }
    });
    let mask = GrayImage::from_fn(SIDE, SIDE, |x, y| Luma([255 * u8::from(is_lesion(x, y))]));
    (image, mask)
}

/// `labels.csv`, `images/` and `masks/`; every third patient validates.
pub(crate) fn labelled_folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut table = String::from("file,label,patient,split\n");
    for folder in ["images", "masks"] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
    }
    for index in 0..N_IMAGES {
        let (image, mask) = picture(index);
        let name = format!("{index:02}.png");
        image.save(dir.path().join("images").join(&name)).unwrap();
        let label = u32::from(index.is_multiple_of(2));
        if label == 1 {
            mask.save(dir.path().join("masks").join(&name)).unwrap();
        }
        let split = if index / 2 % 3 == 2 { "val" } else { "train" };
        table += &format!("{name},{label},P{},{split}\n", index / 2);
    }
    std::fs::write(dir.path().join("labels.csv"), table).unwrap();
    dir
}

pub(crate) fn train(
    folder: &Path,
    run: &Path,
    cancel: &CancelToken,
    on_event: &mut dyn FnMut(&TrainEvent),
) -> Result<TrainReport, TrainError> {
    train_with(folder, run, false, cancel, on_event)
}

pub(crate) fn train_with(
    folder: &Path,
    run_dir: &Path,
    resume: bool,
    cancel: &CancelToken,
    on_event: &mut dyn FnMut(&TrainEvent),
) -> Result<TrainReport, TrainError> {
    let config = (!resume).then(|| TrainConfig::from_json(TINY).unwrap());
    let job =
        TrainJob { folder, run_dir, config, device: DeviceChoice::Cpu, resume, watched: None };
    let control = TrainControl { progress: &(), cancel, pause: &PauseToken::default() };
    model::train::train(&job, on_event, control)
}

/// One training that several tests look at.
pub(crate) struct Trained {
    pub(crate) folder: TempDir,
    pub(crate) run: PathBuf,
    pub(crate) report: TrainReport,
    pub(crate) events: Vec<TrainEvent>,
}

pub(crate) static TRAINED: LazyLock<Trained> = LazyLock::new(|| {
    let folder = labelled_folder();
    let run = folder.path().join("run");
    let mut events = Vec::new();
    let report = train(folder.path(), &run, &CancelToken::default(), &mut |event| {
        events.push(event.clone());
    });
    Trained { report: report.unwrap(), folder, run, events }
});

pub(crate) fn model() -> ModelEntry {
    find(TRAINED.report.model_dir.to_str().unwrap()).unwrap()
}

pub(crate) fn analyze_image(index: u32, settings: &AnalysisSettings) -> Analysis {
    let path = TRAINED.folder.path().join(format!("images/{index:02}.png"));
    let slide = Slide::open(&path).unwrap();
    analyze(&slide, &model(), settings, &(), &CancelToken::default()).unwrap()
}
