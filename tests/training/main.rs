//! The circle of learning on a tiny synthetic folder: train, find the model, analyze, evaluate.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod stage_1;
mod stage_2;
mod toy;

use model::train::TrainConfig;

#[test]
fn every_row_of_the_experiment_lists_can_be_read() {
    for list in ["mosaics.json", "ebhi.json"] {
        let text = std::fs::read(tests::repository().join("docs/recipes").join(list)).unwrap();
        let list: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let rows = list["rows"].as_object().unwrap();
        for settings in rows.values().chain([&list["base"]]) {
            let config = TrainConfig::from_json(&settings.to_string());
            assert!(config.is_ok(), "{settings}: {config:?}");
        }
    }
}
