//! Images of the checked folder as the network will see them, a page at a time.

use std::sync::Arc;

use domain::coords::Level0Rect;
use model::data::check::FolderSurvey;
use model::data::folder::Split;

use crate::state::picture::Picture;

/// Images of a page.
pub(crate) const PER_PAGE: usize = 6;

/// The page that is shown or being read.
#[derive(Clone, Debug, Default)]
pub(crate) struct BagPreview {
    /// From 0.
    pub(crate) page: usize,
    /// What was read last: this page, or another one until this is read.
    pub(crate) seen: Vec<SeenImage>,
}

/// An image of the folder.
#[derive(Clone, Debug)]
pub(crate) struct SeenImage {
    /// Which of the images that were checked.
    pub(crate) image: usize,
    /// Why it cannot be shown, if it cannot.
    pub(crate) bags: Result<Arc<SeenBags>, String>,
}

/// A picture and what a network sees of it, in level-0 px.
#[derive(Debug)]
pub(crate) struct SeenBags {
    pub(crate) picture: Picture,
    /// The image.
    pub(crate) frame: Level0Rect,
    /// The image and what patches reach past it.
    pub(crate) extent: Level0Rect,
    /// Where columns of patches begin, and where the last one ends.
    pub(crate) columns: Vec<f64>,
    /// The same of rows.
    pub(crate) rows: Vec<f64>,
    /// The windows, where there are several.
    pub(crate) windows: Vec<Level0Rect>,
    /// Where nothing is learned from: behind the edge, or without tissue.
    pub(crate) dimmed: Vec<Level0Rect>,
    /// `13 x 10 patches of 100 px, 1 window`.
    pub(crate) words: String,
    /// What is wrong with the picture, if anything.
    pub(crate) problem: Option<&'static str>,
    /// What the user should know about its resolution.
    pub(crate) notes: Vec<String>,
}

/// How many pages the images fill.
pub(crate) fn n_pages(survey: &FolderSurvey) -> usize {
    survey.images.len().div_ceil(PER_PAGE)
}

/// The images of a page: those that are learned from before the others, positives and negatives in turn.
pub(crate) fn images_of_page(survey: &FolderSurvey, page: usize) -> Vec<usize> {
    let order = [Split::Train, Split::Val, Split::Test].into_iter().flat_map(|split| {
        let [positive, negative] = [true, false].map(|label| {
            let is_meant = move |i: &usize| {
                survey.splits[*i] == split && survey.images[*i].is_positive == label
            };
            (0..survey.images.len()).filter(is_meant).collect::<Vec<_>>()
        });
        in_turn(&positive, &negative)
    });
    order.skip(page * PER_PAGE).take(PER_PAGE).collect()
}

/// One of each until one list ends, then the rest of the other.
fn in_turn(first: &[usize], second: &[usize]) -> Vec<usize> {
    let longest = first.len().max(second.len());
    (0..longest).flat_map(|i| [first.get(i), second.get(i)]).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::training::samples;

    #[test]
    fn pages_begin_with_positives_and_negatives_that_are_learned_from() {
        let training = samples::training();
        let survey = training.survey.as_deref().unwrap();
        assert_eq!(images_of_page(survey, 0), [0, 1, 2, 3, 4, 5], "0 to 3 are learned from");
        assert_eq!(images_of_page(survey, 1), [6, 7]);
        assert_eq!(n_pages(survey), 2);
        assert_eq!(in_turn(&[1, 2, 3], &[9]), [1, 9, 2, 3]);
    }
}
