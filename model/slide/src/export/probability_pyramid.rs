//! Lesion probabilities of a slide of any size as a tiled pyramid: `<stem>.refined.tif`.
//!
//! 8-bit gray, 255 = 1, in zlib tiles of 512 px; every level is half of the one before, the mean of 2 x 2 pixels. Rows
//! come from the top while they are computed; memory is that of one row of tiles per level. Opens like any other slide.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use domain::coords::{Level0Rect, PixelSize};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::Value as Json;

use super::atomic::Staged;
use super::frame::{self, Framed};
use super::tiff_writer::{TiffWriter, Value};
use super::{ExportError, SOFTWARE, SlideFacts, heatmap_tiff};
use crate::number::to_usize;
use crate::tiff_file::tags;

/// What messages call the file.
const NOUN: &str = "refined map";
/// Side of a tile.
const TILE_PX: u32 = 512;
/// Halving ends with a level that fits one tile.
const COARSEST_PX: u32 = TILE_PX;

/// What a pyramid is a map of.
#[derive(Clone, Debug)]
pub struct PyramidFacts<'a> {
    /// The slide it belongs to.
    pub slide: SlideFacts,
    /// Name of the model.
    pub model: &'a str,
    /// Pixels of the finest level.
    pub size: PixelSize,
    /// Where they lie.
    pub frame: Level0Rect,
}

/// A pyramid in the making. Dropped before [`Self::finish`] it leaves nothing.
#[derive(Debug)]
pub struct ProbabilityPyramid {
    target: PathBuf,
    file: TiffWriter,
    levels: Vec<Level>,
    description: String,
    /// Pixels per cm across and down, where the slide is calibrated.
    resolution: Option<[f64; 2]>,
}

/// One resolution: what is written of it, and the rows that are not yet a row of tiles.
#[derive(Debug)]
struct Level {
    size: PixelSize,
    /// At most [`TILE_PX`] rows.
    band: Vec<u8>,
    /// A row that waits for its neighbour below to become half a row of the next level.
    upper: Option<Vec<u8>>,
    n_rows: u32,
    offsets: Vec<u64>,
    lengths: Vec<u64>,
}

impl ProbabilityPyramid {
    /// Begins a file that will be called `target`.
    ///
    /// # Errors
    /// If its folder is missing, not writable or full.
    pub fn begin(target: &Path, facts: &PyramidFacts<'_>) -> Result<Self, ExportError> {
        let levels = levels_of(facts.size);
        let n_pixels: u64 = levels.iter().map(|it| it.size.area()).sum();
        // Noise, zlib's worst case, grows by a few bytes in a thousand.
        let expected_bytes = n_pixels / 50 * 51 + (1 << 20);
        let file = TiffWriter::begin(target, expected_bytes).map_err(refused)?;
        Ok(Self::in_file(file, target, levels, facts))
    }

    fn in_file(
        file: TiffWriter,
        target: &Path,
        levels: Vec<Level>,
        facts: &PyramidFacts<'_>,
    ) -> Self {
        let framed = Framed { slide: &facts.slide, model: facts.model, frame: facts.frame };
        let json = Json::Object(frame::frame(&framed, facts.size)).to_string();
        let per_cm = |pixels: u32, length_um: f64| f64::from(pixels) * 1e4 / length_um;
        let resolution = facts.slide.mpp.map(|mpp| {
            [
                per_cm(facts.size.width, facts.frame.width * mpp.x()),
                per_cm(facts.size.height, facts.frame.height * mpp.y()),
            ]
        });
        let description = heatmap_tiff::ascii(&json);
        Self { target: target.to_owned(), file, levels, description, resolution }
    }

    /// Adds the next row of the finest level; values outside `0.0..=1.0` are clamped.
    ///
    /// # Errors
    /// If the disk is full.
    pub fn add_row(&mut self, probabilities: &[f32]) -> Result<(), ExportError> {
        let row: Vec<u8> = probabilities.iter().map(|it| byte(*it)).collect();
        add(&mut self.levels, &mut self.file, row).map_err(refused)
    }

    /// Completes the file; rows that were not added are 0.
    ///
    /// # Errors
    /// If the disk is full.
    pub fn finish(mut self) -> Result<Staged, ExportError> {
        let finest = self.levels.first().map_or(PixelSize::default(), |it| it.size);
        while self.levels.first().is_some_and(|it| it.n_rows < finest.height) {
            self.add_row(&vec![0.0; to_usize(finest.width)])?;
        }
        let Self { target, mut file, mut levels, description, resolution } = self;
        let write = || {
            flush(&mut levels, &mut file)?;
            for (index, level) in levels.iter().enumerate() {
                let of_finest = (index == 0).then_some((description.as_str(), resolution));
                file.directory(&level.entries(of_finest))?;
            }
            file.finish(&target, NOUN)
        };
        write().map_err(refused)
    }
}

fn refused(cause: io::Error) -> ExportError {
    ExportError::Io { what: NOUN, cause }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate")]
fn byte(probability: f32) -> u8 {
    (probability * 255.0 + 0.5) as u8
}

fn levels_of(finest: PixelSize) -> Vec<Level> {
    let sizes = std::iter::successors(Some(finest), |it| half(*it));
    sizes.map(Level::new).collect()
}

/// The next level's size; `None` behind the coarsest.
fn half(size: PixelSize) -> Option<PixelSize> {
    let next = PixelSize { width: size.width.div_ceil(2), height: size.height.div_ceil(2) };
    (COARSEST_PX < size.width.max(size.height)).then_some(next)
}

/// Adds a row to the first of `levels` and, where it completes a pair, half a row to the next.
fn add(levels: &mut [Level], file: &mut TiffWriter, row: Vec<u8>) -> io::Result<()> {
    let Some((level, coarser)) = levels.split_first_mut() else { return Ok(()) };
    level.push(file, &row)?;
    match level.upper.take() {
        Some(upper) => add(coarser, file, halved(&upper, &row)),
        None => {
            level.upper = Some(row);
            Ok(())
        }
    }
}

/// Completes the last tiles of every level; an odd last row stands for itself.
fn flush(levels: &mut [Level], file: &mut TiffWriter) -> io::Result<()> {
    let Some((level, coarser)) = levels.split_first_mut() else { return Ok(()) };
    level.write_tiles(file)?;
    if let Some(upper) = level.upper.take() {
        add(coarser, file, halved(&upper, &upper))?;
    }
    flush(coarser, file)
}

/// Means of 2 x 2 pixels; an odd last column stands for itself.
fn halved(upper: &[u8], lower: &[u8]) -> Vec<u8> {
    let mean = |(upper, lower): (&[u8], &[u8])| {
        let sum: u16 = upper.iter().chain(lower).map(|it| u16::from(*it)).sum();
        let n = if upper.len() == 2 { 4 } else { 2 };
        u8::try_from((sum + n / 2) / n).unwrap_or(u8::MAX)
    };
    upper.chunks(2).zip(lower.chunks(2)).map(mean).collect()
}

impl Level {
    fn new(size: PixelSize) -> Self {
        let (band, upper) = (Vec::new(), None);
        Self { size, band, upper, n_rows: 0, offsets: Vec::new(), lengths: Vec::new() }
    }

    fn push(&mut self, file: &mut TiffWriter, row: &[u8]) -> io::Result<()> {
        self.band.extend(row);
        self.n_rows += 1;
        if self.n_rows.is_multiple_of(TILE_PX) { self.write_tiles(file) } else { Ok(()) }
    }

    /// Writes the rows that wait as one row of tiles.
    fn write_tiles(&mut self, file: &mut TiffWriter) -> io::Result<()> {
        if self.band.is_empty() {
            return Ok(());
        }
        let (width, side) = (to_usize(self.size.width), to_usize(TILE_PX));
        for left in (0..width).step_by(side) {
            let mut tile = Vec::with_capacity(side * side);
            for row in self.band.chunks_exact(width) {
                tile.extend(row.iter().skip(left).take(side));
                tile.resize(tile.len().next_multiple_of(side), 0);
            }
            tile.resize(side * side, 0);
            let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
            zlib.write_all(&tile)?;
            let bytes = zlib.finish()?;
            self.lengths.push(bytes.len() as u64);
            self.offsets.push(file.append(&bytes)?);
        }
        self.band.clear();
        Ok(())
    }

    /// The directory; `of_finest` holds what only the first one says.
    fn entries(&self, of_finest: Option<(&str, Option<[f64; 2]>)>) -> Vec<(tags::Tag, Value)> {
        let one = |value: u16| Value::Shorts(vec![value]);
        let mut entries = vec![
            (tags::SUBFILE_TYPE, Value::Longs(vec![u32::from(of_finest.is_none())])),
            (tags::IMAGE_WIDTH, Value::Longs(vec![self.size.width])),
            (tags::IMAGE_LENGTH, Value::Longs(vec![self.size.height])),
            (tags::BITS_PER_SAMPLE, one(8)),
            (tags::COMPRESSION, one(8)),
            (tags::PHOTOMETRIC, one(1)),
        ];
        if let Some((description, _)) = of_finest {
            entries.push((tags::IMAGE_DESCRIPTION, Value::Ascii(description.to_owned())));
        }
        entries.push((tags::SAMPLES_PER_PIXEL, one(1)));
        if let Some((_, Some([across, down]))) = of_finest {
            entries.push((tags::X_RESOLUTION, rational(across)));
            entries.push((tags::Y_RESOLUTION, rational(down)));
            entries.push((tags::RESOLUTION_UNIT, one(3)));
        }
        entries.extend([
            (tags::SOFTWARE, Value::Ascii(SOFTWARE.to_owned())),
            (tags::TILE_WIDTH, Value::Longs(vec![TILE_PX])),
            (tags::TILE_LENGTH, Value::Longs(vec![TILE_PX])),
            (tags::TILE_OFFSETS, Value::Offsets(self.offsets.clone())),
            (tags::TILE_BYTE_COUNTS, Value::Offsets(self.lengths.clone())),
        ]);
        entries
    }
}

fn rational(value: f64) -> Value {
    let tiff::encoder::Rational { n, d } = heatmap_tiff::rational(value);
    Value::Rational(n, d)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Slide;
    use crate::number::to_u32;
    use domain::coords::LevelRect;
    use domain::id::{LevelIndex, SlideId};
    use domain::scale::Mpp;

    fn facts(width: u32, height: u32) -> PyramidFacts<'static> {
        let size = PixelSize { width, height };
        let frame = Level0Rect {
            x: 0.0,
            y: 0.0,
            width: 2.0 * f64::from(width),
            height: 2.0 * f64::from(height),
        };
        let slide = SlideFacts {
            id: SlideId("f00d".to_owned()),
            size: PixelSize { width: 2 * width, height: 2 * height },
            mpp: Mpp::new(0.25, 0.25),
            bounds: None,
        };
        PyramidFacts { slide, model: "test", size, frame }
    }

    fn value(x: u32, y: u32) -> f32 {
        ((x * 7 + y * 13) % 256) as f32 / 255.0
    }

    fn written(folder: &Path, facts: &PyramidFacts<'_>) -> PathBuf {
        let target = folder.join("case.refined.tif");
        let mut pyramid = ProbabilityPyramid::begin(&target, facts).unwrap();
        for y in 0..facts.size.height {
            let row: Vec<f32> = (0..facts.size.width).map(|x| value(x, y)).collect();
            pyramid.add_row(&row).unwrap();
        }
        pyramid.finish().unwrap().publish().unwrap()
    }

    #[test]
    fn a_pyramid_opens_as_a_slide_with_every_value_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let (width, height) = (1301, 777);
        let slide = Slide::open(&written(folder.path(), &facts(width, height))).unwrap();
        let sizes: Vec<[u32; 2]> =
            slide.levels().iter().map(|it| [it.size.width, it.size.height]).collect();
        assert_eq!(sizes[..3], [[1301, 777], [651, 389], [326, 195]]);
        assert!((slide.mpp().unwrap().x() - 0.5).abs() < 1e-3, "two slide pixels each");
        let rect = LevelRect { x: 0, y: 0, size: PixelSize { width, height } };
        let region = slide.read_region(LevelIndex(0), rect).unwrap();
        assert_eq!(region.damaged_tiles, 0);
        for (i, pixel) in region.pixels.rgba().chunks_exact(4).enumerate() {
            let (x, y) = (to_u32(i) % width, to_u32(i) / width);
            assert_eq!(pixel[0], byte(value(x, y)), "{x}, {y}");
        }
        let size = PixelSize { width: 651, height: 389 };
        let coarse = slide.read_region(LevelIndex(1), LevelRect { x: 0, y: 0, size }).unwrap();
        let sum: f32 = [(10, 4), (11, 4), (10, 5), (11, 5)].map(|(x, y)| value(x, y)).iter().sum();
        let found = coarse.pixels.get(5, 2).unwrap()[0];
        assert!((f32::from(found) - sum / 4.0 * 255.0).abs() <= 1.0);
        let corner = coarse.pixels.get(650, 388).unwrap()[0];
        assert_eq!(corner, byte(value(1300, 776)), "an odd corner stands for itself");
    }

    #[test]
    fn offsets_are_wide_where_the_file_may_need_it() {
        let folder = tempfile::tempdir().unwrap();
        let (target, facts) = (folder.path().join("big.tif"), facts(700, 600));
        let file = TiffWriter::begin(&target, 1 << 33).unwrap();
        let mut pyramid = ProbabilityPyramid::in_file(file, &target, levels_of(facts.size), &facts);
        pyramid.add_row(&vec![1.0; 700]).unwrap();
        let path = pyramid.finish().unwrap().publish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap()[2], 43, "BigTIFF");
        let slide = Slide::open(&path).unwrap();
        let rect = LevelRect { x: 699, y: 0, size: PixelSize { width: 1, height: 2 } };
        let region = slide.read_region(LevelIndex(0), rect).unwrap();
        assert_eq!(region.pixels.rgba(), [255, 255, 255, 255, 0, 0, 0, 255]);
    }

    #[test]
    fn the_description_says_where_the_map_lies() {
        let folder = tempfile::tempdir().unwrap();
        let slide = Slide::open(&written(folder.path(), &facts(40, 30))).unwrap();
        let text = &slide.properties()["tiff.ImageDescription"];
        let json: Json = serde_json::from_str(text).unwrap();
        assert_eq!(json["width"], 80.0);
        assert_eq!(json["downsample"]["x"], 2.0);
        assert_eq!(json["slide"]["id"], "f00d");
    }

    #[test]
    fn an_unfinished_pyramid_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.tif");
        drop(ProbabilityPyramid::begin(&target, &facts(600, 20)).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
