//! Annotations from files of other programs: `QuPath` GeoJSON, ASAP XML, Aperio `ImageScope` XML.
//!
//! A file is recognized by its content. What it says may be anything: sizes are limited, depths are the parsers', and
//! what cannot be kept (points, ellipses, rings without an area) is named and left out. Coordinates stay the file's until
//! [`AnnotationFile::placed`] is told where they are counted from, for files seldom say so.

mod asap_xml;
mod assemble;
mod error;
mod geojson;
mod imagescope_xml;
mod xml;

use domain::annotation::{Annotation, Shape};
use domain::coords::{Level0Px, Level0Rect};

use crate::export::SlideFacts;
pub use error::ImportError;

/// Larger files are not read.
pub const FILE_BYTES_MAX: usize = 256 << 20;

/// A kind of file that annotations are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnnotationFormat {
    /// As `QuPath` writes it: a collection, a bare list or a single feature.
    GeoJson,
    /// As ASAP writes it.
    AsapXml,
    /// As Aperio's `ImageScope` writes it.
    ImageScopeXml,
}

impl AnnotationFormat {
    /// What people call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::GeoJson => "QuPath GeoJSON",
            Self::AsapXml => "ASAP XML",
            Self::ImageScopeXml => "ImageScope XML",
        }
    }
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq)]
pub struct AnnotationFile {
    /// What it is.
    pub format: AnnotationFormat,
    /// The level-0 place of its 0, 0, if the file says it: those that this program wrote do.
    pub stated_origin: Option<Level0Px>,
    /// What was left out, one sentence each.
    pub notes: Vec<String>,
    /// In the file's coordinates.
    annotations: Vec<Annotation>,
}

/// Where a person says that a file's coordinates are counted from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OriginChoice {
    /// As the file says, or as is likely where it does not.
    #[default]
    Likely,
    /// The corner of level 0.
    Slide,
    /// The corner of the scanned part.
    ScannedPart,
}

/// Where a file's coordinates are probably counted from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LikelyOrigin {
    /// The level-0 place of the file's 0, 0.
    pub origin: Level0Px,
    /// Whether the file says so, or there is nothing to choose from; otherwise a person must be asked.
    pub is_certain: bool,
}

impl AnnotationFile {
    /// Number of annotations.
    pub fn len(&self) -> usize {
        self.annotations.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.annotations.is_empty()
    }

    /// Where coordinates are counted from, as far as the file and the slide tell.
    pub fn likely_origin(&self, slide: &SlideFacts) -> LikelyOrigin {
        let whole = Level0Px::default();
        if let Some(origin) = self.stated_origin {
            return LikelyOrigin { origin, is_certain: true };
        }
        let Some(bounds) = slide.bounds else {
            return LikelyOrigin { origin: whole, is_certain: true };
        };
        let corner = Level0Px { x: bounds.x, y: bounds.y };
        // What does not fit the scanned part was not counted from its corner.
        let extent = self.annotations.iter().filter_map(|it| it.shape.bounds());
        let fits = extent
            .reduce(Level0Rect::union)
            .is_none_or(|it| it.x + it.width <= bounds.width && it.y + it.height <= bounds.height);
        let is_cropped = self.format == AnnotationFormat::GeoJson && fits;
        LikelyOrigin {
            origin: if is_cropped { corner } else { whole },
            is_certain: corner == whole,
        }
    }

    /// Where coordinates are counted from by a person's word, which is certain.
    ///
    /// # Errors
    /// If the scanned part is meant and the slide does not say which that is.
    pub fn origin(
        &self,
        choice: OriginChoice,
        slide: &SlideFacts,
    ) -> Result<LikelyOrigin, ImportError> {
        let origin = match choice {
            OriginChoice::Likely => return Ok(self.likely_origin(slide)),
            OriginChoice::Slide => Level0Px::default(),
            OriginChoice::ScannedPart => {
                let bounds = slide.bounds.ok_or(ImportError::NoScannedPart)?;
                Level0Px { x: bounds.x, y: bounds.y }
            }
        };
        Ok(LikelyOrigin { origin, is_certain: true })
    }

    /// The annotations in level-0 pixels, with the file's 0, 0 at `origin`.
    pub fn placed(self, origin: Level0Px) -> Vec<Annotation> {
        let mut annotations = self.annotations;
        for annotation in &mut annotations {
            for point in points_mut(&mut annotation.shape) {
                point.x += origin.x;
                point.y += origin.y;
            }
        }
        annotations
    }
}

/// How many annotations reach beyond the slide.
pub fn n_beyond(annotations: &[Annotation], slide: &SlideFacts) -> usize {
    let whole = Level0Rect::of_size(slide.size);
    let bounds = annotations.iter().filter_map(|annotation| annotation.shape.bounds());
    bounds.filter(|bounds| whole.union(*bounds) != whole).count()
}

fn points_mut(shape: &mut Shape) -> Vec<&mut Level0Px> {
    match shape {
        Shape::Line(points) => points.iter_mut().collect(),
        Shape::Area(parts) => parts
            .iter_mut()
            .flat_map(|part| std::iter::once(&mut part.outer).chain(&mut part.holes))
            .flatten()
            .collect(),
    }
}

/// Reads the annotations of a file.
///
/// # Errors
/// If the file is none of these, is damaged, or holds more than any slide has.
pub fn read(bytes: &[u8]) -> Result<AnnotationFile, ImportError> {
    if FILE_BYTES_MAX < bytes.len() {
        return Err(ImportError::TooMuch { what: "bytes", limit: FILE_BYTES_MAX });
    }
    let text = std::str::from_utf8(bytes).map_err(|_not_utf8| ImportError::Unknown)?;
    let text = text.trim_start_matches('\u{FEFF}').trim_start();
    match text.bytes().next() {
        Some(b'{' | b'[') => geojson::read(text),
        Some(b'<') => xml::read(text),
        _ => Err(ImportError::Unknown),
    }
}

#[cfg(test)]
mod tests;
