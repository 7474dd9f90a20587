//! `annotations`: what a file of annotations holds, and the same for other programs.

use std::path::{Path, PathBuf};

use domain::annotation::{Annotation, Shape};
use domain::coords::Level0Px;
use domain::scale::Area;
use serde_json::{Value, json};
use slide::export::{self, AnnotationSheet, Names, SlideFacts};
use slide::import::{self, AnnotationFile, AnnotationFormat, OriginChoice};

use super::open_slide;
use crate::Session;
use crate::args::{AnnotationsArgs, FormatArg};
use crate::console::{answer, answer_json, say};
use crate::failure::Failure;

pub(crate) fn run(args: &AnnotationsArgs, session: &Session) -> Result<(), Failure> {
    let facts = SlideFacts::of(&open_slide(&args.slide)?);
    let at_file = Failure::at(&args.file);
    let bytes = std::fs::read(&args.file).map_err(|error| at_file(&error))?;
    let file = import::read(&bytes).map_err(|error| at_file(&error))?;
    file.notes.iter().for_each(|note| say(&format!("note: {note}")));
    let origin = origin(args, &file, &facts)?;
    let format = file.format;
    let annotations = file.placed(origin);
    let n_outside = import::n_beyond(&annotations, &facts);
    if 0 < n_outside {
        say(&format!("warning: {n_outside} annotations reach beyond the slide"));
    }
    let files = match &args.out {
        Some(out) => write(args, out, &facts, &annotations, session)?,
        None => Vec::new(),
    };
    let summary = summary(&annotations, &facts, (format, origin, n_outside), &files);
    if args.json { answer_json(&summary) } else { answer(&in_words(&annotations, &facts, format)) }
}

/// The user's word, else the file's, else a guess that is told.
fn origin(
    args: &AnnotationsArgs,
    file: &AnnotationFile,
    facts: &SlideFacts,
) -> Result<Level0Px, Failure> {
    let choice = args.from.map_or(OriginChoice::Likely, OriginChoice::from);
    let likely = file.origin(choice, facts).map_err(|error| Failure::at(&args.slide)(&error))?;
    if !likely.is_certain {
        let Level0Px { x, y } = likely.origin;
        say(&format!(
            "warning: the file does not say where it counts from; taken to be {x}, {y} (see --from)"
        ));
    }
    Ok(likely.origin)
}

fn write(
    args: &AnnotationsArgs,
    out: &Path,
    facts: &SlideFacts,
    annotations: &[Annotation],
    session: &Session,
) -> Result<Vec<PathBuf>, Failure> {
    let at_out = Failure::at(out);
    std::fs::create_dir_all(out)
        .map_err(|error| at_out(&format!("cannot make the output folder: {error}")))?;
    let formats = FormatArg::to_export(&args.format);
    let stem = Names::new(out, &formats).stem_for(&args.slide, &facts.id);
    let mut sheet = AnnotationSheet::new(facts.clone(), annotations);
    sheet.frame = args.frame.into();
    let watch: (&dyn domain::progress::Progress, _) = (&session.progress, &session.cancel);
    let files = export::write_annotations(&sheet, out, &stem, &formats, watch);
    session.progress.clear();
    files.map_err(|error| at_out(&error))
}

fn summary(
    annotations: &[Annotation],
    facts: &SlideFacts,
    (format, origin, n_outside): (AnnotationFormat, Level0Px, usize),
    files: &[PathBuf],
) -> Value {
    let one = |it: &Annotation| {
        let area_px = it.shape.area_level0_px();
        json!({
            "id": it.id.0.to_string(),
            "name": it.name,
            "class": it.class.name,
            "kind": if matches!(it.shape, Shape::Area(_)) { "area" } else { "line" },
            "area_px": area_px,
            "area_um2": facts.mpp.map(|mpp| area_px * mpp.pixel_area_um2()),
        })
    };
    json!({
        "format": format.title(),
        "origin": { "x": origin.x, "y": origin.y },
        "annotations": annotations.iter().map(one).collect::<Vec<_>>(),
        "outside_slide": n_outside,
        "files": files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>(),
    })
}

fn in_words(annotations: &[Annotation], facts: &SlideFacts, format: AnnotationFormat) -> String {
    let area_px: f64 = annotations.iter().map(|it| it.shape.area_level0_px()).sum();
    let area = Area::from_level0_px(area_px, facts.mpp);
    format!("{}: {} annotations, {area} in all", format.title(), annotations.len())
}
