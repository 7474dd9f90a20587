//! Aperio `ImageScope` XML: a layer per class, a region per ring, negative regions for holes.

use domain::contour::Ring;
use roxmltree::Node;

use super::assemble::{Assembly, Words, class};
use super::xml::{elements, number};
use super::{AnnotationFormat, ImportError};

/// Region types that are rings of vertices: freehand and rectangle.
const RINGS: [&str; 2] = ["0", "1"];

pub(super) fn read(root: Node<'_, '_>) -> Result<Assembly, ImportError> {
    let mut assembly = Assembly::new(AnnotationFormat::ImageScopeXml);
    for layer in elements(root, "Annotation") {
        let first = assembly.len();
        let mut holes = Vec::new();
        let class = class(layer.attribute("Name").unwrap_or_default(), color(layer));
        for region in elements(layer, "Regions").flat_map(|it| elements(it, "Region")) {
            let points = points(region, &mut assembly)?;
            let attribute = |name: &str| region.attribute(name).unwrap_or_default();
            if !RINGS.contains(&attribute("Type")) {
                assembly.leave_out_shape();
            } else if attribute("NegativeROA") == "1" {
                holes.push(points);
            } else {
                let words = Words::new(attribute("Text"), class.clone());
                assembly.area(words, vec![vec![points]])?;
            }
        }
        assembly.cut_out(first, holes)?;
    }
    Ok(assembly)
}

fn points(region: Node<'_, '_>, assembly: &mut Assembly) -> Result<Ring, ImportError> {
    let vertices = elements(region, "Vertices").flat_map(|it| elements(it, "Vertex"));
    vertices.map(|it| assembly.point(number(it, "X"), number(it, "Y"))).collect()
}

/// Red in the lowest byte.
fn color(layer: Node<'_, '_>) -> Option<[u8; 3]> {
    let [red, green, blue, _] = layer.attribute("LineColor")?.parse::<u32>().ok()?.to_le_bytes();
    Some([red, green, blue])
}
