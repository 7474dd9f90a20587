//! XML text: escapes, numbers, and the comment that says where a file comes from.

use serde_json::{Map, Value};

use super::heatmap_tiff::ascii;
use super::sheet::rounded;

/// The word that begins the comment.
pub(crate) const ORIGIN: &str = "Slidelight ";

/// Head of a file with its origin as a comment: readers of annotations keep no elements that they do not know, and
/// none is irritated by a comment.
pub(super) fn head(origin: Map<String, Value>) -> String {
    // Two hyphens would end the comment; a JSON string can say one of them otherwise.
    let origin = ascii(&Value::Object(origin).to_string()).replace("--", "-\\u002d");
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- {ORIGIN}{origin} -->\n")
}

/// Text between the quotes of an attribute; what XML cannot say becomes a replacement character.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' => escaped.push_str("&#9;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\0'..'\u{20}' | '\u{FFFE}' | '\u{FFFF}' => escaped.push('\u{FFFD}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A coordinate, to a thousandth.
pub(super) fn number(value: f64) -> String {
    rounded(value).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use roxmltree::Document;

    #[test]
    fn any_name_comes_back_from_an_attribute() {
        let name = "a<b> \"c\" & 'd'\n腺癌 --> 🔬";
        let xml = format!("<a b=\"{}\"/>", escaped(name));
        assert_eq!(Document::parse(&xml).unwrap().root_element().attribute("b"), Some(name));
        assert!(Document::parse(&format!("<a b=\"{}\"/>", escaped("\0\u{1}\u{FFFF}"))).is_ok());
    }

    #[test]
    fn an_origin_with_hyphens_stays_one_comment() {
        let origin = Map::from_iter([("model".to_owned(), Value::from("a--b---> ü"))]);
        let xml = format!("{}<a/>", head(origin.clone()));
        let document = Document::parse(&xml).unwrap();
        let comment = document.root().first_child().unwrap().text().unwrap();
        let json = comment.trim().strip_prefix(ORIGIN).unwrap();
        assert_eq!(serde_json::from_str::<Map<String, Value>>(json).unwrap(), origin);
    }
}
