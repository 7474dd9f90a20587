//! Who may depend on whom. A new arrow is a design decision: change this table in its own commit.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Crate, and what its `[dependencies]` must never name.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "domain",
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

/// Every Rust file below `folder`.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let below = |path: PathBuf| if path.is_dir() { rust_files(&path) } else { vec![path] };
    entries.flat_map(below).filter(|it| it.extension().is_some_and(|it| it == "rs")).collect()
}

#[test]
fn only_the_matrix_product_lifts_the_ban_on_unsafe_code() {
    let lint = concat!("unsafe", "_code");
    let lifts = |path: &PathBuf| std::fs::read_to_string(path).unwrap().contains(lint);
    let root = tests::repository();
    let files = ["app", "model", "tests"].map(|folder| rust_files(&root.join(folder)));
    let lifting: Vec<PathBuf> = files.into_iter().flatten().filter(lifts).collect();
    assert_eq!(lifting, [root.join("model/src/nn/gemm.rs")]);
}
