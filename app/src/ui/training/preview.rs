//! A few labelled images as the network will see them: the patches of their bags, drawn over them.

use domain::coords::Level0Rect;
use egui::{CollapsingHeader, Color32, Mesh, Pos2, Rect, RichText, Sense, Stroke, Ui, pos2, vec2};
use model::data::check::FolderSurvey;
use model::data::folder::{LabelledImage, Split};

use super::weak;
use crate::command::{Commands, TrainingCommand};
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::training::preview::{PER_PAGE, SeenBags, SeenImage, n_pages};
use crate::ui::theme;

const COLUMNS: usize = 3;
/// Height of a picture's place by its width.
const ASPECT: f32 = 0.75;
/// Lines of patches or windows that would be closer are not drawn: they would hide the image.
const CLOSEST_PT: f32 = 6.0;
const GRID: Color32 = Color32::from_rgba_unmultiplied_const(255, 255, 255, 90);
/// Over what is not learned from.
const DIM: Color32 = Color32::from_black_alpha(150);

pub(super) fn preview_ui(
    ui: &mut Ui,
    survey: &FolderSurvey,
    state: &State,
    commands: &mut Commands,
) {
    let title = RichText::new("What the network will see").strong().color(theme::TEXT_STRONG);
    let header = CollapsingHeader::new(title).default_open(true);
    header.show_unindented(ui, |ui| content_ui(ui, survey, state, commands));
}

fn content_ui(ui: &mut Ui, survey: &FolderSurvey, state: &State, commands: &mut Commands) {
    weak(
        ui,
        "Each image is cut into patches; the patches of a window are one bag, under the label of the image. What is \
         darkened lies behind the edge or holds no tissue: nothing is learned from it.",
    );
    let preview = &state.training.preview;
    pages_ui(ui, survey, state, commands);
    for row in preview.seen.chunks(COLUMNS) {
        ui.columns(COLUMNS, |columns| {
            for (ui, seen) in columns.iter_mut().zip(row) {
                if let Some(image) = survey.images.get(seen.image) {
                    ui.vertical(|ui| image_ui(ui, seen, image, survey.splits[seen.image]));
                }
            }
        });
    }
}

/// Which images are shown, and the way to the others.
fn pages_ui(ui: &mut Ui, survey: &FolderSurvey, state: &State, commands: &mut Commands) {
    let (page, n, n_pages) = (state.training.preview.page, survey.images.len(), n_pages(survey));
    ui.horizontal(|ui| {
        let previous = egui::Button::new("Previous images");
        if ui.add_enabled(0 < page, previous).clicked() {
            commands.push(TrainingCommand::ShowPage(page - 1));
        }
        let next = egui::Button::new("Next images");
        if ui.add_enabled(page + 1 < n_pages, next).clicked() {
            commands.push(TrainingCommand::ShowPage(page + 1));
        }
        let is_reading = state.jobs.of_kind(JobKind::PreviewBags).is_some();
        let (first, last) = (page * PER_PAGE + 1, n.min((page + 1) * PER_PAGE));
        let reading = if is_reading { ", being read…" } else { "" };
        weak(ui, &format!("{first} to {last} of {n}{reading}"));
    });
}

fn image_ui(ui: &mut Ui, seen: &SeenImage, image: &LabelledImage, split: Split) {
    let label = if image.is_positive { "positive" } else { "negative" };
    let split = match split {
        Split::Train => "training",
        Split::Val => "validation",
        Split::Test => "test",
    };
    let patient = match image.patient == image.file {
        true => "patient not named".to_owned(),
        false => format!("patient {}", image.patient),
    };
    let used = format!("{label}, {split}");
    let width = ui.available_width();
    let (place, response) = ui.allocate_exact_size(vec2(width, ASPECT * width), Sense::hover());
    ui.painter().rect_filled(place, 3.0, theme::CANVAS);
    let (words, problem) = match &seen.bags {
        Ok(bags) => {
            bags_ui(ui, place, bags);
            (bags.words.as_str(), bags.problem)
        }
        Err(why) => {
            problem_ui(ui, place, why);
            ("not shown", None)
        }
    };
    let said = format!("{}: {used}, {patient}; {words}", image.file);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, said.clone()));
    if let Ok(bags) = &seen.bags {
        response.on_hover_text(format!("{}\n{}", image.file, bags.notes.join("\n")).trim());
    }
    let file = RichText::new(&image.file).small().color(theme::TEXT_STRONG);
    ui.add(egui::Label::new(file).truncate());
    weak(ui, &used);
    weak(ui, &patient);
    weak(ui, words);
    if let Some(problem) = problem {
        let text = RichText::new(problem).small().color(theme::WARNING);
        ui.add(egui::Label::new(text).wrap());
    }
}

/// Why there is no picture, in its place.
fn problem_ui(ui: &mut Ui, place: Rect, why: &str) {
    let text = RichText::new(why).small().color(theme::WARNING);
    ui.put(place.shrink(8.0), egui::Label::new(text).wrap());
}

/// The picture, the lines between its patches, the windows, and what is left out.
fn bags_ui(ui: &Ui, place: Rect, bags: &SeenBags) {
    let fit = Fit::of(place, bags.extent);
    let painter = ui.painter_at(place);
    let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
    let texture = bags.picture.texture(ui.ctx()).id();
    painter.image(texture, fit.rect(bags.frame), whole, Color32::WHITE);
    let extent = fit.rect(bags.extent);
    let line = Stroke::new(1.0, GRID);
    let is_open = |lines: &[f64]| match lines {
        [first, second, ..] => CLOSEST_PT <= fit.scale * (second - first) as f32,
        _ => false,
    };
    if is_open(&bags.columns) && is_open(&bags.rows) {
        for x in &bags.columns {
            painter.vline(fit.at(*x, 0.0).x, extent.y_range(), line);
        }
        for y in &bags.rows {
            painter.hline(extent.x_range(), fit.at(0.0, *y).y, line);
        }
    }
    // One mesh: the smoothed edges of single rectangles would show as stripes.
    let mut dimmed = Mesh::default();
    bags.dimmed.iter().for_each(|it| dimmed.add_colored_rect(fit.rect(*it), DIM));
    painter.add(dimmed);
    let is_wide = |it: &&Level0Rect| 2.0 * CLOSEST_PT <= fit.scale * it.width as f32;
    for window in bags.windows.iter().filter(is_wide) {
        let stroke = Stroke::new(1.0, theme::ACCENT);
        painter.rect_stroke(fit.rect(*window), 0.0, stroke, egui::StrokeKind::Inside);
    }
}

/// Level-0 px onto the screen: as large as the place allows, in its middle.
struct Fit {
    /// Points per level-0 px.
    scale: f32,
    corner: Pos2,
}

impl Fit {
    fn of(place: Rect, extent: Level0Rect) -> Self {
        let (width, height) = (extent.width.max(1.0) as f32, extent.height.max(1.0) as f32);
        let scale = (place.width() / width).min(place.height() / height);
        Self { scale, corner: place.center() - 0.5 * scale * vec2(width, height) }
    }

    fn at(&self, x: f64, y: f64) -> Pos2 {
        self.corner + self.scale * vec2(x as f32, y as f32)
    }

    fn rect(&self, it: Level0Rect) -> Rect {
        Rect::from_min_max(self.at(it.x, it.y), self.at(it.x + it.width, it.y + it.height))
    }
}
