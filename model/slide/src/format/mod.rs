//! Which format a file is, by its content, and what each format makes of its directory.

mod aperio;
mod associated;
mod dicom;
mod foreign;
mod image;
mod leica;
mod levels;
mod mirax;
mod ndpi;
mod ome;
mod openslide;
mod philips;
mod qptiff;
mod resolution;
mod text;
mod tiff;
mod ventana;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::scale::Mpp;

use crate::SlideError;
use crate::channel::Channels;
use crate::file::{Blob, SlideFile};
use crate::stack::{Stack, StackPosition};
use crate::tiff_file::TiffFile;
use crate::tile::TileSource;

/// A file whose format is to be found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    /// Looked at only for the companion files of formats that need them.
    pub(crate) path: &'a Path,
    /// The file itself.
    pub(crate) file: &'a Arc<SlideFile>,
    /// What of a stack to show; `None` for what its format shows at first.
    pub(crate) position: Option<StackPosition>,
    /// Its first bytes, 256 at most; never empty.
    pub(crate) head: &'a [u8],
}

/// What a format module finds in a file.
#[derive(Debug)]
pub(crate) struct Opened {
    /// OpenSlide's vendor word, or `image`.
    pub(crate) format: &'static str,
    /// Stored levels with their downsamples in order, finest first; never empty.
    pub(crate) levels: Vec<Box<dyn TileSource>>,
    /// Pictures beside the slide by name.
    pub(crate) associated: Vec<(String, Box<dyn TileSource>)>,
    /// Whether levels that halve are computed wherever the file leaves an octave out.
    pub(crate) has_half_levels: bool,
    /// The channels behind the levels, where they are not colours.
    pub(crate) channels: Option<Arc<Channels>>,
    /// Depths and times.
    pub(crate) stack: Stack,
    /// Physical scale, if a plausible one is stated.
    pub(crate) mpp: Option<Mpp>,
    /// Nominal magnification, if stated.
    pub(crate) objective_power: Option<f64>,
    /// The colour profile of the levels.
    pub(crate) icc: Option<Blob>,
    /// What only this format can say about itself; the slide adds what follows from the fields above.
    pub(crate) properties: BTreeMap<String, String>,
    /// Directory bytes that go into the slide's identity.
    pub(crate) fingerprint: Vec<u8>,
    /// Files beside the candidate that hold parts of the slide, in an order that does not depend on the folder.
    pub(crate) companions: Vec<Arc<SlideFile>>,
}

impl Opened {
    /// A slide of these levels of which nothing else is known.
    pub(crate) fn new(format: &'static str, levels: Vec<Box<dyn TileSource>>) -> Self {
        Self {
            format,
            levels,
            associated: Vec::new(),
            has_half_levels: false,
            channels: None,
            stack: Stack::SINGLE,
            mpp: None,
            objective_power: None,
            icc: None,
            properties: BTreeMap::new(),
            fingerprint: Vec::new(),
            companions: Vec::new(),
        }
    }
}

/// Answers with the slide, or with `None` if the content is of another format.
type Opener = fn(&Candidate<'_>) -> Result<Option<Opened>, SlideError>;

/// In the order in which they are asked; the first that knows the content decides.
const FORMATS: [Opener; 5] = [dicom::open, mirax::open, foreign::open, open_tiff, image::open];

/// The file through which a path is opened: of a folder the first DICOM file in it, else the path itself.
///
/// # Errors
/// If it is a folder without a DICOM file.
pub(crate) fn entry(path: &Path) -> Result<PathBuf, SlideError> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    dicom::first_file(path).ok_or_else(|| {
        SlideError::Unsupported("this is a folder, and no DICOM file lies in it".to_owned())
    })
}

/// Finds the format of `file` by its content and reads its directory.
pub(crate) fn open(
    path: &Path,
    file: &Arc<SlideFile>,
    position: Option<StackPosition>,
) -> Result<Opened, SlideError> {
    let mut head = [0; 256];
    let n_read = file.read_up_to(0, &mut head)?;
    let head = head.get(..n_read).unwrap_or_default();
    if head.is_empty() {
        return Err(SlideError::malformed("slide", "the file is empty"));
    }
    let candidate = Candidate { path, file, position, head };
    for open in FORMATS {
        if let Some(opened) = open(&candidate)? {
            return Ok(opened);
        }
    }
    Err(SlideError::Unsupported(
        "the content is no slide or picture format that this program knows".to_owned(),
    ))
}

/// A dialect of TIFF: how it is told from the others, and how it is opened.
struct Dialect {
    is: fn(&TiffFile) -> bool,
    open: fn(TiffFile, &Candidate<'_>) -> Result<Opened, SlideError>,
}

const DIALECTS: [Dialect; 7] = [
    Dialect { is: ndpi::is_ndpi, open: |tiff, _| ndpi::open(tiff) },
    Dialect { is: aperio::is_aperio, open: |tiff, _| aperio::open(tiff) },
    Dialect { is: leica::is_leica, open: |tiff, _| leica::open(tiff) },
    Dialect { is: philips::is_philips, open: |tiff, _| philips::open(tiff) },
    Dialect { is: qptiff::is_qptiff, open: |tiff, _| qptiff::open(tiff) },
    Dialect { is: ome::is_ome, open: ome::open },
    Dialect { is: ventana::is_ventana, open: |tiff, _| ventana::open(tiff) },
];

/// TIFF in all its dialects.
fn open_tiff(candidate: &Candidate<'_>) -> Result<Option<Opened>, SlideError> {
    let Some(tiff) = TiffFile::open(candidate.file)? else { return Ok(None) };
    if foreign::is_trestle(&tiff) {
        return openslide::open(candidate, "Trestle TIFF").map(Some);
    }
    let open = DIALECTS.iter().find(|it| (it.is)(&tiff)).map_or(tiff::open as _, |it| it.open);
    open(tiff, candidate).map(Some)
}
