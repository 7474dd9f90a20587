//! Looks at a labelled folder as a whole before hours are spent on it: everything wrong is said at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use domain::progress::{CancelToken, Cancelled, Progress};
use sha2::{Digest as _, Sha256};
use slide::Slide;

use super::folder::{LabelledImage, Listing, Split, list};
use super::split;
use crate::bag::BagConfig;
use crate::bag::feature_store::hex;
use crate::bag::scale::ModelScale;

/// A folder that can be learned from.
#[derive(Clone, Debug)]
pub struct CheckedFolder {
    /// The images, sorted by file.
    pub images: Vec<LabelledImage>,
    /// What each is used for.
    pub splits: Vec<Split>,
    /// What the user should know, one sentence each.
    pub warnings: Vec<String>,
    /// Changes with any image, label, patient or split.
    pub(crate) fingerprint: String,
}

/// Why a folder cannot be learned from.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The user stopped the check.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Everything that is wrong, one line each.
    #[error("the labelled folder cannot be used: {}", .0.join("; "))]
    Problems(Vec<String>),
}

/// What was found so far.
#[derive(Debug, Default)]
struct Findings {
    problems: Vec<String>,
    warnings: Vec<String>,
    /// Indices of images by their content.
    by_content: BTreeMap<String, Vec<usize>>,
    /// Images without a resolution.
    uncalibrated: Vec<usize>,
}

/// Opens every image of `dir` and checks files, labels, patients and splits; without splits of its own the folder is
/// split by patient and `seed`.
///
/// # Errors
/// Everything that is wrong, or that the check was cancelled.
pub fn check(
    dir: &Path,
    bag: &BagConfig,
    seed: u64,
    (progress, cancel): (&dyn Progress, &CancelToken),
) -> Result<CheckedFolder, FolderError> {
    progress.stage("Checking the labelled folder");
    let Listing { images, problems } = list(dir);
    let splits = split::assign(&images, seed);
    let mut findings = Findings { problems, ..Findings::default() };
    if findings.problems.is_empty() {
        findings.problems.append(&mut split::problems(&images, &splits));
    }
    for (i, image) in images.iter().enumerate() {
        cancel.check()?;
        progress.report(i as u64, images.len() as u64);
        findings.look(i, image, bag);
    }
    findings.compare(&images, &splits);
    findings.patients(&images, &splits);
    findings.calibration(&images, bag);
    let Findings { problems, warnings, by_content, .. } = findings;
    if !problems.is_empty() {
        return Err(FolderError::Problems(problems));
    }
    let fingerprint = fingerprint(&images, &splits, &by_content);
    Ok(CheckedFolder { images, splits, warnings, fingerprint })
}

impl Findings {
    /// Opens one image.
    fn look(&mut self, index: usize, image: &LabelledImage, bag: &BagConfig) {
        let slide = match Slide::open(&image.path) {
            Ok(slide) => slide,
            Err(error) => {
                self.problems.push(format!("{}: {error}", image.file));
                return;
            }
        };
        self.by_content.entry(slide.id().0.clone()).or_default().push(index);
        if slide.mpp().is_none() {
            self.uncalibrated.push(index);
        }
        let (scale, _) = ModelScale::of(slide.mpp(), bag.mpp);
        let side = f64::from(bag.patch_px);
        let (width, height) = (side * scale.x, side * scale.y);
        let size = slide.size();
        // A thousandth of a pixel less is rounding.
        if f64::from(size.width) + 1e-3 < width || f64::from(size.height) + 1e-3 < height {
            self.problems.push(format!(
                "{}: expected at least one patch of {width:.0} x {height:.0} px, found {} x {} px",
                image.file, size.width, size.height
            ));
        }
    }

    /// The same image twice.
    fn compare(&mut self, images: &[LabelledImage], splits: &[Split]) {
        for copies in self.by_content.values().filter(|copies| 1 < copies.len()) {
            let names: Vec<&str> = copies.iter().map(|i| images[*i].file.as_str()).collect();
            let names = names.join(", ");
            let differ = |same: &dyn Fn(usize) -> bool| copies.iter().any(|i| !same(*i));
            let first = copies[0];
            if differ(&|i| images[i].is_positive == images[first].is_positive) {
                self.problems.push(format!("{names}: the same image with different labels"));
            } else if differ(&|i| splits[i] == splits[first]) {
                self.problems.push(format!("{names}: the same image in more than one split"));
            } else {
                self.warnings.push(format!("{names}: the same image; it counts as often."));
            }
        }
    }

    /// Patients whose ids may be one.
    fn patients(&mut self, images: &[LabelledImage], splits: &[Split]) {
        let mut spellings: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        let mut used: BTreeMap<String, BTreeSet<Split>> = BTreeMap::new();
        for (image, split) in images.iter().zip(splits) {
            let id = image.patient.to_lowercase();
            spellings.entry(id.clone()).or_default().insert(&image.patient);
            used.entry(id).or_default().insert(*split);
        }
        for (id, spellings) in spellings.iter().filter(|(_, it)| 1 < it.len()) {
            if used.get(id).is_some_and(|splits| 1 < splits.len()) {
                let spellings: Vec<&str> = spellings.iter().copied().collect();
                self.warnings.push(format!(
                    "The patient ids {} differ only in letter case and are in more than one split: if they are one \
                     patient, figures lean upwards.",
                    spellings.join(" and ")
                ));
            }
        }
    }

    /// Images that do not say their resolution.
    fn calibration(&mut self, images: &[LabelledImage], bag: &BagConfig) {
        let Some(first) = self.uncalibrated.first() else { return };
        let which = if self.uncalibrated.len() == images.len() {
            "No image says".to_owned()
        } else {
            let (n, all) = (self.uncalibrated.len(), images.len());
            format!("{n} of {all} images ({} first) do not say", images[*first].file)
        };
        let mpp = bag.mpp;
        self.warnings
            .push(format!("{which} its resolution: its pixels are taken as {mpp:.3} µm each."));
    }
}

fn fingerprint(
    images: &[LabelledImage],
    splits: &[Split],
    by_content: &BTreeMap<String, Vec<usize>>,
) -> String {
    let mut hash = Sha256::new();
    for (image, split) in images.iter().zip(splits) {
        let LabelledImage { file, is_positive, patient, .. } = image;
        hash.update(format!("{file}\n{is_positive}\n{patient}\n{split:?}\n"));
    }
    for (content, indices) in by_content {
        hash.update(format!("{content} {indices:?}\n"));
    }
    hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::TrainConfig;

    fn png(path: &Path, side: u32, value: u8) {
        let size = domain::coords::PixelSize { width: side, height: side };
        let pixels = domain::pixels::Pixels::filled(size, [value, value, value, 255]);
        std::fs::write(path, slide::export::encode_png(&pixels).unwrap()).unwrap();
    }

    fn folder(table: &str, files: &[(&str, u32, u8)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, side, value) in files {
            png(&dir.path().join(name), *side, *value);
        }
        std::fs::write(dir.path().join("labels.csv"), table).unwrap();
        dir
    }

    fn checked(dir: &tempfile::TempDir) -> Result<CheckedFolder, Vec<String>> {
        let bag = TrainConfig::shipped().model.bag;
        match check(dir.path(), &bag, 0, (&(), &CancelToken::default())) {
            Ok(folder) => Ok(folder),
            Err(FolderError::Problems(problems)) => Err(problems),
            Err(error) => unreachable!("{error}"),
        }
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let table = "file,label,patient,split\na.png,1,P1,train\nb.png,0,P1,val\nc.png,0,P2,train\n\
                     d.png,1,P3,val\ngone.png,1,P4,val\nsmall.png,1,P5,val\nbroken.png,0,P6,val\n\
                     e.png,maybe,P7,val\n";
        let files = [
            ("a.png", 64, 10),
            ("b.png", 64, 20),
            ("c.png", 64, 30),
            ("d.png", 64, 30),
            ("e.png", 64, 40),
            ("small.png", 8, 50),
        ];
        let dir = folder(table, &files);
        std::fs::write(dir.path().join("broken.png"), b"no picture").unwrap();
        let problems = checked(&dir).unwrap_err();
        for expected in [
            "line 6: there is no image gone.png",
            "line 9: label must be",
            "patient P1 is in more than one split",
            "small.png: expected at least one patch of 32 x 32 px, found 8 x 8 px",
            "broken.png: ",
            "c.png, d.png: the same image with different labels",
        ] {
            assert!(problems.iter().any(|it| it.contains(expected)), "{expected}: {problems:?}");
        }
        assert_eq!(problems.len(), 6, "{problems:?}");
    }

    #[test]
    fn spellings_copies_and_missing_resolutions_are_warned_of() {
        let table = "file,label,patient,split\na.png,1,GTxc,train\nb.png,0,B,train\nc.png,0,GTXC,val\n\
                     d.png,1,D,val\ne.png,1,D,val\n";
        let files = [
            ("a.png", 64, 1),
            ("b.png", 64, 2),
            ("c.png", 64, 3),
            ("d.png", 64, 4),
            ("e.png", 64, 4),
        ];
        let folder = checked(&folder(table, &files)).unwrap();
        assert_eq!(folder.warnings.len(), 3, "{:?}", folder.warnings);
        assert!(folder.warnings[0].starts_with("d.png, e.png: the same image;"));
        assert!(folder.warnings[1].contains("ids GTXC and GTxc differ only in letter case"));
        assert!(folder.warnings[2].starts_with("No image says its resolution"));
    }

    #[test]
    fn the_fingerprint_follows_content_label_and_split() {
        let table = "file,label,split\na.png,1,train\nb.png,0,train\nc.png,0,val\nd.png,1,val\n";
        let files = [("a.png", 64, 1), ("b.png", 64, 2), ("c.png", 64, 3), ("d.png", 64, 4)];
        let of = |table: &str, files: &[(&str, u32, u8)]| {
            checked(&folder(table, files)).unwrap().fingerprint
        };
        let first = of(table, &files);
        assert_eq!(first, of(table, &files));
        assert_ne!(
            first,
            of(
                &table.replace("d.png,1,val", "d.png,1,train\ne.png,1,val"),
                &[files[0], files[1], files[2], files[3], ("e.png", 64, 9),]
            )
        );
        assert_ne!(first, of(table, &[files[0], files[1], files[2], ("d.png", 64, 9)]));
    }
}
