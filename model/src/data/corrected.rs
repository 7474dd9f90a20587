//! Corrected masks in a labelled folder: outlines that a person stands for, in `corrected/`, one label image per image and in its
//! size. Stage 2 learns from them instead of the heatmaps of these images. Never `masks/`, which holds truth to be measured against.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use domain::annotation::{Annotation, Shape, Verdict};
use domain::progress::{CancelToken, Cancelled, Progress};
use slide::Slide;
use slide::export::{
    self, AnnotationSheet, ExportError, ExportFormat, FrameChoice, LABEL_SIDE_MAX, SlideFacts,
    write_annotations,
};
use thiserror::Error;

use super::folder::{self, LabelledImage};

/// The folder of corrected masks beside the images.
const FOLDER: &str = "corrected";
/// What lists the images of a folder that has no class folders.
const TABLE: &str = "labels.csv";
/// Formats whose slides are more than one file.
const SEVERAL_FILES: [&str; 2] = ["mirax", "dicom"];

/// Outlines on an image that are to be learned from.
#[derive(Clone, Copy, Debug)]
pub struct Correction<'a> {
    /// Where the image lies.
    pub path: &'a Path,
    /// The image.
    pub slide: &'a Slide,
    /// Areas of one class, all that there are, in level-0 pixels; from [`lesions`].
    pub lesions: &'a [Annotation],
    /// Whose image it is, for a folder that does not know it yet.
    pub patient: Option<&'a str>,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The image's name in the folder.
    pub file: String,
    /// Its corrected mask.
    pub mask: PathBuf,
    /// Whether the folder did not hold the image before.
    pub is_new: bool,
}

/// Why nothing was sent.
#[derive(Debug, Error)]
pub enum SendError {
    /// The user asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Part of the truth is missing.
    #[error("{0} areas of this class are not decided yet: accept or reject them first")]
    Undecided(usize),
    /// An empty mask would teach that there is no lesion.
    #[error("no area of this class was accepted")]
    Nothing,
    /// Label and mask would contradict each other.
    #[error(
        "the folder lists {0} as negative, and there are lesions on it: change its label first"
    )]
    Negative(String),
    /// It cannot be copied as one file.
    #[error(
        "this slide consists of several files: put it into the folder with its label, then send again"
    )]
    SeveralFiles,
    /// The folder is none that can be trained on, or not yet.
    #[error("{0}")]
    Folder(String),
    /// A file could not be read or written.
    #[error(transparent)]
    Export(ExportError),
}

/// Where a folder keeps its corrected masks.
pub fn folder_in(dir: &Path) -> PathBuf {
    dir.join(FOLDER)
}

/// The corrected mask of an image in a folder of masks, if there is one.
pub(crate) fn mask_in(masks: &Path, file: &str) -> Option<PathBuf> {
    let stem = Path::new(file).with_extension("").display().to_string();
    let label_image = ExportFormat::LabelTiff.file_names(&stem);
    let names = label_image.into_iter().chain([format!("{stem}.png")]);
    names.map(|name| masks.join(name)).find(|path| path.is_file())
}

/// How many of the images have a corrected mask in the folder `dir`.
pub(crate) fn count(dir: &Path, images: &[LabelledImage]) -> usize {
    let masks = folder_in(dir);
    images.iter().filter(|image| mask_in(&masks, &image.file).is_some()).count()
}

/// The areas of a class that a person stands for.
///
/// # Errors
/// If some are not decided yet, or none is accepted.
pub fn lesions(annotations: &[Annotation], class: &str) -> Result<Vec<Annotation>, SendError> {
    match problem(annotations, class) {
        Some(problem) => Err(problem),
        None => Ok(areas(annotations, class, Verdict::Accepted).cloned().collect()),
    }
}

/// Why the areas of a class cannot be sent.
pub fn problem(annotations: &[Annotation], class: &str) -> Option<SendError> {
    let count = |verdict| areas(annotations, class, verdict).count();
    match (count(Verdict::Proposed), count(Verdict::Accepted)) {
        (0, 0) => Some(SendError::Nothing),
        (0, _) => None,
        (n, _) => Some(SendError::Undecided(n)),
    }
}

fn areas<'a>(
    annotations: &'a [Annotation],
    class: &str,
    verdict: Verdict,
) -> impl Iterator<Item = &'a Annotation> {
    let is_area = |it: &&Annotation| matches!(it.shape, Shape::Area(_));
    let is_meant = move |it: &&Annotation| it.class.name == class && it.verdict == verdict;
    annotations.iter().filter(is_area).filter(is_meant)
}

/// Puts the outlines into the labelled folder `dir` as the mask of the image. A folder that does not hold the image takes a
/// copy of it in, labelled positive; an empty folder becomes one with `labels.csv`.
///
/// # Errors
/// If the folder is no labelled folder or cannot be written, if it contradicts the outlines, or the user cancels.
pub fn send(
    dir: &Path,
    correction: &Correction<'_>,
    (progress, cancel): (&dyn Progress, &CancelToken),
) -> Result<Sent, SendError> {
    let images = known_images(dir)?;
    let known = images.iter().find(|image| is_same(image, correction));
    if let Some(image) = known.filter(|image| !image.is_positive) {
        return Err(SendError::Negative(image.file.clone()));
    }
    if let Some(LabelledImage { file, .. }) = known {
        let mask = write_mask(dir, file, correction, (progress, cancel))?;
        return Ok(Sent { file: file.clone(), mask, is_new: false });
    }
    let newcomer = Newcomer::find_place(dir, &images, correction)?;
    let mask = write_mask(dir, &newcomer.file, correction, (progress, cancel))?;
    newcomer.take_in(dir, correction.path, (progress, cancel))?;
    Ok(Sent { file: newcomer.file, mask, is_new: true })
}

/// The images that the folder holds; none if there is nothing in it yet.
fn known_images(dir: &Path) -> Result<Vec<LabelledImage>, SendError> {
    let listing = folder::list(dir);
    let problems = listing.findings.problems();
    if listing.images.is_empty() && !problems.is_empty() && !is_empty(dir) {
        return Err(SendError::Folder(problems.join("; ")));
    }
    Ok(listing.images)
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none())
}

fn is_same(image: &LabelledImage, correction: &Correction<'_>) -> bool {
    let there = |path: &Path| path.canonicalize().ok();
    if there(&image.path).is_some_and(|path| Some(path) == there(correction.path)) {
        return true;
    }
    image.path.file_name() == correction.path.file_name()
        && Slide::open(&image.path).is_ok_and(|it| it.id() == correction.slide.id())
}

/// An image that the folder does not hold yet.
struct Newcomer {
    /// What it will be called there.
    file: String,
    /// Where it will lie.
    path: PathBuf,
    /// What `labels.csv` will hold; `None` in a folder of class folders.
    table: Option<Vec<u8>>,
}

impl Newcomer {
    /// In `images/` with a row of the table, or in the one folder of positive images.
    fn find_place(
        dir: &Path,
        images: &[LabelledImage],
        correction: &Correction<'_>,
    ) -> Result<Self, SendError> {
        if SEVERAL_FILES.contains(&correction.slide.format()) {
            return Err(SendError::SeveralFiles);
        }
        let has_table = dir.join(TABLE).is_file() || images.is_empty();
        let class = if has_table { None } else { Some(positive_class(images)?) };
        let place = dir.join(class.unwrap_or("images"));
        let name = free_name(&place, correction)?;
        let file = class.map_or_else(|| name.clone(), |class| format!("{class}/{name}"));
        let table = has_table.then(|| with_row(&dir.join(TABLE), &file, correction.patient));
        Ok(Self { path: place.join(name), file, table: table.transpose()? })
    }

    fn take_in(
        &self,
        dir: &Path,
        from: &Path,
        watch: (&dyn Progress, &CancelToken),
    ) -> Result<(), SendError> {
        make_folder(&self.path)?;
        watch.0.stage("Copying the slide");
        export::copy(from, &self.path, "copy of the slide", watch).map_err(not_written)?;
        if let Some(table) = &self.table {
            export::save(&dir.join(TABLE), "table of labels", table).map_err(not_written)?;
        }
        Ok(())
    }
}

/// The folder of all positive images.
fn positive_class(images: &[LabelledImage]) -> Result<&str, SendError> {
    let positive = images.iter().filter(|it| it.is_positive);
    let classes: BTreeSet<&str> =
        positive.filter_map(|it| Some(it.file.split_once('/')?.0)).collect();
    match classes.first() {
        Some(class) if classes.len() == 1 => Ok(class),
        _ => {
            let found = classes.into_iter().collect::<Vec<_>>().join(", ");
            Err(SendError::Folder(format!(
                "expected one folder of positive images, found {found}: put the slide into one of them and send again"
            )))
        }
    }
}

/// The image's own name, with letters of its content hash if another image has it.
fn free_name(place: &Path, correction: &Correction<'_>) -> Result<String, SendError> {
    let part =
        |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let (stem, ending) = (part(correction.path.file_stem()), part(correction.path.extension()));
    let own = format!("{stem}.{ending}");
    if !folder::is_image(&own) {
        let what =
            format!("files that end in `.{ending}` are not taken for images in a labelled folder");
        return Err(SendError::Folder(what));
    }
    let hash: String = correction.slide.id().to_string().chars().take(8).collect();
    let is_taken = place.join(&own).exists();
    Ok(if is_taken { format!("{stem}-{hash}.{ending}") } else { own })
}

/// The table with one more positive image.
fn with_row(table: &Path, file: &str, patient: Option<&str>) -> Result<Vec<u8>, SendError> {
    let failed = |error: &dyn std::fmt::Display| SendError::Folder(format!("{TABLE}: {error}"));
    let mut text = match std::fs::read(table) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            b"file,label,patient\n".to_vec()
        }
        Err(cause) => return Err(failed(&cause)),
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_slice());
    let headers = reader.headers().map_err(|error| failed(&error))?.clone();
    if patient.is_some() && headers.iter().all(|it| it != "patient") {
        return Err(failed(
            &"it has no column `patient`: leave the patient out, or add the column",
        ));
    }
    let row = headers.iter().map(|column| match column {
        "file" => file,
        "label" => "positive",
        "patient" => patient.unwrap_or_default(),
        "split" => "train",
        _ => "",
    });
    let mut line = csv::Writer::from_writer(Vec::new());
    line.write_record(row).map_err(|error| failed(&error))?;
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text.extend(line.into_inner().map_err(|error| failed(&error))?);
    Ok(text)
}

fn write_mask(
    dir: &Path,
    file: &str,
    correction: &Correction<'_>,
    watch: (&dyn Progress, &CancelToken),
) -> Result<PathBuf, SendError> {
    let facts = SlideFacts::of(correction.slide);
    let longer = facts.size.width.max(facts.size.height);
    if LABEL_SIDE_MAX < longer {
        return Err(SendError::Folder(format!(
            "expected a slide of at most {LABEL_SIDE_MAX} px a side, found {longer}: send a region of it that was saved as an image"
        )));
    }
    let mask = folder_in(dir).join(file).with_extension("");
    make_folder(&mask)?;
    let (Some(folder), Some(stem)) = (mask.parent(), mask.file_name()) else {
        return Err(SendError::Folder(format!("{file} is no name of an image")));
    };
    let mut sheet = AnnotationSheet::new(facts, correction.lesions);
    sheet.frame = FrameChoice::Level0;
    let formats = [ExportFormat::LabelTiff];
    let written = write_annotations(&sheet, folder, &stem.to_string_lossy(), &formats, watch);
    written.map_err(not_written)?.pop().ok_or(SendError::Nothing)
}

fn not_written(error: ExportError) -> SendError {
    match error {
        ExportError::Cancelled(cancelled) => cancelled.into(),
        error => SendError::Export(error),
    }
}

/// Makes the folder of a file.
fn make_folder(file: &Path) -> Result<(), SendError> {
    let made = file.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.map_err(|cause| SendError::Export(ExportError::Io { what: "folder", cause }))
}

#[cfg(test)]
mod tests;
