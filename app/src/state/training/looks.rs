//! The open slide as the network sees it, before and while it learns.

use std::sync::Arc;

use crate::state::picture::Picture;

/// What a network says of the part that is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Looked {
    /// Counted from 1; 0 before training.
    pub(crate) epoch: usize,
    /// Of the positive class.
    pub(crate) probability: f64,
    /// The part with the heatmap over it.
    pub(crate) picture: Option<Arc<Picture>>,
}

/// The first and the last look at the slide that was open when the training began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Looks {
    /// The model that training goes on from, else the first epoch.
    pub(crate) before: Option<Looked>,
    pub(crate) now: Option<Looked>,
    /// Why there is nothing to see.
    pub(crate) problem: Option<String>,
}

impl Looks {
    /// Takes the next look.
    pub(crate) fn take(&mut self, looked: Result<Looked, String>) {
        match looked {
            Err(problem) => self.problem = Some(problem),
            Ok(looked) if self.before.is_none() => self.before = Some(looked),
            Ok(looked) => self.now = Some(looked),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_look_stays_and_the_last_one_changes() {
        let mut looks = Looks::default();
        for epoch in 0..4 {
            looks.take(Ok(Looked { epoch, probability: 0.5, picture: None }));
        }
        let epoch = |looked: &Option<Looked>| looked.as_ref().map(|it| it.epoch);
        assert_eq!((epoch(&looks.before), epoch(&looks.now)), (Some(0), Some(3)));
        looks.take(Err("no tissue".to_owned()));
        assert_eq!(looks.problem.as_deref(), Some("no tissue"));
    }
}
