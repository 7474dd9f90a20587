//! Which files a pre-training learns from: all slides and images under a folder, or what its `labels.csv` lists. Labels and masks are
//! never looked at.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use domain::progress::{CancelToken, Cancelled, Progress};
use domain::scale::Mpp;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use slide::Slide;

use super::config::TileConfig;
use super::places::{Room, room};
use crate::bag::feature_store::key;
use crate::data::Finding;
use crate::data::folder::{LabelledImage, Split, is_image, list};
use crate::train::TrainError;
use crate::train::run_folder::EVENTS;

/// Said of a folder without anything to learn from.
pub(super) const NOTHING_OPENS: &str =
    "expected slides or images to learn from, found none that opens";
/// Folders that hold no slides but what is lesion on them.
const OF_MASKS: [&str; 2] = ["masks", "corrected"];

/// A file that can be opened.
#[derive(Debug)]
pub(super) struct Source {
    /// Its name as the folder says it, `/` between folders.
    pub(super) file: String,
    pub(super) path: PathBuf,
    pub(super) split: Split,
    pub(super) mpp: Option<Mpp>,
    pub(super) room: Room,
    /// Names the content.
    id: String,
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// Sorted by file; those that are only measured are left out.
    pub(super) all: Vec<Source>,
    /// What was left out and why.
    pub(super) findings: Vec<Finding>,
}

impl Sources {
    /// Opens every file of `dir` once, and finds something to learn from.
    ///
    /// # Errors
    /// If nothing can be learned from, or the work was cancelled.
    pub(super) fn of(
        dir: &Path,
        config: &TileConfig,
        seed: u64,
        work: (&dyn Progress, &CancelToken),
    ) -> Result<Self, TrainError> {
        let found = Self::look(dir, config, seed, work)?;
        if found.all.iter().all(|it| it.split != Split::Train) {
            return Err(TrainError::Folder(vec![NOTHING_OPENS.to_owned()]));
        }
        Ok(found)
    }

    /// Opens every file of `dir` once.
    ///
    /// # Errors
    /// If the work was cancelled.
    pub(super) fn look(
        dir: &Path,
        config: &TileConfig,
        seed: u64,
        (progress, cancel): (&dyn Progress, &CancelToken),
    ) -> Result<Self, Cancelled> {
        progress.stage("Opening slides and images");
        let mut found = Self::default();
        let mut ids = BTreeSet::new();
        let files = files(dir, (config.val_share, seed));
        let n_files = files.len() as u64;
        for (done, (file, path, split)) in (0..).zip(files) {
            cancel.check()?;
            progress.report(done, n_files);
            if split == Split::Test {
                continue;
            }
            match Slide::open(&path) {
                Ok(slide) if ids.contains(&slide.id().0) => {
                    found.findings.push(left_out(&file, &"it is a copy of another file"));
                }
                Ok(slide) => {
                    let id = slide.id().0.clone();
                    ids.insert(id.clone());
                    let (mpp, room) = (slide.mpp(), room(&slide, &config.places));
                    found.all.push(Source { file, path, split, mpp, room, id });
                }
                Err(error) => found.findings.push(left_out(&file, &error)),
            }
        }
        Ok(found)
    }

    /// Changes with any file, content or split.
    pub(super) fn fingerprint(&self) -> String {
        let line = |it: &Source| format!("{}\n{}\n{:?}\n", it.file, it.id, it.split);
        key(&[self.all.iter().map(line).collect::<String>().as_bytes()])
    }
}

/// A file that is not learned from.
pub(super) fn left_out(file: &str, why: &dyn Display) -> Finding {
    Finding::note(format!("{file}: {why}"), "it is left out")
}

/// Every file with what it is used for, sorted by name.
fn files(dir: &Path, (val_share, seed): (f64, u64)) -> Vec<(String, PathBuf, Split)> {
    if dir.join("labels.csv").is_file() {
        let images = list(dir).images;
        if images.iter().any(|it| it.split.is_some()) {
            let with_split = |it: LabelledImage| Some((it.file, it.path, it.split?));
            return images.into_iter().filter_map(with_split).collect();
        }
        return split(images.into_iter().map(|it| (it.file, it.path)).collect(), val_share, seed);
    }
    let mut found = Vec::new();
    walk(dir, "", &mut found);
    found.sort();
    split(found, val_share, seed)
}

/// Slides and images under `dir`, whose name from the first folder on is `prefix`.
fn walk(dir: &Path, prefix: &str, found: &mut Vec<(String, PathBuf)>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if name.starts_with('.') {
            continue;
        }
        let file = format!("{prefix}{name}");
        if path.is_dir() {
            // A run that lies among the slides leaves pictures, which are none.
            let is_run = path.join(EVENTS).is_file();
            if !is_run && !OF_MASKS.contains(&name.as_str()) {
                walk(&path, &format!("{file}/"), found);
            }
        } else if is_image(&name) {
            found.push((file, path));
        }
    }
}

/// A seeded share of the files is only looked at, if there are several.
fn split(
    files: Vec<(String, PathBuf)>,
    val_share: f64,
    seed: u64,
) -> Vec<(String, PathBuf, Split)> {
    let n_val = (files.len() as f64 * val_share).round() as usize;
    let n_val = n_val.max(usize::from(0.0 < val_share)).min(files.len().saturating_sub(1));
    let mut order: Vec<usize> = (0..files.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let val: BTreeSet<usize> = order.into_iter().take(n_val).collect();
    let used = |at: usize| if val.contains(&at) { Split::Val } else { Split::Train };
    files.into_iter().enumerate().map(|(at, (file, path))| (file, path, used(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_runs_labels_and_test_images_are_not_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "a/x.png",
            "a/masks/x.png",
            "corrected/x.png",
            "b.svs",
            ".hidden.png",
            "note.txt",
            "run/events.jsonl",
            "run/pictures/0020.png",
        ] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"").unwrap();
        }
        let names = |found: Vec<(String, PathBuf, Split)>| -> Vec<String> {
            found.into_iter().map(|it| it.0).collect()
        };
        assert_eq!(names(files(dir.path(), (0.0, 0))), ["a/x.png", "b.svs"]);
        let table = "file,label,split\na/x.png,1,train\nb.svs,0,test\n";
        std::fs::write(dir.path().join("labels.csv"), table).unwrap();
        let found = files(dir.path(), (0.5, 0));
        assert_eq!([found[0].2, found[1].2], [Split::Train, Split::Test]);
    }

    #[test]
    fn a_share_of_the_files_is_only_looked_at_but_never_all() {
        let files = |n: usize| (0..n).map(|i| (format!("{i}"), PathBuf::new())).collect();
        let n_val = |n: usize, share: f64| {
            split(files(n), share, 1).iter().filter(|it| it.2 == Split::Val).count()
        };
        assert_eq!([n_val(20, 0.1), n_val(2, 0.1), n_val(1, 0.1), n_val(9, 0.0)], [2, 1, 0, 0]);
    }
}
