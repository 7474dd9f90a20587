//! What a result can be written as: one table of names, files and readers.

use domain::coords::{Level0Px, Level0Rect};

use super::SlideFacts;

/// A kind of file, or of files that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExportFormat {
    /// 8-bit gray, 255 = lesion, and its frame as JSON beside it.
    MaskPng,
    /// Cividis on transparent, for looking at.
    HeatmapPng,
    /// The heatmap's cells as 32-bit floats, its frame in the description.
    HeatmapTiff,
    /// Annotations as `QuPath` has them.
    GeoJson,
    /// Annotations as ASAP has them.
    AsapXml,
    /// Annotations as Aperio's `ImageScope` has them.
    ImageScopeXml,
    /// Annotations as run lengths of pixels.
    Coco,
    /// One row per annotation.
    LesionCsv,
    /// Annotations as numbers of classes in a pyramid of any size (OME-TIFF).
    LabelTiff,
    /// The heatmap's field as floats in a pyramid (OME-TIFF).
    ProbabilityTiff,
    /// The same as ASAP looks for it.
    LikelihoodMap,
    /// A page to read and print.
    ReportPdf,
    /// The same page as a picture.
    ReportPng,
    /// Probability, area, timings, cautions, provenance.
    Record,
}

/// The program that a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reader {
    /// `QuPath`.
    QuPath,
    /// ASAP.
    Asap,
    /// Aperio `ImageScope`.
    ImageScope,
    /// Whatever reads common formats.
    Other,
    /// A person.
    Person,
}

impl Reader {
    /// Every reader, in the order of lists.
    pub const ALL: [Self; 5] =
        [Self::QuPath, Self::Asap, Self::ImageScope, Self::Other, Self::Person];

    /// Its name in lists.
    pub fn title(self) -> &'static str {
        match self {
            Self::QuPath => "For QuPath",
            Self::Asap => "For ASAP",
            Self::ImageScope => "For ImageScope",
            Self::Other => "For other programs",
            Self::Person => "To look at",
        }
    }
}

/// What is said of a format.
#[derive(Clone, Copy, Debug)]
struct Facts {
    /// The word for it on the command line; formats that share one are written together.
    word: &'static str,
    reader: Reader,
    /// What the files hold, in a list of choices.
    title: &'static str,
    /// What a message calls the file.
    noun: &'static str,
    /// What follows the stem in the names of its files.
    endings: &'static [&'static str],
}

impl ExportFormat {
    /// Every format, in the order in which files are written.
    pub const ALL: [Self; 14] = [
        Self::MaskPng,
        Self::HeatmapPng,
        Self::HeatmapTiff,
        Self::GeoJson,
        Self::AsapXml,
        Self::ImageScopeXml,
        Self::Coco,
        Self::LesionCsv,
        Self::LabelTiff,
        Self::ProbabilityTiff,
        Self::LikelihoodMap,
        Self::ReportPdf,
        Self::ReportPng,
        Self::Record,
    ];

    /// Those that are written unless someone chooses otherwise.
    pub const USUAL: [Self; 5] =
        [Self::MaskPng, Self::HeatmapPng, Self::HeatmapTiff, Self::GeoJson, Self::Record];

    #[rustfmt::skip]
    fn facts(self) -> Facts {
        let facts = |word, reader, title, noun, endings| Facts { word, reader, title, noun, endings };
        match self {
            Self::MaskPng => facts("png", Reader::Other, "Mask at t (PNG, with its place on the slide)", "mask", &[".mask.png", ".mask.json"]),
            Self::HeatmapPng => facts("png", Reader::Person, "Heatmap as a picture (PNG)", "heatmap picture", &[".heatmap.png"]),
            Self::HeatmapTiff => facts("tif", Reader::Other, "Heatmap, raw values (32-bit float TIFF)", "heatmap", &[".heatmap.tif"]),
            Self::GeoJson => facts("geojson", Reader::QuPath, "Outlines (GeoJSON)", "outlines for QuPath", &[".geojson"]),
            Self::AsapXml => facts("asap", Reader::Asap, "Outlines (XML)", "outlines for ASAP", &[".xml"]),
            Self::ImageScopeXml => facts("imagescope", Reader::ImageScope, "Outlines (XML)", "outlines for ImageScope", &[".imagescope.xml"]),
            Self::Coco => facts("coco", Reader::Other, "Outlines as pixels (COCO JSON, run lengths)", "COCO file", &[".coco.json"]),
            Self::LesionCsv => facts("csv", Reader::Other, "Table of lesions (CSV)", "table of lesions", &[".lesions.csv"]),
            Self::LabelTiff => facts("label", Reader::QuPath, "Outlines as a label image (pyramidal OME-TIFF)", "label image", &[".labels.ome.tif"]),
            Self::ProbabilityTiff => facts("probability", Reader::QuPath, "Heatmap as a float image (pyramidal OME-TIFF)", "probability image", &[".probability.ome.tif"]),
            Self::LikelihoodMap => facts("likelihood", Reader::Asap, "Heatmap as a likelihood map (pyramidal TIFF)", "likelihood map", &["_likelihood_map.tif"]),
            Self::ReportPdf => facts("pdf", Reader::Person, "Report on one page (PDF)", "report", &[".report.pdf"]),
            Self::ReportPng => facts("report-png", Reader::Person, "Report on one page (PNG)", "picture of the report", &[".report.png"]),
            Self::Record => facts("json", Reader::Other, "Record: probability, area, model, timings (JSON)", "record", &[".json"]),
        }
    }

    /// The word for it on the command line; formats that share one are written together.
    pub fn word(self) -> &'static str {
        self.facts().word
    }

    /// The program it is for.
    pub fn reader(self) -> Reader {
        self.facts().reader
    }

    /// What its files hold, in a list of choices.
    pub fn title(self) -> &'static str {
        self.facts().title
    }

    /// What a message calls the file.
    pub(super) fn noun(self) -> &'static str {
        self.facts().noun
    }

    /// The files that this format writes for `stem`.
    pub fn file_names(self, stem: &str) -> Vec<String> {
        self.facts().endings.iter().map(|ending| format!("{stem}{ending}")).collect()
    }

    /// Whether it shows the slide.
    pub fn needs_thumbnail(self) -> bool {
        matches!(self, Self::ReportPdf | Self::ReportPng)
    }

    /// Whether annotations are all it needs; the others need a model's result.
    pub fn is_of_annotations(self) -> bool {
        matches!(
            self,
            Self::GeoJson
                | Self::AsapXml
                | Self::ImageScopeXml
                | Self::Coco
                | Self::LesionCsv
                | Self::LabelTiff
        )
    }

    /// Whether its coordinates may be counted from the corner of the scanned part.
    fn may_be_cropped(self) -> bool {
        match self {
            Self::Coco => false,
            Self::ProbabilityTiff => true,
            other => other.is_of_annotations(),
        }
    }
}

/// Which corner of the slide coordinates of outlines are counted from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FrameChoice {
    /// As the program that the file is for counts.
    #[default]
    ByReader,
    /// The top left of all of level 0, as `OpenSlide` and ASAP count.
    Level0,
    /// The top left of the part that was scanned, as `QuPath` counts on slides that state it.
    Bounds,
}

impl FrameChoice {
    /// Every choice, in the order of lists.
    pub const ALL: [Self; 3] = [Self::ByReader, Self::Level0, Self::Bounds];

    /// Its name in lists.
    pub fn title(self) -> &'static str {
        match self {
            Self::ByReader => "As each program counts",
            Self::Level0 => "Whole slide (OpenSlide, ASAP)",
            Self::Bounds => "Scanned part (QuPath)",
        }
    }

    /// The word for it on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::ByReader => "reader",
            Self::Level0 => "level0",
            Self::Bounds => "bounds",
        }
    }

    /// The level-0 place that is 0, 0 in a file of `format`.
    pub(super) fn origin(self, format: ExportFormat, slide: &SlideFacts) -> Level0Px {
        let Level0Rect { x, y, .. } = self.region(format, slide);
        Level0Px { x, y }
    }

    /// The part of the slide that a file of `format` is about.
    pub(super) fn region(self, format: ExportFormat, slide: &SlideFacts) -> Level0Rect {
        let is_cropped = match self {
            Self::ByReader => format.reader() == Reader::QuPath,
            Self::Level0 => false,
            Self::Bounds => true,
        };
        let bounds = slide.bounds.filter(|_| is_cropped && format.may_be_cropped());
        bounds.unwrap_or_else(|| Level0Rect::of_size(slide.size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_formats_write_a_file_of_one_name() {
        let names: Vec<String> =
            ExportFormat::ALL.iter().flat_map(|format| format.file_names("case")).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }
}
