//! Candle's ops whose gradients are wrong, missing or not finite stay out of the model's code: `model::nn` has its own.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::path::{Path, PathBuf};

/// What must not be written, and why.
const FORBIDDEN: &[(&str, &str)] = &[
    (".max_pool2d", "its gradient is too small by the window's area: `nn::max_pool`"),
    (".avg_pool2d", "its gradient is wrong on odd sizes"),
    (".upsample_nearest", "it may overwrite another gradient, or has none"),
    (".interpolate2d", "it has no gradient: `nn::interpolate`"),
    (".upsample_bilinear", "it has no gradient: `nn::interpolate`"),
    (".conv_transpose1d", "it has no gradient"),
    (".conv1d(", "its kernel gradient is wrong from two images on: `nn::causal_conv`"),
    ("candle_nn::LayerNorm", "its gradient is silently missing: `nn::layer_norm`"),
    ("candle_nn::layer_norm", "its gradient is silently missing: `nn::layer_norm`"),
    ("candle_nn::RmsNorm", "its gradient is silently missing"),
    ("candle_nn::rms_norm", "its gradient is silently missing"),
    ("ops::layer_norm", "its gradient is silently missing: `nn::layer_norm`"),
    ("ops::rms_norm", "its gradient is silently missing"),
    ("softmax_last_dim", "its gradient is silently missing: `candle_nn::ops::softmax`"),
    ("rotary_emb", "its gradient is silently missing"),
    ("ops::sdpa", "its gradient is silently missing"),
    (".scatter(", "its gradient is wrong"),
    (".scatter_set(", "its gradient is wrong"),
    (".scatter_add(", "its gradient fails for a source narrower than its target"),
    ("binary_cross_entropy_with_logit", "it is not finite at large logits: `loss::camseg`"),
];

/// The ops that a source uses outside its tests and comments.
fn uses(source: &str) -> Vec<&'static str> {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let code: String = code.lines().filter(is_code).collect::<Vec<_>>().join("\n");
    FORBIDDEN.iter().map(|(op, _)| *op).filter(|op| code.contains(op)).collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|it| it.is_dir());
    let is_source = |path: &PathBuf| {
        path.extension().is_some_and(|it| it == "rs") && !path.ends_with("tests.rs")
    };
    let below = folders.iter().flat_map(|it| sources(it));
    files.into_iter().filter(is_source).chain(below).collect()
}

#[test]
fn no_op_with_a_wrong_gradient_is_used() {
    let files = sources(&tests::repository().join("model/src"));
    assert!(50 < files.len(), "the sources were not found");
    for file in files {
        let found = uses(&std::fs::read_to_string(&file).unwrap());
        let reasons: Vec<_> = FORBIDDEN.iter().filter(|(op, _)| found.contains(op)).collect();
        assert!(reasons.is_empty(), "{}: {reasons:?}", file.display());
    }
}

#[test]
fn a_forbidden_op_is_found_in_code_and_not_in_tests_or_comments() {
    let code = "fn f() { x.max_pool2d(2) }";
    assert_eq!(uses(code), [".max_pool2d"]);
    assert!(uses(&format!("// {code}")).is_empty());
    assert!(uses(&format!("#[cfg(test)]\nmod tests {{\n{code}\n}}")).is_empty());
}
