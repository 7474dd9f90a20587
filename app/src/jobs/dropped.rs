//! What was dropped onto the window while a training is planned: its labelled folder, or something to open.

use std::path::{Path, PathBuf};

use slide::Slide;

use super::Outcome;
use super::runner::Runner;
use crate::state::State;
use crate::state::jobs::JobKind;

/// Looks at it; names tell too little, since folders may have dots in theirs.
pub(super) fn start(path: PathBuf, state: &mut State, runner: &mut Runner) {
    runner.start(state, JobKind::Silent, "look-at-dropped", String::new(), move |_, _| {
        let is_labelled_folder = is_labelled_folder(&path);
        Ok(Outcome::DroppedSeen { path, is_labelled_folder })
    });
}

/// Any folder but one that is a slide itself: a series of DICOM files.
fn is_labelled_folder(path: &Path) -> bool {
    path.is_dir() && (path.join("labels.csv").is_file() || Slide::open(path).is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_a_dot_in_its_name_is_a_folder_and_a_file_without_one_is_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("biopsies.2026");
        std::fs::create_dir_all(folder.join("negative")).unwrap();
        let file = dir.path().join("slide");
        std::fs::write(&file, b"no slide").unwrap();
        assert!(is_labelled_folder(&folder));
        assert!(!is_labelled_folder(&file) && !is_labelled_folder(&dir.path().join("gone")));
    }

    #[test]
    fn a_dicom_series_stays_a_slide_unless_it_has_labels() {
        let series = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/slides"));
        let series = series.join("dicom/cytomine-wsi");
        if !series.is_dir() {
            println!("SKIPPED: there is no DICOM series");
            return;
        }
        assert!(!is_labelled_folder(&series));
    }
}
