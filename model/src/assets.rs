//! Where the files that ship with the program lie: `encoders/`, `models/`, `demo/`.

use std::path::{Path, PathBuf};

/// Names another assets folder.
pub const ASSETS_VARIABLE: &str = "SLIDELIGHT_ASSETS";

/// The assets folder: the one that [`ASSETS_VARIABLE`] names, else `assets` beside the executable or
/// in a folder above it, else the source tree's. `None` if there is none.
pub fn assets_dir() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(ASSETS_VARIABLE) {
        return Some(PathBuf::from(named)).filter(|it| it.is_dir());
    }
    let executable = std::env::current_exe().ok();
    let source_tree = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../assets"));
    executable
        .as_deref()
        .and_then(above)
        .or_else(|| source_tree.is_dir().then(|| source_tree.to_owned()))
}

/// `assets` in the folder of `file` or the nearest folder above that has one with encoders in it.
fn above(file: &Path) -> Option<PathBuf> {
    file.ancestors().skip(1).map(|it| it.join("assets")).find(|it| it.join("encoders").is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_assets_folder_above_the_executable_is_found() {
        let root = tempfile::tempdir().unwrap();
        let encoders = root.path().join("assets/encoders");
        let program = root.path().join("target/release/slidelight");
        std::fs::create_dir_all(encoders).unwrap();
        std::fs::create_dir_all(root.path().join("target/assets")).unwrap();
        assert_eq!(above(&program), Some(root.path().join("assets")));
    }
}
