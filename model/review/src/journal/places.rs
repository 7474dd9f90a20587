//! Where the journal of a slide lies.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use domain::id::SlideId;

/// What follows the slide's file name.
const SUFFIX: &str = ".slidelight.jsonl";

/// The two places of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Beside the slide, named after its file: goes with it to other machines.
    pub beside: PathBuf,
    /// In the user's own folder, named after the slide's content: where the slide's folder takes no files.
    pub own: Option<PathBuf>,
}

impl Places {
    /// Of a slide's file or folder. `data_folder` is the user's folder for data of this program.
    pub fn of(slide: &Path, id: &SlideId, data_folder: Option<&Path>) -> Self {
        let mut name = OsString::from(slide.file_name().unwrap_or(slide.as_os_str()));
        name.push(SUFFIX);
        let is_safe = |c: &char| c.is_ascii_alphanumeric();
        let own_name: String = id.0.chars().filter(is_safe).collect();
        Self {
            beside: slide.with_file_name(name),
            own: data_folder.map(|folder| folder.join("journals").join(own_name + SUFFIX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_bears_the_whole_name_of_its_slide_or_its_hash() {
        let id = SlideId("sha256:0a/../1b".to_owned());
        let places = Places::of(Path::new("/slides/a.b.svs"), &id, Some(Path::new("/me")));
        assert_eq!(places.beside, Path::new("/slides/a.b.svs.slidelight.jsonl"));
        assert_eq!(places.own.unwrap(), Path::new("/me/journals/sha2560a1b.slidelight.jsonl"));
    }
}
