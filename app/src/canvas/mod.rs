//! The slide on screen: input in, picture out.
//!
//! [`sense`] turns the pointer into commands; once they are applied, [`Canvas::paint`] draws the
//! camera's view in the same frame.

mod annotations;
mod callback;
mod input;
mod overview;
mod panes;
mod scale_bar;

use domain::coords::{Level0Px, Level0Rect, ScreenPt};
use egui::{Align2, FontId, Painter, Pos2, Rect, StrokeKind, Ui, pos2};
use render::frame::Frame;

pub(crate) use callback::install;
pub(crate) use input::sense;
pub(crate) use panes::Panes;
pub(crate) use scale_bar::magnification;

use crate::command::Commands;
use crate::state::State;
use crate::state::tour::Tour;
use crate::tiles::Tiles;
use crate::ui::theme;

/// Between a lesion and the frame around it.
const LESION_MARGIN_PT: f32 = 6.0;

/// What the canvas keeps between frames.
#[derive(Debug, Default)]
pub(crate) struct Canvas {
    annotations: annotations::Annotations,
    overview: overview::Overview,
}

impl Canvas {
    /// Draws slide, heatmap, scale bar and overview into `rect`.
    pub(crate) fn paint(
        &mut self,
        ui: &mut Ui,
        rect: Rect,
        state: &State,
        tiles: &mut Tiles,
        commands: &mut Commands,
    ) {
        let view = &state.view;
        let frame = Frame {
            camera: view.camera,
            pixels_per_pt: view.pixels_per_pt,
            slide_generation: view.generation,
            tiles: tiles.quads(view),
            color_table: view.color_table().cloned(),
            band: state.picture_lens.frame(view.generation),
            overlays: state.informative.frame().into_iter().chain(state.overlay.frames()).collect(),
            beside: state.overlay.frames_beside(),
        };
        let chosen = state.overlay.layer().filter(|it| state.overlay.is_seen() && it.look.is_shown);
        let threshold = chosen.map(|layer| layer.threshold.get());
        tracing::trace!(threshold, tiles = frame.tiles.len(), "frame");
        ui.painter().rect_filled(rect, 0.0, theme::backdrop(state.session.backdrop));
        let panes = Panes::of(rect, state);
        ui.painter().add(callback::shape(panes.first, frame, ui.ctx().clone()));
        ui.painter().extend(panes.second.map(callback::shape_beside));
        for pane in panes.iter() {
            self.paint_marks(&ui.painter_at(pane), pane, state, tiles);
        }
        panes::show(ui, panes, state, commands);
        scale_bar::paint(ui, rect, view);
        self.overview.show(ui, rect, view, tiles, commands);
    }

    /// What is drawn over the picture of one canvas.
    fn paint_marks(&mut self, painter: &Painter, pane: Rect, state: &State, tiles: &Tiles) {
        for area in tiles.damaged(&state.view) {
            let place = on_screen(state, pane, area);
            let stroke = egui::Stroke::new(1.0, theme::WARNING);
            painter.rect_stroke(place, 0.0, stroke, StrokeKind::Inside);
        }
        if let Some(stop) = state.overlay.tour().and_then(Tour::stop) {
            let place = on_screen(state, pane, stop.bounds).expand(LESION_MARGIN_PT);
            let stroke = egui::Stroke::new(2.0, theme::ACCENT);
            painter.rect_stroke(place, 3.0, stroke, StrokeKind::Outside);
        }
        self.annotations.paint(painter, pane, state);
    }
}

/// Where a part of the slide lies in the window; if it is turned, the upright rectangle around it.
fn on_screen(state: &State, canvas: Rect, area: Level0Rect) -> Rect {
    let corner = |x: f64, y: f64| {
        window_pos(canvas, state.view.camera.screen_from_level0(Level0Px { x, y }))
    };
    let (right, bottom) = (area.x + area.width, area.y + area.height);
    let corners = [(area.x, area.y), (right, area.y), (right, bottom), (area.x, bottom)];
    Rect::from_points(&corners.map(|(x, y)| corner(x, y)))
}

/// Words on a plate, so that they can be read on any stain.
fn paint_words(painter: &Painter, place: Pos2, anchor: Align2, text: &str) {
    let font = FontId::proportional(14.0);
    let text = painter.layout_no_wrap(text.to_owned(), font, theme::TEXT_STRONG);
    let place = anchor.anchor_size(place, text.size());
    painter.rect_filled(place.expand(4.0), 3.0, theme::PLATE);
    painter.galley(place.min, text, theme::TEXT_STRONG);
}

/// A canvas position to a window position.
#[expect(clippy::cast_possible_truncation, reason = "a window has a few thousand points")]
fn window_pos(canvas: Rect, point: ScreenPt) -> Pos2 {
    pos2(canvas.min.x + point.x as f32, canvas.min.y + point.y as f32)
}

/// A window position to a canvas position.
fn canvas_point(canvas: Rect, pos: Pos2) -> ScreenPt {
    ScreenPt { x: f64::from(pos.x - canvas.min.x), y: f64::from(pos.y - canvas.min.y) }
}
