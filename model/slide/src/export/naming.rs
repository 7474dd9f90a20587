//! File names in the flat output folder: no two slides share one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use domain::id::SlideId;
use serde_json::Value;

use super::ExportFormat;

/// Hands out file stems and remembers the files that this run writes.
#[derive(Debug)]
pub struct Names<'a> {
    folder: &'a Path,
    formats: &'a [ExportFormat],
    /// Whether the refined map's files are written too.
    is_refined: bool,
    /// Lower case: some file systems do not tell the cases apart.
    taken: BTreeSet<String>,
}

impl<'a> Names<'a> {
    /// For files of these formats in `folder`.
    pub fn new(folder: &'a Path, formats: &'a [ExportFormat]) -> Self {
        Self { folder, formats, is_refined: false, taken: BTreeSet::new() }
    }

    /// For the files of the refined map as well, whose stem is [`refined_stem`].
    #[must_use]
    pub fn with_refined(self) -> Self {
        Self { is_refined: true, ..self }
    }

    /// The slide's own stem where that is free, else the stem and the first letters of the content hash,
    /// else a number as well. Files of an earlier run over the same slide are not in the way.
    pub fn stem_for(&mut self, slide: &Path, id: &SlideId) -> String {
        let stem = slide.file_stem().map_or("slide".into(), |stem| stem.to_string_lossy());
        let hashed = format!("{stem}-{}", id.to_string().chars().take(8).collect::<String>());
        let numbered = (2_u32..).map(|number| format!("{hashed}-{number}"));
        let mut candidates = [stem.into_owned(), hashed.clone()].into_iter().chain(numbered);
        let free = candidates.find(|candidate| self.is_free(candidate, id)).unwrap_or(hashed);
        self.taken.extend(self.files(&free).into_iter().map(|name| name.to_lowercase()));
        free
    }

    fn is_free(&self, stem: &str, id: &SlideId) -> bool {
        let files = self.files(stem);
        let is_taken = files.iter().any(|name| self.taken.contains(&name.to_lowercase()));
        let exists = files.iter().any(|name| self.folder.join(name).exists());
        !is_taken && (!exists || is_record_of(&self.folder.join(format!("{stem}.json")), id))
    }

    fn files(&self, stem: &str) -> Vec<String> {
        let of = |stem: &str| -> Vec<String> {
            self.formats.iter().flat_map(|format| format.file_names(stem)).collect()
        };
        let mut files = of(stem);
        if self.is_refined {
            let refined = refined_stem(stem);
            files.extend(of(&refined));
            files.push(format!("{refined}.tif"));
        }
        files
    }
}

/// The stem of the files of a slide's refined map: `<stem>.refined`. Its pyramid is `<stem>.refined.tif`.
pub fn refined_stem(stem: &str) -> String {
    format!("{stem}.refined")
}

/// Whether an earlier run wrote this record about the same slide.
fn is_record_of(record: &PathBuf, id: &SlideId) -> bool {
    let record = std::fs::read(record).ok();
    let record = record.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    record.is_some_and(|record| record.pointer("/slide/id") == Some(&id.to_string().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> SlideId {
        SlideId(text.to_owned())
    }

    fn stems(folder: &Path, slides: &[(&str, &str)]) -> Vec<String> {
        let mut names = Names::new(folder, &ExportFormat::ALL);
        slides.iter().map(|(slide, hash)| names.stem_for(Path::new(slide), &id(hash))).collect()
    }

    #[test]
    fn two_slides_of_one_stem_get_two_names() {
        let folder = tempfile::tempdir().unwrap();
        let slides =
            [("a/x.svs", "0123456789"), ("b/X.tif", "abcdefghij"), ("c/x.svs", "abcdefghij")];
        assert_eq!(stems(folder.path(), &slides), ["x", "X-abcdefgh", "x-abcdefgh-2"]);
    }

    #[test]
    fn a_second_run_replaces_its_own_files_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let record = serde_json::json!({ "slide": { "id": "0123456789" } });
        std::fs::write(folder.path().join("x.json"), record.to_string()).unwrap();
        assert_eq!(stems(folder.path(), &[("x.svs", "0123456789")]), ["x"]);
        assert_eq!(stems(folder.path(), &[("x.svs", "abcdefghij")]), ["x-abcdefgh"]);
    }

    #[test]
    fn a_file_of_somebody_else_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.geojson"), b"{}").unwrap();
        assert_eq!(stems(folder.path(), &[("x.svs", "0123456789")]), ["x-01234567"]);
    }

    #[test]
    fn a_pyramid_of_somebody_else_is_in_the_way_of_a_refined_map_only() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.refined.tif"), b"").unwrap();
        let stem = |mut names: Names<'_>| names.stem_for(Path::new("x.svs"), &id("0123456789"));
        let names = || Names::new(folder.path(), &ExportFormat::ALL);
        assert_eq!(
            (stem(names()), stem(names().with_refined())),
            ("x".into(), "x-01234567".into())
        );
    }

    #[test]
    fn a_stem_that_looks_like_an_ending_does_not_collide() {
        let folder = tempfile::tempdir().unwrap();
        let slides = [("x.svs", "0123456789"), ("x.mask.svs", "abcdefghij")];
        assert_eq!(stems(folder.path(), &slides), ["x", "x.mask-abcdefgh"]);
    }
}
