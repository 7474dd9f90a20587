//! Threads for jobs: named, reporting a few times a second at most, stoppable; a panic fails one job.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use domain::progress::{CancelToken, Progress};
use model::memory;
use render::band_compute::BandCompute;

use super::{JobError, JobEvent, Outcome};
use crate::state::State;
use crate::state::jobs::{JobId, JobKind, RunningJob};

/// Shortest time between two reports: a repaint for every percent would cost half a core where the processor draws.
fn shortest_wait(kind: JobKind) -> Duration {
    match kind {
        // It lasts for minutes or hours and needs every core.
        JobKind::Train => Duration::from_secs(2),
        _ => Duration::from_millis(200),
    }
}

/// How soon a report is drawn. A wish without any delay would have two frames drawn.
const SOON: Duration = Duration::from_millis(5);

/// Room for events that the window has not read yet.
const INBOX_SIZE: usize = 64;

/// Starts and stops jobs, and receives what they say.
#[derive(Debug)]
pub(crate) struct Runner {
    egui_ctx: egui::Context,
    events: Sender<JobEvent>,
    inbox: Receiver<JobEvent>,
    cancels: BTreeMap<JobId, CancelToken>,
    next_id: u64,
    /// Compute shaders for jobs, where they are faster than the processor.
    pub(crate) band_compute: Option<Arc<BandCompute>>,
}

impl Runner {
    pub(crate) fn new(egui_ctx: egui::Context) -> Self {
        let (events, inbox) = bounded(INBOX_SIZE);
        let cancels = BTreeMap::new();
        Self { egui_ctx, events, inbox, cancels, next_id: 0, band_compute: None }
    }

    /// Runs `work` on its own thread and puts it on the tray; returns at once.
    pub(crate) fn start<W>(
        &mut self,
        state: &mut State,
        kind: JobKind,
        thread_name: &str,
        title: String,
        work: W,
    ) where
        W: FnOnce(&dyn Progress, &CancelToken) -> Result<Outcome, JobError> + Send + 'static,
    {
        self.next_id += 1;
        let id = JobId(self.next_id);
        tracing::debug!(job = id.0, name = thread_name, "job starts");
        let cancel = CancelToken::default();
        let reporter = Reporter::new(id, kind, self.events.clone(), self.egui_ctx.clone());
        let seen_by_job = cancel.clone();
        let thread = std::thread::Builder::new()
            .name(thread_name.to_owned())
            .spawn(move || reporter.finish(isolated(id, work, &reporter, &seen_by_job)));
        match thread {
            Ok(_detached) => {
                self.cancels.insert(id, cancel);
                state.jobs.running.push(RunningJob::new(id, kind, title, Instant::now()));
            }
            Err(error) => state.notices.error(format!("The system refused a thread: {error}")),
        }
    }

    /// Asks a job to stop.
    pub(crate) fn cancel(&self, id: JobId) {
        if let Some(cancel) = self.cancels.get(&id) {
            cancel.cancel();
        }
    }

    /// Asks every job to stop: the window is closing.
    pub(crate) fn cancel_all(&self) {
        self.cancels.values().for_each(CancelToken::cancel);
    }

    /// Carries what a job says besides its progress.
    pub(crate) fn teller(&self) -> Teller {
        Teller { events: self.events.clone(), egui_ctx: self.egui_ctx.clone() }
    }

    pub(crate) fn close_window(&self) {
        self.egui_ctx.send_viewport_cmd(egui::ViewportCommand::Close);
    }

    /// The next thing a job said; never waits.
    pub(crate) fn next_event(&mut self) -> Option<JobEvent> {
        let event = self.inbox.try_recv().ok()?;
        if let JobEvent::Done(id, _) | JobEvent::Cancelled(id) | JobEvent::Failed(id, _) = &event {
            tracing::debug!(job = id.0, "job ends");
            self.cancels.remove(id);
        }
        Some(event)
    }
}

/// The last word of `work`, whatever it does.
fn isolated<W>(id: JobId, work: W, progress: &dyn Progress, cancel: &CancelToken) -> JobEvent
where
    W: FnOnce(&dyn Progress, &CancelToken) -> Result<Outcome, JobError>,
{
    match catch_unwind(AssertUnwindSafe(|| work(progress, cancel))) {
        Ok(Ok(outcome)) => JobEvent::Done(id, Box::new(outcome)),
        Ok(Err(JobError::Cancelled)) => JobEvent::Cancelled(id),
        Ok(Err(JobError::Failed(message))) => JobEvent::Failed(id, message),
        Err(_panic) => JobEvent::Failed(id, "The job stopped on a bug; see the log".to_owned()),
    }
}

/// Carries events that must arrive from a job to the window.
#[derive(Debug)]
pub(crate) struct Teller {
    events: Sender<JobEvent>,
    egui_ctx: egui::Context,
}

impl Teller {
    /// Waits for room.
    pub(crate) fn say(&self, event: JobEvent) {
        // The window closing while a job runs is not an error.
        self.events.send(event).ok();
        self.egui_ctx.request_repaint();
    }
}

/// Carries reports from a job to the window.
struct Reporter {
    id: JobId,
    events: Sender<JobEvent>,
    egui_ctx: egui::Context,
    kind: JobKind,
    /// `None` until the first report of a stage.
    last_report: Mutex<Option<Instant>>,
}

impl Reporter {
    fn new(id: JobId, kind: JobKind, events: Sender<JobEvent>, egui_ctx: egui::Context) -> Self {
        Self { id, events, egui_ctx, kind, last_report: Mutex::new(None) }
    }

    /// Never waits: a report the window has no room for is already out of date.
    fn offer(&self, event: JobEvent) {
        if self.events.try_send(event).is_ok() {
            self.egui_ctx.request_repaint_after(SOON);
        }
    }

    /// Waits for room: the last word of a job must arrive.
    fn finish(&self, event: JobEvent) {
        // The window closing while a job runs is not an error.
        self.events.send(event).ok();
        self.egui_ctx.request_repaint();
    }

    /// Whether enough time has passed; another thread that is just asking has the answer.
    fn is_due(&self) -> bool {
        let Ok(mut last_report) = self.last_report.try_lock() else { return false };
        let now = Instant::now();
        let wait = shortest_wait(self.kind);
        let is_due = last_report.is_none_or(|last| wait <= now.duration_since(last));
        if is_due {
            *last_report = Some(now);
        }
        is_due
    }
}

impl Progress for Reporter {
    fn stage(&self, name: &'static str) {
        if let Ok(mut last_report) = self.last_report.lock() {
            *last_report = None;
        }
        self.offer(JobEvent::Stage(self.id, name));
    }

    fn report(&self, done: u64, total: u64) {
        if self.is_due() {
            self.offer(JobEvent::Progress(self.id, done, total));
            if let Some(memory) = memory::used().filter(|_| self.kind == JobKind::Train) {
                self.offer(JobEvent::Memory(memory));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last_word(runner: &mut Runner) -> JobEvent {
        loop {
            let event = runner.inbox.recv_timeout(Duration::from_secs(20)).unwrap();
            if !matches!(event, JobEvent::Stage(..) | JobEvent::Progress(..)) {
                return event;
            }
        }
    }

    fn run<W>(work: W) -> (Runner, State)
    where
        W: FnOnce(&dyn Progress, &CancelToken) -> Result<Outcome, JobError> + Send + 'static,
    {
        let (mut runner, mut state) = (Runner::new(egui::Context::default()), State::default());
        runner.start(&mut state, JobKind::Export, "test", "Testing".to_owned(), work);
        (runner, state)
    }

    #[test]
    fn a_panicking_job_fails_instead_of_hanging() {
        let (mut runner, state) = run(|_, _| panic!("boom"));
        assert_eq!(state.jobs.running.len(), 1);
        assert!(matches!(last_word(&mut runner), JobEvent::Failed(JobId(1), _)));
    }

    #[test]
    fn a_cancelled_job_stops_and_is_no_failure() {
        let (go, wait) = bounded::<()>(0);
        let (mut runner, _state) = run(move |_, cancel| {
            wait.recv().unwrap();
            cancel.check()?;
            Ok(Outcome::SessionSaved)
        });
        runner.cancel(JobId(1));
        go.send(()).unwrap();
        assert!(matches!(last_word(&mut runner), JobEvent::Cancelled(JobId(1))));
    }

    #[test]
    fn ten_thousand_reports_neither_flood_nor_block_the_window() {
        let (mut runner, _state) = run(|progress, _| {
            progress.stage("Counting");
            (0..10_000).for_each(|done| progress.report(done, 10_000));
            Ok(Outcome::SessionSaved)
        });
        assert!(matches!(last_word(&mut runner), JobEvent::Done(..)));
        assert!(runner.inbox.is_empty());
    }
}
