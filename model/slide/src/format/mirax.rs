//! 3DHISTECH MIRAX: a picture with a folder of the same name beside it that holds `Slidedat.ini`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::coords::PixelSize;
use domain::scale::Mpp;

use super::{Candidate, Opened};
use crate::SlideError;
use crate::file::SlideFile;
use crate::limits::{MAX_SIDE, MAX_TEXT_BYTES, MAX_TILE_PIXELS};
use crate::mirax_file::{
    DataFiles, Geometry, Index, Ini, LevelLayout, MiraxLevel, Positions, Record, Section,
    StoredPicture, stored,
};
use crate::number::to_u32;
use crate::tile::TileSource;

const INI: &str = "Slidedat.ini";
/// The most that is believed of counts in `Slidedat.ini`.
const MAX_COUNT: u32 = 10_000;
/// Camera positions: the largest slides have some 100,000.
const MAX_VIEWS: u64 = 1 << 20;
/// The coarsest zoom joins 2 to the power of this in each direction.
const MAX_ZOOM: u32 = 20;

/// OpenSlide's names of pictures, and the scanner's.
const PICTURES: [(&str, &str); 3] = [
    ("label", "ScanDataLayer_SlideBarcode"),
    ("macro", "ScanDataLayer_SlideThumbnail"),
    ("thumbnail", "ScanDataLayer_SlidePreview"),
];

/// Opens the slide by its picture or by its `Slidedat.ini`.
pub(super) fn open(candidate: &Candidate<'_>) -> Result<Option<Opened>, SlideError> {
    let Some(folder) = folder(candidate.path, candidate.head) else { return Ok(None) };
    let ini_file = Arc::new(SlideFile::open(&folder.join(INI))?);
    SlideError::check_limit("the bytes of Slidedat.ini", ini_file.length(), MAX_TEXT_BYTES)?;
    let ini = Ini::parse(&ini_file.read(0, ini_file.length())?);
    let hierarchy = ini.section("HIERARCHICAL")?;
    let index_file = companion(&folder, hierarchy.required("INDEXFILE")?)?;
    let slide_id = ini.section("GENERAL")?.required("SLIDE_ID")?;
    let index = Index::open(Arc::clone(&index_file), slide_id)?;
    let (files, mut companions) = data_files(&folder, ini.section("DATAFILE")?)?;
    companions.extend([ini_file, index_file]);
    let slide = Slidedat { ini: &ini, hierarchy, index, files };
    let mut opened = slide.open()?;
    opened.companions = companions;
    Ok(Some(opened))
}

/// The folder with `Slidedat.ini`: beside a picture, or the one that the file itself stands in. Slides without their
/// folder are plain pictures.
fn folder(path: &Path, head: &[u8]) -> Option<PathBuf> {
    let beside = path.with_extension("");
    if beside != path && beside.join(INI).is_file() {
        return Some(beside);
    }
    let is_ini = path.file_name().is_some_and(|name| name == INI);
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    (is_ini && head.starts_with(b"[GENERAL]")).then(|| match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    })
}

/// A file of the folder, by a name that must not lead out of it.
fn companion(folder: &Path, name: &str) -> Result<Arc<SlideFile>, SlideError> {
    if name.contains(['/', '\\']) || name == ".." {
        return Err(SlideError::malformed("MIRAX", "a file name leads out of the slide's folder"));
    }
    SlideFile::open(&folder.join(name)).map(Arc::new).map_err(|error| match error {
        SlideError::Io(error) if error.kind() == std::io::ErrorKind::NotFound => {
            SlideError::malformed("MIRAX", format!("{name} is missing from the slide's folder"))
        }
        error => error,
    })
}

/// The data files by number, and those that are there. Tiles in missing ones are lost; the slide is not.
fn data_files(
    folder: &Path,
    section: Section<'_>,
) -> Result<(DataFiles, Vec<Arc<SlideFile>>), SlideError> {
    let count: u32 = section.number("FILE_COUNT")?;
    SlideError::check_limit("the number of data files", count.into(), MAX_COUNT.into())?;
    let mut files = Vec::new();
    for number in 0..count {
        let file = companion(folder, section.required(&format!("FILE_{number}"))?);
        let file = file.inspect_err(|error| tracing::warn!("tiles will be missing: {error}"));
        files.push(file.ok());
    }
    let present = files.iter().flatten().map(Arc::clone).collect();
    Ok((files.into(), present))
}

/// The parts of an open slide.
struct Slidedat<'a> {
    ini: &'a Ini,
    hierarchy: Section<'a>,
    index: Index,
    files: DataFiles,
}

impl Slidedat<'_> {
    fn open(&self) -> Result<Opened, SlideError> {
        let general = self.ini.section("GENERAL")?;
        let zooms = self.zooms()?;
        let Some(finest) = zooms.first() else {
            return Err(SlideError::malformed("MIRAX", "Slidedat.ini lists no zoom level"));
        };
        let geometry = self.geometry(general, finest)?;
        let levels = self.levels(&geometry, &zooms)?;
        let scale = |key| finest.section.number::<f64>(key).ok();
        let mpp = scale("MICROMETER_PER_PIXEL_X")
            .zip(scale("MICROMETER_PER_PIXEL_Y"))
            .and_then(|(x, y)| Mpp::new(x, y));
        let power = general
            .get("OBJECTIVE_MAGNIFICATION")
            .and_then(|text| text.trim_end_matches(['x', 'X']).replace(',', ".").parse().ok());
        let mut properties = self.ini.properties();
        if let Ok(color) = finest.section.number::<u32>("IMAGE_FILL_COLOR_BGR") {
            let [red, green, blue, _] = color.to_le_bytes();
            let hex = format!("{red:02X}{green:02X}{blue:02X}");
            properties.insert("openslide.background-color".to_owned(), hex);
        }
        Ok(Opened {
            associated: self.pictures(),
            mpp,
            objective_power: power.filter(|&power: &f64| 0.0 < power && power.is_finite()),
            properties,
            ..Opened::new("mirax", levels)
        })
    }

    /// The zoom levels that `Slidedat.ini` lists.
    fn zooms(&self) -> Result<Vec<Zoom<'_>>, SlideError> {
        let n_kinds: u32 = self.hierarchy.number("HIER_COUNT")?;
        let kind = (0..n_kinds.min(MAX_COUNT)).find(|kind| {
            self.hierarchy.get(&format!("HIER_{kind}_NAME")) == Some("Slide zoom level")
        });
        let kind = kind.ok_or_else(|| {
            SlideError::malformed("MIRAX", "Slidedat.ini has no hierarchy \"Slide zoom level\"")
        })?;
        let count: u32 = self.hierarchy.number(&format!("HIER_{kind}_COUNT"))?;
        SlideError::check_limit("the number of zoom levels", count.into(), MAX_ZOOM.into())?;
        let mut exponent = 0_u32;
        let mut zooms = Vec::new();
        for number in 0..count {
            let name = self.hierarchy.required(&format!("HIER_{kind}_VAL_{number}_SECTION"))?;
            let section = self.ini.section(name)?;
            if number != 0 {
                exponent = exponent.saturating_add(section.number("IMAGE_CONCAT_FACTOR")?);
            }
            SlideError::check_limit("the zoom of a level", exponent.into(), MAX_ZOOM.into())?;
            let side = |key| -> Result<u32, SlideError> { section.number(key) };
            let picture =
                PixelSize { width: side("DIGITIZER_WIDTH")?, height: side("DIGITIZER_HEIGHT")? };
            SlideError::check_limit("the pixels of a tile", picture.area(), MAX_TILE_PIXELS)?;
            zooms.push(Zoom { section, picture, exponent });
        }
        Ok(zooms)
    }

    fn geometry(&self, general: Section<'_>, finest: &Zoom<'_>) -> Result<Geometry, SlideError> {
        let divisions = match general.get("CameraImageDivisionsPerSide") {
            Some(_) => general.number::<u32>("CameraImageDivisionsPerSide")?,
            None => 1,
        };
        let (across, down) = (general.number("IMAGENUMBER_X")?, general.number("IMAGENUMBER_Y")?);
        let mut geometry = Geometry {
            across,
            down,
            divisions,
            picture: finest.picture,
            positions: Positions::Stored(Vec::new()),
        };
        if divisions == 0 || across < divisions || down < divisions || finest.picture.area() == 0 {
            return Err(SlideError::malformed("MIRAX", "the slide has no pictures"));
        }
        SlideError::check_limit("the number of camera positions", geometry.n_views(), MAX_VIEWS)?;
        geometry.positions = self.positions(&geometry, finest)?;
        Ok(geometry)
    }

    fn positions(&self, geometry: &Geometry, zoom: &Zoom<'_>) -> Result<Positions, SlideError> {
        let buffers = [
            ("VIMSLIDE_POSITION_BUFFER", "default", false),
            ("StitchingIntensityLayer", "StitchingIntensityLevel", true),
        ];
        for (layer, value, is_compressed) in buffers {
            let Some(record) = self.record(Some(layer), value)? else { continue };
            let bytes = stored(&self.files, record)?;
            return Positions::parse(&bytes, is_compressed, geometry.n_views());
        }
        let divisions = f64::from(geometry.divisions);
        let step = |side: u32, overlap: f64| f64::from(side) * divisions - overlap;
        Ok(Positions::Even {
            across: geometry.across / geometry.divisions,
            step: (
                step(geometry.picture.width, zoom.overlap("OVERLAP_X")?),
                step(geometry.picture.height, zoom.overlap("OVERLAP_Y")?),
            ),
        })
    }

    fn levels(
        &self,
        geometry: &Geometry,
        zooms: &[Zoom<'_>],
    ) -> Result<Vec<Box<dyn TileSource>>, SlideError> {
        let full = full_size(geometry, zooms)?;
        let mut levels: Vec<Box<dyn TileSource>> = Vec::new();
        let mut seen = Vec::new();
        for (number, zoom) in (0_u64..).zip(zooms) {
            let size = PixelSize {
                width: full.width >> zoom.exponent,
                height: full.height >> zoom.exponent,
            };
            if size.area() == 0 || (number != 0 && zoom.picture.area() == 0) {
                break;
            }
            let pictures = self.index.pictures(number)?;
            if number == 0 {
                seen = geometry.seen(&pictures);
            }
            let layout = LevelLayout { size, picture: zoom.picture, n_joined: 1 << zoom.exponent };
            let files = Arc::clone(&self.files);
            levels.push(Box::new(MiraxLevel::new(geometry, &seen, layout, &pictures, files)));
        }
        Ok(levels)
    }

    fn pictures(&self) -> Vec<(String, Box<dyn TileSource>)> {
        let mut pictures: Vec<(String, Box<dyn TileSource>)> = Vec::new();
        for (name, value) in PICTURES {
            let picture = self.record(None, value).and_then(|record| {
                record.map(|record| StoredPicture::new(&self.files, record)).transpose()
            });
            match picture {
                Ok(Some(picture)) => pictures.push((name.to_owned(), Box::new(picture))),
                Ok(None) => {}
                Err(error) => tracing::warn!("the {name} was left out: {error}"),
            }
        }
        pictures
    }

    /// The record of a value of the lists beside the zoom levels; in any list if `layer` is `None`.
    fn record(&self, layer: Option<&str>, value: &str) -> Result<Option<Record>, SlideError> {
        let n_layers: u32 = match self.hierarchy.get("NONHIER_COUNT") {
            Some(_) => self.hierarchy.number("NONHIER_COUNT")?,
            None => 0,
        };
        let mut number = 0_u64;
        for index in 0..n_layers.min(MAX_COUNT) {
            let name = self.hierarchy.get(&format!("NONHIER_{index}_NAME"));
            let count: u32 = self.hierarchy.number(&format!("NONHIER_{index}_COUNT"))?;
            SlideError::check_limit("the number of values", count.into(), MAX_COUNT.into())?;
            for item in 0..count {
                let found = self.hierarchy.get(&format!("NONHIER_{index}_VAL_{item}"));
                if found == Some(value) && (layer.is_none() || layer == name) {
                    return self.index.other(number);
                }
                number += 1;
            }
        }
        Ok(None)
    }
}

/// One zoom level of `Slidedat.ini`.
struct Zoom<'a> {
    section: Section<'a>,
    picture: PixelSize,
    /// Halvings since the finest one.
    exponent: u32,
}

impl Zoom<'_> {
    fn overlap(&self, key: &str) -> Result<f64, SlideError> {
        let overlap: f64 = self.section.number(key)?;
        Ok(if overlap.is_finite() { overlap } else { 0.0 })
    }
}

/// The finest level: all pictures side by side, less one overlap between camera views.
fn full_size(geometry: &Geometry, zooms: &[Zoom<'_>]) -> Result<PixelSize, SlideError> {
    let Some(finest) = zooms.first() else { return Ok(PixelSize::default()) };
    let side = |count: u32, length: u32, overlap: f64| -> Result<u32, SlideError> {
        let n_seams = count.saturating_sub(1) / geometry.divisions;
        let pixels = f64::from(count) * f64::from(length) - f64::from(n_seams) * overlap;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let pixels = pixels as u64;
        SlideError::check_limit("the side of the slide", pixels, MAX_SIDE)?;
        Ok(to_u32(pixels))
    };
    Ok(PixelSize {
        width: side(geometry.across, finest.picture.width, finest.overlap("OVERLAP_X")?)?,
        height: side(geometry.down, finest.picture.height, finest.overlap("OVERLAP_Y")?)?,
    })
}
