//! Memory between one tensor and the next.

/// Main memory that programs can take without pushing others out, in bytes; `None` where the system does not say.
pub fn available_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    available_in(&text)
}

fn available_in(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|it| it.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_read_in_bytes() {
        let text = "MemTotal:       24582284 kB\nMemFree:  1 kB\nMemAvailable:   22630148 kB\n";
        assert_eq!(available_in(text), Some(22_630_148 * 1024));
        assert_eq!(available_in("MemTotal: 5 kB"), None);
        assert_eq!(available_in("MemAvailable: many kB"), None);
    }
}
