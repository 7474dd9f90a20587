//! Words and numbers as scanners write them.

use roxmltree::{Document, ParsingOptions};

use crate::SlideError;

/// Far more than any slide description has: the longest list a few thousand tiles.
const MAX_XML_NODES: u32 = 1 << 20;

/// A number written with a decimal point or, by scanners with European settings, a comma.
pub(super) fn decimal(text: &str) -> Option<f64> {
    text.trim().replace(',', ".").parse().ok().filter(|value: &f64| value.is_finite())
}

/// The `key = value` parts of a text, trimmed.
pub(super) fn fields<'a>(
    parts: impl Iterator<Item = &'a str>,
) -> impl Iterator<Item = (String, String)> {
    parts
        .filter_map(|part| part.split_once('='))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .filter(|(key, _)| !key.is_empty())
}

/// An XML description; entities are not expanded.
pub(super) fn parse_xml<'a>(
    format: &'static str,
    text: &'a str,
) -> Result<Document<'a>, SlideError> {
    let options = ParsingOptions { nodes_limit: MAX_XML_NODES, ..ParsingOptions::default() };
    let text = text.trim_start_matches('\u{FEFF}').trim();
    Document::parse_with_options(text, options)
        .map_err(|error| SlideError::malformed(format, format!("its XML description: {error}")))
}

/// Bytes out of base64; `None` if a character is foreign to it. White space is skipped.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut n_bits) = (0_u32, 0);
    for character in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let six = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(six);
        n_bits += 6;
        if 8 <= n_bits {
            n_bits -= 8;
            bytes.push(u8::try_from((bits >> n_bits) & 0xFF).unwrap_or(0));
        }
    }
    Some(bytes)
}

/// A barcode that is base64 inside, as Leica and Philips write it; as it stands if it is none.
pub(super) fn barcode(text: &str) -> String {
    let decoded = base64(text).and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.filter(|it| !it.chars().any(char::is_control)).unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_may_have_a_comma_and_must_be_finite() {
        assert_eq!(decimal(" 0,4990"), Some(0.499));
        assert_eq!(decimal("NaN"), None);
        assert_eq!(decimal(""), None);
    }

    #[test]
    fn base64_of_any_length_comes_back() {
        assert_eq!(base64("U1lOVEg=").unwrap(), b"SYNTH");
        assert_eq!(base64("Zm9v\nYmE=").unwrap(), b"fooba");
        assert_eq!(base64("a*b"), None);
        assert_eq!(barcode("U1lOVEg="), "SYNTH");
        assert_eq!(barcode("not-base64!"), "not-base64!");
    }

    #[test]
    fn xml_bombs_and_towers_are_errors() {
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><x>&b;</x>";
        assert!(parse_xml("test", bomb).is_err());
        let tower = "<a>".repeat(200_000);
        assert!(parse_xml("test", &tower).is_err());
    }
}
