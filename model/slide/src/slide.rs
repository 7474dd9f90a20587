//! One slide behind one interface, whatever its file format.

use std::collections::BTreeMap;
use std::path::Path;

use domain::coords::{Downsample, LevelRect, PixelSize};
use domain::id::{LevelIndex, SlideId, TileKey};
use domain::pixels::Pixels;
use domain::scale::Mpp;

use crate::SlideError;

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
    /// Stored tiles that could not be decoded and were left white with alpha 0, or were decoded only leniently.
    pub damaged_tiles: u32,
}

/// An open slide. Cheap to share by `Arc`; reads take no lock that another read waits for.
#[derive(Debug)]
pub struct Slide {
    _private: (),
}

impl Slide {
    /// Opens a file by its content, never by its name, and reads its directory but no pixels.
    ///
    /// # Errors
    /// If the file cannot be read, is no known format, or its directory is damaged.
    pub fn open(_path: &Path) -> Result<Self, SlideError> {
        Err(SlideError::Unsupported("no reader yet".to_owned()))
    }

    /// The slide's content hash.
    pub fn id(&self) -> &SlideId {
        unimplemented!()
    }

    /// OpenSlide's vendor word: `aperio`, `generic-tiff`, or `image` for plain pictures.
    pub fn format(&self) -> &'static str {
        unimplemented!()
    }

    /// Size of level 0.
    pub fn size(&self) -> PixelSize {
        unimplemented!()
    }

    /// All levels, finest first, down to one that fits into a single tile.
    pub fn levels(&self) -> &[Level] {
        unimplemented!()
    }

    /// Physical scale, if the file states a plausible one.
    pub fn mpp(&self) -> Option<Mpp> {
        unimplemented!()
    }

    /// Nominal magnification of the objective, if stated.
    pub fn objective_power(&self) -> Option<f64> {
        unimplemented!()
    }

    /// Everything the file says about itself, under OpenSlide's names.
    pub fn properties(&self) -> &BTreeMap<String, String> {
        unimplemented!()
    }

    /// Pictures beside the slide.
    pub fn associated_images(&self) -> &[AssociatedImage] {
        unimplemented!()
    }

    /// Decodes a picture beside the slide.
    ///
    /// # Errors
    /// If there is none of that name or it cannot be decoded.
    pub fn read_associated(&self, _name: &str) -> Result<Pixels, SlideError> {
        unimplemented!()
    }

    /// The coarsest level whose downsample does not exceed `downsample`.
    pub fn level_for(&self, _downsample: f64) -> LevelIndex {
        unimplemented!()
    }

    /// Reads any rectangle of a level, past its edges too. A damaged stored tile does not fail the read.
    ///
    /// # Errors
    /// If there is no such level, the rectangle is absurdly large, or the file cannot be read at all.
    pub fn read_region(&self, _level: LevelIndex, _rect: LevelRect) -> Result<Region, SlideError> {
        unimplemented!()
    }

    /// Reads a display tile; tiles at the right and bottom edge are smaller than [`domain::id::TILE_PX`].
    ///
    /// # Errors
    /// If there is no such tile, or as [`Self::read_region`].
    pub fn read_tile(&self, _key: TileKey) -> Result<Region, SlideError> {
        unimplemented!()
    }
}
