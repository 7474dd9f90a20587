//! ASAP XML: polygons in groups; a group of exclusions holds the holes.

use std::collections::HashMap;

use domain::contour::Ring;
use roxmltree::Node;

use super::assemble::{Assembly, UNCLASSIFIED, Words, class};
use super::xml::{elements, number};
use super::{AnnotationFormat, ImportError};
use crate::export::asap_xml::is_of_holes;

pub(super) fn read(root: Node<'_, '_>) -> Result<Assembly, ImportError> {
    let mut assembly = Assembly::new(AnnotationFormat::AsapXml);
    let groups = elements(root, "AnnotationGroups").flat_map(|it| elements(it, "Group"));
    let colors: HashMap<&str, [u8; 3]> = groups
        .filter_map(|it| Some((it.attribute("Name")?, color(it.attribute("Color")?)?)))
        .collect();
    let mut holes = Vec::new();
    for annotation in elements(root, "Annotations").flat_map(|it| elements(it, "Annotation")) {
        let points = points(annotation, &mut assembly)?;
        let attribute = |name: &str| annotation.attribute(name).unwrap_or_default();
        let group = match attribute("PartOfGroup") {
            "None" => UNCLASSIFIED,
            group => group,
        };
        let own = || color(attribute("Color"));
        let color = colors.get(group).copied().or_else(own);
        let words = Words::new(attribute("Name"), class(group, color));
        match attribute("Type") {
            "Polygon" | "Spline" | "Rectangle" if is_of_holes(group) => holes.push(points),
            "Polygon" | "Spline" | "Rectangle" => assembly.area(words, vec![vec![points]])?,
            "Measurement" => assembly.line(words, points)?,
            "Dot" | "PointSet" => assembly.leave_out_points(),
            _ => assembly.leave_out_shape(),
        }
    }
    assembly.cut_out(0, holes)?;
    Ok(assembly)
}

/// In the order that they state.
fn points(annotation: Node<'_, '_>, assembly: &mut Assembly) -> Result<Ring, ImportError> {
    let coordinates = elements(annotation, "Coordinates").flat_map(|it| elements(it, "Coordinate"));
    let mut points = Vec::new();
    for it in coordinates {
        points.push((number(it, "Order"), assembly.point(number(it, "X"), number(it, "Y"))?));
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(points.into_iter().map(|(_, point)| point).collect())
}

/// `#rrggbb`.
fn color(text: &str) -> Option<[u8; 3]> {
    let packed = u32::from_str_radix(text.strip_prefix('#')?, 16).ok()?;
    let [blue, green, red, _] = packed.to_le_bytes();
    Some([red, green, blue])
}
