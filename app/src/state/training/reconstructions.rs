//! What an encoder in training makes of hidden patches, epoch by epoch.

use std::sync::Arc;

use crate::state::picture::Picture;

/// The pictures that a pre-training leaves in its run folder, one of which is in sight.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reconstructions {
    /// Epochs that left a picture, counted from 1, ascending.
    pub(crate) epochs: Vec<usize>,
    /// The epoch that was asked for; without one the newest is.
    asked: Option<usize>,
    /// What was read last: the picture of an epoch, or why there is none.
    pub(crate) seen: Option<(usize, Result<Arc<Picture>, String>)>,
}

impl Reconstructions {
    /// An epoch left a picture.
    pub(crate) fn add(&mut self, epoch: usize) {
        self.forget_from(epoch);
        self.epochs.push(epoch);
    }

    /// The run goes on with this epoch: later pictures are made anew.
    pub(crate) fn forget_from(&mut self, epoch: usize) {
        self.epochs.retain(|it| *it < epoch);
        self.asked = self.asked.filter(|it| *it < epoch);
    }

    /// Asks for the picture of an epoch; from then on newer ones do not take its place, unless it is the newest itself.
    pub(crate) fn ask(&mut self, epoch: usize) {
        self.asked = (self.epochs.last() != Some(&epoch)).then_some(epoch);
    }

    /// The epoch whose picture is to be in sight.
    pub(crate) fn wanted(&self) -> Option<usize> {
        self.asked.or(self.epochs.last().copied())
    }

    /// The epoch whose picture has to be read.
    pub(crate) fn missing(&self) -> Option<usize> {
        let seen = self.seen.as_ref().map(|(epoch, _)| *epoch);
        self.wanted().filter(|epoch| Some(*epoch) != seen)
    }

    /// Takes the picture of an epoch, unless another one is wanted by now.
    pub(crate) fn take(&mut self, epoch: usize, picture: Result<Arc<Picture>, String>) {
        if self.wanted() == Some(epoch) {
            self.seen = Some((epoch, picture));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(epochs: &[usize]) -> Reconstructions {
        let mut it = Reconstructions::default();
        epochs.iter().for_each(|epoch| it.add(*epoch));
        it
    }

    #[test]
    fn the_newest_is_wanted_until_an_earlier_one_is_asked_for() {
        let mut pictures = of(&[20, 40]);
        assert_eq!(pictures.wanted(), Some(40));
        pictures.ask(20);
        pictures.add(60);
        assert_eq!((pictures.wanted(), pictures.missing()), (Some(20), Some(20)));
        pictures.ask(60);
        pictures.add(80);
        assert_eq!(pictures.wanted(), Some(80), "who looks at the newest follows");
    }

    #[test]
    fn a_picture_that_is_no_longer_wanted_is_dropped() {
        let mut pictures = of(&[20, 40]);
        pictures.take(20, Err("late".to_owned()));
        assert!(pictures.seen.is_none());
        pictures.take(40, Err("no such file".to_owned()));
        assert_eq!(pictures.missing(), None, "it is not read again and again");
    }

    #[test]
    fn a_run_that_goes_on_forgets_what_it_will_draw_again() {
        let mut pictures = of(&[20, 40, 60]);
        pictures.ask(40);
        pictures.forget_from(40);
        assert_eq!((&pictures.epochs[..], pictures.wanted()), (&[20][..], Some(20)));
    }
}
