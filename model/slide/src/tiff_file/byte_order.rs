//! Integers of either byte order out of raw bytes.

/// How a file lays out its integers: `II` or `MM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl ByteOrder {
    /// The first two bytes.
    pub(crate) fn u16(self, bytes: &[u8]) -> Option<u16> {
        let bytes = *bytes.first_chunk()?;
        Some(match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        })
    }

    /// The first four bytes.
    pub(crate) fn u32(self, bytes: &[u8]) -> Option<u32> {
        let bytes = *bytes.first_chunk()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        })
    }

    /// The first eight bytes.
    pub(crate) fn u64(self, bytes: &[u8]) -> Option<u64> {
        let bytes = *bytes.first_chunk()?;
        Some(match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        })
    }

    /// An unsigned integer of `bytes.len()` = 1, 2, 4 or 8 bytes.
    pub(crate) fn unsigned(self, bytes: &[u8]) -> Option<u64> {
        match bytes.len() {
            1 => bytes.first().map(|&byte| u64::from(byte)),
            2 => self.u16(bytes).map(u64::from),
            4 => self.u32(bytes).map(u64::from),
            8 => self.u64(bytes),
            _ => None,
        }
    }
}
