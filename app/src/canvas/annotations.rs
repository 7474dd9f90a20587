//! Outlines of annotations over the slide, and what the tool in the hand is about to do.
//!
//! A line in the class color lies on a dark one, so that it is seen on any stain. What is too small to be
//! seen is marked with a ring, in a crowd with a dot. Only what is in view is drawn, with no more corners than the screen can
//! show; those are worked out once for a zoom.

use std::collections::HashMap;

use domain::annotation::{Annotation, AnnotationId, Shape as Outline, Verdict};
use domain::coords::{Level0Px, Level0Rect};
use egui::{Align2, Color32, Mesh, Painter, Pos2, Rect, Shape, Stroke, vec2};
use review::outline::simplified_line;

use super::{on_screen, paint_words, window_pos};
use crate::state::State;
use crate::state::review::{ReviewState, Tool};
use crate::state::view::ViewState;
use crate::ui::{length_text, theme};

/// Annotations smaller than this are marked with a ring of this radius.
const MARKER_PT: f32 = 5.0;

/// With more than this many in view they are drawn in a plainer way, and more of them as dots.
const CROWD: usize = 800;

/// Side below which an annotation is a dot in a crowd.
const CROWDED_PT: f32 = 24.0;

/// Corners nearer to the line without them are not drawn.
const TOLERANCE_PT: f64 = 0.4;

/// Smallest hole that is drawn, in tolerances: 6 points.
const HOLE_TOLERANCES: f64 = 15.0;

const SHADE: Color32 = Color32::from_black_alpha(200);

/// What is drawn, kept between frames.
#[derive(Debug, Default)]
pub(super) struct Annotations {
    /// What the rest is of: the slide, the state of its annotations, and the power of two of the zoom.
    key: Option<(u64, u64, i32)>,
    bounds: Vec<Option<Level0Rect>>,
    lines: HashMap<AnnotationId, Vec<Line>>,
}

/// Corners that are drawn from one to the next.
#[derive(Debug)]
struct Line {
    points: Vec<Level0Px>,
}

impl Annotations {
    /// Draws them into `canvas`, the selected ones last.
    pub(super) fn paint(&mut self, painter: &Painter, canvas: Rect, state: &State) {
        let (view, review) = (&state.view, &state.review);
        if review.is_shown && !state.overlay.is_peeking {
            self.refresh(view, review);
            self.paint_all(painter, canvas, state);
        }
        paint_tool(painter, canvas, state);
    }

    fn paint_all(&mut self, painter: &Painter, canvas: Rect, state: &State) {
        let (view, review) = (&state.view, &state.review);
        let annotations = review.review.annotations().iter().zip(&self.bounds);
        let in_view: Vec<_> = annotations
            .filter_map(|(it, bounds)| Some((it, on_screen(state, canvas, (*bounds)?))))
            .filter(|(_, place)| canvas.expand(MARKER_PT).intersects(*place))
            .collect();
        let is_crowded = CROWD < in_view.len();
        let small_pt = if is_crowded { CROWDED_PT } else { 2.0 * MARKER_PT };
        let mut dots = Mesh::default();
        let (last, first): (Vec<_>, Vec<_>) =
            in_view.into_iter().partition(|(it, _)| review.selected.contains(&it.id));
        for (index, (annotation, place)) in first.iter().chain(&last).enumerate() {
            let is_selected = first.len() <= index;
            let is_shaded = is_selected || !is_crowded;
            let look = Look { is_shaded, ..Look::of(annotation, is_selected) };
            let is_small = place.width().max(place.height()) < small_pt;
            match (is_small, is_crowded && !is_selected) {
                (true, true) => add_dot(&mut dots, place.center(), look.color),
                (true, false) => look.strokes().for_each(|stroke| {
                    painter.circle_stroke(place.center(), MARKER_PT, stroke);
                }),
                (false, _) => {
                    paint_outline(painter, canvas, view, annotation, look, &mut self.lines);
                }
            }
        }
        painter.add(dots);
    }

    fn refresh(&mut self, view: &ViewState, review: &ReviewState) {
        #[expect(clippy::cast_possible_truncation, reason = "a zoom has some twenty powers of two")]
        let octave = view.camera.level0_per_pt.log2().floor() as i32;
        let key = (view.generation, review.review.revision(), octave);
        if self.key != Some(key) {
            self.key = Some(key);
            self.lines.clear();
            let annotations = review.review.annotations().iter();
            self.bounds = annotations.map(|it| it.shape.bounds()).collect();
        }
    }
}

/// How an annotation is drawn.
#[derive(Clone, Copy, Debug)]
struct Look {
    color: Color32,
    width_pt: f32,
    is_shaded: bool,
}

impl Look {
    fn of(annotation: &Annotation, is_selected: bool) -> Self {
        let [r, g, b] = annotation.class.color;
        let color = Color32::from_rgb(r, g, b);
        let is_rejected = annotation.verdict == Verdict::Rejected;
        match (is_selected, is_rejected) {
            (true, _) => Self { color, width_pt: 3.5, is_shaded: true },
            (false, true) => {
                Self { color: color.gamma_multiply(0.45), width_pt: 1.0, is_shaded: true }
            }
            (false, false) => Self { color, width_pt: 1.8, is_shaded: true },
        }
    }

    /// The dark line below, and the colored one over it.
    fn strokes(self) -> impl Iterator<Item = Stroke> {
        let shade = self.is_shaded.then(|| Stroke::new(self.width_pt + 2.0, SHADE));
        shade.into_iter().chain([Stroke::new(self.width_pt, self.color)])
    }
}

/// Eight corners instead of the hundred of a ring.
fn add_dot(dots: &mut Mesh, center: Pos2, color: Color32) {
    dots.add_colored_rect(Rect::from_center_size(center, vec2(7.0, 7.0)), SHADE);
    dots.add_colored_rect(Rect::from_center_size(center, vec2(5.0, 5.0)), color);
}

fn paint_outline(
    painter: &Painter,
    canvas: Rect,
    view: &ViewState,
    annotation: &Annotation,
    look: Look,
    lines: &mut HashMap<AnnotationId, Vec<Line>>,
) {
    let at = |point: Level0Px| window_pos(canvas, view.camera.screen_from_level0(point));
    let tolerance = view.camera.level0_per_pt * TOLERANCE_PT;
    let lines =
        lines.entry(annotation.id).or_insert_with(|| lines_of(&annotation.shape, tolerance));
    let runs: Vec<Vec<Pos2>> = lines
        .iter()
        .flat_map(|line| visible_runs(line.points.iter().map(|point| at(*point)), canvas))
        .collect();
    for stroke in look.strokes() {
        painter.extend(runs.iter().map(|run| Shape::line(run.clone(), stroke)));
    }
    if let Outline::Line(points) = &annotation.shape
        && let Some(end) = points.last()
    {
        let mpp = view.facts.as_ref().and_then(|facts| facts.mpp);
        label(painter, at(*end), &length_text(points, mpp));
    }
}

/// How long a line is, up and to the right of its end.
fn label(painter: &Painter, end: Pos2, text: &str) {
    paint_words(painter, end + vec2(10.0, -10.0), Align2::LEFT_BOTTOM, text);
}

/// Closed rings come back to where they began. Holes that would be a blot on screen are left out.
fn lines_of(shape: &Outline, tolerance_px: f64) -> Vec<Line> {
    let parts = match shape {
        Outline::Line(points) => return vec![Line { points: points.clone() }],
        Outline::Area(parts) => parts,
    };
    let is_seen = |hole: &&Vec<Level0Px>| {
        let bounds = Level0Rect::around(*hole).unwrap_or_default();
        tolerance_px * HOLE_TOLERANCES <= bounds.width.max(bounds.height)
    };
    let outer = parts.iter().map(|part| &part.outer);
    let holes = parts.iter().flat_map(|part| &part.holes).filter(is_seen);
    outer
        .chain(holes)
        .map(|ring| {
            let closed: Vec<_> = ring.iter().chain(ring.first()).copied().collect();
            let middle = closed.len() / 2;
            // The ends of a line are kept: a ring needs a third point that is.
            let mut points = simplified_line(closed.get(..=middle).unwrap_or(&[]), tolerance_px);
            points.pop();
            points.extend(simplified_line(closed.get(middle..).unwrap_or(&[]), tolerance_px));
            Line { points }
        })
        .collect()
}

/// The stretches of a line that may touch the canvas.
fn visible_runs(points: impl Iterator<Item = Pos2>, canvas: Rect) -> Vec<Vec<Pos2>> {
    let seen = canvas.expand(8.0);
    let mut runs = Vec::new();
    let mut run: Vec<Pos2> = Vec::new();
    let mut before: Option<Pos2> = None;
    for point in points {
        if let Some(before) = before {
            if seen.intersects(Rect::from_two_pos(before, point)) {
                if run.is_empty() {
                    run.push(before);
                }
                run.push(point);
            } else if !run.is_empty() {
                runs.push(std::mem::take(&mut run));
            }
        }
        before = Some(point);
    }
    if !run.is_empty() {
        runs.push(run);
    }
    runs
}

/// The brush under the pointer, and what was done with the tool since it was set down.
fn paint_tool(painter: &Painter, canvas: Rect, state: &State) {
    let (view, review) = (&state.view, &state.review);
    let at = |point: Level0Px| window_pos(canvas, view.camera.screen_from_level0(point));
    let way: Vec<Pos2> = review.way.iter().map(|point| at(*point)).collect();
    let pointer = view.pointer.map(|pointer| window_pos(canvas, pointer));
    let [r, g, b] = review.class().color;
    let color = match review.tool {
        Tool::Erase | Tool::Cut => theme::TEXT_STRONG,
        _ => Color32::from_rgb(r, g, b),
    };
    if review.tool.is_round() {
        #[expect(clippy::cast_possible_truncation, reason = "at most 200 points")]
        let radius = review.brush_pt as f32;
        let wash = Stroke::new(radius * 2.0, color.gamma_multiply(0.35));
        painter.add(Shape::line(way, wash));
        if let Some(pointer) = pointer {
            painter.circle_stroke(pointer, radius, Stroke::new(3.0, SHADE));
            painter.circle_stroke(pointer, radius, Stroke::new(1.5, color));
        }
        return;
    }
    let open = if review.tool == Tool::Polygon { pointer } else { None };
    let points: Vec<Pos2> = way.iter().copied().chain(open.filter(|_| !way.is_empty())).collect();
    for stroke in (Look { color, width_pt: 2.0, is_shaded: true }).strokes() {
        painter.add(Shape::line(points.clone(), stroke));
    }
    if let (Tool::Line, Some(end), true) = (review.tool, way.last(), 2 <= way.len()) {
        let mpp = view.facts.as_ref().and_then(|facts| facts.mpp);
        label(painter, *end, &length_text(&review.way, mpp));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::samples;
    use egui::pos2;

    #[test]
    fn of_a_line_only_what_is_near_the_canvas_is_drawn() {
        let canvas = Rect::from_min_size(pos2(0.0, 0.0), vec2(100.0, 100.0));
        let line = [(-500.0, 50.0), (-300.0, 50.0), (50.0, 50.0), (50.0, 400.0), (60.0, 400.0)];
        let back = [(60.0, 90.0), (60.0, 10.0)];
        let points = line.into_iter().chain(back).map(|(x, y)| pos2(x, y));
        let runs = visible_runs(points, canvas);
        let lengths: Vec<_> = runs.iter().map(Vec::len).collect();
        assert_eq!(lengths, [3, 3]);
    }

    #[test]
    fn corners_are_worked_out_once_for_a_zoom_and_again_after_a_change() {
        let mut state = samples::reviewed();
        let mut drawn = Annotations::default();
        drawn.refresh(&state.view, &state.review);
        let first = drawn.key;
        state.view.camera.level0_per_pt *= 1.01;
        drawn.refresh(&state.view, &state.review);
        assert_eq!(drawn.key, first);
        state.view.camera.level0_per_pt *= 2.0;
        drawn.refresh(&state.view, &state.review);
        assert_ne!(drawn.key, first);
        assert_eq!(drawn.bounds.len(), 2);
    }

    #[test]
    fn a_ring_that_is_drawn_simpler_stays_closed() {
        let ring = |n: u32| {
            let angle = |i: u32| f64::from(i) / f64::from(n) * std::f64::consts::TAU;
            let point = |a: f64| Level0Px { x: 1000.0 * a.cos(), y: 1000.0 * a.sin() };
            (0..n).map(angle).map(point).collect::<Vec<_>>()
        };
        let holes = vec![ring(3), vec![Level0Px::default(); 3]];
        let part = domain::contour::Polygon { outer: ring(10_000), holes };
        let lines = lines_of(&Outline::Area(vec![part]), 5.0);
        assert!(lines[0].points.len() < 100 && 8 < lines[0].points.len());
        assert!(lines.iter().all(|line| line.points.first() == line.points.last()));
        assert_eq!(lines[1].points.len(), 4);
        assert_eq!(lines.len(), 2, "a hole that is a point on screen is left out");
    }
}
