//! MIRAX slides: where camera views lie at every zoom, and folders in which something is missing.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use domain::coords::{LevelRect, PixelSize};
use domain::id::LevelIndex;
use slide::{Region, Slide};

const CLEAR: [u8; 4] = [255, 255, 255, 0];

/// Four by four pictures of 4 x 4 pixels, two a side in each camera view; views overlap by two pixels. Zoom 1 joins two
/// pictures, zoom 2 four, which are two views.
struct Mirax {
    positions: Vec<(i32, i32)>,
    is_compressed: bool,
    /// Pictures of zoom 0 that are not stored.
    missing: Vec<u32>,
    extra_ini: &'static str,
}

impl Default for Mirax {
    fn default() -> Self {
        let positions = vec![(0, 0), (6, 0), (0, 6), (6, 6)];
        Self { positions, is_compressed: false, missing: vec![], extra_ini: "" }
    }
}

impl Mirax {
    /// Writes the slide; returns the path of its picture.
    fn write(&self, folder: &Path, name: &std::ffi::OsStr) -> PathBuf {
        let companion = folder.join(name);
        std::fs::create_dir(&companion).unwrap();
        let (data, index) = self.data_and_index();
        std::fs::write(companion.join("Data0.dat"), data).unwrap();
        std::fs::write(companion.join("Index.dat"), index).unwrap();
        std::fs::write(companion.join("Slidedat.ini"), self.ini()).unwrap();
        let path = companion.with_extension("mrxs");
        std::fs::write(&path, png(4, |_, _| 1)).unwrap();
        path
    }

    fn ini(&self) -> String {
        let zoom = |exponent| {
            format!(
                "OVERLAP_X = 2\nOVERLAP_Y = 2\nMICROMETER_PER_PIXEL_X = 0.5\nMICROMETER_PER_PIXEL_Y = 0.5\n\
                 IMAGE_FILL_COLOR_BGR = 255\nDIGITIZER_WIDTH = 4\nDIGITIZER_HEIGHT = 4\n\
                 IMAGE_CONCAT_FACTOR = {exponent}\n"
            )
        };
        let layer = if self.is_compressed {
            ("StitchingIntensityLayer", "StitchingIntensityLevel")
        } else {
            ("VIMSLIDE_POSITION_BUFFER", "default")
        };
        format!(
            "\u{feff}[GENERAL]\nSLIDE_ID = AB\nIMAGENUMBER_X = 4\nIMAGENUMBER_Y = 4\n\
             OBJECTIVE_MAGNIFICATION = 20x\nCameraImageDivisionsPerSide = 2\n\
             [HIERARCHICAL]\nHIER_COUNT = 1\nHIER_0_NAME = Slide zoom level\nHIER_0_COUNT = 3\n\
             HIER_0_VAL_0_SECTION = Z0\nHIER_0_VAL_1_SECTION = Z1\nHIER_0_VAL_2_SECTION = Z2\n\
             NONHIER_COUNT = 2\nNONHIER_0_NAME = Scan data layer\nNONHIER_0_COUNT = 1\n\
             NONHIER_0_VAL_0 = ScanDataLayer_SlideBarcode\nNONHIER_1_NAME = {}\nNONHIER_1_COUNT = 1\n\
             NONHIER_1_VAL_0 = {}\nINDEXFILE = Index.dat\n\
             [Z0]\n{}[Z1]\n{}[Z2]\n{}[DATAFILE]\nFILE_COUNT = 1\nFILE_0 = Data0.dat\n{}",
            layer.0,
            layer.1,
            zoom(0),
            zoom(1),
            zoom(1),
            self.extra_ini
        )
    }

    /// The picture numbers and gray values of each zoom; coarse pictures have four quarters.
    fn pictures(&self) -> [Vec<(u32, Vec<u8>)>; 3] {
        let finest = (0..16).filter(|number| !self.missing.contains(number));
        let finest = finest.map(|number| (number, png(4, |_, _| 10 * number as u8))).collect();
        let quarters = |base: u8| move |x: u32, y: u32| base + (x / 2 + y / 2 * 2) as u8;
        let joined = [0, 2, 8, 10].map(|number| (number, png(4, quarters(number as u8 * 20))));
        [finest, joined.to_vec(), vec![(0, png(4, quarters(90)))]]
    }

    fn data_and_index(&self) -> (Vec<u8>, Vec<u8>) {
        let mut data = Vec::new();
        let mut index = b"01.02AB".to_vec();
        let words = |index: &mut Vec<u8>, words: &[u32]| {
            index.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        };
        let mut store = |bytes: &[u8]| {
            data.extend(bytes);
            [(data.len() - bytes.len()) as u32, bytes.len() as u32, 0]
        };
        // The roots at 7 point to tables of three and two lists right behind them.
        words(&mut index, &[15, 27, 0, 0, 0, 0, 0]);
        for (zoom, pictures) in self.pictures().iter().enumerate() {
            let list = index.len() as u32;
            index[15 + zoom * 4..][..4].copy_from_slice(&list.to_le_bytes());
            words(&mut index, &[0, list + 8, pictures.len() as u32, 0]);
            for (number, bytes) in pictures {
                words(&mut index, &[*number]);
                words(&mut index, &store(bytes));
            }
        }
        let mut positions: Vec<u8> = Vec::new();
        for (x, y) in &self.positions {
            positions.push(0);
            positions.extend(x.to_le_bytes());
            positions.extend(y.to_le_bytes());
        }
        if self.is_compressed {
            let mut encoder = zlib();
            encoder.write_all(&positions).unwrap();
            positions = encoder.finish().unwrap();
        }
        for (number, bytes) in [png(4, |_, _| 200), positions].iter().enumerate() {
            let list = index.len() as u32;
            index[27 + number * 4..][..4].copy_from_slice(&list.to_le_bytes());
            words(&mut index, &[0, list + 8, 1, 0, 0, 0]);
            words(&mut index, &store(bytes));
        }
        (data, index)
    }
}

fn zlib() -> flate2::write::ZlibEncoder<Vec<u8>> {
    flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default())
}

fn png(side: u32, value: impl Fn(u32, u32) -> u8) -> Vec<u8> {
    let picture = image::GrayImage::from_fn(side, side, |x, y| image::Luma([value(x, y)]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn gray(value: u8) -> [u8; 4] {
    [value, value, value, 255]
}

fn open(mirax: &Mirax) -> (tempfile::TempDir, Slide) {
    let folder = tempfile::tempdir().unwrap();
    let path = mirax.write(folder.path(), "slide".as_ref());
    let slide = Slide::open(&path).unwrap();
    (folder, slide)
}

fn whole(slide: &Slide, level: u16) -> Region {
    let rect = LevelRect { x: 0, y: 0, size: slide.levels()[usize::from(level)].size };
    slide.read_region(LevelIndex(level), rect).unwrap()
}

#[test]
fn camera_views_lie_where_the_stage_was_and_later_ones_on_top() {
    for is_compressed in [false, true] {
        let (_folder, slide) = open(&Mirax { is_compressed, ..Mirax::default() });
        assert_eq!(slide.format(), "mirax");
        assert_eq!(slide.size(), PixelSize { width: 14, height: 14 });
        assert_eq!((slide.mpp().unwrap().x(), slide.objective_power()), (0.5, Some(20.0)));
        assert_eq!(slide.properties()["openslide.background-color"], "FF0000");
        let pixels = whole(&slide, 0).pixels;
        // Picture 1 begins at 4, picture 2 at 6 since it belongs to the second view.
        assert_eq!(pixels.get(5, 0), Some(gray(10)));
        assert_eq!(pixels.get(6, 0), Some(gray(20)));
        assert_eq!(pixels.get(13, 13), Some(gray(150)));
        assert_eq!(slide.read_associated("label").unwrap().get(0, 0), Some(gray(200)));
    }
}

#[test]
fn a_coarse_picture_of_several_views_is_taken_apart() {
    let (_folder, slide) = open(&Mirax::default());
    let sizes: Vec<_> = slide.levels().iter().map(|level| level.size.width).collect();
    assert_eq!(sizes, [14, 7, 3]);
    let joined = whole(&slide, 1).pixels;
    assert_eq!((joined.get(2, 0), joined.get(3, 0)), (Some(gray(1)), Some(gray(40))));
    assert_eq!(joined.get(3, 3), Some(gray(200)));
    // The second view begins at 6 / 4 = 1.5 pixels, which is laid at 2.
    let coarsest = whole(&slide, 2).pixels;
    assert_eq!((coarsest.get(1, 0), coarsest.get(2, 0)), (Some(gray(90)), Some(gray(91))));
    assert_eq!(coarsest.get(2, 2), Some(gray(93)));
}

#[test]
fn views_that_were_never_taken_stay_empty_at_every_zoom() {
    let missing = vec![10, 11, 14, 15];
    let (_folder, slide) = open(&Mirax { missing, ..Mirax::default() });
    assert_eq!(whole(&slide, 0).pixels.get(13, 13), Some(CLEAR));
    assert_eq!(whole(&slide, 1).pixels.get(6, 6), Some(CLEAR));
    assert_eq!(whole(&slide, 0).damaged_tiles, 0);
    let positions = vec![(0, 0), (0, 0), (0, 6), (6, 6)];
    let (_folder, slide) = open(&Mirax { positions, ..Mirax::default() });
    assert_eq!(whole(&slide, 0).pixels.get(13, 0), Some(CLEAR));
}

#[test]
fn a_missing_data_file_is_damage_but_missing_headers_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = Mirax::default().write(folder.path(), "slide".as_ref());
    let companion = folder.path().join("slide");
    std::fs::rename(companion.join("Data0.dat"), companion.join("away")).unwrap();
    assert!(Slide::open(&path).is_err(), "the camera positions are gone");
    std::fs::rename(companion.join("away"), companion.join("Data0.dat")).unwrap();
    std::fs::write(companion.join("Data0.dat"), [0; 4000]).unwrap();
    let ini = std::fs::read_to_string(companion.join("Slidedat.ini")).unwrap();
    std::fs::write(companion.join("Slidedat.ini"), ini.replace("_BUFFER", "_NONE")).unwrap();
    assert_eq!(whole(&Slide::open(&path).unwrap(), 0).damaged_tiles, 16);
    for (needle, word) in [("SLIDE_ID", "SLIDE_ID"), ("Index.dat", "INDEXFILE"), ("[Z1]", "Z1")] {
        std::fs::write(companion.join("Slidedat.ini"), ini.replace(needle, "x")).unwrap();
        let message = Slide::open(&path).unwrap_err().to_string();
        assert!(message.contains(word) || message.contains("missing"), "{message}");
    }
    std::fs::write(companion.join("Slidedat.ini"), ini.replace("Index.dat", "../Index.dat"))
        .unwrap();
    assert!(Slide::open(&path).unwrap_err().to_string().contains("leads out"));
    std::fs::remove_dir_all(&companion).unwrap();
    assert_eq!(Slide::open(&path).unwrap().format(), "image", "only its small picture is left");
}

#[test]
fn counts_that_lie_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = Mirax::default().write(folder.path(), "slide".as_ref());
    let ini_path = folder.path().join("slide/Slidedat.ini");
    let ini = std::fs::read_to_string(&ini_path).unwrap();
    let lies = [
        ("IMAGENUMBER_X = 4", "IMAGENUMBER_X = 4000000000"),
        ("IMAGENUMBER_X = 4", "IMAGENUMBER_X = 0"),
        ("PerSide = 2", "PerSide = 0"),
        ("HIER_0_COUNT = 3", "HIER_0_COUNT = 4000000000"),
        ("FILE_COUNT = 1", "FILE_COUNT = 4000000000"),
        ("DIGITIZER_WIDTH = 4", "DIGITIZER_WIDTH = 4000000000"),
        ("IMAGE_CONCAT_FACTOR = 1", "IMAGE_CONCAT_FACTOR = 4000000000"),
    ];
    for (truth, lie) in lies {
        std::fs::write(&ini_path, ini.replace(truth, lie)).unwrap();
        assert!(Slide::open(&path).is_err(), "{lie}");
    }
}

#[test]
fn an_index_cut_or_changed_anywhere_never_breaks_the_reader() {
    let folder = tempfile::tempdir().unwrap();
    let path = Mirax::default().write(folder.path(), "slide".as_ref());
    let index_path = folder.path().join("slide/Index.dat");
    let index = std::fs::read(&index_path).unwrap();
    for at in 0..index.len() {
        let mut changed = index.clone();
        changed[at] ^= 0xFF;
        for bytes in [&changed[..], &index[..at]] {
            std::fs::write(&index_path, bytes).unwrap();
            if let Ok(slide) = Slide::open(&path) {
                whole(&slide, 0);
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn folders_need_not_be_named_in_utf_8() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"M\xFCller \xF0\x9F\x94\xAC");
    let path = Mirax::default().write(folder.path(), name);
    assert_eq!(Slide::open(&path).unwrap().format(), "mirax");
    let ini = folder.path().join(name).join("Slidedat.ini");
    assert_eq!(Slide::open(&ini).unwrap().format(), "mirax");
}
