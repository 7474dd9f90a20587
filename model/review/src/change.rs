//! What tools do to annotations, as edits of one step. Reads, never writes: the caller takes the step.

use domain::annotation::{Annotation, AnnotationClass, AnnotationId, Shape, Source, Verdict};
use domain::contour::{Lesion, Polygon, Ring};
use domain::mask::BinaryThreshold;
use uuid::Uuid;

use crate::Edit;
use crate::outline;

/// How far outlines are made simpler than they were drawn or traced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detail {
    /// Smaller parts are left out, in square level-0 pixels.
    pub min_area_px: f64,
    /// Corners this near to the outline without them are dropped, in level-0 pixels; so are holes that
    /// such an outline cannot tell from a point.
    pub tolerance_px: f64,
}

impl Detail {
    fn of(self, area: &[Polygon]) -> Vec<Polygon> {
        let simpler = outline::simplified(area, self.tolerance_px);
        outline::without_specks(simpler, self.min_area_px, (2.0 * self.tolerance_px).powi(2))
    }
}

/// A name that no annotation bears yet.
pub fn fresh_id() -> AnnotationId {
    AnnotationId(Uuid::new_v4())
}

/// An annotation that a hand drew.
pub fn drawn(shape: Shape, class: AnnotationClass) -> Annotation {
    Annotation {
        id: fresh_id(),
        name: String::new(),
        class,
        verdict: Verdict::Accepted,
        comment: String::new(),
        shape,
        source: Source::Drawn,
        score: None,
    }
}

/// What a model found in a layer at *t*, as proposals: the most certain first, of equal ones the largest.
pub fn proposals(
    lesions: &[Lesion],
    class: &AnnotationClass,
    origin: (&str, &str, BinaryThreshold),
    detail: Detail,
) -> Vec<Edit> {
    let (model, layer, threshold) = origin;
    let mut proposed: Vec<Annotation> = Vec::new();
    for lesion in lesions {
        let parts = detail.of(std::slice::from_ref(&lesion.outline));
        if parts.is_empty() {
            continue;
        }
        proposed.push(Annotation {
            verdict: Verdict::Proposed,
            source: Source::Model { model: model.to_owned(), layer: layer.to_owned(), threshold },
            score: Some(lesion.max),
            ..drawn(Shape::Area(parts), class.clone())
        });
    }
    let size = |it: &Annotation| it.shape.area_level0_px();
    proposed.sort_by(|a, b| {
        let by_score = b.score.unwrap_or(0.0).total_cmp(&a.score.unwrap_or(0.0));
        by_score.then(size(b).total_cmp(&size(a)))
    });
    proposed.into_iter().map(Edit::add).collect()
}

/// Adds what a brush covered to `target`, or as an annotation of its own.
pub fn paint(
    target: Option<&Annotation>,
    covered: &[Polygon],
    class: &AnnotationClass,
    detail: Detail,
) -> Vec<Edit> {
    let before = target.map_or(&[][..], |it| outline::parts(&it.shape));
    if outline::difference(covered, before).is_empty() {
        return Vec::new();
    }
    let shape = Shape::Area(detail.of(&outline::union(before, covered)));
    match target {
        _ if outline::parts(&shape).is_empty() => Vec::new(),
        Some(it) => vec![Edit::SetShape(it.id, shape)],
        None => vec![Edit::add(drawn(shape, class.clone()))],
    }
}

/// Takes what a brush covered from every target; those of which nothing is left are deleted.
pub fn erase<'a>(
    targets: impl IntoIterator<Item = &'a Annotation>,
    covered: &[Polygon],
    detail: Detail,
) -> Vec<Edit> {
    let mut edits = Vec::new();
    for it in targets {
        let Shape::Area(before) = &it.shape else { continue };
        if outline::intersection(before, covered).is_empty() {
            continue;
        }
        let parts = detail.of(&outline::difference(before, covered));
        edits.push(match parts.is_empty() {
            true => Edit::Remove(it.id),
            false => Edit::SetShape(it.id, Shape::Area(parts)),
        });
    }
    edits
}

/// Makes one annotation of several: the first keeps its name, class and verdict and the best score.
pub fn merge(targets: &[&Annotation]) -> Vec<Edit> {
    let areas: Vec<_> = targets.iter().filter(|it| matches!(it.shape, Shape::Area(_))).collect();
    let [first, others @ ..] = areas.as_slice() else { return Vec::new() };
    if others.is_empty() {
        return Vec::new();
    }
    let united = areas
        .iter()
        .fold(Vec::new(), |united, it| outline::union(&united, outline::parts(&it.shape)));
    let mut edits: Vec<Edit> = others.iter().map(|it| Edit::Remove(it.id)).collect();
    edits.push(Edit::SetShape(first.id, Shape::Area(united)));
    edits
}

/// Cuts every target along a line: the largest part stays the annotation, the others become new ones.
pub fn split<'a>(targets: impl IntoIterator<Item = &'a Annotation>, line: &Ring) -> Vec<Edit> {
    let mut edits = Vec::new();
    for it in targets {
        let Shape::Area(before) = &it.shape else { continue };
        let mut parts = outline::split(before, line);
        if parts.len() <= before.len() {
            continue;
        }
        parts.sort_by(|a, b| b.area_level0_px().total_cmp(&a.area_level0_px()));
        let mut parts = parts.into_iter().map(|part| Shape::Area(vec![part]));
        edits.extend(parts.next().map(|largest| Edit::SetShape(it.id, largest)));
        edits.extend(
            parts.map(|shape| Edit::add(Annotation { id: fresh_id(), shape, ..it.clone() })),
        );
    }
    edits
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;
    use domain::coords::Level0Px;

    pub(crate) fn square(x: f64, y: f64, side: f64) -> Shape {
        let corner = |right: f64, down: f64| Level0Px { x: x + right, y: y + down };
        let outer =
            vec![corner(0.0, 0.0), corner(side, 0.0), corner(side, side), corner(0.0, side)];
        Shape::Area(vec![Polygon { outer, holes: Vec::new() }])
    }

    pub(crate) fn annotation(shape: Shape) -> Annotation {
        drawn(shape, AnnotationClass::first_ones().remove(0))
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{annotation, square};
    use super::*;
    use domain::coords::{Level0Px, Level0Rect, PixelSize};
    use domain::heatmap::Heatmap;

    const FINE: Detail = Detail { min_area_px: 0.0, tolerance_px: 0.0 };

    fn at(x: f64, y: f64) -> Level0Px {
        Level0Px { x, y }
    }

    #[test]
    fn proposals_come_by_falling_score_and_without_specks() {
        let values = vec![0.0, 0.6, 0.0, 0.9, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let frame = Level0Rect { x: 0.0, y: 0.0, width: 600.0, height: 200.0 };
        let heatmap = Heatmap::new(PixelSize { width: 6, height: 2 }, values, frame).unwrap();
        let t = BinaryThreshold::HALF;
        let found = domain::contour::lesions(&heatmap, t, 0.0);
        let class = AnnotationClass::first_ones().remove(0);
        let all = proposals(&found, &class, ("a", "Heatmap", t), FINE);
        let scores: Vec<f32> = all
            .iter()
            .map(|edit| match edit {
                Edit::Add { annotation, .. } => annotation.score.unwrap(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(scores.len(), 2);
        assert!(scores[1] < scores[0]);
        let large = Detail { min_area_px: 5000.0, ..FINE };
        assert_eq!(proposals(&found, &class, ("a", "Heatmap", t), large).len(), 1);
    }

    #[test]
    fn a_brush_makes_an_annotation_or_adds_to_the_one_it_is_given() {
        let covered = outline::stroke(&[at(0.0, 0.0)], 20.0);
        let class = AnnotationClass::first_ones().remove(1);
        let own = paint(None, &covered, &class, FINE);
        assert!(matches!(&own[..], [Edit::Add { annotation, .. }] if annotation.class == class));
        let target = annotation(square(0.0, 0.0, 100.0));
        let grown = paint(Some(&target), &covered, &class, FINE);
        let [Edit::SetShape(id, shape)] = &grown[..] else { panic!("{grown:?}") };
        assert_eq!(*id, target.id);
        assert!(target.shape.area_level0_px() + 900.0 < shape.area_level0_px());
        let inside = outline::stroke(&[at(50.0, 50.0)], 20.0);
        assert!(paint(Some(&target), &inside, &class, FINE).is_empty(), "nothing to add");
    }

    #[test]
    fn what_is_erased_altogether_is_deleted_and_what_is_missed_stays() {
        let (small, large) =
            (annotation(square(0.0, 0.0, 10.0)), annotation(square(0.0, 0.0, 99.0)));
        let (far, line) = (
            annotation(square(900.0, 0.0, 10.0)),
            annotation(Shape::Line(vec![at(0.0, 0.0), at(9.0, 9.0)])),
        );
        let covered = outline::stroke(&[at(5.0, 5.0)], 20.0);
        let edits = erase([&small, &large, &far, &line], &covered, FINE);
        assert_eq!(edits[0], Edit::Remove(small.id));
        assert!(matches!(&edits[1..], [Edit::SetShape(id, _)] if *id == large.id));
    }

    #[test]
    fn merged_annotations_become_the_first_of_them() {
        let (a, b) = (annotation(square(0.0, 0.0, 10.0)), annotation(square(5.0, 0.0, 10.0)));
        let edits = merge(&[&a, &b]);
        assert_eq!(edits[0], Edit::Remove(b.id));
        assert!(matches!(&edits[1], Edit::SetShape(id, shape)
            if *id == a.id && shape.area_level0_px() == 150.0));
        assert!(merge(&[&a]).is_empty());
    }

    #[test]
    fn a_cut_leaves_the_largest_part_its_name() {
        let whole = annotation(square(0.0, 0.0, 100.0));
        let edits = split([&whole], &vec![at(30.0, -1.0), at(30.0, 101.0)]);
        let [Edit::SetShape(id, kept), Edit::Add { annotation: other, .. }] = &edits[..] else {
            panic!("{edits:?}")
        };
        assert_eq!((*id, kept.area_level0_px()), (whole.id, 7000.0));
        assert!(other.id != whole.id && other.shape.area_level0_px() == 3000.0);
        assert!(split([&whole], &vec![at(300.0, -1.0), at(300.0, 101.0)]).is_empty());
    }
}
