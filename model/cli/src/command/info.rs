//! `info`: what a slide file holds.

use domain::progress::Progress as _;
use domain::scale::Mpp;
use model::bag::tissue;
use serde_json::{Value, json};
use slide::{AssociatedImage, Level, Slide};

use super::open_slide;
use crate::Session;
use crate::args::InfoArgs;
use crate::console::{answer, answer_json, say};
use crate::failure::Failure;

pub(crate) fn run(args: &InfoArgs, session: &Session) -> Result<(), Failure> {
    let slide = open_slide(&args.slide)?;
    let tissue_fraction = tissue_fraction(&slide, session);
    session.cancel.check().map_err(|cancelled| Failure::new(&cancelled))?;
    if args.json {
        answer_json(&described(&slide, tissue_fraction))
    } else {
        answer(&in_words(&slide, tissue_fraction))
    }
}

/// `None`, with a warning, for a slide whose pixels cannot be read: its directory may still be of use.
fn tissue_fraction(slide: &Slide, session: &Session) -> Option<f64> {
    let Session { cancel, progress } = session;
    progress.stage("Finding tissue");
    let found = tissue::find(slide, progress, cancel);
    progress.clear();
    match found {
        Ok(mask) => Some(mask.fraction()),
        Err(error) => {
            say(&format!("warning: no tissue was looked for: {error}"));
            None
        }
    }
}

fn described(slide: &Slide, tissue_fraction: Option<f64>) -> Value {
    let tile = slide.levels().first().map(|level| level.stored_tile).unwrap_or_default();
    json!({
        "format": slide.format(),
        "id": slide.id().to_string(),
        "width": slide.size().width,
        "height": slide.size().height,
        "levels": slide.levels().iter().map(level).collect::<Vec<_>>(),
        "tile_size": { "width": tile.width, "height": tile.height },
        "mpp": slide.mpp().map(Mpp::mean),
        "mpp_x": slide.mpp().map(Mpp::x),
        "mpp_y": slide.mpp().map(Mpp::y),
        "objective_power": slide.objective_power(),
        "associated_images": slide.associated_images().iter().map(associated).collect::<Vec<_>>(),
        "properties": slide.properties(),
        "tissue_fraction": tissue_fraction,
    })
}

fn level(level: &Level) -> Value {
    json!({
        "width": level.size.width,
        "height": level.size.height,
        "downsample": level.downsample.get(),
        "tile_width": level.stored_tile.width,
        "tile_height": level.stored_tile.height,
        "virtual": level.is_virtual,
    })
}

fn associated(image: &AssociatedImage) -> Value {
    json!({ "name": image.name, "width": image.size.width, "height": image.size.height })
}

fn in_words(slide: &Slide, tissue_fraction: Option<f64>) -> String {
    let mut lines = vec![
        format!("format           {}", slide.format()),
        format!("size             {} x {} px", slide.size().width, slide.size().height),
        format!("resolution       {}", resolution(slide)),
        format!("tissue           {}", percent(tissue_fraction)),
    ];
    for (index, level) in slide.levels().iter().enumerate() {
        let (size, tile) = (level.size, level.stored_tile);
        let kind = if level.is_virtual {
            "computed".to_owned()
        } else {
            format!("tiles {} x {} px", tile.width, tile.height)
        };
        let (width, height, downsample) = (size.width, size.height, level.downsample.get());
        lines.push(format!("level {index:<10} {width} x {height} px, 1 : {downsample:.3}, {kind}"));
    }
    for image in slide.associated_images() {
        let size = image.size;
        lines.push(format!("{:<16} {} x {} px", image.name, size.width, size.height));
    }
    lines.extend(slide.properties().iter().map(|(name, value)| format!("{name} = {value}")));
    lines.join("\n")
}

fn percent(fraction: Option<f64>) -> String {
    fraction.map_or("not known".to_owned(), |fraction| format!("{:.1} %", fraction * 100.0))
}

fn resolution(slide: &Slide) -> String {
    let mpp = match slide.mpp() {
        Some(mpp) => format!("{} x {} µm/px", mpp.x(), mpp.y()),
        None => "not calibrated".to_owned(),
    };
    match slide.objective_power() {
        Some(power) => format!("{mpp}, objective {power}x"),
        None => mpp,
    }
}
