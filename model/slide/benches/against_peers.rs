//! This reader's side of `peers.py`: one task on one slide, measured from within.
//!
//! `against_peers random|open|first|overview|all SLIDE` prints CPU seconds, wall seconds, megapixels and peak memory in MiB. Linux
//! only, where the kernel tells them in `/proc`. Without arguments (as `cargo bench` calls it) nothing is measured.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a bench prints, and measures nothing on failure"
)]

use std::path::Path;
use std::time::Instant;

use domain::coords::{LevelRect, PixelSize};
use domain::id::{LevelIndex, TILE_PX, TileKey};
use slide::Slide;

const N_READS: u64 = 200;
const SIDE: u32 = 512;
const N_OPENS: u32 = 1000;
/// A first view is the coarsest stored level of at least this many pixels along its longer side.
const VIEW: u32 = 1024;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [task, path] = arguments.as_slice() else { return };
    let path = Path::new(path);
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    let n_pixels = match task.as_str() {
        "random" => random(path),
        "open" => (0..N_OPENS).map(|_| open(path).size().area()).min().map_or(0, |_| 0),
        "first" => first(path),
        "overview" => overview(path),
        "all" => all(path),
        _ => return,
    };
    let repeats = if task == "open" { f64::from(N_OPENS) } else { 1.0 };
    println!(
        "{:.6} {:.6} {:.3} {:.1}",
        (cpu_seconds() - cpu) / repeats,
        wall.elapsed().as_secs_f64() / repeats,
        n_pixels as f64 / 1e6,
        peak_mebibytes()
    );
}

/// Reads squares of level 0 at places that every reader computes alike.
fn random(path: &Path) -> u64 {
    let slide = open(path);
    let PixelSize { width, height } = slide.size();
    let size = PixelSize { width: SIDE, height: SIDE };
    for read in 0..N_READS {
        let place = |factor: u64, side: u32| {
            i64::try_from(read * factor % u64::from(side - SIDE)).expect("a small number")
        };
        let rect =
            LevelRect { x: place(2_654_435_761, width), y: place(2_246_822_519, height), size };
        slide.read_region(LevelIndex(0), rect).expect("the slide can be read");
    }
    N_READS * size.area()
}

/// From the path to the pixels of a first view.
fn first(path: &Path) -> u64 {
    let slide = open(path);
    let is_enough = |level: &&slide::Level| VIEW <= level.size.width.max(level.size.height);
    let stored = slide.levels().iter().filter(|level| !level.is_virtual);
    let index = stored.collect::<Vec<_>>().iter().rposition(is_enough).unwrap_or(0);
    let size = slide.levels().get(index).expect("a level").size;
    let level = LevelIndex(u16::try_from(index).expect("few levels"));
    slide.read_region(level, LevelRect { x: 0, y: 0, size }).expect("the slide can be read");
    size.area()
}

/// From the path to the pixels of the coarsest level, stored or not.
fn overview(path: &Path) -> u64 {
    let slide = open(path);
    let last = slide.levels().len() - 1;
    let size = slide.levels().last().expect("a level").size;
    let level = LevelIndex(u16::try_from(last).expect("few levels"));
    slide.read_region(level, LevelRect { x: 0, y: 0, size }).expect("the slide can be read");
    slide.size().area()
}

/// Everything that a file has, or what is wrong with it: for files that are broken.
fn all(path: &Path) -> u64 {
    let slide = match Slide::open(path) {
        Ok(slide) => slide,
        Err(error) => {
            println!("{error}");
            return 0;
        }
    };
    let mut n_damaged = 0;
    for (level, it) in (0..).zip(slide.levels()) {
        let (cols, rows) = (it.size.width.div_ceil(TILE_PX), it.size.height.div_ceil(TILE_PX));
        for (col, row) in (0..rows).flat_map(|row| (0..cols).map(move |col| (col, row))) {
            let tile = slide.read_tile(TileKey { level: LevelIndex(level), col, row });
            n_damaged += tile.expect("the file can be read").damaged_tiles;
        }
    }
    let pictures = slide.associated_images().iter();
    let n_lost = pictures.filter(|it| slide.read_associated(&it.name).is_err()).count();
    println!("opens as {}; {n_damaged} damaged tiles, {n_lost} lost pictures", slide.format());
    slide.size().area()
}

fn open(path: &Path) -> Slide {
    Slide::open(path).expect("the slide opens")
}

/// The first number of `schedstat`: nanoseconds on a CPU.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanoseconds = text.split(' ').next().and_then(|it| it.parse::<f64>().ok());
    nanoseconds.expect("a number") / 1e9
}

fn peak_mebibytes() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}
