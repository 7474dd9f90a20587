//! Fonts: one that comes with the program, and those of the system for characters that it lacks.

use std::path::{Path, PathBuf};

/// For everything that is written in Latin, Greek or Cyrillic letters.
pub(super) const OWN: &[u8] = epaint_default_fonts::UBUNTU_LIGHT;

/// Folders in which systems keep fonts.
const FOLDERS: [&str; 6] = [
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
    "C:\\Windows\\Fonts",
    "/run/current-system/sw/share/X11/fonts",
];

/// In the names of fonts that have many scripts; looked at first.
const BROAD: [&str; 12] = [
    "cjk",
    "fallback",
    "unicode",
    "wqy",
    "msyh",
    "yugoth",
    "malgun",
    "pingfang",
    "hiragino",
    "sourcehan",
    "unifont",
    "arial",
];

/// How deep folders are searched, and how many files are taken.
const DEPTH_MAX: usize = 5;
const FILES_MAX: usize = 2_000;

/// The system's font files, the promising ones first.
pub(super) fn of_system() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        collect(Path::new(folder), DEPTH_MAX, &mut files);
    }
    files.sort_by_key(|path| (rank(path), path.clone()));
    files
}

fn rank(path: &Path) -> usize {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    BROAD.iter().position(|part| name.contains(part)).unwrap_or(BROAD.len())
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if FILES_MAX <= files.len() {
            return;
        }
        if ["ttf", "otf", "ttc", "otc"].contains(&ending.as_str()) {
            files.push(path);
        } else if 0 < depth && path.is_dir() {
            collect(&path, depth - 1, files);
        }
    }
}
