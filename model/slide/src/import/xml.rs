//! What the two XML formats have in common.

use domain::coords::Level0Px;
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::Value;

use super::{AnnotationFile, AnnotationFormat, ImportError, asap_xml, imagescope_xml};
use crate::export::xml::ORIGIN;

/// A point is a node, and so is the white space behind it.
const NODES_MAX: u32 = 12_000_000;

/// Reads what the root element says that the file is.
pub(super) fn read(text: &str) -> Result<AnnotationFile, ImportError> {
    // Entities could multiply a small file; neither format declares any.
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..Default::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| {
        ImportError::Malformed { format: "annotation XML", problem: error.to_string() }
    })?;
    let stated_origin = stated_origin(&document);
    let root = document.root_element();
    let (format, read) = match root.tag_name().name() {
        "ASAP_Annotations" => (AnnotationFormat::AsapXml, asap_xml::read(root)?),
        "Annotations" => (AnnotationFormat::ImageScopeXml, imagescope_xml::read(root)?),
        _ => return Err(ImportError::Unknown),
    };
    let (annotations, notes) = read.finish();
    Ok(AnnotationFile { format, stated_origin, notes, annotations })
}

/// As this program writes it, in a comment before everything else.
fn stated_origin(document: &Document<'_>) -> Option<Level0Px> {
    let comments = document.root().children().filter(Node::is_comment);
    let json = comments.filter_map(|it| it.text()?.trim().strip_prefix(ORIGIN)).next()?;
    let origin: Value = serde_json::from_str(json).ok()?;
    let axis = |pointer: &str| origin.pointer(pointer)?.as_f64();
    Some(Level0Px { x: axis("/frame/x")?, y: axis("/frame/y")? })
}

/// The elements of a name directly below a node.
pub(super) fn elements<'a, 'i>(
    node: Node<'a, 'i>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |it| it.has_tag_name(name))
}

/// A number in an attribute; NaN, which no check lets pass, where there is none.
pub(super) fn number(node: Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).and_then(|text| text.trim().parse().ok()).unwrap_or(f64::NAN)
}
