//! Which format a file is, by its content, and what each format makes of its directory.

mod aperio;
mod foreign;
mod image;
mod tiff;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use domain::scale::Mpp;

use crate::SlideError;
use crate::file::SlideFile;
use crate::tiff_file::TiffFile;
use crate::tile::TileSource;

/// What a format module finds in a file.
#[derive(Debug)]
pub(crate) struct Opened {
    /// OpenSlide's vendor word, or `image`.
    pub(crate) format: &'static str,
    /// Stored levels with their downsamples in order, finest first; never empty.
    pub(crate) levels: Vec<Box<dyn TileSource>>,
    /// Pictures beside the slide by name.
    pub(crate) associated: Vec<(String, Box<dyn TileSource>)>,
    /// Physical scale, if a plausible one is stated.
    pub(crate) mpp: Option<Mpp>,
    /// Nominal magnification, if stated.
    pub(crate) objective_power: Option<f64>,
    /// What only this format can say about itself; the slide adds what follows from the fields above.
    pub(crate) properties: BTreeMap<String, String>,
    /// Directory bytes that go into the slide's identity.
    pub(crate) fingerprint: Vec<u8>,
}

/// Sniffs `file` and reads its directory. `path` is looked at only for the companion folders of formats that need one.
pub(crate) fn open(path: &Path, file: &Arc<SlideFile>) -> Result<Opened, SlideError> {
    let mut head = [0; 256];
    let n_read = file.read_up_to(0, &mut head)?;
    let head = head.get(..n_read).unwrap_or_default();
    if head.is_empty() {
        return Err(SlideError::malformed("slide", "the file is empty"));
    }
    foreign::refuse_by_magic(path, head)?;
    if let Some(tiff) = TiffFile::open(file)? {
        foreign::refuse_by_directory(&tiff)?;
        return if aperio::is_aperio(&tiff) { aperio::open(tiff) } else { tiff::open(tiff) };
    }
    image::open(file, head)
}
