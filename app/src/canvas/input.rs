//! Pointer, wheel and pinch to commands.

use domain::coords::{Level0Px, ScreenPt};
use egui::{CursorIcon, Event, Key, PointerButton, Response, Sense, Ui};

use super::canvas_point;
use crate::command::{Commands, ReviewCommand, ViewCommand};
use crate::state::State;
use crate::state::review::Tool;
use crate::state::view::ViewState;

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
    let canvas = ScreenPt { x: f64::from(rect.width()), y: f64::from(rect.height()) };
    let pixels_per_pt = ui.pixels_per_point();
    if canvas != view.camera.canvas || pixels_per_pt != view.pixels_per_pt {
        commands.push(ViewCommand::SetCanvas { canvas, pixels_per_pt });
    }
    let pointer = response.hover_pos().map(|pos| canvas_point(rect, pos));
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
    let place = response.interact_pointer_pos().map(|pos| canvas_point(rect, pos));
    let place = place.map(|place| view.camera.level0_from_screen(place));
    match state.review.tool {
        Tool::Move => select(ui, &response, place, commands),
        Tool::Polygon => corner(&response, place, commands),
        _ if is_primary_panning => {}
        _ => lead(ui, &response, view, !state.review.way.is_empty(), commands),
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

/// A click selects what is under it, with Shift one more.
fn select(ui: &Ui, response: &Response, place: Option<Level0Px>, commands: &mut Commands) {
    if let (true, Some(place)) = (response.clicked_by(PointerButton::Primary), place) {
        let is_more = ui.input(|input| input.modifiers.shift);
        commands.push(ReviewCommand::SelectAt(place, is_more));
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

/// The tool is led from where the primary button went down to where it is let go, through every place in
/// between that the system told: a slow frame may hold several, or all of them.
fn lead(ui: &Ui, response: &Response, view: &ViewState, is_begun: bool, commands: &mut Commands) {
    let primary = PointerButton::Primary;
    let is_ours = response.is_pointer_button_down_on()
        || response.clicked_by(primary)
        || response.drag_stopped_by(primary);
    let mut is_down = is_begun;
    let events = if is_ours { ui.input(|input| input.events.clone()) } else { Vec::new() };
    for event in events {
        let (pos, is_let_go) = match event {
            Event::PointerButton { pos, button, pressed, .. } if button == primary => {
                is_down |= pressed;
                (pos, !pressed)
            }
            Event::PointerMoved(pos) => (pos, false),
            _ => continue,
        };
        if is_down {
            let place = view.camera.level0_from_screen(canvas_point(response.rect, pos));
            commands.push(ReviewCommand::Lead(place));
        }
        if is_down && is_let_go {
            is_down = false;
            commands.push(ReviewCommand::Finish);
        }
    }
    let is_lost = is_down && !ui.input(|input| input.pointer.primary_down());
    if is_lost {
        commands.push(ReviewCommand::Finish);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, samples};
    use egui_kittest::Harness;

    /// What dragging with a tool asks for, frame by frame or all in one frame.
    fn led(tool: Tool, is_one_frame: bool) -> Vec<ReviewCommand> {
        let mut state = samples::state();
        state.review.tool = tool;
        let show = |ui: &mut Ui, seen: &mut (State, Vec<ReviewCommand>)| {
            let mut commands = Commands::default();
            sense(ui, &seen.0, &mut commands);
            for command in commands.take() {
                if let Command::Review(command) = &command {
                    seen.1.push(command.clone());
                }
                crate::command::apply(&mut seen.0, command);
            }
        };
        let mut harness = Harness::builder()
            .with_size(egui::vec2(800.0, 600.0))
            .build_ui_state(show, (state, Vec::new()));
        let button = |pos, pressed| Event::PointerButton {
            pos,
            button: PointerButton::Primary,
            pressed,
            modifiers: egui::Modifiers::NONE,
        };
        let at = |x: f32| egui::pos2(x, 300.0);
        let events = [
            Event::PointerMoved(at(200.0)),
            button(at(200.0), true),
            Event::PointerMoved(at(250.0)),
            Event::PointerMoved(at(300.0)),
            button(at(300.0), false),
        ];
        for event in events {
            harness.input_mut().events.push(event);
            if !is_one_frame {
                harness.step();
            }
        }
        harness.run_steps(2);
        harness.state().1.clone()
    }

    fn xs(commands: &[ReviewCommand]) -> Vec<Option<f64>> {
        let x = |command: &ReviewCommand| match command {
            ReviewCommand::Lead(Level0Px { x, .. }) => Some(x.round()),
            _ => None,
        };
        commands.iter().map(x).collect()
    }

    #[test]
    fn a_tool_is_led_from_press_to_release_however_slow_the_frames_are() {
        let by_frames = led(Tool::Brush, false);
        assert_eq!(by_frames.last(), Some(&ReviewCommand::Finish), "{by_frames:?}");
        let mut places = xs(&by_frames);
        places.dedup();
        assert_eq!(places.len(), 4, "{places:?}");
        let mut at_once = xs(&led(Tool::Brush, true));
        at_once.dedup();
        assert_eq!(at_once, places);
    }

    #[test]
    fn without_a_tool_a_drag_leads_nothing() {
        assert_eq!(led(Tool::Move, false), []);
    }
}
