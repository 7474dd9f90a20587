//! Moving about the slide, and how its colors are shown.

use domain::coords::{Camera, Level0Px, ScreenPt, Turn};

use crate::state::view::ViewState;

/// Share of the canvas that one press of an arrow key moves.
const STEP: f64 = 0.12;

/// A change to what the canvas shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ViewCommand {
    /// The canvas has this size, with so many device pixels a point.
    SetCanvas { canvas: ScreenPt, pixels_per_pt: f32 },
    /// The pointer is here, or nowhere on the canvas.
    SetPointer(Option<ScreenPt>),
    /// Move with a drag of so many points.
    Drag(ScreenPt),
    /// Magnify by `factor` around a point of the canvas.
    ZoomAt { anchor: ScreenPt, factor: f64 },
    /// Magnify by this factor around the middle of the canvas.
    Zoom(f64),
    /// Move the view by so many arrow-key steps, right and down.
    Step { right: i8, down: i8 },
    /// Show the whole slide.
    Fit,
    /// One scanned pixel on one pixel of the screen.
    OneToOne,
    /// Magnify so much, in the unit of the slide's native magnification.
    Magnify(f64),
    /// Turn by so many degrees, clockwise.
    Turn(f64),
    /// Turn back to how the slide was scanned.
    Upright,
    /// Bring a slide position to the middle.
    Center(Level0Px),
    /// Correct colors with the scanner's profile, or show them as they were scanned.
    ToggleColorCorrection,
}

/// The only place that moves the camera and chooses colors.
pub(super) fn apply(view: &mut ViewState, command: ViewCommand) {
    let camera = view.camera;
    let middle = ScreenPt { x: camera.canvas.x * 0.5, y: camera.canvas.y * 0.5 };
    match command {
        ViewCommand::SetCanvas { canvas, pixels_per_pt } => {
            view.pixels_per_pt = pixels_per_pt;
            view.camera.canvas = canvas;
            if view.is_fitted {
                view.fit();
            }
        }
        ViewCommand::SetPointer(pointer) => view.pointer = pointer,
        ViewCommand::Drag(delta) => view.look(camera.panned(delta)),
        ViewCommand::ZoomAt { anchor, factor } => view.look(camera.zoomed_at(anchor, factor)),
        ViewCommand::Zoom(factor) => view.look(camera.zoomed_at(middle, factor)),
        ViewCommand::Step { right, down } => view.look(camera.panned(ScreenPt {
            x: -f64::from(right) * camera.canvas.x * STEP,
            y: -f64::from(down) * camera.canvas.y * STEP,
        })),
        ViewCommand::Fit => view.fit(),
        ViewCommand::OneToOne => {
            view.look(Camera { level0_per_pt: f64::from(view.pixels_per_pt), ..camera });
        }
        ViewCommand::Magnify(wanted) => magnify(view, wanted),
        ViewCommand::Turn(degrees) => view.turn(Turn::degrees(camera.turn.get() + degrees)),
        ViewCommand::Upright => view.turn(Turn::NONE),
        ViewCommand::ToggleColorCorrection => view.is_color_corrected = !view.is_color_corrected,
        ViewCommand::Center(center) => view.look(Camera { center, ..camera }),
    }
}

fn magnify(view: &mut ViewState, wanted: f64) {
    let Some(facts) = &view.facts else { return };
    let (native, _) = facts.native_magnification();
    let level0_per_pt = native / wanted.max(f64::MIN_POSITIVE) * f64::from(view.pixels_per_pt);
    view.look(Camera { level0_per_pt, ..view.camera });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::samples;

    fn after(commands: &[ViewCommand]) -> ViewState {
        let mut view = samples::state().view;
        for command in commands {
            apply(&mut view, *command);
        }
        view
    }

    #[test]
    fn a_fitted_slide_follows_the_canvas_until_it_is_moved() {
        let resize =
            ViewCommand::SetCanvas { canvas: ScreenPt { x: 400.0, y: 300.0 }, pixels_per_pt: 1.0 };
        let fitted = after(&[resize]).camera.level0_per_pt;
        assert!((fitted - 4000.0 / 400.0 * 1.02).abs() < 1e-9);
        let moved = after(&[ViewCommand::Zoom(2.0), resize]).camera.level0_per_pt;
        assert!((moved - 4000.0 / 800.0 * 1.02 / 2.0).abs() < 1e-9);
    }

    #[test]
    fn one_to_one_counts_device_pixels() {
        let dense =
            ViewCommand::SetCanvas { canvas: ScreenPt { x: 800.0, y: 600.0 }, pixels_per_pt: 2.0 };
        let view = after(&[dense, ViewCommand::OneToOne]);
        assert_eq!(view.camera.level0_per_pt, 2.0);
        assert_eq!(view.level0_per_device_px(), 1.0);
    }

    #[test]
    fn a_turned_slide_still_fits_until_it_is_moved_and_is_turned_back() {
        let view = after(&[ViewCommand::Turn(90.0)]);
        assert!((view.camera.level0_per_pt - 4000.0 / 600.0 * 1.02).abs() < 1e-9);
        let view =
            after(&[ViewCommand::OneToOne, ViewCommand::Turn(-15.0), ViewCommand::Turn(-15.0)]);
        assert_eq!((view.camera.turn.get(), view.camera.level0_per_pt), (330.0, 1.0));
        let view = after(&[ViewCommand::Turn(-15.0), ViewCommand::Upright]);
        assert_eq!(view.camera.turn, Turn::NONE);
    }

    #[test]
    fn a_magnification_is_reached_whatever_the_screen() {
        let dense =
            ViewCommand::SetCanvas { canvas: ScreenPt { x: 800.0, y: 600.0 }, pixels_per_pt: 2.0 };
        let view = after(&[dense, ViewCommand::Magnify(5.0)]);
        assert_eq!(view.level0_per_device_px(), 4.0, "the sample was scanned at 20x");
    }

    #[test]
    fn the_slide_cannot_be_lost_out_of_sight() {
        let view = after(&[ViewCommand::Drag(ScreenPt { x: 1e9, y: -1e9 })]);
        assert_eq!(view.camera.center, Level0Px { x: 0.0, y: 2000.0 });
        let tiny = after(&[ViewCommand::Zoom(1e-9)]);
        assert_eq!(tiny.camera.level0_per_pt, after(&[]).camera.level0_per_pt);
    }

    #[test]
    fn colors_are_corrected_at_first_and_as_scanned_on_request() {
        let table = |view: &ViewState| view.color_table().is_some();
        let mut view = after(&[]);
        assert!(!table(&view), "the sample slide has no profile");
        let mut facts = samples::facts();
        facts.color_profile = samples::color_profile();
        view.open(facts);
        assert!(table(&view));
        apply(&mut view, ViewCommand::ToggleColorCorrection);
        assert!(!table(&view));
        assert_eq!(view.color_state(), "colors as scanned");
    }

    #[test]
    fn an_arrow_key_moves_the_view_not_the_slide() {
        let before = after(&[ViewCommand::OneToOne]).camera.center;
        let view = after(&[ViewCommand::OneToOne, ViewCommand::Step { right: 1, down: 0 }]);
        assert!(before.x < view.camera.center.x);
        assert_eq!(before.y, view.camera.center.y);
    }
}
