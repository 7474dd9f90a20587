//! Picture data without its stuffing, cut at restart markers, and a reader of bits over it.

use std::io::BufRead as _;
use std::ops::Range;

/// Zeros after every interval, so that a read of eight bytes succeeds wherever an intact stream asks for bits.
const PADDING: usize = 16;

/// The data between restart markers.
#[derive(Debug)]
pub(super) struct Intervals {
    data: Vec<u8>,
    ranges: Vec<Range<usize>>,
}

impl Intervals {
    /// Takes out the zero after each 0xFF. `None` unless markers come in turn and an end marker closes the picture.
    pub(super) fn split(mut stored: &[u8]) -> Option<Self> {
        let mut data = Vec::with_capacity(stored.len() + PADDING);
        let mut ranges = Vec::new();
        let mut start = 0;
        loop {
            // The quickest search for a byte that the standard library has.
            stored.read_until(0xFF, &mut data).ok()?;
            let (&code, rest) = stored.split_first()?;
            stored = rest;
            if code == 0 {
                continue;
            }
            data.pop();
            ranges.push(start..data.len());
            data.extend([0; PADDING]);
            start = data.len();
            let expected = 0xD0 + u8::try_from((ranges.len() - 1) % 8).ok()?;
            match code {
                0xD9 => return Some(Self { data, ranges }),
                _ if code == expected => {}
                _ => return None,
            }
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.ranges.len()
    }

    /// A reader of each.
    pub(super) fn readers(&self) -> impl Iterator<Item = Bits<'_>> {
        self.ranges.iter().map(|range| Bits {
            data: self.data.get(range.start..range.end + PADDING).unwrap_or_default(),
            at: 0,
            window: 0,
            n_ready: 0,
        })
    }
}

/// Bits, the highest of each byte first.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    /// The next bits, from the top; below `n_ready` of them there may be more of the data, never anything else.
    window: u64,
    n_ready: u32,
}

impl Bits<'_> {
    /// Makes at least 56 bits ready; zeros after the end.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        let next = self
            .data
            .get(self.at..)
            .and_then(<[u8]>::first_chunk)
            .map_or_else(|| self.last_bytes(), |&bytes| u64::from_be_bytes(bytes));
        self.window |= next >> self.n_ready;
        self.at += ((63 - self.n_ready) >> 3) as usize;
        self.n_ready |= 56;
    }

    #[cold]
    fn last_bytes(&self) -> u64 {
        let mut bytes = [0; 8];
        let rest = self.data.get(self.at..).unwrap_or_default();
        bytes.iter_mut().zip(rest).for_each(|(to, &from)| *to = from);
        u64::from_be_bytes(bytes)
    }

    /// The next `N` bits, of those that are ready.
    #[inline(always)]
    pub(super) fn peek<const N: u32>(&self) -> usize {
        (self.window >> (64 - N)) as usize
    }

    /// Steps over `n` bits that are ready, 63 at most.
    #[inline(always)]
    pub(super) fn consume(&mut self, n: u32) {
        self.window <<= n & 63;
        self.n_ready = self.n_ready.wrapping_sub(n & 63);
    }

    /// A signed number of `n` bits, 1 to 15, as JPEG writes them: without its leading bit if it is negative.
    #[inline(always)]
    pub(super) fn signed(&mut self, n: u32) -> i32 {
        let bits = (self.window >> (64 - n)) as i32;
        self.consume(n);
        extend(bits, n)
    }

    /// Bits left before the end; negative if more were taken than there are.
    pub(super) fn n_left(&self) -> i64 {
        let n_bits = |n_bytes: usize| i64::try_from(n_bytes).unwrap_or(i64::MAX) * 8;
        n_bits(self.data.len()) - n_bits(PADDING) - n_bits(self.at) + i64::from(self.n_ready)
    }
}

/// The number that `n` bits stand for.
#[inline(always)]
pub(super) fn extend(bits: i32, n: u32) -> i32 {
    if bits < 1 << (n - 1) { bits - (1 << n) + 1 } else { bits }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(intervals: &Intervals, index: usize, n_bytes: usize) -> Vec<usize> {
        let mut bits = intervals.readers().nth(index).unwrap();
        let byte = |_| {
            bits.refill();
            let byte = bits.peek::<8>();
            bits.consume(8);
            byte
        };
        (0..n_bytes).map(byte).collect()
    }

    #[test]
    fn stuffing_is_taken_out_and_markers_cut() {
        let stored = [1, 0xFF, 0, 2, 0xFF, 0xD0, 3, 0xFF, 0xD1, 0xFF, 0, 0xFF, 0xD9, 7];
        let intervals = Intervals::split(&stored).unwrap();
        assert_eq!(intervals.count(), 3);
        assert_eq!(taken(&intervals, 0, 5), [1, 0xFF, 2, 0, 0]);
        assert_eq!(taken(&intervals, 1, 2), [3, 0]);
        assert_eq!(taken(&intervals, 2, 40)[..2], [0xFF, 0]);
    }

    #[test]
    fn markers_out_of_turn_or_a_missing_end_are_no_picture() {
        assert!(Intervals::split(&[1, 0xFF, 0xD1, 0xFF, 0xD9]).is_none());
        assert!(Intervals::split(&[1, 0xFF, 0xC4, 0xFF, 0xD9]).is_none());
        assert!(Intervals::split(&[1, 2, 3]).is_none());
        assert!(Intervals::split(&[1, 0xFF]).is_none());
    }

    #[test]
    fn what_is_left_is_counted_past_the_end_too() {
        let intervals = Intervals::split(&[0xAB, 0xCD, 0xFF, 0xD9]).unwrap();
        let mut bits = intervals.readers().next().unwrap();
        assert_eq!(bits.n_left(), 16);
        for left in [9, 2, -5, -12] {
            bits.refill();
            bits.consume(7);
            assert_eq!(bits.n_left(), left);
        }
    }

    #[test]
    fn numbers_are_signed_by_their_first_bit() {
        assert_eq!([extend(0, 1), extend(1, 1)], [-1, 1]);
        assert_eq!([0, 1, 2, 3].map(|bits| extend(bits, 2)), [-3, -2, 2, 3]);
    }
}
