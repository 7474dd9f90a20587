//! `Slidedat.ini`: sections of `KEY = value`.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::SlideError;

/// Sections by name.
#[derive(Debug)]
pub(crate) struct Ini {
    sections: BTreeMap<String, BTreeMap<String, String>>,
}

/// One section, which names itself in errors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section<'a> {
    name: &'a str,
    values: &'a BTreeMap<String, String>,
}

impl Ini {
    /// UTF-8 with or without a mark at its start; Latin-1 if it is not UTF-8.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().copied().map(char::from).collect(),
        };
        let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let mut current = String::new();
        for line in text.lines().map(str::trim) {
            let name = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            if let Some(name) = name {
                name.trim().clone_into(&mut current);
            } else if let Some((key, value)) = line.split_once('=') {
                let section = sections.entry(current.clone()).or_default();
                section.insert(key.trim().to_owned(), value.trim().to_owned());
            }
        }
        Self { sections }
    }

    /// The section of that name.
    pub(crate) fn section<'a>(&'a self, name: &'a str) -> Result<Section<'a>, SlideError> {
        let values = self.sections.get(name).ok_or_else(|| {
            SlideError::malformed("MIRAX", format!("Slidedat.ini lacks the section {name}"))
        })?;
        Ok(Section { name, values })
    }

    /// Everything, as `mirax.SECTION.KEY`.
    pub(crate) fn properties(&self) -> BTreeMap<String, String> {
        let entries = self.sections.iter().flat_map(|(name, values)| {
            values.iter().map(move |(key, value)| (format!("mirax.{name}.{key}"), value.clone()))
        });
        entries.collect()
    }
}

impl<'a> Section<'a> {
    /// A value, if it is there.
    pub(crate) fn get(&self, key: &str) -> Option<&'a str> {
        self.values.get(key).map(String::as_str)
    }

    /// A value that must be there.
    pub(crate) fn required(&self, key: &str) -> Result<&'a str, SlideError> {
        self.get(key).ok_or_else(|| self.problem(key, "is missing"))
    }

    /// A value that must be there and be a number of its kind.
    pub(crate) fn number<T: FromStr>(&self, key: &str) -> Result<T, SlideError> {
        let text = self.required(key)?;
        text.parse().map_err(|_not_a_number| self.problem(key, &format!("is {text:?}, no number")))
    }

    fn problem(&self, key: &str, what: &str) -> SlideError {
        SlideError::malformed("MIRAX", format!("{key} of [{}] {what}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_spaces_and_foreign_letters_are_taken() {
        let ini = Ini::parse(b"\xEF\xBB\xBF[A]\r\nX = 3\r\n\r\n[B]\nNAME=M\xFCller = 1\n");
        assert_eq!(ini.section("A").unwrap().number::<u32>("X").unwrap(), 3);
        assert_eq!(ini.section("B").unwrap().get("NAME"), Some("M\u{fc}ller = 1"));
        assert_eq!(ini.properties()["mirax.A.X"], "3");
    }

    #[test]
    fn what_is_missing_is_named() {
        let ini = Ini::parse(b"[A]\nX = many\n");
        let section = ini.section("A").unwrap();
        assert!(section.number::<u32>("X").unwrap_err().to_string().contains("X of [A]"));
        assert!(section.required("Y").unwrap_err().to_string().contains("Y of [A]"));
        assert!(ini.section("GENERAL").unwrap_err().to_string().contains("GENERAL"));
    }
}
