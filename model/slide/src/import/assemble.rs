//! From loose rings to annotations: limits, directions, holes.

use std::collections::HashSet;

use domain::annotation::{Annotation, AnnotationClass, AnnotationId, Shape, Source, Verdict};
use domain::contour::{Polygon, Ring};
use domain::coords::{Level0Px, Level0Rect};
use uuid::Uuid;

use super::{AnnotationFormat, ImportError};
use crate::ring;

/// More points are no annotations that a person could look through.
const POINTS_MAX: usize = 5_000_000;
/// As for points.
const ANNOTATIONS_MAX: usize = 200_000;
/// Steps of looking for the outlines around holes.
const HOLE_STEPS_MAX: usize = 2_000_000_000;
/// Coordinates beyond it lie on no slide.
const COORDINATE_MAX: f64 = 1e8;
/// Of classes without a color.
const COLOR: [u8; 3] = [86, 180, 233];
/// The class of what has none.
pub(super) const UNCLASSIFIED: &str = "Unclassified";

/// What has been read so far.
#[derive(Debug)]
pub(super) struct Assembly {
    format: AnnotationFormat,
    annotations: Vec<Annotation>,
    ids: HashSet<Uuid>,
    n_points: usize,
    n_points_left_out: usize,
    n_shapes_left_out: usize,
    n_holes_left_out: usize,
}

/// What an annotation says besides its shape.
#[derive(Clone, Debug)]
pub(super) struct Words {
    pub(super) id: Option<Uuid>,
    pub(super) name: String,
    pub(super) class: AnnotationClass,
    pub(super) verdict: Verdict,
    pub(super) comment: String,
    pub(super) score: Option<f32>,
}

impl Words {
    /// A name and a class.
    pub(super) fn new(name: &str, class: AnnotationClass) -> Self {
        let (verdict, comment) = (Verdict::default(), String::new());
        Self { id: None, name: name.to_owned(), class, verdict, comment, score: None }
    }
}

impl Assembly {
    pub(super) fn new(format: AnnotationFormat) -> Self {
        Self {
            format,
            annotations: Vec::new(),
            ids: HashSet::new(),
            n_points: 0,
            n_points_left_out: 0,
            n_shapes_left_out: 0,
            n_holes_left_out: 0,
        }
    }

    /// A coordinate pair, counted.
    pub(super) fn point(&mut self, x: f64, y: f64) -> Result<Level0Px, ImportError> {
        self.n_points += 1;
        if POINTS_MAX < self.n_points {
            return Err(ImportError::TooMuch { what: "points", limit: POINTS_MAX });
        }
        // Not a number fails it as well.
        if !(x.abs() <= COORDINATE_MAX && y.abs() <= COORDINATE_MAX) {
            return Err(self.malformed(format!("a point at {x}, {y} lies on no slide")));
        }
        Ok(Level0Px { x, y })
    }

    pub(super) fn malformed(&self, problem: String) -> ImportError {
        ImportError::Malformed { format: self.format.title(), problem }
    }

    /// Parts of an area, each an outer ring and its holes; parts without an area are left out.
    pub(super) fn area(&mut self, words: Words, parts: Vec<Vec<Ring>>) -> Result<(), ImportError> {
        let parts: Vec<Polygon> =
            parts.into_iter().filter_map(|rings| self.polygon(rings)).collect();
        if parts.is_empty() {
            return Ok(());
        }
        self.push(words, Shape::Area(parts))
    }

    /// A line; left out if it has no length.
    pub(super) fn line(&mut self, words: Words, mut points: Ring) -> Result<(), ImportError> {
        points.dedup();
        if points.len() < 2 {
            self.n_shapes_left_out += 1;
            return Ok(());
        }
        self.push(words, Shape::Line(points))
    }

    /// Counts a point or a set of points, which are not kept.
    pub(super) fn leave_out_points(&mut self) {
        self.n_points_left_out += 1;
    }

    /// Counts a shape of a kind that is not kept.
    pub(super) fn leave_out_shape(&mut self) {
        self.n_shapes_left_out += 1;
    }

    fn push(&mut self, words: Words, shape: Shape) -> Result<(), ImportError> {
        if ANNOTATIONS_MAX <= self.annotations.len() {
            return Err(ImportError::TooMuch { what: "annotations", limit: ANNOTATIONS_MAX });
        }
        // Two annotations of one name would be one in a journal.
        let free = words.id.filter(|id| self.ids.insert(*id));
        self.annotations.push(Annotation {
            id: AnnotationId(free.unwrap_or_else(Uuid::new_v4)),
            name: words.name,
            class: words.class,
            verdict: words.verdict,
            comment: words.comment,
            shape,
            source: Source::Imported(self.format.title().to_owned()),
            score: words.score.filter(|score| (0.0..=1.0).contains(score)),
        });
        Ok(())
    }

    fn polygon(&mut self, rings: Vec<Ring>) -> Option<Polygon> {
        let mut rings = rings.into_iter();
        let outer = rings.next().and_then(|ring| cleaned(ring, true));
        if outer.is_none() {
            self.n_shapes_left_out += 1;
        }
        let holes: Vec<Option<Ring>> = rings.map(|ring| cleaned(ring, false)).collect();
        self.n_holes_left_out += holes.iter().filter(|hole| hole.is_none()).count();
        Some(Polygon { outer: outer?, holes: holes.into_iter().flatten().collect() })
    }

    /// Cuts each hole out of the smallest area around it, of the annotations from `first` on.
    pub(super) fn cut_out(&mut self, first: usize, holes: Vec<Ring>) -> Result<(), ImportError> {
        if holes.is_empty() {
            return Ok(());
        }
        let mut parts: Vec<Part<'_>> = self
            .annotations
            .iter_mut()
            .skip(first)
            .filter_map(
                |it| if let Shape::Area(parts) = &mut it.shape { Some(parts) } else { None },
            )
            .flatten()
            .filter_map(Part::of)
            .collect();
        parts.sort_by(|a, b| a.area.total_cmp(&b.area));
        let mut steps = 0_usize;
        for hole in holes {
            let placed = cleaned(hole, false).is_some_and(|hole| {
                let Some(around) = parts.iter_mut().find(|it| it.holds(&hole, &mut steps)) else {
                    return false;
                };
                around.polygon.holes.push(hole);
                true
            });
            self.n_holes_left_out += usize::from(!placed);
            if HOLE_STEPS_MAX < steps {
                return Err(ImportError::TooMuch {
                    what: "holes in long outlines",
                    limit: 100_000,
                });
            }
        }
        Ok(())
    }

    /// How many annotations there are.
    pub(super) fn len(&self) -> usize {
        self.annotations.len()
    }

    /// What was read, and what was not.
    pub(super) fn finish(self) -> (Vec<Annotation>, Vec<String>) {
        let counts = [
            (self.n_points_left_out, "points or sets of points were left out"),
            (self.n_shapes_left_out, "shapes of other kinds or without an extent were left out"),
            (self.n_holes_left_out, "holes lie in no lesion and were left out"),
        ];
        let notes = counts.into_iter().filter(|(n, _)| 0 < *n);
        (self.annotations, notes.map(|(n, what)| format!("{n} {what}")).collect())
    }
}

/// An area that may have a hole.
struct Part<'a> {
    polygon: &'a mut Polygon,
    bounds: Level0Rect,
    area: f64,
}

impl<'a> Part<'a> {
    fn of(polygon: &'a mut Polygon) -> Option<Self> {
        let bounds = Level0Rect::around(&polygon.outer)?;
        let area = ring::signed_area(&polygon.outer);
        Some(Self { polygon, bounds, area })
    }

    /// Whether the area lies around a hole; counts the points it looked at.
    fn holds(&self, hole: &Ring, steps: &mut usize) -> bool {
        *steps += 1;
        let Some(inner) = Level0Rect::around(hole) else { return false };
        let outer = self.bounds;
        let may = outer.x <= inner.x
            && outer.y <= inner.y
            && inner.x + inner.width <= outer.x + outer.width
            && inner.y + inner.height <= outer.y + outer.height
            && ring::signed_area(hole).abs() < self.area;
        if !may {
            return false;
        }
        *steps += self.polygon.outer.len() * 3;
        // Rounding may put one point of a hole on the outline: two of three decide.
        let at = |share: usize| hole.get(hole.len() * share / 3).copied().unwrap_or_default();
        let n_inside = (0..3).filter(|share| ring::holds(&self.polygon.outer, at(*share))).count();
        2 <= n_inside
    }
}

/// A ring without repeated points, turned as it must be; `None` if it encloses nothing.
fn cleaned(mut points: Ring, is_outer: bool) -> Option<Ring> {
    points.dedup();
    while 1 < points.len() && points.first() == points.last() {
        points.pop();
    }
    let encloses = 3 <= points.len() && ring::signed_area(&points) != 0.0;
    encloses.then(|| ring::turned(points, is_outer))
}

/// A class by name, in the color of the file, else of the class that a new slide begins with.
pub(super) fn class(name: &str, color: Option<[u8; 3]>) -> AnnotationClass {
    let name = if name.trim().is_empty() { UNCLASSIFIED } else { name };
    let known = || AnnotationClass::first_ones().into_iter().find(|known| known.name == name);
    let color = color.or_else(|| known().map(|known| known.color)).unwrap_or(COLOR);
    AnnotationClass { name: name.to_owned(), color }
}
