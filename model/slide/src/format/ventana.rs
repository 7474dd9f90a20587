//! Ventana BIF: tiles that overlap, with the overlaps in XML.
//!
//! The scanner's word is the XMP of some directory (`iScan`); directories described as `level=N mag=M` are the levels.
//! The XMP of level 0 (`EncodeInfo`) lists, area by area, by how much neighbouring camera frames overlap; as in
//! OpenSlide, the mean over all of them, weighted by confidence, places every frame. Coarser levels store the same frames
//! smaller, several to a tile and still side by side.

use std::collections::BTreeMap;
use std::ops::Range;

use domain::coords::{LevelRect, PixelSize};
use domain::scale::Mpp;
use roxmltree::Node;

use super::Opened;
use super::associated;
use super::text::{decimal, fields, parse_xml};
use crate::SlideError;
use crate::limits::{MAX_SIDE, MAX_TILES};
use crate::number::{nearest, to_u32};
use crate::properties::tiff_properties;
use crate::tiff_file::{Directory, TiffFile, TiffImage, tags};
use crate::tile::{Part, Placement, Tile, TileSource};

const FORMAT: &str = "Ventana BIF";

/// Whether some directory carries the scanner's XML.
pub(super) fn is_ventana(tiff: &TiffFile) -> bool {
    tiff.directories.iter().any(|it| xmp(it).is_some_and(|text| text.contains("<iScan")))
}

/// Opens the slide.
pub(super) fn open(tiff: TiffFile) -> Result<Opened, SlideError> {
    let mut levels: Vec<(f64, &Directory)> =
        tiff.directories.iter().filter_map(|it| Some((magnification(it)?, it))).collect();
    levels.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let Some(&(finest_magnification, finest)) = levels.first() else {
        return Err(SlideError::malformed(FORMAT, "no directory is described as a level"));
    };
    let frames = Frames::parse(finest)?;
    let mut sources: Vec<Box<dyn TileSource>> = Vec::with_capacity(levels.len());
    for (magnification, directory) in levels.iter().copied() {
        sources.push(Box::new(Joined::new(
            directory,
            &frames,
            finest_magnification / magnification,
        )?));
    }
    let scan = scan_attributes(&tiff);
    let number = |key: &str| scan.get(key).and_then(|text| decimal(text));
    let mut properties = tiff_properties(finest);
    properties.extend(frames.regions());
    properties.extend(
        scan.iter()
            .filter(|(_, it)| !it.is_empty())
            .map(|(key, it)| (format!("ventana.{key}"), it.clone())),
    );
    Ok(Opened {
        mpp: number("ScanRes").and_then(|mpp| Mpp::new(mpp, mpp)),
        objective_power: number("Magnification").filter(|&power| 0.0 < power),
        icc: finest.blob(tags::ICC_PROFILE),
        associated: tiff
            .directories
            .iter()
            .filter_map(|it| associated::from_directory(associated_name(it)?, it))
            .collect(),
        properties,
        fingerprint: tiff.tables.clone(),
        ..Opened::new("ventana", sources)
    })
}

fn xmp(directory: &Directory) -> Option<String> {
    let raw = directory.raw(tags::XMP).ok()??;
    let text = String::from_utf8_lossy(&raw);
    Some(text.trim_matches(['\0', ' ', '\n', '\r', '\t']).to_owned())
}

/// The attributes of `iScan`.
fn scan_attributes(tiff: &TiffFile) -> BTreeMap<String, String> {
    let texts = tiff.directories.iter().filter_map(xmp);
    for text in texts.filter(|text| text.contains("<iScan")) {
        let Ok(document) = parse_xml("Ventana", &text) else { continue };
        let scan = document.descendants().find(|it| it.has_tag_name("iScan"));
        if let Some(scan) = scan {
            return scan
                .attributes()
                .map(|it| (it.name().to_owned(), it.value().to_owned()))
                .collect();
        }
    }
    BTreeMap::new()
}

/// The `mag` of a description `level=0 mag=40 quality=90`.
fn magnification(directory: &Directory) -> Option<f64> {
    let description = directory.text(tags::IMAGE_DESCRIPTION)?;
    let fields: BTreeMap<String, String> = fields(description.split_whitespace()).collect();
    fields.get("level")?;
    fields.get("mag").and_then(|text| decimal(text)).filter(|&it| 0.0 < it)
}

fn associated_name(directory: &Directory) -> Option<&'static str> {
    match directory.text(tags::IMAGE_DESCRIPTION)?.trim() {
        "Label Image" | "Label_Image" => Some("macro"),
        "Thumbnail" => Some("thumbnail"),
        _ => None,
    }
}

/// How the camera's frames lie in level 0.
#[derive(Clone, Debug)]
struct Frames {
    /// Columns and rows of frames, one pair an area.
    areas: Vec<(Range<u32>, Range<u32>)>,
    frame: PixelSize,
    /// Pixels from one frame to the next.
    advance: [f64; 2],
}

impl Frames {
    fn parse(finest: &Directory) -> Result<Self, SlideError> {
        let frame = TiffImage::new(finest)?.tile_size();
        let text = xmp(finest).unwrap_or_default();
        let document = parse_xml(FORMAT, &text)?;
        let infos = document.descendants().filter(|it| it.has_tag_name("ImageInfo"));
        let mut areas = Vec::new();
        let mut overlaps = [Mean::default(), Mean::default()];
        for info in infos.filter(|it| it.attribute("AOIScanned") != Some("0")) {
            let origin = format!("AOI{}", info.attribute("AOIIndex").unwrap_or("0"));
            let origin = document.descendants().find(|it| it.has_tag_name(origin.as_str()));
            areas.push(area(info, origin, frame)?);
            for joint in info.children().filter(|it| it.has_tag_name("TileJointInfo")) {
                let weight = number(joint, "Confidence").unwrap_or(0.0).max(0.0);
                match joint.attribute("Direction") {
                    Some("LEFT" | "RIGHT") => overlaps[0].add(number(joint, "OverlapX"), weight),
                    _ => overlaps[1].add(number(joint, "OverlapY"), weight),
                }
            }
        }
        if areas.is_empty() {
            return Err(SlideError::malformed(FORMAT, "no scanned area is listed"));
        }
        let [x, y] = &overlaps;
        let advance = [f64::from(frame.width) - x.value(), f64::from(frame.height) - y.value()];
        let largest = [f64::from(frame.width) * 2.0, f64::from(frame.height) * 2.0];
        if advance.iter().zip(largest).any(|(&it, largest)| !(1.0..=largest).contains(&it)) {
            return Err(SlideError::malformed(FORMAT, "its tiles overlap by more than a tile"));
        }
        Ok(Self { areas, frame, advance })
    }

    /// The areas in pixels of level 0.
    fn regions(&self) -> BTreeMap<String, String> {
        let mut properties = BTreeMap::new();
        for (index, (cols, rows)) in self.areas.iter().enumerate() {
            let [x, y] =
                [self.line(cols, 0, self.frame.width), self.line(rows, 1, self.frame.height)];
            for (key, value) in [("x", x.0), ("y", y.0), ("width", x.1), ("height", y.1)] {
                properties.insert(format!("openslide.region[{index}].{key}"), value.to_string());
            }
        }
        properties
    }

    /// Start and length of an area along one axis.
    fn line(&self, range: &Range<u32>, axis: usize, frame: u32) -> (i64, i64) {
        let advance = self.advance.get(axis).copied().unwrap_or(1.0);
        let start = f64::from(range.start) * advance;
        let end = f64::from(range.end.saturating_sub(1)) * advance + f64::from(frame);
        (nearest(start), nearest(end.ceil()) - nearest(start))
    }
}

/// A weighted mean.
#[derive(Default)]
struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    fn add(&mut self, value: Option<f64>, weight: f64) {
        if let Some(value) = value {
            self.sum += value * weight;
            self.weight += weight;
        }
    }

    fn value(&self) -> f64 {
        if self.weight == 0.0 { 0.0 } else { self.sum / self.weight }
    }
}

fn number(node: Node<'_, '_>, key: &str) -> Option<f64> {
    node.attribute(key).and_then(decimal)
}

fn area(
    info: Node<'_, '_>,
    origin: Option<Node<'_, '_>>,
    frame: PixelSize,
) -> Result<(Range<u32>, Range<u32>), SlideError> {
    let count = |key| info.attribute(key).and_then(|text| text.trim().parse::<u32>().ok());
    let start = |key| {
        let pixels = origin
            .and_then(|it| it.attribute(key))
            .and_then(|text| text.trim().parse::<u32>().ok());
        pixels.unwrap_or(0)
    };
    let (Some(n_cols), Some(n_rows)) = (count("NumCols"), count("NumRows")) else {
        return Err(SlideError::malformed(FORMAT, "an area does not say how many tiles it has"));
    };
    SlideError::check_limit(
        "the number of tiles of an area",
        u64::from(n_cols) * u64::from(n_rows),
        MAX_TILES,
    )?;
    let col = start("OriginX") / frame.width.max(1);
    let row = start("OriginY") / frame.height.max(1);
    Ok((col..col.saturating_add(n_cols), row..row.saturating_add(n_rows)))
}

/// One level, its frames moved together.
#[derive(Debug)]
struct Joined {
    image: TiffImage,
    frames: Frames,
    /// Frames side by side in one stored tile.
    n_per_tile: u32,
    size: PixelSize,
}

impl Joined {
    fn new(directory: &Directory, frames: &Frames, downsample: f64) -> Result<Self, SlideError> {
        let image = TiffImage::new(directory)?;
        let n_per_tile = to_u32(nearest(downsample));
        if image.tile_size() != frames.frame || 1e-6 < (f64::from(n_per_tile) - downsample).abs() {
            let problem = format!("a level of {downsample} does not hold whole tiles of level 0");
            return Err(SlideError::malformed(FORMAT, problem));
        }
        let mut joined =
            Self { image, frames: frames.clone(), n_per_tile, size: PixelSize::default() };
        let end = |axis: usize, last: Option<u32>, frame: u32| {
            let last = f64::from(last.unwrap_or(1).saturating_sub(1));
            let advance = frames.advance.get(axis).copied().unwrap_or(1.0);
            nearest(((last * advance + f64::from(frame)) / downsample).ceil())
        };
        let width = end(0, frames.areas.iter().map(|(cols, _)| cols.end).max(), frames.frame.width);
        let height =
            end(1, frames.areas.iter().map(|(_, rows)| rows.end).max(), frames.frame.height);
        for side in [width, height] {
            SlideError::check_limit("the size of the joined tiles", side.unsigned_abs(), MAX_SIDE)?;
        }
        joined.size = PixelSize { width: to_u32(width), height: to_u32(height) };
        Ok(joined)
    }

    /// Pixels from one frame to the next in this level.
    fn advance(&self) -> [f64; 2] {
        self.frames.advance.map(|it| it / f64::from(self.n_per_tile.max(1)))
    }

    /// A frame's size in this level.
    fn frame(&self) -> PixelSize {
        let shrink = |side: u32| (side / self.n_per_tile.max(1)).max(1);
        PixelSize {
            width: shrink(self.frames.frame.width),
            height: shrink(self.frames.frame.height),
        }
    }

    /// The frame at a column and row of level 0.
    fn place(&self, col: u32, row: u32) -> Placement {
        let [x, y] = self.advance();
        let size = self.frame();
        let n = self.n_per_tile.max(1);
        Placement {
            col: col / n,
            row: row / n,
            x: nearest(f64::from(col) * x),
            y: nearest(f64::from(row) * y),
            part: Part { x: col % n * size.width, y: row % n * size.height, size },
        }
    }
}

/// Frames that may touch `length` pixels from `start`.
fn touched(range: &Range<u32>, start: i64, length: u32, frame: u32, advance: f64) -> Range<u32> {
    #[expect(clippy::cast_precision_loss, reason = "pixels of a canvas are far below 2^52")]
    let start = start as f64;
    let first = (start - f64::from(frame) - 1.0) / advance;
    let last = (start + f64::from(length) + 1.0) / advance;
    let clamp = |it: f64| to_u32(nearest(it).clamp(range.start.into(), range.end.into()));
    clamp(first.floor())..clamp(last.ceil())
}

impl TileSource for Joined {
    fn size(&self) -> PixelSize {
        self.size
    }

    fn tile_size(&self) -> PixelSize {
        self.image.tile_size()
    }

    fn tiles_under(&self, rect: LevelRect) -> Box<dyn Iterator<Item = Placement> + '_> {
        let [x, y] = self.advance();
        let frame = self.frame();
        Box::new(self.frames.areas.iter().flat_map(move |(cols, rows)| {
            let cols = touched(cols, rect.x, rect.size.width, frame.width, x);
            let rows = touched(rows, rect.y, rect.size.height, frame.height, y);
            rows.flat_map(move |row| cols.clone().map(move |col| self.place(col, row)))
        }))
    }

    fn read(&self, col: u32, row: u32) -> Result<Tile, SlideError> {
        self.image.read(col, row)
    }
}
