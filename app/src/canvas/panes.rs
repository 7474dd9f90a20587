//! One canvas, or two of one size that show the same place under different layers.

use egui::{Align2, Painter, Pos2, Rect, Sense, Stroke, Ui, pos2, vec2};

use super::{paint_words, window_pos};
use crate::command::{Commands, OverlayCommand};
use crate::state::State;
use crate::state::comparison::ComparisonWay;
use crate::ui::theme;

/// Between two canvases.
const GAP_PT: f32 = 2.0;

/// How near to the line of a swipe the pointer takes hold of it.
const GRIP_PT: f32 = 6.0;

/// Arms of the cross that marks the pointer's place on the other canvas.
const CROSS_PT: f32 = 8.0;

/// Where the slide is drawn, the first canvas left of the second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Panes {
    pub(crate) first: Rect,
    pub(crate) second: Option<Rect>,
}

impl Panes {
    pub(crate) fn of(whole: Rect, state: &State) -> Self {
        let way = state.overlay.compared().map(|(_, _, comparison)| comparison.way);
        if way != Some(ComparisonWay::SideBySide) {
            return Self { first: whole, second: None };
        }
        let size = vec2(((whole.width() - GAP_PT) / 2.0).floor(), whole.height());
        let first = Rect::from_min_size(whole.min, size);
        let second = Rect::from_min_size(pos2(whole.max.x - size.x, whole.min.y), size);
        Self { first, second: Some(second) }
    }

    /// The canvas that `pos` lies on, or is nearest to.
    pub(crate) fn at(&self, pos: Pos2) -> Rect {
        self.second.filter(|second| second.min.x <= pos.x).unwrap_or(self.first)
    }

    /// One or both.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Rect> {
        std::iter::once(self.first).chain(self.second)
    }
}

/// Says which layer is seen where, and lets the line of a swipe be moved.
pub(super) fn show(ui: &mut Ui, panes: Panes, state: &State, commands: &mut Commands) {
    let Some((chosen, other, comparison)) = state.overlay.compared() else { return };
    let (chosen, other) = (chosen.kind.title(), other.kind.title());
    let whole = panes.first;
    match comparison.way {
        ComparisonWay::Blink => {
            let seen = if comparison.is_other_seen { other } else { chosen };
            name(ui.painter(), whole.center_top(), Align2::CENTER_TOP, seen);
        }
        ComparisonWay::SideBySide => {
            for (pane, title) in panes.iter().zip([chosen, other]) {
                name(&ui.painter_at(pane), pane.center_top(), Align2::CENTER_TOP, title);
                if let Some(pointer) = state.view.pointer {
                    cross(&ui.painter_at(pane), window_pos(pane, pointer));
                }
            }
        }
        ComparisonWay::Swipe(at) => {
            let x = egui::lerp(whole.x_range(), at);
            let painter = ui.painter_at(whole);
            painter.vline(x, whole.y_range(), Stroke::new(3.0, theme::PLATE));
            painter.vline(x, whole.y_range(), Stroke::new(1.5, theme::TEXT_STRONG));
            name(&painter, pos2(x - 8.0, whole.top()), Align2::RIGHT_TOP, chosen);
            name(&painter, pos2(x + 8.0, whole.top()), Align2::LEFT_TOP, other);
            swipe(ui, whole, x, commands);
        }
    }
}

fn swipe(ui: &Ui, whole: Rect, x: f32, commands: &mut Commands) {
    let grip = Rect::from_x_y_ranges(x - GRIP_PT..=x + GRIP_PT, whole.y_range());
    let response = ui.interact(grip, ui.scope_id().with("swipe"), Sense::drag());
    response.widget_info(|| {
        egui::WidgetInfo::labeled(egui::Role::Splitter, true, "Line between the two layers")
    });
    if let Some(pos) = response.interact_pointer_pos().filter(|_| response.dragged()) {
        let at = ((pos.x - whole.left()) / whole.width().max(1.0)).clamp(0.0, 1.0);
        commands.push(OverlayCommand::Compare(Some(ComparisonWay::Swipe(at))));
    }
    response.on_hover_cursor(egui::CursorIcon::ResizeHorizontal);
}

/// The name of a layer at the top of a canvas.
fn name(painter: &Painter, top: Pos2, anchor: Align2, title: &str) {
    paint_words(painter, top + vec2(0.0, 10.0), anchor, title);
}

fn cross(painter: &Painter, center: Pos2) {
    for (width, color) in [(3.0, theme::PLATE), (1.0, theme::TEXT_STRONG)] {
        let stroke = Stroke::new(width, color);
        painter.hline(center.x - CROSS_PT..=center.x + CROSS_PT, center.y, stroke);
        painter.vline(center.x, center.y - CROSS_PT..=center.y + CROSS_PT, stroke);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, samples};
    use crate::state::comparison::Comparison;
    use crate::state::layer::LayerKind;
    use egui_kittest::{Harness, kittest::Queryable as _};

    fn compared(way: ComparisonWay) -> State {
        let mut state = samples::state();
        state.overlay = samples::overlay(false);
        state.overlay.comparison = Some(Comparison::new(LayerKind::Refined, way));
        state
    }

    #[test]
    fn two_canvases_are_of_one_size_and_fill_the_place_of_one() {
        let whole = Rect::from_min_size(pos2(10.0, 20.0), vec2(801.0, 600.0));
        let panes = Panes::of(whole, &compared(ComparisonWay::SideBySide));
        let second = panes.second.unwrap();
        assert_eq!(panes.first.size(), second.size());
        assert!(panes.first.max.x < second.min.x && second.max.x == whole.max.x);
        assert_eq!(panes.at(pos2(30.0, 30.0)), panes.first);
        assert_eq!(panes.at(pos2(700.0, 30.0)), second);
        let one = Panes::of(whole, &compared(ComparisonWay::Blink));
        assert_eq!((one.first, one.second), (whole, None));
    }

    #[test]
    fn the_line_of_a_swipe_follows_the_pointer() {
        let state = compared(ComparisonWay::Swipe(0.5));
        let mut commands = Commands::default();
        let mut harness = Harness::builder().with_size(vec2(400.0, 200.0)).build_ui(|ui| {
            let panes = Panes::of(ui.max_rect(), &state);
            show(ui, panes, &state, &mut commands);
        });
        let grip = harness.get_by_label("Line between the two layers").rect().center();
        harness.drag_at(grip);
        harness.run_steps(2);
        harness.hover_at(grip + vec2(96.0, 0.0));
        harness.run_steps(2);
        drop(harness);
        let asked = commands.take();
        let Some(Command::Overlay(OverlayCommand::Compare(Some(ComparisonWay::Swipe(at))))) =
            asked.last()
        else {
            panic!("{asked:?}")
        };
        assert!((0.7..0.8).contains(at), "{at}");
    }
}
