//! The whole slide, small, in the corner: shows where the canvas looks, and takes it elsewhere.

use domain::color::ColorTable;
use domain::coords::{Camera, Level0Px, Level0Rect, ScreenPt};
use domain::pixels::Pixels;
use egui::{Color32, ColorImage, Pos2, Rect, Sense, Shape, TextureHandle, Ui, pos2, vec2};

use crate::command::{Commands, ViewCommand};
use crate::state::view::ViewState;
use crate::tiles::Tiles;
use crate::ui::theme;

/// Longest side on screen.
const SIDE_PT: f32 = 150.0;

/// Distance from the edges of the canvas.
const MARGIN_PT: f32 = 12.0;

/// Canvases narrower than this keep their room for the slide.
const CANVAS_MIN_PT: f32 = 360.0;

/// The picture of the open slide.
#[derive(Default)]
pub(super) struct Overview {
    texture: Option<(Shown, TextureHandle)>,
}

/// What the picture shows: which slide in which look and colors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shown {
    generation: u64,
    look: u64,
    is_corrected: bool,
}

impl std::fmt::Debug for Overview {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Overview({:?})", self.texture.as_ref().map(|(shown, _)| shown))
    }
}

impl Overview {
    /// Draws the overview unless the canvas already shows the whole slide.
    pub(super) fn show(
        &mut self,
        ui: &mut Ui,
        canvas: Rect,
        view: &ViewState,
        tiles: &Tiles,
        commands: &mut Commands,
    ) {
        let Some(facts) = &view.facts else { return };
        if view.is_fitted || canvas.width().min(canvas.height()) < CANVAS_MIN_PT {
            return;
        }
        self.load(ui, view, tiles);
        let bounds = facts.bounds();
        let place = placed(canvas, bounds);
        ui.painter().rect_filled(place.expand(4.0), 3.0, theme::PLATE);
        if let Some((_, texture)) = &self.texture {
            let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            ui.painter().image(texture.id(), place, whole, Color32::WHITE);
        }
        let stroke = egui::Stroke::new(2.0, theme::ACCENT);
        let seen = corners(&view.camera).map(|corner| on_overview(place, bounds, corner));
        ui.painter_at(place.expand(1.0)).add(Shape::closed_line(seen.to_vec(), stroke));

        let response = ui.interact(place, ui.scope_id().with("overview"), Sense::click_and_drag());
        response.widget_info(|| {
            egui::WidgetInfo::labeled(egui::Role::Image, true, "Overview of the slide")
        });
        if let Some(pos) = response.interact_pointer_pos() {
            commands.push(ViewCommand::Center(level0_at(place, bounds, pos)));
        }
    }

    fn load(&mut self, ui: &Ui, view: &ViewState, tiles: &Tiles) {
        let Some((pixels, look)) = tiles.overview(view) else {
            self.texture = None;
            return;
        };
        let table = view.color_table();
        let generation = view.generation;
        let wanted = Shown { generation, look, is_corrected: table.is_some() };
        if self.texture.as_ref().is_none_or(|(shown, _)| *shown != wanted) {
            let image = color_image(&pixels, table.map(AsRef::as_ref));
            let texture = ui.ctx().load_texture("overview", image, egui::TextureOptions::LINEAR);
            self.texture = Some((wanted, texture));
        }
    }
}

/// At most 512 x 512 pixels: a display tile.
fn color_image(pixels: &Pixels, table: Option<&ColorTable>) -> ColorImage {
    let size = pixels.size();
    let side = |px: u32| usize::try_from(px).unwrap_or(0);
    let mut image =
        ColorImage::from_rgba_unmultiplied([side(size.width), side(size.height)], pixels.rgba());
    if let Some(table) = table {
        for pixel in image.pixels.iter_mut().filter(|pixel| pixel.is_opaque()) {
            let [r, g, b] = table.corrected([pixel.r(), pixel.g(), pixel.b()]);
            *pixel = Color32::from_rgb(r, g, b);
        }
    }
    image
}

/// The overview's place at the top right of the canvas, in the slide's proportions.
#[expect(clippy::cast_possible_truncation, reason = "a few hundred points")]
fn placed(canvas: Rect, bounds: Level0Rect) -> Rect {
    let scale = f64::from(SIDE_PT) / bounds.width.max(bounds.height).max(1.0);
    let size = vec2((bounds.width * scale) as f32, (bounds.height * scale) as f32);
    let corner = canvas.right_top() + vec2(-MARGIN_PT, MARGIN_PT);
    Rect::from_min_size(pos2(corner.x - size.x, corner.y), size)
}

/// The corners of what is seen, one after the other.
fn corners(camera: &Camera) -> [Level0Px; 4] {
    let ScreenPt { x, y } = camera.canvas;
    [(0.0, 0.0), (x, 0.0), (x, y), (0.0, y)]
        .map(|(x, y)| camera.level0_from_screen(ScreenPt { x, y }))
}

/// Kept inside the overview, as far as an outline can be.
#[expect(clippy::cast_possible_truncation, reason = "a few hundred points")]
fn on_overview(place: Rect, bounds: Level0Rect, point: Level0Px) -> Pos2 {
    let scale = f64::from(place.width()) / bounds.width.max(1.0);
    place.clamp(place.min + vec2((point.x * scale) as f32, (point.y * scale) as f32))
}

fn level0_at(place: Rect, bounds: Level0Rect, pos: Pos2) -> Level0Px {
    let scale = bounds.width / f64::from(place.width()).max(1.0);
    Level0Px {
        x: f64::from(pos.x - place.min.x) * scale,
        y: f64::from(pos.y - place.min.y) * scale,
    }
}
