//! Pointer, wheel and pinch to commands.

use domain::coords::{Level0Px, ScreenPt};
use egui::{CursorIcon, Key, PointerButton, Pos2, Response, Sense, Ui};

use super::{Panes, canvas_point};
use crate::command::{Commands, ReviewCommand, ViewCommand};
use crate::state::State;
use crate::state::review::Tool;

/// Magnification of one point of wheel travel; a notch of a common wheel is 40 points.
const ZOOM_PER_PT: f64 = 1.005;

/// Magnification of a double click.
const DOUBLE_CLICK_ZOOM: f64 = 2.0;

/// With a tool in the hand the primary button moves the slide while this is held.
const PAN_KEY: Key = Key::Space;

/// Takes the rest of `ui` as canvas and pushes what the pointer asks for.
pub(crate) fn sense(ui: &mut Ui, state: &State, commands: &mut Commands) -> Response {
    let view = &state.view;
    let (rect, response) = ui.allocate_exact_size(ui.available_size(), Sense::click_and_drag());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Canvas, true, "Slide"));
    let panes = Panes::of(rect, state);
    let size = panes.first.size();
    let canvas = ScreenPt { x: f64::from(size.x), y: f64::from(size.y) };
    let pixels_per_pt = ui.pixels_per_point();
    if canvas != view.camera.canvas || pixels_per_pt != view.pixels_per_pt {
        commands.push(ViewCommand::SetCanvas { canvas, pixels_per_pt });
    }
    // What was begun on one canvas goes on there.
    let origin = ui.input(|input| input.pointer.press_origin());
    let pane = |pos: Pos2| panes.at(origin.unwrap_or(pos));
    let pointer = response.hover_pos().map(|pos| canvas_point(pane(pos), pos));
    if pointer != view.pointer {
        commands.push(ViewCommand::SetPointer(pointer));
    }
    let is_tool_on = state.review.tool != Tool::Move;
    let response = match is_tool_on {
        true => response.on_hover_cursor(CursorIcon::Crosshair),
        false => response,
    };
    let is_primary_panning = !is_tool_on || ui.input(|input| input.key_down(PAN_KEY));
    drag(&response, is_primary_panning, commands);
    if let Some(anchor) = pointer {
        zoom(ui, &response, anchor, !is_tool_on, commands);
    }
    let place = response.interact_pointer_pos().map(|pos| canvas_point(pane(pos), pos));
    let place = place.map(|place| view.camera.level0_from_screen(place));
    if !is_tool_on {
        if let (true, Some(place)) = (response.clicked_by(PointerButton::Primary), place) {
            let is_more = ui.input(|input| input.modifiers.shift);
            commands.push(ReviewCommand::SelectAt(place, is_more));
        }
    } else if state.review.tool == Tool::Polygon {
        corner(&response, place, commands);
    } else {
        let place = place.filter(|_| !is_primary_panning);
        let origin = origin.map(|origin| canvas_point(panes.at(origin), origin));
        let origin = origin.map(|origin| view.camera.level0_from_screen(origin));
        lead(ui, &response, (origin, place), state, commands);
    }
    response
}

/// The middle button moves the slide, and the primary one if that has nothing else to do.
fn drag(response: &Response, is_primary_panning: bool, commands: &mut Commands) {
    let is_primary = is_primary_panning && response.dragged_by(PointerButton::Primary);
    let is_pan = is_primary || response.dragged_by(PointerButton::Middle);
    let delta = response.drag_delta();
    if is_pan && delta != egui::Vec2::ZERO {
        let delta = ScreenPt { x: f64::from(delta.x), y: f64::from(delta.y) };
        commands.push(ViewCommand::Drag(delta));
    }
}

/// The wheel, a pinch and, without a tool, a double click magnify at the pointer.
fn zoom(
    ui: &Ui,
    response: &Response,
    anchor: ScreenPt,
    is_double_click_zooming: bool,
    commands: &mut Commands,
) {
    let (wheel, pinch) = ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
    let mut factor = ZOOM_PER_PT.powf(f64::from(wheel)) * f64::from(pinch);
    if is_double_click_zooming && response.double_clicked() {
        factor *= DOUBLE_CLICK_ZOOM;
    }
    if factor != 1.0 {
        commands.push(ViewCommand::ZoomAt { anchor, factor });
    }
}

/// A click sets a corner, a double click closes.
fn corner(response: &Response, place: Option<Level0Px>, commands: &mut Commands) {
    if response.double_clicked() {
        commands.push(ReviewCommand::Finish);
    } else if let (true, Some(place)) = (response.clicked_by(PointerButton::Primary), place) {
        commands.push(ReviewCommand::Lead(place));
    }
}

/// The tool is led while the primary button is down and finishes when that is let go.
fn lead(
    ui: &Ui,
    response: &Response,
    (origin, place): (Option<Level0Px>, Option<Level0Px>),
    state: &State,
    commands: &mut Commands,
) {
    let is_down = response.is_pointer_button_down_on() && ui.input(|it| it.pointer.primary_down());
    let is_clicked = response.clicked_by(PointerButton::Primary);
    if let (true, Some(place)) = (is_down || is_clicked, place) {
        // A slow frame may come when the pointer has already moved on.
        if let (true, Some(origin)) = (state.review.way.is_empty(), origin) {
            commands.push(ReviewCommand::Lead(origin));
        }
        commands.push(ReviewCommand::Lead(place));
    }
    if is_clicked || (!is_down && !state.review.way.is_empty()) {
        commands.push(ReviewCommand::Finish);
    }
}
