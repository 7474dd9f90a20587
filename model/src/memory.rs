//! Memory between one tensor and the next.

/// Just under the largest block that glibc's allocator learns from, in bytes.
const BLOCK_BYTES: usize = 31 << 20;

/// Has the allocator keep freed blocks for the next tensor; call at the start of a program.
///
/// A training step makes and drops hundreds of tensors of some hundred kilobytes. At first glibc asks the system for
/// each and gives it back, and the system clears every page anew: a third of a short scan's time. From the
/// first large block that is freed it learns to keep blocks of up to that size, and twice as much at the end of its heap. Other
/// allocators are not changed by this. Nothing is written to the block, so that it takes no memory.
pub fn keep_freed_blocks() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(BLOCK_BYTES)));
}
