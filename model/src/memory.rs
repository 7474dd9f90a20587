//! Memory of the process and of the machine: kept between one tensor and the next, and measured.

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

/// Memory that a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryUse {
    /// In bytes.
    pub now_bytes: u64,
    /// The most since it was started, in bytes.
    pub peak_bytes: u64,
}

/// Memory of this process without what lies on a graphics processor; `None` where the system does not say it in
/// `/proc/self/status`, as Linux does.
pub fn used() -> Option<MemoryUse> {
    resident(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// Main memory of the machine that can be taken without pushing others out, in bytes; `None` where the system does not say it in
/// `/proc/meminfo`, as Linux does.
pub(crate) fn available_bytes() -> Option<u64> {
    bytes_of("MemAvailable", &std::fs::read_to_string("/proc/meminfo").ok()?)
}

/// The resident set and its peak.
fn resident(status: &str) -> Option<MemoryUse> {
    Some(MemoryUse {
        now_bytes: bytes_of("VmRSS", status)?,
        peak_bytes: bytes_of("VmHWM", status)?,
    })
}

/// An entry that Linux states in kibibytes.
fn bytes_of(name: &str, text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_what_linux_says_of_a_process_and_of_the_machine() {
        let status = "Name:\tslidelight\nVmHWM:\t  2048 kB\nVmRSS:\t    1024 kB\nThreads:\t3\n";
        let used = resident(status).unwrap();
        assert_eq!((used.now_bytes, used.peak_bytes), (1 << 20, 2 << 20));
        assert_eq!(resident("Name:\tslidelight\n"), None);
        let machine = "MemTotal:       24582284 kB\nMemAvailable:   22630148 kB\n";
        assert_eq!(bytes_of("MemAvailable", machine), Some(22_630_148 << 10));
        assert_eq!(bytes_of("MemAvailable", "MemAvailable: many kB\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_holds_memory_and_no_more_than_its_peak() {
        let MemoryUse { now_bytes, peak_bytes } = used().unwrap();
        assert!(1 << 20 < now_bytes && now_bytes <= peak_bytes);
    }
}
