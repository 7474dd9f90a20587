//! Broken files of every kind at once: each is opened and read whole, and answers with a cause or with counted damage.
//!
//! `SLIDELIGHT_HOSTILE_FILES` names a folder for them, so that `benches/against_peers.rs` can take time and memory.

use crate::tiff_builder::Tiff;
use crate::{open_bytes, ramp};
use domain::id::{LevelIndex, TILE_PX, TileKey};

/// What a file answers with.
enum Answer {
    /// Refused, with a message that has the word.
    Refused(&'static str),
    /// Opens, and some tiles are counted as damaged.
    Damaged,
    /// Opens, and what can be shown is intact.
    Whole,
}
use Answer::{Damaged, Refused, Whole};

fn files() -> Vec<(&'static str, Vec<u8>, Answer)> {
    let claims = |compression, stored| tile(compression, 8192, stored);
    let mut frames = jpeg();
    let frame = frames.windows(2).position(|marker| marker == [0xFF, 0xC0]).unwrap();
    let second = frames[frame..frame + 19].to_vec();
    frames.splice(frame..frame, second);
    vec![
        ("directories_that_overlap", overlapping_directories(), Whole),
        ("directories_under_themselves", directories_under_themselves(), Whole),
        ("jpeg_of_67_million_pixels_in_few_bytes", claims(7, jpeg_of(8192)), Damaged),
        ("jpeg_2000_of_67_million_pixels_in_few_bytes", claims(33005, jpeg_2000(8192)), Damaged),
        ("jpeg_cut_in_its_data", tile(7, 16, cut(jpeg())), Damaged),
        ("jpeg_with_two_frames", tile(7, 16, frames), Damaged),
        ("jpeg_of_nothing_but_markers", tile(7, 16, [0xFF, 0xD8].repeat(5_000)), Damaged),
        ("lzw_of_noise", tile(5, 16, noise()), Damaged),
        ("packbits_that_run_on", tile(32773, 16, vec![127; 50]), Damaged),
        ("zstandard_that_claims_a_terabyte", tile(50000, 16, zstandard()), Damaged),
        (
            "webp_of_noise",
            tile(50001, 16, [&b"RIFF\xFF\xFF\xFF\x7FWEBPVP8 "[..], &noise()].concat()),
            Damaged,
        ),
        ("words_in_nested_elements", nested_words(), Whole),
        ("a_description_of_two_gigabytes", long_description(), Whole),
        ("samples_beyond_counting", samples(), Refused("samples")),
        ("png_cut_short", png()[..200].to_vec(), Damaged),
        ("png_of_60000_pixels_a_side", png_that_claims(60_000), Refused("pixels")),
        ("bmp_of_two_thousand_million_rows", bmp(), Refused("BMP")),
    ]
}

/// A picture of one tile of three samples.
fn tile(compression: u64, side: u64, stored: Vec<u8>) -> Vec<u8> {
    let mut tiff = Tiff::gray(side, side, vec![stored]);
    let photometric = if compression == 7 { 6 } else { 2 };
    tiff.set(258, &[8, 8, 8]).set(259, &[compression]).set(262, &[photometric]).set(277, &[3]);
    tiff.set(322, &[side]).set(323, &[side]).bytes()
}

fn jpeg() -> Vec<u8> {
    let picture = image::RgbImage::from_fn(16, 16, |x, y| {
        image::Rgb([(x * 16) as u8, (y * 16) as u8, (x * y) as u8])
    });
    let mut stream = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut stream).encode_image(&picture).unwrap();
    stream
}

/// With another size in its header.
fn jpeg_of(side: u16) -> Vec<u8> {
    let mut stream = jpeg();
    let frame = stream.windows(2).position(|marker| marker == [0xFF, 0xC0]).unwrap();
    let [high, low] = side.to_be_bytes();
    stream[frame + 5..frame + 9].copy_from_slice(&[high, low, high, low]);
    stream
}

fn cut(mut stream: Vec<u8>) -> Vec<u8> {
    stream.truncate(stream.len() - 40);
    stream
}

fn jpeg_2000(side: u32) -> Vec<u8> {
    let mut stream = vec![0xFF, 0x4F, 0xFF, 0x51, 0, 47, 0, 0];
    for number in [side, side, 0, 0, side, side, 0, 0] {
        stream.extend(number.to_be_bytes());
    }
    stream.extend([0, 3, 7, 1, 1, 7, 1, 1, 7, 1, 1]);
    stream.extend([0xFF, 0x52, 0, 12, 0, 0, 0, 1, 1, 5, 4, 4, 0, 1]);
    stream.extend([0xFF, 0x5C, 0, 19, 0x40]);
    stream.extend([0x48; 16]);
    stream.extend([0xFF, 0x90, 0, 10, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF, 0x93, 0, 0, 0xFF, 0xD9]);
    stream
}

fn noise() -> Vec<u8> {
    (0..300_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// A frame header with a content size of 2^40 bytes.
fn zstandard() -> Vec<u8> {
    let header = [0x28, 0xB5, 0x2F, 0xFD, 0xE0];
    [&header[..], &(1_u64 << 40).to_le_bytes(), &[0xFF; 30]].concat()
}

/// A first directory that is as it should be, and behind it ten thousand of 4096 entries each that begin four bytes apart.
fn overlapping_directories() -> Vec<u8> {
    const N: usize = 10_000;
    const LENGTH: usize = 2 + 4096 * 12;
    let mut bytes = Tiff::gray(16, 16, vec![ramp(0)]).bytes();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let first = bytes.len();
    // Two bytes of every four are a count of 4096.
    for at in 0..(N * 4 + LENGTH + 4) / 4 {
        bytes.extend([0x00, 0x10, at as u8, (at >> 8) as u8]);
    }
    // The link of a directory stands over the count of a later one, which then is no more than 65,535.
    let directory = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    let link = directory + 2 + 10 * 12;
    bytes[link..link + 4].copy_from_slice(&(first as u32).to_le_bytes());
    for index in 0..N {
        let link = first + index * 4 + LENGTH;
        let next = (first + (index + 1) * 4) as u32;
        if link + 4 <= bytes.len() {
            bytes[link..link + 4].copy_from_slice(&next.to_le_bytes());
        }
    }
    bytes
}

fn directories_under_themselves() -> Vec<u8> {
    let mut tiff = Tiff::gray(16, 16, vec![ramp(0)]);
    let bytes = tiff.bytes();
    let directory = u32::from_le_bytes(bytes[4..8].try_into().unwrap());
    tiff.set(330, &vec![directory.into(); 10_000]);
    Tiff::chain(&vec![tiff; 20])
}

fn nested_words() -> Vec<u8> {
    let text = format!("<?xml version=\"1.0\"?><OME>{}", "<Image>".repeat(300_000));
    Tiff::gray(16, 16, vec![ramp(0)]).set_text(270, text.as_bytes()).bytes()
}

fn long_description() -> Vec<u8> {
    let offset = 8_u32.to_le_bytes();
    Tiff::gray(16, 16, vec![ramp(0)]).set_raw(270, 2, 1 << 31, &offset).bytes()
}

fn samples() -> Vec<u8> {
    Tiff::gray(16, 16, vec![ramp(0)]).set(277, &[65_535]).set(258, &[8; 60_000]).bytes()
}

fn png() -> Vec<u8> {
    let picture = image::GrayImage::from_fn(600, 600, |x, y| image::Luma([(x * y) as u8]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Its header's checksum is that of the size that it claims.
fn png_that_claims(side: u32) -> Vec<u8> {
    let mut bytes = png();
    bytes[16..20].copy_from_slice(&side.to_be_bytes());
    bytes[20..24].copy_from_slice(&side.to_be_bytes());
    let mut checksum = flate2::Crc::new();
    checksum.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&checksum.sum().to_be_bytes());
    bytes
}

fn bmp() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(4, 4).write_to(&mut bytes, image::ImageFormat::Bmp).unwrap();
    let mut bytes = bytes.into_inner();
    bytes[22..26].copy_from_slice(&2_000_000_000_u32.to_le_bytes());
    bytes
}

/// Reads everything; whether some of it is damaged.
fn is_damaged(slide: &slide::Slide) -> bool {
    let mut n_damaged = 0;
    for (level, it) in (0..).zip(slide.levels()) {
        let (cols, rows) = (it.size.width.div_ceil(TILE_PX), it.size.height.div_ceil(TILE_PX));
        for (col, row) in (0..rows).flat_map(|row| (0..cols).map(move |col| (col, row))) {
            let key = TileKey { level: LevelIndex(level), col, row };
            n_damaged += slide.read_tile(key).unwrap().damaged_tiles;
        }
    }
    0 < n_damaged
}

#[test]
fn hostile_files_are_refused_with_their_cause_or_open_with_counted_damage() {
    let folder = std::env::var_os("SLIDELIGHT_HOSTILE_FILES").map(std::path::PathBuf::from);
    let mut problems = Vec::new();
    for (name, bytes, answer) in files() {
        if let Some(folder) = &folder {
            std::fs::write(folder.join(name), &bytes).unwrap();
        }
        let problem = match (open_bytes(&bytes), answer) {
            (Err(error), Refused(word)) if error.to_string().contains(word) => continue,
            (Err(error), _) => format!("refused: {error}"),
            (Ok(_), Refused(_)) => "opened".to_owned(),
            (Ok(slide), Damaged) if !is_damaged(&slide) => "no damage".to_owned(),
            (Ok(slide), Whole) if is_damaged(&slide) => "damage".to_owned(),
            _ => continue,
        };
        problems.push(format!("{name}: {problem}"));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
