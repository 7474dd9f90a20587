//! A labelled folder: `labels.csv` (file, label, optional patient and split) beside an `images` folder, or one
//! folder of images per class.
//!
//! Everything wrong with a folder is said at once. A `masks` folder is never looked at here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::finding::Findings;

/// How a labelled folder is used for a training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderUse {
    /// Whether training goes on without images and rows that cannot be used.
    pub leave_out: bool,
    /// Share of patients of each label that choose the best epoch, where the folder has no splits of its own.
    pub val_share: f64,
}

impl Default for FolderUse {
    fn default() -> Self {
        Self { leave_out: false, val_share: 0.25 }
    }
}

/// What an image is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Learned from.
    Train,
    /// Chooses the best epoch and *t*.
    Val,
    /// Only measured.
    Test,
}

/// One image with its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledImage {
    /// Where it lies.
    pub path: PathBuf,
    /// Its name as the folder says it, `/` between folders.
    pub file: String,
    /// Whether its bag is positive.
    pub is_positive: bool,
    /// Whose it is; images of one patient stay in one split. Without a word on it, every image is its own.
    pub patient: String,
    /// What it is used for, where the folder says so.
    pub split: Option<Split>,
}

/// Images with labels, sorted by file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledFolder {
    /// The images.
    pub images: Vec<LabelledImage>,
}

/// File endings that are taken for slides and images.
const ENDINGS: &[&str] = &[
    "svs", "tif", "tiff", "png", "jpg", "jpeg", "bmp", "webp", "ndpi", "scn", "mrxs", "bif", "vms",
    "dcm",
];
/// Class names that mean negative.
const NEGATIVE: &[&str] = &["negative", "neg", "normal", "benign", "healthy", "control", "0"];
/// Label words that mean positive.
const POSITIVE: &[&str] =
    &["positive", "pos", "tumor", "tumour", "lesion", "malignant", "cancer", "1"];
/// Folders beside class folders that hold no class.
const NO_CLASS: &[&str] = &["masks", "images", "corrected"];

impl LabelledFolder {
    /// Reads `dir`.
    ///
    /// # Errors
    /// Everything that is wrong, one line each.
    pub fn read(dir: &Path) -> Result<Self, Vec<String>> {
        let Listing { images, findings, .. } = list(dir);
        let problems = findings.problems();
        if problems.is_empty() { Ok(Self { images }) } else { Err(problems) }
    }

    /// Whether any row says what it is used for.
    pub fn has_splits(&self) -> bool {
        self.images.iter().any(|it| it.split.is_some())
    }
}

/// Where the image of that name lies in a labelled folder.
pub fn image_path(dir: &Path, file: &str) -> Option<PathBuf> {
    let places = [dir.join("images").join(file), dir.join(file)];
    places.into_iter().find(|path| path.is_file())
}

/// The rows of a folder that can be understood, sorted by file, and what is wrong with the others or with all.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) images: Vec<LabelledImage>,
    pub(crate) findings: Findings,
    /// Whether the folder says whose images these are.
    pub(crate) names_patients: bool,
}

impl Listing {
    /// Nothing to list, for that reason.
    fn none(what: impl Into<String>) -> Self {
        let mut listing = Self::default();
        listing.findings.mend(what);
        listing
    }
}

/// Reads which images `dir` holds, but no image.
pub(crate) fn list(dir: &Path) -> Listing {
    if !dir.is_dir() {
        return Listing::none("there is no such folder");
    }
    let table = dir.join("labels.csv");
    let mut found = if table.is_file() { from_table(dir, &table) } else { from_class_folders(dir) };
    found.images.sort_by(|a, b| a.file.cmp(&b.file));
    if !found.images.is_empty() {
        contradictions(&found.images, &mut found.findings);
    }
    found
}

/// What rows say against each other.
fn contradictions(images: &[LabelledImage], findings: &mut Findings) {
    for (is_positive, name) in [(true, "positive"), (false, "negative")] {
        if images.iter().all(|it| it.is_positive != is_positive) {
            findings.mend(format!("expected positive and negative images, found no {name} one"));
        }
    }
    for (i, pair) in images.windows(2).enumerate() {
        if pair[0].file == pair[1].file {
            let what = format!("{} is listed more than once", pair[0].file);
            findings.leave_out(what, "its first row is used", [i + 1]);
        }
    }
    let without: Vec<usize> = (0..images.len()).filter(|i| images[*i].split.is_none()).collect();
    if (1..images.len()).contains(&without.len()) {
        let what = format!("{} of {} rows have no split", without.len(), images.len());
        findings.leave_out(what, "these rows are left out", without);
    }
    let mut splits: BTreeMap<&str, BTreeSet<Split>> = BTreeMap::new();
    for image in images {
        splits.entry(&image.patient).or_default().extend(image.split);
    }
    for (patient, splits) in splits.iter().filter(|(_, splits)| 1 < splits.len()) {
        let first = splits.first().copied();
        let is_elsewhere =
            |it: &LabelledImage| it.patient == *patient && it.split.is_some() && it.split != first;
        findings.leave_out(
            format!("patient {patient} is in more than one split"),
            "only the images of the first split are used, of train before val before test",
            (0..images.len()).filter(|i| is_elsewhere(&images[*i])),
        );
    }
}

#[derive(Deserialize)]
struct Row {
    file: String,
    label: String,
    patient: Option<String>,
    split: Option<String>,
}

fn from_table(dir: &Path, table: &Path) -> Listing {
    let mut found = Listing::default();
    let mut reader = match csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(table) {
        Ok(reader) => reader,
        Err(error) => return Listing::none(format!("labels.csv cannot be read: {error}")),
    };
    let headers = reader.headers().cloned().unwrap_or_default();
    let has = |name: &str| headers.iter().any(|it| it == name);
    for name in ["file", "label"].into_iter().filter(|name| !has(name)) {
        found.findings.mend(format!("labels.csv has no column `{name}`"));
    }
    if !found.findings.all.is_empty() {
        return found;
    }
    found.names_patients = has("patient");
    for (i, row) in reader.deserialize::<Row>().enumerate() {
        // Line 1 is the header.
        let line = i + 2;
        let row = row.map_err(|error| vec![error.to_string()]);
        match row.and_then(|row| labelled(dir, row)) {
            Ok(image) => found.images.push(image),
            Err(problems) => {
                for problem in problems {
                    let what = format!("line {line}: {problem}");
                    found.findings.leave_out(what, "the row is left out", []);
                }
            }
        }
    }
    found
}

fn labelled(dir: &Path, row: Row) -> Result<LabelledImage, Vec<String>> {
    let mut problems = Vec::new();
    let path = image_path(dir, &row.file);
    if path.is_none() {
        problems.push(format!("there is no image {}", row.file));
    }
    let is_positive = label(&row.label).unwrap_or_else(|| {
        problems.push(format!("label must be 0, 1, negative or positive, found `{}`", row.label));
        false
    });
    let split = match row.split.as_deref() {
        None | Some("") => None,
        Some(word) => split(word).or_else(|| {
            problems.push(format!("split must be train, val or test, found `{word}`"));
            None
        }),
    };
    let patient = row.patient.filter(|it| !it.is_empty()).unwrap_or_else(|| row.file.clone());
    match path {
        Some(path) if problems.is_empty() => {
            Ok(LabelledImage { path, file: row.file, is_positive, patient, split })
        }
        _ => Err(problems),
    }
}

fn label(word: &str) -> Option<bool> {
    let word = word.to_lowercase();
    let is = |words: &[&str]| words.contains(&word.as_str());
    if is(POSITIVE) {
        Some(true)
    } else if is(NEGATIVE) {
        Some(false)
    } else {
        None
    }
}

fn split(word: &str) -> Option<Split> {
    match word.to_lowercase().as_str() {
        "train" | "training" => Some(Split::Train),
        "val" | "valid" | "validation" => Some(Split::Val),
        "test" => Some(Split::Test),
        _ => None,
    }
}

/// `negative` (or a word for it) and anything else positive; or two folders, of which the first by name is negative.
fn from_class_folders(dir: &Path) -> Listing {
    let mut found = Listing::default();
    let classes: Vec<String> = names(dir)
        .into_iter()
        .filter(|name| dir.join(name).is_dir())
        .filter(|name| !name.starts_with('.') && !NO_CLASS.contains(&name.as_str()))
        .collect();
    let is_negative_word = |name: &String| NEGATIVE.contains(&name.to_lowercase().as_str());
    let n_negative = classes.iter().filter(|it| is_negative_word(it)).count();
    let is_negative = |name: &String| match (n_negative, classes.as_slice()) {
        (0, [first, _]) => name == first,
        _ => is_negative_word(name),
    };
    if classes.len() < 2 || (n_negative == 0 && classes.len() != 2) {
        return Listing::none(format!(
            "expected labels.csv, a folder `negative` beside others, or two class folders; found {}",
            if classes.is_empty() { "none".to_owned() } else { classes.join(", ") }
        ));
    }
    for class in &classes {
        let (files, others): (Vec<String>, Vec<String>) =
            names(&dir.join(class)).into_iter().partition(|name| is_image(name));
        if files.is_empty() {
            let what = format!("the folder {class} holds no images");
            found.findings.leave_out(what, "it is passed over", []);
        }
        let others = others.iter().filter(|name| !name.starts_with('.')).count();
        if 0 < others {
            let what = format!("the folder {class} holds {others} other than images");
            found.findings.note(what, "they are passed over");
        }
        found.images.extend(files.into_iter().map(|name| {
            let file = format!("{class}/{name}");
            LabelledImage {
                path: dir.join(class).join(name),
                is_positive: !is_negative(class),
                patient: file.clone(),
                file,
                split: None,
            }
        }));
    }
    found
}

/// What lies in a folder, sorted.
fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Whether a file's name says that it is a slide or an image.
pub(crate) fn is_image(name: &str) -> bool {
    let ending = Path::new(name).extension().unwrap_or_default().to_string_lossy().to_lowercase();
    !name.starts_with('.') && ENDINGS.contains(&ending.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str], table: Option<&str>) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"").unwrap();
        }
        if let Some(table) = table {
            std::fs::write(dir.path().join("labels.csv"), table).unwrap();
        }
        dir
    }

    fn labels(dir: &tempfile::TempDir) -> Vec<(String, bool)> {
        let folder = LabelledFolder::read(dir.path()).unwrap();
        folder.images.into_iter().map(|it| (it.file, it.is_positive)).collect()
    }

    #[test]
    fn a_table_names_label_patient_and_split_and_further_columns_are_ignored() {
        let table = "file,class,label,patient,split\na.png,x,1,P1,train\nb.png,y,0,P2,val\n";
        let dir = folder(&["images/a.png", "images/b.png", "masks/a.png"], Some(table));
        let images = LabelledFolder::read(dir.path()).unwrap().images;
        assert_eq!(images[0].patient, "P1");
        assert_eq!(images[0].split, Some(Split::Train));
        assert_eq!((images[1].is_positive, images[1].split), (false, Some(Split::Val)));
    }

    #[test]
    fn everything_wrong_with_a_table_is_said_at_once() {
        let table = "file,label,split\na.png,maybe,train\ngone.png,1,holdout\n";
        let problems =
            LabelledFolder::read(folder(&["images/a.png"], Some(table)).path()).unwrap_err();
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].starts_with("line 2: label must be"));
        assert!(problems[1].contains("no image gone.png") && problems[2].contains("`holdout`"));
    }

    #[test]
    fn a_patient_in_two_splits_a_doubled_row_and_a_missing_class_are_refused() {
        let table = "file,label,patient,split\na.png,1,P,train\nb.png,1,P,val\nb.png,1,P,val\n";
        let dir = folder(&["a.png", "b.png"], Some(table));
        let problems = LabelledFolder::read(dir.path()).unwrap_err().join("\n");
        assert!(problems.contains("no negative one"));
        assert!(problems.contains("b.png is listed more than once"));
        assert!(problems.contains("patient P is in more than one split"));
    }

    #[test]
    fn a_table_without_its_columns_says_which() {
        let dir = folder(&[], Some("name,class\na,b\n"));
        let problems = LabelledFolder::read(dir.path()).unwrap_err();
        assert_eq!(
            problems,
            ["labels.csv has no column `file`", "labels.csv has no column `label`"]
        );
    }

    #[test]
    fn whatever_is_not_negative_is_positive() {
        let dir = folder(
            &[
                "negative/a.png",
                "carcinoma/b.svs",
                "adenoma/c.tif",
                "masks/b.png",
                "negative/notes.txt",
            ],
            None,
        );
        let expected =
            [("adenoma/c.tif", true), ("carcinoma/b.svs", true), ("negative/a.png", false)];
        assert_eq!(labels(&dir), expected.map(|(file, label)| (file.to_owned(), label)));
    }

    #[test]
    fn of_two_named_classes_the_first_by_name_is_negative_unless_a_word_says_otherwise() {
        let dir = folder(&["a/1.png", "b/2.png"], None);
        assert_eq!(labels(&dir), [("a/1.png".to_owned(), false), ("b/2.png".to_owned(), true)]);
        let dir = folder(&["disease/1.png", "Normal/2.png"], None);
        assert_eq!(
            labels(&dir),
            [("Normal/2.png".to_owned(), false), ("disease/1.png".to_owned(), true)]
        );
    }

    #[test]
    fn a_folder_without_classes_says_what_is_expected() {
        let problems = LabelledFolder::read(folder(&["images/a.png"], None).path()).unwrap_err();
        assert!(problems[0].contains("expected labels.csv"), "{problems:?}");
        assert_eq!(
            LabelledFolder::read(Path::new("/nowhere")).unwrap_err(),
            ["there is no such folder"]
        );
    }
}
