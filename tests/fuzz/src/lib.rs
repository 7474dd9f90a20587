//! What every fuzz target does with its bytes: write them to files in memory-backed temporary storage, open, read.

#[path = "../../../model/slide/tests/mutations/exercise.rs"]
mod exercise;

use std::path::Path;
use std::sync::{Once, OnceLock};

use tempfile::TempDir;

/// A folder of this process. Point `TMPDIR` at memory: every execution writes its files anew.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| tempfile::tempdir().expect("a temporary folder")).path()
}

/// Reads a slide; what the reader contains is no crash.
fn exercise(path: &Path) {
    static CONTAINED: Once = Once::new();
    CONTAINED.call_once(|| {
        let crash = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if exercise::is_ours(panic) {
                crash(panic);
            }
        }));
    });
    exercise::exercise(path);
}

/// A slide of one file.
pub fn one_file(bytes: &[u8]) {
    let path = folder().join("slide.bin");
    std::fs::write(&path, bytes).expect("a temporary file");
    exercise(&path);
}

/// A slide of a folder: `names` in turn, each with its length before its bytes; what is left goes into the last one.
pub fn several_files(mut bytes: &[u8], names: &[&str]) {
    for name in names {
        let (length, rest) = bytes.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (file, rest) = rest.split_at(length.min(rest.len()));
        let path = folder().join("slide").join(name);
        std::fs::create_dir_all(folder().join("slide")).expect("a temporary folder");
        std::fs::write(path, file).expect("a temporary file");
        bytes = rest;
    }
    let path = folder().join("slide.mrxs");
    std::fs::write(&path, [0xFF, 0xD8]).expect("a temporary file");
    exercise(&path);
}
