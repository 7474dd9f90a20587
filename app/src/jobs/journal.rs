//! The journal of the open slide: read when it is opened, written by the keeper's own thread.

use domain::mask::BinaryThreshold;
use review::journal::{Access, FORMAT, Header, Journal, Keeper, Opened, Places, Standing};
use review::{Entry, Review};
use slide::Slide;

use super::runner::Runner;
use super::{JobError, Outcome, session_file};
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::review::Keeping;
use crate::state::view::SlideFacts;

/// What was kept of a slide.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) review: Review,
    pub(crate) keeper: Option<Keeper>,
    pub(crate) keeping: Keeping,
    /// The last window that changed it was not closed in good order.
    pub(crate) has_crashed: bool,
}

impl Kept {
    fn nothing(reason: String) -> Self {
        Self {
            review: Review::default(),
            keeper: None,
            keeping: Keeping::Off(reason),
            has_crashed: false,
        }
    }
}

/// Reads what was kept of the open slide.
pub(super) fn start_open(state: &mut State, runner: &mut Runner) {
    let (Some(slide), Some(facts)) = (state.slide.clone(), state.view.facts.clone()) else {
        return;
    };
    let generation = state.view.generation;
    let name = "open-journal";
    runner.start(state, JobKind::Silent, name, String::new(), move |_progress, cancel| {
        cancel.check()?;
        let kept = open(&slide, &facts);
        Ok::<_, JobError>(Outcome::JournalOpened { generation, kept: Box::new(kept) })
    });
}

/// What cannot be read is said, and the slide is shown without it.
fn open(slide: &Slide, facts: &SlideFacts) -> Kept {
    let header = Header {
        slidelight_journal: FORMAT,
        slide: slide.id().clone(),
        size: facts.size,
        mpp: facts.mpp,
        software: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let places = Places::of(&facts.path, slide.id(), session_file::data_folder().as_deref());
    match Journal::open(&places, header) {
        Ok(opened) => keep(opened),
        Err(error) => {
            let place = places.beside.display();
            Kept::nothing(format!("the journal of this slide cannot be read: {error}: {place}"))
        }
    }
}

fn keep(opened: Opened) -> Kept {
    let Opened { review, access, has_crashed, .. } = opened;
    let Access::Write(journal) = access else {
        let reason = "another window has the review of this slide open".to_owned();
        return Kept { review, ..Kept::nothing(reason) };
    };
    match Keeper::start(journal) {
        Ok(keeper) => {
            let keeping = Keeping::On(Standing::Kept);
            Kept { review, keeper: Some(keeper), keeping, has_crashed }
        }
        Err(error) => {
            Kept { review, ..Kept::nothing(format!("the system refused a thread: {error}")) }
        }
    }
}

/// Hands an entry to the keeper, which writes it on a thread of its own.
pub(super) fn hand_over(entry: Entry, state: &State) {
    if let Some(keeper) = &state.review.keeper {
        keeper.keep(entry);
    }
}

/// As [`hand_over`], for a *t* that may still be moving.
pub(super) fn hand_over_threshold(layer: &str, threshold: BinaryThreshold, state: &mut State) {
    if let Some(keeper) = &state.review.keeper {
        keeper.keep_threshold(&state.review.by, layer, threshold);
        state.review.keeping = Keeping::On(Standing::Pending);
    }
}

/// Learns how far the keeper is. Answers whether it is worth asking again soon.
pub(crate) fn follow(state: &mut State) -> bool {
    let Some(keeper) = &state.review.keeper else { return false };
    let standing = Keeping::On(keeper.standing());
    if standing != state.review.keeping {
        if let Keeping::On(Standing::Failing(reason)) = &standing {
            let text = format!("Changes cannot be saved, it is tried again: {reason}");
            state.notices.error(text);
        }
        state.review.keeping = standing;
    }
    state.review.keeping != Keeping::On(Standing::Kept)
}

/// Who sits here, as the system calls them; empty if it does not say.
pub(crate) fn reviewer() -> String {
    let name = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(|it| std::env::var(it).ok());
    name.unwrap_or_default()
}
