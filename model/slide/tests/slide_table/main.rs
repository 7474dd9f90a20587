//! The table of slides in `docs/FORMATS.md`: every file of the real data, opened, and its pixels held against OpenSlide's.
//!
//! Facts and sampled pixels are compared with `reference.json` on every run. Whole pictures are compared, and the table
//! can be written, where `SLIDELIGHT_OPENSLIDE_REFERENCE` names the folder that `peers/openslide_reference.py` filled:
//! `SLIDELIGHT_OPENSLIDE_REFERENCE=... SLIDELIGHT_WRITE_TABLE=1 cargo test -p slide --test slide_table`
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../formats/real.rs"]
mod real;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use domain::coords::{LevelRect, PixelSize};
use domain::id::LevelIndex;
use real::{repository, shared};
use serde_json::Value;
use slide::Slide;

const BEGIN: &str = "<!-- slides: written by `cargo test -p slide --test slide_table` -->\n";
const END: &str = "<!-- end of slides -->";
const BLOCK: u32 = 8;

/// How far pixels may lie from OpenSlide's.
#[derive(Clone, Copy)]
enum Pixels {
    /// Lossless, or JPEG, whose pixels are libjpeg's.
    Equal,
    Jpeg2000,
    /// Shown differently on purpose, for the reason given.
    OnPurpose(&'static str),
}

impl Pixels {
    /// By the part of the path that first fits.
    fn of(name: &str) -> Self {
        let kinds = [
            ("odd-jpeg-rgb", Self::OnPurpose("OpenSlide takes the directory's false word")),
            ("4ch-u16", Self::OnPurpose("OpenSlide shows the first channel, unscaled")),
            ("TCGA", Self::Jpeg2000),
            ("jp2k", Self::Jpeg2000),
        ];
        let kind = kinds.iter().find(|(part, _)| name.contains(part));
        kind.map_or(Self::Equal, |(_, kind)| *kind)
    }

    /// The largest and the mean difference that are accepted.
    fn limits(self) -> (u8, f64) {
        match self {
            Self::Equal => (0, 0.0),
            Self::Jpeg2000 => (2, 0.05),
            Self::OnPurpose(_) => (255, 255.0),
        }
    }
}

/// The largest and the mean difference of colours.
#[derive(Clone, Copy, Default)]
struct Difference {
    largest: u8,
    sum: f64,
    n_samples: usize,
}

impl Difference {
    fn add(&mut self, ours: u8, theirs: u8) {
        let difference = ours.abs_diff(theirs);
        self.largest = self.largest.max(difference);
        self.sum += f64::from(difference);
        self.n_samples += 1;
    }

    fn mean(self) -> f64 {
        if self.n_samples == 0 { 0.0 } else { self.sum / self.n_samples as f64 }
    }
}

#[test]
fn every_real_slide_is_read_as_the_table_says() {
    let Some(folder) = shared("data/slides") else { return };
    let reference = reference();
    let docs_path = repository().join("docs/FORMATS.md");
    let docs = std::fs::read_to_string(&docs_path).unwrap();
    let (before, rest) = docs.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    let old_rows: BTreeMap<&str, &str> = written.lines().filter_map(row_name).collect();

    let mut table = String::from(
        "| file | format | size | levels | um/px | power | beside | difference to OpenSlide, largest and mean |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    let (mut n_ours, mut n_theirs) = (0, 0);
    for (index, (name, entry)) in reference.iter().enumerate() {
        let slide = Slide::open(&folder.join(name));
        let is_theirs = entry.get("error").is_none();
        n_theirs += u32::from(is_theirs);
        n_ours += u32::from(slide.is_ok());
        assert!(slide.is_ok() || !is_theirs, "OpenSlide opens {name}; {}", slide.unwrap_err());
        let row = match slide {
            Ok(slide) => {
                let old = old_rows.get(name.as_str()).and_then(|row| row.rsplit(" | ").next());
                opened_row(&slide, name, entry, index, old.unwrap_or_default())
            }
            Err(error) => format!("not read: {error} | | | | | | |"),
        };
        writeln!(table, "| `{name}` | {row}").unwrap();
    }
    writeln!(table, "\nOf {} files {n_ours} are read, {n_theirs} by OpenSlide.", reference.len())
        .unwrap();
    assert!(n_theirs <= n_ours);
    if std::env::var_os("SLIDELIGHT_WRITE_TABLE").is_some() {
        std::fs::write(&docs_path, [before, BEGIN, &table, END, after].concat()).unwrap();
    } else {
        assert!(written == table, "the table in docs/FORMATS.md is stale; it should be:\n{table}");
    }
}

/// Facts and the comparison of pixels. `old` is the last cell of the table as it stands.
fn opened_row(slide: &Slide, name: &str, entry: &Value, index: usize, old: &str) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |it| format!("{it:.4}"));
    let size = slide.size();
    let beside: Vec<&str> =
        slide.associated_images().iter().map(|image| image.name.as_str()).collect();
    let n_levels = slide.levels().iter().filter(|level| !level.is_virtual).count();
    let facts = format!(
        "{} | {} x {} | {n_levels} | {} | {} | {}",
        slide.format(),
        size.width,
        size.height,
        number(slide.mpp().map(|mpp| mpp.x())),
        slide.objective_power().map_or_else(|| "-".to_owned(), |power| power.to_string()),
        beside.join(", "),
    );
    if entry.get("error").is_some() {
        return format!("{facts} | not opened by OpenSlide |");
    }
    check_facts(slide, name, entry);
    let (largest, mean) = Pixels::of(name).limits();
    let sampled = sampled_difference(slide, entry);
    assert!(sampled.largest <= largest, "{name}: {} in a sampled block", sampled.largest);
    let Some(whole) = whole_difference(slide, entry, index) else {
        return format!("{facts} | {old}");
    };
    assert!(whole.largest <= largest, "{name}: largest difference {}", whole.largest);
    assert!(whole.mean() <= mean, "{name}: mean difference {}", whole.mean());
    if whole.n_samples == 0 {
        return format!("{facts} | no opaque pixels |");
    }
    let reason = match Pixels::of(name) {
        Pixels::OnPurpose(reason) => format!(" ({reason})"),
        _ => String::new(),
    };
    format!("{facts} | {}, {:.4}{reason} |", whole.largest, whole.mean())
}

/// What both must agree on. Levels that only we know (OME sub-directories) and scales that only OpenSlide believes
/// (a printer's dots per inch) are left out.
fn check_facts(slide: &Slide, name: &str, entry: &Value) {
    let levels = entry["levels"].as_array().unwrap();
    for (level, expected) in slide.levels().iter().zip(levels) {
        let found = [level.size.width, level.size.height];
        assert_eq!(serde_json::json!(found), *expected, "{name}");
    }
    if let (Some(mpp), Some(expected)) = (slide.mpp(), entry["mpp"][0].as_f64()) {
        assert!((mpp.x() / expected - 1.0).abs() < 1e-3, "{name}: {} um/px", mpp.x());
    }
    assert_eq!(slide.objective_power(), entry["power"].as_f64(), "{name}");
    for (picture, size) in entry["associated"].as_object().unwrap() {
        let found = slide.associated_images().iter().find(|image| image.name == *picture);
        let found = found.map(|image| [image.size.width, image.size.height]);
        assert_eq!(serde_json::json!(found), *size, "{name}: {picture}");
        slide.read_associated(picture).unwrap();
    }
}

fn sampled_difference(slide: &Slide, entry: &Value) -> Difference {
    let mut difference = Difference::default();
    for block in entry["blocks"].as_array().unwrap() {
        let [x, y] = [0, 1].map(|axis| block[axis].as_i64().unwrap());
        let size = PixelSize { width: BLOCK, height: BLOCK };
        let region = slide.read_region(LevelIndex(0), LevelRect { x, y, size }).unwrap();
        let digits = block[2].as_str().unwrap();
        let theirs = (0..digits.len() / 2)
            .map(|index| u8::from_str_radix(&digits[index * 2..][..2], 16).unwrap());
        let ours = region.pixels.rgba().chunks_exact(4).flat_map(|pixel| &pixel[..3]);
        ours.zip(theirs).for_each(|(&ours, theirs)| difference.add(ours, theirs));
    }
    difference
}

/// Over the region that the reference holds whole, where both have opaque pixels.
fn whole_difference(slide: &Slide, entry: &Value, index: usize) -> Option<Difference> {
    let folder = std::env::var_os("SLIDELIGHT_OPENSLIDE_REFERENCE")?;
    let theirs = std::fs::read(Path::new(&folder).join(format!("{index}.rgba"))).unwrap();
    let [x, y, width, height] = [0, 1, 2, 3].map(|at| entry["region"][at].as_i64().unwrap());
    let size = PixelSize { width: width.try_into().unwrap(), height: height.try_into().unwrap() };
    let region = slide.read_region(LevelIndex(0), LevelRect { x, y, size }).unwrap();
    let mut difference = Difference::default();
    for (ours, theirs) in region.pixels.rgba().chunks_exact(4).zip(theirs.chunks_exact(4)) {
        if ours[3] == 255 && theirs[3] == 255 {
            (0..3).for_each(|channel| difference.add(ours[channel], theirs[channel]));
        }
    }
    Some(difference)
}

fn reference() -> BTreeMap<String, Value> {
    serde_json::from_str(include_str!("reference.json")).unwrap()
}

/// The file of a row, and the row without its closing bar.
fn row_name(row: &str) -> Option<(&str, &str)> {
    let (name, _) = row.strip_prefix("| `")?.split_once('`')?;
    Some((name, row))
}
