//! Stage 2: the refiner that learns from the heatmaps of stage 1.

use std::path::Path;
use std::sync::LazyLock;

use domain::annotation::{AnnotationClass, Shape};
use domain::contour::Polygon;
use domain::coords::{Level0Px, LevelRect};
use domain::heatmap::Heatmap;
use domain::id::LevelIndex;
use domain::progress::{CancelToken, PauseToken};
use image::{GrayImage, Luma, RgbImage};
use model::analysis::{AnalysisSettings, analyze};
use model::camseg::{CamsegConfig, CamsegJob, SideMask, SideScale, train_camseg};
use model::data::corrected::{self, Correction};
use model::device::DeviceChoice;
use model::eval::{EvalSettings, evaluate};
use model::registry::{ModelEntry, find};
use model::train::{StopReason, TrainControl, TrainError, TrainEvent, TrainReport};
use review::change::drawn;
use slide::Slide;

use crate::toy::{SIDE, TRAINED, model, picture};

/// A network of a few thousand numbers for the toy, two epochs of each stage.
fn tiny_refiner(network: &str) -> CamsegConfig {
    CamsegConfig::from_json(&TINY_REFINER.replace("NETWORK", network)).unwrap()
}

const TINY_REFINER: &str = r#"{
    "network": NETWORK,
    "tile_px": 64,
    "batch": 2,
    "epochs": 4,
    "early_epochs": 2,
    "validate_every": 2,
    "is_gated": false,
    "cache_features": false
}"#;

const TINY_UNET: &str = r#"{ "base": 4 }"#;
const TINY_VMAML: &str = r#"{
    "kind": "vmaml", "dim": 4, "depths": [1, 1, 1, 1], "depths_dec": [1, 1, 1, 1], "d_state": 2, "kernel": 3, "kan_ch": 2
}"#;

fn refine(
    run: &str,
    masks: Option<&Path>,
    cancel: &CancelToken,
    on_event: &mut dyn FnMut(&TrainEvent),
) -> Result<TrainReport, TrainError> {
    refine_with(TINY_UNET, run, masks, (cancel, on_event))
}

fn refine_with(
    network: &str,
    run: &str,
    masks: Option<&Path>,
    (cancel, on_event): (&CancelToken, &mut dyn FnMut(&TrainEvent)),
) -> Result<TrainReport, TrainError> {
    let (folder, run) = (TRAINED.folder.path(), TRAINED.folder.path().join(run));
    let job = CamsegJob {
        folder,
        masks,
        model: &model(),
        run_dir: &run,
        config: Some(tiny_refiner(network)),
        device: DeviceChoice::Cpu,
        resume: true,
    };
    let control = TrainControl { progress: &(), cancel, pause: &PauseToken::default() };
    train_camseg(&job, on_event, control)
}

/// A refiner that several tests look at, with its events.
static REFINED: LazyLock<(TrainReport, Vec<TrainEvent>)> = LazyLock::new(|| {
    let mut events = Vec::new();
    let report = refine("refined", None, &CancelToken::default(), &mut |event| {
        events.push(event.clone());
    });
    (report.unwrap(), events)
});

fn refined_model() -> ModelEntry {
    find(REFINED.0.model_dir.to_str().unwrap()).unwrap()
}

fn refined_map(image: &RgbImage) -> Heatmap {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image.png");
    image.save(&path).unwrap();
    let pyramid = dir.path().join("image.refined.tif");
    let settings = AnalysisSettings {
        refine: true,
        refined_pyramid: Some(pyramid.clone()),
        ..AnalysisSettings::default()
    };
    let slide = Slide::open(&path).unwrap();
    let cancel = CancelToken::default();
    let analysis = analyze(&slide, &refined_model(), &settings, &(), &cancel).unwrap();
    assert!(analysis.provenance.contains_key("refiner_sha256"));
    assert!(analysis.side_masks.is_empty(), "a U-Net has one mask");
    let map = analysis.refined.unwrap();
    holds_the_map(&Slide::open(&pyramid).unwrap(), &map);
    map
}

/// Whether the finest level of a pyramid is the map in steps of 1/255.
fn holds_the_map(pyramid: &Slide, map: &Heatmap) {
    let rect = LevelRect { x: 0, y: 0, size: map.size() };
    let region = pyramid.read_region(LevelIndex(0), rect).unwrap();
    for (pixel, value) in region.pixels.rgba().chunks_exact(4).zip(map.values()) {
        assert!((f32::from(pixel[0]) / 255.0 - value).abs() < 0.51 / 255.0);
    }
}

#[test]
fn a_refiner_learns_in_two_stages_and_stands_beside_stage_1() {
    let (report, events) = &*REFINED;
    assert_eq!((report.n_epochs, report.stopped), (4, StopReason::Finished));
    assert!((0.0..=1.0).contains(&report.metrics["val_label_miou"]));
    for file in ["manifest.json", "weights.safetensors", "refiner.json", "refiner.safetensors"] {
        assert!(report.model_dir.join(file).is_file(), "{file} is missing");
    }
    assert_eq!(refined_model().manifest.name, "tiny-refined");
    let consistency: Vec<bool> = events
        .iter()
        .filter_map(|event| match event {
            TrainEvent::SegmentationEpoch { consistency_loss, .. } => Some(0.0 < *consistency_loss),
            _ => None,
        })
        .collect();
    assert_eq!(consistency, [false, false, true, true], "only the late stage holds to the map");
}

#[test]
fn the_refined_map_has_the_images_own_pixels_and_is_measured_like_any_map() {
    let (image, _) = picture(4);
    let size = refined_map(&image).size();
    assert_eq!((size.width, size.height), (SIDE, SIDE));
    let analysis = AnalysisSettings { refine: true, ..AnalysisSettings::default() };
    let settings = EvalSettings { analysis, ..EvalSettings::default() };
    let (folder, masks) = (TRAINED.folder.path(), TRAINED.folder.path().join("masks"));
    let cancel = CancelToken::default();
    let report = evaluate(folder, Some(&masks), &refined_model(), &settings, &(), &cancel).unwrap();
    assert_eq!(report.threshold, 0.5, "the refiner's own");
    assert!(report.segmentation.is_some());
}

#[test]
fn side_masks_are_layers_of_their_own_and_what_they_count_is_said() {
    let cancel = CancelToken::default();
    let mut forget = |_: &TrainEvent| {};
    let report = refine_with(TINY_VMAML, "refined-vmaml", None, (&cancel, &mut forget)).unwrap();
    let weights = SideScale::ALL.map(|scale| report.metrics[&scale.weight_metric()]);
    assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{weights:?}");
    let slide = Slide::open(&TRAINED.folder.path().join("images/00.png")).unwrap();
    let settings = AnalysisSettings { refine: true, ..AnalysisSettings::default() };
    let model = find(report.model_dir.to_str().unwrap()).unwrap();
    let analysis = analyze(&slide, &model, &settings, &(), &cancel).unwrap();
    let refined = analysis.refined.unwrap();
    let scales: Vec<SideScale> = analysis.side_masks.iter().map(|it| it.scale).collect();
    assert_eq!(scales, SideScale::ALL);
    for SideMask { map, weight, .. } in &analysis.side_masks {
        assert_eq!((map.size(), map.frame()), (refined.size(), refined.frame()));
        assert!(map.values() != refined.values() && (0.1..0.8).contains(weight));
    }
    let said = &analysis.provenance["refiner_scale_weights"];
    let quarter = format!("1/4 {:.3}", analysis.side_masks[2].weight);
    assert!(said.starts_with("1/16 0.") && said.ends_with(&quarter), "{said}");
}

#[test]
fn a_model_without_a_refiner_says_so() {
    let settings = AnalysisSettings { refine: true, ..AnalysisSettings::default() };
    let slide = Slide::open(&TRAINED.folder.path().join("images/00.png")).unwrap();
    let error = analyze(&slide, &model(), &settings, &(), &CancelToken::default()).unwrap_err();
    assert!(error.to_string().contains("no refiner"), "{error}");
}

#[test]
fn corrected_masks_take_the_place_of_heatmaps() {
    let masks = TRAINED.folder.path().join("masks");
    let cancel = CancelToken::default();
    let corrected = refine("refined-by-masks", Some(&masks), &cancel, &mut |_| {}).unwrap();
    assert_ne!(corrected.metrics, REFINED.0.metrics);
}

#[test]
fn an_outline_sent_from_a_review_teaches_what_the_same_mask_as_a_picture_does() {
    let (folder, pictures) = (TRAINED.folder.path(), tempfile::tempdir().unwrap());
    let is_lesion = |x: u32, y: u32| (4..24).contains(&x) && (6..30).contains(&y);
    let mask = GrayImage::from_fn(SIDE, SIDE, |x, y| Luma([255 * u8::from(is_lesion(x, y))]));
    mask.save(pictures.path().join("00.png")).unwrap();
    let corners = [(4.0, 6.0), (24.0, 6.0), (24.0, 30.0), (4.0, 30.0)];
    let outer = corners.map(|(x, y)| Level0Px { x, y }).to_vec();
    let outline = Shape::Area(vec![Polygon { outer, holes: Vec::new() }]);
    let class = AnnotationClass { name: "Lesion".to_owned(), color: [0; 3] };
    let path = folder.join("images/00.png");
    let slide = Slide::open(&path).unwrap();
    let lesions = corrected::lesions(&[drawn(outline, class)], "Lesion").unwrap();
    let correction = Correction { path: &path, slide: &slide, lesions: &lesions, patient: None };
    let cancel = CancelToken::default();
    let sent = corrected::send(folder, &correction, (&(), &cancel)).unwrap();
    assert!(!sent.is_new);
    let learned =
        |report: &TrainReport| std::fs::read(report.model_dir.join("refiner.safetensors")).unwrap();
    let by =
        |run: &str, masks: &Path| learned(&refine(run, Some(masks), &cancel, &mut |_| {}).unwrap());
    let by_outline = by("refined-by-outline", &corrected::folder_in(folder));
    assert!(by_outline == by("refined-by-picture", pictures.path()));
    assert!(by_outline != learned(&REFINED.0));
}

#[test]
fn a_cancelled_refiner_says_so_and_leaves_no_model() {
    let cancel = CancelToken::default();
    let mut events = Vec::new();
    let result = refine("refining-cancelled", None, &cancel, &mut |event| {
        events.push(event.clone());
        cancel.cancel();
    });
    assert!(matches!(result, Err(TrainError::Cancelled(_))));
    assert_eq!(events.last(), Some(&TrainEvent::Stopped { reason: StopReason::Cancelled }));
    assert!(!TRAINED.folder.path().join("refining-cancelled/model").exists());
}

#[test]
fn a_refiner_stopped_in_any_epoch_ends_as_if_it_had_not_been() {
    let run = TRAINED.folder.path().join("refining-broken-off");
    let mut n_stops = 0;
    let report = loop {
        let cancel = CancelToken::default();
        let mut n_epochs = 0;
        let result = refine("refining-broken-off", None, &cancel, &mut |event| match event {
            TrainEvent::Checkpoint { .. } => n_epochs += 1,
            TrainEvent::Step { .. } if n_epochs == 1 => cancel.cancel(),
            _ => {}
        });
        match result {
            Err(TrainError::Cancelled(_)) => n_stops += 1,
            result => break result.unwrap(),
        }
    };
    assert_eq!(n_stops, 3, "once in every epoch but the first");
    assert_eq!(report.metrics, REFINED.0.metrics);
    let read =
        |report: &TrainReport, file: &str| std::fs::read(report.model_dir.join(file)).unwrap();
    for file in ["refiner.json", "refiner.safetensors", "manifest.json"] {
        assert_eq!(read(&report, file), read(&REFINED.0, file), "{file}");
    }
    assert!(!run.join("state.safetensors").exists(), "a finished run needs no state");
}

#[test]
fn a_run_goes_on_with_its_own_masks_only() {
    let cancel = CancelToken::default();
    let stopped = refine("refining-other-masks", None, &cancel, &mut |event| {
        if matches!(event, TrainEvent::Checkpoint { .. }) {
            cancel.cancel();
        }
    });
    assert!(matches!(stopped, Err(TrainError::Cancelled(_))));
    let masks = TRAINED.folder.path().join("masks");
    let cancel = CancelToken::default();
    let error = refine("refining-other-masks", Some(&masks), &cancel, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("have changed since the run began"), "{error}");
}

#[test]
fn a_region_is_refined_alone_as_in_the_whole() {
    const WIDTH: u32 = 1200;
    const HEIGHT: u32 = 640;
    let (tile, _) = picture(2);
    let pixel = |x: u32, y: u32| *tile.get_pixel((x + y / 7) % SIDE, (y + x / 11) % SIDE);
    let whole = refined_map(&RgbImage::from_fn(WIDTH, HEIGHT, pixel));
    // The region crosses two seams of the whole; what lies near its own edge has other neighbours there.
    let (left, top, side, margin) = (256, 64, 512, 112);
    let alone = refined_map(&RgbImage::from_fn(side, side, |x, y| pixel(left + x, top + y)));
    let mut largest = 0.0f32;
    for y in margin..side - margin {
        for x in margin..side - margin {
            let in_whole = whole.values()[((top + y) * WIDTH + left + x) as usize];
            largest = largest.max((alone.values()[(y * side + x) as usize] - in_whole).abs());
        }
    }
    assert!(largest < 0.02, "{largest}");
}
