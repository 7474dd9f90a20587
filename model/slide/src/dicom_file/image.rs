//! One level or picture of a series as tiles: its frames, by grid or one by one (PS3.3 C.8.12.14, C.7.6.17.3).

use std::sync::Arc;

use domain::coords::{LevelRect, PixelSize};

use super::frame_codec::FrameCodec;
use super::pixel_data::Frames;
use super::{DicomFile, FramePlace, tags};
use crate::SlideError;
use crate::channel::{PlaneSource, PlaneTile};
use crate::limits::{MAX_SIDE, MAX_TILE_PIXELS, MAX_TILES, check_tiles};
use crate::mosaic::Mosaic;
use crate::number::to_u32;
use crate::tile::{Part as Shown, Placement, Tile, TileSource, grid_under};

/// Optical paths that are shown as channels.
const MAX_PATHS: u64 = 64;

/// One file of a level, with what stands in its headers.
#[derive(Debug)]
pub(crate) struct Part {
    /// The file.
    pub(crate) dicom: Arc<DicomFile>,
    /// The number of its first frame within the level; not 0 only for the later files of a concatenation.
    pub(crate) first_frame: u64,
}

/// A level, or a picture beside the slide.
#[derive(Debug)]
pub(crate) struct DicomImage {
    size: PixelSize,
    tile: PixelSize,
    codec: FrameCodec,
    /// The files' frames, by the number of their first one.
    parts: Vec<(u64, Frames)>,
    places: Places,
    /// Optical paths whose frames follow one another.
    n_paths: u64,
    /// Frames of one optical path, all focal planes.
    frames_per_path: u64,
}

/// Which frame lies where.
#[derive(Debug)]
enum Places {
    /// Row by row, without gaps, from this frame on.
    Full {
        /// Frames of other focal planes come before.
        first_frame: u64,
        /// Frames in a row.
        across: u64,
    },
    /// Frames at places of their own.
    Sparse(Mosaic),
}

impl DicomImage {
    /// Joins the files of one level; `parts` is not empty.
    pub(crate) fn new(parts: Vec<Part>) -> Result<Self, SlideError> {
        let Some(first) = parts.first().map(|part| Arc::clone(&part.dicom)) else {
            return Err(SlideError::malformed("DICOM", "a level has no file"));
        };
        let data = &first.data;
        let tile =
            PixelSize { width: side(&first, tags::COLUMNS)?, height: side(&first, tags::ROWS)? };
        SlideError::check_limit("the pixels of a frame", tile.area(), MAX_TILE_PIXELS)?;
        let size = if data.has(tags::MATRIX_COLUMNS) {
            let (width, height) =
                (side(&first, tags::MATRIX_COLUMNS)?, side(&first, tags::MATRIX_ROWS)?);
            PixelSize { width, height }
        } else {
            tile
        };
        let across = u64::from(size.width.div_ceil(tile.width));
        let n_tiles = across * u64::from(size.height.div_ceil(tile.height));
        check_tiles(n_tiles, tile)?;
        let codec = FrameCodec::of(&first)?;
        let count = |tag| data.unsigned(tag).unwrap_or(1).clamp(1, MAX_TILES);
        let frames_per_path = n_tiles.saturating_mul(count(tags::N_FOCAL_PLANES));
        let n_paths = if codec.is_gray() { count(tags::N_OPTICAL_PATHS) } else { 1 };
        let places = if parts.iter().any(|part| !part.dicom.places.is_empty()) {
            Places::Sparse(sparse_places(&parts, size, tile))
        } else if data.text(tags::ORGANIZATION).as_deref() == Some("TILED_FULL") || n_tiles == 1 {
            let middle_plane = (count(tags::N_FOCAL_PLANES) - 1) / 2;
            Places::Full { first_frame: middle_plane.saturating_mul(n_tiles), across }
        } else {
            return Err(SlideError::malformed("DICOM", "nothing says where the frames lie"));
        };
        let native_bytes = codec.native_bytes(tile);
        let parts = parts
            .iter()
            .map(|part| Ok((part.first_frame, Frames::new(&part.dicom, native_bytes)?)))
            .collect::<Result<Vec<(u64, Frames)>, SlideError>>()?;
        let n_frames: u64 = parts.iter().map(|(_, frames)| frames.n_frames()).sum();
        if matches!(places, Places::Full { .. }) && n_frames < n_tiles {
            tracing::warn!("a level of {n_tiles} tiles has {n_frames} frames; the others are lost");
        }
        Ok(Self { size, tile, codec, parts, places, n_paths, frames_per_path })
    }

    /// The number of the frame that the first optical path stores as a tile.
    fn index(&self, col: u32, row: u32) -> u64 {
        match self.places {
            Places::Full { first_frame, across } => {
                first_frame + u64::from(row) * across + u64::from(col)
            }
            Places::Sparse(_) => col.into(),
        }
    }

    /// The optical paths of a level of one gray sample as channels; a single one for places that stand one by one.
    pub(crate) fn planes(self) -> Vec<Box<dyn PlaneSource>> {
        let n_paths = if matches!(self.places, Places::Full { .. }) { self.n_paths } else { 1 };
        let image = Arc::new(self);
        let plane = |path| -> Box<dyn PlaneSource> {
            Box::new(DicomPlane { image: Arc::clone(&image), path })
        };
        (0..n_paths.min(MAX_PATHS)).map(plane).collect()
    }

    /// How many channels [`Self::planes`] gives; `None` for levels in colour, and for those that no grid holds.
    pub(crate) fn n_planes(&self) -> Option<u64> {
        let is_grid = matches!(self.places, Places::Full { .. });
        (self.codec.is_gray() && is_grid).then_some(self.n_paths.min(MAX_PATHS))
    }

    /// The stored bytes of a frame; `None`, with a word on why, if they are lost.
    fn frame(&self, frame: u64) -> Result<Option<Vec<u8>>, SlideError> {
        let holder = self.parts.iter().find_map(|(first, frames)| {
            let index = frame.checked_sub(*first).filter(|&index| index < frames.n_frames())?;
            Some((frames, index))
        });
        // That frames are missing was said once, of all of them.
        let Some((frames, index)) = holder else { return Ok(None) };
        intact(frame, frames.read(index))
    }
}

/// One optical path of a level.
#[derive(Debug)]
struct DicomPlane {
    image: Arc<DicomImage>,
    path: u64,
}

impl PlaneSource for DicomPlane {
    fn size(&self) -> PixelSize {
        self.image.size
    }

    fn tile_size(&self) -> PixelSize {
        self.image.tile
    }

    fn read(&self, col: u32, row: u32) -> Result<PlaneTile, SlideError> {
        let image = &self.image;
        let frame = image.index(col, row) + self.path * image.frames_per_path;
        let values = |stored| intact(frame, image.codec.values(stored, image.tile));
        let values = image.frame(frame)?.map_or(Ok(None), values)?;
        Ok(PlaneTile { n_damaged: values.is_none().into(), values })
    }
}

impl TileSource for DicomImage {
    fn size(&self) -> PixelSize {
        self.size
    }

    fn tile_size(&self) -> PixelSize {
        self.tile
    }

    fn tiles_under(&self, rect: LevelRect) -> Box<dyn Iterator<Item = Placement> + '_> {
        let Places::Sparse(places) = &self.places else {
            return Box::new(grid_under(self.size, self.tile, rect));
        };
        Box::new(places.under(rect).into_iter())
    }

    fn read_part(&self, col: u32, row: u32, part: Shown) -> Option<Tile> {
        let stored = self.frame(self.index(col, row)).ok()??;
        self.codec.decode_part(&stored, self.tile, part).map(Tile::intact)
    }

    fn read(&self, col: u32, row: u32) -> Result<Tile, SlideError> {
        let frame = self.index(col, row);
        let decode = |stored| intact(frame, self.codec.decode(stored, self.tile));
        Ok(self.frame(frame)?.map_or(Ok(None), decode)?.unwrap_or_else(Tile::lost))
    }
}

/// `None`, with a word on why, for what is damaged.
fn intact<T>(frame: u64, read: Result<T, SlideError>) -> Result<Option<T>, SlideError> {
    match read {
        Ok(it) => Ok(Some(it)),
        Err(error @ SlideError::Io(_)) => Err(error),
        Err(damage) => {
            tracing::warn!("frame {frame} is lost: {damage}");
            Ok(None)
        }
    }
}

/// The frames of the first optical path and of its middle focal plane.
fn sparse_places(parts: &[Part], size: PixelSize, tile: PixelSize) -> Mosaic {
    let mut places: Vec<(u32, FramePlace)> = Vec::new();
    for part in parts {
        let frames = part.dicom.places.iter().zip(part.first_frame..);
        places.extend(frames.map(|(place, frame)| (to_u32(frame), *place)));
    }
    let path = places.first().map(|(_, place)| place.path);
    places.retain(|(_, place)| Some(place.path) == path);
    let mut planes: Vec<f64> = places.iter().map(|(_, place)| place.z).collect();
    planes.sort_by(f64::total_cmp);
    planes.dedup();
    let plane = planes.get(planes.len().saturating_sub(1) / 2).copied();
    let inside = |side: u32, at: i64, tile: u32| {
        to_u32(i64::from(side).saturating_sub(at).clamp(0, tile.into()))
    };
    let pieces = places.iter().filter(|(_, place)| Some(place.z) == plane).map(|(frame, place)| {
        let part = Shown::top_left(
            inside(size.width, place.x, tile.width),
            inside(size.height, place.y, tile.height),
        );
        Placement { col: *frame, row: 0, x: place.x, y: place.y, part }
    });
    Mosaic::new(pieces.collect())
}

fn side(dicom: &DicomFile, tag: u32) -> Result<u32, SlideError> {
    let pixels = dicom.data.unsigned(tag).unwrap_or(0);
    if pixels == 0 {
        return Err(SlideError::malformed("DICOM", "a file does not say how large its picture is"));
    }
    SlideError::check_limit("the side of a picture", pixels, MAX_SIDE)?;
    Ok(to_u32(pixels))
}
