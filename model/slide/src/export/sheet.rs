//! The annotations of a slide as every writer takes them, and what is measured of them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use domain::RESEARCH_USE_ONLY;
use domain::annotation::{Annotation, AnnotationClass, AnnotationId, Shape, Source, Verdict};
use domain::contour::{Lesion, Polygon, lesions};
use domain::coords::{Level0Px, Level0Rect};
use domain::heatmap::Heatmap;
use domain::mask::mask_raster;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::raster::{self, Grid, Span};
use super::{ExportFormat, ExportRequest, FrameChoice, SOFTWARE, SlideFacts, frame};
use crate::ring;

/// What is written about a slide's annotations.
#[derive(Clone, Debug)]
pub struct AnnotationSheet<'a> {
    /// The slide they lie on.
    pub slide: SlideFacts,
    /// In level-0 pixels; those that were rejected are left out of files.
    pub annotations: Cow<'a, [Annotation]>,
    /// Where coordinates of outlines are counted from.
    pub frame: FrameChoice,
    /// The map that they were cut from, whose mean inside is stated and whose raster is used for pixels.
    pub heatmap: Option<&'a Heatmap>,
    /// What made them, by name: model, weights hash, *t*.
    pub provenance: BTreeMap<String, String>,
}

/// An annotation that is written, and its figures.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) annotation: &'a Annotation,
    /// Empty for a line.
    pub(super) parts: &'a [Polygon],
    /// Level-0 pixels; 0 for a line.
    pub(super) area_px: f64,
    /// Of a line.
    pub(super) length_px: Option<f64>,
    /// The middle of the line's points for a line.
    pub(super) centroid: Level0Px,
    pub(super) bounds: Level0Rect,
    /// Mean of the heatmap inside.
    pub(super) mean: Option<f64>,
}

impl<'a> AnnotationSheet<'a> {
    /// Annotations that no model has anything to do with.
    pub fn new(slide: SlideFacts, annotations: &'a [Annotation]) -> Self {
        Self {
            slide,
            annotations: Cow::Borrowed(annotations),
            frame: FrameChoice::default(),
            heatmap: None,
            provenance: BTreeMap::new(),
        }
    }

    /// What a person kept on the slide, else the lesions of the map at its *t*.
    pub(super) fn of(request: &'a ExportRequest<'_>) -> Self {
        let annotations = match request.annotations {
            Some(kept) => Cow::Borrowed(kept),
            None => Cow::Owned(cut(request)),
        };
        let mut provenance = request.provenance.clone();
        provenance.insert("model".to_owned(), request.model.to_owned());
        provenance.insert("t".to_owned(), frame::plain_number(request.threshold.get()).to_string());
        Self {
            slide: request.slide.clone(),
            annotations,
            frame: request.frame,
            heatmap: Some(request.heatmap),
            provenance,
        }
    }

    /// What is written, measured, in order.
    pub(super) fn entries(&self) -> Vec<Entry<'_>> {
        let field = self.heatmap.map(Field::new);
        let kept = self.annotations.iter().filter(|it| it.verdict != Verdict::Rejected);
        kept.filter_map(|annotation| Entry::new(annotation, field.as_ref())).collect()
    }

    /// The classes of what is written, in the order in which they first appear.
    pub(super) fn classes(entries: &[Entry<'a>]) -> Vec<&'a AnnotationClass> {
        let mut classes: Vec<&AnnotationClass> = Vec::new();
        for entry in entries {
            if !classes.iter().any(|known| known.name == entry.annotation.class.name) {
                classes.push(&entry.annotation.class);
            }
        }
        classes
    }

    /// The raster for pixels: the mask's where everything lies in it, else one of the whole slide.
    pub(super) fn grid(&self, entries: &[Entry<'_>]) -> Grid {
        let inside = |outer: Level0Rect, it: &Level0Rect| {
            outer.x <= it.x
                && outer.y <= it.y
                && it.x + it.width <= outer.x + outer.width
                && it.y + it.height <= outer.y + outer.height
        };
        let mapped = self.heatmap.map(Heatmap::frame);
        let frame = mapped
            .filter(|frame| {
                entries.iter().all(|it| it.parts.is_empty() || inside(*frame, &it.bounds))
            })
            .unwrap_or_else(|| Level0Rect::of_size(self.slide.size));
        Grid { size: mask_raster(frame), frame }
    }

    /// Where the file comes from and what its coordinates mean.
    pub(super) fn origin(&self, format: ExportFormat) -> Map<String, Value> {
        let Level0Px { x, y } = self.frame.origin(format, &self.slide);
        let bounds = self
            .slide
            .bounds
            .map(|it| json!({ "x": it.x, "y": it.y, "width": it.width, "height": it.height }));
        let entries = [
            ("software", Value::from(SOFTWARE)),
            ("research_use", Value::from(RESEARCH_USE_ONLY)),
            ("slide", frame::slide(&self.slide)),
            ("frame", json!({ "x": x, "y": y })),
            ("bounds", bounds.unwrap_or_default()),
            ("provenance", json!(self.provenance)),
        ];
        entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl<'a> Entry<'a> {
    /// `None` for a shape without a point.
    fn new(annotation: &'a Annotation, field: Option<&Field>) -> Option<Self> {
        let bounds = annotation.shape.bounds()?;
        let (parts, length_px) = match &annotation.shape {
            Shape::Area(parts) => (parts.as_slice(), None),
            Shape::Line(points) => ([].as_slice(), Some(ring::length(points))),
        };
        Some(Self {
            annotation,
            parts,
            area_px: annotation.shape.area_level0_px(),
            length_px,
            centroid: ring::centroid(parts).unwrap_or_else(|| bounds.center()),
            bounds,
            mean: field.and_then(|field| field.mean(parts)),
        })
    }
}

/// A heatmap on its mask's raster.
struct Field {
    grid: Grid,
    values: Vec<f32>,
}

impl Field {
    fn new(heatmap: &Heatmap) -> Self {
        let size = mask_raster(heatmap.frame());
        Self { grid: Grid { size, frame: heatmap.frame() }, values: heatmap.resampled(size) }
    }

    /// `None` where an outline encloses no pixel.
    #[expect(clippy::cast_precision_loss, reason = "pixel counts are far below 2^53")]
    fn mean(&self, parts: &[Polygon]) -> Option<f64> {
        let spans = self.grid.spans(parts);
        let n = raster::count(&spans);
        let sum: f64 = spans.iter().map(|span| self.sum(*span)).sum();
        (0 < n).then(|| sum / n as f64)
    }

    fn sum(&self, Span { row, start, end }: Span) -> f64 {
        let row = u64::from(row) * u64::from(self.grid.size.width);
        let place = |column: u32| usize::try_from(row + u64::from(column)).unwrap_or(usize::MAX);
        let values = self.values.get(place(start)..place(end)).unwrap_or_default();
        values.iter().copied().map(f64::from).sum()
    }
}

/// The lesions of the map at its *t* as proposals.
fn cut(request: &ExportRequest<'_>) -> Vec<Annotation> {
    let found = lesions(request.heatmap, request.threshold, 0.0);
    let layer = request.provenance.get("layer").map_or("Heatmap", String::as_str);
    let class = AnnotationClass::first_ones().into_iter().next();
    let class = class.unwrap_or(AnnotationClass { name: "Lesion".to_owned(), color: [213, 94, 0] });
    let proposal = |(index, lesion): (usize, Lesion)| Annotation {
        id: id(request, &lesion.outline),
        name: format!("Lesion {}", index + 1),
        class: class.clone(),
        verdict: Verdict::Proposed,
        comment: String::new(),
        shape: Shape::Area(vec![lesion.outline]),
        source: Source::Model {
            model: request.model.to_owned(),
            layer: layer.to_owned(),
            threshold: request.threshold,
        },
        score: Some(lesion.max),
    };
    found.into_iter().enumerate().map(proposal).collect()
}

/// The same lesion of the same slide, model and *t* has the same id, so that reading a file twice
/// replaces instead of doubling. In the shape of a random UUID, which every reader accepts.
fn id(request: &ExportRequest<'_>, outline: &Polygon) -> AnnotationId {
    let mut hash = Sha256::new();
    for part in [&request.slide.id.to_string(), request.model] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    for point in std::iter::once(&outline.outer).chain(&outline.holes).flatten() {
        hash.update(point.x.to_le_bytes());
        hash.update(point.y.to_le_bytes());
    }
    hash.update(request.threshold.get().to_le_bytes());
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.finalize()).for_each(|(byte, hashed)| *byte = hashed);
    AnnotationId(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

/// To a thousandth of a pixel: finer than any outline, coarser than the distance rings keep.
pub(super) fn rounded(value: f64) -> f64 {
    let rounded = (value * 1e3).round() / 1e3;
    if rounded == 0.0 { 0.0 } else { rounded }
}
