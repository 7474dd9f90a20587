//! Pointer, wheel and pinch to commands.

use domain::coords::ScreenPt;
use egui::{PointerButton, Response, Sense, Ui};

use super::canvas_point;
use crate::command::{Commands, ViewCommand};
use crate::state::view::ViewState;

/// Magnification of one point of wheel travel; a notch of a common wheel is 40 points.
const ZOOM_PER_PT: f64 = 1.005;

/// Magnification of a double click.
const DOUBLE_CLICK_ZOOM: f64 = 2.0;

/// Takes the rest of `ui` as canvas and pushes what the pointer asks for.
pub(crate) fn sense(ui: &mut Ui, view: &ViewState, commands: &mut Commands) -> Response {
    let (rect, response) = ui.allocate_exact_size(ui.available_size(), Sense::click_and_drag());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Canvas, true, "Slide"));
    let canvas = ScreenPt { x: f64::from(rect.width()), y: f64::from(rect.height()) };
    let pixels_per_pt = ui.pixels_per_point();
    if canvas != view.camera.canvas || pixels_per_pt != view.pixels_per_pt {
        commands.push(ViewCommand::SetCanvas { canvas, pixels_per_pt });
    }
    let pointer = response.hover_pos().map(|pos| canvas_point(rect, pos));
    if pointer != view.pointer {
        commands.push(ViewCommand::SetPointer(pointer));
    }
    drag(&response, commands);
    if let Some(anchor) = pointer {
        zoom(ui, &response, anchor, commands);
    }
    response
}

/// The primary and the middle button move the slide.
fn drag(response: &Response, commands: &mut Commands) {
    let is_pan =
        response.dragged_by(PointerButton::Primary) || response.dragged_by(PointerButton::Middle);
    let delta = response.drag_delta();
    if is_pan && delta != egui::Vec2::ZERO {
        let delta = ScreenPt { x: f64::from(delta.x), y: f64::from(delta.y) };
        commands.push(ViewCommand::Drag(delta));
    }
}

/// The wheel, a pinch and a double click magnify at the pointer.
fn zoom(ui: &Ui, response: &Response, anchor: ScreenPt, commands: &mut Commands) {
    let (wheel, pinch) = ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
    let mut factor = ZOOM_PER_PT.powf(f64::from(wheel)) * f64::from(pinch);
    if response.double_clicked() {
        factor *= DOUBLE_CLICK_ZOOM;
    }
    if factor != 1.0 {
        commands.push(ViewCommand::ZoomAt { anchor, factor });
    }
}
