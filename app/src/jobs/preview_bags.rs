//! Pictures of a few labelled images with the patches that a training would cut from them.

use std::path::Path;
use std::sync::Arc;

use domain::coords::{Level0Rect, PixelSize};
use domain::progress::CancelToken;
use model::analysis::AnalyzeError;
use model::bag::BagConfig;
use model::bag::layout::{BagLayout, PatchPlace, PatchUse};
use slide::{Region, Slide};

use super::check_folder::bag_of;
use super::runner::Runner;
use super::{JobError, TrainingOutcome};
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::picture::Picture;
use crate::state::training::plan::Plan;
use crate::state::training::preview::{SeenBags, SeenImage, images_of_page};

/// Pixels of the longer side of a picture, at least where the image is as large: twice those of its place in the panel.
const PICTURE_PX: u32 = 380;

/// Reads the page of the preview that is asked for.
pub(super) fn start(plan: Plan, state: &mut State, runner: &mut Runner) {
    let Some(survey) = state.training.survey.clone() else { return };
    let page = state.training.preview.page;
    let title = "Looking at labelled images".to_owned();
    runner.start(state, JobKind::PreviewBags, "preview-bags", title, move |progress, cancel| {
        let bag = bag_of(&plan).map_err(JobError::Failed)?;
        progress.stage("Reading images");
        let images = images_of_page(&survey, page);
        let mut seen = Vec::new();
        for (i, &image) in images.iter().enumerate() {
            progress.report(i as u64, images.len() as u64);
            let bags = match bags_of(&survey.images[image].path, &bag, cancel) {
                Ok(bags) => Ok(Arc::new(bags)),
                Err(AnalyzeError::Cancelled(_)) => return Err(JobError::Cancelled),
                Err(error) => Err(error.to_string()),
            };
            seen.push(SeenImage { image, bags });
        }
        Ok(TrainingOutcome::PreviewRead { survey, page, seen }.into())
    });
}

/// One image with its bags.
fn bags_of(path: &Path, bag: &BagConfig, cancel: &CancelToken) -> Result<SeenBags, AnalyzeError> {
    cancel.check()?;
    let slide = Slide::open(path)?;
    let layout = BagLayout::of_training(&slide, bag, cancel)?;
    let Region { pixels, damaged_tiles, .. } = slide.read_whole(PICTURE_PX)?;
    let problem = (0 < damaged_tiles).then_some("A part of this image cannot be read.");
    Ok(SeenBags { problem, ..seen_bags(&layout, slide.size(), Picture::new(pixels)) })
}

fn seen_bags(layout: &BagLayout, size: PixelSize, picture: Picture) -> SeenBags {
    let frame = Level0Rect::of_size(size);
    let patches = layout.patches();
    let PixelSize { width: across, height: down } = layout.size();
    let per_row = usize::try_from(across).unwrap_or(usize::MAX).max(1);
    let columns = lines(patches.iter().take(per_row).map(|it| (it.rect.x, it.rect.width)));
    let rows = lines(patches.iter().step_by(per_row).map(|it| (it.rect.y, it.rect.height)));
    let reach = |lines: &[f64], side: f64| lines.last().copied().unwrap_or(side).max(side);
    let extent = Level0Rect {
        width: reach(&columns, frame.width),
        height: reach(&rows, frame.height),
        ..frame
    };
    let windows = layout.bags();
    let n_windows = match windows.len() {
        1 => "1 window".to_owned(),
        n => format!("{n} windows"),
    };
    SeenBags {
        picture,
        frame,
        extent,
        columns,
        rows,
        dimmed: patches.chunks(per_row).flat_map(unseen).collect(),
        words: format!("{across} x {down} patches of {} px, {n_windows}", layout.patch_px()),
        problem: None,
        notes: layout.notes().to_vec(),
        windows: if windows.len() == 1 { Vec::new() } else { windows },
    }
}

/// Where patches begin, and where the last one ends.
fn lines(patches: impl Iterator<Item = (f64, f64)>) -> Vec<f64> {
    let (mut lines, mut end) = (Vec::new(), None);
    for (start, length) in patches {
        lines.push(start);
        end = Some(start + length);
    }
    lines.into_iter().chain(end).collect()
}

/// Patches of a row that are not learned from, neighbors as one.
fn unseen(row: &[PatchPlace]) -> Vec<Level0Rect> {
    let is_unseen = |it: &PatchPlace| it.used != PatchUse::Seen;
    let runs = row.chunk_by(|a, b| is_unseen(a) == is_unseen(b));
    let unseen = runs.filter(|run| run.first().is_some_and(is_unseen));
    let span = |run: &[PatchPlace]| {
        let (first, last) = (run.first()?.rect, run.last()?.rect);
        Some(Level0Rect { width: last.x + last.width - first.x, ..first })
    };
    unseen.filter_map(span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::inbox;
    use crate::state::training::samples;
    use domain::pixels::Pixels;
    use model::data::check::FolderSurvey;
    use serde_json::json;
    use std::time::{Duration, Instant};

    /// A folder whose second image is no picture and whose third is half of one, checked before they broke.
    fn folder() -> (tempfile::TempDir, State) {
        let dir = tempfile::tempdir().unwrap();
        let training = samples::training();
        let mut survey = FolderSurvey::clone(training.survey.as_ref().unwrap());
        for (i, image) in survey.images.iter_mut().enumerate() {
            image.path = dir.path().join(format!("{i}.png"));
            let size = PixelSize { width: 250, height: 130 };
            let pixels = Pixels::filled(size, [200, 80, 160, 255]);
            let png = slide::export::encode_png(&pixels).unwrap();
            let bytes = [&png[..], b"no picture", &png[..png.len() / 2]][if i < 3 { i } else { 0 }];
            std::fs::write(&image.path, bytes).unwrap();
        }
        let mut state = State { training, ..State::default() };
        state.training.survey = Some(Arc::new(survey));
        let patch = ("model.bag.patch_px".to_owned(), json!(100));
        state.training.plan.changes_of_stage_1 = [patch].into();
        (dir, state)
    }

    fn read(state: &mut State) {
        let mut runner = Runner::new(egui::Context::default());
        start(state.training.plan.clone(), state, &mut runner);
        let started = Instant::now();
        while state.jobs.of_kind(JobKind::PreviewBags).is_some() {
            assert!(started.elapsed() < Duration::from_secs(60), "the preview hangs");
            match runner.next_event() {
                Some(event) => drop(inbox::receive(state, event)),
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    #[test]
    fn a_page_shows_patches_and_says_what_cannot_be_read_in_its_place() {
        let (_dir, mut state) = folder();
        read(&mut state);
        let seen = &state.training.preview.seen;
        assert_eq!(seen.iter().map(|it| it.image).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        assert!(seen[1].bags.as_ref().unwrap_err().contains("cannot be read"));
        assert!(seen[2].bags.as_ref().unwrap().problem.is_some());
        let bags = seen[5].bags.as_ref().unwrap();
        assert_eq!(bags.problem, None);
        assert_eq!(bags.words, "3 x 2 patches of 100 px, 1 window");
        assert_eq!(bags.columns, [0.0, 100.0, 200.0, 300.0]);
        assert_eq!(bags.rows, [0.0, 100.0, 200.0]);
        assert_eq!((bags.extent.width, bags.extent.height), (300.0, 200.0));
        let below = Level0Rect { x: 0.0, y: 100.0, width: 300.0, height: 100.0 };
        assert_eq!(bags.dimmed, [below], "less than half of the second row is on the image");
        assert!(bags.notes[0].contains("not calibrated"));
    }

    #[test]
    fn a_page_of_a_folder_that_is_no_longer_meant_is_dropped() {
        let (_dir, mut state) = folder();
        state.training.preview.page = 1;
        let survey = Arc::clone(state.training.survey.as_ref().unwrap());
        let mut runner = Runner::new(egui::Context::default());
        start(state.training.plan.clone(), &mut state, &mut runner);
        state.training.survey = Some(Arc::new(FolderSurvey::clone(&survey)));
        while state.jobs.of_kind(JobKind::PreviewBags).is_some() {
            runner.next_event().map(|event| inbox::receive(&mut state, event));
        }
        assert!(state.training.preview.seen.is_empty());
    }
}
