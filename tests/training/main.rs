//! The circle of learning on a tiny synthetic folder: train, find the model, analyze, evaluate.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod broken_folder;
mod calibration;
mod report;
mod stage_1;
mod stage_2;
mod toy;
mod watched;

use model::camseg::CamsegConfig;
use model::train::TrainConfig;

/// The rows of a list in `docs/recipes` and what they share.
fn settings(list: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read(tests::repository().join("docs/recipes").join(list)).unwrap();
    let list: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let rows = list["rows"].as_object().unwrap();
    rows.values().chain([&list["base"]]).cloned().collect()
}

#[test]
fn every_row_of_the_experiment_lists_can_be_read() {
    for mut settings in
        ["mosaics.json", "ebhi.json", "encoders.json"].into_iter().flat_map(settings)
    {
        settings.as_object_mut().unwrap().remove("options"); // Words for the command line.
        let config = TrainConfig::from_json(&settings.to_string());
        assert!(config.is_ok(), "{settings}: {config:?}");
    }
    for mut settings in ["camseg-mosaics.json", "camseg-ebhi.json"].into_iter().flat_map(settings) {
        // These words are for the script that runs the list.
        let fields = settings.as_object_mut().unwrap();
        fields.retain(|name, _| !["heatmap_alone", "true_masks"].contains(&name.as_str()));
        let config = CamsegConfig::from_json(&settings.to_string());
        assert!(config.is_ok(), "{settings}: {config:?}");
    }
}
