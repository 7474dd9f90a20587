//! Annotations as Aperio's `ImageScope` has them: a layer per class, a region per ring.
//!
//! There is no published schema; this is what its readers agree on. A hole is a region of its own with
//! `NegativeROA="1"` behind its lesion, or bridged. Regions close by themselves. Lines are left out: what a region's type for them
//! is, nobody states.

use domain::annotation::AnnotationClass;
use domain::contour::Ring;
use domain::coords::Level0Px;
use domain::scale::Mpp;

use super::ExportFormat;
use super::holes::Outlines;
use super::sheet::{AnnotationSheet, Entry, rounded};
use super::xml::{escaped, head, number};
use crate::ring;

pub(super) fn encode(sheet: &AnnotationSheet<'_>, entries: &[Entry<'_>]) -> Vec<u8> {
    let mut file = File {
        xml: head(sheet.origin(ExportFormat::ImageScopeXml)),
        corner: sheet.frame.origin(ExportFormat::ImageScopeXml, &sheet.slide),
        mpp: sheet.slide.mpp,
        n_regions: 0,
    };
    let outlines = Outlines::of(entries);
    let scale =
        sheet.slide.mpp.map_or(String::new(), |mpp| format!(" MicronsPerPixel=\"{}\"", mpp.mean()));
    file.line(&format!("<Annotations{scale}>"));
    for (index, class) in AnnotationSheet::classes(entries).into_iter().enumerate() {
        file.layer(index + 1, class, entries, &outlines);
    }
    file.line("</Annotations>");
    file.xml.into_bytes()
}

/// Blue in the highest byte, red in the lowest.
pub(crate) fn line_color([red, green, blue]: [u8; 3]) -> u32 {
    u32::from_le_bytes([red, green, blue, 0])
}

struct File {
    xml: String,
    corner: Level0Px,
    mpp: Option<Mpp>,
    n_regions: usize,
}

impl File {
    fn line(&mut self, text: &str) {
        self.xml.push_str(text);
        self.xml.push('\n');
    }

    fn layer<'a>(
        &mut self,
        id: usize,
        class: &AnnotationClass,
        entries: &[Entry<'a>],
        outlines: &Outlines<'a>,
    ) {
        let (name, color) = (escaped(&class.name), line_color(class.color));
        self.line(&format!(
            " <Annotation Id=\"{id}\" Name=\"{name}\" ReadOnly=\"0\" NameReadOnly=\"0\" LineColorReadOnly=\"0\" \
             Incremental=\"0\" Type=\"4\" LineColor=\"{color}\" Visible=\"1\" Selected=\"0\" MarkupImagePath=\"\" \
             MacroName=\"\">"
        ));
        self.line("  <Attributes/>\n  <Regions>\n   <RegionAttributeHeaders/>");
        for entry in entries.iter().filter(|entry| entry.annotation.class.name == class.name) {
            for part in entry.parts {
                let (outer, holes) = outlines.rings(part);
                self.region(entry, &outer, false);
                holes.into_iter().for_each(|hole| self.region(entry, hole, true));
            }
        }
        self.line("  </Regions>\n  <Plots/>\n </Annotation>");
    }

    fn region(&mut self, entry: &Entry<'_>, points: &Ring, is_hole: bool) {
        self.n_regions += 1;
        let (id, text) = (self.n_regions, escaped(&entry.annotation.name));
        let (length, area) = (ring::perimeter(points), ring::signed_area(points).abs());
        let metric = self.mpp.map_or(String::new(), |mpp| {
            let (length, area) = (length * mpp.mean(), area * mpp.pixel_area_um2());
            format!(" LengthMicrons=\"{}\" AreaMicrons=\"{}\"", rounded(length), rounded(area))
        });
        let (length, area, hole) = (rounded(length), rounded(area), u8::from(is_hole));
        self.line(&format!(
            "   <Region Id=\"{id}\" Type=\"0\" Zoom=\"1\" Selected=\"0\" ImageLocation=\"\" ImageFocus=\"-1\" \
             Length=\"{length}\" Area=\"{area}\"{metric} Text=\"{text}\" NegativeROA=\"{hole}\" InputRegionId=\"0\" \
             Analyze=\"1\" DisplayId=\"{id}\">\n    <Attributes/>\n    <Vertices>"
        ));
        for point in points {
            let (x, y) = (number(point.x - self.corner.x), number(point.y - self.corner.y));
            self.line(&format!("     <Vertex X=\"{x}\" Y=\"{y}\" Z=\"0\"/>"));
        }
        self.line("    </Vertices>\n   </Region>");
    }
}
