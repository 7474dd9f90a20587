//! One slide behind one interface, whatever its file format.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use domain::coords::{Downsample, PixelSize};
use domain::id::{LevelIndex, SlideId};
use domain::pixels::Pixels;
use domain::scale::Mpp;

use crate::SlideError;
use crate::cache::TileCache;
use crate::channel::{Channel, Channels};
use crate::file::{Blob, SlideFile};
use crate::format::{self, Opened};
use crate::limits::CACHE_BYTES;
use crate::stack::{Stack, StackPosition};
use crate::tile::TileSource;
use crate::{identity, properties, pyramid};

/// A level is chosen although its downsample exceeds the wish by this factor: sizes are whole pixels, so a level of
/// "4" is often 4.0001.
const DOWNSAMPLE_TOLERANCE: f64 = 1.005;

/// One resolution of a slide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Size in pixels of this level.
    pub size: PixelSize,
    /// Level-0 pixels per pixel of this level.
    pub downsample: Downsample,
    /// Size of the tiles the file stores; the full width by some rows for strips.
    pub stored_tile: PixelSize,
    /// Not in the file: computed from the next finer level when asked for.
    pub is_virtual: bool,
}

/// A picture beside the slide itself: label, macro, thumbnail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssociatedImage {
    /// `label`, `macro` or `thumbnail`.
    pub name: String,
    /// Its size.
    pub size: PixelSize,
}

/// Pixels read from a level.
#[derive(Clone, Debug)]
pub struct Region {
    /// What was read; outside the slide and where the file stores nothing: white, alpha 0.
    pub pixels: Pixels,
    /// Stored tiles that could not be decoded and were left white with alpha 0, or were decoded only leniently. Of a
    /// virtual level, a tile counts once for every virtual tile it reaches into.
    pub damaged_tiles: u32,
}

/// An open slide. Cheap to share by `Arc`; reads take no lock that another read waits for, except while a picture that
/// is stored in one piece is decoded.
#[derive(Debug)]
pub struct Slide {
    id: OnceLock<SlideId>,
    files: Vec<Arc<SlideFile>>,
    fingerprint: Vec<u8>,
    icc: Option<Blob>,
    pub(crate) channels: Option<Arc<Channels>>,
    stack: Stack,
    format: &'static str,
    levels: Vec<Level>,
    /// The sources of the levels by index; virtual levels have none.
    pub(crate) sources: Vec<Option<Box<dyn TileSource>>>,
    mpp: Option<Mpp>,
    objective_power: Option<f64>,
    properties: BTreeMap<String, String>,
    associated: Vec<AssociatedImage>,
    pub(crate) associated_sources: Vec<Box<dyn TileSource>>,
    pub(crate) cache: TileCache,
}

impl Slide {
    /// Opens a file by its content, never by its name, and reads its directory but no pixels. A folder is opened by the
    /// first DICOM file in it.
    ///
    /// # Errors
    /// If the file cannot be read, is no known format, or its directory is damaged.
    pub fn open(path: &Path) -> Result<Self, SlideError> {
        Self::open_in_stack(path, None)
    }

    /// As [`Self::open`], with another focal plane or time point than the format shows at first. A position beyond the
    /// stack is brought to its end.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_at(path: &Path, position: StackPosition) -> Result<Self, SlideError> {
        Self::open_in_stack(path, Some(position))
    }

    fn open_in_stack(path: &Path, position: Option<StackPosition>) -> Result<Self, SlideError> {
        let path = format::entry(path)?;
        let file = Arc::new(SlideFile::open(&path)?);
        let mut opened = SlideError::contain("slide", || format::open(&path, &file, position))?;
        let mut levels = stored_levels(&opened);
        let mut sources: Vec<_> =
            std::mem::take(&mut opened.levels).into_iter().map(Some).collect();
        if opened.has_half_levels {
            (levels, sources) = pyramid::fill_octaves(levels, sources);
        }
        pyramid::add_virtual_levels(&mut levels);
        let associated: Vec<AssociatedImage> = opened
            .associated
            .iter()
            .map(|(name, source)| AssociatedImage { name: name.clone(), size: source.size() })
            .collect();
        let properties = properties::complete(&opened, &levels, &associated);
        let files = std::iter::once(file).chain(opened.companions).collect();
        Ok(Self {
            id: OnceLock::new(),
            files,
            fingerprint: opened.fingerprint,
            icc: opened.icc,
            channels: opened.channels,
            stack: opened.stack,
            format: opened.format,
            levels,
            sources,
            mpp: opened.mpp,
            objective_power: opened.objective_power,
            properties,
            associated,
            associated_sources: opened.associated.into_iter().map(|(_, source)| source).collect(),
            cache: TileCache::new(CACHE_BYTES),
        })
    }

    /// The slide's content hash. The first call reads and hashes up to 0.4 MiB of each large file.
    pub fn id(&self) -> &SlideId {
        self.id.get_or_init(|| identity::identify(&self.files, &self.fingerprint))
    }

    /// The ICC profile of the levels, as stored; `None` if the file has none.
    ///
    /// # Errors
    /// If it cannot be read, or is absurdly large.
    pub fn icc_profile(&self) -> Result<Option<Vec<u8>>, SlideError> {
        self.icc.as_ref().map(Blob::read).transpose()
    }

    /// The channels that the picture is made of and how they are shown; empty for slides in colours. The first call reads
    /// the coarsest level for their windows.
    pub fn channels(&self) -> &[Channel] {
        self.channels.as_ref().map_or(&[], |channels| channels.shown())
    }

    /// Depths and times of the slide, and what of them is shown.
    pub fn stack(&self) -> Stack {
        self.stack
    }

    /// OpenSlide's vendor word: `aperio`, `generic-tiff`, or `image` for plain pictures.
    pub fn format(&self) -> &'static str {
        self.format
    }

    /// Size of level 0.
    pub fn size(&self) -> PixelSize {
        self.levels.first().map_or(PixelSize::default(), |level| level.size)
    }

    /// All levels, finest first, down to one that fits into a single tile.
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Physical scale, if the file states a plausible one.
    pub fn mpp(&self) -> Option<Mpp> {
        self.mpp
    }

    /// Nominal magnification of the objective, if stated.
    pub fn objective_power(&self) -> Option<f64> {
        self.objective_power
    }

    /// Everything the file says about itself, under OpenSlide's names.
    pub fn properties(&self) -> &BTreeMap<String, String> {
        &self.properties
    }

    /// Pictures beside the slide.
    pub fn associated_images(&self) -> &[AssociatedImage] {
        &self.associated
    }

    /// The coarsest level whose downsample does not exceed `downsample`, give or take half a percent; level 0 if all do.
    pub fn level_for(&self, downsample: f64) -> LevelIndex {
        let limit = downsample * DOWNSAMPLE_TOLERANCE;
        let index = self.levels.iter().rposition(|level| level.downsample.get() <= limit);
        LevelIndex(index.and_then(|index| u16::try_from(index).ok()).unwrap_or(0))
    }

    /// The coarsest level with at least `side_px` pixels on its longer side, give or take half a percent; level 0 of a smaller slide.
    pub fn level_of_side(&self, side_px: u32) -> LevelIndex {
        let PixelSize { width, height } = self.size();
        self.level_for(f64::from(width.max(height)) / f64::from(side_px.max(1)))
    }
}

/// The levels of the file; a downsample is the mean over both sides, as in OpenSlide.
fn stored_levels(opened: &Opened) -> Vec<Level> {
    let sizes = opened.levels.iter().map(|source| (source.size(), source.tile_size()));
    let full = sizes.clone().next().map_or(PixelSize::default(), |(size, _)| size);
    let downsample = |size: PixelSize| {
        let across = f64::from(full.width) / f64::from(size.width);
        let down = f64::from(full.height) / f64::from(size.height);
        Downsample::new((across + down) / 2.0).unwrap_or(Downsample::ONE)
    };
    sizes
        .map(|(size, stored_tile)| Level {
            size,
            downsample: downsample(size),
            stored_tile,
            is_virtual: false,
        })
        .collect()
}
