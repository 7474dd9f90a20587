//! Looks at a labelled folder as a whole before hours are spent on it: everything wrong is said at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use domain::progress::{CancelToken, Cancelled, Progress};
use sha2::{Digest as _, Sha256};

use super::corrected;
use super::finding::{Finding, Findings, Remedy};
use super::folder::{FolderUse, LabelledImage, Listing, Split, list};
use super::look::{Seen, look};
use super::split;
use crate::bag::BagConfig;
use crate::bag::feature_store::hex;

/// Relative difference of two resolutions that is not worth a word.
const SAME_RESOLUTION: f64 = 0.05;
/// Share of the rarer label below which accuracy says little.
const RARE: f64 = 0.2;
/// Validation images of a label below which figures are rough.
const FEW: usize = 10;

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

impl CheckedFolder {
    /// What each file is used for.
    pub(crate) fn split_by_file(&self) -> BTreeMap<&str, Split> {
        let files = self.images.iter().map(|it| it.file.as_str());
        files.zip(self.splits.iter().copied()).collect()
    }
}

/// Everything that a check found, and what could be learned from.
#[derive(Clone, Debug)]
pub struct FolderSurvey {
    /// What was found, the gravest first.
    pub findings: Vec<Finding>,
    /// The images that can be used, sorted by file.
    pub images: Vec<LabelledImage>,
    /// What each is used for.
    pub splits: Vec<Split>,
    /// How many of the images have a corrected mask.
    pub n_corrected: usize,
    /// Changes with any image, label, patient or split.
    pub fingerprint: String,
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

/// Opens every image of `dir` and checks files, labels, patients and splits; without splits of its own the folder is
/// split by patient and `seed`.
///
/// # Errors
/// Everything that is wrong, unless it can be left out and `how` says so; or that the check was cancelled.
pub fn check(
    dir: &Path,
    bag: &BagConfig,
    how: &FolderUse,
    seed: u64,
    work: (&dyn Progress, &CancelToken),
) -> Result<CheckedFolder, FolderError> {
    survey(dir, bag, how, seed, work)?.checked(how.leave_out)
}

/// As [`check`], with every finding and what is done about it.
///
/// # Errors
/// If the survey was cancelled.
pub fn survey(
    dir: &Path,
    bag: &BagConfig,
    how: &FolderUse,
    seed: u64,
    (progress, cancel): (&dyn Progress, &CancelToken),
) -> Result<FolderSurvey, Cancelled> {
    progress.stage("Checking the labelled folder");
    let Listing { images, mut findings, names_patients } = list(dir);
    let n_found = images.len();
    let mut opened = Vec::new();
    for (i, image) in images.into_iter().enumerate() {
        cancel.check()?;
        progress.report(i as u64, n_found as u64);
        match look(&image, bag, cancel)? {
            Ok(seen) => opened.push(Opened { index: i, image, seen }),
            Err(finding) => findings.all.push(finding),
        }
    }
    for it in &mut opened {
        if let Some(problem) = it.seen.problem.take() {
            findings.all.push(problem);
            findings.left_out.insert(it.index);
        }
    }
    labels_of_copies(&opened, &mut findings);
    opened.retain(|it| !findings.left_out.contains(&it.index));
    let mut images: Vec<_> = opened.iter().map(|it| it.image.clone()).collect();
    let mut splits = split::assign(&images, how.val_share, seed);
    splits_of_copies(&opened, &splits, &mut findings);
    let is_kept: Vec<bool> =
        opened.iter().map(|it| !findings.left_out.contains(&it.index)).collect();
    keep(&mut images, &is_kept);
    keep(&mut splits, &is_kept);
    keep(&mut opened, &is_kept);
    patients(&images, &splits, names_patients, &mut findings);
    resolutions(&opened, bag, &mut findings);
    balance(&images, &splits, &mut findings);
    let mut findings = findings.all;
    findings.sort_by_key(|finding| finding.remedy);
    let fingerprint = fingerprint(&opened, &splits);
    let n_corrected = corrected::count(dir, &images);
    Ok(FolderSurvey { findings, images, splits, n_corrected, fingerprint })
}

impl CheckedFolder {
    /// Images of a split and label.
    pub fn count(&self, split: Split, is_positive: bool) -> usize {
        count(&self.images, &self.splits, split, is_positive)
    }

    /// The images of a split.
    pub(crate) fn images_of(&self, split: Split) -> Vec<&LabelledImage> {
        let rows = self.images.iter().zip(&self.splits);
        rows.filter(|(_, it)| **it == split).map(|(image, _)| image).collect()
    }
}

impl FolderSurvey {
    /// Whether a training can begin, if need be without what cannot be used.
    pub fn can_train(&self, leave_out: bool) -> bool {
        let most = if leave_out { Remedy::Mend } else { Remedy::LeaveOut };
        self.findings.iter().all(|finding| most < finding.remedy)
    }

    /// Whether something would have to be left out.
    pub fn asks_for_consent(&self) -> bool {
        self.findings.iter().any(|finding| finding.remedy == Remedy::LeaveOut)
    }

    /// Images of a split and label.
    pub fn count(&self, split: Split, is_positive: bool) -> usize {
        count(&self.images, &self.splits, split, is_positive)
    }

    /// The folder as a training takes it.
    fn checked(self, leave_out: bool) -> Result<CheckedFolder, FolderError> {
        if !self.can_train(leave_out) {
            let stops = |finding: &&Finding| finding.remedy != Remedy::Note;
            let problems = self.findings.iter().filter(stops).map(|it| it.what.clone());
            return Err(FolderError::Problems(problems.collect()));
        }
        let warnings = self.findings.iter().map(Finding::sentence).collect();
        let Self { images, splits, fingerprint, .. } = self;
        Ok(CheckedFolder { images, splits, warnings, fingerprint })
    }
}

/// An image that could be opened, and its place in the listing.
struct Opened {
    index: usize,
    image: LabelledImage,
    seen: Seen,
}

/// Drops what is not kept.
fn keep<T>(all: &mut Vec<T>, is_kept: &[bool]) {
    let mut is_kept = is_kept.iter();
    all.retain(|_| is_kept.next().is_some_and(|it| *it));
}

fn count(images: &[LabelledImage], splits: &[Split], split: Split, is_positive: bool) -> usize {
    let is_meant =
        |(image, it): &(&LabelledImage, &Split)| **it == split && image.is_positive == is_positive;
    images.iter().zip(splits).filter(is_meant).count()
}

/// Indices into `opened` of the images of each content.
fn by_content(opened: &[Opened]) -> BTreeMap<&str, Vec<usize>> {
    let mut by_content: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, it) in opened.iter().enumerate() {
        by_content.entry(&it.seen.content).or_default().push(i);
    }
    by_content
}

/// Indices into `opened` of images with the same content, where there are several.
fn copies(opened: &[Opened]) -> Vec<Vec<usize>> {
    by_content(opened).into_values().filter(|copies| 1 < copies.len()).collect()
}

fn names(opened: &[Opened], copies: &[usize]) -> String {
    let names: BTreeSet<&str> = copies.iter().map(|i| opened[*i].image.file.as_str()).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// The same image under two labels teaches nothing.
fn labels_of_copies(opened: &[Opened], findings: &mut Findings) {
    for copies in copies(opened) {
        let first = opened[copies[0]].image.is_positive;
        if copies.iter().any(|i| opened[*i].image.is_positive != first) {
            let what = format!("{}: the same image with different labels", names(opened, &copies));
            let indices = copies.iter().map(|i| opened[*i].index);
            findings.leave_out(what, "none of them is used", indices);
        }
    }
}

/// The same image in two splits makes figures lean upwards.
fn splits_of_copies(opened: &[Opened], splits: &[Split], findings: &mut Findings) {
    for copies in copies(opened) {
        let names = names(opened, &copies);
        let first = copies.iter().map(|i| splits[*i]).min();
        let mut elsewhere = copies.iter().filter(|i| Some(splits[**i]) != first).peekable();
        if elsewhere.peek().is_some() {
            let indices = elsewhere.map(|i| opened[*i].index);
            let done =
                "only the copies of the first split are used, of train before val before test";
            findings.leave_out(
                format!("{names}: the same image in more than one split"),
                done,
                indices.collect::<Vec<_>>(),
            );
        } else {
            findings.note(format!("{names}: the same image"), "it counts as often");
        }
    }
}

/// Patients whose ids may be one, and folders that name none.
fn patients(
    images: &[LabelledImage],
    splits: &[Split],
    names_patients: bool,
    findings: &mut Findings,
) {
    if !names_patients && !images.is_empty() {
        let done = "each counts as a patient of its own; with several images of a patient, figures lean upwards";
        findings.note("The folder does not say which patient an image is of", done);
    }
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
            let what = format!(
                "The patient ids {} differ only in letter case and are in more than one split",
                spellings.join(" and ")
            );
            findings.note(what, "if they are one patient, figures lean upwards");
        }
    }
}

/// Images that do not say their resolution, and resolutions that differ.
fn resolutions(opened: &[Opened], bag: &BagConfig, findings: &mut Findings) {
    let mpp = bag.mpp;
    let unknown: Vec<&Opened> = opened.iter().filter(|it| it.seen.mpp.is_none()).collect();
    if let Some(first) = unknown.first() {
        let which = if unknown.len() == opened.len() {
            "No image says".to_owned()
        } else {
            let (n, all) = (unknown.len(), opened.len());
            format!("{n} of {all} images ({} first) do not say", first.image.file)
        };
        let done = format!("its pixels are taken as {mpp:.3} µm each");
        findings.note(format!("{which} its resolution"), done);
    }
    let known = opened.iter().filter_map(|it| it.seen.mpp).map(|mpp| mpp.mean());
    let (least, most) =
        known.fold((f64::INFINITY, 0.0_f64), |(a, b), mpp| (a.min(mpp), b.max(mpp)));
    if 0.0 < most && least * (1.0 + SAME_RESOLUTION) < most {
        let what = format!("Resolutions differ, from {least:.3} to {most:.3} µm/px");
        findings.note(what, format!("every image is resampled to {mpp:.3} µm/px"));
    }
}

/// Labels that are missing or rare.
fn balance(images: &[LabelledImage], splits: &[Split], findings: &mut Findings) {
    let is_mended_first = findings.all.iter().any(|finding| finding.remedy == Remedy::Mend);
    if is_mended_first {
        return;
    }
    if images.is_empty() {
        findings.mend("no image can be used");
        return;
    }
    let problems = split::problems(images, splits);
    let is_less = !findings.left_out.is_empty();
    for problem in &problems {
        let without = if is_less { "without what is left out, " } else { "" };
        findings.mend(format!("{without}{problem}"));
    }
    if !problems.is_empty() {
        return;
    }
    let n_positive = images.iter().filter(|it| it.is_positive).count();
    let rarer = n_positive.min(images.len() - n_positive);
    if (rarer as f64) < RARE * images.len() as f64 {
        let name = if rarer == n_positive { "positive" } else { "negative" };
        let what = format!("Only {rarer} of {} images are {name}", images.len());
        findings.note(what, "read the AUC rather than the accuracy");
    }
    let [positive, negative] = [true, false].map(|it| count(images, splits, Split::Val, it));
    if positive.min(negative) < FEW {
        let what = format!("Only {positive} positive and {negative} negative images validate");
        findings.note(what, "figures are rough, and other images may give others");
    }
}

fn fingerprint(opened: &[Opened], splits: &[Split]) -> String {
    let mut hash = Sha256::new();
    for (Opened { image, .. }, split) in opened.iter().zip(splits) {
        let LabelledImage { file, is_positive, patient, .. } = image;
        hash.update(format!("{file}\n{is_positive}\n{patient}\n{split:?}\n"));
    }
    for (content, indices) in by_content(opened) {
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
        match check(dir.path(), &bag, &FolderUse::default(), 0, (&(), &CancelToken::default())) {
            Ok(folder) => Ok(folder),
            Err(FolderError::Problems(problems)) => Err(problems),
            Err(error) => unreachable!("{error}"),
        }
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let table = "file,label,patient,split\na.png,1,P1,train\nb.png,0,P1,val\nc.png,0,P2,train\n\
                     d.png,1,P3,val\ngone.png,1,P4,val\nsmall.png,1,P5,val\nbroken.png,0,P6,val\n\
                     e.png,maybe,P7,val\nf.png,0,P8,train\ng.png,0,P9,val\nh.png,1,P10,val\n";
        let files = [
            ("f.png", 64, 60),
            ("g.png", 64, 70),
            ("h.png", 64, 80),
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
        for expected in [
            "d.png, e.png: the same image: it counts as often.",
            "ids GTXC and GTxc differ only in letter case",
            "No image says its resolution",
            "Only 2 positive and 1 negative images validate",
        ] {
            let warnings = &folder.warnings;
            assert!(warnings.iter().any(|it| it.contains(expected)), "{expected}: {warnings:?}");
        }
        assert_eq!(folder.warnings.len(), 4, "{:?}", folder.warnings);
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
