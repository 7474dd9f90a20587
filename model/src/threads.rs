//! Threads of the tensor library, and threads that yield to others.

/// Keeps the tensor library's element-wise work on the thread that asks for it; call before any other thread exists.
///
/// Its own pool waits by spinning. The costly operations are ours and spread over another pool, so that the spinning gains
/// little on an idle machine and multiplies a training step's time on a busy one. It listens to an environment variable
/// alone; one that the user has set stays. For every product of matrices it asks how many cores there are, and unless another
/// variable says so it reads the description of every core, which takes longer than a small product.
///
/// # Errors
/// If the variables cannot be set.
pub fn keep_tensors_on_their_thread() -> std::io::Result<()> {
    let n_cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let variables = format!("CANDLE_NUM_THREADS=1\nRAYON_NUM_THREADS={n_cores}");
    dotenvy::from_read(variables.as_bytes()).map_err(std::io::Error::other)
}

/// Does `work` on a thread of the pool. Work that spreads over it from any other thread waits, each time anew, for one of its
/// threads to wake, and to be woken by it; and the allocator keeps what was freed for the thread that had asked for it, so that
/// tensors made now on one thread and now on another take their memory twice.
pub fn on_the_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}

/// How far the system puts threads behind those of the window, of 19.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 15;

/// Does `work`, and whatever it spreads over threads, on threads that yield to all others: a window stays as quick as
/// it is. Where the system cannot rank threads one core is left alone instead. Without threads of its own the work
/// is done on the caller's.
pub fn yielding<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let n_cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let n_threads = if RANKS_THREADS { n_cores } else { n_cores.saturating_sub(1).max(1) };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(n_threads)
        .thread_name(|i| format!("yielding-{i}"))
        .start_handler(|_| step_back())
        .build();
    match pool {
        Ok(pool) => pool.install(work),
        Err(error) => {
            tracing::warn!("no threads that yield: {error}");
            work()
        }
    }
}

const RANKS_THREADS: bool = cfg!(target_os = "linux");

/// Puts the calling thread behind others. On Linux a thread has a niceness of its own; elsewhere it is the process's.
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!("a thread keeps its rank: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;

    #[test]
    fn work_is_spread_over_threads_that_yield() {
        let sum: u64 = yielding(|| {
            assert!(std::thread::current().name().is_some_and(|it| it.starts_with("yielding-")));
            (0..1000_u64).into_par_iter().sum()
        });
        assert_eq!(sum, 499_500);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_threads_that_yield_are_put_behind() {
        let rank = || rustix::process::getpriority_process(None).unwrap();
        let before = rank();
        assert!(before < yielding(rank));
        assert_eq!(rank(), before);
    }
}
