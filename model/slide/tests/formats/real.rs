//! Where real slides lie, and how their absence is said out loud.

use std::path::{Path, PathBuf};

/// The repository root.
pub(crate) fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A file or folder of the real data beside the checkout, or `None` after saying what is skipped.
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
pub(crate) fn shared(relative: &str) -> Option<PathBuf> {
    let path = repository().join("../shared").join(relative);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: real data `{relative}` is not on this machine");
    None
}
