//! Work that is running, as the tray shows it.

use std::time::{Duration, Instant};

/// Which job a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct JobId(pub(crate) u64);

/// What a job is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobKind {
    OpenSlide,
    Analyze,
    Export,
    /// Writes a corrected mask into a labelled folder.
    Send,
    Import,
    FindLesions,
    LookAtBands,
    /// Ranks the patches of the slide.
    JudgePatches,
    /// Looks at a labelled folder.
    CheckFolder,
    /// Reads a few of its images.
    PreviewBags,
    Train,
    /// Compares two models.
    Compare,
    /// Changes the list of models.
    Models,
    /// Takes the visible field apart.
    SplitField,
    /// Reads the patch under the pointer.
    ReadSpectrum,
    /// Over before the eye sees it.
    Reshape,
    /// Looks at annotations for their list.
    Thumbnails,
    /// Short or waiting for the user: not worth a line in the tray.
    Silent,
}

/// A running job.
#[derive(Clone, Debug)]
pub(crate) struct RunningJob {
    pub(crate) id: JobId,
    pub(crate) kind: JobKind,
    pub(crate) title: String,
    pub(crate) stage: &'static str,
    /// Items of the stage.
    pub(crate) done: u64,
    pub(crate) total: u64,
    /// Items that were done when the stage was first reported on: work that goes on has some.
    first_done: Option<u64>,
    pub(crate) started: Instant,
    pub(crate) stage_started: Instant,
    /// It was asked to stop and has not yet.
    pub(crate) is_stopping: bool,
}

impl RunningJob {
    pub(crate) fn new(id: JobId, kind: JobKind, title: String, now: Instant) -> Self {
        Self {
            id,
            kind,
            title,
            stage: "",
            done: 0,
            total: 0,
            first_done: None,
            started: now,
            stage_started: now,
            is_stopping: false,
        }
    }

    /// Another stage, of which nothing is known yet.
    pub(crate) fn begin_stage(&mut self, stage: &'static str, now: Instant) {
        self.stage = stage;
        self.stage_started = now;
        (self.done, self.total, self.first_done) = (0, 0, None);
    }

    /// How far the stage is.
    pub(crate) fn report(&mut self, done: u64, total: u64) {
        (self.done, self.total) = (done, total);
        self.first_done.get_or_insert(done);
    }

    /// Share of the stage that is done, once its size is known.
    pub(crate) fn fraction(&self) -> Option<f32> {
        #[expect(clippy::cast_precision_loss, reason = "a progress bar needs three digits")]
        (0 < self.total).then(|| (self.done as f32 / self.total as f32).clamp(0.0, 1.0))
    }

    /// Time the stage still needs at its pace so far; `None` before a pace can be told.
    pub(crate) fn stage_left(&self, now: Instant) -> Option<Duration> {
        let spent = now.duration_since(self.stage_started);
        let done = self.done.saturating_sub(self.first_done.unwrap_or(0));
        if done == 0 || self.total <= self.done || spent < Duration::from_millis(500) {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "an estimate in whole seconds")]
        Some(spent.mul_f64((self.total - self.done) as f64 / done as f64))
    }
}

/// All running jobs, in the order they were started.
#[derive(Clone, Debug, Default)]
pub(crate) struct JobTray {
    pub(crate) running: Vec<RunningJob>,
}

impl JobTray {
    /// The latest job of a kind.
    pub(crate) fn of_kind(&self, kind: JobKind) -> Option<&RunningJob> {
        self.running.iter().rev().find(|job| job.kind == kind)
    }

    pub(crate) fn get_mut(&mut self, id: JobId) -> Option<&mut RunningJob> {
        self.running.iter_mut().find(|job| job.id == id)
    }

    /// Notes that a job was asked to stop.
    pub(crate) fn mark_stopping(&mut self, id: JobId) {
        if let Some(job) = self.get_mut(id) {
            job.is_stopping = true;
        }
    }

    /// Takes a job off the tray; `None` if it was not there.
    pub(crate) fn remove(&mut self, id: JobId) -> Option<RunningJob> {
        let index = self.running.iter().position(|job| job.id == id)?;
        Some(self.running.remove(index))
    }

    /// Jobs worth a line.
    pub(crate) fn visible(&self) -> impl Iterator<Item = &RunningJob> {
        self.running.iter().filter(|job| !matches!(job.kind, JobKind::Silent | JobKind::Reshape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_follows_the_pace_of_the_stage() {
        let start = Instant::now();
        let mut job = RunningJob::new(JobId(1), JobKind::Analyze, String::new(), start);
        assert_eq!(job.stage_left(start + Duration::from_secs(9)), None);
        (job.done, job.total) = (25, 100);
        let left = job.stage_left(start + Duration::from_secs(10)).unwrap();
        assert_eq!(left.as_secs(), 30);
        assert_eq!(job.fraction(), Some(0.25));
    }

    #[test]
    fn what_was_done_before_the_stage_began_is_no_pace() {
        let start = Instant::now();
        let mut job = RunningJob::new(JobId(1), JobKind::Train, String::new(), start);
        job.report(50, 100);
        job.report(60, 100);
        let left = job.stage_left(start + Duration::from_secs(10)).unwrap();
        assert_eq!(left.as_secs(), 40);
    }
}
