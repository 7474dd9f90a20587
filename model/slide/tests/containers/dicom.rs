//! DICOM whole-slide images: where frames lie, how they are stored, which files belong together, and files that lie.

use std::path::Path;

use crate::dicom_builder::{Dicom, IMPLICIT, element};
use domain::coords::{LevelRect, PixelSize};
use domain::id::LevelIndex;
use slide::{Region, Slide, SlideError};

const CLEAR: [u8; 4] = [255, 255, 255, 0];
const SERIES: &str = "1.2.3";

/// Alone in its folder.
fn open(dicom: &Dicom) -> Result<Slide, SlideError> {
    open_files(&[dicom])
}

/// The first of several files of one folder.
fn open_files(files: &[&Dicom]) -> Result<Slide, SlideError> {
    let folder = tempfile::tempdir().unwrap();
    for (index, dicom) in files.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{index}.dcm")), dicom.bytes()).unwrap();
    }
    Slide::open(&folder.path().join("0.dcm"))
}

fn read(slide: &Slide, level: u16, x: i64, y: i64, width: u32, height: u32) -> Region {
    let rect = LevelRect { x, y, size: PixelSize { width, height } };
    slide.read_region(LevelIndex(level), rect).unwrap()
}

fn pixel(slide: &Slide, x: i64, y: i64) -> [u8; 4] {
    read(slide, 0, x, y, 1, 1).pixels.get(0, 0).unwrap()
}

fn gray(value: u8) -> [u8; 4] {
    [value, value, value, 255]
}

fn flat(value: u8) -> Vec<u8> {
    vec![value; 16]
}

fn jpeg(value: u8) -> Vec<u8> {
    let mut stream = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut stream, 100)
        .encode(&flat(value), 4, 4, image::ExtendedColorType::L8)
        .unwrap();
    stream
}

/// The functional groups of a frame that lies at `(x, y)`.
fn place(x: i32, y: i32) -> Vec<u8> {
    let position = [
        element(0x0048_021E, b"SL", &(x + 1).to_le_bytes(), false),
        element(0x0048_021F, b"SL", &(y + 1).to_le_bytes(), false),
    ]
    .concat();
    let mut item = vec![0xFE, 0xFF, 0x00, 0xE0];
    item.extend((position.len() as u32).to_le_bytes());
    item.extend(position);
    element(0x0048_021A, b"SQ", &item, false)
}

#[test]
fn a_full_grid_is_read_row_by_row() {
    let frames: Vec<_> = (0..6).map(|index| flat(index * 10)).collect();
    let slide = open(Dicom::level(SERIES, 10, 7).frames(&frames)).unwrap();
    assert_eq!(slide.format(), "dicom");
    assert_eq!(slide.size(), PixelSize { width: 10, height: 7 });
    assert_eq!(pixel(&slide, 9, 0), gray(20));
    assert_eq!(pixel(&slide, 0, 6), gray(30));
    assert_eq!(pixel(&slide, 10, 0), CLEAR);
}

#[test]
fn frames_that_no_file_holds_are_lost() {
    let mut dicom = Dicom::level(SERIES, 8, 4);
    dicom.text(0x0028_0008, b"IS", "1").frames(&[flat(10)]);
    let found = read(&open(&dicom).unwrap(), 0, 0, 0, 8, 4);
    assert_eq!((found.pixels.get(0, 0), found.pixels.get(4, 0)), (Some(gray(10)), Some(CLEAR)));
    assert_eq!(found.damaged_tiles, 1);
}

/// One frame of 4 x 4 pixels that claimed four million neighbours kept a reader busy for half a minute.
#[test]
fn a_large_level_in_crumbs_is_refused() {
    let mut dicom = Dicom::level(SERIES, 63_240, 1024);
    let error = open(dicom.frames(&[flat(0)])).unwrap_err().to_string();
    assert!(error.contains("tiny tiles") && error.contains("4047360"), "{error}");
}

#[test]
fn of_several_focal_planes_the_middle_one_is_shown() {
    let frames: Vec<_> = (0..6).map(|index| flat(index * 10)).collect();
    let mut dicom = Dicom::level(SERIES, 8, 4);
    dicom.long(0x0048_0303, 3).text(0x0028_0008, b"IS", "6").frames(&frames);
    assert_eq!(pixel(&open(&dicom).unwrap(), 4, 0), gray(30));
}

#[test]
fn optical_paths_of_fluorescence_are_channels_in_one_file_or_several() {
    let frames: Vec<_> = (0..4).map(|index| flat(index * 10)).collect();
    let path = |name: &str| element(0x0048_0107, b"ST", name.as_bytes(), false);
    let mut together = Dicom::level(SERIES, 8, 4);
    together.long(0x0048_0302, 2).text(0x0028_0008, b"IS", "4");
    together.sequence(0x0048_0105, &[path("DAPI"), path("FITC")]).frames(&frames);
    let mut first = Dicom::level(SERIES, 8, 4);
    first.sequence(0x0048_0105, &[path("DAPI")]).text(0x0020_0013, b"IS", "1");
    let mut second = first.clone();
    first.frames(&frames[..2]);
    second.sequence(0x0048_0105, &[path("FITC")]).text(0x0020_0013, b"IS", "2");
    second.frames(&frames[2..]);
    for slide in [open(&together).unwrap(), open_files(&[&second, &first]).unwrap()] {
        let names: Vec<&str> = slide.channels().iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["DAPI", "FITC"]);
        let rect = LevelRect { x: 0, y: 0, size: PixelSize { width: 8, height: 4 } };
        let values = |channel| slide.read_channel(channel, LevelIndex(0), rect).unwrap().values;
        assert_eq!((values(0)[0], values(0)[7]), (0.0, 10.0));
        assert_eq!((values(1)[0], values(1)[31]), (20.0, 30.0));
    }
}

#[test]
fn sparse_frames_lie_where_their_positions_say() {
    let mut dicom = Dicom::level(SERIES, 20, 20);
    dicom
        .text(0x0020_9311, b"CS", "TILED_SPARSE")
        .text(0x0028_0008, b"IS", "3")
        .sequence(0x5200_9230, &[place(16, 16), place(0, 0), place(2, 0)])
        .frames(&[flat(1), flat(2), flat(3)]);
    let slide = open(&dicom).unwrap();
    assert_eq!(pixel(&slide, 19, 19), gray(1));
    assert_eq!(pixel(&slide, 1, 3), gray(2));
    assert_eq!(pixel(&slide, 2, 3), gray(3));
    assert_eq!(pixel(&slide, 8, 8), CLEAR);
    assert_eq!(read(&slide, 0, 0, 0, 20, 20).damaged_tiles, 0);
}

#[test]
fn frames_without_any_place_are_refused() {
    let mut dicom = Dicom::level(SERIES, 8, 8);
    dicom.without(0x0020_9311).frames(&[flat(1), flat(2), flat(3), flat(4)]);
    let message = open(&dicom).unwrap_err().to_string();
    assert!(message.contains("nothing says where the frames lie"), "{message}");
}

#[test]
fn the_parts_of_a_concatenation_are_one_level_and_a_missing_part_is_damage() {
    let part = |offset: u32, first: u8| {
        let mut dicom = Dicom::level(SERIES, 8, 8);
        dicom
            .text(0x0020_9161, b"UI", "9.9")
            .long(0x0020_9228, offset)
            .text(0x0028_0008, b"IS", "2")
            .frames(&[flat(first), flat(first + 1)]);
        dicom
    };
    let (upper, lower) = (part(0, 10), part(2, 20));
    let slide = open_files(&[&lower, &upper]).unwrap();
    assert_eq!((pixel(&slide, 0, 0), pixel(&slide, 4, 4)), (gray(10), gray(21)));
    let half = open(&upper).unwrap();
    assert_eq!(read(&half, 0, 0, 0, 8, 8).damaged_tiles, 2);
    assert_eq!(pixel(&half, 4, 0), gray(11));
}

#[test]
fn levels_and_pictures_of_the_series_are_found_beside_any_of_its_files() {
    let mut level = Dicom::level(SERIES, 8, 8);
    level.frames(&[flat(1), flat(2), flat(3), flat(4)]);
    let mut coarse = Dicom::level(SERIES, 4, 4);
    coarse.frames(&[flat(9)]);
    let mut label = coarse.clone();
    label.text(0x0008_0008, b"CS", r"ORIGINAL\PRIMARY\LABEL\NONE").frames(&[flat(77)]);
    let mut stranger = Dicom::level("1.2.4", 400, 400);
    stranger.frames(&[]);
    let orders: [[&Dicom; 4]; 2] =
        [[&label, &coarse, &stranger, &level], [&level, &label, &coarse, &stranger]];
    let ids = orders.map(|files| open_files(&files).unwrap().id().clone());
    assert_eq!(ids[0], ids[1], "the slide is the same whichever file was opened");
    for files in orders {
        let slide = open_files(&files).unwrap();
        assert_eq!(slide.size(), PixelSize { width: 8, height: 8 });
        assert_eq!(slide.levels().len(), 2);
        assert_eq!(read(&slide, 1, 0, 0, 1, 1).pixels.get(0, 0), Some(gray(9)));
        assert_eq!(slide.read_associated("label").unwrap().get(0, 0), Some(gray(77)));
    }
    let message = open(&label).unwrap_err().to_string();
    assert!(message.contains("no level"), "{message}");
}

#[test]
fn compressed_frames_are_found_with_and_without_an_offset_table() {
    let streams = [jpeg(10), jpeg(200)];
    let padded = |stream: &Vec<u8>| stream.len().next_multiple_of(2) as u32;
    let second = padded(&streams[0]) + 8;
    let halves: Vec<Vec<u8>> =
        streams.iter().flat_map(|stream| stream.chunks(100).map(<[u8]>::to_vec)).collect();
    let mut dicom = Dicom::level(SERIES, 8, 4);
    dicom.syntax("1.2.840.10008.1.2.4.50");
    let mut found = vec![
        dicom.clone().fragments(&[0, second], &streams).clone(),
        dicom.clone().fragments(&[], &streams).clone(),
        dicom.clone().fragments(&[], &halves).clone(),
        dicom.clone().fragments(&[7, 7], &streams).clone(),
    ];
    let longs =
        |numbers: [u32; 2]| numbers.iter().flat_map(|&it| u64::from(it).to_le_bytes()).collect();
    let lengths = [padded(&streams[0]), padded(&streams[1])];
    dicom.raw(0x7FE0_0001, b"OV", longs([0, second])).raw(0x7FE0_0002, b"OV", longs(lengths));
    found.push(dicom.fragments(&[], &streams).clone());
    for dicom in found {
        let slide = open(&dicom).unwrap();
        let [left, right] = [pixel(&slide, 0, 0), pixel(&slide, 7, 3)];
        assert!(left[0].abs_diff(10) <= 1 && right[0].abs_diff(200) <= 1, "{left:?} {right:?}");
        assert_eq!(read(&slide, 0, 0, 0, 8, 4).damaged_tiles, 0);
    }
}

#[test]
fn run_lengths_planes_wide_samples_and_ycbcr_become_rgb() {
    let mut rgb = Dicom::level(SERIES, 4, 4);
    rgb.short(0x0028_0002, 3).text(0x0028_0004, b"CS", "RGB");
    let planes = [flat(1), flat(2), flat(3)].concat();
    let pixels = [1, 2, 3].repeat(16);
    assert_eq!(pixel(&open(rgb.clone().frames(&[pixels])).unwrap(), 3, 3), [1, 2, 3, 255]);
    let mut planar = rgb.clone();
    planar.short(0x0028_0006, 1).frames(&[planes]);
    assert_eq!(pixel(&open(&planar).unwrap(), 3, 3), [1, 2, 3, 255]);

    let header: Vec<u8> =
        [3_u32, 64, 66, 68].into_iter().chain([0; 12]).flat_map(u32::to_le_bytes).collect();
    let segments = [[241, 1], [241, 2], [241, 3]].concat();
    let mut run_length = rgb.clone();
    run_length.syntax("1.2.840.10008.1.2.5").fragments(&[], &[[header, segments].concat()]);
    assert_eq!(pixel(&open(&run_length).unwrap(), 3, 3), [1, 2, 3, 255]);

    let mut ycbcr = rgb.clone();
    ycbcr.text(0x0028_0004, b"CS", "YBR_FULL").frames(&[[76, 85, 255].repeat(16)]);
    assert_eq!(pixel(&open(&ycbcr).unwrap(), 0, 0), [254, 0, 0, 255]);

    let mut wide = Dicom::level(SERIES, 4, 4);
    wide.short(0x0028_0100, 16).short(0x0028_0101, 12).frames(&[[0xFF, 0x0F].repeat(16)]);
    assert_eq!(pixel(&open(&wide).unwrap(), 0, 0), gray(255));
    let mut inverted = Dicom::level(SERIES, 4, 4);
    inverted.text(0x0028_0004, b"CS", "MONOCHROME1").frames(&[flat(5)]);
    assert_eq!(pixel(&open(&inverted).unwrap(), 0, 0), gray(250));
}

#[test]
fn headers_without_types_say_the_same() {
    let mut dicom = Dicom::level(SERIES, 4, 4);
    dicom.syntax(IMPLICIT).frames(&[flat(42)]);
    let slide = open(&dicom).unwrap();
    assert_eq!(pixel(&slide, 0, 0), gray(42));
    assert_eq!(slide.properties()["dicom.SeriesInstanceUID"], SERIES);
}

#[test]
fn scale_power_profile_and_properties_are_found() {
    let spacing = element(0x0028_0030, b"DS", br"0.0005\0.00025", false);
    let wrap = |tag, value: &[u8]| {
        let mut item = vec![0xFE, 0xFF, 0x00, 0xE0];
        item.extend((value.len() as u32).to_le_bytes());
        element(tag, b"SQ", &[&item, value].concat(), false)
    };
    let power = element(0x0048_0112, b"DS", b"40", false);
    let profile = element(0x0028_2000, b"OB", &[7; 2000], false);
    let mut dicom = Dicom::level(SERIES, 4, 4);
    dicom
        .sequence(0x5200_9229, &[wrap(0x0028_9110, &spacing)])
        .sequence(0x0048_0105, &[[profile, power].concat()])
        .frames(&[flat(1)]);
    let slide = open(&dicom).unwrap();
    let mpp = slide.mpp().unwrap();
    assert!((mpp.x() - 0.25).abs() < 1e-9 && (mpp.y() - 0.5).abs() < 1e-9);
    assert_eq!(slide.objective_power(), Some(40.0));
    assert_eq!(slide.icc_profile().unwrap().unwrap(), [7; 2000]);
    let key = "dicom.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing[1]";
    assert_eq!(slide.properties()[key], "0.00025");
    assert_eq!(slide.properties()["dicom.ImageType[2]"], "VOLUME");
}

#[test]
fn encodings_that_are_not_read_are_named() {
    for (syntax, name) in
        [("1.2.840.10008.1.2.4.80", "JPEG-LS"), ("1.2.840.10008.1.2.1.99", "deflated")]
    {
        let message = open(Dicom::level(SERIES, 4, 4).syntax(syntax)).unwrap_err().to_string();
        assert!(message.contains(name), "{message}");
    }
    let mut radiograph = Dicom::level(SERIES, 4, 4);
    radiograph.text(0x0008_0016, b"UI", "1.2.840.10008.5.1.4.1.1.1");
    assert!(open(&radiograph).unwrap_err().to_string().contains("no whole-slide"));
}

#[test]
fn a_file_cut_anywhere_is_refused_or_counts_its_lost_frames() {
    let mut dicom = Dicom::level(SERIES, 8, 8);
    dicom.frames(&[flat(1), flat(2), flat(3), flat(4)]);
    let whole = dicom.bytes();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.dcm");
    let mut n_opened = 0;
    for length in (0..whole.len()).step_by(3) {
        std::fs::write(&path, &whole[..length]).unwrap();
        if let Ok(slide) = Slide::open(Path::new(&path)) {
            n_opened += 1;
            assert!(1 <= read(&slide, 0, 0, 0, 8, 8).damaged_tiles, "{length} bytes");
        }
    }
    assert!(10 < n_opened);
}

#[test]
fn sequences_nested_without_end_are_refused() {
    let mut nested = Vec::new();
    for _ in 0..100 {
        let mut item = vec![0xFE, 0xFF, 0x00, 0xE0];
        item.extend((nested.len() as u32).to_le_bytes());
        nested = element(0x0048_0105, b"SQ", &[item, nested].concat(), false);
    }
    let mut dicom = Dicom::level(SERIES, 4, 4);
    dicom.sequence(0x0048_0105, &[nested]).frames(&[flat(1)]);
    assert!(open(&dicom).unwrap_err().to_string().contains("nested"));
}

#[test]
fn a_folder_opens_the_series_in_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("0-notes.txt"), "no picture").unwrap();
    let error = Slide::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("no DICOM file"), "{error}");
    let coarse = Dicom::level(SERIES, 4, 4).frames(&[flat(7)]).bytes();
    std::fs::write(folder.path().join("1"), coarse).unwrap();
    let frames: Vec<_> = (0..4).map(|index| flat(index * 10)).collect();
    let fine = Dicom::level(SERIES, 8, 8).frames(&frames).bytes();
    std::fs::write(folder.path().join("2"), fine).unwrap();
    let slide = Slide::open(folder.path()).unwrap();
    assert_eq!(slide.levels().len(), 2);
    assert_eq!(slide.size(), PixelSize { width: 8, height: 8 });
}
