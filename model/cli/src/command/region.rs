//! `region`: a rectangle of one level as an RGBA PNG.

use domain::coords::{Level0Px, LevelRect, PixelSize};
use domain::id::LevelIndex;
use slide::Slide;
use slide::export;

use super::open_slide;
use crate::args::RegionArgs;
use crate::console::say;
use crate::failure::Failure;

pub(crate) fn run(args: &RegionArgs) -> Result<(), Failure> {
    let slide = open_slide(&args.slide)?;
    let at_slide = Failure::at(&args.slide);
    let rect = level_rect(&slide, args)?;
    let region =
        slide.read_region(LevelIndex(args.level), rect).map_err(|error| at_slide(&error))?;
    if 0 < region.damaged_tiles {
        let n_tiles = region.damaged_tiles;
        say(&format!("warning: {n_tiles} damaged tiles of the slide were left white"));
    }
    let png = export::encode_png(&region.pixels).map_err(|error| Failure::at(&args.out)(&error))?;
    export::save(&args.out, "region", &png).map_err(|error| Failure::at(&args.out)(&error))?;
    Ok(())
}

/// The rectangle that begins at the pixel of the level nearest to the level-0 position.
fn level_rect(slide: &Slide, args: &RegionArgs) -> Result<LevelRect, Failure> {
    let levels = slide.levels();
    let level = levels.get(usize::from(args.level)).ok_or_else(|| {
        let cause = format!("there is no level {}, the slide has {}", args.level, levels.len());
        Failure::at(&args.slide)(&cause)
    })?;
    #[expect(clippy::cast_precision_loss, reason = "slides are far below 2^53 pixels")]
    let corner = Level0Px { x: args.x as f64, y: args.y as f64 };
    let corner = level.downsample.level_from_level0(corner);
    #[expect(clippy::cast_possible_truncation, reason = "a saturating cast is what is wanted")]
    let (x, y) = (corner.x.round() as i64, corner.y.round() as i64);
    Ok(LevelRect { x, y, size: PixelSize { width: args.width, height: args.height } })
}
