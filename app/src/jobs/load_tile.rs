//! Decoder threads for display tiles: they take a request, read the tile, answer. Soft demand: a
//! request that is no longer wanted is dropped before anything is read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use domain::id::TileKey;
use domain::pixels::Pixels;
use domain::progress::CancelToken;
use slide::{Channel, Slide};

/// More threads would only wait for each other and for the window.
const THREADS_MAX: usize = 4;

/// A tile that is wanted on screen.
#[derive(Debug)]
pub(crate) struct TileRequest {
    pub(crate) slide: Arc<Slide>,
    /// Of the slide.
    pub(crate) generation: u64,
    /// How its channels are shown, and the number of that look.
    pub(crate) channels: Arc<[Channel]>,
    pub(crate) look: u64,
    pub(crate) key: TileKey,
    /// Set once the tile is no longer wanted.
    pub(crate) unwanted: CancelToken,
}

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct TileReply {
    pub(crate) generation: u64,
    pub(crate) look: u64,
    pub(crate) key: TileKey,
    pub(crate) read: TileRead,
}

/// What became of a request.
#[derive(Debug)]
pub(crate) enum TileRead {
    Loaded {
        pixels: Arc<Pixels>,
        /// Some of it could not be decoded.
        is_damaged: bool,
    },
    /// It was no longer wanted.
    Dropped,
    Failed(String),
}

/// The way to the decoder threads and back.
#[derive(Debug)]
pub(crate) struct TileLoader {
    requests: Sender<TileRequest>,
    replies: Receiver<TileReply>,
    n_threads: usize,
}

impl TileLoader {
    /// Starts the threads; they end when the loader is dropped.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub(crate) fn new(egui_ctx: &egui::Context) -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let n_threads = cores.clamp(2, THREADS_MAX);
        let (requests, inbox) = bounded(2 * n_threads);
        let (outbox, replies) = bounded(4 * n_threads);
        for i in 0..n_threads {
            let (inbox, outbox, egui_ctx) = (inbox.clone(), outbox.clone(), egui_ctx.clone());
            std::thread::Builder::new()
                .name(format!("tiles-{i}"))
                .spawn(move || decode_all(&inbox, &outbox, &egui_ctx))?;
        }
        Ok(Self { requests, replies, n_threads })
    }

    /// How many requests may be under way at once: enough to keep every thread busy, few enough that
    /// a moved camera is served at once.
    pub(crate) fn in_flight_max(&self) -> usize {
        2 * self.n_threads
    }

    /// Never waits; `false` if there is no room.
    pub(crate) fn ask(&self, request: TileRequest) -> bool {
        self.requests.try_send(request).is_ok()
    }

    /// The next answer; never waits.
    pub(crate) fn next_reply(&self) -> Option<TileReply> {
        self.replies.try_recv().ok()
    }
}

fn decode_all(inbox: &Receiver<TileRequest>, outbox: &Sender<TileReply>, egui_ctx: &egui::Context) {
    for request in inbox {
        let read = read_isolated(&request);
        let TileRequest { generation, look, key, .. } = request;
        if outbox.send(TileReply { generation, look, key, read }).is_err() {
            return;
        }
        egui_ctx.request_repaint();
    }
}

fn read_isolated(request: &TileRequest) -> TileRead {
    if request.unwanted.is_cancelled() {
        return TileRead::Dropped;
    }
    let TileRequest { slide, channels, key, .. } = request;
    match catch_unwind(AssertUnwindSafe(|| slide.read_tile_of_channels(*key, channels))) {
        Ok(Ok(region)) => TileRead::Loaded {
            is_damaged: 0 < region.damaged_tiles,
            pixels: Arc::new(region.pixels),
        },
        Ok(Err(error)) => TileRead::Failed(error.to_string()),
        Err(_panic) => TileRead::Failed("the decoder stopped on a bug; see the log".to_owned()),
    }
}
