//! A thread that writes the journal, so that nobody waits for a disk.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use domain::mask::BinaryThreshold;

use super::Journal;
use crate::{Deed, Entry};

/// Longest time from a change to its being safe from a loss of power, as long as the disk keeps up. A
/// *t* that is still being moved is written this often.
const SYNC_EVERY: Duration = Duration::from_millis(500);

/// How long after a failure it is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// Whether everything is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// All of it.
    #[default]
    Kept,
    /// Soon.
    Pending,
    /// It cannot be, for this reason; it is tried again every second.
    Failing(String),
}

/// Takes entries and writes them in order: at once into the file, soon after onto the disk.
///
/// Dropping it closes the journal in the background; [`Self::close`] waits for that.
#[derive(Debug)]
pub struct Keeper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    entries: Vec<Entry>,
    /// The latest *t* of layers that were cut anew, and who did it.
    thresholds: BTreeMap<String, (String, BinaryThreshold)>,
    is_closing: bool,
    standing: Standing,
}

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start(journal: Journal) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let writer = Writer { journal, shared: Arc::clone(&shared), unsynced_since: None };
        let name = "keep-journal".to_owned();
        let thread = std::thread::Builder::new().name(name).spawn(move || writer.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Hands over what was done; returns at once.
    pub fn keep(&self, entry: Entry) {
        let mut queue = self.shared.lock();
        queue.entries.push(entry);
        if queue.standing == Standing::Kept {
            queue.standing = Standing::Pending;
        }
        self.shared.wake.notify_one();
    }

    /// Hands over where a layer is cut now. Only the last of many within half a second is written.
    pub fn keep_threshold(&self, by: &str, layer: &str, threshold: BinaryThreshold) {
        let mut queue = self.shared.lock();
        queue.thresholds.insert(layer.to_owned(), (by.to_owned(), threshold));
        if queue.standing == Standing::Kept {
            queue.standing = Standing::Pending;
        }
        self.shared.wake.notify_one();
    }

    /// Whether everything is on the disk.
    pub fn standing(&self) -> Standing {
        self.shared.lock().standing.clone()
    }

    /// Writes what is left and waits until it is on the disk, or cannot be.
    pub fn close(mut self) {
        self.shared.begin_closing();
        if let Some(thread) = self.thread.take() {
            // A panic in the thread was reported where it happened.
            thread.join().ok();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.shared.begin_closing();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin_closing(&self) {
        self.lock().is_closing = true;
        self.wake.notify_one();
    }
}

/// What the thread owns.
struct Writer {
    journal: Journal,
    shared: Arc<Shared>,
    /// When the oldest change was made that a loss of power would take.
    unsynced_since: Option<Instant>,
}

impl Writer {
    fn run(mut self) {
        loop {
            let (entries, is_closing) = self.next();
            let result = self.write(entries);
            if is_closing {
                // The window is gone: nobody could be told of a failure any more.
                self.finish(result.is_ok());
                return;
            }
            if let Err((error, left)) = result {
                let mut queue = self.shared.lock();
                queue.standing = Standing::Failing(error);
                queue.entries.splice(0..0, left);
                let waited = self.shared.wake.wait_timeout(queue, RETRY_EVERY);
                drop(waited);
            }
        }
    }

    /// Waits for entries, for the time to sync, or for the end.
    fn next(&mut self) -> (Vec<Entry>, bool) {
        let mut queue = self.shared.lock();
        loop {
            if !queue.entries.is_empty() || queue.is_closing {
                break;
            }
            if !queue.thresholds.is_empty() && self.unsynced_since.is_none() {
                self.unsynced_since = Some(Instant::now());
            }
            let Some(since) = self.unsynced_since else {
                queue = self.shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = SYNC_EVERY.saturating_sub(since.elapsed());
            if left.is_zero() {
                break;
            }
            let waited = self.shared.wake.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let mut entries = std::mem::take(&mut queue.entries);
        let is_due = self.unsynced_since.is_some_and(|since| SYNC_EVERY <= since.elapsed());
        if is_due || queue.is_closing {
            let settled = std::mem::take(&mut queue.thresholds).into_iter();
            entries.extend(settled.map(|(layer, (by, threshold))| {
                Entry::now(&by, Deed::Threshold { layer, threshold })
            }));
        }
        (entries, queue.is_closing)
    }

    /// Writes, and syncs if it is time. Answers with the reason and what is left if that fails.
    fn write(&mut self, entries: Vec<Entry>) -> Result<(), (String, Vec<Entry>)> {
        let mut left = entries.into_iter();
        while let Some(entry) = left.next() {
            if let Err(error) = self.journal.append(&entry) {
                return Err((error.to_string(), std::iter::once(entry).chain(left).collect()));
            }
            self.unsynced_since.get_or_insert_with(Instant::now);
        }
        if self.unsynced_since.is_some_and(|since| SYNC_EVERY <= since.elapsed()) {
            self.journal.sync().map_err(|error| (error.to_string(), Vec::new()))?;
            self.unsynced_since = None;
            let mut queue = self.shared.lock();
            if queue.entries.is_empty() && queue.thresholds.is_empty() {
                queue.standing = Standing::Kept;
            }
        }
        Ok(())
    }

    fn finish(&mut self, is_complete: bool) {
        if is_complete && self.journal.is_begun() {
            self.journal.append(&Entry::now("", Deed::Closed)).ok();
        }
        self.journal.sync().ok();
        if is_complete {
            self.shared.lock().standing = Standing::Kept;
        }
    }
}
