//! Small files of every container, written here, for mutation and as a fuzzer's first corpus.

use crate::dicom_builder::{Dicom, element};
use crate::tiff_builder::Tiff;

/// A slide of one file, or of several.
pub(crate) struct Seed {
    /// The fuzz target that it belongs to.
    pub(crate) container: &'static str,
    /// Names and bytes; the first is the one that is opened.
    pub(crate) files: Vec<(&'static str, Vec<u8>)>,
}

const XML: &str = "<?xml version=\"1.0\"?>";

/// All of them.
pub(crate) fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |container, bytes| {
        seeds.push(Seed { container, files: vec![("slide.bin", bytes)] });
    };
    plain_tiffs().into_iter().for_each(|bytes| add("directory", bytes));
    add("aperio", aperio());
    add("ndpi", ndpi());
    add("leica", leica());
    add("philips", philips());
    add("ventana", ventana());
    add("ome", ome());
    add("qptiff", qptiff());
    dicoms().into_iter().for_each(|bytes| add("dicom", bytes));
    pictures().into_iter().for_each(|bytes| add("picture", bytes));
    seeds.push(Seed { container: "mirax", files: mirax() });
    seeds
}

fn tile(base: u8) -> Vec<u8> {
    (0..=255).map(|i: u8| base.wrapping_add(i % 16)).collect()
}

fn jpeg(side: u32) -> Vec<u8> {
    let picture =
        image::RgbImage::from_fn(side, side, |x, y| image::Rgb([x as u8 * 9, y as u8, 90]));
    encoded(&image::DynamicImage::ImageRgb8(picture), image::ImageFormat::Jpeg)
}

fn encoded(picture: &image::DynamicImage, format: image::ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn jpeg_tiles(n_tiles: usize, width: u64) -> Tiff {
    let mut tiff = Tiff::gray(width, 16 * n_tiles as u64 * 16 / width, vec![jpeg(16); n_tiles]);
    tiff.set(258, &[8, 8, 8]).set(259, &[7]).set(262, &[6]).set(277, &[3]);
    tiff
}

/// One tile of 32 x 32 pixels with coarse colours and restart markers.
fn subsampled_tile() -> Vec<u8> {
    let stream = include_bytes!("subsampled.jpg").to_vec();
    let mut tiff = Tiff::gray(32, 32, vec![stream]);
    tiff.set(258, &[8, 8, 8]).set(259, &[7]).set(262, &[6]).set(277, &[3]);
    tiff.set(322, &[32]).set(323, &[32]).bytes()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::read::ZlibEncoder::new(bytes, flate2::Compression::default());
    let mut compressed = Vec::new();
    std::io::Read::read_to_end(&mut encoder, &mut compressed).unwrap();
    compressed
}

fn plain_tiffs() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for (is_big_endian, is_big_tiff) in [(false, false), (true, false), (false, true), (true, true)]
    {
        let mut tiff = Tiff::gray(32, 16, vec![tile(0), tile(100)]);
        (tiff.is_big_endian, tiff.is_big_tiff) = (is_big_endian, is_big_tiff);
        files.push(tiff.set_text(270, b"a picture").bytes());
    }
    files.push(
        Tiff::gray_strips(16, 16, 4, tile(0).chunks(64).map(<[u8]>::to_vec).collect()).bytes(),
    );
    let mut deflate = Tiff::gray(16, 16, vec![zlib(&tile(0))]);
    files.push(deflate.set(259, &[8]).set(317, &[2]).bytes());
    let mut wide = Tiff::gray(16, 16, vec![tile(0).repeat(2)]);
    files.push(wide.set(258, &[16]).bytes());
    let mut float = Tiff::gray(16, 16, vec![tile(0).repeat(4)]);
    files.push(float.set(258, &[32]).set(339, &[3]).bytes());
    let mut planar = Tiff::gray(16, 16, vec![tile(0), tile(1), tile(2)]);
    planar.set(258, &[8, 8, 8]).set(262, &[2]).set(277, &[3]).set(284, &[2]);
    files.push(planar.bytes());
    let mut palette = Tiff::gray(16, 16, vec![tile(0)]);
    files.push(palette.set(262, &[3]).set(320, &[500; 768]).bytes());
    let mut packed = Tiff::gray(16, 16, vec![[129, 7].repeat(2)]);
    files.push(packed.set(259, &[32773]).bytes());
    files.push(jpeg_tiles(2, 32).bytes());
    files.push(subsampled_tile());
    let pages = [Tiff::gray(32, 32, vec![tile(0); 4]), Tiff::gray(16, 16, vec![tile(9)])];
    files.push(Tiff::chain(&pages));
    files
}

fn aperio() -> Vec<u8> {
    let text = b"Aperio Image Library v1\r\n32x32 Q=30|AppMag = 20|MPP = 0,4990|Left = 1.5";
    let mut finest = jpeg_tiles(4, 32);
    finest.set_text(270, text).set_raw(34675, 7, 200, &[7; 200]);
    let mut thumbnail = Tiff::gray_strips(16, 16, 16, vec![tile(0)]);
    thumbnail.set_text(270, text);
    let mut label = Tiff::gray_strips(16, 16, 16, vec![tile(5)]);
    label.set(254, &[1]);
    let mut coarse = jpeg_tiles(1, 16);
    coarse.set_text(270, text);
    Tiff::chain(&[finest, thumbnail, coarse, label])
}

/// One stream with restart markers, as the tag 65426 lists them.
fn ndpi() -> Vec<u8> {
    let level = |lens: f32| {
        let mut tiff = Tiff::gray_strips(16, 16, 16, vec![jpeg(16)]);
        tiff.set(258, &[8, 8, 8]).set(259, &[7]).set(262, &[6]).set(277, &[3]);
        tiff.set(65420, &[1]).set_raw(65421, 11, 1, &lens.to_le_bytes());
        tiff.set(65426, &[600, 640]).set_text(65449, b"Objective.Lens.Magnificant=20\r\nA=B");
        tiff
    };
    Tiff::chain(&[level(20.0), level(-1.0)])
}

fn leica() -> Vec<u8> {
    let image = |name: &str, ifd: u32, side: u32, offset: u32| {
        format!(
            "<image name=\"{name}\"><device model=\"Leica\" version=\"1\"/><pixels sizeX=\"16\" sizeY=\"16\">\
             <dimension sizeX=\"16\" sizeY=\"16\" ifd=\"{ifd}\" r=\"0\"/></pixels>\
             <view sizeX=\"{side}\" sizeY=\"{side}\" offsetX=\"{offset}\" offsetY=\"{offset}\"/><scanSettings>\
             <objectiveSettings><objective>20</objective></objectiveSettings><illuminationSettings>\
             <illuminationSource>brightfield</illuminationSource></illuminationSettings></scanSettings></image>"
        )
    };
    let text = format!(
        "{XML}<scn xmlns=\"http://www.leica-microsystems.com/scn/2010/10/01\"><collection sizeX=\"50000\" \
         sizeY=\"50000\"><barcode>QQ==</barcode>{}{}{}</collection></scn>",
        image("macro", 0, 50_000, 0),
        image("a", 1, 8_000, 4_000),
        image("b", 2, 8_000, 20_000)
    );
    let mut overview = jpeg_tiles(1, 16);
    overview.set_text(270, text.as_bytes());
    Tiff::chain(&[overview, jpeg_tiles(1, 16), jpeg_tiles(1, 16)])
}

fn philips() -> Vec<u8> {
    let attribute =
        |name: &str, value: &str| format!("<Attribute Name=\"{name}\">{value}</Attribute>");
    let array = |items: &str| format!("<Array>{items}</Array>");
    let object = |inside: &str| format!("<DataObject ObjectType=\"X\">{inside}</DataObject>");
    let spacing =
        |mm: &str| attribute("DICOM_PIXEL_SPACING", &format!("&quot;{mm}&quot; &quot;{mm}&quot;"));
    let levels = object(&spacing("0.00025")) + &object(&spacing("0.0005"));
    let slide = object(
        &(attribute("PIM_DP_IMAGE_TYPE", "WSI")
            + &spacing("0.00025")
            + &attribute("PIIM_PIXEL_DATA_REPRESENTATION_SEQUENCE", &array(&levels))),
    );
    let label = object(
        &(attribute("PIM_DP_IMAGE_TYPE", "LABELIMAGE")
            + &attribute("PIM_DP_IMAGE_DATA", "/9j/4AAQ")),
    );
    let text = format!(
        "{XML}<DataObject ObjectType=\"DPUfsImport\">{}{}</DataObject>",
        attribute("PIM_DP_UFS_BARCODE", "QQ=="),
        attribute("PIM_DP_SCANNED_IMAGES", &array(&(slide + &label)))
    );
    let mut finest = jpeg_tiles(4, 32);
    finest.set_text(270, text.as_bytes()).set_text(305, b"Philips DP v1.0");
    let mut coarse = jpeg_tiles(1, 16);
    Tiff::chain(&[finest, {
        coarse.set(254, &[1]);
        coarse
    }])
}

fn ventana() -> Vec<u8> {
    let scan = format!("{XML}<Metadata><iScan Magnification=\"20\" ScanRes=\"0.465\"/></Metadata>");
    let stitch = format!(
        "{XML}<EncodeInfo Ver=\"2\"><SlideStitchInfo><ImageInfo AOIScanned=\"1\" AOIIndex=\"0\" NumRows=\"2\" \
         NumCols=\"2\" Width=\"16\" Height=\"16\" Pos-X=\"0\" Pos-Y=\"0\"><TileJointInfo FlagJoined=\"1\" \
         Confidence=\"99\" Direction=\"RIGHT\" Tile1=\"1\" Tile2=\"2\" OverlapX=\"2\" OverlapY=\"0\"/>\
         <TileJointInfo FlagJoined=\"1\" Confidence=\"99\" Direction=\"UP\" Tile1=\"1\" Tile2=\"4\" OverlapX=\"0\" \
         OverlapY=\"3\"/></ImageInfo></SlideStitchInfo><AoiOrigin><AOI0 OriginX=\"0\" OriginY=\"0\"/></AoiOrigin>\
         </EncodeInfo>"
    );
    let described = |mut tiff: Tiff, text: &str, xmp: &str| {
        tiff.set_text(270, text.as_bytes()).set_raw(700, 1, xmp.len() as u64, xmp.as_bytes());
        tiff
    };
    Tiff::chain(&[
        described(Tiff::gray_strips(16, 16, 16, vec![tile(0)]), "Label_Image", &scan),
        described(jpeg_tiles(4, 32), "level=0 mag=20 quality=90", &stitch),
        described(jpeg_tiles(1, 16), "level=1 mag=10 quality=90", &stitch),
    ])
}

fn ome() -> Vec<u8> {
    let text = format!(
        "{XML}<OME UUID=\"urn:uuid:1\"><Image Name=\"a\"><Pixels DimensionOrder=\"XYCZT\" SizeX=\"16\" SizeY=\"16\" \
         SizeC=\"2\" SizeZ=\"1\" SizeT=\"1\" Type=\"uint8\" PhysicalSizeX=\"0.5\"><Channel Name=\"DAPI\" \
         Color=\"65535\"/><Channel Name=\"CD8\"/><TiffData IFD=\"0\" PlaneCount=\"2\"/></Pixels></Image></OME>"
    );
    let mut first = Tiff::gray(16, 16, vec![tile(0)]);
    first.set_text(270, text.as_bytes());
    Tiff::chain(&[first, Tiff::gray(16, 16, vec![tile(100)])])
}

fn qptiff() -> Vec<u8> {
    let page = |kind: &str, side: u64| {
        let n_tiles = (side / 16) * (side / 16);
        let mut tiff = Tiff::gray(side, side, vec![tile(7); n_tiles as usize]);
        let text = format!(
            "{XML}<PerkinElmer-QPI-ImageDescription><ImageType>{kind}</ImageType><Name>DAPI</Name>\
             <Color>0,0,255</Color><Objective>20x</Objective></PerkinElmer-QPI-ImageDescription>"
        );
        tiff.set_text(270, text.as_bytes());
        tiff
    };
    let kinds =
        [("FullResolution", 32), ("FullResolution", 32), ("ReducedResolution", 16), ("Label", 16)];
    Tiff::chain(&kinds.map(|(kind, side)| page(kind, side)))
}

fn dicoms() -> Vec<Vec<u8>> {
    let frames: Vec<Vec<u8>> = (0..4).map(|value| vec![value * 60; 16]).collect();
    let mut native = Dicom::level("1.2.3", 8, 8);
    native.frames(&frames);
    let mut compressed = Dicom::level("1.2.3", 8, 4);
    compressed.short(0x0028_0010, 4).syntax("1.2.840.10008.1.2.4.50");
    compressed.fragments(&[], &[jpeg(4), jpeg(4)]);
    let position = [
        element(0x0048_021E, b"SL", &5_i32.to_le_bytes(), false),
        element(0x0048_021F, b"SL", &1_i32.to_le_bytes(), false),
    ];
    let mut item = vec![0xFE, 0xFF, 0x00, 0xE0, 24, 0, 0, 0];
    item.extend(position.concat());
    let place = element(0x0048_021A, b"SQ", &item, false);
    let mut sparse = Dicom::level("1.2.3", 16, 16);
    sparse.text(0x0028_0008, b"IS", "1").sequence(0x5200_9230, &[place]).frames(&frames[..1]);
    [native, compressed, sparse].iter().map(Dicom::bytes).collect()
}

fn pictures() -> Vec<Vec<u8>> {
    let picture = image::DynamicImage::new_rgb8(20, 20);
    let formats = [image::ImageFormat::Png, image::ImageFormat::Bmp, image::ImageFormat::WebP];
    let mut files: Vec<Vec<u8>> = formats.iter().map(|format| encoded(&picture, *format)).collect();
    files.push(jpeg(20));
    files
}

/// Two pictures of one camera view each, and no position buffer.
fn mirax() -> Vec<(&'static str, Vec<u8>)> {
    let ini = "[GENERAL]\nSLIDE_ID = AB\nIMAGENUMBER_X = 2\nIMAGENUMBER_Y = 1\nOBJECTIVE_MAGNIFICATION = 20\n\
               [HIERARCHICAL]\nHIER_COUNT = 1\nHIER_0_NAME = Slide zoom level\nHIER_0_COUNT = 1\n\
               HIER_0_VAL_0_SECTION = Z0\nNONHIER_COUNT = 1\nNONHIER_0_COUNT = 1\n\
               NONHIER_0_VAL_0 = ScanDataLayer_SlideBarcode\nINDEXFILE = Index.dat\n[Z0]\nOVERLAP_X = 2\n\
               OVERLAP_Y = 2\nMICROMETER_PER_PIXEL_X = 0.5\nMICROMETER_PER_PIXEL_Y = 0.5\nDIGITIZER_WIDTH = 16\n\
               DIGITIZER_HEIGHT = 16\nIMAGE_CONCAT_FACTOR = 0\nIMAGE_FILL_COLOR_BGR = 255\n\
               [DATAFILE]\nFILE_COUNT = 1\nFILE_0 = Data.dat\n";
    let data = jpeg(16);
    let length = data.len() as u32;
    // Roots at 7, tables of one list each at 15 and 19, lists at 23 and 71.
    let words = [
        15, 19, 23, 71, 0, 31, 2, 0, 0, 0, length, 0, 1, 0, length, 0, 0, 79, 1, 0, 0, 0, 0,
        length, 0,
    ];
    let mut index = b"01.02AB".to_vec();
    index.extend(words.iter().flat_map(|word: &u32| word.to_le_bytes()));
    vec![
        ("slide.mrxs", data.clone()),
        ("slide/Slidedat.ini", ini.into()),
        ("slide/Index.dat", index),
        ("slide/Data.dat", data),
    ]
}
