//! Conversions between the integers of files and the lengths of slices.

/// A file's number as a length; saturates where the machine's addresses are too short.
pub(crate) fn to_usize(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or(usize::MAX)
}

/// A number that a check has already bounded to 32 bits; saturates otherwise.
pub(crate) fn to_u32(number: impl TryInto<u32>) -> u32 {
    number.try_into().unwrap_or(u32::MAX)
}

/// The nearest whole number; saturates, and is 0 for what is no number.
#[expect(clippy::cast_possible_truncation, reason = "casts from floating point saturate")]
pub(crate) fn nearest(value: f64) -> i64 {
    value.round() as i64
}
