//! A fuzzer that runs with the other tests: small files of every container, changed at random from a fixed seed.
//!
//! `SLIDELIGHT_MUTATIONS` sets how many, `SLIDELIGHT_MUTATION_SEED` from where; `SLIDELIGHT_FUZZ_CORPUS` names a folder
//! for the unchanged files, one sub-folder for each target of `tests/fuzz`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod corpus;
#[path = "../containers/dicom_builder.rs"]
#[expect(dead_code, reason = "the other tests write more kinds of DICOM")]
mod dicom_builder;
mod exercise;
#[path = "../formats/tiff_builder.rs"]
mod tiff_builder;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use corpus::{Seed, seeds};
use domain::id::{LevelIndex, TileKey};
use exercise::{exercise, is_ours};

const N_MUTATIONS: u64 = 2_000;

/// Xorshift: the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// Bytes that make trouble where a number stands.
    fn trouble(&mut self) -> Vec<u8> {
        const NUMBERS: [u64; 8] =
            [0, 1, 0x7F, 0xFF, 0x7FFF_FFFF, 0xFFFF_FFFF, u64::MAX / 2, u64::MAX];
        let number = NUMBERS[self.below(NUMBERS.len())];
        let width = 1 << self.below(4);
        match self.below(2) {
            0 => number.to_le_bytes()[..width].to_vec(),
            _ => number.to_be_bytes()[8 - width..].to_vec(),
        }
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let at = self.below(bytes.len());
        match self.below(8) {
            0 => bytes[at] = self.next() as u8,
            1 => bytes[at] ^= 1 << self.below(8),
            2 | 3 => {
                let trouble = self.trouble();
                let end = bytes.len().min(at + trouble.len());
                bytes[at..end].copy_from_slice(&trouble[..end - at]);
            }
            4 => bytes.truncate(at),
            5 => drop(bytes.drain(at..(at + self.below(40)).min(bytes.len()))),
            6 => {
                let piece = bytes[at..(at + self.below(40)).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                // A digit of a text is as good a number as any.
                if let Some(digit) = bytes[at..].iter_mut().find(|byte| byte.is_ascii_digit()) {
                    *digit = b"0195-.e"[self.below(7)];
                }
            }
        }
    }
}

/// Writes a seed's files; answers with the one to open.
fn write(seed: &Seed, folder: &Path) -> PathBuf {
    for (name, bytes) in &seed.files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder.join(seed.files[0].0)
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn every_seed_opens_as_its_container() {
    let words = [
        ("directory", "generic-tiff"),
        ("aperio", "aperio"),
        ("ndpi", "hamamatsu"),
        ("leica", "leica"),
        ("philips", "philips"),
        ("ventana", "ventana"),
        ("ome", "ome-tiff"),
        ("qptiff", "qptiff"),
        ("dicom", "dicom"),
        ("picture", "image"),
        ("mirax", "mirax"),
    ];
    for (index, seed) in seeds().iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let slide = slide::Slide::open(&write(seed, folder.path()));
        let container = seed.container;
        let slide = slide.unwrap_or_else(|error| panic!("{container} {index}: {error}"));
        assert!(words.contains(&(container, slide.format())), "{container}: {}", slide.format());
        if let Some(corpus) = std::env::var_os("SLIDELIGHT_FUZZ_CORPUS") {
            let folder = Path::new(&corpus).join(container);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(format!("seed-{index}")), packed(seed)).unwrap();
        }
    }
}

/// One file as it is; of several each with its length before it.
fn packed(seed: &Seed) -> Vec<u8> {
    if let [(_, bytes)] = seed.files.as_slice() {
        return bytes.clone();
    }
    let files = seed.files.iter().skip(1);
    files.flat_map(|(_, bytes)| [&(bytes.len() as u32).to_le_bytes()[..], bytes].concat()).collect()
}

/// Counts panics of our own from now on: the reader contains those too.
fn bugs() -> &'static AtomicUsize {
    static BUGS: AtomicUsize = AtomicUsize::new(0);
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if is_ours(panic) {
            BUGS.fetch_add(1, Ordering::Relaxed);
            report(panic);
        }
    }));
    &BUGS
}

/// Its decoder multiplies beyond 32 bits, which panics where arithmetic is checked.
#[test]
fn a_decoder_that_gives_up_costs_its_tiles_and_not_the_slide() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("overflowing_coefficient.jpg");
    std::fs::write(&path, include_bytes!("overflowing_coefficient.jpg")).unwrap();
    let slide = slide::Slide::open(&path).unwrap();
    let key = TileKey { level: LevelIndex(0), col: 0, row: 0 };
    assert_eq!(slide.read_tile(key).unwrap().damaged_tiles, u32::from(cfg!(debug_assertions)));
}

#[test]
fn no_change_of_any_file_breaks_the_reader() {
    let n_mutations = number("SLIDELIGHT_MUTATIONS", N_MUTATIONS);
    let mut random = Random(number("SLIDELIGHT_MUTATION_SEED", 0x5EED) | 1);
    let seeds = seeds();
    let folder = tempfile::tempdir().unwrap();
    let (mut n_opened, mut slowest) = (0, (Duration::ZERO, "none"));
    let n_bugs = bugs();
    for round in 0..n_mutations {
        let seed = &seeds[random.below(seeds.len())];
        let mut files = seed.files.clone();
        let changed = random.below(files.len());
        for _ in 0..=random.below(6) {
            random.mutate(&mut files[changed].1);
        }
        let path = write(&Seed { container: seed.container, files }, folder.path());
        let begun = Instant::now();
        match catch_unwind(AssertUnwindSafe(|| exercise(&path))) {
            Ok(is_open) if n_bugs.load(Ordering::Relaxed) == 0 => n_opened += u64::from(is_open),
            _ => {
                let kept = folder.keep();
                panic!(
                    "a changed {} file broke the reader in round {round}; it is in {kept:?}",
                    seed.container
                );
            }
        }
        slowest = slowest.max((begun.elapsed(), seed.container));
    }
    println!(
        "{n_opened} of {n_mutations} opened; the slowest, a {}, took {:?}",
        slowest.1, slowest.0
    );
    assert!(n_mutations < 100 || n_mutations / 10 < n_opened);
}
