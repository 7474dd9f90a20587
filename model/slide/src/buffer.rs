//! Buffers of evicted tiles, used again: a tile of 256 KiB costs a tenth of its decoding time to allocate and clear.
//!
//! Each thread keeps a few of its own, so that no lock is taken.

use std::cell::RefCell;

/// Buffers that one thread keeps at most, and their largest size.
const MAX_BUFFERS: usize = 4;
const MAX_BYTES: usize = 4 << 20;

thread_local! {
    static FREE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of `n_bytes` with any content.
pub(crate) fn take(n_bytes: usize) -> Vec<u8> {
    let fits = |buffer: &Vec<u8>| (n_bytes..=2 * n_bytes).contains(&buffer.capacity());
    let free = FREE
        .with_borrow_mut(|free| free.iter().position(fits).map(|index| free.swap_remove(index)));
    match free {
        Some(mut buffer) => {
            buffer.resize(n_bytes, 0);
            buffer
        }
        None => vec![0; n_bytes],
    }
}

/// Keeps a buffer that is not needed any more.
pub(crate) fn give(buffer: Vec<u8>) {
    if MAX_BYTES < buffer.capacity() {
        return;
    }
    FREE.with_borrow_mut(|free| {
        if free.len() < MAX_BUFFERS {
            free.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_of_the_same_size_is_used_again() {
        let buffer = take(1000);
        let address = buffer.as_ptr();
        give(buffer);
        let larger = take(5000);
        assert_ne!(larger.as_ptr(), address);
        let again = take(900);
        assert_eq!((again.as_ptr(), again.len()), (address, 900));
    }
}
