//! Conversions between the integers of files and the lengths of slices.

/// A file's number as a length; saturates where the machine's addresses are too short.
pub(crate) fn to_usize(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or(usize::MAX)
}

/// A number that a check has already bounded to 32 bits; saturates otherwise.
pub(crate) fn to_u32(number: impl TryInto<u32>) -> u32 {
    number.try_into().unwrap_or(u32::MAX)
}
