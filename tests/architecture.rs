//! Who may depend on whom. A new arrow is a design decision: change this table in its own commit.

use std::process::Command;

/// Crate, and what its `[dependencies]` must never name.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "domain",
        &[
            "candle-core",
            "candle-nn",
            "egui",
            "eframe",
            "wgpu",
            "review",
            "slide",
            "model",
            "render",
            "app",
        ],
    ),
    (
        "openslide",
        &[
            "candle-core",
            "candle-nn",
            "egui",
            "eframe",
            "wgpu",
            "domain",
            "slide",
            "model",
            "render",
        ],
    ),
    (
        "review",
        &["candle-core", "candle-nn", "egui", "eframe", "wgpu", "slide", "model", "render", "app"],
    ),
    ("slide", &["candle-core", "candle-nn", "egui", "eframe", "wgpu", "model", "render", "app"]),
    ("model", &["egui", "eframe", "wgpu", "render", "app"]),
    ("cli", &["egui", "eframe", "wgpu", "render", "app"]),
    ("render", &["candle-core", "candle-nn", "egui", "eframe", "slide", "model", "app"]),
    ("app", &["candle-core", "candle-nn"]),
];

#[test]
fn crates_point_one_way() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for (name, forbidden) in FORBIDDEN {
        let package =
            metadata["packages"].as_array().unwrap().iter().find(|it| it["name"] == *name);
        for dependency in package.unwrap()["dependencies"].as_array().unwrap() {
            let dependency = dependency["name"].as_str().unwrap();
            assert!(!forbidden.contains(&dependency), "`{name}` must not depend on `{dependency}`");
        }
    }
}
