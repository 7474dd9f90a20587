//! The frequency lens on the shipped model and a corner of the demo slide.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests may fail loudly")]

use std::path::Path;

use domain::coords::{LevelRect, PixelSize};
use domain::id::LevelIndex;
use domain::progress::CancelToken;
use model::analysis::{Analysis, AnalysisSettings, analyze};
use model::lens::model_bands::{Heard, ModelBands, look};
use model::registry::ModelEntry;
use slide::Slide;

/// A corner of the demo slide, large enough for several windows.
fn corner(folder: &Path) -> Slide {
    let demo = tests::repository().join("assets/demo/cmu-1-small-region.svs");
    let slide = Slide::open(&demo).unwrap();
    let rect = LevelRect { x: 1000, y: 1400, size: PixelSize { width: 320, height: 288 } };
    let pixels = slide.read_region(LevelIndex(0), rect).unwrap().pixels;
    let path = folder.join("corner.png");
    image::save_buffer(&path, pixels.rgba(), 320, 288, image::ExtendedColorType::Rgba8).unwrap();
    Slide::open(&path).unwrap()
}

/// The shipped model as a folder of its own, with further words in its network's configuration.
fn model_with(folder: &Path, changed: &[(&str, serde_json::Value)]) -> Option<ModelEntry> {
    let shipped = tests::repository().join("assets/models/colorectal-ebhi");
    if !shipped.exists() {
        eprintln!("SKIPPED: no model is shipped");
        return None;
    }
    for file in std::fs::read_dir(shipped).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.join(file.file_name())).unwrap();
    }
    let path = folder.join("config.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (name, value) in changed {
        config["network"][name] = value.clone();
    }
    std::fs::write(&path, config.to_string()).unwrap();
    Some(ModelEntry::open(folder).unwrap())
}

fn run(slide: &Slide, model: &ModelEntry, settings: &AnalysisSettings) -> Analysis {
    analyze(slide, model, settings, &(), &CancelToken::default()).unwrap()
}

fn bands(slide: &Slide, model: &ModelEntry, settings: &AnalysisSettings) -> ModelBands {
    look(slide, model, settings, &(), &CancelToken::default()).unwrap()
}

#[test]
fn the_numbers_of_a_band_taken_out_are_those_of_the_model_run_with_that_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let Some(model) = model_with(folder.path(), &[]) else { return };
    let slide = corner(folder.path());
    let cache = Some(folder.path().join("features"));
    let settings = AnalysisSettings { feature_cache: cache, ..AnalysisSettings::default() };
    let whole = run(&slide, &model, &settings);
    let bands = bands(&slide, &model, &settings);
    assert_eq!(bands.probability, whole.probability);
    assert!(0.5 < whole.probability, "else every map is empty: {}", whole.probability);
    assert_eq!(bands.filters.len(), 1);
    assert!((bands.energies.iter().map(|it| it.share).sum::<f64>() - 1.0).abs() < 1e-9);
    for heard in Heard::ALL {
        let removed = serde_json::to_value(heard.removed()).unwrap();
        let other = tempfile::tempdir().unwrap();
        let changed = model_with(other.path(), &[("freq_without", removed)]).unwrap();
        let expected = run(&slide, &changed, &settings);
        let found = bands.readings.iter().find(|it| it.heard == heard).unwrap();
        assert_eq!(found.probability, expected.probability, "{heard:?}");
        assert_eq!(found.heatmap, expected.heatmap, "{heard:?}");
        assert_ne!(found.probability, whole.probability, "{heard:?}");
    }
}

#[test]
fn bands_are_looked_at_without_the_encoder() {
    let folder = tempfile::tempdir().unwrap();
    let Some(model) = model_with(folder.path(), &[]) else { return };
    let slide = corner(folder.path());
    let cache = folder.path().join("features");
    let settings =
        AnalysisSettings { feature_cache: Some(cache.clone()), ..AnalysisSettings::default() };
    run(&slide, &model, &settings);
    let kept = |path: &Path| {
        let files = std::fs::read_dir(path).unwrap().map(|it| it.unwrap());
        let mut times: Vec<_> =
            files.map(|it| (it.file_name(), it.metadata().unwrap().modified().unwrap())).collect();
        times.sort();
        times
    };
    let before = kept(&cache);
    bands(&slide, &model, &settings);
    assert_eq!(kept(&cache), before, "features computed again would be written again");
}

#[test]
fn a_model_without_a_frequency_branch_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let Some(model) = model_with(folder.path(), &[("freq_band", "off".into())]) else { return };
    let slide = corner(folder.path());
    let settings = AnalysisSettings::default();
    let error = look(&slide, &model, &settings, &(), &CancelToken::default()).unwrap_err();
    assert!(error.to_string().contains("cannot be loaded"), "{error}");
}
