//! Huffman codes as tables that answer for a code and the number behind it in one look (ITU-T T.81, annexes C and F).

use std::cell::RefCell;
use std::rc::Rc;

use super::bits::{Bits, extend};

/// Bits that one look takes in.
const LOOK: u32 = 11;

/// What a look-up gives, in one word: bits 0 to 5 how many bits it takes, 8 to 15 by how many coefficients it leads on,
/// 16 to 31 the number. Where the lead is 0, the number behind the code is too long for a look, and what is given are the
/// bits of the code and, as a number, its symbol; or nothing, where the code itself is too long.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found(u32);

impl Found {
    /// Leads beyond any block: its other coefficients are 0.
    pub(super) const END: u32 = 0x80;

    fn new(n_bits: u32, lead: u32, number: i32) -> Self {
        Self(n_bits | lead << 8 | (number as u32) << 16)
    }

    /// Bits to step over.
    #[inline(always)]
    pub(super) fn n_bits(self) -> u32 {
        self.0 & 63
    }

    /// Coefficients to step on, the one that is given included.
    #[inline(always)]
    pub(super) fn lead(self) -> u32 {
        (self.0 >> 8) & 0xFF
    }

    /// The number itself; 0 if there is none.
    #[inline(always)]
    pub(super) fn number(self) -> i32 {
        (self.0 as i32) >> 16
    }
}

/// Several coefficients that are not wanted.
#[derive(Clone, Copy, Debug, Default)]
struct Stride {
    /// Bits of their codes and numbers; 0 if not one of them is within a look.
    n_bits: u8,
    lead: u8,
    /// The end of the block comes behind them.
    is_end: bool,
}

/// Whether the symbols of a table are sizes of DC differences, or runs and sizes of AC coefficients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Dc,
    Ac,
}

/// A table ready for decoding.
#[derive(Debug)]
pub(super) struct Huffman {
    looks: Box<[Found; 1 << LOOK]>,
    /// For AC coefficients, as many of them as one look takes in.
    strides: Box<[Stride; 1 << LOOK]>,
    /// For each length, the first code that is longer, as the top bits of 16.
    limits: [u32; 17],
    /// For each length, the index of the first symbol minus its code.
    offsets: [i32; 17],
    symbols: [u8; 256],
    class: Class,
}

impl Huffman {
    /// By the sixteen counts and the symbols of the stream; `None` if there are more codes than fit.
    pub(super) fn new(class: Class, counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut table = Self {
            looks: Box::new([Found::default(); 1 << LOOK]),
            strides: Box::new([Stride::default(); 1 << LOOK]),
            limits: [0; 17],
            offsets: [0; 17],
            symbols: [0; 256],
            class,
        };
        table.symbols.get_mut(..symbols.len())?.copy_from_slice(symbols);
        let (mut code, mut index) = (0_u32, 0);
        for (length, &count) in (1_u32..).zip(counts) {
            table.offsets[length as usize] = index - code as i32;
            for _ in 0..count {
                table.fill_looks(code, length, *symbols.get(index as usize)?);
                (code, index) = (code + 1, index + 1);
            }
            if 1 << length < code {
                return None;
            }
            table.limits[length as usize] = code << (16 - length);
            code <<= 1;
        }
        if class == Class::Ac {
            for at in 0..1 << LOOK {
                table.strides[at] = table.stride(at as u32);
            }
        }
        Some(table)
    }

    /// What can be stepped over where a look finds `bits`.
    fn stride(&self, bits: u32) -> Stride {
        let mut stride = Stride::default();
        loop {
            let rest = bits << stride.n_bits & ((1 << LOOK) - 1);
            let found = self.looks[rest as usize];
            let n_bits = stride.n_bits + found.n_bits() as u8;
            if found.lead() == 0 || LOOK < n_bits.into() {
                return stride;
            }
            stride.n_bits = n_bits;
            if found.lead() == Found::END {
                return Stride { is_end: true, ..stride };
            }
            stride.lead += found.lead() as u8;
        }
    }

    /// Writes what is found where a look begins with `code`.
    fn fill_looks(&mut self, code: u32, length: u32, symbol: u8) {
        let Some(n_free) = LOOK.checked_sub(length) else { return };
        for behind in 0..1_u32 << n_free {
            let index = (code << n_free | behind) as usize;
            if let Some(look) = self.looks.get_mut(index) {
                *look = found(self.class, symbol, length, behind, n_free);
            }
        }
    }

    /// Finds the next code with its number and steps over both. At least 32 bits must be ready.
    #[inline(always)]
    pub(super) fn next(&self, bits: &mut Bits<'_>) -> Option<(u32, i32)> {
        let found = self.looks[bits.peek::<LOOK>()];
        if found.lead() == 0 {
            return self.next_long(found, bits);
        }
        bits.consume(found.n_bits());
        Some((found.lead(), found.number()))
    }

    /// Steps over coefficients from number `at` on; answers with the number of the last one. At least 32 bits must be ready.
    #[inline(always)]
    pub(super) fn skip(&self, bits: &mut Bits<'_>, at: u32) -> Option<u32> {
        let stride = self.strides[bits.peek::<LOOK>()];
        let last = at + u32::from(stride.lead) + u32::from(stride.is_end);
        // What lies beyond the last coefficient of a block belongs to the next one.
        if stride.n_bits == 0 || 63 < last {
            return Some(at + self.next(bits)?.0);
        }
        bits.consume(stride.n_bits.into());
        Some(if stride.is_end { Found::END } else { last })
    }

    /// `found` as a look gave it.
    #[inline(never)]
    fn next_long(&self, found: Found, bits: &mut Bits<'_>) -> Option<(u32, i32)> {
        let symbol = if found.n_bits() == 0 {
            let code = bits.peek::<16>() as u32;
            let length = (LOOK as usize..17).find(|&length| code < self.limits[length])?;
            let index = (code >> (16 - length)) as i32 + self.offsets[length];
            bits.consume(length as u32);
            *self.symbols.get(usize::try_from(index).ok()?)?
        } else {
            bits.consume(found.n_bits());
            found.number() as u8
        };
        let (lead, size) = lead_and_size(self.class, symbol)?;
        Some((lead, if size == 0 { 0 } else { bits.signed(size) }))
    }
}

/// What a symbol of `length` bits means whose first `n_free` bits of the number are `behind`.
fn found(class: Class, symbol: u8, length: u32, behind: u32, n_free: u32) -> Found {
    match lead_and_size(class, symbol) {
        Some((lead, 0)) => Found::new(length, lead, 0),
        Some((lead, size)) if size <= n_free => {
            let number = extend((behind >> (n_free - size)) as i32, size);
            Found::new(length + size, lead, number)
        }
        _ => Found::new(length, 0, symbol.into()),
    }
}

/// Coefficients to step on, and bits of the number behind; `None` if no intact stream has the symbol.
fn lead_and_size(class: Class, symbol: u8) -> Option<(u32, u32)> {
    let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
    match class {
        Class::Dc => (symbol < 12).then_some((1, size)),
        Class::Ac if size == 0 && run < 15 => Some((Found::END, 0)),
        Class::Ac => Some((run + 1, size)),
    }
}

/// Tables that a thread keeps: the tiles of a slide nearly always share theirs.
const N_KEPT: usize = 8;

type Kept = (Class, Vec<u8>, Rc<Huffman>);

thread_local! {
    static KEPT: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
}

/// The table of `definition`, the counts and symbols as a stream has them.
pub(super) fn table(class: Class, definition: &[u8]) -> Option<Rc<Huffman>> {
    KEPT.with_borrow_mut(|kept| {
        if let Some(known) = kept.iter().find(|it| it.0 == class && it.1 == definition) {
            return Some(Rc::clone(&known.2));
        }
        let (counts, symbols) = definition.split_first_chunk()?;
        let table = Rc::new(Huffman::new(class, counts, symbols)?);
        kept.truncate(N_KEPT - 1);
        kept.insert(0, (class, definition.to_vec(), Rc::clone(&table)));
        Some(table)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::jpeg::baseline::bits::Intervals;

    fn bits_of(stored: &[u8]) -> Intervals {
        Intervals::split(&[stored, &[0xFF, 0xD9]].concat()).unwrap()
    }

    /// One code of a bit, one of two, one of 16.
    fn skewed(class: Class, symbols: [u8; 3]) -> Huffman {
        let mut counts = [0; 16];
        (counts[0], counts[1], counts[15]) = (1, 1, 1);
        Huffman::new(class, &counts, &symbols).unwrap()
    }

    #[test]
    fn codes_of_any_length_are_found_with_their_numbers() {
        // End of block; a run of one and a number of two bits; a run of none and a number of ten bits.
        let table = skewed(Class::Ac, [0x00, 0x12, 0x0A]);
        // 10 01 | 11000000 00000000 1000000001 | 0
        let stored = [0b1001_1100, 0, 0b0000_1000, 0b0000_0100];
        let intervals = bits_of(&stored);
        let mut bits = intervals.readers().next().unwrap();
        let mut next = || {
            bits.refill();
            table.next(&mut bits)
        };
        assert_eq!(next(), Some((2, -2)));
        assert_eq!(next(), Some((1, 513)));
        assert_eq!(next(), Some((Found::END, 0)));
    }

    #[test]
    fn a_code_that_the_table_lacks_is_no_symbol() {
        let table = skewed(Class::Dc, [0, 1, 2]);
        let intervals = bits_of(&[0b1111_1110, 0, 0]);
        let mut bits = intervals.readers().next().unwrap();
        bits.refill();
        assert_eq!(table.next(&mut bits), None);
    }

    #[test]
    fn more_codes_than_fit_are_refused() {
        let mut counts = [0; 16];
        counts[1] = 5;
        assert!(Huffman::new(Class::Dc, &counts, &[0, 1, 2, 3, 4]).is_none());
        assert!(Huffman::new(Class::Dc, &counts, &[0]).is_none());
        assert!(Huffman::new(Class::Dc, &counts, &[0; 300]).is_none());
    }

    #[test]
    fn a_table_is_built_once() {
        let mut definition = vec![0; 16];
        definition[1] = 2;
        definition.extend([3, 4]);
        let first = table(Class::Dc, &definition).unwrap();
        assert!(Rc::ptr_eq(&first, &table(Class::Dc, &definition).unwrap()));
        assert!(!Rc::ptr_eq(&first, &table(Class::Ac, &definition).unwrap()));
    }
}
