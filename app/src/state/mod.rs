//! What the window shows. Plain data: changed only by [`crate::command`] and [`crate::jobs::inbox`].

pub(crate) mod comparing;
pub(crate) mod comparison;
pub(crate) mod dialogs;
pub(crate) mod image_queue;
pub(crate) mod informative;
pub(crate) mod jobs;
pub(crate) mod layer;
pub(crate) mod lens;
pub(crate) mod models;
pub(crate) mod notices;
pub(crate) mod overlay;
pub(crate) mod picture;
pub(crate) mod review;
pub(crate) mod sending;
pub(crate) mod session;
pub(crate) mod tour;
pub(crate) mod training;
pub(crate) mod view;

use std::sync::Arc;

use slide::Slide;

/// Everything.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The open slide itself, for jobs; its facts are in `view`.
    pub(crate) slide: Option<Arc<Slide>>,
    pub(crate) view: view::ViewState,
    pub(crate) overlay: overlay::OverlayState,
    pub(crate) informative: informative::InformativeState,
    pub(crate) picture_lens: lens::PictureLens,
    pub(crate) review: review::ReviewState,
    pub(crate) models: models::ModelsState,
    pub(crate) training: training::TrainingState,
    pub(crate) comparing: comparing::ComparingState,
    /// Images that are gone through.
    pub(crate) image_queue: Option<image_queue::ImageQueue>,
    pub(crate) session: session::Session,
    pub(crate) jobs: jobs::JobTray,
    pub(crate) notices: notices::Notices,
    pub(crate) dialogs: dialogs::Dialogs,
    /// What draws the picture; said in the status bar where it is slow.
    pub(crate) adapter: Adapter,
}

/// The graphics adapter in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Adapter {
    pub(crate) name: String,
    /// Drawn by the processor: works, but slowly.
    pub(crate) is_software: bool,
}
