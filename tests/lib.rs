//! Shared helpers of the workspace tests: real data and a graphics device, whose absence is said out loud.

use std::path::{Path, PathBuf};

use render::headless::Headless;

/// The repository root.
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// A file or folder of the real data beside the checkout, or `None` after saying what is skipped.
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
pub fn shared(relative: &str) -> Option<PathBuf> {
    let path = repository().join("../shared").join(relative);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: real data `{relative}` is not on this machine");
    None
}

/// A device to draw with, or `None` after saying what is skipped.
///
/// # Panics
/// Where there is none, under `REQUIRE_GPU=1`.
#[expect(clippy::print_stderr, clippy::panic, reason = "a skipped test must say so")]
pub fn headless() -> Option<Headless> {
    match Headless::new() {
        Ok(headless) => Some(headless),
        Err(error) if std::env::var_os("REQUIRE_GPU").is_some_and(|it| it == "1") => {
            panic!("REQUIRE_GPU=1, but {error}")
        }
        Err(error) => {
            eprintln!("SKIPPED: {error}");
            None
        }
    }
}
