//! A tiled TIFF pyramid of one sample a pixel, of any size, written while its rows come from the top.
//!
//! Zlib tiles of 512 px; every level is half of the one before. Memory is that of one row of tiles per level. Tiles of
//! nothing but zeros are stored once. What was written is read back tile by tile and compared by its checksums.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::coords::PixelSize;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use super::atomic::Staged;
use super::tiff_writer::{TiffWriter, Value};
use super::{ExportError, SOFTWARE, heatmap_tiff};
use crate::file::SlideFile;
use crate::number::to_usize;
use crate::tiff_file::{Directory, TiffFile, tags};

/// Side of a tile.
const TILE_PX: u32 = 512;
/// Halving ends with a level that fits one tile.
const COARSEST_PX: u32 = TILE_PX;

/// A kind of number that pixels are.
pub(super) trait Sample: Copy + Default + PartialEq {
    /// Bits of one.
    const BITS: u16;
    /// `SampleFormat`: 1 for whole numbers, 3 for floating point.
    const FORMAT: u16;
    /// Appends its bytes, the lowest first.
    fn append(self, bytes: &mut Vec<u8>);
    /// The mean of some, of which there is at least one.
    fn mean(samples: impl Iterator<Item = Self> + Clone) -> Self;
}

impl Sample for u8 {
    const BITS: u16 = 8;
    const FORMAT: u16 = 1;

    fn append(self, bytes: &mut Vec<u8>) {
        bytes.push(self);
    }

    fn mean(samples: impl Iterator<Item = Self> + Clone) -> Self {
        let n = u16::try_from(samples.clone().count()).unwrap_or(1).max(1);
        let sum: u16 = samples.map(u16::from).sum();
        Self::try_from((sum + n / 2) / n).unwrap_or(Self::MAX)
    }
}

impl Sample for f32 {
    const BITS: u16 = 32;
    const FORMAT: u16 = 3;

    fn append(self, bytes: &mut Vec<u8>) {
        bytes.extend(self.to_le_bytes());
    }

    #[expect(clippy::cast_precision_loss, reason = "at most four")]
    fn mean(samples: impl Iterator<Item = Self> + Clone) -> Self {
        let n = samples.clone().count().max(1) as Self;
        samples.sum::<Self>() / n
    }
}

/// What a pixel of the next level is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halving {
    /// The mean of its 2 x 2 pixels; an odd last row or column stands for itself.
    Mean,
    /// As [`Self::Mean`], but an odd last row or column is dropped: sizes are rounded down.
    MeanOfWhole,
    /// The first of its 2 x 2 pixels, for numbers that are names; sizes are rounded down.
    First,
}

impl Halving {
    fn half(self, side: u32) -> u32 {
        if self == Self::Mean { side.div_ceil(2) } else { (side / 2).max(1) }
    }

    fn halved<S: Sample>(self, upper: &[S], lower: &[S]) -> Vec<S> {
        let pairs = upper.chunks(2).zip(lower.chunks(2));
        let is_kept = |(upper, _): &(&[S], &[S])| self == Self::Mean || upper.len() == 2;
        let merged = |(upper, lower): (&[S], &[S])| match self {
            Self::First => upper.first().copied().unwrap_or_default(),
            _ => S::mean(upper.iter().chain(lower).copied()),
        };
        pairs.filter(is_kept).map(merged).collect()
    }
}

/// Where the directories of coarser levels stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Behind the first one.
    Chain,
    /// Below the first one (`SubIFDs`), as OME-TIFF has it.
    Below,
}

/// What is to be written.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// What messages call the file.
    pub(super) noun: &'static str,
    /// Of the finest level.
    pub(super) size: PixelSize,
    pub(super) halving: Halving,
    pub(super) place: Place,
    /// Of 7-bit characters.
    pub(super) description: String,
    /// Pixels per cm across and down, where the slide is calibrated.
    pub(super) resolution: Option<[f64; 2]>,
}

/// A pyramid in the making. Dropped before [`Self::finish`] it leaves nothing.
#[derive(Debug)]
pub(super) struct Pyramid<S> {
    target: PathBuf,
    file: TiffWriter,
    levels: Vec<Level<S>>,
    plan: Plan,
}

/// One resolution: what is written of it, and the rows that are not yet a row of tiles.
#[derive(Debug)]
struct Level<S> {
    size: PixelSize,
    /// At most [`TILE_PX`] rows.
    band: Vec<S>,
    /// A row that waits for its neighbour below to become half a row of the next level.
    upper: Option<Vec<S>>,
    n_rows: u32,
    tiles: Vec<Tile>,
    /// One that holds nothing but zeros.
    blank: Option<Tile>,
}

/// A tile in the file.
#[derive(Clone, Copy, Debug)]
struct Tile {
    offset: u64,
    length: u64,
    /// Of its bytes before they were packed.
    checksum: u32,
}

impl<S: Sample> Pyramid<S> {
    /// Begins a file that will be called `target`.
    pub(super) fn begin(target: &Path, plan: Plan) -> Result<Self, ExportError> {
        let levels = levels_of::<S>(&plan);
        let n_pixels: u64 = levels.iter().map(|it| it.size.area()).sum();
        // Noise, zlib's worst case, grows by a few bytes in a thousand.
        let expected_bytes = n_pixels * u64::from(S::BITS / 8) / 50 * 51 + (1 << 20);
        let begun = TiffWriter::begin(target, expected_bytes);
        let file = begun.map_err(|cause| ExportError::Io { what: plan.noun, cause })?;
        Ok(Self::in_file(file, target, plan))
    }

    pub(super) fn in_file(file: TiffWriter, target: &Path, plan: Plan) -> Self {
        Self { target: target.to_owned(), file, levels: levels_of(&plan), plan }
    }

    /// Adds the next row of the finest level.
    pub(super) fn add_row(&mut self, row: Vec<S>) -> Result<(), ExportError> {
        let Self { file, levels, plan, .. } = self;
        add(levels, file, plan.halving, row)
            .map_err(|cause| ExportError::Io { what: plan.noun, cause })
    }

    /// Completes the file and reads it back; rows that were not added are 0.
    pub(super) fn finish(mut self) -> Result<Staged, ExportError> {
        while self.levels.first().is_some_and(|it| it.n_rows < it.size.height) {
            self.add_row(vec![S::default(); to_usize(self.plan.size.width)])?;
        }
        let Self { target, mut file, mut levels, plan } = self;
        let mut write = || {
            flush(&mut levels, &mut file, plan.halving)?;
            write_directories(&levels, &plan, &mut file)
        };
        let staged = write().and_then(|()| file.finish(&target, plan.noun));
        let staged = staged.map_err(|cause| ExportError::Io { what: plan.noun, cause })?;
        match check(&staged, &levels, plan.place) {
            Ok(()) => Ok(staged),
            Err(problem) => Err(ExportError::Mismatch { what: plan.noun, problem }),
        }
    }
}

fn levels_of<S: Sample>(plan: &Plan) -> Vec<Level<S>> {
    let half = |side: u32| plan.halving.half(side);
    let next = |size: &PixelSize| {
        let next = PixelSize { width: half(size.width), height: half(size.height) };
        (COARSEST_PX < size.width.max(size.height)).then_some(next)
    };
    std::iter::successors(Some(plan.size), next).map(Level::new).collect()
}

/// Adds a row to the first of `levels` and, where it completes a pair, half a row to the next.
fn add<S: Sample>(
    levels: &mut [Level<S>],
    file: &mut TiffWriter,
    halving: Halving,
    row: Vec<S>,
) -> io::Result<()> {
    let Some((level, coarser)) = levels.split_first_mut() else { return Ok(()) };
    if level.n_rows == level.size.height {
        return Ok(());
    }
    level.push(file, &row)?;
    match level.upper.take() {
        Some(upper) => add(coarser, file, halving, halving.halved(&upper, &row)),
        None => {
            level.upper = Some(row);
            Ok(())
        }
    }
}

/// Completes the last tiles of every level; an odd last row stands for itself where it counts.
fn flush<S: Sample>(
    levels: &mut [Level<S>],
    file: &mut TiffWriter,
    halving: Halving,
) -> io::Result<()> {
    let Some((level, coarser)) = levels.split_first_mut() else { return Ok(()) };
    level.write_tiles(file)?;
    if let Some(upper) = level.upper.take() {
        add(coarser, file, halving, halving.halved(&upper, &upper))?;
    }
    flush(coarser, file, halving)
}

fn write_directories<S: Sample>(
    levels: &[Level<S>],
    plan: &Plan,
    file: &mut TiffWriter,
) -> io::Result<()> {
    let Some((finest, coarser)) = levels.split_first() else { return Ok(()) };
    let mut below = Vec::new();
    if plan.place == Place::Below {
        for level in coarser {
            below.push(file.sub_directory(&level.entries(None, Vec::new()))?);
        }
    }
    file.directory(&finest.entries(Some(plan), below))?;
    if plan.place == Place::Chain {
        for level in coarser {
            file.directory(&level.entries(None, Vec::new()))?;
        }
    }
    Ok(())
}

impl<S: Sample> Level<S> {
    fn new(size: PixelSize) -> Self {
        Self { size, band: Vec::new(), upper: None, n_rows: 0, tiles: Vec::new(), blank: None }
    }

    fn push(&mut self, file: &mut TiffWriter, row: &[S]) -> io::Result<()> {
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
                tile.resize(tile.len().next_multiple_of(side), S::default());
            }
            tile.resize(side * side, S::default());
            let tile = self.write_tile(file, &tile)?;
            self.tiles.push(tile);
        }
        self.band.clear();
        Ok(())
    }

    fn write_tile(&mut self, file: &mut TiffWriter, tile: &[S]) -> io::Result<Tile> {
        let is_blank = tile.iter().all(|sample| *sample == S::default());
        if let Some(blank) = self.blank.filter(|_| is_blank) {
            return Ok(blank);
        }
        let mut bytes = Vec::with_capacity(size_of_val(tile));
        tile.iter().for_each(|sample| sample.append(&mut bytes));
        let checksum = checksum(&bytes);
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&bytes)?;
        let packed = zlib.finish()?;
        let written = Tile { offset: file.append(&packed)?, length: packed.len() as u64, checksum };
        if is_blank {
            self.blank = Some(written);
        }
        Ok(written)
    }

    /// The directory; `of_finest` holds what only the first one says.
    fn entries(&self, of_finest: Option<&Plan>, below: Vec<u64>) -> Vec<(tags::Tag, Value)> {
        let one = |value: u16| Value::Shorts(vec![value]);
        let places =
            |place: fn(&Tile) -> u64| Value::Offsets(self.tiles.iter().map(place).collect());
        let mut entries = vec![
            (tags::SUBFILE_TYPE, Value::Longs(vec![u32::from(of_finest.is_none())])),
            (tags::IMAGE_WIDTH, Value::Longs(vec![self.size.width])),
            (tags::IMAGE_LENGTH, Value::Longs(vec![self.size.height])),
            (tags::BITS_PER_SAMPLE, one(S::BITS)),
            (tags::COMPRESSION, one(8)),
            (tags::PHOTOMETRIC, one(1)),
        ];
        if let Some(plan) = of_finest {
            entries.push((tags::IMAGE_DESCRIPTION, Value::Ascii(plan.description.clone())));
        }
        entries.push((tags::SAMPLES_PER_PIXEL, one(1)));
        if let Some([across, down]) = of_finest.and_then(|plan| plan.resolution) {
            entries.push((tags::X_RESOLUTION, rational(across)));
            entries.push((tags::Y_RESOLUTION, rational(down)));
            entries.push((tags::RESOLUTION_UNIT, one(3)));
        }
        entries.extend([
            (tags::SOFTWARE, Value::Ascii(SOFTWARE.to_owned())),
            (tags::TILE_WIDTH, Value::Longs(vec![TILE_PX])),
            (tags::TILE_LENGTH, Value::Longs(vec![TILE_PX])),
            (tags::TILE_OFFSETS, places(|tile| tile.offset)),
            (tags::TILE_BYTE_COUNTS, places(|tile| tile.length)),
        ]);
        if !below.is_empty() {
            entries.push((tags::SUB_IFDS, Value::Offsets(below)));
        }
        entries.push((tags::SAMPLE_FORMAT, one(S::FORMAT)));
        entries
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn rational(value: f64) -> Value {
    let tiff::encoder::Rational { n, d } = heatmap_tiff::rational(value);
    Value::Rational(n, d)
}

/// Reads every tile of every level where the directories say it lies.
fn check<S: Sample>(staged: &Staged, levels: &[Level<S>], place: Place) -> Result<(), String> {
    let file = SlideFile::open(staged.path()).map_err(|error| error.to_string())?;
    let tiff = TiffFile::open(&Arc::new(file)).map_err(|error| error.to_string())?;
    let tiff = tiff.ok_or("it is no TIFF")?;
    let found = match place {
        Place::Chain => tiff.directories.clone(),
        Place::Below => [vec![tiff.first().clone()], tiff.first().children()].concat(),
    };
    if found.len() != levels.len() {
        return Err(format!("{} levels were written, {} read", levels.len(), found.len()));
    }
    for (level, directory) in levels.iter().zip(&found) {
        check_level(level, directory)?;
    }
    Ok(())
}

fn check_level<S: Sample>(level: &Level<S>, directory: &Directory) -> Result<(), String> {
    let numbers = |tag| directory.unsigneds(tag).map_err(|error| error.to_string());
    let (offsets, lengths) = (numbers(tags::TILE_OFFSETS)?, numbers(tags::TILE_BYTE_COUNTS)?);
    let size = [numbers(tags::IMAGE_WIDTH)?, numbers(tags::IMAGE_LENGTH)?].concat();
    let expected = [u64::from(level.size.width), u64::from(level.size.height)];
    if size != expected || offsets.len() != level.tiles.len() || lengths.len() != offsets.len() {
        return Err(format!("a level of {expected:?} pixels was written, {size:?} read"));
    }
    let places = offsets.into_iter().zip(lengths);
    let mut known: Option<(u64, u32)> = None;
    for (tile, (offset, length)) in level.tiles.iter().zip(places) {
        let found = match known {
            Some((at, checksum)) if at == offset => checksum,
            _ => checksum_at(directory, offset, length)?,
        };
        known = Some((offset, found));
        if found != tile.checksum {
            return Err("a tile holds other values".to_owned());
        }
    }
    Ok(())
}

fn checksum_at(directory: &Directory, offset: u64, length: u64) -> Result<u32, String> {
    let packed = directory.bytes().file.read(offset, length).map_err(|error| error.to_string())?;
    let mut plain = flate2::write::ZlibDecoder::new(Vec::new());
    let unpacked = plain.write_all(&packed).and_then(|()| plain.finish());
    unpacked.map(|bytes| checksum(&bytes)).map_err(|error| error.to_string())
}
