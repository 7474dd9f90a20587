//! DICOM whole-slide images: a folder of files of one series (PS3.3 A.32.8).
//!
//! Each file is one level, a part of one (a concatenation), or the label, overview or thumbnail. Any of them may be
//! opened; the others are found beside it by their series.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::scale::Mpp;

use super::{Candidate, Opened};
use crate::SlideError;
use crate::channel::{ChannelName, Channels, PlaneSource};
use crate::dicom_file::{DataSet, DicomFile, DicomImage, Part, is_dicom, tags};
use crate::file::SlideFile;
use crate::number::to_usize;
use crate::tile::TileSource;

/// Files of a folder that are looked at. A series has some ten; an export of a whole archive has more than this.
const MAX_FILES: usize = 10_000;

/// Opens the series that the candidate belongs to.
pub(super) fn open(candidate: &Candidate<'_>) -> Result<Option<Opened>, SlideError> {
    if !is_dicom(candidate.head) {
        return Ok(None);
    }
    let first = DicomFile::open(candidate.file)?;
    let series = first.data.text(tags::SERIES);
    let mut files = vec![Arc::new(first)];
    let mut companions = Vec::new();
    if let Some(series) = series {
        for file in siblings(candidate.path, &series) {
            match DicomFile::open(&file) {
                Ok(dicom) => {
                    companions.push(Arc::clone(&file));
                    files.push(Arc::new(dicom));
                }
                Err(error) => tracing::warn!("a file of the series was left out: {error}"),
            }
        }
    }
    let mut opened = assemble(&files)?;
    opened.companions = companions;
    Ok(Some(opened))
}

/// The first DICOM file of a folder, by name: any file of a series opens all of it.
pub(super) fn first_file(folder: &Path) -> Option<PathBuf> {
    paths_in(folder).into_iter().find(|path| {
        let mut head = [0; 132];
        let file = SlideFile::open(path);
        file.is_ok_and(|file| file.read_up_to(0, &mut head).is_ok()) && is_dicom(&head)
    })
}

/// The other files of the folder that belong to the series, by name.
fn siblings(path: &Path, series: &str) -> Vec<Arc<SlideFile>> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut paths = paths_in(folder);
    paths.retain(|other| other.file_name() != path.file_name());
    let files = paths.iter().filter_map(|path| SlideFile::open(path).ok()).map(Arc::new);
    files.filter(|file| is_of_series(file, series)).collect()
}

/// What lies in a folder, by name; nothing if it cannot be read.
fn paths_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let entries = entries.take(MAX_FILES).filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<_> = entries.collect();
    paths.sort();
    paths
}

fn is_of_series(file: &Arc<SlideFile>, series: &str) -> bool {
    let mut head = [0; 132];
    file.read_up_to(0, &mut head).is_ok()
        && is_dicom(&head)
        && DicomFile::series_of(file).is_ok_and(|found| found.as_deref() == Some(series))
}

fn assemble(files: &[Arc<DicomFile>]) -> Result<Opened, SlideError> {
    let mut levels: Vec<(DicomImage, Arc<DicomFile>)> = Vec::new();
    let mut associated: Vec<(String, Box<dyn TileSource>)> = Vec::new();
    let mut failure = None;
    for parts in images(files) {
        let Some(first) = parts.first().map(|part| Arc::clone(&part.dicom)) else { continue };
        match (associated_name(&first.data), DicomImage::new(parts)) {
            (None, Ok(level)) => levels.push((level, first)),
            (Some(name), Ok(_)) if associated.iter().any(|(other, _)| other == name) => {}
            (Some(name), Ok(image)) => associated.push((name.to_owned(), Box::new(image))),
            (name, Err(error)) => {
                tracing::warn!("the {} was left out: {error}", name.unwrap_or("level"));
                failure = failure.or(Some(error));
            }
        }
    }
    associated.sort_by(|(a, _), (b, _)| a.cmp(b));
    // Stable, so that of several instances of one size the first by number comes first.
    levels.sort_by_key(|(level, _)| std::cmp::Reverse(level.size().area()));
    let Some((finest, source)) = levels.first() else {
        return Err(failure.unwrap_or_else(|| {
            SlideError::malformed("DICOM", "the series has no level, only pictures beside it")
        }));
    };
    let data = &source.data;
    let path = data.items(tags::OPTICAL_PATHS).first();
    let power = path.and_then(|path| path.reals(tags::LENS_POWER).first().copied());
    let mpp = stated_mpp(data, finest);
    let icc = path.and_then(|path| path.blob(tags::ICC_PROFILE, &source.file));
    let properties = data.properties();
    let names = channel_names(&levels);
    let opened = if names.len() < 2 {
        levels.dedup_by(|(later, _), (earlier, _)| later.size() == earlier.size());
        let levels =
            levels.into_iter().map(|(level, _)| -> Box<dyn TileSource> { Box::new(level) });
        Opened::new("dicom", levels.collect())
    } else {
        let channels = Channels::new(names, planes(levels))?;
        Opened { channels: Some(Arc::clone(&channels)), ..Opened::new("dicom", channels.sources()) }
    };
    Ok(Opened {
        associated,
        mpp,
        objective_power: power.filter(|&power| 0.0 < power),
        icc,
        properties,
        ..opened
    })
}

/// The channels of the finest level, which are optical paths of one gray sample: in one file, or in one file each.
fn channel_names(levels: &[(DicomImage, Arc<DicomFile>)]) -> Vec<ChannelName> {
    let Some((finest, _)) = levels.first() else { return Vec::new() };
    let mut names = Vec::new();
    for (level, source) in levels.iter().take_while(|(level, _)| level.size() == finest.size()) {
        let Some(n_planes) = level.n_planes() else { return Vec::new() };
        let paths = source.data.items(tags::OPTICAL_PATHS);
        names.extend((0..to_usize(n_planes)).map(|index| {
            let path = paths.get(index);
            let name = path.and_then(|path| path.text(tags::OPTICAL_PATH_DESCRIPTION));
            ChannelName { name, color: None }
        }));
    }
    names
}

/// The planes of each size, finest first.
fn planes(levels: Vec<(DicomImage, Arc<DicomFile>)>) -> Vec<Vec<Box<dyn PlaneSource>>> {
    let mut by_size: Vec<Vec<Box<dyn PlaneSource>>> = Vec::new();
    for (level, _) in levels {
        let size = level.size();
        match by_size.last_mut() {
            Some(planes) if planes.first().is_some_and(|it| it.size() == size) => {
                planes.extend(level.planes());
            }
            _ => by_size.push(level.planes()),
        }
    }
    by_size
}

/// The files grouped into pictures: parts of one concatenation belong together, in order.
fn images(files: &[Arc<DicomFile>]) -> Vec<Vec<Part>> {
    let mut images: BTreeMap<(u64, String), Vec<Part>> = BTreeMap::new();
    for (index, dicom) in files.iter().enumerate() {
        let data = &dicom.data;
        let concatenation = data.text(tags::CONCATENATION);
        let first_frame = data.unsigned(tags::CONCATENATION_FRAME_OFFSET).unwrap_or(0);
        let key = match concatenation {
            Some(uid) => (0, uid),
            None => (data.unsigned(tags::INSTANCE_NUMBER).unwrap_or(0), format!("file {index}")),
        };
        let part = Part { dicom: Arc::clone(dicom), first_frame };
        images.entry(key).or_default().push(part);
    }
    let mut images: Vec<Vec<Part>> = images.into_values().collect();
    for parts in &mut images {
        parts.sort_by_key(|part| part.first_frame);
    }
    images
}

/// OpenSlide's name for a picture beside the slide; `None` for a level.
fn associated_name(data: &DataSet) -> Option<&'static str> {
    match data.texts(tags::IMAGE_TYPE).get(2).map(String::as_str) {
        Some("LABEL") => Some("label"),
        Some("OVERVIEW") => Some("macro"),
        Some("THUMBNAIL") => Some("thumbnail"),
        _ => None,
    }
}

/// Pixel spacing, in millimetres, rows first; else the width of the imaged volume over its pixels.
fn stated_mpp(data: &DataSet, level: &DicomImage) -> Option<Mpp> {
    let groups = data.items(tags::SHARED_GROUPS).iter();
    let measures = groups.flat_map(|group| group.items(tags::PIXEL_MEASURES)).next();
    let spacing = measures.map(|it| it.reals(tags::PIXEL_SPACING)).unwrap_or_default();
    if let [down, across] = spacing.as_slice() {
        return Mpp::new(across * 1000.0, down * 1000.0);
    }
    let millimetres = |tag| data.reals(tag).first().copied();
    let size = level.size();
    Mpp::new(
        millimetres(tags::VOLUME_WIDTH)? * 1000.0 / f64::from(size.width),
        millimetres(tags::VOLUME_HEIGHT)? * 1000.0 / f64::from(size.height),
    )
}
