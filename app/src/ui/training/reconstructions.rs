//! What an encoder in training makes of hidden patches, epoch by epoch.

use domain::coords::PixelSize;
use egui::{Image, Rect, RichText, Slider, TextureHandle, Ui, pos2, vec2};
use model::wise::rows_of_tiles;

use super::weak;
use crate::command::{Commands, EncoderCommand};
use crate::state::training::reconstructions::Reconstructions;
use crate::ui::theme;

/// A picture's tiles are laid out in so many columns.
const COLUMNS: usize = 2;
/// Width of the slider over epochs.
const SLIDER_PT: f32 = 280.0;
/// Points of a pixel at most: tiles are small.
const LARGEST: f32 = 1.5;

pub(super) fn reconstructions_ui(ui: &mut Ui, pictures: &Reconstructions, commands: &mut Commands) {
    let Some(wanted) = pictures.wanted() else { return };
    let title = RichText::new("What it makes of hidden patches");
    ui.label(title.small().color(theme::TEXT_STRONG));
    epochs_ui(ui, &pictures.epochs, wanted, commands);
    match &pictures.seen {
        Some((epoch, Ok(picture))) => sheet_ui(ui, picture.texture(ui.ctx()), *epoch),
        Some((epoch, Err(problem))) => {
            let text = format!("The picture of epoch {epoch} cannot be shown: {problem}.");
            ui.add(egui::Label::new(RichText::new(text).color(theme::WARNING)).wrap());
        }
        None => weak(ui, "The picture is being read…"),
    }
    weak(
        ui,
        "From left to right: a tile, what is left of it, and the guess. The network says how a hidden patch varies; its mean and \
         contrast are those of the true patch.",
    );
}

/// The way to earlier pictures: by the slider, or by arrow keys once it has the keyboard.
fn epochs_ui(ui: &mut Ui, epochs: &[usize], wanted: usize, commands: &mut Commands) {
    let last = epochs.len().saturating_sub(1);
    if last == 0 {
        weak(ui, &format!("After epoch {wanted}"));
        return;
    }
    let mut at = epochs.iter().position(|epoch| *epoch == wanted).unwrap_or(last);
    let names = epochs.to_vec();
    let name = move |at: f64| names.get(at as usize).copied().unwrap_or_default();
    let slider = Slider::new(&mut at, 0..=last)
        .custom_formatter(move |at, _| name(at).to_string())
        .text("After epoch");
    let row = ui.horizontal(|ui| {
        ui.spacing_mut().slider_width = SLIDER_PT;
        ui.add(slider).on_hover_text("Arrow keys go from picture to picture")
    });
    let response = row.inner;
    if let Some(epoch) = epochs.get(at).filter(|_| response.changed()) {
        commands.push(EncoderCommand::ShowPicture(*epoch));
    }
}

/// The picture, whose tiles lie below each other, in columns beside each other.
fn sheet_ui(ui: &mut Ui, texture: &TextureHandle, epoch: usize) {
    let [width, height] = texture.size();
    let side = |px: usize| u32::try_from(px).unwrap_or(u32::MAX);
    let rows = rows_of_tiles(PixelSize { width: side(width), height: side(height) });
    let per_column = rows.len().div_ceil(COLUMNS).max(1);
    let n_columns = rows.len().div_ceil(per_column).max(1) as f32;
    let gaps = ui.spacing().item_spacing.x * (n_columns - 1.0);
    let scale = ((ui.available_width() - gaps) / (n_columns * width as f32)).min(LARGEST);
    let said = format!("Tiles, what is left of them, and guesses after epoch {epoch}");
    ui.horizontal_top(|ui| {
        for column in rows.chunks(per_column) {
            let (Some(first), Some(last)) = (column.first(), column.last()) else { continue };
            let share = |px: u32| px as f32 / height as f32;
            let part =
                Rect::from_min_max(pos2(0.0, share(first.start)), pos2(1.0, share(last.end)));
            let size = scale * vec2(width as f32, (last.end - first.start) as f32);
            let image = Image::new((texture.id(), size)).uv(part);
            let response = ui.add(image);
            let role = egui::Role::Image;
            response.widget_info(|| egui::WidgetInfo::labeled(role, true, said.clone()));
        }
    });
}
