//! The open slide before training and now, side by side.

use egui::{Image, RichText, Ui, vec2};

use super::weak;
use crate::state::training::looks::{Looked, Looks};
use crate::ui::theme;

/// Longest side of a picture.
const SIDE_PT: f32 = 240.0;

pub(super) fn looks_ui(ui: &mut Ui, looks: &Looks) {
    if let Some(problem) = &looks.problem {
        weak(ui, &format!("The open slide cannot be watched: {problem}."));
    }
    let Some(before) = &looks.before else { return };
    ui.label(RichText::new("The slide that is open").small().color(theme::TEXT_STRONG));
    ui.horizontal(|ui| {
        looked_ui(ui, before);
        if let Some(now) = &looks.now {
            looked_ui(ui, now);
        }
    });
}

fn looked_ui(ui: &mut Ui, looked: &Looked) {
    let title = title(looked);
    ui.vertical(|ui| {
        if let Some(picture) = &looked.picture {
            let texture = picture.texture(ui.ctx());
            let size = texture.size_vec2();
            let shown = size * (SIDE_PT / size.max_elem().max(1.0));
            let response = ui.add(Image::new((texture.id(), vec2(shown.x, shown.y))));
            let role = egui::Role::Image;
            response.widget_info(|| egui::WidgetInfo::labeled(role, true, title.clone()));
        }
        weak(ui, &title);
    });
}

/// `Before training: probability 0.12`.
fn title(looked: &Looked) -> String {
    let when = match looked.epoch {
        0 => "Before training".to_owned(),
        epoch => format!("After epoch {epoch}"),
    };
    format!("{when}: probability {:.2}", looked.probability)
}
