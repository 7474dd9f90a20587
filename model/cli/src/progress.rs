//! How far the work is, on stderr: one changing line on a terminal, now and then a line elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::progress::Progress;

/// Between two redraws of the line on a terminal.
const REDRAW: Duration = Duration::from_millis(100);

/// Between two lines in a log file.
const LOG_LINE: Duration = Duration::from_secs(10);

/// A guess of the time left is shown from here on.
const FIRST_GUESS: Duration = Duration::from_secs(2);

/// Back to the first column and clear.
const CLEAR_LINE: &str = "\r\x1b[K";

/// Reports to stderr, from any thread.
#[derive(Debug)]
pub(crate) struct ProgressLine {
    is_terminal: bool,
    stage: Mutex<Stage>,
}

#[derive(Debug)]
struct Stage {
    name: &'static str,
    started: Instant,
    shown: Option<Instant>,
}

impl ProgressLine {
    pub(crate) fn new() -> Self {
        let stage = Stage { name: "Starting", started: Instant::now(), shown: None };
        Self { is_terminal: std::io::stderr().is_terminal(), stage: Mutex::new(stage) }
    }

    /// Removes the changing line, so that other words can be said.
    pub(crate) fn clear(&self) {
        if self.is_terminal {
            write(CLEAR_LINE);
        }
    }

    fn show(&self, line: &str) {
        if self.is_terminal {
            write(&format!("{CLEAR_LINE}{line}"));
        } else {
            write(&format!("{line}\n"));
        }
    }
}

impl Progress for ProgressLine {
    fn stage(&self, name: &'static str) {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        *stage = Stage { name, started: Instant::now(), shown: Some(Instant::now()) };
        self.show(name);
    }

    fn report(&self, done: u64, total: u64) {
        // A report that finds another one being shown may be left out.
        let Ok(mut stage) = self.stage.try_lock() else { return };
        let interval = if self.is_terminal { REDRAW } else { LOG_LINE };
        if stage.shown.is_some_and(|shown| shown.elapsed() < interval) {
            return;
        }
        stage.shown = Some(Instant::now());
        self.show(&line(stage.name, done, total, stage.started.elapsed()));
    }
}

fn line(stage: &str, done: u64, total: u64, elapsed: Duration) -> String {
    let percent = done.min(total) * 100 / total.max(1);
    let left = match time_left(done, total, elapsed) {
        Some(left) => format!(", {} left", in_words(left)),
        None => String::new(),
    };
    format!("{stage}: {percent} % ({done} of {total}){left}")
}

#[expect(clippy::cast_precision_loss, reason = "a guess")]
fn time_left(done: u64, total: u64, elapsed: Duration) -> Option<Duration> {
    let is_known = FIRST_GUESS <= elapsed && 0 < done && done <= total;
    is_known.then(|| elapsed.mul_f64((total - done) as f64 / done as f64))
}

fn in_words(time: Duration) -> String {
    let seconds = time.as_secs_f64().round();
    match seconds {
        ..60.0 => format!("{seconds} s"),
        ..3600.0 => format!("{} min {} s", (seconds / 60.0).floor(), seconds % 60.0),
        _ => format!("{} h {} min", (seconds / 3600.0).floor(), (seconds % 3600.0 / 60.0).floor()),
    }
}

/// A closed stderr leaves nobody to tell.
fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_the_pace_so_far() {
        let shown = line("Reading patches", 30, 120, Duration::from_secs(60));
        assert_eq!(shown, "Reading patches: 25 % (30 of 120), 3 min 0 s left");
    }

    #[test]
    fn nothing_is_guessed_from_nothing() {
        let early = line("Reading patches", 0, 0, Duration::from_millis(3));
        assert_eq!(early, "Reading patches: 0 % (0 of 0)");
        assert_eq!(time_left(5, 4, Duration::from_secs(60)), None);
    }

    #[test]
    fn long_times_are_in_hours() {
        assert_eq!(in_words(Duration::from_secs(7260)), "2 h 1 min");
        assert_eq!(in_words(Duration::from_secs(42)), "42 s");
    }
}
