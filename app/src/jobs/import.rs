//! Reading annotations of another program and placing them on the open slide.

use std::path::{Path, PathBuf};

use domain::coords::Level0Px;
use review::Edit;
use slide::export::SlideFacts;
use slide::import::{self, AnnotationFile, OriginChoice};

use super::runner::Runner;
use super::{JobError, Outcome};
use crate::state::State;
use crate::state::jobs::JobKind;

/// What a file brought.
#[derive(Debug)]
pub(crate) struct Imported {
    /// One step: all of the file's annotations.
    pub(crate) edits: Vec<Edit>,
    /// What a person has to know of it, one sentence each.
    pub(crate) notes: Vec<String>,
}

pub(super) fn start(path: PathBuf, choice: OriginChoice, state: &mut State, runner: &mut Runner) {
    let Some(slide) = state.slide.clone() else { return };
    let generation = state.view.generation;
    let known: Vec<_> = state.review.review.annotations().iter().map(|it| it.id).collect();
    let title = "Importing annotations".to_owned();
    runner.start(state, JobKind::Import, "import", title, move |_progress, cancel| {
        let file = read(&path)?;
        cancel.check()?;
        let mut imported = placed(file, choice, &SlideFacts::of(&slide))?;
        let n_before = imported.edits.len();
        imported.edits.retain(|edit| !known.contains(&edit.id()));
        let n_known = n_before - imported.edits.len();
        if 0 < n_known {
            imported.notes.push(format!("{n_known} annotations are on the slide already"));
        }
        Ok(Outcome::Imported { generation, imported })
    });
}

fn read(path: &Path) -> Result<AnnotationFile, JobError> {
    let failed = |error: &dyn std::fmt::Display| {
        JobError::Failed(format!("Nothing was imported: {error}: {}", path.display()))
    };
    let bytes = std::fs::read(path).map_err(|error| failed(&error))?;
    import::read(&bytes).map_err(|error| failed(&error))
}

/// In level-0 pixels, with what was left out, guessed or does not fit.
fn placed(
    file: AnnotationFile,
    choice: OriginChoice,
    facts: &SlideFacts,
) -> Result<Imported, JobError> {
    let mut notes = file.notes.clone();
    let likely = file
        .origin(choice, facts)
        .map_err(|error| JobError::Failed(format!("Nothing was imported: {error}")))?;
    if !likely.is_certain {
        let Level0Px { x, y } = likely.origin;
        notes.push(format!(
            "The file does not say where it counts from; x {x}, y {y} was taken. If it lies wrong, undo and choose"
        ));
    }
    let annotations = file.placed(likely.origin);
    let n_beyond = import::n_beyond(&annotations, facts);
    if 0 < n_beyond {
        notes.push(format!("{n_beyond} annotations reach beyond the slide"));
    }
    Ok(Imported { edits: annotations.into_iter().map(Edit::add).collect(), notes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::coords::{Level0Rect, PixelSize};

    /// A square of 10 px at 10, 10 as another program writes it.
    fn file() -> AnnotationFile {
        let ring = "[[10,10],[20,10],[20,20],[10,20],[10,10]]";
        let geometry = format!(r#"{{"type":"Polygon","coordinates":[{ring}]}}"#);
        let feature = format!(r#"{{"type":"Feature","geometry":{geometry},"properties":{{}}}}"#);
        import::read(feature.as_bytes()).unwrap()
    }

    fn facts(bounds: Option<Level0Rect>) -> SlideFacts {
        SlideFacts {
            id: domain::id::SlideId(String::new()),
            size: PixelSize { width: 100, height: 100 },
            mpp: None,
            bounds,
        }
    }

    fn corner(imported: &Imported) -> (f64, f64) {
        let [Edit::Add { annotation, .. }] = &imported.edits[..] else { panic!("{imported:?}") };
        let bounds = annotation.shape.bounds().unwrap();
        (bounds.x, bounds.y)
    }

    #[test]
    fn a_file_that_does_not_say_where_it_counts_from_is_placed_with_a_note() {
        let bounds = Level0Rect { x: 40.0, y: 30.0, width: 50.0, height: 50.0 };
        let likely = placed(file(), OriginChoice::Likely, &facts(Some(bounds))).unwrap();
        assert_eq!((corner(&likely), likely.notes.len()), ((50.0, 40.0), 1));
        let chosen = placed(file(), OriginChoice::Slide, &facts(Some(bounds))).unwrap();
        assert_eq!((corner(&chosen), chosen.notes.len()), ((10.0, 10.0), 0));
        assert!(placed(file(), OriginChoice::ScannedPart, &facts(None)).is_err());
    }

    #[test]
    fn what_reaches_beyond_the_slide_is_kept_and_said() {
        let bounds = Level0Rect { x: 85.0, y: 0.0, width: 15.0, height: 100.0 };
        let imported = placed(file(), OriginChoice::ScannedPart, &facts(Some(bounds))).unwrap();
        assert_eq!(imported.notes, ["1 annotations reach beyond the slide"]);
    }
}
