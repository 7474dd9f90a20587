//! Random streams, written here, against the other decoder and against their own parts.

use super::*;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

/// Xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// What a stream is made of.
#[derive(Clone, Copy, Debug)]
struct Recipe {
    width: u16,
    height: u16,
    /// Of the first component; 0 for gray.
    sampling: u8,
    restart_interval: u16,
    /// Bits of the Huffman codes of AC coefficients: 8 are found in one look, 16 are not; 9 leaves 2 for the commonest, of
    /// which one look finds several.
    code_bits: u8,
}

/// Bits as JPEG stores them.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    held: u32,
    n_held: u32,
}

impl Writer {
    fn put(&mut self, bits: u32, n: u32) {
        for at in (0..n).rev() {
            self.held = self.held << 1 | (bits >> at & 1);
            self.n_held += 1;
            if self.n_held == 8 {
                self.bytes.push(self.held as u8);
                if self.held == 0xFF {
                    self.bytes.push(0);
                }
                (self.held, self.n_held) = (0, 0);
            }
        }
    }

    fn finish(&mut self) {
        while 0 < self.n_held {
            self.put(1, 1);
        }
    }

    /// A symbol, whose code is its place among the symbols, and the number behind it.
    fn symbol(&mut self, (code, n_bits): (u32, u32), number: i32, size: u32) {
        self.put(code, n_bits);
        let bits = if number < 0 { number + (1 << size) - 1 } else { number };
        self.put(bits as u32, size);
    }
}

/// The commonest first: a number of one bit, the end of the block.
fn ac_symbols() -> Vec<u8> {
    let all = (0..=15_u8).flat_map(|run| (1..=10).map(move |size| run << 4 | size));
    [0x01, 0x00, 0xF0].into_iter().chain(all.filter(|&it| it != 0x01)).collect()
}

fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16 + 2).to_be_bytes();
    [&[0xFF, marker], &length[..], body].concat()
}

impl Recipe {
    fn components(self) -> Vec<u8> {
        if self.sampling == 0 { vec![0x11] } else { vec![self.sampling, 0x11, 0x11] }
    }

    fn stream(self, random: &mut Random) -> Vec<u8> {
        let components = self.components();
        let n = components.len() as u8;
        let [h1, h0, w1, w0] = (u32::from(self.height) << 16 | u32::from(self.width)).to_be_bytes();
        let mut frame = vec![8, h1, h0, w1, w0, n];
        let mut scan = vec![n];
        for (name, sampling) in (1..).zip(&components) {
            frame.extend([name, *sampling, 0]);
            scan.extend([name, 0]);
        }
        scan.extend([0, 63, 0]);
        let mut dc = vec![0; 17];
        dc[4] = 12;
        dc.extend(0..12);
        let mut ac = vec![0; 17];
        ac[0] = 0x10;
        if self.code_bits == 9 {
            (ac[2], ac[9]) = (2, 160);
        } else {
            ac[usize::from(self.code_bits)] = 162;
        }
        ac.extend(ac_symbols());
        let steps: Vec<u8> = [0, 9].into_iter().chain((1..64).map(|k| 2 + k / 4)).collect();
        [
            vec![0xFF, 0xD8],
            segment(0xDB, &steps),
            segment(0xC0, &frame),
            segment(0xC4, &dc),
            segment(0xC4, &ac),
            segment(0xDD, &self.restart_interval.to_be_bytes()),
            segment(0xDA, &scan),
            self.data(random),
            vec![0xFF, 0xD9],
        ]
        .concat()
    }

    fn data(self, random: &mut Random) -> Vec<u8> {
        let components = self.components();
        let (across, down) = (components[0] >> 4, components[0] & 15);
        let side = |length: u16, n: u8| usize::from(length).div_ceil(usize::from(n) * 8);
        let n_units = side(self.width, across) * side(self.height, down);
        let mut writer = Writer::default();
        let mut before = vec![0; components.len()];
        for unit in 0..n_units {
            let interval = usize::from(self.restart_interval);
            if 0 < unit && 0 < interval && unit % interval == 0 {
                writer.finish();
                writer.bytes.extend([0xFF, 0xD0 + ((unit / interval - 1) % 8) as u8]);
                before.fill(0);
            }
            for (sampling, before) in components.iter().zip(&mut before) {
                for _ in 0..(sampling >> 4) * (sampling & 15) {
                    self.block(random, &mut writer, before);
                }
            }
        }
        writer.finish();
        writer.bytes
    }

    fn block(self, random: &mut Random, writer: &mut Writer, before: &mut i32) {
        let size_of = |number: i32| 32 - number.unsigned_abs().leading_zeros();
        let dc = random.below(120) as i32 - 60;
        let change = dc - std::mem::replace(before, dc);
        writer.symbol((size_of(change), 4), change, size_of(change));
        let symbols = ac_symbols();
        let code = |symbol: usize| {
            let place = symbols.iter().position(|&it| usize::from(it) == symbol).unwrap() as u32;
            match (self.code_bits, place) {
                (9, 0 | 1) => (place, 2),
                (9, _) => ((1 << 8) + place - 2, 9),
                (n_bits, _) => (place, u32::from(n_bits)),
            }
        };
        let n_coded = [0, 2, 9, 63][random.below(4)];
        let mut run = 0;
        for at in 1..=n_coded {
            let spread = 1 + 40 / at;
            let number = random.below(2 * spread + 1) as i32 - spread as i32;
            if number == 0 || random.below(2) == 0 {
                run += 1;
                continue;
            }
            for _ in 0..run / 16 {
                writer.symbol(code(0xF0), 0, 0);
            }
            let size = size_of(number);
            writer.symbol(code((run % 16) << 4 | size as usize), number, size);
            run = 0;
        }
        if n_coded < 63 || 0 < run {
            writer.symbol(code(0), 0, 0);
        }
    }
}

fn recipes() -> Vec<Recipe> {
    let mut recipes = Vec::new();
    for (index, sampling) in [0, 0x11, 0x21, 0x22].into_iter().cycle().take(24).enumerate() {
        let (width, height) = ([1, 8, 17, 40, 63, 100][index % 6], [50, 16, 33, 1, 7][index % 5]);
        let restart_interval = [0, 0, 1, 3][index / 4 % 4];
        let code_bits = [16, 8, 9][index % 3];
        recipes.push(Recipe { width, height, sampling, restart_interval, code_bits });
    }
    recipes
}

fn limit() -> PixelSize {
    PixelSize { width: 4096, height: 4096 }
}

fn by_the_other_decoder(stream: &[u8], is_rgb: bool) -> Vec<u8> {
    let color = if is_rgb { ColorSpace::YCbCr } else { ColorSpace::RGB };
    let options = DecoderOptions::default().set_strict_mode(true).jpeg_set_out_colorspace(color);
    zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(stream), options).decode().unwrap()
}

#[test]
fn random_streams_decode_as_the_other_decoder_does() {
    let mut random = Random(7);
    for recipe in recipes() {
        let stream = recipe.stream(&mut random);
        let is_rgb = recipe.sampling == 0x11;
        let ours = decode(&[], &stream, is_rgb, limit(), Extent::Whole).unwrap();
        assert_eq!(ours.size().width, u32::from(recipe.width));
        let theirs = by_the_other_decoder(&stream, is_rgb);
        let (mut largest, mut sum) = (0, 0.0);
        for (ours, theirs) in ours.rgba().chunks(4).zip(theirs.chunks(3)) {
            for (ours, theirs) in ours.iter().zip(theirs) {
                largest = largest.max(ours.abs_diff(*theirs));
                sum += f64::from(ours.abs_diff(*theirs));
            }
        }
        let mean = sum / theirs.len() as f64;
        // The other decoder brings coarse colours to the picture's size in another way.
        let (largest_allowed, mean_allowed) = match recipe.sampling {
            0 | 0x11 => (1, 0.1),
            _ => (16, 1.0),
        };
        assert!(largest <= largest_allowed && mean <= mean_allowed, "{recipe:?}: {largest} {mean}");
    }
}

#[test]
fn a_part_shows_what_the_whole_shows_there() {
    let mut random = Random(11);
    for recipe in recipes() {
        let stream = recipe.stream(&mut random);
        let whole = decode(&[], &stream, false, limit(), Extent::Whole).unwrap();
        for _ in 0..8 {
            let (x, y) = (random.below(recipe.width.into()), random.below(recipe.height.into()));
            let width = 1 + random.below(usize::from(recipe.width) - x) as u32;
            let height = 1 + random.below(usize::from(recipe.height) - y) as u32;
            let part = Part { x: x as u32, y: y as u32, size: PixelSize { width, height } };
            let seen = decode(&[], &stream, false, limit(), Extent::Part(part)).unwrap();
            for (x, y) in (0..width).flat_map(|x| (0..height).map(move |y| (x, y))) {
                let expected = whole.get(part.x + x, part.y + y);
                assert_eq!(seen.get(x, y), expected, "{recipe:?}, {part:?} at {x}, {y}");
            }
        }
    }
}

#[test]
fn restart_markers_change_no_pixel() {
    for sampling in [0x11, 0x22] {
        let of = |restart_interval| {
            let recipe = Recipe { width: 70, height: 40, sampling, restart_interval, code_bits: 8 };
            decode(&[], &recipe.stream(&mut Random(5)), false, limit(), Extent::Whole).unwrap()
        };
        assert!(of(0) == of(2));
    }
}

#[test]
fn damage_is_left_to_the_other_decoder() {
    let mut random = Random(3);
    for recipe in recipes() {
        let stream = recipe.stream(&mut random);
        for length in 0..stream.len() {
            assert!(decode(&[], &stream[..length], false, limit(), Extent::Whole).is_none());
        }
        for _ in 0..100 {
            let mut changed = stream.clone();
            changed[random.below(stream.len())] = random.below(256) as u8;
            drop(decode(&[], &changed, false, limit(), Extent::Whole));
        }
    }
}

#[test]
fn parts_outside_and_streams_beyond_the_limit_are_refused() {
    let recipe =
        Recipe { width: 20, height: 20, sampling: 0x22, restart_interval: 0, code_bits: 8 };
    let stream = recipe.stream(&mut Random(1));
    let part = |x, width| Part { x, y: 0, size: PixelSize { width, height: 20 } };
    for outside in [part(1, 20), part(20, 0), part(u32::MAX, 2)] {
        assert!(decode(&[], &stream, false, limit(), Extent::Part(outside)).is_none());
    }
    assert!(
        decode(&[], &stream, false, PixelSize { width: 19, height: 20 }, Extent::Whole).is_none()
    );
}

#[test]
fn an_eighth_holds_the_means_of_blocks() {
    let mut random = Random(13);
    for recipe in recipes() {
        let stream = recipe.stream(&mut random);
        let is_rgb = recipe.sampling == 0x11;
        let whole = decode(&[], &stream, is_rgb, limit(), Extent::Whole).unwrap();
        let eighth = decode(&[], &stream, is_rgb, limit(), Extent::Eighth).unwrap();
        let PixelSize { width, height } = whole.size();
        let expected = PixelSize { width: width.div_ceil(8), height: height.div_ceil(8) };
        assert_eq!(eighth.size(), expected);
        // Samples that were cut at 0 or 255 pull the mean of the pixels aside, so gray is looked at in the middle.
        for (x, y) in (0..width / 8).flat_map(|x| (0..height / 8).map(move |y| (x, y))) {
            let block = (0..64).map(|at| whole.get(8 * x + at % 8, 8 * y + at / 8).unwrap()[0]);
            let is_cut = block.clone().any(|it| it == 0 || it == 255);
            let mean = block.map(f64::from).sum::<f64>() / 64.0;
            let found = f64::from(eighth.get(x, y).unwrap()[0]);
            let is_simple = recipe.sampling < 0x12;
            assert!(
                is_cut || !is_simple || (mean - found).abs() <= 1.0,
                "{recipe:?}: {mean} {found}"
            );
        }
    }
}
