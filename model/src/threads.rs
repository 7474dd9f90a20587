//! Threads of the tensor library.

/// Keeps the tensor library's element-wise work on the thread that asks for it; call before any other thread exists.
///
/// Its own pool waits by spinning. The costly operations are ours and spread over another pool, so that the spinning gains
/// little on an idle machine and multiplies a training step's time on a busy one. It listens to an environment variable
/// alone; one that the user has set stays.
///
/// # Errors
/// If the variable cannot be set.
pub fn keep_tensors_on_their_thread() -> std::io::Result<()> {
    dotenvy::from_read(&b"CANDLE_NUM_THREADS=1"[..]).map_err(std::io::Error::other)
}
