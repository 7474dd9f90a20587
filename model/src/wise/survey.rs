//! A look at a folder before a pre-training: what would be learned from, and what is odd about it.

use std::path::Path;

use domain::progress::{CancelToken, Cancelled, Progress};

use super::config::TileConfig;
use super::sources::{NOTHING_OPENS, Source, Sources};
use crate::data::folder::Split;
use crate::data::{Finding, Remedy};

/// What a pre-training finds in a folder.
#[derive(Clone, Debug, Default)]
pub struct SourceSurvey {
    /// What is odd, the gravest first.
    pub findings: Vec<Finding>,
    /// Files that are learned from.
    pub n_train: usize,
    /// Files that are only looked at.
    pub n_val: usize,
    /// Those of all of them that are slides of several magnifications.
    pub n_slides: usize,
}

impl SourceSurvey {
    /// Whether a pre-training can begin.
    pub fn can_train(&self) -> bool {
        self.findings.iter().all(|finding| finding.remedy != Remedy::Mend)
    }

    /// Files that can be used.
    pub fn n_files(&self) -> usize {
        self.n_train + self.n_val
    }
}

/// Opens every slide and image that a pre-training on `dir` would open; pixels are not looked at.
///
/// # Errors
/// If the survey was cancelled.
pub fn survey(
    dir: &Path,
    config: &TileConfig,
    seed: u64,
    work: (&dyn Progress, &CancelToken),
) -> Result<SourceSurvey, Cancelled> {
    let Sources { all, mut findings } = Sources::look(dir, config, seed, work)?;
    findings.extend(too_small(&all, config));
    findings.extend(without_scale(&all, config));
    let n_of = |split| all.iter().filter(|it| it.split == split).count();
    let (n_train, n_val) = (n_of(Split::Train), n_of(Split::Val));
    let is_source = |it: &Source| it.split == Split::Train && 0 < it.room.n_patches;
    if n_train == 0 {
        findings.push(Finding::mend(NOTHING_OPENS));
    } else if !all.iter().any(is_source) {
        findings.push(Finding::mend("nothing to learn from is as large as a tile"));
    } else if n_val == 0 {
        let done = "there is no validation loss, and pictures show tiles that were learned from";
        findings.push(Finding::note("No file is only looked at", done));
    }
    findings.sort_by_key(|finding| finding.remedy);
    let n_slides = all.iter().filter(|it| it.room.is_slide).count();
    Ok(SourceSurvey { findings, n_train, n_val, n_slides })
}

/// Files that hold no whole patch.
fn too_small(all: &[Source], config: &TileConfig) -> Option<Finding> {
    let which = which(all, |it| it.room.n_patches == 0)?;
    let (side, mpp) = (config.places.tile_px, config.places.mpp);
    let what = format!("{which} smaller than a tile of {side} x {side} px at {mpp:.3} µm/px");
    Some(Finding::note(what, "nothing is learned from what is so small"))
}

/// Files that do not say their resolution.
fn without_scale(all: &[Source], config: &TileConfig) -> Option<Finding> {
    let which = which(all, |it| it.mpp.is_none())?;
    let what = format!("{which} without a stated resolution");
    Some(Finding::note(what, format!("pixels are taken as {:.3} µm each", config.places.mpp)))
}

/// `3 of 60 files (a.png first) are`, if there are any.
fn which(all: &[Source], is_meant: impl Fn(&Source) -> bool) -> Option<String> {
    let meant: Vec<&Source> = all.iter().filter(|it| is_meant(it)).collect();
    let (n, first) = (meant.len(), meant.first()?);
    let are = if n == 1 { "is" } else { "are" };
    Some(format!("{n} of {} files ({} first) {are}", all.len(), first.file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wise::PretrainConfig;
    use domain::coords::PixelSize;
    use domain::pixels::Pixels;

    fn folder(files: &[(&str, u32)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (value, (name, side)) in (10..).zip(files) {
            let size = PixelSize { width: *side, height: *side };
            let pixels = Pixels::filled(size, [value, 80, 160, 255]);
            let png = slide::export::encode_png(&pixels).unwrap();
            std::fs::write(dir.path().join(name), png).unwrap();
        }
        dir
    }

    fn surveyed(dir: &Path) -> SourceSurvey {
        let config = PretrainConfig::small();
        survey(dir, &config.tiles, config.seed, (&(), &CancelToken::default())).unwrap()
    }

    #[test]
    fn what_cannot_be_opened_is_too_small_or_has_no_scale_is_named() {
        let dir = folder(&[("a.png", 224), ("b.png", 448), ("c.png", 100)]);
        std::fs::write(dir.path().join("d.png"), b"no picture").unwrap();
        let survey = surveyed(dir.path());
        assert_eq!((survey.n_files(), survey.n_slides), (3, 0));
        let sentences: Vec<String> = survey.findings.iter().map(Finding::sentence).collect();
        for expected in [
            "d.png: ",
            "1 of 3 files (c.png first) is smaller than a tile of 224 x 224 px at 0.250 µm/px",
            "3 of 3 files (a.png first) are without a stated resolution",
        ] {
            assert!(sentences.iter().any(|it| it.starts_with(expected)), "{sentences:?}");
        }
        assert!(survey.can_train());
    }

    #[test]
    fn a_folder_without_anything_to_learn_from_is_to_be_mended() {
        let empty = folder(&[]);
        assert!(!surveyed(empty.path()).can_train());
        let small = folder(&[("a.png", 100), ("b.png", 120)]);
        let survey = surveyed(small.path());
        assert!(survey.findings[0].what.contains("as large as a tile"), "{survey:?}");
    }

    #[test]
    fn a_single_image_is_learned_from_and_nothing_is_only_looked_at() {
        let survey = surveyed(folder(&[("a.png", 300)]).path());
        assert_eq!((survey.n_train, survey.n_val, survey.can_train()), (1, 0, true));
        assert!(survey.findings.iter().any(|it| it.what == "No file is only looked at"));
    }

    #[test]
    fn a_slide_of_several_magnifications_is_counted_as_one() {
        let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/demo/cmu-1-small-region.svs");
        let dir = folder(&[("a.png", 300)]);
        std::fs::copy(demo, dir.path().join("slide.svs")).unwrap();
        let survey = surveyed(dir.path());
        assert_eq!((survey.n_files(), survey.n_slides), (2, 1), "{survey:?}");
    }
}
