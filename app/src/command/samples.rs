//! Small states for tests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use ::model::analysis::TrainingFit;
use ::model::lens::Band;
use ::model::lens::filter_curve::FilterCurve;
use ::model::lens::model_bands::Heard;
use ::model::registry::{Manifest, ModelEntry};
use ::model::wise::places::{PlaceConfig, judge};
use ::review::change::drawn;
use ::review::journal::Standing;
use ::review::{Deed, Edit, Entry, ReviewStatus};
use domain::annotation::{Annotation, AnnotationClass, Shape};
use domain::color::ColorTable;
use domain::contour::Polygon;
use domain::coords::{Downsample, Level0Px, Level0Rect, PixelSize, ScreenPt};
use domain::heatmap::Heatmap;
use domain::mask::{BinaryMask, BinaryThreshold};
use domain::progress::CancelToken;
use domain::scale::Mpp;
use slide::{Channel, Level, Window};

use crate::state::State;
use crate::state::informative::Ranked;
use crate::state::layer::{Layer, LayerKind, Readout};
use crate::state::lens::BandFigures;
use crate::state::overlay::{OverlayState, SlideResult};
use crate::state::review::Keeping;
use crate::state::view::{ColorProfile, SlideFacts, ViewState};

/// 4000 x 2000 px in two levels, 0.5 um a pixel, 20x.
pub(crate) fn facts() -> SlideFacts {
    let level = |width: u32, height: u32, downsample: f64| Level {
        size: PixelSize { width, height },
        downsample: Downsample::new(downsample).unwrap(),
        stored_tile: PixelSize { width: 256, height: 256 },
        is_virtual: false,
    };
    SlideFacts {
        path: PathBuf::from("/slides/sample.svs"),
        format: "aperio",
        size: PixelSize { width: 4000, height: 2000 },
        levels: vec![level(4000, 2000, 1.0), level(1000, 500, 4.0), level(500, 250, 8.0)],
        mpp: Mpp::new(0.5, 0.5),
        objective_power: Some(20.0),
        color_profile: ColorProfile::Missing,
        channels: Arc::default(),
        properties: BTreeMap::from([("openslide.vendor".to_owned(), "aperio".to_owned())]),
        associated: vec!["label".to_owned(), "thumbnail".to_owned()],
    }
}

/// As [`facts`], of channels.
pub(crate) fn facts_of_channels() -> SlideFacts {
    SlideFacts { channels: channels(), ..facts() }
}

/// A profile that swaps red and blue.
pub(crate) fn color_profile() -> ColorProfile {
    let swapped = ColorTable::scanned_colors().map(|[r, g, b]| [b, g, r]);
    ColorProfile::Usable(Arc::new(ColorTable::new(swapped.collect()).unwrap()))
}

/// Two channels of values from 100 to 1100.
pub(crate) fn channels() -> Arc<[Channel]> {
    let channel = |name: &str, color| Channel {
        name: name.to_owned(),
        color,
        window: Window { low: 200.0, high: 900.0 },
        is_shown: true,
        range: Window { low: 100.0, high: 1100.0 },
        histogram: vec![9, 5, 3, 1],
    };
    [channel("DAPI", [0, 80, 255]), channel("CD8", [0, 255, 0])].into()
}

/// The patches of the demo slide.
pub(crate) fn ranked() -> Ranked {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/demo/cmu-1-small-region.svs");
    let slide = slide::Slide::open(std::path::Path::new(path)).unwrap();
    let work: (&dyn domain::progress::Progress, _) = (&(), &CancelToken::default());
    let patches = judge(&slide, &PlaceConfig::default(), work).unwrap();
    Ranked { overlay: Arc::new(patches.overlay().unwrap()), patches: Arc::new(patches) }
}

/// A model that exists only by name.
pub(crate) fn model(name: &str) -> ModelEntry {
    let manifest = serde_json::json!({
        "schema": 1,
        "name": name,
        "title": format!("Model {name}"),
        "architecture": "fmamil",
        "trained_on": "colorectal biopsies, H&E",
        "licence": "CC BY 4.0",
        "recommended_threshold": 0.4,
        "threshold_note": "best Dice on the validation split",
        "mpp": 1.0,
        "encoder": "resnet50, 224 px",
        "weights_sha256": "00",
        "metrics": { "bag_auc": 0.91 },
    });
    let manifest: Manifest = serde_json::from_value(manifest).unwrap();
    ModelEntry { dir: PathBuf::from("/models").join(name), manifest }
}

/// [`result`] with three layers: tissue, a CAM that is ready and shown, and a refined mask that is neither.
pub(crate) fn overlay(is_outside: bool) -> OverlayState {
    let frame = Level0Rect { x: 0.0, y: 0.0, width: 4000.0, height: 2000.0 };
    let layer = |kind, values: Vec<f32>, recommended| {
        let heatmap = Heatmap::new(PixelSize { width: 4, height: 2 }, values, frame).unwrap();
        Layer::new(kind, Arc::new(heatmap), recommended)
    };
    let ramp: Vec<f32> = (0..8_u8).map(|i| f32::from(i) / 7.0).collect();
    let recommended = Some(BinaryThreshold::clamped(0.4));
    let mut cam = layer(LayerKind::Cam, ramp.clone(), recommended);
    cam.readout = Some(Arc::new(Readout {
        otsu: Some(BinaryThreshold::clamped(0.6)),
        ..Readout::of(&cam.heatmap, &tissue())
    }));
    let mut refined = layer(LayerKind::Refined, ramp, None);
    refined.look.is_shown = false;
    let tissue = layer(LayerKind::Tissue, [1.0, 1.0, 0.0, 0.0].repeat(2), None);
    let mut overlay = OverlayState::default();
    overlay.open(Arc::new(result(is_outside)), vec![tissue, cam, refined]);
    overlay
}

/// As [`overlay`] after a look at the bands, with layers for both low and high.
pub(crate) fn overlay_with_bands() -> OverlayState {
    let mut overlay = overlay(false);
    let cam = Arc::clone(&overlay.layers[1].heatmap);
    let kinds = [Band::Low, Band::High].into_iter().flat_map(|band| {
        let heard = [Heard::Without(band), Heard::Only(band)].map(LayerKind::Heard);
        [LayerKind::BandEnergy(band), heard[0], heard[1]]
    });
    let layers = kinds.map(|kind| Layer::new(kind, Arc::clone(&cam), None)).collect();
    let figures = BandFigures {
        probability: 0.83,
        readings: vec![(Heard::Without(Band::Low), 0.41), (Heard::Only(Band::Low), 0.79)],
        shares: vec![(Band::Low, 0.5), (Band::Mid, 0.3), (Band::High, 0.2)],
        filters: vec![FilterCurve {
            frequencies: vec![0.0, 0.5, 1.0],
            mean: vec![0.1, 0.3, 0.2],
            upper: vec![0.2, 0.6, 0.4],
        }],
    };
    overlay.take_bands(figures, layers);
    overlay
}

/// [`state`] with two annotations, squares of 100 px at (0, 0) and (500, 0), that can be changed.
pub(crate) fn reviewed() -> State {
    let mut state = state();
    let square = |x: f64| {
        let corners = [(0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0)];
        let outer = corners.map(|(right, y)| Level0Px { x: x + right, y }).to_vec();
        let shape = Shape::Area(vec![Polygon { outer, holes: Vec::new() }]);
        Edit::add(Annotation {
            score: Some(0.9 - x as f32 / 1000.0),
            ..drawn(shape, AnnotationClass::first_ones().remove(0))
        })
    };
    state.review.keeping = Keeping::On(Standing::Kept);
    let step = Deed::Step(vec![square(0.0), square(500.0)]);
    for did in [Deed::Status(ReviewStatus::InProgress), step] {
        state.review.take(&Entry::now("ada", did)).unwrap();
    }
    state
}

/// The view of a slide with channels.
pub(crate) fn view_of_channels() -> ViewState {
    let mut view = state().view;
    view.open(facts_of_channels());
    view
}

/// Half of the sample slide.
pub(crate) fn tissue() -> BinaryMask {
    let frame = Level0Rect { x: 0.0, y: 0.0, width: 4000.0, height: 2000.0 };
    BinaryMask::new(PixelSize { width: 2, height: 1 }, vec![true, false], frame).unwrap()
}

pub(crate) fn result(is_outside: bool) -> SlideResult {
    SlideResult {
        model_name: "a".to_owned(),
        model_title: "Model a".to_owned(),
        probability: 0.83,
        tissue: tissue(),
        training_fit: TrainingFit {
            outside_share: 0.97,
            is_outside,
            notes: vec!["Coarser than the model's resolution.".to_owned()],
        },
        faithfulness: Some(0.7),
        timings: vec![("Encoding", std::time::Duration::from_millis(1500))],
        provenance: BTreeMap::new(),
    }
}

/// The sample slide on a canvas of 800 x 600, two models listed, no result.
pub(crate) fn state() -> State {
    let mut state = State::default();
    state.view.camera.canvas = ScreenPt { x: 800.0, y: 600.0 };
    state.view.open(facts());
    state.models.set_entries(vec![model("a"), model("b")]);
    state
}
