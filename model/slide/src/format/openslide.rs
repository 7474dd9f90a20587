//! Formats that are read through the C library OpenSlide, where the user has it.
//!
//! The library is looked for once, when the first such slide is opened; `SLIDELIGHT_OPENSLIDE` may name its file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use ::openslide::{Error, Library, Slide};
use domain::coords::PixelSize;
use domain::id::TILE_PX;
use domain::pixels::Pixels;
use domain::scale::Mpp;

use super::{Candidate, Opened};
use crate::SlideError;
use crate::file::Blob;
use crate::limits::{MAX_REGION_PIXELS, MAX_SIDE};
use crate::number::to_u32;
use crate::tile::{Tile, TileSource};

/// Names the library's file.
const LIBRARY: &str = "SLIDELIGHT_OPENSLIDE";

/// Opens what `foreign` only recognizes; `format` is what it was recognized as.
pub(super) fn open(candidate: &Candidate<'_>, format: &str) -> Result<Opened, SlideError> {
    let library = library().map_err(|error| {
        SlideError::Unsupported(format!(
            "{format}, unless OpenSlide is installed: get it from https://openslide.org/download, or let {LIBRARY} \
             name its library ({error})"
        ))
    })?;
    let slide = Slide::open(library, candidate.path).map_err(|error| damaged(&error))?;
    let slide = slide.ok_or_else(|| {
        SlideError::Unsupported(format!(
            "{format}, nor does OpenSlide {} know it",
            library.version()
        ))
    })?;
    read(library, candidate.path, slide)
}

/// The library, found or not, once and for all.
fn library() -> Result<&'static Library, &'static Error> {
    static LIBRARY_FOUND: OnceLock<Result<Library, Error>> = OnceLock::new();
    let path: Option<OsString> = std::env::var_os(LIBRARY).filter(|path| !path.is_empty());
    LIBRARY_FOUND.get_or_init(|| Library::load(path.as_deref())).as_ref()
}

fn read(library: &Library, path: &Path, slide: Slide) -> Result<Opened, SlideError> {
    let properties = slide.properties();
    let sizes = slide.levels().map_err(|error| damaged(&error))?;
    let pictures = slide.pictures().map_err(|error| damaged(&error))?;
    let icc = slide.icc_profile().map_err(|error| damaged(&error))?;
    let downsamples: Vec<f64> = (0_i32..).zip(&sizes).map(|(it, _)| slide.downsample(it)).collect();
    let shared = Arc::new(Reopening {
        library: library.clone(),
        path: path.to_owned(),
        slide: RwLock::new(Arc::new(slide)),
    });
    let mut levels: Vec<Box<dyn TileSource>> = Vec::new();
    for ((index, size), downsample) in (0_i32..).zip(sizes).zip(downsamples) {
        let size = checked(size)?;
        levels.push(Box::new(Level { slide: Arc::clone(&shared), index, size, downsample }));
    }
    if levels.is_empty() {
        return Err(SlideError::malformed("slide", "OpenSlide finds no level in it"));
    }
    let mut associated: Vec<(String, Box<dyn TileSource>)> = Vec::new();
    for (name, width, height) in pictures {
        let size = checked((width, height))?;
        SlideError::check_limit("the pixels of a picture", size.area(), MAX_REGION_PIXELS)?;
        let picture = Picture { slide: Arc::clone(&shared), name: name.clone(), size };
        associated.push((name, Box::new(picture)));
    }
    let number = |key: &str| properties.get(key).and_then(|text| text.parse::<f64>().ok());
    let vendor = vendor_word(properties.get("openslide.vendor"));
    let mpp = number("openslide.mpp-x").zip(number("openslide.mpp-y"));
    Ok(Opened {
        associated,
        mpp: mpp.and_then(|(x, y)| Mpp::new(x, y)),
        objective_power: number("openslide.objective-power").filter(|&power| 0.0 < power),
        icc: icc.map(|profile| Blob::Held(profile.into())),
        properties,
        ..Opened::new(vendor, levels)
    })
}

/// The library's word for the format, as far as this program knows it.
fn vendor_word(vendor: Option<&String>) -> &'static str {
    const WORDS: [&str; 4] = ["hamamatsu", "sakura", "trestle", "zeiss"];
    let known = WORDS.into_iter().find(|word| vendor.is_some_and(|vendor| vendor == word));
    known.unwrap_or("openslide")
}

/// A slide that is opened anew after an error: the library refuses a slide for good after one bad tile.
#[derive(Debug)]
struct Reopening {
    library: Library,
    path: PathBuf,
    slide: RwLock<Arc<Slide>>,
}

impl Reopening {
    fn read(&self, read: impl Fn(&Slide) -> Result<Vec<u8>, Error>) -> Option<Vec<u8>> {
        let slide = Arc::clone(&self.slide.read().unwrap_or_else(PoisonError::into_inner));
        let error = match read(&slide) {
            Ok(rgba) => return Some(rgba),
            Err(error) => error,
        };
        tracing::warn!("a tile is lost: {error}");
        if let Ok(Some(fresh)) = Slide::open(&self.library, &self.path) {
            let mut held = self.slide.write().unwrap_or_else(PoisonError::into_inner);
            // Threads whose reads failed on the same handle need only one new one.
            if Arc::ptr_eq(&held, &slide) {
                *held = Arc::new(fresh);
            }
        }
        None
    }
}

#[derive(Debug)]
struct Level {
    slide: Arc<Reopening>,
    index: i32,
    size: PixelSize,
    downsample: f64,
}

impl TileSource for Level {
    fn size(&self) -> PixelSize {
        self.size
    }

    fn tile_size(&self) -> PixelSize {
        PixelSize { width: TILE_PX, height: TILE_PX }
    }

    fn read(&self, col: u32, row: u32) -> Result<Tile, SlideError> {
        let side = |index: u32, limit: u32| {
            let start = index.saturating_mul(TILE_PX);
            (start, limit.saturating_sub(start).min(TILE_PX))
        };
        let ((x, width), (y, height)) = (side(col, self.size.width), side(row, self.size.height));
        #[expect(clippy::cast_possible_truncation, reason = "casts from floats saturate")]
        let full = |at: u32| (f64::from(at) * self.downsample).round() as i64;
        let rgba = self
            .slide
            .read(|slide| slide.read_region(self.index, (full(x), full(y)), (width, height)));
        let pixels = rgba.and_then(|rgba| Pixels::new(PixelSize { width, height }, rgba));
        Ok(pixels.map_or_else(Tile::lost, Tile::intact))
    }
}

#[derive(Debug)]
struct Picture {
    slide: Arc<Reopening>,
    name: String,
    size: PixelSize,
}

impl TileSource for Picture {
    fn size(&self) -> PixelSize {
        self.size
    }

    fn tile_size(&self) -> PixelSize {
        self.size
    }

    fn read(&self, _col: u32, _row: u32) -> Result<Tile, SlideError> {
        let rgba = self.slide.read(|slide| slide.read_picture(&self.name));
        let pixels = rgba.and_then(|rgba| Pixels::new(self.size, rgba));
        Ok(pixels.map_or_else(Tile::lost, Tile::intact))
    }
}

fn checked((width, height): (u64, u64)) -> Result<PixelSize, SlideError> {
    for side in [width, height] {
        if side == 0 {
            return Err(SlideError::malformed("slide", "OpenSlide finds a level without pixels"));
        }
        SlideError::check_limit("the side of a level", side, MAX_SIDE)?;
    }
    Ok(PixelSize { width: to_u32(width), height: to_u32(height) })
}

fn damaged(error: &Error) -> SlideError {
    SlideError::malformed("slide", format!("OpenSlide: {error}"))
}
