//! Two models side by side: a table of figures with paired differences, ROC curves, and the images they disagree about.

use egui::{ComboBox, Grid, RichText, TextEdit, Ui, Window};
use model::eval::{Difference, Figure, Measurement};

use super::model_panel::pace;
use super::plots::{roc_chart, roc_curve};
use super::training::report::list_ui;
use super::{field_name, section_title, theme, weak};
use crate::command::{Commands, ComparingCommand, chosen_match, finished_run};
use crate::state::State;
use crate::state::comparing::{Compared, Rival};
use crate::state::image_queue::Origin;
use crate::state::jobs::JobKind;

/// Width of the window at first.
const WIDTH_PT: f32 = 640.0;
/// Height of the window at first.
const HEIGHT_PT: f32 = 560.0;
/// Width of the names of fields.
const NAMES_PT: f32 = 108.0;
/// The name of the model of the run in the training panel.
const OF_RUN: &str = "The model of the finished run";

/// Draws the window if it is open.
pub(crate) fn comparing_ui(ctx: &egui::Context, state: &State, commands: &mut Commands) {
    let mut is_open = state.comparing.is_open;
    Window::new("Compare two models")
        .open(&mut is_open)
        .default_pos([50.0, 65.0])
        .default_size([WIDTH_PT, HEIGHT_PT])
        .max_size(ctx.content_rect().size() - egui::vec2(24.0, 64.0))
        .show(ctx, |ui| {
            let scroll = egui::ScrollArea::vertical().auto_shrink([false, false]);
            scroll.show(ui, |ui| content_ui(ui, state, commands));
        });
    if state.comparing.is_open && !is_open {
        commands.push(ComparingCommand::Hide);
    }
}

fn content_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    for (which, name) in ["First model", "Second model"].into_iter().enumerate() {
        rival_ui(ui, (which, name), state, commands);
    }
    folder_ui(ui, &state.comparing.folder_text, commands);
    let wanted = chosen_match(state);
    weak(
        ui,
        match &wanted {
            Some(it) if it.run.is_some() => {
                "Measured on the images that validated the run: they chose its epoch, which favors it."
            }
            Some(_) => {
                "Measured on the folder's test images, else those that validate, else on all: a model that has learned from them looks better than it is."
            }
            None => {
                "Choose two models and a labelled folder. Pixels are measured where it has masks/NAME.png."
            }
        },
    );
    match state.jobs.of_kind(JobKind::Compare) {
        Some(job) => {
            ui.add(egui::ProgressBar::new(job.fraction().unwrap_or(0.0)).desired_height(8.0));
            weak(ui, &format!("{} · {}", job.stage, pace(job, std::time::Instant::now())));
            if ui.button("Stop comparing").clicked() {
                commands.push(ComparingCommand::Stop);
            }
        }
        None => {
            if ui.add_enabled(wanted.is_some(), theme::primary_button("Compare")).clicked() {
                commands.push(ComparingCommand::Compare);
            }
        }
    }
    if let Some(found) = &state.comparing.found {
        found_ui(ui, found, commands);
    }
}

fn rival_ui(ui: &mut Ui, (which, name): (usize, &str), state: &State, commands: &mut Commands) {
    let chosen = state.comparing.rivals.get(which).and_then(Option::as_ref);
    let title = |rival: &Rival| match rival {
        Rival::Listed(name) => {
            state.models.named(name).map_or(name.clone(), |it| it.manifest.title.clone())
        }
        Rival::Run(_) => OF_RUN.to_owned(),
    };
    let listed = state.models.entries.iter().flatten();
    let listed = listed.map(|entry| Rival::Listed(entry.manifest.name.clone()));
    let run = finished_run(state).map(|dir| Rival::Run(dir.to_owned()));
    ui.horizontal(|ui| {
        field_name(ui, name, NAMES_PT);
        let combo = ComboBox::from_id_salt(name).width(ui.available_width()).truncate();
        let combo = combo.selected_text(chosen.map_or("Choose a model".to_owned(), title));
        let response = combo.show_ui(ui, |ui| {
            for rival in listed.chain(run) {
                if ui.selectable_label(chosen == Some(&rival), title(&rival)).clicked() {
                    commands.push(ComparingCommand::Choose(which, rival));
                }
            }
        });
        let role = egui::Role::ComboBox;
        response.response.widget_info(|| egui::WidgetInfo::labeled(role, true, name));
    });
}

fn folder_ui(ui: &mut Ui, text: &str, commands: &mut Commands) {
    ui.horizontal(|ui| {
        let label = field_name(ui, "Labelled images", NAMES_PT);
        let mut typed = text.to_owned();
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if ui.button("Choose…").clicked() {
                commands.push(ComparingCommand::PickFolder);
            }
            let field = TextEdit::singleline(&mut typed).desired_width(f32::INFINITY);
            if ui.add(field).labelled_by(label.id).changed() {
                commands.push(ComparingCommand::SetFolderText(typed));
            }
        });
    });
}

fn found_ui(ui: &mut Ui, found: &Compared, commands: &mut Commands) {
    let comparison = &found.comparison;
    let (first, second) = (&comparison.first, &comparison.second);
    section_title(ui, "Figures");
    let images = images(first);
    let (t, other_t) = (first.threshold, second.threshold);
    weak(ui, &format!("{images}; the first at t = {t:.2}, the second at t = {other_t:.2}."));
    table_ui(ui, &comparison.differences);
    weak(
        ui,
        "Intervals: 95 %, patients drawn again with replacement, the same for both models. A difference is bright where its interval leaves 0 out.",
    );
    for note in first.notes.iter().chain(&second.notes) {
        weak(ui, note);
    }
    let names = [&first.model.title, &second.model.title];
    let colors = [theme::ACCENT, theme::WARNING];
    let curves = found.rocs.iter().zip(names).zip(colors);
    let curves = curves.map(|((roc, name), color)| roc_curve(roc, name.clone(), color));
    roc_chart("ROC curves", curves.collect()).show(ui);
    section_title(ui, "Where they disagree");
    if found.list.stops.is_empty() {
        weak(ui, "Both call every image the same.");
    } else {
        weak(
            ui,
            "A click opens the image, runs both models and shows their heatmaps side by side, the second's at the left.",
        );
        list_ui(ui, Origin::Comparison, (0, &found.list), commands);
    }
}

/// `All 60 images of the folder`.
fn images(measured: &Measurement) -> String {
    let n = measured.images.len();
    match measured.split.as_str() {
        "all" => format!("All {n} images of the folder"),
        "val" => format!("The {n} images that validate"),
        "test" => format!("The {n} test images"),
        split => format!("The {n} images of the split {split}"),
    }
}

fn table_ui(ui: &mut Ui, differences: &[Difference]) {
    Grid::new("differences").num_columns(4).spacing([16.0, 3.0]).striped(true).show(ui, |ui| {
        for title in ["", "first", "second", "second minus first"] {
            ui.label(RichText::new(title).small().color(theme::TEXT_WEAK));
        }
        ui.end_row();
        for it in differences {
            ui.label(it.first.metric.title());
            ui.label(short(it.first));
            ui.label(short(it.second));
            let text = RichText::new(signed(it));
            ui.label(if it.is_clear() { text.strong().color(theme::TEXT_STRONG) } else { text });
            ui.end_row();
        }
    });
}

/// `0.912 (0.850 to 0.960)`; the figure alone where every draw of patients gives the same.
fn short(figure: Figure) -> String {
    match figure.interval {
        Some([low, high]) if low < high => format!("{:.3} ({low:.3} to {high:.3})", figure.value),
        _ => format!("{:.3}", figure.value),
    }
}

/// `+0.021 (-0.004 to +0.050)`, and as [`short`].
fn signed(it: &Difference) -> String {
    match it.interval {
        Some([low, high]) if low < high => {
            format!("{:+.3} ({low:+.3} to {high:+.3})", it.difference)
        }
        _ => format!("{:+.3}", it.difference),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, QueueCommand, samples as sample_states};
    use crate::state::image_queue::ImageList;
    use crate::state::training::samples;
    use crate::ui::testing;
    use egui_kittest::{Harness, kittest::Queryable as _};
    use model::eval::Comparison;
    use std::sync::Arc;

    fn state() -> State {
        let mut state = sample_states::state();
        state.training = samples::training();
        state.training.run = Some(samples::examined_run());
        let examined = state.training.run.as_ref().unwrap().examined.clone().unwrap();
        let mut second = examined.measured.clone();
        second.images[1].probability = 0.2;
        let comparison = Comparison::of(examined.measured.clone(), second);
        let rocs = [comparison.first.roc(), comparison.second.roc()];
        let stops = examined.lists[0].stops[..1].to_vec();
        let list = ImageList { title: "Disagreements", stops, models: Vec::new() };
        state.comparing.is_open = true;
        state.comparing.folder_text = "/data".to_owned();
        state.comparing.rivals = ["a", "b"].map(|name| Some(Rival::Listed(name.to_owned())));
        state.comparing.found = Some(Arc::new(Compared { comparison, rocs, list: Arc::new(list) }));
        state
    }

    fn asked(state: &State, clicks: &[&str]) -> Vec<Command> {
        testing::asked([680.0, 1200.0], clicks, |ui, commands| content_ui(ui, state, commands))
    }

    #[test]
    fn models_are_compared_and_their_disagreements_opened() {
        let state = state();
        let compare = vec![Command::Comparing(ComparingCommand::Compare)];
        assert_eq!(asked(&state, &["Compare"]), compare);
        let open = QueueCommand::Open { origin: Origin::Comparison, list: 0, at: 0 };
        let first = "1.png: labelled negative, probability 0.90";
        assert_eq!(asked(&state, &[first]), vec![Command::Queue(open)]);
    }

    #[test]
    fn another_rival_is_chosen_among_the_models_and_the_finished_run() {
        let state = state();
        let choose = |rival| vec![Command::Comparing(ComparingCommand::Choose(1, rival))];
        let of_list = choose(Rival::Listed("a".to_owned()));
        assert_eq!(asked(&state, &["Second model", "Model a"]), of_list);
        let run = state.training.run.as_ref().unwrap();
        let of_run = choose(Rival::Run(run.dir.clone()));
        assert_eq!(asked(&state, &["Second model", OF_RUN]), of_run);
    }

    #[test]
    fn the_table_shows_both_models_and_the_paired_difference() {
        let state = state();
        let mut commands = Commands::default();
        let harness = Harness::builder()
            .with_size([680.0, 1200.0])
            .build_ui(|ui| content_ui(ui, &state, &mut commands));
        for label in [
            "Specificity",
            "second minus first",
            "The 4 images that validate; the first at t = 0.50, the second at t = 0.50.",
            "ROC curves: My model, My model",
        ] {
            harness.get_by_label(label);
        }
        assert!(harness.query_all_by_label_contains("+0.500 (").next().is_some());
    }
}
