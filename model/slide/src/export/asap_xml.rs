//! Annotations as ASAP has them: polygons in groups, a group per class.
//!
//! ASAP drops a file that names a group it does not declare, and takes `Order` for the index of a point. Its polygons
//! have no holes: a hole is a polygon of its own in the group [`HOLES`], or bridged. Rings close by themselves.

use domain::annotation::Shape;
use domain::contour::Ring;
use domain::coords::Level0Px;

use super::ExportFormat;
use super::holes::Outlines;
use super::sheet::{AnnotationSheet, Entry};
use super::xml::{escaped, head, number};

/// The group of holes.
const HOLES: &str = "Exclusion";

/// Drawn for holes, in no color of a class.
const HOLE_COLOR: [u8; 3] = [0, 0, 0];

/// Whether polygons of a group are cut out of others: as written here, and as the CAMELYON16 challenge has it.
pub(crate) fn is_of_holes(group: &str) -> bool {
    let group = group.trim();
    group.eq_ignore_ascii_case(HOLES) || group.eq_ignore_ascii_case("exclusions") || group == "_2"
}

pub(super) fn encode(sheet: &AnnotationSheet<'_>, entries: &[Entry<'_>]) -> Vec<u8> {
    let mut file = File {
        xml: head(sheet.origin(ExportFormat::AsapXml)),
        corner: sheet.frame.origin(ExportFormat::AsapXml, &sheet.slide),
        has_holes: false,
    };
    file.line("<ASAP_Annotations>\n\t<Annotations>");
    let outlines = Outlines::of(entries);
    entries.iter().for_each(|entry| file.entry(entry, &outlines));
    file.line("\t</Annotations>\n\t<AnnotationGroups>");
    for class in AnnotationSheet::classes(entries) {
        file.group(&group_of(&class.name), class.color);
    }
    if file.has_holes {
        file.group(HOLES, HOLE_COLOR);
    }
    file.line("\t</AnnotationGroups>\n</ASAP_Annotations>");
    file.xml.into_bytes()
}

/// A class that is called like the holes is told from them.
fn group_of(class: &str) -> String {
    if is_of_holes(class) { format!("{class} (class)") } else { class.to_owned() }
}

struct File {
    xml: String,
    corner: Level0Px,
    has_holes: bool,
}

impl File {
    fn line(&mut self, text: &str) {
        self.xml.push_str(text);
        self.xml.push('\n');
    }

    fn entry<'a>(&mut self, entry: &Entry<'a>, outlines: &Outlines<'a>) {
        let annotation = entry.annotation;
        let (group, color) = (group_of(&annotation.class.name), annotation.class.color);
        match &annotation.shape {
            Shape::Area(parts) => {
                for part in parts {
                    let (outer, holes) = outlines.rings(part);
                    self.shape(&annotation.name, "Polygon", (&group, color), &outer);
                    for hole in holes {
                        self.has_holes = true;
                        let name = format!("{} hole", annotation.name);
                        self.shape(&name, "Polygon", (HOLES, HOLE_COLOR), hole);
                    }
                }
            }
            // A measurement is a line between two points.
            Shape::Line(points) => {
                for (from, to) in points.iter().zip(points.iter().skip(1)) {
                    let step = vec![*from, *to];
                    self.shape(&annotation.name, "Measurement", (&group, color), &step);
                }
            }
        }
    }

    fn shape(&mut self, name: &str, kind: &str, (group, color): (&str, [u8; 3]), points: &Ring) {
        let (name, group, color) = (escaped(name), escaped(group), hex(color));
        self.line(&format!(
            "\t\t<Annotation Name=\"{name}\" Type=\"{kind}\" PartOfGroup=\"{group}\" Color=\"{color}\">"
        ));
        self.line("\t\t\t<Coordinates>");
        for (order, point) in points.iter().enumerate() {
            let (x, y) = (number(point.x - self.corner.x), number(point.y - self.corner.y));
            let point = format!("\t\t\t\t<Coordinate Order=\"{order}\" X=\"{x}\" Y=\"{y}\" />");
            self.line(&point);
        }
        self.line("\t\t\t</Coordinates>\n\t\t</Annotation>");
    }

    fn group(&mut self, name: &str, color: [u8; 3]) {
        let (name, color) = (escaped(name), hex(color));
        self.line(&format!(
            "\t\t<Group Name=\"{name}\" PartOfGroup=\"None\" Color=\"{color}\">\n\t\t\t<Attributes />\n\t\t</Group>"
        ));
    }
}

fn hex([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}
